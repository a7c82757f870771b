//! Synthetic canaries: probes that ask a service at fixed intervals, as an operator's monitor does, and what they make of it.
//!
//! A canary is a client of its own with one operation in each interval and no retries; what it asks takes the same way as users'
//! operations, and costs the same. Its operations are not users': they are in no route and in no latency, only here.
//!
//! Published each minute, as CloudWatch Synthetics names them: `CloudWatchSynthetics SuccessPercent` and `Duration` (ms; of the
//! probes that ended well). Downtime as a canary sees it lasts from the first probe that fails to the first after it that does not
//! (both by when they were sent), as an operator reads it off a log of `SELECT NOW()` once a second.

use std::collections::VecDeque;

use sim_core::observations::{DowntimeWindow, LogKind, RouteObservations, Table, Usage, Witness};
use sim_core::{SimDuration, SimTime};

use crate::cloudwatch::{Kind, PERIOD, StatisticSet};
use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::Outcome;
use crate::world::Cx;

/// A canary. What it asks stands with the sources of traffic.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
}

/// All canaries at work.
#[derive(Debug, Default)]
pub struct Canaries {
    canaries: Vec<Canary>,
}

#[derive(Debug)]
struct Canary {
    monitor: Monitor,
    success_percent: MetricId,
    duration: MetricId,
    /// Since the last period.
    period: Period,
}

/// What somebody who probes makes of it.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// Such as `canary.home`.
    name: String,
    /// Since the warm-up.
    seen: Seen,
    /// Probes in the order in which they were sent, with what became of them.
    sent: VecDeque<(SimTime, Option<Outcome>)>,
    outage: Option<Outage>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Period {
    ended: u32,
    succeeded: u32,
    millis: f64,
    least: f64,
    most: f64,
}

/// Probes that fail one after the other.
#[derive(Clone, Copy, Debug)]
struct Outage {
    from: SimTime,
    failed: u64,
}

/// What a canary, or users, saw of a service.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    asked: u64,
    failed: u64,
    outages: u64,
    down: SimDuration,
    longest: SimDuration,
}

impl Seen {
    fn add(&mut self, lasted: SimDuration) {
        self.outages += 1;
        self.down += lasted;
        self.longest = self.longest.max(lasted);
    }
    fn row(&self) -> Vec<f64> {
        let share = if self.asked > 0 { self.failed as f64 / self.asked as f64 } else { f64::NAN };
        let (down, longest) = (self.down.as_secs_f64(), self.longest.as_secs_f64());
        vec![self.asked as f64, self.failed as f64, share, self.outages as f64, down, longest]
    }
}

impl Canaries {
    /// Builds them.
    #[must_use]
    pub fn new(settings: &[Settings], cx: &mut Cx<'_>) -> Self {
        let canary = |settings: &Settings| {
            let name = format!("canary.{}", settings.name);
            let named = |metric: &str| format!("CloudWatchSynthetics {metric} {name}");
            let metrics = &mut cx.shared.metrics;
            Canary {
                success_percent: metrics.register_as(named("SuccessPercent"), "%", Kind::Mean, PERIOD),
                duration: metrics.register_as(named("Duration"), "ms", Kind::Level, PERIOD),
                period: Period::default(),
                monitor: Monitor::new(name, cx),
            }
        };
        Self { canaries: settings.iter().map(canary).collect() }
    }

    /// A probe is sent.
    pub fn probe_sent(&mut self, canary: CanaryId, now: SimTime) {
        self.canaries[canary.index()].monitor.sent(now);
    }

    /// A probe that was sent at an instant has ended.
    pub fn probe_ended(&mut self, canary: CanaryId, sent: SimTime, outcome: Outcome, cx: &mut Cx<'_>) {
        let canary = &mut self.canaries[canary.index()];
        canary.period.add(outcome.is_ok(), cx.now().since(sent));
        canary.monitor.ended(sent, outcome, cx);
    }

