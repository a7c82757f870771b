//! Aurora clusters, and planned changes of databases.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::raw::scaling::ScheduledAction;
use crate::units::{Bytes, Share, Time, Vcpu};

table! {
    /// An Aurora cluster.
    Cluster as "[aurora]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to viewers and to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// The engine, which decides max_connections.
        default("aurora-mysql", "assumption") engine: Sp<Engine>,
        /// Its instances; the first is the writer at the start.
        required instances: Sp<Vec<Instance>>,
        /// What callers ask, by name: { place_order = { write = true, cpu = "2ms" } }.
        required statements: Named<Statement>,
        /// Each calling task's connection pool; one per endpoint.
        default({}, "every key of pool has its own default") pool: Pool,
        /// TTL of the endpoints' DNS records.
        default("5s", "aws.amazon.com/blogs/database/improve-application-availability-on-amazon-aurora") dns_ttl: Sp<Time>,
        /// Time to open a connection.
        default("5ms", "assumption: a few round trips and authentication") connect_time: Sp<Time>,
        /// How a failover goes.
        default({}, "every key of failover has its own default") failover: Failover,
        /// Custom endpoints, by name: { reports = { members = ["orders-3"] } }.
        default({}, "none") custom_endpoints: Named<CustomEndpoint>,
        /// Who asks the database itself, as an operator does with SELECT NOW() once a second, by name: [aurora.orders.probe.now].
        default({}, "none") probe: Named<Probe>,
        /// An RDS Proxy that all callers go through.
        optional("callers connect to instances", "no proxy") rds_proxy: Proxy,
        /// It is a secondary cluster of an Aurora Global Database, in another Region.
        optional("a cluster of its own, or the primary of those that name it", "Aurora guide, aurora-global-database") global_cluster: GlobalCluster,
        /// Readers come and go with the load (Application Auto Scaling).
        optional("the readers stay as they are", "Aurora guide, Aurora.Integrating.AutoScaling") auto_scaling: ReaderScaling,
        /// How far readers are behind the writer.
        default({}, "every key of replica_lag has its own default") replica_lag: ReplicaLag,
        /// What instances keep in memory, for statements that read `pages`.
        default({}, "every key of buffer_cache has its own default") buffer_cache: BufferCache,
        /// What storage and I/O are charged by: it changes costs only.
        default("aurora", "API:rds (StorageType): Aurora Standard") storage_type: Sp<StorageType>,
        /// How large the volume is, which costs. It grows by itself.
        optional("storage is left out of the costs, and the report says so", "not known") volume_size: Sp<Bytes>,
        /// When changes that are not applied immediately are made.
        optional("changes are made at their time", "assumption: they are applied immediately") maintenance_window: MaintenanceWindow,
        /// Capacity of its instances of class db.serverless.
        optional("none of them is serverless", "Aurora guide, aurora-serverless-v2") serverless_v2_scaling_configuration: Serverless,
    }
    not ["backtrack"]
}

choice! {
    /// What storage and I/O are charged by.
    StorageType {
        /// Aurora Standard: I/O requests are charged.
        Standard = "aurora",
        /// I/O-Optimized: instances and storage cost more, I/O requests nothing.
        IoOptimized = "aurora-iopt1",
    } not []
}

choice! {
    /// A database engine.
    Engine {
        /// MySQL.
        Mysql = "aurora-mysql",
        /// PostgreSQL.
        Postgresql = "aurora-postgresql",
    } not ["mysql", "postgres", "mariadb"]
}

table! {
    /// An instance of a cluster.
    Instance as "an instance" {
        /// Its name.
        required name: Sp<String>,
        /// Its class, such as "db.r6g.large"; gives vcpu, memory and max_connections.
        required db_instance_class: Sp<String>,
        /// Its zone.
        optional("a, b, c in turn", "assumption: three zones") availability_zone: Sp<String>,
        /// Who is promoted first, 0..=15; ties go to the larger.
        default(1, "API:rds (PromotionTier)") promotion_tier: Sp<u32>,
        /// Cores.
        optional("by class", "Aurora guide, Concepts.DBInstanceClass") vcpu: Sp<Vcpu>,
        /// Memory.
        optional("by class", "Aurora guide, Concepts.DBInstanceClass") memory: Sp<Bytes>,
        /// Most connections.
        optional("by class and engine", "Aurora guide, AuroraMySQL.Managing.Performance and AuroraPostgreSQL.Managing") max_connections: Sp<u32>,
    }
}

