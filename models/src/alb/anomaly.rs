//! Automatic target weights: targets that fail far more often than their peers, and how much of the traffic they get.
//!
//! AWS looks at 5xx answers and failed connections of each target relative to the others', where at least three are healthy, and
//! cuts an anomalous target's traffic step by step until it recovers or the traffic is negligible, then ramps it back. It says
//! nothing of windows and steps (blog "Automatic Target Weights"); assumption A6 is what follows.

use sim_core::SimDuration;

/// How often weights change, and how far back errors are counted (assumption A6).
pub(super) const WINDOW: SimDuration = SimDuration::from_secs(10);
/// Fewest targets that can be told apart.
const PEERS: usize = 3;
/// Fewest errors of a window that say something (assumption).
const ERRORS: u32 = 3;
/// An anomalous target's share of errors is more than twice that of the others and this (assumption).
const MARGIN: f64 = 0.05;
/// Least weight (assumption A6).
const FLOOR: f64 = 0.01;
/// What a window without an anomaly gives back (assumption A6).
const STEP: f64 = 0.1;

/// What became of a target's requests in a window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    pub(super) answers: u32,
    pub(super) errors: u32,
}

/// Which targets are anomalous.
pub(super) fn find(recent: &[Recent]) -> Vec<bool> {
    let sum = |of: fn(&Recent) -> u32| recent.iter().map(|it| f64::from(of(it))).sum::<f64>();
    let (answers, errors) = (sum(|it| it.answers), sum(|it| it.errors));
    let anomalous = |it: &Recent| {
        let (of_others, bad) = (answers - f64::from(it.answers), errors - f64::from(it.errors));
        let peers = if of_others > 0.0 { bad / of_others } else { 0.0 };
        it.errors >= ERRORS && f64::from(it.errors) > (2.0 * peers + MARGIN) * f64::from(it.answers)
    };
    recent.iter().map(|it| recent.len() >= PEERS && anomalous(it)).collect()
}

/// The weight after a window: half while anomalous, ten points more otherwise.
pub(super) fn weight(before: f64, anomalous: bool) -> f64 {
    if anomalous { (before / 2.0).max(FLOOR) } else { (before + STEP).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(answers: u32, errors: u32) -> Recent {
        Recent { answers, errors }
    }

    #[test]
    fn who_fails_far_more_often_than_the_others_is_anomalous() {
        assert_eq!(find(&[recent(100, 0), recent(100, 30), recent(100, 1)]), [false, true, false]);
        // All alike: the dependency behind them fails, not one of them.
        assert_eq!(find(&[recent(100, 30); 3]), [false; 3]);
        // Too few peers, too few errors.
        assert_eq!(find(&[recent(100, 0), recent(100, 100)]), [false; 2]);
        assert_eq!(find(&[recent(100, 0), recent(2, 2), recent(100, 0)]), [false; 3]);
    }

    #[test]
    fn weights_halve_to_the_floor_and_come_back_by_ten_points() {
        let mut course = vec![1.0];
        for _ in 0..8 {
            course.push(weight(course[course.len() - 1], true));
        }
        assert_eq!(course[..4], [1.0, 0.5, 0.25, 0.125]);
        assert_eq!(course[7..], [FLOOR, FLOOR]);
        assert!((weight(0.25, false) - 0.35).abs() < 1e-12 && weight(0.95, false) == 1.0);
    }
}
