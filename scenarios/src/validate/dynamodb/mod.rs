//! DynamoDB tables.

mod global;
mod indexes;
mod operations;
mod scaling;
mod throughput;

use models::dynamodb::{GlobalSettings, Settings};
use models::ids::DynamoDbId;

use super::Check;
use crate::decode::Sp;
use crate::raw::dynamodb as raw;
use crate::units::Bytes;

const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

impl Check<'_> {
    pub(super) fn tables(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.dynamodb, "dynamodb");
        let groups = self.replicas();
        let tables = doc.dynamodb.entries.iter().zip(0..);
        let table = |((name, table), n): (&(Sp<String>, Option<raw::Table>), u16)| {
            let original = &doc.dynamodb.entries[groups.original(n)].0;
            Some(self.table(name, original, table.as_ref()?, groups.others(n)))
        };
        tables.map(table).collect()
    }

    fn table(
        &mut self,
        name: &Sp<String>,
        original: &Sp<String>,
        table: &raw::Table,
        replicas: Vec<DynamoDbId>,
    ) -> Settings {
        self.part_names(&table.operations, "operations");
        let operations =
            table.operations.iter().map(|(_, name, operation)| self.table_operation(table, name, operation));
        let operations = operations.collect();
        let throughput = self.table_throughput(table);
        Settings {
            name: name.value.clone(),
            keys_of: original.value.clone(),
            indexes: self.global_indexes(table, &throughput),
            consumers: self.consumers(table),
            expirations_per_second: table
                .time_to_live
                .as_ref()
                .map_or(0.0, |it| self.number(&it.value.deletes_per_second, "deletes_per_second", 0.0, 1e6)),
            global: (!replicas.is_empty()).then(|| GlobalSettings { replicas, lag: table.replication_lag.0.clone() }),
            throughput,
            update_takes: self.time(&table.update_duration, "update_duration", 0.0, 86_400.0, ""),
            operations,
            latency: table.latency.0.clone(),
        }
    }

    fn table_size(&mut self, size: &Sp<Bytes>) -> f64 {
        let size_gb = size.0 as f64 / GB;
        if size_gb > 1e6 {
            self.error(size.span, "this table is too large", "at most \"976TB\"");
        }
        size_gb
    }
}
