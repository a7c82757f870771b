//! What is said of figures that cannot be trusted, and that nothing is said of those that can.

#[allow(dead_code, missing_docs, reason = "each file uses what it needs")]
mod common;

use common::{Dice, experiment, nothing, route};
use reports::model::{Doubt, FoundWarmUp, PrecisionResult, Report};
use reports::{Experiment, estimate};
use sim_core::observations::Observations;
use sim_core::{SimDuration, SimTime};

/// A quiet hour of one route with so many operations.
fn hour(replication: u32, operations: u64) -> Observations {
    let mut dice = Dice::new(u64::from(replication) + 1);
    let mut route = route("users /", &mut dice, operations, 0.05, &[]);
    (route.started, route.in_flight) = (route.succeeded + 2, 2);
    Observations {
        horizon: SimTime::from_secs(3600),
        routes: vec![route],
        in_flight: (0..240).map(|_| 5 + (dice.share() * 5.0) as u64).collect(),
        ..nothing(replication)
    }
}

fn of(replications: Vec<Observations>) -> Experiment {
    Experiment { replications, expectations: vec![], ..experiment(1) }
}

fn report(experiment: &Experiment) -> Report {
    estimate(experiment).expect("no expectations")
}

fn doubts(experiment: &Experiment) -> Vec<Doubt> {
    report(experiment).cautions.iter().map(|caution| caution.kind).collect()
}

fn hours(operations: u64) -> Vec<Observations> {
    (0..10).map(|replication| hour(replication, operations)).collect()
}

#[test]
fn a_good_run_is_not_doubted() {
    let good = report(&of(hours(20_000)));
    assert_eq!(good.cautions, []);
    assert!(!good.to_terminal(false, 100).contains("To be taken with care"));
    assert!(!good.to_html().contains("To be taken with care"));
}

#[test]
fn a_queue_that_grows_to_the_end_is_told_and_nothing_else() {
    let grown = |operations| {
        let mut all = hours(operations);
        for one in &mut all {
            one.in_flight.iter_mut().zip(0..).for_each(|(n, bin)| *n += bin * 4);
            one.routes[0].in_flight = 960;
        }
        all
    };
    let all = grown(20_000);
    assert_eq!(doubts(&of(all.clone())), [Doubt::Growing]);
    let text = report(&of(all.clone())).to_terminal(false, 400);
    // The line rises by 4 a bin, in the second half from about 480 + 7 to 956 + 7; 10,000 arrive meanwhile.
    assert!(text.contains("in the second half from 487 to 963 (4.7"), "{text}");
    // One replication says so too, if it rises all the time.
    assert_eq!(doubts(&of(all[..1].to_vec())), [Doubt::Growing]);
    // What grows by next to nothing of what arrives does not.
    assert!(!doubts(&of(grown(2_000_000))).contains(&Doubt::Growing));
}

#[test]
fn a_queue_that_has_grown_and_is_level_is_not_said_to_grow() {
    let mut all = hours(20_000);
    for one in &mut all {
        one.in_flight.iter_mut().zip(0..).for_each(|(n, bin)| *n += 900.min(bin * 10));
    }
    assert!(!doubts(&of(all)).contains(&Doubt::Growing));
}

#[test]
fn a_warm_up_that_was_not_found_is_told_with_the_length_it_takes() {
    let found = FoundWarmUp { rule: "mser5", pilots: 5, searched_s: 3600.0, settled: false };
    let early = FoundWarmUp { searched_s: 600.0, ..found.clone() };
    let early = report(&Experiment { warm_up_found: Some(early), ..of(hours(20_000)) });
    let advice = early.cautions[0].advice.as_deref().unwrap_or_default();
    assert!(advice.starts_with("let the first change that is planned") && advice.contains("after 20 min"), "{advice}");
    let experiment = Experiment { warm_up_found: Some(found), ..of(hours(20_000)) };
    let report = report(&experiment);
    assert_eq!(report.cautions[0].kind, Doubt::NotSettled);
    assert!(report.cautions[0].advice.as_ref().is_some_and(|advice| advice.contains("2 h")), "{:?}", report.cautions);
    assert!(report.to_terminal(false, 200).contains("MSER-5 found no end of the warm-up"));
}

#[test]
fn unfinished_operations_are_told() {
    let mut all = hours(20_000);
    for one in &mut all {
        (one.routes[0].in_flight, one.routes[0].started) = (400, one.routes[0].succeeded + 400);
    }
    let report = report(&of(all));
    assert_eq!(report.cautions[0].kind, Doubt::Unfinished);
    assert_eq!(report.cautions[0].advice.as_deref(), Some("run about 8 times as long"));
}

