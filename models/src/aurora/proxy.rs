//! RDS Proxy: callers keep connections to it, and it lends them its own few connections to instances, one query at a time.
//!
//! Its own pools are pools like any task's (of the caller number [`PROXY`]); what differs is here: it knows the instances' roles
//! without DNS, a query waits for a connection even while there is no instance to connect to, for the borrow timeout, and a
//! query that pins its session keeps its connection.

use super::*;

/// Number of the proxy among the calling services.
pub(super) const PROXY: u16 = 1;
/// [`Connection::server`] of a connection that leads to the proxy.
pub(super) const TO_PROXY: u16 = u16::MAX;
/// A connection without activity for so long is idle in the sense of `MaxIdleConnectionsPercent` (Aurora guide, rds-proxy-managing).
const IDLE_AFTER: SimDuration = SimDuration::from_secs(300);
/// A connection to an instance is closed after a day (same page).
pub(super) const LIFETIME: SimDuration = SimDuration::from_secs(86_400);

/// A proxy at work.
#[derive(Debug)]
pub(super) struct FrontDesk {
    pub(super) settings: Proxy,
    pub(super) borrowing: LaneId,
    passing: LaneId,
    /// Its pools, by endpoint.
    pub(super) pools: Vec<Pools>,
    /// Sessions pinned since the warm-up.
    pub(super) pinned: u64,
}

impl FrontDesk {
    pub(super) fn new(aurora: &Aurora, settings: &Proxy, cx: &mut Cx<'_>) -> Self {
        let pools = aurora.pools.iter().map(|pools| Pools::new(pools.name.replace(" pools", " proxy"), cx)).collect();
        Self {
            settings: settings.clone(),
            borrowing: cx.kernel.lane(settings.borrow_timeout),
            passing: cx.kernel.lane(settings.latency),
            pools,
            pinned: 0,
        }
    }
}

impl Aurora {
    /// The proxy is a caller like others.
    pub(super) fn open_proxy(&mut self, cx: &mut Cx<'_>) {
        let nobody = TaskKey::new(0, 0);
        self.enlist(PROXY, nobody, 0, cx);
    }

    /// Most connections of the proxy for an endpoint: its share of `max_connections` of the instances behind it.
    pub(super) fn limit_of_proxy(&self, endpoint: u16) -> u32 {
        let of = |server: &Server| f64::from(server.class.max_connections);
        let record = self.roles.record;
        let readers = || {
            self.servers
                .iter()
                .enumerate()
                .filter(|(n, server)| (*n != record as usize || self.is_secondary()) && server.exists())
        };
        let behind: f64 = match &self.endpoints[endpoint as usize] {
            ClusterEndpoint::Reader if readers().next().is_some() => readers().map(|(_, server)| of(server)).sum(),
            _ => of(&self.servers[record as usize]),
        };
        let share = self.proxy.as_ref().map_or(1.0, |proxy| proxy.settings.max_connections);
        ((behind * share) as u32).max(1)
    }

    /// The instance that the proxy connects to next; none if there is none that answers.
    pub(super) fn target_of_proxy(&mut self, endpoint: u16) -> Option<u16> {
        let target = match self.endpoints[endpoint as usize] {
            ClusterEndpoint::Cluster => self.roles.writer,
            _ => self.next_of(endpoint, true),
        };
        target.filter(|&it| self.servers[it as usize].is_up())
    }

    /// A query sets out to the proxy on a caller's connection.
    pub(super) fn send_to_proxy(&mut self, connection: Key, cx: &mut Cx<'_>) {
        self.connections[connection].phase = Phase::ToProxy;
        let passing = self.proxy.as_ref().expect("the connection leads to it").passing;
        cx.kernel.schedule_lane(passing, self.event(Event::AtProxy(connection)));
    }

    /// A query has come to the proxy.
    pub(super) fn at_proxy(&mut self, front: Key, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(wire) = self.connections.get_mut(front).filter(|wire| wire.phase == Phase::ToProxy) else { return };
        wire.phase = Phase::AtProxy;
        let (key, own, endpoint) = (wire.query, wire.partner, wire.pool.endpoint);
        let request = cx.request(key);
        // From here on the request is the proxy's, whose client is the connection that it came on.
        (request.joined, request.target) = (now, front);
        let id = PoolId { service: PROXY, slot: 0, endpoint };
        if own == Key::NONE {
            return self.arrive(id, key, cx);
        }
        self.station(id).tally.join_served(now);
        if self.send(own, key, cx) {
            self.connections[own].phase = Phase::Pinned;
        }
    }

