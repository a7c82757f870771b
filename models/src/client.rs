//! Clients: where operations come from, what they ask for, how long they wait, and what they do when it goes badly.
//!
//! ```text
//! operation -> attempt --circuit, own rate limit--> connection, or name and handshakes --> sent --> answer, or time is up
//!                 ^                                                                                    |
//!                 +------------------------------ back-off, if the quota allows -----------------------+
//! ```
//! A source is a population: what each of its clients remembers (tokens, circuit, rate, connections) is there only if the source
//! has the feature, and has a size that does not grow with the number of requests.

mod arrivals;
mod attempts;
mod breaker;
pub(crate) mod connections;
mod limiter;
mod retry;

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::distribution::Distribution;
use sim_core::distribution::alias::Weighted;
use sim_core::distribution::zipf::Zipf;
use sim_core::math::mix;
use sim_core::random::{Draws, Source, Stream};
use sim_core::{SimDuration, SimTime};

use crate::address::Block;
use crate::architecture::{Architecture, Catalog, Listed};
use crate::deadlines::Deadlines;
use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::*;
use crate::route53::{DnsCache, Population};
use crate::world::{self, Control, Cx};
pub use arrivals::{Arrivals, Batch, Phase, Process, RateProfile, Recorded};
use arrivals::{Modulation, RateClock};
use breaker::Circuit;
pub use breaker::CircuitBreaker;
pub use connections::Connections;
use connections::{Claim, NO_CONNECTION, Pool};
use limiter::Limiter;
pub use retry::{Jitter, Quota, Retry};

/// A source of traffic.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Where its viewers are.
    pub place: PlaceId,
    /// What they ask: a name, or a service straight.
    pub to: Endpoint,
    /// Round trip to that service (a distribution's edge has its own).
    pub rtt: SimDuration,
    /// Round trips to particular services, where they differ from `rtt`.
    pub rtt_to: Vec<(Endpoint, SimDuration)>,
    /// When operations come.
    pub arrivals: Arrivals,
    /// What they ask for. For a replay: how its paths are grouped in reports (first match).
    pub routes: Vec<Route>,
    /// How many clients (users) there are: each has its own cookies and DNS cache.
    pub clients: u32,
    /// Their addresses, if they have any that rules could match.
    pub addresses: Option<Block>,
    /// Share of operations whose viewer comes without TLS, 0..=1. Distributions alone care.
    pub http_share: f64,
    /// How they keep answers of DNS.
    pub dns_cache: DnsCache,
    /// How long an attempt may take.
    pub timeout: Option<SimDuration>,
    /// What is done about failed attempts.
    pub retry: Retry,
    /// How clients connect; none = connections are always open, and cost nothing.
    pub connections: Option<Connections>,
    /// An attempt that is not answered after so long is sent a second time; the first good answer counts.
    pub hedge_after: Option<SimDuration>,
    /// When a client stops asking.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// The canary whose probes its operations are; they are no users' then.
    pub canary: Option<CanaryId>,
}

impl Settings {
    /// What Route 53 and the resolvers know of it.
    #[must_use]
    pub fn population(&self) -> Population {
        let asks = match self.to {
            Endpoint::Record(record) => Some(record),
            _ => None,
        };
        let routes = self.routes.iter().map(|route| route.id).collect();
        Population { clients: self.clients, cache: self.dns_cache, place: self.place, asks, routes }
    }
}

/// What clients ask for.
#[derive(Clone, Debug)]
pub struct Route {
    /// For reports.
    pub id: RouteId,
    /// The path (or pattern, which stands for the paths of its catalogue).
    pub path: PathId,
    /// Share among the source's routes.
    pub weight: f64,
    /// Method.
    pub method: Method,
    /// The objects asked for.
    pub catalog: Option<CatalogId>,
    /// Size of the body that is sent, bytes. Distributions alone count it.
    pub upload_bytes: u32,
    /// How many distinct query strings viewers send.
    pub query_strings: u32,
    /// How many distinct cookie values; a client always sends the same.
    pub cookies: u32,
    /// How many distinct values of the headers.
    pub headers: u32,
}

/// What happens at clients.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The next operation of an open or replayed source is due.
    Arrival,
    /// A user of a closed source has done thinking.
    Thought(u32),
    /// A retry's back-off is over.
    Retry(RequestKey),
    /// The client's own rate limit lets an attempt go.
    Admitted(RequestKey),
    /// The handshakes of an attempt's connection are over.
    Connected(RequestKey),
    /// An attempt may be sent a second time.
    Hedge(RequestKey),
    /// An attempt may have had its time.
    Timeout,
}

