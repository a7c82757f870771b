//! Timeouts that hardly ever happen: one event for many requests.

use std::collections::VecDeque;

use sim_core::{SimDuration, SimTime};

use crate::request::*;
use crate::world::{Cx, Event};

/// Requests that must be answered within the same time, in the order in which they were sent. Those that have been answered
/// leave from the front from time to time, so that a request costs no event of its own for a timeout that never fires, and
/// memory is about twice that of what is in flight.
///
/// Whoever asks says each time which event is to wake it, and how to tell whether a request still waits.
#[derive(Debug)]
pub struct Deadlines {
    within: SimDuration,
    /// When sent, and what.
    sent: VecDeque<(SimTime, RequestKey)>,
    /// At so many of them, those that have been answered leave.
    many: usize,
    /// Whether the waking event is scheduled, no later than the first of `sent` has had its time.
    awake: bool,
}

/// Requests that are held before any leaves.
const FEW: usize = 64;

impl Deadlines {
    /// Nothing is watched yet.
    #[must_use]
    pub fn new(within: SimDuration) -> Self {
        Self { within, sent: VecDeque::with_capacity(FEW), many: FEW, awake: false }
    }

    /// Watches a request that is sent now.
    #[inline(always)]
    pub fn watch(&mut self, key: RequestKey, wake: Event, waits: impl Fn(&Request, SimTime) -> bool, cx: &mut Cx<'_>) {
        if self.sent.len() >= self.many {
            self.forget_answered(waits, cx);
        }
        self.sent.push_back((cx.now(), key));
        if !self.awake {
            self.stay_awake(wake, cx);
        }
    }

    #[inline(never)]
    fn forget_answered(&mut self, waits: impl Fn(&Request, SimTime) -> bool, cx: &Cx<'_>) {
        while let Some(&(since, key)) = self.sent.front()
            && !still(key, since, &waits, cx)
        {
            self.sent.pop_front();
        }
        self.many = (2 * self.sent.len()).max(FEW);
    }

    #[cold]
    #[inline(never)]
    fn stay_awake(&mut self, wake: Event, cx: &mut Cx<'_>) {
        self.awake = true;
        cx.kernel.schedule_in(self.within, wake);
    }

    /// Requests held, answered or not.
    #[cfg(test)]
    pub(crate) fn watched(&self) -> usize {
        self.sent.len()
    }

    /// On the waking event: the next request that waits and has had its time, to be asked for until there is none. Then the
    /// event is scheduled for the first that may be next.
    pub fn next_due(
        &mut self,
        wake: Event,
        waits: impl Fn(&Request, SimTime) -> bool,
        cx: &mut Cx<'_>,
    ) -> Option<RequestKey> {
        while let Some(&(since, key)) = self.sent.front() {
            if still(key, since, &waits, cx) {
                let due = since + self.within;
                if due > cx.now() {
                    cx.kernel.schedule_at(due, wake);
                    return None;
                }
                self.sent.pop_front();
                return Some(key);
            }
            self.sent.pop_front();
        }
        self.awake = false;
        None
    }
}

/// Whether who sent a request still waits for its answer: an answered one is gone.
pub(crate) fn not_abandoned(request: &Request, _since: SimTime) -> bool {
    !request.abandoned
}

/// Whether a request sent at an instant still waits.
#[inline]
fn still(key: RequestKey, since: SimTime, waits: impl Fn(&Request, SimTime) -> bool, cx: &Cx<'_>) -> bool {
    cx.shared.requests.get(key).is_some_and(|request| waits(request, since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::bench::Bench;

    const WAKE: Event = Event::BinEnds;

    fn at(millis: u64) -> SimTime {
        SimTime::from_nanos(millis * 1_000_000)
    }

    /// Sends requests at these times, each answered after so many milliseconds, and tells when which were found due.
    fn found_due(within: u64, sent: &[(u64, u64)]) -> (Vec<(u64, usize)>, u64) {
        let mut bench = Bench::new();
        let mut deadlines = Deadlines::new(at(within).since(SimTime::ZERO));
        let mut keys = Vec::new();
        let mut found = Vec::new();
        let mut woken = 0;
        for millis in 0..1000 {
            bench.run_until(
                at(millis),
                |_, cx| {
                    woken += 1;
                    while let Some(key) = deadlines.next_due(WAKE, |_, _| true, cx) {
                        found.push((millis, keys.iter().position(|it| *it == key).unwrap()));
                    }
                },
                |_, _| {},
            );
            for (number, (begin, lasts)) in sent.iter().enumerate() {
                if begin + lasts == millis {
                    bench.shared.requests.remove(keys[number]);
                }
                if *begin == millis {
                    let key = bench.request();
                    keys.push(key);
                    deadlines.watch(key, WAKE, |_, _| true, &mut bench.cx());
                }
            }
        }
        (found, woken)
    }

    #[test]
    fn who_still_waits_is_found_at_its_time_and_only_then() {
        let (found, _) = found_due(100, &[(0, 10), (5, 500), (6, 20), (90, 300), (91, 5), (400, 1000)]);
        assert_eq!(found, [(105, 1), (190, 3), (500, 5)]);
    }

    #[test]
    fn no_more_than_twice_as_many_are_held_as_wait_beyond_a_few() {
        let mut bench = Bench::new();
        let mut deadlines = Deadlines::new(at(30_000).since(SimTime::ZERO));
        let mut waiting = VecDeque::new();
        for in_flight in [1, 300, 20] {
            for _ in 0..2000 {
                while waiting.len() >= in_flight {
                    bench.shared.requests.remove(waiting.pop_front().unwrap());
                }
                let key = bench.request();
                waiting.push_back(key);
                deadlines.watch(key, WAKE, |_, _| true, &mut bench.cx());
            }
            let held = deadlines.watched();
            assert!((in_flight..=FEW.max(2 * in_flight)).contains(&held), "{held} of {in_flight} in flight");
        }
    }

    #[test]
    fn what_is_answered_in_time_costs_hardly_an_event() {
        let sent: Vec<(u64, u64)> = (0..900).map(|millis| (millis, 3)).collect();
        let (found, woken) = found_due(100, &sent);
        assert!(found.is_empty());
        assert!(woken <= 10, "woken {woken} times for 900 requests");
    }
}
