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

mod books;
mod changes;
mod connections;
mod global;
mod instances;
mod ledger;
mod pause;
mod readers;
mod silence;
mod writer;

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
    TaskKey::new(slot, 0)
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

pub(super) fn pool(max_size: u32, acquire_timeout: f64) -> Pool {
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
        replication: Replication { delay: seconds(0.020), apply: SimDuration::ZERO, flow_control: None, is_rds: false },
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
        (request.operation, request.target, request.client) = (operation, task, task.slot());
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

fn proxy() -> Proxy {
    Proxy {
        borrow_timeout: seconds(2.0),
        max_connections: 1.0,
        max_idle_connections: 0.5,
        idle_client_timeout: seconds(1800.0),
        latency: seconds(0.001),
    }
}
