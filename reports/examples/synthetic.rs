//! Writes the report of a made-up experiment into a directory, to look at: `cargo run -p reports --example synthetic -- DIR [N]`.

#[path = "../tests/common/mod.rs"]
#[allow(dead_code, missing_docs, reason = "each file uses what it needs")]
mod common;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "report".to_owned());
    let replications = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(10);
    let experiment = match replications {
        0 => reports::Experiment { replications: vec![common::nothing(0)], ..common::experiment(1) },
        many => common::experiment(many),
    };
    match reports::estimate(&experiment) {
        Ok(report) => {
            print!("{}", report.to_terminal(true, 100));
            reports::write_all(&report, Path::new(&directory)).map(|_| ())
        }
        Err(bad) => Err(std::io::Error::other(format!("{bad:?}"))),
    }
}
