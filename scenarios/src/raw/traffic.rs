//! Where operations come from.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Named, Pair, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::tree::{Node, Value};
use crate::units::{Bytes, Kind, Rate, Share, Time, quantity_schema};

table! {
    /// A source of traffic: who asks, for what, how often, and what they do when it fails.
    Traffic as "[[traffic]]" {
        /// Its name, for reports.
        required name: Sp<String>,
        /// The place its viewers are in: a city such as "tokyo", a [place], or any name. CloudFront's edge locations are chosen by it,
        /// and the network follows from it where it is known.
        default("viewers", "assumption: one place") from: Sp<String>,
        /// What they ask: a name of Route 53 ("www.example.com"), or a part straight ("alb.front", "cloudfront.shop", "ecs.web",
        /// "station.desk").
        required to: Sp<String>,
        /// Round trip from viewers to what they ask, once its name is resolved, wherever that is. A distribution's edge has its own,
        /// see cloudfront.edges.viewer_rtt.
        optional("that from its place to the Region of what it asks, where both are known; else none", "docs/geography.md; assumption: textbook queues need no network")
        rtt: Sp<Time>,
        /// Open traffic: so many operations a second whatever the answers are like. A rate such as "400/s", or one that changes:
        /// { base = "400/s", at = [["30m", "2000/s"], ["60m", "400/s"]], ramp = "2m" }.
        optional("users or replay is given", "exactly one of rate, users, replay") rate: Sp<RateSetting>,
        /// How the operations of open traffic are spaced: at random ("poisson"), evenly ("deterministic"), or at random in phases
        /// that take turns: { mmpp = [{ factor = 1, lasts = "10m" }, { factor = 8, lasts = "1m" }] }.
        default("poisson", "assumption: many independent users") arrivals: Sp<ArrivalsSetting>,
        /// How many operations of open traffic come at once: a number, or { geometric = 4.0 } for a random one with that mean. The
        /// rate is that of operations.
        default(1, "assumption: one by one") batch: Sp<BatchSetting>,
        /// Closed traffic: so many users, each of whom waits for an answer, thinks, and asks again.
        optional("rate or replay is given", "exactly one of rate, users, replay") users: Sp<u32>,
        /// Closed traffic: time between an answer and the user's next question.
        optional("needed with users", "no default") think_time: Sp<TimeDist>,
        /// Traffic as recorded in an access log: { log = "access.log.gz" }.
        optional("rate or users is given", "exactly one of rate, users, replay") replay: Replay,
        /// How many clients open traffic comes from; each has its own cookies and DNS cache. Closed traffic has its users, a
        /// replay the addresses of its log.
        optional(1000, "assumption") clients: Sp<u32>,
        /// The block of IPv4 addresses its clients have, such as "203.0.113.0/24", for rules of load balancers and web ACLs. Client
        /// after client gets the next address, and they share them where there are fewer.
        optional("addresses of their own, in no block", "assumption") source_ip: Sp<String>,
        /// Share of operations that begin without TLS, as typed addresses and old links do. CloudFront's behaviours say what becomes of them.
        default("0%", "assumption: links say https") http_share: Sp<Share>,
        /// How long an attempt may take before the client gives up.
        optional("no timeout: the client waits for ever", "assumption") timeout: Sp<Time>,
        /// What clients do about failed attempts.
        default({}, "every key of retry has its own default; without it nothing is retried") retry: Retry,
        /// How long clients keep an answer of DNS themselves: for its TTL ("ttl"), for a fixed time whatever the TTL ("30s", as Java does by
        /// networkaddress.cache.ttl), "forever" (Java with -1 or a security manager), or "none".
        optional("ttl, or none with resolvers.client_cache = false", "Java: networking properties, networkaddress.cache.ttl 30 s")
        dns_cache: Sp<super::route53::DnsCache>,
        /// How clients connect, and what they keep open.
        optional("connections are always open and cost nothing", "assumption: textbook queues need no set-up") connections: Connections,
        /// An attempt that is not answered after so long is sent a second time; the first good answer counts, the other is given up.
        optional("attempts are sent once", "Dean and Barroso, The Tail at Scale, CACM 2013: hedged requests") hedge_after: Sp<Time>,
        /// When a client stops asking for a while because too much has failed.
        optional("clients ask whatever happens", "assumption") circuit_breaker: CircuitBreaker,
        /// What they ask for. For a replay: how its paths are grouped in reports; the first that matches.
        default([{ path = "/" }], "assumption: one route") routes: Sp<Vec<Route>>,
    }
}

