//! The summary for a terminal: one screen, the verdict first.

mod ledger;

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::estimate::over_replications;
use crate::format::{NONE, Parts, Unit, all_hold, clock, figure, parts, plain, several, shorten, span, tame};
use crate::model::{Caution, Estimate, ExpectationResult, LatencyEstimate, Outcome, Report, Route};

/// Routes, causes, windows and stations beyond these are left to the files.
const ROUTES_MOST: usize = 8;
const CAUSES_MOST: usize = 6;
const WINDOWS_MOST: usize = 5;
const STATIONS_MOST: usize = 5;
const CAUTIONS_MOST: usize = 4;
const TABLE_ROWS_MOST: usize = 8;
/// Narrower than this nothing can be shown.
const WIDTH_LEAST: usize = 60;

impl Report {
    /// The summary: verdict, what bound first, throughput, latency by route, errors, downtime, stations. Tables are at most
    /// `width` columns wide; colours are put in only if `colour`.
    #[must_use]
    pub fn to_terminal(&self, colour: bool, width: usize) -> String {
        let mut page = Page::new(colour, width);
        page.verdict(self);
        page.setting(self);
        page.cautions(self);
        page.bottleneck(self);
        page.totals(self);
        page.latency(self);
        page.errors(self);
        page.downtime(self);
        page.availability(self);
        page.ledger(self);
        page.stations(self);
        page.tables(self);
        page.cost(self);
        page.footer(self);
        page.text
    }
}

/// Puts colours in, or does not.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    colour: bool,
}

impl Ink {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("1;32", text)
    }
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// A text for a terminal, as it grows.
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) ink: Ink,
    width: usize,
}

