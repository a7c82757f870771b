//! A bucket that fills at a steady rate and is drawn from: rate limits, burst credits, provisioned capacity.

use crate::{SimDuration, SimTime};

/// A token bucket. Its content is a whole number of very small units and is settled from elapsed nanoseconds, so that
/// nothing is lost or gained by rounding however often it is looked at: after a week it is right to a microsecond.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate: f64,
    burst: f64,
    /// A token is 10^9 times 2^shift units: `rate * 2^shift` units then accrue each nanosecond.
    shift: u32,
    units_per_nano: u128,
    full: i128,
    level: i128,
    settled: SimTime,
}

const NANOS: f64 = 1e9;
const NANOS_WHOLE: i128 = 1_000_000_000;

impl TokenBucket {
    /// A full bucket that gains `rate_per_s` tokens a second and holds at most `burst`.
    ///
    /// # Panics
    /// If either is negative, not a number, or above 10^15: limits of such size are checked where scenarios are read.
    #[must_use]
    pub fn new(rate_per_s: f64, burst: f64) -> Self {
        let mut bucket =
            Self { rate: 0.0, burst: 0.0, shift: 0, units_per_nano: 0, full: 0, level: 0, settled: SimTime::ZERO };
        bucket.rescale(rate_per_s, burst);
        bucket.level = bucket.full;
        bucket
    }

    /// Chooses the unit: as small as possible, so that any rate is met exactly, but such that the burst still has 2^30
    /// times the range it needs, for debts.
    fn rescale(&mut self, rate: f64, burst: f64) {
        let allowed = 0.0..=1e15;
        assert!(allowed.contains(&rate) && allowed.contains(&burst), "a bucket's rate and burst lie in 0..=1e15");
        let integer_bits = |x: f64| (x as u64).checked_ilog2().map_or(0, |log| log + 1);
        // Units per nanosecond stay below 2^60; units in the bucket below 2^(30 + 60 + ...) < 2^97.
        let by_rate = 60 - integer_bits(rate);
        let by_burst = 66 - integer_bits(burst);
        let shift = by_rate.min(by_burst);
        let (up, down) = (shift.saturating_sub(self.shift), self.shift.saturating_sub(shift));
        // Only a level above the new burst, or an absurd debt, comes anywhere near the clamp.
        self.level = (self.level.clamp(i128::MIN >> up, i128::MAX >> up) << up) >> down;
        self.shift = shift;
        self.units_per_nano = (rate * self.scale() + 0.5) as u128;
        (self.rate, self.burst) = (rate, burst);
        self.full = self.units(burst);
    }

    #[inline]
    fn scale(&self) -> f64 {
        (1u128 << self.shift) as f64
    }

    /// Tokens in units; fractions below a unit are dropped.
    #[inline]
    fn units(&self, tokens: f64) -> i128 {
        ((tokens * self.scale()) as i128).saturating_mul(NANOS_WHOLE)
    }

    #[inline]
    fn tokens(&self, units: i128) -> f64 {
        units as f64 / self.scale() / NANOS
    }

    #[inline]
    fn settle(&mut self, now: SimTime) {
        let elapsed = u128::from((now - self.settled).as_nanos());
        // Below 2^64 times 2^60: no overflow.
        let gained = (elapsed * self.units_per_nano) as i128;
        self.level = (self.level + gained).min(self.full);
        self.settled = now;
    }

    /// Takes `n` tokens if there are as many; else takes none.
    #[inline(never)]
    pub fn take(&mut self, now: SimTime, n: f64) -> bool {
        self.settle(now);
        let units = self.units(n);
        let enough = units <= self.level;
        if enough {
            self.level -= units;
        }
        enough
    }

    /// Takes `n` tokens whether or not there are as many: a debt is paid back before anything is available again.
    pub fn owe(&mut self, now: SimTime, n: f64) {
        self.settle(now);
        self.level = self.level.saturating_sub(self.units(n));
    }

    /// Puts `n` tokens back, as far as they fit.
    pub fn give(&mut self, now: SimTime, n: f64) {
        self.settle(now);
        self.level = self.level.saturating_add(self.units(n)).min(self.full);
    }

    /// Tokens there are at `now`; negative where some are owed.
    #[must_use]
    pub fn available(&self, now: SimTime) -> f64 {
        let mut at = self.clone();
        at.settle(now);
        at.tokens(at.level)
    }

