//! The service scheduler: the life of tasks, replacement, scaling, deployments.

use sim_core::observations::LogKind;
use sim_core::random::{Draws, Source};

use super::rollout::Phase;
use super::*;

/// How many tasks of what kind there are.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    /// Of the primary revision, not failing.
    new: u32,
    new_healthy: u32,
    /// Of others, not failing.
    old: u32,
    old_healthy: u32,
    /// Failing their health checks.
    failing: u32,
}

impl Census {
    fn total(&self) -> u32 {
        self.new + self.old + self.failing
    }
    fn healthy(&self) -> u32 {
        self.new_healthy + self.old_healthy
    }
}

impl Ecs {
    /// Lower and upper limit of tasks while a rolling update goes on (ECS API, DeploymentConfiguration): the ceiling of the
    /// minimum healthy percent of the desired count, the floor of the maximum percent.
    #[must_use]
    pub fn limits(desired: u32, configuration: &DeploymentConfiguration) -> (u32, u32) {
        let desired = u64::from(desired);
        let lower = (desired * u64::from(configuration.minimum_healthy_percent)).div_ceil(100);
        let upper = desired * u64::from(configuration.maximum_percent) / 100;
        (lower as u32, upper as u32)
    }

    pub(super) fn new_task(&mut self, revision: u16, state: State, place: Option<u16>, cx: &mut Cx<'_>) -> TaskKey {
        let placed = place.and_then(|place| self.places.as_ref().map(|places| places.zone(place)));
        let zone = placed.unwrap_or_else(|| self.emptiest_zone());
        let group = self.group_of(revision);
        self.launched += 1;
        let Revision { error_rate, cpu_factor, warm_up, .. } = self.revisions[revision as usize];
        let program = Program { number: revision, error_rate, cpu_factor, warm_up };
        let process = self.engine.process(self.settings.task.vcpu, program);
        let key = self.tasks.insert(TaskInstance {
            number: self.launched,
            revision,
            zone,
            state,
            healthy: false,
            failing: false,
            target_healthy: false,
            target_failing: false,
            container: checks::Container::Unknown,
            failed_checks: 0,
            running_since: cx.now(),
            charged_from: None,
            process,
            group,
            registered: false,
            place,
            drained_away: false,
            counted_as_failed: false,
        });
        self.order.push(key);
        self.extant.add(cx.now(), 1);
        self.is_in_zone(key, zone, cx);
        key
    }

    /// Tells those who are charged by it where a task is.
    pub(super) fn is_in_zone(&self, key: TaskKey, zone: u16, cx: &mut Cx<'_>) {
        if let Some(&zone) = self.zones.get(usize::from(zone)) {
            cx.shared.whereabouts.put(self.id.into(), key, zone);
        }
    }

    /// Tasks are spread over the zones: the next goes where there are fewest.
    fn emptiest_zone(&self) -> u16 {
        let mut counts = vec![0u32; self.settings.zones.len().max(1)];
        for &task in &self.order {
            let task = &self.tasks[task];
            if task.counts() {
                counts[task.zone as usize] += 1;
            }
        }
        (0..counts.len()).min_by_key(|&zone| (counts[zone], zone)).unwrap_or(0) as u16
    }

    /// Which target group tasks of a revision belong to: green's, while a deployment builds it, else production's.
    fn group_of(&self, revision: u16) -> u16 {
        if self.is_green(revision) && self.settings.target_groups.len() > 1 {
            1 - self.production
        } else {
            self.production
        }
    }

    pub(super) fn target_group(&self, group: u16) -> Option<(AlbId, TargetGroupId)> {
        self.settings.target_groups.get(group as usize).copied()
    }

    pub(super) fn register(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let group = self.tasks[key].group;
        if let Some((alb, target_group)) = self.target_group(group) {
            self.tasks[key].registered = true;
            let task = &self.tasks[key];
            let (zone, number) = (task.zone as u8, task.number);
            cx.control(Control::Register(alb, target_group, self.id.into(), key, zone, number));
        }
    }

