//! A station's figures against those of a twin that remembers every request.

use super::*;
use proptest::prelude::*;

fn at(nanos: u64) -> SimTime {
    SimTime::from_nanos(nanos)
}

fn sound(tally: &StationTally, now: SimTime) {
    let checks = tally.check(now);
    assert!(checks.iter().all(|check| check.holds), "{checks:?}");
}

/// What happened to a request, in nanoseconds; `None` if not yet.
#[derive(Clone, Copy, Debug)]
struct Record {
    joined: u64,
    started: Option<u64>,
    left: Option<u64>,
    served: bool,
}

proptest! {
    /// Requests come, start, leave, and are lost at random instants, many of them equal, and the warm-up ends somewhere.
    #[test]
    fn agrees_with_a_twin_that_remembers_everything(
        steps in prop::collection::vec((0..4u64, 0..6u8, any::<prop::sample::Index>()), 1..300),
        reset_at in 0..300usize,
    ) {
        let mut tally = StationTally::new(400);
        let mut records: Vec<Record> = Vec::new();
        let (mut now, mut since) = (0, 0);
        for (number, (after, action, which)) in steps.into_iter().enumerate() {
            now += after;
            if number == reset_at {
                tally.reset(at(now));
                since = now;
            }
            let pick = |want: fn(&Record) -> bool| {
                let those: Vec<usize> = (0..records.len()).filter(|&i| want(&records[i])).collect();
                (!those.is_empty()).then(|| those[which.index(those.len())])
            };
            let waiting = pick(|r| r.started.is_none() && r.left.is_none());
            let serving = pick(|r| r.started.is_some() && r.left.is_none());
            match (action, waiting, serving) {
                (0 | 1, _, _) => {
                    tally.join(at(now));
                    records.push(Record { joined: now, started: None, left: None, served: false });
                }
                (2, _, _) => {
                    tally.join_served(at(now));
                    records.push(Record { joined: now, started: Some(now), left: None, served: false });
                }
                (3, Some(who), _) => {
                    tally.start(at(now), SimDuration::from_nanos(now - records[who].joined));
                    records[who].started = Some(now);
                }
                (4, _, Some(who)) => {
                    tally.leave(at(now), at(records[who].joined));
                    (records[who].left, records[who].served) = (Some(now), true);
                }
                (5, Some(who), _) => {
                    tally.lose(at(now), at(records[who].joined));
                    records[who].left = Some(now);
                }
                (5, None, Some(who)) => {
                    tally.lose_served(at(now), at(records[who].joined));
                    records[who].left = Some(now);
                }
                _ => {}
            }
            sound(&tally, at(now));
        }
        now += 5;
        sound(&tally, at(now));
        let observed = tally.observe("s", "server", at(now));
        // Those that joined in the instant of the reset count if they were still there then; the twin cannot tell.
        if records.iter().any(|r| r.joined == since && since > 0) {
            return Ok(());
        }
        let counted: Vec<Record> = records.iter().copied().filter(|r| r.joined >= since).collect();
        let count = |want: fn(&Record) -> bool| counted.iter().filter(|r| want(r)).count() as u64;
        prop_assert_eq!(observed.arrivals, counted.len() as u64);
        prop_assert_eq!(observed.completions, count(|r| r.served));
        prop_assert_eq!(observed.lost, count(|r| r.left.is_some() && !r.served));
        let inside = |from: u64, to: u64| to.max(since) - from.max(since);
        let presence: u64 = records.iter().map(|r| inside(r.joined, r.left.unwrap_or(now))).sum();
        let waited: u64 = records.iter().map(|r| inside(r.joined, r.started.or(r.left).unwrap_or(now))).sum();
        let span = (now - since) as f64;
        prop_assert_eq!(observed.mean_in_system, presence as f64 / span);
        prop_assert_eq!(observed.mean_waiting, waited as f64 / span);
        prop_assert!((observed.utilisation - (presence - waited) as f64 / span / 400.0).abs() < 1e-12);
        let left = counted.iter().filter_map(|r| r.left.map(|left| left - r.joined));
        let sojourn = left.clone().sum::<u64>() as f64 / left.count() as f64 / 1e9;
        prop_assert!(observed.mean_sojourn == sojourn || sojourn.is_nan() && observed.mean_sojourn.is_nan());
    }
}

#[test]
fn a_request_that_lies_about_its_arrival_fails_the_audit() {
    let mut tally = StationTally::new(1);
    tally.join_served(at(10));
    tally.leave(at(30), at(12));
    assert!(!tally.check(at(40))[0].holds);
}

#[test]
fn more_busy_than_there_are_fails_the_audit_unless_they_are_shared() {
    for (mut tally, holds) in [(StationTally::new(1), false), (StationTally::shared(1.0), true)] {
        tally.join_served(at(10));
        tally.join_served(at(10));
        assert_eq!(tally.check(at(40))[2].holds, holds);
    }
}

#[test]
fn no_server_ever_is_no_utilisation_and_no_failure() {
    let tally = StationTally::new(0);
    sound(&tally, at(100));
    assert!(tally.observe("s", "server", at(100)).utilisation.is_nan());
}

#[test]
fn the_busiest_minute_is_found_also_after_a_long_silence() {
    let minute = |m: u64, s: u64| SimTime::from_secs(60 * m + s);
    let mut tally = StationTally::new(2);
    tally.join_served(minute(0, 30));
    let joined = minute(0, 30);
    tally.leave(minute(3, 30), joined);
    // Both busy from 10:15 until 10:45, then one for three hours.
    tally.join_served(minute(10, 15));
    tally.join_served(minute(10, 15));
    tally.leave(minute(10, 45), minute(10, 15));
    let observed = tally.observe("s", "server", minute(190, 0));
    assert_eq!((observed.utilisation_peak, observed.utilisation_peak_at), (0.625, minute(10, 0)));
    tally.reset(minute(190, 30));
    tally.leave(minute(191, 0), minute(10, 15));
    let observed = tally.observe("s", "server", minute(191, 10));
    assert_eq!((observed.utilisation_peak, observed.utilisation_peak_at), (0.375, minute(190, 30)));
    assert_eq!((observed.arrivals, observed.completions, observed.max_waiting), (0, 0, 0));
    sound(&tally, minute(191, 10));
}

#[test]
fn fractions_of_a_core_count() {
    let mut tally = StationTally::shared(0.25);
    tally.join_served(at(0));
    tally.servers(at(50), 0.75);
    let observed = tally.observe("s", "vCPU", at(100));
    assert_eq!((observed.servers, observed.utilisation), (0.5, 1.0));
}

#[test]
fn the_refused_are_lost_but_never_present() {
    let mut tally = StationTally::new(1);
    tally.join(at(5));
    tally.refuse(at(6));
    let observed = tally.observe("s", "server", at(10));
    assert_eq!((observed.arrivals, observed.lost, observed.max_waiting, observed.mean_in_system), (2, 1, 1, 0.5));
    sound(&tally, at(10));
}

#[test]
fn a_station_without_servers_has_no_utilisation() {
    let mut tally = StationTally::new(0);
    tally.join_served(at(0));
    let seen = tally.observe("s", "none", SimTime::from_secs(200));
    assert!(seen.utilisation.is_nan() && seen.utilisation_peak.is_nan(), "{seen:?}");
    assert_eq!(seen.mean_in_system, 1.0);
}
