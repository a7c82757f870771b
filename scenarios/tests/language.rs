//! What the language means: texts, and the architecture they become or the mistake they are.

mod common;

use common::{load_text, loaded, refused};
use std::path::PathBuf;

use models::alb::{Action, Targets};
use models::client::{Arrivals, Batch, Jitter, Process};
use models::deployment::{Action as StageAction, Strategy};
use models::ecs::StepAction;
use models::ids::*;
use models::route53::{RoutingPolicy, Source as Looks};
use models::timeline::FaultAction;
use scenarios::{LoadOptions, Override, Scenario, Source, library, load_with};
use sim_core::distribution::Distribution;
use sim_core::{SimDuration, SimTime};

const SMALL: &str = r#"
title = "small"
[run]
duration = "10m"
[[traffic]]
name = "users"
to = "alb.front"
rate = "10/s"
[alb.front]
target_group.web.targets = "ecs.web"
[ecs.web]
desired_count = 4
cpu = "1 vCPU"
[[ecs.web.handler]]
steps = [{ cpu = "5ms" }]
"#;

fn small(overrides: &[&str]) -> Scenario {
    loaded(SMALL, overrides)
}

fn with(more: &str) -> Scenario {
    loaded(&format!("{SMALL}{more}"), &[])
}

#[test]
fn a_small_scenario_has_the_documented_defaults() {
    let scenario = small(&[]);
    let web = &scenario.architecture.ecs[0];
    assert_eq!((scenario.replications, scenario.seed, scenario.confidence), (10, 1, 0.95));
    assert_eq!(web.target_groups, [(AlbId(0), TargetGroupId(0))]);
    assert_eq!((web.deployment.minimum_healthy_percent, web.deployment.maximum_percent), (100, 200));
    assert_eq!(web.launch_time, Distribution::Constant(25.0));
    assert_eq!(web.zones, ["a", "b", "c"]);
    let front = &scenario.architecture.alb[0];
    assert_eq!(front.idle_timeout, SimDuration::from_secs(60));
    assert_eq!(front.target_rtt, SimDuration::from_millis(1));
    assert_eq!(front.target_groups[0].health_check.interval, SimDuration::from_secs(30));
    assert_eq!(front.rules[0].path_patterns, ["*"]);
    let users = &scenario.architecture.traffic[0];
    assert_eq!((users.clients, users.retry.max_attempts, users.timeout), (1000, 1, None));
    assert_eq!(scenario.architecture.routes, ["users /"]);
    assert_eq!(scenario.architecture.run.metric_delay, SimDuration::from_secs(60));
}

#[test]
fn textbook_queues_are_legal() {
    let text = r#"
title = "M/M/c/K and M/G/1-PS"
run.duration = "1h"
traffic = [
  { name = "a", to = "station.mmck", rate = "80/s" },
  { name = "b", to = "station.ps", users = 5, think_time = { exponential = "1s" } },
]
station.mmck = { servers = 3, room = 7, service = { exponential = "10ms" } }
station.ps = { servers = 1, discipline = "processor_sharing", service = { hyperexponential = { mean = "5ms", cv = 3 } } }
"#;
    let scenario = loaded(text, &[]);
    assert_eq!((scenario.architecture.stations[0].servers, scenario.architecture.stations[0].room), (Some(3), Some(7)));
    assert!(matches!(scenario.architecture.traffic[1].arrivals, Arrivals::Closed { users: 5, .. }));
    assert!(scenario.warnings.is_empty());
}

#[test]
fn a_rate_that_changes_is_lines_between_points() {
    let scenario =
        small(&["traffic.users.rate={ base = \"4/s\", at = [[\"2m\", \"8/s\"], [\"5m\", \"4/s\"]], ramp = \"30s\" }"]);
    let Arrivals::Open { rate, .. } = &scenario.architecture.traffic[0].arrivals else { panic!("open") };
    let points: Vec<(f64, f64)> = rate.points.iter().map(|(at, rate)| (at.as_secs_f64(), *rate)).collect();
    assert_eq!(points, [(0.0, 4.0), (120.0, 4.0), (150.0, 8.0), (300.0, 8.0), (330.0, 4.0)]);
}

