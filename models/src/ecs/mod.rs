//! ECS: services of tasks, what a task does with a request, and deployments.

mod figures;
mod rollout;
mod scheduler;
mod watch;
mod work;

use std::collections::VecDeque;

use sim_core::distribution::Distribution;
use sim_core::random::Stream;
use sim_core::slab::Slab;
use sim_core::station::sharing::ProcessorSharing;
use sim_core::tally::{Level, StationTally};
use sim_core::{SimDuration, SimTime};

use crate::client::{Quota, Retry};
use crate::deadlines::Deadlines;
use crate::deployment::Revision;
use crate::ids::*;
use crate::observer::{self, Findings};
use crate::request::*;
use crate::world::{self, Control, Cx};

/// A service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// `desiredCount`.
    pub desired_count: u32,
    /// Names of the Availability Zones tasks are spread over, in turn.
    pub zones: Vec<String>,
    /// What a task is.
    pub task: Task,
    /// From request to RUNNING (assumption A14: 25 s on Fargate).
    pub launch_time: Distribution,
    /// From RUNNING until the application answers.
    pub startup_time: Distribution,
    /// `stopTimeout` (30 s): how long a stopping task may finish what it has after draining.
    pub stop_timeout: SimDuration,
    /// How often the service scheduler looks (assumption A16: 5 s).
    pub scheduler_interval: SimDuration,
    /// `healthCheckGracePeriodSeconds` (0).
    pub health_check_grace_period: SimDuration,
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
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// vCPU: cores shared by processor sharing.
    pub vcpu: f64,
    /// Requests worked on at once (threads, or event-loop slots).
    pub workers: u32,
    /// Requests that may wait for a worker; none = any number.
    pub backlog: Option<u32>,
    /// What becomes of the worker during a call.
    pub concurrency: Concurrency,
}

/// What becomes of a worker while its request waits for a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Concurrency {
    /// It waits too (one thread per request).
    #[default]
    Threaded,
    /// It is free for others; the request queues for a worker again when it goes on.
    EventLoop,
}

/// What a task does with requests of one path pattern.
#[derive(Clone, Debug)]
pub struct Handler {
    /// As written.
    pub path_pattern: String,
    /// In order.
    pub steps: Vec<Step>,
    /// Size of the answer, bytes (where no catalogue says).
    pub response_bytes: u32,
}

/// One step of a handler.
#[derive(Clone, Debug)]
pub struct Step {
    /// How likely it is taken (1 = always).
    pub probability: f64,
    /// What it is.
    pub action: StepAction,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepAction {
    /// CPU time on one core.
    Cpu(Distribution),
    /// Elapsed time without CPU.
    Wait(Distribution),
    /// Calls to dependencies, all at once; goes on when all are answered.
    Calls(Vec<Call>),
}

/// A call to a dependency.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who is called. Never a [`Endpoint::Record`].
    pub to: Endpoint,
    /// Which operation of the called service: index of an Aurora statement, DynamoDB operation or station class.
    pub operation: u16,
    /// The path, for HTTP services.
    pub path: PathId,
    /// Method, for HTTP services.
    pub method: Method,
    /// How likely it is made (1 = always).
    pub probability: f64,
    /// When the caller gives up.
    pub timeout: Option<SimDuration>,
    /// What the caller does about failures.
    pub retry: Retry,
    /// Round trip to the dependency.
    pub rtt: SimDuration,
    /// Whether the handler fails (500) if the call does; else it goes on without.
    pub required: bool,
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
    /// A request's CPU step is over (on a task whose workers never compete for cores).
    CpuDone(RequestKey),
    /// The earliest CPU step of a task that shares its cores may be over.
    CpuShared(TaskKey),
    /// A request's wait is over.
    Waited(RequestKey),
    /// An injected delay is over: the request reaches its task.
    Delayed(RequestKey),
    /// The caller gives up connecting to a task whose packets are lost.
    Unreached(RequestKey),
    /// A call has had its time.
    CallTimeout(u16),
    /// The back-off of a failed call is over.
    CallRetry(RequestKey),
    /// A task is RUNNING.
    Running(TaskKey),
    /// A task's application answers.
    Up(TaskKey),
    /// A task without a load balancer counts as healthy from now on.
    CountsHealthy(TaskKey),
    /// A stopping task has had its `stopTimeout`.
    StopTimeout(TaskKey),
    /// The service scheduler looks.
    Schedule,
    /// A task that leaks memory has none left.
    OutOfMemory(TaskKey),
    /// A stage of a deployment (their numbers) has had its time.
    StageOver(u16, u16),
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
    /// By the service's measure: its target is healthy, or it has been up for long enough.
    healthy: bool,
    /// The load balancer calls its target unhealthy.
    failing: bool,
    running_since: SimTime,
    /// Workers in use.
    busy: u32,
    waiting: VecDeque<RequestKey>,
    /// Its cores, if its workers can compete for them.
    cores: Option<ProcessorSharing<RequestKey>>,
    /// Epoch of the completion of `cores` that is scheduled.
    scheduled: Option<u64>,
    /// Which of the service's target groups it is registered with.
    group: u16,
    registered: bool,
    /// CPU steps take this many times as long (injected).
    slowdown: f64,
    /// Tokens of the retry quotas of its calls, by [`PreparedCall::bucket`]. Empty where no call has one.
    tokens: Vec<u16>,
    /// Until then its caches are colder than those of others.
    cold_until: SimTime,
    /// A circuit breaker has counted it.
    counted_as_failed: bool,
}

