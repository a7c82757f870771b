//! Application Load Balancer: listener rules, weighted target groups, balancing algorithms, target health, draining.
//!
//! ```text
//! client --DNS--> node of a zone --first rule met--> target group, by weight --algorithm--> target
//! ```
//! The name of a load balancer has an address in each zone (`zones`); each node has its own counters, its own turn and its own
//! view of the targets' health. A request meets a rule (`rules`), which answers it or forwards it to a target group by
//! weight; the group chooses a target among the healthy ones, or among all where too few are (fail open). The load balancer
//! keeps its own book of what each target owes it. It never sees a task: it knows what it sent, what came back, and what its
//! health checks found.
//!
//! | what happens | answer | cause in the books |
//! |---|---|---|
//! | a web ACL blocks it | 403 | `WafBlocked` |
//! | the client has left while it waited | 460 | the client's |
//! | the group has no registered target in the node's reach | 503 | `Alb503` |
//! | the load balancer has not grown to the load yet | 503 | `AlbCapacity` |
//! | the target closes the connection, or refuses it | 502 | the target's own, else `Alb502` |
//! | a draining target's deregistration delay ends before it answers | 502 | `Alb502` |
//! | the target's packets are lost: no connection within 10 s | 504 | `ConnectTimeout` |
//! | the target is silent past the idle timeout | 504 | `Alb504` |
//! | a fixed response of 400 or more | as written | `AlbFixed` |
//! | the target answers, with whatever status | as it is | the target's own |
//!
//! A Network Load Balancer is the same room with flows in place of rules and algorithms (`flows`).
//!
//! Sources: Application Load Balancer user guide (listeners, target groups, health checks, troubleshooting, CloudWatch metrics).
//! How a target that timed out is dealt with: see [`Request::detach`]; the target works on, and nobody hears its late answer.

mod anomaly;
mod capacity;
mod flows;
mod group;
mod health;
mod memory;
mod metrics;
mod registration;
mod rules;
pub mod settings;
#[cfg(test)]
mod tests;
mod units;
mod zones;

use sim_core::observations::LogKind;
use sim_core::random::Draws;
use sim_core::slab::Slab;
use sim_core::{LaneId, SimDuration, SimTime};

use crate::deadlines::Deadlines;
use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::*;
use crate::world::{self, Control, Cx};
use capacity::Capacity;
use flows::Flows;
use group::Group;
use health::{State, Target};
use memory::PerClient;
use metrics::{Count, Counts, GroupMetrics};
use rules::{Decision, Rules};
pub use settings::*;
use units::Connections;
use zones::Zones;

/// What happens inside a load balancer.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request has been processed and is to be forwarded.
    Route(RequestKey),
    /// A target is due for a health check.
    Check(TargetKey),
    /// A health check has had its time.
    CheckTimeout(RequestKey),
    /// The request that has waited longest for its target may have had the idle timeout.
    IdleTimeout,
    /// A target's deregistration delay is over.
    DrainOver(TargetKey),
    /// Targets are looked at for anomalies.
    LookForAnomalies,
}

/// The choices a load balancer makes for a request.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// Of a target group.
    Group = 1,
    /// Of a target.
    Target = 2,
}

/// A request's own draws for one choice at one attempt; apart from all other purposes, among them the choice of a weighted
/// DNS answer, so that shares at successive forks do not go together.
#[inline]
fn draws(request: &Request, choice: Choice) -> Draws {
    request.draws(purpose::CHOICE | (choice as u64) << 32 | u64::from(request.attempt) << 40)
}

/// The cookie `AWSALB`: the task a client stays with.
#[derive(Clone, Copy, Debug)]
struct Cookie {
    task: TaskKey,
    expires: SimTime,
}

impl Default for Cookie {
    fn default() -> Self {
        Self { task: TaskKey::NONE, expires: SimTime::ZERO }
    }
}

/// What a target group has once for all nodes.
#[derive(Debug)]
struct Book {
    name: String,
    serves: Targets,
    deregistration_delay: SimDuration,
    zone_of_target: Vec<u8>,
    cross_zone: bool,
    stickiness: Option<SimDuration>,
    cookies: PerClient<Cookie>,
    metrics: GroupMetrics,
}

