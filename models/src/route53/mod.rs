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
//! Not here: alias records that evaluate their target's health, latency, geolocation and multivalue policies, negative
//! caching, DNSSEC, resolvers that stretch TTLs.

mod caches;
mod health;
mod selection;
#[cfg(test)]
mod tests;

use sim_core::math::mix;
use sim_core::random::{Draws, Source};
use sim_core::{SimDuration, SimTime};

use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::*;
use crate::world::{self, Cx, Message};
use caches::{Cached, ClientCaches, ResolverCaches};
use health::Checks;
pub use health::HEALTHY_SHARE_PERCENT;

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
}

/// A name and what it resolves to.
#[derive(Clone, Debug)]
pub struct Record {
    /// Such as `www.example.com`.
    pub name: String,
    /// How long an answer may be kept. For an alias to a load balancer AWS fixes 60 s.
    pub ttl: SimDuration,
    /// How an answer is chosen.
    pub policy: RoutingPolicy,
}

/// How Route 53 chooses among answers.
#[derive(Clone, Debug)]
pub enum RoutingPolicy {
    /// One answer.
    Simple(Endpoint),
    /// By share of weight (0..=255) among the healthy ones.
    Weighted(Vec<Answer>),
    /// The first if healthy, else the second if healthy, else the first.
    Failover {
        /// Preferred.
        primary: Answer,
        /// Otherwise.
        secondary: Answer,
    },
}

/// One of several answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the name resolves to. Never a [`Endpoint::Record`].
    pub endpoint: Endpoint,
    /// Weight; only for weighted records.
    pub weight: u8,
    /// Index of its health check; none = always healthy.
    pub health_check: Option<usize>,
}

/// A health check: a population of checkers, each probing on its own.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// Its name.
    pub name: String,
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
    /// Whether clients keep answers themselves for their TTL.
    pub client_cache: bool,
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
}

/// In [`Request::state`] during a lookup: there is no answer. Otherwise the answer's number; [`Request::joined`] is then when
/// the resolver's copy expires.
const NO_ANSWER: u32 = u32::MAX;

/// A name at work.
#[derive(Debug)]
struct RecordState {
    ttl: SimDuration,
    policy: RoutingPolicy,
    /// What the answers resolve to, by number.
    endpoints: Vec<Endpoint>,
    /// Key of the stream that decides among weights.
    key: u64,
}

impl RecordState {
    fn new(settings: &Record, cx: &Cx<'_>) -> Self {
        let endpoints = match &settings.policy {
            RoutingPolicy::Simple(endpoint) => vec![*endpoint],
            RoutingPolicy::Weighted(answers) => answers.iter().map(|answer| answer.endpoint).collect(),
            RoutingPolicy::Failover { primary, secondary } => vec![primary.endpoint, secondary.endpoint],
        };
        let key = cx.shared.streams.key(&format!("route53.{}", settings.name), "choice");
        Self { ttl: settings.ttl, policy: settings.policy.clone(), endpoints, key }
    }

    /// The answer to question number `query` of a resolver. Keyed by those two, so that variants of a scenario that ask the
    /// same get the same, whatever other resolvers do.
    fn choose(&self, resolver: u32, query: u32, healthy: impl Fn(usize) -> bool) -> Option<u16> {
        let u = Draws::new(mix(self.key, u64::from(resolver)), u64::from(query)).uniform();
        self.policy.choose(healthy, u)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    client_hits: u64,
    resolver_hits: u64,
    authoritative: u64,
}

/// Route 53 and the caches in front of it.
#[derive(Debug)]
pub struct Route53 {
    records: Vec<RecordState>,
    clients: Option<ClientCaches>,
    resolvers: ResolverCaches,
    /// One way between client and resolver, and between resolver and name servers.
    to_resolver: Hop,
    to_servers: Hop,
    checks: Checks,
    tally: Tally,
}

impl Route53 {
    /// Builds it. `clients[t]` is the population of traffic source `t`.
    ///
    /// Client caches start empty: a client's first operation finds its resolver's cache, which starts as in steady state.
    #[must_use]
    pub fn new(settings: &Settings, clients: &[u32], cx: &mut Cx<'_>) -> Self {
        let records: Vec<RecordState> = settings.records.iter().map(|record| RecordState::new(record, cx)).collect();
        let half = |rtt: SimDuration| SimDuration::from_nanos(rtt.as_nanos() / 2);
        let resolvers = ResolverCaches::new(
            settings.resolvers.count,
            records.len(),
            cx.shared.streams.key("route53.resolvers", "residual TTL"),
            |record| records[record].ttl,
            |record, resolver| records[record].choose(resolver, 0, |_| true),
        );
        Self {
            clients: settings.resolvers.client_cache.then(|| ClientCaches::new(records.len(), clients)),
            resolvers,
            to_resolver: cx.hop(half(settings.resolvers.client_rtt)),
            to_servers: cx.hop(half(settings.resolvers.authoritative_rtt)),
            checks: Checks::new(&settings.health_checks, settings.propagation, cx),
            tally: Tally::default(),
            records,
        }
    }

