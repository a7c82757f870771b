//! A cache that is told what to do, and asked what became of it.

use sim_core::distribution::Distribution;

use super::*;
use crate::observer::{Findings, Observed};
use crate::world::bench::Bench;
use crate::world::{Event as WorldEvent, Message};

const STORE: Endpoint = Endpoint::Station(StationId(3));
const ITEM: u64 = 1000;

fn dataset(policy: Policy, items: u64) -> Dataset {
    Dataset::new(items * ITEM, policy, true, Stream::from_key(1))
}

fn at(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

/// Which of the keys 1..=9 are there.
fn there(data: &mut Dataset, now: SimTime) -> Vec<u64> {
    (1..=9).filter(|&key| data.read_behind(key, now, now) != Seen::Nothing).collect()
}

#[test]
fn the_least_recently_used_makes_room() {
    let mut data = dataset(Policy::AllKeysLru, 3);
    for key in 1..=3 {
        data.set(key, ITEM, at(key), SimTime::MAX);
    }
    assert!(data.get(1, at(4), None));
    data.set(4, ITEM, at(5), at(100));
    assert_eq!((there(&mut data, at(5)), data.evicted), (vec![1, 3, 4], 1));
    data.set(5, 2 * ITEM, at(6), at(100));
    assert_eq!((there(&mut data, at(6)), data.evicted), (vec![4, 5], 3));
    assert_eq!((data.bytes(), data.items()), (3 * ITEM, 2));
}

#[test]
fn volatile_lru_drops_only_what_has_a_time_to_live_and_then_nothing() {
    let mut data = dataset(Policy::VolatileLru, 2);
    data.set(1, ITEM, at(1), SimTime::MAX);
    data.set(2, ITEM, at(2), at(100));
    assert_eq!(data.set(3, ITEM, at(3), SimTime::MAX), Written::Done);
    assert_eq!(there(&mut data, at(3)), [1, 3]);
    // A write that is refused leaves all as it is.
    assert_eq!(data.set(4, ITEM, at(4), at(100)), Written::Full);
    assert_eq!(data.set(3, ITEM, at(4), SimTime::MAX), Written::Full);
    assert_eq!((there(&mut data, at(4)), data.evicted), (vec![1, 3], 1));
}

#[test]
fn without_eviction_writes_fail_until_something_expires_or_is_deleted() {
    let mut data = dataset(Policy::NoEviction, 2);
    data.set(1, ITEM, at(1), at(10));
    data.set(2, ITEM, at(1), SimTime::MAX);
    assert_eq!(data.set(3, ITEM, at(9), SimTime::MAX), Written::Full);
    assert_eq!(data.set(3, ITEM, at(10), SimTime::MAX), Written::Done);
    assert_eq!((data.expired, data.evicted), (1, 0));
    data.delete(2, at(11));
    assert_eq!(there(&mut data, at(11)), [3]);
}

#[test]
fn volatile_ttl_drops_what_expires_next() {
    let mut data = dataset(Policy::VolatileTtl, 3);
    for (key, expires) in [(1, 50), (2, 20), (3, 30)] {
        data.set(key, ITEM, at(1), at(expires));
    }
    data.set(4, ITEM, at(2), at(40));
    data.set(5, ITEM, at(3), at(10));
    assert_eq!(there(&mut data, at(3)), [1, 4, 5]);
}

#[test]
fn the_least_frequently_used_makes_room() {
    let mut data = dataset(Policy::AllKeysLfu, 40);
    for key in 1..=3 {
        data.set(key, ITEM, at(0), SimTime::MAX);
    }
    for round in 0..400 {
        [1, 2, 3].into_iter().for_each(|key| assert!(data.get(key, at(1 + round / 40), None)));
    }
    // Keys that are asked for once come and go; the three stay.
    for key in 100..400 {
        data.set(key, ITEM, at(12), SimTime::MAX);
    }
    assert_eq!(there(&mut data, at(12)), [1, 2, 3]);
    // Their counters fall by one a minute: after hours new ones are as good.
    let later = at(12 + 6 * 3600);
    for key in 400..1000 {
        data.set(key, ITEM, later, SimTime::MAX);
    }
    assert_eq!(there(&mut data, later), Vec::<u64>::new());
}

#[test]
fn any_item_makes_room_at_random() {
    let mut data = dataset(Policy::VolatileRandom, 5);
    data.set(1, ITEM, at(0), SimTime::MAX);
    for key in 2..=9 {
        data.set(key, ITEM, at(key), at(100));
    }
    let left = there(&mut data, at(9));
    assert!(left.len() == 5 && left.starts_with(&[1]) && left.ends_with(&[9]) && left != [1, 6, 7, 8, 9], "{left:?}");
}

#[test]
fn an_item_lives_for_its_time_and_reading_may_renew_it() {
    let mut data = dataset(Policy::VolatileLru, 9);
    data.set(1, ITEM, at(0), at(10));
    data.set(2, ITEM, at(0), at(10));
    assert!(data.get(1, at(9), Some(at(19))) && data.get(2, at(9), None));
    assert_eq!(there(&mut data, at(10)), [1]);
    assert_eq!(there(&mut data, at(19)), Vec::<u64>::new());
    assert_eq!(data.expired, 2);
}

#[test]
fn a_replica_that_takes_over_does_not_know_the_latest_writes() {
    let mut data = dataset(Policy::VolatileLru, 9);
    data.set(1, ITEM, at(1), SimTime::MAX);
    data.set(2, ITEM, at(5), SimTime::MAX);
    data.set(1, ITEM, at(6), SimTime::MAX);
    assert_eq!([1, 2].map(|key| data.read_behind(key, at(6), at(4))), [Seen::Stale, Seen::Nothing]);
    assert_eq!([1, 2].map(|key| data.read_behind(key, at(6), at(5))), [Seen::Stale, Seen::Current]);
    assert_eq!(data.lose_since(at(4)), 2);
    assert_eq!(there(&mut data, at(6)), [1], "of what was written over the earlier version is left");
    assert_eq!(data.lose_since(at(4)), 0);
}

/// A cache of one shard whose only item is looked for by its own keys, before a store that answers in 100 ms.
fn settings(replicas: u16) -> Settings {
    Settings {
        name: "pages".to_owned(),
        node_type: "cache.r6g.large".to_owned(),
        engine: "redis",
        node_groups: 1,
        replicas,
        zones: vec!["a".to_owned(), "b".to_owned()],
        memory: 1 << 20,
        policy: Policy::VolatileLru,
        item_overhead: 100,
        command_time: Distribution::constant(0.001).unwrap(),
        client: Client {
            timeout: SimDuration::from_millis(500),
            connections: 2,
            connect_time: SimDuration::from_millis(5),
            connect_cpu: SimDuration::ZERO,
        },
        max_connections: 65_000,
        failover: Failover {
            automatic: replicas > 0,
            time: SimDuration::from_secs(20),
            detection: SimDuration::from_secs(15),
            endpoint_update: SimDuration::from_secs(3),
            replacement: SimDuration::from_secs(300),
        },
        replication_lag: Distribution::constant(2.0).unwrap(),
        items: vec![Item {
            name: "page".to_owned(),
            key: KeyOf::Client,
            ttl: None,
            sliding: false,
            size: Some(Distribution::constant(900.0).unwrap()),
            hit_ratio: None,
            from_replicas: false,
            collapsing: Collapsing::None,
            falls_through: true,
            miss_fails: true,
        }],
        uses: [Command::Get, Command::Set, Command::Del]
            .map(|command| Use { item: 0, what: What::Command(command), rtt: SimDuration::ZERO })
            .into_iter()
            .chain([Use {
                item: 0,
                what: What::LookAside { store: STORE, operation: 7, rtt: SimDuration::ZERO },
                rtt: SimDuration::from_millis(2),
            }])
            .collect(),
        resharding: Resharding {
            provisioning: SimDuration::from_secs(60),
            slot: SimDuration::from_millis(10),
            rate: 10_000.0,
        },
        changes: Vec::new(),
    }
}

const GET: u16 = 0;
const SET: u16 = 1;
const LOOK_ASIDE: u16 = 3;

/// A cache with callers and a store.
struct Stage {
    bench: Bench,
    cache: Cache,
    /// The client of a call, how long it took in milliseconds, and its outcome, in order.
    answers: Vec<(u32, u64, Outcome)>,
    asked: u32,
    store_fails: bool,
}

impl Stage {
    fn new(settings: &Settings) -> Self {
        let mut bench = Bench::new();
        let mut cache = Cache::new(ElastiCacheId(0), settings, &mut bench.cx());
        cache.start(&mut bench.cx());
        Self { bench, cache, answers: Vec::new(), asked: 0, store_fails: false }
    }

    /// Task number `task` makes a call now, on behalf of a client.
    fn call(&mut self, task: u32, client: u32, number: u16) {
        let parent = self.bench.request();
        let now = self.bench.kernel.now();
        let cx = &mut self.bench.cx();
        let hop = self.cache.uses[number as usize].hop;
        (cx.request(parent).client, cx.request(parent).target) = (client, TaskKey::new(task, 0));
        let (key, call) = cx.shared.new_request(u64::from(client), now, Holder::Call(ComputeId(0), parent), hop);
        call.operation = number;
        cx.offer(Endpoint::ElastiCache(ElastiCacheId(0)), key, hop);
    }

    /// Lets so many milliseconds pass; returns what was answered: client, milliseconds and cause.
    fn pass(&mut self, millis: u64) -> Vec<(u32, u64, Cause)> {
        let until = self.bench.kernel.now() + SimDuration::from_millis(millis);
        let Self { bench, cache, answers, asked, store_fails } = self;
        let cache = std::cell::RefCell::new(cache);
        let on_message = |message: Message, cx: &mut Cx<'_>| match message {
            Message::Offer(Endpoint::ElastiCache(_), key) => cache.borrow_mut().on_offer(key, cx),
            Message::Offer(STORE, key) => {
                assert_eq!(cx.request(key).operation, 7);
                *asked += 1;
                let outcome = if *store_fails { Outcome::failed(500, Cause::TargetError) } else { Outcome::OK };
                cx.request(key).outcome = outcome;
                cx.kernel.schedule_in(SimDuration::from_millis(100), WorldEvent::Reply(key));
            }
            Message::Reply(key) => replied(key, &cache, answers, cx),
            other => panic!("{other:?}"),
        };
        let on_message = std::cell::RefCell::new(on_message);
        bench.run_until(
            until,
            |event, cx| match event {
                WorldEvent::ElastiCache(_, event) => cache.borrow_mut().on(event, cx),
                WorldEvent::Offer(to, key) => (on_message.borrow_mut())(Message::Offer(to, key), cx),
                WorldEvent::Reply(key) => (on_message.borrow_mut())(Message::Reply(key), cx),
                other => panic!("{other:?}"),
            },
            |message, cx| (on_message.borrow_mut())(message, cx),
        );
        std::mem::take(&mut self.answers)
            .into_iter()
            .map(|(client, took, outcome)| (client, took, outcome.cause))
            .collect()
    }

    fn counter(&mut self, name: &str) -> f64 {
        let mut findings = Findings::default();
        self.cache.finish(self.bench.kernel.now() + SimDuration::from_secs(1), &mut findings);
        assert!(findings.checks.iter().all(|check| check.holds));
        findings.counters.iter().find(|counter| counter.name == name).map_or(0.0, |counter| counter.value)
    }
}

