//! The queue against Lindley's recursion and against theory.

use super::*;
use crate::distribution::Distribution;
use crate::random::{Draws, Streams};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Runs a station over given arrivals and services; the wait of each job, `None` if it was refused.
fn run(servers: u32, room: Option<u32>, jobs: &[(u64, u64)]) -> (Vec<Option<u64>>, Fifo<usize>) {
    let mut fifo = Fifo::new(servers, room);
    let mut waits = vec![None; jobs.len()];
    let mut ends: BinaryHeap<Reverse<(SimTime, usize)>> = BinaryHeap::new();
    let joined = |job: usize| SimTime::from_nanos(jobs[job].0);
    let complete =
        |fifo: &mut Fifo<usize>, waits: &mut Vec<Option<u64>>, ends: &mut BinaryHeap<Reverse<(SimTime, usize)>>| {
            let Some(Reverse((at, job))) = ends.pop() else { return };
            if let Some(started) = fifo.complete(at, joined(job)) {
                waits[started.job] = Some(started.waited.as_nanos());
                ends.push(Reverse((started.ends, started.job)));
            }
        };
    for (job, &(arrives, service)) in jobs.iter().enumerate() {
        while ends.peek().is_some_and(|&Reverse((at, _))| at.as_nanos() <= arrives) {
            complete(&mut fifo, &mut waits, &mut ends);
        }
        match fifo.offer(SimTime::from_nanos(arrives), job, SimDuration::from_nanos(service)) {
            Offered::Started { ends: at } => {
                waits[job] = Some(0);
                ends.push(Reverse((at, job)));
            }
            Offered::Waits | Offered::Refused => {}
        }
    }
    while !ends.is_empty() {
        complete(&mut fifo, &mut waits, &mut ends);
    }
    (waits, fifo)
}

proptest! {
    /// Kiefer and Wolfowitz: a job takes the server that is free first, from when it is free.
    #[test]
    fn waits_are_those_of_the_recursion(gaps in prop::collection::vec((0..30u64, 0..80u64), 1..200), servers in 1..5u32) {
        let mut arrives = 0;
        let jobs: Vec<(u64, u64)> = gaps.iter().map(|&(gap, service)| { arrives += gap; (arrives, service) }).collect();
        let (waits, fifo) = run(servers, None, &jobs);
        let mut free = vec![0u64; servers as usize];
        for (job, &(arrives, service)) in jobs.iter().enumerate() {
            free.sort_unstable();
            let start = free[0].max(arrives);
            free[0] = start + service;
            prop_assert_eq!(waits[job], Some(start - arrives));
        }
        let end = SimTime::from_nanos(free.into_iter().max().unwrap().max(arrives));
        let checks = fifo.tally.check(end);
        prop_assert!(checks.iter().all(|check| check.holds), "{:?}", checks);
        let observed = fifo.tally.observe("f", "server", end);
        prop_assert_eq!(observed.completions, jobs.len() as u64);
        let mean = waits.iter().map(|w| w.unwrap_or(0)).sum::<u64>() as f64 * 1e-9 / jobs.len() as f64;
        prop_assert!((observed.mean_wait - mean).abs() < 1e-15);
    }

    #[test]
    fn no_more_wait_than_there_is_room(gaps in prop::collection::vec((0..30u64, 0..80u64), 1..200), room in 0..4u32) {
        let mut arrives = 0;
        let jobs: Vec<(u64, u64)> = gaps.iter().map(|&(gap, service)| { arrives += gap; (arrives, service) }).collect();
        let (waits, fifo) = run(2, Some(room), &jobs);
        let observed = fifo.tally.observe("f", "server", SimTime::from_secs(1));
        prop_assert!(observed.max_waiting <= u64::from(room));
        prop_assert_eq!(observed.lost, waits.iter().filter(|wait| wait.is_none()).count() as u64);
        prop_assert_eq!(observed.lost + observed.completions, jobs.len() as u64);
    }
}

