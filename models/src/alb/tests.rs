//! The load balancer with targets that do as they are told.

mod choices;
mod network;
mod nodes;

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::cloudwatch::PERIOD;
use crate::world::bench::Bench;
use crate::world::{Event as WorldEvent, Message};

const SERVICE: EcsId = EcsId(0);

fn seconds(seconds: f64) -> SimDuration {
    SimDuration::from_secs_f64(seconds)
}

fn at(seconds: f64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs_f64(seconds)
}

fn task(slot: u32) -> TaskKey {
    TaskKey::new(slot, 0)
}

fn health_check(enabled: bool) -> HealthCheck {
    HealthCheck { enabled, ..HealthCheck::default() }
}

fn group(name: &str) -> TargetGroup {
    TargetGroup { health_check: health_check(false), ..TargetGroup::new(name, Targets::Ecs(SERVICE)) }
}

fn settings(target_groups: Vec<TargetGroup>) -> Settings {
    Settings::forwarding("front", target_groups)
}

/// How a target answers: after which time and how; `None` = never.
type Manner = Option<(SimDuration, Outcome)>;

const PROMPT: Manner = Some((SimDuration::ZERO, Outcome::OK));
const REFUSES: Manner = Some((SimDuration::ZERO, Outcome::failed(0, Cause::NoTask)));

/// The load balancer, its targets and its clients.
struct Rig {
    alb: Alb,
    /// Of tasks by slot; others are prompt.
    manners: BTreeMap<u32, Manner>,
    /// What clients got, and when.
    answers: Vec<(SimTime, Outcome)>,
    controls: Vec<(SimTime, Control)>,
    /// Work and checks by task slot, and when checks came.
    work: BTreeMap<u32, u64>,
    checks: Vec<(SimTime, u32)>,
    held: Vec<RequestKey>,
    /// Whether an origin group offers a request anew that got a 500.
    fails_over: bool,
}

struct Stage {
    bench: Bench,
    rig: RefCell<Rig>,
}

