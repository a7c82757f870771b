//! What the language means: texts, and the architecture they become or the mistake they are.

mod common;

use common::{SMALL, load_text, loaded, refused, small, with};
use models::alb::{Action, Targets};
use models::client::{Arrivals, Jitter};
use models::deployment::{Action as StageAction, Strategy};
use models::ecs::StepAction;
use models::ids::*;
use models::route53::{RoutingPolicy, Source as Looks};
use models::timeline::FaultAction;
use scenarios::{LoadOptions, Override, Source, library, load_with};
use sim_core::SimDuration;
use sim_core::distribution::Distribution;
use std::path::PathBuf;

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

/// Fact sheet, sections 18 and 19: the choice where AWS's texts disagree, and what nobody documents.
#[test]
fn disputed_and_undocumented_defaults_are_those_of_the_fact_sheet() {
    let secs = SimDuration::from_secs;
    let a = small(&[]).architecture;
    let front = &a.alb[0];
    let group = &front.target_groups[0];
    assert_eq!(group.health_check.timeout, secs(5), "5 s, not the API's 6 and 10");
    assert_eq!((group.dns_failover.count, front.added_latency), (1, SimDuration::from_millis(1)));
    assert_eq!((a.run.metric_delay, a.run.high_resolution_metric_delay), (secs(60), secs(10)));
    assert_eq!(a.route53.propagation, secs(5));
    let web = &a.ecs[0];
    assert_eq!(
        (web.pull_bytes_per_s, web.scheduler_interval, web.healthy_after),
        (15.0 * 1024.0 * 1024.0, secs(5), secs(40))
    );
    assert_eq!((web.launch_time.clone(), web.stop_timeout), (Distribution::Constant(25.0), secs(30)));
    // An instance is up after API, pending and boot: 22 s. A task on one, where the image is, after 5 s and 5 s for its interface.
    let group = SMALL
        .replace(
            "[ecs.web]\ndesired_count = 4\ncpu = \"1 vCPU\"",
            "[ec2.web]\ninstance_type = \"m5.large\"\ndesired_capacity = 2",
        )
        .replace("ecs.web", "ec2.web");
    let group = &loaded(&group, &[]).architecture.ec2[0];
    assert_eq!((&group.launch_time, &group.boot_time), (&Distribution::Constant(19.0), &Distribution::Constant(3.0)));
    let on_instances = small(&["ecs.web.container_instances={ instance_type = \"m5.large\", count = 4 }"]);
    assert_eq!(on_instances.architecture.ecs[0].launch_time, Distribution::Constant(10.0));
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
    // The guide says 60 s at most, the API since then 120.
    loaded(&text, &["cloudfront.edge.origin_read_timeout=120s"]);
    refused(&text, &["cloudfront.edge.origin_read_timeout=121s"], &["origin_read_timeout must be between"]);
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
