//! A validated architecture: everything a run needs, references resolved to numbers, units to types. What stands here cannot
//! fail any more; the scenario language refuses what would.

use std::sync::Arc;

use sim_core::SimDuration;
use sim_core::SimTime;
use sim_core::distribution::Distribution;
use sim_core::distribution::alias::Weighted;
use sim_core::observations::Objective;

use crate::{
    alb, aurora, autoscaling, canary, client, cloudfront, cloudwatch, dax, deployment, dynamodb, ec2, ecs, elasticache,
    global_accelerator, route53, station, timeline, waf,
};

/// A whole scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// How long, and what is left out.
    pub run: Run,
    /// Default network delays.
    pub network: Network,
    /// Names of the places viewers are in, by [`crate::ids::PlaceId`].
    pub places: Vec<String>,
    /// Distinct paths, by [`crate::ids::PathId`].
    pub paths: Vec<String>,
    /// Sets of objects.
    pub catalogs: Vec<Catalog>,
    /// Names of reported routes, by [`crate::ids::RouteId`].
    pub routes: Vec<String>,
    /// Sources of traffic.
    pub traffic: Vec<client::Settings>,
    /// Canaries, by [`crate::ids::CanaryId`]; what they ask is among the sources of traffic.
    pub canaries: Vec<canary::Settings>,
    /// Names, health checks and resolvers.
    pub route53: route53::Settings,
    /// Distributions.
    pub cloudfront: Vec<cloudfront::Settings>,
    /// Accelerators.
    pub global_accelerators: Vec<global_accelerator::Settings>,
    /// Load balancers.
    pub alb: Vec<alb::Settings>,
    /// Web ACLs.
    pub waf: Vec<waf::Settings>,
    /// Which web ACL looks at the requests of a load balancer or distribution.
    pub web_acls: Vec<(crate::ids::Endpoint, crate::ids::WafId)>,
    /// ECS services.
    pub ecs: Vec<ecs::Settings>,
    /// EC2 Auto Scaling groups, and instances that stand alone.
    pub ec2: Vec<ec2::Settings>,
    /// Aurora clusters.
    pub aurora: Vec<aurora::Settings>,
    /// DynamoDB tables.
    pub dynamodb: Vec<dynamodb::Settings>,
    /// Caches of ElastiCache.
    pub elasticache: Vec<elasticache::Settings>,
    /// Clusters of DAX.
    pub dax: Vec<dax::Settings>,
    /// Plain stations.
    pub stations: Vec<station::Settings>,
    /// Metrics that alarms and policies reckon from others.
    pub metric_math: Vec<cloudwatch::MathMetric>,
    /// Alarms, by [`crate::ids::AlarmId`].
    pub alarms: Vec<cloudwatch::Alarm>,
    /// Scaling policies and scheduled actions.
    pub scaling: autoscaling::Settings,
    /// Deployments, in order of time.
    pub deployments: Vec<deployment::Deployment>,
    /// Faults, in order of time.
    pub faults: Vec<timeline::Fault>,
    /// Assumptions the scenario reader made, for the report ("one-second stamps were spread").
    pub notes: Vec<String>,
}

/// Length of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Simulated time.
    pub duration: SimDuration,
    /// What arrives before this is served but not counted.
    pub warm_up: SimDuration,
    /// A second in which more than this share of a route's operations failed is a second of downtime (0..=1).
    pub downtime_error_rate: f64,
    /// CloudWatch: how long after the end of a period its datapoint can be read.
    pub metric_delay: SimDuration,
    /// The same of metrics with periods of less than a minute.
    pub high_resolution_metric_delay: SimDuration,
    /// What is observed span by span.
    pub spans: Spans,
    /// What share of operations is to end well.
    pub objective: Option<Objective>,
}

/// What is observed span by span, beside the run as a whole. Nothing unless asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// The measured time is observed in so many equal batches too: [`sim_core::observations::Observations::batches`].
    pub batches: u32,
    /// Latencies are observed in so many equal windows of arrival time:
    /// [`sim_core::observations::Observations::latency_by_arrival`].
    pub arrival_windows: u32,
}

impl Run {
    /// When it ends.
    #[must_use]
    pub fn horizon(&self) -> SimTime {
        SimTime::ZERO + self.duration
    }
    /// Length of a batch; the last one may be a few nanoseconds longer.
    #[must_use]
    pub fn batch(&self) -> SimDuration {
        part(
            SimDuration::from_nanos(self.duration.as_nanos().saturating_sub(self.warm_up.as_nanos())),
            self.spans.batches,
        )
    }
}

/// One of so many equal parts of a time, at least a nanosecond.
pub(crate) fn part(whole: SimDuration, parts: u32) -> SimDuration {
    SimDuration::from_nanos((whole.as_nanos() / u64::from(parts.max(1))).max(1))
}

/// Default network delays; round-trip times, of which a hop takes half.
#[derive(Clone, Debug)]
pub struct Network {
    /// Between two services of one Region.
    pub region_rtt: SimDuration,
}

/// A set of objects that viewers ask for.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Its name.
    pub name: String,
    /// How many there are.
    pub objects: u64,
    /// Exponent of their popularity (Zipf); 0 = all alike.
    pub zipf: f64,
    /// Size of an object in bytes; one draw per object, the same in every run with the seed.
    pub size: Distribution,
    /// Popularities and sizes one by one, the most popular first, in place of `zipf` and `size`.
    pub listed: Option<Arc<Listed>>,
    /// What the origin says of their caching.
    pub headers: CacheHeaders,
    /// For how long the origin's Cache-Control lets its errors be kept; none = it sends none with them.
    pub error_max_age: Option<SimDuration>,
    /// Size of an object once compressed, as a share of its own; none = it is of no type that is compressed.
    pub compressed: Option<f64>,
}

impl Catalog {
    /// Objects of which the origin says nothing.
    #[must_use]
    pub fn new(name: &str, objects: u64, zipf: f64, size: Distribution) -> Self {
        Self {
            name: name.to_owned(),
            objects,
            zipf,
            size,
            listed: None,
            headers: CacheHeaders::NONE,
            error_max_age: None,
            compressed: None,
        }
    }
}

/// Objects one by one.
#[derive(Clone, Debug)]
pub struct Listed {
    /// How one is chosen.
    pub popularity: Weighted,
    /// Sizes in bytes.
    pub sizes: Vec<u32>,
    /// Paths of the most popular, as far as reports name them ([`NAMED_OBJECTS`]).
    pub names: Vec<String>,
}

/// How many of a catalogue's most popular objects reports name one by one.
pub const NAMED_OBJECTS: usize = 100;

/// The origin's Cache-Control and Expires, as far as a shared cache cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CacheHeaders {
    /// `max-age`.
    pub max_age: Option<SimDuration>,
    /// `s-maxage`, which shared caches prefer.
    pub s_maxage: Option<SimDuration>,
    /// `no-cache`, `no-store` or `private`.
    pub no_store: bool,
    /// `Expires`, as the time left when the origin answers.
    pub expires: Option<SimDuration>,
    /// `stale-while-revalidate`: for so long after its end an old copy may be given while a new one is fetched.
    pub stale_while_revalidate: SimDuration,
    /// `stale-if-error`: for so long after its end an old copy may be given when the origin fails; none = it does not say.
    pub stale_if_error: Option<SimDuration>,
}

impl CacheHeaders {
    /// The origin says nothing.
    pub const NONE: Self = Self {
        max_age: None,
        s_maxage: None,
        no_store: false,
        expires: None,
        stale_while_revalidate: SimDuration::ZERO,
        stale_if_error: None,
    };
}