impl Stage {
    fn new(settings: &Settings) -> Self {
        let mut bench = Bench::new();
        let mut alb = Alb::new(AlbId(0), settings, &mut bench.cx());
        alb.start(&mut bench.cx());
        let rig = Rig {
            alb,
            manners: BTreeMap::new(),
            answers: Vec::new(),
            controls: Vec::new(),
            work: BTreeMap::new(),
            checks: Vec::new(),
            held: Vec::new(),
            fails_over: false,
        };
        Self { bench, rig: RefCell::new(rig) }
    }
    /// With this many tasks registered.
    fn with_tasks(settings: &Settings, tasks: u32) -> Self {
        let mut stage = Self::new(settings);
        (0..tasks).for_each(|slot| stage.register(0, slot));
        stage
    }
    fn register(&mut self, group: u16, slot: u32) {
        self.act(|alb, cx| alb.register(TargetGroupId(group), Endpoint::Ecs(SERVICE), task(slot), None, slot, cx));
    }
    fn deregister(&mut self, slot: u32) {
        self.act(|alb, cx| alb.deregister(TargetGroupId(0), task(slot), cx));
    }
    fn manner(&mut self, slot: u32, manner: Manner) {
        self.rig.get_mut().manners.insert(slot, manner);
    }
    fn act(&mut self, act: impl FnOnce(&mut Alb, &mut Cx<'_>)) {
        act(&mut self.rig.get_mut().alb, &mut self.bench.cx());
    }
    /// A client's request, now.
    fn ask(&mut self) -> RequestKey {
        let key = self.bench.request();
        self.act(|alb, cx| alb.on_offer(key, cx));
        key
    }
    fn run(&mut self, until: SimTime) {
        let rig = &self.rig;
        self.bench.run_until(
            until,
            |event, cx| match event {
                WorldEvent::Alb(_, event) => rig.borrow_mut().alb.on(event, cx),
                WorldEvent::Offer(_, key) => rig.borrow_mut().offered(key, cx),
                WorldEvent::Reply(key) => rig.borrow_mut().replied(key, cx),
                _ => {}
            },
            |message, cx| match message {
                Message::Offer(_, key) => rig.borrow_mut().offered(key, cx),
                Message::Reply(key) => rig.borrow_mut().replied(key, cx),
                Message::Control(control) => rig.borrow_mut().controls.push((cx.now(), control)),
                Message::Resolved(..) => {}
            },
        );
    }
    fn run_for(&mut self, span: SimDuration) {
        self.run(self.bench.kernel.now() + span);
    }
    fn answers(&self) -> Vec<(f64, u16, Cause)> {
        let rig = self.rig.borrow();
        rig.answers.iter().map(|&(at, outcome)| (at.as_secs_f64(), outcome.status, outcome.cause)).collect()
    }
    fn shares(&self, slots: std::ops::Range<u32>) -> Vec<u64> {
        let rig = self.rig.borrow();
        slots.map(|slot| rig.work.get(&slot).copied().unwrap_or(0)).collect()
    }
    /// When the service heard that a task is (un)healthy.
    fn health_changes(&self) -> Vec<(f64, u32, bool)> {
        let rig = self.rig.borrow();
        let changes = rig.controls.iter().filter_map(|&(at, control)| match control {
            Control::TargetHealth(_, task, healthy) if at > SimTime::ZERO => {
                Some((at.as_secs_f64(), task.slot(), healthy))
            }
            _ => None,
        });
        changes.collect()
    }
    fn drained(&self) -> Vec<(f64, u32)> {
        let rig = self.rig.borrow();
        let drained = rig.controls.iter().filter_map(|&(at, control)| match control {
            Control::Drained(_, task) => Some((at.as_secs_f64(), task.slot())),
            _ => None,
        });
        drained.collect()
    }
    /// The book of the load balancer and the requests left agree.
    fn audit(&mut self) {
        let mut findings = Findings::default();
        let now = self.bench.kernel.now();
        self.rig.get_mut().alb.finish(now, &mut findings);
        assert!(findings.checks.iter().all(|check| check.holds), "{:?}", findings.checks);
    }
    fn counter(&mut self, name: &str) -> f64 {
        let mut findings = Findings::default();
        let now = self.bench.kernel.now();
        self.rig.get_mut().alb.finish(now, &mut findings);
        findings.counters.iter().find(|counter| counter.name == name).map_or(f64::NAN, |counter| counter.value)
    }
}

impl Rig {
    fn offered(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let slot = request.target.slot();
        match request.purpose {
            Purpose::Work => *self.work.entry(slot).or_default() += 1,
            Purpose::HealthCheck => self.checks.push((cx.kernel.now(), slot)),
        }
        match self.manners.get(&slot).copied().unwrap_or(PROMPT) {
            Some((delay, outcome)) if delay.is_zero() => cx.reply(key, outcome),
            Some((delay, outcome)) => {
                cx.request(key).outcome = outcome;
                cx.kernel.schedule_in(delay, WorldEvent::Reply(key));
            }
            None => self.held.push(key),
        }
    }
    fn replied(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let frame = cx.request(key).pop();
        match frame.holder {
            Holder::Alb(_, target) => self.alb.on_reply(key, target, cx),
            Holder::TargetProbe(_, target) => self.alb.on_probe_reply(key, target, cx),
            Holder::Client(_) if self.fails_over && cx.request(key).outcome.status == 500 => {
                cx.request(key).push(frame.holder, frame.back);
                self.alb.on_offer(key, cx);
            }
            Holder::Client(_) => {
                let now = cx.now();
                let request = cx.shared.requests.remove(key).expect("a reply has a request");
                if !request.abandoned {
                    self.answers.push((now, request.outcome));
                }
            }
            other => panic!("{other:?} never sent it"),
        }
    }
}

#[test]
fn round_robin_goes_through_the_targets_in_order_of_registration() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 3);
    for _ in 0..7 {
        stage.ask();
    }
    stage.run(at(1.0));
    assert_eq!(stage.shares(0..3), [3, 2, 2]);
    assert_eq!(stage.answers().len(), 7);
    stage.audit();
}

