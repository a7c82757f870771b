//! `stormglass run`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use reports::{Expectation, Experiment, Report};
use scenarios::{Scenario, experiment};
use sim_core::observations::Observations;

use crate::args::Run;
use crate::failure::{EXPECTATION_FAILED, Failure};
use crate::subject;
use crate::terminal::{self, colour_on_stdout, print, si, span, tell};

/// Runs a scenario and shows what came of it.
pub fn run(run: &Run) -> Result<ExitCode, Failure> {
    let seed = run.seed.map(|seed| format!("run.seed={seed}"));
    let replications = run.replications.map(|n| format!("run.replications={n}"));
    let scenario = subject::load(&run.subject, seed.into_iter().chain(replications))?;
    if let Some(dir) = &run.out {
        check_writable(dir)?;
    }
    let observations = simulate(&scenario, run)?;
    let report = estimate(scenario, observations)?;
    show(&report, run)?;
    if !report.audit_passed() {
        let broken = report.audit.iter().find(|law| !law.holds);
        let law = broken.map_or_else(String::new, |law| format!(": {} does not hold", law.law));
        return Err(Failure::Fault(format!("the run's audit of itself failed{law}")));
    }
    Ok(if report.passed() || run.no_fail { ExitCode::SUCCESS } else { ExitCode::from(EXPECTATION_FAILED) })
}

/// Makes sure of the folder before a run that may take long.
pub fn check_writable(dir: &Path) -> Result<(), Failure> {
    let probe = dir.join(format!(".stormglass.{}", std::process::id()));
    fs::create_dir_all(dir)
        .and_then(|()| File::create_new(&probe))
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|error| Failure::Input(format!("--out {}: cannot be written into: {error}", dir.display())))
}

fn simulate(scenario: &Scenario, run: &Run) -> Result<Vec<Observations>, Failure> {
    let threads = threads(run.threads);
    let bar = progress_bar(scenario.replications, "replications", run.quiet);
    let start = now();
    let result =
        experiment::run(&scenario.architecture, scenario.seed, scenario.replications, threads, &|_| bar.inc(1));
    bar.finish_and_clear();
    let observations = result.map_err(|fault| Failure::Fault(format!("{fault} (seed {})", scenario.seed)))?;
    if !run.quiet {
        tell(pace(&observations, start.elapsed().as_secs_f64()));
    }
    Ok(observations)
}

/// So many threads, or one by processor.
pub fn threads(wanted: Option<u16>) -> usize {
    wanted.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// The one look at the clock: how long it took is told on standard error and reaches no result.
#[expect(clippy::disallowed_methods, reason = "measures the simulator, outside of any simulation")]
fn now() -> Instant {
    Instant::now()
}

/// Progress on standard error, if that is a terminal.
pub fn progress_bar(count: u32, what: &str, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let to_go = |state: &ProgressState, out: &mut dyn fmt::Write| {
        if state.pos() > 0 {
            let _ = write!(out, ", about {:#} to go", HumanDuration(state.eta()));
        }
    };
    let style =
        ProgressStyle::with_template(&format!("{{bar:30}} {{pos}} of {{len}} {what}, {{elapsed}} gone{{to_go}}"));
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("to_go", to_go);
    let bar = ProgressBar::new(u64::from(count)).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Such as `20 replications of 2 h simulated in 9.30 s: 24.1 M operations (2.59 M/s), 120 M events (12.9 M/s)`.
fn pace(observations: &[Observations], seconds: f64) -> String {
    let operations: u64 = observations.iter().flat_map(|it| &it.routes).map(|route| route.started).sum();
    let events: u64 = observations.iter().map(|it| it.events).sum();
    let replications = match observations.len() {
        1 => "1 replication".to_owned(),
        n => format!("{n} replications"),
    };
    let horizon = observations.first().map_or(0.0, |it| it.horizon.as_secs_f64());
    let per_second = |n: u64| si(n as f64 / seconds.max(1e-9));
    format!(
        "{replications} of {} simulated in {}: {} operations after the warm-up ({}/s), {} events ({}/s)",
        span(horizon),
        span(seconds),
        si(operations as f64),
        per_second(operations),
        si(events as f64),
        per_second(events),
    )
}

/// The report of a scenario's replications.
pub fn estimate(scenario: Scenario, replications: Vec<Observations>) -> Result<Report, Failure> {
    estimated(&experiment_of(&scenario, replications))
}

/// A scenario's replications as reports have them.
pub fn experiment_of(scenario: &Scenario, replications: Vec<Observations>) -> Experiment {
    Experiment {
        expectations: expectations(scenario),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        description: scenario.description.clone(),
        seed: scenario.seed,
        confidence: scenario.confidence,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        replications,
    }
}

/// The report of an experiment.
pub fn estimated(experiment: &Experiment) -> Result<Report, Failure> {
    // Loading has checked the metrics; if it should ever let one through, that is still a mistake of the scenario.
    reports::estimate(experiment)
        .map_err(|bad| Failure::Input(bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// What a scenario expects, as reports have it.
pub fn expectations(scenario: &Scenario) -> Vec<Expectation> {
    let expectation = |it: &scenarios::Expectation| Expectation {
        metric: it.metric.clone(),
        route: it.route.clone(),
        min: it.min,
        max: it.max,
        text: it.text.clone(),
    };
    scenario.expectations.iter().map(expectation).collect()
}

/// Writes the files first: a reader of the summary who goes away does not keep them from being written.
fn show(report: &Report, run: &Run) -> Result<(), Failure> {
    if let Some(dir) = &run.out {
        let written = reports::write_all(report, dir)
            .map_err(|error| Failure::Output(format!("--out {}: {error}", dir.display())))?;
        if !run.quiet {
            let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
            tell(format_args!("wrote {}", names.join(", ")));
        }
    }
    let text = if run.json { report.to_json() } else { report.to_terminal(colour_on_stdout(), terminal::width()) };
    print(&text).map_err(Failure::of_stdout)
}
