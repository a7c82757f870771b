//! RDS databases that are not Aurora. What they share with Aurora is declared in [`super::aurora`].

use super::aurora::{BufferCache, MaintenanceWindow, Pool, Probe, Proxy, Statement};
use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::units::{Bytes, Time, Vcpu};

table! {
    /// An RDS database that is not Aurora.
    Database as "[rds]" {
        /// The engine, which decides max_connections.
        default("mysql", "assumption") engine: Sp<Engine>,
        /// How many instances there are, and what for.
        default("single_az", "API:rds (MultiAZ: false)") deployment: Sp<Deployment>,
        /// Class of its instances, such as "db.r6g.large"; gives vcpu, memory and max_connections.
        required db_instance_class: Sp<String>,
        /// Cores of an instance.
        optional("by class", "RDS guide, Concepts.DBInstanceClass") vcpu: Sp<Vcpu>,
        /// Memory of an instance.
        optional("by class", "RDS guide, Concepts.DBInstanceClass") memory: Sp<Bytes>,
        /// Most connections of an instance.
        optional("by memory and engine", "RDS guide, CHAP_Limits: memory / 12582880 (MySQL), least of memory / 25165760 and 12000 (MariaDB), of memory / 9531392 and 5000 (PostgreSQL), of memory / 9868951 and 20000 (Oracle), 32767 (SQL Server); memory taken as 95% of the class's") max_connections: Sp<u32>,
        /// Zones of its instances, in turn.
        default(["a", "b", "c"], "assumption: three zones") availability_zones: Sp<Vec<Sp<String>>>,
        /// Read replicas, each with an endpoint of its name; asynchronous.
        default([], "none") read_replicas: Sp<Vec<Replica>>,
        /// What callers ask, by name.
        required statements: Named<Statement>,
        /// Each calling task's connection pool; one per endpoint.
        default({}, "every key of pool has its own default") pool: Pool,
        /// Who asks the database itself, as an operator does with SELECT NOW() once a second, by name: [rds.billing.probe.now].
        default({}, "none") probe: Named<Probe>,
        /// An RDS Proxy that all callers go through.
        optional("callers connect to instances", "no proxy") rds_proxy: Proxy,
        /// TTL of the endpoints' DNS records.
        default("5s", "assumption: as Aurora's") dns_ttl: Sp<Time>,
        /// Time to open a connection.
        default("5ms", "assumption: a few round trips and authentication") connect_time: Sp<Time>,
        /// How a failover goes.
        default({}, "every key of failover has its own default") failover: Failover,
        /// What a commit takes longer because the other zone must have it too; not with single_az.
        default("1ms", "assumption: one round trip between zones (measured: 0.94-1.13 ms)") commit_to_other_zone: Sp<Time>,
        /// How far read replicas, and the readers of a cluster, are behind.
        default({}, "every key of replica_lag has its own default") replica_lag: ReplicaLag,
        /// Multi-AZ DB clusters: how far readers may be behind before commits are delayed.
        optional("120s with multi_az_cluster", "RDS guide, multi-az-db-clusters-concepts: rpl_semi_sync_master_target_apply_lag, flow_control.target_standby_apply_lag") flow_control: Sp<Time>,
        /// When automated backups are taken: storage I/O is suspended for a moment.
        optional("backups are not looked at", "assumption") backup_window: BackupWindow,
        /// What instances keep in memory, for statements that read `pages`.
        default({}, "every key of buffer_cache has its own default") buffer_cache: BufferCache,
        /// The volume: pages that are not in memory, and pages that are written, are I/Os on it.
        optional("I/O takes no more than buffer_cache says", "assumption") storage: Storage,
        /// When changes that are not applied immediately are made.
        optional("changes are made at their time", "assumption: they are applied immediately") maintenance_window: MaintenanceWindow,
    }
    not ["multi_az", "backup_retention_period", "performance_insights", "auto_scaling"]
}

