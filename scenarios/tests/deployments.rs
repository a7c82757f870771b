//! Deployments as a user writes them, against the documented arithmetic and schedules.

mod common;

use common::{counter, failed, simulated, time, times};
use scenarios::Scenario;
use sim_core::observations::{LogKind, Observations};

/// Four tasks behind a load balancer. Tasks need 25 s until RUNNING, and answer at once; idle connections are closed.
const SERVICE: &str = r#"
title = "deployments"
[run]
duration = "20m"
replications = 1
seed = 7
[[traffic]]
name = "users"
to = "alb.front"
rate = "50/s"
[alb.front]
[alb.front.target_group.web]
targets = "ecs.web"
health_check = { interval = "10s", timeout = "5s" }
[ecs.web]
desired_count = 4
cpu = "1 vCPU"
launch_time = "25s"
startup_time = "0s"
[[ecs.web.handler]]
steps = [{ cpu = "10ms" }]
"#;

fn loaded(more: &str, set: &[&str]) -> Scenario {
    common::loaded(&format!("{SERVICE}\n{more}"), set)
}

fn run(more: &str, set: &[&str]) -> Observations {
    let scenario = loaded(more, set);
    simulated(&scenario, scenario.seed)
}

#[track_caller]
fn refused(more: &str, what: &str) {
    common::refused(&format!("{SERVICE}\n{more}"), &[], &[what]);
}

fn deploy(more: &str) -> String {
    format!("[[deploy]]\nservice = \"ecs.web\"\nat = \"60s\"\n{more}\n")
}

fn total(seen: &Observations, name: &str) -> f64 {
    counter(seen, "deployments", name)
}

// ---------------------------------------------------------------- rolling

#[test]
fn rolling_updates_start_and_stop_first_what_the_table_says() {
    // Fact sheet, section 14: desired, minimum, maximum; how many can start first and how many can stop first.
    for (desired, min, max, start, stop) in [
        (4, 100, 200, 4, 0),
        (4, 50, 100, 0, 2),
        (3, 100, 125, 0, 0),
        (1, 100, 150, 0, 0),
        (2, 75, 100, 0, 0),
        (3, 66, 100, 0, 1),
        (10, 90, 110, 1, 1),
        (7, 50, 150, 3, 3),
        (5, 80, 120, 1, 1),
    ] {
        let sizes = [
            format!("ecs.web.desired_count={desired}"),
            format!("ecs.web.minimum_healthy_percent={min}%"),
            format!("ecs.web.maximum_percent={max}%"),
        ];
        let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
        let row = format!("{desired}, {min}/{max}");
        let warns = !loaded(&deploy(""), &sizes).warnings.is_empty();
        let seen = run(&deploy(""), &sizes);
        // The scheduler looks in the instant of the deployment and every 5 s; tasks it launches then answer 25 s later.
        let first = |what: &str, before: f64| times(&seen, what).iter().filter(|at| **at <= before).count();
        assert_eq!(first("of revision 1 answers", 29.0), start, "{row} starts");
        assert_eq!(first("replaced by the deployment", 4.0), stop, "{row} stops");
        let stuck = start + stop == 0;
        assert_eq!(warns, stuck, "{row}");
        assert_eq!(times(&seen, "is stuck").len(), usize::from(stuck), "{row}");
        assert_eq!(total(&seen, "completed"), f64::from(!stuck), "{row}");
        assert_eq!(failed(&seen), 0, "{row}");
        if !stuck {
            let lower = (f64::from(desired) * f64::from(min) / 100.0).ceil();
            assert!(total(&seen, "in_service_minimum") >= lower, "{row}");
        }
    }
}

#[test]
fn four_tasks_at_50_200_never_fall_below_2_nor_exceed_8() {
    let seen = run(&deploy(""), &["ecs.web.minimum_healthy_percent=50%"]);
    assert_eq!(total(&seen, "in_service_minimum"), 2.0);
    let of = |revision: &str| {
        let found = seen.series.iter().find(|series| series.name == revision);
        found.map_or_else(Vec::new, |series| series.values.clone())
    };
    let (old, new) = (of("ecs.web rev 0"), of("ecs.web rev 1"));
    let all: Vec<f64> = old.iter().zip(&new).map(|(old, new)| old + new.max(0.0)).collect();
    assert!(all.iter().all(|n| *n <= 8.0), "{all:?}");
}

