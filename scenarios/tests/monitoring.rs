//! Alarms, canaries and what scales by metrics, as the language has them.

mod common;

use common::{SMALL, load_text, loaded, refused};
use models::ids::*;
use sim_core::SimDuration;

#[test]
fn scaling_policies_are_checked() {
    let scaling = |more: &str| format!("{SMALL}[[ecs.web.scaling]]\nmin_capacity = 2\nmax_capacity = 8\n{more}\n");
    let steps = "policy_type = \"StepScaling\"\nthreshold = 40\nstep_adjustments = [
      { metric_interval_upper_bound = 30, scaling_adjustment = 1 },
      { metric_interval_lower_bound = 30, metric_interval_upper_bound = 50, scaling_adjustment = 2 },
      { metric_interval_lower_bound = 50, scaling_adjustment = 3 }]";
    assert_eq!(load_text(&scaling(steps), &[]).expect("right").architecture.scaling.policies.len(), 1);
    refused(
        &scaling(&steps.replace("upper_bound = 30", "upper_bound = 20")),
        &[],
        &["there is a gap between two steps"],
    );
    refused(&scaling(&steps.replace("upper_bound = 30", "upper_bound = 35")), &[], &["two steps overlap"]);
    refused(&scaling("target_value = 50"), &["ecs.web.desired_count=9"], &["outside of min_capacity..max_capacity"]);
    refused(&scaling("target_value = 50\nthreshold = 3"), &[], &["has no `threshold`"]);
    refused(&scaling(""), &[], &["lacks `target_value`"]);
    refused(
        &scaling("target_value = 50\npredefined_metric_type = \"ECSServiceAverageCPUUtilizationHighResolution\""),
        &[],
        &["every 60s only", "metric_resolution = \"20s\""],
    );
    let without_end = steps.replace(
        "{ metric_interval_lower_bound = 50, scaling",
        "{ metric_interval_lower_bound = 50, metric_interval_upper_bound = 60, scaling",
    );
    refused(&scaling(&without_end), &[], &["need one without an upper bound"]);
    let below = steps.replace(
        "{ metric_interval_upper_bound = 30,",
        "{ metric_interval_lower_bound = -5, metric_interval_upper_bound = 30,",
    );
    refused(&scaling(&below), &[], &["need one without a lower bound"]);
    let boundless = "policy_type = \"StepScaling\"\nthreshold = 40\nstep_adjustments = [{ scaling_adjustment = 1 }]";
    refused(&scaling(boundless), &[], &["a lower bound, an upper bound, or both"]);
    refused(&scaling(&format!("{steps}\nmin_adjustment_magnitude = 2")), &[], &["only percentages"]);
    let percent = format!("{steps}\nadjustment_type = \"PercentChangeInCapacity\"\nmin_adjustment_magnitude = 2");
    load_text(&scaling(&percent), &[]).expect("right");
    let exact = steps.replace("scaling_adjustment = 1 ", "scaling_adjustment = -1 ");
    refused(&scaling(&format!("{exact}\nadjustment_type = \"ExactCapacity\"")), &[], &["cannot be negative"]);
}

