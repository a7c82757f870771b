//! The storage of an Aurora cluster: six copies of everything, two in each of three zones, whatever instances there are. A write is
//! done when four copies have it, and a read takes three at worst (Amazon Aurora under the hood: quorums and correlated
//! failure). So the loss of a zone stops nothing, and that of a zone and one copy more stops writes; data are safe in both.
//!
//! What cannot go on waits on its connection until enough copies are back, or its caller's socket timeout ends it. Copies that are
//! lost are not repaired while the fault lasts (in life a segment is copied anew within minutes: an assumption).

use sim_core::observations::LogKind;

use super::*;

/// Copies there are, and how many a write and a read need.
const COPIES: u8 = 6;
const WRITE: u8 = 4;
const READ: u8 = 3;
/// Copies in a zone.
pub(super) const IN_ZONE: u8 = 2;

/// What has become of the copies.
#[derive(Debug, Default)]
pub(super) struct Storage {
    lost: u8,
    /// Connections whose queries wait for it.
    stalled: Vec<Key>,
}

impl Storage {
    fn left(&self) -> u8 {
        COPIES.saturating_sub(self.lost)
    }
}

impl Aurora {
    /// Copies are lost, or back.
    pub(super) fn lose_copies(&mut self, copies: u8, lost: bool, cx: &mut Cx<'_>) {
        if self.lag.is_rds() {
            return;
        }
        let storage = &mut self.storage;
        storage.lost = if lost { storage.lost + copies } else { storage.lost.saturating_sub(copies) };
        let (left, now) = (storage.left(), cx.kernel.now());
        let goes_on = match left {
            WRITE.. => "reads and writes go on",
            READ.. => "writes wait, reads go on",
            _ => "reads and writes wait",
        };
        let what = format!("storage has {left} of {COPIES} copies: {goes_on}");
        cx.shared.observer.log(now, LogKind::Health, &self.name, what);
        for connection in std::mem::take(&mut self.storage.stalled) {
            let waits = self.connections.get(connection).is_some_and(|wire| wire.phase == Phase::Hanging);
            if waits && self.stalls(connection, cx) {
                self.storage.stalled.push(connection);
            } else if waits {
                self.wait_without_cpu(connection, cx);
            }
        }
    }

    /// Whether the query of a connection has to wait for copies. A read whose pages are in memory would not: one that reads
    /// pages is taken to need storage.
    pub(super) fn stalls(&self, connection: Key, cx: &Cx<'_>) -> bool {
        if self.storage.lost == 0 {
            return false;
        }
        let query = self.connections[connection].query;
        let statement = &self.statements[cx.shared.requests[query].operation as usize];
        let needed = if statement.write { WRITE } else { READ };
        (statement.write || statement.pages > 0) && self.storage.left() < needed
    }

    /// A query waits for copies. Its instance is there and answers keepalive: the socket's timeout alone ends it before.
    pub(super) fn stall(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let wire = &mut self.connections[connection];
        wire.phase = Phase::Hanging;
        let (since, proxys) = (wire.since, wire.pool.is_proxys());
        self.storage.stalled.push(connection);
        if let Some(timeout) = self.pool.socket_timeout.filter(|_| !proxys) {
            let at = (since + timeout).max(cx.now());
            cx.kernel.schedule_at(at, self.event(Event::GivenUp(connection)));
        }
    }

    /// Whether it is too early to give a query up: the timeout is one that an earlier query had, which went on.
    pub(super) fn goes_on_waiting(&self, connection: Key, now: SimTime) -> bool {
        let wire = &self.connections[connection];
        let up = self.servers[wire.server as usize].is_up();
        up && self.pool.socket_timeout.is_some_and(|timeout| now < wire.since + timeout)
    }
}
