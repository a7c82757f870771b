//! The scenario language as it is typed: one file a section. What each key means, its default and the default's source stand
//! here and nowhere else.

pub(crate) mod alb;
pub(crate) mod aurora;
pub(crate) mod cloudfront;
pub(crate) mod cloudwatch;
pub(crate) mod cost;
pub(crate) mod dax;
pub(crate) mod deploy;
pub(crate) mod dynamodb;
pub(crate) mod ec2;
pub(crate) mod ecs;
pub(crate) mod elasticache;
pub(crate) mod geography;
pub(crate) mod global_accelerator;
pub(crate) mod nlb;
pub(crate) mod rds;
pub(crate) mod route53;
pub(crate) mod run;
pub(crate) mod scaling;
pub(crate) mod slo;
pub(crate) mod station;
pub(crate) mod sweep;
pub(crate) mod timeline;
pub(crate) mod traffic;
pub(crate) mod waf;

use crate::decode::{Named, Sp, table};
use crate::distributions::SizeDist;
use crate::units::{Share, Time};

table! {
    /// A scenario: an architecture, its traffic, and what happens to it.
    Document as "a scenario" {
        /// What the scenario is, in one line; heads every report.
        required title: Sp<String>,
        /// What it shows and why, in a few sentences.
        default("", "assumption: nothing to say") description: Sp<String>,
        /// How long is simulated, how often, and what is left out of the figures.
        default({}, "every key of [run] has its own default") run: run::Run,
        /// Network delays: those that are given, and how the others are found.
        default({}, "every key of [network] has its own default") network: geography::Network,
        /// What it costs: prices, and what holds where the scenario says nothing.
        default({}, "every key of [cost] has its own default") cost: cost::Cost,
        /// Places of your own that viewers may be in, by name: [place.office]. Many cities are known without.
        default({}, "none") place: Named<geography::Place>,
        /// Sets of objects that viewers ask for, by name: [catalog.images].
        default({}, "none") catalog: Named<Catalog>,
        /// Sources of traffic: [[traffic]], once for each.
        required traffic: Sp<Vec<traffic::Traffic>>,
        /// DNS names served by Route 53: [route53."www.example.com"].
        default({}, "none") route53: Named<route53::Record>,
        /// Route 53 health checks, by name: [health_check.web].
        default({}, "none") health_check: Named<route53::HealthCheck>,
        /// The caching resolvers between viewers and Route 53.
        default({}, "every key of [resolvers] has its own default") resolvers: route53::Resolvers,
        /// CloudFront distributions, by name: [cloudfront.shop].
        default({}, "none") cloudfront: Named<cloudfront::Distribution>,
        /// Accelerators of AWS Global Accelerator, by name: [global_accelerator.shop].
        default({}, "none") global_accelerator: Named<global_accelerator::Accelerator>,
        /// Application Load Balancers, by name: [alb.front].
        default({}, "none") alb: Named<alb::Alb>,
        /// Network Load Balancers, by name: [nlb.front].
        default({}, "none") nlb: Named<nlb::Nlb>,
        /// Web ACLs, by name: [waf.edge].
        default({}, "none") waf: Named<waf::WebAcl>,
        /// ECS services, by name: [ecs.web].
        default({}, "none") ecs: Named<ecs::Service>,
        /// EC2 Auto Scaling groups, by name: [ec2.web].
        default({}, "none") ec2: Named<ec2::Group>,
        /// Aurora clusters, by name: [aurora.orders].
        default({}, "none") aurora: Named<aurora::Cluster>,
        /// RDS databases that are not Aurora, by name: [rds.billing].
        default({}, "none") rds: Named<rds::Database>,
        /// DynamoDB tables, by name: [dynamodb.cart].
        default({}, "none") dynamodb: Named<dynamodb::Table>,
        /// Caches of ElastiCache for Redis and Valkey, by name: [elasticache.sessions].
        default({}, "none") elasticache: Named<elasticache::ReplicationGroup>,
        /// Clusters of DynamoDB Accelerator in front of tables, by name: [dax.cart].
        default({}, "none") dax: Named<dax::Cluster>,
        /// Synthetic canaries, by name: [canary.home].
        default({}, "none") canary: Named<cloudwatch::Canary>,
        /// CloudWatch alarms, by name: [alarm.high-cpu].
        default({}, "none") alarm: Named<cloudwatch::Alarm>,
        /// Plain stations, by name: textbook queues, and dependencies that are no AWS service: [station.payment].
        default({}, "none") station: Named<station::Station>,
        /// New revisions of services: [[deploy]], once for each.
        default([], "none") deploy: Vec<deploy::Deploy>,
        /// Changes of DNS records: [[change]], once for each.
        default([], "none") change: Sp<Vec<route53::Change>>,
        /// Planned changes of databases and caches: [[maintenance]], once for each.
        default([], "none") maintenance: Vec<aurora::Maintenance>,
        /// What goes wrong: [[fault]], once for each.
        default([], "none") fault: Vec<timeline::Fault>,
        /// What share of operations is to end well, and over which time.
        optional("no objective", "no objective") slo: slo::Slo,
        /// What the results must be like: [[expect]], once for each. A run that misses one ends with exit code 99.
        default([], "none") expect: Vec<timeline::Expect>,
        /// What `stormglass sweep` and `stormglass find` vary.
        default({}, "nothing is varied") sweep: sweep::Sweep,
        /// The same scenario with some settings changed, for `stormglass compare`: [[variant]], once for each.
        default([], "none") variant: Vec<run::Variant>,
    }
    not ["lambda", "api_gateway", "sqs", "sns", "kinesis", "s3", "efs", "nat_gateway",
         "eventbridge", "step_functions"]
}

