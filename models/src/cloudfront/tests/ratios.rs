//! Hit ratios against theory.

use super::*;

/// Hit ratio at the edge in each of 20 batches of requests after one of warm-up.
fn batches(stage: &mut Stage, batch: u32, mut next: impl FnMut(&mut Request) -> SimDuration) -> Vec<f64> {
    let mut at = SimDuration::ZERO;
    let mut before = 0;
    let mut ratios = Vec::new();
    for number in 0..=20 {
        for _ in 0..batch {
            let key = stage.ask(at, |_| ());
            let gap = next(&mut stage.bench.shared.requests[key]);
            // The origin answers in no time.
            stage.run(at, &|_, _| (SimDuration::ZERO, Outcome::OK));
            stage.seen.borrow_mut().clear();
            at += gap;
        }
        let misses = stage.at_origin.get();
        if number > 0 {
            ratios.push(1.0 - f64::from(misses - before) / f64::from(batch));
        }
        before = misses;
    }
    stage.findings();
    ratios
}

/// Mean and 99.9 % half-width of 20 batches (Student, 19 degrees of freedom).
fn mean(samples: &[f64]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    (mean, 3.883 * (variance / n).sqrt())
}

fn zipf_shares(objects: u32, s: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=objects).map(|rank| pow(f64::from(rank), -s)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Che, Tung and Wang 2002 (doi:10.1109/JSAC.2002.801752): an LRU cache of C objects keeps each for a characteristic time T,
/// with sum of 1 - exp(-q_i T) = C; the hit ratio is the sum of q_i (1 - exp(-q_i T)). Good to a few thousandths.
#[test]
fn lru_under_zipf_agrees_with_ches_approximation() {
    let (objects, room, s) = (2000, 200u32, 0.8);
    let shares = zipf_shares(objects, s);
    let filled = |t: f64| shares.iter().map(|q| 1.0 - exp(-q * t)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if filled(middle) < f64::from(room) { low = middle } else { high = middle }
    }
    let expected: f64 = shares.iter().map(|q| q * (1.0 - exp(-q * low))).sum();
    let mut it = without_delays(settings(POLICY, u64::from(room) * 1000));
    it.regionals[0].capacity = 0;
    let mut stage = Stage::new(&it, SILENT);
    let (zipf, mut stream) = (Zipf::new(u64::from(objects), s).unwrap(), Stream::from_key(11));
    let ratios = batches(&mut stage, 10_000, |request| {
        request.object = zipf.sample(&mut stream) as u32;
        SimDuration::from_micros(1)
    });
    let (hit_ratio, half_width) = mean(&ratios);
    assert!((hit_ratio - expected).abs() < half_width + 0.003, "{hit_ratio} +- {half_width}, Che {expected}");
    assert!(counter(&stage.findings(), "evictions") > 10_000.0);
}

/// With room for everything, an object asked for as a Poisson process of rate r and fresh for T after each fetch is hit with
/// probability r T / (1 + r T): one fetch, then r T hits on average. Exact.
#[test]
fn ttl_under_poisson_traffic_agrees_with_renewal_theory() {
    let (objects, s, rate, ttl) = (500, 0.9, 50.0, 20.0);
    let shares = zipf_shares(objects, s);
    let expected: f64 = shares.iter().map(|q| q * (q * rate * ttl) / (1.0 + q * rate * ttl)).sum();
    let it = without_delays(settings(POLICY, LARGE));
    let mut stage = Stage::new(&it, max_age(SimDuration::from_secs_f64(ttl)));
    let (zipf, mut stream) = (Zipf::new(u64::from(objects), s).unwrap(), Stream::from_key(12));
    let ratios = batches(&mut stage, 10_000, |request| {
        request.object = zipf.sample(&mut stream) as u32;
        SimDuration::from_secs_f64(-ln(stream.open01()) / rate)
    });
    let (hit_ratio, half_width) = mean(&ratios);
    assert!((hit_ratio - expected).abs() < half_width, "{hit_ratio} +- {half_width}, exactly {expected}");
    let findings = stage.findings();
    assert_eq!(counter(&findings, "misses"), f64::from(objects), "every later trip renews a copy");
}

#[test]
fn a_cookie_in_the_key_destroys_the_hit_ratio() {
    let hit_ratio = |cookies: bool| {
        let policy = CachePolicy { cookies, ..POLICY };
        let mut stage = Stage::new(&without_delays(settings(policy, LARGE)), SILENT);
        let mut stream = Stream::from_key(13);
        mean(&batches(&mut stage, 500, |request| {
            request.object = stream.below(20) as u32;
            request.cookie_variant = stream.below(100_000) as u32;
            millis(1)
        }))
        .0
    };
    assert!(hit_ratio(false) == 1.0 && hit_ratio(true) < 0.02, "{} {}", hit_ratio(false), hit_ratio(true));
}

#[test]
fn popular_objects_come_in_their_order() {
    let mut stage = Stage::new(&settings(POLICY, LARGE), SILENT);
    for (at, object) in [(0, 7), (1, 7), (2, 3), (3, 7), (4, 500)] {
        stage.ask(secs(at), |request| request.object = object);
    }
    stage.run(secs(10), &well);
    let tables = stage.findings().tables;
    let popular = tables.iter().find(|table| table.title.starts_with("Popular")).unwrap();
    let rows: Vec<(&str, f64, f64)> =
        popular.rows.iter().map(|(name, values)| (name.as_str(), values[0], values[1])).collect();
    assert_eq!(rows, [(" images 8", 3.0, 2.0), (" images 4", 1.0, 0.0)]);
}
