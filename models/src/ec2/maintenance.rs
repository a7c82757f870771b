//! Planned stops and starts: a host is retired, the instance type changes. One instance after the other, taken out of its target
//! group first or not.

use sim_core::observations::{IncidentKind, Phase};

use super::*;

/// A planned stop and start.
#[derive(Clone, Debug)]
pub struct Maintenance {
    /// When it begins.
    pub at: SimTime,
    /// What for.
    pub kind: MaintenanceKind,
    /// How many instances, the oldest first; none = all.
    pub count: Option<u32>,
    /// Whether an instance is taken out of its target group (and into standby) before it is stopped.
    pub deregister: bool,
}

/// What an instance is stopped and started for.
#[derive(Clone, Debug)]
pub enum MaintenanceKind {
    /// Its host is retired: it starts on another.
    Retirement,
    /// It becomes another type, as does whatever is launched later.
    InstanceType(InstanceType, Option<credits::Account>),
}

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Works {
    /// Who is to come.
    waiting: std::collections::VecDeque<TaskKey>,
    /// Who is being stopped or started.
    current: Option<TaskKey>,
    deregister: bool,
}

impl Group {
    /// Planned maintenance is due: for the instances there are, one after the other.
    pub(super) fn maintain(&mut self, number: u16, cx: &mut Cx<'_>) {
        let plan = self.settings.maintenance[number as usize].clone();
        if let MaintenanceKind::InstanceType(new, account) = &plan.kind {
            self.vcpu = new.vcpu;
            self.template += 1;
            self.settings.credits = *account;
            self.becomes(new, cx.now());
        }
        let what = match &plan.kind {
            MaintenanceKind::Retirement => "retirement of hosts".to_owned(),
            MaintenanceKind::InstanceType(new, _) => format!("change of type to {}", new.name),
        };
        self.log(format!("maintenance: {what}"), cx);
        cx.begins(IncidentKind::Change, &self.name, &what);
        let of = plan.count.map_or(usize::MAX, |count| count as usize);
        let fits = |key: &TaskKey| self.instances[*key].life == Life::InService;
        self.works.waiting.extend(self.order.iter().copied().filter(fits).take(of));
        self.works.deregister = plan.deregister;
        self.next_of_maintenance(cx);
    }

    /// An instance is replaced or lost while it waits for its turn: the next.
    pub(super) fn maintenance_goes_on(&mut self, cx: &mut Cx<'_>) {
        if self.works.current.is_some_and(|key| !self.instances.contains(key)) {
            self.works.current = None;
            self.next_of_maintenance(cx);
        }
    }

    fn next_of_maintenance(&mut self, cx: &mut Cx<'_>) {
        while self.works.current.is_none() {
            let Some(key) = self.works.waiting.pop_front() else {
                return cx.is_over(IncidentKind::Change, &self.name);
            };
            if self.instances.get(key).is_none_or(|instance| instance.life != Life::InService) {
                continue;
            }
            self.works.current = Some(key);
            let number = self.instances[key].number;
            if self.works.deregister {
                self.instances[key].life = Life::Standby;
                self.log(format!("instance {number} is taken out for maintenance"), cx);
                if self.deregister(key, cx) {
                    return;
                }
            }
            self.stop_for_maintenance(key, cx);
        }
    }

    /// Stops an instance that is to be started again.
    pub(super) fn stop_for_maintenance(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let number = self.instances[key].number;
        self.log(format!("instance {number} is stopped"), cx);
        cx.phase(&self.name, Phase::Recovery);
        if self.instances[key].life == Life::Standby {
            self.shut_down(key, cx);
        } else {
            // Nobody waits for what it has: it is lost with the operating system.
            self.ended(key, cx);
        }
    }

    /// It is off: it is started again, as what it is to be.
    pub(super) fn stopped_for_maintenance(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        if self.works.current != Some(key) {
            return;
        }
        let program = self.program(self.instances[key].revision);
        let fresh = self.engine.process(self.vcpu, program);
        let account = self.settings.credits;
        let (now, meter) = (cx.now(), self.latest_meter());
        let instance = &mut self.instances[key];
        instance.process = fresh;
        if instance.template != self.template {
            instance.template = self.template;
            instance.meter = meter;
            instance.credits = account.map(|account| account.open(now, true));
        }
        (instance.impaired, instance.impaired_since) = (None, None);
        let number = instance.number;
        self.log(format!("instance {number} is started"), cx);
        self.power_on(key, cx);
    }

    /// An instance answers, or its target is healthy: it may be done with.
    pub(super) fn maintained(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        if self.works.current != Some(key) || self.instances[key].power != Power::Up {
            return;
        }
        if self.instances[key].life == Life::Standby {
            let now = cx.now();
            let instance = &mut self.instances[key];
            (instance.life, instance.in_service_since) = (Life::InService, now);
            self.register(key, cx);
        }
        if self.settings.target_group.is_none() || self.instances[key].healthy {
            self.works.current = None;
            self.next_of_maintenance(cx);
        }
    }
}