impl TaskInstance {
    fn serves(&self) -> bool {
        matches!(self.state, State::Up | State::Draining | State::Stopping)
    }
    fn counts(&self) -> bool {
        matches!(self.state, State::Pending | State::Starting | State::Up)
    }
    fn idle(&self) -> bool {
        self.busy == 0 && self.waiting.is_empty()
    }
}

/// A revision at work.
#[derive(Clone, Debug)]
struct RevisionState {
    settings: Revision,
    /// Requests its tasks have answered.
    served: u64,
    /// Of these, with its own error.
    errors: u64,
}

impl RevisionState {
    fn new(settings: Revision) -> Self {
        Self { settings, served: 0, errors: 0 }
    }
}

/// What faults do to the tasks of a zone.
#[derive(Clone, Copy, Debug, Default)]
struct Injected {
    /// Share of errors, added to the revision's.
    error_rate: f64,
    /// Delay of every request.
    delay: SimDuration,
    /// How many faults lose its packets.
    blackholes: u32,
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
    revisions: Vec<RevisionState>,
    /// The revision that tasks are launched with, but for green ones.
    primary: u16,
    rollout: Option<rollout::Rollout>,
    deployments: u16,
    book: rollout::Book,
    /// Which of the target groups production traffic goes to.
    production: u16,
    /// Flat table of the handlers' calls with their hops, by [`Request::call`].
    calls: Vec<PreparedCall>,
    /// Tokens of a new task's retry quotas: one for each part that is called with one, as an SDK's client has it.
    quotas: Vec<(Endpoint, Quota)>,
    /// Handlers with their calls as numbers into `calls`.
    handlers: Vec<Vec<PreparedStep>>,
    lifecycle: Stream,
    /// What faults do to the tasks of each zone.
    injected: Vec<Injected>,
    /// Whether requests may be late or lost on their way to a task.
    disturbed: bool,
    /// Key of what becomes of each task of a revision.
    fates: u64,
    /// Tasks there are, in whatever state, and tasks there should be.
    extant: Level,
    wanted: Level,
    /// Whether workers can compete for cores.
    shares_cores: bool,
    workers: StationTally,
    /// Cores busy, where they are not shared; those that are keep their own book.
    busy_cores: Level,
    /// Core time used by tasks that are gone, seconds.
    retired_core_time: f64,
    /// Cores there are.
    cores: Level,
    figures: figures::Figures,
}

#[derive(Debug)]
struct PreparedCall {
    call: Call,
    hop: Hop,
    timeout: Option<Deadlines>,
    /// Its quota among the service's, if it has one.
    bucket: usize,
}

#[derive(Debug)]
struct PreparedStep {
    probability: f64,
    action: PreparedAction,
}

#[derive(Debug)]
enum PreparedAction {
    Cpu(Distribution),
    Wait(Distribution),
    Calls(std::ops::Range<u16>),
}

