//! Deployments: a revision, a strategy, and what watches over it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::raw::cloudwatch::{Comparison, MissingData};
use crate::tree::{Node, Value};
use crate::units::{Share, Time};

table! {
    /// A new revision of an ECS service, or of what the instances of an EC2 group run.
    Deploy as "[[deploy]]" {
        /// Which service or group: "ecs.web", "ec2.web".
        required service: Sp<String>,
        /// When.
        required at: Sp<Time>,
        /// How the revision is rolled out.
        default("rolling", "API:ecs (DeploymentConfiguration); of an EC2 group one_at_a_time (API:codedeploy, deploymentConfigName)") strategy: Sp<Strategy>,
        /// linear: traffic of each step; canary: of the canary. The same for CodeDeploy's time_based_linear and time_based_canary.
        optional("linear 10%, canary 5%; needed with time_based_linear and time_based_canary", "API:ecs (stepPercent, canaryPercent); CodeDeploy (linearPercentage, canaryPercentage)")
        percent: Sp<Share>,
        /// linear: time between steps; canary: time until the rest follows. The same for CodeDeploy's time_based_linear and
        /// time_based_canary.
        optional("linear 6 min, canary 10 min; needed with time_based_linear and time_based_canary", "API:ecs (stepBakeTimeInMinutes, canaryBakeTimeInMinutes); CodeDeploy (linearInterval, canaryInterval)")
        interval: Sp<Time>,
        /// blue_green, linear, canary: how long both revisions run after all traffic has gone to the new one.
        optional("needed with blue_green; otherwise none", "API:ecs (bakeTimeInMinutes is required)") bake_time: Sp<Time>,
        /// Whether there is a test listener: the stages of test traffic are there, and hooks may make requests of the new revision.
        default(false, "API:ecs (testListenerRule is optional); CodeDeploy the same") test_listener: Sp<bool>,
        /// Lifecycle hooks, in their order.
        default([], "none") hooks: Vec<Hook>,
        /// EC2: on the instances there are, or on those of a copy of their Auto Scaling group.
        optional("IN_PLACE", "API:codedeploy (deploymentStyle)") deployment_type: Sp<DeploymentType>,
        /// EC2 in place: whether an instance is taken out of its target group while it is deployed to.
        optional("WITH_TRAFFIC_CONTROL where there is a target group", "assumption: API:codedeploy (deploymentStyle) says no default; the console proposes load balancing")
        deployment_option: Sp<DeploymentOption>,
        /// EC2, minimum_healthy_hosts: how many instances must stay healthy, a number (HOST_COUNT) or a percentage, rounded up
        /// (FLEET_PERCENT).
        optional("needed with minimum_healthy_hosts", "API:codedeploy (MinimumHealthyHosts)") minimum_healthy_hosts: Sp<HealthyHosts>,
        /// EC2: what DownloadBundle takes on an instance.
        default("10s", "assumption: some 100 MB and the agent's polling") download_time: Sp<TimeDist>,
        /// EC2: what Install takes on an instance: files are copied.
        default("5s", "assumption") install_time: Sp<TimeDist>,
        /// EC2 blue/green: what becomes of the original instances.
        optional("TERMINATE, after termination_wait", "API:codedeploy (BlueInstanceTerminationOption)") original_instances: Sp<Originals>,
        /// Somebody stops the deployment so long after it began, if it still goes on: it fails.
        optional("nobody does", "API:codedeploy (StopDeployment); API:ecs (StopServiceDeployment)") stop_after: Sp<Time>,
        /// CodeDeploy blue/green: how long the old tasks or instances run on after the shift.
        optional("1 h with CodeDeploy", "ECS guide, deployment-type-bluegreen (console default); at most 48 h") termination_wait: Sp<Time>,
        /// CodeDeploy: waits for somebody's word before it reroutes traffic.
        optional("reroutes traffic at once (CONTINUE_DEPLOYMENT)", "API:codedeploy (deploymentReadyOption)") ready: Ready,
        /// rolling: gives up after so many failed tasks.
        optional("no circuit breaker", "API:ecs (deploymentCircuitBreaker)") deployment_circuit_breaker: CircuitBreaker,
        /// Any of these makes the deployment fail: names of alarms of [alarm], or alarms written here. One that is in ALARM at the
        /// start is left out.
        default([], "API:ecs (alarms); CodeDeploy guide, at most 10") alarms: Sp<Vec<Watch>>,
        /// Whether a deployment that fails is undone. Otherwise what there is stays as it is.
        optional("true", "API:ecs (rollback, no default) as the console presets it; blue_green, linear and canary always go back") rollback: Sp<bool>,
        /// A change of a database's schema that comes with the revision.
        optional("none", "assumption: the schema stays") database_change: DatabaseChange,
        /// What is new.
        default({}, "the same as before") revision: Revision,
    }
    not ["deployment_controller", "load_balancer", "placement", "deployment_style", "zonal_config", "outdated_instances_strategy",
         "green_fleet_provisioning_option", "file_exists_behavior", "ignore_application_stop_failures"]
}

