//! Stormglass's benchmarks: programs that measure, under `src/bin`.

use models::Architecture;
use scenarios::Source;
use sim_core::SimDuration;
use sim_core::observations::Observations;

pub mod bare_metal;

/// Twenty services that scale with the hours of a day (`scenarios/fleet.toml`) (from midnight on), for so long.
///
/// # Panics
/// If the file is wrong.
#[must_use]
pub fn fleet(duration: SimDuration) -> Architecture {
    let source = Source { name: "fleet.toml".to_owned(), text: include_str!("../scenarios/fleet.toml").to_owned() };
    let mut architecture = match scenarios::load(&source, &[], None) {
        Ok(scenario) => scenario.architecture,
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    };
    architecture.run.duration = duration;
    architecture
}

/// Requests that the services of a run were asked: operations, and calls between services.
#[must_use]
pub fn requests(seen: &Observations) -> u64 {
    let services =
        seen.stations.iter().filter(|station| station.name.starts_with("ecs.") && station.resource == "worker");
    services.map(|station| station.arrivals).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_minutes_of_the_fleet_run_and_its_services_scale() {
        let architecture = fleet(SimDuration::from_secs(600));
        assert_eq!((architecture.ecs.len(), architecture.scaling.policies.len()), (20, 20));
        assert!(architecture.ecs.iter().all(|service| service.desired_count == 50));
        let seen = models::simulate(&architecture, 1, 0);
        let operations: u64 = seen.routes.iter().map(|route| route.started).sum();
        assert!((45_000..51_000).contains(&operations), "{operations}");
        let each = requests(&seen) as f64 / operations as f64;
        assert!((10.0..12.0).contains(&each), "{each} requests an operation");
        let failed: u64 = seen.routes.iter().map(|route| route.started - route.succeeded - route.in_flight).sum();
        assert_eq!(failed, 0);
    }
}
