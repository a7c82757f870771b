//! Every scenario that ships runs as it ships, and a replayed log reaches the report.

mod common;

use common::{Folder, stderr, stdout};
use scenarios::library;

/// An access log of an hour: a page and two pictures every ten seconds, one line broken, one out of order.
fn log() -> String {
    let mut lines: Vec<String> = Vec::new();
    for visit in 0..360 {
        let (minute, second, client) = (visit / 6, visit % 6 * 10, visit % 50);
        for target in ["/", "/logo.png", "/photo.jpg?size=2"] {
            lines.push(format!(
                "192.0.2.{client} - - [01/Mar/2024:12:{minute:02}:{second:02} +0100] \"GET {target} HTTP/1.1\" 200 5120 \"-\" \"Test\""
            ));
        }
    }
    lines.swap(0, 5);
    lines[700] = "rubbish".to_owned();
    lines.join("\n") + "\n"
}

#[test]
fn every_scenario_of_the_library_runs() {
    let folder = Folder::with("access.log", &log());
    for (name, _) in library::list() {
        let mut arguments = vec!["run", name, "--replications", "1", "--quiet", "--no-fail", "--json"];
        if name == "replay" {
            arguments.extend(["--set", "traffic.0.replay.log=access.log"]);
        }
        let output = folder.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        let without_price = report["bill"]["without_price"].as_array().cloned().unwrap_or_default();
        for line in without_price.iter().filter_map(|line| line.as_str()) {
            assert!(NO_PRICE.iter().any(|known| line.contains(known)), "{name}: {line}");
        }
    }
}

/// What of the library's parts nobody knows a price or an amount of (docs/cost.md).
const NO_PRICE: [&str; 4] = [
    "storage is left out: the scenario does not say how large it is",
    "in eu-west-1",
    "in eu-central-1",
    "in us-west-2",
];

#[test]
fn a_table_has_a_map_of_its_partitions_in_page_and_csv() {
    let folder = Folder::new();
    let set = ["--set", "run.duration=3m", "--replications", "2", "--quiet", "--no-fail", "--out", "out"];
    let output = folder.run(&[&["run", "dynamodb-split"][..], &set].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let read = |name: &str| std::fs::read_to_string(folder.path(&format!("out/{name}"))).unwrap();
    let page = read("report.html");
    assert!(page.contains("dynamodb.events WCU by partition") && page.contains("hottest first"));
    assert!(read("timeseries.csv").contains("heat: dynamodb.events WCU partition 05 [1/s]"));
    assert!(read("report.json").contains("\"heat\""));
}

#[test]
fn a_replay_without_its_log_says_how_to_give_it() {
    let output = Folder::new().run(&["run", "replay"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains("access.log") && told.contains("--set traffic.0.replay.log="), "{told}");
}

#[test]
fn a_replay_says_how_its_log_was_read() {
    let folder = Folder::with("access.log", &log());
    let output =
        folder.run(&["run", "replay", "--set", "traffic.0.replay.log=access.log", "--replications", "2", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", stderr(&output), stdout(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let notes = report["notes"].to_string();
    for part in [
        "1079 requests of 1080 lines",
        "1 broken: line 701",
        "spread evenly at random inside their second",
        "out of order",
    ] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    assert!(!notes.contains("192.0.2"), "{notes}");
}