#[test]
fn the_turn_survives_a_target_that_leaves() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 4);
    stage.ask();
    stage.run(at(1.0));
    // The turn is target 1's; with it gone, target 2's.
    stage.deregister(1);
    stage.ask();
    stage.run(at(2.0));
    assert_eq!(stage.shares(0..4), [1, 0, 1, 0]);
    // Target 0 leaves behind the turn: target 3 keeps it.
    stage.deregister(0);
    stage.ask();
    stage.run(at(3.0));
    assert_eq!(stage.shares(0..4), [1, 0, 1, 1]);
}

#[test]
fn least_outstanding_requests_spares_a_slow_target_and_breaks_ties_in_turn() {
    let mut web = group("web");
    web.algorithm = Algorithm::LeastOutstandingRequests;
    let mut stage = Stage::with_tasks(&settings(vec![web]), 3);
    // Idle targets share evenly.
    for _ in 0..9 {
        stage.ask();
        stage.run_for(seconds(0.1));
    }
    assert_eq!(stage.shares(0..3), [3, 3, 3]);
    stage.manner(1, None);
    for _ in 0..10 {
        stage.ask();
        stage.run_for(seconds(0.1));
    }
    assert_eq!(stage.shares(0..3), [8, 4, 7]);
    stage.audit();
}

#[test]
fn weighted_random_is_even_and_belongs_to_the_request() {
    let mut web = group("web");
    web.algorithm = Algorithm::WeightedRandom;
    let run = || {
        let mut stage = Stage::with_tasks(&settings(vec![web.clone()]), 4);
        for n in 0..40_000u64 {
            let key = stage.bench.request();
            stage.bench.shared.requests[key].stream = n;
            stage.act(|alb, cx| alb.on_offer(key, cx));
            stage.run_for(SimDuration::from_nanos(1000));
        }
        stage.shares(0..4)
    };
    let shares = run();
    // Binomial, n = 40 000, p = 1/4: standard deviation 86.6.
    assert!(shares.iter().all(|&share| share.abs_diff(10_000) < 5 * 87), "{shares:?}");
    assert_eq!(shares, run());
}

#[test]
fn target_groups_share_by_weight_and_the_choice_of_a_request_survives_other_weights() {
    let mut architecture = settings(vec![group("blue"), group("green")]);
    let mut chosen = |weights: [u32; 2]| {
        let groups = vec![(TargetGroupId(0), weights[0]), (TargetGroupId(1), weights[1])];
        architecture.rules[0].action = Action::Forward(Forward { groups, stickiness: None });
        let mut stage = Stage::new(&architecture);
        stage.register(0, 0);
        stage.register(1, 1);
        let went_green = (0..10_000u64).map(|n| {
            let key = stage.bench.request();
            stage.bench.shared.requests[key].stream = n;
            stage.act(|alb, cx| alb.on_offer(key, cx));
            let green = stage.bench.shared.requests[key].target == task(1);
            stage.run_for(SimDuration::from_nanos(1000));
            green
        });
        went_green.collect::<Vec<bool>>()
    };
    let (few, more) = (chosen([90, 10]), chosen([50, 50]));
    let share = few.iter().filter(|&&green| green).count();
    // Standard deviation 30.
    assert!(share.abs_diff(1000) < 150, "{share}");
    assert!(few.iter().zip(&more).all(|(&few, &more)| more || !few), "whoever was among the 10 % is among the 50 %");
}

