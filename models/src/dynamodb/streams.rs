//! DynamoDB Streams: a shard for each partition, and consumers that lag behind.
//!
//! A consumer takes batches off each shard, so many at once, four times a second at most. It is reckoned as a server of
//! constant speed for each shard: exact as long as batches fill up where there is a backlog, and without events of its own.

use sim_core::{SimDuration, SimTime};

use super::partitions::Partition;
use crate::ids::*;
use crate::observer::Findings;
use crate::world::Cx;

/// A consumer of a table's stream.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Its name.
    pub name: String,
    /// Records of a batch.
    pub batch_size: u32,
    /// Batches of a shard that are worked on at once.
    pub parallelization_factor: u32,
    /// Seconds that a batch takes whatever is in it, and for each record.
    pub batch_seconds: f64,
    /// See `batch_seconds`.
    pub record_seconds: f64,
    /// Share of batches that fail; they are tried again until they succeed.
    pub error_rate: f64,
}

impl ConsumerSettings {
    /// Records a second that it gets through on one shard.
    #[must_use]
    pub fn speed(&self) -> f64 {
        let batch = f64::from(self.batch_size);
        let takes = (self.batch_seconds + batch * self.record_seconds) / (1.0 - self.error_rate);
        f64::from(self.parallelization_factor) * batch / takes.max(1e-9)
    }
}

/// Lambda polls each shard four times a second (Lambda guide, with-ddb).
const POLL: SimDuration = SimDuration::from_millis(250);
/// How long records are kept (DynamoDB guide, Streams).
const RETENTION: SimDuration = SimDuration::from_secs(24 * 3600);

/// A consumer at work.
#[derive(Debug)]
pub(super) struct Consumer {
    name: String,
    /// Time for a record where many wait, and for one that is alone.
    each: SimDuration,
    alone: SimDuration,
    /// By number of the partition: when it will be through with what is there.
    free_at: Vec<SimTime>,
    iterator_age: MetricId,
    /// The oldest record's age in this minute.
    period: Option<SimDuration>,
    /// Since the warm-up: records, those that were lost, the sum of ages and the longest, in seconds.
    records: u64,
    expired: u64,
    age_sum: f64,
    age_most: f64,
}

impl Consumer {
    pub(super) fn new(table: &str, settings: &ConsumerSettings, cx: &mut Cx<'_>) -> Self {
        let name = format!("{table}/{}", settings.name);
        let seconds = |seconds: f64| SimDuration::from_nanos((seconds * 1e9) as u64);
        Self {
            each: seconds(1.0 / settings.speed()),
            alone: seconds((settings.batch_seconds + settings.record_seconds) / (1.0 - settings.error_rate)),
            free_at: Vec::new(),
            iterator_age: cx.shared.metrics.register(format!("AWS/Lambda IteratorAge {name}"), "ms"),
            period: None,
            records: 0,
            expired: 0,
            age_sum: 0.0,
            age_most: 0.0,
            name,
        }
    }

    /// A record comes onto a partition's shard.
    pub(super) fn record(&mut self, now: SimTime, partition: &Partition) {
        let shard = partition.id as usize;
        if shard >= self.free_at.len() {
            // A shard that was split off goes on where the one before it ends.
            let before = self.free_at.get(partition.parent as usize).copied().unwrap_or(now);
            self.free_at.resize(shard, now);
            self.free_at.push(before);
        }
        self.records += 1;
        let polled = SimTime::from_nanos(now.as_nanos().div_ceil(POLL.as_nanos()) * POLL.as_nanos());
        let free_at = &mut self.free_at[shard];
        let begins = polled.max(*free_at);
        if begins - now > RETENTION {
            self.expired += 1;
            return;
        }
        *free_at = now.max(*free_at) + self.each;
        let age = begins + self.alone - now;
        self.period = self.period.max(Some(age));
        self.age_sum += age.as_secs_f64();
        self.age_most = self.age_most.max(age.as_secs_f64());
    }

    pub(super) fn publish(&mut self, start: SimTime, cx: &mut Cx<'_>) {
        if let Some(age) = self.period.take() {
            cx.shared.metrics.publish(self.iterator_age, start, age.as_secs_f64() * 1e3);
        }
    }

    pub(super) fn warm_up_over(&mut self) {
        (self.records, self.expired, self.age_sum, self.age_most) = (0, 0, 0.0, 0.0);
    }

    pub(super) fn count(&self, findings: &mut Findings) {
        findings.count(&self.name, "records", self.records as f64);
        let read = self.records - self.expired;
        if read > 0 {
            findings.count(&self.name, "mean lag s", self.age_sum / read as f64);
            findings.count(&self.name, "longest lag s", self.age_most);
        }
        if self.expired > 0 {
            findings.count(&self.name, "records lost after 24 h", self.expired as f64);
        }
    }
}
