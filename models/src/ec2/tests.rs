use super::credits::{Account, Credits, Mode, Rates};
use super::*;
use crate::compute::{Concurrency, Step, StepAction};
use crate::ec2::catalog::instance_type;
use crate::world::bench::Bench;

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn constant(seconds: f64) -> Distribution {
    Distribution::constant(seconds).expect("a constant")
}

fn rates(name: &str) -> (Rates, f64) {
    let known = instance_type(name).expect("a known type");
    (known.credits.expect("a burstable one"), known.vcpu)
}

/// How long an instance that wants so many of its vCPU goes before it is throttled, in hours: looked at as the group does.
fn lasts(name: &str, balance: Option<f64>, busy: f64) -> f64 {
    let (rates, vcpu) = rates(name);
    let account = Account { rates, mode: Mode::Standard, at_start: balance.unwrap_or(rates.most()) };
    let mut credits = match balance {
        None => account.open(SimTime::ZERO, false),
        Some(_) => Credits::new(rates, Mode::Standard, SimTime::ZERO),
    };
    let mut now = SimTime::ZERO;
    loop {
        let (cores, again) = credits.allow(vcpu);
        if credits.throttled() {
            assert_eq!(cores, rates.earned_per_hour / 60.0, "the baseline");
            return now.as_secs_f64() / 3600.0;
        }
        let step = again.expect("standard mode looks again");
        now += step;
        credits.reckon(now, busy * vcpu * step.as_secs_f64());
    }
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} +- {tolerance}");
}

#[test]
fn t3_micro_with_both_vcpus_at_50_percent_lasts_6_hours() {
    assert_near(lasts("t3.micro", None, 0.5), 6.0, 0.01);
}

#[test]
fn t3_micro_at_100_percent_lasts_2_67_hours() {
    assert_near(lasts("t3.micro", None, 1.0), 288.0 / 108.0, 0.001);
}

#[test]
fn a_fresh_t2_micro_at_100_percent_lasts_33_minutes_on_its_launch_credits() {
    assert_near(60.0 * lasts("t2.micro", Some(0.0), 1.0), 60.0 * 30.0 / 54.0, 0.05);
}

#[test]
fn t3_medium_at_100_percent_lasts_6_hours_and_gets_20_percent_then() {
    assert_near(lasts("t3.medium", None, 1.0), 6.0, 0.001);
    let (rates, vcpu) = rates("t3.medium");
    assert_near(rates.earned_per_hour / 60.0 / vcpu, 0.2, 1e-12);
}

#[test]
fn the_table_of_the_guide_is_earning_times_24_and_baseline() {
    for (name, vcpu, earned, most, baseline) in [
        ("t2.nano", 1.0, 3.0, 72.0, 0.05),
        ("t2.micro", 1.0, 6.0, 144.0, 0.1),
        ("t2.small", 1.0, 12.0, 288.0, 0.2),
        ("t2.medium", 2.0, 24.0, 576.0, 0.2),
        ("t2.large", 2.0, 36.0, 864.0, 0.3),
        ("t2.xlarge", 4.0, 54.0, 1296.0, 0.225),
        ("t2.2xlarge", 8.0, 81.6, 1958.4, 0.17),
        ("t3.nano", 2.0, 6.0, 144.0, 0.05),
        ("t3.micro", 2.0, 12.0, 288.0, 0.1),
        ("t3.small", 2.0, 24.0, 576.0, 0.2),
        ("t3.medium", 2.0, 24.0, 576.0, 0.2),
        ("t3.large", 2.0, 36.0, 864.0, 0.3),
        ("t3.xlarge", 4.0, 96.0, 2304.0, 0.4),
        ("t3.2xlarge", 8.0, 192.0, 4608.0, 0.4),
        ("t3a.nano", 2.0, 6.0, 144.0, 0.05),
        ("t3a.micro", 2.0, 12.0, 288.0, 0.1),
        ("t3a.small", 2.0, 24.0, 576.0, 0.2),
        ("t3a.medium", 2.0, 24.0, 576.0, 0.2),
        ("t3a.large", 2.0, 36.0, 864.0, 0.3),
        ("t3a.xlarge", 4.0, 96.0, 2304.0, 0.4),
        ("t3a.2xlarge", 8.0, 192.0, 4608.0, 0.4),
        ("t4g.nano", 2.0, 6.0, 144.0, 0.05),
        ("t4g.micro", 2.0, 12.0, 288.0, 0.1),
        ("t4g.small", 2.0, 24.0, 576.0, 0.2),
        ("t4g.medium", 2.0, 24.0, 576.0, 0.2),
        ("t4g.large", 2.0, 36.0, 864.0, 0.3),
        ("t4g.xlarge", 4.0, 96.0, 2304.0, 0.4),
        ("t4g.2xlarge", 8.0, 192.0, 4608.0, 0.4),
    ] {
        let (rates, cores) = rates(name);
        assert_eq!((cores, rates.earned_per_hour), (vcpu, earned), "{name}");
        assert_near(rates.most(), most, 1e-9);
        assert_near(rates.earned_per_hour / 60.0 / vcpu, baseline, 1e-9);
    }
    assert_eq!(instance_type("m5.2xlarge").map(|it| it.vcpu), Some(8.0));
    assert_eq!(instance_type("c5.9xlarge").map(|it| it.vcpu), Some(36.0));
    assert!(instance_type("m5.nano").is_none() && instance_type("m5").is_none());
    assert!(catalog::names().all(|name| instance_type(&name).is_some()));
}

