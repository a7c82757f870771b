//! When operations come: rate profiles, Poisson and modulated arrivals, batches.

use std::sync::Arc;

use sim_core::distribution::Distribution;
use sim_core::distribution::alias::Weighted;
use sim_core::math::ln;
use sim_core::random::{Source, Stream};
use sim_core::{SimDuration, SimTime};

use crate::ids::PathId;
use crate::request::Method;

/// When operations come.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Whatever the answers are like.
    Open {
        /// Random or evenly spaced.
        process: Process,
        /// How many a second, over time.
        rate: RateProfile,
        /// How many come at once.
        batch: Batch,
    },
    /// A fixed population: each user thinks, asks, waits for the answer, thinks again.
    Closed {
        /// How many users.
        users: u32,
        /// Time between an answer and the next question.
        think_time: Distribution,
    },
    /// As recorded, in order of time.
    Replay(Arc<[Recorded]>),
}

/// A recorded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When, since the start of the run.
    pub at: SimTime,
    /// What.
    pub path: PathId,
    /// Which of the source's routes it counts for.
    pub route: u16,
    /// How.
    pub method: Method,
    /// Size of the recorded answer, bytes.
    pub bytes: u32,
    /// Who.
    pub client: u32,
}

/// How operations are spaced.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Process {
    /// At random (exponential gaps).
    #[default]
    Poisson,
    /// Evenly.
    Deterministic,
    /// At random, with a rate that changes by itself in addition (a Markov-modulated Poisson process): phases that take turns.
    Modulated(Vec<Phase>),
}

/// A phase of modulated arrivals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// The rate is so many times the profile's. The mean of the factors over time is 1, so that the profile is the mean rate.
    pub factor: f64,
    /// How long it lasts on average; exponentially distributed.
    pub lasts: SimDuration,
}

/// How many operations come at once. The rate is that of operations, whatever the batches.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Batch {
    /// One by one.
    #[default]
    Single,
    /// So many.
    Fixed(u32),
    /// One or more, geometrically distributed with this mean.
    Geometric(f64),
}

impl Batch {
    /// Mean number.
    #[must_use]
    pub fn mean(self) -> f64 {
        match self {
            Self::Single => 1.0,
            Self::Fixed(size) => f64::from(size),
            Self::Geometric(mean) => mean,
        }
    }

    /// Draws a number; nothing is drawn where there is no choice. Geometric by inversion: `1 + floor(ln u / ln(1 - 1 / mean))`
    /// (Devroye 1986, X.2).
    #[inline]
    pub(super) fn sample(self, source: &mut impl Source) -> u32 {
        match self {
            Self::Single => 1,
            Self::Fixed(size) => size,
            Self::Geometric(mean) => geometric(mean, source),
        }
    }
}

#[inline(never)]
fn geometric(mean: f64, source: &mut impl Source) -> u32 {
    if mean > 1.0 {
        // The cast saturates and cuts.
        1 + (ln(source.open01()) / ln(1.0 - 1.0 / mean)).min(MOST_AT_ONCE) as u32
    } else {
        1
    }
}

/// Most operations of a batch.
const MOST_AT_ONCE: f64 = 1e6;

/// A rate over time: straight lines between points; two points at one time are a jump; constant after the last.
#[derive(Clone, Debug)]
pub struct RateProfile {
    /// (when, operations a second), by time; never empty.
    pub points: Vec<(SimTime, f64)>,
}

impl RateProfile {
    /// The mean rate between two instants.
    #[must_use]
    pub fn mean(&self, from: SimTime, until: SimTime) -> f64 {
        let inside = self.points.iter().filter(|point| from < point.0 && point.0 < until);
        let (mut area, mut at, mut rate) =
            (0.0, from, self.between(self.points.partition_point(|it| it.0 <= from), from));
        let last = (until, self.between(self.points.partition_point(|it| it.0 < until), until));
        for &(time, value) in inside.chain([&last]) {
            area += time.since(at).as_secs_f64() * (rate + value) / 2.0;
            (at, rate) = (time, value);
        }
        area / until.since(from).as_secs_f64()
    }

    /// The rate at an instant on the line that leads to the point of this number.
    fn between(&self, to: usize, time: SimTime) -> f64 {
        let (begins, rate) = self.points[to.max(1) - 1];
        match self.points.get(to) {
            Some(&(ends, value)) if ends > begins => {
                rate + (value - rate) * (time.since(begins).as_secs_f64() / ends.since(begins).as_secs_f64())
            }
            _ => rate,
        }
    }
}

/// Where a source stands in its rate profile.
#[derive(Clone, Debug)]
pub(super) struct RateClock {
    points: Vec<(SimTime, f64)>,
    /// The last point that is not after the last arrival.
    segment: usize,
}

impl RateClock {
    pub(super) fn new(profile: &RateProfile) -> Self {
        Self { points: profile.points.clone(), segment: 0 }
    }

