//! What a table is paid for.

use sim_core::SimTime;
use sim_core::observations::Usage;

use super::*;
use crate::observer::Findings;
use crate::usage::HOURS_A_MONTH;

impl Store {
    /// Hands over what was used: units that were provisioned, whether consumed or not, or those that were consumed on demand;
    /// and storage.
    pub(super) fn paid_for(&self, now: SimTime, findings: &mut Findings) {
        let on_demand = self.is_on_demand();
        let provisioned = [("dynamodb.rcu", "RCU-hour"), ("dynamodb.wcu", "WCU-hour")];
        let requested = [("dynamodb.read_request_units", "unit"), ("dynamodb.write_request_units", "unit")];
        for kind in Kind::ALL {
            let (item, unit) = if on_demand { requested } else { provisioned }[kind as usize];
            let quantity = if on_demand { self.consumed(kind) } else { self.entitled(kind, now) / 3600.0 };
            findings.used(Usage::new(&self.name, item, quantity, unit));
        }
        let months = now.since(self.books.counted_from).as_secs_f64() / 3600.0 / HOURS_A_MONTH;
        let gb: f64 = self.capacity.partitions.all.iter().map(|partition| partition.gb).sum();
        findings.used(Usage::new(&self.name, "dynamodb.storage", gb * months, "GB-month"));
    }
}
