use super::*;

const ROUTE: RouteId = RouteId(0);

fn at(seconds: f64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs_f64(seconds)
}

/// 100 operations of 10 ms that start in a second, so many of which fail.
fn second(failed: u32) -> Second {
    Second { ended: 100, failed, latency_nanos: u64::from(100 - failed) * 10_000_000 }
}

/// A run of some minutes with one route: what is told when, and in which seconds users lose operations, from second to second.
struct Run {
    ledger: Ledger,
    failed: u64,
    closed: u64,
}

/// Another route.
const OTHER: RouteId = RouteId(1);

impl Run {
    fn new() -> Self {
        Self { ledger: Ledger::new(1), failed: 0, closed: 0 }
    }

    /// Operations that start in the middle of a second fail at once.
    fn lose(&mut self, started: f64, ended: f64, count: u64) {
        for _ in 0..count {
            self.ledger.operation_lost(ROUTE, Cause::ConnectionLost, at(started), at(ended));
        }
        self.failed += count;
    }

    /// Seconds up to an instant take no more answers; in those of `bad` half of the operations failed.
    fn close(&mut self, until: u64, bad: std::ops::Range<u64>) {
        for number in std::mem::replace(&mut self.closed, until)..until {
            let seen = second(if bad.contains(&number) { 50 } else { 0 });
            self.ledger.second_closes(number, std::iter::once(seen));
        }
    }

    fn finish(self, end: f64) -> observations::Ledger {
        let mut findings = Findings::default();
        let routes = ["users /".to_owned()];
        let ledger = self.ledger.finish(at(end), SimTime::ZERO, &routes, self.failed, &mut findings);
        assert!(findings.checks.iter().all(|check| check.holds), "{:?}", findings.checks);
        ledger
    }
}

/// Phase, start and end in seconds.
fn phases(spans: &[PhaseSpan]) -> Vec<(&'static str, f64, f64)> {
    let told = spans.iter().map(|span| {
        (span.phase.map_or("none", Phase::name), span.from.as_nanos() as f64 / 1e9, span.until.as_nanos() as f64 / 1e9)
    });
    told.collect()
}

fn lost(ledger: &observations::Ledger) -> Vec<(Option<usize>, &'static str, u64)> {
    ledger.lost.iter().map(|it| (it.incident, it.phase.map_or("none", Phase::name), it.count)).collect()
}

/// A database whose writer fails at 100 s: noticed after 10 s, promoted after 30 s, named 5 s later; users lose operations until 45 s after
/// the failure, because some keep the old address.
#[test]
fn a_failover_goes_through_its_phases_and_ends_when_users_are_served_as_before() {
    let mut run = Run::new();
    run.ledger.begin(IncidentKind::Fault, "aurora.orders", "stormglass:db-instance-failure", at(100.0));
    run.ledger.over(IncidentKind::Fault, "aurora.orders", at(100.0));
    run.lose(99.9, 100.0, 2);
    run.lose(105.0, 115.0, 7);
    run.ledger.phase("aurora.orders", Phase::Recovery, at(110.0));
    run.lose(110.0, 110.1, 11);
    run.ledger.phase("aurora.orders", Phase::Routing, at(130.0));
    run.lose(131.0, 131.1, 13);
    run.ledger.settling("aurora.orders", at(135.0));
    run.lose(144.5, 145.0, 17);
    run.lose(150.5, 150.6, 1);
    run.close(200, 100..145);
    let ledger = run.finish(200.0);
    let incident = &ledger.incidents[0];
    assert_eq!(
        phases(&incident.phases),
        [("detection", 100.0, 110.0), ("recovery", 110.0, 130.0), ("routing", 130.0, 135.0), ("warm_up", 135.0, 145.0)]
    );
    assert_eq!((incident.ends, incident.as_before), (Some(at(145.0)), true));
    // What was under way when it failed counts as struck in its first phase; what fails once all is well again is its own affair.
    assert_eq!(
        lost(&ledger),
        [
            (None, "none", 1),
            (Some(0), "detection", 9),
            (Some(0), "routing", 13),
            (Some(0), "recovery", 11),
            (Some(0), "warm_up", 17)
        ]
    );
}

#[test]
fn a_fault_that_lasts_goes_on_in_no_phase_once_users_are_served_as_before() {
    let mut run = Run::new();
    run.ledger.begin(IncidentKind::Fault, "ecs.web", "aws:ecs:task-network-blackhole-port", at(60.0));
    run.ledger.phase("alb.front", Phase::Detection, at(65.0));
    run.ledger.phase("alb.front", Phase::Routing, at(80.0));
    run.ledger.settling("alb.front", at(80.0));
    run.lose(70.0, 80.0, 5);
    run.lose(120.0, 120.1, 3);
    run.ledger.over(IncidentKind::Fault, "ecs.web", at(180.0));
    run.lose(181.0, 181.1, 4);
    run.close(300, 60..80);
    let ledger = run.finish(300.0);
    let spans = phases(&ledger.incidents[0].phases);
    assert_eq!(spans, [("detection", 60.0, 80.0), ("none", 80.0, 180.0)]);
    assert_eq!(lost(&ledger), [(None, "none", 4), (Some(0), "none", 3), (Some(0), "detection", 5)]);
}

