//! What goes wrong with instances, and who notices: status checks, auto recovery, injected faults.

use sim_core::observations::Phase;

use super::*;

/// Status checks are made every minute (EC2 user guide, monitoring-system-instance-status-check).
pub(super) const INTERVAL: SimDuration = SimDuration::from_secs(60);

impl Group {
    /// The status checks of all instances.
    pub(super) fn check_status(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        for at in 0..self.order.len() {
            let instance = &mut self.instances[self.order[at]];
            let fails = instance.impaired.is_some();
            if fails && instance.impaired_since.is_none() {
                instance.impaired_since = Some(now);
                let which = if instance.impaired == Some(Impairment::System) { "system" } else { "instance" };
                let what = format!("instance {}: the {which} status check fails", instance.number);
                self.log(what, cx);
                cx.phase(&self.name, Phase::Decision);
            } else if !fails {
                instance.impaired_since = None;
            }
        }
    }

    /// Simplified automatic recovery: an instance whose system status check has failed for long enough is moved to another
    /// host. It keeps its number and address, and loses what it had in memory.
    pub(super) fn recover_impaired(&mut self, cx: &mut Cx<'_>) {
        if !self.settings.auto_recovery {
            return;
        }
        let now = cx.now();
        let lasts = |instance: &Instance| {
            instance.impaired == Some(Impairment::System)
                && instance.impaired_since.is_some_and(|since| now.since(since) >= self.settings.impaired_for)
        };
        let struck: Vec<TaskKey> = self.order.iter().copied().filter(|&key| lasts(&self.instances[key])).collect();
        for key in struck {
            let number = self.instances[key].number;
            self.log(format!("instance {number} is recovered on another host"), cx);
            cx.phase(&self.name, Phase::Recovery);
            self.cut_power(key, cx);
            let instance = &mut self.instances[key];
            (instance.impaired, instance.impaired_since) = (None, None);
            self.power_on(key, cx);
        }
    }

    /// Instances that a fault strikes: of a zone or any, the oldest first.
    fn targets(&self, zone: Option<u16>, count: Option<u32>) -> Vec<TaskKey> {
        let fits = |instance: &Instance| {
            zone.is_none_or(|zone| instance.zone == zone)
                && instance.life == Life::InService
                && instance.power != Power::Off
        };
        let struck = self.order.iter().copied().filter(|&key| fits(&self.instances[key]));
        struck.take(count.map_or(usize::MAX, |count| count as usize)).collect()
    }

    /// A fault strikes instances, or its time is over.
    pub fn instance_fault(
        &mut self,
        fault: InstanceFault,
        zone: Option<u16>,
        count: Option<u32>,
        begins: bool,
        cx: &mut Cx<'_>,
    ) {
        if !begins {
            return self.fault_over(fault, cx);
        }
        for key in self.targets(zone, count) {
            let number = self.instances[key].number;
            match fault {
                InstanceFault::Stop => {
                    self.log(format!("instance {number} is stopped"), cx);
                    cx.phase(&self.name, Phase::Detection);
                    self.cut_power(key, cx);
                    self.instances[key].struck = true;
                }
                InstanceFault::Reboot => {
                    self.log(format!("instance {number} is rebooted"), cx);
                    self.reboot(key, cx);
                }
                InstanceFault::Terminate => {
                    self.log(format!("instance {number} is terminated"), cx);
                    cx.phase(&self.name, Phase::Detection);
                    self.gone(key, cx);
                }
                InstanceFault::Impair(impairment) => self.impair(key, impairment, cx),
                // It is the tasks on an instance that are drained.
                InstanceFault::Drain => {}
            }
        }
    }

    fn reboot(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        self.cut_power(key, cx);
        cx.phase(&self.name, Phase::Recovery);
        let after = self.settings.reboot_time.sample_duration(&mut self.lifecycle);
        let instance = &mut self.instances[key];
        instance.power = Power::Booting;
        (instance.impaired, instance.impaired_since) = (None, None);
        let event = Event::Up(instance.epoch, key);
        cx.kernel.schedule_in(after, self.event(event));
    }

    /// The program of an instance needs more memory than there is: it is killed, and the service manager starts it again.
    pub fn out_of_memory(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(instance) = self.instances.get(key) else { return };
        self.log(format!("instance {}: the program is killed, out of memory", instance.number), cx);
        cx.phase(&self.name, Phase::Recovery);
        self.cut_power(key, cx);
        let after = self.settings.boot_time.sample_duration(&mut self.lifecycle);
        let instance = &mut self.instances[key];
        instance.power = Power::Booting;
        let event = Event::Up(instance.epoch, key);
        cx.kernel.schedule_in(after, self.event(event));
    }

    /// An impaired instance answers nobody; what it had is lost.
    fn impair(&mut self, key: TaskKey, impairment: Impairment, cx: &mut Cx<'_>) {
        let instance = &mut self.instances[key];
        (instance.impaired, instance.struck) = (Some(impairment), true);
        let number = instance.number;
        self.log(format!("instance {number} is impaired"), cx);
        self.lose_work(key, cx);
    }

    /// Instances that a fault stopped are started again; those it impaired are well.
    fn fault_over(&mut self, fault: InstanceFault, cx: &mut Cx<'_>) {
        let struck: Vec<TaskKey> = self.order.iter().copied().filter(|&key| self.instances[key].struck).collect();
        for key in struck {
            let instance = &mut self.instances[key];
            match fault {
                InstanceFault::Stop if instance.life == Life::InService && instance.power == Power::Off => {
                    instance.struck = false;
                    let number = instance.number;
                    self.log(format!("instance {number} is started"), cx);
                    cx.phase(&self.name, Phase::Recovery);
                    self.power_on(key, cx);
                }
                InstanceFault::Impair(impairment) if instance.impaired == Some(impairment) => {
                    (instance.struck, instance.impaired) = (false, None);
                    self.engine.count_servers(&self.instances, cx.now());
                    self.tell_settled(cx);
                }
                _ => {}
            }
        }
    }

    /// What an instance has is lost, and nothing else.
    pub(super) fn lose_work(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.settle_credits(key, now);
        let fresh = self.fresh_process(key);
        let instance = &mut self.instances[key];
        let before = std::mem::replace(&mut instance.process, fresh);
        instance.used_at_period = 0.0;
        if let Some(credits) = &mut instance.credits {
            credits.forget_use();
        }
        self.engine.end(key, &before, cx);
        self.engine.count_servers(&self.instances, now);
        self.tell_whether_down(cx);
    }

    // ------------------------------------------------------------ the downtime ledger

    /// A group is down while none of its instances in service answers.
    pub(super) fn tell_whether_down(&self, cx: &mut Cx<'_>) {
        let serves = |instance: &Instance| instance.life == Life::InService && instance.serves();
        cx.down(&self.name, !self.order.iter().any(|&key| serves(&self.instances[key])));
    }

    /// An instance answers, or its target is healthy: there may be enough of them again. Those that answer and are not counted
    /// healthy yet have to be led requests to.
    pub(super) fn tell_settled(&self, cx: &mut Cx<'_>) {
        self.tell_whether_down(cx);
        let in_service = self.order.iter().map(|&key| &self.instances[key]).filter(|it| it.life == Life::InService);
        let (mut up, mut healthy) = (0, 0);
        for instance in in_service.filter(|instance| instance.serves()) {
            up += 1;
            healthy += u32::from(self.settings.target_group.is_none() || instance.healthy);
        }
        if healthy >= self.desired {
            cx.settling(&self.name);
        } else if up >= self.desired {
            cx.phase_of_known(&self.name, Phase::Routing);
        }
    }
}
