//! Aurora Global Database: clusters in other Regions that have the same data a little later, and what becomes of them when the primary
//! cluster is moved there or its Region is lost (Aurora guide, aurora-global-database-disaster-recovery).
//!
//! One cluster is the primary and accepts writes; each of the others is told of every write, which it has `replication_lag` later, in
//! order. A *switchover* lets the primary stop, waits until everything has come, and promotes: nothing is lost. A *failover* promotes at
//! once: what had not come when the primary's Region was lost is lost, and counted. The old primary becomes a secondary, now or
//! when it is back; after a *detachment* (`RemoveFromGlobalCluster`) it does not, and there are two databases.
//!
//! Clusters tell each other what happens ([`News`]) and read nothing of each other.

use std::collections::VecDeque;

use sim_core::distribution::Distribution;
use sim_core::observations::LogKind;
use sim_core::random::Stream;

use super::*;
use crate::ledger;
use crate::observer::Findings;
use crate::world::Control;

/// A cluster's part in a global database.
#[derive(Clone, Debug)]
pub struct GlobalSettings {
    /// The primary at the start; itself, if it is.
    pub primary: AuroraId,
    /// The other clusters, and how far each is behind.
    pub others: Vec<(AuroraId, Distribution)>,
    /// How long it takes until it accepts writes when it is promoted.
    pub promotion: Distribution,
}

/// What clusters of a global database tell each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// A write is committed, and arrives at this instant unless the Region is lost before.
    Written(SimTime),
    /// Nothing comes from the primary any more: its Region is lost.
    Cut,
    /// Its Region is back, and it is the primary still.
    Resumed,
    /// To the primary: a secondary is to take its place in a switchover.
    SwitchTo(AuroraId),
    /// To that: the primary accepts no more writes, and the last have arrived everywhere at this instant.
    Released(SimTime),
    /// To that: the primary cannot be reached.
    NotReady,
    /// Another cluster is to be the primary.
    Replaced(AuroraId),
    /// It is, and accepts writes.
    Promoted(AuroraId),
    /// To oneself, behind what the others are told: take over, detached or not.
    TakeOver(bool),
    /// Another cluster has been detached, and is a database of its own.
    Detached(AuroraId),
}

/// What a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Primary,
    Secondary,
    /// On the way from one to the other.
    Promoting,
}

/// A cluster's part at work.
#[derive(Debug)]
pub(super) struct Global {
    settings: GlobalSettings,
    role: Role,
    primary: AuroraId,
    lags: Stream,
    promotions: Stream,
    /// Of a primary: when the last write arrives at each of the others.
    arrives: Vec<SimTime>,
    /// Of a secondary: writes that are on the way, when they were committed and arrive.
    under_way: VecDeque<(SimTime, SimTime)>,
    /// Since when nothing comes from the primary.
    cut: Option<SimTime>,
    /// Since then somebody has wanted to write here, and nobody has decided yet.
    awaits_decision: bool,
    /// A primary whose Region is lost.
    lost: bool,
    /// It is on the way out of the global database.
    leaves: bool,
    /// Another database has the same past and accepts writes too.
    split: bool,
    /// The most that a write of this period was behind.
    period: SimDuration,
    lag_metric: MetricId,
    /// Since the warm-up: writes that were lost, how far back they go in seconds, writes of a primary after a split, moves.
    books: Books,
}

/// What is counted.
#[derive(Debug, Default)]
struct Books {
    lost: u64,
    recovery_point: f64,
    split_writes: u64,
    promoted: u64,
    sent: u64,
}

impl Global {
    pub(super) fn new(id: AuroraId, name: &str, settings: &GlobalSettings, cx: &mut Cx<'_>) -> Self {
        Self {
            role: if settings.primary == id { Role::Primary } else { Role::Secondary },
            primary: settings.primary,
            lags: cx.shared.streams.stream(name, "lag of replication to other Regions"),
            promotions: cx.shared.streams.stream(name, "promotion of a Region"),
            arrives: vec![SimTime::ZERO; settings.others.len()],
            under_way: VecDeque::new(),
            cut: None,
            awaits_decision: false,
            lost: false,
            leaves: false,
            split: false,
            period: SimDuration::ZERO,
            lag_metric: cx.shared.metrics.register(format!("AWS/RDS AuroraGlobalDBReplicationLag {name}"), "ms"),
            books: Books::default(),
            settings: settings.clone(),
        }
    }

    /// Tells all other clusters.
    fn tell(&self, news: News, cx: &mut Cx<'_>) {
        self.settings.others.iter().for_each(|(other, _)| cx.control(Control::Global(*other, news)));
    }

    /// The secondary has had what arrives until now.
    fn receive(&mut self, now: SimTime) {
        while self.under_way.front().is_some_and(|(_, arrives)| *arrives <= now) {
            self.under_way.pop_front();
        }
    }

