use std::cell::{Cell, RefCell};

use sim_core::random::Streams;
use sim_core::{SimDuration, SimTime};

use super::*;
use crate::world::bench::Bench;

const ENDPOINT: Endpoint = Endpoint::Station(StationId(0));
const SECONDARY: Endpoint = Endpoint::Station(StationId(1));

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn settings(records: Vec<Record>, health_checks: Vec<HealthCheck>) -> Settings {
    let resolvers = Resolvers {
        count: 1,
        client_rtt: SimDuration::from_millis(10),
        authoritative_rtt: SimDuration::from_millis(40),
        client_cache: true,
    };
    Settings { records, health_checks, resolvers, propagation: SimDuration::ZERO }
}

fn failover(ttl: SimDuration) -> Record {
    let answer = |endpoint, health_check| Answer { endpoint, weight: 0, health_check };
    let policy = RoutingPolicy::Failover { primary: answer(ENDPOINT, Some(0)), secondary: answer(SECONDARY, None) };
    Record { name: "www.example.com".to_owned(), ttl, policy }
}

fn check(interval: u64, timeout: u64) -> HealthCheck {
    HealthCheck {
        name: "front".to_owned(),
        endpoint: ENDPOINT,
        path: PathId(7),
        request_interval: secs(interval),
        failure_threshold: 3,
        checkers: 16,
        timeout: secs(timeout),
    }
}

/// How an endpoint that has failed behaves.
#[derive(Clone, Copy, PartialEq)]
enum Failure {
    Refuses,
    BlackHole,
}

/// Seconds from an endpoint's failure until its health check is unhealthy, and from its recovery until it is healthy again.
fn detection(interval: u64, failure: Failure, replication: u32) -> (f64, f64) {
    let mut bench = Bench::new();
    bench.shared.streams = Streams::new(53, replication);
    let route53 = Route53::new(&settings(Vec::new(), vec![check(interval, 4)]), &[], &mut bench.cx());
    let route53 = RefCell::new(route53);
    let (fails, recovers, ends) = (SimTime::from_secs(300), SimTime::from_secs(600), SimTime::from_secs(900));
    route53.borrow_mut().start(&mut bench.cx());
    bench.run_until(
        ends,
        |event, cx| match event {
            world::Event::Route53(event) => route53.borrow_mut().on(event, cx),
            other => panic!("{other:?} is not Route 53's"),
        },
        |message, cx| match message {
            Message::Offer(to, key) => {
                assert_eq!((to, cx.request(key).path), (ENDPOINT, PathId(7)));
                if cx.now() < fails || cx.now() >= recovers {
                    cx.reply(key, Outcome::OK);
                } else if failure == Failure::Refuses {
                    cx.reply(key, Outcome::failed(503, Cause::Alb503));
                }
            }
            Message::Reply(key) => {
                let frame = cx.request(key).pop();
                let Holder::RouteProbe(check, checker) = frame.holder else { panic!("a probe is answered") };
                route53.borrow_mut().on_probe_reply(key, check, checker, cx);
            }
            other => panic!("{other:?} is not expected"),
        },
    );
    let mut findings = Findings::default();
    route53.borrow_mut().finish(ends, &mut findings);
    assert!(findings.checks.iter().all(|check| check.holds), "{:?}", findings.checks);
    let books = bench.shared.observer.finish(ends, &[0], 0, &mut findings);
    let turned = |what: &str, since: SimTime| {
        let entry = books.log.iter().find(|entry| entry.what.starts_with(what)).expect("the status changes");
        entry.at.since(since).as_secs_f64()
    };
    (turned("unhealthy", fails), turned("healthy", recovers))
}

/// Mean and 99.9 % half-width over independent replications.
fn mean(samples: &[f64]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    (mean, 3.3 * (variance / n).sqrt())
}

/// Of 16 checkers, 14 must fail before at most 18 % are left (2 of 16), and 3 must recover before more than 18 % are well.
/// The k-th of 16 independent uniform phases is k/17 of the interval on average. With interval I, threshold 3 and probes
/// that take d to fail: unhealthy after 2 (I + d) + d + 14/17 I, healthy after 2 I + 3/17 I.
#[test]
fn worked_example_of_failover_time() {
    let cases = [
        (30, Failure::Refuses, 85.0, Some(65.0)),
        (30, Failure::BlackHole, 97.0, None),
        (10, Failure::Refuses, 28.0, Some(22.0)),
        (10, Failure::BlackHole, 40.0, None),
    ];
    for (interval, failure, documented_down, documented_up) in cases {
        let (down, up): (Vec<f64>, Vec<f64>) = (0..200).map(|r| detection(interval, failure, r)).unzip();
        let i = interval as f64;
        let d = if failure == Failure::BlackHole { 4.0 } else { 0.0 };
        let (down, half_width) = mean(&down);
        let exact = 2.0 * (i + d) + d + i * 14.0 / 17.0;
        assert!((down - exact).abs() < half_width, "interval {i}: {down} +- {half_width}, exactly {exact}");
        assert!((down - documented_down).abs() < 0.5 + half_width);
        if let Some(documented_up) = documented_up {
            let (up, half_width) = mean(&up);
            let exact = 2.0 * i + i * 3.0 / 17.0;
            assert!((up - exact).abs() < half_width, "interval {i}: {up} +- {half_width}, exactly {exact}");
            assert!((up - documented_up).abs() < 0.5 + half_width);
        }
    }
}