/// How the objects of a route's catalogue are drawn.
#[derive(Debug)]
struct Objects {
    number: u16,
    law: ObjectLaw,
}

/// Popularity and sizes of a catalogue's objects.
#[derive(Debug)]
enum ObjectLaw {
    /// By laws; sizes belong to objects, not to requests.
    Zipf { popularity: Zipf, size: Distribution, size_key: u64 },
    /// One by one.
    Listed(Arc<Listed>),
}

impl Objects {
    fn new(number: CatalogId, catalog: &Catalog, cx: &Cx<'_>) -> Self {
        let law = match &catalog.listed {
            Some(listed) => ObjectLaw::Listed(Arc::clone(listed)),
            None => ObjectLaw::Zipf {
                popularity: Zipf::new(catalog.objects, catalog.zipf).expect("validated"),
                size: catalog.size.clone(),
                size_key: cx.shared.streams.key(&format!("catalog.{}", catalog.name), "size"),
            },
        };
        Self { number: number.0, law }
    }

    /// An object and its size, bytes.
    #[inline(never)]
    fn draw(&self, draws: &mut Draws) -> (u32, u32) {
        match &self.law {
            ObjectLaw::Zipf { popularity, size, size_key } => {
                let object = popularity.sample(draws);
                (object as u32, size.sample(&mut Draws::new(*size_key, object)) as u32)
            }
            ObjectLaw::Listed(listed) => {
                let object = listed.popularity.sample(draws);
                (object as u32, listed.sizes[object])
            }
        }
    }
}

/// The other of two attempts for the same thing.
#[derive(Clone, Copy, Debug)]
struct Twin {
    other: RequestKey,
    /// Whether this one was sent second.
    second: bool,
}

/// Totals since the warm-up.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    retries: u64,
    retries_refused: u64,
    circuits_opened: u64,
    attempts_refused: u64,
    attempts_held_back: u64,
    hedges: u64,
    hedges_won: u64,
}

/// One source of traffic at work.
#[derive(Debug)]
pub struct Client {
    id: TrafficId,
    settings: Settings,
    /// Key of the streams of its requests.
    stream: u64,
    gaps: Stream,
    clock: Option<RateClock>,
    modulation: Option<Modulation>,
    batch: Batch,
    operations: u64,
    routes: Option<Weighted>,
    /// By route.
    objects: Vec<Option<Objects>>,
    /// Hop to a service of a Region.
    hop: Hop,
    /// Hops to services of other Regions, where they differ from `hop`.
    far_hops: Vec<(Endpoint, Hop)>,
    /// Hops to the edges of distributions.
    edge_hops: Vec<Hop>,
    /// And the round trips.
    edge_rtts: Vec<SimDuration>,
    timeout: Option<Deadlines>,
    hedge: Hop,
    /// Tokens of each client's retry quota, if there is one.
    tokens: Vec<u16>,
    /// Each client's own rate limit, if it has one.
    limiters: Vec<Limiter>,
    /// Each client's circuit, if it has one.
    circuits: Vec<Circuit>,
    pool: Option<Pool>,
    /// Attempts that were sent a second time, both ways.
    twins: BTreeMap<RequestKey, Twin>,
    tally: Tally,
    /// Operations of each user of a closed source.
    of_user: Vec<u64>,
    /// Next record of a replay.
    next_record: usize,
}

