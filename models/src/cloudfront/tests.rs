use std::cell::{Cell, RefCell};

use sim_core::distribution::{Distribution, Zipf};
use sim_core::math::{exp, ln, pow};
use sim_core::random::{Source as _, Stream};
use sim_core::{SimDuration, SimTime};

use super::*;
use crate::architecture::Catalog;
use crate::observer::{Findings, Observed};
use crate::world::Message;
use crate::world::bench::Bench;

mod origins;
mod ratios;
mod viewers;

const ORIGIN: Endpoint = Endpoint::Station(StationId(0));

/// Marks a request whose origin is done with it.
const DONE: Endpoint = Endpoint::Station(StationId(1));

const HERE: Endpoint = Endpoint::CloudFront(CloudFrontId(0));

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn millis(millis: u64) -> SimDuration {
    SimDuration::from_millis(millis)
}

/// CachingOptimized but for the minimum TTL, which is 0.
const POLICY: CachePolicy = CachePolicy {
    min_ttl: SimDuration::ZERO,
    default_ttl: SimDuration::from_secs(86_400),
    max_ttl: SimDuration::from_secs(31_536_000),
    query_strings: false,
    cookies: false,
    headers: false,
};

/// Two places with an edge each, one regional cache: 20 ms from edge to regional cache, 100 ms from there to the origin, 130 ms
/// from the edge to the origin.
fn settings(policy: CachePolicy, capacity: u64) -> Settings {
    let edge = |name: &str| Edge {
        name: name.to_owned(),
        capacity,
        viewer_rtt: millis(10),
        regional: 0,
        regional_rtt: millis(20),
        origin_rtt: millis(130),
    };
    Settings {
        name: "edge".to_owned(),
        behaviors: vec![Behavior::new("*", 0, policy)],
        behavior_of_path: vec![0; 4],
        edges: vec![edge("tokyo"), edge("osaka")],
        edge_of_place: vec![0, 1],
        viewer_rtts: Vec::new(),
        regionals: vec![Regional { name: "japan".to_owned(), capacity, origin_rtt: millis(100) }],
        origins: vec![Origin::new("primary", ORIGIN)],
        error_caching_min_ttl: secs(10),
        error_pages: Vec::new(),
        invalidations: Vec::new(),
    }
}

const SILENT: CacheHeaders = CacheHeaders::NONE;

const NO_STORE: CacheHeaders = CacheHeaders { no_store: true, ..SILENT };

fn max_age(age: SimDuration) -> CacheHeaders {
    CacheHeaders { max_age: Some(age), ..SILENT }
}

fn without_delays(mut settings: Settings) -> Settings {
    for edge in &mut settings.edges {
        (edge.regional_rtt, edge.origin_rtt) = (SimDuration::ZERO, SimDuration::ZERO);
    }
    settings.regionals[0].origin_rtt = SimDuration::ZERO;
    settings
}

/// An answer as a client sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    client: u32,
    /// Milliseconds since the start of the run.
    at: u64,
    outcome: Outcome,
    bytes: u32,
}

/// A distribution, an origin behind it and clients before it.
struct Stage {
    bench: Bench,
    cloudfront: RefCell<CloudFront>,
    asked: u32,
    seen: RefCell<Vec<Seen>>,
    /// Requests that reached the origin.
    at_origin: Cell<u32>,
}

/// What the origin does with a request: how long it takes and how it answers.
type Behaves<'a> = &'a dyn Fn(SimTime, &Request) -> (SimDuration, Outcome);

/// 30 ms and a good answer.
fn well(_: SimTime, _: &Request) -> (SimDuration, Outcome) {
    (millis(30), Outcome::OK)
}

impl Stage {
    fn new(settings: &Settings, headers: CacheHeaders) -> Self {
        let size = Distribution::constant(1000.0).unwrap();
        let compressed = Some(0.25);
        let catalog = Catalog { headers, compressed, ..Catalog::new("images", 1000, 0.0, size) };
        Self::with(settings, catalog)
    }