#[test]
fn launch_credits_are_spent_first_and_do_not_count_for_the_cap() {
    let (rates, _) = rates("t2.micro");
    let mut credits = Credits::new(rates, Mode::Standard, SimTime::ZERO);
    assert_near(credits.balance(), 30.0, 1e-9);
    // Idle for two days: the cap is on what accrued.
    credits.reckon(SimTime::from_secs(48 * 3600), 0.0);
    assert_near(credits.balance(), 144.0 + 30.0, 1e-9);
    credits.stop();
    assert_eq!(credits.balance(), 0.0, "T2 loses its balance");
    let (rates, _) = super::tests::rates("t3.micro");
    let mut credits = Account { rates, mode: Mode::Standard, at_start: 100.0 }.open(SimTime::ZERO, false);
    credits.stop();
    assert_eq!(credits.balance(), 100.0, "T3 keeps it");
}

#[test]
fn unlimited_goes_on_with_surplus_credits_which_are_repaid_or_charged() {
    let (rates, vcpu) = rates("t3.nano");
    let mut credits = Credits::new(rates, Mode::Unlimited, SimTime::ZERO);
    assert_eq!(credits.allow(vcpu), (2.0, None));
    // An hour of both vCPUs: 120 spent, 6 earned.
    credits.reckon(SimTime::from_secs(3600), 7200.0);
    assert_near(credits.surplus(), 114.0, 1e-9);
    assert_eq!(credits.charged(), 0.0);
    // Another: beyond a day's earnings (144) it is charged at once.
    credits.reckon(SimTime::from_secs(7200), 7200.0);
    assert_near(credits.surplus(), 144.0, 1e-9);
    assert_near(credits.charged(), 84.0, 1e-9);
    // An idle hour repays what it earns, and accrues nothing.
    credits.reckon(SimTime::from_secs(10_800), 0.0);
    assert_near(credits.surplus(), 138.0, 1e-9);
    assert_eq!(credits.balance(), 0.0);
    credits.terminate();
    assert_near(credits.charged(), 84.0 + 138.0, 1e-9);
}

