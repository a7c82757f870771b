//! Connections: each calling task has a pool for each endpoint.

use sim_core::observations::SeriesGroup;
use sim_core::random::Source;
use sim_core::tally::StationTally;

use super::proxy::{LIFETIME, PROXY, TO_PROXY};
use super::*;
use crate::observer::FigureId;

/// [`Request::state`] of a request that waits for a connection of its caller's pool.
const WAITING: u32 = 1;
/// [`Request::state`] of a request that waits for a connection of the proxy's.
const BORROWING: u32 = 2;
/// [`Request::state`] of any other.
pub(super) const NOT_WAITING: u32 = 0;

/// The pool of one task for one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PoolId {
    pub(super) service: u16,
    pub(super) slot: u32,
    pub(super) endpoint: u16,
}

impl PoolId {
    /// Whether it is the proxy's: its connections lead to instances, and its queries come from other pools' connections.
    pub(super) fn is_proxys(self) -> bool {
        self.service == PROXY
    }
}

/// A calling task.
#[derive(Debug)]
pub(super) struct Caller {
    task: TaskKey,
    /// Kept so that calls which were on the way when it went do not bring it back.
    gone: bool,
    pools: Box<[IdlePool]>,
}

/// A pool.
#[derive(Clone, Debug)]
pub(super) struct IdlePool {
    /// Used last, taken first.
    pub(super) idle: Vec<Key>,
    /// Connections there are: idle, in use, and being opened.
    pub(super) open: u32,
    /// Ends of the queue of those who wait, linked through [`Request::next`].
    first: RequestKey,
    last: RequestKey,
    waiting: u32,
    /// The instance that the endpoint's name resolved to, and until when that may be believed.
    address: u16,
    address_until: SimTime,
}

impl IdlePool {
    const fn new() -> Self {
        Self {
            idle: Vec::new(),
            open: 0,
            first: Key::NONE,
            last: Key::NONE,
            waiting: 0,
            address: 0,
            address_until: SimTime::ZERO,
        }
    }
}

/// A connection, from the attempt to open it on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) pool: PoolId,
    /// Which instance it leads to.
    pub(super) server: u16,
    pub(super) phase: Phase,
    /// Whose it is; stale when idle or returning.
    pub(super) query: RequestKey,
    /// When that came to the pool.
    pub(super) joined: SimTime,
    /// When that was sent; when idle, since when it is.
    pub(super) since: SimTime,
    /// When the attempt to open it began.
    opened: SimTime,
    /// Of the proxy's connection: the caller's, whose query it has. Of a caller's: the proxy's that its session is pinned to.
    pub(super) partner: Key,
}

impl Connection {
    pub(super) fn leads_to_proxy(&self) -> bool {
        self.server == TO_PROXY
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being opened, for a query.
    Connecting,
    /// Nothing.
    Idle,
    /// It is tested before a query gets it, and does not answer.
    Testing,
    /// Its query is on the way to the proxy.
    ToProxy,
    /// Its query is at the proxy or behind it.
    AtProxy,
    /// Nothing, but it belongs to a session at the proxy.
    Pinned,
    /// Its query uses CPU.
    Cpu,
    /// Its query takes time without CPU.
    Waiting,
    /// Its query was sent to an instance that is silent, or became so.
    Hanging,
    /// The answer is on its way.
    Returning,
}

/// All tasks' pools for one endpoint, as a station: connections are its servers.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) name: String,
    pub(super) tally: StationTally,
    pub(super) figure: FigureId,
    pub(super) at_bin: (f64, f64),
    members: u32,
}

impl Pools {
    pub(super) fn new(name: String, cx: &mut Cx<'_>) -> Self {
        let figure = cx.shared.observer.figures.register(SeriesGroup::Utilisation, &name, "ratio");
        Self { name, tally: StationTally::new(0), figure, at_bin: (0.0, 0.0), members: 0 }
    }

    fn set_members(&mut self, now: SimTime, members: u32, max_size: u32) {
        self.members = members;
        self.tally.servers(now, f64::from(members) * f64::from(max_size));
    }
}

/// How an endpoint is called in reports.
pub(super) fn endpoint_name<'a>(endpoint: &'a ClusterEndpoint, instances: &'a [Instance]) -> &'a str {
    match endpoint {
        ClusterEndpoint::Cluster => "writer",
        ClusterEndpoint::Reader => "reader",
        ClusterEndpoint::Instance(instance) => &instances[*instance as usize].name,
        ClusterEndpoint::Custom { name, .. } => name,
    }
}

