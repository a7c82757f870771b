//! Application Load Balancer: listener rules, weighted target groups, balancing algorithms, target health, draining.
//!
//! A request is matched by path to a rule, which answers it or forwards it to a target group by weight; the group chooses a
//! target among the healthy ones, or among all where none is healthy (fail open). The load balancer keeps its own book of
//! what each target owes it. It never sees a task: it knows what it sent, what came back, and what its health checks found.
//!
//! | what happens | answer | cause in the books |
//! |---|---|---|
//! | the group has no registered target | 503 | `Alb503` |
//! | the target closes the connection, or refuses it | 502 | the target's own, else `Alb502` |
//! | a draining target's deregistration delay ends before it answers | 502 | `Alb502` |
//! | the target is silent past the idle timeout | 504 | `Alb504` |
//! | a fixed response of 400 or more | as written | `AlbFixed` |
//! | the target answers, with whatever status | as it is | the target's own |
//!
//! Sources: Application Load Balancer user guide (target groups, health checks, troubleshooting, CloudWatch metrics). How a
//! target that timed out is dealt with: see [`Request::detach`]; the target works on, and nobody hears its late answer.
//!
//! Not modelled: more than one load balancer node (AWS keeps turns and checks health by node and zone), cross-zone settings,
//! stickiness, slow start, automatic target weights, target-group health thresholds, the 10 s connect timeout (a target that
//! is not there refuses at once), 460 for clients that left (the request is served and nobody waits), connection limits and
//! the load balancer's own scaling (it has room for everything, so `RejectedConnectionCount` is 0), TLS, HTTP/2 limits.

mod group;
mod health;
mod metrics;
#[cfg(test)]
mod tests;

use sim_core::observations::LogKind;
use sim_core::slab::Slab;
use sim_core::{SimDuration, SimTime};

use crate::deadlines::Deadlines;
use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::*;
use crate::world::{self, Control, Cx};
use group::Group;
use health::{State, Target};
use metrics::{Count, Counts};

/// A load balancer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Listener rules in order of priority; the last one is the default action.
    pub rules: Vec<Rule>,
    /// For each [`PathId`]: which rule matches first.
    pub rule_of_path: Vec<u16>,
    /// Target groups, by [`TargetGroupId`].
    pub target_groups: Vec<TargetGroup>,
    /// `idle_timeout.timeout_seconds` (60 s): a target silent for longer gives 504.
    pub idle_timeout: SimDuration,
    /// Time to process a request (assumption A8: 1 ms).
    pub added_latency: SimDuration,
    /// Round trip to targets.
    pub target_rtt: SimDuration,
}

/// A listener rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Path pattern as written (`*` for the default action).
    pub path_pattern: String,
    /// What is done.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Forward to one of up to five target groups by weight (0..=999).
    Forward(Vec<(TargetGroupId, u32)>),
    /// Answer with a status.
    FixedResponse(u16),
}

/// A target group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// `load_balancing.algorithm.type`.
    pub algorithm: Algorithm,
    /// Health checks.
    pub health_check: HealthCheck,
    /// `deregistration_delay.timeout_seconds` (300 s).
    pub deregistration_delay: SimDuration,
    /// Who serves.
    pub targets: Targets,
}

/// Who serves a target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The tasks of a service, registered and deregistered by ECS.
    Ecs(EcsId),
    /// Plain stations, each one target, registered for good.
    Station(StationId),
}

/// How a target is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// In turn (AWS's default).
    #[default]
    RoundRobin,
    /// The fewest requests in progress.
    LeastOutstandingRequests,
    /// At random, evenly.
    WeightedRandom,
    /// Two different ones at random, of these the one with fewer outstanding requests (Mitzenmacher 2001,
    /// doi:10.1109/71.963420). No ALB does this.
    PowerOfTwo,
}

