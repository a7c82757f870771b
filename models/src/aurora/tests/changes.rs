//! What is planned.

use super::*;

fn planned(changes: Vec<Change>) -> Settings {
    let changes = changes.into_iter().map(|change| Planned { at: at(10.0), change });
    Settings { changes: changes.collect(), dns_ttl: SimDuration::ZERO, ..settings() }
}

/// A write and a read each quarter of a second; returns the time from the first failed one to the first good one after the last failure.
fn outage_of(settings: &Settings, operation: u16) -> f64 {
    let mut bed = Bed::new(settings);
    let mut asked: Vec<f64> = Vec::new();
    for step in 0..4000 {
        let now = 0.25 * f64::from(step);
        bed.run_until(at(now));
        bed.ask(operation, task(0));
        asked.push(now);
    }
    bed.run_until(at(1100.0));
    let bad = bed.answers.iter().filter(|answer| !answer.2.is_ok()).map(|answer| answer.0);
    let window = bad.clone().min().zip(bad.max());
    bed.finish();
    window.map_or(0.0, |(first, last)| asked[last] + 0.25 - asked[first])
}

/// Requirements: class change without failover 6-8 minutes; with a failover before, one failover.
#[test]
fn a_class_change_takes_7_minutes_or_one_failover() {
    let class = Class { name: "db.r6g.xlarge".to_owned(), vcpu: 4.0, max_connections: 2000, memory_gib: 32.0 };
    let change = |failover_first| {
        let takes = seconds(420.0);
        planned(vec![Change::ModifyClass { instance: 0, class: class.clone(), takes, failover_first }])
    };
    let outage = outage_of(&change(false), WRITE);
    assert!((419.5..=420.5).contains(&outage), "{outage}");
    let outage = outage_of(&change(true), WRITE);
    assert!((29.5..=30.5).contains(&outage), "{outage}");
    let mut bed = Bed::new(&change(true));
    bed.run_until(at(1000.0));
    assert_eq!(bed.aurora.servers.iter().map(|server| server.class.vcpu).collect::<Vec<_>>(), [4.0, 2.0]);
    assert_eq!(bed.aurora.roles.writer, Some(1));
    bed.finish();
}

/// Requirements: about 5 s of degraded writer, 20-30 s restart of the reader; without it a restart of everything for 20-30 s.
#[test]
fn zero_downtime_patching_pauses_the_writer_for_5_s_and_restarts_the_reader() {
    let upgrade = |failure| {
        let patching = Some(ZeroDowntimePatching { pause: seconds(5.0), failure });
        planned(vec![Change::MinorUpgrade { patching, restart: seconds(25.0) }])
    };
    let mut bed = Bed::new(&upgrade(0.0));
    bed.run_until(at(9.0));
    bed.ask(WRITE, task(0));
    bed.run_until(at(11.0));
    bed.ask(WRITE, task(0));
    assert!(!bed.aurora.servers[1].is_up());
    bed.run_until(at(36.0));
    assert!(bed.aurora.servers[1].is_up());
    // The session is kept, the query waits for the end of the pause.
    assert_eq!(bed.answers(), [(0, 9015, Cause::None), (1, 15_010, Cause::None)]);
    assert_eq!(
        bed.finish().counters.iter().filter(|it| it.name == "connections opened").map(|it| it.value).sum::<f64>(),
        1.0
    );
    let outage = outage_of(&upgrade(1.0), WRITE);
    assert!((24.5..=25.5).contains(&outage), "{outage}");
    let outage = outage_of(&planned(vec![Change::MajorUpgrade { takes: seconds(600.0) }]), WRITE);
    assert!((599.5..=600.5).contains(&outage), "{outage}");
}

#[test]
fn a_system_update_goes_from_reader_to_writer_by_a_failover() {
    let settings = planned(vec![Change::SystemUpdate { takes: seconds(200.0) }]);
    let outage = outage_of(&settings, WRITE);
    assert!((29.5..=30.5).contains(&outage), "one failover: {outage}");
    let mut bed = Bed::new(&settings);
    for (second, up) in [(100.0, [true, false]), (300.0, [false, true]), (600.0, [true, true])] {
        bed.run_until(at(second));
        let found: Vec<bool> = bed.aurora.servers.iter().map(Server::is_up).collect();
        assert_eq!(found, up, "at {second} s");
    }
    bed.finish();
}

#[test]
fn a_switchover_blocks_writes_or_is_rolled_back() {
    let switchover = |takes| {
        planned(vec![Change::Switchover {
            takes: seconds(takes),
            timeout: seconds(300.0),
            both: (SimTime::ZERO, SimTime::ZERO),
        }])
    };
    let outage = outage_of(&switchover(40.0), WRITE);
    assert!((39.5..=40.5).contains(&outage), "{outage}");
    let outage = outage_of(&switchover(1000.0), WRITE);
    assert!((299.5..=300.5).contains(&outage), "rolled back: {outage}");
    assert_eq!(outage_of(&switchover(1000.0), READ), 0.0);
}
