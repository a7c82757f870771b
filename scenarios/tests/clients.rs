//! What clients do, as a scenario says it.

mod common;

use common::loaded;
use models::client::{CircuitBreaker, Connections, Jitter, Quota, Retry, Settings};
use sim_core::SimDuration;

const DESK: &str = r#"
title = "a desk"
run.duration = "10m"
[[traffic]]
name = "users"
to = "station.desk"
rate = "10/s"
[station.desk]
service = { constant = "5ms" }
"#;

fn users(overrides: &[&str]) -> Settings {
    loaded(DESK, overrides).architecture.traffic.remove(0)
}

#[track_caller]
fn refused(set: &[&str], needles: &[&str]) {
    common::refused(DESK, set, needles);
}

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

#[test]
fn without_their_keys_clients_are_plain() {
    let plain = users(&[]);
    assert_eq!((plain.connections, plain.hedge_after, plain.circuit_breaker), (None, None, None));
    let Retry { max_attempts, backoff, quota, adaptive, sdk_errors_only, .. } = plain.retry;
    assert_eq!((max_attempts, backoff), (1, SimDuration::from_millis(100)));
    assert_eq!((quota, adaptive, sdk_errors_only), (None, false, false));
}

#[test]
fn sdk_modes_are_those_of_botocore() {
    let of = |mode: &str| users(&[&format!("traffic.0.retry.mode={mode}")]).retry;
    let standard = of("standard");
    assert_eq!((standard.max_attempts, standard.backoff, standard.max_backoff), (3, secs(1), secs(20)));
    assert_eq!(
        (standard.jitter, standard.quota, standard.sdk_errors_only),
        (Jitter::Full, Some(Quota::STANDARD), true)
    );
    let newer = of("standard_2_1");
    assert_eq!((newer.backoff, newer.throttled_backoff), (SimDuration::from_millis(50), secs(1)));
    assert_eq!(newer.quota, Some(Quota { tokens: 500, cost: 14, timeout_cost: 14, throttled_cost: 5 }));
    assert!(of("adaptive").adaptive && !standard.adaptive);
    let legacy = of("legacy");
    assert_eq!((legacy.max_attempts, legacy.quota), (5, None));
}

#[test]
fn a_quota_can_be_given_and_taken_away() {
    assert_eq!(users(&["traffic.0.retry.mode=standard", "traffic.0.retry.quota=none"]).retry.quota, None);
    let own = users(&["traffic.0.retry.max_attempts=4", "traffic.0.retry.quota=20", "traffic.0.retry.retry_cost=2"]);
    assert_eq!(own.retry.quota, Some(Quota { tokens: 20, cost: 2, timeout_cost: 10, throttled_cost: 5 }));
}

#[test]
fn connections_have_the_handshakes_of_their_protocol() {
    let of = |text: &str| users(&[&format!("traffic.0.connections={text}")]).connections.expect("given");
    let h2 = Connections { streams: 128, per_client: 1, handshakes: 2, idle_timeout: secs(60), max_age: secs(3600) };
    assert_eq!(of("{}"), h2);
    assert_eq!(of("{ tls = \"1.2\" }"), Connections { handshakes: 3, ..h2 });
    assert_eq!(of("{ tls = \"none\" }"), Connections { handshakes: 1, ..h2 });
    assert_eq!(of("{ protocol = \"h3\" }"), Connections { handshakes: 1, ..h2 });
    assert_eq!(of("{ protocol = \"http/1.1\" }"), Connections { streams: 1, per_client: 6, ..h2 });
}

#[test]
fn a_circuit_breaker_has_the_defaults_of_hystrix() {
    let breaker = users(&["traffic.0.circuit_breaker={}"]).circuit_breaker.expect("given");
    let hystrix = CircuitBreaker { window: secs(10), minimum_calls: 20, failure_rate: 0.5, open_for: secs(5) };
    assert_eq!(breaker, hystrix);
}

#[test]
fn what_cannot_be_is_refused() {
    refused(&["traffic.0.retry.mode=standart"], &["standart", "standard"]);
    refused(&["traffic.0.retry.quota=0"], &["a retry quota must be between 1 and 65535"]);
    refused(&["traffic.0.retry.retry_cost=3"], &["no quota", "add `quota`"]);
    refused(&["traffic.0.connections={ protocol = \"h3\", tls = \"1.2\" }"], &["HTTP/3 has TLS 1.3"]);
    refused(&["traffic.0.connections={ protocol = \"spdy\" }"], &["`spdy` is not allowed here"]);
    refused(&["traffic.0.circuit_breaker={}", "traffic.0.clients=5000000"], &["at most 1000000 clients"]);
    refused(&["traffic.0.hedge_after=0s"], &["hedge_after must be between"]);
}
