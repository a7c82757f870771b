//! Aurora through the language: readers that come and go, clusters in several Regions.

mod common;

use common::{counter, loaded, refused, simulated};
use models::autoscaling::PolicyKind;
use models::ids::{AuroraId, Scalable};

const SHOP: &str = r#"
title = "A shop"

[run]
duration = "1h"

[[traffic]]
name = "users"
to = "ecs.web"
rate = "10/s"

[ecs.web]
cpu = "1 vCPU"

[[ecs.web.handler]]
steps = [{ call = "aurora.orders.read" }]

[aurora.orders]
instances = [
  { name = "orders-1", db_instance_class = "db.r6g.large" },
  { name = "orders-2", db_instance_class = "db.r6g.large" },
  { name = "orders-3", db_instance_class = "db.r6g.large" },
]
statements.read = { endpoint = "reader", cpu = "1ms" }
"#;

fn scaling(keys: &str) -> String {
    format!("{SHOP}\n[aurora.orders.auto_scaling]\n{keys}\n")
}

#[test]
fn readers_are_scaled_between_bounds_that_count_all_of_them() {
    let text = scaling(
        "min_capacity = 1\nmax_capacity = 4\npolicies = [{ target_value = 40 }, \
         { predefined_metric_type = \"RDSReaderAverageDatabaseConnections\", target_value = 100, policy_name = \"open\" }]\n\
         scheduled_action = [{ name = \"sale\", at = \"10m\", max_capacity = 9 }]",
    );
    let scenario = loaded(&text, &[]);
    let cluster = &scenario.architecture.aurora[0];
    let readers = cluster.readers.as_ref().expect("they are scaled");
    // The scheduled action's bound is the largest there may ever be.
    assert_eq!((readers.most, readers.creation.mean()), (9, 450.0));
    let scaling = &scenario.architecture.scaling;
    let target = &scaling.targets[0];
    assert_eq!((target.id, target.name.as_str()), (Scalable::Readers(AuroraId(0)), "aurora.orders readers"));
    assert_eq!((target.desired, target.min_capacity, target.max_capacity), (2, 1, 4));
    let policies: Vec<_> =
        scaling.policies.iter().map(|it| (it.name.as_str(), it.scale_in_cooldown.as_secs_f64())).collect();
    assert_eq!(policies, [("reader CPU", 300.0), ("open", 300.0)]);
    let PolicyKind::TargetTracking { metric, target_value, .. } = &scaling.policies[1].kind else { panic!("tracking") };
    assert_eq!((metric.as_str(), *target_value), ("AWS/RDS DatabaseConnections aurora.orders/READER", 100.0));
}

#[test]
fn reader_scaling_that_cannot_be_is_refused() {
    let one = "policies = [{ target_value = 40 }]";
    for (keys, title) in [
        (format!("min_capacity = 1\nmax_capacity = 1\n{one}"), "the cluster has more readers than max_capacity"),
        (format!("min_capacity = 3\nmax_capacity = 2\n{one}"), "max_capacity is below min_capacity"),
        (format!("min_capacity = 1\nmax_capacity = 16\n{one}"), "max_capacity"),
        ("min_capacity = 1\nmax_capacity = 4".to_owned(), "nothing changes the number of readers"),
        (
            "min_capacity = 1\nmax_capacity = 4\npolicies = [{ target_value = 40 }, { target_value = 50 }]".to_owned(),
            "a cluster has one policy for each metric",
        ),
        (format!("min_capacity = 1\nmax_capacity = 4\npolicy_type = \"StepScaling\"\n{one}"), "policy_type"),
    ] {
        refused(&scaling(&keys), &[], &[title]);
    }
    let own =
        scaling(&format!("min_capacity = 1\nmax_capacity = 4\n{one}")).replace("orders-3", "application-autoscaling-1");
    refused(&own, &[], &["auto scaling has this name for itself"]);
}

