//! Serverless instances that pause.

use super::*;
use crate::aurora::pause::Sleep;

/// A serverless writer and a reader of tier 2, which pause after 300 s and resume within 15 s.
fn pausing() -> Settings {
    let mut settings = settings();
    settings.serverless = Some(Serverless { min_capacity: 0.0, max_capacity: 8.0, rate: 0.1 });
    settings.pauses = Some(AutoPause {
        after: seconds(300.0),
        resume: Distribution::constant(15.0).unwrap(),
        deep_resume: Distribution::constant(30.0).unwrap(),
    });
    for (instance, tier) in settings.instances.iter_mut().zip([1, 2]) {
        instance.class.name = "db.serverless".to_owned();
        instance.class.vcpu = 0.125;
        instance.promotion_tier = tier;
    }
    settings.pool.connect_timeout = seconds(40.0);
    settings.pool.acquire_timeout = seconds(60.0);
    settings.pool.idle_timeout = Some(seconds(60.0));
    settings
}

/// Runs with the housekeeping of each minute.
fn run(bed: &mut Bed, until: f64) {
    let mut minute = (bed.now().as_nanos() / 60_000_000_000 + 1) as f64 * 60.0;
    while minute <= until {
        bed.run_until(at(minute));
        bed.aurora.publish(&mut bed.bench.cx());
        minute += 60.0;
    }
    bed.run_until(at(until));
}

fn acu_hours(bed: Bed) -> f64 {
    let findings = bed.finish();
    findings.usage.iter().filter(|it| it.item == "aurora.acu").map(|it| it.quantity).sum()
}

/// API:rds (ServerlessV2ScalingConfiguration): idle for 300 s, paused; resumption takes about 15 s.
#[test]
fn an_instance_without_connections_pauses_after_300_s_and_the_next_connection_waits_15_s() {
    let mut bed = Bed::new(&pausing());
    run(&mut bed, 299.0);
    assert_eq!(bed.aurora.servers[0].sleep, Sleep::Awake);
    run(&mut bed, 1000.0);
    assert!(bed.aurora.servers.iter().all(|it| it.sleep != Sleep::Awake));
    let asked = bed.ask(WRITE, task(0));
    run(&mut bed, 1020.0);
    // 5 ms to connect, 15 s, 4 ms of CPU at an eighth of a core, 6 ms.
    assert_eq!(bed.answers(), [(asked, 1_015_043, Cause::None)]);
    // The reader, of tier 2, sleeps on.
    assert!(matches!(bed.aurora.servers[1].sleep, Sleep::Paused(_)));
    bed.finish();
}

#[test]
fn a_connect_timeout_shorter_than_the_resumption_fails_the_first_attempt_only() {
    let mut settings = pausing();
    settings.pool.connect_timeout = seconds(10.0);
    let mut bed = Bed::new(&settings);
    run(&mut bed, 1000.0);
    bed.ask(WRITE, task(0));
    run(&mut bed, 1016.0);
    bed.ask(WRITE, task(0));
    run(&mut bed, 1020.0);
    let causes: Vec<Cause> = bed.answers().iter().map(|it| it.2).collect();
    assert_eq!(causes, [Cause::ConnectionLost, Cause::None]);
    bed.finish();
}

#[test]
fn after_a_day_it_takes_30_s() {
    let mut bed = Bed::new(&pausing());
    run(&mut bed, 90_000.0);
    let asked = bed.ask(WRITE, task(0));
    run(&mut bed, 90_040.0);
    assert_eq!(bed.answers(), [(asked, 90_030_043, Cause::None)]);
    bed.finish();
}

#[test]
fn a_connection_that_is_kept_keeps_it_awake_and_an_idle_timeout_lets_it_sleep() {
    let pauses = |idle_timeout| {
        let mut settings = pausing();
        settings.pool.idle_timeout = idle_timeout;
        settings.instances[1].promotion_tier = 1;
        let mut bed = Bed::new(&settings);
        bed.ask(WRITE, task(0));
        run(&mut bed, 3600.0);
        counter(&bed.finish(), "pauses")
    };
    assert_eq!(pauses(None), 0.0, "the reader of tier 1 is kept awake too");
    assert_eq!(pauses(Some(seconds(60.0))), 2.0);
}

#[test]
fn what_is_paused_costs_no_capacity() {
    let mut bed = Bed::new(&pausing());
    run(&mut bed, 3600.0);
    // Two instances of half an ACU until 300 s or a second later.
    let hours = acu_hours(bed);
    assert!((2.0 * 0.5 * 300.0 / 3600.0..=2.0 * 0.5 * 302.0 / 3600.0).contains(&hours), "{hours}");
}

#[test]
fn readers_of_tier_0_and_1_do_not_pause_beside_a_writer_that_cannot() {
    let mut settings = pausing();
    settings.instances[0].class.name = "db.r6g.large".to_owned();
    settings.instances[1].promotion_tier = 1;
    let mut bed = Bed::new(&settings);
    run(&mut bed, 1000.0);
    assert_eq!(bed.aurora.servers[1].sleep, Sleep::Awake);
    bed.finish();
}