#[test]
fn few_operations_in_the_tail_and_wide_intervals_are_told_with_what_they_take() {
    let mut all = hours(2_500);
    let few = report(&of(all.clone()));
    let tail = few.cautions.iter().find(|caution| caution.kind == Doubt::FewInTail).expect("p99.9 of 2,500");
    assert_eq!(tail.advice.as_deref(), Some("run about 4 times as long"));
    assert!(tail.text.contains("for p99.9 of users /: about 2.5 lie beyond"), "{}", tail.text);
    // Two very different replications: t(0.975, 1) = 12.7.
    all.truncate(1);
    let mut dice = Dice::new(77);
    all.push(Observations { routes: vec![route("users /", &mut dice, 2_500, 0.1, &[])], ..hour(1, 2_500) });
    let wide = report(&of(all));
    let wide = wide.cautions.iter().find(|caution| caution.kind == Doubt::WideInterval).expect("it is wide");
    assert!(wide.advice.as_ref().is_some_and(|advice| advice.contains("replications for 10 %")), "{wide:?}");
}

#[test]
fn a_precision_that_was_not_reached_is_told_with_the_replications_it_takes() {
    let precision = PrecisionResult {
        metric: "latency.p99".into(),
        route: None,
        relative: 0.01,
        reached_relative: 0.02,
        confidence: 0.95,
        max_replications: 10,
        reached: false,
    };
    let missed = report(&Experiment { precision: Some(precision.clone()), ..of(hours(20_000)) });
    assert_eq!(missed.cautions[0].kind, Doubt::Imprecise);
    assert_eq!(missed.cautions[0].advice.as_deref(), Some("about 40 replications"));
    let reached = PrecisionResult { reached_relative: 0.0093, reached: true, ..precision };
    let reached = report(&Experiment { precision: Some(reached), ..of(hours(20_000)) });
    assert_eq!(reached.cautions, []);
    assert!(
        reached
            .to_terminal(false, 300)
            .contains("10 replications of 1 h, which brought latency.p99 to ± 0.93 % of itself")
    );
}

/// One run of ten batches with these mean latencies, in milliseconds.
fn batched(means: [u64; 10]) -> Observations {
    let mut whole = hour(0, 20_000);
    let batch = |(number, mean): (u64, u64)| {
        let mut one = hour(0, 10);
        (one.warm_up, one.horizon) = (SimTime::from_secs(number * 360), SimTime::from_secs(number * 360 + 360));
        one.routes[0].latency = sim_core::tally::Histogram::new();
        for _ in 0..100 {
            one.routes[0].latency.record(SimDuration::from_millis(mean));
        }
        (one.routes[0].started, one.routes[0].succeeded, one.routes[0].in_flight) = (100, 100, 0);
        one
    };
    whole.batches = (0..).zip(means).map(batch).collect();
    whole
}

#[test]
fn one_long_run_has_the_intervals_of_its_batches() {
    let whole = batched([50, 52, 49, 51, 50, 48, 52, 50, 49, 49]);
    let own = whole.routes[0].latency.mean();
    let report = report(&of(vec![whole]));
    assert_eq!((report.interval.method, report.interval.degrees_of_freedom), ("batch_means", 9));
    let mean = report.figures.total.latency.mean;
    assert_eq!(mean.value, own, "the value is the run's, not the batches'");
    // Mean 50, squared deviations 0+4+1+1+0+4+4+0+1+1 = 16: t(0.975, 9) = 2.262157 times sqrt(16/9/10) ms.
    let expected = 2.262_157e-3 * (16.0_f64 / 90.0).sqrt();
    assert!((mean.half_width.unwrap() - expected).abs() < 1e-6, "{mean:?}");
    // Counts are sums over batches, here always 100; a largest is no mean, and what is under way at the end no sum.
    assert_eq!(report.figures.total.requests.succeeded.half_width, Some(0.0));
    assert_eq!(report.figures.total.latency.max.half_width, None);
    assert_eq!(report.figures.total.requests.in_flight.half_width, None);
    let text = report.to_terminal(false, 200);
    assert!(text.contains("± is half the 95 % interval by the means of 10 batches of 6 min"), "{text}");
    assert!(!report.cautions.iter().any(|caution| caution.kind == Doubt::CorrelatedBatches));
}

#[test]
fn batches_that_go_together_are_told() {
    let report = report(&of(vec![batched([50, 51, 52, 53, 54, 54, 53, 52, 51, 50])]));
    let caution = report.cautions.iter().find(|caution| caution.kind == Doubt::CorrelatedBatches).expect("correlated");
    // Deviations -2 -1 0 1 2 2 1 0 -1 -2: products 2+0+0+2+4+2+0+0+2 = 12 over squares 20.
    assert!(caution.text.contains("correlation 0.60"), "{}", caution.text);
    assert!(caution.advice.as_ref().is_some_and(|advice| advice.contains("6 times as long")));
}