#[test]
fn a_wave_takes_launch_and_first_check_and_drain() {
    // Launch 25 s, first success U(0, 10) s here, a look of up to 5 s before and after, idle connections closed at once.
    let seen = run(&deploy(""), &[]);
    let took = total(&seen, "duration_s");
    assert!((25.0..=25.0 + 10.0 + 10.0 + 1.0).contains(&took), "{took}");
    // Four extra tasks for about that long.
    let extra = total(&seen, "extra_task_hours");
    assert!((4.0 * 25.0 / 3600.0..=4.0 * 46.0 / 3600.0).contains(&extra), "{extra}");
}

#[test]
fn a_crashing_revision_of_four_tasks_trips_the_circuit_breaker_at_25_s_and_capacity_never_dips() {
    // Fact sheet, section 14: threshold max(3, 2) = 3; four start together, all fail.
    let bad = "deployment_circuit_breaker = {}\nrevision = { crash_on_start = \"100%\" }";
    let seen = run(&deploy(bad), &[]);
    let at = time(&seen, "the circuit breaker: 3 failed tasks, threshold 3");
    assert!((25.0..=30.0).contains(&at), "{at}");
    assert_eq!((total(&seen, "failed"), total(&seen, "rolled_back")), (1.0, 1.0));
    assert_eq!((total(&seen, "in_service_minimum"), failed(&seen)), (4.0, 0));
    assert_eq!(total(&seen, "new_revision_requests"), 0.0);
    assert!(total(&seen, "duration_s") <= 40.0);
}

#[test]
fn without_a_circuit_breaker_a_crashing_revision_is_tried_for_ever_ever_more_rarely() {
    let seen = run(&deploy("revision = { crash_on_start = \"100%\" }"), &[]);
    assert_eq!((total(&seen, "failed"), total(&seen, "completed")), (0.0, 0.0));
    // Four at a time, after 10, 20, 40, 80, 160 and 320 s: the seventh four exit after 805 s, the next would after 1,470 s.
    assert_eq!(times(&seen, "exits as it starts").len(), 28);
    assert_eq!(total(&seen, "duration_s"), 1140.0);
}

#[test]
fn without_rollback_a_failed_rolling_update_launches_no_more_and_leaves_the_old_tasks() {
    let bad = "deployment_circuit_breaker = {}\nrollback = false\nrevision = { crash_on_start = \"100%\" }";
    let seen = run(&deploy(bad), &[]);
    assert_eq!((total(&seen, "failed"), total(&seen, "rolled_back"), failed(&seen)), (1.0, 0.0, 0));
    assert_eq!(times(&seen, "exits as it starts").len(), 4);
    assert!(total(&seen, "duration_s") < 40.0);
}

#[test]
fn unhealthy_tasks_count_for_the_circuit_breaker_and_a_healthy_one_sets_it_back() {
    // A revision that never answers: its targets become unhealthy after two checks of 10 s.
    let bad = "deployment_circuit_breaker = {}\nrevision = { startup_time = \"1h\" }";
    let seen = run(&deploy(bad), &[]);
    let at = time(&seen, "the circuit breaker");
    assert!((25.0 + 10.0..=25.0 + 20.0 + 16.0).contains(&at), "{at}");
    assert_eq!(total(&seen, "rolled_back"), 1.0);
    // Every other task crashes: some become healthy in between, and the deployment gets there.
    let seen = run(&deploy("deployment_circuit_breaker = {}\nrevision = { crash_on_start = \"50%\" }"), &[]);
    assert_eq!((total(&seen, "completed"), total(&seen, "failed")), (1.0, 0.0), "{:#?}", seen.log);
    assert!(!times(&seen, "exits as it starts").is_empty());
}

