//! DynamoDB: capacity units, partitions, burst, throttling, key skew.

use sim_core::distribution::Distribution;

use crate::ids::*;
use crate::observer::Observed;
use crate::request::*;
use crate::world::Cx;

/// A table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// `ReadCapacityUnits`; for on-demand tables the warm throughput (12,000).
    pub read_capacity_units: f64,
    /// `WriteCapacityUnits`; for on-demand tables the warm throughput (4,000).
    pub write_capacity_units: f64,
    /// Size of the table in GB; with the units it gives the number of partitions.
    pub size_gb: f64,
    /// Whether a hot partition may use the whole table's throughput (since 2019), or only its even share.
    pub adaptive_capacity: bool,
    /// Seconds of unused capacity that are kept (300).
    pub burst_seconds: f64,
    /// What callers ask, by [`Request::operation`].
    pub operations: Vec<Operation>,
    /// Time to answer.
    pub latency: Distribution,
}

/// A kind of operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Such as `GetItem`.
    pub name: String,
    /// Read units it consumes.
    pub read_units: f64,
    /// Write units it consumes.
    pub write_units: f64,
    /// How many distinct partition keys.
    pub keys: u64,
    /// Exponent of their popularity (Zipf); 0 = all alike.
    pub zipf: f64,
}

/// What happens inside a table.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// An operation is done.
    Done(RequestKey),
}

/// A table.
#[derive(Debug)]
pub struct Table {}

impl Table {
    /// Builds it.
    #[must_use]
    pub fn new(_id: DynamoDbId, _settings: &Settings, _cx: &mut Cx<'_>) -> Self {
        Self {}
    }
    /// An operation arrives.
    pub fn on_offer(&mut self, _key: RequestKey, _cx: &mut Cx<'_>) {}
    /// Handles one of its events.
    pub fn on(&mut self, _event: Event, _cx: &mut Cx<'_>) {}
}

impl Observed for Table {}