/// Health checks of a target group.
#[derive(Clone, Copy, Debug)]
pub struct HealthCheck {
    /// Off: targets are healthy from registration on (for textbook queues).
    pub enabled: bool,
    /// `HealthCheckIntervalSeconds` (30 s).
    pub interval: SimDuration,
    /// `HealthCheckTimeoutSeconds` (5 s).
    pub timeout: SimDuration,
    /// `HealthyThresholdCount` (5); a new target needs one.
    pub healthy_threshold: u32,
    /// `UnhealthyThresholdCount` (2).
    pub unhealthy_threshold: u32,
}

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
}

/// What a rule does, ready to run.
#[derive(Debug)]
enum Prepared {
    Forward(Forward),
    Fixed(Outcome),
}

/// A weighted choice of a target group.
#[derive(Debug)]
struct Forward {
    /// Groups with the sum of the weights up to and including theirs.
    groups: Vec<(TargetGroupId, u64)>,
    total: u64,
}

/// A load balancer.
#[derive(Debug)]
pub struct Alb {
    id: AlbId,
    /// `alb.front`.
    name: String,
    rules: Vec<Prepared>,
    rule_of_path: Vec<u16>,
    groups: Vec<Group>,
    targets: Slab<Target>,
    /// To a target, and back.
    hop: Hop,
    /// Its own processing.
    processing: Hop,
    idle_timeout: Deadlines,
    /// Health checks made; each has its own random stream.
    checks: u64,
    check_stream: u64,
    counts: Counts,
}

impl Alb {
    /// Builds it.
    #[must_use]
    pub fn new(id: AlbId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("alb.{}", settings.name);
        let several = settings.target_groups.len() > 1;
        let groups = settings.target_groups.iter().enumerate();
        let groups = groups.map(|(at, group)| Group::new(id, TargetGroupId(at as u16), &name, group, several, cx));
        Self {
            id,
            groups: groups.collect(),
            rules: settings.rules.iter().map(|rule| prepare(&rule.action)).collect(),
            rule_of_path: settings.rule_of_path.clone(),
            targets: Slab::new(),
            hop: cx.hop(SimDuration::from_nanos(settings.target_rtt.as_nanos() / 2)),
            processing: cx.hop(settings.added_latency),
            idle_timeout: Deadlines::new(settings.idle_timeout),
            checks: 0,
            check_stream: cx.shared.streams.key(&name, "health checks"),
            counts: Counts::new(id, &name, cx),
            name,
        }
    }

