//! The plan of a sweep: which settings a scenario is run with, in which order, and a digest that only the same plan has.
//! Nothing here runs anything. A point is the scenario with changes, as `--set` makes them, so its mistakes are told as theirs are.

pub(crate) mod levels;
mod shard;

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::overrides::split_key;
use crate::ranges::{Case, Choice};
use crate::raw::sweep::Sweep;
use crate::tree::Span;
use crate::{CheckMetric, LoadOptions, Override, Scenario, Source, load_choice};

pub use shard::{Shard, Variable};

/// Most points of a plan.
const MOST_POINTS: usize = 100_000;

/// A setting that is varied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its dotted key.
    pub key: String,
    /// The values it takes, as they are typed in a change.
    pub levels: Vec<String>,
    /// Where it comes from, for messages: `--vary` or `sweep.vary`.
    origin: &'static str,
}

impl Factor {
    /// The levels as numbers in base units, and the unit (`s`, `/s`, `B`, `share`, `vCPU` or nothing), if all of them are of one.
    #[must_use]
    pub fn amounts(&self) -> Option<(Vec<f64>, &'static str)> {
        let all: Vec<_> = self.levels.iter().map(|level| levels::amount(level)).collect::<Option<_>>()?;
        let unit = all.first()?.1;
        all.iter().all(|(_, other)| *other == unit).then(|| (all.iter().map(|(amount, _)| *amount).collect(), unit))
    }
}

/// One setting of all factors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its number, from 0.
    pub id: u32,
    /// For each factor the index of its level.
    pub levels: Vec<usize>,
}

/// What is asked for besides the scenario's own `[sweep]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// Changes of the scenario: `--set`.
    pub sets: &'a [String],
    /// Factors, `KEY=LEVELS`; they take the place of the scenario's own.
    pub vary: &'a [String],
    /// Figures to be shown; they take the place of the scenario's own.
    pub metrics: &'a [String],
}

/// What a sweep runs.
pub struct Plan<'a> {
    /// The scenario without any factor.
    pub base: Scenario,
    /// What is varied.
    pub factors: Vec<Factor>,
    /// The points, by id. All combinations have the last factor change fastest.
    pub points: Vec<Point>,
    /// Whether the points were listed one by one, in an order of somebody's choosing.
    pub listed: bool,
    /// Figures that are to be shown, as asked for.
    pub metrics: Vec<String>,
    /// Digest of everything that the results depend on.
    pub digest: String,
    source: Source,
    changes: Vec<Source>,
    options: LoadOptions<'a>,
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl<'a> Plan<'a> {
    /// Plans a sweep; `version` is the simulator's.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario or the factors. Whether their values fit is known when a point is loaded.
    pub fn new(
        source: Source,
        wishes: &Wishes<'_>,
        options: LoadOptions<'a>,
        version: &str,
    ) -> Result<Self, Diagnostics> {
        let changes: Vec<Source> = wishes.sets.iter().map(|set| Override(set.clone()).source()).collect();
        let base = load_choice(&source, &changes, &[], &options, Choice::default())?;
        let (factors, points) = if wishes.vary.is_empty() {
            of_file(&source, &changes, &base.sweep)?
        } else {
            let factors = of_command(&source, wishes.vary)?;
            let points = combinations(&factors).ok_or_else(|| too_many(&source))?;
            (factors, points)
        };
        let metrics = if wishes.metrics.is_empty() {
            of_file_metrics(&source, &changes, &base.sweep, options.check_metric)?
        } else {
            of_command_metrics(&source, wishes.metrics, options.check_metric)?
        };
        let mut plan = Self {
            listed: wishes.vary.is_empty() && !base.sweep.points.is_empty(),
            base,
            factors,
            points,
            metrics,
            digest: String::new(),
            source,
            changes,
            options,
        };
        plan.digest = plan.digested(version);
        Ok(plan)
    }

    /// The scenario of a point.
    ///
    /// # Errors
    /// What is wrong with the values of its factors.
    pub fn load(&self, point: &Point, choice: Choice) -> Result<Scenario, Diagnostics> {
        let varied: Vec<Source> = self.changes_of(point).collect();
        load_choice(&self.source, &self.changes, &varied, &self.options, choice)
    }

    /// What is run, such as `deployments, variant blue-green`.
    #[must_use]
    pub fn name(&self) -> String {
        self.base.name.clone()
    }

    /// A point's values by key.
    pub fn values<'p>(&'p self, point: &'p Point) -> impl Iterator<Item = (&'p str, &'p str)> {
        self.factors
            .iter()
            .zip(&point.levels)
            .map(|(factor, level)| (factor.key.as_str(), factor.levels[*level].as_str()))
    }

    /// All cases of the scenario's ranges; just the middle if it has none.
    pub fn cases(&self) -> impl Iterator<Item = Case> + use<> {
        Case::all(&self.base.ranges)
    }

    fn changes_of(&self, point: &Point) -> impl Iterator<Item = Source> {
        let levels = self.factors.iter().zip(&point.levels);
        levels.map(|(factor, level)| Source {
            name: factor.origin.to_owned(),
            text: format!("{}={}", factor.key, factor.levels[*level]),
        })
    }

    /// SHA-256 of version, texts, changes and points, and of the architecture that they amount to, which holds what was read
    /// from other files, such as logs. The first 128 bits are enough to tell plans apart.
    fn digested(&self, version: &str) -> String {
        let mut digest = Lengths(Sha256::new());
        digest.text("stormglass sweep 1");
        digest.text(version);
        digest.text(&self.base.name);
        digest.text(&self.source.text);
        for change in &self.changes {
            digest.text(&change.text);
        }
        if let Some(variant) = self.options.variant {
            digest.text("variant");
            digest.text(variant);
        }
        digest.text("points");
        for change in self.points.iter().flat_map(|point| self.changes_of(point)) {
            digest.text(&change.text);
        }
        digest.text("metrics");
        for metric in &self.metrics {
            digest.text(metric);
        }
        // Writing to a digest cannot fail.
        let _ = write!(digest, "{:?}", self.base.architecture);
        let bytes = digest.0.finalize();
        bytes.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }
}

