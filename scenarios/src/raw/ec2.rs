//! EC2: Auto Scaling groups of instances, and instances that stand alone.

use crate::decode::{Sp, choice, table};
use crate::distributions::TimeDist;
use crate::raw::ecs::{Concurrency, Handler};
use crate::raw::scaling::{CustomMetric, Scaling, ScheduledAction};
use crate::units::{Bytes, Share, Time, Vcpu};

table! {
    /// An EC2 Auto Scaling group, or instances that stand alone.
    Group as "[ec2]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to viewers and to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// The instance type, such as "m5.large" or "t3.micro": its vCPU, and what CPU credits it earns.
        required instance_type: Sp<String>,
        /// The volume of each instance: what it costs, not how fast it is.
        default({}, "every key of ebs has its own default") ebs: Ebs,
        /// vCPU of an instance whose type is not in the table of known types.
        optional("that of the type", "EC2 instance types") cpu: Sp<Vcpu>,
        /// Whether the instances are an Auto Scaling group. Otherwise they stand alone: nobody replaces them.
        default(true, "assumption: the usual way to run several instances") auto_scaling_group: Sp<bool>,
        /// How many instances there are at the start.
        default(1, "assumption") desired_capacity: Sp<u32>,
        /// Fewest instances.
        optional("min_capacity of its scaling policies, else desired_capacity", "assumption: API:autoscaling requires it (MinSize)") min_size: Sp<u32>,
        /// Most instances.
        optional("max_capacity of its scaling policies, else desired_capacity", "assumption: API:autoscaling requires it (MaxSize)") max_size: Sp<u32>,
        /// The Availability Zones its instances are spread over.
        default(["a", "b", "c"], "assumption: three zones") availability_zones: Sp<Vec<Sp<String>>>,
        /// Memory that the program may have: it is killed when it needs more, and started again.
        optional("as much as it likes", "assumption") memory: Sp<Bytes>,
        /// Memory the program has in use from the start.
        default("128MB", "assumption") memory_base: Sp<Bytes>,
        /// Memory that a request holds while it is in the program, waiting or not.
        default("0B", "assumption") memory_per_request: Sp<Bytes>,
        /// Memory that each answered request leaves behind.
        default("0B", "the program does not leak") memory_leak_per_request: Sp<Bytes>,
        /// Requests an instance works on at once: threads, or slots of an event loop.
        default(200, "assumption: maxThreads of Apache Tomcat") workers: Sp<u32>,
        /// Requests that may wait for a worker of an instance; one more is answered 503.
        optional("any number", "assumption") backlog: Sp<u32>,
        /// What becomes of a worker while its request waits for a dependency.
        default("threaded", "assumption: one thread a request") concurrency: Sp<Concurrency>,
        /// From the request for an instance, or for the start of a stopped one, until it is running.
        default("19s", "measured (brevdev/ec2-coldboot-research, 2026): API 2 s, pending to running 17 s; assumption A17: 15-60 s with the boot") launch_time: Sp<TimeDist>,
        /// From running until the program answers, at every boot.
        default("3s", "measured (brevdev/ec2-coldboot-research, 2026): Linux, small AMI") boot_time: Sp<TimeDist>,
        /// What the first boot takes longer: user data, downloads, installation.
        default("0s", "assumption: all is in the AMI") user_data_time: Sp<TimeDist>,
        /// What an instance takes to stop.
        default("30s", "assumption: AWS documents no time") stop_time: Sp<TimeDist>,
        /// From the reboot of an instance until its program answers.
        default("2m", "EC2 guide, ec2-instance-reboot: normally a few minutes") reboot_time: Sp<TimeDist>,
        /// How long a program that is told to end may finish what it has.
        default("90s", "assumption: DefaultTimeoutStopSec of systemd") stop_timeout: Sp<Time>,
        /// How often the group looks at its instances.
        default("5s", "assumption: nobody documents it") group_interval: Sp<Time>,
        /// Whose word counts for an instance's health.
        default("EC2", "API:autoscaling (HealthCheckType)") health_check_type: Sp<HealthCheckType>,
        /// How long after an instance came into service bad news about it is ignored.
        default("0s", "API:autoscaling (HealthCheckGracePeriod); the console proposes 300 s") health_check_grace_period: Sp<Time>,
        /// How long the status checks of an instance fail before the group replaces it, or auto recovery moves it to another host.
        default("2m", "assumption: ASG guide, ec2-auto-scaling-health-checks: a few minutes") impaired_for: Sp<Time>,
        /// How long a new instance is left out of the group's metrics.
        default("0s", "API:autoscaling (DefaultInstanceWarmup is not set)") default_instance_warmup: Sp<Time>,
        /// Who is terminated first, of the zones with the most instances: the first policy decides, the next among those it leaves.
        default(["Default"], "ASG guide, ec2-auto-scaling-termination-policies") termination_policies: Sp<Vec<Sp<TerminationPolicy>>>,
        /// Whether zones are evened out: launches where there are fewest before it terminates where there are most.
        default(true, "ASG guide, auto-scaling-benefits") az_rebalance: Sp<bool>,
        /// Instances prepared for later.
        optional("none", "API:autoscaling (PutWarmPool)") warm_pool: WarmPool,
        /// Launching instances wait for somebody's action before they come into service.
        optional("no hook", "API:autoscaling (autoscaling:EC2_INSTANCE_LAUNCHING)") launching_hook: Hook,
        /// Terminating instances wait for somebody's action before they are shut down.
        optional("no hook", "API:autoscaling (autoscaling:EC2_INSTANCE_TERMINATING)") terminating_hook: Hook,
        /// Instances that stand alone: whether one whose system status check fails is moved to another host.
        default(true, "EC2 guide, ec2-instance-recover: on by default, and not for members of a group") auto_recovery: Sp<bool>,
        /// Burstable types: what becomes of an instance without CPU credits.
        optional("standard for t2, unlimited for t3, t3a and t4g", "EC2 guide, burstable-performance-instances") cpu_credits: Sp<CpuCredits>,
        /// Burstable types: credits of the instances that are there at the start.
        optional("the most there can be: 24 hours of earnings", "assumption: they have idled for a day") initial_cpu_credits: Sp<f64>,
        /// Whether CPU metrics come every minute; otherwise every five.
        default(true, "assumption: as scaling needs it; EC2 guide, using-cloudwatch: basic monitoring is the default") detailed_monitoring: Sp<bool>,
        /// CPU time of answering a health check.
        default("1ms", "assumption") health_check_cpu: Sp<Time>,
        /// Share of requests answered with the program's own error (500).
        default("0%", "the program works") error_rate: Sp<Share>,
        /// What is done with requests, by path pattern: [[ec2.web.handler]]. The first that matches; a path that none matches
        /// gives 404.
        required handler: Sp<Vec<Handler>>,
        /// Metrics that the program itself publishes, every minute, in the namespace "Custom/Application".
        default([], "none; ASG guide, as-scaling-target-tracking-metric-math: backlog per instance") custom_metrics: Sp<Vec<Sp<CustomMetric>>>,
        /// Scaling policies: [[ec2.web.scaling]].
        default([], "the number of instances stays as it is") scaling: Vec<Scaling>,
        /// Other bounds of scaling from some instant on: [[ec2.web.scheduled_action]].
        default([], "none") scheduled_action: Vec<ScheduledAction>,
        /// Planned stops and starts: [[ec2.web.maintenance]].
        default([], "none") maintenance: Vec<Maintenance>,
    }
    not ["mixed_instances_policy", "launch_template", "spot", "instance_maintenance_policy", "instance_refresh",
         "new_instances_protected_from_scale_in", "max_instance_lifetime", "placement_group", "hibernation"]
}

