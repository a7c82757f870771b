//! Who is the writer, who the endpoints' names lead to, and how that changes.

use std::cmp::Reverse;

use sim_core::math::mix;
use sim_core::observations::LogKind;
use sim_core::random::Draws;

use super::*;
use crate::ledger;

/// A step of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The promoted reader accepts writes.
    Promoted,
    /// The endpoints' records name it.
    Named,
}

/// Who is what.
#[derive(Debug)]
pub(super) struct Roles {
    /// Who accepts writes.
    pub(super) writer: Option<u16>,
    /// Who the cluster endpoint's record names, and the reader endpoint's does not; who it named before, and until when.
    pub(super) record: u16,
    record_before: u16,
    renamed: SimTime,
    /// Who was handed out last, by endpoint.
    turns: Vec<u16>,
    /// The failover under way: who is to be the writer, and whether it is yet.
    after: Option<u16>,
    promoted: bool,
    /// Key of what decides between equals.
    tie_break: u64,
    /// Failovers begun.
    pub(super) failovers: u64,
}

impl Roles {
    pub(super) fn new(tie_break: u64, endpoints: usize) -> Self {
        Self {
            writer: Some(0),
            record: 0,
            record_before: 0,
            renamed: SimTime::ZERO,
            turns: vec![0; endpoints],
            after: None,
            promoted: false,
            tie_break,
            failovers: 0,
        }
    }

    /// An instance sets out to be the writer.
    pub(super) fn set_out(&mut self, after: u16) {
        (self.after, self.promoted) = (Some(after), false);
    }

    /// Whom the cluster endpoint's record named at an instant that is not long ago.
    pub(super) fn record_at(&self, asked: SimTime) -> u16 {
        if asked < self.renamed { self.record_before } else { self.record }
    }

    /// The cluster endpoint's record names another instance.
    pub(super) fn rename(&mut self, to: u16, now: SimTime) {
        (self.record_before, self.record, self.renamed) = (self.record, to, now);
    }

    /// Whether an instance is about to be the writer.
    pub(super) fn is_candidate(&self, number: u16) -> bool {
        self.after == Some(number) && !self.promoted
    }

    /// Whether a failover is under way.
    pub(super) fn is_electing(&self) -> bool {
        self.after.is_some()
    }
}

/// Candidates in the order in which they would be promoted: lowest tier first, of these the largest; among equals the
/// documentation says arbitrary, and a random number of each instance decides (Aurora guide, Concepts.AuroraHighAvailability).
pub(super) fn promotion_order(servers: &[Server], mut candidates: Vec<u16>, tie_break: u64) -> Vec<u16> {
    candidates.sort_by(|&a, &b| {
        let (left, right) = (&servers[a as usize], &servers[b as usize]);
        left.promotion_tier
            .cmp(&right.promotion_tier)
            .then(right.class.memory_gib.total_cmp(&left.class.memory_gib))
            .then_with(|| Reverse(mix(tie_break, a.into())).cmp(&Reverse(mix(tie_break, b.into()))))
    });
    candidates
}

impl Aurora {
    /// Another instance is the writer, or none is.
    pub(super) fn set_writer(&mut self, writer: Option<u16>, cx: &mut Cx<'_>) {
        self.roles.writer = writer;
        cx.down(&format!("{} writer", self.name), writer.is_none());
    }

    /// The instance that an endpoint leads to next. By its name (`by_role` false): the reader endpoint leads to the readers
    /// that are listed, in turn, and to what the cluster endpoint's record names if there is none; a reader just promoted is
    /// still handed out until the records change (Aurora guide, Aurora.Overview.Endpoints, says so too). By role: to instances
    /// that answer, and to readers only if they are.
    pub(super) fn next_of(&mut self, endpoint: u16, by_role: bool) -> Option<u16> {
        let count = self.servers.len() as u16;
        // Of a secondary cluster all instances are readers, whomever the record names.
        let record = Some(self.roles.record).filter(|_| !self.is_secondary());
        let writer = if by_role { self.roles.writer } else { record };
        let fits = |it: &u16| match &self.endpoints[endpoint as usize] {
            ClusterEndpoint::Cluster => Some(*it) == writer,
            ClusterEndpoint::Instance(instance) => it == instance,
            ClusterEndpoint::Reader => Some(*it) != writer,
            ClusterEndpoint::Custom { members, any, .. } => members.contains(it) && (*any || Some(*it) != writer),
        };
        let there = |it: &u16| {
            let server = &self.servers[*it as usize];
            if by_role { server.is_up() } else { server.listed }
        };
        let last = self.roles.turns[endpoint as usize];
        let found = (1..=count).map(|step| (last + step) % count).find(|it| fits(it) && there(it));
        if let Some(found) = found {
            self.roles.turns[endpoint as usize] = found;
            return Some(found);
        }
        match &self.endpoints[endpoint as usize] {
            ClusterEndpoint::Instance(instance) => Some(*instance),
            // Only the reader endpoint stands in with the writer.
            ClusterEndpoint::Custom { members, .. } => members.first().copied(),
            ClusterEndpoint::Cluster | ClusterEndpoint::Reader => writer,
        }
    }

