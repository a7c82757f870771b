//! Sets of objects.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use models::architecture::{CacheHeaders, Catalog, Listed, NAMED_OBJECTS};
use sim_core::SimDuration;
use sim_core::distribution::Distribution;
use sim_core::distribution::alias::Weighted;
use sim_core::math::pow;

use super::Check;
use super::cloudfront::YEARS;
use crate::decode::Sp;
use crate::raw;
use crate::tree::Span;

/// Most objects that are listed one by one.
const MAX_LISTED: usize = 20_000_000;

impl Check<'_> {
    pub(super) fn catalogs(&mut self, base_dir: Option<&Path>) -> Vec<Catalog> {
        let doc = self.doc;
        self.part_names(&doc.catalog, "catalog");
        doc.catalog.iter().map(|(_, name, catalog)| self.catalog(name, catalog, base_dir)).collect()
    }

    fn catalog(&mut self, name: &Sp<String>, catalog: &raw::Catalog, base_dir: Option<&Path>) -> Catalog {
        let zipf = self.number(&catalog.zipf, "zipf", 0.0, 10.0);
        let listed = match &catalog.file {
            Some(file) => {
                for (key, span) in [
                    ("objects", catalog.objects.as_ref().map(|it| it.span)),
                    ("size", catalog.size.as_ref().map(|it| it.span)),
                ] {
                    if let Some(span) = span {
                        self.error(span, format!("a catalogue with a file has no `{key}`"), "the file says it");
                    }
                }
                self.listed(file, zipf, base_dir)
            }
            None => {
                for (key, given) in [("objects", catalog.objects.is_some()), ("size", catalog.size.is_some())] {
                    if !given {
                        let title = format!("[catalog] lacks `{key}`");
                        self.error(catalog.span, title, format!("`{key}` or `file` is missing here"));
                    }
                }
                None
            }
        };
        if let Some(size) = catalog.size.as_ref().filter(|size| size.0.mean() > u32::MAX.into()) {
            self.error(size.span, "objects are too large", "at most \"3.9GB\" on average");
        }
        let objects = catalog.objects.as_ref().map_or(1, |objects| self.count(objects, "objects", 1, 1_000_000_000));
        let mean =
            |listed: &Listed| listed.sizes.iter().map(|&size| f64::from(size)).sum::<f64>() / listed.sizes.len() as f64;
        let size = match (&listed, &catalog.size) {
            (Some(listed), _) => Distribution::Constant(mean(listed)),
            (None, size) => size.as_ref().map_or(Distribution::Constant(0.0), |size| size.0.clone()),
        };
        let mut headers = catalog.cache_control.as_ref().map_or(CacheHeaders::NONE, |text| self.cache_control(text));
        headers.expires = catalog.expires.as_ref().map(|expires| self.time(expires, "expires", 0.0, YEARS, ""));
        Catalog {
            headers,
            error_max_age: catalog.error_cache_control.as_ref().and_then(|text| self.error_max_age(text)),
            compressed: catalog.compressed_size.as_ref().map(|size| self.share(size, "compressed_size")),
            ..Catalog {
                listed: listed.clone(),
                ..Catalog::new(&name.value, listed.map_or(objects, |listed| listed.sizes.len() as u64), zipf, size)
            }
        }
    }

    fn error_max_age(&mut self, text: &Sp<String>) -> Option<SimDuration> {
        let headers = self.cache_control(text);
        let age = headers.s_maxage.or(headers.max_age);
        if age.is_none() || headers.no_store || headers.stale_if_error.is_some() {
            self.error(text.span, "only an age matters with errors", "write \"max-age=SECONDS\"");
        }
        age
    }

    fn cache_control(&mut self, text: &Sp<String>) -> CacheHeaders {
        let mut headers = CacheHeaders::NONE;
        for directive in text.split(',').map(|directive| directive.trim().to_lowercase()) {
            let (name, seconds) =
                directive.split_once('=').map_or((directive.as_str(), None), |(name, n)| (name, Some(n.trim())));
            let mut age = || {
                let age = seconds.and_then(|n| n.parse::<u32>().ok()).map(|n| SimDuration::from_secs(n.into()));
                if age.is_none() {
                    self.error(text.span, format!("`{name}` is a whole number of seconds"), "such as \"max-age=3600\"");
                }
                age
            };
            match name {
                "s-maxage" => headers.s_maxage = age(),
                "max-age" => headers.max_age = age(),
                "stale-while-revalidate" => headers.stale_while_revalidate = age().unwrap_or(SimDuration::ZERO),
                "stale-if-error" => headers.stale_if_error = age(),
                "no-cache" | "no-store" | "private" if seconds.is_none() => headers.no_store = true,
                "public" if seconds.is_none() => {}
                _ => {
                    let label = "known: `max-age=SECONDS`, `s-maxage=SECONDS`, `no-cache`, `no-store`, `private`, `public`, `stale-while-revalidate=SECONDS`, `stale-if-error=SECONDS`";
                    self.error(text.span, format!("`{directive}` is no directive that is modelled"), label);
                }
            }
        }
        headers
    }

    /// Reads the objects of a file; nothing if the scenario is refused anyway.
    fn listed(&mut self, file: &Sp<String>, zipf: f64, base_dir: Option<&Path>) -> Option<Arc<Listed>> {
        if !self.readable {
            return None;
        }
        let path = self.path_of(file, base_dir);
        let opened = match self.options.open_log {
            Some(open) => open(&path),
            None => std::fs::File::open(&path).map(|file| Box::new(std::io::BufReader::new(file)) as Box<dyn BufRead>),
        };
        let read = opened.map_err(|error| format!("cannot be opened: {error}")).and_then(|input| read(input, zipf));
        match read {
            Ok(listed) => Some(Arc::new(listed)),
            Err(wrong) => {
                self.catalog_error(file.span, &file.value, &wrong);
                None
            }
        }
    }

    fn catalog_error(&mut self, span: Span, file: &str, wrong: &str) {
        self.error(span, format!("catalogue file {file} {wrong}"), "lines are PATH,SIZE,WEIGHT");
    }
}

