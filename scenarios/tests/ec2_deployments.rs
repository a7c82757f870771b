//! CodeDeploy on EC2 as a user writes it, against the documented arithmetic.

mod common;

use common::{counter, failed, simulated, time, times};
use scenarios::Scenario;
use sim_core::observations::{Observations, Part};

/// Nine instances behind a load balancer. On each a deployment takes 10 s to download, 5 s to install and 2 s until the
/// application answers; the first health check comes within 10 s.
const GROUP: &str = r#"
title = "deployments to instances"
[run]
duration = "30m"
replications = 1
seed = 7
[[traffic]]
name = "users"
to = "alb.front"
rate = "50/s"
[alb.front]
[alb.front.target_group.web]
targets = "ec2.web"
health_check = { interval = "10s", timeout = "5s" }
[ec2.web]
instance_type = "m5.large"
desired_capacity = 9
launch_time = "20s"
boot_time = "2s"
[[ec2.web.handler]]
steps = [{ cpu = "10ms" }]
"#;

fn loaded(more: &str, set: &[&str]) -> Scenario {
    common::loaded(&format!("{GROUP}\n{more}"), set)
}

fn run(more: &str, set: &[&str]) -> Observations {
    let scenario = loaded(more, set);
    simulated(&scenario, scenario.seed)
}

#[track_caller]
fn refused(more: &str, set: &[&str], what: &str) {
    common::refused(&format!("{GROUP}\n{more}"), set, &[what]);
}

fn deploy(more: &str) -> String {
    format!("[[deploy]]\nservice = \"ec2.web\"\nat = \"60s\"\n{more}\n")
}

fn total(seen: &Observations, name: &str) -> f64 {
    counter(seen, "deployments", name)
}

/// Instances that ran a revision at the end.
fn last(seen: &Observations, revision: u32) -> f64 {
    let name = format!("ec2.web rev {revision}");
    let series = seen.series.iter().find(|series| series.name == name).unwrap_or_else(|| panic!("{name}"));
    *series.values.last().expect("values")
}

// ---------------------------------------------------------------- in place

#[test]
fn nine_instances_are_deployed_to_as_many_at_a_time_as_the_configuration_says() {
    // Fact sheet, section 16.2.
    for (strategy, at_a_time) in [
        ("", 1),
        ("strategy = \"one_at_a_time\"", 1),
        ("strategy = \"half_at_a_time\"", 4),
        ("strategy = \"all_at_once\"", 9),
        ("strategy = \"minimum_healthy_hosts\"\nminimum_healthy_hosts = \"40%\"", 5),
        ("strategy = \"minimum_healthy_hosts\"\nminimum_healthy_hosts = 6", 3),
    ] {
        let seen = run(&deploy(strategy), &[]);
        let first = times(&seen, "BlockTraffic on instance").iter().filter(|at| **at < 5.0).count();
        assert_eq!(first, at_a_time, "{strategy}");
        assert_eq!(times(&seen, &format!("deploys to 9 instances, {at_a_time} at a time")).len(), 1, "{strategy}");
        assert_eq!(total(&seen, "in_service_minimum"), 9.0 - at_a_time as f64, "{strategy}");
        assert_eq!((total(&seen, "completed"), total(&seen, "failed_instances")), (1.0, 0.0), "{strategy}");
        assert_eq!((last(&seen, 0), last(&seen, 1)), (0.0, 9.0), "{strategy}");
        // Each instance takes 10 + 5 + 2 s, and up to 10 s until it is healthy again; all within so many waves.
        let waves = 9usize.div_ceil(at_a_time) as f64;
        let took = total(&seen, "duration_s");
        assert!((17.0 * waves..=27.1 * waves).contains(&took), "{strategy}: {took}");
        if at_a_time < 9 {
            assert_eq!(failed(&seen), 0, "{strategy}");
        }
        assert!(total(&seen, "extra_task_hours").abs() < 1e-9, "{strategy}");
    }
}