/// Three instances in three zones, with times that are easy to add up: 20 s to running, 10 s to boot, 100 s of user data.
fn settings(desired: u32) -> Settings {
    Settings {
        name: "web".into(),
        instance_type: instance_type("m5.large").expect("known"),
        volume: Volume { kind: "gp3", size: 8.0, iops: 0.0, throughput: 0.0 },
        capacity: Capacity { vcpu: 2.0, workers: 10, backlog: None, concurrency: Concurrency::Threaded, memory: None },
        handlers: vec![Handler {
            path_pattern: "*".into(),
            steps: vec![Step { probability: 1.0, action: StepAction::Cpu(constant(1.0)) }],
            response_bytes: 100,
        }],
        handler_of_path: vec![0],
        health_check_cpu: SimDuration::ZERO,
        error_rate: 0.0,
        auto_scaling: true,
        desired_capacity: desired,
        min_size: 0,
        max_size: 10,
        zones: vec!["a".into(), "b".into(), "c".into()],
        launch_time: constant(20.0),
        boot_time: constant(10.0),
        user_data_time: constant(100.0),
        stop_time: constant(30.0),
        reboot_time: constant(120.0),
        stop_timeout: secs(90),
        group_interval: secs(5),
        health_check_type: HealthCheckType::Ec2,
        health_check_grace_period: SimDuration::ZERO,
        impaired_for: secs(120),
        instance_warmup: SimDuration::ZERO,
        termination_policies: vec![TerminationPolicy::Default],
        zone_rebalancing: true,
        warm_pool: None,
        launching_hook: None,
        terminating_hook: None,
        auto_recovery: true,
        credits: None,
        detailed_monitoring: true,
        publishes_backlog: false,
        target_group: None,
        maintenance: Vec::new(),
    }
}

/// A group alone, and who left it when.
struct Stage {
    bench: Bench,
    group: Group,
    outcomes: Vec<Outcome>,
}

impl Stage {
    fn new(settings: &Settings) -> Self {
        let mut bench = Bench::new();
        let mut group = Group::new(Ec2Id(0), settings, &mut bench.cx());
        group.start(&mut bench.cx());
        Self { bench, group, outcomes: Vec::new() }
    }

    fn run_until(&mut self, seconds: u64) {
        let Self { bench, group, outcomes } = self;
        let group = std::cell::RefCell::new(group);
        bench.run_until(
            SimTime::from_secs(seconds),
            |event, cx| match event {
                world::Event::Ec2(_, event) => group.borrow_mut().on(event, cx),
                world::Event::Compute(_, event) => group.borrow_mut().on_work(event, cx),
                other => panic!("{other:?}"),
            },
            |message, cx| match message {
                world::Message::Control(Control::Drained(_, key)) => group.borrow_mut().drained(key, cx),
                world::Message::Control(Control::Idle(_, key)) => group.borrow_mut().stop_if_idle(key, cx),
                // A load balancer without anything in flight, whose checks always succeed.
                world::Message::Control(Control::Deregister(_, _, key)) => group.borrow_mut().drained(key, cx),
                world::Message::Control(Control::Register(_, _, _, key, ..)) => {
                    group.borrow_mut().target_health(key, true, cx);
                }
                world::Message::Reply(key) => outcomes.push(cx.request(key).outcome),
                _ => {}
            },
        );
    }

    fn fault(&mut self, fault: InstanceFault, count: u32, begins: bool) {
        self.group.instance_fault(fault, None, Some(count), begins, &mut self.bench.cx());
    }

    fn offer(&mut self) {
        let key = self.bench.request();
        self.group.on_offer(key, &mut self.bench.cx());
    }

    /// Numbers of the instances that fit.
    fn numbers(&self, fits: impl Fn(&Instance) -> bool) -> Vec<u32> {
        let live = self.group.order.iter().map(|&key| &self.group.instances[key]);
        live.filter(|it| fits(it)).map(|it| it.number).collect()
    }

    fn answering(&self) -> Vec<u32> {
        self.numbers(|it| it.life == Life::InService && it.power == Power::Up && it.serves())
    }

    fn zones(&self) -> Vec<u16> {
        self.group.order.iter().map(|&key| self.group.instances[key].zone).collect()
    }
}

#[test]
fn a_terminated_instance_is_replaced_and_answers_after_launch_user_data_and_boot() {
    let mut stage = Stage::new(&settings(3));
    stage.run_until(1);
    stage.fault(InstanceFault::Terminate, 1, true);
    assert_eq!(stage.answering(), [2, 3]);
    // Noticed at 5 s, running at 25 s, answers at 135 s.
    stage.run_until(134);
    assert_eq!(stage.answering(), [2, 3]);
    stage.run_until(136);
    assert_eq!(stage.answering(), [2, 3, 4]);
    let mut zones = stage.zones();
    zones.sort_unstable();
    assert_eq!(zones, [0, 1, 2], "the new one goes where one is missing");
}

