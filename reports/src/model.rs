//! The report: everything the renderings show, and the shape of `report.json`.
//!
//! Times are in seconds, shares in 0..=1. A figure that has no value (the latency of a route that served nothing) is NaN here and
//! `null` in JSON. Fields are written in the order in which they stand here.

use serde::Serialize;

use crate::cost::CostReport;
use crate::named::Named;
use ledger::{ErrorBudget, LedgerFigures, LedgerReport, Uptime};

/// Version of the shape of `report.json`. It changes when a field is renamed, removed or given another meaning, not when
/// one is added.
pub const SCHEMA_VERSION: u32 = 2;

/// A figure estimated from the replications.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Mean over the replications in which the figure has a value; NaN if there is none.
    pub value: f64,
    /// Half the width of the Student interval at the report's level of confidence; `None` where fewer than two replications
    /// have a value.
    pub half_width: Option<f64>,
}

/// Whatever has an interval.
pub trait HasInterval {
    /// Half its width.
    fn half_width_mut(&mut self) -> &mut Option<f64>;
}

impl HasInterval for Estimate {
    fn half_width_mut(&mut self) -> &mut Option<f64> {
        &mut self.half_width
    }
}

impl HasInterval for LatencyEstimate {
    fn half_width_mut(&mut self) -> &mut Option<f64> {
        &mut self.half_width
    }
}

/// An estimated figure of latency, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LatencyEstimate {
    /// Mean over the replications of each one's figure.
    pub value: f64,
    /// Half the width of its Student interval.
    pub half_width: Option<f64>,
    /// The figure of all replications' operations taken together.
    pub pooled: f64,
    /// Whether fewer than ten operations a replication lie beyond this percentile, so that it says little.
    pub weak: bool,
}

impl LatencyEstimate {
    /// Value and half width alone.
    #[must_use]
    pub const fn estimate(&self) -> Estimate {
        Estimate { value: self.value, half_width: self.half_width }
    }
}

/// Defines a struct of figures, of one type, and how to estimate it field by field.
macro_rules! figures {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct $name<F> { $($(#[$field_meta])* pub $field: F),* }

        impl<F: Copy> $name<F> {
            /// The same figures with `value` in every place.
            #[allow(dead_code, reason = "not every group has a blank")]
            pub(crate) const fn filled(value: F) -> Self {
                Self { $($field: value),* }
            }
        }
        impl<F: HasInterval + Copy> $name<F> {
            /// Takes over the half widths of other estimates of the same figures, `factor` times as wide.
            #[allow(dead_code, reason = "not every group has batches")]
            pub(crate) fn take_half_widths(&mut self, others: &Self, factor: f64) {
                $({
                    let mut other = others.$field;
                    *self.$field.half_width_mut() = other.half_width_mut().map(|half_width| half_width * factor);
                })*
            }
        }
        impl $name<f64> {
            /// Makes every figure from those of all replications.
            pub(crate) fn gather<G>(all: &[&Self], make: impl Fn(&[f64]) -> G) -> $name<G> {
                $name { $($field: make(&all.iter().map(|one| one.$field).collect::<Vec<_>>())),* }
            }
        }
    };
}

pub mod ledger;

figures! {
    /// Numbers of operations. An operation is what a client wants done; retries belong to it. Only those that arrived after the
    /// warm-up are counted.
    Requests {
        /// Operations started.
        started,
        /// Operations that ended well.
        succeeded,
        /// Operations that ended badly.
        failed,
        /// Operations that had not ended when the run did.
        in_flight,
        /// Attempts made, retries included.
        attempts,
    }
}

figures! {
    /// Mean and percentiles of latency, in seconds, from the operation's intended start to its end.
    Latency {
        /// Mean.
        mean,
        /// Median.
        p50,
        /// 90th percentile.
        p90,
        /// 95th percentile.
        p95,
        /// 99th percentile.
        p99,
        /// 99.9th percentile.
        p999,
        /// Largest.
        max,
    }
}

figures! {
    /// Time in which users were not served. Windows that ended before the warm-up did are left out; one that straddles its end
    /// counts with what lies after it, and with all its lost operations.
    Downtime {
        /// Seconds covered by the windows (those of several routes at once count once).
        total_s,
        /// Number of windows.
        windows,
        /// Operations that started inside a window and failed.
        lost,
        /// Of `total_s`, which is the sum of these six: seconds until the system had noticed.
        detection_s,
        /// Seconds until something was done about it.
        decision_s,
        /// Seconds in which requests were being led elsewhere: registration, DNS records, weights.
        routing_s,
        /// Seconds in which what was broken was repaired or replaced: promotion, boot, restart.
        recovery_s,
        /// Seconds in which all had been done, and users were not served yet: answers still kept, caches cold, slow start.
        warm_up_s,
        /// Seconds in no phase of any incident.
        no_phase_s,
    }
}

figures! {
    /// Figures of a place where requests wait and are served, from the end of the warm-up.
    StationFigures {
        /// Busy server-time over available server-time, 0..=1.
        utilisation,
        /// The highest utilisation over any one minute, 0..=1.
        utilisation_peak,
        /// Time-weighted mean number of servers.
        servers,
        /// Time-weighted mean number of requests present, waiting and in service.
        mean_in_system,
        /// Time-weighted mean number of requests waiting.
        mean_waiting,
        /// The most requests that ever waited at once.
        max_waiting,
        /// Mean time from joining to being served, in seconds.
        mean_wait,
        /// Mean time from joining to leaving, in seconds.
        mean_sojourn,
        /// Requests that joined.
        arrivals,
        /// Requests that left served.
        completions,
        /// Requests turned away for want of room, and lost with the server they were on.
        lost,
    }
}

/// A station: what its servers are, and its figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Station<F> {
    /// What its servers are, such as `worker` or `connection`.
    pub resource: String,
    /// Start of the minute of highest utilisation, in the replication where it was highest; seconds of simulated time.
    pub utilisation_peak_at_s: f64,
    /// Its figures.
    #[serde(flatten)]
    pub figures: StationFigures<F>,
}

/// Figures of one route. `F` is a figure, `L` a figure of latency: plain numbers for one replication, estimates for all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route<F, L> {
    /// Numbers of operations.
    pub requests: Requests<F>,
    /// Operations that ended well, per second of measured time.
    pub throughput: F,
    /// Share of the ended operations that ended well, 0..=1.
    pub availability: F,
    /// Share of the ended operations that ended badly, 0..=1.
    pub error_rate: F,
    /// Latency of operations that ended well.
    pub latency: Latency<L>,
    /// Latency of operations that ended badly.
    pub latency_failed: Latency<L>,
    /// Operations that ended badly, by exclusive cause, the most frequent first.
    pub errors: Named<F>,
    /// Time in which users of the route were not served.
    pub downtime: Downtime<F>,
    /// Availability by time and by five-minute intervals.
    pub uptime: Uptime<F>,
    /// The objective and its error budget, if there is one.
    pub error_budget: ErrorBudget<F>,
}

