//! CloudFront: behaviours, edge locations, regional caches, Origin Shield, TTLs, cache keys, request collapsing, origins and their
//! failover, functions at the edge, invalidations.
//!
//! ```text
//! viewer --viewer_rtt--> edge --regional_rtt--> regional cache [--> Origin Shield] --origin_rtt--> origin     (cached methods)
//!                          \--------------------------origin_rtt---------------------------------> origin     (everything else)
//! ```
//! All caches are one kind of thing: a request that finds nothing waits there for whoever fetches the same, or is passed on to the cache
//! behind, or to the origin. An answer is kept at each cache on its way back. Its age counts from when the cache next to the origin had it,
//! so that an edge's copy expires with the regional one. An expired copy is asked about anew, which takes the whole trip; if the origin
//! fails then, the stale copy is served.
//!
//! What a cache must remember of a request it sent on stands in the request's frame ([`Trip`]), so that it comes back with the
//! answer even where that is carried by a copy.

mod invalidation;
mod layer;
mod origin;
mod popular;
mod settings;
mod tally;
#[cfg(test)]
mod tests;
mod ttl;
mod usage;

use std::sync::Arc;

use sim_core::math::mix;
use sim_core::observations::LogKind;
use sim_core::random::{Draws, Source as _};
use sim_core::{SimDuration, SimTime};

use crate::architecture::{Architecture, CacheHeaders};
use crate::ids::*;
use crate::request::*;
use crate::world::{self, Cx};
use layer::{Answer, Found, Grace, Layer, Settled, Stamps};
use origin::{OriginState, Pools};
pub use settings::{
    Behavior, CachePolicy, Digit, Edge, ErrorPage, Failover, Function, Functions, Invalidation, Methods, Origin,
    Regional, RouteKey, Settings, Shield, ViewerProtocol,
};
use tally::{Books, Source, Tally};
use ttl::VariantKey;
pub use ttl::{Ttl, ttl};

/// What happens inside a distribution.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request has been redirected, and the function before the edge's cache is done with it.
    AtEdge(RequestKey),
    /// A request arrives at a cache that another cache passed it on to.
    AtCache(RequestKey, u16),
    /// The function before the origin is done with a request, and there is a connection.
    Send(RequestKey),
    /// A connection was not answered in time.
    ConnectionTimeout(RequestKey),
    /// The origin has had its time for a request, the so manieth time that it was sent.
    OriginTimeout(RequestKey, u8),
    /// The function behind the origin is done with an answer.
    FromOrigin(RequestKey),
    /// The function before the viewer is done with an answer.
    ToViewer(RequestKey),
    /// An invalidation is created.
    Invalidate(u16),
    /// An invalidation (number, cache) reaches a cache.
    InvalidationArrives(u16, u16),
}

/// Bits of [`Request::state`] on the way from a cache to the next: it goes on by itself, whoever else fetches the same. On the way back
/// the state is the [`Source`], and [`Request::joined`] is [`Answer::fresh_until`].
const ALONE: u32 = 1;
/// See [`ALONE`]: no viewer waits for it.
const BACKGROUND: u32 = 2;

/// Bounds of compression: objects of 1,000 to 10,000,000 bytes (CloudFront developer guide, "Serving compressed files").
const COMPRESSED_BYTES: std::ops::RangeInclusive<u32> = 1_000..=10_000_000;

/// Errors that are kept whatever the origin says, and those that are kept if it sends Cache-Control with them.
/// Source: CloudFront developer guide, "How CloudFront caches HTTP 4xx and 5xx status codes from your origin".
const CACHED_ERRORS: [u16; 7] = [404, 414, 500, 501, 502, 503, 504];
/// See [`CACHED_ERRORS`].
const CACHED_ERRORS_IF_TOLD: [u16; 5] = [400, 403, 405, 412, 415];

/// A behaviour at work.
#[derive(Debug)]
struct BehaviorState {
    settings: Behavior,
    caches: bool,
    key: VariantKey,
    /// Whether something can happen to a request before the edge looks at it.
    delays: bool,
    tally: Tally,
    /// What it was when counting started, and at the end of the last bin of the figures.
    at_warm_up: Tally,
    at_bin: Tally,
    figure: Option<crate::observer::FigureId>,
}