#[test]
fn a_stopped_member_is_replaced_and_one_that_stands_alone_is_started_when_the_fault_ends() {
    let mut stage = Stage::new(&settings(3));
    stage.run_until(1);
    stage.fault(InstanceFault::Stop, 1, true);
    stage.run_until(6);
    assert_eq!(stage.numbers(|_| true), [2, 3, 4], "terminated at the next look");

    let mut alone = Stage::new(&Settings { auto_scaling: false, ..settings(3) });
    alone.run_until(1);
    alone.fault(InstanceFault::Stop, 1, true);
    alone.run_until(300);
    assert_eq!(alone.answering(), [2, 3]);
    alone.fault(InstanceFault::Stop, 1, false);
    // 20 s to start, 10 s to boot; user data have run long ago.
    alone.run_until(329);
    assert_eq!(alone.answering(), [2, 3]);
    alone.run_until(331);
    assert_eq!(alone.answering(), [1, 2, 3]);
}

#[test]
fn a_rebooted_instance_keeps_its_place_and_loses_what_it_had() {
    let mut stage = Stage::new(&Settings { auto_scaling: false, ..settings(1) });
    stage.offer();
    stage.run_until(0);
    stage.fault(InstanceFault::Reboot, 1, true);
    stage.run_until(119);
    assert_eq!(stage.outcomes, [Outcome::failed(0, Cause::TaskStopped)]);
    assert!(stage.answering().is_empty());
    stage.run_until(121);
    assert_eq!(stage.answering(), [1]);
}

#[test]
fn auto_recovery_moves_an_instance_whose_host_failed_and_a_group_replaces_it() {
    let system = InstanceFault::Impair(Impairment::System);
    let mut alone = Stage::new(&Settings { auto_scaling: false, ..settings(1) });
    alone.run_until(30);
    alone.fault(system, 1, true);
    // Checks fail from 60 s on; after two minutes of that it is moved: 20 s and a boot of 10 s.
    alone.run_until(179);
    assert!(alone.answering().is_empty());
    alone.run_until(211);
    assert_eq!(alone.answering(), [1]);

    // The operating system's fault is not the host's: nobody recovers that.
    let mut hung = Stage::new(&Settings { auto_scaling: false, ..settings(1) });
    hung.run_until(30);
    hung.fault(InstanceFault::Impair(Impairment::Instance), 1, true);
    hung.run_until(600);
    assert!(hung.answering().is_empty());
    hung.fault(InstanceFault::Reboot, 1, true);
    hung.run_until(721);
    assert_eq!(hung.answering(), [1]);

    let mut group = Stage::new(&settings(1));
    group.run_until(30);
    group.fault(system, 1, true);
    group.run_until(600);
    assert_eq!(group.answering(), [2]);
}

#[test]
fn a_warm_pool_shortens_a_launch_by_what_its_state_keeps() {
    for (state, expected) in [(PoolState::Stopped, 35), (PoolState::Hibernated, 25), (PoolState::Running, 5)] {
        let pool = WarmPool { state, min_size: 0, max_prepared: Some(4), reuse_on_scale_in: false };
        let mut stage = Stage::new(&Settings { warm_pool: Some(pool), ..settings(3) });
        stage.run_until(1);
        assert_eq!(stage.numbers(|it| it.life == Life::Warmed), [4]);
        stage.group.set_desired_capacity(4, &mut stage.bench.cx());
        stage.run_until(expected - 1);
        assert_eq!(stage.answering(), [1, 2, 3], "{state:?}");
        stage.run_until(expected + 1);
        assert_eq!(stage.answering(), [1, 2, 3, 4], "{state:?}");
        assert!(stage.numbers(|it| it.life == Life::Warmed).is_empty(), "as many are prepared as may be");
    }
}

#[test]
fn a_warm_pool_has_what_is_missing_to_the_maximum() {
    let pool = WarmPool { state: PoolState::Stopped, min_size: 0, max_prepared: None, reuse_on_scale_in: false };
    let mut stage = Stage::new(&Settings { warm_pool: Some(pool), max_size: 7, ..settings(3) });
    stage.run_until(300);
    assert_eq!(stage.numbers(|it| it.life == Life::Warmed).len(), 4);
    stage.group.set_desired_capacity(5, &mut stage.bench.cx());
    stage.run_until(600);
    assert_eq!((stage.answering().len(), stage.numbers(|it| it.life == Life::Warmed).len()), (5, 2));
}

