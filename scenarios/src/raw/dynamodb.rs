//! DynamoDB tables.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::raw::scaling::ScheduledAction;
use crate::units::{Bytes, Share, Time};

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
        /// How much unused capacity is kept for bursts.
        optional("300s with PROVISIONED; none with PAY_PER_REQUEST", "DDB guide, bp-partition-key-design: up to 300 s of unused capacity; on demand: assumption, twice the previous peak is the reserve")
        burst_capacity: Sp<Time>,
        /// Units a second that the table is ready for at once: what PAY_PER_REQUEST starts with, and partitions for as much.
        optional("12000 reads and 4000 writes on demand; what is provisioned otherwise", "DDB guide, warm-throughput") warm_throughput: Sp<UnitsPerSecond>,
        /// The most that a PAY_PER_REQUEST table takes.
        optional("no maximum", "API:dynamodb (OnDemandThroughput)") on_demand_throughput: Sp<MostPerSecond>,
        /// PAY_PER_REQUEST: how long it takes until a peak is the previous one, of which twice as much is taken.
        default("30m", "DDB guide, HowItWorks.ReadWriteCapacityMode") doubling_time: Sp<Time>,
        /// Read units a second that the account's quota allows a table. Throughput on demand never grows beyond.
        default(40000, "DDB guide, ServiceQuotas: soft") read_quota: Sp<f64>,
        /// Write units a second that the account's quota allows a table.
        default(40000, "DDB guide, ServiceQuotas: soft") write_quota: Sp<f64>,
        /// Application Auto Scaling of provisioned capacity.
        default({}, "none") auto_scaling: AutoScaling,
        /// How long UpdateTable takes until scaled capacity is there.
        default("30s", "assumption: tens of seconds (aws-samples/amazon-dynamodb-labs; 10 to 30 s measured in 2018); \"can take several minutes\" (DDB guide, AutoScaling)")
        update_duration: Sp<Time>,
        /// What DynamoDB does about uneven keys by itself: the defaults of the next four keys follow from it.
        default("current", "DDB guide, bp-partition-key-design, and its history") era: Sp<Era>,
        /// Whether a hot partition may use the whole table's throughput, or only its even share.
        optional("true since \"2018\"", "see era") adaptive_capacity: Sp<bool>,
        /// How long a hot partition has to wait for more than its even share.
        optional("10m in \"2018\", 0s since \"2020\"", "AWS database blog on adaptive capacity, 2019: 5 to 30 minutes, instant since 2019-05-24") adaptive_delay: Sp<Time>,
        /// Whether a hot item gets a partition of its own.
        optional("true since \"2020\", but for provisioned tables with a stream", "DDB guide, bp-partition-key-design") isolate_hot_items: Sp<bool>,
        /// Whether a hot partition is split between its items.
        optional("true since \"current\"", "USENIX ATC'22, DynamoDB; AWS database blog, Scaling DynamoDB, part 3") split_for_heat: Sp<bool>,
        /// Share of a partition's 3,000 read or 1,000 write units from which on it is hot.
        default("90%", "assumption: not documented") split_threshold: Sp<Share>,
        /// For how long it must be.
        default("60s", "assumption: not documented") split_after: Sp<Time>,
        /// How long a split takes.
        default("5m", "assumption: \"in minutes\" (ATC'22)") split_duration: Sp<Time>,
        /// Time to answer; of a Query or Scan of several pages, each page.
        default({ lognormal = { median = "4ms", p99 = "10ms" } }, "assumption: single-digit milliseconds, no percentile is published")
        latency: Sp<TimeDist>,
        /// What callers ask, by name: { get_cart = { operation = "GetItem", item_size = "2KB" } }.
        required operations: Named<Operation>,
        /// Indexes with partition keys and throughput of their own, which follow writes a moment later: [dynamodb.cart.global_secondary_indexes.by_date].
        default({}, "none") global_secondary_indexes: Named<GlobalIndex>,
        /// Indexes with other sort keys, which share the table's throughput.
        default({}, "none") local_secondary_indexes: Named<LocalIndex>,
        /// The stream of changes, and who reads it.
        optional("no stream", "API:dynamodb (StreamSpecification)") stream_specification: Sp<Stream>,
        /// The table of which it is the replica in another Region: "dynamodb.cart". Both then take writes, which go on to the other.
        optional("no other replica", "DDB guide, V2globaltables_HowItWorks") replica_of: Sp<String>,
        /// How long a write takes to the other replicas.
        default({ lognormal = { median = "800ms", p99 = "2500ms" } }, "DDB guide, V2globaltables_HowItWorks: usually within a second, 0.5 to 2.5 s are common") replication_lag: Sp<TimeDist>,
        /// Items that are deleted because their time is over.
        optional("none", "API:dynamodb (TimeToLiveSpecification)") time_to_live: Sp<TimeToLive>,
    }
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
        /// Share of reads whose item is not there. They cost the least there is.
        default("0%", "assumption") missing_items: Sp<Share>,
        /// Share of writes whose condition does not hold. They fail with `condition_failed` and cost the same.
        default("0%", "assumption") condition_fails: Sp<Share>,
        /// Whether writes add items, so that the table grows, instead of replacing others.
        default(false, "assumption") adds_items: Sp<bool>,
        /// Which index a Query or Scan asks.
        optional("the table", "API:dynamodb (IndexName)") index_name: Sp<String>,
        /// Whether writes change the keys of global secondary indexes: each is then deleted there and put anew.
        default(false, "DDB guide, GSI: a change of the index key costs two writes") changes_index_keys: Sp<bool>,
        /// Which keys it asks for; of a global secondary index it is the index's keys.
        default({}, "every key of keys has its own default") keys: Keys,
    }
    not ["filter_expression", "return_values", "condition_expression"]
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
        /// Reads items of one partition key; their sizes are summed, then rounded up once for each page of 1 MB.
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
        /// How many distinct partition keys there are, beside those of `hot`.
        optional("1000000; with calendar 1", "assumption: many") count: Sp<u64>,
        /// Exponent of their popularity (Zipf's law): 0 = all alike.
        default(0.0, "assumption: all alike") zipf: Sp<f64>,
        /// Single hot keys: the share of all requests that goes to each.
        default([], "none") hot: Vec<Sp<Share>>,
        /// Keys made of the time, such as the date or the hour: after so long there are `count` other ones.
        optional("keys stay the same", "assumption") calendar: Sp<Time>,
        /// Items with sort keys of their own under each partition key.
        default(1, "assumption: none has a sort key") sort_keys: Sp<u64>,
    }
}

