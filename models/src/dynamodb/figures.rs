//! What a table tells the observer: CloudWatch metrics, units and throttles in total, how uneven its partitions are, the audit.

use sim_core::observations::{SeriesGroup, StationObservations};
use sim_core::tally::StationTally;
use sim_core::{SimDuration, SimTime};

use super::capacity::{Capacity, Kind, Limit};
use super::{Operation, Settings, Table};
use crate::cloudwatch;
use crate::ids::*;
use crate::observer::{FigureId, Figures, Findings, Observed};
use crate::world::Cx;

/// What is counted.
#[derive(Debug)]
pub(super) struct Books {
    /// Operations that are being answered.
    tally: StationTally,
    /// Accepted and throttled operations since the warm-up, by operation.
    operations: Vec<[u64; 2]>,
    /// Throttled operations since the warm-up, by [`Limit::ALL`].
    throttled: [u64; Limit::ALL.len()],
    /// When the warm-up was over.
    pub(super) counted_from: SimTime,
    /// Units consumed since then, by partition and [`Kind`].
    consumed: Vec<[f64; 2]>,
    /// Units consumed and the most that one operation cost, by [`Kind`], since the start of the run.
    consumed_in_all: [f64; 2],
    largest: [f64; 2],
    /// Units consumed in the busiest minute since the warm-up, and when it began.
    pub(super) busiest: [(f64, SimTime); 2],
    /// Units consumed since the bin of the figures began.
    bin: [f64; 2],
    period: Period,
}

/// What a minute's datapoints are made of.
#[derive(Clone, Copy, Debug, Default)]
struct Period {
    consumed: [f64; 2],
    throttle_events: [u64; 2],
    throttled: u64,
    answered: u64,
    latency: SimDuration,
}

impl Books {
    pub(super) fn new(settings: &Settings, partitions: usize) -> Self {
        Self {
            tally: StationTally::new(0),
            operations: vec![[0; 2]; settings.operations.len()],
            throttled: [0; Limit::ALL.len()],
            counted_from: SimTime::ZERO,
            consumed: vec![[0.0; 2]; partitions],
            consumed_in_all: [0.0; 2],
            largest: [0.0; 2],
            busiest: [(0.0, SimTime::ZERO); 2],
            bin: [0.0; 2],
            period: Period::default(),
        }
    }

    /// An operation came and was accepted, or hit a limit.
    pub(super) fn offer(&mut self, now: SimTime, number: u16, units: [f64; 2], partition: usize, hit: Option<Limit>) {
        self.tally.join_served(now);
        self.operations[number as usize][usize::from(hit.is_some())] += 1;
        match hit {
            None => {
                for kind in Kind::ALL.map(|kind| kind as usize) {
                    self.consumed[partition][kind] += units[kind];
                    self.consumed_in_all[kind] += units[kind];
                    self.largest[kind] = self.largest[kind].max(units[kind]);
                    self.period.consumed[kind] += units[kind];
                    self.bin[kind] += units[kind];
                }
            }
            Some(limit) => {
                let number = Limit::ALL.iter().position(|it| *it == limit).expect("all limits are in the list");
                self.throttled[number] += 1;
                self.period.throttle_events[limit.kind() as usize] += 1;
                self.period.throttled += 1;
            }
        }
    }

    /// It is answered.
    pub(super) fn answer(&mut self, now: SimTime, joined: SimTime, accepted: bool) {
        self.tally.leave(now, joined);
        if accepted {
            self.period.answered += 1;
            self.period.latency += now - joined;
        }
    }
}

/// A table's metrics.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) consumed: [MetricId; 2],
    throttle_events: [MetricId; 2],
    throttled_requests: MetricId,
    latency: MetricId,
}

impl Published {
    pub(super) fn new(name: &str, cx: &mut Cx<'_>) -> Self {
        let mut metric = |metric: &str, unit| cx.shared.metrics.register(format!("AWS/DynamoDB {metric} {name}"), unit);
        Self {
            consumed: ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"].map(|it| metric(it, "count")),
            throttle_events: ["ReadThrottleEvents", "WriteThrottleEvents"].map(|it| metric(it, "count")),
            throttled_requests: metric("ThrottledRequests", "count"),
            latency: metric("SuccessfulRequestLatency", "ms"),
        }
    }
}

