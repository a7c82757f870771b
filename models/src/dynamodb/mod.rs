//! DynamoDB: capacity units, partitions, burst, throttling, hot keys.
//!
//! An operation asks for items; `keys` knows which, `partitions` where they are, `capacity` whether table and partition have
//! the units they cost. It is answered after the table's latency either way: any number are worked on at once. Throughput
//! changes by itself (`growth`) and is followed by `store`; hot partitions are split by what `heat` finds. Writes go on to
//! `indexes`, `streams` and, of a `global` table, to other Regions.

mod capacity;
mod figures;
mod global;
mod growth;
mod heat;
mod indexes;
mod keys;
mod partitions;
mod store;
mod streams;
#[cfg(test)]
mod tests;
mod usage;

use sim_core::distribution::Distribution;
use sim_core::observations::{LogKind, Phase};
use sim_core::random::{Draws, Source, Streams};
use sim_core::tally::StationTally;
use sim_core::{SimDuration, SimTime};

use crate::asked;
use crate::ids::*;
use crate::request::*;
use crate::world::{self, Cx};
use capacity::Kind;
pub use capacity::{Billing, Sharing, ThroughputSettings};
pub use figures::utilization_metric;
use figures::{Answers, Requests};
use global::{Global, Write};
pub use global::{GlobalSettings, MOST_REPLICAS, Replicated};
pub use heat::SplitSettings;
use indexes::{Index, Touched};
pub use indexes::{IndexSettings, IndexWrite};
pub use keys::{KeySettings, Keys};
use store::{Store, store_of};
use streams::Consumer;
pub use streams::ConsumerSettings;

/// A table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// The table whose keys it has: itself, or of a replica the one it is a replica of.
    pub keys_of: String,
    /// Its throughput.
    pub throughput: ThroughputSettings,
    /// How long it takes until provisioned throughput has changed.
    pub update_takes: SimDuration,
    /// What callers ask, by [`Request::operation`].
    pub operations: Vec<Operation>,
    /// Time to answer; of each page.
    pub latency: Distribution,
    /// Global secondary indexes.
    pub indexes: Vec<IndexSettings>,
    /// Who reads its stream.
    pub consumers: Vec<ConsumerSettings>,
    /// Items that its time to live deletes each second.
    pub expirations_per_second: f64,
    /// The other replicas, of a global table.
    pub global: Option<GlobalSettings>,
}

/// A kind of operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Such as `GetItem`.
    pub name: String,
    /// Read and write units of each of its parts, or of each full page.
    pub units: [f64; 2],
    /// Parts with keys of their own: items of a batch or transaction.
    pub parts: u16,
    /// All parts or none: a transaction. Otherwise it is accepted if any part is.
    pub atomic: bool,
    /// Pages that are asked for one after the other, and what the last one costs. Pages of a scan lie anywhere.
    pub pages: u16,
    /// See `pages`.
    pub last_page_units: [f64; 2],
    /// Whether each page is on another partition.
    pub scans: bool,
    /// Share of requests whose item is not there, and what these cost.
    pub missing: f64,
    /// See `missing`.
    pub missing_units: [f64; 2],
    /// Share of writes whose condition does not hold: they cost the same.
    pub condition_fails: f64,
    /// Data that each part adds to the table, GB.
    pub grows_gb: f64,
    /// Which keys it asks for; of an index, the index's keys.
    pub keys: KeySettings,
    /// The global secondary index that is asked, if it is one.
    pub index: Option<u8>,
    /// What it does to global secondary indexes.
    pub index_writes: Vec<IndexWrite>,
}

