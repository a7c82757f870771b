//! A deployment under way: what its strategy wants next, what makes it fail, and how it is undone.
//!
//! A rolling update is the scheduler's own work within its two limits; here it is only watched. The others run a plan
//! ([`Plan`]): its stages one after the other, each of them done at once, or when an event or the scheduler's look says so.

use sim_core::observations::{IncidentKind, LogKind};
use sim_core::random::Draws;

use super::*;
use crate::cloudwatch::{AlarmState, Alarms};
use crate::deployment::book::{Book, Usage};
use crate::deployment::{ALL, Action, Deployment, Hook, Plan, Strategy};

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// On its way.
    Going,
    /// It has failed and is being undone.
    RollingBack,
    /// It has failed and is left as it is.
    Halted,
}

/// A deployment under way.
#[derive(Debug)]
pub(super) struct Rollout {
    number: u16,
    deployment: Box<Deployment>,
    /// The revision that comes.
    pub(super) revision: u16,
    /// The revision to go back to: that of the last deployment that was completed.
    stable: u16,
    pub(super) phase: Phase,
    /// Number of the plan's stage.
    stage: u16,
    /// Thousandths of production traffic on green.
    share: u16,
    /// How many tasks were desired when it began to shift, and since when green has fewer than are desired now.
    desired_at_shift: Option<u32>,
    unsteady_since: Option<SimTime>,
    /// Green tasks are wanted.
    scaled_up: bool,
    /// Blue tasks are wanted no longer.
    cleaning: bool,
    /// What the hook that runs will say, if it fails.
    verdict: Option<String>,
    /// Tasks that did not make it, since the last that did.
    failed_tasks: u32,
    /// Whether a task of the new revision has ever been RUNNING.
    reached_running: bool,
    /// Those that may end it: one that is in ALARM when it begins says nothing about it (ECS guide, deployment-alarm-failure).
    alarms: Vec<AlarmId>,
    /// How long a rolling update bakes: until the slowest of its alarms has judged it.
    bake: SimDuration,
    /// Rolling updates with alarms: when these have seen enough of the new revision.
    baked_at: Option<SimTime>,
    /// The fewest healthy tasks with production traffic.
    least: u32,
    begun: Usage,
}

impl Rollout {
    /// The plan, unless it is a rolling update.
    pub(super) fn plan(&self) -> Option<&Plan> {
        match &self.deployment.strategy {
            Strategy::Rolling | Strategy::Hosts(_) => None,
            Strategy::Shift(plan) => Some(plan),
        }
    }

    fn action(&self) -> Option<&Action> {
        Some(&self.plan()?.stages.get(self.stage as usize)?.action)
    }

    /// Whether tasks of a revision are kept from direct callers: green before all traffic is its own, blue from then on.
    pub(super) fn hides(&self, revision: u16) -> bool {
        self.plan().is_some() && (revision == self.revision) != (self.share == ALL)
    }

    /// Whether tasks of a revision have production traffic.
    fn in_service(&self, revision: u16) -> bool {
        match (self.plan().is_some(), revision == self.revision) {
            (false, _) => true,
            (true, true) => self.share > 0,
            (true, false) => self.share < ALL,
        }
    }

    /// Whether green tasks are wanted, and whether blue ones are.
    pub(super) fn wants(&self, green: bool) -> bool {
        if green { self.scaled_up && self.phase != Phase::RollingBack } else { !self.cleaning }
    }
}

