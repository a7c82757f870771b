//! Secondary indexes of tables, and who reads their streams.

use models::dynamodb::{ConsumerSettings, IndexSettings, IndexWrite, ThroughputSettings};

use super::operations::is_read;
use super::{Check, GB, KB};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::dynamodb as raw;
use crate::raw::dynamodb::ApiOperation;

/// Global secondary indexes of a table, and local ones (DDB guide, ServiceQuotas).
const MOST_GLOBAL: usize = 20;
const MOST_LOCAL: usize = 5;
/// Readers of a shard (DDB guide, Streams).
const MOST_CONSUMERS: usize = 2;
/// Largest item collection of a table with local secondary indexes, GB (DDB guide, ServiceQuotas).
const MOST_IN_COLLECTION: f64 = 10.0;

impl Check<'_> {
    pub(super) fn global_indexes(&mut self, table: &raw::Table, of_table: &ThroughputSettings) -> Vec<IndexSettings> {
        self.part_names(&table.global_secondary_indexes, "global_secondary_indexes");
        self.part_names(&table.local_secondary_indexes, "local_secondary_indexes");
        let counts = [
            (table.global_secondary_indexes.len(), MOST_GLOBAL, "global"),
            (table.local_secondary_indexes.len(), MOST_LOCAL, "local"),
        ];
        for (count, most, word) in counts {
            if count > most {
                self.error(
                    table.span,
                    format!("a table has at most {most} {word} secondary indexes"),
                    format!("{count} here"),
                );
            }
        }
        let local = table.local_secondary_indexes.iter();
        for share in local.map(|(_, _, index)| &index.item_share) {
            self.share(share, "item_share");
        }
        let all = table.global_secondary_indexes.iter();
        all.map(|(_, name, index)| self.global_index(table, name, index, of_table)).collect()
    }

    fn global_index(
        &mut self,
        table: &raw::Table,
        name: &Sp<String>,
        index: &raw::GlobalIndex,
        of_table: &ThroughputSettings,
    ) -> IndexSettings {
        if table.local_secondary_indexes.names().any(|other| other == name.value) {
            self.error(name.span, "two indexes of a table have this name", "a local one has it too");
        }
        let given = [
            (&index.read_capacity_units, "read_capacity_units"),
            (&index.write_capacity_units, "write_capacity_units"),
        ];
        let units = self.units_given(table, index.span, given);
        let scaling = &index.auto_scaling;
        let size = index.index_size.as_ref().unwrap_or(&table.table_size);
        IndexSettings {
            name: name.value.clone(),
            throughput: ThroughputSettings {
                units,
                warm: [0.0; 2],
                size_gb: self.table_size(size),
                whole_collections: false,
                scaled: [scaling.read.is_some(), scaling.write.is_some()],
                ..of_table.clone()
            },
            keys: self.table_keys(&index.keys),
            buffer_seconds: self.time(&index.write_buffer, "write_buffer", 0.0, 3600.0, "").as_secs_f64(),
            delay_seconds: self.time(&index.propagation_delay, "propagation_delay", 0.0, 3600.0, "").as_secs_f64(),
        }
    }

    /// What a write does to global indexes: it is written there if it is in them, twice if its keys change.
    pub(super) fn index_writes(
        &mut self,
        table: &raw::Table,
        api: ApiOperation,
        it: &raw::Operation,
    ) -> Vec<IndexWrite> {
        if is_read(api) {
            if it.changes_index_keys.value {
                self.error(it.changes_index_keys.span, "reads change no keys", "remove it");
            }
            return Vec::new();
        }
        let times = if it.changes_index_keys.value { 2.0 } else { 1.0 };
        let all = table.global_secondary_indexes.iter().zip(0..);
        let write = |((_, _, index), number): ((usize, _, &raw::GlobalIndex), u8)| IndexWrite {
            index: number,
            units: times * index_units(index.projected_size.as_ref().map(|it| it.0), it.item_size.0),
            share: self.share(&index.item_share, "item_share"),
        };
        all.map(write).collect()
    }

    /// Write units of the table's own for its local indexes, on average.
    pub(super) fn local_units(&mut self, table: &raw::Table, api: ApiOperation, it: &raw::Operation) -> f64 {
        if is_read(api) {
            return 0.0;
        }
        let all = table.local_secondary_indexes.iter();
        all.map(|(_, _, index)| {
            index_units(index.projected_size.as_ref().map(|it| it.0), it.item_size.0) * index.item_share.0
        })
        .sum()
    }

    /// The global index that a Query or Scan asks; nothing if it is a local one or the table.
    pub(super) fn asked_index(&mut self, table: &raw::Table, api: ApiOperation, it: &raw::Operation) -> Option<u8> {
        let name = it.index_name.as_ref()?;
        if !matches!(api, ApiOperation::Query | ApiOperation::Scan) {
            self.error(name.span, "only Query and Scan ask an index", "remove it");
            return None;
        }
        if table.local_secondary_indexes.names().any(|local| local == name.value) {
            return None;
        }
        let Some(number) = table.global_secondary_indexes.names().position(|global| global == name.value) else {
            self.error(name.span, format!("the table has no index `{}`", name.value), "none of this name");
            return None;
        };
        if it.consistent_read.value {
            let title = "global secondary indexes have no strongly consistent reads";
            self.error(it.consistent_read.span, title, "they follow the table a moment later");
        }
        Some(number as u8)
    }

    /// With local secondary indexes all items of a partition key are at most 10 GB.
    pub(super) fn collection_fits(&mut self, table: &raw::Table, it: &raw::Operation) {
        let local = table.local_secondary_indexes.iter();
        let each =
            local.map(|(_, _, index)| index.projected_size.as_ref().map_or(it.item_size.0, |it| it.0)).sum::<u64>();
        let gb = it.keys.sort_keys.value as f64 * (it.item_size.0 + each) as f64 / GB;
        if table.local_secondary_indexes.len() > 0 && gb > MOST_IN_COLLECTION {
            let title = "an item collection with local secondary indexes holds at most 10 GB";
            self.error(it.keys.sort_keys.span, title, format!("these are {gb:.0} GB with the indexes"));
        }
    }

    pub(super) fn consumers(&mut self, table: &raw::Table) -> Vec<ConsumerSettings> {
        let Some(stream) = &table.stream_specification else { return Vec::new() };
        let consumers = &stream.value.consumers;
        self.part_names(consumers, "consumers");
        if consumers.len() > MOST_CONSUMERS {
            let title = "at most two read a shard of a stream";
            let error = Diagnostic::error(stream.span, title, format!("{} here", consumers.len()));
            self.note(error.help("more would be throttled: fan out behind one of them"));
        }
        consumers.iter().map(|(_, name, consumer)| self.consumer(table, name, consumer)).collect()
    }

    fn consumer(&mut self, table: &raw::Table, name: &Sp<String>, it: &raw::Consumer) -> ConsumerSettings {
        if table.global_secondary_indexes.names().any(|index| index == name.value) {
            self.error(
                name.span,
                "an index and a consumer of a table have this name",
                "reports could not tell them apart",
            );
        }
        let error_rate = self.share(&it.error_rate, "error_rate");
        if error_rate >= 1.0 {
            self.error(it.error_rate.span, "this consumer never gets through a batch", "below 100%");
        }
        ConsumerSettings {
            name: name.value.clone(),
            batch_size: self.count(&it.batch_size, "batch_size", 1, 10_000),
            parallelization_factor: self.count(&it.parallelization_factor, "parallelization_factor", 1, 10),
            batch_seconds: self.time(&it.time_per_batch, "time_per_batch", 0.0, 900.0, "").as_secs_f64(),
            record_seconds: self.time(&it.time_per_record, "time_per_record", 0.0, 900.0, "").as_secs_f64(),
            error_rate: error_rate.min(0.999_999),
        }
    }
}

/// Write units of an item in an index.
fn index_units(projected: Option<u64>, item: u64) -> f64 {
    projected.unwrap_or(item).min(item).div_ceil(KB) as f64
}