#[test]
fn lifecycle_events_on_an_instance_come_in_their_order_and_take_their_time() {
    let hooks = ["ApplicationStop", "AfterInstall", "ApplicationStart", "ValidateService"];
    let hooks: Vec<String> =
        hooks.iter().map(|stage| format!("{{ stage = \"{stage}\", duration = \"7s\" }}")).collect();
    let text = deploy(&format!("hooks = [{}]\nrevision = {{ startup_time = \"20s\" }}", hooks.join(", ")));
    let seen = run(&text, &[]);
    let first = |stage: &str| times(&seen, &format!(": {stage} on instance 1"))[0];
    let at = ["ApplicationStop", "DownloadBundle", "Install", "AfterInstall", "ApplicationStart", "ValidateService"]
        .map(first);
    let gaps: Vec<f64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, expected) in gaps.iter().zip([7.0, 10.0, 5.0, 7.0, 7.0 + 20.0]) {
        assert!((gap - expected).abs() < 0.1, "{gaps:?}");
    }
    assert!((first("AllowTraffic") - at[5] - 7.0).abs() < 1e-6);
}

#[test]
fn without_traffic_control_what_comes_for_a_stopped_application_fails() {
    let without = |more: &str| deploy(&format!("deployment_option = \"WITHOUT_TRAFFIC_CONTROL\"\n{more}"));
    let seen = run(&without(""), &[]);
    // 17 s on each of nine instances, one after the other, of 50 requests a second a ninth; unhealthy after two checks of 10 s.
    let (lost, expected) = (failed(&seen) as f64, 17.0 * 50.0);
    assert!((lost - expected).abs() < 5.0 * expected.sqrt() + 20.0, "{lost}");
    assert!(times(&seen, "BlockTraffic").is_empty());
    assert_eq!(total(&seen, "completed"), 1.0);
    // All at once everything fails for as long.
    let seen = run(&without("strategy = \"all_at_once\""), &[]);
    let lost = failed(&seen) as f64;
    assert!((lost - expected).abs() < 5.0 * expected.sqrt() + 20.0, "{lost}");
    assert_eq!(total(&seen, "in_service_minimum"), 0.0);
    assert!((total(&seen, "duration_s") - 17.0).abs() < 0.1);
}

#[test]
fn one_at_a_time_fails_with_the_first_instance_but_succeeds_if_only_the_last_fails() {
    let scenario =
        loaded(&deploy("revision = { crash_on_start = \"12%\" }\nrollback = false"), &["traffic.0.rate=1/s"]);
    let (mut good, mut last_only, mut bad) = (0, 0, 0);
    for seed in 0..60 {
        let seen = simulated(&scenario, seed);
        let started = times(&seen, ": ApplicationStop on instance").len();
        let crashed = times(&seen, "the application exits as it starts").len();
        assert_eq!(total(&seen, "failed_instances"), crashed as f64);
        match (total(&seen, "completed") as u32, crashed, started) {
            (1, 0, 9) => good += 1,
            (1, 1, 9) => last_only += 1,
            (0, 1, 1..=8) => bad += 1,
            other => panic!("seed {seed}: {other:?} {:#?}", seen.log),
        }
    }
    // 0.88^9 = 32 %, 0.88^8 x 0.12 = 4 %, the rest.
    assert!(good > 8 && last_only > 0 && bad > 20, "{good} {last_only} {bad}");
}

#[test]
fn half_at_a_time_of_9_succeeds_with_5_and_all_at_once_with_one() {
    for (strategy, needed) in [("half_at_a_time", 5), ("all_at_once", 1)] {
        let text =
            deploy(&format!("strategy = \"{strategy}\"\nrevision = {{ crash_on_start = \"40%\" }}\nrollback = false"));
        let scenario = loaded(&text, &["traffic.0.rate=1/s"]);
        let mut seen_both = [0, 0];
        for seed in 0..60 {
            let seen = simulated(&scenario, seed);
            let started = times(&seen, ": ApplicationStop on instance").len();
            let crashed = times(&seen, "the application exits as it starts").len();
            let completed = total(&seen, "completed") == 1.0;
            assert_eq!(completed, started == 9 && started - crashed >= needed, "{strategy}, seed {seed}");
            if strategy == "half_at_a_time" && !completed {
                // It stopped when one more would have left fewer than five healthy.
                assert_eq!(crashed, 4, "seed {seed}");
            }
            seen_both[usize::from(completed)] += 1;
        }
        assert!(seen_both[1] > 0 && (needed == 1 || seen_both[0] > 10), "{strategy} {seen_both:?}");
    }
    let none =
        run(&deploy("strategy = \"all_at_once\"\nrevision = { crash_on_start = \"100%\" }\nrollback = false"), &[]);
    assert_eq!(times(&none, "failed: it succeeded on 0 of 9 instances").len(), 1);
    assert_eq!((total(&none, "failed"), total(&none, "failed_instances")), (1.0, 9.0));
}

