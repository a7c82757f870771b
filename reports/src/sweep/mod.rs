//! The results of a sweep: one record a point, and the files and tables made of them. Everything here is made from the plan and
//! the records' own lines, so that it does not matter who ran a point, and when.

mod csv;
mod files;
mod terminal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expectations::{figure_at, tree};
use crate::model::{ExpectationResult, Outcome, Report};
use crate::terminal::caution_text;

pub(crate) use terminal::{last_words, verdict};

pub use files::{FORMAT, Shard, read_line, read_shard, shard_text, write_results};

/// What was planned: the head of every file of results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the simulator.
    pub version: String,
    /// Digest of everything that the results depend on.
    pub digest: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Root of all randomness; all points have the same, unless they vary it.
    pub seed: u64,
    /// Replications of a point, unless they vary it.
    pub replications: u32,
    /// Level of the intervals.
    pub confidence: f64,
    /// What is varied.
    pub factors: Vec<Factor>,
    /// Settings whose values are ranges.
    pub ranges: Vec<Range>,
    /// Paths of the figures to show.
    pub metrics: Vec<String>,
    /// What the scenario expects.
    pub expectations: Vec<Bound>,
    /// Number of points: their ids are those below it.
    pub points: u32,
}

/// A setting that is varied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// Its key.
    pub key: String,
    /// Its values as typed.
    pub levels: Vec<String>,
    /// The same as numbers in base units, if all are numbers of one unit.
    pub amounts: Option<Vec<f64>>,
    /// That unit: `s`, `/s`, `B`, `share`, `vCPU` or nothing.
    pub unit: String,
}

/// A setting whose value is a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its key.
    pub key: String,
    /// Smallest value.
    pub low: String,
    /// The value of the figures themselves.
    pub mid: String,
    /// Largest value.
    pub high: String,
    /// Whether each replication draws its own.
    pub drawn: bool,
}

/// An expectation of the scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// As the scenario has it.
    pub text: String,
    /// Path of its figure.
    pub metric: String,
    /// Smallest value that passes.
    pub min: Option<f64>,
    /// Largest value that passes.
    pub max: Option<f64>,
}

/// An estimated figure of a point. What has no value is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Mean over the replications.
    pub value: Option<f64>,
    /// Half the width of its interval.
    pub half_width: Option<f64>,
    /// The smallest value over all cases of the scenario's ranges, or over the replications if those draw their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// What became of an expectation at a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// As the scenario has it.
    pub text: String,
    /// The figure.
    #[serde(flatten)]
    pub figure: Figure,
    /// Whether it holds, in every case of the scenario's ranges.
    pub pass: bool,
    /// Whether an interval holds a bound.
    pub uncertain: bool,
}

/// What bound first at a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// The finding in words.
    pub text: String,
    /// The busiest station.
    pub station: Option<String>,
}

/// The results of one point: a line of `points.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the point.
    pub id: u32,
    /// Digest of the plan that it is of.
    pub plan: String,
    /// The values of the factors, as typed.
    pub factors: BTreeMap<String, String>,
    /// Root of all randomness.
    pub seed: u64,
    /// Replications.
    pub replications: u32,
    /// Whether all expectations hold.
    pub passed: bool,
    /// Figures by their paths.
    pub figures: BTreeMap<String, Figure>,
    /// The expectations, in the scenario's order.
    pub expectations: Vec<Verdict>,
    /// What bound first.
    pub bottleneck: Bottleneck,
    /// Why some figures cannot be trusted, in words.
    pub cautions: Vec<String>,
    /// Digests of the replications, which tell whether two runs were the same.
    pub digests: Vec<String>,
}

/// Figures that every record has.
const HEADLINES: [&str; 13] = [
    "requests.started",
    "requests.failed",
    "requests.in_flight",
    "throughput",
    "availability",
    "error_rate",
    "latency.mean",
    "latency.p50",
    "latency.p90",
    "latency.p95",
    "latency.p99",
    "latency.max",
    "downtime.total_s",
];
/// Figures of every station that every record has.
const OF_STATIONS: [&str; 4] = ["utilisation", "utilisation_peak", "mean_wait", "lost"];
/// Figures that are shown where nothing says which.
const SHOWN: [&str; 3] = ["throughput", "latency.p99", "error_rate"];

