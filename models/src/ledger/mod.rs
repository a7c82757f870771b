//! The downtime ledger: what went wrong or was changed, which phases that went through, who was down meanwhile, and in which phase
//! each operation was lost.
//!
//! An *incident* is a fault, a deployment or a planned change, begun by whoever plans it ([`Cx::begins`](crate::world::Cx::begins)),
//! or something that the run itself brings about. Services tell in one call what phase begins at them
//! ([`Cx::phase`](crate::world::Cx::phase)) and when they have done what they can ([`Cx::settling`](crate::world::Cx::settling)). No
//! service knows the cause of what it sees; so what it tells goes to the incident it is the subject of or has told of before,
//! otherwise to the one that began last and is not over, otherwise it makes an incident of its own.
//!
//! At any instant an incident is in one phase: detection while any component suspects something and sends requests there still; else
//! the phase that began last at a component that is at work and has not been led away from since; while there is none, the last phase,
//! until users are served as before (see `service`). What is under way and in no phase is said to be in none.
//!
//! An operation that fails belongs to the phase in which it started, of the incident that began last of those in a phase, or else of
//! those under way - unless an earlier one, in a phase still, lost operations of the same route for the same cause when that one began; one that had started before the incident that struck it, to that incident's first phase; any other to
//! no incident. So what is lost by phase adds up to what is lost in total, which the audit checks by an independent count.

mod incident;
mod outages;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use sim_core::observations::Phase;
use sim_core::observations::{self, IncidentKind, Lost, PhaseSpan, Witness};
use sim_core::{SimDuration, SimTime};

use crate::ids::*;
use crate::observer::Findings;
use crate::request::Cause;
use incident::{Incident, Mark};
use outages::Outages;
pub use service::Second;
use service::Service;

/// More incidents than this are not told apart any more: what happens then belongs to none.
const INCIDENTS_MOST: usize = 2000;
/// What a component tells is not taken for a consequence of an incident in which nothing has been done for so long (assumption).
const RELATED_WITHIN: SimDuration = SimDuration::from_secs(120);

/// Whose operation was lost, and why.
type Lot = (RouteId, Cause);
/// How many were.
type Counts = BTreeMap<Lot, u64>;

/// The ledger of a run.
#[derive(Debug)]
pub struct Ledger {
    /// In order of beginning.
    incidents: Vec<Incident>,
    /// Places of those that operations may still belong to.
    live: Vec<usize>,
    outside: Counts,
    /// Every operation that failed, counted beside what became of it here.
    lost: u64,
    service: Service,
    outages: Outages,
}

impl Ledger {
    /// Of a run with so many routes.
    #[must_use]
    pub fn new(routes: usize) -> Self {
        Self {
            incidents: Vec::new(),
            live: Vec::new(),
            outside: Counts::new(),
            lost: 0,
            service: Service::new(routes),
            outages: Outages::default(),
        }
    }

    // ------------------------------------------------------------ what planners and services tell

    /// An incident begins: a fault, which nobody has noticed yet, or something planned, which is in no phase.
    pub fn begin(&mut self, kind: IncidentKind, subject: &str, what: &str, now: SimTime) {
        if self.incidents.len() < INCIDENTS_MOST {
            let mut incident = Incident::new(kind, subject, what, now);
            for &elder in &self.live {
                self.incidents[elder].latest().for_each(|(lot, started)| incident.elder_loses(elder, lot, started));
            }
            self.live.push(self.incidents.len());
            self.incidents.push(incident);
        }
    }

    /// The cause of the last incident of a subject that is under way is over: a fault has ended, a deployment is done.
    pub fn over(&mut self, kind: IncidentKind, subject: &str, now: SimTime) {
        let its = |it: &&mut Incident| it.kind == kind && it.subject == subject && it.cause_lasts();
        if let Some(incident) = self.incidents.iter_mut().rev().find(its) {
            incident.cause_over(now);
        }
    }