#[test]
fn a_rolling_update_bakes_under_its_alarms_and_goes_back_when_one_goes_off() {
    let alarm = "alarms = [{ alarm_name = \"errors\", metric_name = \"ErrorRate\", threshold = 2 }]\n";
    let good = run(&deploy(alarm), &[]);
    assert_eq!(total(&good, "completed"), 1.0);
    // One evaluation period, the one in which it begins, and one until that can be read.
    let baked = total(&good, "duration_s") - time(&good, "bakes for 180 s");
    assert!((180.0..=185.0).contains(&baked), "{baked}");
    let bad = run(&deploy(&format!("{alarm}revision = {{ error_rate = \"10%\" }}")), &[]);
    assert_eq!((total(&bad, "completed"), total(&bad, "rolled_back")), (0.0, 1.0));
    assert_eq!(times(&bad, "failed: alarm errors").len(), 1);
    // Of what the new revision served, a tenth was answered badly, and nothing is any more after the rollback.
    let (served, errors) = (total(&bad, "new_revision_requests"), total(&bad, "new_revision_errors"));
    assert!(served > 1000.0 && (errors / served - 0.1).abs() < 0.02, "{errors} of {served}");
    assert_eq!(errors as u64, failed(&bad));
}

#[test]
fn an_alarm_that_is_in_alarm_when_the_deployment_begins_is_left_out() {
    let alarm = "at = \"240s\"\nalarms = [{ metric_name = \"ErrorRate\", threshold = 2 }]";
    let text = deploy(alarm).replace("at = \"60s\"\n", "");
    let seen = run(&text, &["ecs.web.error_rate=10%"]);
    assert_eq!((total(&seen, "completed"), total(&seen, "failed")), (1.0, 0.0));
}

#[test]
fn alarms_of_the_scenario_watch_over_deployments_by_their_names_as_those_written_there_do() {
    let revision = "revision = { error_rate = \"10%\" }\n";
    let own = "alarms = [{ alarm_name = \"errors\", metric_name = \"ErrorRate\", threshold = 2 }]\n";
    let named = "alarms = [\"either\"]\n";
    let alarms = "[alarm.errors]\nmetric_name = \"ErrorRate\"\ndimension = \"alb.front\"\nthreshold = 2\n\
                  comparison_operator = \"GreaterThanOrEqualToThreshold\"\n\
                  [alarm.slow]\nmetric_name = \"TargetResponseTime\"\nthreshold = 5\n\
                  [alarm.either]\nalarm_rule = \"ALARM(errors) OR ALARM(slow)\"\n";
    let one = run(&deploy(&format!("{own}{revision}")), &[]);
    let other = run(&format!("{}{alarms}", deploy(&format!("{named}{revision}"))), &[]);
    assert_eq!(time(&one, "failed: alarm errors"), time(&other, "failed: alarm either"));
    for name in ["rolled_back", "new_revision_requests", "new_revision_errors", "duration_s"] {
        assert_eq!(total(&one, name), total(&other, name), "{name}");
    }
    // The good revision bakes as long as the slowest of the alarms that the composite one looks at needs.
    let good = run(&format!("{}{alarms}", deploy(named)), &["alarm.slow.evaluation_periods=3"]);
    assert_eq!((times(&good, "bakes for 300 s").len(), total(&good, "completed")), (1, 1.0));
    refused(&deploy("alarms = [\"eror\"]"), "the alarm `eror` does not exist");
    refused(
        &deploy("alarms = [{ metric_name = \"CPUUtilisation\", threshold = 1 }]"),
        "did you mean `CPUUtilization`?",
    );
}

#[test]
fn a_rollback_restores_what_was_completed_last() {
    let two = format!(
        "{}{}",
        deploy("revision = { error_rate = \"1%\" }"),
        "[[deploy]]\nservice = \"ecs.web\"\nat = \"300s\"\ndeployment_circuit_breaker = {}\nrevision = { crash_on_start = \"100%\" }\n"
    );
    let seen = run(&two, &[]);
    assert_eq!(times(&seen, "rolls back to revision 1").len(), 1);
    assert_eq!((total(&seen, "completed"), total(&seen, "rolled_back")), (1.0, 1.0));
}

