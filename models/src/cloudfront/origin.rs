//! Origins: connections to them, how long they may take, what is tried again, and who is asked instead.

use std::collections::VecDeque;

use sim_core::math::mix;
use sim_core::{LaneId, SimDuration, SimTime};

use super::layer::Answer;
use super::tally::Source;
use super::{Behavior, CACHED_ERRORS, CACHED_ERRORS_IF_TOLD, COMPRESSED_BYTES, CloudFront, Event, Origin, ttl, until};
use crate::request::*;
use crate::world::Cx;

/// An origin at work.
#[derive(Debug)]
pub(super) struct OriginState {
    pub(super) settings: Origin,
    read_timeout: LaneId,
    connection_timeout: LaneId,
}

impl OriginState {
    pub(super) fn new(settings: &Origin, cx: &mut Cx<'_>) -> Self {
        Self {
            settings: settings.clone(),
            read_timeout: cx.kernel.lane(settings.read_timeout),
            connection_timeout: cx.kernel.lane(settings.connection_timeout),
        }
    }
}

/// Idle connections of a cache to each origin, where new ones cost something: since when each is idle, the longest first.
#[derive(Debug)]
pub(super) struct Pools {
    idle: Vec<VecDeque<SimTime>>,
}

impl Pools {
    pub(super) fn new(origins: usize) -> Self {
        Self { idle: vec![VecDeque::new(); origins] }
    }

    /// Takes the connection used last; whether there was one that the origin has not closed.
    fn take(&mut self, origin: usize, keepalive: SimDuration, now: SimTime) -> bool {
        self.idle[origin].pop_back().is_some_and(|since| now.since(since) < keepalive)
    }

    fn put_back(&mut self, origin: usize, keepalive: SimDuration, now: SimTime) {
        let idle = &mut self.idle[origin];
        while idle.front().is_some_and(|&since| now.since(since) >= keepalive) {
            idle.pop_front();
        }
        idle.push_back(now);
    }
}

impl Behavior {
    /// The origin that a trip goes to.
    fn origin_of(&self, trip: Trip) -> usize {
        usize::from(match &self.failover {
            Some(failover) if trip.secondary => failover.origin,
            _ => self.origin,
        })
    }
}

/// Whether an origin group's secondary may be asked: "CloudFront fails over only for GET, HEAD and OPTIONS" (CloudFront developer
/// guide, "Optimizing high availability with CloudFront origin failover").
fn may_fail_over(method: Method) -> bool {
    matches!(method, Method::Get | Method::Head | Method::Options)
}

impl CloudFront {
    /// Sends a request to its origin: the primary first, whatever became of others before it.
    pub(super) fn ask_origin(&mut self, key: RequestKey, cache: u16, trip: Trip, cx: &mut Cx<'_>) {
        let trip = Trip { stage: Stage::ToOrigin, attempt: 1, serial: 1, ..trip };
        let request = cx.request(key);
        let function = &self.behaviors[self.behavior_of(request)].settings.functions.origin_request;
        let Some((time, failed)) = function.as_ref().map(|function| function.time_of(request, purpose::ORIGIN_REQUEST))
        else {
            return self.try_origin(key, cache, trip, SimDuration::ZERO, cx);
        };
        if failed {
            self.books.asked += 1;
            request.push(Holder::Cache(self.id, cache, Trip { stage: Stage::FunctionFailed, ..trip }), Hop::NONE);
            return cx.kernel.schedule_in(time, self.event(Event::FromOrigin(key)));
        }
        self.try_origin(key, cache, trip, time, cx);
    }

