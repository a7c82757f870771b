//! A figure over a factor: a curve with its band, and what is expected of it.

use plotters::style::RGBColor;

use super::axes;
use super::chart::{Axis, Band, Chart, Line, PALETTE, css};
use super::figures::{Figure as Drawn, Key};
use crate::format::{Unit, shorten, tame};
use crate::sweep::{Bound, Factor, Figure, last_words};

/// So many characters of labels stand side by side below an axis.
const LABELS_WIDE: usize = 54;
/// Ticks closer than this share of an axis would overlap.
const TICK_APART: f64 = 0.07;
/// Values that span more than this are drawn on a logarithmic scale.
const LOGARITHMIC: f64 = 30.0;

/// A figure of one level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dot {
    /// Its index among the factor's levels.
    pub(super) level: usize,
    pub(super) figure: Figure,
    pub(super) colour: RGBColor,
}

/// A figure over the levels of a factor.
pub(super) struct Curve<'a> {
    pub(super) metric: &'a str,
    pub(super) factor: &'a Factor,
    pub(super) dots: Vec<Dot>,
    pub(super) bounds: Vec<&'a Bound>,
    /// Whether there is something between the levels that a line can go through.
    pub(super) joined: bool,
    /// The level that was chosen.
    pub(super) mark: Option<usize>,
}

impl Curve<'_> {
    /// The figure, if any level has a value.
    pub(super) fn draw(mut self) -> Option<Drawn> {
        let places = places(self.factor);
        self.dots.sort_by(|a, b| places[a.level].total_cmp(&places[b.level]));
        let limits: Vec<f64> = self.bounds.iter().flat_map(|bound| [bound.min, bound.max]).flatten().collect();
        let (scale, y) = self.scale(&limits)?;
        let x = axis(self.factor, &places, self.factor.amounts.is_none().then_some(0.5), below(self.factor));
        // Bands end at the axis, not below it.
        let at = |value: f64| scale.place(value).max(y.range.start);
        let band = |edges: fn(&Figure) -> (f64, f64)| -> Vec<(f64, f64)> {
            self.dots.iter().map(|dot| edges(&dot.figure)).map(|(low, high)| (at(low), at(high))).collect()
        };
        let points: Vec<(f64, f64)> = self.dots.iter().map(|dot| (places[dot.level], at(value(&dot.figure)))).collect();
        let mut lines = self.bands(&points, band(range), band(interval));
        for (dot, point) in self.dots.iter().zip(&points) {
            lines.push(Line { colour: dot.colour, points: vec![*point], interval: vec![], weight: 3.0 });
        }
        for limit in &limits {
            let ends = vec![(x.range.start, at(*limit)), (x.range.end, at(*limit))];
            lines.push(Line { colour: PALETTE[2], points: ends, interval: vec![], weight: 1.5 });
        }
        let svg = Chart { size: (470, 300), x, y, bands: self.marks(&places), areas: vec![], lines }.svg();
        let mut legend = vec![Key { colour: css(PALETTE[0]), name: tame(self.metric) }];
        legend.extend(self.bounds.iter().map(|bound| Key { colour: css(PALETTE[2]), name: tame(&bound.text) }));
        Some(figure(self.metric, svg, legend))
    }

    /// The vertical scale and its axis.
    fn scale(&self, limits: &[f64]) -> Option<(Scale, Axis)> {
        let unit = Unit::of_path(self.metric);
        let values = || self.dots.iter().map(|dot| value(&dot.figure));
        extent(values())?;
        let ends = self.dots.iter().flat_map(|dot| [interval(&dot.figure).1, range(&dot.figure).1]);
        let (_, high) = extent(values().chain(ends).chain(limits.iter().copied()))?;
        let scale = Scale::of(unit, values().chain(limits.iter().copied()));
        let axis = match scale {
            Scale::Linear => axes::linear(unit, high, ""),
            Scale::Logarithmic => {
                let (low, _) = extent(values().chain(limits.iter().copied()).filter(|value| *value > 0.0))?;
                axes::log_seconds(low, high, "")
            }
        };
        Some((scale, axis))
    }

    /// Lines with bands, or bars where nothing is between the levels: pale for the cases of ranges, strong for intervals.
    fn bands(&self, points: &[(f64, f64)], ranges: Vec<(f64, f64)>, intervals: Vec<(f64, f64)>) -> Vec<Line> {
        if self.joined {
            let line = |colour, interval, weight| Line { colour, points: points.to_vec(), interval, weight };
            let ranged = ranges.iter().any(|(low, _)| low.is_finite());
            let pale = ranged.then(|| line(PALETTE[5], ranges, 1.0));
            return pale.into_iter().chain([line(PALETTE[0], intervals, 2.0)]).collect();
        }
        let bars = |colour, edges: Vec<(f64, f64)>, weight| {
            let bar = move |((x, _), (low, high)): (&(f64, f64), (f64, f64))| {
                let points = if low.is_finite() && high.is_finite() { vec![(*x, low), (*x, high)] } else { vec![] };
                Line { colour, points, interval: vec![], weight }
            };
            points.iter().zip(edges).map(bar).collect::<Vec<_>>()
        };
        let mut lines = bars(PALETTE[5], ranges, 1.5);
        lines.extend(bars(PALETTE[0], intervals, 4.0));
        lines
    }

    fn marks(&self, places: &[f64]) -> Vec<Band> {
        mark(self.mark.map(|level| places[level]))
    }
}