// ---------------------------------------------------------------- ECS: blue/green, linear, canary

#[test]
fn linear_defaults_shift_a_tenth_every_6_minutes_for_54_minutes() {
    let seen = run(&deploy("strategy = \"linear\"\nbake_time = \"5m\""), &["run.duration=80m", "traffic.0.rate=5/s"]);
    let shifts: Vec<f64> = seen
        .log
        .iter()
        .filter(|entry| entry.what.contains("% of traffic go to revision 1"))
        .map(|entry| entry.at.as_secs_f64())
        .collect();
    assert_eq!(shifts.len(), 10);
    assert!(shifts.windows(2).all(|pair| (pair[1] - pair[0] - 360.0).abs() < 1e-6));
    let took = total(&seen, "duration_s");
    assert!((3540.0 + 25.0..=3540.0 + 25.0 + 30.0).contains(&took), "{took}");
    assert_eq!(total(&seen, "completed"), 1.0);
}

#[test]
fn canary_defaults_keep_5_percent_for_10_minutes() {
    let set = ["run.duration=25m", "traffic.0.rate=100/s"];
    let seen = run(&deploy("strategy = \"canary\"\nbake_time = \"2m\""), &set);
    let (first, all) =
        (time(&seen, ": 5 % of traffic go to revision 1"), time(&seen, ": 100 % of traffic go to revision 1"));
    assert!((all - first - 600.0).abs() < 1e-6);
    // 600 s of 5 % of 100/s, and then all of it to the end of the run at 1440 s.
    let expected = 3000.0 + (1440.0 - all) * 100.0;
    let served = total(&seen, "new_revision_requests");
    assert!((served - expected).abs() < 5.0 * expected.sqrt(), "{served} {expected}");
    assert_eq!(failed(&seen), 0);
}

#[test]
fn blue_green_stages_come_in_the_order_of_the_api() {
    let text = deploy("strategy = \"blue_green\"\nbake_time = \"5m\"\ntest_listener = true");
    let seen = run(&text, &[]);
    let stages = [
        "RECONCILE_SERVICE",
        ": PRE_SCALE_UP",
        ": SCALE_UP",
        "POST_SCALE_UP",
        ": TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        ": PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
        "CLEAN_UP",
    ];
    let place = |stage: &&str| seen.log.iter().position(|entry| entry.what.contains(stage));
    let places: Vec<_> = stages.iter().map(place).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    assert!((time(&seen, "CLEAN_UP") - time(&seen, "BAKE_TIME") - 300.0).abs() < 1e-6);
    // Four tasks more, from SCALE_UP to CLEAN_UP.
    let extra = total(&seen, "extra_task_hours") * 3600.0 / 4.0;
    assert!((300.0 + 25.0..=300.0 + 45.0).contains(&extra), "{extra}");
    assert_eq!((total(&seen, "in_service_minimum"), failed(&seen)), (4.0, 0));
}

#[test]
fn an_alarm_during_the_bake_sends_all_traffic_back_to_blue_at_once() {
    let bad = "strategy = \"blue_green\"\nbake_time = \"10m\"\nrevision = { error_rate = \"20%\" }\n\
               alarms = [{ alarm_name = \"green\", metric_name = \"ErrorRate\", target_group = \"web-green\", threshold = 5 }]";
    let seen = run(&deploy(bad), &[]);
    let (there, back) =
        (time(&seen, ": 100 % of traffic go to revision 1"), time(&seen, ": 0 % of traffic go to revision 1"));
    // The minute with green's first errors ends within 60 s, and is readable 60 s later.
    assert!((60.0..=180.0).contains(&(back - there)), "{there} {back}");
    let served = total(&seen, "new_revision_requests");
    assert!((served - 50.0 * (back - there)).abs() < 5.0 * served.sqrt(), "{served}");
    assert_eq!(total(&seen, "rolled_back"), 1.0);
    assert_eq!(total(&seen, "in_service_minimum"), 4.0);
}

