//! What a cache is told.

use sim_core::distribution::{Distribution, Zipf};
use sim_core::{SimDuration, SimTime};

use crate::ids::*;

/// A replication group: one shard, or several in cluster mode.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// `CacheNodeType`, which is what it is charged by.
    pub node_type: String,
    /// What prices differ by: `redis` or `valkey`.
    pub engine: &'static str,
    /// `NumNodeGroups`: shards.
    pub node_groups: u16,
    /// `ReplicasPerNodeGroup`.
    pub replicas: u16,
    /// Node `n` of shard `s` is in zone `(s + n) % zones`.
    pub zones: Vec<String>,
    /// Bytes that a node has for items: `maxmemory` less what is reserved.
    pub memory: u64,
    /// `maxmemory-policy`.
    pub policy: Policy,
    /// Bytes that an item takes beside its own size.
    pub item_overhead: u64,
    /// Time of the engine's one thread for a command.
    pub command_time: Distribution,
    /// How callers' clients behave.
    pub client: Client,
    /// Connections a node takes (65,000).
    pub max_connections: u32,
    /// What happens when a primary fails.
    pub failover: Failover,
    /// How far replicas are behind.
    pub replication_lag: Distribution,
    /// What is kept, by number.
    pub items: Vec<Item>,
    /// What callers do, by [`Request::operation`](crate::request::Request::operation).
    pub uses: Vec<Use>,
    /// How slots go from shard to shard.
    pub resharding: Resharding,
    /// What is planned, in order of time.
    pub changes: Vec<Planned>,
}

impl Settings {
    /// The most shards there are at any time.
    #[must_use]
    pub fn most_node_groups(&self) -> u16 {
        let wanted = self.changes.iter().filter_map(|planned| match planned.change {
            Change::Reshard { node_groups } => Some(node_groups),
            _ => None,
        });
        wanted.max().map_or(self.node_groups, |most| most.max(self.node_groups))
    }
}

/// How slots go from shard to shard.
#[derive(Clone, Debug)]
pub struct Resharding {
    /// Until new shards are there.
    pub provisioning: SimDuration,
    /// Time for a slot, whatever is in it.
    pub slot: SimDuration,
    /// Bytes a second of what is in them.
    pub rate: f64,
}

/// `maxmemory-policy`: what makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: writes fail.
    NoEviction,
    /// Whatever was used least recently.
    AllKeysLru,
    /// The same among what has a time to live.
    VolatileLru,
    /// Whatever is used least frequently.
    AllKeysLfu,
    /// The same among what has a time to live.
    VolatileLfu,
    /// Anything.
    AllKeysRandom,
    /// Anything that has a time to live.
    VolatileRandom,
    /// Whatever expires next.
    VolatileTtl,
}

/// A client library in each calling task.
#[derive(Clone, Debug)]
pub struct Client {
    /// How long it waits for an answer.
    pub timeout: SimDuration,
    /// Connections that a task has to each node.
    pub connections: u32,
    /// Time to open one.
    pub connect_time: SimDuration,
    /// What that costs the engine.
    pub connect_cpu: SimDuration,
}

/// What happens when a primary fails.
#[derive(Clone, Debug)]
pub struct Failover {
    /// `AutomaticFailoverEnabled`.
    pub automatic: bool,
    /// From the failure until a replica takes writes.
    pub time: SimDuration,
    /// How much of that passes until somebody knows of it.
    pub detection: SimDuration,
    /// How much of that passes, in the end, while clients are told who takes writes.
    pub endpoint_update: SimDuration,
    /// From the failure until a new node stands in the failed one's place.
    pub replacement: SimDuration,
}

/// A kind of item.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What tells one from another.
    pub key: KeyOf,
    /// Time to live; none: for good.
    pub ttl: Option<Distribution>,
    /// Whether reading it renews the time to live.
    pub sliding: bool,
    /// Size of key and value; none: that of the catalogue's object.
    pub size: Option<Distribution>,
    /// A fixed hit ratio in place of a data set.
    pub hit_ratio: Option<f64>,
    /// Whether replicas are read.
    pub from_replicas: bool,
    /// What callers do who miss the same item at once.
    pub collapsing: Collapsing,
    /// Whether a caller goes to the store when the cache fails.
    pub falls_through: bool,
    /// Whether a `get` that finds nothing fails.
    pub miss_fails: bool,
}

/// What tells one item from another of its kind.
#[derive(Clone, Debug)]
pub enum KeyOf {
    /// The catalogue's object that is asked for, or the path where there is none.
    Object,
    /// The client whose request it is.
    Client,
    /// A key by its popularity, drawn for each call.
    Drawn(Zipf),
}

/// What callers do who miss the same item at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collapsing {
    /// All ask the store.
    None,
    /// Of each task one does; the others wait for its answer.
    Process,
    /// One does, whoever; the others wait for its answer.
    Lock,
}

/// What a call does.
#[derive(Clone, Debug)]
pub struct Use {
    /// With which kind of item.
    pub item: u16,
    /// What.
    pub what: What,
    /// Round trip to the cache.
    pub rtt: SimDuration,
}

/// See [`Use`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One command.
    Command(Command),
    /// Looks into the cache, else asks the store, and puts its answer into the cache.
    LookAside {
        /// The store.
        store: Endpoint,
        /// What is asked of it.
        operation: u16,
        /// Round trip to it.
        rtt: SimDuration,
    },
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Reads an item.
    Get,
    /// Writes one.
    Set,
    /// Deletes one.
    Del,
}

/// A planned change.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When.
    pub at: SimTime,
    /// What.
    pub change: Change,
}

/// What is planned, by the names of AWS's API.
#[derive(Clone, Debug)]
pub enum Change {
    /// `TestFailover` of a shard.
    TestFailover {
        /// Which.
        shard: u16,
    },
    /// `ModifyReplicationGroup` to another node type: all shards at once.
    NodeType {
        /// As written.
        name: String,
        /// Bytes for items of the new nodes.
        memory: u64,
        /// How long primaries are away.
        takes: SimDuration,
    },
    /// `ModifyReplicationGroup` to another engine version: shard after shard.
    Engine {
        /// How long each primary is away.
        takes: SimDuration,
    },
    /// `RebootCacheCluster` of a node: it is empty afterwards, and nobody takes over from a primary.
    Reboot {
        /// Its number.
        node: u16,
        /// How long it is away.
        takes: SimDuration,
    },
    /// `ModifyReplicationGroupShardConfiguration`: shards are added, or the last ones removed, while all work.
    Reshard {
        /// `NodeGroupCount`.
        node_groups: u16,
    },
    /// The command `FLUSHALL`, on all primaries.
    Flush,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node loses its host.
    Node {
        /// Its number: shard by shard, the first primary first.
        node: Option<u16>,
    },
    /// The nodes of a zone are without power while it lasts.
    Power {
        /// Which.
        zone: String,
    },
    /// No packet reaches any node while it lasts.
    Unreachable,
}