table! {
    /// A kind of query.
    Statement as "a statement" {
        /// Whether it writes; a reader refuses writes (MySQL error 1290).
        default(false, "it reads") write: Sp<bool>,
        /// Which endpoint it uses: "cluster" (the writer's), "reader" (one of the readers at each resolution, the writer if there is
        /// none), or the name of a custom endpoint or of an instance.
        default("cluster", "assumption: always right, if not always fastest") endpoint: Sp<String>,
        /// CPU time on the instance.
        default("0s", "none; cpu or wait is needed") cpu: Sp<TimeDist>,
        /// Time without CPU: storage, locks, commit.
        default("0s", "none; cpu or wait is needed") wait: Sp<TimeDist>,
        /// Pages that it reads through the buffer cache; those that are not there are read from storage one after the other.
        default(0, "its reads are part of wait") pages: Sp<u32>,
        /// With an RDS Proxy: probability that it pins its session to a database connection (SET, temporary tables, prepared
        /// statements, text over 16 KB).
        default("0%", "Aurora guide, rds-proxy-planning: depends on the statement") pins: Sp<Share>,
        /// Its text and result on the network: what is paid for where caller and instance are in different zones.
        default("0B", "assumption: not counted") transfer: Sp<Bytes>,
    }
}

table! {
    /// A probe that opens a connection of its own each time, round proxies and pools, and takes no part in the load.
    Probe as "a probe of a database" {
        /// The endpoint it asks: "cluster", "reader", a custom endpoint or an instance, by name.
        default("cluster", "assumption: what an operator watches first") endpoint: Sp<String>,
        /// How often it asks.
        default("1s", "requirements: a probe once a second") interval: Sp<Time>,
        /// How long it waits for an answer.
        default("3s", "assumption") timeout: Sp<Time>,
        /// Whether it writes: a reader refuses it then (MySQL error 1290).
        default(false, "SELECT NOW()") write: Sp<bool>,
    }
}

table! {
    /// A custom endpoint.
    CustomEndpoint as "a custom endpoint" {
        /// Names of instances; one is picked at each resolution.
        required members: Sp<Vec<Sp<String>>>,
        /// READER leaves out the writer, ANY does not.
        default("READER", "API:rds (CustomEndpointType)") endpoint_type: Sp<EndpointType>,
    }
}

choice! {
    /// A type of custom endpoint.
    EndpointType {
        /// Readers only.
        Reader = "READER",
        /// Readers and writer.
        Any = "ANY",
    } not []
}

table! {
    /// A calling task's connection pool.
    Pool as "pool" {
        /// Most connections.
        default(10, "assumption: HikariCP's maximumPoolSize") max_size: Sp<u32>,
        /// How long a request waits for one.
        default("30s", "assumption: HikariCP's connectionTimeout") acquire_timeout: Sp<Time>,
        /// How long an attempt to connect waits for an instance that is silent.
        default("10s", "assumption: pgjdbc's connectTimeout") connect_timeout: Sp<Time>,
        /// How long a query waits for an answer before its connection is given up.
        optional("for good", "assumption: socketTimeout of Connector/J and pgjdbc is 0") socket_timeout: Sp<Time>,
        /// How long TCP keepalive takes to notice that an instance is silent.
        optional("off", "assumption: the system's two hours; the recipe of AuroraPostgreSQL.BestPractices.FastFailover takes 5 s") keepalive: Sp<Time>,
        /// Connections are tested before they are lent, for at most so long (HikariCP's validationTimeout).
        optional("not tested", "assumption") validation_timeout: Sp<Time>,
        /// Connections are closed when they are so old.
        optional("never", "assumption; HikariCP's maxLifetime is 30 min") max_lifetime: Sp<Time>,
        /// Connections are closed that have been idle for so long; looked at once a minute.
        optional("never", "assumption; HikariCP's idleTimeout is 10 min, for connections beyond minimumIdle") idle_timeout: Sp<Time>,
        /// How long the process believes an address, whatever the record's TTL (JVM: networkaddress.cache.ttl).
        optional("for the record's TTL", "Aurora guide, Aurora.BestPractices: under 30 s; RDS guide: at most 60 s") dns_cache: Sp<Time>,
        /// What finds instances.
        default("standard", "assumption: a driver that believes DNS") driver: Sp<Driver>,
        /// aws_advanced_jdbc_wrapper: its plugins' settings.
        optional("every key has its own default", "AWS JDBC wrapper, UsingTheFailoverPlugin") wrapper: Wrapper,
    }
}

