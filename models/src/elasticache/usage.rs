//! What a replication group is paid for: each node there is by the hour, of the type it has at the time (ElastiCache pricing).

use sim_core::SimTime;
use sim_core::observations::Usage;

use super::{Cache, Caller, Command, size_of_item, state};
use crate::observer::Findings;
use crate::request::RequestKey;
use crate::world::Cx;

impl Cache {
    /// A node has found or kept an item. Bytes between zones are charged on the caller's side only, each way (ElastiCache pricing).
    pub(super) fn count_crossing(&mut self, node: usize, caller: &Caller, key: RequestKey, found: u8, cx: &Cx<'_>) {
        let zone = cx.shared.whereabouts.of(caller.service, caller.task.slot());
        let there = self.zones.get(self.nodes[node].zone);
        if zone.is_none_or(|zone| there.is_none_or(|&there| there == zone)) {
            return;
        }
        let request = &cx.shared.requests[key];
        let moved = match self.command_of(request) {
            Command::Get => found == state::FOUND,
            Command::Set => true,
            Command::Del => false,
        };
        if moved {
            let item = &self.settings.items[self.uses[request.operation as usize].item as usize];
            self.crossed += size_of_item(item, caller);
        }
    }

    /// Hands over what went between zones.
    pub(super) fn paid_for(&self, findings: &mut Findings) {
        let usage = Usage::new(&self.name, "data_transfer.between_zones", self.crossed as f64 / 1e9, "GB");
        findings.used(usage.assuming("keys and values, charged once, on the side of who asks"));
    }
}

/// The nodes there are by the hour, of the type they have at the time. A change of type counts from when it begins.
#[derive(Debug)]
pub(super) struct NodeHours {
    nodes: usize,
    since: SimTime,
    /// By type, in order of time: nanoseconds of a node.
    spent: Vec<(String, u128)>,
}

impl NodeHours {
    pub(super) fn new(node_type: &str, nodes: usize) -> Self {
        Self { nodes, since: SimTime::ZERO, spent: vec![(node_type.to_owned(), 0)] }
    }

    fn advance(&mut self, now: SimTime) {
        let nanos = u128::from((now - self.since).as_nanos()) * self.nodes as u128;
        self.since = now;
        if let Some((_, spent)) = self.spent.last_mut() {
            *spent += nanos;
        }
    }

    /// There are so many from now on.
    pub(super) fn set_nodes(&mut self, nodes: usize, now: SimTime) {
        self.advance(now);
        self.nodes = nodes;
    }

    /// They are of this type from now on.
    pub(super) fn set_type(&mut self, node_type: &str, now: SimTime) {
        self.advance(now);
        self.spent.push((node_type.to_owned(), 0));
    }

    /// What was before does not count.
    pub(super) fn restart(&mut self, now: SimTime) {
        self.advance(now);
        self.spent.iter_mut().for_each(|(_, spent)| *spent = 0);
    }

    /// Hands over what was used up to now.
    pub(super) fn paid_for(&mut self, name: &str, engine: &str, now: SimTime, findings: &mut Findings) {
        self.advance(now);
        for (node_type, nanos) in &self.spent {
            let usage = Usage::new(name, "elasticache.node", *nanos as f64 / 3600e9, "node-hour");
            findings.used(usage.of_kind(format!("{engine} {node_type}")));
        }
    }
}