    /// What canaries saw beside what users of the routes did; none without canaries.
    #[must_use]
    pub fn beside_users(
        &self,
        now: SimTime,
        routes: &[RouteObservations],
        windows: &[DowntimeWindow],
    ) -> Option<Table> {
        let columns = [
            ("asked", "count"),
            ("failed", "count"),
            ("failed share", "share"),
            ("outages", "count"),
            ("down", "s"),
            ("longest", "s"),
        ];
        let mut table = Table::new("Downtime as canaries and as users saw it", "who", &columns);
        for canary in &self.canaries {
            table.rows.push((canary.monitor.name.clone(), canary.monitor.seen_until(now).row()));
        }
        for route in routes {
            let failed = route.failed.iter().map(|(_, count)| count).sum();
            let mut seen = Seen { asked: route.started, failed, ..Seen::default() };
            windows.iter().filter(|it| it.route == route.name).for_each(|it| seen.add(it.until.since(it.from)));
            table.rows.push((route.name.clone(), seen.row()));
        }
        (!self.canaries.is_empty()).then_some(table)
    }
}

impl Period {
    fn add(&mut self, succeeded: bool, took: SimDuration) {
        self.ended += 1;
        if succeeded {
            let millis = took.as_secs_f64() * 1e3;
            self.least = if self.succeeded == 0 { millis } else { self.least.min(millis) };
            self.most = self.most.max(millis);
            self.millis += millis;
            self.succeeded += 1;
        }
    }
}

impl Monitor {
    /// Somebody by a name, who is watched from now on.
    pub(crate) fn new(name: String, cx: &mut Cx<'_>) -> Self {
        cx.shared.observer.ledger.watch(Witness::Probe, &name);
        Self { name, seen: Seen::default(), sent: VecDeque::new(), outage: None }
    }

    /// A probe is sent.
    pub(crate) fn sent(&mut self, now: SimTime) {
        self.sent.push_back((now, None));
    }

    /// A probe that was sent at an instant has ended.
    pub(crate) fn ended(&mut self, sent: SimTime, outcome: Outcome, cx: &mut Cx<'_>) {
        if let Some(probe) = self.sent.iter_mut().find(|probe| probe.0 == sent && probe.1.is_none()) {
            probe.1 = Some(outcome);
        }
        // A probe that is answered soon may overtake one that is not answered at all.
        while let Some(&(at, Some(outcome))) = self.sent.front() {
            self.sent.pop_front();
            self.judge(at, outcome, cx);
        }
    }

    /// Counting starts.
    pub(crate) fn warm_up_over(&mut self, now: SimTime) {
        self.seen = Seen::default();
        if let Some(outage) = &mut self.outage {
            outage.from = now;
        }
    }

    /// Hands over its totals.
    pub(crate) fn count(&self, now: SimTime, findings: &mut Findings) {
        let seen = self.seen_until(now);
        findings.count(&self.name, "probes", seen.asked as f64);
        findings.count(&self.name, "probes failed", seen.failed as f64);
        findings.count(&self.name, "seconds down", seen.down.as_secs_f64());
    }

    /// Takes note of the next probe in the order in which they were sent.
    fn judge(&mut self, sent: SimTime, outcome: Outcome, cx: &mut Cx<'_>) {
        self.seen.asked += 1;
        self.seen.failed += u64::from(!outcome.is_ok());
        let now = cx.now();
        match (&mut self.outage, outcome.is_ok()) {
            (None, false) => {
                self.outage = Some(Outage { from: sent, failed: 1 });
                cx.shared.observer.ledger.down(Witness::Probe, &self.name, true, sent);
                let what = format!("fails ({}): the probe of {sent}", outcome.cause.name());
                cx.shared.observer.log(now, LogKind::Health, &self.name, what);
            }
            (Some(outage), false) => outage.failed += 1,
            (Some(outage), true) => {
                let lasted = sent.since(outage.from);
                let probes = if outage.failed == 1 { "probe" } else { "probes" };
                let what = format!("succeeds again: {} {probes} failed, from {} to {sent}", outage.failed, outage.from);
                cx.shared.observer.log(now, LogKind::Health, &self.name, what);
                self.seen.add(lasted);
                self.outage = None;
                cx.shared.observer.ledger.down(Witness::Probe, &self.name, false, sent);
            }
            (None, true) => {}
        }
    }

    fn seen_until(&self, now: SimTime) -> Seen {
        let mut seen = self.seen;
        if let Some(outage) = &self.outage {
            seen.add(now.since(outage.from));
        }
        seen
    }
}