table! {
    /// The volume of each instance. It is paid for, whether the instance is running or stopped, until that is terminated.
    Ebs as "ebs" {
        /// Its kind.
        default("gp3", "Amazon Linux 2023 guide: the root volume of its AMIs") volume_type: Sp<VolumeType>,
        /// Its size.
        default("8GiB", "Amazon Linux 2023 guide: the root volume of its AMIs") volume_size: Sp<Bytes>,
        /// gp3: I/O operations a second; 3,000 are part of its price.
        default(3000, "EC2 guide, general-purpose: 3,000 to 16,000") iops: Sp<u32>,
        /// gp3: MiB a second; 125 are part of its price.
        default(125, "EC2 guide, general-purpose: 125 to 1,000") throughput: Sp<u32>,
    }
    not ["delete_on_termination", "encrypted", "snapshot_id"]
}

choice! {
    /// A kind of volume.
    VolumeType {
        /// General purpose, of the second generation.
        Gp2 = "gp2",
        /// General purpose, of the third.
        Gp3 = "gp3",
    } not ["io1", "io2", "st1", "sc1", "standard"]
}

choice! {
    /// Whose word counts for an instance's health.
    HealthCheckType {
        /// Whether it is running, and its status checks.
        Ec2 = "EC2",
        /// The load balancer's health checks too.
        Elb = "ELB",
    } not ["VPC_LATTICE", "EBS"]
}

