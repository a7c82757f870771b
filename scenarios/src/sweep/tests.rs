use super::*;

const TEXT: &str = r#"
title = "One desk"

[run]
duration = "10s"

[[traffic]]
name = "people"
to = "station.desk"
rate = "20/s"

[station.desk]
servers = 1
service = { exponential = "25ms" }
"#;

fn plan_of(text: &str, vary: &[&str]) -> Result<Plan<'static>, Diagnostics> {
    let vary: Vec<String> = vary.iter().map(|it| (*it).to_owned()).collect();
    let source = Source { name: "desk.toml".into(), text: text.to_owned() };
    Plan::new(source, &Wishes { vary: &vary, ..Wishes::default() }, LoadOptions::default(), "1.0.0")
}

fn plan(vary: &[&str]) -> Plan<'static> {
    plan_of(TEXT, vary).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn shown(plan: &Plan<'_>) -> Vec<String> {
    let point = |point: &Point| plan.values(point).map(|(_, value)| value).collect::<Vec<_>>().join(" ");
    plan.points.iter().map(point).collect()
}

#[test]
fn all_combinations_have_the_last_factor_change_fastest() {
    let plan = plan(&["station.desk.servers=1..3", "traffic.people.rate=10/s,20/s"]);
    assert_eq!(shown(&plan), ["1 10/s", "1 20/s", "2 10/s", "2 20/s", "3 10/s", "3 20/s"]);
    assert!(plan.points.iter().enumerate().all(|(index, point)| point.id as usize == index));
    assert_eq!(plan.factors[1].amounts(), Some((vec![10.0, 20.0], "/s")));
}

#[test]
fn the_file_may_say_what_is_varied() {
    let with = |section: &str| plan_of(&format!("{TEXT}\n[sweep]\n{section}"), &[]);
    let all = with("vary = { 'station.desk.servers' = '1..2', \"traffic.people.rate\" = ['10/s', '20/s'] }").unwrap();
    assert_eq!(shown(&all), ["1 10/s", "1 20/s", "2 10/s", "2 20/s"]);
    let listed = with(
        "points = [{ 'station.desk.servers' = 2, 'traffic.people.rate' = '5/s' }, { 'traffic.people.rate' = '9/s', 'station.desk.servers' = 1 }]",
    );
    assert_eq!(shown(&listed.unwrap()), ["2 5/s", "1 9/s"]);
    for (wrong, words) in [
        ("points = [{ 'a.b' = 2 }, { 'a.c' = 2 }]", "`a.b` is missing"),
        ("points = [{ 'a.b' = 2 }, { 'a.b' = 2 }]", "twice"),
        ("points = [{ 'a.b' = 2 }, { 'a.b' = 3, 'a.c' = 2 }]", "the first point has no such"),
        ("points = [{ 'a.b' = 2 }]\nvary = { 'a.b' = 3 }", "both `vary` and `points`"),
        ("vary = { servers = 3 }", "whole dotted key"),
        ("vary = { station.desk.servers = 3 }", "whole dotted key"),
        ("vary = { 'a.b' = '3..1' }", "ends before it begins"),
    ] {
        let told = with(wrong).expect_err(wrong).render(false);
        assert!(told.contains(words) && told.contains('^'), "{wrong}: {told}");
    }
}

#[test]
fn mistakes_point_at_the_factor() {
    for (vary, words) in [
        (&["station.desk.servers=4..2:1"][..], "ends before it begins"),
        (&["station.desk.servers"], "key=values"),
        (&["station.desk.servers=1", "station.desk.servers=2"], "varied twice"),
        (&["station.desk.servers=1..1000", "traffic.people.rate=1/s..1000/s:1/s"], "too many points"),
    ] {
        let told = plan_of(TEXT, vary).expect_err("wrong").render(false);
        assert!(told.contains(words), "{told}");
    }
    for (vary, words) in [("station.desk.servrs=1..2", "servers"), ("station.desk.servers=many", "whole number")] {
        let plan = plan(&[vary]);
        let told = plan.load(&plan.points[0], Choice::default()).expect_err(vary).render(false);
        assert!(told.contains(words) && told.contains("--vary:1:") && told.contains('^'), "{told}");
    }
}

#[test]
fn a_point_is_the_scenario_with_its_values() {
    let plan = plan(&["station.desk.servers=1..3", "run.seed=5,6"]);
    let scenario = plan.load(&plan.points[3], Choice::default()).unwrap();
    assert_eq!(scenario.seed, 6);
    assert!(
        format!("{:?}", scenario.architecture.stations).contains("servers: Some(2)"),
        "{:?}",
        scenario.architecture.stations
    );
}

#[test]
fn the_digest_covers_everything_that_results_depend_on() {
    let vary = &["station.desk.servers=1..3"][..];
    let digest = plan(vary).digest;
    assert_eq!(digest.len(), 32);
    assert_eq!(digest, plan(vary).digest);
    assert_eq!(digest, plan(&["station.desk.servers=1,2,3"]).digest);
    let source = || Source { name: "desk.toml".into(), text: TEXT.into() };
    let with = |source: Source, sets: &[String], version: &str| {
        let vary: Vec<String> = vary.iter().map(|it| (*it).to_owned()).collect();
        let wishes = Wishes { sets, vary: &vary, metrics: &[] };
        Plan::new(source, &wishes, LoadOptions::default(), version).unwrap().digest
    };
    let longer = Source { text: TEXT.replace("10s", "11s"), ..source() };
    let others = [
        plan(&["station.desk.servers=1..4"]).digest,
        plan(&["station.desk.servers=3,2,1"]).digest,
        with(source(), &[], "1.0.1"),
        with(source(), &["run.seed=2".into()], "1.0.0"),
        with(source(), &["traffic.people.name=folk".into()], "1.0.0"),
        with(longer, &[], "1.0.0"),
    ];
    assert_eq!(with(source(), &[], "1.0.0"), digest);
    for (index, other) in others.iter().enumerate() {
        assert!(*other != digest && !others[..index].contains(other), "{index}");
    }
}