choice! {
    /// A database driver.
    Driver {
        /// Believes DNS.
        Standard = "standard",
        /// Failover and host monitoring plugins: goes by the cluster's topology.
        Wrapper = "aws_advanced_jdbc_wrapper",
    } not ["mariadb_connector_j", "aws_python_wrapper", "aws_odbc"]
}

table! {
    /// Settings of the AWS Advanced JDBC Wrapper.
    Wrapper as "wrapper" {
        /// failureDetectionTime: the first probe after so much of a statement.
        default("30s", "AWS JDBC wrapper, UsingTheHostMonitoringPlugin") failure_detection_time: Sp<Time>,
        /// failureDetectionInterval.
        default("5s", "AWS JDBC wrapper, UsingTheHostMonitoringPlugin") failure_detection_interval: Sp<Time>,
        /// failureDetectionCount: so many probes missed, and the instance is taken for dead.
        default(3, "AWS JDBC wrapper, UsingTheHostMonitoringPlugin") failure_detection_count: Sp<u32>,
        /// failoverClusterTopologyRefreshRateMs: how often it looks for the writer during a failover.
        default("2s", "AWS JDBC wrapper, UsingTheFailoverPlugin") topology_refresh: Sp<Time>,
        /// failoverTimeoutMs: how long it does.
        default("300s", "AWS JDBC wrapper, UsingTheFailoverPlugin") failover_timeout: Sp<Time>,
    }
}

table! {
    /// An RDS Proxy.
    Proxy as "rds_proxy" {
        /// How long a query waits for a connection of the proxy.
        default("120s", "Aurora guide, rds-proxy-managing (ConnectionBorrowTimeout)") connection_borrow_timeout: Sp<Time>,
        /// Most connections, of max_connections.
        default("100%", "API:rds (MaxConnectionsPercent)") max_connections_percent: Sp<Share>,
        /// Most of these that stay open without activity for 5 minutes.
        optional("half of max_connections_percent", "Aurora guide, rds-proxy-managing (MaxIdleConnectionsPercent)") max_idle_connections_percent: Sp<Share>,
        /// When callers' connections without activity are closed.
        default("1800s", "Aurora guide, rds-proxy-managing (IdleClientTimeout)") idle_client_timeout: Sp<Time>,
        /// What the way through it adds to a query.
        default("1ms", "assumption: one more hop within the Region; not documented") latency: Sp<Time>,
    }
}

table! {
    /// How far readers are behind the writer.
    ReplicaLag as "replica_lag" {
        /// From a commit until readers show it, if they have nothing else to apply.
        default("20ms", "assumption under Aurora guide, Aurora.Replication: usually much less than 100 ms") delay: Sp<Time>,
        /// How long a reader takes to apply a write; one after the other, so lag grows with the rate of writes.
        default("100us", "assumption: 10,000 writes a second") apply: Sp<Time>,
    }
}

table! {
    /// What instances keep in memory.
    BufferCache as "buffer_cache" {
        /// Share of page reads that find the page in a warm cache.
        default("99%", "assumption: BufferCacheHitRatio of a database that fits its instance") hit_ratio: Sp<Share>,
        /// How fast a cold one warms up: what it lacks falls to 37% in this time.
        default("5m", "assumption; not documented") warm_up: Sp<Time>,
        /// Time to read a page from storage.
        default("1ms", "assumption: a storage round trip") miss_time: Sp<TimeDist>,
        /// Aurora PostgreSQL: apg_ccm_enabled, so that a promoted reader has a warm cache. Aurora MySQL's has one anyway.
        default(false, "Aurora guide, AuroraPostgreSQL.cluster-cache-mgmt: off") cluster_cache_management: Sp<bool>,
    }
}

