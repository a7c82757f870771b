//! The ledger as strips over time, one for each incident, component, probe and route, coloured by phase. The height of a colour is
//! the share of the replications that are in that phase at that time.

use plotters::style::RGBColor;

use super::super::axes;
use super::super::chart::{self, Block, PALETTE, css};
use super::{Key, SLATE};
use crate::model::ledger::LedgerReport;
use crate::model::{PhaseSpan, Report, Window};
use crate::phases::{PHASES, place_of};

/// Strips beyond these are left to `ledger.csv`.
const STRIPS_MOST: usize = 40;
const SIZE: (i32, i32) = (760, 14);
/// Of several replications: high enough for their shares to be seen.
const TALLER: (i32, i32) = (760, 22);
/// Of the time that is shown, so much lies before the first incident and after the last.
const MARGIN: f64 = 0.08;
/// A colour for each phase, in their order, that colour-blind readers can tell apart; then that of being down.
const COLOURS: [RGBColor; 7] =
    [PALETTE[2], PALETTE[1], PALETTE[5], PALETTE[0], PALETTE[3], RGBColor(0xC6, 0xCD, 0xD4), SLATE];
/// The place of being down among the colours.
const DOWN: usize = 6;

/// The strips of all replications.
#[derive(Clone, Debug)]
pub(in super::super) struct Strips {
    pub(in super::super) rows: Vec<Strip>,
    /// The axis below them.
    pub(in super::super) axis: String,
    pub(in super::super) legend: Vec<Key>,
    /// Strips that were left out.
    pub(in super::super) more: usize,
}

/// A strip with what stands before it.
#[derive(Clone, Debug)]
pub(in super::super) struct Strip {
    /// `incident`, `component`, `probe` or `route`.
    pub(in super::super) kind: &'static str,
    pub(in super::super) name: String,
    pub(in super::super) svg: String,
}

/// The strips, if anything happened or anybody was down.
pub(in super::super) fn strips(report: &Report) -> Option<Strips> {
    let rows = Rows::of(report);
    let within = range(report, &rows)?;
    let more = rows.0.len().saturating_sub(STRIPS_MOST);
    let replications = report.later_ledgers.len() + 1;
    let size = if replications > 1 { TALLER } else { SIZE };
    let strips = rows.0.into_iter().take(STRIPS_MOST).map(|row| {
        let svg = chart::blocks(&stacked(&row.spans, replications, within), within, size);
        Strip { kind: row.kind, name: row.name, svg }
    });
    let phases =
        PHASES.iter().zip(COLOURS).map(|((_, name), colour)| Key { colour: css(colour), name: (*name).to_owned() });
    let legend = phases.chain([Key { colour: css(SLATE), name: "down".to_owned() }]).collect();
    let ticks = axes::time_between(within.0, within.1);
    Some(Strips { rows: strips.collect(), axis: chart::ticks(&ticks, within, (SIZE.0, 20)), legend, more })
}

/// A stretch of time of a replication in one of the colours.
#[derive(Clone, Copy, Debug)]
struct Span {
    replication: usize,
    colour: usize,
    from: f64,
    until: f64,
}

/// What is told of one in all replications.
#[derive(Debug)]
struct Row {
    kind: &'static str,
    /// The incident that it is a part of.
    of: String,
    name: String,
    spans: Vec<Span>,
}

/// In order of appearance; parts of an incident stand below it.
#[derive(Debug, Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn of(report: &Report) -> Self {
        let mut rows = Self::default();
        let ledgers = [&report.ledger_windows].into_iter().chain(&report.later_ledgers);
        for (replication, ledger) in ledgers.clone().enumerate() {
            rows.incidents(replication, ledger);
        }
        for witness in ["probe", "component"] {
            for (replication, ledger) in ledgers.clone().enumerate() {
                for outage in ledger.outages.iter().filter(|outage| outage.witness == witness) {
                    let kind = if witness == "probe" { "probe" } else { "down" };
                    let span = Span { replication, colour: DOWN, from: outage.from_s, until: outage.until_s };
                    rows.at(kind, "", &outage.who).spans.push(span);
                }
            }
        }
        let windows = [&report.downtime_windows].into_iter().chain(&report.later_windows);
        for (route, _) in report.figures.routes.iter() {
            for (replication, windows) in windows.clone().enumerate() {
                let seen = |window: &&Window| window.route == route && !window.in_warm_up && !window.phases.is_empty();
                for window in windows.iter().filter(seen) {
                    rows.at("route", "", route).add(replication, &window.phases);
                }
            }
        }
        rows
    }

    fn incidents(&mut self, replication: usize, ledger: &LedgerReport) {
        for incident in &ledger.incidents {
            self.at("incident", &incident.name, &incident.name).add(replication, &incident.phases);
            for part in &incident.parts {
                self.at("component", &incident.name, &part.component).add(replication, &part.phases);
            }
        }
    }

    /// The row of somebody, which is made if there is none: behind the last one that belongs to the same.
    fn at(&mut self, kind: &'static str, of: &str, name: &str) -> &mut Row {
        let found = self.0.iter().position(|row| (row.kind, row.of.as_str(), row.name.as_str()) == (kind, of, name));
        let at = found.unwrap_or_else(|| {
            let behind = self.0.iter().rposition(|row| !of.is_empty() && row.of == of);
            let at = behind.map_or(self.0.len(), |last| last + 1);
            self.0.insert(at, Row { kind, of: of.to_owned(), name: name.to_owned(), spans: Vec::new() });
            at
        });
        &mut self.0[at]
    }
}

