//! `report.html`: one file, nothing fetched, no scripts; figures as inline SVG. Every text of a scenario goes through the
//! template's escaping.

mod axes;
mod chart;
mod compare;
mod curve;
mod figures;
mod find;
mod ledger;
mod shades;
mod sweep;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use self::figures::{Figure, Letter};
use crate::format::{NONE, Parts, Unit, all_hold, clock, figure, parts, plain, several, span};
use crate::model::{Estimate, Group, LatencyEstimate, Outcome, Report, Route, Row, Station, TableReport};
use crate::terminal::{caution_text, error_share, expectation_text, setting, worst_route};

pub(crate) use sweep::{figures as sweep_figures, page as sweep_page};

/// What all pages have in common.
const PAGE: &str = include_str!("page.html");
const TEMPLATE: &str = include_str!("template.html");
const STYLE: &str = include_str!("style.css");
/// Longer event logs are cut; `events.csv` has them whole.
const EVENTS_MOST: usize = 1000;
/// Longer event logs than this are folded.
const EVENTS_OPEN: usize = 25;
/// Longer tables of services than this are folded.
const TABLE_OPEN: usize = 15;

/// A page from a template that extends `page.html`, every text in it escaped.
fn render(template: &str, view: Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    match SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        Ok(syntax) => environment.set_syntax(syntax),
        Err(error) => debug_assert!(false, "the syntax is the usual one: {error}"),
    }
    environment.add_global("style", Value::from_safe_string(STYLE.trim_end().to_owned()));
    let page = environment.add_template("page.html", PAGE).and_then(|()| environment.render_str(template, view));
    debug_assert!(page.is_ok(), "the template fits its view: {page:?}");
    page.map(|page| page + "\n").unwrap_or_default()
}