    /// How long after `now` there will be `n` tokens, if none are taken: zero if there are, `None` if there never will be.
    #[must_use]
    pub fn time_until(&self, now: SimTime, n: f64) -> Option<SimDuration> {
        let mut at = self.clone();
        at.settle(now);
        let wanted = at.units(n);
        if wanted <= at.level {
            return Some(SimDuration::ZERO);
        }
        if wanted > at.full || at.units_per_nano == 0 {
            return None;
        }
        let nanos = ((wanted - at.level) as u128).div_ceil(at.units_per_nano);
        Some(SimDuration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// From `now` on the bucket gains `rate_per_s` tokens a second. Panics as [`TokenBucket::new`] does.
    pub fn set_rate(&mut self, now: SimTime, rate_per_s: f64) {
        self.settle(now);
        self.rescale(rate_per_s, self.burst);
    }

    /// From `now` on the bucket holds at most `burst`; what is above is lost. Panics as [`TokenBucket::new`] does.
    pub fn set_burst(&mut self, now: SimTime, burst: f64) {
        self.settle(now);
        self.rescale(self.rate, burst);
        self.level = self.level.min(self.full);
    }

    /// Tokens gained a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Most tokens it holds.
    #[must_use]
    pub fn burst(&self) -> f64 {
        self.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Source, Stream};

    const DAY: u64 = 86_400;

    #[test]
    fn starts_full_and_takes_all_or_nothing() {
        let mut bucket = TokenBucket::new(10.0, 3.0);
        let t = SimTime::from_secs(5);
        assert!(bucket.take(t, 2.5) && !bucket.take(t, 1.0) && bucket.take(t, 0.5) && bucket.take(t, 0.0));
        assert_eq!((bucket.available(t), bucket.time_until(t, 1.0)), (0.0, Some(SimDuration::from_millis(100))));
        assert_eq!((bucket.time_until(t, 3.5), bucket.time_until(t, 0.0)), (None, Some(SimDuration::ZERO)));
        let soon = t + SimDuration::from_millis(100);
        assert!(!bucket.take(SimTime::from_nanos(soon.as_nanos() - 1), 1.0));
        assert!(bucket.take(soon, 1.0));
        assert_eq!(bucket.available(t + SimDuration::from_secs(60)), 3.0);
    }

    /// Looked at a million times or not at all, a week later it is the same, and within a microsecond of what it should be.
    #[test]
    fn a_week_passes_without_drift() {
        for rate in [0.1, 1.0 / 3.0, 12.0, 333.333, 1e6 / 7.0] {
            let mut watched = TokenBucket::new(rate, 1e7);
            let mut left = TokenBucket::new(rate, 1e7);
            for bucket in [&mut watched, &mut left] {
                bucket.owe(SimTime::ZERO, 1e7);
            }
            let end = SimTime::from_secs(7 * DAY);
            let mut stream = Stream::from_key(1);
            let mut now = 0;
            while now < end.as_nanos() - 2_000_000_000 {
                now += stream.below(1_200_000_000);
                watched.take(SimTime::from_nanos(now), 1e9);
            }
            assert_eq!(watched.available(end), left.available(end));
            let exact = (rate * (7 * DAY) as f64).min(1e7);
            assert!((left.available(end) - exact).abs() <= 1e-6 * rate, "{rate}: {}", left.available(end));
        }
    }

    /// A busy limiter lets through exactly rate times time, plus the burst.
    #[test]
    fn admits_rate_times_time_plus_burst() {
        let mut bucket = TokenBucket::new(1000.0, 50.0);
        let mut admitted = 0u64;
        for millis in 0..=DAY * 10 {
            // Ten offers each 0.1 s for a day.
            (0..200).for_each(|_| admitted += u64::from(bucket.take(SimTime::from_nanos(millis * 100_000_000), 1.0)));
        }
        // Each tenth of a second brings 100, but the bucket holds 50 only.
        assert_eq!(admitted, 50 * (DAY * 10 + 1));
        let mut bucket = TokenBucket::new(1000.0, 150.0);
        let admitted: u64 = (0..=DAY * 10)
            .map(|tenth| {
                (0..200).map(|_| u64::from(bucket.take(SimTime::from_nanos(tenth * 100_000_000), 1.0))).sum::<u64>()
            })
            .sum();
        assert_eq!(admitted, 150 + 100 * DAY * 10);
    }

    #[test]
    fn rates_and_bursts_change_from_now_on() {
        let mut bucket = TokenBucket::new(1.0, 10.0);
        bucket.owe(SimTime::ZERO, 10.0);
        bucket.set_rate(SimTime::from_secs(4), 0.25);
        assert_eq!(bucket.available(SimTime::from_secs(8)), 5.0);
        bucket.set_burst(SimTime::from_secs(8), 2.0);
        assert_eq!(bucket.available(SimTime::from_secs(8)), 2.0);
        bucket.set_burst(SimTime::from_secs(8), 1e15);
        assert_eq!(bucket.available(SimTime::from_secs(16)), 4.0);
        bucket.set_burst(SimTime::from_secs(16), 8.0);
        bucket.owe(SimTime::from_secs(16), 6.0);
        assert_eq!(bucket.available(SimTime::from_secs(16)), -2.0);
        assert_eq!(bucket.time_until(SimTime::from_secs(16), 1.0), Some(SimDuration::from_secs(12)));
        bucket.give(SimTime::from_secs(16), 100.0);
        assert_eq!(bucket.available(SimTime::from_secs(16)), 8.0);
        bucket.set_rate(SimTime::from_secs(16), 0.0);
        bucket.owe(SimTime::from_secs(16), 8.0);
        assert_eq!(bucket.time_until(SimTime::from_secs(17), 1.0), None);
    }

    #[test]
    fn extremes_stay_in_range() {
        for (rate, burst) in [(1e15, 1e15), (0.0, 1e15), (1e15, 0.0), (1e-12, 1e-12), (1e-12, 1e15)] {
            let mut bucket = TokenBucket::new(rate, burst);
            bucket.owe(SimTime::ZERO, burst);
            bucket.owe(SimTime::ZERO, f64::MAX);
            bucket.give(SimTime::ZERO, f64::MAX);
            bucket.settle(SimTime::MAX);
            bucket.set_rate(SimTime::MAX, 1.0);
            bucket.set_burst(SimTime::MAX, 1.0);
            assert!((0.0..=1.0).contains(&bucket.available(SimTime::MAX)), "{rate} {burst}");
        }
    }
}