impl Document {
    /// The statements of a database: Aurora clusters first, then RDS databases.
    pub fn statements_of(&self, database: usize) -> Option<&Named<aurora::Statement>> {
        match database.checked_sub(self.aurora.len()) {
            None => self.aurora.entries[database].1.as_ref().map(|cluster| &cluster.statements),
            Some(place) => self.rds.entries[place].1.as_ref().map(|database| &database.statements),
        }
    }
}

table! {
    /// A set of objects that viewers ask for.
    Catalog as "[catalog]" {
        /// How many objects there are.
        optional("needed without file", "no default") objects: Sp<u64>,
        /// Exponent of their popularity (Zipf's law): 0 = all alike, around 0.8 for web objects. Of a file without weights: by its order.
        default(0.8, "assumption: web caches are commonly found between 0.6 and 1.0") zipf: Sp<f64>,
        /// Size of an object. Each object has one size, the same in every run with the seed.
        optional("needed without file", "no default") size: Sp<SizeDist>,
        /// The objects one by one: a text of lines PATH,SIZE,WEIGHT, with sizes in bytes; it may begin with that heading. Relative to the
        /// scenario file.
        optional("objects and sizes follow laws", "no default") file: Sp<String>,
        /// What the origin sends with them: "max-age=SECONDS", "s-maxage=SECONDS" (wins at the edge), "no-cache", "no-store", "private",
        /// "stale-while-revalidate=SECONDS", "stale-if-error=SECONDS". Without it the behaviour's default TTL applies.
        optional("no header", "CF guide, Expiration") cache_control: Sp<String>,
        /// What the origin's Expires header says, as the time from its answer on. Cache-Control's ages win.
        optional("no header", "CF guide, Expiration") expires: Sp<Time>,
        /// What the origin sends with errors: "max-age=SECONDS" or "s-maxage=SECONDS". They are then cached that long if that is longer than
        /// the error caching minimum TTL, and 400, 403, 405, 412, 415 at all.
        optional("no header", "CF guide, HTTPStatusCodes") error_cache_control: Sp<String>,
        /// Size of an object once compressed, as a share of its own. For behaviours with compress = true.
        optional("of a type that is not compressed", "CF guide, ServingCompressedFiles") compressed_size: Sp<Share>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Decode, Decoder};
    use crate::explain::explain;
    use crate::tree::parse_value;
    use crate::validate::{cloudfront as edges, route53 as names, traffic as sources};

    /// Reads an empty table: all of its defaults are used, and what must be given is all that is wrong.
    fn only_lacks<T: Decode>(table: &str) {
        let mut decoder = Decoder::default();
        T::decode(&parse_value("{}", 0).expect("a table"), &mut decoder);
        for error in &decoder.errors {
            assert!(error.title().contains(" lacks `"), "a default of {table} is wrong: {}", error.title());
        }
    }

    macro_rules! all_tables {
        ($($table:ty),* $(,)?) => { $(only_lacks::<$table>(stringify!($table));)* };
    }

    #[test]
    fn every_default_can_be_read() {
        all_tables!(
            Document,
            geography::Network,
            geography::Place,
            geography::RoundTrip,
            Catalog,
            alb::Alb,
            alb::Rule,
            alb::TargetGroup,
            alb::TargetHealthCheck,
            alb::HttpHeader,
            alb::QueryString,
            alb::Redirect,
            alb::Stickiness,
            alb::TargetGroupHealth,
            alb::MinimumHealthy,
            aurora::Cluster,
            aurora::Instance,
            aurora::Statement,
            aurora::Pool,
            aurora::Failover,
            aurora::CustomEndpoint,
            aurora::Probe,
            aurora::Proxy,
            aurora::Wrapper,
            aurora::ReplicaLag,
            aurora::BufferCache,
            aurora::Serverless,
            aurora::GlobalCluster,
            aurora::ReaderScaling,
            aurora::ReaderPolicy,
            aurora::MaintenanceWindow,
            aurora::Maintenance,
            cloudfront::Distribution,
            cloudfront::Behavior,
            cloudfront::Edge,
            cloudfront::ErrorResponse,
            cloudfront::FunctionAssociation,
            cloudfront::Invalidation,
            cloudfront::Origin,
            cloudfront::OriginGroup,
            cloudfront::Regional,
            cloudfront::Shield,
            dynamodb::Table,
            global_accelerator::Accelerator,
            global_accelerator::EndpointGroup,
            global_accelerator::GroupEndpoint,
            dynamodb::Operation,
            dynamodb::Keys,
            dynamodb::UnitsPerSecond,
            dynamodb::MostPerSecond,
            dynamodb::AutoScaling,
            dynamodb::Tracking,
            dynamodb::GlobalIndex,
            dynamodb::LocalIndex,
            dynamodb::Stream,
            dynamodb::Consumer,
            dynamodb::TimeToLive,
            ec2::Group,
            ec2::WarmPool,
            ec2::Hook,
            ec2::Maintenance,
            ecs::Service,
            ecs::ContainerInstances,
            ecs::ManagedScaling,
            ecs::ContainerHealthCheck,
            ecs::Handler,
            ecs::Step,
            ecs::LongCall,
            dax::Cluster,
            elasticache::ReplicationGroup,
            elasticache::Client,
            elasticache::Failover,
            elasticache::Item,
            elasticache::Keys,
            scaling::Scaling,
            scaling::StepAdjustment,
            rds::Database,
            rds::Replica,
            rds::Failover,
            rds::ReplicaLag,
            rds::Storage,
            scaling::ScheduledAction,
            cloudwatch::MetricQuery,
            cloudwatch::Alarm,
            cloudwatch::Canary,
            cost::Cost,
            cost::PriceFile,
            cost::Price,
            cost::Tier,
            route53::Record,
            route53::Answer,
            route53::HealthCheck,
            route53::GeoLocation,
            route53::GeoProximity,
            route53::Change,
            route53::Resolvers,
            run::Run,
            run::Precision,
            run::Variant,
            slo::Slo,
            slo::OfRoute,
            station::Station,
            station::Breakdown,
            station::Then,
            station::RateLimit,
            station::Cache,
            sweep::Sweep,
            deploy::Deploy,
            deploy::Revision,
            deploy::WarmUp,
            deploy::Hook,
            deploy::Ready,
            deploy::CircuitBreaker,
            deploy::Alarm,
            deploy::DatabaseChange,
            timeline::Fault,
            timeline::Expect,
            traffic::Traffic,
            traffic::Profile,
            traffic::Modulated,
            traffic::Phase,
            traffic::RandomBatch,
            traffic::Replay,
            traffic::Retry,
            traffic::Connections,
            traffic::CircuitBreaker,
            traffic::Route,
            nlb::Nlb,
            nlb::TargetGroup,
            nlb::HealthCheck,
            waf::WebAcl,
            waf::Rule,
            waf::RateBased,
        );
    }

    #[test]
    fn defaults_that_validation_fills_in_are_those_that_are_explained() {
        let says = |key: &str, default: &str| {
            let text = explain(key).expect("known");
            let fits = ["default: ", "absent:  "].iter().any(|word| text.contains(&format!("{word}{default}")));
            assert!(fits, "{text}");
        };
        says("traffic.clients", &format!("{}\n", sources::DEFAULT_CLIENTS));
        says("route53.ttl", &format!("{}s\n", names::TTL.as_secs_f64()));
        let [min, default, max] = edges::OPTIMIZED;
        says("cloudfront.default_cache_behavior.min_ttl", &format!("{min}s "));
        says("cloudfront.default_cache_behavior.default_ttl", &format!("{}h ", default / 3600));
        says("cloudfront.default_cache_behavior.max_ttl", &format!("{}d ", max / 86_400));
        says("ecs.scaling.cooldown", "300s\n");
        says("ecs.scaling.scale_in_cooldown", "\"300s\"\n");
    }
}
