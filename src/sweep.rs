//! `stormglass sweep`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use reports::sweep::{Plan as PlanReport, Record, read_line, read_shard, shard_text, write_results};
use scenarios::experiment;
use scenarios::sweep::{Plan, Point, Shard};

use crate::args::{Subject, Sweep};
use crate::commands::count;
use crate::failure::Failure;
use crate::journal::{Finished, Journal, damaged, read, results};
use crate::points::{self, Text};
use crate::run::{check_writable, wrote};
use crate::simulate::{progress_bar, threads};
use crate::terminal::{self, colour_on_stdout, print, tell};

/// Runs all points, or those of a shard, that have not been run yet.
pub fn sweep(args: &Sweep) -> Result<ExitCode, Failure> {
    let shard = args.shard.as_deref().map(shard).transpose()?;
    let text = Text::find(&args.settings.subject)?;
    let plan = text.plan(&args.settings, &args.metric)?;
    let mine: Vec<&Point> =
        plan.points.iter().filter(|point| shard.is_none_or(|shard| shard.holds(point.id))).collect();
    let threads = threads(args.settings.repetition.threads);
    points::check(&plan, &mine, threads)?;
    if args.list {
        let lines: String =
            mine.iter().map(|point| format!("{}  {}\n", point.id, points::name(&plan, point))).collect();
        return print(&lines).map_err(Failure::of_stdout).map(|()| ExitCode::SUCCESS);
    }
    let report = points::plan_report(&plan);
    let work = Work { args, plan: &plan, report: &report, shard, threads };
    let finished = match &args.out {
        Some(dir) => work.in_folder(dir, &mine)?,
        None => work.run(&mine, Finished::new(), None)?,
    };
    if let Some(shard) = shard {
        if !args.settings.quiet {
            tell(format_args!("shard {shard}: {} of {} points", mine.len(), plan.points.len()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    show(&report, finished, args.json)
}

/// Checks all points of a scenario's own sweep: `12 points to sweep`.
pub fn checked(subject: &Subject) -> Result<String, Failure> {
    let text = Text::find(subject)?;
    let plan = text.own_plan()?;
    points::check(&plan, &plan.points.iter().collect::<Vec<_>>(), threads(None))?;
    Ok(count(plan.points.len() as u64, "point to sweep", "points to sweep"))
}

fn shard(text: &str) -> Result<Shard, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Shard::parse(text, &variable).map_err(|why| Failure::Input(format!("--shard {text}: {why}")))
}

/// The name of a shard's file.
fn shard_file(shard: Shard) -> String {
    format!("shard-{:05}-of-{:05}.jsonl", shard.number, shard.count)
}

/// Prints the summary of all points.
pub fn show(plan: &PlanReport, finished: Finished, json: bool) -> Result<ExitCode, Failure> {
    let text = if json {
        finished.into_values().map(|(_, line)| line).collect()
    } else {
        let records: Vec<Record> = finished.into_values().map(|(record, _)| record).collect();
        plan.to_terminal(&records, colour_on_stdout(), terminal::width())
    };
    print(&text).map_err(Failure::of_stdout)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the files of all points.
pub fn write(plan: &PlanReport, finished: &Finished, dir: &Path, quiet: bool) -> Result<(), Failure> {
    let records: Vec<_> = finished.values().cloned().collect();
    wrote(write_results(plan, &records, dir), dir, quiet)
}

struct Work<'a> {
    args: &'a Sweep,
    plan: &'a Plan<'a>,
    report: &'a PlanReport,
    shard: Option<Shard>,
    threads: usize,
}

impl Work<'_> {
    /// Runs what is not finished in the folder, and writes the results there, whole or not at all.
    fn in_folder(&self, dir: &Path, mine: &[&Point]) -> Result<Finished, Failure> {
        check_writable(dir)?;
        let name = self.shard.map_or_else(|| "sweep.jsonl".to_owned(), shard_file);
        let before = match self.shard {
            Some(shard) => self.shard_before(&dir.join(shard_file(shard)))?,
            None => results(dir, self.report)?,
        };
        let (journal, mut finished) =
            Journal::open(dir.join(format!(".{name}.partial")), self.report, self.args.restart)?;
        finished.extend(before);
        let finished = self.run(mine, finished, Some(&journal))?;
        match self.shard {
            Some(shard) => {
                let lines = finished.values().map(|(_, line)| line.as_str());
                let text = shard_text(self.report, Some(shard.to_string()), lines);
                wrote(reports::write_files(dir, &[(&shard_file(shard), text)]), dir, self.args.settings.quiet)?;
            }
            None => write(self.report, &finished, dir, self.args.settings.quiet)?,
        }
        journal.done()?;
        Ok(finished)
    }

    /// What this very shard gave when it was run before.
    fn shard_before(&self, path: &Path) -> Result<Finished, Failure> {
        let text = read(path)?.unwrap_or_default();
        let shard = read_shard(&text).map_err(|why| damaged(path, &why))?.filter(|shard| shard.plan == *self.report);
        let records = shard.map(|shard| shard.records).unwrap_or_default();
        Ok(records.into_iter().map(|(record, line)| (record.id, (record, line))).collect())
    }

    /// Runs the points that are not finished, points and replications side by side.
    fn run(&self, mine: &[&Point], finished: Finished, journal: Option<&Journal>) -> Result<Finished, Failure> {
        let quiet = self.args.settings.quiet;
        let left: Vec<&Point> = mine.iter().filter(|point| !finished.contains_key(&point.id)).copied().collect();
        if !quiet && left.len() < mine.len() {
            tell(format_args!("{} of {} points are finished already", mine.len() - left.len(), mine.len()));
        }
        let bar = progress_bar("points", quiet);
        bar.set_length(left.len() as u64);
        let finished = Mutex::new(finished);
        let one = |point: &&Point| {
            let reports = points::run(self.plan, point)?;
            let factors = points::factors(self.plan, point);
            let line = Record::new(self.report, point.id, factors, &reports).line();
            // Read back from its line, so that it does not matter whether a point was finished now or before.
            let record =
                read_line(self.report, &line).map_err(|why| Failure::Fault(format!("point {}: {why}", point.id)))?;
            if let Some(journal) = journal {
                journal.add(&line)?;
            }
            finished.lock().unwrap_or_else(PoisonError::into_inner).insert(point.id, (record, line));
            bar.inc(1);
            Ok(())
        };
        let result = experiment::with_threads(self.threads, || experiment::for_each(&left, &one));
        bar.finish_and_clear();
        result?;
        Ok(finished.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
