//! Target health: checks, thresholds, and who hears of a change.
//!
//! Each target of a group is checked every interval at its own phase, whatever the time the answers take (user guide, health
//! checks). Every node of the load balancer checks on its own, and has its own view. A new target needs one success, an
//! unhealthy one `HealthyThresholdCount` in a row. Draining targets are not checked: their health decides nothing any more. The
//! service of a target counts it healthy while every node that checks it does (AWS does not say how views that differ are
//! reported).

use sim_core::math::mix;
use sim_core::observations::{LogKind, Phase};
use sim_core::random::{Draws, Source};

use super::anomaly::Recent;
use super::*;

/// What the load balancer holds a target for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Registered, not yet checked successfully: no requests, unless the group fails open.
    Initial,
    Healthy,
    Unhealthy,
    /// Deregistered: no new requests, those it has may end.
    Draining,
    /// Gone: stays until the last of its requests has come back.
    Gone,
}

/// A target as a node has it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) group: TargetGroupId,
    /// Its group in the node: an index of all groups of all nodes.
    pub(super) room: u16,
    /// The zone of the load balancer it stands in, if it stands in one.
    pub(super) zone: Option<u8>,
    /// Its number within the group: for a task, its number within its service.
    pub(super) number: u32,
    pub(super) to: Endpoint,
    pub(super) task: TaskKey,
    pub(super) state: State,
    /// Checks in a row that went well, and badly.
    pub(super) successes: u32,
    pub(super) failures: u32,
    /// Requests forwarded to it and not ended.
    pub(super) outstanding: u32,
    /// Its place among the group's seats.
    pub(super) seat: u32,
    /// Whether it is to begin with a part of its share once it is healthy, and since when it does.
    pub(super) begins_slowly: bool,
    pub(super) ramps_since: Option<SimTime>,
    /// Its weight by anomaly mitigation, and what that is judged by.
    pub(super) weight: f64,
    pub(super) recent: Recent,
}

impl Target {
    /// The seat of a target that gets no requests.
    pub(super) const NO_SEAT: u32 = u32::MAX;

    pub(super) fn new(group: TargetGroupId, room: usize, number: u32, to: Endpoint, task: TaskKey) -> Self {
        Self {
            group,
            room: room as u16,
            zone: None,
            number,
            to,
            task,
            state: State::Initial,
            successes: 0,
            failures: 0,
            outstanding: 0,
            seat: Self::NO_SEAT,
            begins_slowly: false,
            ramps_since: None,
            weight: 1.0,
            recent: Recent::default(),
        }
    }

    /// Takes note of a check; returns whether it became healthy (true) or unhealthy (false) by it.
    pub(super) fn checked(&mut self, success: bool, settings: &HealthCheck) -> Option<bool> {
        if success {
            self.failures = 0;
            self.successes = self.successes.saturating_add(1);
        } else {
            self.successes = 0;
            self.failures = self.failures.saturating_add(1);
        }
        let becomes = match self.state {
            State::Initial if success => State::Healthy,
            State::Initial | State::Healthy if self.failures >= settings.unhealthy_threshold => State::Unhealthy,
            State::Unhealthy if self.successes >= settings.healthy_threshold => State::Healthy,
            _ => return None,
        };
        self.state = becomes;
        Some(becomes == State::Healthy)
    }
}

impl Alb {
    /// The first check comes somewhere within an interval.
    pub(super) fn schedule_first_check(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        let target = &self.targets[key];
        let group = &self.groups[target.room as usize];
        // Nodes of a Network Load Balancer agree: the first checks for all.
        let first = || self.copies(target.group, target.task).next() == Some(key);
        if group.health.enabled && (self.flows.is_none() || first()) {
            let phase = Draws::new(group.phases, u64::from(target.number)).uniform();
            cx.kernel.schedule_in(group.health.interval.scale(phase), self.event(Event::Check(key)));
        }
    }

    /// A target is due for a check.
    pub(super) fn check(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        let Some(target) = self.targets.get(key) else { return };
        if matches!(target.state, State::Draining | State::Gone) {
            return;
        }
        self.checks += 1;
        let holder = Holder::TargetProbe(self.id, key);
        let mut probe = Request::new(mix(self.check_stream, self.checks), cx.now(), holder, self.hop);
        probe.purpose = Purpose::HealthCheck;
        probe.target = target.task;
        let probe = cx.shared.requests.insert(probe);
        cx.offer(target.to, probe, self.hop);
        let group = &self.groups[target.room as usize];
        match group.check_timeout.lane() {
            Some(lane) => cx.kernel.schedule_lane(lane, self.event(Event::CheckTimeout(probe))),
            None => cx.kernel.schedule_in(SimDuration::ZERO, self.event(Event::CheckTimeout(probe))),
        }
        // Validation bounds the interval from below; without one there would be no end of checks in this instant.
        if let Some(lane) = group.check_interval.lane() {
            cx.kernel.schedule_lane(lane, self.event(Event::Check(key)));
        }
    }

    /// A check is not answered in time. Whoever has the probe may still answer it: it is removed then.
    pub(super) fn check_timed_out(&mut self, probe: RequestKey, cx: &mut Cx<'_>) {
        let Some(request) = cx.shared.requests.get_mut(probe) else { return };
        let Holder::TargetProbe(_, target) = request.top().holder else { return };
        request.abandoned = true;
        self.checked(target, false, "timed out", cx);
    }

