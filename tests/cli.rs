//! The command line from outside: what it prints where, and what it ends with.

mod common;

use common::{DESK, Folder, stderr, stdout};

#[test]
fn a_run_that_meets_its_expectations_ends_with_0_and_a_summary_on_stdout() {
    let folder = Folder::with("desk.toml", DESK);
    let output = folder.run(&["run", "desk.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary = stdout(&output);
    assert!(summary.contains("One desk") && summary.contains("PASS"), "{summary}");
    assert!(!summary.contains('\u{1b}'), "no colours in a pipe");
    let told = stderr(&output);
    assert!(told.starts_with("3 replications of 1 min simulated in ") && told.lines().count() == 1, "{told}");
}

#[test]
fn a_failed_expectation_ends_with_99_unless_told_not_to() {
    let folder = Folder::with("desk.toml", DESK);
    let strict = ["run", "desk.toml", "--quiet", "--set", "expect.0.max=1us"];
    let output = folder.run(&strict);
    assert_eq!(output.status.code(), Some(99), "{}", stderr(&output));
    assert!(stdout(&output).contains("FAIL"), "{}", stdout(&output));
    assert_eq!(stderr(&output), "");
    assert_eq!(folder.run(&[&strict[..], &["--no-fail"]].concat()).status.code(), Some(0));
}

#[test]
fn json_is_alone_on_stdout() {
    let folder = Folder::with("desk.toml", DESK);
    let output = folder.run(&["run", "desk.toml", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON value");
    assert_eq!(report["title"], "One desk");
    assert_eq!(report["replications"], 3);
    assert_eq!(report["seed"], 7);
}

#[test]
fn results_do_not_depend_on_threads_and_do_on_the_seed() {
    let folder = Folder::with("desk.toml", DESK);
    let json = |more: &[&str]| {
        let output = folder.run(&[&["run", "desk.toml", "--json", "--replications", "7"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        output.stdout
    };
    let alone = json(&["--threads", "1"]);
    assert!(alone == json(&["--threads", "2"]) && alone == json(&["--threads", "16"]) && alone == json(&[]));
    assert!(alone == json(&["--seed", "7"]) && alone == json(&["--set", "run.seed=7"]));
    assert!(alone != json(&["--seed", "8"]));
    json(&["--threads", "1", "--out", "one"]);
    json(&["--threads", "2", "--out", "two"]);
    for name in ["report.json", "report.html", "timeseries.csv", "events.csv", "junit.xml"] {
        let read = |dir: &str| std::fs::read(folder.path(dir).join(name)).unwrap();
        assert!(read("one") == read("two"), "{name}");
    }
}

#[test]
fn out_writes_five_files_and_the_same_json() {
    let folder = Folder::with("desk.toml", DESK);
    let output = folder.run(&["run", "desk.toml", "--json", "--out", "results/of today"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut names: Vec<String> = std::fs::read_dir(folder.path("results/of today"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["events.csv", "junit.xml", "ledger.csv", "report.html", "report.json", "timeseries.csv"]);
    assert!(std::fs::read(folder.path("results/of today/report.json")).unwrap() == output.stdout);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_the_run() {
    let folder = Folder::with("desk.toml", DESK);
    // No power of the user's makes a folder below a file.
    let output = folder.run(&["run", "desk.toml", "--out", "desk.toml/results"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).starts_with("error: --out desk.toml/results: cannot be written into: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "");
}

#[test]
fn mistakes_in_a_scenario_are_shown_with_their_place() {
    let folder = Folder::with("desk.toml", &DESK.replace("servers = 1", "servrs = 1"));
    for command in ["run", "check"] {
        let output = folder.run(&[command, "desk.toml"]);
        assert_eq!(output.status.code(), Some(2));
        let told = stderr(&output);
        assert!(told.contains("servers") && told.contains('^') && told.contains("desk.toml:"), "{told}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn mistakes_in_a_change_are_shown_with_their_place() {
    let folder = Folder::with("desk.toml", DESK);
    for set in [
        "station.desk.servrs=2",
        "station.desk.servers=many",
        "run.replications=0",
        "traffic.9.rate=1/s",
        "[=1",
        "a=[1",
    ] {
        let output = folder.run(&["run", "desk.toml", "--set", set]);
        assert_eq!(output.status.code(), Some(2), "{set}: {}", stderr(&output));
        assert!(stderr(&output).contains('^'), "{set}: {}", stderr(&output));
    }
}

#[test]
fn a_change_counts() {
    let folder = Folder::with("desk.toml", DESK);
    let set = ["--set", "station.desk.servers=2", "--set", "title=Two desks"];
    let output = folder.run(&[&["run", "desk.toml", "--json"], &set[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["title"], "Two desks");
}

#[test]
fn an_unknown_scenario_is_met_with_the_nearest_name() {
    let folder = Folder::new();
    for arguments in [["run", "reply"], ["check", "reply"], ["show", "reply"]] {
        let output = folder.run(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("did you mean `replay`?"), "{}", stderr(&output));
    }
    let output = folder.run(&["run", "missing.toml"]);
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(2), "error: there is no scenario file missing.toml\n")
    );
}

#[test]
fn files_that_are_no_scenarios_are_refused() {
    let folder = Folder::new();
    for (content, expected) in [
        (&b"title = \"\xff\"\n"[..], "error: odd.toml is no text in UTF-8: line 1 has other bytes\n"),
        (&vec![b'#'; (16 << 20) + 1], "error: odd.toml is longer than 16 MiB, which no scenario is\n"),
    ] {
        std::fs::write(folder.path("odd.toml"), content).unwrap();
        let output = folder.run(&["check", "odd.toml"]);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(2), expected));
    }
    for content in ["", "\0", "= 1", "title = 'x'\n[[[[", "title = 7"] {
        std::fs::write(folder.path("odd.toml"), content).unwrap();
        let output = folder.run(&["run", "odd.toml"]);
        assert_eq!(output.status.code(), Some(2), "{content:?}: {}", stderr(&output));
    }
}

#[test]
fn check_says_how_large_a_scenario_is() {
    let folder = Folder::with("desk.toml", DESK);
    let output = folder.run(&["check", "desk.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "ok: desk: 3 replications of 1 min, 1 traffic source, 1 service, 1.20 k operations expected in each\n"
    );
}

#[test]
fn the_library_is_listed_shown_and_copied() {
    let folder = Folder::new();
    let output = folder.run(&["list"]);
    assert_eq!(output.status.code(), Some(0));
    let names: Vec<String> =
        stdout(&output).lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(names.contains(&"replay".to_owned()), "{names:?}");
    let shown = folder.run(&["show", "replay"]);
    assert_eq!(shown.status.code(), Some(0));
    let output = folder.run(&["new", "mine", "--from", "replay"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(std::fs::read(folder.path("mine.toml")).unwrap() == shown.stdout);
    // Nothing is written over.
    let output = folder.run(&["new", "mine.toml", "--from", "replay"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "error: mine.toml is there already and is left as it is\n");
    assert_eq!(folder.run(&["new", "mine", "--from", "nothing"]).status.code(), Some(2));
}

#[test]
fn new_begins_with_the_shop() {
    let folder = Folder::new();
    let output = folder.run(&["new", "mine"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(folder.run(&["check", "mine.toml"]).status.code(), Some(0));
}

#[test]
fn the_schema_is_json() {
    let output = Folder::new().run(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["properties"]["traffic"].is_object());
}

#[test]
fn keys_are_explained() {
    let folder = Folder::new();
    let output = folder.run(&["explain", "run.replications"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("10"), "{}", stdout(&output));
    let output = folder.run(&["explain", "run.replication"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("replications"), "{}", stderr(&output));
}

#[test]
fn wrong_arguments_end_with_2_and_help_with_0() {
    let folder = Folder::new();
    for wrong in [&["fly"][..], &["run"], &["run", "replay", "--threads", "0"], &["run", "replay", "--seed", "x"], &[]]
    {
        assert_eq!(folder.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    for right in [&["--help"][..], &["run", "--help"], &["--version"]] {
        assert_eq!(folder.run(right).status.code(), Some(0), "{right:?}");
    }
}

/// Where there is a `/dev/full`, which no byte can be written to.
#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_written_are_not_passed_over() {
    let folder = Folder::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = folder.command(&["list"]).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(stderr(&output).starts_with("error: the results cannot be written to standard output: "));
    // Nobody to tell is no reason to break off.
    let status = folder.command(&["run", "nothing"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = Folder::with("desk.toml", DESK);
    for arguments in [&["schema"][..], &["list"], &["run", "desk.toml", "--json", "--quiet"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder.command(arguments).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
}
