//! Databases: Aurora clusters, and RDS databases, which are the same with other instances, times and storage: endpoints, connection pools, RDS Proxy, CPU, replica lag, caches, failover, planned changes.
//!
//! A query passes three places: the calling task's pool (`pool`), where it gets a connection, the CPU of the instance that the
//! connection leads to (`server`), and a time without CPU. With an RDS Proxy (`proxy`) the task's connection leads there, and
//! the proxy's own pool has the connections to instances. Which instance that is, a DNS answer, the driver or the proxy
//! decided when the connection was opened; what a change of writer does to all of it is told in `failover`, what instances
//! that do not answer do to it in `outage`, and what is planned in `plan`.

mod failover;
mod figures;
mod global;
mod lag;
mod outage;
mod pause;
mod plan;
mod pool;
mod probe;
mod promotion;
mod proxy;
mod readers;
mod server;
mod serverless;
mod settings;
mod storage;
#[cfg(test)]
mod tests;
mod usage;
mod volume;

use sim_core::observations::LogKind;
use sim_core::slab::{Key, Slab};
use sim_core::{LaneId, SimDuration, SimTime};

use crate::ids::*;
use crate::request::*;
use crate::world::{self, Cx};
use failover::Roles;
pub use failover::Step;
use figures::Books;
use global::Global;
pub use global::{GlobalSettings, News};
use lag::Lag;
pub use pause::AutoPause;
use pause::Pauses;
use pool::{Caller, Connection, Phase, PoolId, Pools};
pub use probe::Probe;
use proxy::FrontDesk;
use readers::Readers;
pub use readers::{ReaderScaling, reader_metric};
use server::{Reach, Server};
pub use settings::*;

/// Whether a query pins its session, among a request's own draws.
const PINNING: u64 = 0x2001;
/// How many pages a query misses in the cache, and how long one takes.
const PAGES: u64 = 0x2002;

/// What happens inside a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The attempt to open a connection has its outcome.
    Connected(Key),
    /// An attempt to open a connection has had no answer for long enough.
    ConnectTimeout(Key),
    /// A driver looks again whether there is a writer.
    LookAgain(Key),
    /// The test of a connection has had no answer for long enough.
    Validated(Key),
    /// A query has come through to the proxy.
    AtProxy(Key),
    /// An instance's earliest query may be done (instance, number of the forecast).
    Completed(u16, u32),
    /// The elapsed time without CPU of a connection's query is over.
    Waited(Key),
    /// The caller of a query without an answer gives its connection up.
    GivenUp(Key),
    /// The caller has its answer, and the connection is free.
    Returned(Key),
    /// A request has waited for a connection for long enough.
    AcquireTimeout(RequestKey),
    /// A step of the failover under way.
    Failover(Step),
    /// An instance's failure is noticed.
    Detected(u16),
    /// An instance may be back.
    Back(u16),
    /// A pause of an instance's work is over.
    Resumed(u16),
    /// A serverless instance that was paused is awake.
    Awake(u16),
    /// The records of the reader endpoint name a reader that was added.
    Listed(u16),
    /// A second is over: capacity of serverless instances follows their load.
    SecondOver,
    /// A probe is due: its number.
    Probe(u16),
    /// One has waited for its answer for long enough.
    ProbeTimeout(u16),
    /// A planned change begins: its number.
    Change(u16),
    /// A planned change goes on.
    ChangeGoesOn,
}

