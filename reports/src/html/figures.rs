//! The report's figures.

mod heat;
mod overlay;
mod strips;

use plotters::style::RGBColor;

pub(super) use overlay::overlaid;
pub(super) use strips::{Strip, Strips, strips};

use super::axes;
use super::chart::{Area, Axis, Band, Chart, Line, PALETTE, css};
use crate::format::{Unit, clock, several};
use crate::model::{Bucket, Event, Group, Report, SeriesReport};

const WIDE: i32 = 960;
const HALF: i32 = 470;
const BLUE: RGBColor = PALETTE[0];
const AMBER: RGBColor = PALETTE[1];
const RED: RGBColor = PALETTE[2];
const SLATE: RGBColor = RGBColor(0x3B, 0x48, 0x57);
/// Lines beyond these are left to `timeseries.csv`.
const LINES_MOST: usize = PALETTE.len();
const SERVICES_MOST: usize = 6;
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Marks without a letter beyond these would only blacken a chart.
const MARKS_MOST: usize = 60;

/// A figure with what the page says around it.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) svg: String,
    pub(super) legend: Vec<Key>,
    pub(super) remark: String,
    pub(super) wide: bool,
}

/// What a colour stands for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) colour: String,
    pub(super) name: String,
}

/// What a letter stands for.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) letter: String,
    pub(super) colour: String,
    pub(super) when: String,
    pub(super) what: String,
}

/// All figures that have something to show, in order.
pub(super) fn all(report: &Report) -> Vec<Figure> {
    let (bands, _) = bands(report);
    let mut figures = Vec::new();
    figures.extend(latency(report, &bands));
    figures.extend(requests(report, &bands));
    figures.extend(errors(report, &bands));
    figures.extend(tasks(report, &bands));
    figures.extend(utilisation(report, &bands));
    figures.extend(cache_hits(report, &bands));
    figures.extend(heat::maps(report));
    figures.extend(distribution(report));
    figures
}

fn band_colour(kind: &str) -> RGBColor {
    match kind {
        "fault" => RED,
        "failover" => PALETTE[4],
        _ => PALETTE[5],
    }
}

/// Faults, deployments and failovers of replication 0: what lasted as a band with a letter, what did not as a mark, with a
/// letter unless it is a step of a band.
pub(super) fn bands(report: &Report) -> (Vec<Band>, Vec<Letter>) {
    let drawn = |event: &&Event| matches!(event.kind, "fault" | "deployment" | "failover");
    let mut events: Vec<&Event> = report.events.iter().filter(drawn).collect();
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    // What is over in the instant in which it begins is no band of its own.
    let lasts = |event: &Event| event.until_s.is_some_and(|until| until > event.at_s);
    let holds = |band: &Event, event: &Event| {
        let until = band.until_s.unwrap_or(band.at_s);
        lasts(band)
            && band.kind == event.kind
            && band.subject == event.subject
            && band.at_s <= event.at_s
            && event.at_s <= until
    };
    let (mut bands, mut letters) = (Vec::new(), Vec::new());
    if report.warm_up_s > 0.0 {
        bands.push(Band { colour: PALETTE[7], from: 0.0, until: report.warm_up_s, letter: String::new() });
    }
    let mut names = LETTERS.chars();
    let mut marks = 0;
    for event in &events {
        let until = event.until_s.unwrap_or(event.at_s);
        let lasts = lasts(event);
        let is_step = !lasts && events.iter().any(|band| holds(band, event));
        let letter = if is_step { None } else { names.next() };
        if letter.is_none() {
            marks += 1;
            if marks > MARKS_MOST {
                continue;
            }
        }
        let colour = band_colour(event.kind);
        let letter = letter.map(String::from).unwrap_or_default();
        if !letter.is_empty() {
            let when = if lasts { format!("{}–{}", clock(event.at_s), clock(until)) } else { clock(event.at_s) };
            let what = format!("{} {}: {}", event.kind, event.subject, event.what);
            letters.push(Letter { letter: letter.clone(), colour: css(colour), when, what });
        }
        bands.push(Band { colour, from: event.at_s, until, letter });
    }
    (bands, letters)
}

