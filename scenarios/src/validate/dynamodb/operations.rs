//! Operations: what they cost and which keys they ask for.

use models::dynamodb::{KeySettings, Operation};

use super::{Check, GB, KB, MB};
use crate::decode::{Decode, Decoder, Sp};
use crate::raw::dynamodb as raw;
use crate::raw::dynamodb::ApiOperation;
use crate::tree::{Node, Value};

/// Largest item (DDB guide, ServiceQuotas).
const MAX_ITEM: u64 = 400 * KB;

impl Check<'_> {
    pub(super) fn table_operation(
        &mut self,
        table: &raw::Table,
        name: &Sp<String>,
        operation: &raw::Operation,
    ) -> Operation {
        let api = operation.operation.as_ref().map(|api| api.value).or_else(|| {
            let node = Node { span: name.span, value: Value::String(name.value.clone()) };
            ApiOperation::decode(&node, &mut Decoder::default())
        });
        let api = api.unwrap_or_else(|| {
            let title = format!("what operation is `{}`?", name.value);
            self.error(operation.span, title, "give operation = \"GetItem\" or another of DynamoDB's API");
            ApiOperation::GetItem
        });
        self.check_operation(api, operation);
        let flags = Flags::of(operation);
        let (item_size, items) = (operation.item_size.0, u64::from(operation.items.value));
        let mut cost = Cost::of(api, item_size, items, &flags);
        let local = self.local_units(table, api, operation);
        cost.units[1] += local;
        cost.last_page_units[1] += local;
        self.collection_fits(table, operation);
        let index = self.asked_index(table, api, operation);
        let keys = match index {
            Some(index) => self.index_keys(table, index, operation),
            None => self.table_keys(&operation.keys),
        };
        let adds = operation.adds_items.value && is_put(api);
        Operation {
            name: name.value.clone(),
            units: cost.units,
            parts: cost.parts,
            atomic: matches!(api, ApiOperation::TransactGetItems | ApiOperation::TransactWriteItems),
            pages: cost.pages,
            last_page_units: cost.last_page_units,
            scans: api == ApiOperation::Scan,
            missing: self.share(&operation.missing_items, "missing_items"),
            missing_units: Cost::of(api, 1, 1, &flags).units,
            condition_fails: self.share(&operation.condition_fails, "condition_fails"),
            grows_gb: if adds { item_size as f64 / GB } else { 0.0 },
            keys,
            index,
            index_writes: self.index_writes(table, api, operation),
        }
    }

    /// The keys that are asked of a global index: its own, in popularity of their own if that is given.
    fn index_keys(&mut self, table: &raw::Table, index: u8, operation: &raw::Operation) -> KeySettings {
        let indexes = table.global_secondary_indexes.iter();
        let of_index = indexes.map(|(_, _, it)| &it.keys).nth(usize::from(index)).expect("it was found by name");
        let asked = &operation.keys;
        let own = asked.count.is_some() || asked.zipf.value != 0.0 || !asked.hot.is_empty() || asked.calendar.is_some();
        self.table_keys(if own { asked } else { of_index })
    }

    pub(super) fn table_keys(&mut self, keys: &raw::Keys) -> KeySettings {
        let calendar = keys.calendar.as_ref().map(|period| self.time(period, "calendar", 1.0, 1e9, ""));
        let hot: Vec<f64> = keys.hot.iter().map(|share| self.share(share, "hot")).collect();
        if hot.iter().sum::<f64>() > 1.0 + 1e-12 {
            let last = keys.hot.last().expect("a sum has parts");
            self.error(last.span, "hot keys have more than all requests", "the shares together are above 100%");
        }
        let many = if calendar.is_some() { 1 } else { 1_000_000 };
        KeySettings {
            count: keys.count.as_ref().map_or(many, |it| self.count(it, "the number of keys", 1, 1_000_000_000)),
            zipf: self.number(&keys.zipf, "zipf", 0.0, 10.0),
            hot,
            calendar,
            sort_keys: self.count(&keys.sort_keys, "sort_keys", 1, 1_000_000_000),
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
            // In pages of 1 MB, of which there may be many.
            Query | Scan => (u32::MAX, MB * u64::from(MAX_PAGES)),
        };
        let items = self.count(&operation.items, "items", 1, most);
        if size <= MAX_ITEM && size.saturating_mul(items.into()) > volume {
            let title = format!("one operation touches at most {} KB", volume / KB);
            self.error(operation.items.span, title, format!("{items} items of {size} bytes are more"));
        }
        let reads = is_read(api) && api != TransactGetItems;
        if operation.consistent_read.value && !reads {
            let title = "only reads outside transactions can be eventually or strongly consistent";
            self.error(operation.consistent_read.span, title, "remove it");
        }
        let single = matches!(api, GetItem | PutItem | UpdateItem | DeleteItem);
        let may = [
            (
                operation.missing_items.0 > 0.0,
                operation.missing_items.span,
                matches!(api, GetItem),
                "`missing_items` is for GetItem",
            ),
            (
                operation.condition_fails.0 > 0.0,
                operation.condition_fails.span,
                matches!(api, PutItem | UpdateItem | DeleteItem),
                "`condition_fails` is for PutItem, UpdateItem and DeleteItem",
            ),
            (
                operation.adds_items.value,
                operation.adds_items.span,
                is_put(api),
                "`adds_items` is for writes that can add items",
            ),
        ];
        for (given, span, fits, title) in may {
            if given && !fits {
                self.error(span, title, "remove it");
            }
        }
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

/// Most pages of one call.
const MAX_PAGES: u16 = 1000;

/// Whether it only reads.
pub(super) fn is_read(api: ApiOperation) -> bool {
    use ApiOperation::*;
    matches!(api, GetItem | BatchGetItem | TransactGetItems | Query | Scan)
}

fn is_put(api: ApiOperation) -> bool {
    use ApiOperation::*;
    matches!(api, PutItem | UpdateItem | BatchWriteItem | TransactWriteItems)
}

/// What an operation consumes, and in how many parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Of each part, or each full page, by reads and writes.
    pub units: [f64; 2],
    pub parts: u16,
    pub pages: u16,
    pub last_page_units: [f64; 2],
}

