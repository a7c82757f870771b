//! What a database is told: an Aurora cluster, or an RDS database, which is the same with other instances and times.

use sim_core::distribution::Distribution;
use sim_core::{SimDuration, SimTime};

pub use super::serverless::{ACU_PER_VCPU, Serverless};
pub use super::volume::Volume;

/// A cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name as shown, such as `aurora.orders`.
    pub name: String,
    /// The first is the writer at the start.
    pub instances: Vec<Instance>,
    /// The endpoints that statements use.
    pub endpoints: Vec<ClusterEndpoint>,
    /// What callers ask, by [`Request::operation`](crate::request::Request::operation).
    pub statements: Vec<Statement>,
    /// Each calling task's pool.
    pub pool: Pool,
    /// An RDS Proxy that all callers go through.
    pub proxy: Option<Proxy>,
    /// TTL of the endpoints' DNS records (5 s).
    pub dns_ttl: SimDuration,
    /// Time to open a connection.
    pub connect_time: SimDuration,
    /// How a failover goes.
    pub failover: Failover,
    /// How far readers are behind.
    pub replication: Replication,
    /// What instances keep in memory.
    pub buffer_cache: BufferCache,
    /// What a write takes longer until other zones have it too, beside the statement's own time (RDS Multi-AZ).
    pub commit: SimDuration,
    /// The volume under each instance; none: storage is Aurora's, and takes what statements and cache say.
    pub volume: Option<Volume>,
    /// `ServerlessV2ScalingConfiguration`, for the instances of class `db.serverless`.
    pub serverless: Option<Serverless>,
    /// When serverless instances pause; none: they do not.
    pub pauses: Option<super::AutoPause>,
    /// Its part in a global database.
    pub global: Option<super::GlobalSettings>,
    /// How the number of readers follows the load.
    pub readers: Option<super::ReaderScaling>,
    /// Who asks it whether it is there.
    pub probes: Vec<super::Probe>,
    /// What is planned, in order of time.
    pub changes: Vec<Planned>,
    /// What it is charged by.
    pub billing: Billing,
}

/// What a database is charged by: items of price lists.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Billing {
    /// An hour of an instance; its kind is the class, behind the engine where that matters.
    pub instance: &'static str,
    /// An hour of an ACU.
    pub acu: &'static str,
    /// The engine, where prices differ by it; else empty.
    pub engine: &'static str,
    /// A GB of storage for a month, and its kind.
    pub storage: (&'static str, &'static str),
    /// How much storage there is, GB, and how often it is paid for; none: nobody says.
    pub gigabytes: Option<f64>,
    /// An I/O request, where they are charged.
    pub io: Option<&'static str>,
    /// I/O operations a second that are paid for beside the storage, of all its copies: item, kind of volume, how many.
    pub iops: Option<(&'static str, &'static str, f64)>,
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its size.
    pub class: Class,
    /// Its zone.
    pub zone: String,
    /// `PromotionTier`, 0..=15.
    pub promotion_tier: u8,
    /// What it is there for.
    pub kind: Kind,
}

/// What an instance is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be the writer, or a reader that can be promoted.
    Member,
    /// To take over, and for nothing else while it is not the writer (RDS Multi-AZ).
    Standby,
    /// To be read, and never promoted by itself (RDS read replica).
    Replica,
    /// It is a database of its own: a promoted read replica, or the database that one has taken the place of.
    Apart,
}

impl Kind {
    /// Whether it can take over by itself.
    #[must_use]
    pub const fn is_candidate(self) -> bool {
        matches!(self, Self::Member | Self::Standby)
    }
}

/// An instance's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Such as `db.r6g.large`.
    pub name: String,
    /// Cores.
    pub vcpu: f64,
    /// `max_connections`.
    pub max_connections: u32,
    /// Memory in GiB: the size that breaks ties of tier.
    pub memory_gib: f64,
}

/// A kind of query.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Which of the cluster's endpoints it uses (index).
    pub endpoint: u16,
    /// Whether it writes: refused by a reader (error 1290).
    pub write: bool,
    /// CPU time on the instance.
    pub cpu: Distribution,
    /// Elapsed time without CPU (storage, locks).
    pub wait: Distribution,
    /// Pages that it reads through the buffer cache.
    pub pages: u32,
    /// Probability that it pins its session to a connection of the proxy.
    pub pins: f64,
    /// Bytes of it and its result on the network: what is charged for between zones.
    pub transfer: u32,
}

/// An endpoint of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterEndpoint {
    /// The writer's.
    Cluster,
    /// The readers': one is picked at each resolution; the writer if there is none.
    Reader,
    /// One instance's, whatever its role.
    Instance(u16),
    /// A custom endpoint: one of its members is picked at each resolution.
    Custom {
        /// Its name.
        name: String,
        /// Instances.
        members: Vec<u16>,
        /// Type ANY; otherwise type READER, which leaves out the writer.
        any: bool,
    },
}