/// A load balancer.
#[derive(Debug)]
pub struct Alb {
    id: AlbId,
    /// `alb.front`.
    name: String,
    zones: Zones,
    rules: Rules,
    /// By target group.
    books: Vec<Book>,
    /// Target groups as the nodes have them: those of the first node, those of the second...
    groups: Vec<Group>,
    targets: Slab<Target>,
    /// To a target, and back.
    hop: Hop,
    /// Its own processing.
    processing: Hop,
    idle_timeout: Deadlines,
    capacity: Option<Capacity>,
    connections: Connections,
    /// Those of a Network Load Balancer.
    flows: Option<Flows>,
    /// Health checks made; each has its own random stream.
    checks: u64,
    check_stream: u64,
    /// Whether any zone has healthy targets enough.
    fit: bool,
    counts: Counts,
}

impl Alb {
    /// Builds it.
    #[must_use]
    pub fn new(id: AlbId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let network = settings.kind == Kind::Network;
        let name = format!("{}.{}", if network { "nlb" } else { "alb" }, settings.name);
        let zones = Zones::new(&settings.zones, cx.shared.streams.key(&name, "DNS"));
        let mut groups = Vec::new();
        for node in 0..zones.count() {
            let suffix = zones.suffix(node);
            groups.extend(settings.target_groups.iter().map(|group| Group::new(&name, group, node, &suffix, cx)));
        }
        let books = settings.target_groups.iter().enumerate().map(|(at, group)| Book {
            name: group.name.clone(),
            serves: group.targets,
            deregistration_delay: group.deregistration_delay,
            zone_of_target: group.zone_of_target.clone(),
            cross_zone: group.cross_zone,
            stickiness: group.stickiness,
            cookies: PerClient::default(),
            metrics: GroupMetrics::new(TargetGroupId(at as u16), &name, settings, &zones, cx),
        });
        let books = books.collect();
        Self {
            id,
            rules: Rules::new(settings),
            books,
            groups,
            targets: Slab::new(),
            hop: cx.hop(SimDuration::from_nanos(settings.target_rtt.as_nanos() / 2)),
            processing: cx.hop(settings.added_latency),
            idle_timeout: Deadlines::new(settings.idle_timeout),
            capacity: settings.initial_capacity.map(Capacity::new),
            flows: network.then(|| Flows::new(settings.idle_timeout, cx.shared.streams.key(&name, "flow hash"))),
            connections: Connections::new(settings.idle_timeout, settings.client_keep_alive),
            checks: 0,
            check_stream: cx.shared.streams.key(&name, "health checks"),
            counts: Counts::new(&name, settings.kind, &zones, cx),
            zones,
            fit: true,
            name,
        }
    }

