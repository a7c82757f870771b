//! What is paid for, as a user's scenario has it: quantities by hand, prices by the fact sheet.

mod common;

use common::{loaded, simulated};
use scenarios::{Scenario, Source, load};
use sim_core::observations::{Observations, Part};

/// Four tasks of a vCPU behind a load balancer for an hour.
const SERVICE: &str = r#"
title = "cost"
[run]
duration = "1h"
replications = 1
seed = 7
[[traffic]]
name = "users"
to = "alb.front"
rate = "2/s"
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

fn run(more: &str, set: &[&str]) -> Observations {
    let scenario = loaded(&format!("{SERVICE}\n{more}"), set);
    simulated(&scenario, scenario.seed)
}

fn used(seen: &Observations, subject: &str, item: &str, part: Part) -> f64 {
    let fits = |it: &&sim_core::observations::Usage| it.subject == subject && it.item == item && it.part == part;
    seen.usage.iter().filter(fits).map(|it| it.quantity).sum()
}

#[track_caller]
fn assert_used(seen: &Observations, subject: &str, item: &str, expected: f64) {
    let found = used(seen, subject, item, Part::Planned);
    assert!((found - expected).abs() < 1e-9 * expected.max(1.0), "{item} of {subject}: {found}, not {expected}");
}

#[test]
fn an_hour_of_four_tasks_is_four_vcpu_hours_and_eight_gb_hours() {
    let seen = run("", &[]);
    assert_used(&seen, "ecs.web", "fargate.vcpu", 4.0);
    assert_used(&seen, "ecs.web", "fargate.memory", 8.0);
    assert_used(&seen, "alb.front", "alb.hours", 1.0);
    // Nothing was scaled, deployed or replaced.
    assert!(seen.usage.iter().all(|it| it.part == Part::Planned), "{:?}", seen.usage);
    // The warm-up is left out.
    let seen = run("", &["run.warm_up=15m"]);
    assert_used(&seen, "ecs.web", "fargate.vcpu", 3.0);
    assert_used(&seen, "alb.front", "alb.hours", 0.75);
}

#[test]
fn what_a_deployment_runs_beyond_the_desired_count_stands_apart() {
    let seen = run("[[deploy]]\nservice = \"ecs.web\"\nat = \"5m\"", &[]);
    assert_used(&seen, "ecs.web", "fargate.vcpu", 4.0);
    let extra = used(&seen, "ecs.web", "fargate.vcpu", Part::Deployment);
    // A wave of four: charged from the pull (10 s after the request) until the old ones are gone, as the tasks' own book has it.
    let hours = seen.counters.iter().find(|it| it.name == "extra_task_hours").expect("it deploys").value;
    assert!((extra - (hours - 4.0 * 10.0 / 3600.0)).abs() < 1e-6, "{extra} of {hours}");
    assert_eq!(used(&seen, "ecs.web", "fargate.vcpu", Part::Scaled), 0.0);
}

#[test]
fn a_task_that_crashes_at_once_is_paid_for_a_minute() {
    let bad = "[[deploy]]\nservice = \"ecs.web\"\nat = \"5m\"\ndeployment_circuit_breaker = {}\nrevision = { crash_on_start = \"100%\" }";
    let seen = run(bad, &[]);
    let minimum = used(&seen, "ecs.web", "fargate.vcpu", Part::Minimum);
    // Each ran for 15 s after its pull began: 45 s more are charged.
    let tasks = minimum * 3600.0 / 45.0;
    assert!(tasks >= 3.0 && (tasks - tasks.round()).abs() < 1e-6, "{tasks}");
}

#[test]
fn scaling_beyond_the_scenarios_count_stands_apart() {
    let scaling = r#"
[[ecs.web.scheduled_action]]
name = "evening"
at = "30m"
min_capacity = 6
max_capacity = 6
"#;
    let seen = run(scaling, &[]);
    assert_used(&seen, "ecs.web", "fargate.vcpu", 4.0);
    let scaled = used(&seen, "ecs.web", "fargate.vcpu", Part::Scaled);
    // Two more from a few seconds after half past.
    assert!((0.98..1.0).contains(&scaled), "{scaled}");
}

const DATABASES: &str = r#"
[aurora.orders]
instances = [{ name = "a", db_instance_class = "db.r6g.large" }, { name = "b", db_instance_class = "db.r6g.xlarge" }]
statements = { put = { write = true, cpu = "1ms" }, get = { cpu = "1ms", pages = 3, endpoint = "reader" } }
volume_size = "100GB"
[rds.bills]
deployment = "multi_az"
db_instance_class = "db.m5.large"
statements = { read = { cpu = "1ms" } }
storage = { allocated_storage = "100GiB" }
[aurora.small]
instances = [{ name = "s", db_instance_class = "db.serverless" }]
serverless_v2_scaling_configuration = { min_capacity = 0.5, max_capacity = 4.0 }
storage_type = "aurora-iopt1"
statements = { read = { cpu = "1ms" } }
"#;

