//! ECS: services of tasks, what a task does with a request, and deployments.

mod capacity;
mod checks;
mod discovery;
mod figures;
mod launch;
mod mending;
mod provider;
mod rollout;
mod scheduler;
mod usage;

use sim_core::distribution::Distribution;
use sim_core::observations::SeriesGroup;
use sim_core::random::Stream;
use sim_core::slab::Slab;
use sim_core::tally::Level;
use sim_core::{SimDuration, SimTime};

use crate::compute::{self, Engine, Host, Process, Program, Work};
pub use capacity::{ContainerInstances, Placement};
pub use checks::ContainerCheck;
pub use launch::Fargate;
pub use provider::ManagedScaling;

pub use crate::compute::{Call, Capacity as Task, Concurrency, Handler, Step, StepAction};
use crate::deployment::Revision;
use crate::deployment::book::Book;
use crate::ids::*;
use crate::observer::{self, Findings};
use crate::request::*;
use crate::timeline::FaultAction;
use crate::usage::Meter;
use crate::world::{self, Control, Cx};

/// A service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// `desiredCount`.
    pub desired_count: u32,
    /// `launchType = EC2`: where its tasks are placed; none = on Fargate.
    pub container_instances: Option<ContainerInstances>,
    /// Names of the Availability Zones tasks are spread over, in turn.
    pub zones: Vec<String>,
    /// What a task is.
    pub task: Task,
    /// From request to RUNNING (assumption A14: 25 s on Fargate).
    pub launch_time: Distribution,
    /// Size of the compressed image, bytes; what is beyond 50 MB makes a launch longer.
    pub image_bytes: f64,
    /// How fast an image is pulled, bytes a second (assumption A15: 15 MB/s).
    pub pull_bytes_per_s: f64,
    /// From RUNNING until the application answers.
    pub startup_time: Distribution,
    /// `stopTimeout` (30 s): how long a stopping task may finish what it has after draining.
    pub stop_timeout: SimDuration,
    /// How often the service scheduler looks (assumption A16: 5 s).
    pub scheduler_interval: SimDuration,
    /// `healthCheckGracePeriodSeconds` (0).
    pub health_check_grace_period: SimDuration,
    /// `healthCheck` of its container.
    pub container_check: Option<ContainerCheck>,
    /// How long direct callers keep what service discovery told them; none = they always know who is there.
    pub discovery_ttl: Option<SimDuration>,
    /// Time a task counts as healthy after RUNNING without a load balancer (40 s).
    pub healthy_after: SimDuration,
    /// What is done with requests, by path pattern.
    pub handlers: Vec<Handler>,
    /// For each [`PathId`]: which handler; `u16::MAX` = none (404).
    pub handler_of_path: Vec<u16>,
    /// `deploymentConfiguration`.
    pub deployment: DeploymentConfiguration,
    /// Target groups that its tasks are registered with (the second, if any, is green at first).
    pub target_groups: Vec<(AlbId, TargetGroupId)>,
    /// Share of requests answered with its own error by the first revision.
    pub error_rate: f64,
    /// Elapsed time and CPU of a health check.
    pub health_check_cpu: SimDuration,
    /// `resolutionSeconds` of its metrics: 60 s, or [`crate::cloudwatch::FINE_PERIOD`].
    pub metric_resolution: SimDuration,
    /// Whether the program publishes how many requests wait.
    pub publishes_backlog: bool,
}

/// `deploymentConfiguration`.
#[derive(Clone, Copy, Debug)]
pub struct DeploymentConfiguration {
    /// `minimumHealthyPercent` (100).
    pub minimum_healthy_percent: u32,
    /// `maximumPercent` (200).
    pub maximum_percent: u32,
}

/// What happens inside a service.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A task has its network interface.
    Provisioned(TaskKey),
    /// A task is RUNNING.
    Running(TaskKey),
    /// A container is checked.
    ContainerCheck(TaskKey),
    /// A check of a container has had its time.
    ContainerTimeout(RequestKey),
    /// A task's application answers.
    Up(TaskKey),
    /// A task without a load balancer counts as healthy from now on.
    CountsHealthy(TaskKey),
    /// A stopping task has had its `stopTimeout`.
    StopTimeout(TaskKey),
    /// A container instance that was launched takes tasks.
    InstanceUp(u16),
    /// The service scheduler looks.
    Schedule,
    /// A task that leaks memory has none left.
    OutOfMemory(TaskKey),
    /// A stage of a deployment (their numbers) has had its time.
    StageOver(u16, u16),
    /// Somebody stops a deployment, by its number.
    StopDeployment(u16),
}

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Requested: network, image, container (PROVISIONING, PENDING, ACTIVATING).
    Pending,
    /// RUNNING, but the application does not answer yet.
    Starting,
    /// RUNNING and answering.
    Up,
    /// Out of its target groups; in-flight requests go on.
    Draining,
    /// SIGTERM sent: finishes what it has within `stopTimeout`.
    Stopping,
}