const GLOBAL: &str = r#"
title = "Two Regions"

[run]
duration = "10m"

[[traffic]]
name = "users"
to = "alb.east"
rate = "20/s"

[alb.east]
region = "us-east-1"
target_group.web = { targets = "ecs.east" }

[ecs.east]
region = "us-east-1"
desired_count = 2
cpu = "1 vCPU"
handler = [{ steps = [{ call = "aurora.east.write" }] }]

[aurora.east]
region = "us-east-1"
instances = [{ name = "e1", db_instance_class = "db.r6g.large" }, { name = "e2", db_instance_class = "db.r6g.large" }]
statements.write = { write = true, cpu = "1ms" }

[[traffic]]
name = "west"
to = "ecs.west"
rate = "20/s"

[ecs.west]
region = "us-west-2"
cpu = "1 vCPU"
handler = [{ steps = [{ call = "aurora.west.write" }] }]

[aurora.west]
region = "us-west-2"
instances = [{ name = "w1", db_instance_class = "db.r6g.large" }, { name = "w2", db_instance_class = "db.r6g.large" }]
statements.write = { write = true, cpu = "1ms" }
global_cluster = { secondary_of = "aurora.east", replication_lag = "400ms" }
"#;

#[test]
fn clusters_of_a_global_database_know_each_other() {
    let scenario = loaded(GLOBAL, &[]);
    let [east, west] = [0, 1].map(|n| scenario.architecture.aurora[n].global.as_ref().expect("it is global"));
    assert_eq!((east.primary, west.primary), (AuroraId(0), AuroraId(0)));
    assert_eq!((east.others[0].0, east.others[0].1.mean()), (AuroraId(1), 0.4));
    assert_eq!((west.others[0].0, west.promotion.mean()), (AuroraId(0), 60.0));
}

/// A Region is lost at 2 min; the failover is asked for at 5 min.
#[test]
fn the_loss_of_a_region_strikes_all_that_is_in_it_and_is_one_incident() {
    let text = format!(
        "{GLOBAL}\n[[fault]]\nat = \"2m\"\naction = \"stormglass:region-failure\"\ntarget = \"us-east-1\"\nduration = \"7m\"\n\n\
         [[maintenance]]\nat = \"5m\"\naction = \"FailoverGlobalCluster\"\ntarget = \"aurora.west\"\n"
    );
    let seen = simulated(&loaded(&text, &[]), 1);
    assert!(seen.audit.checks.iter().all(|check| check.holds), "{:?}", seen.audit);
    let incidents: Vec<_> = seen.ledger.incidents.iter().map(|it| (it.subject.as_str(), it.what.as_str())).collect();
    assert_eq!(incidents, [("us-east-1", "stormglass:region-failure")], "a failover that answers a loss is part of it");
    // 20 writes a second, 0.4 s behind: 8 of them, give or take.
    let lost = counter(&seen, "aurora.west", "writes lost");
    assert!((1.0..=18.0).contains(&lost), "{lost}");
    assert!(counter(&seen, "aurora.west", "recovery point s") <= 0.4);
    assert_eq!(counter(&seen, "aurora.west", "promotions to primary"), 1.0);
    // The west refuses every write of 20 a second until 5 min and a minute of promotion, or the record's 15 s and 5 s of its TTL more.
    let refused = counter(&seen, "aurora.west", "read_only");
    assert!((6900.0..=7950.0).contains(&refused), "{refused}");
    let promoted = seen.log.iter().find(|it| it.what.contains("becomes the primary cluster")).expect("it does");
    assert_eq!(promoted.at.as_secs_f64(), 300.0);
}