fn of_group(report: &Report, group: Group) -> Vec<&SeriesReport> {
    report.series.iter().filter(|series| series.group == group).collect()
}

fn has_values(series: &SeriesReport) -> bool {
    series.values.iter().any(|value| value.is_finite())
}

fn mean(series: &SeriesReport) -> f64 {
    let known: Vec<f64> = series.values.iter().copied().filter(|value| value.is_finite()).collect();
    if known.is_empty() { 0.0 } else { known.iter().sum::<f64>() / known.len() as f64 }
}

fn highest(series: &[&SeriesReport]) -> f64 {
    let upper = series.iter().flat_map(|one| one.values.iter().zip(&one.half_widths));
    let upper = upper.map(|(value, half)| value + if half.is_finite() { *half } else { 0.0 });
    upper.filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// A series as a line through the middles of its bins, with `scale` applied to values.
fn line(series: &SeriesReport, colour: RGBColor, floor: f64, scale: impl Fn(f64) -> f64) -> Line {
    let at = |bin: usize| (bin as f64 + 0.5) * series.bin_s;
    let points = series.values.iter().enumerate().map(|(bin, value)| (at(bin), value_or_gap(*value, &scale))).collect();
    let both = series.values.iter().zip(&series.half_widths);
    let interval = both.map(|(value, half)| {
        let edge = |edge: f64| value_or_gap(edge, |value| scale(value.max(floor)));
        (edge(value - half), edge(value + half))
    });
    Line { colour, points, interval: interval.collect(), weight: 1.6 }
}

fn value_or_gap(value: f64, scale: impl Fn(f64) -> f64) -> f64 {
    if value.is_finite() { scale(value) } else { f64::NAN }
}

fn legend<'a>(names: impl IntoIterator<Item = (&'a str, RGBColor)>) -> Vec<Key> {
    names.into_iter().map(|(name, colour)| Key { colour: css(colour), name: name.to_owned() }).collect()
}

fn interval_remark(report: &Report) -> String {
    if report.replications > 1 { "Pale: the interval of the mean over replications.".to_owned() } else { String::new() }
}

/// An axis for latencies, whether it is logarithmic, and the lowest of them; none if there are none.
fn latency_axis(series: &[&SeriesReport]) -> Option<(Axis, bool, f64)> {
    let positive = series.iter().flat_map(|one| &one.values).copied().filter(|value| value.is_finite() && *value > 0.0);
    let (low, high) =
        positive.fold((f64::INFINITY, 0.0), |(low, high), value| (f64::min(low, value), f64::max(high, value)));
    if high == 0.0 {
        return None;
    }
    let logarithmic = high > 30.0 * low;
    let y = if logarithmic {
        axes::log_seconds(low, high, "latency, log scale")
    } else {
        axes::linear(Unit::Seconds, highest(series), "latency")
    };
    Some((y, logarithmic, low))
}

fn latency(report: &Report, bands: &[Band]) -> Option<Figure> {
    let series: Vec<_> = of_group(report, Group::Latency).into_iter().filter(|one| has_values(one)).collect();
    let (y, logarithmic, low) = latency_axis(&series)?;
    let colours = [BLUE, AMBER, RED, PALETTE[4], PALETTE[3]];
    let coloured: Vec<_> = series.iter().zip(colours.into_iter().cycle()).collect();
    let floor = if logarithmic { low } else { 0.0 };
    let end = y.range.end;
    let scale = |value: f64| (if logarithmic { axes::log10(value) } else { value }).min(end);
    let lines = coloured.iter().map(|(one, colour)| line(one, *colour, floor, scale)).collect();
    let chart =
        Chart { size: (WIDE, 320), x: axes::time(report.horizon_s), y, bands: bands.to_vec(), areas: vec![], lines };
    Some(Figure {
        title: "Latency percentiles over time".to_owned(),
        svg: chart.svg(),
        legend: legend(coloured.iter().map(|(one, colour)| (one.name.as_str(), *colour))),
        remark: interval_remark(report),
        wide: true,
    })
}