table! {
    /// Capacity of serverless instances, in ACUs (about 2 GiB of memory and a quarter of a core each).
    Serverless as "serverless_v2_scaling_configuration" {
        /// Least capacity, from 0.5, with which they begin; 0: they pause where nobody has a connection, and have 0.5 at least else.
        required min_capacity: Sp<f64>,
        /// Most capacity, to 256; decides max_connections.
        required max_capacity: Sp<f64>,
        /// Largest change in a second, as a share of the capacity; at least half an ACU.
        default("10%", "assumption; not documented: larger increments at larger capacity") scaling_rate: Sp<Share>,
        /// min_capacity = 0: an instance pauses after so long without any connection; from 300s to 86400s.
        optional("300s", "API:rds (ServerlessV2ScalingConfiguration, SecondsUntilAutoPause)") seconds_until_auto_pause: Sp<Time>,
        /// min_capacity = 0: how long the connection that wakes an instance waits.
        optional("15s", "Aurora guide, aurora-serverless-v2-auto-pause: approximately 15 seconds") resume_time: Sp<TimeDist>,
        /// The same of one that has been paused for more than 24 hours.
        optional("30s", "Aurora guide, aurora-serverless-v2-auto-pause: 30 seconds or longer") deep_sleep_resume_time: Sp<TimeDist>,
    }
}

table! {
    /// A secondary cluster's part in a global database.
    GlobalCluster as "global_cluster" {
        /// The cluster that is the primary at the start: "aurora.orders".
        required secondary_of: Sp<String>,
        /// From a commit at the primary until it is here; and, when roles have changed, from a commit here until it is at the others.
        default("500ms", "assumption under Aurora guide, aurora-global-database: typically under a second") replication_lag: Sp<TimeDist>,
        /// How long it takes, or the primary if it is promoted again, from the decision until it accepts writes.
        default("60s", "Aurora Global Database: full read and write capabilities in less than a minute (disaster-recovery.workshop.aws)") promotion: Sp<TimeDist>,
    }
    not ["global_cluster_identifier", "enable_global_write_forwarding", "write_forwarding", "rds_global_db_rpo"]
}

table! {
    /// Auto scaling of readers.
    ReaderScaling as "auto_scaling" {
        /// Fewest readers, whoever made them; 0 to 15.
        required min_capacity: Sp<u32>,
        /// Most readers, whoever made them; 0 to 15.
        required max_capacity: Sp<u32>,
        /// What they follow; one policy for each metric.
        default([], "only scheduled actions change the bounds") policies: Vec<ReaderPolicy>,
        /// Other bounds from some instant on.
        default([], "none") scheduled_action: Vec<ScheduledAction>,
        /// From the decision until a new reader is available. The reader endpoint names it failover.dns_update later.
        default({ uniform = ["5m", "10m"] }, "assumption: several minutes; not documented") creation_time: Sp<TimeDist>,
    }
}

table! {
    /// A target-tracking policy of readers.
    ReaderPolicy as "a policy of auto_scaling" {
        /// Its name.
        optional("its metric", "no name") policy_name: Sp<String>,
        /// The mean over all readers of what is held.
        default("RDSReaderAverageCPUUtilization", "assumption: the usual one") predefined_metric_type: Sp<ReaderMetric>,
        /// The value to be held: percent of CPU, or connections of a reader.
        required target_value: Sp<f64>,
        /// Minutes in a row that must be above the target before readers are added.
        default(3, "AAS guide, target tracking: 3 of 3 one-minute points") scale_out_datapoints: Sp<u32>,
        /// Minutes in a row that must be below the lower threshold before one is removed.
        default(15, "AAS guide, target tracking: 15 of 15 one-minute points") scale_in_datapoints: Sp<u32>,
        /// The lower threshold in percent of the target.
        default("90%", "assumption: as target tracking of ECS services") scale_in_threshold: Sp<Share>,
        /// Time after readers were added during which only a larger addition is made.
        default("300s", "Aurora guide, Aurora.Integrating.AutoScaling") scale_out_cooldown: Sp<Time>,
        /// Time after a change during which no reader is removed.
        default("300s", "Aurora guide, Aurora.Integrating.AutoScaling") scale_in_cooldown: Sp<Time>,
        /// Whether it never removes readers.
        default(false, "API:application-autoscaling (DisableScaleIn)") disable_scale_in: Sp<bool>,
    }
    not ["customized_metric_specification", "policy_type"]
}

