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

/// A slow primary (it accepts, and never answers): 3 x 30 s = 90 s for GET and HEAD, 30 s for POST; then 504.
#[test]
fn a_silent_origin_is_a_504_after_three_timeouts_for_get_and_one_for_post() {
    for (method, tries) in [(Method::Get, 3), (Method::Head, 3), (Method::Post, 1)] {
        let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
        for i in 0..3 {
            stage.ask(millis(i), |request| request.method = method);
        }
        let late = |_: SimTime, _: &Request| (secs(100), Outcome::OK);
        stage.run(secs(95), &late);
        let seen = stage.seen.take();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|seen| seen.outcome == Outcome::failed(504, Cause::CloudFrontOrigin)), "{seen:?}");
        let at: Vec<u64> = seen.iter().map(|seen| seen.at).collect();
        // From the regional cache, 10 ms behind the edge, or from the edge, each for itself.
        let expected = if tries == 3 { [90_020; 3] } else { [30_000, 30_001, 30_002] };
        assert_eq!(at, expected);
        stage.findings();
        assert_eq!(stage.at_origin.get(), 3, "one fetch tried three times, or three requests");
        assert_eq!(stage.bench.shared.requests.len(), 3, "the originals are still at the origin");
        stage.run(secs(200), &late);
        assert!(stage.seen().is_empty() && stage.bench.shared.requests.is_empty());
        assert_eq!(counter(&stage.findings(), "origin timeouts"), 3.0);
    }
}

#[test]
fn an_answer_in_time_makes_the_timeout_stale() {
    let mut once = settings(POLICY, LARGE);
    once.origins[0].connection_attempts = 1;
    let mut stage = Stage::new(&once, SILENT);
    stage.ask(secs(0), |_| ());
    stage.ask(secs(0), |request| request.method = Method::Post);
    // The GET left the regional cache at 10 ms and is back there at 30,005 ms: on its last hop when its time is over. The POST
    // left the edge at 0 and would be back at 30,025 ms.
    stage.run(secs(60), &|_, _| (millis(29_895), Outcome::OK));
    assert_eq!(stage.seen(), [(1, 30_000, 504), (0, 30_015, 200)]);
    assert_eq!(counter(&stage.findings(), "origin timeouts"), 1.0);
    assert!(stage.bench.shared.requests.is_empty());
}

#[test]
fn a_broken_connection_is_a_502_that_keeps_its_cause() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    stage.ask(secs(0), |_| ());
    stage.ask(secs(20), |request| request.method = Method::Post);
    stage.run(secs(30), &|now, _| {
        let cause = if now < SimTime::from_secs(10) { Cause::TaskStopped } else { Cause::None };
        (millis(30), Outcome::failed(0, cause))
    });
    let outcomes: Vec<Outcome> = stage.seen.take().into_iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Outcome::failed(502, Cause::TaskStopped), Outcome::failed(502, Cause::CloudFrontOrigin)]);
}

#[test]
fn a_fetch_goes_on_when_its_client_has_given_up() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    let key = stage.ask(secs(0), |_| ());
    stage.ask(millis(10), |_| ());
    stage.run(millis(50), &well);
    stage.bench.shared.requests[key].abandoned = true;
    stage.run(secs(1), &well);
    assert_eq!(stage.seen(), [(0, 150, 200), (1, 150, 200)], "the client removes its own");
    assert!(stage.bench.shared.requests.is_empty());
}

#[test]
fn an_answer_carried_by_a_copy_is_the_answer() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    let key = stage.ask(secs(0), |_| ());
    stage.ask(millis(10), |_| ());
    let never = |_: SimTime, _: &Request| (secs(100), Outcome::OK);
    stage.run(secs(20), &never);
    // A load balancer that forwarded it gives up on its target.
    let request = &mut stage.bench.shared.requests[key];
    request.push(Holder::Alb(AlbId(0), RequestKey::NONE), Hop::NONE);
    let copy = request.detach();
    let copy = stage.bench.shared.requests.insert(copy);
    stage.bench.cx().reply(copy, Outcome::failed(504, Cause::Alb504));
    stage.run(secs(90), &never);
    assert_eq!(stage.seen(), [(0, 20_060, 504), (1, 20_060, 504)]);
    assert_eq!(counter(&stage.findings(), "origin timeouts"), 0.0, "the original is no business of the edge any more");
    stage.run(secs(110), &never);
    assert!(stage.bench.shared.requests.is_empty());
}

