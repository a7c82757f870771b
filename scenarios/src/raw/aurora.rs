//! Aurora clusters.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::units::{Bytes, Time, Vcpu};

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
    }
    not ["serverless_v2_scaling_configuration", "rds_proxy", "global_cluster", "custom_endpoints", "replica_lag",
         "auto_scaling", "storage_type", "socket_timeout"]
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
        /// Which endpoint it uses.
        default("cluster", "assumption: always right, if not always fastest") endpoint: Sp<Endpoint>,
        /// CPU time on the instance.
        default("0s", "none; cpu or wait is needed") cpu: Sp<TimeDist>,
        /// Time without CPU: storage, locks.
        default("0s", "none; cpu or wait is needed") wait: Sp<TimeDist>,
    }
}

choice! {
    /// An endpoint of a cluster.
    Endpoint {
        /// The writer's.
        Cluster = "cluster",
        /// The readers': one of them at each resolution, the writer if there is none.
        Reader = "reader",
    } not ["custom", "instance"]
}

table! {
    /// A calling task's connection pool.
    Pool as "pool" {
        /// Most connections.
        default(10, "assumption: HikariCP's maximumPoolSize") max_size: Sp<u32>,
        /// How long a request waits for one.
        default("30s", "assumption: HikariCP's connectionTimeout") acquire_timeout: Sp<Time>,
    }
}

table! {
    /// How a failover goes.
    Failover as "failover" {
        /// From the decision until the promoted reader accepts writes.
        default("30s", "Aurora FAQ: start to finish typically within 30 s") promotion: Sp<Time>,
        /// From then until the cluster endpoint's record names it.
        default("15s", "AWS JDBC wrapper, FailoverConfigurationGuide: usually 15-20 s") dns_update: Sp<Time>,
        /// How long the old writer is away.
        default("30s", "Aurora guide of 2020, AuroraMySQL.Updates: a restart takes 20-30 s") restart: Sp<Time>,
        /// How long a cluster of one instance is away: a new writer is created.
        default("600s", "Aurora guide, Concepts.AuroraHighAvailability: typically less than 10 min") recreate: Sp<Time>,
    }
}
