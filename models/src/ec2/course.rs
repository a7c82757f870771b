//! One instance that is deployed to: its lifecycle events, one after the other.

use sim_core::observations::LogKind;
use sim_core::random::{Draws, Source as _};

use super::*;
use crate::deployment::Revision;
use crate::deployment::hosts::{EVENT_TIMEOUT, HostAction};

/// An instance that is being deployed to.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: TaskKey,
    /// Number of the lifecycle event.
    stage: u16,
    /// Which event of the kernel is its own.
    turn: u16,
    /// What is wrong when its time is over.
    verdict: Option<String>,
}

/// What an instance under way waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Drained,
    Stopped,
    Answering,
    Healthy,
}

impl Group {
    /// An instance's turn has come.
    pub(super) fn start_job(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(rollout) = &mut self.rollout else { return };
        rollout.jobs.push(Job { key, stage: 0, turn: 0, verdict: None });
        self.run_stage(key, cx);
    }

    fn job(&mut self, key: TaskKey) -> Option<&mut Job> {
        self.rollout.as_mut()?.jobs.iter_mut().find(|job| job.key == key)
    }

    fn action(&self, key: TaskKey) -> Option<(&'static str, HostAction)> {
        let rollout = self.rollout.as_ref()?;
        let job = rollout.jobs.iter().find(|job| job.key == key)?;
        rollout.course().get(job.stage as usize).map(|stage| (stage.name, stage.action.clone()))
    }

    /// What an instance under way waits for.
    fn awaits(&self, key: TaskKey) -> Option<Awaits> {
        match self.action(key)?.1 {
            HostAction::Block => Some(Awaits::Drained),
            HostAction::Stop => Some(Awaits::Stopped),
            HostAction::Start => Some(Awaits::Answering),
            HostAction::Allow => Some(Awaits::Healthy),
            HostAction::Take(_) | HostAction::Hook(_) => None,
        }
    }

    /// Begins the lifecycle event an instance is at; if there is none left, it is done.
    fn run_stage(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some((name, action)) = self.action(key) else { return self.job_over(key, true) };
        let Some(instance) = self.instances.get(key) else { return };
        if instance.power == Power::Off {
            return self.job_failed(key, "the instance is not running", cx);
        }
        let number = instance.number;
        if let Some(rollout) = &self.rollout {
            let what = format!("deployment {}: {name} on instance {number}", rollout.number);
            cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        }
        let (lasts, verdict) = match &action {
            HostAction::Take(time) => (time.sample_duration(&mut self.lifecycle), None),
            HostAction::Hook(hook) => {
                let streams = &cx.shared.streams;
                let rollout = self.rollout.as_ref().map_or(0, |rollout| rollout.number);
                let draws = &mut Draws::new(
                    streams.key(&self.name, "hooks"),
                    u64::from(number) << 32 | u64::from(rollout) << 16 | u64::from(self.stage_of(key)),
                );
                hook.verdict(self.incoming().1.error_rate, draws)
            }
            // What is waited for fails when its time is over.
            _ => (EVENT_TIMEOUT, Some("timed out".to_owned())),
        };
        let turn = self.next_turn();
        if let Some(job) = self.job(key) {
            (job.turn, job.verdict) = (turn, verdict);
        }
        cx.kernel.schedule_in(lasts, self.event(Event::Step(turn, key)));
        match action {
            HostAction::Block => self.block_traffic(key, cx),
            HostAction::Stop => self.shut_down(key, cx),
            HostAction::Start => self.start_application(key, cx),
            HostAction::Allow => self.allow_traffic(key, cx),
            HostAction::Take(_) | HostAction::Hook(_) => {}
        }
    }

    fn stage_of(&self, key: TaskKey) -> u16 {
        let jobs = self.rollout.iter().flat_map(|rollout| &rollout.jobs);
        jobs.into_iter().find(|job| job.key == key).map_or(0, |job| job.stage)
    }

    /// The revision that is installed, with its number.
    fn incoming(&self) -> (u16, &Revision) {
        let number = self.rollout.as_ref().map_or(self.stable, |rollout| rollout.installs(self.stable));
        (number, &self.revisions[number as usize])
    }

    fn next_stage(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        if let Some(job) = self.job(key) {
            job.stage += 1;
            self.run_stage(key, cx);
        }
    }

