//! EC2: instances that serve requests, in Auto Scaling groups or alone.
//!
//! An instance has two sides: its *power* (off, booting, up, shutting down), which is EC2's, and its *life* in the group (pending,
//! in service, terminating, in the warm pool, in standby), which is Auto Scaling's. `life` is what becomes of one instance,
//! `code_deploy` and `course` are deployments, of the group and on one instance; `group` what the group wants, `checks` what goes wrong with instances and who notices, `maintenance` planned stops and
//! starts, `credits` the CPU credits of burstable types.

pub mod catalog;
mod checks;
mod code_deploy;
mod course;
pub mod credits;
mod figures;
mod group;
mod life;
mod maintenance;
#[cfg(test)]
mod tests;
mod usage;

use sim_core::distribution::Distribution;
use sim_core::random::Stream;
use sim_core::slab::Slab;
use sim_core::tally::Level;
use sim_core::{SimDuration, SimTime};

use crate::compute::{self, Capacity, Engine, Handler, Host, Process, Program, Work};
use crate::deployment::Revision;
use crate::deployment::book::Book;
use crate::ids::*;
use crate::request::*;
use crate::timeline::{FaultAction, InstanceFault};
use crate::usage::Meter;
use crate::world::{self, Control, Cx};
pub use maintenance::{Maintenance, MaintenanceKind};

/// A group of instances.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// What its instances are.
    pub instance_type: InstanceType,
    /// The volume of each.
    pub volume: Volume,
    /// What an instance's program has to work with; `vcpu` is that of the instance type.
    pub capacity: Capacity,
    /// What is done with requests, by path pattern.
    pub handlers: Vec<Handler>,
    /// For each [`PathId`]: which handler; `u16::MAX` = none (404).
    pub handler_of_path: Vec<u16>,
    /// CPU of a health check.
    pub health_check_cpu: SimDuration,
    /// Share of requests answered with the program's own error.
    pub error_rate: f64,
    /// Whether it is an Auto Scaling group; otherwise its instances stand alone: nobody replaces them.
    pub auto_scaling: bool,
    /// `DesiredCapacity` at the start.
    pub desired_capacity: u32,
    /// `MinSize`.
    pub min_size: u32,
    /// `MaxSize`.
    pub max_size: u32,
    /// Names of the Availability Zones.
    pub zones: Vec<String>,
    /// From the request for an instance, or for its start, until it is running.
    pub launch_time: Distribution,
    /// From running until the program answers, at every boot.
    pub boot_time: Distribution,
    /// User data: what the first boot takes longer.
    pub user_data_time: Distribution,
    /// What shutting an instance down takes until it is stopped.
    pub stop_time: Distribution,
    /// From the reboot of an instance until its program answers again.
    pub reboot_time: Distribution,
    /// How long a program that is told to end may finish what it has.
    pub stop_timeout: SimDuration,
    /// How often the group looks.
    pub group_interval: SimDuration,
    /// Whose word counts for an instance's health.
    pub health_check_type: HealthCheckType,
    /// `HealthCheckGracePeriod`: how long after coming into service bad news is ignored.
    pub health_check_grace_period: SimDuration,
    /// How long an instance's status checks fail before the group replaces it, or auto recovery moves it.
    pub impaired_for: SimDuration,
    /// `DefaultInstanceWarmup`: how long a new instance is left out of the group's metrics.
    pub instance_warmup: SimDuration,
    /// Who goes first, of those in the zone with the most instances.
    pub termination_policies: Vec<TerminationPolicy>,
    /// Whether zones are evened out again.
    pub zone_rebalancing: bool,
    /// Instances prepared for later.
    pub warm_pool: Option<WarmPool>,
    /// Lifecycle hook of launching instances.
    pub launching_hook: Option<Hook>,
    /// Lifecycle hook of terminating instances.
    pub terminating_hook: Option<Hook>,
    /// Simplified automatic recovery of instances that stand alone.
    pub auto_recovery: bool,
    /// CPU credits of burstable types.
    pub credits: Option<credits::Account>,
    /// Metrics every minute instead of every five.
    pub detailed_monitoring: bool,
    /// Whether the program publishes how many requests wait.
    pub publishes_backlog: bool,
    /// Target group that its instances are registered with.
    pub target_group: Option<(AlbId, TargetGroupId)>,
    /// Planned stops and starts, in order of time.
    pub maintenance: Vec<Maintenance>,
}

/// The volume of an instance, as far as it is paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// `VolumeType`.
    pub kind: &'static str,
    /// GiB.
    pub size: f64,
    /// I/O operations a second that are paid for beside it.
    pub iops: f64,
    /// MiB a second that are.
    pub throughput: f64,
}

