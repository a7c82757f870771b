//! Prints what `digests.txt` must hold: `cargo run -p stormglass-digests`.

use stormglass_digests::{Case, REPLICATIONS};

fn main() {
    for case in Case::all() {
        let replications: Vec<_> = (0..REPLICATIONS).map(|replication| case.run(replication)).collect();
        print!("{}", case.line(&replications));
    }
}
