//! Clients: where operations come from, what they ask for, how long they wait and how they retry.

use std::sync::Arc;

use sim_core::distribution::Distribution;
use sim_core::distribution::alias::Weighted;
use sim_core::distribution::zipf::Zipf;
use sim_core::math::{ln, mix};
use sim_core::random::{Draws, Source, Stream};
use sim_core::{SimDuration, SimTime};

use crate::address::Block;
use crate::architecture::{Architecture, Catalog, Listed};
use crate::deadlines::Deadlines;
use crate::ids::*;
use crate::observer::Observed;
use crate::request::*;
use crate::world::{self, Cx};

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
    /// How long an attempt may take.
    pub timeout: Option<SimDuration>,
    /// What is done about failed attempts.
    pub retry: Retry,
}

/// When operations come.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Whatever the answers are like.
    Open {
        /// Random or evenly spaced.
        process: Process,
        /// How many a second, over time.
        rate: RateProfile,
        /// How many come at once.
        batch: Batch,
    },
    /// A fixed population: each user thinks, asks, waits for the answer, thinks again.
    Closed {
        /// How many users.
        users: u32,
        /// Time between an answer and the next question.
        think_time: Distribution,
    },
    /// As recorded, in order of time.
    Replay(Arc<[Recorded]>),
}

/// A recorded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When, since the start of the run.
    pub at: SimTime,
    /// What.
    pub path: PathId,
    /// Which of the source's routes it counts for.
    pub route: u16,
    /// How.
    pub method: Method,
    /// Size of the recorded answer, bytes.
    pub bytes: u32,
    /// Who.
    pub client: u32,
}

/// How operations are spaced.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Process {
    /// At random (exponential gaps).
    #[default]
    Poisson,
    /// Evenly.
    Deterministic,
    /// At random, with a rate that changes by itself in addition (a Markov-modulated Poisson process): phases that take turns.
    Modulated(Vec<Phase>),
}

/// A phase of modulated arrivals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// The rate is so many times the profile's. The mean of the factors over time is 1, so that the profile is the mean rate.
    pub factor: f64,
    /// How long it lasts on average; exponentially distributed.
    pub lasts: SimDuration,
}

/// How many operations come at once. The rate is that of operations, whatever the batches.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Batch {
    /// One by one.
    #[default]
    Single,
    /// So many.
    Fixed(u32),
    /// One or more, geometrically distributed with this mean.
    Geometric(f64),
}

impl Batch {
    /// Mean number.
    #[must_use]
    pub fn mean(self) -> f64 {
        match self {
            Self::Single => 1.0,
            Self::Fixed(size) => f64::from(size),
            Self::Geometric(mean) => mean,
        }
    }

    /// Draws a number; nothing is drawn where there is no choice. Geometric by inversion: `1 + floor(ln u / ln(1 - 1 / mean))`
    /// (Devroye 1986, X.2).
    fn sample(self, source: &mut impl Source) -> u32 {
        match self {
            Self::Single => 1,
            Self::Fixed(size) => size,
            Self::Geometric(mean) if mean > 1.0 => {
                // The cast saturates and cuts.
                1 + (ln(source.open01()) / ln(1.0 - 1.0 / mean)).min(MOST_AT_ONCE) as u32
            }
            Self::Geometric(_) => 1,
        }
    }
}

/// Most operations of a batch.
const MOST_AT_ONCE: f64 = 1e6;

/// A rate over time: straight lines between points; two points at one time are a jump; constant after the last.
#[derive(Clone, Debug)]
pub struct RateProfile {
    /// (when, operations a second), by time; never empty.
    pub points: Vec<(SimTime, f64)>,
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

/// What a caller does about failed attempts.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Attempts in all; 1 = no retry.
    pub max_attempts: u16,
    /// Back-off before the first retry; doubles each time.
    pub backoff: SimDuration,
    /// Longest back-off.
    pub max_backoff: SimDuration,
    /// Randomness of the back-off.
    pub jitter: Jitter,
}

/// Randomness of a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Jitter {
    /// None.
    None,
    /// Evenly between nothing and the back-off.
    #[default]
    Full,
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
    /// An attempt may have had its time.
    Timeout,
}