#[test]
fn policies_look_at_the_metrics_of_their_service_or_of_others() {
    let scaling = |more: &str| {
        format!("{SMALL}[[ecs.web.scaling]]\nmin_capacity = 2\nmax_capacity = 8\ntarget_value = 50\n{more}\n")
    };
    let metric = |more: &str| {
        let scenario = loaded(&scaling(more), &[]);
        let models::autoscaling::PolicyKind::TargetTracking { metric, .. } =
            &scenario.architecture.scaling.policies[0].kind
        else {
            panic!("it tracks")
        };
        metric.clone()
    };
    assert_eq!(metric(""), "AWS/ECS CPUUtilization ecs.web");
    let predefined = metric("predefined_metric_type = \"ALBRequestCountPerTarget\"");
    assert_eq!(predefined, "AWS/ApplicationELB RequestCountPerTarget alb.front/web");
    assert_eq!(metric("metric_name = \"RequestCount\""), "AWS/ApplicationELB RequestCount alb.front");
    refused(
        &scaling("metric_name = \"CPUUtilisation\""),
        &[],
        &[
            "nothing publishes `CPUUtilisation` of ecs.web or alb.front/web or alb.front",
            "did you mean `CPUUtilization`?",
        ],
    );
    refused(
        &scaling("metric_name = \"RequestCount\"\nstatistic = \"p99\""),
        &[],
        &["RequestCount has no p99", "it has Sum"],
    );
    refused(&scaling("period = \"20s\""), &[], &["CPUUtilization is published every 1m"]);
    let fine = "period = \"20s\"";
    load_text(&scaling(fine), &["ecs.web.metric_resolution=20s"]).expect("the metric is published as often");
    refused(&scaling(fine), &["ecs.web.metric_resolution=30s"], &["every 60s or every 20s"]);
    refused(&scaling("alarm = \"high\""), &[], &["has no `alarm`"]);
}

#[test]
fn auto_scaling_groups_are_scaled_by_the_same_policies_with_their_own_defaults() {
    let group = |more: &str| {
        format!(
            "title = \"group\"\n[run]\nduration = \"10m\"\n[[traffic]]\nname = \"users\"\nto = \"alb.front\"\nrate = \"150/s\"\n\
             [alb.front]\ntarget_group.web.targets = \"ec2.web\"\n\
             [ec2.web]\ninstance_type = \"m5.large\"\ndesired_capacity = 2\nmin_size = 2\nmax_size = 8\n\
             [[ec2.web.handler]]\nsteps = [{{ cpu = \"20ms\" }}]\n\
             [[ec2.web.scaling]]\npolicy_name = \"cpu\"\nmin_capacity = 2\nmax_capacity = 8\ntarget_value = 40\n{more}\n"
        )
    };
    let right = group("predefined_metric_type = \"ASGAverageCPUUtilization\"");
    let scenario = loaded(&right, &[]);
    let policy = &scenario.architecture.scaling.policies[0];
    let models::autoscaling::PolicyKind::TargetTracking { metric, scale_in_threshold, .. } = &policy.kind else {
        panic!("it tracks")
    };
    assert_eq!((metric.as_str(), *scale_in_threshold), ("AWS/EC2 CPUUtilization ec2.web", 0.7));
    assert_eq!(policy.scale_out_cooldown, SimDuration::from_secs(300));
    // Three cores' worth on two instances of two cores: 75 %, so that ceil(2 x 75 / 40) = 4 are wanted, 240 s after the start.
    let seen = models::simulate(&scenario.architecture, 1, 0);
    let decided = seen.log.iter().find(|entry| entry.what.starts_with("desired 2 -> 4 by cpu")).expect("it scales");
    assert_eq!(decided.at, sim_core::SimTime::from_secs(240));
    let group_of = |name: &str| {
        let series = seen.series.iter().find(|it| it.name == format!("AWS/AutoScaling GroupInServiceInstances {name}"));
        *series.expect("published").values.last().expect("ten minutes")
    };
    assert_eq!(group_of("ec2.web"), 4.0);
    let warm = load_text(&right, &["ec2.web.default_instance_warmup=90s"]).expect("right");
    assert_eq!(warm.architecture.scaling.policies[0].scale_out_cooldown, SimDuration::from_secs(90));
    refused(&group("predefined_metric_type = \"ECSServiceAverageCPUUtilization\""), &[], &["an ECS service's"]);
    refused(&right, &["ec2.web.scaling.0.max_capacity=9"], &["sizes do not allow", "max_size 8"]);
    refused(&right, &["ec2.web.auto_scaling_group=false"], &["`scaling` has no meaning here"]);
}

