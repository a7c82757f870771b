//! One chart as SVG text: axes with ticks of our choosing, bands, lines with their intervals, stacked areas.
//!
//! Charts hold no text of a scenario: names stand in the page's legends, where the template escapes them.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Charts are drawn this many times larger than they are shown, because the SVG writer rounds to whole units.
const FINE: i32 = 4;
const INK: RGBColor = RGBColor(0x4A, 0x56, 0x63);
/// The page's style sheet gives these two other shades on a dark ground, so they stand there too.
const GRID: RGBColor = RGBColor(0xE3, 0xE8, 0xED);
const AXIS: RGBColor = RGBColor(0x9A, 0xA5, 0xB1);

/// Okabe and Ito's palette, which colour-blind readers can tell apart, without black and yellow.
pub(super) const PALETTE: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x7F, 0x6A, 0xC9),
    RGBColor(0x8C, 0x8C, 0x8C),
];

/// A colour as CSS.
pub(super) fn css(colour: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

/// An axis: what it spans, and its ticks with labels.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) title: String,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, until): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        from + (f64::from(until - from) * share).round() as i32
    }
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.iter().map(|(at, _)| *at).collect() }
    }
    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(at, _)| at == value).map_or_else(String::new, |(_, label)| label.clone())
    }
}

/// A line through points; NaN breaks it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) colour: RGBColor,
    pub(super) points: Vec<(f64, f64)>,
    /// Lower and upper edge of the interval at each point; may be empty.
    pub(super) interval: Vec<(f64, f64)>,
    /// Thickness in pixels.
    pub(super) weight: f64,
}

/// A filled polygon.
#[derive(Clone, Debug)]
pub(super) struct Area {
    pub(super) colour: RGBColor,
    pub(super) opacity: f64,
    pub(super) outline: Vec<(f64, f64)>,
}

/// A shaded span of the horizontal axis, or a mark where `from` equals `until`; the letter stands above it.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) colour: RGBColor,
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) letter: String,
}

/// A short text centred on a point.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) at: (f64, f64),
    pub(super) text: String,
    /// Whether it stands on a dark ground.
    pub(super) light: bool,
}

/// A chart; sizes in pixels.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) size: (i32, i32),
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) bands: Vec<Band>,
    pub(super) areas: Vec<Area>,
    pub(super) lines: Vec<Line>,
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;
type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Chart {
    /// The chart as an `<svg>` element without fixed size.
    pub(super) fn svg(&self) -> String {
        self.svg_with(&[])
    }

    /// The same with texts on top of it.
    pub(super) fn svg_with(&self, labels: &[Label]) -> String {
        draw(self.size, |root| self.draw(root, labels))
    }

    fn draw<'a>(&self, root: &Root<'a>, labels: &[Label]) -> Drawn<'a> {
        let mut chart = ChartBuilder::on(root)
            .margin_top(22 * FINE)
            .margin_right(16 * FINE)
            .margin_bottom(4 * FINE)
            .margin_left(4 * FINE)
            .x_label_area_size(40 * FINE)
            .y_label_area_size(74 * FINE)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .light_line_style(TRANSPARENT)
            .axis_style(AXIS.stroke_width(FINE as u32))
            .set_all_tick_mark_size(4 * FINE)
            .label_style(("sans-serif", f64::from(15 * FINE)).into_font().color(&INK))
            .axis_desc_style(("sans-serif", f64::from(15 * FINE)).into_font().color(&INK))
            .x_desc(&self.x.title)
            .y_desc(&self.y.title)
            .draw()?;
        let (bottom, top) = (self.y.range.start, self.y.range.end);
        let clipped = |x: f64| x.clamp(self.x.range.start, self.x.range.end);
        let mut free_from = i32::MIN;
        for band in &self.bands {
            let (from, until) = (clipped(band.from), clipped(band.until));
            if until > from {
                let fill = band.colour.mix(0.13).filled();
                chart.draw_series([Rectangle::new([(from, bottom), (until, top)], fill)])?;
            }
            let edge = band.colour.mix(0.65).stroke_width((FINE * 5 / 4) as u32);
            chart.draw_series([PathElement::new(vec![(from, bottom), (from, top)], edge)])?;
            if !band.letter.is_empty() {
                let (x, y) = chart.backend_coord(&(from, top));
                let x = x.max(free_from);
                free_from = x + 13 * FINE;
                let style = ("sans-serif", f64::from(15 * FINE)).into_font().style(FontStyle::Bold);
                root.draw(&Text::new(band.letter.clone(), (x - 4 * FINE, y - 17 * FINE), style.color(&INK)))?;
            }
        }
        for area in self.areas.iter().filter(|area| area.outline.len() > 2) {
            let fill = area.colour.mix(area.opacity).filled();
            chart.draw_series([Polygon::new(area.outline.clone(), fill)])?;
        }
        for line in &self.lines {
            for outline in interval_outlines(line) {
                chart.draw_series([Polygon::new(outline, line.colour.mix(0.18).filled())])?;
            }
        }
        for line in &self.lines {
            let weight = (line.weight * f64::from(FINE)).round() as u32;
            for run in unbroken(&line.points) {
                let style = line.colour.stroke_width(weight);
                if run.len() == 1 {
                    chart.draw_series([Circle::new(run[0], weight, line.colour.filled())])?;
                } else {
                    chart.draw_series([PathElement::new(run.to_vec(), style)])?;
                }
            }
        }
        for label in labels {
            let colour = if label.light { WHITE } else { BLACK };
            let style = ("sans-serif", f64::from(11 * FINE)).into_font().color(&colour);
            let style = style.pos(Pos::new(HPos::Center, VPos::Center));
            root.draw(&Text::new(label.text.clone(), chart.backend_coord(&label.at), style))?;
        }
        Ok(())
    }
}

