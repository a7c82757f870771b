//! Connections of clients: opened when there is none to be had, kept for the next request, closed when idle or old.
//!
//! ```text
//! attempt --one is free--> sent        --none is, room for one--> name resolved, handshakes --> sent
//!         --none is, no room--> waits for one
//! ```
//! A connection stays with the address it was opened to: a name is resolved anew only for a new connection, so that whoever holds
//! one does not see a change of the name's answer.
//!
//! Memory: 48 bytes for each connection that has not been seen to be over, at most `per_client` for each client. Idle ones are closed when
//! their client comes again.

use std::collections::{BTreeMap, VecDeque};

use sim_core::{SimDuration, SimTime};

use crate::ids::Endpoint;
use crate::request::RequestKey;

/// How clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Requests that share a connection at once: 1 with HTTP/1.1, many streams with HTTP/2 and HTTP/3.
    pub streams: u16,
    /// Connections of one client at most.
    pub per_client: u16,
    /// Round trips before the first request can be sent: TCP 1, TLS 1.3 1 more, TLS 1.2 2 more; QUIC 1 in all.
    pub handshakes: u8,
    /// Closed after so long without a request.
    pub idle_timeout: SimDuration,
    /// Closed after its response once it is so old.
    pub max_age: SimDuration,
}

/// Names no connection.
pub(crate) const NO_CONNECTION: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Connection {
    client: u32,
    /// The client's next one, or [`NO_CONNECTION`]; of those that are over, the next to be used again.
    next: u32,
    /// Known once the name is resolved.
    to: Option<Endpoint>,
    /// When the handshakes are over.
    ready: SimTime,
    /// When it was last left without a request.
    idle_since: SimTime,
    /// Requests on it.
    busy: u16,
    /// No new request may take it.
    closing: bool,
}

/// What an attempt finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// This connection, to this address, from this instant on.
    Ready(u32, Endpoint, SimTime),
    /// A new one, which is to be opened by [`Pool::opened`].
    New(u32),
    /// None: it waits, and comes back from [`Pool::released`] or [`Pool::opened`].
    Waits,
}

/// Totals since the warm-up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) opened: u64,
    pub(super) reused: u64,
    pub(super) waited: u64,
}

/// The connections of all clients of a source.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Connections,
    /// First connection of each client.
    first: Vec<u32>,
    connections: Vec<Connection>,
    /// First of those that are over.
    vacant: u32,
    /// Attempts that wait, by client; few have any.
    waiting: BTreeMap<u32, VecDeque<RequestKey>>,
    pub(super) tally: Tally,
}

