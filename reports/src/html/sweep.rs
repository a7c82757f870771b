//! The page of a sweep, and its figures: a curve with its band over one factor, a heat map over two.

use minijinja::{Value, context};
use plotters::style::RGBColor;

use super::chart::{Area, Chart, Label, Line, PALETTE, css};
use super::curve::{Curve, Dot, Scale, axis, below, extent, figure};
use super::figures::{Figure, Key};
use super::shades::{self, shade};
use crate::format::{Parts, Unit, parts, plain};
use crate::sweep::{Bound, Factor, Plan, Record};

const TEMPLATE: &str = include_str!("sweep.html");
/// Points beyond these are left to `points.csv`.
const ROWS_MOST: usize = 2000;
/// Room beside a chart: so many characters of a label, and of the title.
const BESIDE: (usize, usize) = (7, 34);
/// Heat maps with more columns or rows have no numbers in their cells: they would overlap.
const COLUMNS_NUMBERED: usize = 7;
const ROWS_NUMBERED: usize = 14;

/// The page.
pub(crate) fn page(plan: &Plan, records: &[Record]) -> String {
    let figures = drawn(plan, records).into_iter().map(super::figure_view);
    let factor = |factor: &Factor| context! { key => factor.key.clone(), levels => factor.levels.join(", ") };
    let view = context! {
        title => if plan.title.is_empty() { &plan.scenario } else { &plan.title },
        scenario => plan.scenario.clone(),
        description => plan.description.clone(),
        version => plan.version.clone(),
        digest => plan.digest.clone(),
        setting => plan.setting(),
        factors => plan.factors.iter().map(factor).collect::<Vec<_>>(),
        ranges => plan.ranges.iter().map(crate::sweep::Range::words).collect::<Vec<_>>(),
        figures => figures.collect::<Vec<_>>(),
        how_to_read => how_to_read(plan),
        metrics => plan.metrics.clone(),
        rows => records.iter().take(ROWS_MOST).map(|record| row(plan, record)).collect::<Vec<_>>(),
        doubtful => records.iter().any(|record| !record.cautions.is_empty()),
        more => records.len().saturating_sub(ROWS_MOST),
    };
    super::render(TEMPLATE, view)
}

/// The figures as files: name and text.
pub(crate) fn figures(plan: &Plan, records: &[Record]) -> Vec<(String, String)> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    let file = |(index, figure): (usize, Figure)| {
        let name: String = figure.title.chars().map(plain).collect();
        (format!("figure-{}-{name}.svg", index + 1), figure.svg)
    };
    drawn(plan, records).into_iter().enumerate().map(file).collect()
}

fn how_to_read(plan: &Plan) -> String {
    let confidence = plain(Unit::Share, plan.confidence);
    let ranges =
        if plan.ranges.is_empty() { "" } else { " The wide pale band is where the uncertain settings take it." };
    match plan.factors.len() {
        1 => format!("Mean over the replications with its {confidence} interval. Red: what is expected.{ranges}"),
        _ => "Darker is more. A stroke through a cell: the point fails an expectation of this figure.".to_owned(),
    }
}

fn row(plan: &Plan, record: &Record) -> Value {
    let number = |metric: &String| {
        let it = record.figure(metric);
        let unit = Unit::of_path(metric);
        let Parts { value, half_width } = parts(unit, &it.estimate());
        let range = match (it.low, it.high) {
            (Some(low), Some(high)) => format!("[{} .. {}]", plain(unit, low), plain(unit, high)),
            _ => String::new(),
        };
        context! { value, half_width => half_width.unwrap_or_default(), range }
    };
    let value = |factor: &Factor| record.factors.get(&factor.key).cloned().unwrap_or_default();
    context! {
        factors => plan.factors.iter().map(value).collect::<Vec<_>>(),
        figures => plan.metrics.iter().map(number).collect::<Vec<_>>(),
        class => if record.passed { "pass" } else { "fail" },
        verdict => crate::sweep::verdict(record),
        station => record.bottleneck.station.clone().unwrap_or_default(),
        bottleneck => record.bottleneck.text.clone(),
        cautions => record.cautions.join(" "),
    }
}

