//! Places, Regions and round trips as a scenario says them.

mod common;

use common::load_text;
use models::ids::*;
use scenarios::Scenario;
use sim_core::SimDuration;

const TWO_REGIONS: &str = r#"
title = "two Regions"
run.duration = "10m"
[[traffic]]
name = "users"
from = "tokyo"
to = "www.example.com"
rate = "10/s"
[route53."www.example.com"]
routing_policy = "weighted"
alias = false
records = [{ target = "station.near", weight = 1 }, { target = "station.far", weight = 1 }]
[station.near]
region = "ap-northeast-1"
service = { constant = "5ms" }
[station.far]
region = "eu-west-1"
service = { constant = "5ms" }
"#;

fn loaded(overrides: &[&str]) -> Scenario {
    common::loaded(TWO_REGIONS, overrides)
}

#[track_caller]
fn refused(set: &[&str], needles: &[&str]) {
    common::refused(TWO_REGIONS, set, needles);
}

/// Milliseconds from the viewers to the near and the far station.
fn round_trips(scenario: &Scenario) -> Vec<u64> {
    let trips = scenario.architecture.traffic[0].rtt_to.iter();
    trips.map(|(_, rtt)| rtt.as_nanos() / 1_000_000).collect()
}

#[test]
fn each_answer_is_as_far_as_its_region() {
    // 9590 km to Dublin: 95.9 x 1.8 + 10; in Tokyo itself only the viewers' line.
    assert_eq!(round_trips(&loaded(&[])), [10, 182]);
    assert_eq!(round_trips(&loaded(&["network.route_factor=1", "network.access_rtt=0s"])), [0, 95]);
}

#[test]
fn what_is_given_wins() {
    let given = "network.rtt=[{ between = [\"eu-west-1\", \"tokyo\"], rtt = \"210ms\" }]";
    assert_eq!(round_trips(&loaded(&[given])), [10, 210]);
    let own = loaded(&[given, "traffic.users.rtt=7ms"]);
    assert!(round_trips(&own).is_empty());
    assert_eq!(own.architecture.traffic[0].rtt, SimDuration::from_millis(7));
    // A place of the name of a city is where the scenario says.
    let moved = "place={ tokyo = { coordinates = [53.35, -6.26], access_rtt = \"3ms\" } }";
    assert_eq!(round_trips(&loaded(&[moved]))[1], 3);
}

#[test]
fn without_a_region_or_a_place_nothing_is_added() {
    let nowhere = TWO_REGIONS.replace("region = \"ap-northeast-1\"\n", "").replace("region = \"eu-west-1\"\n", "");
    let scenario = load_text(&nowhere, &[]).expect("legal");
    assert!(scenario.architecture.traffic[0].rtt_to.is_empty() && scenario.architecture.notes.is_empty());
    let defaulted = load_text(&nowhere, &["network.region=sa-east-1"]).expect("legal");
    assert_eq!(round_trips(&defaulted).len(), 2);
    let unknown = loaded(&["traffic.users.from=atlantis"]);
    assert!(unknown.architecture.traffic[0].rtt_to.is_empty());
    assert!(unknown.architecture.notes[0].contains("nobody knows where `atlantis` is"));
}

#[test]
fn calls_between_regions_take_what_was_measured() {
    let text = format!(
        "{TWO_REGIONS}
[[traffic]]
name = \"api\"
to = \"ecs.web\"
rate = \"1/s\"
[ecs.web]
region = \"us-east-1\"
desired_count = 1
cpu = \"1 vCPU\"
handler = [{{ path = \"/\", steps = [{{ calls = [\"station.near\", \"station.far\", {{ to = \"station.far\", rtt = \"9ms\" }}] }}] }}]
"
    );
    let scenario = common::loaded(&text, &[]);
    let models::ecs::StepAction::Calls(calls) = &scenario.architecture.ecs[0].handlers[0].steps[0].action else {
        panic!("calls")
    };
    let micros: Vec<u64> = calls.iter().map(|call| call.rtt.as_nanos() / 1000).collect();
    assert_eq!(micros, [145_300, 80_550, 9_000]);
    assert_eq!(calls[0].to, Endpoint::Station(StationId(0)));
}

#[test]
fn what_cannot_be_is_refused() {
    refused(&["station.near.region=ap-northeast-9"], &["there is no Region `ap-northeast-9`", "ap-northeast-1"]);
    refused(&["place={ camp = { access_rtt = \"1ms\" } }"], &["nobody knows where `camp` is", "coordinates"]);
    refused(&["place={ camp = { coordinates = [95, 0] } }"], &["latitude must be between -90 and 90"]);
    refused(&["place={ camp = { coordinates = [5, 0], country = \"Japan\" } }"], &["no code of a country"]);
    refused(&["place={ eu-west-1 = { coordinates = [5, 0] } }"], &["`eu-west-1` is a Region"]);
    refused(&["place={ tokyo = { subdivision = \"CA\" } }"], &["USA and Ukraine only"]);
    refused(&["network.route_factor=0.5"], &["route_factor must be between 1 and 100"]);
    let pair =
        |one: &str, other: &str| format!("network.rtt=[{{ between = [\"{one}\", \"{other}\"], rtt = \"1ms\" }}]");
    refused(&[&pair("tokio", "eu-west-1")], &["`tokio` is neither a place nor a Region", "tokyo"]);
    refused(&[&pair("tokyo", "tokyo")], &["two different places"]);
    let behind = "alb={ front = { region = \"us-east-1\", target_group = { far = { targets = \"station.far\" } } } }";
    refused(&[behind], &["`station.far` is in eu-west-1, alb.front in us-east-1"]);
}
