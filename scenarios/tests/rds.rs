//! RDS databases through the language: engines, promotion of read replicas, storage, backups, flow control.

mod common;

use common::{counter, loaded, refused, simulated};
use sim_core::observations::Observations;

/// A service that writes to a database and reads its replica.
const SHOP: &str = r#"
title = "RDS"
[run]
duration = "20m"
replications = 1
seed = 3
[[traffic]]
name = "clerks"
to = "ecs.web"
rate = "50/s"
timeout = "10s"
routes = [{ path = "/write", weight = 4 }, { path = "/read" }]
[ecs.web]
desired_count = 2
cpu = "1 vCPU"
workers = 200
[[ecs.web.handler]]
path = "/write"
steps = [{ call = { to = "rds.shop.write", timeout = "2s" } }]
[[ecs.web.handler]]
path = "/read"
steps = [{ call = { to = "rds.shop.read", timeout = "2s" } }]
[rds.shop]
db_instance_class = "db.m6g.large"
availability_zones = ["a", "b", "c"]
read_replicas = [{ name = "near", availability_zone = "b" }]
pool = { max_size = 20, acquire_timeout = "1s", connect_timeout = "1s", keepalive = "5s" }
[rds.shop.statements]
write = { write = true, wait = "5ms" }
read = { wait = "5ms", endpoint = "near" }
"#;

fn run(more: &str, set: &[&str]) -> Observations {
    let scenario = loaded(&format!("{SHOP}\n{more}"), set);
    simulated(&scenario, scenario.seed)
}

/// Operations of a route that failed.
fn failed(seen: &Observations, route: &str) -> u64 {
    let its = seen.routes.iter().find(|it| it.name.ends_with(route)).expect("it is reported");
    its.failed.iter().map(|(_, count)| count).sum()
}

fn logged_at(seen: &Observations, what: &str) -> f64 {
    let entry = seen.log.iter().find(|entry| entry.what.contains(what));
    entry.unwrap_or_else(|| panic!("no `{what}` in {:#?}", seen.log)).at.as_secs_f64()
}

/// The zone of the primary is lost for the rest of the run; somebody promotes the replica a minute later.
const DISASTER: &str = r#"
[[fault]]
at = "5m"
duration = "15m"
action = "stormglass:az-power-interruption"
target = "rds.shop"
availability_zone = "a"
[[maintenance]]
at = "6m"
action = "PromoteReadReplica"
target = "rds.shop"
db_instance_identifier = "near"
duration = "4m"
takes_over = true
"#;

#[test]
fn a_promoted_replica_takes_the_place_of_a_lost_primary_without_the_writes_it_did_not_have() {
    let seen = run(DISASTER, &["rds.shop.replica_lag.delay=90s"]);
    // Power is lost at 300 s. Of the writes of the last 90 s before it only those are there that are 90 s old at 360 s: 30 s of 40 a second
    // have arrived, 30 s are lost with the replication.
    let lost = counter(&seen, "rds.shop", "committed writes lost by promotion");
    assert!((lost - 30.0 * 40.0).abs() < 150.0, "{lost}");
    assert_eq!(logged_at(&seen, "near is what the database's name leads to"), 600.0);
    // Away from 5 min to 10 min: a quarter of all writes.
    let writes = seen.routes.iter().find(|it| it.name.ends_with("/write")).expect("writes");
    let share = failed(&seen, "/write") as f64 / writes.started as f64;
    assert!((0.24..0.27).contains(&share), "{share}");
    // Reads have only the time of the promotion: a fifth.
    let reads = seen.routes.iter().find(|it| it.name.ends_with("/read")).expect("reads");
    let share = failed(&seen, "/read") as f64 / reads.started as f64;
    assert!((0.19..0.22).contains(&share), "{share}");
    // With replication that keeps up hardly anything is lost.
    let seen = run(DISASTER, &[]);
    assert_eq!(counter(&seen, "rds.shop", "committed writes lost by promotion"), 0.0);
}