    /// A failover that is asked for, so that nothing has to be detected first: to an instance, or to the first in the order of
    /// promotion. A cluster that is not done with the last one refuses.
    pub(super) fn fail_over(&mut self, to: Option<u16>, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(before) = self.roles.writer.filter(|_| !self.roles.is_electing()) else {
            let what = "failover refused: another is under way, or there is no writer";
            return cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        };
        let after = to.filter(|&to| to != before && self.servers[to as usize].is_up());
        let after = after.or_else(|| self.first_in_line(Some(before)));
        let others = |(number, server): (usize, &Server)| {
            number != before as usize && server.kind.is_candidate() && server.exists()
        };
        if after.is_none() && self.servers.iter().enumerate().any(others) {
            let what = "failover refused: no reader answers that could be promoted";
            return cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        }
        let Some(after) = after else { return self.recreate(before, cx) };
        let reach = if self.failover.silent { Reach::Silent } else { Reach::Refusing };
        let back_at = now + self.failover.restart;
        // A promoted reader has its cache, the old writer loses its own.
        self.servers[before as usize].returns_cold = true;
        self.servers[before as usize].listed = false;
        self.begin_promotion(before, after, SimDuration::ZERO, cx);
        self.take_away(before, reach, back_at, cx);
        self.break_with_both(before, after, cx);
    }

    /// A cluster of one instance has nobody to promote: a new writer is created.
    fn recreate(&mut self, writer: u16, cx: &mut Cx<'_>) {
        let (now, until) = (cx.now(), cx.now() + self.failover.recreate);
        self.roles.failovers += 1;
        let name = &self.servers[writer as usize].short_name;
        let what = format!("failover: no reader to promote, {name} comes back itself");
        cx.shared.observer.log_span(now, Some(until), LogKind::Failover, &self.name, what);
        self.servers[writer as usize].returns_cold = true;
        cx.phase(&self.name, ledger::Phase::Recovery);
        self.take_down(writer, until, cx);
        self.reset_connections(writer, false, cx);
    }

    /// Whoever is first in the order of promotion among the instances that answer.
    pub(super) fn first_in_line(&self, before: Option<u16>) -> Option<u16> {
        let fits = |&it: &u16| {
            let server = &self.servers[it as usize];
            Some(it) != before && server.is_up() && server.kind.is_candidate()
        };
        let readers = (0..self.servers.len() as u16).filter(fits).collect();
        promotion_order(&self.servers, readers, self.roles.tie_break).first().copied()
    }

    /// There is no writer, it is known, and nobody is being promoted: a reader is, if one answers.
    pub(super) fn elect_if_headless(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let before = self.roles.record;
        // An instance that is away for a planned time, or not known to be away, is not replaced.
        let server = &self.servers[before as usize];
        let lost = server.reach == Reach::Silent && !server.listed;
        if self.is_secondary() || self.roles.writer.is_some() || self.roles.is_electing() || !lost {
            return;
        }
        let Some(after) = self.first_in_line(Some(before)) else {
            let what = "no instance answers that could be promoted";
            return cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        };
        let noticed_after = now - server.away_since;
        self.begin_promotion(before, after, noticed_after, cx);
        self.servers[before as usize].returns_cold = true;
        self.break_with_both(before, after, cx);
    }

    /// A reader is on its way to be the writer. `spent`: what has passed of the time that this takes from the failure on.
    fn begin_promotion(&mut self, before: u16, after: u16, spent: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        let mut draws = Draws::new(self.roles.tie_break, self.roles.failovers);
        let mut takes = self.failover.promotion.sample_duration(&mut draws) - spent;
        if self.failover.waits_for_lag {
            takes += self.lag.backlog(now);
        }
        self.roles.failovers += 1;
        self.roles.set_out(after);
        cx.phase(&self.name, ledger::Phase::Recovery);
        let name = |it: u16| &self.servers[it as usize].short_name;
        let what = format!("failover: writer {} -> {}", name(before), name(after));
        let until = now + takes + self.failover.dns_update;
        cx.shared.observer.log_span(now, Some(until), LogKind::Failover, &self.name, what);
        cx.kernel.schedule_in(takes, self.event(Event::Failover(Step::Promoted)));
        // It restarts in its new role. On engines that cannot help it, all other readers do so too.
        self.take_down(after, now + takes, cx);
        if !self.failover.survivable_readers {
            for reader in 0..self.servers.len() as u16 {
                if reader != before && reader != after && self.servers[reader as usize].is_up() {
                    self.take_down(reader, now + takes, cx);
                    self.reset_connections(reader, false, cx);
                }
            }
        }
    }

    /// Both are down before the first caller tries again.
    fn break_with_both(&mut self, before: u16, after: u16, cx: &mut Cx<'_>) {
        self.reset_connections(after, false, cx);
        let silent = self.servers[before as usize].reach == Reach::Silent;
        if !silent || self.proxy.is_some() {
            self.reset_connections(before, silent, cx);
        }
    }

    /// A step of the failover under way.
    pub(super) fn step(&mut self, step: Step, cx: &mut Cx<'_>) {
        let now = cx.now();
        let after = self.roles.after.expect("a failover is under way");
        let what = match step {
            Step::Promoted => {
                self.roles.promoted = true;
                self.region_promoted(cx);
                let server = &mut self.servers[after as usize];
                // Its zone may have gone meanwhile; then it is the writer when that is back.
                if server.back_at <= now {
                    server.return_at(now);
                    cx.down(&server.name, false);
                    self.set_writer(Some(after), cx);
                }
                cx.phase(&self.name, ledger::Phase::Routing);
                if self.buffer_cache.cold_after_promotion {
                    self.servers[after as usize].forget_pages(now);
                }
                cx.kernel.schedule_in(self.failover.dns_update, self.event(Event::Failover(Step::Named)));
                "is the writer"
            }
            Step::Named => {
                self.roles.after = None;
                self.roles.rename(after, now);
                if self.servers[after as usize].is_up() {
                    self.set_writer(Some(after), cx);
                }
                "is what the cluster endpoint names"
            }
        };
        let what = format!("{} {what}", self.servers[after as usize].short_name);
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        if step == Step::Promoted {
            self.refill_proxy(cx);
        } else {
            self.elect_if_headless(cx);
            self.change_goes_on(cx);
            self.tell_settled(cx);
        }
        self.tell_available(cx);
    }
}
