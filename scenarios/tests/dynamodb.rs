//! DynamoDB tables through the language: eras, auto scaling, global tables, and what a table cannot have.

mod common;

use common::{counter, load_text, loaded, refused, simulated};
use models::dynamodb::{Billing, Sharing};
use scenarios::Scenario;
use sim_core::SimDuration;
use sim_core::observations::Observations;

const TABLE: &str = r#"
title = "A table"

[run]
duration = "10m"

[network]
region_rtt = "0s"

[[traffic]]
name = "users"
to = "ecs.api"
rate = "15/s"
arrivals = "deterministic"

[ecs.api]
cpu = "4 vCPU"
workers = 100

[[ecs.api.handler]]
steps = [{ call = { to = "dynamodb.t.put", retry_mode = "none" } }]

[dynamodb.t]
read_capacity_units = 10
write_capacity_units = 200
operations.put = { operation = "PutItem", item_size = "10KB", keys = {} }
"#;

fn with(line: &str) -> Result<Scenario, String> {
    load_text(&TABLE.replace("write_capacity_units = 200", &format!("write_capacity_units = 200\n{line}")), &[])
}

fn table(line: &str) -> models::dynamodb::Settings {
    with(line).unwrap_or_else(|wrong| panic!("{wrong}")).architecture.dynamodb.swap_remove(0)
}

fn run(text: &str) -> Observations {
    simulated(&loaded(text, &[]), 1)
}

#[test]
fn eras_set_what_is_done_about_uneven_keys_and_keys_of_their_own_set_it_apart() {
    let of = |line: &str| {
        let throughput = table(line).throughput;
        (throughput.sharing, throughput.splits.isolates, throughput.splits.for_heat)
    };
    assert_eq!(of(""), (Sharing::Whole, true, true));
    assert_eq!(of("era = \"2020\""), (Sharing::Whole, true, false));
    assert_eq!(of("era = \"2018\""), (Sharing::After(SimDuration::from_secs(600)), false, false));
    assert_eq!(of("era = \"2016\""), (Sharing::Even, false, false));
    assert_eq!(of("era = \"2016\"\nsplit_for_heat = true\nadaptive_capacity = true"), (Sharing::Whole, false, true));
    assert_eq!(of("stream_specification = {}"), (Sharing::Whole, false, true));
}

#[test]
fn who_tries_again_asks_for_the_same_item() {
    // A fifth of 200 units is each partition's; the hot key alone is asked for 90, with others 102 of which 62 fail each second.
    let hot = TABLE.replace("keys = {}", "keys = { hot = [\"60%\"] }").replace(
        "write_capacity_units = 200",
        "write_capacity_units = 200\ntable_size = \"50GB\"\nera = \"2016\"\nburst_capacity = \"0s\"",
    );
    let failing = |set: &[&str]| {
        // Enough workers for all who wait between attempts.
        let seen = simulated(&loaded(&hot, &[&["ecs.api.workers=10000"], set].concat()), 1);
        common::failed(&seen) as f64
    };
    let once = failing(&[]);
    assert!((once - 6.2 * 600.0).abs() < 150.0, "{once}");
    // Ten attempts within 26 s find no more units: what they change is who gets them.
    let legacy = failing(&["ecs.api.handler.0.steps.0.call.retry_mode=legacy"]);
    assert!((legacy / once - 1.0).abs() < 0.1, "{legacy} instead of {once}");
    let clients = failing(&["traffic.0.retry={ max_attempts = 4 }"]);
    assert!((clients / once - 1.0).abs() < 0.1, "{clients} instead of {once}");
}

#[test]
fn on_demand_begins_with_its_warm_throughput_and_keeps_no_burst() {
    let on_demand = TABLE.replace(
        "read_capacity_units = 10\nwrite_capacity_units = 200",
        "billing_mode = \"PAY_PER_REQUEST\"\nwarm_throughput = { write_units_per_second = 9000 }",
    );
    let scenario = loaded(&on_demand, &[]);
    let throughput = &scenario.architecture.dynamodb[0].throughput;
    assert_eq!((throughput.units, throughput.burst_seconds), ([12_000.0, 9000.0], 0.0));
    assert!(
        matches!(throughput.billing, Billing::OnDemand { doubling, .. } if doubling == SimDuration::from_secs(1800))
    );
}