#[test]
fn a_minimum_of_all_instances_fails_at_once_and_is_warned_of() {
    let stuck = deploy("strategy = \"minimum_healthy_hosts\"\nminimum_healthy_hosts = 9\nrollback = false");
    assert!(loaded(&stuck, &[]).warnings.iter().any(|it| it.contains("9 of 9 instances must stay healthy")));
    let seen = run(&stuck, &[]);
    assert_eq!(time(&seen, "failed: too few healthy instances: 9 of 9, at least 9 must be left"), 0.0);
    assert_eq!((failed(&seen), last(&seen, 1)), (0, 0.0));
}

#[test]
fn a_failed_script_stops_the_deployment_and_the_revision_before_is_deployed_again_failed_instances_first() {
    let bad = "hooks = [{ stage = \"ValidateService\", duration = \"5s\", test_requests = 200, max_error_rate = \"1%\" }]\n\
               revision = { error_rate = \"20%\" }";
    let seen = run(&deploy(bad), &[]);
    assert_eq!(times(&seen, "ValidateService failed on instance 1").len(), 1);
    assert_eq!((total(&seen, "rolled_back"), total(&seen, "failed_instances")), (1.0, 1.0));
    // The instance it failed on had no traffic: nobody was served by the bad revision.
    assert_eq!((total(&seen, "new_revision_requests"), failed(&seen)), (0.0, 0));
    assert_eq!((last(&seen, 0), last(&seen, 1)), (9.0, 0.0));
    // All instances again, the failed one first: it is waited for as one that is missing anyway.
    let back: Vec<f64> = times(&seen, ": BlockTraffic on instance 1");
    assert_eq!(back.len(), 2, "{back:?}");
    assert!(back[1] >= 22.0 && back[1] < 40.0);
    assert_eq!(total(&seen, "in_service_minimum"), 8.0);
    let without = run(&deploy(&format!("rollback = false\n{bad}")), &[]);
    assert_eq!((total(&without, "rolled_back"), last(&without, 0), last(&without, 1)), (0.0, 8.0, 1.0));
}

#[test]
fn an_alarm_stops_a_deployment_in_its_course_and_undoes_it_at_its_pace() {
    let alarm = "alarms = [{ alarm_name = \"errors\", metric_name = \"ErrorRate\", threshold = 1 }]\n";
    let seen = run(&deploy(&format!("{alarm}revision = {{ error_rate = \"30%\" }}")), &[]);
    assert_eq!(times(&seen, "ends with the instances under way: alarm errors").len(), 1);
    let at = time(&seen, "failed: alarm errors");
    let reached = times(&seen, ": AllowTraffic on instance").iter().filter(|it| **it <= at).count();
    assert!((3..9).contains(&reached), "{reached} by {at}");
    assert_eq!((total(&seen, "rolled_back"), last(&seen, 0), last(&seen, 1)), (1.0, 9.0, 0.0));
    // Undone at the same pace, on all nine.
    let undoing = total(&seen, "duration_s") - at;
    assert!((9.0 * 17.0..=9.0 * 27.1).contains(&undoing), "{undoing}");
    assert_eq!(total(&seen, "new_revision_errors") as u64, failed(&seen));
}

#[test]
fn somebody_can_stop_a_deployment() {
    let seen = run(&deploy("stop_after = \"70s\"\nrollback = false"), &[]);
    assert_eq!(times(&seen, "ends with the instances under way: somebody stopped it").len(), 1);
    assert_eq!((total(&seen, "failed"), total(&seen, "rolled_back"), total(&seen, "completed")), (1.0, 0.0, 0.0));
    assert!((70.0..=98.0).contains(&time(&seen, "failed: somebody stopped it")));
    let (old, new) = (last(&seen, 0), last(&seen, 1));
    assert!(old + new == 9.0 && (3.0..=5.0).contains(&new), "{old} {new}");
    let undone = run(&deploy("stop_after = \"70s\""), &[]);
    assert_eq!((total(&undone, "rolled_back"), last(&undone, 0)), (1.0, 9.0));
}

