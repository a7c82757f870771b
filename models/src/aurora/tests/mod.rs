//! A cluster with tasks that ask it what they are told to.

use std::cell::RefCell;

use sim_core::distribution::Distribution;
use sim_core::math::{mix, student_t_quantile};
use sim_core::random::{Source, Stream};

use super::pool::PoolId;
use super::*;
use crate::observer::{Findings, Observed};
use crate::world::bench::Bench;
use crate::world::{Control, Event as WorldEvent, Message};

mod global;
mod pause;
mod readers;

const READ: u16 = 0;
const WRITE: u16 = 1;
const READ_FROM_READER: u16 = 2;
const WRITE_TO_READER: u16 = 3;

fn seconds(seconds: f64) -> SimDuration {
    SimDuration::from_secs_f64(seconds)
}

fn at(seconds: f64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs_f64(seconds)
}

fn task(slot: u32) -> TaskKey {
    TaskKey { slot, generation: 0 }
}

fn instance(name: &str, promotion_tier: u8, memory_gib: f64) -> Instance {
    Instance {
        name: name.to_owned(),
        class: Class { name: "db.r6g.large".to_owned(), vcpu: 2.0, max_connections: 1000, memory_gib },
        zone: "a".to_owned(),
        promotion_tier,
        kind: Kind::Member,
    }
}

const CLUSTER: u16 = 0;
const READER: u16 = 1;

fn statement(endpoint: u16, write: bool) -> Statement {
    let cpu = Distribution::constant(0.004).unwrap();
    Statement { endpoint, write, cpu, wait: Distribution::constant(0.006).unwrap(), pages: 0, pins: 0.0, transfer: 0 }
}

fn pool(max_size: u32, acquire_timeout: f64) -> Pool {
    Pool {
        max_size,
        acquire_timeout: seconds(acquire_timeout),
        connect_timeout: seconds(10.0),
        socket_timeout: None,
        keepalive: None,
        validation_timeout: None,
        max_lifetime: None,
        idle_timeout: None,
        dns_cache: None,
        driver: Driver::Standard,
    }
}

/// Two instances; a query takes 10 ms, of which 4 ms CPU.
fn settings() -> Settings {
    Settings {
        name: "aurora.orders".to_owned(),
        instances: vec![instance("orders-1", 1, 16.0), instance("orders-2", 1, 16.0)],
        statements: vec![
            statement(CLUSTER, false),
            statement(CLUSTER, true),
            statement(READER, false),
            statement(READER, true),
        ],
        endpoints: vec![ClusterEndpoint::Cluster, ClusterEndpoint::Reader],
        pool: pool(10, 1.0),
        proxy: None,
        dns_ttl: seconds(5.0),
        connect_time: seconds(0.005),
        failover: Failover {
            promotion: Distribution::constant(30.0).unwrap(),
            detection: seconds(10.0),
            dns_update: SimDuration::ZERO,
            restart: seconds(60.0),
            recreate: seconds(600.0),
            silent: false,
            survivable_readers: true,
            waits_for_lag: false,
        },
        replication: Replication { delay: seconds(0.020), apply: SimDuration::ZERO, is_rds: false },
        buffer_cache: BufferCache {
            hit_ratio: 1.0,
            warm_up: seconds(300.0),
            miss_time: Distribution::constant(0.001).unwrap(),
            cold_after_promotion: false,
        },
        commit: SimDuration::ZERO,
        volume: None,
        serverless: None,
        readers: None,
        pauses: None,
        global: None,
        probes: Vec::new(),
        changes: Vec::new(),
        billing: Billing { instance: "aurora.instance", acu: "aurora.acu", ..Billing::default() },
    }
}

/// A request's number, when it was answered and how.
type Answer = (usize, SimTime, Outcome);

struct Bed {
    bench: Bench,
    aurora: Aurora,
    hop: Hop,
    seed: u64,
    asked: Vec<RequestKey>,
    answers: Vec<Answer>,
    /// What it told other control planes.
    told: Vec<Control>,
}

impl Bed {
    fn new(settings: &Settings) -> Self {
        let mut bench = Bench::new();
        let mut aurora = Aurora::new(AuroraId(0), settings, &mut bench.cx());
        aurora.start(&mut bench.cx());
        Self { bench, aurora, hop: Hop::NONE, seed: 0, asked: Vec::new(), answers: Vec::new(), told: Vec::new() }
    }

    fn now(&self) -> SimTime {
        self.bench.kernel.now()
    }

    /// A task asks now; returns the request's number.
    fn ask(&mut self, operation: u16, task: TaskKey) -> usize {
        let number = self.asked.len();
        let now = self.now();
        let mut request =
            Request::new(mix(self.seed, number as u64), now, Holder::Call(ComputeId(0), Key::NONE), self.hop);
        (request.operation, request.target, request.client) = (operation, task, task.slot);
        let key = self.bench.shared.requests.insert(request);
        self.asked.push(key);
        self.aurora.on_offer(key, &mut self.bench.cx());
        number
    }

    fn run_until(&mut self, until: SimTime) {
        let Self { bench, aurora, asked, answers, told, .. } = self;
        let answered = RefCell::new(|key: RequestKey, cx: &mut Cx<'_>| {
            let number = asked.iter().rposition(|&asked| asked == key).unwrap();
            answers.push((number, cx.now(), cx.request(key).outcome));
            cx.shared.requests.remove(key).unwrap();
        });
        bench.run_until(
            until,
            |event, cx| match event {
                WorldEvent::Aurora(_, event) => aurora.on(event, cx),
                WorldEvent::Reply(key) => answered.borrow_mut()(key, cx),
                other => panic!("{other:?}"),
            },
            |message, cx| match message {
                Message::Reply(key) => answered.borrow_mut()(key, cx),
                Message::Control(control) => told.push(control),
                other => panic!("{other:?}"),
            },
        );
    }

    fn fail_over(&mut self) {
        self.aurora.begin_fault(&Fault::Failover, &mut self.bench.cx());
    }

    /// Answers that came since the last call: number, milliseconds, cause.
    fn answers(&mut self) -> Vec<(usize, u64, Cause)> {
        let in_millis = |(number, at, outcome): Answer| (number, at.as_nanos() / 1_000_000, outcome.cause);
        self.answers.drain(..).map(in_millis).collect()
    }

    /// The run is over; every law must hold.
    fn finish(mut self) -> Findings {
        let mut findings = Findings::default();
        self.aurora.finish(self.bench.kernel.now(), &mut findings);
        for check in &findings.checks {
            assert!(check.holds, "{}: {}", check.law, check.found);
        }
        findings
    }
}

fn counter(findings: &Findings, name: &str) -> f64 {
    findings.counters.iter().filter(|counter| counter.name == name).map(|counter| counter.value).sum()
}

