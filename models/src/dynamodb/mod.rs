//! DynamoDB: capacity units, partitions, burst, throttling, key skew.
//!
//! An operation asks for one partition key; `keys` knows which partition that is, `capacity` whether table and partition
//! have the units it costs. It is answered after the table's latency either way: any number are worked on at once.

mod capacity;
mod figures;
mod keys;
#[cfg(test)]
mod tests;
mod usage;

use sim_core::distribution::Distribution;

use crate::ids::*;
use crate::observer::FigureId;
use crate::request::*;
use crate::world::{self, Cx};
use capacity::Capacity;
use figures::{Books, Published};
use keys::Keys;

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

impl Operation {
    /// By [`Kind`].
    fn units(&self) -> [f64; 2] {
        [self.read_units, self.write_units]
    }
}

/// What happens inside a table.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// An operation is done.
    Done(RequestKey),
}

/// [`Request::state`] of an operation under way.
const ACCEPTED: u32 = 1;
const THROTTLED: u32 = 2;

/// A table at work.
#[derive(Debug)]
pub struct Table {
    id: DynamoDbId,
    name: String,
    latency: Distribution,
    size_gb: f64,
    operations: Vec<Operation>,
    /// By operation.
    keys: Vec<Keys>,
    capacity: Capacity,
    books: Books,
    published: Published,
    figures: [FigureId; 2],
}

impl Table {
    /// Builds it. It was idle for long: its burst capacity is whole.
    #[must_use]
    pub fn new(id: DynamoDbId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("dynamodb.{}", settings.name);
        let capacity = Capacity::new(settings);
        let partitions = capacity.partitions();
        // Another replication, another hash function: which hot keys share a partition is luck, and its effect belongs into
        // the confidence interval. Variants of a replication have the same luck.
        let hash = cx.shared.streams.key(&name, "hash of keys");
        let keys = |operation: &Operation| Keys::new(operation.keys, operation.zipf, partitions, hash);
        Self {
            id,
            latency: settings.latency.clone(),
            size_gb: settings.size_gb,
            operations: settings.operations.clone(),
            keys: settings.operations.iter().map(keys).collect(),
            capacity,
            books: Books::new(settings, partitions),
            published: Published::new(&name, cx),
            figures: Self::register_figures(&name, cx),
            name,
        }
    }

    /// An operation arrives.
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let number = request.operation;
        let units = self.operations[number as usize].units();
        let partition = self.keys[number as usize].partition(&mut request.draws(purpose::ITEM));
        let hit = self.capacity.take(now, partition, units);
        self.books.offer(now, number, units, partition, hit);
        request.joined = now;
        request.state = if hit.is_none() { ACCEPTED } else { THROTTLED };
        let latency = self.latency.sample_duration(&mut request.draws(purpose::SERVICE));
        cx.kernel.schedule_in(latency, world::Event::DynamoDb(self.id, Event::Done(key)));
    }

    /// Handles one of its events.
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        let Event::Done(key) = event;
        let now = cx.now();
        let request = cx.request(key);
        let accepted = request.state == ACCEPTED;
        self.books.answer(now, request.joined, accepted);
        cx.reply(key, if accepted { Outcome::OK } else { Outcome::failed(400, Cause::Throttled) });
    }
}
