//! What the downtime ledger is told.

use super::*;

// ---------------------------------------------------------------- the downtime ledger

/// What the ledger has of a fault that began at an instant, in seconds since.
fn told(bed: &Bed, from: f64, until: f64) -> Vec<(&'static str, f64)> {
    let spans = bed.bench.shared.observer.ledger.phases_between(at(from), at(until));
    let name = |span: &sim_core::observations::PhaseSpan| span.phase.map_or("none", crate::ledger::Phase::name);
    spans.iter().map(|span| (name(span), span.until.since(span.from).as_secs_f64())).collect()
}

fn strike(bed: &mut Bed, fault: &Fault) {
    let kind = sim_core::observations::IncidentKind::Fault;
    bed.bench.cx().begins(kind, "aurora.orders", "a fault");
    bed.bench.cx().is_over(kind, "aurora.orders");
    bed.aurora.begin_fault(fault, &mut bed.bench.cx());
}

/// Noticed after 10 s, promoted 30 s after the failure, named 15 s later; a probe that believes the record for up to 5 s more.
#[test]
fn the_ledger_splits_a_lost_writer_with_one_reader() {
    let mut settings = settings();
    settings.failover.dns_update = seconds(15.0);
    let second = SimDuration::from_secs(1);
    settings.probes = vec![Probe {
        name: "probe.orders.now".to_owned(),
        endpoint: ClusterEndpoint::Cluster,
        interval: second,
        timeout: second,
        write: false,
    }];
    let mut bed = Bed::new(&settings);
    bed.run_until(at(100.0));
    strike(&mut bed, &Fault::HostFailure { instance: None });
    bed.run_until(at(200.0));
    let split = [("detection", 10.0), ("recovery", 20.0), ("routing", 15.0), ("warm_up", 55.0)];
    assert_eq!(told(&bed, 100.0, 200.0), split);
    let findings = bed.finish();
    let down = findings.counters.iter().find(|it| it.subject == "probe.orders.now" && it.name == "seconds down");
    let down = down.expect("the probe tells").value;
    assert!((45.0..=51.0).contains(&down), "{down}");
}

/// Nobody to promote: a failover that is asked for has nothing to detect, and the new writer is there after ten minutes.
#[test]
fn the_ledger_splits_a_failover_without_a_reader() {
    let mut settings = settings();
    settings.instances.truncate(1);
    let mut bed = Bed::new(&settings);
    bed.run_until(at(100.0));
    strike(&mut bed, &Fault::Failover);
    bed.run_until(at(800.0));
    assert_eq!(told(&bed, 100.0, 800.0), [("recovery", 600.0), ("warm_up", 100.0)]);
}
