//! Comparisons: the same customers served by several variants, and what differs beyond chance.
//!
//! Replication `r` of every variant has the same random numbers, so that its figures go together; what is estimated is the mean of
//! their differences, replication by replication.

mod deployments;
mod markdown;
mod terminal;

use serde::Serialize;
use serde_json::Value;
use sim_core::math::student_t_cdf;
use sim_core::statistics::holm;

use crate::estimate::Level;
use crate::expectations::{check_metric, find_in_replication, raw_tree};
use crate::format::{Unit, figure, number, plain, several, span};
use crate::json;
use crate::model::{Estimate, Report};
pub use deployments::DEPLOYMENT_METRICS;

/// Version of the shape of `compare.json`.
pub const COMPARISON_SCHEMA_VERSION: u32 = 1;

/// What deployments and architectures are compared by, unless asked for more.
pub const HEADLINE_METRICS: [&str; 5] =
    ["requests.failed", "availability", "latency.p50", "latency.p99", "downtime.total_s"];

/// What incidents are compared by, where any of the contenders had some: of these, what is not nothing in all of them.
pub const LEDGER_METRICS: [&str; 8] = [
    "uptime.five_minutes",
    "error_budget.spent_ratio",
    "ledger.lost.detection",
    "ledger.lost.decision",
    "ledger.lost.routing",
    "ledger.lost.recovery",
    "ledger.lost.warm_up",
    "ledger.lost.no_phase",
];

/// One of the things compared.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name.
    pub name: String,
    /// What is different about it; may be empty.
    pub description: String,
    /// What its runs amount to.
    pub report: Report,
}

/// A comparison, and the shape of `compare.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// [`COMPARISON_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the simulator.
    pub version: String,
    /// What is compared, in a line.
    pub title: String,
    /// Root of all randomness.
    pub seed: u64,
    /// Replications of each variant.
    pub replications: u32,
    /// Simulated seconds of one replication.
    pub horizon_s: f64,
    /// Seconds at the start that the figures leave out.
    pub warm_up_s: f64,
    /// The family-wise level of confidence, such as 0.95.
    pub confidence: f64,
    /// How several comparisons at once are corrected for: `holm`.
    pub correction: &'static str,
    /// How many comparisons were made: differences from the baseline in some figure.
    pub comparisons: usize,
    /// Name of the variant that the others are compared with.
    pub baseline: String,
    /// The figures that are compared, by path.
    pub metrics: Vec<String>,
    /// The baseline first, then the others in their order.
    pub variants: Vec<Variant>,
    /// Their reports, in that order; in no JSON.
    #[serde(skip)]
    pub(crate) reports: Vec<Report>,
}

/// One variant of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What is different about it; may be empty.
    pub description: String,
    /// Whether its customers were those of the baseline, to the bit: when they came, what they asked for, their random numbers.
    pub same_customers: bool,
    /// Expectations that failed.
    pub expectations_failed: usize,
    /// All expectations.
    pub expectations: usize,
    /// Which figures cannot be trusted, and why.
    pub cautions: Vec<crate::model::Caution>,
    /// The compared figures, in the order of [`Comparison::metrics`].
    pub figures: Vec<Compared>,
}

/// A compared figure of one variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Its path.
    pub metric: String,
    /// Mean over replications; NaN where it has no value.
    pub value: f64,
    /// Half the width of its own interval.
    pub half_width: Option<f64>,
    /// By how much it differs from the baseline's; the baseline itself has none.
    pub difference: Option<Difference>,
}

/// A difference from the baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Mean over replications of variant less baseline.
    pub value: f64,
    /// Half the width of its interval; `None` where there are fewer than two pairs.
    pub half_width: Option<f64>,
    /// The level of that interval: `1 - (1 - confidence) / divisor`, with the divisor at which Holm's procedure tests it, so that the
    /// interval holds zero if and only if no difference is claimed.
    pub level: f64,
    /// The difference as a share of the baseline's value; NaN if that is zero.
    pub relative: f64,
    /// Probability of a difference this large if there is none, from Student's distribution.
    pub p_value: f64,
    /// The same, corrected for the number of comparisons.
    pub p_adjusted: f64,
    /// Replications in which both have a value.
    pub pairs: u32,
    /// What can be said.
    pub finding: Finding,
    /// Whether what was found is for the better; `None` if nothing was, or if the figure is neither good nor bad.
    pub better: Option<bool>,
}

/// What can be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The variant's figure is lower.
    Lower,
    /// It is higher.
    Higher,
    /// The interval holds zero.
    NoDetectableDifference,
    /// The figure is the same in every replication.
    Identical,
    /// One of the two has no value, or too few.
    NotComparable,
}

