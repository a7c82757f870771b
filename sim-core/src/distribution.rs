//! Probability distributions of durations (in seconds) and of plain sizes: one vocabulary for the whole simulator.
//!
//! Every sample takes exactly one draw from its source (a constant takes none), so that common random numbers stay in step
//! whatever a distribution's parameters are changed to. Wherever there is a quantile function, the sample is that function
//! of one uniform number and thus rises with it: two variants with different means see the same long and short requests.
//! Gamma, Erlang, mixtures and hyperexponentials branch off a short stream from their one draw instead.

pub mod alias;
mod error;
mod kinds;
mod table;
#[cfg(test)]
mod tests;
pub mod zipf;

pub use alias::Weighted;
pub use error::DistributionError;
pub use kinds::{BoundedPareto, Empirical, Exponential, Gamma, Lognormal, Mixture, TruncatedNormal, Uniform, Weibull};
pub use zipf::Zipf;

use crate::SimDuration;
use crate::math::{ln, normal_quantile, sqrt};
use crate::random::Source;
use error::{finite, not_negative, positive};

/// A distribution of non-negative numbers: seconds where it gives a duration. Made by the constructors only, which check
/// every parameter; afterwards nothing can fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same value.
    Constant(f64),
    /// Exponential.
    Exponential(Exponential),
    /// Uniform on an interval.
    Uniform(Uniform),
    /// Normal, given that it is not negative.
    Normal(TruncatedNormal),
    /// Lognormal.
    Lognormal(Lognormal),
    /// Gamma, and Erlang.
    Gamma(Gamma),
    /// Weibull.
    Weibull(Weibull),
    /// Bounded Pareto.
    Pareto(BoundedPareto),
    /// Linear interpolation between quantiles.
    Empirical(Empirical),
    /// One of several, by weight; hyperexponential too.
    Mixture(Mixture),
}

/// What a constructor returns.
type Made = Result<Distribution, DistributionError>;

impl Distribution {
    /// Always `value`, which must be finite and not negative.
    pub fn constant(value: f64) -> Made {
        Ok(Self::Constant(not_negative("value", value)?))
    }

    /// Exponential with the given mean, which must be finite and above 0.
    pub fn exponential(mean: f64) -> Made {
        Ok(Self::Exponential(Exponential { mean: positive("mean", mean)? }))
    }

    /// Uniform on `low..=high`; `0 <= low <= high`, both finite.
    pub fn uniform(low: f64, high: f64) -> Made {
        let (low, high) = (not_negative("low", low)?, not_negative("high", high)?);
        if low > high {
            return Err(DistributionError::Descending { lower: "low", low, upper: "high", high });
        }
        Ok(if low == high { Self::Constant(low) } else { Self::Uniform(Uniform { low, width: high - low }) })
    }

    /// Normal with the given mean and standard deviation (finite, not negative), given that it is not negative: what is
    /// below 0 is cut off and the rest is scaled up, so that [`Distribution::mean`] is above `mean`, noticeably if `sd` is
    /// more than a third of it.
    pub fn normal(mean: f64, sd: f64) -> Made {
        let (mean, sd) = (not_negative("mean", mean)?, not_negative("sd", sd)?);
        Ok(if sd == 0.0 { Self::Constant(mean) } else { Self::Normal(TruncatedNormal::new(mean, sd)) })
    }

    /// Lognormal with the given mean (above 0) and coefficient of variation (standard deviation over mean, not negative).
    pub fn lognormal_mean_cv(mean: f64, cv: f64) -> Made {
        let (mean, cv) = (positive("mean", mean)?, not_negative("cv", cv)?);
        Self::lognormal_mean_sigma(mean, sqrt(libm::log1p(cv * cv)))
    }

    /// Lognormal with the given median and 99th percentile; `0 < median <= p99`.
    pub fn lognormal_median_p99(median: f64, p99: f64) -> Made {
        let (median, p99) = (positive("median", median)?, positive("p99", p99)?);
        if median > p99 {
            return Err(DistributionError::Descending { lower: "median", low: median, upper: "p99", high: p99 });
        }
        let sigma = ln(p99 / median) / normal_quantile(0.99);
        Ok(if sigma == 0.0 { Self::Constant(median) } else { Self::Lognormal(Lognormal::new(ln(median), sigma)) })
    }

    /// Lognormal with the given mean (above 0) whose logarithm has standard deviation `sigma` (not negative).
    pub fn lognormal_mean_sigma(mean: f64, sigma: f64) -> Made {
        let (mean, sigma) = (positive("mean", mean)?, not_negative("sigma", sigma)?);
        let mu = finite("sigma", ln(mean) - 0.5 * sigma * sigma)?;
        Ok(if sigma == 0.0 { Self::Constant(mean) } else { Self::Lognormal(Lognormal::new(mu, sigma)) })
    }

    /// Gamma with the given shape and scale, both above 0; the mean is their product.
    pub fn gamma_shape_scale(shape: f64, scale: f64) -> Made {
        let (shape, scale) = (positive("shape", shape)?, positive("scale", scale)?);
        Ok(Self::Gamma(Gamma::new(shape, scale)))
    }

    /// Gamma with the given shape and mean, both above 0.
    pub fn gamma_shape_mean(shape: f64, mean: f64) -> Made {
        let (shape, mean) = (positive("shape", shape)?, positive("mean", mean)?);
        Ok(Self::Gamma(Gamma::new(shape, mean / shape)))
    }