#[test]
fn a_late_answer_to_a_probe_has_no_effect_and_is_removed() {
    let mut bench = Bench::new();
    let mut it = settings(Vec::new(), vec![HealthCheck { checkers: 1, failure_threshold: 1, ..check(30, 6) }]);
    it.health_checks[0].request_interval = secs(30);
    let route53 = RefCell::new(Route53::new(&it, &[], &mut bench.cx()));
    route53.borrow_mut().start(&mut bench.cx());
    let sent = Cell::new(0);
    bench.run_until(
        SimTime::from_secs(1000),
        |event, cx| match event {
            world::Event::Route53(event) => route53.borrow_mut().on(event, cx),
            // The endpoint's answer, ten seconds late.
            world::Event::Offer(_, key) => cx.reply(key, Outcome::OK),
            other => panic!("{other:?}"),
        },
        |message, cx| match message {
            Message::Offer(to, key) => {
                sent.set(sent.get() + 1);
                cx.kernel.schedule_in(secs(10), world::Event::Offer(to, key));
            }
            Message::Reply(key) => {
                cx.request(key).pop();
                route53.borrow_mut().on_probe_reply(key, 0, 0, cx);
            }
            other => panic!("{other:?}"),
        },
    );
    assert!(!route53.borrow().checks.serves_as_healthy(0), "every probe timed out");
    // A probe every 36 s: the interval counts from the end of the last.
    assert!((27..=28).contains(&sent.get()), "{} probes", sent.get());
    assert!(bench.shared.requests.len() <= 1, "late answers are removed");
}

/// When and how lookups of a client (numbers of clients, in order) are answered; each waits for the last.
fn lookups(route53: &RefCell<Route53>, bench: &mut Bench, clients: &[u32]) -> Vec<(u64, Option<Endpoint>)> {
    let mut answers = Vec::new();
    for &client in clients {
        let key = bench.request();
        let asked = bench.kernel.now();
        bench.shared.requests[key].client = client;
        route53.borrow_mut().on_offer(RecordId(0), key, &mut bench.cx());
        let got = Cell::new(None);
        bench.run_until(
            asked + SimDuration::from_millis(100),
            |event, cx| match event {
                world::Event::Route53(event) => route53.borrow_mut().on(event, cx),
                other => panic!("{other:?}"),
            },
            |message, cx| match message {
                Message::Resolved(key, answer) => {
                    let took = cx.now().since(asked).as_nanos() / 1_000_000;
                    cx.shared.requests.remove(key);
                    got.set(Some((took, answer)));
                }
                other => panic!("{other:?}"),
            },
        );
        answers.push(got.get().expect("every lookup is answered"));
    }
    answers
}

fn waits(bench: &mut Bench, duration: SimDuration) {
    let until = bench.kernel.now() + duration;
    bench.run_until(until, |_, _| (), |_, _| ());
}

#[test]
fn a_lookup_costs_the_trips_it_needs_and_copies_expire_together() {
    let mut bench = Bench::new();
    let ttl = secs(60);
    let route53 =
        RefCell::new(Route53::new(&settings(vec![failover(ttl)], vec![check(30, 6)]), &[10], &mut bench.cx()));
    // Past whatever the resolver held at the start.
    waits(&mut bench, ttl);
    let took = |answers: Vec<(u64, Option<Endpoint>)>| answers.into_iter().map(|it| it.0).collect::<Vec<_>>();
    // Client 1 fills the resolver's cache, 2 finds it there, both then have it themselves.
    assert_eq!(took(lookups(&route53, &mut bench, &[1, 2, 1, 2])), [50, 10, 0, 0]);
    // The answer was given at 0.045 s and expires 60 s later, at the resolver and at client 3, who asks for it late.
    waits(&mut bench, secs(59));
    assert_eq!(took(lookups(&route53, &mut bench, &[3, 3])), [10, 0]);
    waits(&mut bench, secs(1));
    assert_eq!(took(lookups(&route53, &mut bench, &[3, 1])), [50, 10]);
}

