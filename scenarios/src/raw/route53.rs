//! DNS names, health checks and resolvers.

use crate::decode::{Sp, choice, table};
use crate::units::Time;

table! {
    /// A name served by Route 53.
    Record as "a record of [route53]" {
        /// How long an answer may be kept. An alias has its target's TTL and takes none.
        optional("60s", "API:route53 (ResourceRecordSet): 60 s for load balancers; R53 guide, best-practices-dns: 60 or less with health checks")
        ttl: Sp<Time>,
        /// Whether the record is an alias, which has its target's TTL (60 s for a load balancer).
        optional("true if all targets are load balancers or distributions", "API:route53 (AliasTarget)") alias: Sp<bool>,
        /// How an answer is chosen.
        default("simple", "R53 guide, routing-policy") routing_policy: Sp<RoutingPolicy>,
        /// What the name resolves to, under simple routing: "alb.front", "cloudfront.shop", "ecs.web" or "station.desk".
        optional("needed with simple routing", "no default") target: Sp<String>,
        /// The answers to choose from, under weighted or failover routing.
        optional("needed with weighted and failover routing", "no default") records: Sp<Vec<Answer>>,
    }
    not ["evaluate_target_health", "region", "geo_location", "geo_proximity_location", "multi_value_answer", "set_identifier"]
}

choice! {
    /// How Route 53 chooses among answers.
    RoutingPolicy {
        /// One answer.
        Simple = "simple",
        /// By weight among the healthy ones.
        Weighted = "weighted",
        /// The primary if healthy, else the secondary.
        Failover = "failover",
    } not ["latency", "geolocation", "geoproximity", "multivalue", "multivalue_answer", "ip_based"]
}

table! {
    /// One of several answers.
    Answer as "an answer of a record" {
        /// What the name resolves to.
        required target: Sp<String>,
        /// Weight, 0..=255, under weighted routing: share = weight over the sum of weights.
        optional("needed with weighted routing", "R53 guide, routing-policy-weighted") weight: Sp<u32>,
        /// Name of the health check that decides whether this answer is given.
        optional("always healthy", "R53 guide, health-checks-how-route-53-chooses-records") health_check: Sp<String>,
        /// Role under failover routing.
        optional("needed with failover routing", "R53 guide, routing-policy-failover") failover: Sp<FailoverRole>,
    }
    not ["evaluate_target_health", "region", "set_identifier"]
}

choice! {
    /// Role of an answer under failover routing.
    FailoverRole {
        /// Preferred.
        Primary = "PRIMARY",
        /// Otherwise.
        Secondary = "SECONDARY",
    } not []
}

table! {
    /// A Route 53 health check: a population of checkers, each probing on its own. Healthy while more than 18 % of them say so.
    HealthCheck as "[health_check]" {
        /// What is probed: "alb.front", "cloudfront.shop", "ecs.web" or "station.desk".
        required target: Sp<String>,
        /// The path probed.
        default("/", "R53 guide, health-checks-creating-values") resource_path: Sp<String>,
        /// Time between a checker's probes: "30s", or "10s" (fast).
        default("30s", "API:route53 (RequestInterval)") request_interval: Sp<Time>,
        /// Consecutive results that change a checker's mind, 1..=10.
        default(3, "API:route53 (FailureThreshold)") failure_threshold: Sp<u32>,
        /// How many checkers there are.
        default(16, "R53 guide, dns-failover-determining-health-of-endpoints: a dozen or so locations, about 15 by its request counts")
        checkers: Sp<u32>,
        /// An answer must arrive within this.
        default("6s", "R53 guide, dns-failover-determining-health-of-endpoints: 4 s to connect and 2 s to answer")
        timeout: Sp<Time>,
    }
    not ["type", "inverted", "disabled", "search_string", "child_health_checks", "measure_latency", "regions"]
}

table! {
    /// The caching resolvers between viewers and Route 53.
    Resolvers as "[resolvers]" {
        /// How many caching resolvers share the clients.
        default(10, "assumption") count: Sp<u32>,
        /// Round trip from client to resolver.
        default("5ms", "assumption") client_rtt: Sp<Time>,
        /// Round trip from resolver to Route 53's name servers.
        default("20ms", "assumption") authoritative_rtt: Sp<Time>,
        /// Whether clients keep answers themselves for their TTL.
        default(true, "assumption A2: browsers, runtimes and connection pools do") client_cache: Sp<bool>,
        /// From a health check's change of status to answers that follow it.
        default("5s", "assumption A1: nobody documents it; 0-30 s is plausible") propagation: Sp<Time>,
    }
}