/// What happens inside a table.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A page of an operation is done.
    Done(RequestKey),
    /// A throughput (the table's is 0) looks back at a minute.
    MinuteEnds(u8),
    /// A hot partition of a throughput is split.
    Split {
        /// Of which throughput.
        store: u8,
        /// Its number.
        partition: u32,
    },
    /// A write of another Region arrives.
    Replicated(Replicated),
    /// All writes that a pause of replication held back are applied.
    CaughtUp,
    /// Another second's items are deleted because their time to live is over.
    Expire,
    /// Provisioned throughput has changed.
    Scaled {
        /// Which, as in [`Scalable::Throughput`].
        throughput: u8,
        /// To how many units a second.
        units: u32,
    },
}

/// How a page ended: the low bits of [`Request::state`]; the number of the page is above them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accepted,
    Throttled,
    ConditionFailed,
}

impl Fate {
    const BITS: u32 = 2;

    fn of(state: u32) -> Self {
        [Self::Accepted, Self::Throttled, Self::ConditionFailed][(state & ((1 << Self::BITS) - 1)) as usize]
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Accepted => Outcome::OK,
            Self::Throttled => Outcome::failed(400, Cause::Throttled),
            Self::ConditionFailed => Outcome::failed(400, Cause::ConditionFailed),
        }
    }
}

/// A table at work.
#[derive(Debug)]
pub struct Table {
    id: DynamoDbId,
    name: String,
    latency: Distribution,
    update_takes: SimDuration,
    operations: Vec<Operation>,
    /// By operation.
    keys: Vec<Keys>,
    store: Store,
    indexes: Vec<Index>,
    consumers: Vec<Consumer>,
    global: Option<Global>,
    /// Items deleted by their time to live: a second, what is left of one, in all, since the warm-up.
    expirations_per_second: f64,
    to_expire: f64,
    expired: u64,
    expired_counted: u64,
    /// Operations under way.
    tally: StationTally,
    /// Operations since the warm-up, by operation and [`Fate`].
    fates: Vec<[u64; 3]>,
    /// Items of batches that were throttled while others went through, since the warm-up.
    unprocessed: u64,
    answers: Answers,
    requests: Requests,
    /// Width of the figures' bins.
    bin: SimDuration,
}

/// Which items a table's operations ask for, by operation. Whoever stands in front of a table draws the same items with the
/// draws of the same request for [`purpose::ITEM`].
///
/// Another replication, another hash function: which hot keys share a partition is luck, and its effect belongs into the
/// confidence interval. Variants of a replication have the same luck.
#[must_use]
pub fn keys(settings: &Settings, streams: &Streams) -> Vec<Keys> {
    let hash = hash_of_keys(&settings.keys_of, streams);
    let keys = |operation: &Operation| {
        let hash = operation.index.map_or(hash, |index| indexes::hash_of(hash, index));
        Keys::new(&operation.keys, hash)
    };
    settings.operations.iter().map(keys).collect()
}

fn hash_of_keys(name: &str, streams: &Streams) -> u64 {
    streams.key(&format!("dynamodb.{name}"), "hash of keys")
}

impl Table {
    /// Builds it. It was idle for long: its burst capacity is whole.
    #[must_use]
    pub fn new(id: DynamoDbId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("dynamodb.{}", settings.name);
        let hash = hash_of_keys(&settings.keys_of, &cx.shared.streams);
        let indexes = settings.indexes.iter().zip(0..);
        Self {
            id,
            latency: settings.latency.clone(),
            update_takes: settings.update_takes,
            operations: settings.operations.clone(),
            keys: keys(settings, &cx.shared.streams),
            store: Store::new(id, 0, &name, &settings.throughput, cx),
            indexes: indexes.map(|(index, number)| Index::new(id, number, &name, hash, index, cx)).collect(),
            consumers: settings.consumers.iter().map(|it| Consumer::new(&name, it, cx)).collect(),
            global: settings.global.as_ref().map(|global| Global::new(id, &name, global, cx)),
            expirations_per_second: settings.expirations_per_second,
            to_expire: 0.0,
            expired: 0,
            expired_counted: 0,
            tally: StationTally::new(0),
            fates: vec![[0; 3]; settings.operations.len()],
            unprocessed: 0,
            answers: Answers::default(),
            requests: Requests::new(&name, cx),
            bin: SimDuration::ZERO,
            name,
        }
    }

