//! Application Load Balancers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Named, Sp, choice, table};
use crate::raw::traffic::Method;
use crate::tree::{Node, Value};
use crate::units::{Rate, Share, Time};

table! {
    /// An Application Load Balancer.
    Alb as "[alb]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to viewers and to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// The Availability Zones it is enabled in. Each has a node with its own counters, turns and view of the targets' health;
        /// clients go to one of them by DNS. Without any there is one node for all.
        default([], "assumption: one node, unless zones are named (AWS wants at least two)") availability_zones: Sp<Vec<Sp<String>>>,
        /// A target that is silent for longer than this gives 504.
        default("60s", "ALB guide, application-load-balancers (idle timeout)") idle_timeout: Sp<Time>,
        /// Longest life of a client's connection. Counts for NewConnectionCount and ConsumedLCUs.
        default("1h", "API:elbv2 (client_keep_alive.seconds: 3600)") client_keep_alive: Sp<Time>,
        /// Time to process a request.
        default("1ms", "assumption A8: nobody documents it; 0.5-5 ms is plausible") added_latency: Sp<Time>,
        /// Round trip to targets.
        optional("network.region_rtt", "see network.region_rtt") target_rtt: Sp<Time>,
        /// The load that it is scaled for at the start: there is room for twice as much, and twice as much again after five minutes
        /// of it; what comes beyond gets 503.
        optional("no limit", "assumption A7: off; else twice in 5 minutes") initial_capacity: Sp<Rate>,
        /// Whether a zonal shift may be started for it.
        default(false, "ALB guide, zonal-shift (zonal_shift.config.enabled)") zonal_shift: Sp<bool>,
        /// The web ACL that looks at requests first: "waf.NAME".
        optional("no web ACL", "ALB guide") web_acl: Sp<String>,
        /// Listener rules in order of priority: [[alb.front.rule]]. The last one must have no conditions; it may be left out where
        /// there is one target group.
        default([], "forward all to the only target group") rule: Sp<Vec<Rule>>,
        /// Target groups, by name: [alb.front.target_group.web].
        default({}, "none") target_group: Named<TargetGroup>,
    }
    not ["connection_logs", "web_acl_id", "listener", "capacity_reservation"]
}

table! {
    /// A listener rule: the first whose conditions all hold decides. Of the values of one condition one is enough.
    Rule as "a listener rule" {
        /// Rules are looked at from the lowest number to the highest; the default rule has none and comes last.
        optional("rules are looked at as written", "assumption") priority: Sp<u32>,
        /// Path pattern with `*` and `?`, or several.
        default("*", "ALB guide, load-balancer-listeners: the default rule") path_pattern: Sp<Words>,
        /// The host asked for, with `*` and `?`, or several: see host of a route.
        optional("any host", "ALB guide, load-balancer-listeners (host-header)") host_header: Sp<Words>,
        /// Methods.
        optional("any method", "ALB guide, load-balancer-listeners (http-request-method)") http_request_method: Sp<Vec<Sp<Method>>>,
        /// Headers: all of these must be there, see http_headers of a route.
        default([], "any headers") http_header: Sp<Vec<HttpHeader>>,
        /// Query strings: one of these must be there, see query of a route.
        default([], "any query string") query_string: Sp<Vec<QueryString>>,
        /// Blocks of addresses (CIDR), one or several: see source_ip of traffic. Behind a distribution the address is CloudFront's.
        optional("any address", "ALB guide, load-balancer-listeners (source-ip)") source_ip: Sp<Words>,
        /// Name of the target group that gets the request, or several by weight: { web = 90, canary = 10 }.
        optional("fixed_response or redirect is given", "exactly one of forward, fixed_response, redirect") forward: Sp<Forward>,
        /// With forward: a client stays with its target group for so long after each request.
        optional("each request chooses anew", "ALB guide, load-balancer-listeners (TargetGroupStickinessConfig)") target_group_stickiness: Sp<Time>,
        /// Answers with this HTTP status.
        optional("forward or redirect is given", "exactly one of forward, fixed_response, redirect") fixed_response: Sp<u32>,
        /// Sends the client to another path.
        optional("forward or fixed_response is given", "exactly one of forward, fixed_response, redirect") redirect: Redirect,
    }
    not ["authenticate_oidc", "authenticate_cognito"]
}

