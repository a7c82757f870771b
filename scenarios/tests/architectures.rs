//! Random legal architectures with random incidents: every one loads, runs, passes its own audit and gives the same bits again,
//! on one thread and on two. And laws that hold whatever the numbers: more servers never hurt, more patience never costs.

mod compose;

use compose::{Dice, scenario, time};
use proptest::prelude::*;
use scenarios::{Override, Scenario, Source, experiment, load};
use sim_core::observations::Observations;

fn loaded(text: &str, overrides: &[String]) -> Scenario {
    let source = Source { name: "composed.toml".into(), text: text.into() };
    let overrides: Vec<Override> = overrides.iter().cloned().map(Override).collect();
    load(&source, &overrides, None).unwrap_or_else(|wrong| panic!("{text}\n{}", wrong.render(false)))
}

fn run(scenario: &Scenario, threads: usize) -> Vec<Observations> {
    experiment::run(&scenario.architecture, scenario.seed, scenario.replications, threads, &|_| ())
        .unwrap_or_else(|fault| panic!("{fault}"))
}

fn one(text: &str, overrides: &[String]) -> Observations {
    let scenario = loaded(text, overrides);
    models::simulate(&scenario.architecture, scenario.seed, 0)
}

/// How many cases a property gets: STORMGLASS_CASES for a long run, `usual` otherwise.
fn cases(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("STORMGLASS_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: wanted.unwrap_or(usual), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn any_architecture_runs_passes_its_audit_and_repeats_itself(numbers in prop::collection::vec(any::<u8>(), 0..160)) {
        let text = scenario(&mut Dice::new(&numbers));
        let scenario = loaded(&text, &[]);
        let seen = run(&scenario, 1);
        for one in &seen {
            for law in &one.audit.checks {
                prop_assert!(law.holds, "{}: {}\n{text}", law.law, law.found);
            }
            for route in &one.routes {
                let failed: u64 = route.failed.iter().map(|(_, count)| count).sum();
                prop_assert_eq!(route.started, route.succeeded + failed + route.in_flight, "{}\n{}", route.name, &text);
                prop_assert!(route.attempts >= route.started - route.in_flight, "{}\n{text}", route.name);
            }
            for station in &one.stations {
                let (mean, peak) = (station.utilisation, station.utilisation_peak);
                // A table's units may be used beyond what is provisioned, as long as it has burst capacity.
                let most = if station.resource == "unit" { f64::INFINITY } else { 1.0 + 1e-9 };
                prop_assert!(mean.is_nan() || (0.0..=most).contains(&mean), "{} {mean}\n{text}", station.name);
                prop_assert!(mean.is_nan() || peak.is_finite() && peak <= most, "{} {peak}\n{text}", station.name);
                // Cores and workers of the same tasks are counted over the same time.
                if let Some(service) = station.name.strip_suffix(" CPU").filter(|name| name.starts_with("ecs."))
                    && let Some(workers) = one.stations.iter().find(|it| it.name == service)
                {
                    let cpu = scenario.architecture.ecs.iter().find(|it| service == format!("ecs.{}", it.name)).unwrap();
                    let tasks = workers.servers / f64::from(cpu.task.workers);
                    let cores = tasks * cpu.task.vcpu;
                    prop_assert!((cores - station.servers).abs() < 1e-6 + 1e-6 * cores, "{service}: {cores} {}\n{text}", station.servers);
                }
            }
        }
        let prints = |seen: &[Observations]| seen.iter().map(Observations::fingerprint).collect::<Vec<_>>();
        prop_assert_eq!(prints(&seen), prints(&run(&scenario, 2)), "two threads\n{}", &text);
    }
}

/// Open traffic to one station, whose customers are the same whatever is changed by `--set`.
fn station(dice: &mut Dice<'_>) -> String {
    let service = time(dice);
    let rate = [20, 60, 150][dice.below(3)];
    let arrivals = ["poisson", "deterministic"][dice.below(2)];
    format!(
        r#"
title = "one station"
[run]
duration = "100s"
[[traffic]]
name = "people"
to = "station.desk"
rate = "{rate}/s"
arrivals = "{arrivals}"
[station.desk]
servers = 1
service = {service}
"#
    )
}

