//! RDS databases that are not Aurora.

use models::aurora::{
    Billing, BufferCache, Change, Class, Failover, Instance, Kind, Planned, Replication, Settings, Volume,
};
use sim_core::distribution::Distribution;
use sim_core::{SimDuration, SimTime};

use super::Check;
use super::aurora::{Endpoints, GIB, size_of_class};
use super::maintenance::Planning;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::rds as raw;

/// Classes beyond those of Aurora: cores and GiB (RDS guide, Concepts.DBInstanceClass).
const CLASSES: &[(&str, f64, f64)] = &[
    ("db.t3.micro", 2.0, 1.0),
    ("db.t4g.micro", 2.0, 1.0),
    ("db.t4g.small", 2.0, 2.0),
    ("db.m5.large", 2.0, 8.0),
    ("db.m5.xlarge", 4.0, 16.0),
    ("db.m5.2xlarge", 8.0, 32.0),
    ("db.m5.4xlarge", 16.0, 64.0),
    ("db.m6g.large", 2.0, 8.0),
    ("db.m6g.xlarge", 4.0, 16.0),
    ("db.m6g.2xlarge", 8.0, 32.0),
    ("db.m6g.4xlarge", 16.0, 64.0),
];

/// Share of an instance's memory that is `DBInstanceClassMemory`: what the operating system and RDS leave. Assumption; with it
/// 16 GiB give MySQL 1,297 connections (RDS guide, CHAP_Limits: about 1,300).
const FOR_THE_DATABASE: f64 = 0.95;
/// gp2's bucket (EC2 guide, general-purpose).
const GP2_CREDITS: f64 = 5.4e6;
/// How long after a change of the storage another one is refused (RDS guide, USER_PIOPS.StorageTypes).
const STORAGE_REST: SimDuration = SimDuration::from_secs(6 * 3600);
/// How far the readers of a cluster may be behind before commits are delayed (RDS guide, multi-az-db-clusters-concepts).
const FLOW_CONTROL: SimDuration = SimDuration::from_secs(120);
const DAY: SimDuration = SimDuration::from_secs(86_400);

/// How many instances a database has beside its read replicas.
pub(super) fn own_instances(database: &raw::Database) -> u16 {
    match database.deployment.value {
        raw::Deployment::SingleAz => 1,
        raw::Deployment::MultiAz => 2,
        raw::Deployment::Cluster => 3,
    }
}

/// The zone of each of its instances.
pub(super) fn zones(database: &raw::Database) -> Vec<String> {
    let all = &database.availability_zones;
    let zone = |n: usize| all.get(n % all.len().max(1)).map_or(String::new(), |zone| zone.value.clone());
    let own = (0..own_instances(database)).map(|n| zone(n.into()));
    let replicas = database
        .read_replicas
        .iter()
        .map(|it| it.availability_zone.as_ref().map_or(zone(0), |zone| zone.value.clone()));
    own.chain(replicas).collect()
}