choice! {
    /// A database engine.
    Engine {
        /// MySQL.
        Mysql = "mysql",
        /// PostgreSQL.
        Postgres = "postgres",
        /// MariaDB, 10.5 or later.
        MariaDb = "mariadb",
        /// Oracle Enterprise Edition, on a licence of your own.
        OracleEe = "oracle-ee",
        /// Oracle Standard Edition Two.
        OracleSe2 = "oracle-se2",
        /// SQL Server Enterprise Edition.
        SqlServerEe = "sqlserver-ee",
        /// SQL Server Standard Edition.
        SqlServerSe = "sqlserver-se",
    } not ["oracle-ee-cdb", "oracle-se2-cdb", "sqlserver-ex", "sqlserver-web", "db2-ae", "db2-se"]
}

choice! {
    /// How many instances there are, and what for.
    Deployment {
        /// One.
        SingleAz = "single_az",
        /// A primary, and a standby in another zone that nobody can read.
        MultiAz = "multi_az",
        /// A writer and two readers in three zones.
        Cluster = "multi_az_cluster",
    } not []
}

table! {
    /// When automated backups are taken, daily.
    BackupWindow as "backup_window" {
        /// When the first one begins.
        required start: Sp<Time>,
        /// How long I/O is suspended, which makes statements wait that need it.
        default("2s", "assumption inside RDS guide, USER_WorkingWithAutomatedBackups: typically under a few seconds") suspension: Sp<Time>,
    }
    not ["duration"]
}

table! {
    /// A read replica.
    Replica as "a read replica" {
        /// Its name, which is its endpoint's.
        required name: Sp<String>,
        /// Its zone.
        optional("the first", "assumption") availability_zone: Sp<String>,
    }
}

table! {
    /// How a failover goes.
    Failover as "failover" {
        /// From the failure or the decision until the new primary accepts connections under the old name.
        optional("by deployment: uniform from 60s to 120s (multi_az), 35s (multi_az_cluster)", "RDS guide, Concepts.MultiAZSingleStandby: typically 60-120 s; multi-az-db-clusters-concepts: typically under 35 s, and the replica lag") promotion: Sp<TimeDist>,
        /// How much of that passes until a failure is noticed.
        default("10s", "assumption; not documented") detection: Sp<Time>,
        /// How long a restart takes, and how long the old primary is away.
        default("60s", "assumption") restart: Sp<Time>,
        /// How long a single instance is away whose host is lost.
        default("600s", "assumption: as Aurora's without a reader") recreate: Sp<Time>,
    }
}

table! {
    /// How far replicas are behind.
    ReplicaLag as "replica_lag" {
        /// From a commit until replicas show it, if they have nothing else to apply.
        default("100ms", "assumption: asynchronous, over the network; not documented") delay: Sp<Time>,
        /// How long a replica takes to apply a write; one after the other, so lag grows with the rate of writes.
        default("1ms", "assumption: 1,000 writes a second") apply: Sp<Time>,
    }
}

table! {
    /// A volume.
    Storage as "storage" {
        /// Its kind.
        default("gp3", "assumption; API:rds (StorageType)") storage_type: Sp<StorageType>,
        /// Its size: from 20 GiB to 64 TiB.
        required allocated_storage: Sp<Bytes>,
        /// gp3 from 400 GiB on (Oracle: 200 GiB; SQL Server: any size), and io1: I/O operations a second.
        optional("gp3: 12,000 from 400 GiB on (Oracle: 200 GiB), else 3,000", "RDS guide, CHAP_Storage") iops: Sp<u32>,
    }
    not ["max_allocated_storage", "storage_throughput"]
}

choice! {
    /// A kind of volume.
    StorageType {
        /// 3 IOPS per GiB, and bursts by credits.
        Gp2 = "gp2",
        /// 3,000 IOPS below 400 GiB, 12,000 and more from there on.
        Gp3 = "gp3",
        /// As many IOPS as are paid for.
        Io1 = "io1",
    } not ["io2", "standard"]
}