#[test]
fn rules_are_found_by_path_and_fixed_responses_are_the_load_balancers_own() {
    let mut architecture = settings(vec![group("web")]);
    let fixed = |status| Rule::any(Action::FixedResponse(status));
    architecture.rules = vec![fixed(503), fixed(404), fixed(200), architecture.rules.remove(0)];
    architecture.ways = (0..4).map(|rule| vec![rule]).collect();
    architecture.way_of_path = vec![0, 1, 2, 3];
    let mut stage = Stage::with_tasks(&architecture, 1);
    for path in 0..4 {
        let key = stage.bench.request();
        stage.bench.shared.requests[key].path = PathId(path);
        stage.act(|alb, cx| alb.on_offer(key, cx));
    }
    stage.run(at(1.0));
    let expected =
        [(0.0, 503, Cause::AlbFixed), (0.0, 404, Cause::AlbFixed), (0.0, 200, Cause::None), (0.0, 200, Cause::None)];
    assert_eq!(stage.answers(), expected);
    let counts = ["RequestCount", "HTTP_Fixed_Response_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_4XX_Count"]
        .map(|name| stage.counter(name));
    assert_eq!(counts, [1.0, 3.0, 1.0, 1.0]);
}

#[test]
fn no_registered_targets_give_503_but_no_healthy_ones_do_not() {
    let mut stage = Stage::new(&settings(vec![group("web")]));
    stage.ask();
    stage.run(at(1.0));
    assert_eq!(stage.answers(), [(0.0, 503, Cause::Alb503)]);
    // The request never got a target, so AWS does not count it.
    assert_eq!((stage.counter("RequestCount"), stage.counter("HTTPCode_ELB_503_Count")), (0.0, 1.0));

    let mut web = group("web");
    web.health_check = health_check(true);
    let mut stage = Stage::with_tasks(&settings(vec![web]), 2);
    stage.manner(0, REFUSES);
    stage.manner(1, REFUSES);
    stage.run(at(100.0));
    assert_eq!(stage.health_changes().len(), 2);
    stage.manner(0, PROMPT);
    stage.manner(1, PROMPT);
    stage.ask();
    stage.ask();
    stage.run_for(seconds(1.0));
    assert_eq!(stage.shares(0..2), [1, 1], "fails open");
    assert!(stage.answers().iter().all(|answer| answer.1 == 200));
}

#[test]
fn time_is_spent_on_processing_and_on_the_way_to_targets_and_back() {
    let mut architecture = settings(vec![group("web")]);
    architecture.added_latency = seconds(0.001);
    architecture.target_rtt = seconds(0.0005);
    let mut stage = Stage::with_tasks(&architecture, 1);
    stage.manner(0, Some((seconds(0.01), Outcome::OK)));
    stage.ask();
    stage.run(at(60.0));
    // A reply of this test's targets is there when its delay is over; only the way to the target takes time.
    assert_eq!(stage.answers(), [(0.01125, 200, Cause::None)]);
    stage.act(|alb, cx| alb.publish(cx));
    let metrics = &stage.bench.shared.metrics;
    let id = metrics.find("AWS/ApplicationELB TargetResponseTime alb.front").expect("registered");
    let mut points = Vec::new();
    metrics.read(id, crate::cloudwatch::Statistic::Average, PERIOD, at(60.0), 1, &mut points);
    assert_eq!(points, [Some(0.01025)], "from forwarding to answer");
}

