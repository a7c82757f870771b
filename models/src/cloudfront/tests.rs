use std::cell::{Cell, RefCell};

use sim_core::distribution::{Distribution, Zipf};
use sim_core::math::{exp, ln, pow};
use sim_core::random::{Source as _, Stream};
use sim_core::{SimDuration, SimTime};

use super::*;
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
        behaviors: vec![Behavior { path_pattern: "*".to_owned(), origin: ORIGIN, cache_policy: policy }],
        behavior_of_path: vec![0; 4],
        edges: vec![edge("tokyo"), edge("osaka")],
        edge_of_place: vec![0, 1],
        regionals: vec![Regional { name: "japan".to_owned(), capacity, origin_rtt: millis(100) }],
        error_caching_min_ttl: secs(10),
        origin_read_timeout: secs(30),
    }
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
    fn new(settings: &Settings, cache_control: CacheControl) -> Self {
        let mut bench = Bench::new();
        let size = Distribution::constant(1000.0).unwrap();
        let catalog = Catalog { name: "images".to_owned(), objects: 1000, zipf: 0.0, size, cache_control };
        let cloudfront = CloudFront::new(CloudFrontId(0), settings, &[catalog], &mut bench.cx());
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
                Holder::Edge(_, edge) => cloudfront.borrow_mut().on_reply_to_edge(key, edge, cx),
                Holder::Regional(_, regional) => cloudfront.borrow_mut().on_reply_to_regional(key, regional, cx),
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
            ORIGIN => {
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&settings(off, LARGE), CacheControl::MaxAge(secs(60)));
    for i in 0..3 {
        stage.ask(millis(i), |_| ());
    }
    stage.run(secs(1), &well);
    assert_eq!(stage.seen(), [(0, 160, 200), (1, 161, 200), (2, 162, 200)]);
    assert_eq!(stage.at_origin.get(), 3);
}

#[test]
fn requests_for_what_is_being_fetched_wait_for_it() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::NoStore);
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
    let mut stage = Stage::new(&settings(policy, LARGE), CacheControl::NoStore);
    for i in 0..3 {
        stage.ask(millis(i), |_| ());
    }
    stage.run(secs(1), &well);
    assert_eq!(stage.seen(), [(0, 150, 200), (1, 150, 200), (2, 150, 200)]);
    assert_eq!(stage.at_origin.get(), 1);
}

#[test]
fn an_expired_copy_is_asked_about_anew_and_an_edges_copy_expires_with_the_regional_one() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::MaxAge(secs(60)));
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::MaxAge(secs(60)));
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

#[test]
fn a_silent_origin_is_a_504_and_its_late_answer_ends_where_it_was_awaited() {
    for method in [Method::Get, Method::Post] {
        let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
        for i in 0..3 {
            stage.ask(millis(i), |request| request.method = method);
        }
        let late = |_: SimTime, _: &Request| (secs(50), Outcome::OK);
        stage.run(secs(40), &late);
        let seen = stage.seen.take();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|seen| seen.outcome == Outcome::failed(504, Cause::CloudFrontOrigin)), "{seen:?}");
        let at: Vec<u64> = seen.iter().map(|seen| seen.at).collect();
        // From the regional cache, 10 ms behind the edge, or from the edge, each for itself.
        let expected = if method == Method::Get { [30_020; 3] } else { [30_000, 30_001, 30_002] };
        assert_eq!(at, expected);
        stage.findings();
        let at_origin = if method == Method::Get { 1 } else { 3 };
        assert_eq!(stage.bench.shared.requests.len(), at_origin, "the originals are still at the origin");
        stage.run(secs(60), &late);
        assert!(stage.seen().is_empty() && stage.bench.shared.requests.is_empty());
        assert_eq!(counter(&stage.findings(), "origin timeouts"), f64::from(stage.at_origin.get()));
    }
}

#[test]
fn an_answer_in_time_makes_the_timeout_stale() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&settings(POLICY, LARGE), CacheControl::Absent);
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
    let mut stage = Stage::new(&it, CacheControl::Absent);
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
    let mut stage = Stage::new(&it, CacheControl::MaxAge(SimDuration::from_secs_f64(ttl)));
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
        let mut stage = Stage::new(&without_delays(settings(policy, LARGE)), CacheControl::Absent);
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
