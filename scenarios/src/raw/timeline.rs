//! Faults and expectations.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Sp, choice, table};
use crate::diagnostics::Diagnostic;
use crate::tree::{Node, Value};
use crate::units::{Kind, Share, Time, parse};

table! {
    /// Something that goes wrong.
    Fault as "[[fault]]" {
        /// When.
        required at: Sp<Time>,
        /// What, by its AWS FIS action id.
        required action: Sp<Action>,
        /// What it happens to: "ecs.web", "ec2.web", "aurora.orders", "elasticache.sessions", "dax.cart", "alb.front"; "station.s3" and "dynamodb.cart" of aws:network:disrupt-connectivity; a Region of stormglass:region-failure.
        required target: Sp<String>,
        /// For how long, where it lasts. aws:ec2:stop-instances: after which time the instances are started again
        /// (startInstancesAfterDuration).
        optional("needed where the action lasts", "FIS") duration: Sp<Time>,
        /// Actions on tasks and instances but aws:ecs:task-cpu-stress: only those of this zone. aws:arc:start-zonal-autoshift: the
        /// zone that traffic is taken from. aws:network:disrupt-connectivity of a database and stormglass:az-power-interruption: the
        /// zone whose instances are struck. aws:elasticache:replicationgroup-interrupt-az-power: the zone whose nodes are.
        optional("all zones; needed with aws:arc:start-zonal-autoshift", "FIS") availability_zone: Sp<String>,
        /// aws:ecs:stop-task, aws:ecs:task-cpu-stress and what strikes instances: so many, the oldest first.
        /// stormglass:storage-node-failure: so many copies.
        optional("all tasks; one copy", "FIS, selection mode ALL") count: Sp<u32>,
        /// The same as a share of the desired number, rounded down.
        optional("all tasks", "FIS, selection mode PERCENT") percent: Sp<Share>,
        /// aws:ecs:task-network-latency: added to every request of the tasks.
        optional("needed with aws:ecs:task-network-latency", "FIS") delay: Sp<Time>,
        /// aws:ecs:task-cpu-stress: CPU steps take this many times as long.
        optional("needed with aws:ecs:task-cpu-stress", "assumption: what the stress does to the application") factor: Sp<f64>,
        /// stormglass:error-rate: share of requests answered with an error.
        optional("needed with stormglass:error-rate", "no default") error_rate: Sp<Share>,
        /// aws:rds:reboot-db-instances and stormglass:db-instance-failure: the instance, by name.
        optional("needed with these", "FIS") db_instance_identifier: Sp<String>,
        /// stormglass:cache-node-failure: the node, such as "0001-001"; of DAX its number, such as "1".
        optional("the primary of the first node group; the first node", "assumption") cache_node_id: Sp<String>,
        /// aws:rds:reboot-db-instances: if it is the writer, another takes over.
        optional("it restarts in its place", "FIS (forceFailover)") force_failover: Sp<bool>,
    }
}