impl Finding {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::NoDetectableDifference => "no detectable difference",
            Self::Identical => "identical",
            Self::NotComparable => "cannot be compared",
        }
    }
}

/// Why a comparison could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotCompare {
    /// It takes two, and two replications of each.
    TooFew,
    /// Not run equally often or equally long, or not counted from the same instant; says which.
    Unequal(String),
    /// No figure of any of them is called so; the nearest that are.
    NoSuchMetric(String, Vec<String>),
}

impl std::fmt::Display for CannotCompare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooFew => write!(f, "a comparison takes at least two variants and two replications of each"),
            Self::Unequal(name) => {
                write!(
                    f,
                    "`{name}` was not run like the first: length, warm-up and number of replications must be the same"
                )
            }
            Self::NoSuchMetric(metric, near) => {
                write!(f, "no figure is called `{metric}`; did you mean `{}`?", near.join("`, `"))
            }
        }
    }
}

impl std::error::Error for CannotCompare {}

/// Compares contenders, the first of which is the baseline, by the headline metrics, those of deployments if there are any, and `more`.
///
/// # Errors
/// If they cannot be compared.
pub fn compare(title: &str, contenders: Vec<Contender>, more: &[String]) -> Result<Comparison, CannotCompare> {
    let mut metrics: Vec<String> = HEADLINE_METRICS.map(str::to_owned).to_vec();
    if contenders.iter().any(|it| deployments::deploys(&it.report)) {
        metrics.extend(DEPLOYMENT_METRICS.map(str::to_owned));
    }
    metrics.extend(cost_metric(&contenders).map(str::to_owned));
    if contenders.iter().any(|it| !it.report.figures.ledger.incidents.is_empty()) {
        let known = |report: &Report, metric: &str| {
            let found = values(report, &[metric.to_owned()]);
            found.iter().flatten().any(|value| *value != 0.0 && value.is_finite())
        };
        let told = LEDGER_METRICS.into_iter().filter(|metric| contenders.iter().any(|it| known(&it.report, metric)));
        metrics.extend(told.map(str::to_owned));
    }
    let usual = metrics.len();
    for metric in more {
        check_metric(metric).map_err(|near| CannotCompare::NoSuchMetric(metric.clone(), near))?;
        if !metrics.contains(metric) {
            metrics.push(metric.clone());
        }
    }
    let Some((first, others)) =
        contenders.split_first().filter(|(first, others)| !others.is_empty() && first.report.replications > 1)
    else {
        return Err(CannotCompare::TooFew);
    };
    let base = &first.report;
    let like = |it: &Report| {
        it.replications == base.replications && it.horizon_s == base.horizon_s && it.warm_up_s == base.warm_up_s
    };
    if let Some(unequal) = others.iter().find(|it| !like(&it.report)) {
        return Err(CannotCompare::Unequal(unequal.name.clone()));
    }
    let values: Vec<Vec<Vec<f64>>> = contenders.iter().map(|it| values(&it.report, &metrics)).collect();
    for (index, metric) in metrics.iter().enumerate().skip(usual) {
        if values.iter().all(|of| of[index].iter().all(|value| value.is_nan())) {
            let near = crate::expectations::near_in(&base.figures, metric);
            return Err(CannotCompare::NoSuchMetric(metric.clone(), near));
        }
    }
    let confidence = base.interval.confidence;
    let variants = judge(&contenders, &metrics, &values, confidence);
    Ok(Comparison {
        schema_version: COMPARISON_SCHEMA_VERSION,
        version: base.version.clone(),
        title: title.to_owned(),
        seed: base.seed,
        replications: base.replications,
        horizon_s: base.horizon_s,
        warm_up_s: base.warm_up_s,
        confidence,
        correction: "holm",
        comparisons: metrics.len() * others.len(),
        baseline: first.name.clone(),
        metrics,
        variants,
        reports: contenders.into_iter().map(|it| it.report).collect(),
    })
}

/// What costs are compared by: the total, or what of it has a price in all of them; nothing where one has no costs.
fn cost_metric(contenders: &[Contender]) -> Option<&'static str> {
    let bills = || contenders.iter().map(|it| it.report.bill.as_ref());
    if bills().any(|bill| bill.is_none()) {
        return None;
    }
    let complete = bills().flatten().all(|bill| bill.without_price.is_empty());
    Some(if complete { "cost.total_usd" } else { "cost.known_usd" })
}

/// By metric, the value in each replication; NaN where there is none.
fn values(report: &Report, metrics: &[String]) -> Vec<Vec<f64>> {
    let trees: Vec<Value> = report.per_replication.iter().map(|one| raw_tree(&one.figures)).collect();
    metrics.iter().map(|metric| trees.iter().map(|tree| find_in_replication(tree, metric)).collect()).collect()
}

