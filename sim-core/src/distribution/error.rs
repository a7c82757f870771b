//! What can be wrong with the parameters of a distribution.

use std::fmt;

/// A parameter that a distribution cannot have. Each says which one, what was given and what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub enum DistributionError {
    /// Infinite or not a number.
    NotFinite {
        /// Which parameter.
        parameter: &'static str,
        /// What was given.
        value: f64,
    },
    /// Below 0, where 0 and more are allowed.
    Negative {
        /// Which parameter.
        parameter: &'static str,
        /// What was given.
        value: f64,
    },
    /// 0 or below, where only numbers above are allowed.
    NotPositive {
        /// Which parameter.
        parameter: &'static str,
        /// What was given.
        value: f64,
    },
    /// Two parameters in the wrong order.
    Descending {
        /// The one that must not be greater.
        lower: &'static str,
        /// Its value.
        low: f64,
        /// The one that must not be less.
        upper: &'static str,
        /// Its value.
        high: f64,
    },
    /// A hyperexponential distribution varies at least as much as an exponential one.
    CvBelowOne {
        /// The coefficient of variation given.
        cv: f64,
    },
    /// An Erlang distribution of no stages.
    NoStages,
    /// A probability outside 0..=1.
    NotAProbability {
        /// What was given.
        value: f64,
    },
    /// Probabilities of quantiles that do not ascend strictly.
    ProbabilitiesNotAscending {
        /// Place of the first point that is not above the one before it, from 0.
        index: usize,
    },
    /// Values of quantiles that descend.
    ValuesDescending {
        /// Place of the first point that is below the one before it, from 0.
        index: usize,
    },
    /// No quantile points, no components or no weights.
    Empty,
    /// Weights of which none is above 0.
    WeightsAllZero,
    /// A choice among no ranks.
    NoRanks,
}

impl std::error::Error for DistributionError {}

impl fmt::Display for DistributionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { parameter, value } => write!(f, "{parameter} is {value}; it must be a finite number"),
            Self::Negative { parameter, value } => write!(f, "{parameter} is {value}; it must be 0 or more"),
            Self::NotPositive { parameter, value } => write!(f, "{parameter} is {value}; it must be above 0"),
            Self::Descending { lower, low, upper, high } => {
                write!(f, "{lower} is {low} and {upper} is {high}; {lower} must not be greater than {upper}")
            }
            Self::CvBelowOne { cv } => write!(
                f,
                "cv is {cv}; a hyperexponential distribution has a coefficient of variation of 1 or more (below 1, use \
                 erlang, gamma or lognormal)"
            ),
            Self::NoStages => f.write_str("k is 0; an Erlang distribution has at least 1 stage"),
            Self::NotAProbability { value } => write!(f, "{value} is not a probability; it must lie in 0..=1"),
            Self::ProbabilitiesNotAscending { index } => {
                write!(f, "point {index}: the probabilities of quantiles must ascend from point to point")
            }
            Self::ValuesDescending { index } => {
                write!(f, "point {index}: the values of quantiles must not descend from point to point")
            }
            Self::Empty => f.write_str("the list is empty; at least one entry is needed"),
            Self::WeightsAllZero => f.write_str("all weights are 0; at least one must be above"),
            Self::NoRanks => f.write_str("n is 0; at least one rank is needed"),
        }
    }
}

pub(super) fn finite(parameter: &'static str, value: f64) -> Result<f64, DistributionError> {
    if value.is_finite() { Ok(value) } else { Err(DistributionError::NotFinite { parameter, value }) }
}

pub(super) fn not_negative(parameter: &'static str, value: f64) -> Result<f64, DistributionError> {
    if finite(parameter, value)? < 0.0 {
        Err(DistributionError::Negative { parameter, value })
    } else {
        Ok(value + 0.0)
    }
}

pub(super) fn positive(parameter: &'static str, value: f64) -> Result<f64, DistributionError> {
    if finite(parameter, value)? <= 0.0 { Err(DistributionError::NotPositive { parameter, value }) } else { Ok(value) }
}
