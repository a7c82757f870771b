//! DynamoDB tables.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::units::{Bytes, Time};

table! {
    /// A DynamoDB table.
    Table as "[dynamodb]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to viewers and to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// How capacity is paid for: PROVISIONED has the units given here, PAY_PER_REQUEST the warm throughput of a new table
        /// (12,000 read and 4,000 write units a second).
        default("PROVISIONED", "API:dynamodb (BillingMode)") billing_mode: Sp<BillingMode>,
        /// Read units a second. One unit is one strongly consistent read of up to 4 KB.
        optional("needed with PROVISIONED; 12000 with PAY_PER_REQUEST", "DDB guide, HowItWorks.ReadWriteCapacityMode")
        read_capacity_units: Sp<f64>,
        /// Write units a second. One unit is one write of up to 1 KB.
        optional("needed with PROVISIONED; 4000 with PAY_PER_REQUEST", "DDB guide, HowItWorks.ReadWriteCapacityMode")
        write_capacity_units: Sp<f64>,
        /// Size of the table; with the units it gives the number of partitions.
        default("1GB", "assumption: one partition's worth") table_size: Sp<Bytes>,
        /// Whether a hot partition may use the whole table's throughput, or only its even share.
        default(true, "DDB guide, bp-partition-key-design: instant since 2019-05-24") adaptive_capacity: Sp<bool>,
        /// How much unused capacity is kept for bursts.
        default("300s", "DDB guide, bp-partition-key-design: up to 300 s of unused capacity") burst_capacity: Sp<Time>,
        /// Time to answer.
        default({ lognormal = { median = "4ms", p99 = "10ms" } }, "assumption: single-digit milliseconds, no percentile is published")
        latency: Sp<TimeDist>,
        /// What callers ask, by name: { get_cart = { operation = "GetItem", item_size = "2KB" } }.
        required operations: Named<Operation>,
    }
    not ["global_secondary_indexes", "local_secondary_indexes", "stream_specification", "time_to_live", "dax",
         "auto_scaling", "on_demand_throughput", "warm_throughput", "replicas"]
}

choice! {
    /// How capacity is paid for.
    BillingMode {
        /// So many units a second.
        Provisioned = "PROVISIONED",
        /// By request.
        PayPerRequest = "PAY_PER_REQUEST",
    } not []
}

table! {
    /// A kind of operation.
    Operation as "an operation" {
        /// What it is in DynamoDB's API.
        optional("its name, if that is one of DynamoDB's", "such as { GetItem = { item_size = \"1KB\" } }") operation: Sp<ApiOperation>,
        /// Size of one item, names of attributes included. For a write the larger of before and after.
        default("1KB", "assumption") item_size: Sp<Bytes>,
        /// How many items one operation touches, where it may be several.
        default(1, "one item") items: Sp<u32>,
        /// Strongly consistent reads cost twice as much.
        default(false, "API:dynamodb (ConsistentRead)") consistent_read: Sp<bool>,
        /// Part of a transaction: costs twice as much.
        default(false, "API:dynamodb") transactional: Sp<bool>,
        /// Which keys it asks for.
        default({}, "every key of keys has its own default") keys: Keys,
    }
    not ["filter_expression", "return_values", "condition_expression", "index_name"]
}

choice! {
    /// An operation of DynamoDB's API.
    ApiOperation {
        /// Reads one item.
        GetItem = "GetItem",
        /// Reads up to 100 items, each rounded up.
        BatchGetItem = "BatchGetItem",
        /// Reads up to 100 items in a transaction.
        TransactGetItems = "TransactGetItems",
        /// Reads items of one partition key; their sizes are summed, then rounded up once.
        Query = "Query",
        /// Reads all items; sizes as Query.
        Scan = "Scan",
        /// Writes one item.
        PutItem = "PutItem",
        /// Changes one item.
        UpdateItem = "UpdateItem",
        /// Deletes one item.
        DeleteItem = "DeleteItem",
        /// Writes up to 25 items, each rounded up.
        BatchWriteItem = "BatchWriteItem",
        /// Writes up to 100 items in a transaction.
        TransactWriteItems = "TransactWriteItems",
    } not ["ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"]
}

table! {
    /// Which partition keys an operation asks for.
    Keys as "keys" {
        /// How many distinct partition keys there are.
        default(1000000, "assumption: many") count: Sp<u64>,
        /// Exponent of their popularity (Zipf's law): 0 = all alike.
        default(0.0, "assumption: all alike") zipf: Sp<f64>,
    }
}