#[test]
fn scheduled_actions_are_checked() {
    let action = |more: &str| format!("{SMALL}[[ecs.web.scheduled_action]]\nname = \"day\"\nat = \"5m\"\n{more}\n");
    let scenario = load_text(&action("every = \"24h\"\nmin_capacity = 6"), &[]).expect("right");
    let scaling = &scenario.architecture.scaling;
    assert_eq!((scaling.targets.len(), scaling.scheduled.len(), scaling.scheduled[0].min_capacity), (1, 1, Some(6)));
    refused(&action(""), &[], &["changes nothing"]);
    refused(&action("min_capacity = 6\nmax_capacity = 5"), &[], &["max_capacity is below min_capacity"]);
    refused(&action("min_capacity = 6\nevery = \"1s\""), &[], &["every must be between 1m"]);
    refused(&action("schedule = \"cron(0 8 * * ? *)\""), &[], &["either `at` or `schedule`, not both"]);
    let late = action("min_capacity = 6").replace("at = \"5m\"", "at = \"15m\"");
    refused(&late, &[], &["comes after the end of the run"]);
}

#[test]
fn alarms_are_checked() {
    let alarm = |more: &str| format!("{SMALL}[alarm.high]\n{more}\n");
    let right = "metric_name = \"TargetResponseTime\"\nstatistic = \"p99.5\"\nthreshold = 0.5\nevaluation_periods = 3";
    let scenario = loaded(&alarm(right), &[]);
    let models::cloudwatch::AlarmKind::Metric(high) = &scenario.architecture.alarms[0].kind else {
        panic!("of a metric")
    };
    assert_eq!(high.metric, "AWS/ApplicationELB TargetResponseTime alb.front");
    assert_eq!(high.statistic, models::cloudwatch::Statistic::Percentile(0.995));
    assert_eq!((high.condition.evaluation_periods, high.condition.datapoints_to_alarm), (3, 3));
    refused(&alarm(""), &[], &["looks at nothing", "alarm_rule"]);
    refused(&alarm("metric_name = \"TargetResponseTime\""), &[], &["lacks `threshold`"]);
    refused(&alarm("metric_name = \"TargetResponsTime\"\nthreshold = 1"), &[], &["did you mean `TargetResponseTime`?"]);
    refused(
        &alarm(&format!("{right}\ndimension = \"ecs.web\"")),
        &[],
        &["nothing publishes `TargetResponseTime` of ecs.web", "published: AWS/ApplicationELB of alb.front"],
    );
    refused(&alarm(&right.replace("p99.5", "p101")), &[], &["`p101` is no statistic"]);
    refused(&alarm(&format!("{right}\nperiod = \"30s\"")), &[], &["published every 1m"]);
    refused(&alarm(&format!("{right}\nperiod = \"45s\"")), &[], &["10s, 20s, 30s"]);
    refused(&alarm(&format!("{right}\nperiod = \"12h\"")), &[], &["at most a day"]);
    refused(&alarm(&format!("{right}\ndatapoints_to_alarm = 4")), &[], &["between 1 and 3"]);
    refused(&alarm(&format!("{right}\nalarm_rule = \"TRUE\"")), &[], &["not at both"]);
    refused(&alarm(&format!("{right}\nalarm_actions = []")), &[], &["`alarm_actions` is not modelled yet"]);
}

