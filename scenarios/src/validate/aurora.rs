//! Aurora clusters.

use models::aurora::{
    Billing, BufferCache, Class, ClusterEndpoint, Driver, Failover, Instance, Kind, Pool, Proxy, Replication, Settings,
    Statement, Wrapper,
};
use sim_core::SimDuration;

use super::Check;
use super::maintenance::Planning;
use super::serverless::SERVERLESS;
use crate::decode::{Decode, Decoder, Named, Sp};
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::aurora as raw;
use crate::tree::parse_value;

pub(super) const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Class, vCPU, memory in GiB, max_connections of Aurora MySQL and Aurora PostgreSQL (Aurora guide,
/// Concepts.DBInstanceClass, AuroraMySQL.Managing.Performance, AuroraPostgreSQL.Managing). 0: the engine does not have it.
const CLASSES: &[(&str, f64, f64, u32, u32)] = &[
    ("db.t3.small", 2.0, 2.0, 45, 0),
    ("db.t3.medium", 2.0, 4.0, 90, 420),
    ("db.t3.large", 2.0, 8.0, 135, 844),
    ("db.t4g.medium", 2.0, 4.0, 90, 405),
    ("db.t4g.large", 2.0, 8.0, 135, 844),
    ("db.r5.large", 2.0, 16.0, 1000, 1600),
    ("db.r5.xlarge", 4.0, 32.0, 2000, 3300),
    ("db.r5.2xlarge", 8.0, 64.0, 3000, 5000),
    ("db.r5.4xlarge", 16.0, 128.0, 4000, 5000),
    ("db.r5.8xlarge", 32.0, 256.0, 5000, 5000),
    ("db.r5.12xlarge", 48.0, 384.0, 6000, 5000),
    ("db.r5.16xlarge", 64.0, 512.0, 6000, 5000),
    ("db.r5.24xlarge", 96.0, 768.0, 7000, 5000),
    ("db.r6g.large", 2.0, 16.0, 1000, 1722),
    ("db.r6g.xlarge", 4.0, 32.0, 2000, 3479),
    ("db.r6g.2xlarge", 8.0, 64.0, 3000, 5000),
    ("db.r6g.4xlarge", 16.0, 128.0, 4000, 5000),
    ("db.r6g.8xlarge", 32.0, 256.0, 5000, 5000),
    ("db.r6g.12xlarge", 48.0, 384.0, 6000, 5000),
    ("db.r6g.16xlarge", 64.0, 512.0, 6000, 5000),
];

/// What endpoints of a database can be called.
pub(super) struct Endpoints<'a> {
    /// Of each instance; empty where it has no name.
    pub instances: Vec<&'a str>,
    pub custom: Option<&'a Named<raw::CustomEndpoint>>,
    /// Whether there is a reader endpoint.
    pub reader: bool,
}

/// Cores and GiB of a class that is known.
pub(super) fn size_of_class(name: &str) -> Option<(f64, f64)> {
    CLASSES.iter().find(|(known, ..)| *known == name).map(|&(_, vcpu, memory, ..)| (vcpu, memory))
}

