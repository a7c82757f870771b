//! Names, health checks, changes and resolvers.

use models::geography::{self, Continent, Coordinates};
use models::ids::*;
use models::route53::{
    Answer, Change, DnsCache, HealthCheck, Probing, Record, Resolvers, RoutingPolicy, Settings, Source,
};
use sim_core::SimDuration;

use super::geography::Site;
use super::{BROKEN, Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::route53 as raw;
use crate::tree::Span;

const TARGETS: [Section; 7] = [
    Section::Record,
    Section::CloudFront,
    Section::GlobalAccelerator,
    Section::Alb,
    Section::Nlb,
    Section::Ecs,
    Section::Station,
];
const PROBED: [Section; 6] =
    [Section::CloudFront, Section::GlobalAccelerator, Section::Alb, Section::Nlb, Section::Ecs, Section::Station];
/// TTL of an alias to a load balancer, and of a record that says nothing; also in the language's declaration.
pub(crate) const TTL: SimDuration = SimDuration::from_secs(60);
/// Children of a calculated check (API:route53, ChildHealthCheckList).
const MAX_CHILDREN: usize = 256;
/// Longest chain of names.
const MAX_CHAIN: usize = 16;

/// How specific a match of geolocation routing is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Default,
    Continent,
    Country,
    Subdivision,
}

