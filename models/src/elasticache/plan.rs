//! Planned changes, by the names of AWS's API, and what goes wrong: nodes that go away and come back, replicas that take over.

use sim_core::observations::LogKind;

use super::*;

impl Cache {
    /// The run begins: what is planned is scheduled.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for (number, planned) in self.settings.changes.iter().enumerate() {
            cx.kernel.schedule_at(planned.at, self.event(Event::Change(number as u16)));
        }
    }

    /// A planned change begins.
    pub(super) fn change(&mut self, number: u16, cx: &mut Cx<'_>) {
        match self.settings.changes[number as usize].change.clone() {
            Change::TestFailover { shard } => {
                let primary = self.shards[shard as usize].primary as usize;
                self.announce(format!("TestFailover of node group {:04}", shard + 1), self.settings.failover.time, cx);
                self.lose(primary, Reach::Refusing, Some(self.settings.failover.replacement), cx);
            }
            Change::NodeType { name, memory, takes } => {
                self.announce(format!("ModifyReplicationGroup: {name}"), takes, cx);
                for shard in 0..self.shards.len() {
                    self.shards[shard].data.set_room(memory, cx.now());
                    self.give_role_away(shard, takes, cx);
                }
            }
            Change::Engine { takes } => {
                let all = takes.times(self.shards.len() as u64);
                self.announce("ModifyReplicationGroup: engine version".to_owned(), all, cx);
                self.upgrade_shard(number, 0, cx);
            }
            Change::Flush => {
                let items: usize = self.shards.iter().map(|shard| shard.data.items()).sum();
                self.shards.iter_mut().for_each(|shard| shard.data.clear());
                self.announce(format!("FLUSHALL: {items} items"), SimDuration::ZERO, cx);
            }
        }
    }

    /// A shard gets the new engine: replicas have it already, the primary gives its role away.
    pub(super) fn upgrade_shard(&mut self, number: u16, shard: u16, cx: &mut Cx<'_>) {
        let Change::Engine { takes } = self.settings.changes[number as usize].change else { return };
        self.give_role_away(shard as usize, takes, cx);
        if usize::from(shard) + 1 < self.shards.len() {
            cx.kernel.schedule_in(takes, self.event(Event::NextShard(number, shard + 1)));
        }
    }

    fn announce(&self, what: String, takes: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        cx.shared.observer.log_span(now, Some(now + takes), LogKind::Deployment, &self.name, what);
    }

    /// A primary refuses commands for a while, and nothing is lost.
    fn give_role_away(&mut self, shard: usize, takes: SimDuration, cx: &mut Cx<'_>) {
        let primary = self.shards[shard].primary as usize;
        if self.nodes[primary].is_up() {
            self.take_away(primary, Reach::Refusing, cx);
            self.bring_back(primary, takes, cx);
        }
    }

    fn take_away(&mut self, number: usize, reach: Reach, cx: &mut Cx<'_>) {
        let now = cx.now();
        let node = &mut self.nodes[number];
        (node.reach, node.away_since, node.back_at) = (reach, Some(now), None);
        node.engine.stop(now);
        self.clients.cut(number, &mut self.nodes);
    }

    fn bring_back(&mut self, number: usize, after: SimDuration, cx: &mut Cx<'_>) {
        self.nodes[number].back_at = Some(cx.now() + after);
        cx.kernel.schedule_in(after, self.event(Event::Back(number as u16)));
    }

    /// A node goes away with all it has; another stands in its place after a while, or when somebody says so.
    fn lose(&mut self, number: usize, reach: Reach, replaced_after: Option<SimDuration>, cx: &mut Cx<'_>) {
        if self.nodes[number].reach == Reach::Silent {
            return;
        }
        self.take_away(number, reach, cx);
        if let Some(after) = replaced_after {
            self.bring_back(number, after, cx);
        }
        let (now, shard) = (cx.now(), self.nodes[number].shard);
        let it = &self.shards[shard as usize];
        if number == it.primary as usize {
            // The replica that is behind least takes over; what it does not know is lost.
            let heirs = self.heirs(shard);
            let behind: Vec<(SimDuration, u16)> = heirs
                .into_iter()
                .map(|heir| (self.settings.replication_lag.sample_duration(&mut self.lags), heir))
                .collect();
            let shard = &mut self.shards[shard as usize];
            match behind.into_iter().min() {
                Some((lag, heir)) => {
                    let known = SimTime::from_nanos(now.as_nanos().saturating_sub(lag.as_nanos()));
                    shard.heir = Some(heir);
                    self.books.add(Count::LostWrites, shard.data.lose_since(known));
                }
                None => shard.data.clear(),
            }
        }
        cx.kernel.schedule_in(self.settings.failover.time, self.event(Event::Detected(shard)));
    }

    /// Replicas that could take over.
    fn heirs(&self, shard: u16) -> Vec<u16> {
        let it = &self.shards[shard as usize];
        let all = it.first..=it.first + self.settings.replicas;
        let up = |&node: &u16| node != it.primary && self.nodes[node as usize].is_up();
        if self.settings.failover.automatic { all.filter(up).collect() } else { Vec::new() }
    }

    /// Failed nodes are noticed: nobody is sent to them any more, and a replica becomes the primary.
    pub(super) fn detected(&mut self, shard: u16, cx: &mut Cx<'_>) {
        let number = shard as usize;
        for node in self.nodes.iter_mut().filter(|node| node.shard == shard && !node.is_up()) {
            node.listed = false;
        }
        if self.nodes[self.shards[number].primary as usize].is_up() {
            return;
        }
        let heirs = self.heirs(shard);
        let chosen = self.shards[number].heir.take().filter(|heir| heirs.contains(heir));
        let Some(heir) = chosen.or(heirs.first().copied()) else {
            return self.shards[number].data.clear();
        };
        self.shards[number].primary = heir;
        self.books.add(Count::Failovers, 1);
        let name = &self.nodes[heir as usize].name;
        let what = format!("{} is the primary", name.rsplit('.').next().unwrap_or(name));
        cx.shared.observer.log(cx.kernel.now(), LogKind::Failover, &self.name, what);
    }

    /// A node is back, unless it went away again meanwhile.
    pub(super) fn back(&mut self, number: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        let node = &mut self.nodes[number];
        if node.back_at != Some(now) {
            return;
        }
        (node.reach, node.listed, node.back_at) = (Reach::Up, true, None);
        let what = format!("{} is back", node.name.rsplit('.').next().unwrap_or(&node.name));
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
    }

    /// A fault begins.
    pub fn begin_fault(&mut self, fault: &Fault, cx: &mut Cx<'_>) {
        match fault {
            Fault::Node { node } => {
                let number = node.unwrap_or(self.shards[0].primary) as usize;
                self.lose(number, Reach::Silent, Some(self.settings.failover.replacement), cx);
            }
            Fault::Power { zone } => {
                for number in self.nodes_in(zone) {
                    self.lose(number, Reach::Silent, None, cx);
                }
            }
            Fault::Unreachable => self.cut_off += 1,
        }
    }

    /// A fault ends.
    pub fn end_fault(&mut self, fault: &Fault, cx: &mut Cx<'_>) {
        match fault {
            Fault::Node { .. } => {}
            Fault::Power { zone } => {
                for number in self.nodes_in(zone) {
                    if !self.nodes[number].is_up() && self.nodes[number].back_at.is_none() {
                        self.bring_back(number, SimDuration::ZERO, cx);
                    }
                }
            }
            Fault::Unreachable => self.cut_off -= 1,
        }
    }

    fn nodes_in(&self, zone: &str) -> Vec<usize> {
        let zones = &self.settings.zones;
        let there = |(_, node): &(usize, &Node)| zones.get(node.zone).is_some_and(|its| its == zone);
        self.nodes.iter().enumerate().filter(there).map(|(number, _)| number).collect()
    }
}
