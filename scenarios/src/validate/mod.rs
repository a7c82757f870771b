//! From what was typed to what can run: references become numbers, units types, and everything that cannot be is refused.
//! Every mistake is noted; checking goes on.

mod alb;
mod aurora;
mod cloudfront;
mod dynamodb;
mod ecs;
mod reach;
mod route53;
mod scaling;
mod timeline;
mod traffic;

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexSet;
use models::architecture::{Architecture, CacheControl, Catalog, Network, Run};
use models::ids::*;
use models::station;
use sim_core::SimDuration;

use crate::LoadOptions;
use crate::decode::{Named, Sp};
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::pattern;
use crate::raw;
use crate::raw::Document;
use crate::tree::Span;
use crate::units::{Bytes, Share, Time};

/// Stands for a reference that was refused.
pub(crate) const BROKEN: Endpoint = Endpoint::Station(StationId(u16::MAX));
/// Most parts of one kind.
const MAX_PARTS: usize = 10_000;
/// Most seconds the longest bound of AWS's has.
const DAY: f64 = 86_400.0;

/// The state of a validation.
pub(crate) struct Check<'a> {
    pub doc: &'a Document,
    pub options: &'a LoadOptions<'a>,
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<(Span, String)>,
    pub notes: Vec<String>,
    /// Distinct paths, by [`PathId`].
    pub paths: IndexSet<String>,
    /// Places, by [`PlaceId`].
    pub places: IndexSet<String>,
    /// Where one part refers to another, for the first time.
    pub references: BTreeMap<(Option<Endpoint>, Endpoint), Span>,
}

/// What a validation gives.
pub(crate) struct Checked {
    pub architecture: Architecture,
    pub expectations: Vec<crate::Expectation>,
}

/// Sections whose parts can be referred to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Record,
    CloudFront,
    Alb,
    Ecs,
    Aurora,
    DynamoDb,
    Station,
}

impl Section {
    const ALL: [Self; 7] =
        [Self::Record, Self::CloudFront, Self::Alb, Self::Ecs, Self::Aurora, Self::DynamoDb, Self::Station];

    /// Its name in references; a record of Route 53 is referred to by its own name.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Record => "",
            Self::CloudFront => "cloudfront",
            Self::Alb => "alb",
            Self::Ecs => "ecs",
            Self::Aurora => "aurora",
            Self::DynamoDb => "dynamodb",
            Self::Station => "station",
        }
    }
    fn noun(self) -> &'static str {
        match self {
            Self::Record => "a name of Route 53",
            Self::CloudFront => "a distribution",
            Self::Alb => "a load balancer",
            Self::Ecs => "an ECS service",
            Self::Aurora => "an Aurora cluster",
            Self::DynamoDb => "a DynamoDB table",
            Self::Station => "a station",
        }
    }
    fn endpoint(self, index: usize) -> Endpoint {
        let n = index as u16;
        match self {
            Self::Record => Endpoint::Record(RecordId(n)),
            Self::CloudFront => Endpoint::CloudFront(CloudFrontId(n)),
            Self::Alb => Endpoint::Alb(AlbId(n)),
            Self::Ecs => Endpoint::Ecs(EcsId(n)),
            Self::Aurora => Endpoint::Aurora(AuroraId(n)),
            Self::DynamoDb => Endpoint::DynamoDb(DynamoDbId(n)),
            Self::Station => Endpoint::Station(StationId(n)),
        }
    }
}

