//! Stations beyond the plain queue, against arithmetic: constant gaps and services leave nothing to chance. What is random about
//! them is compared with theory by `stormglass validate`.

mod common;

use common::*;
use models::architecture::Architecture;
use models::client::{Arrivals, Process};
use models::station::{Breakdown, Cache, Discipline, OnFailure, RateLimit, Renewal, Settings};
use models::*;
use sim_core::SimDuration;
use sim_core::observations::Observations;

fn millis(millis: u64) -> SimDuration {
    SimDuration::from_millis(millis)
}

/// A request each second, from 1 s on, for station 0.
fn each_second(stations: Vec<Settings>, duration: SimDuration) -> Architecture {
    let mut a = poisson(1.0, Endpoint::Station(StationId(0)), duration, SimDuration::ZERO);
    let Arrivals::Open { process, .. } = &mut a.traffic[0].arrivals else { panic!("open") };
    *process = Process::Deterministic;
    a.stations = stations;
    a
}

/// Latencies of those that ended well, in ms, ascending; and causes of failure.
fn ended(seen: &Observations) -> (Vec<u64>, Vec<(String, u64)>) {
    let route = &seen.routes[0];
    let buckets = route.latency.buckets().flat_map(|(lower, upper, count)| {
        let middle = ((lower + upper) / 2.0 * 1000.0).round() as u64;
        std::iter::repeat_n(middle, count as usize)
    });
    (buckets.collect(), route.failed.clone())
}

fn counter(seen: &Observations, name: &str) -> f64 {
    seen.counters.iter().find(|counter| counter.name == name).unwrap_or_else(|| panic!("no counter {name}")).value
}

/// Up for 3.25 s, down for 1 s: the request of 3 s is served for 250 ms by then, the one of 4 s comes while it is down.
fn failing(on_failure: OnFailure, quorum: Option<u32>) -> Settings {
    let breakdown = Breakdown { time_to_failure: constant(3.25), repair_time: constant(1.0), on_failure, quorum };
    Settings { breakdown: Some(breakdown), ..Settings::new("desk", Some(1), constant(0.5)) }
}

#[test]
fn a_server_that_fails_takes_up_its_work_or_loses_it() {
    let resumed = run(&each_second(vec![failing(OnFailure::Resume, None)], millis(6700)));
    // 1 and 2 s: 500 ms. 3 s: done at 4.5 s. 4 s: 4.5 to 5 s. 5 s and 6 s: 500 ms.
    assert_eq!(ended(&resumed), (vec![500, 500, 500, 500, 1000, 1500], vec![]));
    assert_eq!(counter(&resumed, "failures"), 1.0);
    assert!((counter(&resumed, "availability") - 5.7 / 6.7).abs() < 1e-9);
    let lost = run(&each_second(vec![failing(OnFailure::Lose, None)], millis(6700)));
    assert_eq!(ended(&lost), (vec![500, 500, 500, 500, 750], vec![("server_down".into(), 1)]));
}

#[test]
fn below_its_quorum_a_station_refuses_requests() {
    let seen = run(&each_second(vec![failing(OnFailure::Resume, Some(1))], millis(6700)));
    assert_eq!(ended(&seen), (vec![500, 500, 500, 500, 1500], vec![("server_down".into(), 1)]));
    // Of two servers one is enough.
    let mut two = failing(OnFailure::Resume, Some(1));
    two.servers = Some(2);
    two.breakdown.as_mut().expect("it fails").repair_time = constant(0.0);
    assert_eq!(ended(&run(&each_second(vec![two], millis(6700)))).0, vec![500; 6]);
}

#[test]
fn who_waits_too_long_leaves_and_who_is_served_stays() {
    // Services of 2.5 s: 1 s: served to 3.5 s. 2 s: waits 1.5 s. 3 s: would wait until 6 s, leaves at 5 s. 4 s: waits 2 s just so.
    let queue = Settings { patience: Some(constant(2.0)), ..Settings::new("desk", Some(1), constant(2.5)) };
    let seen = run(&each_second(vec![queue], millis(8700)));
    let (served, failed) = ended(&seen);
    assert!(served[0].abs_diff(2500) <= 1 && served[1].abs_diff(4000) <= 2, "{served:?}");
    assert_eq!(failed[0].0, "gave_up_waiting");
    assert!((seen.routes[0].latency_failed.min() - 2.0).abs() < 1e-9);
    let station = &seen.stations[0];
    assert_eq!(station.arrivals, station.completions + station.lost + 2, "one waits and one is served at the end");
}