    /// One attempt, after some time: over a connection there is, or a new one.
    fn try_origin(&mut self, key: RequestKey, cache: u16, trip: Trip, after: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.books.asked += 1;
        let request = cx.request(key);
        let origin = self.behaviors[self.behavior_of(request)].settings.origin_of(trip);
        let OriginState { settings, connection_timeout, .. } = &self.origins[origin];
        let here = &mut self.caches[usize::from(cache)];
        request.push(Holder::Cache(self.id, cache, trip), here.to_origins[origin]);
        if cx.shared.unreachable.contains(&settings.endpoint) {
            let event = self.event(Event::ConnectionTimeout(key));
            return cx.kernel.schedule_lane(*connection_timeout, event);
        }
        let mut delay = after;
        let handshake = here.handshakes[origin];
        if !handshake.is_zero() && !here.connections.take(origin, settings.keepalive_timeout, now) {
            self.books.connections += 1;
            delay += handshake;
        }
        if delay.is_zero() {
            self.send(key, cx);
        } else {
            cx.kernel.schedule_in(delay, self.event(Event::Send(key)));
        }
    }

    /// Sends a request over its connection.
    pub(super) fn send(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.books.to_origin += 1;
        let request = cx.request(key);
        let frame = request.top();
        let Holder::Cache(_, _, trip) = frame.holder else { unreachable!("its cache holds it") };
        let origin = self.behaviors[self.behavior_of(request)].settings.origin_of(trip);
        let OriginState { settings, read_timeout, .. } = &self.origins[origin];
        cx.kernel.schedule_lane(*read_timeout, self.event(Event::OriginTimeout(key, trip.serial)));
        cx.offer(settings.endpoint, key, frame.back);
    }

    /// Nobody answered a connection.
    pub(super) fn connection_timeout(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.books.not_connected += 1;
        let Holder::Cache(_, cache, trip) = cx.request(key).pop().holder else { unreachable!("its cache holds it") };
        self.attempt_failed(key, cache, trip, true, cx);
    }

    /// The origin has had its time for a request, unless it has been answered.
    pub(super) fn origin_timeout(&mut self, key: RequestKey, serial: u8, cx: &mut Cx<'_>) {
        // Most are stale: the request was answered and is gone, or is on its way back to the viewer.
        let Some(request) = cx.shared.requests.get_mut(key) else { return };
        let id = self.id;
        let this = |holder| match holder {
            Holder::Cache(whose, _, trip) => whose == id && trip.stage == Stage::ToOrigin && trip.serial == serial,
            _ => false,
        };
        // At place 0 it has been abandoned before.
        let Some(place) = request.place_of(this).filter(|&place| place > 0) else { return };
        let Holder::Cache(_, cache, trip) = request.holder_at(place) else { return };
        let copy = request.detach_at(place);
        let came = self.came.get(key.slot(), &copy);
        let key = cx.shared.requests.insert(copy);
        if let Some(came) = came {
            self.came.put(key.slot(), &cx.shared.requests[key], came);
        }
        self.books.timed_out += 1;
        self.attempt_failed(key, cache, trip, cx.shared.requests[key].method.is_cacheable(), cx);
    }

    /// An attempt came to nothing: the origin is tried again as often as it may be ("connection attempts", which count unanswered GET
    /// and HEAD requests too), then the secondary of its group, and if there is none the answer is 504.
    fn attempt_failed(&mut self, key: RequestKey, cache: u16, trip: Trip, again: bool, cx: &mut Cx<'_>) {
        self.books.from_origin += 1;
        let request = cx.request(key);
        let behavior = &self.behaviors[self.behavior_of(request)].settings;
        let attempts = self.origins[behavior.origin_of(trip)].settings.connection_attempts;
        if again && trip.attempt < attempts {
            return self.ask_again(key, cache, Trip { attempt: trip.attempt + 1, ..trip }, cx);
        }
        if behavior.failover.is_some() && !trip.secondary && may_fail_over(request.method) {
            return self.fail_over(key, cache, trip, cx);
        }
        let silent = Outcome::failed(504, Cause::CloudFrontOrigin);
        self.conclude(key, cache, trip, silent, cx);
    }

    fn fail_over(&mut self, key: RequestKey, cache: u16, trip: Trip, cx: &mut Cx<'_>) {
        self.books.failovers += 1;
        self.ask_again(key, cache, Trip { attempt: 1, secondary: true, ..trip }, cx);
    }

