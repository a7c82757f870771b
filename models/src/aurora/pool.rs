//! Connections: each calling task has a pool for each endpoint.

use sim_core::observations::SeriesGroup;
use sim_core::tally::StationTally;

use super::*;
use crate::observer::FigureId;

/// [`Request::state`] of a request that waits for a connection.
const WAITING: u32 = 1;
/// [`Request::state`] of any other.
pub(super) const NOT_WAITING: u32 = 0;

/// The pool of one task for one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PoolId {
    pub(super) service: u16,
    pub(super) slot: u32,
    pub(super) endpoint: ClusterEndpoint,
}

/// A calling task.
#[derive(Debug)]
pub(super) struct Caller {
    task: TaskKey,
    /// Kept so that calls which were on the way when it went do not bring it back.
    gone: bool,
    pools: [Pool; 2],
}

/// A pool.
#[derive(Debug)]
pub(super) struct Pool {
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

impl Pool {
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
    /// When that came to the CPU.
    pub(super) since: SimTime,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being opened, for a query.
    Connecting,
    /// Nothing.
    Idle,
    /// Its query uses CPU.
    Cpu,
    /// Its query takes time without CPU.
    Waiting,
    /// The answer is on its way.
    Returning,
}

/// All tasks' pools for one endpoint, as a station: connections are its servers.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) name: String,
    pub(super) tally: StationTally,
    pub(super) figure: Option<FigureId>,
    pub(super) at_bin: (f64, f64),
    members: u32,
}

impl Pools {
    pub(super) fn new(name: String, used: bool, cx: &mut Cx<'_>) -> Self {
        let figure = used.then(|| cx.shared.observer.figures.register(SeriesGroup::Utilisation, &name, "ratio"));
        Self { name, tally: StationTally::new(0), figure, at_bin: (0.0, 0.0), members: 0 }
    }

    fn set_members(&mut self, now: SimTime, members: u32, max_size: u32) {
        self.members = members;
        self.tally.servers(now, f64::from(members) * f64::from(max_size));
    }
}

/// Who makes a call: number of its service, and its task. Whoever is no task counts as one.
pub(super) fn caller_of(request: &Request) -> (u16, TaskKey) {
    match request.bottom() {
        Holder::Call(ecs, _) => (ecs.0 + 1, request.target),
        _ => (0, TaskKey { slot: 0, generation: 0 }),
    }
}