/// A task.
#[derive(Debug)]
struct TaskInstance {
    number: u32,
    revision: u16,
    zone: u16,
    state: State,
    /// By the service's measure: its target is healthy, or it has been up for long enough, and its container is.
    healthy: bool,
    /// Its target or its container is unhealthy.
    failing: bool,
    /// What the load balancer says of its target; without one, whether it has been up for long enough.
    target_healthy: bool,
    target_failing: bool,
    container: checks::Container,
    failed_checks: u32,
    running_since: SimTime,
    /// Since when it is paid for.
    charged_from: Option<SimTime>,
    /// What works on requests.
    process: Process,
    /// Which of the service's target groups it is registered with.
    group: u16,
    registered: bool,
    /// The container instance it is on, if any.
    place: Option<u16>,
    /// That is being drained: it is to be replaced.
    drained_away: bool,
    /// A circuit breaker has counted it.
    counted_as_failed: bool,
}

impl Host for TaskInstance {
    fn process(&self) -> &Process {
        &self.process
    }
    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
    fn zone(&self) -> u16 {
        self.zone
    }
    fn serves(&self) -> bool {
        matches!(self.state, State::Up | State::Draining | State::Stopping)
    }
    fn leaves(&self) -> bool {
        self.state == State::Stopping
    }
}

impl TaskInstance {
    fn counts(&self) -> bool {
        matches!(self.state, State::Pending | State::Starting | State::Up)
    }
}

/// A service.
#[derive(Debug)]
pub struct Ecs {
    id: EcsId,
    name: String,
    settings: Settings,
    desired: u32,
    tasks: Slab<TaskInstance>,
    /// Live tasks in order of launch.
    order: Vec<TaskKey>,
    launched: u32,
    /// For direct calls: the next task in turn.
    turn: usize,
    revisions: Vec<Revision>,
    /// The revision that tasks are launched with, but for green ones.
    primary: u16,
    rollout: Option<rollout::Rollout>,
    mending: mending::Mending,
    book: Book,
    launches: launch::Launches,
    places: Option<capacity::Places>,
    provider: Option<provider::Provider>,
    discovery: discovery::Discovery,
    out_of_memory_kills: u64,
    deployments: u16,
    /// Which of the target groups production traffic goes to.
    production: u16,
    /// What its tasks do with requests.
    engine: Engine,
    lifecycle: Stream,
    /// Key of what becomes of each task of a revision.
    fates: u64,
    /// Tasks there are, in whatever state, and tasks there should be.
    extant: Level,
    wanted: Level,
    /// Numbers of its zones.
    zones: Vec<u16>,
    /// What of it is paid for.
    meter: Meter,
    figures: figures::Figures,
}

impl Ecs {
    /// Builds it.
    #[must_use]
    pub fn new(id: EcsId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("ecs.{}", settings.name);
        let work = Work {
            capacity: &settings.task,
            handlers: &settings.handlers,
            handler_of_path: &settings.handler_of_path,
            health_check_cpu: settings.health_check_cpu,
            zones: settings.zones.len(),
        };
        let figures = &mut cx.shared.observer.figures;
        let desired_figure = figures.register(SeriesGroup::Tasks, format!("{name} desired"), "count");
        let mut engine = Engine::new(id.into(), &name, &work, false, cx);
        engine.forgets_slowly = settings.discovery_ttl.is_some();
        let instances = settings.container_instances.as_ref();
        let managed = instances.and_then(|it| Some((it.managed.as_ref()?, it.count)));
        let provider = managed.map(|(managed, count)| provider::Provider::new(managed, count, &name, cx));
        let first = Revision { error_rate: settings.error_rate, ..Revision::LIKE_BEFORE };
        Self {
            id,
            desired: settings.desired_count,
            tasks: Slab::new(),
            order: Vec::new(),
            launched: 0,
            turn: 0,
            revisions: vec![first],
            primary: 0,
            rollout: None,
            mending: mending::Mending::default(),
            book: Book::default(),
            launches: launch::Launches::new(),
            places: settings
                .container_instances
                .as_ref()
                .map(|instances| capacity::Places::new(instances, settings.zones.len(), &settings.task)),
            provider,
            discovery: discovery::Discovery::default(),
            out_of_memory_kills: 0,
            deployments: 0,
            production: 0,
            engine,
            lifecycle: cx.shared.streams.stream(&name, "lifecycle"),
            fates: cx.shared.streams.key(&name, "fates of tasks"),
            extant: Level::new(),
            wanted: Level::new(),
            zones: settings.zones.iter().map(|zone| cx.shared.whereabouts.zone(zone)).collect(),
            meter: Meter::new(settings.desired_count),
            figures: figures::Figures::new(&name, settings, desired_figure, cx),
            settings: settings.clone(),
            name,
        }
    }

