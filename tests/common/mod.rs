//! A folder of its own for each test, and the binary run in it.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A textbook queue: one server, random arrivals, half busy.
pub const DESK: &str = r#"
title = "One desk"

[run]
duration = "60s"
replications = 3
seed = 7

[[traffic]]
name = "people"
to = "station.desk"
rate = "20/s"

[station.desk]
servers = 1
service = { exponential = "25ms" }

[[expect]]
metric = "latency.p99"
max = "10s"
"#;

/// A folder that is removed at the end of its test.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// One with a file.
    pub fn with(name: &str, content: &str) -> Self {
        let folder = Self::new();
        std::fs::write(folder.path(name), content).unwrap();
        folder
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The binary with arguments, to be run inside.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
        command.args(arguments).current_dir(&self.0);
        command
    }

    /// What the binary does inside.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