/// A digest of texts that knows where each ends.
struct Lengths(Sha256);

impl Lengths {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }
}

impl fmt::Write for Lengths {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

fn too_many(source: &Source) -> Diagnostics {
    let error =
        Diagnostic::error(Span::new(0, 0..0), "this sweep has too many points", format!("at most {MOST_POINTS}"));
    Diagnostics::new(vec![source.clone()], vec![error])
}

/// The factors of the command line.
fn of_command(source: &Source, vary: &[String]) -> Result<Vec<Factor>, Diagnostics> {
    let mut texts = vec![source.clone()];
    texts.extend(vary.iter().map(|text| Source { name: "--vary".into(), text: text.clone() }));
    let (mut factors, mut errors) = (Vec::<Factor>::new(), Vec::new());
    for (index, text) in vary.iter().enumerate() {
        let number = index as u16 + 1;
        let all = Span::new(number, 0..text.len());
        let Some((_, equals)) = split_key(text, number) else {
            let error = Diagnostic::error(all, "a factor is written key=values", "no `=`, or a quote is not closed");
            errors.push(error.help("such as ecs.web.desired_count=2..40:2"));
            continue;
        };
        let key = text[..equals].trim().to_owned();
        if factors.iter().any(|known| known.key == key) {
            errors.push(Diagnostic::error(all, format!("`{key}` is varied twice"), "again here"));
        }
        match levels::parse(&text[equals + 1..]) {
            Ok(levels) => factors.push(Factor { key, levels, origin: "--vary" }),
            Err(wrong) => errors.push(wrong.within(number, equals + 1)),
        }
    }
    if errors.is_empty() { Ok(factors) } else { Err(Diagnostics::new(texts, errors)) }
}

/// The factors and points of the scenario itself.
fn of_file(source: &Source, changes: &[Source], sweep: &Sweep) -> Result<(Vec<Factor>, Vec<Point>), Diagnostics> {
    if sweep.points.is_empty() {
        let factor = |(key, levels): &(crate::decode::Sp<String>, levels::Levels)| Factor {
            key: key.value.clone(),
            levels: levels.0.clone(),
            origin: "sweep.vary",
        };
        let factors: Vec<Factor> = sweep.vary.0.iter().map(factor).collect();
        let points = combinations(&factors).ok_or_else(|| too_many(source))?;
        return Ok((factors, points));
    }
    let refuse = |span, title: &str, label: &str| {
        let texts = [source].into_iter().chain(changes).cloned().collect();
        Diagnostics::new(texts, vec![Diagnostic::error(span, title, label)])
    };
    if let Some((key, _)) = sweep.vary.0.first() {
        return Err(refuse(key.span, "[sweep] has both `vary` and `points`", "all combinations, or points one by one"));
    }
    let keys: Vec<&str> = sweep.points[0].0.iter().map(|(key, _)| key.as_str()).collect();
    let mut factors: Vec<Factor> =
        keys.iter().map(|key| Factor { key: (*key).to_owned(), levels: Vec::new(), origin: "sweep.points" }).collect();
    let mut points: Vec<Point> = Vec::new();
    for row in &sweep.points {
        let mut levels = Vec::new();
        for factor in &mut factors {
            let Some((_, level)) = row.0.iter().find(|(key, _)| key.value == factor.key) else {
                return Err(refuse(
                    row.span,
                    "all points name the same settings",
                    &format!("`{}` is missing", factor.key),
                ));
            };
            let known = factor.levels.iter().position(|known| *known == level.0);
            levels.push(known.unwrap_or_else(|| {
                factor.levels.push(level.0.clone());
                factor.levels.len() - 1
            }));
        }
        if row.0.len() > factors.len() {
            let more = row.0.iter().find(|(key, _)| !keys.contains(&key.as_str()));
            let span = more.map_or(row.span, |(key, _)| key.span);
            return Err(refuse(span, "all points name the same settings", "the first point has no such"));
        }
        if points.iter().any(|point| point.levels == levels) {
            return Err(refuse(row.span, "this point is there twice", "once is enough"));
        }
        points.push(Point { id: points.len() as u32, levels });
    }
    Ok((factors, points))
}

fn of_file_metrics(
    source: &Source,
    changes: &[Source],
    sweep: &Sweep,
    check: Option<CheckMetric<'_>>,
) -> Result<Vec<String>, Diagnostics> {
    let wanted: Vec<_> = sweep.metrics.iter().map(|metric| (metric.value.clone(), metric.span)).collect();
    checked_metrics(&wanted, check)
        .map_err(|errors| Diagnostics::new([source].into_iter().chain(changes).cloned().collect(), errors))
}

fn of_command_metrics(
    source: &Source,
    metrics: &[String],
    check: Option<CheckMetric<'_>>,
) -> Result<Vec<String>, Diagnostics> {
    let span = |(index, metric): (usize, &String)| (metric.clone(), Span::new(index as u16 + 1, 0..metric.len()));
    let wanted: Vec<_> = metrics.iter().enumerate().map(span).collect();
    let texts = metrics.iter().map(|metric| Source { name: "--metric".into(), text: metric.clone() });
    checked_metrics(&wanted, check)
        .map_err(|errors| Diagnostics::new([source.clone()].into_iter().chain(texts).collect(), errors))
}

fn checked_metrics(wanted: &[(String, Span)], check: Option<CheckMetric<'_>>) -> Result<Vec<String>, Vec<Diagnostic>> {
    let wrong = wanted.iter().filter_map(|(metric, span)| {
        let near = check?(metric).err()?;
        let label = near.first().map_or("unknown".into(), |near| format!("did you mean {near}?"));
        Some(Diagnostic::error(*span, format!("no figure is called `{metric}`"), label))
    });
    let wrong: Vec<Diagnostic> = wrong.collect();
    if wrong.is_empty() { Ok(wanted.iter().map(|(metric, _)| metric.clone()).collect()) } else { Err(wrong) }
}

/// All combinations of levels, the last factor's changing fastest; `None` if they are too many.
fn combinations(factors: &[Factor]) -> Option<Vec<Point>> {
    let count = factors.iter().try_fold(1usize, |count, factor| count.checked_mul(factor.levels.len()))?;
    if count > MOST_POINTS {
        return None;
    }
    let point = |id: usize| {
        let mut rest = id;
        let mut levels: Vec<usize> = factors
            .iter()
            .rev()
            .map(|factor| {
                let level = rest % factor.levels.len();
                rest /= factor.levels.len();
                level
            })
            .collect();
        levels.reverse();
        Point { id: id as u32, levels }
    };
    Some((0..count).map(point).collect())
}

#[cfg(test)]
mod tests;
