//! What the pages show works.

mod common;

use std::fs;

use common::{Folder, stderr, stdout};

/// The scenarios that a page shows whole.
fn scenarios(page: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.filter(|block| block.contains("[run]")).collect()
}

#[test]
fn scenarios_of_the_guide_run_and_meet_their_expectations() {
    let shown = scenarios("docs/writing-a-scenario.md");
    assert_eq!(shown.len(), 2);
    for text in shown {
        let folder = Folder::with("shop.toml", &text);
        let output = folder.run(&["run", "shop.toml", "--replications", "1"]);
        assert_eq!(output.status.code(), Some(0), "{}\n{}\n{text}", stdout(&output), stderr(&output));
        assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
    }
}

#[test]
fn variations_of_the_guide_are_legal() {
    let guide = scenarios("docs/writing-a-scenario.md").pop().unwrap();
    let folder = Folder::with("shop.toml", &guide);
    let set = [
        "ecs.web.desired_count=6",
        "traffic.shoppers.timeout=2s",
        "deploy.0.strategy=blue_green",
        "deploy.0.bake_time=5m",
    ];
    let arguments: Vec<&str> =
        ["check", "shop.toml"].into_iter().chain(set.into_iter().flat_map(|it| ["--set", it])).collect();
    let output = folder.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_comparison_of_the_page_is_as_it_says() {
    let shown = scenarios("docs/comparing.md");
    assert_eq!(shown.len(), 1);
    let folder = Folder::with("desks.toml", &shown[0]);
    let output = folder.run(&["compare", "desks.toml", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for found in ["two desks: better in latency p50, latency p99", "quick desk: better in latency p50, latency p99"] {
        assert!(text.contains(found), "{text}");
    }
}
