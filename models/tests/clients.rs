//! What clients do when it takes long or goes badly: connections, quotas, hedging, circuits, their own rate limit.

mod common;

use common::*;
use models::client::{CircuitBreaker, Connections, Jitter, Quota, Retry};
use models::*;
use sim_core::{SimDuration, SimTime};

const DESK: Endpoint = Endpoint::Station(StationId(0));

fn millis(n: u64) -> SimDuration {
    SimDuration::from_millis(n)
}

/// One user who asks a station 20 ms away every second, 10 ms of work each.
fn one_user(connections: Connections) -> Architecture {
    let mut a = poisson(1.0, DESK, secs(100), SimDuration::ZERO);
    a.traffic[0].arrivals = client::Arrivals::Closed { users: 1, think_time: constant(1.0) };
    a.traffic[0].clients = 1;
    a.traffic[0].rtt = millis(40);
    a.traffic[0].connections = Some(connections);
    a.stations.push(station::Settings::new("desk", None, constant(0.01)));
    a
}

fn h2(handshakes: u8) -> Connections {
    Connections { streams: 128, per_client: 1, handshakes, idle_timeout: secs(60), max_age: secs(3600) }
}

fn counter(seen: &sim_core::observations::Observations, name: &str) -> f64 {
    seen.counters.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("{name}")).value
}

#[test]
fn the_first_request_pays_the_handshakes_and_the_others_do_not() {
    for (handshakes, first) in [(1, 0.09), (2, 0.13), (3, 0.17)] {
        let seen = run(&one_user(h2(handshakes)));
        let latency = &seen.routes[0].latency;
        assert!((latency.max() - first).abs() < 1e-4, "{} and not {first}", latency.max());
        assert!((latency.quantile(0.5) - 0.05).abs() < 1e-4);
        assert_eq!(counter(&seen, "connections opened"), 1.0);
    }
    // Think longer than connections are kept: each request pays.
    let mut idle = one_user(h2(2));
    idle.traffic[0].connections = Some(Connections { idle_timeout: millis(900), ..h2(2) });
    assert!((run(&idle).routes[0].latency.quantile(0.5) - 0.13).abs() < 1e-4);
}

#[test]
fn http_1_requests_wait_for_a_connection_where_streams_share_one() {
    // Four at once from one client, two connections: the third and fourth wait for the first two, 10 ms each.
    let mut a = one_user(Connections { streams: 1, per_client: 2, ..h2(1) });
    a.traffic[0].rtt = SimDuration::ZERO;
    a.traffic[0].arrivals = client::Arrivals::Open {
        process: client::Process::Deterministic,
        batch: client::Batch::Fixed(4),
        rate: client::RateProfile { points: vec![(SimTime::ZERO, 4.0)] },
    };
    let seen = run(&a);
    assert!((seen.routes[0].latency.mean() - 0.015).abs() < 1e-4, "{}", seen.routes[0].latency.mean());
    assert_eq!(counter(&seen, "connections opened"), 2.0);
    a.traffic[0].connections = Some(h2(1));
    assert!((run(&a).routes[0].latency.mean() - 0.01).abs() < 1e-4);
}

/// A client that gives up on HTTP/1.1 has to close its connection; a stream is reset alone.
#[test]
fn giving_up_closes_an_http_1_connection_and_resets_a_stream() {
    let opened = |streams, per_client| {
        let mut a = one_user(Connections { streams, per_client, ..h2(1) });
        a.traffic[0].timeout = Some(millis(45));
        let seen = run(&a);
        assert_eq!(seen.routes[0].succeeded, 0);
        counter(&seen, "connections opened")
    };
    assert!(opened(1, 6) > 90.0);
    assert_eq!(opened(128, 1), 1.0);
}

/// A station that turns everybody away; so many a second ask, from so many clients.
fn outage(rate: f64, clients: u32) -> Architecture {
    let mut a = poisson(rate, DESK, secs(100), SimDuration::ZERO);
    a.traffic[0].clients = clients;
    a.stations.push(station::Settings { room: Some(0), ..station::Settings::new("desk", Some(1), constant(1e6)) });
    a
}

fn standard(quota: Option<Quota>) -> Retry {
    Retry { sdk_errors_only: true, quota, ..Retry::plain(3, millis(50), secs(20), Jitter::Full) }
}

#[test]
fn in_a_total_outage_each_client_makes_100_retries_and_then_none() {
    let mut a = outage(40.0, 10);
    a.traffic[0].retry = standard(Some(Quota::STANDARD));
    let seen = run(&a);
    // One operation is stuck in the station for good; it fails nobody else.
    let retries = seen.routes[0].attempts - seen.routes[0].started;
    assert_eq!(retries, 1000);
    assert!(counter(&seen, "retries refused by the quota") > 2000.0);
    a.traffic[0].retry = standard(None);
    let seen = run(&a);
    let retries = (seen.routes[0].attempts - seen.routes[0].started) as f64;
    assert!(
        retries > 1.98 * (seen.routes[0].started as f64 - 50.0),
        "without a quota every failure is retried twice: {retries}"
    );
}

