//! A CodeDeploy deployment under way on the instances of a group: whom it deploys to next, what makes it fail, how it is undone.
//!
//! It goes in *waves*: so many instances at a time take the same course of lifecycle events (`course`), as long as enough others
//! stay healthy. In place there is one wave; blue/green has one that installs on the instances of the copied group, one that
//! gives them traffic, and one that takes the originals' away. Undoing is made of waves too.

use std::collections::VecDeque;

use sim_core::observations::{IncidentKind, LogKind};

use super::course::Job;
use super::*;
use crate::cloudwatch::{AlarmState, Alarms};
use crate::deployment::book::{Book, Usage};
use crate::deployment::hosts::{EVENT_TIMEOUT, HostPlan, HostStage, MinimumHealthyHosts, Replacement, Way};
use crate::deployment::{Deployment, Ready, Strategy};

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In place, from instance to instance.
    InPlace,
    /// The instances of the copied group boot.
    Provisioning,
    /// The revision is installed on them.
    Installing,
    /// Waits for somebody's word.
    Ready,
    /// They get traffic.
    Rerouting,
    /// The originals lose theirs.
    Blocking,
    /// Waits before the originals are terminated.
    Waiting,
    /// It has failed, and the revision before is deployed again.
    InPlaceBack,
    /// It has failed, and the originals get their traffic back.
    Returning,
    /// ... and the new instances lose theirs.
    Withdrawing,
    /// ... and are terminated.
    Leaving,
    /// It has failed, and is left as it is.
    Halted,
}

impl Phase {
    fn undoes(self) -> bool {
        matches!(self, Self::InPlaceBack | Self::Returning | Self::Withdrawing | Self::Leaving)
    }
    /// Whether instances are taken one after the other.
    fn is_wave(self) -> bool {
        !matches!(self, Self::Provisioning | Self::Ready | Self::Waiting | Self::Leaving | Self::Halted)
    }
}

/// Instances that take a course, so many at a time.
#[derive(Debug, Default)]
struct Wave {
    members: Vec<TaskKey>,
    queue: VecDeque<TaskKey>,
    /// How many must be healthy.
    minimum: u32,
    succeeded: u32,
}

/// A deployment under way.
#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) number: u16,
    deployment: Box<Deployment>,
    /// The revision that comes.
    revision: u16,
    pub(super) phase: Phase,
    wave: Wave,
    /// Instances that are being deployed to.
    pub(super) jobs: Vec<Job>,
    /// The event that ends the present phase, if it waits.
    turn: u16,
    /// Instances of the copied group, and of the original one.
    green: Vec<TaskKey>,
    blue: Vec<TaskKey>,
    /// Those that may end it: one in ALARM at the beginning says nothing about it.
    alarms: Vec<AlarmId>,
    /// Why it fails, as soon as those under way are done.
    doomed: Option<String>,
    /// The next moves are being made: whoever asks for more is heard by the one who makes them.
    moving: bool,
    least: u32,
    begun: Usage,
}

/// What is to be done next.
enum Move {
    Start(TaskKey),
    WaveOver,
    Fail(String),
    Install,
    Left,
}

impl Rollout {
    fn plan(&self) -> &HostPlan {
        match &self.deployment.strategy {
            Strategy::Hosts(plan) => plan,
            _ => unreachable!("validated: groups are deployed to by CodeDeploy"),
        }
    }

    fn replacement(&self) -> Option<&Replacement> {
        match &self.plan().way {
            Way::Replace(replacement) => Some(replacement),
            Way::InPlace(_) => None,
        }
    }

    /// The course that instances take in this phase.
    pub(super) fn course(&self) -> &[HostStage] {
        match (&self.plan().way, self.phase) {
            (Way::InPlace(course), _) => course,
            (Way::Replace(it), Phase::Installing) => &it.install,
            (Way::Replace(it), Phase::Rerouting | Phase::Returning) => &it.allow,
            (Way::Replace(it), _) => &it.block,
        }
    }

    /// The revision that is installed in this phase.
    pub(super) fn installs(&self, stable: u16) -> u16 {
        if self.phase.undoes() { stable } else { self.revision }
    }
}

