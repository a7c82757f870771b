//! Global tables: which tables are replicas of each other.

use models::ids::{DynamoDbId, Endpoint};

use super::super::Section;
use super::Check;
use crate::diagnostics::Diagnostic;
use crate::raw::dynamodb as raw;

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
        Groups(group.collect())
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
