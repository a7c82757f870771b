//! The life of ECS tasks: memory, container health checks, images, failing launches, service discovery.

mod common;

use common::*;
use models::compute::Memory;
use models::deployment::{Deployment, Revision, Strategy};
use models::ecs::{Call, ContainerCheck, ContainerInstances, Placement, StepAction};
use models::request::Method;
use models::timeline::{Fault, FaultAction, InstanceFault};
use models::*;
use sim_core::observations::{Observations, SeriesGroup};
use sim_core::{SimDuration, SimTime};

fn at(log: &Observations, what: &str) -> Option<f64> {
    log.log.iter().find(|entry| entry.what.contains(what)).map(|entry| entry.at.as_secs_f64())
}

fn count(log: &Observations, what: &str) -> usize {
    log.log.iter().filter(|entry| entry.what.contains(what)).count()
}

fn metric(seen: &Observations, name: &str) -> Vec<f64> {
    let fits = |series: &&sim_core::observations::Series| series.group == SeriesGroup::Metric && series.name == name;
    seen.series.iter().find(fits).unwrap_or_else(|| panic!("no metric {name}")).values.clone()
}

fn stop_one(second: u64) -> Fault {
    Fault {
        at: SimTime::from_secs(second),
        duration: SimDuration::ZERO,
        action: FaultAction::StopTask { service: EcsId(0), zone: None, count: Some(1) },
        name: "aws:ecs:stop-task".into(),
        target: "ecs.web".into(),
        follows: false,
    }
}

const MB: f64 = 1_048_576.0;

#[test]
fn a_leaking_task_is_killed_when_its_memory_is_used_up_and_replaced() {
    // 100 MB free, 1 MB a request, 10 requests a second of 1 ms: killed after about ten seconds, replaced 30 s later.
    let mut a = poisson(10.0, Endpoint::Ecs(EcsId(0)), secs(300), SimDuration::ZERO);
    a.ecs.push(service(1, 10, 10.0, vec![StepAction::Cpu(constant(0.001))]));
    a.ecs[0].task.memory = Some(Memory { limit: 200.0 * MB, base: 100.0 * MB, per_request: 0.0, leak_per_request: MB });
    let seen = run(&a);
    let first = at(&seen, "is out of memory and killed").expect("a kill");
    assert!((7.0..14.0).contains(&first), "{first}");
    let kills = count(&seen, "is out of memory and killed");
    assert!((6..=9).contains(&kills), "about every 38 s of 300: {kills}");
    let counted = seen.counters.iter().find(|it| it.name == "OutOfMemoryKills").expect("a counter").value;
    assert_eq!(counted, kills as f64);
    let used = metric(&seen, "AWS/ECS MemoryUtilization ecs.web");
    assert!(used.iter().filter(|it| it.is_finite()).all(|it| (50.0..=100.0).contains(it)), "{used:?}");
}

#[test]
fn requests_that_pile_up_use_up_memory_and_those_that_leave_give_it_back() {
    let busy = |per_request: f64| {
        let mut a = poisson(50.0, Endpoint::Ecs(EcsId(0)), secs(120), SimDuration::ZERO);
        a.ecs.push(service(1, 100, 1.0, vec![StepAction::Wait(constant(1.0))]));
        a.ecs[0].task.memory = Some(Memory { limit: 200.0 * MB, base: 100.0 * MB, per_request, leak_per_request: 0.0 });
        count(&run(&a), "is out of memory and killed")
    };
    // About 50 are inside at once: 50 MB of 100 are fine for good, 200 are not.
    assert_eq!(busy(MB), 0);
    assert!(busy(4.0 * MB) > 0);
}

#[test]
fn a_container_is_unhealthy_after_its_retries_beyond_the_start_period_and_replaced() {
    let run_with = |start_period: u64, startup: f64| {
        let mut a = poisson(1.0, Endpoint::Ecs(EcsId(0)), secs(600), SimDuration::ZERO);
        a.ecs.push(service(1, 10, 10.0, vec![StepAction::Cpu(constant(0.001))]));
        a.ecs[0].startup_time = constant(startup);
        a.ecs[0].container_check =
            Some(ContainerCheck { interval: secs(10), timeout: secs(5), retries: 3, start_period: secs(start_period) });
        a.faults.push(stop_one(51));
        run(&a)
    };
    // RUNNING at 55 + 25 = 80 s, checks at 90, 100 and 110 s fail as it answers at 180 s only: again and again.
    let doomed = run_with(0, 100.0);
    assert_eq!(at(&doomed, "UNHEALTHY"), Some(110.0));
    assert!(count(&doomed, "UNHEALTHY") >= 4, "{}", count(&doomed, "UNHEALTHY"));
    assert_eq!(count(&doomed, "its container is HEALTHY"), 0);
    // With a start period it has its time.
    let patient = run_with(120, 95.0);
    assert_eq!(count(&patient, "UNHEALTHY"), 0);
    assert_eq!(at(&patient, "its container is HEALTHY"), Some(180.0), "it answers at 175 s");
}