    /// Registers the targets that are no tasks.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        let times_wanted = self.counts.times_wanted(cx) || self.books.iter().any(|book| book.metrics.times_wanted(cx));
        if times_wanted {
            self.groups.iter_mut().for_each(|group| group.times = Some(Box::default()));
        }
        for group in 0..self.books.len() as u16 {
            if let Targets::Station(station) = self.books[group as usize].serves {
                self.register(TargetGroupId(group), Endpoint::Station(station), TaskKey::NONE, None, 1, cx);
            }
        }
        if self.groups.iter().any(|group| group.detects) {
            cx.kernel.schedule_in(anomaly::WINDOW, self.event(Event::LookForAnomalies));
        }
    }

    /// The groups of all nodes that are one target group, as indices of `groups`.
    fn rooms_of(&self, group: TargetGroupId) -> impl Iterator<Item = usize> + use<> {
        (group.index()..self.groups.len()).step_by(self.books.len().max(1))
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Alb(self.id, event)
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Route(key) => self.route(key, cx),
            Event::Check(target) => self.check(target, cx),
            Event::CheckTimeout(probe) => self.check_timed_out(probe, cx),
            Event::IdleTimeout => self.watch(cx),
            Event::DrainOver(target) => self.drained(target, cx),
            Event::LookForAnomalies => {
                cx.kernel.schedule_in(anomaly::WINDOW, self.event(Event::LookForAnomalies));
                let now = cx.now();
                for group in self.groups.iter_mut().filter(|group| group.detects) {
                    group.look_for_anomalies(&mut self.targets, now);
                }
            }
        }
    }

    /// A request arrives.
    #[inline]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        match self.processing.lane() {
            None => self.route(key, cx),
            Some(lane) => self.route_after(lane, key, cx),
        }
    }

    #[inline(never)]
    fn route_after(&self, lane: LaneId, key: RequestKey, cx: &mut Cx<'_>) {
        cx.kernel.schedule_lane(lane, self.event(Event::Route(key)));
    }

    /// Answers a request, or forwards it to a target.
    fn route(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        if self.flows.is_some() {
            return self.route_flow(key, cx);
        }
        let now = cx.now();
        let world::Shared { requests, addresses, .. } = &mut *cx.shared;
        let request = &mut requests[key];
        let node = self.zones.node_of(|| addresses.peer(request), now);
        self.counts.opened(self.connections.carries(request, now));
        if let Some(capacity) = &mut self.capacity
            && !capacity.take(now)
        {
            return self.answer(key, node, Outcome::failed(503, Cause::AlbCapacity), cx);
        }
        let group = match self.rules.decide(request, addresses, now) {
            Decision::Group(group) => group,
            Decision::Answer(outcome) => {
                self.counts.add(Count::FixedResponse);
                return self.answer(key, node, outcome, cx);
            }
            Decision::Redirect(outcome, path) => {
                request.path = path;
                self.counts.add(Count::Redirect);
                return self.answer(key, node, outcome, cx);
            }
        };
        let Some(seat) = self.choose(node, group, request, now) else {
            return self.answer(key, node, Outcome::failed(503, Cause::Alb503), cx);
        };
        self.counts.add(Count::Request);
        self.forward(key, seat, cx);
    }

    /// Hands a request to a target.
    #[inline(always)]
    fn forward(&mut self, key: RequestKey, seat: group::Seat, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        request.forwarded = now;
        request.target = seat.task;
        request.push(Holder::Alb(self.id, seat.target), self.hop);
        self.targets[seat.target].outstanding += 1;
        cx.offer(seat.to, key, self.hop);
        let wake = self.event(Event::IdleTimeout);
        self.idle_timeout.watch(key, wake, waits_for_target(self.id), cx);
    }

    /// Chooses a target of a group: the one that the client stays with, if it does and that one gets requests, or by the
    /// group's algorithm.
    #[inline(always)]
    fn choose(&mut self, node: usize, group: TargetGroupId, request: &Request, now: SimTime) -> Option<group::Seat> {
        let lasts = self.books[group.index()].stickiness.filter(|_| request.is_from_client());
        let room = node * self.books.len() + group.index();
        let at = match lasts {
            None => self.groups[room].choose(request, now),
            Some(lasts) => self.choose_by_cookie(room, group, request, lasts, now),
        };
        at.map(|at| self.groups[room].take(at))
    }

    /// The same for a client that stays with its target. The cookie lasts anew from each request on.
    #[inline(never)]
    fn choose_by_cookie(
        &mut self,
        room: usize,
        group: TargetGroupId,
        request: &Request,
        lasts: SimDuration,
        now: SimTime,
    ) -> Option<usize> {
        let room = &mut self.groups[room];
        let cookie = self.books[group.index()].cookies.of(request);
        let known = if now < cookie.expires { room.of_task(cookie.task) } else { None };
        let at = known.or_else(|| room.choose(request, now))?;
        *cookie = Cookie { task: room.seats[at].task, expires: now + lasts };
        Some(at)
    }

    /// Answers a request by itself.
    #[inline(never)]
    fn answer(&mut self, key: RequestKey, node: usize, outcome: Outcome, cx: &mut Cx<'_>) {
        if outcome.cause == Cause::ConnectionReset {
            self.counts.add(Count::ElbReset);
        }
        self.counts.own_answer(outcome.status, node);
        cx.reply(key, outcome);
    }

    /// A web ACL has blocked a request before the rules were looked at.
    pub fn turn_away(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        let now = cx.now();
        let world::Shared { requests, addresses, .. } = &mut *cx.shared;
        let request = &requests[key];
        let node = self.zones.node_of(|| addresses.peer(request), now);
        self.answer(key, node, outcome, cx);
    }

    /// A request comes back from a target; its frame has been taken off.
    pub fn on_reply(&mut self, key: RequestKey, target: TargetKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if request.depth() == 0 {
            // It was answered in the target's place: nobody waits for it.
            cx.shared.requests.remove(key);
            return;
        }
        request.target = TaskKey::NONE;
        let (outcome, waited, bytes) = (request.outcome, now.since(request.forwarded), request.bytes);
        let left = request.abandoned;
        let target_at = &mut self.targets[target];
        let group = &mut self.groups[target_at.room as usize];
        let node = group.node as usize;
        if group.detects {
            target_at.recent.answers += 1;
            target_at.recent.errors += u32::from(outcome.status == 0 || outcome.status >= 500);
        }
        let outcome = match outcome {
            _ if self.flows.is_some() => self.flow_outcome(outcome, bytes),
            // The client closed the connection, and the load balancer the one to the target.
            _ if left => {
                self.counts.own_answer(460, node);
                outcome
            }
            Outcome { status: 0, cause } => self.no_answer(cause, node),
            _ => {
                self.counts.target_answer(outcome.status, bytes);
                group.answered(outcome.status, waited);
                outcome
            }
        };
        self.release(target, cx);
        cx.reply(key, outcome);
    }

    /// What the load balancer answers where a target has not.
    #[cold]
    #[inline(never)]
    fn no_answer(&mut self, cause: Cause, node: usize) -> Outcome {
        if matches!(cause, Cause::ConnectTimeout | Cause::NoTask) {
            self.counts.add(Count::TargetConnectionError);
        }
        let status = if cause == Cause::ConnectTimeout { 504 } else { 502 };
        self.counts.own_answer(status, node);
        Outcome::failed(status, if cause == Cause::None { Cause::Alb502 } else { cause })
    }

    /// A target owes one request less.
    #[inline(always)]
    fn release(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        let target = &mut self.targets[key];
        target.outstanding -= 1;
        let group = &mut self.groups[target.room as usize];
        group.ended += 1;
        if let Some(load) = group.loads.get_mut(target.seat as usize) {
            *load -= 1;
        }
        if target.outstanding == 0 && matches!(target.state, State::Draining | State::Gone) {
            self.last_ended(key, cx);
        }
    }

    /// A target that leaves owes nothing any more.
    #[cold]
    #[inline(never)]
    fn last_ended(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        if self.targets[key].state == State::Gone {
            self.targets.remove(key);
        } else if self.flows.is_none() {
            self.drained(key, cx);
        }
        // Flows may still use it: the delay passes whole.
    }

    /// Ends the requests whose targets have been silent for the idle timeout.
    fn watch(&mut self, cx: &mut Cx<'_>) {
        let wake = self.event(Event::IdleTimeout);
        while let Some(key) = self.idle_timeout.next_due(wake, waits_for_target(self.id), cx) {
            self.answer_for_target(key, Outcome::failed(504, Cause::Alb504), cx);
        }
    }

    /// Answers a request that waits for its target. The target keeps the original: what it answers later is for nobody.
    fn answer_for_target(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let Holder::Alb(_, target) = request.top().holder else { return };
        // Who has left before gets no answer, and is counted as such.
        let outcome = match outcome {
            _ if self.flows.is_some() => Outcome::failed(0, Cause::ConnectionReset),
            _ if request.abandoned => Outcome { status: 460, ..outcome },
            _ => outcome,
        };
        let mut copy = request.detach();
        copy.target = TaskKey::NONE;
        let copy = cx.shared.requests.insert(copy);
        let node = self.groups[self.targets[target].room as usize].node as usize;
        self.release(target, cx);
        self.answer(copy, node, outcome, cx);
    }
}

