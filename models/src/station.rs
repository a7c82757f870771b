//! A plain station: a textbook queue, or a dependency that is no AWS service (a payment provider, an S3 origin).

mod cache;
mod unreliable;

use std::collections::VecDeque;

use sim_core::distribution::Distribution;
use sim_core::distribution::alias::Weighted;
use sim_core::observations::{Phase, SeriesGroup};
use sim_core::station::fifo::{Fifo, Offered};
use sim_core::station::sharing::ProcessorSharing;
use sim_core::station::token_bucket::TokenBucket;
use sim_core::tally::StationTally;
use sim_core::{SimDuration, SimTime};

use crate::ids::*;
use crate::observer::{FigureId, Figures, Findings, Observed};
use crate::request::*;
use crate::world::{self, Cx};
use cache::Copies;
use unreliable::{Start, Unreliable};

/// A station.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Servers (FIFO) or cores (processor sharing); none = any number (a pure delay).
    pub servers: Option<u32>,
    /// Requests that may wait; none = any number.
    pub room: Option<u32>,
    /// How they are served.
    pub discipline: Discipline,
    /// Most requests that share the cores at once; more wait, first come first served. Processor sharing only; none = any number.
    pub limit: Option<u32>,
    /// Service times, by [`crate::Request::operation`]; the first is the station's own.
    pub classes: Vec<Distribution>,
    /// How many requests it takes; none = any number.
    pub rate_limit: Option<RateLimit>,
    /// How long a request waits before it gives up; none = as long as it takes.
    pub patience: Option<Distribution>,
    /// How its servers fail; none = never. First come first served only.
    pub breakdown: Option<Breakdown>,
    /// Copies it keeps of another station's answers; none = it answers everything itself. Not together with `then`.
    pub cache: Option<Cache>,
    /// Stations that requests go on to, with probabilities that sum up to 1 at most; the rest are answered.
    pub then: Vec<(StationId, f64)>,
    /// Size of an answer, bytes (where no catalogue says).
    pub response_bytes: u32,
}

impl Settings {
    /// A textbook queue: first come, first served, any number may wait, nothing breaks.
    #[must_use]
    pub fn new(name: &str, servers: Option<u32>, service: Distribution) -> Self {
        Self {
            name: name.to_owned(),
            servers,
            room: None,
            discipline: Discipline::Fifo,
            limit: None,
            classes: vec![service],
            rate_limit: None,
            patience: None,
            breakdown: None,
            cache: None,
            then: Vec::new(),
            response_bytes: 0,
        }
    }
}

/// A token bucket in front of a station: what finds it empty is answered 429.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub rate: f64,
    /// Requests it holds; it is full at the start.
    pub burst: u32,
}

/// Copies of another station's answers, which a request gets after its service here. What is not there is asked for there, and kept.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    /// Who is asked for what is not there.
    pub origin: StationId,
    /// Round trip there.
    pub rtt: SimDuration,
    /// Bytes there is room for; the least recently used copies make room for new ones.
    pub capacity: u64,
    /// How long a copy is given.
    pub ttl: SimDuration,
    /// From when that counts.
    pub renewal: Renewal,
}

/// A copy takes at least this much room, in bytes: its key and what goes with it.
pub const LEAST_COPY_BYTES: u64 = 64;

/// From when a copy's time to live counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Renewal {
    /// From when it was made.
    #[default]
    Fixed,
    /// From when it was last asked for.
    Sliding,
}

/// How servers fail: each on its own, busy or not.
#[derive(Clone, Debug)]
pub struct Breakdown {
    /// From start or repair to failure.
    pub time_to_failure: Distribution,
    /// From failure until the server works again.
    pub repair_time: Distribution,
    /// What becomes of the request it works on.
    pub on_failure: OnFailure,
    /// Requests are refused while fewer servers than this are up; none = they wait.
    pub quorum: Option<u32>,
}

/// What becomes of a request whose server fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It stays with its server, which takes up its work where it was.
    #[default]
    Resume,
    /// It fails.
    Lose,
}

