//! Planned changes, by the names of AWS's API, and what goes wrong: nodes that go away and come back, replicas that take over.

use sim_core::observations::{IncidentKind, LogKind, Phase};

use super::*;

impl Cache {
    /// The run begins: what is planned is scheduled.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for (number, planned) in self.settings.changes.iter().enumerate() {
            cx.kernel.schedule_at(planned.at, self.event(Event::Change(number as u16)));
        }
        self.tell_down(cx);
    }

    // ------------------------------------------------------------ what the downtime ledger is told

    /// Whether some shard has no primary that answers.
    fn tell_down(&self, cx: &mut Cx<'_>) {
        cx.down(&self.name, self.cut_off > 0 || !self.has_all_primaries());
    }

    /// There is nothing more to be done but for nodes that come back by and by, and copies to be fetched.
    fn tell_settled(&self, cx: &mut Cx<'_>) {
        self.tell_down(cx);
        if self.has_all_primaries() && self.upgrades == 0 {
            cx.settling(&self.name);
        }
    }

    fn has_all_primaries(&self) -> bool {
        self.shards.iter().filter(|shard| shard.there).all(|shard| self.nodes[shard.primary as usize].is_up())
    }

    fn shards_there(&self) -> usize {
        self.shards.iter().filter(|shard| shard.there).count()
    }

    /// Nodes of a shard are known not to answer: a replica is made the primary, or the node replaced; clients are told of replicas.
    pub(super) fn noticed(&mut self, shard: u16, cx: &mut Cx<'_>) {
        let its = |node: &&Node| node.shard == shard;
        if !self.nodes[self.shards[shard as usize].primary as usize].is_up() {
            cx.phase(&self.name, Phase::Recovery);
        } else if self.nodes.iter().filter(its).any(|node| !node.is_up()) {
            cx.phase(&self.name, Phase::Routing);
        }
    }

    /// A replica has been made the primary, and what clients ask for the primary is being told so.
    pub(super) fn promoted(&mut self, shard: u16, cx: &mut Cx<'_>) {
        let lost = !self.nodes[self.shards[shard as usize].primary as usize].is_up();
        if lost && !self.heirs(shard).is_empty() {
            cx.phase(&self.name, Phase::Routing);
        }
    }

    /// Something planned begins that is done at once or ends when the nodes it takes away are back.
    fn tell_planned(&self, what: &str, phase: Option<Phase>, cx: &mut Cx<'_>) {
        cx.begins(IncidentKind::Change, &self.name, what);
        if let Some(phase) = phase {
            cx.phase(&self.name, phase);
        }
        cx.is_over(IncidentKind::Change, &self.name);
    }

    // ------------------------------------------------------------ what is planned

    /// A planned change begins.
    pub(super) fn change(&mut self, number: u16, cx: &mut Cx<'_>) {
        match self.settings.changes[number as usize].change.clone() {
            Change::TestFailover { shard } if !self.shards[shard as usize].there => {
                self.announce(format!("TestFailover: there is no node group {:04}", shard + 1), SimDuration::ZERO, cx);
            }
            Change::TestFailover { shard } => {
                let primary = self.shards[shard as usize].primary as usize;
                self.announce(format!("TestFailover of node group {:04}", shard + 1), self.settings.failover.time, cx);
                self.tell_planned("TestFailover", Some(Phase::Detection), cx);
                self.lose(primary, Reach::Refusing, Some(self.settings.failover.replacement), cx);
            }
            Change::NodeType { name, memory, takes } => {
                self.announce(format!("ModifyReplicationGroup: {name}"), takes, cx);
                self.tell_planned("ModifyReplicationGroup: node type", Some(Phase::Recovery), cx);
                self.hours.set_type(&name, cx.now());
                for shard in 0..self.shards.len() {
                    self.shards[shard].data.set_room(memory, cx.now());
                    self.give_role_away(shard, takes, cx);
                }
            }
            Change::Engine { takes } => {
                let all = takes.times(self.shards_there() as u64);
                self.announce("ModifyReplicationGroup: engine version".to_owned(), all, cx);
                cx.begins(IncidentKind::Change, &self.name, "ModifyReplicationGroup: engine version");
                cx.phase(&self.name, Phase::Recovery);
                self.upgrades += 1;
                cx.kernel.schedule_in(all, self.event(Event::Upgraded));
                self.upgrade_shard(number, 0, cx);
            }
            Change::Reboot { node, takes } => {
                let name = self.nodes[node as usize].name.rsplit('.').next().unwrap_or_default().to_owned();
                self.announce(format!("RebootCacheCluster: {name}"), takes, cx);
                self.tell_planned("RebootCacheCluster", Some(Phase::Recovery), cx);
                if self.nodes[node as usize].is_up() {
                    self.take_away(node.into(), Reach::Refusing, cx);
                    self.nodes[node as usize].wiped = true;
                    self.bring_back(node.into(), takes, cx);
                }
            }
            Change::Reshard { node_groups } => self.reshard(node_groups, cx),
            Change::Flush => {
                let items: usize = self.shards.iter().map(|shard| shard.data.items()).sum();
                self.shards.iter_mut().for_each(|shard| shard.data.clear());
                self.announce(format!("FLUSHALL: {items} items"), SimDuration::ZERO, cx);
                self.tell_planned("FLUSHALL", None, cx);
            }
        }
    }

    /// A shard gets the new engine: replicas have it already, the primary gives its role away.
    pub(super) fn upgrade_shard(&mut self, number: u16, shard: u16, cx: &mut Cx<'_>) {
        let Change::Engine { takes } = self.settings.changes[number as usize].change else { return };
        self.give_role_away(shard as usize, takes, cx);
        if usize::from(shard) + 1 < self.shards_there() {
            cx.kernel.schedule_in(takes, self.event(Event::NextShard(number, shard + 1)));
        }
    }

    /// All shards have the new engine.
    pub(super) fn upgraded(&mut self, cx: &mut Cx<'_>) {
        self.upgrades -= 1;
        cx.is_over(IncidentKind::Change, &self.name);
        self.tell_settled(cx);
    }

    fn announce(&self, what: String, takes: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        cx.shared.observer.log_span(now, Some(now + takes), LogKind::Deployment, &self.name, what);
    }

    /// A primary refuses commands for a while, and nothing is lost.
    fn give_role_away(&mut self, shard: usize, takes: SimDuration, cx: &mut Cx<'_>) {
        let primary = self.shards[shard].primary as usize;
        if self.shards[shard].there && self.nodes[primary].is_up() {
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
        self.tell_down(cx);
    }

    fn bring_back(&mut self, number: usize, after: SimDuration, cx: &mut Cx<'_>) {
        self.nodes[number].back_at = Some(cx.now() + after);
        cx.kernel.schedule_in(after, self.event(Event::Back(number as u16)));
    }

    /// A node goes away with all it has; another stands in its place after a while, or when somebody says so.
    fn lose(&mut self, number: usize, reach: Reach, replaced_after: Option<SimDuration>, cx: &mut Cx<'_>) {
        if self.nodes[number].reach == Reach::Silent || !self.nodes[number].there {
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
        let Failover { time, detection, endpoint_update, .. } = self.settings.failover;
        cx.kernel.schedule_in(detection, self.event(Event::Noticed(shard)));
        if !endpoint_update.is_zero() {
            cx.kernel.schedule_in(time - endpoint_update, self.event(Event::Promoted(shard)));
        }
        cx.kernel.schedule_in(time, self.event(Event::Detected(shard)));
    }

    /// Replicas that could take over.
    fn heirs(&self, shard: u16) -> Vec<u16> {
        let it = &self.shards[shard as usize];
        let all = it.first..=it.first + self.settings.replicas;
        let up = |&node: &u16| node != it.primary && self.nodes[node as usize].is_up();
        if self.settings.failover.automatic { all.filter(up).collect() } else { Vec::new() }
    }

    /// The failover is done: nobody is sent to failed nodes any more, and a replica is the primary.
    pub(super) fn detected(&mut self, shard: u16, cx: &mut Cx<'_>) {
        let number = shard as usize;
        for node in self.nodes.iter_mut().filter(|node| node.shard == shard && !node.is_up()) {
            node.listed = false;
        }
        if self.nodes[self.shards[number].primary as usize].is_up() {
            return self.tell_settled(cx);
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
        self.tell_settled(cx);
    }

    /// A node is back, unless it went away again meanwhile.
    pub(super) fn back(&mut self, number: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        let node = &mut self.nodes[number];
        if node.back_at != Some(now) {
            return;
        }
        (node.reach, node.listed, node.back_at) = (Reach::Up, true, None);
        let shard = usize::from(node.shard);
        let wiped = std::mem::take(&mut node.wiped);
        // Replicas follow an empty primary and are as empty (EC guide, AutoFailover).
        if wiped && self.shards[shard].primary as usize == number {
            self.shards[shard].data.clear();
        }
        let node = &self.nodes[number];
        let what = format!("{} is back", node.name.rsplit('.').next().unwrap_or(&node.name));
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        self.tell_settled(cx);
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
            Fault::Unreachable => {
                self.cut_off += 1;
                self.tell_down(cx);
            }
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
            Fault::Unreachable => {
                self.cut_off -= 1;
                self.tell_down(cx);
            }
        }
    }

    fn nodes_in(&self, zone: &str) -> Vec<usize> {
        let zones = &self.settings.zones;
        let there = |(_, node): &(usize, &Node)| node.there && zones.get(node.zone).is_some_and(|its| its == zone);
        self.nodes.iter().enumerate().filter(there).map(|(number, _)| number).collect()
    }
}