#[test]
fn two_hundred_units_of_which_150_are_consumed_become_215() {
    let scaled = TABLE
        .replace("write_capacity_units = 200", "write_capacity_units = 200\nauto_scaling.write.max_capacity = 1000");
    let seen = run(&scaled);
    let first = seen.log.iter().find(|entry| entry.what.contains("auto scaling")).expect("a change");
    assert!(first.what.starts_with("200 -> 215 WCU"), "{}", first.what);
    // Two minutes above the target, a minute until that is known, half a minute for the change.
    assert_eq!(first.at.as_secs_f64(), 210.0);
    assert_eq!(seen.log.iter().filter(|entry| entry.what.contains("auto scaling")).count(), 1, "69.8 % is well");
}

#[test]
fn fifteen_minutes_below_the_target_bring_units_down() {
    let scaled = TABLE.replace(
        "write_capacity_units = 200",
        "write_capacity_units = 200\nauto_scaling.write = { min_capacity = 5, max_capacity = 1000 }",
    );
    let set = ["run.duration=30m", "traffic.0.rate={ base = \"14/s\", at = [[\"5m\", \"7/s\"]] }"];
    let seen = simulated(&loaded(&scaled, &set), 1);
    let changes: Vec<_> = seen.log.iter().filter(|entry| entry.what.contains("auto scaling")).collect();
    // 140 of 200 are the target exactly; 70 of 70 % are 100.
    assert!(changes.len() == 1 && changes[0].what.starts_with("200 -> 100 WCU"), "{changes:?}");
    assert_eq!(changes[0].at.as_secs_f64(), 60.0 * (5.0 + 15.0 + 1.0) + 30.0);
}

#[test]
fn an_index_and_local_indexes_cost_what_they_hold() {
    let indexed = table(
        "local_secondary_indexes = { by_price = { projected_size = \"2KB\" } }\n\
         global_secondary_indexes = { by_day = { read_capacity_units = 5, write_capacity_units = 50, projected_size = \"3KB\", keys = { calendar = \"24h\" } } }",
    );
    assert_eq!(indexed.operations[0].units, [0.0, 12.0]);
    assert_eq!(indexed.operations[0].index_writes[0].units, 3.0);
    assert!(indexed.throughput.whole_collections && !indexed.indexes[0].throughput.whole_collections);
}

const GLOBAL: &str = r#"
title = "A global table"

[run]
duration = "200s"

[network]
region_rtt = "0s"

[[traffic]]
name = "east"
to = "ecs.east"
rate = "50/s"

[[traffic]]
name = "west"
to = "ecs.west"
rate = "50/s"

[ecs.east]
cpu = "4 vCPU"
workers = 100
handler = [{ steps = [{ call = { to = "dynamodb.east.put", retry_mode = "none" } }] }]

[ecs.west]
cpu = "4 vCPU"
workers = 100
handler = [{ steps = [{ call = { to = "dynamodb.west.put", retry_mode = "none" } }] }]

[dynamodb.east]
read_capacity_units = 10
write_capacity_units = 150
operations.put = { operation = "PutItem", keys = { count = KEYS } }

[dynamodb.west]
replica_of = "dynamodb.east"
read_capacity_units = 10
write_capacity_units = 150
operations.put = { operation = "PutItem", keys = { count = KEYS } }
"#;

