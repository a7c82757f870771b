//! Conditions, cookies, slow start, anomaly mitigation, and answers for clients that left.

use super::*;
use crate::address::{Addresses, Block};

/// A request with its own draws and client, now.
fn ask_as(stage: &mut Stage, client: u32, change: impl FnOnce(&mut Request)) -> RequestKey {
    let key = stage.bench.request();
    let request = &mut stage.bench.shared.requests[key];
    request.client = client;
    change(request);
    stage.act(|alb, cx| alb.on_offer(key, cx));
    stage.run_for(seconds(0.01));
    key
}

#[test]
fn a_rule_wants_all_of_its_conditions_and_one_value_of_each() {
    let mut architecture = settings(vec![group("web")]);
    let conditions = Conditions {
        routes: Some(vec![false, true]),
        methods: vec![Method::Post, Method::Put],
        sources: vec![Block { first: 0x0A00_0000, prefix: 24 }, Block { first: 0xCB00_7100, prefix: 24 }],
    };
    let blocked = Rule { conditions, ..Rule::any(Action::FixedResponse(403)) };
    architecture.rules.insert(0, blocked);
    architecture.ways = vec![vec![0, 1]];
    let mut stage = Stage::with_tasks(&architecture, 1);
    stage.bench.shared.addresses = Addresses::new(vec![Some(Block { first: 0xCB00_7100, prefix: 24 }), None]);
    let mut status = |route: u16, method: Method, traffic: u16| {
        ask_as(&mut stage, 1, |request| {
            (request.route, request.method, request.traffic) = (RouteId(route), method, TrafficId(traffic));
        });
        let forwarded = stage.shares(0..1)[0];
        stage.rig.get_mut().work.clear();
        if forwarded == 1 { "forwarded" } else { "blocked" }
    };
    assert_eq!(status(1, Method::Put, 0), "blocked");
    assert_eq!(status(0, Method::Put, 0), "forwarded", "another host");
    assert_eq!(status(1, Method::Get, 0), "forwarded", "another method");
    assert_eq!(status(1, Method::Put, 1), "forwarded", "no address in a block");
}

#[test]
fn behind_a_distribution_the_address_is_that_of_the_edge() {
    let mut architecture = settings(vec![group("web")]);
    let conditions = Conditions { sources: vec![Block { first: 0, prefix: 0 }], ..Conditions::default() };
    architecture.rules.insert(0, Rule { conditions, ..Rule::any(Action::FixedResponse(403)) });
    architecture.ways = vec![vec![0, 1]];
    let mut rules = Rules::new(&architecture);
    let addresses = Addresses::new(vec![Some(Block { first: 7, prefix: 32 })]);
    let mut request = Request::new(1, SimTime::ZERO, Holder::Client(TrafficId(0)), Hop::NONE);
    let blocked = Decision::Answer(Outcome::failed(403, Cause::AlbFixed));
    assert_eq!(rules.decide(&request, &addresses, SimTime::ZERO), blocked);
    request.push(Holder::Cache(CloudFrontId(0), 0, Trip::default()), Hop::NONE);
    assert_eq!(rules.decide(&request, &addresses, SimTime::ZERO), Decision::Group(TargetGroupId(0)));
}

#[test]
fn a_client_stays_with_its_target_while_it_comes_often_enough_and_the_target_is_healthy() {
    let web = TargetGroup { stickiness: Some(seconds(60.0)), health_check: health_check(true), ..group("web") };
    let mut stage = Stage::with_tasks(&settings(vec![web]), 4);
    for client in 0..4 {
        for _ in 0..5 {
            ask_as(&mut stage, client, |_| {});
            stage.run_for(seconds(50.0));
        }
    }
    // Each client had the next in turn, and stayed though 250 s passed: the cookie is renewed with every request.
    assert_eq!(stage.shares(0..4), [5, 5, 5, 5]);
    // Not asked for longer than it lasts: the next in turn.
    stage.run_for(seconds(20.0));
    ask_as(&mut stage, 3, |_| {});
    assert_eq!(stage.shares(0..4), [6, 5, 5, 5]);
    // Its target becomes unhealthy: another one, for good.
    stage.manner(0, REFUSES);
    stage.run_for(seconds(59.0));
    ask_as(&mut stage, 3, |_| {});
    let before = stage.shares(1..4);
    stage.manner(0, PROMPT);
    for _ in 0..10 {
        stage.run_for(seconds(50.0));
        ask_as(&mut stage, 3, |_| {});
    }
    let gained: Vec<u64> = stage.shares(1..4).iter().zip(before).map(|(after, before)| after - before).collect();
    assert!(gained.contains(&10), "{gained:?}");
    stage.audit();
}

#[test]
fn a_client_stays_with_its_target_group() {
    let mut architecture = settings(vec![group("blue"), group("green")]);
    let groups = vec![(TargetGroupId(0), 50), (TargetGroupId(1), 50)];
    architecture.rules[0].action = Action::Forward(Forward { groups, stickiness: Some(seconds(100.0)) });
    let mut stage = Stage::new(&architecture);
    stage.register(0, 0);
    stage.register(1, 1);
    let mut chosen = |client: u32, stream: u64| {
        ask_as(&mut stage, client, |request| request.stream = stream);
        let green = stage.shares(1..2)[0] == 1;
        stage.rig.get_mut().work.clear();
        green
    };
    let first: Vec<bool> = (0..200).map(|client| chosen(client, u64::from(client))).collect();
    assert!((60..140).contains(&first.iter().filter(|&&green| green).count()));
    let again: Vec<bool> = (0..200).map(|client| chosen(client, 1000 + u64::from(client))).collect();
    assert_eq!(first, again);
}