impl Report {
    /// The report as one HTML page that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        render(TEMPLATE, self.view())
    }

    fn view(&self) -> Value {
        let (_, letters) = figures::bands(self);
        let letters: Vec<Value> = letters.into_iter().map(letter_view).collect();
        let figures: Vec<Value> = figures::all(self).into_iter().map(figure_view).collect();
        context! {
            title => if self.title.is_empty() { &self.scenario } else { &self.title },
            scenario => self.scenario.clone(),
            description => self.description.clone(),
            version => self.version.clone(),
            schema_version => self.schema_version,
            setting => setting(self),
            interval_note => self.interval.note.clone(),
            verdict => self.verdict_view(),
            expectations => self.expectations_view(),
            cautions => self.cautions.iter().map(caution_text).collect::<Vec<_>>(),
            bottleneck => self.bottleneck.text.clone(),
            tiles => self.tiles(),
            requests => self.requests_view(),
            routes => self.routes_view(),
            any_weak => self.any_weak(),
            letters => letters,
            figures => figures,
            errors => self.errors_view(),
            downtime => self.downtime_view(),
            ledger => ledger::view(self),
            stations => self.figures.stations.iter().map(|(name, it)| station_view(name, it)).collect::<Vec<_>>(),
            bill => self.bill.as_ref().map(crate::cost::CostReport::view),
            tables => self.tables.iter().map(table_view).collect::<Vec<_>>(),
            counters => self.counters_view(),
            alarms => self.alarms_view(),
            metrics => self.metrics_view(),
            events => self.events_view(),
            events_all => self.events.len(),
            events_open => self.events.len() <= EVENTS_OPEN,
            events_most => EVENTS_MOST,
            events_dropped => self.events_dropped,
            notes => self.notes.clone(),
            audit => self.audit.iter().map(|law| context! {
                law => law.law.clone(), found => law.found.clone(), holds => law.holds, failed_in => several(law.failed_in.len(), "replication"),
            }).collect::<Vec<_>>(),
            warm_up => self.warm_up_s > 0.0,
            many => self.replications > 1,
            digests => self.per_replication.iter().map(|one| one.digest.as_str()).collect::<Vec<_>>().join(" "),
        }
    }

    fn verdict_view(&self) -> Value {
        let (failed, all) = (self.verdict.expectations_failed, self.expectations.len());
        let (class, word, text) = match (self.verdict.audit_passed, all, failed) {
            (false, _, _) => ("bad", "Broken", "the run's audit failed: do not trust these figures".to_owned()),
            (_, 0, _) => ("plain", "Done", "no expectations stated".to_owned()),
            (_, _, 0) => ("good", "Pass", all_hold(all)),
            _ => ("bad", "Fail", format!("{failed} of {} failed", several(all, "expectation"))),
        };
        context! { class, word, text }
    }

    fn expectations_view(&self) -> Vec<Value> {
        let view = |one: &crate::model::ExpectationResult| {
            let estimate = Estimate { value: one.value, half_width: one.half_width };
            let passed = one.verdict == Outcome::Pass;
            context! {
                text => expectation_text(one),
                value => number(Unit::of_path(&one.metric), &estimate),
                passed,
                uncertain => one.uncertain,
                note => one.note.clone(),
            }
        };
        self.expectations.iter().map(view).collect()
    }

    fn tiles(&self) -> Vec<Value> {
        let total = &self.figures.total;
        let tile = |label, unit, estimate: &Estimate| {
            let Parts { value, half_width } = parts(unit, estimate);
            context! { label => label, value => value, half_width => half_width.unwrap_or_default() }
        };
        vec![
            tile("Throughput", Unit::Rate, &total.throughput),
            tile("Availability", Unit::Share, &total.availability),
            tile("Median latency", Unit::Seconds, &total.latency.p50.estimate()),
            tile("99th percentile", Unit::Seconds, &total.latency.p99.estimate()),
            tile("Failed operations", Unit::Count, &total.requests.failed),
            tile("Downtime", Unit::Seconds, &total.downtime.total_s),
        ]
    }

    fn requests_view(&self) -> Vec<Value> {
        let requests = &self.figures.total.requests;
        let rows = [
            ("started", &requests.started),
            ("succeeded", &requests.succeeded),
            ("failed", &requests.failed),
            ("in flight at the end", &requests.in_flight),
            ("attempts, retries included", &requests.attempts),
        ];
        rows.map(|(name, estimate)| context! { name, value => number(Unit::Count, estimate) }).to_vec()
    }

    fn routes_view(&self) -> Vec<Value> {
        let all = [("all", &self.figures.total)].into_iter().filter(|_| self.figures.routes.len() != 1);
        all.chain(self.figures.routes.iter()).map(|(name, route)| route_view(name, route)).collect()
    }

    fn any_weak(&self) -> bool {
        let routes = self.figures.routes.values().chain([&self.figures.total]);
        let mut shown = routes.flat_map(|route| percentiles(route).map(|one| *one));
        shown.any(|one| one.weak && one.value.is_finite())
    }

    fn errors_view(&self) -> Vec<Value> {
        let total = &self.figures.total;
        let occurred = total.errors.iter().filter(|(_, count)| count.value > 0.0);
        let view = |(cause, count): (&str, &Estimate)| {
            context! {
                cause,
                count => number(Unit::Count, count),
                share => number(Unit::Share, &error_share(self, cause)),
                worst => worst_route(self, cause),
            }
        };
        occurred.map(view).collect()
    }

    fn downtime_view(&self) -> Value {
        let routes = self.figures.routes.iter().filter(|(_, route)| route.downtime.windows.value > 0.0);
        let row = |name: &str, down: &crate::model::Downtime<Estimate>| {
            context! {
                name,
                total => number(Unit::Seconds, &down.total_s),
                windows => number(Unit::Count, &down.windows),
                lost => number(Unit::Count, &down.lost),
            }
        };
        let total = &self.figures.total.downtime;
        let rows: Vec<_> = if total.windows.value > 0.0 {
            [row("any route", total)].into_iter().chain(routes.map(|(name, it)| row(name, &it.downtime))).collect()
        } else {
            Vec::new()
        };
        let window = |one: &crate::model::Window| {
            context! {
                route => one.route.clone(),
                from => clock(one.from_s),
                until => clock(one.until_s),
                duration => span(one.duration_s),
                lost => plain(Unit::Count, one.lost as f64),
                started => plain(Unit::Count, one.started as f64),
                cause => one.cause.clone(),
                blamed_on => one.blamed_on.as_deref().unwrap_or(NONE),
                phases => ledger::phases(&one.phases),
                in_warm_up => one.in_warm_up,
            }
        };
        context! { rows, windows => self.downtime_windows.iter().map(window).collect::<Vec<_>>() }
    }

    fn counters_view(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for (subject, totals) in self.figures.counters.iter() {
            for (name, total) in totals.iter() {
                rows.push(context! { subject, name, value => number(Unit::of_path(name), total) });
            }
        }
        rows
    }

    fn alarms_view(&self) -> Vec<Value> {
        let alarms = self.series.iter().filter(|series| series.group == Group::Alarm);
        let view = |series: &crate::model::SeriesReport| {
            let known: Vec<f64> = series.values.iter().copied().filter(|value| value.is_finite()).collect();
            let share = known.iter().sum::<f64>() / known.len() as f64;
            context! {
                name => series.name.clone(),
                share => plain(Unit::Share, share),
                strip => Value::from_safe_string(chart::strip(&series.values, (360, 16))),
            }
        };
        alarms.map(view).collect()
    }

    fn metrics_view(&self) -> Vec<Value> {
        let metrics = self.series.iter().filter(|series| series.group == Group::Metric);
        let view = |series: &crate::model::SeriesReport| {
            let known: Vec<f64> = series.values.iter().copied().filter(|value| value.is_finite()).collect();
            let least = known.iter().copied().fold(f64::NAN, f64::min);
            let most = known.iter().copied().fold(f64::NAN, f64::max);
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let shown = |value: f64| {
                if series.unit == "s" || !value.is_finite() {
                    return plain(Unit::Seconds, value);
                }
                let text = plain(Unit::Rate, value);
                let digits = text.trim_end_matches(" /s");
                let whole =
                    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
                whole.to_owned()
            };
            context! {
                name => series.name.clone(),
                unit => if series.unit == "s" { "" } else { series.unit.as_str() },
                least => shown(least),
                mean => shown(mean),
                most => shown(most),
                sparkline => Value::from_safe_string(chart::sparkline(&series.values, (180, 30))),
            }
        };
        metrics.map(view).collect()
    }

    fn events_view(&self) -> Vec<Value> {
        let view = |event: &crate::model::Event| {
            let until = event.until_s.map(clock).unwrap_or_default();
            context! { at => clock(event.at_s), until, kind => event.kind, subject => event.subject.clone(), what => event.what.clone() }
        };
        self.events.iter().take(EVENTS_MOST).map(view).collect()
    }
}

