//! Expectations: a metric is the path of a figure in the report, such as `latency.p99` or `stations.ecs.web.utilisation`.
//!
//! One walk finds a figure by its path, in the JSON form of the figures, so that a path means what it says. Names of routes,
//! stations, causes and counters may hold dots: where several names fit, the longest that leads to a figure is meant. Before a
//! run the same walk goes over a skeleton in which `<name>` stands for any name.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::estimate::skeleton;
use crate::format::{Unit, number, plain};
use crate::model::{Estimate, ExpectationResult, Figures, LatencyEstimate, Outcome};

/// Something that a scenario expects of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Path of the figure in the report.
    pub metric: String,
    /// Looks the figure up in this route: its name, or the part after a space (`/checkout` of `shoppers /checkout`). Where
    /// several routes fit, all must pass, and the one closest to failing is reported.
    pub route: Option<String>,
    /// Smallest value that passes.
    pub min: Option<f64>,
    /// Largest value that passes.
    pub max: Option<f64>,
    /// As written, such as `latency.p99 <= 300ms`.
    pub text: String,
}

/// An expectation whose metric can be no figure of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadExpectation {
    /// Its place in the list of expectations, from 0.
    pub index: usize,
    /// The metric as written.
    pub metric: String,
    /// Metrics that could have been meant, nearest first.
    pub known: Vec<String>,
}

impl fmt::Display for BadExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no figure is called `{}`; known: {}", self.metric, self.known.join(", "))
    }
}

impl std::error::Error for BadExpectation {}

/// Stands for any name in the skeleton.
pub(crate) const ANY: &str = "<name>";
/// How many near names are told.
const NEAR: usize = 3;

/// Checks before a run that `path` can be a figure of a report.
///
/// # Errors
///
/// The nearest known metrics, nearest first.
pub fn check_metric(path: &str) -> Result<(), Vec<String>> {
    let figures = tree(&skeleton());
    if find(&figures, path).is_empty() { Err(near(path, &paths(&figures), NEAR)) } else { Ok(()) }
}

/// The metrics an expectation may name, `<name>` where a scenario's own names stand.
#[must_use]
pub fn metric_paths_hint() -> Vec<String> {
    paths(&tree(&skeleton()))
}

/// Checks all metrics, also those that are looked up in a route.
pub(crate) fn check_all(expectations: &[Expectation]) -> Result<(), Vec<BadExpectation>> {
    let figures = tree(&skeleton());
    let known = paths(&figures);
    let bad = expectations.iter().enumerate().filter_map(|(index, expectation)| {
        let (path, prefix) = match expectation.route {
            Some(_) => (format!("routes.{ANY}.{}", expectation.metric), format!("routes.{ANY}.")),
            None => (expectation.metric.clone(), String::new()),
        };
        if !find(&figures, &path).is_empty() {
            return None;
        }
        let inside: Vec<_> = known.iter().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect();
        let known = near(&expectation.metric, &inside, NEAR);
        Some(BadExpectation { index, metric: expectation.metric.clone(), known })
    });
    let bad: Vec<_> = bad.collect();
    if bad.is_empty() { Ok(()) } else { Err(bad) }
}

/// The figures of one replication, to look several up in.
pub(crate) fn raw_tree(figures: &Figures<f64, f64>) -> Value {
    serde_json::to_value(figures).unwrap_or(Value::Null)
}

/// A figure of one replication; NaN if there is none.
pub(crate) fn find_in_replication(tree: &Value, metric: &str) -> f64 {
    lookup(tree, metric).map_or(f64::NAN, |found| found.value)
}

/// Figures of a report whose names are near a metric's, nearest first.
pub(crate) fn near_in(figures: &Figures<Estimate, LatencyEstimate>, metric: &str) -> Vec<String> {
    near(metric, &paths(&tree(figures)), NEAR)
}

/// Judges every expectation by the estimates.
pub(crate) fn judge(
    expectations: &[Expectation],
    figures: &Figures<Estimate, LatencyEstimate>,
    replications: usize,
) -> Vec<ExpectationResult> {
    if expectations.is_empty() {
        return Vec::new();
    }
    let figures = tree(figures);
    let judge = |expectation: &Expectation| {
        let mut result = judge_one(expectation, &figures);
        if let Some(bound) = straddled(&result) {
            let text = plain(Unit::of_path(&expectation.metric), bound);
            result.note =
                Some(format!("the interval holds the bound {text}: {}", what_would_tell(&result, bound, replications)));
            result.uncertain = true;
        }
        result
    };
    expectations.iter().map(judge).collect()
}

