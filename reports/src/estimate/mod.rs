//! Estimates from the observations of all replications.

mod bottleneck;
mod budget;
mod figures;
mod interval;
mod ledger;
mod series;
mod tables;
mod trust;

use sim_core::observations::{LogEntry, LogKind, Observations};
use sim_core::tally::Histogram;

pub(crate) use self::interval::Level;
use crate::cost::{self, Pricing};
use crate::expectations::{self, BadExpectation};
use crate::format::{Unit, plain, span};
use crate::model::{
    Bucket, Estimate, Event, Figures, Interval, LatencyEstimate, Law, Outcome, Replication, Report, SCHEMA_VERSION,
    Verdict, Window,
};
use crate::{Experiment, json};

/// The pooled histogram is published with at most this many buckets.
const BUCKETS_MAX: usize = 400;

/// Estimates every figure of an experiment and judges its expectations.
///
/// # Errors
///
/// The expectations whose metric can be no figure of a report, whatever is simulated; see [`crate::check_metric`] to find
/// them before the run. A figure that could exist but does not (a route that the scenario has not) fails its expectation
/// instead.
pub fn estimate(experiment: &Experiment) -> Result<Report, Vec<BadExpectation>> {
    expectations::check_all(&experiment.expectations)?;
    let level = Level(experiment.confidence);
    let all = &experiment.replications;
    let mut raws: Vec<_> = all.iter().map(|one| figures::of_replication(one, &experiment.pricing)).collect();
    figures::align(&mut raws);
    let mut figures = figures::over(&raws, all, level);
    let batches = match all.as_slice() {
        [alone] if alone.batches.len() > 1 => &alone.batches[..],
        _ => &[],
    };
    figures::take_batch_intervals(&mut figures, &raws, batches, level);
    let numbers: Vec<u32> = all.iter().map(|one| one.replication).collect();
    let expectations = expectations::judge(&experiment.expectations, &figures, all.len());
    let audit = laws(all);
    let failed = expectations.iter().filter(|one| one.verdict == Outcome::Fail).count();
    let first = all.first();
    let seconds = |pick: fn(&Observations) -> f64| first.map_or(0.0, pick);
    Ok(Report {
        schema_version: SCHEMA_VERSION,
        version: experiment.version.clone(),
        scenario: experiment.scenario.clone(),
        title: experiment.title.clone(),
        description: experiment.description.clone(),
        seed: experiment.seed,
        replications: count(all.len()),
        interval: interval(all, batches, experiment.confidence),
        horizon_s: seconds(|one| one.horizon.as_secs_f64()),
        warm_up_s: seconds(|one| one.warm_up.as_secs_f64()),
        warm_up_found: experiment.warm_up_found.clone(),
        measured_s: seconds(|one| one.horizon.since(one.warm_up).as_secs_f64()),
        cautions: trust::cautions(experiment, &figures, batches, level),
        precision: experiment.precision.clone(),
        verdict: Verdict {
            passed: failed == 0,
            expectations_failed: failed,
            audit_passed: audit.iter().all(|law| law.holds),
        },
        expectations,
        bottleneck: bottleneck::find(&figures, &raws, &numbers, level),
        figures,
        tables: tables::over(all, level),
        bill: cost::over(all, &experiment.pricing, level),
        downtime_windows: first.map(windows).unwrap_or_default(),
        later_windows: all.iter().skip(1).map(windows).collect(),
        ledger_windows: first.map(ledger::report).unwrap_or_default(),
        later_ledgers: all.iter().skip(1).map(ledger::report).collect(),
        events: first.map(events).unwrap_or_default(),
        later_events: all.iter().skip(1).flat_map(events).collect(),
        events_dropped: all.iter().map(|one| one.log_dropped).sum(),
        notes: notes(all),
        audit,
        latency_histogram: pooled(all),
        series: series::over(all, level),
        per_replication: all.iter().zip(raws).map(|(one, figures)| replication(one, figures)).collect(),
    })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn interval(all: &[Observations], batches: &[Observations], confidence: f64) -> Interval {
    let (method, of) = if batches.is_empty() { ("student", all.len()) } else { ("batch_means", batches.len()) };
    let note = match (all.len(), batches) {
        (0, _) => Some("no replication: no figures".to_owned()),
        (1, [batch, ..]) => {
            let length = span(batch.horizon.since(batch.warm_up).as_secs_f64());
            let level = plain(Unit::Share, confidence);
            Some(format!("± is half the {level} interval by the means of {of} batches of {length}"))
        }
        (1, []) => Some("one replication without a steady state throughout: no interval".to_owned()),
        (n @ 2..=4, _) => Some(format!("{n} replications: the intervals are wide and rest on few values")),
        _ => None,
    };
    Interval { method, confidence, degrees_of_freedom: count(of.saturating_sub(1)), note }
}

fn laws(all: &[Observations]) -> Vec<Law> {
    let mut laws: Vec<Law> = Vec::new();
    for observations in all {
        for check in &observations.audit.checks {
            let index = laws.iter().position(|law| law.law == check.law).unwrap_or_else(|| {
                let (law, found) = (check.law.clone(), check.found.clone());
                laws.push(Law { law, found, holds: true, failed_in: Vec::new() });
                laws.len() - 1
            });
            let law = &mut laws[index];
            if !check.holds {
                if law.holds {
                    law.found.clone_from(&check.found);
                }
                law.holds = false;
                law.failed_in.push(observations.replication);
            }
        }
    }
    laws
}

fn windows(observations: &Observations) -> Vec<Window> {
    let mut windows: Vec<_> = observations.downtime.iter().collect();
    windows.sort_by(|a, b| (a.from, a.until, &a.route).cmp(&(b.from, b.until, &b.route)));
    let window = |window: &sim_core::observations::DowntimeWindow| Window {
        route: window.route.clone(),
        from_s: window.from.as_secs_f64(),
        until_s: window.until.as_secs_f64(),
        duration_s: window.until.since(window.from).as_secs_f64(),
        lost: window.lost,
        started: window.started,
        cause: window.cause.clone(),
        blamed_on: window.blamed_on.clone(),
        phases: ledger::spans(&window.phases),
        in_warm_up: window.until <= observations.warm_up,
    };
    windows.into_iter().map(window).collect()
}

fn events(observations: &Observations) -> Vec<Event> {
    let event = |entry: &LogEntry| Event {
        replication: observations.replication,
        at_s: entry.at.as_secs_f64(),
        until_s: entry.until.map(|until| until.as_secs_f64()),
        kind: kind(entry.kind),
        subject: entry.subject.clone(),
        what: entry.what.clone(),
    };
    observations.log.iter().map(event).collect()
}

const fn kind(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Fault => "fault",
        LogKind::Deployment => "deployment",
        LogKind::Failover => "failover",
        LogKind::Scaling => "scaling",
        LogKind::Alarm => "alarm",
        LogKind::Health => "health",
        LogKind::Lifecycle => "lifecycle",
    }
}

