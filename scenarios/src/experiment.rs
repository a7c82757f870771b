//! An experiment: the same architecture run several times with independent random streams, side by side.

mod precision;
mod warm_up;

use std::any::Any;
use std::borrow::Borrow;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use models::Architecture;
use models::client::{Arrivals, RateProfile};
use rayon::prelude::*;
use sim_core::SimTime;
use sim_core::observations::Observations;

pub use precision::Known;
pub use warm_up::{FoundWarmUp, PILOTS, find_warm_up};

/// A replication broke an invariant of the simulator. No input is to blame: it is a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the replication, from 0.
    pub replication: u32,
    /// What the assertion said.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replication {} broke off: {}", self.replication, self.message)
    }
}

impl std::error::Error for Fault {}

/// Runs replications 0..`replications` on `threads` threads (at least one) and returns what they left behind in that order,
/// which does not depend on the number of threads. `progress` is told how many have finished, from whichever thread it was.
///
/// # Errors
/// If a replication panics. The panic is told by the process's panic hook as always; the others are not waited for.
pub fn run(
    architecture: &Architecture,
    seed: u64,
    replications: u32,
    threads: usize,
    progress: &(dyn Fn(u32) + Sync),
) -> Result<Vec<Observations>, Fault> {
    run_some(architecture, seed, 0..replications, threads, progress)
}

/// The same for some of the replications, by their numbers.
///
/// # Errors
/// If a replication panics.
pub fn run_some(
    architecture: &Architecture,
    seed: u64,
    replications: Range<u32>,
    threads: usize,
    progress: &(dyn Fn(u32) + Sync),
) -> Result<Vec<Observations>, Fault> {
    fan_out(replications, threads, progress, &|replication| models::simulate(architecture, seed, replication))
}

/// Runs the replications of a range side by side, on the threads of [`with_threads`] if inside of it; `architecture` gives each
/// what it runs. They come in their order.
///
/// # Errors
/// As [`run`].
pub fn replications<A: Borrow<Architecture>>(
    seed: u64,
    range: Range<u32>,
    architecture: &(dyn Fn(u32) -> A + Sync),
) -> Result<Vec<Observations>, Fault> {
    let simulate = |replication| models::simulate(architecture(replication).borrow(), seed, replication);
    range.into_par_iter().with_max_len(1).map(|replication| caught(replication, &simulate)).collect()
}

/// Does something for each of many things side by side, each thing perhaps in parts that are done side by side themselves.
///
/// # Errors
/// The first that anything ends with; what has not begun by then is left.
pub fn for_each<T: Sync, E: Send>(things: &[T], work: &(dyn Fn(&T) -> Result<(), E> + Sync)) -> Result<(), E> {
    things.par_iter().with_max_len(1).try_for_each(work)
}

/// Does something with so many threads (at least one) for what it does side by side.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).thread_name(|n| format!("replications {n}"));
    match pool.build() {
        Ok(pool) => pool.install(work),
        // The system gives no thread: those there are will do.
        Err(_) => work(),
    }
}

fn caught<T>(replication: u32, simulate: &(dyn Fn(u32) -> T + Sync)) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(|| simulate(replication)))
        .map_err(|payload| Fault { replication, message: panic_message(payload.as_ref()).to_owned() })
}

fn fan_out<T: Send>(
    numbers: Range<u32>,
    threads: usize,
    progress: &(dyn Fn(u32) + Sync),
    simulate: &(dyn Fn(u32) -> T + Sync),
) -> Result<Vec<T>, Fault> {
    let finished = AtomicU32::new(0);
    let one = |replication: u32| {
        let result = caught(replication, simulate)?;
        progress(finished.fetch_add(1, Ordering::Relaxed) + 1);
        Ok(result)
    };
    let threads = threads.min(numbers.len());
    with_threads(threads, || numbers.into_par_iter().with_max_len(1).map(one).collect())
}

/// What a panic said.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Multiplies the rates of all open traffic by a factor, and says whether there was any. The customers stay the same and come
/// closer together. Closed traffic and replays stay as they are.
pub fn scale_open_traffic(architecture: &mut Architecture, factor: f64) -> bool {
    let mut any = false;
    for source in &mut architecture.traffic {
        if let Arrivals::Open { rate, .. } = &mut source.arrivals {
            rate.points.iter_mut().for_each(|(_, rate)| *rate *= factor);
            any = true;
        }
    }
    any
}