#[test]
fn an_overloaded_container_fails_its_checks_by_their_timeout() {
    // One worker, busy for a minute with each request.
    let mut a = poisson(1.0, Endpoint::Ecs(EcsId(0)), secs(120), SimDuration::ZERO);
    a.ecs.push(service(1, 1, 1.0, vec![StepAction::Wait(constant(60.0))]));
    a.ecs[0].container_check =
        Some(ContainerCheck { interval: secs(10), timeout: secs(5), retries: 3, start_period: SimDuration::ZERO });
    let seen = run(&a);
    assert_eq!(at(&seen, "UNHEALTHY"), Some(35.0), "checks of 10, 20 and 30 s and 5 s each");
}

#[test]
fn a_large_image_makes_a_launch_longer_by_what_is_beyond_50_mb() {
    let running = |image_bytes: f64| {
        let mut a = poisson(1.0, Endpoint::Ecs(EcsId(0)), secs(200), SimDuration::ZERO);
        a.ecs.push(service(1, 10, 10.0, vec![StepAction::Cpu(constant(0.001))]));
        a.ecs[0].image_bytes = image_bytes;
        a.faults.push(stop_one(51));
        let seen = run(&a);
        (at(&seen, ": PROVISIONING"), at(&seen, "PENDING"), at(&seen, "RUNNING"))
    };
    // The scheduler looks at 55 s.
    assert_eq!(running(20e6), (Some(55.0), Some(65.0), Some(80.0)));
    // 300e6 bytes beyond 50 MB, at 15e6 a second, are 20 s more.
    assert_eq!(running(50.0 * 1024.0 * 1024.0 + 300e6), (Some(55.0), Some(65.0), Some(100.0)));
}

#[test]
fn launches_that_fail_are_tried_again_ever_more_rarely_until_one_runs() {
    let mut a = poisson(1.0, Endpoint::Ecs(EcsId(0)), secs(900), SimDuration::ZERO);
    a.ecs.push(service(2, 10, 10.0, vec![StepAction::Cpu(constant(0.001))]));
    a.faults.push(Fault {
        at: SimTime::from_secs(40),
        duration: secs(300),
        action: FaultAction::LaunchFailure { service: EcsId(0) },
        name: "stormglass:launch-failure".into(),
        target: "ecs.web".into(),
        follows: false,
    });
    a.faults.push(stop_one(51));
    let seen = run(&a);
    let stopped: Vec<f64> = seen
        .log
        .iter()
        .filter(|entry| entry.what.contains("CannotPullContainerError"))
        .map(|entry| entry.at.as_secs_f64())
        .collect();
    // Launched at 55 s, stopped at 80; 10 s later again, at 115; then after 20, 40, 80 and 160 s.
    assert_eq!(stopped, [80.0, 115.0, 160.0, 225.0, 330.0]);
    assert_eq!(at(&seen, "RUNNING"), Some(515.0), "launched after 160 s more");
}

#[test]
fn tasks_that_exit_as_they_start_hold_launches_back_and_running_ones_never_do() {
    let mut a = poisson(1.0, Endpoint::Ecs(EcsId(0)), secs(400), SimDuration::ZERO);
    a.ecs.push(service(2, 10, 10.0, vec![StepAction::Cpu(constant(0.001))]));
    let revision = Revision { crash_on_start: 1.0, ..Revision::LIKE_BEFORE };
    a.deployments.push(Deployment::new(SimTime::from_secs(52), EcsId(0).into(), Strategy::Rolling, revision));
    let seen = run(&a);
    let exits: Vec<f64> =
        seen.log.iter().filter(|it| it.what.contains("exits as it starts")).map(|it| it.at.as_secs_f64()).collect();
    // Two are launched at 55 s and exit 25 s later; the next two after 10, 20, 40 and 80 s at the scheduler's next look.
    assert_eq!(exits, [80.0, 80.0, 115.0, 115.0, 160.0, 160.0, 225.0, 225.0, 330.0, 330.0]);
    assert_eq!(count(&seen, "task 3: DEPROVISIONING, STOPPED"), 1);
}

