//! The downtime ledger: from observations to figures of one replication, and over all.

use sim_core::observations::{self, Observations, Phase, Witness};

use super::interval::Level;
use crate::model::ledger::{
    IncidentFigures, IncidentReport, LedgerFigures, LedgerReport, LostByPhase, LostReport, OutageReport, PartReport,
    PhaseTimes, Seen,
};
use crate::model::{Estimate, PhaseSpan};
use crate::named::Named;

/// What an incident is called in figures: those of one name are added up.
fn name_of(incident: &observations::Incident) -> String {
    match incident.kind {
        observations::IncidentKind::Unplanned => format!("{} {}", incident.subject, incident.what),
        _ => format!("{} of {}", incident.what, incident.subject),
    }
}

impl LostByPhase<f64> {
    fn add(&mut self, phase: Option<Phase>, belongs: bool, count: f64) {
        self.total += count;
        *match phase {
            Some(Phase::Detection) => &mut self.detection,
            Some(Phase::Decision) => &mut self.decision,
            Some(Phase::Routing) => &mut self.routing,
            Some(Phase::Recovery) => &mut self.recovery,
            Some(Phase::WarmUp) => &mut self.warm_up,
            None if belongs => &mut self.no_phase,
            None => &mut self.outside,
        } += count;
    }
}

impl PhaseTimes<f64> {
    fn add(&mut self, phase: Option<Phase>, seconds: f64) {
        self.total_s += seconds;
        *match phase {
            Some(Phase::Detection) => &mut self.detection_s,
            Some(Phase::Decision) => &mut self.decision_s,
            Some(Phase::Routing) => &mut self.routing_s,
            Some(Phase::Recovery) => &mut self.recovery_s,
            Some(Phase::WarmUp) => &mut self.warm_up_s,
            None => &mut self.no_phase_s,
        } += seconds;
    }
}

impl Seen<f64> {
    fn add(&mut self, seconds: f64) {
        self.outages += 1.0;
        self.total_s += seconds;
        self.longest_s = self.longest_s.max(seconds);
    }
}

/// A ledger in which nothing is known.
pub(super) fn nothing() -> LedgerFigures<f64> {
    let (causes, incidents, seen) = (Named::new(), Named::new(), Named::new());
    LedgerFigures { lost: LostByPhase::filled(0.0), causes, incidents, seen }
}

fn no_incident(kind: &'static str) -> IncidentFigures<f64> {
    IncidentFigures { kind, count: 0.0, time: PhaseTimes::filled(0.0), lost: LostByPhase::filled(0.0) }
}

/// The figures of one replication.
pub(super) fn of_replication(all: &Observations) -> LedgerFigures<f64> {
    let (ledger, mut figures) = (&all.ledger, nothing());
    for incident in &ledger.incidents {
        let it = figures.incidents.entry(&name_of(incident), || no_incident(incident.kind.name()));
        it.count += 1.0;
        for span in &incident.phases {
            it.time.add(span.phase, span.until.since(span.from).as_secs_f64());
        }
    }
    for lost in &ledger.lost {
        let (count, belongs) = (lost.count as f64, lost.incident.is_some());
        figures.lost.add(lost.phase, belongs, count);
        figures.causes.entry(&lost.cause, || LostByPhase::filled(0.0)).add(lost.phase, belongs, count);
        if let Some(incident) = lost.incident.and_then(|place| ledger.incidents.get(place)) {
            let it = figures.incidents.entry(&name_of(incident), || no_incident(incident.kind.name()));
            it.lost.add(lost.phase, true, count);
        }
    }
    // Whoever could have been down has a row, if only to say that it was not.
    for route in &all.routes {
        let seen = figures.seen.entry(&route.name, || Seen::filled(0.0));
        for window in all.downtime.iter().filter(|it| it.route == route.name && it.until > all.warm_up) {
            seen.add(window.until.since(window.from.max(all.warm_up)).as_secs_f64());
        }
    }
    for (_, who) in &ledger.watched {
        let seen = figures.seen.entry(who, || Seen::filled(0.0));
        for outage in ledger.outages.iter().filter(|outage| outage.who == *who) {
            seen.add(outage.until.since(outage.from).as_secs_f64());
        }
    }
    figures
}

/// Adds the names that `names` lacks at their ends.
pub(super) fn complete(names: &mut LedgerFigures<f64>, other: &LedgerFigures<f64>) {
    for (cause, _) in other.causes.iter() {
        names.causes.entry(cause, || LostByPhase::filled(0.0));
    }
    for (name, incident) in other.incidents.iter() {
        names.incidents.entry(name, || no_incident(incident.kind));
    }
    for (who, _) in other.seen.iter() {
        names.seen.entry(who, || Seen::filled(0.0));
    }
}

