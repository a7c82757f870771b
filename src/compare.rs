//! `stormglass compare` and `stormglass diff`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use reports::{Contender, diff};
use scenarios::{BASE, Scenario};

use crate::args::{Compare, Diff, Subject};
use crate::failure::{DIFFERENT, Failure};
use crate::run::{check_writable, wrote};
use crate::simulate::{How, audited, simulate};
use crate::subject;
use crate::terminal::{self, colour_on_stdout, print};

/// A scenario under the name that it has in the comparison.
struct Entry {
    name: String,
    description: String,
    scenario: Scenario,
}

/// Runs variants on the same customers and shows what differs.
pub fn compare(compare: &Compare) -> Result<(), Failure> {
    let mut entries = match compare.scenarios.as_slice() {
        [alone] => variants_of(compare, alone)?,
        several => files(compare, several)?,
    };
    put_baseline_first(&mut entries, compare.baseline.as_deref())?;
    check_alike(&entries)?;
    for metric in &compare.metric {
        reports::check_metric(metric).map_err(|near| {
            Failure::Input(format!("no figure is called `{metric}`; did you mean `{}`?", near.join("`, `")))
        })?;
    }
    if let Some(dir) = &compare.out {
        check_writable(dir)?;
    }
    let title = title(&entries);
    let (names, scenarios): (Vec<_>, Vec<_>) =
        entries.into_iter().map(|it| ((it.name, it.description), it.scenario)).unzip();
    let reports = simulate(scenarios, How { threads: compare.repetition.threads, quiet: compare.quiet })?;
    reports.iter().try_for_each(audited)?;
    let contenders = names.into_iter().zip(reports);
    let contenders = contenders.map(|((name, description), report)| Contender { name, description, report });
    let comparison = reports::compare(&title, contenders.collect(), &compare.metric)
        .map_err(|error| Failure::Input(error.to_string()))?;
    if let Some(dir) = &compare.out {
        wrote(reports::write_comparison(&comparison, dir), dir, compare.quiet)?;
    }
    let text =
        if compare.json { comparison.to_json() } else { comparison.to_terminal(colour_on_stdout(), terminal::width()) };
    print(&text).map_err(Failure::of_stdout)
}

fn subject_of(compare: &Compare, scenario: &str, variant: Option<&str>) -> Subject {
    Subject {
        scenario: scenario.to_owned(),
        set: compare.set.clone(),
        prices: compare.prices.clone(),
        variant: variant.map(str::to_owned),
    }
}

/// The variants of one scenario, in its order; the file as it stands comes first, unless a variant that sets nothing is that.
fn variants_of(compare: &Compare, scenario: &str) -> Result<Vec<Entry>, Failure> {
    let load = |variant: Option<&str>| {
        let subject = subject_of(compare, scenario, variant);
        subject::load(&subject, compare.repetition.overrides())
    };
    let base = load(None)?;
    if base.variants.is_empty() {
        return Err(Failure::Input(format!(
            "{scenario} has no variants to compare: add [[variant]] name = \"...\" set = {{ \"KEY\" = VALUE }}, or name several scenarios"
        )));
    }
    let variants = base.variants.clone();
    let mut entries = Vec::new();
    if !variants.iter().any(|it| it.as_it_stands) {
        entries.push(Entry { name: BASE.to_owned(), description: "the file as it stands".to_owned(), scenario: base });
    }
    for variant in variants {
        let scenario = load(Some(&variant.name))?;
        entries.push(Entry { name: variant.name, description: variant.description, scenario });
    }
    // The file as it stands is what the others were made from, wherever it is written.
    if let Some(at) =
        entries.iter().position(|it| it.scenario.variants.iter().any(|v| v.as_it_stands && v.name == it.name))
    {
        let base = entries.remove(at);
        entries.insert(0, base);
    }
    Ok(entries)
}

/// Several scenarios, with the seed and the number of replications of the first.
fn files(compare: &Compare, names: &[String]) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> = Vec::new();
    for name in names {
        let subject = subject_of(compare, name, None);
        let like_first = entries.first().map(|first| {
            let first = &first.scenario;
            [format!("run.seed={}", first.seed), format!("run.replications={}", first.replications)]
        });
        let overrides = compare.repetition.overrides().into_iter().chain(like_first.into_iter().flatten());
        let scenario = subject::load(&subject, overrides)?;
        let own = scenario.name.clone();
        let taken = entries.iter().any(|it| it.name == own);
        let description = scenario.title.clone();
        entries.push(Entry { name: if taken { name.clone() } else { own }, description, scenario });
    }
    Ok(entries)
}

fn put_baseline_first(entries: &mut Vec<Entry>, wanted: Option<&str>) -> Result<(), Failure> {
    let Some(wanted) = wanted else { return Ok(()) };
    let Some(at) = entries.iter().position(|it| it.name == wanted) else {
        let names = entries.iter().map(|it| it.name.as_str());
        return Err(Failure::Input(format!("--baseline {wanted}: {}", scenarios::advice(wanted, names))));
    };
    let baseline = entries.remove(at);
    entries.insert(0, baseline);
    Ok(())
}

/// Figures of runs of different lengths are not comparable, whatever the variants are like.
fn check_alike(entries: &[Entry]) -> Result<(), Failure> {
    let Some((first, others)) = entries.split_first() else { return Ok(()) };
    let run = |it: &Entry| {
        (it.scenario.architecture.run.duration, it.scenario.architecture.run.warm_up, it.scenario.warm_up_auto)
    };
    match others.iter().find(|it| run(it) != run(first)) {
        None if first.scenario.replications > 1 || first.scenario.precision.is_some() => Ok(()),
        None => Err(Failure::Input("a comparison takes at least two replications: add --replications 10".to_owned())),
        Some(other) => Err(Failure::Input(format!(
            "`{}` and `{}` differ in duration or warm-up: make them alike, such as with --set run.duration=1h --set run.warm_up=5m",
            first.name, other.name
        ))),
    }
}

fn title(entries: &[Entry]) -> String {
    let titles: Vec<&str> = entries.iter().map(|it| it.scenario.title.as_str()).collect();
    match titles.split_first() {
        Some((first, others)) if others.iter().all(|it| it == first) => (*first).to_owned(),
        _ => entries.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" against "),
    }
}

/// Says in which figures two saved reports differ.
pub fn diff(diff: &Diff) -> Result<ExitCode, Failure> {
    let (before, after) = (read(&diff.before)?, read(&diff.after)?);
    let found = diff::diff(&before, &after).map_err(|error| Failure::Input(error.to_string()))?;
    let text = if diff.json { found.to_json() } else { found.to_terminal(colour_on_stdout(), terminal::width()) };
    print(&text).map_err(Failure::of_stdout)?;
    Ok(if found.differs() { ExitCode::from(DIFFERENT) } else { ExitCode::SUCCESS })
}

fn read(path: &Path) -> Result<diff::Saved, Failure> {
    let wrong = |why: String| Failure::Input(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    diff::Saved::read(&path.display().to_string(), &text).map_err(wrong)
}