choice! {
    /// What goes wrong.
    Action {
        /// Stops tasks at once.
        StopTask = "aws:ecs:stop-task",
        /// Keeps new tasks from RUNNING: their image cannot be pulled.
        LaunchFailure = "stormglass:launch-failure",
        /// Drains the container instances of a service while it lasts: its tasks there are replaced on others.
        DrainContainerInstances = "aws:ecs:drain-container-instances",
        /// Stops instances; starts them again after `duration`, if given.
        StopInstances = "aws:ec2:stop-instances",
        /// Reboots instances.
        RebootInstances = "aws:ec2:reboot-instances",
        /// Terminates instances at once.
        TerminateInstances = "aws:ec2:terminate-instances",
        /// The host of instances fails: their system status check does, and they answer nobody.
        ImpairSystem = "stormglass:impair-system",
        /// The operating system of instances hangs: their instance status check fails, and they answer nobody.
        ImpairInstance = "stormglass:impair-instance",
        /// Promotes a reader.
        FailoverDbCluster = "aws:rds:failover-db-cluster",
        /// Restarts an instance of a database.
        RebootDbInstances = "aws:rds:reboot-db-instances",
        /// An instance of a database loses its host.
        DbInstanceFailure = "stormglass:db-instance-failure",
        /// The instances of a database in one zone are without power (one part of FIS's scenario of that name).
        AzPowerInterruption = "stormglass:az-power-interruption",
        /// The nodes of a cache in one zone are without power.
        InterruptCachePower = "aws:elasticache:replicationgroup-interrupt-az-power",
        /// A node of a cache or of a cluster of DAX loses its host, and another is put in its place.
        CacheNodeFailure = "stormglass:cache-node-failure",
        /// A cluster of Aurora loses `count` of the six copies of its data while it lasts, beside the two of each zone without power.
        StorageFailure = "stormglass:storage-node-failure",
        /// Delays every request of a service.
        NetworkLatency = "aws:ecs:task-network-latency",
        /// Slows the CPU steps of a service's tasks.
        CpuStress = "aws:ecs:task-cpu-stress",
        /// Loses the packets to a service's tasks.
        Blackhole = "aws:ecs:task-network-blackhole-port",
        /// Takes a load balancer's traffic out of a zone (a zonal shift, StartZonalShift, works alike).
        ZonalShift = "aws:arc:start-zonal-autoshift",
        /// No packet reaches a load balancer, cache, table or station: connections to it are not answered. What is on it already is. Of a
        /// database: none reaches its instances in one zone.
        DisruptConnectivity = "aws:network:disrupt-connectivity",
        /// Holds back what is written between a replica of a global table and the others, in both directions.
        PauseReplication = "aws:dynamodb:global-table-pause-replication",
        /// All that is in a Region is lost while it lasts: databases fall silent, everything else is cut off. `target` is the Region's code.
        RegionFailure = "stormglass:region-failure",
        /// Answers a share of requests with an error.
        ErrorRate = "stormglass:error-rate",
    } not ["aws:ecs:task-io-stress", "aws:ecs:task-kill-process", "aws:ecs:task-network-packet-loss",
           "aws:lambda:invocation-error", "aws:lambda:invocation-add-delay"]
}

table! {
    /// What a result must be like.
    Expect as "[[expect]]" {
        /// Path of a figure of the report, such as "latency.p99" or "availability".
        required metric: Sp<String>,
        /// The route whose figure is meant: its path, or "SOURCE PATH" where several sources ask for it.
        optional("the figure over all routes", "no route") route: Sp<String>,
        /// Smallest value that passes.
        optional("no lower bound", "one of min and max is needed") min: Sp<Bound>,
        /// Largest value that passes.
        optional("no upper bound", "one of min and max is needed") max: Sp<Bound>,
    }
}

/// A bound of an expectation: a number with or without a unit, as written too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub value: f64,
    /// `None` where there was no unit.
    pub kind: Option<Kind>,
    pub text: String,
}

impl Decode for Bound {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        let Value::String(text) = &node.value else {
            let value = f64::decode(node, d)?;
            return Some(Self { value, kind: None, text: value.to_string() });
        };
        let kinds = [Kind::Time, Kind::Percent, Kind::Rate, Kind::Size];
        let found = kinds.iter().find_map(|kind| parse(text, *kind).ok().map(|value| (value, *kind)));
        match found {
            Some((value, kind)) => Some(Self { value, kind: Some(kind), text: text.trim().to_string() }),
            None => {
                let title = format!("`{text}` is no bound");
                d.error(Diagnostic::error(node.span, title, "write \"300ms\", \"99.9%\", \"400/s\" or a plain number"));
                None
            }
        }
    }
}

impl JsonSchema for Bound {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "x-type": "\"300ms\", \"99.9%\", \"400/s\" or a plain number" })
    }
}