/// The figures of one replication under all names: what did not occur in it was nothing.
pub(super) fn under(names: &LedgerFigures<f64>, own: &LedgerFigures<f64>) -> LedgerFigures<f64> {
    let causes = names.causes.iter().map(|(cause, _)| {
        (cause.to_owned(), own.causes.get(cause).cloned().unwrap_or_else(|| LostByPhase::filled(0.0)))
    });
    let incidents = names
        .incidents
        .iter()
        .map(|(name, it)| (name.to_owned(), own.incidents.get(name).cloned().unwrap_or_else(|| no_incident(it.kind))));
    let seen = names.seen.iter();
    let seen = seen.map(|(who, _)| (who.to_owned(), own.seen.get(who).cloned().unwrap_or_else(|| Seen::filled(0.0))));
    LedgerFigures {
        lost: own.lost.clone(),
        causes: causes.collect(),
        incidents: incidents.collect(),
        seen: seen.collect(),
    }
}

/// Estimates over replications that all have the same names.
pub(super) fn over(all: &[&LedgerFigures<f64>], level: Level) -> LedgerFigures<Estimate> {
    let estimate = |values: &[f64]| level.estimate(values);
    let lost = |every: &[&LostByPhase<f64>]| LostByPhase::gather(every, estimate);
    let none = nothing();
    let first = all.first().copied().unwrap_or(&none);
    let causes = first.causes.iter().map(|(cause, _)| {
        let same: Vec<_> = all.iter().filter_map(|it| it.causes.get(cause)).collect();
        (cause.to_owned(), lost(&same))
    });
    let mut causes: Named<LostByPhase<Estimate>> = causes.collect();
    causes.sort_descending_by_key(|it| it.total.value);
    let incidents = first.incidents.iter().map(|(name, it)| {
        let same: Vec<_> = all.iter().filter_map(|one| one.incidents.get(name)).collect();
        let times: Vec<_> = same.iter().map(|one| &one.time).collect();
        let losses: Vec<_> = same.iter().map(|one| &one.lost).collect();
        let counts: Vec<_> = same.iter().map(|one| one.count).collect();
        let figures = IncidentFigures {
            kind: it.kind,
            count: estimate(&counts),
            time: PhaseTimes::gather(&times, estimate),
            lost: lost(&losses),
        };
        (name.to_owned(), figures)
    });
    let seen = first.seen.iter().map(|(who, _)| {
        let same: Vec<_> = all.iter().filter_map(|it| it.seen.get(who)).collect();
        (who.to_owned(), Seen::gather(&same, estimate))
    });
    LedgerFigures {
        lost: lost(&all.iter().map(|it| &it.lost).collect::<Vec<_>>()),
        causes,
        incidents: incidents.collect(),
        seen: seen.collect(),
    }
}

/// A ledger with `<name>` for every name.
pub(super) fn skeleton() -> LedgerFigures<f64> {
    let (any, mut ledger) = (crate::expectations::ANY, nothing());
    ledger.causes.entry(any, || LostByPhase::filled(0.0));
    ledger.incidents.entry(any, || no_incident(""));
    ledger.seen.entry(any, || Seen::filled(0.0));
    ledger
}

// ---------------------------------------------------------------- one replication, incident by incident

pub(super) fn spans(spans: &[observations::PhaseSpan]) -> Vec<PhaseSpan> {
    let span = |it: &observations::PhaseSpan| PhaseSpan {
        phase: it.phase.map(Phase::name),
        from_s: it.from.as_secs_f64(),
        until_s: it.until.as_secs_f64(),
    };
    spans.iter().map(span).collect()
}

/// The ledger of one replication as it is.
pub(super) fn report(all: &Observations) -> LedgerReport {
    let ledger = &all.ledger;
    let lost_of = |place: Option<usize>| -> Vec<LostReport> {
        let its = ledger.lost.iter().filter(|it| it.incident == place);
        let one = |it: &observations::Lost| LostReport {
            phase: it.phase.map(Phase::name),
            route: it.route.clone(),
            cause: it.cause.clone(),
            count: it.count,
        };
        its.map(one).collect()
    };
    let incident = |(place, it): (usize, &observations::Incident)| IncidentReport {
        name: name_of(it),
        kind: it.kind.name(),
        subject: it.subject.clone(),
        what: it.what.clone(),
        from_s: it.begins.as_secs_f64(),
        until_s: it.ends.map(|end| end.as_secs_f64()),
        as_before: it.as_before,
        phases: spans(&it.phases),
        parts: it
            .parts
            .iter()
            .map(|(component, phases)| PartReport { component: component.clone(), phases: spans(phases) })
            .collect(),
        lost: lost_of(Some(place)),
    };
    let outage = |it: &observations::Outage| OutageReport {
        witness: witness(it.witness),
        who: it.who.clone(),
        from_s: it.from.as_secs_f64(),
        until_s: it.until.as_secs_f64(),
    };
    LedgerReport {
        incidents: ledger.incidents.iter().enumerate().map(incident).collect(),
        outside: lost_of(None),
        outages: ledger.outages.iter().map(outage).collect(),
        watched: ledger.watched.iter().map(|(_, who)| who.clone()).collect(),
    }
}

const fn witness(witness: Witness) -> &'static str {
    match witness {
        Witness::Probe => "probe",
        Witness::Component => "component",
    }
}
