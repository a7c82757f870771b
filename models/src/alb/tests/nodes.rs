//! Several nodes: who goes where, who sends to whom, and what the zones' health does to DNS.

use super::*;

fn zoned(zones: usize, mut web: TargetGroup) -> Settings {
    web.zone_of_target = (0..zones as u8).collect();
    let names = ["a", "b", "c"][..zones].iter().map(|zone| (*zone).to_owned());
    Settings { zones: names.collect(), ..settings(vec![web]) }
}

fn register(stage: &mut Stage, zone: u8, slot: u32) {
    stage.act(|alb, cx| {
        alb.register(TargetGroupId(0), Endpoint::Ecs(SERVICE), task(slot), Some(zone), slot, cx);
    });
}

/// Requests of as many clients.
fn ask_as(stage: &mut Stage, clients: std::ops::Range<u32>) {
    for client in clients {
        let key = stage.bench.request();
        stage.bench.shared.requests[key].client = client;
        stage.act(|alb, cx| alb.on_offer(key, cx));
        stage.run_for(SimDuration::from_nanos(1000));
    }
}

fn addresses(stage: &Stage) -> u64 {
    stage.rig.borrow().alb.zones.in_dns()
}

#[test]
fn two_and_eight_targets_share_a_tenth_each_across_zones_and_a_quarter_or_a_sixteenth_within() {
    let shares = |cross_zone: bool| {
        let mut stage = Stage::new(&zoned(2, TargetGroup { cross_zone, ..group("web") }));
        (0..2).for_each(|slot| register(&mut stage, 0, slot));
        (2..10).for_each(|slot| register(&mut stage, 1, slot));
        ask_as(&mut stage, 0..20_000);
        stage.audit();
        let shares = stage.shares(0..10);
        [shares[..2].iter().sum::<u64>() as f64 / 2.0, shares[2..].iter().sum::<u64>() as f64 / 8.0]
    };
    // Clients choose a node at random: standard deviation of a node's half 71 of 10,000.
    let ([of_two, of_eight], [of_all, of_all_too]) = (shares(false), shares(true));
    assert!((of_two / 20_000.0 - 0.25).abs() < 0.01 && (of_eight / 20_000.0 - 0.0625).abs() < 0.003);
    assert!((of_all / 20_000.0 - 0.1).abs() < 0.001 && (of_all_too / 20_000.0 - 0.1).abs() < 0.001);
}

#[test]
fn six_of_ten_failed_in_a_zone_take_it_out_of_dns_below_half_unless_zones_help_each_other() {
    // The guide's example: two zones of ten targets, a threshold of 50 %.
    let half = Minimum { count: 1, percentage: Some(50) };
    let web = |cross_zone| TargetGroup {
        health_check: health_check(true),
        dns_failover: half,
        unhealthy_state_routing: half,
        cross_zone,
        ..group("web")
    };
    for cross_zone in [false, true] {
        let mut stage = Stage::new(&zoned(2, web(cross_zone)));
        (0..20).for_each(|slot| register(&mut stage, u8::from(slot >= 10), slot));
        assert_eq!(addresses(&stage), 0b11);
        (10..16).for_each(|slot| stage.manner(slot, REFUSES));
        stage.run(at(200.0));
        // Off: 4 of 10 in b. On: 14 of 20 for both nodes.
        assert_eq!(addresses(&stage), if cross_zone { 0b11 } else { 0b01 });
        let open = |node: usize| {
            let rig = stage.rig.borrow();
            rig.alb.groups[node].seats.len()
        };
        assert_eq!((open(0), open(1)), if cross_zone { (14, 14) } else { (10, 10) }, "the node of b sends to all ten");
        (10..16).for_each(|slot| stage.manner(slot, PROMPT));
        stage.run(at(500.0));
        assert_eq!(addresses(&stage), 0b11);
    }
}

#[test]
fn without_cross_zone_a_zone_without_targets_answers_503() {
    let mut stage = Stage::new(&zoned(2, TargetGroup { cross_zone: false, ..group("web") }));
    register(&mut stage, 0, 0);
    ask_as(&mut stage, 0..1000);
    stage.run_for(seconds(1.0));
    let refused = stage.answers().iter().filter(|answer| answer.1 == 503).count();
    // Standard deviation 16.
    assert!(refused.abs_diff(500) < 80, "{refused}");
    assert_eq!(stage.shares(0..1), [1000 - refused as u64]);
}

