//! What a cache tells the observer: CloudWatch metrics, hits and misses, evictions, how busy its engines are, the audit.

use sim_core::SimTime;
use sim_core::observations::SeriesGroup;

use super::Cache;
use super::node::Node;
use crate::cloudwatch::{self, Kind};
use crate::ids::*;
use crate::observer::{FigureId, Figures, Findings, Observed};
use crate::world::Cx;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Hits,
    Misses,
    Sets,
    Deletes,
    Full,
    Stale,
    Fetches,
    Collapsed,
    FellThrough,
    TimedOut,
    Refused,
    Failed,
    LostWrites,
    Failovers,
    Evicted,
    Expired,
    Redirected,
    SlotsMoved,
    ItemsMoved,
    Opened,
}

impl Count {
    const ALL: usize = Self::Opened as usize + 1;
}

/// Names of totals in reports; those of the second list only where there are any.
const ALWAYS: [(Count, &str); 6] = [
    (Count::Hits, "hits"),
    (Count::Misses, "misses"),
    (Count::Sets, "sets"),
    (Count::Evicted, "evictions"),
    (Count::Expired, "expired"),
    (Count::Fetches, "asked of the store"),
];
const IF_ANY: [(Count, &str); 13] = [
    (Count::Deletes, "deletes"),
    (Count::Full, "writes refused for want of memory"),
    (Count::Stale, "reads that missed a write"),
    (Count::Collapsed, "waited for another's fetch"),
    (Count::FellThrough, "asked of the store because the cache failed"),
    (Count::TimedOut, "commands timed out"),
    (Count::Refused, "commands refused"),
    (Count::Failed, "calls failed"),
    (Count::LostWrites, "writes lost by failover"),
    (Count::Failovers, "failovers"),
    (Count::Redirected, "commands sent on to another shard"),
    (Count::SlotsMoved, "slots moved"),
    (Count::ItemsMoved, "items moved"),
];

/// What is counted since the warm-up, in the period, and in the bin.
#[derive(Debug, Default)]
pub(super) struct Books {
    total: [u64; Count::ALL],
    period: [u64; Count::ALL],
    bin: [u64; 2],
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

    pub(super) fn total(&self, count: Count) -> u64 {
        self.total[count as usize]
    }
}

/// Metrics of the group, and each node's own.
#[derive(Debug)]
pub(super) struct Published {
    totals: [(Count, MetricId); 7],
    hit_rate: MetricId,
    items: MetricId,
    bytes: MetricId,
    memory: MetricId,
    connections: MetricId,
    busiest: MetricId,
    engines: Vec<MetricId>,
}

impl Published {
    pub(super) fn new(name: &str, nodes: &[Node], cx: &mut Cx<'_>) -> Self {
        let metrics = &mut cx.shared.metrics;
        let mut total = |metric: &str| metrics.register(format!("AWS/ElastiCache {metric} {name}"), "count");
        let totals = [
            (Count::Hits, total("CacheHits")),
            (Count::Misses, total("CacheMisses")),
            (Count::Sets, total("SetTypeCmds")),
            (Count::Evicted, total("Evictions")),
            (Count::Expired, total("Reclaimed")),
            (Count::Opened, total("NewConnections")),
            (Count::Failovers, total("IsMasterChanges")),
        ];
        let mut level = |metric: &str, of: &str, unit| {
            let full = format!("AWS/ElastiCache {metric} {of}");
            metrics.register_as(full, unit, Kind::Level, cloudwatch::PERIOD)
        };
        Self {
            totals,
            hit_rate: level("CacheHitRate", name, "%"),
            items: level("CurrItems", name, "count"),
            bytes: level("BytesUsedForCache", name, "B"),
            memory: level("DatabaseMemoryUsagePercentage", name, "%"),
            connections: level("CurrConnections", name, "count"),
            busiest: level("EngineCPUUtilization", name, "%"),
            engines: nodes.iter().map(|node| level("EngineCPUUtilization", &node.name, "%")).collect(),
        }
    }
}

/// Figures over time.
#[derive(Debug)]
pub(super) struct Shown {
    hits: FigureId,
    busiest: FigureId,
}

impl Shown {
    pub(super) fn new(name: &str, cx: &mut Cx<'_>) -> Self {
        let figures = &mut cx.shared.observer.figures;
        Self {
            hits: figures.register(SeriesGroup::CacheHits, name, "ratio"),
            busiest: figures.register(SeriesGroup::Utilisation, format!("{name} busiest engine"), "ratio"),
        }
    }
}

