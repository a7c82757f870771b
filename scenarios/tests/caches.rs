//! Caches, as a scenario says them.

mod common;

use models::elasticache::{Change, Command, Fault, KeyOf, Policy, Settings, What};
use models::ids::*;
use models::timeline::FaultAction;
use sim_core::{SimDuration, SimTime};

const SHOP: &str = r#"
title = "a shop"
run.duration = "10m"
[[traffic]]
name = "users"
to = "ecs.web"
rate = "10/s"
[ecs.web]
cpu = "1 vCPU"
[[ecs.web.handler]]
steps = [
  { call = { to = "aurora.shop.read", cache = "elasticache.pages.page", rtt = "4ms" } },
  { call = { to = "elasticache.pages", operation = "session.set" } },
  { call = "elasticache.pages.session.del" },
]
[elasticache.pages]
cache_node_type = "cache.m5.large"
replicas_per_node_group = 1
rtt = "2ms"
[elasticache.pages.items]
page = {}
session = { key = "client", ttl = "30m" }
[aurora.shop]
instances = [{ name = "one", db_instance_class = "db.r6g.large" }]
statements = { read = { cpu = "1ms" } }
"#;

fn cache(overrides: &[&str]) -> Settings {
    common::loaded(SHOP, overrides).architecture.elasticache.remove(0)
}

#[track_caller]
fn refused(more: &str, set: &[&str], needles: &[&str]) {
    common::refused(&format!("{SHOP}{more}"), set, needles);
}

#[test]
fn each_call_is_a_use_of_its_cache() {
    let cache = cache(&[]);
    let ms = SimDuration::from_millis;
    let store = Endpoint::Aurora(AuroraId(0));
    let uses: Vec<_> = cache.uses.iter().map(|it| (it.item, it.what.clone(), it.rtt)).collect();
    assert_eq!(
        uses,
        [
            (0, What::LookAside { store, operation: 0, rtt: ms(4) }, ms(2)),
            (1, What::Command(Command::Set), ms(2)),
            (1, What::Command(Command::Del), ms(2)),
        ]
    );
    assert!(matches!((&cache.items[0].key, &cache.items[1].key), (KeyOf::Object, KeyOf::Client)));
}

#[test]
fn a_node_has_three_quarters_of_its_types_memory_for_items() {
    let share = |overrides: &[&str], gib: f64| cache(overrides).memory as f64 / (gib * 1024.0 * 1024.0 * 1024.0);
    // ElastiCache guide, ParameterGroups.Redis: maxmemory of cache.m5.large is 6854542746.
    assert!((share(&[], 0.75 * 6_854_542_746.0 / 1_073_741_824.0) - 1.0).abs() < 1e-3);
    let set = ["elasticache.pages.maxmemory=1GB", "elasticache.pages.reserved_memory_percent=50%"];
    assert!((share(&set, 0.5) - 1.0).abs() < 1e-9);
}

#[test]
fn planned_changes_take_what_the_guide_says() {
    let takes = |version: &str, replicas: u32, change: &str| {
        let text = format!(
            "{SHOP}[[maintenance]]\nat = \"1m\"\naction = \"ModifyReplicationGroup\"\ntarget = \"elasticache.pages\"\n{change}\n"
        );
        let set = [
            format!("elasticache.pages.engine_version=\"{version}\""),
            format!("elasticache.pages.replicas_per_node_group={replicas}"),
        ];
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let mut loaded = common::loaded(&text, &set);
        let planned = loaded.architecture.elasticache.remove(0).changes.remove(0);
        assert_eq!(planned.at, SimTime::from_secs(60));
        match planned.change {
            Change::NodeType { takes, .. } | Change::Engine { takes } => takes.as_secs_f64(),
            other => panic!("{other:?}"),
        }
    };
    let (node_type, engine) = ("cache_node_type = \"cache.r6g.large\"", "engine_version = \"minor\"");
    let all = [("5.0.6", 1), ("4.0.10", 1), ("7.1", 0)];
    assert_eq!(all.map(|(version, replicas)| takes(version, replicas, node_type)), [1.0, 10.0, 60.0]);
    assert_eq!(all.map(|(version, replicas)| takes(version, replicas, engine)), [3.0, 45.0, 90.0]);
}

#[test]
fn faults_strike_nodes_by_name_and_zone() {
    let fault = |more: &str| {
        let text = format!("{SHOP}[[fault]]\nat = \"1m\"\ntarget = \"elasticache.pages\"\n{more}\n");
        let mut loaded = common::loaded(&text, &[]);
        match loaded.architecture.faults.remove(0).action {
            FaultAction::Cache { fault, .. } => fault,
            other => panic!("{other:?}"),
        }
    };
    let node = "action = \"stormglass:cache-node-failure\"\ncache_node_id = \"0001-002\"";
    assert_eq!(fault(node), Fault::Node { node: Some(1) });
    let power = "action = \"aws:elasticache:replicationgroup-interrupt-az-power\"\navailability_zone = \"b\"\nduration = \"1m\"";
    assert_eq!(fault(power), Fault::Power { zone: "b".into() });
    let cut = "action = \"aws:network:disrupt-connectivity\"\nduration = \"1m\"";
    assert_eq!(fault(cut), Fault::Unreachable);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let group = |key: &str| format!("elasticache.pages.{key}");
    for (set, needles) in [
        (group("cache_node_type=cache.m5.larg"), ["is not known", "cache.m5.large"]),
        (group("replicas_per_node_group=6"), ["replicas_per_node_group must be between 0 and 5", "at most 5"]),
        (group("num_node_groups=46"), ["at most 90 nodes", "num_node_groups x"]),
        (group("engine_version=seven"), ["this is no version", "7.1"]),
        (group("reserved_memory_percent=100%"), ["no memory is left", "1KB"]),
        (group("client.timeout=0s"), ["fails every command", "more than"]),
        (group("items.page.renewal=sliding"), ["no time to live to be renewed", "ttl"]),
        (group("items.session.hit_ratio=90%"), ["fixed hit_ratio", "remove it"]),
        (group("items.page.keys.count=1000000000"), ["would hold about", "can be simulated"]),
        (group("snapshot_retention_limit=1"), ["is not modelled yet", "snapshot_retention_limit"]),
    ] {
        refused("", &[&set], &needles);
    }
    let no_replica = group("replicas_per_node_group=0");
    refused("", &[&no_replica, &group("automatic_failover_enabled=true")], &["nobody takes over"]);
    refused("", &[&no_replica, &group("items.page.read_from=replica")], &["no replicas to read"]);
}