#[test]
fn what_nobody_notices_is_in_detection_until_it_ends() {
    let mut run = Run::new();
    run.ledger.begin(IncidentKind::Fault, "ecs.web", "stormglass:error-rate", at(60.0));
    run.ledger.over(IncidentKind::Fault, "ecs.web", at(90.0));
    run.lose(75.0, 75.1, 5);
    run.close(200, 60..92);
    let ledger = run.finish(200.0);
    assert_eq!(phases(&ledger.incidents[0].phases), [("detection", 60.0, 90.0), ("warm_up", 90.0, 92.0)]);
}

#[test]
fn what_a_component_tells_goes_to_its_own_incident_or_to_the_last_or_makes_one() {
    let mut run = Run::new();
    run.ledger.begin(IncidentKind::Fault, "aurora.orders", "failover", at(10.0));
    run.ledger.begin(IncidentKind::Deployment, "ecs.web", "rolling update", at(12.0));
    run.ledger.phase("aurora.orders", Phase::Recovery, at(13.0));
    run.ledger.phase("alb.front", Phase::Routing, at(14.0));
    let parts = |at: usize| run.ledger.incidents[at].has_part("alb.front");
    assert!(!parts(0) && parts(1), "the last to begin is taken for the cause");
    run.ledger.settling("aurora.orders", at(20.0));
    run.ledger.settling("alb.front", at(20.0));
    run.ledger.over(IncidentKind::Fault, "aurora.orders", at(20.0));
    run.ledger.over(IncidentKind::Deployment, "ecs.web", at(20.0));
    run.close(60, 10..20);
    run.ledger.phase("ec2.batch", Phase::Detection, at(70.0));
    run.ledger.phase("ec2.batch", Phase::Decision, at(75.0));
    let ledger = run.finish(100.0);
    let told: Vec<_> = ledger.incidents.iter().map(|it| (it.kind, it.subject.as_str())).collect();
    let own = (IncidentKind::Unplanned, "ec2.batch");
    assert_eq!(told, [(IncidentKind::Fault, "aurora.orders"), (IncidentKind::Deployment, "ecs.web"), own]);
    assert_eq!(phases(&ledger.incidents[2].phases), [("decision", 75.0, 100.0)]);
    assert_eq!(ledger.incidents[2].ends, None);
}

#[test]
fn a_window_is_split_by_the_phases_of_what_was_under_way() {
    let mut run = Run::new();
    run.ledger.begin(IncidentKind::Fault, "alb.front", "aws:network:disrupt-connectivity", at(100.0));
    run.ledger.phase("route53.front", Phase::Routing, at(128.0));
    run.ledger.settling("route53.front", at(133.0));
    run.ledger.over(IncidentKind::Fault, "alb.front", at(400.0));
    run.close(420, 100..160);
    let window = phases(&run.ledger.phases_between(at(99.0), at(150.0)));
    let split =
        [("none", 99.0, 100.0), ("detection", 100.0, 128.0), ("routing", 128.0, 133.0), ("warm_up", 133.0, 150.0)];
    assert_eq!(window, split);
}

#[test]
fn who_is_down_is_told_from_the_warm_up_on_and_to_the_end() {
    let mut run = Run::new();
    for (down, when) in [(true, 5.0), (false, 8.0), (true, 10.0), (true, 11.0), (false, 16.0), (true, 20.0)] {
        run.ledger.down(Witness::Component, "ecs.web", down, at(when));
    }
    run.ledger.down(Witness::Component, "alb.front", false, at(0.0));
    let mut findings = Findings::default();
    let ledger = run.ledger.finish(at(30.0), at(12.0), &["users /".to_owned()], 0, &mut findings);
    let spans: Vec<_> = ledger.outages.iter().map(|it| (it.who.as_str(), it.from, it.until)).collect();
    assert_eq!(spans, [("ecs.web", at(12.0), at(16.0)), ("ecs.web", at(20.0), at(30.0))]);
    assert_eq!(ledger.watched.len(), 2);
}