proptest! {
    #![proptest_config(cases(100))]

    /// In a first-come-first-served queue of unlimited room one server more makes no customer wait longer (Kiefer and
    /// Wolfowitz 1955: the ordered vector of work left is monotone in the number of servers). So at any moment as many have
    /// been served, and the sum of times to the end of the run, in flight or not, is no larger.
    #[test]
    fn more_servers_never_hurt(numbers in prop::collection::vec(any::<u8>(), 4), servers in 1..8u32, more in 1..4u32) {
        let text = station(&mut Dice::new(&numbers));
        let of = |servers: u32| one(&text, &[format!("station.desk.servers={servers}")]);
        let (few, many) = (of(servers), of(servers + more));
        prop_assert_eq!(few.routes[0].started, many.routes[0].started, "the same customers\n{}", &text);
        prop_assert!(many.routes[0].succeeded >= few.routes[0].succeeded, "{text}");
        prop_assert!(many.routes[0].in_flight <= few.routes[0].in_flight, "{text}");
        prop_assert!(many.stations[0].mean_waiting <= few.stations[0].mean_waiting + 1e-9, "{text}");
        prop_assert!(many.stations[0].mean_in_system <= few.stations[0].mean_in_system + 1e-9, "{text}");
        prop_assert!(many.stations[0].max_waiting <= few.stations[0].max_waiting, "{text}");
        if few.routes[0].in_flight == 0 {
            let mean = |seen: &Observations| seen.routes[0].latency.mean();
            prop_assert!(mean(&many) <= mean(&few) + 1e-12, "{text}");
        }
    }

    /// A client that gives up leaves its work behind, so patience changes nobody's time: of the same customers those who give
    /// up with more patience would have given up with less.
    #[test]
    fn more_patience_never_costs_where_abandoned_work_goes_on(
        numbers in prop::collection::vec(any::<u8>(), 4), servers in 0..4u32, timeout in 1..200u32, longer in 1..400u32,
    ) {
        let text = station(&mut Dice::new(&numbers));
        // A station of any number of servers: nobody waits, each time is the customer's own.
        let text = if servers == 0 { text.replace("servers = 1\n", "") } else { text.replace("servers = 1", &format!("servers = {servers}")) };
        let of = |timeout: u32| one(&text, &[format!("traffic.people.timeout={timeout}ms")]);
        let (hasty, patient) = (of(timeout), of(timeout + longer));
        let failed = |seen: &Observations| seen.routes[0].failed.iter().map(|(_, count)| count).sum::<u64>();
        prop_assert_eq!(hasty.routes[0].started, patient.routes[0].started, "the same customers\n{}", &text);
        prop_assert!(failed(&patient) <= failed(&hasty), "{} > {}\n{text}", failed(&patient), failed(&hasty));
        if servers == 0 {
            let (short, long) = (&hasty.routes[0], &patient.routes[0]);
            prop_assert!(long.succeeded >= short.succeeded, "{text}");
        }
    }

    /// More room turns fewer away for good: nobody is lost where there is room for all, and the flow is always whole.
    #[test]
    fn room_for_all_loses_nobody(numbers in prop::collection::vec(any::<u8>(), 4), room in 0..40u32) {
        let text = station(&mut Dice::new(&numbers));
        let bounded = one(&text, &[format!("station.desk.room={room}")]);
        let unbounded = one(&text, &[]);
        prop_assert_eq!(unbounded.stations[0].lost, 0);
        prop_assert!(bounded.stations[0].max_waiting <= u64::from(room), "{text}");
        prop_assert!(bounded.stations[0].mean_wait.is_nan() || unbounded.stations[0].mean_wait.is_nan()
            || bounded.stations[0].mean_in_system <= unbounded.stations[0].mean_in_system + 1e-9, "{text}");
    }
}

/// The composer reaches every kind of part and incident: a fuzzer that only makes queues would find little.
#[test]
fn all_parts_are_composed() {
    let mut random = sim_core::random::Stream::from_key(5);
    let all: String = (0..300)
        .map(|_| {
            let numbers: Vec<u8> = (0..160).map(|_| sim_core::random::Source::below(&mut random, 256) as u8).collect();
            scenario(&mut Dice::new(&numbers))
        })
        .collect();
    for part in [
        "[aurora.db]",
        "[dynamodb.t]",
        "[ecs.e1]",
        "[alb.a0]",
        "[cloudfront.c0]",
        "failover = \"PRIMARY\"",
        "weighted\"",
        "rds:failover",
        "stop-task",
        "start-zonal-autoshift",
        "blackhole-port",
        "cross_zone = false",
        "slow_start",
        "stickiness",
        "[waf.w0]",
        "[nlb.n0]",
        "network-latency",
        "cpu-stress",
        "error-rate",
        "blue_green",
        "users = 25",
        "ramp =",
        "StepScaling",
        "SimpleScaling",
        "calls = ",
        "processor_sharing",
        "event_loop",
        "weighted_random",
        "retry_mode",
    ] {
        assert!(all.contains(part), "{part}");
    }
}