    /// The proxy has a query's answer.
    pub(super) fn answered_to_proxy(&mut self, connection: Key, front: Key, cx: &mut Cx<'_>) {
        let Connection { query, pool, joined, .. } = self.connections[connection];
        self.station(pool).tally.leave(cx.now(), joined);
        let request = cx.request(query);
        let pins = self.statements[request.operation as usize].pins;
        let pins = pins > 0.0 && sim_core::random::Source::chance(&mut request.draws(PINNING), pins);
        let Some(wire) = self.connections.get_mut(front) else {
            // The caller is gone.
            self.settle(query, Outcome::failed(0, Cause::ConnectionLost), cx);
            return self.unpin(connection, cx);
        };
        wire.phase = Phase::Returning;
        let keeps = pins || wire.partner == connection;
        if keeps {
            let before = std::mem::replace(&mut wire.partner, connection);
            self.connections[connection].phase = Phase::Pinned;
            if let (true, Some(proxy)) = (before == Key::NONE, &mut self.proxy) {
                proxy.pinned += 1;
            }
        }
        self.return_to_caller(front, query, cx);
        if !keeps {
            self.unpin(connection, cx);
        }
    }

    /// A connection of the proxy is nobody's in particular any more.
    pub(super) fn unpin(&mut self, connection: Key, cx: &mut Cx<'_>) {
        self.connections[connection].partner = Key::NONE;
        self.hand_on(connection, cx);
    }

    /// A query has failed at the proxy or behind it. What broke it also ends the caller's session; a refusal does not.
    pub(super) fn failed_at_proxy(&mut self, front: Key, query: RequestKey, broken: bool, cx: &mut Cx<'_>) {
        let its = |wire: &&Connection| wire.query == query && wire.phase == Phase::AtProxy;
        let Some(&Connection { pool, joined, .. }) = self.connections.get(front).filter(its) else { return };
        if broken {
            self.station(pool).tally.lose_served(cx.now(), joined);
            self.hang_up(front, cx);
            self.refill(pool, cx);
        } else {
            self.free(front, cx);
        }
    }

    /// Roles have changed or an instance is back: who waits at the proxy gets connections.
    pub(super) fn refill_proxy(&mut self, cx: &mut Cx<'_>) {
        if self.proxy.is_some() {
            for endpoint in 0..self.endpoints.len() as u16 {
                self.refill(PoolId { service: PROXY, slot: 0, endpoint }, cx);
            }
        }
    }

    /// Once a minute: pools close connections that are idle beyond their timeout; the proxy closes connections to instances that are idle beyond `MaxIdleConnectionsPercent`, and sessions
    /// that are idle beyond `IdleClientTimeout`.
    pub(super) fn close_idle(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let mut close: Vec<Key> = Vec::new();
        if let Some(timeout) = self.pool.idle_timeout {
            let dormant = |wire: &Connection| wire.phase == Phase::Idle && !wire.pool.is_proxys();
            let dormant = self.connections.iter().filter(|(_, wire)| dormant(wire) && now >= wire.since + timeout);
            close.extend(dormant.map(|(key, _)| key));
        }
        self.close_idle_of_proxy(&mut close, now);
        close.sort_unstable();
        close.dedup();
        for connection in close {
            let id = self.connections[connection].pool;
            self.pool(id).idle.retain(|&other| other != connection);
            self.hang_up(connection, cx);
        }
    }

    fn close_idle_of_proxy(&mut self, close: &mut Vec<Key>, now: SimTime) {
        let Some(proxy) = &self.proxy else { return };
        let (share, client_timeout) = (proxy.settings.max_idle_connections, proxy.settings.idle_client_timeout);
        for endpoint in 0..self.endpoints.len() as u16 {
            let keep = (f64::from(self.limit_of_proxy(endpoint)) * share) as usize;
            let idle = self.pool(PoolId { service: PROXY, slot: 0, endpoint }).idle.clone();
            // Used last is on top, so what has been idle longest is at the bottom.
            let surplus = idle.iter().take(idle.len().saturating_sub(keep));
            close.extend(surplus.filter(|&&key| now >= self.connections[key].since + IDLE_AFTER));
        }
        let dormant = |wire: &Connection| wire.leads_to_proxy() && wire.phase == Phase::Idle;
        let dormant = self.connections.iter().filter(|(_, wire)| dormant(wire) && now >= wire.since + client_timeout);
        close.extend(dormant.map(|(key, _)| key));
    }
}
