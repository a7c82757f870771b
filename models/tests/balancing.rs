//! The load balancer in front of a service, and scaling on what it publishes, against theory and documented arithmetic.

mod common;

use common::*;
use models::alb::{Algorithm, HealthCheck, TargetGroup, Targets};
use models::autoscaling::{Policy, PolicyKind, Target};
use models::cloudwatch::Statistic;
use models::deployment::{Deployment, Plan, Revision, Schedule, Strategy};
use models::ecs::StepAction;
use models::timeline::{Fault, FaultAction};
use models::*;
use sim_core::observations::{LogKind, Observations};
use sim_core::{SimDuration, SimTime};

fn group(name: &str, algorithm: Algorithm, checked: bool) -> TargetGroup {
    let health_check = HealthCheck { enabled: checked, ..HealthCheck::default() };
    TargetGroup { algorithm, health_check, ..TargetGroup::new(name, Targets::Ecs(EcsId(0))) }
}

/// Poisson traffic through a load balancer to a service.
fn balanced(rate: f64, duration: u64, algorithm: Algorithm, checked: bool, service: ecs::Settings) -> Architecture {
    let mut a = poisson(rate, Endpoint::Alb(AlbId(0)), secs(duration), SimDuration::ZERO);
    a.alb.push(alb::Settings::forwarding("front", vec![group("web", algorithm, checked)]));
    a.ecs.push(ecs::Settings { target_groups: vec![(AlbId(0), TargetGroupId(0))], ..service });
    a
}

fn counter(seen: &Observations, subject: &str, name: &str) -> f64 {
    let found = seen.counters.iter().find(|counter| counter.subject == subject && counter.name == name);
    found.unwrap_or_else(|| panic!("no counter {subject} {name}")).value
}

fn metric(seen: &Observations, name: &str) -> Vec<f64> {
    let found = seen.series.iter().find(|series| series.name == name);
    found.unwrap_or_else(|| panic!("no series {name}")).values.clone()
}

fn log(seen: &Observations, kind: LogKind) -> Vec<(f64, &str)> {
    let entries = seen.log.iter().filter(|entry| entry.kind == kind);
    entries.map(|entry| (entry.at.as_secs_f64(), entry.what.as_str())).collect()
}

#[test]
fn random_splits_into_single_queues_and_round_robin_into_better_ones() {
    // Two servers of 100/s, 140/s in all. Random: each is M/M/1, W = 1 / (100 - 70) s. Round robin: each is E2/M/1,
    // W = 1 / (100 (1 - sigma)) with sigma = (140 / (140 + 100 (1 - sigma)))^2 (GI/M/1, Kleinrock 1975, section 6.4).
    let mut sigma = 0.5f64;
    for _ in 0..200 {
        sigma = (140.0 / (140.0 + 100.0 * (1.0 - sigma))) * (140.0 / (140.0 + 100.0 * (1.0 - sigma)));
    }
    let w = |algorithm| {
        let web = service(2, 1, 1.0, vec![StepAction::Cpu(exponential(0.01))]);
        let mut a = balanced(140.0, 2000, algorithm, false, web);
        a.run.warm_up = secs(100);
        run(&a);
        mean_latency(&a, 10)
    };
    let (random, round_robin) = (w(Algorithm::WeightedRandom), w(Algorithm::RoundRobin));
    let (in_random, in_turn) = (1.0 / 30.0, 0.01 / (1.0 - sigma));
    assert!((random.0 - in_random).abs() <= random.1 && random.1 < 0.02 * in_random, "{random:?} {in_random}");
    assert!(
        (round_robin.0 - in_turn).abs() <= round_robin.1 && round_robin.1 < 0.02 * in_turn,
        "{round_robin:?} {in_turn}"
    );
    // Joining the shorter queue is better than either, and no better than one queue for both: M/M/2, W = 0.01 / (1 - 0.49) s.
    let (shorter, half_width) = w(Algorithm::LeastOutstandingRequests);
    assert!(shorter + half_width < round_robin.0 && shorter - half_width > 0.01 / (1.0 - 0.49), "{shorter}");
}

