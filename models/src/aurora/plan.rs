//! Planned changes, by the names of AWS's API.
//!
//! Most take an instance away and bring it back; those of several steps are jobs that go on whenever an instance is back or a
//! failover is over.

use sim_core::observations::{IncidentKind, LogKind};
use sim_core::random::{Draws, Source};

use super::*;
use crate::ledger;

/// What is planned, and what of it is under way.
#[derive(Debug)]
pub(super) struct Plan {
    changes: Vec<Planned>,
    /// Key of what decides whether patching succeeds.
    chance: u64,
    jobs: Vec<Job>,
}

/// A change of several steps.
#[derive(Clone, Debug)]
enum Job {
    /// An instance gets another class when it is no longer the writer.
    Modify { instance: u16, class: Class, takes: SimDuration },
    /// Instances are updated one after the other, the writer last, after a failover.
    Update { left: Vec<u16>, current: Option<u16>, failing_over: bool, takes: SimDuration, class: Option<Class> },
    /// A read replica is promoted when it is back.
    Promote { instance: u16, takes_over: bool },
    /// Writes are blocked until an instant; then the green instances take over, or all is as it was.
    Switchover { until: SimTime, succeeds: bool },
}

impl Plan {
    pub(super) fn new(changes: &[Planned], chance: u64) -> Self {
        Self { changes: changes.to_vec(), chance, jobs: Vec::new() }
    }

    /// Whether a change of several steps keeps users from being served.
    pub(super) fn is_at_work(&self) -> bool {
        self.jobs.iter().any(|job| matches!(job, Job::Switchover { .. }))
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().map(|planned| &planned.change)
    }

    pub(super) fn times(&self) -> impl Iterator<Item = SimTime> + use<> {
        self.changes.iter().map(|planned| planned.at).collect::<Vec<_>>().into_iter()
    }
}

impl Aurora {
    /// A planned change begins.
    pub(super) fn change(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let name = self.plan.changes[number as usize].change.name();
        // What answers a loss belongs to that.
        if !self.reacts() {
            cx.begins(IncidentKind::Change, &self.name, name);
        }
        match self.plan.changes[number as usize].change.clone() {
            Change::Failover { to } => self.fail_over(to, cx),
            Change::Reboot { instance } => {
                let instance = instance.unwrap_or(self.roles.record);
                let what = format!("RebootDBInstance {}", self.servers[instance as usize].short_name);
                self.announce(what, self.failover.restart, cx);
                self.reboot(instance, cx);
            }
            Change::ModifyClass { instance, class, takes, failover_first } => {
                let name = &self.servers[instance as usize].short_name;
                let what = format!("ModifyDBInstance {name}: {}", class.name);
                self.announce(what, takes, cx);
                if failover_first && self.roles.writer == Some(instance) && self.existing().count() > 1 {
                    self.plan.jobs.push(Job::Modify { instance, class, takes });
                    self.fail_over(None, cx);
                } else {
                    self.modify(instance, class, takes, cx);
                }
            }
            Change::MinorUpgrade { patching, restart } => self.minor_upgrade(number, patching.as_ref(), restart, cx),
            Change::MajorUpgrade { takes } => {
                self.announce("ModifyDBCluster: major version".to_owned(), takes, cx);
                for instance in self.existing() {
                    self.replace(instance, takes, cx);
                }
            }
            Change::ModifyAll { class, takes } => {
                self.one_by_one(format!("ModifyDBInstance: {}", class.name), takes, Some(class), cx);
            }
            Change::SystemUpdate { takes } => {
                self.one_by_one("ApplyPendingMaintenanceAction: system-update".to_owned(), takes, None, cx);
            }
            Change::Storage { volume, takes, gigabytes } => self.grow_storage(&volume, takes, gigabytes, cx),
            Change::Backup { suspension } => self.back_up(suspension, cx),
            Change::Promote { instance, takes, takes_over } => {
                self.begin_promotion_of_replica(instance, takes, cx);
                self.plan.jobs.push(Job::Promote { instance, takes_over });
            }
            Change::GlobalSwitchover => self.switch_over(cx),
            Change::GlobalFailover { detach } => self.fail_over_region(detach, cx),
            Change::Switchover { takes, timeout, .. } => {
                self.announce("SwitchoverBlueGreenDeployment".to_owned(), takes.min(timeout), cx);
                let until = now + takes.min(timeout);
                (self.writes_paused_until, self.paused_writes_wait) = (until, false);
                self.plan.jobs.push(Job::Switchover { until, succeeds: takes <= timeout });
                cx.phase(&self.name, ledger::Phase::Routing);
                cx.kernel.schedule_at(until, self.event(Event::ChangeGoesOn));
            }
        }
        self.change_is_over(cx);
    }

    /// What is under way in one step only lasts as long as the instances that it struck are away; the ledger sees that by itself.
    fn change_is_over(&self, cx: &mut Cx<'_>) {
        if self.plan.jobs.is_empty() {
            cx.is_over(IncidentKind::Change, &self.name);
        }
    }