#[test]
fn a_targets_own_errors_pass_and_broken_connections_become_502_with_their_cause() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 5);
    let manners = [
        Outcome::failed(500, Cause::TargetError),
        Outcome::failed(503, Cause::Overloaded),
        Outcome::failed(0, Cause::TaskStopped),
        Outcome::failed(0, Cause::NoTask),
        Outcome { status: 404, cause: Cause::None },
    ];
    for (slot, outcome) in manners.into_iter().enumerate() {
        stage.manner(slot as u32, Some((SimDuration::ZERO, outcome)));
        stage.ask();
    }
    stage.run(at(1.0));
    let got: Vec<(u16, Cause)> = stage.answers().into_iter().map(|(_, status, cause)| (status, cause)).collect();
    let expected = [
        (500, Cause::TargetError),
        (503, Cause::Overloaded),
        (502, Cause::TaskStopped),
        (502, Cause::NoTask),
        (404, Cause::None),
    ];
    assert_eq!(got, expected);
    let counts = [
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_Target_4XX_Count",
        "HTTPCode_ELB_5XX_Count",
        "HTTPCode_ELB_502_Count",
        "TargetConnectionErrorCount",
    ];
    assert_eq!(counts.map(|name| stage.counter(name)), [2.0, 1.0, 2.0, 2.0, 1.0]);
    stage.audit();
}

#[test]
fn a_target_silent_past_the_idle_timeout_gives_504_and_its_late_answer_is_for_nobody() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 2);
    stage.manner(0, Some((seconds(70.0), Outcome::OK)));
    let original = stage.ask();
    stage.run(at(30.0));
    for _ in 0..3 {
        stage.ask();
    }
    stage.run(at(65.0));
    // The first request (t = 0) is timed out at 60 s; of the later three, the one on the slow target still waits.
    let expected = [(30.0, 200, Cause::None), (30.0, 200, Cause::None), (60.0, 504, Cause::Alb504)];
    assert_eq!(stage.answers(), expected);
    assert!(stage.bench.shared.requests[original].abandoned, "the target still works on it");
    assert_eq!(stage.bench.shared.requests.len(), 2);
    stage.audit();
    stage.run(at(200.0));
    assert_eq!(stage.answers().len(), 4);
    assert_eq!(stage.answers()[3], (90.0, 504, Cause::Alb504));
    assert!(stage.bench.shared.requests.is_empty());
    assert_eq!(stage.counter("HTTPCode_ELB_504_Count"), 2.0);
    stage.audit();
}

#[test]
fn a_request_its_client_gave_up_is_timed_out_without_a_word() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 1);
    stage.manner(0, None);
    let key = stage.ask();
    stage.run(at(1.0));
    stage.bench.cx().request(key).abandoned = true;
    stage.run(at(61.0));
    assert_eq!(stage.answers(), []);
    assert_eq!(stage.bench.shared.requests.len(), 1, "what is left is the target's");
}

#[test]
fn the_same_request_may_come_again_and_has_the_whole_idle_timeout_again() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 2);
    stage.manner(0, Some((seconds(20.0), Outcome::failed(500, Cause::TargetError))));
    stage.manner(1, Some((seconds(50.0), Outcome::OK)));
    stage.rig.get_mut().fails_over = true;
    stage.ask();
    stage.run(at(100.0));
    assert_eq!(stage.answers(), [(70.0, 200, Cause::None)]);
    // And the second time it counts from the second start.
    stage.manner(0, None);
    stage.manner(1, Some((seconds(20.0), Outcome::failed(500, Cause::TargetError))));
    stage.ask();
    stage.run(at(105.0));
    stage.ask();
    stage.run(at(300.0));
    assert_eq!(stage.answers()[1..], [(160.0, 504, Cause::Alb504), (185.0, 504, Cause::Alb504)]);
    stage.audit();
}

#[test]
fn what_is_watched_for_the_idle_timeout_stays_short_where_little_is_in_flight() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 1);
    for _ in 0..1000 {
        stage.ask();
        stage.run_for(seconds(0.001));
    }
    assert!(stage.rig.get_mut().alb.idle_timeout.watched() <= 64);
    let before = stage.bench.kernel.events_handled();
    stage.run(at(500.0));
    assert_eq!(stage.bench.kernel.events_handled() - before, 1, "one event watches over all of them");
}