/// How waiting requests are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Discipline {
    /// First come, first served.
    #[default]
    Fifo,
    /// All at once, sharing the cores.
    ProcessorSharing,
}

/// What happens inside a station.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request's service is over.
    Done(RequestKey),
    /// The earliest request that shares the cores may be done.
    SharedDone,
    /// A request's patience, at its visit of this number, is over.
    GivesUp(RequestKey, u16),
    /// A server that can fail is done with its request, if it has not failed since (server, epoch).
    ServerDone(u32, u32),
    /// A server fails.
    Fails(u32),
    /// A server is repaired.
    Mended(u32),
}

/// A station at work.
#[derive(Debug)]
pub struct Station {
    id: StationId,
    name: String,
    classes: Vec<Distribution>,
    limiter: Option<TokenBucket>,
    patience: Option<Distribution>,
    cache: Option<Copies>,
    then: Option<Then>,
    response_bytes: u32,
    servers: Servers,
    figure: Option<FigureId>,
    busy_at_bin: (f64, f64),
}

#[derive(Debug)]
enum Servers {
    Fifo(Fifo<RequestKey>),
    Sharing {
        cores: ProcessorSharing<RequestKey>,
        scheduled: Option<u64>,
        tally: StationTally,
        /// Most that share the cores.
        limit: usize,
        /// Who waits to be one of them, with the work it brings.
        queue: VecDeque<(RequestKey, SimTime, SimDuration)>,
        room: usize,
    },
    Delay(StationTally),
    Unreliable(Unreliable),
}

/// Where requests go on to.
#[derive(Debug)]
struct Then {
    choice: Weighted,
    /// By choice; none = it is answered.
    stations: Vec<Option<StationId>>,
}

impl Then {
    fn new(then: &[(StationId, f64)]) -> Option<Self> {
        let leaves = 1.0 - then.iter().map(|(_, probability)| probability).sum::<f64>();
        // What rounding leaves of nothing is nothing.
        let leaves = if leaves < 1e-9 { 0.0 } else { leaves };
        let weights: Vec<f64> = then.iter().map(|(_, probability)| *probability).chain([leaves]).collect();
        let stations = then.iter().map(|(station, _)| Some(*station)).chain([None]).collect();
        (!then.is_empty()).then(|| Self { choice: Weighted::new(&weights).expect("validated"), stations })
    }

    /// Where a request goes next, if anywhere.
    #[inline(never)]
    fn next(&self, request: &mut Request) -> Option<StationId> {
        let next = self.stations[self.choice.sample(&mut request.draws_of_visit(purpose::ROUTING))];
        if next.is_some() {
            request.visits = request.visits.wrapping_add(1);
            request.operation = 0;
        }
        next
    }
}

impl Station {
    /// Builds it.
    #[must_use]
    pub fn new(id: StationId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("station.{}", settings.name);
        let servers = match (settings.servers, settings.discipline) {
            (None, _) => Servers::Delay(StationTally::new(0)),
            (Some(servers), Discipline::Fifo) => match &settings.breakdown {
                None => Servers::Fifo(Fifo::new(servers, settings.room)),
                Some(breakdown) => {
                    let stream = cx.shared.streams.stream(&name, "breakdowns");
                    Servers::Unreliable(Unreliable::new(servers, settings.room, breakdown.clone(), stream))
                }
            },
            (Some(cores), Discipline::ProcessorSharing) => {
                // Nobody waits at a station that serves all at once: room limits how many share it beyond its cores.
                let (limit, room) = match settings.limit {
                    Some(limit) => (Some(limit), settings.room),
                    None => (settings.room.map(|room| room.saturating_add(cores)), settings.room.map(|_| 0)),
                };
                let count = |n: Option<u32>| n.map_or(usize::MAX, |n| n as usize);
                Servers::Sharing {
                    cores: ProcessorSharing::new(f64::from(cores)),
                    scheduled: None,
                    tally: StationTally::shared(cores),
                    limit: count(limit),
                    queue: VecDeque::new(),
                    room: count(room),
                }
            }
        };
        let bounded = settings.servers.is_some();
        let figure = bounded.then(|| cx.shared.observer.figures.register(SeriesGroup::Utilisation, &name, "ratio"));
        Self {
            id,
            classes: settings.classes.clone(),
            limiter: settings.rate_limit.map(|limit| TokenBucket::new(limit.rate, f64::from(limit.burst))),
            patience: settings.patience.clone(),
            cache: settings.cache.as_ref().map(|cache| Copies::new(cache, cx)),
            then: Then::new(&settings.then),
            response_bytes: settings.response_bytes,
            servers,
            figure,
            busy_at_bin: (0.0, 0.0),
            name,
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Station(self.id, event)
    }

    /// Sets the clocks of servers that can fail going.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        let Servers::Unreliable(servers) = &mut self.servers else { return };
        cx.down(&self.name, servers.is_down());
        for server in 0..servers.count() {
            let fails = servers.time_to_failure();
            cx.kernel.schedule_in(fails, world::Event::Station(self.id, Event::Fails(server)));
        }
    }