    /// The time of a lifecycle event is over.
    pub(super) fn step(&mut self, turn: u16, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(job) = self.job(key).filter(|job| job.turn == turn) else { return };
        match job.verdict.take() {
            Some(why) => self.job_failed(key, &why, cx),
            None => self.next_stage(key, cx),
        }
        self.advance(cx);
    }

    /// What an instance waited for has come.
    fn came(&mut self, key: TaskKey, what: Awaits, cx: &mut Cx<'_>) {
        if self.awaits(key) == Some(what) {
            self.next_stage(key, cx);
            self.advance(cx);
        }
    }

    /// The deployment to an instance has failed: it stays as it is.
    pub(super) fn job_failed(&mut self, key: TaskKey, why: &str, cx: &mut Cx<'_>) {
        let Some(rollout) = &self.rollout else { return };
        let name = self.action(key).map_or("", |(name, _)| name);
        let number = self.instances.get(key).map_or_else(|| "that is no more".to_owned(), |it| it.number.to_string());
        let what = format!("deployment {}: {name} failed on instance {number}: {why}", rollout.number);
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        self.job_over(key, false);
    }

    // ------------------------------------------------------------ what lifecycle events do

    fn block_traffic(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        if self.is_being_replaced() {
            self.instances[key].life = Life::Apart;
        }
        if !self.deregister(key, cx) {
            self.came(key, Awaits::Drained, cx);
        }
    }

    /// The load balancer has drained an instance that is deployed to.
    pub(super) fn traffic_blocked(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        self.note_in_service();
        self.came(key, Awaits::Drained, cx);
    }

    /// Whether the end of an instance's program is only that of its application.
    pub(super) fn stops_application(&self, key: TaskKey) -> bool {
        self.awaits(key) == Some(Awaits::Stopped)
    }

    /// The application of an instance is over; the instance is not.
    pub(super) fn application_stopped(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        self.lose_work(key, cx);
        self.take_down(key, cx);
        cx.control(Control::TaskGone(self.id.into(), key));
        self.came(key, Awaits::Stopped, cx);
    }

    fn take_down(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let instance = &mut self.instances[key];
        instance.power = Power::Booting;
        instance.epoch += 1;
        self.engine.count_servers(&self.instances, cx.now());
        self.tell_whether_down(cx);
        self.note_in_service();
    }

    /// The application of the incoming revision starts, or crashes as it does.
    fn start_application(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let (revision, is) = self.incoming();
        let number = self.instances[key].number;
        let draws = &mut Draws::new(self.fates, u64::from(number) << 16 | u64::from(revision));
        let crashes = draws.chance(is.crash_on_start);
        let startup_time = is.startup_time.clone().unwrap_or_else(|| self.settings.boot_time.clone());
        let after = startup_time.sample_duration(&mut self.lifecycle);
        self.instances[key].revision = revision;
        self.lose_work(key, cx);
        self.take_down(key, cx);
        if crashes {
            return self.job_failed(key, "the application exits as it starts", cx);
        }
        let epoch = self.instances[key].epoch;
        cx.kernel.schedule_in(after, self.event(Event::Up(epoch, key)));
    }

    /// The application of an instance answers: how long it will, and whether somebody waited for it.
    pub(super) fn application_answers(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let instance = &mut self.instances[key];
        instance.process.begin(now);
        let (number, revision, epoch) = (instance.number, instance.revision, instance.epoch);
        if let Some(after) = &self.revisions[revision as usize].out_of_memory_after {
            let draws = &mut Draws::new(self.fates ^ 1, u64::from(number) << 16 | u64::from(epoch));
            cx.kernel.schedule_in(after.sample_duration(draws), self.event(Event::OutOfMemory(epoch, key)));
        }
        self.came(key, Awaits::Answering, cx);
        self.advance(cx);
    }

    fn allow_traffic(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let warm_from = now + self.settings.instance_warmup;
        let instance = &mut self.instances[key];
        if instance.life == Life::Apart {
            instance.life = Life::InService;
            (instance.in_service_since, instance.warm_from) = (now, warm_from);
        }
        self.register(key, cx);
        if self.settings.target_group.is_none() || self.instances[key].healthy {
            self.came(key, Awaits::Healthy, cx);
        }
    }

    /// The load balancer calls an instance healthy.
    pub(super) fn traffic_allowed(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        self.came(key, Awaits::Healthy, cx);
    }
}
