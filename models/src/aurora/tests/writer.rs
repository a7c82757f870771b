//! Who is the writer, and how that changes.

use super::*;

#[test]
fn promotion_goes_by_tier_then_size() {
    let mut settings = settings();
    settings.instances = vec![
        instance("w", 1, 16.0),
        instance("a", 1, 16.0),
        instance("b", 0, 16.0),
        instance("c", 0, 64.0),
        instance("d", 15, 768.0),
    ];
    let bed = Bed::new(&settings);
    let order = failover::promotion_order(&bed.aurora.servers, vec![1, 2, 3, 4], 7);
    let names: Vec<&str> = order.iter().map(|&it| bed.aurora.servers[it as usize].short_name.as_str()).collect();
    assert_eq!(names, ["c", "b", "a", "d"]);
}

#[test]
fn equals_are_promoted_in_an_order_that_depends_on_the_seed_alone() {
    let mut settings = settings();
    settings.instances = (0..4).map(|n| instance(&format!("i{n}"), 1, 16.0)).collect();
    let bed = Bed::new(&settings);
    let first = |seed| failover::promotion_order(&bed.aurora.servers, vec![1, 2, 3], seed)[0];
    let mut hits = [0; 4];
    (0..300).for_each(|seed| hits[first(seed) as usize] += 1);
    assert!(hits[0] == 0 && hits[1..].iter().all(|&hits| hits > 70), "{hits:?}");
    assert_eq!(first(5), first(5));
}

#[test]
fn writers_are_out_for_30_s_of_promotion_and_up_to_5_s_of_ttl() {
    let outages = outages(&settings(), 50, 0.5);
    // 35 s and the time between two attempts bound it: who asked for the name just before the promotion was over believes
    // the old address for 5 s more.
    assert!(outages.iter().all(|&outage| (30.0..=36.5).contains(&outage)), "{outages:?}");
    let (least, most) = outages.iter().fold((f64::MAX, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
    assert!(least < 31.0 && most > 34.5, "{outages:?}");
    let mut without_ttl = settings();
    without_ttl.dns_ttl = SimDuration::ZERO;
    let outages = self::outages(&without_ttl, 50, 0.0);
    // An attempt made just before the end may succeed: connecting takes 5 ms.
    assert!(outages.iter().all(|&outage| (29.99..=31.0).contains(&outage)), "{outages:?}");
}

#[test]
fn the_lag_of_the_record_adds_to_the_outage() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    let outages = outages(&settings, 50, 0.5);
    assert!(outages.iter().all(|&outage| (45.0..=51.5).contains(&outage)), "{outages:?}");
}

#[test]
fn a_failover_breaks_what_is_on_the_old_and_the_new_writer_and_nothing_else() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 2, 16.0));
    settings.dns_ttl = SimDuration::ZERO;
    let mut bed = Bed::new(&settings);
    // The reader endpoint hands out orders-2, then orders-3.
    let asked: Vec<usize> = [WRITE, READ_FROM_READER, READ_FROM_READER].map(|op| bed.ask(op, task(0))).into();
    bed.run_until(at(0.010));
    bed.fail_over();
    bed.run_until(at(1.0));
    let mut answers = bed.answers();
    answers.sort_unstable_by_key(|answer| answer.0);
    let (lost, ok) = (Cause::ConnectionLost, Cause::None);
    assert_eq!(answers, [(asked[0], 10, lost), (asked[1], 10, lost), (asked[2], 15, ok)]);
    assert_eq!(bed.aurora.roles.writer, None);
    // The promoted one is not handed out to readers while it is away, the other reader is.
    bed.ask(READ_FROM_READER, task(1));
    bed.ask(READ_FROM_READER, task(1));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(3, 1015, ok), (4, 1015, ok)]);
    bed.run_until(at(31.0));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.record), (Some(1), 1));
    let findings = bed.finish();
    assert_eq!((counter(&findings, "failovers"), counter(&findings, "connection_lost")), (1.0, 2.0));
}

#[test]
fn who_believes_the_old_address_finds_the_demoted_writer_and_is_refused() {
    let mut settings = settings();
    settings.failover.restart = seconds(20.0);
    settings.failover.dns_update = seconds(15.0);
    let mut bed = Bed::new(&settings);
    bed.fail_over();
    for second in [10.0, 25.0, 40.0, 51.0] {
        bed.run_until(at(second));
        bed.ask(WRITE, task(0));
    }
    bed.run_until(at(60.0));
    // Away; a reader while nobody is promoted; a reader though another is the writer; the record has changed.
    let causes: Vec<Cause> = bed.answers().iter().map(|answer| answer.2).collect();
    assert_eq!(causes, [Cause::ConnectionLost, Cause::ReadOnly, Cause::ReadOnly, Cause::None]);
    // A connection that answered 1290 was not kept.
    assert_eq!(bed.aurora.connections.len(), 1);
    bed.finish();
}

#[test]
fn a_write_to_the_reader_endpoint_is_refused_at_once_and_the_connection_kept() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE_TO_READER, task(0));
    bed.ask(WRITE_TO_READER, task(0));
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(1.0));
    assert_eq!(bed.answers(), [(0, 5, Cause::ReadOnly), (1, 5, Cause::ReadOnly), (2, 15, Cause::None)]);
    assert_eq!(counter(&bed.finish(), "connections opened"), 1.0);
}

