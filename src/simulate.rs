//! Runs scenarios: finds the warm-up, runs replications until they are enough, shows how far it is.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use reports::model::{FoundWarmUp, PrecisionResult};
use reports::{Expectation, Experiment, Report};
use scenarios::experiment::{self, Fault, Known};
use scenarios::{Precision, Scenario};
use sim_core::observations::Observations;

use crate::failure::Failure;
use crate::terminal::{si, span, tell};

/// Where and how loudly to simulate.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Threads, one by processor if not given; results do not depend on it.
    pub threads: Option<u16>,
    /// Whether neither progress nor pace is told.
    pub quiet: bool,
}

/// Runs scenarios equally often and with the same warm-up, and estimates each: one, or the variants of a comparison. The first one's
/// precision, if it has one, decides how often; all must reach it.
pub fn simulate(mut scenarios: Vec<Scenario>, how: How) -> Result<Vec<Report>, Failure> {
    let start = now();
    let threads = threads(how.threads);
    let warm_up_found = find_warm_up(&mut scenarios, threads)?;
    let precision = scenarios.first().and_then(|first| first.precision.clone());
    let runs = replicate(&scenarios, precision.as_ref(), threads, how.quiet)?;
    if !how.quiet {
        tell(pace(&runs, start.elapsed().as_secs_f64()));
    }
    let estimated = scenarios.into_iter().zip(runs).map(|(scenario, replications)| {
        let precision = precision.as_ref().map(|wanted| result(&scenario, wanted, &replications));
        estimate(scenario, replications, warm_up_found.clone(), precision)
    });
    estimated.collect()
}

/// So many threads, or one by processor.
pub fn threads(wanted: Option<u16>) -> usize {
    wanted.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Finds the warm-up of scenarios that ask for it. All get the longest that any needs, so that the same customers count.
fn find_warm_up(scenarios: &mut [Scenario], threads: usize) -> Result<Option<FoundWarmUp>, Failure> {
    let mut longest: Option<experiment::FoundWarmUp> = None;
    for scenario in scenarios.iter().filter(|scenario| scenario.warm_up_auto) {
        let found = experiment::find_warm_up(&scenario.architecture, scenario.seed, threads)
            .map_err(|fault| fault_of(&fault, scenario))?;
        longest = Some(match longest {
            Some(known) => experiment::FoundWarmUp {
                warm_up: known.warm_up.max(found.warm_up),
                settled: known.settled && found.settled,
                searched: known.searched.min(found.searched),
            },
            None => found,
        });
    }
    let Some(found) = longest else { return Ok(None) };
    for scenario in scenarios {
        scenario.architecture.run.warm_up = found.warm_up;
    }
    Ok(Some(FoundWarmUp {
        rule: "mser5",
        pilots: experiment::PILOTS,
        searched_s: found.searched.as_secs_f64(),
        settled: found.settled,
    }))
}

/// The replications of each scenario: as many as it says, or as many as it takes.
fn replicate(
    scenarios: &[Scenario],
    precision: Option<&Precision>,
    threads: usize,
    quiet: bool,
) -> Result<Vec<Vec<Observations>>, Failure> {
    let mut runs: Vec<Vec<Observations>> = scenarios.iter().map(|_| Vec::new()).collect();
    let mut done = 0;
    let mut wanted = scenarios.first().map(|first| first.replications);
    let bar = progress_bar("replications", quiet);
    while let Some(target) = wanted {
        bar.set_length(u64::from(target) * scenarios.len() as u64);
        for (scenario, run) in scenarios.iter().zip(&mut runs) {
            let (architecture, seed) = (&scenario.architecture, scenario.seed);
            let more = experiment::run_some(architecture, seed, done..target, threads, &|_| bar.inc(1));
            run.extend(more.map_err(|fault| fault_of(&fault, scenario))?);
        }
        done = target;
        wanted = precision.and_then(|wanted| {
            let runs = scenarios.iter().zip(&runs);
            runs.filter_map(|(scenario, run)| wanted.next(done, &measure(scenario, wanted, run))).max()
        });
    }
    bar.finish_and_clear();
    Ok(runs)
}

/// The figure that is to be precise, so far.
pub fn measure(scenario: &Scenario, wanted: &Precision, replications: &[Observations]) -> Known {
    let figure =
        reports::measure(replications, &scenario.cost, &wanted.metric, wanted.route.as_deref(), wanted.confidence);
    Known { value: figure.value, half_width: figure.half_width }
}

fn result(scenario: &Scenario, wanted: &Precision, replications: &[Observations]) -> PrecisionResult {
    let known = measure(scenario, wanted, replications);
    PrecisionResult {
        metric: wanted.metric.clone(),
        route: wanted.route.clone(),
        relative: wanted.relative,
        reached_relative: known.relative(),
        confidence: wanted.confidence,
        max_replications: wanted.max_replications,
        reached: wanted.is_reached(&known),
    }
}

fn fault_of(fault: &Fault, scenario: &Scenario) -> Failure {
    Failure::Fault(format!("{fault} (seed {})", scenario.seed))
}

fn estimate(
    scenario: Scenario,
    replications: Vec<Observations>,
    warm_up_found: Option<FoundWarmUp>,
    precision: Option<PrecisionResult>,
) -> Result<Report, Failure> {
    estimated(&Experiment { warm_up_found, precision, ..experiment_of(&scenario, replications) })
}

/// A scenario's replications as reports have them.
pub fn experiment_of(scenario: &Scenario, replications: Vec<Observations>) -> Experiment {
    Experiment {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        description: scenario.description.clone(),
        seed: scenario.seed,
        confidence: scenario.confidence,
        expectations: expectations(scenario),
        pricing: scenario.cost.clone(),
        warm_up_found: None,
        precision: scenario.precision.as_ref().map(|wanted| result(scenario, wanted, &replications)),
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

/// A failed audit is a bug of the simulator, whatever else came out.
pub fn audited(report: &Report) -> Result<(), Failure> {
    match report.audit.iter().find(|law| !law.holds) {
        None if report.audit_passed() => Ok(()),
        broken => {
            let law = broken.map_or_else(String::new, |law| format!(": {} does not hold", law.law));
            Err(Failure::Fault(format!("the run's audit of itself failed{law}")))
        }
    }
}

/// The one look at the clock: how long it took is told on standard error and reaches no result.
#[expect(clippy::disallowed_methods, reason = "measures the simulator, outside of any simulation")]
pub fn now() -> Instant {
    Instant::now()
}

/// Progress on standard error, if that is a terminal; its length has to be set.
pub fn progress_bar(what: &str, quiet: bool) -> ProgressBar {
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
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Such as `20 replications of 2 h simulated in 9.30 s: 24.1 M operations (2.59 M/s), 120 M events (12.9 M/s)`.
fn pace(runs: &[Vec<Observations>], seconds: f64) -> String {
    let all = || runs.iter().flatten();
    let operations: u64 = all().flat_map(|it| &it.routes).map(|route| route.started).sum();
    let events: u64 = all().map(|it| it.events).sum();
    let replications = match (runs.len(), runs.first().map_or(0, Vec::len)) {
        (1, 1) => "1 replication".to_owned(),
        (1, n) => format!("{n} replications"),
        (variants, n) => format!("{n} replications of {variants} variants"),
    };
    let horizon = all().next().map_or(0.0, |it| it.horizon.as_secs_f64());
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