impl Observed for Table {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let start = SimTime::from_nanos(cx.now().as_nanos() - cloudwatch::PERIOD.as_nanos());
        let period = std::mem::take(&mut self.books.period);
        let mut publish = |metric, value| cx.shared.metrics.publish(metric, start, value);
        for kind in Kind::ALL.map(|kind| kind as usize) {
            publish(self.published.consumed[kind], period.consumed[kind]);
            // The minute in which the warm-up ended is published whole, and belongs to neither side of it.
            if start >= self.books.counted_from && period.consumed[kind] > self.books.busiest[kind].0 {
                self.books.busiest[kind] = (period.consumed[kind], start);
            }
            publish(self.published.throttle_events[kind], period.throttle_events[kind] as f64);
        }
        publish(self.published.throttled_requests, period.throttled as f64);
        if period.answered > 0 {
            publish(self.published.latency, period.latency.as_secs_f64() * 1e3 / period.answered as f64);
        }
    }

    fn warm_up_over(&mut self, now: SimTime) {
        let books = &mut self.books;
        books.tally.reset(now);
        books.operations.fill([0; 2]);
        books.throttled.fill(0);
        books.consumed.fill([0.0; 2]);
        (books.counted_from, books.busiest) = (now, [(0.0, now); 2]);
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        let seconds = figures.bin().as_secs_f64();
        let bin = std::mem::take(&mut self.books.bin);
        for kind in Kind::ALL.map(|kind| kind as usize) {
            figures.put(self.figures[kind], now, bin[kind] / seconds / self.capacity.provisioned[kind]);
        }
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        let books = &self.books;
        findings.stations.push(books.tally.observe(&self.name, "none", now));
        for check in books.tally.check(now) {
            // Any number of operations are worked on at once: nothing is there to be busy.
            if !check.law.starts_with("utilisation") {
                findings.check(format!("{}: {}", self.name, check.law), check.holds, check.found);
            }
        }
        findings.stations.extend(Kind::ALL.map(|kind| self.observe(kind, now)));
        for kind in Kind::ALL {
            let most = self.capacity.most(kind, now) + books.largest[kind as usize];
            let consumed = books.consumed_in_all[kind as usize];
            findings.check(
                format!("{}: {} consumed <= burst + provisioned over time", self.name, UNITS[kind as usize]),
                consumed <= most * (1.0 + 1e-9),
                format!("{consumed} <= {most}"),
            );
        }
        self.count(findings);
        self.paid_for(now, findings);
    }
}

const UNITS: [&str; 2] = ["read units", "write units"];

impl Table {
    /// The figures over time of the capacity in use: above 1 while burst capacity is drawn on.
    pub(super) fn register_figures(name: &str, cx: &mut Cx<'_>) -> [FigureId; 2] {
        let figures = &mut cx.shared.observer.figures;
        ["RCU", "WCU"].map(|what| figures.register(SeriesGroup::Utilisation, format!("{name} {what}"), "ratio"))
    }

    /// Capacity as a station whose servers are units: nobody waits for them, what finds none is lost. Its utilisation is above 1
    /// where burst capacity was drawn on.
    fn observe(&self, kind: Kind, now: SimTime) -> StationObservations {
        let Self { name, books, capacity, operations, .. } = self;
        let number = kind as usize;
        let provisioned = capacity.provisioned[number];
        let consumed: f64 = books.consumed.iter().map(|units| units[number]).sum();
        let utilisation = consumed / provisioned / (now - books.counted_from).as_secs_f64();
        let (busiest, at) = books.busiest[number];
        let busiest = busiest / provisioned / cloudwatch::PERIOD.as_secs_f64();
        // No whole minute was counted, or all alike: some minute is as busy as the whole.
        let (peak, at) = if busiest < utilisation { (utilisation, books.counted_from) } else { (busiest, at) };
        let of_kind = operations.iter().zip(&books.operations).filter(|(operation, _)| operation.units()[number] > 0.0);
        let (accepted, throttled) =
            of_kind.fold((0, 0), |(a, t), (_, [accepted, throttled])| (a + accepted, t + throttled));
        StationObservations {
            name: format!("{name} {}", ["RCU", "WCU"][number]),
            resource: "unit".to_owned(),
            servers: provisioned,
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

    fn count(&self, findings: &mut Findings) {
        let Self { name, books, capacity, operations, .. } = self;
        findings.count(name, "partitions", capacity.partitions() as f64);
        for kind in Kind::ALL.map(|kind| kind as usize) {
            let consumed: f64 = books.consumed.iter().map(|units| units[kind]).sum();
            findings.count(name, &format!("{} consumed", UNITS[kind]), consumed);
            if consumed > 0.0 {
                let hottest = books.consumed.iter().map(|units| units[kind]).fold(0.0, f64::max);
                findings.count(name, &format!("hottest partition's share of {}", UNITS[kind]), hottest / consumed);
            }
        }
        for (limit, throttled) in Limit::ALL.iter().zip(books.throttled).filter(|(_, throttled)| *throttled > 0) {
            findings.count(name, limit.name(), throttled as f64);
        }
        for (Operation { name: operation, .. }, [accepted, throttled]) in operations.iter().zip(&books.operations) {
            findings.count(name, &format!("{operation} accepted"), *accepted as f64);
            findings.count(name, &format!("{operation} throttled"), *throttled as f64);
        }
    }
}

impl Capacity {
    /// The most that can have been consumed by `now`: what was kept at the start and what came since.
    fn most(&self, kind: Kind, now: SimTime) -> f64 {
        self.provisioned[kind as usize] * (self.seconds_kept + now.as_secs_f64())
    }
}
