//! What a station answers by itself: copies of what the station behind it once answered.

use sim_core::math::mix;
use sim_core::station::LruCache;
use sim_core::{SimDuration, SimTime};

use super::{Cache, LEAST_COPY_BYTES, Renewal};
use crate::ids::*;
use crate::request::*;
use crate::world::Cx;

/// The copies of a station.
#[derive(Debug)]
pub(super) struct Copies {
    /// Until when each is given.
    copies: LruCache<SimTime>,
    ttl: SimDuration,
    renewal: Renewal,
    origin: StationId,
    hop: Hop,
    hits: u64,
    misses: u64,
    evictions: u64,
}

impl Copies {
    pub(super) fn new(settings: &Cache, cx: &mut Cx<'_>) -> Self {
        Self {
            copies: LruCache::new(settings.capacity),
            ttl: settings.ttl,
            renewal: settings.renewal,
            origin: settings.origin,
            hop: cx.hop(SimDuration::from_nanos(settings.rtt.as_nanos() / 2)),
            hits: 0,
            misses: 0,
            evictions: 0,
        }
    }

    /// Whether there is a copy of what a request asks for; with a sliding time to live that makes it live longer.
    #[inline(never)]
    pub(super) fn has(&mut self, request: &Request, now: SimTime) -> bool {
        let copy = self.copies.get(key(request)).filter(|until| request.method.is_cacheable() && now < **until);
        let hit = copy.is_some();
        if let (Some(until), Renewal::Sliding) = (copy, self.renewal) {
            *until = now + self.ttl;
        }
        self.hits += u64::from(hit);
        self.misses += u64::from(!hit);
        hit
    }

    /// Asks the station behind.
    pub(super) fn fetch(&self, from: StationId, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        request.push(Holder::Station(from), self.hop);
        request.visits = request.visits.wrapping_add(1);
        request.operation = 0;
        cx.offer(Endpoint::Station(self.origin), key, self.hop);
    }

    /// Keeps what the station behind has answered, if it went well.
    pub(super) fn keep(&mut self, request: &Request, now: SimTime) {
        if request.outcome.is_ok() && request.method.is_cacheable() {
            let room = u64::from(request.bytes).max(LEAST_COPY_BYTES);
            self.evictions += self.copies.insert(key(request), room, now + self.ttl) as u64;
        }
    }

    pub(super) fn warm_up_over(&mut self) {
        (self.hits, self.misses, self.evictions) = (0, 0, 0);
    }

    pub(super) fn figures(&self) -> [(&'static str, f64); 4] {
        [
            ("hits", self.hits as f64),
            ("misses", self.misses as f64),
            ("evictions", self.evictions as f64),
            ("copies", self.copies.len() as f64),
        ]
    }
}

/// What a request asks for.
fn key(request: &Request) -> u64 {
    mix(u64::from(request.path.0) << 32 | u64::from(request.catalog), u64::from(request.object))
}