/// An instance type, as far as it matters.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceType {
    /// `t3.micro`.
    pub name: String,
    /// Its vCPU.
    pub vcpu: f64,
    /// Of burstable types.
    pub credits: Option<credits::Rates>,
}

/// `HealthCheckType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HealthCheckType {
    /// Whether it runs, and its status checks.
    #[default]
    Ec2,
    /// The load balancer's too.
    Elb,
}

/// Who is terminated first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminationPolicy {
    /// `Default`: oldest launch template, then closest to the next billing hour.
    Default,
    /// `OldestInstance`.
    OldestInstance,
    /// `NewestInstance`.
    NewestInstance,
    /// `OldestLaunchTemplate`.
    OldestLaunchTemplate,
    /// `ClosestToNextInstanceHour`.
    ClosestToNextInstanceHour,
}

/// A warm pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmPool {
    /// In which state its instances wait.
    pub state: PoolState,
    /// `MinSize`.
    pub min_size: u32,
    /// `MaxGroupPreparedCapacity`: of group and pool together; none = `max_size`.
    pub max_prepared: Option<u32>,
    /// `InstanceReusePolicy`: back to the pool instead of terminated.
    pub reuse_on_scale_in: bool,
}

/// `PoolState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PoolState {
    /// Boots when needed; its user data has run.
    #[default]
    Stopped,
    /// Ready at once.
    Running,
    /// Its memory is restored when needed: no boot of the program.
    Hibernated,
}

/// A lifecycle hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// `HeartbeatTimeout`.
    pub heartbeat_timeout: SimDuration,
    /// `RecordLifecycleActionHeartbeat`: how often the timeout is begun again, if it is.
    pub heartbeats: Option<SimDuration>,
    /// `DefaultResult`: whether an instance goes on when the time is over (`CONTINUE`) or not (`ABANDON`).
    pub continues: bool,
    /// How long until somebody completes the action; none = nobody does.
    pub completes: Option<Distribution>,
}

impl Hook {
    /// How long an instance waits at most: for the heartbeat timeout, or where heartbeats come in time for 48 hours or a hundred
    /// timeouts, whichever is less (ASG guide, lifecycle-hooks).
    #[must_use]
    pub fn longest(&self) -> SimDuration {
        let prolonged = self.heartbeats.is_some_and(|interval| interval < self.heartbeat_timeout);
        let longest = self.heartbeat_timeout.times(100).min(SimDuration::from_secs(48 * 3600));
        if prolonged { longest.max(self.heartbeat_timeout) } else { self.heartbeat_timeout }
    }
}

/// What happens to a group.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// An instance is running: it boots. (Which of its starts; stale if it has been started again.)
    Running(u16, TaskKey),
    /// An instance's program answers.
    Up(u16, TaskKey),
    /// An instance is shut down.
    Off(u16, TaskKey),
    /// A program that ends has had its time.
    StopTimeout(u16, TaskKey),
    /// A lifecycle action is completed, or its time is over: whether the instance goes on.
    HookOver(bool, TaskKey),
    /// The group looks.
    Look,
    /// Status checks are made.
    StatusChecks,
    /// An instance may have used up its credits, or have some again.
    Credits(u16, TaskKey),
    /// Planned maintenance number n is due.
    Maintain(u16),
    /// A lifecycle event on an instance that is deployed to has had its time.
    Step(u16, TaskKey),
    /// A wait of a deployment is over.
    PhaseOver(u16),
    /// Somebody stops a deployment, by its number.
    StopDeployment(u16),
    /// A program that leaks memory has none left.
    OutOfMemory(u16, TaskKey),
}

/// EC2's side of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    /// Requested, or stopped.
    Off,
    /// Running, but its program does not answer yet.
    Booting,
    /// Its program answers.
    Up,
    /// Its program finishes what it has.
    Ending,
}

/// Auto Scaling's side of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// `Pending`, `Pending:Wait`.
    Pending,
    /// `InService`.
    InService,
    /// `Terminating`, `Terminating:Wait`; or leaving for the warm pool.
    Terminating {
        /// It goes to the warm pool.
        to_pool: bool,
    },
    /// `Warmed`: in the warm pool, or on the way there.
    Warmed,
    /// `Standby`: out of the group for maintenance.
    Standby,
    /// In the copy of the group that is not in service yet, or in the original that is so no longer (blue/green).
    Apart,
}

/// What is wrong with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impairment {
    /// The host: the system status check fails.
    System,
    /// The operating system: the instance status check fails.
    Instance,
}