#[test]
fn promotion_goes_by_tier_then_size() {
    let mut settings = settings();
    settings.instances = vec![
        instance("w", 1, 16.0),
        instance("a", 1, 16.0),
        instance("b", 0, 16.0),
        instance("c", 0, 64.0),
        instance("d", 15, 768.0),
    ];
    let bed = Bed::new(&settings);
    let order = failover::promotion_order(&bed.aurora.servers, vec![1, 2, 3, 4], 7);
    let names: Vec<&str> = order.iter().map(|&it| bed.aurora.servers[it as usize].short_name.as_str()).collect();
    assert_eq!(names, ["c", "b", "a", "d"]);
}

#[test]
fn equals_are_promoted_in_an_order_that_depends_on_the_seed_alone() {
    let mut settings = settings();
    settings.instances = (0..4).map(|n| instance(&format!("i{n}"), 1, 16.0)).collect();
    let bed = Bed::new(&settings);
    let first = |seed| failover::promotion_order(&bed.aurora.servers, vec![1, 2, 3], seed)[0];
    let mut hits = [0; 4];
    (0..300).for_each(|seed| hits[first(seed) as usize] += 1);
    assert!(hits[0] == 0 && hits[1..].iter().all(|&hits| hits > 70), "{hits:?}");
    assert_eq!(first(5), first(5));
}

/// Tasks write every second, give or take `jitter`; the writer fails over at 100 s. Returns for each how long after that it
/// asked for the first write that went well.
fn outages(settings: &Settings, tasks: u32, jitter: f64) -> Vec<f64> {
    let mut bed = Bed::new(settings);
    let mut stream = Stream::from_key(3);
    let mut asks: Vec<(f64, u32)> = Vec::new();
    for slot in 0..tasks {
        let mut now = stream.uniform();
        while now < 200.0 {
            asks.push((now, slot));
            now += 1.0 + jitter * (2.0 * stream.uniform() - 1.0);
        }
    }
    asks.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let before = asks.partition_point(|ask| ask.0 < 100.0);
    for (number, &(now, slot)) in asks.iter().enumerate() {
        if number == before {
            bed.run_until(at(100.0));
            bed.fail_over();
        }
        bed.run_until(at(now));
        bed.ask(WRITE, task(slot));
    }
    bed.run_until(at(300.0));
    let mut answers = std::mem::take(&mut bed.answers);
    answers.sort_by_key(|answer| answer.0);
    assert_eq!(answers.len(), asks.len());
    let outage = |slot: u32| {
        let mine = || answers.iter().filter(|answer| asks[answer.0].1 == slot);
        let first_bad = mine().find(|answer| !answer.2.is_ok()).unwrap().0;
        let next_good = mine().find(|answer| answer.0 > first_bad && answer.2.is_ok()).unwrap().0;
        assert!(mine().all(|answer| answer.2.is_ok() || (first_bad..next_good).contains(&answer.0)), "one window");
        asks[next_good].0 - 100.0
    };
    let outages = (0..tasks).map(outage).collect();
    bed.finish();
    outages
}

#[test]
fn writers_are_out_for_30_s_of_promotion_and_up_to_5_s_of_ttl() {
    let outages = outages(&settings(), 50, 0.5);
    // 35 s and the time between two attempts bound it: who asked for the name just before the promotion was over believes
    // the old address for 5 s more.
    assert!(outages.iter().all(|&outage| (30.0..=36.5).contains(&outage)), "{outages:?}");
    let (least, most) = outages.iter().fold((f64::MAX, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
    assert!(least < 31.0 && most > 34.5, "{outages:?}");
    let mut without_ttl = settings();
    without_ttl.dns_ttl = SimDuration::ZERO;
    let outages = self::outages(&without_ttl, 50, 0.0);
    // An attempt made just before the end may succeed: connecting takes 5 ms.
    assert!(outages.iter().all(|&outage| (29.99..=31.0).contains(&outage)), "{outages:?}");
}

#[test]
fn the_lag_of_the_record_adds_to_the_outage() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    let outages = outages(&settings, 50, 0.5);
    assert!(outages.iter().all(|&outage| (45.0..=51.5).contains(&outage)), "{outages:?}");
}

#[test]
fn a_failover_breaks_what_is_on_the_old_and_the_new_writer_and_nothing_else() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 2, 16.0));
    settings.dns_ttl = SimDuration::ZERO;
    let mut bed = Bed::new(&settings);
    // The reader endpoint hands out orders-2, then orders-3.
    let asked: Vec<usize> = [WRITE, READ_FROM_READER, READ_FROM_READER].map(|op| bed.ask(op, task(0))).into();
    bed.run_until(at(0.010));
    bed.fail_over();
    bed.run_until(at(1.0));
    let mut answers = bed.answers();
    answers.sort_unstable_by_key(|answer| answer.0);
    let (lost, ok) = (Cause::ConnectionLost, Cause::None);
    assert_eq!(answers, [(asked[0], 10, lost), (asked[1], 10, lost), (asked[2], 15, ok)]);
    assert_eq!(bed.aurora.roles.writer, None);
    // The promoted one is not handed out to readers while it is away, the other reader is.
    bed.ask(READ_FROM_READER, task(1));
    bed.ask(READ_FROM_READER, task(1));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(3, 1015, ok), (4, 1015, ok)]);
    bed.run_until(at(31.0));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.record), (Some(1), 1));
    let findings = bed.finish();
    assert_eq!((counter(&findings, "failovers"), counter(&findings, "connection_lost")), (1.0, 2.0));
}

#[test]
fn who_believes_the_old_address_finds_the_demoted_writer_and_is_refused() {
    let mut settings = settings();
    settings.failover.restart = seconds(20.0);
    settings.failover.dns_update = seconds(15.0);
    let mut bed = Bed::new(&settings);
    bed.fail_over();
    for second in [10.0, 25.0, 40.0, 51.0] {
        bed.run_until(at(second));
        bed.ask(WRITE, task(0));
    }
    bed.run_until(at(60.0));
    // Away; a reader while nobody is promoted; a reader though another is the writer; the record has changed.
    let causes: Vec<Cause> = bed.answers().iter().map(|answer| answer.2).collect();
    assert_eq!(causes, [Cause::ConnectionLost, Cause::ReadOnly, Cause::ReadOnly, Cause::None]);
    // A connection that answered 1290 was not kept.
    assert_eq!(bed.aurora.connections.len(), 1);
    bed.finish();
}

#[test]
fn a_write_to_the_reader_endpoint_is_refused_at_once_and_the_connection_kept() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE_TO_READER, task(0));
    bed.ask(WRITE_TO_READER, task(0));
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(1.0));
    assert_eq!(bed.answers(), [(0, 5, Cause::ReadOnly), (1, 5, Cause::ReadOnly), (2, 15, Cause::None)]);
    assert_eq!(counter(&bed.finish(), "connections opened"), 1.0);
}

#[test]
fn a_cluster_without_readers_is_away_until_its_writer_is_back() {
    let mut settings = settings();
    settings.instances.truncate(1);
    let mut bed = Bed::new(&settings);
    // The reader endpoint leads to the writer.
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(10.0));
    bed.fail_over();
    for second in [100.0, 609.0, 611.0] {
        bed.run_until(at(second));
        bed.ask(WRITE, task(0));
    }
    bed.run_until(at(620.0));
    let causes: Vec<Cause> = bed.answers().iter().map(|answer| answer.2).collect();
    assert_eq!(causes, [Cause::None, Cause::ConnectionLost, Cause::ConnectionLost, Cause::None]);
    bed.finish();
}

