//! Maps over time: how much each part of a whole, such as a table's partitions, has to do.

use plotters::style::RGBColor;

use super::super::axes;
use super::super::chart::{Area, Axis, Chart, css};
use super::super::shades::{self, shade};
use super::{Figure, Group, Key, WIDE, has_values, of_group};
use crate::format::{Unit, plain};
use crate::model::{Report, SeriesReport};

/// Columns of a map; a run has more bins, which are joined.
const COLUMNS: usize = 60;
/// What ends the name of a map and begins that of its rows.
const ROW: [&str; 2] = [" partition ", " other partitions"];

/// All maps, with the hottest row on top.
pub(super) fn maps(report: &Report) -> Vec<Figure> {
    let series: Vec<_> = of_group(report, Group::Heat).into_iter().filter(|one| has_values(one)).collect();
    let same = |a: &&SeriesReport, b: &&SeriesReport| map_of(a) == map_of(b);
    series.chunk_by(same).filter_map(|rows| map(report, rows)).collect()
}

fn map_of(series: &SeriesReport) -> &str {
    let end = ROW.iter().find_map(|word| series.name.find(word));
    &series.name[..end.unwrap_or(series.name.len())]
}

/// Means of neighbouring bins, and how wide they are together.
fn columns(series: &SeriesReport) -> (Vec<f64>, f64) {
    let joined = series.values.len().div_ceil(COLUMNS).max(1);
    let mean = |bins: &[f64]| {
        let known: Vec<f64> = bins.iter().copied().filter(|value| value.is_finite()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    (series.values.chunks(joined).map(mean).collect(), series.bin_s * joined as f64)
}

fn map(report: &Report, rows: &[&SeriesReport]) -> Option<Figure> {
    let cells: Vec<(Vec<f64>, f64)> = rows.iter().map(|row| columns(row)).collect();
    let high = cells.iter().flat_map(|(values, _)| values).copied().filter(|it| it.is_finite()).fold(0.0, f64::max);
    if high == 0.0 {
        return None;
    }
    let mut areas = Vec::new();
    for (row, (values, width)) in cells.iter().enumerate() {
        let (bottom, top) = ((rows.len() - row) as f64 - 0.5, (rows.len() - row) as f64 + 0.5);
        for (column, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let (left, right) = (column as f64 * width, ((column + 1) as f64 * width).min(report.horizon_s));
            let outline = vec![(left, bottom), (right, bottom), (right, top), (left, top)];
            areas.push(Area { colour: shade(value / high), opacity: 1.0, outline });
        }
    }
    let has_others = rows.last().is_some_and(|row| row.name.contains(ROW[1]));
    let label =
        |row: usize| if has_others && row + 1 == rows.len() { "rest".to_owned() } else { (row + 1).to_string() };
    let y = Axis {
        range: 0.5..rows.len() as f64 + 0.5,
        ticks: (0..rows.len()).map(|row| ((rows.len() - row) as f64, label(row))).collect(),
        title: "partition, hottest first".to_owned(),
    };
    let height = 90 + 14 * rows.len().max(4) as i32;
    let chart = Chart { size: (WIDE, height), x: axes::time(report.horizon_s), y, bands: vec![], areas, lines: vec![] };
    let key = |share: f64, colour: RGBColor| Key { colour: css(colour), name: plain(Unit::Rate, share * high) };
    let averaged = if report.replications > 1 {
        " Ranks are those of each replication; cells are means over replications."
    } else {
        ""
    };
    let rest = if has_others { " The lowest row is the mean of all the others." } else { "" };
    Some(Figure {
        title: format!("{} by partition", map_of(rows[0])),
        svg: chart.svg(),
        legend: shades::steps().map(|(share, colour)| key(share, colour)).collect(),
        remark: format!("Units consumed a second. Blank: not split off yet.{rest}{averaged}"),
        wide: true,
    })
}
