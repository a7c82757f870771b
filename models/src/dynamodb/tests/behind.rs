//! What follows a table's writes: indexes, streams, deletions.

use super::*;
use crate::dynamodb::capacity::{Kind, Limit};

fn index(write_units: f64, buffer_seconds: f64) -> IndexSettings {
    IndexSettings {
        name: "by_date".to_owned(),
        throughput: ThroughputSettings { units: [100.0, write_units], burst_seconds: 0.0, ..throughput() },
        keys: KeySettings::zipf(1000, 0.0),
        buffer_seconds,
        delay_seconds: 0.1,
    }
}

/// A table of 1,000 WCU whose writes go to an index of so many.
fn indexed(index: IndexSettings, units: f64) -> Settings {
    let writes = vec![IndexWrite { index: 0, units, share: 1.0 }];
    let put = Operation { index_writes: writes, ..operation("put", WRITE, 1, 0.0) };
    Settings {
        throughput: ThroughputSettings { units: [100.0, 1000.0], ..throughput() },
        operations: vec![operation("get", READ, 1, 0.0), put],
        indexes: vec![index],
        ..settings()
    }
}

fn of(findings: &Findings, subject: &str, name: &str) -> f64 {
    let found = findings.counters.iter().find(|counter| counter.subject == subject && counter.name == name);
    found.map_or(f64::NAN, |counter| counter.value)
}

const INDEX: &str = "dynamodb.cart/by_date";

#[test]
fn an_index_with_enough_units_lags_only_by_its_delay() {
    let (answers, findings) = ask(&indexed(index(200.0, 300.0), 1.0), 1, 100);
    assert!(answers.iter().all(|(_, outcome)| outcome.is_ok()));
    assert_eq!(of(&findings, INDEX, "write units consumed"), 1000.0);
    assert_eq!(of(&findings, INDEX, "longest lag s"), 0.1);
}

#[test]
fn an_index_with_too_few_units_lags_and_then_throttles_the_table() {
    // 100 a second for 50: the lag grows by a second each second, and the buffer of three seconds is full after three.
    let (answers, findings) = ask(&indexed(index(50.0, 3.0), 1.0), 1, 100);
    let throttled = answers.iter().filter(|(_, outcome)| !outcome.is_ok()).count() as f64;
    assert_eq!(of(&findings, INDEX, "IndexWriteProvisionedThroughputExceeded"), throttled);
    // One second's units are kept, three seconds' wait, ten seconds come.
    assert!((throttled - (1000.0 - 14.0 * 50.0)).abs() <= 3.0, "{throttled}");
    let lag = of(&findings, INDEX, "longest lag s");
    assert!((3.1..3.2).contains(&lag), "{lag}");
    assert!(findings.counters.iter().all(|it| it.name != "TableWriteProvisionedThroughputExceeded"));
}

#[test]
fn changed_index_keys_cost_twice_and_sparse_items_less() {
    let (_, findings) = ask(&indexed(index(1000.0, 300.0), 2.0), 1, 100);
    assert_eq!(of(&findings, INDEX, "write units consumed"), 2000.0);
    let mut sparse = indexed(index(1000.0, 300.0), 1.0);
    sparse.operations[1].index_writes[0].share = 0.0;
    let (_, findings) = ask(&sparse, 1, 100);
    assert_eq!(of(&findings, INDEX, "write units consumed"), 0.0);
}

#[test]
fn a_hot_key_of_an_index_holds_the_table_back() {
    // The index has 5,000 units, but all writes have one of its keys, whose partition takes 1,000.
    let mut hot = index(5000.0, 1.0);
    hot.keys = KeySettings::zipf(1, 0.0);
    let mut settings = indexed(hot, 2.0);
    settings.throughput.units = [100.0, 5000.0];
    let (answers, findings) = ask(&settings, 1, 900);
    let throttled = answers.iter().filter(|(_, outcome)| !outcome.is_ok()).count() as f64;
    assert_eq!(of(&findings, INDEX, "IndexWriteKeyRangeThroughputExceeded"), throttled);
    // 500 items a second, one second kept, one waiting.
    assert!((throttled - (9000.0 - 6000.0)).abs() <= 3.0, "{throttled}");
}

