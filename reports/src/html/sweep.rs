//! The page of a sweep, and its figures: a curve with its band over one factor, a heat map over two.

use minijinja::{Value, context};
use plotters::style::RGBColor;

use super::axes;
use super::chart::{Area, Axis, Chart, Label, Line, PALETTE, css};
use super::figures::Key;
use crate::format::{Parts, Unit, parts, plain, shorten, tame};
use crate::sweep::{Bound, Factor, Figure, Plan, Record, last_words};

const TEMPLATE: &str = include_str!("sweep.html");
/// Points beyond these are left to `points.csv`.
const ROWS_MOST: usize = 2000;
/// So many characters of labels stand side by side below an axis.
const LABELS_WIDE: usize = 54;
/// Room beside a chart: so many characters of a label, and of the title.
const BESIDE: (usize, usize) = (7, 34);
/// Ticks closer than this share of an axis would overlap.
const TICK_APART: f64 = 0.07;
/// Values that span more than this are drawn on a logarithmic scale.
const LOGARITHMIC: f64 = 30.0;
/// Heat maps with more columns or rows have no numbers in their cells: they would overlap.
const COLUMNS_NUMBERED: usize = 7;
const ROWS_NUMBERED: usize = 14;

/// A figure and what is said around it.
struct Drawn {
    metric: String,
    svg: String,
    legend: Vec<Key>,
}

/// The page.
pub(crate) fn page(plan: &Plan, records: &[Record]) -> String {
    let figures = drawn(plan, records).into_iter().map(|figure| {
        let legend = figure.legend.into_iter().map(|key| context! { colour => key.colour, name => key.name });
        // The SVG writer escapes its texts; see the test beside it.
        context! { title => figure.metric, legend => legend.collect::<Vec<_>>(), svg => Value::from_safe_string(figure.svg) }
    });
    let factor = |factor: &Factor| context! { key => factor.key.clone(), levels => factor.levels.join(", ") };
    let view = context! {
        title => if plan.title.is_empty() { &plan.scenario } else { &plan.title },
        scenario => plan.scenario.clone(),
        description => plan.description.clone(),
        version => plan.version.clone(),
        digest => plan.digest.clone(),
        setting => plan.setting(),
        style => Value::from_safe_string(super::STYLE.to_owned()),
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
    let file = |(index, figure): (usize, Drawn)| {
        let name: String = figure.metric.chars().map(plain).collect();
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

fn drawn(plan: &Plan, records: &[Record]) -> Vec<Drawn> {
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

/// Where the levels of a factor stand: at their amounts, at the logarithms of those where they grow by a factor, or side by side.
fn places(factor: &Factor) -> Vec<f64> {
    let side_by_side = || (0..factor.levels.len()).map(|index| index as f64).collect();
    let Some(amounts) = &factor.amounts else { return side_by_side() };
    let ratios: Vec<f64> = amounts.windows(2).map(|pair| pair[1] / pair[0]).collect();
    let geometric = amounts.len() > 3
        && amounts.iter().all(|amount| *amount > 0.0)
        && ratios.iter().all(|ratio| (ratio / ratios[0] - 1.0).abs() < 0.05 && *ratio > 1.2);
    if geometric { amounts.iter().map(|amount| axes::log10(*amount)).collect() } else { amounts.clone() }
}

/// The axis of a factor, its levels as ticks with room for so many characters of a label and of its title.
fn axis(factor: &Factor, places: &[f64], margin: Option<f64>, (most, title): (usize, usize)) -> Axis {
    let low = places.iter().copied().fold(f64::INFINITY, f64::min);
    let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let spread = if high > low { high - low } else { 1.0 };
    let margin = margin.unwrap_or(spread * 0.04);
    let label = |level: &String| shorten(&tame(level), most);
    let mut ticks: Vec<(f64, String)> = places.iter().copied().zip(factor.levels.iter().map(label)).collect();
    ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let longest = ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(1) as f64;
    let apart = (spread + 2.0 * margin) * TICK_APART.max(longest / LABELS_WIDE as f64);
    let mut last = f64::NEG_INFINITY;
    ticks.retain(|(at, _)| {
        let keep = *at - last >= apart;
        if keep {
            last = *at;
        }
        keep
    });
    Axis { range: low - margin..high + margin, ticks, title: shorten(&last_words(&[&factor.key])[0], title) }
}

/// Room below a chart: words have all there is between them; of numbers some are left out.
fn below(factor: &Factor) -> (usize, usize) {
    let most = if factor.amounts.is_some() { LABELS_WIDE } else { (LABELS_WIDE / factor.levels.len()).max(8) };
    (most, LABELS_WIDE)
}

/// The smallest and the largest of numbers.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |extent, value| {
        Some(extent.map_or((value, value), |(low, high): (f64, f64)| (low.min(value), high.max(value))))
    })
}

/// The bounds that a scenario sets for a figure.
fn bounds<'a>(plan: &'a Plan, metric: &str) -> impl Iterator<Item = &'a Bound> {
    plan.expectations.iter().filter(move |bound| bound.metric == metric)
}

