//! Global tables: writes go on to the replicas in other Regions; of two that do not know of each other the last one wins. While
//! replication is paused writes wait where they would be applied.

use std::collections::VecDeque;

use sim_core::distribution::Distribution;
use sim_core::random::Source;
use sim_core::{SimDuration, SimTime};

use super::Event;
use crate::ids::*;
use crate::observer::Findings;
use crate::world::{self, Cx};

/// The other replicas of a table.
#[derive(Clone, Debug)]
pub struct GlobalSettings {
    /// Which tables they are: [`MOST_REPLICAS`] with itself at most.
    pub replicas: Vec<DynamoDbId>,
    /// How long a write takes to get there.
    pub lag: Distribution,
}

/// Replicas of a table, itself among them: more than there are Regions.
pub const MOST_REPLICAS: usize = 64;

/// A write on its way from another Region.
#[derive(Clone, Copy, Debug)]
pub struct Replicated {
    /// The higher half of the item's place.
    place: u32,
    /// Write units it costs in the lower [`UNIT_BITS`], and above them whose it is: the replica's place among all.
    units_and_from: u16,
    /// How long ago it was made, in [`TICK`]s.
    age: u16,
}

/// Enough for an item of 400 KB in a transaction.
const UNIT_BITS: u32 = 10;
/// Ages are kept in these: the longest is ten minutes.
const TICK: SimDuration = SimDuration::from_millis(10);
/// Latest writes of items that are remembered to find conflicts: an item takes the place of another with the same lowest bits.
const REMEMBERED: usize = 1 << 14;

impl Replicated {
    fn new(item: u64, units: f64, from: usize, lag: SimDuration) -> Self {
        let units = (units.ceil() as u16).min((1 << UNIT_BITS) - 1);
        Self {
            place: (item >> 32) as u32,
            units_and_from: units | (from as u16) << UNIT_BITS,
            age: (lag.as_nanos() / TICK.as_nanos()).min(u16::MAX.into()) as u16,
        }
    }

    fn units(self) -> f64 {
        f64::from(self.units_and_from & ((1 << UNIT_BITS) - 1))
    }

    fn from(self) -> usize {
        usize::from(self.units_and_from >> UNIT_BITS)
    }

    /// As it arrives.
    fn arrived(self, now: SimTime) -> Write {
        let age = TICK.times(self.age.into());
        Write {
            place: self.place,
            units: self.units_and_from & ((1 << UNIT_BITS) - 1),
            from: self.from() as u16,
            made: SimTime::from_nanos(now.as_nanos().saturating_sub(age.as_nanos())),
        }
    }
}

/// A write that has come from another Region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    place: u32,
    units: u16,
    /// Whose: the replica's place among all.
    from: u16,
    made: SimTime,
}

impl Write {
    /// The item that was written.
    pub(super) fn item(&self) -> u64 {
        u64::from(self.place) << 32
    }
    pub(super) fn units(&self) -> f64 {
        f64::from(self.units)
    }
}

/// Replication with one of the others.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    /// Pauses of that replica that last.
    pauses: u32,
    /// Since when nothing passes, by its pauses or this one's own.
    stopped: Option<SimTime>,
}

/// What is counted since the warm-up.
#[derive(Clone, Copy, Debug, Default)]
struct Books {
    /// Writes that came from others, the sum of their lags and the longest, in seconds.
    arrived: u64,
    lag_sum: f64,
    lag_most: f64,
    /// Of these, those that lost to a newer one made here.
    lost: u64,
    /// Writes that a pause held back, most of them at once, and those made before it: how many, and how long before the oldest was.
    held: u64,
    held_most: u64,
    unreplicated: u64,
    recovery_point: f64,
}

/// A replica at work.
#[derive(Debug)]
pub(super) struct Global {
    settings: GlobalSettings,
    /// Its own place among all replicas, and all of them.
    own: usize,
    group: Vec<DynamoDbId>,
    /// By place.
    links: Vec<Link>,
    /// Writes that wait until replication goes on, in order of arrival.
    held: VecDeque<Write>,
    /// Writes of the present operation, with their units: to be sent on.
    outgoing: Vec<(u64, f64)>,
    /// Units of the writes sent since the warm-up, once for each replica.
    sent: f64,
    /// The latest writes made here.
    latest: Vec<(u32, SimTime)>,
    books: Books,
    /// Since the last datapoints: writes applied, and the sum of their lags.
    period: (u64, f64),
    latency: MetricId,
    pending: MetricId,
}

impl Global {
    pub(super) fn new(id: DynamoDbId, name: &str, settings: &GlobalSettings, cx: &mut Cx<'_>) -> Self {
        let mut group = settings.replicas.clone();
        group.push(id);
        group.sort_unstable();
        assert!(group.len() <= MOST_REPLICAS, "validated");
        let mut metric = |metric: &str, unit| cx.shared.metrics.register(format!("AWS/DynamoDB {metric} {name}"), unit);
        Self {
            settings: settings.clone(),
            own: group.partition_point(|&other| other < id),
            links: vec![Link::default(); group.len()],
            group,
            held: VecDeque::new(),
            outgoing: Vec::new(),
            sent: 0.0,
            latest: vec![(0, SimTime::ZERO); REMEMBERED],
            books: Books::default(),
            period: (0, 0.0),
            latency: metric("ReplicationLatency", "ms"),
            pending: metric("PendingReplicationCount", "count"),
        }
    }