    /// A phase begins at a component.
    pub fn phase(&mut self, component: &str, phase: Phase, now: SimTime) {
        match self.concerned(component, now) {
            Some(at) => self.incidents[at].mark(component, Mark::Phase(phase), now),
            // That something may be wrong is no incident until it is known to be.
            None if phase == Phase::Detection => {}
            None => {
                self.begin(IncidentKind::Unplanned, component, "by itself", now);
                if let Some(incident) = self.incidents.last_mut() {
                    incident.cause_over(now);
                    incident.mark(component, Mark::Phase(phase), now);
                }
            }
        }
    }

    /// A phase begins at a component that has told of one before and is not through with it; otherwise nothing does.
    pub fn phase_of_known(&mut self, component: &str, phase: Phase, now: SimTime) {
        if let Some(at) = self.concerned(component, now)
            && self.incidents[at].works(component)
        {
            self.incidents[at].mark(component, Mark::Phase(phase), now);
        }
    }

    /// A component has done what it can: what is left is caches, clients' memories, slow starts.
    pub fn settling(&mut self, component: &str, now: SimTime) {
        self.settle(component, Mark::Settling, now);
    }

    /// The same of one that has led users away from what is broken: they do not wait for what is still done about that.
    pub fn led_away(&mut self, component: &str, now: SimTime) {
        self.settle(component, Mark::LedAway, now);
    }

    fn settle(&mut self, component: &str, mark: Mark, now: SimTime) {
        if let Some(at) = self.concerned(component, now)
            && self.incidents[at].has_part(component)
        {
            self.incidents[at].mark(component, mark, now);
        }
    }

    /// Who tells whether it is down, though it may never be.
    pub fn watch(&mut self, witness: Witness, who: &str) {
        self.outages.watch(witness, who);
    }

    /// A component does no work from now on, or does again.
    pub fn down(&mut self, witness: Witness, who: &str, down: bool, now: SimTime) {
        self.outages.set(witness, who, down, now);
    }

    /// The incident that what a component tells belongs to.
    fn concerned(&self, component: &str, now: SimTime) -> Option<usize> {
        let going = || self.live.iter().rev().copied().filter(|&at| self.incidents[at].goes_on());
        let own = going().find(|&at| self.incidents[at].subject == component || self.incidents[at].has_part(component));
        own.or_else(|| going().find(|&at| !self.incidents[at].is_quiet_since(now, RELATED_WITHIN)))
    }

    // ------------------------------------------------------------ what becomes of operations

    /// An operation has failed.
    pub fn operation_lost(&mut self, route: RouteId, cause: Cause, started: SimTime, now: SimTime) {
        self.lost += 1;
        let lot = (route, cause);
        let Some((last, instant)) = self.struck(started, now) else {
            *self.outside.entry(lot).or_default() += 1;
            return;
        };
        let at = self.loses_still(last, lot, instant).unwrap_or(last);
        self.incidents[at].lose(instant, lot);
        for &later in self.live.iter().filter(|&&later| later > at) {
            self.incidents[later].elder_loses(at, lot, instant);
        }
    }

    /// The incident that lost operations of a route for the same cause when the last one to begin did: if it is in a phase still, it goes on
    /// to do so.
    fn loses_still(&self, last: usize, lot: Lot, at: SimTime) -> Option<usize> {
        let elders = self.live.iter().rev().copied().filter(|&elder| elder < last);
        let mut at_work =
            elders.filter(|&elder| self.incidents[elder].covers(at) && self.incidents[elder].phase_at(at).is_some());
        at_work.find(|&elder| self.incidents[last].has_elder(elder, lot))
    }

    /// The incident that an operation belongs to, and the instant at which it was struck.
    fn struck(&self, started: SimTime, now: SimTime) -> Option<(usize, SimTime)> {
        let at_start = self.in_force(started).map(|at| (at, started));
        at_start.or_else(|| {
            let strikes = |at: &&usize| (started..=now).contains(&self.incidents[**at].begins);
            self.live.iter().find(strikes).map(|&at| (at, self.incidents[at].begins))
        })
    }