fn curve(plan: &Plan, factor: &Factor, records: &[Record], metric: &str) -> Option<Drawn> {
    let places = places(factor);
    let mut points: Vec<(f64, Figure)> =
        records.iter().filter_map(|record| Some((places[level(factor, record)?], record.figure(metric)))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let value = |it: &Figure| it.value.unwrap_or(f64::NAN);
    let edges = |it: &Figure| it.half_width.map_or((f64::NAN, f64::NAN), |half| (value(it) - half, value(it) + half));
    let range = |it: &Figure| (it.low.unwrap_or(f64::NAN), it.high.unwrap_or(f64::NAN));
    let limits: Vec<f64> = bounds(plan, metric).flat_map(|bound| [bound.min, bound.max]).flatten().collect();
    let values = || points.iter().map(|(_, it)| value(it));
    extent(values())?;
    let ends = points.iter().flat_map(|(_, it)| [edges(it).1, range(it).1]);
    let (_, high) = extent(values().chain(ends).chain(limits.iter().copied()))?;
    let scale = Scale::of(Unit::of_path(metric), values().chain(limits.iter().copied()));
    let y = match scale {
        Scale::Linear => axes::linear(Unit::of_path(metric), high, ""),
        Scale::Logarithmic => {
            let (low, _) = extent(values().chain(limits.iter().copied()).filter(|value| *value > 0.0))?;
            axes::log_seconds(low, high, "")
        }
    };
    // Bands end at the axis, not below it.
    let at = |value: f64| scale.place(value).max(y.range.start);
    let band = |edges: &dyn Fn(&Figure) -> (f64, f64)| -> Vec<(f64, f64)> {
        points.iter().map(|(_, it)| edges(it)).map(|(low, high)| (at(low), at(high))).collect()
    };
    let line: Vec<(f64, f64)> = points.iter().map(|(x, it)| (*x, at(value(it)))).collect();
    let (ranges, intervals) = (band(&|it| range(it)), band(&|it| edges(it)));
    let mut lines = Vec::new();
    if factor.amounts.is_some() {
        if !plan.ranges.is_empty() {
            lines.push(Line { colour: PALETTE[5], points: line.clone(), interval: ranges, weight: 1.0 });
        }
        lines.push(Line { colour: PALETTE[0], points: line.clone(), interval: intervals, weight: 2.0 });
    } else {
        // There is nothing between words that a line could go through.
        let bars = |colour, edges: Vec<(f64, f64)>, weight| {
            let bar = move |((x, _), (low, high)): (&(f64, f64), (f64, f64))| {
                let points = if low.is_finite() && high.is_finite() { vec![(*x, low), (*x, high)] } else { vec![] };
                Line { colour, points, interval: vec![], weight }
            };
            line.iter().zip(edges).map(bar).collect::<Vec<_>>()
        };
        lines.extend(bars(PALETTE[5], ranges, 1.5));
        lines.extend(bars(PALETTE[0], intervals, 4.0));
    }
    lines.extend(line.iter().map(|point| Line {
        colour: PALETTE[0],
        points: vec![*point],
        interval: vec![],
        weight: 3.0,
    }));
    let x = axis(factor, &places, factor.amounts.is_none().then_some(0.5), below(factor));
    for limit in &limits {
        let ends = vec![(x.range.start, at(*limit)), (x.range.end, at(*limit))];
        lines.push(Line { colour: PALETTE[2], points: ends, interval: vec![], weight: 1.5 });
    }
    let mut legend = vec![Key { colour: css(PALETTE[0]), name: tame(metric) }];
    legend.extend(bounds(plan, metric).map(|bound| Key { colour: css(PALETTE[2]), name: tame(&bound.text) }));
    let svg = Chart { size: (470, 300), x, y, bands: vec![], areas: vec![], lines }.svg();
    Some(Drawn { metric: metric.to_owned(), svg, legend })
}

/// How values become heights and colours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Scale {
    /// Times that span much are shown by their logarithms.
    fn of(unit: Unit, values: impl Iterator<Item = f64>) -> Self {
        let positive = extent(values.filter(|value| *value > 0.0));
        let wide = positive.is_some_and(|(low, high)| high / low > LOGARITHMIC);
        if unit == Unit::Seconds && wide { Self::Logarithmic } else { Self::Linear }
    }
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            _ if value.is_nan() => value,
            Self::Logarithmic => axes::log10(value),
        }
    }
}

/// From pale to dark: five colours of ColorBrewer's YlGnBu, which colour-blind readers can tell apart.
const SHADES: [RGBColor; 5] = [
    RGBColor(0xFF, 0xFF, 0xCC),
    RGBColor(0xA1, 0xDA, 0xB4),
    RGBColor(0x41, 0xB6, 0xC4),
    RGBColor(0x2C, 0x7F, 0xB8),
    RGBColor(0x25, 0x34, 0x94),
];

/// The colour of a share from 0 to 1.
fn shade(share: f64) -> RGBColor {
    let at = share.clamp(0.0, 1.0) * (SHADES.len() - 1) as f64;
    let index = (at as usize).min(SHADES.len() - 2);
    let (from, to, part) = (SHADES[index], SHADES[index + 1], at - index as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

fn heat_map(plan: &Plan, rows: &Factor, columns: &Factor, records: &[Record], metric: &str) -> Option<Drawn> {
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
    let key = |n: usize| {
        let share = n as f64 / (SHADES.len() - 1) as f64;
        let place = low + (high - low) * share;
        let value = match scale {
            Scale::Linear => place,
            Scale::Logarithmic => sim_core::math::exp(place * std::f64::consts::LN_10),
        };
        Key { colour: css(shade(share)), name: plain(unit, value) }
    };
    let legend = if high > low { (0..SHADES.len()).map(key).collect() } else { Vec::new() };
    let x = axis(columns, &side_by_side(columns), Some(0.5), below(columns));
    let y = axis(rows, &side_by_side(rows), Some(0.5), BESIDE);
    let svg = Chart { size: (470, 300), x, y, bands: vec![], areas, lines }.svg_with(&labels);
    Some(Drawn { metric: metric.to_owned(), svg, legend })
}
