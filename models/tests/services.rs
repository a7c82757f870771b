//! ECS and plain stations against theory and against the documented arithmetic of deployments.

mod common;

use common::*;
use models::deployment::Strategy;
use models::ecs::{Concurrency, StepAction};
use models::request::Method;
use models::timeline::{Fault, FaultAction};
use models::*;
use sim_core::{SimDuration, SimTime};

fn station(servers: Option<u32>, room: Option<u32>, discipline: station::Discipline, mean: f64) -> station::Settings {
    station::Settings { room, discipline, ..station::Settings::new("queue", servers, exponential(mean)) }
}

#[track_caller]
fn assert_theory((mean, half_width): (f64, f64), theory: f64) {
    assert!((mean - theory).abs() <= half_width, "{mean} +- {half_width} against {theory}");
    assert!(half_width < 0.02 * theory, "{half_width} is too wide to see a bias of 2 % of {theory}");
}

#[test]
fn mm1_sojourn_is_1_over_mu_minus_lambda() {
    let mut a = poisson(70.0, Endpoint::Station(StationId(0)), secs(4000), secs(100));
    a.stations.push(station(Some(1), None, station::Discipline::Fifo, 0.01));
    run(&a);
    assert_theory(mean_latency(&a, 10), 1.0 / 30.0);
}

#[test]
fn mmc_sojourn_is_erlang_c_on_a_station_and_on_a_task() {
    // c = 4, rho = 0.8: Erlang C = 0.5964, W = C / (c mu - lambda) + 1 / mu.
    let erlang_c = 0.596_4;
    let theory = erlang_c / (400.0 - 320.0) + 0.01;
    let mut a = poisson(320.0, Endpoint::Station(StationId(0)), secs(1500), secs(60));
    a.stations.push(station(Some(4), None, station::Discipline::Fifo, 0.01));
    assert_theory(mean_latency(&a, 10), theory);
    let mut a = poisson(320.0, Endpoint::Ecs(EcsId(0)), secs(1500), secs(60));
    a.ecs.push(service(1, 4, 4.0, vec![StepAction::Cpu(exponential(0.01))]));
    run(&a);
    assert_theory(mean_latency(&a, 10), theory);
}

#[test]
fn processor_sharing_of_one_core_has_the_mean_of_mm1() {
    let mut a = poisson(70.0, Endpoint::Ecs(EcsId(0)), secs(4000), secs(100));
    a.ecs.push(service(1, 10_000, 1.0, vec![StepAction::Cpu(exponential(0.01))]));
    run(&a);
    assert_theory(mean_latency(&a, 10), 1.0 / 30.0);
    // Insensitive to the law of demands: constant demands give the same mean.
    a.ecs[0] = service(1, 10_000, 1.0, vec![StepAction::Cpu(constant(0.01))]);
    assert_theory(mean_latency(&a, 10), 1.0 / 30.0);
    let mut a = poisson(70.0, Endpoint::Station(StationId(0)), secs(4000), secs(100));
    a.stations.push(station(Some(1), None, station::Discipline::ProcessorSharing, 0.01));
    run(&a);
    assert_theory(mean_latency(&a, 10), 1.0 / 30.0);
}

#[test]
fn erlang_b_loses_by_its_formula() {
    // 4 servers, no room, 3 erlang: B = 0.2061.
    let mut a = poisson(300.0, Endpoint::Station(StationId(0)), secs(2000), secs(10));
    a.stations.push(station(Some(4), Some(0), station::Discipline::Fifo, 0.01));
    let seen = run(&a);
    let lost = seen.routes[0].failed.iter().map(|(_, n)| n).sum::<u64>() as f64 / seen.routes[0].started as f64;
    assert!((lost - 0.206_1).abs() < 0.003, "{lost}");
    assert_eq!(seen.routes[0].failed[0].0, "overloaded");
}

#[test]
fn a_threaded_service_keeps_its_worker_during_a_call_and_an_event_loop_does_not() {
    // One worker, 10 ms of CPU, a call of 90 ms: threaded it serves at most 10 a second, an event loop 100.
    let call = ecs::Call {
        to: Endpoint::Station(StationId(0)),
        operation: 0,
        path: PathId(0),
        method: Method::Get,
        probability: 1.0,
        timeout: None,
        retry: client::Retry::NEVER,
        rtt: SimDuration::ZERO,
        required: true,
    };
    let mut a = poisson(50.0, Endpoint::Ecs(EcsId(0)), secs(100), SimDuration::ZERO);
    a.stations.push(station::Settings {
        classes: vec![constant(0.09)],
        ..station(None, None, station::Discipline::Fifo, 0.09)
    });
    a.ecs.push(service(1, 1, 1.0, vec![StepAction::Cpu(constant(0.01)), StepAction::Calls(vec![call])]));
    let threaded = run(&a);
    assert!((threaded.routes[0].succeeded as f64 - 1000.0).abs() < 5.0, "{}", threaded.routes[0].succeeded);
    a.ecs[0].task.concurrency = Concurrency::EventLoop;
    let looping = run(&a);
    assert!(looping.routes[0].succeeded > 4800, "{}", looping.routes[0].succeeded);
}

