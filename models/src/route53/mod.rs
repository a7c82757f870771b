//! Route 53, its health checkers, and the caching resolvers and client caches between it and the viewers.
//!
//! ```text
//! client --own cache--> resolver --its cache--> Route 53 <--status, late by `propagation`-- health check
//!                                                                                    checkers --probes--> endpoint
//! ```
//! A lookup that misses the client's cache costs `client_rtt`, one that misses the resolver's too `authoritative_rtt` more.
//! A resolver hands on what is left of the time to live, so that its clients' copies expire with its own. Lookups do not wait
//! for each other: while one is under way, another of the same client or resolver is a lookup of its own.
//!
//! What a name resolves to is found by going down a tree of alias and CNAME records (`selection`), by policy and health, as the
//! name server knows them that is asked: changes of records and of health reach it late.
//!
//! Not here: DNSSEC, answers that depend on the question's type, resolvers that share a cache, prefetching.

mod caches;
mod health;
mod selection;
#[cfg(test)]
mod tests;
mod usage;

use std::collections::BTreeMap;

use sim_core::observations::{IncidentKind, LogKind, Phase};
use sim_core::random::Source as _;
use sim_core::{SimDuration, SimTime};

use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::*;
use crate::world::{self, Cx};
pub use caches::DnsCache;
use caches::{Cached, ClientCaches, ResolverCaches};
use health::Checks;
pub use health::HEALTHY_SHARE_PERCENT;
pub use selection::MOST_VALUES;
use selection::{Question, Resolution, Values, Zone};

/// Names, health checks and the population of caches.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By [`RecordId`].
    pub records: Vec<Record>,
    /// Health checks.
    pub health_checks: Vec<HealthCheck>,
    /// The caches between.
    pub resolvers: Resolvers,
    /// From a health check's change of status to answers that follow it (assumption A1: 5 s).
    pub propagation: SimDuration,
    /// Changes of records, in order of time.
    pub changes: Vec<Change>,
    /// Within this time a change reaches all name servers: each resolver's at an instant of its own (60 s).
    pub change_propagation: SimDuration,
    /// How long it is remembered that a name has no answer (900 s: the SOA record's).
    pub negative_ttl: SimDuration,
}

impl Settings {
    /// No names, and resolvers that take no time.
    #[must_use]
    pub const fn none() -> Self {
        let resolvers = Resolvers {
            count: 10,
            client_rtt: SimDuration::ZERO,
            authoritative_rtt: SimDuration::ZERO,
            by_place: false,
            place: None,
            max_ttl: SimDuration::from_secs(86_400),
            ttl_violation_fraction: 0.0,
            min_ttl: SimDuration::ZERO,
        };
        Self {
            records: Vec::new(),
            health_checks: Vec::new(),
            resolvers,
            propagation: SimDuration::from_secs(5),
            changes: Vec::new(),
            change_propagation: SimDuration::from_secs(60),
            negative_ttl: SimDuration::from_secs(900),
        }
    }

    /// Whatever a name may stand for at any time: parts and other names.
    pub fn targets(&self, record: RecordId) -> impl Iterator<Item = Endpoint> {
        let changed = self.changes.iter().filter(move |change| change.record == record).map(|change| &change.upsert);
        let versions = self.records.get(record.index()).into_iter().chain(changed);
        versions.flat_map(|version| version.answers.iter().map(|answer| answer.endpoint))
    }
}

/// ChangeResourceRecordSets: a record is replaced.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it is accepted.
    pub at: SimTime,
    /// Which.
    pub record: RecordId,
    /// What it is from then on.
    pub upsert: Record,
}

/// A name and what it resolves to: the record sets of one name.
#[derive(Clone, Debug)]
pub struct Record {
    /// Such as `www.example.com`.
    pub name: String,
    /// How long an answer may be kept. For an alias to a load balancer AWS fixes 60 s; an alias to a record has that one's.
    pub ttl: SimDuration,
    /// Whether it is an alias. Otherwise it is a CNAME where it stands for another record, which costs a question more.
    pub alias: bool,
    /// How an answer is chosen.
    pub policy: RoutingPolicy,
    /// Among these.
    pub answers: Vec<Answer>,
}