/// Seconds close minutes after they were: what users knew when something began is not what is closed when it does.
#[test]
fn as_before_is_as_it_was_when_it_began() {
    let mut run = Run::new();
    // A cold start: users wait ten times as long in the first 50 seconds.
    let slow = Second { ended: 100, failed: 0, latency_nanos: 10_000_000_000 };
    let fast = Second { latency_nanos: 1_000_000_000, ..slow };
    run.ledger.begin(IncidentKind::Change, "elasticache.pages", "FLUSHALL", at(200.0));
    run.ledger.over(IncidentKind::Change, "elasticache.pages", at(200.0));
    for second in 0..300 {
        let is_slow = second < 50 || (200..260).contains(&second);
        run.ledger.second_closes(second, std::iter::once(if is_slow { slow } else { fast }));
    }
    let ledger = run.finish(300.0);
    assert_eq!(phases(&ledger.incidents[0].phases), [("warm_up", 200.0, 260.0)]);
}

/// A service replaces what is broken before and after a health check has led users away; then something else fails.
#[test]
fn what_was_begun_before_users_were_led_away_they_do_not_wait_for() {
    let mut run = Run::new();
    run.ledger.begin(IncidentKind::Fault, "ecs.web", "aws:ecs:task-network-blackhole-port", at(100.0));
    run.ledger.phase("ecs.web", Phase::Recovery, at(120.0));
    run.ledger.phase("route53.front", Phase::Routing, at(130.0));
    run.ledger.led_away("route53.front", at(135.0));
    run.ledger.phase("ecs.web", Phase::Routing, at(150.0));
    run.ledger.settling("ecs.web", at(170.0));
    run.ledger.phase("alb.other", Phase::Detection, at(180.0));
    run.ledger.settling("alb.other", at(190.0));
    run.ledger.over(IncidentKind::Fault, "ecs.web", at(200.0));
    run.close(300, 100..160);
    let ledger = run.finish(300.0);
    let spans = phases(&ledger.incidents[0].phases);
    let begin = [("detection", 100.0, 120.0), ("recovery", 120.0, 130.0), ("routing", 130.0, 135.0)];
    assert_eq!(spans[..3], begin);
    let waits = spans[3..].iter().filter(|(name, ..)| !matches!(*name, "warm_up" | "none"));
    assert_eq!(waits.collect::<Vec<_>>(), [&("detection", 180.0, 190.0)]);
}

/// A database is away from 100 to 200 s and loses orders; at 150 s a cache is emptied, and pages are lost, for another 20 s orders too that
/// wait for too long. A third fault, long after the second has lost its last page, gets what is lost then.
#[test]
fn what_one_incident_lost_when_another_began_it_goes_on_to_lose() {
    let mut run = Run::new();
    run.ledger = Ledger::new(2);
    run.ledger.begin(IncidentKind::Fault, "aurora.orders", "failure", at(100.0));
    let lose = |run: &mut Run, route: RouteId, cause: Cause, seconds: std::ops::Range<u32>, each: u64| {
        for second in seconds {
            let started = at(f64::from(second) + 0.5);
            (0..each).for_each(|_| run.ledger.operation_lost(route, cause, started, started));
            run.failed += each;
        }
    };
    lose(&mut run, ROUTE, Cause::ConnectionLost, 100..150, 2);
    run.ledger.begin(IncidentKind::Change, "elasticache.pages", "FLUSHALL", at(150.0));
    run.ledger.phase("elasticache.pages", Phase::Recovery, at(150.0));
    lose(&mut run, ROUTE, Cause::ConnectionLost, 150..170, 2);
    lose(&mut run, OTHER, Cause::CallTimeout, 150..170, 3);
    lose(&mut run, ROUTE, Cause::CallTimeout, 150..170, 1);
    run.ledger.settling("elasticache.pages", at(170.0));
    run.ledger.over(IncidentKind::Change, "elasticache.pages", at(170.0));
    lose(&mut run, ROUTE, Cause::ConnectionLost, 170..190, 2);
    run.ledger.begin(IncidentKind::Fault, "ecs.web", "errors", at(190.0));
    lose(&mut run, OTHER, Cause::CallTimeout, 190..195, 5);
    lose(&mut run, ROUTE, Cause::ConnectionLost, 190..195, 2);
    let mut findings = Findings::default();
    let routes = ["users /orders", "users /pages"].map(str::to_owned);
    let ledger = run.ledger.finish(at(200.0), SimTime::ZERO, &routes, run.failed, &mut findings);
    assert!(findings.checks.iter().all(|check| check.holds), "{:?}", findings.checks);
    let lost = |incident: usize, route: &str, cause: &str| -> u64 {
        let its = ledger
            .lost
            .iter()
            .filter(|it| it.incident == Some(incident) && it.route.contains(route) && it.cause == cause);
        its.map(|it| it.count).sum()
    };
    assert_eq!(lost(0, "orders", "connection_lost"), 2 * 95, "the database's, all along");
    assert_eq!((lost(1, "pages", "call_timeout"), lost(1, "orders", "call_timeout")), (60, 20));
    assert_eq!(lost(2, "pages", "call_timeout"), 25, "the cache has lost none for 20 s");
    assert_eq!(ledger.lost.iter().map(|it| it.count).sum::<u64>(), run.failed);
}