/// A line without axes, as small as a word.
pub(super) fn sparkline(values: &[f64], size: (i32, i32)) -> String {
    let known = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = known().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return String::new();
    }
    let (low, high) = (low.min(0.0), if high > low.min(0.0) { high } else { low.min(0.0) + 1.0 });
    draw(size, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(2 * FINE)
            .build_cartesian_2d(0.0..(values.len().max(2) - 1) as f64, low..high)?;
        let points: Vec<_> = values.iter().enumerate().map(|(index, value)| (index as f64, *value)).collect();
        for run in unbroken(&points) {
            let style = PALETTE[0].stroke_width((FINE * 5 / 4) as u32);
            if run.len() == 1 {
                chart.draw_series([Circle::new(run[0], FINE, PALETTE[0].filled())])?;
            } else {
                chart.draw_series([PathElement::new(run.to_vec(), style)])?;
            }
        }
        Ok(())
    })
}

/// Shares over time as shades of a strip: 0 is pale, 1 is dark, nothing is blank.
pub(super) fn strip(values: &[f64], size: (i32, i32)) -> String {
    draw(size, |root| {
        let mut chart = ChartBuilder::on(root).build_cartesian_2d(0.0..values.len().max(1) as f64, 0.0..1.0)?;
        let mut at = 0;
        for alike in values.chunk_by(|a, b| a.to_bits() == b.to_bits()) {
            let (from, to) = (at as f64, (at + alike.len()) as f64);
            at += alike.len();
            if alike[0].is_finite() {
                let shade = PALETTE[2].mix(0.06 + 0.94 * alike[0].clamp(0.0, 1.0)).filled();
                chart.draw_series([Rectangle::new([(from, 0.0), (to, 1.0)], shade)])?;
            }
        }
        Ok(())
    })
}

/// A stretch of time in a colour, between two shares of a strip's height.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    pub(super) colour: RGBColor,
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Blocks as a strip on a pale ground.
pub(super) fn blocks(blocks: &[Block], within: (f64, f64), size: (i32, i32)) -> String {
    draw(size, |root| {
        let mut chart = ChartBuilder::on(root).build_cartesian_2d(within.0..within.1, 0.0..1.0)?;
        let ground = [(within.0, 0.0), (within.1, 0.04)];
        chart.draw_series([Rectangle::new(ground, GRID.filled())])?;
        for block in blocks {
            let corners = [(block.from, block.low), (block.until, block.high)];
            chart.draw_series([Rectangle::new(corners, block.colour.filled())])?;
        }
        Ok(())
    })
}

/// The axis of such strips alone.
pub(super) fn ticks(ticks: &[(f64, String)], within: (f64, f64), size: (i32, i32)) -> String {
    draw(size, |root| {
        let mut chart = ChartBuilder::on(root).build_cartesian_2d(within.0..within.1, 0.0..1.0)?;
        chart
            .draw_series([PathElement::new(vec![(within.0, 1.0), (within.1, 1.0)], AXIS.stroke_width(FINE as u32))])?;
        for (at, label) in ticks {
            chart.draw_series([PathElement::new(vec![(*at, 1.0), (*at, 0.75)], AXIS.stroke_width(FINE as u32))])?;
            let (x, y) = chart.backend_coord(&(*at, 0.65));
            let style = ("sans-serif", f64::from(12 * FINE)).into_font().color(&INK);
            // At the ends the labels stay inside.
            let margin = (label.len() as i32) * 3 * FINE + FINE;
            let x = x.clamp(margin, size.0 * FINE - margin);
            root.draw(&Text::new(label.clone(), (x, y), style.pos(Pos::new(HPos::Center, VPos::Top))))?;
        }
        Ok(())
    })
}

