//! Which objects are asked for most, as CloudFront's popular objects report has it.

use sim_core::observations::Table;

use super::layer::Answer;
use super::tally::Source;
use crate::architecture::{Architecture, NAMED_OBJECTS};
use crate::request::Request;

/// Rows of the table.
const ROWS: usize = 50;

/// Requests for one object.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    requests: u64,
    hits: u64,
    errors: u64,
    bytes: u64,
}

/// Requests for the objects that can be popular: a catalogue's are numbered by popularity, so its first are enough; what is of no
/// catalogue is told apart by path.
#[derive(Debug)]
pub(super) struct Popular {
    /// By catalogue and number.
    objects: Vec<Asked>,
    object_names: Vec<String>,
    /// By path, as far as any has been asked for.
    paths: Vec<Asked>,
    path_names: Vec<String>,
}

impl Popular {
    pub(super) fn new(architecture: &Architecture) -> Self {
        let mut object_names = Vec::new();
        for (n, catalog) in architecture.catalogs.iter().enumerate() {
            let routes = architecture.traffic.iter().flat_map(|source| &source.routes);
            let mut routes = routes.filter(|route| route.catalog.is_some_and(|id| id.index() == n));
            let path = routes.next().map_or("", |route| architecture.paths[route.path.index()].as_str());
            for number in 0..NAMED_OBJECTS {
                let listed = catalog.listed.as_ref().and_then(|listed| listed.names.get(number));
                let name = listed.cloned().unwrap_or_else(|| format!("{path} {} {}", catalog.name, number + 1));
                object_names.push(name);
            }
        }
        Self {
            objects: vec![Asked::default(); object_names.len()],
            object_names,
            paths: Vec::new(),
            path_names: architecture.paths.clone(),
        }
    }

    #[inline]
    pub(super) fn count(&mut self, request: &Request, answer: Answer, source: Source) {
        let asked = if request.catalog == Request::NO_CATALOG {
            let at = request.path.index();
            if at >= self.paths.len() {
                self.paths.resize(at + 1, Asked::default());
            }
            &mut self.paths[at]
        } else if (request.object as usize) < NAMED_OBJECTS {
            &mut self.objects[usize::from(request.catalog) * NAMED_OBJECTS + request.object as usize]
        } else {
            return;
        };
        asked.requests += 1;
        asked.bytes += u64::from(answer.bytes);
        if answer.outcome.status >= 400 {
            asked.errors += 1;
        } else if source.is_hit() {
            asked.hits += 1;
        }
    }

    /// Counting starts.
    pub(super) fn forget(&mut self) {
        self.objects.fill(Asked::default());
        self.paths.fill(Asked::default());
    }

    /// The most popular first; `None` if nothing was asked for.
    pub(super) fn table(&self, distribution: &str) -> Option<Table> {
        let objects = self.object_names.iter().zip(&self.objects);
        let mut rows: Vec<_> =
            objects.chain(self.path_names.iter().zip(&self.paths)).filter(|(_, it)| it.requests > 0).collect();
        rows.sort_by_key(|(_, asked)| std::cmp::Reverse(asked.requests));
        let columns =
            [("requests", "count"), ("hits", "count"), ("hit ratio", "share"), ("errors", "count"), ("bytes", "bytes")];
        let mut table = Table::new(format!("Popular objects of {distribution}"), "object", &columns);
        table.ranked = true;
        table.rows = rows.into_iter().take(ROWS).map(|(name, it)| (name.clone(), it.row())).collect();
        (!table.rows.is_empty()).then_some(table)
    }
}

impl Asked {
    fn row(&self) -> Vec<f64> {
        let [requests, hits, errors, bytes] = [self.requests, self.hits, self.errors, self.bytes].map(|n| n as f64);
        vec![requests, hits, hits / requests, errors, bytes]
    }
}
