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

    #[inline(never)]
    fn retry(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.attempt(key, cx);
    }

    #[inline(never)]
    fn admitted(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.start_attempt(key, cx);
    }

    /// An attempt is due: made, unless the client itself holds it back.
    #[inline(always)]
    fn attempt(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        if !self.circuits.is_empty() || !self.limiters.is_empty() {
            return self.admit(key, cx);
        }
        self.start_attempt(key, cx);
    }

    #[inline(never)]
    fn admit(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let client = cx.request(key).client as usize;
        if let Some(circuit) = of_client(&mut self.circuits, client)
            && !circuit.lets_through(now)
        {
            self.tally.attempts_refused += 1;
            return self.end_attempt(key, Outcome::failed(0, Cause::CircuitOpen), cx);
        }
        let wait = of_client(&mut self.limiters, client).map_or(SimDuration::ZERO, |limiter| limiter.wait(now));
        if wait.is_zero() {
            return self.start_attempt(key, cx);
        }
        self.tally.attempts_held_back += 1;
        cx.kernel.schedule_in(wait, self.event(Event::Admitted(key)));
    }

    #[inline(always)]
    fn start_attempt(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if request.abandoned {
            // Its twin was answered meanwhile.
            cx.shared.requests.remove(key);
            return;
        }
        request.attempted = now;
        let (route, started) = (request.route, request.started);
        if self.settings.canary.is_none() {
            cx.shared.observer.attempt(route, started);
        }
        if self.timeout.is_some() {
            self.watch(key, cx);
        }
        if let (Some(lane), false) = (self.hedge.lane(), self.twins.contains_key(&key)) {
            cx.kernel.schedule_lane(lane, self.event(Event::Hedge(key)));
        }
        self.ask(key, cx);
    }

    /// The attempt has its timeout from now on.
    #[inline(never)]
    fn watch(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let wake = self.event(Event::Timeout);
        if let Some(timeout) = &mut self.timeout {
            timeout.watch(key, wake, waits, cx);
        }
    }

    /// Asks for what the request names: at first, and again where an answer has sent the client to another path, which then goes over
    /// the same connection.
    #[inline(always)]
    fn ask(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let connection = cx.request(key).connection;
        match &self.pool {
            None => self.resolve(key, cx),
            Some(pool) if connection != NO_CONNECTION => {
                let to = pool.address(connection).expect("it is open");
                self.send(key, to, cx);
            }
            Some(_) => self.connect(key, cx),
        }
    }

    /// An attempt takes a connection, opens one, or waits for one.
    #[inline(never)]
    fn connect(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if request.abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        let pool = self.pool.as_mut().expect("only sources with connections connect");
        match pool.claim(request.client, key, now) {
            Claim::Ready(connection, to, ready) => {
                request.connection = connection;
                self.send_from(ready, key, to, cx);
            }
            Claim::New(connection) => {
                request.connection = connection;
                self.resolve(key, cx);
            }
            Claim::Waits => {}
        }
    }

    #[inline(always)]
    fn resolve(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        match self.settings.to {
            record @ Endpoint::Record(_) => cx.offer(record, key, Hop::NONE),
            endpoint => self.found(key, endpoint, cx),
        }
    }

    /// It is known whom to ask: over a new connection if there are any.
    #[inline(always)]
    fn found(&mut self, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        let request = &cx.shared.requests[key];
        let (connection, client) = (request.connection, request.client);
        if connection == NO_CONNECTION {
            return self.send(key, to, cx);
        }
        self.open(connection, client, key, to, cx);
    }

    /// A new connection is opened to whom the request goes.
    #[inline(never)]
    fn open(&mut self, connection: u32, client: u32, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        let now = cx.now();
        let rtt = self.rtt_to(to);
        let pool = self.pool.as_mut().expect("a connection is of a pool");
        let ready = pool.opened(connection, to, rtt, now);
        self.send_from(ready, key, to, cx);
        self.serve_waiting(client, cx);
    }

    /// Attempts of a client that wait for a connection go on, as far as there are any.
    fn serve_waiting(&mut self, client: u32, cx: &mut Cx<'_>) {
        while let Some(next) = self.pool.as_mut().and_then(|pool| pool.next_waiting(client, cx.now())) {
            self.connect(next, cx);
        }
    }

    fn send_from(&mut self, ready: SimTime, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        if ready <= cx.now() {
            self.send(key, to, cx);
        } else {
            cx.kernel.schedule_at(ready, self.event(Event::Connected(key)));
        }
    }

    #[inline(never)]
    fn connected(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = &cx.shared.requests[key];
        if request.abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        let to = self.pool.as_ref().and_then(|pool| pool.address(request.connection)).expect("it is open");
        self.send(key, to, cx);
    }

    /// A request is over: its connection is free for another, or closed.
    #[inline(always)]
    fn leave_connection(&mut self, key: RequestKey, keep: bool, cx: &mut Cx<'_>) {
        if self.pool.is_some() {
            self.release_connection(key, keep, cx);
        }
    }

    #[inline(never)]
    fn release_connection(&mut self, key: RequestKey, keep: bool, cx: &mut Cx<'_>) {
        let Some(pool) = &mut self.pool else { return };
        let now = cx.kernel.now();
        let request = &mut cx.shared.requests[key];
        let connection = std::mem::replace(&mut request.connection, NO_CONNECTION);
        if connection != NO_CONNECTION {
            let client = request.client;
            pool.released(connection, keep, now);
            self.serve_waiting(client, cx);
        }
    }

    #[inline(always)]
    fn send(&mut self, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        let hop = self.hop_to(to);
        cx.request(key).set_bottom_hop(hop);
        cx.offer(to, key, hop);
    }

    fn rtt_to(&self, to: Endpoint) -> SimDuration {
        match to {
            Endpoint::CloudFront(distribution) => self.edge_rtts[distribution.index()],
            _ => self.settings.rtt_to.iter().find(|(far, _)| *far == to).map_or(self.settings.rtt, |(_, rtt)| *rtt),
        }
    }

    #[inline(always)]
    fn hop_to(&self, to: Endpoint) -> Hop {
        match to {
            Endpoint::CloudFront(distribution) => self.edge_hops[distribution.index()],
            _ if self.far_hops.is_empty() => self.hop,
            _ => self.hop_to_far(to),
        }
    }

    #[inline(never)]
    fn hop_to_far(&self, to: Endpoint) -> Hop {
        self.far_hops.iter().find(|(far, _)| *far == to).map_or(self.hop, |(_, hop)| *hop)
    }

    /// Route 53's answer: what the name resolves to, if anything.
    #[inline(never)]
    pub fn resolved(&mut self, key: RequestKey, answer: Option<Endpoint>, cx: &mut Cx<'_>) {
        if cx.request(key).abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        match answer {
            Some(endpoint) => self.found(key, endpoint, cx),
            None => self.end_attempt(key, Outcome::failed(0, Cause::Dns), cx),
        }
    }

    /// An answer comes back.
    pub fn on_reply(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        if request.abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        let outcome = request.outcome;
        if outcome.is_redirect() {
            return self.follow(key, cx);
        }
        self.end_attempt(key, outcome, cx);
    }

    /// The client is sent to another path.
    #[inline(never)]
    fn follow(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        cx.request(key).push(Holder::Client(self.id), Hop::NONE);
        self.ask(key, cx);
    }

    #[inline(never)]
    fn time_out(&mut self, cx: &mut Cx<'_>) {
        let wake = self.event(Event::Timeout);
        while let Some(key) = self.timeout.as_mut().and_then(|timeout| timeout.next_due(wake, waits, cx)) {
            self.abandon(key, cx);
            self.after_attempt(key, Outcome::failed(0, Cause::ClientTimeout), cx);
        }
    }

    /// The client no longer waits. Whoever has the request goes on with it, and it is removed when it comes back.
    fn abandon(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        cx.request(key).abandoned = true;
        // HTTP/1.1 can only close the connection; a stream is reset alone.
        let keep = self.settings.connections.is_some_and(|connections| connections.streams > 1);
        self.leave_connection(key, keep, cx);
    }

    #[inline(always)]
    fn end_attempt(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        self.leave_connection(key, outcome.status != 0, cx);
        self.after_attempt(key, outcome, cx);
        cx.shared.requests.remove(key);
    }

    #[inline(always)]
    fn after_attempt(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        if !self.tokens.is_empty() || !self.circuits.is_empty() || !self.limiters.is_empty() {
            self.learn(key, outcome, cx);
        }
        if !self.twins.is_empty() && !self.decides(key, outcome, cx) {
            return;
        }
        if !outcome.is_ok() && self.retried(key, outcome, cx) {
            return;
        }
        if let Arrivals::Closed { think_time, .. } = &self.settings.arrivals {
            self.think(think_time, key, cx);
        }
        let request = &cx.shared.requests[key];
        let (route, started) = (request.route, request.started);
        match self.settings.canary {
            Some(canary) => cx.control(Control::ProbeEnded(canary, started, outcome)),
            None => cx.shared.observer.operation_ends(route, started, cx.kernel.now(), outcome),
        }
    }

    /// An attempt has failed: whether another will follow.
    #[cold]
    #[inline(never)]
    fn retried(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) -> bool {
        let retry = &self.settings.retry;
        let request = &cx.shared.requests[key];
        if retry.again(request.attempt, outcome)
            && let Some(price) = self.pay(request.client, outcome)
        {
            let retry = &self.settings.retry;
            let delay = retry.delay(request.attempt, outcome, request.draws(purpose::BACKOFF).uniform());
            let mut next = self.operation_again(request, u64::from(request.attempt));
            next.attempt += 1;
            next.retry_cost = price;
            let key = cx.shared.requests.insert(next);
            cx.kernel.schedule_in(delay, self.event(Event::Retry(key)));
            return true;
        }
        false
    }

    /// A user of a closed source thinks until the next operation.
    #[inline(never)]
    fn think(&self, think_time: &Distribution, key: RequestKey, cx: &mut Cx<'_>) {
        let request = &cx.shared.requests[key];
        let think = think_time.sample_duration(&mut request.draws(purpose::THINK));
        cx.kernel.schedule_in(think, self.event(Event::Thought(request.client)));
    }

    /// What a client learns from the end of an attempt: tokens, its circuit, its rate.
    #[inline(never)]
    fn learn(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        if outcome.cause == Cause::CircuitOpen {
            return;
        }
        let now = cx.kernel.now();
        let request = &cx.shared.requests[key];
        let client = request.client as usize;
        if let (Some(quota), true) = (self.settings.retry.quota, outcome.is_ok())
            && let Some(tokens) = of_client(&mut self.tokens, client)
        {
            quota.release(tokens, request.retry_cost);
        }
        if let (Some(settings), Some(circuit)) = (&self.settings.circuit_breaker, of_client(&mut self.circuits, client))
        {
            self.tally.circuits_opened += u64::from(circuit.ended(outcome.is_ok(), settings, now));
        }
        if let Some(limiter) = of_client(&mut self.limiters, client) {
            limiter.answered(retry::is_throttled(outcome), now);
        }
    }

    /// Takes the price of a retry from a client's quota; `None` if it cannot pay.
    fn pay(&mut self, client: u32, outcome: Outcome) -> Option<u8> {
        let price = match (self.settings.retry.quota, of_client(&mut self.tokens, client as usize)) {
            (Some(quota), Some(tokens)) => quota.acquire(tokens, outcome),
            _ => Some(0),
        };
        self.tally.retries += u64::from(price.is_some());
        self.tally.retries_refused += u64::from(price.is_none());
        price
    }

    /// Sends an attempt that is still unanswered a second time.
    #[inline(never)]
    fn hedge(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let Some(request) = cx.shared.requests.get(key).filter(|request| !request.abandoned) else { return };
        let second = self.operation_again(request, purpose::HEDGE);
        let second = cx.shared.requests.insert(second);
        self.tally.hedges += 1;
        self.twins.insert(key, Twin { other: second, second: false });
        self.twins.insert(second, Twin { other: key, second: true });
        self.attempt(second, cx);
    }

    /// Whether the end of an attempt decides its operation's: not if it failed while its twin is still out. Of two, a good
    /// answer makes the other one void.
    #[inline(never)]
    fn decides(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) -> bool {
        let Some(Twin { other, second }) = self.twins.remove(&key) else { return true };
        self.twins.remove(&other);
        if outcome.is_ok() {
            self.tally.hedges_won += u64::from(second);
            self.abandon(other, cx);
        }
        outcome.is_ok()
    }

    /// Whether a request is the second for its operation, which the first one stands for.
    #[must_use]
    pub fn is_second(&self, key: RequestKey) -> bool {
        self.twins.get(&key).is_some_and(|twin| twin.second)
    }

    /// The same operation once more: what is asked for stays, what it costs is drawn anew from a stream of its own.
    fn operation_again(&self, request: &Request, which: u64) -> Request {
        let stream = mix(request.stream, which);
        let mut again = Request::new(stream, request.started, Holder::Client(self.id), Hop::NONE);
        again.traffic = request.traffic;
        again.place = request.place;
        again.route = request.route;
        again.path = request.path;
        again.method = request.method;
        again.client = request.client;
        again.catalog = request.catalog;
        again.object = request.object;
        again.bytes = request.bytes;
        again.query_variant = request.query_variant;
        again.header_variant = request.header_variant;
        again.cookie_variant = request.cookie_variant;
        again.attempt = request.attempt;
        again
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

/// Whether the client still waits for an answer. An answered attempt is gone.
fn waits(request: &Request, _since: SimTime) -> bool {
    !request.abandoned
}

/// What a client remembers, if its source has such a thing. Clients beyond the population (a recorded log may have more than it
/// said) share with others.
fn of_client<T>(all: &mut [T], client: usize) -> Option<&mut T> {
    let population = all.len();
    all.get_mut(client.checked_rem(population)?)
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
