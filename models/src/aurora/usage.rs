//! What a database is paid for: instances by the second whatever they do (also while they restart or fail over), ACUs, storage, I/O
//! requests, the proxy, bytes between zones (Aurora, RDS and RDS Proxy pricing).

use sim_core::observations::{Part, Usage};

use super::pause::Sleep;
use super::proxy::PROXY;
use super::server::{Server, Stage};
use super::*;
use crate::observer::Findings;
use crate::usage::HOURS_A_MONTH;

/// The least that a proxy is charged for of each instance (RDS Proxy pricing: 2 vCPU, or 8 ACUs).
const PROXY_VCPU_LEAST: f64 = 2.0;
const PROXY_ACU_LEAST: f64 = 8.0;
/// The shortest time that an instance is charged for after a change, such as being created or given another class (RDS guide,
/// User_DBInstanceBilling).
const MINIMUM: SimDuration = SimDuration::from_secs(600);

/// What an instance has been paid for since counting began.
#[derive(Clone, Debug, Default)]
pub(super) struct Bill {
    since: SimTime,
    /// Seconds by class and part, in the order in which it had them.
    classes: Vec<(String, Part, f64)>,
    acu_seconds: f64,
    /// What the proxy in front is charged by.
    vcpu_seconds: f64,
    proxy_acu_seconds: f64,
    /// Since when it has been of its class, if that was changed.
    changed: Option<SimTime>,
}

/// How much storage there is.
#[derive(Clone, Debug)]
pub(super) struct Allocated {
    gigabytes: Option<f64>,
    since: SimTime,
    gb_seconds: f64,
}

impl Allocated {
    pub(super) fn new(gigabytes: Option<f64>) -> Self {
        Self { gigabytes, since: SimTime::ZERO, gb_seconds: 0.0 }
    }

    fn settle(&mut self, now: SimTime) {
        let seconds = (now - std::mem::replace(&mut self.since, now)).as_secs_f64();
        self.gb_seconds += seconds * self.gigabytes.unwrap_or(f64::NAN);
    }

    /// There is so much from now on.
    pub(super) fn set(&mut self, now: SimTime, gigabytes: f64) {
        self.settle(now);
        self.gigabytes = Some(gigabytes);
    }

    /// Counting begins.
    pub(super) fn forget(&mut self, now: SimTime) {
        (self.since, self.gb_seconds) = (now, 0.0);
    }
}

fn add(classes: &mut Vec<(String, Part, f64)>, class: &str, part: Part, seconds: f64) {
    match classes.iter_mut().find(|(known, its, _)| known == class && *its == part) {
        Some((.., sum)) => *sum += seconds,
        None => classes.push((class.to_owned(), part, seconds)),
    }
}

impl Server {
    /// Class or capacity are about to change: what was until now is counted.
    pub(super) fn settle_bill(&mut self, now: SimTime) {
        let seconds = (now - std::mem::replace(&mut self.bill.since, now)).as_secs_f64();
        if !self.exists() {
            return;
        }
        if let Some(acu) = self.acu {
            let acu = if self.sleep == Sleep::Awake { acu } else { 0.0 };
            self.bill.acu_seconds += seconds * acu;
            self.bill.proxy_acu_seconds += seconds * acu.max(PROXY_ACU_LEAST);
            return;
        }
        self.bill.vcpu_seconds += seconds * self.class.vcpu.max(PROXY_VCPU_LEAST);
        let part = self.part();
        add(&mut self.bill.classes, &self.class.name, part, seconds);
    }

    /// It is about to be of another class.
    pub(super) fn bill_class_change(&mut self, now: SimTime) {
        self.settle_bill(now);
        if let Some(since) = self.bill.changed.replace(now) {
            self.bill_minimum(now, since);
        }
    }

    /// It is deleted that was there since an instant.
    pub(super) fn close_bill(&mut self, now: SimTime, since: SimTime) {
        self.settle_bill(now);
        if self.acu.is_none() {
            let since = self.bill.changed.take().unwrap_or(since);
            self.bill_minimum(now, since);
        }
    }

    /// What is charged beyond the time for which it was as it is.
    fn bill_minimum(&mut self, now: SimTime, since: SimTime) {
        let short = MINIMUM.as_nanos().saturating_sub((now - since).as_nanos());
        add(&mut self.bill.classes, &self.class.name, Part::Minimum, short as f64 / 1e9);
    }

    /// Which part of what is paid for it is.
    fn part(&self) -> Part {
        if self.stage == Stage::Planned { Part::Planned } else { Part::Scaled }
    }

    /// Counting begins.
    pub(super) fn forget_bill(&mut self, now: SimTime) {
        self.bill = Bill { since: now, changed: self.bill.changed, ..Bill::default() };
    }
}

