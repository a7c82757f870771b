//! Instances, zones and copies that do not answer.

use super::*;

/// A host is lost at 100 s: silent, noticed after 10 s, the reader promoted after 30 s.
#[test]
fn a_lost_host_hangs_queries_until_somebodys_timeout_and_a_reader_takes_over() {
    let mut settings = settings();
    settings.pool.socket_timeout = Some(seconds(4.0));
    settings.pool.max_size = 1;
    settings.dns_ttl = SimDuration::ZERO;
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE, task(0));
    bed.run_until(at(100.0));
    bed.ask(WRITE, task(0));
    bed.aurora.begin_fault(&Fault::HostFailure { instance: None }, &mut bed.bench.cx());
    // This one finds no connection, and after the first has given up the silent instance does not answer its attempt either.
    bed.run_until(at(103.5));
    bed.ask(WRITE, task(0));
    bed.run_until(at(109.0));
    assert_eq!(bed.aurora.roles.writer, None);
    assert!(bed.aurora.servers[1].is_up(), "nothing is noticed yet");
    bed.run_until(at(110.5));
    assert!(!bed.aurora.servers[1].is_up(), "the reader is on its way to be the writer");
    bed.run_until(at(130.1));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.record), (Some(1), 1));
    bed.ask(WRITE, task(0));
    bed.run_until(at(140.0));
    let (ok, lost) = (Cause::None, Cause::ConnectionLost);
    // The second attempt waits for a second, its patience for a connection, from the instant at which it is made.
    assert_eq!(bed.answers(), [(0, 15, ok), (1, 104_000, lost), (2, 105_000, lost), (3, 130_115, ok)]);
    // The old host is replaced, with a cold cache and as a reader.
    bed.run_until(at(701.0));
    assert!(bed.aurora.servers[0].is_up() && bed.aurora.roles.writer == Some(1));
    assert!(bed.aurora.servers[0].hit_ratio(at(701.0), &bed.aurora.buffer_cache) < 0.01);
    bed.finish();
}

#[test]
fn without_any_timeout_a_query_on_a_dead_host_hangs_until_that_is_back() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE, task(0));
    bed.run_until(at(1.0));
    bed.aurora.begin_fault(&Fault::HostFailure { instance: Some(0) }, &mut bed.bench.cx());
    bed.ask(WRITE, task(0));
    bed.run_until(at(600.0));
    assert_eq!(bed.answers().len(), 1);
    bed.run_until(at(602.0));
    assert_eq!(bed.answers(), [(1, 601_000, Cause::ConnectionLost)]);
    bed.finish();
}

#[test]
fn a_test_before_lending_finds_dead_connections() {
    let mut settings = settings();
    settings.pool.validation_timeout = Some(seconds(0.2));
    settings.pool.connect_timeout = seconds(0.1);
    settings.pool.max_size = 2;
    let mut bed = Bed::new(&settings);
    (0..2).for_each(|_| _ = bed.ask(WRITE, task(0)));
    bed.run_until(at(1.0));
    bed.aurora.begin_fault(&Fault::HostFailure { instance: Some(0) }, &mut bed.bench.cx());
    bed.ask(WRITE, task(0));
    bed.run_until(at(5.0));
    // Two tests of 200 ms, then an attempt that gets no answer for 100 ms.
    let (ok, lost) = (Cause::None, Cause::ConnectionLost);
    assert_eq!(bed.answers(), [(0, 15, ok), (1, 15, ok), (2, 1500, lost)]);
    bed.finish();
}