/// An instance.
#[derive(Debug)]
struct Instance {
    number: u32,
    zone: u16,
    /// Version of the launch template it was launched from.
    template: u16,
    life: Life,
    power: Power,
    /// How often it has been started or stopped: events of earlier times are stale.
    epoch: u16,
    /// Whether its user data has run.
    prepared: bool,
    /// What it runs, and whether the last deployment to it failed.
    revision: u16,
    failed: bool,
    launched: SimTime,
    /// Since when it is paid for; none while it is stopped. And the number of the meter for its type.
    charged_from: Option<SimTime>,
    meter: u16,
    in_service_since: SimTime,
    /// In the group's metrics from then on.
    warm_from: SimTime,
    registered: bool,
    /// The load balancer calls its target unhealthy.
    failing: bool,
    /// The load balancer has called its target healthy.
    healthy: bool,
    impaired: Option<Impairment>,
    /// Since when its status checks fail.
    impaired_since: Option<SimTime>,
    /// Somebody stopped it from outside: started again when the fault ends.
    struck: bool,
    credits: Option<credits::Credits>,
    /// Core time used at the end of the last period, seconds.
    used_at_period: f64,
    process: Process,
}

impl Host for Instance {
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
        matches!(self.power, Power::Up | Power::Ending) && self.impaired.is_none()
    }
    fn is_silent(&self) -> bool {
        self.power == Power::Off || self.impaired.is_some()
    }
    fn leaves(&self) -> bool {
        self.power == Power::Ending
    }
}

impl Instance {
    /// Whether it counts for the desired capacity.
    fn counts(&self) -> bool {
        matches!(self.life, Life::Pending | Life::InService)
    }
}

/// A group.
#[derive(Debug)]
pub struct Group {
    id: Ec2Id,
    name: String,
    settings: Settings,
    desired: u32,
    instances: Slab<Instance>,
    /// In order of launch.
    order: Vec<TaskKey>,
    launched: u32,
    /// For direct calls: the next instance in turn.
    turn: usize,
    engine: Engine,
    lifecycle: Stream,
    /// Version of the launch template, and how many cores its instances have.
    template: u16,
    vcpu: f64,
    /// Credits charged to instances that are gone.
    charged: f64,
    works: maintenance::Works,
    /// Numbers of its zones.
    zones: Vec<u16>,
    /// Running time of instances, by the types they had, the first first.
    meters: Vec<(String, Meter)>,
    /// Time that there were instances, running or not: their volumes are paid for.
    volumes: Meter,
    /// It has told that it launches or terminates.
    active: bool,
    /// The instance launched last to even out the zones.
    rebalancing: Option<TaskKey>,
    revisions: Vec<Revision>,
    /// The revision of the last deployment that succeeded: what new instances get.
    stable: u16,
    rollout: Option<Box<code_deploy::Rollout>>,
    deployments: u16,
    /// Tells the events of deployments apart.
    turns: u16,
    book: Book,
    /// Instances there are but for the warm pool, and those wanted.
    extant: Level,
    wanted: Level,
    /// Key of what becomes of each instance with a revision.
    fates: u64,
    figures: figures::Figures,
}

impl Group {
    /// Builds it.
    #[must_use]
    pub fn new(id: Ec2Id, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("ec2.{}", settings.name);
        let figures = figures::Figures::new(&name, settings, cx);
        let work = Work {
            capacity: &settings.capacity,
            handlers: &settings.handlers,
            handler_of_path: &settings.handler_of_path,
            health_check_cpu: settings.health_check_cpu,
            zones: settings.zones.len(),
        };
        Self {
            id,
            desired: settings.desired_capacity,
            instances: Slab::new(),
            order: Vec::new(),
            launched: 0,
            turn: 0,
            engine: Engine::new(id.into(), &name, &work, true, cx),
            lifecycle: cx.shared.streams.stream(&name, "lifecycle"),
            template: 0,
            vcpu: settings.instance_type.vcpu,
            charged: 0.0,
            works: maintenance::Works::default(),
            zones: settings.zones.iter().map(|zone| cx.shared.whereabouts.zone(zone)).collect(),
            volumes: Meter::new(settings.desired_capacity),
            meters: vec![(settings.instance_type.name.clone(), Meter::new(settings.desired_capacity))],
            active: false,
            rebalancing: None,
            revisions: vec![Revision { error_rate: settings.error_rate, ..Revision::LIKE_BEFORE }],
            stable: 0,
            rollout: None,
            deployments: 0,
            turns: 0,
            book: Book::default(),
            extant: Level::new(),
            wanted: Level::new(),
            fates: cx.shared.streams.key(&name, "fates of instances"),
            figures,
            settings: settings.clone(),
            name,
        }
    }