impl Aurora {
    pub(super) fn pool(&mut self, id: PoolId) -> &mut Pool {
        let caller = self.callers[id.service as usize][id.slot as usize].as_mut();
        &mut caller.expect("who has a pool was enlisted").pools[id.endpoint as usize]
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
    pub(super) fn enlist(
        &mut self,
        service: u16,
        task: TaskKey,
        endpoint: ClusterEndpoint,
        cx: &mut Cx<'_>,
    ) -> Option<PoolId> {
        let id = PoolId { service, slot: task.slot, endpoint };
        match self.place(service, task.slot) {
            Some(caller) if caller.task == task => return (!caller.gone).then_some(id),
            Some(caller) if caller.task.generation > task.generation => return None,
            _ => self.make_room(service, task, cx),
        }
        let pools = [Pool::new(), Pool::new()];
        *self.place(service, task.slot) = Some(Caller { task, gone: false, pools });
        self.count_members(1, cx.now());
        Some(id)
    }

    fn count_members(&mut self, change: i32, now: SimTime) {
        for pools in &mut self.pools {
            pools.set_members(now, pools.members.saturating_add_signed(change), self.max_size);
        }
    }

    /// The instance a new connection of this pool leads to: what the endpoint's name resolves to, which the task believes
    /// for the TTL. Resolving takes no time: the resolver is in the same zone.
    fn resolve(&mut self, id: PoolId, now: SimTime) -> u16 {
        let ttl = self.dns_ttl;
        let pool = self.pool(id);
        if now < pool.address_until {
            return pool.address;
        }
        let address = match id.endpoint {
            ClusterEndpoint::Cluster => self.roles.record,
            ClusterEndpoint::Reader => self.next_reader(),
        };
        let pool = self.pool(id);
        pool.address = address;
        pool.address_until = now + ttl;
        address
    }

    /// Opens a connection for a query.
    pub(super) fn open(&mut self, id: PoolId, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let server = self.resolve(id, now);
        self.pool(id).open += 1;
        let phase = Phase::Connecting;
        let connection = Connection { pool: id, server, phase, query: key, joined: now, since: now };
        let connection = self.connections.insert(connection);
        cx.kernel.schedule_lane(self.connecting, self.event(Event::Connected(connection)));
    }

    /// An attempt to open a connection has its outcome.
    pub(super) fn connected(&mut self, connection: Key, cx: &mut Cx<'_>) {
        // The task may have gone meanwhile.
        let Some(&Connection { pool, server, query, .. }) = self.connections.get(connection) else { return };
        let now = cx.now();
        let tally = &mut self.pools[pool.endpoint as usize].tally;
        let request = &cx.shared.requests[query];
        if let Err(cause) = self.servers[server as usize].accept() {
            tally.lose(now, request.joined);
            self.settle(query, Outcome::failed(0, cause), cx);
            self.connections.remove(connection);
            self.pool(pool).open -= 1;
            return self.refill(pool, cx);
        }
        if request.abandoned {
            tally.lose(now, request.joined);
            self.settle(query, Outcome::failed(0, Cause::PoolTimeout), cx);
            return self.hand_on(connection, cx);
        }
        tally.start(now, now - request.joined);
        if self.send(connection, query, cx) {
            self.hand_on(connection, cx);
        }
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
        let request = cx.request(key);
        request.next = Key::NONE;
        request.state = WAITING;
        cx.kernel.schedule_lane(self.acquiring, self.event(Event::AcquireTimeout(key)));
    }

    /// A request has waited for long enough.
    pub(super) fn acquire_timed_out(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let due = |request: &&Request| request.state == WAITING && request.joined + self.acquire_timeout == now;
        // Mostly it has got its connection long ago.
        let Some(request) = cx.shared.requests.get(key).filter(due) else { return };
        let (joined, endpoint) = (request.joined, self.statements[request.operation as usize].endpoint);
        let (service, task) = caller_of(request);
        let first = self.dequeue(PoolId { service, slot: task.slot, endpoint }, cx);
        assert_eq!(first, Some(key), "all wait equally long: whose time is over is the first in the queue");
        self.pools[endpoint as usize].tally.lose(now, joined);
        self.settle(key, Outcome::failed(0, Cause::PoolTimeout), cx);
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
            self.pools[id.endpoint as usize].tally.lose(cx.now(), joined);
            self.settle(key, Outcome::failed(0, Cause::PoolTimeout), cx);
        }
    }

    /// A query's user has the answer: the connection is free.
    pub(super) fn free(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Connection { pool, joined, .. } = self.connections[connection];
        self.pools[pool.endpoint as usize].tally.leave(cx.now(), joined);
        self.hand_on(connection, cx);
    }

    /// A free connection goes to the next who waits, or is idle.
    pub(super) fn hand_on(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let id = self.connections[connection].pool;
        loop {
            let Some(key) = self.next_waiting(id, cx) else {
                self.connections[connection].phase = Phase::Idle;
                self.pool(id).idle.push(connection);
                return;
            };
            let now = cx.now();
            let waited = now - cx.request(key).joined;
            self.pools[id.endpoint as usize].tally.start(now, waited);
            if !self.send(connection, key, cx) {
                return;
            }
        }
    }

    /// Those who wait open connections in the place of closed ones.
    pub(super) fn refill(&mut self, id: PoolId, cx: &mut Cx<'_>) {
        while self.pool(id).open < self.max_size {
            let Some(key) = self.next_waiting(id, cx) else { return };
            self.open(id, key, cx);
        }
    }

    /// Closes an open connection that nobody uses and that is not in its pool's stack of idle ones.
    pub(super) fn hang_up(&mut self, connection: Key) {
        if let Some(&mut wire) = self.connections.remove(connection) {
            self.servers[wire.server as usize].connections -= 1;
            self.pool(wire.pool).open -= 1;
        }
    }

    /// A connection breaks, and with it the query on it, if there is one. It may still be in its pool's stack of idle ones.
    fn break_off(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Connection { pool, server, phase, query, joined, since } = self.connections[connection];
        let tally = &mut self.pools[pool.endpoint as usize].tally;
        let mut killed = true;
        match phase {
            Phase::Connecting => tally.lose(now, cx.request(query).joined),
            Phase::Idle => killed = false,
            Phase::Cpu => {
                tally.lose_served(now, joined);
                let server = &mut self.servers[server as usize];
                server.tally.lose_served(now, since);
                server.cpu.remove(now, |&other| other == connection);
                self.forecast(self.connections[connection].server, cx);
            }
            Phase::Waiting => tally.lose_served(now, joined),
            Phase::Returning => {
                tally.leave(now, joined);
                killed = false;
            }
        }
        if killed {
            self.settle(query, Outcome::failed(0, Cause::ConnectionLost), cx);
        }
        if phase == Phase::Connecting {
            self.connections.remove(connection);
            self.pool(pool).open -= 1;
        } else {
            self.hang_up(connection);
        }
    }