/// An object as read: its weight, its size, and where its path stands in the text of all paths.
struct Line {
    weight: f64,
    size: u32,
    path: (usize, usize),
}

/// Reads lines PATH,SIZE,WEIGHT. Without weights popularity follows Zipf's law by the order of the lines.
fn read(input: Box<dyn BufRead>, zipf: f64) -> Result<Listed, String> {
    let (mut lines, mut paths): (Vec<Line>, String) = (Vec::new(), String::new());
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(|error| format!("cannot be read: {error}"))?;
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') || number == 0 && text.to_lowercase().starts_with("path,size") {
            continue;
        }
        let wrong = |what: &str| format!("line {}: {what} in `{text}`", number + 1);
        let mut parts = text.split(',');
        let path = parts.next().unwrap_or("").trim();
        let size =
            parts.next().and_then(|size| size.trim().parse::<u32>().ok()).ok_or_else(|| wrong("no size in bytes"))?;
        let weight = match parts.next() {
            Some(weight) => weight.trim().parse::<f64>().ok().filter(|weight| weight.is_finite() && *weight >= 0.0),
            None => Some(pow(lines.len() as f64 + 1.0, -zipf)),
        };
        let weight = weight.ok_or_else(|| wrong("no weight"))?;
        if parts.next().is_some() {
            return Err(wrong("too many commas"));
        }
        if lines.len() == MAX_LISTED {
            return Err(format!("has more than {MAX_LISTED} objects"));
        }
        lines.push(Line { weight, size, path: (paths.len(), paths.len() + path.len()) });
        paths.push_str(path);
    }
    lines.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let weights: Vec<f64> = lines.iter().map(|line| line.weight).collect();
    let popularity = Weighted::new(&weights).map_err(|_| "has no object with a weight above 0".to_string())?;
    let names = lines.iter().take(NAMED_OBJECTS).map(|line| paths[line.path.0..line.path.1].to_owned());
    Ok(Listed { popularity, names: names.collect(), sizes: lines.iter().map(|line| line.size).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &'static str) -> Result<Listed, String> {
        read(Box::new(text.as_bytes()), 1.0)
    }

    #[test]
    fn objects_come_by_popularity_with_their_sizes() {
        let listed = read_text("path,size,weight\n/a.png,100,1\n\n# rare\n/b.png,200,7.5\n/c.png,300,0\n").unwrap();
        assert_eq!(
            (listed.sizes, listed.names),
            (vec![200, 100, 300], vec!["/b.png".into(), "/a.png".into(), "/c.png".into()])
        );
        // Without weights: Zipf's law by the order of the lines.
        let listed = read_text("/a,1\n/b,2\n/c,3").unwrap();
        assert_eq!(listed.sizes, [1, 2, 3]);
        assert_eq!(listed.popularity, Weighted::new(&[1.0, 0.5, 1.0 / 3.0]).unwrap());
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, needle) in [
            ("/a,100,1\n/b", "line 2: no size"),
            ("/a,-1,1", "line 1: no size"),
            ("/a,5000000000,1", "line 1: no size"),
            ("/a,100,many", "line 1: no weight"),
            ("/a,100,-1", "line 1: no weight"),
            ("/a,100,1,9", "line 1: too many commas"),
            ("/a,100,0", "no object with a weight"),
            ("", "no object with a weight"),
        ] {
            let wrong = read_text(text).map(|_| ()).expect_err(text);
            assert!(wrong.contains(needle), "{text}: {wrong}");
        }
    }
}
