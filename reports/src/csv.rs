//! `timeseries.csv` and `events.csv`.

use csv::Writer;

use crate::model::ledger::LedgerReport;
use crate::model::{Event, Report};

impl Report {
    /// Series as a table: a row a bin, with the bin's start in `time_s`; two columns a series, its mean over the replications
    /// and the half width of the interval. A cell without value is empty.
    #[must_use]
    pub fn timeseries_csv(&self) -> String {
        let mut header = vec!["time_s".to_owned()];
        for series in &self.series {
            let name = format!("{}: {} [{}]", series.group.name(), series.name, series.unit);
            header.push(name.clone());
            header.push(format!("{name} half width"));
        }
        let bins = self.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
        let bin_s = self.series.first().map_or(0.0, |series| series.bin_s);
        let rows = (0..bins).map(|bin| {
            let cells =
                self.series.iter().flat_map(|series| [cell(&series.values, bin), cell(&series.half_widths, bin)]);
            [shortest(bin as f64 * bin_s)].into_iter().chain(cells).collect()
        });
        table(header, rows)
    }

    /// The downtime ledger of all replications: incidents, their phases, operations lost, outages.
    #[must_use]
    pub fn ledger_csv(&self) -> String {
        let header = [
            "record",
            "replication",
            "incident",
            "kind",
            "component",
            "phase",
            "route",
            "cause",
            "from_s",
            "until_s",
            "lost",
        ];
        let ledgers = [&self.ledger_windows].into_iter().chain(&self.later_ledgers).zip(&self.per_replication);
        let rows = ledgers.flat_map(|(ledger, one)| ledger_rows(one.replication, ledger));
        table(header.map(str::to_owned).to_vec(), rows)
    }

    /// What happened when, in all replications: a row an event.
    #[must_use]
    pub fn events_csv(&self) -> String {
        let header = ["replication", "at_s", "until_s", "kind", "subject", "what"].map(str::to_owned).to_vec();
        let row = |event: &Event| {
            let until = event.until_s.map(shortest).unwrap_or_default();
            let text = [event.kind, &event.subject, &event.what].map(str::to_owned);
            [event.replication.to_string(), shortest(event.at_s), until].into_iter().chain(text).collect()
        };
        table(header, self.events.iter().chain(&self.later_events).map(row))
    }
}

/// The downtime ledger of all replications: a row a stretch of a phase (of an incident or of a component of it), a row for operations
/// lost, a row an outage.
fn ledger_rows(replication: u32, ledger: &LedgerReport) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = |cells: [&str; 7], from: Option<f64>, until: Option<f64>, lost: Option<u64>| {
        let mut all = vec![cells[0].to_owned(), replication.to_string()];
        all.extend(cells[1..].iter().map(|cell| (*cell).to_owned()));
        all.extend([from, until].map(|at| at.map(shortest).unwrap_or_default()));
        all.push(lost.map(|count| count.to_string()).unwrap_or_default());
        rows.push(all);
    };
    for it in &ledger.incidents {
        row(["incident", &it.name, it.kind, "", "", "", ""], Some(it.from_s), it.until_s, None);
        let own = it.phases.iter().map(|span| ("", span));
        let parts = it.parts.iter().flat_map(|part| part.phases.iter().map(|span| (part.component.as_str(), span)));
        for (component, span) in own.chain(parts) {
            let phase = span.phase.unwrap_or_default();
            row(["phase", &it.name, it.kind, component, phase, "", ""], Some(span.from_s), Some(span.until_s), None);
        }
        for lost in &it.lost {
            let phase = lost.phase.unwrap_or_default();
            row(["lost", &it.name, it.kind, "", phase, &lost.route, &lost.cause], None, None, Some(lost.count));
        }
    }
    for lost in &ledger.outside {
        row(["lost", "", "", "", "", &lost.route, &lost.cause], None, None, Some(lost.count));
    }
    for outage in &ledger.outages {
        row(["outage", "", outage.witness, &outage.who, "", "", ""], Some(outage.from_s), Some(outage.until_s), None);
    }
    rows
}

/// A value to nine digits, or nothing.
fn cell(values: &[f64], bin: usize) -> String {
    match values.get(bin) {
        Some(value) if value.is_finite() => shortest(format!("{value:.8e}").parse().unwrap_or(*value)),
        _ => String::new(),
    }
}

/// The shortest decimal that reads back as the same number.
pub(crate) fn shortest(value: f64) -> String {
    value.to_string()
}

pub(crate) fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = Writer::from_writer(Vec::new());
    for row in [header].into_iter().chain(rows) {
        let written = writer.write_record(&row);
        debug_assert!(written.is_ok(), "rows are of equal length: {written:?}");
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}
