//! What a database is paid for: instances by the second whatever they do (also while they restart or fail over), ACUs, storage, I/O
//! requests, the proxy (Aurora, RDS and RDS Proxy pricing).

use sim_core::observations::Usage;

use super::server::Server;
use super::*;
use crate::observer::Findings;
use crate::usage::HOURS_A_MONTH;

/// The least that a proxy is charged for of each instance (RDS Proxy pricing: a minimum of 2 vCPU).
const PROXY_VCPU_LEAST: f64 = 2.0;

/// What an instance has been paid for since counting began.
#[derive(Clone, Debug, Default)]
pub(super) struct Bill {
    since: SimTime,
    /// Seconds by class, in the order in which it had them.
    classes: Vec<(String, f64)>,
    acu_seconds: f64,
    /// What the proxy in front is charged by.
    vcpu_seconds: f64,
}

impl Server {
    /// Class or capacity are about to change: what was until now is counted.
    pub(super) fn settle_bill(&mut self, now: SimTime) {
        let seconds = (now - std::mem::replace(&mut self.bill.since, now)).as_secs_f64();
        self.bill.vcpu_seconds += seconds * self.class.vcpu.max(PROXY_VCPU_LEAST);
        if let Some(acu) = self.acu {
            self.bill.acu_seconds += seconds * acu;
            return;
        }
        let at = self.bill.classes.iter().position(|(class, _)| *class == self.class.name).unwrap_or_else(|| {
            self.bill.classes.push((self.class.name.clone(), 0.0));
            self.bill.classes.len() - 1
        });
        self.bill.classes[at].1 += seconds;
    }

    /// Counting begins.
    pub(super) fn forget_bill(&mut self, now: SimTime) {
        self.bill = Bill { since: now, ..Bill::default() };
    }
}

impl Aurora {
    /// Hands over what was used.
    pub(super) fn paid_for(&mut self, now: SimTime, findings: &mut Findings) {
        let Billing { instance, acu, engine, storage: (storage, kind), gigabytes, io } = self.billing;
        let mut classes: Vec<(String, f64)> = Vec::new();
        let (mut acu_seconds, mut vcpu_seconds) = (0.0, 0.0);
        for server in &mut self.servers {
            server.settle_bill(now);
            acu_seconds += server.bill.acu_seconds;
            vcpu_seconds += server.bill.vcpu_seconds;
            for (class, seconds) in &server.bill.classes {
                match classes.iter_mut().find(|(known, _)| known == class) {
                    Some((_, sum)) => *sum += seconds,
                    None => classes.push((class.clone(), *seconds)),
                }
            }
        }
        let name = &self.name;
        for (class, seconds) in classes {
            let class = if engine.is_empty() { class } else { format!("{engine} {class}") };
            findings.used(Usage::new(name, instance, seconds / 3600.0, "instance-hour").of_kind(class));
        }
        findings.used(Usage::new(name, acu, acu_seconds / 3600.0, "ACU-hour"));
        if self.proxy.is_some() {
            let assumed = "of the vCPU of all instances, at least 2 of each";
            findings.used(Usage::new(name, "rds_proxy.vcpu", vcpu_seconds / 3600.0, "vCPU-hour").assuming(assumed));
        }
        let months = now.since(self.books.counted_from).as_secs_f64() / 3600.0 / HOURS_A_MONTH;
        let assumed = if gigabytes.is_some() { "" } else { "the scenario does not say how large it is" };
        let months = Usage::new(name, storage, gigabytes.unwrap_or(f64::NAN) * months, "GB-month");
        findings.used(months.of_kind(kind).assuming(assumed));
        if let Some(io) = io {
            let requests = (self.books.pages_read + self.books.writes) as f64;
            let assumed = "pages that statements read and the cache has not, and one for each write";
            findings.used(Usage::new(name, io, requests, "request").assuming(assumed));
        }
    }
}