/// Hit ratio at the edge in each of 20 batches of requests after one of warm-up.
fn batches(stage: &mut Stage, batch: u32, mut next: impl FnMut(&mut Request) -> SimDuration) -> Vec<f64> {
    let mut at = SimDuration::ZERO;
    let mut before = 0;
    let mut ratios = Vec::new();
    for number in 0..=20 {
        for _ in 0..batch {
            let key = stage.ask(at, |_| ());
            let gap = next(&mut stage.bench.shared.requests[key]);
            // The origin answers in no time.
            stage.run(at, &|_, _| (SimDuration::ZERO, Outcome::OK));
            stage.seen.borrow_mut().clear();
            at += gap;
        }
        let misses = stage.at_origin.get();
        if number > 0 {
            ratios.push(1.0 - f64::from(misses - before) / f64::from(batch));
        }
        before = misses;
    }
    stage.findings();
    ratios
}

/// Mean and 99.9 % half-width of 20 batches (Student, 19 degrees of freedom).
fn mean(samples: &[f64]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    (mean, 3.883 * (variance / n).sqrt())
}

fn zipf_shares(objects: u32, s: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=objects).map(|rank| pow(f64::from(rank), -s)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Che, Tung and Wang 2002 (doi:10.1109/JSAC.2002.801752): an LRU cache of C objects keeps each for a characteristic time T,
/// with sum of 1 - exp(-q_i T) = C; the hit ratio is the sum of q_i (1 - exp(-q_i T)). Good to a few thousandths.
#[test]
fn lru_under_zipf_agrees_with_ches_approximation() {
    let (objects, room, s) = (2000, 200u32, 0.8);
    let shares = zipf_shares(objects, s);
    let filled = |t: f64| shares.iter().map(|q| 1.0 - exp(-q * t)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if filled(middle) < f64::from(room) { low = middle } else { high = middle }
    }
    let expected: f64 = shares.iter().map(|q| q * (1.0 - exp(-q * low))).sum();
    let mut it = without_delays(settings(POLICY, u64::from(room) * 1000));
    it.regionals[0].capacity = 0;
    let mut stage = Stage::new(&it, SILENT);
    let (zipf, mut stream) = (Zipf::new(u64::from(objects), s).unwrap(), Stream::from_key(11));
    let ratios = batches(&mut stage, 10_000, |request| {
        request.object = zipf.sample(&mut stream) as u32;
        SimDuration::from_micros(1)
    });
    let (hit_ratio, half_width) = mean(&ratios);
    assert!((hit_ratio - expected).abs() < half_width + 0.003, "{hit_ratio} +- {half_width}, Che {expected}");
    assert!(counter(&stage.findings(), "evictions") > 10_000.0);
}

/// With room for everything, an object asked for as a Poisson process of rate r and fresh for T after each fetch is hit with
/// probability r T / (1 + r T): one fetch, then r T hits on average. Exact.
#[test]
fn ttl_under_poisson_traffic_agrees_with_renewal_theory() {
    let (objects, s, rate, ttl) = (500, 0.9, 50.0, 20.0);
    let shares = zipf_shares(objects, s);
    let expected: f64 = shares.iter().map(|q| q * (q * rate * ttl) / (1.0 + q * rate * ttl)).sum();
    let it = without_delays(settings(POLICY, LARGE));
    let mut stage = Stage::new(&it, max_age(SimDuration::from_secs_f64(ttl)));
    let (zipf, mut stream) = (Zipf::new(u64::from(objects), s).unwrap(), Stream::from_key(12));
    let ratios = batches(&mut stage, 10_000, |request| {
        request.object = zipf.sample(&mut stream) as u32;
        SimDuration::from_secs_f64(-ln(stream.open01()) / rate)
    });
    let (hit_ratio, half_width) = mean(&ratios);
    assert!((hit_ratio - expected).abs() < half_width, "{hit_ratio} +- {half_width}, exactly {expected}");
    let findings = stage.findings();
    assert_eq!(counter(&findings, "misses"), f64::from(objects), "every later trip renews a copy");
}

#[test]
fn a_cookie_in_the_key_destroys_the_hit_ratio() {
    let hit_ratio = |cookies: bool| {
        let policy = CachePolicy { cookies, ..POLICY };
        let mut stage = Stage::new(&without_delays(settings(policy, LARGE)), SILENT);
        let mut stream = Stream::from_key(13);
        mean(&batches(&mut stage, 500, |request| {
            request.object = stream.below(20) as u32;
            request.cookie_variant = stream.below(100_000) as u32;
            millis(1)
        }))
        .0
    };
    assert!(hit_ratio(false) == 1.0 && hit_ratio(true) < 0.02, "{} {}", hit_ratio(false), hit_ratio(true));
}

const SECONDARY: Endpoint = Endpoint::Station(StationId(2));

/// A group whose secondary is as far away as the primary, which can be cut off.
fn group(attempts: u8, timeout: SimDuration) -> Settings {
    let mut it = settings(POLICY, LARGE);
    it.origins[0].connection_attempts = attempts;
    it.origins[0].connection_timeout = timeout;
    it.origins.push(Origin::new("secondary", SECONDARY));
    it.behaviors[0].failover = Some(Failover { origin: 1, statuses: vec![500, 503] });
    it
}

/// Dead primary (SYN dropped) and an origin group: each uncached GET waits 3 x 10 = 30 s before the secondary; with one attempt of 1 s
/// it waits 1 s. No memory: the next request tries the primary first, too. A POST does not fail over.
#[test]
fn a_dead_primary_costs_its_connection_attempts_before_the_secondary_is_asked() {
    for (attempts, timeout, wait) in [(3, secs(10), 30_000), (1, secs(1), 1_000)] {
        let mut stage = Stage::new(&group(attempts, timeout), SILENT);
        stage.bench.shared.unreachable.push(ORIGIN);
        stage.ask(secs(0), |_| ());
        stage.ask(secs(50), |request| request.object = 1);
        stage.ask(secs(100), |request| request.method = Method::Post);
        stage.run(secs(200), &well);
        assert_eq!(stage.seen(), [(0, wait + 150, 200), (1, 50_000 + wait + 150, 200), (2, 100_000 + wait, 504)]);
        let findings = stage.findings();
        assert_eq!(counter(&findings, "origin failovers"), 2.0);
        assert_eq!(counter(&findings, "origin connection timeouts"), 3.0 * f64::from(attempts));
        assert_eq!(counter(&findings, "origin requests"), 2.0, "a request that has no connection is not sent");
        assert!(stage.bench.shared.requests.is_empty());
    }
}

#[test]
fn a_connection_may_come_about_at_the_second_attempt() {
    let mut stage = Stage::new(&group(3, secs(10)), SILENT);
    stage.bench.shared.unreachable.push(ORIGIN);
    stage.ask(secs(0), |_| ());
    stage.run(secs(5), &well);
    stage.bench.shared.unreachable.clear();
    stage.run(secs(20), &well);
    assert_eq!(stage.seen(), [(0, 10_150, 200)]);
}

#[test]
fn the_secondary_is_asked_for_the_statuses_of_the_criteria_alone() {
    for (status, fails_over) in [(500, true), (503, true), (502, false), (404, false)] {
        for method in [Method::Get, Method::Options, Method::Post] {
            let mut stage = Stage::new(&group(3, secs(10)), SILENT);
            stage.ask(secs(0), |request| request.method = method);
            let primary_fails = |_: SimTime, request: &Request| {
                let Holder::Cache(_, _, trip) = request.top().holder else { panic!("its cache holds it") };
                let outcome = if trip.secondary { Outcome::OK } else { Outcome::failed(status, Cause::TargetError) };
                (millis(30), outcome)
            };
            stage.run(secs(1), &primary_fails);
            let expected = if fails_over && method != Method::Post { 200 } else { status };
            assert_eq!(stage.seen.take()[0].outcome.status, expected, "{status} {method:?}");
        }
    }
}

#[test]
fn both_of_a_group_failing_is_the_secondarys_error() {
    let mut stage = Stage::new(&group(3, secs(10)), SILENT);
    stage.ask(secs(0), |_| ());
    stage.run(secs(1), &|_, _| (millis(30), Outcome::failed(503, Cause::Overloaded)));
    assert_eq!(stage.seen(), [(0, 280, 503)]);
    assert_eq!(stage.at_origin.get(), 2);
}

/// TCP and TLS to the origin cost two round trips; within the keep-alive timeout the connection is used again.
#[test]
fn a_kept_connection_saves_its_handshake() {
    let mut it = settings(POLICY, LARGE);
    it.origins[0].handshake_round_trips = 2;
    let mut stage = Stage::new(&it, SILENT);
    for (number, at) in [0, 4, 8, 20].into_iter().enumerate() {
        stage.ask(secs(at), |request| request.object = number as u32);
    }
    stage.run(secs(30), &well);
    // 2 x 100 ms more for the first, and for the one that comes 12 s after the last.
    assert_eq!(stage.seen(), [(0, 350, 200), (1, 4_150, 200), (2, 8_150, 200), (3, 20_350, 200)]);
    assert_eq!(counter(&stage.findings(), "origin connections"), 2.0);
}

#[test]
fn origin_shield_makes_one_fetch_of_those_of_all_regional_caches() {
    let regions = |shielded: bool| {
        let mut it = settings(POLICY, LARGE);
        it.regionals.push(Regional { name: "korea".to_owned(), capacity: LARGE, origin_rtt: millis(100) });
        it.edges[1].regional = 1;
        it.origins[0].shield = shielded.then(|| Shield { regional: 0, rtts: vec![millis(40); 2] });
        let mut stage = Stage::new(&it, SILENT);
        for place in 0..2 {
            stage.ask(secs(0), |request| request.place = PlaceId(place));
        }
        stage.ask(secs(1), |request| (request.place, request.object) = (PlaceId(1), 5));
        stage.ask(secs(2), |request| request.object = 5);
        stage.run(secs(10), &well);
        stage.findings();
        (stage.at_origin.get(), stage.seen())
    };
    let (asked, _) = regions(false);
    assert_eq!(asked, 4);
    // Through the shield: the first two meet there, 20 ms later from Korea; the third goes by it (20 + 40 + 100 + 30 ms), and the fourth
    // finds the copy that this left there.
    let (asked, seen) = regions(true);
    assert_eq!(asked, 2);
    assert_eq!(seen, [(0, 150, 200), (1, 170, 200), (2, 1_190, 200), (3, 2_020, 200)]);
}

#[test]
fn without_collapsing_everyone_asks_the_origin() {
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].collapsing = false;
    let mut stage = Stage::new(&it, SILENT);
    for i in 0..5 {
        stage.ask(millis(i), |_| ());
    }
    stage.ask(secs(1), |_| ());
    stage.run(secs(2), &well);
    assert_eq!((stage.at_origin.get(), stage.seen().len()), (5, 6));
    let findings = stage.findings();
    assert_eq!((counter(&findings, "collapsed fetches"), counter(&findings, "hits")), (0.0, 1.0));
}

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

