//! What a table is paid for.

use sim_core::SimTime;
use sim_core::observations::Usage;

use super::*;
use crate::observer::Findings;
use crate::usage::HOURS_A_MONTH;

impl Table {
    /// Hands over what was used: units that were provisioned, whether consumed or not, and storage.
    pub(super) fn paid_for(&self, now: SimTime, findings: &mut Findings) {
        let hours = now.since(self.books.counted_from).as_secs_f64() / 3600.0;
        let items = [("dynamodb.rcu", "RCU-hour"), ("dynamodb.wcu", "WCU-hour")];
        for ((item, unit), units) in items.into_iter().zip(self.capacity.provisioned) {
            findings.used(Usage::new(&self.name, item, units * hours, unit));
        }
        let months = hours / HOURS_A_MONTH;
        findings.used(Usage::new(&self.name, "dynamodb.storage", self.size_gb * months, "GB-month"));
    }
}
