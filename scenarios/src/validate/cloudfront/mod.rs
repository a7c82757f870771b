//! Distributions.

mod keys;
mod origins;
mod places;

use models::architecture::{Catalog, Run};
use models::client;
use models::cloudfront::{
    Behavior, CachePolicy, Edge, Function, Functions, Methods, Origin, Regional, Settings, ViewerProtocol,
};
use models::ids::*;
use models::request::Method;
use sim_core::SimDuration;

use super::Check;
use super::traffic::{Sources, method};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::cloudfront as raw;
use crate::tree::Span;
use crate::units::Time;
use origins::Origins;
use places::Layout;

/// Most objects that fit in one cache.
pub(super) const MAX_ENTRIES: f64 = 5e7;
pub(super) const YEARS: f64 = 10.0 * 366.0 * 86_400.0;

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
    pub(super) fn distributions(&mut self, run: &Run, asked: &Asked) -> Vec<Option<Settings>> {
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
            built.push(distribution.as_ref().map(|it| self.distribution(id, name, it, run, asked)));
        }
        built
    }

    fn distribution(
        &mut self,
        id: CloudFrontId,
        name: &Sp<String>,
        distribution: &raw::Distribution,
        run: &Run,
        asked: &Asked,
    ) -> Settings {
        let layout = match &distribution.price_class {
            Some(class) => {
                if let Some(edges) = &distribution.edges {
                    let error =
                        Diagnostic::error(edges.span, "either `edges` or `price_class`, not both", "one too many");
                    self.note(error.also(class.span, "given here"));
                }
                self.layout(class, distribution, asked)
            }
            None => self.given_layout(distribution, asked),
        };
        let mut origins = self.origins(id, distribution, &layout);
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
            behaviors.push(self.behavior(id, distribution, behavior, &pattern, &mut origins));
        }
        let default = &distribution.default_cache_behavior;
        if let Some(pattern) = &default.path_pattern {
            let title = "the default behaviour has no `path_pattern`";
            self.error(pattern.span, title, "it has all paths that no other behaviour has");
        }
        behaviors.push(self.behavior(id, distribution, default, "*", &mut origins));
        Settings {
            name: name.value.clone(),
            behaviors,
            behavior_of_path: Vec::new(),
            origins: self.with_distances(origins.all, &layout),
            edges: layout.edges,
            edge_of_place: layout.edge_of_place,
            viewer_rtts: layout.viewer_rtts,
            regionals: layout.regionals,
            error_caching_min_ttl: self.time(
                &distribution.error_caching_min_ttl,
                "error_caching_min_ttl",
                0.0,
                YEARS,
                "",
            ),
            error_pages: self.error_pages(distribution),
            invalidations: self.invalidations(distribution, run),
        }
    }

    fn given_layout(&mut self, distribution: &raw::Distribution, asked: &Asked) -> Layout {
        let regionals: Vec<Regional> =
            distribution.regional_edge_caches.iter().map(|it| self.regional(it, asked)).collect();
        if regionals.is_empty() {
            self.error(distribution.regional_edge_caches.span, "there is no regional edge cache", "at least one");
        }
        self.distinct(distribution.regional_edge_caches.iter().map(|it| &it.name), "regional edge caches");
        let (edges, edge_of_place) = self.edges(distribution, asked);
        Layout::given(edges, edge_of_place, regionals)
    }

    /// Origins with the round trips that follow from where they are.
    fn with_distances(&self, mut origins: Vec<Origin>, layout: &Layout) -> Vec<Origin> {
        for origin in origins.iter_mut().filter(|origin| origin.rtts.is_empty()) {
            origin.rtts = self.rtts_to(layout, origin.endpoint);
        }
        origins
    }

    fn behavior(
        &mut self,
        id: CloudFrontId,
        distribution: &raw::Distribution,
        behavior: &raw::Behavior,
        path_pattern: &str,
        origins: &mut Origins,
    ) -> Behavior {
        let (origin, failover) = self.target_origin(id, distribution, &behavior.target_origin, origins);
        let cache_policy = self.cache_policy(behavior);
        let allowed = self.methods(&behavior.allowed_methods, "allowed_methods", true);
        let cached = self.methods(&behavior.cached_methods, "cached_methods", false);
        if cached.has(Method::Options) && !allowed.has(Method::Options) {
            self.error(
                behavior.cached_methods.span,
                "what is not allowed is not cached",
                "add OPTIONS to allowed_methods",
            );
        }
        Behavior {
            failover,
            named_key: self.named_key(behavior),
            allowed,
            cached,
            viewer_protocol: match behavior.viewer_protocol_policy.value {
                raw::ViewerProtocolPolicy::AllowAll => ViewerProtocol::AllowAll,
                raw::ViewerProtocolPolicy::RedirectToHttps => ViewerProtocol::RedirectToHttps,
                raw::ViewerProtocolPolicy::HttpsOnly => ViewerProtocol::HttpsOnly,
            },
            collapsing: behavior.request_collapsing.value,
            compress: behavior.compress.value,
            functions: self.functions(behavior),
            ..Behavior::new(path_pattern, origin, cache_policy)
        }
    }

    /// One of the sets of methods that CloudFront knows.
    fn methods(&mut self, given: &Sp<Vec<crate::raw::traffic::Method>>, what: &str, all: bool) -> Methods {
        let set = Methods::of(&given.iter().map(|&it| method(it)).collect::<Vec<_>>());
        let with_options = Methods::of(&[Method::Get, Method::Head, Method::Options]);
        if set != Methods::get_and_head() && set != with_options && (!all || set != Methods::all()) {
            let mut sets = vec!["[\"GET\", \"HEAD\"]", "[\"GET\", \"HEAD\", \"OPTIONS\"]"];
            if all {
                sets.push("[\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]");
            }
            self.error(
                given.span,
                format!("CloudFront knows no such set of {what}"),
                format!("one of {}", sets.join(", ")),
            );
        }
        set
    }

    fn functions(&mut self, behavior: &raw::Behavior) -> Functions {
        let mut functions = Functions::default();
        let kinds = [(&behavior.function_associations, false), (&behavior.lambda_function_associations, true)];
        for (associations, lambda) in kinds {
            for association in associations.iter() {
                let event = association.event_type.value;
                let at_origin = matches!(event, raw::EventType::OriginRequest | raw::EventType::OriginResponse);
                if at_origin && !lambda {
                    let label = "CloudFront Functions have viewer-request and viewer-response";
                    self.error(association.event_type.span, "only Lambda@Edge runs at the origin's side", label);
                }
                let limit = SimDuration::from_secs(if at_origin { 30 } else { 5 });
                let function = Function {
                    time: association.time.0.clone(),
                    limit: if lambda { limit } else { SimDuration::MAX },
                    error_rate: self.share(&association.error_rate, "error_rate"),
                };
                let place = match event {
                    raw::EventType::ViewerRequest => &mut functions.viewer_request,
                    raw::EventType::ViewerResponse => &mut functions.viewer_response,
                    raw::EventType::OriginRequest => &mut functions.origin_request,
                    raw::EventType::OriginResponse => &mut functions.origin_response,
                };
                if place.replace(function).is_some() {
                    self.error(
                        association.span,
                        "there are two functions for this event",
                        "at most one, of either kind",
                    );
                }
            }
        }
        functions
    }

    fn cache_policy(&mut self, behavior: &raw::Behavior) -> CachePolicy {
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
        let signed = self.has_signed_parameters();
        CachePolicy {
            min_ttl,
            default_ttl,
            max_ttl,
            query_strings: all(&behavior.query_string_behavior) && !signed,
            cookies: all(&behavior.cookie_behavior),
            headers: all(&behavior.header_behavior),
        }
    }

    /// Warns of routes whose method their behaviour refuses.
    pub(super) fn refused_methods(&mut self, sources: &Sources, distributions: &[Option<Settings>]) {
        for source in &sources.settings {
            for (n, distribution) in distributions.iter().enumerate() {
                let (Some(it), id) = (distribution, Endpoint::CloudFront(CloudFrontId(n as u16))) else { continue };
                if source.to != id && !self.references.contains_key(&(Some(source.to), id)) {
                    continue;
                }
                for route in &source.routes {
                    let behavior = it.behavior_of_path.get(route.path.index()).copied().unwrap_or_default();
                    let Some(behavior) = it.behaviors.get(usize::from(behavior)) else { continue };
                    if !behavior.allowed.has(route.method) {
                        let span = sources.route_spans.get(route.id.index()).copied().unwrap_or(Span::NOWHERE);
                        let text = format!(
                            "cloudfront.{} answers this method 403: its behaviour `{}` lacks it in allowed_methods",
                            it.name, behavior.path_pattern
                        );
                        self.warnings.push((span, text));
                    }
                }
            }
        }
    }

    fn regional(&mut self, regional: &raw::Regional, asked: &Asked) -> Regional {
        self.plain_name(&regional.name);
        Regional {
            name: regional.name.value.clone(),
            capacity: self.cache(regional.capacity.0, regional.capacity.span, asked),
            origin_rtt: self.delay(&regional.origin_rtt, "origin_rtt"),
        }
    }

    fn cache(&mut self, capacity: u64, span: Span, asked: &Asked) -> u64 {
        let entries = asked.keys.min(capacity as f64 / asked.smallest);
        if entries > MAX_ENTRIES {
            let title = format!("this cache would hold about {entries:.1e} objects");
            let error = Diagnostic::error(span, title, format!("at most {MAX_ENTRIES:.0e} fit in memory"));
            self.note(error.help("lower the capacity, or the number of objects and of their variants"));
        }
        capacity
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
            capacity: self.cache(edge.capacity.0, edge.capacity.span, asked),
            viewer_rtt: self.delay(&edge.viewer_rtt, "viewer_rtt"),
            regional: regional.unwrap_or(0) as u16,
            regional_rtt: self.delay(&edge.regional_rtt, "regional_rtt"),
            origin_rtt: self.delay(&edge.origin_rtt, "origin_rtt"),
        }
    }
}

/// The edge of a place that no edge was given for: the defaults of the language.
fn default_edge(place: &str) -> Edge {
    let edge: raw::Edge = defaults("place", place);
    Edge {
        name: place.to_string(),
        capacity: edge.capacity.value.0,
        viewer_rtt: edge.viewer_rtt.0,
        regional: 0,
        regional_rtt: edge.regional_rtt.0,
        origin_rtt: edge.origin_rtt.0,
    }
}

/// The same of a regional edge cache.
fn default_regional(name: &str) -> Regional {
    let regional: raw::Regional = defaults("name", name);
    Regional { name: name.to_string(), capacity: regional.capacity.0, origin_rtt: regional.origin_rtt.0 }
}

/// A table with nothing but its name.
fn defaults<T: crate::decode::Decode>(key: &str, name: &str) -> T {
    let text = format!("{{ {key} = {} }}", toml::Value::String(name.to_string()));
    let node = crate::tree::parse_value(&text, 0).expect("a table of one string");
    T::decode(&node, &mut crate::decode::Decoder::default()).expect("defaults are right")
}