#[test]
fn instances_return_to_the_pool_where_they_are_reused() {
    let pool = WarmPool { state: PoolState::Stopped, min_size: 0, max_prepared: Some(4), reuse_on_scale_in: true };
    let mut stage = Stage::new(&Settings { warm_pool: Some(pool), ..settings(4) });
    stage.run_until(1);
    stage.group.set_desired_capacity(3, &mut stage.bench.cx());
    stage.run_until(10);
    assert_eq!(stage.numbers(|it| it.life == Life::Warmed && it.power == Power::Off).len(), 1);
    assert_eq!(stage.numbers(|_| true).len(), 4, "nobody else is launched for the pool");
}

#[test]
fn a_launching_hook_delays_service_and_abandons_what_nobody_completes() {
    let hook = |completes, continues| Hook { heartbeat_timeout: secs(200), heartbeats: None, continues, completes };
    // Running at 25 s; the hook is completed after 50 s, so in service at 75 s; the program answers at 135 s anyway.
    let mut stage = Stage::new(&Settings { launching_hook: Some(hook(Some(constant(150.0)), false)), ..settings(1) });
    stage.run_until(1);
    stage.fault(InstanceFault::Terminate, 1, true);
    stage.run_until(174);
    assert!(stage.answering().is_empty());
    stage.run_until(176);
    assert_eq!(stage.answering(), [2]);

    let mut abandoned = Stage::new(&Settings { launching_hook: Some(hook(None, false)), ..settings(1) });
    abandoned.run_until(1);
    abandoned.fault(InstanceFault::Terminate, 1, true);
    abandoned.run_until(231);
    assert_eq!(abandoned.numbers(|_| true), [3], "another is launched");
    let mut kept = Stage::new(&Settings { launching_hook: Some(hook(None, true)), ..settings(1) });
    kept.run_until(1);
    kept.fault(InstanceFault::Terminate, 1, true);
    kept.run_until(231);
    assert_eq!(kept.answering(), [2], "CONTINUE");
}

#[test]
fn heartbeats_prolong_a_hook_up_to_its_overall_limit() {
    // As above, but the action takes 500 s, longer than the timeout of 200 s: heartbeats every 150 s keep it waiting.
    let hook = |every| Hook {
        heartbeat_timeout: secs(200),
        heartbeats: Some(secs(every)),
        continues: false,
        completes: Some(constant(500.0)),
    };
    let run_to = |every, until| {
        let mut stage = Stage::new(&Settings { launching_hook: Some(hook(every)), ..settings(1) });
        stage.run_until(1);
        stage.fault(InstanceFault::Terminate, 1, true);
        stage.run_until(until);
        stage.numbers(|it| it.life == Life::InService)
    };
    assert!(run_to(150, 524).is_empty());
    assert_eq!(run_to(150, 526), [2]);
    assert!(run_to(250, 526).is_empty(), "heartbeats that come too late prolong nothing");
    let limits = |timeout: u64| Hook { heartbeat_timeout: secs(timeout), ..hook(1) }.longest();
    assert_eq!((limits(60), limits(3600)), (secs(6000), secs(48 * 3600)), "100 heartbeats, 48 hours");
}

#[test]
fn a_terminating_hook_keeps_an_instance_for_its_time() {
    let hook = Hook { heartbeat_timeout: secs(60), heartbeats: None, continues: true, completes: None };
    let mut stage = Stage::new(&Settings { terminating_hook: Some(hook), ..settings(2) });
    stage.run_until(1);
    stage.group.set_desired_capacity(1, &mut stage.bench.cx());
    stage.run_until(64);
    assert_eq!(stage.numbers(|_| true).len(), 2);
    stage.run_until(66);
    assert_eq!(stage.numbers(|_| true).len(), 1);
}

