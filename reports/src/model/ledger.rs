//! The downtime ledger's figures, and those of availability beside it.

use super::*;

figures! {
    /// Operations that failed, by the phase of the incident that they belong to. `total` is the sum of the others.
    LostByPhase {
        /// All of them.
        total,
        /// Nobody had noticed yet.
        detection,
        /// It was noticed, and nothing was done yet.
        decision,
        /// Requests were being led elsewhere.
        routing,
        /// What was broken was being repaired or replaced.
        recovery,
        /// All had been done, and users were not served as before yet.
        warm_up,
        /// Something was under way that was in no phase, such as a deployment that goes as it should.
        no_phase,
        /// Nothing was under way.
        outside,
    }
}

figures! {
    /// How long incidents were in which phase, in seconds. `total_s` is the sum of the others.
    PhaseTimes {
        /// From beginning to end.
        total_s,
        /// Until it was noticed.
        detection_s,
        /// Until something was done.
        decision_s,
        /// Requests were being led elsewhere.
        routing_s,
        /// What was broken was being repaired or replaced.
        recovery_s,
        /// Until users were served as before.
        warm_up_s,
        /// In no phase.
        no_phase_s,
    }
}

figures! {
    /// Downtime as somebody saw it.
    Seen {
        /// How often.
        outages,
        /// Seconds in all.
        total_s,
        /// Seconds of the longest.
        longest_s,
    }
}

figures! {
    /// Availability by other formulas than the share of operations that ended well.
    Uptime {
        /// Share of the measured time outside of the windows of downtime.
        by_time,
        /// 1 less the average of the error rates of five-minute intervals, those without requests counting as 0, as AWS's service level
        /// agreements have it; over the measured time.
        five_minutes,
        /// The same over a month of 30 days in which nothing else fails.
        month,
    }
}

figures! {
    /// An objective and what is left of its error budget; no values without an objective.
    ErrorBudget {
        /// The objective: the least share of operations that is to end well.
        objective,
        /// Error rate of the measured time over the error rate that the objective allows: 1 spends the budget in just its period.
        burn_rate,
        /// Share of the period's budget that the measured time has spent, if traffic is as in it for the whole period.
        spent_ratio,
        /// The highest burn rate over any 5 minutes.
        burn_5m,
        /// Over any 30 minutes; what lies before the measured time counts as served well.
        burn_30m,
        /// Over any hour.
        burn_1h,
        /// Over any 6 hours.
        burn_6h,
        /// When the burn rates of 1 hour and of 5 minutes were both above 14.4 first, in seconds of simulated time.
        fast_page_at_s,
        /// When those of 6 hours and of 30 minutes were both above 6.
        slow_page_at_s,
    }
}

/// Incidents of one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentFigures<F> {
    /// `fault`, `deployment`, `change` or `unplanned`.
    pub kind: &'static str,
    /// How often it began.
    pub count: F,
    /// How long it was in which phase, in all.
    pub time: PhaseTimes<F>,
    /// Operations lost in them.
    pub lost: LostByPhase<F>,
}

/// The ledger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerFigures<F> {
    /// Every operation that failed, once.
    pub lost: LostByPhase<F>,
    /// The same by cause.
    pub causes: Named<LostByPhase<F>>,
    /// By name of the incident, such as `aws:rds:failover-db-cluster of aurora.orders`.
    pub incidents: Named<IncidentFigures<F>>,
    /// By who saw it: routes, probes, components.
    pub seen: Named<Seen<F>>,
}

/// An incident of one replication.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentReport {
    /// Its name, as in the figures.
    pub name: String,
    /// `fault`, `deployment`, `change` or `unplanned`.
    pub kind: &'static str,
    /// What it happened to.
    pub subject: String,
    /// What happened.
    pub what: String,
    /// When it began, in seconds of simulated time.
    pub from_s: f64,
    /// When it was over; none = it was not when the run ended.
    pub until_s: Option<f64>,
    /// Whether users were served as before then.
    pub as_before: bool,
    /// Its phases.
    pub phases: Vec<PhaseSpan>,
    /// The phases of each component that told of any.
    pub parts: Vec<PartReport>,
    /// Operations lost, by phase, route and cause.
    pub lost: Vec<LostReport>,
}

/// The phases of a component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartReport {
    /// Which.
    pub component: String,
    /// Its phases.
    pub phases: Vec<PhaseSpan>,
}

/// Operations lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LostReport {
    /// In which phase; none = in none.
    pub phase: Option<&'static str>,
    /// Of which route.
    pub route: String,
    /// Why.
    pub cause: String,
    /// How many.
    pub count: u64,
}

/// A span of time in which a component did no work, or a probe failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutageReport {
    /// `probe` or `component`.
    pub witness: &'static str,
    /// Whose.
    pub who: String,
    /// Start, in seconds of simulated time.
    pub from_s: f64,
    /// End.
    pub until_s: f64,
}

/// The ledger of one replication or of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LedgerReport {
    /// What went wrong or was changed, in order of beginning.
    pub incidents: Vec<IncidentReport>,
    /// Operations lost that belong to none, by route and cause.
    pub outside: Vec<LostReport>,
    /// Who was down when.
    pub outages: Vec<OutageReport>,
    /// Components and probes that tell whether they are down.
    pub watched: Vec<String>,
}
