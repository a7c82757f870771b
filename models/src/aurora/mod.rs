//! Aurora: cluster and reader endpoints, connection pools, CPU, failover.

use sim_core::SimDuration;
use sim_core::distribution::Distribution;

use crate::ids::*;
use crate::observer::Observed;
use crate::request::*;
use crate::world::Cx;

/// A cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// The first is the writer at the start.
    pub instances: Vec<Instance>,
    /// What callers ask, by [`Request::operation`].
    pub statements: Vec<Statement>,
    /// Each calling task's pool.
    pub pool: Pool,
    /// TTL of the endpoints' DNS records (5 s).
    pub dns_ttl: SimDuration,
    /// Time to open a connection.
    pub connect_time: SimDuration,
    /// How a failover goes.
    pub failover: Failover,
    /// Time after which a query on an unreachable instance is noticed by its client, if the call has no timeout of its own.
    pub socket_timeout: SimDuration,
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its class, such as `db.r6g.large`.
    pub class: String,
    /// Cores.
    pub vcpu: f64,
    /// `max_connections`.
    pub max_connections: u32,
    /// Memory in GiB: the size that breaks ties of tier.
    pub memory_gib: f64,
    /// Its zone.
    pub zone: String,
    /// `PromotionTier`, 0..=15.
    pub promotion_tier: u8,
}

/// A kind of query.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Which endpoint it uses.
    pub endpoint: ClusterEndpoint,
    /// Whether it writes: refused by a reader (error 1290).
    pub write: bool,
    /// CPU time on the instance.
    pub cpu: Distribution,
    /// Elapsed time without CPU (storage, locks).
    pub wait: Distribution,
}

/// Which endpoint of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterEndpoint {
    /// The writer's.
    Cluster,
    /// The readers': one is picked at each resolution; the writer if there is none.
    Reader,
}

/// A calling task's connection pool, one per endpoint.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Most connections.
    pub max_size: u32,
    /// How long a request waits for one.
    pub acquire_timeout: SimDuration,
}

/// How a failover goes.
#[derive(Clone, Debug)]
pub struct Failover {
    /// From a crash to the decision (assumption: 10 s); none for a failover that is asked for.
    pub detection: SimDuration,
    /// From the decision until the promoted reader accepts writes (30 s, Aurora FAQ).
    pub promotion: SimDuration,
    /// From then until the cluster endpoint's record names it.
    pub dns_update: SimDuration,
    /// How long the old writer (or the only instance) is away.
    pub restart: SimDuration,
}

/// What happens inside a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A connection has been opened, or refused, for a request.
    Connected(RequestKey),
    /// An instance's earliest query is done (instance, epoch of its processor sharing).
    Completed(u16, u32),
    /// A query's elapsed time without CPU is over.
    Waited(RequestKey),
    /// A request has waited for a connection for long enough.
    AcquireTimeout(RequestKey),
    /// A query's client notices that nobody answers.
    SocketTimeout(RequestKey),
    /// A step of a failover: its number.
    Failover(u16),
}

/// A cluster.
#[derive(Debug)]
pub struct Aurora {}

impl Aurora {
    /// Builds it.
    #[must_use]
    pub fn new(_id: AuroraId, _settings: &Settings, _cx: &mut Cx<'_>) -> Self {
        Self {}
    }
    /// A query arrives. `request.bottom()` is the calling task's frame; `request.client` its slot.
    pub fn on_offer(&mut self, _key: RequestKey, _cx: &mut Cx<'_>) {}
    /// Handles one of its events.
    pub fn on(&mut self, _event: Event, _cx: &mut Cx<'_>) {}
    /// A calling task is gone: its connections close.
    pub fn task_gone(&mut self, _ecs: EcsId, _task: TaskKey, _cx: &mut Cx<'_>) {}
    /// `aws:rds:failover-db-cluster`.
    pub fn fail_over(&mut self, _cx: &mut Cx<'_>) {}
}

impl Observed for Aurora {}