    /// Instances are away one after the other, the writer last, after a failover.
    fn one_by_one(&mut self, what: String, takes: SimDuration, class: Option<Class>, cx: &mut Cx<'_>) {
        let left: Vec<u16> = self.existing().collect();
        self.announce(what, takes.times(left.len() as u64), cx);
        self.plan.jobs.push(Job::Update { left, current: None, failing_over: false, takes, class });
        self.change_goes_on(cx);
    }

    pub(super) fn announce(&self, what: String, takes: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        cx.shared.observer.log_span(now, Some(now + takes), LogKind::Deployment, &self.name, what);
    }

    /// An instance is away, and what it has in memory is lost.
    pub(super) fn replace(&mut self, instance: u16, takes: SimDuration, cx: &mut Cx<'_>) {
        self.servers[instance as usize].returns_cold = true;
        let back_at = cx.now() + takes;
        cx.phase(&self.name, ledger::Phase::Recovery);
        self.take_down(instance, back_at, cx);
        self.reset_connections(instance, false, cx);
    }

    fn modify(&mut self, instance: u16, class: Class, takes: SimDuration, cx: &mut Cx<'_>) {
        self.servers[instance as usize].returns_as = Some(class);
        self.replace(instance, takes, cx);
    }

    /// With zero-downtime patching the writer keeps its sessions but does no work for a while, and readers restart (requirements:
    /// about 5 s and 20-30 s). Without, or if it fails, the whole cluster restarts at once.
    fn minor_upgrade(
        &mut self,
        number: u16,
        patching: Option<&ZeroDowntimePatching>,
        restart: SimDuration,
        cx: &mut Cx<'_>,
    ) {
        let now = cx.now();
        let works =
            |patching: &&ZeroDowntimePatching| !Draws::new(self.plan.chance, number.into()).chance(patching.failure);
        let patched = patching.filter(works);
        let writer = self.roles.writer;
        let how = match (patching, patched) {
            (None, _) => "restart of the whole cluster",
            (Some(_), None) => "zero-downtime patching fails, the whole cluster restarts",
            (Some(_), Some(_)) => "zero-downtime patching",
        };
        self.announce(format!("ModifyDBCluster: minor version, {how}"), restart, cx);
        for instance in self.existing() {
            match patched.filter(|_| writer == Some(instance)) {
                Some(patching) => {
                    let server = &mut self.servers[instance as usize];
                    server.cpu.set_speed(now, 0.0);
                    server.paused = true;
                    cx.phase(&self.name, ledger::Phase::Recovery);
                    cx.down(&self.servers[instance as usize].name, true);
                    cx.kernel.schedule_in(patching.pause, self.event(Event::Resumed(instance)));
                }
                None => {
                    cx.phase(&self.name, ledger::Phase::Recovery);
                    self.take_down(instance, now + restart, cx);
                    self.reset_connections(instance, false, cx);
                }
            }
        }
    }

    /// Something has happened that a job may have waited for.
    pub(super) fn change_goes_on(&mut self, cx: &mut Cx<'_>) {
        if self.plan.jobs.is_empty() {
            return;
        }
        let mut jobs = std::mem::take(&mut self.plan.jobs);
        jobs.retain_mut(|job| !self.is_done(job, cx));
        self.plan.jobs.append(&mut jobs);
        self.tell_settled(cx);
        self.change_is_over(cx);
    }

    /// Goes on with a job as far as possible; whether it is done.
    fn is_done(&mut self, job: &mut Job, cx: &mut Cx<'_>) -> bool {
        match job {
            Job::Modify { instance, class, takes } => {
                let number = *instance as usize;
                let ready = self.servers[number].is_up()
                    && !self.roles.is_electing()
                    && self.roles.writer.is_some_and(|writer| writer != *instance);
                if ready {
                    self.modify(*instance, class.clone(), *takes, cx);
                }
                ready
            }
            Job::Update { left, current, failing_over, takes, class } => {
                if current.is_some_and(|it| !self.servers[it as usize].is_up()) || self.roles.is_electing() {
                    return false;
                }
                *current = None;
                let writer = self.roles.writer;
                let alone =
                    self.servers.iter().filter(|server| server.kind.is_candidate() && server.exists()).count() <= 1;
                let next =
                    left.iter().position(|&it| (alone || Some(it) != writer) && self.servers[it as usize].is_up());
                match next {
                    Some(place) => {
                        let instance = left.remove(place);
                        *current = Some(instance);
                        self.servers[instance as usize].returns_as = class.clone();
                        self.replace(instance, *takes, cx);
                        false
                    }
                    None if left.is_empty() => true,
                    None => {
                        if !std::mem::replace(failing_over, true) {
                            self.fail_over(None, cx);
                        }
                        false
                    }
                }
            }
            &mut Job::Promote { instance, takes_over } => {
                let ready = self.servers[instance as usize].is_up() && !self.roles.is_electing();
                if ready {
                    self.promote_replica(instance, takes_over, cx);
                }
                ready
            }
            &mut Job::Switchover { until, succeeds } => {
                let now = cx.now();
                if now < until {
                    return false;
                }
                if succeeds {
                    for instance in self.existing() {
                        self.servers[instance as usize].forget_pages(now);
                        self.reset_connections(instance, false, cx);
                    }
                }
                let what =
                    if succeeds { "the green instances have taken over" } else { "switchover timed out, rolled back" };
                cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
                true
            }
        }
    }
}
