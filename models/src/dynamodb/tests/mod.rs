//! A table that is asked what and when it is told to.

use sim_core::{SimDuration, SimTime};

use super::capacity::{Capacity, Kind, Limit};
use super::partitions::partitions;
use super::*;
use crate::cloudwatch::{PERIOD, Statistic};
use crate::observer::{Findings, Observed};
use crate::world::bench::Bench;
use crate::world::{Event as WorldEvent, Message};

mod behind;
mod uneven;

const READ: [f64; 2] = [1.0, 0.0];
const WRITE: [f64; 2] = [0.0, 1.0];

fn operation(name: &str, units: [f64; 2], keys: u64, zipf: f64) -> Operation {
    Operation {
        name: name.to_owned(),
        units,
        parts: 1,
        atomic: false,
        pages: 1,
        last_page_units: units,
        scans: false,
        missing: 0.0,
        missing_units: [0.5, 0.0],
        condition_fails: 0.0,
        grows_gb: 0.0,
        keys: KeySettings::zipf(keys, zipf),
        index: None,
        index_writes: Vec::new(),
    }
}

const NO_SPLITS: SplitSettings = SplitSettings {
    for_heat: false,
    isolates: false,
    threshold: 0.9,
    sustained: SimDuration::from_secs(60),
    takes: SimDuration::from_secs(300),
};

/// One partition with 100 read and 100 write units.
fn throughput() -> ThroughputSettings {
    ThroughputSettings {
        billing: Billing::Provisioned,
        units: [100.0; 2],
        warm: [0.0; 2],
        quota: [40_000.0; 2],
        burst_seconds: 300.0,
        size_gb: 1.0,
        sharing: Sharing::Whole,
        splits: NO_SPLITS,
        whole_collections: false,
        scaled: [false; 2],
    }
}

/// A table of that.
fn settings() -> Settings {
    Settings {
        name: "cart".to_owned(),
        keys_of: "cart".to_owned(),
        throughput: throughput(),
        update_takes: SimDuration::from_secs(30),
        operations: vec![operation("get", READ, 1, 0.0), operation("put", WRITE, 1, 0.0)],
        latency: Distribution::constant(0.004).unwrap(),
        indexes: Vec::new(),
        consumers: Vec::new(),
        expirations_per_second: 0.0,
        global: None,
    }
}

fn at_millis(millis: u64) -> SimTime {
    SimTime::from_nanos(millis * 1_000_000)
}

/// Accepted and refused in each of these seconds, when `per_second` operations of so many units come evenly.
fn accepted_by_second(
    capacity: &mut Capacity,
    seconds: std::ops::Range<u64>,
    per_second: u64,
    units: [f64; 2],
) -> Vec<u64> {
    let in_second = |second: u64| {
        let times = (0..per_second)
            .map(|number| SimTime::from_nanos(second * 1_000_000_000 + number * 1_000_000_000 / per_second));
        times.collect::<Vec<_>>()
    };
    seconds
        .map(|second| in_second(second).into_iter().filter(|&at| capacity.take(at, 0, units).is_none()).count() as u64)
        .collect()
}

#[test]
fn partitions_of_5000_rcu_and_2000_wcu_are_4_and_of_8000_rcu_5_at_least() {
    assert_eq!(partitions([5000.0, 2000.0], 0.0), 4);
    // The guide's table had 4 partitions before and doubled to 8; a new one fits into 5.
    assert_eq!(partitions([8000.0, 2000.0], 0.0), 5);
}

#[test]
fn partitions_of_10000_rcu_4000_wcu_and_95_gb_are_10() {
    assert_eq!(partitions([10_000.0, 4000.0], 95.0), 10);
    assert_eq!(partitions([10_000.0, 4000.0], 10.0), 8);
    assert_eq!(partitions([1.0, 1.0], 0.0), 1);
}

#[test]
fn burst_of_100_wcu_lasts_200_s_at_250_a_second() {
    let mut capacity = Capacity::new(&throughput());
    let accepted = accepted_by_second(&mut capacity, 0..260, 250, WRITE);
    for second in [0, 60, 120, 180, 198] {
        assert_eq!(accepted[second], 250, "second {second}");
    }
    // The bucket runs dry at 200 s, to within one operation.
    assert!(accepted[201..].iter().all(|&accepted| accepted == 100));
    let in_all: u64 = accepted.iter().sum();
    assert!((55_999..=56_000).contains(&in_all), "30,000 kept and 260 s of 100: {in_all}");
}