#[test]
fn custom_error_pages_have_their_status_size_and_caching_time() {
    let mut it = settings(POLICY, LARGE);
    let page = |error_code, response_code, seconds| ErrorPage {
        error_code,
        response_code,
        bytes: Some(300),
        caching_min_ttl: secs(seconds),
    };
    it.error_pages = vec![page(404, 200, 30), page(503, 200, 1)];
    let run = |status| {
        let mut stage = Stage::new(&it, SILENT);
        for i in 0..3 {
            stage.ask(secs(i * 6), |_| ());
        }
        stage.run(secs(60), &|_, _| (millis(30), Outcome::failed(status, Cause::TargetError)));
        stage.findings();
        (stage.at_origin.get(), stage.seen.take()[0])
    };
    // A single-page application's 404 is its front page: good. A page that says sorry is not what was wanted.
    let (asked, seen) = run(404);
    assert_eq!((asked, seen.outcome, seen.bytes), (1, Outcome::OK, 300));
    let (asked, seen) = run(503);
    assert_eq!((asked, seen.outcome), (3, Outcome::failed(200, Cause::TargetError)));
    let (asked, seen) = run(500);
    assert_eq!((asked, seen.outcome), (2, Outcome::failed(500, Cause::TargetError)), "no page: 10 s");
}