    /// A request arrives.
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if request.purpose == Purpose::HealthCheck {
            return self.answer_check(key, cx);
        }
        if let Some(limiter) = &mut self.limiter
            && !limiter.take(now, 1.0)
        {
            self.tally().refuse(now);
            return cx.fail(key, 429, Cause::Throttled);
        }
        let class = self.classes.get(request.operation as usize).unwrap_or(&self.classes[0]);
        let service = class.sample_duration(&mut request.draws_of_visit(purpose::SERVICE));
        request.joined = now;
        match &mut self.servers {
            Servers::Fifo(fifo) => match fifo.offer(now, key, service) {
                Offered::Started { ends } => cx.kernel.schedule_at(ends, self.event(Event::Done(key))),
                Offered::Waits => self.waits(key, cx),
                Offered::Refused => cx.fail(key, 503, Cause::Overloaded),
            },
            Servers::Delay(_) => self.delay(key, service, cx),
            Servers::Sharing { .. } => self.share(key, service, cx),
            Servers::Unreliable(_) => self.offer_to_unreliable(key, service, cx),
        }
    }

    #[inline(never)]
    fn delay(&mut self, key: RequestKey, service: SimDuration, cx: &mut Cx<'_>) {
        let Servers::Delay(tally) = &mut self.servers else { return };
        tally.join_served(cx.now());
        cx.kernel.schedule_in(service, self.event(Event::Done(key)));
    }

    /// A request gets its share of the cores, or waits for it.
    #[inline(never)]
    fn share(&mut self, key: RequestKey, service: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Servers::Sharing { cores, tally, limit, queue, room, .. } = &mut self.servers else { return };
        if cores.len() < *limit {
            tally.join_served(now);
            cores.offer(now, key, service);
            return self.schedule_shared(cx);
        }
        if queue.len() >= *room {
            tally.refuse(now);
            return cx.fail(key, 503, Cause::Overloaded);
        }
        tally.join(now);
        queue.push_back((key, now, service));
        self.waits(key, cx);
    }

    #[inline(never)]
    fn offer_to_unreliable(&mut self, key: RequestKey, service: SimDuration, cx: &mut Cx<'_>) {
        let Servers::Unreliable(servers) = &mut self.servers else { return };
        match servers.offer(cx.now(), key, service) {
            unreliable::Offered::Started(start) => self.schedule_server(start, cx),
            unreliable::Offered::Waits => self.waits(key, cx),
            unreliable::Offered::Refused { down } => {
                cx.fail(key, 503, if down { Cause::ServerDown } else { Cause::Overloaded });
            }
        }
    }

    /// Answers a health check with what it finds.
    #[inline(never)]
    fn answer_check(&self, key: RequestKey, cx: &mut Cx<'_>) {
        match &self.servers {
            Servers::Unreliable(servers) if servers.is_down() => cx.fail(key, 503, Cause::ServerDown),
            _ => cx.reply(key, Outcome::OK),
        }
    }

    /// A request has begun to wait: its patience runs.
    fn waits(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let Some(patience) = &self.patience else { return };
        let request = cx.request(key);
        let visit = request.visits as u16;
        let patience = patience.sample_duration(&mut request.draws_of_visit(purpose::PATIENCE));
        cx.kernel.schedule_in(patience, self.event(Event::GivesUp(key, visit)));
    }

    /// A request's patience is over: it leaves, if it waits still.
    #[inline(never)]
    fn gives_up(&mut self, key: RequestKey, visit: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        if cx.shared.requests.get(key).is_none_or(|request| request.visits as u16 != visit) {
            return;
        }
        let left = match &mut self.servers {
            Servers::Fifo(fifo) => fifo.renege(now, |waiting| *waiting == key).is_some(),
            Servers::Unreliable(servers) => servers.renege(now, key),
            Servers::Sharing { queue, tally, .. } => {
                let at = queue.iter().position(|(waiting, ..)| *waiting == key);
                if let Some((_, joined, _)) = at.and_then(|at| queue.remove(at)) {
                    tally.lose(now, joined);
                }
                at.is_some()
            }
            Servers::Delay(_) => false,
        };
        if left {
            cx.fail(key, 503, Cause::GaveUpWaiting);
        }
    }

    fn schedule_shared(&mut self, cx: &mut Cx<'_>) {
        let Servers::Sharing { cores, scheduled, .. } = &mut self.servers else { return };
        if let Some((at, epoch)) = cores.next_completion().filter(|&(_, epoch)| *scheduled != Some(epoch)) {
            *scheduled = Some(epoch);
            cx.kernel.schedule_at(at, world::Event::Station(self.id, Event::SharedDone));
        }
    }

    fn schedule_server(&self, start: Start, cx: &mut Cx<'_>) {
        cx.kernel.schedule_at(start.ends, self.event(Event::ServerDone(start.server, start.epoch)));
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        let now = cx.now();
        match (event, &mut self.servers) {
            (Event::Done(key), Servers::Fifo(fifo)) => {
                if let Some(next) = fifo.complete(now, cx.request(key).joined) {
                    cx.kernel.schedule_at(next.ends, world::Event::Station(self.id, Event::Done(next.job)));
                }
                self.answer(key, cx);
            }
            (Event::Done(key), Servers::Delay(_)) => self.delayed(key, cx),
            (Event::SharedDone, _) => self.shared_done(cx),
            (Event::GivesUp(key, visit), _) => self.gives_up(key, visit, cx),
            _ => self.on_unreliable(event, cx),
        }
    }

    #[inline(never)]
    fn delayed(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let Servers::Delay(tally) = &mut self.servers else { return };
        tally.leave(cx.now(), cx.request(key).joined);
        self.answer(key, cx);
    }

    #[inline(never)]
    fn shared_done(&mut self, cx: &mut Cx<'_>) {
        while let Some(key) = self.next_shared(cx.now(), cx) {
            self.answer(key, cx);
        }
        self.schedule_shared(cx);
    }

    /// Something happens to a server that can fail.
    #[inline(never)]
    fn on_unreliable(&mut self, event: Event, cx: &mut Cx<'_>) {
        let now = cx.now();
        match (event, &mut self.servers) {
            (Event::ServerDone(server, epoch), Servers::Unreliable(servers)) => {
                let Some((key, next)) = servers.done(now, server, epoch) else { return };
                if let Some(start) = next {
                    self.schedule_server(start, cx);
                }
                self.answer(key, cx);
            }
            (Event::Fails(server), Servers::Unreliable(servers)) => {
                let was_down = servers.is_down();
                let (repair, lost) = servers.fail(now, server);
                tell_down(&self.name, was_down, servers.is_down(), cx);
                cx.kernel.schedule_in(repair, self.event(Event::Mended(server)));
                if let Some(key) = lost {
                    cx.fail(key, 500, Cause::ServerDown);
                }
            }
            (Event::Mended(server), Servers::Unreliable(servers)) => {
                let fails = servers.time_to_failure();
                let was_down = servers.is_down();
                let start = servers.mend(now, server);
                tell_down(&self.name, was_down, servers.is_down(), cx);
                cx.kernel.schedule_in(fails, self.event(Event::Fails(server)));
                if let Some(start) = start {
                    self.schedule_server(start, cx);
                }
            }
            (event, _) => unreachable!("a station's discipline is fixed: {event:?}"),
        }
    }

    /// Takes out a request whose share of the cores has sufficed; the next that waits takes its place.
    fn next_shared(&mut self, now: SimTime, cx: &mut Cx<'_>) -> Option<RequestKey> {
        let Servers::Sharing { cores, tally, queue, .. } = &mut self.servers else { return None };
        let key = cores.pop_completed(now)?;
        tally.leave(now, cx.request(key).joined);
        if let Some((next, joined, work)) = queue.pop_front() {
            tally.start(now, now - joined);
            cores.offer(now, next, work);
        }
        Some(key)
    }

    /// A request has been served: it goes on to another station, or back to who asked.
    #[inline(always)]
    fn answer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if let Some(cache) = &mut self.cache
            && !cache.has(request, now)
        {
            return cache.fetch(self.id, key, cx);
        }
        if let Some(then) = &self.then
            && let Some(next) = then.next(request)
        {
            return cx.offer(Endpoint::Station(next), key, Hop::NONE);
        }
        if request.bytes == 0 {
            request.bytes = self.response_bytes;
        }
        cx.reply(key, Outcome::OK);
    }

    /// The station behind this one has answered.
    pub fn on_reply(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let outcome = request.outcome;
        if let Some(cache) = &mut self.cache {
            cache.keep(request, now);
        }
        cx.reply(key, outcome);
    }

    fn tally(&mut self) -> &mut StationTally {
        match &mut self.servers {
            Servers::Fifo(fifo) => &mut fifo.tally,
            Servers::Sharing { tally, .. } | Servers::Delay(tally) => tally,
            Servers::Unreliable(servers) => &mut servers.tally,
        }
    }
}