/// All figures of a run. An expectation's metric is a path into this.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures<F, L> {
    /// All routes together.
    #[serde(flatten)]
    pub total: Route<F, L>,
    /// By route, in the scenario's order.
    pub routes: Named<Route<F, L>>,
    /// By station.
    pub stations: Named<Station<F>>,
    /// Totals by subject and name.
    pub counters: Named<Named<F>>,
    /// Dollars: `total_usd` and the like, and by part. Empty where nothing is paid for.
    pub cost: Named<F>,
    /// What was lost when, and how long it took.
    pub ledger: LedgerFigures<F>,
}

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the simulator.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Root of all randomness.
    pub seed: u64,
    /// Number of replications.
    pub replications: u32,
    /// What every `half_width` means.
    pub interval: Interval,
    /// Simulated seconds of one replication.
    pub horizon_s: f64,
    /// Seconds at the start that the figures leave out.
    pub warm_up_s: f64,
    /// How that was found, if it was not given.
    pub warm_up_found: Option<FoundWarmUp>,
    /// Seconds that the figures cover.
    pub measured_s: f64,
    /// The precision that decided how many replications there are, if one did.
    pub precision: Option<PrecisionResult>,
    /// Whether the scenario's expectations and the run's audit were met.
    pub verdict: Verdict,
    /// Which figures cannot be trusted, why, and what it takes; the gravest first.
    pub cautions: Vec<Caution>,
    /// The scenario's expectations, in its order.
    pub expectations: Vec<ExpectationResult>,
    /// What bound first.
    pub bottleneck: Bottleneck,
    /// The estimates.
    #[serde(flatten)]
    pub figures: Figures<Estimate, LatencyEstimate>,
    /// Tables that services hand over, such as the most popular objects of a distribution.
    pub tables: Vec<TableReport>,
    /// What the run costs, line by line; none where nothing is paid for.
    pub bill: Option<CostReport>,
    /// Windows of downtime of replication 0, in order of time.
    pub downtime_windows: Vec<Window>,
    /// Those of the other replications, in their order; in the figure of the page, not in JSON.
    #[serde(skip)]
    pub later_windows: Vec<Vec<Window>>,
    /// The downtime ledger of replication 0, incident by incident.
    pub ledger_windows: LedgerReport,
    /// Those of the other replications, in their order; in `ledger.csv`, not in JSON.
    #[serde(skip)]
    pub later_ledgers: Vec<LedgerReport>,
    /// What happened when, in replication 0.
    pub events: Vec<Event>,
    /// The same of the other replications, in their order; in `events.csv`, not in JSON.
    #[serde(skip)]
    pub later_events: Vec<Event>,
    /// Events of all replications that were left out because a log was full.
    pub events_dropped: u64,
    /// Assumptions and repairs to know when reading.
    pub notes: Vec<String>,
    /// The laws that every run checks itself by.
    pub audit: Vec<Law>,
    /// Latency of all operations of all replications that ended well.
    #[serde(serialize_with = "crate::json::buckets")]
    pub latency_histogram: Vec<Bucket>,
    /// Figures over time.
    pub series: Vec<SeriesReport>,
    /// The figures of each replication.
    pub per_replication: Vec<Replication>,
}

