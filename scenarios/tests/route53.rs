//! Names, health checks, changes and resolvers, as a scenario says them.

mod common;

use common::load_text;
use models::ids::*;
use models::route53::{DnsCache, RoutingPolicy, Source as Looks};
use scenarios::Scenario;
use sim_core::{SimDuration, SimTime};

const NAMES: &str = r#"
title = "names"
run.duration = "10m"
[[traffic]]
name = "tokyo"
from = "tokyo"
to = "www.example.com"
rate = "1/s"
[[traffic]]
name = "london"
from = "london"
to = "www.example.com"
rate = "1/s"
[[traffic]]
name = "seattle"
from = "seattle"
to = "www.example.com"
rate = "1/s"
[route53."www.example.com"]
routing_policy = "latency"
records = [
  { target = "alb.ireland", health_check = "ireland" },
  { target = "alb.oregon" },
  { target = "alb.sydney", evaluate_target_health = true },
]
[health_check.ireland]
target = "alb.ireland"
[alb.ireland]
region = "eu-west-1"
target_group.web.targets = "station.ireland"
[alb.oregon]
region = "us-west-2"
target_group.web.targets = "station.oregon"
[alb.sydney]
region = "ap-southeast-2"
target_group.web.targets = "station.sydney"
[station]
ireland = { service = { constant = "5ms" } }
oregon = { service = { constant = "5ms" } }
sydney = { service = { constant = "5ms" } }
"#;

fn loaded(overrides: &[&str]) -> Scenario {
    common::loaded(NAMES, overrides)
}

#[track_caller]
fn refused(set: &[&str], needles: &[&str]) {
    common::refused(NAMES, set, needles);
}

/// A setting of the one name.
fn www(rest: &str) -> String {
    format!("route53.\"www.example.com\".{rest}")
}