#[test]
fn writes_of_a_global_table_go_to_both_regions_and_the_last_one_wins() {
    let seen = run(&GLOBAL.replace("KEYS", "1000000"));
    for (here, there) in [("dynamodb.east", "dynamodb.west"), ("dynamodb.west", "dynamodb.east")] {
        let came = counter(&seen, here, "replicated writes");
        let made = counter(&seen, there, "put accepted");
        assert!(made - came <= 150.0 && came <= made, "{came} of {made}");
        let consumed = counter(&seen, here, "write units consumed");
        assert!((consumed - came - counter(&seen, here, "put accepted")).abs() <= 3.0);
        let lag = counter(&seen, here, "mean replication lag s");
        // Lognormal of median 0.8 s and p99 2.5 s: sigma 0.49, mean 0.9 s.
        assert!((0.87..0.93).contains(&lag), "{lag}");
        assert_eq!(counter(&seen, here, "replicated writes that lost to a newer one"), 0.0);
    }
}

#[test]
fn writes_of_one_item_in_two_regions_lose_to_the_other_within_the_lag() {
    let seen = run(&GLOBAL.replace("KEYS", "500"));
    let lost = |table: &str| counter(&seen, table, "replicated writes that lost to a newer one");
    // Each write meets one of the other Region on its way with 50/s x 0.9 s / 500 keys = 9 %.
    let share = lost("dynamodb.east") / counter(&seen, "dynamodb.east", "replicated writes");
    assert!((0.075..0.1).contains(&share), "{share}");
    assert!(lost("dynamodb.west") > 0.0);
}

#[test]
fn a_replica_with_too_few_units_falls_behind() {
    let text = GLOBAL.replace("KEYS", "1000000");
    let at = text.rfind("write_capacity_units = 150").expect("the replica's");
    let text = format!("{}write_capacity_units = 30\nburst_capacity = \"0s\"{}", &text[..at], &text[at + 26..]);
    let seen = run(&text);
    let lag = counter(&seen, "dynamodb.west", "longest replication lag s");
    assert!(lag > 60.0, "{lag}");
    assert!(counter(&seen, "dynamodb.east", "longest replication lag s") < 10.0);
}

const PAUSE: &str = r#"
[[fault]]
at = "100s"
duration = "50s"
action = "aws:dynamodb:global-table-pause-replication"
target = "dynamodb.west"
"#;

/// Fifty writes a second that each take half a second to the other Region, and replication that is paused for fifty seconds: 25 are on their
/// way when it begins, the oldest half a second old, and 2,500 wait when it ends.
#[test]
fn paused_replication_holds_writes_back_in_both_directions_and_they_catch_up() {
    let lag = "replica_of = \"dynamodb.east\"\nreplication_lag = \"500ms\"";
    let text = GLOBAL.replace("KEYS", "500").replace("replica_of = \"dynamodb.east\"", lag);
    let text = text.replace("[dynamodb.east]", "[dynamodb.east]\nreplication_lag = \"500ms\"");
    let seen = run(&format!("{text}{PAUSE}"));
    for (here, there) in [("dynamodb.east", "dynamodb.west"), ("dynamodb.west", "dynamodb.east")] {
        let of = |name: &str| counter(&seen, here, name);
        // Four standard deviations of Poisson counts.
        let near = |name: &str, expected: f64| {
            assert!((of(name) - expected).abs() < 4.0 * expected.sqrt(), "{here}: {name}: {} of {expected}", of(name));
        };
        near("replicated writes held back by a pause", 2500.0);
        assert_eq!(of("most replicated writes held back at once"), of("replicated writes held back by a pause"));
        near("writes not replicated when a pause began", 25.0);
        assert!((0.4..=0.5).contains(&of("recovery point s")), "{}", of("recovery point s"));
        // Nothing is lost for good: what was made half a second before the end is there.
        let made = counter(&seen, there, "put accepted");
        assert!(made - of("replicated writes") < 60.0, "{made}");
        assert!((49.5..=51.0).contains(&of("longest replication lag s")));
        // A write that waits for t seconds loses if its key, one of 500, is written here meanwhile: 1 - exp(-t / 10), on average over 50 s
        // 1 - (1 - exp(-5)) / 5 = 80 %; those that pass lose within half a second, 5 %: 7,400 of them.
        near("replicated writes that lost to a newer one", 0.80 * 2500.0 + 0.05 * 7400.0);
    }
    let phases: Vec<_> = seen.ledger.incidents[0].phases.iter().map(|it| it.phase.map(|it| it.name())).collect();
    assert_eq!((seen.ledger.incidents.len(), phases[0]), (1, Some("detection")));
}