fn replied(
    key: RequestKey,
    cache: &std::cell::RefCell<&mut Cache>,
    answers: &mut Vec<(u32, u64, Outcome)>,
    cx: &mut Cx<'_>,
) {
    match cx.request(key).pop().holder {
        Holder::ElastiCache(_, trip) => cache.borrow_mut().on_reply(key, trip, cx),
        Holder::Call(_, parent) => {
            let (now, call) = (cx.now(), cx.request(key));
            let (took, outcome) = ((now - call.attempted).as_nanos() / 1_000_000, call.outcome);
            answers.push((cx.request(parent).client, took, outcome));
            cx.shared.requests.remove(key);
            cx.shared.requests.remove(parent);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_looks_aside_asks_the_store_once_and_finds_it_from_then_on() {
    let mut stage = Stage::new(&settings(0));
    stage.call(0, 5, LOOK_ASIDE);
    // 5 ms to connect, 2 ms and 1 ms to learn that nothing is there, 100 ms at the store, 2 ms and 1 ms to put it into the cache.
    assert_eq!(stage.pass(200), [(5, 111, Cause::None)]);
    stage.call(0, 5, LOOK_ASIDE);
    stage.call(1, 5, LOOK_ASIDE);
    // The other task has to connect.
    assert_eq!(stage.pass(50), [(5, 3, Cause::None), (5, 8, Cause::None)]);
    assert_eq!(stage.asked, 1);
    assert_eq!(["hits", "misses", "sets", "connections opened"].map(|name| stage.counter(name)), [2.0, 1.0, 1.0, 4.0]);
}

#[test]
fn the_engine_runs_one_command_at_a_time() {
    let mut stage = Stage::new(&settings(0));
    stage.call(0, 1, SET);
    stage.pass(50);
    (0..4).for_each(|_| stage.call(0, 1, GET));
    assert_eq!(stage.pass(50), [1, 2, 3, 4].map(|took| (1, took, Cause::None)));
}

#[test]
fn a_session_that_is_not_there_fails_its_caller() {
    let mut stage = Stage::new(&settings(0));
    stage.call(0, 1, SET);
    stage.pass(50);
    stage.call(0, 1, GET);
    stage.call(0, 2, GET);
    assert_eq!(stage.pass(50), [(1, 1, Cause::None), (2, 2, Cause::CacheMiss)]);
}

#[test]
fn collapsing_asks_the_store_once_for_each_task_or_in_all() {
    for (collapsing, expected) in [(Collapsing::None, 6), (Collapsing::Process, 2), (Collapsing::Lock, 1)] {
        let mut settings = settings(0);
        settings.items[0].collapsing = collapsing;
        let mut stage = Stage::new(&settings);
        (0..6).for_each(|number| stage.call(number % 2, 9, LOOK_ASIDE));
        let answers = stage.pass(500);
        assert_eq!((answers.len(), stage.asked), (6, expected), "{collapsing:?}");
        assert!(answers.iter().all(|(_, _, cause)| *cause == Cause::None));
        assert_eq!(stage.counter("waited for another's fetch"), f64::from(6 - expected));
    }
}

#[test]
fn with_a_lock_the_next_tries_when_the_store_fails() {
    for (collapsing, asked) in [(Collapsing::Process, 1), (Collapsing::Lock, 3)] {
        let mut settings = settings(0);
        settings.items[0].collapsing = collapsing;
        let mut stage = Stage::new(&settings);
        stage.store_fails = true;
        (0..3).for_each(|_| stage.call(0, 9, LOOK_ASIDE));
        assert_eq!(stage.pass(1000).len(), 3);
        assert_eq!((stage.asked, stage.counter("sets")), (asked, 0.0), "{collapsing:?}");
    }
}

#[test]
fn a_dead_node_costs_its_callers_their_timeout_and_they_ask_the_store() {
    let mut stage = Stage::new(&settings(0));
    stage.call(0, 1, LOOK_ASIDE);
    stage.pass(1000);
    stage.cache.begin_fault(&Fault::Node { node: None }, &mut stage.bench.cx());
    stage.call(0, 1, LOOK_ASIDE);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(1000), [(1, 500, Cause::CallTimeout), (1, 600, Cause::None)]);
    // The node that stands in its place is empty.
    stage.pass(300_000);
    stage.call(0, 1, LOOK_ASIDE);
    assert_eq!(stage.pass(1000), [(1, 111, Cause::None)]);
    assert_eq!((stage.asked, stage.counter("commands timed out")), (3, 2.0));
}

#[test]
fn a_replica_takes_over_after_20_s_without_the_writes_of_the_last_2() {
    let mut stage = Stage::new(&settings(1));
    stage.call(0, 1, SET);
    stage.pass(3000);
    stage.call(0, 2, SET);
    stage.pass(1000);
    stage.cache.begin_fault(&Fault::Power { zone: "a".to_owned() }, &mut stage.bench.cx());
    stage.pass(19_000);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(900), [(1, 500, Cause::CallTimeout)]);
    stage.pass(200);
    stage.call(0, 1, GET);
    stage.call(0, 2, GET);
    assert_eq!(stage.pass(100), [(2, 1, Cause::CacheMiss), (1, 6, Cause::None)]);
    assert_eq!(["failovers", "writes lost by failover"].map(|name| stage.counter(name)), [1.0, 1.0]);
}

#[test]
fn a_planned_change_refuses_commands_for_its_time_and_loses_nothing() {
    let changes = vec![Planned { at: at(10), change: Change::Engine { takes: SimDuration::from_secs(3) } }];
    let mut stage = Stage::new(&Settings { changes, ..settings(1) });
    stage.call(0, 1, SET);
    stage.pass(10_500);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(100), [(1, 0, Cause::ConnectionLost)]);
    stage.pass(2_500);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(100), [(1, 6, Cause::None)]);
}

