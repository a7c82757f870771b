//! What a table tells the observer: CloudWatch metrics, units and throttles in total, how uneven its partitions are, the audit.

use sim_core::observations::{SeriesGroup, StationObservations};
use sim_core::{SimDuration, SimTime};

use super::capacity::{Hit, Kind, Limit};
use super::global::Global;
use super::store::Store;
use super::streams::Consumer;
use super::{Operation, Table, heat};
use crate::cloudwatch;
use crate::ids::*;
use crate::observer::{FigureId, Figures, Findings, Observed};
use crate::world::Cx;

/// What is counted of a throughput.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Throttles since the warm-up, by [`Limit`] and [`Kind`].
    throttled: [[u64; 2]; Limit::ALL.len()],
    /// What found units since then, by [`Kind`].
    accepted: [u64; 2],
    /// When the warm-up was over, and the units there can have been until then, by [`Kind`].
    pub(super) counted_from: SimTime,
    entitled_before: [f64; 2],
    /// Units consumed and the most that were taken at once, by [`Kind`], since the start of the run.
    consumed_in_all: [f64; 2],
    largest: [f64; 2],
    /// Units consumed in the busiest minute since the warm-up, and when it began.
    pub(super) busiest: [(f64, SimTime); 2],
    /// Units consumed since the bin of the figures began; since the throughput last looked back.
    bin: [f64; 2],
    pub(super) minute: [f64; 2],
    /// Splits of hot partitions, and those that would have been in vain.
    pub(super) splits: u64,
    pub(super) splits_refused: u64,
    period: Period,
}

/// What a minute's datapoints are made of.
#[derive(Clone, Copy, Debug, Default)]
struct Period {
    consumed: [f64; 2],
    throttle_events: [u64; 2],
}

impl Books {
    #[inline]
    pub(super) fn consume(&mut self, units: [f64; 2]) {
        for (kind, units) in units.into_iter().enumerate().filter(|(_, units)| *units > 0.0) {
            self.accepted[kind] += 1;
            self.consumed_in_all[kind] += units;
            self.largest[kind] = self.largest[kind].max(units);
            self.period.consumed[kind] += units;
            self.bin[kind] += units;
            self.minute[kind] += units;
        }
    }

    pub(super) fn throttle(&mut self, (limit, kind): Hit) {
        self.throttled[limit as usize][kind as usize] += 1;
        self.period.throttle_events[kind as usize] += 1;
    }

    fn throttled_of(&self, kind: Kind) -> u64 {
        self.throttled.iter().map(|by_kind| by_kind[kind as usize]).sum()
    }
}

/// A throughput's metrics.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) consumed: [MetricId; 2],
    throttle_events: [MetricId; 2],
    /// Of throughput that is scaled: what is provisioned, and how much of it is used.
    scaled: [Option<[MetricId; 2]>; 2],
}

impl Published {
    pub(super) fn new(name: &str, scaled: [bool; 2], cx: &mut Cx<'_>) -> Self {
        let mut metric = |metric: &str, unit| cx.shared.metrics.register(format!("AWS/DynamoDB {metric} {name}"), unit);
        Self {
            consumed: Kind::ALL.map(|kind| metric(&format!("Consumed{}CapacityUnits", kind.name()), "count")),
            throttle_events: Kind::ALL.map(|kind| metric(&format!("{}ThrottleEvents", kind.name()), "count")),
            scaled: Kind::ALL.map(|kind| {
                let utilization = utilization_metric(kind as usize);
                scaled[kind as usize].then(|| {
                    [metric(&format!("Provisioned{}CapacityUnits", kind.name()), "units/s"), metric(utilization, "%")]
                })
            }),
        }
    }
}

/// The metric that auto scaling tracks, by reads and writes (Application Auto Scaling's names).
#[must_use]
pub fn utilization_metric(kind: usize) -> &'static str {
    ["DynamoDBReadCapacityUtilization", "DynamoDBWriteCapacityUtilization"][kind]
}

/// Metrics of a table's operations.
#[derive(Debug)]
pub(super) struct Requests {
    throttled_requests: MetricId,
    latency: MetricId,
}

impl Requests {
    pub(super) fn new(name: &str, cx: &mut Cx<'_>) -> Self {
        let mut metric = |metric: &str, unit| cx.shared.metrics.register(format!("AWS/DynamoDB {metric} {name}"), unit);
        Self {
            throttled_requests: metric("ThrottledRequests", "count"),
            latency: metric("SuccessfulRequestLatency", "ms"),
        }
    }
}

/// What a minute's datapoints of operations are made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    pub(super) throttled: u64,
    pub(super) answered: u64,
    pub(super) latency: SimDuration,
}