#[test]
fn a_slow_target_hurts_round_robin_and_least_outstanding_requests_avoids_it() {
    let p99 = |algorithm| {
        let web = service(4, 8, 8.0, vec![StepAction::Cpu(exponential(0.02))]);
        let mut a = balanced(600.0, 300, algorithm, true, web);
        a.faults.push(Fault {
            at: SimTime::from_secs(60),
            duration: secs(180),
            action: FaultAction::CpuStress { service: EcsId(0).into(), factor: 5.0, count: Some(1) },
            name: "aws:ecs:task-cpu-stress".into(),
            target: "ecs.web".into(),
            follows: false,
        });
        run(&a).routes[0].latency.quantile(0.99)
    };
    let (in_turn, least) = (p99(Algorithm::RoundRobin), p99(Algorithm::LeastOutstandingRequests));
    assert!(in_turn > 5.0 * least, "{in_turn} {least}");
}

#[test]
fn tasks_that_are_gone_cost_what_they_had_and_their_replacements_serve_after_one_good_check() {
    let web = service(6, 10, 10.0, vec![StepAction::Cpu(constant(0.1))]);
    let mut a = balanced(100.0, 300, Algorithm::RoundRobin, true, web);
    a.faults.push(Fault {
        at: SimTime::from_secs(100),
        duration: SimDuration::ZERO,
        action: FaultAction::StopTask { service: EcsId(0), zone: Some(0), count: None },
        name: "aws:ecs:stop-task".into(),
        target: "ecs.web".into(),
        follows: false,
    });
    let seen = run(&a);
    let failed = &seen.routes[0].failed;
    assert_eq!((failed.len(), failed[0].0.as_str()), (1, "task_stopped"));
    assert!((1..=12).contains(&failed[0].1), "{failed:?}");
    assert_eq!(counter(&seen, "alb.front", "HTTPCode_ELB_502_Count"), failed[0].1 as f64);
    // Noticed at 100 to 105 s, RUNNING 25 s later, first check up to 30 s after that.
    let healthy = log(&seen, LogKind::Health);
    assert_eq!(healthy.len(), 2, "{healthy:?}");
    assert!(healthy.iter().all(|entry| (125.0..=160.0).contains(&entry.0)), "{healthy:?}");
    let hosts = metric(&seen, "AWS/ApplicationELB HealthyHostCount alb.front/web");
    assert_eq!((hosts[0], hosts[4]), (6.0, 6.0));
    assert!(hosts[1] < 6.0 && hosts[1] > 4.0, "{hosts:?}");
}

#[test]
fn deployments_behind_a_load_balancer_lose_nothing() {
    for strategy in [Strategy::Rolling, Strategy::Shift(Plan::ecs(Schedule::AllAtOnce, false, secs(120), &[]))] {
        let web = service(4, 10, 10.0, vec![StepAction::Cpu(constant(0.1))]);
        let mut a = balanced(100.0, 900, Algorithm::LeastOutstandingRequests, true, web);
        a.alb[0].target_groups.push(group("green", Algorithm::LeastOutstandingRequests, true));
        a.ecs[0].target_groups.push((AlbId(0), TargetGroupId(1)));
        let revision = Revision { cpu_factor: 2.0, ..Revision::LIKE_BEFORE };
        a.deployments.push(Deployment::new(SimTime::from_secs(100), EcsId(0).into(), strategy.clone(), revision));
        let seen = run(&a);
        assert!(seen.routes[0].failed.is_empty(), "{strategy:?}: {:?}", seen.routes[0].failed);
        assert!(seen.log.iter().any(|entry| entry.what.contains("completed")), "{strategy:?}: {:#?}", seen.log);
        let green = seen.series.iter().find(|series| series.name == "AWS/ApplicationELB RequestCount alb.front/green");
        assert_eq!(green.is_some(), !matches!(strategy, Strategy::Rolling));
    }
}

