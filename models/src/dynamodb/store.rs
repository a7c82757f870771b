//! A throughput with its partitions and its books: a table's own, or that of a global secondary index.

use sim_core::observations::LogKind;
use sim_core::{SimDuration, SimTime};

use super::Event;
use super::capacity::{Capacity, Hit, Kind, ThroughputSettings};
use super::figures::{Books, Published};
use super::growth::{Decreases, Growth};
use super::heat::Cut;
use crate::ids::*;
use crate::observer::FigureId;
use crate::world::{self, Control, Cx};

/// How often throughput looks back.
pub(super) const MINUTE: SimDuration = SimDuration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    table: DynamoDbId,
    /// The table's own is 0, indexes follow.
    number: u8,
    /// Such as `dynamodb.cart` or `dynamodb.cart/by_date`.
    pub(super) name: String,
    pub(super) capacity: Capacity,
    growth: [Option<Growth>; 2],
    decreases: Decreases,
    /// Decreases that were not allowed.
    pub(super) refused_decreases: u64,
    pub(super) books: Books,
    pub(super) published: Published,
    pub(super) figures: [FigureId; 2],
}

impl Store {
    pub(super) fn new(
        table: DynamoDbId,
        number: u8,
        name: &str,
        settings: &ThroughputSettings,
        cx: &mut Cx<'_>,
    ) -> Self {
        let mut capacity = Capacity::new(settings);
        let growth = [0, 1].map(|kind| Growth::new(settings, kind));
        for (kind, growth) in Kind::ALL.into_iter().zip(&growth) {
            if let Some(growth) = growth {
                let (units, limit) = growth.allowed();
                capacity.set(SimTime::ZERO, kind, units, limit);
            }
        }
        Self {
            table,
            number,
            name: name.to_owned(),
            capacity,
            growth,
            decreases: Decreases::default(),
            refused_decreases: 0,
            books: Books::default(),
            published: Published::new(name, settings.scaled, cx),
            figures: Self::register_figures(name, cx),
        }
    }

    /// Whether it is paid for by request.
    pub(super) fn is_on_demand(&self) -> bool {
        self.growth[0].is_some()
    }

    /// Whether something has to be looked at each minute.
    fn looks_back(&self) -> bool {
        self.capacity.watches_heat() || self.growth.iter().any(Option::is_some)
    }

    pub(super) fn start(&self, cx: &mut Cx<'_>) {
        if self.looks_back() {
            cx.kernel.schedule_in(MINUTE, self.event(Event::MinuteEnds(self.number)));
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::DynamoDb(self.table, event)
    }

    /// Takes what an item costs, all of it or nothing.
    #[inline]
    pub(super) fn take(&mut self, now: SimTime, item: u64, units: [f64; 2]) -> Option<Hit> {
        let hit = self.capacity.take(now, item, units);
        match hit {
            None => self.books.consume(units),
            Some(hit) => self.books.throttle(hit),
        }
        hit
    }

    /// Takes it whether it is there or not: what is owed has to be waited for. Returns for how long, in seconds.
    pub(super) fn absorb(&mut self, now: SimTime, item: u64, write_units: f64) -> f64 {
        let units = [0.0, write_units];
        self.capacity.asked(now, item, units, None);
        self.capacity.owe(now, item, units);
        self.books.consume(units);
        self.capacity.backlog(now, item, Kind::Write)
    }

    /// A minute ends: on-demand throughput follows its peaks, hot partitions are found.
    pub(super) fn minute_ends(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        cx.kernel.schedule_in(MINUTE, self.event(Event::MinuteEnds(self.number)));
        let consumed = std::mem::take(&mut self.books.minute);
        for kind in Kind::ALL {
            if let Some(growth) = &mut self.growth[kind as usize] {
                growth.minute_ends(consumed[kind as usize] / MINUTE.as_secs_f64());
                let (units, limit) = growth.allowed();
                if units != self.capacity.units[kind as usize] {
                    self.change(kind, units, limit, "twice the previous peak", cx);
                }
            }
        }
        if self.capacity.watches_heat() {
            let takes = self.capacity.splits().takes;
            for partition in self.capacity.minute_ends() {
                let event = Event::Split { store: self.number, partition };
                cx.kernel.schedule_at(now + takes, self.event(event));
            }
        }
    }

    /// The split of a hot partition is due.
    pub(super) fn split_due(&mut self, partition: u32, cx: &mut Cx<'_>) {
        let Some((cut, more)) = self.capacity.split_due(partition, cx.now()) else { return };
        let all = self.capacity.partitions.len();
        let what = match cut {
            Cut::Refused(share) => {
                self.books.splits_refused += 1;
                format!("hot partition not split: one key has {:.0} % of its requests", 100.0 * share)
            }
            Cut::Isolate(_) if more > 0 => {
                self.books.splits += 1;
                format!("hot item isolated: {all} partitions")
            }
            Cut::At(_) if more > 0 => {
                self.books.splits += 1;
                format!("hot partition split: {all} partitions")
            }
            Cut::At(_) | Cut::Isolate(_) => {
                self.books.splits_refused += 1;
                "hot partition not split: its hot item is alone on it already".to_owned()
            }
        };
        cx.shared.observer.log(cx.kernel.now(), LogKind::Scaling, &self.name, what);
    }

    fn change(&mut self, kind: Kind, units: f64, limit: super::capacity::Limit, why: &str, cx: &mut Cx<'_>) {
        let now = cx.now();
        let before = self.capacity.units[kind as usize];
        let more = self.capacity.set(now, kind, units, limit);
        let unit = ["RCU", "WCU"][kind as usize];
        let mut what = format!("{before:.0} -> {units:.0} {unit}: {why}");
        if more > 0 {
            what += &format!("; {} partitions", self.capacity.partitions.len());
        }
        cx.shared.observer.log(now, LogKind::Scaling, &self.name, what);
    }

    /// Auto scaling wants other units; the table has them after a while. Decreases may be refused.
    pub(super) fn scale(&mut self, kind: Kind, units: u32, takes: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        let current = self.capacity.units[kind as usize];
        if f64::from(units) < current && !self.decreases.take(now) {
            self.refused_decreases += 1;
            let what = format!("decrease to {units} refused: four a day, beyond them one an hour");
            cx.shared.observer.log(now, LogKind::Scaling, &self.name, what);
            let number = scalable(self.number, kind);
            return cx.control(Control::DesiredCount(Scalable::Throughput(self.table, number), current as u32));
        }
        let event = Event::Scaled { throughput: scalable(self.number, kind), units };
        cx.kernel.schedule_in(takes, self.event(event));
    }

    /// UpdateTable is through.
    pub(super) fn scaled(&mut self, kind: Kind, units: u32, cx: &mut Cx<'_>) {
        let limit = self.capacity.limit[kind as usize];
        self.change(kind, f64::from(units), limit, "auto scaling", cx);
    }
}

/// The number of a throughput of one kind in [`Scalable::Throughput`].
fn scalable(store: u8, kind: Kind) -> u8 {
    2 * store + kind as u8
}

/// Store and kind by that number.
pub(super) fn store_of(number: u8) -> (usize, Kind) {
    (usize::from(number / 2), Kind::ALL[usize::from(number % 2)])
}