#[test]
fn instances_launched_meanwhile_follow_and_a_second_deployment_is_refused() {
    let fault = "[[fault]]\nat = \"100s\"\naction = \"terminate-instances\"\ntarget = \"ec2.web\"\ncount = 2\n";
    let action = fault.replace("terminate-instances", "aws:ec2:terminate-instances");
    let second = "[[deploy]]\nservice = \"ec2.web\"\nat = \"90s\"\n";
    let seen = run(&format!("{}{action}{second}", deploy("strategy = \"half_at_a_time\"")), &[]);
    assert_eq!(times(&seen, "another is under way").len(), 1);
    assert_eq!((total(&seen, "begun"), total(&seen, "completed"), total(&seen, "failed")), (2.0, 1.0, 1.0));
    assert_eq!((last(&seen, 0), last(&seen, 1)), (0.0, 9.0));
}

// ---------------------------------------------------------------- blue/green

const BLUE_GREEN: &str = "deployment_type = \"BLUE_GREEN\"\nstrategy = \"all_at_once\"\n";

#[test]
fn blue_green_copies_the_group_reroutes_and_ends_the_originals_after_their_wait() {
    let seen = run(&deploy(&format!("{BLUE_GREEN}termination_wait = \"5m\"")), &[]);
    assert_eq!(times(&seen, "is launched in the copied group").len(), 9);
    let order =
        ["the group is copied", "installs on 9", "gives traffic to 9", "takes traffic from 9", "wait for their end"];
    let at = order.map(|what| time(&seen, what));
    assert!(at.is_sorted(), "{at:?}");
    // 20 s launch, 2 s boot, 17 s on each, all at the same time, and up to 10 s until healthy.
    assert!((at[1] - 22.0).abs() < 0.1 && (at[2] - 39.0).abs() < 0.1 && at[3] - at[2] <= 10.1, "{at:?}");
    let took = total(&seen, "duration_s");
    assert!((took - at[4] - 300.0).abs() < 1e-6, "{took}");
    assert_eq!((total(&seen, "in_service_minimum"), failed(&seen)), (9.0, 0));
    assert_eq!((last(&seen, 0), last(&seen, 1)), (0.0, 9.0));
    // Nine instances more for as long as it took.
    assert!((total(&seen, "extra_task_hours") - 9.0 * took / 3600.0).abs() < 0.01);
    // They are paid for from when they are running.
    let paid = seen.usage.iter().filter(|it| it.subject == "ec2.web" && it.part == Part::Deployment);
    let (paid, expected) = (paid.map(|it| it.quantity).sum::<f64>(), 9.0 * (took - 20.0) / 3600.0);
    assert!((paid - expected).abs() < 0.01, "{paid} {expected}");
}

#[test]
fn blue_green_reroutes_to_as_many_at_a_time_as_the_configuration_says() {
    let seen =
        run(&deploy("deployment_type = \"BLUE_GREEN\"\nstrategy = \"half_at_a_time\"\ntermination_wait = \"1m\""), &[]);
    assert_eq!(times(&seen, "gives traffic to 9 instances, 4 at a time").len(), 1);
    assert_eq!(times(&seen, "takes traffic from 9 instances, 9 at a time").len(), 1);
    assert_eq!((total(&seen, "completed"), failed(&seen)), (1.0, 0));
}

#[test]
fn originals_that_are_kept_alive_stay_without_traffic() {
    let seen = run(&deploy(&format!("{BLUE_GREEN}original_instances = \"KEEP_ALIVE\"")), &[]);
    assert_eq!((total(&seen, "completed"), failed(&seen)), (1.0, 0));
    assert_eq!((last(&seen, 0), last(&seen, 1)), (9.0, 9.0));
    assert!(total(&seen, "duration_s") < 60.0);
}