#[test]
fn databases_are_paid_for_by_instance_storage_and_request() {
    let calls = r#"ecs.web.handler=[{ steps = [{ cpu = "1ms" }, { call = "aurora.orders.put" }] }]"#;
    let seen = run(DATABASES, &[calls]);
    let kind = |class: &str| seen.usage.iter().find(|it| it.kind == class).map(|it| it.quantity);
    assert_eq!(kind("db.r6g.large"), Some(1.0));
    assert_eq!(kind("db.r6g.xlarge"), Some(1.0));
    assert_used(&seen, "aurora.orders", "aurora.storage", 100.0 / 730.0);
    // Each operation is one write, and writes read no pages here.
    let writes = seen.counters.iter().find(|it| it.subject == "aurora.orders" && it.name == "queries answered");
    assert_used(&seen, "aurora.orders", "aurora.io", writes.expect("it is asked").value);
    // A standby is an instance and a volume more.
    assert_eq!(kind("mysql db.m5.large"), Some(2.0));
    assert_used(&seen, "rds.bills", "rds.storage", 200.0 / 730.0);
    // Half an ACU for an hour; I/O is free, and nobody says how large the volume is.
    assert_used(&seen, "aurora.small", "aurora.acu_io_optimized", 0.5);
    assert!(!seen.usage.iter().any(|it| it.subject == "aurora.small" && it.item == "aurora.io"));
    assert!(seen.usage.iter().any(|it| it.subject == "aurora.small" && it.quantity.is_nan()));
}

