//! What a replication group is paid for: each of its nodes by the hour, of the type it has at the time (ElastiCache pricing).

use sim_core::SimTime;
use sim_core::observations::Usage;

use super::{Cache, Caller, Change, Command, Settings, size_of_item, state};
use crate::observer::Findings;
use crate::request::RequestKey;
use crate::world::Cx;

impl Cache {
    /// A node has found or kept an item. Bytes between zones are charged on the caller's side only, each way (ElastiCache pricing).
    pub(super) fn count_crossing(&mut self, node: usize, caller: &Caller, key: RequestKey, found: u8, cx: &Cx<'_>) {
        let zone = cx.shared.whereabouts.of(caller.service, caller.task.slot);
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

/// What was used from one instant to another. A change of type counts from when it begins.
pub(crate) fn of(settings: &Settings, from: SimTime, to: SimTime) -> Vec<Usage> {
    let nodes = f64::from(settings.node_groups) * f64::from(1 + settings.replicas);
    let changed = settings.changes.iter().filter_map(|planned| match &planned.change {
        Change::NodeType { name, .. } => Some((planned.at, name.as_str())),
        _ => None,
    });
    let types: Vec<(SimTime, &str)> =
        [(SimTime::ZERO, settings.node_type.as_str())].into_iter().chain(changed).collect();
    let ends = types.iter().skip(1).map(|(at, _)| *at).chain([to]);
    let used = types.iter().zip(ends).map(|(&(begins, name), ends)| {
        let hours = ends.min(to).since(begins.max(from)).as_secs_f64() / 3600.0;
        let subject = format!("elasticache.{}", settings.name);
        Usage::new(&subject, "elasticache.node", nodes * hours, "node-hour")
            .of_kind(format!("{} {name}", settings.engine))
    });
    used.filter(|usage| usage.quantity > 0.0).collect()
}