impl Client {
    /// Builds it.
    #[must_use]
    pub fn new(id: TrafficId, settings: &Settings, architecture: &Architecture, cx: &mut Cx<'_>) -> Self {
        let component = format!("traffic.{}", settings.name);
        let objects = settings
            .routes
            .iter()
            .map(|route| {
                let number = route.catalog?;
                Some(Objects::new(number, &architecture.catalogs[number.index()], cx))
            })
            .collect();
        let weights: Vec<f64> = settings.routes.iter().map(|route| route.weight).collect();
        let half = |rtt: SimDuration| SimDuration::from_nanos(rtt.as_nanos() / 2);
        let edge_rtts: Vec<SimDuration> = architecture
            .cloudfront
            .iter()
            .map(|distribution| distribution.viewer_rtt(settings.place).unwrap_or(SimDuration::ZERO))
            .collect();
        let (mut clock, mut modulation, mut batch, mut users) = (None, None, Batch::Single, 0);
        let population = settings.clients.max(1) as usize;
        match &settings.arrivals {
            Arrivals::Open { rate, process, batch: at_once } => {
                clock = Some(RateClock::new(rate));
                batch = *at_once;
                if let Process::Modulated(phases) = process {
                    modulation = Some(Modulation::new(phases, cx.shared.streams.stream(&component, "phases")));
                }
            }
            Arrivals::Closed { users: all, .. } => users = *all,
            Arrivals::Replay(_) => {}
        }
        Self {
            id,
            stream: cx.shared.streams.key(&component, "operations"),
            gaps: cx.shared.streams.stream(&component, "gaps"),
            clock,
            modulation,
            batch,
            operations: 0,
            routes: (weights.len() > 1).then(|| Weighted::new(&weights).expect("validated")),
            objects,
            hop: cx.hop(half(settings.rtt)),
            far_hops: settings.rtt_to.iter().map(|&(to, rtt)| (to, cx.hop(half(rtt)))).collect(),
            edge_hops: edge_rtts.iter().map(|&rtt| cx.hop(half(rtt))).collect(),
            edge_rtts,
            timeout: settings.timeout.map(Deadlines::new),
            hedge: settings.hedge_after.map_or(Hop::NONE, |after| cx.hop(after)),
            tokens: settings.retry.quota.map_or_else(Vec::new, |quota| vec![quota.tokens; population]),
            limiters: if settings.retry.adaptive { vec![Limiter::default(); population] } else { Vec::new() },
            circuits: if settings.circuit_breaker.is_some() {
                vec![Circuit::default(); population]
            } else {
                Vec::new()
            },
            pool: settings.connections.map(|connections| Pool::new(connections, settings.clients)),
            twins: BTreeMap::new(),
            tally: Tally::default(),
            of_user: vec![0; users as usize],
            next_record: 0,
            settings: settings.clone(),
        }
    }

    /// Schedules the first arrivals.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        match &self.settings.arrivals {
            Arrivals::Open { .. } | Arrivals::Replay(_) => self.schedule_arrival(cx),
            Arrivals::Closed { users, think_time } => {
                // Everyone thinks first, so that a population does not start in step.
                for user in 0..*users {
                    let think = think_time.sample_duration(&mut Draws::new(mix(self.stream, u64::from(user)), 0));
                    cx.kernel.schedule_in(think, self.event(Event::Thought(user)));
                }
            }
        }
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Arrival => {
                self.arrive(cx);
                self.schedule_arrival(cx);
            }
            Event::Thought(user) => {
                let stream = self.stream_of_next(user);
                self.operate(stream, Some(user), cx);
            }
            Event::Retry(key) => self.retry(key, cx),
            Event::Admitted(key) => self.admitted(key, cx),
            Event::Connected(key) => self.connected(key, cx),
            Event::Hedge(key) => self.hedge(key, cx),
            Event::Timeout => self.time_out(cx),
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Client(self.id, event)
    }

    #[inline(always)]
    fn schedule_arrival(&mut self, cx: &mut Cx<'_>) {
        let next = match &self.settings.arrivals {
            Arrivals::Open { process, .. } => {
                let gap = match process {
                    Process::Poisson | Process::Modulated(_) => self.gaps.exponential(),
                    Process::Deterministic => 1.0,
                };
                let (now, expected) = (cx.kernel.now(), gap * self.batch.mean());
                match (&mut self.modulation, &mut self.clock) {
                    (Some(modulation), Some(clock)) => modulation.advance(clock, now, expected),
                    (None, Some(clock)) => clock.advance(now, expected),
                    (_, None) => None,
                }
            }
            Arrivals::Replay(records) => records.get(self.next_record).map(|record| record.at),
            Arrivals::Closed { .. } => None,
        };
        if let Some(at) = next {
            cx.kernel.schedule_at(at, self.event(Event::Arrival));
        }
    }

    fn arrive(&mut self, cx: &mut Cx<'_>) {
        if let Arrivals::Replay(_) = &self.settings.arrivals {
            return self.replay(cx);
        }
        for _ in 0..self.batch.sample(&mut self.gaps) {
            self.operate(mix(self.stream, self.operations), None, cx);
        }
    }

    /// The next operation of a log.
    #[inline(never)]
    fn replay(&mut self, cx: &mut Cx<'_>) {
        let Arrivals::Replay(records) = &self.settings.arrivals else { return };
        let record = records[self.next_record];
        self.next_record += 1;
        let (key, request) = self.operation(mix(self.stream, self.operations), cx);
        let route = &self.settings.routes[record.route as usize];
        request.route = route.id;
        request.path = record.path;
        request.method = record.method;
        request.bytes = record.bytes;
        request.client = record.client;
        self.begin(key, cx);
    }

    /// The stream of the next operation of a user of a closed source.
    #[inline(never)]
    fn stream_of_next(&mut self, user: u32) -> u64 {
        let number = &mut self.of_user[user as usize];
        *number += 1;
        mix(mix(self.stream, u64::from(user)), *number)
    }

    /// A new operation, of a user of a closed source or of anyone.
    fn operate(&mut self, stream: u64, user: Option<u32>, cx: &mut Cx<'_>) {
        let (key, request) = self.operation(stream, cx);
        // One stream in a fixed order; the object comes last because its sampler may reject.
        let mut draws = request.draws(purpose::ASKED);
        request.client = match user {
            None => draws.below(u64::from(self.settings.clients)) as u32,
            Some(user) => user,
        };
        let index = self.routes.as_ref().map_or(0, |routes| routes.sample(&mut draws));
        let route = &self.settings.routes[index];
        request.route = route.id;
        request.path = route.path;
        request.method = route.method;
        if route.query_strings > 1 || route.headers > 1 || route.cookies > 1 {
            vary(request, route, &mut draws);
        }
        if let Some(objects) = &self.objects[index] {
            request.catalog = objects.number;
            (request.object, request.bytes) = objects.draw(&mut draws);
        }
        self.begin(key, cx);
    }

    #[inline(always)]
    fn operation<'a>(&mut self, stream: u64, cx: &'a mut Cx<'_>) -> (RequestKey, &'a mut Request) {
        self.operations += 1;
        let now = cx.now();
        let (key, request) = cx.shared.new_request(stream, now, Holder::Client(self.id), Hop::NONE);
        request.traffic = self.id;
        request.place = self.settings.place;
        (key, request)
    }

    #[inline(always)]
    fn begin(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        match self.settings.canary {
            Some(canary) => cx.control(Control::ProbeSent(canary)),
            None => cx.shared.observer.operation_starts(&cx.shared.requests[key]),
        }
        self.attempt(key, cx);
    }

    /// A user of a closed source thinks until the next operation.
    #[inline(never)]
    fn think(&self, think_time: &Distribution, key: RequestKey, cx: &mut Cx<'_>) {
        let request = &cx.shared.requests[key];
        let think = think_time.sample_duration(&mut request.draws(purpose::THINK));
        cx.kernel.schedule_in(think, self.event(Event::Thought(request.client)));
    }

    /// Whether a request is the second for its operation, which the first one stands for.
    #[must_use]
    pub fn is_second(&self, key: RequestKey) -> bool {
        self.twins.get(&key).is_some_and(|twin| twin.second)
    }
}