    /// Erlang: the sum of `k` (at least 1) exponential stages with the given total mean (above 0).
    pub fn erlang(k: u32, mean: f64) -> Made {
        let mean = positive("mean", mean)?;
        match k {
            0 => Err(DistributionError::NoStages),
            1 => Self::exponential(mean),
            _ => Ok(Self::Gamma(Gamma::new(f64::from(k), mean / f64::from(k)))),
        }
    }

    /// Hyperexponential of two branches with the given mean (above 0) and coefficient of variation (at least 1). Of the
    /// many with these moments, the one with balanced means: either branch contributes half of the mean.
    pub fn hyperexponential(mean: f64, cv: f64) -> Made {
        let (mean, cv) = (positive("mean", mean)?, finite("cv", cv)?);
        if cv < 1.0 {
            return Err(DistributionError::CvBelowOne { cv });
        }
        if cv == 1.0 {
            return Self::exponential(mean);
        }
        let square = cv * cv;
        let p = 0.5 * (1.0 + sqrt((square - 1.0) / (square + 1.0)));
        Self::hyperexponential_branches(&[(p, 0.5 * mean / p), (1.0 - p, 0.5 * mean / (1.0 - p))])
    }

    /// Hyperexponential with explicit branches: weight (not negative, not all 0) and mean (above 0) of each.
    pub fn hyperexponential_branches(branches: &[(f64, f64)]) -> Made {
        let components = branches.iter().map(|&(weight, mean)| Ok((weight, Self::exponential(mean)?)));
        Self::mixture(components.collect::<Result<Vec<_>, DistributionError>>()?)
    }

    /// Weibull with the given shape and scale, both above 0.
    pub fn weibull(shape: f64, scale: f64) -> Made {
        let (shape, scale) = (positive("shape", shape)?, positive("scale", scale)?);
        Ok(Self::Weibull(Weibull { shape, inverse_shape: 1.0 / shape, scale }))
    }

    /// Pareto with the given shape (above 0), bounded to `low..=high`; `0 < low <= high`.
    pub fn pareto(shape: f64, low: f64, high: f64) -> Made {
        let (shape, low, high) = (positive("shape", shape)?, positive("low", low)?, positive("high", high)?);
        if low > high {
            return Err(DistributionError::Descending { lower: "low", low, upper: "high", high });
        }
        Ok(if low == high { Self::Constant(low) } else { Self::Pareto(BoundedPareto::new(shape, low, high)) })
    }

    /// Linear interpolation between quantiles: points `(p, value)` with probabilities `p` strictly ascending in 0..=1 and
    /// values (finite, not negative) not descending. A value stands for all that lies outside the given probabilities: with
    /// `p` from 0.5 to 0.99, half of all samples are the first value and a hundredth are the last.
    pub fn empirical(points: &[(f64, f64)]) -> Made {
        let empirical = Empirical::new(points)?;
        Ok(match points {
            [first, .., last] if first.1 < last.1 => Self::Empirical(empirical),
            _ => Self::Constant(points[0].1),
        })
    }

    /// One of several components, chosen by weight (finite, not negative, not all 0).
    pub fn mixture(components: Vec<(f64, Self)>) -> Made {
        let weights: Vec<f64> = components.iter().map(|&(weight, _)| weight).collect();
        let choice = Weighted::new(&weights)?;
        Ok(Self::Mixture(Mixture::new(choice, components)))
    }

    /// Draws a value. Finite and not negative.
    #[inline]
    pub fn sample(&self, source: &mut impl Source) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential(it) => it.at(source.open01()),
            Self::Lognormal(it) => it.sample(source),
            Self::Uniform(it) => it.at(source.open01()),
            other => other.sample_rare(source.next_u64()),
        }
    }

    /// The kinds that cost more than a call, from one draw.
    fn sample_rare(&self, draw: u64) -> f64 {
        let mut once = kinds::Once(draw);
        match self {
            Self::Normal(it) => it.at(once.open01()),
            Self::Weibull(it) => it.at(once.open01()),
            Self::Pareto(it) => it.at(once.open01()),
            Self::Empirical(it) => it.at(once.open01()),
            Self::Gamma(it) => it.sample(draw),
            Self::Mixture(it) => it.sample(draw),
            Self::Constant(_) | Self::Exponential(_) | Self::Uniform(_) | Self::Lognormal(_) => self.sample(&mut once),
        }
    }

    /// Draws a duration: a value as seconds, rounded to the nearest nanosecond.
    #[inline]
    pub fn sample_duration(&self, source: &mut impl Source) -> SimDuration {
        SimDuration::from_secs_f64(self.sample(source))
    }

    /// The exact mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.moments().0
    }

    /// The exact variance.
    #[must_use]
    pub fn variance(&self) -> f64 {
        let (mean, square) = self.moments();
        (square - mean * mean).max(0.0)
    }

    /// The value, if there is only one.
    #[must_use]
    pub fn is_constant(&self) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(*value),
            _ => None,
        }
    }

    /// Mean, and mean of the square.
    fn moments(&self) -> (f64, f64) {
        match self {
            Self::Constant(value) => (*value, value * value),
            Self::Exponential(it) => it.moments(),
            Self::Uniform(it) => it.moments(),
            Self::Normal(it) => it.moments(),
            Self::Lognormal(it) => it.moments(),
            Self::Gamma(it) => it.moments(),
            Self::Weibull(it) => it.moments(),
            Self::Pareto(it) => it.moments(),
            Self::Empirical(it) => it.moments(),
            Self::Mixture(it) => it.moments(),
        }
    }
}
