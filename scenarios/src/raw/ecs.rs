//! ECS services: tasks, what they do with requests, and how their number follows the load.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::raw::scaling::{CustomMetric, Scaling, ScheduledAction};
use crate::raw::traffic::{Method, Retry};
use crate::tree::{Node, Span, Value};
use crate::units::{Bytes, Share, Time, Vcpu};

table! {
    /// An ECS service.
    Service as "[ecs]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to viewers and to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// How many tasks there are at the start.
        default(1, "API:ecs (desiredCount)") desired_count: Sp<u32>,
        /// The Availability Zones its tasks are spread over, in turn.
        default(["a", "b", "c"], "assumption: three zones") availability_zones: Sp<Vec<Sp<String>>>,
        /// vCPU of a task: cores that its CPU steps share.
        required cpu: Sp<Vcpu>,
        /// Memory of a task: it is killed when it needs more.
        optional("as much as it likes", "ECS guide, task_definition_parameters (memory)") memory: Sp<Bytes>,
        /// Memory a task has in use from the start.
        default("128MB", "assumption") memory_base: Sp<Bytes>,
        /// Memory that a request holds while it is in the task, waiting or not.
        default("0B", "assumption") memory_per_request: Sp<Bytes>,
        /// Memory that each answered request leaves behind.
        default("0B", "the program does not leak") memory_leak_per_request: Sp<Bytes>,
        /// Requests a task works on at once: threads, or slots of an event loop.
        default(200, "assumption: maxThreads of Apache Tomcat") workers: Sp<u32>,
        /// Requests that may wait for a worker of a task; one more is answered 503.
        optional("any number", "assumption") backlog: Sp<u32>,
        /// What becomes of a worker while its request waits for a dependency.
        default("threaded", "assumption: one thread a request") concurrency: Sp<Concurrency>,
        /// EC2 capacity: the container instances that its tasks are placed on. Without them it runs on Fargate.
        optional("Fargate", "API:ecs (launchType)") container_instances: ContainerInstances,
        /// On container instances: where a task goes. The first strategy decides, the next among the instances it leaves.
        default(["spread:attribute:ecs.availability-zone"], "ECS guide, task-placement-strategies: the default of services") placement_strategy: Sp<Vec<Sp<Placement>>>,
        /// From the request for a task until it is RUNNING.
        optional("25s on Fargate, 10s on container instances", "assumptions A14 (a small image; 15-60 s is plausible) and 5 s + 5 s for awsvpc") launch_time: Sp<TimeDist>,
        /// Size of the compressed image. On Fargate what is beyond 50 MB is pulled after the launch time; on a container instance all
        /// of it, once.
        default("50MB", "assumption A14: a small image, pulled within the launch time") image_size: Sp<Bytes>,
        /// How fast an image is pulled, in bytes a second.
        default("15MB", "assumption A15: 5-50 MB/s is plausible") image_pull_throughput: Sp<Bytes>,
        /// From RUNNING until the application answers.
        default("5s", "assumption") startup_time: Sp<TimeDist>,
        /// How long a stopping task may finish what it has, after draining.
        default("30s", "ECS guide, task_definition_parameters (stopTimeout)") stop_timeout: Sp<Time>,
        /// How often the service scheduler looks.
        default("5s", "assumption A16: nobody documents it; 1-15 s is plausible") scheduler_interval: Sp<Time>,
        /// How long after RUNNING the load balancer's bad news about a task is ignored.
        default("0s", "API:ecs (healthCheckGracePeriodSeconds)") health_check_grace_period: Sp<Time>,
        /// Health check of the container, by the agent beside it.
        optional("none", "ECS guide, task_definition_parameters (healthCheck)") health_check: ContainerHealthCheck,
        /// How long direct callers (`call = "ecs.NAME"`) keep the addresses they were told: Cloud Map's TTL. Without it they know at any
        /// time who is there, as with Service Connect.
        optional("callers know who is there", "API:servicediscovery (DnsRecord TTL; the console proposes 60 s)") service_discovery_ttl: Sp<Time>,
        /// Without a load balancer: how long after RUNNING a task counts as healthy.
        default("40s", "API:ecs; ECS guide, service_definition_parameters") healthy_after: Sp<Time>,
        /// CPU time of answering a health check.
        default("1ms", "assumption") health_check_cpu: Sp<Time>,
        /// Smallest number of healthy tasks during a deployment, in percent of the desired count, rounded up.
        default("100%", "API:ecs (minimumHealthyPercent)") minimum_healthy_percent: Sp<Share>,
        /// Largest number of tasks during a deployment, in percent of the desired count, rounded down.
        default("200%", "API:ecs (maximumPercent)") maximum_percent: Sp<Share>,
        /// Share of requests answered with the service's own error (500).
        default("0%", "the service works") error_rate: Sp<Share>,
        /// What is done with requests, by path pattern: [[ecs.web.handler]]. The first that matches; a path that none matches
        /// gives 404.
        required handler: Sp<Vec<Handler>>,
        /// How often CPUUtilization is published: every 60s or every 20s.
        default("60s", "API:ecs (MonitoringConfiguration, resolutionSeconds)") metric_resolution: Sp<Time>,
        /// Metrics that the program itself publishes, every minute, in the namespace "Custom/Application".
        default([], "none; ASG guide, as-scaling-target-tracking-metric-math: backlog per instance") custom_metrics: Sp<Vec<Sp<CustomMetric>>>,
        /// Scaling policies: [[ecs.web.scaling]].
        default([], "the number of tasks stays as it is") scaling: Vec<Scaling>,
        /// Other bounds of scaling from some instant on: [[ecs.web.scheduled_action]].
        default([], "none") scheduled_action: Vec<ScheduledAction>,
    }
    not ["launch_type", "capacity_provider_strategy", "placement_constraints", "service_connect",
         "availability_zone_rebalancing", "deployment_circuit_breaker", "load_balancers", "network_configuration"]
}