#[test]
fn a_target_that_starts_slowly_comes_to_its_share_in_a_straight_line() {
    let web = TargetGroup { slow_start: seconds(100.0), health_check: health_check(true), ..group("web") };
    let mut stage = Stage::with_tasks(&settings(vec![web]), 2);
    stage.run(at(100.0));
    stage.register(0, 2);
    stage.run(at(130.0));
    let healthy = stage.health_changes()[0].0;
    let since = stage.bench.kernel.now().as_secs_f64() - healthy;
    // Share of the third target in each tenth of the ramp: its turns are kept with the probability that it is up to.
    let mut shares = Vec::new();
    for _ in 0..12 {
        let before = stage.shares(0..3);
        for _ in 0..1000 {
            stage.ask();
            stage.run_for(seconds(0.01));
        }
        let gained: Vec<u64> = stage.shares(0..3).iter().zip(before).map(|(after, before)| after - before).collect();
        shares.push(gained[2] as f64 / gained[0] as f64);
    }
    for (tenth, share) in shares.iter().enumerate() {
        let expected = since / 100.0 + (tenth as f64 + 0.5) / 10.0;
        if !(0.95..=1.05).contains(&expected) {
            assert!((share - expected.min(1.0)).abs() < 0.03, "{tenth} {since}: {shares:?}");
        }
    }
    stage.audit();
}

#[test]
fn anomaly_mitigation_takes_traffic_from_a_target_that_fails_and_gives_it_back() {
    let random =
        |anomaly_mitigation| TargetGroup { algorithm: Algorithm::WeightedRandom, anomaly_mitigation, ..group("web") };
    let shares_of = |mitigates: bool| {
        let mut stage = Stage::with_tasks(&settings(vec![random(mitigates)]), 4);
        stage.manner(0, Some((SimDuration::ZERO, Outcome::failed(500, Cause::TargetError))));
        let mut shares = Vec::new();
        for window in 0..40u64 {
            if window == 20 {
                stage.manner(0, PROMPT);
            }
            let before = stage.shares(0..1)[0];
            for n in 0..1000 {
                let key = stage.bench.request();
                stage.bench.shared.requests[key].stream = window * 1000 + n;
                stage.act(|alb, cx| alb.on_offer(key, cx));
                stage.run_for(seconds(0.01));
            }
            shares.push(stage.shares(0..1)[0] - before);
        }
        stage.audit();
        shares
    };
    let with = shares_of(true);
    // A quarter; with a weight of 1/2 a seventh; of 1/4 a thirteenth; at the floor 0.01 / 3.01. Standard deviations below 14.
    for (window, expected) in [(0, 250), (1, 143), (2, 77), (39, 250)] {
        assert!(with[window].abs_diff(expected) < 60, "{window}: {with:?}");
    }
    assert!(with[8..20].iter().sum::<u64>() < 12 * 60, "{with:?}");
    assert!(shares_of(false).iter().all(|share| share.abs_diff(250) < 60));
}

#[test]
fn a_client_that_has_left_is_counted_as_460_and_not_as_the_targets_answer() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 2);
    stage.manner(0, Some((seconds(5.0), Outcome::OK)));
    stage.manner(1, None);
    let keys = [stage.ask(), stage.ask()];
    stage.run(at(2.0));
    keys.iter().for_each(|&key| stage.bench.shared.requests[key].abandoned = true);
    stage.run(at(100.0));
    let counts = ["HTTPCode_ELB_4XX_Count", "HTTPCode_Target_2XX_Count", "HTTPCode_ELB_5XX_Count", "RequestCount"];
    assert_eq!(counts.map(|name| stage.counter(name)), [2.0, 0.0, 0.0, 2.0]);
    assert!(stage.answers().is_empty());
    stage.audit();
}

#[test]
fn what_does_not_fit_a_load_balancer_that_has_not_grown_gets_503() {
    let limited = Settings { initial_capacity: Some(5.0), ..settings(vec![group("web")]) };
    let mut stage = Stage::with_tasks(&limited, 1);
    for _ in 0..30 {
        stage.ask();
    }
    stage.run(at(1.0));
    let refused = stage.answers().iter().filter(|answer| (answer.1, answer.2) == (503, Cause::AlbCapacity)).count();
    assert_eq!(refused, 20, "twice five, and no more at once");
    assert_eq!((stage.counter("HTTPCode_ELB_503_Count"), stage.counter("RequestCount")), (20.0, 10.0));
}

#[test]
fn lost_packets_become_504_and_a_connection_error() {
    let mut stage = Stage::with_tasks(&settings(vec![group("web")]), 1);
    stage.manner(0, Some((CONNECT_TIMEOUT, Outcome::failed(0, Cause::ConnectTimeout))));
    stage.ask();
    stage.run(at(20.0));
    assert_eq!(stage.answers(), [(10.0, 504, Cause::ConnectTimeout)]);
    let counts = ["HTTPCode_ELB_504_Count", "TargetConnectionErrorCount", "HTTPCode_ELB_502_Count"];
    assert_eq!(counts.map(|name| stage.counter(name)), [1.0, 1.0, 0.0]);
}
