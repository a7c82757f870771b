//! Route 53, its health checkers, and the caching resolvers and client caches between it and the viewers.

use sim_core::SimDuration;

use crate::ids::*;
use crate::observer::Observed;
use crate::request::*;
use crate::world::Cx;

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
    /// A resolver asks the name servers for a request's name.
    Authoritative(RequestKey),
    /// The answer reaches the client.
    Answer(RequestKey),
    /// A checker of a health check probes (check, checker).
    Probe(u16, u16),
    /// A probe has had its time.
    ProbeTimeout(RequestKey),
    /// A health check's new status (healthy?) reaches the name servers.
    StatusServed(u16, bool),
}

/// Route 53 and the caches in front of it.
#[derive(Debug)]
pub struct Route53 {}

impl Route53 {
    /// Builds it. `clients[t]` is the population of traffic source `t`.
    #[must_use]
    pub fn new(_settings: &Settings, _clients: &[u32], _cx: &mut Cx<'_>) -> Self {
        Self {}
    }
    /// Schedules the first probes.
    pub fn start(&mut self, _cx: &mut Cx<'_>) {}
    /// A client asks what `record` resolves to. It is told by [`Message::Resolved`](crate::world::Message::Resolved): in the
    /// same instant if its own cache holds the answer, otherwise when the resolver has it. A request whose client gives up
    /// meanwhile is still answered.
    pub fn on_offer(&mut self, _record: RecordId, _key: RequestKey, _cx: &mut Cx<'_>) {}
    /// Handles one of its events.
    pub fn on(&mut self, _event: Event, _cx: &mut Cx<'_>) {}
    /// A probe is answered; its frame has been taken off. Route 53 removes the request.
    pub fn on_probe_reply(&mut self, _key: RequestKey, _check: u16, _checker: u16, _cx: &mut Cx<'_>) {}
}

impl Observed for Route53 {}