choice! {
    /// How operations are spaced.
    Process {
        /// At random.
        Poisson = "poisson",
        /// Evenly.
        Deterministic = "deterministic",
    } not ["diurnal"]
}

/// How operations are spaced.
#[derive(Clone, Debug)]
pub(crate) enum ArrivalsSetting {
    Plain(Process),
    Modulated(Modulated),
}

table! {
    /// Arrivals at random in phases that take turns: a Markov-modulated Poisson process.
    Modulated as "modulated arrivals" {
        /// The phases in turn. `rate` stays the mean rate: only the proportions of the factors count.
        required mmpp: Sp<Vec<Phase>>,
    }
}

table! {
    /// A phase of modulated arrivals.
    Phase as "a phase of arrivals" {
        /// The rate in this phase in proportion to the others.
        required factor: Sp<f64>,
        /// How long it lasts on average; exponentially distributed.
        required lasts: Sp<Time>,
    }
}

impl Decode for ArrivalsSetting {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Table(_) => Modulated::decode(node, d).map(Self::Modulated),
            _ => Process::decode(node, d).map(Self::Plain),
        }
    }
}

impl JsonSchema for ArrivalsSetting {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "ArrivalsSetting".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (plain, modulated) = (generator.subschema_for::<Process>(), generator.subschema_for::<Modulated>());
        json_schema!({ "anyOf": [plain, modulated], "x-type": "\"poisson\", \"deterministic\", or a table with `mmpp`" })
    }
}

/// How many operations come at once.
#[derive(Clone, Debug)]
pub(crate) enum BatchSetting {
    Fixed(u32),
    Random(RandomBatch),
}

table! {
    /// A random number of operations at once.
    RandomBatch as "a random batch" {
        /// One or more, geometrically distributed with this mean.
        required geometric: Sp<f64>,
    }
}

impl Decode for BatchSetting {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Table(_) => RandomBatch::decode(node, d).map(Self::Random),
            _ => u32::decode(node, d).map(Self::Fixed),
        }
    }
}

impl JsonSchema for BatchSetting {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "BatchSetting".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let random = generator.subschema_for::<RandomBatch>();
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, random], "x-type": "a number, or a table with `geometric`" })
    }
}

/// A rate, fixed or changing.
#[derive(Clone, Debug)]
pub(crate) enum RateSetting {
    Fixed(Rate),
    Profile(Profile),
}

table! {
    /// A rate that changes over time.
    Profile as "a rate that changes" {
        /// The rate at the start.
        required base: Sp<Rate>,
        /// From when on it is how much: [["30m", "2000/s"], ["60m", "400/s"]].
        default([], "no change") at: Vec<Pair<Sp<Time>, Sp<Rate>>>,
        /// How long each change takes, in a straight line that begins at its time.
        default("0s", "assumption: changes are jumps") ramp: Sp<Time>,
        /// Begins again with `base` after so long, such as "24h" for a day that repeats.
        optional("the last rate stays", "assumption") repeat: Sp<Time>,
    }
}

impl Decode for RateSetting {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Table(_) => Profile::decode(node, d).map(Self::Profile),
            _ => Rate::decode(node, d).map(Self::Fixed),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self::Fixed(Rate(1.0)))
    }
}

impl JsonSchema for RateSetting {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "RateSetting".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fixed = quantity_schema(Kind::Rate);
        json_schema!({ "anyOf": [fixed, generator.subschema_for::<Profile>()], "x-type": "a rate such as \"400/s\", or a table" })
    }
}

table! {
    /// An access log to be replayed.
    Replay as "replay" {
        /// The log: Apache's combined format, plain or gzipped; relative to the scenario file.
        required log: Sp<String>,
        /// How many times faster than recorded.
        default(1.0, "as recorded") speed: Sp<f64>,
        /// How far into the log the run begins, in the log's own time.
        default("0s", "from its first record") start: Sp<Time>,
    }
}

