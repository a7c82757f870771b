//! From what was typed to what can run: references become numbers, units types, and everything that cannot be is refused.
//! Every mistake is noted; checking goes on.

mod alb;
mod aurora;
mod bounds;
mod catalog;
mod client;
pub(crate) mod cloudfront;
mod cloudwatch;
mod cost;
mod dax;
mod deploy;
mod dynamodb;
mod ec2;
mod ecs;
mod elasticache;
mod forecast;
pub(crate) mod geography;
mod global_accelerator;
mod global_database;
mod hosts;
mod maintenance;
mod metric_math;
mod nlb;
mod rds;
mod reach;
mod readers;
pub(crate) mod route53;
mod rules;
pub(crate) mod run;
mod scaling;
mod schedule;
mod serverless;
mod slo;
mod station;
mod timeline;
pub(crate) mod traffic;
mod waf;

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexSet;
use models::architecture::{Architecture, Network, Run};
use models::autoscaling::Settings;
use models::canary;
use models::ids::*;

use crate::LoadOptions;
use crate::decode::{Named, Sp};
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::pattern;
use crate::raw::Document;
use crate::tree::Span;

/// Stands for a reference that was refused.
pub(crate) const BROKEN: Endpoint = Endpoint::Station(StationId(u16::MAX));
/// Most replications.
const MAX_REPLICATIONS: u32 = 100_000;
/// Most parts of one kind.
const MAX_PARTS: usize = 2_000;

/// The state of a validation.
pub(crate) struct Check<'a> {
    pub doc: &'a Document,
    pub options: &'a LoadOptions<'a>,
    /// Whether everything could be read; logs are not read for a scenario that is refused anyway.
    pub readable: bool,
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<(Span, String)>,
    pub notes: Vec<String>,
    /// Metrics that alarms and policies reckon from others.
    metric_math: Vec<models::cloudwatch::MathMetric>,
    /// Names of parts that can be referred to, and their numbers.
    names: BTreeMap<(Section, &'a str), usize>,
    /// Distinct paths, by [`PathId`].
    pub paths: IndexSet<String>,
    /// Places, by [`PlaceId`].
    pub places: IndexSet<String>,
    /// Where things are, once read.
    pub geography: geography::Geography,
    /// Where one part refers to another, for the first time.
    pub references: BTreeMap<(Option<Endpoint>, Endpoint), Span>,
    /// What calls do with each cache, as far as they have been read.
    pub cache_uses: Vec<Vec<models::elasticache::Use>>,
    /// Alarms that are written in deployments: they are numbered after the others.
    own_alarms: Vec<cloudwatch::OwnAlarm<'a>>,
}

/// What a validation gives.
pub(crate) struct Checked {
    pub architecture: Architecture,
    pub expectations: Vec<crate::Expectation>,
    pub precision: Option<crate::Precision>,
    pub cost: sim_core::prices::Pricing,
}

/// Sections whose parts can be referred to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Section {
    Record,
    CloudFront,
    GlobalAccelerator,
    Alb,
    Nlb,
    Ecs,
    Ec2,
    Aurora,
    Rds,
    DynamoDb,
    ElastiCache,
    Dax,
    Station,
}

impl Section {
    const ALL: [Self; 13] = [
        Self::Record,
        Self::CloudFront,
        Self::GlobalAccelerator,
        Self::Alb,
        Self::Nlb,
        Self::Ecs,
        Self::Ec2,
        Self::Aurora,
        Self::Rds,
        Self::DynamoDb,
        Self::ElastiCache,
        Self::Dax,
        Self::Station,
    ];

