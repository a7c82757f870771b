//! Global tables: which tables are replicas of each other.

use models::dynamodb::MOST_REPLICAS;
use models::ids::{DynamoDbId, Endpoint};
use models::timeline::FaultAction;

use super::super::Section;
use super::Check;
use crate::diagnostics::Diagnostic;
use crate::raw::dynamodb as raw;
use crate::raw::timeline::Fault;

/// By table, in the scenario's order: the table of which it is a replica, which is itself for those that are none.
pub(super) struct Groups(Vec<u16>);

impl Groups {
    /// The table that it is a replica of, or itself.
    pub(super) fn original(&self, table: u16) -> usize {
        self.0[usize::from(table)].into()
    }

    /// The other replicas of a table.
    pub(super) fn others(&self, table: u16) -> Vec<DynamoDbId> {
        let of = self.0[usize::from(table)];
        let all = self.0.iter().zip(0..);
        all.filter(|&(&other, n)| other == of && n != table).map(|(_, n)| DynamoDbId(n)).collect()
    }
}

impl Check<'_> {
    pub(super) fn replicas(&mut self) -> Groups {
        let doc = self.doc;
        let entries = doc.dynamodb.entries.iter().zip(0..);
        let group = entries.map(|((_, table), n)| table.as_ref().and_then(|it| self.original(it, n)).unwrap_or(n));
        let groups = Groups(group.collect());
        for ((_, table), n) in doc.dynamodb.entries.iter().zip(0..) {
            let Some(replica_of) = table.as_ref().and_then(|table| table.replica_of.as_ref()) else { continue };
            if groups.others(n).len() >= MOST_REPLICAS {
                self.error(replica_of.span, "too many replicas", format!("at most {MOST_REPLICAS} of a table"));
                break;
            }
        }
        groups
    }

    /// The fault that pauses the replication of a global table's replica.
    pub(in super::super) fn pause_of_replication(&mut self, fault: &Fault) -> Option<FaultAction> {
        let target = self.endpoint(&fault.target, &[Section::DynamoDb], None, "the target of this fault");
        let Endpoint::DynamoDb(id) = target else { return None };
        let tables = &self.doc.dynamodb.entries;
        let its_own = tables[id.index()].1.as_ref()?.replica_of.is_some();
        let named = |table: &raw::Table| table.replica_of.as_ref().is_some_and(|it| it.value == fault.target.value);
        if !its_own && !tables.iter().filter_map(|(_, table)| table.as_ref()).any(named) {
            let title = format!("`{}` is no global table", fault.target.value);
            self.error(fault.target.span, title, "give another table replica_of");
        }
        Some(FaultAction::PauseReplication(id))
    }

    fn original(&mut self, table: &raw::Table, n: u16) -> Option<u16> {
        let doc = self.doc;
        let name = table.replica_of.as_ref()?;
        let from = Some(Endpoint::DynamoDb(DynamoDbId(n)));
        let found = self.endpoint(name, &[Section::DynamoDb], from, "the original of a replica");
        let Endpoint::DynamoDb(id) = found else { return None };
        let (_, original) = &doc.dynamodb.entries[id.index()];
        let original = original.as_ref()?;
        if id.0 == n {
            self.error(name.span, "a table is no replica of itself", "name the table in the other Region");
            return None;
        }
        if let Some(again) = &original.replica_of {
            let error = Diagnostic::error(name.span, "this table is a replica itself", "name the table that is none");
            self.note(error.also(again.span, "of this one"));
            return None;
        }
        let region = |table: &raw::Table| table.region.as_ref().map(|region| region.value.clone());
        if let (Some(here), Some(there)) = (region(table), region(original))
            && here == there
        {
            self.error(name.span, "a replica is in another Region", format!("both are in {here}"));
        }
        Some(id.0)
    }
}
