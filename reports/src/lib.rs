//! Estimates from the observations of replications, and their renderings: terminal, `report.json`, `report.html`,
//! `timeseries.csv`, `events.csv`, `junit.xml`; comparisons of several reports, and differences between two saved ones.
//!
//! The only input is [`sim_core::observations`]; this crate knows no model and no cloud, reads no clock and touches no file
//! but those that [`write_all`] writes. The same observations give the same bytes.
//!
//! ```text
//! Experiment --estimate--> Report --to_terminal, to_json, to_html, timeseries_csv, events_csv--> text
//! ```

pub mod compare;
pub mod cost;
mod csv;
pub mod diff;
mod estimate;
mod expectations;
mod files;
pub mod find;
mod format;
mod html;
mod json;
mod junit;
pub mod model;
mod named;
mod phases;
pub mod sweep;
mod terminal;

use sim_core::observations::Observations;

pub use compare::{Comparison, Contender, compare};
pub use estimate::{estimate, measure};
pub use expectations::{BadExpectation, Expectation, check_metric, metric_paths_hint};
pub use files::{write_all, write_comparison, write_files, write_one, write_search};
pub use model::{Report, SCHEMA_VERSION};
pub use named::Named;

/// What was run, and what it left behind.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Name of the scenario.
    pub scenario: String,
    /// Its title; may be empty.
    pub title: String,
    /// Its description; may be empty.
    pub description: String,
    /// Root of all randomness.
    pub seed: u64,
    /// Level of the intervals, such as 0.95.
    pub confidence: f64,
    /// What the scenario expects.
    pub expectations: Vec<Expectation>,
    /// By what its usage is charged.
    pub pricing: cost::Pricing,
    /// How the warm-up was found, if it was not given.
    pub warm_up_found: Option<model::FoundWarmUp>,
    /// The precision that decided how many replications there are, if one did.
    pub precision: Option<model::PrecisionResult>,
    /// Version of the simulator.
    pub version: String,
    /// What each replication left behind, in order.
    pub replications: Vec<Observations>,
}

impl Report {
    /// Whether every expectation passed. Whether the run's audit did is [`model::Verdict::audit_passed`].
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.verdict.passed
    }
    /// Whether figures have intervals.
    pub(crate) const fn has_intervals(&self) -> bool {
        self.interval.degrees_of_freedom > 0
    }
    /// Whether every law of the audit held in every replication.
    #[must_use]
    pub const fn audit_passed(&self) -> bool {
        self.verdict.audit_passed
    }
}