    /// Brings up the first tasks: at the start of a run the service is in its steady state.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        self.wanted.set(cx.now(), self.desired.into());
        for _ in 0..self.desired {
            let Ok(place) = self.place(cx) else { break };
            if let (Some(place), Some(places)) = (place, &mut self.places) {
                places.has_image(place);
            }
            let task = self.new_task(0, State::Up, place, cx);
            let task_now = &mut self.tasks[task];
            (task_now.target_healthy, task_now.container) = (true, checks::Container::Healthy);
            task_now.judge(self.settings.container_check.is_some());
            self.charge_from_now(task, cx.now());
            self.begin_checks(task, cx);
            self.register(task, cx);
        }
        self.count_servers(cx.now());
        self.tell_whether_down(cx);
        cx.kernel.schedule_in(self.settings.scheduler_interval, self.event(Event::Schedule));
        cx.control(Control::DesiredCount(Scalable::Ecs(self.id), self.desired));
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Ecs(self.id, event)
    }

    /// A request arrives for a task: the one it names, or any in turn.
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        if cx.request(key).target == TaskKey::NONE {
            match self.discover(key, cx) {
                Some(task) => cx.request(key).target = task,
                None => return cx.fail(key, 0, Cause::NoTask),
            }
        }
        self.engine.on_offer(&mut self.tasks, key, cx);
    }

    /// Something happens to a request on one of its tasks.
    pub fn on_work(&mut self, event: compute::Event, cx: &mut Cx<'_>) {
        self.engine.on(&mut self.tasks, event, cx);
    }

    /// A call comes back to the request that made it.
    pub fn on_call_reply(&mut self, key: RequestKey, parent: RequestKey, cx: &mut Cx<'_>) {
        self.engine.on_call_reply(&mut self.tasks, key, parent, cx);
    }

    /// Service discovery: tasks in turn, of those that answer.
    fn next_in_turn(&mut self) -> Option<TaskKey> {
        for _ in 0..self.order.len() {
            self.turn = (self.turn + 1) % self.order.len();
            let task = self.order[self.turn];
            let instance = &self.tasks[task];
            // Without a load balancer green waits for its hour.
            let waits = self.rollout.as_ref().is_some_and(|rollout| rollout.hides(instance.revision));
            if instance.state == State::Up && !waits {
                return Some(task);
            }
        }
        None
    }

    /// A fault of what its tasks do with requests begins or ends.
    pub fn fault(&mut self, action: &FaultAction, begins: bool) {
        self.engine.fault(&mut self.tasks, &self.order, action, begins);
    }

    /// Handles one of its events.
    #[cold]
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Provisioned(task) => self.provisioned(task, cx),
            Event::Running(task) => self.running(task, cx),
            Event::ContainerCheck(task) => self.check_container(task, cx),
            Event::ContainerTimeout(probe) => self.check_timed_out(probe, cx),
            Event::Up(task) => self.up(task, cx),
            Event::CountsHealthy(task) => self.counts_healthy(task, cx),
            Event::StopTimeout(task) => self.kill(task, cx),
            Event::InstanceUp(place) => self.instance_up(place, cx),
            Event::Schedule => {
                cx.kernel.schedule_in(self.settings.scheduler_interval, self.event(Event::Schedule));
                self.place_waiting(cx);
                self.reconcile(cx);
                self.mind_instances(cx);
            }
            Event::OutOfMemory(task) => self.out_of_memory(task, cx),
            Event::StageOver(deployment, stage) => self.stage_over(deployment, stage, cx),
            Event::StopDeployment(deployment) => self.stop_deployment(deployment, cx),
        }
    }
}