    /// Its name in references; a record of Route 53 is referred to by its own name.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Record => "",
            Self::CloudFront => "cloudfront",
            Self::GlobalAccelerator => "global_accelerator",
            Self::Alb => "alb",
            Self::Nlb => "nlb",
            Self::Ecs => "ecs",
            Self::Ec2 => "ec2",
            Self::Aurora => "aurora",
            Self::Rds => "rds",
            Self::DynamoDb => "dynamodb",
            Self::ElastiCache => "elasticache",
            Self::Dax => "dax",
            Self::Station => "station",
        }
    }
    fn noun(self) -> &'static str {
        match self {
            Self::Record => "a name of Route 53",
            Self::CloudFront => "a distribution",
            Self::GlobalAccelerator => "an accelerator",
            Self::Alb => "a load balancer",
            Self::Nlb => "a network load balancer",
            Self::Ecs => "an ECS service",
            Self::Ec2 => "an EC2 Auto Scaling group",
            Self::Aurora => "an Aurora cluster",
            Self::Rds => "an RDS database",
            Self::DynamoDb => "a DynamoDB table",
            Self::ElastiCache => "a cache of ElastiCache",
            Self::Dax => "a cluster of DAX",
            Self::Station => "a station",
        }
    }
    fn endpoint(self, index: usize, doc: &Document) -> Endpoint {
        let n = index as u16;
        match self {
            Self::Record => Endpoint::Record(RecordId(n)),
            Self::CloudFront => Endpoint::CloudFront(CloudFrontId(n)),
            Self::GlobalAccelerator => Endpoint::GlobalAccelerator(GlobalAcceleratorId(n)),
            Self::Alb => Endpoint::Alb(AlbId(n)),
            // Network load balancers follow the others.
            Self::Nlb => Endpoint::Alb(AlbId(doc.alb.len() as u16 + n)),
            Self::Ecs => Endpoint::Ecs(EcsId(n)),
            Self::Ec2 => Endpoint::Ec2(Ec2Id(n)),
            Self::Aurora => Endpoint::Aurora(AuroraId(n)),
            // Databases follow clusters.
            Self::Rds => Endpoint::Aurora(AuroraId(doc.aurora.len() as u16 + n)),
            Self::DynamoDb => Endpoint::DynamoDb(DynamoDbId(n)),
            Self::ElastiCache => Endpoint::ElastiCache(ElastiCacheId(n)),
            Self::Dax => Endpoint::Dax(DaxId(n)),
            Self::Station => Endpoint::Station(StationId(n)),
        }
    }
}

impl<'a> Check<'a> {
    pub fn new(doc: &'a Document, options: &'a LoadOptions<'a>, readable: bool) -> Self {
        let names = Section::ALL.into_iter().flat_map(|section| {
            names_of(doc, section).into_iter().enumerate().map(move |(n, name)| ((section, name), n))
        });
        Self {
            names: names.collect(),
            doc,
            options,
            readable,
            errors: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
            metric_math: Vec::new(),
            paths: IndexSet::from(["/".to_string()]),
            places: IndexSet::new(),
            geography: geography::Geography::default(),
            references: BTreeMap::new(),
            cache_uses: vec![Vec::new(); doc.elasticache.len()],
            own_alarms: Vec::new(),
        }
    }

    /// Notes a mistake, unless it only follows from another.
    pub fn error(&mut self, span: Span, title: impl Into<String>, label: impl Into<String>) {
        self.note(Diagnostic::error(span, title, label));
    }

    /// Notes a mistake, unless it only follows from another.
    pub fn note(&mut self, diagnostic: Diagnostic) {
        if diagnostic.span != Span::NOWHERE {
            self.errors.push(diagnostic);
        }
    }

    fn find(&self, section: Section, name: &str) -> Option<Endpoint> {
        self.names.get(&(section, name)).map(|index| section.endpoint(*index, self.doc))
    }