fn drawn(plan: &Plan, records: &[Record]) -> Vec<Figure> {
    match plan.factors.as_slice() {
        [factor] => plan.metrics.iter().filter_map(|metric| curve(plan, factor, records, metric)).collect(),
        // Words need the room that there is below a chart and not beside it.
        [words, numbers] if words.amounts.is_none() && numbers.amounts.is_some() => {
            plan.metrics.iter().filter_map(|metric| heat_map(plan, numbers, words, records, metric)).collect()
        }
        [rows, columns] => {
            plan.metrics.iter().filter_map(|metric| heat_map(plan, rows, columns, records, metric)).collect()
        }
        _ => Vec::new(),
    }
}

/// The index of a record's value among a factor's.
fn level(factor: &Factor, record: &Record) -> Option<usize> {
    let text = record.factors.get(&factor.key)?;
    factor.levels.iter().position(|level| level == text)
}

/// The bounds that a scenario sets for a figure.
fn bounds<'a>(plan: &'a Plan, metric: &str) -> impl Iterator<Item = &'a Bound> {
    plan.expectations.iter().filter(move |bound| bound.metric == metric)
}

fn curve(plan: &Plan, factor: &Factor, records: &[Record], metric: &str) -> Option<Figure> {
    let dot = |record: &Record| {
        let level = level(factor, record)?;
        Some(Dot { level, figure: record.figure(metric), colour: PALETTE[0] })
    };
    let dots = records.iter().filter_map(dot).collect();
    let bounds = bounds(plan, metric).collect();
    // There is nothing between words that a line could go through.
    Curve { metric, factor, dots, bounds, joined: factor.amounts.is_some(), mark: None }.draw()
}

fn heat_map(plan: &Plan, rows: &Factor, columns: &Factor, records: &[Record], metric: &str) -> Option<Figure> {
    let unit = Unit::of_path(metric);
    let values = || records.iter().filter_map(|record| record.figure(metric).value);
    let scale = Scale::of(unit, values());
    let (low, high) = extent(values().map(|value| scale.place(value)))?;
    // What is nearly the same has nearly the same colour.
    let low = low.min(high - 0.05 * high.abs());
    let share = |value: f64| if high > low { (scale.place(value) - low) / (high - low) } else { 0.5 };
    let side_by_side = |factor: &Factor| (0..factor.levels.len()).map(|index| index as f64).collect::<Vec<_>>();
    let (mut areas, mut lines, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let numbered = rows.levels.len() <= ROWS_NUMBERED && columns.levels.len() <= COLUMNS_NUMBERED;
    for record in records {
        let (Some(x), Some(y)) = (level(columns, record), level(rows, record)) else { continue };
        let Some(value) = record.figure(metric).value else { continue };
        let (x, y) = (x as f64, y as f64);
        let outline = vec![(x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5)];
        areas.push(Area { colour: shade(share(value)), opacity: 1.0, outline });
        let failed =
            bounds(plan, metric).any(|bound| record.expectations.iter().any(|it| it.text == bound.text && !it.pass));
        if failed {
            let stroke = vec![(x - 0.5, y - 0.5), (x + 0.5, y + 0.5)];
            lines.push(Line { colour: PALETTE[2], points: stroke, interval: vec![], weight: 1.5 });
        }
        if numbered {
            let light = share(value) > 0.6;
            labels.push(Label { at: (x, y), text: plain(unit, value), light });
        }
    }
    let key = |(share, colour): (f64, RGBColor)| {
        let place = low + (high - low) * share;
        let value = match scale {
            Scale::Linear => place,
            Scale::Logarithmic => sim_core::math::exp(place * std::f64::consts::LN_10),
        };
        Key { colour: css(colour), name: plain(unit, value) }
    };
    let legend = if high > low { shades::steps().map(key).collect() } else { Vec::new() };
    let x = axis(columns, &side_by_side(columns), Some(0.5), below(columns));
    let y = axis(rows, &side_by_side(rows), Some(0.5), BESIDE);
    let svg = Chart { size: (470, 300), x, y, bands: vec![], areas, lines }.svg_with(&labels);
    Some(figure(metric, svg, legend))
}