    fn with(settings: &Settings, catalog: Catalog) -> Self {
        let mut bench = Bench::new();
        let mut architecture = crate::world::bench::architecture();
        architecture.catalogs.push(catalog);
        let mut cloudfront = CloudFront::new(CloudFrontId(0), settings, &architecture, &mut bench.cx());
        cloudfront.start(&mut bench.cx());
        let (cloudfront, seen) = (RefCell::new(cloudfront), RefCell::new(Vec::new()));
        Self { bench, cloudfront, asked: 0, seen, at_origin: Cell::new(0) }
    }

    /// A client asks for an object at a time; numbers of clients count up from 0.
    fn ask(&mut self, at: SimDuration, change: impl FnOnce(&mut Request)) -> RequestKey {
        let key = self.bench.request();
        let request = &mut self.bench.shared.requests[key];
        (request.stream, request.client) = (u64::from(self.asked) + 1, self.asked);
        (request.catalog, request.bytes) = (0, 1000);
        self.asked += 1;
        change(request);
        self.bench.kernel.schedule_at(SimTime::ZERO + at, world::Event::Offer(HERE, key));
        key
    }

    fn run(&mut self, until: SimDuration, origin: Behaves<'_>) {
        let Self { bench, cloudfront, seen, at_origin, .. } = self;
        let reply = |key: RequestKey, cx: &mut Cx<'_>| {
            let frame = cx.request(key).pop();
            match frame.holder {
                Holder::Cache(_, cache, trip) => cloudfront.borrow_mut().on_reply(key, cache, trip, cx),
                // The original that a load balancer left at its target.
                Holder::Alb(..) => drop(cx.shared.requests.remove(key)),
                _ => {
                    let at = cx.now().as_nanos() / 1_000_000;
                    let request = cx.shared.requests.remove(key).unwrap();
                    let (client, outcome, bytes) = (request.client, request.outcome, request.bytes);
                    seen.borrow_mut().push(Seen { client, at, outcome, bytes });
                }
            }
        };
        let offer = |to: Endpoint, key: RequestKey, cx: &mut Cx<'_>| match to {
            HERE => cloudfront.borrow_mut().on_offer(key, cx),
            ORIGIN | SECONDARY => {
                at_origin.set(at_origin.get() + 1);
                let now = cx.now();
                let (takes, _) = origin(now, cx.request(key));
                if takes.is_zero() {
                    let (_, outcome) = origin(now, cx.request(key));
                    cx.reply(key, outcome);
                } else {
                    cx.kernel.schedule_in(takes, world::Event::Offer(DONE, key));
                }
            }
            DONE => {
                let now = cx.now();
                let (_, outcome) = origin(now, cx.request(key));
                cx.reply(key, outcome);
            }
            other => panic!("nobody offers to {other:?}"),
        };
        bench.run_until(
            SimTime::ZERO + until,
            |event, cx| match event {
                world::Event::CloudFront(_, event) => cloudfront.borrow_mut().on(event, cx),
                world::Event::Offer(to, key) => offer(to, key, cx),
                world::Event::Reply(key) => reply(key, cx),
                other => panic!("{other:?} is not expected"),
            },
            |message, cx| match message {
                Message::Offer(to, key) => offer(to, key, cx),
                Message::Reply(key) => reply(key, cx),
                other => panic!("{other:?} is not expected"),
            },
        );
    }

    /// The answers since the last look, as (client, milliseconds, status).
    fn seen(&mut self) -> Vec<(u32, u64, u16)> {
        self.seen.take().into_iter().map(|seen| (seen.client, seen.at, seen.outcome.status)).collect()
    }

    /// Closes the books; every law must hold.
    fn findings(&mut self) -> Findings {
        let mut findings = Findings::default();
        self.cloudfront.borrow_mut().finish(self.bench.kernel.now(), &mut findings);
        for check in &findings.checks {
            assert!(check.holds, "{}: {}", check.law, check.found);
        }
        findings
    }
}