impl Check<'_> {
    pub(super) fn databases(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.rds, "rds");
        doc.rds.entries.iter().map(|(name, database)| Some(self.database(name, database.as_ref()?))).collect()
    }

    fn database(&mut self, name: &Sp<String>, database: &raw::Database) -> Settings {
        use raw::Deployment::{Cluster, MultiAz, SingleAz};
        let deployment = database.deployment.value;
        let own = own_instances(database);
        self.part_names(&database.statements, "statements");
        self.zones_of(database, own);
        self.engine_can(database);
        let replicas = &database.read_replicas;
        if replicas.len() > 15 || (deployment == Cluster && !replicas.is_empty()) {
            let title = "a database has at most 15 read replicas, a Multi-AZ DB cluster none here";
            self.error(replicas.span, title, "the readers of a cluster are read through its reader endpoint");
        }
        self.distinct(replicas.iter().map(|it| &it.name), "read replicas");
        replicas.iter().for_each(|it| self.plain_name(&it.name));
        let given = database.vcpu.is_some() && database.memory.is_some();
        let mut class = self.size_of_instance(&database.db_instance_class, database, given);
        class.vcpu = database.vcpu.as_ref().map_or(class.vcpu, |vcpu| self.vcpu(vcpu));
        let kind = if deployment == MultiAz { Kind::Standby } else { Kind::Member };
        let names = (1..=own).map(|n| (format!("{}-{n}", name.value), kind));
        let names = names.chain(replicas.iter().map(|it| (it.name.value.clone(), Kind::Replica)));
        let instances: Vec<Instance> = names
            .zip(zones(database))
            .map(|((name, kind), zone)| Instance { name, class: class.clone(), zone, promotion_tier: 1, kind })
            .collect();
        let endpoints = Endpoints {
            // The database's own instances are reached by its name only.
            instances: (0..own).map(|_| "").chain(replicas.iter().map(|it| it.name.as_str())).collect(),
            custom: None,
            reader: deployment == Cluster,
        };
        let probes = self.probes(name, &database.probe, &endpoints);
        let (statements, endpoints) = self.statements(&database.statements, &endpoints);
        let commit = self.delay(&database.commit_to_other_zone, "commit_to_other_zone");
        let cache = &database.buffer_cache;
        if cache.cluster_cache_management.value {
            let title = "cluster cache management is Aurora PostgreSQL's";
            self.error(cache.cluster_cache_management.span, title, "remove it");
        }
        Settings {
            name: format!("rds.{}", name.value),
            instances,
            endpoints,
            statements,
            pool: self.pool(&database.pool),
            proxy: database.rds_proxy.as_ref().map(|proxy| self.proxy(proxy, &database.pool)),
            dns_ttl: self.time(&database.dns_ttl, "dns_ttl", 0.0, 86_400.0, ""),
            connect_time: self.delay(&database.connect_time, "connect_time"),
            failover: self.failover_of_database(database),
            replication: Replication {
                delay: self.delay(&database.replica_lag.delay, "delay"),
                apply: self.delay(&database.replica_lag.apply, "apply"),
                flow_control: (deployment == Cluster).then(|| match &database.flow_control {
                    Some(given) => self.delay(given, "flow_control"),
                    None => FLOW_CONTROL,
                }),
                is_rds: true,
            },
            buffer_cache: BufferCache {
                hit_ratio: self.share(&cache.hit_ratio, "hit_ratio"),
                warm_up: self.delay(&cache.warm_up, "warm_up"),
                miss_time: cache.miss_time.0.clone(),
                // A standby runs no database that could have one.
                cold_after_promotion: deployment == MultiAz,
            },
            commit: if deployment == SingleAz { SimDuration::ZERO } else { commit },
            serverless: None,
            readers: None,
            pauses: None,
            global: None,
            volume: database.storage.as_ref().map(|storage| self.volume(storage, database.engine.value)),
            probes,
            changes: self.planned_of(name, database),
            billing: billing(database, own + replicas.len() as u16),
        }
    }

    /// Multi-AZ DB clusters are of MySQL and PostgreSQL (RDS guide, multi-az-db-clusters-concepts), and have neither proxies nor read
    /// replicas; of Oracle and SQL Server only Enterprise Edition has read replicas (RDS guide, oracle-read-replicas, SQLServer.ReadReplicas).
    fn engine_can(&mut self, database: &raw::Database) {
        use raw::Engine::{Mysql, OracleSe2, Postgres, SqlServerSe};
        let (engine, cluster) = (database.engine.value, database.deployment.value == raw::Deployment::Cluster);
        if cluster && !matches!(engine, Mysql | Postgres) {
            let title = "Multi-AZ DB clusters are of MySQL and PostgreSQL";
            self.error(database.deployment.span, title, "take multi_az");
        }
        if matches!(engine, OracleSe2 | SqlServerSe) && !database.read_replicas.is_empty() {
            let title = "this edition has no read replicas";
            self.error(database.read_replicas.span, title, "Enterprise Edition has");
        }
        if let (Some(given), false) = (&database.flow_control, cluster) {
            let title = "flow control is of Multi-AZ DB clusters";
            self.error(given.span, title, "remove it");
        }
    }

    /// What is planned for it, and its backups, in order of time.
    fn planned_of(&mut self, name: &Sp<String>, database: &raw::Database) -> Vec<Planned> {
        let mut all = self.changes_of(&Planning::of_database(name, database));
        all.extend(self.backups(database));
        all.sort_by_key(|planned| planned.at);
        self.storage_changes_apart(name, &all);
        all
    }

    /// Further changes of the storage are refused for six hours, or until it is optimized if that takes longer (RDS guide,
    /// USER_PIOPS.StorageTypes).
    fn storage_changes_apart(&mut self, name: &Sp<String>, planned: &[Planned]) {
        let mut free_at = SimTime::ZERO;
        for (at, takes) in planned.iter().filter_map(|planned| match planned.change {
            Change::Storage { takes, .. } => Some((planned.at, takes)),
            _ => None,
        }) {
            if at < free_at {
                let title = "a second change of the storage within six hours, or before it is optimized, is refused";
                self.error(name.span, title, "of this database");
            }
            free_at = at + takes.max(STORAGE_REST);
        }
    }

    /// Daily backups, as far as they suspend anything: of a standby they do not, except of SQL Server's (RDS guide,
    /// USER_WorkingWithAutomatedBackups).
    fn backups(&mut self, database: &raw::Database) -> Vec<Planned> {
        let Some(window) = &database.backup_window else { return Vec::new() };
        let of_primary = database.deployment.value == raw::Deployment::SingleAz
            || matches!(database.engine.value, raw::Engine::SqlServerEe | raw::Engine::SqlServerSe);
        if !of_primary {
            let title = "a backup that is taken from another zone's copy suspends nothing here";
            self.error(window.span, title, "it does with single_az, and of SQL Server");
        }
        if database.storage.is_none() {
            self.error(window.span, "without `storage` there is no I/O that could be suspended", "add storage = ...");
        }
        let suspension = self.time(&window.suspension, "suspension", 0.0, 600.0, "Amazon RDS");
        let first = SimTime::ZERO + self.time(&window.start, "start", 0.0, 86_400.0, "a daily window");
        let ends = self.doc.run.duration.as_ref().map_or(SimDuration::from_secs(7 * 86_400), |duration| duration.0);
        let days = (0..).map(|day| first + DAY.times(day)).take_while(|at| *at < SimTime::ZERO + ends);
        days.take(10_000).map(|at| Planned { at, change: Change::Backup { suspension } }).collect()
    }

    /// `ModifyDBInstance` with another size of the storage: it grows by 10% at least (RDS guide, USER_PIOPS.StorageTypes). Read replicas
    /// keep theirs.
    pub(super) fn storage_change(
        &mut self,
        database: &raw::Database,
        size: &Sp<crate::units::Bytes>,
        takes: SimDuration,
    ) -> Option<Change> {
        let Some(storage) = &database.storage else {
            self.error(size.span, "this database has no `storage` that could grow", "add storage = ...");
            return None;
        };
        let gib = |bytes: u64| bytes as f64 / GIB;
        let (now, then) = (gib(storage.allocated_storage.0), gib(size.0));
        if then < now * 1.1 * 0.999 {
            self.error(size.span, "storage grows by a tenth at least", format!("it has {now:.0} GiB"));
        }
        let grown = raw::Storage {
            storage_type: storage.storage_type,
            allocated_storage: *size,
            iops: storage.iops,
            span: storage.span,
        };
        let copies = f64::from(own_instances(database));
        let gigabytes = copies * then + database.read_replicas.len() as f64 * now;
        Some(Change::Storage { volume: self.volume(&grown, database.engine.value), takes, gigabytes })
    }

    fn zones_of(&mut self, database: &raw::Database, own: u16) {
        let zones = &database.availability_zones;
        zones.iter().for_each(|zone| self.label(zone));
        if zones.len() < own.into() {
            let title = "this deployment needs more zones";
            self.error(zones.span, title, format!("{own}, one for each instance"));
        }
        self.distinct(zones.iter(), "zones");
    }

    fn failover_of_database(&mut self, database: &raw::Database) -> Failover {
        let failover = &database.failover;
        let cluster = database.deployment.value == raw::Deployment::Cluster;
        let documented = if cluster { Distribution::constant(35.0) } else { Distribution::uniform(60.0, 120.0) };
        let promotion = failover.promotion.as_ref().map(|it| it.0.clone());
        if let (Some(promotion), raw::Deployment::SingleAz) = (&failover.promotion, database.deployment.value) {
            let title = "a single-AZ database has nobody to promote";
            self.error(promotion.span, title, "`recreate` is how long it is away when its host is lost");
        }
        Failover {
            promotion: promotion.unwrap_or_else(|| documented.expect("bounds in order")),
            detection: self.time(&failover.detection, "detection", 0.0, 3600.0, ""),
            dns_update: SimDuration::ZERO,
            restart: self.time(&failover.restart, "restart", 0.0, 86_400.0, ""),
            recreate: self.time(&failover.recreate, "recreate", 0.0, 86_400.0, ""),
            silent: false,
            survivable_readers: true,
            waits_for_lag: cluster,
        }
    }

    /// What is documented of a class, and how many connections that gives; it may be unknown if its size is `given`.
    pub(super) fn size_of_instance(&mut self, class: &Sp<String>, database: &raw::Database, given: bool) -> Class {
        self.label(class);
        let found = CLASSES.iter().find(|(name, ..)| *name == class.as_str()).map(|&(_, vcpu, memory)| (vcpu, memory));
        let size = found.or_else(|| size_of_class(class));
        if size.is_none() && !given {
            let title = format!("the size of class `{}` is not known", class.value);
            let error = Diagnostic::error(class.span, title, "not in the table");
            self.note(error.help("for a class that is not in the table give vcpu and memory"));
        }
        let (vcpu, memory) = size.unwrap_or((1.0, 1.0));
        let memory_gib = database.memory.as_ref().map_or(memory, |memory| memory.0 as f64 / GIB);
        let bytes = memory_gib * GIB * FOR_THE_DATABASE;
        let by_memory = match database.engine.value {
            raw::Engine::Mysql => bytes / 12_582_880.0,
            raw::Engine::MariaDb => (bytes / 25_165_760.0).min(12_000.0),
            raw::Engine::Postgres => (bytes / 9_531_392.0).min(5000.0),
            raw::Engine::OracleEe | raw::Engine::OracleSe2 => (bytes / 9_868_951.0).min(20_000.0),
            raw::Engine::SqlServerEe | raw::Engine::SqlServerSe => 32_767.0,
        };
        let max_connections = match &database.max_connections {
            Some(count) => self.count(count, "max_connections", 1, 1_000_000),
            None => (by_memory as u32).max(1),
        };
        Class { name: class.value.clone(), vcpu, max_connections, memory_gib }
    }

    /// RDS guide, CHAP_Storage: gp2 3 IOPS a GiB and bursts to 3,000, striped over four to 12,000; gp3 3,000, striped 12,000 to 64,000.
    /// SQL Server's volumes are never striped, and its gp3 can have 3,000 to 16,000 at any size.
    fn volume(&mut self, storage: &raw::Storage, engine: raw::Engine) -> Volume {
        let size = storage.allocated_storage.0 as f64 / GIB;
        if !(20.0 * 0.93..=65_536.0).contains(&size) {
            self.error(storage.allocated_storage.span, "a volume has 20 GiB to 64 TiB", "such as \"100GiB\"");
        }
        let striped = size >= striped_from(engine);
        let asked = storage.iops.as_ref().map(|iops| f64::from(self.count(iops, "iops", 1000, 256_000)));
        let steady = |rate: f64| Volume { baseline: rate, burst: rate, credits: 0.0 };
        match (storage.storage_type.value, &storage.iops) {
            (raw::StorageType::Gp2, Some(iops)) => {
                self.error(iops.span, "gp2's IOPS follow from its size", "remove it, or take gp3");
                steady(100.0)
            }
            (raw::StorageType::Gp2, None) => {
                let volumes: f64 = if striped { 4.0 } else { 1.0 };
                let baseline = (3.0 * size).clamp(100.0, 16_000.0 * volumes);
                let burst = (3000.0 * volumes).max(baseline);
                let credits = if burst > baseline { GP2_CREDITS * volumes } else { 0.0 };
                Volume { baseline, burst, credits }
            }
            (raw::StorageType::Gp3, iops) => {
                let (least, most) = gp3_range(striped, engine);
                if let (Some(rate), Some(iops)) = (asked.filter(|rate| !(least..=most).contains(rate)), iops) {
                    let title = if most > least {
                        format!("gp3 of this size has {least:.0} to {most:.0} IOPS, not {rate}")
                    } else {
                        format!("gp3 of this size has {least:.0} IOPS")
                    };
                    self.error(iops.span, title, "remove it, or take a larger volume");
                }
                steady(asked.unwrap_or(least))
            }
            (raw::StorageType::Io1, None) => {
                self.error(storage.span, "io1 needs to be told its IOPS", "add iops = 3000");
                steady(1000.0)
            }
            (raw::StorageType::Io1, Some(_)) => steady(asked.unwrap_or(1000.0)),
        }
    }
}

