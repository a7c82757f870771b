//! What all servers of requests have in common, whoever starts and stops them: a process with workers and cores, what it does
//! with a request, and the calls it makes. ECS tasks and EC2 instances are hosts of such processes.

mod figures;
mod memory;
mod work;

pub(crate) use figures::backlog_metric;
use std::collections::VecDeque;

use sim_core::distribution::Distribution;
use sim_core::slab::Slab;
use sim_core::station::sharing::ProcessorSharing;
use sim_core::tally::{Level, StationTally};
use sim_core::{SimDuration, SimTime};

use crate::client::{Quota, Retry};
use crate::deadlines::Deadlines;
use crate::deployment::WarmUp;
use crate::ids::*;
use crate::request::*;
use crate::world::{self, Control, Cx};
pub use memory::Memory;

/// What a process has to work with.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// vCPU: cores shared by processor sharing.
    pub vcpu: f64,
    /// Requests worked on at once (threads, or event-loop slots).
    pub workers: u32,
    /// Requests that may wait for a worker; none = any number.
    pub backlog: Option<u32>,
    /// What becomes of the worker during a call.
    pub concurrency: Concurrency,
    /// What memory it needs and may have; none = as much as it likes.
    pub memory: Option<Memory>,
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

/// What a process does with requests of one path pattern.
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

/// What happens to requests inside a process.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request's CPU step is over (on a process whose workers never compete for cores).
    CpuDone(RequestKey),
    /// The earliest CPU step of a process that shares its cores may be over.
    CpuShared(TaskKey),
    /// A request's wait is over.
    Waited(RequestKey),
    /// An injected delay is over: the request reaches its process.
    Delayed(RequestKey),
    /// The caller gives up connecting to a host whose packets are lost.
    Unreached(RequestKey),
    /// Some of the calls of a number may have had their time.
    CallTimeout(u16),
    /// The back-off of a failed call is over.
    CallRetry(RequestKey),
}

/// A process at work.
#[derive(Debug)]
pub(crate) struct Process {
    /// Workers in use.
    busy: u32,
    waiting: VecDeque<RequestKey>,
    /// Its cores, if its workers can compete for them.
    cores: Option<ProcessorSharing<RequestKey>>,
    /// Epoch of the completion of `cores` that is scheduled.
    scheduled: Option<u64>,
    /// Requests in it, and answered by it.
    inside: u32,
    answered: u64,
    /// It has been told to be beyond its limit.
    out_of_memory: bool,
    /// Cores it has.
    vcpu: f64,
    /// CPU steps take this many times as long (injected).
    pub(crate) slowdown: f64,
    program: Program,
    /// Since when it runs, and until when its caches are colder than those of others.
    since: SimTime,
    cold_until: SimTime,
    /// Tokens of the retry quotas of its calls, by [`PreparedCall::bucket`]. Empty where no call has one.
    tokens: Vec<u16>,
}

/// What a process runs: a revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Program {
    /// Which revision it is, for the books.
    pub(crate) number: u16,
    /// Share of requests it answers with its own error.
    pub(crate) error_rate: f64,
    /// Its CPU steps take this many times as long.
    pub(crate) cpu_factor: f64,
    /// Cold caches.
    pub(crate) warm_up: Option<WarmUp>,
}

/// What the processes of a program answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered {
    /// All requests.
    pub(crate) served: u64,
    /// Of these, with the program's own error.
    pub(crate) errors: u64,
}

impl Process {
    /// It runs from now on, with cold caches.
    pub(crate) fn begin(&mut self, now: SimTime) {
        self.since = now;
        self.cold_until = self.program.warm_up.map_or(SimTime::ZERO, |warm_up| now + warm_up.over_after());
    }

    /// Cores it has when nothing takes them away.
    pub(crate) fn vcpu(&self) -> f64 {
        self.vcpu
    }

    /// Core time used so far, seconds, where its workers can compete for cores.
    pub(crate) fn core_time(&self, now: SimTime) -> f64 {
        self.cores.as_ref().map_or(0.0, |cores| cores.busy_core_time(now))
    }

    /// Whether no request is on a worker or waits for one. Some may still wait for calls.
    fn idle(&self) -> bool {
        self.busy == 0 && self.waiting.is_empty()
    }
}

/// Who hosts a process: a task, an instance.
pub(crate) trait Host {
    /// Its process.
    fn process(&self) -> &Process;
    /// Its process.
    fn process_mut(&mut self) -> &mut Process;
    /// Number of the zone it is in.
    fn zone(&self) -> u16;
    /// Whether it takes requests at all.
    fn serves(&self) -> bool;
    /// Whether it does not even refuse what it does not take: nobody is there, and packets are lost.
    fn is_silent(&self) -> bool {
        false
    }
    /// Whether it only finishes what it has: it hears [`Control::Idle`] when that is done.
    fn leaves(&self) -> bool;
}

