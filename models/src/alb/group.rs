//! A target group as one node of the load balancer has it: who is registered, who gets requests, and whose turn it is.

use sim_core::random::{Draws, Source as _};
use sim_core::slab::Slab;
use sim_core::tally::{Histogram, Level};
use sim_core::{SimDuration, SimTime};

use super::anomaly;
use super::health::{State, Target};
use super::{Algorithm, Choice, HealthCheck, Minimum, TargetGroup, draws};
use crate::cloudwatch::StatisticSet;
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

impl Answers {
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.waited += other.waited;
        self.errors += other.errors;
    }
}

/// A target that is new and comes to its full share little by little.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    since: SimTime,
    /// Turns it has earned and not had, 0..1.
    credit: f64,
}

/// The least and the greatest number of targets seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    least: u32,
    greatest: u32,
}

impl Extent {
    fn of(targets: u32) -> Self {
        Self { least: targets, greatest: targets }
    }
    fn see(&mut self, targets: u32) {
        self.least = self.least.min(targets);
        self.greatest = self.greatest.max(targets);
    }
    /// As statistics of the period.
    pub(super) fn with_mean(self, mean: f64) -> StatisticSet {
        StatisticSet::of_level(mean, f64::from(self.least), f64::from(self.greatest))
    }
}

/// A target group at work in a node.
#[derive(Debug)]
pub(super) struct Group {
    /// Its name, with the zone of the node where there are several.
    pub(super) name: String,
    pub(super) node: u8,
    pub(super) health: HealthCheck,
    algorithm: Algorithm,
    pub(super) dns_failover: Minimum,
    pub(super) routing: Minimum,
    slow_start: SimDuration,
    /// Whether anomalies are looked for, and whether weights follow from them.
    pub(super) detects: bool,
    pub(super) mitigates: bool,
    /// A zone whose targets get nothing.
    pub(super) shifted: Option<u8>,
    /// Lanes of the health checks' interval and timeout.
    pub(super) check_interval: Hop,
    pub(super) check_timeout: Hop,
    /// Key of the phases of its health checks.
    pub(super) phases: u64,
    /// Registered and not draining, in order of registration.
    pub(super) members: Vec<TargetKey>,
    /// Of these, who gets requests: the healthy ones, or all where too few are.
    pub(super) seats: Vec<Seat>,
    /// Requests outstanding on each seat.
    pub(super) loads: Vec<u32>,
    /// Which seats come to their share little by little; empty where none does.
    ramps: Vec<Option<Ramp>>,
    /// Sums of the seats' weights up to and including theirs; empty where all have the same.
    weights: Vec<f64>,
    /// Whose turn it is.
    turn: usize,
    /// Requests ever forwarded, and ended: answered by the target or in its place.
    pub(super) forwarded: u64,
    pub(super) ended: u64,
    pub(super) answers: Answers,
    /// Times of the answers since the last period, where an alarm wants to know them.
    pub(super) times: Option<Box<Histogram>>,
    /// Least and greatest numbers of healthy and of unhealthy targets since the last period.
    pub(super) extents: [Extent; 2],
    pub(super) healthy: Level,
    pub(super) unhealthy: Level,
    /// Targets that get requests.
    pub(super) serving: Level,
    /// Targets found to be anomalous, and those with less weight for it.
    pub(super) anomalous: Level,
    pub(super) mitigated: Level,
}

impl Group {
    /// `name` is the load balancer's.
    pub(super) fn new(name: &str, settings: &TargetGroup, node: usize, suffix: &str, cx: &mut Cx<'_>) -> Self {
        let random = settings.algorithm == Algorithm::WeightedRandom;
        Self {
            name: format!("{}{suffix}", settings.name),
            node: node as u8,
            health: settings.health_check,
            algorithm: settings.algorithm,
            dns_failover: settings.dns_failover,
            routing: settings.unhealthy_state_routing,
            slow_start: settings.slow_start,
            detects: random,
            mitigates: random && settings.anomaly_mitigation,
            shifted: None,
            check_interval: cx.hop(settings.health_check.interval),
            check_timeout: cx.hop(settings.health_check.timeout),
            phases: cx.shared.streams.key(&format!("{name}/{}{suffix}", settings.name), "health check phases"),
            members: Vec::new(),
            seats: Vec::new(),
            loads: Vec::new(),
            ramps: Vec::new(),
            weights: Vec::new(),
            turn: 0,
            forwarded: 0,
            ended: 0,
            answers: Answers::default(),
            times: None,
            extents: [Extent::default(); 2],
            healthy: Level::new(),
            unhealthy: Level::new(),
            serving: Level::new(),
            anomalous: Level::new(),
            mitigated: Level::new(),
        }
    }