table! {
    /// The container instances of a service, all alike and spread over its zones.
    ContainerInstances as "container instances" {
        /// How many there are.
        required count: Sp<u32>,
        /// The instance type: its vCPU.
        required instance_type: Sp<String>,
        /// vCPU of an instance whose type is not in the table of known types.
        optional("that of the type", "EC2 instance types") cpu: Sp<Vcpu>,
        /// A capacity provider that sees to it that there are as many instances as the tasks need. `count` is how many there are at
        /// the start.
        optional("there are always `count`", "API:ecs (CapacityProvider, managedScaling)") managed_scaling: ManagedScaling,
        /// Memory of one for tasks; it matters where tasks have `memory`.
        optional("as much as the tasks need", "assumption: the table of types knows no memory") memory: Sp<Bytes>,
    }
}

table! {
    /// Managed scaling of a capacity provider.
    ManagedScaling as "managed scaling" {
        /// The CapacityProviderReservation to be held: 100 is no instance more than the tasks need, 80 a fifth spare.
        default(100, "API:ecs (ManagedScaling, targetCapacity)") target_capacity: Sp<u32>,
        /// Fewest instances.
        default(0, "assumption: API:autoscaling requires it (MinSize)") min_size: Sp<u32>,
        /// Most instances.
        required max_size: Sp<u32>,
        /// Instances are added or removed by at least so many at once.
        default(1, "API:ecs (ManagedScaling, minimumScalingStepSize)") minimum_scaling_step_size: Sp<u32>,
        /// Instances are added or removed by at most so many at once.
        default(10000, "API:ecs (ManagedScaling, maximumScalingStepSize)") maximum_scaling_step_size: Sp<u32>,
        /// How long after a launch only a larger one is made.
        default("300s", "API:ecs (ManagedScaling, instanceWarmupPeriod)") instance_warmup_period: Sp<Time>,
        /// From the request for an instance until it takes tasks.
        default("60s", "assumption: A17, 15-60 s until it serves, and the agent") launch_time: Sp<TimeDist>,
        /// Whether only instances without tasks are terminated. Otherwise those with the fewest tasks are drained first.
        default(false, "API:ecs (managedTerminationProtection)") managed_termination_protection: Sp<bool>,
    }
    not ["managed_draining", "status"]
}

choice! {
    /// A placement strategy: its type and field.
    Placement {
        /// The zone with the fewest of the service's tasks.
        SpreadZone = "spread:attribute:ecs.availability-zone",
        /// The instance with the fewest of the service's tasks.
        SpreadInstance = "spread:instanceId",
        /// The instance with the least vCPU left that suffices.
        BinpackCpu = "binpack:cpu",
        /// The instance with the least memory left that suffices.
        BinpackMemory = "binpack:memory",
        /// Any.
        Random = "random",
    } not ["spread:host"]
}

table! {
    /// The health check of a container.
    ContainerHealthCheck as "a container health check" {
        /// Time between checks.
        default("30s", "ECS guide, task_definition_parameters (interval)") interval: Sp<Time>,
        /// How long a check may take.
        default("5s", "ECS guide, task_definition_parameters (timeout)") timeout: Sp<Time>,
        /// Failures in a row that make the container unhealthy.
        default(3, "ECS guide, task_definition_parameters (retries)") retries: Sp<u32>,
        /// Failures within this time after RUNNING do not count, before the first success.
        default("0s", "ECS guide, task_definition_parameters (startPeriod: off)") start_period: Sp<Time>,
    }
    not ["command"]
}