#[test]
fn a_cluster_without_readers_is_away_until_its_writer_is_back() {
    let mut settings = settings();
    settings.instances.truncate(1);
    let mut bed = Bed::new(&settings);
    // The reader endpoint leads to the writer.
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(10.0));
    bed.fail_over();
    for second in [100.0, 609.0, 611.0] {
        bed.run_until(at(second));
        bed.ask(WRITE, task(0));
    }
    bed.run_until(at(620.0));
    let causes: Vec<Cause> = bed.answers().iter().map(|answer| answer.2).collect();
    assert_eq!(causes, [Cause::None, Cause::ConnectionLost, Cause::ConnectionLost, Cause::None]);
    bed.finish();
}

#[test]
fn a_second_failover_waits_for_the_end_of_the_first() {
    let mut bed = Bed::new(&settings());
    bed.fail_over();
    bed.run_until(at(45.0));
    bed.fail_over();
    bed.run_until(at(60.0));
    assert_eq!((bed.aurora.roles.failovers, bed.aurora.roles.writer), (1, Some(1)));
    bed.fail_over();
    bed.run_until(at(91.0));
    assert_eq!((bed.aurora.roles.failovers, bed.aurora.roles.writer), (2, Some(0)));
    bed.finish();
}

/// The worked example of the fact sheet: promotion 30 s, DNS TTL 5 s and a client's cache of up to 30 s make an outage of up to 65 s.
#[test]
fn a_cache_of_30_s_makes_an_outage_of_up_to_65_s() {
    let mut settings = settings();
    settings.pool.dns_cache = Some(seconds(30.0));
    let outages = outages(&settings, 200, 0.5);
    assert!(outages.iter().all(|&outage| (30.0..=66.5).contains(&outage)), "{outages:?}");
    let most = outages.iter().fold(0.0f64, |a, &b| a.max(b));
    let late = outages.iter().filter(|&&outage| outage > 35.0).count();
    assert!(most > 60.0 && late > 120, "{most} s, {late} of 200 beyond the TTL");
}

#[test]
fn a_driver_that_knows_the_topology_does_not_wait_for_dns() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    settings.pool.driver = Driver::Wrapper(Wrapper {
        failure_detection_time: seconds(30.0),
        failure_detection_interval: seconds(5.0),
        failure_detection_count: 3,
        topology_refresh: seconds(2.0),
        failover_timeout: seconds(300.0),
    });
    let outages = outages(&settings, 50, 0.5);
    // Whoever asks at most a second (its patience) before the end may find the writer when it looks again.
    assert!(outages.iter().all(|&outage| (27.9..=31.6).contains(&outage)), "{outages:?}");
}

#[test]
fn engines_that_cannot_help_it_restart_all_readers() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 2, 16.0));
    settings.failover.survivable_readers = false;
    let mut bed = Bed::new(&settings);
    bed.fail_over();
    assert!(bed.aurora.servers.iter().all(|server| !server.is_up()));
    bed.run_until(at(30.5));
    assert!(bed.aurora.servers[2].is_up(), "back with the writer");
    bed.finish();
}

/// RDS Multi-AZ: 60-120 s, uniformly; the standby is never read, and takes over.
#[test]
fn a_multi_az_database_fails_over_in_60_to_120_s() {
    let mut settings = settings();
    settings.instances.iter_mut().for_each(|it| it.kind = Kind::Standby);
    settings.failover.promotion = Distribution::uniform(60.0, 120.0).unwrap();
    settings.dns_ttl = SimDuration::ZERO;
    let mut all = Vec::new();
    for seed in 0..40 {
        settings.name = format!("rds.orders{seed}");
        let mut bed = Bed::new(&settings);
        bed.fail_over();
        let mut second = 0.0;
        while bed.aurora.roles.writer.is_none() {
            second += 0.5;
            bed.run_until(at(second));
        }
        assert_eq!(bed.aurora.roles.writer, Some(1));
        all.push(second);
        bed.finish();
    }
    assert!(all.iter().all(|second| (60.0..=120.5).contains(second)), "{all:?}");
    assert!(all.iter().any(|second| *second < 75.0) && all.iter().any(|second| *second > 105.0), "{all:?}");
}

#[test]
fn a_read_replica_is_not_promoted_and_a_cluster_waits_for_its_lag() {
    let mut settings = settings();
    settings.instances[1].kind = Kind::Replica;
    let mut bed = Bed::new(&settings);
    bed.fail_over();
    bed.run_until(at(599.0));
    assert_eq!(bed.aurora.roles.writer, None);
    bed.run_until(at(601.0));
    assert_eq!(bed.aurora.roles.writer, Some(0), "the only instance comes back itself");
    bed.finish();
    settings.instances[1].kind = Kind::Member;
    settings.failover.waits_for_lag = true;
    settings.failover.promotion = Distribution::constant(35.0).unwrap();
    settings.replication.apply = seconds(1.0);
    let mut bed = Bed::new(&settings);
    (0..10).for_each(|_| _ = bed.ask(WRITE, task(0)));
    bed.run_until(at(1.0));
    bed.fail_over();
    // Ten writes committed at about 20 ms are applied within 10 s: 9 s are left.
    bed.run_until(at(44.5));
    assert_eq!(bed.aurora.roles.writer, None);
    bed.run_until(at(45.5));
    assert_eq!(bed.aurora.roles.writer, Some(1));
    bed.finish();
}