#[test]
fn calls_of_caches_name_an_item_and_what_is_done_with_it() {
    let call = |step: &str| format!("[[ecs.web.handler]]\npath = \"/other\"\nsteps = [{step}]\n");
    for (step, needle) in [
        ("{ call = \"elasticache.pages\" }", "what is asked of this cache?"),
        ("{ call = \"elasticache.pages.page\" }", "such as \"page.get\""),
        ("{ call = \"elasticache.pages.pag.get\" }", "item `pag` does not exist"),
        ("{ call = \"elasticache.pages.page.got\" }", "`get`"),
        ("{ call = \"elasticache.pages.page.incr\" }", "is not modelled yet"),
        ("{ call = { to = \"aurora.shop.read\", cache = \"elasticache.pages\" } }", "which item is looked for?"),
        ("{ call = { to = \"aurora.shop.read\", cache = \"aurora.shop\" } }", "`cache` cannot be an Aurora cluster"),
        (
            "{ call = { to = \"elasticache.pages.page.get\", cache = \"elasticache.pages.page\" } }",
            "a cache stands before no other",
        ),
    ] {
        refused(&call(step), &[], &[needle]);
    }
}

#[test]
fn changes_and_faults_of_databases_and_caches_are_told_apart() {
    let change = |target: &str, more: &str| format!("[[maintenance]]\nat = \"1m\"\ntarget = \"{target}\"\n{more}\n");
    let cache = |more: &str| change("elasticache.pages", more);
    refused(&change("aurora.shop", "action = \"FLUSHALL\""), &[], &["this is a change of caches"]);
    refused(&cache("action = \"FailoverDBCluster\""), &[], &["this is no change of a cache"]);
    refused(&cache("action = \"ModifyReplicationGroup\""), &[], &["either the node type or the engine"]);
    refused(&cache("action = \"TestFailover\"\nnode_group_id = \"0002\""), &[], &["no node group `0002`"]);
    refused(&cache("action = \"FLUSHALL\"\nduration = \"1s\""), &[], &["has no parameter `duration`"]);
    refused(&cache("action = \"RebootCacheCluster\"\ncache_node_id = \"0001-009\""), &[], &["no node `0001-009`"]);
    let cluster = ["elasticache.pages.num_node_groups=2"];
    refused(&cache("action = \"RebootCacheCluster\""), &cluster, &["nodes of a cluster cannot be rebooted"]);
    let reshard = "action = \"ModifyReplicationGroupShardConfiguration\"";
    refused(&cache(reshard), &cluster, &["lacks `node_group_count`"]);
    refused(&cache(&format!("{reshard}\nnode_group_count = 3")), &[], &["added to and removed from clusters only"]);
    refused(&cache(&format!("{reshard}\nnode_group_count = 99")), &cluster, &["node_group_count"]);
    refused(
        &cache(&format!("{reshard}\nnode_group_count = 3\nduration = \"1s\"")),
        &cluster,
        &["no parameter `duration`"],
    );
    let of_database = change("aurora.shop", "action = \"FailoverDBCluster\"\nnode_group_count = 3");
    refused(&of_database, &[], &["FailoverDBCluster has no parameter `node_group_count`"]);
    refused("", &["elasticache.pages.resharding.migration_rate=0B"], &["nothing would ever be moved"]);
    let fault = "[[fault]]\nat = \"1m\"\ntarget = \"elasticache.pages\"\naction = \"stormglass:cache-node-failure\"\n";
    refused(&format!("{fault}cache_node_id = \"0001-003\"\n"), &[], &["no node `0001-003`"]);
}

#[test]
fn a_group_has_the_documented_defaults() {
    let cache = cache(&[]);
    assert_eq!((cache.node_groups, cache.replicas, cache.policy), (1, 1, Policy::VolatileLru));
    assert_eq!((cache.failover.automatic, cache.max_connections), (true, 65_000));
    let secs = SimDuration::from_secs;
    assert_eq!((cache.failover.time, cache.failover.replacement, cache.client.timeout), (secs(20), secs(300), secs(2)));
}

#[test]
fn dax_keeps_copies_for_five_minutes_on_up_to_eleven_nodes() {
    let text = SHOP.replace("{ call = \"elasticache.pages.session.del\" },", "{ call = \"dax.near.get\" },")
        + "[dax.near]\ntable = \"dynamodb.carts\"\n[dynamodb.carts]\nread_capacity_units = 10\nwrite_capacity_units = 10\n\
           operations.get = { operation = \"GetItem\", item_size = \"1KB\" }\n";
    let dax = common::loaded(&text, &[]).architecture.dax.remove(0);
    assert_eq!((dax.nodes, dax.ttl), (3, [SimDuration::from_secs(300); 2]));
    assert_eq!(common::loaded(&text, &["dax.near.replication_factor=11"]).architecture.dax[0].nodes, 11);
    common::refused(&text, &["dax.near.replication_factor=12"], &["between 1 and 11"]);
}
