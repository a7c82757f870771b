//! What a database is paid for: instances by the second whatever they do (also while they restart or fail over), ACUs, storage, I/O
//! requests, the proxy (Aurora, RDS and RDS Proxy pricing).

use sim_core::observations::{Part, Usage};

use super::server::{Server, Stage};
use super::*;
use crate::observer::Findings;
use crate::usage::HOURS_A_MONTH;

/// The least that a proxy is charged for of each instance (RDS Proxy pricing: a minimum of 2 vCPU).
const PROXY_VCPU_LEAST: f64 = 2.0;

/// The shortest time that an instance which was created is charged for (RDS pricing: by the second, at least ten minutes after a change
/// such as creating it).
const MINIMUM: SimDuration = SimDuration::from_secs(600);

/// What an instance has been paid for since counting began.
#[derive(Clone, Debug, Default)]
pub(super) struct Bill {
    since: SimTime,
    /// Seconds by class, in the order in which it had them.
    classes: Vec<(String, f64)>,
    acu_seconds: f64,
    /// Seconds of a class up to the shortest time that is charged for.
    minimum: Vec<(String, f64)>,
    /// What the proxy in front is charged by.
    vcpu_seconds: f64,
}

/// Adds to the sum of a class.
fn add(sums: &mut Vec<(String, f64)>, class: &str, seconds: f64) {
    match sums.iter_mut().find(|(known, _)| known == class) {
        Some((_, sum)) => *sum += seconds,
        None => sums.push((class.to_owned(), seconds)),
    }
}

impl Server {
    /// Class or capacity are about to change: what was until now is counted.
    pub(super) fn settle_bill(&mut self, now: SimTime) {
        let seconds = (now - std::mem::replace(&mut self.bill.since, now)).as_secs_f64();
        if !self.exists() {
            return;
        }
        self.bill.vcpu_seconds += seconds * self.class.vcpu.max(PROXY_VCPU_LEAST);
        if let Some(acu) = self.acu {
            self.bill.acu_seconds += seconds * acu;
            return;
        }
        add(&mut self.bill.classes, &self.class.name, seconds);
    }

    /// It is deleted that was there since an instant.
    pub(super) fn close_bill(&mut self, now: SimTime, since: SimTime) {
        self.settle_bill(now);
        let short = MINIMUM.as_secs_f64() - (now - since).as_secs_f64();
        if self.acu.is_none() && short > 0.0 {
            add(&mut self.bill.minimum, &self.class.name, short);
        }
    }

    /// Which part of what is paid for it is.
    fn part(&self) -> Part {
        if self.stage == Stage::Planned { Part::Planned } else { Part::Scaled }
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
        let name = &self.name;
        let mut vcpu_seconds = 0.0;
        self.servers.iter_mut().for_each(|server| server.settle_bill(now));
        for part in [Part::Planned, Part::Scaled, Part::Minimum] {
            let mut classes: Vec<(String, f64)> = Vec::new();
            let mut acu_seconds = 0.0;
            for Server { bill, .. } in self.servers.iter().filter(|server| server.part() == part) {
                acu_seconds += bill.acu_seconds;
                vcpu_seconds += bill.vcpu_seconds;
                bill.classes.iter().for_each(|(class, seconds)| add(&mut classes, class, *seconds));
            }
            if part == Part::Minimum {
                let short = self.servers.iter().flat_map(|server| &server.bill.minimum);
                short.for_each(|(class, seconds)| add(&mut classes, class, *seconds));
            }
            for (class, seconds) in classes {
                let class = if engine.is_empty() { class } else { format!("{engine} {class}") };
                findings.used(Usage::new(name, instance, seconds / 3600.0, "instance-hour").of_kind(class).part(part));
            }
            findings.used(Usage::new(name, acu, acu_seconds / 3600.0, "ACU-hour").part(part));
        }
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