impl Retry {
    /// Nothing is retried.
    pub const NEVER: Self =
        Self { max_attempts: 1, backoff: SimDuration::ZERO, max_backoff: SimDuration::ZERO, jitter: Jitter::None };

    /// How long to wait after failed attempt number `attempt` (from 1): `min(backoff x 2^(attempt - 1), max_backoff)`, with
    /// full jitter times a uniform `u` of 0..1 (AWS Architecture Blog, "Exponential Backoff And Jitter"; botocore standard.py).
    #[must_use]
    pub fn delay(&self, attempt: u16, u: f64) -> SimDuration {
        let doublings = u32::from(attempt.saturating_sub(1)).min(62);
        let whole = self.backoff.times(1 << doublings).min(self.max_backoff);
        match self.jitter {
            Jitter::None => whole,
            Jitter::Full => whole.scale(u),
        }
    }
}

/// Where a source stands in its rate profile.
#[derive(Clone, Debug)]
struct RateClock {
    points: Vec<(SimTime, f64)>,
    /// The last point that is not after the last arrival.
    segment: usize,
}

impl RateClock {
    fn new(profile: &RateProfile) -> Self {
        Self { points: profile.points.clone(), segment: 0 }
    }

    /// The instant at which `expected` more arrivals are due on average, counted from `from`: the inverse of the integrated
    /// rate. With exponential `expected` the arrivals are a Poisson process of exactly this rate (time change of a unit
    /// Poisson process; Devroye 1986, VI.1.3), with `expected` = 1 they are evenly spaced. One number per arrival, unlike
    /// thinning, so that a change of rate elsewhere shifts nothing.
    fn advance(&mut self, from: SimTime, mut expected: f64) -> Option<SimTime> {
        let mut at = from;
        loop {
            let (start, rate_from) = self.points[self.segment];
            let Some(&(end, rate_to)) = self.points.get(self.segment + 1) else {
                return (rate_from > 0.0).then(|| at + SimDuration::from_secs_f64(expected / rate_from));
            };
            if at < start {
                // Before the first point the rate is the first point's.
                let room = start.since(at).as_secs_f64() * rate_from;
                if expected < room {
                    return Some(at + SimDuration::from_secs_f64(expected / rate_from));
                }
                expected -= room;
                at = start;
            }
            let left = end.since(at).as_secs_f64();
            let slope = if end > start { (rate_to - rate_from) / end.since(start).as_secs_f64() } else { 0.0 };
            let rate = rate_from + slope * at.since(start).as_secs_f64();
            let room = left * (rate + rate_to) / 2.0;
            if expected < room {
                // rate t + slope t^2 / 2 = expected, in the form that stays exact for a slope near 0.
                let t = 2.0 * expected / (rate + (rate * rate + 2.0 * slope * expected).max(0.0).sqrt());
                return Some((at + SimDuration::from_secs_f64(t)).min(end));
            }
            expected -= room;
            at = end.max(at);
            self.segment += 1;
        }
    }

    /// Whether nothing more comes after an instant.
    fn is_over(&self, at: SimTime) -> bool {
        self.points.last().is_none_or(|&(end, rate)| rate <= 0.0 && end <= at)
    }

    /// Moves on to the segment that an instant lies in.
    fn pass(&mut self, to: SimTime) {
        while self.points.get(self.segment + 1).is_some_and(|(end, _)| *end <= to) {
            self.segment += 1;
        }
    }

    /// How many arrivals are due on average between two instants, of which `from` lies in the present segment.
    fn expected(&self, from: SimTime, to: SimTime) -> f64 {
        let mut area = 0.0;
        let mut at = from;
        for segment in self.segment.. {
            let (start, rate_from) = self.points[segment];
            let Some(&(end, rate_to)) = self.points.get(segment + 1) else {
                return area + rate_from * to.since(at).as_secs_f64();
            };
            let slope = if end > start { (rate_to - rate_from) / end.since(start).as_secs_f64() } else { 0.0 };
            let rate = |t: SimTime| rate_from + slope * t.since(start).as_secs_f64();
            let until = end.min(to).max(at);
            area += until.since(at).as_secs_f64() * (rate(at) + rate(until)) / 2.0;
            if end >= to {
                return area;
            }
            at = until;
        }
        area
    }
}

