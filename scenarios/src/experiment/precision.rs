//! How many replications a wanted precision takes.

use crate::Precision;

/// A figure as it is known so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Its mean over replications; NaN if it has no value.
    pub value: f64,
    /// Half the width of its interval at the precision's confidence.
    pub half_width: Option<f64>,
}

impl Known {
    /// Half the width as a share of the figure; 0 for a figure that is the same in all replications, NaN where there is no interval.
    #[must_use]
    pub fn relative(&self) -> f64 {
        match self.half_width {
            Some(half_width) if half_width == 0.0 && self.value.is_finite() => 0.0,
            Some(half_width) => half_width / self.value.abs(),
            None => f64::NAN,
        }
    }
}

impl Precision {
    /// Whether a figure is known precisely enough.
    #[must_use]
    pub fn is_reached(&self, known: &Known) -> bool {
        known.relative() <= self.relative
    }

    /// How many replications there are to be in all after the next round, if `done` gave this; `None` if it is enough, if there may
    /// be no more, or if the figure has no value and more of the same would give none either.
    ///
    /// A half width shrinks with the root of the number of replications. A round at most doubles it, because a variance from few
    /// replications is a guess, and is at least a tenth, because looking after each one would stop at a lucky moment.
    #[must_use]
    pub fn next(&self, done: u32, known: &Known) -> Option<u32> {
        if done >= self.max_replications || self.is_reached(known) || (known.value.is_nan() && done > 1) {
            return None;
        }
        let least = done.saturating_add((done / 10).max(1));
        let most = done.saturating_mul(2).max(least);
        let ratio = known.relative() / self.relative;
        let needed = f64::from(done) * ratio * ratio;
        let needed = if needed.is_finite() { needed.ceil() as u32 } else { most };
        Some(needed.clamp(least, most).min(self.max_replications))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precision() -> Precision {
        Precision { metric: "latency.p99".into(), route: None, relative: 0.05, confidence: 0.95, max_replications: 100 }
    }

    fn known(value: f64, half_width: f64) -> Known {
        Known { value, half_width: Some(half_width) }
    }

    #[test]
    fn rounds_follow_the_square_of_the_width_within_bounds() {
        let precision = precision();
        // Half again as wide as it should be: 2.25 times as many, but at most twice as many at once.
        assert_eq!(precision.next(10, &known(1.0, 0.075)), Some(20));
        assert_eq!(precision.next(10, &known(1.0, 0.06)), Some(15));
        assert_eq!(precision.next(40, &known(-2.0, 0.101)), Some(44));
        assert_eq!(precision.next(10, &known(1.0, 0.05)), None);
        assert_eq!(precision.next(80, &known(1.0, 5.0)), Some(100));
        assert_eq!(precision.next(100, &known(1.0, 5.0)), None);
    }

    #[test]
    fn figures_without_spread_or_value_do_not_run_on() {
        let precision = precision();
        assert_eq!(precision.next(10, &known(0.0, 0.0)), None);
        assert_eq!(precision.next(10, &known(0.0, 0.1)), Some(20));
        assert_eq!(precision.next(10, &Known { value: f64::NAN, half_width: None }), None);
        assert_eq!(precision.next(1, &Known { value: 1.0, half_width: None }), Some(2));
    }
}
