//! A figure over time, in equal bins and fixed memory.

use crate::{SimDuration, SimTime};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sum,
    Mean,
    TimeMean,
    Last,
}

/// A figure over time in equal bins from the start of the run. What happens at the very end of the last bin or after it
/// belongs to the last bin.
#[derive(Clone, Debug)]
pub struct TimeSeries {
    kind: Kind,
    bin: SimDuration,
    /// Sum, integral over seconds, or last value.
    totals: Vec<f64>,
    /// Observations (mean) or seconds covered (time mean); not used otherwise.
    weights: Vec<f64>,
    /// The level of a time mean since `since`; NaN before the first.
    level: f64,
    since: SimTime,
}

impl TimeSeries {
    /// Sums per bin: requests, errors, bytes. A bin in which nothing was recorded holds 0. There is at least one bin, at
    /// least a nanosecond wide.
    #[must_use]
    pub fn new(bin: SimDuration, bins: usize) -> Self {
        Self::of(Kind::Sum, bin, bins)
    }

    /// Means per bin over what was recorded in it. A bin in which nothing was holds NaN.
    #[must_use]
    pub fn means(bin: SimDuration, bins: usize) -> Self {
        Self::of(Kind::Mean, bin, bins)
    }

    /// Means per bin of a level, weighted by time; what is recorded is the level from then on. NaN before the first.
    #[must_use]
    pub fn time_means(bin: SimDuration, bins: usize) -> Self {
        Self::of(Kind::TimeMean, bin, bins)
    }

    /// The value recorded last in each bin; a bin in which nothing was holds NaN.
    #[must_use]
    pub fn lasts(bin: SimDuration, bins: usize) -> Self {
        Self::of(Kind::Last, bin, bins)
    }

    fn of(kind: Kind, bin: SimDuration, bins: usize) -> Self {
        let bin = bin.max(SimDuration::from_nanos(1));
        let (empty, bins) = (if kind == Kind::Last { f64::NAN } else { 0.0 }, bins.max(1));
        let weights = vec![0.0; if matches!(kind, Kind::Sum | Kind::Last) { 0 } else { bins }];
        Self { kind, bin, totals: vec![empty; bins], weights, level: f64::NAN, since: SimTime::ZERO }
    }

    /// Width of a bin.
    #[must_use]
    pub fn bin(&self) -> SimDuration {
        self.bin
    }

    /// Number of bins.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.totals.len()
    }

    #[inline]
    fn index(&self, at: SimTime) -> usize {
        ((at.as_nanos() / self.bin.as_nanos()) as usize).min(self.totals.len() - 1)
    }

    /// Records `value` at `now`. Levels (see [`TimeSeries::time_means`]) must be recorded in order of time.
    #[inline]
    pub fn record(&mut self, now: SimTime, value: f64) {
        let index = self.index(now);
        match self.kind {
            Kind::Sum => self.totals[index] += value,
            Kind::Last => self.totals[index] = value,
            Kind::Mean => {
                self.totals[index] += value;
                self.weights[index] += 1.0;
            }
            Kind::TimeMean => {
                self.settle(now);
                self.level = value;
            }
        }
    }

    /// Credits the level held since the last record to the bins it was held in.
    fn settle(&mut self, now: SimTime) {
        let end = SimTime::from_nanos(self.bin.times(self.totals.len() as u64).as_nanos().min(now.as_nanos()));
        while self.since < end && !self.level.is_nan() {
            let index = self.index(self.since);
            let until = end.min(SimTime::from_nanos(self.bin.times(index as u64 + 1).as_nanos()));
            let held = (until - self.since).as_secs_f64();
            self.totals[index] += self.level * held;
            self.weights[index] += held;
            self.since = until;
        }
        self.since = now;
    }

    /// The figures, one a bin, with a level taken to hold until `end`. Bins that begin at or after `end` hold NaN, unless
    /// `end` is zero.
    #[must_use]
    pub fn values(&self, end: SimTime) -> Vec<f64> {
        let mut settled = self.clone();
        if self.kind == Kind::TimeMean {
            settled.settle(end);
        }
        let figure = |(index, total): (usize, f64)| {
            if self.bin.times(index as u64).as_nanos() >= end.as_nanos() && end > SimTime::ZERO {
                return f64::NAN;
            }
            match self.kind {
                Kind::Sum | Kind::Last => total,
                // 0 / 0 is NaN, as it should be.
                Kind::Mean | Kind::TimeMean => total / settled.weights[index],
            }
        };
        settled.totals.iter().copied().enumerate().map(figure).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs_f64(seconds)
    }
    const BIN: SimDuration = SimDuration::from_secs(10);

    #[test]
    fn sums_means_and_lasts() {
        let (mut sum, mut mean, mut last) =
            (TimeSeries::new(BIN, 4), TimeSeries::means(BIN, 4), TimeSeries::lasts(BIN, 4));
        for (t, v) in [(0.0, 1.0), (9.999_999_999, 2.0), (10.0, 5.0), (35.0, 4.0), (40.0, 8.0)] {
            sum.record(at(t), v);
            mean.record(at(t), v);
            last.record(at(t), v);
        }
        assert_eq!(sum.values(at(40.0)), [3.0, 5.0, 0.0, 12.0]);
        assert_eq!(format!("{:?}", mean.values(at(40.0))), "[1.5, 5.0, NaN, 6.0]");
        assert_eq!(format!("{:?}", last.values(at(40.0))), "[2.0, 5.0, NaN, 8.0]");
        assert_eq!(format!("{:?}", sum.values(at(20.0))), "[3.0, 5.0, NaN, NaN]");
    }

    #[test]
    fn a_level_is_weighted_by_time() {
        let mut level = TimeSeries::time_means(BIN, 4);
        level.record(at(5.0), 2.0);
        level.record(at(12.5), 6.0);
        assert_eq!(format!("{:?}", level.values(at(35.0))), "[2.0, 5.0, 6.0, 6.0]");
        level.record(at(50.0), 0.0);
        assert_eq!(level.values(at(60.0)), [2.0, 5.0, 6.0, 6.0]);
    }
}