    /// The instant at which `expected` more arrivals are due on average, counted from `from`: the inverse of the integrated
    /// rate. With exponential `expected` the arrivals are a Poisson process of exactly this rate (time change of a unit
    /// Poisson process; Devroye 1986, VI.1.3), with `expected` = 1 they are evenly spaced. One number per arrival, unlike
    /// thinning, so that a change of rate elsewhere shifts nothing.
    #[inline(always)]
    pub(super) fn advance(&mut self, from: SimTime, expected: f64) -> Option<SimTime> {
        if self.segment + 1 == self.points.len() {
            return self.at_last_rate(from, expected);
        }
        self.advance_over(from, expected)
    }

    /// The same after the last point, where the rate stays; `None` if it is 0 and nothing comes any more.
    #[inline]
    fn at_last_rate(&self, from: SimTime, expected: f64) -> Option<SimTime> {
        let (_, rate) = self.points[self.segment];
        (rate > 0.0).then(|| from + SimDuration::from_secs_f64(expected / rate))
    }

    /// The same where the rate changes still.
    #[inline(never)]
    fn advance_over(&mut self, from: SimTime, mut expected: f64) -> Option<SimTime> {
        let mut at = from;
        loop {
            let (start, rate_from) = self.points[self.segment];
            let Some(&(end, rate_to)) = self.points.get(self.segment + 1) else {
                return self.at_last_rate(at, expected);
            };
            if at < start {
                // Before the first point the rate is the first point's.
                let room = start.since(at).as_secs_f64() * rate_from;
                if expected < room {
                    return Some(at + SimDuration::from_secs_f64(expected / rate_from));
                }
                expected -= room;
                at = start;
            }
            let left = end.since(at).as_secs_f64();
            let slope = if end > start { (rate_to - rate_from) / end.since(start).as_secs_f64() } else { 0.0 };
            let rate = rate_from + slope * at.since(start).as_secs_f64();
            let room = left * (rate + rate_to) / 2.0;
            if expected < room {
                // rate t + slope t^2 / 2 = expected, in the form that stays exact for a slope near 0.
                let t = 2.0 * expected / (rate + (rate * rate + 2.0 * slope * expected).max(0.0).sqrt());
                return Some((at + SimDuration::from_secs_f64(t)).min(end));
            }
            expected -= room;
            at = end.max(at);
            self.segment += 1;
        }
    }

    /// Whether nothing more comes after an instant.
    fn is_over(&self, at: SimTime) -> bool {
        self.points.last().is_none_or(|&(end, rate)| rate <= 0.0 && end <= at)
    }

    /// Moves on to the segment that an instant lies in.
    fn pass(&mut self, to: SimTime) {
        while self.points.get(self.segment + 1).is_some_and(|(end, _)| *end <= to) {
            self.segment += 1;
        }
    }

    /// How many arrivals are due on average between two instants, of which `from` lies in the present segment.
    fn expected(&self, from: SimTime, to: SimTime) -> f64 {
        let mut area = 0.0;
        let mut at = from;
        for segment in self.segment.. {
            let (start, rate_from) = self.points[segment];
            let Some(&(end, rate_to)) = self.points.get(segment + 1) else {
                return area + rate_from * to.since(at).as_secs_f64();
            };
            let slope = if end > start { (rate_to - rate_from) / end.since(start).as_secs_f64() } else { 0.0 };
            let rate = |t: SimTime| rate_from + slope * t.since(start).as_secs_f64();
            let until = end.min(to).max(at);
            area += until.since(at).as_secs_f64() * (rate(at) + rate(until)) / 2.0;
            if end >= to {
                return area;
            }
            at = until;
        }
        area
    }
}

/// The phases of modulated arrivals at work. When they change does not depend on the arrivals.
#[derive(Debug)]
pub(super) struct Modulation {
    phases: Vec<Phase>,
    stream: Stream,
    phase: usize,
    /// When the present phase ends.
    until: SimTime,
}

impl Modulation {
    /// Begins in the steady state: in each phase as likely as it lasts.
    pub(super) fn new(phases: &[Phase], mut stream: Stream) -> Self {
        let lasts: Vec<f64> = phases.iter().map(|phase| phase.lasts.as_secs_f64()).collect();
        let phase = Weighted::new(&lasts).expect("validated").sample(&mut stream);
        let mut modulation = Self { phases: phases.to_vec(), stream, phase, until: SimTime::ZERO };
        modulation.until = SimTime::ZERO + modulation.lasts();
        modulation
    }

    fn lasts(&mut self) -> SimDuration {
        let mean = self.phases[self.phase].lasts;
        mean.scale(self.stream.exponential())
    }

