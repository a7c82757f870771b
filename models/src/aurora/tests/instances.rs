//! CPU, caches, lag and capacity.

use super::*;

/// With exponential demands the number of queries under processor sharing is that of M/M/c (each departure rate is the
/// same), so the mean sojourn time is 1/mu + C / (c mu - lambda), with Erlang's C.
#[test]
fn queries_share_the_cpu_as_in_m_m_c() {
    let (lambda, mean, cores) = (140.0, 0.01, 2.0f64);
    let load = lambda * mean;
    let erlang_c = {
        let rho = load / cores;
        let last = load * load / 2.0 / (1.0 - rho);
        last / (1.0 + load + last)
    };
    let theory = mean + erlang_c / (cores / mean - lambda);
    let mut settings = settings();
    settings.connect_time = SimDuration::ZERO;
    settings.pool.max_size = 100_000;
    settings.instances[0].class.max_connections = 1_000_000;
    settings.statements[0].cpu = Distribution::exponential(mean).unwrap();
    settings.statements[0].wait = Distribution::constant(0.0).unwrap();
    let replications = 20u32;
    let (mut sum, mut square) = (0.0, 0.0);
    for replication in 0..replications {
        let mut bed = Bed::new(&settings);
        bed.seed = u64::from(replication);
        let mut stream = Stream::from_key(bed.seed);
        let gap = Distribution::exponential(1.0 / lambda).unwrap();
        for number in 0..100_000u64 {
            let now = bed.now() + gap.sample_duration(&mut stream);
            bed.run_until(now);
            if number == 10_000 {
                bed.aurora.warm_up_over(now);
            }
            bed.ask(READ, task(0));
        }
        let findings = bed.finish();
        let station = &findings.stations[0];
        assert!((station.utilisation - load / cores).abs() < 0.03, "{}", station.utilisation);
        sum += station.mean_sojourn;
        square += station.mean_sojourn * station.mean_sojourn;
    }
    let n = f64::from(replications);
    let average = sum / n;
    let deviation = ((square - sum * average) / (n - 1.0)).sqrt();
    let half_width = student_t_quantile(0.9995, n - 1.0) * deviation / n.sqrt();
    assert!((average - theory).abs() < half_width, "{average} +- {half_width} is not {theory}");
    assert!(half_width < 0.03 * theory);
}

#[test]
fn reads_at_a_reader_miss_writes_that_have_not_come_there_yet() {
    let mut bed = Bed::new(&settings());
    bed.ask(WRITE, task(0));
    bed.run_until(at(0.015));
    // Committed at 15 ms, shown at 35 ms: a read that reaches its reader at 20 ms misses it, one at 40 ms does not.
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(0.040));
    bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(1.0));
    let findings = bed.finish();
    let counts = ["reads at readers", "reads that missed a committed write"].map(|name| counter(&findings, name));
    assert_eq!(counts, [2.0, 1.0]);
}

#[test]
fn a_cold_cache_makes_page_reads_slow_until_it_is_warm() {
    let mut settings = settings();
    settings.instances.truncate(1);
    settings.failover.recreate = seconds(10.0);
    settings.statements[0].pages = 20;
    let mut bed = Bed::new(&settings);
    bed.ask(READ, task(0));
    bed.run_until(at(1.0));
    bed.fail_over();
    bed.run_until(at(11.0));
    bed.ask(READ, task(0));
    bed.run_until(at(1211.0));
    bed.ask(READ, task(0));
    bed.run_until(at(1212.0));
    let (ok, answers) = (Cause::None, bed.answers());
    // All 20 pages are read from storage, 1 ms each; four times the warm-up later 98 % of them are not.
    assert_eq!(answers[..2], [(0, 15, ok), (1, 11_035, ok)]);
    // What the page reads of a warm cache take is no more than a page or two; a connection is there already.
    assert!((1_211_010..=1_211_012).contains(&answers[2].1), "{answers:?}");
    bed.finish();
}

#[test]
fn a_serverless_writer_grows_under_load_and_shrinks_after_it() {
    let mut settings = settings();
    settings.serverless = Some(Serverless { min_capacity: 0.5, max_capacity: 8.0, rate: 0.1 });
    settings.instances.push(instance("orders-3", 15, 16.0));
    for instance in &mut settings.instances {
        instance.class.name = "db.serverless".to_owned();
        instance.class.vcpu = 0.125;
    }
    settings.pool = pool(1000, 100.0);
    let mut bed = Bed::new(&settings);
    // 500 queries of 4 ms a second want 2 cores, 8 ACU, for 20 s.
    for step in 0..10_000 {
        bed.run_until(at(0.002 * f64::from(step)));
        bed.ask(WRITE, task(0));
    }
    let capacities = |bed: &Bed| bed.aurora.servers.iter().map(|server| server.acu.unwrap()).collect::<Vec<_>>();
    bed.run_until(at(20.5));
    assert_eq!(capacities(&bed), [8.0, 8.0, 0.5], "8 ACU after 15 s; the reader of tier 15 goes its own way");
    bed.run_until(at(200.0));
    assert_eq!(capacities(&bed), [0.5, 0.5, 0.5]);
    let findings = bed.finish();
    assert_eq!(counter(&findings, "queries answered"), 10_000.0);
}
