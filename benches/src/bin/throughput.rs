//! How many requests a second the simulator serves: library scenarios against a loop written by hand for the same model, in
//! turn in one run, on one core; the last column is the median of the rounds' ratios. `cargo run --release -p stormglass-benches --bin throughput`.
//!
//! Last comes a day of twenty services that scale (`benches/scenarios/fleet.toml`), once and only where it is asked for by its name, as it
//! takes minutes: `... --bin throughput fleet`. Its requests are operations and calls between services together.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use models::Architecture;
use scenarios::{Override, Source};
use sim_core::SimDuration;

const ROUNDS: usize = 7;

fn load(name: &str, overrides: &[&str]) -> Architecture {
    let text = scenarios::library::get(name).unwrap_or_else(|| panic!("no library scenario {name}"));
    let source = Source { name: format!("{name}.toml"), text: text.to_owned() };
    let overrides: Vec<Override> = overrides.iter().map(|set| Override((*set).to_owned())).collect();
    match scenarios::load(&source, &overrides, None) {
        Ok(scenario) => scenario.architecture,
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

/// What is measured: its name, and a round of it that tells how many requests it served.
struct Case {
    title: &'static str,
    round: Box<dyn Fn(u32) -> u64>,
    /// Requests a second, by round.
    rates: Vec<f64>,
}

impl Case {
    fn new(title: &'static str, round: impl Fn(u32) -> u64 + 'static) -> Self {
        Self { title, round: Box::new(round), rates: Vec::new() }
    }

    fn run(&mut self, number: u32) {
        let begin = Instant::now();
        let requests = (self.round)(number);
        self.rates.push(requests as f64 / begin.elapsed().as_secs_f64());
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn simulate(architecture: &Architecture, replication: u32) -> u64 {
    let seen = models::simulate(architecture, 1, replication);
    seen.routes.iter().map(|route| route.started).sum()
}

/// A table of a thousand partitions and a million keys, asked by one service: each request makes twenty calls at once.
const TABLE: &str = r#"
title = "A table of a million keys"

[run]
duration = "5s"

[[traffic]]
name = "callers"
to = "ecs.api"
rate = "20000/s"

[ecs.api]
cpu = "4 vCPU"
workers = 100000

[[ecs.api.handler]]
steps = [{ calls = [CALLS] }]

[dynamodb.items]
read_capacity_units = 1_500_000
write_capacity_units = 500_000
read_quota = 2e6
write_quota = 2e6

[dynamodb.items.operations]
get = { operation = "GetItem", item_size = "4KB", keys = { zipf = 0.9 } }
put = { operation = "PutItem", keys = { zipf = 0.9 } }
"#;

/// Operations of that table.
fn table_operations(architecture: &Architecture, replication: u32) -> u64 {
    let seen = models::simulate(architecture, 1, replication);
    let table = seen.stations.iter().find(|station| station.name == "dynamodb.items");
    table.expect("the table is a station").completions
}

fn table() -> Architecture {
    let call = |operation: &str| format!(r#"{{ to = "dynamodb.items.{operation}", retry_mode = "none" }}"#);
    let calls = [call("get"), call("put")].join(", ");
    let text = TABLE.replace("CALLS", &vec![calls; 10].join(", "));
    match scenarios::load(&Source { name: "table.toml".to_owned(), text }, &[], None) {
        Ok(scenario) => scenario.architecture,
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

/// The fleet for so long: operations, requests in all, events and the time it took.
fn fleet(hours: u64) {
    let architecture = stormglass_benches::fleet(SimDuration::from_secs(3600 * hours));
    let begin = Instant::now();
    let seen = models::simulate(&architecture, 1, 0);
    let took = begin.elapsed().as_secs_f64();
    let operations: u64 = seen.routes.iter().map(|route| route.started).sum();
    let requests = stormglass_benches::requests(&seen);
    println!(
        "fleet, {hours} h: {operations} operations, {requests} requests, {} events in {took:.1} s: {:.0} operations/s, {:.0} requests/s",
        seen.events,
        operations as f64 / took,
        requests as f64 / took
    );
}

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    if filter == "fleet" {
        return fleet(std::env::args().nth(2).and_then(|hours| hours.parse().ok()).unwrap_or(24));
    }
    let mut cases = vec![Case::new("three-tier, loop by hand", |round| {
        stormglass_benches::bare_metal::three_tier(1_000_000, round.into()).completed
    })];
    for (title, name, overrides) in [
        ("three-tier", "three-tier", &["run.duration=10m"][..]),
        ("three-tier-threaded", "three-tier-threaded", &["run.duration=10m"][..]),
        // More workers than cores: requests share them.
        ("three-tier, processor sharing", "three-tier", &["run.duration=10m", "ecs.web.workers=64"][..]),
        ("web-shop", "web-shop", &["run.duration=2h"][..]),
    ] {
        let architecture = load(name, overrides);
        cases.push(Case::new(title, move |round| simulate(&architecture, round)));
    }
    let table = table();
    cases.push(Case::new("table-of-a-million-keys (operations)", move |round| table_operations(&table, round)));
    cases.retain(|case| case.title.ends_with("by hand") || case.title.contains(&filter));
    // One after the other in each round, so that what slows the machine for a while slows all of them.
    for round in 0..ROUNDS as u32 {
        cases.iter_mut().for_each(|case| case.run(round));
    }
    println!("{:<42} {:>14} {:>14} {:>8}", "", "best, req/s", "median, req/s", "/ loop");
    for case in &cases {
        let best = case.rates.iter().copied().fold(0.0, f64::max);
        let ratios = case.rates.iter().zip(&cases[0].rates).map(|(rate, of_loop)| rate / of_loop).collect();
        println!("{:<42} {best:>14.0} {:>14.0} {:>8.2}", case.title, median(case.rates.clone()), median(ratios));
    }
    let found = stormglass_benches::bare_metal::three_tier(1_000_000, 1);
    println!(
        "loop by hand: mean {:.2} ms, p50 {:.2} ms, p99 {:.1} ms",
        found.mean * 1e3,
        found.p50 * 1e3,
        found.p99 * 1e3
    );
}