table! {
    /// A condition on a header.
    HttpHeader as "a condition on a header" {
        /// The header's name; case does not matter.
        required name: Sp<String>,
        /// Values with `*` and `?`, one of which is enough; case does not matter.
        required values: Sp<Words>,
    }
}

table! {
    /// A condition on the query string.
    QueryString as "a condition on the query string" {
        /// The key.
        optional("any key", "ALB guide, load-balancer-listeners (query-string)") key: Sp<String>,
        /// The value, with `*` and `?`; case does not matter.
        required value: Sp<String>,
    }
}

table! {
    /// Where a rule sends the client. The client asks again, on the same way.
    Redirect as "a redirect" {
        /// The path.
        required path: Sp<String>,
        /// For good or for now.
        default("HTTP_301", "assumption (AWS has no default)") status_code: Sp<RedirectStatus>,
    }
    not ["protocol", "port", "host", "query"]
}

choice! {
    /// Status of a redirect.
    RedirectStatus {
        /// Moved permanently.
        Permanent = "HTTP_301",
        /// Found.
        Found = "HTTP_302",
    } not []
}

/// A string or several.
#[derive(Clone, Debug)]
pub(crate) struct Words(pub Vec<Sp<String>>);

impl Decode for Words {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Array(_) => Vec::decode(node, d).map(Self),
            Value::String(_) => Sp::decode(node, d).map(|word| Self(vec![word])),
            _ => d.wrong_kind(node, "a string or a list of strings"),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

impl JsonSchema for Words {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
            "x-type": "a string or a list of strings",
        })
    }
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
        /// Whether nodes send to targets of all zones, or only to those of their own.
        default(true, "ALB guide, disable-cross-zone") cross_zone: Sp<bool>,
        /// Whether clients stay with a target, and for how long.
        optional("each request chooses anew", "ALB guide, sticky-sessions") stickiness: Stickiness,
        /// Time in which a new target comes to its full share of requests; with round_robin only.
        default("0s", "ALB guide, load-balancer-target-groups (slow start)") slow_start: Sp<Time>,
        /// Gives less traffic to targets that fail more often than the others; with weighted_random only.
        default(false, "API:elbv2 (load_balancing.algorithm.anomaly_mitigation)") anomaly_mitigation: Sp<bool>,
        /// How many targets must be healthy.
        default({}, "every key has its own default") target_group_health: TargetGroupHealth,
    }
}

table! {
    /// Cookies by which clients stay with a target.
    Stickiness as "stickiness" {
        /// Whose cookie it is.
        default("lb_cookie", "ALB guide, sticky-sessions") cookie: Sp<CookieType>,
        /// How long a client stays with its target after each request.
        default("1d", "ALB guide, sticky-sessions; API:elbv2 (86400 s)") duration: Sp<Time>,
        /// With app_cookie: the application's cookie.
        optional("needed with app_cookie", "ALB guide, sticky-sessions") cookie_name: Sp<String>,
    }
}

choice! {
    /// Whose cookie decides.
    CookieType {
        /// The load balancer's.
        LoadBalancer = "lb_cookie",
        /// The application's, which is taken to set it with every answer.
        Application = "app_cookie",
    } not []
}

table! {
    /// How many targets of a group must be healthy.
    TargetGroupHealth as "target_group_health" {
        /// With fewer, a zone's address leaves the load balancer's DNS name.
        default({}, "every key has its own default") dns_failover: MinimumHealthy,
        /// With fewer, a node sends to all of its targets, healthy or not (fail open).
        default({}, "every key has its own default") unhealthy_state_routing: MinimumHealthy,
    }
}

table! {
    /// A number of healthy targets; both keys must hold.
    MinimumHealthy as "a minimum of healthy targets" {
        /// So many.
        default(1, "API:elbv2 (minimum_healthy_targets.count); the older guide says off for DNS failover") count: Sp<u32>,
        /// This share of the registered ones.
        optional("off", "API:elbv2 (minimum_healthy_targets.percentage)") percentage: Sp<Share>,
    }
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