    /// Brings up the first instances: at the start of a run the group is in its steady state.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        for _ in 0..self.desired {
            let key = self.new_instance(Life::InService, cx);
            let instance = &mut self.instances[key];
            (instance.power, instance.prepared, instance.healthy) = (Power::Up, true, true);
            self.charge_from_now(key, now);
            self.register(key, cx);
            self.mind_credits(key, cx);
        }
        for _ in 0..self.pool_size() {
            let key = self.new_instance(Life::Warmed, cx);
            let running = self.settings.warm_pool.is_some_and(|pool| pool.state == PoolState::Running);
            let instance = &mut self.instances[key];
            instance.prepared = true;
            instance.power = if running { Power::Up } else { Power::Off };
            if running {
                self.charge_from_now(key, now);
            }
        }
        self.engine.count_servers(&self.instances, now);
        self.tell_whether_down(cx);
        cx.control(Control::DesiredCount(Scalable::Ec2(self.id), self.desired));
        cx.kernel.schedule_in(self.settings.group_interval, self.event(Event::Look));
        cx.kernel.schedule_in(checks::INTERVAL, self.event(Event::StatusChecks));
        for (number, work) in self.settings.maintenance.iter().enumerate() {
            cx.kernel.schedule_at(work.at, self.event(Event::Maintain(number as u16)));
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Ec2(self.id, event)
    }

    /// Handles one of its events.
    #[cold]
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Running(epoch, key) => self.running(epoch, key, cx),
            Event::Up(epoch, key) => self.up(epoch, key, cx),
            Event::Off(epoch, key) => self.off(epoch, key, cx),
            Event::StopTimeout(epoch, key) => {
                if self.is_current(key, epoch) {
                    self.ended(key, cx);
                }
            }
            Event::HookOver(goes_on, key) => self.hook_over(key, goes_on, cx),
            Event::Look => {
                cx.kernel.schedule_in(self.settings.group_interval, self.event(Event::Look));
                self.look(cx);
            }
            Event::StatusChecks => {
                cx.kernel.schedule_in(checks::INTERVAL, self.event(Event::StatusChecks));
                self.check_status(cx);
            }
            Event::Credits(epoch, key) => {
                if self.is_current(key, epoch) {
                    self.mind_credits(key, cx);
                }
            }
            Event::Maintain(number) => self.maintain(number, cx),
            Event::Step(turn, key) => self.step(turn, key, cx),
            Event::PhaseOver(turn) => self.phase_over(turn, cx),
            Event::StopDeployment(number) => self.stop_deployment(number, cx),
            Event::OutOfMemory(epoch, key) => {
                if self.is_current(key, epoch) {
                    self.out_of_memory(key, cx);
                }
            }
        }
    }

    /// A request arrives for an instance: the one it names, or any in turn.
    #[inline(never)]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        if cx.request(key).target == TaskKey::NONE {
            match self.next_in_turn() {
                Some(instance) => cx.request(key).target = instance,
                None => return cx.fail(key, 0, Cause::NoTask),
            }
        }
        self.engine.on_offer(&mut self.instances, key, cx);
    }

    /// Instances in turn, of those in service that answer.
    fn next_in_turn(&mut self) -> Option<TaskKey> {
        for _ in 0..self.order.len() {
            self.turn = (self.turn + 1) % self.order.len();
            let key = self.order[self.turn];
            let instance = &self.instances[key];
            if instance.life == Life::InService && instance.power == Power::Up && instance.serves() {
                return Some(key);
            }
        }
        None
    }

    /// Something happens to a request on one of its instances.
    #[inline(never)]
    pub fn on_work(&mut self, event: compute::Event, cx: &mut Cx<'_>) {
        self.engine.on(&mut self.instances, event, cx);
    }

    /// A call comes back to the request that made it.
    #[inline(never)]
    pub fn on_call_reply(&mut self, key: RequestKey, parent: RequestKey, cx: &mut Cx<'_>) {
        self.engine.on_call_reply(&mut self.instances, key, parent, cx);
    }

    /// A fault of what its instances do with requests begins or ends.
    pub fn fault(&mut self, action: &FaultAction, begins: bool) {
        self.engine.fault(&mut self.instances, &self.order, action, begins);
    }

    /// What an instance with a revision runs.
    fn program(&self, revision: u16) -> Program {
        let is = &self.revisions[revision as usize];
        Program { number: revision, error_rate: is.error_rate, cpu_factor: is.cpu_factor, warm_up: is.warm_up }
    }

    fn log(&self, what: impl Into<String>, cx: &mut Cx<'_>) {
        cx.shared.observer.log(cx.kernel.now(), sim_core::observations::LogKind::Lifecycle, &self.name, what.into());
    }
}
