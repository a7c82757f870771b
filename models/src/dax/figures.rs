//! What a cluster tells the observer: CloudWatch metrics, hits and misses of both caches, the audit.

use sim_core::SimTime;
use sim_core::observations::SeriesGroup;

use super::Dax;
use crate::cloudwatch;
use crate::ids::*;
use crate::observer::{FigureId, Figures, Findings, Observed};
use crate::world::Cx;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    ItemHits,
    ItemMisses,
    QueryHits,
    QueryMisses,
    Requests,
    Throttled,
    Failed,
    TriedAgain,
    Evicted,
}

impl Count {
    const ALL: [(Self, &str, Option<&str>); 9] = [
        (Self::ItemHits, "item hits", Some("ItemCacheHits")),
        (Self::ItemMisses, "item misses", Some("ItemCacheMisses")),
        (Self::QueryHits, "query hits", Some("QueryCacheHits")),
        (Self::QueryMisses, "query misses", Some("QueryCacheMisses")),
        (Self::Requests, "requests", Some("TotalRequestCount")),
        (Self::Throttled, "throttled by DAX", Some("ThrottledRequestCount")),
        (Self::Failed, "failed", Some("ErrorRequestCount")),
        (Self::TriedAgain, "tried another node", None),
        (Self::Evicted, "evictions", None),
    ];
}

/// What is counted since the warm-up, in the period, and in the bin.
#[derive(Debug, Default)]
pub(super) struct Books {
    total: [u64; Count::ALL.len()],
    period: [u64; Count::ALL.len()],
    bin: [u64; 4],
}

impl Books {
    #[inline]
    pub(super) fn add(&mut self, count: Count, number: u64) {
        self.total[count as usize] += number;
        self.period[count as usize] += number;
        if let Some(bin) = self.bin.get_mut(count as usize) {
            *bin += number;
        }
    }
}

/// Metrics.
#[derive(Debug)]
pub(super) struct Published(Vec<(Count, MetricId)>);

impl Published {
    pub(super) fn new(name: &str, cx: &mut Cx<'_>) -> Self {
        let metrics = &mut cx.shared.metrics;
        let of = |(count, _, metric): (Count, &str, Option<&str>)| {
            metric.map(|metric| (count, metrics.register(format!("AWS/DAX {metric} {name}"), "count")))
        };
        Self(Count::ALL.into_iter().filter_map(of).collect())
    }
}

/// Figures over time.
#[derive(Debug)]
pub(super) struct Shown(FigureId);

impl Shown {
    pub(super) fn new(name: &str, cx: &mut Cx<'_>) -> Self {
        Self(cx.shared.observer.figures.register(SeriesGroup::CacheHits, name, "ratio"))
    }
}

impl Observed for Dax {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let start = SimTime::from_nanos(cx.now().as_nanos() - cloudwatch::PERIOD.as_nanos());
        let period = std::mem::take(&mut self.books.period);
        for (count, metric) in &self.published.0 {
            cx.shared.metrics.publish(*metric, start, period[*count as usize] as f64);
        }
    }

    fn warm_up_over(&mut self, _now: SimTime) {
        self.books.total = [0; Count::ALL.len()];
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        let [items, item_misses, queries, query_misses] = std::mem::take(&mut self.books.bin).map(|n| n as f64);
        let hits = items + queries;
        figures.put(self.shown.0, now, hits / (hits + item_misses + query_misses));
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        let total = |count: Count| self.books.total[count as usize] as f64;
        for (count, name, _) in Count::ALL {
            findings.count(&self.name, name, total(count));
        }
        // Of both caches; the report makes a ratio of them.
        findings.count(&self.name, "hits", total(Count::ItemHits) + total(Count::QueryHits));
        findings.count(&self.name, "misses", total(Count::ItemMisses) + total(Count::QueryMisses));
        findings.count(&self.name, "copies", self.copies.len() as f64);
        let (bytes, room) = (self.copies.bytes(), self.copies.capacity());
        let law = format!("{}: copies fit into a node's memory", self.name);
        findings.check(law, bytes <= room, format!("{bytes} <= {room}"));
    }
}