choice! {
    /// What becomes of a worker during a call.
    Concurrency {
        /// It waits too.
        Threaded = "threaded",
        /// It is free for others.
        EventLoop = "event_loop",
    } not []
}

table! {
    /// What a task does with requests of one path pattern.
    Handler as "a handler" {
        /// Path pattern with `*` and `?`.
        default("*", "assumption: all paths") path: Sp<String>,
        /// What is done, in order.
        required steps: Sp<Vec<Step>>,
        /// Size of the answer where no catalogue says.
        default("10KB", "assumption") response_size: Sp<Bytes>,
    }
}

table! {
    /// One step of a handler: exactly one of cpu, wait, call and calls.
    Step as "a step" {
        /// CPU time on one core of the task.
        optional("another kind of step", "exactly one of cpu, wait, call, calls") cpu: Sp<TimeDist>,
        /// Time without CPU.
        optional("another kind of step", "exactly one of cpu, wait, call, calls") wait: Sp<TimeDist>,
        /// A call to a dependency: "dynamodb.cart.get_cart", "station.payment", or a table.
        optional("another kind of step", "exactly one of cpu, wait, call, calls") call: Call,
        /// Several calls at once; the handler goes on when all are answered.
        optional("another kind of step", "exactly one of cpu, wait, call, calls") calls: Sp<Vec<Call>>,
        /// How likely the step is taken.
        default("100%", "always") probability: Sp<Share>,
    }
}

/// A call to a dependency.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// `"dynamodb.cart.get_cart"`
    Short(Sp<String>),
    /// A table.
    Long(Box<LongCall>),
}

impl Call {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Short(text) => text.span,
            Self::Long(call) => call.span,
        }
    }
}

table! {
    /// A call to a dependency.
    LongCall as "a call" {
        /// Who is called: "aurora.orders", "dynamodb.cart", "elasticache.sessions", "station.payment", "alb.internal", "ecs.search".
        required to: Sp<String>,
        /// Which statement (Aurora), operation (DynamoDB), item and command (ElastiCache: "session.get") or class (station).
        optional("the only one there is; a station's own service time", "assumption") operation: Sp<String>,
        /// The cache, and which of its items, that is looked into first: "elasticache.queries.product". What the called part answers
        /// is put there.
        optional("none: the called part is asked at once", "assumption") cache: Sp<String>,
        /// The path, for load balancers and services.
        optional("/", "assumption") path: Sp<String>,
        /// HTTP method, for load balancers and services.
        default("GET", "HTTP") method: Sp<Method>,
        /// How likely the call is made.
        default("100%", "always") probability: Sp<Share>,
        /// When the caller gives up.
        optional("no timeout", "assumption") timeout: Sp<Time>,
        /// What the caller does about failures, in full.
        optional("as retry_mode says", "see retry_mode") retry: Retry,
        /// What the caller does about failures, as AWS SDKs name it: nothing ("none"); 3 attempts, back-off 1 s with jitter,
        /// and a retry quota of 500 tokens for each task and called part ("standard"); the same with a back-off of 50 ms, and for DynamoDB 4 attempts,
        /// back-off 25 ms ("standard_2_1"); or 5 attempts, back-off 1 s with jitter, and for DynamoDB 10 attempts, back-off 50 ms without jitter ("legacy").
        optional("legacy for DynamoDB, none for all others", "botocore/data/_retry.json and retryhandler.py; only AWS calls go through an SDK")
        retry_mode: Sp<RetryMode>,
        /// Whether the handler fails (500) if the call does; otherwise it goes on without.
        default(true, "assumption") required: Sp<bool>,
        /// Round trip to the dependency.
        optional("network.region_rtt", "see network.region_rtt") rtt: Sp<Time>,
    }
}

impl Decode for Call {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(Self::Short(Sp { value: text.clone(), span: node.span })),
            Value::Table(_) => LongCall::decode(node, d).map(|call| Self::Long(Box::new(call))),
            _ => d.wrong_kind(node, "a call such as \"dynamodb.cart.get_cart\", or a table with `to`"),
        }
    }
}

impl JsonSchema for Call {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Call".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "string" }, generator.subschema_for::<LongCall>()],
            "x-type": "a call such as \"dynamodb.cart.get_cart\", or a table",
        })
    }
}

choice! {
    /// What a caller does about failures.
    RetryMode {
        /// Nothing.
        None = "none",
        /// 3 attempts, 1 s, full jitter, a retry quota.
        Standard = "standard",
        /// The same with 50 ms, opt-in since 2026; for DynamoDB 4 attempts, 25 ms. Throttled attempts wait from 1 s on.
        Standard21 = "standard_2_1",
        /// 5 attempts, 1 s, full jitter; for DynamoDB 10 attempts, 50 ms, no jitter.
        Legacy = "legacy",
    } not ["adaptive"]
}
