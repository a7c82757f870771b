//! Student intervals over replications.

use sim_core::math::student_t_quantile;

use crate::model::Estimate;

/// The level at which intervals hold, such as 0.95.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level(pub(crate) f64);

impl Level {
    /// Mean of the values that are numbers, and half the width of the interval: Student's quantile times the standard error.
    /// (Law, Simulation Modeling and Analysis, section 4.5.)
    pub(crate) fn estimate(self, values: &[f64]) -> Estimate {
        let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let Some(&first) = known.first() else {
            return Estimate { value: f64::NAN, half_width: None };
        };
        if known.len() == 1 {
            return Estimate { value: first, half_width: None };
        }
        // Equal values have themselves as mean, to the bit, and no spread: rounding must not make one.
        if known.iter().all(|value| *value == first) {
            return Estimate { value: first, half_width: Some(0.0) };
        }
        let n = known.len() as f64;
        let mean = known.iter().sum::<f64>() / n;
        let squares: f64 = known.iter().map(|value| (value - mean) * (value - mean)).sum();
        let standard_error = (squares / (n - 1.0) / n).sqrt();
        let quantile = student_t_quantile(0.5 + self.0 / 2.0, n - 1.0);
        Estimate { value: mean, half_width: Some(quantile * standard_error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-6
    }

    #[test]
    fn the_interval_of_five_values_is_the_textbook_one() {
        // Mean 3, variance 2.5, standard error sqrt(0.5), t(0.975, 4) = 2.776445.
        let found = Level(0.95).estimate(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(close(found.value, 3.0));
        assert!(close(found.half_width.unwrap(), 1.963_243), "{found:?}");
        // Law's example 4.26 (ten values): mean 1.34, variance 0.17, and t(0.95, 9) = 1.833 for 90 %.
        let law = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09];
        let found = Level(0.90).estimate(&law);
        assert!((found.value - 1.343).abs() < 1e-9);
        assert!((found.half_width.unwrap() - 0.24).abs() < 0.005, "{found:?}");
    }

    #[test]
    fn few_or_equal_or_missing_values() {
        let level = Level(0.95);
        assert_eq!(level.estimate(&[0.1]), Estimate { value: 0.1, half_width: None });
        assert_eq!(level.estimate(&[0.1, 0.1, 0.1]), Estimate { value: 0.1, half_width: Some(0.0) });
        assert!(level.estimate(&[]).value.is_nan());
        assert!(level.estimate(&[f64::NAN, f64::NAN]).value.is_nan());
        assert_eq!(level.estimate(&[f64::NAN, 2.0]), Estimate { value: 2.0, half_width: None });
    }
}