#[test]
fn a_second_failover_waits_for_the_end_of_the_first() {
    let mut bed = Bed::new(&settings());
    bed.fail_over();
    bed.run_until(at(45.0));
    bed.fail_over();
    bed.run_until(at(60.0));
    assert_eq!((bed.aurora.roles.failovers, bed.aurora.roles.writer), (1, Some(1)));
    bed.fail_over();
    bed.run_until(at(91.0));
    assert_eq!((bed.aurora.roles.failovers, bed.aurora.roles.writer), (2, Some(0)));
    bed.finish();
}

#[test]
fn a_full_instance_refuses_connections_with_1040() {
    let mut settings = settings();
    settings.instances[0].class.max_connections = 3;
    let mut bed = Bed::new(&settings);
    (0..5).for_each(|slot| _ = bed.ask(READ, task(slot)));
    bed.run_until(at(1.0));
    let refused = |answer: &&(usize, u64, Cause)| answer.2 == Cause::TooManyConnections;
    let answers = bed.answers();
    assert_eq!(answers.iter().filter(refused).map(|answer| answer.0).collect::<Vec<_>>(), [3, 4]);
    // Idle connections of others count; a task that goes makes room.
    bed.ask(READ, task(3));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(5, 1005, Cause::TooManyConnections)]);
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.ask(READ, task(3));
    bed.run_until(at(3.0));
    assert_eq!(bed.answers(), [(6, 2015, Cause::None)]);
    let findings = bed.finish();
    assert_eq!((counter(&findings, "connections refused"), counter(&findings, "connections opened")), (3.0, 4.0));
}

#[test]
fn a_pool_serves_first_come_first_served_and_gives_up_in_time() {
    let mut settings = settings();
    settings.pool = pool(2, 0.022);
    let mut bed = Bed::new(&settings);
    (0..8).for_each(|_| _ = bed.ask(READ, task(0)));
    // Another task has its own pool.
    bed.ask(READ, task(1));
    bed.run_until(at(1.0));
    let mut answers = bed.answers();
    answers.sort_unstable_by_key(|answer| answer.0);
    // At 5 ms three queries share two vCPUs: 6 ms of CPU time for each, then 6 ms without. Two waiting ones follow.
    let (ok, timeout) = (Cause::None, Cause::PoolTimeout);
    let expected = [(0, 17, ok), (1, 17, ok), (2, 27, ok), (3, 27, ok), (4, 22, timeout), (5, 22, timeout)];
    assert_eq!(answers[..6], expected);
    assert_eq!(answers[6..], [(6, 22, timeout), (7, 22, timeout), (8, 17, ok)]);
    let findings = bed.finish();
    let pools = findings.stations.iter().find(|station| station.name == "aurora.orders writer pools").unwrap();
    assert_eq!((pools.arrivals, pools.completions, pools.lost, pools.max_waiting), (9, 5, 4, 9));
}

#[test]
fn the_connection_used_last_is_taken_first_and_is_free_when_the_answer_has_arrived() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    bed.hop = bed.bench.cx().hop(seconds(0.010));
    bed.ask(READ, task(0));
    bed.ask(READ, task(0));
    bed.run_until(at(1.0));
    // 5 ms to connect, 10 ms of query, 10 ms back; the second gets the connection then.
    assert_eq!(bed.answers(), [(0, 25, Cause::None), (1, 45, Cause::None)]);
    let mut settings = self::settings();
    settings.dns_ttl = SimDuration::ZERO;
    let mut bed = Bed::new(&settings);
    (0..3).for_each(|_| _ = bed.ask(READ, task(0)));
    bed.run_until(at(1.0));
    assert_eq!(bed.aurora.connections.len(), 3);
    let pool = PoolId { service: 2, slot: 0, endpoint: CLUSTER };
    let last = *bed.aurora.pool(pool).idle.last().unwrap();
    bed.ask(READ, task(0));
    assert_eq!(bed.aurora.connections[last].phase, Phase::Cpu);
    bed.finish();
}

#[test]
fn a_task_that_goes_takes_its_connections_with_it() {
    let mut settings = settings();
    settings.pool.max_size = 2;
    let mut bed = Bed::new(&settings);
    bed.ask(READ, task(0));
    bed.run_until(at(0.5));
    // One on the CPU, one connecting, one waiting, then one that was on its way.
    (0..3).for_each(|_| _ = bed.ask(READ, task(0)));
    bed.run_until(at(0.502));
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.ask(READ, task(0));
    bed.run_until(at(0.6));
    let lost = |number| (number, 502, Cause::ConnectionLost);
    let mut answers = bed.answers();
    answers.sort_unstable_by_key(|answer| answer.0);
    assert_eq!(answers, [(0, 15, Cause::None), lost(1), lost(2), lost(3), lost(4)]);
    assert!(bed.aurora.connections.is_empty() && bed.aurora.servers[0].connections == 0);
    // Another in the same slot begins anew; a straggler of the first does not disturb it.
    let next = TaskKey { slot: 0, generation: 1 };
    bed.ask(READ, next);
    bed.ask(READ, task(0));
    bed.run_until(at(1.0));
    assert_eq!(bed.answers(), [(6, 600, Cause::ConnectionLost), (5, 615, Cause::None)]);
    // Nor does it hurt to hear twice of it, or of one that never called.
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.aurora.task_gone(ComputeId(0), task(9), &mut bed.bench.cx());
    bed.ask(READ, task(9));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(7, 1000, Cause::ConnectionLost)]);
    bed.finish();
}

#[test]
fn who_gave_up_waiting_takes_no_connection_but_a_query_under_way_runs_on() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    (0..3).for_each(|_| _ = bed.ask(READ, task(0)));
    bed.run_until(at(0.006));
    for number in [0, 1] {
        let key = bed.asked[number];
        bed.bench.cx().request(key).abandoned = true;
    }
    bed.run_until(at(1.0));
    assert_eq!(bed.answers(), [(0, 15, Cause::None), (1, 15, Cause::PoolTimeout), (2, 25, Cause::None)]);
    let findings = bed.finish();
    let totals = ["queries answered", "answered after the caller gave up"].map(|name| counter(&findings, name));
    assert_eq!(totals, [1.0, 2.0]);
}

#[test]
fn the_reader_endpoint_hands_out_readers_in_turn_once_a_ttl() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 1, 16.0));
    let mut bed = Bed::new(&settings);
    for slot in 0..4 {
        (0..3).for_each(|_| _ = bed.ask(READ_FROM_READER, task(slot)));
    }
    bed.run_until(at(1.0));
    // Three connections a task within its TTL go to one reader; connections are balanced, not queries.
    let connections: Vec<u32> = bed.aurora.servers.iter().map(|server| server.connections).collect();
    assert_eq!(connections, [0, 6, 6]);
    bed.finish();
}

