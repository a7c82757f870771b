//! Figures over time: bin by bin over the replications.

use sim_core::observations::{Observations, Series, SeriesGroup};

use super::interval::Level;
use crate::model::{Group, SeriesReport};

impl From<SeriesGroup> for Group {
    fn from(group: SeriesGroup) -> Self {
        match group {
            SeriesGroup::Latency => Self::Latency,
            SeriesGroup::Requests => Self::Requests,
            SeriesGroup::Tasks => Self::Tasks,
            SeriesGroup::Utilisation => Self::Utilisation,
            SeriesGroup::CacheHits => Self::CacheHits,
            SeriesGroup::Metric => Self::Metric,
            SeriesGroup::Alarm => Self::Alarm,
            SeriesGroup::Heat => Self::Heat,
        }
    }
}

/// Means and half widths of all series, grouped, in the order in which the replications name them.
pub(super) fn over(all: &[Observations], level: Level) -> Vec<SeriesReport> {
    let mut firsts: Vec<&Series> = Vec::new();
    for series in all.iter().flat_map(|observations| &observations.series) {
        if !firsts.iter().any(|known| same(known, series)) {
            firsts.push(series);
        }
    }
    firsts.sort_by_key(|series| series.group);
    firsts.into_iter().map(|series| one(series, all, level)).collect()
}

fn same(a: &Series, b: &Series) -> bool {
    a.group == b.group && a.name == b.name
}

fn one(series: &Series, all: &[Observations], level: Level) -> SeriesReport {
    let found: Vec<Option<&Series>> =
        all.iter().map(|observations| observations.series.iter().find(|other| same(other, series))).collect();
    let bins = found.iter().flatten().map(|series| series.values.len()).max().unwrap_or(0);
    // A replication in which a cause never occurred had none per second; other figures it simply does not have.
    let missing = if series.group == SeriesGroup::Requests { 0.0 } else { f64::NAN };
    let (mut values, mut half_widths) = (Vec::with_capacity(bins), Vec::with_capacity(bins));
    let mut column = Vec::with_capacity(found.len());
    for bin in 0..bins {
        column.clear();
        column.extend(
            found.iter().map(|other| other.map_or(missing, |s| s.values.get(bin).copied().unwrap_or(f64::NAN))),
        );
        let estimate = level.estimate(&column);
        values.push(estimate.value);
        half_widths.push(estimate.half_width.unwrap_or(f64::NAN));
    }
    SeriesReport {
        group: series.group.into(),
        name: series.name.clone(),
        // Values are shares of one, whatever they are shown as.
        unit: if series.group == SeriesGroup::Utilisation { "share".to_owned() } else { series.unit.clone() },
        bin_s: series.bin.as_secs_f64(),
        values,
        half_widths,
    }
}