#[test]
fn a_canary_limits_how_far_a_bad_revision_gets() {
    let alarm = "alarms = [{ metric_name = \"ErrorRate\", target_group = \"web-green\", threshold = 5 }]";
    let bad =
        |strategy: &str| run(&deploy(&format!("{strategy}\nrevision = {{ error_rate = \"20%\" }}\n{alarm}")), &[]);
    let canary = bad("strategy = \"canary\"\npercent = \"10%\"");
    let all = bad("strategy = \"blue_green\"\nbake_time = \"10m\"");
    let ratio = total(&all, "new_revision_requests") / total(&canary, "new_revision_requests");
    assert!((7.0..=13.0).contains(&ratio), "{ratio}");
}

#[test]
fn a_hook_that_fails_rolls_back_before_any_customer_is_served() {
    let hook = |stage: &str, more: &str| {
        format!("hooks = [{{ stage = \"{stage}\", duration = \"30s\", {more} }}]\ntest_listener = true")
    };
    let tested = hook("POST_TEST_TRAFFIC_SHIFT", "test_requests = 200, max_error_rate = \"5%\"");
    let strategy = "strategy = \"blue_green\"\nbake_time = \"1m\"\n";
    let bad = run(&deploy(&format!("{strategy}{tested}\nrevision = {{ error_rate = \"20%\" }}")), &[]);
    assert_eq!((total(&bad, "rolled_back"), total(&bad, "new_revision_requests"), failed(&bad)), (1.0, 0.0, 0));
    assert_eq!(times(&bad, "of 200 test requests failed").len(), 1);
    let good = run(&deploy(&format!("{strategy}{tested}\nrevision = {{ error_rate = \"1%\" }}")), &[]);
    assert_eq!(total(&good, "completed"), 1.0);
    let sure = run(&deploy(&format!("{strategy}{}", hook("PRE_SCALE_UP", "failure_rate = \"100%\""))), &[]);
    assert_eq!((time(&sure, "failed: the hook failed"), total(&sure, "rolled_back")), (30.0, 1.0));
    let late = hook("PRE_SCALE_UP", "timeout = \"10s\"");
    assert_eq!(time(&run(&deploy(&format!("{strategy}{late}")), &[]), "failed: the hook timed out"), 10.0);
    let patient = hook("PRE_SCALE_UP", "timeout = \"10s\", timeout_action = \"CONTINUE\"");
    assert_eq!(total(&run(&deploy(&format!("{strategy}{patient}")), &[]), "completed"), 1.0);
}

// ---------------------------------------------------------------- CodeDeploy

#[test]
fn code_deploys_configurations_reach_all_traffic_when_they_say() {
    for (strategy, minutes, steps) in [
        ("all_at_once", 0.0, 1),
        ("canary_10_percent_5_minutes", 5.0, 2),
        ("canary_10_percent_15_minutes", 15.0, 2),
        ("linear_10_percent_every_1_minutes", 9.0, 10),
        ("linear_10_percent_every_3_minutes", 27.0, 10),
    ] {
        let text = deploy(&format!("strategy = \"{strategy}\"\ntermination_wait = \"5m\""));
        let seen = run(&text, &["run.duration=40m", "traffic.0.rate=5/s"]);
        let shifts = times(&seen, "% of traffic go to revision 1");
        assert_eq!(shifts.len(), steps, "{strategy}");
        assert!((shifts[steps - 1] - shifts[0] - 60.0 * minutes).abs() < 1e-6, "{strategy}: {shifts:?}");
        assert_eq!(total(&seen, "completed"), 1.0, "{strategy}");
        let took = total(&seen, "duration_s");
        assert!((took - shifts[steps - 1] - 300.0 - 5.0).abs() <= 6.0, "{strategy}: {took}");
    }
    let custom =
        deploy("strategy = \"time_based_linear\"\npercent = \"30%\"\ninterval = \"2m\"\ntermination_wait = \"0s\"");
    let shifts = times(&run(&custom, &[]), "% of traffic go to revision 1");
    assert_eq!(shifts.len(), 4);
    assert!((shifts[3] - shifts[0] - 360.0).abs() < 1e-6);
}