/// All ended operations, and those of them that failed.
fn requests(report: &Report, bands: &[Band]) -> Option<Figure> {
    let series = of_group(report, Group::Requests);
    let good: Vec<_> = series.into_iter().filter(|one| one.name == "succeeded").collect();
    let failed = failures(report)?;
    let mut lines: Vec<_> = good.iter().map(|one| line(one, BLUE, 0.0, |value| value)).collect();
    lines.push(line(&failed, RED, 0.0, |value| value));
    let high = highest(&good).max(failed.values.iter().copied().fold(0.0, f64::max));
    let y = axes::linear(Unit::Rate, high, "operations per second");
    let chart =
        Chart { size: (WIDE, 260), x: axes::time(report.horizon_s), y, bands: bands.to_vec(), areas: vec![], lines };
    Some(Figure {
        title: "Requests ended per second".to_owned(),
        svg: chart.svg(),
        legend: legend([("succeeded", BLUE), ("failed", RED)]),
        remark: interval_remark(report),
        wide: true,
    })
}

fn errors(report: &Report, bands: &[Band]) -> Option<Figure> {
    let series = of_group(report, Group::Requests).into_iter().filter(|one| one.name != "succeeded");
    let mut series: Vec<_> = series.filter(|one| mean(one) > 0.0).collect();
    series.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    lines_figure(report, bands, "Errors per second by cause", &series, |high| {
        axes::linear(Unit::Rate, high, "operations per second")
    })
}

fn utilisation(report: &Report, bands: &[Band]) -> Option<Figure> {
    let mut series: Vec<_> = of_group(report, Group::Utilisation).into_iter().filter(|one| has_values(one)).collect();
    series.sort_by(|a, b| highest(&[*b]).total_cmp(&highest(&[*a])));
    lines_figure(report, bands, "Utilisation by tier", &series, |_| axes::share("busy share of servers"))
}

/// Hit ratios over time, by behaviour.
fn cache_hits(report: &Report, bands: &[Band]) -> Option<Figure> {
    let series: Vec<_> = of_group(report, Group::CacheHits).into_iter().filter(|one| has_values(one)).collect();
    lines_figure(report, bands, "Cache hit ratio by behaviour", &series, |_| axes::share("answered without the origin"))
}

fn lines_figure(
    report: &Report,
    bands: &[Band],
    title: &str,
    series: &[&SeriesReport],
    axis: impl Fn(f64) -> Axis,
) -> Option<Figure> {
    let shown = &series[..series.len().min(LINES_MOST)];
    if shown.is_empty() {
        return None;
    }
    let y = axis(highest(shown));
    let end = y.range.end;
    let colours = [RED, BLUE, AMBER, PALETTE[3], PALETTE[4], PALETTE[5], PALETTE[6], PALETTE[7]];
    let coloured: Vec<_> = shown.iter().zip(colours.into_iter().cycle()).collect();
    let lines = coloured.iter().map(|(one, colour)| line(one, *colour, 0.0, |value| value.min(end))).collect();
    let chart =
        Chart { size: (WIDE, 260), x: axes::time(report.horizon_s), y, bands: bands.to_vec(), areas: vec![], lines };
    let left_out = series.len() - shown.len();
    let more =
        if left_out > 0 { format!(" {} more in timeseries.csv.", several(left_out, "line")) } else { String::new() };
    Some(Figure {
        title: title.to_owned(),
        svg: chart.svg(),
        legend: legend(coloured.iter().map(|(one, colour)| (one.name.as_str(), *colour))),
        remark: format!("{}{more}", interval_remark(report)).trim().to_owned(),
        wide: true,
    })
}

