//! One replication of a library scenario, for profilers: `oneshot NAME [KEY=VALUE...]`.
use scenarios::{Override, Source};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().expect("the name of a library scenario");
    let text = scenarios::library::get(&name).expect("a library scenario").to_owned();
    let overrides: Vec<Override> = arguments.map(Override).collect();
    let source = Source { name: format!("{name}.toml"), text };
    let scenario = scenarios::load(&source, &overrides, None).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    let seen = models::simulate(&scenario.architecture, 1, 0);
    println!("{} events, digest {:016x}", seen.events, seen.digest);
}