impl<'a> Check<'a> {
    pub fn new(doc: &'a Document, options: &'a LoadOptions<'a>) -> Self {
        Self {
            doc,
            options,
            errors: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
            paths: IndexSet::from(["/".to_string()]),
            places: IndexSet::new(),
            references: BTreeMap::new(),
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

    /// Names of a section's parts.
    fn names(&self, section: Section) -> Vec<&'a str> {
        let doc = self.doc;
        match section {
            Section::Record => doc.route53.names().collect(),
            Section::CloudFront => doc.cloudfront.names().collect(),
            Section::Alb => doc.alb.names().collect(),
            Section::Ecs => doc.ecs.names().collect(),
            Section::Aurora => doc.aurora.names().collect(),
            Section::DynamoDb => doc.dynamodb.names().collect(),
            Section::Station => doc.station.names().collect(),
        }
    }

    fn find(&self, section: Section, name: &str) -> Option<Endpoint> {
        self.names(section).iter().position(|known| *known == name).map(|index| section.endpoint(index))
    }

    /// How a part is written in references.
    pub fn name_of(&self, endpoint: Endpoint) -> String {
        let (section, index) = match endpoint {
            Endpoint::Record(id) => (Section::Record, id.index()),
            Endpoint::CloudFront(id) => (Section::CloudFront, id.index()),
            Endpoint::Alb(id) => (Section::Alb, id.index()),
            Endpoint::Ecs(id) => (Section::Ecs, id.index()),
            Endpoint::Aurora(id) => (Section::Aurora, id.index()),
            Endpoint::DynamoDb(id) => (Section::DynamoDb, id.index()),
            Endpoint::Station(id) => (Section::Station, id.index()),
        };
        let name = self.names(section).get(index).copied().unwrap_or("?");
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
            known.extend(self.names(*section).iter().map(|name| format!("{}{dot}{name}", section.prefix())));
        }
        let label = advice(text, known.iter().map(String::as_str));
        self.error(text.span, format!("{what} `{}` does not exist", text.value), label);
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

    /// A whole number within bounds.
    pub fn count(&mut self, n: &Sp<u32>, what: &str, least: u32, most: u32) -> u32 {
        if n.value < least || n.value > most {
            let title = format!("{what} must be between {least} and {most}");
            self.error(n.span, title, if n.value < least { format!("at least {least}") } else { format!("at most {most}") });
        }
        n.value.clamp(least, most)
    }

    /// A larger whole number within bounds.
    pub fn large_count(&mut self, n: &Sp<u64>, what: &str, least: u64, most: u64) -> u64 {
        if n.value < least || n.value > most {
            let title = format!("{what} must be between {least} and {most}");
            self.error(n.span, title, if n.value < least { format!("at least {least}") } else { format!("at most {most}") });
        }
        n.value.clamp(least, most)
    }

    /// A number within bounds.
    pub fn number(&mut self, x: &Sp<f64>, what: &str, least: f64, most: f64) -> f64 {
        if !(least..=most).contains(&x.value) {
            let title = format!("{what} must be between {least} and {most}");
            self.error(x.span, title, if x.value < least { format!("at least {least}") } else { format!("at most {most}") });
        }
        x.value.max(least).min(most)
    }

    /// A time within bounds, in seconds; `why` says whose bounds they are.
    pub fn time(&mut self, time: &Sp<Time>, what: &str, least: f64, most: f64, why: &str) -> SimDuration {
        let seconds = time.0.as_secs_f64();
        if seconds < least || seconds > most {
            let title = format!("{what} must be between {} and {}", show(least), show(most));
            let label = if seconds < least { format!("at least {}", show(least)) } else { format!("at most {}", show(most)) };
            let error = Diagnostic::error(time.span, title, label);
            self.note(if why.is_empty() { error } else { error.help(format!("these are {why}'s bounds")) });
        }
        time.0
    }

    /// A network delay or other short time: from nothing to a day.
    pub fn delay(&mut self, time: &Sp<Time>, what: &str) -> SimDuration {
        self.time(time, what, 0.0, DAY, "")
    }

    /// A share, 0..=1.
    pub fn share(&mut self, share: &Sp<Share>, what: &str) -> f64 {
        if share.0 > 1.0 {
            self.error(share.span, format!("{what} cannot be above 100%"), "at most \"100%\"");
        }
        share.0.min(1.0)
    }

    /// A number of bytes that fits a request.
    pub fn body(&mut self, bytes: &Sp<Bytes>, what: &str) -> u32 {
        u32::try_from(bytes.0).unwrap_or_else(|_| {
            self.error(bytes.span, format!("{what} is too large"), "at most \"3.9GB\"");
            u32::MAX
        })
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

    fn run(&mut self) -> Run {
        let run = &self.doc.run;
        let replays = self.doc.traffic.iter().any(|traffic| traffic.replay.is_some());
        let others = self.doc.traffic.iter().any(|traffic| traffic.replay.is_none());
        let duration = match &run.duration {
            Some(duration) => {
                if duration.0.is_zero() {
                    self.error(duration.span, "a run must last", "more than \"0s\"");
                }
                duration.0
            }
            None if replays && !others => SimDuration::MAX,
            None if self.doc.traffic.is_empty() => SimDuration::MAX,
            None => {
                let help = "[run]\nduration = \"10m\"".replace('\n', " ");
                let error = Diagnostic::error(run.span, "run.duration is missing", "how long is to be simulated?");
                self.note(error.help(format!("write {help}")));
                SimDuration::MAX
            }
        };
        if run.warm_up.0 >= duration {
            self.error(run.warm_up.span, "the warm-up lasts as long as the run", "nothing would be counted");
        }
        Run {
            duration,
            warm_up: run.warm_up.0,
            downtime_error_rate: self.share(&run.downtime_error_rate, "downtime_error_rate"),
            metric_delay: self.time(&run.metric_delay, "metric_delay", 0.0, 3600.0, ""),
        }
    }

    fn catalogs(&mut self) -> Vec<Catalog> {
        let doc = self.doc;
        self.part_names(&doc.catalog, "catalog");
        doc.catalog.iter().map(|(_, name, catalog)| self.catalog(name, catalog)).collect()
    }

    fn catalog(&mut self, name: &Sp<String>, catalog: &raw::Catalog) -> Catalog {
        if catalog.size.0.mean() > u32::MAX.into() {
            self.error(catalog.size.span, "objects are too large", "at most \"3.9GB\" on average");
        }
        Catalog {
            name: name.value.clone(),
            objects: self.large_count(&catalog.objects, "objects", 1, 1_000_000_000),
            zipf: self.number(&catalog.zipf, "zipf", 0.0, 10.0),
            size: catalog.size.0.clone(),
            cache_control: catalog.cache_control.as_ref().map_or(CacheControl::Absent, |text| self.cache_control(text)),
        }
    }

    fn cache_control(&mut self, text: &Sp<String>) -> CacheControl {
        let (mut max_age, mut s_maxage, mut no_store) = (None, None, false);
        for directive in text.split(',').map(|directive| directive.trim().to_lowercase()) {
            let age = |prefix: &str| directive.strip_prefix(prefix).map(|n| n.trim().parse::<u32>().ok());
            if let Some(seconds) = age("s-maxage=") {
                s_maxage = Some(seconds);
            } else if let Some(seconds) = age("max-age=") {
                max_age = Some(seconds);
            } else if matches!(directive.as_str(), "no-cache" | "no-store" | "private") {
                no_store = true;
            } else if directive != "public" {
                let label = "known: `max-age=SECONDS`, `s-maxage=SECONDS`, `no-cache`, `no-store`, `private`, `public`";
                self.error(text.span, format!("`{directive}` is no directive that is modelled"), label);
            }
        }
        match s_maxage.or(max_age) {
            _ if no_store => CacheControl::NoStore,
            None => CacheControl::Absent,
            Some(Some(seconds)) => CacheControl::MaxAge(SimDuration::from_secs(seconds.into())),
            Some(None) => {
                self.error(text.span, "an age is a whole number of seconds", "such as \"max-age=3600\"");
                CacheControl::Absent
            }
        }
    }

    fn stations(&mut self) -> Vec<Option<station::Settings>> {
        let doc = self.doc;
        self.part_names(&doc.station, "station");
        let build = |(name, station): &(Sp<String>, Option<raw::station::Station>), check: &mut Self| {
            station.as_ref().map(|station| check.station(name, station))
        };
        doc.station.entries.iter().map(|entry| build(entry, self)).collect()
    }

    fn station(&mut self, name: &Sp<String>, station: &raw::station::Station) -> station::Settings {
        self.part_names(&station.classes, "classes");
        if let (Some(room), None) = (&station.room, &station.servers) {
            self.error(room.span, "nobody waits where there is any number of servers", "remove `room`, or give `servers`");
        }
        let mut classes = vec![station.service.0.clone()];
        classes.extend(station.classes.entries.iter().filter_map(|(_, class)| class.as_ref().map(|class| class.0.clone())));
        let ps = station.discipline.value == raw::station::Discipline::ProcessorSharing;
        station::Settings {
            name: name.value.clone(),
            servers: station.servers.as_ref().map(|n| self.count(n, "servers", 1, 1_000_000)),
            room: station.room.as_ref().map(|n| n.value),
            discipline: if ps { station::Discipline::ProcessorSharing } else { station::Discipline::Fifo },
            classes,
            response_bytes: self.body(&station.response_size, "response_size"),
        }
    }
}

/// Checks a document and builds its architecture; `None` if there are mistakes.
pub(crate) fn validate(check: &mut Check<'_>, base_dir: Option<&Path>) -> Option<Checked> {
    let doc = check.doc;
    check.document_bounds();
    let mut run = check.run();
    let network = Network { region_rtt: check.delay(&doc.network.region_rtt, "region_rtt") };
    let catalogs = check.catalogs();
    let mut sources = check.traffic_sources(&run);
    let route53 = check.route53();
    let mut cloudfront = check.distributions(&catalogs);
    let mut albs = check.load_balancers(&network);
    let registrations = check.registrations(&mut albs);
    let mut ecs = check.services(&network, &registrations);
    let aurora = check.clusters();
    let dynamodb = check.tables();
    let stations = check.stations();
    let scaling = check.scaling(&registrations);
    if check.errors.is_empty() {
        check.replays(&mut sources, &mut run, base_dir);
    }
    let (deployments, faults) = check.timeline(&run);
    let expectations = check.expectations(&sources);
    check.match_paths(&mut cloudfront, &mut albs, &mut ecs);
    check.reach(&sources, &route53, &cloudfront, &albs, &ecs);
    let architecture = Architecture {
        run,
        network,
        places: check.places.iter().cloned().collect(),
        paths: check.paths.iter().cloned().collect(),
        catalogs,
        routes: sources.route_names.clone(),
        traffic: sources.settings,
        route53,
        cloudfront: cloudfront.into_iter().collect::<Option<_>>()?,
        alb: albs.into_iter().collect::<Option<_>>()?,
        ecs: ecs.into_iter().collect::<Option<_>>()?,
        aurora: aurora.into_iter().collect::<Option<_>>()?,
        dynamodb: dynamodb.into_iter().collect::<Option<_>>()?,
        stations: stations.into_iter().collect::<Option<_>>()?,
        scaling,
        deployments,
        faults,
        notes: std::mem::take(&mut check.notes),
    };
    check.errors.is_empty().then_some(Checked { architecture, expectations })
}

impl Check<'_> {
    fn document_bounds(&mut self) {
        let doc = self.doc;
        let run = &doc.run;
        self.count(&run.replications, "replications", 1, 100_000);
        if run.confidence.0 < 0.5 || run.confidence.0 >= 1.0 {
            self.error(run.confidence.span, "confidence must be at least 50% and below 100%", "usually \"95%\"");
        }
        if doc.title.is_empty() {
            self.error(doc.title.span, "the title is empty", "one line that says what the scenario is");
        }
    }
}

/// A time in words.
pub(crate) fn show(seconds: f64) -> String {
    let (value, unit) = match seconds {
        0.0 => (0.0, "s"),
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s >= 86_400.0 && s % 86_400.0 == 0.0 => (s / 86_400.0, "d"),
        s if s >= 3600.0 && s % 3600.0 == 0.0 => (s / 3600.0, "h"),
        s if s >= 60.0 && s % 60.0 == 0.0 => (s / 60.0, "m"),
        s => (s, "s"),
    };
    format!("{}{unit}", (value * 1000.0).round() / 1000.0)
}
