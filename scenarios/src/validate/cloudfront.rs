//! Distributions.

use models::architecture::Catalog;
use models::client;
use models::cloudfront::{Behavior, CachePolicy, Edge, Regional, Settings};
use models::ids::*;
use sim_core::SimDuration;

use super::{Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::cloudfront as raw;
use crate::tree::Span;
use crate::units::{Bytes, Time};

const ORIGINS: [Section; 4] = [Section::CloudFront, Section::Alb, Section::Ecs, Section::Station];
/// Most objects that fit in one cache.
pub(super) const MAX_ENTRIES: f64 = 5e7;
const YEARS: f64 = 10.0 * 366.0 * 86_400.0;

/// TTLs of the managed policies (CF guide, using-managed-cache-policies), in seconds.
pub(crate) const OPTIMIZED: [u64; 3] = [1, 86_400, 31_536_000];

/// Least a cached copy takes, bytes, as the caches count it.
const LEAST_COPY: f64 = 512.0;

/// What viewers ask for, as far as it bounds what a cache can hold.
pub(super) struct Asked {
    /// Distinct cache keys there can be.
    keys: f64,
    /// Smallest mean size that a copy of one route's objects has, bytes.
    smallest: f64,
}

impl Asked {
    pub(super) fn new(traffic: &[client::Settings], catalogs: &[Catalog]) -> Self {
        let routes = || traffic.iter().flat_map(|source| &source.routes);
        let catalog = |route: &client::Route| route.catalog.map(|catalog| &catalogs[catalog.index()]);
        let keys = routes().map(|route| {
            let objects = catalog(route).map_or(1.0, |catalog| catalog.objects as f64);
            [route.query_strings, route.cookies, route.headers].iter().fold(objects, |all, &n| all * f64::from(n))
        });
        let sizes = routes().map(|route| catalog(route).map_or(0.0, |catalog| catalog.size.mean()));
        Self { keys: keys.sum(), smallest: sizes.fold(f64::INFINITY, f64::min).max(LEAST_COPY) }
    }
}

impl Check<'_> {
    pub(super) fn distributions(&mut self, asked: &Asked) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.cloudfront, "cloudfront");
        // Places of explicit edges come after those of traffic, before defaults are filled in.
        for (_, _, distribution) in doc.cloudfront.iter() {
            for edge in distribution.edges.iter().flat_map(|edges| edges.iter()) {
                self.places.insert(edge.place.value.clone());
            }
        }
        if self.places.len() > 1000 {
            let first = doc.traffic.span;
            self.error(first, "too many places", "at most 1000");
        }
        let mut built = Vec::new();
        for (n, (name, distribution)) in doc.cloudfront.entries.iter().enumerate() {
            let id = CloudFrontId(n as u16);
            built.push(distribution.as_ref().map(|it| self.distribution(id, name, it, asked)));
        }
        built
    }

    fn distribution(
        &mut self,
        id: CloudFrontId,
        name: &Sp<String>,
        distribution: &raw::Distribution,
        asked: &Asked,
    ) -> Settings {
        let mut behaviors = Vec::new();
        for behavior in &distribution.cache_behaviors {
            let pattern = match &behavior.path_pattern {
                Some(pattern) => {
                    self.pattern(pattern);
                    pattern.value.clone()
                }
                None => {
                    self.error(behavior.span, "a cache behaviour lacks `path_pattern`", "which paths?");
                    "*".into()
                }
            };
            behaviors.push(self.behavior(id, behavior, pattern));
        }
        let default = &distribution.default_cache_behavior;
        if let Some(pattern) = &default.path_pattern {
            let title = "the default behaviour has no `path_pattern`";
            self.error(pattern.span, title, "it has all paths that no other behaviour has");
        }
        behaviors.push(self.behavior(id, default, "*".into()));
        let regionals: Vec<Regional> =
            distribution.regional_edge_caches.iter().map(|it| self.regional(it, asked)).collect();
        if regionals.is_empty() {
            self.error(distribution.regional_edge_caches.span, "there is no regional edge cache", "at least one");
        }
        self.distinct(distribution.regional_edge_caches.iter().map(|it| &it.name), "regional edge caches");
        let (edges, edge_of_place) = self.edges(distribution, asked);
        Settings {
            name: name.value.clone(),
            behaviors,
            behavior_of_path: Vec::new(),
            edges,
            edge_of_place,
            regionals,
            error_caching_min_ttl: self.time(
                &distribution.error_caching_min_ttl,
                "error_caching_min_ttl",
                0.0,
                YEARS,
                "",
            ),
            origin_read_timeout: self.time(
                &distribution.origin_read_timeout,
                "origin_read_timeout",
                1.0,
                120.0,
                "CloudFront",
            ),
        }
    }

    fn behavior(&mut self, id: CloudFrontId, behavior: &raw::Behavior, path_pattern: String) -> Behavior {
        let origin =
            self.endpoint(&behavior.target_origin, &ORIGINS, Some(Endpoint::CloudFront(id)), "`target_origin`");
        let disabled = behavior.cache_policy.value == raw::ManagedPolicy::CachingDisabled;
        let [min, default, max] = if disabled { [0; 3] } else { OPTIMIZED }.map(SimDuration::from_secs);
        let mut ttl = |given: &Option<Sp<Time>>, name: &str, otherwise: SimDuration| {
            given.as_ref().map_or(otherwise, |ttl| self.time(ttl, name, 0.0, YEARS, ""))
        };
        let min_ttl = ttl(&behavior.min_ttl, "min_ttl", min);
        // A policy that only raises the minimum, or only lowers the maximum, moves the default along.
        let mut max_ttl = ttl(&behavior.max_ttl, "max_ttl", max);
        if behavior.max_ttl.is_none() {
            max_ttl = max_ttl.max(min_ttl).max(behavior.default_ttl.as_ref().map_or(SimDuration::ZERO, |ttl| ttl.0));
        }
        let default_ttl = ttl(&behavior.default_ttl, "default_ttl", default.max(min_ttl).min(max_ttl));
        let place = |ttl: &Option<Sp<Time>>| ttl.as_ref().map_or(behavior.span, |ttl| ttl.span);
        if min_ttl > default_ttl {
            self.error(
                place(&behavior.default_ttl),
                "min_ttl is above default_ttl",
                "min_ttl <= default_ttl <= max_ttl",
            );
        }
        if default_ttl > max_ttl || min_ttl > max_ttl {
            self.error(place(&behavior.max_ttl), "default_ttl is above max_ttl", "min_ttl <= default_ttl <= max_ttl");
        }
        let all = |part: &Sp<raw::KeyPart>| part.value == raw::KeyPart::All;
        Behavior {
            path_pattern,
            origin,
            cache_policy: CachePolicy {
                min_ttl,
                default_ttl,
                max_ttl,
                query_strings: all(&behavior.query_string_behavior),
                cookies: all(&behavior.cookie_behavior),
                headers: all(&behavior.header_behavior),
            },
        }
    }

    fn regional(&mut self, regional: &raw::Regional, asked: &Asked) -> Regional {
        self.plain_name(&regional.name);
        Regional {
            name: regional.name.value.clone(),
            capacity: self.cache(regional.capacity.value, regional.capacity.span, asked),
            origin_rtt: self.delay(&regional.origin_rtt, "origin_rtt"),
        }
    }

    fn cache(&mut self, capacity: Bytes, span: Span, asked: &Asked) -> u64 {
        let entries = asked.keys.min(capacity.0 as f64 / asked.smallest);
        if entries > MAX_ENTRIES {
            let title = format!("this cache would hold about {entries:.1e} objects");
            let error = Diagnostic::error(span, title, format!("at most {MAX_ENTRIES:.0e} fit in memory"));
            self.note(error.help("lower the capacity, or the number of objects and of their variants"));
        }
        capacity.0
    }

    fn edges(&mut self, distribution: &raw::Distribution, asked: &Asked) -> (Vec<Edge>, Vec<u16>) {
        let Some(given) = &distribution.edges else {
            let edges: Vec<Edge> = self.places.iter().map(|place| default_edge(place)).collect();
            let of_place = (0..edges.len()).map(|n| n as u16).collect();
            return (edges, of_place);
        };
        if given.is_empty() {
            self.error(given.span, "there is no edge location", "at least one, or leave `edges` out");
        }
        self.distinct(given.iter().map(|edge| &edge.place), "edge locations");
        let mut edges = Vec::new();
        let mut of_place = vec![u16::MAX; self.places.len()];
        for edge in given.iter() {
            if let Some(place) = self.places.get_index_of(edge.place.as_str()) {
                of_place[place] = edges.len() as u16;
            }
            edges.push(self.edge(edge, distribution, asked));
        }
        (edges, of_place)
    }

    fn edge(&mut self, edge: &raw::Edge, distribution: &raw::Distribution, asked: &Asked) -> Edge {
        self.label(&edge.place);
        let names = distribution.regional_edge_caches.iter().map(|regional| regional.name.as_str());
        let regional = edge.regional.as_ref().map_or(Some(0), |name| {
            let found = names.clone().position(|known| known == name.as_str());
            if found.is_none() {
                let label = crate::nearest::advice(name, names.clone());
                self.error(name.span, format!("regional edge cache `{}` does not exist", name.value), label);
            }
            found
        });
        Edge {
            name: edge.place.value.clone(),
            capacity: self.cache(edge.capacity.value, edge.capacity.span, asked),
            viewer_rtt: self.delay(&edge.viewer_rtt, "viewer_rtt"),
            regional: regional.unwrap_or(0) as u16,
            regional_rtt: self.delay(&edge.regional_rtt, "regional_rtt"),
            origin_rtt: self.delay(&edge.origin_rtt, "origin_rtt"),
        }
    }
}

/// The edge of a place that no edge was given for: the defaults of the language.
fn default_edge(place: &str) -> Edge {
    let text = format!("{{ place = {} }}", toml::Value::String(place.to_string()));
    let node = crate::tree::parse_value(&text, 0).expect("a table of one string");
    let mut decoder = crate::decode::Decoder::default();
    let edge: raw::Edge = crate::decode::Decode::decode(&node, &mut decoder).expect("defaults are right");
    Edge {
        name: place.to_string(),
        capacity: edge.capacity.value.0,
        viewer_rtt: edge.viewer_rtt.0,
        regional: 0,
        regional_rtt: edge.regional_rtt.0,
        origin_rtt: edge.origin_rtt.0,
    }
}