    /// How a part is written in references.
    pub fn name_of(&self, endpoint: Endpoint) -> String {
        let (section, index) = match endpoint {
            Endpoint::Record(id) => (Section::Record, id.index()),
            Endpoint::CloudFront(id) => (Section::CloudFront, id.index()),
            Endpoint::GlobalAccelerator(id) => (Section::GlobalAccelerator, id.index()),
            Endpoint::Alb(id) if id.index() >= self.doc.alb.len() => (Section::Nlb, id.index() - self.doc.alb.len()),
            Endpoint::Alb(id) => (Section::Alb, id.index()),
            Endpoint::Ecs(id) => (Section::Ecs, id.index()),
            Endpoint::Aurora(id) => match id.index().checked_sub(self.doc.aurora.len()) {
                None => (Section::Aurora, id.index()),
                Some(place) => (Section::Rds, place),
            },
            Endpoint::Ec2(id) => (Section::Ec2, id.index()),
            Endpoint::DynamoDb(id) => (Section::DynamoDb, id.index()),
            Endpoint::ElastiCache(id) => (Section::ElastiCache, id.index()),
            Endpoint::Dax(id) => (Section::Dax, id.index()),
            Endpoint::Station(id) => (Section::Station, id.index()),
        };
        let name = names_of(self.doc, section).get(index).copied().unwrap_or("?");
        if section == Section::Record { name.to_string() } else { format!("{}.{name}", section.prefix()) }
    }

    /// Resolves a reference to a part of one of the `allowed` sections. `from` refers to it, as `what`.
    pub fn endpoint(&mut self, text: &Sp<String>, allowed: &[Section], from: Option<Endpoint>, what: &str) -> Endpoint {
        self.endpoint_and_rest(text, allowed, from, what).0
    }

    /// The same where something may follow: `dynamodb.cart.get_cart`.
    pub fn endpoint_and_rest<'t>(
        &mut self,
        text: &'t Sp<String>,
        allowed: &[Section],
        from: Option<Endpoint>,
        what: &str,
    ) -> (Endpoint, Option<&'t str>) {
        let (found, rest) = self.look_up(text);
        let Some((section, endpoint)) = found else {
            self.dangling(text, allowed, what);
            return (BROKEN, None);
        };
        if !allowed.contains(&section) {
            let nouns: Vec<&str> = allowed.iter().map(|section| section.noun()).collect();
            let title = format!("{what} cannot be {}", section.noun());
            self.error(text.span, title, format!("must be {}", nouns.join(", ")));
            return (BROKEN, None);
        }
        self.references.entry((from, endpoint)).or_insert(text.span);
        (endpoint, rest)
    }

    fn look_up<'t>(&self, text: &'t Sp<String>) -> (Option<(Section, Endpoint)>, Option<&'t str>) {
        if let Some(endpoint) = self.find(Section::Record, text) {
            return (Some((Section::Record, endpoint)), None);
        }
        let Some((prefix, name)) = text.split_once('.') else { return (None, None) };
        let Some(section) = Section::ALL.into_iter().find(|section| section.prefix() == prefix) else {
            return (None, None);
        };
        let (name, rest) = name.split_once('.').map_or((name, None), |(name, rest)| (name, Some(rest)));
        (self.find(section, name).map(|endpoint| (section, endpoint)), rest)
    }

    fn dangling(&mut self, text: &Sp<String>, allowed: &[Section], what: &str) {
        let mut known: Vec<String> = Vec::new();
        for section in allowed {
            let dot = if *section == Section::Record { "" } else { "." };
            known.extend(names_of(self.doc, *section).iter().map(|name| format!("{}{dot}{name}", section.prefix())));
        }
        let label = advice(text, known.iter().map(String::as_str));
        let nouns: Vec<&str> = allowed.iter().map(|section| section.noun()).collect();
        let error = Diagnostic::error(text.span, format!("nothing here is called `{}`", text.value), label);
        self.note(error.help(format!("{what} must be {}", nouns.join(", "))));
    }

    /// Looks a name up among named parts.
    pub fn named<T>(&mut self, name: &Sp<String>, among: &Named<T>, what: &str) -> Option<usize> {
        let found = among.position(name);
        if found.is_none() {
            let label = advice(name, among.names());
            self.error(name.span, format!("{what} `{}` does not exist", name.value), label);
        }
        found
    }

    /// The number of a path.
    pub fn path(&mut self, path: &str) -> PathId {
        PathId(self.paths.insert_full(path.to_string()).0 as u32)
    }

    /// The number of a path that was typed.
    pub fn typed_path(&mut self, path: &Sp<String>) -> PathId {
        self.pattern(path);
        if !path.starts_with(['/', '*']) {
            self.error(path.span, "a path begins with `/`", format!("write \"/{}\"", path.value));
        }
        self.path(path)
    }

    /// Checks a pattern.
    pub fn pattern(&mut self, pattern: &Sp<String>) {
        if pattern.is_empty() {
            self.error(pattern.span, "a path pattern cannot be empty", "write \"*\" for all paths");
        }
        if pattern.chars().count() > pattern::MAX_PATTERN {
            self.error(pattern.span, "this path is too long", format!("at most {} characters", pattern::MAX_PATTERN));
        }
    }

    /// For each path, which of `patterns` has it.
    pub fn first_matches(&self, patterns: &[&str], none: u16) -> Vec<u16> {
        let find = |path: &String| pattern::first_match(patterns.iter().copied(), path).map_or(none, |n| n as u16);
        self.paths.iter().map(find).collect()
    }

    /// Checks the names of a section.
    fn part_names<T>(&mut self, parts: &Named<T>, section: &str) {
        if let Some((name, _)) = parts.entries.get(MAX_PARTS) {
            self.error(name.span, format!("too many parts in [{section}]"), format!("at most {MAX_PARTS}"));
        }
        for (name, _) in &parts.entries {
            self.plain_name(name);
        }
    }

    /// Checks a name that appears in references.
    pub fn plain_name(&mut self, name: &Sp<String>) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let title = format!("`{}` cannot be a name", name.value);
            self.error(name.span, title, "up to 64 letters, digits, `-` and `_`");
        }
    }

    /// Checks a name that is only shown.
    pub fn label(&mut self, name: &Sp<String>) {
        if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
            self.error(name.span, "this cannot be a name", "1 to 200 characters on one line");
        }
    }

    /// Checks that names of a list differ.
    pub fn distinct<'n>(&mut self, names: impl IntoIterator<Item = &'n Sp<String>>, what: &str) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for name in names {
            if let Some(first) = seen.get(name.as_str()) {
                let title = format!("there are two {what} named `{}`", name.value);
                self.note(Diagnostic::error(name.span, title, "again here").also(*first, "first here"));
            } else {
                seen.insert(name, name.span);
            }
        }
    }
}

