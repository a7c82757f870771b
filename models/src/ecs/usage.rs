//! What a service's tasks are paid for.

use sim_core::observations::Usage;

use super::*;

impl Task {
    /// Memory that is paid for, GB: without a limit 2 GB a vCPU, the least that Fargate has (assumption).
    fn gigabytes(&self) -> f64 {
        self.memory.map_or(2.0 * self.vcpu, |memory| memory.limit / f64::from(1 << 30))
    }
}

impl Ecs {
    /// Fargate charges from the pull of the image until the task is gone, at least a minute (Fargate pricing). A task of the
    /// scenario's first instant has been there for a while.
    pub(super) fn charge_from_now(&mut self, key: TaskKey, now: SimTime) {
        if let Some(task) = self.tasks.get_mut(key)
            && task.charged_from.is_none()
        {
            task.charged_from = Some(now);
            self.meter.start(now);
        }
    }

    /// Hands over what was used: of Fargate by task, on container instances what these are.
    pub(super) fn paid_for(&self, now: SimTime, findings: &mut Findings) {
        if let Some(places) = &self.places {
            let hours = places.active_time(now).as_secs_f64() / 3600.0;
            let assumed = "container instances are charged whether tasks are on them or not";
            let kind = self.settings.container_instances.as_ref().map_or("", |it| it.instance_type.as_str());
            let usage = Usage::new(&self.name, "ec2.instance", hours, "instance-hour").of_kind(kind);
            return findings.used(usage.assuming(assumed));
        }
        let task = &self.settings.task;
        let assumed = if task.memory.is_some() { "" } else { "2 GB a vCPU, as the tasks have no memory limit" };
        for (part, hours) in self.meter.hours(now) {
            let used = |item, amount: f64, unit| Usage::new(&self.name, item, hours * amount, unit).part(part);
            findings.used(used("fargate.vcpu", task.vcpu, "vCPU-hour"));
            findings.used(used("fargate.memory", task.gigabytes(), "GB-hour").assuming(assumed));
        }
    }
}