#[test]
fn a_task_has_a_quota_for_what_it_calls() {
    let mut a = outage(10.0, 1);
    a.traffic[0].to = Endpoint::Ecs(EcsId(0));
    let call = ecs::Call {
        to: DESK,
        operation: 0,
        path: PathId(0),
        method: request::Method::Get,
        probability: 1.0,
        timeout: None,
        retry: standard(Some(Quota::STANDARD)),
        rtt: SimDuration::ZERO,
        required: true,
    };
    a.ecs.push(service(2, 100, 1.0, vec![ecs::StepAction::Calls(vec![call])]));
    let seen = run(&a);
    let asked = seen.stations.iter().find(|it| it.name == "station.desk").expect("the station").lost;
    // Two tasks with 100 retries each.
    let calls = seen.routes[0].started - seen.routes[0].in_flight;
    assert_eq!(asked, calls + 200);
}

#[test]
fn a_second_attempt_cuts_the_tail_and_every_operation_ends_once() {
    // One in a hundred takes a second: without hedging the tail is there, with it two such in a row are one in 10,000.
    let slow = sim_core::distribution::Distribution::mixture(vec![(0.99, constant(0.01)), (0.01, constant(1.0))]);
    let mut a = poisson(100.0, DESK, secs(200), SimDuration::ZERO);
    a.stations.push(station::Settings::new("desk", None, slow.expect("weights")));
    let without = run(&a);
    a.traffic[0].hedge_after = Some(millis(50));
    a.traffic[0].timeout = Some(secs(5));
    let with = run(&a);
    let beyond = |seen: &sim_core::observations::Observations| seen.routes[0].latency.quantile(0.995);
    assert!(beyond(&without) > 0.9 && (beyond(&with) - 0.06).abs() < 1e-3, "{} {}", beyond(&without), beyond(&with));
    let hedges = counter(&with, "attempts sent a second time") / with.routes[0].started as f64;
    assert!((hedges - 0.01).abs() < 0.004, "{hedges}");
    assert_eq!(with.routes[0].attempts, with.routes[0].started + counter(&with, "attempts sent a second time") as u64);
    assert!(counter(&with, "second attempts that were first to answer") > 0.9 * hedges * with.routes[0].started as f64);
    assert_eq!(with.customers, without.customers);
}

#[test]
fn an_open_circuit_spares_the_service() {
    let mut a = outage(50.0, 1);
    a.traffic[0].circuit_breaker =
        Some(CircuitBreaker { window: secs(10), minimum_calls: 20, failure_rate: 0.5, open_for: secs(5) });
    let seen = run(&a);
    // 20 attempts open it, then one every 5 s.
    assert!((20..45).contains(&seen.routes[0].attempts), "{}", seen.routes[0].attempts);
    let failed: std::collections::BTreeMap<&str, u64> =
        seen.routes[0].failed.iter().map(|(cause, n)| (cause.as_str(), *n)).collect();
    assert!(failed["circuit_open"] > 4500 && failed["overloaded"] < 45, "{failed:?}");
    assert!(counter(&seen, "circuits opened") >= 19.0);
}

#[test]
fn in_adaptive_mode_a_client_finds_the_limit_it_is_held_to() {
    // 100 a second ask where 50 are allowed. Without the client's own limit half of the attempts are throttled.
    let mut a = poisson(100.0, DESK, secs(200), SimDuration::ZERO);
    a.traffic[0].clients = 1;
    a.traffic[0].timeout = Some(secs(60));
    a.traffic[0].retry = standard(None);
    let limit = station::RateLimit { rate: 50.0, burst: 50 };
    a.stations
        .push(station::Settings { rate_limit: Some(limit), ..station::Settings::new("desk", None, constant(0.01)) });
    let share_served = |seen: &sim_core::observations::Observations| {
        let desk = seen.stations.iter().find(|it| it.name == "station.desk").expect("the station");
        desk.completions as f64 / seen.routes[0].attempts as f64
    };
    let without = share_served(&run(&a));
    a.traffic[0].retry.adaptive = true;
    let seen = run(&a);
    let with = share_served(&seen);
    assert!(without < 0.35 && with > 0.75, "{without} {with}");
    assert!(counter(&seen, "attempts held back by the client's rate limit") > 1000.0);
}

/// Whatever is combined: every operation ends once, all books agree.
#[test]
fn all_of_it_together_keeps_the_books() {
    for streams in [1, 3] {
        let mut a = poisson(60.0, DESK, secs(200), SimDuration::ZERO);
        let source = &mut a.traffic[0];
        source.clients = 7;
        source.rtt = millis(30);
        source.timeout = Some(millis(200));
        source.hedge_after = Some(millis(120));
        source.connections = Some(Connections { streams, per_client: 2, ..h2(2) });
        source.circuit_breaker =
            Some(CircuitBreaker { window: secs(10), minimum_calls: 20, failure_rate: 0.5, open_for: secs(2) });
        source.retry = Retry { adaptive: true, ..standard(Some(Quota::STANDARD)) };
        let limit = station::RateLimit { rate: 55.0, burst: 5 };
        let desk = station::Settings::new("desk", Some(4), exponential(0.06));
        a.stations.push(station::Settings { rate_limit: Some(limit), ..desk });
        let seen = run(&a);
        assert!(seen.routes[0].succeeded > 3000, "{}", seen.routes[0].succeeded);
        let again = run(&a);
        assert_eq!(seen.digest, again.digest);
    }
}
