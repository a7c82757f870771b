//! What a distribution does with origins that are slow, broken or away, and with groups of them.

use super::*;

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