impl Ecs {
    /// Builds it.
    #[must_use]
    pub fn new(id: EcsId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("ecs.{}", settings.name);
        let mut calls = Vec::new();
        let handlers = settings.handlers.iter().map(|handler| prepare(handler, &mut calls, cx)).collect();
        let quotas = share_quotas(&mut calls);
        let first = RevisionState::new(Revision { error_rate: settings.error_rate, ..Revision::LIKE_BEFORE });
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
            deployments: 0,
            book: rollout::Book::default(),
            production: 0,
            calls,
            quotas,
            handlers,
            lifecycle: cx.shared.streams.stream(&name, "lifecycle"),
            injected: vec![Injected::default(); settings.zones.len().max(1)],
            disturbed: false,
            fates: cx.shared.streams.key(&name, "fates of tasks"),
            extant: Level::new(),
            wanted: Level::new(),
            shares_cores: f64::from(settings.task.workers) > settings.task.vcpu,
            workers: StationTally::new(0),
            busy_cores: Level::new(),
            retired_core_time: 0.0,
            cores: Level::new(),
            figures: figures::Figures::new(id, &name, cx),
            settings: settings.clone(),
            name,
        }
    }

    /// Brings up the first tasks: at the start of a run the service is in its steady state.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        self.wanted.set(cx.now(), self.desired.into());
        for _ in 0..self.desired {
            let task = self.new_task(0, State::Up, cx);
            self.tasks[task].healthy = true;
            self.register(task, cx);
        }
        self.count_servers(cx.now());
        cx.kernel.schedule_in(self.settings.scheduler_interval, self.event(Event::Schedule));
        cx.control(Control::DesiredCount(self.id, self.desired));
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Ecs(self.id, event)
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::CpuDone(key) => self.cpu_done(key, cx),
            Event::CpuShared(task) => self.cpu_shared(task, cx),
            Event::Waited(key) => self.waited(key, cx),
            Event::Delayed(key) => self.arrive(key, cx),
            Event::CallTimeout(number) => self.calls_timed_out(number, cx),
            Event::Unreached(key) => cx.reply(key, Outcome::failed(0, Cause::ConnectTimeout)),
            Event::CallRetry(key) => self.send_call(key, cx),
            Event::Running(task) => self.running(task, cx),
            Event::Up(task) => self.up(task, cx),
            Event::CountsHealthy(task) => self.counts_healthy(task, cx),
            Event::StopTimeout(task) => self.kill(task, cx),
            Event::Schedule => {
                cx.kernel.schedule_in(self.settings.scheduler_interval, self.event(Event::Schedule));
                self.reconcile(cx);
            }
            Event::OutOfMemory(task) => self.out_of_memory(task, cx),
            Event::StageOver(deployment, stage) => self.stage_over(deployment, stage, cx),
        }
    }
}

/// Lays a handler's steps out for running: calls in one flat table, hops and timeouts as lanes.
/// Gives calls of one part with the same quota one bucket; tells which buckets there are.
fn share_quotas(calls: &mut [PreparedCall]) -> Vec<(Endpoint, Quota)> {
    let mut quotas = Vec::new();
    for call in calls {
        let Some(quota) = call.call.retry.quota else { continue };
        let of_part = (call.call.to, quota);
        call.bucket = quotas.iter().position(|known| *known == of_part).unwrap_or_else(|| {
            quotas.push(of_part);
            quotas.len() - 1
        });
    }
    quotas
}

fn prepare(handler: &Handler, calls: &mut Vec<PreparedCall>, cx: &mut Cx<'_>) -> Vec<PreparedStep> {
    let mut steps = Vec::with_capacity(handler.steps.len());
    for step in &handler.steps {
        let action = match &step.action {
            StepAction::Cpu(demand) => PreparedAction::Cpu(demand.clone()),
            StepAction::Wait(delay) => PreparedAction::Wait(delay.clone()),
            StepAction::Calls(made) => {
                let first = calls.len() as u16;
                for call in made {
                    let hop = cx.hop(SimDuration::from_nanos(call.rtt.as_nanos() / 2));
                    let timeout = call.timeout.map(Deadlines::new);
                    calls.push(PreparedCall { call: call.clone(), hop, timeout, bucket: 0 });
                }
                PreparedAction::Calls(first..calls.len() as u16)
            }
        };
        steps.push(PreparedStep { probability: step.probability, action });
    }
    steps
}
