//! What a table or index may consume: its throughput with what is kept for bursts, and each partition's limits.

use sim_core::station::TokenBucket;
use sim_core::{SimDuration, SimTime};

use super::heat::{Cut, Sample, SplitSettings};
use super::partitions::{Partition, Partitions, partitions};

/// What is consumed. Reads and writes have capacities of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Read, Self::Write];

    pub(super) fn name(self) -> &'static str {
        ["Read", "Write"][self as usize]
    }
}

/// Whose limit is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// What is provisioned, with its burst, is used up.
    Provisioned,
    /// An on-demand table would go beyond twice its previous peak.
    Growth,
    /// The maximum that was set for an on-demand table.
    MaxOnDemand,
    /// The quota of a table.
    Quota,
    /// The partition's.
    Partition,
}

impl Limit {
    pub(super) const ALL: [Self; 5] =
        [Self::Provisioned, Self::Growth, Self::MaxOnDemand, Self::Quota, Self::Partition];

    /// DynamoDB's name of the reason, which for [`Limit::Growth`] is the partitions' (there are not enough of them yet).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Provisioned => "ProvisionedThroughputExceeded",
            Self::Growth => "OnDemandGrowthExceeded",
            Self::MaxOnDemand => "MaxOnDemandThroughputExceeded",
            Self::Quota => "AccountLimitExceeded",
            Self::Partition => "KeyRangeThroughputExceeded",
        }
    }
}

/// A limit, and what it limits.
pub(super) type Hit = (Limit, Kind);

/// Who may use how much of the throughput.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Any partition all of it, up to its own hard limits (since 2019).
    Whole,
    /// Each partition its even share, whatever happens.
    Even,
    /// Each partition its even share; a hot one more than that so long after it hit it (2017 to 2019).
    After(SimDuration),
}

/// How a table or index pays for its throughput.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Billing {
    /// So many units a second are provisioned.
    Provisioned,
    /// By request. Each limit is by reads and writes.
    OnDemand {
        /// What was set as the most, units a second.
        maximum: [Option<f64>; 2],
        /// How long it takes until a peak counts as the previous one (30 min).
        doubling: SimDuration,
    },
}

/// A throughput.
#[derive(Clone, Debug)]
pub struct ThroughputSettings {
    /// How it is paid for.
    pub billing: Billing,
    /// Read and write units a second: what is provisioned, or what on demand has at the start (its warm throughput).
    pub units: [f64; 2],
    /// Read and write units a second for which there are partitions from the start (warm throughput), where that is more.
    pub warm: [f64; 2],
    /// Read and write units a second that a table may have at most (quota).
    pub quota: [f64; 2],
    /// Seconds of unused units that are kept.
    pub burst_seconds: f64,
    /// Size of its data, GB.
    pub size_gb: f64,
    /// Who may use how much of it.
    pub sharing: Sharing,
    /// What is done about hot partitions.
    pub splits: SplitSettings,
    /// Items of one partition key stay on one partition: there are local secondary indexes.
    pub whole_collections: bool,
    /// Whether reads and writes are scaled: a metric of their utilisation is published then.
    pub scaled: [bool; 2],
}

/// A throughput at work.
///
/// With adaptive capacity the table as a whole has its units and the burst of the last five minutes, and a partition may take
/// of it what the hard limits of a partition allow. Without, every partition has its even share of units and of burst, however
/// unevenly the keys are asked for; the hard limits hold there too.
#[derive(Debug)]
pub(super) struct Capacity {
    /// Units a second, by [`Kind`].
    pub(super) units: [f64; 2],
    /// What limits them.
    pub(super) limit: [Limit; 2],
    /// Seconds of unused units that are kept.
    pub(super) seconds_kept: f64,
    sharing: Sharing,
    splits: SplitSettings,
    table: [TokenBucket; 2],
    pub(super) partitions: Partitions,
    /// Units that came until the last change of the rate, and when that was.
    entitled: [(f64, SimTime); 2],
    /// Units kept at the start, by [`Kind`].
    pub(super) kept: [f64; 2],
}

