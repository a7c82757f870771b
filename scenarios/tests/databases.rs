//! Aurora clusters and RDS databases as the language has them.

mod common;

use common::{SMALL, loaded, refused};
use sim_core::distribution::Distribution;
use sim_core::{SimDuration, SimTime};

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