    /// Its throughputs begin to look back.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        self.stores().for_each(|store| store.start(cx));
        if self.expirations_per_second > 0.0 {
            cx.kernel.schedule_in(A_SECOND, world::Event::DynamoDb(self.id, Event::Expire));
        }
    }

    /// Items are deleted whose time to live is over: that costs no units, but the stream tells of it (guide, howitworks-ttl).
    fn expire(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        cx.kernel.schedule_in(A_SECOND, world::Event::DynamoDb(self.id, Event::Expire));
        self.to_expire += self.expirations_per_second;
        while self.to_expire >= 1.0 {
            self.to_expire -= 1.0;
            self.expired += 1;
            self.expired_counted += 1;
            // Which items they are follows from nothing: they lie anywhere.
            let item = sim_core::math::mix(self.expired, self.id.0.into());
            self.tell_stream(now, item);
            // There it costs a unit (guide, howitworks-ttl).
            self.global.iter_mut().for_each(|global| global.written(now, item, 1.0));
        }
        if let Some(global) = &mut self.global {
            global.send(&mut Draws::new(self.expired, purpose::WAIT), cx);
        }
    }

    /// A write of another Region, if replication is not paused.
    fn replicated(&mut self, write: Replicated, now: SimTime) {
        let global = self.global.as_mut().expect("writes of other Regions come to replicas");
        if let Some(write) = global.arrives(now, write) {
            self.apply(&write, now);
        }
    }

    /// Applies a write of another Region: it waits for units where there are none. How long, in seconds.
    fn apply(&mut self, write: &Write, now: SimTime) -> f64 {
        let waits = self.store.absorb(now, write.item(), write.units());
        self.global.iter_mut().for_each(|global| global.apply(now, write, waits));
        self.tell_stream(now, write.item());
        waits
    }

    /// Replication of a table with its replicas is paused, or goes on: what waited for that is applied as units allow. Every table is
    /// told; those that are no replicas of it have nothing to do with it.
    pub fn pause_replication(&mut self, of: DynamoDbId, begins: bool, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(writes) = self.global.as_mut().and_then(|global| global.pause(of, begins, now)) else { return };
        if writes.is_empty() {
            return;
        }
        let longest = writes.iter().map(|write| self.apply(write, now)).fold(0.0, f64::max);
        let what =
            format!("replication goes on: {} writes that waited are applied within {longest:.1} s", writes.len());
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        cx.phase(&self.name, Phase::Recovery);
        let caught_up = world::Event::DynamoDb(self.id, Event::CaughtUp);
        cx.kernel.schedule_in(SimDuration::from_secs_f64(longest), caught_up);
    }

    /// The stream has a record of an item.
    fn tell_stream(&mut self, now: SimTime, item: u64) {
        if self.consumers.is_empty() {
            return;
        }
        let partitions = &self.store.capacity.partitions;
        let partition = &partitions.all[partitions.find(item)];
        self.consumers.iter_mut().for_each(|consumer| consumer.record(now, partition));
    }

    /// The table's throughput, then those of its indexes.
    fn stores(&mut self) -> impl Iterator<Item = &mut Store> {
        std::iter::once(&mut self.store).chain(self.indexes.iter_mut().map(|index| &mut index.store))
    }

    /// An operation arrives.
    #[inline(never)]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.tally.join_served(now);
        let request = cx.request(key);
        request.joined = now;
        request.state = 0;
        self.ask(key, 0, cx);
    }

    /// Asks for a page of it: what it costs is taken now, and it is answered later.
    fn ask(&mut self, key: RequestKey, page: u32, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = &cx.shared.requests[key];
        let number = usize::from(request.operation);
        let scanned = if self.operations[number].scans { page } else { 0 };
        let draws = asked::draws(&cx.shared.requests, request, purpose::ITEM + PAGE * u64::from(scanned));
        let latency = self.latency.sample_duration(&mut request.draws(purpose::SERVICE + PAGE * u64::from(page)));
        let fate = self.consume(now, number, page, draws);
        if let Some(global) = &mut self.global {
            let mut draws = cx.request(key).draws(purpose::WAIT);
            global.send(&mut draws, cx);
        }
        cx.request(key).state = page << Fate::BITS | fate as u32;
        cx.kernel.schedule_in(latency, world::Event::DynamoDb(self.id, Event::Done(key)));
    }

    /// Takes the units of a page, or of all parts of an operation.
    fn consume(&mut self, now: SimTime, number: usize, page: u32, mut draws: Draws) -> Fate {
        let operation = &self.operations[number];
        let mut units = if page + 1 < u32::from(operation.pages) { operation.units } else { operation.last_page_units };
        if operation.parts > 1 {
            return self.consume_parts(now, number, units, &mut draws);
        }
        let item = if self.by_item(number) { self.keys[number].draw(now, &mut draws) } else { 0 };
        if operation.missing > 0.0 && draws.chance(operation.missing) {
            units = operation.missing_units;
        }
        let fails = operation.condition_fails > 0.0 && draws.chance(operation.condition_fails);
        if fails {
            // It costs as much, and changes nothing.
            return if self.take(now, number, item, units) { Fate::ConditionFailed } else { Fate::Throttled };
        }
        if self.change(now, number, item, units, &mut draws) { Fate::Accepted } else { Fate::Throttled }
    }

    /// Whether it matters which item an operation is for.
    #[inline]
    fn by_item(&self, number: usize) -> bool {
        let store = match self.operations[number].index {
            Some(index) => &self.indexes[usize::from(index)].store,
            None => &self.store,
        };
        store.capacity.by_item() || self.global.is_some()
    }

    /// Takes an item's units of the table, or of the index that is asked; whether they were there.
    #[inline]
    fn take(&mut self, now: SimTime, number: usize, item: u64, units: [f64; 2]) -> bool {
        let store = match self.operations[number].index {
            Some(index) => &mut self.indexes[usize::from(index)].store,
            None => &mut self.store,
        };
        store.take(now, item, units).is_none()
    }

    /// Reads an item, or writes it with all that follows from that; whether there were units for it.
    #[inline]
    fn change(&mut self, now: SimTime, number: usize, item: u64, units: [f64; 2], draws: &mut Draws) -> bool {
        if units[Kind::Write as usize] == 0.0 {
            return self.take(now, number, item, units);
        }
        let touched = self.touched(now, number, draws);
        if self.is_held_back(now, &touched) || !self.take(now, number, item, units) {
            return false;
        }
        self.written(now, number, item, units, &touched);
        true
    }

    /// What a write does to the indexes.
    fn touched(&self, now: SimTime, number: usize, draws: &mut Draws) -> Vec<Touched> {
        let writes = self.operations[number].index_writes.iter();
        let touched = writes.filter_map(|write| {
            let index = usize::from(write.index);
            let is_in = write.share >= 1.0 || draws.chance(write.share);
            is_in.then(|| Touched { index, item: self.indexes[index].keys.draw(now, draws), units: write.units })
        });
        touched.collect()
    }

    /// Whether an index's buffer is full, which then throttles the table.
    fn is_held_back(&mut self, now: SimTime, touched: &[Touched]) -> bool {
        let held = touched.iter().find_map(|it| Some((it.index, self.indexes[it.index].back_pressure(now, it.item)?)));
        if let Some((index, hit)) = held {
            self.indexes[index].store.books.throttle(hit);
        }
        held.is_some()
    }

    /// An item is written: indexes and the stream follow.
    fn written(&mut self, now: SimTime, number: usize, item: u64, units: [f64; 2], touched: &[Touched]) {
        for it in touched {
            self.indexes[it.index].write(now, it.item, it.units);
        }
        self.tell_stream(now, item);
        self.global.iter_mut().for_each(|global| global.written(now, item, units[Kind::Write as usize]));
        let grows = self.operations[number].grows_gb;
        if grows > 0.0 {
            self.store.capacity.grow(now, item, grows);
        }
    }

    /// Of a batch, what finds no units is left unprocessed, and only if nothing does the operation fails; a transaction does
    /// all or nothing.
    fn consume_parts(&mut self, now: SimTime, number: usize, units: [f64; 2], draws: &mut Draws) -> Fate {
        let operation = &self.operations[number];
        let parts = u64::from(operation.parts);
        if operation.atomic {
            return self.transact(now, number, units, draws);
        }
        let mut accepted = 0;
        for _ in 0..parts {
            let item = self.keys[number].draw(now, draws);
            accepted += u64::from(self.change(now, number, item, units, draws));
        }
        if accepted == 0 {
            return Fate::Throttled;
        }
        self.unprocessed += parts - accepted;
        Fate::Accepted
    }

    fn transact(&mut self, now: SimTime, number: usize, units: [f64; 2], draws: &mut Draws) -> Fate {
        let parts = 0..self.operations[number].parts;
        let items: Vec<(u64, Vec<Touched>)> =
            parts.map(|_| (self.keys[number].draw(now, draws), self.touched(now, number, draws))).collect();
        let hit = items.iter().find_map(|(item, _)| Some((*item, self.store.capacity.hit(now, *item, units)?)));
        if let Some((item, hit)) = hit {
            self.store.capacity.asked(now, item, units, Some(hit));
            self.store.books.throttle(hit);
            return Fate::Throttled;
        }
        if items.iter().any(|(_, touched)| self.is_held_back(now, touched)) {
            return Fate::Throttled;
        }
        for (item, touched) in &items {
            self.store.capacity.asked(now, *item, units, None);
            self.store.capacity.owe(now, *item, units);
            self.store.books.consume(units);
            if units[Kind::Write as usize] > 0.0 {
                self.written(now, number, *item, units, touched);
            }
        }
        Fate::Accepted
    }

    /// Handles one of its events.
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Done(key) => self.done(key, cx),
            Event::Replicated(write) => self.replicated(write, cx.now()),
            Event::CaughtUp => cx.settling(&self.name),
            Event::Expire => self.expire(cx),
            Event::MinuteEnds(store) => self.store_mut(store).minute_ends(cx),
            Event::Split { store, partition } => self.store_mut(store).split_due(partition, cx),
            Event::Scaled { throughput, units } => {
                let (store, kind) = store_of(throughput);
                self.store_mut(store as u8).scaled(kind, units, cx);
            }
        }
    }

    fn store_mut(&mut self, number: u8) -> &mut Store {
        self.stores().nth(usize::from(number)).expect("events are for throughputs there are")
    }

    /// Auto scaling wants other units of one of its throughputs.
    pub fn scale(&mut self, throughput: u8, units: u32, cx: &mut Cx<'_>) {
        let (store, kind) = store_of(throughput);
        let takes = self.update_takes;
        self.store_mut(store as u8).scale(kind, units, takes, cx);
    }

    /// A page is done: the next one, or the answer.
    fn done(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let (number, joined) = (usize::from(request.operation), request.joined);
        let (fate, page) = (Fate::of(request.state), request.state >> Fate::BITS);
        if fate == Fate::Accepted && page + 1 < u32::from(self.operations[number].pages) {
            return self.ask(key, page + 1, cx);
        }
        self.tally.leave(now, joined);
        self.fates[number][fate as usize] += 1;
        if fate == Fate::Throttled {
            self.answers.throttled += 1;
        } else {
            self.answers.answered += 1;
            self.answers.latency += now - joined;
        }
        cx.reply(key, fate.outcome());
    }
}

const A_SECOND: SimDuration = SimDuration::from_secs(1);

/// Streams of a page's draws, apart from each other.
const PAGE: u64 = 1 << 32;
