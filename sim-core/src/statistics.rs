//! Statistics of simulation output: where the start-up transient ends, whether neighbouring batches are independent, and what
//! several comparisons at once amount to.

/// How many observations MSER-5 takes the mean of first.
pub const MSER_GROUP: usize = 5;

/// How much of a series' beginning is best left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// So many observations, a multiple of [`MSER_GROUP`].
    pub observations: usize,
    /// Whether that is at most half of the series. If it is not, the series has not settled and the rule finds nothing.
    pub settled: bool,
}

/// MSER-5: the truncation that makes the standard error of the mean of what is left smallest. The series is averaged in groups of
/// five; of the truncations by whole groups that leave at least five groups, the one with the least
/// `sum of (z_i - mean of those left)^2 / (number left)^2` is taken, the shortest of equals.
///
/// K. P. White, "An Effective Truncation Heuristic for Bias Reduction in Simulation Output", Simulation 69 (1997), 323-334,
/// doi:10.1177/003754979706900601; in groups: K. P. White, M. J. Cobb, S. C. Spratt, "A Comparison of Five Steady-State
/// Truncation Heuristics for Simulation", Proceedings of the 2000 Winter Simulation Conference. That a minimum in the second
/// half means that the series is too short is theirs, too.
///
/// `None` for a series of fewer than ten groups.
#[must_use]
pub fn mser5(series: &[f64]) -> Option<Truncation> {
    const LEAST_LEFT: usize = 5;
    let groups: Vec<f64> =
        series.chunks_exact(MSER_GROUP).map(|group| group.iter().sum::<f64>() / MSER_GROUP as f64).collect();
    if groups.len() < 2 * LEAST_LEFT {
        return None;
    }
    // From the end, so that one pass serves all truncations (Welford's recurrence).
    let (mut mean, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (left, (cut, value)) in (1..).zip(groups.iter().enumerate().rev()) {
        let off = value - mean;
        mean += off / left as f64;
        squares += off * (value - mean);
        let statistic = squares / (left * left) as f64;
        if left >= LEAST_LEFT && statistic <= best.0 {
            best = (statistic, cut);
        }
    }
    let (_, cut) = best;
    Some(Truncation { observations: cut * MSER_GROUP, settled: 2 * cut <= groups.len() })
}

/// Correlation of neighbours in a series. NaN for fewer than three values or a series that never changes.
#[must_use]
pub fn lag_one_correlation(series: &[f64]) -> f64 {
    if series.len() < 3 {
        return f64::NAN;
    }
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let together: f64 = series.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let alone: f64 = series.iter().map(|value| (value - mean) * (value - mean)).sum();
    together / alone
}

/// Holm's step-down correction: for each p-value the adjusted one and the divisor of the level at which it is tested.
///
/// The `m` p-values are tested from the smallest to the largest, the `j`-th (from 0) at level `alpha / (m - j)`, up to the first that
/// is not significant; all that follow are not either and share its divisor. A hypothesis is rejected if and only if
/// its adjusted p-value is at most `alpha`; the probability that any true one is rejected is at most `alpha`, however the tests
/// depend on each other. (S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics
/// 6 (1979), 65-70.) Equal p-values are tested in their order; a NaN counts as 1.
#[must_use]
pub fn holm(p_values: &[f64], alpha: f64) -> Vec<Holm> {
    let known = |p: f64| if p.is_nan() { 1.0 } else { p };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| known(p_values[a]).total_cmp(&known(p_values[b])));
    let mut results = vec![Holm { adjusted: 1.0, divisor: 1 }; p_values.len()];
    let (mut highest, mut stopped_at) = (0.0_f64, None);
    for (rank, &index) in order.iter().enumerate() {
        let divisor = p_values.len() - rank;
        let p = known(p_values[index]);
        highest = highest.max((p * divisor as f64).min(1.0));
        if stopped_at.is_none() && p * divisor as f64 > alpha {
            stopped_at = Some(divisor);
        }
        results[index] = Holm { adjusted: highest, divisor: stopped_at.unwrap_or(divisor) };
    }
    results
}

