//! What a table is paid for. What reads its stream here is not: neither Lambda nor global tables pay for it (DynamoDB guide,
//! CostOptimization_StreamsUsage).

use sim_core::SimTime;
use sim_core::observations::Usage;

use super::*;
use crate::observer::Findings;
use crate::usage::HOURS_A_MONTH;

/// Most bytes that a write unit is for.
const BYTES_A_UNIT: f64 = 1024.0;

impl Store {
    /// Hands over what was used: units that were provisioned, whether consumed or not, or those that were consumed on demand;
    /// and storage. All writes of a global table are replicated writes, those of its indexes are not (DynamoDB pricing).
    pub(super) fn paid_for(&self, replicated: bool, now: SimTime, findings: &mut Findings) {
        let on_demand = self.is_on_demand();
        let writes = if replicated {
            [("dynamodb.replicated_wcu", "WCU-hour"), ("dynamodb.replicated_write_request_units", "unit")]
        } else {
            [("dynamodb.wcu", "WCU-hour"), ("dynamodb.write_request_units", "unit")]
        };
        let reads = [("dynamodb.rcu", "RCU-hour"), ("dynamodb.read_request_units", "unit")];
        for kind in Kind::ALL {
            let (item, unit) = [reads, writes][kind as usize][usize::from(on_demand)];
            let quantity = if on_demand { self.consumed(kind) } else { self.entitled(kind, now) / 3600.0 };
            findings.used(Usage::new(&self.name, item, quantity, unit));
        }
        let months = now.since(self.books.counted_from).as_secs_f64() / 3600.0 / HOURS_A_MONTH;
        let gb: f64 = self.capacity.partitions.all.iter().map(|partition| partition.gb).sum();
        findings.used(Usage::new(&self.name, "dynamodb.storage", gb * months, "GB-month"));
    }
}

impl Global {
    /// Hands over what was sent to other Regions.
    pub(super) fn paid_for(&self, name: &str, findings: &mut Findings) {
        let gigabytes = self.sent_units() * BYTES_A_UNIT / 1e9;
        let usage = Usage::new(name, "data_transfer.between_regions", gigabytes, "GB");
        findings.used(usage.assuming("replicated writes: 1 KB for each write unit, the most there can be"));
    }
}