/// A table of figures by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableReport {
    /// Such as `Popular objects of cloudfront.shop`.
    pub title: String,
    /// What its rows are, such as `object`.
    pub rows_are: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `count`, `share` (0..=1), `bytes` or `s`.
    pub unit: String,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// One figure a column.
    pub values: Vec<Estimate>,
}

/// What the intervals are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// `student`: mean over replications plus or minus Student's quantile times the standard error. `batch_means`: the same over the
    /// batches of the one replication.
    pub method: &'static str,
    /// Level of confidence, such as 0.95.
    pub confidence: f64,
    /// Replications (or batches) less one.
    pub degrees_of_freedom: u32,
    /// What to know, such as `one replication: no interval`.
    pub note: Option<String>,
}

/// A warm-up that was found by a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundWarmUp {
    /// The rule: `mser5`.
    pub rule: &'static str,
    /// Runs whose latencies, by arrival time, it was applied to.
    pub pilots: u32,
    /// Seconds of each that were searched: up to the first planned change.
    pub searched_s: f64,
    /// Whether latency settled. If not, half of what was searched is left out.
    pub settled: bool,
}

/// A precision that was wanted, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrecisionResult {
    /// Path of the figure.
    pub metric: String,
    /// The route it was looked up in, if one is named.
    pub route: Option<String>,
    /// Half the width of the interval that was wanted, as a share of the figure.
    pub relative: f64,
    /// What was reached; NaN if there is no interval.
    pub reached_relative: f64,
    /// Confidence level of that interval.
    pub confidence: f64,
    /// The bound on the number of replications.
    pub max_replications: u32,
    /// Whether it was reached.
    pub reached: bool,
}

/// Why some figures cannot be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Caution {
    /// What kind of thing.
    pub kind: Doubt,
    /// What is wrong, with numbers.
    pub text: String,
    /// What would help, and how much of it.
    pub advice: Option<String>,
}

/// What makes figures doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// More and more operations were under way: there is no steady state to estimate.
    Growing,
    /// Latency had not settled within the stretch that the warm-up was searched in.
    NotSettled,
    /// A notable share of operations had not ended; the slowest are missing from the latencies.
    Unfinished,
    /// Neighbouring batches depend on each other; the intervals are too narrow.
    CorrelatedBatches,
    /// The wanted precision was not reached.
    Imprecise,
    /// Intervals are wide.
    WideInterval,
    /// Too few operations lie beyond a percentile.
    FewInTail,
}

/// Whether what should hold does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether no expectation failed.
    pub passed: bool,
    /// How many expectations failed.
    pub expectations_failed: usize,
    /// Whether every law of the audit held in every replication.
    pub audit_passed: bool,
}

/// Outcome of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The figure is within its bounds.
    Pass,
    /// It is not, or there is none.
    Fail,
}

/// An expectation and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExpectationResult {
    /// As the scenario has it.
    pub text: String,
    /// Path of the figure.
    pub metric: String,
    /// Full name of the route it was looked up in, if it names one.
    pub route: Option<String>,
    /// Smallest value that passes.
    pub min: Option<f64>,
    /// Largest value that passes.
    pub max: Option<f64>,
    /// Mean over the replications.
    pub value: f64,
    /// Half the width of its interval.
    pub half_width: Option<f64>,
    /// Whether the mean is within the bounds.
    pub verdict: Outcome,
    /// Whether the interval holds a bound, so that another seed might have turned the verdict.
    pub uncertain: bool,
    /// Why there is no value, or what else to know.
    pub note: Option<String>,
}

/// What bound first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// Whether any station came near its capacity.
    pub bound: bool,
    /// The finding in words.
    pub text: String,
    /// The station with the highest one-minute utilisation.
    pub busiest: Option<Busiest>,
    /// The station where most of the waiting was done.
    pub longest_wait: Option<LongestWait>,
}