/// From this size on, in GiB, RDS stripes a volume over four (RDS guide, CHAP_Storage).
fn striped_from(engine: raw::Engine) -> f64 {
    match engine {
        raw::Engine::Mysql | raw::Engine::MariaDb | raw::Engine::Postgres => 400.0,
        raw::Engine::OracleEe | raw::Engine::OracleSe2 => 200.0,
        raw::Engine::SqlServerEe | raw::Engine::SqlServerSe => f64::INFINITY,
    }
}

/// Fewest and most IOPS of gp3 (same).
fn gp3_range(striped: bool, engine: raw::Engine) -> (f64, f64) {
    match engine {
        raw::Engine::SqlServerEe | raw::Engine::SqlServerSe => (3000.0, 16_000.0),
        _ if striped => (12_000.0, 64_000.0),
        _ => (3000.0, 3000.0),
    }
}

/// As price lists and the API name it.
fn engine_name(engine: raw::Engine) -> &'static str {
    match engine {
        raw::Engine::Mysql => "mysql",
        raw::Engine::MariaDb => "mariadb",
        raw::Engine::Postgres => "postgres",
        raw::Engine::OracleEe => "oracle-ee",
        raw::Engine::OracleSe2 => "oracle-se2",
        raw::Engine::SqlServerEe => "sqlserver-ee",
        raw::Engine::SqlServerSe => "sqlserver-se",
    }
}