/// Who makes a call: number of its service, and its task. Whoever is no task counts as one.
pub(super) fn caller_of(request: &Request) -> (u16, TaskKey) {
    match request.bottom() {
        Holder::Call(caller, _) => (number_of(caller), request.target),
        _ => (0, TaskKey::new(0, 0)),
    }
}

fn number_of(caller: ComputeId) -> u16 {
    caller.0 + 1 + PROXY
}

impl Aurora {
    pub(super) fn pool(&mut self, id: PoolId) -> &mut IdlePool {
        let caller = self.callers[id.service as usize][id.slot as usize].as_mut();
        &mut caller.expect("who has a pool was enlisted").pools[id.endpoint as usize]
    }

    /// Where a pool is counted.
    pub(super) fn station(&mut self, id: PoolId) -> &mut Pools {
        match &mut self.proxy {
            Some(proxy) if id.is_proxys() => &mut proxy.pools[id.endpoint as usize],
            _ => &mut self.pools[id.endpoint as usize],
        }
    }

    /// Most connections of a pool.
    fn limit(&self, id: PoolId) -> u32 {
        if id.is_proxys() { self.limit_of_proxy(id.endpoint) } else { self.pool.max_size }
    }

    /// The place of a calling task, made if need be.
    fn place(&mut self, service: u16, slot: u32) -> &mut Option<Caller> {
        let (service, slot) = (service as usize, slot as usize);
        if self.callers.len() <= service {
            self.callers.resize_with(service + 1, Vec::new);
        }
        let tasks = &mut self.callers[service];
        if tasks.len() <= slot {
            tasks.resize_with(slot + 1, || None);
        }
        &mut tasks[slot]
    }

    /// The pool a call belongs to; `None` if its task is gone.
    pub(super) fn enlist(&mut self, service: u16, task: TaskKey, endpoint: u16, cx: &mut Cx<'_>) -> Option<PoolId> {
        let id = PoolId { service, slot: task.slot(), endpoint };
        match self.place(service, task.slot()) {
            Some(caller) if caller.task == task => return (!caller.gone).then_some(id),
            Some(caller) if caller.task.generation() > task.generation() => return None,
            _ => self.make_room(service, task, cx),
        }
        let pools = self.empty_pools();
        *self.place(service, task.slot()) = Some(Caller { task, gone: false, pools });
        self.count_members(service, 1, cx.now());
        Some(id)
    }

    fn empty_pools(&self) -> Box<[IdlePool]> {
        vec![IdlePool::new(); self.endpoints.len()].into()
    }

    fn count_members(&mut self, service: u16, change: i32, now: SimTime) {
        for endpoint in 0..self.endpoints.len() as u16 {
            let id = PoolId { service, slot: 0, endpoint };
            let limit = self.limit(id);
            let pools = self.station(id);
            pools.set_members(now, pools.members.saturating_add_signed(change), limit);
        }
    }

    /// The instance a new connection of this pool leads to: what the endpoint's name resolves to, which the task believes
    /// for the TTL. Resolving takes no time: the resolver is in the same zone.
    ///
    /// A process with a cache of its own believes it for that cache's time instead. What it keeps then is a resolver's answer
    /// that was anything between new and as old as the TTL.
    fn resolve(&mut self, id: PoolId, now: SimTime) -> u16 {
        let (ttl, cache) = (self.dns_ttl, self.pool.dns_cache);
        let pool = self.pool(id);
        if now < pool.address_until {
            return pool.address;
        }
        let asked = match cache {
            Some(_) => {
                let age = SimDuration::from_secs_f64(self.resolvers.uniform() * ttl.as_secs_f64());
                SimTime::from_nanos(now.as_nanos().saturating_sub(age.as_nanos()))
            }
            None => now,
        };
        let address = self.address(id.endpoint, asked);
        let pool = self.pool(id);
        pool.address = address;
        pool.address_until = now + cache.unwrap_or(ttl);
        address
    }

    /// A connection that nobody uses. Those that have become too old are closed instead.
    pub(super) fn take_idle(&mut self, id: PoolId, now: SimTime) -> Option<Key> {
        let lifetime = if id.is_proxys() { Some(LIFETIME) } else { self.pool.max_lifetime };
        loop {
            let connection = self.pool(id).idle.pop()?;
            let opened = self.connections[connection].opened;
            if lifetime.is_none_or(|lifetime| now < opened + lifetime) {
                return Some(connection);
            }
            self.drop_connection(connection);
        }
    }