#[test]
fn a_target_that_refuses_is_unhealthy_within_30_to_60_seconds_and_back_after_five_good_checks() {
    let mut web = group("web");
    web.health_check = health_check(true);
    let tasks = 200;
    let mut stage = Stage::with_tasks(&settings(vec![web]), tasks);
    (0..tasks).for_each(|slot| stage.manner(slot, REFUSES));
    stage.run(at(90.0));
    let lost = stage.health_changes();
    assert_eq!(lost.len(), tasks as usize);
    assert!(lost.iter().all(|&(at, _, healthy)| (30.0..60.0).contains(&at) && !healthy));
    let mean = lost.iter().map(|change| change.0).sum::<f64>() / f64::from(tasks);
    // Uniform over 30 s: standard error 0.61 s.
    assert!((mean - 45.0).abs() < 3.0, "{mean}");
    // All are good again from 90 s on: the first good check at 90 + U, the fifth 120 s later.
    (0..tasks).for_each(|slot| stage.manner(slot, PROMPT));
    stage.run(at(300.0));
    let changes = stage.health_changes();
    let back = &changes[tasks as usize..];
    assert_eq!(back.len(), tasks as usize);
    assert!(back.iter().all(|&(at, _, healthy)| (210.0..240.0).contains(&at) && healthy));
    for (lost, back) in lost.iter().zip(back) {
        assert_eq!((lost.1, ((back.0 - lost.0) * 1e6).round()), (back.1, 180e6), "each keeps its phase");
    }
}

#[test]
fn a_hanging_target_takes_the_timeout_longer_and_its_late_answers_change_nothing() {
    let mut web = group("web");
    web.health_check = health_check(true);
    let mut stage = Stage::with_tasks(&settings(vec![web]), 1);
    stage.manner(0, Some((seconds(7.0), Outcome::OK)));
    stage.run(at(100.0));
    let second_check = stage.rig.borrow().checks[1].0.as_secs_f64();
    assert_eq!(stage.health_changes(), [(second_check + 5.0, 0, false)]);
    stage.run(at(1000.0));
    assert_eq!(stage.health_changes().len(), 1);
    assert!(stage.bench.shared.requests.len() <= 1, "late answers are removed");
}

#[test]
fn a_new_target_needs_one_good_check_and_gets_nothing_before() {
    let mut web = group("web");
    web.health_check = health_check(true);
    let mut stage = Stage::with_tasks(&settings(vec![web]), 1);
    stage.run(at(100.0));
    stage.register(0, 1);
    for _ in 0..30 {
        stage.ask();
        stage.ask();
        stage.run_for(seconds(1.0));
    }
    let changes = stage.health_changes();
    assert_eq!((changes.len(), changes[0].1, changes[0].2), (1, 1, true));
    assert!((100.0..130.0).contains(&changes[0].0));
    let [first, second] = stage.shares(0..2)[..] else { panic!() };
    let expected = (60.0 - 2.0 * (changes[0].0 - 100.0).floor()) / 2.0;
    assert!((second as f64 - expected).abs() <= 2.0 && first + second == 60, "{first} {second} {expected}");
}

#[test]
fn a_new_target_that_never_answers_is_unhealthy_after_two_checks() {
    let mut web = group("web");
    web.health_check = health_check(true);
    let mut stage = Stage::with_tasks(&settings(vec![web]), 1);
    stage.run(at(100.0));
    stage.manner(1, REFUSES);
    stage.register(0, 1);
    stage.run(at(200.0));
    let changes = stage.health_changes();
    assert_eq!((changes.len(), changes[0].1, changes[0].2), (1, 1, false));
    assert!((130.0..160.0).contains(&changes[0].0));
}