impl Pool {
    pub(super) fn new(settings: Connections, clients: u32) -> Self {
        Self {
            settings,
            first: vec![NO_CONNECTION; clients.max(1) as usize],
            connections: Vec::new(),
            vacant: NO_CONNECTION,
            waiting: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// A client's attempt wants a connection.
    pub(super) fn claim(&mut self, client: u32, key: RequestKey, now: SimTime) -> Claim {
        let client = client % self.first.len() as u32;
        let found = self.find(client, now);
        match found {
            Found::Open(at, to) => {
                self.tally.reused += 1;
                let connection = &mut self.connections[at as usize];
                connection.busy += 1;
                return Claim::Ready(at, to, connection.ready.max(now));
            }
            Found::None { open } if open < u32::from(self.settings.per_client) => {
                self.tally.opened += 1;
                return Claim::New(self.open(client, now));
            }
            Found::None { .. } => {}
        }
        self.tally.waited += 1;
        self.waiting.entry(client).or_default().push_back(key);
        Claim::Waits
    }

    /// The connection that was used last of those that can take a request; closes what has been idle for too long.
    fn find(&mut self, client: u32, now: SimTime) -> Found {
        let (mut open, mut best) = (0, None);
        let (mut before, mut at) = (NO_CONNECTION, self.first[client as usize]);
        while at != NO_CONNECTION {
            let connection = self.connections[at as usize];
            let idle = connection.busy == 0;
            if idle && (now.since(connection.idle_since) >= self.settings.idle_timeout || self.is_old(&connection, now))
            {
                self.unlink(before, at);
                at = connection.next;
                continue;
            }
            open += 1;
            if let Some(to) = connection.to
                && !connection.closing
                && connection.busy < self.settings.streams
                && best.is_none_or(|(_, _, since)| connection.idle_since > since)
            {
                best = Some((at, to, connection.idle_since));
            }
            (before, at) = (at, connection.next);
        }
        best.map_or(Found::None { open }, |(at, to, _)| Found::Open(at, to))
    }

    fn is_old(&self, connection: &Connection, now: SimTime) -> bool {
        connection.to.is_some() && now >= connection.ready && now.since(connection.ready) >= self.settings.max_age
    }

    fn open(&mut self, client: u32, now: SimTime) -> u32 {
        let next = self.first[client as usize];
        let new = Connection { client, next, to: None, ready: now, idle_since: now, busy: 1, closing: false };
        let at = if self.vacant == NO_CONNECTION {
            self.connections.push(new);
            self.connections.len() as u32 - 1
        } else {
            let at = self.vacant;
            self.vacant = std::mem::replace(&mut self.connections[at as usize], new).next;
            at
        };
        self.first[client as usize] = at;
        at
    }

    /// Takes a connection out of its client's list.
    fn unlink(&mut self, before: u32, at: u32) {
        let Connection { client, next, .. } = self.connections[at as usize];
        if before == NO_CONNECTION {
            self.first[client as usize] = next;
        } else {
            self.connections[before as usize].next = next;
        }
        self.connections[at as usize].next = self.vacant;
        self.vacant = at;
    }

    fn close(&mut self, at: u32) {
        let (mut before, mut other) = (NO_CONNECTION, self.first[self.connections[at as usize].client as usize]);
        while other != at {
            (before, other) = (other, self.connections[other as usize].next);
        }
        self.unlink(before, at);
    }

    /// The name of a new connection is resolved to an address so far away. Tells when it is ready.
    pub(super) fn opened(&mut self, at: u32, to: Endpoint, rtt: SimDuration, now: SimTime) -> SimTime {
        let connection = &mut self.connections[at as usize];
        connection.to = Some(to);
        connection.ready = now + rtt.times(u64::from(self.settings.handshakes));
        connection.ready
    }

    /// The address of a connection, once its name is resolved.
    pub(super) fn address(&self, at: u32) -> Option<Endpoint> {
        self.connections[at as usize].to
    }

    /// A request is over. Without `keep` its connection is lost, or closed by the client, and takes no other.
    pub(super) fn released(&mut self, at: u32, keep: bool, now: SimTime) {
        let old = self.is_old(&self.connections[at as usize], now);
        let connection = &mut self.connections[at as usize];
        connection.busy -= 1;
        connection.idle_since = now;
        connection.closing |= !keep || old || connection.to.is_none();
        if connection.closing && connection.busy == 0 {
            self.close(at);
        }
    }

    /// The next attempt of a client that waits, if there is room for one now.
    pub(super) fn next_waiting(&mut self, client: u32, now: SimTime) -> Option<RequestKey> {
        let client = client % self.first.len() as u32;
        if !self.waiting.contains_key(&client) {
            return None;
        }
        let free = match self.find(client, now) {
            Found::Open(..) => true,
            Found::None { open } => open < u32::from(self.settings.per_client),
        };
        let waiting = self.waiting.get_mut(&client).filter(|_| free)?;
        let key = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&client);
        }
        key
    }
}

