//! The kinds of distribution, each with its quantile function or sampler and its first two moments.

use super::error::{finite, not_negative};
use super::table::QuantileTable;
use super::{Distribution, DistributionError, Weighted};
use crate::math::{exp, gamma, ln, ln_of_share, normal_cdf, normal_density, normal_quantile, pow, sqrt};
use crate::random::{Draws, Source};
use std::sync::Arc;

/// A source of the one draw it is given.
pub(super) struct Once(pub(super) u64);

impl Source for Once {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.0
    }
}

/// Exponential: density exp(-x / mean) / mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    pub(super) mean: f64,
}

impl Exponential {
    /// Long for a `u` near 1, as with every kind here; the complement of a number from `open01` is exact.
    #[inline]
    pub(super) fn at(&self, u: f64) -> f64 {
        -self.mean * ln_of_share(1.0 - u)
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        (self.mean, 2.0 * self.mean * self.mean)
    }
}

/// Uniform on an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    pub(super) low: f64,
    pub(super) width: f64,
}

impl Uniform {
    #[inline]
    pub(super) fn at(&self, u: f64) -> f64 {
        self.low + self.width * u
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        let mean = self.low + 0.5 * self.width;
        (mean, mean * mean + self.width * self.width / 12.0)
    }
}

/// Normal, given that it is not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    mean: f64,
    sd: f64,
    /// Probability that the untruncated variable is not negative.
    kept: f64,
}

impl TruncatedNormal {
    pub(super) fn new(mean: f64, sd: f64) -> Self {
        Self { mean, sd, kept: normal_cdf(mean / sd) }
    }
    #[inline]
    pub(super) fn at(&self, u: f64) -> f64 {
        // From the upper tail, where small probabilities are exact.
        (self.mean - self.sd * normal_quantile((1.0 - u) * self.kept)).max(0.0)
    }
    /// With h = density / probability at the cut: E = mean + sd h, E of the square = mean E + sd^2.
    pub(super) fn moments(&self) -> (f64, f64) {
        let hazard = normal_density(self.mean / self.sd) / self.kept;
        let mean = self.mean + self.sd * hazard;
        (mean, self.mean * mean + self.sd * self.sd)
    }
}

/// Lognormal: its logarithm is normal with mean mu and standard deviation sigma.
#[derive(Clone, Debug, PartialEq)]
pub struct Lognormal {
    mu: f64,
    sigma: f64,
    /// Of the quantile function, where that is not too steep for polynomials.
    pub(super) table: Option<Arc<QuantileTable>>,
}

impl Lognormal {
    pub(super) fn new(mu: f64, sigma: f64) -> Self {
        let is_gentle = sigma <= 3.0 && mu.abs() < 500.0;
        let table = is_gentle.then(|| Arc::new(QuantileTable::new(|u| quantile_of_lognormal(mu, sigma, u))));
        Self { mu, sigma, table }
    }
    #[inline]
    pub(super) fn sample(&self, source: &mut impl Source) -> f64 {
        let draw = source.next_u64();
        let tabled = self.table.as_ref().and_then(|table| table.value(draw));
        tabled.unwrap_or_else(|| self.at(Once(draw).open01()))
    }
    #[cold]
    pub(super) fn at(&self, u: f64) -> f64 {
        quantile_of_lognormal(self.mu, self.sigma, u)
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        let square = self.sigma * self.sigma;
        (exp(self.mu + 0.5 * square), exp(2.0 * self.mu + 2.0 * square))
    }
}

fn quantile_of_lognormal(mu: f64, sigma: f64, u: f64) -> f64 {
    exp(mu + sigma * normal_quantile(u)).min(f64::MAX)
}

/// Gamma, by Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables" (2000), doi:10.1145/358407.358414.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gamma {
    shape: f64,
    scale: f64,
    /// The method's d and c, for the shape or, below 1, for the shape plus 1.
    d: f64,
    c: f64,
}

impl Gamma {
    pub(super) fn new(shape: f64, scale: f64) -> Self {
        let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
        Self { shape, scale, d, c: 1.0 / sqrt(9.0 * d) }
    }
    pub(super) fn sample(&self, draw: u64) -> f64 {
        let mut draws = Draws::branch(draw);
        // A gamma variable of shape a is one of shape a + 1 times a uniform to the power 1/a.
        let boost = if self.shape < 1.0 { pow(draws.open01(), 1.0 / self.shape) } else { 1.0 };
        loop {
            let x = normal_quantile(draws.open01());
            let root = 1.0 + self.c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let u = draws.open01();
            if u < 1.0 - 0.0331 * (x * x) * (x * x) || ln(u) < 0.5 * x * x + self.d * (1.0 - v + ln(v)) {
                return self.d * v * boost * self.scale;
            }
        }
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        let mean = self.shape * self.scale;
        (mean, mean * (mean + self.scale))
    }
}