#[test]
fn global_databases_that_cannot_be_are_refused() {
    let with = |from: &str, to: &str| GLOBAL.replace(from, to);
    for (text, title) in [
        (
            with("secondary_of = \"aurora.east\"", "secondary_of = \"aurora.west\""),
            "a cluster is no secondary of itself",
        ),
        (with("secondary_of = \"aurora.east\"", "secondary_of = \"ecs.east\""), "cannot be"),
        (
            GLOBAL.replace("region = \"us-west-2\"", "region = \"us-east-1\""),
            "a secondary cluster is in another Region",
        ),
        (with("replication_lag", "write_forwarding = true, replication_lag"), "write_forwarding"),
        (
            with("global_cluster = {", "engine = \"aurora-postgresql\"\nglobal_cluster = {"),
            "all clusters have one engine",
        ),
        (
            format!(
                "{GLOBAL}\n[aurora.west.auto_scaling]\nmin_capacity = 1\nmax_capacity = 3\npolicies = [{{ target_value = 50 }}]\n"
            ),
            "Aurora scales no readers of secondary clusters",
        ),
        (
            format!(
                "{GLOBAL}\n[[fault]]\nat = \"1m\"\naction = \"stormglass:region-failure\"\ntarget = \"eu-west-1\"\nduration = \"1m\"\n"
            ),
            "nothing is in Region `eu-west-1`",
        ),
        (
            format!(
                "{GLOBAL}\n[[fault]]\nat = \"1m\"\naction = \"stormglass:region-failure\"\ntarget = \"us-est-1\"\nduration = \"1m\"\n"
            ),
            "there is no Region `us-est-1`",
        ),
        (
            format!(
                "{SHOP}\n[[maintenance]]\nat = \"1m\"\naction = \"SwitchoverGlobalCluster\"\ntarget = \"aurora.orders\"\n"
            ),
            "`aurora.orders` is not in a global database",
        ),
    ] {
        refused(&text, &[], &[title]);
    }
}

fn serverless(keys: &str, cluster: &str) -> String {
    let text = SHOP.replace("db.r6g.large", "db.serverless");
    format!("{text}serverless_v2_scaling_configuration = {{ max_capacity = 4, {keys} }}\n{cluster}\n")
}

#[test]
fn serverless_instances_of_0_acu_pause_as_the_api_says() {
    let scenario = loaded(&serverless("min_capacity = 0", "pool.idle_timeout = \"2m\""), &[]);
    let cluster = &scenario.architecture.aurora[0];
    let pauses = cluster.pauses.as_ref().expect("they pause");
    let seconds = (pauses.after.as_secs_f64(), pauses.resume.mean(), pauses.deep_resume.mean());
    assert_eq!(seconds, (300.0, 15.0, 30.0));
    assert_eq!(cluster.pool.idle_timeout.map(|it| it.as_secs_f64()), Some(120.0));
    // They begin with half an ACU, an eighth of a core.
    assert_eq!(cluster.instances[0].class.vcpu, 0.125);
    assert!(loaded(&serverless("min_capacity = 0.5", ""), &[]).architecture.aurora[0].pauses.is_none());
}

#[test]
fn auto_pause_that_cannot_be_is_refused() {
    for (text, title) in [
        (serverless("min_capacity = 1, seconds_until_auto_pause = \"10m\"", ""), "only instances of 0 ACU pause"),
        (serverless("min_capacity = 0, seconds_until_auto_pause = \"1m\"", ""), "seconds_until_auto_pause"),
        (serverless("min_capacity = 0", "rds_proxy = {}"), "instances behind an RDS Proxy do not pause"),
        (
            GLOBAL
                .replace(
                    "{ name = \"e1\", db_instance_class = \"db.r6g.large\" }",
                    "{ name = \"e1\", db_instance_class = \"db.serverless\" }",
                )
                .replace(
                    "[aurora.east]\n",
                    "[aurora.east]\nserverless_v2_scaling_configuration = { min_capacity = 0, max_capacity = 4 }\n",
                ),
            "the primary cluster of a global database does not pause",
        ),
    ] {
        refused(&text, &[], &[title]);
    }
}