choice! {
    /// What DynamoDB does about uneven keys by itself, as it came over the years.
    Era {
        /// Hot partitions are split between their items.
        Current = "current",
        /// Adaptive capacity is instant, hot items get partitions of their own.
        Y2020 = "2020",
        /// Adaptive capacity after minutes.
        Y2018 = "2018",
        /// Every partition has its even share of the table's throughput, and no more.
        Y2016 = "2016",
    } not []
}

table! {
    /// Units a second.
    UnitsPerSecond as "warm_throughput" {
        /// Read units a second.
        optional("12000 on demand; what is provisioned otherwise", "DDB guide, warm-throughput") read_units_per_second: Sp<f64>,
        /// Write units a second.
        optional("4000 on demand; what is provisioned otherwise", "DDB guide, warm-throughput") write_units_per_second: Sp<f64>,
    }
}

table! {
    /// The most that a table takes.
    MostPerSecond as "on_demand_throughput" {
        /// Read units a second.
        optional("no maximum", "API:dynamodb (OnDemandThroughput)") max_read_request_units: Sp<f64>,
        /// Write units a second.
        optional("no maximum", "API:dynamodb (OnDemandThroughput)") max_write_request_units: Sp<f64>,
    }
}

table! {
    /// Auto scaling of provisioned capacity.
    AutoScaling as "auto_scaling" {
        /// Of the read units.
        optional("they stay as they are", "DDB guide, AutoScaling") read: Tracking,
        /// Of the write units.
        optional("they stay as they are", "DDB guide, AutoScaling") write: Tracking,
    }
}