#[test]
fn an_invalidation_drops_paths_objects_and_all_their_variants_cache_by_cache() {
    let mut it = settings(CachePolicy { cookies: true, ..POLICY }, LARGE);
    let invalidation = |at, objects| Invalidation {
        at: SimTime::from_secs(at),
        takes: secs(10),
        paths: vec!["/".to_owned()],
        has_path: vec![true, false],
        objects,
    };
    it.invalidations = vec![invalidation(100, Some(vec![1])), invalidation(200, None)];
    let mut stage = Stage::new(&it, SILENT);
    for at in [0, 99, 120, 220, 221] {
        for (object, cookie, path) in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 0, 1)] {
            stage.ask(secs(at), |request| {
                (request.object, request.cookie_variant, request.path) = (object, cookie, PathId(path));
            });
        }
    }
    let mut asked = Vec::new();
    for until in [50, 110, 130, 220, 300] {
        stage.run(secs(until), &well);
        asked.push(stage.at_origin.get());
    }
    // All four at first; after 110 s both variants of object 1; after 210 s everything of the path.
    assert_eq!(asked, [4, 4, 6, 6, 9]);
    assert_eq!(counter(&stage.findings(), "invalidations"), 2.0);
}

#[test]
fn an_invalidation_reaches_edges_last_so_that_nothing_old_comes_back() {
    let mut it = settings(POLICY, LARGE);
    it.invalidations = vec![Invalidation {
        at: SimTime::from_secs(100),
        takes: secs(60),
        paths: vec!["/*".to_owned()],
        has_path: vec![true],
        objects: None,
    }];
    let mut stage = Stage::new(&it, SILENT);
    for i in 0..200 {
        stage.ask(secs(i), |_| ());
    }
    stage.run(secs(300), &well);
    let slow: Vec<u64> =
        stage.seen.take().iter().filter(|seen| seen.at % 1000 != 0).map(|seen| seen.at / 1000).collect();
    // The first fetch, and one when the edge has forgotten, in the last third of 60 s; the regional cache did before.
    assert!(slow.len() == 2 && slow[0] == 0 && (140..=160).contains(&slow[1]), "{slow:?}");
}