#[test]
fn an_alarm_during_the_termination_wait_gives_the_originals_their_traffic_back() {
    let alarm = "alarms = [{ alarm_name = \"errors\", metric_name = \"ErrorRate\", threshold = 5 }]\n";
    let seen = run(&deploy(&format!("{BLUE_GREEN}{alarm}revision = {{ error_rate = \"20%\" }}")), &[]);
    let (there, back) = (time(&seen, "wait for their end"), time(&seen, "failed: alarm errors"));
    assert!((30.0..=180.0).contains(&(back - there)), "{there} {back}");
    assert_eq!((total(&seen, "rolled_back"), last(&seen, 0), last(&seen, 1)), (1.0, 9.0, 0.0));
    assert_eq!(total(&seen, "new_revision_errors") as u64, failed(&seen));
    assert_eq!(total(&seen, "in_service_minimum"), 9.0);
}

#[test]
fn blue_green_waits_for_somebodys_word_and_a_revision_that_does_not_start_has_no_traffic() {
    let nobody = run(&deploy(&format!("{BLUE_GREEN}ready = {{ wait_time = \"10m\" }}")), &[]);
    assert_eq!((total(&nobody, "rolled_back"), total(&nobody, "new_revision_requests")), (1.0, 0.0));
    assert!((time(&nobody, "nobody said in time") - time(&nobody, "waits for somebody") - 600.0).abs() < 1e-6);
    assert_eq!((last(&nobody, 0), last(&nobody, 1)), (9.0, 0.0));
    let goes = run(
        &deploy(&format!(
            "{BLUE_GREEN}ready = {{ wait_time = \"10m\", continued_after = \"2m\" }}\ntermination_wait = \"1m\""
        )),
        &[],
    );
    assert_eq!(total(&goes, "completed"), 1.0);
    let crash = run(&deploy(&format!("{BLUE_GREEN}revision = {{ crash_on_start = \"100%\" }}")), &[]);
    assert_eq!((total(&crash, "rolled_back"), total(&crash, "failed_instances"), failed(&crash)), (1.0, 9.0, 0));
}

// ---------------------------------------------------------------- revisions

#[test]
fn revisions_of_instances_leak_memory_and_warm_up_as_tasks_do() {
    let leak = run(&deploy("strategy = \"all_at_once\"\nrevision = { out_of_memory_after = \"200s\" }"), &[]);
    // Nine instances, each every 200 + 2 s, from 217 s on to the end at 1740 s.
    let killed = times(&leak, "the program is killed, out of memory").len();
    assert!((9 * 7..=9 * 8).contains(&killed), "{killed}");
    let p99 = |revision: &str| total(&run(&deploy(&format!("revision = {{ {revision} }}")), &[]), "p99_during_s");
    assert!(p99("warm_up = { factor = 8.0, time = \"2m\" }") > 2.0 * p99("cpu_factor = 1.0"));
    assert!(p99("cpu_factor = 3.0") > 2.0 * p99("cpu_factor = 1.0"));
}

// ---------------------------------------------------------------- what is refused

#[test]
fn what_does_not_fit_a_group_is_refused() {
    refused(&deploy("strategy = \"canary\""), &[], "a group of instances is not deployed to in this way");
    refused(&deploy("bake_time = \"5m\""), &[], "`bake_time` has no meaning here");
    refused(&deploy("termination_wait = \"5m\""), &[], "only deployment_type = \"BLUE_GREEN\" has it");
    refused(&deploy("strategy = \"minimum_healthy_hosts\""), &[], "needs `minimum_healthy_hosts`");
    refused(
        &deploy("strategy = \"minimum_healthy_hosts\"\nminimum_healthy_hosts = \"100%\""),
        &[],
        "a whole percentage below 100",
    );
    refused(&deploy("hooks = [{ stage = \"Install\" }]"), &[], "no hook of CodeDeploy runs at `Install`");
    refused(
        &deploy("deployment_option = \"WITHOUT_TRAFFIC_CONTROL\"\nhooks = [{ stage = \"AfterBlockTraffic\" }]"),
        &[],
        "there is no such event",
    );
    refused(&deploy(&format!("{BLUE_GREEN}hooks = [{{ stage = \"ApplicationStop\" }}]")), &[], "nothing runs on new");
    refused(&deploy(BLUE_GREEN), &["ec2.web.auto_scaling_group=false"], "only an Auto Scaling group can be copied");
    refused(
        "[ecs.other]\nhandler = [{ steps = [] }]\n[[deploy]]\nservice = \"ecs.other\"\nat = \"60s\"\nstrategy = \"half_at_a_time\"\n",
        &[],
        "only the instances of EC2 groups",
    );
}