#[test]
fn a_node_takes_so_many_connections_and_a_stopped_task_gives_its_own_back() {
    let mut stage = Stage::new(&Settings { max_connections: 4, ..settings(0) });
    (0..3).for_each(|task| stage.call(task, 1, SET));
    let causes: Vec<Cause> = stage.pass(100).into_iter().map(|(_, _, cause)| cause).collect();
    assert_eq!(causes, [Cause::TooManyConnections, Cause::None, Cause::None]);
    stage.cache.task_gone(ComputeId(0), TaskKey::new(0, 0));
    stage.call(2, 1, SET);
    assert_eq!(stage.pass(100), [(1, 6, Cause::None)]);
}

#[test]
fn keys_spread_evenly_over_shards_and_a_shard_fails_alone() {
    let mut stage = Stage::new(&Settings { node_groups: 4, ..settings(1) });
    (0..400).for_each(|client| stage.call(0, client, SET));
    stage.pass(1000);
    let items: Vec<usize> = stage.cache.shards.iter().map(|shard| shard.data.items()).collect();
    // Four standard errors of a binomial of 400 and a quarter.
    assert!(items.iter().all(|items| (66..=134).contains(items)) && items.iter().sum::<usize>() == 400, "{items:?}");
    stage.cache.begin_fault(&Fault::Node { node: Some(2) }, &mut stage.bench.cx());
    (0..400).for_each(|client| stage.call(0, client, GET));
    let failed = stage.pass(1000).into_iter().filter(|(_, _, cause)| *cause == Cause::CallTimeout).count();
    assert_eq!(failed, items[1]);
}

