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
pub mod prices;
pub mod ranges;
mod raw;
pub mod replay;
pub mod search;
pub mod sweep;
mod tree;
mod units;
mod validate;

use std::io::{self, BufRead};
use std::path::Path;

use models::Architecture;
use sim_core::prices::Pricing;

use decode::{Decode, Decoder};
use diagnostics::line_and_column;
use ranges::{Choice, Range};
use raw::Document;
use raw::run::WarmUp;
use raw::sweep::Sweep;
use tree::Span;
use validate::{Check, validate};

pub use diagnostics::{Diagnostic, Diagnostics};
pub use explain::{explain, schema};
pub use nearest::advice;
pub use validate::run::BASE;

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

/// Opens an access log.
pub type OpenLog<'a> = &'a (dyn Fn(&Path) -> io::Result<Box<dyn BufRead>> + Sync);

/// What a scenario is checked against besides its own text.
#[derive(Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// Folder that paths in the scenario are relative to; the process's own if there is none.
    pub base_dir: Option<&'a Path>,
    /// What expectations' metrics are checked with. A metric of a route is asked for as `routes.*.METRIC`.
    pub check_metric: Option<CheckMetric<'a>>,
    /// The `[[variant]]` to load, by name; the file as it stands if there is none, or if it is [`BASE`].
    pub variant: Option<&'a str>,
    /// How an access log named in the scenario is opened; from the file system if nothing is said.
    pub open_log: Option<OpenLog<'a>>,
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
    /// How precise a figure is to be, if that decides how many replications there are; `replications` are the first ones.
    pub precision: Option<Precision>,
    /// Whether the warm-up is to be found first ([`experiment::find_warm_up`]); the architecture's own is zero until then.
    pub warm_up_auto: bool,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Confidence level of intervals, 0.5..1.
    pub confidence: f64,
    /// What runs.
    pub architecture: Architecture,
    /// What the results must be like.
    pub expectations: Vec<Expectation>,
    /// What it costs by.
    pub cost: Pricing,
    /// The file's `[[variant]]`s, in its order.
    pub variants: Vec<Variant>,
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

/// A variant that a file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What is different; may be empty.
    pub description: String,
    /// Whether it sets nothing and so is the file as it stands.
    pub as_it_stands: bool,
}

/// How precise a figure is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Precision {
    /// Path of the figure in the report.
    pub metric: String,
    /// The route whose figure is meant, if not the figure over all.
    pub route: Option<String>,
    /// Half the width of its interval, as a share of the figure.
    pub relative: f64,
    /// Confidence level of that interval.
    pub confidence: f64,
    /// No more replications than this.
    pub max_replications: u32,
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
    load_with(source, overrides, &LoadOptions { base_dir, ..LoadOptions::default() })
}

/// Reads and checks a scenario, its metrics too.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_with(source: &Source, overrides: &[Override], options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
    let changes: Vec<Source> = overrides.iter().map(Override::source).collect();
    load_choice(source, &changes, &[], options, Choice::default())
}

/// The same with changes that have names of their own: those of the file, which a variant is a change of, and later ones, which change
/// the variant; and with a choice of the values of ranges.
fn load_choice(
    source: &Source,
    changes: &[Source],
    later: &[Source],
    options: &LoadOptions<'_>,
    choice: Choice,
) -> Result<Scenario, Diagnostics> {
    let variant = options.variant.map(|name| Source { name: "--variant".into(), text: name.into() });
    let texts: Vec<Source> = [source].into_iter().chain(changes).chain(&variant).chain(later).cloned().collect();
    let named = variant.map(|_| changes.len() + 1);
    check(&texts, named, options, choice).map_err(|list| Diagnostics::new(texts, list))
}