/// A cache at work: an edge location or a regional one.
#[derive(Debug)]
struct Cache {
    name: String,
    layer: Layer,
    /// For an edge: its regional cache, and one way there.
    regional: Option<(u16, Hop)>,
    /// One way to each origin.
    to_origins: Vec<Hop>,
    /// One way to each origin's shield.
    to_shields: Vec<Hop>,
    /// What a new connection to each origin costs.
    handshakes: Vec<SimDuration>,
    connections: Pools,
}

/// A distribution with its caches, which are empty at the start.
#[derive(Debug)]
pub struct CloudFront {
    id: CloudFrontId,
    name: String,
    behaviors: Vec<BehaviorState>,
    behavior_of_path: Vec<u16>,
    /// Edge locations, then regional caches.
    caches: Vec<Cache>,
    edges: u16,
    edge_of_place: Vec<u16>,
    /// By place.
    viewer_rtts: Vec<SimDuration>,
    origins: Vec<OriginState>,
    catalogs: Vec<CatalogHeaders>,
    error_ttl: SimDuration,
    error_pages: Vec<ErrorPage>,
    invalidations: Vec<Arc<Invalidation>>,
    invalidation_key: u64,
    /// Share of each source's viewers that come without TLS.
    http_shares: Vec<f64>,
    came: Stamps,
    books: Books,
}

/// What an origin sends with the objects of a catalogue.
#[derive(Clone, Copy, Debug)]
struct CatalogHeaders {
    headers: CacheHeaders,
    error_max_age: Option<SimDuration>,
    compressed: Option<f64>,
}

impl CatalogHeaders {
    const NONE: Self = Self { headers: CacheHeaders::NONE, error_max_age: None, compressed: None };
}

impl CloudFront {
    /// Builds it.
    #[must_use]
    pub fn new(id: CloudFrontId, settings: &Settings, architecture: &Architecture, cx: &mut Cx<'_>) -> Self {
        let name = format!("cloudfront.{}", settings.name);
        let origins: Vec<OriginState> = settings.origins.iter().map(|origin| OriginState::new(origin, cx)).collect();
        let catalogs = architecture.catalogs.iter().map(|catalog| CatalogHeaders {
            headers: catalog.headers,
            error_max_age: catalog.error_max_age,
            compressed: catalog.compressed,
        });
        let http_shares: Vec<f64> = architecture.traffic.iter().map(|source| source.http_share).collect();
        let plain_http = http_shares.iter().any(|&share| share > 0.0);
        let many = settings.behaviors.len() > 1;
        let books = Books::new(&name, settings.edges.len(), architecture, cx);
        Self {
            id,
            behaviors: settings
                .behaviors
                .iter()
                .map(|behavior| BehaviorState::new(behavior, plain_http, &name, many, cx))
                .collect(),
            behavior_of_path: settings.behavior_of_path.clone(),
            caches: caches(settings, cx),
            edges: settings.edges.len() as u16,
            edge_of_place: edge_of_place(settings),
            viewer_rtts: (0..settings.edge_of_place.len().max(1))
                .map(|place| settings.viewer_rtt(PlaceId(place as u16)).unwrap_or(SimDuration::ZERO))
                .collect(),
            origins,
            catalogs: catalogs.collect(),
            error_ttl: settings.error_caching_min_ttl,
            error_pages: settings.error_pages.clone(),
            invalidations: settings.invalidations.iter().cloned().map(Arc::new).collect(),
            invalidation_key: cx.shared.streams.key(&name, "invalidations"),
            http_shares,
            came: Stamps::default(),
            books,
            name,
        }
    }

