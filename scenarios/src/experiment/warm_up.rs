//! Finding the warm-up: MSER-5 on latencies by arrival time, averaged over a few pilot runs.

use models::Architecture;
use models::architecture::Spans;
use sim_core::observations::{ArrivalWindow, Observations};
use sim_core::statistics::{MSER_GROUP, mser5};
use sim_core::{SimDuration, SimTime};

use super::{Fault, expected_operations, run};
use crate::validate::run::steady_until;

/// Runs whose latencies are averaged before the rule is applied: alone, the noise of one run would decide. They are the first
/// replications, however many there will be in the end.
pub const PILOTS: u32 = 5;
/// Windows of arrival time that a run is divided into, at most and at least.
const WINDOWS: (u32, u32) = (2000, 100);
/// Fewer operations a window than this would only be noise.
const LEAST_IN_WINDOW: f64 = 5.0;

/// A warm-up that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundWarmUp {
    /// How much is to be left out.
    pub warm_up: SimDuration,
    /// Whether latency settled at all. If not, half of the stretch that was searched is left out.
    pub settled: bool,
    /// The stretch that was searched: up to the first planned change, or the end of the run.
    pub searched: SimDuration,
}

/// Finds the warm-up of a scenario whose own is `auto`: the architecture is run [`PILOTS`] times up to the first planned change (a
/// deployment, a fault, a change of a rate). Depends on the scenario and the seed only.
///
/// # Errors
/// If a pilot panics.
pub fn find_warm_up(architecture: &Architecture, seed: u64, threads: usize) -> Result<FoundWarmUp, Fault> {
    let mut pilot = architecture.clone();
    pilot.run.warm_up = SimDuration::ZERO;
    pilot.run.duration = steady_until(architecture).since(SimTime::ZERO);
    let expected = expected_operations(&pilot) * f64::from(PILOTS);
    let windows = if expected > 0.0 { (expected / LEAST_IN_WINDOW) as u32 } else { WINDOWS.0 };
    pilot.run.spans = Spans { arrival_windows: windows.clamp(WINDOWS.1, WINDOWS.0), ..Spans::default() };
    let runs = run(&pilot, seed, PILOTS, threads, &|_| {})?;
    Ok(settle(&together(&runs), pilot.run.duration))
}

/// The windows of all pilots, added up.
fn together(runs: &[Observations]) -> Vec<ArrivalWindow> {
    let mut sums = vec![ArrivalWindow::default(); runs.first().map_or(0, |run| run.latency_by_arrival.len())];
    for window in runs.iter().map(|run| &run.latency_by_arrival) {
        for (sum, one) in sums.iter_mut().zip(window) {
            sum.count += one.count;
            sum.latency_sum_nanos += one.latency_sum_nanos;
        }
    }
    sums
}

/// Applies the rule. Windows in which nobody arrived say nothing and are passed over.
fn settle(windows: &[ArrivalWindow], searched: SimDuration) -> FoundWarmUp {
    let known = windows.iter().enumerate().filter(|(_, window)| window.count > 0);
    let (places, means): (Vec<usize>, Vec<f64>) =
        known.map(|(place, window)| (place, window.latency_sum_nanos as f64 / window.count as f64)).unzip();
    let begin_of = |place: usize| searched.scale(place as f64 / windows.len() as f64);
    match mser5(&means) {
        Some(cut) if cut.settled => {
            let place = if cut.observations < MSER_GROUP { 0 } else { places[cut.observations] };
            FoundWarmUp { warm_up: begin_of(place), settled: true, searched }
        }
        _ => FoundWarmUp { warm_up: searched.scale(0.5), settled: false, searched },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(means: impl IntoIterator<Item = u64>) -> Vec<ArrivalWindow> {
        means
            .into_iter()
            .map(|mean| match mean {
                0 => ArrivalWindow::default(),
                _ => ArrivalWindow { count: 2, latency_sum_nanos: 2 * u128::from(mean) },
            })
            .collect()
    }

    #[test]
    fn what_is_cut_is_cut_in_time() {
        let searched = SimDuration::from_secs(1000);
        // 100 windows of ten seconds: twenty slow ones, then level. The same with nobody in every second window.
        let level = (0..100).map(|n| if n < 20 { 9000 } else { 1000 + n % 3 });
        let found = settle(&windows(level.clone()), searched);
        assert_eq!(found, FoundWarmUp { warm_up: SimDuration::from_secs(200), settled: true, searched });
        let found = settle(&windows(level.flat_map(|mean| [mean, 0])), searched);
        assert_eq!(found.warm_up, SimDuration::from_secs(200));
    }

    #[test]
    fn what_grows_to_the_end_has_not_settled() {
        let searched = SimDuration::from_secs(60);
        let found = settle(&windows((1..200).map(|n| n * 1000)), searched);
        assert_eq!(found, FoundWarmUp { warm_up: SimDuration::from_secs(30), settled: false, searched });
        assert!(!settle(&windows([1, 2, 3]), searched).settled);
    }
}