fn notes(all: &[Observations]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for note in all.iter().flat_map(|observations| &observations.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}

/// The pooled histogram, neighbours joined until few enough are left.
fn pooled(all: &[Observations]) -> Vec<Bucket> {
    let histogram: Histogram = figures::merged(all.iter().flat_map(|one| &one.routes).map(|route| &route.latency));
    let mut buckets: Vec<Bucket> = histogram
        .buckets()
        .filter(|(_, _, count)| *count > 0)
        .map(|(lower, upper, count)| Bucket { lower, upper, count })
        .collect();
    // Widths grow with the values: edges a fixed ratio apart keep the shape on a logarithmic axis.
    let mut ratio = 1.005;
    while buckets.len() > BUCKETS_MAX {
        let mut joined: Vec<Bucket> = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            match joined.last_mut() {
                Some(last) if bucket.upper <= last.lower.max(f64::MIN_POSITIVE) * ratio => {
                    last.upper = bucket.upper;
                    last.count += bucket.count;
                }
                _ => joined.push(bucket),
            }
        }
        buckets = joined;
        ratio *= 1.005;
    }
    buckets
}

fn replication(observations: &Observations, figures: Figures<f64, f64>) -> Replication {
    let failures = observations.audit.checks.iter().filter(|check| !check.holds);
    Replication {
        replication: observations.replication,
        digest: json::hexadecimal(observations.digest),
        customers: json::hexadecimal(observations.customers),
        kernel_events: observations.events,
        audit_passed: observations.audit.passed(),
        audit_failures: failures.map(|check| format!("{}: {}", check.law, check.found)).collect(),
        figures,
    }
}

/// An estimate of any figure that each replication gives.
pub(crate) fn over_replications(report: &Report, figure: impl Fn(&Replication) -> f64) -> Estimate {
    let values: Vec<f64> = report.per_replication.iter().map(figure).collect();
    Level(report.interval.confidence).estimate(&values)
}

/// A figure, looked up by its path as an expectation's is, over some replications of an experiment that may go on. NaN where there is
/// no such figure.
#[must_use]
pub fn measure(
    replications: &[Observations],
    pricing: &Pricing,
    metric: &str,
    route: Option<&str>,
    confidence: f64,
) -> Estimate {
    let level = Level(confidence);
    let mut raws: Vec<_> = replications.iter().map(|one| figures::of_replication(one, pricing)).collect();
    figures::align(&mut raws);
    expectations::find_figure(&figures::over(&raws, replications, level), metric, route)
}

/// Figures with `<name>` for every name a scenario may give: the shape of what can be expected.
pub(crate) fn skeleton() -> Figures<Estimate, LatencyEstimate> {
    figures::skeleton()
}