fn judge(contenders: &[Contender], metrics: &[String], values: &[Vec<Vec<f64>>], confidence: f64) -> Vec<Variant> {
    let paired: Vec<Vec<Paired>> = values[1..]
        .iter()
        .map(|of| of.iter().zip(&values[0]).map(|(own, base)| Paired::new(own, base)).collect())
        .collect();
    let alpha = 1.0 - confidence;
    let p_values: Vec<f64> = paired.iter().flatten().map(|one| one.p_value).collect();
    let mut corrected = holm(&p_values, alpha).into_iter();
    let base = &contenders[0].report;
    let customers =
        |report: &Report| -> Vec<String> { report.per_replication.iter().map(|one| one.customers.clone()).collect() };
    let variant = |(index, contender): (usize, &Contender)| {
        let report = &contender.report;
        let figures = metrics.iter().enumerate().map(|(at, metric)| {
            let own = Level(confidence).estimate(&values[index][at]);
            let difference = (index > 0).then(|| {
                let corrected = corrected.next().expect("one for each");
                let level = 1.0 - alpha / corrected.divisor as f64;
                let base = Level(confidence).estimate(&values[0][at]).value;
                paired[index - 1][at].difference(metric, base, level, corrected.adjusted, alpha)
            });
            Compared { metric: metric.clone(), value: own.value, half_width: own.half_width, difference }
        });
        Variant {
            name: contender.name.clone(),
            description: contender.description.clone(),
            same_customers: customers(report) == customers(base),
            expectations_failed: report.verdict.expectations_failed,
            expectations: report.expectations.len(),
            cautions: report.cautions.clone(),
            figures: figures.collect(),
        }
    };
    contenders.iter().enumerate().map(variant).collect()
}

/// Differences, replication by replication, of those in which both have a value.
struct Paired {
    differences: Vec<f64>,
    p_value: f64,
}

impl Paired {
    fn new(own: &[f64], base: &[f64]) -> Self {
        let differences: Vec<f64> = own.iter().zip(base).map(|(a, b)| a - b).filter(|d| d.is_finite()).collect();
        let p_value = p_value(&differences);
        Self { differences, p_value }
    }

    fn difference(&self, metric: &str, base: f64, level: f64, p_adjusted: f64, alpha: f64) -> Difference {
        let Estimate { value, half_width } = Level(level).estimate(&self.differences);
        let finding = match half_width {
            None => Finding::NotComparable,
            Some(half_width) if half_width == 0.0 && value == 0.0 => Finding::Identical,
            Some(_) if p_adjusted > alpha => Finding::NoDetectableDifference,
            Some(_) if value < 0.0 => Finding::Lower,
            Some(_) => Finding::Higher,
        };
        let better = match (finding, lower_is_better(metric)) {
            (Finding::Lower, Some(good)) => Some(good),
            (Finding::Higher, Some(good)) => Some(!good),
            _ => None,
        };
        let relative = if base == 0.0 { f64::NAN } else { value / base };
        let pairs = u32::try_from(self.differences.len()).unwrap_or(u32::MAX);
        Difference { value, half_width, level, relative, p_value: self.p_value, p_adjusted, pairs, finding, better }
    }
}

