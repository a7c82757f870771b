//! How a scenario is run: length, warm-up, precision, variants.

use models::architecture::{Architecture, Run, Spans};
use models::client::Arrivals;
use sim_core::{SimDuration, SimTime};

use super::traffic::Sources;
use super::{Check, MAX_REPLICATIONS};
use crate::Precision;
use crate::diagnostics::Diagnostic;
use crate::raw::run::WarmUp;
use crate::tree::Span;

/// Most variants.
const MAX_VARIANTS: usize = 200;
/// Fewer windows than this make no series to find a warm-up in.
const SHORTEST_SEARCH: SimDuration = SimDuration::from_secs(1);
/// Batches that one long run is divided into (Schmeiser, "Batch Size Effects in the Analysis of Simulation Output", Operations
/// Research 30 (1982): beyond 30 little is gained, below 10 much is lost).
const BATCHES: u32 = 20;
/// What the file as it stands is called in comparisons.
pub const BASE: &str = "base";

impl Check<'_> {
    pub(super) fn run(&mut self) -> Run {
        let run = &self.doc.run;
        let replays = self.doc.traffic.iter().any(|traffic| traffic.replay.is_some());
        let others = self.doc.traffic.iter().any(|traffic| traffic.replay.is_none());
        let duration = match &run.duration {
            // What stands in for a duration that could not be read bounds nothing.
            Some(duration) if duration.span == Span::NOWHERE => SimDuration::MAX,
            Some(duration) => {
                if duration.0.is_zero() {
                    self.error(duration.span, "a run must last", "more than \"0s\"");
                }
                duration.0
            }
            None if replays && !others => SimDuration::MAX,
            None if self.doc.traffic.is_empty() => SimDuration::MAX,
            None => {
                let help = "[run]\nduration = \"10m\"".replace('\n', " ");
                let error = Diagnostic::error(run.span, "run.duration is missing", "how long is to be simulated?");
                self.note(error.help(format!("write {help}")));
                SimDuration::MAX
            }
        };
        let warm_up = run.warm_up.given();
        if warm_up >= duration {
            self.error(run.warm_up.span, "the warm-up lasts as long as the run", "nothing would be counted");
        }
        Run {
            duration,
            warm_up,
            downtime_error_rate: self.share(&run.downtime_error_rate, "downtime_error_rate"),
            metric_delay: self.time(&run.metric_delay, "metric_delay", 0.0, 3600.0, ""),
            high_resolution_metric_delay: self.time(
                &run.high_resolution_metric_delay,
                "high_resolution_metric_delay",
                0.0,
                300.0,
                "",
            ),
            spans: Spans::default(),
            objective: None,
        }
    }

    pub(super) fn precision(&mut self, sources: &Sources) -> Option<Precision> {
        let doc = self.doc;
        let precision = doc.run.precision.as_ref()?;
        self.figure(&precision.metric, precision.route.as_ref(), sources);
        let relative = precision.relative.value.0;
        if !(1e-6..=1.0).contains(&relative) {
            self.error(precision.relative.span, "this precision cannot be", "more than 0% and at most 100%");
        }
        let level = precision.confidence.as_ref().unwrap_or(&doc.run.confidence);
        self.confidence(level);
        let first = *doc.run.replications;
        let most = self.count(&precision.max_replications, "max_replications", 2, MAX_REPLICATIONS);
        if first > most {
            let title = format!("the first {first} replications are more than max_replications");
            let error = Diagnostic::error(precision.max_replications.span, title, format!("at least {first}"));
            self.note(error.also(doc.run.replications.span, "so many are run first"));
        }
        Some(Precision {
            metric: precision.metric.value.clone(),
            route: precision.route.as_ref().map(|route| route.value.clone()),
            relative,
            confidence: level.value.0,
            max_replications: most,
        })
    }

    pub(super) fn confidence(&mut self, level: &crate::decode::Sp<crate::units::Share>) {
        if level.0 < 0.5 || level.0 >= 1.0 {
            self.error(level.span, "confidence must be at least 50% and below 100%", "usually \"95%\"");
        }
    }

    /// Checks the names of variants; what they set is checked where they are applied.
    pub(super) fn variants(&mut self) {
        let doc = self.doc;
        if let Some(variant) = doc.variant.get(MAX_VARIANTS) {
            self.error(variant.span, "too many variants", format!("at most {MAX_VARIANTS}"));
        }
        for variant in &doc.variant {
            self.label(&variant.name);
            if variant.name.as_str() == BASE && !variant.set.is_empty() {
                let label = format!("`{BASE}` is the file as it stands");
                self.error(variant.name.span, "this variant needs another name", label);
            }
        }
        self.distinct(doc.variant.iter().map(|variant| &variant.name), "variants");
        let mut as_it_stands = doc.variant.iter().filter(|variant| variant.set.is_empty());
        if let (Some(first), Some(second)) = (as_it_stands.next(), as_it_stands.next()) {
            let error = Diagnostic::error(second.span, "two variants set nothing", "this one is the same");
            self.note(error.also(first.span, "as this one"));
        }
    }

    /// What rests on a steady state: a warm-up that is to be found, and the batches of one long run.
    pub(super) fn steadiness(&mut self, architecture: &mut Architecture) {
        let doc = self.doc;
        let until = steady_until(architecture);
        if doc.run.warm_up.value == WarmUp::Auto && until.since(SimTime::ZERO) < SHORTEST_SEARCH {
            let error = Diagnostic::error(
                doc.run.warm_up.span,
                "there is no steady stretch to find a warm-up in",
                "give a time",
            );
            self.note(error.help(
                "traffic is replayed, or its rate changes, or a deployment or a fault comes within the first second",
            ));
        }
        let alone = *doc.run.replications == 1 && doc.run.precision.is_none();
        if alone && until == architecture.run.horizon() {
            architecture.run.spans = Spans { batches: BATCHES, ..Spans::default() };
        }
    }
}

/// Until when nothing is planned that would change the law of the run: no deployment, no fault, no change of a rate. A replayed
/// log is never steady.
pub(crate) fn steady_until(architecture: &Architecture) -> SimTime {
    let rates = architecture.traffic.iter().map(|source| match &source.arrivals {
        Arrivals::Open { rate, .. } => {
            let change = rate.points.windows(2).find(|pair| pair[0].1 != pair[1].1);
            change.map_or(SimTime::MAX, |pair| pair[0].0)
        }
        Arrivals::Closed { .. } => SimTime::MAX,
        Arrivals::Replay(_) => SimTime::ZERO,
    });
    let deployments = architecture.deployments.iter().map(|deployment| deployment.at);
    let faults = architecture.faults.iter().map(|fault| fault.at);
    rates.chain(deployments).chain(faults).fold(architecture.run.horizon(), SimTime::min)
}
