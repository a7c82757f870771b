//! Any bytes compose a legal architecture with incidents, which runs, passes its audit and repeats itself.
#![no_main]

#[path = "../../scenarios/tests/brief/mod.rs"]
mod brief;
#[path = "../../scenarios/tests/compose/mod.rs"]
mod compose;

use libfuzzer_sys::fuzz_target;
use scenarios::{Source, load};

fuzz_target!(|numbers: &[u8]| {
    let text = compose::scenario(&mut compose::Dice::new(numbers));
    let scenario = match load(&Source { name: "composed.toml".into(), text: text.clone() }, &[], None) {
        Ok(scenario) => scenario,
        Err(wrong) => panic!("{text}\n{}", wrong.render(false)),
    };
    let architecture = brief::beginning(scenario.architecture, 12);
    let run = || models::simulate(&architecture, scenario.seed, 0);
    let seen = run();
    let broken = seen.audit.checks.iter().find(|law| !law.holds);
    assert!(broken.is_none(), "{broken:?}\n{text}");
    assert_eq!(seen.fingerprint(), run().fingerprint(), "{text}");
});
