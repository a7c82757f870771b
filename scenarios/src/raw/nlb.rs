//! Network Load Balancers.

use crate::decode::{Named, Sp, table};
use crate::raw::alb::TargetGroupHealth;
use crate::units::Time;

table! {
    /// A Network Load Balancer: it balances connections, not requests.
    Nlb as "[nlb]" {
        /// The Availability Zones it is enabled in, each with a node; clients go to one of them by DNS. Without any there is one node
        /// for all.
        default([], "assumption: one node, unless zones are named") availability_zones: Sp<Vec<Sp<String>>>,
        /// A flow that is idle for longer is forgotten; a request that waits for longer is reset.
        default("350s", "NLB guide, network-load-balancers (TCP idle timeout)") idle_timeout: Sp<Time>,
        /// Time to process a packet.
        default("0s", "assumption: nobody documents it; well below a millisecond") added_latency: Sp<Time>,
        /// Round trip to targets.
        optional("network.region_rtt", "see network.region_rtt") target_rtt: Sp<Time>,
        /// Its only target group, by name: [nlb.front.target_group.web].
        required target_group: Named<TargetGroup>,
    }
    not ["listener", "web_acl", "rule", "security_groups", "zonal_shift", "client_routing_policy"]
}

table! {
    /// A target group of a Network Load Balancer.
    TargetGroup as "a target group" {
        /// Who serves it: "ecs.web" (its tasks) or "station.desk" (one target).
        required targets: Sp<String>,
        /// Health checks of its targets.
        default({}, "every key of health_check has its own default") health_check: HealthCheck,
        /// How long flows go on when a target leaves; it passes whole.
        default("300s", "NLB guide, load-balancer-target-groups (deregistration delay)") deregistration_delay: Sp<Time>,
        /// Whether nodes send to targets of all zones, or only to those of their own.
        default(false, "NLB guide, network-load-balancers (cross-zone load balancing)") cross_zone: Sp<bool>,
        /// How many targets must be healthy.
        default({}, "every key has its own default") target_group_health: TargetGroupHealth,
    }
    not ["stickiness", "preserve_client_ip", "connection_termination", "load_balancing_algorithm", "slow_start"]
}

table! {
    /// Health checks of a target group of a Network Load Balancer.
    HealthCheck as "health_check of a target group" {
        /// Off: targets are healthy from registration on.
        default(true, "API:elbv2 (HealthCheckEnabled)") enabled: Sp<bool>,
        /// Time between checks of a target.
        default("30s", "NLB guide, target-group-health-checks (HealthCheckIntervalSeconds)") interval: Sp<Time>,
        /// Time without an answer that makes a check fail.
        default("10s", "NLB guide, target-group-health-checks (TCP and HTTPS; HTTP has 6 s)") timeout: Sp<Time>,
        /// Consecutive successes that make an unhealthy target healthy; a new target needs one.
        default(5, "NLB guide, target-group-health-checks (HealthyThresholdCount)") healthy_threshold_count: Sp<u32>,
        /// Consecutive failures that make a target unhealthy.
        default(2, "NLB guide, target-group-health-checks (UnhealthyThresholdCount)") unhealthy_threshold_count: Sp<u32>,
    }
    not ["path", "port", "protocol", "matcher"]
}