impl Page {
    pub(crate) fn new(colour: bool, width: usize) -> Self {
        Self { text: String::new(), ink: Ink { colour }, width: width.max(WIDTH_LEAST) }
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A paragraph broken at the width, its later lines indented.
    pub(crate) fn wrapped(&mut self, text: &str, indent: usize) {
        let mut line = String::new();
        let mut used = 0;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > self.width {
                let full = std::mem::replace(&mut line, " ".repeat(indent));
                self.line(&full);
                used = indent;
            } else if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        self.line(&line);
    }

    pub(crate) fn heading(&mut self, title: &str, remark: &str) {
        let remark = if remark.is_empty() { String::new() } else { self.ink.dim(&format!("  {remark}")) };
        let title = format!("\n{}{remark}", self.ink.bold(title));
        self.line(&title);
    }

    pub(crate) fn table(&mut self, table: &Table) {
        for line in table.to_string().lines() {
            let line = dimmed(line, self.ink);
            self.line(&line);
        }
    }

    pub(crate) fn new_table(&self, header: &[&str], left: usize) -> Table {
        let mut table = Table::new();
        let width = u16::try_from(self.width).unwrap_or(u16::MAX);
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        table.set_header(header.iter().map(Cell::new).collect::<Vec<_>>());
        for (index, column) in table.column_iter_mut().enumerate() {
            if index >= left {
                column.set_cell_alignment(CellAlignment::Right);
            }
            column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        }
        table
    }

    fn verdict(&mut self, report: &Report) {
        let all = report.expectations.len();
        let failed = report.verdict.expectations_failed;
        if !report.verdict.audit_passed {
            let laws = report.audit.iter().filter(|law| !law.holds).count();
            let line = self.ink.bad("BROKEN");
            let line = format!("{line}  the run's audit failed ({}): do not trust these figures", several(laws, "law"));
            self.line(&line);
        }
        let line = match (all, failed) {
            (0, _) => format!("{}  no expectations stated", self.ink.bold("DONE")),
            (_, 0) => format!("{}  {}", self.ink.good("PASS"), all_hold(all)),
            _ => format!("{}  {failed} of {} failed", self.ink.bad("FAIL"), several(all, "expectation")),
        };
        self.line(&line);
        for expectation in &report.expectations {
            self.expectation(expectation);
        }
    }

    fn expectation(&mut self, expectation: &ExpectationResult) {
        let mark = match expectation.verdict {
            Outcome::Pass => self.ink.good("pass"),
            Outcome::Fail => self.ink.bad("FAIL"),
        };
        let what = expectation_text(expectation);
        let estimate = Estimate { value: expectation.value, half_width: expectation.half_width };
        let value = figure(Unit::of_path(&expectation.metric), &estimate);
        let line = format!("  {mark}  {:<46}  {value}", shorten(&what, 60));
        self.line(&line);
        if let Some(note) = &expectation.note {
            let note = self.ink.dim(&shorten(&tame(note), self.width.saturating_sub(8)));
            self.line(&format!("        {note}"));
        }
    }

    fn setting(&mut self, report: &Report) {
        let title = tame(if report.title.is_empty() { &report.scenario } else { &report.title });
        let named = if report.title.is_empty() { String::new() } else { format!(" ({})", tame(&report.scenario)) };
        self.line("");
        let line = format!(
            "{}{named}",
            self.ink.bold(&shorten(&title, self.width.saturating_sub(named.chars().count()).max(20)))
        );
        self.line(&line);
        self.wrapped(&setting(report), 0);
    }

    fn cautions(&mut self, report: &Report) {
        if report.cautions.is_empty() {
            return;
        }
        self.heading("To be taken with care", "");
        for caution in report.cautions.iter().take(CAUTIONS_MOST) {
            self.wrapped(&format!("- {}", caution_text(caution)), 2);
        }
        self.more(report.cautions.len(), CAUTIONS_MOST, "caution");
    }

    fn bottleneck(&mut self, report: &Report) {
        self.heading("What bound first", "");
        self.wrapped(&tame(&report.bottleneck.text), 0);
    }

    fn totals(&mut self, report: &Report) {
        let total = &report.figures.total;
        let requests = &total.requests;
        self.heading("Requests", "operations by arrival after the warm-up, a replication");
        let count = |estimate: &Estimate| figure(Unit::Count, estimate);
        let mut table = self.new_table(&["started", "succeeded", "failed", "in flight at end", "attempts"], 0);
        let figures =
            [&requests.started, &requests.succeeded, &requests.failed, &requests.in_flight, &requests.attempts];
        table.add_row(figures.map(count));
        self.table(&table);
        let line = format!(
            "  throughput {}   availability {}   mean latency {}",
            figure(Unit::Rate, &total.throughput),
            figure(Unit::Share, &total.availability),
            figure(Unit::Seconds, &total.latency.mean.estimate()),
        );
        let line = dimmed(&line, self.ink);
        self.line(&line);
    }

    fn latency(&mut self, report: &Report) {
        self.heading("Latency by route", "operations that succeeded, from their intended start");
        let mut table = self.new_table(&["route", "p50", "p90", "p95", "p99", "p99.9", "max"], 1);
        let mut weak = false;
        let name_width = self.width.saturating_sub(6 * 12).max(12);
        let total = [("all", &report.figures.total)];
        let routes = report.figures.routes.iter();
        let shown =
            total.into_iter().chain(routes.take(if report.figures.routes.len() == 1 { 0 } else { ROUTES_MOST }));
        for (name, route) in shown {
            let name = if report.figures.routes.len() == 1 {
                report.figures.routes.iter().next().map_or(name, |(only, _)| only)
            } else {
                name
            };
            let (first, second) = latency_rows(&shorten(&tame(name), name_width), route, &mut weak);
            table.add_row(first);
            if report.has_intervals() {
                table.add_row(second);
            }
        }
        self.table(&table);
        self.more(report.figures.routes.len(), ROUTES_MOST, "route");
        if weak {
            let line = self.ink.dim("  * fewer than ten operations a replication lie beyond it: weak");
            self.line(&line);
        }
    }

    pub(crate) fn more(&mut self, all: usize, most: usize, noun: &str) {
        if all > most {
            let line = self.ink.dim(&format!("  and {} more in report.json", several(all - most, noun)));
            self.line(&line);
        }
    }

    fn errors(&mut self, report: &Report) {
        let errors = &report.figures.total.errors;
        let occurred: Vec<_> = errors.iter().filter(|(_, count)| count.value > 0.0).collect();
        if occurred.is_empty() {
            self.heading("Errors", "none");
            return;
        }
        self.heading("Errors", "operations that failed, by cause, a replication");
        let mut table = self.new_table(&["cause", "operations", "of all", "most in"], 1);
        if let Some(column) = table.column_mut(3) {
            column.set_cell_alignment(CellAlignment::Left);
        }
        for (cause, count) in occurred.iter().take(CAUSES_MOST) {
            let share = figure(Unit::Share, &error_share(report, cause));
            let worst = worst_route(report, cause);
            table.add_row([shorten(&tame(cause), 40), figure(Unit::Count, count), share, shorten(&worst, 30)]);
        }
        self.table(&table);
        self.more(occurred.len(), CAUSES_MOST, "cause");
    }

    fn downtime(&mut self, report: &Report) {
        let down = &report.figures.total.downtime;
        if report.downtime_windows.is_empty() && (down.windows.value == 0.0 || down.windows.value.is_nan()) {
            self.heading("Downtime", "none");
            return;
        }
        let many = report.replications > 1;
        self.heading("Downtime", if many { "windows of replication 0" } else { "" });
        let line = format!(
            "  {} in {} windows, {} operations lost",
            figure(Unit::Seconds, &down.total_s),
            figure(Unit::Count, &down.windows),
            figure(Unit::Count, &down.lost),
        );
        let line = dimmed(&line, self.ink);
        self.line(&line);
        self.downtime_by_phase(report);
        let mut table = self.new_table(&["from", "for", "route", "lost", "of", "cause", "blamed on"], 1);
        for (index, alignment) in [(2, CellAlignment::Left), (5, CellAlignment::Left), (6, CellAlignment::Left)] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(alignment);
            }
        }
        for window in report.downtime_windows.iter().take(WINDOWS_MOST) {
            table.add_row([
                clock(window.from_s),
                span(window.duration_s),
                shorten(&tame(&window.route), 24),
                plain(Unit::Count, window.lost as f64),
                plain(Unit::Count, window.started as f64),
                shorten(&tame(&window.cause), 20),
                shorten(&tame(window.blamed_on.as_deref().unwrap_or(NONE)), 40),
            ]);
        }
        if !report.downtime_windows.is_empty() {
            self.table(&table);
        }
        self.more(report.downtime_windows.len(), WINDOWS_MOST, "window");
    }

    fn stations(&mut self, report: &Report) {
        let mut stations = report.figures.stations.clone();
        if stations.is_empty() {
            return;
        }
        stations.sort_descending_by_key(|station| station.figures.utilisation_peak.value);
        self.heading("Stations", "the busiest first");
        let header = ["station", "server", "number", "utilisation", "busiest minute", "in system", "mean wait"];
        let mut table = self.new_table(&header, 2);
        for (name, station) in stations.iter().take(STATIONS_MOST) {
            let it = &station.figures;
            let (mut first, mut second) = (vec![shorten(&tame(name), 32)], vec![String::new()]);
            let figures = [
                (Unit::Count, &it.servers),
                (Unit::Share, &it.utilisation),
                (Unit::Share, &it.utilisation_peak),
                (Unit::Count, &it.mean_in_system),
                (Unit::Seconds, &it.mean_wait),
            ];
            for (unit, estimate) in figures {
                let Parts { value, half_width } = parts(unit, estimate);
                first.push(value);
                second.push(half_width.map(|half| format!("± {half}")).unwrap_or_default());
            }
            first.insert(1, shorten(&tame(&station.resource), 12));
            second.insert(1, String::new());
            table.add_row(first);
            if report.has_intervals() {
                table.add_row(second);
            }
        }
        self.table(&table);
        self.more(stations.len(), STATIONS_MOST, "station");
    }

    fn tables(&mut self, report: &Report) {
        for one in &report.tables {
            // What is nothing in every row is left to the files.
            let says = |column: &usize| one.rows.iter().any(|row| row.values[*column].value > 0.0);
            let columns: Vec<usize> = (0..one.columns.len()).filter(says).collect();
            self.heading(&tame(&one.title), "");
            let names = columns.iter().map(|&column| one.columns[column].name.as_str());
            let header: Vec<String> = [one.rows_are.as_str()].into_iter().chain(names).map(tame).collect();
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            let mut table = self.new_table(&header, 1);
            for row in one.rows.iter().take(TABLE_ROWS_MOST) {
                let cell =
                    |&column: &usize| plain(Unit::of_column(&one.columns[column].unit), row.values[column].value);
                let name = shorten(&tame(&row.name), 40);
                table.add_row([name].into_iter().chain(columns.iter().map(cell)).collect::<Vec<_>>());
            }
            self.table(&table);
            self.more(one.rows.len(), TABLE_ROWS_MOST, "row");
        }
    }

    fn footer(&mut self, report: &Report) {
        for law in report.audit.iter().filter(|law| !law.holds) {
            let line = format!("{} {}: {}", self.ink.bad("audit"), tame(&law.law), tame(&law.found));
            self.line(&line);
        }
        if !report.notes.is_empty() {
            self.line("");
        }
        for note in report.notes.iter().take(3) {
            self.wrapped(&format!("note: {}", tame(note)), 6);
        }
        self.more(report.notes.len(), 3, "note");
    }
}