#[test]
fn every_node_checks_on_its_own_and_the_service_hears_of_health_when_all_agree() {
    let mut stage = Stage::new(&zoned(3, TargetGroup { health_check: health_check(true), ..group("web") }));
    stage.run(at(10.0));
    register(&mut stage, 0, 0);
    stage.run(at(10.0 + 30.0));
    let checks: Vec<f64> = stage.rig.borrow().checks.iter().map(|(at, _)| at.as_secs_f64()).collect();
    assert_eq!(checks.len(), 3, "one of each node within the interval: {checks:?}");
    let healthy = stage.health_changes();
    assert_eq!(healthy.len(), 1);
    assert_eq!(healthy[0], (checks[2], 0, true), "the last node's first good check");
    // Unhealthy for one is unhealthy for the service.
    stage.manner(0, REFUSES);
    stage.run(at(100.0));
    let changes = stage.health_changes();
    assert!(changes.len() == 4 && changes[1..].iter().all(|change| !change.2), "{changes:?}");
}

#[test]
fn a_target_is_drained_once_when_its_last_request_in_any_node_is_answered() {
    let mut stage = Stage::new(&zoned(2, group("web")));
    register(&mut stage, 0, 0);
    stage.manner(0, Some((seconds(20.0), Outcome::OK)));
    ask_as(&mut stage, 0..50);
    stage.deregister(0);
    stage.run(at(100.0));
    assert_eq!(stage.drained().len(), 1, "{:?}", stage.drained());
    assert!((stage.drained()[0].0 - 20.0).abs() < 0.001);
    stage.audit();
}

#[test]
fn a_zonal_shift_takes_the_zone_out_of_dns_and_its_targets_out_of_turn() {
    let mut stage = Stage::new(&zoned(3, group("web")));
    (0..6).for_each(|slot| register(&mut stage, (slot % 3) as u8, slot));
    stage.act(|alb, cx| alb.zonal_shift(1, true, cx));
    assert_eq!(addresses(&stage), 0b101);
    ask_as(&mut stage, 0..600);
    let shares = stage.shares(0..6);
    assert_eq!((shares[1], shares[4]), (0, 0), "{shares:?}");
    assert!([0, 2, 3, 5].iter().all(|&slot| shares[slot].abs_diff(150) <= 2), "{shares:?}");
    stage.act(|alb, cx| alb.zonal_shift(1, false, cx));
    ask_as(&mut stage, 0..600);
    assert_eq!(addresses(&stage), 0b111);
    assert!(stage.shares(0..6).iter().all(|&share| share >= 95));
    stage.audit();
}

#[test]
fn figures_are_published_for_each_zone_and_in_all() {
    let mut stage = Stage::new(&zoned(2, group("web")));
    (0..4).for_each(|slot| register(&mut stage, (slot % 2) as u8, slot));
    ask_as(&mut stage, 0..1000);
    stage.run(at(60.0));
    stage.act(|alb, cx| alb.publish(cx));
    let series = std::mem::take(&mut stage.bench.shared.metrics).into_series(seconds(60.0));
    let value = |name: &str| series.iter().find(|it| it.name == name).map_or(f64::NAN, |it| it.values[0]);
    let requests = ["front@a", "front@b"].map(|of| value(&format!("AWS/ApplicationELB RequestCount alb.{of}")));
    assert_eq!(requests[0] + requests[1], 1000.0);
    assert!((requests[0] - 500.0).abs() < 80.0);
    for name in ["front/web", "front/web@a", "front/web@b"] {
        assert_eq!(value(&format!("AWS/ApplicationELB HealthyHostCount alb.{name}")), 4.0, "{name}");
    }
    assert_eq!(value("AWS/ApplicationELB RequestCountPerTarget alb.front/web"), 250.0);
    assert_eq!(value("AWS/ApplicationELB NewConnectionCount alb.front"), 1000.0);
    // A thousand clients in a minute: 1000 / 60 / 25 by new connections, a third by active ones.
    assert!((value("AWS/ApplicationELB ConsumedLCUs alb.front") - 1000.0 / 1500.0).abs() < 1e-9);
}
