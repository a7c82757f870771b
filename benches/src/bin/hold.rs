//! The hold model: N events are pending; the earliest is taken out and scheduled again, over and over. Measures the event
//! list alone, against the standard library's heap.
//!
//! `cargo run --release -p stormglass-benches --bin hold [millions of events a cell] [only rows whose name contains this]`

use sim_core::random::{Source, Stream};
use sim_core::{EventList, LaneId, SimDuration, SimTime, math};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Instant;

/// An event as large as any: 16 bytes.
type Event = (u64, u32, u32);

/// Increments are read from a table so long that no branch predictor learns it.
const TABLE: usize = 1 << 20;
const ROUNDS: u32 = 5;
const MEAN_NANOS: f64 = 1e9;

fn main() {
    let millions: f64 = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(2.0);
    let events = (millions * 1e6) as u64;
    println!("{events} events a cell, best and median of {ROUNDS} rounds, ns per event (M events/s)\n");
    println!("{:34} {:>8} {:>12} {:>12} {:>10}", "increments", "pending", "best ns", "median ns", "M/s");
    for (name, increments) in [("exponential", exponential()), ("bimodal", bimodal()), ("1 ms grid", grid())] {
        for pending in PENDING {
            row(name, pending, events, |_| hold_list(&increments, pending, events, 1.0, 8));
        }
        for pending in PENDING {
            row(&format!("{name}, std BinaryHeap"), pending, events, |_| hold_heap(&increments, pending, events));
        }
    }
    let increments = exponential();
    let mixes =
        [("constant, 1 lane", 0.0, 1), ("constant, 8 lanes", 0.0, 8), ("half exponential, half 8 lanes", 0.5, 8)];
    for (name, share, lanes) in mixes {
        for pending in PENDING {
            row(name, pending, events, |_| hold_list(&increments, pending, events, share, lanes));
        }
    }
}

const PENDING: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

fn row(name: &str, pending: usize, events: u64, run: impl Fn(u32) -> f64) {
    if std::env::args().nth(2).is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let mut seconds: Vec<f64> = (0..ROUNDS).map(run).collect();
    seconds.sort_by(f64::total_cmp);
    let nanos = |s: f64| s * 1e9 / events as f64;
    let (best, median) = (nanos(seconds[0]), nanos(seconds[seconds.len() / 2]));
    println!("{name:34} {pending:>8} {best:>12.1} {median:>12.1} {:>10.1}", 1e3 / best);
}

fn table(mut nanos: impl FnMut(&mut Stream) -> f64) -> Vec<u64> {
    let mut stream = Stream::from_key(1);
    (0..TABLE).map(|_| nanos(&mut stream) as u64).collect()
}

fn exponential() -> Vec<u64> {
    table(|stream| -MEAN_NANOS * math::ln(stream.open01()))
}

/// Nine tenths short ones, a tenth ninety times as long.
fn bimodal() -> Vec<u64> {
    table(|stream| if stream.chance(0.9) { 0.1 } else { 9.1 } * -MEAN_NANOS * math::ln(stream.open01()))
}

/// Exponential, rounded to milliseconds: many ties.
fn grid() -> Vec<u64> {
    table(|stream| (-1e3 * math::ln(stream.open01())).round() * 1e6)
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn clocked(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

/// Holds on the event list. A `share` of events takes increments from the table, the others go through one of the lanes.
/// The lanes exist in any case, and as many again that each hold an event that never comes, as stale timeouts do.
fn hold_list(increments: &[u64], pending: usize, events: u64, share: f64, lanes: u64) -> f64 {
    let mut list: EventList<Event> = EventList::new();
    let lane = |list: &mut EventList<Event>, i| list.lane(SimDuration::from_nanos(MEAN_NANOS as u64 + 1_000_003 * i));
    let live: Vec<LaneId> = (0..lanes).map(|i| lane(&mut list, i)).collect();
    for i in 0..lanes {
        let stale = list.lane(SimDuration::from_secs(1_000_000_000 + i));
        list.push_lane(SimTime::ZERO, stale, (0, 0, 0));
    }
    let mut choice = Stream::from_key(2);
    let plan: Vec<u8> =
        (0..TABLE).map(|_| if choice.chance(share) { u8::MAX } else { choice.below(lanes) as u8 }).collect();
    for i in 0..pending {
        list.push(SimTime::from_nanos(increments[i % TABLE]), (i as u64, 0, 0));
    }
    let mut at = 0;
    clocked(|| {
        for _ in 0..events {
            let Some((now, event)) = list.pop_until(SimTime::MAX) else { return };
            at = (at + 1) % TABLE;
            match plan[at] {
                u8::MAX => list.push(now + SimDuration::from_nanos(increments[at]), event),
                lane => list.push_lane(now, live[usize::from(lane)], event),
            }
        }
        black_box(&list);
    })
}

fn hold_heap(increments: &[u64], pending: usize, events: u64) -> f64 {
    let mut heap: BinaryHeap<Reverse<(u64, u64, Event)>> = BinaryHeap::new();
    let mut seq = 0;
    for i in 0..pending {
        heap.push(Reverse((increments[i % TABLE], seq, (i as u64, 0, 0))));
        seq += 1;
    }
    let mut at = 0;
    clocked(|| {
        for _ in 0..events {
            let Some(Reverse((now, _, event))) = heap.pop() else { return };
            at = (at + 1) % TABLE;
            heap.push(Reverse((now + increments[at], seq, event)));
            seq += 1;
        }
        black_box(&heap);
    })
}