    /// An instance resets all its connections.
    pub(super) fn reset_connections(&mut self, server: u16, cx: &mut Cx<'_>) {
        // All at once first: taking queries from the CPU one by one would cost the square of their number.
        self.servers[server as usize].cpu.clear(cx.now()).for_each(drop);
        let open = |wire: &Connection| wire.server == server && wire.phase != Phase::Connecting;
        let broken: Vec<(Key, PoolId)> =
            self.connections.iter().filter(|(_, wire)| open(wire)).map(|(key, wire)| (key, wire.pool)).collect();
        for &(connection, _) in &broken {
            self.break_off(connection, cx);
        }
        let mut pools: Vec<PoolId> = broken.into_iter().map(|(_, pool)| pool).collect();
        pools.sort_unstable();
        pools.dedup();
        for &id in &pools {
            let mut idle = std::mem::take(&mut self.pool(id).idle);
            idle.retain(|&connection| self.connections.contains(connection));
            self.pool(id).idle = idle;
            self.refill(id, cx);
        }
    }

    /// A calling task is gone: its connections close, queries on them are killed.
    pub fn task_gone(&mut self, ecs: EcsId, task: TaskKey, cx: &mut Cx<'_>) {
        self.dismiss(ecs.0 + 1, task, cx);
    }

    /// Who had a task's slot before is gone, even if nobody said so.
    fn make_room(&mut self, service: u16, task: TaskKey, cx: &mut Cx<'_>) {
        if let Some(caller) = self.place(service, task.slot) {
            let before = caller.task;
            if before.generation < task.generation && !caller.gone {
                self.dismiss(service, before, cx);
            }
        }
    }

    fn dismiss(&mut self, service: u16, task: TaskKey, cx: &mut Cx<'_>) {
        self.make_room(service, task, cx);
        match self.place(service, task.slot) {
            Some(caller) if caller.task == task => {
                if std::mem::replace(&mut caller.gone, true) {
                    return;
                }
            }
            Some(caller) if caller.task.generation > task.generation => return,
            place => {
                // It never called, but its first call may be on the way.
                *place = Some(Caller { task, gone: true, pools: [Pool::new(), Pool::new()] });
                return;
            }
        }
        let now = cx.now();
        for endpoint in [ClusterEndpoint::Cluster, ClusterEndpoint::Reader] {
            let id = PoolId { service, slot: task.slot, endpoint };
            while let Some(key) = self.dequeue(id, cx) {
                let joined = cx.request(key).joined;
                self.pools[endpoint as usize].tally.lose(now, joined);
                self.settle(key, Outcome::failed(0, Cause::ConnectionLost), cx);
            }
            let its: Vec<Key> =
                self.connections.iter().filter(|(_, wire)| wire.pool == id).map(|(key, _)| key).collect();
            its.into_iter().for_each(|connection| self.break_off(connection, cx));
            self.pool(id).idle = Vec::new();
        }
        self.count_members(-1, now);
    }

    /// Requests inside, counted from the connections and queues themselves; and whether pools and instances agree on how
    /// many connections there are.
    pub(super) fn inspect(&self) -> (u64, bool) {
        let works = |phase| matches!(phase, Phase::Connecting | Phase::Cpu | Phase::Waiting);
        let working = self.connections.iter().filter(|(_, wire)| works(wire.phase)).count() as u64;
        let pools = || self.callers.iter().flatten().flatten().flat_map(|caller| &caller.pools);
        let waiting: u64 = pools().map(|pool| u64::from(pool.waiting)).sum();
        let open: usize = pools().map(|pool| pool.open as usize).sum();
        let opening = self.connections.iter().filter(|(_, wire)| wire.phase == Phase::Connecting).count();
        let accepted: usize = self.servers.iter().map(|server| server.connections as usize).sum();
        let agree = open == self.connections.len() && accepted + opening == open;
        (working + waiting, agree)
    }
}