impl Ecs {
    /// A deployment begins. One that is still under way is superseded: its tasks are old ones now.
    pub fn deploy(&mut self, deployment: &Deployment, alarms: &Alarms, cx: &mut Cx<'_>) {
        let stable = self.supersede(cx);
        self.revisions.push(deployment.revision.clone());
        let revision = (self.revisions.len() - 1) as u16;
        self.deployments += 1;
        let quiet = |id: &AlarmId| alarms.state(*id) != AlarmState::Alarm;
        let bake = deployment.alarms.iter().map(|&id| alarms.judges_within(id)).max();
        self.rollout = Some(Rollout {
            number: self.deployments,
            deployment: Box::new(deployment.clone()),
            revision,
            stable,
            phase: Phase::Going,
            stage: 0,
            share: 0,
            desired_at_shift: None,
            unsteady_since: None,
            scaled_up: false,
            cleaning: false,
            verdict: None,
            failed_tasks: 0,
            reached_running: false,
            alarms: deployment.alarms.iter().copied().filter(quiet).collect(),
            bake: bake.unwrap_or_default(),
            baked_at: None,
            least: u32::MAX,
            begun: self.usage(cx.now()),
        });
        self.book.begun += 1;
        let kind = deployment.strategy.name();
        self.log_deployment(None, format!("{kind} to revision {revision}"), cx);
        cx.begins(IncidentKind::Deployment, &self.name, &format!("{kind} to revision {revision}"));
        if let Some(after) = deployment.stop_after {
            cx.kernel.schedule_in(after, self.event(Event::StopDeployment(self.deployments)));
        }
        cx.control(Control::Deploying(Scalable::Ecs(self.id), true));
        cx.shared.observer.deploying(cx.kernel.now(), true);
        self.meter.deploying(cx.now(), true);
        self.note_in_service(cx.now());
        match &deployment.strategy {
            Strategy::Shift(_) => self.run_stages(cx),
            Strategy::Rolling | Strategy::Hosts(_) => {
                self.primary = revision;
                self.tell_if_stuck(cx);
            }
        }
    }

    /// Leaves a deployment that another one takes the place of. A green set that has all traffic stays; one that has not goes.
    /// Returns the revision to go back to.
    fn supersede(&mut self, cx: &mut Cx<'_>) -> u16 {
        let Some(rollout) = &self.rollout else { return self.primary };
        let (halted, planned, all) = (rollout.phase == Phase::Halted, rollout.plan().is_some(), rollout.share == ALL);
        let stable = rollout.stable;
        if planned && all {
            self.make_green_production(cx);
        } else if planned {
            self.shift_traffic(0, cx);
            self.stop_all(true, "its deployment is superseded", cx);
        }
        if !halted {
            self.close_book(cx);
        }
        self.rollout = None;
        if planned { self.primary } else { stable }
    }

    fn log_deployment(&self, until: Option<SimTime>, what: String, cx: &mut Cx<'_>) {
        cx.shared.observer.log_span(cx.kernel.now(), until, LogKind::Deployment, &self.name, what);
    }

    /// Limits that leave room neither to start nor to stop: such an update never gets anywhere, and ECS only says so in its events.
    fn tell_if_stuck(&self, cx: &mut Cx<'_>) {
        let (lower, upper) = Self::limits(self.desired, &self.settings.deployment);
        if self.desired > 0 && lower >= self.desired && upper <= self.desired {
            let what =
                format!("is stuck: {lower} of {} tasks must stay healthy, and at most {upper} may run", self.desired);
            self.tell(what, cx);
        }
    }

    /// Writes into the log what does not last.
    fn tell(&self, what: String, cx: &mut Cx<'_>) {
        let Some(rollout) = &self.rollout else { return };
        let what = format!("deployment {}: {what}", rollout.number);
        self.log_deployment(Some(cx.now()), what, cx);
    }