/// The figure at a path, of the first route that fits if one is named; NaN if there is none.
pub(crate) fn find_figure(figures: &Figures<Estimate, LatencyEstimate>, metric: &str, route: Option<&str>) -> Estimate {
    let path = route.map_or_else(|| metric.to_owned(), |route| format!("routes.{route}.{metric}"));
    lookup(&tree(figures), &path).unwrap_or(Estimate { value: f64::NAN, half_width: None })
}

fn judge_one(expectation: &Expectation, figures: &Value) -> ExpectationResult {
    let Some(wanted) = &expectation.route else {
        return compare(expectation, None, lookup(figures, &expectation.metric));
    };
    let routes = match &figures["routes"] {
        Value::Object(routes) => routes.iter().collect(),
        _ => Vec::new(),
    };
    let exact = routes.iter().any(|(name, _)| *name == wanted);
    let fits = |name: &str| if exact { name == wanted } else { is_called(name, wanted) };
    let results = routes
        .iter()
        .filter(|(name, _)| fits(name))
        .map(|(name, route)| compare(expectation, Some((*name).clone()), lookup(route, &expectation.metric)));
    let worst = results.reduce(|worst, other| if closeness(&other) < closeness(&worst) { other } else { worst });
    worst.unwrap_or_else(|| {
        let names: Vec<_> = routes.iter().map(|(name, _)| (*name).clone()).collect();
        let missing = Err(format!("no such route; known: {}", listed(&near(wanted, &names, 5))));
        compare(expectation, Some(wanted.clone()), missing)
    })
}

/// Whether a route's full name is `wanted`, or ends in it after a space.
fn is_called(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_suffix(wanted).is_some_and(|before| before.ends_with(' '))
}

/// How far a result is from failing: negative if it fails, lowest if it has no value.
fn closeness(result: &ExpectationResult) -> f64 {
    let below = result.max.map_or(f64::INFINITY, |max| max - result.value);
    let above = result.min.map_or(f64::INFINITY, |min| result.value - min);
    if result.value.is_nan() { f64::NEG_INFINITY } else { below.min(above) }
}

fn compare(expectation: &Expectation, route: Option<String>, found: Result<Estimate, String>) -> ExpectationResult {
    let nothing = Estimate { value: f64::NAN, half_width: None };
    let (estimate, note) = match found {
        Ok(estimate) if estimate.value.is_nan() => (estimate, Some("no value: nothing to measure it by".to_owned())),
        Ok(estimate) => (estimate, None),
        Err(why) => (nothing, Some(why)),
    };
    let value = estimate.value;
    let holds = !value.is_nan()
        && expectation.min.is_none_or(|min| value >= min)
        && expectation.max.is_none_or(|max| value <= max);
    ExpectationResult {
        text: expectation.text.clone(),
        metric: expectation.metric.clone(),
        route,
        min: expectation.min,
        max: expectation.max,
        value,
        half_width: estimate.half_width,
        verdict: if holds { Outcome::Pass } else { Outcome::Fail },
        uncertain: false,
        note,
    }
}

/// The bound that lies in a result's interval, if one does.
fn straddled(result: &ExpectationResult) -> Option<f64> {
    let half = result.half_width.filter(|half| *half > 0.0)?;
    [result.min, result.max].into_iter().flatten().find(|bound| (result.value - bound).abs() <= half)
}

/// How much more it takes until the interval would end at the bound: it narrows with the root of the number of replications, or of
/// the length of a single one.
fn what_would_tell(result: &ExpectationResult, bound: f64, replications: usize) -> String {
    const TOO_MANY: f64 = 1e5;
    let ratio = result.half_width.unwrap_or(0.0) / (result.value - bound).abs();
    let times = ratio * ratio;
    match replications {
        n if times * n as f64 > TOO_MANY => "too close to tell by more replications".to_owned(),
        1 => format!("a run about {} times as long would tell", number(times.ceil().max(2.0), 0)),
        n => format!("about {} replications would tell", number((times * n as f64).ceil().max(n as f64 + 1.0), 0)),
    }
}

