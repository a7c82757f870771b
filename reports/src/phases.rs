//! The phases of incidents as every rendering shows them: in one order, with one set of words.

use crate::model::ledger::{LostByPhase, PhaseTimes};
use crate::model::{Downtime, Estimate};

/// Names of the phases in reports, with how people write them; the last is in no phase.
pub(crate) const PHASES: [(&str, &str); 6] = [
    ("detection", "detection"),
    ("decision", "decision"),
    ("routing", "routing"),
    ("recovery", "recovery"),
    ("warm_up", "warm-up"),
    ("no_phase", "no phase"),
];

/// The place of a phase by its name in reports; that of no phase without one.
pub(crate) fn place_of(phase: Option<&str>) -> usize {
    PHASES.iter().position(|(name, _)| Some(*name) == phase).unwrap_or(PHASES.len() - 1)
}

/// What was lost in each, in their order.
pub(crate) const fn lost_in(lost: &LostByPhase<Estimate>) -> [&Estimate; 6] {
    [&lost.detection, &lost.decision, &lost.routing, &lost.recovery, &lost.warm_up, &lost.no_phase]
}

/// Seconds in each.
pub(crate) const fn time_in(time: &PhaseTimes<Estimate>) -> [&Estimate; 6] {
    [&time.detection_s, &time.decision_s, &time.routing_s, &time.recovery_s, &time.warm_up_s, &time.no_phase_s]
}

/// Seconds of downtime in each.
pub(crate) const fn down_in(down: &Downtime<Estimate>) -> [&Estimate; 6] {
    [&down.detection_s, &down.decision_s, &down.routing_s, &down.recovery_s, &down.warm_up_s, &down.no_phase_s]
}