impl Check<'_> {
    pub(super) fn clusters(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.aurora, "aurora");
        let entries = doc.aurora.entries.iter();
        let mut all: Vec<_> = entries.map(|(name, cluster)| Some(self.cluster(name, cluster.as_ref()?))).collect();
        self.global_databases(&mut all);
        all
    }

    fn cluster(&mut self, name: &Sp<String>, cluster: &raw::Cluster) -> Settings {
        if cluster.instances.is_empty() || cluster.instances.len() > 16 {
            self.error(cluster.instances.span, "a cluster has 1 to 16 instances", "a writer and up to 15 readers");
        }
        let custom = &cluster.custom_endpoints;
        if let Some((name, _)) = custom.entries.get(5) {
            self.error(name.span, "a cluster has at most 5 custom endpoints", "one too many");
        }
        let names = cluster.instances.iter().map(|instance| &instance.name);
        self.distinct(names.chain(custom.entries.iter().map(|(name, _)| name)), "instances or endpoints");
        self.part_names(&cluster.statements, "statements");
        self.part_names(custom, "custom_endpoints");
        let instances: Vec<Instance> =
            cluster.instances.iter().enumerate().map(|(n, it)| self.instance(n, it, cluster)).collect();
        for (_, _, endpoint) in custom.iter() {
            if endpoint.members.is_empty() {
                self.error(endpoint.members.span, "a custom endpoint needs members", "names of instances");
            }
            for member in endpoint.members.iter() {
                self.instance_named(member, &cluster.instances.iter().map(|it| it.name.as_str()).collect::<Vec<_>>());
            }
        }
        let names = Endpoints {
            instances: cluster.instances.iter().map(|it| it.name.as_str()).collect(),
            custom: Some(&cluster.custom_endpoints),
            reader: true,
        };
        let (statements, endpoints) = self.statements(&cluster.statements, &names);
        let probes = self.probes(name, &cluster.probe, &names);
        Settings {
            name: format!("aurora.{}", name.value),
            instances,
            endpoints,
            statements,
            pool: self.pool(&cluster.pool),
            proxy: cluster.rds_proxy.as_ref().map(|proxy| self.proxy(proxy, &cluster.pool)),
            dns_ttl: self.time(&cluster.dns_ttl, "dns_ttl", 0.0, 86_400.0, ""),
            connect_time: self.delay(&cluster.connect_time, "connect_time"),
            failover: self.change_of_writer(&cluster.failover),
            replication: Replication {
                delay: self.delay(&cluster.replica_lag.delay, "delay"),
                apply: self.delay(&cluster.replica_lag.apply, "apply"),
                flow_control: None,
                is_rds: false,
            },
            buffer_cache: self.buffer_cache(&cluster.buffer_cache, cluster.engine.value),
            commit: SimDuration::ZERO,
            volume: None,
            serverless: cluster.serverless_v2_scaling_configuration.as_ref().map(|it| self.serverless(it, cluster)),
            pauses: cluster.serverless_v2_scaling_configuration.as_ref().and_then(|it| self.auto_pause(it, cluster)),
            global: None,
            readers: cluster.auto_scaling.as_ref().map(|it| self.readers(it, cluster)),
            probes,
            changes: self.changes_of(&Planning::of_cluster(name, cluster)),
            billing: billing(cluster),
        }
    }

    /// Statements, and the endpoints that they use.
    pub(super) fn statements(
        &mut self,
        all: &Named<raw::Statement>,
        names: &Endpoints<'_>,
    ) -> (Vec<Statement>, Vec<ClusterEndpoint>) {
        let mut endpoints: Vec<ClusterEndpoint> = Vec::new();
        let mut of: Vec<ClusterEndpoint> = Vec::new();
        for (_, _, statement) in all.iter() {
            of.push(self.cluster_endpoint(&statement.endpoint, names));
        }
        // The two that every cluster has come first, so that the order of statements does not matter.
        for known in [ClusterEndpoint::Cluster, ClusterEndpoint::Reader] {
            if of.contains(&known) {
                endpoints.push(known);
            }
        }
        let mut statements = Vec::new();
        for ((_, name, statement), endpoint) in all.iter().zip(of) {
            let number = endpoints.iter().position(|it| *it == endpoint).unwrap_or_else(|| {
                endpoints.push(endpoint.clone());
                endpoints.len() - 1
            });
            statements.push(self.statement(name, statement, &endpoint, number as u16));
        }
        if endpoints.is_empty() {
            endpoints.push(ClusterEndpoint::Cluster);
        }
        (statements, endpoints)
    }

    /// Who asks a database itself.
    pub(super) fn probes(
        &mut self,
        database: &Sp<String>,
        all: &Named<raw::Probe>,
        names: &Endpoints<'_>,
    ) -> Vec<models::aurora::Probe> {
        self.part_names(all, "probe");
        let mut probes = Vec::new();
        for (_, name, probe) in all.iter() {
            probes.push(models::aurora::Probe {
                name: format!("probe.{}.{}", database.value, name.value),
                endpoint: self.cluster_endpoint(&probe.endpoint, names),
                interval: self.time(&probe.interval, "interval", 0.1, 3600.0, ""),
                timeout: self.time(&probe.timeout, "timeout", 0.001, 3600.0, ""),
                write: probe.write.value,
            });
        }
        probes
    }

    fn cluster_endpoint(&mut self, name: &Sp<String>, names: &Endpoints<'_>) -> ClusterEndpoint {
        match name.as_str() {
            "cluster" => return ClusterEndpoint::Cluster,
            "reader" if names.reader => return ClusterEndpoint::Reader,
            _ => {}
        }
        let is = |it: &&str, name: &str| !it.is_empty() && *it == name;
        let number = |name: &str| names.instances.iter().position(|it| is(it, name)).map(|n| n as u16);
        if let Some(instance) = number(name) {
            return ClusterEndpoint::Instance(instance);
        }
        if let Some((custom, place)) = names.custom.and_then(|custom| Some((custom, custom.position(name)?))) {
            let Some(custom) = &custom.entries[place].1 else { return ClusterEndpoint::Cluster };
            let members = custom.members.iter().filter_map(|member| number(member)).collect();
            let any = custom.endpoint_type.value == raw::EndpointType::Any;
            return ClusterEndpoint::Custom { name: name.value.clone(), members, any };
        }
        let custom = names.custom.into_iter().flat_map(Named::names);
        let reader = names.reader.then_some("reader");
        let instances = names.instances.iter().copied().filter(|name| !name.is_empty());
        let known: Vec<&str> = ["cluster"].into_iter().chain(reader).chain(custom).chain(instances).collect();
        let title = format!("the database has no endpoint `{}`", name.value);
        self.error(name.span, title, advice(name, known));
        ClusterEndpoint::Cluster
    }

    /// The number of an instance, which there should be.
    pub(super) fn instance_named(&mut self, name: &Sp<String>, names: &[&str]) -> Option<u16> {
        let found = names.iter().position(|it| *it == name.as_str());
        if found.is_none() {
            let title = format!("the database has no instance `{}`", name.value);
            self.error(name.span, title, advice(name, names.iter().copied()));
        }
        found.map(|n| n as u16)
    }

    pub(super) fn pool(&mut self, pool: &raw::Pool) -> Pool {
        let wrapper = pool.driver.value == raw::Driver::Wrapper;
        if let (false, Some(settings)) = (wrapper, &pool.wrapper) {
            let title = "these are settings of another driver";
            self.error(settings.span, title, "driver = \"aws_advanced_jdbc_wrapper\" has them");
        }
        let driver = if wrapper { Driver::Wrapper(self.wrapper(pool.wrapper.as_ref())) } else { Driver::Standard };
        let connect_timeout = self.delay(&pool.connect_timeout, "connect_timeout");
        let mut time = |time: &Option<Sp<crate::units::Time>>, what: &str| -> Option<SimDuration> {
            let time = time.as_ref()?;
            Some(self.time(time, what, 0.001, 86_400.0, ""))
        };
        Pool {
            socket_timeout: time(&pool.socket_timeout, "socket_timeout"),
            keepalive: time(&pool.keepalive, "keepalive"),
            validation_timeout: time(&pool.validation_timeout, "validation_timeout"),
            max_lifetime: time(&pool.max_lifetime, "max_lifetime"),
            idle_timeout: time(&pool.idle_timeout, "idle_timeout"),
            dns_cache: pool.dns_cache.as_ref().map(|cache| self.delay(cache, "dns_cache")),
            max_size: self.count(&pool.max_size, "max_size", 1, 100_000),
            acquire_timeout: self.delay(&pool.acquire_timeout, "acquire_timeout"),
            connect_timeout,
            driver,
        }
    }

    fn wrapper(&mut self, wrapper: Option<&raw::Wrapper>) -> Wrapper {
        let defaults = || {
            let empty = parse_value("{}", 0).expect("a table");
            raw::Wrapper::decode(&empty, &mut Decoder::default()).expect("every key has a default")
        };
        let wrapper = wrapper.cloned().unwrap_or_else(defaults);
        Wrapper {
            failure_detection_time: self.delay(&wrapper.failure_detection_time, "failure_detection_time"),
            failure_detection_interval: self.delay(&wrapper.failure_detection_interval, "failure_detection_interval"),
            failure_detection_count: self.count(&wrapper.failure_detection_count, "failure_detection_count", 1, 1000),
            topology_refresh: self.time(&wrapper.topology_refresh, "topology_refresh", 0.01, 3600.0, ""),
            failover_timeout: self.delay(&wrapper.failover_timeout, "failover_timeout"),
        }
    }

    pub(super) fn proxy(&mut self, proxy: &raw::Proxy, pool: &raw::Pool) -> Proxy {
        if pool.driver.value == raw::Driver::Wrapper {
            let title = "behind an RDS Proxy the driver cannot see the cluster's topology";
            let error = Diagnostic::error(pool.driver.span, title, "take \"standard\" with rds_proxy");
            self.note(error.also(proxy.span, "the proxy"));
        }
        let percent = |check: &mut Self, share: &Sp<crate::units::Share>, what: &str| {
            if share.0 < 0.01 {
                check.error(share.span, format!("{what} is at least 1%"), "from \"1%\" to \"100%\"");
            }
            check.share(share, what).max(0.01)
        };
        let most = percent(self, &proxy.max_connections_percent, "max_connections_percent");
        let idle = match &proxy.max_idle_connections_percent {
            Some(share) if share.0 > most => {
                let title = "max_idle_connections_percent is above max_connections_percent";
                self.error(share.span, title, "no more can be idle than there are");
                most
            }
            Some(share) => self.share(share, "max_idle_connections_percent"),
            None => most / 2.0,
        };
        Proxy {
            borrow_timeout: self.time(
                &proxy.connection_borrow_timeout,
                "connection_borrow_timeout",
                0.0,
                3600.0,
                "RDS Proxy",
            ),
            max_connections: most,
            max_idle_connections: idle / most,
            idle_client_timeout: self.time(
                &proxy.idle_client_timeout,
                "idle_client_timeout",
                60.0,
                28_800.0,
                "RDS Proxy",
            ),
            latency: self.delay(&proxy.latency, "latency"),
        }
    }

    fn change_of_writer(&mut self, failover: &raw::Failover) -> Failover {
        let (hour, day) = (3600.0, 86_400.0);
        Failover {
            promotion: failover.promotion.0.clone(),
            detection: self.time(&failover.detection, "detection", 0.0, hour, ""),
            dns_update: self.time(&failover.dns_update, "dns_update", 0.0, hour, ""),
            restart: self.time(&failover.restart, "restart", 0.0, day, ""),
            recreate: self.time(&failover.recreate, "recreate", 0.0, day, ""),
            silent: failover.old_writer.value == raw::OldWriter::Silent,
            survivable_readers: failover.survivable_readers.value,
            waits_for_lag: false,
        }
    }

    pub(super) fn buffer_cache(&mut self, cache: &raw::BufferCache, engine: raw::Engine) -> BufferCache {
        let (mysql, managed) = (engine == raw::Engine::Mysql, &cache.cluster_cache_management);
        if mysql && managed.value {
            let title = "cluster cache management is Aurora PostgreSQL's";
            self.error(managed.span, title, "Aurora MySQL's promoted readers have a warm cache anyway");
        }
        BufferCache {
            hit_ratio: self.share(&cache.hit_ratio, "hit_ratio"),
            warm_up: self.delay(&cache.warm_up, "warm_up"),
            miss_time: cache.miss_time.0.clone(),
            cold_after_promotion: !mysql && !managed.value,
        }
    }

    fn instance(&mut self, n: usize, instance: &raw::Instance, cluster: &raw::Cluster) -> Instance {
        self.plain_name(&instance.name);
        if let Some(zone) = &instance.availability_zone {
            self.label(zone);
        }
        Instance {
            name: instance.name.value.clone(),
            class: if instance.db_instance_class.as_str() == SERVERLESS {
                self.serverless_class(instance, cluster)
            } else {
                self.class(instance, cluster.engine.value)
            },
            zone: instance.availability_zone.as_ref().map_or(["a", "b", "c"][n % 3].into(), |zone| zone.value.clone()),
            promotion_tier: self.count(&instance.promotion_tier, "promotion_tier", 0, 15) as u8,
            kind: Kind::Member,
        }
    }

    fn class(&mut self, instance: &raw::Instance, engine: raw::Engine) -> Class {
        let all_given = instance.vcpu.is_some() && instance.memory.is_some() && instance.max_connections.is_some();
        let known =
            self.known_class(&instance.db_instance_class, engine, all_given, instance.max_connections.is_some());
        Class {
            name: known.name,
            vcpu: instance.vcpu.as_ref().map_or(known.vcpu, |vcpu| self.vcpu(vcpu)),
            max_connections: instance
                .max_connections
                .as_ref()
                .map_or(known.max_connections, |n| self.count(n, "max_connections", 1, 1_000_000)),
            memory_gib: instance.memory.as_ref().map_or(known.memory_gib, |memory| memory.0 as f64 / GIB),
        }
    }

    /// What is documented of a class; it may be unknown if all is `given`, and without max_connections if that is.
    pub(super) fn known_class(
        &mut self,
        class: &Sp<String>,
        engine: raw::Engine,
        given: bool,
        connections_given: bool,
    ) -> Class {
        self.label(class);
        let known = CLASSES.iter().find(|(name, ..)| *name == class.as_str());
        if known.is_none() && !given {
            let error = Diagnostic::error(
                class.span,
                format!("the size of class `{}` is not known", class.value),
                advice(class, CLASSES.iter().map(|(name, ..)| *name)),
            );
            self.note(error.help("for a class that is not in the table give vcpu, memory and max_connections"));
        }
        let (_, vcpu, memory_gib, mysql, postgresql) = known.copied().unwrap_or(("", 1.0, 1.0, 1, 1));
        let max_connections = if engine == raw::Engine::Mysql { mysql } else { postgresql };
        if max_connections == 0 && !connections_given {
            let title = format!("class `{}` has no documented max_connections with this engine", class.value);
            self.error(class.span, title, "give max_connections, or take a larger class");
        }
        Class { name: class.value.clone(), vcpu, max_connections, memory_gib }
    }

    fn statement(
        &mut self,
        name: &Sp<String>,
        statement: &raw::Statement,
        endpoint: &ClusterEndpoint,
        number: u16,
    ) -> Statement {
        let takes_none = statement.cpu.0.mean() == 0.0 && statement.wait.0.mean() == 0.0;
        if takes_none && statement.pages.value == 0 {
            let title = format!("statement `{}` takes no time", name.value);
            self.error(statement.span, title, "give `cpu` or `wait`");
        }
        if *endpoint == ClusterEndpoint::Reader && statement.write.value {
            let title = "a write sent to the reader endpoint always fails (MySQL error 1290)";
            self.error(statement.endpoint.span, title, "writes go to \"cluster\"");
        }
        Statement {
            endpoint: number,
            write: statement.write.value,
            cpu: statement.cpu.0.clone(),
            wait: statement.wait.0.clone(),
            pages: self.count(&statement.pages, "pages", 0, 1_000_000),
            pins: self.share(&statement.pins, "pins"),
            transfer: statement.transfer.0.min(u32::MAX.into()) as u32,
        }
    }
}

fn billing(cluster: &raw::Cluster) -> Billing {
    let gigabytes = cluster.volume_size.as_ref().map(|size| size.0 as f64 / GIB);
    match cluster.storage_type.value {
        raw::StorageType::Standard => Billing {
            instance: "aurora.instance",
            acu: "aurora.acu",
            engine: "",
            storage: ("aurora.storage", ""),
            gigabytes,
            io: Some("aurora.io"),
            iops: None,
        },
        raw::StorageType::IoOptimized => Billing {
            instance: "aurora.instance_io_optimized",
            acu: "aurora.acu_io_optimized",
            engine: "",
            storage: ("aurora.storage_io_optimized", ""),
            gigabytes,
            io: None,
            iops: None,
        },
    }
}