/// M/M/c and M/M/1/K against their closed forms, with the half-width of twenty replications at 99.9 %.
#[test]
fn means_are_those_of_theory() {
    let replicate = |rate: f64, mean: f64, servers: u32, room: Option<u32>, of: &dyn Fn(&[Option<u64>]) -> f64| {
        let results: Vec<f64> = (0..20u32)
            .map(|replication| {
                let mut arrivals = Streams::new(u64::from(servers), replication).stream("test", "arrivals");
                let between = Distribution::exponential(1.0 / rate).unwrap();
                let service = Distribution::exponential(mean).unwrap();
                let mut at = 0;
                let jobs: Vec<(u64, u64)> = (0..30_000u64)
                    .map(|job| {
                        at += between.sample_duration(&mut arrivals).as_nanos();
                        let mut draws = Draws::new(job, u64::from(replication));
                        (at, service.sample_duration(&mut draws).as_nanos())
                    })
                    .collect();
                of(&run(servers, room, &jobs).0[2_000..])
            })
            .collect();
        let mean = results.iter().sum::<f64>() / 20.0;
        let variance = results.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / 19.0;
        (mean, crate::math::student_t_quantile(0.9995, 19.0) * (variance / 20.0).sqrt())
    };
    let mean_wait =
        |waits: &[Option<u64>]| waits.iter().map(|w| w.unwrap_or(0) as f64 * 1e-9).sum::<f64>() / waits.len() as f64;
    let refused = |waits: &[Option<u64>]| waits.iter().filter(|w| w.is_none()).count() as f64 / waits.len() as f64;
    let holds = |(mean, half_width): (f64, f64), theory: f64| {
        assert!((mean - theory).abs() < half_width, "{mean} +- {half_width} is not {theory}");
        assert!(half_width < 0.1 * theory, "+- {half_width} says nothing about {theory}");
    };
    // M/M/1 at 70 %: rho / (mu - lambda). M/M/4 at 80 %: Erlang C 0.5964 times 1 / (4 mu - lambda).
    holds(replicate(70.0, 0.01, 1, None, &mean_wait), 0.7 / 30.0);
    let offered: f64 = 3.2;
    let below: f64 =
        (0..4).map(|k| crate::math::pow(offered, f64::from(k)) / crate::math::gamma(f64::from(k + 1))).sum();
    let top = crate::math::pow(offered, 4.0) / 24.0 / (1.0 - 0.8);
    holds(replicate(320.0, 0.01, 4, None, &mean_wait), top / (below + top) / 80.0);
    // M/M/1/3 (two may wait) at load 0.9: the share refused is (1 - a) a^3 / (1 - a^4).
    let a: f64 = 0.9;
    holds(replicate(90.0, 0.01, 1, Some(2), &refused), (1.0 - a) * a * a * a / (1.0 - a * a * a * a));
}

#[test]
fn who_gives_up_leaves_the_queue_and_the_books_close() {
    let (at, ms) = (|n: u64| SimTime::from_nanos(n * 1_000_000), SimDuration::from_millis);
    let mut fifo = Fifo::new(2, None);
    assert_eq!(fifo.offer(at(0), 'a', ms(10)), Offered::Started { ends: at(10) });
    assert_eq!(fifo.offer(at(1), 'b', ms(10)), Offered::Started { ends: at(11) });
    for job in ['c', 'd', 'e'] {
        assert_eq!(fifo.offer(at(2), job, ms(10)), Offered::Waits);
    }
    assert_eq!((fifo.busy(), fifo.waiting(), fifo.in_system()), (2, 3, 5));
    assert_eq!(fifo.complete(at(10), at(0)), Some(Started { job: 'c', ends: at(20), waited: ms(8) }));
    assert_eq!(fifo.renege(at(10), |&job| job == 'd'), Some('d'));
    assert_eq!(fifo.renege(at(10), |&job| job == 'd'), None);
    assert_eq!(fifo.complete(at(11), at(1)).map(|started| (started.job, started.ends)), Some(('e', at(21))));
    assert_eq!(fifo.complete(at(20), at(2)), None);
    assert_eq!(fifo.complete(at(21), at(2)), None);
    assert!(fifo.tally.check(at(25)).iter().all(|check| check.holds), "{:?}", fifo.tally.check(at(25)));
    let observed = fifo.tally.observe("f", "server", at(25));
    assert_eq!((observed.arrivals, observed.completions, observed.lost), (5, 4, 1));
    assert!((observed.utilisation - 40.0 / 50.0).abs() < 1e-12);
}

#[test]
#[should_panic(expected = "a job ends only where one is served")]
fn nothing_ends_where_nothing_is_served() {
    Fifo::<u8>::new(1, None).complete(SimTime::ZERO, SimTime::ZERO);
}