/// The expectation as written, with its route where the text does not name it.
pub(crate) fn expectation_text(expectation: &ExpectationResult) -> String {
    let text = tame(&expectation.text);
    match &expectation.route {
        Some(route) if !text.contains(route.as_str()) => format!("{text} on {}", tame(route)),
        _ => text,
    }
}

/// What is doubtful and what would help, in sentences.
pub(crate) fn caution_text(caution: &Caution) -> String {
    let advice = caution.advice.as_ref().map_or_else(String::new, |advice| format!(" What helps: {advice}."));
    tame(&format!("{}{advice}", caution.text))
}

/// What was run, in a sentence.
pub(crate) fn setting(report: &Report) -> String {
    let mut text = format!("{} of {}", several(report.replications as usize, "replication"), span(report.horizon_s));
    text.push_str(&left_out(report));
    if let Some(precision) = report.precision.as_ref().filter(|precision| precision.reached) {
        let (metric, route) = (&precision.metric, &precision.route);
        let on = route.as_ref().map_or_else(String::new, |route| format!(" of {}", tame(route)));
        let reached = plain(Unit::Share, precision.reached_relative);
        let _ = write!(text, ", which brought {metric}{on} to ± {reached} of itself");
    }
    let _ = write!(text, "; seed {}; ", report.seed);
    match (&report.interval.note, report.replications) {
        (Some(note), 0 | 1) => text.push_str(note),
        _ => {
            let level = plain(Unit::Share, report.interval.confidence);
            let _ = write!(text, "± is half the {level} Student interval of the mean over replications");
        }
    }
    text
}