impl Check<'_> {
    pub(super) fn route53(&mut self, run: &models::architecture::Run) -> Settings {
        let doc = self.doc;
        let place = doc.resolvers.place.as_ref().map(|place| {
            self.label(place);
            PlaceId(self.places.insert_full(place.value.clone()).0 as u16)
        });
        let records = doc.route53.entries.iter().enumerate().map(|(n, (name, record))| {
            self.record_name(name);
            match record {
                Some(record) => self.record(RecordId(n as u16), name, record),
                None => Record {
                    name: name.value.clone(),
                    ttl: TTL,
                    alias: false,
                    policy: RoutingPolicy::Simple,
                    answers: Vec::new(),
                },
            }
        });
        let records: Vec<Record> = records.collect();
        self.part_names(&doc.health_check, "health_check");
        let health_checks = doc.health_check.iter().map(|(_, name, check)| self.health_check(name, check)).collect();
        let changes = self.changes(run);
        let versions = || records.iter().chain(changes.iter().map(|change: &Change| &change.upsert));
        let by_place = place.is_none() && versions().any(|record| record.policy.depends_on_place());
        let resolvers = self.resolvers(place, by_place);
        let resolvers_raw = &doc.resolvers;
        let settings = Settings {
            resolvers,
            propagation: self.delay(&resolvers_raw.propagation, "propagation"),
            change_propagation: self.delay(&resolvers_raw.change_propagation, "change_propagation"),
            negative_ttl: self.time(&resolvers_raw.negative_ttl, "negative_ttl", 0.0, 86_400.0, ""),
            records,
            health_checks,
            changes,
        };
        self.chains(&settings);
        settings
    }

    fn resolvers(&mut self, place: Option<PlaceId>, by_place: bool) -> Resolvers {
        let resolvers = &self.doc.resolvers;
        let stretch = self.share(&resolvers.ttl_violation_fraction, "ttl_violation_fraction");
        match &resolvers.min_ttl {
            None if stretch > 0.0 => {
                let span = resolvers.ttl_violation_fraction.span;
                self.error(span, "for how long do these resolvers keep answers?", "add min_ttl = \"5m\"");
            }
            Some(min_ttl) if stretch == 0.0 => {
                let label = "add ttl_violation_fraction = \"9%\"";
                self.error(min_ttl.span, "no resolver stretches times to live", label);
            }
            _ => {}
        }
        let day = 86_400.0;
        Resolvers {
            count: self.count(&resolvers.count, "the number of resolvers", 1, 100_000),
            client_rtt: self.delay(&resolvers.client_rtt, "client_rtt"),
            authoritative_rtt: self.delay(&resolvers.authoritative_rtt, "authoritative_rtt"),
            by_place,
            place,
            max_ttl: self.time(&resolvers.max_ttl, "max_ttl", 0.0, 365.0 * day, ""),
            ttl_violation_fraction: stretch,
            min_ttl: resolvers
                .min_ttl
                .as_ref()
                .map_or(SimDuration::ZERO, |ttl| self.time(ttl, "min_ttl", 0.0, 365.0 * day, "")),
        }
    }

    /// How the clients of a source keep answers.
    pub(super) fn dns_cache(&mut self, given: Option<&Sp<raw::DnsCache>>) -> DnsCache {
        match given.map(|given| given.value) {
            None if self.doc.resolvers.client_cache.value => DnsCache::Ttl,
            None | Some(raw::DnsCache::None) => DnsCache::None,
            Some(raw::DnsCache::Ttl) => DnsCache::Ttl,
            Some(raw::DnsCache::Fixed(time)) => DnsCache::Fixed(time),
            Some(raw::DnsCache::Forever) => DnsCache::Forever,
        }
    }

    fn record_name(&mut self, name: &Sp<String>) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
        if name.is_empty() || name.len() > 255 || !name.chars().all(plain) {
            let title = format!("`{}` is no DNS name", name.value);
            self.error(name.span, title, "letters, digits, `-`, `_` and dots, up to 255");
        } else if Section::ALL.iter().any(|section| name.split('.').next() == Some(section.prefix())) {
            let title = format!("`{}` could be confused with a part of the architecture", name.value);
            self.error(name.span, title, "begin it with another word");
        }
    }

    fn changes(&mut self, run: &models::architecture::Run) -> Vec<Change> {
        let doc = self.doc;
        if doc.change.len() > 10_000 {
            self.error(doc.change.span, "too many changes", "at most 10000");
        }
        let mut changes = Vec::new();
        for change in doc.change.iter() {
            let at = self.instant(&change.at, run, "change");
            let Some(number) = self.named(&change.name, &doc.route53, "name of Route 53") else { continue };
            let upsert = self.record(RecordId(number as u16), &change.name, &change.upsert);
            changes.push(Change { at, record: RecordId(number as u16), upsert });
        }
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// What a name is, from the start or from a change on.
    fn record(&mut self, id: RecordId, name: &Sp<String>, record: &raw::Record) -> Record {
        let answers = self.answers(id, record);
        let endpoints = || answers.iter().map(|answer| answer.endpoint);
        let aliased = |endpoint: Endpoint| {
            matches!(
                endpoint,
                Endpoint::Alb(_) | Endpoint::CloudFront(_) | Endpoint::GlobalAccelerator(_) | Endpoint::Record(_)
            )
        };
        let can_be_alias = endpoints().all(aliased);
        let alias = record.alias.as_ref().map_or(can_be_alias, |alias| alias.value);
        let broken = endpoints().any(|endpoint| endpoint == BROKEN);
        if let (Some(wanted), false) = (&record.alias, can_be_alias || broken)
            && wanted.value
        {
            let title = "only load balancers, distributions and other names can have an alias";
            self.error(wanted.span, title, "remove `alias`");
        }
        if let (Some(ttl), true) = (&record.ttl, alias && !broken) {
            let title = "an alias has its target's TTL: 60 s for a load balancer";
            let error = Diagnostic::error(ttl.span, title, "remove `ttl`");
            self.note(error.help("or write alias = false: a CNAME, which has a TTL of its own"));
        }
        let ttl = record.ttl.as_ref().map_or(TTL, |ttl| self.time(ttl, "ttl", 0.0, 7.0 * 86_400.0, ""));
        if alias && record.routing_policy.value == raw::RoutingPolicy::Multivalue && !broken {
            let error =
                Diagnostic::error(record.routing_policy.span, "multivalue answers cannot be aliases", "not an alias");
            self.note(error.help("write alias = false"));
        }
        self.evaluated(record, alias, &answers);
        let policy = self.policy(record, &answers);
        Record { name: name.value.clone(), ttl, alias, policy, answers }
    }

    /// Refuses to evaluate the health of what has none.
    fn evaluated(&mut self, record: &raw::Record, alias: bool, answers: &[Answer]) {
        let places: Vec<Span> = match &record.records {
            Some(records) => records.iter().map(|answer| answer.evaluate_target_health.span).collect(),
            None => vec![record.evaluate_target_health.span],
        };
        for (answer, span) in answers.iter().zip(places).filter(|(answer, _)| answer.evaluate_target_health) {
            match answer.endpoint {
                BROKEN => {}
                Endpoint::CloudFront(_) => {
                    let title = "a distribution's health cannot be evaluated";
                    self.error(span, title, "Route 53 does not offer it: remove it");
                }
                Endpoint::Alb(_) | Endpoint::Record(_) if alias => {}
                _ => {
                    let title = "only an alias evaluates its target's health";
                    self.error(span, title, "give the answer a `health_check` instead");
                }
            }
        }
    }

    fn answers(&mut self, id: RecordId, record: &raw::Record) -> Vec<Answer> {
        let from = Some(Endpoint::Record(id));
        if record.routing_policy.value == raw::RoutingPolicy::Simple {
            if let Some(records) = &record.records {
                let title = "simple routing has one `target`, not `records`";
                self.error(records.span, title, "give routing_policy = \"weighted\" or \"failover\"");
            }
            let Some(target) = &record.target else {
                if record.records.is_none() {
                    self.error(record.span, "this name resolves to nothing", "`target` is missing");
                }
                return vec![Answer::plain(BROKEN)];
            };
            let endpoint = self.endpoint(target, &TARGETS, from, "`target`");
            let evaluate_target_health = record.evaluate_target_health.value;
            return vec![Answer { evaluate_target_health, ..Answer::plain(endpoint) }];
        }
        let word = policy_word(record.routing_policy.value);
        if let Some(target) = &record.target {
            let title = format!("{word} routing has `records`, not one `target`");
            self.error(target.span, title, "write records = [{ target = ... }, ...]");
        }
        if record.evaluate_target_health.value {
            let title = format!("{word} routing evaluates the health of each of its `records`");
            self.error(record.evaluate_target_health.span, title, "write it there");
        }
        let Some(records) = &record.records else {
            if record.target.is_none() {
                self.error(record.span, "this name resolves to nothing", "`records` is missing");
            }
            return vec![Answer::plain(BROKEN)];
        };
        if records.is_empty() {
            self.error(records.span, "there is no answer to choose", "at least one { target = ... }");
        }
        if records.len() > 1000 {
            self.error(records.span, "too many answers", "at most 1000");
        }
        let mut answers: Vec<Answer> = Vec::new();
        for answer in records.iter() {
            self.answer_keys(answer, record.routing_policy.value);
            answers.push(self.answer(answer, from));
        }
        if record.routing_policy.value == raw::RoutingPolicy::Failover {
            return self.primary_first(records, answers);
        }
        answers
    }

    /// Refuses keys of other policies, and misses those of this one.
    fn answer_keys(&mut self, answer: &raw::Answer, policy: raw::RoutingPolicy) {
        use raw::RoutingPolicy as P;
        let word = policy_word(policy);
        let keys = [
            ("weight", P::Weighted, answer.weight.as_ref().map(|it| it.span), true),
            ("failover", P::Failover, answer.failover.as_ref().map(|it| it.span), true),
            ("region", P::Latency, answer.region.as_ref().map(|it| it.span), false),
            ("geo_location", P::Geolocation, answer.geo_location.as_ref().map(|it| it.span), true),
            (
                "geo_proximity_location",
                P::Geoproximity,
                answer.geo_proximity_location.as_ref().map(|it| it.span),
                false,
            ),
        ];
        for (key, of, given, needed) in keys {
            match given {
                Some(span) if of != policy => {
                    let title = format!("{word} routing has no `{key}`");
                    self.error(span, title, format!("only {} routing has", policy_word(of)));
                }
                None if of == policy && needed => {
                    let title = format!("an answer under {word} routing lacks `{key}`");
                    self.error(answer.span, title, example_of(key));
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, answer: &raw::Answer, from: Option<Endpoint>) -> Answer {
        let doc = self.doc;
        Answer {
            endpoint: self.endpoint(&answer.target, &TARGETS, from, "`target`"),
            weight: answer.weight.as_ref().map_or(0, |weight| self.count(weight, "weight", 0, 255) as u8),
            health_check: answer
                .health_check
                .as_ref()
                .and_then(|name| self.named(name, &doc.health_check, "health check")),
            evaluate_target_health: answer.evaluate_target_health.value,
        }
    }

    /// The primary, then the secondary.
    fn primary_first(&mut self, records: &Sp<Vec<raw::Answer>>, answers: Vec<Answer>) -> Vec<Answer> {
        let mut of = |role: raw::FailoverRole, word: &str| -> Answer {
            let having = |(answer, _): &(&raw::Answer, &Answer)| {
                answer.failover.as_ref().is_some_and(|given| given.value == role)
            };
            let all: Vec<(&raw::Answer, &Answer)> = records.iter().zip(&answers).filter(having).collect();
            if let [_, (second, _), ..] = all.as_slice() {
                self.error(second.span, format!("there are two {word} answers"), "one too many");
            }
            match all.first() {
                Some((_, answer)) => (*answer).clone(),
                None => {
                    if !records.is_empty() && records.iter().all(|answer| answer.failover.is_some()) {
                        let title = format!("there is no {word} answer");
                        self.error(records.span, title, "failover routing needs one of each");
                    }
                    Answer::plain(BROKEN)
                }
            }
        };
        let primary = of(raw::FailoverRole::Primary, "PRIMARY");
        let secondary = of(raw::FailoverRole::Secondary, "SECONDARY");
        vec![primary, secondary]
    }

    fn policy(&mut self, record: &raw::Record, answers: &[Answer]) -> RoutingPolicy {
        let orders = match (record.routing_policy.value, &record.records) {
            (raw::RoutingPolicy::Simple, _) | (_, None) => return RoutingPolicy::Simple,
            (raw::RoutingPolicy::Weighted, _) => return RoutingPolicy::Weighted,
            (raw::RoutingPolicy::Multivalue, _) => return RoutingPolicy::Multivalue,
            (raw::RoutingPolicy::Failover, _) => return RoutingPolicy::failover(),
            (raw::RoutingPolicy::Latency, Some(records)) => self.by_latency(records, answers),
            (raw::RoutingPolicy::Geolocation, Some(records)) => self.by_location(records),
            (raw::RoutingPolicy::Geoproximity, Some(records)) => self.by_proximity(records, answers),
        };
        RoutingPolicy::Preferred(orders)
    }

    /// Answers in order of a measure, for each place that traffic comes from.
    fn orders(&self, answers: usize, measure: impl Fn(&str, usize) -> Option<f64>) -> Vec<Vec<u16>> {
        let order = |place: &String| {
            let mut of_place: Vec<(f64, u16)> =
                (0..answers).filter_map(|n| measure(place, n).map(|distance| (distance, n as u16))).collect();
            of_place.sort_by(|one, other| one.0.total_cmp(&other.0));
            of_place.into_iter().map(|(_, n)| n).collect()
        };
        self.places.iter().map(order).collect()
    }

    fn by_latency(&mut self, records: &[raw::Answer], answers: &[Answer]) -> Vec<Vec<u16>> {
        let mut regions = Vec::new();
        for (answer, built) in records.iter().zip(answers) {
            let region = match &answer.region {
                Some(code) => self.region(code),
                None => self.region_of(built.endpoint),
            };
            if region.is_none() && answer.region.is_none() && built.endpoint != BROKEN {
                let title = "nobody knows which Region this answer is in";
                self.error(answer.span, title, "add region = \"eu-west-1\" here or at its target");
            }
            regions.push(region.map(Site::region));
        }
        let mut unknown = Vec::new();
        let places: Vec<Site> = self.places.iter().map(|place| self.site_of_place(place)).collect();
        for region in regions.iter().flatten() {
            unknown.extend(
                places.iter().filter(|place| self.round_trip(place, region).is_none()).map(|it| it.name.clone()),
            );
        }
        self.unknown_places(&unknown, records, "latency");
        self.orders(regions.len(), |place, n| {
            let region = regions[n].as_ref()?;
            self.round_trip(&self.site_of_place(place), region).map(SimDuration::as_secs_f64)
        })
    }

    fn unknown_places(&mut self, unknown: &[String], records: &[raw::Answer], word: &str) {
        if let (Some(first), Some(answer)) = (unknown.first(), records.first()) {
            let title = format!("{word} routing needs to know where `{first}` is");
            let error = Diagnostic::error(answer.span, title, "no known city, and no [place] of its name");
            self.note(error.help(format!("add [place.{first}] with coordinates = [LATITUDE, LONGITUDE]")));
        }
    }

    fn by_proximity(&mut self, records: &[raw::Answer], answers: &[Answer]) -> Vec<Vec<u16>> {
        let mut located: Vec<Option<(Coordinates, f64)>> = Vec::new();
        for (answer, built) in records.iter().zip(answers) {
            let given = answer.geo_proximity_location.as_ref();
            let bias = given.map_or(0, |it| self.bias(&it.bias));
            let at = match given {
                Some(raw::GeoProximity { coordinates: Some(at), .. }) => Some(Coordinates {
                    latitude: self.number(&at.0, "a latitude", -90.0, 90.0),
                    longitude: self.number(&at.1, "a longitude", -180.0, 180.0),
                }),
                Some(raw::GeoProximity { aws_region: Some(code), .. }) => self.region(code).map(|region| region.at),
                _ => self.region_of(built.endpoint).map(|region| region.at),
            };
            let said = given.is_some_and(|it| it.aws_region.is_some());
            if at.is_none() && !said && built.endpoint != BROKEN {
                let label = "add geo_proximity_location = { aws_region = \"eu-west-1\" }, or a region at its target";
                self.error(answer.span, "nobody knows where this answer is", label);
            }
            located.push(at.map(|at| (at, f64::from(bias))));
        }
        let places: Vec<String> = self.places.iter().cloned().collect();
        let unknown: Vec<String> = places.into_iter().filter(|place| self.site_of_place(place).at.is_none()).collect();
        self.unknown_places(&unknown, records, "geoproximity");
        self.orders(located.len(), |place, n| {
            let (at, bias) = located[n]?;
            Some(biased(self.site_of_place(place).at?.distance_km(at), bias))
        })
    }

    fn bias(&mut self, bias: &Sp<i32>) -> i32 {
        self.count(bias, "a bias", -99, 99)
    }

    fn by_location(&mut self, records: &[raw::Answer]) -> Vec<Vec<u16>> {
        for answer in records {
            if let Some(location) = &answer.geo_location {
                self.geo_location(location);
            }
        }
        self.orders(records.len(), |place, n| {
            let country = self.country_of(place);
            let subdivision = self.subdivision_of(place);
            let matches =
                records[n].geo_location.as_ref().and_then(|it| matches(it, country.as_deref(), subdivision.as_deref()));
            // The most specific first.
            matches.map(|matches| -f64::from(matches as u8))
        })
    }

    fn geo_location(&mut self, location: &raw::GeoLocation) {
        let raw::GeoLocation { continent_code, country_code, subdivision_code, span } = location;
        match (continent_code, country_code, subdivision_code) {
            (Some(continent), None, None) => {
                if !Continent::ALL.iter().any(|known| known.code() == continent.as_str()) {
                    let title = format!("`{}` is no continent", continent.value);
                    self.error(continent.span, title, "AF, AN, AS, EU, NA, OC or SA");
                }
            }
            (None, Some(country), subdivision) => {
                if country.as_str() != "*" && Continent::of_country(country).is_none() {
                    let title = format!("`{}` is no code of a country", country.value);
                    self.error(country.span, title, "two capital letters (ISO 3166-1), or \"*\"");
                }
                if let (Some(subdivision), false) = (subdivision, matches!(country.as_str(), "US" | "UA")) {
                    let title = "Route 53 knows subdivisions of the USA and Ukraine only";
                    self.error(subdivision.span, title, "remove it");
                }
            }
            _ => {
                let title = "either a continent or a country, which may have a subdivision";
                self.error(*span, title, "such as { country_code = \"US\", subdivision_code = \"CA\" }");
            }
        }
    }

    /// Names that stand for each other in a circle, or in too long a chain, have no answer.
    fn chains(&mut self, settings: &Settings) {
        let next = |id: RecordId| -> Vec<RecordId> {
            let named = |endpoint| if let Endpoint::Record(next) = endpoint { Some(next) } else { None };
            settings.targets(id).filter_map(named).collect()
        };
        for n in 0..settings.records.len() {
            let start = RecordId(n as u16);
            let mut reached = vec![start];
            for _ in 0..MAX_CHAIN {
                reached = reached.iter().flat_map(|id| next(*id)).collect();
                reached.sort();
                reached.dedup();
            }
            if !reached.is_empty() {
                let name = &self.doc.route53.entries[n].0;
                let title = format!("`{}` leads to names that never end", name.value);
                let span = name.span;
                self.error(span, title, format!("a circle, or a chain of more than {MAX_CHAIN}"));
            }
        }
    }

    fn health_check(&mut self, name: &Sp<String>, check: &raw::HealthCheck) -> HealthCheck {
        let source = match &check.child_health_checks {
            Some(children) => self.calculated(check, children),
            None => self.probing(check),
        };
        HealthCheck { name: name.value.clone(), source, inverted: check.inverted.value, disabled: check.disabled.value }
    }

    fn calculated(&mut self, check: &raw::HealthCheck, listed: &Sp<Vec<Sp<String>>>) -> Source {
        let doc = self.doc;
        if let Some(target) = &check.target {
            self.error(target.span, "a calculated health check probes nothing", "remove `target`");
        }
        if listed.is_empty() || listed.len() > MAX_CHILDREN {
            let label = format!("give child_health_checks, up to {MAX_CHILDREN}");
            self.error(listed.span, "a calculated health check looks at others", label);
        }
        self.distinct(listed.iter(), "child health checks");
        let mut children = Vec::new();
        for child in listed.iter() {
            let Some(number) = self.named(child, &doc.health_check, "health check") else { continue };
            let of = doc.health_check.entries[number].1.as_ref();
            if of.is_some_and(|of| of.child_health_checks.is_some()) {
                self.error(child.span, "a calculated health check cannot look at a calculated one", "not nested");
            }
            children.push(number);
        }
        let health_threshold = match &check.health_threshold {
            Some(threshold) => self.count(threshold, "health_threshold", 0, 256),
            None => {
                self.error(
                    check.span,
                    "a calculated health check lacks `health_threshold`",
                    "how many must be healthy?",
                );
                0
            }
        };
        Source::Calculated { children, health_threshold }
    }

    fn probing(&mut self, check: &raw::HealthCheck) -> Source {
        let interval = check.request_interval.0;
        if interval != SimDuration::from_secs(30) && interval != SimDuration::from_secs(10) {
            let label = "\"30s\", or \"10s\" (fast)";
            self.error(check.request_interval.span, "Route 53 probes every 30 or every 10 seconds", label);
        }
        if let Some(threshold) = &check.health_threshold {
            let label = "add child_health_checks, or remove it";
            self.error(threshold.span, "only a calculated health check has a `health_threshold`", label);
        }
        if check.target.is_none() {
            self.error(check.span, "[health_check] lacks `target`", "`target` is missing here");
        }
        Source::Endpoint(Probing {
            endpoint: check.target.as_ref().map_or(BROKEN, |target| self.endpoint(target, &PROBED, None, "`target`")),
            path: self.typed_path(&check.resource_path),
            request_interval: interval,
            failure_threshold: self.count(&check.failure_threshold, "failure_threshold", 1, 10),
            checkers: self.count(&check.checkers, "checkers", 1, 1000) as u16,
            timeout: self.time(&check.timeout, "timeout", 0.001, 60.0, ""),
        })
    }
}

/// Distance as geoproximity routing sees it (R53 guide, routing-policy-geoproximity).
fn biased(kilometres: f64, bias: f64) -> f64 {
    if bias >= 0.0 { kilometres * (1.0 - bias / 100.0) } else { kilometres / (1.0 + bias / 100.0) }
}

/// How well an answer of geolocation routing matches viewers, if it does.
fn matches(location: &raw::GeoLocation, country: Option<&str>, subdivision: Option<&str>) -> Option<Match> {
    let given = |code: &Option<Sp<String>>| code.as_ref().map(|code| code.value.clone());
    match (given(&location.continent_code), given(&location.country_code), given(&location.subdivision_code)) {
        (_, Some(star), _) if star == "*" => Some(Match::Default),
        (_, Some(wanted), Some(state)) => {
            (country == Some(&wanted) && subdivision == Some(&state)).then_some(Match::Subdivision)
        }
        (_, Some(wanted), None) => (country == Some(&wanted)).then_some(Match::Country),
        (Some(wanted), None, _) => {
            let continent = geography::Continent::of_country(country?)?;
            (continent.code() == wanted).then_some(Match::Continent)
        }
        (None, None, _) => None,
    }
}

fn policy_word(policy: raw::RoutingPolicy) -> &'static str {
    match policy {
        raw::RoutingPolicy::Simple => "simple",
        raw::RoutingPolicy::Weighted => "weighted",
        raw::RoutingPolicy::Failover => "failover",
        raw::RoutingPolicy::Multivalue => "multivalue",
        raw::RoutingPolicy::Latency => "latency",
        raw::RoutingPolicy::Geolocation => "geolocation",
        raw::RoutingPolicy::Geoproximity => "geoproximity",
    }
}

fn example_of(key: &str) -> &'static str {
    match key {
        "weight" => "0..=255",
        "failover" => "\"PRIMARY\" or \"SECONDARY\"",
        _ => "{ continent_code = \"EU\" }, { country_code = \"JP\" } or { country_code = \"*\" }",
    }
}

#[cfg(test)]
mod tests {
    use super::biased;

    /// The guide's example: 150 km with a bias of 50 count as 75, nearer than 100 km without.
    #[test]
    fn worked_example_of_a_bias_of_50() {
        assert_eq!(biased(150.0, 50.0), 75.0);
        assert_eq!(biased(100.0, 0.0), 100.0);
        assert_eq!(biased(75.0, -25.0), 100.0);
    }
}