impl Group {
    /// A deployment begins. While another is under way CodeDeploy refuses it.
    pub fn deploy(&mut self, deployment: &Deployment, alarms: &Alarms, cx: &mut Cx<'_>) {
        self.book.begun += 1;
        self.book.failed_hosts.get_or_insert(0);
        self.deployments += 1;
        let number = self.deployments;
        if self.rollout.as_ref().is_some_and(|rollout| rollout.phase != Phase::Halted) {
            self.book.failed += 1;
            let what = format!("deployment {number} failed: another is under way (DeploymentLimitExceeded)");
            return self.log_deployment(Some(cx.now()), what, cx);
        }
        self.revisions.push(deployment.revision.clone());
        let revision = (self.revisions.len() - 1) as u16;
        let now = cx.now();
        self.count_instances(now);
        let members: Vec<TaskKey> = self.instances_in(|instance| instance.counts());
        self.rollout = Some(Box::new(Rollout {
            number,
            deployment: Box::new(deployment.clone()),
            revision,
            phase: Phase::InPlace,
            wave: Wave::default(),
            jobs: Vec::new(),
            turn: self.turns,
            green: Vec::new(),
            blue: members.clone(),
            alarms: deployment.alarms.iter().copied().filter(|id| alarms.state(*id) != AlarmState::Alarm).collect(),
            doomed: None,
            moving: false,
            least: u32::MAX,
            begun: Usage::up_to(now, &self.extant, &self.wanted),
        }));
        let what = format!("{} of revision {revision}", deployment.strategy.name());
        cx.begins(IncidentKind::Deployment, &self.name, &what);
        self.log_deployment(None, what, cx);
        cx.shared.observer.deploying(now, true);
        self.all_meters().for_each(|meter| meter.deploying(now, true));
        if let Some(after) = deployment.stop_after {
            cx.kernel.schedule_in(after, self.event(Event::StopDeployment(number)));
        }
        self.note_in_service();
        match self.rollout.as_ref().is_some_and(|rollout| rollout.replacement().is_some()) {
            true => self.provision(cx),
            false => self.begin_wave(Phase::InPlace, members, None, cx),
        }
        self.advance(cx);
    }

    fn log_deployment(&self, until: Option<SimTime>, what: String, cx: &mut Cx<'_>) {
        cx.shared.observer.log_span(cx.kernel.now(), until, LogKind::Deployment, &self.name, what);
    }

    /// Writes into the log what does not last.
    fn tell(&self, what: &str, cx: &mut Cx<'_>) {
        if let Some(rollout) = &self.rollout {
            self.log_deployment(Some(cx.now()), format!("deployment {}: {what}", rollout.number), cx);
        }
    }

    fn instances_in(&self, fits: impl Fn(&Instance) -> bool) -> Vec<TaskKey> {
        self.order.iter().copied().filter(|&key| fits(&self.instances[key])).collect()
    }