/// How many operations a run is expected to start: what open sources send on average and what replayed logs hold within the
/// run's duration. Closed sources are not in it: how often their users ask depends on the answers.
#[must_use]
pub fn expected_operations(architecture: &Architecture) -> f64 {
    let horizon = architecture.run.horizon();
    let of_source = |arrivals: &Arrivals| match arrivals {
        Arrivals::Open { rate, .. } => mean_arrivals(rate, horizon),
        Arrivals::Closed { .. } => 0.0,
        Arrivals::Replay(records) => records.partition_point(|record| record.at < horizon) as f64,
    };
    architecture.traffic.iter().map(|source| of_source(&source.arrivals)).sum()
}

/// The area under a rate from the start to the horizon.
fn mean_arrivals(rate: &RateProfile, horizon: SimTime) -> f64 {
    let (Some(&(_, first)), Some(&(_, last))) = (rate.points.first(), rate.points.last()) else { return 0.0 };
    let horizon_s = horizon.as_secs_f64();
    let mut before = (0.0, first);
    let mut area = 0.0;
    for point in rate.points.iter().map(|&(at, rate)| (at.as_secs_f64(), rate)).chain([(f64::INFINITY, last)]) {
        let until = point.0.min(horizon_s);
        let length = point.0 - before.0;
        let rate_until = if length > 0.0 && length.is_finite() {
            before.1 + (point.1 - before.1) * (until - before.0) / length
        } else {
            point.1
        };
        area += (until - before.0) * (before.1 + rate_until) / 2.0;
        if point.0 >= horizon_s {
            break;
        }
        before = point;
    }
    area
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    const SILENT: &(dyn Fn(u32) + Sync) = &|_| {};

    #[test]
    fn results_come_in_the_order_of_replications_whatever_the_threads() {
        // The first take longest, so that later ones finish before them.
        let slow_first = |replication: u32| {
            let rounds = 200_000 / (u64::from(replication) + 1);
            (0..rounds).fold(u64::from(replication), |x, n| x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n))
        };
        let alone = fan_out(0..20, 1, SILENT, &slow_first).unwrap();
        for threads in [0, 2, 3, 64] {
            assert_eq!(fan_out(0..20, threads, SILENT, &slow_first).unwrap(), alone);
        }
        assert_eq!(alone, (0..20).map(slow_first).collect::<Vec<_>>());
    }

    #[test]
    fn progress_hears_of_every_replication() {
        let (calls, most) = (AtomicU32::new(0), AtomicU32::new(0));
        let progress = |finished| {
            calls.fetch_add(1, Ordering::Relaxed);
            most.fetch_max(finished, Ordering::Relaxed);
        };
        fan_out(0..9, 2, &progress, &|replication| replication).unwrap();
        assert_eq!((calls.into_inner(), most.into_inner()), (9, 9));
        assert_eq!(fan_out(0..0, 2, SILENT, &|replication| replication).unwrap(), Vec::<u32>::new());
    }

    #[test]
    fn a_panic_becomes_a_fault_that_names_the_replication() {
        let broken = |replication: u32| assert!(replication != 3, "time runs backwards in {replication}");
        for threads in [1, 2] {
            let fault = fan_out(0..8, threads, SILENT, &broken).unwrap_err();
            assert_eq!(fault.to_string(), "replication 3 broke off: time runs backwards in 3");
        }
    }

    #[test]
    fn mean_arrivals_are_the_area_under_the_rate() {
        let area = |points: &[(u64, f64)], horizon| {
            let points = points.iter().map(|&(at, rate)| (SimTime::from_secs(at), rate)).collect();
            mean_arrivals(&RateProfile { points }, SimTime::from_secs(horizon))
        };
        assert_eq!(area(&[(0, 5.0)], 10), 50.0);
        assert_eq!(area(&[(4, 5.0)], 10), 50.0);
        assert_eq!(area(&[(0, 0.0), (10, 10.0)], 10), 50.0);
        assert_eq!(area(&[(0, 0.0), (10, 10.0)], 5), 12.5);
        assert_eq!(area(&[(0, 1.0), (10, 1.0), (10, 3.0)], 20), 40.0);
        assert_eq!(area(&[(0, 1.0), (10, 1.0), (10, 3.0), (20, 5.0)], 30), 100.0);
        assert_eq!(area(&[], 30), 0.0);
    }
}
