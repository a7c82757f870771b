//! A choice among a fixed number of things, by weight.

use super::DistributionError;
use super::kinds::total_weight;
use crate::random::Source;

/// Chooses an index with probability proportional to its weight, from one draw.
///
/// Searches cumulative weights rather than an alias table: the index then rises with the draw, and when a weight is changed
/// (a canary's share, say) the draws near the moved boundary change their choice and all others keep it. An alias table
/// would deal them anew. For the handful of weights of a scenario it is as fast.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// For each index, the least draw beyond its share, as a fraction of 2^64; the last with a weight has `u64::MAX`.
    bounds: Box<[u64]>,
}

impl Weighted {
    /// A choice by the given weights: finite, not negative, not all 0.
    pub fn new(weights: &[f64]) -> Result<Self, DistributionError> {
        let total = total_weight(weights)?;
        let last = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
        let mut sum = 0.0;
        let bound = |(index, &weight): (usize, &f64)| {
            sum += weight;
            // The cast saturates; from the last weight above 0 on, everything is covered whatever rounding did.
            if index >= last { u64::MAX } else { (sum / total * 18_446_744_073_709_551_616.0) as u64 }
        };
        Ok(Self { bounds: weights.iter().enumerate().map(bound).collect() })
    }

    /// Number of things to choose from.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bounds.len()
    }

    /// Never: there is always something to choose.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    /// Draws an index. One of weight 0 is never drawn.
    #[inline(never)]
    pub fn sample(&self, source: &mut impl Source) -> usize {
        let draw = source.next_u64();
        if self.bounds.len() <= 16 {
            // A short list is faster counted than searched: nothing to predict wrongly.
            let before: usize = self.bounds.iter().map(|&bound| usize::from(bound <= draw)).sum();
            return before.min(self.last());
        }
        self.bounds.partition_point(|&bound| bound <= draw).min(self.last())
    }

    /// The last index with a weight: the one meant by the very greatest draw, which no bound is above.
    #[inline]
    fn last(&self) -> usize {
        self.bounds.partition_point(|&bound| bound < u64::MAX).min(self.bounds.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    struct Fixed(u64);
    impl Source for Fixed {
        fn next_u64(&mut self) -> u64 {
            self.0
        }
    }

    #[test]
    fn frequencies_follow_the_weights() {
        for count in [5usize, 40] {
            let weights: Vec<f64> = (0..count).map(|i| if i % 3 == 1 { 0.0 } else { (i + 1) as f64 }).collect();
            let total: f64 = weights.iter().sum();
            let choice = Weighted::new(&weights).unwrap();
            let mut hits = vec![0u32; count];
            let mut stream = Stream::from_key(3);
            let n = 400_000;
            (0..n).for_each(|_| hits[choice.sample(&mut stream)] += 1);
            for (index, weight) in weights.iter().enumerate() {
                let p = weight / total;
                let half_width = 5.0 * (p * (1.0 - p) / f64::from(n)).sqrt();
                assert!((f64::from(hits[index]) / f64::from(n) - p).abs() <= half_width, "{index}");
            }
        }
    }

    #[test]
    fn weightless_indices_are_never_drawn_even_at_the_ends() {
        let choice = Weighted::new(&[0.0, 1.0, 0.0, 3.0, 0.0]).unwrap();
        assert_eq!(choice.sample(&mut Fixed(0)), 1);
        assert_eq!(choice.sample(&mut Fixed((1 << 62) - 1)), 1);
        assert_eq!(choice.sample(&mut Fixed(1 << 62)), 3);
        assert_eq!(choice.sample(&mut Fixed(u64::MAX)), 3);
        assert_eq!(Weighted::new(&[2.0]).unwrap().sample(&mut Fixed(u64::MAX)), 0);
    }

    #[test]
    fn bad_weights_are_refused() {
        assert_eq!(Weighted::new(&[]), Err(DistributionError::Empty));
        assert_eq!(Weighted::new(&[0.0, 0.0]), Err(DistributionError::WeightsAllZero));
        assert_eq!(Weighted::new(&[1.0, -1.0]), Err(DistributionError::Negative { parameter: "weight", value: -1.0 }));
        assert!(Weighted::new(&[f64::NAN]).is_err() && Weighted::new(&[f64::MAX, f64::MAX]).is_err());
    }
}