/// With exponential demands the number of queries under processor sharing is that of M/M/c (each departure rate is the
/// same), so the mean sojourn time is 1/mu + C / (c mu - lambda), with Erlang's C.
#[test]
fn queries_share_the_cpu_as_in_m_m_c() {
    let (lambda, mean, cores) = (140.0, 0.01, 2.0f64);
    let load = lambda * mean;
    let erlang_c = {
        let rho = load / cores;
        let last = load * load / 2.0 / (1.0 - rho);
        last / (1.0 + load + last)
    };
    let theory = mean + erlang_c / (cores / mean - lambda);
    let mut settings = settings();
    settings.connect_time = SimDuration::ZERO;
    settings.pool.max_size = 100_000;
    settings.instances[0].class.max_connections = 1_000_000;
    settings.statements[0].cpu = Distribution::exponential(mean).unwrap();
    settings.statements[0].wait = Distribution::constant(0.0).unwrap();
    let replications = 20u32;
    let (mut sum, mut square) = (0.0, 0.0);
    for replication in 0..replications {
        let mut bed = Bed::new(&settings);
        bed.seed = u64::from(replication);
        let mut stream = Stream::from_key(bed.seed);
        let gap = Distribution::exponential(1.0 / lambda).unwrap();
        for number in 0..100_000u64 {
            let now = bed.now() + gap.sample_duration(&mut stream);
            bed.run_until(now);
            if number == 10_000 {
                bed.aurora.warm_up_over(now);
            }
            bed.ask(READ, task(0));
        }
        let findings = bed.finish();
        let station = &findings.stations[0];
        assert!((station.utilisation - load / cores).abs() < 0.03, "{}", station.utilisation);
        sum += station.mean_sojourn;
        square += station.mean_sojourn * station.mean_sojourn;
    }
    let n = f64::from(replications);
    let average = sum / n;
    let deviation = ((square - sum * average) / (n - 1.0)).sqrt();
    let half_width = student_t_quantile(0.9995, n - 1.0) * deviation / n.sqrt();
    assert!((average - theory).abs() < half_width, "{average} +- {half_width} is not {theory}");
    assert!(half_width < 0.03 * theory);
}

fn proxy() -> Proxy {
    Proxy {
        borrow_timeout: seconds(2.0),
        max_connections: 1.0,
        max_idle_connections: 0.5,
        idle_client_timeout: seconds(1800.0),
        latency: seconds(0.001),
    }
}

fn random_plan(stream: &mut Stream) -> Vec<Planned> {
    let class = Class { name: "db.r6g.xlarge".to_owned(), vcpu: 4.0, max_connections: 12, memory_gib: 32.0 };
    let changes = (0..12).map(|n| {
        let (instance, takes) = (stream.below(3) as u16, seconds(0.1 + 0.3 * stream.uniform()));
        let change = match n % 7 {
            0 => Change::ModifyClass { instance, class: class.clone(), takes, failover_first: stream.below(2) == 0 },
            1 => Change::MinorUpgrade {
                patching: Some(ZeroDowntimePatching { pause: seconds(0.2), failure: 0.5 }),
                restart: takes,
            },
            2 => Change::SystemUpdate { takes },
            3 => Change::Switchover { takes, timeout: seconds(0.3), both: (SimTime::ZERO, SimTime::ZERO) },
            4 => Change::Reboot { instance: Some(instance) },
            5 => Change::MajorUpgrade { takes },
            _ => Change::Failover { to: Some(instance) },
        };
        Planned { at: at(0.4 + 0.55 * f64::from(n)), change }
    });
    changes.collect()
}

/// Whatever happens in whatever order, every query is answered once and no connection is lost or counted twice.
#[test]
fn the_books_balance_in_a_long_random_run() {
    for seed in 0..40 {
        let mut stream = Stream::from_key(seed);
        let mut settings = settings();
        settings.instances.push(instance("orders-3", 1, 16.0));
        settings.pool = pool(1 + stream.below(4) as u32, 0.05);
        settings.instances.iter_mut().for_each(|it| it.class.max_connections = 4 + (seed as u32 % 3) * 4);
        settings.failover.promotion = Distribution::constant(0.3).unwrap();
        settings.failover.restart = seconds(0.1 + 0.4 * stream.uniform());
        settings.failover.dns_update = seconds(0.3 * stream.uniform());
        settings.dns_ttl = seconds(0.2);
        settings.statements.iter_mut().for_each(|it| it.cpu = Distribution::exponential(0.004).unwrap());
        settings.failover.detection = seconds(0.1);
        settings.failover.recreate = seconds(0.5);
        settings.failover.silent = seed % 3 == 0;
        settings.failover.survivable_readers = seed % 7 != 0;
        settings.pool.connect_timeout = seconds(0.05);
        settings.pool.keepalive = (seed % 5 < 2).then(|| seconds(0.1));
        settings.pool.validation_timeout = (seed % 4 == 1).then(|| seconds(0.02));
        settings.pool.max_lifetime = (seed % 6 == 1).then(|| seconds(0.3));
        if seed % 5 == 3 {
            settings.proxy = Some(proxy());
            settings.statements[0].pins = 0.2;
        }
        if seed % 5 == 4 {
            settings.pool.driver = Driver::Wrapper(Wrapper {
                failure_detection_time: seconds(0.05),
                failure_detection_interval: seconds(0.02),
                failure_detection_count: 3,
                topology_refresh: seconds(0.05),
                failover_timeout: seconds(1.0),
            });
        }
        settings.instances.iter_mut().zip(["a", "b", "c"]).for_each(|(it, zone)| it.zone = zone.to_owned());
        if seed % 2 == 0 {
            settings.changes = random_plan(&mut stream);
        }
        if seed % 4 == 0 {
            settings.connect_time = SimDuration::ZERO;
            settings.statements[0].cpu = Distribution::constant(0.0).unwrap();
            settings.statements[0].wait = Distribution::constant(0.0).unwrap();
        }
        let mut bed = Bed::new(&settings);
        bed.seed = seed;
        if seed % 2 == 1 {
            bed.hop = bed.bench.cx().hop(seconds(0.001));
        }
        let mut generations = [0u32; 5];
        for step in 0..4_000u32 {
            let now = bed.now() + SimDuration::from_micros(stream.below(4_000));
            bed.run_until(now);
            if step == 1_000 {
                bed.aurora.warm_up_over(now);
            }
            let slot = stream.below(5) as u32;
            let task = |generation| TaskKey { slot, generation };
            let generation = &mut generations[slot as usize];
            match stream.below(200) {
                0 => bed.fail_over(),
                20 => {
                    let zone = ["a", "b", "c"][stream.below(3) as usize].to_owned();
                    let fault = Fault::Zone { zone, power: stream.below(2) == 0 };
                    bed.aurora.begin_fault(&fault, &mut bed.bench.cx());
                    let until = bed.now() + SimDuration::from_micros(stream.below(400_000));
                    bed.run_until(until);
                    bed.aurora.end_fault(&fault, &mut bed.bench.cx());
                }
                21 => {
                    let fault = Fault::HostFailure { instance: Some(stream.below(3) as u16) };
                    bed.aurora.begin_fault(&fault, &mut bed.bench.cx());
                }
                22 => {
                    let fault = Fault::Reboot { instance: None, force_failover: stream.below(2) == 0 };
                    bed.aurora.begin_fault(&fault, &mut bed.bench.cx());
                }
                1 | 2 => {
                    bed.aurora.task_gone(ComputeId(0), task(*generation), &mut bed.bench.cx());
                    *generation += 1;
                }
                // A new task in the slot of one whose end nobody told.
                3 => *generation += 1,
                4..12 => {
                    let late = task(generation.saturating_sub(1));
                    bed.ask(stream.below(4) as u16, late);
                }
                12..20 => {
                    // One of the latest dozen, if it is not answered.
                    let back = stream.below(12) as usize;
                    let late = bed.asked.iter().rev().nth(back).copied().unwrap_or(Key::NONE);
                    if let Some(request) = bed.bench.shared.requests.get_mut(late) {
                        request.abandoned = true;
                    }
                }
                _ => {
                    let task = task(*generation);
                    bed.ask(stream.below(4) as u16, task);
                }
            }
        }
        let end = bed.now() + seconds(5.0);
        bed.run_until(end);
        assert_eq!(bed.answers.len(), bed.asked.len(), "each is answered once, sooner or later");
        assert_eq!(bed.aurora.inspect(), (0, true));
        let waiting = |phase| matches!(phase, Phase::Idle | Phase::Pinned);
        assert!(bed.aurora.connections.iter().all(|(_, wire)| waiting(wire.phase)));
        bed.finish();
    }
}

