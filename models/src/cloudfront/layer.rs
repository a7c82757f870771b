//! One cache of a distribution, at an edge location or a regional one: copies, and fetches on their way.

use sim_core::station::LruCache;
use sim_core::{SimDuration, SimTime};

use super::invalidation::Applied;
use crate::flights::Flights;
use crate::request::{Outcome, Request};

/// Least room a copy takes, bytes: its headers and bookkeeping. Bounds the number of copies of bodiless answers.
const LEAST_COPY_BYTES: u64 = 512;

/// An answer as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Given to others before this instant; [`Answer::NOT_REUSED`] if not kept.
    pub(super) fresh_until: SimTime,
    /// Size of the body.
    pub(super) bytes: u32,
    pub(super) outcome: Outcome,
    /// By how much `fresh_until` lies after the copy's own end because the origin failed, milliseconds.
    prolonged_ms: u32,
    /// How many invalidations had come to its cache before it.
    pub(super) epoch: u32,
}

impl Answer {
    /// [`Answer::fresh_until`] of an answer that is not kept.
    pub(super) const NOT_REUSED: SimTime = SimTime::ZERO;

    pub(super) fn new(fresh_until: SimTime, bytes: u32, outcome: Outcome) -> Self {
        Self { fresh_until, bytes, outcome, prolonged_ms: 0, epoch: 0 }
    }

    #[inline]
    pub(super) fn is_fresh(&self, now: SimTime) -> bool {
        now < self.fresh_until
    }

    /// When its time to live was over.
    fn end(&self) -> SimTime {
        SimTime::from_nanos(self.fresh_until.as_nanos().saturating_sub(u64::from(self.prolonged_ms) * 1_000_000))
    }

    /// Gives it out for another while, though its time to live is over.
    fn prolong(&mut self, until: SimTime) {
        if until > self.fresh_until {
            let more = until.since(self.fresh_until).as_nanos() / 1_000_000;
            self.prolonged_ms = self.prolonged_ms.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
            self.fresh_until = until;
        }
    }
}

/// For how long a copy is of use beyond its time to live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace {
    /// When the origin fails; none = any time.
    pub(super) if_error: Option<SimDuration>,
    /// How long it is given before the origin is asked again.
    pub(super) retry_after: SimDuration,
}

/// What a cache has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A copy that may be given.
    Fresh(Answer),
    /// A good copy past its time to live that may be given while a new one is fetched.
    Revalidating(Answer),
    /// Nothing of use as long as the origin has not been asked.
    Nothing,
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
    /// Invalidations that have come to it.
    pub(super) applied: Applied,
    pub(super) evictions: u64,
    /// What they were when counting started.
    pub(super) evictions_before: u64,
    /// Requests that waited for another's fetch.
    pub(super) collapsed: u64,
}

impl Layer {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            cache: LruCache::new(capacity),
            flights: Flights::new(),
            applied: Applied::default(),
            evictions: 0,
            evictions_before: 0,
            collapsed: 0,
        }
    }

    /// What there is for a request.
    #[inline]
    pub(super) fn find(&mut self, key: u64, request: &Request, while_revalidating: SimDuration, now: SimTime) -> Found {
        let Some(copy) = self.cache.get(key) else { return Found::Nothing };
        if copy.epoch != self.applied.count() && self.applied.has_since(copy.epoch, request) {
            self.cache.remove(key);
            return Found::Nothing;
        }
        copy.epoch = self.applied.count();
        if copy.is_fresh(now) {
            Found::Fresh(*copy)
        } else if copy.outcome.is_ok() && now < copy.end() + while_revalidating {
            Found::Revalidating(*copy)
        } else {
            Found::Nothing
        }
    }

    /// An answer arrives from further back: it is kept, or a stale copy takes its place. "If the origin is unreachable or
    /// answers 5xx, CloudFront serves the expired object, and asks again after the error caching minimum TTL" (CloudFront developer
    /// guide, "How CloudFront caches HTTP 4xx and 5xx status codes from your origin"). `stale-if-error` bounds for how long.
    pub(super) fn settle(
        &mut self,
        key: u64,
        request: &Request,
        answer: Answer,
        grace: Grace,
        now: SimTime,
    ) -> (Answer, Settled) {
        let mut settled = Settled::New;
        let valid =
            |copy: &&mut Answer| copy.epoch == self.applied.count() || !self.applied.has_since(copy.epoch, request);
        if let Some(copy) = self.cache.get(key).filter(valid).filter(|copy| copy.outcome.is_ok()) {
            let still = grace.if_error.is_none_or(|window| now < copy.end() + window);
            if answer.outcome.status >= 500 && still {
                copy.prolong(now + grace.retry_after);
                return (*copy, Settled::Stale);
            }
            settled = Settled::Renewed;
        }
        if answer.fresh_until != Answer::NOT_REUSED {
            let room = u64::from(answer.bytes).max(LEAST_COPY_BYTES);
            let kept = Answer { epoch: self.applied.count(), ..answer };
            self.evictions += self.cache.insert(key, room, kept) as u64;
        }
        (answer, settled)
    }

    /// Number of copies.
    pub(super) fn copies(&self) -> usize {
        self.cache.len()
    }

    /// Bytes they take, and that there is room for.
    pub(super) fn room(&self) -> (u64, u64) {
        (self.cache.bytes(), self.cache.capacity())
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