/// The phases of modulated arrivals at work. When they change does not depend on the arrivals.
#[derive(Debug)]
struct Modulation {
    phases: Vec<Phase>,
    stream: Stream,
    phase: usize,
    /// When the present phase ends.
    until: SimTime,
}

impl Modulation {
    /// Begins in the steady state: in each phase as likely as it lasts.
    fn new(phases: &[Phase], mut stream: Stream) -> Self {
        let lasts: Vec<f64> = phases.iter().map(|phase| phase.lasts.as_secs_f64()).collect();
        let phase = Weighted::new(&lasts).expect("validated").sample(&mut stream);
        let mut modulation = Self { phases: phases.to_vec(), stream, phase, until: SimTime::ZERO };
        modulation.until = SimTime::ZERO + modulation.lasts();
        modulation
    }

    fn lasts(&mut self) -> SimDuration {
        let mean = self.phases[self.phase].lasts;
        mean.scale(-ln(self.stream.open01()))
    }

    /// The next arrival after `from` if `expected` more are due, phase by phase.
    fn advance(&mut self, clock: &mut RateClock, from: SimTime, mut expected: f64) -> Option<SimTime> {
        let mut at = from;
        loop {
            let factor = self.phases[self.phase].factor;
            let before = clock.segment;
            let next = if factor > 0.0 { clock.advance(at, expected / factor) } else { None };
            if next.is_some_and(|next| next <= self.until) {
                return next;
            }
            clock.segment = before;
            if clock.is_over(at) {
                return None;
            }
            expected = (expected - factor * clock.expected(at, self.until)).max(0.0);
            at = self.until;
            clock.pass(at);
            self.phase = (self.phase + 1) % self.phases.len();
            self.until = at + self.lasts();
        }
    }
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
    timeout: Option<Deadlines>,
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
        let edge_hops = architecture
            .cloudfront
            .iter()
            .map(|distribution| distribution.viewer_rtt(settings.place).map_or(Hop::NONE, |rtt| cx.hop(half(rtt))))
            .collect();
        let (mut clock, mut modulation, mut batch, mut users) = (None, None, Batch::Single, 0);
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
            edge_hops,
            timeout: settings.timeout.map(Deadlines::new),
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
            Event::Thought(user) => self.operate(Some(user), cx),
            Event::Retry(key) => self.attempt(key, cx),
            Event::Timeout => self.time_out(cx),
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Client(self.id, event)
    }

    fn schedule_arrival(&mut self, cx: &mut Cx<'_>) {
        let next = match &self.settings.arrivals {
            Arrivals::Open { process, .. } => {
                let gap = match process {
                    Process::Poisson | Process::Modulated(_) => -ln(self.gaps.open01()),
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
        let Arrivals::Replay(records) = &self.settings.arrivals else {
            for _ in 0..self.batch.sample(&mut self.gaps) {
                self.operate(None, cx);
            }
            return;
        };
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

    /// A new operation, of a user of a closed source or of anyone.
    fn operate(&mut self, user: Option<u32>, cx: &mut Cx<'_>) {
        let stream = match user {
            None => mix(self.stream, self.operations),
            Some(user) => {
                let number = &mut self.of_user[user as usize];
                *number += 1;
                mix(mix(self.stream, u64::from(user)), *number)
            }
        };
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
        if route.query_strings > 1 {
            request.query_variant = draws.below(u64::from(route.query_strings)) as u32;
        }
        if route.headers > 1 {
            request.header_variant = draws.below(u64::from(route.headers)) as u16;
        }
        if route.cookies > 1 {
            request.cookie_variant = request.client % route.cookies;
        }
        if let Some(objects) = &self.objects[index] {
            request.catalog = objects.number;
            (request.object, request.bytes) = objects.draw(&mut draws);
        }
        self.begin(key, cx);
    }

    fn operation<'a>(&mut self, stream: u64, cx: &'a mut Cx<'_>) -> (RequestKey, &'a mut Request) {
        self.operations += 1;
        let now = cx.now();
        let (key, request) = cx.shared.new_request(stream, now, Holder::Client(self.id), Hop::NONE);
        request.traffic = self.id;
        request.place = self.settings.place;
        (key, request)
    }

    fn begin(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        cx.shared.observer.operation_starts(&cx.shared.requests[key]);
        self.attempt(key, cx);
    }

    fn attempt(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        request.attempted = now;
        let (route, started) = (request.route, request.started);
        cx.shared.observer.attempt(route, started);
        let wake = self.event(Event::Timeout);
        if let Some(timeout) = &mut self.timeout {
            timeout.watch(key, wake, waits, cx);
        }
        self.ask(key, cx);
    }

    /// Asks for what the request names: at first, and again where an answer has sent the client to another path.
    fn ask(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        match self.settings.to {
            record @ Endpoint::Record(_) => cx.offer(record, key, Hop::NONE),
            endpoint => self.send(key, endpoint, cx),
        }
    }

    fn send(&mut self, key: RequestKey, to: Endpoint, cx: &mut Cx<'_>) {
        let hop = self.hop_to(to);
        cx.request(key).set_bottom_hop(hop);
        cx.offer(to, key, hop);
    }

    fn hop_to(&self, to: Endpoint) -> Hop {
        match to {
            Endpoint::CloudFront(distribution) => self.edge_hops[distribution.index()],
            _ => self.far_hops.iter().find(|(far, _)| *far == to).map_or(self.hop, |(_, hop)| *hop),
        }
    }

    /// Route 53's answer: what the name resolves to, if anything.
    pub fn resolved(&mut self, key: RequestKey, answer: Option<Endpoint>, cx: &mut Cx<'_>) {
        if cx.request(key).abandoned {
            cx.shared.requests.remove(key);
            return;
        }
        match answer {
            Some(endpoint) => self.send(key, endpoint, cx),
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
            request.push(Holder::Client(self.id), Hop::NONE);
            return self.ask(key, cx);
        }
        self.end_attempt(key, outcome, cx);
    }

    fn time_out(&mut self, cx: &mut Cx<'_>) {
        let wake = self.event(Event::Timeout);
        while let Some(key) = self.timeout.as_mut().and_then(|timeout| timeout.next_due(wake, waits, cx)) {
            // Whoever has it goes on with it, and it is removed when it comes back.
            cx.request(key).abandoned = true;
            self.after_attempt(key, Outcome::failed(0, Cause::ClientTimeout), cx);
        }
    }

    fn end_attempt(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        self.after_attempt(key, outcome, cx);
        cx.shared.requests.remove(key);
    }

    fn after_attempt(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        let retry = &self.settings.retry;
        let request = &cx.shared.requests[key];
        if !outcome.is_ok() && request.attempt < retry.max_attempts {
            let delay = retry.delay(request.attempt, request.draws(purpose::BACKOFF).uniform());
            let mut next = self.operation_again(request);
            next.attempt += 1;
            let key = cx.shared.requests.insert(next);
            cx.kernel.schedule_in(delay, self.event(Event::Retry(key)));
            return;
        }
        if let Arrivals::Closed { think_time, .. } = &self.settings.arrivals {
            let think = think_time.sample_duration(&mut request.draws(purpose::THINK));
            cx.kernel.schedule_in(think, self.event(Event::Thought(request.client)));
        }
        cx.shared.observer.operation_ends(request.route, request.started, cx.kernel.now(), outcome);
    }

    /// The same operation once more: what is asked for stays, what it costs is drawn anew from a stream of its own.
    fn operation_again(&self, request: &Request) -> Request {
        let stream = mix(request.stream, u64::from(request.attempt));
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

/// Whether the client still waits for an answer. An answered attempt is gone.
fn waits(request: &Request, _since: SimTime) -> bool {
    !request.abandoned
}

impl Observed for Client {}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(points: &[(u64, f64)]) -> RateClock {
        RateClock::new(&RateProfile { points: points.iter().map(|&(s, rate)| (SimTime::from_secs(s), rate)).collect() })
    }

    #[test]
    fn evenly_spaced_arrivals_follow_the_integral_of_a_ramp() {
        // 0..10 s at 10/s, a ramp to 20/s at 20 s, then constant: 100 + 150 arrivals by 20 s.
        let mut clock = clock(&[(0, 10.0), (10, 10.0), (20, 20.0)]);
        let mut at = SimTime::ZERO;
        let mut seen = Vec::new();
        while at < SimTime::from_secs(30) {
            at = clock.advance(at, 1.0).expect("the rate is never 0");
            seen.push(at);
        }
        assert_eq!(seen[99], SimTime::from_secs(10));
        assert!(seen[249].since(SimTime::from_secs(20)).as_secs_f64().abs() < 1e-6);
        assert!(seen[449].since(SimTime::from_secs(30)).as_secs_f64() < 1e-6);
    }

    #[test]
    fn a_rate_of_zero_is_waited_out_or_ends_the_arrivals() {
        let mut pause = clock(&[(0, 1.0), (10, 1.0), (10, 0.0), (20, 0.0), (20, 1.0)]);
        assert_eq!(
            pause.advance(SimTime::from_secs(10), 0.5),
            Some(SimTime::from_secs(20) + SimDuration::from_millis(500))
        );
        let mut over = clock(&[(0, 1.0), (10, 1.0), (10, 0.0)]);
        assert_eq!(over.advance(SimTime::from_secs(9), 2.0), None);
    }

    #[test]
    fn phases_change_the_rate_and_keep_its_mean() {
        // Four times as often for 1 s in 4 s, else never: the mean stays. A ramp beneath them makes the clock change segments.
        let phases = [
            Phase { factor: 4.0, lasts: SimDuration::from_secs(1) },
            Phase { factor: 0.0, lasts: SimDuration::from_secs(3) },
        ];
        let mut clock =
            clock(&[(0, 10.0), (10_000, 10.0), (20_000, 30.0), (20_000, 5.0), (30_000, 5.0), (30_000, 0.0)]);
        let mut modulation = Modulation::new(&phases, Stream::from_key(1));
        let mut gaps = Stream::from_key(2);
        let (mut at, mut counts) = (SimTime::ZERO, [0u32; 3]);
        while let Some(next) = modulation.advance(&mut clock, at, -ln(gaps.open01())) {
            at = next;
            counts[(at.as_nanos() / 10_000_000_000_000) as usize] += 1;
        }
        // 100,000, 200,000 and 50,000; the phases make the standard deviations 3.5 % or less.
        for (count, expected) in counts.into_iter().zip([100_000.0, 200_000.0, 50_000.0]) {
            assert!((f64::from(count) / expected - 1.0).abs() < 0.1, "{counts:?}");
        }
    }

    #[test]
    fn what_is_expected_is_the_area_under_the_rate() {
        let mut ramp = clock(&[(0, 10.0), (10, 10.0), (20, 20.0), (20, 5.0)]);
        assert_eq!(ramp.expected(SimTime::from_secs(5), SimTime::from_secs(15)), 50.0 + 62.5);
        assert_eq!(ramp.expected(SimTime::ZERO, SimTime::from_secs(30)), 100.0 + 150.0 + 50.0);
        ramp.pass(SimTime::from_secs(20));
        assert_eq!(ramp.expected(SimTime::from_secs(20), SimTime::from_secs(21)), 5.0);
    }

    #[test]
    fn batches_have_their_mean() {
        let mut source = Stream::from_key(3);
        let mean = |batch: Batch, source: &mut Stream| {
            (0..100_000).map(|_| f64::from(batch.sample(source))).sum::<f64>() / 100_000.0
        };
        assert_eq!(mean(Batch::Single, &mut source), 1.0);
        assert_eq!(mean(Batch::Fixed(7), &mut source), 7.0);
        assert_eq!(mean(Batch::Geometric(1.0), &mut source), 1.0);
        assert!((mean(Batch::Geometric(4.0), &mut source) - 4.0).abs() < 0.05);
    }

    #[test]
    fn backoff_doubles_up_to_its_cap() {
        let retry = Retry {
            max_attempts: 10,
            backoff: SimDuration::from_millis(100),
            max_backoff: SimDuration::from_secs(1),
            jitter: Jitter::None,
        };
        let delays: Vec<u64> = (1..6).map(|attempt| retry.delay(attempt, 0.0).as_nanos() / 1_000_000).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000]);
        let jittered = Retry { jitter: Jitter::Full, ..retry };
        assert_eq!(jittered.delay(2, 0.25).as_nanos(), 50_000_000);
    }
}
