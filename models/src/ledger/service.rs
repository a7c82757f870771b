//! How users are served, second by second, and whether that is as before.
//!
//! A second of a route is as before if no more of its operations fail than did before, and those that end well take no longer, but
//! for chance: one percentage point and three standard deviations of a Poisson count more may fail, and the mean latency may be
//! half again as long, and longer by three standard errors of an exponential mean (all assumptions).

use std::collections::VecDeque;

/// How users are served is known from the last so many seconds in which nothing was under way (assumption).
const REMEMBERED: usize = 60;
/// More of the operations may fail than before, as a share.
const MORE_FAIL: f64 = 0.01;
/// The mean latency may be so many times that of before.
const SLOWER: f64 = 1.5;
/// Standard deviations that are put down to chance.
const CHANCE: f64 = 3.0;

/// What became of the operations of a route that started in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Those that ended.
    pub ended: u32,
    /// Those that ended badly.
    pub failed: u32,
    /// The time that the others took, nanoseconds in all.
    pub latency_nanos: u64,
}

/// Sums over some seconds of a route.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    ended: f64,
    failed: f64,
    latency: f64,
}

/// How users of each route were served before something began.
#[derive(Clone, Debug)]
pub(super) struct Baseline(Vec<Sum>);

/// The last seconds.
#[derive(Debug)]
pub(super) struct Service {
    routes: Vec<VecDeque<Second>>,
}

impl Service {
    pub(super) fn new(routes: usize) -> Self {
        Self { routes: vec![VecDeque::with_capacity(REMEMBERED); routes] }
    }

    /// A second in which nothing was under way.
    pub(super) fn learn(&mut self, seen: impl Iterator<Item = Second>) {
        for (route, second) in self.routes.iter_mut().zip(seen) {
            if route.len() == REMEMBERED {
                route.pop_front();
            }
            route.push_back(second);
        }
    }

    pub(super) fn baseline(&self) -> Baseline {
        let sum = |route: &VecDeque<Second>| {
            route.iter().fold(Sum::default(), |sum, second| Sum {
                ended: sum.ended + f64::from(second.ended),
                failed: sum.failed + f64::from(second.failed),
                latency: sum.latency + second.latency_nanos as f64,
            })
        };
        Baseline(self.routes.iter().map(sum).collect())
    }

    /// Whether users of all routes were served in a second as they were before.
    pub(super) fn is_as_before(&self, before: &Baseline, seen: impl Iterator<Item = Second>) -> bool {
        before.0.iter().zip(seen).all(|(before, second)| as_before(before, &second))
    }
}

fn as_before(before: &Sum, second: &Second) -> bool {
    let share = if before.ended > 0.0 { before.failed / before.ended } else { 0.0 };
    let expected = (share + MORE_FAIL) * f64::from(second.ended);
    let well = f64::from(second.ended - second.failed);
    let known = before.ended - before.failed;
    // Where nothing was known of the latency before, it is as before.
    let usual = if known > 0.0 { before.latency / known } else { f64::INFINITY };
    let bound = usual * (SLOWER + CHANCE / well.max(1.0).sqrt());
    f64::from(second.failed) <= expected + CHANCE * expected.sqrt()
        && second.latency_nanos as f64 <= bound * well.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(ended: u32, failed: u32, millis: u64) -> Second {
        Second { ended, failed, latency_nanos: u64::from(ended - failed) * millis * 1_000_000 }
    }

    /// 100 operations a second of 10 ms: 1 % + 3 sqrt(1) = 4 may fail; 10 ms x (1.5 + 3 / sqrt(96)) = 18.06 ms.
    #[test]
    fn a_second_is_as_before_within_chance() {
        let mut service = Service::new(1);
        for _ in 0..100 {
            service.learn([second(100, 0, 10)].into_iter());
        }
        let before = service.baseline();
        let fits = |second: Second| service.is_as_before(&before, [second].into_iter());
        assert!(fits(second(100, 4, 18)) && fits(second(0, 0, 0)));
        assert!(!fits(second(100, 5, 10)), "more fail than before");
        assert!(!fits(second(100, 4, 19)), "they take longer than before");
        // Few operations: chance allows for more.
        assert!(fits(second(4, 0, 29)) && !fits(second(4, 0, 31)));
    }

    #[test]
    fn what_always_failed_is_as_before() {
        let mut service = Service::new(2);
        service.learn([second(10, 2, 5), Second::default()].into_iter());
        let before = service.baseline();
        assert!(service.is_as_before(&before, [second(10, 4, 5), second(5, 0, 900)].into_iter()));
        assert!(!service.is_as_before(&before, [second(10, 9, 5), Second::default()].into_iter()));
    }
}