    /// Schedules its invalidations.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for (number, invalidation) in self.invalidations.iter().enumerate() {
            cx.kernel.schedule_at(invalidation.at, self.event(Event::Invalidate(number as u16)));
        }
    }

    /// A request arrives at its edge.
    #[inline(never)]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.books.requests += 1;
        let request = cx.request(key);
        let behavior = self.behavior_of(request);
        if self.behaviors[behavior].delays {
            self.before_edge(key, behavior, cx);
        } else {
            self.at_edge(key, behavior, cx);
        }
    }

    /// A web ACL has blocked a request before the distribution looked at it.
    pub fn turn_away(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        self.books.requests += 1;
        let behavior = self.behavior_of(cx.request(key));
        self.answer(key, behavior, Answer::new(Answer::NOT_REUSED, 0, outcome), Source::Refused, cx);
    }

    /// A request comes back to a cache that sent it on; its frame has been taken off.
    #[inline(never)]
    pub fn on_reply(&mut self, key: RequestKey, cache: u16, trip: Trip, cx: &mut Cx<'_>) {
        // The original of a request whose timeout was answered for it ends here.
        if cx.request(key).depth() == 0 && !trip.background {
            cx.shared.requests.remove(key);
        } else if trip.stage == Stage::ToCache {
            self.back_from_cache(key, cache, trip, cx);
        } else {
            self.heard_from_origin(key, cache, trip, cx);
        }
    }

    /// Handles one of its events.
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::AtEdge(key) => {
                self.books.before_edge -= 1;
                let behavior = self.behavior_of(cx.request(key));
                self.at_edge(key, behavior, cx);
            }
            Event::AtCache(key, cache) => self.at_cache(key, cache, cx),
            Event::Send(key) => self.send(key, cx),
            Event::ConnectionTimeout(key) => self.connection_timeout(key, cx),
            Event::OriginTimeout(key, serial) => self.origin_timeout(key, serial, cx),
            Event::FromOrigin(key) => self.function_done(key, cx),
            Event::ToViewer(key) => self.return_to_viewer(key, cx),
            Event::Invalidate(number) => self.invalidate(number, cx),
            Event::InvalidationArrives(number, cache) => {
                let invalidation = &self.invalidations[usize::from(number)];
                self.caches[usize::from(cache)].layer.applied.add(invalidation);
            }
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::CloudFront(self.id, event)
    }

    fn behavior_of(&self, request: &Request) -> usize {
        usize::from(self.behavior_of_path[request.path.index()])
    }

    fn edge_of(&self, request: &Request) -> u16 {
        self.edge_of_place[request.place.index()]
    }

    fn headers_of(&self, request: &Request) -> &CatalogHeaders {
        self.catalogs.get(usize::from(request.catalog)).unwrap_or(&CatalogHeaders::NONE)
    }

    /// The key a request's answer is kept under; `None` if it is not.
    #[inline]
    fn cache_key(&self, behavior: usize, request: &Request) -> Option<u64> {
        let behavior = &self.behaviors[behavior];
        (behavior.caches && behavior.settings.cached.has(request.method))
            .then(|| ttl::cache_key(request, &behavior.key))
    }

    /// What takes time before the edge looks at a request: a redirect to HTTPS and the second request it causes, and a function.
    fn before_edge(&mut self, key: RequestKey, behavior: usize, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let settings = &self.behaviors[behavior].settings;
        let http = self.comes_without_tls(request);
        if http && settings.viewer_protocol == ViewerProtocol::HttpsOnly {
            let refused = Answer::new(Answer::NOT_REUSED, 0, Outcome::failed(403, Cause::CloudFrontForbidden));
            return self.answer(key, behavior, refused, Source::Refused, cx);
        }
        let mut delay = SimDuration::ZERO;
        if http && settings.viewer_protocol == ViewerProtocol::RedirectToHttps {
            self.books.redirects += 1;
            delay = self.viewer_rtts[request.place.index()];
        }
        if let Some(function) = &settings.functions.viewer_request {
            delay += function.time_of(request, purpose::VIEWER_REQUEST).0;
        }
        self.books.before_edge += 1;
        cx.kernel.schedule_in(delay, self.event(Event::AtEdge(key)));
    }

    fn comes_without_tls(&self, request: &Request) -> bool {
        let share = self.http_shares.get(request.traffic.index()).copied().unwrap_or(0.0);
        share > 0.0 && request.draws(purpose::SCHEME).uniform() < share
    }

    #[inline]
    fn at_edge(&mut self, key: RequestKey, behavior: usize, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let settings = &self.behaviors[behavior].settings;
        let failed = |status, cause| Answer::new(Answer::NOT_REUSED, 0, Outcome::failed(status, cause));
        if !settings.allowed.has(request.method) {
            let refused = failed(403, Cause::CloudFrontForbidden);
            return self.answer(key, behavior, refused, Source::Refused, cx);
        }
        if let Some(function) = &settings.functions.viewer_request
            && function.time_of(request, purpose::VIEWER_REQUEST).1
        {
            return self.answer(key, behavior, failed(503, Cause::EdgeFunction), Source::Refused, cx);
        }
        let edge = self.edge_of(request);
        if self.cache_key(behavior, request).is_some() {
            request.state = 0;
            return self.at_cache(key, edge, cx);
        }
        // "Dynamic requests, and the methods PUT, POST, PATCH, OPTIONS and DELETE, go directly to the origin" (CloudFront developer
        // guide, "How CloudFront delivers content").
        let now = cx.now();
        self.came.put(key.slot(), cx.request(key), now);
        self.books.beyond_edge += 1;
        self.ask_origin(key, edge, Trip::default(), cx);
    }

    /// A request looks for a copy at a cache.
    fn at_cache(&mut self, key: RequestKey, cache: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let behavior = self.behavior_of(request);
        let Some(cache_key) = self.cache_key(behavior, request) else {
            unreachable!("only what may be cached asks a cache");
        };
        let while_revalidating = match request.catalog {
            Request::NO_CATALOG => SimDuration::ZERO,
            _ => self.headers_of(request).headers.stale_while_revalidate,
        };
        let layer = &mut self.caches[usize::from(cache)].layer;
        match layer.find(cache_key, request, while_revalidating, now) {
            Found::Fresh(copy) => {
                let source = self.source_of_copy(cache);
                self.give(key, cache, copy, source, cx);
            }
            Found::Revalidating(copy) if request.state & BACKGROUND == 0 => {
                if !layer.flights.has(cache_key) {
                    self.revalidate(key, cache, cache_key, cx);
                }
                self.give(key, cache, copy, Source::Revalidating, cx);
            }
            Found::Revalidating(_) | Found::Nothing => self.fetch(key, cache, cache_key, behavior, cx),
        }
    }

    fn is_edge(&self, cache: u16) -> bool {
        cache < self.edges
    }

    fn source_of_copy(&self, cache: u16) -> Source {
        if self.is_edge(cache) { Source::Edge } else { Source::Regional }
    }

    /// Not in the cache: waits for whoever fetches the same, or fetches.
    fn fetch(&mut self, key: RequestKey, cache: u16, cache_key: u64, behavior: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        let collapsing = self.behaviors[behavior].settings.collapsing;
        let alone = !collapsing || cx.request(key).state & ALONE != 0;
        let layer = &mut self.caches[usize::from(cache)].layer;
        if !alone && layer.flights.wait(cache_key, key, &mut cx.shared.requests) {
            layer.collapsed += 1;
            cx.request(key).joined = now;
            return;
        }
        if !alone {
            layer.flights.open(cache_key);
        }
        if self.is_edge(cache) {
            self.came.put(key.slot(), cx.request(key), now);
            self.books.beyond_edge += 1;
        }
        self.pass_on(key, cache, Trip { leads: !alone, ..Trip::default() }, cx);
    }

    /// Fetches in the background what a stale copy stands in for meanwhile.
    fn revalidate(&mut self, key: RequestKey, cache: u16, cache_key: u64, cx: &mut Cx<'_>) {
        self.caches[usize::from(cache)].layer.flights.open(cache_key);
        let mut fetch = cx.request(key).without_frames();
        fetch.stream = mix(fetch.stream, purpose::REVALIDATION);
        fetch.state = BACKGROUND;
        self.books.revalidations += 1;
        let key = cx.shared.requests.insert(fetch);
        self.pass_on(key, cache, Trip { leads: true, background: true, ..Trip::default() }, cx);
    }

    /// To the cache behind, or to the origin.
    fn pass_on(&mut self, key: RequestKey, cache: u16, trip: Trip, cx: &mut Cx<'_>) {
        let behavior = self.behavior_of(cx.request(key));
        let Some((next, hop)) = self.behind(cache, behavior) else {
            return self.ask_origin(key, cache, trip, cx);
        };
        let request = cx.request(key);
        request.push(Holder::Cache(self.id, cache, trip), hop);
        request.state = request.state & BACKGROUND | if trip.leads { 0 } else { ALONE };
        match hop.lane() {
            None => self.at_cache(key, next, cx),
            Some(lane) => cx.kernel.schedule_lane(lane, self.event(Event::AtCache(key, next))),
        }
    }

    /// The cache that a cache asks: an edge its regional cache, that the origin's shield, the shield nobody.
    fn behind(&self, cache: u16, behavior: usize) -> Option<(u16, Hop)> {
        let here = &self.caches[usize::from(cache)];
        if here.regional.is_some() {
            return here.regional;
        }
        let origin = usize::from(self.behaviors[behavior].settings.origin);
        let shield = self.edges + self.origins[origin].settings.shield.as_ref()?.regional;
        (shield != cache).then(|| (shield, here.to_shields[origin]))
    }

    /// A cache has an answer for a request: a viewer gets it, or the cache in front.
    fn give(&mut self, key: RequestKey, cache: u16, answer: Answer, source: Source, cx: &mut Cx<'_>) {
        if self.is_edge(cache) {
            let behavior = self.behavior_of(cx.request(key));
            return self.answer(key, behavior, answer, source, cx);
        }
        let request = cx.request(key);
        request.joined = answer.fresh_until;
        request.state = source as u32;
        give(request, answer);
        cx.reply(key, answer.outcome);
    }

    /// The answer of the cache behind has come back to a cache.
    fn back_from_cache(&mut self, key: RequestKey, cache: u16, trip: Trip, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let source = Source::ALL[request.state as usize];
        let bytes = if request.outcome.is_ok() { request.bytes } else { 0 };
        let answer = Answer::new(request.joined, bytes, request.outcome);
        self.settle(key, cache, trip, answer, source, cx);
    }

    /// An answer is at a cache that waited for it: it is kept and handed on, to those too that waited with it.
    fn settle(&mut self, key: RequestKey, cache: u16, trip: Trip, answer: Answer, source: Source, cx: &mut Cx<'_>) {
        let now = cx.now();
        let edge = self.is_edge(cache);
        if edge && !trip.background {
            self.books.beyond_edge -= 1;
        }
        let request = cx.request(key);
        let behavior = self.behavior_of(request);
        let came = if edge { self.came.get(key.slot(), request) } else { None };
        let Some(cache_key) = self.cache_key(behavior, request) else {
            self.books.served_by_origin(came, now);
            return self.answer(key, behavior, answer, Source::Uncached, cx);
        };
        let grace = self.grace(request, answer.outcome.status);
        let layer = &mut self.caches[usize::from(cache)].layer;
        let (answer, settled) = layer.settle(cache_key, request, answer, grace, now);
        let waiting = if trip.leads { layer.flights.close(cache_key) } else { None };
        let source = match (source, settled) {
            (_, Settled::Stale) => Source::Stale,
            (Source::Origin, Settled::Renewed) => Source::Refresh,
            (source, _) => source,
        };
        if edge && matches!(source, Source::Origin | Source::Refresh) {
            self.books.served_by_origin(came, now);
        }
        if trip.background {
            cx.shared.requests.remove(key);
        } else {
            self.give(key, cache, answer, source, cx);
        }
        let to_others = if edge { Source::Collapsed } else { Source::Regional };
        for_each_waiting(waiting, cx, |waiter, cx| {
            if answer.is_fresh(now) {
                self.give(waiter, cache, answer, to_others, cx);
            } else {
                self.ask_alone(waiter, cache, cx);
            }
        });
    }

    /// What others got is not to be given to this one: it asks for itself, having waited for nothing.
    fn ask_alone(&mut self, key: RequestKey, cache: u16, cx: &mut Cx<'_>) {
        if self.is_edge(cache) {
            let request = cx.request(key);
            let came = request.joined;
            self.came.put(key.slot(), request, came);
            self.books.beyond_edge += 1;
        }
        self.pass_on(key, cache, Trip::default(), cx);
    }

    fn grace(&self, request: &Request, status: u16) -> Grace {
        let headers = &self.headers_of(request).headers;
        Grace { if_error: headers.stale_if_error, retry_after: self.error_ttl_of(status) }
    }

    fn error_page(&self, status: u16) -> Option<&ErrorPage> {
        self.error_pages.iter().find(|page| page.error_code == status)
    }

    fn error_ttl_of(&self, status: u16) -> SimDuration {
        self.error_page(status).map_or(self.error_ttl, |page| page.caching_min_ttl)
    }

    /// Answers a viewer.
    #[inline]
    fn answer(&mut self, key: RequestKey, behavior: usize, answer: Answer, source: Source, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let mut answer = answer;
        if !answer.outcome.is_ok() {
            answer = self.with_error_page(answer);
        } else if let Some(function) = &self.behaviors[behavior].settings.functions.viewer_response {
            let (time, failed) = function.time_of(request, purpose::VIEWER_RESPONSE);
            if failed {
                answer = Answer::new(Answer::NOT_REUSED, 0, Outcome::failed(503, Cause::EdgeFunction));
            }
            let edge = self.edge_of_place[request.place.index()];
            self.books.answered(request, edge, answer, source);
            self.behaviors[behavior].tally.count(answer, source);
            self.books.after_edge += 1;
            give(request, answer);
            request.outcome = answer.outcome;
            return cx.kernel.schedule_in(time, self.event(Event::ToViewer(key)));
        }
        let edge = self.edge_of_place[request.place.index()];
        self.books.answered(request, edge, answer, source);
        self.behaviors[behavior].tally.count(answer, source);
        give(request, answer);
        cx.reply(key, answer.outcome);
    }

    fn return_to_viewer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.books.after_edge -= 1;
        let outcome = cx.request(key).outcome;
        cx.reply(key, outcome);
    }

    /// A custom error response in place of an error. An error of the viewer's own making that is answered as good is good (a single-page
    /// application's 404); a failure of the origin stays a failure, however friendly its page.
    fn with_error_page(&self, answer: Answer) -> Answer {
        let Some((page, bytes)) = self.error_page(answer.outcome.status).and_then(|page| Some((page, page.bytes?)))
        else {
            return answer;
        };
        let good = page.response_code < 400 && answer.outcome.status < 500;
        let cause = if good { Cause::None } else { answer.outcome.cause };
        Answer::new(answer.fresh_until, bytes, Outcome { status: page.response_code, cause })
    }

    /// An invalidation begins. AWS says nothing of how long it takes or of the order (assumption A5): every cache has it at a random instant,
    /// shields in the first third of the time, other regional caches in the second, edge locations in the last, so that none fetches an old
    /// copy once more from a cache behind it.
    fn invalidate(&mut self, number: u16, cx: &mut Cx<'_>) {
        let invalidation = Arc::clone(&self.invalidations[usize::from(number)]);
        let until = cx.now() + invalidation.takes;
        let what = format!("invalidation of {}", invalidation.paths.join(", "));
        cx.shared.observer.log_span(cx.kernel.now(), Some(until), LogKind::Deployment, &self.name, what.as_str());
        self.books.invalidations += 1;
        let mut draws = Draws::new(self.invalidation_key, number.into());
        for cache in 0..self.caches.len() as u16 {
            let third = if self.is_edge(cache) { 2.0 } else { f64::from(u8::from(!self.is_shield(cache))) };
            let after = invalidation.takes.scale((third + draws.uniform()) / 3.0);
            cx.kernel.schedule_in(after, self.event(Event::InvalidationArrives(number, cache)));
        }
    }

    fn is_shield(&self, cache: u16) -> bool {
        let shields = self.origins.iter().filter_map(|origin| origin.settings.shield.as_ref());
        shields.map(|shield| self.edges + shield.regional).any(|shield| shield == cache)
    }
}

