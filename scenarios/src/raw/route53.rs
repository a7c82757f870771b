//! DNS names, health checks, changes and resolvers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sim_core::SimDuration;

use crate::decode::{Decode, Decoder, Pair, Sp, choice, table};
use crate::tree::{Node, Value};
use crate::units::{Share, Time};

table! {
    /// A name served by Route 53.
    Record as "a record of [route53]" {
        /// How long an answer may be kept. An alias has its target's TTL and takes none.
        optional("60s", "API:route53 (ResourceRecordSet): 60 s for load balancers; R53 guide, best-practices-dns: 60 or less with health checks")
        ttl: Sp<Time>,
        /// Whether the record is an alias, which has its target's TTL (60 s for a load balancer). Otherwise it is a CNAME where its
        /// target is another name: the resolver has to ask once more, and keeps the answer for the shorter TTL.
        optional("true if all targets are load balancers, distributions or other names", "API:route53 (AliasTarget)") alias: Sp<bool>,
        /// How an answer is chosen.
        default("simple", "R53 guide, routing-policy") routing_policy: Sp<RoutingPolicy>,
        /// What the name resolves to, under simple routing: "alb.front", "cloudfront.shop", "ecs.web", "station.desk", or another name.
        optional("needed with simple routing", "no default") target: Sp<String>,
        /// Simple routing: whether an alias that stands for this name is as healthy as the target.
        default(false, "API:route53 (AliasTarget, EvaluateTargetHealth)") evaluate_target_health: Sp<bool>,
        /// The answers to choose from, under all other policies.
        optional("needed with all policies but simple", "no default") records: Sp<Vec<Answer>>,
    }
    not ["region", "geo_location", "geo_proximity_location", "multi_value_answer", "set_identifier"]
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
        /// Up to eight healthy ones at random.
        Multivalue = "multivalue",
        /// The healthy one with the shortest round trip.
        Latency = "latency",
        /// The most specific healthy one for where the viewers are.
        Geolocation = "geolocation",
        /// The nearest healthy one, with a bias.
        Geoproximity = "geoproximity",
    } not ["ip_based"]
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
        /// Whether this answer, an alias, is as healthy as its target: a load balancer whose target groups have healthy targets, or
        /// another name with a healthy answer.
        default(false, "API:route53 (AliasTarget, EvaluateTargetHealth)") evaluate_target_health: Sp<bool>,
        /// Role under failover routing.
        optional("needed with failover routing", "R53 guide, routing-policy-failover") failover: Sp<FailoverRole>,
        /// Latency routing: the AWS Region whose latency counts.
        optional("the target's Region", "R53 guide, routing-policy-latency") region: Sp<String>,
        /// Geolocation routing: whose answer it is.
        optional("needed with geolocation routing", "API:route53 (GeoLocation)") geo_location: GeoLocation,
        /// Geoproximity routing: where it is, and its bias.
        optional("the target's Region, without bias", "API:route53 (GeoProximityLocation)") geo_proximity_location: GeoProximity,
    }
    not ["set_identifier"]
}

table! {
    /// Whose answer it is: the viewers of a continent, of a country, of one of its states, or { country_code = "*" }: all others.
    GeoLocation as "geo_location" {
        /// AF, AN, AS, EU, NA, OC or SA.
        optional("no continent", "API:route53 (GeoLocation)") continent_code: Sp<String>,
        /// ISO 3166-1 alpha-2, or "*" for everybody whom nothing else matches.
        optional("no country", "API:route53 (GeoLocation)") country_code: Sp<String>,
        /// State of the USA or region of Ukraine.
        optional("all of the country", "API:route53 (GeoLocation)") subdivision_code: Sp<String>,
    }
}

