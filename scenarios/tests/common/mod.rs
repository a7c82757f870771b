//! Scenarios as text: read, refused, run, and what came of deployments.
#![allow(dead_code, reason = "each test file uses what it needs")]

use scenarios::{Override, Scenario, Source, load};
use sim_core::observations::Observations;

/// A load balancer and four tasks, and nothing that need not be said.
pub const SMALL: &str = r#"
title = "small"
[run]
duration = "10m"
[[traffic]]
name = "users"
to = "alb.front"
rate = "10/s"
[alb.front]
target_group.web.targets = "ecs.web"
[ecs.web]
desired_count = 4
cpu = "1 vCPU"
[[ecs.web.handler]]
steps = [{ cpu = "5ms" }]
"#;

/// [`SMALL`] with what is set.
#[track_caller]
pub fn small(overrides: &[&str]) -> Scenario {
    loaded(SMALL, overrides)
}

/// [`SMALL`] with more after it.
#[track_caller]
pub fn with(more: &str) -> Scenario {
    loaded(&format!("{SMALL}{more}"), &[])
}

/// What a text is read as, with what is set; or what is wrong with it, as users see it.
pub fn load_text(text: &str, set: &[&str]) -> Result<Scenario, String> {
    let set: Vec<Override> = set.iter().map(|it| Override((*it).to_owned())).collect();
    load(&Source { name: "test.toml".into(), text: text.into() }, &set, None).map_err(|wrong| wrong.render(false))
}

/// A text without mistakes.
#[track_caller]
pub fn loaded(text: &str, set: &[&str]) -> Scenario {
    load_text(text, set).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// A text with mistakes, of which these words tell.
#[track_caller]
pub fn refused(text: &str, set: &[&str], needles: &[&str]) {
    let Err(wrong) = load_text(text, set) else { panic!("{set:?} is accepted in:\n{text}") };
    for needle in needles {
        assert!(wrong.contains(needle), "`{needle}` is not in:\n{wrong}");
    }
}

/// One replication, every law of whose audit holds.
pub fn simulated(scenario: &Scenario, seed: u64) -> Observations {
    let seen = models::simulate(&scenario.architecture, seed, 0);
    for law in &seen.audit.checks {
        assert!(law.holds, "{}: {}", law.law, law.found);
    }
    seen
}

/// A counter.
#[track_caller]
pub fn counter(seen: &Observations, subject: &str, name: &str) -> f64 {
    let found = seen.counters.iter().find(|counter| counter.subject == subject && counter.name == name);
    found.unwrap_or_else(|| panic!("no {subject} {name} in {:?}", seen.counters)).value
}

/// When something was written into the log, in seconds since the deployment began at 60 s.
pub fn times(seen: &Observations, what: &str) -> Vec<f64> {
    let entries = seen.log.iter().filter(|entry| entry.what.contains(what));
    entries.map(|entry| entry.at.as_secs_f64() - 60.0).collect()
}

/// The only time it was.
#[track_caller]
pub fn time(seen: &Observations, what: &str) -> f64 {
    let found = times(seen, what);
    assert_eq!(found.len(), 1, "{what}: {found:?} in {:#?}", seen.log);
    found[0]
}

/// Operations of the first route that failed.
pub fn failed(seen: &Observations) -> u64 {
    seen.routes[0].failed.iter().map(|(_, count)| count).sum()
}