fn table_view(table: &TableReport) -> Value {
    let row = |row: &Row| {
        let cells = row.values.iter().zip(&table.columns);
        let cells = cells.map(|(value, column)| number(Unit::of_column(&column.unit), value)).collect::<Vec<_>>();
        context! { name => row.name.clone(), cells }
    };
    context! {
        title => table.title.clone(),
        rows_are => table.rows_are.clone(),
        columns => table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>(),
        rows => table.rows.iter().map(row).collect::<Vec<_>>(),
        long => table.rows.len() > TABLE_OPEN,
    }
}

fn letter_view(letter: Letter) -> Value {
    context! { letter => letter.letter, colour => letter.colour, when => letter.when, what => letter.what }
}

fn figure_view(figure: Figure) -> Value {
    let keys = figure.legend.into_iter().map(|key| context! { colour => key.colour, name => key.name });
    context! {
        title => figure.title,
        legend => keys.collect::<Vec<_>>(),
        remark => figure.remark,
        wide => figure.wide,
        // The SVG writer escapes its texts; see the test beside it.
        svg => Value::from_safe_string(figure.svg),
    }
}

/// A table's cell: a value and its half width.
fn number(unit: Unit, estimate: &Estimate) -> Value {
    let Parts { value, half_width } = parts(unit, estimate);
    context! { value => value, half_width => half_width.unwrap_or_default(), weak => false }
}

/// The same of a latency, with what is to know about it.
fn percentile(one: &LatencyEstimate) -> Value {
    let Parts { value, half_width } = parts(Unit::Seconds, &one.estimate());
    context! {
        value => value,
        half_width => half_width.unwrap_or_default(),
        weak => one.weak && one.value.is_finite(),
        pooled => plain(Unit::Seconds, one.pooled),
    }
}

const fn percentiles(route: &Route<Estimate, LatencyEstimate>) -> [&LatencyEstimate; 6] {
    let latency = &route.latency;
    [&latency.p50, &latency.p90, &latency.p95, &latency.p99, &latency.p999, &latency.max]
}

fn route_view(name: &str, route: &Route<Estimate, LatencyEstimate>) -> Value {
    let cells = percentiles(route).map(percentile);
    context! {
        name,
        started => number(Unit::Count, &route.requests.started),
        availability => number(Unit::Share, &route.availability),
        failed_mean => figure(Unit::Seconds, &route.latency_failed.mean.estimate()),
        cells => cells.to_vec(),
    }
}

fn station_view(name: &str, station: &Station<Estimate>) -> Value {
    let it = &station.figures;
    context! {
        name,
        resource => station.resource.clone(),
        servers => number(Unit::Count, &it.servers),
        utilisation => number(Unit::Share, &it.utilisation),
        peak => number(Unit::Share, &it.utilisation_peak),
        peak_at => clock(station.utilisation_peak_at_s),
        mean_in_system => number(Unit::Count, &it.mean_in_system),
        max_waiting => number(Unit::Count, &it.max_waiting),
        mean_wait => number(Unit::Seconds, &it.mean_wait),
        mean_sojourn => number(Unit::Seconds, &it.mean_sojourn),
        lost => number(Unit::Count, &it.lost),
    }
}