choice! {
    /// A metric over all readers of a cluster.
    ReaderMetric {
        /// Mean CPU of the readers, percent.
        Cpu = "RDSReaderAverageCPUUtilization",
        /// Mean number of open connections of the readers.
        Connections = "RDSReaderAverageDatabaseConnections",
    } not []
}

table! {
    /// When changes that are not applied immediately are made: weekly.
    MaintenanceWindow as "maintenance_window" {
        /// When the first one begins.
        required start: Sp<Time>,
        /// How long it is.
        default("30m", "Aurora guide, USER_UpgradeDBInstance.Maintenance: 30 min weekly") duration: Sp<Time>,
    }
}

table! {
    /// A planned change of a database.
    Maintenance as "[[maintenance]]" {
        /// When.
        required at: Sp<Time>,
        /// What, by the action of Amazon RDS's or ElastiCache's API.
        required action: Sp<ApiAction>,
        /// Which database or cache: "aurora.orders", "elasticache.sessions".
        required target: Sp<String>,
        /// Which instance, by name; with FailoverDBCluster the one to be promoted.
        optional("needed with RebootDBInstance, ModifyDBInstance and PromoteReadReplica", "API:rds") db_instance_identifier: Sp<String>,
        /// ModifyDBInstance: its new class.
        optional("needed with ModifyDBInstance", "API:rds") db_instance_class: Sp<String>,
        /// ModifyDBInstance of an RDS database: its new size. Nothing is away; until the volume is optimized it has the old I/O rate.
        optional("its size stays", "API:rds (AllocatedStorage)") allocated_storage: Sp<Bytes>,
        /// PromoteReadReplica: whether callers of the database are sent to it once it is there, as after the loss of the primary.
        default(false, "it is a database of its own from then on") takes_over: Sp<bool>,
        /// ModifyDBInstance: if it is the writer, another takes over before.
        default(false, "the writer is away while it changes") failover_first: Sp<bool>,
        /// ModifyDBCluster, ModifyReplicationGroup: which version.
        optional("needed with ModifyDBCluster", "API:rds, API:elasticache (EngineVersion)") engine_version: Sp<Version>,
        /// ModifyDBCluster to a minor version: zero-downtime patching is tried.
        default(true, "Aurora guide, AuroraMySQL.Updates.Patching: best effort") zero_downtime_patching: Sp<bool>,
        /// Zero-downtime patching: how long the writer does no work.
        default("5s", "Aurora guide of 2020, AuroraMySQL.Updates: about 5 s; of 2023: a few seconds to about a minute") patching_pause: Sp<Time>,
        /// Zero-downtime patching: probability that it fails (long transactions, temporary tables) and everything restarts.
        default("0%", "assumption: nothing stands in its way") patching_failure: Sp<Share>,
        /// ModifyReplicationGroup: the new node type.
        optional("the type stays", "API:elasticache (CacheNodeType)") cache_node_type: Sp<String>,
        /// TestFailover: the shard, such as "0001".
        optional("the first", "API:elasticache (NodeGroupId)") node_group_id: Sp<String>,
        /// RebootCacheCluster: the node, such as "0001-001".
        optional("the first", "API:elasticache (CacheClusterId)") cache_node_id: Sp<String>,
        /// ModifyReplicationGroupShardConfiguration: how many shards there are to be. The last are removed.
        optional("needed with it", "API:elasticache (NodeGroupCount)") node_group_count: Sp<u32>,
        /// How long an instance, a node, or each primary of a cache, is away; SwitchoverBlueGreenDeployment: how long writes are blocked.
        optional("by action: ModifyDBInstance 7m (storage: 1h of optimizing), PromoteReadReplica 5m, ModifyDBCluster 25s (minor) or 10m (major), ApplyPendingMaintenanceAction 10m, SwitchoverBlueGreenDeployment 60s, ModifyReplicationGroup see docs/elasticache.md", "requirements; Aurora guide, USER_UpgradeDBInstance.Maintenance and blue-green-deployments-overview") duration: Sp<Time>,
        /// SwitchoverBlueGreenDeployment: if it takes longer it is rolled back.
        default("300s", "Aurora guide, blue-green-deployments-switching: 30-3600 s") switchover_timeout: Sp<Time>,
        /// SwitchoverBlueGreenDeployment: since when there is the green environment (CreateBlueGreenDeployment): both are paid for.
        optional("only one environment is paid for", "assumption") created_at: Sp<Time>,
        /// SwitchoverBlueGreenDeployment: until when the old environment is kept.
        optional("until the switchover is over", "assumption") deleted_at: Sp<Time>,
        /// Whether it is made at once, or in the next maintenance window.
        default(true, "assumption; API:rds (ApplyImmediately) says false") apply_immediately: Sp<bool>,
    }
}