    /// A health check comes back from a target; its frame has been taken off.
    pub fn on_probe_reply(&mut self, key: RequestKey, target: TargetKey, cx: &mut Cx<'_>) {
        let Some(probe) = cx.shared.requests.remove(key) else { return };
        if probe.abandoned {
            return;
        }
        let (success, how) = match probe.outcome {
            Outcome { status: 200, cause: Cause::None } => (true, ""),
            Outcome { status: 0, .. } => (false, "refused"),
            _ => (false, "answered badly"),
        };
        self.checked(target, success, how, cx);
    }

    fn checked(&mut self, key: TargetKey, success: bool, how: &str, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(target) = self.targets.get_mut(key) else { return };
        let group = &mut self.groups[target.room as usize];
        let first_failure = !success && target.state == State::Healthy && target.failures == 0;
        let recovered = success && target.state == State::Healthy && target.failures > 0;
        let Some(healthy) = target.checked(success, &group.health) else {
            if first_failure {
                cx.phase(&self.name, Phase::Detection);
            } else if recovered {
                self.tell_settled(cx);
            }
            return;
        };
        target.ramps_since = (healthy && target.begins_slowly).then_some(now);
        // A target that comes back begins slowly too.
        target.begins_slowly = true;
        let who = match target.to {
            Endpoint::Ecs(_) => format!("task {}", target.number),
            Endpoint::Ec2(_) => format!("instance {}", target.number),
            _ => "the target".to_owned(),
        };
        group.seat_targets(&mut self.targets, now);
        let (up, all) = (group.healthy.get(), group.members.len());
        let what = if healthy {
            format!("{who} is healthy in {}: {up} of {all}", group.name)
        } else {
            let open = if group.is_open(&self.targets) { "; fails open: requests go to all of them" } else { "" };
            format!("{who} is unhealthy in {} ({how}): {up} of {all} healthy{open}", group.name)
        };
        cx.shared.observer.log(now, LogKind::Health, &self.name, what);
        if self.flows.is_some() {
            self.agree(key, cx);
        }
        if !healthy {
            cx.phase(&self.name, Phase::Routing);
            self.tell_settled(cx);
        }
        self.tell_service(key, healthy, cx);
        self.review_zones(cx);
    }

    /// The downtime ledger is told how far the load balancer is: it has found out while no target that still gets requests has
    /// failed its last check, and from then on it sends none to those that have failed enough of them.
    fn tell_settled(&self, cx: &mut Cx<'_>) {
        let suspected = |target: &Target| target.state == State::Healthy && target.failures > 0;
        if self.targets.iter().any(|(_, target)| suspected(target)) {
            cx.phase(&self.name, Phase::Detection);
        } else {
            cx.settling(&self.name);
        }
    }

    /// Nodes of a Network Load Balancer are of one mind, and break the connections to a target that is unhealthy (NLB guide, target
    /// groups: by default), unless there is no better one.
    fn agree(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        let (state, group, task) = (self.targets[key].state, self.targets[key].group, self.targets[key].task);
        let copies: Vec<TargetKey> = self.copies(group, task).collect();
        for copy in copies {
            self.targets[copy].state = state;
            let room = self.targets[copy].room as usize;
            self.groups[room].seat_targets(&mut self.targets, cx.now());
            if self.targets[copy].seat == Target::NO_SEAT {
                self.break_connections(copy, cx);
            }
        }
    }

    /// The service of a target hears of its health: good news once every node has it healthy.
    pub(super) fn tell_service(&self, key: TargetKey, healthy: bool, cx: &mut Cx<'_>) {
        let target = &self.targets[key];
        let Some(service) = target.to.service() else { return };
        let (group, task) = (target.group, target.task);
        if !healthy || self.copies(group, task).all(|copy| self.targets[copy].state == State::Healthy) {
            cx.control(Control::TargetHealth(service, task, healthy));
        }
    }

    /// A target as each node has it that does.
    pub(super) fn copies(&self, group: TargetGroupId, task: TaskKey) -> impl Iterator<Item = TargetKey> {
        let members = self.rooms_of(group).flat_map(|room| &self.groups[room].members);
        members.copied().filter(move |&target| self.targets[target].task == task)
    }

    /// Sees to it that the load balancer's name has the addresses of the zones with enough healthy targets. A group without
    /// targets in a zone does not count there: its requests get 503, as documented for zones without targets.
    pub(super) fn review_zones(&mut self, cx: &mut Cx<'_>) {
        let nodes = self.zones.count();
        let mut fit = false;
        for node in 0..nodes {
            let mut counting = false;
            let enough = self.books.iter().enumerate().all(|(group, _)| {
                let room = &self.groups[node * self.books.len() + group];
                let counts = !room.members.is_empty() && self.rules.forward_to(TargetGroupId(group as u16));
                counting |= counts;
                !counts || room.dns_failover.is_met(room.healthy.get() as usize, room.members.len())
            });
            self.zones.set_healthy(node, enough);
            fit |= enough && counting;
        }
        if fit != std::mem::replace(&mut self.fit, fit) {
            cx.down(&self.name, !fit);
            cx.control(Control::AliasHealth(self.id, fit));
        }
        if nodes == 1 {
            return;
        }
        let (left, came) = self.zones.review(cx.now());
        for (zone, name) in self.zones.names.iter().enumerate() {
            let moved = [(left, "leaves"), (came, "is back in")].into_iter().find(|(which, _)| which & 1 << zone != 0);
            if let Some((_, how)) = moved {
                let what = format!("the address in {name} {how} DNS; clients follow within 60 s");
                cx.shared.observer.log(cx.kernel.now(), LogKind::Health, &self.name, what);
            }
        }
    }
}
