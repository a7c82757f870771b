//! The whole way from observations to the files, on made-up experiments.

#[allow(dead_code, missing_docs, reason = "each file uses what it needs")]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{expect, experiment, nothing, observations};
use reports::model::{Outcome, Report};
use reports::{Expectation, Experiment, check_metric, estimate, metric_paths_hint, write_all};
use serde_json::Value;
use sim_core::observations::{Observations, Phase, PhaseSpan, SeriesGroup};
use sim_core::{SimDuration, SimTime};

fn report(experiment: &Experiment) -> Report {
    estimate(experiment).expect("the metrics are known")
}

fn json(experiment: &Experiment) -> Value {
    serde_json::from_str(&report(experiment).to_json()).expect("JSON")
}

fn of(replications: Vec<Observations>) -> Experiment {
    Experiment { replications, expectations: vec![], ..experiment(1) }
}

fn judged(expectation: Expectation) -> reports::model::ExpectationResult {
    let experiment = Experiment { expectations: vec![expectation], ..experiment(4) };
    report(&experiment).expectations.remove(0)
}

#[test]
fn the_terminal_summary_is_as_reviewed() {
    let text = report(&experiment(10)).to_terminal(false, 100);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/terminal.txt");
    // To review a change: UPDATE_GOLDEN=1 cargo test -p reports, then read the difference.
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &text).expect("written");
    }
    assert_eq!(text, fs::read_to_string(&golden).expect("the golden file is there"));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "wider than asked");
    assert!(text.lines().count() <= 102, "longer than a screen, the ledger of two incidents and a table of five lines");
}

#[test]
fn colour_only_adds_escapes() {
    let report = report(&experiment(3));
    let mut plain = String::new();
    let mut rest = report.to_terminal(true, 100);
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        let end = at + rest[at..].find('m').expect("an escape ends") + 1;
        rest = rest[end..].to_owned();
    }
    plain.push_str(&rest);
    assert_eq!(plain, report.to_terminal(false, 100));
}

#[test]
fn json_has_what_the_schema_promises() {
    let json = json(&experiment(5));
    assert_eq!(json["schema_version"], 2);
    assert_eq!(json["scenario"], "web-shop");
    assert_eq!(json["seed"], 7);
    assert_eq!(json["replications"], 5);
    for name in ["started", "succeeded", "failed", "in_flight"] {
        assert!(
            json["requests"][name]["value"].is_number() && json["requests"][name]["half_width"].is_number(),
            "{name}"
        );
        assert!(json["per_replication"][4]["requests"][name].is_number(), "{name}");
    }
    for name in ["mean", "p50", "p90", "p95", "p99", "p999", "max"] {
        let figure = &json["latency"][name];
        assert!(
            figure["value"].is_number() && figure["half_width"].is_number() && figure["pooled"].is_number(),
            "{name}"
        );
        assert!(json["routes"]["shoppers /checkout"]["latency"][name]["value"].is_number());
        assert!(json["per_replication"][0]["latency"][name].is_number());
    }
    for name in ["utilisation", "mean_in_system", "mean_wait"] {
        assert!(json["stations"]["ecs.web"][name]["value"].is_number(), "{name}");
        assert!(json["per_replication"][0]["stations"]["ecs.web"][name].is_number(), "{name}");
    }
    assert!(json["errors"]["timeout"]["value"].is_number());
    assert!(json["downtime"]["total_s"]["value"].is_number());
    assert!(json["expectations"][0]["value"].is_number());
    assert_eq!(json["expectations"][0]["verdict"], "fail");
    assert_eq!(json["per_replication"][0]["digest"], "0123456789abcdef");
    assert_eq!(json["latency_histogram"][0].as_array().map(Vec::len), Some(3));
    assert!(json["latency_histogram"].as_array().is_some_and(|buckets| buckets.len() <= 400));
    assert!(json["series"][0]["values"][41].is_null(), "a gap is null");
    let total: f64 = json["latency_histogram"].as_array().into_iter().flatten().filter_map(|b| b[2].as_f64()).sum();
    let succeeded = json["requests"]["succeeded"]["value"].as_f64().map(|mean| mean * 5.0);
    assert_eq!(Some(total), succeeded.map(f64::round));
}

#[test]
fn everything_is_the_same_bytes_again() {
    let (a, b) = (report(&experiment(4)), report(&experiment(4)));
    assert_eq!(a.to_json(), b.to_json());
    assert_eq!(a.to_html(), b.to_html());
    assert_eq!(a.timeseries_csv(), b.timeseries_csv());
    assert_eq!(a.events_csv(), b.events_csv());
    assert_eq!(a.to_terminal(true, 120), b.to_terminal(true, 120));
    assert!(a.to_json().ends_with("}\n"));
}

