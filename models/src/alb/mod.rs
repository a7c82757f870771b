//! Application Load Balancer: listener rules, weighted target groups, balancing algorithms, target health, draining.

use sim_core::SimDuration;

use crate::ids::*;
use crate::observer::Observed;
use crate::request::*;
use crate::world::Cx;

/// A load balancer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Listener rules in order of priority; the last one is the default action.
    pub rules: Vec<Rule>,
    /// For each [`PathId`]: which rule matches first.
    pub rule_of_path: Vec<u16>,
    /// Target groups, by [`TargetGroupId`].
    pub target_groups: Vec<TargetGroup>,
    /// `idle_timeout.timeout_seconds` (60 s): a target silent for longer gives 504.
    pub idle_timeout: SimDuration,
    /// Time to process a request (assumption A8: 1 ms).
    pub added_latency: SimDuration,
    /// Round trip to targets.
    pub target_rtt: SimDuration,
}

/// A listener rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Path pattern as written (`*` for the default action).
    pub path_pattern: String,
    /// What is done.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Forward to one of up to five target groups by weight (0..=999).
    Forward(Vec<(TargetGroupId, u32)>),
    /// Answer with a status.
    FixedResponse(u16),
}

/// A target group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// `load_balancing.algorithm.type`.
    pub algorithm: Algorithm,
    /// Health checks.
    pub health_check: HealthCheck,
    /// `deregistration_delay.timeout_seconds` (300 s).
    pub deregistration_delay: SimDuration,
    /// Who serves.
    pub targets: Targets,
}

/// Who serves a target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The tasks of a service, registered and deregistered by ECS.
    Ecs(EcsId),
    /// Plain stations, each one target, registered for good.
    Station(StationId),
}

/// How a target is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// In turn (AWS's default).
    #[default]
    RoundRobin,
    /// The fewest requests in progress.
    LeastOutstandingRequests,
    /// At random, evenly.
    WeightedRandom,
}

/// Health checks of a target group.
#[derive(Clone, Copy, Debug)]
pub struct HealthCheck {
    /// Off: targets are healthy from registration on (for textbook queues).
    pub enabled: bool,
    /// `HealthCheckIntervalSeconds` (30 s).
    pub interval: SimDuration,
    /// `HealthCheckTimeoutSeconds` (5 s).
    pub timeout: SimDuration,
    /// `HealthyThresholdCount` (5); a new target needs one.
    pub healthy_threshold: u32,
    /// `UnhealthyThresholdCount` (2).
    pub unhealthy_threshold: u32,
}

/// What happens inside a load balancer.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request has been processed and is to be forwarded.
    Route(RequestKey),
    /// A target is due for a health check.
    Check(TargetKey),
    /// A health check has had its time.
    CheckTimeout(RequestKey),
    /// A target has been silent for the idle timeout.
    IdleTimeout(RequestKey),
    /// A target's deregistration delay is over.
    DrainOver(TargetKey),
}

/// A load balancer.
#[derive(Debug)]
pub struct Alb {}

impl Alb {
    /// Builds it.
    #[must_use]
    pub fn new(_id: AlbId, _settings: &Settings, _cx: &mut Cx<'_>) -> Self {
        Self {}
    }
    /// A request arrives.
    pub fn on_offer(&mut self, _key: RequestKey, _cx: &mut Cx<'_>) {}
    /// A request comes back from a target; its frame has been taken off.
    pub fn on_reply(&mut self, _key: RequestKey, _target: TargetKey, _cx: &mut Cx<'_>) {}
    /// A health check comes back from a target; its frame has been taken off. The load balancer removes the request.
    pub fn on_probe_reply(&mut self, _key: RequestKey, _target: TargetKey, _cx: &mut Cx<'_>) {}
    /// Registers the targets that are no tasks and schedules the first checks.
    pub fn start(&mut self, _cx: &mut Cx<'_>) {}
    /// Handles one of its events.
    pub fn on(&mut self, _event: Event, _cx: &mut Cx<'_>) {}
    /// A target joins a group.
    pub fn register(&mut self, _group: TargetGroupId, _to: Endpoint, _task: TaskKey, _cx: &mut Cx<'_>) {}
    /// A target leaves a group.
    pub fn deregister(&mut self, _group: TargetGroupId, _task: TaskKey, _cx: &mut Cx<'_>) {}
    /// A target is gone at once (its task was stopped without draining): its connections break.
    pub fn target_gone(&mut self, _group: TargetGroupId, _task: TaskKey, _cx: &mut Cx<'_>) {}
    /// Blue/green: what went to `from` goes to `to`.
    pub fn switch_traffic(&mut self, _from: TargetGroupId, _to: TargetGroupId, _cx: &mut Cx<'_>) {}
}

impl Observed for Alb {}