const UNITS: [&str; 2] = ["read units", "write units"];

impl Store {
    /// The figures over time of the capacity in use: above 1 while burst capacity is drawn on.
    pub(super) fn register_figures(name: &str, cx: &mut Cx<'_>) -> [FigureId; 2] {
        let figures = &mut cx.shared.observer.figures;
        ["RCU", "WCU"].map(|what| figures.register(SeriesGroup::Utilisation, format!("{name} {what}"), "ratio"))
    }

    pub(super) fn publish(&mut self, cx: &mut Cx<'_>) {
        let start = SimTime::from_nanos(cx.now().as_nanos() - cloudwatch::PERIOD.as_nanos());
        let period = std::mem::take(&mut self.books.period);
        let mut publish = |metric, value| cx.shared.metrics.publish(metric, start, value);
        for kind in Kind::ALL.map(|kind| kind as usize) {
            let consumed = period.consumed[kind];
            publish(self.published.consumed[kind], consumed);
            // The minute in which the warm-up ended is published whole, and belongs to neither side of it.
            if start >= self.books.counted_from && consumed > self.books.busiest[kind].0 {
                self.books.busiest[kind] = (consumed, start);
            }
            publish(self.published.throttle_events[kind], period.throttle_events[kind] as f64);
            if let Some([provisioned, utilization]) = self.published.scaled[kind] {
                publish(provisioned, self.capacity.units[kind]);
                // Nothing consumed is no datapoint: auto scaling then does nothing (guide, AutoScaling).
                if consumed > 0.0 {
                    // Of what is provisioned now: the next decision starts from there.
                    let share = consumed / cloudwatch::PERIOD.as_secs_f64() / self.capacity.units[kind];
                    publish(utilization, 100.0 * share);
                }
            }
        }
    }

    pub(super) fn warm_up_over(&mut self, now: SimTime) {
        let entitled_before = Kind::ALL.map(|kind| self.capacity.entitled(kind, now));
        let books = &mut self.books;
        books.throttled = Default::default();
        books.accepted = [0; 2];
        (books.splits, books.splits_refused) = (0, 0);
        (books.counted_from, books.entitled_before, books.busiest) = (now, entitled_before, [(0.0, now); 2]);
        self.refused_decreases = 0;
        self.capacity.partitions.warm_up_over();
    }

    pub(super) fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        let seconds = figures.bin().as_secs_f64();
        let bin = std::mem::take(&mut self.books.bin);
        for kind in Kind::ALL.map(|kind| kind as usize) {
            figures.put(self.figures[kind], now, bin[kind] / seconds / self.capacity.units[kind]);
        }
        self.capacity.partitions.end_bin(figures.bin());
    }

    /// Units there can have been since the warm-up, beside what was kept for bursts.
    pub(super) fn entitled(&self, kind: Kind, now: SimTime) -> f64 {
        self.capacity.entitled(kind, now) - self.books.entitled_before[kind as usize]
    }

    pub(super) fn consumed(&self, kind: Kind) -> f64 {
        self.capacity.partitions.all.iter().map(|partition| partition.consumed[kind as usize]).sum()
    }

    /// Capacity as a station whose servers are units: nobody waits for them, what finds none is lost. Its utilisation is above 1
    /// where burst capacity was drawn on.
    fn observe(&self, kind: Kind, now: SimTime) -> StationObservations {
        let Self { name, books, .. } = self;
        let number = kind as usize;
        let seconds = (now - books.counted_from).as_secs_f64();
        let entitled = self.entitled(kind, now);
        let utilisation = self.consumed(kind) / entitled;
        let (busiest, at) = books.busiest[number];
        let busiest = busiest * seconds / entitled / cloudwatch::PERIOD.as_secs_f64();
        // No whole minute was counted, or all alike: some minute is as busy as the whole.
        let (peak, at) = if busiest < utilisation { (utilisation, books.counted_from) } else { (busiest, at) };
        let (accepted, throttled) = (books.accepted[number], books.throttled_of(kind));
        StationObservations {
            name: format!("{name} {}", ["RCU", "WCU"][number]),
            resource: "unit".to_owned(),
            servers: entitled / seconds,
            utilisation,
            utilisation_peak: peak,
            utilisation_peak_at: at,
            mean_in_system: f64::NAN,
            mean_waiting: 0.0,
            max_waiting: 0,
            mean_wait: f64::NAN,
            mean_sojourn: f64::NAN,
            arrivals: accepted + throttled,
            completions: accepted,
            lost: throttled,
        }
    }

    /// `of`: what it is the throughput of, in DynamoDB's reasons.
    pub(super) fn finish(&self, of: &str, now: SimTime, bin: SimDuration, findings: &mut Findings) {
        let Self { name, books, capacity, .. } = self;
        findings.stations.extend(Kind::ALL.map(|kind| self.observe(kind, now)));
        for kind in Kind::ALL {
            let number = kind as usize;
            let came = capacity.kept[number] + capacity.entitled(kind, now);
            let most = came + capacity.owed(kind, now) + books.largest[number];
            let consumed = books.consumed_in_all[number];
            findings.check(
                format!("{name}: {} consumed <= burst + provisioned over time", UNITS[number]),
                consumed <= most * (1.0 + 1e-9),
                format!("{consumed} <= {most}"),
            );
        }
        findings.count(name, "partitions", capacity.partitions.len() as f64);
        for kind in Kind::ALL {
            let number = kind as usize;
            let consumed = self.consumed(kind);
            findings.count(name, &format!("{} consumed", UNITS[number]), consumed);
            if consumed > 0.0 {
                let partitions = capacity.partitions.all.iter();
                let hottest = partitions.map(|it| it.consumed[number]).fold(0.0, f64::max);
                findings.count(name, &format!("hottest partition's share of {}", UNITS[number]), hottest / consumed);
            }
        }
        for limit in [Limit::Provisioned, Limit::Growth, Limit::MaxOnDemand, Limit::Quota, Limit::Partition] {
            for kind in Kind::ALL {
                let throttled = books.throttled[limit as usize][kind as usize];
                if throttled > 0 {
                    findings.count(name, &format!("{of}{}{}", kind.name(), limit.name()), throttled as f64);
                }
            }
        }
        let rare = [
            ("hot partitions split", books.splits),
            ("hot partitions not split", books.splits_refused),
            ("decreases of capacity refused", self.refused_decreases),
        ];
        for (what, count) in rare.into_iter().filter(|(_, count)| *count > 0) {
            findings.count(name, what, count as f64);
        }
        findings.series.extend(heat::map(name, &capacity.partitions, bin));
    }
}

