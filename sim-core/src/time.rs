//! Simulated time: whole nanoseconds, so that order is total and exact. There is no floating-point time anywhere; seconds
//! as `f64` exist only where a person or a distribution speaks.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// An instant of simulated time, in nanoseconds since the start of the run. Spans 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(u64);

/// A span of simulated time, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimDuration(u64);

impl SimTime {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens: "never".
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }
    /// The instant `seconds` whole seconds after the start (saturating).
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }
    /// Nanoseconds since the start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
    /// Seconds since the start.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }
    /// Time passed since `earlier`; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }
    /// The start of the period of length `period` this instant falls into.
    #[must_use]
    pub const fn floor_to(self, period: SimDuration) -> Self {
        if period.0 == 0 { self } else { Self(self.0 - self.0 % period.0) }
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any run: "for ever".
    pub const MAX: Self = Self(u64::MAX);

    /// `nanos` nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }
    /// `micros` microseconds (saturating).
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }
    /// `millis` milliseconds (saturating).
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }
    /// `seconds` seconds (saturating).
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }
    /// `seconds` rounded to the nearest nanosecond, clamped to the range of the type; NaN is zero.
    #[must_use]
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self(nearest(seconds * NANOS_PER_SECOND as f64))
    }
    /// Nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
    /// Seconds.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }
    /// Whether this is no time at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    /// This span `factor` times, saturating.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
    /// This span scaled by a non-negative factor, rounded to the nearest nanosecond.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor + 0.5) as u64)
    }
}

impl Add<SimDuration> for SimTime {
    type Output = Self;
    fn add(self, span: SimDuration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}
impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        *self = *self + span;
    }
}
impl Sub for SimTime {
    type Output = SimDuration;
    fn sub(self, earlier: Self) -> SimDuration {
        debug_assert!(earlier <= self, "time runs forward");
        self.since(earlier)
    }
}
impl Add for SimDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sub for SimDuration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t={}s", self.as_secs_f64())
    }
}
impl fmt::Debug for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.as_secs_f64())
    }
}
impl fmt::Display for SimTime {
    /// `h:mm:ss.mmm` since the start of the run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        let (s, ms) = (millis / 1000, millis % 1000);
        write!(f, "{}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms)
    }
}

/// A number rounded to the nearest whole one (of two as near, to the even one), clamped to the range of the type; NaN is zero.
#[inline]
fn nearest(x: f64) -> u64 {
    /// From here on numbers have no bits behind their point: a smaller one added to it loses them, to the nearest.
    const WHOLE: f64 = (1u64 << 52) as f64;
    // Between 0 and that, an addition does it. A cast, which saturates and knows what is no number, takes many instructions.
    if x.to_bits() < WHOLE.to_bits() { (x + WHOLE).to_bits() - WHOLE.to_bits() } else { (x + 0.5) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_to_the_nearest_nanosecond_and_saturate() {
        assert_eq!(SimDuration::from_secs_f64(1.5e-9).as_nanos(), 2);
        assert_eq!(SimDuration::from_secs_f64(0.02).as_nanos(), 20_000_000);
        for (x, whole) in [(0.49, 0), (0.51, 1), (2.0, 2), (3.51, 4), (4_503_599_627_370_495.0, 4_503_599_627_370_495)]
        {
            assert_eq!(nearest(x), whole);
        }
        assert_eq!((nearest(4_503_599_627_370_496.0), nearest(1e18)), (1 << 52, 1_000_000_000_000_000_000));
        assert_eq!(SimDuration::from_secs_f64(-0.0), SimDuration::ZERO);
        assert_eq!(SimDuration::from_secs_f64(-1.0), SimDuration::ZERO);
        assert_eq!(SimDuration::from_secs_f64(f64::NAN), SimDuration::ZERO);
        assert_eq!(SimDuration::from_secs_f64(1e30), SimDuration::MAX);
    }

    #[test]
    fn instants_print_as_a_clock() {
        assert_eq!((SimTime::from_secs(3_723) + SimDuration::from_millis(45)).to_string(), "1:02:03.045");
        assert_eq!(SimTime::from_secs(125).floor_to(SimDuration::from_secs(60)), SimTime::from_secs(120));
    }
}