#[test]
fn targets_of_time_zero_and_of_groups_without_checks_are_healthy_at_once_and_the_service_hears_so() {
    let mut web = group("web");
    web.health_check = health_check(true);
    let mut stage = Stage::with_tasks(&settings(vec![web, group("unchecked")]), 2);
    stage.run(at(100.0));
    stage.register(1, 7);
    stage.run(at(101.0));
    let told: Vec<(u32, bool)> = stage
        .rig
        .borrow()
        .controls
        .iter()
        .filter_map(|&(_, control)| match control {
            Control::TargetHealth(_, task, healthy) => Some((task.slot(), healthy)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(0, true), (1, true), (7, true)]);
}

#[test]
fn draining_ends_with_the_last_answer_and_lets_nothing_new_in() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 2);
    stage.manner(0, Some((seconds(20.0), Outcome::OK)));
    stage.ask();
    stage.run(at(5.0));
    stage.deregister(0);
    stage.deregister(1);
    stage.run(at(6.0));
    assert_eq!(stage.drained(), [(5.0, 1)], "without requests at once");
    stage.ask();
    stage.run(at(500.0));
    assert_eq!(stage.drained(), [(5.0, 1), (20.0, 0)]);
    assert_eq!(stage.answers(), [(6.0, 503, Cause::Alb503), (20.0, 200, Cause::None)]);
    stage.audit();
}

#[test]
fn at_the_end_of_the_deregistration_delay_unfinished_requests_get_502() {
    let mut web = group("web");
    web.deregistration_delay = seconds(30.0);
    let mut stage = Stage::with_tasks(&settings(vec![web]), 1);
    stage.manner(0, Some((seconds(50.0), Outcome::OK)));
    stage.ask();
    stage.ask();
    stage.run(at(10.0));
    stage.deregister(0);
    stage.run(at(200.0));
    assert_eq!(stage.drained(), [(40.0, 0)]);
    assert_eq!(stage.answers(), [(40.0, 502, Cause::Alb502); 2]);
    assert!(stage.bench.shared.requests.is_empty() && stage.rig.get_mut().alb.targets.is_empty());
    stage.audit();
}

#[test]
fn a_target_that_is_gone_gets_nothing_more_and_its_requests_come_back_broken() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 2);
    stage.manner(0, None);
    stage.ask();
    stage.run(at(1.0));
    stage.act(|alb, cx| alb.target_gone(TargetGroupId(0), task(0), cx));
    // The service answers for the task that died.
    let held = stage.rig.borrow().held.clone();
    held.into_iter().for_each(|key| stage.bench.cx().reply(key, Outcome::failed(0, Cause::TaskStopped)));
    for _ in 0..4 {
        stage.ask();
    }
    stage.run(at(2.0));
    assert_eq!(stage.answers()[0], (1.0, 502, Cause::TaskStopped));
    assert_eq!(stage.shares(0..2), [1, 4]);
    assert_eq!(stage.rig.get_mut().alb.targets.len(), 1);
    // A task that drains may die too; nothing is left of it.
    stage.manner(1, None);
    stage.ask();
    stage.run(at(3.0));
    stage.deregister(1);
    stage.act(|alb, cx| alb.target_gone(TargetGroupId(0), task(1), cx));
    let held = stage.rig.borrow().held.clone();
    stage.bench.cx().reply(held[1], Outcome::failed(0, Cause::TaskStopped));
    stage.run(at(1000.0));
    assert!(stage.rig.get_mut().alb.targets.is_empty());
    assert_eq!(stage.drained(), [], "who is gone is not drained");
    stage.audit();
}

#[test]
fn deregistering_the_unknown_ends_at_once() {
    let mut stage = Stage::new(&settings(vec![group("web")]));
    stage.deregister(4);
    stage.run(at(1.0));
    assert_eq!(stage.drained(), [(0.0, 4)]);
}

