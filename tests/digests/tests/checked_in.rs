//! Every scenario of the library gives the digests that are checked in, on one thread and on two.
//!
//! A change of results is no crime, but never an accident: `UPDATE=1 cargo test -p stormglass-digests` writes the file anew,
//! and CHANGELOG.md says why the results are others.

use std::fs;

use scenarios::experiment;
use stormglass_digests::{Case, REPLICATIONS};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/digests.txt");

#[test]
fn digests_are_those_checked_in_whatever_the_threads() {
    let mut found = String::new();
    for case in Case::all() {
        let lines = [1, 2].map(|threads| {
            let seen = experiment::run(case.architecture(), case.seed(), REPLICATIONS, threads, &|_| ()).unwrap();
            assert!(seen.iter().all(|it| it.audit.passed()), "{}", case.name);
            case.line(&seen)
        });
        assert_eq!(lines[0], lines[1], "{}: one thread and two", case.name);
        found += &lines[0];
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(FILE, &found).unwrap();
    }
    let checked_in = fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(found, checked_in, "results have changed: see the head of {}", file!());
}

/// What the digests are of: a shortened scenario that lost its incidents would prove little.
#[test]
fn shortened_scenarios_still_have_their_incidents_and_end_well() {
    for case in Case::all() {
        let seen = case.run(0);
        let ended: u64 = seen.routes.iter().map(|route| route.succeeded).sum();
        assert!(ended > 1_000, "{}: {ended} operations ended well", case.name);
        let told = |kind| seen.log.iter().any(|entry| entry.kind == kind);
        if case.name == "web-shop" {
            use sim_core::observations::LogKind::{Deployment, Failover, Fault, Scaling};
            assert!([Deployment, Failover, Fault, Scaling].into_iter().all(told), "{:?}", seen.log);
        }
    }
}
