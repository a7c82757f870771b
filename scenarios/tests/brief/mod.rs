//! A few seconds of whatever could be read: what validation lets through must run.
#![allow(dead_code, reason = "each user takes what it needs")]

use models::Architecture;
use models::client::Arrivals;
use scenarios::experiment::expected_operations;
use sim_core::SimDuration;

/// The first `seconds` of an architecture.
pub fn beginning(mut architecture: Architecture, seconds: u64) -> Architecture {
    architecture.run.duration = architecture.run.duration.min(SimDuration::from_secs(seconds));
    architecture.run.warm_up = architecture.run.warm_up.min(SimDuration::from_secs(1));
    let horizon = architecture.run.horizon();
    // What comes later could not be written down for so short a run.
    architecture.deployments.retain(|it| it.at < horizon);
    architecture.faults.retain(|it| it.at < horizon);
    architecture
}

/// Runs three seconds of an architecture, unless they would take long, and has them audited.
pub fn run(architecture: Architecture, seed: u64) {
    let architecture = beginning(architecture, 3);
    if small(&architecture) {
        let seen = models::simulate(&architecture, seed, 0);
        let broken = seen.audit.checks.iter().find(|law| !law.holds);
        assert!(broken.is_none(), "{broken:?}");
    }
}

fn small(architecture: &Architecture) -> bool {
    // Users who neither think nor wait ask without end.
    let closed = architecture.traffic.iter().any(|it| match &it.arrivals {
        Arrivals::Closed { users, think_time } => *users > 50 || think_time.mean() < 0.01,
        _ => false,
    });
    let clients: u64 = architecture.traffic.iter().map(|it| u64::from(it.clients)).sum();
    let tasks: u64 = architecture.ecs.iter().map(|it| u64::from(it.desired_count)).sum();
    let objects: u64 = architecture.catalogs.iter().map(|it| it.objects).sum();
    !closed && expected_operations(architecture) < 3000.0 && clients < 50_000 && tasks < 200 && objects < 100_000
}