    /// Chooses the seat that gets a request; `None` if nobody is registered.
    #[inline(always)]
    pub(super) fn choose(&mut self, request: &Request, now: SimTime) -> Option<usize> {
        let count = self.seats.len();
        if count == 0 {
            return None;
        }
        let at = match self.algorithm {
            Algorithm::RoundRobin if self.ramps.is_empty() => self.turn,
            Algorithm::RoundRobin => self.next_with_ramps(now),
            Algorithm::LeastOutstandingRequests => self.least_loaded(),
            Algorithm::WeightedRandom => self.at_random(draws(request, Choice::Target)),
            Algorithm::PowerOfTwo => self.less_loaded_of_two(draws(request, Choice::Target)),
        };
        self.turn = if at + 1 == count { 0 } else { at + 1 };
        Some(at)
    }

    /// The seat of the task a client stays with, if it still gets requests.
    pub(super) fn of_task(&self, task: TaskKey) -> Option<usize> {
        self.seats.iter().position(|seat| seat.task == task)
    }

    /// Gives a connection to a seat by hash; `None` if nobody is registered.
    pub(super) fn by_hash(&mut self, mut hash: Draws) -> Option<Seat> {
        let count = self.seats.len() as u64;
        (count > 0).then(|| self.take(hash.below(count) as usize))
    }

    /// Gives a request to a seat, and counts it.
    #[inline(always)]
    pub(super) fn take(&mut self, at: usize) -> Seat {
        self.loads[at] += 1;
        self.forwarded += 1;
        self.seats[at]
    }

