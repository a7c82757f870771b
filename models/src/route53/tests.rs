use std::cell::{Cell, RefCell};

use sim_core::random::Streams;
use sim_core::{SimDuration, SimTime};

use super::*;
use crate::world::Message;
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
        by_place: false,
        place: None,
        max_ttl: secs(86_400),
        ttl_violation_fraction: 0.0,
        min_ttl: SimDuration::ZERO,
    };
    Settings {
        records,
        health_checks,
        resolvers,
        propagation: SimDuration::ZERO,
        changes: Vec::new(),
        change_propagation: SimDuration::ZERO,
        negative_ttl: secs(900),
    }
}

/// A source of so many clients who keep answers for their time to live.
fn clients(clients: u32) -> Population {
    let routes = vec![RouteId(0)];
    Population { clients, cache: DnsCache::Ttl, place: PlaceId(0), asks: Some(RecordId(0)), routes }
}

/// Route 53 for one source of traffic.
fn route53(settings: &Settings, clients: Population, bench: &mut Bench) -> Route53 {
    Route53::new(settings, &[clients], 1, &mut bench.cx())
}

fn failover(ttl: SimDuration) -> Record {
    let answers = vec![Answer { health_check: Some(0), ..Answer::plain(ENDPOINT) }, Answer::plain(SECONDARY)];
    Record { name: "www.example.com".to_owned(), ttl, alias: false, policy: RoutingPolicy::failover(), answers }
}

fn check(interval: u64, timeout: u64) -> HealthCheck {
    HealthCheck {
        name: "front".to_owned(),
        source: Source::Endpoint(Probing {
            endpoint: ENDPOINT,
            path: PathId(7),
            request_interval: secs(interval),
            failure_threshold: 3,
            checkers: 16,
            timeout: secs(timeout),
        }),
        inverted: false,
        disabled: false,
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
    let route53 = Route53::new(&settings(Vec::new(), vec![check(interval, 4)]), &[], 0, &mut bench.cx());
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
    let mut it = settings(Vec::new(), vec![check(30, 6)]);
    let Source::Endpoint(probing) = &mut it.health_checks[0].source else { panic!("an endpoint") };
    (probing.checkers, probing.failure_threshold) = (1, 1);
    let route53 = RefCell::new(Route53::new(&it, &[], 0, &mut bench.cx()));
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
    let it = settings(vec![failover(ttl)], vec![check(30, 6)]);
    let route53 = RefCell::new(route53(&it, clients(10), &mut bench));
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
    let it = settings(vec![failover(secs(60))], vec![check(30, 6)]);
    let no_cache = Population { cache: DnsCache::None, ..clients(10) };
    let uncached = RefCell::new(route53(&it, no_cache, &mut bench));
    let answers = lookups(&uncached, &mut bench, &[1, 1]);
    assert_eq!(answers, [(10, Some(ENDPOINT)), (10, Some(ENDPOINT))], "the resolver starts with an answer");
    let ttl_0 = settings(vec![failover(SimDuration::ZERO)], vec![check(30, 6)]);
    let fleeting = RefCell::new(route53(&ttl_0, clients(10), &mut bench));
    assert_eq!(lookups(&fleeting, &mut bench, &[1, 1]), [(50, Some(ENDPOINT)), (50, Some(ENDPOINT))]);
}

fn record(policy: RoutingPolicy, answers: Vec<Answer>) -> Record {
    Record { name: "a.example.com".to_owned(), ttl: secs(60), alias: false, policy, answers }
}

#[test]
fn no_answer_is_told_and_kept_for_the_negative_ttl() {
    let mut bench = Bench::new();
    let nothing = record(RoutingPolicy::Preferred(vec![Vec::new()]), vec![Answer::plain(ENDPOINT)]);
    let it = settings(vec![nothing], Vec::new());
    let route53 = RefCell::new(route53(&it, clients(10), &mut bench));
    // Past what the resolver held at the start.
    waits(&mut bench, secs(900));
    assert_eq!(lookups(&route53, &mut bench, &[1, 1, 2]), [(50, None), (0, None), (10, None)]);
    waits(&mut bench, secs(899));
    assert_eq!(lookups(&route53, &mut bench, &[3]), [(10, None)]);
    waits(&mut bench, secs(1));
    assert_eq!(lookups(&route53, &mut bench, &[3]), [(50, None)]);
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
        ..it.resolvers
    };
    let mut route53 = route53(&it, clients(resolvers), &mut bench);
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
            let Some(Message::Resolved(_, Some(answer))) = bench.shared.message() else { panic!("an answer") };
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
    let answers = (0..4u16).map(|i| Answer { weight: 1, ..Answer::plain(Endpoint::Station(StationId(i))) });
    let short = Record { ttl: SimDuration::ZERO, ..record(RoutingPolicy::Weighted, answers.collect()) };
    let mut it = settings(vec![short], Vec::new());
    it.resolvers.count = 2;
    let mut alone_bench = Bench::new();
    let alone = RefCell::new(route53(&it, clients(2), &mut alone_bench));
    let alone = lookups(&alone, &mut alone_bench, &[0; 30]);
    let mut bench = Bench::new();
    let both = RefCell::new(route53(&it, clients(2), &mut bench));
    let mixed: Vec<u32> = (0..60).map(|i| i % 2).collect();
    let both = lookups(&both, &mut bench, &mixed);
    let first: Vec<_> = both.iter().copied().step_by(2).collect();
    assert_eq!(alone, first);
    assert_ne!(first, both.iter().copied().skip(1).step_by(2).collect::<Vec<_>>());
}