#[test]
fn code_deploy_waits_for_somebodys_word_or_stops() {
    let wait = |ready: &str| deploy(&format!("strategy = \"all_at_once\"\ntermination_wait = \"1m\"\nready = {ready}"));
    let goes = run(&wait("{ wait_time = \"10m\", continued_after = \"4m\" }"), &[]);
    assert!((time(&goes, "100 % of traffic go to revision 1") - time(&goes, ": Ready") - 240.0).abs() < 1e-6);
    assert_eq!(total(&goes, "completed"), 1.0);
    let stops = run(&wait("{ wait_time = \"10m\" }"), &[]);
    assert_eq!((total(&stops, "rolled_back"), total(&stops, "new_revision_requests")), (1.0, 0.0));
    assert!((time(&stops, "nobody said in time") - time(&stops, ": Ready") - 600.0).abs() < 1e-6);
}

#[test]
fn code_deploys_hooks_run_in_their_order() {
    let stages = ["AfterAllowTraffic", "BeforeInstall", "AfterInstall", "BeforeAllowTraffic", "AfterAllowTestTraffic"];
    let hooks: Vec<String> =
        stages.iter().map(|stage| format!("{{ stage = \"{stage}\", duration = \"20s\" }}")).collect();
    let text = format!(
        "strategy = \"all_at_once\"\ntermination_wait = \"1m\"\ntest_listener = true\nhooks = [{}]",
        hooks.join(", ")
    );
    let seen = run(&deploy(&text), &[]);
    let order = ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];
    let at: Vec<f64> = order.iter().map(|stage| times(&seen, stage)[0]).collect();
    assert!(at.is_sorted(), "{at:?}");
    assert!((at[3] - at[2] - 20.0).abs() < 1e-6 && (at[4] - at[3] - 20.0).abs() < 1e-6, "{at:?}");
    assert_eq!(total(&seen, "completed"), 1.0);
}

#[test]
fn green_that_is_not_steady_within_an_hour_fails() {
    let bad = "strategy = \"all_at_once\"\nrevision = { crash_on_start = \"100%\" }";
    let seen = run(&deploy(bad), &["run.duration=70m", "traffic.0.rate=1/s"]);
    assert_eq!(time(&seen, "the new tasks did not become healthy in time"), 3600.0);
    assert_eq!((total(&seen, "rolled_back"), failed(&seen)), (1.0, 0));
}

#[test]
fn a_service_that_is_scaled_while_code_deploy_shifts_its_traffic_must_be_steady_within_5_minutes() {
    let action = "[[ecs.web.scheduled_action]]\nname = \"more\"\nat = \"600s\"\nmin_capacity = 6\nmax_capacity = 6\n";
    let text = |strategy: &str| format!("{}{action}", deploy(strategy));
    // A task takes six minutes: green is there at about 370 s, and not again before 960 s.
    let slow = ["ecs.web.launch_time=360s", "run.duration=30m"];
    let fails = run(&text("strategy = \"canary_10_percent_15_minutes\""), &slow);
    let at = time(&fails, "failed: the service was scaled and is not steady in time");
    assert!((540.0 + 300.0..=540.0 + 312.0).contains(&at), "{at}");
    assert_eq!((total(&fails, "rolled_back"), failed(&fails)), (1.0, 0));
    // ECS's own canary has no such limit, and CodeDeploy does not mind if the tasks come in time.
    for (strategy, launch) in [
        ("strategy = \"canary\"\ninterval = \"15m\"", "ecs.web.launch_time=360s"),
        ("strategy = \"canary_10_percent_5_minutes\"\ntermination_wait = \"5m\"", "ecs.web.launch_time=240s"),
    ] {
        let seen = run(&text(strategy), &[launch, "run.duration=40m", "traffic.0.rate=10/s"]);
        assert_eq!((total(&seen, "completed"), total(&seen, "failed")), (1.0, 0.0), "{strategy}");
    }
}

