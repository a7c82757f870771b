//! DynamoDB tables: capacity units of operations.

use models::dynamodb::{Operation, Settings};

use super::Check;
use crate::decode::{Decode, Decoder, Sp};
use crate::diagnostics::Diagnostic;
use crate::raw::dynamodb as raw;
use crate::raw::dynamodb::ApiOperation;
use crate::tree::{Node, Value};

/// Warm throughput of a new on-demand table (DDB guide, HowItWorks.ReadWriteCapacityMode).
const ON_DEMAND: (f64, f64) = (12_000.0, 4_000.0);
const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;
/// Largest item (DDB guide, ServiceQuotas).
const MAX_ITEM: u64 = 400 * KB;

impl Check<'_> {
    pub(super) fn tables(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.dynamodb, "dynamodb");
        doc.dynamodb.entries.iter().map(|(name, table)| Some(self.table(name, table.as_ref()?))).collect()
    }

    fn table(&mut self, name: &Sp<String>, table: &raw::Table) -> Settings {
        let provisioned = table.billing_mode.value == raw::BillingMode::Provisioned;
        let mut units = |given: &Option<Sp<f64>>, key: &str, warm: f64| match given {
            Some(units) if !provisioned => {
                let title = "an on-demand table has no provisioned capacity";
                self.error(units.span, title, "remove it, or give billing_mode = \"PROVISIONED\"");
                warm
            }
            Some(units) => self.number(units, key, 1.0, 1e7),
            None if provisioned => {
                let error = Diagnostic::error(table.span, format!("a provisioned table lacks `{key}`"), "how much?");
                self.note(error.help("or give billing_mode = \"PAY_PER_REQUEST\""));
                warm
            }
            None => warm,
        };
        let read_capacity_units = units(&table.read_capacity_units, "read_capacity_units", ON_DEMAND.0);
        let write_capacity_units = units(&table.write_capacity_units, "write_capacity_units", ON_DEMAND.1);
        let size_gb = table.table_size.0 as f64 / GB;
        if size_gb > 1e6 {
            self.error(table.table_size.span, "this table is too large", "at most \"976TB\"");
        }
        self.part_names(&table.operations, "operations");
        Settings {
            name: name.value.clone(),
            read_capacity_units,
            write_capacity_units,
            size_gb,
            adaptive_capacity: table.adaptive_capacity.value,
            burst_seconds: self.time(&table.burst_capacity, "burst_capacity", 0.0, 3600.0, "").as_secs_f64(),
            operations: table
                .operations
                .iter()
                .map(|(_, name, operation)| self.table_operation(name, operation))
                .collect(),
            latency: table.latency.0.clone(),
        }
    }

    fn table_operation(&mut self, name: &Sp<String>, operation: &raw::Operation) -> Operation {
        let api = operation.operation.as_ref().map(|api| api.value).or_else(|| {
            let node = Node { span: name.span, value: Value::String(name.value.clone()) };
            ApiOperation::decode(&node, &mut Decoder::default())
        });
        let Some(api) = api else {
            let title = format!("what operation is `{}`?", name.value);
            self.error(operation.span, title, "give operation = \"GetItem\" or another of DynamoDB's API");
            return Operation { name: name.value.clone(), read_units: 1.0, write_units: 0.0, keys: 1, zipf: 0.0 };
        };
        self.check_operation(api, operation);
        let units = units(api, operation.item_size.0, operation.items.value.into(), &Flags::of(operation));
        Operation {
            name: name.value.clone(),
            read_units: units.0,
            write_units: units.1,
            keys: self.count(&operation.keys.count, "the number of keys", 1, 1_000_000_000),
            zipf: self.number(&operation.keys.zipf, "zipf", 0.0, 10.0),
        }
    }

    fn check_operation(&mut self, api: ApiOperation, operation: &raw::Operation) {
        use ApiOperation::*;
        let size = operation.item_size.0;
        if size == 0 || size > MAX_ITEM {
            self.error(operation.item_size.span, "an item has 1 byte to 400 KB", "DynamoDB's limit is \"400KB\"");
        }
        let (most, volume) = match api {
            GetItem | PutItem | UpdateItem | DeleteItem => (1, MAX_ITEM),
            BatchGetItem => (100, 16 * MB),
            BatchWriteItem => (25, 16 * MB),
            TransactGetItems | TransactWriteItems => (100, 4 * MB),
            Query | Scan => (u32::MAX, MB),
        };
        let items = self.count(&operation.items, "items", 1, most);
        if size <= MAX_ITEM && size.saturating_mul(items.into()) > volume {
            let title = format!("one operation touches at most {} KB", volume / KB);
            self.error(operation.items.span, title, format!("{items} items of {size} bytes are more"));
        }
        let reads = matches!(api, GetItem | BatchGetItem | Query | Scan);
        if operation.consistent_read.value && !reads {
            let title = "only reads outside transactions can be eventually or strongly consistent";
            self.error(operation.consistent_read.span, title, "remove it");
        }
        let single = matches!(api, GetItem | PutItem | UpdateItem | DeleteItem);
        if operation.transactional.value && !single {
            let label = "for one item; for several use TransactGetItems or TransactWriteItems";
            self.error(operation.transactional.span, "`transactional` has no meaning here", label);
        }
    }
}