/// What [`holm`] makes of one p-value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holm {
    /// The adjusted p-value.
    pub adjusted: f64,
    /// The test is made at the level `alpha / divisor`; an interval at confidence `1 - alpha / divisor` holds zero if and only if the
    /// hypothesis is not rejected.
    pub divisor: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Source, Stream};

    #[test]
    fn mser5_of_a_series_worked_by_hand() {
        // Groups 9, 5, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2 (each five times the same). Left after cutting two: ten groups of mean 1.5 and
        // squared deviation 10 x 0.25 = 2.5, over 10^2 = 0.025. After cutting three: nine groups, mean 14/9, squares 20/9 = 2.2222,
        // over 81 = 0.02743. Cutting one: eleven, mean 20/11, squares 50 - 400/11 = 13.636, over 121 = 0.1127. Cutting none: twelve,
        // mean 29/12, squares 131 - 841/12 = 60.917, over 144 = 0.4230.
        let groups = [9.0, 5.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0];
        let series: Vec<f64> = groups.iter().flat_map(|&value| [value; 5]).collect();
        assert_eq!(mser5(&series), Some(Truncation { observations: 10, settled: true }));
        // What varies within a group does not matter.
        let stirred: Vec<f64> = groups.iter().flat_map(|&v| [v - 2.0, v + 2.0, v, v - 1.0, v + 1.0]).collect();
        assert_eq!(mser5(&stirred), Some(Truncation { observations: 10, settled: true }));
    }

    #[test]
    fn mser5_keeps_all_of_a_level_series_and_finds_nothing_in_a_slope() {
        assert_eq!(mser5(&[3.0; 200]), Some(Truncation { observations: 0, settled: true }));
        let slope: Vec<f64> = (0..500).map(f64::from).collect();
        assert!(!mser5(&slope).unwrap().settled);
        assert_eq!(mser5(&[1.0; 49]), None);
    }

    #[test]
    fn mser5_finds_about_where_a_transient_ends() {
        let mut stream = Stream::from_key(5);
        let mut cuts = Vec::new();
        for _ in 0..200 {
            // A bias of 5 that is halved every 50 observations, under noise of deviation 1: below 0.1 after some 280.
            let series: Vec<f64> = (0..2000)
                .map(|i| 5.0 * crate::math::exp(-f64::from(i) / 72.0) + crate::math::normal_quantile(stream.open01()))
                .collect();
            let cut = mser5(&series).unwrap();
            assert!(cut.settled);
            cuts.push(cut.observations as f64);
        }
        let mean = cuts.iter().sum::<f64>() / 200.0;
        assert!((150.0..400.0).contains(&mean), "{mean}");
    }

    #[test]
    fn neighbours_that_alternate_or_persist() {
        assert!((lag_one_correlation(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]) + 5.0 / 6.0).abs() < 1e-12);
        // 1..=5: deviations -2..2; products 2 + 0 + 0 + 2 over squares 10.
        assert!((lag_one_correlation(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 0.4).abs() < 1e-12);
        assert!(lag_one_correlation(&[1.0, 1.0, 1.0]).is_nan() && lag_one_correlation(&[1.0, 2.0]).is_nan());
    }

    #[test]
    fn holm_by_a_worked_example() {
        // p = 0.01, 0.04, 0.03, 0.005 at 5 %: tested in the order 0.005 (0.0125), 0.01 (0.0167), 0.03 (0.025: stop). Adjusted: 0.02,
        // 0.03, 0.06, and 0.04 x 1 = 0.04, which may not be below its predecessor's 0.06.
        let found = holm(&[0.01, 0.04, 0.03, 0.005], 0.05);
        let adjusted: Vec<f64> = found.iter().map(|one| (one.adjusted * 1e6).round() / 1e6).collect();
        assert_eq!(adjusted, [0.03, 0.06, 0.06, 0.02]);
        assert_eq!(found.iter().map(|one| one.divisor).collect::<Vec<_>>(), [3, 2, 2, 4]);
        assert_eq!(holm(&[], 0.05), []);
        assert_eq!(holm(&[f64::NAN, 0.02], 0.05)[0], Holm { adjusted: 1.0, divisor: 1 });
        assert!(holm(&[0.5, 0.9], 0.05).iter().all(|one| one.adjusted == 1.0 && one.divisor == 2));
    }

    #[test]
    fn holm_rejects_a_true_hypothesis_of_twelve_in_about_five_per_cent() {
        let mut stream = Stream::from_key(11);
        let families = 20_000;
        let wrong = (0..families)
            .filter(|_| {
                let p: Vec<f64> = (0..12).map(|_| stream.uniform()).collect();
                holm(&p, 0.05).iter().any(|one| one.adjusted <= 0.05)
            })
            .count();
        // 1 - (1 - 0.05 / 12)^12 = 4.89 %, deviation 0.15 %.
        assert!((wrong as f64 / f64::from(families) - 0.0489).abs() < 0.006, "{wrong}");
    }
}
