//! Comparisons and differences, on made-up reports.

#[allow(dead_code, missing_docs, reason = "each file uses what it needs")]
mod common;

use common::{experiment, observations};
use reports::compare::{CannotCompare, Finding, HEADLINE_METRICS};
use reports::diff::{Saved, diff};
use reports::model::Report;
use reports::{Comparison, Contender, Experiment, compare, estimate, write_comparison};
use serde_json::Value;

const HOSTILE: &str = "</td><script>alert('x')</script>|`**a**`\u{1b}[31m\nb";

fn contender(name: &str, replications: u32, change: impl Fn(&mut Experiment)) -> Contender {
    let mut made = experiment(replications);
    change(&mut made);
    let report = estimate(&made).expect("the metrics are known");
    Contender { name: name.to_owned(), description: String::new(), report }
}

fn more_failures(experiment: &mut Experiment) {
    for one in &mut experiment.replications {
        let n = u64::from(one.replication);
        one.routes[0].failed.push(("rare".into(), 50 + n));
        one.routes[0].started += 50 + n;
    }
}

fn compared(contenders: Vec<Contender>) -> Comparison {
    compare("Shop", contenders, &["latency.mean".to_owned()]).expect("they can be compared")
}

fn difference<'a>(comparison: &'a Comparison, variant: usize, metric: &str) -> &'a reports::compare::Difference {
    let figure = comparison.variants[variant].figures.iter().find(|it| it.metric == metric).expect("compared");
    figure.difference.as_ref().expect("not the baseline")
}