    pub(super) fn warm_up_over(&mut self) {
        self.books = Books::default();
    }

    /// How far behind it was in the period that ends; nothing of a primary, or while nothing comes.
    pub(super) fn publish(&mut self, period_start: SimTime, cx: &mut Cx<'_>) {
        let period = std::mem::take(&mut self.period);
        if self.role == Role::Secondary && self.cut.is_none() {
            cx.shared.metrics.publish(self.lag_metric, period_start, period.as_secs_f64() * 1e3);
        }
    }

    /// Writes that were sent to other Regions, each once for each.
    pub(super) fn sent(&self) -> u64 {
        self.books.sent
    }

    pub(super) fn count(&self, name: &str, findings: &mut Findings) {
        let Books { lost, recovery_point, split_writes, promoted, .. } = self.books;
        findings.count(name, "promotions to primary", promoted as f64);
        findings.count(name, "writes lost", lost as f64);
        findings.count(name, "recovery point s", recovery_point);
        findings.count(name, "writes after the split", split_writes as f64);
    }
}

impl Aurora {
    /// Whether it is a secondary cluster, all of whose instances are readers.
    pub(super) fn is_secondary(&self) -> bool {
        self.global.as_ref().is_some_and(|global| global.role != Role::Primary)
    }

    /// A write is committed: it goes to the other Regions.
    pub(super) fn replicate(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(global) = &mut self.global else { return };
        global.books.split_writes += u64::from(global.split);
        for ((other, lag), arrives) in global.settings.others.iter().zip(&mut global.arrives) {
            *arrives = (*arrives).max(now + lag.sample_duration(&mut global.lags));
            global.books.sent += 1;
            cx.control(Control::Global(*other, News::Written(*arrives)));
        }
    }

    /// The Region is lost, or is back.
    pub(super) fn region_lost(&mut self, lost: bool, cx: &mut Cx<'_>) {
        let Some(global) = &mut self.global else { return };
        global.lost = lost;
        if global.role == Role::Primary {
            global.tell(if lost { News::Cut } else { News::Resumed }, cx);
        }
        if !lost && global.split {
            let what = "accepts writes again, and so does the cluster that was detached: two databases from now on";
            cx.shared.observer.log(cx.kernel.now(), LogKind::Failover, &self.name, what);
        }
    }

    /// Another cluster of the global database tells something.
    pub fn hear(&mut self, news: News, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(global) = &mut self.global else { return };
        match news {
            News::Written(arrives) if global.role == Role::Secondary => {
                global.receive(now);
                global.under_way.push_back((now, arrives));
                global.period = global.period.max(arrives - now);
                self.lag.arrives(arrives);
            }
            News::Cut if global.role == Role::Secondary => (global.cut, global.awaits_decision) = (Some(now), false),
            News::Resumed if global.role == Role::Secondary => {
                // What had not arrived goes on where it was.
                if let Some(cut) = global.cut.take() {
                    global.under_way.retain(|(_, arrives)| *arrives > cut);
                    global.under_way.iter_mut().for_each(|(_, arrives)| *arrives += now - cut);
                }
                cx.settling(&self.name);
            }
            News::SwitchTo(other) => {
                let ready = global.role == Role::Primary && !global.lost && self.roles.writer.is_some();
                let ready = ready && !self.roles.is_electing();
                let all = global.arrives.iter().fold(now, |last, &arrives| last.max(arrives));
                cx.control(Control::Global(other, if ready { News::Released(all) } else { News::NotReady }));
                if ready {
                    cx.phase(&self.name, ledger::Phase::Routing);
                    self.follow(other, cx);
                }
            }
            News::Released(synchronized) => self.promote_region(synchronized - now, "switchover", cx),
            News::NotReady => {
                let what = "switchover refused: the primary cluster is not available";
                cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
            }
            News::Replaced(by) => self.follow(by, cx),
            News::Promoted(by) => {
                if global.role == Role::Secondary {
                    (global.primary, global.cut) = (by, None);
                    global.under_way.clear();
                    // Nobody misses a writer here any more.
                    cx.down(&format!("{} writer", self.name), false);
                }
                cx.settling(&self.name);
            }
            News::TakeOver(detached) => {
                let how = if detached { "detached and promoted" } else { "failover" };
                self.promote_region(SimDuration::ZERO, how, cx);
            }
            News::Detached(by) => {
                let others = global.settings.others.iter().position(|(other, _)| *other == by);
                if let Some(place) = others {
                    global.settings.others.remove(place);
                    global.arrives.remove(place);
                }
                if global.role == Role::Primary {
                    global.split = true;
                    cx.phase_of_known(&self.name, ledger::Phase::Recovery);
                }
            }
            _ => {}
        }
    }

