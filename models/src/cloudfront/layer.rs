//! One cache of a distribution, at an edge location or a regional one: copies, and fetches on their way.

use sim_core::station::LruCache;
use sim_core::{SimDuration, SimTime};

use super::flights::Flights;
use crate::request::{Outcome, Request};

/// Least room a copy takes, bytes: its headers and bookkeeping. Bounds the number of copies of bodiless answers.
const LEAST_COPY_BYTES: u64 = 512;

/// Statuses that are cached for the error caching minimum TTL whatever the origin says.
/// Source: CloudFront developer guide, "How CloudFront caches HTTP 4xx and 5xx status codes from your origin".
const CACHED_ERRORS: [u16; 7] = [404, 414, 500, 501, 502, 503, 504];

/// An answer as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Given to others before this instant; [`Answer::NOT_REUSED`] if not kept.
    pub(super) fresh_until: SimTime,
    /// Size of the body.
    pub(super) bytes: u32,
    pub(super) outcome: Outcome,
}

impl Answer {
    /// [`Answer::fresh_until`] of an answer that is not kept.
    pub(super) const NOT_REUSED: SimTime = SimTime::ZERO;

    pub(super) fn is_fresh(self, now: SimTime) -> bool {
        now < self.fresh_until
    }

    /// A failure, kept for the error caching minimum TTL if it is one of those that are.
    pub(super) fn failure(outcome: Outcome, error_ttl: SimDuration, now: SimTime) -> Self {
        let kept = CACHED_ERRORS.contains(&outcome.status) && !error_ttl.is_zero();
        Self { fresh_until: if kept { now + error_ttl } else { Self::NOT_REUSED }, bytes: 0, outcome }
    }
}

/// What became of an answer from further back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// There was no copy before.
    New,
    /// There was an expired copy, which it renews.
    Renewed,
    /// It was a failure, and the expired copy is given instead.
    Stale,
}

/// A cache.
#[derive(Debug)]
pub(super) struct Layer {
    cache: LruCache<Answer>,
    pub(super) flights: Flights,
    pub(super) evictions: u64,
    /// Requests that waited for another's fetch.
    pub(super) collapsed: u64,
}

impl Layer {
    pub(super) fn new(capacity: u64) -> Self {
        Self { cache: LruCache::new(capacity), flights: Flights::new(), evictions: 0, collapsed: 0 }
    }

    /// A copy that may be given.
    #[inline]
    pub(super) fn fresh(&mut self, key: u64, now: SimTime) -> Option<Answer> {
        self.cache.get(key).copied().filter(|copy| copy.is_fresh(now))
    }

    /// An answer arrives from further back: it is kept, or a stale copy takes its place. "If the origin is unreachable or
    /// answers 5xx, CloudFront serves the expired object, and asks again after the error caching minimum TTL"
    /// (CloudFront developer guide, as above).
    pub(super) fn settle(
        &mut self,
        key: u64,
        answer: Answer,
        error_ttl: SimDuration,
        now: SimTime,
    ) -> (Answer, Settled) {
        let mut settled = Settled::New;
        if let Some(copy) = self.cache.get(key).filter(|copy| copy.outcome.is_ok()) {
            if answer.outcome.status >= 500 {
                copy.fresh_until = copy.fresh_until.max(now + error_ttl);
                return (*copy, Settled::Stale);
            }
            settled = Settled::Renewed;
        }
        if answer.fresh_until != Answer::NOT_REUSED {
            let room = u64::from(answer.bytes).max(LEAST_COPY_BYTES);
            self.evictions += self.cache.insert(key, room, answer) as u64;
        }
        (answer, settled)
    }

    /// Number of copies.
    pub(super) fn copies(&self) -> usize {
        self.cache.len()
    }
}

/// When requests came to the edge, for the latency of those that go to the origin: by their place in the slab of requests.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    /// Stream of the request and the instant.
    stamps: Vec<(u64, SimTime)>,
}

impl Stamps {
    pub(super) fn put(&mut self, slot: u32, request: &Request, at: SimTime) {
        let slot = slot as usize;
        if slot >= self.stamps.len() {
            self.stamps.resize(slot + 1, (0, SimTime::ZERO));
        }
        self.stamps[slot] = (request.stream, at);
    }

    /// `None` for a request whose answer came back as a copy of it, made by a service behind.
    pub(super) fn get(&self, slot: u32, request: &Request) -> Option<SimTime> {
        let (stream, at) = *self.stamps.get(slot as usize)?;
        (stream == request.stream).then_some(at)
    }
}