#[test]
fn failed_calls_are_retried_and_then_fail_the_request_with_their_cause() {
    let call = ecs::Call {
        to: Endpoint::Station(StationId(0)),
        operation: 0,
        path: PathId(0),
        method: Method::Get,
        probability: 1.0,
        timeout: Some(SimDuration::from_millis(20)),
        retry: client::Retry::plain(3, SimDuration::from_millis(10), secs(1), client::Jitter::None),
        rtt: SimDuration::ZERO,
        required: true,
    };
    let mut a = poisson(10.0, Endpoint::Ecs(EcsId(0)), secs(100), SimDuration::ZERO);
    a.stations.push(station::Settings {
        classes: vec![constant(1.0)],
        ..station(None, None, station::Discipline::Fifo, 1.0)
    });
    a.ecs.push(service(1, 100, 100.0, vec![StepAction::Calls(vec![call])]));
    let seen = run(&a);
    let route = &seen.routes[0];
    assert_eq!(route.succeeded, 0);
    assert_eq!(route.failed[0].0, "call_timeout");
    // 20 + 10 + 20 + 20 + 20 ms.
    assert!((route.latency_failed.mean() - 0.09).abs() < 1e-4, "{}", route.latency_failed.mean());
    let station = seen.stations.iter().find(|s| s.name == "station.queue").expect("the station");
    assert!(station.arrivals >= 3 * (route.started - route.in_flight));
}

#[test]
fn stopped_tasks_lose_what_they_had_and_are_replaced() {
    let mut a = poisson(100.0, Endpoint::Ecs(EcsId(0)), secs(300), SimDuration::ZERO);
    a.ecs.push(service(6, 10, 10.0, vec![StepAction::Cpu(constant(0.1))]));
    a.faults.push(Fault {
        at: SimTime::from_secs(100),
        duration: SimDuration::ZERO,
        action: FaultAction::StopTask { service: EcsId(0), zone: Some(0), count: None },
        name: "aws:ecs:stop-task".into(),
        target: "ecs.web".into(),
        follows: false,
    });
    let seen = run(&a);
    let failed = &seen.routes[0].failed;
    // Two of six tasks with about 10 x 2 / 6 requests on them.
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, "task_stopped");
    assert!((1..=10).contains(&failed[0].1), "{failed:?}");
    let tasks = tasks(&seen, "ecs.web rev 0");
    assert!(tasks.contains(&4.0) && tasks.last() == Some(&6.0), "{tasks:?}");
}

#[test]
fn the_same_seed_gives_the_same_digest_and_another_does_not() {
    let a = deploying(Strategy::Rolling, 50, 100);
    let digest = |seed, replication| models::simulate(&a, seed, replication).digest;
    assert_eq!(digest(1, 0), digest(1, 0));
    assert_ne!(digest(1, 0), digest(1, 1));
    assert_ne!(digest(1, 0), digest(2, 0));
}

#[test]
fn a_window_that_begins_in_the_warm_up_loses_what_is_counted_and_no_more() {
    let mut a = poisson(20.0, Endpoint::Ecs(EcsId(0)), secs(300), secs(100));
    a.ecs.push(service(2, 10, 10.0, vec![StepAction::Cpu(constant(0.01))]));
    a.faults.push(Fault {
        at: SimTime::from_secs(50),
        duration: secs(100),
        action: FaultAction::ErrorRate { service: ComputeId(0), zone: None, share: 1.0 },
        name: "errors".into(),
        target: "ecs.web".into(),
        follows: false,
    });
    let seen = run(&a);
    let [window] = &seen.downtime[..] else { panic!("{:?}", seen.downtime) };
    assert_eq!((window.from, window.until), (SimTime::from_secs(50), SimTime::from_secs(150)));
    let failed: u64 = seen.routes[0].failed.iter().map(|(_, count)| count).sum();
    assert_eq!((window.lost, window.started), (failed, failed));
    assert!((failed as f64 - 1000.0).abs() < 5.0 * 1000.0f64.sqrt(), "50 s of 20: {failed}");
}

#[test]
fn without_a_load_balancer_a_task_counts_as_healthy_40_s_after_running() {
    // Launched at 100 s, RUNNING at 125 s, healthy at 165 s: then the scheduler stops the old ones at its next look.
    let seen = run(&deploying(Strategy::Rolling, 100, 200));
    let told = |what: &str| {
        let found = seen.log.iter().filter(|entry| entry.what.contains(what)).map(|entry| entry.at.as_secs_f64());
        found.collect::<Vec<_>>()
    };
    let running: Vec<f64> = told("RUNNING").into_iter().filter(|at| *at > 100.0).collect();
    assert_eq!(running, [125.0; 4]);
    let replaced = told("replaced by the deployment");
    assert!(replaced.len() == 4 && replaced.iter().all(|at| (165.0..=170.0).contains(at)), "{replaced:?}");
}
