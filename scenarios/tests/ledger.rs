//! The downtime ledger, told by caches, tables, accelerators and stations: which phases their faults and changes go through, by the
//! timers that their pages document, and how many operations each of them costs.

mod common;

use common::{failed, loaded, refused, simulated};
use sim_core::observations::{Incident, IncidentKind, Observations, Phase};

/// Fifty callers a second, evenly, five minutes before what happens at 300 s.
fn text(handler: &str, rest: &str) -> String {
    format!(
        r#"
title = "A ledger"
[run]
duration = "15m"
[network]
region_rtt = "0s"
[[traffic]]
name = "users"
to = "ecs.api"
rate = "50/s"
arrivals = "deterministic"
clients = 100
timeout = "20s"
[ecs.api]
cpu = "4 vCPU"
workers = 400
handler = [{{ steps = [{handler}] }}]
{rest}
"#
    )
}

/// The phases of the only incident: name, from, until in seconds.
fn phases(seen: &Observations) -> Vec<(&'static str, f64, f64)> {
    spans(&only(seen).phases)
}

fn spans(phases: &[sim_core::observations::PhaseSpan]) -> Vec<(&'static str, f64, f64)> {
    let name = |phase: Option<Phase>| phase.map_or("none", Phase::name);
    phases.iter().map(|it| (name(it.phase), it.from.as_secs_f64(), it.until.as_secs_f64())).collect()
}