/// What changes the price of an operation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub consistent_read: bool,
    pub transactional: bool,
}

impl Flags {
    fn of(operation: &raw::Operation) -> Self {
        Self { consistent_read: operation.consistent_read.value, transactional: operation.transactional.value }
    }
}

/// Read and write units that an operation consumes (DDB guide, HowItWorks.ReadWriteCapacityMode, ProvisionedThroughput): one
/// read unit is a strongly consistent read of up to 4 KB, eventually consistent half, transactional twice; one write unit is
/// a write of up to 1 KB, transactional twice. Batches round up each item, Query and Scan the sum.
pub(crate) fn units(api: ApiOperation, item_size: u64, items: u64, flags: &Flags) -> (f64, f64) {
    use ApiOperation::*;
    let transactional = flags.transactional || matches!(api, TransactGetItems | TransactWriteItems);
    let read_factor = match (transactional, flags.consistent_read) {
        (true, _) => 2.0,
        (false, true) => 1.0,
        (false, false) => 0.5,
    };
    let write_factor = if transactional { 2.0 } else { 1.0 };
    match api {
        GetItem | BatchGetItem | TransactGetItems => ((items * item_size.div_ceil(4 * KB)) as f64 * read_factor, 0.0),
        Query | Scan => ((items * item_size).div_ceil(4 * KB) as f64 * read_factor, 0.0),
        PutItem | UpdateItem | DeleteItem | BatchWriteItem | TransactWriteItems => {
            (0.0, (items * item_size.div_ceil(KB)) as f64 * write_factor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ApiOperation::*;

    const STRONG: Flags = Flags { consistent_read: true, transactional: false };
    const EVENTUAL: Flags = Flags { consistent_read: false, transactional: false };
    const TRANSACTIONAL: Flags = Flags { consistent_read: false, transactional: true };

    fn kb(size: f64) -> u64 {
        (size * 1024.0).round() as u64
    }

    #[test]
    fn a_thousand_reads_of_1_2_kb_a_second_need_1000_rcu() {
        assert_eq!(1000.0 * units(GetItem, kb(1.2), 1, &STRONG).0, 1000.0);
    }

    #[test]
    fn a_thousand_reads_of_4_5_kb_a_second_need_2000_rcu_strong_and_1000_eventual() {
        assert_eq!(1000.0 * units(GetItem, kb(4.5), 1, &STRONG).0, 2000.0);
        assert_eq!(1000.0 * units(GetItem, kb(4.5), 1, &EVENTUAL).0, 1000.0);
    }

    #[test]
    fn a_thousand_writes_of_512_b_need_1000_wcu_and_of_2_5_kb_3000() {
        assert_eq!(1000.0 * units(PutItem, 512, 1, &EVENTUAL).1, 1000.0);
        assert_eq!(1000.0 * units(PutItem, kb(2.5), 1, &EVENTUAL).1, 3000.0);
    }

    #[test]
    fn an_item_of_6_5_kb_costs_2_1_4_to_read_and_7_14_to_write() {
        assert_eq!(units(GetItem, kb(6.5), 1, &STRONG).0, 2.0);
        assert_eq!(units(GetItem, kb(6.5), 1, &EVENTUAL).0, 1.0);
        assert_eq!(units(GetItem, kb(6.5), 1, &TRANSACTIONAL).0, 4.0);
        assert_eq!(units(UpdateItem, kb(6.5), 1, &EVENTUAL).1, 7.0);
        assert_eq!(units(UpdateItem, kb(6.5), 1, &TRANSACTIONAL).1, 14.0);
    }

    #[test]
    fn a_query_of_8_items_of_2000_b_rounds_up_once() {
        assert_eq!(units(Query, 2000, 8, &EVENTUAL).0, 2.0);
        assert_eq!(units(BatchGetItem, 2000, 8, &EVENTUAL).0, 4.0);
    }

    #[test]
    fn a_query_of_40_8_kb_counts_as_44() {
        assert_eq!(units(Query, kb(40.8) / 8, 8, &STRONG).0, 11.0);
    }
}
