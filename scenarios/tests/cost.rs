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
