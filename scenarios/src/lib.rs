//! The scenario language of Stormglass, and experiments on scenarios.
//!
//! ```text
//! TOML text --tree--> spanned tree --overrides--> tree --decode--> raw structs --validate--> models::Architecture
//! ```
//!
//! A scenario is a TOML file. The tree keeps the place of every key and value; the raw structs mirror what was typed;
//! validation is the only bridge from there to the architecture that runs, and reports every mistake at once, each with file,
//! line, column, a caret, and what is allowed. After it nothing can fail.

mod decode;
mod diagnostics;
mod distributions;
pub mod experiment;
mod explain;
pub mod library;
pub(crate) mod nearest;
mod overrides;
mod pattern;
pub mod ranges;
mod raw;
pub mod replay;
pub mod search;
pub mod sweep;
mod tree;
mod units;
mod validate;

use std::path::Path;

use models::Architecture;

use decode::{Decode, Decoder};
use diagnostics::line_and_column;
use ranges::{Choice, Range};
use raw::Document;
use raw::sweep::Sweep;
use validate::{Check, validate};

pub use diagnostics::{Diagnostic, Diagnostics};
pub use explain::{explain, schema};

/// Largest scenario file, bytes.
const MAX_TEXT: usize = 4 << 20;

/// A text that a scenario is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name as shown in messages.
    pub name: String,
    /// The text.
    pub text: String,
}

/// `key=value`, as typed after `--set`. The key is dotted and names entries of lists by number or name:
/// `ecs.web.desired_count=20`, `traffic.shoppers.rate=800/s`, `deploy.0.at=10m`, `route53."www.example.com".ttl=5s`. The value
/// is TOML; what is not is taken for a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override(pub String);

impl Override {
    /// The text as messages show it.
    fn source(&self) -> Source {
        Source { name: "--set".into(), text: self.0.clone() }
    }
}

/// Says whether a path can be a figure of a report; if not, the nearest that can.
pub type CheckMetric<'a> = &'a (dyn Fn(&str) -> Result<(), Vec<String>> + Sync);

/// What a scenario is checked against besides its own text.
#[derive(Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// Folder that paths in the scenario are relative to; the process's own if there is none.
    pub base_dir: Option<&'a Path>,
    /// What expectations' metrics are checked with. A metric of a route is asked for as `routes.*.METRIC`.
    pub check_metric: Option<CheckMetric<'a>>,
}

/// A scenario that can run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name of its file without folder and ending.
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// What it shows and why.
    pub description: String,
    /// How many independent runs.
    pub replications: u32,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Confidence level of intervals, 0.5..1.
    pub confidence: f64,
    /// What runs.
    pub architecture: Architecture,
    /// What the results must be like.
    pub expectations: Vec<Expectation>,
    /// What is odd but not wrong, such as parts that no traffic reaches; each with file, line and column.
    pub warnings: Vec<String>,
    /// Settings whose values are ranges.
    pub ranges: Vec<Range>,
    /// What a sweep varies.
    sweep: Sweep,
}

impl Scenario {
    /// Whether the scenario says what a sweep varies.
    #[must_use]
    pub fn is_swept(&self) -> bool {
        !self.sweep.vary.0.is_empty() || !self.sweep.points.is_empty()
    }
}

/// Something that a scenario expects of a figure of its report.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Path of the figure in the report.
    pub metric: String,
    /// The route whose figure is meant, if not the figure over all.
    pub route: Option<String>,
    /// Smallest value that passes: seconds, a share from 0 to 1, per second, or a plain number.
    pub min: Option<f64>,
    /// Largest value that passes.
    pub max: Option<f64>,
    /// As written, such as `latency.p99 of /checkout <= 300ms`.
    pub text: String,
}

/// Reads and checks a scenario.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(source: &Source, overrides: &[Override], base_dir: Option<&Path>) -> Result<Scenario, Diagnostics> {
    load_with(source, overrides, &LoadOptions { base_dir, check_metric: None })
}

/// Reads and checks a scenario, its metrics too.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_with(source: &Source, overrides: &[Override], options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
    let changes: Vec<Source> = overrides.iter().map(Override::source).collect();
    load_choice(source, &changes, options, Choice::default())
}

/// The same with changes that have names of their own, and with a choice of the values of ranges.
fn load_choice(
    source: &Source,
    changes: &[Source],
    options: &LoadOptions<'_>,
    choice: Choice,
) -> Result<Scenario, Diagnostics> {
    let texts: Vec<Source> = [source].into_iter().chain(changes).cloned().collect();
    check(&texts, options, choice).map_err(|list| Diagnostics::new(texts, list))
}

fn check(texts: &[Source], options: &LoadOptions<'_>, choice: Choice) -> Result<Scenario, Vec<Diagnostic>> {
    let (file, overrides) = texts.split_first().expect("there is a file");
    let start = tree::Span::new(0, 0..0);
    let oversized = |text: &str| text.len() > MAX_TEXT;
    if texts.iter().any(|source| oversized(&source.text)) || overrides.len() > 10_000 {
        let label = format!("at most {} MB of text and 10000 overrides", MAX_TEXT >> 20);
        return Err(vec![Diagnostic::error(start, "this scenario is too large", label)]);
    }
    let mut root = tree::parse_document(&file.text, 0)?;
    let mut errors = Vec::new();
    for (number, text) in overrides.iter().enumerate() {
        if let Err(wrong) = overrides::apply(&mut root, &text.text, number as u16 + 1) {
            errors.extend(wrong);
        }
    }
    if let Some(span) = tree::too_deep(&root) {
        errors.push(Diagnostic::error(span, "this is nested too deeply", "no scenario needs that"));
        return Err(errors);
    }
    let ranges = ranges::resolve(&mut root, choice).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        Vec::new()
    });
    let mut decoder = Decoder { errors };
    let document = Document::decode(&root, &mut decoder);
    let mut errors = decoder.errors;
    let Some(document) = document else { return Err(some(errors, start)) };
    let mut check = Check::new(&document, options, errors.is_empty());
    let checked = validate(&mut check, options.base_dir);
    errors.append(&mut check.errors);
    match checked {
        Some(checked) if errors.is_empty() => {
            check.warnings.sort();
            let warnings = check.warnings.iter().map(|(span, text)| {
                let (line, column) = line_and_column(texts, *span);
                let name = texts.get(span.text as usize).map_or("", |source| source.name.as_str());
                format!("{name}:{line}:{column}: {text}")
            });
            Ok(Scenario {
                name: stem(&file.name),
                title: document.title.value.clone(),
                description: document.description.value.trim().to_string(),
                replications: *document.run.replications,
                seed: *document.run.seed,
                confidence: document.run.confidence.value.0,
                architecture: checked.architecture,
                expectations: checked.expectations,
                warnings: warnings.collect(),
                ranges,
                sweep: document.sweep.clone(),
            })
        }
        _ => Err(some(errors, start)),
    }
}

/// A refused scenario always says why.
fn some(mut errors: Vec<Diagnostic>, span: tree::Span) -> Vec<Diagnostic> {
    if errors.is_empty() {
        errors.push(Diagnostic::error(span, "this scenario cannot be read", "for a reason that has no words yet"));
    }
    errors
}

/// A file's name without folder and ending.
fn stem(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    base.strip_suffix(".toml").unwrap_or(base).to_string()
}