/// Four tasks at 42 % of CPU, tracked by a metric of this resolution; at 300 s the load is half as much again, at 1500 s a third of that.
fn tracked(period: u64) -> Architecture {
    let web = service(4, 100, 1.0, vec![StepAction::Cpu(exponential(0.01))]);
    let mut a = balanced(160.0, 3600, Algorithm::RoundRobin, true, web);
    let models::client::Arrivals::Open { rate, .. } = &mut a.traffic[0].arrivals else { panic!() };
    let from = SimTime::from_secs;
    rate.points =
        vec![(from(0), 160.0), (from(300), 160.0), (from(300), 240.0), (from(1500), 240.0), (from(1500), 80.0)];
    a.scaling.targets.push(Target {
        id: Scalable::Ecs(EcsId(0)),
        name: "ecs.web".into(),
        desired: 4,
        min_capacity: 2,
        max_capacity: 6,
        steps: models::autoscaling::ANY_STEP,
    });
    a.scaling.policies.push(Policy {
        name: "cpu".into(),
        target: Scalable::Ecs(EcsId(0)),
        kind: PolicyKind::TargetTracking {
            metric: "AWS/ECS CPUUtilization ecs.web".into(),
            statistic: Statistic::Average,
            period: secs(period),
            target_value: 42.0,
            disable_scale_in: false,
            scale_out_datapoints: 3,
            scale_in_datapoints: 15,
            scale_in_threshold: 0.9,
        },
        scale_out_cooldown: secs(300),
        scale_in_cooldown: secs(300),
    });
    a.ecs[0].metric_resolution = secs(period);
    a
}

#[test]
fn target_tracking_answers_a_step_of_load_as_the_documented_chain_adds_up() {
    // Load steps at 300 s, a minute's start: alarm 240 s later, tasks RUNNING 25 s after the scheduler's next look, first good
    // check within 30 s: relief at 265 to 300 s after the step.
    let a = tracked(60);
    let seen = run(&a);
    // The chain, link by link: metric, alarm, decision, launch and boot, healthy, traffic.
    let cpu = metric(&seen, "AWS/ECS CPUUtilization ecs.web");
    assert!(cpu[4] < 42.0 && cpu[5..8].iter().all(|minute| *minute > 42.0), "{cpu:?}");
    let alarms = log(&seen, LogKind::Alarm);
    assert_eq!(alarms[0].0, 540.0, "{alarms:?}");
    assert!(
        alarms[0].1.starts_with("AlarmHigh of cpu: OK -> ALARM (CPUUtilization > 42 % in 3 of 3 minutes"),
        "{alarms:?}"
    );
    let decisions = log(&seen, LogKind::Scaling);
    assert_eq!(decisions[0].0, 540.0, "{decisions:?}");
    let boots: Vec<f64> = {
        let running = log(&seen, LogKind::Lifecycle).into_iter().filter(|entry| entry.1.contains("RUNNING"));
        running.map(|entry| entry.0).take(2).collect()
    };
    assert!(boots.len() == 2 && boots.iter().all(|at| (565.0..=575.0).contains(at)), "{boots:?}");
    let healthy: Vec<f64> = log(&seen, LogKind::Health).iter().map(|entry| entry.0).take(2).collect();
    assert!(healthy.iter().zip(&boots).all(|(healthy, boot)| healthy >= boot), "{healthy:?} after {boots:?}");
    let per_target = metric(&seen, "AWS/ApplicationELB RequestCountPerTarget alb.front/web");
    assert!(per_target[8] > 3500.0 && per_target[11] < 2600.0, "3600 of four, 2400 of six: {per_target:?}");
    let again = alarms.iter().find(|entry| entry.1.contains("AlarmHigh of cpu: ALARM -> OK"));
    assert!(again.is_some_and(|entry| entry.0 > 600.0 && entry.0 <= 720.0), "{alarms:?}");
    assert!(decisions[0].1.starts_with("desired 4 -> 6 by cpu: CPUUtilization 6"), "{decisions:?}");
    // Scale-in: low from 1500 s on, fifteen minutes and the delay.
    assert_eq!(decisions[1].0, 1500.0 + 16.0 * 60.0, "{decisions:?}");
    assert!(decisions[1].1.starts_with("desired 6 -> 2 by cpu"), "{decisions:?}");
    assert_eq!(decisions.len(), 2, "{decisions:?}");
    assert!((cpu[20] - 40.0).abs() < 3.0 && (cpu[55] - 40.0).abs() < 3.0, "{cpu:?}");
    let relieved = log(&seen, LogKind::Health);
    assert!(relieved.iter().all(|entry| (565.0..=600.0).contains(&entry.0)) && relieved.len() == 2, "{relieved:?}");
}