/// An interval beside zero, as small as a word: a dot for the value, a bar for what it may be, a line for zero. `reach` is the end of the
/// scale on both sides.
pub(super) fn whisker(value: f64, half_width: f64, reach: f64, size: (i32, i32)) -> String {
    if !value.is_finite() || !half_width.is_finite() || reach <= 0.0 {
        return String::new();
    }
    draw(size, |root| {
        let mut chart = ChartBuilder::on(root).margin(2 * FINE).build_cartesian_2d(-reach..reach, -1.0..1.0)?;
        let zero = AXIS.stroke_width(FINE as u32);
        chart.draw_series([PathElement::new(vec![(0.0, -1.0), (0.0, 1.0)], zero)])?;
        let bar = PALETTE[0].stroke_width((FINE * 2) as u32);
        chart.draw_series([PathElement::new(vec![(value - half_width, 0.0), (value + half_width, 0.0)], bar)])?;
        chart.draw_series([Circle::new((value, 0.0), FINE * 4, PALETTE[0].filled())])?;
        Ok(())
    })
}

/// Draws into text and strips the size, so that the page decides it.
fn draw(size: (i32, i32), paint: impl for<'a> FnOnce(&Root<'a>) -> Drawn<'a>) -> String {
    let (width, height) = ((size.0 * FINE) as u32, (size.1 * FINE) as u32);
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        let drawn = paint(&root).and_then(|()| root.present());
        debug_assert!(drawn.is_ok(), "text can always be written: {drawn:?}");
    }
    let sized = format!("<svg width=\"{width}\" height=\"{height}\"");
    text.replacen(&sized, "<svg class=\"chart\"", 1)
}

/// The stretches of a line between its gaps.
fn unbroken(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points.split(|(x, y)| !x.is_finite() || !y.is_finite()).filter(|run| !run.is_empty())
}

/// The interval of a line as polygons, one a stretch.
fn interval_outlines(line: &Line) -> Vec<Vec<(f64, f64)>> {
    let edges: Vec<_> = line.points.iter().zip(&line.interval).map(|((x, _), (low, high))| (*x, *low, *high)).collect();
    let known = |edge: &(f64, f64, f64)| edge.1.is_finite() && edge.2.is_finite();
    let runs = edges.split(|edge| !known(edge)).filter(|run| run.len() > 1);
    runs.map(|run| {
        let there = run.iter().map(|(x, _, high)| (*x, *high));
        there.chain(run.iter().rev().map(|(x, low, _)| (*x, *low))).collect()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(title: &str) -> Axis {
        Axis {
            range: 0.0..1.0,
            ticks: vec![(0.0, "<0>".to_owned()), (1.0, "1 & \"more\"".to_owned())],
            title: title.into(),
        }
    }

    #[test]
    fn text_in_a_chart_is_escaped_and_the_chart_well_formed() {
        let line = Line { colour: PALETTE[0], points: vec![(0.0, 0.5), (1.0, 0.7)], interval: vec![], weight: 1.5 };
        let band = Band { colour: PALETTE[2], from: 0.2, until: 0.4, letter: "<b>".into() };
        let chart = Chart {
            size: (400, 200),
            x: axis("</text><script>alert(1)</script>"),
            y: axis("y"),
            bands: vec![band],
            areas: vec![],
            lines: vec![line],
        };
        let svg = chart.svg();
        assert!(svg.starts_with("<svg class=\"chart\""));
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("&lt;script&gt;") && svg.contains("&lt;0&gt;") && svg.contains("1 &amp;"));
        assert_eq!(svg, chart.svg());
    }

    #[test]
    fn gaps_break_lines_and_lone_points_are_dots() {
        let nan = f64::NAN;
        let points = [(0.0, 1.0), (1.0, nan), (2.0, 1.0), (3.0, 2.0)];
        assert_eq!(unbroken(&points).map(<[_]>::len).collect::<Vec<_>>(), [1, 2]);
        let parts = |values: &[f64]| strip(values, (100, 10)).matches("<rect").count();
        assert_eq!([parts(&[nan]), parts(&[0.0, 0.0, 1.0, nan, 0.5])], [0, 3]);
        assert!(sparkline(&[nan, nan], (100, 20)).is_empty());
        assert!(sparkline(&[nan, 3.0, nan], (100, 20)).contains("<circle"));
        assert!(sparkline(&[0.0], (100, 20)).contains("<circle"));
    }
}