choice! {
    /// An action of Amazon RDS's or ElastiCache's API, or a command.
    ApiAction {
        /// Restarts an instance.
        Reboot = "RebootDBInstance",
        /// Changes an instance's class.
        ModifyInstance = "ModifyDBInstance",
        /// Upgrades the engine.
        ModifyCluster = "ModifyDBCluster",
        /// Promotes a reader.
        Failover = "FailoverDBCluster",
        /// Updates the operating system, instance by instance.
        SystemUpdate = "ApplyPendingMaintenanceAction",
        /// The target, a secondary of a global database, takes the primary's place; nothing is lost.
        GlobalSwitchover = "SwitchoverGlobalCluster",
        /// The target, a secondary, is promoted whatever the primary does; what has not come there is lost (AllowDataLoss).
        GlobalFailover = "FailoverGlobalCluster",
        /// The target, a secondary, is detached and becomes a database of its own; what has not come there is lost.
        GlobalDetach = "RemoveFromGlobalCluster",
        /// The green instances take over.
        Switchover = "SwitchoverBlueGreenDeployment",
        /// Makes a read replica of an RDS database a database of its own.
        PromoteReplica = "PromoteReadReplica",
        /// A replica of a cache's shard takes over.
        TestFailover = "TestFailover",
        /// Changes the node type or the engine of a cache.
        ModifyReplicationGroup = "ModifyReplicationGroup",
        /// Restarts a node of a cache, which is empty then.
        RebootCacheCluster = "RebootCacheCluster",
        /// Changes the number of a cache's shards while all work.
        ModifyShards = "ModifyReplicationGroupShardConfiguration",
        /// Empties a cache (the command).
        Flush = "FLUSHALL",
    } not ["SwitchoverReadReplica",
           "StopDBCluster", "StartDBCluster", "DeleteDBInstance", "CreateDBInstance",
           "IncreaseReplicaCount", "DecreaseReplicaCount"]
}

choice! {
    /// An engine version, as far as it matters.
    Version {
        /// A minor one.
        Minor = "minor",
        /// A major one.
        Major = "major",
    } not []
}

table! {
    /// How a failover goes.
    Failover as "failover" {
        /// From the failure or the decision until the promoted reader accepts writes.
        default("30s", "Aurora FAQ: start to finish typically within 30 s") promotion: Sp<TimeDist>,
        /// How much of that passes until a failure is noticed; nothing has to be where a failover is asked for.
        default("10s", "assumption: inside the 30 s; not documented") detection: Sp<Time>,
        /// From then until the cluster endpoint's record names it.
        default("15s", "AWS JDBC wrapper, FailoverConfigurationGuide: usually 15-20 s") dns_update: Sp<Time>,
        /// How long a restart takes, and how long the old writer is away.
        default("30s", "Aurora guide of 2020, AuroraMySQL.Updates: a restart takes 20-30 s") restart: Sp<Time>,
        /// How long a cluster of one instance is away: a new writer is created; and an instance whose host is lost.
        default("600s", "Aurora guide, Concepts.AuroraHighAvailability: typically less than 10 min") recreate: Sp<Time>,
        /// What callers hear of the old writer in a failover that was asked for.
        default("resets", "Aurora guide, Concepts.AuroraHighAvailability: open connections drop; re:Post says hard-fenced") old_writer: Sp<OldWriter>,
        /// Whether readers that are not promoted stay up.
        default(true, "Aurora MySQL 2.10, PostgreSQL 14.7 (Aurora guide, USER_RebootCluster)") survivable_readers: Sp<bool>,
    }
}

choice! {
    /// What callers hear of an old writer.
    OldWriter {
        /// Their connections are reset.
        Resets = "resets",
        /// Nothing: it is fenced off.
        Silent = "silent",
    } not []
}