choice! {
    /// Who is terminated first.
    TerminationPolicy {
        /// Oldest launch template, then closest to the next billing hour.
        Default = "Default",
        /// The oldest instance.
        OldestInstance = "OldestInstance",
        /// The newest instance.
        NewestInstance = "NewestInstance",
        /// Of the oldest launch template.
        OldestLaunchTemplate = "OldestLaunchTemplate",
        /// Closest to the next full hour since its launch.
        ClosestToNextInstanceHour = "ClosestToNextInstanceHour",
    } not ["OldestLaunchConfiguration", "AllocationStrategy"]
}

choice! {
    /// What becomes of a burstable instance without CPU credits.
    CpuCredits {
        /// It gets its baseline.
        Standard = "standard",
        /// It goes on, on credit.
        Unlimited = "unlimited",
    } not []
}

table! {
    /// Instances prepared for later.
    WarmPool as "a warm pool" {
        /// In which state they wait.
        default("Stopped", "API:autoscaling (PoolState)") pool_state: Sp<PoolState>,
        /// Fewest instances in the pool.
        default(0, "API:autoscaling (MinSize)") min_size: Sp<u32>,
        /// Instances of group and pool together.
        optional("max_size", "API:autoscaling (MaxGroupPreparedCapacity)") max_group_prepared_capacity: Sp<u32>,
        /// Whether instances go back to the pool when the group scales in.
        default(false, "API:autoscaling (InstanceReusePolicy)") reuse_on_scale_in: Sp<bool>,
    }
}

choice! {
    /// In which state instances of a warm pool wait.
    PoolState {
        /// They boot when needed; their user data has run.
        Stopped = "Stopped",
        /// Ready at once.
        Running = "Running",
        /// Their memory is restored when needed: the program does not boot.
        Hibernated = "Hibernated",
    } not []
}

table! {
    /// A lifecycle hook.
    Hook as "a lifecycle hook" {
        /// How long an instance waits for the action.
        default("1h", "API:autoscaling (HeartbeatTimeout)") heartbeat_timeout: Sp<Time>,
        /// How often somebody prolongs that time while the action goes on, up to 48 hours or a hundred times.
        optional("never", "API:autoscaling (RecordLifecycleActionHeartbeat); ASG guide, lifecycle-hooks") record_lifecycle_action_heartbeat: Sp<Time>,
        /// What becomes of an instance whose time is over.
        default("ABANDON", "API:autoscaling (DefaultResult)") default_result: Sp<HookResult>,
        /// How long until somebody completes the action.
        optional("nobody does", "API:autoscaling (CompleteLifecycleAction)") duration: Sp<TimeDist>,
    }
    not []
}

choice! {
    /// What becomes of an instance when a hook's time is over.
    HookResult {
        /// It goes on.
        Continue = "CONTINUE",
        /// A launching instance is terminated, and another launched.
        Abandon = "ABANDON",
    } not []
}

table! {
    /// A planned stop and start of instances, one after the other.
    Maintenance as "maintenance" {
        /// When it begins.
        required at: Sp<Time>,
        /// What for.
        required event: Sp<MaintenanceEvent>,
        /// instance-type: what they become; whatever is launched later too.
        optional("needed with instance-type", "API:ec2 (ModifyInstanceAttribute)") instance_type: Sp<String>,
        /// How many instances, the oldest first.
        optional("all", "assumption") count: Sp<u32>,
        /// Whether an instance is taken out of its target group, and into standby, before it is stopped.
        default(false, "assumption: what happens when nobody prepares for it") deregister: Sp<bool>,
    }
}

choice! {
    /// What an instance is stopped and started for.
    MaintenanceEvent {
        /// Its host is retired: it starts on another.
        InstanceRetirement = "instance-retirement",
        /// It becomes another type.
        InstanceType = "instance-type",
    } not ["system-maintenance", "system-reboot", "instance-reboot", "instance-stop"]
}
