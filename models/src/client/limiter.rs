//! The rate limit that an AWS SDK in adaptive mode sets itself once it has been throttled.
//!
//! Source: botocore/retries/adaptive.py, throttling.py, bucket.py. A client measures its rate in steps of half a second; the first
//! throttling arms the limit at 0.7 of it; from then on the limit follows CUBIC's curve, never above twice the measured rate nor below
//! 0.5 a second. Attempts that must wait for a token do so in their order.

use sim_core::math::cbrt;
use sim_core::{SimDuration, SimTime};

const SCALE: f64 = 0.4;
const BETA: f64 = 0.7;
const STEP_SECONDS: f64 = 0.5;
const SMOOTHING: f64 = 0.8;
const LEAST_RATE: f64 = 0.5;
const MOST_OF_MEASURED: f64 = 2.0;

/// The curve that a rate follows between throttlings (CUBIC, Ha, Rhee and Xu 2008).
#[derive(Clone, Copy, Debug, Default)]
struct Cubic {
    /// Rate at the last throttling.
    most: f64,
    /// Seconds from then until the curve is back there.
    plateau: f64,
    /// When that was, in seconds.
    since: f64,
}

impl Cubic {
    fn throttled(&mut self, rate: f64, now: f64) -> f64 {
        *self = Self { most: rate, plateau: cbrt(rate * (1.0 - BETA) / SCALE), since: now };
        rate * BETA
    }

    fn at(&self, now: f64) -> f64 {
        let dt = now - self.since - self.plateau;
        SCALE * dt * dt * dt + self.most
    }
}

/// One client's limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limiter {
    curve: Cubic,
    armed: bool,
    /// Attempts a second, as measured.
    measured: f64,
    /// Answers since the step of `stepped` began.
    answers: u32,
    stepped: f64,
    /// Tokens gained a second and held at most, once armed.
    rate: f64,
    room: f64,
    /// Below 0: tokens that waiting attempts have already taken.
    tokens: f64,
    filled: f64,
}

impl Limiter {
    fn fill(&mut self, now: f64) {
        self.tokens = (self.tokens + (now - self.filled) * self.rate).min(self.room);
        self.filled = now;
    }

    /// An attempt wants to be sent: how long it must wait.
    pub(super) fn wait(&mut self, now: SimTime) -> SimDuration {
        if !self.armed {
            return SimDuration::ZERO;
        }
        self.fill(seconds(now));
        self.tokens -= 1.0;
        SimDuration::from_secs_f64((-self.tokens).max(0.0) / self.rate)
    }

    /// An attempt is answered.
    pub(super) fn answered(&mut self, throttled: bool, now: SimTime) {
        let now = seconds(now);
        self.measure(now);
        if !throttled && !self.armed {
            return;
        }
        let wanted = if throttled {
            let rate = if self.armed { self.measured.min(self.rate) } else { self.measured };
            self.curve.throttled(rate, now)
        } else {
            self.curve.at(now)
        };
        if self.armed {
            self.fill(now);
        } else {
            (self.armed, self.filled) = (true, now);
        }
        let rate = wanted.min(MOST_OF_MEASURED * self.measured);
        self.rate = rate.max(LEAST_RATE);
        self.room = rate.max(1.0);
        self.tokens = self.tokens.min(self.room);
    }

    fn measure(&mut self, now: f64) {
        let step = (now / STEP_SECONDS).floor() * STEP_SECONDS;
        self.answers += 1;
        if step > self.stepped {
            let current = f64::from(self.answers) / (step - self.stepped);
            self.measured = current * SMOOTHING + self.measured * (1.0 - SMOOTHING);
            (self.answers, self.stepped) = (0, step);
        }
    }
}

fn seconds(now: SimTime) -> f64 {
    now.since(SimTime::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fact sheet, section 17: from 100/s 70 right after the throttling, 87 at 1 s, 96 at 2 s, 100 at K = 4.2 s, 122 at 8 s.
    #[test]
    fn worked_example_of_cubic_from_100_a_second() {
        let mut curve = Cubic::default();
        assert!((curve.throttled(100.0, 50.0) - 70.0).abs() < 1e-9);
        assert!((curve.plateau - 4.217).abs() < 0.001);
        for (after, rate) in [(0.0, 70.0), (1.0, 87.0), (2.0, 96.0), (4.2, 100.0), (8.0, 122.0)] {
            assert!((curve.at(50.0 + after) - rate).abs() < 0.7, "{after}: {}", curve.at(50.0 + after));
        }
    }

    fn at(seconds: f64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs_f64(seconds)
    }

    #[test]
    fn a_client_that_was_never_throttled_waits_for_nothing() {
        let mut limiter = Limiter::default();
        for n in 0..1000 {
            let now = at(f64::from(n) * 0.001);
            assert_eq!(limiter.wait(now), SimDuration::ZERO);
            limiter.answered(false, now);
        }
    }

    #[test]
    fn throttling_arms_the_limit_and_it_recovers() {
        // 100 answers a second for 10 s, then throttled once.
        let mut limiter = Limiter::default();
        for n in 0..1000 {
            limiter.answered(false, at(f64::from(n) * 0.01));
        }
        assert!((limiter.measured - 100.0).abs() < 2.0, "{}", limiter.measured);
        limiter.answered(true, at(10.0));
        assert!((limiter.rate - 0.7 * limiter.measured).abs() < 1e-9);
        // A burst has to wait in its order, 1 / rate apart.
        let waits: Vec<f64> = (0..5).map(|_| limiter.wait(at(10.0)).as_secs_f64()).collect();
        assert!(waits.windows(2).all(|pair| (pair[1] - pair[0] - 1.0 / limiter.rate).abs() < 1e-6), "{waits:?}");
        // Answered without throttling the limit passes the old rate after some 4 s, and stays within twice what is measured.
        for n in 0..800 {
            limiter.answered(false, at(10.0 + f64::from(n) * 0.01));
        }
        assert!(limiter.rate > 105.0 && limiter.rate <= 2.0 * limiter.measured, "{}", limiter.rate);
    }

    #[test]
    fn the_limit_never_falls_below_one_every_two_seconds() {
        let mut limiter = Limiter::default();
        for n in 0..100 {
            limiter.answered(true, at(f64::from(n) * 5.0));
        }
        assert_eq!(limiter.rate, LEAST_RATE);
    }
}