    /// Once more, with luck of its own.
    fn ask_again(&mut self, key: RequestKey, cache: u16, trip: Trip, cx: &mut Cx<'_>) {
        let serial = trip.serial.wrapping_add(1);
        let request = cx.request(key);
        let came = self.came.get(key.slot(), request);
        request.stream = mix(request.stream, purpose::AGAIN);
        if let Some(came) = came {
            self.came.put(key.slot(), request, came);
        }
        self.try_origin(key, cache, Trip { serial, ..trip }, SimDuration::ZERO, cx);
    }

    /// The origin has answered. No answer (a broken connection) is a 502.
    pub(super) fn heard_from_origin(&mut self, key: RequestKey, cache: u16, trip: Trip, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.books.from_origin += 1;
        let request = cx.request(key);
        let outcome = match request.outcome {
            Outcome { status: 0, cause: Cause::None } => Outcome::failed(502, Cause::CloudFrontOrigin),
            Outcome { status: 0, cause } => Outcome::failed(502, cause),
            outcome => outcome,
        };
        let behavior = &self.behaviors[self.behavior_of(request)].settings;
        let origin = behavior.origin_of(trip);
        let settings = &self.origins[origin].settings;
        let here = &mut self.caches[usize::from(cache)];
        if !here.handshakes[origin].is_zero() && request.outcome.status != 0 {
            here.connections.put_back(origin, settings.keepalive_timeout, now);
        }
        if let Some(failover) = &behavior.failover
            && !trip.secondary
            && may_fail_over(request.method)
            && failover.statuses.contains(&outcome.status)
        {
            return self.fail_over(key, cache, trip, cx);
        }
        let Some(function) = &behavior.functions.origin_response else {
            return self.conclude(key, cache, trip, outcome, cx);
        };
        let (time, failed) = function.time_of(request, purpose::ORIGIN_RESPONSE);
        request.outcome = outcome;
        self.books.asked += 1;
        let stage = if failed { Stage::FunctionFailed } else { Stage::FunctionDone };
        request.push(Holder::Cache(self.id, cache, Trip { stage, ..trip }), Hop::NONE);
        cx.kernel.schedule_in(time, self.event(Event::FromOrigin(key)));
    }

    /// A function at the origin's side is done: behind it, or before it where it failed.
    pub(super) fn function_done(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.books.from_origin += 1;
        let request = cx.request(key);
        let outcome = request.outcome;
        let Holder::Cache(_, cache, trip) = request.pop().holder else { unreachable!("its cache holds it") };
        let failed = Outcome::failed(503, Cause::EdgeFunction);
        self.conclude(key, cache, trip, if trip.stage == Stage::FunctionFailed { failed } else { outcome }, cx);
    }

    /// What the origin had to say is at the cache that asked.
    fn conclude(&mut self, key: RequestKey, cache: u16, trip: Trip, outcome: Outcome, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let headers = self.headers_of(request);
        let behavior = &self.behaviors[self.behavior_of(request)].settings;
        let answer = if outcome.is_ok() {
            let fresh_until = until(now, ttl(&behavior.cache_policy, &headers.headers));
            let compressed =
                headers.compressed.filter(|_| behavior.compress && COMPRESSED_BYTES.contains(&request.bytes));
            let bytes = compressed.map_or(request.bytes, |share| (f64::from(request.bytes) * share) as u32);
            Answer::new(fresh_until, bytes, outcome)
        } else {
            let kept = self.error_ttl(outcome.status, headers.error_max_age);
            Answer::new(kept.map_or(Answer::NOT_REUSED, |ttl| now + ttl), 0, outcome)
        };
        self.settle(key, cache, trip, answer, Source::Origin, cx);
    }

    /// For how long an error is kept: the error caching minimum TTL, or longer if the origin says so; if at all.
    fn error_ttl(&self, status: u16, max_age: Option<SimDuration>) -> Option<SimDuration> {
        let kept = CACHED_ERRORS.contains(&status) || max_age.is_some() && CACHED_ERRORS_IF_TOLD.contains(&status);
        kept.then(|| self.error_ttl_of(status).max(max_age.unwrap_or(SimDuration::ZERO))).filter(|ttl| !ttl.is_zero())
    }
}