#[test]
fn flushall_empties_the_cache() {
    let changes = vec![Planned { at: at(1), change: Change::Flush }];
    let mut stage = Stage::new(&Settings { changes, ..settings(0) });
    stage.call(0, 1, SET);
    stage.pass(2000);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(100), [(1, 1, Cause::CacheMiss)]);
}

#[test]
fn a_rebooted_primary_comes_back_empty_and_its_replicas_with_it() {
    let changes = vec![Planned { at: at(10), change: Change::Reboot { node: 0, takes: SimDuration::from_secs(30) } }];
    let mut stage = Stage::new(&Settings { changes, ..settings(1) });
    stage.call(0, 1, SET);
    stage.pass(10_500);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(29_400), [(1, 0, Cause::ConnectionLost)], "nobody takes over");
    stage.pass(200);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(100), [(1, 6, Cause::CacheMiss)]);
    assert_eq!(stage.counter("failovers"), 0.0);
}

#[test]
fn a_rebooted_replica_costs_nothing() {
    let changes = vec![Planned { at: at(10), change: Change::Reboot { node: 1, takes: SimDuration::from_secs(30) } }];
    let mut stage = Stage::new(&Settings { changes, ..settings(1) });
    stage.call(0, 1, SET);
    stage.pass(60_000);
    stage.call(0, 1, GET);
    assert_eq!(stage.pass(100), [(1, 1, Cause::None)]);
}