#[test]
fn burst_is_whole_again_500_s_after_demand_falls_to_40() {
    let mut capacity = Capacity::new(&throughput());
    accepted_by_second(&mut capacity, 0..260, 250, WRITE);
    accepted_by_second(&mut capacity, 260..760, 40, WRITE);
    // Were it not, it would run dry before another 200 s at 250 are over.
    let accepted = accepted_by_second(&mut capacity, 760..961, 250, WRITE);
    assert!(accepted[..199].iter().all(|&accepted| accepted == 250));
    assert!(accepted[200] <= 101, "{}", accepted[200]);
}

#[test]
fn a_partition_takes_1000_writes_and_3000_reads_a_second_whatever_the_table_has() {
    let settings = ThroughputSettings { units: [2000.0, 300.0], ..throughput() };
    let mut capacity = Capacity::new(&settings);
    assert_eq!(capacity.partitions.len(), 1);
    // The first second also finds the limit's own second, kept from before.
    assert_eq!(accepted_by_second(&mut capacity, 1..4, 7000, WRITE)[1..], [1000, 1000]);
    assert_eq!(accepted_by_second(&mut capacity, 1..4, 7000, READ)[1..], [3000, 3000]);
    assert_eq!(capacity.take(at_millis(4000), 0, WRITE), None);
    assert_eq!(capacity.take(at_millis(4000), 0, WRITE), Some((Limit::Partition, Kind::Write)));
}

#[test]
fn without_adaptive_capacity_a_hot_partition_has_its_even_share() {
    let settings = ThroughputSettings { size_gb: 40.0, burst_seconds: 0.0, sharing: Sharing::Even, ..throughput() };
    let mut even = Capacity::new(&settings);
    let mut adaptive = Capacity::new(&ThroughputSettings { sharing: Sharing::Whole, ..settings });
    assert_eq!(even.partitions.len(), 4);
    assert_eq!(accepted_by_second(&mut even, 1..4, 200, WRITE)[1..], [25, 25]);
    assert_eq!(accepted_by_second(&mut adaptive, 1..4, 200, WRITE)[1..], [100, 100]);
    assert_eq!(even.take(at_millis(3999), 0, WRITE), Some((Limit::Partition, Kind::Write)));
    assert_eq!(adaptive.take(at_millis(3999), 0, WRITE), Some((Limit::Provisioned, Kind::Write)));
    assert_eq!(even.take(at_millis(3999), 1 << 62, WRITE), None, "the other partitions have theirs");
}

#[test]
fn a_minutes_60_writes_a_second_do_not_cover_3600_in_one() {
    let settings = ThroughputSettings { units: [100.0, 60.0], burst_seconds: 0.0, ..throughput() };
    let mut capacity = Capacity::new(&settings);
    let accepted = accepted_by_second(&mut capacity, 0..1, 3600, WRITE);
    assert_eq!(accepted, [119], "the second's 60 and those that come during it");
}

#[test]
fn an_operation_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_for() {
    let settings = ThroughputSettings { units: [5.0, 100.0], burst_seconds: 0.0, ..throughput() };
    let mut capacity = Capacity::new(&settings);
    let scan = [128.0, 0.0];
    assert_eq!(capacity.take(SimTime::ZERO, 0, scan), None);
    assert_eq!(capacity.take(at_millis(24_700), 0, READ), Some((Limit::Provisioned, Kind::Read)));
    assert_eq!(capacity.take(at_millis(24_900), 0, READ), None, "123 units of debt and one more at 5 a second");
}

#[test]
fn reads_and_writes_have_capacities_of_their_own() {
    let mut capacity = Capacity::new(&ThroughputSettings { burst_seconds: 0.0, ..throughput() });
    assert_eq!(accepted_by_second(&mut capacity, 0..1, 1000, WRITE).len(), 1);
    assert_eq!(capacity.take(at_millis(999), 0, WRITE), Some((Limit::Provisioned, Kind::Write)));
    assert_eq!(capacity.take(at_millis(999), 0, READ), None);
}

/// Runs a table until then; who is answered is shown and leaves.
fn run_until(until: SimTime, bench: &mut Bench, table: &mut Table, mut answered: impl FnMut(SimTime, &Request)) {
    bench.run_until(
        until,
        |event, cx| match event {
            WorldEvent::DynamoDb(_, event) => table.on(event, cx),
            other => panic!("{other:?}"),
        },
        |message, cx| match message {
            Message::Reply(key) => answered(cx.now(), cx.shared.requests.remove(key).unwrap()),
            other => panic!("{other:?}"),
        },
    );
}