    /// A write was refused here. While the primary's Region is lost that is what waits for somebody's decision.
    pub(super) fn misses_primary(&mut self, cx: &mut Cx<'_>) {
        let Some(global) = self.global.as_mut().filter(|it| it.role == Role::Secondary && it.cut.is_some()) else {
            return;
        };
        if !std::mem::replace(&mut global.awaits_decision, true) {
            cx.phase(&self.name, ledger::Phase::Decision);
            let what = "refuses writes: nobody has decided yet to make it the primary cluster";
            cx.shared.observer.log(cx.kernel.now(), LogKind::Health, &self.name, what);
        }
    }

    /// `SwitchoverGlobalCluster` to this cluster.
    pub(super) fn switch_over(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(global) = self.global.as_mut().filter(|global| global.role == Role::Secondary) else {
            let what = "switchover refused: it is no secondary cluster";
            return cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        };
        let asked = News::SwitchTo(self.id);
        cx.control(Control::Global(global.primary, asked));
    }

    /// Another cluster is the primary. One that was it until now restarts its writer as a reader; it accepts no writes from now on.
    fn follow(&mut self, primary: AuroraId, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(global) = &mut self.global else { return };
        let was_primary = global.role == Role::Primary;
        (global.primary, global.cut) = (primary, None);
        global.under_way.clear();
        if !was_primary {
            return;
        }
        global.role = Role::Secondary;
        cx.shared.observer.log(now, LogKind::Failover, &self.name, "is a secondary cluster, and accepts no writes");
        cx.phase_of_known(&self.name, ledger::Phase::Recovery);
        if let Some(writer) = self.roles.writer {
            let back_at = now + self.failover.restart;
            self.take_down(writer, back_at, cx);
            self.reset_connections(writer, false, cx);
        }
    }

    /// `FailoverGlobalCluster` (data may be lost) to this cluster, or `RemoveFromGlobalCluster`, which makes it a database of its own.
    pub(super) fn fail_over_region(&mut self, detach: bool, cx: &mut Cx<'_>) {
        let now = cx.now();
        let id = self.id;
        let Some(global) = self.global.as_mut().filter(|global| global.role == Role::Secondary) else {
            let what = "failover refused: it is no secondary cluster";
            return cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        };
        let cut = global.cut.unwrap_or(now);
        let lost = || global.under_way.iter().filter(|(_, arrives)| *arrives > cut);
        let (count, oldest) = (lost().count(), lost().next().map(|(committed, _)| *committed));
        let recovery_point = oldest.map_or(0.0, |committed| (cut - committed).as_secs_f64());
        global.books.lost += count as u64;
        global.books.recovery_point = global.books.recovery_point.max(recovery_point);
        global.under_way.clear();
        let what = format!("{count} committed writes are lost, of the last {recovery_point:.3} s before the cut");
        cx.shared.observer.log(now, LogKind::Failover, &self.name, what);
        global.tell(if detach { News::Detached(id) } else { News::Replaced(id) }, cx);
        global.leaves = detach;
        cx.control(Control::Global(id, News::TakeOver(detach)));
    }

    /// One of the readers is promoted, and the cluster with it.
    fn promote_region(&mut self, waits: SimDuration, how: &str, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(after) = self.first_in_line(None) else {
            let what = format!("{how} refused: no instance answers that could be promoted");
            return cx.shared.observer.log(now, LogKind::Failover, &self.name, what);
        };
        let Some(global) = &mut self.global else { return };
        global.role = Role::Promoting;
        global.books.promoted += 1;
        let takes = waits + global.settings.promotion.sample_duration(&mut global.promotions);
        let what =
            format!("{how}: becomes the primary cluster, {} its writer", self.servers[after as usize].short_name);
        let until = now + takes + self.failover.dns_update;
        cx.shared.observer.log_span(now, Some(until), LogKind::Failover, &self.name, what);
        self.roles.set_out(after);
        cx.phase(&self.name, ledger::Phase::Recovery);
        cx.kernel.schedule_in(takes, self.event(Event::Failover(Step::Promoted)));
        self.take_down(after, now + takes, cx);
        self.reset_connections(after, false, cx);
    }

    /// The promoted instance accepts writes: so does the cluster.
    pub(super) fn region_promoted(&mut self, cx: &mut Cx<'_>) {
        let id = self.id;
        let Some(global) = self.global.as_mut().filter(|global| global.role == Role::Promoting) else { return };
        (global.role, global.primary, global.cut) = (Role::Primary, id, None);
        global.tell(News::Promoted(id), cx);
        if global.leaves {
            global.settings.others.clear();
        }
    }

    /// Whether a takeover answers the loss of the primary's Region, and so belongs to that incident.
    pub(super) fn reacts(&self) -> bool {
        self.global.as_ref().is_some_and(|global| global.cut.is_some())
    }
}
