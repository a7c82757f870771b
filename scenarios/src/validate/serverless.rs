//! Aurora Serverless v2: capacity, pauses, and the instances that have them.

use models::aurora::{ACU_PER_VCPU, AutoPause, Class, Serverless};
use sim_core::SimDuration;
use sim_core::distribution::Distribution;

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::distributions::TimeDist;
use crate::raw::aurora as raw;

/// Class of serverless instances.
pub(super) const SERVERLESS: &str = "db.serverless";
/// Largest capacity in ACUs, and max_connections of Aurora MySQL and Aurora PostgreSQL that follow from it; PostgreSQL has no more
/// than 2,000 if the least is 0.5 (Aurora guide, aurora-serverless-v2.setting-capacity).
const SERVERLESS_CONNECTIONS: &[(f64, u32, u32)] = &[
    (1.0, 90, 189),
    (4.0, 135, 823),
    (8.0, 1000, 1669),
    (16.0, 2000, 3360),
    (32.0, 3000, 5000),
    (64.0, 4000, 5000),
    (128.0, 5000, 5000),
];

impl Check<'_> {
    pub(super) fn serverless(&mut self, serverless: &raw::Serverless, cluster: &raw::Cluster) -> Serverless {
        if !cluster.instances.iter().any(|it| it.db_instance_class.as_str() == SERVERLESS) {
            let title = "no instance of this cluster is serverless";
            self.error(serverless.span, title, "db_instance_class = \"db.serverless\" makes one");
        }
        let least = &serverless.min_capacity;
        let min_capacity = self.number(least, "min_capacity", 0.0, 256.0);
        let max_capacity = self.number(&serverless.max_capacity, "max_capacity", 1.0, 256.0);
        for capacity in [least, &serverless.max_capacity] {
            if (capacity.value * 2.0).fract() != 0.0 {
                self.error(capacity.span, "capacity comes in steps of 0.5", "such as 0.5, 8 or 16.5");
            }
        }
        if min_capacity > max_capacity {
            self.error(least.span, "`min_capacity` is above `max_capacity`", "no capacity fits");
        }
        Serverless { min_capacity, max_capacity, rate: self.share(&serverless.scaling_rate, "scaling_rate") }
    }

    /// When serverless instances pause: with `min_capacity = 0`.
    pub(super) fn auto_pause(&mut self, serverless: &raw::Serverless, cluster: &raw::Cluster) -> Option<AutoPause> {
        let pauses = serverless.min_capacity.value == 0.0;
        let keys = [
            serverless.seconds_until_auto_pause.as_ref().map(|it| it.span),
            serverless.resume_time.as_ref().map(|it| it.span),
            serverless.deep_sleep_resume_time.as_ref().map(|it| it.span),
        ];
        if !pauses {
            for span in keys.into_iter().flatten() {
                let error = Diagnostic::error(span, "only instances of 0 ACU pause", "remove it");
                self.note(error.also(serverless.min_capacity.span, "or set this to 0"));
            }
            return None;
        }
        if let Some(proxy) = &cluster.rds_proxy {
            let title = "instances behind an RDS Proxy do not pause: it keeps connections to them";
            let error = Diagnostic::error(serverless.min_capacity.span, title, "at least 0.5, or remove rds_proxy");
            self.note(error.also(proxy.span, "the proxy"));
        }
        let after = match &serverless.seconds_until_auto_pause {
            Some(after) => self.time(after, "seconds_until_auto_pause", 300.0, 86_400.0, "Aurora"),
            None => SimDuration::from_secs(300),
        };
        let or = |time: &Option<Sp<TimeDist>>, seconds: f64| {
            time.as_ref().map_or(Distribution::constant(seconds).expect("a time"), |it| it.0.clone())
        };
        let (resume, deep) = (&serverless.resume_time, &serverless.deep_sleep_resume_time);
        Some(AutoPause { after, resume: or(resume, 15.0), deep_resume: or(deep, 30.0) })
    }

    /// A serverless instance as it begins: at the least capacity, with the connections of the largest.
    pub(super) fn serverless_class(&mut self, instance: &raw::Instance, cluster: &raw::Cluster) -> Class {
        let Some(capacity) = &cluster.serverless_v2_scaling_configuration else {
            let title = "a serverless instance needs the cluster's capacity";
            let label = "add serverless_v2_scaling_configuration = { min_capacity = 0.5, max_capacity = 16 }";
            self.error(instance.db_instance_class.span, title, label);
            return Class { name: SERVERLESS.into(), vcpu: 1.0, max_connections: 1, memory_gib: 1.0 };
        };
        for (key, span) in
            [("vcpu", instance.vcpu.as_ref().map(|it| it.span)), ("memory", instance.memory.as_ref().map(|it| it.span))]
        {
            if let Some(span) = span {
                self.error(span, format!("`{key}` of a serverless instance follows from its capacity"), "remove it");
            }
        }
        let (least, most) = (capacity.min_capacity.value, capacity.max_capacity.value);
        let row = SERVERLESS_CONNECTIONS.iter().rev().find(|row| row.0 <= most).unwrap_or(&SERVERLESS_CONNECTIONS[0]);
        let documented = match cluster.engine.value {
            raw::Engine::Mysql => row.1,
            raw::Engine::Postgresql if least <= 0.5 => row.2.min(2000),
            raw::Engine::Postgresql => row.2,
        };
        let given = instance.max_connections.as_ref();
        Class {
            name: SERVERLESS.into(),
            vcpu: least.max(0.5) / ACU_PER_VCPU,
            max_connections: given.map_or(documented, |n| self.count(n, "max_connections", 1, 1_000_000)),
            memory_gib: 2.0 * most,
        }
    }
}