    /// Slow start: at each of its turns a ramping target earns the share of a request that it is up to (user guide, target
    /// groups: the share grows linearly), and is passed over until it has earned a whole one.
    #[inline(never)]
    fn next_with_ramps(&mut self, now: SimTime) -> usize {
        let count = self.seats.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            let Some(ramp) = &mut self.ramps[at] else { return at };
            let share = now.since(ramp.since).as_secs_f64() / self.slow_start.as_secs_f64();
            if share >= 1.0 {
                self.ramps[at] = None;
                if self.ramps.iter().all(Option::is_none) {
                    self.ramps.clear();
                }
                return at;
            }
            ramp.credit += share;
            if ramp.credit >= 1.0 {
                ramp.credit -= 1.0;
                return at;
            }
        }
        self.turn
    }

    /// At random, by weight if there are any.
    #[inline(never)]
    fn at_random(&self, mut draws: Draws) -> usize {
        let Some(total) = self.weights.last() else { return draws.below(self.seats.len() as u64) as usize };
        let u = draws.uniform();
        self.weights.partition_point(|&up_to| up_to <= u * total).min(self.seats.len() - 1)
    }

    /// The seat with the fewest outstanding requests; of several, the first in turn, so that an idle group is not served by
    /// its first target alone.
    fn least_loaded(&self) -> usize {
        // One number of load and place in turn for each seat, of which the least is selected: which that is, is anybody's guess, also the
        // branch predictor's, and one loop over all of them always has the same length. Places before the turn wrap around to the end.
        let (mut least, mut place) = (u64::MAX, 0u32.wrapping_sub(self.turn as u32));
        for &load in &self.loads {
            least = least.min(u64::from(load) << 32 | u64::from(place));
            place = place.wrapping_add(1);
        }
        (least as u32).wrapping_add(self.turn as u32) as usize
    }

    /// Of two different seats drawn at random the one with fewer outstanding requests, the first drawn if they have as many.
    #[inline(never)]
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
        let count = |state| self.members.iter().filter(|&&key| targets[key].state == state).count();
        let (healthy, unhealthy) = (count(State::Healthy), count(State::Unhealthy));
        let after_turn = self.seats[self.turn..].iter().chain(&self.seats[..self.turn]);
        let in_turn: Vec<TargetKey> = after_turn.map(|seat| seat.target).collect();
        for seat in &self.seats {
            if let Some(target) = targets.get_mut(seat.target) {
                target.seat = Target::NO_SEAT;
            }
        }
        self.seats.clear();
        self.loads.clear();
        for key in self.served_by(targets) {
            let target = &mut targets[key];
            target.seat = self.seats.len() as u32;
            self.seats.push(Seat { target: key, task: target.task, to: target.to });
            self.loads.push(target.outstanding);
        }
        let next = in_turn.iter().find_map(|&key| targets.get(key).filter(|target| target.seat != Target::NO_SEAT));
        self.turn = next.map_or(0, |target| target.seat as usize);
        self.ramp_up(targets, now);
        self.weigh(targets);
        self.extents[0].see(healthy as u32);
        self.extents[1].see(unhealthy as u32);
        self.healthy.set(now, healthy as i64);
        self.unhealthy.set(now, unhealthy as i64);
        self.serving.set(now, self.seats.len() as i64);
    }

    /// Who is to get requests: the healthy ones, or all where fewer are than routing wants. A zonal shift leaves out the
    /// targets of its zone, unless there are no others.
    fn served_by(&self, targets: &Slab<Target>) -> Vec<TargetKey> {
        let elsewhere = |key: &&TargetKey| self.shifted.is_none_or(|zone| targets[**key].zone != Some(zone));
        let mut candidates: Vec<TargetKey> = self.members.iter().filter(elsewhere).copied().collect();
        if candidates.is_empty() {
            candidates.clone_from(&self.members);
        }
        let healthy = |key: &TargetKey| targets[*key].state == State::Healthy;
        let count = candidates.iter().filter(|key| healthy(key)).count();
        if count > 0 && self.routing.is_met(count, candidates.len()) {
            candidates.retain(healthy);
        }
        candidates
    }

    /// Whether it sends requests to unhealthy targets, too few being healthy.
    pub(super) fn is_open(&self, targets: &Slab<Target>) -> bool {
        self.seats.iter().any(|seat| targets[seat.target].state != State::Healthy)
    }

    /// Slow start needs a healthy target that is not ramping itself (user guide, target groups).
    fn ramp_up(&mut self, targets: &Slab<Target>, now: SimTime) {
        self.ramps.clear();
        if self.slow_start.is_zero() {
            return;
        }
        let ramp = |seat: &Seat| {
            let since = targets[seat.target].ramps_since.filter(|&since| since + self.slow_start > now)?;
            Some(Ramp { since, credit: 0.0 })
        };
        let ramps: Vec<Option<Ramp>> = self.seats.iter().map(ramp).collect();
        if ramps.iter().any(Option::is_some) && !ramps.iter().all(Option::is_some) {
            self.ramps = ramps;
        }
    }

    /// Sums up the weights that anomaly mitigation has given.
    fn weigh(&mut self, targets: &Slab<Target>) {
        self.weights.clear();
        if self.mitigates && self.seats.iter().any(|seat| targets[seat.target].weight < 1.0) {
            let mut total = 0.0;
            self.weights.extend(self.seats.iter().map(|seat| {
                total += targets[seat.target].weight;
                total
            }));
        }
    }

    /// Looks for targets that fail far more often than the others, and gives them less weight or more again.
    pub(super) fn look_for_anomalies(&mut self, targets: &mut Slab<Target>, now: SimTime) {
        let recent: Vec<anomaly::Recent> =
            self.seats.iter().map(|seat| std::mem::take(&mut targets[seat.target].recent)).collect();
        let found = anomaly::find(&recent);
        let mut mitigated = 0;
        if self.mitigates {
            for (seat, &anomalous) in self.seats.iter().zip(&found) {
                let weight = &mut targets[seat.target].weight;
                *weight = anomaly::weight(*weight, anomalous);
                mitigated += i64::from(*weight < 1.0);
            }
            self.weigh(targets);
        }
        self.anomalous.set(now, found.iter().filter(|&&anomalous| anomalous).count() as i64);
        self.mitigated.set(now, mitigated);
    }

    /// Healthy, unhealthy, serving, anomalous and mitigated targets.
    pub(super) fn levels(&self) -> [&Level; 5] {
        [&self.healthy, &self.unhealthy, &self.serving, &self.anomalous, &self.mitigated]
    }

    /// A target has answered.
    #[inline]
    pub(super) fn answered(&mut self, status: u16, waited: SimDuration) {
        self.answers.count += 1;
        self.answers.waited += waited;
        self.answers.errors += u64::from(status >= 500);
        if let Some(times) = &mut self.times {
            times.record(waited);
        }
    }

    /// The period is published: the next begins.
    pub(super) fn begin_period(&mut self, now: SimTime) {
        self.answers = Answers::default();
        if let Some(times) = &mut self.times {
            times.clear();
        }
        let levels =
            [&mut self.healthy, &mut self.unhealthy, &mut self.serving, &mut self.anomalous, &mut self.mitigated];
        levels.into_iter().for_each(|level| level.reset(now));
        self.extents = [&self.healthy, &self.unhealthy].map(|level| Extent::of(level.get() as u32));
    }
}