/// Each instance has a volume of its own, a standby too.
fn billing(database: &raw::Database, instances: u16) -> Billing {
    let storage = database.storage.as_ref();
    let kind = match storage.map(|it| it.storage_type.value) {
        Some(raw::StorageType::Gp2) => "gp2",
        Some(raw::StorageType::Io1) => "io1",
        Some(raw::StorageType::Gp3) | None => "gp3",
    };
    let cluster = database.deployment.value == raw::Deployment::Cluster;
    Billing {
        instance: if cluster { "rds.cluster_instance" } else { "rds.instance" },
        acu: "",
        engine: engine_name(database.engine.value),
        storage: (if cluster { "rds.cluster_storage" } else { "rds.storage" }, kind),
        gigabytes: storage.map(|it| f64::from(instances) * it.allocated_storage.0 as f64 / f64::from(1 << 30)),
        io: None,
        iops: storage
            .and_then(|it| provisioned_iops(it, database.engine.value))
            .map(|count| (if cluster { "rds.cluster_iops" } else { "rds.iops" }, kind, f64::from(instances) * count)),
    }
}

/// What is paid for beside the size: io1's IOPS, and gp3's beyond those that it has anyway (RDS pricing).
fn provisioned_iops(storage: &raw::Storage, engine: raw::Engine) -> Option<f64> {
    let iops = f64::from(storage.iops.as_ref()?.value);
    let striped = storage.allocated_storage.0 as f64 / GIB >= striped_from(engine);
    match storage.storage_type.value {
        raw::StorageType::Io1 => Some(iops),
        raw::StorageType::Gp3 => Some(iops - gp3_range(striped, engine).0).filter(|beyond| *beyond > 0.0),
        raw::StorageType::Gp2 => None,
    }
}