    /// Whether the pool's test of a connection would fail: it tests, and the other end is silent.
    pub(super) fn is_suspect(&self, connection: Key) -> bool {
        let wire = &self.connections[connection];
        let tests = self.pool.validation_timeout.is_some() && !wire.pool.is_proxys();
        tests && !wire.leads_to_proxy() && self.servers[wire.server as usize].reach == Reach::Silent
    }

    /// A query, counted as waiting, gets an idle connection if there is one, or opens one, or waits.
    pub(super) fn acquire(&mut self, id: PoolId, key: RequestKey, idle: Option<Key>, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(connection) = idle else {
            if self.pool(id).open < self.limit(id) && self.open(id, key, cx) {
                return;
            }
            return self.wait_for_connection(id, key, cx);
        };
        if self.is_suspect(connection) {
            let wire = &mut self.connections[connection];
            (wire.phase, wire.query, wire.since) = (Phase::Testing, key, now);
            let timeout = self.pool.validation_timeout.unwrap_or_default();
            return cx.kernel.schedule_in(timeout, self.event(Event::Validated(connection)));
        }
        let waited = now - cx.request(key).joined;
        self.station(id).tally.start(now, waited);
        if self.send(connection, key, cx) {
            self.hand_on(connection, cx);
        }
    }

    /// A connection that was tested has not answered: it is closed, and its query looks further.
    pub(super) fn test_failed(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Some(&Connection { pool, query, .. }) = self.connections.get(connection) else { return };
        let now = cx.now();
        self.hang_up(connection, cx);
        let request = cx.request(query);
        if request.abandoned || now >= request.joined + self.pool.acquire_timeout {
            let joined = request.joined;
            self.station(pool).tally.lose(now, joined);
            self.fail(pool, query, Cause::PoolTimeout, false, cx);
            return self.refill(pool, cx);
        }
        let idle = self.take_idle(pool, now);
        self.acquire(pool, query, idle, cx);
    }

    /// Opens a connection for a query. Returns whether it could be tried: the proxy does not while no instance answers.
    pub(super) fn open(&mut self, id: PoolId, key: RequestKey, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let mut looks = false;
        let server = if id.is_proxys() {
            let Some(server) = self.target_of_proxy(id.endpoint) else { return false };
            server
        } else if self.proxy.is_some() {
            TO_PROXY
        } else if let Driver::Wrapper(_) = self.pool.driver {
            looks = true;
            self.roles.record
        } else {
            self.resolve(id, now)
        };
        self.pool(id).open += 1;
        let connection = self.connections.insert(Connection {
            pool: id,
            server,
            phase: Phase::Connecting,
            query: key,
            joined: now,
            since: now,
            opened: now,
            partner: Key::NONE,
        });
        if looks {
            self.look_for_instance(connection, cx);
        } else {
            cx.kernel.schedule_lane(self.connecting, self.event(Event::Connected(connection)));
        }
        true
    }

    /// A driver that goes by the cluster's topology connects to an instance that answers in the role the endpoint stands for;
    /// while there is none it looks again and again.
    pub(super) fn look_for_instance(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Some(&Connection { pool, query, opened, .. }) = self.connections.get(connection) else { return };
        let Driver::Wrapper(Wrapper { topology_refresh, failover_timeout, .. }) = self.pool.driver else { return };
        let now = cx.now();
        let target = match self.endpoints[pool.endpoint as usize] {
            ClusterEndpoint::Cluster => self.roles.writer,
            _ => self.next_of(pool.endpoint, true),
        };
        if let Some(target) = target.filter(|&it| self.servers[it as usize].is_up()) {
            self.connections[connection].server = target;
            return cx.kernel.schedule_lane(self.connecting, self.event(Event::Connected(connection)));
        }
        if now >= opened + failover_timeout {
            return self.not_connected(connection, Cause::ConnectionLost, cx);
        }
        if now >= cx.request(query).joined + self.pool.acquire_timeout {
            return self.not_connected(connection, Cause::PoolTimeout, cx);
        }
        cx.kernel.schedule_in(topology_refresh, self.event(Event::LookAgain(connection)));
    }