/// The worked example of the fact sheet: promotion 30 s, DNS TTL 5 s and a client's cache of up to 30 s make an outage of up to 65 s.
#[test]
fn a_cache_of_30_s_makes_an_outage_of_up_to_65_s() {
    let mut settings = settings();
    settings.pool.dns_cache = Some(seconds(30.0));
    let outages = outages(&settings, 200, 0.5);
    assert!(outages.iter().all(|&outage| (30.0..=66.5).contains(&outage)), "{outages:?}");
    let most = outages.iter().fold(0.0f64, |a, &b| a.max(b));
    let late = outages.iter().filter(|&&outage| outage > 35.0).count();
    assert!(most > 60.0 && late > 120, "{most} s, {late} of 200 beyond the TTL");
}

/// With RDS Proxy: promotion only, no DNS, and who waits at the proxy for long enough does not fail at all.
#[test]
fn behind_a_proxy_writers_are_out_for_the_promotion_only() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    settings.pool.dns_cache = Some(seconds(60.0));
    settings.proxy = Some(proxy());
    let outages = outages(&settings, 50, 0.5);
    // Whoever asks 2 s before the end waits until then.
    assert!(outages.iter().all(|&outage| (27.9..=30.0).contains(&outage)), "{outages:?}");
    settings.proxy = Some(Proxy { borrow_timeout: seconds(120.0), ..proxy() });
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE, task(0));
    bed.run_until(at(10.0));
    bed.fail_over();
    bed.ask(WRITE, task(0));
    bed.run_until(at(60.0));
    // 5 ms to connect to the proxy, 1 ms through it, 5 ms for its own connection; then 1 ms, 30 s, 5 ms. 10 ms the query itself.
    assert_eq!(bed.answers(), [(0, 21, Cause::None), (1, 40_015, Cause::None)]);
    bed.finish();
}

#[test]
fn a_driver_that_knows_the_topology_does_not_wait_for_dns() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    settings.pool.driver = Driver::Wrapper(Wrapper {
        failure_detection_time: seconds(30.0),
        failure_detection_interval: seconds(5.0),
        failure_detection_count: 3,
        topology_refresh: seconds(2.0),
        failover_timeout: seconds(300.0),
    });
    let outages = outages(&settings, 50, 0.5);
    // Whoever asks at most a second (its patience) before the end may find the writer when it looks again.
    assert!(outages.iter().all(|&outage| (27.9..=31.6).contains(&outage)), "{outages:?}");
}

/// A host is lost at 100 s: silent, noticed after 10 s, the reader promoted after 30 s.
#[test]
fn a_lost_host_hangs_queries_until_somebodys_timeout_and_a_reader_takes_over() {
    let mut settings = settings();
    settings.pool.socket_timeout = Some(seconds(4.0));
    settings.pool.max_size = 1;
    settings.dns_ttl = SimDuration::ZERO;
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE, task(0));
    bed.run_until(at(100.0));
    bed.ask(WRITE, task(0));
    bed.aurora.begin_fault(&Fault::HostFailure { instance: None }, &mut bed.bench.cx());
    // This one finds no connection, and after the first has given up the silent instance does not answer its attempt either.
    bed.run_until(at(103.5));
    bed.ask(WRITE, task(0));
    bed.run_until(at(109.0));
    assert_eq!(bed.aurora.roles.writer, None);
    assert!(bed.aurora.servers[1].is_up(), "nothing is noticed yet");
    bed.run_until(at(110.5));
    assert!(!bed.aurora.servers[1].is_up(), "the reader is on its way to be the writer");
    bed.run_until(at(130.1));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.record), (Some(1), 1));
    bed.ask(WRITE, task(0));
    bed.run_until(at(140.0));
    let (ok, lost) = (Cause::None, Cause::ConnectionLost);
    // The second attempt waits for a second, its patience for a connection, from the instant at which it is made.
    assert_eq!(bed.answers(), [(0, 15, ok), (1, 104_000, lost), (2, 105_000, lost), (3, 130_115, ok)]);
    // The old host is replaced, with a cold cache and as a reader.
    bed.run_until(at(701.0));
    assert!(bed.aurora.servers[0].is_up() && bed.aurora.roles.writer == Some(1));
    assert!(bed.aurora.servers[0].hit_ratio(at(701.0), &bed.aurora.buffer_cache) < 0.01);
    bed.finish();
}

#[test]
fn without_any_timeout_a_query_on_a_dead_host_hangs_until_that_is_back() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE, task(0));
    bed.run_until(at(1.0));
    bed.aurora.begin_fault(&Fault::HostFailure { instance: Some(0) }, &mut bed.bench.cx());
    bed.ask(WRITE, task(0));
    bed.run_until(at(600.0));
    assert_eq!(bed.answers().len(), 1);
    bed.run_until(at(602.0));
    assert_eq!(bed.answers(), [(1, 601_000, Cause::ConnectionLost)]);
    bed.finish();
}

#[test]
fn a_test_before_lending_finds_dead_connections() {
    let mut settings = settings();
    settings.pool.validation_timeout = Some(seconds(0.2));
    settings.pool.connect_timeout = seconds(0.1);
    settings.pool.max_size = 2;
    let mut bed = Bed::new(&settings);
    (0..2).for_each(|_| _ = bed.ask(WRITE, task(0)));
    bed.run_until(at(1.0));
    bed.aurora.begin_fault(&Fault::HostFailure { instance: Some(0) }, &mut bed.bench.cx());
    bed.ask(WRITE, task(0));
    bed.run_until(at(5.0));
    // Two tests of 200 ms, then an attempt that gets no answer for 100 ms.
    let (ok, lost) = (Cause::None, Cause::ConnectionLost);
    assert_eq!(bed.answers(), [(0, 15, ok), (1, 15, ok), (2, 1500, lost)]);
    bed.finish();
}

