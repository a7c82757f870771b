//! A target group: who is registered, who gets requests, and whose turn it is.

use sim_core::random::{Draws, Source};
use sim_core::slab::Slab;
use sim_core::tally::Level;
use sim_core::{SimDuration, SimTime};

use super::health::{State, Target};
use super::metrics::GroupMetrics;
use super::{Algorithm, HealthCheck, TargetGroup, Targets};
use crate::ids::*;
use crate::request::*;
use crate::world::Cx;

/// A target that gets requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) target: TargetKey,
    pub(super) task: TaskKey,
    pub(super) to: Endpoint,
}

/// What targets of a group answered since the last period.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    pub(super) count: u64,
    /// Sum of the times from forwarding to answer.
    pub(super) waited: SimDuration,
    pub(super) errors: u64,
}

/// A target group at work.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) serves: Targets,
    pub(super) health: HealthCheck,
    pub(super) deregistration_delay: SimDuration,
    algorithm: Algorithm,
    /// Lanes of the health checks' interval and timeout.
    pub(super) check_interval: Hop,
    pub(super) check_timeout: Hop,
    /// Key of the phases of its health checks.
    pub(super) phases: u64,
    /// Registered and not draining, in order of registration.
    pub(super) members: Vec<TargetKey>,
    /// Of these, who gets requests: the healthy ones, or all where none is.
    seats: Vec<Seat>,
    /// Requests outstanding on each seat.
    pub(super) loads: Vec<u32>,
    /// Whose turn it is.
    turn: usize,
    /// Requests ever forwarded, and ended: answered by the target or in its place.
    pub(super) forwarded: u64,
    pub(super) ended: u64,
    pub(super) answers: Answers,
    pub(super) healthy: Level,
    pub(super) unhealthy: Level,
    /// Targets that get requests.
    pub(super) serving: Level,
    metrics: GroupMetrics,
}

impl Group {
    pub(super) fn new(
        alb: AlbId,
        id: TargetGroupId,
        alb_name: &str,
        settings: &TargetGroup,
        several: bool,
        cx: &mut Cx<'_>,
    ) -> Self {
        let full_name = format!("{alb_name}/{}", settings.name);
        Self {
            name: settings.name.clone(),
            serves: settings.targets,
            health: settings.health_check,
            deregistration_delay: settings.deregistration_delay,
            algorithm: settings.algorithm,
            check_interval: cx.hop(settings.health_check.interval),
            check_timeout: cx.hop(settings.health_check.timeout),
            phases: cx.shared.streams.key(&full_name, "health check phases"),
            members: Vec::new(),
            seats: Vec::new(),
            loads: Vec::new(),
            turn: 0,
            forwarded: 0,
            ended: 0,
            answers: Answers::default(),
            healthy: Level::new(),
            unhealthy: Level::new(),
            serving: Level::new(),
            metrics: GroupMetrics::new(alb, id, &full_name, several, cx),
        }
    }

    /// Chooses who gets a request and counts it there; `None` if nobody is registered.
    #[inline]
    pub(super) fn choose(&mut self, request: &Request) -> Option<Seat> {
        let count = self.seats.len();
        if count == 0 {
            return None;
        }
        let at = match self.algorithm {
            Algorithm::RoundRobin => self.turn,
            Algorithm::LeastOutstandingRequests => self.least_loaded(),
            Algorithm::WeightedRandom => draws(request, Choice::Target).below(count as u64) as usize,
            Algorithm::PowerOfTwo => self.less_loaded_of_two(draws(request, Choice::Target)),
        };
        self.turn = if at + 1 == count { 0 } else { at + 1 };
        self.loads[at] += 1;
        self.forwarded += 1;
        Some(self.seats[at])
    }

    /// The seat with the fewest outstanding requests; of several, the first in turn, so that an idle group is not served by
    /// its first target alone.
    fn least_loaded(&self) -> usize {
        // Two passes without a branch on the loads are faster than one with.
        let least = self.loads.iter().copied().min().unwrap_or(0);
        let (before, from_turn) = self.loads.split_at(self.turn);
        let is_least = |&load: &u32| load == least;
        match from_turn.iter().position(is_least) {
            Some(at) => self.turn + at,
            None => before.iter().position(is_least).unwrap_or(0),
        }
    }

    /// Of two different seats drawn at random the one with fewer outstanding requests, the first drawn if they have as many.
    fn less_loaded_of_two(&self, mut draws: Draws) -> usize {
        let count = self.seats.len() as u64;
        let first = draws.below(count) as usize;
        if count == 1 {
            return first;
        }
        // Any but the first: those from its place on are one further.
        let second = draws.below(count - 1) as usize;
        let second = second + usize::from(second >= first);
        if self.loads[second] < self.loads[first] { second } else { first }
    }

    /// Draws up anew who gets requests, after a target came, went or changed its health. The turn stays with the target that
    /// had it, or goes to the next that is still there.
    pub(super) fn seat_targets(&mut self, targets: &mut Slab<Target>, now: SimTime) {
        let healthy = self.members.iter().filter(|&&key| targets[key].state == State::Healthy).count();
        let unhealthy = self.members.iter().filter(|&&key| targets[key].state == State::Unhealthy).count();
        let after_turn = self.seats[self.turn..].iter().chain(&self.seats[..self.turn]);
        let in_turn: Vec<TargetKey> = after_turn.map(|seat| seat.target).collect();
        for seat in &self.seats {
            if let Some(target) = targets.get_mut(seat.target) {
                target.seat = Target::NO_SEAT;
            }
        }
        self.seats.clear();
        self.loads.clear();
        for &key in &self.members {
            let target = &mut targets[key];
            if healthy == 0 || target.state == State::Healthy {
                target.seat = self.seats.len() as u32;
                self.seats.push(Seat { target: key, task: target.task, to: target.to });
                self.loads.push(target.outstanding);
            }
        }
        let next = in_turn.iter().find_map(|&key| targets.get(key).filter(|target| target.seat != Target::NO_SEAT));
        self.turn = next.map_or(0, |target| target.seat as usize);
        self.healthy.set(now, healthy as i64);
        self.unhealthy.set(now, unhealthy as i64);
        self.serving.set(now, self.seats.len() as i64);
    }

    /// A target has answered.
    #[inline]
    pub(super) fn answered(&mut self, status: u16, waited: SimDuration) {
        self.answers.count += 1;
        self.answers.waited += waited;
        self.answers.errors += u64::from(status >= 500);
    }

    /// Publishes the period that ends now.
    pub(super) fn publish(&mut self, cx: &mut Cx<'_>) {
        let answers = std::mem::take(&mut self.answers);
        let levels = [&mut self.healthy, &mut self.unhealthy, &mut self.serving];
        self.metrics.publish(self.forwarded, answers, levels, cx);
    }
}

/// The choices a load balancer makes for a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    /// Of a target group.
    Group = 1,
    /// Of a target.
    Target = 2,
}

/// A request's own draws for one choice at one attempt; apart from all other purposes, among them the choice of a weighted
/// DNS answer, so that shares at successive forks do not go together.
#[inline]
pub(super) fn draws(request: &Request, choice: Choice) -> Draws {
    request.draws(purpose::CHOICE | (choice as u64) << 32 | u64::from(request.attempt) << 40)
}
