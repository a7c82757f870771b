//! Global tables: writes go on to the replicas in other Regions; of two that do not know of each other the last one wins.

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
    /// Which tables they are.
    pub replicas: Vec<DynamoDbId>,
    /// How long a write takes to get there.
    pub lag: Distribution,
}

/// A write on its way from another Region.
#[derive(Clone, Copy, Debug)]
pub struct Replicated {
    /// The higher half of the item's place.
    place: u32,
    /// Write units it costs.
    units: u16,
    /// How long ago it was made, in [`TICK`]s.
    age: u16,
}

/// Ages are kept in these: the longest is ten minutes.
const TICK: SimDuration = SimDuration::from_millis(10);
/// Latest writes of items that are remembered to find conflicts: an item takes the place of another with the same lowest bits.
const REMEMBERED: usize = 1 << 14;

impl Replicated {
    /// The item that was written.
    pub(super) fn item(self) -> u64 {
        u64::from(self.place) << 32
    }
    pub(super) fn units(self) -> f64 {
        f64::from(self.units)
    }
    fn age(self) -> SimDuration {
        TICK.times(self.age.into())
    }
}

/// A replica at work.
#[derive(Debug)]
pub(super) struct Global {
    settings: GlobalSettings,
    /// Writes of the present operation, with their units: to be sent on.
    outgoing: Vec<(u64, f64)>,
    /// Units of the writes sent since the warm-up, once for each replica.
    sent: f64,
    /// The latest writes made here.
    latest: Vec<(u32, SimTime)>,
    /// Writes that came from others since the warm-up, the sum of their lags and the longest, in seconds.
    arrived: u64,
    lag_sum: f64,
    lag_most: f64,
    /// Of these, those that lost to a newer one made here.
    lost: u64,
}

impl Global {
    pub(super) fn new(settings: &GlobalSettings) -> Self {
        Self {
            settings: settings.clone(),
            outgoing: Vec::new(),
            sent: 0.0,
            latest: vec![(0, SimTime::ZERO); REMEMBERED],
            arrived: 0,
            lag_sum: 0.0,
            lag_most: 0.0,
            lost: 0,
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
                let age = (lag.as_nanos() / TICK.as_nanos()).min(u16::MAX.into()) as u16;
                let write = Replicated { place: (item >> 32) as u32, units: units.ceil() as u16, age };
                self.sent += write.units();
                cx.kernel.schedule_in(lag, world::Event::DynamoDb(replica, Event::Replicated(write)));
            }
        }
    }

    /// A write of another replica is applied, after it had to wait for units here.
    pub(super) fn arrive(&mut self, now: SimTime, write: Replicated, waits: f64) {
        let lag = write.age().as_secs_f64() + waits;
        self.arrived += 1;
        self.lag_sum += lag;
        self.lag_most = self.lag_most.max(lag);
        let (place, last) = self.latest[write.place as usize % REMEMBERED];
        let made = SimTime::from_nanos(now.as_nanos().saturating_sub(write.age().as_nanos()));
        if place == write.place && last > made {
            self.lost += 1;
        }
    }

    pub(super) fn warm_up_over(&mut self) {
        (self.sent, self.arrived, self.lag_sum, self.lag_most, self.lost) = (0.0, 0, 0.0, 0.0, 0);
    }

    pub(super) fn sent_units(&self) -> f64 {
        self.sent
    }

    pub(super) fn count(&self, name: &str, findings: &mut Findings) {
        findings.count(name, "replicated writes", self.arrived as f64);
        if self.arrived > 0 {
            findings.count(name, "mean replication lag s", self.lag_sum / self.arrived as f64);
            findings.count(name, "longest replication lag s", self.lag_most);
        }
        findings.count(name, "replicated writes that lost to a newer one", self.lost as f64);
    }
}