/// How Route 53 chooses among answers.
#[derive(Clone, Debug, PartialEq)]
pub enum RoutingPolicy {
    /// The only one, whatever its health.
    Simple,
    /// By share of weight (0..=255) among the healthy ones.
    Weighted,
    /// Up to eight of the healthy ones at random; a client takes one of them.
    Multivalue,
    /// The first healthy one in an order of preference: numbers of answers, for each place that questions come from, or one for all
    /// of them. Failover has the primary first, latency routing the shortest round trip, geoproximity the smallest biased
    /// distance, geolocation the most specific match (and only what matches).
    Preferred(Vec<Vec<u16>>),
}

impl RoutingPolicy {
    /// Failover: answer 0 is the primary, 1 the secondary.
    #[must_use]
    pub fn failover() -> Self {
        Self::Preferred(vec![vec![0, 1]])
    }
    /// Whether an answer depends on the place that the question comes from.
    #[must_use]
    pub fn depends_on_place(&self) -> bool {
        matches!(self, Self::Preferred(orders) if orders.len() > 1)
    }
}

/// One of several answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the name resolves to, or another record.
    pub endpoint: Endpoint,
    /// Weight; only for weighted records.
    pub weight: u8,
    /// Index of its health check; none = always healthy.
    pub health_check: Option<usize>,
    /// `EvaluateTargetHealth` of an alias: it is as healthy as its target, a load balancer or record.
    pub evaluate_target_health: bool,
}

impl Answer {
    /// An answer without weight, health check or evaluation of its target.
    #[must_use]
    pub const fn plain(endpoint: Endpoint) -> Self {
        Self { endpoint, weight: 0, health_check: None, evaluate_target_health: false }
    }
}

/// A health check: a population of checkers, each probing on its own.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// Its name.
    pub name: String,
    /// What its status comes from.
    pub source: Source,
    /// Whether it says the opposite.
    pub inverted: bool,
    /// Not checked at all: healthy (unhealthy, if inverted).
    pub disabled: bool,
}

/// What the status of a health check comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Checkers that probe an endpoint.
    Endpoint(Probing),
    /// Other checks: healthy while at least so many of them are.
    Calculated {
        /// Which; none of them calculated.
        children: Vec<usize>,
        /// How many must be healthy; 0 = always healthy, more than there are = never.
        health_threshold: u32,
    },
}

/// How an endpoint is probed.
#[derive(Clone, Debug)]
pub struct Probing {
    /// What is probed: a load balancer, distribution, ECS service or station.
    pub endpoint: Endpoint,
    /// The path probed.
    pub path: PathId,
    /// `RequestInterval`: 30 s or 10 s.
    pub request_interval: SimDuration,
    /// `FailureThreshold`: consecutive results to change a checker's mind, 1..=10, default 3.
    pub failure_threshold: u32,
    /// How many checkers there are ("a dozen or so"; 16 here).
    pub checkers: u16,
    /// Answer must arrive within this (4 s to connect and 2 s to answer: 6 s in all).
    pub timeout: SimDuration,
}

/// The caches between clients and Route 53.
#[derive(Clone, Debug)]
pub struct Resolvers {
    /// How many caching resolvers share the clients.
    pub count: u32,
    /// Round trip from client to resolver.
    pub client_rtt: SimDuration,
    /// Round trip from resolver to Route 53's name servers.
    pub authoritative_rtt: SimDuration,
    /// Whether each place has as many of its own, because the answer to some name depends on where the question comes from.
    pub by_place: bool,
    /// The place that Route 53 takes all questions to come from, if it is not the viewers'.
    pub place: Option<PlaceId>,
    /// No answer is kept longer.
    pub max_ttl: SimDuration,
    /// Share of them (0..=1) that keep answers for at least `min_ttl`, whatever their time to live.
    pub ttl_violation_fraction: f64,
    /// See `ttl_violation_fraction`.
    pub min_ttl: SimDuration,
}