/// How much of the start is left out, and how that was found; empty if it was given and is nothing.
pub(crate) fn left_out(report: &Report) -> String {
    let time = span(report.warm_up_s);
    match &report.warm_up_found {
        Some(found) if !found.settled => format!(", the first {time} left out (MSER-5 found no end of the warm-up)"),
        Some(_) if report.warm_up_s > 0.0 => format!(", the first {time} left out (found by MSER-5)"),
        Some(_) => ", nothing left out (MSER-5 found no warm-up)".to_owned(),
        None if report.warm_up_s > 0.0 => format!(", the first {time} left out"),
        None => String::new(),
    }
}

/// The share of all operations that failed for a cause.
pub(crate) fn error_share(report: &Report, cause: &str) -> Estimate {
    over_replications(report, |one| {
        let total = &one.figures.total;
        total.errors.get(cause).copied().unwrap_or(0.0) / total.requests.started
    })
}

/// The route in which a cause struck most operations.
pub(crate) fn worst_route(report: &Report, cause: &str) -> String {
    let mut worst: Option<(f64, &str)> = None;
    for (name, route) in report.figures.routes.iter() {
        let here = route.errors.get(cause).map_or(0.0, |count| count.value);
        if here > 0.0 && worst.is_none_or(|(most, _)| here > most) {
            worst = Some((here, name));
        }
    }
    worst.map_or_else(|| NONE.to_owned(), |(_, name)| tame(name))
}

/// Values in one row, half widths below them.
fn latency_rows(name: &str, route: &Route<Estimate, LatencyEstimate>, weak: &mut bool) -> (Vec<String>, Vec<String>) {
    let latency = &route.latency;
    let (mut first, mut second) = (vec![name.to_owned()], vec![String::new()]);
    for figure in [&latency.p50, &latency.p90, &latency.p95, &latency.p99, &latency.p999, &latency.max] {
        let Parts { value, half_width } = parts(Unit::Seconds, &figure.estimate());
        let marked = figure.weak && figure.value.is_finite();
        *weak |= marked;
        first.push(if marked { format!("{value}*") } else { value });
        second.push(half_width.map(|half| format!("± {half}")).unwrap_or_default());
    }
    (first, second)
}

/// Dims every `± x` of a line.
fn dimmed(line: &str, ink: Ink) -> String {
    if !ink.colour {
        return line.to_owned();
    }
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("± ") {
        let number = &rest[at + "± ".len()..];
        let length = number.find(char::is_whitespace).unwrap_or(number.len());
        let end = at + "± ".len() + length;
        out.push_str(&rest[..at]);
        out.push_str(&ink.dim(&rest[at..end]));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}