    /// Registers the targets that are no tasks.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for group in 0..self.groups.len() as u16 {
            if let Targets::Station(station) = self.groups[group as usize].serves {
                self.register(TargetGroupId(group), Endpoint::Station(station), TaskKey::NONE, 1, cx);
            }
        }
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
        }
    }

    /// A request arrives.
    #[inline]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        match self.processing.lane() {
            None => self.route(key, cx),
            Some(lane) => cx.kernel.schedule_lane(lane, self.event(Event::Route(key))),
        }
    }

    /// Answers a request, or forwards it to a target.
    fn route(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let rule = self.rule_of_path.get(request.path.index()).map_or(self.rules.len() - 1, |&rule| rule as usize);
        let forward = match &self.rules[rule] {
            Prepared::Forward(forward) => forward,
            Prepared::Fixed(outcome) => {
                let outcome = *outcome;
                self.counts.add(Count::FixedResponse);
                self.counts.own_answer(outcome.status);
                return cx.reply(key, outcome);
            }
        };
        let chosen = forward.choose(request).and_then(|group| self.groups[group.index()].choose(request));
        let Some(seat) = chosen else {
            self.counts.own_answer(503);
            return cx.reply(key, Outcome::failed(503, Cause::Alb503));
        };
        request.forwarded = now;
        request.target = seat.task;
        request.push(Holder::Alb(self.id, seat.target), self.hop);
        self.targets[seat.target].outstanding += 1;
        self.counts.add(Count::Request);
        cx.offer(seat.to, key, self.hop);
        let wake = self.event(Event::IdleTimeout);
        self.idle_timeout.watch(key, wake, waits_for_target(self.id), cx);
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
        let mut outcome = request.outcome;
        if outcome.status == 0 {
            self.counts.own_answer(502);
            if outcome.cause == Cause::NoTask {
                self.counts.add(Count::TargetConnectionError);
            }
            outcome.status = 502;
            if outcome.cause == Cause::None {
                outcome.cause = Cause::Alb502;
            }
        } else {
            let (waited, bytes) = (now.since(request.forwarded), request.bytes);
            self.counts.target_answer(outcome.status, bytes);
            self.groups[self.targets[target].group.index()].answered(outcome.status, waited);
        }
        self.release(target, cx);
        cx.reply(key, outcome);
    }

    /// A target owes one request less.
    fn release(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        let target = &mut self.targets[key];
        target.outstanding -= 1;
        let group = &mut self.groups[target.group.index()];
        group.ended += 1;
        if let Some(load) = group.loads.get_mut(target.seat as usize) {
            *load -= 1;
        }
        if target.outstanding == 0 {
            match target.state {
                State::Draining => self.drained(key, cx),
                State::Gone => {
                    self.targets.remove(key);
                }
                _ => {}
            }
        }
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
        let mut copy = request.detach();
        copy.target = TaskKey::NONE;
        let copy = cx.shared.requests.insert(copy);
        self.counts.own_answer(outcome.status);
        self.release(target, cx);
        cx.reply(copy, outcome);
    }

    /// A target joins a group; `number` tells it from the others there ever were in it. At the start of a run it is healthy: the architecture has been up for a while.
    pub fn register(&mut self, group: TargetGroupId, to: Endpoint, task: TaskKey, number: u32, cx: &mut Cx<'_>) {
        if self.find(group, task).is_some() {
            return;
        }
        let room = &mut self.groups[group.index()];
        let healthy = !room.health.enabled || cx.now() == SimTime::ZERO;
        let state = if healthy { State::Healthy } else { State::Initial };
        let target = self.targets.insert(Target::new(group, number, to, task, state));
        room.members.push(target);
        room.seat_targets(&mut self.targets, cx.now());
        if healthy {
            self.tell_service(target, true, cx);
        }
        self.schedule_first_check(target, cx);
    }

    /// The target of a task that is registered with a group.
    fn find(&self, group: TargetGroupId, task: TaskKey) -> Option<TargetKey> {
        let members = &self.groups[group.index()].members;
        members.iter().copied().find(|&target| self.targets[target].task == task)
    }

    /// Takes a target out of its group: no new requests from now on.
    fn unseat(&mut self, key: TargetKey, state: State, cx: &mut Cx<'_>) {
        let target = &mut self.targets[key];
        target.state = state;
        let group = &mut self.groups[target.group.index()];
        group.members.retain(|&member| member != key);
        group.seat_targets(&mut self.targets, cx.now());
    }

    /// A target leaves a group: it may finish what it has within the deregistration delay.
    pub fn deregister(&mut self, group: TargetGroupId, task: TaskKey, cx: &mut Cx<'_>) {
        let room = &self.groups[group.index()];
        let Some(key) = self.find(group, task) else {
            // Nothing to drain: whoever waits for the end of it hears so at once.
            if let Targets::Ecs(service) = room.serves {
                cx.control(Control::Drained(service, task));
            }
            return;
        };
        let delay = room.deregistration_delay;
        self.unseat(key, State::Draining, cx);
        if self.targets[key].outstanding == 0 || delay.is_zero() {
            self.drained(key, cx);
        } else {
            cx.kernel.schedule_in(delay, self.event(Event::DrainOver(key)));
        }
    }

    /// A draining target has finished what it had, or has had its deregistration delay: what it has not answered by then gets
    /// 502 (user guide, troubleshooting).
    fn drained(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        let Some(target) = self.targets.get_mut(key).filter(|target| target.state == State::Draining) else { return };
        // From here on the last answer does not end the draining a second time.
        target.state = State::Gone;
        let (to, task) = (target.to, target.task);
        if target.outstanding == 0 {
            self.targets.remove(key);
        } else {
            self.break_connections(key, cx);
        }
        if let Endpoint::Ecs(service) = to {
            cx.control(Control::Drained(service, task));
        }
    }

    /// Answers everything that waits for a target. Rare enough to look for it among all requests.
    fn break_connections(&mut self, target: TargetKey, cx: &mut Cx<'_>) {
        let holder = Holder::Alb(self.id, target);
        let waiting = cx.shared.requests.iter().filter(|(_, it)| it.depth() > 1 && it.top().holder == holder);
        let waiting: Vec<RequestKey> = waiting.map(|(key, _)| key).collect();
        for key in waiting {
            self.answer_for_target(key, Outcome::failed(502, Cause::Alb502), cx);
        }
    }

    /// A target is gone at once (its task was stopped without draining): its connections break. Each of its requests comes
    /// back without an answer, from the task that died with it or from where the task was.
    pub fn target_gone(&mut self, group: TargetGroupId, task: TaskKey, cx: &mut Cx<'_>) {
        let draining = || {
            let mut targets = self.targets.iter().filter(|(_, target)| target.group == group && target.task == task);
            targets.next().map(|(key, _)| key)
        };
        let Some(key) = self.find(group, task).or_else(draining) else { return };
        self.unseat(key, State::Gone, cx);
        if self.targets[key].outstanding == 0 {
            self.targets.remove(key);
        }
    }

    /// Blue/green: what went to `from` goes to `to`, and the other way round.
    pub fn switch_traffic(&mut self, from: TargetGroupId, to: TargetGroupId, cx: &mut Cx<'_>) {
        for rule in &mut self.rules {
            let Prepared::Forward(forward) = rule else { continue };
            for (group, _) in &mut forward.groups {
                if *group == from {
                    *group = to;
                } else if *group == to {
                    *group = from;
                }
            }
        }
        let (from, to) = (&self.groups[from.index()].name, &self.groups[to.index()].name);
        let what = format!("traffic of target group {from} goes to {to}");
        cx.shared.observer.log(cx.kernel.now(), LogKind::Deployment, &self.name, what);
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

impl Forward {
    /// Whose turn it is by the request's own draw, so that it is the same in every variant; a retry draws anew.
    #[inline]
    fn choose(&self, request: &Request) -> Option<TargetGroupId> {
        use sim_core::random::Source;
        if let [(only, _)] = self.groups[..] {
            return Some(only);
        }
        let draw = group::draws(request, group::Choice::Group).below(self.total);
        self.groups.iter().find(|&&(_, up_to)| draw < up_to).map(|&(group, _)| group)
    }
}

fn prepare(action: &Action) -> Prepared {
    match action {
        Action::Forward(weighted) => {
            let mut total = 0;
            let groups = weighted.iter().map(|&(group, weight)| {
                total += u64::from(weight);
                (group, total)
            });
            let groups = groups.collect();
            Prepared::Forward(Forward { groups, total })
        }
        Action::FixedResponse(status) => {
            let cause = if *status >= 400 { Cause::AlbFixed } else { Cause::None };
            Prepared::Fixed(Outcome { status: *status, cause })
        }
    }
}

impl Observed for Alb {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let answers = self.groups.iter().map(|group| group.answers);
        self.counts.publish(answers, cx);
        self.groups.iter_mut().for_each(|group| group.publish(cx));
    }

    fn warm_up_over(&mut self, _now: SimTime) {
        self.counts.forget();
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        self.counts.finish(&self.name, findings);
        for (at, group) in self.groups.iter().enumerate() {
            let targets = self.targets.iter().filter(|(_, target)| target.group.index() == at);
            let outstanding: u64 = targets.map(|(_, target)| u64::from(target.outstanding)).sum();
            findings.check(
                format!("flow of {}/{}: forwarded = ended + outstanding", self.name, group.name),
                group.forwarded == group.ended + outstanding,
                format!("{} = {} + {outstanding}", group.forwarded, group.ended),
            );
        }
    }
}
