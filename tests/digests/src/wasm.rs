//! What a WebAssembly host calls: numbers in, numbers out.
#![allow(unsafe_code, reason = "exported by name; no memory is shared")]

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Case, REPLICATIONS};

static FINGERPRINT: AtomicU64 = AtomicU64::new(0);

/// How many scenarios there are.
#[unsafe(no_mangle)]
pub extern "C" fn cases() -> u32 {
    scenarios::library::list().count() as u32
}

/// How many replications each has.
#[unsafe(no_mangle)]
pub extern "C" fn replications() -> u32 {
    REPLICATIONS
}

/// Runs a replication of a scenario and returns the digest of its requests' fate.
#[unsafe(no_mangle)]
pub extern "C" fn run(case: u32, replication: u32) -> u64 {
    let seen = Case::all()[case as usize].run(replication);
    FINGERPRINT.store(seen.fingerprint(), Ordering::Relaxed);
    seen.digest
}

/// The fingerprint of what was run last.
#[unsafe(no_mangle)]
pub extern "C" fn fingerprint() -> u64 {
    FINGERPRINT.load(Ordering::Relaxed)
}