/// The figure at `path`, or why there is none.
fn lookup(figures: &Value, path: &str) -> Result<Estimate, String> {
    if let Some(leaf) = find(figures, path).first() {
        return Ok(read(leaf));
    }
    let segments: Vec<_> = path.split('.').collect();
    // A cause that did not occur is a cause that occurred no times.
    if matches!(segments.as_slice(), ["errors", _, ..])
        || (segments.first() == Some(&"routes") && errors_of_known_route(figures, path))
    {
        return Ok(Estimate { value: 0.0, half_width: None });
    }
    let kind = segments.first().copied().unwrap_or_default();
    let known: Vec<_> = paths(figures).into_iter().filter(|known| known.split('.').next() == Some(kind)).collect();
    Err(format!("no such figure; known: {}", listed(&near(path, &known, 5))))
}

/// Whether `path` is a cause of failure of a route that exists.
fn errors_of_known_route(figures: &Value, path: &str) -> bool {
    path.match_indices(".errors.").any(|(at, _)| !nodes(figures, &path[..at]).is_empty())
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn read(leaf: &Value) -> Estimate {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    match leaf {
        Value::Object(figure) => {
            let half_width = figure.get("half_width").and_then(Value::as_f64);
            Estimate { value: figure.get("value").map_or(f64::NAN, number), half_width }
        }
        other => Estimate { value: number(other), half_width: None },
    }
}

/// Figures in the form in which paths are looked up.
pub(crate) fn tree<F: Serialize, L: Serialize>(figures: &Figures<F, L>) -> Value {
    serde_json::to_value(figures).unwrap_or(Value::Null)
}

/// The figure at `path`, if there is one.
pub(crate) fn figure_at(figures: &Value, path: &str) -> Option<Estimate> {
    lookup(figures, path).ok()
}

/// All figures at `path`; the first is the one that is meant.
fn find<'a>(tree: &'a Value, path: &str) -> Vec<&'a Value> {
    nodes(tree, path).into_iter().filter(|node| is_figure(node)).collect()
}

/// Everything at `path`: at each step the longest fitting name first.
fn nodes<'a>(tree: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    walk(tree, false, path, &mut found);
    found
}

fn walk<'a>(node: &'a Value, routes: bool, rest: &str, found: &mut Vec<&'a Value>) {
    let Value::Object(children) = node else { return };
    let ends = || rest.match_indices('.').map(|(at, _)| at).chain([rest.len()]);
    let mut ends: Vec<_> = ends().collect();
    ends.reverse();
    for end in ends {
        let name = &rest[..end];
        for (key, child) in children {
            let fits = key == name || (key == ANY && !name.is_empty()) || (routes && is_called(key, name));
            match rest.get(end + 1..) {
                _ if !fits => {}
                Some(deeper) => walk(child, key == "routes", deeper, found),
                None => found.push(child),
            }
        }
    }
}

/// A number, or an estimate; a figure without value is null.
fn is_figure(node: &Value) -> bool {
    match node {
        Value::Number(_) | Value::Null => true,
        Value::Object(fields) => fields.contains_key("half_width"),
        _ => false,
    }
}

/// Paths of all figures, without the parts of estimates.
fn paths(tree: &Value) -> Vec<String> {
    fn collect(node: &Value, path: &str, all: &mut Vec<String>) {
        if is_figure(node) {
            all.push(path.to_owned());
        } else if let Value::Object(children) = node {
            for (name, child) in children {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(child, &path, all);
            }
        }
    }
    let mut all = Vec::new();
    collect(tree, "", &mut all);
    all
}

/// The names nearest to `wanted`, nearest first.
fn near(wanted: &str, names: &[String], most: usize) -> Vec<String> {
    let likeness = |name: &str| {
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        let whole = strsim::normalized_damerau_levenshtein(wanted, name);
        whole + 0.5 * strsim::jaro_winkler(&last(wanted), &last(name))
    };
    let mut ranked: Vec<_> = names.iter().map(|name| (likeness(name), name)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    ranked.into_iter().take(most).map(|(_, name)| name.clone()).collect()
}