/// Checks a document and builds its architecture; `None` if there are mistakes.
pub(crate) fn validate(check: &mut Check<'_>, base_dir: Option<&Path>) -> Option<Checked> {
    let doc = check.doc;
    check.document_bounds();
    let mut run = check.run();
    check.read_geography();
    let network = Network { region_rtt: doc.network.region_rtt.0 };
    let catalogs = check.catalogs(base_dir);
    let mut sources = check.traffic_sources(&run);
    let route53 = check.route53(&run);
    check.viewer_rtts(&mut sources, &route53);
    check.target_regions();
    let mut cloudfront = check.distributions(&run, &cloudfront::Asked::new(&sources.settings, &catalogs));
    let global_accelerators = check.accelerators();
    let mut albs = check.load_balancers(&network);
    albs.extend(check.network_load_balancers(&network));
    let registrations = check.registrations(&mut albs);
    let mut ecs = check.services(&registrations.ecs);
    let mut ec2 = check.groups(&registrations.ec2, &run);
    let mut aurora = check.clusters();
    aurora.extend(check.databases());
    let dynamodb = check.tables();
    let caches = check.caches();
    let dax = check.dax_clusters();
    let stations = check.stations();
    if check.readable && check.errors.is_empty() {
        check.replays(&mut sources, &mut run, base_dir);
    }
    check.maintenance_targets();
    let (deployments, faults) = check.timeline(&run, &deploy::Behind { registrations: &registrations, albs: &albs });
    let expectations = check.expectations(&sources);
    let precision = check.precision(&sources);
    let cost = check.cost(base_dir);
    run.objective = check.objective(&sources);
    check.variants();
    check.match_paths(&mut cloudfront, &mut albs, &mut ecs, &mut ec2);
    check.refused_methods(&sources, &cloudfront);
    let (waf, web_acls) = check.web_acls();
    let parts = reach::Parts {
        route53: &route53,
        cloudfront: &cloudfront,
        accelerators: &global_accelerators,
        albs: &albs,
        ecs: &ecs,
        ec2: &ec2,
        stations: &stations,
        caches: &caches,
        dax: &dax,
    };
    check.reach(&sources, parts);
    let notes = std::mem::take(&mut check.notes);
    let (paths, places) = (check.paths.iter().cloned().collect(), check.places.iter().cloned().collect());
    let architecture = (|| {
        Some(Architecture {
            run: run.clone(),
            network,
            places,
            paths,
            catalogs,
            routes: sources.route_names.clone(),
            traffic: sources.settings,
            route53,
            cloudfront: cloudfront.into_iter().collect::<Option<_>>()?,
            global_accelerators: global_accelerators.into_iter().collect::<Option<_>>()?,
            alb: albs.into_iter().collect::<Option<_>>()?,
            waf,
            web_acls,
            ecs: ecs.into_iter().collect::<Option<_>>()?,
            ec2: ec2.into_iter().collect::<Option<_>>()?,
            aurora: aurora.into_iter().collect::<Option<_>>()?,
            dynamodb: dynamodb.into_iter().collect::<Option<_>>()?,
            elasticache: caches.into_iter().collect::<Option<_>>()?,
            dax: dax.into_iter().collect::<Option<_>>()?,
            stations: stations.into_iter().collect::<Option<_>>()?,
            canaries: doc.canary.iter().map(|(_, name, _)| canary::Settings { name: name.value.clone() }).collect(),
            metric_math: Vec::new(),
            alarms: Vec::new(),
            scaling: Settings::default(),
            deployments,
            faults,
            notes,
        })
    })();
    let mut architecture = check.watched(architecture, &registrations, &run)?;
    check.steadiness(&mut architecture);
    check.errors.is_empty().then_some(Checked { architecture, expectations, precision, cost })
}

