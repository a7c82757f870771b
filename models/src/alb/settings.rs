//! What a load balancer is told.

use sim_core::SimDuration;

use crate::address::Block;
use crate::ids::*;
use crate::request::Method;

/// What a load balancer balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Kind {
    /// Requests.
    #[default]
    Application,
    /// Connections: a Network Load Balancer. Its rules are not looked at, and it has one target group.
    Network,
}

/// A load balancer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests or connections.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The Availability Zones it is enabled in, each with a node of its own. Empty: one node for all.
    pub zones: Vec<String>,
    /// Listener rules in order of priority; the last one is the default action.
    pub rules: Vec<Rule>,
    /// Which rules requests of a path may meet, in order of priority, the last of them for sure.
    pub ways: Vec<Vec<u16>>,
    /// For each [`PathId`]: which of `ways`.
    pub way_of_path: Vec<u16>,
    /// Target groups, by [`TargetGroupId`].
    pub target_groups: Vec<TargetGroup>,
    /// `idle_timeout.timeout_seconds` (60 s): a target silent for longer gives 504.
    pub idle_timeout: SimDuration,
    /// Time to process a request (assumption A8: 1 ms).
    pub added_latency: SimDuration,
    /// Round trip to targets.
    pub target_rtt: SimDuration,
    /// `client_keep_alive.seconds` (3600 s): longest life of a client's connection.
    pub client_keep_alive: SimDuration,
    /// Requests a second that it is scaled for at the start, if it is to have a limit (assumption A7: it has none).
    pub initial_capacity: Option<f64>,
}

impl Settings {
    /// One that forwards everything to its first target group and takes no time itself; the rest as AWS has it by default.
    #[must_use]
    pub fn forwarding(name: &str, target_groups: Vec<TargetGroup>) -> Self {
        Self {
            kind: Kind::Application,
            name: name.to_owned(),
            zones: Vec::new(),
            rules: vec![Rule::any(Action::forward(TargetGroupId(0)))],
            ways: vec![vec![0]],
            way_of_path: vec![0],
            target_groups,
            idle_timeout: SimDuration::from_secs(60),
            added_latency: SimDuration::ZERO,
            target_rtt: SimDuration::ZERO,
            client_keep_alive: SimDuration::from_secs(3600),
            initial_capacity: None,
        }
    }
}

/// A listener rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Path patterns as written (`*` for the default action); one of them is enough.
    pub path_patterns: Vec<String>,
    /// What else must hold.
    pub conditions: Conditions,
    /// What is done.
    pub action: Action,
}

impl Rule {
    /// A rule for every request.
    #[must_use]
    pub fn any(action: Action) -> Self {
        Self { path_patterns: vec!["*".to_owned()], conditions: Conditions::default(), action }
    }
}

/// What must hold of a request beside its path. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Of clients, and of a route of traffic whose host, headers and query string fit: by [`RouteId`]. None: whatever they are.
    pub routes: Option<Vec<bool>>,
    /// One of these methods; none: any.
    pub methods: Vec<Method>,
    /// The other end of the connection has an address in one of these blocks; none: any.
    pub sources: Vec<Block>,
}

impl Conditions {
    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_none() && self.methods.is_empty() && self.sources.is_empty()
    }
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Forward to a target group.
    Forward(Forward),
    /// Answer with a status.
    FixedResponse(u16),
    /// Send the client to another path.
    Redirect {
        /// 301 or 302.
        status: u16,
        /// Where to.
        path: PathId,
    },
}

impl Action {
    /// Forwards to one target group.
    #[must_use]
    pub fn forward(group: TargetGroupId) -> Self {
        Self::Forward(Forward { groups: vec![(group, 1)], stickiness: None })
    }
}

/// Target groups with weights.
#[derive(Clone, Debug)]
pub struct Forward {
    /// One to five target groups with their weights (0..=999).
    pub groups: Vec<(TargetGroupId, u32)>,
    /// `TargetGroupStickinessConfig`: how long a client stays with its target group.
    pub stickiness: Option<SimDuration>,
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
    /// For each zone of the targets' service: which of the load balancer's zones it is.
    pub zone_of_target: Vec<u8>,
    /// `load_balancing.cross_zone.enabled`: nodes send to targets of all zones, not only of their own.
    pub cross_zone: bool,
    /// `stickiness`: how long a client stays with its target after each request.
    pub stickiness: Option<SimDuration>,
    /// `slow_start.duration_seconds`: time in which a new target comes to its full share; zero: at once.
    pub slow_start: SimDuration,
    /// `load_balancing.algorithm.anomaly_mitigation`.
    pub anomaly_mitigation: bool,
    /// `target_group_health.dns_failover`: below it a zone's address leaves DNS.
    pub dns_failover: Minimum,
    /// `target_group_health.unhealthy_state_routing`: below it a node sends to all its targets (fail open).
    pub unhealthy_state_routing: Minimum,
}

impl TargetGroup {
    /// A target group as AWS makes it by default.
    #[must_use]
    pub fn new(name: &str, targets: Targets) -> Self {
        Self {
            name: name.to_owned(),
            algorithm: Algorithm::RoundRobin,
            health_check: HealthCheck::default(),
            deregistration_delay: SimDuration::from_secs(300),
            targets,
            zone_of_target: Vec::new(),
            cross_zone: true,
            stickiness: None,
            slow_start: SimDuration::ZERO,
            anomaly_mitigation: false,
            dns_failover: Minimum::default(),
            unhealthy_state_routing: Minimum::default(),
        }
    }
}

/// How many targets must be healthy: both must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// So many.
    pub count: u32,
    /// So many of a hundred registered.
    pub percentage: Option<u32>,
}

impl Default for Minimum {
    /// One (elbv2 API).
    fn default() -> Self {
        Self { count: 1, percentage: None }
    }
}

impl Minimum {
    /// Whether so many healthy targets of so many registered are enough.
    #[must_use]
    pub fn is_met(self, healthy: usize, registered: usize) -> bool {
        healthy >= self.count as usize
            && self.percentage.is_none_or(|percentage| healthy * 100 >= percentage as usize * registered)
    }
}

/// Who serves a target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The tasks of a service, registered and deregistered by ECS.
    Ecs(EcsId),
    /// The instances of an Auto Scaling group, registered and deregistered by it.
    Ec2(Ec2Id),
    /// Plain stations, each one target, registered for good.
    Station(StationId),
}

impl Targets {
    /// Whose tasks or instances they are, if anybody's.
    #[must_use]
    pub fn service(self) -> Option<ComputeId> {
        match self {
            Self::Ecs(id) => Some(id.into()),
            Self::Ec2(id) => Some(id.into()),
            Self::Station(_) => None,
        }
    }
}

/// How a target is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// In turn (AWS's default).
    #[default]
    RoundRobin,
    /// The fewest requests in progress.
    LeastOutstandingRequests,
    /// At random, evenly unless anomalies are mitigated.
    WeightedRandom,
    /// Two different ones at random, of these the one with fewer outstanding requests (Mitzenmacher 2001,
    /// doi:10.1109/71.963420). No ALB does this.
    PowerOfTwo,
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

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: SimDuration::from_secs(30),
            timeout: SimDuration::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 2,
        }
    }
}
