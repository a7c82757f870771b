//! Common random numbers: two variants of a scenario see the same customers, whatever becomes of them.

use std::collections::BTreeMap;

use super::*;
use crate::alb::{Algorithm, HealthCheck, TargetGroup, Targets};
use crate::architecture::Catalog;
use crate::client::{Jitter, Retry};
use crate::ecs::{Call, StepAction};

#[path = "../../tests/common/mod.rs"]
mod common;
use common::*;

/// What an attempt of a customer, or a call on a customer's behalf, brings along. None of it may depend on the architecture.
#[derive(Clone, Debug, PartialEq)]
struct Brought {
    /// Intended start of the operation (only of customers: a call is made when the caller gets to it).
    started: Option<SimTime>,
    attempt: u16,
    route: u16,
    path: u32,
    client: Option<u32>,
    catalog: u16,
    object: u32,
    /// CPU time by step, as far as it got, and time at the station.
    demands: BTreeMap<u8, SimDuration>,
}

/// Stands for the station among the steps.
const AT_STATION: u8 = u8::MAX;

/// A world that looks at every request after every event.
struct Witness {
    models: Models,
    seen: BTreeMap<u64, Brought>,
}

impl World for Witness {
    type Event = Event;
    fn handle(&mut self, event: Event, kernel: &mut Kernel<Event>) {
        // Nobody waits at a station of any number of servers: who leaves it was served all the time.
        if let Event::Station(_, station::Event::Done(key)) = event {
            let request = &self.models.shared.requests[key];
            let brought = self.seen.get_mut(&request.stream).expect("who leaves has come");
            brought.demands.insert(AT_STATION, kernel.now().since(request.joined));
        }
        self.models.handle(event, kernel);
        for (_, request) in self.models.shared.requests.iter().filter(|(_, it)| it.purpose == Purpose::Work) {
            let of_customer = matches!(request.bottom(), Holder::Client(_));
            let brought = self.seen.entry(request.stream).or_insert_with(|| Brought {
                started: of_customer.then_some(request.started),
                attempt: request.attempt,
                route: request.route.0,
                path: request.path.0,
                client: of_customer.then_some(request.client),
                catalog: request.catalog,
                object: request.object,
                demands: BTreeMap::new(),
            });
            if !request.demand.is_zero() {
                let known = brought.demands.entry(request.step).or_insert(request.demand);
                assert_eq!(*known, request.demand, "a demand does not change while it is worked on");
            }
        }
    }
}

fn witnessed(architecture: &Architecture) -> (BTreeMap<u64, Brought>, Observations) {
    let mut kernel = Kernel::new();
    let models = Models::new(architecture, 7, 0, &mut kernel);
    let mut witness = Witness { models, seen: BTreeMap::new() };
    kernel.run_until(&mut witness, architecture.run.horizon());
    (witness.seen, witness.models.finish(&mut kernel, architecture, 0))
}

/// Impatient customers of a catalogue's objects, who try three times, at a service that calls a slow station and tries that twice.
fn shop(algorithm: Algorithm, tasks: u32) -> Architecture {
    let retry = |attempts| Retry::plain(attempts, SimDuration::from_millis(50), secs(1), Jitter::Full);
    let mut a = poisson(60.0, Endpoint::Alb(AlbId(0)), secs(30), SimDuration::ZERO);
    a.catalogs.push(Catalog::new("things", 500, 0.8, exponential(20_000.0)));
    a.traffic[0].routes[0].catalog = Some(CatalogId(0));
    a.traffic[0].timeout = Some(SimDuration::from_millis(150));
    a.traffic[0].retry = retry(3);
    let web = TargetGroup {
        algorithm,
        health_check: HealthCheck { enabled: false, ..HealthCheck::default() },
        ..TargetGroup::new("web", Targets::Ecs(EcsId(0)))
    };
    a.alb.push(alb::Settings::forwarding("front", vec![web]));
    let call = Call {
        to: Endpoint::Station(StationId(0)),
        operation: 0,
        path: PathId(0),
        method: Method::Get,
        probability: 0.5,
        timeout: Some(SimDuration::from_millis(60)),
        retry: retry(2),
        rtt: SimDuration::ZERO,
        required: true,
    };
    let steps =
        vec![StepAction::Cpu(exponential(0.02)), StepAction::Calls(vec![call]), StepAction::Cpu(exponential(0.01))];
    a.ecs.push(ecs::Settings { target_groups: vec![(AlbId(0), TargetGroupId(0))], ..service(tasks, 2, 2.0, steps) });
    a.stations
        .push(station::Settings { response_bytes: 1000, ..station::Settings::new("slow", None, exponential(0.05)) });
    a
}

#[test]
fn neither_the_balancer_nor_the_number_of_tasks_changes_what_customers_bring_retries_included() {
    let (base, base_seen) = witnessed(&shop(Algorithm::RoundRobin, 3));
    let variants = [
        shop(Algorithm::LeastOutstandingRequests, 3),
        shop(Algorithm::WeightedRandom, 3),
        shop(Algorithm::RoundRobin, 2),
        shop(Algorithm::LeastOutstandingRequests, 6),
    ];
    for variant in &variants {
        let (seen, observed) = witnessed(variant);
        assert_ne!(observed.digest, base_seen.digest, "the variants do differ in what becomes of customers");
        assert_eq!(observed.customers, base_seen.customers);
        // Every first attempt is there in both, in the same instant, for the same thing.
        let first = |all: &BTreeMap<u64, Brought>| -> Vec<(u64, Option<SimTime>, u32, Option<u32>)> {
            let customers = all.iter().filter(|(_, it)| it.started.is_some() && it.attempt == 1);
            customers.map(|(stream, it)| (*stream, it.started, it.object, it.client)).collect()
        };
        assert_eq!(first(&seen), first(&base));
        // Retries and calls are made or not, as it goes; those that are made in both are the same.
        let (mut retries, mut calls, mut demands, mut served) = (0, 0, 0, 0);
        for (stream, own) in &seen {
            let Some(other) = base.get(stream) else { continue };
            let what = |it: &Brought| Brought { demands: BTreeMap::new(), ..it.clone() };
            assert_eq!(what(own), what(other));
            retries += usize::from(own.attempt > 1);
            calls += usize::from(own.started.is_none());
            for (step, demand) in &own.demands {
                if let Some(same) = other.demands.get(step) {
                    assert_eq!(demand, same, "step {step} of {own:?}");
                    demands += usize::from(*step != AT_STATION);
                    served += usize::from(*step == AT_STATION);
                }
            }
        }
        let enough = retries > 300 && calls > 300 && demands > 1000 && served > 300;
        assert!(enough, "{retries} retries, {calls} calls, {demands} demands, {served} served");
    }
}

#[test]
fn the_digest_of_customers_tells_others_apart() {
    let customers = |change: fn(&mut Architecture)| {
        let mut a = shop(Algorithm::RoundRobin, 3);
        a.run.duration = secs(5);
        change(&mut a);
        witnessed(&a).1.customers
    };
    let same = customers(|_| {});
    assert_eq!(customers(|a| a.stations[0].servers = Some(1)), same);
    assert_eq!(customers(|a| a.stations[0].classes = vec![exponential(0.5)]), same);
    assert_ne!(customers(|a| a.catalogs[0].zipf = 0.9), same);
    assert_ne!(
        customers(|a| {
            let crate::client::Arrivals::Open { rate, .. } = &mut a.traffic[0].arrivals else { return };
            rate.points[0].1 = 61.0;
        }),
        same
    );
}