choice! {
    /// How a revision is rolled out.
    Strategy {
        /// ECS rolling update within minimum and maximum percent.
        Rolling = "rolling",
        /// ECS: a green task set beside the blue one; when all of it is healthy, all traffic switches at once.
        BlueGreen = "blue_green",
        /// ECS: traffic goes to green in equal steps.
        Linear = "linear",
        /// ECS: a share of traffic goes to green, later the rest.
        Canary = "canary",
        /// CodeDeployDefault.ECSAllAtOnce; of an EC2 group CodeDeployDefault.AllAtOnce.
        AllAtOnce = "all_at_once",
        /// CodeDeployDefault.ECSCanary10Percent5Minutes.
        Canary5 = "canary_10_percent_5_minutes",
        /// CodeDeployDefault.ECSCanary10Percent15Minutes.
        Canary15 = "canary_10_percent_15_minutes",
        /// CodeDeployDefault.ECSLinear10PercentEvery1Minutes.
        Linear1 = "linear_10_percent_every_1_minutes",
        /// CodeDeployDefault.ECSLinear10PercentEvery3Minutes.
        Linear3 = "linear_10_percent_every_3_minutes",
        /// CodeDeploy with a share and an interval of one's own.
        TimeBasedCanary = "time_based_canary",
        /// CodeDeploy with a share and an interval of one's own.
        TimeBasedLinear = "time_based_linear",
        /// EC2: CodeDeployDefault.OneAtATime.
        OneAtATime = "one_at_a_time",
        /// EC2: CodeDeployDefault.HalfAtATime.
        HalfAtATime = "half_at_a_time",
        /// EC2: as many at a time as `minimum_healthy_hosts` leaves.
        MinimumHealthyHosts = "minimum_healthy_hosts",
    } not ["in_place", "external"]
}

impl Strategy {
    /// Whether only groups of instances are deployed to in this way.
    pub fn is_of_hosts(self) -> bool {
        matches!(self, Self::OneAtATime | Self::HalfAtATime | Self::MinimumHealthyHosts)
    }
    /// Whether there is a green task set.
    pub fn has_green(self) -> bool {
        self != Self::Rolling
    }
    /// Whether CodeDeploy does it.
    pub fn is_code_deploy(self) -> bool {
        !matches!(self, Self::Rolling | Self::BlueGreen | Self::Linear | Self::Canary)
    }
}

choice! {
    /// On which instances CodeDeploy deploys.
    DeploymentType {
        /// On those there are.
        InPlace = "IN_PLACE",
        /// On those of a copy of their Auto Scaling group.
        BlueGreen = "BLUE_GREEN",
    } not []
}

choice! {
    /// Whether instances are taken out of their target group while they are deployed to.
    DeploymentOption {
        /// They are.
        With = "WITH_TRAFFIC_CONTROL",
        /// They are not: what comes for them meanwhile fails.
        Without = "WITHOUT_TRAFFIC_CONTROL",
    } not []
}