/// Whether a request forwarded at an instant still waits for its target.
fn waits_for_target(alb: AlbId) -> impl Fn(&Request, SimTime) -> bool {
    move |request, since| {
        request.forwarded == since
            && request.depth() > 1
            && matches!(request.top().holder, Holder::Alb(holder, _) if holder == alb)
    }
}

impl Observed for Alb {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let groups = self.books.len();
        let rules = std::mem::take(&mut self.rules.evaluations);
        let active = self.connections.period_over();
        let active = self.flows.as_mut().map_or(active, |flows| flows.period_over(cx.now()));
        self.counts.publish(&self.groups, [active, rules], cx);
        if self.zones.count() > 1 {
            self.counts.publish_zones(self.groups.chunks(groups), cx);
        }
        for (at, book) in self.books.iter_mut().enumerate() {
            let rooms = self.groups.iter().skip(at).step_by(groups);
            book.metrics.publish(rooms, book.cross_zone, cx);
        }
        let now = cx.now();
        self.groups.iter_mut().for_each(|group| group.begin_period(now));
        if let Some(capacity) = &mut self.capacity {
            capacity.minute_over(cx.now());
        }
    }

    fn warm_up_over(&mut self, _now: SimTime) {
        self.counts.forget();
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        self.counts.finish(&self.name, findings);
        for (at, group) in self.groups.iter().enumerate() {
            let targets = self.targets.iter().filter(|(_, target)| target.room as usize == at);
            let outstanding: u64 = targets.map(|(_, target)| u64::from(target.outstanding)).sum();
            findings.check(
                format!("flow of {}/{}: forwarded = ended + outstanding", self.name, group.name),
                group.forwarded == group.ended + outstanding,
                format!("{} = {} + {outstanding}", group.forwarded, group.ended),
            );
        }
    }
}