#[test]
fn requests_go_on_to_other_stations_with_new_demands() {
    let first = Settings { then: vec![(StationId(1), 1.0)], ..Settings::new("first", None, constant(0.1)) };
    let second = Settings::new("second", None, constant(0.2));
    assert_eq!(ended(&run(&each_second(vec![first, second], millis(3500)))).0, vec![300; 3]);
    // Exponential demands of both visits are independent: the same one twice would have twice the variance.
    let random = |name: &str| Settings::new(name, None, exponential(0.1));
    let first = Settings { then: vec![(StationId(1), 1.0)], ..random("first") };
    let mut a = poisson(1000.0, Endpoint::Station(StationId(0)), secs(100), SimDuration::ZERO);
    a.stations = vec![first, random("second")];
    // Erlang of two stages: its 99th percentile is 6.638 means of a stage; of twice the same it would be 9.21.
    let p99 = run(&a).routes[0].latency.quantile(0.99);
    assert!((p99 / 0.1 - 6.638).abs() < 0.15, "{p99}");
}

#[test]
fn a_rate_limit_takes_what_its_bucket_holds() {
    // Full: 2. At 1 s, 2 s taken (1 and 0.5 left), at 3 s 1 again taken, 4 s none (0.5), 5 s taken, 6 s none.
    let limit = RateLimit { rate: 0.5, burst: 2 };
    let seen = run(&each_second(
        vec![Settings { rate_limit: Some(limit), ..Settings::new("desk", None, constant(0.0)) }],
        millis(6500),
    ));
    assert_eq!((seen.routes[0].succeeded, ended(&seen).1), (4, vec![("throttled".into(), 2)]));
}

#[test]
fn a_limit_of_one_makes_sharing_first_come_first_served() {
    let queue = |discipline, limit| {
        let mut a = poisson(70.0, Endpoint::Station(StationId(0)), secs(100), secs(1));
        a.stations =
            vec![Settings { discipline, limit, room: Some(5), ..Settings::new("desk", Some(1), exponential(0.01)) }];
        let seen = run(&a);
        (seen.routes[0].succeeded, ended(&seen).1, (seen.routes[0].latency.mean() * 1e6) as u64)
    };
    assert_eq!(queue(Discipline::ProcessorSharing, Some(1)), queue(Discipline::Fifo, None));
}

#[test]
fn copies_live_from_their_making_or_from_their_last_use() {
    let store = |renewal| {
        let cache = Cache { origin: StationId(1), rtt: millis(100), capacity: 1 << 20, ttl: millis(1500), renewal };
        let store = Settings { cache: Some(cache), ..Settings::new("store", None, constant(0.0)) };
        run(&each_second(vec![store, Settings::new("database", None, constant(0.1))], millis(7500)))
    };
    // Made at 1.2 s for 1.5 s: given at 2 s, asked for anew at 3 s.
    let fixed = store(Renewal::Fixed);
    assert_eq!((counter(&fixed, "hits"), counter(&fixed, "misses")), (3.0, 4.0));
    assert_eq!(ended(&fixed).0, [0, 0, 0, 200, 200, 200, 200]);
    let sliding = store(Renewal::Sliding);
    assert_eq!((counter(&sliding, "hits"), counter(&sliding, "misses")), (6.0, 1.0));
}

#[test]
fn failures_come_at_the_same_times_whatever_the_traffic() {
    let failures = |rate| {
        let mut a = poisson(rate, Endpoint::Station(StationId(0)), secs(1000), SimDuration::ZERO);
        let breakdown = Breakdown {
            time_to_failure: exponential(3.0),
            repair_time: exponential(1.0),
            on_failure: OnFailure::Lose,
            quorum: None,
        };
        a.stations = vec![Settings { breakdown: Some(breakdown), ..Settings::new("desk", Some(3), exponential(0.1)) }];
        let seen = run(&a);
        (counter(&seen, "failures"), counter(&seen, "availability"), counter(&seen, "servers up"))
    };
    assert_eq!(failures(1.0), failures(20.0));
}