choice! {
    /// What becomes of the original instances.
    Originals {
        /// They are terminated.
        Terminate = "TERMINATE",
        /// They run on, without traffic and outside of the group.
        KeepAlive = "KEEP_ALIVE",
    } not []
}

/// A minimum of healthy hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HealthyHosts {
    Count(u32),
    Share(Share),
}

impl Decode for HealthyHosts {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(_) => Share::decode(node, d).map(Self::Share),
            Value::Integer(_) => u32::decode(node, d).map(Self::Count),
            _ => d.wrong_kind(node, "a number of instances, or a percentage such as \"75%\""),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self::Count(0))
    }
}

impl JsonSchema for HealthyHosts {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "HealthyHosts".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "integer", "minimum": 0 }, generator.subschema_for::<Share>()],
            "x-type": "a number of instances, or a percentage such as \"75%\"",
        })
    }
}

table! {
    /// What a revision is like.
    Revision as "a revision" {
        /// Share of requests it answers with its own error.
        default("0%", "the revision works") error_rate: Sp<Share>,
        /// Its CPU steps take this many times as long.
        default(1.0, "as before") cpu_factor: Sp<f64>,
        /// From RUNNING (EC2: from ApplicationStart) until the application answers.
        optional("the service's startup_time; the group's boot_time", "as before") startup_time: Sp<TimeDist>,
        /// Share of its tasks that exit as they start, before they are RUNNING; EC2: of instances on which ApplicationStart fails.
        default("0%", "the revision works") crash_on_start: Sp<Share>,
        /// A memory leak: from RUNNING until a task is out of memory and killed, with the requests on it.
        optional("never", "the revision works") out_of_memory_after: Sp<TimeDist>,
        /// Cold caches of a new task: { factor = 3.0, time = "2m" }.
        optional("none", "as before") warm_up: WarmUp,
    }
}

table! {
    /// Cold caches: CPU steps take 1 + (factor - 1) exp(-age / time) times as long on a task of some age.
    WarmUp as "a warm-up" {
        /// How many times as long at first.
        required factor: Sp<f64>,
        /// Time after which 37 % (1/e) of the excess are left.
        required time: Sp<Time>,
    }
}

table! {
    /// A lifecycle hook: a function that takes some time and says whether the deployment may go on.
    Hook as "a hook" {
        /// At which stage: ECS "POST_TEST_TRAFFIC_SHIFT" and others, CodeDeploy "AfterAllowTestTraffic", on EC2 "ValidateService" and
        /// others.
        required stage: Sp<String>,
        /// How long it takes.
        default("0s", "assumption: only its word counts") duration: Sp<TimeDist>,
        /// How likely it fails, whatever the revision is like.
        default("0%", "assumption: the hook works") failure_rate: Sp<Share>,
        /// Requests it makes of the new revision, through the test listener or on the instance; each is answered badly with the revision's error rate.
        default(0, "assumption: none") test_requests: Sp<u32>,
        /// The largest share of them that may be answered badly.
        default("0%", "assumption: all must go well") max_error_rate: Sp<Share>,
        /// How long it may take.
        optional("24 h with ECS, 1 h with CodeDeploy", "API:ecs (timeoutInMinutes 1440); CodeDeploy guide, reference-appspec-file-structure-hooks")
        timeout: Sp<Time>,
        /// What becomes of the deployment if it takes longer.
        default("ROLLBACK", "API:ecs (timeoutAction)") timeout_action: Sp<TimeoutAction>,
    }
}

choice! {
    /// What becomes of a deployment whose hook takes too long.
    TimeoutAction {
        /// It fails.
        Rollback = "ROLLBACK",
        /// It goes on.
        Continue = "CONTINUE",
    } not []
}

table! {
    /// What CodeDeploy waits for before it reroutes traffic.
    Ready as "ready" {
        /// How long it waits for somebody's word; without it by then the deployment stops (STOP_DEPLOYMENT).
        required wait_time: Sp<Time>,
        /// When the word comes, counted from the start of the wait.
        optional("never", "nobody is there") continued_after: Sp<Time>,
    }
}