table! {
    /// Target tracking of the utilisation of capacity.
    Tracking as "auto scaling of capacity" {
        /// Fewest units.
        default(5, "DDB guide, AutoScaling: the console's") min_capacity: Sp<u32>,
        /// Most units.
        required max_capacity: Sp<u32>,
        /// Percent of the provisioned capacity that should be consumed.
        default(70.0, "DDB guide, AutoScaling: 20 to 90, 70 in the console") target_value: Sp<f64>,
        /// Minutes in a row that must be above the target before capacity is raised.
        default(2, "DDB guide, ProvisionedThroughput") scale_out_datapoints: Sp<u32>,
        /// Minutes in a row that must be below before it is lowered.
        default(15, "DDB guide, ProvisionedThroughput") scale_in_datapoints: Sp<u32>,
        /// Share of the target below which consumption is low.
        default("90%", "assumption: as Application Auto Scaling's target tracking elsewhere") scale_in_threshold: Sp<Share>,
        /// How long after a raise only a larger one is made.
        default("2m", "assumption: until the metric, a minute late, is of the changed capacity; the guide's examples have 60 s") scale_out_cooldown: Sp<Time>,
        /// How long after a lowering no other one is made.
        default("2m", "assumption: as scale_out_cooldown; besides, decreases are limited to 4 a day and one more an hour") scale_in_cooldown: Sp<Time>,
        /// Only raise it.
        default(false, "API:application-autoscaling (DisableScaleIn)") disable_scale_in: Sp<bool>,
        /// Other bounds from some instant on.
        default([], "none") scheduled_action: Vec<ScheduledAction>,
    }
}

table! {
    /// A global secondary index.
    GlobalIndex as "a global secondary index" {
        /// Its partition keys.
        default({}, "every key of keys has its own default") keys: Keys,
        /// Size of an item there.
        optional("all of the item (ALL)", "API:dynamodb (Projection)") projected_size: Sp<Bytes>,
        /// Share of the items that have the index's keys, so that they are in it.
        default("100%", "assumption") item_share: Sp<Share>,
        /// Read units a second.
        optional("needed with PROVISIONED; 12000 with PAY_PER_REQUEST", "DDB guide, GSI") read_capacity_units: Sp<f64>,
        /// Write units a second: no fewer than the table's, or writes of the table may be throttled.
        optional("needed with PROVISIONED; 4000 with PAY_PER_REQUEST", "DDB guide, GSI") write_capacity_units: Sp<f64>,
        /// Its size; with the units it gives the number of its partitions.
        optional("table_size", "assumption") index_size: Sp<Bytes>,
        /// Auto scaling of its capacity.
        default({}, "none") auto_scaling: AutoScaling,
        /// How long its writes may be behind, in time of its capacity, before writes of the table are throttled.
        default("300s", "assumption: a buffer absorbs short imbalance (aws-samples/amazon-dynamodb-labs), its size is not documented") write_buffer: Sp<Time>,
        /// How long a write takes to reach it where nothing waits.
        default("100ms", "assumption: a fraction of a second (DDB guide, GSI)") propagation_delay: Sp<Time>,
    }
    not ["key_schema", "projection", "on_demand_throughput", "warm_throughput"]
}

table! {
    /// A local secondary index.
    LocalIndex as "a local secondary index" {
        /// Size of an item there.
        optional("all of the item (ALL)", "API:dynamodb (Projection)") projected_size: Sp<Bytes>,
        /// Share of the items that have the index's key, so that they are in it.
        default("100%", "assumption") item_share: Sp<Share>,
    }
    not ["key_schema", "projection"]
}

table! {
    /// A table's stream.
    Stream as "stream_specification" {
        /// Who reads it, by name; two at most.
        default({}, "nobody") consumers: Named<Consumer>,
    }
    not ["stream_view_type", "stream_enabled"]
}

table! {
    /// A consumer of a stream: a Lambda function's event source mapping.
    Consumer as "a consumer" {
        /// Records of a batch.
        default(100, "LAM guide, with-ddb") batch_size: Sp<u32>,
        /// Batches of a shard that are worked on at once.
        default(1, "LAM guide, with-ddb: 1 to 10") parallelization_factor: Sp<u32>,
        /// How long a batch takes whatever is in it.
        default("20ms", "assumption") time_per_batch: Sp<Time>,
        /// And for each of its records.
        default("1ms", "assumption") time_per_record: Sp<Time>,
        /// Share of batches that fail. They are tried again until they succeed.
        default("0%", "assumption") error_rate: Sp<Share>,
    }
    not ["starting_position", "filter_criteria", "maximum_batching_window", "bisect_batch_on_function_error", "maximum_record_age",
         "maximum_retry_attempts", "destination_config"]
}

table! {
    /// Deletions by time to live.
    TimeToLive as "time_to_live" {
        /// Items that are deleted each second, late as they are (within 48 hours). They cost no units.
        required deletes_per_second: Sp<f64>,
    }
    not ["attribute_name", "enabled"]
}