    /// An item was written here.
    pub(super) fn written(&mut self, now: SimTime, item: u64, units: f64) {
        let place = (item >> 32) as u32;
        self.latest[place as usize % REMEMBERED] = (place, now);
        self.outgoing.push((item, units));
    }

    /// Sends on what was written.
    pub(super) fn send(&mut self, draws: &mut impl Source, cx: &mut Cx<'_>) {
        for (item, units) in self.outgoing.drain(..) {
            for &replica in &self.settings.replicas {
                let lag = self.settings.lag.sample_duration(draws);
                let write = Replicated::new(item, units, self.own, lag);
                self.sent += write.units();
                cx.kernel.schedule_in(lag, world::Event::DynamoDb(replica, Event::Replicated(write)));
            }
        }
    }

    /// A write of another replica comes in, unless replication with that is paused: then it waits.
    pub(super) fn arrives(&mut self, now: SimTime, write: Replicated) -> Option<Write> {
        let stopped = self.links[write.from()].stopped;
        let write = write.arrived(now);
        let Some(stopped) = stopped else { return Some(write) };
        self.held.push_back(write);
        let books = &mut self.books;
        books.held += 1;
        books.held_most = books.held_most.max(self.held.len() as u64);
        if write.made < stopped {
            books.unreplicated += 1;
            books.recovery_point = books.recovery_point.max((stopped - write.made).as_secs_f64());
        }
        None
    }

    /// Replication with a replica, or of this one with all others, is paused from now on, or goes on. Those writes that waited for that.
    pub(super) fn pause(&mut self, of: DynamoDbId, begins: bool, now: SimTime) -> Option<Vec<Write>> {
        let place = self.group.iter().position(|&it| it == of)?;
        let pauses = &mut self.links[place].pauses;
        *pauses = if begins { *pauses + 1 } else { *pauses - 1 };
        let alone = self.links[self.own].pauses > 0;
        for link in &mut self.links {
            let stopped = alone || link.pauses > 0;
            link.stopped = stopped.then(|| link.stopped.unwrap_or(now));
        }
        let waits = |write: &Write| self.links[usize::from(write.from)].stopped.is_some();
        let (held, go_on): (VecDeque<Write>, VecDeque<Write>) =
            std::mem::take(&mut self.held).into_iter().partition(waits);
        self.held = held;
        Some(go_on.into())
    }

    /// A write of another replica is applied, after it had to wait for units here.
    pub(super) fn apply(&mut self, now: SimTime, write: &Write, waits: f64) {
        let lag = (now - write.made).as_secs_f64() + waits;
        self.books.arrived += 1;
        self.books.lag_sum += lag;
        self.books.lag_most = self.books.lag_most.max(lag);
        self.period.0 += 1;
        self.period.1 += lag;
        let (place, last) = self.latest[write.place as usize % REMEMBERED];
        if place == write.place && last > write.made {
            self.books.lost += 1;
        }
    }

    pub(super) fn warm_up_over(&mut self) {
        (self.sent, self.books) = (0.0, Books::default());
    }

    pub(super) fn sent_units(&self) -> f64 {
        self.sent
    }

    /// CloudWatch: the mean lag of the writes that were applied; of a paused replica how long its oldest one waits (assumption).
    pub(super) fn publish(&mut self, start: SimTime, cx: &mut Cx<'_>) {
        let now = cx.now();
        let (applied, lags) = std::mem::take(&mut self.period);
        let oldest = self.held.iter().map(|write| write.made).min();
        let latency = match oldest {
            Some(made) if applied == 0 => Some((now - made).as_secs_f64()),
            _ => (applied > 0).then(|| lags / applied as f64),
        };
        if let Some(seconds) = latency {
            cx.shared.metrics.publish(self.latency, start, seconds * 1e3);
        }
        cx.shared.metrics.publish(self.pending, start, self.held.len() as f64);
    }

    pub(super) fn count(&self, name: &str, findings: &mut Findings) {
        let books = &self.books;
        findings.count(name, "replicated writes", books.arrived as f64);
        if books.arrived > 0 {
            findings.count(name, "mean replication lag s", books.lag_sum / books.arrived as f64);
            findings.count(name, "longest replication lag s", books.lag_most);
        }
        findings.count(name, "replicated writes that lost to a newer one", books.lost as f64);
        if books.held > 0 {
            findings.count(name, "replicated writes held back by a pause", books.held as f64);
            findings.count(name, "most replicated writes held back at once", books.held_most as f64);
            findings.count(name, "writes not replicated when a pause began", books.unreplicated as f64);
            findings.count(name, "recovery point s", books.recovery_point);
        }
    }
}
