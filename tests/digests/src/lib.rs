//! Digests of the library's scenarios: the same on every target, for every number of threads, optimised or not.
//!
//! `digests.txt` beside this crate's manifest has a line a scenario. `tests/checked_in.rs` compares it with the machine's own
//! results, `tests/wasm.sh` with those of a WebAssembly build.

use std::io::{self, BufRead, Cursor};

use models::Architecture;
use scenarios::{LoadOptions, Override, Scenario, Source, library};
use sim_core::observations::Observations;

#[cfg(target_family = "wasm")]
mod wasm;

/// How many replications have their digests in the file.
pub const REPLICATIONS: u32 = 2;

/// A scenario of the library, changed so that it takes seconds and still has in it whatever it is about.
pub struct Case {
    /// Its name in the library.
    pub name: &'static str,
    scenario: Scenario,
}

impl Case {
    /// All scenarios of the library, by name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        library::list().map(|(name, _)| Self { name, scenario: load(name) }).collect()
    }

    /// What runs.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.scenario.architecture
    }

    /// The scenario's own seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.scenario.seed
    }

    /// Runs one replication.
    #[must_use]
    pub fn run(&self, replication: u32) -> Observations {
        models::simulate(self.architecture(), self.seed(), replication)
    }

    /// The scenario's line in the file: for each replication the requests' fate and the report's raw bits.
    #[must_use]
    pub fn line(&self, replications: &[Observations]) -> String {
        let digests = replications.iter().map(|it| format!(" {:016x} {:016x}", it.digest, it.fingerprint()));
        format!("{:<24}{}\n", self.name, digests.collect::<String>())
    }
}

/// What makes a scenario short. What is not named here runs as it is.
fn changes(name: &str) -> &'static [&'static str] {
    match name {
        "mm1" => &["run.duration=20m"],
        "three-tier" | "three-tier-threaded" => &["run.duration=2m"],
        // The deployment, the television spot and the failover come sooner after one another.
        "web-shop" => &[
            "run.duration=24m",
            "run.warm_up=2m",
            "deploy.0.at=3m",
            r#"traffic.tokyo.rate={ base = "300/s", at = [["8m", "900/s"], ["14m", "300/s"]], ramp = "1m" }"#,
            "ecs.web.scaling.0.scale_out_datapoints=1",
            "fault.0.at=17m",
        ],
        "canary-weights" => &["run.duration=5m"],
        "flood" => {
            &["run.duration=5m", r#"traffic.flood.rate={ base = "0/s", at = [["2m", "1000/s"], ["4m", "0/s"]] }"#]
        }
        "slow-target" => &["run.duration=5m", "fault.0.duration=5m"],
        "zonal-shift" => {
            &["run.duration=10m", "fault.0.at=2m", "fault.0.duration=6m", "fault.1.at=4m", "fault.1.duration=3m"]
        }
        _ => &[],
    }
}

fn load(name: &str) -> Scenario {
    let text = library::get(name).expect("in the library").to_owned();
    let overrides: Vec<Override> = changes(name).iter().map(|it| Override((*it).to_owned())).collect();
    let options = LoadOptions { open_log: Some(&|_| log()), ..LoadOptions::default() };
    let source = Source { name: format!("{name}.toml"), text };
    scenarios::load_with(&source, &overrides, &options).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)))
}

/// The access log of every replay: two hours, a page and two pictures every second, now and then out of order.
fn log() -> io::Result<Box<dyn BufRead>> {
    let mut text = String::new();
    for visit in 0..7200u32 {
        let (hour, minute, second) = (visit / 3600, visit / 60 % 60, (visit ^ u32::from(visit % 97 == 0)) % 60);
        let client = visit.wrapping_mul(2_654_435_761) >> 24;
        for (target, bytes) in [("/", 5120), ("/logo.png", 900), ("/photo.jpg?size=2", 70_000 + visit)] {
            text += &format!(
                "192.0.2.{client} - - [01/Mar/2024:{hour:02}:{minute:02}:{second:02} +0000] \"GET {target} HTTP/1.1\" 200 {bytes}\n"
            );
        }
    }
    Ok(Box::new(Cursor::new(text.into_bytes())))
}