/// A calling task's connection pool, one per endpoint, and its driver.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Most connections.
    pub max_size: u32,
    /// How long a request waits for one.
    pub acquire_timeout: SimDuration,
    /// How long an attempt to connect waits for an instance that is silent.
    pub connect_timeout: SimDuration,
    /// How long a query waits for its answer; none: for good.
    pub socket_timeout: Option<SimDuration>,
    /// How long TCP keepalive takes to notice that the other end is silent; none: it is off.
    pub keepalive: Option<SimDuration>,
    /// A connection is tested before it is lent, for at most so long; none: it is not.
    pub validation_timeout: Option<SimDuration>,
    /// A connection is closed when it is so old; none: never.
    pub max_lifetime: Option<SimDuration>,
    /// A connection is closed when it has been idle for so long; none: never. Looked at once a minute.
    pub idle_timeout: Option<SimDuration>,
    /// How long the process believes an address whatever the record's TTL says (JVM: `networkaddress.cache.ttl`).
    pub dns_cache: Option<SimDuration>,
    /// What finds instances.
    pub driver: Driver,
}

/// A database driver.
#[derive(Clone, Debug)]
pub enum Driver {
    /// Believes DNS.
    Standard,
    /// The AWS Advanced JDBC Wrapper with its failover and host monitoring plugins: goes by the cluster's topology.
    Wrapper(Wrapper),
}

/// Settings of the AWS Advanced JDBC Wrapper.
#[derive(Clone, Debug)]
pub struct Wrapper {
    /// `failureDetectionTime`: the first probe after so much of a statement.
    pub failure_detection_time: SimDuration,
    /// `failureDetectionInterval`.
    pub failure_detection_interval: SimDuration,
    /// `failureDetectionCount`: probes missed until the instance is taken for dead.
    pub failure_detection_count: u32,
    /// `failoverClusterTopologyRefreshRateMs`: how often it looks for a writer during a failover.
    pub topology_refresh: SimDuration,
    /// `failoverTimeoutMs`: how long it does.
    pub failover_timeout: SimDuration,
}

/// An RDS Proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `ConnectionBorrowTimeout`.
    pub borrow_timeout: SimDuration,
    /// `MaxConnectionsPercent`, as a share.
    pub max_connections: f64,
    /// `MaxIdleConnectionsPercent`, as a share.
    pub max_idle_connections: f64,
    /// `IdleClientTimeout`.
    pub idle_client_timeout: SimDuration,
    /// What a query's way through it adds.
    pub latency: SimDuration,
}

/// How a failover goes.
#[derive(Clone, Debug)]
pub struct Failover {
    /// From the failure, or the decision, until the promoted instance accepts writes (30 s, Aurora FAQ).
    pub promotion: Distribution,
    /// How much of it passes until a failure is noticed. Nothing has to be noticed where a failover was asked for.
    pub detection: SimDuration,
    /// From then until the cluster endpoint's record names it.
    pub dns_update: SimDuration,
    /// How long a restart takes.
    pub restart: SimDuration,
    /// How long it takes to replace an instance whose host is lost.
    pub recreate: SimDuration,
    /// Whether the old writer of a failover that was asked for falls silent instead of resetting its connections.
    pub silent: bool,
    /// Readers that are not promoted stay up.
    pub survivable_readers: bool,
    /// Waits until what is replicated is applied (RDS Multi-AZ DB cluster).
    pub waits_for_lag: bool,
}

/// How far readers are behind.
#[derive(Clone, Debug)]
pub struct Replication {
    /// From a commit until readers have it, if they have nothing else to apply.
    pub delay: SimDuration,
    /// How long a reader takes to apply one write; they are applied one after the other.
    pub apply: SimDuration,
    /// Commits are delayed while readers are further behind than this (RDS Multi-AZ DB cluster).
    pub flow_control: Option<SimDuration>,
    /// It is RDS's, whose metric is called `ReplicaLag` and is in seconds; Aurora's `AuroraReplicaLag` is in milliseconds.
    pub is_rds: bool,
}

/// What instances keep in memory.
#[derive(Clone, Debug)]
pub struct BufferCache {
    /// Share of page reads that find it there once the cache is warm.
    pub hit_ratio: f64,
    /// A cold cache's hit ratio lacks `exp(-t / warm_up)` of it after a time t.
    pub warm_up: SimDuration,
    /// Time to read a page from storage.
    pub miss_time: Distribution,
    /// A promoted reader begins with a cold cache (Aurora PostgreSQL without cluster cache management).
    pub cold_after_promotion: bool,
}

/// A planned change.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When.
    pub at: SimTime,
    /// What.
    pub change: Change,
}