#[test]
fn methods_that_are_not_allowed_and_viewers_without_tls_are_refused_or_sent_on() {
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].allowed = Methods::get_and_head();
    let mut stage = Stage::new(&it, SILENT);
    stage.ask(secs(0), |request| request.method = Method::Post);
    stage.run(secs(1), &well);
    let refused = Outcome::failed(403, Cause::CloudFrontForbidden);
    assert_eq!((stage.seen.take()[0].outcome, stage.at_origin.get()), (refused, 0));

    it.behaviors[0].viewer_protocol = ViewerProtocol::RedirectToHttps;
    let mut stage = Stage::new(&it, SILENT);
    stage.cloudfront.borrow_mut().http_shares = vec![1.0];
    stage.cloudfront.borrow_mut().behaviors[0].delays = true;
    stage.ask(secs(0), |_| ());
    stage.run(secs(1), &well);
    // A round trip of 10 ms between viewer and edge more.
    assert_eq!(stage.seen(), [(0, 160, 200)]);
    assert_eq!(counter(&stage.findings(), "redirects to https"), 1.0);

    it.behaviors[0].viewer_protocol = ViewerProtocol::HttpsOnly;
    let mut stage = Stage::new(&it, SILENT);
    stage.cloudfront.borrow_mut().http_shares = vec![1.0];
    stage.cloudfront.borrow_mut().behaviors[0].delays = true;
    stage.ask(secs(0), |_| ());
    stage.run(secs(1), &well);
    assert_eq!((stage.seen.take()[0].outcome, stage.at_origin.get()), (refused, 0));
}

