//! Application Load Balancers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Named, Sp, choice, table};
use crate::tree::{Node, Value};
use crate::units::Time;

table! {
    /// An Application Load Balancer.
    Alb as "[alb]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to viewers and to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// A target that is silent for longer than this gives 504.
        default("60s", "ALB guide, application-load-balancers (idle timeout)") idle_timeout: Sp<Time>,
        /// Time to process a request.
        default("1ms", "assumption A8: nobody documents it; 0.5-5 ms is plausible") added_latency: Sp<Time>,
        /// Round trip to targets.
        optional("network.region_rtt", "see network.region_rtt") target_rtt: Sp<Time>,
        /// Listener rules in order of priority: [[alb.front.rule]]. The last one must have the path pattern `*`; it may be left
        /// out where there is one target group.
        default([], "forward all to the only target group") rule: Sp<Vec<Rule>>,
        /// Target groups, by name: [alb.front.target_group.web].
        default({}, "none") target_group: Named<TargetGroup>,
    }
    not ["cross_zone", "slow_start", "stickiness", "connection_logs", "web_acl_id", "client_keep_alive", "listener"]
}

table! {
    /// A listener rule: the first whose pattern matches decides.
    Rule as "a listener rule" {
        /// Path pattern with `*` and `?`.
        default("*", "ALB guide, load-balancer-listeners: the default rule") path_pattern: Sp<String>,
        /// Name of the target group that gets the request, or several by weight: { web = 90, canary = 10 }.
        optional("fixed_response is given", "exactly one of forward, fixed_response") forward: Sp<Forward>,
        /// Answers with this HTTP status.
        optional("forward is given", "exactly one of forward, fixed_response") fixed_response: Sp<u32>,
    }
    not ["host_header", "http_header", "query_string", "source_ip", "redirect", "http_request_method", "authenticate_oidc",
         "authenticate_cognito", "stickiness"]
}

/// Where a rule forwards to: target groups with weights.
#[derive(Clone, Debug)]
pub(crate) struct Forward(pub Vec<(Sp<String>, Sp<u32>)>);

impl Decode for Forward {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(name) => {
                let weight = Sp { value: 1, span: node.span };
                Some(Self(vec![(Sp { value: name.clone(), span: node.span }, weight)]))
            }
            Value::Table(entries) => {
                let group = |(key, weight): &(crate::tree::Key, Node), d: &mut Decoder| {
                    let weight = Sp::<u32>::decode(weight, d).or_else(Sp::stand_in);
                    Some((Sp { value: key.text.clone(), span: key.span }, weight?))
                };
                Some(Self(entries.iter().filter_map(|entry| group(entry, d)).collect()))
            }
            _ => d.wrong_kind(
                node,
                "a target group's name, or target groups with weights such as { web = 90, canary = 10 }",
            ),
        }
    }
}

impl JsonSchema for Forward {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Forward".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "object", "additionalProperties": { "type": "integer", "minimum": 0, "maximum": 999 } },
            ],
            "x-type": "a target group's name, or target groups with weights",
        })
    }
}

table! {
    /// A target group.
    TargetGroup as "a target group" {
        /// Who serves it: "ecs.web" (its tasks) or "station.desk" (one target).
        required targets: Sp<String>,
        /// How a target is chosen.
        default("round_robin", "ALB guide, load-balancer-target-groups") load_balancing_algorithm: Sp<Algorithm>,
        /// Health checks of its targets.
        default({}, "every key of health_check has its own default") health_check: TargetHealthCheck,
        /// How long requests in flight may go on when a target leaves.
        default("300s", "ALB guide, load-balancer-target-groups (deregistration delay)") deregistration_delay: Sp<Time>,
    }
    not ["slow_start", "stickiness", "anomaly_mitigation", "cross_zone", "target_group_health"]
}

choice! {
    /// How a target is chosen.
    Algorithm {
        /// In turn.
        RoundRobin = "round_robin",
        /// The fewest requests in progress.
        LeastOutstandingRequests = "least_outstanding_requests",
        /// At random, evenly.
        WeightedRandom = "weighted_random",
        /// Two at random, of these the one with fewer requests in progress. No ALB does this; NGINX (`random two least_conn`) and
        /// Envoy (`LEAST_REQUEST`) do.
        PowerOfTwo = "power_of_two",
    } not []
}

table! {
    /// Health checks of a target group.
    TargetHealthCheck as "health_check of a target group" {
        /// Off: targets are healthy from registration on.
        default(true, "API:elbv2 (HealthCheckEnabled)") enabled: Sp<bool>,
        /// Time between checks of a target.
        default("30s", "ALB guide, target-group-health-checks (HealthCheckIntervalSeconds)") interval: Sp<Time>,
        /// Time without an answer that makes a check fail.
        default("5s", "ALB guide, target-group-health-checks (HealthCheckTimeoutSeconds)") timeout: Sp<Time>,
        /// Consecutive successes that make an unhealthy target healthy; a new target needs one.
        default(5, "ALB guide, target-group-health-checks (HealthyThresholdCount)") healthy_threshold_count: Sp<u32>,
        /// Consecutive failures that make a target unhealthy.
        default(2, "ALB guide, target-group-health-checks (UnhealthyThresholdCount)") unhealthy_threshold_count: Sp<u32>,
    }
    not ["path", "port", "protocol", "matcher"]
}
