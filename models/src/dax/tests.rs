//! A cluster before a table that is played by the test.

use sim_core::distribution::Distribution;

use super::*;
use crate::dynamodb::KeySettings;
use crate::observer::{Findings, Observed};
use crate::world::bench::Bench;
use crate::world::{Event as WorldEvent, Message};

const GET: u16 = 0;
const QUERY: u16 = 1;
const PUT: u16 = 2;
const DELETE: u16 = 3;
const STRONG: u16 = 4;

fn cluster(nodes: u16) -> Settings {
    let kinds = [Kind::Item, Kind::Query, Kind::Put, Kind::Delete, Kind::Through];
    Settings {
        name: "cart".to_owned(),
        table: DynamoDbId(0),
        node_type: "dax.r5.large".to_owned(),
        nodes,
        memory: 1 << 20,
        ttl: [SimDuration::from_secs(300), SimDuration::from_secs(10)],
        latency: Distribution::constant(0.001).unwrap(),
        requests_per_second: None,
        rtt: SimDuration::from_millis(2),
        timeout: SimDuration::from_millis(500),
        detection: SimDuration::from_secs(10),
        replacement: SimDuration::from_secs(300),
        operations: kinds.map(|kind| Operation { kind, bytes: 1000 }).to_vec(),
    }
}

/// A cluster, its callers, and the table, which takes 10 ms.
struct Stage {
    bench: Bench,
    dax: Dax,
    asked: u32,
    table_fails: bool,
    calls: u64,
}

impl Stage {
    fn new(settings: &Settings, keys: u64) -> Self {
        let mut bench = Bench::new();
        let keys = vec![Keys::new(&KeySettings::zipf(keys, 0.0), 1); settings.operations.len()];
        let dax = Dax::new(DaxId(0), settings, keys, &mut bench.cx());
        Self { bench, dax, asked: 0, table_fails: false, calls: 0 }
    }

    /// Makes a call and lets a second pass; how long it took in milliseconds, and its outcome.
    fn call(&mut self, operation: u16) -> (u64, Outcome) {
        let now = self.bench.kernel.now();
        self.calls += 1;
        let holder = Holder::Client(TrafficId(0));
        let cx = &mut self.bench.cx();
        let (key, request) = cx.shared.new_request(self.calls, now, holder, Hop::NONE);
        request.operation = operation;
        cx.offer(Endpoint::Dax(DaxId(0)), key, Hop::NONE);
        (0..20).find_map(|_| self.pass(1000)).unwrap_or_else(|| panic!("no answer to {operation}"))
    }

    fn pass(&mut self, millis: u64) -> Option<(u64, Outcome)> {
        let until = self.bench.kernel.now() + SimDuration::from_millis(millis);
        let Self { bench, dax, asked, table_fails, .. } = self;
        let mut answer = None;
        let state = std::cell::RefCell::new((dax, &mut answer));
        let mut table = |key: RequestKey, cx: &mut Cx<'_>| {
            *asked += 1;
            let outcome = if *table_fails { Outcome::failed(400, Cause::Throttled) } else { Outcome::OK };
            let now = cx.now();
            (cx.request(key).outcome, cx.request(key).joined) = (outcome, now);
            // With its way back.
            cx.kernel.schedule_in(SimDuration::from_millis(11), WorldEvent::Reply(key));
        };
        let mut message = |message: Message, cx: &mut Cx<'_>| match message {
            Message::Offer(Endpoint::Dax(_), key) => state.borrow_mut().0.on_offer(key, cx),
            Message::Offer(Endpoint::DynamoDb(_), key) => table(key, cx),
            Message::Reply(key) => match cx.request(key).pop().holder {
                Holder::Dax(_) => state.borrow_mut().0.on_reply(key, cx),
                _ => {
                    let (now, request) = (cx.now(), cx.request(key));
                    let took = (now - request.attempted).as_nanos() / 1_000_000;
                    *state.borrow_mut().1 = Some((took, request.outcome));
                    cx.shared.requests.remove(key);
                }
            },
            other => panic!("{other:?}"),
        };
        let message = std::cell::RefCell::new(&mut message);
        bench.run_until(
            until,
            |event, cx| match event {
                WorldEvent::Dax(_, event) => state.borrow_mut().0.on(event, cx),
                WorldEvent::Offer(to, key) => (message.borrow_mut())(Message::Offer(to, key), cx),
                WorldEvent::Reply(key) => (message.borrow_mut())(Message::Reply(key), cx),
                other => panic!("{other:?}"),
            },
            |it, cx| (message.borrow_mut())(it, cx),
        );
        answer
    }

    fn counter(&mut self, name: &str) -> f64 {
        let mut findings = Findings::default();
        self.dax.finish(self.bench.kernel.now(), &mut findings);
        assert!(findings.checks.iter().all(|check| check.holds));
        findings.counters.iter().find(|counter| counter.name == name).map_or(0.0, |counter| counter.value)
    }
}