#[test]
fn a_lost_zone_without_a_reader_elsewhere_is_out_until_it_is_back() {
    let mut settings = settings();
    let zone = |name: &str| name.to_owned();
    settings.dns_ttl = SimDuration::ZERO;
    let fault = |power| Fault::Zone { zone: zone("a"), power };
    let mut bed = Bed::new(&settings);
    bed.aurora.begin_fault(&fault(true), &mut bed.bench.cx());
    bed.run_until(at(900.0));
    assert_eq!(bed.aurora.roles.writer, None, "both are in zone a");
    bed.aurora.end_fault(&fault(true), &mut bed.bench.cx());
    bed.run_until(at(959.0));
    assert_eq!(bed.aurora.roles.writer, None);
    bed.run_until(at(961.0));
    assert_eq!(bed.aurora.roles.writer, Some(0), "60 s of restart after the power is back");
    bed.finish();
    // With a reader in another zone the outage is a failover; a network that comes back within the detection changes nothing.
    settings.instances[1].zone = zone("b");
    let mut bed = Bed::new(&settings);
    bed.aurora.begin_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(5.0));
    bed.aurora.end_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(6.0));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.failovers), (Some(0), 0));
    bed.run_until(at(20.0));
    bed.aurora.begin_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(51.0));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.failovers), (Some(1), 1));
    bed.aurora.end_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(112.0));
    assert!(bed.aurora.servers[0].is_up(), "the old writer has restarted as a reader");
    bed.finish();
}

/// The worked example of the fact sheet: six copies, four for a write, three for a read. A zone lost: writes go on; a zone and one more:
/// writes stop, data safe.
#[test]
fn a_lost_zone_stops_no_write_and_one_copy_more_does() {
    let mut settings = settings();
    settings.statements[0].pages = 1;
    let mut bed = Bed::new(&settings);
    let (zone, copy) = (Fault::Zone { zone: "c".to_owned(), power: true }, Fault::Storage { copies: 1 });
    let (read, write) = (0, 1);
    bed.aurora.begin_fault(&zone, &mut bed.bench.cx());
    bed.ask(write, task(0));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(0, 15, Cause::None)], "four copies are left");
    bed.aurora.begin_fault(&copy, &mut bed.bench.cx());
    bed.ask(write, task(0));
    bed.ask(read, task(1));
    bed.run_until(at(10.0));
    assert_eq!(bed.answers(), [(2, 2015, Cause::None)], "three: reads go on");
    bed.aurora.begin_fault(&copy, &mut bed.bench.cx());
    bed.ask(read, task(1));
    bed.run_until(at(20.0));
    assert_eq!(bed.answers(), [], "two: nothing goes on");
    bed.aurora.end_fault(&copy, &mut bed.bench.cx());
    bed.run_until(at(30.0));
    assert_eq!(bed.answers(), [(3, 20_006, Cause::None)], "the read goes on, with its 6 ms beside the CPU");
    bed.aurora.end_fault(&copy, &mut bed.bench.cx());
    bed.run_until(at(40.0));
    assert_eq!(bed.answers(), [(1, 30_006, Cause::None)], "and the write");
    bed.finish();
}

#[test]
fn the_sockets_timeout_ends_a_wait_for_copies_and_no_later_query() {
    let mut settings = settings();
    settings.pool.socket_timeout = Some(seconds(3.0));
    let mut bed = Bed::new(&settings);
    let copies = Fault::Storage { copies: 3 };
    bed.aurora.begin_fault(&copies, &mut bed.bench.cx());
    bed.ask(1, task(0));
    bed.ask(1, task(1));
    bed.run_until(at(2.0));
    // The first wait is over before its timeout, which must not end a second wait on the same connection.
    bed.aurora.end_fault(&copies, &mut bed.bench.cx());
    bed.run_until(at(2.5));
    bed.aurora.begin_fault(&copies, &mut bed.bench.cx());
    bed.ask(1, task(0));
    bed.run_until(at(9.0));
    let answers = bed.answers();
    let (ok, lost) = (Cause::None, Cause::ConnectionLost);
    assert_eq!(answers, [(0, 2006, ok), (1, 2006, ok), (2, 5500, lost)]);
    bed.finish();
}

#[test]
fn engines_that_cannot_help_it_restart_all_readers() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 2, 16.0));
    settings.failover.survivable_readers = false;
    let mut bed = Bed::new(&settings);
    bed.fail_over();
    assert!(bed.aurora.servers.iter().all(|server| !server.is_up()));
    bed.run_until(at(30.5));
    assert!(bed.aurora.servers[2].is_up(), "back with the writer");
    bed.finish();
}

#[test]
fn custom_endpoints_lead_to_their_members_and_instance_endpoints_do_not_follow() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 1, 16.0));
    settings.dns_ttl = SimDuration::ZERO;
    let custom = |any| ClusterEndpoint::Custom { name: "reports".to_owned(), members: vec![0, 2], any };
    settings.endpoints = vec![custom(false), custom(true), ClusterEndpoint::Instance(0)];
    settings.statements = (0..3).map(|endpoint| statement(endpoint, false)).collect();
    settings.statements.push(statement(2, true));
    let mut bed = Bed::new(&settings);
    for slot in 0..4 {
        (0..2).for_each(|operation| _ = bed.ask(operation, task(slot)));
    }
    bed.run_until(at(1.0));
    let connections: Vec<u32> = bed.aurora.servers.iter().map(|server| server.connections).collect();
    // READER: all four to the reader among its members; ANY: two each.
    assert_eq!(connections, [2, 0, 6]);
    bed.answers();
    bed.fail_over();
    bed.run_until(at(100.0));
    bed.ask(3, task(9));
    bed.run_until(at(101.0));
    assert_eq!(bed.answers(), [(8, 100_005, Cause::ReadOnly)], "the instance is a reader now");
    bed.finish();
}

#[test]
fn reads_at_a_reader_miss_writes_that_have_not_come_there_yet() {
    let mut bed = Bed::new(&settings());
    bed.ask(WRITE, task(0));
    bed.run_until(at(0.015));
    // Committed at 15 ms, shown at 35 ms: a read that reaches its reader at 20 ms misses it, one at 40 ms does not.
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(0.040));
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(1.0));
    let findings = bed.finish();
    let counts = ["reads at readers", "reads that missed a committed write"].map(|name| counter(&findings, name));
    assert_eq!(counts, [2.0, 1.0]);
}

