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
fn what_the_page_of_sweeps_shows_is_legal() {
    let page = fs::read_to_string(format!("{}/docs/sweeps.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let folder = Folder::new();
    let command = |words: &str| {
        let line = page.lines().find(|line| line.starts_with(words)).unwrap().strip_prefix("$ stormglass ").unwrap();
        // Single quotes as a shell has them; there are no others.
        let parts = line.split('\'').enumerate().flat_map(|(n, part)| match n % 2 {
            0 => part.split(' ').map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        });
        parts.collect::<Vec<String>>()
    };
    let tidy = |parts: Vec<String>| {
        let mut tidy: Vec<String> = Vec::new();
        for part in parts {
            match tidy.last_mut() {
                Some(last) if last.ends_with('=') => last.push_str(&part),
                _ if part.is_empty() => {}
                _ => tidy.push(part),
            }
        }
        tidy
    };
    let sweep = tidy(command("$ stormglass sweep three-tier"));
    let arguments: Vec<&str> = sweep.iter().map(String::as_str).chain(["--list"]).collect();
    let listed = folder.run(&arguments);
    assert_eq!((listed.status.code(), stdout(&listed).lines().count()), (Some(0), 15), "{}", stderr(&listed));
    let find = tidy(command("$ stormglass find three-tier"));
    let short = ["--set", "run.duration=20s", "--set", "run.warm_up=2s", "--replications", "2", "--quiet"];
    let found = folder.run(&find.iter().map(String::as_str).chain(short).collect::<Vec<_>>());
    assert!(matches!(found.status.code(), Some(0 | 99)), "{}", stderr(&found));
    // The tables of the page, in the scenario that they are about.
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let shown = stdout(&folder.run(&["show", "three-tier"]));
    let ranged = shown.replace("rate = \"1600/s\"\n", blocks[1]);
    assert!(ranged != shown);
    fs::write(folder.path("mine.toml"), format!("{ranged}\n{}", blocks[0])).unwrap();
    let listed = folder.run(&["sweep", "mine.toml", "--list"]);
    assert_eq!((listed.status.code(), stdout(&listed).lines().count()), (Some(0), 10), "{}", stderr(&listed));
    let file = |name: &str| fs::read_to_string(format!("{}/docs/sweeps/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let job: serde_json::Value = serde_json::from_str(&file("aws-batch.json")).unwrap();
    assert_eq!(job["containerProperties"]["command"][4], "auto");
    assert!(file("kubernetes.yaml").contains("auto/16") && file("kubernetes.yaml").contains("completions: 16"));
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
