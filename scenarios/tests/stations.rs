//! Plain stations as the language has them.

mod common;

use common::{loaded, refused};
use models::client::{Arrivals, Batch, Process};
use models::ids::*;
use sim_core::{SimDuration, SimTime};

#[test]
fn textbook_queues_are_legal() {
    let text = r#"
title = "M/M/c/K and M/G/1-PS"
run.duration = "1h"
traffic = [
  { name = "a", to = "station.mmck", rate = "80/s" },
  { name = "b", to = "station.ps", users = 5, think_time = { exponential = "1s" } },
]
station.mmck = { servers = 3, room = 7, service = { exponential = "10ms" } }
station.ps = { servers = 1, discipline = "processor_sharing", service = { hyperexponential = { mean = "5ms", cv = 3 } } }
"#;
    let scenario = loaded(text, &[]);
    assert_eq!((scenario.architecture.stations[0].servers, scenario.architecture.stations[0].room), (Some(3), Some(7)));
    assert!(matches!(scenario.architecture.traffic[1].arrivals, Arrivals::Closed { users: 5, .. }));
    assert!(scenario.warnings.is_empty());
}

const NETWORK: &str = r#"
title = "network"
[run]
duration = "1h"
[[traffic]]
name = "customers"
to = "station.a"
rate = { base = "1/s", at = [["8h", "9/s"], ["20h", "1/s"]], ramp = "1h", repeat = "24h" }
arrivals = { mmpp = [{ factor = 1, lasts = "9m" }, { factor = 11, lasts = "1m" }] }
batch = { geometric = 2.5 }
[station.a]
servers = 2
service = "1ms"
patience = "5s"
rate_limit = { rate = "100/s", burst = 10 }
breakdown = { time_to_failure = { exponential = "1h" }, repair_time = "1m", on_failure = "lose", quorum = 1 }
then = [{ to = "station.b", probability = "70%" }]
[station.b]
servers = 1
discipline = "processor_sharing"
limit = 4
patience = "1s"
service = "1ms"
cache = { origin = "station.c", ttl = "1h", renewal = "sliding" }
[station.c]
service = "1ms"
"#;

#[test]
fn stations_send_requests_on_fail_limit_and_keep_copies() {
    // A run of an hour is over before the rate changes; of two days it is not.
    refused(NETWORK, &[], &["the rate changes after the end of the run"]);
    let scenario = loaded(NETWORK, &["run.duration=2d"]);
    assert!(scenario.warnings.is_empty(), "{:?}", scenario.warnings);
    let [a, b, _] = &scenario.architecture.stations[..] else { panic!("three stations") };
    assert_eq!(a.then, [(StationId(1), 0.7)]);
    assert_eq!((b.limit, b.cache.map(|cache| cache.origin)), (Some(4), Some(StationId(2))));
    let Arrivals::Open { process: Process::Modulated(phases), rate, batch } =
        &scenario.architecture.traffic[0].arrivals
    else {
        panic!("modulated")
    };
    // Half and five and a half times as often: once on average.
    assert!((phases[0].factor - 0.5).abs() < 1e-12 && (phases[1].factor - 5.5).abs() < 1e-12);
    assert_eq!(*batch, Batch::Geometric(2.5));
    let hour = |n: u64| SimTime::from_secs(3600 * n);
    let day = [(hour(8), 1.0), (hour(9), 9.0), (hour(20), 9.0), (hour(21), 1.0)];
    assert_eq!(rate.points[1..5], day);
    assert_eq!(
        rate.points[5..],
        [&[(hour(24), 1.0), (hour(24), 1.0)], &day.map(|(at, rate)| (at + SimDuration::from_secs(86_400), rate))[..]]
            .concat()
    );
}

#[test]
fn stations_that_make_no_sense_are_refused() {
    let table: &[(&str, &str)] = &[
        ("station.a.limit=3", "only cores that are shared have a `limit`"),
        ("station.c.patience=1s", "nobody waits here"),
        ("station.c.breakdown={ time_to_failure = \"1h\", repair_time = \"1m\" }", "there is no server to fail"),
        ("station.b.breakdown={ time_to_failure = \"1h\", repair_time = \"1m\" }", "cores that are shared do not fail"),
        ("station.a.breakdown.quorum=3", "quorum must be between 1 and 2"),
        ("station.a.breakdown.time_to_failure=10us", "these servers fail too often"),
        ("station.a.breakdown.on_failure=restart", "`restart` is not modelled yet"),
        ("station.a.rate_limit.burst=0", "burst must be between 1"),
        ("station.a.rate_limit.rate=1e12/s", "this rate is too high"),
        ("station.a.then=[{ to = \"station.d\" }]", "nothing here is called `station.d`"),
        ("station.a.then=[{ to = \"station.a\" }]", "requests never leave `station.a`"),
        (
            "station.a.then=[{ to = \"station.b\", probability = \"60%\" }, { to = \"station.c\", probability = \"50%\" }]",
            "sum up to more than 100%",
        ),
        ("station.b.then=[{ to = \"station.c\" }]", "a station has a `cache` or `then`, not both"),
        ("station.b.cache.origin=station.b", "requests go in a circle: station.b -> station.b"),
    ];
    for (change, message) in table {
        refused(NETWORK, &["run.duration=2d", change], &[message, "--set:1:"]);
    }
    let vast = NETWORK.replace("[station.a]", "[catalog.dust]\nobjects = 1000000000000\nsize = \"1B\"\n[station.a]");
    let asks = "traffic.0.routes=[{ path = \"/*\", catalog = \"dust\" }]";
    refused(&vast, &["run.duration=2d", asks, "station.b.cache.capacity=1TB"], &["this cache would hold about"]);
}