impl Aurora {
    /// A statement is answered. Bytes between zones are charged on the caller's side, each way (RDS pricing); those to and from a
    /// proxy are not counted, as nobody knows in which zone that answers.
    pub(super) fn count_crossing(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let wire = &self.connections[connection];
        let bytes = self.statements[cx.request(wire.query).operation as usize].transfer;
        if bytes == 0 || wire.pool.service <= PROXY {
            return;
        }
        let caller = ComputeId(wire.pool.service - 1 - PROXY);
        let zone = cx.shared.whereabouts.of(caller, wire.pool.slot);
        if zone.is_some_and(|zone| zone != self.servers[wire.server as usize].zone_number) {
            self.books.crossed += u64::from(bytes);
        }
    }

    /// Hands over what was used.
    pub(super) fn paid_for(&mut self, now: SimTime, findings: &mut Findings) {
        self.servers.iter_mut().for_each(|server| server.settle_bill(now));
        self.instances_paid_for(now, findings);
        self.storage_paid_for(now, findings);
        let gigabytes = self.books.crossed as f64 / 1e9;
        let crossed = Usage::new(&self.name, "data_transfer.between_zones", gigabytes, "GB");
        findings.used(crossed.assuming("statements and results, charged once, on the side of who asks"));
    }

    fn instances_paid_for(&self, now: SimTime, findings: &mut Findings) {
        let Billing { instance, acu, engine, .. } = self.billing;
        let mut classes: Vec<(String, Part, f64)> = Vec::new();
        for server in &self.servers {
            for (class, part, seconds) in &server.bill.classes {
                add(&mut classes, class, *part, *seconds);
            }
            // Nobody knows what capacity serverless instances have that nobody uses.
            if server.acu.is_none() && server.exists() {
                add(&mut classes, &server.class.name, Part::Deployment, self.two_fleets(now));
            }
        }
        let name = &self.name;
        for (class, part, seconds) in classes {
            let class = if engine.is_empty() { class } else { format!("{engine} {class}") };
            findings.used(Usage::new(name, instance, seconds / 3600.0, "instance-hour").of_kind(class).part(part));
        }
        let sum =
            |of: fn(&usage::Bill) -> f64| self.servers.iter().map(|server| of(&server.bill)).sum::<f64>() / 3600.0;
        for part in [Part::Planned, Part::Scaled] {
            let servers = self.servers.iter().filter(|server| server.part() == part);
            let seconds: f64 = servers.map(|server| server.bill.acu_seconds).sum();
            findings.used(Usage::new(name, acu, seconds / 3600.0, "ACU-hour").part(part));
        }
        if self.proxy.is_some() {
            let assumed = "of the vCPU of all instances, at least 2 of each";
            let vcpu = Usage::new(name, "rds_proxy.vcpu", sum(|bill| bill.vcpu_seconds), "vCPU-hour");
            findings.used(vcpu.assuming(assumed));
            let acu = Usage::new(name, "rds_proxy.acu", sum(|bill| bill.proxy_acu_seconds), "ACU-hour");
            findings.used(acu.assuming("at least 8 ACUs of each instance"));
        }
    }

    /// Seconds for which a second, green environment was paid for.
    fn two_fleets(&self, now: SimTime) -> f64 {
        let both = |change: &Change| match change {
            Change::Switchover { both: (from, until), .. } => {
                (*until).min(now).since((*from).max(self.books.counted_from)).as_secs_f64()
            }
            _ => 0.0,
        };
        self.plan.changes().map(both).sum()
    }

    fn storage_paid_for(&mut self, now: SimTime, findings: &mut Findings) {
        let Billing { storage: (storage, kind), io, iops, .. } = self.billing;
        self.allocated.settle(now);
        let Allocated { gigabytes, gb_seconds, .. } = self.allocated;
        let name = &self.name;
        let months = |seconds: f64| seconds / 3600.0 / HOURS_A_MONTH;
        let counted = months(now.since(self.books.counted_from).as_secs_f64());
        let assumed = if gigabytes.is_some() { "" } else { "the scenario does not say how large it is" };
        let used =
            |gb_seconds: f64, part| Usage::new(name, storage, months(gb_seconds), "GB-month").of_kind(kind).part(part);
        findings.used(used(gb_seconds, Part::Planned).assuming(assumed));
        // Aurora's green environment begins as a clone, which shares its pages (Aurora guide, Aurora.Managing.Clone).
        if let Some(gigabytes) = gigabytes.filter(|_| self.lag.is_rds()) {
            findings.used(used(gigabytes * self.two_fleets(now), Part::Deployment));
        }
        if let Some((item, kind, count)) = iops {
            findings.used(Usage::new(name, item, count * counted, "IOPS-month").of_kind(kind));
        }
        if let (Some(global), Some(_)) = (&self.global, io) {
            let writes = global.sent() as f64;
            let assumed = "one for each write and each other Region";
            findings.used(Usage::new(name, "aurora.replicated_write", writes, "request").assuming(assumed));
        }
        if let Some(io) = io {
            let requests = (self.books.pages_read + self.books.writes) as f64;
            let assumed = "pages that statements read and the cache has not, and one for each write";
            findings.used(Usage::new(name, io, requests, "request").assuming(assumed));
        }
    }
}