#[test]
fn a_cold_cache_makes_page_reads_slow_until_it_is_warm() {
    let mut settings = settings();
    settings.instances.truncate(1);
    settings.failover.recreate = seconds(10.0);
    settings.statements[0].pages = 20;
    let mut bed = Bed::new(&settings);
    bed.ask(READ, task(0));
    bed.run_until(at(1.0));
    bed.fail_over();
    bed.run_until(at(11.0));
    bed.ask(READ, task(0));
    bed.run_until(at(1211.0));
    bed.ask(READ, task(0));
    bed.run_until(at(1212.0));
    let (ok, answers) = (Cause::None, bed.answers());
    // All 20 pages are read from storage, 1 ms each; four times the warm-up later 98 % of them are not.
    assert_eq!(answers[..2], [(0, 15, ok), (1, 11_035, ok)]);
    // What the page reads of a warm cache take is no more than a page or two; a connection is there already.
    assert!((1_211_010..=1_211_012).contains(&answers[2].1), "{answers:?}");
    bed.finish();
}

fn planned(changes: Vec<Change>) -> Settings {
    let changes = changes.into_iter().map(|change| Planned { at: at(10.0), change });
    Settings { changes: changes.collect(), dns_ttl: SimDuration::ZERO, ..settings() }
}

/// A write and a read each quarter of a second; returns the time from the first failed one to the first good one after the last failure.
fn outage_of(settings: &Settings, operation: u16) -> f64 {
    let mut bed = Bed::new(settings);
    let mut asked: Vec<f64> = Vec::new();
    for step in 0..4000 {
        let now = 0.25 * f64::from(step);
        bed.run_until(at(now));
        bed.ask(operation, task(0));
        asked.push(now);
    }
    bed.run_until(at(1100.0));
    let bad = bed.answers.iter().filter(|answer| !answer.2.is_ok()).map(|answer| answer.0);
    let window = bad.clone().min().zip(bad.max());
    bed.finish();
    window.map_or(0.0, |(first, last)| asked[last] + 0.25 - asked[first])
}

/// Requirements: class change without failover 6-8 minutes; with a failover before, one failover.
#[test]
fn a_class_change_takes_7_minutes_or_one_failover() {
    let class = Class { name: "db.r6g.xlarge".to_owned(), vcpu: 4.0, max_connections: 2000, memory_gib: 32.0 };
    let change = |failover_first| {
        let takes = seconds(420.0);
        planned(vec![Change::ModifyClass { instance: 0, class: class.clone(), takes, failover_first }])
    };
    let outage = outage_of(&change(false), WRITE);
    assert!((419.5..=420.5).contains(&outage), "{outage}");
    let outage = outage_of(&change(true), WRITE);
    assert!((29.5..=30.5).contains(&outage), "{outage}");
    let mut bed = Bed::new(&change(true));
    bed.run_until(at(1000.0));
    assert_eq!(bed.aurora.servers.iter().map(|server| server.class.vcpu).collect::<Vec<_>>(), [4.0, 2.0]);
    assert_eq!(bed.aurora.roles.writer, Some(1));
    bed.finish();
}

/// Requirements: about 5 s of degraded writer, 20-30 s restart of the reader; without it a restart of everything for 20-30 s.
#[test]
fn zero_downtime_patching_pauses_the_writer_for_5_s_and_restarts_the_reader() {
    let upgrade = |failure| {
        let patching = Some(ZeroDowntimePatching { pause: seconds(5.0), failure });
        planned(vec![Change::MinorUpgrade { patching, restart: seconds(25.0) }])
    };
    let mut bed = Bed::new(&upgrade(0.0));
    bed.run_until(at(9.0));
    bed.ask(WRITE, task(0));
    bed.run_until(at(11.0));
    bed.ask(WRITE, task(0));
    assert!(!bed.aurora.servers[1].is_up());
    bed.run_until(at(36.0));
    assert!(bed.aurora.servers[1].is_up());
    // The session is kept, the query waits for the end of the pause.
    assert_eq!(bed.answers(), [(0, 9015, Cause::None), (1, 15_010, Cause::None)]);
    assert_eq!(
        bed.finish().counters.iter().filter(|it| it.name == "connections opened").map(|it| it.value).sum::<f64>(),
        1.0
    );
    let outage = outage_of(&upgrade(1.0), WRITE);
    assert!((24.5..=25.5).contains(&outage), "{outage}");
    let outage = outage_of(&planned(vec![Change::MajorUpgrade { takes: seconds(600.0) }]), WRITE);
    assert!((599.5..=600.5).contains(&outage), "{outage}");
}

#[test]
fn a_system_update_goes_from_reader_to_writer_by_a_failover() {
    let settings = planned(vec![Change::SystemUpdate { takes: seconds(200.0) }]);
    let outage = outage_of(&settings, WRITE);
    assert!((29.5..=30.5).contains(&outage), "one failover: {outage}");
    let mut bed = Bed::new(&settings);
    for (second, up) in [(100.0, [true, false]), (300.0, [false, true]), (600.0, [true, true])] {
        bed.run_until(at(second));
        let found: Vec<bool> = bed.aurora.servers.iter().map(Server::is_up).collect();
        assert_eq!(found, up, "at {second} s");
    }
    bed.finish();
}

#[test]
fn a_switchover_blocks_writes_or_is_rolled_back() {
    let switchover = |takes| {
        planned(vec![Change::Switchover {
            takes: seconds(takes),
            timeout: seconds(300.0),
            both: (SimTime::ZERO, SimTime::ZERO),
        }])
    };
    let outage = outage_of(&switchover(40.0), WRITE);
    assert!((39.5..=40.5).contains(&outage), "{outage}");
    let outage = outage_of(&switchover(1000.0), WRITE);
    assert!((299.5..=300.5).contains(&outage), "rolled back: {outage}");
    assert_eq!(outage_of(&switchover(1000.0), READ), 0.0);
}

/// RDS Multi-AZ: 60-120 s, uniformly; the standby is never read, and takes over.
#[test]
fn a_multi_az_database_fails_over_in_60_to_120_s() {
    let mut settings = settings();
    settings.instances.iter_mut().for_each(|it| it.kind = Kind::Standby);
    settings.failover.promotion = Distribution::uniform(60.0, 120.0).unwrap();
    settings.dns_ttl = SimDuration::ZERO;
    let mut all = Vec::new();
    for seed in 0..40 {
        settings.name = format!("rds.orders{seed}");
        let mut bed = Bed::new(&settings);
        bed.fail_over();
        let mut second = 0.0;
        while bed.aurora.roles.writer.is_none() {
            second += 0.5;
            bed.run_until(at(second));
        }
        assert_eq!(bed.aurora.roles.writer, Some(1));
        all.push(second);
        bed.finish();
    }
    assert!(all.iter().all(|second| (60.0..=120.5).contains(second)), "{all:?}");
    assert!(all.iter().any(|second| *second < 75.0) && all.iter().any(|second| *second > 105.0), "{all:?}");
}