impl Cost {
    /// Read and write units (DDB guide, HowItWorks.ReadWriteCapacityMode, ProvisionedThroughput): one read unit is a strongly
    /// consistent read of up to 4 KB, eventually consistent half, transactional twice; one write unit is a write of up to
    /// 1 KB, transactional twice. Batches round up each item, Query and Scan the sum of a page of up to 1 MB.
    pub(crate) fn of(api: ApiOperation, item_size: u64, items: u64, flags: &Flags) -> Self {
        use ApiOperation::*;
        let transactional = flags.transactional || matches!(api, TransactGetItems | TransactWriteItems);
        let read_factor = match (transactional, flags.consistent_read) {
            (true, _) => 2.0,
            (false, true) => 1.0,
            (false, false) => 0.5,
        };
        let write_factor = if transactional { 2.0 } else { 1.0 };
        let read = |size: u64| [size.div_ceil(4 * KB) as f64 * read_factor, 0.0];
        let write = |size: u64| [0.0, size.div_ceil(KB) as f64 * write_factor];
        let alone = |units: [f64; 2], parts: u64| Self { units, parts: parts as u16, pages: 1, last_page_units: units };
        match api {
            GetItem | BatchGetItem | TransactGetItems => alone(read(item_size), items),
            PutItem | UpdateItem | DeleteItem | BatchWriteItem | TransactWriteItems => alone(write(item_size), items),
            Query | Scan => {
                let total = items.saturating_mul(item_size);
                let pages = total.div_ceil(MB).max(1);
                let last = total - (pages - 1) * MB;
                Self {
                    units: read(MB),
                    parts: 1,
                    pages: pages.min(u64::from(MAX_PAGES)) as u16,
                    last_page_units: read(last),
                }
            }
        }
    }

    /// In all, by reads and writes.
    #[cfg(test)]
    fn total(&self) -> [f64; 2] {
        let of = |kind: usize| {
            let pages = f64::from(self.pages - 1) * self.units[kind] + self.last_page_units[kind];
            pages * f64::from(self.parts)
        };
        [of(0), of(1)]
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

    fn units_of(api: ApiOperation, item_size: u64, items: u64, flags: &Flags) -> [f64; 2] {
        Cost::of(api, item_size, items, flags).total()
    }

    #[test]
    fn a_batch_of_1_5_and_6_5_kb_reads_3_units() {
        let one_by_one = [1.5, 6.5].map(|size| units_of(BatchGetItem, kb(size), 1, &STRONG)[0]);
        assert_eq!(one_by_one.iter().sum::<f64>(), 3.0);
    }

    #[test]
    fn a_query_of_2_5_mb_takes_three_pages_and_each_is_rounded_up() {
        let cost = Cost::of(Query, 2500, 1049, &STRONG);
        assert_eq!((cost.pages, cost.units[0]), (3, 256.0));
        // 2,622,500 bytes less two pages are 525,348: 128.3 blocks of 4 KB.
        assert_eq!(cost.last_page_units[0], 129.0);
        assert_eq!(cost.total(), [641.0, 0.0]);
    }

    #[test]
    fn a_thousand_reads_of_1_2_kb_a_second_need_1000_rcu() {
        assert_eq!(1000.0 * units_of(GetItem, kb(1.2), 1, &STRONG)[0], 1000.0);
    }

    #[test]
    fn a_thousand_reads_of_4_5_kb_a_second_need_2000_rcu_strong_and_1000_eventual() {
        assert_eq!(1000.0 * units_of(GetItem, kb(4.5), 1, &STRONG)[0], 2000.0);
        assert_eq!(1000.0 * units_of(GetItem, kb(4.5), 1, &EVENTUAL)[0], 1000.0);
    }

    #[test]
    fn a_thousand_writes_of_512_b_need_1000_wcu_and_of_2_5_kb_3000() {
        assert_eq!(1000.0 * units_of(PutItem, 512, 1, &EVENTUAL)[1], 1000.0);
        assert_eq!(1000.0 * units_of(PutItem, kb(2.5), 1, &EVENTUAL)[1], 3000.0);
    }

    #[test]
    fn an_item_of_6_5_kb_costs_2_1_4_to_read_and_7_14_to_write() {
        assert_eq!(units_of(GetItem, kb(6.5), 1, &STRONG)[0], 2.0);
        assert_eq!(units_of(GetItem, kb(6.5), 1, &EVENTUAL)[0], 1.0);
        assert_eq!(units_of(GetItem, kb(6.5), 1, &TRANSACTIONAL)[0], 4.0);
        assert_eq!(units_of(UpdateItem, kb(6.5), 1, &EVENTUAL)[1], 7.0);
        assert_eq!(units_of(UpdateItem, kb(6.5), 1, &TRANSACTIONAL)[1], 14.0);
    }

    #[test]
    fn a_query_of_8_items_of_2000_b_rounds_up_once() {
        assert_eq!(units_of(Query, 2000, 8, &EVENTUAL)[0], 2.0);
        assert_eq!(units_of(BatchGetItem, 2000, 8, &EVENTUAL)[0], 4.0);
    }

    #[test]
    fn a_query_of_40_8_kb_counts_as_44() {
        assert_eq!(units_of(Query, kb(40.8) / 8, 8, &STRONG)[0], 11.0);
    }
}