impl BehaviorState {
    fn new(settings: &Behavior, plain_http: bool, distribution: &str, many: bool, cx: &mut Cx<'_>) -> Self {
        let policy = &settings.cache_policy;
        let mask = policy.variant_mask();
        let key = match settings.named_key.is_empty() {
            true => VariantKey::Mask(mask),
            false => VariantKey::Named(settings.named_key.clone(), mask),
        };
        let redirects = plain_http && settings.viewer_protocol != ViewerProtocol::AllowAll;
        let figure = policy.caches().then(|| {
            let name = if many { format!("{distribution} {}", settings.path_pattern) } else { distribution.to_owned() };
            cx.shared.observer.figures.register(sim_core::observations::SeriesGroup::CacheHits, name, "share")
        });
        Self {
            caches: policy.caches(),
            key,
            delays: redirects || settings.functions.viewer_request.is_some(),
            settings: settings.clone(),
            tally: Tally::default(),
            at_warm_up: Tally::default(),
            at_bin: Tally::default(),
            figure,
        }
    }
}

impl Function {
    /// How long it takes for a request, and whether it fails.
    fn time_of(&self, request: &Request, purpose: u64) -> (SimDuration, bool) {
        let mut draws = request.draws(purpose);
        let time = self.time.sample_duration(&mut draws);
        (time.min(self.limit), time > self.limit || draws.uniform() < self.error_rate)
    }
}