#[test]
fn with_metrics_of_20_s_relief_comes_after_95_to_125_s() {
    // Three points of 20 s and 10 s until they are known, 25 s of launch after the scheduler's next look, and up to 30 s to the first good check.
    let seen = run(&tracked(20));
    let decisions = log(&seen, LogKind::Scaling);
    assert_eq!(decisions[0].0, 370.0, "{decisions:?}");
    assert!(decisions[0].1.starts_with("desired 4 -> 6 by cpu"), "{decisions:?}");
    let relieved: Vec<f64> = log(&seen, LogKind::Health).iter().map(|entry| entry.0 - 300.0).take(2).collect();
    // The scheduler looks every 5 s.
    assert!(relieved.len() == 2 && relieved.iter().all(|after| (95.0..=130.0).contains(after)), "{relieved:?}");
}

#[test]
fn a_client_follows_a_redirect_for_a_round_trip_more() {
    let mut a =
        balanced(50.0, 60, Algorithm::RoundRobin, false, service(2, 10, 10.0, vec![StepAction::Cpu(constant(0.01))]));
    a.paths.push("/new".into());
    a.ecs[0].handler_of_path = vec![0, 0];
    a.traffic[0].rtt = SimDuration::from_millis(40);
    let front = &mut a.alb[0];
    front.rules.insert(0, alb::Rule::any(alb::Action::Redirect { status: 301, path: PathId(1) }));
    (front.ways, front.way_of_path) = (vec![vec![0], vec![1]], vec![0, 1]);
    let seen = run(&a);
    let latency = &seen.routes[0].latency;
    assert!((latency.mean() - 0.09).abs() < 0.001, "two round trips and 10 ms: {}", latency.mean());
    assert!(seen.routes[0].failed.is_empty());
    let redirected = counter(&seen, "alb.front", "HTTP_Redirect_Count");
    assert!((redirected - counter(&seen, "alb.front", "RequestCount")).abs() <= 4.0 && redirected > 2500.0);
    assert_eq!(seen.routes[0].attempts, seen.routes[0].started);
}

#[test]
fn a_zone_whose_packets_are_lost_times_out_until_its_targets_are_found_unhealthy() {
    let web = service(6, 10, 10.0, vec![StepAction::Cpu(constant(0.01))]);
    let mut a = balanced(100.0, 400, Algorithm::RoundRobin, true, web);
    a.ecs[0].health_check_grace_period = secs(10_000);
    a.faults.push(Fault {
        at: SimTime::from_secs(100),
        duration: secs(200),
        action: FaultAction::Blackhole { service: EcsId(0).into(), zone: Some(1) },
        name: "aws:ecs:task-network-blackhole-port".into(),
        target: "ecs.web".into(),
        follows: false,
    });
    let seen = run(&a);
    let failed = &seen.routes[0].failed;
    assert_eq!((failed.len(), failed[0].0.as_str()), (1, "connect_timeout"));
    // Two of six targets, unhealthy 35 to 65 s after the packets are lost: a third of 100/s for as long.
    assert!((1166..=2167).contains(&failed[0].1), "{failed:?}");
    assert_eq!(counter(&seen, "alb.front", "HTTPCode_ELB_504_Count"), failed[0].1 as f64);
    assert_eq!(counter(&seen, "alb.front", "TargetConnectionErrorCount"), failed[0].1 as f64);
    assert_eq!(seen.routes[0].latency_failed.quantile(0.5).round(), 10.0);
}