/// `named` is the text that names the variant: the changes before it are made before the variant's, the others after them.
fn check(
    texts: &[Source],
    named: Option<usize>,
    options: &LoadOptions<'_>,
    choice: Choice,
) -> Result<Scenario, Vec<Diagnostic>> {
    let file = &texts[0];
    let start = Span::new(0, 0..0);
    let oversized = |text: &str| text.len() > MAX_TEXT;
    if texts.iter().any(|source| oversized(&source.text)) || texts.len() > 10_000 {
        let label = format!("at most {} MB of text and 10000 overrides", MAX_TEXT >> 20);
        return Err(vec![Diagnostic::error(start, "this scenario is too large", label)]);
    }
    let mut root = tree::parse_document(&file.text, 0)?;
    let before = 1..named.unwrap_or(texts.len());
    let errors = apply_all(&mut root, texts, before);
    let mut decoder = Decoder { errors };
    let too_deep = |root: &tree::Node| {
        let error = |span| Diagnostic::error(span, "this is nested too deeply", "no scenario needs that");
        tree::too_deep(root).map(error)
    };
    if let Some(error) = too_deep(&root) {
        decoder.error(error);
        return Err(decoder.errors);
    }
    let (document, mut ranges) = read(&root, choice, &mut decoder);
    let Some(mut document) = document else { return Err(some(decoder.errors, start)) };
    let mut varied_by = None;
    if let Some(number) = named {
        let name = &texts[number].text;
        match document.variant.iter().find(|variant| *variant.name == *name) {
            Some(variant) => {
                let applied = overrides::apply_variant(&mut root, &variant.set);
                decoder.errors.extend(applied.err().unwrap_or_default());
                varied_by = Some(variant.clone());
            }
            None if name != BASE => {
                decoder.error(unknown_variant(&document, name, Span::new(number as u16, 0..name.len())));
            }
            None => {}
        }
        decoder.errors.extend(apply_all(&mut root, texts, number + 1..texts.len()));
        if let Some(error) = too_deep(&root) {
            decoder.error(error);
            return Err(decoder.errors);
        }
        let (varied, its_ranges) = read(&root, choice, &mut decoder);
        (document, ranges) = (varied.unwrap_or(document), its_ranges);
        document.expect = expected(&document, varied_by.as_ref());
    }
    let mut errors = decoder.errors;
    let mut check = Check::new(&document, options, errors.is_empty());
    let checked = validate(&mut check, options.base_dir);
    errors.append(&mut check.errors);
    if errors.is_empty() && named.is_none() {
        errors = document.variant.iter().flat_map(|variant| mistakes_of(variant, &root, options)).collect();
    }
    match checked {
        Some(checked) if errors.is_empty() => {
            check.warnings.sort();
            let warnings = check.warnings.iter().map(|(span, text)| {
                let (line, column) = line_and_column(texts, *span);
                let name = texts.get(span.text as usize).map_or("", |source| source.name.as_str());
                format!("{name}:{line}:{column}: {text}")
            });
            Ok(Scenario {
                name: varied_by.as_ref().map_or_else(
                    || stem(&file.name),
                    |variant| format!("{}, variant {}", stem(&file.name), variant.name.value),
                ),
                title: document.title.value.clone(),
                description: described(&document, varied_by.as_ref()),
                replications: *document.run.replications,
                precision: checked.precision,
                warm_up_auto: document.run.warm_up.value == WarmUp::Auto,
                seed: *document.run.seed,
                confidence: document.run.confidence.value.0,
                architecture: checked.architecture,
                expectations: checked.expectations,
                cost: checked.cost,
                variants: document.variant.iter().map(variant).collect(),
                warnings: warnings.collect(),
                ranges,
                sweep: document.sweep.clone(),
            })
        }
        _ => Err(some(errors, start)),
    }
}

/// Makes the changes of some texts, and says what is wrong with them.
fn apply_all(root: &mut tree::Node, texts: &[Source], numbers: std::ops::Range<usize>) -> Vec<Diagnostic> {
    let one = |number: usize| overrides::apply(root, &texts[number].text, number as u16).err().unwrap_or_default();
    numbers.flat_map(one).collect()
}

/// Reads a tree whose ranges take the values chosen, and says which ranges there are.
fn read(root: &tree::Node, choice: Choice, decoder: &mut Decoder) -> (Option<Document>, Vec<Range>) {
    let mut root = root.clone();
    let ranges = ranges::resolve(&mut root, choice).unwrap_or_else(|wrong| {
        decoder.errors.extend(wrong);
        Vec::new()
    });
    (Document::decode(&root, decoder), ranges)
}

/// What is wrong with a variant of a scenario that is sound without it: what is wrong in one is wrong in the file, even if
/// another is asked for. Logs are not read for it.
fn mistakes_of(variant: &raw::run::Variant, root: &tree::Node, options: &LoadOptions<'_>) -> Vec<Diagnostic> {
    let mut root = root.clone();
    let errors = overrides::apply_variant(&mut root, &variant.set).err().unwrap_or_default();
    let mut decoder = Decoder { errors };
    if let (Some(mut document), _) = read(&root, Choice::default(), &mut decoder) {
        document.expect = expected(&document, Some(variant));
        let mut check = Check::new(&document, options, false);
        let _ = validate(&mut check, None);
        decoder.errors.append(&mut check.errors);
    }
    decoder.errors
}

/// What is expected of a variant: what it says itself, or what the file does.
fn expected(document: &Document, variant: Option<&raw::run::Variant>) -> Vec<raw::timeline::Expect> {
    variant.and_then(|variant| variant.expect.as_ref()).unwrap_or(&document.expect).clone()
}

/// The description of the file, after that of the variant if one is meant.
fn described(document: &Document, variant: Option<&raw::run::Variant>) -> String {
    let parts = [variant.map_or("", |variant| variant.description.value.trim()), document.description.value.trim()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn unknown_variant(document: &Document, name: &str, span: Span) -> Diagnostic {
    let names = document.variant.iter().map(|variant| variant.name.as_str());
    Diagnostic::error(span, format!("the scenario has no variant `{name}`"), nearest::advice(name, names))
}

fn variant(raw: &raw::run::Variant) -> Variant {
    let description = raw.description.value.trim().to_string();
    Variant { name: raw.name.value.clone(), description, as_it_stands: raw.set.is_empty() }
}

/// A refused scenario always says why.
fn some(mut errors: Vec<Diagnostic>, span: Span) -> Vec<Diagnostic> {
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
