//! CloudFront: behaviours, edge locations, regional caches, TTLs, cache keys, request collapsing.
//!
//! ```text
//! viewer --viewer_rtt--> edge --regional_rtt--> regional cache --origin_rtt--> origin      (GET, HEAD of cached behaviours)
//!                          \-------------------origin_rtt---------------------> origin      (everything else)
//! ```
//! An answer is kept at each cache on its way back. Its age counts from when the regional cache had it from the origin, so
//! that an edge's copy expires with the regional one. A request for which a fetch is under way waits for it, at the edge and
//! again at the regional cache. An expired copy is asked about anew, which takes the whole trip; if the origin fails then, the
//! stale copy is served.
//!
//! A request that the origin leaves unanswered is abandoned to it after the read timeout, and a copy of it carries the 504 back
//! (see [`Request::detach_at`]).

mod flights;
mod layer;
mod settings;
mod tally;
#[cfg(test)]
mod tests;
mod ttl;

use sim_core::{LaneId, SimDuration};

use crate::architecture::{CacheControl, Catalog};
use crate::ids::*;
use crate::request::*;
use crate::world::{self, Cx};
use layer::{Answer, Layer, Settled, Stamps};
pub use settings::{Behavior, CachePolicy, Edge, Regional, Settings};
use tally::{Books, Source, Tally};
pub use ttl::{Ttl, ttl};

/// What happens inside a distribution.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request arrives at the regional cache of its edge.
    AtRegional(RequestKey),
    /// The origin has had its time for a request.
    OriginTimeout(RequestKey),
}

/// In [`Request::state`] between edge and regional cache: it goes to the origin by itself, whoever else fetches the same.
/// On the way back the state is the [`Source`], and [`Request::joined`] is [`Answer::fresh_until`].
const ALONE: u32 = u32::MAX;

/// A behaviour at work.
#[derive(Debug)]
struct BehaviorState {
    path_pattern: String,
    origin: Endpoint,
    policy: CachePolicy,
    caches: bool,
    variant_mask: u64,
    tally: Tally,
    /// What it was when counting started.
    at_warm_up: Tally,
}

/// An edge location at work.
#[derive(Debug)]
struct EdgeState {
    layer: Layer,
    regional: usize,
    /// One way to the regional cache, and to the origin.
    to_regional: Hop,
    to_origin: Hop,
}

/// A regional cache at work.
#[derive(Debug)]
struct RegionalState {
    layer: Layer,
    to_origin: Hop,
}

/// A distribution with its caches, which are empty at the start.
#[derive(Debug)]
pub struct CloudFront {
    id: CloudFrontId,
    name: String,
    behaviors: Vec<BehaviorState>,
    behavior_of_path: Vec<u16>,
    edges: Vec<EdgeState>,
    edge_of_place: Vec<u16>,
    regionals: Vec<RegionalState>,
    /// By catalogue.
    cache_control: Vec<CacheControl>,
    error_ttl: SimDuration,
    read_timeout: LaneId,
    came: Stamps,
    books: Books,
}

impl CloudFront {
    /// Builds it.
    #[must_use]
    pub fn new(id: CloudFrontId, settings: &Settings, catalogs: &[Catalog], cx: &mut Cx<'_>) -> Self {
        let half = |rtt: SimDuration| SimDuration::from_nanos(rtt.as_nanos() / 2);
        let name = format!("cloudfront.{}", settings.name);
        Self {
            id,
            behaviors: settings.behaviors.iter().map(BehaviorState::new).collect(),
            behavior_of_path: settings.behavior_of_path.clone(),
            edges: settings
                .edges
                .iter()
                .map(|edge| EdgeState {
                    layer: Layer::new(edge.capacity),
                    regional: usize::from(edge.regional),
                    to_regional: cx.hop(half(edge.regional_rtt)),
                    to_origin: cx.hop(half(edge.origin_rtt)),
                })
                .collect(),
            edge_of_place: edge_of_place(settings),
            regionals: settings
                .regionals
                .iter()
                .map(|regional| RegionalState {
                    layer: Layer::new(regional.capacity),
                    to_origin: cx.hop(half(regional.origin_rtt)),
                })
                .collect(),
            cache_control: catalogs.iter().map(|catalog| catalog.cache_control).collect(),
            error_ttl: settings.error_caching_min_ttl,
            read_timeout: cx.kernel.lane(settings.origin_read_timeout),
            came: Stamps::default(),
            books: Books::new(&name, cx),
            name,
        }
    }