impl Cache {
    /// What the shards and clients have counted by themselves.
    fn collect(&mut self) {
        let (mut evicted, mut expired) = (0, 0);
        for shard in &mut self.shards {
            evicted += std::mem::take(&mut shard.data.evicted);
            expired += std::mem::take(&mut shard.data.expired);
        }
        self.books.add(Count::Evicted, evicted);
        self.books.add(Count::Expired, expired);
        let opened = std::mem::take(&mut self.clients.opened);
        self.books.add(Count::Opened, opened);
    }

    fn items(&self) -> usize {
        self.shards.iter().map(|shard| shard.data.items()).sum()
    }

    /// Bytes in use and there to be used.
    fn memory(&self) -> (u64, u64) {
        let of = |sum: (u64, u64), shard: &super::Shard| (sum.0 + shard.data.bytes(), sum.1 + shard.data.room());
        self.shards.iter().filter(|shard| shard.there).fold((0, 0), of)
    }
}

impl Observed for Cache {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.collect();
        let start = SimTime::from_nanos(now.as_nanos() - cloudwatch::PERIOD.as_nanos());
        let period = std::mem::take(&mut self.books.period);
        let (bytes, room) = self.memory();
        let connections: u32 = self.nodes.iter().map(|node| node.connections).sum();
        let items = self.items();
        let Self { published, nodes, .. } = self;
        let mut publish = |metric, value| cx.shared.metrics.publish(metric, start, value);
        for (count, metric) in published.totals {
            publish(metric, period[count as usize] as f64);
        }
        let [hits, misses] = [Count::Hits, Count::Misses].map(|count| period[count as usize] as f64);
        if hits + misses > 0.0 {
            publish(published.hit_rate, 100.0 * hits / (hits + misses));
        }
        publish(published.items, items as f64);
        publish(published.bytes, bytes as f64);
        publish(published.memory, 100.0 * bytes as f64 / room as f64);
        publish(published.connections, f64::from(connections));
        let mut busiest = 0.0f64;
        for (node, metric) in nodes.iter_mut().zip(&published.engines).filter(|(node, _)| node.there) {
            let busy = 100.0 * node.engine.over_period(now);
            busiest = busiest.max(busy);
            publish(*metric, busy);
        }
        publish(published.busiest, busiest);
    }

    fn warm_up_over(&mut self, now: SimTime) {
        self.collect();
        self.books.total = [0; Count::ALL];
        self.crossed = 0;
        self.nodes.iter_mut().for_each(|node| node.engine.warm_up_over(now));
        self.hours.restart(now);
        self.clients.refused = 0;
        self.clients.most_at_once = self.nodes.iter().map(|node| node.connections).max().unwrap_or_default();
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        let bin = figures.bin();
        let [hits, misses] = std::mem::take(&mut self.books.bin).map(|count| count as f64);
        figures.put(self.shown.hits, now, hits / (hits + misses));
        let busiest = self.nodes.iter_mut().map(|node| node.engine.over_bin(now, bin)).fold(0.0, f64::max);
        figures.put(self.shown.busiest, now, busiest);
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        self.collect();
        self.hours.paid_for(&self.name, self.settings.engine, now, findings);
        let name = &self.name;
        let seen = self.nodes.iter().filter(|node| node.has_been());
        findings.stations.extend(seen.map(|node| node.engine.observe(&node.name, now)));
        for (count, title) in ALWAYS {
            findings.count(name, title, self.books.total(count) as f64);
        }
        for (count, title) in IF_ANY.into_iter().filter(|(count, _)| self.books.total(*count) > 0) {
            findings.count(name, title, self.books.total(count) as f64);
        }
        self.paid_for(findings);
        findings.count(name, "items", self.items() as f64);
        let (bytes, room) = self.memory();
        findings.count(name, "memory in use", bytes as f64 / room as f64);
        findings.count(name, "connections opened", self.books.total(Count::Opened) as f64);
        findings.count(name, "connections refused", self.clients.refused as f64);
        findings.count(name, "most connections of a node", f64::from(self.clients.most_at_once));
        for (number, shard) in self.shards.iter().enumerate() {
            let (bytes, room) = (shard.data.bytes(), shard.data.room());
            let law = format!("{name}: items of node group {:04} fit into its memory", number + 1);
            findings.check(law, bytes <= room, format!("{bytes} <= {room}"));
        }
        let links = self.nodes.iter().map(|node| node.connections).max().unwrap_or_default();
        let law = format!("{name}: no node has more connections than it takes");
        findings.check(law, links <= self.settings.max_connections, format!("{links} connections"));
    }
}
