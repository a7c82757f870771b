//! Caches of ElastiCache for Redis and Valkey.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::{SizeDist, TimeDist};
use crate::raw::station::Renewal;
use crate::units::{Bytes, Share, Time};

table! {
    /// A replication group of ElastiCache for Redis or Valkey: one node, a primary with replicas, or the shards of a cluster.
    ReplicationGroup as "[elasticache]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// The node type: how much memory a node has.
        required cache_node_type: Sp<String>,
        /// Memory of a node (maxmemory), where the type is not in the table of known types, or to try another size.
        optional("that of the type", "EC guide, ParameterGroups.Redis (node-type specific maxmemory)") maxmemory: Sp<Bytes>,
        /// Share of a node's memory that items may not use.
        default("25%", "EC guide, ParameterGroups.Redis (reserved-memory-percent)") reserved_memory_percent: Sp<Share>,
        /// What makes room when the memory is full.
        default("volatile-lru", "EC guide, ParameterGroups.Redis (maxmemory-policy)") maxmemory_policy: Sp<Policy>,
        /// The engine's version: what planned changes take follows from it.
        default("7.1", "assumption: any from 5.0.6 on") engine_version: Sp<String>,
        /// Shards. More than one is cluster mode: keys are spread over 16,384 slots, and slots over shards.
        default(1, "cluster mode disabled") num_node_groups: Sp<u32>,
        /// Replicas of each shard.
        default(0, "API:elasticache (ReplicasPerNodeGroup): 0-5") replicas_per_node_group: Sp<u32>,
        /// Whether a replica takes over when the primary fails.
        optional("true with replicas", "assumption; cluster mode requires it (API:elasticache, AutomaticFailoverEnabled)")
        automatic_failover_enabled: Sp<bool>,
        /// Zones of the nodes: node n of shard s, both from 0, is in number s + n, in turn.
        default(["a", "b", "c"], "assumption: three zones") availability_zones: Sp<Vec<Sp<String>>>,
        /// Round trip from callers.
        optional("network.region_rtt", "see network.region_rtt") rtt: Sp<Time>,
        /// Time of the engine's one thread for a command.
        default("10us", "assumption: about 100,000 commands a second on one core") command_time: Sp<TimeDist>,
        /// Memory of an item beside key and value.
        default("100B", "assumption: dictionary entry, object headers and expiry of a Redis key") item_overhead: Sp<Bytes>,
        /// How far replicas are behind their primary.
        default("1ms", "assumption: asynchronous; CloudWatch's ReplicationLag is usually below its resolution")
        replication_lag: Sp<TimeDist>,
        /// Connections that a node takes.
        default(65000, "EC guide, TroubleshootingConnections (maxclients)") max_connections: Sp<u32>,
        /// The client library in each calling task.
        default({}, "every key of client has its own default") client: Client,
        /// How long failures take.
        default({}, "every key of failover has its own default") failover: Failover,
        /// How slots go from shard to shard when their number changes.
        default({}, "every key of resharding has its own default") resharding: Resharding,
        /// What is kept, by name: [elasticache.queries.items.product].
        required items: Named<Item>,
    }
    not ["snapshot_retention_limit", "data_tiering_enabled", "serverless", "global_replication_group", "auto_scaling",
         "transit_encryption_enabled", "at_rest_encryption_enabled", "durability", "memcached"]
}

choice! {
    /// What makes room (maxmemory-policy).
    Policy {
        /// Whatever was used least recently, among what has a time to live.
        VolatileLru = "volatile-lru",
        /// Whatever was used least recently.
        AllKeysLru = "allkeys-lru",
        /// Whatever is used least frequently, among what has a time to live.
        VolatileLfu = "volatile-lfu",
        /// Whatever is used least frequently.
        AllKeysLfu = "allkeys-lfu",
        /// Anything that has a time to live.
        VolatileRandom = "volatile-random",
        /// Anything.
        AllKeysRandom = "allkeys-random",
        /// What expires next.
        VolatileTtl = "volatile-ttl",
        /// Nothing: writes fail.
        NoEviction = "noeviction",
    } not []
}

table! {
    /// The client library in each calling task.
    Client as "client of a cache" {
        /// How long it waits for an answer.
        default("2s", "Jedis, Protocol.DEFAULT_TIMEOUT") timeout: Sp<Time>,
        /// Connections of a task to each node.
        default(1, "Lettuce: one connection for all threads") connections: Sp<u32>,
        /// Time to open one.
        default("1ms", "assumption: TCP and TLS inside a Region") connect_time: Sp<Time>,
        /// What opening one costs the engine.
        default("50us", "assumption: a TLS handshake") connect_cpu: Sp<Time>,
    }
}