/// Draws what else makes answers to the same path differ: query string, headers, cookies.
#[inline(never)]
fn vary(request: &mut Request, route: &Route, draws: &mut Draws) {
    if route.query_strings > 1 {
        request.query_variant = draws.below(u64::from(route.query_strings)) as u32;
    }
    if route.headers > 1 {
        request.header_variant = draws.below(u64::from(route.headers)) as u16;
    }
    if route.cookies > 1 {
        request.cookie_variant = request.client % route.cookies;
    }
}

impl Observed for Client {
    fn warm_up_over(&mut self, _now: SimTime) {
        self.tally = Tally::default();
        if let Some(pool) = &mut self.pool {
            pool.tally = connections::Tally::default();
        }
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        let subject = format!("traffic.{}", self.settings.name);
        let mut count = |there: bool, name: &str, total: u64| {
            if there {
                findings.count(&subject, name, total as f64);
            }
        };
        let tally = &self.tally;
        count(self.settings.retry.quota.is_some(), "retries", tally.retries);
        count(self.settings.retry.quota.is_some(), "retries refused by the quota", tally.retries_refused);
        count(self.settings.retry.adaptive, "attempts held back by the client's rate limit", tally.attempts_held_back);
        count(self.settings.circuit_breaker.is_some(), "circuits opened", tally.circuits_opened);
        count(self.settings.circuit_breaker.is_some(), "attempts refused by open circuits", tally.attempts_refused);
        count(self.settings.hedge_after.is_some(), "attempts sent a second time", tally.hedges);
        count(self.settings.hedge_after.is_some(), "second attempts that were first to answer", tally.hedges_won);
        if let Some(pool) = &self.pool {
            count(true, "connections opened", pool.tally.opened);
            count(true, "requests on kept connections", pool.tally.reused);
            count(true, "requests that waited for a connection", pool.tally.waited);
        }
    }
}