/// A source of traffic, as far as names go.
#[derive(Clone, Debug)]
pub struct Population {
    /// How many clients it has.
    pub clients: u32,
    /// How they keep answers.
    pub cache: DnsCache,
    /// Where they are.
    pub place: PlaceId,
    /// The name they ask, if they ask one.
    pub asks: Option<RecordId>,
    /// What they ask for there.
    pub routes: Vec<RouteId>,
}

/// What happens inside Route 53 and its resolvers.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A client's question for a name reaches its resolver.
    AtResolver(RecordId, RequestKey),
    /// A resolver asks the name servers for a request's name.
    Authoritative(RecordId, RequestKey),
    /// The name servers' answer reaches the resolver.
    AuthoritativeAnswer(RecordId, RequestKey),
    /// The answer reaches the client.
    Answer(RecordId, RequestKey),
    /// A checker of a health check probes (check, checker).
    Probe(u16, u16),
    /// A probe has had its time.
    ProbeTimeout(RequestKey),
    /// A health check's new status (healthy?) reaches the name servers.
    StatusServed(u16, bool),
    /// Whether a load balancer is fit to be sent to reaches the name servers.
    TargetServed(AlbId, bool),
    /// A change of a record (its number) is accepted.
    Changed(u16),
    /// All name servers have it.
    ChangeServed(u16),
}

/// In [`Request::state`] during a lookup, and in caches: there is no answer. Otherwise the number of what the name resolves to in
/// [`Zone::leaf`]. [`Request::demand`] is then the answer's time to live, [`Request::joined`] when the resolver's copy expires.
const NO_ANSWER: u16 = u16::MAX;

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    client_hits: u64,
    resolver_hits: u64,
    authoritative: u64,
    /// Those by what they are charged as.
    billed: usage::Billed,
}

/// Route 53 and the caches in front of it.
#[derive(Debug)]
pub struct Route53 {
    zone: Zone,
    clients: ClientCaches,
    resolvers: ResolverCaches,
    /// One way between client and resolver, and between resolver and name servers.
    to_resolver: Hop,
    to_servers: Hop,
    authoritative_rtt: SimDuration,
    propagation: Hop,
    /// Several values on their way to a resolver.
    several: BTreeMap<RequestKey, Values>,
    changes: Vec<Change>,
    change_propagation: SimDuration,
    checks: Checks,
    tally: Tally,
    /// What queries of each record are charged as.
    billed_as: Vec<u8>,
}

impl Route53 {
    /// Builds it. `sources` are the sources of traffic, by [`TrafficId`]; `places` how many places there are.
    ///
    /// Client caches start empty: a client's first operation finds its resolver's cache, which starts as in steady state.
    #[must_use]
    pub fn new(settings: &Settings, sources: &[Population], places: usize, cx: &mut Cx<'_>) -> Self {
        let streams = &cx.shared.streams;
        let zone = Zone::new(settings, |component, purpose| streams.key(component, purpose));
        let residual = streams.key("route53.resolvers", "residual TTL");
        let half = |rtt: SimDuration| SimDuration::from_nanos(rtt.as_nanos() / 2);
        let matters = |check: usize| {
            let asks = |source: &Population| source.asks.is_some_and(|record| zone.depends_on(record, check));
            sources.iter().any(|source| asks(source) && !source.routes.is_empty())
        };
        let checks = Checks::new(&settings.health_checks, settings.propagation, matters, cx);
        let mut resolvers = ResolverCaches::new(&settings.resolvers, zone.len(), places);
        resolvers.fill(residual, |record, resolver, place| {
            let question = Question { resolver, number: 0, place, now: SimTime::ZERO };
            zone.resolve(record, &checks, &question)
        });
        Self {
            clients: ClientCaches::new(zone.len(), sources),
            resolvers,
            to_resolver: cx.hop(half(settings.resolvers.client_rtt)),
            to_servers: cx.hop(half(settings.resolvers.authoritative_rtt)),
            authoritative_rtt: settings.resolvers.authoritative_rtt,
            propagation: cx.hop(settings.propagation),
            several: BTreeMap::new(),
            changes: settings.changes.clone(),
            change_propagation: settings.change_propagation,
            checks,
            tally: Tally::default(),
            billed_as: settings.records.iter().map(usage::billed_as).collect(),
            zone,
        }
    }