#[test]
fn prices_come_from_the_built_in_list_or_a_file() {
    let of = |scenario: &Scenario, item: &str| {
        scenario.cost.prices.iter().find(|it| it.item == item && it.region == "us-east-1").map(|it| it.usd)
    };
    let scenario = loaded(SERVICE, &[]);
    assert_eq!(of(&scenario, "fargate.vcpu"), Some(0.04048));
    assert_eq!((scenario.cost.region.as_str(), scenario.cost.region_given), ("us-east-1", false));
    let placed = loaded(
        SERVICE,
        &["network.region=eu-west-1", "ecs.web.region=ap-northeast-1", "alb.front.region=ap-northeast-1"],
    );
    assert_eq!(placed.cost.regions["ecs.web"], "ap-northeast-1");
    assert_eq!(placed.cost.regions["alb.front"], "ap-northeast-1");
    assert_eq!((placed.cost.region.as_str(), placed.cost.region_given), ("eu-west-1", true));

    let folder = std::env::temp_dir().join(format!("stormglass-prices-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    let own = "[[price]]\nregion = \"us-east-1\"\nitem = \"fargate.vcpu\"\nper = \"vCPU-hour\"\nusd = 0.03\ndate = \"2027-01\"\nsource = \"ours\"\n";
    write("own.toml", own);
    write("wrong.toml", &own.replace("usd = 0.03", "usd = \"cheap\""));
    let source = Source { name: "test.toml".into(), text: format!("{SERVICE}\n[cost]\nprices = \"own.toml\"\n") };
    let scenario = load(&source, &[], Some(&folder)).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    assert_eq!((of(&scenario, "fargate.vcpu"), of(&scenario, "fargate.memory")), (Some(0.03), Some(0.004445)));
    let refused = |file: &str| {
        let text = source.text.replace("own.toml", file);
        let wrong = load(&Source { text, ..source.clone() }, &[], Some(&folder)).expect_err("it is wrong");
        wrong.render(false)
    };
    assert!(refused("wrong.toml").contains("wrong.toml:5:7"), "{}", refused("wrong.toml"));
    assert!(refused("none.toml").contains("cannot be read"), "{}", refused("none.toml"));
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

fn of_kind(seen: &Observations, item: &str, kind: &str, part: Part) -> f64 {
    let fits = |it: &&sim_core::observations::Usage| it.item == item && it.kind == kind && it.part == part;
    seen.usage.iter().filter(fits).map(|it| it.quantity).sum()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within * expected.abs(), "{found}, not {expected}");
}

/// Statements that bring 1 MB each to the service's tasks, which are spread over three zones.
const TRANSFERS: &str = r#"
[rds.bills]
db_instance_class = "db.m5.large"
statements = { read = { cpu = "1ms", transfer = "1MB" } }
[elasticache.items]
cache_node_type = "cache.m7g.large"
availability_zones = ["b"]
[elasticache.items.items.blob]
size = "1MB"
"#;

#[test]
fn bytes_between_zones_are_those_of_tasks_in_other_zones() {
    let steps = r#"ecs.web.handler=[{ steps = [{ cpu = "1ms" }, { call = "rds.bills.read" }, { call = "elasticache.items.blob.set" }] }]"#;
    let three = ["ecs.web.desired_count=3", steps];
    let seen = run(TRANSFERS, &three);
    let answered = seen.counters.iter().find(|it| it.subject == "rds.bills" && it.name == "queries answered");
    let answered = answered.expect("it is asked").value;
    // Round robin over three tasks, of which one is in the database's zone, and another in the cache's.
    let megabytes = answered * 2.0 / 3.0 * 1.048576;
    let crossed = |subject: &str| used(&seen, subject, "data_transfer.between_zones", Part::Planned) * 1e3;
    assert_near(crossed("rds.bills"), megabytes, 1e-3);
    assert_near(crossed("elasticache.items"), megabytes, 1e-3);
    // All in one zone: nothing.
    let here =
        run(TRANSFERS, &["ecs.web.availability_zones=[\"a\"]", "elasticache.items.availability_zones=[\"a\"]", steps]);
    assert!(!here.usage.iter().any(|it| it.item == "data_transfer.between_zones"), "{:?}", here.usage);
}

#[test]
fn caches_are_paid_for_by_the_type_they_have_at_the_time() {
    let more = r#"
[elasticache.sessions]
cache_node_type = "cache.m7g.large"
engine_version = "8.0"
num_node_groups = 2
replicas_per_node_group = 1
[elasticache.sessions.items.session]
[[maintenance]]
at = "45m"
action = "ModifyReplicationGroup"
target = "elasticache.sessions"
cache_node_type = "cache.m7g.xlarge"
"#;
    let seen = run(more, &["run.warm_up=15m"]);
    // Four nodes; half an hour of the one type, a quarter of the other. From 7.2 on it is Valkey.
    assert_near(of_kind(&seen, "elasticache.node", "valkey cache.m7g.large", Part::Planned), 2.0, 1e-9);
    assert_near(of_kind(&seen, "elasticache.node", "valkey cache.m7g.xlarge", Part::Planned), 1.0, 1e-9);
    let redis = run(more, &["elasticache.sessions.engine_version=\"7.1\""]);
    assert_near(of_kind(&redis, "elasticache.node", "redis cache.m7g.large", Part::Planned), 3.0, 1e-9);
}

#[test]
fn dax_is_paid_for_by_node_and_replicated_writes_by_unit() {
    let more = r#"
[dynamodb.east]
region = "us-east-1"
billing_mode = "PAY_PER_REQUEST"
operations.PutItem = { item_size = "3KB" }
[dynamodb.west]
region = "us-west-2"
replica_of = "dynamodb.east"
billing_mode = "PAY_PER_REQUEST"
operations.GetItem = {}
[dax.front]
table = "dynamodb.east"
node_type = "dax.r5.xlarge"
"#;
    let steps = r#"ecs.web.handler=[{ steps = [{ cpu = "1ms" }, { call = "dynamodb.east.PutItem" }] }]"#;
    let seen = run(more, &[steps]);
    assert_near(of_kind(&seen, "dax.node", "dax.r5.xlarge", Part::Planned), 3.0, 1e-9);
    let writes = seen.counters.iter().find(|it| it.subject == "dynamodb.east" && it.name == "PutItem accepted");
    let units = 3.0 * writes.expect("it is written to").value;
    assert_used(&seen, "dynamodb.east", "dynamodb.replicated_write_request_units", units);
    let there = used(&seen, "dynamodb.west", "dynamodb.replicated_write_request_units", Part::Planned);
    assert_near(there, units, 0.01);
    // Three KB of each write go to the other Region; nothing comes back.
    assert_used(&seen, "dynamodb.east", "data_transfer.between_regions", units * 1024.0 / 1e9);
    assert_eq!(used(&seen, "dynamodb.west", "data_transfer.between_regions", Part::Planned), 0.0);
    assert!(!seen.usage.iter().any(|it| it.item == "dynamodb.write_request_units"));
}

#[test]
fn volumes_of_instances_are_paid_for_until_they_are_terminated() {
    let more = r#"
[ec2.batch]
instance_type = "m5.large"
desired_capacity = 2
ebs = { volume_size = "100GiB", iops = 4000, throughput = 225 }
warm_pool = { min_size = 1 }
max_size = 3
[[ec2.batch.handler]]
steps = [{ cpu = "1ms" }]
"#;
    let seen = run(more, &["run.warm_up=30m"]);
    // Half an hour of two instances that run and one that is stopped in the pool, which is kept beyond what is asked for.
    let of = |item: &str, part| of_kind(&seen, item, "gp3", part) * 730.0;
    assert_near(of("ebs.storage", Part::Planned), 100.0, 1e-9);
    assert_near(of("ebs.storage", Part::Spare), 50.0, 1e-9);
    assert_near(of("ebs.iops", Part::Planned), 1000.0, 1e-9);
    assert_near(of("ebs.throughput", Part::Planned), 100.0, 1e-9);
    assert_near(of_kind(&seen, "ec2.instance", "m5.large", Part::Planned), 1.0, 1e-9);
}

#[test]
fn provisioned_iops_and_the_green_environment_are_paid_for() {
    let more = r#"
[rds.bills]
deployment = "multi_az"
db_instance_class = "db.m5.large"
statements = { read = { cpu = "1ms" } }
storage = { storage_type = "io1", allocated_storage = "100GiB", iops = 3000 }
[[maintenance]]
at = "30m"
action = "SwitchoverBlueGreenDeployment"
target = "rds.bills"
created_at = "10m"
deleted_at = "50m"
"#;
    let seen = run(more, &["run.warm_up=20m"]);
    let minutes = |of: f64| of / 60.0;
    assert_near(of_kind(&seen, "rds.iops", "io1", Part::Planned), 6000.0 * minutes(40.0) / 730.0, 1e-9);
    assert_near(of_kind(&seen, "rds.instance", "mysql db.m5.large", Part::Planned), 2.0 * minutes(40.0), 1e-9);
    // The green one from the end of the warm-up until the old one is deleted.
    assert_near(of_kind(&seen, "rds.instance", "mysql db.m5.large", Part::Deployment), 2.0 * minutes(30.0), 1e-9);
    assert_near(of_kind(&seen, "rds.storage", "io1", Part::Deployment), 200.0 * minutes(30.0) / 730.0, 1e-9);
}

#[test]
fn a_class_is_paid_for_ten_minutes_once_it_was_changed_to() {
    let change = |at: &str, class: &str| {
        format!(
            "[[maintenance]]\nat = \"{at}\"\naction = \"ModifyDBInstance\"\ntarget = \"rds.bills\"\ndb_instance_class = \"{class}\"\nduration = \"1m\"\n"
        )
    };
    let database = "[rds.bills]\ndb_instance_class = \"db.m5.large\"\nstatements = { read = { cpu = \"1ms\" } }\n";
    let more = format!("{database}{}{}", change("20m", "db.m5.xlarge"), change("24m", "db.m5.large"));
    let seen = run(&more, &[]);
    // Four minutes of the larger one, of ten that are charged.
    assert_near(of_kind(&seen, "rds.instance", "mysql db.m5.xlarge", Part::Planned), 4.0 / 60.0, 1e-9);
    assert_near(of_kind(&seen, "rds.instance", "mysql db.m5.xlarge", Part::Minimum), 6.0 / 60.0, 1e-9);
    assert_eq!(of_kind(&seen, "rds.instance", "mysql db.m5.large", Part::Minimum), 0.0);
}

#[test]
fn a_proxy_of_serverless_instances_is_paid_for_eight_acus_of_each_at_least() {
    let seen = run(DATABASES, &["aurora.small.rds_proxy={}"]);
    assert_used(&seen, "aurora.small", "rds_proxy.acu", 8.0);
    assert!(!seen.usage.iter().any(|it| it.subject == "aurora.small" && it.item == "rds_proxy.vcpu"));
    // Of others two vCPU of each at least: 2 and 4 cores.
    let seen = run(DATABASES, &["aurora.orders.rds_proxy={}"]);
    assert_used(&seen, "aurora.orders", "rds_proxy.vcpu", 6.0);
}

#[test]
fn an_accelerators_bytes_are_paid_for_by_where_they_come_from_and_go_to() {
    let more = r#"
[global_accelerator.edge.endpoint_group.eu]
endpoint_group_region = "eu-west-1"
endpoints = [{ endpoint = "alb.front" }]
"#;
    let set = [
        "alb.front.region=eu-west-1",
        "ecs.web.region=eu-west-1",
        r#"traffic=[{ name = "users", to = "global_accelerator.edge", rate = "2/s", from = "tokyo" }]"#,
        r#"ecs.web.handler=[{ steps = [{ cpu = "1ms" }], response_size = "1MB" }]"#,
    ];
    let seen = run(more, &set);
    let answered: u64 = seen.routes.iter().map(|route| route.succeeded).sum();
    let gigabytes = of_kind(&seen, "global_accelerator.data", "europe to asia_pacific", Part::Planned);
    assert_near(gigabytes, answered as f64 * 1.048576 / 1e3, 1e-3);
}