impl Capacity {
    pub(super) fn new(settings: &ThroughputSettings) -> Self {
        let most = |kind: usize| settings.units[kind].max(settings.warm[kind]);
        let count = partitions([most(0), most(1)], settings.size_gb);
        // Limits are per second: even without burst a whole second's units can be used at once.
        let seconds = settings.burst_seconds.max(1.0);
        let limit = if settings.billing == Billing::Provisioned { Limit::Provisioned } else { Limit::Growth };
        let mut it = Self {
            units: settings.units,
            limit: [limit; 2],
            seconds_kept: seconds,
            sharing: settings.sharing,
            splits: settings.splits,
            table: settings.units.map(|rate| TokenBucket::new(rate, rate * seconds)),
            partitions: Partitions::new(count, settings.size_gb, settings.whole_collections),
            entitled: [(0.0, SimTime::ZERO); 2],
            kept: settings.units.map(|rate| rate * seconds),
        };
        if it.sharing != Sharing::Whole {
            for partition in &mut it.partitions.all {
                let share = it.units.map(|rate| rate * partition.fraction);
                partition.share = Some(Box::new(share.map(|rate| TokenBucket::new(rate, rate * seconds))));
            }
        }
        it
    }

    /// Whether partitions may be split, or hot ones wait for a boost.
    pub(super) fn watches_heat(&self) -> bool {
        self.splits.for_heat || self.splits.isolates
    }

    /// Whether it matters which item is asked for.
    pub(super) fn by_item(&self) -> bool {
        self.partitions.len() > 1 || self.partitions.all[0].sample.is_some()
    }

    /// Whether there are units for an item; says which limit is in the way. An operation that costs more than a bucket ever
    /// holds goes through when it is full, and the next ones wait until the debt is paid.
    #[inline]
    pub(super) fn hit(&self, now: SimTime, item: u64, units: [f64; 2]) -> Option<Hit> {
        let partition = &self.partitions.all[self.partitions.find(item)];
        let mut wanted = Kind::ALL.into_iter().filter(|kind| units[*kind as usize] > 0.0);
        wanted.find_map(|kind| self.first_limit(now, partition, kind, units[kind as usize]).map(|limit| (limit, kind)))
    }

    #[inline]
    fn first_limit(&self, now: SimTime, partition: &Partition, kind: Kind, units: f64) -> Option<Limit> {
        let bucket = kind as usize;
        let lacks = |bucket: &TokenBucket| bucket.available(now) < units.min(bucket.burst());
        let share = partition.share.as_ref().filter(|_| !partition.is_boosted(now));
        if share.is_some_and(|share| lacks(&share[bucket])) {
            return Some(Limit::Partition);
        }
        if lacks(&self.table[bucket]) {
            return Some(self.limit[bucket]);
        }
        lacks(&partition.limits[bucket]).then_some(Limit::Partition)
    }

    /// Takes units for an item whether there are as many or not.
    #[inline]
    pub(super) fn owe(&mut self, now: SimTime, item: u64, units: [f64; 2]) {
        let index = self.partitions.find(item);
        let partition = &mut self.partitions.all[index];
        for (bucket, units) in units.into_iter().enumerate().filter(|(_, units)| *units > 0.0) {
            self.table[bucket].owe(now, units);
            partition.limits[bucket].owe(now, units);
            if let Some(share) = &mut partition.share {
                share[bucket].owe(now, units);
            }
            partition.consumed[bucket] += units;
            partition.bin[bucket] += units;
        }
    }

    /// An item was asked for, and perhaps hit a limit: its partition remembers.
    #[inline]
    pub(super) fn asked(&mut self, now: SimTime, item: u64, units: [f64; 2], hit: Option<Hit>) {
        let index = self.partitions.find(item);
        let place = self.partitions.place(item);
        let partition = &mut self.partitions.all[index];
        partition.asked[0] += units[0];
        partition.asked[1] += units[1];
        if let Some(sample) = &mut partition.sample {
            sample.add(place);
        }
        if let (Sharing::After(delay), Some((Limit::Partition, _))) = (self.sharing, hit) {
            partition.boosted_from.get_or_insert(now + delay);
        }
    }