/// Of the hypothesis that the mean is zero, two-sided, by Student's distribution. One for fewer than two values, and for values that
/// are all zero; zero for values that are all equal to another.
fn p_value(differences: &[f64]) -> f64 {
    let n = differences.len() as f64;
    if n < 2.0 || differences.iter().all(|d| *d == 0.0) {
        return 1.0;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
    let standard_error = (squares / (n - 1.0) / n).sqrt();
    if standard_error == 0.0 || differences.iter().all(|d| *d == differences[0]) {
        return 0.0;
    }
    2.0 * student_t_cdf(-(mean / standard_error).abs(), n - 1.0)
}

/// Whether less of a figure is better; `None` where neither is.
fn lower_is_better(metric: &str) -> Option<bool> {
    if metric.starts_with("counters.deployments.") {
        return deployments::lower_is_better(metric);
    }
    if metric.starts_with("cost.") {
        return Some(true);
    }
    let has = |part: &str| metric.split('.').any(|segment| segment == part);
    let last = metric.rsplit('.').next().unwrap_or(metric);
    if matches!(last, "availability" | "succeeded" | "throughput" | "five_minutes" | "by_time" | "month")
        || last.ends_with("hit_ratio")
    {
        Some(false)
    } else if matches!(
        last,
        "failed"
            | "error_rate"
            | "lost"
            | "spent_ratio"
            | "burn_rate"
            | "mean_wait"
            | "mean_sojourn"
            | "max_waiting"
            | "mean_waiting"
    ) || ["errors", "latency", "latency_failed", "downtime", "ledger"].into_iter().any(has)
    {
        Some(true)
    } else {
        None
    }
}

/// What a metric is called in tables.
pub(crate) fn title_of(metric: &str) -> String {
    match metric {
        "requests.failed" => "failed requests".to_owned(),
        "downtime.total_s" => "downtime".to_owned(),
        "uptime.five_minutes" => "availability by five-minute error rates".to_owned(),
        "error_budget.spent_ratio" => "error budget spent".to_owned(),
        _ if metric.starts_with("ledger.lost.") => {
            format!("lost in {}", metric.trim_start_matches("ledger.lost.").replace('_', " "))
        }
        "cost.total_usd" => "cost".to_owned(),
        "cost.known_usd" => "cost of what has a price".to_owned(),
        _ => deployments::title_or(metric, || match metric.strip_prefix("latency.") {
            Some(which) => format!("latency {which}"),
            None => metric.to_owned(),
        }),
    }
}

impl Comparison {
    /// The comparison as JSON: indented, keys in fixed order, a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }

    /// How it was made, in a sentence or two.
    pub(crate) fn setting(&self) -> String {
        let report = &self.reports[0];
        let same = if self.variants.iter().all(|it| it.same_customers) {
            "the same customers in every variant".to_owned()
        } else {
            let differ: Vec<&str> =
                self.variants.iter().filter(|it| !it.same_customers).map(|it| it.name.as_str()).collect();
            format!(
                "the customers of {} differ from the baseline's, so that differences are less precise",
                differ.join(", ")
            )
        };
        format!(
            "{} of {} each{}; seed {}; {same}. Differences are from {}, paired by replication; {} comparisons, \
             corrected by Holm's method so that the chance of any false claim is at most {}.",
            several(self.replications as usize, "replication"),
            span(self.horizon_s),
            crate::terminal::left_out(report),
            self.seed,
            self.baseline,
            self.comparisons,
            plain(Unit::Share, ((1.0 - self.confidence) * 1e9).round() / 1e9),
        )
    }

    /// What was found, a sentence for each variant but the baseline.
    pub(crate) fn findings(&self) -> Vec<(String, String)> {
        let sentence = |variant: &Variant| {
            let found = |better: bool| -> Vec<String> {
                let worth = |it: &&Compared| it.difference.as_ref().is_some_and(|d| d.better == Some(better));
                variant.figures.iter().filter(worth).map(|it| title_of(&it.metric)).collect()
            };
            let (better, worse) = (found(true), found(false));
            let text = match (better.as_slice(), worse.as_slice()) {
                ([], []) => format!("no detectable difference from {}", self.baseline),
                (better, []) => format!("better in {}", better.join(", ")),
                ([], worse) => format!("worse in {}", worse.join(", ")),
                (better, worse) => format!("better in {}; worse in {}", better.join(", "), worse.join(", ")),
            };
            (variant.name.clone(), text)
        };
        self.variants.iter().skip(1).map(sentence).collect()
    }
}

/// A cell: what was found, with its direction told as good or bad.
pub(crate) fn verdict(difference: &Difference) -> String {
    match difference.better {
        Some(true) => format!("{}, better", difference.finding.words()),
        Some(false) => format!("{}, worse", difference.finding.words()),
        None => difference.finding.words().to_owned(),
    }
}

/// A difference with its sign, such as `-12.0 ms ± 1.5`, and as a share of the baseline, such as `-31 %`.
pub(crate) fn difference_texts(metric: &str, difference: &Difference) -> (String, String) {
    let estimate = Estimate { value: difference.value, half_width: difference.half_width };
    let sign = if difference.value > 0.0 { "+" } else { "" };
    let text = format!("{sign}{}", figure(Unit::of_path(metric), &estimate));
    (text, relative_text(difference))
}

/// As a share of the baseline's value, or as a multiple of it where that is easier to grasp; empty if it is next to nothing.
fn relative_text(difference: &Difference) -> String {
    let share = difference.relative;
    if !share.is_finite() || share.abs() < 0.000_05 {
        return String::new();
    }
    if share > 9.0 {
        return format!("× {}", number(share + 1.0, usize::from(share < 99.0)));
    }
    let decimals = usize::from(share.abs() < 0.1) + usize::from(share.abs() < 0.01);
    let sign = if share > 0.0 { "+" } else { "" };
    format!("{sign}{} %", number(share * 100.0, decimals))
}