#[test]
fn paired_differences_are_those_of_the_replications() {
    let found = compared(vec![contender("a", 5, |_| {}), contender("b", 5, more_failures), contender("c", 5, |_| {})]);
    assert_eq!((found.baseline.as_str(), found.comparisons, found.correction), ("a", 22, "holm"));
    assert_eq!(found.metrics[..5], HEADLINE_METRICS.map(str::to_owned));
    let failed = difference(&found, 1, "requests.failed");
    // 50 to 54 more: mean 52, deviation sqrt(2.5), standard error sqrt(0.5): t = 73.5 with 4 degrees of freedom.
    assert!((failed.value - 52.0).abs() < 1e-9);
    assert_eq!((failed.finding, failed.better, failed.pairs), (Finding::Higher, Some(false), 5));
    assert!(failed.p_value < 1e-6 && failed.p_adjusted >= failed.p_value);
    let availability = difference(&found, 1, "availability");
    assert_eq!((availability.finding, availability.better), (Finding::Lower, Some(false)));
    // The most significant of 22 is tested at a 22nd of 5 %, the next at a 21st.
    let mut levels = [failed.level, availability.level];
    levels.sort_by(f64::total_cmp);
    assert!((levels[1] - (1.0 - 0.05 / 22.0)).abs() < 1e-12 && (levels[0] - (1.0 - 0.05 / 21.0)).abs() < 1e-12);
    for metric in &found.metrics {
        assert_eq!(difference(&found, 2, metric).finding, Finding::Identical);
    }
    assert_eq!(difference(&found, 1, "latency.p99").finding, Finding::Identical, "failures do not touch it");
    let text = found.to_terminal(false, 100);
    assert!(text.contains("b: worse in failed requests, availability"), "{text}");
    assert!(text.contains("c: no detectable difference from a"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn an_interval_that_holds_zero_claims_nothing() {
    let noise = |experiment: &mut Experiment| {
        for one in &mut experiment.replications {
            let n = if one.replication.is_multiple_of(2) { 9 } else { 1 };
            one.routes[0].failed[0].1 += n;
        }
    };
    let silent = |experiment: &mut Experiment| {
        for one in &mut experiment.replications {
            one.routes[0].failed[0].1 += 4;
        }
    };
    let found = compared(vec![contender("a", 6, noise), contender("b", 6, silent)]);
    let failed = difference(&found, 1, "requests.failed");
    // Differences -5, 3, -5, 3, -5, 3.
    assert!((failed.value + 1.0).abs() < 1e-9 && failed.value.abs() < failed.half_width.unwrap());
    assert_eq!((failed.finding, failed.better), (Finding::NoDetectableDifference, None));
    assert!(found.to_terminal(false, 100).contains("no detectable difference"));
    assert!(
        found.to_markdown().contains("no detectable difference")
            && found.to_html().contains("no detectable difference")
    );
}

#[test]
fn what_one_has_no_value_of_cannot_be_compared() {
    let gone = |experiment: &mut Experiment| experiment.replications.iter_mut().for_each(|one| one.stations.clear());
    let metric = "stations.ecs.web.utilisation".to_owned();
    let found =
        compare("Shop", vec![contender("a", 3, |_| {}), contender("b", 3, gone)], std::slice::from_ref(&metric))
            .unwrap();
    assert_eq!(difference(&found, 1, &metric).finding, Finding::NotComparable);
    let json: Value = serde_json::from_str(&found.to_json()).unwrap();
    let figures = json["variants"][1]["figures"].as_array().expect("figures");
    let figure = figures.iter().find(|figure| figure["metric"] == metric.as_str()).expect("the metric");
    assert!(figure["value"].is_null());
    let both = vec![contender("a", 3, gone), contender("b", 3, gone)];
    assert!(matches!(compare("Shop", both, &[metric]), Err(CannotCompare::NoSuchMetric(..))));
}

#[test]
fn what_is_not_alike_is_refused() {
    let refused = |contenders| compare("Shop", contenders, &[]).expect_err("refused");
    assert_eq!(refused(vec![contender("a", 3, |_| {})]), CannotCompare::TooFew);
    assert_eq!(refused(vec![contender("a", 1, |_| {}), contender("b", 1, |_| {})]), CannotCompare::TooFew);
    let unequal = refused(vec![contender("a", 3, |_| {}), contender("b", 4, |_| {})]);
    assert_eq!(unequal, CannotCompare::Unequal("b".into()));
    let unknown = compare("Shop", vec![contender("a", 3, |_| {}), contender("b", 3, |_| {})], &["latency.p98".into()]);
    assert!(unknown.expect_err("no such metric").to_string().contains("latency.p9"));
}

#[test]
fn other_customers_are_told() {
    let others = |experiment: &mut Experiment| experiment.replications[1].customers = 1;
    let found = compared(vec![contender("a", 3, |_| {}), contender("b", 3, others)]);
    assert!(!found.variants[1].same_customers);
    assert!(found.to_terminal(false, 400).contains("the customers of b differ from the baseline's"));
}

#[test]
fn names_and_titles_are_no_markup() {
    let mut contenders = vec![contender(HOSTILE, 3, |_| {}), contender("b", 3, more_failures)];
    contenders[1].description = HOSTILE.to_owned();
    let found = compare(HOSTILE, contenders, &[]).unwrap();
    let page = found.to_html();
    assert!(!page.contains("<script") && !page.contains('\u{1b}'), "escaped");
    assert!(page.contains("&lt;script&gt;"));
    let page = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="), "nothing is fetched");
    let markdown = found.to_markdown();
    assert!(!markdown.contains("<script") && !markdown.contains("|`") && !markdown.contains('\u{1b}'));
    let text = found.to_terminal(false, 100);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn the_same_comparison_is_the_same_bytes_and_three_files() {
    let made = || compared(vec![contender("a", 4, |_| {}), contender("b", 4, more_failures)]);
    let (a, b) = (made(), made());
    assert!(a.to_json() == b.to_json() && a.to_html() == b.to_html() && a.to_markdown() == b.to_markdown());
    let dir = std::env::temp_dir().join(format!("stormglass-compare-{}", std::process::id()));
    let written = write_comparison(&a, &dir).unwrap();
    let names = ["compare.json", "compare.md", "compare.html"].map(|name| dir.join(name));
    assert_eq!(written, names);
    assert_eq!(std::fs::read_to_string(&written[2]).unwrap(), a.to_html());
    std::fs::remove_dir_all(&dir).unwrap();
}

fn saved(report: &Report) -> Saved {
    Saved::read("report.json", &report.to_json()).expect("a report")
}

#[test]
fn reports_differ_where_their_intervals_have_nothing_in_common() {
    let base = contender("a", 5, |_| {}).report;
    let equal = diff(&saved(&base), &saved(&base)).unwrap();
    assert!(!equal.differs() && equal.equal == equal.compared && equal.settings.is_empty());
    assert!(equal.to_terminal(false, 100).starts_with("EQUAL"));
    let other = contender("b", 5, |experiment| {
        more_failures(experiment);
        experiment.seed = 8;
        experiment.replications[0].counters.push(sim_core::observations::Counter {
            subject: "cloudfront.edge".into(),
            name: "new".into(),
            value: 1.0,
        });
    });
    let found = diff(&saved(&base), &saved(&other.report)).unwrap();
    assert!(found.differs());
    let beyond: Vec<&str> = found.beyond.iter().map(|it| it.metric.as_str()).collect();
    assert!(beyond.contains(&"requests.failed"), "{beyond:?}");
    assert!(!beyond.contains(&"latency.p99"));
    for one in &found.beyond {
        let reach = one.values.iter().filter_map(|it| it.half_width).sum::<f64>();
        assert!((one.values[0].value - one.values[1].value).abs() > reach, "{one:?}");
    }
    assert_eq!(found.equal + found.within + found.beyond.len(), found.compared);
    assert_eq!((found.settings.len(), found.settings[0].name.as_str()), (1, "seed"));
    assert!(found.only_in[1].contains(&"counters.cloudfront.edge.new".to_owned()), "{:?}", found.only_in);
    assert!(found.to_json().contains("\"beyond\""));
    let text = found.to_terminal(false, 100);
    assert!(text.starts_with("DIFFERENT") && text.contains("seed: 7 in A, 8 in B"), "{text}");
}

#[test]
fn only_reports_of_this_schema_are_compared() {
    let report = contender("a", 2, |_| {}).report.to_json();
    let read = |text: &str| Saved::read("x", text).map(|_| ()).expect_err("refused");
    let newer = report.replacen("\"schema_version\": 2", "\"schema_version\": 3", 1);
    assert!(read(&newer).contains("schema version 3"), "{}", read(&newer));
    assert!(read("{}").contains("no report.json"));
    assert!(read("[1").contains("no JSON"));
    assert!(read(&report.replacen("\"schema_version\": 2,", "", 1)).contains("without schema version"));
}

#[test]
fn junit_tells_of_every_expectation_and_the_audit() {
    let report = contender("a", 5, |experiment| {
        experiment.scenario = "shop".into();
        experiment.expectations[0].text = format!("latency.p99 <= 300ms {HOSTILE}");
    });
    let xml = report.report.to_junit();
    assert!(xml.contains("<testsuite name=\"shop\" tests=\"5\""), "{xml}");
    let failed = report.report.verdict.expectations_failed;
    assert!(failed > 0 && xml.contains(&format!("failures=\"{failed}\"")) && xml.contains("errors=\"0\""), "{xml}");
    assert_eq!(xml.matches("<failure").count(), failed);
    assert!(!xml.contains("<script") && !xml.contains('\u{1b}') && !xml.contains("timestamp"), "{xml}");
    let mut broken = observations(0);
    broken.audit.checks[0].holds = false;
    let broken = estimate(&Experiment { replications: vec![broken, observations(1)], ..experiment(1) }).unwrap();
    assert!(broken.to_junit().contains("errors=\"1\""), "{}", broken.to_junit());
}

#[test]
fn deployments_have_a_table_of_their_own() {
    let deployed = |name: &str, seconds: f64, errors: f64| {
        contender(name, 5, |experiment| {
            for one in &mut experiment.replications {
                let n = f64::from(one.replication);
                let mut total = |name: &str, value: f64| {
                    let (subject, name) = ("deployments".to_owned(), name.to_owned());
                    one.counters.push(sim_core::observations::Counter { subject, name, value });
                };
                total("duration_s", seconds + n);
                total("p99_during_s", 0.2);
                total("in_service_minimum", 4.0);
                total("new_revision_errors", errors + n * 0.5);
            }
        })
    };
    let found = compared(vec![deployed("rolling", 100.0, 50.0), deployed("canary", 400.0, 5.0)]);
    // Five headline metrics, seven of deployments, five of the ledger, one that was asked for.
    assert_eq!((found.metrics.len(), found.comparisons), (18, 18));
    let took = difference(&found, 1, "counters.deployments.duration_s");
    assert_eq!((took.value, took.finding, took.better), (300.0, Finding::Higher, Some(false)));
    let errors = difference(&found, 1, "counters.deployments.new_revision_errors");
    assert_eq!((errors.value, errors.finding, errors.better), (-45.0, Finding::Lower, Some(true)));
    let fewest = difference(&found, 1, "counters.deployments.in_service_minimum");
    assert_eq!(fewest.finding, Finding::Identical);
    let text = found.to_terminal(false, 110);
    let row = text.lines().find(|line| line.trim_start().starts_with("canary ")).expect("a row");
    assert!(text.contains("\nDeployments\n") && row.contains("402 s↑") && row.contains(" 6↓"), "{text}");
    let markdown = found.to_markdown();
    assert!(markdown.contains("## Deployments") && markdown.contains("+300.0 s ± 0"), "{markdown}");
    let html = found.to_html();
    assert!(html.contains("<h2>Deployments</h2>") && html.contains("fewest in service"));
    // Without deployments there is none.
    let without = compared(vec![contender("a", 5, |_| {}), contender("b", 5, more_failures)]);
    assert!(
        !without.to_terminal(false, 110).contains("Deployments") && !without.to_html().contains("<h2>Deployments</h2>")
    );
}