fn half(rtt: SimDuration) -> SimDuration {
    SimDuration::from_nanos(rtt.as_nanos() / 2)
}

/// Edge locations, then regional caches.
fn caches(settings: &Settings, cx: &mut Cx<'_>) -> Vec<Cache> {
    let edges = settings.edges.len();
    let cache = |number: usize, name: &str, capacity: u64, own_rtt: SimDuration, cx: &mut Cx<'_>| {
        let rtts = settings.origins.iter().map(|origin| origin.rtts.get(number).copied().unwrap_or(own_rtt));
        let shield_rtt = |origin: &Origin| {
            let shield = origin.shield.as_ref().zip(number.checked_sub(edges));
            shield.and_then(|(shield, regional)| shield.rtts.get(regional).copied()).unwrap_or(SimDuration::ZERO)
        };
        let handshake = |(origin, rtt): (&Origin, SimDuration)| rtt.times(origin.handshake_round_trips.into());
        Cache {
            name: name.to_owned(),
            layer: Layer::new(capacity),
            regional: None,
            to_origins: rtts.clone().map(|rtt| cx.hop(half(rtt))).collect(),
            to_shields: settings.origins.iter().map(|origin| cx.hop(half(shield_rtt(origin)))).collect(),
            handshakes: settings.origins.iter().zip(rtts).map(handshake).collect(),
            connections: Pools::new(settings.origins.len()),
        }
    };
    let mut caches: Vec<Cache> = Vec::new();
    for (number, edge) in settings.edges.iter().enumerate() {
        let there = cx.hop(half(edge.regional_rtt));
        caches.push(Cache {
            regional: Some((edges as u16 + edge.regional, there)),
            ..cache(number, &edge.name, edge.capacity, edge.origin_rtt, cx)
        });
    }
    for (number, regional) in settings.regionals.iter().enumerate() {
        caches.push(cache(edges + number, &regional.name, regional.capacity, regional.origin_rtt, cx));
    }
    caches
}

