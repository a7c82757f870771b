//! What a group's instances are paid for: by the second while they are running, at least a minute each time (EC2 pricing). Stopped
//! ones are not, nor are those that are not running yet.

use sim_core::observations::Usage;

use super::*;
use crate::observer::Findings;

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

    /// Hands over what was used; so many surplus credits were charged.
    pub(super) fn paid_for(&self, surplus: f64, now: SimTime, findings: &mut Findings) {
        for (kind, meter) in &self.meters {
            for (part, hours) in meter.hours(now) {
                let usage = Usage::new(&self.name, "ec2.instance", hours, "instance-hour");
                findings.used(usage.of_kind(kind).part(part));
            }
        }
        // A credit is a minute of a vCPU.
        let family = self.settings.instance_type.name.split('.').next().unwrap_or_default();
        let usage = Usage::new(&self.name, "ec2.surplus_credits", surplus / 60.0, "vCPU-hour");
        findings.used(usage.of_kind(family));
    }
}