    /// The incident that counts at an instant: the last to begin of those in a phase, or else of those under way.
    fn in_force(&self, at: SimTime) -> Option<usize> {
        let mut found = None;
        for &place in self.live.iter().rev().filter(|&&place| self.incidents[place].covers(at)) {
            if self.incidents[place].phase_at(at).is_some() {
                return Some(place);
            }
            found = found.or(Some(place));
        }
        found
    }

    /// A second takes no more answers: what is known of how users were served in it, by route.
    pub fn second_closes(&mut self, second: u64, seen: impl Iterator<Item = Second> + Clone) {
        for &at in &self.live {
            let incident = &mut self.incidents[at];
            if incident.is_later_than(second) {
                continue;
            }
            let served = self.service.is_as_before(incident.baseline(&self.service), seen.clone());
            incident.second_closes(second, served, &mut self.outside);
        }
        let quiet = self.live.iter().all(|&at| !self.incidents[at].covers(SimTime::from_secs(second + 1)));
        if quiet {
            self.service.learn(seen);
        }
        let closed = SimTime::from_secs(second);
        self.live.retain(|&at| self.incidents[at].may_still_lose(closed));
    }

    // ------------------------------------------------------------ the end

    /// In which phases a span of time lay.
    #[must_use]
    pub fn phases_between(&self, from: SimTime, until: SimTime) -> Vec<PhaseSpan> {
        let all: Vec<&Incident> = self.incidents.iter().filter(|it| it.overlaps(from, until)).collect();
        let edges = all.iter().flat_map(|it| it.edges()).filter(|&edge| from < edge && edge < until);
        let mut edges: Vec<SimTime> = edges.chain([from, until]).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut spans: Vec<PhaseSpan> = Vec::new();
        for pair in edges.windows(2) {
            let covering = all.iter().rev().filter(|it| it.covers(pair[0]));
            let phase = covering.filter_map(|it| it.phase_at(pair[0])).next();
            match spans.last_mut().filter(|last| last.phase == phase) {
                Some(last) => last.until = pair[1],
                None => spans.push(PhaseSpan { phase, from: pair[0], until: pair[1] }),
            }
        }
        spans
    }

    /// Closes the books, once all seconds are closed. `failed`: operations that failed by the observer's own count.
    pub fn finish(
        mut self,
        now: SimTime,
        warm_up: SimTime,
        routes: &[String],
        failed: u64,
        findings: &mut Findings,
    ) -> observations::Ledger {
        let counts = |place: Option<usize>, phase: Option<Phase>, counts: &Counts| -> Vec<Lost> {
            let lost = counts.iter().map(|(&(route, cause), &count)| Lost {
                incident: place,
                phase,
                route: routes[route.index()].clone(),
                cause: cause.name().to_owned(),
                count,
            });
            lost.collect()
        };
        let mut lost = counts(None, None, &self.outside);
        // What was over before anything counts is of no interest; what lost operations that count never is.
        let told: Vec<Incident> = std::mem::take(&mut self.incidents)
            .into_iter()
            .filter_map(|mut incident| {
                incident.run_ends();
                (incident.has_lost() || incident.ends.is_none_or(|end| end > warm_up)).then_some(incident)
            })
            .collect();
        for (place, incident) in told.iter().enumerate() {
            for (phase, of_phase) in &incident.lost {
                lost.extend(counts(Some(place), *phase, of_phase));
            }
        }
        let booked: u64 = lost.iter().map(|it| it.count).sum();
        findings.check(
            "ledger: operations lost by phase and outside of incidents = operations lost",
            booked == failed && self.lost == failed,
            format!("{booked} = {failed}"),
        );
        let (outages, watched) = self.outages.finish(now, warm_up);
        let incidents = told.into_iter().map(|incident| incident.observed(now)).collect();
        observations::Ledger { incidents, lost, outages, watched }
    }
}