    /// Whether a copied group takes the place of this one: it is not scaled, and nobody in it replaced, until that is decided.
    pub(super) fn is_being_replaced(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.replacement().is_some())
    }

    // ------------------------------------------------------------ blue/green

    /// The group is copied: as many instances as it wants are launched beside it.
    fn provision(&mut self, cx: &mut Cx<'_>) {
        self.set_phase(Phase::Provisioning, "the group is copied", Some(EVENT_TIMEOUT), cx);
        let green: Vec<TaskKey> = (0..self.desired).map(|_| self.new_instance(Life::Apart, cx)).collect();
        for &key in &green {
            let number = self.instances[key].number;
            self.log(format!("instance {number} is launched in the copied group"), cx);
            self.power_on(key, cx);
        }
        if let Some(rollout) = &mut self.rollout {
            rollout.green = green;
        }
    }

    /// The new instances have the revision: they get traffic, at once or when somebody says so.
    fn await_word(&mut self, cx: &mut Cx<'_>) {
        let Some(ready) = self.rollout.as_ref().and_then(|rollout| rollout.replacement()).map(|it| it.ready) else {
            return;
        };
        match ready {
            Ready::AtOnce => self.reroute(cx),
            Ready::After(time) | Ready::Never(time) => {
                self.set_phase(Phase::Ready, "waits for somebody's word", Some(time), cx);
            }
        }
    }

    fn reroute(&mut self, cx: &mut Cx<'_>) {
        let green = self.still_there(|rollout| &rollout.green);
        let fit: Vec<TaskKey> = green.into_iter().filter(|&key| !self.instances[key].failed).collect();
        self.begin_wave(Phase::Rerouting, fit, None, cx);
    }

    fn still_there(&self, which: impl Fn(&Rollout) -> &Vec<TaskKey>) -> Vec<TaskKey> {
        let keys = self.rollout.as_ref().map(|rollout| which(rollout).clone()).unwrap_or_default();
        keys.into_iter().filter(|&key| self.instances.contains(key)).collect()
    }

    /// Tells the events of deployments apart.
    pub(super) fn next_turn(&mut self) -> u16 {
        self.turns = self.turns.wrapping_add(1);
        self.turns
    }

    fn set_phase(&mut self, phase: Phase, what: &str, lasts: Option<SimDuration>, cx: &mut Cx<'_>) {
        self.tell(what, cx);
        let turn = self.next_turn();
        if let Some(rollout) = &mut self.rollout {
            (rollout.phase, rollout.turn) = (phase, turn);
        }
        if let Some(time) = lasts {
            cx.kernel.schedule_in(time, self.event(Event::PhaseOver(turn)));
        }
    }

    /// A wait of the deployment is over.
    pub(super) fn phase_over(&mut self, turn: u16, cx: &mut Cx<'_>) {
        let Some(rollout) = self.rollout.as_ref().filter(|rollout| rollout.turn == turn) else { return };
        match (rollout.phase, rollout.replacement().map(|it| it.ready)) {
            (Phase::Provisioning, _) => self.doom("the new instances did not come up in time", cx),
            (Phase::Ready, Some(Ready::Never(_))) => self.doom("nobody said in time that it may go on", cx),
            (Phase::Ready, _) => self.reroute(cx),
            (Phase::Waiting, _) => self.end_originals(cx),
            _ => {}
        }
        self.advance(cx);
    }

    fn end_originals(&mut self, cx: &mut Cx<'_>) {
        for key in self.still_there(|rollout| &rollout.blue) {
            self.terminate(key, false, "its group was replaced", cx);
        }
        self.complete(cx);
    }

    // ------------------------------------------------------------ waves

    /// So many of these instances at a time take the course of a phase: failed ones first, then those with unknown revisions,
    /// then old ones, then those with the revision already (CodeDeploy guide, instances-health).
    fn begin_wave(
        &mut self,
        phase: Phase,
        mut members: Vec<TaskKey>,
        minimum: Option<MinimumHealthyHosts>,
        cx: &mut Cx<'_>,
    ) {
        let turn = self.next_turn();
        let Some(rollout) = &mut self.rollout else { return };
        (rollout.phase, rollout.turn) = (phase, turn);
        let installs = rollout.installs(self.stable);
        members.sort_by_key(|&key| {
            let instance = &self.instances[key];
            (!instance.failed, instance.revision == installs, instance.number)
        });
        let fleet = members.len() as u32;
        let minimum = minimum.unwrap_or(rollout.plan().minimum).of(fleet);
        let what = match phase {
            Phase::InPlace | Phase::InPlaceBack => "deploys to",
            Phase::Installing => "installs on",
            Phase::Rerouting | Phase::Returning => "gives traffic to",
            _ => "takes traffic from",
        };
        rollout.wave = Wave { queue: members.iter().copied().collect(), members, minimum, succeeded: 0 };
        let at_once = fleet.saturating_sub(minimum);
        self.tell(&format!("{what} {fleet} instances, {at_once} at a time"), cx);
    }

    /// Makes the moves that can be made now.
    pub(super) fn advance(&mut self, cx: &mut Cx<'_>) {
        match &mut self.rollout {
            Some(rollout) if !rollout.moving => rollout.moving = true,
            _ => return,
        }
        while let Some(next) = self.next_move() {
            match next {
                Move::Start(key) => self.start_job(key, cx),
                Move::WaveOver => self.wave_over(cx),
                Move::Fail(why) => self.fail(&why, cx),
                Move::Install => {
                    let green = self.still_there(|rollout| &rollout.green);
                    self.begin_wave(Phase::Installing, green, None, cx);
                }
                Move::Left => self.rolled_back(cx),
            }
        }
        if let Some(rollout) = &mut self.rollout {
            rollout.moving = false;
        }
        self.note_in_service();
    }

    fn next_move(&mut self) -> Option<Move> {
        let rollout = self.rollout.as_mut()?;
        if rollout.jobs.is_empty()
            && let Some(why) = rollout.doomed.take()
        {
            return Some(Move::Fail(why));
        }
        match rollout.phase {
            Phase::Provisioning => {
                let up = |key: &TaskKey| self.instances.get(*key).is_some_and(|it| it.power == Power::Up);
                rollout.green.iter().all(up).then_some(Move::Install)
            }
            Phase::Leaving => {
                let gone = rollout.green.iter().all(|key| !self.instances.contains(*key));
                gone.then_some(Move::Left)
            }
            phase if phase.is_wave() => self.next_of_wave(),
            _ => None,
        }
    }

    fn next_of_wave(&mut self) -> Option<Move> {
        let rollout = self.rollout.as_mut()?;
        while rollout.wave.queue.front().is_some_and(|key| !self.instances.contains(*key)) {
            rollout.wave.queue.pop_front();
        }
        let Some(&next) = rollout.wave.queue.front() else {
            return rollout.jobs.is_empty().then_some(Move::WaveOver);
        };
        let is_healthy = |key: &TaskKey| {
            self.instances.get(*key).is_some_and(|it| !it.failed && it.power != Power::Off)
                && !rollout.jobs.iter().any(|job| job.key == *key)
        };
        let healthy = rollout.wave.members.iter().filter(|key| is_healthy(key)).count() as u32;
        // Who is not healthy anyway is not missed.
        if healthy - u32::from(is_healthy(&next)) >= rollout.wave.minimum {
            rollout.wave.queue.pop_front();
            return Some(Move::Start(next));
        }
        let short = format!(
            "too few healthy instances: {healthy} of {}, at least {} must be left",
            rollout.wave.members.len(),
            rollout.wave.minimum
        );
        rollout.jobs.is_empty().then_some(Move::Fail(short))
    }

    /// Everybody has had their turn.
    fn wave_over(&mut self, cx: &mut Cx<'_>) {
        let Some(rollout) = &mut self.rollout else { return };
        let (phase, succeeded, all) = (rollout.phase, rollout.wave.succeeded, rollout.wave.members.len() as u32);
        let strict = phase == Phase::Blocking && succeeded < all;
        if !phase.undoes() && all > 0 && (succeeded == 0 || strict) {
            return self.fail(&format!("it succeeded on {succeeded} of {all} instances"), cx);
        }
        match phase {
            Phase::InPlace | Phase::InPlaceBack => self.follow_on(cx),
            Phase::Installing => self.await_word(cx),
            Phase::Rerouting => {
                let blue = self.still_there(|rollout| &rollout.blue);
                self.begin_wave(Phase::Blocking, blue, Some(MinimumHealthyHosts::AllAtOnce), cx);
            }
            Phase::Blocking => self.originals_rest(cx),
            Phase::Returning => {
                let green = self.still_there(|rollout| &rollout.green);
                self.begin_wave(Phase::Withdrawing, green, Some(MinimumHealthyHosts::AllAtOnce), cx);
            }
            Phase::Withdrawing => {
                self.set_phase(Phase::Leaving, "the new instances are terminated", None, cx);
                for key in self.still_there(|rollout| &rollout.green) {
                    self.terminate(key, false, "rolled back", cx);
                }
            }
            _ => {}
        }
    }

    /// Instances that were launched meanwhile have the revision before: they follow (`outdatedInstancesStrategy` UPDATE).
    fn follow_on(&mut self, cx: &mut Cx<'_>) {
        let Some(rollout) = &self.rollout else { return };
        let (phase, installs) = (rollout.phase, rollout.installs(self.stable));
        let outdated = self.instances_in(|it| it.life == Life::InService && it.revision != installs && !it.failed);
        if !outdated.is_empty() {
            return self.begin_wave(phase, outdated, Some(MinimumHealthyHosts::AllAtOnce), cx);
        }
        if phase == Phase::InPlaceBack { self.rolled_back(cx) } else { self.complete(cx) }
    }

    /// An instance that comes into service has the revision of the last deployment that succeeded: CodeDeploy's lifecycle hook
    /// installs it, whatever the instance was prepared with.
    pub(super) fn take_stable_revision(&mut self, key: TaskKey, now: SimTime) {
        if self.instances[key].revision == self.stable {
            return;
        }
        self.instances[key].revision = self.stable;
        let mut fresh = self.fresh_process(key);
        fresh.begin(now);
        self.instances[key].process = fresh;
    }

    /// All traffic goes to the new instances.
    fn originals_rest(&mut self, cx: &mut Cx<'_>) {
        let Some(rollout) = &self.rollout else { return };
        match rollout.replacement().and_then(|it| it.termination_wait) {
            Some(time) => self.set_phase(Phase::Waiting, "the original instances wait for their end", Some(time), cx),
            None => {
                self.tell("the original instances are kept alive", cx);
                self.complete(cx);
            }
        }
    }

    // ------------------------------------------------------------ what goes wrong

    /// CloudWatch has evaluated alarms.
    pub fn look_at_alarms(&mut self, alarms: &Alarms, cx: &mut Cx<'_>) {
        let Some(rollout) = &self.rollout else { return };
        let gone_off = rollout.alarms.iter().find(|&&id| alarms.state(id) == AlarmState::Alarm);
        if let Some(&id) = gone_off {
            self.doom(&format!("alarm {}", alarms.name(id)), cx);
            self.advance(cx);
        }
    }

    /// Somebody stops a deployment, if it is still under way (StopDeployment).
    pub(super) fn stop_deployment(&mut self, number: u16, cx: &mut Cx<'_>) {
        if self.rollout.as_ref().is_some_and(|rollout| rollout.number == number) {
            self.doom("somebody stopped it", cx);
            self.advance(cx);
        }
    }

    /// It will fail, when the instances under way are done.
    fn doom(&mut self, why: &str, cx: &mut Cx<'_>) {
        let Some(rollout) = &mut self.rollout else { return };
        if rollout.phase.undoes() || rollout.phase == Phase::Halted || rollout.doomed.is_some() {
            return;
        }
        rollout.wave.queue.clear();
        rollout.doomed = Some(why.to_owned());
        if !rollout.jobs.is_empty() {
            let what = format!("ends with the instances under way: {why}");
            self.tell(&what, cx);
        }
    }

    /// It has failed: it is undone, or left as it is. A failure of undoing is left as it is too.
    fn fail(&mut self, why: &str, cx: &mut Cx<'_>) {
        self.tell(&format!("failed: {why}"), cx);
        let Some(rollout) = &self.rollout else { return };
        let (phase, undone) = (rollout.phase, rollout.deployment.rollback);
        if phase.undoes() {
            return self.halt(cx);
        }
        self.book.failed += 1;
        if !undone {
            self.tell("no rollback: what there is stays", cx);
            return self.halt(cx);
        }
        self.tell(&format!("rolls back to revision {}", self.stable), cx);
        if self.is_being_replaced() {
            let without = |key: &TaskKey| self.instances[*key].life == Life::Apart;
            let blue: Vec<TaskKey> = self.still_there(|rollout| &rollout.blue).into_iter().filter(without).collect();
            self.begin_wave(Phase::Returning, blue, Some(MinimumHealthyHosts::AllAtOnce), cx);
        } else {
            let all = self.instances_in(|instance| instance.counts());
            self.begin_wave(Phase::InPlaceBack, all, None, cx);
        }
    }

    // ------------------------------------------------------------ the end

    fn complete(&mut self, cx: &mut Cx<'_>) {
        self.book.completed += 1;
        if let Some(rollout) = &self.rollout {
            self.stable = rollout.revision;
        }
        self.end("completed", cx);
        self.rollout = None;
    }

    fn rolled_back(&mut self, cx: &mut Cx<'_>) {
        self.book.rolled_back += 1;
        self.end("rolled back", cx);
        self.rollout = None;
    }

    fn halt(&mut self, cx: &mut Cx<'_>) {
        self.end("failed", cx);
        if let Some(rollout) = &mut self.rollout {
            rollout.phase = Phase::Halted;
        }
    }

    fn end(&mut self, how: &str, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.count_instances(now);
        self.note_in_service();
        let Some(rollout) = &self.rollout else { return };
        let what = format!(
            "deployment {} {how}; at least {} of {} instances were healthy throughout",
            rollout.number, rollout.least, self.desired
        );
        self.book = self.book_at(now);
        cx.shared.observer.log_over(now, LogKind::Deployment, &self.name);
        cx.shared.observer.deploying(now, false);
        self.all_meters().for_each(|meter| meter.deploying(now, false));
        cx.is_over(IncidentKind::Deployment, &self.name);
        self.log_deployment(Some(now), what, cx);
    }

    /// Takes note of how many healthy instances have traffic.
    pub(super) fn note_in_service(&mut self) {
        if self.rollout.is_none() {
            return;
        }
        let balanced = self.settings.target_group.is_some();
        let serves = |it: &Instance| {
            it.life == Life::InService
                && it.power == Power::Up
                && it.serves()
                && (!balanced || it.registered && it.healthy)
        };
        let serving = self.count_if(serves);
        if let Some(rollout) = &mut self.rollout {
            rollout.least = rollout.least.min(serving);
        }
    }

    fn count_if(&self, fits: impl Fn(&Instance) -> bool) -> u32 {
        self.order.iter().filter(|&&key| fits(&self.instances[key])).count() as u32
    }

    /// Takes note of how many instances there are that are paid for, and how many are wanted.
    pub(super) fn count_instances(&mut self, now: SimTime) {
        let there = self.count_if(|instance| instance.life != Life::Warmed);
        self.extant.set(now, there.into());
        self.wanted.set(now, self.desired.into());
    }

    /// The book with the deployment under way, if there is one, as if it ended now.
    fn book_at(&self, now: SimTime) -> Book {
        let mut book = self.book;
        if let Some(rollout) = self.rollout.as_ref().filter(|rollout| rollout.phase != Phase::Halted) {
            book.enter(rollout.begun, Usage::up_to(now, &self.extant, &self.wanted), rollout.least);
        }
        book
    }

    /// Hands over what came of the deployments.
    pub(super) fn report_deployments(&self, now: SimTime, findings: &mut crate::observer::Findings) {
        self.book_at(now).report(self.engine.answered_since(1), findings);
    }

    /// The group looks: instances that are gone are not waited for.
    pub(super) fn deployment_goes_on(&mut self, cx: &mut Cx<'_>) {
        let lost: Vec<TaskKey> = match &self.rollout {
            Some(rollout) => {
                let gone = |job: &&Job| !self.instances.contains(job.key);
                rollout.jobs.iter().filter(gone).map(|job| job.key).collect()
            }
            None => return,
        };
        self.count_instances(cx.now());
        for key in lost {
            self.job_failed(key, "it is gone", cx);
        }
        self.advance(cx);
    }

    /// A job is over; whether it went well.
    pub(super) fn job_over(&mut self, key: TaskKey, well: bool) {
        let Some(rollout) = &mut self.rollout else { return };
        rollout.jobs.retain(|job| job.key != key);
        rollout.wave.succeeded += u32::from(well);
        if !well && !rollout.phase.undoes() {
            *self.book.failed_hosts.get_or_insert(0) += 1;
        }
        if let Some(instance) = self.instances.get_mut(key) {
            instance.failed = !well;
        }
    }
}