#[test]
fn termination_policies_choose_in_the_fullest_zone() {
    let who = |policies: &[TerminationPolicy]| {
        let mut stage = Stage::new(&Settings { termination_policies: policies.to_vec(), ..settings(5) });
        // Zones a and b have two each: 1 and 4, 2 and 5.
        stage.run_until(1);
        stage.group.set_desired_capacity(4, &mut stage.bench.cx());
        stage.run_until(6);
        let left = stage.numbers(|_| true);
        (1..=5).find(|number| !left.contains(number)).expect("one is gone")
    };
    assert_eq!(who(&[TerminationPolicy::OldestInstance]), 1);
    assert_eq!(who(&[TerminationPolicy::NewestInstance]), 5);
    assert_eq!(who(&[TerminationPolicy::Default]), 1);
    assert_eq!(who(&[TerminationPolicy::OldestLaunchTemplate, TerminationPolicy::NewestInstance]), 5);
}

#[test]
fn zones_are_evened_out_by_a_launch_before_a_termination() {
    let mut stage = Stage::new(&settings(4));
    stage.run_until(1);
    // Both of zone a are lost; the replacements go to zone a again, so take the imbalance from elsewhere: zone b and c's.
    let keys: Vec<TaskKey> = stage.group.order.clone();
    stage.group.instances[keys[1]].zone = 0;
    stage.group.instances[keys[2]].zone = 0;
    stage.run_until(6);
    assert_eq!(stage.numbers(|_| true).len(), 5, "one more than desired for a while");
    stage.run_until(1000);
    let mut zones = stage.zones();
    zones.sort_unstable();
    assert_eq!(zones, [0, 0, 1, 2]);
}

#[test]
fn retirement_one_after_the_other_with_deregistration_leaves_the_others_in_service() {
    let plan =
        Maintenance { at: SimTime::from_secs(10), kind: MaintenanceKind::Retirement, count: Some(2), deregister: true };
    let target_group = Some((AlbId(0), TargetGroupId(0)));
    let mut stage = Stage::new(&Settings { maintenance: vec![plan], target_group, ..settings(3) });
    stage.run_until(11);
    assert_eq!(stage.answering(), [2, 3]);
    // 30 s to stop, 20 s to start, 10 s to boot: then the next.
    stage.run_until(71);
    assert_eq!(stage.answering(), [1, 3]);
    stage.run_until(131);
    assert_eq!(stage.answering(), [1, 2, 3]);
    assert_eq!(stage.group.launched, 3, "nobody is replaced");
}

#[test]
fn a_change_of_type_gives_other_cores_and_credits() {
    let new = instance_type("t3.xlarge").expect("known");
    let account = Account { rates: new.credits.expect("burstable"), mode: Mode::Standard, at_start: 0.0 };
    let plan = Maintenance {
        at: SimTime::from_secs(10),
        kind: MaintenanceKind::InstanceType(new, Some(account)),
        count: None,
        deregister: false,
    };
    let mut stage = Stage::new(&Settings { maintenance: vec![plan], auto_scaling: false, ..settings(2) });
    stage.run_until(300);
    assert_eq!(stage.answering(), [1, 2]);
    let cores: Vec<f64> = stage.group.order.iter().map(|&key| stage.group.instances[key].process.vcpu()).collect();
    assert_eq!(cores, [4.0, 4.0]);
    assert!(stage.group.order.iter().all(|&key| stage.group.instances[key].credits.is_some()));
}

#[test]
fn an_instance_without_credits_works_at_its_baseline() {
    let (rates, vcpu) = rates("t3.micro");
    let account = Account { rates, mode: Mode::Standard, at_start: 0.0 };
    let mut starved = settings(1);
    starved.capacity.vcpu = vcpu;
    starved.instance_type = instance_type("t3.micro").expect("known");
    starved.credits = Some(account);
    let mut stage = Stage::new(&starved);
    stage.offer();
    // A second of CPU at 0.2 cores takes five.
    stage.run_until(4);
    assert!(stage.outcomes.is_empty());
    stage.run_until(6);
    assert_eq!(stage.outcomes, [Outcome::OK]);
}

#[test]
fn an_ending_program_finishes_what_it_has() {
    let mut stage = Stage::new(&settings(1));
    stage.run_until(4);
    stage.offer();
    stage.group.set_desired_capacity(0, &mut stage.bench.cx());
    stage.run_until(30);
    assert_eq!(stage.outcomes, [Outcome::OK]);
    assert!(stage.numbers(|_| true).is_empty());
}
