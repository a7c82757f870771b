//! The ledger as strips over time, one for each incident, component, probe and route, coloured by phase.

use plotters::style::RGBColor;

use super::super::axes;
use super::super::chart::{self, PALETTE, Span, css};
use super::{Key, SLATE};
use crate::model::{PhaseSpan, Report};
use crate::phases::{PHASES, place_of};

/// Strips beyond these are left to `ledger.csv`.
const STRIPS_MOST: usize = 40;
const SIZE: (i32, i32) = (760, 14);
/// Of the time that is shown, so much lies before the first incident and after the last.
const MARGIN: f64 = 0.08;
/// A colour for each phase, in their order, that colour-blind readers can tell apart.
const COLOURS: [RGBColor; 6] = [PALETTE[2], PALETTE[1], PALETTE[5], PALETTE[0], PALETTE[3], RGBColor(0xC6, 0xCD, 0xD4)];

/// The strips of replication 0.
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
    let all = all_spans(report);
    let within = range(report, &all)?;
    let more = all.len().saturating_sub(STRIPS_MOST);
    let rows = all.into_iter().take(STRIPS_MOST).map(|(kind, name, spans)| {
        let svg = chart::spans(&spans, within, SIZE);
        Strip { kind, name, svg }
    });
    let phases =
        PHASES.iter().zip(COLOURS).map(|((_, name), colour)| Key { colour: css(colour), name: (*name).to_owned() });
    let legend = phases.chain([Key { colour: css(SLATE), name: "down".to_owned() }]).collect();
    let ticks = axes::time_between(within.0, within.1);
    Some(Strips { rows: rows.collect(), axis: chart::ticks(&ticks, within, (SIZE.0, 20)), legend, more })
}

type Row = (&'static str, String, Vec<Span>);

fn all_spans(report: &Report) -> Vec<Row> {
    let ledger = &report.ledger_windows;
    let mut rows: Vec<Row> = Vec::new();
    for incident in &ledger.incidents {
        rows.push(("incident", incident.name.clone(), coloured(&incident.phases)));
        let parts = incident.parts.iter();
        rows.extend(parts.map(|part| ("component", part.component.clone(), coloured(&part.phases))));
    }
    for witness in ["probe", "component"] {
        let mut names: Vec<&str> = Vec::new();
        for outage in ledger.outages.iter().filter(|outage| outage.witness == witness) {
            if !names.contains(&outage.who.as_str()) {
                names.push(&outage.who);
            }
        }
        for name in names {
            let own = ledger.outages.iter().filter(|it| it.witness == witness && it.who == name);
            let spans = own.map(|it| Span { colour: SLATE, from: it.from_s, until: it.until_s });
            rows.push((if witness == "probe" { "probe" } else { "down" }, name.to_owned(), spans.collect()));
        }
    }
    for (name, _) in report.figures.routes.iter() {
        let windows = report.downtime_windows.iter().filter(|window| window.route == name && !window.in_warm_up);
        let spans: Vec<Span> = windows.flat_map(|window| coloured(&window.phases)).collect();
        if !spans.is_empty() {
            rows.push(("route", name.to_owned(), spans));
        }
    }
    rows
}

fn coloured(phases: &[PhaseSpan]) -> Vec<Span> {
    let span = |it: &PhaseSpan| Span { colour: COLOURS[place_of(it.phase)], from: it.from_s, until: it.until_s };
    phases.iter().map(span).collect()
}

/// What is shown of the run: from shortly before the first thing to shortly after the last.
fn range(report: &Report, rows: &[Row]) -> Option<(f64, f64)> {
    let spans = || rows.iter().flat_map(|(_, _, spans)| spans);
    let (first, last) =
        spans().fold((f64::INFINITY, 0.0_f64), |(first, last), span| (first.min(span.from), last.max(span.until)));
    if first >= last {
        return None;
    }
    let margin = (last - first) * MARGIN;
    Some(((first - margin).max(0.0), (last + margin).min(report.horizon_s)))
}