/// A stroke through a chart at what was chosen.
pub(super) fn mark(at: Option<f64>) -> Vec<Band> {
    let stroke = |at| Band { colour: PALETTE[3], from: at, until: at, letter: String::new() };
    at.map(stroke).into_iter().collect()
}

fn value(it: &Figure) -> f64 {
    it.value.unwrap_or(f64::NAN)
}

fn interval(it: &Figure) -> (f64, f64) {
    it.half_width.map_or((f64::NAN, f64::NAN), |half| (value(it) - half, value(it) + half))
}

fn range(it: &Figure) -> (f64, f64) {
    (it.low.unwrap_or(f64::NAN), it.high.unwrap_or(f64::NAN))
}

/// A figure of half the page's width.
pub(super) fn figure(title: &str, svg: String, legend: Vec<Key>) -> Drawn {
    Drawn { title: title.to_owned(), svg, legend, remark: String::new(), wide: false }
}

/// Where the levels of a factor stand: at their amounts, at the logarithms of those where they grow by a factor, or side by side.
pub(super) fn places(factor: &Factor) -> Vec<f64> {
    let side_by_side = || (0..factor.levels.len()).map(|index| index as f64).collect();
    let Some(amounts) = &factor.amounts else { return side_by_side() };
    let ratios: Vec<f64> = amounts.windows(2).map(|pair| pair[1] / pair[0]).collect();
    let geometric = amounts.len() > 3
        && amounts.iter().all(|amount| *amount > 0.0)
        && ratios.iter().all(|ratio| (ratio / ratios[0] - 1.0).abs() < 0.05 && *ratio > 1.2);
    if geometric { amounts.iter().map(|amount| axes::log10(*amount)).collect() } else { amounts.clone() }
}

/// The axis of a factor, its levels as ticks with room for so many characters of a label and of its title.
pub(super) fn axis(factor: &Factor, places: &[f64], margin: Option<f64>, (most, title): (usize, usize)) -> Axis {
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
pub(super) fn below(factor: &Factor) -> (usize, usize) {
    let most = if factor.amounts.is_some() { LABELS_WIDE } else { (LABELS_WIDE / factor.levels.len()).max(8) };
    (most, LABELS_WIDE)
}

/// The smallest and the largest of numbers.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |extent, value| {
        Some(extent.map_or((value, value), |(low, high): (f64, f64)| (low.min(value), high.max(value))))
    })
}

/// How values become heights and colours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

impl Scale {
    /// Times that span much are shown by their logarithms.
    pub(super) fn of(unit: Unit, values: impl Iterator<Item = f64>) -> Self {
        let positive = extent(values.filter(|value| *value > 0.0));
        let wide = positive.is_some_and(|(low, high)| high / low > LOGARITHMIC);
        if unit == Unit::Seconds && wide { Self::Logarithmic } else { Self::Linear }
    }
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            _ if value.is_nan() => value,
            Self::Logarithmic => axes::log10(value),
        }
    }
}