#[test]
fn blue_green_sends_all_traffic_to_green_and_back() {
    let mut stage = Stage::new(&settings(vec![group("blue"), group("green")]));
    stage.register(0, 0);
    stage.register(1, 1);
    for share in [1000, 0] {
        stage.ask();
        stage.run_for(seconds(1.0));
        stage.act(|alb, cx| alb.shift_traffic(TargetGroupId(0), TargetGroupId(1), share, cx));
        stage.ask();
        stage.run_for(seconds(1.0));
    }
    stage.ask();
    stage.run_for(seconds(1.0));
    assert_eq!(stage.shares(0..2), [3, 2]);
}

#[test]
fn a_station_is_one_target_registered_for_good() {
    let mut extern_group = group("payments");
    extern_group.targets = Targets::Station(StationId(2));
    let mut stage = Stage::new(&settings(vec![extern_group]));
    stage.ask();
    stage.run(at(1.0));
    assert_eq!(stage.shares(u32::MAX - 1..u32::MAX), [0]);
    assert_eq!(stage.rig.borrow().work.get(&TaskKey::NONE.slot()), Some(&1));
}

#[test]
fn metrics_are_published_where_there_is_something_to_count() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 2);
    stage.manner(1, Some((SimDuration::ZERO, Outcome::failed(500, Cause::TargetError))));
    for _ in 0..6 {
        stage.ask();
    }
    stage.run(at(30.0));
    // For half of the minute there is only one target.
    stage.deregister(1);
    stage.run(at(60.0));
    stage.act(|alb, cx| alb.publish(cx));
    stage.run(at(120.0));
    stage.act(|alb, cx| alb.publish(cx));
    let series = stage.bench.shared.metrics;
    let series = series.into_series(PERIOD.times(2));
    let of = |name: &str| {
        let name = format!("AWS/ApplicationELB {name}");
        series.iter().find(|series| series.name == name).map(|series| (series.values[0], series.values[1].is_nan()))
    };
    assert_eq!(of("RequestCount alb.front"), Some((6.0, true)));
    assert_eq!(of("HTTPCode_Target_2XX_Count alb.front"), Some((3.0, true)));
    assert_eq!(of("HTTPCode_Target_5XX_Count alb.front"), Some((3.0, true)));
    assert_eq!(of("HTTPCode_ELB_5XX_Count alb.front"), None);
    assert_eq!(of("HealthyHostCount alb.front/web"), Some((1.5, false)));
    assert_eq!(of("RequestCountPerTarget alb.front/web"), Some((4.0, true)));
    assert_eq!(of("RequestCount alb.front/web"), None, "only where there are several groups");
}

#[test]
fn totals_leave_out_the_warm_up() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 1);
    stage.ask();
    stage.run(at(1.0));
    stage.act(|alb, cx| alb.warm_up_over(cx.now()));
    stage.ask();
    stage.ask();
    stage.run(at(2.0));
    assert_eq!(stage.counter("RequestCount"), 2.0);
    stage.audit();
}

/// A target refuses from 0 s on; its third bad check is somewhere from 60 to 90 s: until then requests go there, and nobody knows.
#[test]
fn the_ledger_has_a_fault_in_detection_until_the_unhealthy_threshold_is_reached() {
    let mut web = group("web");
    web.health_check = health_check(true);
    web.health_check.unhealthy_threshold = 3;
    let mut stage = Stage::with_tasks(&settings(vec![web]), 2);
    let kind = sim_core::observations::IncidentKind::Fault;
    stage.bench.cx().begins(kind, "ecs.web", "aws:ecs:task-network-blackhole-port");
    stage.manner(0, REFUSES);
    stage.run(at(120.0));
    let lost = stage.health_changes();
    assert_eq!(lost.len(), 1);
    assert!((60.0..90.0).contains(&lost[0].0), "{lost:?}");
    let spans = stage.bench.shared.observer.ledger.phases_between(SimTime::ZERO, at(120.0));
    let told: Vec<_> =
        spans.iter().map(|span| (span.phase.expect("a phase").name(), span.until.as_secs_f64())).collect();
    assert_eq!(told, [("detection", lost[0].0), ("warm_up", 120.0)]);
}