/// The figures that a sweep shows: those asked for, or those of expectations, or the usual ones.
#[must_use]
pub fn shown_metrics(asked: &[String], expectations: &[crate::Expectation]) -> Vec<String> {
    let mut metrics: Vec<String> =
        if asked.is_empty() { expectations.iter().map(path_of).collect() } else { asked.to_vec() };
    if metrics.is_empty() {
        metrics = SHOWN.map(str::to_owned).to_vec();
    }
    let mut seen = std::collections::BTreeSet::new();
    metrics.retain(|metric| seen.insert(metric.clone()));
    metrics
}

/// The path of an expectation's figure in the whole report.
#[must_use]
pub fn path_of(expectation: &crate::Expectation) -> String {
    match &expectation.route {
        Some(route) => format!("routes.{route}.{}", expectation.metric),
        None => expectation.metric.clone(),
    }
}

impl Record {
    /// Makes the record of a point from its reports: that of the middle of all ranges, and those of the other cases.
    #[must_use]
    pub fn new(plan: &Plan, id: u32, factors: BTreeMap<String, String>, cases: &[Report]) -> Self {
        // Where replications draw values, it is their figures that make ranges.
        let spread = plan.ranges.iter().any(|range| range.drawn);
        let middle = &cases[0];
        let trees: Vec<Value> = cases.iter().map(|report| tree(&report.figures)).collect();
        let drawn: Vec<Value> = if spread {
            cases.iter().flat_map(|report| &report.per_replication).map(|one| tree(&one.figures)).collect()
        } else {
            Vec::new()
        };
        let others = if spread { &drawn } else { &trees };
        let ranged = spread || trees.len() > 1;
        let figure = |path: &str| {
            let of =
                |tree: &Value| figure_at(tree, path).map(|estimate| estimate.value).filter(|value| value.is_finite());
            let at = figure_at(&trees[0], path);
            let ends = || others.iter().filter_map(of).filter(|_| ranged);
            Figure {
                value: at.map(|it| it.value).filter(|value| value.is_finite()),
                half_width: at.and_then(|it| it.half_width),
                low: ends().reduce(f64::min),
                high: ends().reduce(f64::max),
            }
        };
        let stations = middle.figures.stations.iter().map(|(name, _)| name);
        let of_stations = stations.flat_map(|name| OF_STATIONS.map(|it| format!("stations.{name}.{it}")));
        let paths =
            HEADLINES.iter().map(|path| (*path).to_owned()).chain(of_stations).chain(plan.metrics.iter().cloned());
        let verdict = |(index, result): (usize, &ExpectationResult)| {
            let in_cases = || cases.iter().filter_map(|report| report.expectations.get(index));
            let values = || in_cases().map(|it| it.value).filter(|value| value.is_finite() && ranged && !spread);
            Verdict {
                text: result.text.clone(),
                figure: Figure {
                    value: Some(result.value).filter(|value| value.is_finite()),
                    half_width: result.half_width,
                    low: values().reduce(f64::min),
                    high: values().reduce(f64::max),
                },
                pass: in_cases().all(|it| it.verdict == Outcome::Pass),
                uncertain: in_cases().any(|it| it.uncertain),
            }
        };
        Self {
            id,
            plan: plan.digest.clone(),
            factors,
            seed: middle.seed,
            replications: middle.replications,
            passed: cases.iter().all(Report::passed),
            figures: paths.map(|path| (path.clone(), figure(&path))).collect(),
            expectations: middle.expectations.iter().enumerate().map(verdict).collect(),
            bottleneck: Bottleneck {
                text: middle.bottleneck.text.clone(),
                station: middle.bottleneck.busiest.as_ref().map(|busiest| busiest.station.clone()),
            },
            cautions: middle.cautions.iter().map(caution_text).collect(),
            digests: middle.per_replication.iter().map(|one| one.digest.clone()).collect(),
        }
    }

    /// The record as a line of JSON, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        let text = serde_json::to_string(self);
        debug_assert!(text.is_ok(), "a record has only text keys: {text:?}");
        text.unwrap_or_default() + "\n"
    }

    /// The figure at a path, without value if there is none.
    pub(crate) fn figure(&self, path: &str) -> Figure {
        let none = Figure { value: None, half_width: None, low: None, high: None };
        self.figures.get(path).copied().unwrap_or(none)
    }
}

impl Figure {
    /// The same as an estimate, which has NaN for what has no value.
    pub(crate) fn estimate(self) -> crate::model::Estimate {
        crate::model::Estimate { value: self.value.unwrap_or(f64::NAN), half_width: self.half_width }
    }
}

#[cfg(test)]
mod tests;
