//! What a table may consume: provisioned units with their burst, and each partition's limits.

use sim_core::SimTime;
use sim_core::station::TokenBucket;

use super::Settings;

/// Read units a second a partition has at most (DynamoDB guide, bp-partition-key-design).
const PARTITION_READ_UNITS: f64 = 3000.0;
/// Write units a second a partition has at most (same).
const PARTITION_WRITE_UNITS: f64 = 1000.0;
/// Size at which a partition is split, GB (same, about).
const PARTITION_GB: f64 = 10.0;

/// What is consumed. Reads and writes have capacities of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Read, Self::Write];
}

/// Why an operation is throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// The table's capacity and its burst are used up.
    Table(Kind),
    /// The partition's are.
    Partition(Kind),
}

impl Limit {
    pub(super) const ALL: [Self; 4] =
        [Self::Table(Kind::Read), Self::Table(Kind::Write), Self::Partition(Kind::Read), Self::Partition(Kind::Write)];

    /// DynamoDB's name of the reason.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Table(Kind::Read) => "TableReadProvisionedThroughputExceeded",
            Self::Table(Kind::Write) => "TableWriteProvisionedThroughputExceeded",
            Self::Partition(Kind::Read) => "TableReadKeyRangeThroughputExceeded",
            Self::Partition(Kind::Write) => "TableWriteKeyRangeThroughputExceeded",
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Table(kind) | Self::Partition(kind) => kind,
        }
    }
}

/// Units at hand, by [`Kind`].
type Buckets = [TokenBucket; 2];

/// A table's capacity.
///
/// With adaptive capacity the table as a whole has its provisioned units and the burst of the last five minutes, and a
/// partition may take of it what the hard limits of a partition allow. Without, every partition has its even share of units
/// and of burst, however unevenly the keys are asked for; the hard limits hold there too.
#[derive(Debug)]
pub(super) struct Capacity {
    /// Provisioned units a second, by [`Kind`].
    pub(super) provisioned: [f64; 2],
    /// Seconds of unused units that are kept.
    pub(super) seconds_kept: f64,
    table: Option<Buckets>,
    shares: Vec<Buckets>,
    limits: Vec<Buckets>,
}

impl Capacity {
    pub(super) fn new(settings: &Settings) -> Self {
        let provisioned = [settings.read_capacity_units, settings.write_capacity_units];
        let count = partitions(provisioned[0], provisioned[1], settings.size_gb);
        let limit = [PARTITION_READ_UNITS, PARTITION_WRITE_UNITS].map(|rate| TokenBucket::new(rate, rate));
        // Limits are per second: even without burst a whole second's units can be used at once.
        let seconds = settings.burst_seconds.max(1.0);
        let kept = |share: f64| provisioned.map(|rate| TokenBucket::new(rate * share, rate * share * seconds));
        let (table, shares) = match settings.adaptive_capacity {
            true => (Some(kept(1.0)), Vec::new()),
            false => (None, vec![kept(1.0 / count as f64); count]),
        };
        Self { provisioned, seconds_kept: seconds, table, shares, limits: vec![limit; count] }
    }

    pub(super) fn partitions(&self) -> usize {
        self.limits.len()
    }

    /// Takes what an operation costs, all of it or nothing; says which limit was in the way. An operation that costs more
    /// than a bucket ever holds goes through when it is full, and the next ones wait until the debt is paid.
    pub(super) fn take(&mut self, now: SimTime, partition: usize, units: [f64; 2]) -> Option<Limit> {
        for (kind, units) in Kind::ALL.into_iter().zip(units).filter(|(_, units)| *units > 0.0) {
            let bucket = kind as usize;
            if self.table.as_ref().is_some_and(|table| !enough(&table[bucket], now, units)) {
                return Some(Limit::Table(kind));
            }
            let share = self.shares.get(partition).is_some_and(|share| !enough(&share[bucket], now, units));
            if share || !enough(&self.limits[partition][bucket], now, units) {
                return Some(Limit::Partition(kind));
            }
        }
        for (bucket, units) in units.into_iter().enumerate().filter(|(_, units)| *units > 0.0) {
            if let Some(table) = &mut self.table {
                table[bucket].owe(now, units);
            }
            if let Some(share) = self.shares.get_mut(partition) {
                share[bucket].owe(now, units);
            }
            self.limits[partition][bucket].owe(now, units);
        }
        None
    }
}

fn enough(bucket: &TokenBucket, now: SimTime, units: f64) -> bool {
    bucket.available(now) >= units.min(bucket.burst())
}

/// Number of partitions of a table: enough for its capacity and for its size. The formula for capacity stood in the guide
/// until 2018 (GuidelinesForTables) and is the best estimate there is.
pub(super) fn partitions(read_units: f64, write_units: f64, size_gb: f64) -> usize {
    let by_capacity = (read_units / PARTITION_READ_UNITS + write_units / PARTITION_WRITE_UNITS).ceil();
    by_capacity.max((size_gb / PARTITION_GB).ceil()).max(1.0) as usize
}
