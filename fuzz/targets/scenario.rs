//! Any text is a scenario that runs, or is refused with a message fit for a terminal.
#![no_main]

#[path = "../../scenarios/tests/brief/mod.rs"]
mod brief;

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use scenarios::{LoadOptions, Override, Source, load_with};

const LOG: &str = "h - - [10/Oct/2000:13:55:36 +0000] \"GET /a.png HTTP/1.1\" 200 23\n";

fuzz_target!(|text: &str| {
    // What follows a NUL is what was typed after --set, a line each.
    let (text, set) = text.split_once('\0').unwrap_or((text, ""));
    let overrides: Vec<Override> = set.lines().map(|line| Override(line.into())).collect();
    let options = LoadOptions { open_log: Some(&|_| Ok(Box::new(Cursor::new(LOG)))), ..LoadOptions::default() };
    let source = Source { name: "fuzz.toml".into(), text: text.into() };
    match load_with(&source, &overrides, &options) {
        Ok(scenario) => brief::run(scenario.architecture, scenario.seed),
        Err(wrong) => {
            let plain = wrong.render(false);
            assert!(plain.contains("error: ") && !plain.contains('\u{1b}'), "{plain}");
        }
    }
});