#[test]
fn somebody_can_stop_a_deployment_of_a_service() {
    let strategies =
        ["strategy = \"rolling\"", "strategy = \"canary\"", "strategy = \"linear_10_percent_every_1_minutes\""];
    for strategy in strategies {
        let slow = ["ecs.web.minimum_healthy_percent=100%", "ecs.web.maximum_percent=125%"];
        let seen = run(&deploy(&format!("{strategy}\nstop_after = \"100s\"")), &slow);
        assert_eq!(time(&seen, "failed: somebody stopped it"), 100.0, "{strategy}");
        assert_eq!((total(&seen, "rolled_back"), failed(&seen)), (1.0, 0), "{strategy}");
    }
    // It comes too late for one that is over.
    let seen = run(&deploy("stop_after = \"10m\""), &[]);
    assert_eq!((total(&seen, "completed"), total(&seen, "failed")), (1.0, 0.0));
}

// ---------------------------------------------------------------- revisions, databases

#[test]
fn a_revision_that_needs_more_cpu_uses_so_much_more() {
    let busy = |revision: &str| {
        let seen = run(&deploy(&format!("revision = {{ {revision} }}")), &[]);
        let cores = seen.series.iter().find(|series| series.name == "AWS/ECS CPUUtilization ecs.web");
        *cores.expect("published").values.last().expect("values")
    };
    let (before, after) = (busy("cpu_factor = 1.0"), busy("cpu_factor = 1.6"));
    assert!((after / before - 1.6).abs() < 0.15, "{before} {after}");
}

#[test]
fn a_memory_leak_kills_tasks_again_and_again() {
    let seen = run(&deploy("revision = { out_of_memory_after = \"200s\" }"), &[]);
    let killed = times(&seen, "is out of memory");
    // Four tasks, each about every 200 + 25 s and a look, from 225 s on to the end at 1140 s.
    assert!((16..=20).contains(&killed.len()), "{killed:?}");
    assert!(killed[0] >= 225.0);
}

#[test]
fn cold_caches_slow_new_tasks_down_at_first() {
    let p99 = |revision: &str| total(&run(&deploy(&format!("revision = {{ {revision} }}")), &[]), "p99_during_s");
    let (warm, cold) = (p99("cpu_factor = 1.0"), p99("warm_up = { factor = 8.0, time = \"2m\" }"));
    assert!(cold > 2.0 * warm, "{warm} {cold}");
}

#[test]
fn a_change_of_the_schema_keeps_writes_out_while_it_lasts() {
    let database = r#"
[aurora.orders]
instances = [{ name = "orders-1", db_instance_class = "db.r6g.large" }]
[aurora.orders.statements.write]
write = true
cpu = "1ms"
[aurora.orders.statements.read]
cpu = "1ms"
"#;
    let steps = "ecs.web.handler.0.steps=[{ call = \"aurora.orders.write\" }]";
    let change = |writes: &str| {
        let text =
            format!("database_change = {{ target = \"aurora.orders\", duration = \"20s\", writes = \"{writes}\" }}");
        run(&format!("{database}{}", deploy(&text)), &[steps])
    };
    let fails = change("fail");
    let (lost, expected) = (failed(&fails) as f64, 50.0 * 20.0);
    assert!((lost - expected).abs() < 5.0 * expected.sqrt(), "{lost}");
    assert_eq!(fails.routes[0].failed[0].0, "read_only");
    let waits = change("wait");
    assert!(failed(&waits) > 0 || waits.routes[0].latency.max() > 19.0);
    assert!(waits.routes[0].latency.max() > 15.0, "{}", waits.routes[0].latency.max());
    // Reads go on.
    let reads = "ecs.web.handler.0.steps=[{ call = \"aurora.orders.read\" }]";
    let text = "database_change = { target = \"aurora.orders\", duration = \"20s\", writes = \"fail\" }";
    assert_eq!(failed(&run(&format!("{database}{}", deploy(text)), &[reads])), 0);
}