#[track_caller]
fn only(seen: &Observations) -> &Incident {
    let told: Vec<_> = seen.ledger.incidents.iter().map(|it| (&it.subject, &it.what, &it.phases)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    &seen.ledger.incidents[0]
}

/// Operations lost in a phase of an incident; what is lost in all phases and outside of incidents is all that is lost.
fn lost(seen: &Observations, phase: Phase) -> u64 {
    assert_eq!(
        seen.ledger.lost.iter().map(|it| it.count).sum::<u64>(),
        failed(seen),
        "nothing is lost twice or not at all"
    );
    seen.ledger.lost.iter().filter(|it| it.phase == Some(phase)).map(|it| it.count).sum()
}

/// Whether the first phases are these, to the second they begin and end in; what comes behind them is the users' own time.
#[track_caller]
fn begins(seen: &Observations, expected: &[(&'static str, f64, f64)]) {
    let told = phases(seen);
    assert_eq!(told[..expected.len().min(told.len())], *expected, "of {told:?}");
    let rest = &told[expected.len()..];
    assert!(rest.iter().all(|(name, ..)| matches!(*name, "warm_up" | "none")), "{told:?}");
}

/// How long a component was down.
#[track_caller]
fn down(seen: &Observations, who: &str) -> f64 {
    assert!(seen.ledger.watched.iter().any(|(_, it)| it == who), "{who} is not among {:?}", seen.ledger.watched);
    let outages = seen.ledger.outages.iter().filter(|it| it.who == who);
    outages.map(|it| (it.until - it.from).as_secs_f64()).sum()
}

// ------------------------------------------------------------ ElastiCache

const GET: &str = r#"{ call = "elasticache.pages.page.get" }"#;

fn cache(keys: &str, event: &str) -> String {
    let rest = format!(
        r#"
[elasticache.pages]
cache_node_type = "cache.m6g.large"
{keys}
[elasticache.pages.items.page]
hit_ratio = "100%"
{event}
"#
    );
    text(GET, &rest)
}

const NODE_FAILS: &str = r#"
[[fault]]
at = "5m"
action = "stormglass:cache-node-failure"
target = "elasticache.pages"
"#;

/// Of the 20 s of a failover 15 are detection and 3 the change of the endpoint's record: 2 are left for the promotion. Every command waits
/// 2 s for the silent node: fifty a second are lost in each phase, and those of the detection's first instant.
#[test]
fn a_caches_failover_is_detection_promotion_and_the_endpoints_record() {
    let seen = simulated(&loaded(&cache("replicas_per_node_group = 1", NODE_FAILS), &[]), 1);
    begins(&seen, &[("detection", 300.0, 315.0), ("recovery", 315.0, 317.0), ("routing", 317.0, 320.0)]);
    for (phase, seconds) in [(Phase::Detection, 15), (Phase::Recovery, 2), (Phase::Routing, 3)] {
        assert!(lost(&seen, phase).abs_diff(50 * seconds) <= 1, "{phase:?}: {}", lost(&seen, phase));
    }
    assert!(failed(&seen).abs_diff(1000) <= 1, "{} in all", failed(&seen));
    assert_eq!(down(&seen, "elasticache.pages"), 20.0);
}

#[test]
fn clients_of_a_cluster_are_told_by_its_nodes_and_a_failovers_parts_can_be_set() {
    let cluster = "replicas_per_node_group = 1\nnum_node_groups = 2";
    let seen = simulated(&loaded(&cache(cluster, NODE_FAILS), &[]), 1);
    begins(&seen, &[("detection", 300.0, 315.0), ("recovery", 315.0, 320.0)]);
    let parts = "replicas_per_node_group = 1\nfailover = { failover_time = \"12s\", failure_detection = \"4s\", endpoint_update = \"1s\" }";
    let seen = simulated(&loaded(&cache(parts, NODE_FAILS), &[]), 1);
    begins(&seen, &[("detection", 300.0, 304.0), ("recovery", 304.0, 311.0), ("routing", 311.0, 312.0)]);
    // What is not said fits into what is left.
    let short = "replicas_per_node_group = 1\nfailover = { failover_time = \"10s\" }";
    begins(&simulated(&loaded(&cache(short, NODE_FAILS), &[]), 1), &[("detection", 300.0, 310.0)]);
    let long = "replicas_per_node_group = 1\nfailover = { failover_time = \"10s\", failure_detection = \"8s\", endpoint_update = \"3s\" }";
    refused(&cache(long, NODE_FAILS), &[], &["`endpoint_update` is a part of failover_time", "2s are left of it"]);
}

#[test]
fn a_cache_without_replica_is_in_recovery_until_its_node_is_replaced() {
    let seen = simulated(&loaded(&cache("", NODE_FAILS), &[]), 1);
    begins(&seen, &[("detection", 300.0, 315.0), ("recovery", 315.0, 600.0)]);
    assert!(lost(&seen, Phase::Recovery).abs_diff(50 * 285) <= 1);
    assert_eq!(down(&seen, "elasticache.pages"), 300.0);
    // Without power nobody can do anything either, until it is back.
    let power = r#"
[[fault]]
at = "5m"
action = "aws:elasticache:replicationgroup-interrupt-az-power"
target = "elasticache.pages"
availability_zone = "a"
duration = "2m"
"#;
    let seen = simulated(&loaded(&cache("", power), &[]), 1);
    begins(&seen, &[("detection", 300.0, 315.0), ("recovery", 315.0, 420.0)]);
}

#[test]
fn a_lost_replica_is_detected_and_then_readers_are_led_to_others() {
    let fault = format!("{NODE_FAILS}cache_node_id = \"0001-002\"\n");
    let readers =
        cache("replicas_per_node_group = 2", &fault).replace("hit_ratio", "read_from = \"replica\"\nhit_ratio");
    let seen = simulated(&loaded(&readers, &[]), 1);
    begins(&seen, &[("detection", 300.0, 315.0), ("routing", 315.0, 320.0)]);
    // Half of the readers ask it; which, is chance: five standard deviations of a binomial.
    let expected = 50.0 * 20.0 / 2.0;
    let off = (failed(&seen) as f64 - expected).abs();
    assert!(off < 5.0 * (expected / 2.0).sqrt(), "{} are lost", failed(&seen));
    assert_eq!(down(&seen, "elasticache.pages"), 0.0, "it has its primary");
}

#[test]
fn a_caches_planned_changes_are_recovery_and_a_tested_failover_goes_as_a_real_one() {
    let change = |keys: &str| format!("[[maintenance]]\nat = \"5m\"\ntarget = \"elasticache.pages\"\n{keys}");
    let run = |cache_keys: &str, keys: &str| {
        let seen = simulated(&loaded(&cache(cache_keys, &change(keys)), &[]), 1);
        assert_eq!(only(&seen).kind, IncidentKind::Change);
        seen
    };
    let replica = "replicas_per_node_group = 1";
    let seen = run(replica, "action = \"TestFailover\"");
    begins(&seen, &[("detection", 300.0, 315.0), ("recovery", 315.0, 317.0), ("routing", 317.0, 320.0)]);
    // Three seconds for each of two shards; half of the keys each time.
    let engine = "action = \"ModifyReplicationGroup\"\nengine_version = \"minor\"";
    let seen = run("replicas_per_node_group = 1\nnum_node_groups = 2", engine);
    begins(&seen, &[("recovery", 300.0, 306.0)]);
    assert!((100..200).contains(&failed(&seen)), "{}", failed(&seen));
    assert_eq!(down(&seen, "elasticache.pages"), 6.0);
    let seen = run("", "action = \"ModifyReplicationGroup\"\ncache_node_type = \"cache.m6g.xlarge\"");
    begins(&seen, &[("recovery", 300.0, 360.0)]);
    assert!(lost(&seen, Phase::Recovery).abs_diff(50 * 60) <= 1);
}

#[test]
fn a_rebooted_primary_is_recovery_and_a_resharding_is_in_no_phase_as_nobody_feels_it() {
    let change = |keys: &str| format!("[[maintenance]]\nat = \"5m\"\ntarget = \"elasticache.pages\"\n{keys}");
    let seen = simulated(&loaded(&cache("", &change("action = \"RebootCacheCluster\"")), &[]), 1);
    begins(&seen, &[("recovery", 300.0, 330.0)]);
    assert!(lost(&seen, Phase::Recovery).abs_diff(50 * 30) <= 1);
    // Two shards more come after five minutes; 8,192 slots of 20 ms then take 164 s, as nothing is in them.
    let keys = "num_node_groups = 2\nreplicas_per_node_group = 1";
    let reshard = change("action = \"ModifyReplicationGroupShardConfiguration\"\nnode_group_count = 4");
    let seen = simulated(&loaded(&cache(keys, &reshard), &[]), 1);
    assert_eq!((phases(&seen), failed(&seen)), (vec![("none", 300.0, 763.84)], 0));
}

/// A thousand pages that each take the store 100 ms, and an engine that is emptied: users wait longer until most are there again.
#[test]
fn what_follows_an_emptied_cache_is_warm_up() {
    let aside = r#"{ call = { to = "station.store.op", cache = "elasticache.pages.page" } }"#;
    let rest = r#"
[elasticache.pages]
cache_node_type = "cache.m6g.large"
[elasticache.pages.items.page]
keys = { count = 1000 }
[station.store]
service = "100ms"
[[maintenance]]
at = "5m"
target = "elasticache.pages"
action = "FLUSHALL"
"#;
    let aside = aside.replace("station.store.op", "station.store");
    let seen = simulated(&loaded(&text(&aside, rest), &[]), 1);
    let told = phases(&seen);
    // After t seconds a share of exp(-50 t / 1000) of the pages is not there. One page of the store in a second's fifty makes its mean
    // a hundred times what it was: users are served as before once ten seconds have none. In those from t on 1000 exp(-t / 20)
    // (1 - exp(-10 / 20)) pages are missed: one after 119 s, and the last of a thousand is 26 s early or late by chance.
    assert_eq!((told.len(), told[0].0, told[0].1), (1, "warm_up", 300.0), "{told:?}");
    assert!((told[0].2 - 419.0).abs() < 3.0 * 26.0, "{told:?}");
}

// ------------------------------------------------------------ DAX and DynamoDB

const TABLE: &str = r#"
[dynamodb.t]
billing_mode = "PAY_PER_REQUEST"
operations.read = { operation = "GetItem", item_size = "1KB", keys = { count = 10 } }
"#;

fn accelerated(nodes: u32) -> Observations {
    let rest = format!(
        r#"{TABLE}
[dax.d]
table = "dynamodb.t"
replication_factor = {nodes}
[[fault]]
at = "5m"
action = "stormglass:cache-node-failure"
target = "dax.d"
"#
    );
    let call = r#"{ call = { to = "dax.d.read", timeout = "500ms", retry_mode = "none" } }"#;
    simulated(&loaded(&text(call, &rest), &[]), 1)
}

/// Clients know after 10 s; a third of them has waited for the failed node for longer than their call may take.
#[test]
fn a_lost_node_of_dax_is_detection_until_clients_leave_it_out() {
    let seen = accelerated(3);
    begins(&seen, &[("detection", 300.0, 310.0)]);
    let (lost, expected) = (lost(&seen, Phase::Detection) as f64, 500.0 / 3.0);
    assert!((lost - expected).abs() < 5.0 * (expected * 2.0 / 3.0).sqrt(), "{lost}");
    assert_eq!(down(&seen, "dax.d"), 0.0);
}

#[test]
fn a_lost_cluster_of_dax_is_in_recovery_until_a_node_is_replaced() {
    let seen = accelerated(1);
    begins(&seen, &[("detection", 300.0, 310.0), ("recovery", 310.0, 600.0)]);
    assert!(lost(&seen, Phase::Recovery).abs_diff(50 * 290) <= 50, "{}", lost(&seen, Phase::Recovery));
    assert_eq!(down(&seen, "dax.d"), 300.0);
}

/// Nobody but its callers knows that a table cannot be reached: that is detection until it can be again.
#[test]
fn a_table_that_is_cut_off_is_in_detection_until_somebody_leads_its_callers_away() {
    let rest = format!(
        r#"{TABLE}
[[fault]]
at = "5m"
duration = "1m"
action = "aws:network:disrupt-connectivity"
target = "dynamodb.t"
"#
    );
    let call = r#"{ call = { to = "dynamodb.t.read", timeout = "1s", retry_mode = "none" } }"#;
    let seen = simulated(&loaded(&text(call, &rest), &[]), 1);
    begins(&seen, &[("detection", 300.0, 360.0)]);
    assert!(lost(&seen, Phase::Detection).abs_diff(50 * 60) <= 1);
    assert_eq!(down(&seen, "dynamodb.t"), 60.0);
}

// ------------------------------------------------------------ Global Accelerator

fn accelerator(endpoints: [&str; 2], rest: &str) -> Observations {
    let [near, far] = endpoints;
    let text = format!(
        r#"
title = "An accelerator"
[run]
duration = "15m"
[[traffic]]
name = "users"
from = "london"
to = "global_accelerator.shop"
rate = "50/s"
arrivals = "deterministic"
timeout = "3s"
[global_accelerator.shop]
[global_accelerator.shop.endpoint_group.ireland]
endpoint_group_region = "eu-west-1"
health_check_interval = "10s"
endpoints = [{{ endpoint = "{near}" }}]
[global_accelerator.shop.endpoint_group.tokyo]
endpoint_group_region = "ap-northeast-1"
endpoints = [{{ endpoint = "{far}" }}]
[station.far]
region = "ap-northeast-1"
service = "10ms"
{rest}
"#
    );
    simulated(&loaded(&text, &[]), 1)
}

/// Three checks ten seconds apart, each of which has 5 s: 25 to 35 s. Then all flows go to Tokyo at once, though Ireland is away for
/// longer; 200 ms away, users of London are not served as before for as long as that lasts.
#[test]
fn an_accelerator_that_checks_an_endpoint_itself_is_in_detection_until_flows_leave_it() {
    let near = r#"
[station.near]
region = "eu-west-1"
service = "10ms"
[[fault]]
at = "5m"
duration = "5m"
action = "aws:network:disrupt-connectivity"
target = "station.near"
"#;
    let seen = accelerator(["station.near", "station.far"], near);
    let left = seen.log.iter().find(|entry| entry.what.contains("leave")).expect("they leave").at.as_secs_f64();
    assert!((325.0..=335.0).contains(&left), "{left}");
    begins(&seen, &[("detection", 300.0, left)]);
    assert!((lost(&seen, Phase::Detection) as f64 - 50.0 * (left - 300.0)).abs() <= 2.0);
    assert_eq!(lost(&seen, Phase::Detection), failed(&seen), "nobody is lost once flows have left");
    assert_eq!(down(&seen, "station.near"), 300.0);
}

/// A load balancer's own checks find that no target answers; new flows leave it within 30 s of that. What its service does about its
/// tasks in the meantime users do not wait for.
#[test]
fn an_accelerator_leads_flows_away_within_30_s_of_what_a_load_balancer_finds() {
    let near = r#"
[alb.near]
region = "eu-west-1"
target_group.web = { targets = "ecs.web", health_check = { interval = "10s" } }
[ecs.web]
region = "eu-west-1"
cpu = "1 vCPU"
launch_time = "1h"
handler = [{ steps = [{ wait = "10ms" }] }]
[[fault]]
at = "5m"
duration = "9m"
action = "aws:ecs:task-network-blackhole-port"
target = "ecs.web"
"#;
    let seen = accelerator(["alb.near", "station.far"], near);
    let incident = only(&seen);
    let (_, told) = incident.parts.iter().find(|(name, _)| name == "global_accelerator.shop").expect("it tells");
    let told = spans(told);
    let (from, left) = (told[0].1, told[0].2);
    assert_eq!(told[0].0, "routing");
    assert!(left - from <= 30.0, "{told:?}");
    let logged = seen.log.iter().find(|entry| entry.what.contains("leave")).expect("they leave").at.as_secs_f64();
    assert_eq!(left, logged);
    // Detection until the load balancer knows, and nothing but the users' own time after flows have left.
    let phases = phases(&seen);
    assert_eq!(phases[0], ("detection", 300.0, from), "{phases:?}");
    let after: Vec<_> = phases.iter().filter(|(_, at, _)| *at >= left).collect();
    assert!(after.iter().all(|(name, ..)| matches!(*name, "warm_up" | "none")), "{phases:?}");
    assert!(lost(&seen, Phase::Detection) > 0 && lost(&seen, Phase::Routing) + lost(&seen, Phase::Recovery) > 0);
}

// ------------------------------------------------------------ stations

/// One server that works for 300 s and is repaired in 20: what is refused meanwhile is lost in recovery, which begins with the failure.
#[test]
fn a_station_without_servers_is_in_recovery_until_one_is_repaired() {
    let rest = r#"
[station.gate]
servers = 1
service = "1ms"
breakdown = { time_to_failure = "300s", repair_time = "20s", quorum = 1 }
"#;
    let seen = simulated(&loaded(&text(r#"{ call = "station.gate" }"#, rest), &[]), 1);
    let told: Vec<_> = seen.ledger.incidents.iter().map(|it| spans(&it.phases)[0]).collect();
    assert_eq!(told, [("recovery", 300.0, 320.0), ("recovery", 620.0, 640.0)]);
    assert!(seen.ledger.incidents.iter().all(|it| it.kind == IncidentKind::Unplanned));
    assert!(lost(&seen, Phase::Recovery).abs_diff(2 * 50 * 20) <= 2, "{}", lost(&seen, Phase::Recovery));
    assert_eq!(down(&seen, "station.gate"), 40.0);
}
