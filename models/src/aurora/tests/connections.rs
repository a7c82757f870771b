//! Pools, endpoints and the proxy.

use super::*;

#[test]
fn a_full_instance_refuses_connections_with_1040() {
    let mut settings = settings();
    settings.instances[0].class.max_connections = 3;
    let mut bed = Bed::new(&settings);
    (0..5).for_each(|slot| _ = bed.ask(READ, task(slot)));
    bed.run_until(at(1.0));
    let refused = |answer: &&(usize, u64, Cause)| answer.2 == Cause::TooManyConnections;
    let answers = bed.answers();
    assert_eq!(answers.iter().filter(refused).map(|answer| answer.0).collect::<Vec<_>>(), [3, 4]);
    // Idle connections of others count; a task that goes makes room.
    bed.ask(READ, task(3));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(5, 1005, Cause::TooManyConnections)]);
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.ask(READ, task(3));
    bed.run_until(at(3.0));
    assert_eq!(bed.answers(), [(6, 2015, Cause::None)]);
    let findings = bed.finish();
    assert_eq!((counter(&findings, "connections refused"), counter(&findings, "connections opened")), (3.0, 4.0));
}

#[test]
fn a_pool_serves_first_come_first_served_and_gives_up_in_time() {
    let mut settings = settings();
    settings.pool = pool(2, 0.022);
    let mut bed = Bed::new(&settings);
    (0..8).for_each(|_| _ = bed.ask(READ, task(0)));
    // Another task has its own pool.
    bed.ask(READ, task(1));
    bed.run_until(at(1.0));
    let mut answers = bed.answers();
    answers.sort_unstable_by_key(|answer| answer.0);
    // At 5 ms three queries share two vCPUs: 6 ms of CPU time for each, then 6 ms without. Two waiting ones follow.
    let (ok, timeout) = (Cause::None, Cause::PoolTimeout);
    let expected = [(0, 17, ok), (1, 17, ok), (2, 27, ok), (3, 27, ok), (4, 22, timeout), (5, 22, timeout)];
    assert_eq!(answers[..6], expected);
    assert_eq!(answers[6..], [(6, 22, timeout), (7, 22, timeout), (8, 17, ok)]);
    let findings = bed.finish();
    let pools = findings.stations.iter().find(|station| station.name == "aurora.orders writer pools").unwrap();
    assert_eq!((pools.arrivals, pools.completions, pools.lost, pools.max_waiting), (9, 5, 4, 9));
}

#[test]
fn the_connection_used_last_is_taken_first_and_is_free_when_the_answer_has_arrived() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    bed.hop = bed.bench.cx().hop(seconds(0.010));
    bed.ask(READ, task(0));
    bed.ask(READ, task(0));
    bed.run_until(at(1.0));
    // 5 ms to connect, 10 ms of query, 10 ms back; the second gets the connection then.
    assert_eq!(bed.answers(), [(0, 25, Cause::None), (1, 45, Cause::None)]);
    let mut settings = self::settings();
    settings.dns_ttl = SimDuration::ZERO;
    let mut bed = Bed::new(&settings);
    (0..3).for_each(|_| _ = bed.ask(READ, task(0)));
    bed.run_until(at(1.0));
    assert_eq!(bed.aurora.connections.len(), 3);
    let pool = PoolId { service: 2, slot: 0, endpoint: CLUSTER };
    let last = *bed.aurora.pool(pool).idle.last().unwrap();
    bed.ask(READ, task(0));
    assert_eq!(bed.aurora.connections[last].phase, Phase::Cpu);
    bed.finish();
}

#[test]
fn a_task_that_goes_takes_its_connections_with_it() {
    let mut settings = settings();
    settings.pool.max_size = 2;
    let mut bed = Bed::new(&settings);
    bed.ask(READ, task(0));
    bed.run_until(at(0.5));
    // One on the CPU, one connecting, one waiting, then one that was on its way.
    (0..3).for_each(|_| _ = bed.ask(READ, task(0)));
    bed.run_until(at(0.502));
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.ask(READ, task(0));
    bed.run_until(at(0.6));
    let lost = |number| (number, 502, Cause::ConnectionLost);
    let mut answers = bed.answers();
    answers.sort_unstable_by_key(|answer| answer.0);
    assert_eq!(answers, [(0, 15, Cause::None), lost(1), lost(2), lost(3), lost(4)]);
    assert!(bed.aurora.connections.is_empty() && bed.aurora.servers[0].connections == 0);
    // Another in the same slot begins anew; a straggler of the first does not disturb it.
    let next = TaskKey::new(0, 1);
    bed.ask(READ, next);
    bed.ask(READ, task(0));
    bed.run_until(at(1.0));
    assert_eq!(bed.answers(), [(6, 600, Cause::ConnectionLost), (5, 615, Cause::None)]);
    // Nor does it hurt to hear twice of it, or of one that never called.
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.aurora.task_gone(ComputeId(0), task(9), &mut bed.bench.cx());
    bed.ask(READ, task(9));
    bed.run_until(at(2.0));
    assert_eq!(bed.answers(), [(7, 1000, Cause::ConnectionLost)]);
    bed.finish();
}

#[test]
fn who_gave_up_waiting_takes_no_connection_but_a_query_under_way_runs_on() {
    let mut settings = settings();
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    (0..3).for_each(|_| _ = bed.ask(READ, task(0)));
    bed.run_until(at(0.006));
    for number in [0, 1] {
        let key = bed.asked[number];
        bed.bench.cx().request(key).abandoned = true;
    }
    bed.run_until(at(1.0));
    assert_eq!(bed.answers(), [(0, 15, Cause::None), (1, 15, Cause::PoolTimeout), (2, 25, Cause::None)]);
    let findings = bed.finish();
    let totals = ["queries answered", "answered after the caller gave up"].map(|name| counter(&findings, name));
    assert_eq!(totals, [1.0, 2.0]);
}