/// The station with the highest one-minute utilisation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Busiest {
    /// Its name.
    pub station: String,
    /// Utilisation in its busiest minute, 0..=1.
    pub utilisation_peak: Estimate,
    /// Start of the busiest minute in the replication where it was highest.
    pub at_s: f64,
    /// That replication.
    pub replication: u32,
}

/// The station where most of the waiting was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LongestWait {
    /// Its name.
    pub station: String,
    /// Its share of the requests that wait anywhere, 0..=1.
    pub share: Estimate,
    /// Mean wait there, in seconds.
    pub mean_wait: Estimate,
}

/// A span of time in which users of a route were not served.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// The route.
    pub route: String,
    /// Start, in seconds of simulated time.
    pub from_s: f64,
    /// End.
    pub until_s: f64,
    /// Its length.
    pub duration_s: f64,
    /// Operations that started inside and failed.
    pub lost: u64,
    /// Operations that started inside.
    pub started: u64,
    /// Most frequent cause of failure.
    pub cause: String,
    /// The fault, deployment or failover before it, if one was near.
    pub blamed_on: Option<String>,
    /// In which phases of incidents it lay, in order of time.
    pub phases: Vec<PhaseSpan>,
    /// Whether it lies wholly inside the warm-up, and so outside the figures.
    pub in_warm_up: bool,
}

/// A stretch of time in a phase of an incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseSpan {
    /// `detection`, `decision`, `routing`, `recovery` or `warm_up`; none = something was under way that was in no phase, or nothing.
    pub phase: Option<&'static str>,
    /// Start, in seconds of simulated time.
    pub from_s: f64,
    /// End.
    pub until_s: f64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// In which replication.
    pub replication: u32,
    /// When, in seconds of simulated time.
    pub at_s: f64,
    /// When it was over, if it lasted.
    pub until_s: Option<f64>,
    /// `fault`, `deployment`, `failover`, `scaling`, `alarm`, `health` or `lifecycle`.
    pub kind: &'static str,
    /// What it happened to.
    pub subject: String,
    /// What happened.
    pub what: String,
}

/// A law of the audit over all replications.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Law {
    /// The law.
    pub law: String,
    /// Whether it held in every replication.
    pub holds: bool,
    /// The numbers of the first replication in which it failed, or of the first one.
    pub found: String,
    /// Replications in which it failed.
    pub failed_in: Vec<u32>,
}

/// Part of a histogram: so many values from `lower` up to `upper`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Lower edge, in seconds.
    pub lower: f64,
    /// Upper edge, in seconds.
    pub upper: f64,
    /// Number of values.
    pub count: u64,
}

/// Which figure a series belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Percentiles of latency.
    Latency,
    /// Operations ended per second.
    Requests,
    /// Tasks by revision, and desired ones.
    Tasks,
    /// Utilisation of stations.
    Utilisation,
    /// Share of requests that caches answered.
    CacheHits,
    /// Published metrics.
    Metric,
    /// Alarms: share of the bin in ALARM.
    Alarm,
    /// Rows of maps over time.
    Heat,
}

impl Group {
    /// As it is written in JSON and CSV.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Requests => "requests",
            Self::Tasks => "tasks",
            Self::Utilisation => "utilisation",
            Self::CacheHits => "cache_hits",
            Self::Metric => "metric",
            Self::Alarm => "alarm",
            Self::Heat => "heat",
        }
    }
}

/// A figure over time: bin `i` covers `i * bin_s` to `(i + 1) * bin_s`. In JSON values have six digits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesReport {
    /// Where it is shown.
    pub group: Group,
    /// Its name in the group.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Width of a bin, in seconds.
    pub bin_s: f64,
    /// Mean over the replications that have a value; NaN where none has.
    #[serde(serialize_with = "crate::json::row")]
    pub values: Vec<f64>,
    /// Half widths; NaN where fewer than two replications have a value.
    #[serde(serialize_with = "crate::json::row")]
    pub half_widths: Vec<f64>,
}

/// One replication: the same figures as plain numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replication {
    /// Its number, from 0.
    pub replication: u32,
    /// Digest of every request's fate, in hexadecimal.
    pub digest: String,
    /// Digest of what customers brought, in hexadecimal: equal digests mean the same customers.
    pub customers: String,
    /// Events that the kernel delivered.
    pub kernel_events: u64,
    /// Whether every law of its audit held.
    pub audit_passed: bool,
    /// The laws that did not hold, with the numbers.
    pub audit_failures: Vec<String>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures<f64, f64>,
}