#[test]
fn a_replica_that_is_promoted_beside_the_database_takes_writes_of_its_own() {
    let planned = "[[maintenance]]\nat = \"5m\"\naction = \"PromoteReadReplica\"\ntarget = \"rds.shop\"\ndb_instance_identifier = \"near\"\nduration = \"2m\"\n";
    // Until then writes at the replica fail.
    let at_replica = ["rds.shop.statements.write.endpoint=near"];
    let before = run("", &at_replica);
    assert_eq!(
        failed(&before, "/write"),
        before.routes.iter().find(|it| it.name.ends_with("/write")).expect("writes").started
    );
    let seen = run(planned, &at_replica);
    let writes = seen.routes.iter().find(|it| it.name.ends_with("/write")).expect("writes");
    let share = writes.succeeded as f64 / writes.started as f64;
    // From 7 min on they do not: 13 of 20 minutes.
    assert!((share - 0.65).abs() < 0.02, "{share}");
    // The database itself notices nothing of it.
    let seen = run(planned, &[]);
    assert_eq!(failed(&seen, "/write"), 0);
}

#[test]
fn a_volume_that_grows_has_its_new_rate_once_it_is_optimized() {
    let storage = r#"
[rds.shop.storage]
storage_type = "gp2"
allocated_storage = "100GiB"
[[maintenance]]
at = "5m"
action = "ModifyDBInstance"
target = "rds.shop"
allocated_storage = "200GiB"
duration = "5m"
"#;
    let set = [
        "run.duration=\"40m\"",
        "traffic.0.rate=100/s",
        "rds.shop.statements.write.pages=10",
        "rds.shop.buffer_cache.hit_ratio=\"100%\"",
    ];
    let seen = run(storage, &set);
    let used: Vec<_> = seen.usage.iter().filter(|it| it.item == "rds.storage").map(|it| it.quantity * 730.0).collect();
    // 100 GB each of two; one has 200 GB from 5 min on.
    let expected = 200.0 * 40.0 / 60.0 + 100.0 * 35.0 / 60.0;
    assert!((used[0] - expected).abs() < 1e-6, "{used:?}, not {expected}");
    // 80 writes a second of ten pages are 800 IOPS: more than the 300 and 600 there are, which credits make up for. They earn twice as many
    // from 10 min on: 5.4 million less 800 spent and 300 or 600 earned a second.
    let balance = seen.series.iter().find(|it| it.name.contains("BurstBalance")).expect("it is published");
    let last = *balance.values.last().expect("values");
    let left = 5.4e6 - 600.0 * 500.0 - 1800.0 * 200.0;
    assert!((last - 100.0 * left / 5.4e6).abs() < 1.0, "{last}, not {}", 100.0 * left / 5.4e6);
}

#[test]
fn a_backup_of_a_single_zone_database_suspends_its_io() {
    let storage = "[rds.shop.storage]\nallocated_storage = \"100GiB\"\n[rds.shop.backup_window]\nstart = \"10m\"\nsuspension = \"3s\"\n";
    let set = ["rds.shop.statements.write.pages=1", "rds.shop.buffer_cache.hit_ratio=\"100%\"", "traffic.0.rate=5/s"];
    let seen = run(storage, &set);
    // Calls that came in the first second of it time out after two; nobody else fails.
    let lost = failed(&seen, "/write");
    assert!((1..=12).contains(&lost), "{lost}");
    assert_eq!(failed(&seen, "/read"), 0);
    assert_eq!(logged_at(&seen, "backup"), 600.0);
    let calm = run("[rds.shop.storage]\nallocated_storage = \"100GiB\"\n", &set);
    assert_eq!(failed(&calm, "/write"), 0);
}

#[test]
fn flow_control_holds_the_lag_of_a_cluster_at_its_target() {
    // Readers apply 20 writes a second, 40 come.
    let cluster = [
        "rds.shop.deployment=multi_az_cluster",
        "rds.shop.read_replicas=[]",
        "rds.shop.statements.read.endpoint=reader",
        "rds.shop.replica_lag.apply=50ms",
        "rds.shop.pool.acquire_timeout=30s",
        "ecs.web.handler.0.steps=[{ call = \"rds.shop.write\" }]",
        "traffic.0.timeout=30s",
    ];
    let lag = |target: &str| {
        let target = format!("rds.shop.flow_control={target}");
        let set: Vec<&str> = cluster.iter().copied().chain([target.as_str()]).collect();
        let seen = run("", &set);
        let lag = seen.series.iter().find(|it| it.name.contains("ReplicaLag")).expect("it is published");
        (*lag.values.last().expect("values"), counter(&seen, "rds.shop", "queries answered"))
    };
    let (held, _) = lag("20s");
    assert!((20.0..26.0).contains(&held), "{held}");
    // Without it the lag grows by a second each second: twice as much comes as is applied.
    let (grown, _) = lag("86400s");
    assert!(grown > 900.0, "{grown}");
}