    /// Schedules the first probes.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        self.checks.start(cx);
    }

    /// A client asks what `record` resolves to. It is told by [`Message::Resolved`]: in the same instant if its own cache
    /// holds the answer, otherwise when the resolver has it. A request whose client gives up meanwhile is still answered.
    #[inline]
    pub fn on_offer(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        if let Some(caches) = &self.clients {
            let request = cx.request(key);
            if let Some(answer) = caches.get(request.traffic, record, request.client, now) {
                self.tally.client_hits += 1;
                let endpoint = self.records[record.index()].endpoints[usize::from(answer)];
                cx.shared.outbox.push_back(Message::Resolved(key, Some(endpoint)));
                return;
            }
        }
        self.after(self.to_resolver, Event::AtResolver(record, key), cx);
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::AtResolver(record, key) => self.at_resolver(record, key, cx),
            Event::Authoritative(record, key) => self.authoritative(record, key, cx),
            Event::AuthoritativeAnswer(record, key) => self.authoritative_answer(record, key, cx),
            Event::Answer(record, key) => self.answer(record, key, cx),
            Event::Probe(check, checker) => self.checks.probe(check, checker, cx),
            Event::ProbeTimeout(key) => self.checks.timed_out(key, cx),
            Event::StatusServed(check, healthy) => self.checks.status_served(check, healthy, cx),
        }
    }

    /// A probe is answered; its frame has been taken off. Route 53 removes the request.
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
        self.resolvers.of_client(request.traffic, request.client)
    }

    fn at_resolver(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let resolver = self.resolver_of(key, cx);
        match self.resolvers.get(record, resolver, cx.now()) {
            Some(cached) => {
                self.tally.resolver_hits += 1;
                self.tell(record, key, Some(cached), cx);
            }
            None => self.after(self.to_servers, Event::Authoritative(record, key), cx),
        }
    }

    fn authoritative(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        self.tally.authoritative += 1;
        let resolver = self.resolver_of(key, cx);
        let query = self.resolvers.next_query(record, resolver);
        let healthy = |check: usize| self.checks.serves_as_healthy(check);
        let answer = self.records[record.index()].choose(resolver, query, healthy);
        cx.request(key).state = answer.map_or(NO_ANSWER, u32::from);
        self.after(self.to_servers, Event::AuthoritativeAnswer(record, key), cx);
    }

    fn authoritative_answer(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let resolver = self.resolver_of(key, cx);
        let expires = cx.now() + self.records[record.index()].ttl;
        let state = cx.request(key).state;
        let cached = (state != NO_ANSWER).then_some(Cached { expires, answer: state as u16 });
        if let Some(cached) = cached {
            self.resolvers.put(record, resolver, cached);
        }
        self.tell(record, key, cached, cx);
    }

    /// A resolver tells a client.
    fn tell(&mut self, record: RecordId, key: RequestKey, cached: Option<Cached>, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        request.state = cached.map_or(NO_ANSWER, |cached| u32::from(cached.answer));
        request.joined = cached.map_or(request.joined, |cached| cached.expires);
        self.after(self.to_resolver, Event::Answer(record, key), cx);
    }

    fn answer(&mut self, record: RecordId, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let (traffic, client, state, expires) = (request.traffic, request.client, request.state, request.joined);
        let answer = (state != NO_ANSWER).then_some(state as u16);
        if let (Some(answer), Some(caches)) = (answer, &mut self.clients) {
            caches.put(traffic, record, client, Cached { expires, answer });
        }
        let endpoint = answer.map(|answer| self.records[record.index()].endpoints[usize::from(answer)]);
        cx.shared.outbox.push_back(Message::Resolved(key, endpoint));
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
        if !self.records.is_empty() {
            findings.count("route53", "answers from client caches", self.tally.client_hits as f64);
            findings.count("route53", "answers from resolver caches", self.tally.resolver_hits as f64);
            findings.count("route53", "queries to name servers", self.tally.authoritative as f64);
        }
        self.checks.finish(findings);
    }
}
