//! Aurora clusters.

use models::aurora::{ClusterEndpoint, Failover, Instance, Pool, Settings, Statement};

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::aurora as raw;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

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

impl Check<'_> {
    pub(super) fn clusters(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.aurora, "aurora");
        doc.aurora.entries.iter().map(|(name, cluster)| Some(self.cluster(name, cluster.as_ref()?))).collect()
    }

    fn cluster(&mut self, name: &Sp<String>, cluster: &raw::Cluster) -> Settings {
        if cluster.instances.is_empty() || cluster.instances.len() > 16 {
            self.error(cluster.instances.span, "a cluster has 1 to 16 instances", "a writer and up to 15 readers");
        }
        self.distinct(cluster.instances.iter().map(|instance| &instance.name), "instances");
        self.part_names(&cluster.statements, "statements");
        let instances: Vec<Instance> =
            cluster.instances.iter().enumerate().map(|(n, it)| self.instance(n, it, cluster.engine.value)).collect();
        let statements = cluster.statements.iter().map(|(_, name, it)| self.statement(name, it)).collect();
        let alone = instances.len() == 1;
        let failover = &cluster.failover;
        let hour = 3600.0;
        let away = if alone { &failover.recreate } else { &failover.restart };
        Settings {
            name: name.value.clone(),
            instances,
            statements,
            pool: Pool {
                max_size: self.count(&cluster.pool.max_size, "max_size", 1, 100_000),
                acquire_timeout: self.delay(&cluster.pool.acquire_timeout, "acquire_timeout"),
            },
            dns_ttl: self.time(&cluster.dns_ttl, "dns_ttl", 0.0, 86_400.0, ""),
            connect_time: self.delay(&cluster.connect_time, "connect_time"),
            failover: Failover {
                promotion: self.time(&failover.promotion, "promotion", 0.0, hour, ""),
                dns_update: self.time(&failover.dns_update, "dns_update", 0.0, hour, ""),
                restart: self.time(away, "restart", 0.0, 86_400.0, ""),
            },
        }
    }

    fn instance(&mut self, n: usize, instance: &raw::Instance, engine: raw::Engine) -> Instance {
        self.plain_name(&instance.name);
        let class = &instance.db_instance_class;
        self.label(class);
        if let Some(zone) = &instance.availability_zone {
            self.label(zone);
        }
        let all_given = instance.vcpu.is_some() && instance.memory.is_some() && instance.max_connections.is_some();
        let known = CLASSES.iter().find(|(name, ..)| *name == class.as_str());
        if known.is_none() && !all_given {
            let error = Diagnostic::error(
                class.span,
                format!("the size of class `{}` is not known", class.value),
                advice(class, CLASSES.iter().map(|(name, ..)| *name)),
            );
            self.note(error.help("for a class that is not in the table give vcpu, memory and max_connections"));
        }
        let (_, vcpu, memory, mysql, postgresql) = known.copied().unwrap_or(("", 1.0, 1.0, 1, 1));
        let connections = if engine == raw::Engine::Mysql { mysql } else { postgresql };
        if connections == 0 && instance.max_connections.is_none() {
            let title = format!("class `{}` has no documented max_connections with this engine", class.value);
            self.error(class.span, title, "give max_connections, or take a larger class");
        }
        let given = instance.vcpu.as_ref().map(|vcpu| self.vcpu(vcpu));
        Instance {
            name: instance.name.value.clone(),
            class: class.value.clone(),
            vcpu: given.unwrap_or(vcpu),
            max_connections: instance
                .max_connections
                .as_ref()
                .map_or(connections, |n| self.count(n, "max_connections", 1, 1_000_000)),
            memory_gib: instance.memory.as_ref().map_or(memory, |memory| memory.0 as f64 / GIB),
            zone: instance.availability_zone.as_ref().map_or(["a", "b", "c"][n % 3].into(), |zone| zone.value.clone()),
            promotion_tier: self.count(&instance.promotion_tier, "promotion_tier", 0, 15) as u8,
        }
    }

    fn statement(&mut self, name: &Sp<String>, statement: &raw::Statement) -> Statement {
        if statement.cpu.0.mean() == 0.0 && statement.wait.0.mean() == 0.0 {
            let title = format!("statement `{}` takes no time", name.value);
            self.error(statement.span, title, "give `cpu` or `wait`");
        }
        let reader = statement.endpoint.value == raw::Endpoint::Reader;
        if reader && statement.write.value {
            let title = "a write sent to the reader endpoint always fails (MySQL error 1290)";
            self.error(statement.endpoint.span, title, "writes go to \"cluster\"");
        }
        Statement {
            endpoint: if reader { ClusterEndpoint::Reader } else { ClusterEndpoint::Cluster },
            write: statement.write.value,
            cpu: statement.cpu.0.clone(),
            wait: statement.wait.0.clone(),
        }
    }
}
