//! Global secondary indexes: tables of their own that follow the table's writes.
//!
//! A write reaches an index after it was acknowledged. What the index has no units for waits in a buffer between the two,
//! which is seen as lag; once the buffer is full, writes of the table are throttled (DynamoDB guide, GSI). Local secondary
//! indexes need nothing here: they cost units of the table, and keep collections whole.

use sim_core::SimTime;

use super::capacity::{Hit, Kind, Limit, ThroughputSettings};
use super::keys::{KeySettings, Keys};
use super::store::Store;
use crate::ids::*;
use crate::observer::Findings;
use crate::world::Cx;

/// A global secondary index.
#[derive(Clone, Debug)]
pub struct IndexSettings {
    /// Its name.
    pub name: String,
    /// Its own throughput.
    pub throughput: ThroughputSettings,
    /// The index's partition keys of what is written.
    pub keys: KeySettings,
    /// Seconds of its capacity that may wait to be written before the table is throttled.
    pub buffer_seconds: f64,
    /// Seconds until a write is in the index where nothing waits.
    pub delay_seconds: f64,
}

/// What a write of the table does to an index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexWrite {
    /// Number of the index.
    pub index: u8,
    /// Write units there.
    pub units: f64,
    /// Share of writes whose item is in the index.
    pub share: f64,
}

/// A write on its way to an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touched {
    pub(super) index: usize,
    pub(super) item: u64,
    pub(super) units: f64,
}

/// An index at work.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) store: Store,
    pub(super) keys: Keys,
    buffer_seconds: f64,
    delay_seconds: f64,
    /// Writes since the warm-up, the sum of their lags and the longest, in seconds.
    writes: u64,
    lag_sum: f64,
    lag_most: f64,
}

impl Index {
    pub(super) fn new(table: DynamoDbId, number: u8, of: &str, hash: u64, it: &IndexSettings, cx: &mut Cx<'_>) -> Self {
        Self {
            store: Store::new(table, number + 1, &format!("{of}/{}", it.name), &it.throughput, cx),
            keys: Keys::new(&it.keys, hash_of(hash, number)),
            buffer_seconds: it.buffer_seconds,
            delay_seconds: it.delay_seconds,
            writes: 0,
            lag_sum: 0.0,
            lag_most: 0.0,
        }
    }

    /// Which limit keeps a write away from it, if its buffer is full.
    pub(super) fn back_pressure(&self, now: SimTime, item: u64) -> Option<Hit> {
        let capacity = &self.store.capacity;
        if capacity.backlog(now, item, Kind::Write) < self.buffer_seconds {
            return None;
        }
        let of_table = capacity.owed(Kind::Write, now) / capacity.units[Kind::Write as usize];
        let limit =
            if of_table >= self.buffer_seconds { capacity.limit[Kind::Write as usize] } else { Limit::Partition };
        Some((limit, Kind::Write))
    }

    /// A write is on its way to it.
    pub(super) fn write(&mut self, now: SimTime, item: u64, units: f64) {
        let lag = self.delay_seconds + self.store.absorb(now, item, units);
        self.writes += 1;
        self.lag_sum += lag;
        self.lag_most = self.lag_most.max(lag);
    }

    pub(super) fn warm_up_over(&mut self, now: SimTime) {
        (self.writes, self.lag_sum, self.lag_most) = (0, 0.0, 0.0);
        self.store.warm_up_over(now);
    }

    pub(super) fn count(&self, findings: &mut Findings) {
        if self.writes > 0 {
            findings.count(&self.store.name, "mean lag s", self.lag_sum / self.writes as f64);
            findings.count(&self.store.name, "longest lag s", self.lag_most);
        }
    }
}

/// Keys of an index have places of their own.
pub(super) fn hash_of(hash: u64, number: u8) -> u64 {
    sim_core::math::mix(hash, u64::MAX - u64::from(number))
}