#[test]
fn reads_of_an_index_take_its_units() {
    let mut settings = indexed(index(50.0, 3.0), 1.0);
    settings.operations[0].index = Some(0);
    let (_, findings) = ask(&settings, 0, 100);
    assert_eq!(of(&findings, INDEX, "read units consumed"), 1000.0);
    assert_eq!(of(&findings, "dynamodb.cart", "read units consumed"), 0.0);
}

#[test]
fn a_transaction_waits_for_no_index_and_takes_all_or_nothing() {
    let mut settings = indexed(index(50.0, 1.0), 1.0);
    (settings.operations[1].parts, settings.operations[1].atomic) = (10, true);
    let (answers, findings) = ask(&settings, 1, 20);
    let accepted = answers.iter().filter(|(_, outcome)| outcome.is_ok()).count() as f64;
    assert!(accepted < 200.0);
    assert_eq!(of(&findings, INDEX, "write units consumed"), 10.0 * accepted);
    assert_eq!(of(&findings, "dynamodb.cart", "write units consumed"), 10.0 * accepted);
}

fn consumer(batch_seconds: f64) -> ConsumerSettings {
    ConsumerSettings {
        name: "mailer".to_owned(),
        batch_size: 10,
        parallelization_factor: 1,
        batch_seconds,
        record_seconds: 0.0,
        error_rate: 0.0,
    }
}

const MAILER: &str = "dynamodb.cart/mailer";

#[test]
fn a_stream_is_read_within_a_poll_and_a_batch() {
    let settings = Settings { consumers: vec![consumer(0.05)], ..settings() };
    let (_, findings) = ask(&settings, 1, 50);
    assert_eq!(of(&findings, MAILER, "records"), 500.0);
    let (mean, most) = (of(&findings, MAILER, "mean lag s"), of(&findings, MAILER, "longest lag s"));
    assert!((0.1..0.2).contains(&mean) && most <= 0.3, "{mean}, {most}");
}

#[test]
fn a_slow_consumer_falls_behind_by_what_it_does_not_get_through() {
    // Ten records in half a second are 20 a second, for 50: after 10 s it is 300 records behind, 15 s of its time.
    let settings = Settings { consumers: vec![consumer(0.5)], ..settings() };
    let (_, findings) = ask(&settings, 1, 50);
    let most = of(&findings, MAILER, "longest lag s");
    assert!((most - 15.5).abs() < 0.5, "{most}");
    // Twice the batches at once are 40 a second: 100 records behind.
    let faster = ConsumerSettings { parallelization_factor: 2, ..consumer(0.5) };
    let (_, findings) = ask(&Settings { consumers: vec![faster], ..settings }, 1, 50);
    let most = of(&findings, MAILER, "longest lag s");
    assert!((most - 3.0).abs() < 0.5, "{most}");
}

#[test]
fn failing_batches_are_tried_again_and_take_longer() {
    let failing = ConsumerSettings { error_rate: 0.5, ..consumer(0.5) };
    assert_eq!(failing.speed(), 10.0);
}

#[test]
fn deletions_by_time_to_live_cost_nothing_and_are_in_the_stream() {
    let settings = Settings { consumers: vec![consumer(0.05)], expirations_per_second: 2.5, ..settings() };
    let mut bench = Bench::new();
    let mut table = Table::new(DynamoDbId(0), &settings, &mut bench.cx());
    table.start(&mut bench.cx());
    bench.run_until(
        SimTime::from_secs(100),
        |event, cx| match event {
            WorldEvent::DynamoDb(_, event) => table.on(event, cx),
            other => panic!("{other:?}"),
        },
        |_, _| {},
    );
    let mut findings = Findings::default();
    table.finish(bench.kernel.now(), &mut findings);
    let deleted = of(&findings, "dynamodb.cart", "items deleted by time to live");
    assert!((247.0..=250.0).contains(&deleted), "{deleted}");
    assert_eq!(of(&findings, MAILER, "records"), deleted);
    assert_eq!(of(&findings, "dynamodb.cart", "write units consumed"), 0.0);
}

#[test]
fn limits_are_named_as_dynamodb_names_its_reasons() {
    assert_eq!(
        format!("Index{}{}", Kind::Write.name(), Limit::Partition.name()),
        "IndexWriteKeyRangeThroughputExceeded"
    );
    assert_eq!(format!("Table{}{}", Kind::Read.name(), Limit::Quota.name()), "TableReadAccountLimitExceeded");
}