/// What faults do to the hosts of a zone.
#[derive(Clone, Copy, Debug, Default)]
struct Injected {
    /// Share of errors, added to the program's.
    error_rate: f64,
    /// Delay of every request.
    delay: SimDuration,
    /// How many faults lose its packets.
    blackholes: u32,
}

/// What the processes of one service do.
pub(crate) struct Work<'a> {
    /// What each has to work with.
    pub(crate) capacity: &'a Capacity,
    /// What is done with requests.
    pub(crate) handlers: &'a [Handler],
    /// For each [`PathId`]: which handler; `u16::MAX` = none (404).
    pub(crate) handler_of_path: &'a [u16],
    /// CPU of a health check.
    pub(crate) health_check_cpu: SimDuration,
    /// How many zones its hosts are in.
    pub(crate) zones: usize,
}

/// The processes of one service at work.
#[derive(Debug)]
pub(crate) struct Engine {
    id: ComputeId,
    name: String,
    capacity: Capacity,
    /// Flat table of the handlers' calls with their hops, by [`Request::call`].
    calls: Vec<PreparedCall>,
    /// Tokens of a new process's retry quotas: one for each part that is called with one, as an SDK's client has it.
    quotas: Vec<(Endpoint, Quota)>,
    /// Handlers with their calls as numbers into `calls`.
    handlers: Vec<PreparedHandler>,
    handler_of_path: Vec<u16>,
    health_check_cpu: SimDuration,
    /// By the program's number.
    answered: Vec<Answered>,
    /// What faults do to the hosts of each zone.
    injected: Vec<Injected>,
    /// Whether requests may be late or lost on their way to a host.
    disturbed: bool,
    /// Whether callers may still ask for hosts that are gone, and then hear nothing.
    pub(crate) forgets_slowly: bool,
    /// Whether workers can compete for cores.
    shares_cores: bool,
    workers: StationTally,
    /// Cores busy, where they are not shared; those that are keep their own book.
    busy_cores: Level,
    /// Core time used by processes that are gone, seconds.
    retired_core_time: f64,
    /// Cores there are, in units of 2^-30.
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
struct PreparedHandler {
    steps: Vec<PreparedStep>,
    response_bytes: u32,
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

impl Engine {
    /// Builds it. `name` as in `ecs.web`; `throttled`: whether cores may be taken away from a process while it works.
    pub(crate) fn new(id: ComputeId, name: &str, work: &Work<'_>, throttled: bool, cx: &mut Cx<'_>) -> Self {
        let mut calls = Vec::new();
        let handlers = work.handlers.iter().map(|handler| prepare(handler, &mut calls, cx)).collect();
        Self {
            id,
            name: name.to_owned(),
            capacity: work.capacity.clone(),
            quotas: share_quotas(&mut calls),
            calls,
            handlers,
            handler_of_path: work.handler_of_path.to_vec(),
            health_check_cpu: work.health_check_cpu,
            answered: Vec::new(),
            injected: vec![Injected::default(); work.zones.max(1)],
            disturbed: false,
            forgets_slowly: false,
            shares_cores: throttled || f64::from(work.capacity.workers) > work.capacity.vcpu,
            workers: StationTally::new(0),
            busy_cores: Level::new(),
            retired_core_time: 0.0,
            cores: Level::new(),
            figures: figures::Figures::new(name, cx),
        }
    }

    /// What the processes of this program and later ones have answered: all requests, and those with the program's own error.
    pub(crate) fn answered_since(&self, program: usize) -> (u64, u64) {
        let answered = self.answered.iter().skip(program);
        answered.fold((0, 0), |(served, errors), of| (served + of.served, errors + of.errors))
    }

    /// A new process of so many cores.
    pub(crate) fn process(&mut self, vcpu: f64, program: Program) -> Process {
        let programs = self.answered.len().max(usize::from(program.number) + 1);
        self.answered.resize(programs, Answered::default());
        Process {
            busy: 0,
            waiting: VecDeque::new(),
            cores: self.shares_cores.then(|| ProcessorSharing::new(vcpu)),
            scheduled: None,
            inside: 0,
            answered: 0,
            out_of_memory: false,
            vcpu,
            slowdown: 1.0,
            program,
            since: SimTime::ZERO,
            cold_until: SimTime::ZERO,
            tokens: self.quotas.iter().map(|(_, quota)| quota.tokens).collect(),
        }
    }
}

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

/// Lays a handler's steps out for running: calls in one flat table, hops and timeouts as lanes.
fn prepare(handler: &Handler, calls: &mut Vec<PreparedCall>, cx: &mut Cx<'_>) -> PreparedHandler {
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
    PreparedHandler { steps, response_bytes: handler.response_bytes }
}
