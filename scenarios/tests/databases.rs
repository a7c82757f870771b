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
    let gives = |engine: &str, least: &str, most: &str, connections: u32| {
        let scenario = loaded(&text(engine, least, most), &[]);
        assert_eq!(scenario.architecture.aurora[0].instances[0].class.max_connections, connections, "{engine} {most}");
    };
    for (most, mysql, postgresql) in [
        ("1", 90, 189),
        ("4", 135, 823),
        ("8", 1000, 1669),
        ("16", 2000, 3360),
        ("32", 3000, 5000),
        ("64", 4000, 5000),
        ("128", 5000, 5000),
    ] {
        gives("aurora-mysql", "0.5", most, mysql);
        gives("aurora-postgresql", "1", most, postgresql);
    }
    gives("aurora-mysql", "2", "20.5", 2000);
    gives("aurora-postgresql", "0.5", "16", 2000);
    refused(&text("aurora-mysql", "8", "4"), &[], &["`min_capacity` is above `max_capacity`"]);
    refused(&text("aurora-mysql", "0.7", "4"), &[], &["steps of 0.5"]);
}

fn with_cluster(more: &str) -> String {
    SMALL.replace("steps = [{ cpu = \"5ms\" }]", "steps = [{ call = { to = \"aurora.db\" } }]")
        + &format!(
            "[aurora.db]\ninstances = [{{ name = \"w\", db_instance_class = \"db.r6g.large\" }}, {{ name = \"r\", db_instance_class = \"db.r6g.large\" }}]\n\
             statements = {{ read = {{ cpu = \"1ms\" }} }}\n{more}"
        )
}

/// Fact sheet, section 1.7: cores, GiB, and connections with MySQL and PostgreSQL; where PostgreSQL has none documented they must be given.
#[test]
fn classes_have_the_cores_memory_and_connections_of_the_table() {
    for (class, vcpu, gib, mysql, postgresql) in [
        ("t3.small", 2.0, 2.0, 45, None),
        ("t3.medium", 2.0, 4.0, 90, Some(420)),
        ("t4g.medium", 2.0, 4.0, 90, Some(405)),
        ("t3.large", 2.0, 8.0, 135, Some(844)),
        ("t4g.large", 2.0, 8.0, 135, Some(844)),
        ("r5.large", 2.0, 16.0, 1000, Some(1600)),
        ("r6g.large", 2.0, 16.0, 1000, Some(1722)),
        ("r5.xlarge", 4.0, 32.0, 2000, Some(3300)),
        ("r6g.xlarge", 4.0, 32.0, 2000, Some(3479)),
        ("r5.2xlarge", 8.0, 64.0, 3000, Some(5000)),
        ("r6g.2xlarge", 8.0, 64.0, 3000, Some(5000)),
        ("r5.4xlarge", 16.0, 128.0, 4000, Some(5000)),
        ("r6g.4xlarge", 16.0, 128.0, 4000, Some(5000)),
        ("r5.8xlarge", 32.0, 256.0, 5000, Some(5000)),
        ("r6g.8xlarge", 32.0, 256.0, 5000, Some(5000)),
        ("r5.12xlarge", 48.0, 384.0, 6000, Some(5000)),
        ("r6g.12xlarge", 48.0, 384.0, 6000, Some(5000)),
        ("r5.16xlarge", 64.0, 512.0, 6000, Some(5000)),
        ("r6g.16xlarge", 64.0, 512.0, 6000, Some(5000)),
        ("r5.24xlarge", 96.0, 768.0, 7000, Some(5000)),
    ] {
        let set = format!("aurora.db.instances.0.db_instance_class=db.{class}");
        let of = |engine: &str| {
            let scenario = loaded(&with_cluster(&format!("engine = \"aurora-{engine}\"\n")), &[&set]);
            let class = &scenario.architecture.aurora[0].instances[0].class;
            (class.vcpu, class.memory_gib, class.max_connections)
        };
        assert_eq!(of("mysql"), (vcpu, gib, mysql), "{class}");
        match postgresql {
            Some(connections) => assert_eq!(of("postgresql"), (vcpu, gib, connections), "{class}"),
            None => refused(
                &with_cluster("engine = \"aurora-postgresql\"\n"),
                &[&set],
                &["no documented max_connections with this engine"],
            ),
        }
    }
}

