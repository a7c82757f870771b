//! Hot partitions: when one is split and where; and their map over time.
//!
//! A partition that is asked for nearly all it can do, for as long as [`SplitSettings::sustained`], is split after [`SplitSettings::takes`], where
//! what was asked for meanwhile falls into two halves. One hot item cannot be halved: it is put on a partition of its own, or
//! nothing is done (USENIX ATC'22, section 4.3 of the DynamoDB paper; DynamoDB guide, bp-partition-key-design).

use sim_core::SimDuration;
use sim_core::math::mix;
use sim_core::observations::{Series, SeriesGroup};

use super::capacity::Kind;
use super::partitions::{Partition, Partitions};

/// When and how hot partitions are split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitSettings {
    /// Whether a partition with many warm items is split between them.
    pub for_heat: bool,
    /// Whether a hot item gets a partition of its own.
    pub isolates: bool,
    /// Share of its hard limits that a partition must be asked for (0.9).
    pub threshold: f64,
    /// For how long (60 s, in whole minutes).
    pub sustained: SimDuration,
    /// How long a split takes (5 min).
    pub takes: SimDuration,
}

/// What is done about a hot partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cut {
    /// It is split at this place.
    At(u64),
    /// The item there gets a partition of its own.
    Isolate(u64),
    /// Nothing: one item, or one collection that must stay whole, is asked for by this share of the requests.
    Refused(f64),
}

/// Items that were asked for, at most this many of them, each with the same chance to be among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    seen: u64,
    places: Vec<u64>,
}

const SAMPLE: usize = 512;
/// An item that is asked for by more than this share of the requests is what makes the partition hot.
const ONE_HOT: f64 = 0.5;

impl Sample {
    /// Algorithm R of J. S. Vitter, Random Sampling with a Reservoir (1985); the place is taken from a hash of what was seen, so that no
    /// stream of random numbers depends on whether a partition is watched.
    pub(super) fn add(&mut self, place: u64) {
        self.seen += 1;
        if self.places.len() < SAMPLE {
            self.places.push(place);
        } else {
            let at = mix(place, self.seen) % self.seen;
            if let Some(old) = self.places.get_mut(at as usize) {
                *old = place;
            }
        }
    }

    /// Where to split, if anywhere.
    pub(super) fn cut(mut self, settings: &SplitSettings) -> Cut {
        self.places.sort_unstable();
        let all = self.places.len();
        let runs = self.places.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
        let Some((hottest, most)) = runs.clone().max_by_key(|&(place, count)| (count, std::cmp::Reverse(place))) else {
            return Cut::Refused(1.0);
        };
        let share = most as f64 / all as f64;
        if share > ONE_HOT {
            return if settings.isolates { Cut::Isolate(hottest) } else { Cut::Refused(share) };
        }
        let mut before = 0;
        let cuts = runs.map(|(place, count)| {
            let left = before;
            before += count;
            (left.abs_diff(all - left), place)
        });
        match cuts.skip(1).min() {
            Some((_, place)) if settings.for_heat => Cut::At(place),
            _ => Cut::Refused(share),
        }
    }
}

/// Partitions with a row of their own in the map.
const ROWS: usize = 15;

/// The map of a throughput's partitions over time: units a second of those that were asked most, in order, and of the others on
/// average. Empty where there never was more than one.
pub(super) fn map(name: &str, partitions: &Partitions, bin: SimDuration) -> Vec<Series> {
    let bins = partitions.all.iter().map(|it| it.born + it.course.len()).max().unwrap_or(0);
    if partitions.len() < 2 || partitions.all.iter().all(|it| it.course.is_empty()) {
        return Vec::new();
    }
    Kind::ALL.into_iter().flat_map(|kind| of_kind(name, kind, partitions, bin, bins)).collect()
}

fn of_kind(name: &str, kind: Kind, partitions: &Partitions, bin: SimDuration, bins: usize) -> Vec<Series> {
    let units = |it: &Partition| it.course.iter().map(|bin| f64::from(bin[kind as usize])).sum::<f64>();
    let mut ranked: Vec<(f64, &Partition)> = partitions.all.iter().map(|it| (units(it), it)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
    if ranked[0].0 == 0.0 {
        return Vec::new();
    }
    let value = |it: &Partition, bin: usize| {
        let units = bin.checked_sub(it.born).and_then(|bin| it.course.get(bin));
        units.map(|units| f64::from(units[kind as usize]))
    };
    let series = |row: &str, values: Vec<f64>| Series {
        group: SeriesGroup::Heat,
        name: format!("{name} {} {row}", ["RCU", "WCU"][kind as usize]),
        unit: "1/s".to_owned(),
        bin,
        values,
    };
    // Where they all fit there are no others.
    let single = if ranked.len() <= ROWS + 1 { ranked.len() } else { ROWS };
    let (first, others) = ranked.split_at(single);
    let mut rows: Vec<Series> = first
        .iter()
        .enumerate()
        .map(|(rank, (_, it))| {
            let values = (0..bins).map(|bin| value(it, bin).unwrap_or(f64::NAN)).collect();
            series(&format!("partition {:02}", rank + 1), values)
        })
        .collect();
    if !others.is_empty() {
        let mean = |bin: usize| {
            let known = others.iter().filter_map(|(_, it)| value(it, bin));
            let (sum, count) = known.fold((0.0, 0.0), |(sum, count), units| (sum + units, count + 1.0));
            sum / count
        };
        rows.push(series("other partitions, each", (0..bins).map(mean).collect()));
    }
    rows
}