/// Two shards become three: after a minute 5,461 slots move, 10 ms each and 10 kB/s of what is in them: 400 items of 1,000 bytes, of which a
/// third takes 13 s; so 60 + 54.6 + 13.3 = 128 s. All that was there is there.
#[test]
fn resharding_moves_items_and_loses_none() {
    let changes = vec![Planned { at: at(10), change: Change::Reshard { node_groups: 3 } }];
    let mut stage = Stage::new(&Settings { node_groups: 2, changes, ..settings(1) });
    (0..400).for_each(|client| stage.call(0, client, SET));
    stage.pass(10_000);
    stage.pass(60_000 + 54_000);
    assert!(stage.cache.migration.is_some());
    // While slots move nobody is refused.
    (0..400).for_each(|client| stage.call(0, client, GET));
    let answers = stage.pass(1000);
    assert!(answers.len() == 400 && answers.iter().all(|it| it.2 == Cause::None), "{answers:?}");
    stage.pass(20_000);
    assert!(stage.cache.migration.is_none());
    let items: Vec<usize> = stage.cache.shards.iter().map(|shard| shard.data.items()).collect();
    assert!(items.iter().all(|items| (96..=172).contains(items)) && items.iter().sum::<usize>() == 400, "{items:?}");
    assert_eq!((stage.counter("slots moved"), stage.counter("items moved")), (5461.0, items[2] as f64));
    (0..400).for_each(|client| stage.call(0, client, GET));
    let answers = stage.pass(2000);
    assert!(answers.len() == 400 && answers.iter().all(|it| it.2 == Cause::None), "{answers:?}");
    // The task was sent on once for what had moved at the first look, and once for the rest.
    assert_eq!(stage.counter("commands sent on to another shard"), 2.0);
}

#[test]
fn a_shard_goes_once_it_is_empty_and_stays_where_there_is_no_memory_for_its_items() {
    let run = |memory: u64, items: u32| {
        let changes = vec![Planned { at: at(60), change: Change::Reshard { node_groups: 1 } }];
        let mut stage = Stage::new(&Settings { node_groups: 2, changes, memory, ..settings(0) });
        (0..items).for_each(|client| stage.call(0, client, SET));
        stage.pass(60_000 + 400_000);
        (0..items).for_each(|client| stage.call(0, client, GET));
        let found = stage.pass(10_000).iter().filter(|it| it.2 == Cause::None).count();
        let there: Vec<bool> = stage.cache.nodes.iter().map(|node| node.there).collect();
        (found, there, stage.counter("slots moved"))
    };
    assert_eq!(run(1 << 20, 400), (400, vec![true, false], 8192.0));
    // 250 items of 1,000 bytes fit into each, 400 are there.
    let (found, there, moved) = run(250_000, 400);
    assert_eq!((found, there), (400, vec![true, true]));
    assert!((1000.0..8000.0).contains(&moved), "{moved}");
}