/// A cluster at work.
#[derive(Debug)]
pub struct Aurora {
    id: AuroraId,
    name: String,
    endpoints: Vec<ClusterEndpoint>,
    statements: Vec<Statement>,
    pool: Pool,
    connecting: LaneId,
    acquiring: LaneId,
    dns_ttl: SimDuration,
    connect_time: SimDuration,
    /// Draws how old resolvers' answers are, for callers with a cache of their own.
    resolvers: sim_core::random::Stream,
    failover: Failover,
    buffer_cache: BufferCache,
    commit: SimDuration,
    serverless: Option<Serverless>,
    pauses: Option<Pauses>,
    readers: Option<Readers>,
    global: Option<Global>,
    servers: Vec<Server>,
    roles: Roles,
    lag: Lag,
    /// Until when a change of the schema keeps writes out, and whether they wait for its end.
    writes_paused_until: SimTime,
    paused_writes_wait: bool,
    /// By number of the calling service and slot of the task.
    callers: Vec<Vec<Option<Caller>>>,
    connections: Slab<Connection>,
    /// Of all tasks, by endpoint.
    pools: Vec<Pools>,
    proxy: Option<FrontDesk>,
    plan: plan::Plan,
    probers: Vec<probe::Prober>,
    storage: storage::Storage,
    billing: Billing,
    /// Storage there is, and GB-seconds of it since counting began.
    allocated: usage::Allocated,
    books: Books,
}

impl Aurora {
    /// Builds it: all instances up, pools empty.
    #[must_use]
    pub fn new(id: AuroraId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = settings.name.clone();
        let pools = settings.endpoints.iter().map(|endpoint| {
            let of = pool::endpoint_name(endpoint, &settings.instances);
            Pools::new(format!("{name} {of} pools"), cx)
        });
        let pools = pools.collect();
        let mut aurora = Self {
            id,
            endpoints: settings.endpoints.clone(),
            statements: settings.statements.clone(),
            connecting: cx.kernel.lane(settings.connect_time),
            acquiring: cx.kernel.lane(settings.pool.acquire_timeout),
            pool: settings.pool.clone(),
            dns_ttl: settings.dns_ttl,
            connect_time: settings.connect_time,
            resolvers: cx.shared.streams.stream(&name, "age of resolvers' answers"),
            failover: settings.failover.clone(),
            buffer_cache: settings.buffer_cache.clone(),
            commit: settings.commit,
            serverless: settings.serverless,
            pauses: settings.pauses.as_ref().map(|pauses| Pauses::new(&name, pauses, cx)),
            readers: None,
            global: settings.global.as_ref().map(|global| Global::new(id, &name, global, cx)),
            servers: settings.instances.iter().map(|instance| Server::new(settings, instance, cx)).collect(),
            roles: Roles::new(cx.shared.streams.key(&name, "promotion order"), settings.endpoints.len()),
            lag: Lag::new(&settings.replication),
            writes_paused_until: SimTime::ZERO,
            paused_writes_wait: false,
            callers: Vec::new(),
            connections: Slab::new(),
            pools,
            proxy: None,
            probers: settings.probes.iter().map(|probe| probe::Prober::new(probe, cx)).collect(),
            plan: plan::Plan::new(&settings.changes, cx.shared.streams.key(&name, "patching")),
            storage: storage::Storage::default(),
            billing: settings.billing,
            allocated: usage::Allocated::new(settings.billing.gigabytes),
            books: Books::default(),
            name,
        };
        aurora.prepare_readers(settings, cx);
        if settings.changes.iter().any(|planned| matches!(planned.change, Change::Promote { .. })) {
            aurora.lag.track();
        }
        aurora.proxy = settings.proxy.as_ref().map(|proxy| FrontDesk::new(&aurora, proxy, cx));
        if aurora.proxy.is_some() {
            aurora.open_proxy(cx);
        }
        aurora
    }

