//! The parts of the kernel one by one: random numbers, distributions, stations, tallies; nanoseconds per operation.
//!
//! `cargo run --release -p stormglass-benches --bin parts`

use sim_core::digest::Digest;
use sim_core::distribution::{Distribution, DistributionError, Weighted, Zipf};
use sim_core::random::{Draws, Source, Stream};
use sim_core::slab::Slab;
use sim_core::station::{Fifo, LruCache, Offered, ProcessorSharing, TokenBucket};
use sim_core::tally::{Histogram, StationTally};
use sim_core::{SimDuration, SimTime};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

const OPERATIONS: u64 = 2_000_000;
const ROUNDS: usize = 7;

fn main() -> Result<(), DistributionError> {
    draws();
    distributions()?;
    stations()?;
    tallies();
    Ok(())
}

/// Prints the best of several rounds of `operation`, which is told its number.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn measure(name: &str, mut operation: impl FnMut(u64)) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        (0..OPERATIONS).for_each(&mut operation);
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:52} {:>8.1} ns", best * 1e9 / OPERATIONS as f64);
}

fn draws() {
    let mut stream = Stream::from_key(1);
    measure("Stream::next_u64", |_| _ = black_box(stream.next_u64()));
    measure("Stream::uniform", |_| _ = black_box(stream.uniform()));
    measure("Draws::new and one uniform", |i| _ = black_box(Draws::new(i, 7).uniform()));
}

fn distributions() -> Result<(), DistributionError> {
    let kinds = [
        ("exponential", Distribution::exponential(0.01)?),
        ("lognormal", Distribution::lognormal_median_p99(0.008, 0.06)?),
        ("normal", Distribution::normal(1.0, 0.2)?),
        ("gamma, shape 2.5", Distribution::gamma_shape_mean(2.5, 1.0)?),
        ("hyperexponential, cv 2", Distribution::hyperexponential(1.0, 2.0)?),
        ("weibull", Distribution::weibull(1.5, 1.0)?),
        ("pareto", Distribution::pareto(1.2, 1.0, 1e6)?),
        (
            "empirical, 6 points",
            Distribution::empirical(&[(0.0, 1.), (0.5, 2.), (0.9, 4.), (0.95, 6.), (0.99, 9.), (1.0, 20.)])?,
        ),
    ];
    let mut stream = Stream::from_key(1);
    for (name, kind) in kinds {
        let kind = black_box(kind);
        measure(&format!("sample {name}"), |_| _ = black_box(kind.sample_duration(&mut stream)));
    }
    let zipf = Zipf::new(1_000_000, 0.9)?;
    measure("sample zipf, 10^6 ranks", |_| _ = black_box(zipf.sample(&mut stream)));
    let weighted = Weighted::new(&[5.0, 1.0, 3.0, 2.0])?;
    measure("sample one of four by weight", |_| _ = black_box(weighted.sample(&mut stream)));
    Ok(())
}

fn stations() -> Result<(), DistributionError> {
    let work = Distribution::exponential(0.01)?;
    for present in [1usize, 10, 100, 1000] {
        let mut stream = Stream::from_key(1);
        let works: Vec<SimDuration> = (0..1 << 16).map(|_| work.sample_duration(&mut stream)).collect();
        let mut sharing = ProcessorSharing::new(4.0);
        (0..present).for_each(|job| sharing.offer(SimTime::ZERO, job, works[job]));
        measure(&format!("sharing: complete one, offer one, {present} present"), |i| {
            let Some((at, _)) = sharing.next_completion() else { return };
            let Some(job) = sharing.pop_completed(at) else { return };
            sharing.offer(at, job, works[i as usize % works.len()]);
        });
    }
    let mut fifo = Fifo::new(8, None);
    let mut now = SimTime::ZERO;
    let service = SimDuration::from_millis(8);
    let joins = |job: usize| SimTime::from_nanos(1_000_000 * job.min(7) as u64);
    (0..20).for_each(|job| _ = fifo.offer(joins(job), job, service));
    let (mut joined, mut served): (Vec<SimTime>, VecDeque<usize>) = ((0..20).map(joins).collect(), (0..8).collect());
    now += service;
    measure("fifo of 8 servers: complete one, offer one", |_| {
        let Some(done) = served.pop_front() else { return };
        if let Some(started) = fifo.complete(now, joined[done]) {
            served.push_back(started.job);
            joined[done] = now;
            let offered = fifo.offer(now, done, service);
            debug_assert_eq!(offered, Offered::Waits);
        }
        now += SimDuration::from_millis(1);
    });
    let mut bucket = TokenBucket::new(1000.0, 100.0);
    measure("token bucket: take", |i| _ = black_box(bucket.take(SimTime::from_nanos(i.wrapping_mul(900_000)), 1.0)));
    let zipf = Zipf::new(100_000, 0.9)?;
    let mut stream = Stream::from_key(1);
    let objects: Vec<u64> = (0..1 << 20).map(|_| zipf.sample(&mut stream)).collect();
    let mut cache = LruCache::new(10_000);
    measure("lru: get, insert if missed, 10 000 entries", |i| {
        let object = objects[i as usize % objects.len()];
        if cache.get(object).is_none() {
            cache.insert(object, 1, i);
        }
    });
    let mut slab = Slab::new();
    let mut keys: Vec<_> = (0..1000u64).map(|i| slab.insert([i; 4])).collect();
    measure("slab of 1000: remove one, insert one", |i| {
        let at = i as usize * 7 % 1000;
        slab.remove(keys[at]);
        keys[at] = slab.insert([i; 4]);
    });
    Ok(())
}

fn tallies() {
    let mut histogram = Histogram::new();
    let mut stream = Stream::from_key(1);
    let times: Vec<u64> = (0..1 << 16).map(|_| stream.below(1 << 30)).collect();
    measure("histogram: record", |i| histogram.record(SimDuration::from_nanos(times[i as usize % times.len()])));
    let mut tally = StationTally::new(8);
    let mut now = SimTime::ZERO;
    measure("station tally: join, start and leave", |_| {
        let joined = now;
        tally.join(now);
        now += SimDuration::from_micros(10);
        tally.start(now, now - joined);
        now += SimDuration::from_micros(10);
        tally.leave(now, joined);
    });
    black_box(tally.in_system());
    let mut digest = Digest::new();
    measure("digest: push", |i| digest.push(i));
    black_box((digest.finish(), histogram.count()));
}