/// From 1:10:06 to 1:11:41 and some seconds one of two windows, 4 s of it in detection, 20 s in recovery, 71 s in what comes after.
#[test]
fn downtime_is_split_by_phases_that_add_up() {
    let mut seen = observations(0);
    let window = seen.downtime.iter_mut().find(|window| window.route == "shoppers /checkout").expect("a window");
    let after = |seconds| window.from + SimDuration::from_secs(seconds);
    let span = |phase, from, until| PhaseSpan { phase, from: after(from), until: after(until) };
    window.phases = vec![
        span(Some(Phase::Detection), 0, 4),
        span(Some(Phase::Recovery), 4, 24),
        span(Some(Phase::WarmUp), 24, 90),
        span(None, 90, 95),
    ];
    let experiment = of(vec![seen, observations(1)]);
    let report = report(&experiment);
    let down = &report.per_replication[0].figures.routes.get("shoppers /checkout").expect("the route").downtime;
    assert_eq!((down.detection_s, down.recovery_s, down.warm_up_s, down.no_phase_s), (4.0, 20.0, 66.0, 5.0));
    assert_eq!(down.detection_s + down.recovery_s + down.warm_up_s + down.no_phase_s, down.total_s);
    // Windows of two routes at once count once.
    let total = &report.per_replication[0].figures.total.downtime;
    assert_eq!((total.total_s, total.detection_s), (95.0, 4.0));
    let text = report.to_terminal(false, 100);
    assert!(text.contains("detection 2.00 s") || text.contains("detection 2"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "wider than asked");
    assert!(report.to_html().contains("detection 4 s, recovery 20 s, warm-up 1 min 6 s, no phase 5 s"));
    assert_eq!(json(&experiment)["downtime_windows"][0]["phases"][0]["phase"], "detection");
}

#[test]
fn the_ledger_is_in_every_rendering_and_adds_up() {
    let report = report(&experiment(3));
    let ledger = &report.figures.ledger;
    let failover = ledger.incidents.get("aws:rds:failover-db-cluster of aurora.orders").expect("an incident");
    assert_eq!(
        (failover.time.detection_s.value, failover.time.routing_s.value, failover.count.value),
        (10.0, 5.0, 1.0)
    );
    // 101 s, a second more in replication 1 and two in 2: the mean is 102 s.
    assert_eq!((failover.time.total_s.value, failover.time.warm_up_s.value), (102.0, 67.0));
    let lost = &ledger.lost;
    let parts =
        [&lost.detection, &lost.decision, &lost.routing, &lost.recovery, &lost.warm_up, &lost.no_phase, &lost.outside];
    assert_eq!(parts.map(|it| it.value).iter().sum::<f64>(), lost.total.value);
    assert_eq!((lost.total.value, lost.outside.value), (246.0, 4.0));
    let causes: Vec<_> = ledger.causes.iter().map(|(cause, it)| (cause, it.total.value)).collect();
    assert_eq!(causes, [("timeout", 211.0), ("502 bad gateway", 31.0), ("throttled", 4.0)]);
    let seen = |who: &str| ledger.seen.get(who).expect("a witness").total_s.value;
    assert_eq!([seen("probe.orders"), seen("aurora.orders writer"), seen("ecs.web")], [34.0, 30.0, 0.0]);
    let text = report.to_terminal(false, 120);
    for words in ["aws:rds:failover-db-cluster of", "lost by cause", "probe.orders", "objective 99.90 %", "five-minute"]
    {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    let page = report.to_html();
    for words in ["Incidents by phase", "probe.orders", "Error budget", "class=\"strips\""] {
        assert!(page.contains(words), "{words}");
    }
    let table = report.ledger_csv();
    assert!(table.starts_with("record,replication,incident,kind,component,phase,route,cause,from_s,until_s,lost\n"));
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(table.as_bytes()).records().map(Result::unwrap).collect();
    let of_kind = |kind: &str| rows.iter().filter(|row| &row[0] == kind && &row[1] == "2").count();
    assert_eq!([of_kind("incident"), of_kind("phase"), of_kind("lost"), of_kind("outage")], [2, 9, 4, 2]);
    let in_all: u64 = rows.iter().filter(|row| &row[0] == "lost").map(|row| row[10].parse::<u64>().unwrap()).sum();
    assert_eq!(in_all, 3 * 246);
}

#[test]
fn figures_are_those_of_the_observations() {
    let report = report(&of((0..2).map(observations).collect()));
    let (a, b) = (&report.per_replication[0].figures.total, &report.per_replication[1].figures.total);
    let total = &report.figures.total;
    assert_eq!(total.requests.failed.value, (a.requests.failed + b.requests.failed) / 2.0);
    assert_eq!(a.availability, a.requests.succeeded / (a.requests.succeeded + a.requests.failed));
    assert_eq!(a.throughput, a.requests.succeeded / 6600.0);
    // Two values: the half width is t(0.975, 1) = 12.7062 times half their difference.
    let half = total.throughput.half_width.unwrap();
    assert!((half - 12.706_205 * (a.throughput - b.throughput).abs() / 2.0).abs() < 1e-6 * half);
    // The windows of two routes overlap: together they last from 1:10:06 to 1:11:41.
    assert_eq!(a.downtime.total_s, 95.0);
    assert_eq!(report.figures.routes.get("shoppers /").unwrap().downtime.total_s.value, 83.0);
    let pooled = total.latency.p99.pooled;
    assert!(a.latency.p99.min(b.latency.p99) <= pooled && pooled <= a.latency.p99.max(b.latency.p99));
    let checkout = &report.figures.routes.get("shoppers /checkout").unwrap().latency;
    assert!(checkout.p999.weak && !checkout.p99.weak && !checkout.max.weak);
}

#[test]
fn tables_of_services_are_means_over_replications_row_by_row() {
    let mut two = experiment(2);
    two.replications[1].tables[0].rows[0].1[0] = 11_000.0;
    // A row that only one of them has; ranked, it comes where its mean puts it.
    two.replications[1].tables[0].rows.insert(0, ("/new.html".into(), vec![5_000.0, f64::NAN, 0.0, 4096.0]));
    let report = report(&two);
    let table = &report.tables[0];
    assert_eq!((table.title.as_str(), table.rows_are.as_str()), ("Popular objects of cloudfront.edge", "object"));
    let rows: Vec<(&str, f64)> = table.rows.iter().map(|row| (row.name.as_str(), row.values[0].value)).collect();
    assert_eq!(rows, [("/static/logo.png", 10_000.0), ("/new.html", 5_000.0), ("/static/<b>.css", 1_000.0)]);
    assert!(table.rows[0].values[0].half_width.is_some() && table.rows[1].values[0].half_width.is_none());
    let json: Value = serde_json::from_str(&report.to_json()).expect("JSON");
    assert_eq!(json["tables"][0]["columns"][1]["unit"], "share");
    assert_eq!(json["tables"][0]["rows"][1]["values"][1]["value"], Value::Null);
    let page = report.to_html();
    assert!(page.contains("Popular objects of cloudfront.edge") && page.contains("&lt;b&gt;.css"), "escaped");
    let terminal = report.to_terminal(false, 100);
    assert!(terminal.contains("Popular objects of cloudfront.edge") && terminal.contains("34.33 MB"), "{terminal}");
    assert!(!terminal.contains("stale"), "a column of nothing is left to the files");
}

#[test]
fn one_replication_has_no_interval() {
    let json = json(&experiment(1));
    assert!(json["latency"]["p99"]["half_width"].is_null());
    let note = "one replication without a steady state throughout: no interval";
    assert_eq!(json["interval"]["note"], note);
    let report = report(&experiment(1));
    assert!(report.to_terminal(false, 200).contains(note));
    assert!(!report.to_terminal(false, 100).contains('±'));
    assert!(report.to_html().contains(note));
}

#[test]
fn causes_stations_and_series_that_only_some_replications_have() {
    let mut other = observations(1);
    other.routes[2].failed.push(("rare".into(), 4));
    other.stations.pop();
    other.series.retain(|series| series.name != "timeout");
    let report = report(&of(vec![observations(0), other]));
    assert_eq!(report.figures.total.errors.get("rare").unwrap().value, 2.0);
    assert_eq!(report.per_replication[0].figures.total.errors.get("rare"), Some(&0.0));
    let cache = report.figures.stations.get("elasticache.sessions").unwrap();
    assert!(cache.figures.utilisation.value > 0.0 && cache.figures.utilisation.half_width.is_none());
    let timeout = report.series.iter().find(|series| series.name == "timeout").unwrap();
    let observed = observations(0);
    let first = observed.series.iter().find(|series| series.name == "timeout").unwrap();
    assert_eq!(timeout.values[440], first.values[440] / 2.0);
}

#[test]
fn windows_in_the_warm_up_do_not_count() {
    let mut one = observations(0);
    let window = |from, until| {
        let mut window = one.downtime[0].clone();
        (window.from, window.until) = (SimTime::from_secs(from), SimTime::from_secs(until));
        window
    };
    one.downtime = vec![window(10, 20), window(590, 610)];
    let report = report(&of(vec![one]));
    assert_eq!(report.figures.total.downtime.total_s.value, 10.0);
    assert_eq!(report.figures.total.downtime.windows.value, 1.0);
    assert!(report.downtime_windows[0].in_warm_up && !report.downtime_windows[1].in_warm_up);
}

#[test]
fn expectations_find_their_figures() {
    let route = judged(expect("", "latency.p99", Some("/checkout"), None, Some(0.3)));
    assert_eq!((route.route.as_deref(), route.verdict), (Some("shoppers /checkout"), Outcome::Fail));
    let path = judged(expect("", "routes.shoppers /checkout.latency.p99", None, None, Some(0.3)));
    assert_eq!(path.value, route.value);
    assert_eq!(judged(expect("", "routes./checkout.latency.p99", None, None, None)).value, route.value);
    let pooled = judged(expect("", "latency.p99.pooled", None, Some(0.1), Some(10.0)));
    assert_eq!((pooled.verdict, pooled.half_width), (Outcome::Pass, None));
    let station = judged(expect("", "stations.aurora.orders/orders-1.mean_wait", None, None, Some(0.1)));
    assert_eq!(station.verdict, Outcome::Pass);
    let counter = judged(expect("", "counters.cloudfront.edge.hit_ratio", None, Some(0.9), None));
    assert_eq!(counter.verdict, Outcome::Pass);
    assert_eq!(judged(expect("", "errors.no such thing", None, None, Some(0.0))).verdict, Outcome::Pass);
    assert_eq!(judged(expect("", "errors.x", Some("/checkout"), None, Some(0.0))).value, 0.0);
    assert_eq!(judged(expect("", "routes./checkout.errors.x", None, None, Some(0.0))).value, 0.0);
    assert_eq!(judged(expect("", "downtime.total_s", Some("/"), None, Some(60.0))).value, 83.0);
}

#[test]
fn expectations_without_a_figure_fail_and_tell_what_is_known() {
    let station = judged(expect("", "stations.ecs.wep.utilisation", None, None, Some(0.9)));
    assert_eq!(station.verdict, Outcome::Fail);
    assert!(station.note.as_deref().unwrap().contains("stations.ecs.web.utilisation"), "{station:?}");
    let route = judged(expect("", "latency.p99", Some("/chekout"), None, Some(0.9)));
    assert!(route.note.as_deref().unwrap().contains("no such route; known: shoppers /checkout"), "{route:?}");
    let empty = Experiment {
        replications: vec![nothing(0)],
        expectations: vec![expect("", "latency.p99", None, None, Some(0.3))],
        ..experiment(1)
    };
    assert_eq!(report(&empty).expectations[0].verdict, Outcome::Fail);
    assert!(!report(&empty).passed());
}

#[test]
fn the_longest_name_that_leads_to_a_figure_is_meant() {
    let mut one = observations(0);
    one.stations[0].name = "ecs".into();
    one.stations[2].name = "ecs.web.utilisation".into();
    let all = of(vec![one]);
    let find = |metric: &str| {
        let expectations = vec![expect("", metric, None, None, None)];
        report(&Experiment { expectations, ..all.clone() }).expectations[0].value
    };
    let raw = &all.replications[0].stations;
    assert_eq!(find("stations.ecs.web.utilisation"), raw[1].utilisation);
    assert_eq!(find("stations.ecs.web.utilisation.utilisation"), raw[2].utilisation);
    assert_eq!(find("stations.ecs.utilisation"), raw[0].utilisation);
}

#[test]
fn an_interval_that_holds_the_bound_is_uncertain() {
    let exact = judged(expect("", "latency.p99", None, None, None)).value;
    let close = judged(expect("", "latency.p99", None, None, Some(exact * 1.000_01)));
    assert!(close.uncertain && close.verdict == Outcome::Pass && close.note.is_some());
    let note = |bound: f64| judged(expect("", "latency.p99", None, None, Some(bound))).note.unwrap_or_default();
    assert!(note(exact * 1.000_01).ends_with("too close to tell by more replications"), "{close:?}");
    // About halfway to the end of the interval of four replications: about four times as many.
    assert!(note(exact + close.half_width.unwrap() * 0.51).ends_with("about 16 replications would tell"));
    let far = judged(expect("", "latency.p99", None, None, Some(exact * 2.0)));
    assert!(!far.uncertain && far.note.is_none());
}

#[test]
fn metrics_are_checked_before_a_run() {
    for good in [
        "latency.p99",
        "latency_failed.mean",
        "requests.failed",
        "availability",
        "error_rate",
        "throughput",
        "errors.timeout",
        "errors.http.502",
        "downtime.total_s",
        "routes.a.b /c.latency.p999",
        "routes.x.errors.timeout",
        "stations.ecs.web.utilisation",
        "counters.cloudfront.edge.hit_ratio",
        "latency.p99.pooled",
    ] {
        assert_eq!(check_metric(good), Ok(()), "{good}");
    }
    for (bad, near) in [
        ("latency.p98", "latency.p9"),
        ("latncy.p99", "latency.p99"),
        ("avalability", "availability"),
        ("stations.ecs.web.utilization", "stations.<name>.utilisation"),
        ("requests.fail", "requests.failed"),
    ] {
        let known = check_metric(bad).expect_err(bad);
        assert!(known[0].starts_with(near), "{bad}: {known:?}");
    }
    for bad in ["", ".", "latency", "routes", "stations.ecs.web", "errors", "p99", "latency.p99.x", "scenario"] {
        assert!(check_metric(bad).is_err(), "{bad}");
    }
    assert!(metric_paths_hint().contains(&"routes.<name>.latency.p99".to_owned()));
    let expectations = vec![
        expect("", "availability", None, None, None),
        expect("", "latency.p98", Some("/x"), None, None),
        expect("", "stations.x.utilisation", Some("/x"), None, None),
    ];
    let bad = estimate(&Experiment { expectations, ..experiment(1) }).expect_err("two are bad");
    assert_eq!(bad.iter().map(|one| one.index).collect::<Vec<_>>(), [1, 2]);
    assert!(bad[0].known[0].starts_with("latency.p9"), "{bad:?}");
    assert!(bad[0].to_string().contains("latency.p98"));
}

/// An experiment whose every text tries to break out.
fn hostile() -> Experiment {
    let evil = "</text></style><script>alert('x')</script>\"&\u{1b}[31m\nevil";
    let mut all: Vec<_> = (0..2).map(observations).collect();
    for one in &mut all {
        one.notes.push(evil.into());
        one.audit.checks[0].law = evil.into();
        one.audit.checks[0].found = evil.into();
        for route in &mut one.routes {
            route.name.push_str(evil);
            for (cause, _) in &mut route.failed {
                cause.push_str(evil);
            }
        }
        for station in &mut one.stations {
            station.name.push_str(evil);
            station.resource.push_str(evil);
        }
        for series in &mut one.series {
            series.name.insert_str(0, evil);
            series.unit.push_str(evil);
        }
        for entry in &mut one.log {
            entry.subject.push_str(evil);
            entry.what.push_str(evil);
        }
        for window in &mut one.downtime {
            window.route.push_str(evil);
            window.cause.push_str(evil);
            window.blamed_on = Some(evil.into());
        }
        for counter in &mut one.counters {
            counter.subject.push_str(evil);
            counter.name.push_str(evil);
        }
        for table in &mut one.tables {
            table.title.push_str(evil);
            table.rows_are.push_str(evil);
            table.columns[0].0.push_str(evil);
            table.rows[0].0.push_str(evil);
        }
    }
    Experiment {
        scenario: evil.into(),
        title: evil.into(),
        description: evil.into(),
        version: evil.into(),
        expectations: vec![expect(evil, "latency.p99", Some(evil), None, Some(1.0))],
        replications: all,
        ..experiment(1)
    }
}

#[test]
fn no_text_of_a_scenario_becomes_markup() {
    let html = report(&hostile()).to_html();
    assert!(html.contains("&lt;script&gt;"));
    assert!(!html.to_lowercase().contains("<script"));
    assert!(!html.contains("onerror=") && html.matches("</style>").count() == 1);
    // Nothing is fetched: the only address is the name of the SVG language.
    assert_eq!(html.matches("://").count(), html.matches("http://www.w3.org/2000/svg").count());
    assert!(!html.contains("src=") && !html.contains("href=") && !html.contains("url("));
}

#[test]
fn no_text_of_a_scenario_commands_the_terminal() {
    let text = report(&hostile()).to_terminal(false, 100);
    assert!(!text.contains('\u{1b}'));
    serde_json::from_str::<Value>(&report(&hostile()).to_json()).expect("JSON");
}

#[test]
fn the_page_holds_every_figure() {
    let html = report(&experiment(3)).to_html();
    for title in [
        "Latency percentiles over time",
        "Requests ended per second",
        "Errors per second by cause",
        "Tasks of ecs.web by revision",
        "Utilisation by tier",
        "Latency distribution",
        "Latency tail",
    ] {
        assert!(html.contains(title), "{title}");
    }
    // Seven charts, a sparkline for each of three metrics, the ledger's five strips and its axis of time.
    assert_eq!(html.matches("<svg class=\"chart\"").count(), 7 + 3 + 6);
    assert!(!html.contains("NaN"));
}

/// Runs that have little, much, or nothing that is a number.
#[test]
fn strange_runs_render() {
    let mut failed = observations(0);
    for route in &mut failed.routes {
        route.failed[0].1 += route.succeeded;
        (route.succeeded, route.latency) = (0, sim_core::tally::Histogram::new());
    }
    let mut huge = observations(0);
    huge.horizon = SimTime::from_secs(8 * 3600);
    for route in &mut huge.routes {
        route.name = "a very long name ".repeat(20);
        (route.started, route.succeeded) = (u64::MAX / 4, u64::MAX / 5);
    }
    huge.log_dropped = 12_345;
    huge.log = (0..40).flat_map(|_| huge.log.clone()).collect();
    let mut unknown = observations(0);
    for station in &mut unknown.stations {
        (station.utilisation, station.utilisation_peak, station.mean_wait) = (f64::NAN, f64::NAN, f64::NAN);
    }
    for series in &mut unknown.series {
        series.values.fill(f64::NAN);
    }
    let mut tiny = observations(0);
    (tiny.horizon, tiny.warm_up) = (SimTime::ZERO, SimTime::from_secs(5));
    for series in &mut tiny.series {
        series.values.truncate(1);
        series.bin = SimDuration::from_millis(100);
    }
    let mut infinite = observations(0);
    for series in infinite.series.iter_mut().filter(|series| series.group != SeriesGroup::Tasks) {
        series.values.fill(f64::INFINITY);
    }
    for runs in [
        vec![],
        vec![nothing(0)],
        vec![nothing(0), nothing(1)],
        vec![failed],
        vec![huge],
        vec![unknown],
        vec![tiny],
        vec![infinite],
    ] {
        let report = report(&of(runs));
        let text = report.to_terminal(false, 100);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
        let html = report.to_html();
        assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n") && !html.contains("NaN"));
        serde_json::from_str::<Value>(&report.to_json()).expect("JSON");
        assert!(report.timeseries_csv().starts_with("time_s"));
    }
}

#[test]
fn tables_read_back() {
    let report = report(&experiment(2));
    let series = report.timeseries_csv();
    let mut reader = csv::Reader::from_reader(series.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 1 + 2 * report.series.len());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 720);
    assert_eq!((&rows[41][0], &rows[41][1], &rows[0][0]), ("410", "", "0"));
    let events = report.events_csv();
    let mut reader = csv::Reader::from_reader(events.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 14);
    assert_eq!(rows[13].iter().collect::<Vec<_>>(), ["1", "4260", "", "health", "ecs.web/task-3", "unhealthy"]);
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let dir = std::env::temp_dir().join(format!("stormglass-reports-{}", std::process::id()));
    let listing = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let target = dir.join("deep/er");
    let report = report(&experiment(2));
    let written = write_all(&report, &target).unwrap();
    let names = ["report.json", "report.html", "timeseries.csv", "events.csv", "ledger.csv", "junit.xml"]
        .map(|name| target.join(name));
    assert_eq!(written, names.to_vec() as Vec<PathBuf>);
    assert_eq!(fs::read_to_string(&written[0]).unwrap(), report.to_json());
    assert_eq!(
        listing(&target),
        ["events.csv", "junit.xml", "ledger.csv", "report.html", "report.json", "timeseries.csv"]
    );

    let blocked = dir.join("blocked");
    fs::create_dir_all(blocked.join("events.csv")).unwrap();
    assert!(write_all(&report, &blocked).is_err());
    assert_eq!(listing(&blocked), ["events.csv"], "nothing is left behind");
    fs::remove_dir_all(&dir).unwrap();
}
