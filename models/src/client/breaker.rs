//! Circuit breakers: a client that has seen too many failures stops asking for a while.
//!
//! As Hystrix has it (Netflix/Hystrix wiki, Configuration): over a rolling window of ten buckets; at least so many attempts, a share of
//! them failed: open. Open, every attempt fails at once. After a pause one attempt is let through: its success closes the circuit, its
//! failure opens it again.

use sim_core::{SimDuration, SimTime};

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitBreaker {
    /// What is looked at: the last so long.
    pub window: SimDuration,
    /// Fewer attempts in the window say nothing.
    pub minimum_calls: u32,
    /// Opens from this share of failures on, 0..=1.
    pub failure_rate: f64,
    /// How long it stays open before one attempt is let through.
    pub open_for: SimDuration,
}

const BUCKETS: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Closed,
    /// Until then.
    Open(SimTime),
    /// One attempt is on its way.
    Trying,
}

/// The circuit of one client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Circuit {
    state: State,
    /// Attempts and failures by bucket of time.
    buckets: [(u16, u16); BUCKETS],
    /// Number of the latest bucket, from the start of the run.
    latest: u64,
}

impl Circuit {
    /// Whether an attempt may be made now.
    pub(super) fn lets_through(&mut self, now: SimTime) -> bool {
        match self.state {
            State::Closed => true,
            State::Open(until) if now >= until => {
                self.state = State::Trying;
                true
            }
            State::Open(_) | State::Trying => false,
        }
    }

    /// An attempt has ended; whether the circuit opens by it.
    pub(super) fn ended(&mut self, went_well: bool, settings: &CircuitBreaker, now: SimTime) -> bool {
        match self.state {
            // An attempt from before it opened says nothing new.
            State::Open(_) => false,
            State::Trying if went_well => {
                *self = Self { latest: self.latest, ..Self::default() };
                false
            }
            State::Trying => self.open(settings, now),
            State::Closed => {
                self.roll(settings, now);
                let (calls, failures) = &mut self.buckets[self.latest as usize % BUCKETS];
                *calls = calls.saturating_add(1);
                *failures = failures.saturating_add(u16::from(!went_well));
                let calls: u32 = self.buckets.iter().map(|bucket| u32::from(bucket.0)).sum();
                let failures: u32 = self.buckets.iter().map(|bucket| u32::from(bucket.1)).sum();
                let tripped = calls >= settings.minimum_calls
                    && failures > 0
                    && f64::from(failures) >= settings.failure_rate * f64::from(calls);
                tripped && self.open(settings, now)
            }
        }
    }

    fn open(&mut self, settings: &CircuitBreaker, now: SimTime) -> bool {
        self.state = State::Open(now + settings.open_for);
        self.buckets = Default::default();
        true
    }

    /// Forgets the buckets that have left the window.
    fn roll(&mut self, settings: &CircuitBreaker, now: SimTime) {
        let width = (settings.window.as_nanos() / BUCKETS as u64).max(1);
        let latest = now.as_nanos() / width;
        for passed in (self.latest + 1..=latest).rev().take(BUCKETS) {
            self.buckets[passed as usize % BUCKETS] = (0, 0);
        }
        self.latest = latest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: CircuitBreaker = CircuitBreaker {
        window: SimDuration::from_secs(10),
        minimum_calls: 20,
        failure_rate: 0.5,
        open_for: SimDuration::from_secs(5),
    };

    fn after(millis: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(millis)
    }

    #[test]
    fn it_opens_when_half_of_twenty_have_failed_and_tries_again_after_five_seconds() {
        let mut circuit = Circuit::default();
        let opened: Vec<bool> = (0..20).map(|n| circuit.ended(n % 2 == 0, &SETTINGS, after(n * 100))).collect();
        assert!(opened[19] && !opened[..19].contains(&true), "{opened:?}");
        assert!(!circuit.lets_through(after(1_950)) && !circuit.lets_through(after(6_899)));
        assert!(circuit.lets_through(after(6_900)), "one attempt");
        assert!(!circuit.lets_through(after(6_901)), "and no second while it is under way");
        assert!(circuit.ended(false, &SETTINGS, after(7_000)), "it failed: open again");
        assert!(!circuit.lets_through(after(11_999)) && circuit.lets_through(after(12_000)));
        assert!(!circuit.ended(true, &SETTINGS, after(12_100)));
        assert!(circuit.lets_through(after(12_101)) && circuit.lets_through(after(12_102)), "closed");
    }

    #[test]
    fn old_failures_are_forgotten_and_few_say_nothing() {
        let mut circuit = Circuit::default();
        assert!((0..19).all(|n| !circuit.ended(false, &SETTINGS, after(n))), "nineteen say nothing");
        // Eleven seconds later they are out of the window: one more is the first.
        assert!(!circuit.ended(false, &SETTINGS, after(11_000)));
        assert!((0..18).all(|n| !circuit.ended(false, &SETTINGS, after(11_001 + n))));
        assert!(circuit.ended(false, &SETTINGS, after(11_100)));
    }
}
