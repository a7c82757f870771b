//! The partitions of a table or index: ranges of hashed keys, each with hard limits of its own; and how they are split.

use sim_core::station::TokenBucket;
use sim_core::{SimDuration, SimTime};

use super::capacity::Kind;
use super::heat::{Cut, Sample};

/// Read units a second a partition has at most (DynamoDB guide, bp-partition-key-design).
pub(super) const PARTITION_READ_UNITS: f64 = 3000.0;
/// Write units a second a partition has at most (same).
pub(super) const PARTITION_WRITE_UNITS: f64 = 1000.0;
/// The two of them by [`Kind`].
pub(super) const PARTITION_UNITS: [f64; 2] = [PARTITION_READ_UNITS, PARTITION_WRITE_UNITS];
/// Size at which a partition is split, GB (same, about).
pub(super) const PARTITION_GB: f64 = 10.0;

/// Units at hand, by [`Kind`].
pub(super) type Buckets = [TokenBucket; 2];

/// Partitions for a throughput alone. The formula stood in the guide until 2018 (GuidelinesForTables) and is the best estimate there is.
fn for_throughput(units: [f64; 2]) -> usize {
    (units[0] / PARTITION_READ_UNITS + units[1] / PARTITION_WRITE_UNITS).ceil().max(1.0) as usize
}

/// Number of partitions of a new table: enough for its throughput and for its size.
pub(super) fn partitions(units: [f64; 2], size_gb: f64) -> usize {
    for_throughput(units).max((size_gb / PARTITION_GB).ceil() as usize)
}

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    /// Its number, for good, and that of the one it was split from.
    pub(super) id: u32,
    pub(super) parent: u32,
    /// The most it does in a second.
    pub(super) limits: Buckets,
    /// Its share of the table's throughput and burst, where that is divided.
    pub(super) share: Option<Box<Buckets>>,
    /// Which part of the table's throughput that is.
    pub(super) fraction: f64,
    /// From when on it may take more than its share, where a hot one has to wait for that.
    pub(super) boosted_from: Option<SimTime>,
    /// Data on it, GB.
    pub(super) gb: f64,
    /// Units consumed since the warm-up, by [`Kind`].
    pub(super) consumed: [f64; 2],
    /// Units consumed since the bin of the figures began.
    pub(super) bin: [f64; 2],
    /// Units asked for in this minute, accepted or not.
    pub(super) asked: [f64; 2],
    /// Units consumed a second in each bin, and in which bin it came to be.
    pub(super) course: Vec<[f32; 2]>,
    pub(super) born: usize,
    /// Whole minutes for which it has been hot, and what was asked for meanwhile.
    pub(super) hot_minutes: u32,
    pub(super) sample: Option<Box<Sample>>,
    /// A split of it is under way.
    pub(super) splitting: bool,
}

impl Partition {
    fn new(id: u32, now: SimTime, fraction: f64, gb: f64) -> Self {
        // Limits are per second: one second's units can be used at once.
        let limits = PARTITION_UNITS.map(|rate| {
            let mut bucket = TokenBucket::new(rate, rate);
            bucket.give(now, 0.0);
            bucket
        });
        Self {
            id,
            parent: id,
            limits,
            share: None,
            fraction,
            boosted_from: None,
            gb,
            consumed: [0.0; 2],
            bin: [0.0; 2],
            asked: [0.0; 2],
            course: Vec::new(),
            born: 0,
            hot_minutes: 0,
            sample: None,
            splitting: false,
        }
    }

    /// Whether the even share holds for it at an instant.
    #[inline]
    pub(super) fn is_boosted(&self, now: SimTime) -> bool {
        self.boosted_from.is_some_and(|from| from <= now)
    }

    /// What was asked of it in the minute that ends, as a share of its hard limits.
    pub(super) fn heat(&self) -> f64 {
        let share = |kind: Kind| self.asked[kind as usize] / 60.0 / PARTITION_UNITS[kind as usize];
        share(Kind::Read).max(share(Kind::Write))
    }
}

/// All partitions, in the order of hashes.
#[derive(Debug)]
pub(super) struct Partitions {
    /// Where each begins; the first at zero.
    starts: Vec<u64>,
    /// In the same order.
    pub(super) all: Vec<Partition>,
    next_id: u32,
    /// What of an item's place counts: without its sort key where collections stay whole.
    mask: u64,
    /// Bins of the figures that are over.
    bins: usize,
    /// Whether their course is kept.
    kept: bool,
}

/// Beyond as many no course over time is kept.
const COURSES_MOST: usize = 2048;

