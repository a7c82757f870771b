//! Scaling through the language: scheduled actions by the calendar.

mod common;

use common::{load_text, loaded};
use models::autoscaling::Times;

const SERVICE: &str = r#"
title = "A service that scales"

[run]
duration = "7d"

[[traffic]]
name = "users"
to = "ecs.web"
rate = "1/min"

[ecs.web]
desired_count = 2
cpu = "1 vCPU"

[[ecs.web.handler]]
steps = [{ cpu = "20ms" }]
"#;

/// Hours of a run of a week, from the start of Monday 2026-01-05 UTC on, at which a scheduled action with these keys is done.
fn hours(keys: &str) -> Result<Vec<f64>, String> {
    let text = format!("{SERVICE}\n[[ecs.web.scheduled_action]]\nname = \"day\"\nmin_capacity = 3\n{keys}\n");
    let times = load_text(&text, &[])?.architecture.scaling.scheduled[0].times.clone();
    Ok((0..).map_while(|number| times.get(number)).map(|time| time.as_secs_f64() / 3600.0).collect())
}

#[test]
fn cron_expressions_of_six_fields_come_at_their_hours_in_their_time_zone() {
    let at = |hour: f64, days: &[u32]| -> Result<Vec<f64>, String> {
        Ok(days.iter().map(|day| f64::from(24 * day) + hour).collect())
    };
    assert_eq!(hours(r#"schedule = "cron(0 8 ? * MON-FRI *)""#), at(8.0, &[0, 1, 2, 3, 4]));
    // 2 to 6 are Monday to Friday: Sunday is 1.
    assert_eq!(hours(r#"schedule = "cron(30 8 ? * 2-6 2026)""#), at(8.5, &[0, 1, 2, 3, 4]));
    assert_eq!(hours("schedule = \"cron(0 8 ? * SAT,SUN *)\"\ntimezone = \"Europe/Berlin\""), at(7.0, &[5, 6]));
    assert_eq!(hours(r#"schedule = "cron(0 6 7 1 ? *)""#), at(6.0, &[2]));
    assert_eq!(hours(r#"schedule = "cron(0 0/8 ? * 4#1 *)""#), Ok(vec![48.0, 56.0, 64.0]));
    let within =
        "schedule = \"cron(0 0 * * ? *)\"\nstart_time = \"2026-01-07T00:00:00Z\"\nend_time = \"2026-01-09T12:00:00Z\"";
    assert_eq!(hours(within), at(0.0, &[2, 3, 4]));
}

#[test]
fn clocks_are_put_forward_and_actions_with_them() {
    let text = SERVICE.replace("[run]", "[run]\nstarts_at = \"2026-03-28T00:00:00Z\"");
    let action = "name = \"day\"\nmin_capacity = 3\nschedule = \"cron(0 8 * * ? *)\"\ntimezone = \"Europe/Berlin\"";
    let scenario = loaded(&format!("{text}\n[[ecs.web.scheduled_action]]\n{action}\n"), &[]);
    let times = &scenario.architecture.scaling.scheduled[0].times;
    let hour = |number| times.get(number).map(|time| time.as_secs_f64() / 3600.0);
    // From Sunday 2026-03-29 on 8 o'clock is 6:00 UTC.
    assert_eq!((hour(0), hour(1), hour(2)), (Some(7.0), Some(30.0), Some(54.0)));
}

#[test]
fn rates_and_single_instants_come_when_they_say() {
    assert_eq!(hours(r#"schedule = "rate(2 days)""#), Ok(vec![48.0, 96.0, 144.0]));
    assert_eq!(hours("schedule = \"rate(3 days)\"\nstart_time = \"2026-01-05T06:00:00Z\""), Ok(vec![6.0, 78.0, 150.0]));
    assert_eq!(hours(r#"schedule = "at(2026-01-06T08:00:00)""#), Ok(vec![32.0]));
    let tokyo = "schedule = \"at(2026-01-06T08:00:00)\"\ntimezone = \"Asia/Tokyo\"";
    assert_eq!(hours(tokyo), Ok(vec![23.0]));
    assert_eq!(hours("at = \"8h\"\nevery = \"48h\""), Ok(vec![8.0, 56.0, 104.0, 152.0]));
}

#[test]
fn schedules_that_cannot_be_are_refused_with_their_reason() {
    for (keys, reason) in [
        ("schedule = \"cron(0 8 * * MON *)\"", "one of day of month and day of week is `?`"),
        ("schedule = \"cron(0 8 ? * MON)\"", "six fields"),
        ("schedule = \"cron(0 25 ? * MON *)\"", "cron expression cannot be read"),
        ("schedule = \"cron(0 8 ? * MON 2027)\"", "never comes within the run"),
        ("schedule = \"0 8 * * 1\"", "this schedule cannot be read"),
        ("schedule = \"rate(5 weeks)\"", "this rate cannot be read"),
        ("schedule = \"at(tomorrow)\"", "this is no instant"),
        ("schedule = \"at(2027-01-01T00:00:00)\"", "not within the run"),
        ("schedule = \"cron(0 8 * * ? *)\"\nat = \"8h\"", "either `at` or `schedule`"),
        ("schedule = \"cron(0 8 * * ? *)\"\ntimezone = \"Europe/Berlim\"", "Europe/Berlin"),
        ("schedule = \"cron(0 8 * * ? *)\"\nevery = \"24h\"", "`every` belongs to `at`"),
        ("at = \"8h\"\ntimezone = \"Europe/Berlin\"", "`timezone` belongs to `schedule`"),
        ("recurrence = \"0 8 * * *\"", "only EC2 Auto Scaling groups have a `recurrence`"),
        ("at = \"8h\"\ndesired_capacity = 4", "only EC2 Auto Scaling groups have actions with `desired_capacity`"),
        ("", "when is this action done?"),
    ] {
        let told = hours(keys).expect_err(keys);
        assert!(told.contains(reason), "{keys}: {told}");
    }
}

#[test]
fn a_group_has_unix_cron_and_a_desired_capacity() {
    let text = SERVICE.replace("to = \"ecs.web\"", "to = \"alb.front\"").replace("ecs.web", "ec2.web");
    let text = text
        .replace("[ec2.web]", "[alb.front.target_group.web]\ntargets = \"ec2.web\"\n\n[ec2.web]")
        .replace("desired_count", "desired_capacity");
    let text = text.replace("cpu = \"1 vCPU\"", "instance_type = \"m7g.medium\"\nmin_size = 1\nmax_size = 9");
    // Sunday is 0; the day after is 1.
    let action = "name = \"day\"\nrecurrence = \"0 8 * * 1,2\"\ndesired_capacity = 5";
    let text = text.replace("7d", "36h") + "\n[[ec2.web.scheduled_action]]\n" + action;
    let scenario = loaded(&text, &[]);
    assert!(matches!(&scenario.architecture.scaling.scheduled[0].times, Times::Listed(times) if times.len() == 2));
    let seen = models::simulate(&scenario.architecture, 1, 0);
    let done = seen.log.iter().find(|entry| entry.what.contains("desired 2 -> 5 by scheduled action day"));
    assert_eq!(done.map(|entry| entry.at.as_secs_f64()), Some(8.0 * 3600.0));
}

/// The entries of a run's log of one kind, each as its second and what it says, in order.
fn entries(seen: &sim_core::observations::Observations, word: &str) -> Vec<(f64, String)> {
    let fitting = seen.log.iter().filter(|entry| entry.what.contains(word));
    fitting.map(|entry| (entry.at.as_secs_f64(), entry.what.clone())).collect()
}

#[test]
fn the_log_shows_the_chain_from_the_metric_to_the_traffic_link_by_link() {
    let text = scenarios::library::get("target-tracking").expect("in the library");
    let scenario = loaded(text, &[]);
    let seen = models::simulate(&scenario.architecture, scenario.seed, 0);
    // Load steps at 600 s, a minute's start: three minutes, and one until the third can be read.
    let (alarm, what) = entries(&seen, "AlarmHigh of cpu-40: OK -> ALARM").remove(0);
    assert_eq!(alarm, 840.0);
    assert!(what.contains("(CPUUtilization > 40 % in 3 of 3 minutes; latest 5"), "{what}");
    let (decision, what) = entries(&seen, "desired 4 -> 6 by cpu-40: CPUUtilization 5").remove(0);
    assert_eq!(decision, 840.0, "{what}");
    // A task's way, the first that is launched: when, and in which order, its states come.
    let launched = entries(&seen, "task 5 of revision 0 is requested (desired count 6)").remove(0).0;
    assert!((840.0..=845.0).contains(&launched), "the scheduler looks every 5 s: {launched}");
    let after_launch = |what: &str| entries(&seen, what).first().map(|entry| entry.0 - launched);
    assert_eq!(after_launch("task 5: PROVISIONING"), Some(0.0));
    assert_eq!(after_launch("task 5: PENDING"), Some(10.0));
    assert_eq!(after_launch("task 5: ACTIVATING, RUNNING, registered with its target group"), Some(25.0));
    assert_eq!(after_launch("task 5 of revision 0 answers"), Some(30.0));
    let healthy = after_launch("task 5 is healthy in web").expect("it becomes healthy");
    assert!((30.0..=55.0).contains(&healthy), "its first good check: {healthy}");
    // Traffic: with six healthy tasks CPU is back at the target.
    let cpu = seen.series.iter().find(|series| series.name == "AWS/ECS CPUUtilization ecs.web").expect("a metric");
    assert!(cpu.values[13] > 50.0 && (cpu.values[17] - 220.0 / 6.0).abs() < 5.0, "{:?}", &cpu.values[12..18]);
    // The way out, from the alarm at 30 min on low CPU: drained, ended, gone.
    let (low, _) = entries(&seen, "AlarmLow of cpu-40: OK -> ALARM").remove(0);
    assert_eq!(low, 1800.0 + 15.0 * 60.0 + 60.0);
    let states = ["stops (DEACTIVATING): scaled in", "STOPPING (SIGTERM)", "DEPROVISIONING, STOPPED"];
    let at = states.map(|state| entries(&seen, state).first().map(|entry| entry.0).expect(state));
    assert!(low <= at[0] && at[0] <= at[1] && at[1] <= at[2], "{at:?}");
}

const WORKERS: &str = r#"
title = "Workers of a queue"

[run]
duration = "40m"

[[traffic]]
name = "jobs"
to = "ecs.work"
rate = { base = "4/s", at = [["5m", "9/s"]] }

[ecs.work]
desired_count = 10
cpu = "1 vCPU"
workers = 1
custom_metrics = ["BacklogSize"]

[[ecs.work.handler]]
steps = [{ cpu = { exponential = "2s" } }]

[[ecs.work.scaling]]
policy_name = "backlog"
min_capacity = 2
max_capacity = 40
target_value = 5
disable_scale_in = true
metrics = [
  { id = "waiting", metric_name = "BacklogSize" },
  { id = "tasks", metric_name = "RunningTaskCount" },
  { id = "backlog_per_task", expression = "waiting / tasks" },
]
"#;

#[test]
fn a_backlog_per_task_is_tracked() {
    let scenario = loaded(WORKERS, &[]);
    let seen = models::simulate(&scenario.architecture, 1, 0);
    let decisions = entries(&seen, "by backlog: backlog_per_task ");
    assert!(!decisions.is_empty() && decisions[0].0 >= 300.0 + 240.0, "{decisions:?}");
    // 9/s of 2 s each are 18 tasks' work.
    let last = decisions.last().and_then(|(_, what)| what.split(' ').nth(3)?.parse::<u32>().ok());
    assert!(last.is_some_and(|tasks| tasks >= 18), "{decisions:?}");
    let audited = seen.audit.checks.iter().find(|law| !law.holds);
    assert!(audited.is_none(), "{audited:?}");
}

#[test]
fn alarms_look_at_expressions_too() {
    let alarm = "[alarm.late]\nthreshold = 20\nmetrics = [{ id = \"m1\", metric_name = \"BacklogSize\" }, { id = \"e1\", expression = \"0.5 * (2 * FILL(m1, 0) + -4)\" }]\n";
    let scenario = loaded(&format!("{WORKERS}\n{alarm}"), &[]);
    let seen = models::simulate(&scenario.architecture, 1, 0);
    let gone_off = seen.log.iter().find(|entry| entry.subject == "alarm.late").map(|entry| entry.what.clone());
    assert!(
        gone_off.as_ref().is_some_and(|what| what.starts_with("OK -> ALARM (e1 > 20 in 1 of 1 minutes; latest ")),
        "{gone_off:?}"
    );
}

#[test]
fn expressions_that_cannot_be_are_refused_with_their_reason() {
    for (from, to, reason) in [
        ("waiting / tasks", "waiting / task", "no entry before it is called `task`; did you mean `tasks`?"),
        ("waiting / tasks", "waiting / ", "a value was expected before the end"),
        ("waiting / tasks", "(waiting / tasks", "`)` was expected before the end"),
        ("waiting / tasks", "RATE(waiting)", "the function `RATE` is not built: FILL is"),
        ("waiting / tasks", "waiting tasks", "an operator or the end was expected, not `tasks`"),
        ("\"BacklogSize\" }", "\"BacklogSiz\" }", "nothing publishes `BacklogSiz`"),
        ("id = \"tasks\"", "id = \"Tasks\"", "this is no id of metric math"),
        ("id = \"tasks\"", "id = \"waiting\"", "two ids"),
        ("custom_metrics = [\"BacklogSize\"]", "", "nothing publishes `BacklogSize`"),
        (
            "target_value = 5",
            "target_value = 5\nmetric_name = \"CPUUtilization\"",
            "the entries of `metrics` say which metrics are meant",
        ),
        (
            "expression = \"waiting / tasks\"",
            "metric_name = \"CPUUtilization\", expression = \"1\"",
            "an entry is a metric or an expression",
        ),
    ] {
        let told = load_text(&WORKERS.replace(from, to), &[]).err().unwrap_or_default();
        assert!(told.contains(reason), "{to}: {told}");
    }
}

const PROVIDED: &str = r#"
title = "Tasks on instances of a capacity provider"

[run]
duration = "50m"

[[traffic]]
name = "users"
to = "ecs.web"
rate = "1/s"

[ecs.web]
desired_count = 4
cpu = "1 vCPU"
availability_zones = ["a", "b"]
placement_strategy = ["binpack:cpu"]

[ecs.web.container_instances]
count = 2
instance_type = "m7g.large"
managed_scaling = { max_size = 10 }

[[ecs.web.handler]]
steps = [{ cpu = "20ms" }]

[[ecs.web.scheduled_action]]
name = "more"
at = "5m"
min_capacity = 9

[[ecs.web.scheduled_action]]
name = "fewer"
at = "20m"
min_capacity = 3
max_capacity = 3
"#;

/// Values of a metric by minute.
fn by_minute(seen: &sim_core::observations::Observations, name: &str) -> Vec<f64> {
    seen.series.iter().find(|series| series.name == name).unwrap_or_else(|| panic!("no metric {name}")).values.clone()
}

#[test]
fn a_capacity_provider_launches_the_instances_that_waiting_tasks_need_and_terminates_what_is_empty() {
    let scenario = loaded(PROVIDED, &[]);
    let seen = models::simulate(&scenario.architecture, 1, 0);
    // Two instances of two vCPU are full. Nine tasks: five wait for three more instances: 5 / 2 = 250 %.
    let waiting = entries(&seen, "PROVISIONING: no container instance has room");
    assert_eq!((waiting.len(), waiting[0].0), (5, 300.0));
    let reservation = by_minute(&seen, "AWS/ECS/ManagedScaling CapacityProviderReservation ecs.web");
    assert_eq!((reservation[4], reservation[5]), (100.0, 250.0));
    // The minute ends at 360 s and is readable 60 s later; instances take tasks 60 s after that.
    let decided =
        entries(&seen, "desired 2 -> 5 by managed scaling: CapacityProviderReservation 250 % against target 100 %");
    assert_eq!(decided.first().map(|entry| entry.0), Some(420.0), "{:?}", entries(&seen, "desired"));
    let there = entries(&seen, "takes tasks");
    assert_eq!((there.len(), there[0].0), (3, 480.0));
    assert_eq!(entries(&seen, "ACTIVATING, RUNNING").len(), 5);
    assert_eq!(reservation[9], 100.0);
    // Three tasks of nine stay: they lie on one to three instances; the others are empty, and go after fifteen minutes and the delay.
    let down = entries(&seen, "by managed scaling: CapacityProviderReservation").pop().expect("a decision");
    assert!(down.0 >= 1200.0 + 15.0 * 60.0 && down.1.starts_with("desired 5 -> "), "{down:?}");
    let instances = by_minute(&seen, "AWS/AutoScaling GroupInServiceInstances ecs.web");
    assert_eq!((instances[4], instances[8], instances[19]), (2.0, 5.0, 5.0));
    assert!(instances[45] < 5.0 && instances[45] >= 2.0, "{instances:?}");
    assert!(
        !entries(&seen, "container instance 4 is terminated").is_empty(),
        "{:?}",
        entries(&seen, "container instance")
    );
}

#[test]
fn protected_instances_keep_their_tasks_and_others_are_drained() {
    // Spread, three tasks lie on two or three of five instances. Who removes four at least leaves one, whatever is on the others.
    let spread = PROVIDED.replace("binpack:cpu", "spread:instanceId").replace("count = 2", "count = 5");
    let run = |text: &str| {
        let scenario = loaded(text, &[]);
        models::simulate(&scenario.architecture, 1, 0)
    };
    let step = "max_size = 10, minimum_scaling_step_size = 4";
    let protected = run(&spread.replace("max_size = 10", &format!("{step}, managed_termination_protection = true")));
    assert!(
        !entries(&protected, "desired 5 -> 1 by managed scaling").is_empty(),
        "{:?}",
        entries(&protected, "desired")
    );
    assert_eq!(entries(&protected, "is drained"), []);
    let drains = run(&spread.replace("max_size = 10", step));
    assert!(!entries(&drains, "is drained, with").is_empty(), "{:?}", entries(&drains, "container instance"));
    assert!(drains.audit.checks.iter().all(|check| check.holds));
    let spread = spread.replace("count = 5", "count = 2");
    let small = run(&spread.replace("max_size = 10", "max_size = 10, maximum_scaling_step_size = 1"));
    assert!(!entries(&small, "desired 2 -> 3 by managed scaling").is_empty(), "{:?}", entries(&small, "desired"));
}

#[test]
fn a_capacity_provider_starts_from_nothing() {
    let text = PROVIDED.replace("count = 2", "count = 0").replace("desired_count = 4", "desired_count = 0");
    let scenario = loaded(&text, &[]);
    let seen = models::simulate(&scenario.architecture, 1, 0);
    let reservation = by_minute(&seen, "AWS/ECS/ManagedScaling CapacityProviderReservation ecs.web");
    assert_eq!((reservation[4], reservation[5]), (100.0, 200.0), "from zero instances the first value is 200");
    assert_eq!(entries(&seen, "ACTIVATING, RUNNING").len(), 9, "{:?}", entries(&seen, "desired"));
}
