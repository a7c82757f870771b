//! Who is registered: targets come, drain and go. A target is registered with every node that may send to it.

use sim_core::observations::Phase;

use super::*;

impl Alb {
    /// A target joins a group; `number` tells it from the others there ever were in it, `zone` is the number of its zone within
    /// its service. At the start of a run it is healthy: the architecture has been up for a while.
    pub fn register(
        &mut self,
        group: TargetGroupId,
        to: Endpoint,
        task: TaskKey,
        zone: Option<u8>,
        number: u32,
        cx: &mut Cx<'_>,
    ) {
        if self.copies(group, task).next().is_some() {
            return;
        }
        let book = &self.books[group.index()];
        let zone = zone.and_then(|zone| book.zone_of_target.get(zone as usize).copied());
        let cross_zone = book.cross_zone;
        let rooms: Vec<usize> = self.rooms_of(group).collect();
        for room in rooms {
            let apart = zone.is_some_and(|zone| zone != self.groups[room].node);
            if cross_zone || !apart {
                self.register_in(room, Target { zone, ..Target::new(group, room, number, to, task) }, cx);
            }
        }
        let copies: Vec<TargetKey> = self.copies(group, task).collect();
        if let Some(&first) = copies.first().filter(|&&first| self.targets[first].state == State::Healthy) {
            self.tell_service(first, true, cx);
        }
        for copy in copies {
            self.schedule_first_check(copy, cx);
        }
        self.review_zones(cx);
    }

    fn register_in(&mut self, room: usize, target: Target, cx: &mut Cx<'_>) {
        let now = cx.now();
        let group = &mut self.groups[room];
        let healthy = !group.health.enabled || now == SimTime::ZERO;
        let others = group.healthy.get() > 0;
        // Targets of an empty group begin at once with their full share (user guide, target groups).
        let begins_slowly = others && now > SimTime::ZERO;
        let ramps_since = (healthy && begins_slowly).then_some(now);
        let state = if healthy { State::Healthy } else { State::Initial };
        let target = self.targets.insert(Target { state, begins_slowly, ramps_since, ..target });
        let group = &mut self.groups[room];
        group.members.push(target);
        group.seat_targets(&mut self.targets, now);
    }

    /// Takes a target out of its group: no new requests from now on.
    fn unseat(&mut self, key: TargetKey, state: State, cx: &mut Cx<'_>) {
        let target = &mut self.targets[key];
        target.state = state;
        let group = &mut self.groups[target.room as usize];
        group.members.retain(|&member| member != key);
        group.seat_targets(&mut self.targets, cx.now());
    }

    /// A target leaves a group: it may finish what it has within the deregistration delay.
    pub fn deregister(&mut self, group: TargetGroupId, task: TaskKey, cx: &mut Cx<'_>) {
        let copies: Vec<TargetKey> = self.copies(group, task).collect();
        let book = &self.books[group.index()];
        if copies.is_empty() {
            // Nothing to drain: whoever waits for the end of it hears so at once.
            if let Some(service) = book.serves.service() {
                cx.control(Control::Drained(service, task));
            }
            return;
        }
        let delay = book.deregistration_delay;
        for &key in &copies {
            self.unseat(key, State::Draining, cx);
        }
        for key in copies {
            let idle = self.targets[key].outstanding == 0 && self.flows.is_none();
            if idle || delay.is_zero() {
                self.drained(key, cx);
            } else {
                cx.kernel.schedule_in(delay, self.event(Event::DrainOver(key)));
            }
        }
        self.review_zones(cx);
    }

    /// A draining target has finished what it had, or has had its deregistration delay: what it has not answered by then gets
    /// 502 (user guide, troubleshooting).
    pub(super) fn drained(&mut self, key: TargetKey, cx: &mut Cx<'_>) {
        let Some(target) = self.targets.get_mut(key).filter(|target| target.state == State::Draining) else { return };
        // From here on the last answer does not end the draining a second time.
        target.state = State::Gone;
        let (to, group, task) = (target.to, target.group, target.task);
        if target.outstanding == 0 {
            self.targets.remove(key);
        } else {
            self.break_connections(key, cx);
        }
        let elsewhere =
            |(_, it): (TargetKey, &Target)| it.state == State::Draining && (it.group, it.task) == (group, task);
        if let Some(service) = to.service()
            && !self.targets.iter().any(elsewhere)
        {
            cx.control(Control::Drained(service, task));
        }
    }

    /// Answers everything that waits for a target. Rare enough to look for it among all requests.
    pub(super) fn break_connections(&mut self, target: TargetKey, cx: &mut Cx<'_>) {
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
        let of_task = |(_, it): &(TargetKey, &Target)| it.state != State::Gone && (it.group, it.task) == (group, task);
        let copies: Vec<TargetKey> = self.targets.iter().filter(of_task).map(|(key, _)| key).collect();
        for key in copies {
            self.unseat(key, State::Gone, cx);
            if self.targets[key].outstanding == 0 {
                self.targets.remove(key);
            }
        }
        self.review_zones(cx);
    }

    /// Deployments: of what goes to either of two groups, `share` thousandths go to `green` from now on and the rest to `blue`.
    pub fn shift_traffic(&mut self, blue: TargetGroupId, green: TargetGroupId, share: u16, cx: &mut Cx<'_>) {
        self.rules.shift(blue, green, share);
        let (blue, green) = (&self.books[blue.index()].name, &self.books[green.index()].name);
        let (to_blue, to_green) = (f64::from(1000 - share) / 10.0, f64::from(share) / 10.0);
        let what = format!("{to_blue} % of traffic go to target group {blue}, {to_green} % to {green}");
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        self.review_zones(cx);
    }

    /// A zonal shift begins or ends: the zone's address leaves DNS, and no node sends to targets in it (ARC guide; with
    /// cross-zone load balancing on, both).
    pub fn zonal_shift(&mut self, zone: u8, begins: bool, cx: &mut Cx<'_>) {
        let shifted = begins.then_some(zone);
        self.zones.shifted = shifted;
        if begins {
            // It is a remedy, there is nothing to find out: the downtime ledger is told so.
            cx.phase(&self.name, Phase::Routing);
            cx.settling(&self.name);
        }
        for (at, group) in self.groups.iter_mut().enumerate() {
            // A node without cross-zone load balancing has targets of its own zone only, and goes on serving who still comes.
            group.shifted = shifted.filter(|_| self.books[at % self.books.len()].cross_zone);
            group.seat_targets(&mut self.targets, cx.now());
        }
        self.review_zones(cx);
    }
}