#[test]
fn without_client_caches_or_time_to_live_every_lookup_goes_further() {
    let mut bench = Bench::new();
    let mut no_client_cache = settings(vec![failover(secs(60))], vec![check(30, 6)]);
    no_client_cache.resolvers.client_cache = false;
    let route53 = RefCell::new(Route53::new(&no_client_cache, &[10], &mut bench.cx()));
    let answers = lookups(&route53, &mut bench, &[1, 1]);
    assert_eq!(answers, [(10, Some(ENDPOINT)), (10, Some(ENDPOINT))], "the resolver starts with an answer");
    let ttl_0 = settings(vec![failover(SimDuration::ZERO)], vec![check(30, 6)]);
    let route53 = RefCell::new(Route53::new(&ttl_0, &[10], &mut bench.cx()));
    assert_eq!(lookups(&route53, &mut bench, &[1, 1]), [(50, Some(ENDPOINT)), (50, Some(ENDPOINT))]);
}

#[test]
fn no_answer_is_told_and_not_kept() {
    let mut bench = Bench::new();
    let record = Record { name: "none".to_owned(), ttl: secs(60), policy: RoutingPolicy::Weighted(Vec::new()) };
    let route53 = RefCell::new(Route53::new(&settings(vec![record], Vec::new()), &[10], &mut bench.cx()));
    assert_eq!(lookups(&route53, &mut bench, &[1, 1]), [(50, None), (50, None)]);
}

/// After a change of status the viewers follow as their resolvers' copies expire: evenly over one TTL (assumption A2).
#[test]
fn viewers_follow_a_change_evenly_over_one_ttl() {
    let mut bench = Bench::new();
    let ttl = secs(60);
    let mut it = settings(vec![failover(ttl)], vec![check(30, 6)]);
    let resolvers = 400;
    it.resolvers = Resolvers {
        count: resolvers,
        client_rtt: SimDuration::ZERO,
        authoritative_rtt: SimDuration::ZERO,
        client_cache: true,
    };
    let mut route53 = Route53::new(&it, &[resolvers], &mut bench.cx());
    let mut followed: Vec<Option<f64>> = vec![None; resolvers as usize];
    let change = 150;
    for second in 0..220 {
        bench.run_until(SimTime::from_secs(second), |_, _| (), |_, _| ());
        if second == change {
            route53.on(Event::StatusServed(0, false), &mut bench.cx());
        }
        for client in 0..resolvers {
            let key = bench.request();
            bench.shared.requests[key].client = client;
            // Without delays the answer is there at once.
            route53.on_offer(RecordId(0), key, &mut bench.cx());
            let Some(Message::Resolved(_, Some(answer))) = bench.shared.outbox.pop_front() else { panic!("an answer") };
            bench.shared.requests.remove(key);
            if answer == SECONDARY {
                assert!(second >= change);
                // Seen at the first of its questions after expiry, half a second late on average.
                followed[client as usize].get_or_insert((second - change) as f64 - 0.5);
            }
        }
    }
    let delays: Vec<f64> = followed.into_iter().map(|it| it.expect("everyone follows within a TTL")).collect();
    assert!(delays.iter().all(|&delay| delay <= 60.0));
    let (mean, half_width) = mean(&delays);
    assert!((mean - 30.0).abs() < half_width, "{mean} +- {half_width}");
}

/// The choice of one resolver does not depend on how often others ask.
#[test]
fn choices_are_keyed_by_resolver_and_question() {
    let answers =
        (0..4u16).map(|i| Answer { endpoint: Endpoint::Station(StationId(i)), weight: 1, health_check: None });
    let record =
        Record { name: "w".to_owned(), ttl: SimDuration::ZERO, policy: RoutingPolicy::Weighted(answers.collect()) };
    let mut it = settings(vec![record], Vec::new());
    it.resolvers.count = 2;
    let mut alone_bench = Bench::new();
    let alone = RefCell::new(Route53::new(&it, &[2], &mut alone_bench.cx()));
    let alone = lookups(&alone, &mut alone_bench, &[0; 30]);
    let mut bench = Bench::new();
    let both = RefCell::new(Route53::new(&it, &[2], &mut bench.cx()));
    let mixed: Vec<u32> = (0..60).map(|i| i % 2).collect();
    let both = lookups(&both, &mut bench, &mixed);
    let first: Vec<_> = both.iter().copied().step_by(2).collect();
    assert_eq!(alone, first);
    assert_ne!(first, both.iter().copied().skip(1).step_by(2).collect::<Vec<_>>());
}