enum Found {
    Open(u32, Endpoint),
    None { open: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StationId;

    const TO: Endpoint = Endpoint::Station(StationId(7));
    const ELSEWHERE: Endpoint = Endpoint::Station(StationId(8));

    fn at(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    fn key(slot: u32) -> RequestKey {
        RequestKey::new(slot, 0)
    }

    fn http1() -> Connections {
        Connections {
            streams: 1,
            per_client: 2,
            handshakes: 2,
            idle_timeout: SimDuration::from_secs(60),
            max_age: SimDuration::from_secs(3600),
        }
    }

    fn opens(pool: &mut Pool, client: u32, now: SimTime) -> u32 {
        let Claim::New(new) = pool.claim(client, key(0), now) else { panic!("a new one") };
        pool.opened(new, TO, SimDuration::ZERO, now);
        new
    }

    #[test]
    fn a_connection_is_used_again_until_it_has_been_idle_for_too_long() {
        let mut pool = Pool::new(http1(), 10);
        let first = opens(&mut pool, 3, at(0));
        pool.released(first, true, at(1));
        assert_eq!(pool.claim(3, key(0), at(60)), Claim::Ready(first, TO, at(60)));
        pool.released(first, true, at(61));
        assert!(matches!(pool.claim(4, key(0), at(62)), Claim::New(_)), "another client has none");
        assert!(matches!(pool.claim(3, key(0), at(121)), Claim::New(_)), "idle for 60 s");
        assert_eq!((pool.tally.opened, pool.tally.reused), (3, 1));
        assert_eq!(pool.connections.len(), 2, "the place of the closed one is used again");
    }

    #[test]
    fn a_connection_keeps_its_address_and_is_closed_with_age() {
        let mut pool = Pool::new(http1(), 1);
        let old = opens(&mut pool, 0, at(0));
        pool.released(old, true, at(0));
        for second in (30..3600).step_by(30) {
            assert_eq!(pool.claim(0, key(0), at(second)), Claim::Ready(old, TO, at(second)));
            pool.released(old, true, at(second));
        }
        let Claim::New(new) = pool.claim(0, key(0), at(3600)) else { panic!("an hour old") };
        pool.opened(new, ELSEWHERE, SimDuration::ZERO, at(3600));
        pool.released(new, true, at(3600));
        assert_eq!(pool.claim(0, key(0), at(3601)), Claim::Ready(new, ELSEWHERE, at(3601)));
    }

    #[test]
    fn http_1_has_one_request_on_a_connection_and_the_third_waits() {
        let mut pool = Pool::new(http1(), 1);
        let (one, _two) = (opens(&mut pool, 0, at(0)), opens(&mut pool, 0, at(0)));
        assert_eq!(pool.claim(0, key(3), at(0)), Claim::Waits);
        assert_eq!(pool.next_waiting(0, at(0)), None, "no room yet");
        pool.released(one, true, at(1));
        assert_eq!(pool.next_waiting(0, at(1)), Some(key(3)));
        assert_eq!(pool.claim(0, key(3), at(1)), Claim::Ready(one, TO, at(1)));
        assert_eq!(pool.next_waiting(0, at(1)), None);
        // One that was lost makes room for a new one.
        assert_eq!(pool.claim(0, key(4), at(1)), Claim::Waits);
        pool.released(one, false, at(2));
        assert_eq!(pool.next_waiting(0, at(2)), Some(key(4)));
        assert!(matches!(pool.claim(0, key(4), at(2)), Claim::New(_)));
    }

    #[test]
    fn http_2_shares_one_connection_that_is_being_opened() {
        let mut pool = Pool::new(Connections { streams: 3, per_client: 1, ..http1() }, 1);
        let Claim::New(only) = pool.claim(0, key(1), at(0)) else { panic!("a new one") };
        assert_eq!(pool.claim(0, key(2), at(0)), Claim::Waits, "its name is being resolved");
        assert_eq!(pool.opened(only, TO, SimDuration::from_secs(1), at(1)), at(3));
        assert_eq!(pool.next_waiting(0, at(1)), Some(key(2)));
        assert_eq!(pool.claim(0, key(2), at(1)), Claim::Ready(only, TO, at(3)), "after its handshakes");
        assert_eq!(pool.claim(0, key(3), at(4)), Claim::Ready(only, TO, at(4)));
        assert_eq!(pool.claim(0, key(4), at(4)), Claim::Waits, "three streams");
        // Lost with three requests on it: closed when the last is over.
        pool.released(only, false, at(5));
        assert_eq!(pool.next_waiting(0, at(5)), None);
        pool.released(only, false, at(5));
        pool.released(only, false, at(5));
        assert_eq!(pool.next_waiting(0, at(5)), Some(key(4)));
        assert!(matches!(pool.claim(0, key(4), at(5)), Claim::New(_)));
    }
}