impl Partitions {
    /// So many of equal size. `whole_collections`: items of one partition key stay together (local secondary indexes).
    pub(super) fn new(count: usize, size_gb: f64, whole_collections: bool) -> Self {
        let each = 1.0 / count as f64;
        let start = |number: usize| (((number as u128) << 64) / count as u128) as u64;
        let partition = |number: usize| Partition::new(number as u32, SimTime::ZERO, each, size_gb * each);
        Self {
            starts: (0..count).map(start).collect(),
            all: (0..count).map(partition).collect(),
            next_id: count as u32,
            mask: if whole_collections { !super::keys::WITHIN_COLLECTION } else { u64::MAX },
            bins: 0,
            kept: count <= COURSES_MOST,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Where an item is for partitions.
    #[inline]
    pub(super) fn place(&self, item: u64) -> u64 {
        item & self.mask
    }

    /// Index of the partition that an item is on.
    #[inline]
    pub(super) fn find(&self, item: u64) -> usize {
        if self.starts.len() == 1 {
            return 0;
        }
        let place = self.place(item);
        self.starts.partition_point(|&start| start <= place) - 1
    }

    pub(super) fn index_of(&self, id: u32) -> Option<usize> {
        self.all.iter().position(|partition| partition.id == id)
    }

    /// Splits one at a place that is inside of it: the new one begins there. Data go by the width of the ranges; the share of
    /// the table's throughput is halved (guide of 2018). What is kept for bursts is divided with it.
    pub(super) fn split(&mut self, index: usize, at: u64, now: SimTime) {
        let (start, end) = self.range(index);
        assert!(start < at && u128::from(at) < end, "a cut lies inside of the partition");
        let part = (end - u128::from(at)) as f64 / (end - u128::from(start)) as f64;
        let old = &mut self.all[index];
        for bucket in old.share.iter_mut().flat_map(|share| share.iter_mut()) {
            bucket.owe(now, bucket.available(now).max(0.0) / 2.0);
        }
        let mut new = Partition::new(self.next_id, now, old.fraction / 2.0, old.gb * part);
        old.fraction /= 2.0;
        old.gb -= new.gb;
        (new.parent, new.boosted_from) = (old.id, old.boosted_from);
        new.share.clone_from(&old.share);
        new.born = self.bins;
        (old.hot_minutes, old.sample, old.splitting) = (0, None, false);
        self.next_id += 1;
        self.starts.insert(index + 1, at);
        self.all.insert(index + 1, new);
    }

    /// Where one begins and ends.
    fn range(&self, index: usize) -> (u64, u128) {
        let end = self.starts.get(index + 1).map_or(1 << 64, |&end| u128::from(end));
        (self.starts[index], end)
    }

    /// Splits one in the middle of its range, if there is one.
    pub(super) fn halve(&mut self, index: usize, now: SimTime) {
        let (start, end) = self.range(index);
        let middle = ((u128::from(start) + end) / 2) as u64;
        if middle > start {
            self.split(index, middle, now);
        }
    }

    /// More throughput than the partitions can do doubles them until it fits (guide of 2018: 4 become 8).
    pub(super) fn raise(&mut self, units: [f64; 2], now: SimTime) {
        let wanted = for_throughput(units);
        while self.len() < wanted {
            (0..self.len()).rev().for_each(|index| self.halve(index, now));
        }
    }

    /// Cuts one as was decided. Returns how many there are more.
    pub(super) fn cut(&mut self, index: usize, cut: Cut, now: SimTime) -> usize {
        let before = self.len();
        let (start, end) = self.range(index);
        let inside = |at: u64| at > start && u128::from(at) < end;
        match cut {
            Cut::At(place) if inside(place) => self.split(index, place, now),
            Cut::Isolate(place) => {
                // The later cut first: indexes before it stay.
                if let Some(after) = place.checked_add(1).filter(|&after| inside(after)) {
                    self.split(index, after, now);
                }
                if inside(place) {
                    self.split(index, place, now);
                }
            }
            Cut::At(_) | Cut::Refused(_) => {}
        }
        self.len() - before
    }

    /// A bin of the figures ends.
    pub(super) fn end_bin(&mut self, length: SimDuration) {
        let seconds = length.as_secs_f64();
        for partition in &mut self.all {
            let units = std::mem::take(&mut partition.bin);
            if self.kept {
                partition.course.push(units.map(|units| (units / seconds) as f32));
            }
        }
        self.bins += 1;
    }

    pub(super) fn warm_up_over(&mut self) {
        self.all.iter_mut().for_each(|partition| partition.consumed = [0.0; 2]);
    }
}