table! {
    /// Where an answer is, for geoproximity routing.
    GeoProximity as "geo_proximity_location" {
        /// The AWS Region it is in.
        optional("the target's Region", "API:route53 (GeoProximityLocation)") aws_region: Sp<String>,
        /// Where it is, if that is no Region: latitude and longitude.
        optional("where its Region is", "API:route53 (GeoProximityLocation)") coordinates: Pair<Sp<f64>, Sp<f64>>,
        /// Positive: as if it were nearer, distance x (1 - bias / 100); negative: farther, distance / (1 + bias / 100). -99..=99.
        default(0, "R53 guide, routing-policy-geoproximity") bias: Sp<i32>,
    }
    not ["local_zone_group"]
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
    /// A Route 53 health check: a population of checkers, each probing on its own, healthy while more than 18 % of them say so; or a
    /// calculated one.
    HealthCheck as "[health_check]" {
        /// What is probed: "alb.front", "cloudfront.shop", "ecs.web" or "station.desk".
        optional("needed unless there are child_health_checks", "API:route53 (HealthCheckConfig)") target: Sp<String>,
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
        /// A calculated check: names of the health checks it looks at instead of an endpoint, none of them calculated.
        optional("an endpoint is probed", "API:route53 (HealthCheckConfig, CALCULATED)") child_health_checks: Sp<Vec<Sp<String>>>,
        /// A calculated check: how many of them must be healthy; 0: always healthy, more than there are: never.
        optional("needed with child_health_checks", "API:route53 (HealthThreshold)") health_threshold: Sp<u32>,
        /// Says the opposite.
        default(false, "API:route53 (Inverted)") inverted: Sp<bool>,
        /// Does not look, and counts as healthy (unhealthy, if inverted).
        default(false, "API:route53 (Disabled)") disabled: Sp<bool>,
    }
    not ["type", "search_string", "measure_latency", "regions", "alarm_identifier", "insufficient_data_health_status", "enable_sni",
         "fully_qualified_domain_name", "ip_address", "port"]
}

table! {
    /// ChangeResourceRecordSets: a name gets new records, for example other weights in a canary by DNS.
    Change as "[[change]]" {
        /// When it is accepted; resolvers.change_propagation later all name servers have it.
        required at: Sp<Time>,
        /// Which name.
        required name: Sp<String>,
        /// What it is from then on, with all keys of [route53."NAME"].
        required upsert: Record,
    }
    not ["create", "delete"]
}

table! {
    /// The caching resolvers between viewers and Route 53.
    Resolvers as "[resolvers]" {
        /// How many caching resolvers share the clients; those of each place, if a name's answer depends on the place.
        default(10, "assumption") count: Sp<u32>,
        /// Round trip from client to resolver.
        default("5ms", "assumption") client_rtt: Sp<Time>,
        /// Round trip from resolver to Route 53's name servers.
        default("20ms", "assumption") authoritative_rtt: Sp<Time>,
        /// Whether clients keep answers themselves for their TTL, unless traffic.dns_cache says otherwise.
        default(true, "assumption A2: browsers, runtimes and connection pools do") client_cache: Sp<bool>,
        /// From a health check's change of status to answers that follow it.
        default("5s", "assumption A1: nobody documents it; 0-30 s is plausible") propagation: Sp<Time>,
        /// Within this time a change of records reaches all name servers, evenly.
        default("60s", "R53 guide, best-practices-dns: usually within 60 seconds") change_propagation: Sp<Time>,
        /// The place that Route 53 takes their questions to come from: public resolvers elsewhere that do not send the client's subnet.
        optional("the viewers' own: resolvers are near, or send EDNS client subnet", "R53 guide, routing-policy-edns0") place: Sp<String>,
        /// No answer is kept longer.
        default("1d", "Unbound, cache-max-ttl: 86400") max_ttl: Sp<Time>,
        /// Share of resolvers that keep answers for at least `min_ttl`, whatever their TTL.
        default("0%", "measured: 8.74 % of 8,524 resolvers stretched TTLs, ttl-violation-study.github.io (PAM 2023)") ttl_violation_fraction: Sp<Share>,
        /// How long those keep an answer at least.
        optional("needed with ttl_violation_fraction", "no default") min_ttl: Sp<Time>,
        /// How long it is remembered that a name has no answer.
        default("900s", "R53 guide, SOA-NSrecords: min(SOA minimum 86,400, SOA TTL 900)") negative_ttl: Sp<Time>,
    }
}

/// How clients keep answers of DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DnsCache {
    Ttl,
    Fixed(SimDuration),
    Forever,
    None,
}

impl Decode for DnsCache {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) if text == "ttl" => Some(Self::Ttl),
            Value::String(text) if text == "forever" => Some(Self::Forever),
            Value::String(text) if text == "none" => Some(Self::None),
            _ => Time::decode(node, d).map(|time| Self::Fixed(time.0)),
        }
    }
}

impl JsonSchema for DnsCache {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "DnsCache".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-type": "\"ttl\", \"forever\", \"none\", or a time such as \"30s\"" })
    }
}