/// What is changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// `FailoverDBCluster`, to an instance or to whoever is next in the order of promotion.
    Failover {
        /// `TargetDBInstanceIdentifier`.
        to: Option<u16>,
    },
    /// `RebootDBInstance`.
    Reboot {
        /// Which; none: whoever the cluster endpoint names.
        instance: Option<u16>,
    },
    /// `ModifyDBInstance` of a Multi-AZ database: instances get the class one after the other, the writer last, after a failover.
    ModifyAll {
        /// Their new size.
        class: Class,
        /// How long each is away.
        takes: SimDuration,
    },
    /// `ModifyDBInstance` with another class.
    ModifyClass {
        /// Which.
        instance: u16,
        /// Its new size.
        class: Class,
        /// How long it is away.
        takes: SimDuration,
        /// If it is the writer, another takes over first.
        failover_first: bool,
    },
    /// `ModifyDBCluster` with another minor version.
    MinorUpgrade {
        /// Zero-downtime patching, if it is tried.
        patching: Option<ZeroDowntimePatching>,
        /// How long instances restart where it is not, or fails.
        restart: SimDuration,
    },
    /// `ModifyDBCluster` with another major version: all instances are away.
    MajorUpgrade {
        /// How long.
        takes: SimDuration,
    },
    /// `ApplyPendingMaintenanceAction` with `system-update`: instances one after the other, the writer last.
    SystemUpdate {
        /// How long each is away.
        takes: SimDuration,
    },
    /// `ModifyDBInstance` with another size of the storage.
    Storage {
        /// The volume under each instance but read replicas, once it is optimized.
        volume: Volume,
        /// How long that takes.
        takes: SimDuration,
        /// How much storage there is from the beginning on, of all copies, GB.
        gigabytes: f64,
    },
    /// An automated backup: storage I/O is suspended.
    Backup {
        /// How long.
        suspension: SimDuration,
    },
    /// `PromoteReadReplica`.
    Promote {
        /// Which.
        instance: u16,
        /// How long it is away.
        takes: SimDuration,
        /// Whether the database's callers are sent to it then.
        takes_over: bool,
    },
    /// `SwitchoverGlobalCluster`, to this cluster.
    GlobalSwitchover,
    /// `FailoverGlobalCluster` with `AllowDataLoss`, to this cluster; or `RemoveFromGlobalCluster` of it, which promotes it too.
    GlobalFailover {
        /// The latter: it leaves the global database.
        detach: bool,
    },
    /// `SwitchoverBlueGreenDeployment`.
    Switchover {
        /// How long writes are blocked before the green instances take over.
        takes: SimDuration,
        /// Longer than this and it is rolled back.
        timeout: SimDuration,
        /// From when to when both environments are paid for.
        both: (SimTime, SimTime),
    },
}

impl Change {
    /// The action of AWS's API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Failover { .. } => "FailoverDBCluster",
            Self::Reboot { .. } => "RebootDBInstance",
            Self::ModifyAll { .. } | Self::ModifyClass { .. } | Self::Storage { .. } => "ModifyDBInstance",
            Self::Backup { .. } => "backup",
            Self::Promote { .. } => "PromoteReadReplica",
            Self::MinorUpgrade { .. } => "ModifyDBCluster: minor version",
            Self::MajorUpgrade { .. } => "ModifyDBCluster: major version",
            Self::SystemUpdate { .. } => "ApplyPendingMaintenanceAction: system-update",
            Self::GlobalSwitchover => "SwitchoverGlobalCluster",
            Self::GlobalFailover { detach: false } => "FailoverGlobalCluster",
            Self::GlobalFailover { detach: true } => "RemoveFromGlobalCluster",
            Self::Switchover { .. } => "SwitchoverBlueGreenDeployment",
        }
    }
}

/// Zero-downtime patching.
#[derive(Clone, Debug)]
pub struct ZeroDowntimePatching {
    /// How long the writer does no work, with its sessions kept.
    pub pause: SimDuration,
    /// Probability that it does not come to that, and everything restarts.
    pub failure: f64,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `aws:rds:failover-db-cluster`.
    Failover,
    /// `aws:rds:reboot-db-instances`.
    Reboot {
        /// Which; none: whoever the cluster endpoint names.
        instance: Option<u16>,
        /// Another takes over, if it is the writer.
        force_failover: bool,
    },
    /// An instance's host is lost.
    HostFailure {
        /// Which; none: whoever the cluster endpoint names.
        instance: Option<u16>,
    },
    /// Copies of the storage are lost, beside those of zones without power, while it lasts.
    Storage {
        /// How many.
        copies: u8,
    },
    /// Its Region is lost, with all instances, while it lasts.
    Region,
    /// A zone is without power, or cut off from the network, while it lasts.
    Zone {
        /// Which.
        zone: String,
        /// Without power: what was in memory is lost.
        power: bool,
    },
}