/// Where questions of clients 0.. of one source lead, once per client.
fn led(route53: &mut Route53, bench: &mut Bench, clients: u32, place: u16) -> Vec<Option<Endpoint>> {
    let ask = |client: u32, route53: &mut Route53, bench: &mut Bench| {
        let key = bench.request();
        let request = &mut bench.shared.requests[key];
        (request.client, request.place) = (client, PlaceId(place));
        request.stream = u64::from(client) * 77 + 5;
        route53.on_offer(RecordId(0), key, &mut bench.cx());
        let Some(Message::Resolved(key, answer)) = bench.shared.message() else { panic!("an answer") };
        bench.shared.requests.remove(key);
        answer
    };
    (0..clients).map(|client| ask(client, route53, bench)).collect()
}

/// Names without delays or caches, so that every question is answered at once and anew.
fn at_once(records: Vec<Record>, health_checks: Vec<HealthCheck>) -> Settings {
    let mut it = settings(records, health_checks);
    (it.resolvers.client_rtt, it.resolvers.authoritative_rtt) = (SimDuration::ZERO, SimDuration::ZERO);
    it.resolvers.count = 1000;
    it.records.iter_mut().for_each(|record| record.ttl = SimDuration::ZERO);
    it
}

fn uncached(n: u32) -> Population {
    Population { cache: DnsCache::None, ..clients(n) }
}

fn share(of: &[Option<Endpoint>], endpoint: Endpoint) -> f64 {
    of.iter().filter(|it| **it == Some(endpoint)).count() as f64 / of.len() as f64
}

const THIRD: Endpoint = Endpoint::Station(StationId(2));

