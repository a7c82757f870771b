//! Aurora: cluster and reader endpoints, connection pools, CPU, failover.
//!
//! A query passes three places: the calling task's pool (`pool`), where it gets a connection, the CPU of the instance that the
//! connection leads to (`server`), and a time without CPU. Which instance that is, a DNS answer decided when the connection
//! was opened; what a change of writer does to all of it is told in `failover`.

mod failover;
mod figures;
mod pool;
mod server;
#[cfg(test)]
mod tests;

use sim_core::distribution::Distribution;
use sim_core::observations::LogKind;
use sim_core::slab::{Key, Slab};
use sim_core::{LaneId, SimDuration, SimTime};

use crate::ids::*;
use crate::request::*;
use crate::world::{self, Cx};
use failover::Roles;
pub use failover::Step;
use figures::Books;
use pool::{Caller, Connection, Phase, Pools};
use server::Server;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// From the decision (at once: a failover is asked for) until the promoted reader accepts writes (30 s, Aurora FAQ).
    pub promotion: SimDuration,
    /// From then until the cluster endpoint's record names it.
    pub dns_update: SimDuration,
    /// How long the old writer is away, and the only instance of a cluster without readers (30 s; 10 min for the latter).
    pub restart: SimDuration,
}

/// What happens inside a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The attempt to open a connection has its outcome.
    Connected(Key),
    /// An instance's earliest query may be done (instance, number of the forecast).
    Completed(u16, u32),
    /// The elapsed time without CPU of a connection's query is over.
    Waited(Key),
    /// The caller has its answer, and the connection is free.
    Returned(Key),
    /// A request has waited for a connection for long enough.
    AcquireTimeout(RequestKey),
    /// A step of the failover under way.
    Failover(Step),
}

/// A cluster at work.
#[derive(Debug)]
pub struct Aurora {
    id: AuroraId,
    name: String,
    statements: Vec<Statement>,
    max_size: u32,
    connecting: LaneId,
    acquiring: LaneId,
    acquire_timeout: SimDuration,
    dns_ttl: SimDuration,
    failover: Failover,
    servers: Vec<Server>,
    roles: Roles,
    /// Until when a change of the schema keeps writes out, and whether they wait for its end.
    writes_paused_until: SimTime,
    paused_writes_wait: bool,
    /// By number of the calling service and slot of the task.
    callers: Vec<Vec<Option<Caller>>>,
    connections: Slab<Connection>,
    /// Of all tasks, by endpoint.
    pools: [Pools; 2],
    books: Books,
}

