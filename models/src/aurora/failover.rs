//! Who is the writer, who the endpoints' names lead to, and how that changes.

use std::cmp::Reverse;

use sim_core::math::mix;
use sim_core::observations::LogKind;

use super::*;

/// A step of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The promoted reader accepts writes.
    Promoted,
    /// The endpoints' records name it.
    Named,
    /// The instance that was the writer is back.
    Returned,
}

/// Who is what.
#[derive(Debug)]
pub(super) struct Roles {
    /// Who accepts writes.
    pub(super) writer: Option<u16>,
    /// Who the cluster endpoint's record names, and the reader endpoint's does not.
    pub(super) record: u16,
    /// Who was handed out last as a reader.
    turn: u16,
    /// The failover under way: who was the writer, who is to be, and steps to come.
    before: u16,
    after: u16,
    to_come: u8,
    /// Key of what decides between equals.
    tie_break: u64,
    /// Failovers begun.
    pub(super) failovers: u64,
}

impl Roles {
    pub(super) fn new(tie_break: u64) -> Self {
        Self { writer: Some(0), record: 0, turn: 0, before: 0, after: 0, to_come: 0, tie_break, failovers: 0 }
    }
}

/// Candidates in the order in which they would be promoted: lowest tier first, of these the largest; among equals the
/// documentation says arbitrary, and a random number of each instance decides (Aurora guide, Concepts.AuroraHighAvailability).
pub(super) fn promotion_order(servers: &[Server], mut candidates: Vec<u16>, tie_break: u64) -> Vec<u16> {
    candidates.sort_by(|&a, &b| {
        let (left, right) = (&servers[a as usize], &servers[b as usize]);
        left.promotion_tier
            .cmp(&right.promotion_tier)
            .then(right.memory_gib.total_cmp(&left.memory_gib))
            .then_with(|| Reverse(mix(tie_break, a.into())).cmp(&Reverse(mix(tie_break, b.into()))))
    });
    candidates
}

impl Aurora {
    /// What the reader endpoint's name resolves to: the readers that answer, in turn; if there is none, what the cluster
    /// endpoint's does. A reader just promoted is still handed out until the records change (Aurora guide,
    /// Aurora.Overview.Endpoints, says so too).
    pub(super) fn next_reader(&mut self) -> u16 {
        let count = self.servers.len() as u16;
        for step in 1..=count {
            let candidate = (self.roles.turn + step) % count;
            if candidate != self.roles.record && self.servers[candidate as usize].up {
                self.roles.turn = candidate;
                return candidate;
            }
        }
        self.roles.record
    }

    /// `aws:rds:failover-db-cluster`. Asked for, so nothing has to be detected first. A cluster that is not done with the last
    /// one refuses.
    pub fn fail_over(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(before) = self.roles.writer.filter(|_| self.roles.to_come == 0) else {
            let what = "failover refused: another is under way";
            return cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        };
        self.roles.failovers += 1;
        self.roles.writer = None;
        self.roles.before = before;
        let readers = (0..self.servers.len() as u16).filter(|&it| it != before).collect();
        let after = promotion_order(&self.servers, readers, self.roles.tie_break).first().copied();
        let old = &self.servers[before as usize].short_name;
        let (until, what) = match after {
            Some(after) => (
                now + self.failover.promotion + self.failover.dns_update,
                format!("failover: writer {old} -> {}", self.servers[after as usize].short_name),
            ),
            None => (now + self.failover.restart, format!("failover: no reader to promote, {old} comes back itself")),
        };
        cx.shared.observer.log_span(now, Some(until), LogKind::Failover, &self.name, what);
        match after {
            Some(after) => {
                self.roles.after = after;
                self.roles.to_come = 3;
                cx.kernel.schedule_in(self.failover.promotion, self.event(Event::Failover(Step::Promoted)));
            }
            None => {
                self.roles.after = before;
                self.roles.to_come = 1;
            }
        }
        cx.kernel.schedule_in(self.failover.restart, self.event(Event::Failover(Step::Returned)));
        // Both are down before the first caller tries again.
        for server in after.into_iter().chain([before]) {
            self.servers[server as usize].set_up(now, false);
        }
        for server in after.into_iter().chain([before]) {
            self.reset_connections(server, cx);
        }
    }

    /// A step of the failover under way.
    pub(super) fn step(&mut self, step: Step, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Roles { before, after, .. } = self.roles;
        self.roles.to_come -= 1;
        let (server, what) = match step {
            Step::Promoted => {
                self.servers[after as usize].set_up(now, true);
                self.roles.writer = Some(after);
                cx.kernel.schedule_in(self.failover.dns_update, self.event(Event::Failover(Step::Named)));
                (after, "is the writer")
            }
            Step::Named => {
                self.roles.record = after;
                (after, "is what the cluster endpoint names")
            }
            Step::Returned => {
                self.servers[before as usize].set_up(now, true);
                if before == after {
                    self.roles.writer = Some(before);
                }
                (before, if before == after { "is the writer again" } else { "is back, as a reader" })
            }
        };
        let what = format!("{} {what}", self.servers[server as usize].short_name);
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
    }
}