fn counter(findings: &Findings, name: &str) -> f64 {
    let counter = findings.counters.iter().find(|it| it.subject == "cloudfront.edge" && it.name == name);
    counter.unwrap_or_else(|| panic!("no counter {name}")).value
}

const LARGE: u64 = 1 << 30;

#[test]
fn an_answer_costs_the_trips_it_needs() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    stage.ask(millis(0), |_| ());
    stage.ask(millis(1000), |_| ());
    stage.ask(millis(2000), |request| request.place = PlaceId(1));
    stage.ask(millis(3000), |request| request.place = PlaceId(1));
    stage.ask(millis(4000), |request| request.method = Method::Post);
    stage.run(secs(10), &well);
    // Miss, hit, hit at the regional cache, hit, and a POST straight to the origin.
    let expected = [(0, 150, 200), (1, 1000, 200), (2, 2020, 200), (3, 3000, 200), (4, 4160, 200)];
    assert_eq!(stage.seen(), expected);
    let findings = stage.findings();
    let counts = ["requests", "hits", "regional hits", "misses", "not cacheable", "origin requests", "bytes served"]
        .map(|name| counter(&findings, name));
    assert_eq!(counts, [5.0, 2.0, 1.0, 1.0, 1.0, 2.0, 5000.0]);
    assert_eq!((counter(&findings, "hit_ratio"), counter(&findings, "edge_hit_ratio")), (0.75, 0.5));
    assert!(stage.bench.shared.requests.is_empty());
}

#[test]
fn a_behaviour_with_all_ttls_zero_caches_nothing() {
    let off = CachePolicy { default_ttl: SimDuration::ZERO, max_ttl: SimDuration::ZERO, ..POLICY };
    let mut stage = Stage::new(&settings(off, LARGE), max_age(secs(60)));
    for i in 0..3 {
        stage.ask(millis(i), |_| ());
    }
    stage.run(secs(1), &well);
    assert_eq!(stage.seen(), [(0, 160, 200), (1, 161, 200), (2, 162, 200)]);
    assert_eq!(stage.at_origin.get(), 3);
}

#[test]
fn requests_for_what_is_being_fetched_wait_for_it() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    for i in 0..5 {
        stage.ask(millis(i), |_| ());
    }
    // Two at the other edge meet the first fetch at the regional cache, where it left at 10 ms and is back at 140 ms.
    for i in 5..7 {
        stage.ask(millis(i), |request| request.place = PlaceId(1));
    }
    stage.run(millis(100), &well);
    stage.findings();
    stage.run(secs(1), &well);
    let expected: Vec<_> = (0..7).map(|client| (client, 150, 200)).collect();
    assert_eq!(stage.seen(), expected);
    assert_eq!(stage.at_origin.get(), 1);
    let findings = stage.findings();
    let counts = ["misses", "hits", "hits by collapsing", "regional hits", "collapsed fetches"];
    assert_eq!(counts.map(|name| counter(&findings, name)), [1.0, 5.0, 5.0, 1.0, 6.0]);
}

#[test]
fn an_answer_that_is_not_reused_sends_those_that_waited_to_the_origin() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), NO_STORE);
    for i in 0..3 {
        stage.ask(millis(i), |_| ());
    }
    stage.ask(millis(3), |request| request.place = PlaceId(1));
    stage.run(secs(1), &well);
    // The regional cache is done waiting at 140 ms, the edge at 150 ms; each then goes all the way.
    assert_eq!(stage.seen(), [(0, 150, 200), (3, 280, 200), (1, 300, 200), (2, 300, 200)]);
    assert_eq!(stage.at_origin.get(), 4);
    assert_eq!(counter(&stage.findings(), "misses"), 4.0);
}