table! {
    /// How long failures take.
    Failover as "failover of a cache" {
        /// From the failure of a primary until a replica takes writes.
        default("20s", "assumption inside EC guide, AutoFailover (a few seconds once noticed) and AWS blog, Testing Automatic Failover (about 30 s in all)")
        failover_time: Sp<Time>,
        /// How much of that passes until somebody knows of it: what the downtime ledger calls detection.
        optional("15s, or failover_time if that is shorter", "assumption: Redis cluster specification, NODE_TIMEOUT (cluster-node-timeout 15000)")
        failure_detection: Sp<Time>,
        /// How much of that passes, in the end, until the primary endpoint's name leads to the new primary.
        optional("3s, 0s with several node groups, and no more than failure_detection leaves of failover_time", "assumption: EC guide, AutoFailover (the DNS name is propagated); clients of a cluster are told by its nodes")
        endpoint_update: Sp<Time>,
        /// From the failure of a node until another stands in its place.
        default("5m", "assumption: minutes (AWS blog, Testing Automatic Failover)") replacement_time: Sp<Time>,
    }
}

table! {
    /// How slots go from shard to shard when their number changes.
    Resharding as "resharding of a cache" {
        /// Until new shards are there.
        default("5m", "assumption: as a node's replacement") provisioning_time: Sp<Time>,
        /// Time for each slot, whatever is in it.
        default("20ms", "assumption: not documented") slot_time: Sp<Time>,
        /// What is moved of the items in them, each second.
        default("25MB", "assumption: EC guide, best-practices-online-resharding, says that it depends on the size of the data") migration_rate: Sp<Bytes>,
    }
    not ["resharding_configuration", "node_groups_to_remove", "node_groups_to_retain"]
}

table! {
    /// A kind of item.
    Item as "an item of a cache" {
        /// What tells one from another.
        default("object", "assumption: what is asked for") key: Sp<Key>,
        /// Keys that are drawn for each call by their popularity, in place of `key`.
        optional("as `key` says", "assumption") keys: Keys,
        /// How long one lives. A distribution spreads the ends of those written at once.
        optional("for good", "Redis, SET") ttl: Sp<TimeDist>,
        /// From when that counts.
        default("fixed", "Redis, EXPIRE: reading a key does not change its time to live") renewal: Sp<Renewal>,
        /// Size of key and value. Each item has one size.
        optional("that of the catalogue's object, 1KB where there is none", "assumption") size: Sp<SizeDist>,
        /// A fixed share of lookups that find something, in place of keys, memory and times to live.
        optional("what is there is found", "by keys, memory and ttl") hit_ratio: Sp<Share>,
        /// Who is asked for it.
        default("primary", "assumption: the primary or configuration endpoint") read_from: Sp<ReadFrom>,
        /// What callers do who miss the same item at once.
        default("none", "assumption: a plain look-aside") collapsing: Sp<Collapsing>,
        /// What a caller that looks aside does when the cache does not answer.
        default("ask_store", "assumption: a cache is not relied on") on_error: Sp<OnError>,
        /// What a `get` that finds nothing is to its caller.
        default("ok", "assumption") on_miss: Sp<OnMiss>,
    }
}

table! {
    /// Keys that are drawn for each call.
    Keys as "keys of a cache's item" {
        /// How many there are.
        default(1000000, "assumption: many") count: Sp<u64>,
        /// Exponent of their popularity (Zipf's law): 0 = all alike.
        default(0.0, "assumption: all alike") zipf: Sp<f64>,
    }
}

choice! {
    /// What tells one item from another of its kind.
    Key {
        /// The object of the route's catalogue; the path where there is none.
        Object = "object",
        /// The client whose request it is: a session.
        Client = "client",
    } not ["query_string"]
}

choice! {
    /// Who is asked for an item.
    ReadFrom {
        /// The primary.
        Primary = "primary",
        /// A replica, any: it may not know the latest writes.
        Replica = "replica",
    } not ["nearest"]
}

choice! {
    /// What callers do who miss the same item at once.
    Collapsing {
        /// All ask the store.
        None = "none",
        /// One request of each task does; the others wait for its answer.
        Process = "process",
        /// One request does, whoever's; the others wait for its answer.
        Lock = "lock",
    } not []
}

choice! {
    /// What a caller that looks aside does when the cache does not answer.
    OnError {
        /// It asks the store.
        AskStore = "ask_store",
        /// It fails.
        Fail = "fail",
    } not []
}

choice! {
    /// What a `get` that finds nothing is to its caller.
    OnMiss {
        /// An answer.
        Ok = "ok",
        /// A failure (404, cause cache_miss).
        Fail = "fail",
    } not []
}

choice! {
    /// A command.
    Command {
        /// Reads an item.
        Get = "get",
        /// Writes one.
        Set = "set",
        /// Deletes one.
        Del = "del",
    } not ["incr", "mget", "lpush", "zadd", "eval", "publish"]
}