    /// The next arrival after `from` if `expected` more are due, phase by phase.
    pub(super) fn advance(&mut self, clock: &mut RateClock, from: SimTime, mut expected: f64) -> Option<SimTime> {
        let mut at = from;
        loop {
            let factor = self.phases[self.phase].factor;
            let before = clock.segment;
            let next = if factor > 0.0 { clock.advance(at, expected / factor) } else { None };
            if next.is_some_and(|next| next <= self.until) {
                return next;
            }
            clock.segment = before;
            if clock.is_over(at) {
                return None;
            }
            expected = (expected - factor * clock.expected(at, self.until)).max(0.0);
            at = self.until;
            clock.pass(at);
            self.phase = (self.phase + 1) % self.phases.len();
            self.until = at + self.lasts();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(points: &[(u64, f64)]) -> RateClock {
        RateClock::new(&RateProfile { points: points.iter().map(|&(s, rate)| (SimTime::from_secs(s), rate)).collect() })
    }

    #[test]
    fn mean_rates_follow_ramps_and_jumps() {
        let points = [(0, 10.0), (10, 10.0), (20, 20.0), (30, 20.0), (30, 0.0)];
        let profile = RateProfile { points: points.iter().map(|&(s, rate)| (SimTime::from_secs(s), rate)).collect() };
        let mean = |from, until| profile.mean(SimTime::from_secs(from), SimTime::from_secs(until));
        assert_eq!([mean(0, 10), mean(10, 20), mean(5, 15), mean(0, 20)], [10.0, 15.0, 11.25, 12.5]);
        assert_eq!([mean(20, 30), mean(30, 40), mean(25, 35), mean(90, 99)], [20.0, 0.0, 10.0, 0.0]);
    }

    #[test]
    fn evenly_spaced_arrivals_follow_the_integral_of_a_ramp() {
        // 0..10 s at 10/s, a ramp to 20/s at 20 s, then constant: 100 + 150 arrivals by 20 s.
        let mut clock = clock(&[(0, 10.0), (10, 10.0), (20, 20.0)]);
        let mut at = SimTime::ZERO;
        let mut seen = Vec::new();
        while at < SimTime::from_secs(30) {
            at = clock.advance(at, 1.0).expect("the rate is never 0");
            seen.push(at);
        }
        assert_eq!(seen[99], SimTime::from_secs(10));
        assert!(seen[249].since(SimTime::from_secs(20)).as_secs_f64().abs() < 1e-6);
        assert!(seen[449].since(SimTime::from_secs(30)).as_secs_f64() < 1e-6);
    }

    #[test]
    fn a_rate_of_zero_is_waited_out_or_ends_the_arrivals() {
        let mut pause = clock(&[(0, 1.0), (10, 1.0), (10, 0.0), (20, 0.0), (20, 1.0)]);
        assert_eq!(
            pause.advance(SimTime::from_secs(10), 0.5),
            Some(SimTime::from_secs(20) + SimDuration::from_millis(500))
        );
        let mut over = clock(&[(0, 1.0), (10, 1.0), (10, 0.0)]);
        assert_eq!(over.advance(SimTime::from_secs(9), 2.0), None);
    }

    #[test]
    fn phases_change_the_rate_and_keep_its_mean() {
        // Four times as often for 1 s in 4 s, else never: the mean stays. A ramp beneath them makes the clock change segments.
        let phases = [
            Phase { factor: 4.0, lasts: SimDuration::from_secs(1) },
            Phase { factor: 0.0, lasts: SimDuration::from_secs(3) },
        ];
        let mut clock =
            clock(&[(0, 10.0), (10_000, 10.0), (20_000, 30.0), (20_000, 5.0), (30_000, 5.0), (30_000, 0.0)]);
        let mut modulation = Modulation::new(&phases, Stream::from_key(1));
        let mut gaps = Stream::from_key(2);
        let (mut at, mut counts) = (SimTime::ZERO, [0u32; 3]);
        while let Some(next) = modulation.advance(&mut clock, at, -ln(gaps.open01())) {
            at = next;
            counts[(at.as_nanos() / 10_000_000_000_000) as usize] += 1;
        }
        // 100,000, 200,000 and 50,000; the phases make the standard deviations 3.5 % or less.
        for (count, expected) in counts.into_iter().zip([100_000.0, 200_000.0, 50_000.0]) {
            assert!((f64::from(count) / expected - 1.0).abs() < 0.1, "{counts:?}");
        }
    }

    #[test]
    fn what_is_expected_is_the_area_under_the_rate() {
        let mut ramp = clock(&[(0, 10.0), (10, 10.0), (20, 20.0), (20, 5.0)]);
        assert_eq!(ramp.expected(SimTime::from_secs(5), SimTime::from_secs(15)), 50.0 + 62.5);
        assert_eq!(ramp.expected(SimTime::ZERO, SimTime::from_secs(30)), 100.0 + 150.0 + 50.0);
        ramp.pass(SimTime::from_secs(20));
        assert_eq!(ramp.expected(SimTime::from_secs(20), SimTime::from_secs(21)), 5.0);
    }

    #[test]
    fn batches_have_their_mean() {
        let mut source = Stream::from_key(3);
        let mean = |batch: Batch, source: &mut Stream| {
            (0..100_000).map(|_| f64::from(batch.sample(source))).sum::<f64>() / 100_000.0
        };
        assert_eq!(mean(Batch::Single, &mut source), 1.0);
        assert_eq!(mean(Batch::Fixed(7), &mut source), 7.0);
        assert_eq!(mean(Batch::Geometric(1.0), &mut source), 1.0);
        assert!((mean(Batch::Geometric(4.0), &mut source) - 4.0).abs() < 0.05);
    }
}
