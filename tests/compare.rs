//! Comparisons, differences of reports and precision from outside.

mod common;

use common::{DESK, Folder, stderr, stdout};

/// The desk with another way to run it.
fn variants() -> String {
    format!(
        "{DESK}
[[variant]]
name = \"two desks\"
description = \"twice the servers\"
set = {{ \"station.desk.servers\" = 2 }}

[[variant]]
name = \"quick\"
set = {{ \"station.desk.service\" = {{ exponential = \"20ms\" }}, \"expect.0.max\" = \"1us\" }}
"
    )
}

#[test]
fn variants_are_compared_with_the_file_as_it_stands() {
    let folder = Folder::with("desk.toml", &variants());
    let output =
        folder.run(&["compare", "desk.toml", "--replications", "5", "--metric", "stations.station.desk.utilisation"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "COMPARISON One desk",
        "the same customers in every variant",
        "Differences are from base",
        "two desks: better in latency p50, latency p99",
        "(two desks: twice the servers)",
        "stations.station.desk.utilisation",
        "identical",
        "quick: 1 of 1 failed",
    ] {
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(part), "{part}: {text}");
    }
    assert!(stderr(&output).starts_with("5 replications of 3 variants of 1 min simulated in "), "{}", stderr(&output));
}

#[test]
fn a_comparison_does_not_depend_on_threads_and_writes_what_it_prints() {
    let folder = Folder::with("desk.toml", &variants());
    let json = |more: &[&str]| {
        let output =
            folder.run(&[&["compare", "desk.toml", "--quiet", "--json", "--replications", "6"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
        output.stdout
    };
    let alone = json(&["--threads", "1", "--out", "one"]);
    assert!(alone == json(&["--threads", "2", "--out", "two"]));
    for name in ["compare.json", "compare.md", "compare.html"] {
        let read = |dir: &str| std::fs::read(folder.path(dir).join(name)).unwrap();
        assert!(read("one") == read("two"), "{name}");
    }
    assert!(std::fs::read(folder.path("one/compare.json")).unwrap() == alone);
    let comparison: serde_json::Value = serde_json::from_slice(&alone).unwrap();
    assert_eq!(comparison["schema_version"], 1);
    assert_eq!(comparison["baseline"], "base");
    let names: Vec<_> = comparison["variants"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["base", "two desks", "quick"]);
}

#[test]
fn the_baseline_can_be_chosen_or_be_a_variant_that_sets_nothing() {
    let folder = Folder::with("desk.toml", &variants());
    let baseline = |file: &str, more: &[&str]| {
        let output = folder.run(&[&["compare", file, "--quiet", "--json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = found["variants"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
        (found["baseline"].as_str().unwrap().to_owned(), names.collect::<Vec<_>>())
    };
    assert_eq!(baseline("desk.toml", &["--baseline", "quick"]).1, ["quick", "base", "two desks"]);
    let plain = variants() + "\n[[variant]]\nname = \"plain\"\n";
    std::fs::write(folder.path("plain.toml"), plain).unwrap();
    let found = baseline("plain.toml", &[]);
    assert_eq!((found.0.as_str(), found.1), ("plain", vec!["plain".to_owned(), "two desks".into(), "quick".into()]));
    let output = folder.run(&["compare", "desk.toml", "--baseline", "qick"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `quick`?"), "{}", stderr(&output));
}

#[test]
fn files_are_compared_with_the_seed_of_the_first() {
    let folder = Folder::with("one.toml", DESK);
    std::fs::write(folder.path("two.toml"), DESK.replace("servers = 1", "servers = 2").replace("seed = 7", "seed = 8"))
        .unwrap();
    let output = folder.run(&["compare", "one.toml", "two.toml", "--json", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["seed"], 7);
    assert_eq!((&found["variants"][1]["name"], &found["variants"][1]["same_customers"]), (&"two".into(), &true.into()));
    std::fs::write(folder.path("long.toml"), DESK.replace("60s", "61s")).unwrap();
    let output = folder.run(&["compare", "one.toml", "long.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("differ in duration or warm-up"), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_compared_is_told_before_the_run() {
    let folder = Folder::with("desk.toml", DESK);
    std::fs::write(folder.path("many.toml"), variants()).unwrap();
    for (arguments, part) in [
        (vec!["compare", "desk.toml"], "has no variants to compare: add [[variant]]"),
        (vec!["compare", "many.toml", "--replications", "1"], "at least two replications"),
        (vec!["compare", "many.toml", "--metric", "latency.p98"], "did you mean `latency.p9"),
        (vec!["run", "many.toml", "--variant", "quik"], "did you mean `quick`?"),
        (vec!["run", "desk.toml", "--variant", "quick"], "there is none"),
    ] {
        let output = folder.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn run_runs_one_variant_and_changes_are_part_of_the_file() {
    let folder = Folder::with("desk.toml", &variants());
    let json = |more: &[&str]| {
        let output = folder.run(&[&["run", "desk.toml", "--json", "--quiet", "--no-fail"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let two = json(&["--variant", "two desks"]);
    assert_eq!(two["figures"], json(&["--set", "station.desk.servers=2"])["figures"]);
    // What the variant sets wins: it is a change of the file with its changes.
    assert_eq!(two, json(&["--variant", "two desks", "--set", "station.desk.servers=5"]));
    assert_eq!(json(&["--variant", "base"]), json(&[]));
    // The report says which it is.
    assert_eq!(two["scenario"], "desk, variant two desks");
    assert!(two["description"].as_str().unwrap().starts_with("twice the servers"));
}

#[test]
fn a_variant_may_be_expected_to_do_something_else_than_the_file() {
    let own = format!(
        "{}[[variant.expect]]\nmetric = \"availability\"\nmin = 1\n\n[[variant.expect]]\nmetric = \"requests.failed\"\nmax = 0\n",
        variants().replace(", \"expect.0.max\" = \"1us\"", "")
    );
    let folder = Folder::with("desk.toml", &own);
    let judged = |more: &[&str]| {
        let output = folder.run(&[&["run", "desk.toml", "--json", "--quiet"], more].concat());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let metrics =
            report["expectations"].as_array().unwrap().iter().map(|it| it["metric"].as_str().unwrap().to_owned());
        (output.status.code(), metrics.collect::<Vec<_>>())
    };
    assert_eq!(
        judged(&["--variant", "quick"]),
        (Some(0), vec!["availability".to_owned(), "requests.failed".to_owned()])
    );
    assert_eq!(judged(&["--variant", "two desks"]).1, judged(&[]).1);
    // What is wrong in one variant's expectations is wrong in the file.
    let wrong = own.replace("requests.failed", "requests.faild");
    std::fs::write(folder.path("desk.toml"), wrong).unwrap();
    let output = folder.run(&["check", "desk.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no figure is called `requests.faild`"), "{}", stderr(&output));
}

#[test]
fn diff_ends_with_1_if_reports_differ_and_2_if_they_are_none() {
    let folder = Folder::with("desk.toml", &variants());
    for (variant, out) in [("base", "a"), ("quick", "b")] {
        let output =
            folder.run(&["run", "desk.toml", "--variant", variant, "--replications", "8", "--out", out, "--no-fail"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let output = folder.run(&["diff", "a/report.json", "b/report.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("DIFFERENT") && stdout(&output).contains("latency.p50"), "{}", stdout(&output));
    let output = folder.run(&["diff", "a/report.json", "a/report.json", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["equal"], found["beyond"].as_array().map(Vec::len)), (&found["compared"], Some(0)));
    for (name, part) in [("desk.toml", "is no JSON"), ("nowhere.json", "cannot be read")] {
        let output = folder.run(&["diff", "a/report.json", name]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    let old = std::fs::read_to_string(folder.path("a/report.json")).unwrap().replacen(
        "\"schema_version\": 2",
        "\"schema_version\": 9",
        1,
    );
    std::fs::write(folder.path("old.json"), old).unwrap();
    let output = folder.run(&["diff", "old.json", "a/report.json"]);
    assert!(stderr(&output).contains("schema version 9; this version reads 2 only"), "{}", stderr(&output));
}

#[test]
fn a_precision_is_run_for_until_it_is_reached_whatever_the_threads() {
    let folder = Folder::with("desk.toml", DESK);
    let report = |precision: &str, threads: &str| -> serde_json::Value {
        let set = format!("run.precision={precision}");
        let output = folder.run(&["run", "desk.toml", "--json", "--quiet", "--set", &set, "--threads", threads]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let reached = report("{ metric = \"latency.mean\", relative = \"2%\" }", "1");
    let replications = reached["replications"].as_u64().unwrap();
    assert!(replications > 3 && replications < 200, "{replications}");
    assert_eq!(reached["precision"]["reached"], true);
    let mean = &reached["latency"]["mean"];
    assert!(mean["half_width"].as_f64().unwrap() <= 0.02 * mean["value"].as_f64().unwrap());
    assert_eq!(reached, report("{ metric = \"latency.mean\", relative = \"2%\" }", "2"));
    let missed = report("{ metric = \"latency.p99\", route = \"/\", relative = \"0.1%\", max_replications = 6 }", "2");
    assert_eq!((&missed["replications"], &missed["precision"]["reached"]), (&6.into(), &false.into()));
    assert_eq!(missed["cautions"][0]["kind"], "imprecise");
}

#[test]
fn a_warm_up_is_found_and_told_whatever_the_threads() {
    // Fifty seconds' worth of work wait when the desk opens: who comes early waits longest.
    let folder = Folder::with("desk.toml", DESK);
    let report = |duration: &str, threads: &str, more: &[&str]| -> serde_json::Value {
        let duration = format!("run.duration={duration}");
        let fixed = [
            "run",
            "desk.toml",
            "--json",
            "--quiet",
            "--set",
            "run.warm_up=auto",
            "--set",
            &duration,
            "--threads",
            threads,
        ];
        let output = folder.run(&[&fixed[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // From empty to 95 % load takes a while.
    let busy = ["--set", "traffic.0.rate=38/s", "--set", "expect.0.max=100s"];
    let found = report("1000s", "1", &busy);
    assert_eq!(found["warm_up_found"]["settled"], true);
    assert_eq!(found["warm_up_found"]["rule"], "mser5");
    let warm_up = found["warm_up_s"].as_f64().unwrap();
    assert!(warm_up > 0.0 && warm_up < 500.0, "{warm_up}");
    assert_eq!(found, report("1000s", "2", &busy));
    // More work than the desk can do never settles.
    let over = report("200s", "2", &["--set", "traffic.0.rate=50/s", "--set", "expect.0.max=1h"]);
    assert_eq!((&over["warm_up_found"]["settled"], &over["warm_up_s"]), (&false.into(), &100.into()));
    assert_eq!(over["cautions"][0]["kind"], "growing");
}

#[test]
fn expectations_are_written_as_junit() {
    let folder = Folder::with("desk.toml", DESK);
    let output = folder.run(&[
        "run",
        "desk.toml",
        "--quiet",
        "--junit",
        "out/of/the/way/tests.xml",
        "--set",
        "expect.0.max=1us",
    ]);
    assert_eq!(output.status.code(), Some(99), "{}", stderr(&output));
    let xml = std::fs::read_to_string(folder.path("out/of/the/way/tests.xml")).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("latency.p99 &lt;= 1us"), "{xml}");
}