impl Observed for Canaries {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let start = SimTime::from_nanos(cx.now().as_nanos() - PERIOD.as_nanos());
        let metrics = &mut cx.shared.metrics;
        for canary in &mut self.canaries {
            let Period { ended, succeeded, millis, least, most } = std::mem::take(&mut canary.period);
            if ended > 0 {
                metrics.publish(canary.success_percent, start, 100.0 * f64::from(succeeded) / f64::from(ended));
            }
            if succeeded > 0 {
                let took = StatisticSet { count: f64::from(succeeded), sum: millis, min: least, max: most };
                metrics.publish_set(canary.duration, start, took);
            }
        }
    }

    fn warm_up_over(&mut self, now: SimTime) {
        self.canaries.iter_mut().for_each(|canary| canary.monitor.warm_up_over(now));
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        for Canary { monitor, .. } in &self.canaries {
            monitor.count(now, findings);
            let assumed = "each probe is a run of the canary";
            let runs = Usage::new(&monitor.name, "cloudwatch.canary", monitor.seen.asked as f64, "run");
            findings.used(runs.assuming(assumed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Cause;
    use crate::world::bench::Bench;

    fn at(seconds: f64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs_f64(seconds)
    }

    /// Probes each second from 1 s on, each with when it ended and whether well.
    fn watch(probes: &[(f64, bool)]) -> (Canaries, Bench) {
        let mut bench = Bench::new();
        let mut canaries = Canaries::new(&[Settings { name: "home".to_owned() }], &mut bench.cx());
        let mut events: Vec<(f64, usize, bool)> = Vec::new();
        for (number, &(ended, _)) in probes.iter().enumerate() {
            events.push((number as f64 + 1.0, number, false));
            events.push((ended, number, true));
        }
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (when, number, ended) in events {
            bench.run_until(at(when), |_, _| {}, |_, _| {});
            if ended {
                let well = probes[number].1;
                let outcome = if well { Outcome::OK } else { Outcome::failed(0, Cause::ClientTimeout) };
                canaries.probe_ended(CanaryId(0), at(number as f64 + 1.0), outcome, &mut bench.cx());
            } else {
                canaries.probe_sent(CanaryId(0), at(when));
            }
        }
        (canaries, bench)
    }

    #[test]
    fn failures_from_15_23_08_to_15_23_14_are_six_seconds_of_downtime() {
        // The requirements' example, at 8 s to 14 s: six probes fail, each after a timeout of 3 s; those after them are
        // answered sooner and change nothing.
        let probes: Vec<(f64, bool)> = (1..=20)
            .map(|second| {
                let down = (8..14).contains(&second);
                (f64::from(second) + if down { 3.0 } else { 0.1 }, !down)
            })
            .collect();
        let (canaries, _) = watch(&probes);
        let seen = canaries.canaries[0].monitor.seen_until(at(25.0));
        assert_eq!((seen.asked, seen.failed, seen.outages), (20, 6, 1));
        assert_eq!((seen.down, seen.longest), (SimDuration::from_secs(6), SimDuration::from_secs(6)));
    }

    #[test]
    fn an_outage_that_lasts_counts_until_the_end() {
        let (mut canaries, _) = watch(&[(1.1, true), (2.1, false), (3.1, false)]);
        let mut findings = Findings::default();
        canaries.finish(at(10.0), &mut findings);
        let told: Vec<(&str, f64)> = findings.counters.iter().map(|it| (it.name.as_str(), it.value)).collect();
        assert_eq!(told, [("probes", 3.0), ("probes failed", 2.0), ("seconds down", 8.0)]);
    }

    #[test]
    fn what_is_published_is_of_the_probes_that_ended_in_the_minute() {
        let (mut canaries, mut bench) = watch(&[(1.1, true), (2.3, true), (5.0, false), (4.2, true)]);
        bench.run_until(at(60.0), |_, _| {}, |_, _| {});
        canaries.publish(&mut bench.cx());
        let series = bench.shared.metrics.into_series(SimDuration::from_secs(60));
        let of = |name: &str| series.iter().find(|it| it.name.contains(name)).expect("published").values[0];
        assert_eq!(of("SuccessPercent"), 75.0);
        assert!((of("Duration") - 200.0).abs() < 1e-6);
    }
}