impl Row {
    fn add(&mut self, replication: usize, phases: &[PhaseSpan]) {
        let span =
            |it: &PhaseSpan| Span { replication, colour: place_of(it.phase), from: it.from_s, until: it.until_s };
        self.spans.extend(phases.iter().map(span));
    }
}

/// How many replications are in what at each time, stacked in the colours' order. A replication is in what it is in for longest of a
/// stretch as wide as a line, so that nothing is too short to be seen.
fn stacked(spans: &[Span], replications: usize, within: (f64, f64)) -> Vec<Block> {
    let slots = SIZE.0 as usize;
    let width = (within.1 - within.0) / slots as f64;
    let slot_of = |at: f64| (((at - within.0) / width).max(0.0) as usize).min(slots - 1);
    let mut longest = vec![vec![(0.0_f64, None); replications]; slots];
    for span in spans {
        let slots = longest.iter_mut().enumerate().take(slot_of(span.until) + 1).skip(slot_of(span.from));
        for (slot, replications) in slots {
            let begin = within.0 + slot as f64 * width;
            let covered = span.until.min(begin + width) - span.from.max(begin);
            let present = &mut replications[span.replication];
            if covered > present.0 {
                *present = (covered, Some(span.colour));
            }
        }
    }
    let counts = longest.iter().map(|slot| {
        let mut counts = [0_usize; COLOURS.len()];
        slot.iter().filter_map(|(_, colour)| *colour).for_each(|colour| counts[colour] += 1);
        counts
    });
    let counts: Vec<_> = counts.collect();
    let mut blocks = Vec::new();
    let mut at = 0;
    for alike in counts.chunk_by(|a, b| a == b) {
        let [from, until] = [at, at + alike.len()].map(|slot| within.0 + slot as f64 * width);
        at += alike.len();
        let mut below = 0;
        for (colour, &count) in COLOURS.iter().zip(&alike[0]).filter(|(_, count)| **count > 0) {
            let [low, high] = [below, below + count].map(|count| count as f64 / replications as f64);
            below += count;
            blocks.push(Block { colour: *colour, from, until, low, high });
        }
    }
    blocks
}

/// What is shown of the run: from shortly before the first thing to shortly after the last.
fn range(report: &Report, rows: &Rows) -> Option<(f64, f64)> {
    let spans = rows.0.iter().flat_map(|row| &row.spans);
    let (first, last) =
        spans.fold((f64::INFINITY, 0.0_f64), |(first, last), span| (first.min(span.from), last.max(span.until)));
    if first >= last {
        return None;
    }
    let margin = (last - first) * MARGIN;
    Some(((first - margin).max(0.0), (last + margin).min(report.horizon_s)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of four replications two are in detection from 100 to 200 s, and one of them in recovery then; a third is down for an instant.
    #[test]
    fn a_colours_height_is_the_share_of_replications() {
        let span = |replication, colour, from, until| Span { replication, colour, from, until };
        let spans =
            [span(0, 0, 100.0, 200.0), span(1, 0, 100.0, 200.0), span(1, 3, 200.0, 300.0), span(2, DOWN, 700.0, 700.1)];
        let blocks = stacked(&spans, 4, (0.0, 760.0));
        let told: Vec<_> = blocks.iter().map(|it| (it.colour, it.from, it.until, it.low, it.high)).collect();
        assert_eq!(
            told,
            [
                (COLOURS[0], 100.0, 200.0, 0.0, 0.5),
                (COLOURS[3], 200.0, 300.0, 0.0, 0.25),
                (SLATE, 700.0, 701.0, 0.0, 0.25)
            ]
        );
    }
}