    pub(super) fn running(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.state == State::Pending) else { return };
        let (revision, number, now) = (task.revision, task.number, cx.now());
        let draws = &mut Draws::new(self.fates, number.into());
        let is = &self.revisions[revision as usize];
        let crashes = draws.chance(is.crash_on_start);
        if let Some(why) = self.launches.outcome(crashes, now) {
            return self.exit(key, why, cx);
        }
        if let Some(after) = &is.out_of_memory_after {
            cx.kernel.schedule_in(after.sample_duration(draws), world::Event::Ecs(self.id, Event::OutOfMemory(key)));
        }
        let task = &mut self.tasks[key];
        task.state = State::Starting;
        task.running_since = now;
        task.process.begin(now);
        let startup_time = is.startup_time.as_ref().unwrap_or(&self.settings.startup_time);
        let after = startup_time.sample_duration(&mut self.lifecycle);
        self.reached_running(revision);
        let registers = !self.settings.target_groups.is_empty();
        let state =
            if registers { "ACTIVATING, RUNNING, registered with its target group" } else { "ACTIVATING, RUNNING" };
        self.log_state(number, state, cx);
        self.begin_checks(key, cx);
        if self.settings.target_groups.is_empty() && self.settings.container_check.is_some() {
            // Its container's word is enough.
            self.tasks[key].target_healthy = true;
        } else if self.settings.target_groups.is_empty() {
            cx.kernel.schedule_in(self.settings.healthy_after, self.event(Event::CountsHealthy(key)));
        } else {
            self.register(key, cx);
        }
        if after.is_zero() {
            self.up(key, cx);
        } else {
            cx.kernel.schedule_in(after, self.event(Event::Up(key)));
        }
    }

    /// A task ends by itself.
    fn exit(&mut self, key: TaskKey, how: &str, cx: &mut Cx<'_>) {
        let task = &self.tasks[key];
        let (number, revision, starting) = (task.number, task.revision, task.state == State::Pending);
        let what = format!("task {number} {how}");
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        self.kill(key, cx);
        self.struck(cx);
        if starting {
            self.did_not_start(revision, cx);
        }
    }

    /// A task needs more memory than it may have: it is killed with whatever it has.
    pub fn out_of_memory(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        if self.tasks.get(key).is_some() {
            self.out_of_memory_kills += 1;
            self.exit(key, "is out of memory and killed", cx);
        }
    }

    pub(super) fn up(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.state == State::Starting) else { return };
        task.state = State::Up;
        let (number, revision, zone) = (task.number, task.revision, task.zone);
        self.count_servers(cx.now());
        let zone = self.settings.zones.get(zone as usize).map_or("", String::as_str);
        let what = format!("task {number} of revision {revision} answers in {zone}");
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        self.mends(cx);
    }

    pub(super) fn counts_healthy(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        if task.state == State::Starting {
            // Its application is not up yet: look again.
            cx.kernel.schedule_in(self.settings.scheduler_interval, self.event(Event::CountsHealthy(key)));
        } else if task.state == State::Up {
            task.target_healthy = true;
            task.judge(false);
            let revision = task.revision;
            self.made_it(revision);
            self.mends(cx);
        }
    }

    /// The load balancer tells what it thinks of a task's target.
    pub fn target_health(&mut self, key: TaskKey, healthy: bool, cx: &mut Cx<'_>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        (task.target_healthy, task.target_failing) = (healthy, !healthy);
        task.judge(self.settings.container_check.is_some());
        let revision = task.revision;
        if task.healthy {
            self.made_it(revision);
            self.mends(cx);
        }
    }

    /// A draining task has no more requests at the load balancer, or has had its deregistration delay: SIGTERM.
    pub fn drained(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.state == State::Draining) else { return };
        task.registered = false;
        self.terminate(key, cx);
    }

    fn terminate(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        self.tasks[key].state = State::Stopping;
        self.log_state(self.tasks[key].number, "STOPPING (SIGTERM)", cx);
        if self.engine.is_idle(&self.tasks, key, cx) {
            self.kill(key, cx);
        } else {
            cx.kernel.schedule_in(self.settings.stop_timeout, self.event(Event::StopTimeout(key)));
        }
    }

    /// A stopping task that has nothing left to do is gone.
    pub fn stop_if_idle(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let stops = self.tasks.get(key).is_some_and(|task| task.state == State::Stopping);
        if stops && self.engine.is_idle(&self.tasks, key, cx) {
            self.kill(key, cx);
        }
    }

    /// Stops a task the orderly way: out of its target group, drained, SIGTERM, `stopTimeout`, SIGKILL.
    pub(super) fn stop(&mut self, key: TaskKey, why: &str, cx: &mut Cx<'_>) {
        let task = &mut self.tasks[key];
        let number = task.number;
        let before = std::mem::replace(&mut task.state, State::Draining);
        let (registered, group) = (task.registered, task.group);
        let state = if registered { " (DEACTIVATING)" } else { "" };
        let what = format!("task {number} stops{state}: {why}");
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        self.count_servers(cx.now());
        match self.target_group(group).filter(|_| registered) {
            Some((alb, target_group)) => cx.control(Control::Deregister(alb, target_group, key)),
            None if before == State::Pending => self.kill(key, cx),
            None => self.terminate(key, cx),
        }
    }

    /// Ends a task at once, with whatever it has.
    pub(super) fn kill(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(task) = self.tasks.remove(key) else { return };
        let now = cx.now();
        self.order.retain(|&live| live != key);
        self.extant.add(now, -1);
        if let Some(since) = task.charged_from {
            self.meter.stop(now, since);
        }
        if let (Some(places), Some(place)) = (&mut self.places, task.place) {
            places.free(place);
        }
        self.engine.end(key, &task.process, cx);
        let (number, registered) = (task.number, task.registered.then_some(task.group));
        self.log_state(number, "DEPROVISIONING, STOPPED", cx);
        if let Some((alb, group)) = registered.and_then(|group| self.target_group(group)) {
            cx.control(Control::TargetGone(alb, group, key));
        }
        cx.control(Control::TaskGone(self.id.into(), key));
        self.count_servers(now);
        self.tell_whether_down(cx);
    }

    /// Servers and cores there are: those of tasks that answer.
    pub(super) fn count_servers(&mut self, now: SimTime) {
        self.engine.count_servers(&self.tasks, now);
    }

    fn census(&self, now: SimTime) -> Census {
        let mut census = Census::default();
        for &key in &self.order {
            let task = &self.tasks[key];
            if !task.counts() {
                continue;
            }
            if self.is_failing(task, now) {
                census.failing += 1;
            } else if task.revision == self.primary {
                census.new += 1;
                census.new_healthy += u32::from(task.healthy);
            } else {
                census.old += 1;
                census.old_healthy += u32::from(task.healthy);
            }
        }
        census
    }

    /// Whether a task is to be replaced: its target is unhealthy, and the grace period is over.
    pub(super) fn is_failing(&self, task: &TaskInstance, now: SimTime) -> bool {
        task.failing && now.since(task.running_since) >= self.settings.health_check_grace_period
    }

    /// Brings the tasks nearer to what is wanted. Runs when the scheduler looks, and only then: what changes in between waits for
    /// its next look.
    pub(super) fn reconcile(&mut self, cx: &mut Cx<'_>) {
        self.count_failing(cx);
        if self.is_shifting() {
            // Neither has limits: the task definition says how many there are of each.
            self.keep(false, cx);
            self.keep(true, cx);
        } else if self.rollout.as_ref().is_none_or(|rollout| rollout.phase != Phase::Halted) {
            self.reconcile_one_set(cx);
        }
        self.progress(cx);
    }

    /// Keeps as many green tasks, or others, as a deployment wants of them: replaces those that fail when their replacements are
    /// healthy, or when there are twice as many as wanted.
    fn keep(&mut self, green: bool, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(rollout) = &self.rollout else { return };
        if !rollout.wants(green) {
            return self.stop_all(green, if green { "rolled back" } else { "blue ends" }, cx);
        }
        let revision = if green { rollout.revision } else { self.primary };
        let (mut sound, mut healthy, mut failing) = (0, 0, 0);
        for &key in &self.order {
            let task = &self.tasks[key];
            if task.counts() && self.is_green(task.revision) == green {
                if self.is_failing(task, now) {
                    failing += 1;
                } else {
                    sound += 1;
                    healthy += u32::from(task.healthy);
                }
            }
        }
        for _ in sound..self.desired {
            self.replaces(cx);
            self.launch(revision, cx);
        }
        if failing > 0 && (healthy >= self.desired || sound + failing >= 2 * self.desired) {
            let fails = |service: &Self, task: &TaskInstance| {
                service.is_green(task.revision) == green && service.is_failing(task, now)
            };
            if let Some(key) = self.first_task(fails) {
                self.stop(key, "unhealthy", cx);
            }
        }
    }

    /// Starts up to the upper limit, stops down to the lower.
    fn reconcile_one_set(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let (lower, upper) = Self::limits(self.desired, &self.settings.deployment);
        let census = self.census(now);
        // 1. Start what is missing, replacements first (ECS since October 2023), as far as the upper limit allows.
        let missing = self.desired.saturating_sub(census.new);
        let room = upper.max(self.desired).saturating_sub(census.total());
        if census.failing > 0 {
            self.struck(cx);
        }
        for _ in 0..missing.min(room) {
            self.replaces(cx);
            self.launch(self.primary, cx);
        }
        // 2. Stop failing tasks: when their replacements are healthy, or when there is no room for a replacement.
        if census.failing > 0 {
            let surplus = census.healthy() + census.failing > self.desired && census.healthy() >= self.desired;
            if surplus || (missing > 0 && room == 0) {
                let failing = self.first_task(|service, task| service.is_failing(task, now));
                if let Some(key) = failing {
                    self.stop(key, "unhealthy", cx);
                }
            }
        }
        // 3. A rolling update stops old tasks as long as enough are healthy.
        let primary = self.primary;
        if self.rollout.is_some() {
            let mut healthy = census.healthy();
            while let Some(key) = self.first_task(|_, task| task.revision != primary && !task.healthy) {
                self.stop(key, "replaced by the deployment", cx);
            }
            while healthy > lower && census.new + census.old > 0 {
                let Some(key) = self.first_task(|_, task| task.revision != primary) else { break };
                // Old tasks beyond what the new ones replace must wait only where the lower limit says so.
                self.stop(key, "replaced by the deployment", cx);
                healthy -= 1;
            }
        } else {
            // 4. Scale in: the youngest of the fullest zone.
            let mut surplus = census.new.saturating_sub(self.desired);
            while surplus > 0 {
                let Some(key) = self.youngest_of_fullest_zone() else { break };
                self.stop(key, "scaled in", cx);
                surplus -= 1;
            }
        }
    }

    /// The oldest task that counts and fits.
    pub(super) fn first_task(&self, fits: impl Fn(&Self, &TaskInstance) -> bool) -> Option<TaskKey> {
        self.order.iter().copied().find(|&key| self.tasks[key].counts() && fits(self, &self.tasks[key]))
    }

    fn youngest_of_fullest_zone(&self) -> Option<TaskKey> {
        let mut counts = vec![0u32; self.settings.zones.len().max(1)];
        for &key in &self.order {
            let task = &self.tasks[key];
            if task.counts() {
                counts[task.zone as usize] += 1;
            }
        }
        self.order
            .iter()
            .copied()
            .filter(|&key| self.tasks[key].counts())
            .max_by_key(|&key| (counts[self.tasks[key].zone as usize], self.tasks[key].number))
    }

    /// A scaling decision.
    pub fn set_desired_count(&mut self, desired: u32, cx: &mut Cx<'_>) {
        if desired != self.desired {
            self.desired = desired;
            self.wanted.set(cx.now(), desired.into());
            self.meter.want(cx.now(), desired);
            cx.control(Control::DesiredCount(Scalable::Ecs(self.id), desired));
        }
    }

    /// `aws:ecs:stop-task`: StopTask sends SIGTERM without waiting for the load balancer; here the task is gone at once.
    pub fn stop_tasks(&mut self, zone: Option<u16>, count: Option<u32>, cx: &mut Cx<'_>) {
        let struck: Vec<TaskKey> = self
            .order
            .iter()
            .copied()
            .filter(|&key| zone.is_none_or(|zone| self.tasks[key].zone == zone))
            .take(count.map_or(usize::MAX, |count| count as usize))
            .collect();
        let now = cx.now();
        for &key in &struck {
            let number = self.tasks[key].number;
            cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, format!("task {number} is gone"));
            self.kill(key, cx);
            self.struck(cx);
        }
    }

    /// Tasks of a revision that answer or start, for figures.
    pub(super) fn running_of(&self, revision: u16) -> usize {
        self.tasks.iter().filter(|(_, task)| task.revision == revision && task.state != State::Pending).count()
    }
}