/// Which edge each place goes to. Places whose viewers never come here may have none, but a health check asks from place 0
/// whoever is there: it goes to the first edge then.
fn edge_of_place(settings: &Settings) -> Vec<u16> {
    let there_is = |edge: u16| usize::from(edge) < settings.edges.len();
    let mut edges: Vec<u16> =
        settings.edge_of_place.iter().map(|&edge| if there_is(edge) { edge } else { 0 }).collect();
    edges.resize(edges.len().max(1), 0);
    edges
}

/// The body of an answer. A failure has none, but then the request keeps the size of what it asks for: its retry does too.
#[inline]
fn give(request: &mut Request, answer: Answer) {
    if answer.outcome.is_ok() {
        request.bytes = answer.bytes;
    }
}

/// Visits the requests that waited for a fetch, in the order in which they came.
fn for_each_waiting(first: Option<RequestKey>, cx: &mut Cx<'_>, mut visit: impl FnMut(RequestKey, &mut Cx<'_>)) {
    let mut next = first.unwrap_or(RequestKey::NONE);
    while next != RequestKey::NONE {
        let waiter = next;
        next = std::mem::replace(&mut cx.request(waiter).next, RequestKey::NONE);
        visit(waiter, cx);
    }
}

/// When a copy ends that is fresh for so long.
fn until(now: SimTime, ttl: Ttl) -> SimTime {
    match ttl {
        Ttl::Fresh(span) => now + span,
        Ttl::NotReused => Answer::NOT_REUSED,
    }
}