#[test]
fn a_minimum_ttl_makes_even_no_store_reusable() {
    let policy = CachePolicy { min_ttl: secs(1), ..POLICY };
    let mut stage = Stage::new(&settings(policy, LARGE), NO_STORE);
    for i in 0..3 {
        stage.ask(millis(i), |_| ());
    }
    stage.run(secs(1), &well);
    assert_eq!(stage.seen(), [(0, 150, 200), (1, 150, 200), (2, 150, 200)]);
    assert_eq!(stage.at_origin.get(), 1);
}

#[test]
fn an_expired_copy_is_asked_about_anew_and_an_edges_copy_expires_with_the_regional_one() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), max_age(secs(60)));
    stage.ask(millis(0), |_| ());
    // In the regional cache from 140 ms on. The second edge has it 30 s later and no longer than the first.
    stage.ask(secs(30), |request| request.place = PlaceId(1));
    stage.ask(millis(60_139), |_| ());
    stage.ask(millis(60_139), |request| request.place = PlaceId(1));
    stage.ask(millis(60_200), |_| ());
    stage.ask(millis(60_200), |request| request.place = PlaceId(1));
    stage.run(secs(100), &well);
    let answers = stage.seen();
    assert_eq!(answers[..4], [(0, 150, 200), (1, 30_020, 200), (2, 60_139, 200), (3, 60_139, 200)]);
    assert_eq!(answers[4..], [(4, 60_350, 200), (5, 60_350, 200)]);
    let findings = stage.findings();
    // The second edge's refresh met the first's at the regional cache.
    let counts = ["misses", "refresh hits", "regional hits", "hits"].map(|name| counter(&findings, name));
    assert_eq!((counts, stage.at_origin.get()), ([1.0, 1.0, 2.0, 2.0], 2));
}

#[test]
fn errors_are_cached_for_their_minimum_ttl_with_status_and_cause() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    stage.ask(secs(0), |_| ());
    stage.ask(secs(5), |_| ());
    stage.ask(secs(10), |_| ());
    stage.ask(secs(11), |_| ());
    let overloaded = Outcome::failed(503, Cause::Overloaded);
    stage.run(secs(20), &|_, _| (millis(30), overloaded));
    let seen = stage.seen.take();
    assert!(seen.iter().all(|seen| seen.outcome == overloaded), "{seen:?}");
    // Known from 140 ms to 10,140 ms.
    assert_eq!(seen.iter().map(|seen| seen.at).collect::<Vec<_>>(), [150, 5000, 10_000, 11_150]);
    assert!(seen.iter().all(|seen| seen.bytes == 1000), "the request keeps the size of what it asked for");
    assert_eq!(stage.at_origin.get(), 2);
    let findings = stage.findings();
    assert_eq!((counter(&findings, "errors 5xx"), counter(&findings, "bytes served")), (4.0, 0.0));
}

#[test]
fn other_errors_are_not_cached() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    for i in 0..3 {
        stage.ask(millis(i), |_| ());
    }
    stage.ask(secs(1), |_| ());
    stage.run(secs(2), &|_, _| (millis(30), Outcome::failed(403, Cause::AlbFixed)));
    assert_eq!(stage.at_origin.get(), 4, "those that waited ask for themselves");
    assert_eq!(counter(&stage.findings(), "errors 4xx"), 4.0);
}

#[test]
fn a_stale_copy_is_served_while_the_origin_fails() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), max_age(secs(60)));
    stage.ask(secs(0), |_| ());
    stage.ask(secs(70), |_| ());
    stage.ask(secs(75), |_| ());
    stage.ask(secs(85), |_| ());
    // Never seen before: nothing to serve instead.
    stage.ask(secs(90), |request| request.object = 1);
    // Gone for good is no failure of the origin: the copy is not served any more.
    stage.ask(secs(130), |_| ());
    stage.run(secs(200), &|now, _| {
        let outcome = match now.as_nanos() / 1_000_000_000 {
            0..60 => Outcome::OK,
            60..100 => Outcome::failed(500, Cause::TargetError),
            _ => Outcome::failed(404, Cause::TargetError),
        };
        (millis(30), outcome)
    });
    let expected =
        [(0, 150, 200), (1, 70_150, 200), (2, 75_000, 200), (3, 85_150, 200), (4, 90_150, 500), (5, 130_150, 404)];
    assert_eq!(stage.seen(), expected);
    let findings = stage.findings();
    assert_eq!((counter(&findings, "stale on error"), counter(&findings, "hits")), (2.0, 1.0));
}