#[test]
fn a_deployment_that_is_superseded_leaves_no_tasks_behind() {
    for (first, second) in [
        ("strategy = \"linear\"\npercent = \"20%\"\ninterval = \"5m\"", ""),
        (
            "strategy = \"blue_green\"\nbake_time = \"10m\"",
            "strategy = \"canary\"\npercent = \"10%\"\ninterval = \"1m\"",
        ),
        ("", "strategy = \"blue_green\"\nbake_time = \"1m\""),
        ("strategy = \"blue_green\"\nbake_time = \"10m\"", "strategy = \"blue_green\"\nbake_time = \"1m\""),
    ] {
        let text = format!("{}[[deploy]]\nservice = \"ecs.web\"\nat = \"130s\"\n{second}\n", deploy(first));
        let seen = run(&text, &[]);
        let last = |name: &str| {
            seen.series.iter().find(|series| series.name == name).and_then(|series| series.values.last().copied())
        };
        let left = [last("ecs.web rev 0"), last("ecs.web rev 1"), last("ecs.web rev 2")];
        assert_eq!(left, [Some(0.0), Some(0.0), Some(4.0)], "{first:?} then {second:?}");
        assert_eq!(failed(&seen), 0, "{first:?} then {second:?}: {:?}", seen.routes[0].failed);
    }
}

#[test]
fn stages_and_alarms_are_in_the_log() {
    let seen = run(
        &deploy(
            "strategy = \"canary\"\npercent = \"10%\"\ninterval = \"5m\"\nrevision = { error_rate = \"50%\" }\nalarms = [{ metric_name = \"HTTPCode_Target_5XX_Count\", threshold = 10 }]",
        ),
        &[],
    );
    let kinds = |kind: LogKind| seen.log.iter().filter(|entry| entry.kind == kind).count();
    assert!(kinds(LogKind::Deployment) == 6 && kinds(LogKind::Lifecycle) > 8 && kinds(LogKind::Alarm) == 2);
}

// ---------------------------------------------------------------- what is refused

#[test]
fn what_does_not_fit_a_strategy_is_refused() {
    refused(&deploy("percent = \"10%\""), "this strategy has no `percent`");
    refused(&deploy("strategy = \"blue_green\""), "needs `bake_time`");
    refused(&deploy("strategy = \"time_based_canary\"\npercent = \"10%\""), "needs `interval`");
    refused(&deploy("strategy = \"canary\"\ndeployment_circuit_breaker = {}"), "has no `deployment_circuit_breaker`");
    refused(&deploy("strategy = \"canary\"\nrollback = false"), "has no `rollback`");
    refused(&deploy("strategy = \"linear\"\npercent = \"1%\""), "percent is from 3% to 100%");
    refused(&deploy("strategy = \"time_based_linear\"\npercent = \"2.5%\"\ninterval = \"1m\""), "in steps of 1%");
    refused(&deploy("strategy = \"in_place\""), "not");
    let hook = |stage: &str| deploy(&format!("strategy = \"canary\"\nhooks = [{{ stage = \"{stage}\" }}]"));
    refused(&hook("POST_SCALEUP"), "POST_SCALE_UP");
    refused(&hook("TEST_TRAFFIC_SHIFT"), "test_listener = true");
    refused(&deploy("alarms = [{ metric_name = \"ErrorRate\", target_group = \"wb\", threshold = 1 }]"), "`web`");
    refused(&deploy("strategy = \"all_at_once\"\ntermination_wait = \"49h\""), "CodeDeploy");
    let warned = loaded(&deploy("strategy = \"linear\""), &[]).warnings;
    assert!(warned.iter().any(|text| text.contains("cannot end within the run")), "{warned:?}");
}

#[test]
fn what_the_page_shows_is_legal() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/deployments.md")).expect("the page");
    let blocks: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|it| it.contains("[[deploy]]"))
        .collect();
    assert_eq!(blocks.len(), 2);
    assert!(loaded(blocks[0], &["run.duration=60m"]).warnings.is_empty());
    let group = "[ec2.web]\ninstance_type = \"m5.large\"\ndesired_capacity = 4\nhandler = [{ steps = [] }]\n\
                 [alarm.errors]\nmetric_name = \"ErrorRate\"\nthreshold = 1\n";
    loaded(&format!("{}\n{group}", blocks[1]), &["run.duration=60m"]);
}