#[test]
fn canaries_are_sources_of_their_own_and_their_metrics_can_be_alarmed_on() {
    let canary = |more: &str| format!("{SMALL}[canary.home]\nto = \"alb.front\"\n{more}\n");
    let alarm =
        "[alarm.down]\nmetric_name = \"SuccessPercent\"\ncomparison_operator = \"LessThanThreshold\"\nthreshold = 90";
    let scenario = loaded(&canary(&format!("interval = \"1s\"\n{alarm}")), &[]);
    let built = &scenario.architecture;
    assert_eq!((built.canaries.len(), built.traffic.len(), built.routes.len()), (1, 2, 1), "no route of users'");
    assert_eq!(built.traffic[1].canary, Some(CanaryId(0)));
    let models::cloudwatch::AlarmKind::Metric(down) = &built.alarms[0].kind else { panic!("of a metric") };
    assert_eq!(down.metric, "CloudWatchSynthetics SuccessPercent canary.home");
    let seen = models::simulate(built, 1, 0);
    assert!(seen.audit.passed(), "{:?}", seen.audit);
    // Ten minutes: probes at 1 s to 599 s, answered within a second.
    let told =
        |name: &str| seen.counters.iter().find(|it| it.subject == "canary.home" && it.name == name).unwrap().value;
    assert_eq!((told("probes"), told("probes failed"), told("seconds down")), (599.0, 0.0, 0.0));
    let without = models::simulate(&load_text(SMALL, &[]).expect("right").architecture, 1, 0);
    assert_eq!(
        (seen.customers, seen.routes[0].started),
        (without.customers, without.routes[0].started),
        "the same users"
    );
    refused(&canary("interval = \"100ms\""), &[], &["interval must be between 1s"]);
    refused(&canary("interval = \"11m\""), &[], &["this canary never asks"]);
    refused(&canary("steps = []"), &[], &["`steps` is not modelled yet"]);
    refused(&canary("path = \"home\""), &[], &["a path begins with `/`"]);
    refused(&canary("").replace("alb.front\"\n\n", "alb.frnt\"\n\n"), &[], &["nothing here is called `alb.frnt`"]);
}

#[test]
fn rules_of_composite_alarms_are_read_as_cloudwatch_reads_them() {
    use models::cloudwatch::{AlarmKind, AlarmState, Rule};
    let with_rule = |rule: &str| {
        let high = "metric_name = \"CPUUtilization\"\nthreshold = 80";
        let rule = rule.replace('"', "\\\"");
        format!("{SMALL}[alarm.high]\n{high}\n[alarm.slow]\n{high}\n[alarm.bad]\nalarm_rule = \"{rule}\"\n")
    };
    let read = |rule: &str| {
        let scenario = loaded(&with_rule(rule), &[]);
        let AlarmKind::Composite(rule) = scenario.architecture.alarms[2].kind.clone() else { panic!("composite") };
        rule
    };
    let state = |id, state| Box::new(Rule::In(AlarmId(id), state));
    let (high, slow) = (state(0, AlarmState::Alarm), state(1, AlarmState::Ok));
    assert_eq!(read("ALARM(\"high\")"), *high);
    // AND binds more strongly than OR, NOT more strongly than both.
    let expected = Rule::Or(
        state(1, AlarmState::InsufficientData),
        Box::new(Rule::And(high.clone(), Box::new(Rule::Not(slow.clone())))),
    );
    assert_eq!(read("INSUFFICIENT_DATA(slow) OR ALARM(high) AND NOT OK(slow)"), expected);
    assert_eq!(
        read("NOT (TRUE OR ALARM( high )) AND OK(slow)"),
        Rule::And(Box::new(Rule::Not(Box::new(Rule::Or(Box::new(Rule::Constant(true)), high)))), slow)
    );
    for (wrong, needle) in [
        ("ALARM(hihg)", "did you mean `high`?"),
        ("ALARM high", "`(` expected"),
        ("ALARM(high) ALARM(slow)", "AND, OR or the end was expected"),
        ("ALARM(high) AND", "not the end"),
        ("(ALARM(high)", "`)` expected"),
        ("", "not the end"),
        ("ALARM(bad)", "looks at itself"),
    ] {
        refused(&with_rule(wrong), &[], &[needle]);
    }
    refused(&with_rule("TRUE"), &["alarm.bad.threshold=3"], &["a composite alarm has no `threshold`"]);
    let step = "[[ecs.web.scaling]]\nmin_capacity = 2\nmax_capacity = 8\npolicy_type = \"SimpleScaling\"\nscaling_adjustment = 1\n";
    refused(&format!("{}{step}alarm = \"bad\"", with_rule("TRUE")), &[], &["composite alarm cannot call"]);
    refused(&format!("{}{step}alarm = \"high\"\nthreshold = 3", with_rule("TRUE")), &[], &["says this already"]);
    load_text(&format!("{}{step}alarm = \"high\"", with_rule("TRUE")), &[]).expect("right");
}