#[test]
fn callers_that_remember_addresses_ask_a_task_that_is_gone_until_the_ttl_is_over() {
    let failures = |ttl: Option<u64>| {
        let call = Call {
            to: Endpoint::Ecs(EcsId(1)),
            operation: 0,
            path: PathId(0),
            method: Method::Get,
            probability: 1.0,
            timeout: Some(secs(1)),
            retry: client::Retry::NEVER,
            rtt: SimDuration::ZERO,
            required: true,
        };
        let mut a = poisson(100.0, Endpoint::Ecs(EcsId(0)), secs(300), SimDuration::ZERO);
        a.ecs.push(service(1, 1000, 1000.0, vec![StepAction::Calls(vec![call])]));
        let behind = service(4, 10, 10.0, vec![StepAction::Cpu(constant(0.001))]);
        a.ecs.push(ecs::Settings { name: "behind".into(), discovery_ttl: ttl.map(secs), ..behind });
        let action = FaultAction::StopTask { service: EcsId(1), zone: None, count: Some(1) };
        a.faults.push(Fault { action, ..stop_one(130) });
        let seen = run(&a);
        let failed: Vec<(String, u64)> =
            seen.routes[0].failed.iter().map(|(cause, n)| ((*cause).to_string(), *n)).collect();
        failed
    };
    assert_eq!(failures(None), []);
    // Answers of 0, 60, 120... s: a quarter of the calls between 130 and 180 s go nowhere.
    let failed = failures(Some(60));
    assert_eq!(failed[0].0, "call_timeout");
    let lost = failed[0].1 as f64;
    assert!((lost - 0.25 * 50.0 * 100.0).abs() < 130.0, "{lost}");
}

/// Six tasks of 1 vCPU on three instances of 4, which one of is struck at 51 s.
fn on_instances(strategies: &[Placement], fault: InstanceFault, duration: u64) -> Observations {
    let mut a = poisson(100.0, Endpoint::Ecs(EcsId(0)), secs(300), SimDuration::ZERO);
    a.ecs.push(service(6, 10, 1.0, vec![StepAction::Cpu(constant(0.001))]));
    a.ecs[0].container_instances = Some(ContainerInstances {
        count: 3,
        vcpu: 4.0,
        memory: 8e9,
        instance_type: String::new(),
        strategies: strategies.to_vec(),
        managed: None,
    });
    a.ecs[0].launch_time = constant(10.0);
    a.ecs[0].image_bytes = 150e6;
    a.faults.push(Fault {
        at: SimTime::from_secs(51),
        duration: secs(duration),
        action: FaultAction::Instances { of: EcsId(0).into(), zone: None, count: Some(1), fault },
        name: "fault".into(),
        target: "ecs.web".into(),
        follows: false,
    });
    run(&a)
}

fn running(seen: &Observations) -> Vec<f64> {
    let fits = |series: &&sim_core::observations::Series| series.name == "ecs.web rev 0";
    seen.series.iter().find(fits).expect("tasks").values.clone()
}

fn fewest(seen: &Observations) -> f64 {
    running(seen).into_iter().fold(f64::INFINITY, f64::min)
}

#[test]
fn an_instance_that_is_lost_takes_its_tasks_with_it_more_of_them_where_they_are_packed() {
    let spread = on_instances(&[Placement::SpreadInstance], InstanceFault::Terminate, 0);
    assert_eq!(fewest(&spread), 4.0);
    let packed = on_instances(&[Placement::BinpackCpu], InstanceFault::Terminate, 0);
    assert_eq!(fewest(&packed), 2.0);
    // Launched at 55 s: 10 s on an instance that has the image, 10 s more where it has to be pulled.
    assert_eq!(at(&spread, "RUNNING"), Some(65.0));
    assert_eq!(at(&packed, "RUNNING"), Some(65.0));
    let last = packed.log.iter().filter(|entry| entry.what.contains("RUNNING")).map(|it| it.at.as_secs_f64());
    assert_eq!(last.fold(0.0, f64::max), 75.0, "those on the instance that was empty");
    assert_eq!(running(&packed).last(), Some(&6.0));
}

#[test]
fn tasks_of_a_drained_instance_are_replaced_before_they_stop() {
    let seen = on_instances(&[Placement::SpreadInstance], InstanceFault::Drain, 200);
    assert!(seen.routes[0].failed.is_empty(), "{:?}", seen.routes[0].failed);
    assert_eq!(fewest(&seen), 6.0);
    assert_eq!(running(&seen).last(), Some(&6.0));
    assert!(at(&seen, "is drained, with 2 tasks").is_some());
}

#[test]
fn without_room_tasks_wait_until_an_instance_is_back() {
    let mut a = poisson(10.0, Endpoint::Ecs(EcsId(0)), secs(300), SimDuration::ZERO);
    a.ecs.push(service(4, 10, 1.0, vec![StepAction::Cpu(constant(0.001))]));
    let strategies = vec![Placement::SpreadInstance];
    a.ecs[0].container_instances = Some(ContainerInstances {
        count: 2,
        vcpu: 2.0,
        memory: 8e9,
        instance_type: String::new(),
        strategies,
        managed: None,
    });
    a.faults.push(Fault {
        at: SimTime::from_secs(51),
        duration: secs(100),
        action: FaultAction::Instances { of: EcsId(0).into(), zone: None, count: Some(1), fault: InstanceFault::Stop },
        name: "fault".into(),
        target: "ecs.web".into(),
        follows: false,
    });
    let seen = run(&a);
    assert!(at(&seen, "no container instance has room").is_some());
    assert_eq!(at(&seen, "RUNNING"), Some(180.0), "back at 151 s, seen at 155 s, 25 s to launch");
    assert_eq!(running(&seen).last(), Some(&4.0));
}
