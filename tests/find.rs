//! `stormglass find` from outside, against theory.

mod common;

use common::{DESK, Folder, stderr, stdout};

/// M/M/c with 2.5 erlangs: by Erlang's C formula the mean time in system is 60.1 ms with three servers, 30.3 ms with four and
/// 26.3 ms with five.
fn counter() -> Folder {
    let text = DESK.replace("20/s", "100/s").replace("latency.p99", "latency.mean").replace("10s", "40ms");
    Folder::with("desk.toml", &text.replace("60s", "120s"))
}

fn search(folder: &Folder, code: i32, arguments: &[&str]) -> serde_json::Value {
    let output = folder.run(&[&["find", "desk.toml", "--json", "--quiet"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{}{}", stderr(&output), stdout(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What was run in the first case, with what was found of it.
fn evidence(search: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let all = search["cases"][0]["evidence"].as_array().unwrap();
    all.iter().map(|it| (text(&it["setting"]), text(&it["finding"]))).collect()
}

#[test]
fn the_smallest_number_of_servers_is_that_of_theory() {
    let folder = counter();
    let vary = ["--vary", "station.desk.servers=1..32"];
    let found = search(&folder, 0, &vary);
    assert_eq!(found["cases"][0]["answer"], "station.desk.servers=4", "{found:#}");
    let bisected = evidence(&found);
    assert!(bisected.len() <= 7, "{bisected:?}");
    assert!(bisected.contains(&("station.desk.servers=3".into(), "fail".into())), "{bisected:?}");
    let why = found["cases"][0]["neighbours"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("misses latency.mean <= 40ms: "), "{why}");
    // One by one it is the same, and nothing beyond the answer is run.
    let all = search(&folder, 0, &[&vary[..], &["--all"]].concat());
    assert_eq!(all["cases"][0]["answer"], "station.desk.servers=4");
    assert_eq!(evidence(&all).len(), 4);
    // Nothing here depends on the threads.
    assert_eq!(found, search(&folder, 0, &[&vary[..], &["--threads", "1"]].concat()));
    let none = search(&folder, 99, &["--vary", "station.desk.servers=1..3"]);
    assert!(none["cases"][0]["answer"].is_null());
    let summary = stdout(&folder.run(&[&["find", "desk.toml", "--quiet"], &vary[..]].concat()));
    assert!(summary.starts_with("FOUND station.desk.servers=4 is the first setting"), "{summary}");
    assert!(summary.contains("Why not its neighbours"), "{summary}");
}

#[test]
fn a_variant_has_an_answer_of_its_own() {
    let folder = counter();
    let variant =
        "\n[[variant]]\nname = \"rush\"\nset = { \"traffic.people.rate\" = \"150/s\", \"station.desk.servers\" = 9 }\n";
    let text = std::fs::read_to_string(folder.path("desk.toml")).unwrap();
    std::fs::write(folder.path("desk.toml"), text + variant).unwrap();
    // With 3.75 erlangs it is 112 ms with four servers and 34 ms with five.
    let found = search(&folder, 0, &["--vary", "station.desk.servers=3..8", "--variant", "rush"]);
    assert_eq!(found["cases"][0]["answer"], "station.desk.servers=5", "{found:#}");
    assert_eq!(found["scenario"], "desk, variant rush");
}

/// Runs a search whose title is hostile with `--out`, and gives its page.
fn page(folder: &Folder, arguments: &[&str]) -> String {
    let title = r#"title="<script>alert(1)</script>""#;
    let output = folder.run(&[&["find", "desk.toml", "--json", "--set", title, "--out", "out"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("wrote out/find.json, out/find.html"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(folder.path("out/find.json")).unwrap(), stdout(&output));
    let page = std::fs::read_to_string(folder.path("out/find.html")).unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    page
}

#[test]
fn the_page_shows_the_answer_the_evidence_and_what_decides() {
    let folder = counter();
    let charts = |page: &str| page.matches("<svg class=\"chart\"").count();
    let smallest = page(&folder, &["--vary", "station.desk.servers=1..8"]);
    // The figure that is expected, and the stations' utilisation.
    assert_eq!(charts(&smallest), 2, "{smallest}");
    for words in
        ["<h3>latency.mean <small>decides</small></h3>", "Why not its neighbours", "misses latency.mean &lt;= 40ms"]
    {
        assert!(smallest.contains(words), "{words}: {smallest}");
    }
    let chosen = smallest.lines().find(|line| line.contains("class=\"chosen\"")).unwrap();
    assert!(chosen.contains("station.desk.servers=4") && chosen.contains(">pass<"), "{chosen}");
    let room = page(&folder, &["--saturate", "--tolerance", "20"]);
    assert!(room.contains("What binds first, at traffic x") && room.contains("traffic factor"), "{room}");
    // Settings of several factors stand at their cost, which no line joins: there is no chart of stations.
    let dear =
        ["--vary", "station.desk.servers=4..5", "--vary", "station.desk.discipline=\"fifo\",\"processor_sharing\""];
    let cost = page(&folder, &[&dear[..], &["--cost", "station.desk.servers=1"]].concat());
    assert_eq!(charts(&cost), 1, "{cost}");
    assert!(cost.contains("\ncost\n</text>"), "{cost}");
}

#[test]
fn a_response_that_is_not_monotone_is_noticed() {
    let folder = counter();
    let found = search(&folder, 0, &["--vary", "traffic.people.rate=10/s..60/s:10/s"]);
    assert_eq!(found["cases"][0]["answer"], "traffic.people.rate=10/s", "{found:#}");
    let note = found["cases"][0]["notes"][0].as_str().unwrap();
    assert!(note.contains("latency.mean gets worse from traffic.people.rate=10/s to "), "{note}");
}

#[test]
fn the_cheapest_of_several_factors() {
    let folder = counter();
    // Three servers of 20 ms have 2 erlangs: 37.8 ms. Two of 10 ms have 1 erlang: 13.3 ms. One of 5 ms: 10 ms.
    let vary = [
        "--vary",
        "station.desk.servers=1..4",
        "--vary",
        "station.desk.service={ exponential = \"20ms\" },{ exponential = \"10ms\" }",
    ];
    let output = folder.run(&[&["find", "desk.toml"], &vary[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("say what they cost"), "{}", stderr(&output));
    let found = search(&folder, 0, &[&vary[..], &["--cost", "station.desk.servers=3"]].concat());
    assert_eq!(
        found["cases"][0]["answer"], "station.desk.servers=2, station.desk.service={ exponential = \"10ms\" }",
        "{found:#}"
    );
    assert_eq!(found["cases"][0]["evidence"][0]["cost"], 3.0);
    for (cost, words) in [
        ("station.desk.service=3", "no numbers"),
        ("alb.x=3", "is not varied"),
        ("station.desk.servers", "KEY=PRICE"),
        ("station.desk.servers=much", "no price"),
    ] {
        let output = folder.run(&[&["find", "desk.toml", "--cost", cost], &vary[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn head_room_is_that_of_theory() {
    // M/M/1 with 20/s and 40/s: the mean is 1 / (40 - 20 f) s, so that 100 ms are reached at f = 1.5.
    let text = DESK.replace("latency.p99", "latency.mean").replace("10s", "100ms").replace("60s", "300s");
    let folder = Folder::with("desk.toml", &text.replace("replications = 3", "replications = 10"));
    let found = search(&folder, 0, &["--saturate"]);
    let factor = found["cases"][0]["rank"].as_f64().unwrap();
    assert!((1.35..1.5).contains(&factor), "{found:#}");
    let binds = found["cases"][0]["binds"].as_str().unwrap();
    assert!(binds.contains("What binds first") && binds.contains("station.desk"), "{binds}");
    // Twice the traffic, half the room; and a range of traffic gives a range of room.
    let ranged = text.replace("rate = \"20/s\"", "rate = { low = \"10/s\", mid = \"20/s\", high = \"40/s\" }");
    let folder = Folder::with("desk.toml", &ranged.replace("replications = 3", "replications = 10"));
    let found = search(&folder, 0, &["--saturate"]);
    let room: Vec<f64> = found["cases"].as_array().unwrap().iter().map(|it| it["rank"].as_f64().unwrap()).collect();
    assert!((2.6..3.0).contains(&room[1]) && (0.65..0.75).contains(&room[2]), "{room:?}");
    let answer = found["answer"].as_str().unwrap();
    assert!(
        answer.contains("over the ranges from x 0.") && answer.contains("(where traffic.people.rate=40/s) to x 2."),
        "{answer}"
    );
    // What cannot be met at all.
    let found = search(&folder, 99, &["--saturate", "--set", "expect.0.max=24ms"]);
    assert!(found["cases"][0]["answer"].is_null());
}

#[test]
fn what_cannot_be_searched_is_said() {
    let folder = Folder::with("desk.toml", DESK);
    let says = |arguments: &[&str], words: &str| {
        let output = folder.run(&[&["find", "desk.toml"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    };
    says(&[], "nothing is varied");
    says(&["--saturate", "--vary", "a.b=1"], "cannot be used with");
    says(&["--saturate", "--tolerance", "0"], "from 0.1 to 50");
    says(&["--saturate", "--replications", "1"], "must be 2 or more");
    says(&["--vary", "station.desk.servers=1..2", "--set", "expect=[]"], "[[expect]]");
    says(&["--vary", "station.desk.servers=0..2"], "--vary:1:");
    let closed =
        ["--set", "traffic.people={ name = \"people\", to = \"station.desk\", users = 3, think_time = \"1s\" }"];
    says(&[&["--saturate"], &closed[..]].concat(), "no open traffic");
}