    /// Takes what an item costs, all of it or nothing; says which limit was in the way.
    #[inline]
    pub(super) fn take(&mut self, now: SimTime, item: u64, units: [f64; 2]) -> Option<Hit> {
        let hit = self.hit(now, item, units);
        self.asked(now, item, units, hit);
        if hit.is_none() {
            self.owe(now, item, units);
        }
        hit
    }

    /// Seconds until what is owed for an item is paid back: nothing unless [`Capacity::owe`] took more than there was.
    pub(super) fn backlog(&self, now: SimTime, item: u64, kind: Kind) -> f64 {
        let partition = &self.partitions.all[self.partitions.find(item)];
        let buckets = [&self.table[kind as usize], &partition.limits[kind as usize]];
        let seconds = buckets.map(|bucket| -bucket.available(now) / bucket.rate());
        seconds[0].max(seconds[1]).max(0.0)
    }

    /// From `now` on it has other units; partitions follow if they must. Returns how many there are more.
    pub(super) fn set(&mut self, now: SimTime, kind: Kind, units: f64, limit: Limit) -> usize {
        let number = kind as usize;
        self.entitled[number] = (self.entitled(kind, now), now);
        (self.units[number], self.limit[number]) = (units, limit);
        self.table[number].set_rate(now, units);
        self.table[number].set_burst(now, units * self.seconds_kept);
        let before = self.partitions.len();
        self.partitions.raise(self.units, now);
        self.share_anew(now);
        self.partitions.len() - before
    }

    /// Every partition has the share it should have, of rate and of burst.
    fn share_anew(&mut self, now: SimTime) {
        for partition in &mut self.partitions.all {
            for (share, units) in partition.share.iter_mut().flat_map(|it| it.iter_mut()).zip(self.units) {
                let rate = units * partition.fraction;
                share.set_rate(now, rate);
                share.set_burst(now, rate * self.seconds_kept);
            }
        }
    }

    /// Data are added to an item's partition; returns whether it was split because it was full.
    pub(super) fn grow(&mut self, now: SimTime, item: u64, gb: f64) -> bool {
        let index = self.partitions.find(item);
        self.partitions.all[index].gb += gb;
        let full = self.partitions.all[index].gb > super::partitions::PARTITION_GB;
        if full {
            self.partitions.halve(index, now);
            self.share_anew(now);
        }
        full
    }

    /// A minute is over: says which partitions have been hot for long enough, so that their split begins.
    pub(super) fn minute_ends(&mut self) -> Vec<u32> {
        let sustained = (self.splits.sustained.as_secs_f64() / 60.0).ceil() as u32;
        let mut begin = Vec::new();
        for partition in &mut self.partitions.all {
            let hot = partition.heat() >= self.splits.threshold;
            partition.asked = [0.0; 2];
            if partition.splitting {
                continue;
            }
            if !hot {
                (partition.hot_minutes, partition.sample) = (0, None);
                continue;
            }
            partition.hot_minutes += 1;
            partition.sample.get_or_insert_default();
            if partition.hot_minutes >= sustained {
                partition.splitting = true;
                begin.push(partition.id);
            }
        }
        begin
    }

    /// A partition's split is due. Says what was done and how many partitions there are more.
    pub(super) fn split_due(&mut self, id: u32, now: SimTime) -> Option<(Cut, usize)> {
        let index = self.partitions.index_of(id)?;
        let partition = &mut self.partitions.all[index];
        let sample = partition.sample.take().map_or_else(Sample::default, |sample| *sample);
        (partition.splitting, partition.hot_minutes) = (false, 0);
        let cut = sample.cut(&self.splits);
        let more = self.partitions.cut(index, cut, now);
        self.share_anew(now);
        Some((cut, more))
    }

    pub(super) fn splits(&self) -> &SplitSettings {
        &self.splits
    }

    /// The units that came by `now`, beside what was kept at the start.
    pub(super) fn entitled(&self, kind: Kind, now: SimTime) -> f64 {
        let (units, since) = self.entitled[kind as usize];
        units + self.units[kind as usize] * (now - since).as_secs_f64()
    }

    /// What is owed by the table as a whole.
    pub(super) fn owed(&self, kind: Kind, now: SimTime) -> f64 {
        (-self.table[kind as usize].available(now)).max(0.0)
    }
}