/// Fact sheet, sections 1.1 to 1.5: what nobody says is as documented, or as assumed there.
#[test]
fn a_cluster_its_proxy_and_its_driver_have_the_documented_defaults() {
    use models::aurora::Driver;
    let secs = SimDuration::from_secs;
    let of = |more: &str| loaded(&with_cluster(more), &[]).architecture.aurora.remove(0);
    let cluster = of("rds_proxy = {}\n");
    assert_eq!(cluster.dns_ttl, secs(5));
    let failover = &cluster.failover;
    assert_eq!(failover.promotion, Distribution::Constant(30.0));
    assert_eq!((failover.detection, failover.dns_update, failover.recreate), (secs(10), secs(15), secs(600)));
    assert!(failover.survivable_readers && !failover.waits_for_lag);
    let proxy = cluster.proxy.as_ref().expect("there is one");
    assert_eq!((proxy.borrow_timeout, proxy.idle_client_timeout), (secs(120), secs(1800)));
    assert_eq!((proxy.max_connections, proxy.max_idle_connections), (1.0, 0.5));
    let cluster = of("pool = { driver = \"aws_advanced_jdbc_wrapper\" }\n");
    let Driver::Wrapper(wrapper) = &cluster.pool.driver else { panic!("it is one") };
    let detection = (wrapper.failure_detection_time, wrapper.failure_detection_interval);
    assert_eq!((detection, wrapper.failure_detection_count), ((secs(30), secs(5)), 3));
    assert_eq!((wrapper.topology_refresh, wrapper.failover_timeout), (secs(2), secs(300)));
}

/// Fact sheet, section 2: volumes by size, and how long databases of two and three zones take to fail over.
#[test]
fn an_rds_volume_has_the_iops_of_its_type_and_size() {
    use models::aurora::Volume;
    let volume = |kind: &str, size: &str| {
        let set =
            [format!("rds.db.storage.storage_type={kind}"), format!("rds.db.storage.allocated_storage={size}GiB")];
        let scenario = loaded(&with_database(RDS), &[&set[0], &set[1]]);
        scenario.architecture.aurora[0].volume.clone().expect("it has one")
    };
    let bursts = |baseline: f64, burst: f64, volumes: f64| Volume { baseline, burst, credits: volumes * 5.4e6 };
    assert_eq!(volume("gp2", "20"), bursts(100.0, 3000.0, 1.0));
    assert_eq!(volume("gp2", "399"), bursts(1197.0, 3000.0, 1.0));
    assert_eq!(volume("gp2", "400"), bursts(1200.0, 12_000.0, 4.0));
    assert_eq!(volume("gp2", "1335"), bursts(4005.0, 12_000.0, 4.0));
    let steady = |rate: f64| Volume { baseline: rate, burst: rate, credits: 0.0 };
    assert_eq!(volume("gp3", "399"), steady(3000.0));
    assert_eq!(volume("gp3", "400"), steady(12_000.0));
    let zones = ["rds.db.deployment=multi_az_cluster", "rds.db.availability_zones=[\"a\", \"b\", \"c\"]"];
    let alone = RDS.replace("read_replicas = [{ name = \"copy\" }]\n", "").replace("endpoint = \"copy\", ", "");
    let cluster = loaded(&with_database(&alone), &zones).architecture.aurora.remove(0);
    assert_eq!(cluster.failover.promotion, Distribution::Constant(35.0));
    assert!(cluster.failover.waits_for_lag);
}