impl Observed for Table {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        self.stores().for_each(|store| store.publish(cx));
        let start = SimTime::from_nanos(cx.now().as_nanos() - cloudwatch::PERIOD.as_nanos());
        self.consumers.iter_mut().for_each(|consumer| consumer.publish(start, cx));
        self.global.iter_mut().for_each(|global| global.publish(start, cx));
        let answers = std::mem::take(&mut self.answers);
        cx.shared.metrics.publish(self.requests.throttled_requests, start, answers.throttled as f64);
        if answers.answered > 0 {
            let mean = answers.latency.as_secs_f64() * 1e3 / answers.answered as f64;
            cx.shared.metrics.publish(self.requests.latency, start, mean);
        }
    }

    fn warm_up_over(&mut self, now: SimTime) {
        self.tally.reset(now);
        self.fates.fill([0; 3]);
        (self.unprocessed, self.expired_counted) = (0, 0);
        self.store.warm_up_over(now);
        self.indexes.iter_mut().for_each(|index| index.warm_up_over(now));
        self.consumers.iter_mut().for_each(Consumer::warm_up_over);
        self.global.iter_mut().for_each(Global::warm_up_over);
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        self.bin = figures.bin();
        self.stores().for_each(|store| store.sample(now, figures));
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        findings.stations.push(self.tally.observe(&self.name, "none", now));
        for check in self.tally.check(now) {
            // Any number of operations are worked on at once: nothing is there to be busy.
            if !check.law.starts_with("utilisation") {
                findings.check(format!("{}: {}", self.name, check.law), check.holds, check.found);
            }
        }
        self.store.finish("Table", now, self.bin, findings);
        self.store.paid_for(self.global.is_some(), now, findings);
        for (Operation { name: operation, .. }, [accepted, throttled, failed]) in
            self.operations.iter().zip(&self.fates)
        {
            findings.count(&self.name, &format!("{operation} accepted"), *accepted as f64);
            findings.count(&self.name, &format!("{operation} throttled"), *throttled as f64);
            if *failed > 0 {
                findings.count(&self.name, &format!("{operation} condition failed"), *failed as f64);
            }
        }
        for index in &self.indexes {
            index.store.finish("Index", now, self.bin, findings);
            index.store.paid_for(false, now, findings);
            index.count(findings);
        }
        self.consumers.iter().for_each(|consumer| consumer.count(findings));
        if let Some(global) = &self.global {
            global.count(&self.name, findings);
            global.paid_for(&self.name, findings);
        }
        if self.expirations_per_second > 0.0 {
            findings.count(&self.name, "items deleted by time to live", self.expired_counted as f64);
        }
        if self.unprocessed > 0 {
            findings.count(&self.name, "unprocessed items of batches", self.unprocessed as f64);
        }
    }
}
