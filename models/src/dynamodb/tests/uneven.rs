//! Uneven keys: where items are, hot partitions, splits, and how throughput grows.

use std::collections::BTreeMap;

use sim_core::random::Stream;

use super::super::growth::{Decreases, Growth};
use super::super::heat::{Cut, Sample};
use super::super::partitions::Partitions;
use super::*;

const SPLITS: SplitSettings = SplitSettings { for_heat: true, isolates: true, ..NO_SPLITS };

fn at(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

/// How often each item is drawn.
fn drawn(keys: &KeySettings, now: SimTime, draws: u32) -> BTreeMap<u64, u32> {
    let keys = Keys::new(keys, 7);
    let mut stream = Stream::from_key(1);
    let mut counts = BTreeMap::new();
    (0..draws).for_each(|_| *counts.entry(keys.draw(now, &mut stream)).or_insert(0) += 1);
    counts
}

#[test]
fn popular_keys_are_asked_for_by_zipfs_law() {
    let draws = 100_000;
    let mut counts: Vec<f64> = drawn(&KeySettings::zipf(10, 1.0), SimTime::ZERO, draws)
        .into_values()
        .map(|count| f64::from(count) / f64::from(draws))
        .collect();
    counts.sort_by(|a, b| b.total_cmp(a));
    let harmonic: f64 = (1..=10).map(|k| 1.0 / f64::from(k)).sum();
    assert_eq!(counts.len(), 10);
    for (rank, share) in counts.iter().enumerate() {
        let expected = 1.0 / harmonic / (rank + 1) as f64;
        let standard_error = (expected / f64::from(draws)).sqrt();
        assert!((share - expected).abs() < 4.0 * standard_error, "rank {rank}: {share} for {expected}");
    }
}

#[test]
fn listed_hot_keys_have_their_shares_and_the_others_the_rest() {
    let keys = KeySettings { hot: vec![0.3, 0.1], ..KeySettings::zipf(1000, 0.0) };
    let counts = drawn(&keys, SimTime::ZERO, 100_000);
    let place = |number| sim_core::math::mix(7, number);
    assert!((counts[&place(0)] as f64 - 30_000.0).abs() < 4.0 * (100_000.0_f64 * 0.3 * 0.7).sqrt());
    assert!((counts[&place(1)] as f64 - 10_000.0).abs() < 4.0 * (100_000.0_f64 * 0.1 * 0.9).sqrt());
    assert_eq!(counts.len(), 1002);
}

#[test]
fn calendar_keys_change_with_the_hour_and_suffixes_spread_them() {
    let hour = SimDuration::from_secs(3600);
    let keys = KeySettings { calendar: Some(hour), ..KeySettings::zipf(1, 0.0) };
    let (first, same, next) = (drawn(&keys, at(0), 9), drawn(&keys, at(3599), 9), drawn(&keys, at(3600), 9));
    assert_eq!((first.len(), next.len()), (1, 1));
    assert_eq!(first, same);
    assert_ne!(first, next);
    let sharded = KeySettings { calendar: Some(hour), ..KeySettings::zipf(10, 0.0) };
    assert_eq!(drawn(&sharded, at(0), 1000).len(), 10);
}

#[test]
fn items_of_one_partition_key_lie_side_by_side() {
    let keys = KeySettings { sort_keys: 100, ..KeySettings::zipf(1, 0.0) };
    let items = drawn(&keys, SimTime::ZERO, 5000);
    assert_eq!(items.len(), 100);
    let (least, most) = (items.keys().next().unwrap(), items.keys().last().unwrap());
    assert!(most - least < 1 << 24);
}

#[test]
fn replications_hash_keys_to_other_places() {
    let place = |hash| Keys::new(&KeySettings::zipf(1, 0.0), hash).draw(SimTime::ZERO, &mut Stream::from_key(1));
    assert_ne!(place(1), place(2));
    assert_eq!(place(3), place(3));
}

#[test]
fn a_million_keys_load_a_thousand_partitions_as_evenly_as_hashing_does() {
    let partitions = Partitions::new(1000, 1.0, false);
    let keys = Keys::new(&KeySettings::zipf(1_000_000, 0.0), 3);
    let mut stream = Stream::from_key(5);
    let mut counts = vec![0u32; 1000];
    (0..1_000_000).for_each(|_| counts[partitions.find(keys.draw(SimTime::ZERO, &mut stream))] += 1);
    let mean = 1000.0;
    // A thousand keys of about one request each: two Poisson variances.
    let variance = counts.iter().map(|&n| sim_core::math::pow(f64::from(n) - mean, 2.0)).sum::<f64>() / mean;
    assert!((variance / (2.0 * mean) - 1.0).abs() < 0.2, "{variance}");
}

#[test]
fn partitions_of_5000_rcu_and_2000_wcu_double_to_8_and_one_that_is_full_makes_9() {
    let settings = ThroughputSettings { units: [5000.0, 2000.0], sharing: Sharing::Even, ..throughput() };
    let mut capacity = Capacity::new(&settings);
    let shares = |capacity: &Capacity| {
        let share = |it: &super::super::partitions::Partition| {
            let share = it.share.as_ref().unwrap();
            (share[0].rate(), share[1].rate())
        };
        capacity.partitions.all.iter().map(share).collect::<Vec<_>>()
    };
    assert_eq!(shares(&capacity), vec![(1250.0, 500.0); 4]);
    assert_eq!(capacity.set(at(10), Kind::Read, 8000.0, Limit::Provisioned), 4);
    assert_eq!(shares(&capacity), vec![(1000.0, 250.0); 8]);
    capacity.partitions.all[3].gb = 9.9;
    assert!(!capacity.grow(at(20), 0, 0.1));
    assert!(capacity.grow(at(20), u64::MAX / 8 * 3 + 10, 0.2));
    assert_eq!(capacity.partitions.len(), 9);
    assert_eq!(shares(&capacity)[3..5], [(500.0, 125.0); 2], "the share is halved with the data");
    assert!((capacity.partitions.all[4].gb - 5.05).abs() < 1e-6);
    // Scaling down keeps them.
    assert_eq!(capacity.set(at(30), Kind::Read, 10.0, Limit::Provisioned), 0);
    assert_eq!(capacity.partitions.len(), 9);
}

#[test]
fn a_split_leaves_every_key_on_one_of_the_two_and_no_units_more() {
    let mut partitions = Partitions::new(4, 8.0, false);
    let (inside, after) = ((1 << 62) + 5, 1 << 63);
    partitions.split(1, (1 << 62) + 100, at(5));
    assert_eq!((partitions.find(inside), partitions.find((1 << 62) + 100), partitions.find(after)), (1, 2, 3));
    assert_eq!(partitions.all.iter().map(|it| it.id).collect::<Vec<_>>(), [0, 1, 4, 2, 3]);
    let gb: f64 = partitions.all.iter().map(|it| it.gb).sum();
    assert!((gb - 8.0).abs() < 1e-9);
}

fn sample(places: impl IntoIterator<Item = u64>) -> Sample {
    let mut sample = Sample::default();
    places.into_iter().for_each(|place| sample.add(place));
    sample
}

#[test]
fn a_hot_partition_is_cut_where_its_requests_fall_into_halves() {
    // One key of four tenths and six of one: the cut is behind it and the next one.
    let places = (0..400).map(|n| if n % 10 < 4 { 10 } else { 20 + n % 10 });
    assert_eq!(sample(places.clone()).cut(&SPLITS), Cut::At(25));
    assert_eq!(sample(places).cut(&SplitSettings { for_heat: false, ..SPLITS }), Cut::Refused(0.4));
}

#[test]
fn one_hot_item_is_isolated_or_left_alone() {
    let places = (0..400).map(|n| if n % 10 < 6 { 30 } else { 20 + n % 10 });
    assert_eq!(sample(places.clone()).cut(&SPLITS), Cut::Isolate(30));
    assert_eq!(sample(places).cut(&SplitSettings { isolates: false, ..SPLITS }), Cut::Refused(0.6));
    let mut partitions = Partitions::new(1, 1.0, false);
    assert_eq!(partitions.cut(0, Cut::Isolate(30), at(1)), 2);
    assert_eq!([29, 30, 31].map(|place| partitions.find(place)), [0, 1, 2]);
    assert_eq!(partitions.cut(1, Cut::Isolate(30), at(2)), 0, "it is alone already");
}

#[test]
fn a_sample_is_bounded_and_even() {
    let sample = sample(0..100_000);
    let mut all = sample.clone();
    all.add(1);
    let Cut::At(cut) = sample.cut(&SPLITS) else { panic!() };
    assert!((cut as f64 - 50_000.0).abs() < 4.0 * 0.5 * 100_000.0 / 512f64.sqrt(), "{cut}");
}

#[test]
fn in_2018_a_hot_partition_gets_more_than_its_share_after_minutes() {
    let settings = ThroughputSettings {
        size_gb: 40.0,
        burst_seconds: 0.0,
        sharing: Sharing::After(SimDuration::from_secs(600)),
        ..throughput()
    };
    let mut capacity = Capacity::new(&settings);
    let accepted = accepted_by_second(&mut capacity, 1..700, 200, WRITE);
    assert_eq!((accepted[2], accepted[598]), (25, 25));
    assert_eq!(accepted[610], 100, "all of the table's");
}

#[test]
fn on_demand_doubles_its_peak_every_30_minutes_and_reaches_40000_writes_after_120() {
    let billing = Billing::OnDemand { maximum: [None; 2], doubling: SimDuration::from_secs(1800) };
    let settings = ThroughputSettings { billing, units: [12_000.0, 4000.0], quota: [1e6; 2], ..throughput() };
    let mut growth = Growth::new(&settings, 1).unwrap();
    let mut allowed = Vec::new();
    for _ in 0..121 {
        // It is asked for 40,000 all the time, and takes what is allowed.
        allowed.push(growth.allowed().0);
        growth.minute_ends(growth.allowed().0.min(40_000.0));
    }
    let at_minutes = [0, 29, 30, 60, 90, 119, 120].map(|minute| allowed[minute]);
    assert_eq!(at_minutes, [4000.0, 4000.0, 8000.0, 16_000.0, 32_000.0, 32_000.0, 64_000.0]);
}

#[test]
fn on_demand_stays_below_its_maximum_and_its_quota() {
    let of = |maximum: Option<f64>, quota: f64| {
        let billing = Billing::OnDemand { maximum: [None, maximum], doubling: SimDuration::from_secs(1800) };
        let settings = ThroughputSettings { billing, units: [12_000.0, 4000.0], quota: [quota; 2], ..throughput() };
        Growth::new(&settings, 1).unwrap().allowed()
    };
    assert_eq!(of(Some(500.0), 40_000.0), (500.0, Limit::MaxOnDemand));
    assert_eq!(of(None, 2000.0), (2000.0, Limit::Quota));
    assert_eq!(of(Some(9000.0), 40_000.0), (4000.0, Limit::Growth));
}

#[test]
fn a_day_allows_27_decreases() {
    let mut decreases = Decreases::default();
    let minutes = |minutes: u64| at(60 * minutes);
    let allowed = (0..24 * 60).filter(|&minute| decreases.take(minutes(minute))).count();
    assert_eq!(allowed, 27);
    assert!((24 * 60..24 * 60 + 3).all(|minute| decreases.take(minutes(minute))), "another day");
}

/// Asks for items of operation 1 for so many minutes; returns those accepted in each minute, and the table.
fn minutes_of(settings: &Settings, minutes: u64, per_second: u64) -> (Vec<u64>, Table, Bench) {
    let mut bench = Bench::new();
    let mut table = Table::new(DynamoDbId(0), settings, &mut bench.cx());
    table.start(&mut bench.cx());
    let mut accepted = vec![0; minutes as usize + 1];
    let mut answered = |_, request: &Request| {
        accepted[(request.joined.as_nanos() / 60_000_000_000) as usize] += u64::from(request.outcome.is_ok());
    };
    for number in 0..60 * minutes * per_second {
        let now = SimTime::from_nanos(number * 1_000_000_000 / per_second);
        run_until(now, &mut bench, &mut table, &mut answered);
        let stream = sim_core::math::mix(11, number);
        let now = bench.kernel.now();
        let request = Request::new(stream, now, Holder::Client(TrafficId(0)), Hop::NONE);
        let key = bench.shared.requests.insert(request);
        bench.cx().request(key).operation = 1;
        table.on_offer(key, &mut bench.cx());
    }
    accepted.truncate(minutes as usize);
    (accepted, table, bench)
}

fn hot_table(splits: SplitSettings, keys: KeySettings) -> Settings {
    let put = Operation { keys, ..operation("put", WRITE, 1, 0.0) };
    let throughput = ThroughputSettings { units: [100.0, 3000.0], splits, ..throughput() };
    Settings { throughput, operations: vec![operation("get", READ, 1, 0.0), put], ..settings() }
}

#[test]
fn a_hot_partition_of_many_warm_keys_is_split_and_throttles_no_more() {
    // Four keys on three partitions: at least two of them, 1,200 writes a second, are on one.
    let keys = KeySettings { hot: vec![0.25; 4], ..KeySettings::zipf(1, 0.0) };
    let one = |splits| {
        let settings = hot_table(splits, keys.clone());
        let throughput = ThroughputSettings { units: [100.0, 2500.0], ..settings.throughput };
        minutes_of(&Settings { throughput, ..settings }, 12, 2400)
    };
    let (with, table, _) = one(SPLITS);
    let (without, ..) = one(NO_SPLITS);
    let all = 60 * 2400;
    assert!(without[10] < all, "{without:?}");
    assert!(table.store.books.splits >= 1);
    assert_eq!(with[..6], without[..6], "a minute hot and five minutes to split");
    assert_eq!(with[10], all);
}

#[test]
fn one_hot_item_is_isolated_but_has_no_more_than_one_partition() {
    let keys = KeySettings { hot: vec![0.7], ..KeySettings::zipf(100_000, 0.0) };
    let settings = hot_table(SPLITS, keys);
    let (accepted, table, _) = minutes_of(&settings, 14, 2000);
    assert!(table.store.capacity.partitions.len() >= 6, "{}", table.store.capacity.partitions.len());
    // 1,400 a second are for the item, whose partition takes 1,000; all the others get through.
    let last = accepted[13] as f64 / 60.0;
    assert!((last - 1600.0).abs() < 25.0, "{last}");
    assert!(accepted[4] < accepted[13], "it shared its partition with others: {accepted:?}");
}

#[test]
fn pages_are_asked_for_one_after_the_other() {
    let mut scan = operation("scan", [128.0, 0.0], 1000, 0.0);
    (scan.pages, scan.last_page_units, scan.scans) = (3, [10.0, 0.0], true);
    let throughput = ThroughputSettings { units: [300.0, 1.0], burst_seconds: 0.0, ..throughput() };
    let settings = Settings { throughput, operations: vec![scan], ..settings() };
    let (answers, findings) = ask(&settings, 0, 1);
    // 266 units a second are within 300.
    assert!(answers.iter().all(|(millis, outcome)| *millis == 12 && outcome.is_ok()), "{answers:?}");
    assert_eq!(counter(&findings, "read units consumed"), 2660.0);
    let throughput = ThroughputSettings { units: [200.0, 1.0], burst_seconds: 0.0, ..super::throughput() };
    let (answers, _) = ask(&Settings { throughput, ..settings }, 0, 1);
    assert!(answers.iter().any(|(millis, outcome)| *millis == 8 && !outcome.is_ok()), "{answers:?}");
}

#[test]
fn a_batch_leaves_items_unprocessed_and_a_transaction_fails_as_a_whole() {
    let batch = Operation { parts: 10, ..operation("batch", WRITE, 1, 0.0) };
    let transaction = Operation { parts: 10, atomic: true, ..operation("transaction", [0.0, 2.0], 1, 0.0) };
    let throughput = ThroughputSettings { units: [1.0, 15.0], burst_seconds: 0.0, ..throughput() };
    let settings = Settings { throughput, operations: vec![batch, transaction], ..settings() };
    let (answers, findings) = ask(&settings, 0, 2);
    assert!(answers.iter().all(|(_, outcome)| outcome.is_ok()));
    // 20 items a second are asked for and 15 found; the first second has 15 kept besides.
    let unprocessed = counter(&findings, "unprocessed items of batches");
    assert!((35.0..=50.0).contains(&unprocessed), "{unprocessed}");
    assert_eq!(counter(&findings, "write units consumed"), 200.0 - unprocessed);
    let (answers, findings) = ask(&settings, 1, 2);
    let accepted = answers.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    assert!(accepted < 20 && accepted > 5, "{accepted}");
    assert_eq!(counter(&findings, "write units consumed"), 20.0 * accepted as f64);
}

#[test]
fn failed_conditions_and_missing_items_cost_too() {
    let get = Operation { missing: 1.0, ..operation("get", [2.0, 0.0], 1, 0.0) };
    let put = Operation { condition_fails: 1.0, ..operation("put", WRITE, 1, 0.0) };
    let settings = Settings { operations: vec![get, put], ..settings() };
    let (answers, findings) = ask(&settings, 1, 1);
    assert!(answers.iter().all(|(_, outcome)| *outcome == Outcome::failed(400, Cause::ConditionFailed)));
    assert_eq!(counter(&findings, "write units consumed"), 10.0);
    assert_eq!(counter(&findings, "put condition failed"), 10.0);
    let (_, findings) = ask(&settings, 0, 1);
    assert_eq!(counter(&findings, "read units consumed"), 5.0);
}

#[test]
fn auto_scaling_changes_units_after_a_while_and_decreases_run_out() {
    let mut bench = Bench::new();
    let mut table = Table::new(DynamoDbId(0), &settings(), &mut bench.cx());
    let run = |until, bench: &mut Bench, table: &mut Table| {
        bench.run_until(
            until,
            |event, cx| match event {
                WorldEvent::DynamoDb(_, event) => table.on(event, cx),
                other => panic!("{other:?}"),
            },
            |_, _| {},
        );
    };
    table.scale(1, 215, &mut bench.cx());
    run(at(29), &mut bench, &mut table);
    assert_eq!(table.store.capacity.units[1], 100.0);
    run(at(31), &mut bench, &mut table);
    assert_eq!(table.store.capacity.units, [100.0, 215.0]);
    for (n, units) in [200, 190, 180, 170, 160].into_iter().enumerate() {
        table.scale(1, units, &mut bench.cx());
        run(at(100 + 60 * n as u64), &mut bench, &mut table);
    }
    assert_eq!(table.store.capacity.units[1], 170.0, "the fifth is refused");
    assert_eq!(table.store.refused_decreases, 1);
    table.scale(1, 500, &mut bench.cx());
    run(at(400), &mut bench, &mut table);
    assert_eq!(table.store.capacity.units[1], 500.0);
}
