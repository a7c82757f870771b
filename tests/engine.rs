//! The engine asks nothing of its surroundings: no thread, clock, file, environment or output. WebAssembly would compile such
//! calls too and fail only when they are made, so the sources are looked at.

use std::path::Path;

const FORBIDDEN: &[&str] = &[
    "std::thread",
    "std::time",
    "std::fs",
    "std::io",
    "std::env",
    "std::path",
    "std::net",
    "std::process",
    "std::os",
    "sync::atomic",
    "sync::mpsc",
    "Mutex",
    "RwLock",
    "OnceLock",
    "LazyLock",
    "std::{",
    "thread_local!",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
    "env!",
];

fn look(folder: &Path, seen: &mut u32) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look(&path, seen);
        } else if path.extension().is_some_and(|it| it == "rs") {
            *seen += 1;
            for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let found = FORBIDDEN.iter().find(|word| code.contains(*word));
                assert_eq!(found, None, "{}:{}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_engine_asks_nothing_of_its_surroundings() {
    let mut seen = 0;
    for folder in ["sim-core/src", "models/src"] {
        look(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut seen);
    }
    assert!(seen > 60, "{seen} files");
    for manifest in ["sim-core/Cargo.toml", "models/Cargo.toml"] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest)).unwrap();
        let dependencies = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in dependencies.lines().filter(|line| !line.trim().is_empty()) {
            let name = line.split(['.', ' ']).next().unwrap();
            let known = ["sim-core", "hashbrown", "hdrhistogram", "libm", "rand", "rand_xoshiro"];
            assert!(known.contains(&name), "{manifest}: is {name} free of threads, clocks, files and the environment?");
        }
    }
}