    /// Whether a plan is followed.
    pub(super) fn is_shifting(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.plan().is_some())
    }

    /// Whether a revision is green.
    pub(super) fn is_green(&self, revision: u16) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.plan().is_some() && rollout.revision == revision)
    }

    // ------------------------------------------------------------ the plan

    /// Does what the present stage and those after it do at once, and begins the first that takes time.
    fn run_stages(&mut self, cx: &mut Cx<'_>) {
        while let Some(rollout) = self.rollout.as_mut() {
            let Some(stage) = rollout.plan().and_then(|plan| plan.stages.get(rollout.stage as usize)).cloned() else {
                return;
            };
            let what = format!("deployment {}: {}", rollout.number, stage.name);
            cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
            let takes = match &stage.action {
                Action::Pass => None,
                Action::Shift(share) => {
                    self.shift_traffic(*share, cx);
                    None
                }
                Action::Hook(hook) => Some(self.run_hook(hook, cx)),
                Action::ScaleUp { timeout } => {
                    self.rollout_mut(|rollout| rollout.scaled_up = true);
                    Some(*timeout)
                }
                Action::Wait(time) | Action::Expire(time) => Some(*time),
                Action::CleanUp => {
                    self.rollout_mut(|rollout| rollout.cleaning = true);
                    return self.stop_all(false, "blue ends", cx);
                }
            };
            match takes {
                Some(time) => return self.schedule_stage_over(time, cx),
                None => self.rollout_mut(|rollout| rollout.stage += 1),
            }
        }
    }

    fn rollout_mut(&mut self, change: impl FnOnce(&mut Rollout)) {
        if let Some(rollout) = &mut self.rollout {
            change(rollout);
        }
    }

    fn schedule_stage_over(&self, after: SimDuration, cx: &mut Cx<'_>) {
        if let Some(rollout) = &self.rollout {
            cx.kernel.schedule_in(after, self.event(Event::StageOver(rollout.number, rollout.stage)));
        }
    }

    /// Decides what a hook will say, and how long it takes to say it.
    fn run_hook(&mut self, hook: &Hook, cx: &mut Cx<'_>) -> SimDuration {
        let Some(rollout) = &self.rollout else { return SimDuration::ZERO };
        let key = cx.shared.streams.key(&self.name, "hooks");
        let draws = &mut Draws::new(key, u64::from(rollout.number) << 16 | u64::from(rollout.stage));
        let error_rate = self.revisions[rollout.revision as usize].error_rate;
        let (takes, verdict) = hook.verdict(error_rate, draws);
        self.rollout_mut(|rollout| rollout.verdict = verdict);
        takes
    }

    /// A stage has had its time.
    pub(super) fn stage_over(&mut self, number: u16, stage: u16, cx: &mut Cx<'_>) {
        let Some(rollout) = &mut self.rollout else { return };
        if (rollout.number, rollout.stage, rollout.phase) != (number, stage, Phase::Going) {
            return;
        }
        let wrong = match rollout.action() {
            Some(Action::Hook(_)) => rollout.verdict.take(),
            Some(Action::ScaleUp { .. }) => Some("the new tasks did not become healthy in time".to_owned()),
            Some(Action::Expire(_)) => Some("nobody said in time that it may go on".to_owned()),
            _ => None,
        };
        match wrong {
            Some(why) => self.fail(&why, cx),
            None => self.next_stage(cx),
        }
    }

    fn next_stage(&mut self, cx: &mut Cx<'_>) {
        self.rollout_mut(|rollout| rollout.stage += 1);
        self.run_stages(cx);
    }

    /// So many thousandths of production traffic go to green from now on, the rest to blue.
    fn shift_traffic(&mut self, share: u16, cx: &mut Cx<'_>) {
        let (blue, green) = (self.target_group(self.production), self.target_group(1 - self.production));
        let Some(rollout) = &mut self.rollout else { return };
        if rollout.share == share {
            return;
        }
        rollout.share = share;
        rollout.desired_at_shift.get_or_insert(self.desired);
        if let (Some((alb, blue)), Some((_, green))) = (blue, green) {
            cx.control(Control::ShiftTraffic(alb, blue, green, share));
        }
        let what = format!("{} % of traffic go to revision {}", f64::from(share) / 10.0, self.rollout_revision());
        self.tell(what, cx);
        self.note_in_service(cx.now());
    }

    fn rollout_revision(&self) -> u16 {
        self.rollout.as_ref().map_or(self.primary, |rollout| rollout.revision)
    }

    /// Stops all green tasks, or all others.
    pub(super) fn stop_all(&mut self, green: bool, why: &str, cx: &mut Cx<'_>) {
        while let Some(key) = self.first_task(|service, task| service.is_green(task.revision) == green) {
            self.stop(key, why, cx);
        }
    }

    fn make_green_production(&mut self, cx: &mut Cx<'_>) {
        self.stop_all(false, "blue ends", cx);
        self.primary = self.rollout_revision();
        if self.settings.target_groups.len() > 1 {
            self.production = 1 - self.production;
        }
    }

    // ------------------------------------------------------------ the scheduler's look

    /// Takes a deployment a step on, if what it waits for is there.
    pub(super) fn progress(&mut self, cx: &mut Cx<'_>) {
        self.note_in_service(cx.now());
        let Some(rollout) = &self.rollout else { return };
        let (green, phase) = (rollout.revision, rollout.phase);
        let left = |of_green: bool| self.order.iter().any(|&key| (self.tasks[key].revision == green) == of_green);
        let healthy = |revision: u16| {
            let healthy = |&&key: &&TaskKey| {
                let task = &self.tasks[key];
                task.counts() && task.healthy && task.revision == revision
            };
            self.order.iter().filter(healthy).count() as u32
        };
        match (phase, rollout.plan().is_some()) {
            (Phase::Going, true) => match rollout.action() {
                Some(Action::ScaleUp { .. }) if healthy(green) >= self.desired => self.next_stage(cx),
                Some(Action::CleanUp) if !left(false) => {
                    self.make_green_production(cx);
                    self.complete(cx);
                }
                _ => {
                    let steady = healthy(green) >= self.desired;
                    self.mind_steadiness(steady, cx);
                }
            },
            (Phase::RollingBack, true) => {
                if !left(true) {
                    self.rolled_back(cx);
                }
            }
            (Phase::Going, false) => {
                if healthy(green) >= self.desired && !left(false) && self.has_baked(cx) {
                    self.complete(cx);
                }
            }
            (Phase::RollingBack, false) => {
                let stable = rollout.stable;
                let others = self.order.iter().any(|&key| self.tasks[key].revision != stable);
                if healthy(stable) >= self.desired && !others {
                    self.rolled_back(cx);
                }
            }
            (Phase::Halted, _) => {}
        }
    }

    /// A service that is scaled while its traffic shifts must be steady again in time, where the plan says so.
    fn mind_steadiness(&mut self, steady: bool, cx: &mut Cx<'_>) {
        let (now, desired) = (cx.now(), self.desired);
        let Some(rollout) = &mut self.rollout else { return };
        let scaled = rollout.desired_at_shift.is_some_and(|at_shift| at_shift != desired);
        let Some(within) = rollout.plan().and_then(|plan| plan.steady_within).filter(|_| scaled && !steady) else {
            rollout.unsteady_since = None;
            return;
        };
        if now.since(*rollout.unsteady_since.get_or_insert(now)) >= within {
            self.fail("the service was scaled and is not steady in time", cx);
        }
    }

    /// A rolling update with alarms is over only when these have seen a whole evaluation of the new revision alone (ECS guide,
    /// deployment-alarm-failure: the bake time follows from the alarms' configuration).
    fn has_baked(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let Some(rollout) = &mut self.rollout else { return false };
        let longest = rollout.bake;
        if longest.is_zero() {
            return true;
        }
        match rollout.baked_at {
            Some(at) => now >= at,
            None => {
                rollout.baked_at = Some(now + longest);
                self.tell(format!("bakes for {} s, watched by alarms", longest.as_secs_f64()), cx);
                false
            }
        }
    }

    /// Takes note of how many healthy tasks have production traffic.
    fn note_in_service(&mut self, now: SimTime) {
        let Some(rollout) = &self.rollout else { return };
        let serves = |task: &TaskInstance| task.counts() && task.healthy && !self.is_failing(task, now);
        let tasks = self.order.iter().map(|&key| &self.tasks[key]);
        let healthy = tasks.filter(|task| serves(task) && rollout.in_service(task.revision)).count() as u32;
        self.rollout_mut(|rollout| rollout.least = rollout.least.min(healthy));
    }

    // ------------------------------------------------------------ what goes wrong

    /// A task of the new revision exited before it was RUNNING: counts until one has been (ECS guide, circuit breaker, stage 1).
    pub(super) fn did_not_start(&mut self, revision: u16, cx: &mut Cx<'_>) {
        if self.rollout.as_ref().is_some_and(|rollout| rollout.revision == revision && !rollout.reached_running) {
            self.count_failed_task(cx);
        }
    }

    /// A task of the new revision is RUNNING.
    pub(super) fn reached_running(&mut self, revision: u16) {
        self.rollout_mut(|rollout| rollout.reached_running |= rollout.revision == revision);
    }

    /// A task has become healthy.
    pub(super) fn made_it(&mut self, revision: u16) {
        let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.revision == revision) else { return };
        if rollout.deployment.circuit_breaker.is_some_and(|breaker| breaker.reset_on_healthy_task) {
            rollout.failed_tasks = 0;
        }
    }

    /// Counts the tasks of the new revision that have become unhealthy (ECS guide, circuit breaker, stage 2), each once.
    pub(super) fn count_failing(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(rollout) = self.rollout.as_ref().filter(|rollout| rollout.phase == Phase::Going) else { return };
        let revision = rollout.revision;
        let failing = |key: &TaskKey| {
            let task = &self.tasks[*key];
            task.revision == revision && !task.counted_as_failed && task.counts() && self.is_failing(task, now)
        };
        let failing: Vec<TaskKey> = self.order.iter().copied().filter(failing).collect();
        for key in failing {
            self.tasks[key].counted_as_failed = true;
            self.count_failed_task(cx);
        }
    }

    fn count_failed_task(&mut self, cx: &mut Cx<'_>) {
        let desired = self.desired;
        let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.phase == Phase::Going) else { return };
        rollout.failed_tasks += 1;
        let Some(breaker) = rollout.deployment.circuit_breaker else { return };
        let (failed, threshold) = (rollout.failed_tasks, breaker.threshold(desired));
        if failed >= threshold {
            self.fail(&format!("the circuit breaker: {failed} failed tasks, threshold {threshold}"), cx);
        }
    }

    /// CloudWatch has evaluated alarms.
    pub fn look_at_alarms(&mut self, alarms: &Alarms, cx: &mut Cx<'_>) {
        let Some(rollout) = self.rollout.as_ref().filter(|it| it.phase == Phase::Going && !it.cleaning) else { return };
        let gone_off = rollout.alarms.iter().find(|&&id| alarms.state(id) == AlarmState::Alarm);
        if let Some(&id) = gone_off {
            self.fail(&format!("alarm {}", alarms.name(id)), cx);
        }
    }

    /// Somebody stops a deployment, if it is still under way (StopDeployment, StopServiceDeployment).
    pub(super) fn stop_deployment(&mut self, number: u16, cx: &mut Cx<'_>) {
        if self.rollout.as_ref().is_some_and(|rollout| rollout.number == number && !rollout.cleaning) {
            self.fail("somebody stopped it", cx);
        }
    }

    /// The deployment has failed: it is undone, or left as it is.
    fn fail(&mut self, why: &str, cx: &mut Cx<'_>) {
        let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.phase == Phase::Going) else { return };
        self.book.failed += 1;
        let (stable, undone, planned) = (rollout.stable, rollout.deployment.rollback, rollout.plan().is_some());
        rollout.phase = if undone { Phase::RollingBack } else { Phase::Halted };
        // Nobody watches a rollback, and blue is wanted again.
        rollout.cleaning = false;
        self.tell(format!("failed: {why}"), cx);
        if !undone {
            self.tell("no rollback: what there is stays".to_owned(), cx);
            return self.end("failed", cx);
        }
        self.tell(format!("rolls back to revision {stable}"), cx);
        if planned {
            self.shift_traffic(0, cx);
            self.stop_all(true, "rolled back", cx);
        } else {
            self.primary = stable;
        }
    }

    // ------------------------------------------------------------ the end

    fn complete(&mut self, cx: &mut Cx<'_>) {
        self.book.completed += 1;
        self.end("completed", cx);
        self.rollout = None;
    }

    fn rolled_back(&mut self, cx: &mut Cx<'_>) {
        self.book.rolled_back += 1;
        self.end("rolled back", cx);
        self.rollout = None;
    }

    fn end(&mut self, how: &str, cx: &mut Cx<'_>) {
        let Some(rollout) = &self.rollout else { return };
        let what = format!(
            "deployment {} {how}; at least {} of {} tasks were healthy throughout",
            rollout.number, rollout.least, self.desired
        );
        self.close_book(cx);
        self.log_deployment(Some(cx.now()), what, cx);
    }

    /// A deployment is no longer under way, however it ended.
    fn close_book(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        cx.shared.observer.log_over(now, LogKind::Deployment, &self.name);
        cx.shared.observer.deploying(now, false);
        self.meter.deploying(now, false);
        cx.is_over(IncidentKind::Deployment, &self.name);
        cx.control(Control::Deploying(Scalable::Ecs(self.id), false));
        self.book = self.book_at(now);
    }

    fn usage(&self, at: SimTime) -> Usage {
        Usage::up_to(at, &self.extant, &self.wanted)
    }

    /// The book with the deployment under way, if there is one, as if it ended now.
    fn book_at(&self, now: SimTime) -> Book {
        let mut book = self.book;
        if let Some(rollout) = self.rollout.as_ref().filter(|rollout| rollout.phase != Phase::Halted) {
            book.enter(rollout.begun, self.usage(now), rollout.least);
        }
        book
    }

    /// Hands over what came of the deployments.
    pub(super) fn report_deployments(&self, now: SimTime, findings: &mut Findings) {
        self.book_at(now).report(self.engine.answered_since(1), findings);
    }
}