#[test]
fn options_are_cached_apart_where_the_behaviour_says_so() {
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].cached = Methods::of(&[Method::Get, Method::Head, Method::Options]);
    let mut stage = Stage::new(&it, SILENT);
    for (at, method) in [(0, Method::Get), (1, Method::Options), (2, Method::Options), (3, Method::Head)] {
        stage.ask(secs(at), |request| request.method = method);
    }
    stage.run(secs(5), &well);
    assert_eq!(stage.seen(), [(0, 150, 200), (1, 1_150, 200), (2, 2_000, 200), (3, 3_000, 200)]);
}

#[test]
fn compression_makes_copies_smaller_within_its_bounds() {
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].compress = true;
    let mut stage = Stage::new(&it, SILENT);
    for (object, bytes) in [(0, 1000), (1, 999), (2, 10_000_000), (3, 10_000_001)] {
        stage.ask(secs(object), |request| (request.object, request.bytes) = (object as u32, bytes));
    }
    stage.run(secs(5), &well);
    let bytes: Vec<u32> = stage.seen.take().iter().map(|seen| seen.bytes).collect();
    assert_eq!(bytes, [250, 999, 2_500_000, 10_000_001]);
}

#[test]
fn functions_take_their_time_where_they_run_and_fail_with_503() {
    let function = |millis: f64, error_rate: f64| {
        let time = Distribution::constant(millis / 1000.0).unwrap();
        Some(Function { time, limit: secs(5), error_rate })
    };
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].functions = Functions {
        viewer_request: function(1.0, 0.0),
        viewer_response: function(2.0, 0.0),
        origin_request: function(10.0, 0.0),
        origin_response: function(20.0, 0.0),
    };
    let mut stage = Stage::new(&it, SILENT);
    stage.ask(secs(0), |_| ());
    stage.ask(secs(1), |_| ());
    stage.ask(secs(2), |request| request.method = Method::Post);
    stage.run(secs(5), &well);
    // A miss runs all four, a hit those of the viewer.
    assert_eq!(stage.seen(), [(0, 183, 200), (1, 1_003, 200), (2, 2_193, 200)]);
    stage.findings();
    let failing: [fn(&mut Functions, Option<Function>); 4] = [
        |it, function| it.viewer_request = function,
        |it, function| it.viewer_response = function,
        |it, function| it.origin_request = function,
        |it, function| it.origin_response = function,
    ];
    for fail in failing {
        let mut it = settings(POLICY, LARGE);
        fail(&mut it.behaviors[0].functions, function(1.0, 1.0));
        let mut stage = Stage::new(&it, SILENT);
        stage.ask(secs(0), |_| ());
        stage.ask(secs(30), |request| request.method = Method::Post);
        stage.run(secs(60), &well);
        let failed = Outcome::failed(503, Cause::EdgeFunction);
        assert!(stage.seen.take().iter().all(|seen| seen.outcome == failed));
        stage.findings();
        assert!(stage.bench.shared.requests.is_empty());
    }
    // Over its limit a function is ended, which is an error.
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].functions.viewer_request = function(6_000.0, 0.0);
    let mut stage = Stage::new(&it, SILENT);
    stage.ask(secs(0), |_| ());
    stage.run(secs(60), &well);
    assert_eq!(stage.seen(), [(0, 5_000, 503)]);
}

#[test]
fn popular_objects_come_in_their_order() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    for (at, object) in [(0, 7), (1, 7), (2, 3), (3, 7), (4, 500)] {
        stage.ask(secs(at), |request| request.object = object);
    }
    stage.run(secs(10), &well);
    let tables = stage.findings().tables;
    let popular = tables.iter().find(|table| table.title.starts_with("Popular")).unwrap();
    let rows: Vec<(&str, f64, f64)> =
        popular.rows.iter().map(|(name, values)| (name.as_str(), values[0], values[1])).collect();
    assert_eq!(rows, [(" images 8", 3.0, 2.0), (" images 4", 1.0, 0.0)]);
}