#[test]
fn paths_find_the_first_rule_and_handler_that_has_them() {
    let text = SMALL.replace(
        "target_group.web.targets = \"ecs.web\"",
        "target_group.web.targets = \"ecs.web\"
target_group.down.targets = \"ecs.web\"
rule = [{ path_pattern = \"/api/*\", fixed_response = 503 }, { path_pattern = \"*\", forward = \"web\" }]",
    );
    let routes = "traffic.0.routes=[{ path = \"/\" }, { path = \"/api/*\", catalog = \"calls\" }]";
    let text = format!("{text}[catalog.calls]\nobjects = 10\nsize = \"1KB\"\n");
    let scenario = loaded(&text, &[routes]);
    let front = &scenario.architecture.alb[0];
    let way = |route: usize| front.way_of_path[scenario.architecture.traffic[0].routes[route].path.index()];
    let rule = |route: usize| front.ways[usize::from(way(route))][0];
    assert_eq!((rule(0), rule(1)), (1, 0));
    assert!(matches!(front.rules[0].action, Action::FixedResponse(503)));
    assert!(matches!(&front.rules[1].action, Action::Forward(forward) if forward.groups == [(TargetGroupId(0), 1)]));
}

#[test]
fn calls_name_operations_and_have_the_retries_of_their_sdk() {
    let scenario = loaded(
        &SMALL.replace(
            "steps = [{ cpu = \"5ms\" }]",
            "steps = [{ call = \"dynamodb.t.read\" }, { calls = [{ to = \"aurora.d\", operation = \"w\", required = false }, \"station.s.slow\"], probability = \"25%\" }]",
        )
        .replace("[alb.front]", "[dynamodb.t]\nbilling_mode = \"PAY_PER_REQUEST\"\noperations = { write = { operation = \"PutItem\" }, read = { operation = \"GetItem\", item_size = \"4.5KB\", consistent_read = true } }
[aurora.d]\ninstances = [{ name = \"one\", db_instance_class = \"db.r6g.xlarge\" }]\nstatements = { r = { cpu = \"1ms\" }, w = { write = true, wait = \"2ms\" } }
[station.s]\nservice = \"1ms\"\nclasses = { slow = \"9ms\" }\n[alb.front]"),
        &[],
    );
    let steps = &scenario.architecture.ecs[0].handlers[0].steps;
    let StepAction::Calls(first) = &steps[0].action else { panic!("calls") };
    assert_eq!((first[0].to, first[0].operation), (Endpoint::DynamoDb(DynamoDbId(0)), 1));
    assert_eq!((first[0].retry.max_attempts, first[0].retry.jitter), (10, Jitter::None));
    assert_eq!(scenario.architecture.dynamodb[0].operations[1].units, [2.0, 0.0]);
    assert_eq!(scenario.architecture.dynamodb[0].throughput.units, [12_000.0, 4000.0]);
    let StepAction::Calls(second) = &steps[1].action else { panic!("calls") };
    assert_eq!((steps[1].probability, second.len()), (0.25, 2));
    assert_eq!((second[0].operation, second[0].required, second[0].retry.max_attempts), (1, false, 1));
    assert_eq!((second[1].to, second[1].operation), (Endpoint::Station(StationId(0)), 1));
    let d = &scenario.architecture.aurora[0];
    assert_eq!((d.instances[0].class.vcpu, d.instances[0].class.max_connections), (4.0, 2000));
    assert_eq!(d.failover.recreate, SimDuration::from_secs(600), "the only instance has to be made anew");
    assert_eq!(scenario.warnings.len(), 2, "write and r are never called: {:?}", scenario.warnings);
}

#[test]
fn an_alias_has_60_s_and_a_cname_its_own_ttl() {
    let text =
        SMALL.replace("to = \"alb.front\"", "to = \"a.example\"") + "[route53.\"a.example\"]\ntarget = \"alb.front\"\n";
    let ttl = |overrides: &[&str]| {
        load_text(&text, overrides).unwrap_or_else(|w| panic!("{w}")).architecture.route53.records[0].ttl
    };
    assert_eq!(ttl(&[]), SimDuration::from_secs(60));
    assert_eq!(ttl(&["route53.\"a.example\".alias=false", "route53.\"a.example\".ttl=5s"]), SimDuration::from_secs(5));
    refused(&text, &["route53.\"a.example\".ttl=5s"], &["an alias has its target's TTL", "--set:1:25"]);
}

#[test]
fn failover_routing_needs_one_answer_of_each_role() {
    let text = SMALL.replace("to = \"alb.front\"", "to = \"a.example\"")
        + "[health_check.front]\ntarget = \"alb.front\"
[station.sorry]\nservice = \"1ms\"
[route53.\"a.example\"]\nrouting_policy = \"failover\"
records = [{ target = \"alb.front\", failover = \"PRIMARY\", health_check = \"front\" }, { target = \"station.sorry\", failover = \"SECONDARY\" }]\n";
    let scenario = loaded(&text, &[]);
    let record = &scenario.architecture.route53.records[0];
    assert_eq!(record.policy, RoutingPolicy::failover());
    assert_eq!((record.answers[0].health_check, record.answers[1].health_check), (Some(0), None));
    let Looks::Endpoint(probing) = &scenario.architecture.route53.health_checks[0].source else {
        panic!("an endpoint")
    };
    assert_eq!(probing.checkers, 16);
    refused(
        &text,
        &["route53.\"a.example\".records=[{ target = \"alb.front\", failover = \"PRIMARY\" }]"],
        &["there is no SECONDARY answer"],
    );
    refused(&text, &["route53.\"a.example\".records.0.health_check=fron"], &["did you mean `front`"]);
    refused(
        &text,
        &["route53.\"a.example\".routing_policy=ip_based"],
        &["`ip_based` is not modelled yet", "`simple`, `weighted`, `failover`"],
    );
}

#[test]
fn a_distribution_of_five_lines_works() {
    let text = SMALL.replace("to = \"alb.front\"", "to = \"cloudfront.edge\"\nfrom = \"tokyo\"")
        + "[cloudfront.edge]\ndefault_cache_behavior = { target_origin = \"alb.front\", min_ttl = \"5s\" }\n";
    let scenario = loaded(&text, &[]);
    let edge = &scenario.architecture.cloudfront[0];
    assert_eq!((edge.edges[0].name.as_str(), edge.edge_of_place.as_slice()), ("tokyo", &[0u16][..]));
    let policy = edge.behaviors[0].cache_policy;
    assert_eq!(
        [policy.min_ttl, policy.default_ttl, policy.max_ttl].map(|ttl| ttl.as_secs_f64()),
        [5.0, 86_400.0, 31_536_000.0]
    );
    refused(&text, &["cloudfront.edge.edges=[{ place = \"osaka\" }]"], &["no edge location for viewers in `tokyo`"]);
    refused(&text, &["cloudfront.edge.default_cache_behavior.max_ttl=1s"], &["min_ttl is above default_ttl"]);
}

#[test]
fn a_blue_green_deployment_gets_a_green_target_group() {
    let deploy = "[[deploy]]\nservice = \"ecs.web\"\nat = \"5m\"\nstrategy = \"blue_green\"\nbake_time = \"1m\"\n";
    let scenario = with(deploy);
    assert_eq!(
        scenario.architecture.ecs[0].target_groups,
        [(AlbId(0), TargetGroupId(0)), (AlbId(0), TargetGroupId(1))]
    );
    let green = &scenario.architecture.alb[0].target_groups[1];
    assert_eq!((green.name.as_str(), green.targets), ("web-green", Targets::Ecs(EcsId(0))));
    let Strategy::Shift(plan) = &scenario.architecture.deployments[0].strategy else { panic!("a plan") };
    let minute = SimDuration::from_secs(60);
    assert!(plan.stages.iter().any(|stage| matches!(stage.action, StageAction::Wait(time) if time == minute)));
    assert_eq!(scenario.architecture.notes.len(), 1);
    refused(&format!("{SMALL}{deploy}"), &["traffic.0.to=ecs.web", "alb={}"], &["this strategy needs a load balancer"]);
}

#[test]
fn faults_have_their_parameters_and_no_others() {
    let fault = |action: &str, more: &str| {
        format!("{SMALL}[[fault]]\nat = \"5m\"\naction = \"{action}\"\ntarget = \"ecs.web\"\n{more}\n")
    };
    let scenario =
        load_text(&fault("aws:ecs:stop-task", "percent = \"50%\"\navailability_zone = \"b\""), &[]).expect("right");
    assert!(matches!(
        scenario.architecture.faults[0].action,
        FaultAction::StopTask { zone: Some(1), count: Some(2), .. }
    ));
    refused(&fault("aws:ecs:stop-task", "duration = \"1m\""), &[], &["aws:ecs:stop-task has no parameter `duration`"]);
    refused(&fault("aws:ecs:stop-task", "percent = \"10%\""), &[], &["this share is less than one task"]);
    refused(&fault("aws:ecs:stop-task", "availability_zone = \"z\""), &[], &["zones: `a`, `b`, `c`"]);
    refused(&fault("aws:ecs:task-cpu-stress", "duration = \"1m\""), &[], &["lacks `factor`"]);
    refused(&fault("aws:ecs:task-network-latency", "delay = \"1s\""), &[], &["does not say how long"]);
    refused(&fault("aws:ecs:stop-tasks", ""), &[], &["did you mean `aws:ecs:stop-task`"]);
    refused(&fault("aws:ec2:stop-instances", ""), &[], &["`ecs.web` runs on Fargate: it has no instances"]);
    refused(&fault("aws:ecs:task-io-stress", ""), &[], &["`aws:ecs:task-io-stress` is not modelled yet"]);
}

#[test]
fn bounds_are_enforced() {
    let table: &[(&str, &str)] = &[
        ("ecs.web.desired_count=100001", "desired_count must be between 0 and 100000"),
        ("ecs.web.desired_count=1e18", "this number is too large"),
        ("ecs.web.desired_count=-1", "a count cannot be negative"),
        ("ecs.web.cpu=0 vCPU", "this number of vCPU is impossible"),
        ("ecs.web.workers=0", "workers must be between 1 and 1000000"),
        ("ecs.web.minimum_healthy_percent=101%", "minimum_healthy_percent is a whole percentage from 0 to 100"),
        ("ecs.web.minimum_healthy_percent=33.3%", "minimum_healthy_percent is a whole percentage"),
        ("ecs.web.error_rate=120%", "error_rate cannot be above 100%"),
        ("ecs.web.handler.0.steps.0.probability=101%", "probability cannot be above 100%"),
        ("ecs.web.availability_zones=[]", "at least one zone"),
        ("ecs.web.handler=[]", "a service without handlers answers nothing"),
        ("run.duration=0s", "a run must last"),
        ("run.duration=11y", "`y` is no unit for a time"),
        ("run.duration=4000d", "longer than ten years"),
        ("run.warm_up=10m", "the warm-up lasts as long as the run"),
        ("run.replications=0", "replications must be between 1 and 100000"),
        ("run.confidence=100%", "confidence must be at least 50% and below 100%"),
        ("run.seed=-1", "a count cannot be negative"),
        ("traffic.0.rate=1e12/s", "this rate is too high"),
        ("traffic.0.rate=nan", "expected a rate"),
        ("traffic.0.rate=-1/s", "a rate cannot be negative"),
        ("traffic.0.timeout=0s", "a timeout of nothing fails every request"),
        ("traffic.0.clients=0", "clients must be between 1 and"),
        ("traffic.0.users=5", "either `rate` or `users`, not both"),
        ("traffic.0.replay={ log = \"x\" }", "either `rate` or `replay`, not both"),
        ("traffic.0.routes=[]", "there is no route"),
        ("traffic.0.routes=[{ path = \"/\", weight = 0 }]", "sum up to nothing"),
        ("traffic.0.routes=[{ path = \"shop\" }]", "a path begins with `/`"),
        ("traffic.0.routes=[{ path = \"/a/*\" }]", "a route with wildcards needs a catalogue"),
        ("traffic.0.routes=[{ path = \"/\" }, { path = \"/\" }]", "there are two routes `users GET /`"),
        ("traffic.0.rate={ base = \"1/s\", at = [[\"11m\", \"2/s\"]] }", "after the end of the run"),
        (
            "traffic.0.rate={ base = \"1/s\", at = [[\"1m\", \"2/s\"], [\"2m\", \"1/s\"]], ramp = \"90s\" }",
            "changes again before",
        ),
        ("traffic.0.retry.max_attempts=0", "max_attempts must be between 1 and 1000"),
        ("alb.front.idle_timeout=0s", "idle_timeout must be between 1s and"),
        ("alb.front.target_group.web.health_check.interval=0s", "interval must be between 5s and 5m"),
        ("alb.front.target_group.web.health_check.unhealthy_threshold_count=1", "must be between 2 and 10"),
        ("alb.front.target_group.web.deregistration_delay=2h", "deregistration_delay must be between 0s and 1h"),
        ("network.region_rtt=2d", "region_rtt must be between 0s and 1d"),
        ("resolvers.count=0", "the number of resolvers must be between"),
        ("description=5", "expected a string, found a whole number"),
        ("traffic.0.arrivals=diurnal", "`diurnal` is not modelled yet"),
        ("traffic.0.arrivals={ mmpp = [] }", "there is no phase"),
        ("traffic.0.arrivals={ mmpp = [{ factor = 0, lasts = \"1s\" }] }", "no phase has any arrivals"),
        ("traffic.0.batch=0", "batch must be between 1 and 10000"),
        ("traffic.0.batch={ geometric = 0.5 }", "geometric must be between 1 and 10000"),
        (
            "traffic.0.rate={ base = \"1/s\", at = [[\"30s\", \"2/s\"]], repeat = \"20s\" }",
            "the rate repeats before its changes are over",
        ),
        ("alb.front.listener=[]", "`listener` is not modelled yet"),
        ("ecs.web.handler.0.steps=[{ cpu = { uniform = [\"3ms\", \"1ms\"] } }]", "low must not be greater than high"),
        ("ecs.web.handler.0.steps=[{ cpu = { exponential = \"0s\" } }]", "it must be above 0"),
        ("ecs.web.handler.0.steps=[{ cpu = { lognormal = { mean = \"1ms\" } } }]", "needs two parameters"),
        (
            "ecs.web.handler.0.steps=[{ cpu = { lognormal = { mean = \"1ms\", p99 = \"2ms\" } } }]",
            "has no parameter `mean`",
        ),
        ("ecs.web.handler.0.steps=[{ cpu = { hyperexponential = { mean = \"1ms\", cv = 0.5 } } }]", "cv is 0.5"),
        ("ecs.web.handler.0.steps=[{}]", "this step does nothing"),
    ];
    for (change, message) in table {
        refused(SMALL, &[change], &[message, "--set:1:"]);
    }
    let million_years = "traffic.0.rate={ base = \"9e6/s\" }";
    refused(SMALL, &[million_years, "run.duration=3000d"], &["operations are too many"]);
    let closed = SMALL.replace("rate = \"10/s\"", "users = 10\nthink_time = \"0s\"");
    refused(&closed, &[], &["users must think for some time"]);
    refused(&SMALL.replace("rate = \"10/s\"", ""), &[], &["neither `rate` nor `users` nor `replay`"]);
    refused(&SMALL.replace("duration = \"10m\"", ""), &[], &["run.duration is missing"]);
}

#[test]
fn caches_that_would_not_fit_in_memory_are_refused() {
    let text = SMALL.replace("to = \"alb.front\"", "to = \"cloudfront.edge\"\nroutes = [{ path = \"/x/*\", catalog = \"dust\" }]")
        + "[catalog.dust]\nobjects = 1000000000\nsize = \"10B\"
[cloudfront.edge]\ndefault_cache_behavior = { target_origin = \"alb.front\" }\nedges = [{ place = \"viewers\", capacity = \"100GB\" }]\n";
    refused(&text, &[], &["this cache would hold about 2.1e8 objects"]);
    load_text(&text, &["catalog.dust.objects=1000"]).unwrap();
    refused(&text, &["catalog.dust.objects=1000000001"], &["objects must be between 1 and 1000000000"]);
}

#[test]
fn a_deployment_that_cannot_progress_is_warned_of_with_the_arithmetic() {
    let deploy = "[[deploy]]\nservice = \"ecs.web\"\nat = \"5m\"\n";
    for (desired, minimum, maximum, stuck) in [
        (4, 100, 200, false),
        (4, 50, 100, false),
        (3, 100, 125, true),
        (1, 100, 150, true),
        (2, 75, 100, true),
        (3, 66, 100, false),
    ] {
        let overrides = [
            format!("ecs.web.desired_count={desired}"),
            format!("ecs.web.minimum_healthy_percent={minimum}%"),
            format!("ecs.web.maximum_percent={maximum}%"),
        ];
        let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
        let text = format!("{SMALL}{deploy}");
        let warnings = |text: &str| load_text(text, &overrides).expect("right").warnings;
        let told = |text: &String| {
            ["can never make progress", "rounded up", "rounded down"].iter().all(|it| text.contains(it))
        };
        assert_eq!(warnings(&text).iter().any(told), stuck, "{overrides:?}");
        assert!(!warnings(SMALL).iter().any(told), "without a deployment nothing is stuck");
    }
}

#[test]
fn circles_are_told_once_with_their_way() {
    let handlers = "[[ecs.a.handler]]\npath = \"/x\"\nsteps = [{ call = { to = \"alb.back\", path = \"/x\" } }]
[ecs.a]\ncpu = \"1 vCPU\"
[alb.back]\ntarget_group.b.targets = \"ecs.a\"\n";
    let text = format!("{SMALL}{handlers}");
    let wrong = load_text(&text, &["ecs.web.handler.0.steps=[{ call = { to = \"alb.back\", path = \"/x\" } }]"]);
    let wrong = wrong.map(|scenario| scenario.title).expect_err("a circle");
    assert!(wrong.contains("requests go in a circle: alb.back -> ecs.a -> alb.back"), "{wrong}");
    assert_eq!(wrong.matches("in a circle").count(), 1, "{wrong}");
    // The same parts by other paths are no circle.
    let fine = text.replace(
        "steps = [{ call = { to = \"alb.back\", path = \"/x\" } }]",
        "steps = [{ call = { to = \"alb.back\", path = \"/y\" } }]",
    ) + "[[ecs.a.handler]]\npath = \"/y\"\nsteps = []\n";
    assert!(load_text(&fine, &["ecs.web.handler.0.steps=[{ call = { to = \"alb.back\", path = \"/x\" } }]"]).is_ok());
}

#[test]
fn a_way_of_two_distributions_is_too_long() {
    let text = SMALL.replace("to = \"alb.front\"", "to = \"cloudfront.outer\"")
        + "[cloudfront.outer]\ndefault_cache_behavior = { target_origin = \"cloudfront.inner\" }
[cloudfront.inner]\ndefault_cache_behavior = { target_origin = \"alb.front\" }\n";
    refused(&text, &[], &["the way to `ecs.web` is too long"]);
}

#[test]
fn a_route_that_no_handler_answers_is_refused() {
    refused(
        SMALL,
        &["ecs.web.handler.0.path=/shop/*"],
        &["no handler of ecs.web has the path `/`", "its handlers have `/shop/*`"],
    );
}

#[test]
fn parts_that_nothing_uses_are_warned_of() {
    let scenario = with(
        "[station.spare]\nservice = \"1ms\"\n[catalog.none]\nobjects = 1\nsize = \"1KB\"\n[[ecs.web.handler]]\npath = \"/never\"\nsteps = []\n",
    );
    let warnings = scenario.warnings.join("\n");
    for text in [
        "test.toml:16:10: no traffic reaches `station.spare`",
        "no route asks for the catalogue `none`",
        "the handler `/never` of `ecs.web`",
    ] {
        assert!(warnings.contains(text), "{warnings}");
    }
}

#[test]
fn expectations_have_bounds_with_the_unit_of_their_figure() {
    let expect = |more: &str| format!("{SMALL}[[expect]]\n{more}\n");
    let scenario = load_text(&expect("metric = \"latency.p99\"\nroute = \"/\"\nmax = \"300ms\""), &[]).expect("right");
    assert_eq!(scenario.expectations[0].max, Some(0.3));
    assert_eq!(scenario.expectations[0].text, "latency.p99 of / <= 300ms");
    let scenario = load_text(&expect("metric = \"availability\"\nmin = \"99.9%\""), &[]).expect("right");
    assert_eq!(scenario.expectations[0].min, Some(0.999));
    refused(&expect("metric = \"latency.p99\"\nmax = 300"), &[], &["is a time and needs a unit", "write \"300ms\""]);
    refused(&expect("metric = \"availability\"\nmin = 99.9"), &[], &["write \"99.9%\""]);
    refused(&expect("metric = \"availability\"\nmin = \"300ms\""), &[], &["is a share, not a time"]);
    refused(&expect("metric = \"latency.p99\""), &[], &["no bound"]);
    refused(&expect("metric = \"latency.p99\"\nmin = \"2s\"\nmax = \"1s\""), &[], &["`max` is below `min`"]);
    refused(
        &expect("metric = \"latency.p99\"\nmax = \"1s\"\nroute = \"/chekout\""),
        &[],
        &["no route is called `/chekout`", "`users /`"],
    );
}

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

fn log(name: &str, text: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join(name), text).expect("the log can be written");
    folder
}

#[test]
fn a_log_is_replayed_by_its_routes() {
    let line = |second: u32, path: &str| {
        format!(
            "192.0.2.{second} - - [10/Oct/2000:13:55:{:02} +0000] \"GET {path} HTTP/1.1\" 200 2326 \"-\" \"-\"\n",
            10 + second
        )
    };
    let text: String = [line(0, "/"), line(1, "/a.png"), line(2, "/b.png"), line(20, "/late")].concat();
    let folder = log("replayed.log", text.as_bytes());
    let scenario = SMALL
        .replace(
            "rate = \"10/s\"",
            "replay = { log = \"replayed.log\" }\nroutes = [{ path = \"*.png\" }, { path = \"*\" }]",
        )
        .replace("duration = \"10m\"", "");
    let load = |text: &str, overrides: &[&str]| {
        let overrides: Vec<Override> = overrides.iter().map(|it| Override((*it).to_string())).collect();
        let options = LoadOptions { base_dir: Some(&folder), ..LoadOptions::default() };
        load_with(&Source { name: "replay.toml".into(), text: text.into() }, &overrides, &options)
            .map_err(|w| w.render(false))
    };
    let all = load(&scenario, &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(all.architecture.run.duration, SimDuration::from_secs(21), "until the last record");
    assert_eq!(all.architecture.routes, ["users *.png", "users *"]);
    let Arrivals::Replay(records) = &all.architecture.traffic[0].arrivals else { panic!("replay") };
    let routes: Vec<u16> = records.iter().map(|record| record.route).collect();
    assert_eq!((routes.as_slice(), all.architecture.traffic[0].clients), (&[1, 0, 0, 1][..], 4));

    let part =
        load(&scenario, &["traffic.0.replay.start=1s", "traffic.0.replay.speed=2", "run.duration=5s"]).expect("right");
    let Arrivals::Replay(records) = &part.architecture.traffic[0].arrivals else { panic!("replay") };
    assert_eq!(records.len(), 2);
    assert!(part.architecture.notes.iter().any(|note| note.contains("1 requests of the log come after the end")));

    let wrong = load(&scenario.replace(", { path = \"*\" }", ""), &[]).expect_err("paths are left over");
    assert!(wrong.contains("no route has the path `/` of the log") && wrong.contains("{ path = \"*\" }"), "{wrong}");
    let wrong = load(&scenario.replace("replayed.log", "missing.log"), &[]).expect_err("there is no such log");
    assert!(wrong.contains("access log missing.log") && wrong.contains("replay.toml:"), "{wrong}");
    log("binary.log", &[0, 159, 146, 150].repeat(1000));
    let wrong = load(&scenario.replace("replayed.log", "binary.log"), &[]).expect_err("this is no log");
    assert!(wrong.contains("access log binary.log"), "{wrong}");
}

#[test]
fn the_library_answers_to_overrides() {
    let text = library::get("web-shop").expect("in the library");
    let scenario = load_text(text, &["ecs.web.desired_count=6", "traffic.sydney.rate=120/s", "network.region_rtt=0s"])
        .expect("right");
    assert_eq!(scenario.architecture.ecs[0].desired_count, 6);
    assert_eq!(scenario.architecture.network.region_rtt, SimDuration::ZERO);
}

#[test]
fn a_second_target_group_is_green_or_warned_of() {
    let two = SMALL.replace(
        "target_group.web.targets = \"ecs.web\"",
        "target_group.web.targets = \"ecs.web\"\ntarget_group.next.targets = \"ecs.web\"\nrule = [{ forward = \"web\" }]",
    );
    let scenario = loaded(&two, &[]);
    assert_eq!(scenario.warnings, ["test.toml:11:14: no rule forwards to the target group `next`"]);
    assert_eq!(scenario.architecture.ecs[0].target_groups.len(), 1);
    let deploy = "[[deploy]]\nservice = \"ecs.web\"\nat = \"5m\"\nstrategy = \"blue_green\"\nbake_time = \"1m\"\n";
    let scenario = loaded(&format!("{two}{deploy}"), &[]);
    assert_eq!((scenario.warnings.len(), scenario.architecture.ecs[0].target_groups.len()), (0, 2));
    assert_eq!(scenario.architecture.alb[0].target_groups.len(), 2, "the given one is the green one");
    refused(&two, &["alb.front.rule.0.forward={ web = 9, next = 1 }"], &["two target groups that get requests"]);
}

const NETWORK: &str = r#"
title = "network"
[run]
duration = "1h"
[[traffic]]
name = "customers"
to = "station.a"
rate = { base = "1/s", at = [["8h", "9/s"], ["20h", "1/s"]], ramp = "1h", repeat = "24h" }
arrivals = { mmpp = [{ factor = 1, lasts = "9m" }, { factor = 11, lasts = "1m" }] }
batch = { geometric = 2.5 }
[station.a]
servers = 2
service = "1ms"
patience = "5s"
rate_limit = { rate = "100/s", burst = 10 }
breakdown = { time_to_failure = { exponential = "1h" }, repair_time = "1m", on_failure = "lose", quorum = 1 }
then = [{ to = "station.b", probability = "70%" }]
[station.b]
servers = 1
discipline = "processor_sharing"
limit = 4
patience = "1s"
service = "1ms"
cache = { origin = "station.c", ttl = "1h", renewal = "sliding" }
[station.c]
service = "1ms"
"#;

#[test]
fn stations_send_requests_on_fail_limit_and_keep_copies() {
    // A run of an hour is over before the rate changes; of two days it is not.
    refused(NETWORK, &[], &["the rate changes after the end of the run"]);
    let scenario = loaded(NETWORK, &["run.duration=2d"]);
    assert!(scenario.warnings.is_empty(), "{:?}", scenario.warnings);
    let [a, b, _] = &scenario.architecture.stations[..] else { panic!("three stations") };
    assert_eq!(a.then, [(StationId(1), 0.7)]);
    assert_eq!((b.limit, b.cache.map(|cache| cache.origin)), (Some(4), Some(StationId(2))));
    let Arrivals::Open { process: Process::Modulated(phases), rate, batch } =
        &scenario.architecture.traffic[0].arrivals
    else {
        panic!("modulated")
    };
    // Half and five and a half times as often: once on average.
    assert!((phases[0].factor - 0.5).abs() < 1e-12 && (phases[1].factor - 5.5).abs() < 1e-12);
    assert_eq!(*batch, Batch::Geometric(2.5));
    let hour = |n: u64| SimTime::from_secs(3600 * n);
    let day = [(hour(8), 1.0), (hour(9), 9.0), (hour(20), 9.0), (hour(21), 1.0)];
    assert_eq!(rate.points[1..5], day);
    assert_eq!(
        rate.points[5..],
        [&[(hour(24), 1.0), (hour(24), 1.0)], &day.map(|(at, rate)| (at + SimDuration::from_secs(86_400), rate))[..]]
            .concat()
    );
}

#[test]
fn stations_that_make_no_sense_are_refused() {
    let table: &[(&str, &str)] = &[
        ("station.a.limit=3", "only cores that are shared have a `limit`"),
        ("station.c.patience=1s", "nobody waits here"),
        ("station.c.breakdown={ time_to_failure = \"1h\", repair_time = \"1m\" }", "there is no server to fail"),
        ("station.b.breakdown={ time_to_failure = \"1h\", repair_time = \"1m\" }", "cores that are shared do not fail"),
        ("station.a.breakdown.quorum=3", "quorum must be between 1 and 2"),
        ("station.a.breakdown.time_to_failure=10us", "these servers fail too often"),
        ("station.a.breakdown.on_failure=restart", "`restart` is not modelled yet"),
        ("station.a.rate_limit.burst=0", "burst must be between 1"),
        ("station.a.rate_limit.rate=1e12/s", "this rate is too high"),
        ("station.a.then=[{ to = \"station.d\" }]", "nothing here is called `station.d`"),
        ("station.a.then=[{ to = \"station.a\" }]", "requests never leave `station.a`"),
        (
            "station.a.then=[{ to = \"station.b\", probability = \"60%\" }, { to = \"station.c\", probability = \"50%\" }]",
            "sum up to more than 100%",
        ),
        ("station.b.then=[{ to = \"station.c\" }]", "a station has a `cache` or `then`, not both"),
        ("station.b.cache.origin=station.b", "requests go in a circle: station.b -> station.b"),
    ];
    for (change, message) in table {
        refused(NETWORK, &["run.duration=2d", change], &[message, "--set:1:"]);
    }
    let vast = NETWORK.replace("[station.a]", "[catalog.dust]\nobjects = 1000000000000\nsize = \"1B\"\n[station.a]");
    let asks = "traffic.0.routes=[{ path = \"/*\", catalog = \"dust\" }]";
    refused(&vast, &["run.duration=2d", asks, "station.b.cache.capacity=1TB"], &["this cache would hold about"]);
}

/// SMALL with a second target group and rules in front.
fn with_rules(rules: &str) -> String {
    let text = SMALL.replace(
        "target_group.web.targets = \"ecs.web\"",
        &format!(
            "target_group.web.targets = \"ecs.web\"\ntarget_group.beta.targets = \"station.beta\"\nrule = [{rules}]"
        ),
    );
    text + "[station.beta]\nservice = \"1ms\"\n"
}

#[test]
fn rules_are_ordered_by_priority_and_matched_with_what_routes_say_of_themselves() {
    let text = with_rules(
        r#"{ priority = 20, host_header = "*.example.com", http_header = [{ name = "user-agent", values = ["*Mobile*", "Bot"] }], forward = "beta" },
           { priority = 5, query_string = [{ key = "v", value = "2" }, { value = "beta" }], forward = "beta" },
           { priority = 30, path_pattern = ["/a/*", "/b"], http_request_method = ["POST", "PUT"], source_ip = "203.0.113.0/24", forward = "beta" },
           { forward = "web" }"#,
    );
    let routes = r#"traffic.users.routes=[
        { path = "/", name = "plain" },
        { path = "/", name = "mobile", host = "www.EXAMPLE.com", http_headers = { User-Agent = "A Mobile Browser" } },
        { path = "/", name = "elsewhere", host = "example.org", http_headers = { User-Agent = "bot" } },
        { path = "/", name = "second", query = { v = "2" } },
        { path = "/b", name = "any value", method = "POST", query = { x = "BETA" } }]"#;
    let scenario = loaded(&text, &[&routes.replace('\n', " "), "traffic.users.source_ip=203.0.113.0/28"]);
    let front = &scenario.architecture.alb[0];
    let routes = |rule: usize| front.rules[rule].conditions.routes.clone().unwrap_or_default();
    assert_eq!(routes(0), [false, false, false, true, true], "priority 5 comes first");
    assert_eq!(routes(1), [false, true, false, false, false], "all conditions, case aside");
    let third = &front.rules[2];
    assert_eq!((third.conditions.methods.len(), third.conditions.sources[0].prefix), (2, 24));
    let way = |route: usize| {
        let path = scenario.architecture.traffic[0].routes[route].path;
        front.ways[usize::from(front.way_of_path[path.index()])].clone()
    };
    assert_eq!((way(0), way(4)), (vec![0, 1, 3], vec![0, 1, 2, 3]));
    assert_eq!(scenario.architecture.routes[1], "users mobile");
    assert_eq!(scenario.architecture.traffic[0].addresses.map(|block| block.size()), Some(16));
}

#[test]
fn mistakes_in_rules_and_target_groups_are_told() {
    let rule = |rule: &str| with_rules(&format!("{rule}, {{ forward = \"web\" }}"));
    for (text, says) in [
        (
            rule(
                "{ priority = 1, path_pattern = \"/a\", forward = \"beta\" }, { path_pattern = \"/b\", forward = \"beta\" }",
            ),
            "lacks `priority`",
        ),
        (
            rule(
                "{ priority = 1, path_pattern = \"/a\", forward = \"beta\" }, { priority = 1, path_pattern = \"/b\", forward = \"beta\" }",
            ),
            "two rules of priority 1",
        ),
        (rule("{ path_pattern = \"/a\", forward = \"beta\", fixed_response = 404 }"), "one of them"),
        (rule("{ path_pattern = \"/a\" }"), "does nothing"),
        (
            rule("{ path_pattern = [\"/a\", \"/b\", \"/c\", \"/d\", \"/e\", \"/f\"], forward = \"beta\" }"),
            "too many values",
        ),
        (rule("{ source_ip = \"203.0.113.7/24\", forward = \"beta\" }"), "write \"203.0.113.0/24\""),
        (rule("{ source_ip = \"2001:db8::/32\", forward = \"beta\" }"), "IPv6 is not modelled"),
        (rule("{ source_ip = [], forward = \"beta\" }"), "never holds"),
        (rule("{ path_pattern = \"/a\", redirect = { path = \"/b*\" } }"), "goes to one path"),
        (rule("{ path_pattern = \"/*\", redirect = { path = \"/\" } }"), "requests go in a circle"),
        (
            rule("{ path_pattern = \"/a\", fixed_response = 404, target_group_stickiness = \"1h\" }"),
            "only a rule that forwards",
        ),
    ] {
        let wrong = load_text(&text, &[]).err().unwrap_or_else(|| panic!("{text}")).to_string();
        assert!(wrong.contains(says), "{says}: {wrong}");
    }
    for (set, says) in [
        ("alb.front.target_group.web.slow_start=10s", "slow_start must be between 30s and"),
        ("alb.front.target_group.web.anomaly_mitigation=true", "needs weights"),
        ("alb.front.target_group.web.cross_zone=false", "one node for all zones"),
        ("alb.front.target_group.web.target_group_health.dns_failover.count=2", "one node for all zones"),
        ("alb.front.target_group.web.stickiness={ cookie = \"app_cookie\" }", "needs its name"),
        ("alb.front.target_group.web.stickiness={ cookie_name = \"x\" }", "has a name already"),
        ("alb.front.availability_zones=[\"a\"]", "where the load balancer is not enabled"),
        ("alb.front.web_acl=waf.none", "no web ACL is called"),
        ("alb.front.initial_capacity=0/s", "cannot be scaled for this"),
    ] {
        refused(SMALL, &[set], &[says]);
    }
    let zones = "alb.front.availability_zones=[\"a\", \"b\", \"c\"]";
    let shift = "[[fault]]\nat = \"10s\"\naction = \"aws:arc:start-zonal-autoshift\"\ntarget = \"alb.front\"\navailability_zone = \"b\"\nduration = \"20s\"\n";
    refused(&format!("{SMALL}{shift}"), &[zones], &["zonal shifts are off"]);
    refused(&format!("{SMALL}{shift}"), &["alb.front.zonal_shift=true"], &["nowhere to shift to"]);
    let on = "alb.front.zonal_shift=true";
    refused(&format!("{SMALL}{shift}"), &[zones, on, "fault.0.availability_zone=d"], &["has no zone `d`"]);
    assert!(load_text(&format!("{SMALL}{shift}"), &[zones, on]).is_ok());
}

#[test]
fn web_acls_are_read_and_their_mistakes_told() {
    let acl = "[waf.edge]\n[[waf.edge.rule]]\nname = \"rate\"\naction = \"block\"\nrate_based = { limit = 1000, evaluation_window = \"1m\" }\n";
    let text = SMALL.replace("[alb.front]", &format!("{acl}[alb.front]\nweb_acl = \"waf.edge\""));
    let scenario = loaded(&text, &[]);
    assert_eq!(scenario.architecture.web_acls, [(Endpoint::Alb(AlbId(0)), WafId(0))]);
    let rate = scenario.architecture.waf[0].rules[0].rate.expect("rate-based");
    assert_eq!((rate.limit, rate.window.as_secs_f64(), rate.lag.as_secs_f64()), (1000, 60.0, 15.0));
    for (set, says) in [
        ("waf.edge.rule.0.action=allow", "cannot allow"),
        ("waf.edge.rule.0.rate_based.limit=50", "limit must be between 100 and"),
        ("waf.edge.rule.0.rate_based.evaluation_window=90s", "lasts 1, 2, 5 or 10 minutes"),
        ("waf.edge.rule.0.captcha=true", "not modelled yet"),
    ] {
        refused(&text, &[set], &[says]);
    }
}

#[test]
fn a_network_load_balancer_is_read_with_its_own_defaults() {
    let text = SMALL.replace("alb.front", "nlb.front");
    let scenario = loaded(&text, &[]);
    let front = &scenario.architecture.alb[0];
    let group = &front.target_groups[0];
    assert_eq!(front.kind, models::alb::Kind::Network);
    assert_eq!((front.idle_timeout.as_secs_f64(), group.health_check.timeout.as_secs_f64()), (350.0, 10.0));
    assert!(!group.cross_zone && scenario.warnings.is_empty(), "{:?}", scenario.warnings);
    assert_eq!(scenario.architecture.ecs[0].target_groups, [(AlbId(0), TargetGroupId(0))]);
    let both = format!(
        "{SMALL}[nlb.inner]\ntarget_group.desk.targets = \"station.desk\"\n[station.desk]\nservice = \"1ms\"\n"
    );
    let call = "ecs.web.handler.0.steps=[{ call = \"nlb.inner\" }]";
    let scenario = loaded(&both, &[call]);
    assert_eq!(scenario.architecture.alb[1].name, "inner");
    for (set, says) in [
        ("nlb.front.idle_timeout=10s", "idle_timeout must be between 1m and"),
        ("nlb.front.target_group.second.targets=ecs.web", "one target group"),
        ("nlb.front.web_acl=waf.none", "not modelled yet"),
        ("nlb.front.target_group.web.stickiness={}", "not modelled yet"),
        (
            "ecs.web.scaling=[{ policy_name = \"r\", min_capacity = 1, max_capacity = 9, predefined_metric_type = \"ALBRequestCountPerTarget\", target_value = 9 }]",
            "nothing publishes `RequestCountPerTarget`",
        ),
    ] {
        refused(&text, &[set], &[says]);
    }
    let deploy = "[[deploy]]\nservice = \"ecs.web\"\nat = \"1m\"\nstrategy = \"blue_green\"\nbake_time = \"1m\"\n";
    refused(&format!("{text}{deploy}"), &[], &["behind a network load balancer"]);
}

fn with_database(database: &str) -> String {
    format!(
        "{}\n{database}",
        SMALL.replace("steps = [{ cpu = \"5ms\" }]", "steps = [{ call = { to = \"rds.db.read\", timeout = \"1s\" } }]")
    )
}

const RDS: &str = r#"
[rds.db]
deployment = "multi_az"
db_instance_class = "db.r6g.large"
availability_zones = ["a", "b"]
read_replicas = [{ name = "copy" }]
storage = { storage_type = "gp2", allocated_storage = "100GiB" }
maintenance_window = { start = "5m" }
[rds.db.statements]
read = { cpu = "1ms" }
report = { endpoint = "copy", cpu = "1ms" }
"#;

/// RDS is Aurora's model with other instances, times and storage. 16 GiB give MySQL about 1,300 connections (CHAP_Limits), 100 GiB of
/// gp2 300 I/Os a second and 3,000 with credits (EC2 guide).
#[test]
fn an_rds_database_has_a_standby_connections_by_memory_and_a_volume() {
    use models::aurora::{Change, ClusterEndpoint, Kind, Volume};
    let change =
        "[[maintenance]]\nat = \"2m\"\naction = \"RebootDBInstance\"\ntarget = \"rds.db\"\napply_immediately = false";
    let scenario = loaded(&with_database(&format!("{RDS}{change}")), &[]);
    let database = &scenario.architecture.aurora[0];
    let instances: Vec<_> = database.instances.iter().map(|it| (it.name.as_str(), it.kind, it.zone.as_str())).collect();
    assert_eq!(instances, [("db-1", Kind::Standby, "a"), ("db-2", Kind::Standby, "b"), ("copy", Kind::Replica, "a")]);
    assert_eq!(database.endpoints, [ClusterEndpoint::Cluster, ClusterEndpoint::Instance(2)]);
    assert_eq!(database.instances[0].class.max_connections, 1297);
    assert_eq!(database.volume, Some(Volume { baseline: 300.0, burst: 3000.0, credits: 5.4e6 }));
    assert_eq!(database.failover.promotion, Distribution::uniform(60.0, 120.0).unwrap());
    // The change waits for the window.
    let planned = &database.changes[0];
    assert_eq!(planned.at, SimTime::ZERO + SimDuration::from_secs(300));
    assert!(matches!(planned.change, Change::Reboot { instance: None }));
}

#[test]
fn mistakes_in_databases_and_their_changes_are_told() {
    let refuse = |more: &str, overrides: &[&str], needles: &[&str]| {
        refused(&with_database(&format!("{RDS}{more}")), overrides, needles);
    };
    refuse("", &["rds.db.statements.read.endpoint=reader"], &["no endpoint `reader`", "`cluster`, `copy`"]);
    refuse("", &["rds.db.statements.read.endpoint=\"\""], &["no endpoint ``"]);
    refuse("", &["rds.db.deployment=multi_az_cluster"], &["needs more zones", "a Multi-AZ DB cluster none here"]);
    refuse("", &["rds.db.storage.iops=5000"], &["gp2's IOPS follow from its size"]);
    refuse("", &["rds.db.db_instance_class=db.huge"], &["size of class `db.huge` is not known"]);
    refuse("", &["rds.db.pool.wrapper.failure_detection_count=5"], &["settings of another driver"]);
    refuse(
        "[rds.db.rds_proxy]\n",
        &["rds.db.pool.driver=aws_advanced_jdbc_wrapper"],
        &["cannot see the cluster's topology"],
    );
    let change = |rest: &str| format!("[[maintenance]]\nat = \"2m\"\ntarget = \"rds.db\"\n{rest}\n");
    let fault = |rest: &str| format!("[[fault]]\nat = \"2m\"\ntarget = \"rds.db\"\n{rest}\n");
    refuse(&change("action = \"FailoverDBCluster\""), &[], &["FailoverDBCluster is for clusters"]);
    refuse(&change("action = \"ModifyDBInstance\""), &[], &["ModifyDBInstance lacks `db_instance_class`"]);
    refuse(
        &change("action = \"ModifyDBCluster\"\nengine_version = \"minor\""),
        &[],
        &["how long a minor upgrade of RDS takes is not documented"],
    );
    refuse(
        &change("action = \"RebootDBInstance\"\ndb_instance_class = \"db.r6g.large\""),
        &[],
        &["RebootDBInstance has no parameter `db_instance_class`"],
    );
    refuse(
        &change("action = \"RebootDBInstance\"\napply_immediately = false").replace("\"2m\"", "\"9h\""),
        &[],
        &["comes after the end of the run"],
    );
    refuse(
        &change("action = \"RebootDBInstance\"").replace("rds.db", "rds.dbs"),
        &[],
        &["nothing here is called `rds.dbs`", "did you mean"],
    );
    refuse(
        &fault("action = \"aws:network:disrupt-connectivity\"\nduration = \"1m\"\navailability_zone = \"x\""),
        &[],
        &["no instance is in zone `x`"],
    );
    refuse(
        &fault("action = \"aws:rds:reboot-db-instances\"\nforce_failover = true"),
        &["rds.db.deployment=single_az"],
        &["no standby to fail over to"],
    );
    refuse(
        &fault("action = \"stormglass:db-instance-failure\"\ndb_instance_identifier = \"copi\""),
        &[],
        &["no instance `copi`"],
    );
    refuse(&fault("action = \"aws:ecs:stop-task\""), &[], &["rds.db"]);
}

#[test]
fn serverless_instances_have_the_connections_of_their_largest_capacity() {
    let text = |engine: &str, least: &str, most: &str| {
        SMALL.replace("steps = [{ cpu = \"5ms\" }]", "steps = [{ call = \"aurora.db\" }]")
            + &format!(
                "[aurora.db]\nengine = \"{engine}\"\ninstances = [{{ name = \"w\", db_instance_class = \"db.serverless\" }}]\n\
                 serverless_v2_scaling_configuration = {{ min_capacity = {least}, max_capacity = {most} }}\n\
                 [aurora.db.statements]\nread = {{ cpu = \"1ms\" }}\n"
            )
    };
    for (engine, least, most, connections) in [
        ("aurora-mysql", "0.5", "1", 90),
        ("aurora-mysql", "0.5", "16", 2000),
        ("aurora-mysql", "2", "20.5", 2000),
        ("aurora-postgresql", "1", "16", 3360),
        ("aurora-postgresql", "0.5", "16", 2000),
    ] {
        let scenario = loaded(&text(engine, least, most), &[]);
        assert_eq!(scenario.architecture.aurora[0].instances[0].class.max_connections, connections, "{engine} {most}");
    }
    refused(&text("aurora-mysql", "0", "16"), &[], &["auto-pause is not modelled"]);
    refused(&text("aurora-mysql", "8", "4"), &[], &["`min_capacity` is above `max_capacity`"]);
    refused(&text("aurora-mysql", "0.7", "4"), &[], &["steps of 0.5"]);
}
