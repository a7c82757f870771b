//! Fetches on their way, and who waits for them.

use sim_core::slab::Slab;

use crate::request::{Request, RequestKey};

/// A fetch of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    key: u64,
    /// Requests that wait, linked by [`Request::next`].
    first: RequestKey,
    last: RequestKey,
    waiting: u32,
}

/// Fetches on their way by cache key: an open hash table with linear probing, at most half full. No allocation once it has
/// seen its greatest number of fetches at once, and no order that could show.
#[derive(Debug)]
pub(crate) struct Flights {
    /// A power of two.
    slots: Vec<Option<Flight>>,
    flights: usize,
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self { slots: vec![None; 16], flights: 0 }
    }

    fn home(&self, key: u64) -> usize {
        // Keys are hashes already.
        key as usize & (self.slots.len() - 1)
    }

    /// Where the key is, or the vacant slot where it would be.
    fn find(&self, key: u64) -> usize {
        let mut at = self.home(key);
        while self.slots[at].is_some_and(|flight| flight.key != key) {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    /// Lets a request wait for the fetch of its key, if there is one.
    pub(crate) fn wait(&mut self, key: u64, request: RequestKey, requests: &mut Slab<Request>) -> bool {
        let at = self.find(key);
        let Some(flight) = &mut self.slots[at] else { return false };
        requests[request].next = RequestKey::NONE;
        if flight.first == RequestKey::NONE {
            flight.first = request;
        } else {
            requests[flight.last].next = request;
        }
        flight.last = request;
        flight.waiting += 1;
        true
    }

    /// Whether a key is being fetched.
    pub(crate) fn has(&self, key: u64) -> bool {
        self.slots[self.find(key)].is_some()
    }

    /// A request fetches a key that nobody fetches yet.
    pub(crate) fn open(&mut self, key: u64) {
        if 2 * (self.flights + 1) > self.slots.len() {
            self.grow();
        }
        let at = self.find(key);
        debug_assert!(self.slots[at].is_none(), "one fetch a key");
        self.slots[at] = Some(Flight { key, first: RequestKey::NONE, last: RequestKey::NONE, waiting: 0 });
        self.flights += 1;
    }

    /// Ends the fetch of a key; returns the first of those that waited.
    pub(crate) fn close(&mut self, key: u64) -> Option<RequestKey> {
        let mut vacant = self.find(key);
        let flight = self.slots[vacant]?;
        self.flights -= 1;
        // Those further along the probe move up, so that no search ends early.
        let mask = self.slots.len() - 1;
        let mut at = (vacant + 1) & mask;
        while let Some(next) = self.slots[at] {
            let from_home = at.wrapping_sub(self.home(next.key)) & mask;
            if from_home >= at.wrapping_sub(vacant) & mask {
                self.slots[vacant] = Some(next);
                vacant = at;
            }
            at = (at + 1) & mask;
        }
        self.slots[vacant] = None;
        Some(flight.first)
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.slots.iter().flatten().map(|flight| u64::from(flight.waiting)).sum()
    }

    fn grow(&mut self) {
        let doubled = vec![None; 2 * self.slots.len()];
        for flight in std::mem::replace(&mut self.slots, doubled).into_iter().flatten() {
            let at = self.find(flight.key);
            self.slots[at] = Some(flight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TrafficId;
    use crate::request::{Holder, Hop};
    use sim_core::SimTime;
    use sim_core::random::{Source, Stream};
    use std::collections::BTreeMap;

    /// Against a map, with few distinct homes, so that probes run long and wrap around.
    #[test]
    fn agrees_with_a_map() {
        let mut requests = Slab::new();
        let mut flights = Flights::new();
        let mut twin: BTreeMap<u64, Vec<RequestKey>> = BTreeMap::new();
        let mut stream = Stream::from_key(5);
        for _ in 0..20_000u64 {
            let key = stream.below(40) * 0x1_0000_0001 % 13 + (stream.below(6) << 32);
            match stream.below(3) {
                0 if !twin.contains_key(&key) => {
                    flights.open(key);
                    twin.insert(key, Vec::new());
                }
                1 => {
                    let request =
                        requests.insert(Request::new(0, SimTime::ZERO, Holder::Client(TrafficId(0)), Hop::NONE));
                    let waits = flights.wait(key, request, &mut requests);
                    match twin.get_mut(&key) {
                        Some(waiting) => waiting.push(request),
                        None => drop(requests.remove(request)),
                    }
                    assert_eq!(waits, twin.contains_key(&key));
                }
                _ => {
                    let expected = twin.remove(&key);
                    assert_eq!(flights.has(key), expected.is_some());
                    let mut next = flights.close(key);
                    assert_eq!(next.is_some(), expected.is_some());
                    for request in expected.unwrap_or_default() {
                        assert_eq!(next, Some(request));
                        next = requests.remove(request).map(|it| it.next);
                    }
                    assert!(next.is_none_or(|next| next == RequestKey::NONE));
                }
            }
            assert_eq!(flights.flights, twin.len());
        }
        assert_eq!(flights.waiting(), twin.values().map(|it| it.len() as u64).sum());
    }
}