table! {
    /// When a rolling deployment gives up.
    CircuitBreaker as "deployment_circuit_breaker" {
        /// What `value` is.
        default("BOUNDED_PERCENT", "API:ecs (ThresholdConfiguration)") threshold_type: Sp<ThresholdType>,
        /// Percent of the desired count (rounded up), or a number of tasks.
        default(50, "API:ecs (ThresholdConfiguration)") value: Sp<u32>,
        /// Whether a task that becomes healthy sets the count back.
        default(true, "API:ecs (resetOnHealthyTask)") reset_on_healthy_task: Sp<bool>,
    }
}

choice! {
    /// What a circuit breaker's value is.
    ThresholdType {
        /// A percentage of the desired count, from 3 to 200 tasks.
        BoundedPercent = "BOUNDED_PERCENT",
        /// A percentage of the desired count.
        UnboundedPercent = "UNBOUNDED_PERCENT",
        /// A number of tasks.
        Count = "COUNT",
    } not []
}

/// An alarm that makes a deployment fail: one of the scenario's by its name, or one of its own.
#[derive(Clone, Debug)]
pub(crate) enum Watch {
    Named(Sp<String>),
    Own(Box<Alarm>),
}

impl Decode for Watch {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(Self::Named(Sp { value: text.clone(), span: node.span })),
            Value::Table(_) => Alarm::decode(node, d).map(|alarm| Self::Own(Box::new(alarm))),
            _ => d.wrong_kind(node, "the name of an alarm, or a table with `metric_name`"),
        }
    }
}

impl JsonSchema for Watch {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Watch".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "string" }, generator.subschema_for::<Alarm>()],
            "x-type": "the name of an alarm, or a table",
        })
    }
}

table! {
    /// An alarm that makes a deployment fail.
    Alarm as "an alarm of a deployment" {
        /// Its name.
        optional("its metric", "no name") alarm_name: Sp<String>,
        /// The metric, of the service or its load balancer: "ErrorRate" (percent of the targets' answers that are 5xx),
        /// "HTTPCode_Target_5XX_Count", "TargetResponseTime", "CPUUtilization", ...
        required metric_name: Sp<String>,
        /// Only of this target group of the service's load balancer: the green one of `web` is called `web-green` unless the scenario
        /// names another.
        optional("the whole load balancer", "API:cloudwatch (Dimensions)") target_group: Sp<String>,
        /// The threshold, in the metric's unit: percent, answers a minute, seconds.
        required threshold: Sp<f64>,
        /// On which side of the threshold the alarm is.
        default("GreaterThanOrEqualToThreshold", "assumption: too much is what is wrong") comparison_operator: Sp<Comparison>,
        /// The last so many minutes are looked at.
        default(1, "assumption: PutMetricAlarm requires it") evaluation_periods: Sp<u32>,
        /// So many of them must breach.
        optional("evaluation_periods", "API:cloudwatch (DatapointsToAlarm)") datapoints_to_alarm: Sp<u32>,
        /// What a minute without data counts for.
        default("missing", "API:cloudwatch (TreatMissingData)") treat_missing_data: Sp<MissingData>,
    }
}

table! {
    /// A change of a database's schema: it begins with the deployment and keeps writes out for a while.
    DatabaseChange as "database_change" {
        /// Which cluster: "aurora.orders".
        required target: Sp<String>,
        /// How long.
        required duration: Sp<Time>,
        /// What becomes of writes meanwhile.
        default("wait", "assumption: ALTER TABLE with a lock on the table") writes: Sp<Writes>,
    }
}

choice! {
    /// What becomes of writes during a change of the schema.
    Writes {
        /// They wait for its end on their connections.
        Wait = "wait",
        /// They fail at once: the server is read only (MySQL error 1290).
        Fail = "fail",
    } not []
}
