//! Messages as people see them: every text is compared with a reviewed file. `UPDATE=1 cargo test` rewrites the files.

use std::path::{Path, PathBuf};

use scenarios::{LoadOptions, Override, Source, library, load, load_with, schema};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn source(name: &str) -> Source {
    let text = std::fs::read_to_string(folder().join("broken").join(name)).expect("the scenario is there");
    Source { name: name.into(), text }
}

fn compare(file: &str, found: &str) {
    let path = folder().join("broken").join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, found).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == found, "{file} has changed; look at it and run with UPDATE=1 if it is right. Now:\n{found}");
}

#[test]
fn all_mistakes_of_a_scenario_are_told_at_once() {
    let wrong = load(&source("shop.toml"), &[], None).expect_err("it is full of mistakes");
    assert!(wrong.len() >= 25, "{} mistakes", wrong.len());
    compare("shop.txt", &wrong.render(false));
}

#[test]
fn mistakes_of_syntax_are_told_with_their_place() {
    let mut all = String::new();
    for text in [
        "title = \"unclosed\n[run\nduration = 1m\n",
        "title = \"a\"\ntitle = \"b\"\n",
        "title = \"cut off in the mid",
        "",
    ] {
        let wrong =
            load(&Source { name: "syntax.toml".into(), text: text.into() }, &[], None).expect_err("it is no TOML");
        all += &wrong.render(false);
        all.push('\n');
    }
    compare("syntax.txt", &all);
}

#[test]
fn mistakes_of_overrides_are_told_as_those_of_the_file() {
    let metric = |path: &str| if path.contains("p98") { Err(vec!["latency.p99".to_string()]) } else { Ok(()) };
    let options = LoadOptions { check_metric: Some(&metric), ..LoadOptions::default() };
    let text = library::get("web-shop").expect("in the library").to_string();
    let source = Source { name: "web-shop.toml".into(), text };
    let overrides = [
        "run.duration=30",
        "run.duratoin=30m",
        "run.seed",
        "run..seed=1",
        "ecs.wbe.desired_count=3",
        "ecs.web.desired_count=many",
        "ecs.web.cpu=2 cores",
        "ecs.web.scaling.0.target_value={",
        "traffic.osaka.rate=1/s",
        "traffic.7.rate=1/s",
        "traffic.tokyo.rate.base=300",
        "alb.front.idle_timeout.seconds=5",
        "lambda.resize.memory=512",
        "deploy.0.at=3h",
        "fault.0.target=aurora.order",
        "expect.0.metric=latency.p98",
        "route53.\"www.example.com\".ttl=5s",
        "dynamodb.cart.operations.get_cart.item_size=401KB",
    ];
    let mut all = String::new();
    for text in overrides {
        let wrong = load_with(&source, &[Override(text.into())], &options);
        let wrong = wrong.map(|scenario| scenario.title).expect_err(text);
        all += &wrong.render(false);
        all.push('\n');
    }
    compare("set.txt", &all);
}

#[test]
fn mistakes_of_variants_are_told_where_they_stand() {
    let metric = |path: &str| if path.contains("p98") { Err(vec!["latency.p99".to_string()]) } else { Ok(()) };
    let options = LoadOptions { check_metric: Some(&metric), ..LoadOptions::default() };
    let mut all = String::new();
    for file in ["variants.toml", "variants-2.toml", "variants-3.toml"] {
        let wrong = load_with(&source(file), &[], &options).map(|scenario| scenario.title).expect_err(file);
        all += &wrong.render(false);
        all.push('\n');
    }
    let deployments = library::get("deployments").expect("in the library").to_string();
    let deployments = Source { name: "deployments.toml".into(), text: deployments };
    for name in ["blue-green", "shadow"] {
        let options = LoadOptions { variant: Some(name), ..options };
        let wrong = load_with(&deployments, &[], &options).map(|scenario| scenario.title).expect_err(name);
        all += &wrong.render(false);
        all.push('\n');
    }
    compare("variants.txt", &all);
}

#[test]
fn the_schema_in_the_repository_is_that_of_the_language() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, schema()).expect("the schema can be written");
    }
    let fresh = std::fs::read_to_string(&path).unwrap_or_default() == schema();
    assert!(fresh, "scenario.schema.json is not what the language says; run with UPDATE=1");
}