/// Tells the downtime ledger that too few servers are left, or that there are enough again. Repair begins with the failure.
fn tell_down(name: &str, was_down: bool, is_down: bool, cx: &mut Cx<'_>) {
    match (was_down, is_down) {
        (false, true) => {
            cx.phase(name, Phase::Recovery);
            cx.down(name, true);
        }
        (true, false) => {
            cx.down(name, false);
            cx.settling(name);
        }
        _ => {}
    }
}

impl Observed for Station {
    fn warm_up_over(&mut self, now: SimTime) {
        match &mut self.servers {
            Servers::Unreliable(servers) => servers.warm_up_over(now),
            _ => self.tally().reset(now),
        }
        if let Some(cache) = &mut self.cache {
            cache.warm_up_over();
        }
        self.busy_at_bin = (0.0, 0.0);
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        let Some(figure) = self.figure else { return };
        let (busy, there) = self.tally().busy_and_server_time(now);
        let (busy_before, there_before) = std::mem::replace(&mut self.busy_at_bin, (busy, there));
        figures.put(figure, now, (busy - busy_before) / (there - there_before));
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        let resource = match self.servers {
            Servers::Fifo(_) | Servers::Unreliable(_) => "server",
            Servers::Sharing { .. } => "core",
            Servers::Delay(_) => "none",
        };
        let name = self.name.clone();
        if let Servers::Unreliable(servers) = &self.servers {
            servers.figures(now).into_iter().for_each(|(figure, value)| findings.count(&name, figure, value));
        }
        if let Some(cache) = &self.cache {
            cache.figures().into_iter().for_each(|(figure, value)| findings.count(&name, figure, value));
        }
        let unbounded = matches!(self.servers, Servers::Delay(_));
        let tally = self.tally();
        findings.stations.push(tally.observe(&name, resource, now));
        for mut check in tally.check(now) {
            // A pure delay has no servers to be busy.
            if unbounded && check.law.starts_with("utilisation") {
                continue;
            }
            check.law = format!("{name}: {}", check.law);
            findings.checks.push(check);
        }
    }
}