    /// A request arrives at its edge.
    #[inline]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.books.requests += 1;
        let now = cx.now();
        let request = cx.request(key);
        let edge = usize::from(self.edge_of_place[request.place.index()]);
        let behavior = usize::from(self.behavior_of_path[request.path.index()]);
        let Some(cache_key) = self.cache_key(behavior, request) else {
            self.came.put(key.slot, request, now);
            return self.skip_caches(key, edge, behavior, cx);
        };
        match self.edges[edge].layer.fresh(cache_key, now) {
            Some(copy) => self.answer(key, behavior, copy, Source::Edge, cx),
            None => self.fetch_at_edge(key, edge, cache_key, cx),
        }
    }

    /// A request comes back to the edge location that forwarded it; its frame has been taken off.
    pub fn on_reply_to_edge(&mut self, key: RequestKey, edge: u16, cx: &mut Cx<'_>) {
        if !self.is_late(key, cx) {
            self.back_at_edge(key, usize::from(edge), cx);
        }
    }

    /// A request comes back to the regional cache that forwarded it; its frame has been taken off.
    pub fn on_reply_to_regional(&mut self, key: RequestKey, regional: u16, cx: &mut Cx<'_>) {
        if !self.is_late(key, cx) {
            self.back_at_regional(key, usize::from(regional), cx);
        }
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::AtRegional(key) => self.at_regional(key, cx),
            Event::OriginTimeout(key) => self.time_out(key, cx),
        }
    }

    /// The key a request's answer is kept under; `None` if it is not.
    #[inline]
    fn cache_key(&self, behavior: usize, request: &Request) -> Option<u64> {
        let behavior = &self.behaviors[behavior];
        (behavior.caches && request.method.is_cacheable()).then(|| ttl::cache_key(request, behavior.variant_mask))
    }

    fn behavior_of(&self, request: &Request) -> usize {
        usize::from(self.behavior_of_path[request.path.index()])
    }

    /// Not in the cache: waits for whoever fetches the same at this edge, or fetches.
    fn fetch_at_edge(&mut self, key: RequestKey, edge: usize, cache_key: u64, cx: &mut Cx<'_>) {
        let now = cx.now();
        let layer = &mut self.edges[edge].layer;
        if layer.flights.wait(cache_key, key, &mut cx.shared.requests) {
            layer.collapsed += 1;
            cx.request(key).joined = now;
            return;
        }
        let request = cx.request(key);
        layer.flights.open(cache_key, request.stream);
        self.came.put(key.slot, request, now);
        self.send_to_regional(key, edge, 0, cx);
    }

    fn send_to_regional(&mut self, key: RequestKey, edge: usize, state: u32, cx: &mut Cx<'_>) {
        self.books.beyond_edge += 1;
        let hop = self.edges[edge].to_regional;
        let request = cx.request(key);
        request.push(Holder::Edge(self.id, edge as u16), hop);
        request.state = state;
        match hop.lane() {
            None => self.at_regional(key, cx),
            Some(lane) => {
                cx.kernel.schedule_lane(lane, world::Event::CloudFront(self.id, Event::AtRegional(key)));
            }
        }
    }

    /// What is never cached goes from the edge straight to the origin ("dynamic requests, and the methods PUT, POST, PATCH,
    /// OPTIONS and DELETE, go directly to the origin", CloudFront developer guide, "How CloudFront delivers content").
    fn skip_caches(&mut self, key: RequestKey, edge: usize, behavior: usize, cx: &mut Cx<'_>) {
        self.books.beyond_edge += 1;
        let hop = self.edges[edge].to_origin;
        self.send_to_origin(key, behavior, Holder::Edge(self.id, edge as u16), hop, cx);
    }

    fn send_to_origin(&mut self, key: RequestKey, behavior: usize, holder: Holder, hop: Hop, cx: &mut Cx<'_>) {
        self.books.to_origin += 1;
        cx.request(key).push(holder, hop);
        let timeout = Event::OriginTimeout(key);
        cx.kernel.schedule_lane(self.read_timeout, world::Event::CloudFront(self.id, timeout));
        cx.offer(self.behaviors[behavior].origin, key, hop);
    }

    /// A request arrives at the regional cache of its edge.
    fn at_regional(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let edge = usize::from(self.edge_of_place[request.place.index()]);
        let regional = self.edges[edge].regional;
        let behavior = self.behavior_of(request);
        let Some(cache_key) = self.cache_key(behavior, request) else {
            unreachable!("only what may be cached asks a regional cache");
        };
        let layer = &mut self.regionals[regional].layer;
        if let Some(copy) = layer.fresh(cache_key, now) {
            return self.reply_to_edge(key, copy, Source::Regional, cx);
        }
        let (alone, stream) = (request.state == ALONE, request.stream);
        if !alone {
            if layer.flights.wait(cache_key, key, &mut cx.shared.requests) {
                layer.collapsed += 1;
                return;
            }
            layer.flights.open(cache_key, stream);
        }
        self.regional_to_origin(key, regional, behavior, cx);
    }

    fn regional_to_origin(&mut self, key: RequestKey, regional: usize, behavior: usize, cx: &mut Cx<'_>) {
        let hop = self.regionals[regional].to_origin;
        self.send_to_origin(key, behavior, Holder::Regional(self.id, regional as u16), hop, cx);
    }

    /// A regional cache answers the edge.
    fn reply_to_edge(&mut self, key: RequestKey, answer: Answer, source: Source, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        request.joined = answer.fresh_until;
        request.state = source as u32;
        give(request, answer);
        cx.reply(key, answer.outcome);
    }

    /// The origin's answer, as a cache behind the edge sees it. No answer (a broken connection) is a 502.
    fn heard_from_origin(&mut self, key: RequestKey, cx: &mut Cx<'_>) -> Answer {
        self.books.from_origin += 1;
        let now = cx.now();
        let request = cx.request(key);
        let outcome = match request.outcome {
            Outcome { status: 0, cause: Cause::None } => Outcome::failed(502, Cause::CloudFrontOrigin),
            Outcome { status: 0, cause } => Outcome::failed(502, cause),
            outcome => outcome,
        };
        if !outcome.is_ok() {
            return Answer::failure(outcome, self.error_ttl, now);
        }
        let policy = &self.behaviors[usize::from(self.behavior_of_path[request.path.index()])].policy;
        let cache_control = self.cache_control.get(usize::from(request.catalog)).copied().unwrap_or_default();
        let fresh_until = match ttl(policy, cache_control) {
            Ttl::Fresh(span) => now + span,
            Ttl::NotReused => Answer::NOT_REUSED,
        };
        Answer { fresh_until, bytes: request.bytes, outcome }
    }

    /// The origin's answer is at the regional cache.
    fn back_at_regional(&mut self, key: RequestKey, regional: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        let answer = self.heard_from_origin(key, cx);
        let request = cx.request(key);
        let (behavior, stream) = (self.behavior_of(request), request.stream);
        let Some(cache_key) = self.cache_key(behavior, request) else {
            unreachable!("only what may be cached went through a regional cache");
        };
        let layer = &mut self.regionals[regional].layer;
        let (answer, settled) = layer.settle(cache_key, answer, self.error_ttl, now);
        let waiting = layer.flights.close(cache_key, stream);
        let source = match settled {
            Settled::New => Source::Origin,
            Settled::Renewed => Source::Refresh,
            Settled::Stale => Source::Stale,
        };
        self.reply_to_edge(key, answer, source, cx);
        for_each_waiting(waiting, cx, |waiter, cx| {
            if answer.is_fresh(now) {
                self.reply_to_edge(waiter, answer, Source::Regional, cx);
            } else {
                self.regional_to_origin(waiter, regional, behavior, cx);
            }
        });
    }

    /// The regional cache's or, for what skips it, the origin's answer is at the edge.
    fn back_at_edge(&mut self, key: RequestKey, edge: usize, cx: &mut Cx<'_>) {
        self.books.beyond_edge -= 1;
        let now = cx.now();
        let request = cx.request(key);
        let (behavior, stream) = (self.behavior_of(request), request.stream);
        let came = self.came.get(key.slot, request);
        let Some(cache_key) = self.cache_key(behavior, request) else {
            let answer = self.heard_from_origin(key, cx);
            self.books.served_by_origin(came, now);
            return self.answer(key, behavior, answer, Source::Uncached, cx);
        };
        let from_regional = Source::ALL[request.state as usize];
        let bytes = if request.outcome.is_ok() { request.bytes } else { 0 };
        let answer = Answer { fresh_until: request.joined, bytes, outcome: request.outcome };
        let layer = &mut self.edges[edge].layer;
        let (answer, settled) = layer.settle(cache_key, answer, self.error_ttl, now);
        let waiting = layer.flights.close(cache_key, stream);
        let source = match (from_regional, settled) {
            (_, Settled::Stale) => Source::Stale,
            (Source::Origin, Settled::Renewed) => Source::Refresh,
            (source, _) => source,
        };
        if matches!(source, Source::Origin | Source::Refresh) {
            self.books.served_by_origin(came, now);
        }
        self.answer(key, behavior, answer, source, cx);
        for_each_waiting(waiting, cx, |waiter, cx| {
            if answer.is_fresh(now) {
                self.answer(waiter, behavior, answer, Source::Collapsed, cx);
            } else {
                // Not to be given to others: each asks for itself, having waited for nothing.
                let request = cx.request(waiter);
                let came = request.joined;
                self.came.put(waiter.slot, request, came);
                self.send_to_regional(waiter, edge, ALONE, cx);
            }
        });
    }

    /// Answers a viewer.
    #[inline]
    fn answer(&mut self, key: RequestKey, behavior: usize, answer: Answer, source: Source, cx: &mut Cx<'_>) {
        self.books.answers += 1;
        self.behaviors[behavior].tally.count(answer.outcome, answer.bytes, source);
        give(cx.request(key), answer);
        cx.reply(key, answer.outcome);
    }

    /// The origin has had its time for a request: 504, unless it has been answered. (AWS tries a GET or HEAD again, up to
    /// three times; not modelled.)
    fn time_out(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        // Most are stale: the request was answered and is gone, or is on its way back to the viewer.
        let Some(request) = cx.shared.requests.get_mut(key) else { return };
        let id = self.id;
        let behavior = self.behavior_of(request);
        let edge = usize::from(self.edge_of_place[request.place.index()]);
        let through_regional = self.cache_key(behavior, request).is_some();
        let asked = request.place_of(|holder| match holder {
            Holder::Regional(whose, _) => through_regional && whose == id,
            Holder::Edge(whose, _) => !through_regional && whose == id,
            _ => false,
        });
        // At place 0 it has been abandoned before.
        let Some(place) = asked.filter(|&place| place > 0) else { return };
        let mut copy = request.detach_at(place);
        copy.outcome = Outcome::failed(504, Cause::CloudFrontOrigin);
        let came = self.came.get(key.slot, &copy);
        let key = cx.shared.requests.insert(copy);
        if let Some(came) = came {
            self.came.put(key.slot, &cx.shared.requests[key], came);
        }
        self.books.timed_out += 1;
        if through_regional {
            self.back_at_regional(key, self.edges[edge].regional, cx);
        } else {
            self.back_at_edge(key, edge, cx);
        }
    }

    /// Whether this is the original of a request whose read timeout was answered for it: it ends here.
    fn is_late(&mut self, key: RequestKey, cx: &mut Cx<'_>) -> bool {
        let late = cx.request(key).depth() == 0;
        if late {
            cx.shared.requests.remove(key);
        }
        late
    }
}

impl BehaviorState {
    fn new(settings: &Behavior) -> Self {
        Self {
            path_pattern: settings.path_pattern.clone(),
            origin: settings.origin,
            policy: settings.cache_policy,
            caches: settings.cache_policy.caches(),
            variant_mask: settings.cache_policy.variant_mask(),
            tally: Tally::default(),
            at_warm_up: Tally::default(),
        }
    }
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