    /// An attempt to open a connection has its outcome, unless the other end is silent.
    pub(super) fn connected(&mut self, connection: Key, cx: &mut Cx<'_>) {
        // The task may have gone meanwhile.
        let Some(&Connection { pool, server, query, .. }) = self.connections.get(connection) else { return };
        let now = cx.now();
        if server != TO_PROXY {
            let silent = self.servers[server as usize].reach == Reach::Silent;
            if silent || self.waits_for_waking(server, Some(connection), cx) {
                let patience = self.pool.connect_timeout.min(self.pool.acquire_timeout);
                return cx
                    .kernel
                    .schedule_in(patience - self.connect_time, self.event(Event::ConnectTimeout(connection)));
            }
            if let Err(cause) = self.servers[server as usize].accept() {
                return self.not_connected(connection, cause, cx);
            }
        }
        self.connections[connection].phase = Phase::Idle;
        let request = &cx.shared.requests[query];
        let (joined, abandoned) = (request.joined, request.abandoned);
        if abandoned {
            self.station(pool).tally.lose(now, joined);
            self.fail(pool, query, Cause::PoolTimeout, false, cx);
            return self.hand_on(connection, cx);
        }
        self.station(pool).tally.start(now, now - joined);
        if self.send(connection, query, cx) {
            self.hand_on(connection, cx);
        }
    }

    /// An attempt to open a connection has waited for long enough, unless it has come to its end.
    pub(super) fn connect_timed_out(&mut self, connection: Key, cx: &mut Cx<'_>) {
        if self.connections.get(connection).is_some_and(|wire| wire.phase == Phase::Connecting) {
            self.not_connected(connection, Cause::ConnectionLost, cx);
        }
    }

    /// An attempt to open a connection has failed, and its query with it.
    pub(super) fn not_connected(&mut self, connection: Key, cause: Cause, cx: &mut Cx<'_>) {
        let Some(&Connection { pool, query, .. }) = self.connections.get(connection) else { return };
        let now = cx.now();
        let joined = cx.request(query).joined;
        self.station(pool).tally.lose(now, joined);
        self.connections.remove(connection);
        self.pool(pool).open -= 1;
        self.fail(pool, query, cause, false, cx);
        self.refill(pool, cx);
    }

    /// A request waits until a connection is free.
    pub(super) fn wait_for_connection(&mut self, id: PoolId, key: RequestKey, cx: &mut Cx<'_>) {
        let pool = self.pool(id);
        pool.waiting += 1;
        let last = std::mem::replace(&mut pool.last, key);
        if last == Key::NONE {
            pool.first = key;
        } else {
            cx.request(last).next = key;
        }
        let (state, lane) = match &self.proxy {
            Some(proxy) if id.is_proxys() => (BORROWING, proxy.borrowing),
            _ => (WAITING, self.acquiring),
        };
        let request = cx.request(key);
        request.next = Key::NONE;
        request.state = state;
        // Who has tested connections before waits for as long as others do from here on.
        cx.kernel.schedule_lane(lane, self.event(Event::AcquireTimeout(key)));
    }

    /// A request has waited for long enough.
    pub(super) fn acquire_timed_out(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        // Mostly it has got its connection long ago.
        let Some(request) = cx.shared.requests.get(key).filter(|request| request.state != NOT_WAITING) else { return };
        let (joined, state) = (request.joined, request.state);
        let timeout = match &self.proxy {
            Some(proxy) if state == BORROWING => proxy.settings.borrow_timeout,
            _ => self.pool.acquire_timeout,
        };
        if joined + timeout > now {
            return;
        }
        let endpoint = self.statements[request.operation as usize].endpoint;
        let id = if state == BORROWING {
            PoolId { service: PROXY, slot: 0, endpoint }
        } else {
            let (service, task) = caller_of(request);
            PoolId { service, slot: task.slot(), endpoint }
        };
        // All wait equally long, so whose time is over is at the front, behind whoever came there late.
        while let Some(first) = self.dequeue(id, cx) {
            let joined = cx.request(first).joined;
            self.station(id).tally.lose(now, joined);
            self.fail(id, first, Cause::PoolTimeout, false, cx);
            if first == key {
                break;
            }
        }
    }

    fn dequeue(&mut self, id: PoolId, cx: &mut Cx<'_>) -> Option<RequestKey> {
        let pool = self.pool(id);
        let key = pool.first;
        if key == Key::NONE {
            return None;
        }
        pool.waiting -= 1;
        pool.first = cx.request(key).next;
        if pool.first == Key::NONE {
            pool.last = Key::NONE;
        }
        cx.request(key).state = NOT_WAITING;
        Some(key)
    }