/// Offers `count` operations a second for ten seconds; returns answers (milliseconds after asking, outcome) and findings.
fn ask(settings: &Settings, operation: u16, per_second: u64) -> (Vec<(u64, Outcome)>, Findings) {
    let mut bench = Bench::new();
    let mut table = Table::new(DynamoDbId(0), settings, &mut bench.cx());
    let mut answers = Vec::new();
    let mut answered = |now: SimTime, request: &Request| {
        answers.push(((now - request.joined).as_nanos() / 1_000_000, request.outcome));
    };
    for number in 0..10 * per_second {
        let now = SimTime::from_nanos(number * 1_000_000_000 / per_second);
        run_until(now, &mut bench, &mut table, &mut answered);
        let key = bench.request();
        bench.cx().request(key).operation = operation;
        table.on_offer(key, &mut bench.cx());
    }
    run_until(SimTime::ZERO + SimDuration::from_secs(11), &mut bench, &mut table, &mut answered);
    let mut findings = Findings::default();
    table.finish(bench.kernel.now(), &mut findings);
    for check in &findings.checks {
        assert!(check.holds, "{}: {}", check.law, check.found);
    }
    (answers, findings)
}

fn counter(findings: &Findings, name: &str) -> f64 {
    let found = findings.counters.iter().find(|counter| counter.name == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {:?}", findings.counters)).value
}

#[test]
fn throttled_operations_fail_with_400_and_are_counted_by_reason() {
    let settings = Settings { throughput: ThroughputSettings { burst_seconds: 0.0, ..throughput() }, ..settings() };
    let (answers, findings) = ask(&settings, 1, 150);
    let throttled: Vec<_> = answers.iter().filter(|(_, outcome)| !outcome.is_ok()).collect();
    assert_eq!(answers.len(), 1500);
    assert!(throttled.iter().all(|(_, outcome)| *outcome == Outcome::failed(400, Cause::Throttled)));
    // Ten seconds of 100, and the one that was kept.
    assert!((399..=401).contains(&throttled.len()), "{}", throttled.len());
    assert!(answers.iter().all(|(millis, _)| *millis == 4));
    assert_eq!(counter(&findings, "TableWriteProvisionedThroughputExceeded"), throttled.len() as f64);
    assert_eq!(counter(&findings, "put throttled"), throttled.len() as f64);
    assert_eq!(counter(&findings, "put accepted"), (1500 - throttled.len()) as f64);
    assert_eq!(counter(&findings, "write units consumed"), (1500 - throttled.len()) as f64);
    assert_eq!(counter(&findings, "read units consumed"), 0.0);
}

#[test]
fn a_table_within_its_units_throttles_nothing() {
    let (answers, findings) = ask(&settings(), 0, 99);
    assert!(answers.iter().all(|(_, outcome)| outcome.is_ok()));
    assert_eq!(counter(&findings, "get accepted"), 990.0);
    assert_eq!(counter(&findings, "partitions"), 1.0);
}

#[test]
fn the_minute_in_which_the_warm_up_ends_is_published_whole_and_is_no_busiest_one() {
    let mut bench = Bench::new();
    let mut table = Table::new(DynamoDbId(0), &settings(), &mut bench.cx());
    let written = table.store.published.consumed[Kind::Write as usize];
    bench.shared.metrics.keep(written, PERIOD, Statistic::Sum);
    let minute = |number: u64| SimTime::from_secs(60 * number);
    let published_by = |until: SimTime, bench: &mut Bench, table: &mut Table| {
        bench.run_until(until, |_, _| {}, |_, _| {});
        table.publish(&mut bench.cx());
        let mut points = Vec::new();
        bench.shared.metrics.read(written, Statistic::Sum, PERIOD, until, 1, &mut points);
        points[0]
    };
    let write = |at: u64, units: f64, table: &mut Table| {
        table.store.capacity.owe(SimTime::from_secs(at), 0, [0.0, units]);
        table.store.books.consume([0.0, units]);
    };
    write(10, 40.0, &mut table);
    table.warm_up_over(SimTime::from_secs(30));
    write(50, 5.0, &mut table);
    assert_eq!(published_by(minute(1), &mut bench, &mut table), Some(45.0));
    assert_eq!(table.store.books.busiest[Kind::Write as usize].0, 0.0);
    write(70, 7.0, &mut table);
    assert_eq!(published_by(minute(2), &mut bench, &mut table), Some(7.0));
    assert_eq!(table.store.books.busiest[Kind::Write as usize], (7.0, minute(1)));
}