#[test]
fn engines_differ_in_connections_and_in_what_they_can_have() {
    // 95% of 16 GiB, by the formulas of the RDS guide.
    let limits = [("mysql", 1297), ("mariadb", 648), ("postgres", 1712), ("oracle-ee", 1653), ("sqlserver-se", 32_767)];
    for (engine, expected) in limits {
        let set = [
            format!("rds.shop.engine={engine}"),
            "rds.shop.db_instance_class=db.r6g.large".to_owned(),
            "rds.shop.read_replicas=[]".to_owned(),
            "rds.shop.statements.read.endpoint=cluster".to_owned(),
        ];
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let scenario = loaded(SHOP, &set);
        assert_eq!(scenario.architecture.aurora[0].instances[0].class.max_connections, expected, "{engine}");
    }
    let rates = [
        ("mysql", "gp3", "300GiB", 3000.0),
        ("oracle-ee", "gp3", "300GiB", 12_000.0),
        ("sqlserver-ee", "gp3", "500GiB", 3000.0),
    ];
    for (engine, kind, size, expected) in rates {
        let more = format!("[rds.shop.storage]\nstorage_type = \"{kind}\"\nallocated_storage = \"{size}\"\n");
        let engine = format!("rds.shop.engine={engine}");
        let scenario = loaded(&format!("{SHOP}\n{more}"), &[&engine]);
        assert_eq!(scenario.architecture.aurora[0].volume.as_ref().map(|it| it.baseline), Some(expected), "{engine}");
    }
    refused(
        SHOP,
        &[
            "rds.shop.engine=mariadb",
            "rds.shop.deployment=multi_az_cluster",
            "rds.shop.read_replicas=[]",
            "rds.shop.statements.read.endpoint=reader",
        ],
        &["Multi-AZ DB clusters are of MySQL and PostgreSQL"],
    );
    refused(SHOP, &["rds.shop.engine=oracle-se2"], &["this edition has no read replicas"]);
    refused(SHOP, &["rds.shop.flow_control=10s"], &["flow control is of Multi-AZ DB clusters"]);
    refused(
        &format!("{SHOP}\n[rds.shop.backup_window]\nstart = \"1m\"\n"),
        &["rds.shop.deployment=multi_az"],
        &["suspends nothing", "without `storage`"],
    );
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let change = |text: &str| {
        format!(
            "{SHOP}\n[rds.shop.storage]\nallocated_storage = \"100GiB\"\n[[maintenance]]\nat = \"5m\"\ntarget = \"rds.shop\"\n{text}\n"
        )
    };
    let told = |text: &str, reason: &str| refused(&change(text), &[], &[reason]);
    told("action = \"PromoteReadReplica\"", "PromoteReadReplica lacks `db_instance_identifier`");
    told("action = \"RebootDBInstance\"\ntakes_over = true", "has no parameter `takes_over`");
    told("action = \"ModifyDBInstance\"\nallocated_storage = \"105GiB\"", "grows by a tenth at least");
    told(
        "action = \"ModifyDBInstance\"\nallocated_storage = \"200GiB\"\ndb_instance_class = \"db.m5.large\"",
        "has no parameter `db_instance_class`",
    );
    let twice = "action = \"ModifyDBInstance\"\nallocated_storage = \"200GiB\"\n[[maintenance]]\nat = \"9m\"\ntarget = \"rds.shop\"\naction = \"ModifyDBInstance\"\nallocated_storage = \"300GiB\"";
    told(twice, "within six hours");
    let switchover = change("action = \"SwitchoverBlueGreenDeployment\"");
    refused(
        &switchover,
        &["rds.shop.engine=oracle-ee"],
        &["blue/green deployments are of MySQL, MariaDB and PostgreSQL"],
    );
}