    /// The next request that a connection can be given to. Who has given up does not take one any more.
    fn next_waiting(&mut self, id: PoolId, cx: &mut Cx<'_>) -> Option<RequestKey> {
        loop {
            let key = self.dequeue(id, cx)?;
            let request = cx.request(key);
            if !request.abandoned {
                return Some(key);
            }
            let joined = request.joined;
            self.station(id).tally.lose(cx.now(), joined);
            self.fail(id, key, Cause::PoolTimeout, false, cx);
        }
    }

    /// A query's user has the answer: the connection is free.
    pub(super) fn free(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Connection { pool, joined, .. } = self.connections[connection];
        self.station(pool).tally.leave(cx.now(), joined);
        self.hand_on(connection, cx);
    }

    /// A free connection goes to the next who waits, or is idle.
    pub(super) fn hand_on(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let id = self.connections[connection].pool;
        let now = cx.now();
        loop {
            let Some(key) = self.next_waiting(id, cx) else {
                let wire = &mut self.connections[connection];
                (wire.phase, wire.since) = (Phase::Idle, now);
                self.pool(id).idle.push(connection);
                return;
            };
            let waited = now - cx.request(key).joined;
            self.station(id).tally.start(now, waited);
            if !self.send(connection, key, cx) {
                return;
            }
        }
    }

    /// Those who wait open connections in the place of closed ones.
    pub(super) fn refill(&mut self, id: PoolId, cx: &mut Cx<'_>) {
        while self.pool(id).open < self.limit(id) {
            if id.is_proxys() && self.target_of_proxy(id.endpoint).is_none() {
                return;
            }
            let Some(key) = self.next_waiting(id, cx) else { return };
            self.open(id, key, cx);
        }
    }

    /// Closes an open connection that nobody uses and that is not in its pool's stack of idle ones. What its session was
    /// pinned to is free.
    pub(super) fn hang_up(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Some(wire) = self.drop_connection(connection) else { return };
        if wire.leads_to_proxy() && self.connections.get(wire.partner).is_some_and(|own| own.phase == Phase::Pinned) {
            self.unpin(wire.partner, cx);
        }
    }

    fn drop_connection(&mut self, connection: Key) -> Option<Connection> {
        let &mut wire = self.connections.remove(connection)?;
        self.pool(wire.pool).open -= 1;
        if !wire.leads_to_proxy() {
            self.servers[wire.server as usize].connections -= 1;
            if let Some(front) = self.connections.get_mut(wire.partner).filter(|front| front.partner == connection) {
                front.partner = Key::NONE;
            }
        }
        Some(wire)
    }

    /// A connection breaks, and with it the query on it, if there is one. It may still be in its pool's stack of idle ones.
    pub(super) fn break_off(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Connection { pool, server, phase, query, joined, since, .. } = self.connections[connection];
        if phase == Phase::Connecting {
            // Nobody has accepted it yet.
            let joined = cx.request(query).joined;
            self.station(pool).tally.lose(now, joined);
            self.connections.remove(connection);
            self.pool(pool).open -= 1;
            return self.fail(pool, query, Cause::ConnectionLost, true, cx);
        }
        let mut killed = false;
        match phase {
            Phase::Connecting | Phase::Idle | Phase::Pinned => {}
            Phase::Testing => {
                let joined = cx.request(query).joined;
                self.station(pool).tally.lose(now, joined);
                killed = true;
            }
            Phase::Cpu => {
                self.station(pool).tally.lose_served(now, joined);
                let server = &mut self.servers[server as usize];
                server.tally.lose_served(now, since);
                server.cpu.remove(now, |&other| other == connection);
                self.forecast(self.connections[connection].server, cx);
                killed = true;
            }
            Phase::Waiting | Phase::Hanging | Phase::ToProxy => {
                self.station(pool).tally.lose_served(now, joined);
                killed = true;
            }
            Phase::AtProxy => {
                // The query stays where it is, and nobody waits for it.
                self.station(pool).tally.lose_served(now, joined);
                cx.request(query).abandoned = true;
            }
            Phase::Returning => self.station(pool).tally.leave(now, joined),
        }
        self.hang_up(connection, cx);
        if killed {
            self.fail(pool, query, Cause::ConnectionLost, true, cx);
        }
    }