/// A figure for each service, group and cluster: how many tasks, instances or readers there are.
fn tasks(report: &Report, bands: &[Band]) -> Vec<Figure> {
    let series = of_group(report, Group::Tasks);
    let mut owners: Vec<&str> = Vec::new();
    for one in &series {
        let (owner, _) = of_whom(&one.name);
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let figures = owners.iter().take(SERVICES_MOST).map(|owner| {
        let own: Vec<_> = series.iter().copied().filter(|one| of_whom(&one.name).0 == *owner).collect();
        numbers(report, bands, owner, &own)
    });
    figures.flatten().collect()
}

/// `ecs.web rev 1` is the revision `rev 1` of `ecs.web`; `ecs.web desired` its desired count.
fn of_whom(name: &str) -> (&str, &str) {
    name.split_once(' ').unwrap_or((name, name))
}

/// Revisions stacked, or whatever there is beside the desired number; the rest as lines.
fn numbers(report: &Report, bands: &[Band], owner: &str, series: &[&SeriesReport]) -> Option<Figure> {
    let what = |one: &SeriesReport| of_whom(&one.name).1.to_owned();
    let by_revision = series.iter().any(|one| what(one).starts_with("rev "));
    let first = series.iter().find(|one| what(one) != "desired").map(|one| &one.name);
    let is_area =
        |one: &SeriesReport| if by_revision { what(one).starts_with("rev ") } else { Some(&one.name) == first };
    let (stacked, others): (Vec<_>, Vec<_>) = series.iter().copied().partition(|one| is_area(one));
    let bin_s = series.first()?.bin_s;
    let bins = series.iter().map(|one| one.values.len()).max().filter(|bins| *bins > 0)?;
    let mut base = vec![0.0; bins];
    let mut areas = Vec::new();
    let colours = || [PALETTE[5], BLUE, AMBER, PALETTE[3], PALETTE[4], PALETTE[6], PALETTE[7], RED].into_iter().cycle();
    for (one, colour) in stacked.iter().zip(colours()) {
        let here = |bin: usize| one.values.get(bin).copied().filter(|value| value.is_finite()).unwrap_or(0.0);
        let top: Vec<f64> = base.iter().enumerate().map(|(bin, base)| base + here(bin)).collect();
        let outline = steps(&top, bin_s).into_iter().chain(steps(&base, bin_s).into_iter().rev()).collect();
        areas.push(Area { colour, opacity: 0.8, outline });
        base = top;
    }
    let line_colours = || [SLATE, RED, PALETTE[3]].into_iter().cycle();
    let lines: Vec<_> = others
        .iter()
        .zip(line_colours())
        .map(|(one, colour)| Line { colour, points: steps(&one.values, bin_s), interval: vec![], weight: 2.0 })
        .collect();
    let values = others.iter().flat_map(|one| &one.values).chain(&base);
    let high = values.copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let noun = match owner.split('.').next() {
        Some("ec2") => "Instances",
        Some("aurora") => "Readers",
        _ => "Tasks",
    };
    let y = axes::linear(Unit::Count, high, &noun.to_lowercase());
    let chart = Chart { size: (WIDE, 220), x: axes::time(report.horizon_s), y, bands: bands.to_vec(), areas, lines };
    let keys = stacked.iter().zip(colours()).chain(others.iter().zip(line_colours()));
    let legend = legend(keys.map(|(one, colour)| (of_whom(&one.name).1, colour)));
    let remark = if report.replications > 1 { "Means over replications.".to_owned() } else { String::new() };
    let title = format!("{noun} of {owner}{}", if by_revision { " by revision" } else { "" });
    Some(Figure { title, svg: chart.svg(), legend, remark, wide: true })
}

/// The corners of a staircase.
fn steps(values: &[f64], bin_s: f64) -> Vec<(f64, f64)> {
    let corners = values
        .iter()
        .enumerate()
        .flat_map(|(bin, value)| [(bin as f64 * bin_s, *value), ((bin + 1) as f64 * bin_s, *value)]);
    corners.collect()
}

/// How latencies are distributed: how many there are of each size, and how many are slower.
fn distribution(report: &Report) -> Vec<Figure> {
    let buckets = &report.latency_histogram;
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Vec::new() };
    let total: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let low = lowest(first);
    let title = "latency, log scale";
    let pooled = "All replications together; operations that succeeded.";

    const BINS: usize = 60;
    let (from, until) = (axes::log10(low), axes::log10(last.upper));
    let width = ((until - from) / BINS as f64).max(0.005);
    let mut counts = vec![0.0; BINS + 1];
    for bucket in buckets {
        // A bucket wider than a bin is spread over the bins it covers.
        let (a, b) = (axes::log10(bucket.lower.max(low)), axes::log10(bucket.upper));
        let bin = |at: f64| (((at - from) / width).max(0.0) as usize).min(BINS);
        for (index, share) in counts.iter_mut().enumerate().take(bin(b) + 1).skip(bin(a)) {
            let (left, right) = (from + index as f64 * width, from + (index + 1) as f64 * width);
            let overlap = (b.min(right) - a.max(left)).max(0.0);
            let part = if b > a { overlap / (b - a) } else { 1.0 };
            *share += part * bucket.count as f64 / total as f64;
        }
    }
    let highest = counts.iter().copied().fold(0.0, f64::max);
    let mut outline = vec![(from, 0.0)];
    for (index, share) in counts.iter().enumerate() {
        outline.extend([(from + index as f64 * width, *share), (from + (index + 1) as f64 * width, *share)]);
    }
    outline.push((from + (BINS + 1) as f64 * width, 0.0));
    let histogram = Chart {
        size: (HALF, 280),
        x: half(axes::log_seconds(low, last.upper, title)),
        y: axes::linear(Unit::Share, highest, "share of operations"),
        bands: vec![],
        areas: vec![Area { colour: BLUE, opacity: 0.6, outline }],
        lines: vec![],
    };

    let least = 1.0 / total.max(1) as f64;
    let points = tail_points(buckets, low);
    let tail = Chart {
        size: (HALF, 280),
        x: half(axes::log_seconds(low, last.upper, title)),
        y: axes::percentiles(least),
        bands: vec![],
        areas: vec![],
        lines: vec![Line { colour: BLUE, points, interval: vec![], weight: 1.8 }],
    };
    let figure = |title: &str, chart: &Chart| Figure {
        title: title.to_owned(),
        svg: chart.svg(),
        legend: vec![],
        remark: pooled.to_owned(),
        wide: false,
    };
    vec![figure("Latency distribution", &histogram), figure("Latency tail: what share is slower", &tail)]
}