/// Two branches: an alias to a failover pair and a plain answer. While one of the pair is well the branch is; when none is, it is left
/// alone if its alias evaluates the target's health, and stayed in otherwise.
#[test]
fn a_tree_of_aliases_backs_out_of_a_dead_branch() {
    let pair = |first, second| {
        let answer = |endpoint, check| Answer { health_check: Some(check), ..Answer::plain(endpoint) };
        record(RoutingPolicy::failover(), vec![answer(ENDPOINT, first), answer(SECONDARY, second)])
    };
    for evaluate in [true, false] {
        let branch = Answer { evaluate_target_health: evaluate, ..Answer::plain(Endpoint::Record(RecordId(1))) };
        let top = Record { alias: true, ..record(RoutingPolicy::failover(), vec![branch, Answer::plain(THIRD)]) };
        let it = at_once(vec![top, pair(0, 1)], vec![check(30, 6), check(30, 6)]);
        let mut bench = Bench::new();
        let mut route53 = route53(&it, uncached(10), &mut bench);
        assert_eq!(share(&led(&mut route53, &mut bench, 10, 0), ENDPOINT), 1.0);
        route53.on(Event::StatusServed(0, false), &mut bench.cx());
        assert_eq!(share(&led(&mut route53, &mut bench, 10, 0), SECONDARY), 1.0);
        route53.on(Event::StatusServed(1, false), &mut bench.cx());
        let expected = if evaluate { THIRD } else { ENDPOINT };
        assert_eq!(share(&led(&mut route53, &mut bench, 10, 0), expected), 1.0, "{evaluate}");
    }
}

/// A CNAME costs the resolver a question more, and is kept for the shorter time to live; an alias has its target's.
#[test]
fn a_cname_costs_another_question_and_an_alias_does_not() {
    for (alias, took, kept) in [(false, 90, 30), (true, 50, 60)] {
        let top = Record {
            alias,
            ttl: secs(30),
            ..record(RoutingPolicy::Simple, vec![Answer::plain(Endpoint::Record(RecordId(1)))])
        };
        let below = record(RoutingPolicy::Simple, vec![Answer::plain(ENDPOINT)]);
        let mut bench = Bench::new();
        let route53 = RefCell::new(route53(&settings(vec![top, below], Vec::new()), clients(10), &mut bench));
        waits(&mut bench, secs(60));
        assert_eq!(lookups(&route53, &mut bench, &[1]), [(took, Some(ENDPOINT))]);
        waits(&mut bench, secs(kept - 1));
        assert_eq!(lookups(&route53, &mut bench, &[2]), [(10, Some(ENDPOINT))], "still kept");
        waits(&mut bench, secs(2));
        assert_eq!(lookups(&route53, &mut bench, &[2]), [(took, Some(ENDPOINT))]);
    }
}

/// A canary by weights: before the change nobody, after it a tenth, and in between resolver by resolver.
#[test]
fn a_change_of_weights_reaches_name_servers_within_the_propagation_time() {
    let weights = |canary: u8| {
        let answer = |endpoint, weight| Answer { weight, ..Answer::plain(endpoint) };
        let both = vec![answer(ENDPOINT, 100 - canary), answer(SECONDARY, canary)];
        Record { ttl: SimDuration::ZERO, ..record(RoutingPolicy::Weighted, both) }
    };
    let mut it = at_once(vec![weights(0)], Vec::new());
    it.change_propagation = secs(60);
    it.changes.push(Change { at: SimTime::from_secs(100), record: RecordId(0), upsert: weights(50) });
    let mut bench = Bench::new();
    let mut route53 = route53(&it, uncached(1000), &mut bench);
    let mut shares = Vec::new();
    for second in [99, 130, 161] {
        bench.run_until(SimTime::from_secs(second), |_, _| (), |_, _| ());
        shares.push(share(&led(&mut route53, &mut bench, 1000, 0), SECONDARY));
    }
    assert_eq!(shares[0], 0.0);
    assert!((shares[1] - 0.25).abs() < 0.05, "half of the resolvers know: {shares:?}");
    assert!((shares[2] - 0.5).abs() < 0.05, "{shares:?}");
}