table! {
    /// What a caller does about failed attempts.
    Retry as "retry" {
        /// Whose way of retrying: your own ("custom": the keys here, every failure), or that of AWS's SDKs, which retry no answer, 500,
        /// 502, 503, 504 and throttling: "standard", "standard_2_1" (opt-in since 2026), "adaptive" (standard, and each client limits
        /// its own rate once it was throttled), "legacy" (no quota).
        default("custom", "assumption: nothing is retried unless asked for") mode: Sp<RetryMode>,
        /// Attempts in all; 1 = no retry.
        optional("1; 3 with standard and adaptive, 5 with legacy", "botocore/retries/standard.py, botocore/data/_retry.json") max_attempts: Sp<u32>,
        /// Back-off before the first retry; it doubles each time. With standard_2_1 throttled attempts wait from 1 s on.
        optional("100ms; 1s with an SDK, 50ms with standard_2_1", "assumption; botocore/retries/standard.py") backoff: Sp<Time>,
        /// Longest back-off.
        default("20s", "AWS SDK standard mode, botocore/retries/standard.py") max_backoff: Sp<Time>,
        /// Randomness of the back-off: evenly between nothing and the back-off ("full"), or none.
        default("full", "AWS SDK standard mode, botocore/retries/standard.py") jitter: Sp<Jitter>,
        /// Tokens of each client that retries are paid from, or "none". Without enough a failure is final. A success without a retry
        /// gives one back, one after a retry what that cost.
        optional("none; 500 with standard and adaptive", "botocore/retries/quota.py") quota: Sp<QuotaSetting>,
        /// Tokens that a retry costs.
        optional("5; 14 with standard_2_1", "botocore/retries/standard.py") retry_cost: Sp<u32>,
        /// Tokens that a retry after a timeout costs.
        optional("10; 14 with standard_2_1", "botocore/retries/standard.py") timeout_cost: Sp<u32>,
        /// Tokens that a retry after throttling costs.
        default(5, "botocore/retries/standard.py") throttling_cost: Sp<u32>,
    }
}

choice! {
    /// Whose way of retrying.
    RetryMode {
        /// The scenario's own.
        Custom = "custom",
        /// AWS SDK standard mode.
        Standard = "standard",
        /// The same after specification 2.1.
        Standard21 = "standard_2_1",
        /// AWS SDK adaptive mode.
        Adaptive = "adaptive",
        /// botocore's legacy mode.
        Legacy = "legacy",
    } not []
}

/// A retry quota: tokens, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotaSetting {
    None,
    Tokens(u32),
}

impl Decode for QuotaSetting {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) if text == "none" => Some(Self::None),
            _ => u32::decode(node, d).map(Self::Tokens),
        }
    }
}

impl JsonSchema for QuotaSetting {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "QuotaSetting".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "none" }], "x-type": "a number, or \"none\"" })
    }
}

table! {
    /// How clients connect. A connection stays with the address it was opened to: whoever holds one does not see a change of DNS.
    Connections as "connections" {
        /// "h2" and "h3" share one connection among a client's requests; "http/1.1" has one request on a connection at a time.
        default("h2", "ALB and CloudFront offer HTTP/2 to viewers by default") protocol: Sp<Protocol>,
        /// Handshake before the first request: "1.3" one round trip after TCP's, "1.2" two, "none" only TCP's. HTTP/3 has one in all.
        default("1.3", "RFC 8446, RFC 5246, RFC 9000") tls: Sp<Tls>,
        /// Closed after so long without a request.
        default("60s", "ALB guide, application-load-balancers (idle timeout)") idle_timeout: Sp<Time>,
        /// Closed after its response once it is so old.
        default("3600s", "ALB guide, application-load-balancers (client keepalive)") max_age: Sp<Time>,
        /// Connections of one client at most.
        optional("6 with http/1.1, 1 otherwise", "browsers: 6 a host") per_client: Sp<u32>,
        /// h2 and h3: requests at once on a connection.
        default(128, "ALB guide, load-balancer-listeners: up to 128 requests in parallel on an HTTP/2 connection") streams: Sp<u32>,
    }
}

choice! {
    /// Protocol between client and service.
    Protocol {
        /// HTTP/2.
        H2 = "h2",
        /// HTTP/3.
        H3 = "h3",
        /// HTTP/1.1 with keep-alive.
        Http1 = "http/1.1",
    } not ["http/1.0", "grpc", "websocket"]
}

choice! {
    /// Version of TLS.
    Tls {
        /// One round trip.
        V13 = "1.3",
        /// Two round trips.
        V12 = "1.2",
        /// Plain.
        None = "none",
    } not ["1.0", "1.1"]
}

