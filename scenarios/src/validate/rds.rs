//! RDS databases that are not Aurora.

use models::aurora::{Billing, BufferCache, Class, Failover, Instance, Kind, Replication, Settings, Volume};
use sim_core::SimDuration;
use sim_core::distribution::Distribution;

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
/// From this size on RDS stripes a volume over four (RDS guide, CHAP_Storage).
const STRIPED_FROM: f64 = 400.0;

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
            volume: database.storage.as_ref().map(|storage| self.volume(storage)),
            probes,
            changes: self.changes_of(&Planning::of_database(name, database)),
            billing: billing(database, own + replicas.len() as u16),
        }
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
            raw::Engine::Postgres => (bytes / 9_531_392.0).min(5000.0),
        };
        let max_connections = match &database.max_connections {
            Some(count) => self.count(count, "max_connections", 1, 1_000_000),
            None => (by_memory as u32).max(1),
        };
        Class { name: class.value.clone(), vcpu, max_connections, memory_gib }
    }

    /// RDS guide, CHAP_Storage: gp2 3 IOPS a GiB and bursts to 3,000, from 400 GiB on striped over four to 12,000; gp3 3,000, from
    /// 400 GiB on 12,000 to 64,000.
    fn volume(&mut self, storage: &raw::Storage) -> Volume {
        let size = storage.allocated_storage.0 as f64 / GIB;
        if !(20.0 * 0.93..=65_536.0).contains(&size) {
            self.error(storage.allocated_storage.span, "a volume has 20 GiB to 64 TiB", "such as \"100GiB\"");
        }
        let striped = size >= STRIPED_FROM;
        let asked = storage.iops.as_ref().map(|iops| f64::from(self.count(iops, "iops", 1000, 256_000)));
        let steady = |rate: f64| Volume { baseline: rate, burst: rate, credits: 0.0 };
        match (storage.storage_type.value, &storage.iops) {
            (raw::StorageType::Gp2, Some(iops)) => {
                self.error(iops.span, "gp2's IOPS follow from its size", "remove it, or take gp3");
                steady(100.0)
            }
            (raw::StorageType::Gp2, None) => {
                let volumes: f64 = if striped { 4.0 } else { 1.0 };
                let baseline = (3.0 * size).clamp(100.0, 64_000.0);
                let burst = (3000.0 * volumes).max(baseline);
                let credits = if burst > baseline { GP2_CREDITS * volumes } else { 0.0 };
                Volume { baseline, burst, credits }
            }
            (raw::StorageType::Gp3, Some(iops)) if !striped => {
                self.error(iops.span, "gp3 below 400 GiB has 3,000 IOPS", "remove it, or take a larger volume");
                steady(3000.0)
            }
            (raw::StorageType::Gp3, _) => {
                let least = if striped { 12_000.0 } else { 3000.0 };
                if let (Some(rate), Some(iops)) =
                    (asked.filter(|rate| !(least..=64_000.0).contains(rate)), &storage.iops)
                {
                    self.error(
                        iops.span,
                        format!("gp3 of this size has 12,000 to 64,000 IOPS, not {rate}"),
                        "out of bounds",
                    );
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
        engine: match database.engine.value {
            raw::Engine::Mysql => "mysql",
            raw::Engine::Postgres => "postgres",
        },
        storage: (if cluster { "rds.cluster_storage" } else { "rds.storage" }, kind),
        gigabytes: storage.map(|it| f64::from(instances) * it.allocated_storage.0 as f64 / f64::from(1 << 30)),
        io: None,
        iops: storage
            .and_then(provisioned_iops)
            .map(|count| (if cluster { "rds.cluster_iops" } else { "rds.iops" }, kind, f64::from(instances) * count)),
    }
}

/// What is paid for beside the size: io1's IOPS, and gp3's beyond 12,000 (RDS pricing).
fn provisioned_iops(storage: &raw::Storage) -> Option<f64> {
    let iops = f64::from(storage.iops.as_ref()?.value);
    match storage.storage_type.value {
        raw::StorageType::Io1 => Some(iops),
        raw::StorageType::Gp3 => Some(iops - 12_000.0).filter(|beyond| *beyond > 0.0),
        raw::StorageType::Gp2 => None,
    }
}