impl Aurora {
    /// Builds it: all instances up, pools empty.
    #[must_use]
    pub fn new(id: AuroraId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("aurora.{}", settings.name);
        let uses = |endpoint| settings.statements.iter().any(|statement| statement.endpoint == endpoint);
        let mut pools = |endpoint, what| Pools::new(format!("{name} {what} pools"), uses(endpoint), cx);
        let pools = [pools(ClusterEndpoint::Cluster, "writer"), pools(ClusterEndpoint::Reader, "reader")];
        Self {
            id,
            statements: settings.statements.clone(),
            max_size: settings.pool.max_size,
            connecting: cx.kernel.lane(settings.connect_time),
            acquiring: cx.kernel.lane(settings.pool.acquire_timeout),
            acquire_timeout: settings.pool.acquire_timeout,
            dns_ttl: settings.dns_ttl,
            failover: settings.failover.clone(),
            servers: settings.instances.iter().map(|instance| Server::new(&name, instance, cx)).collect(),
            roles: Roles::new(cx.shared.streams.key(&name, "promotion order")),
            writes_paused_until: SimTime::ZERO,
            paused_writes_wait: false,
            callers: Vec::new(),
            connections: Slab::new(),
            pools,
            books: Books::default(),
            name,
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Aurora(self.id, event)
    }

    /// A query arrives. `request.bottom()` is the calling task's frame, `request.target` the task.
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.books.offered += 1;
        let request = cx.request(key);
        request.joined = now;
        let endpoint = self.statements[request.operation as usize].endpoint;
        let (service, task) = pool::caller_of(request);
        let Some(id) = self.enlist(service, task, endpoint, cx) else {
            // The task was stopped while its call was on the way.
            return self.settle(key, Outcome::failed(0, Cause::ConnectionLost), cx);
        };
        let max_size = self.max_size;
        let pool = self.pool(id);
        if let Some(connection) = pool.idle.pop() {
            self.pools[endpoint as usize].tally.join_served(now);
            if self.send(connection, key, cx) {
                self.hand_on(connection, cx);
            }
            return;
        }
        let room = pool.open < max_size;
        self.pools[endpoint as usize].tally.join(now);
        if room {
            self.open(id, key, cx);
        } else {
            self.wait_for_connection(id, key, cx);
        }
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Connected(connection) => self.connected(connection, cx),
            Event::Completed(server, forecast) => self.cpu_due(server, forecast, cx),
            Event::Waited(connection) => {
                // A connection that was reset has taken its query with it.
                if self.connections.contains(connection) {
                    self.answered(connection, cx);
                }
            }
            Event::Returned(connection) => {
                if self.connections.contains(connection) {
                    self.free(connection, cx);
                }
            }
            Event::AcquireTimeout(key) => self.acquire_timed_out(key, cx),
            Event::Failover(step) => self.step(step, cx),
        }
    }

    /// A query goes to the instance at the other end of a connection that nobody uses. Returns whether the connection is
    /// still there and free, because the instance refused at once.
    fn send(&mut self, connection: Key, key: RequestKey, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let request = &cx.shared.requests[key];
        let statement = &self.statements[request.operation as usize];
        let wire = &mut self.connections[connection];
        wire.query = key;
        wire.joined = request.joined;
        if statement.write && self.roles.writer != Some(wire.server) {
            return self.refuse_write(connection, cx);
        }
        let demand = statement.cpu.sample_duration(&mut request.draws(purpose::SERVICE));
        if statement.write && now < self.writes_paused_until {
            if !self.paused_writes_wait {
                self.answer_read_only(connection, cx);
                return true;
            }
            // It waits for the lock on its connection; the CPU it takes then is time, and loads nobody.
            wire.phase = Phase::Waiting;
            let wait = statement.wait.sample_duration(&mut request.draws(purpose::WAIT));
            let over = self.writes_paused_until + demand + wait;
            cx.kernel.schedule_at(over, self.event(Event::Waited(connection)));
        } else if demand.is_zero() {
            // Through the event list even if it takes no time: a long queue must not become a deep stack.
            wire.phase = Phase::Waiting;
            let wait = statement.wait.sample_duration(&mut request.draws(purpose::WAIT));
            cx.kernel.schedule_in(wait, self.event(Event::Waited(connection)));
        } else {
            wire.phase = Phase::Cpu;
            wire.since = now;
            let number = wire.server;
            let server = &mut self.servers[number as usize];
            server.tally.join_served(now);
            server.cpu.offer(now, connection, demand);
            self.forecast(number, cx);
        }
        false
    }

    /// A change of the schema begins: for a while writes wait on their connections for its lock, or are answered that the server is
    /// read only (MySQL error 1290, `--read-only`). Reads go on.
    pub fn pause_writes(&mut self, duration: SimDuration, wait: bool, cx: &mut Cx<'_>) {
        let until = cx.now() + duration;
        self.writes_paused_until = until;
        self.paused_writes_wait = wait;
        let what = if wait {
            "writes wait for a change of the schema"
        } else {
            "writes fail: read only for a change of the schema"
        };
        cx.shared.observer.log_span(cx.kernel.now(), Some(until), LogKind::Deployment, &self.name, what);
    }

    /// A write on a reader: MySQL error 1290. The pool of the cluster endpoint takes it for a sign that the connection leads to
    /// a demoted writer and discards it, as drivers that know Aurora do; in the reader endpoint's pool it is the statement that
    /// is wrong, and the connection stays. Returns whether it does.
    fn refuse_write(&mut self, connection: Key, cx: &mut Cx<'_>) -> bool {
        let pool = self.connections[connection].pool;
        self.answer_read_only(connection, cx);
        if pool.endpoint == ClusterEndpoint::Reader {
            return true;
        }
        self.hang_up(connection);
        self.refill(pool, cx);
        false
    }

    /// Answers the query of a connection with MySQL's error 1290.
    fn answer_read_only(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Connection { query, joined, pool, .. } = self.connections[connection];
        self.pools[pool.endpoint as usize].tally.leave(cx.now(), joined);
        self.settle(query, Outcome::failed(0, Cause::ReadOnly), cx);
    }

    /// An instance may have done with some queries' CPU time.
    fn cpu_due(&mut self, number: u16, forecast: u32, cx: &mut Cx<'_>) {
        let now = cx.now();
        if !self.servers[number as usize].comes_true(forecast) {
            return;
        }
        loop {
            let server = &mut self.servers[number as usize];
            let Some(connection) = server.cpu.pop_completed(now) else { break };
            server.tally.leave(now, self.connections[connection].since);
            self.wait_without_cpu(connection, cx);
        }
        self.forecast(number, cx);
    }

    /// Sees to it that an instance's next completion is on the event list.
    fn forecast(&mut self, number: u16, cx: &mut Cx<'_>) {
        if let Some((at, forecast)) = self.servers[number as usize].forecast() {
            cx.kernel.schedule_at(at, self.event(Event::Completed(number, forecast)));
        }
    }

    fn wait_without_cpu(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let wire = &mut self.connections[connection];
        let request = &cx.shared.requests[wire.query];
        let statement = &self.statements[request.operation as usize];
        let wait = statement.wait.sample_duration(&mut request.draws(purpose::WAIT));
        if wait.is_zero() {
            return self.answered(connection, cx);
        }
        wire.phase = Phase::Waiting;
        cx.kernel.schedule_in(wait, self.event(Event::Waited(connection)));
    }

    /// A query is done. Its connection is free when the caller has the answer.
    fn answered(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let wire = &mut self.connections[connection];
        wire.phase = Phase::Returning;
        let key = wire.query;
        self.servers[wire.server as usize].answered += 1;
        let back = cx.request(key).top().back;
        self.settle(key, Outcome::OK, cx);
        match back.lane() {
            None => self.free(connection, cx),
            Some(lane) => cx.kernel.schedule_lane(lane, self.event(Event::Returned(connection))),
        }
    }

    /// Answers a request, the only time it is.
    fn settle(&mut self, key: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        request.state = pool::NOT_WAITING;
        self.books.settle(outcome, request.abandoned);
        cx.reply(key, outcome);
    }
}
