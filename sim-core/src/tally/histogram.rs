//! Response times: a histogram with bounded relative error.

use crate::SimDuration;

/// Times recorded to three significant digits, in memory that depends on their range and not on their number; count, sum,
/// least and greatest are exact. All figures are in seconds, and NaN where nothing was recorded.
///
/// Wraps an HDR histogram (<https://hdrhistogram.org>). Counts and the sum are integers: merging gives the same result in
/// any order.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    sum: u128,
    min: u64,
    max: u64,
}

/// Significant decimal digits kept of a value.
const DIGITS: u8 = 3;

fn seconds(nanos: u64) -> f64 {
    SimDuration::from_nanos(nanos).as_secs_f64()
}

impl Histogram {
    /// An empty histogram; it grows to the range of what is recorded.
    #[must_use]
    pub fn new() -> Self {
        let counts = hdrhistogram::Histogram::new(DIGITS).expect("three digits are allowed");
        Self { counts, sum: 0, min: u64::MAX, max: 0 }
    }

    /// Records one time.
    #[inline]
    pub fn record(&mut self, time: SimDuration) {
        let nanos = time.as_nanos();
        self.counts.record(nanos).expect("the histogram grows to any value");
        self.sum += u128::from(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
    }

    /// Number of times recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Exact sum of what was recorded, in nanoseconds.
    #[must_use]
    pub fn sum_nanos(&self) -> u128 {
        self.sum
    }

    /// Exact mean in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.is_empty() { f64::NAN } else { self.sum as f64 / self.count() as f64 / 1e9 }
    }

    /// The time in seconds that a share `q` (0..=1) of those recorded do not exceed, to three digits: the middle of the
    /// bucket in which it lies, never outside the least and greatest recorded; exactly these for 0 and 1.
    #[must_use]
    pub fn quantile(&self, q: f64) -> f64 {
        if self.is_empty() {
            return f64::NAN;
        }
        if q <= 0.0 {
            return self.min();
        }
        if q >= 1.0 {
            return self.max();
        }
        // The library answers with the top of the bucket, which is biased upward by half its width.
        let middle = self.counts.median_equivalent(self.counts.value_at_quantile(q));
        seconds(middle.clamp(self.min, self.max))
    }

    /// The greatest time recorded, exactly, in seconds.
    #[must_use]
    pub fn max(&self) -> f64 {
        if self.is_empty() { f64::NAN } else { seconds(self.max) }
    }

    /// The least time recorded, exactly, in seconds.
    #[must_use]
    pub fn min(&self) -> f64 {
        if self.is_empty() { f64::NAN } else { seconds(self.min) }
    }

    /// Adds everything that `other` recorded.
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts).expect("the histogram grows to any value");
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Forgets everything; memory is kept.
    pub fn clear(&mut self) {
        self.counts.reset();
        (self.sum, self.min, self.max) = (0, u64::MAX, 0);
    }

    /// The buckets that hold something, ascending: lower bound (inclusive) and upper bound (exclusive) in seconds, count.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        self.counts.iter_recorded().map(|bucket| {
            let value = bucket.value_iterated_to();
            let lower = self.counts.lowest_equivalent(value);
            (seconds(lower), seconds(self.counts.next_non_equivalent(value)), bucket.count_at_value())
        })
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Source, Stream};

    #[test]
    fn quantiles_are_within_a_thousandth_and_the_mean_is_exact() {
        let mut histogram = Histogram::new();
        let mut stream = Stream::from_key(1);
        let mut all: Vec<u64> = (0..100_000).map(|_| (crate::math::exp(20.0 * stream.uniform())) as u64).collect();
        all.iter().for_each(|&nanos| histogram.record(SimDuration::from_nanos(nanos)));
        all.sort_unstable();
        for q in [0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 0.999_99] {
            let exact = all[(q * all.len() as f64).ceil() as usize - 1] as f64 / 1e9;
            assert!((histogram.quantile(q) - exact).abs() <= 0.000_5 * exact + 1e-9, "{q}: {exact}");
        }
        assert_eq!(histogram.mean(), all.iter().sum::<u64>() as f64 / 1e5 / 1e9);
        assert_eq!((histogram.min(), histogram.max()), (all[0] as f64 / 1e9, all[99_999] as f64 / 1e9));
        assert_eq!((histogram.quantile(0.0), histogram.quantile(1.0)), (histogram.min(), histogram.max()));
        let buckets: Vec<_> = histogram.buckets().collect();
        assert!(buckets.windows(2).all(|w| w[0].1 <= w[1].0) && buckets.iter().all(|b| b.0 < b.1 && b.2 > 0));
        assert_eq!(buckets.iter().map(|b| b.2).sum::<u64>(), 100_000);
    }

    #[test]
    fn merging_is_recording_together_and_extremes_fit() {
        let (mut a, mut b, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for (i, nanos) in [0, 1, 5, 1 << 40, u64::MAX, 77].into_iter().enumerate() {
            let time = SimDuration::from_nanos(nanos);
            if i % 2 == 0 {
                a.record(time)
            } else {
                b.record(time)
            }
            both.record(time);
        }
        a.merge(&b);
        assert_eq!(a.buckets().collect::<Vec<_>>(), both.buckets().collect::<Vec<_>>());
        assert_eq!((a.mean(), a.max(), a.min()), (both.mean(), both.max(), 0.0));
        a.clear();
        assert!(a.is_empty() && a.mean().is_nan() && a.quantile(0.5).is_nan() && a.max().is_nan());
    }

    #[test]
    fn a_single_value_is_every_quantile() {
        let mut histogram = Histogram::new();
        histogram.record(SimDuration::from_nanos(123_456_789));
        for q in [0.0, 0.3, 0.99, 1.0] {
            assert_eq!(histogram.quantile(q), 0.123_456_789);
        }
    }
}