/// Weibull: P(X > x) = exp(-(x / scale)^shape).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weibull {
    pub(super) shape: f64,
    pub(super) inverse_shape: f64,
    pub(super) scale: f64,
}

impl Weibull {
    #[inline]
    pub(super) fn at(&self, u: f64) -> f64 {
        (self.scale * pow(-ln(1.0 - u), self.inverse_shape)).min(f64::MAX)
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        let first = self.scale * gamma(1.0 + 1.0 / self.shape);
        (first, self.scale * self.scale * gamma(1.0 + 2.0 / self.shape))
    }
}

/// Pareto cut off above: P(X > x) proportional to (low / x)^shape - (low / high)^shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundedPareto {
    shape: f64,
    low: f64,
    high: f64,
    /// Probability that the unbounded variable is at most `high`.
    kept: f64,
    /// -1 / shape.
    exponent: f64,
}

impl BoundedPareto {
    pub(super) fn new(shape: f64, low: f64, high: f64) -> Self {
        let kept = -libm::expm1(shape * ln(low / high));
        Self { shape, low, high, kept, exponent: -1.0 / shape }
    }
    #[inline]
    pub(super) fn at(&self, u: f64) -> f64 {
        (self.low * pow(1.0 - u * self.kept, self.exponent)).clamp(self.low, self.high)
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        (self.moment(1.0), self.moment(2.0))
    }
    /// shape low^k / kept times the integral of y^(k - shape - 1) over y = x / low from 1 to high / low. Written so that it
    /// stays exact where the exponent passes through 0.
    fn moment(&self, k: f64) -> f64 {
        let (power, ln_ratio) = (k - self.shape, ln(self.high / self.low));
        let integral = if power == 0.0 { ln_ratio } else { libm::expm1(power * ln_ratio) / power };
        self.shape * pow(self.low, k) / self.kept * integral
    }
}

/// Linear interpolation between quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    /// Probability and value, both ascending.
    points: Box<[(f64, f64)]>,
}

impl Empirical {
    pub(super) fn new(points: &[(f64, f64)]) -> Result<Self, DistributionError> {
        if points.is_empty() {
            return Err(DistributionError::Empty);
        }
        for (index, &(p, value)) in points.iter().enumerate() {
            if !(0.0..=1.0).contains(&p) {
                return Err(DistributionError::NotAProbability { value: p });
            }
            not_negative("value", value)?;
            if index > 0 && p <= points[index - 1].0 {
                return Err(DistributionError::ProbabilitiesNotAscending { index });
            }
            if index > 0 && value < points[index - 1].1 {
                return Err(DistributionError::ValuesDescending { index });
            }
        }
        Ok(Self { points: points.into() })
    }
    pub(super) fn at(&self, u: f64) -> f64 {
        let above = self.points.partition_point(|&(p, _)| p <= u);
        if above == 0 {
            return self.points[0].1;
        }
        let (p0, v0) = self.points[above - 1];
        match self.points.get(above) {
            Some(&(p1, v1)) => v0 + (v1 - v0) * ((u - p0) / (p1 - p0)),
            None => v0,
        }
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        let (first, last) = (self.points[0], self.points[self.points.len() - 1]);
        let (low, high) = (first.0, 1.0 - last.0);
        let mut mean = low * first.1 + high * last.1;
        let mut square = low * first.1 * first.1 + high * last.1 * last.1;
        for pair in self.points.windows(2) {
            let ((p0, v0), (p1, v1)) = (pair[0], pair[1]);
            mean += (p1 - p0) * 0.5 * (v0 + v1);
            square += (p1 - p0) * (v0 * v0 + v0 * v1 + v1 * v1) / 3.0;
        }
        (mean, square)
    }
}

/// One of several components, by weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    choice: Weighted,
    components: Box<[(f64, Distribution)]>,
    /// Sum of the weights.
    total: f64,
}

impl Mixture {
    pub(super) fn new(choice: Weighted, components: Vec<(f64, Distribution)>) -> Self {
        let total = components.iter().map(|&(weight, _)| weight).sum();
        Self { choice, components: components.into(), total }
    }
    pub(super) fn sample(&self, draw: u64) -> f64 {
        let mut draws = Draws::branch(draw);
        let chosen = self.choice.sample(&mut draws);
        self.components[chosen].1.sample(&mut draws)
    }
    pub(super) fn moments(&self) -> (f64, f64) {
        self.components.iter().fold((0.0, 0.0), |(mean, square), (weight, component)| {
            let (m, s) = component.moments();
            (mean + weight / self.total * m, square + weight / self.total * s)
        })
    }
}

/// Checks weights; returns their sum.
pub(super) fn total_weight(weights: &[f64]) -> Result<f64, DistributionError> {
    if weights.is_empty() {
        return Err(DistributionError::Empty);
    }
    let mut total = 0.0;
    for &weight in weights {
        total += not_negative("weight", weight)?;
    }
    if total == 0.0 {
        return Err(DistributionError::WeightsAllZero);
    }
    finite("sum of weights", total)
}
