//! The three-tier model written by hand for speed and nothing else: no services, no names, no audit. What an event-driven
//! simulation of it could reach at best; the simulator is measured against it in the same run.

use std::collections::VecDeque;

use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

const TASKS: usize = 10;
const WORKERS: u32 = 4;
const DATABASE_SERVERS: u32 = 16;

/// A heap of four children a node, keyed by time, sequence and event in one number.
#[derive(Default)]
struct Heap {
    keys: Vec<u128>,
    sequence: u64,
}

impl Heap {
    #[inline]
    fn push(&mut self, time: u64, event: u32) {
        self.sequence += 1;
        let key = (u128::from(time) << 64) | (u128::from(self.sequence & 0xff_ffff_ffff) << 24) | u128::from(event);
        let mut at = self.keys.len();
        self.keys.push(key);
        while at > 0 {
            let parent = (at - 1) / 4;
            if self.keys[parent] <= key {
                break;
            }
            self.keys[at] = self.keys[parent];
            at = parent;
        }
        self.keys[at] = key;
    }

    #[inline]
    fn pop(&mut self) -> (u64, u32) {
        let top = self.keys[0];
        let last = self.keys.pop().expect("arrivals never end");
        let n = self.keys.len();
        if n > 0 {
            let mut at = 0;
            loop {
                let first = 4 * at + 1;
                if first >= n {
                    break;
                }
                let mut least = first;
                for child in first + 1..(first + 4).min(n) {
                    if self.keys[child] < self.keys[least] {
                        least = child;
                    }
                }
                if self.keys[least] >= last {
                    break;
                }
                self.keys[at] = self.keys[least];
                at = least;
            }
            self.keys[at] = last;
        }
        ((top >> 64) as u64, (top & 0xff_ffff) as u32)
    }
}

/// What the loop found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Requests completed.
    pub completed: u64,
    /// Their mean response time, seconds.
    pub mean: f64,
    /// Median response time, seconds.
    pub p50: f64,
    /// 99th percentile, seconds.
    pub p99: f64,
}

/// Runs the model for a number of requests: Poisson 1600/s, the task with the fewest requests in progress of ten with four
/// FIFO workers and exponential 20 ms each, then a database of 16 FIFO servers, lognormal of mean 5 ms and sigma 0.5, during
/// which the worker is free.
#[must_use]
pub fn three_tier(requests: u64, seed: u64) -> Found {
    const ARRIVAL: u32 = 0xff_ffff;
    const DATABASE: u32 = 0x80_0000;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut heap = Heap::default();
    let mut histogram = hdrhistogram::Histogram::<u64>::new_with_bounds(1_000, 100_000_000_000, 3).expect("bounds");
    // Live requests: when they came and the task they are on.
    let mut live: Vec<(u64, u8)> = Vec::new();
    let mut free: Vec<u32> = Vec::new();
    let mut outstanding = [0u32; TASKS];
    let mut busy = [0u32; TASKS];
    let mut queues: Vec<VecDeque<u32>> = vec![VecDeque::new(); TASKS];
    let (mut database_busy, mut database_queue) = (0u32, VecDeque::new());
    let (mut started, mut completed, mut sum) = (0u64, 0u64, 0u128);
    let (mu, sigma) = (libm::log(0.005) - 0.125, 0.5);
    let exponential = |rng: &mut Xoshiro256PlusPlus, mean: f64| {
        let x: f64 = Exp1.sample(rng);
        (x * mean * 1e9) as u64
    };
    let lognormal = |rng: &mut Xoshiro256PlusPlus| {
        let z: f64 = StandardNormal.sample(rng);
        (libm::exp(mu + sigma * z) * 1e9) as u64
    };
    heap.push(exponential(&mut rng, 1.0 / 1600.0), ARRIVAL);
    while completed < requests {
        let (now, event) = heap.pop();
        if event == ARRIVAL {
            started += 1;
            if started < requests + 1_000_000 {
                heap.push(now + exponential(&mut rng, 1.0 / 1600.0), ARRIVAL);
            }
            let mut task = 0;
            for other in 1..TASKS {
                if outstanding[other] < outstanding[task] {
                    task = other;
                }
            }
            outstanding[task] += 1;
            let slot = free.pop().unwrap_or_else(|| {
                live.push((0, 0));
                (live.len() - 1) as u32
            });
            live[slot as usize] = (now, task as u8);
            if busy[task] < WORKERS {
                busy[task] += 1;
                heap.push(now + exponential(&mut rng, 0.02), slot);
            } else {
                queues[task].push_back(slot);
            }
        } else if event & DATABASE == 0 {
            let task = live[event as usize].1 as usize;
            match queues[task].pop_front() {
                Some(next) => heap.push(now + exponential(&mut rng, 0.02), next),
                None => busy[task] -= 1,
            }
            if database_busy < DATABASE_SERVERS {
                database_busy += 1;
                heap.push(now + lognormal(&mut rng), event | DATABASE);
            } else {
                database_queue.push_back(event);
            }
        } else {
            let slot = event & !DATABASE;
            match database_queue.pop_front() {
                Some(next) => heap.push(now + lognormal(&mut rng), next | DATABASE),
                None => database_busy -= 1,
            }
            let (came, task) = live[slot as usize];
            outstanding[task as usize] -= 1;
            free.push(slot);
            completed += 1;
            sum += u128::from(now - came);
            histogram.saturating_record(now - came);
        }
    }
    Found {
        completed,
        mean: sum as f64 / completed as f64 / 1e9,
        p50: histogram.value_at_quantile(0.5) as f64 / 1e9,
        p99: histogram.value_at_quantile(0.99) as f64 / 1e9,
    }
}