    /// An instance resets its connections: all of them, or those of the proxy only.
    pub(super) fn reset_connections(&mut self, server: u16, proxys_only: bool, cx: &mut Cx<'_>) {
        let its = |wire: &Connection| wire.server == server && (!proxys_only || wire.pool.is_proxys());
        if !proxys_only {
            // All at once first: taking queries from the CPU one by one would cost the square of their number.
            self.servers[server as usize].cpu.clear(cx.now()).for_each(drop);
        }
        let open = |wire: &Connection| its(wire) && wire.phase != Phase::Connecting;
        let broken: Vec<(Key, PoolId)> =
            self.connections.iter().filter(|(_, wire)| open(wire)).map(|(key, wire)| (key, wire.pool)).collect();
        let mut pools: Vec<PoolId> = broken.iter().map(|&(_, pool)| pool).collect();
        pools.sort_unstable();
        pools.dedup();
        // None of them is lent to anybody any more.
        for &id in &pools {
            let mut idle = std::mem::take(&mut self.pool(id).idle);
            idle.retain(|&connection| !open(&self.connections[connection]));
            self.pool(id).idle = idle;
        }
        for &(connection, _) in &broken {
            if self.connections.contains(connection) {
                self.break_off(connection, cx);
            }
        }
        for id in pools {
            self.refill(id, cx);
        }
    }

    /// A calling task is gone: its connections close, queries on them are killed.
    pub fn task_gone(&mut self, caller: ComputeId, task: TaskKey, cx: &mut Cx<'_>) {
        self.dismiss(number_of(caller), task, cx);
    }

    /// The address that an endpoint's name stood for at an instant not long ago.
    fn address(&mut self, endpoint: u16, asked: SimTime) -> u16 {
        match self.endpoints[endpoint as usize] {
            ClusterEndpoint::Cluster => self.roles.record_at(asked),
            _ => self.next_of(endpoint, false).unwrap_or(self.roles.record),
        }
    }

    /// Who had a task's slot before is gone, even if nobody said so.
    fn make_room(&mut self, service: u16, task: TaskKey, cx: &mut Cx<'_>) {
        if let Some(caller) = self.place(service, task.slot()) {
            let before = caller.task;
            if before.generation() < task.generation() && !caller.gone {
                self.dismiss(service, before, cx);
            }
        }
    }

    fn dismiss(&mut self, service: u16, task: TaskKey, cx: &mut Cx<'_>) {
        self.make_room(service, task, cx);
        match self.place(service, task.slot()) {
            Some(caller) if caller.task == task => {
                if std::mem::replace(&mut caller.gone, true) {
                    return;
                }
            }
            Some(caller) if caller.task.generation() > task.generation() => return,
            place => {
                // It never called, but its first call may be on the way.
                *place = Some(Caller { task, gone: true, pools: Box::default() });
                return;
            }
        }
        let now = cx.now();
        for endpoint in 0..self.endpoints.len() as u16 {
            let id = PoolId { service, slot: task.slot(), endpoint };
            while let Some(key) = self.dequeue(id, cx) {
                let joined = cx.request(key).joined;
                self.station(id).tally.lose(now, joined);
                self.fail(id, key, Cause::ConnectionLost, true, cx);
            }
            let its: Vec<Key> =
                self.connections.iter().filter(|(_, wire)| wire.pool == id).map(|(key, _)| key).collect();
            self.pool(id).idle = Vec::new();
            its.into_iter().for_each(|connection| self.break_off(connection, cx));
        }
        self.count_members(service, -1, now);
    }

    /// Requests inside, counted from the connections and queues themselves; and whether pools and instances agree on how
    /// many connections there are.
    pub(super) fn inspect(&self) -> (u64, bool) {
        let works = |phase| {
            use Phase::{Connecting, Cpu, Hanging, Testing, ToProxy, Waiting};
            matches!(phase, Connecting | Testing | ToProxy | Cpu | Waiting | Hanging)
        };
        let count =
            |which: &dyn Fn(&Connection) -> bool| self.connections.iter().filter(|(_, wire)| which(wire)).count();
        let working = count(&|wire| works(wire.phase)) as u64;
        let pools = || self.callers.iter().flatten().flatten().flat_map(|caller| &caller.pools);
        let waiting: u64 = pools().map(|pool| u64::from(pool.waiting)).sum();
        let open: usize = pools().map(|pool| pool.open as usize).sum();
        let elsewhere = count(&|wire| wire.phase == Phase::Connecting || wire.leads_to_proxy());
        let accepted: usize = self.servers.iter().map(|server| server.connections as usize).sum();
        let agree = open == self.connections.len() && accepted + elsewhere == open;
        (working + waiting, agree)
    }
}
