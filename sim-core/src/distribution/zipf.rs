//! Popularity: the k-th most popular of n things is asked for in proportion to 1 / k^s.

use super::DistributionError;
use super::error::not_negative;
use crate::math::{exp, ln};
use crate::random::{Draws, Source};

/// Zipf's law on the ranks 0..n, in constant memory and time.
///
/// Rejection-inversion of W. Hörmann and G. Derflinger, "Rejection-Inversion to Generate Variates from Monotone Discrete
/// Distributions" (1996), doi:10.1145/235025.235029: fewer than 1.4 tries a sample. Takes one draw from its source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zipf {
    n: f64,
    s: f64,
    /// The integral of the density from 1 up to 1.5, less the probability of the first rank; and up to n + 1/2.
    low: f64,
    high: f64,
    /// Distance below which a rounded value is accepted at once.
    sure: f64,
}

impl Zipf {
    /// Ranks 0 (the most popular) to n - 1, with exponent `s`: 0 is uniform, about 1 is usual for web objects. `n` is at
    /// least 1 and meant to be at most 10^12 (beyond 2^50 neighbouring ranks begin to blur); `s` is finite and not negative.
    pub fn new(n: u64, s: f64) -> Result<Self, DistributionError> {
        if n == 0 {
            return Err(DistributionError::NoRanks);
        }
        let s = not_negative("s", s)?;
        let mut zipf = Self { n: n as f64, s, low: 0.0, high: 0.0, sure: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(zipf.n + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.weight(2.0));
        Ok(zipf)
    }

    /// Draws a rank in 0..n.
    #[inline]
    pub fn sample(&self, source: &mut impl Source) -> u64 {
        let mut draws = Draws::branch(source.next_u64());
        loop {
            let u = self.high + draws.open01() * (self.low - self.high);
            let x = self.inverse(u);
            // Clamped: rounding may step outside by one.
            let k = libm::floor(x + 0.5).clamp(1.0, self.n);
            if k - x <= self.sure || u >= self.integral(k + 0.5) - self.weight(k) {
                return k as u64 - 1;
            }
        }
    }

    /// x^-s.
    #[inline]
    fn weight(&self, x: f64) -> f64 {
        exp(-self.s * ln(x))
    }

    /// The integral of t^-s over t from 1 to x: (x^(1-s) - 1) / (1-s), and ln x for s = 1.
    #[inline]
    fn integral(&self, x: f64) -> f64 {
        let ln_x = ln(x);
        let t = (1.0 - self.s) * ln_x;
        if t.abs() > 1e-8 { libm::expm1(t) / t * ln_x } else { ln_x * (1.0 + 0.5 * t) }
    }

    /// The x whose integral is `y`.
    #[inline]
    fn inverse(&self, y: f64) -> f64 {
        let t = (y * (1.0 - self.s)).max(-1.0);
        exp(if t.abs() > 1e-8 { libm::log1p(t) / t * y } else { y * (1.0 - 0.5 * t) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[test]
    fn frequencies_match_exact_probabilities() {
        for (n, s) in [(1, 1.0), (2, 0.5), (10, 0.0), (100, 0.8), (100, 1.0), (1000, 1.0 + 1e-12), (50, 1.3), (20, 6.0)]
        {
            let zipf = Zipf::new(n, s).unwrap();
            let weights: Vec<f64> = (1..=n).map(|k| crate::math::pow(k as f64, -s)).collect();
            let total: f64 = weights.iter().sum();
            let samples = 300_000u32;
            let mut hits = vec![0u32; n as usize];
            let mut stream = Stream::from_key(n);
            (0..samples).for_each(|_| hits[zipf.sample(&mut stream) as usize] += 1);
            // Chi-square over ranks expected at least ten times, within five standard deviations of its mean.
            let (mut chi, mut cells) = (0.0f64, 0.0f64);
            for (hit, weight) in hits.iter().zip(&weights) {
                let expected = weight / total * f64::from(samples);
                if expected >= 10.0 {
                    chi += (f64::from(*hit) - expected) * (f64::from(*hit) - expected) / expected;
                    cells += 1.0;
                }
            }
            assert!(chi <= cells + 5.0 * (2.0 * cells).sqrt(), "n {n}, s {s}: {chi} over {cells}");
        }
    }

    #[test]
    fn a_trillion_ranks_take_no_memory() {
        let zipf = Zipf::new(1_000_000_000_000, 0.9).unwrap();
        let mut stream = Stream::from_key(9);
        let n = 100_000;
        // P(rank < 10^6) = H(10^6) / H(10^12) with H(n) = sum of k^-0.9, by Euler-Maclaurin.
        let harmonic = |n: f64| crate::math::pow(n, 0.1) / 0.1 - 9.430_114_019_402_25 + 0.5 * crate::math::pow(n, -0.9);
        let p = harmonic(1e6) / harmonic(1e12);
        let hits = (0..n).filter(|_| zipf.sample(&mut stream) < 1_000_000).count() as f64;
        let half_width = 5.0 * (p * (1.0 - p) / f64::from(n)).sqrt();
        assert!((hits / f64::from(n) - p).abs() < half_width, "{} instead of {p}", hits / f64::from(n));
    }

    #[test]
    fn bad_parameters_are_refused_and_values_are_pinned() {
        assert_eq!(Zipf::new(0, 1.0), Err(DistributionError::NoRanks));
        assert!(Zipf::new(5, -1.0).is_err() && Zipf::new(5, f64::NAN).is_err());
        let zipf = Zipf::new(1_000_000, 1.1).unwrap();
        let mut stream = Stream::from_key(1);
        assert_eq!(
            (0..6).map(|_| zipf.sample(&mut stream)).collect::<Vec<_>>(),
            [69_899, 4_054, 2_518, 4_447, 89, 136]
        );
    }
}