const SECONDARY: Endpoint = Endpoint::Station(StationId(2));

#[test]
fn a_stale_copy_is_given_at_once_while_it_is_renewed_in_the_background() {
    let headers = CacheHeaders { stale_while_revalidate: secs(30), ..max_age(secs(60)) };
    let mut stage = Stage::new(&settings(POLICY, LARGE), headers);
    stage.ask(secs(0), |_| ());
    // Stale, but given at once, to the second as well while the first's fetch is under way; then fresh again.
    stage.ask(secs(70), |_| ());
    stage.ask(millis(70_100), |_| ());
    stage.ask(secs(75), |_| ());
    // The window is over: 60 s of freshness from 70.14 s, and 30 s more.
    stage.ask(secs(161), |_| ());
    stage.run(secs(300), &well);
    assert_eq!(stage.seen(), [(0, 150, 200), (1, 70_000, 200), (2, 70_100, 200), (3, 75_000, 200), (4, 161_150, 200)]);
    assert_eq!(stage.at_origin.get(), 3);
    let findings = stage.findings();
    assert_eq!(counter(&findings, "stale while revalidating"), 2.0);
    assert_eq!(counter(&findings, "background fetches"), 1.0);
    assert!(stage.bench.shared.requests.is_empty());
}

#[test]
fn stale_if_error_bounds_how_old_a_stale_copy_may_be() {
    let served = |stale_if_error: Option<SimDuration>| {
        let mut stage = Stage::new(&settings(POLICY, LARGE), CacheHeaders { stale_if_error, ..max_age(secs(60)) });
        stage.ask(secs(0), |_| ());
        stage.ask(secs(70), |_| ());
        stage.ask(secs(90), |_| ());
        stage.ask(secs(200), |_| ());
        stage.run(secs(300), &|now, _| {
            let failed = now > SimTime::from_secs(1);
            (millis(30), if failed { Outcome::failed(500, Cause::TargetError) } else { Outcome::OK })
        });
        stage.findings();
        stage.seen().into_iter().map(|(_, _, status)| status).collect::<Vec<_>>()
    };
    // It says nothing: any time. 60 s: until 120 s. 0: never.
    assert_eq!(served(None), [200, 200, 200, 200]);
    assert_eq!(served(Some(secs(60))), [200, 200, 200, 500]);
    assert_eq!(served(Some(secs(0))), [200, 500, 500, 500]);
}

#[test]
fn errors_are_kept_longer_if_the_origin_says_so_and_403_only_then() {
    let at_origin = |status: u16, max_age: Option<SimDuration>| {
        let size = Distribution::constant(1000.0).unwrap();
        let catalog = Catalog { error_max_age: max_age, ..Catalog::new("images", 10, 0.0, size) };
        let mut stage = Stage::with(&settings(POLICY, LARGE), catalog);
        for i in 0..4 {
            stage.ask(secs(i * 8), |_| ());
        }
        stage.run(secs(100), &|_, _| (millis(30), Outcome::failed(status, Cause::TargetError)));
        stage.findings();
        stage.at_origin.get()
    };
    // At 0, 8, 16, 24 s: kept for 10 s, for 60 s, for 10 s (the longer of the two), not at all, for 60 s.
    assert_eq!(at_origin(404, None), 2);
    assert_eq!(at_origin(404, Some(secs(60))), 1);
    assert_eq!(at_origin(404, Some(secs(5))), 2);
    assert_eq!(at_origin(403, None), 4);
    assert_eq!(at_origin(403, Some(secs(60))), 1);
    assert_eq!(at_origin(410, Some(secs(60))), 4, "no status that is ever kept");
}
