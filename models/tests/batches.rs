//! One long run in batches: the same run, divided.

mod common;

use common::*;
use models::architecture::Spans;
use models::*;
use sim_core::SimDuration;
use sim_core::observations::Observations;

fn queue(batches: u32, arrival_windows: u32) -> Architecture {
    let mut a = poisson(80.0, Endpoint::Station(StationId(0)), secs(300), secs(50));
    a.stations.push(station::Settings {
        name: "desk".into(),
        servers: Some(1),
        room: Some(20),
        discipline: station::Discipline::Fifo,
        classes: vec![exponential(0.01)],
        response_bytes: 1000,
    });
    a.run.spans = Spans { batches, arrival_windows };
    a
}

#[test]
fn batches_change_nothing_and_add_up() {
    let (plain, batched) = (run(&queue(0, 0)), run(&queue(20, 0)));
    assert_eq!(plain.digest, batched.digest);
    assert!(plain.batches.is_empty());
    assert_eq!(batched.batches.len(), 20);
    let spans: Vec<(f64, f64)> =
        batched.batches.iter().map(|batch| (batch.warm_up.as_secs_f64(), batch.horizon.as_secs_f64())).collect();
    assert_eq!((spans[0], spans[1], spans[19]), ((50.0, 62.5), (62.5, 75.0), (287.5, 300.0)));
    let whole = &batched.routes[0];
    let sum = |count: fn(&Observations) -> u64| batched.batches.iter().map(count).sum::<u64>();
    assert_eq!(sum(|it| it.routes[0].started), whole.started);
    assert_eq!(sum(|it| it.routes[0].succeeded), whole.succeeded);
    assert_eq!(sum(|it| it.routes[0].latency.count()), whole.latency.count());
    assert_eq!(sum(|it| it.routes[0].in_flight), whole.in_flight);
    let failed = |it: &Observations| it.routes[0].failed.iter().map(|(_, n)| n).sum::<u64>();
    assert_eq!(batched.batches.iter().map(failed).sum::<u64>(), failed(&plain));
    assert!(failed(&plain) > 0);
    assert_eq!(sum(|it| it.stations[0].arrivals), batched.stations[0].arrivals);
    assert_eq!(sum(|it| it.stations[0].lost), batched.stations[0].lost);
    // Equal batches: the mean over the run is the mean of theirs.
    for level in [
        |it: &Observations| it.stations[0].mean_in_system,
        |it: &Observations| it.stations[0].mean_waiting,
        |it: &Observations| it.stations[0].utilisation,
    ] {
        let mean = batched.batches.iter().map(level).sum::<f64>() / 20.0;
        assert!((mean - level(&batched)).abs() < 1e-9, "{mean} {}", level(&batched));
    }
    let served = |it: &Observations| it.stations[0].mean_sojourn * it.stations[0].completions as f64;
    let total: f64 = batched.batches.iter().map(served).sum();
    assert!((total - served(&batched)).abs() < 1e-6 * total);
}

#[test]
fn windows_hold_the_latencies_of_those_who_arrived_in_them() {
    let seen = run(&queue(0, 30));
    assert_eq!(seen.latency_by_arrival.len(), 30);
    // All of the run, its warm-up too: the last 25 of 30 windows are the measured time.
    let measured = &seen.latency_by_arrival[5..];
    assert_eq!(measured.iter().map(|window| window.count).sum::<u64>(), seen.routes[0].succeeded);
    let sum: u128 = measured.iter().map(|window| window.latency_sum_nanos).sum();
    assert_eq!(sum, seen.routes[0].latency.sum_nanos());
    assert!(run(&queue(0, 0)).latency_by_arrival.is_empty());
    // Operations under way are sampled bin by bin, to the end.
    assert_eq!(*seen.in_flight.last().unwrap(), seen.routes[0].in_flight);
    assert_eq!(seen.in_flight.len(), seen.series[0].values.len());
    assert_ne!(SimDuration::ZERO, seen.series[0].bin);
}

#[test]
fn cores_are_counted_over_the_measured_time() {
    // Three tasks of two shared cores: six, whatever the warm-up leaves out, in the whole as in every batch.
    let mut a = poisson(20.0, Endpoint::Ecs(EcsId(0)), secs(300), secs(100));
    a.ecs.push(service(3, 8, 2.0, vec![ecs::StepAction::Cpu(exponential(0.05))]));
    a.run.spans = Spans { batches: 4, ..Spans::default() };
    let seen = run(&a);
    for one in seen.batches.iter().chain([&seen]) {
        let cpu = one.stations.iter().find(|station| station.name == "web CPU" || station.name == "ecs.web CPU");
        assert!((cpu.expect("shared cores").servers - 6.0).abs() < 1e-9, "{:?}", one.stations);
    }
}
