//! `stormglass sweep` and `merge` from outside: what they write, and that it does not matter how it came about.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{DESK, Folder, stderr, stdout};

const VARY: [&str; 4] = ["--vary", "traffic.people.rate=5/s..30/s:5/s", "--vary", "station.desk.servers=1,2"];

fn ok(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
}

/// The files of a folder that are results, by name.
fn results(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

fn sweep(folder: &Folder, more: &[&str]) -> Output {
    folder.run(&[&["sweep", "desk.toml", "--quiet"], &VARY[..], more].concat())
}

#[test]
fn a_variant_is_swept_and_what_is_varied_wins() {
    let variant =
        "[[variant]]\nname = \"calm\"\nset = { \"traffic.people.rate\" = \"10/s\", \"station.desk.servers\" = 9 }\n";
    let folder = Folder::with("desk.toml", &format!("{DESK}\n{variant}"));
    let records = |more: &[&str]| -> Vec<serde_json::Value> {
        let vary = ["sweep", "desk.toml", "--quiet", "--json", "--vary", "station.desk.servers=1,2"];
        let output = folder.run(&[&vary[..], more].concat());
        ok(&output);
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (plain, calm) = (records(&[]), records(&["--variant", "calm"]));
    let by_hand = records(&["--set", "traffic.people.rate=10/s"]);
    for point in 0..2 {
        assert_eq!(calm[point]["figures"], by_hand[point]["figures"]);
        assert_ne!(calm[point]["figures"], plain[point]["figures"]);
        assert_ne!(calm[point]["plan"], plain[point]["plan"]);
    }
    assert_ne!(calm[0]["figures"], calm[1]["figures"]);
    // As the file stands.
    assert_eq!(records(&["--variant", "base"])[1]["figures"], plain[1]["figures"]);
    let output = folder.run(&["sweep", "desk.toml", "--vary", "station.desk.servers=1,2", "--variant", "clam"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `calm`?"), "{}", stderr(&output));
    // A mistake in what is varied is told at its place, behind the variant too.
    let output = folder.run(&["sweep", "desk.toml", "--vary", "station.desk.servers=1,x", "--variant", "calm"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--vary:1:"), "{}", stderr(&output));
}

#[test]
fn a_sweep_writes_its_points_by_id() {
    let folder = Folder::with("desk.toml", DESK);
    let output = sweep(&folder, &["--out", "all"]);
    ok(&output);
    assert!(stdout(&output).contains("12 points"), "{}", stdout(&output));
    let files = results(&folder.path("all"));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["figure-1-latency.p99.svg", "plan.json", "points.csv", "points.jsonl", "sweep.html"]);
    let lines = String::from_utf8(files["points.jsonl"].clone()).unwrap();
    let records: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 12);
    for (id, record) in records.iter().enumerate() {
        assert_eq!(record["id"], id);
        assert_eq!(record["factors"]["station.desk.servers"], ["1", "2"][id % 2]);
        // Half-widths of throughput over three replications are never nothing.
        assert!(record["figures"]["throughput"]["half_width"].as_f64().unwrap() > 0.0);
    }
    // The same as a run of the point alone.
    let alone = folder.run(&[
        "run",
        "desk.toml",
        "--json",
        "--set",
        "traffic.people.rate=10/s",
        "--set",
        "station.desk.servers=2",
    ]);
    let alone: serde_json::Value = serde_json::from_slice(&alone.stdout).unwrap();
    assert_eq!(records[3]["figures"]["latency.p99"]["value"], alone["latency"]["p99"]["value"]);
    assert_eq!(records[3]["digests"][2], alone["per_replication"][2]["digest"]);
    assert_eq!(stdout(&sweep(&folder, &["--json"])), lines);
}

#[test]
fn results_depend_neither_on_threads_nor_on_shards() {
    let folder = Folder::with("desk.toml", DESK);
    ok(&sweep(&folder, &["--out", "all", "--threads", "1"]));
    let whole = results(&folder.path("all"));
    ok(&sweep(&folder, &["--out", "two", "--threads", "2"]));
    assert!(results(&folder.path("two")) == whole);
    for shard in ["2/5", "4/5", "1/5", "5/5"] {
        ok(&sweep(&folder, &["--out", "parts", "--shard", shard]));
    }
    let missing = folder.run(&["merge", "parts", "--out", "merged"]);
    assert_eq!(missing.status.code(), Some(3));
    assert_eq!(
        stderr(&missing),
        "error: 2 of 12 points are missing, and nothing was written: 2, 7; run again: --shard 3/5\n"
    );
    assert!(!folder.path("merged").exists() && stdout(&missing).is_empty());
    let mut third = folder
        .command(&[&["sweep", "desk.toml", "--quiet"], &VARY[..], &["--out", "parts", "--shard", "auto"]].concat());
    ok(&third.env("AWS_BATCH_JOB_ARRAY_INDEX", "2").env("AWS_BATCH_JOB_ARRAY_SIZE", "5").output().unwrap());
    let merged = folder.run(&["merge", "parts", "--out", "merged", "--quiet"]);
    ok(&merged);
    assert!(results(&folder.path("merged")) == whole);
    assert_eq!(stdout(&merged), stdout(&sweep(&folder, &[])));
    // Shards may be named one by one, in any order, and twice.
    let file = |n: u32| format!("parts/shard-{n:05}-of-00005.jsonl");
    let files: Vec<String> = [5, 1, 3, 2, 4, 3].map(file).to_vec();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    ok(&folder.run(&[&["merge"], &files[..], &["--out", "again", "--quiet"]].concat()));
    assert!(results(&folder.path("again")) == whole);
}

#[test]
fn shards_of_different_plans_do_not_mix() {
    let folder = Folder::with("desk.toml", DESK);
    ok(&sweep(&folder, &["--out", "parts", "--shard", "1/2"]));
    let others: [&[&str]; 4] =
        [&["--seed", "8"], &["--set", "run.warm_up=1s"], &["--metric", "throughput"], &["--replications", "2"]];
    for (index, other) in others.iter().enumerate() {
        let dir = format!("other{index}");
        ok(&sweep(&folder, &[&["--shard", "2/2", "--out", &dir], *other].concat()));
        let output = folder.run(&["merge", "parts", &dir, "--out", "merged"]);
        assert_eq!(output.status.code(), Some(2), "{other:?}");
        assert!(stderr(&output).contains("is of plan"), "{}", stderr(&output));
    }
    let path = folder.path("parts/shard-00001-of-00002.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    for (damaged, words) in [
        (text[..text.len() - 1].to_owned(), "no end"),
        (text.replacen("\"id\":0,", "\"id\":\"0\",", 1), "line 2"),
        (String::new(), "no end"),
        (text.replacen("\"format\":1", "\"format\":9", 1), "format 9"),
    ] {
        fs::write(&path, damaged).unwrap();
        let output = folder.run(&["merge", "parts", "--out", "merged"]);
        assert_eq!(output.status.code(), Some(2), "{words}: {}", stderr(&output));
        assert!(stderr(&output).contains("is damaged") && stderr(&output).contains(words), "{}", stderr(&output));
    }
    let lied = text.replacen("\"passed\":true", "\"passed\":false", 1);
    fs::write(&path, &text).unwrap();
    fs::write(folder.path("lied.jsonl"), lied).unwrap();
    let output = folder.run(&["merge", "parts", "lied.jsonl", "--out", "merged"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("point 0 is not what another shard says"), "{}", stderr(&output));
    fs::create_dir(folder.path("empty")).unwrap();
    assert_eq!(folder.run(&["merge", "empty", "--out", "merged"]).status.code(), Some(2));
    assert_eq!(folder.run(&["merge", "nowhere.jsonl", "--out", "merged"]).status.code(), Some(2));
}

/// A sweep that takes long enough to be killed within.
const LONG: [&str; 6] = ["sweep", "desk.toml", "--vary", "run.seed=1..40", "--set", "run.duration=20m"];

#[test]
fn a_sweep_that_is_killed_goes_on_where_it_was() {
    let folder = Folder::with("desk.toml", DESK);
    ok(&folder.run(&[&LONG[..], &["--out", "whole", "--quiet"]].concat()));
    let whole = results(&folder.path("whole"));
    let journal = folder.path("killed/.sweep.jsonl.partial");
    let lines = || fs::read_to_string(&journal).unwrap_or_default().matches('\n').count();
    let arguments = [&LONG[..], &["--out", "killed", "--threads", "1"]].concat();
    let (mut kills, mut before) = (0, 0);
    for wanted in [1, 2, 9, 20] {
        let mut command: Command = folder.command(&arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while lines() < wanted && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Nothing that was finished is lost.
        assert!(lines() >= before);
        before = lines();
        kills += usize::from(journal.exists());
        assert!(!folder.path("killed/points.jsonl").exists() || !journal.exists());
    }
    assert!(kills >= 3, "it was killed {kills} times only");
    // The machine goes down in the middle of a line.
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 7]).unwrap();
    let output = folder.run(&arguments);
    ok(&output);
    let done = lines_done(&stderr(&output));
    assert_eq!(done, before - 2, "{}", stderr(&output));
    assert!(results(&folder.path("killed")) == whole);
    // What is finished is not run again, and stays the same.
    let output = folder.run(&arguments);
    ok(&output);
    assert_eq!(lines_done(&stderr(&output)), 40);
    assert!(results(&folder.path("killed")) == whole);
}

/// How many points a sweep says it found.
fn lines_done(told: &str) -> usize {
    let line = told.lines().find(|line| line.ends_with("points are finished already")).unwrap_or_default();
    line.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[test]
fn another_sweep_does_not_go_on_in_the_same_folder() {
    let folder = Folder::with("desk.toml", DESK);
    ok(&sweep(&folder, &["--out", "all", "--shard", "1/3"]));
    // As if it had been killed just before the end.
    let shard = fs::read_to_string(folder.path("all/shard-00001-of-00003.jsonl")).unwrap();
    fs::write(folder.path("all/.shard-00001-of-00003.jsonl.partial"), &shard).unwrap();
    let other = ["--out", "all", "--shard", "1/3", "--seed", "9"];
    let output = sweep(&folder, &other);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--restart"), "{}", stderr(&output));
    ok(&sweep(&folder, &[&other[..], &["--restart"]].concat()));
    assert!(fs::read_to_string(folder.path("all/shard-00001-of-00003.jsonl")).unwrap() != shard);
}

#[test]
fn results_of_another_plan_are_not_taken_for_those_of_this() {
    let folder = Folder::with("desk.toml", DESK);
    ok(&sweep(&folder, &["--out", "one"]));
    ok(&sweep(&folder, &["--out", "two", "--seed", "9"]));
    let two = results(&folder.path("two"));
    // As if the first had been written over by the second, and that been killed between the files.
    fs::copy(folder.path("one/points.jsonl"), folder.path("two/points.jsonl")).unwrap();
    ok(&sweep(&folder, &["--out", "two", "--seed", "9"]));
    assert!(results(&folder.path("two")) == two);
}

#[test]
fn mistakes_point_at_the_factor_and_nothing_is_run() {
    let folder = Folder::with("desk.toml", DESK);
    for (vary, words) in [
        ("station.desk.servrs=1..2", "servers"),
        ("station.desk.servers=1,many", "many"),
        ("traffic.people.rate=1/s..5/s", "step"),
        ("traffic.nobody.rate=1/s", "nobody"),
    ] {
        let output = folder.run(&["sweep", "desk.toml", "--vary", vary, "--out", "all"]);
        assert_eq!(output.status.code(), Some(2), "{vary}");
        let told = stderr(&output);
        assert!(told.contains("--vary:1:") && told.contains('^') && told.contains(words), "{vary}: {told}");
        assert!(!folder.path("all").exists());
    }
    for wrong in [
        &["--shard", "9/3", "--out", "x"][..],
        &["--shard", "1/3"],
        &["--shard", "auto", "--out", "x"],
        &["--metric", "latency.p98"],
    ] {
        let output = sweep(&folder, wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", stderr(&output));
    }
    let mut kubernetes =
        folder.command(&[&["sweep", "desk.toml", "--shard", "auto", "--out", "x"], &VARY[..]].concat());
    let output = kubernetes.env("JOB_COMPLETION_INDEX", "0").output().unwrap();
    assert!(stderr(&output).contains("give the count as auto/N"), "{}", stderr(&output));
}

#[test]
fn points_can_be_listed_and_the_file_can_say_them() {
    let points = "\n[sweep]\npoints = [{ \"station.desk.servers\" = 2, \"traffic.people.rate\" = \"30/s\" }, { \"station.desk.servers\" = 1, \"traffic.people.rate\" = \"5/s\" }]\n";
    let folder = Folder::with("desk.toml", &format!("{DESK}{points}"));
    let output = folder.run(&["sweep", "desk.toml", "--list"]);
    ok(&output);
    assert_eq!(
        stdout(&output),
        "0  station.desk.servers=2, traffic.people.rate=30/s\n1  station.desk.servers=1, traffic.people.rate=5/s\n"
    );
    let output = folder.run(&["sweep", "desk.toml", "--json"]);
    ok(&output);
    assert_eq!(stdout(&output).lines().count(), 2);
    // `check` checks them too.
    assert!(stdout(&folder.run(&["check", "desk.toml"])).ends_with(", 2 points to sweep\n"));
    fs::write(folder.path("desk.toml"), format!("{DESK}{}", points.replace("servers\" = 1", "servers\" = 0"))).unwrap();
    let output = folder.run(&["check", "desk.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("sweep.points:1:") && stderr(&output).contains('^'), "{}", stderr(&output));
}

#[test]
fn more_shards_than_points_are_no_mistake() {
    let folder = Folder::with("desk.toml", DESK);
    for number in 1..=3 {
        let shard = format!("{number}/3");
        ok(&folder.run(&[
            "sweep",
            "desk.toml",
            "--vary",
            "run.seed=1,2",
            "--out",
            "parts",
            "--shard",
            &shard,
            "--quiet",
        ]));
    }
    let output = folder.run(&["merge", "parts", "--out", "all", "--json", "--quiet"]);
    ok(&output);
    assert_eq!(stdout(&output).lines().count(), 2);
}

#[test]
fn uncertain_settings_give_ranges() {
    let text = DESK.replace("rate = \"20/s\"", "rate = { low = \"10/s\", mid = \"20/s\", high = \"30/s\" }");
    let folder = Folder::with("desk.toml", &text);
    let record = |arguments: &[&str]| -> serde_json::Value {
        let output = folder.run(&[&["sweep", "desk.toml", "--json", "--quiet"], arguments].concat());
        ok(&output);
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let at = |record: &serde_json::Value, what: &str| record["figures"]["throughput"][what].as_f64().unwrap();
    let cases = record(&[]);
    let (low, mid, high) = (at(&cases, "low"), at(&cases, "value"), at(&cases, "high"));
    assert!(
        (9.0..11.0).contains(&low) && (19.0..21.0).contains(&mid) && (28.5..31.5).contains(&high),
        "{low} {mid} {high}"
    );
    // The middle is what a plain run has, which says so.
    let run = folder.run(&["run", "desk.toml", "--json"]);
    ok(&run);
    assert!(stderr(&run).contains("is a range from 10/s to 30/s: here it is 20/s"), "{}", stderr(&run));
    let run: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(run["throughput"]["value"].as_f64(), Some(mid));
    // Drawn by each replication: the interval holds what is not known.
    let drawn = record(&["--set", "traffic.people.rate.distribution=uniform", "--replications", "12"]);
    let (low, high) = (at(&drawn, "low"), at(&drawn, "high"));
    assert!(9.0 < low && low < 17.0 && 23.0 < high && high < 31.0, "{low} {high}");
    // Of twelve draws with a standard deviation of 20/s / sqrt(12) the half-width is about 3.7/s, that of one rate below 0.5/s.
    assert!((2.0..6.0).contains(&at(&drawn, "half_width")), "{drawn}");
}

#[test]
fn precision_decides_at_every_point_and_the_warm_up_is_the_same_at_all() {
    let folder = Folder::with("desk.toml", DESK);
    let precision = "run.precision={ metric = \"latency.mean\", relative = \"5%\", max_replications = 200 }";
    let arguments = ["sweep", "desk.toml", "--quiet", "--json", "--vary", "traffic.people.rate=10/s,30/s"];
    let output = folder.run(&[&arguments[..], &["--set", precision]].concat());
    ok(&output);
    let text = stdout(&output);
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &records {
        let mean = &record["figures"]["latency.mean"];
        let relative = mean["half_width"].as_f64().unwrap() / mean["value"].as_f64().unwrap();
        assert!(relative <= 0.05, "{record}");
    }
    // The busier desk takes more.
    let replications = |index: usize| records[index]["replications"].as_u64().unwrap();
    assert!(replications(1) > replications(0) && replications(0) > 3, "{} {}", replications(0), replications(1));
    let output = folder.run(&[&arguments[..], &["--set", "run.warm_up=auto"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("run.warm_up cannot be \"auto\""), "{}", stderr(&output));
}