#[test]
fn an_item_is_asked_of_the_table_once_in_its_time_to_live() {
    let mut stage = Stage::new(&cluster(3), 1);
    // 1 ms at the node, 2 ms to the table and back, 10 ms there.
    assert_eq!(stage.call(GET), (13, Outcome::OK));
    (0..298).for_each(|_| assert_eq!(stage.call(GET), (1, Outcome::OK)));
    stage.pass(2000);
    assert_eq!(stage.call(GET), (13, Outcome::OK));
    assert_eq!((stage.asked, stage.counter("item hits"), stage.counter("item misses")), (2, 298.0, 2.0));
}

#[test]
fn writes_go_through_and_items_are_fresh_but_results_of_queries_are_not() {
    let mut stage = Stage::new(&cluster(3), 1);
    assert_eq!([PUT, GET, QUERY, QUERY].map(|it| stage.call(it).0), [13, 1, 13, 1]);
    // Deleting forgets the item; the query's result stays for its time.
    assert_eq!([DELETE, QUERY, GET].map(|it| stage.call(it).0), [13, 1, 13]);
    stage.pass(10_000);
    assert_eq!([QUERY, GET].map(|it| stage.call(it).0), [13, 1]);
}

#[test]
fn strongly_consistent_reads_pass_and_leave_nothing() {
    let mut stage = Stage::new(&cluster(3), 1);
    assert_eq!([STRONG, STRONG, GET, STRONG].map(|it| stage.call(it).0), [13; 4]);
    assert_eq!(stage.counter("item misses"), 1.0);
}

#[test]
fn what_the_table_refuses_is_not_kept() {
    let mut stage = Stage::new(&cluster(3), 1);
    stage.table_fails = true;
    assert_eq!(stage.call(GET), (13, Outcome::failed(400, Cause::Throttled)));
    stage.table_fails = false;
    assert_eq!([stage.call(GET).0, stage.call(GET).0], [13, 1]);
}

#[test]
fn items_hit_by_their_popularity() {
    // Two keys, alike: after the first two misses all are hits.
    let mut stage = Stage::new(&cluster(1), 2);
    (0..50).for_each(|_| assert!(stage.call(GET).1.is_ok()));
    assert_eq!((stage.asked, stage.counter("copies")), (2, 2.0));
}

#[test]
fn a_failed_node_costs_some_a_timeout_and_its_copies_are_on_the_others() {
    let mut stage = Stage::new(&cluster(2), 1);
    stage.call(GET);
    stage.dax.begin_fault(&Fault { node: 0 }, &mut stage.bench.cx());
    let took: Vec<u64> = (0..5).map(|_| stage.call(GET).0).collect();
    // As often as chance names the failed node, half a second.
    assert!(
        took.iter().all(|took| took % 500 == 1) && took.contains(&1) && took.iter().any(|&took| took > 1),
        "{took:?}"
    );
    stage.pass(10_000);
    assert!((0..20).all(|_| stage.call(GET).0 == 1), "clients know");
    assert_eq!(stage.asked, 1);
}

#[test]
fn the_last_node_takes_all_copies_with_it() {
    let mut stage = Stage::new(&cluster(1), 1);
    stage.call(GET);
    stage.dax.begin_fault(&Fault { node: 0 }, &mut stage.bench.cx());
    stage.pass(10_500);
    assert_eq!(stage.call(GET).1, Outcome::failed(0, Cause::ConnectionLost));
    stage.pass(300_000);
    assert_eq!(stage.call(GET), (13, Outcome::OK));
}

#[test]
fn an_overloaded_node_throttles() {
    let mut stage = Stage::new(&Settings { requests_per_second: Some(1.0), ..cluster(1) }, 1);
    stage.call(GET);
    let now = stage.bench.kernel.now();
    for _ in 0..2 {
        let cx = &mut stage.bench.cx();
        let (key, _) = cx.shared.new_request(9, now, Holder::Client(TrafficId(0)), Hop::NONE);
        cx.offer(Endpoint::Dax(DaxId(0)), key, Hop::NONE);
    }
    stage.pass(100);
    assert_eq!(stage.counter("throttled by DAX"), 1.0);
}
