//! Aurora through the language: readers that come and go.

mod common;

use common::{loaded, refused};
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