#[test]
fn a_read_replica_is_not_promoted_and_a_cluster_waits_for_its_lag() {
    let mut settings = settings();
    settings.instances[1].kind = Kind::Replica;
    let mut bed = Bed::new(&settings);
    bed.fail_over();
    bed.run_until(at(599.0));
    assert_eq!(bed.aurora.roles.writer, None);
    bed.run_until(at(601.0));
    assert_eq!(bed.aurora.roles.writer, Some(0), "the only instance comes back itself");
    bed.finish();
    settings.instances[1].kind = Kind::Member;
    settings.failover.waits_for_lag = true;
    settings.failover.promotion = Distribution::constant(35.0).unwrap();
    settings.replication.apply = seconds(1.0);
    let mut bed = Bed::new(&settings);
    (0..10).for_each(|_| _ = bed.ask(WRITE, task(0)));
    bed.run_until(at(1.0));
    bed.fail_over();
    // Ten writes committed at about 20 ms are applied within 10 s: 9 s are left.
    bed.run_until(at(44.5));
    assert_eq!(bed.aurora.roles.writer, None);
    bed.run_until(at(45.5));
    assert_eq!(bed.aurora.roles.writer, Some(1));
    bed.finish();
}

#[test]
fn a_proxy_lends_few_connections_to_many_sessions_and_pinned_sessions_keep_theirs() {
    let mut settings = settings();
    settings.instances[0].class.max_connections = 4;
    settings.proxy = Some(Proxy { max_connections: 0.5, ..proxy() });
    let mut bed = Bed::new(&settings);
    (0..20).for_each(|slot| _ = bed.ask(READ, task(slot)));
    bed.run_until(at(1.0));
    // Two connections, 4 ms of CPU and 6 ms without each: pairs every 10 ms, and nobody is refused.
    let answers = bed.answers();
    assert!(answers.iter().all(|answer| answer.2 == Cause::None));
    assert_eq!(answers.last().map(|answer| answer.1), Some(6 + 5 + 100));
    assert_eq!(bed.aurora.servers[0].connections, 2);
    bed.finish();
    // Two sessions pin the two connections: the third waits in vain.
    settings.statements[0].pins = 1.0;
    let mut bed = Bed::new(&settings);
    for slot in 0..3 {
        bed.ask(READ, task(slot));
        bed.run_until(at(f64::from(slot) + 1.0));
    }
    bed.ask(READ, task(1));
    bed.run_until(at(10.0));
    let (ok, late) = (Cause::None, Cause::PoolTimeout);
    assert_eq!(bed.answers(), [(0, 21, ok), (1, 1021, ok), (3, 3011, ok), (2, 4006, late)]);
    // A task that goes gives its connection back.
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.ask(READ, task(2));
    bed.run_until(at(20.0));
    assert_eq!(bed.answers(), [(4, 10_011, ok)]);
    let findings = bed.finish();
    assert_eq!(counter(&findings, "sessions pinned"), 3.0);
}

/// Capacity follows the load once a second, and readers of tier 1 the writer; CPU per ACU is a quarter of a core.
#[test]
fn a_proxy_with_95_percent_of_1000_connections_opens_950() {
    let mut settings = settings();
    settings.instances[0].class.max_connections = 1000;
    settings.proxy = Some(Proxy { max_connections: 0.95, ..proxy() });
    let mut bed = Bed::new(&settings);
    (0..1000).for_each(|slot| _ = bed.ask(READ, task(slot)));
    bed.run_until(at(0.03));
    assert_eq!(bed.aurora.servers[0].connections, 950);
}

#[test]
fn a_serverless_writer_grows_under_load_and_shrinks_after_it() {
    let mut settings = settings();
    settings.serverless = Some(Serverless { min_capacity: 0.5, max_capacity: 8.0, rate: 0.1 });
    settings.instances.push(instance("orders-3", 15, 16.0));
    for instance in &mut settings.instances {
        instance.class.name = "db.serverless".to_owned();
        instance.class.vcpu = 0.125;
    }
    settings.pool = pool(1000, 100.0);
    let mut bed = Bed::new(&settings);
    // 500 queries of 4 ms a second want 2 cores, 8 ACU, for 20 s.
    for step in 0..10_000 {
        bed.run_until(at(0.002 * f64::from(step)));
        bed.ask(WRITE, task(0));
    }
    let capacities = |bed: &Bed| bed.aurora.servers.iter().map(|server| server.acu.unwrap()).collect::<Vec<_>>();
    bed.run_until(at(20.5));
    assert_eq!(capacities(&bed), [8.0, 8.0, 0.5], "8 ACU after 15 s; the reader of tier 15 goes its own way");
    bed.run_until(at(200.0));
    assert_eq!(capacities(&bed), [0.5, 0.5, 0.5]);
    let findings = bed.finish();
    assert_eq!(counter(&findings, "queries answered"), 10_000.0);
}

// ---------------------------------------------------------------- the downtime ledger

/// What the ledger has of a fault that began at an instant, in seconds since.
fn told(bed: &Bed, from: f64, until: f64) -> Vec<(&'static str, f64)> {
    let spans = bed.bench.shared.observer.ledger.phases_between(at(from), at(until));
    let name = |span: &sim_core::observations::PhaseSpan| span.phase.map_or("none", crate::ledger::Phase::name);
    spans.iter().map(|span| (name(span), span.until.since(span.from).as_secs_f64())).collect()
}

fn strike(bed: &mut Bed, fault: &Fault) {
    let kind = sim_core::observations::IncidentKind::Fault;
    bed.bench.cx().begins(kind, "aurora.orders", "a fault");
    bed.bench.cx().is_over(kind, "aurora.orders");
    bed.aurora.begin_fault(fault, &mut bed.bench.cx());
}

/// Noticed after 10 s, promoted 30 s after the failure, named 15 s later; a probe that believes the record for up to 5 s more.
#[test]
fn the_ledger_splits_a_lost_writer_with_one_reader() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    let second = SimDuration::from_secs(1);
    settings.probes = vec![Probe {
        name: "probe.orders.now".to_owned(),
        endpoint: ClusterEndpoint::Cluster,
        interval: second,
        timeout: second,
        write: false,
    }];
    let mut bed = Bed::new(&settings);
    bed.run_until(at(100.0));
    strike(&mut bed, &Fault::HostFailure { instance: None });
    bed.run_until(at(200.0));
    let split = [("detection", 10.0), ("recovery", 20.0), ("routing", 15.0), ("warm_up", 55.0)];
    assert_eq!(told(&bed, 100.0, 200.0), split);
    let findings = bed.finish();
    let down = findings.counters.iter().find(|it| it.subject == "probe.orders.now" && it.name == "seconds down");
    let down = down.expect("the probe tells").value;
    assert!((45.0..=51.0).contains(&down), "{down}");
}

/// Nobody to promote: a failover that is asked for has nothing to detect, and the new writer is there after ten minutes.
#[test]
fn the_ledger_splits_a_failover_without_a_reader() {
    let mut settings = settings();
    settings.instances.truncate(1);
    let mut bed = Bed::new(&settings);
    bed.run_until(at(100.0));
    strike(&mut bed, &Fault::Failover);
    bed.run_until(at(800.0));
    assert_eq!(told(&bed, 100.0, 800.0), [("recovery", 600.0), ("warm_up", 100.0)]);
}
