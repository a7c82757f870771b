//! What a group's instances are paid for: by the second while they are running, at least a minute each time (EC2 pricing). Stopped
//! ones are not, nor are those that are not running yet.

use sim_core::observations::Usage;

use super::*;
use crate::observer::Findings;
use crate::usage::HOURS_A_MONTH;

impl Group {
    /// An instance is running.
    pub(super) fn charge_from_now(&mut self, key: TaskKey, now: SimTime) {
        let instance = &mut self.instances[key];
        if instance.charged_from.is_none() {
            instance.charged_from = Some(now);
            self.meters[instance.meter as usize].1.start(now);
        }
    }

    /// An instance stops, if it was running.
    pub(super) fn charge_until_now(&mut self, key: TaskKey, now: SimTime) {
        let instance = &mut self.instances[key];
        if let Some(since) = instance.charged_from.take() {
            self.meters[instance.meter as usize].1.stop(now, since);
        }
    }

    /// What is launched from now on, and what is changed, is of another type. Each type is measured against all of the group's
    /// capacity: as one goes the other comes.
    pub(super) fn becomes(&mut self, new: &InstanceType, now: SimTime) {
        let mut meter = Meter::new(self.settings.desired_capacity);
        meter.want(now, self.desired);
        self.meters.push((new.name.clone(), meter));
    }

    /// The number of the meter of what is launched now.
    pub(super) fn latest_meter(&self) -> u16 {
        self.meters.len() as u16 - 1
    }

    pub(super) fn all_meters(&mut self) -> impl Iterator<Item = &mut Meter> {
        self.meters.iter_mut().map(|(_, meter)| meter).chain([&mut self.volumes])
    }

    /// Volumes are paid for by the second, at least a minute, as long as their instances are not terminated (EBS pricing).
    fn volumes_paid_for(&self, now: SimTime, findings: &mut Findings) {
        let volume = &self.settings.volume;
        let assumed = "each instance has one volume, which goes with it";
        for (part, hours) in self.volumes.hours(now) {
            let used = |item, each: f64, unit| {
                let usage = Usage::new(&self.name, item, each * hours / HOURS_A_MONTH, unit);
                usage.of_kind(volume.kind).part(part).assuming(assumed)
            };
            findings.used(used("ebs.storage", volume.size, "GB-month"));
            findings.used(used("ebs.iops", volume.iops, "IOPS-month"));
            findings.used(used("ebs.throughput", volume.throughput, "MBps-month"));
        }
    }

    /// Hands over what was used; so many surplus credits were charged.
    pub(super) fn paid_for(&self, surplus: f64, now: SimTime, findings: &mut Findings) {
        for (kind, meter) in &self.meters {
            for (part, hours) in meter.hours(now) {
                let usage = Usage::new(&self.name, "ec2.instance", hours, "instance-hour");
                findings.used(usage.of_kind(kind).part(part));
            }
        }
        self.volumes_paid_for(now, findings);
        // A credit is a minute of a vCPU.
        let family = self.settings.instance_type.name.split('.').next().unwrap_or_default();
        let usage = Usage::new(&self.name, "ec2.surplus_credits", surplus / 60.0, "vCPU-hour");
        findings.used(usage.of_kind(family));
    }
}