#[test]
fn a_lost_zone_without_a_reader_elsewhere_is_out_until_it_is_back() {
    let mut settings = settings();
    let zone = |name: &str| name.to_owned();
    settings.dns_ttl = SimDuration::ZERO;
    let fault = |power| Fault::Zone { zone: zone("a"), power };
    let mut bed = Bed::new(&settings);
    bed.aurora.begin_fault(&fault(true), &mut bed.bench.cx());
    bed.run_until(at(900.0));
    assert_eq!(bed.aurora.roles.writer, None, "both are in zone a");
    bed.aurora.end_fault(&fault(true), &mut bed.bench.cx());
    bed.run_until(at(959.0));
    assert_eq!(bed.aurora.roles.writer, None);
    bed.run_until(at(961.0));
    assert_eq!(bed.aurora.roles.writer, Some(0), "60 s of restart after the power is back");
    bed.finish();
    // With a reader in another zone the outage is a failover; a network that comes back within the detection changes nothing.
    settings.instances[1].zone = zone("b");
    let mut bed = Bed::new(&settings);
    bed.aurora.begin_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(5.0));
    bed.aurora.end_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(6.0));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.failovers), (Some(0), 0));
    bed.run_until(at(20.0));
    bed.aurora.begin_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(51.0));
    assert_eq!((bed.aurora.roles.writer, bed.aurora.roles.failovers), (Some(1), 1));
    bed.aurora.end_fault(&fault(false), &mut bed.bench.cx());
    bed.run_until(at(112.0));
    assert!(bed.aurora.servers[0].is_up(), "the old writer has restarted as a reader");
    bed.finish();
}

/// The worked example of the fact sheet: six copies, four for a write, three for a read. A zone lost: writes go on; a zone and one more:
/// writes stop, data safe.
#[test]
fn a_lost_zone_stops_no_write_and_one_copy_more_does() {
    let mut settings = settings();
    settings.statements[0].pages = 1;
    let mut bed = Bed::new(&settings);
    let (zone, copy) = (Fault::Zone { zone: "c".to_owned(), power: true }, Fault::Storage { copies: 1 });
    let (read, write) = (0, 1);
    bed.aurora.begin_fault(&zone, &mut bed.bench.cx());
    bed.ask(write, task(0));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(0, 15, Cause::None)], "four copies are left");
    bed.aurora.begin_fault(&copy, &mut bed.bench.cx());
    bed.ask(write, task(0));
    bed.ask(read, task(1));
    bed.run_until(at(10.0));
    assert_eq!(bed.answers(), [(2, 2015, Cause::None)], "three: reads go on");
    bed.aurora.begin_fault(&copy, &mut bed.bench.cx());
    bed.ask(read, task(1));
    bed.run_until(at(20.0));
    assert_eq!(bed.answers(), [], "two: nothing goes on");
    bed.aurora.end_fault(&copy, &mut bed.bench.cx());
    bed.run_until(at(30.0));
    assert_eq!(bed.answers(), [(3, 20_006, Cause::None)], "the read goes on, with its 6 ms beside the CPU");
    bed.aurora.end_fault(&copy, &mut bed.bench.cx());
    bed.run_until(at(40.0));
    assert_eq!(bed.answers(), [(1, 30_006, Cause::None)], "and the write");
    bed.finish();
}

#[test]
fn the_sockets_timeout_ends_a_wait_for_copies_and_no_later_query() {
    let mut settings = settings();
    settings.pool.socket_timeout = Some(seconds(3.0));
    let mut bed = Bed::new(&settings);
    let copies = Fault::Storage { copies: 3 };
    bed.aurora.begin_fault(&copies, &mut bed.bench.cx());
    bed.ask(1, task(0));
    bed.ask(1, task(1));
    bed.run_until(at(2.0));
    // The first wait is over before its timeout, which must not end a second wait on the same connection.
    bed.aurora.end_fault(&copies, &mut bed.bench.cx());
    bed.run_until(at(2.5));
    bed.aurora.begin_fault(&copies, &mut bed.bench.cx());
    bed.ask(1, task(0));
    bed.run_until(at(9.0));
    let answers = bed.answers();
    let (ok, lost) = (Cause::None, Cause::ConnectionLost);
    assert_eq!(answers, [(0, 2006, ok), (1, 2006, ok), (2, 5500, lost)]);
    bed.finish();
}