/// The orders of preference for tokyo, london and seattle.
fn orders(scenario: &Scenario) -> Vec<Vec<u16>> {
    match &scenario.architecture.route53.records[0].policy {
        RoutingPolicy::Preferred(orders) => orders.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn latency_routing_prefers_the_shortest_round_trip_from_each_place() {
    let scenario = loaded(&[]);
    // From Tokyo Oregon (7,971 km) and Sydney (7,820 km) are nearly alike; Sydney is nearer.
    assert_eq!(orders(&scenario), [[2, 1, 0], [0, 1, 2], [1, 0, 2]]);
    assert!(scenario.architecture.route53.resolvers.by_place);
    let record = &scenario.architecture.route53.records[0];
    assert!(record.alias && record.answers[2].evaluate_target_health && record.answers[0].health_check == Some(0));
    // What is measured or given counts, not the distance.
    let given = "network.rtt=[{ between = [\"tokyo\", \"us-west-2\"], rtt = \"90ms\" }]";
    assert_eq!(orders(&loaded(&[given]))[0], [1, 2, 0]);
    // The record may say another Region than its target's.
    assert_eq!(orders(&loaded(&[&www("records.0.region=ap-northeast-1")]))[0][0], 0);
}

#[test]
fn geoproximity_has_a_bias() {
    let near = www("routing_policy=geoproximity");
    assert_eq!(orders(&loaded(&[&near])), [[2, 1, 0], [0, 1, 2], [1, 0, 2]]);
    // Oregon as if a quarter nearer: 7,971 x 0.75 < 7,820.
    let biased = www("records.1.geo_proximity_location={ bias = 25 }");
    assert_eq!(orders(&loaded(&[&near, &biased]))[0], [1, 2, 0]);
    let elsewhere = www("records.0.geo_proximity_location={ coordinates = [35, 139] }");
    assert_eq!(orders(&loaded(&[&near, &elsewhere]))[0][0], 0);
    refused(&[&near, &www("records.0.geo_proximity_location={ bias = 100 }")], &["a bias must be between -99 and 99"]);
}

#[test]
fn geolocation_prefers_the_most_specific_match() {
    let geo = www("routing_policy=geolocation");
    let at = |n: usize, location: &str| www(&format!("records.{n}.geo_location={location}"));
    let scenario = loaded(&[
        &geo,
        &at(0, "{ country_code = \"*\" }"),
        &at(1, "{ country_code = \"US\", subdivision_code = \"WA\" }"),
        &at(2, "{ continent_code = \"AS\" }"),
    ]);
    assert_eq!(orders(&scenario), [vec![2, 0], vec![0], vec![1, 0]]);
    // Without a default some have no answer.
    let none = loaded(&[
        &geo,
        &at(0, "{ country_code = \"GB\" }"),
        &at(1, "{ country_code = \"US\" }"),
        &at(2, "{ country_code = \"AU\" }"),
    ]);
    assert_eq!(orders(&none), [vec![], vec![0], vec![1]]);
    refused(&[&geo, &at(0, "{ continent_code = \"XX\" }")], &["`XX` is no continent"]);
    refused(&[&geo, &at(0, "{ country_code = \"JP\", subdivision_code = \"13\" }")], &["USA and Ukraine only"]);
    refused(&[&geo], &["an answer under geolocation routing lacks `geo_location`"]);
}

#[test]
fn places_must_be_known_where_they_matter() {
    refused(&["traffic.0.from=atlantis"], &["latency routing needs to know where `atlantis` is", "[place.atlantis]"]);
    let text = NAMES.replace("region = \"us-west-2\"\n", "");
    let wrong = load_text(&text, &[]).map(|it| it.title).expect_err("is refused");
    assert!(wrong.contains("nobody knows which Region this answer is in"), "{wrong}");
}

#[test]
fn multivalue_answers_are_no_aliases() {
    let policy = www("routing_policy=multivalue");
    refused(&[&policy], &["multivalue answers cannot be aliases", "alias = false"]);
    let sydney = www("records.2.evaluate_target_health=false");
    let scenario = loaded(&[&policy, &www("alias=false"), &sydney]);
    assert_eq!(scenario.architecture.route53.records[0].policy, RoutingPolicy::Multivalue);
}

#[test]
fn names_may_stand_for_names_but_not_in_a_circle() {
    let more = format!(
        "{NAMES}
[route53.\"shop.example.com\"]
target = \"www.example.com\"
evaluate_target_health = true
[[traffic]]
name = \"shop\"
from = \"london\"
to = \"shop.example.com\"
rate = \"1/s\"
"
    );
    let scenario = common::loaded(&more, &[]);
    let shop = &scenario.architecture.route53.records[1];
    assert!(shop.alias && shop.answers[0].endpoint == Endpoint::Record(RecordId(0)));
    // It leads to all three load balancers, each as far as it is.
    assert_eq!(scenario.architecture.traffic[3].rtt_to.len(), 3);
    let circle = load_text(&more, &[&www("records.0.target=shop.example.com")]).map(|it| it.title);
    let wrong = circle.expect_err("is refused");
    assert!(wrong.contains("leads to names that never end"), "{wrong}");
}

#[test]
fn only_aliases_evaluate_health_and_never_a_distributions() {
    refused(&[&www("alias=false")], &["only an alias evaluates its target's health"]);
    let shop = "cloudfront={ shop = { default_cache_behavior = { target_origin = \"alb.ireland\" } } }";
    refused(&[shop, &www("records.2.target=cloudfront.shop")], &["a distribution's health cannot be evaluated"]);
    refused(&[&www("records.0.weight=3")], &["latency routing has no `weight`", "only weighted routing has"]);
}

#[test]
fn calculated_checks_look_at_others() {
    let check = |text: &str| format!("health_check.both={{ {text} }}");
    let both = check("child_health_checks = [\"ireland\"], health_threshold = 1, inverted = true");
    let scenario = loaded(&[&both]);
    let check_of = &scenario.architecture.route53.health_checks[1];
    assert!(check_of.inverted && !check_of.disabled);
    assert!(matches!(&check_of.source, Looks::Calculated { children, health_threshold: 1 } if children == &[0]));
    refused(&[&check("child_health_checks = [\"ireland\"]")], &["lacks `health_threshold`"]);
    refused(&[&check("child_health_checks = [\"both\"], health_threshold = 1")], &["cannot look at a calculated one"]);
    refused(&[&check("health_threshold = 1, target = \"alb.ireland\"")], &["only a calculated health check"]);
    refused(&[&check("resource_path = \"/\"")], &["lacks `target`"]);
    refused(
        &[&check("alarm_identifier = \"cpu\", target = \"alb.ireland\"")],
        &["`alarm_identifier` is not modelled yet"],
    );
}

#[test]
fn a_change_is_a_record_from_then_on() {
    let weighted = "{ routing_policy = \"weighted\", records = [{ target = \"alb.oregon\", weight = 90 }, { target = \"alb.sydney\", weight = 10 }] }";
    let change = |at: &str, name: &str| format!("change=[{{ at = \"{at}\", name = \"{name}\", upsert = {weighted} }}]");
    let scenario = loaded(&[&change("4m", "www.example.com")]);
    let changed = &scenario.architecture.route53.changes[0];
    assert_eq!((changed.at, changed.record), (SimTime::from_secs(240), RecordId(0)));
    assert_eq!(changed.upsert.policy, RoutingPolicy::Weighted);
    assert_eq!(scenario.architecture.route53.change_propagation, SimDuration::from_secs(60));
    refused(&[&change("20m", "www.example.com")], &["after the end of the run"]);
    refused(&[&change("4m", "ww.example.com")], &["`ww.example.com` does not exist", "www.example.com"]);
}

#[test]
fn resolvers_and_clients_keep_answers_as_they_are_told() {
    let resolvers =
        &loaded(&["resolvers.ttl_violation_fraction=9%", "resolvers.min_ttl=5m"]).architecture.route53.resolvers;
    assert_eq!((resolvers.ttl_violation_fraction, resolvers.min_ttl), (0.09, SimDuration::from_secs(300)));
    refused(&["resolvers.ttl_violation_fraction=9%"], &["for how long", "min_ttl"]);
    refused(&["resolvers.min_ttl=5m"], &["no resolver stretches"]);
    let cache = |text: &str| loaded(&[&format!("traffic.0.dns_cache={text}")]).architecture.traffic[0].dns_cache;
    assert_eq!(cache("30s"), DnsCache::Fixed(SimDuration::from_secs(30)));
    assert_eq!((cache("forever"), cache("none"), cache("ttl")), (DnsCache::Forever, DnsCache::None, DnsCache::Ttl));
    assert_eq!(loaded(&["resolvers.client_cache=false"]).architecture.traffic[0].dns_cache, DnsCache::None);
    // Public resolvers elsewhere: everybody is taken to be there.
    let public = loaded(&["resolvers.place=frankfurt"]).architecture;
    assert_eq!(public.route53.resolvers.place, Some(PlaceId(3)));
    assert_eq!(public.places[3], "frankfurt");
    assert!(!public.route53.resolvers.by_place);
}
