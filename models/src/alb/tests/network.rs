//! Network load balancers: flows stay where they began, and break where their target fails.

use super::*;

fn network(mut web: TargetGroup, zones: u8) -> Settings {
    web.cross_zone = false;
    web.zone_of_target = (0..zones).collect();
    let names = ["a", "b", "c"][..zones as usize].iter().map(|zone| (*zone).to_owned());
    Settings { kind: Kind::Network, zones: names.collect(), idle_timeout: seconds(350.0), ..settings(vec![web]) }
}

fn ask_as(stage: &mut Stage, client: u32) -> RequestKey {
    let key = stage.bench.request();
    stage.bench.shared.requests[key].client = client;
    stage.act(|alb, cx| alb.on_offer(key, cx));
    stage.run_for(seconds(0.001));
    key
}

fn checked() -> TargetGroup {
    let health_check = HealthCheck { timeout: seconds(10.0), ..HealthCheck::default() };
    TargetGroup { health_check, ..group("web") }
}

#[test]
fn flows_are_spread_by_hash_and_stay_with_their_target_until_they_are_idle() {
    let mut stage = Stage::with_tasks(&network(group("web"), 0), 4);
    let clients = 4000;
    (0..clients).for_each(|client| {
        ask_as(&mut stage, client);
    });
    let first = stage.shares(0..4);
    // Standard deviation 27.
    assert!(first.iter().all(|share| share.abs_diff(1000) < 140), "{first:?}");
    (0..clients).for_each(|client| {
        ask_as(&mut stage, client);
    });
    let again = stage.shares(0..4);
    assert!(again.iter().zip(&first).all(|(again, first)| *again == 2 * first), "the same flows");
    assert_eq!(stage.counter("NewFlowCount"), f64::from(clients));
    stage.run_for(seconds(351.0));
    (0..clients).for_each(|client| {
        ask_as(&mut stage, client);
    });
    assert_eq!(stage.counter("NewFlowCount"), 2.0 * f64::from(clients));
    stage.audit();
}

#[test]
fn an_unhealthy_target_breaks_its_flows_and_they_begin_anew_elsewhere() {
    let mut stage = Stage::with_tasks(&network(checked(), 0), 2);
    stage.manner(0, None);
    let keys: Vec<RequestKey> = (0..20).map(|client| ask_as(&mut stage, client)).collect();
    let waiting = keys.iter().filter(|&&key| stage.bench.shared.requests.get(key).is_some()).count();
    assert!((1..20).contains(&waiting));
    stage.run(at(80.0));
    // Hangs: found unhealthy 40 to 70 s later, by the end of the second check's timeout.
    let broken: Vec<_> = stage.answers().into_iter().filter(|answer| answer.1 == 0).collect();
    assert_eq!(broken.len(), waiting);
    assert!(
        broken.iter().all(|&(when, _, cause)| cause == Cause::ConnectionReset && (40.0..=70.0).contains(&when)),
        "{broken:?}"
    );
    assert_eq!(stage.counter("TCP_ELB_Reset_Count"), waiting as f64);
    let before = stage.shares(1..2)[0];
    (0..20).for_each(|client| {
        ask_as(&mut stage, client);
    });
    assert_eq!(stage.shares(1..2)[0] - before, 20);
    stage.audit();
}

#[test]
fn a_draining_target_keeps_its_flows_for_the_whole_delay_and_gets_no_new_ones() {
    let web = TargetGroup { deregistration_delay: seconds(100.0), ..group("web") };
    let mut stage = Stage::with_tasks(&network(web, 0), 2);
    (0..20).for_each(|client| {
        ask_as(&mut stage, client);
    });
    let of_first = stage.shares(0..1)[0];
    stage.deregister(0);
    (0..40).for_each(|client| {
        ask_as(&mut stage, client);
    });
    assert_eq!(stage.shares(0..1)[0], 2 * of_first, "old flows only");
    assert!(stage.drained().is_empty());
    stage.run(at(110.0));
    assert!((stage.drained()[0].0 - 100.02).abs() < 0.1, "{:?}", stage.drained());
    (0..40).for_each(|client| {
        ask_as(&mut stage, client);
    });
    assert_eq!(stage.shares(0..2), [2 * of_first, 100 - 2 * of_first]);
    stage.audit();
}

#[test]
fn without_targets_connections_are_refused_and_there_is_no_status_of_its_own() {
    let mut stage = Stage::new(&network(group("web"), 0));
    ask_as(&mut stage, 0);
    stage.register(0, 0);
    stage.manner(0, Some((SimDuration::ZERO, Outcome::failed(0, Cause::TaskStopped))));
    ask_as(&mut stage, 0);
    stage.manner(0, Some((SimDuration::ZERO, Outcome::failed(503, Cause::Overloaded))));
    ask_as(&mut stage, 0);
    let got: Vec<(u16, Cause)> = stage.answers().into_iter().map(|(_, status, cause)| (status, cause)).collect();
    assert_eq!(got, [(0, Cause::ConnectionReset), (0, Cause::TaskStopped), (503, Cause::Overloaded)]);
    assert_eq!(stage.counter("TCP_Target_Reset_Count"), 1.0);
    assert!(stage.counter("HTTPCode_ELB_5XX_Count").is_nan());
}

#[test]
fn a_zone_without_healthy_targets_leaves_dns_and_with_none_anywhere_all_stay() {
    let mut stage = Stage::new(&network(checked(), 2));
    for slot in 0..4u32 {
        let zone = (slot % 2) as u8;
        stage.act(|alb, cx| alb.register(TargetGroupId(0), Endpoint::Ecs(SERVICE), task(slot), Some(zone), slot, cx));
    }
    let addresses = |stage: &Stage| stage.rig.borrow().alb.zones.in_dns();
    (1..4).step_by(2).for_each(|slot| stage.manner(slot, REFUSES));
    stage.run(at(100.0));
    assert_eq!(addresses(&stage), 0b01);
    (0..4).step_by(2).for_each(|slot| stage.manner(slot, REFUSES));
    stage.run(at(200.0));
    assert_eq!(addresses(&stage), 0b11);
    (0..4).for_each(|slot| stage.manner(slot, PROMPT));
    (0..200).for_each(|client| {
        ask_as(&mut stage, client);
    });
    assert!(stage.answers().iter().all(|answer| answer.1 == 200), "fails open");
}