impl Check<'_> {
    /// Adds alarms and scaling, which look at the metrics that the finished rest publishes.
    fn watched(
        &mut self,
        architecture: Option<Architecture>,
        registrations: &alb::Registrations,
        run: &Run,
    ) -> Option<Architecture> {
        let doc = self.doc;
        let scaled = doc.ecs.iter().any(|(_, _, service)| !service.scaling.is_empty())
            || doc.ec2.iter().any(|(_, _, group)| !group.scaling.is_empty());
        let asked = architecture
            .as_ref()
            .filter(|_| self.errors.is_empty() && (scaled || doc.alarm.len() > 0 || !self.own_alarms.is_empty()));
        let published = asked.map(models::world::published);
        let alarms = self.all_alarms(published.as_ref());
        let names = doc.traffic.iter().map(|source| source.name.as_str());
        let rates = forecast::Rates::of(architecture.as_ref(), names);
        let scaling = self.scaling(registrations, run, &rates, published.as_ref());
        let metric_math = std::mem::take(&mut self.metric_math);
        architecture.map(|built| Architecture { metric_math, alarms, scaling, ..built })
    }

    fn document_bounds(&mut self) {
        let doc = self.doc;
        let run = &doc.run;
        self.count(&run.replications, "replications", 1, MAX_REPLICATIONS);
        self.confidence(&run.confidence);
        self.label(&doc.title);
    }
}

/// Names of a section's parts.
fn names_of(doc: &Document, section: Section) -> Vec<&str> {
    match section {
        Section::Record => doc.route53.names().collect(),
        Section::CloudFront => doc.cloudfront.names().collect(),
        Section::GlobalAccelerator => doc.global_accelerator.names().collect(),
        Section::Alb => doc.alb.names().collect(),
        Section::Nlb => doc.nlb.names().collect(),
        Section::Ecs => doc.ecs.names().collect(),
        Section::Ec2 => doc.ec2.names().collect(),
        Section::Aurora => doc.aurora.names().collect(),
        Section::Rds => doc.rds.names().collect(),
        Section::DynamoDb => doc.dynamodb.names().collect(),
        Section::ElastiCache => doc.elasticache.names().collect(),
        Section::Dax => doc.dax.names().collect(),
        Section::Station => doc.station.names().collect(),
    }
}
