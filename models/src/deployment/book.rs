//! The book of a service's deployments: what they came to, whoever rolled them out.

use sim_core::tally::Level;
use sim_core::{SimDuration, SimTime};

use crate::observer::{DEPLOYMENTS, Findings};

/// An instant, and the tasks or instances there were and were wanted up to it, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    at: SimTime,
    extant: u128,
    wanted: u128,
}

impl Usage {
    /// What was used up to now, given how many there were and how many there should have been.
    pub(crate) fn up_to(now: SimTime, extant: &Level, wanted: &Level) -> Self {
        Self { at: now, extant: extant.integral(now), wanted: wanted.integral(now) }
    }
}

/// What came of the deployments of a service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Book {
    pub(crate) begun: u32,
    pub(crate) completed: u32,
    pub(crate) rolled_back: u32,
    pub(crate) failed: u32,
    /// Instances on which a deployment failed, where there are instances.
    pub(crate) failed_hosts: Option<u32>,
    duration: SimDuration,
    least: Option<u32>,
    /// Nanoseconds of tasks beyond those wanted.
    extra: i128,
}

impl Book {
    /// A deployment that began at one instant and ended at the other is entered, with the fewest healthy tasks it left.
    pub(crate) fn enter(&mut self, begun: Usage, ended: Usage, least: u32) {
        self.duration += ended.at.since(begun.at);
        self.least = Some(self.least.map_or(least, |known| known.min(least)));
        self.extra += (ended.extant - begun.extant) as i128 - (ended.wanted - begun.wanted) as i128;
    }

    /// Hands the totals over.
    pub(crate) fn report(&self, (served, errors): (u64, u64), findings: &mut Findings) {
        if self.begun == 0 {
            return;
        }
        for (name, value) in [
            ("begun", f64::from(self.begun)),
            ("completed", f64::from(self.completed)),
            ("failed", f64::from(self.failed)),
            ("rolled_back", f64::from(self.rolled_back)),
            ("duration_s", self.duration.as_secs_f64()),
            ("in_service_minimum", self.least.map_or(f64::NAN, f64::from)),
            ("extra_task_hours", self.extra as f64 / 3.6e12),
            ("new_revision_requests", served as f64),
            ("new_revision_errors", errors as f64),
        ] {
            findings.count(DEPLOYMENTS, name, value);
        }
        if let Some(failed) = self.failed_hosts {
            findings.count(DEPLOYMENTS, "failed_instances", failed.into());
        }
    }
}