#[test]
fn the_reader_endpoint_hands_out_readers_in_turn_once_a_ttl() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 1, 16.0));
    let mut bed = Bed::new(&settings);
    for slot in 0..4 {
        (0..3).for_each(|_| _ = bed.ask(READ_FROM_READER, task(slot)));
    }
    bed.run_until(at(1.0));
    // Three connections a task within its TTL go to one reader; connections are balanced, not queries.
    let connections: Vec<u32> = bed.aurora.servers.iter().map(|server| server.connections).collect();
    assert_eq!(connections, [0, 6, 6]);
    bed.finish();
}

/// With RDS Proxy: promotion only, no DNS, and who waits at the proxy for long enough does not fail at all.
#[test]
fn behind_a_proxy_writers_are_out_for_the_promotion_only() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    settings.pool.dns_cache = Some(seconds(60.0));
    settings.proxy = Some(proxy());
    let outages = outages(&settings, 50, 0.5);
    // Whoever asks 2 s before the end waits until then.
    assert!(outages.iter().all(|&outage| (27.9..=30.0).contains(&outage)), "{outages:?}");
    settings.proxy = Some(Proxy { borrow_timeout: seconds(120.0), ..proxy() });
    let mut bed = Bed::new(&settings);
    bed.ask(WRITE, task(0));
    bed.run_until(at(10.0));
    bed.fail_over();
    bed.ask(WRITE, task(0));
    bed.run_until(at(60.0));
    // 5 ms to connect to the proxy, 1 ms through it, 5 ms for its own connection; then 1 ms, 30 s, 5 ms. 10 ms the query itself.
    assert_eq!(bed.answers(), [(0, 21, Cause::None), (1, 40_015, Cause::None)]);
    bed.finish();
}

#[test]
fn custom_endpoints_lead_to_their_members_and_instance_endpoints_do_not_follow() {
    let mut settings = settings();
    settings.instances.push(instance("orders-3", 1, 16.0));
    settings.dns_ttl = SimDuration::ZERO;
    let custom = |any| ClusterEndpoint::Custom { name: "reports".to_owned(), members: vec![0, 2], any };
    settings.endpoints = vec![custom(false), custom(true), ClusterEndpoint::Instance(0)];
    settings.statements = (0..3).map(|endpoint| statement(endpoint, false)).collect();
    settings.statements.push(statement(2, true));
    let mut bed = Bed::new(&settings);
    for slot in 0..4 {
        (0..2).for_each(|operation| _ = bed.ask(operation, task(slot)));
    }
    bed.run_until(at(1.0));
    let connections: Vec<u32> = bed.aurora.servers.iter().map(|server| server.connections).collect();
    // READER: all four to the reader among its members; ANY: two each.
    assert_eq!(connections, [2, 0, 6]);
    bed.answers();
    bed.fail_over();
    bed.run_until(at(100.0));
    bed.ask(3, task(9));
    bed.run_until(at(101.0));
    assert_eq!(bed.answers(), [(8, 100_005, Cause::ReadOnly)], "the instance is a reader now");
    bed.finish();
}

#[test]
fn a_proxy_lends_few_connections_to_many_sessions_and_pinned_sessions_keep_theirs() {
    let mut settings = settings();
    settings.instances[0].class.max_connections = 4;
    settings.proxy = Some(Proxy { max_connections: 0.5, ..proxy() });
    let mut bed = Bed::new(&settings);
    (0..20).for_each(|slot| _ = bed.ask(READ, task(slot)));
    bed.run_until(at(1.0));
    // Two connections, 4 ms of CPU and 6 ms without each: pairs every 10 ms, and nobody is refused.
    let answers = bed.answers();
    assert!(answers.iter().all(|answer| answer.2 == Cause::None));
    assert_eq!(answers.last().map(|answer| answer.1), Some(6 + 5 + 100));
    assert_eq!(bed.aurora.servers[0].connections, 2);
    bed.finish();
    // Two sessions pin the two connections: the third waits in vain.
    settings.statements[0].pins = 1.0;
    let mut bed = Bed::new(&settings);
    for slot in 0..3 {
        bed.ask(READ, task(slot));
        bed.run_until(at(f64::from(slot) + 1.0));
    }
    bed.ask(READ, task(1));
    bed.run_until(at(10.0));
    let (ok, late) = (Cause::None, Cause::PoolTimeout);
    assert_eq!(bed.answers(), [(0, 21, ok), (1, 1021, ok), (3, 3011, ok), (2, 4006, late)]);
    // A task that goes gives its connection back.
    bed.aurora.task_gone(ComputeId(0), task(0), &mut bed.bench.cx());
    bed.ask(READ, task(2));
    bed.run_until(at(20.0));
    assert_eq!(bed.answers(), [(4, 10_011, ok)]);
    let findings = bed.finish();
    assert_eq!(counter(&findings, "sessions pinned"), 3.0);
}

/// Capacity follows the load once a second, and readers of tier 1 the writer; CPU per ACU is a quarter of a core.
#[test]
fn a_proxy_with_95_percent_of_1000_connections_opens_950() {
    let mut settings = settings();
    settings.instances[0].class.max_connections = 1000;
    settings.proxy = Some(Proxy { max_connections: 0.95, ..proxy() });
    let mut bed = Bed::new(&settings);
    (0..1000).for_each(|slot| _ = bed.ask(READ, task(slot)));
    bed.run_until(at(0.03));
    assert_eq!(bed.aurora.servers[0].connections, 950);
}