/// Twenty writes a second here and there, fifty units with nothing saved up: a thousand that waited are applied within twenty seconds.
#[test]
fn what_waited_for_replication_is_applied_as_units_allow() {
    let text = GLOBAL.replace("KEYS", "1000000").replacen("rate = \"50/s\"", "rate = \"20/s\"", 2);
    let text = text.replace("write_capacity_units = 150", "write_capacity_units = 50\nburst_capacity = \"0s\"");
    let seen = run(&format!("{text}{PAUSE}"));
    let told = seen.log.iter().find(|entry| entry.what.contains("replication goes on")).expect("it is logged");
    assert_eq!(told.at.as_secs_f64(), 150.0);
    let incident = &seen.ledger.incidents[0];
    let recovery =
        incident.phases.iter().find(|it| it.phase.is_some_and(|it| it.name() == "recovery")).expect("it catches up");
    assert_eq!(recovery.from.as_secs_f64(), 150.0);
    // A thousand writes for fifty units a second.
    let took = (recovery.until - recovery.from).as_secs_f64();
    assert!((took - 20.0).abs() < 2.0, "{took}");
}

#[test]
fn only_a_global_tables_replication_can_be_paused() {
    let fault = PAUSE.replace("dynamodb.west", "dynamodb.t");
    refused(&format!("{TABLE}{fault}"), &[], &["`dynamodb.t` is no global table"]);
    let endless = PAUSE.replace("duration = \"50s\"\n", "");
    refused(&format!("{}{endless}", GLOBAL.replace("KEYS", "5")), &[], &["does not say how long"]);
}

#[test]
fn what_a_table_cannot_have_is_refused_with_its_reason() {
    let told = |line: &str, reason: &str| {
        let wrong = with(line).map(|scenario| scenario.title).expect_err(line);
        assert!(wrong.contains(reason), "{line}: {wrong}");
    };
    told("warm_throughput = { write_units_per_second = 100 }", "warm throughput can only be raised");
    told("on_demand_throughput = { max_read_request_units = 5 }", "a provisioned table has no on-demand throughput");
    told("auto_scaling.write = { min_capacity = 300, max_capacity = 400 }", "outside of min_capacity..max_capacity");
    told("era = \"2016\"\nadaptive_delay = \"5m\"", "there is nothing to wait for");
    told("split_threshold = \"0%\"", "every partition would be hot");
    told("stream_specification = { consumers = { a = {}, b = {}, c = {} } }", "at most two read a shard");
    told("global_secondary_indexes = { by_day = {} }", "a provisioned table lacks `read_capacity_units`");
    told("replica_of = \"dynamodb.t\"", "no replica of itself");
    told("replica_of = \"ecs.api\"", "cannot be");
    told("kinesis_stream = {}", "no key `kinesis_stream`");
    let told = |from: &str, to: &str, reason: &str| {
        let wrong = load_text(&TABLE.replace(from, to), &[]).map(|scenario| scenario.title).expect_err(to);
        assert!(wrong.contains(reason), "{to}: {wrong}");
    };
    told("keys = {}", "keys = { hot = [\"60%\", \"50%\"] }", "more than all requests");
    told("keys = {}", "missing_items = \"5%\"", "`missing_items` is for GetItem");
    told("keys = {}", "index_name = \"by_day\"", "only Query and Scan ask an index");
    let query = "operations.put = { operation = \"Query\", index_name = \"by_day\" }";
    told("operations.put = { operation = \"PutItem\", item_size = \"10KB\", keys = {} }", query, "no index `by_day`");
    let large = "keys = { sort_keys = 10_000_000 } }\nlocal_secondary_indexes = { by_price = {} }";
    told("keys = {} }", large, "at most 10 GB");
}
