//! Sets of objects.

use models::architecture::{CacheControl, Catalog};
use sim_core::SimDuration;

use super::Check;
use crate::decode::Sp;
use crate::raw;

impl Check<'_> {
    pub(super) fn catalogs(&mut self) -> Vec<Catalog> {
        let doc = self.doc;
        self.part_names(&doc.catalog, "catalog");
        doc.catalog.iter().map(|(_, name, catalog)| self.catalog(name, catalog)).collect()
    }

    fn catalog(&mut self, name: &Sp<String>, catalog: &raw::Catalog) -> Catalog {
        if catalog.size.0.mean() > u32::MAX.into() {
            self.error(catalog.size.span, "objects are too large", "at most \"3.9GB\" on average");
        }
        Catalog {
            name: name.value.clone(),
            objects: self.count(&catalog.objects, "objects", 1, 1_000_000_000),
            zipf: self.number(&catalog.zipf, "zipf", 0.0, 10.0),
            size: catalog.size.0.clone(),
            cache_control: catalog.cache_control.as_ref().map_or(CacheControl::Absent, |text| self.cache_control(text)),
        }
    }

    fn cache_control(&mut self, text: &Sp<String>) -> CacheControl {
        let (mut max_age, mut s_maxage, mut no_store) = (None, None, false);
        for directive in text.split(',').map(|directive| directive.trim().to_lowercase()) {
            let age = |prefix: &str| directive.strip_prefix(prefix).map(|n| n.trim().parse::<u32>().ok());
            if let Some(seconds) = age("s-maxage=") {
                s_maxage = Some(seconds);
            } else if let Some(seconds) = age("max-age=") {
                max_age = Some(seconds);
            } else if matches!(directive.as_str(), "no-cache" | "no-store" | "private") {
                no_store = true;
            } else if directive != "public" {
                let label = "known: `max-age=SECONDS`, `s-maxage=SECONDS`, `no-cache`, `no-store`, `private`, `public`";
                self.error(text.span, format!("`{directive}` is no directive that is modelled"), label);
            }
        }
        match s_maxage.or(max_age) {
            _ if no_store => CacheControl::NoStore,
            None => CacheControl::Absent,
            Some(Some(seconds)) => CacheControl::MaxAge(SimDuration::from_secs(seconds.into())),
            Some(None) => {
                self.error(text.span, "an age is a whole number of seconds", "such as \"max-age=3600\"");
                CacheControl::Absent
            }
        }
    }
}