    /// The run begins: what is planned is scheduled.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for server in self.servers.iter().filter(|server| server.exists()) {
            cx.down(&server.name, false);
        }
        if self.is_secondary() {
            self.roles.writer = None;
        } else {
            self.set_writer(self.roles.writer, cx);
        }
        self.start_probes(cx);
        if self.serverless.is_some() {
            cx.kernel.schedule_in(serverless::PERIOD, self.event(Event::SecondOver));
        }
        for (number, at) in self.plan.times().enumerate() {
            cx.kernel.schedule_at(at, self.event(Event::Change(number as u16)));
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Aurora(self.id, event)
    }

    /// A query arrives. `request.bottom()` is the calling task's frame, `request.target` the task.
    #[inline(never)]
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
        self.arrive(id, key, cx);
    }

    /// A query needs a connection of a pool.
    fn arrive(&mut self, id: PoolId, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        match self.take_idle(id, now) {
            Some(connection) if !self.is_suspect(connection) => {
                self.station(id).tally.join_served(now);
                if self.send(connection, key, cx) {
                    self.hand_on(connection, cx);
                }
            }
            idle => {
                self.station(id).tally.join(now);
                self.acquire(id, key, idle, cx);
            }
        }
    }

    /// Handles one of its events.
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Connected(connection) => self.connected(connection, cx),
            Event::ConnectTimeout(connection) => self.connect_timed_out(connection, cx),
            Event::LookAgain(connection) => self.look_for_instance(connection, cx),
            Event::Validated(connection) => self.test_failed(connection, cx),
            Event::AtProxy(connection) => self.at_proxy(connection, cx),
            Event::Completed(server, forecast) => self.cpu_due(server, forecast, cx),
            Event::Waited(connection) => {
                // A connection that was reset has taken its query with it; one that hangs keeps it.
                if self.connections.get(connection).is_some_and(|wire| wire.phase == Phase::Waiting) {
                    self.answered(connection, cx);
                }
            }
            Event::GivenUp(connection) => self.give_up(connection, cx),
            Event::Returned(connection) => {
                if self.connections.contains(connection) {
                    self.free(connection, cx);
                }
            }
            Event::AcquireTimeout(key) => self.acquire_timed_out(key, cx),
            Event::Failover(step) => self.step(step, cx),
            Event::Detected(server) => self.detected(server, cx),
            Event::Back(server) => self.back(server, cx),
            Event::Resumed(server) => self.resume(server, cx),
            Event::Awake(server) => self.awake(server, cx),
            Event::Listed(server) => self.list_reader(server),
            Event::SecondOver => self.follow_load(cx),
            Event::Probe(number) => self.probe(number, cx),
            Event::ProbeTimeout(number) => self.probe_timed_out(number, cx),
            Event::Change(number) => self.change(number, cx),
            Event::ChangeGoesOn => self.change_goes_on(cx),
        }
    }

    /// A query goes to the other end of a connection that nobody uses. Returns whether the connection is still there and free,
    /// because the instance refused at once.
    fn send(&mut self, connection: Key, key: RequestKey, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let request = &cx.shared.requests[key];
        let statement = &self.statements[request.operation as usize];
        let wire = &mut self.connections[connection];
        wire.query = key;
        wire.joined = request.joined;
        wire.since = now;
        if wire.leads_to_proxy() {
            self.send_to_proxy(connection, cx);
            return false;
        }
        if wire.pool.is_proxys() {
            wire.partner = request.target;
        }
        let number = wire.server;
        let server = &mut self.servers[number as usize];
        if server.reach == Reach::Silent {
            self.hang(connection, cx);
            return false;
        }
        let is_writer = self.roles.writer == Some(number) || server.kind == Kind::Apart;
        if statement.write && !is_writer {
            return self.refuse_write(connection, cx);
        }
        if !is_writer && !statement.write {
            self.lag.read(now);
        }
        let demand = statement.cpu.sample_duration(&mut request.draws(purpose::SERVICE));
        if statement.write && now < self.writes_paused_until {
            if !self.paused_writes_wait {
                self.answer_read_only(connection, cx);
                return true;
            }
            // It waits for the lock on its connection; the CPU it takes then is time, and loads nobody.
            let over = self.writes_paused_until + demand + self.time_without_cpu(connection, cx);
            self.connections[connection].phase = Phase::Waiting;
            cx.kernel.schedule_at(over, self.event(Event::Waited(connection)));
        } else if demand.is_zero() {
            if self.stalls(connection, cx) {
                self.stall(connection, cx);
                return false;
            }
            // Through the event list even if it takes no time: a long queue must not become a deep stack.
            let wait = self.time_without_cpu(connection, cx);
            self.connections[connection].phase = Phase::Waiting;
            cx.kernel.schedule_in(wait, self.event(Event::Waited(connection)));
        } else {
            wire.phase = Phase::Cpu;
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
    /// a demoted writer and discards it, as drivers that know Aurora do; in other endpoints' pools it is the statement that
    /// is wrong, and the connection stays. Returns whether it does.
    fn refuse_write(&mut self, connection: Key, cx: &mut Cx<'_>) -> bool {
        let pool = self.connections[connection].pool;
        self.answer_read_only(connection, cx);
        self.misses_primary(cx);
        if self.endpoints[pool.endpoint as usize] != ClusterEndpoint::Cluster {
            return true;
        }
        self.hang_up(connection, cx);
        self.refill(pool, cx);
        false
    }

    /// Answers the query of a connection with MySQL's error 1290.
    fn answer_read_only(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Connection { query, joined, pool, .. } = self.connections[connection];
        self.station(pool).tally.leave(cx.now(), joined);
        self.fail(pool, query, Cause::ReadOnly, false, cx);
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

    /// What a query takes beside CPU: its own time, and that of the pages which are not in memory.
    fn time_without_cpu(&mut self, connection: Key, cx: &mut Cx<'_>) -> SimDuration {
        let now = cx.now();
        let wire = &self.connections[connection];
        let request = &cx.shared.requests[wire.query];
        let statement = &self.statements[request.operation as usize];
        let mut wait = statement.wait.sample_duration(&mut request.draws(purpose::WAIT));
        if statement.write {
            wait += self.commit + self.lag.delay_of_commit(now);
        }
        if statement.pages > 0 {
            let mut draws = request.draws(PAGES);
            let server = &mut self.servers[wire.server as usize];
            let misses = server.misses(now, statement.pages, &self.buffer_cache, &mut draws);
            if misses > 0 {
                wait += self.buffer_cache.miss_time.sample_duration(&mut draws).times(misses.into());
            }
            self.books.pages_read += u64::from(misses);
            if let Some(disk) = &mut server.disk {
                // Pages that are written go to the volume too.
                let ios = misses + if statement.write { statement.pages } else { 0 };
                wait += disk.take(now, ios.into());
            }
        }
        wait
    }

    fn wait_without_cpu(&mut self, connection: Key, cx: &mut Cx<'_>) {
        if self.stalls(connection, cx) {
            return self.stall(connection, cx);
        }
        let wait = self.time_without_cpu(connection, cx);
        if wait.is_zero() {
            return self.answered(connection, cx);
        }
        self.connections[connection].phase = Phase::Waiting;
        cx.kernel.schedule_in(wait, self.event(Event::Waited(connection)));
    }

    /// A query is done. Its connection is free when the caller has the answer.
    fn answered(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let wire = &mut self.connections[connection];
        wire.phase = Phase::Returning;
        let (key, partner, proxys) = (wire.query, wire.partner, wire.pool.is_proxys());
        self.servers[wire.server as usize].answered += 1;
        if self.statements[cx.request(key).operation as usize].write {
            // What a promoted replica writes goes nowhere else.
            if self.servers[wire.server as usize].kind != Kind::Apart {
                self.lag.commit(cx.now());
            }
            self.books.writes += 1;
            self.replicate(cx);
        }
        if proxys {
            return self.answered_to_proxy(connection, partner, cx);
        }
        self.count_crossing(connection, cx);
        self.return_to_caller(connection, key, cx);
    }

    /// An answer is on its way to the caller, whose connection is free when it is there.
    fn return_to_caller(&mut self, connection: Key, key: RequestKey, cx: &mut Cx<'_>) {
        let back = cx.request(key).top().back;
        self.settle(key, Outcome::OK, cx);
        match back.lane() {
            None => self.free(connection, cx),
            Some(lane) => cx.kernel.schedule_lane(lane, self.event(Event::Returned(connection))),
        }
    }

    /// A query fails that waited for a connection of a pool or had one. If it came through the proxy, the caller's connection
    /// to that is broken too, or free.
    fn fail(&mut self, id: PoolId, key: RequestKey, cause: Cause, broken: bool, cx: &mut Cx<'_>) {
        let front = cx.request(key).target;
        self.settle(key, Outcome::failed(0, cause), cx);
        if id.is_proxys() {
            self.failed_at_proxy(front, key, broken, cx);
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