#[test]
fn places_are_answered_by_their_own_order() {
    let answers = vec![Answer::plain(ENDPOINT), Answer::plain(SECONDARY)];
    let mut it =
        at_once(vec![record(RoutingPolicy::Preferred(vec![vec![0, 1], vec![1, 0], vec![]]), answers)], Vec::new());
    it.records[0].ttl = secs(60);
    it.resolvers.by_place = true;
    let mut bench = Bench::new();
    let mut route53 = Route53::new(&it, &[uncached(10)], 3, &mut bench.cx());
    assert_eq!(share(&led(&mut route53, &mut bench, 10, 0), ENDPOINT), 1.0);
    assert_eq!(share(&led(&mut route53, &mut bench, 10, 1), SECONDARY), 1.0);
    assert!(led(&mut route53, &mut bench, 10, 2).iter().all(Option::is_none), "geolocation without a default");
    // Resolvers elsewhere: all are taken to be there.
    it.resolvers.place = Some(PlaceId(1));
    it.resolvers.by_place = false;
    let mut elsewhere = Route53::new(&it, &[uncached(10)], 3, &mut bench.cx());
    assert_eq!(share(&led(&mut elsewhere, &mut bench, 10, 0), SECONDARY), 1.0);
}

/// Every client takes one of up to eight values, evenly, also of an answer that its resolver has kept.
#[test]
fn clients_spread_over_the_values_of_a_multivalue_answer() {
    let answers = (0..4u16).map(|n| Answer::plain(Endpoint::Station(StationId(n)))).collect();
    let mut it = at_once(vec![record(RoutingPolicy::Multivalue, answers)], Vec::new());
    (it.resolvers.count, it.records[0].ttl) = (1, secs(60));
    let mut bench = Bench::new();
    let mut route53 = route53(&it, uncached(4000), &mut bench);
    let seen = led(&mut route53, &mut bench, 4000, 0);
    for n in 0..4 {
        let share = share(&seen, Endpoint::Station(StationId(n)));
        assert!((share - 0.25).abs() < 0.03, "{n}: {share}");
    }
}

#[test]
fn calculated_inverted_and_disabled_checks() {
    let calculated = |health_threshold| HealthCheck {
        name: "both".to_owned(),
        source: Source::Calculated { children: vec![0, 1], health_threshold },
        inverted: false,
        disabled: false,
    };
    let inverted = HealthCheck { inverted: true, ..check(30, 6) };
    let disabled = HealthCheck { disabled: true, ..check(30, 6) };
    let off_and_inverted = HealthCheck { inverted: true, ..disabled.clone() };
    let all = vec![
        check(30, 6),
        inverted,
        calculated(1),
        calculated(2),
        calculated(0),
        calculated(3),
        disabled,
        off_and_inverted,
    ];
    let mut bench = Bench::new();
    let route53 = Route53::new(&settings(Vec::new(), all), &[], 0, &mut bench.cx());
    let healthy: Vec<bool> = (0..8).map(|check| route53.checks.serves_as_healthy(check)).collect();
    // A healthy one and an inverted one: one of two; a threshold of 0 is always met, one of 3 of two never.
    assert_eq!(healthy, [true, false, true, false, true, false, true, false]);
}

/// A calculated check changes in the instant its child does.
#[test]
fn a_calculated_check_follows_its_children() {
    let calculated = HealthCheck {
        name: "any".to_owned(),
        source: Source::Calculated { children: vec![0], health_threshold: 1 },
        inverted: true,
        disabled: false,
    };
    let mut bench = Bench::new();
    let it = settings(Vec::new(), vec![check(30, 6), calculated]);
    let route53 = RefCell::new(Route53::new(&it, &[], 0, &mut bench.cx()));
    route53.borrow_mut().start(&mut bench.cx());
    bench.run_until(
        SimTime::from_secs(200),
        |event, cx| match event {
            world::Event::Route53(event) => route53.borrow_mut().on(event, cx),
            other => panic!("{other:?}"),
        },
        |message, cx| match message {
            Message::Offer(_, key) => cx.reply(key, Outcome::failed(503, Cause::Alb503)),
            Message::Reply(key) => {
                let Holder::RouteProbe(check, checker) = cx.request(key).pop().holder else { panic!("a probe") };
                route53.borrow_mut().on_probe_reply(key, check, checker, cx);
            }
            other => panic!("{other:?}"),
        },
    );
    let route53 = route53.into_inner();
    assert_eq!((route53.checks.serves_as_healthy(0), route53.checks.serves_as_healthy(1)), (false, true));
}