    /// Schedules the first probes, and the changes.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        self.checks.start(cx);
        for (number, change) in self.changes.iter().enumerate() {
            cx.kernel.schedule_at(change.at, world::Event::Route53(Event::Changed(number as u16)));
        }
    }

    /// A client asks what `record` resolves to. It is told by the outbox: in the same instant if its own cache
    /// holds the answer, otherwise when the resolver has it. A request whose client gives up meanwhile is still answered.
    #[inline(never)]
    pub fn on_offer(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if let Some(answer) = self.clients.get(request.traffic, record, request.client, now) {
            self.tally.client_hits += 1;
            let endpoint = (answer != NO_ANSWER).then(|| self.zone.leaf(answer));
            cx.shared.outbox.resolved(key, endpoint);
            return;
        }
        self.after(self.to_resolver, Event::AtResolver(record, key), cx);
    }

    /// Handles one of its events.
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::AtResolver(record, key) => self.at_resolver(record, key, cx),
            Event::Authoritative(record, key) => self.authoritative(record, key, cx),
            Event::AuthoritativeAnswer(record, key) => self.authoritative_answer(record, key, cx),
            Event::Answer(record, key) => self.answer(record, key, cx),
            Event::Probe(check, checker) => self.checks.probe(check, checker, cx),
            Event::ProbeTimeout(key) => self.checks.timed_out(key, cx),
            Event::StatusServed(check, healthy) => self.checks.status_served(check, healthy, cx),
            Event::TargetServed(alb, healthy) => self.zone.set_alb(alb, healthy),
            Event::Changed(number) => self.changed(number, cx),
            Event::ChangeServed(number) => {
                let subject = self.subject_of(number);
                cx.settling(&subject);
                cx.is_over(IncidentKind::Change, &subject);
            }
        }
    }

    /// A load balancer became fit to be sent to, or unfit: name servers follow after the propagation time.
    pub fn target_health(&mut self, alb: AlbId, healthy: bool, cx: &mut Cx<'_>) {
        self.after(self.propagation, Event::TargetServed(alb, healthy), cx);
    }

    fn changed(&mut self, number: u16, cx: &mut Cx<'_>) {
        let (now, subject) = (cx.kernel.now(), self.subject_of(number));
        let known = now + self.change_propagation;
        cx.shared.observer.log_span(now, Some(known), LogKind::Deployment, &subject, "ChangeResourceRecordSets");
        cx.begins(IncidentKind::Change, &subject, "ChangeResourceRecordSets");
        cx.phase(&subject, Phase::Routing);
        cx.kernel.schedule_at(known, world::Event::Route53(Event::ChangeServed(number)));
    }

    fn subject_of(&self, change: u16) -> String {
        format!("route53.{}", self.changes[usize::from(change)].upsert.name)
    }

    /// A probe is answered; its frame has been taken off. Route 53 removes the request.
    #[inline(never)]
    pub fn on_probe_reply(&mut self, key: RequestKey, check: u16, checker: u16, cx: &mut Cx<'_>) {
        self.checks.answered(key, check, checker, cx);
    }

    /// Lets something happen after a hop, or at once if it takes no time.
    fn after(&mut self, hop: Hop, event: Event, cx: &mut Cx<'_>) {
        match hop.lane() {
            None => self.on(event, cx),
            Some(lane) => cx.kernel.schedule_lane(lane, world::Event::Route53(event)),
        }
    }

    fn resolver_of(&self, key: RequestKey, cx: &mut Cx<'_>) -> u32 {
        let request = cx.request(key);
        self.resolvers.of_client(request.traffic, request.client, request.place)
    }

    fn at_resolver(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let resolver = self.resolver_of(key, cx);
        let found = self.resolvers.get(record, resolver, cx.now());
        match found {
            Some((values, expires)) => {
                self.tally.resolver_hits += 1;
                self.tell(record, key, &values, expires, cx);
            }
            None => self.after(self.to_servers, Event::Authoritative(record, key), cx),
        }
    }

    fn authoritative(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        self.tally.authoritative += 1;
        self.tally.billed[self.billed_as[record.index()] as usize] += 1;
        let resolver = self.resolver_of(key, cx);
        let place = self.resolvers.place_of(resolver);
        let number = self.resolvers.next_query(record, resolver);
        let question = Question { resolver, number, place, now: cx.now() };
        let Resolution { values, ttl, cnames } = self.zone.resolve(record, &self.checks, &question);
        let request = cx.request(key);
        request.state = u32::from(values.all().first().copied().unwrap_or(NO_ANSWER));
        request.demand = ttl;
        if values.all().len() > 1 {
            self.several.insert(key, values);
        }
        let answer = Event::AuthoritativeAnswer(record, key);
        if cnames == 0 {
            return self.after(self.to_servers, answer, cx);
        }
        self.tally.authoritative += u64::from(cnames);
        self.tally.billed[usage::STANDARD as usize] += u64::from(cnames);
        let half = SimDuration::from_nanos(self.authoritative_rtt.as_nanos() / 2);
        let wait = self.authoritative_rtt.times(u64::from(cnames)) + half;
        cx.kernel.schedule_in(wait, world::Event::Route53(answer));
    }

    fn authoritative_answer(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let resolver = self.resolver_of(key, cx);
        let now = cx.now();
        let request = cx.request(key);
        let ttl = std::mem::take(&mut request.demand);
        let first = request.state as u16;
        let values = self.several.remove(&key).unwrap_or_else(|| Values::of(first));
        let expires = now + self.resolvers.keeps(resolver, ttl);
        self.resolvers.put(record, resolver, values, expires);
        self.tell(record, key, &values, expires, cx);
    }

    /// A resolver tells a client: one of several values at random.
    fn tell(&mut self, record: RecordId, key: RequestKey, values: &Values, expires: SimTime, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let value = match values.all() {
            [] => NO_ANSWER,
            [value] => *value,
            several => several[request.draws(purpose::CHOICE).below(several.len() as u64) as usize],
        };
        request.state = u32::from(value);
        request.joined = expires;
        self.after(self.to_resolver, Event::Answer(record, key), cx);
    }

    fn answer(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let cached = Cached { expires: request.joined, answer: request.state as u16 };
        let (traffic, client) = (request.traffic, request.client);
        self.clients.put(traffic, record, client, cached, now);
        let endpoint = (cached.answer != NO_ANSWER).then(|| self.zone.leaf(cached.answer));
        cx.shared.outbox.resolved(key, endpoint);
    }
}

impl Observed for Route53 {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        self.checks.publish(cx);
    }

    fn warm_up_over(&mut self, _now: SimTime) {
        self.tally = Tally::default();
        self.checks.warm_up_over();
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        if self.zone.len() > 0 {
            findings.count("route53", "answers from client caches", self.tally.client_hits as f64);
            findings.count("route53", "answers from resolver caches", self.tally.resolver_hits as f64);
            findings.count("route53", "queries to name servers", self.tally.authoritative as f64);
        }
        usage::of(&self.tally.billed, findings);
        self.checks.finish(findings);
    }
}