table! {
    /// When a client stops asking, as Hystrix has it: each client has a circuit of its own.
    CircuitBreaker as "circuit_breaker" {
        /// Opens when this share of the attempts in the window has failed.
        default("50%", "Hystrix wiki, Configuration: errorThresholdPercentage") failure_rate: Sp<Share>,
        /// Fewer attempts in the window say nothing.
        default(20, "Hystrix wiki, Configuration: requestVolumeThreshold") minimum_calls: Sp<u32>,
        /// What is looked at, in ten steps.
        default("10s", "Hystrix wiki, Configuration: rollingStats.timeInMilliseconds") window: Sp<Time>,
        /// How long it stays open before one attempt is let through to see.
        default("5s", "Hystrix wiki, Configuration: sleepWindowInMilliseconds") open_for: Sp<Time>,
    }
}

choice! {
    /// Randomness of a back-off.
    Jitter {
        /// Evenly between nothing and the back-off.
        Full = "full",
        /// None.
        None = "none",
    } not ["equal", "decorrelated"]
}

choice! {
    /// HTTP method.
    Method {
        /// Safe and cacheable.
        Get = "GET",
        /// Safe and cacheable, no body.
        Head = "HEAD",
        /// Never cached.
        Post = "POST",
        /// Never cached.
        Put = "PUT",
        /// Never cached.
        Patch = "PATCH",
        /// Never cached.
        Delete = "DELETE",
        /// Never cached.
        Options = "OPTIONS",
    } not ["CONNECT", "TRACE"]
}

table! {
    /// Something clients ask for, and whose fate is reported.
    Route as "a route" {
        /// The path; with `*` or `?` it stands for the paths of its catalogue.
        required path: Sp<String>,
        /// Its name in reports.
        optional("its path, with the method where several routes have it", "assumption") name: Sp<String>,
        /// Its share among the source's routes is its weight over the sum of weights.
        default(1.0, "all alike") weight: Sp<f64>,
        /// HTTP method. CloudFront answers only GET and HEAD from its caches.
        default("GET", "HTTP") method: Sp<Method>,
        /// Name of the catalogue its objects are in.
        optional("one object, of the size the answering service gives", "no catalogue") catalog: Sp<String>,
        /// The host it asks for, for listener rules.
        optional("the name that `to` is, if it is one of Route 53", "HTTP") host: Sp<String>,
        /// Headers it carries, for listener rules: { User-Agent = "Mobile Safari" }.
        default({}, "none that a rule looks at") http_headers: Named<Sp<String>>,
        /// Query string it carries, for listener rules: { version = "2" }.
        default({}, "none that a rule looks at") query: Named<Sp<String>>,
        /// Size of the body that viewers send with it, which CloudFront counts as BytesUploaded.
        default("0B", "assumption: next to nothing") upload_size: Sp<Bytes>,
        /// How many distinct query strings viewers send with it; or by name, how many values each parameter has:
        /// { size = 3, campaign = 50 }.
        default(1, "all the same") query_strings: Sp<Variants>,
        /// In how many orders viewers send the parameters. CloudFront takes each for another address.
        default(1, "all the same") query_string_orders: Sp<u32>,
        /// In how many ways of upper and lower case viewers write the parameters. CloudFront takes each for another address.
        default(1, "all the same") query_string_cases: Sp<u32>,
        /// How many distinct cookie values there are, or by name; a client always sends the same.
        default(1, "all the same") cookies: Sp<Variants>,
        /// How many distinct values of headers there are, or by name.
        default(1, "all the same") headers: Sp<Variants>,
    }
}

/// How many variants of something viewers send: of the whole, or of each of its parts by name.
#[derive(Clone, Debug)]
pub(crate) enum Variants {
    Count(u32),
    Named(Named<Sp<u32>>),
}

impl Decode for Variants {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Table(_) => Named::decode(node, d).map(Self::Named),
            _ => u32::decode(node, d).map(Self::Count),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self::Count(1))
    }
}

impl JsonSchema for Variants {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Variants".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = || json_schema!({ "type": "integer", "minimum": 1 });
        let named = json_schema!({ "type": "object", "additionalProperties": count() });
        json_schema!({ "anyOf": [count(), named], "x-type": "a number, or a table of numbers by name" })
    }
}