/// What share of operations is slower than a latency, both as logarithms to base ten.
fn tail_points(buckets: &[Bucket], low: f64) -> Vec<(f64, f64)> {
    let total: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let mut slower = total;
    let mut points = vec![(axes::log10(low), 0.0)];
    for bucket in buckets {
        slower -= bucket.count;
        if slower > 0 {
            points.push((axes::log10(bucket.upper), axes::log10(slower as f64 / total as f64)));
        }
    }
    let end = buckets.last().map_or(low, |last| last.upper);
    points.push((axes::log10(end), axes::log10(1.0 / total.max(1) as f64)));
    points
}

/// Where the first bucket begins on a logarithmic axis.
fn lowest(first: &Bucket) -> f64 {
    if first.lower > 0.0 { first.lower } else { first.upper / 2.0 }
}

/// Operations per second that failed, by bin.
fn failures(report: &Report) -> Option<SeriesReport> {
    let series = of_group(report, Group::Requests);
    let first = *series.first()?;
    let bins = series.iter().map(|one| one.values.len()).max().unwrap_or(0);
    let bad = || series.iter().filter(|one| one.name != "succeeded");
    let sum = |bin: usize| bad().filter_map(|one| one.values.get(bin)).filter(|value| value.is_finite()).sum::<f64>();
    let values = (0..bins).map(sum).collect();
    Some(SeriesReport { values, half_widths: vec![], name: "failed".to_owned(), ..first.clone() })
}

/// Fewer labels, for a chart of half the width.
fn half(mut axis: Axis) -> Axis {
    let every = axis.ticks.len().div_ceil(7).max(1);
    for (index, (_, label)) in axis.ticks.iter_mut().enumerate() {
        if index % every != 0 {
            label.clear();
        }
    }
    axis
}
