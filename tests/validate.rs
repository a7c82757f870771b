//! `stormglass validate`: the cases that take next to no time, and what the command says.

mod common;

use common::{Folder, stderr, stdout};

#[test]
fn theory_holds_in_the_fast_cases() {
    let folder = Folder::new();
    let output = folder.run(&["validate", "--fast", "--json", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cases = report["cases"].as_array().unwrap();
    assert!(cases.len() >= 10, "{}", cases.len());
    for figure in cases.iter().flat_map(|case| case["figures"].as_array().unwrap()) {
        let number = |key: &str| figure[key].as_f64().unwrap();
        let (theory, measured, half_width) = (number("theory"), number("measured"), number("half_width"));
        let granted = 0.011 + number("approximation");
        assert!(half_width <= 0.01 * theory && (measured - theory).abs() <= granted * theory, "{figure}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = Folder::new();
    let validate =
        |threads| folder.run(&["validate", "--case", "token", "--case", "renewal", "--quiet", "--threads", threads]);
    let one = validate("1");
    assert_eq!(one.status.code(), Some(0), "{}{}", stdout(&one), stderr(&one));
    assert_eq!(stdout(&one), stdout(&validate("3")));
}

#[test]
fn a_case_can_be_run_alone_and_an_unknown_one_is_told() {
    let folder = Folder::new();
    let output = folder.run(&["validate", "--case", "mmck"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("error_rate") && stdout(&output).ends_with("figures of 1 cases hold\n"));
    let output = folder.run(&["validate", "--case", "perpetual-motion"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no case is called so; there are: mm1, "), "{}", stderr(&output));
    let output = folder.run(&["validate", "--fast", "--write", "page.md"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_scenario_of_the_validation_can_be_shown_and_run() {
    let folder = Folder::new();
    let output = folder.run(&["show", "validation/queue"]);
    assert!(stdout(&output).contains("[station.desk]"));
    let output = folder.run(&["run", "validation/queue", "--replications", "2", "--set", "run.duration=200s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
