//! The list against its naive twin: a map keyed by (time, sequence number). Keys are forced to tie.

use super::*;
use crate::random::{Source, Stream};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The list and its twin, driven together.
struct Pair {
    list: EventList<(u64, u64)>,
    twin: BTreeMap<(u64, u64), u64>,
    lanes: Vec<(LaneId, u64)>,
    now: u64,
    pushed: u64,
}

impl Pair {
    fn new(delays: &[u64]) -> Self {
        let mut list = EventList::new();
        let lanes = delays.iter().map(|&delay| (list.lane(SimDuration::from_nanos(delay)), delay)).collect();
        Self { list, twin: BTreeMap::new(), lanes, now: 0, pushed: 0 }
    }

    fn push(&mut self, delay: u64) {
        let time = self.now.saturating_add(delay);
        self.twin.insert((time, self.pushed), self.pushed);
        self.list.push(SimTime::from_nanos(time), (self.pushed, !self.pushed));
        self.pushed += 1;
    }

    fn push_lane(&mut self, which: usize) {
        let (lane, delay) = self.lanes[which % self.lanes.len()];
        self.twin.insert((self.now.saturating_add(delay), self.pushed), self.pushed);
        self.list.push_lane(SimTime::from_nanos(self.now), lane, (self.pushed, !self.pushed));
        self.pushed += 1;
    }

    /// Pops both; whether there was anything up to the horizon. If not, the clock goes there, as the kernel's does.
    fn pop(&mut self, horizon: u64) -> bool {
        let expected = match self.twin.first_key_value() {
            Some((&(time, _), _)) if time <= horizon => self.twin.pop_first().map(|((time, _), id)| (time, id)),
            _ => None,
        };
        let popped = self.list.pop_until(SimTime::from_nanos(horizon));
        assert_eq!(
            popped.map(|(time, (id, check))| (time.as_nanos(), id, check)),
            expected.map(|(t, id)| (t, id, !id))
        );
        assert_eq!(self.list.len(), self.twin.len());
        self.now = expected.map_or(self.now.max(horizon), |(time, _)| time);
        expected.is_some()
    }

    fn drain(&mut self) {
        while self.pop(u64::MAX) {}
        assert!(self.list.is_empty());
    }
}

/// What to do next; a number says how far or which.
#[derive(Clone, Copy, Debug)]
enum Step {
    Push(u64),
    PushMany(u8, u64),
    Lane(u8),
    Pop,
    PopMany(u8),
    PopUntil(u64),
}

/// Steps whose delays are below `range`: a range of 100 ties nearly everything.
fn steps(range: u64) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..range).prop_map(Step::Push),
        1 => (any::<u8>(), 0..range).prop_map(|(n, delay)| Step::PushMany(n, delay)),
        2 => any::<u8>().prop_map(Step::Lane),
        4 => Just(Step::Pop),
        1 => any::<u8>().prop_map(Step::PopMany),
        2 => (0..range / 4 + 2).prop_map(Step::PopUntil),
    ];
    prop::collection::vec(step, 0..400)
}

fn drive(pair: &mut Pair, steps: Vec<Step>, spread: u64) {
    for step in steps {
        match step {
            Step::Push(delay) => pair.push(delay),
            Step::PushMany(n, delay) => (0..u64::from(n)).for_each(|i| pair.push(delay + i * 7 % spread)),
            Step::Lane(which) => pair.push_lane(usize::from(which)),
            Step::Pop => {
                // Popping from nothing would carry the clock to the end of time.
                if !pair.list.is_empty() {
                    pair.pop(u64::MAX);
                }
            }
            Step::PopMany(n) => (0..n).for_each(|_| {
                pair.pop(pair.now + 1_000);
            }),
            Step::PopUntil(ahead) => while pair.pop(pair.now.saturating_add(ahead) / 2 + pair.now / 2) && ahead > 0 {},
        }
    }
    pair.drain();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn order_with_forced_ties(steps in steps(100)) {
        drive(&mut Pair::new(&[0, 3, 50, 99]), steps, 3);
    }

    #[test]
    fn order_over_narrow_and_middling_ranges(steps in steps(5_000)) {
        drive(&mut Pair::new(&[64, 4_096, 1]), steps, 500);
    }

    #[test]
    fn order_over_wide_ranges(steps in steps(1 << 40)) {
        drive(&mut Pair::new(&[1 << 30, 1 << 39]), steps, 1 << 20);
    }

    /// Farther than the front's keys can tell times apart.
    #[test]
    fn order_over_ranges_of_weeks(steps in steps(1 << 50)) {
        drive(&mut Pair::new(&[1 << 41, 1 << 43, 1 << 49]), steps, 1 << 44);
    }

    #[test]
    fn order_with_more_lanes_than_there_are_queues(steps in steps(200)) {
        let delays: Vec<u64> = (0..100).map(|i| i * 2).collect();
        drive(&mut Pair::new(&delays), steps, 5);
    }
}

/// Millions of weighted operations with few distinct times: spills, mass ties, refills, all mixed.
#[test]
fn order_in_a_long_random_run() {
    for (seed, range, lanes) in [(1u64, 100u64, &[0u64, 1, 50][..]), (2, 10_000, &[7, 7_000]), (3, 1 << 45, &[1 << 44])]
    {
        let mut pair = Pair::new(lanes);
        let mut stream = Stream::from_key(seed);
        for round in 0..200u64 {
            // The list swells and shrinks by turns.
            let growth = if round % 20 < 10 { 55 } else { 45 };
            for _ in 0..2_000 {
                match stream.below(100) {
                    n if n < growth => {
                        let scale = [1, 10, range][stream.below(3) as usize];
                        pair.push(stream.below(range.min(scale).max(1)));
                    }
                    n if n < growth + 3 => pair.push_lane(stream.below(8) as usize),
                    n if n < growth + 6 => {
                        pair.pop(pair.now + stream.below(range) / 50);
                    }
                    _ if pair.list.is_empty() => {}
                    _ => {
                        pair.pop(u64::MAX);
                    }
                }
            }
        }
        pair.drain();
    }
}

#[test]
fn the_ends_of_time() {
    let mut pair = Pair::new(&[u64::MAX, 0]);
    for _ in 0..200 {
        pair.push(0);
        pair.push(u64::MAX);
        pair.push(u64::MAX - 1);
        pair.push_lane(0);
        pair.push_lane(1);
    }
    assert!(pair.pop(0));
    pair.drain();
    for _ in 0..200 {
        pair.push(0);
        pair.push_lane(1);
        pair.push_lane(0);
    }
    pair.drain();
}

/// The last instant of all cannot be told from no time at all by a time that comes after it.
#[test]
fn order_just_before_the_end_of_time() {
    const REACH: u64 = 1 << 42;
    let mut pair = Pair::new(&[]);
    [u64::MAX - REACH, u64::MAX, u64::MAX - 1].into_iter().for_each(|time| pair.push(time));
    pair.drain();
    let mut pair = Pair::new(&[]);
    pair.push(u64::MAX - 10);
    assert!(pair.pop(u64::MAX - 10));
    pair.push(10);
    assert!(!pair.pop(u64::MAX - 5));
    pair.push(5);
    (0..63).for_each(|_| pair.push(4));
    pair.drain();
    let mut pair = Pair::new(&[]);
    let far = u64::MAX - REACH / 2 + 1;
    (0..16).for_each(|_| pair.push(far));
    (0..16).for_each(|_| pair.push(u64::MAX));
    assert!(!pair.pop(far - 1));
    pair.now = 0;
    pair.push(5);
    pair.drain();
}

/// A clock that looks ahead in vain and then sees something scheduled before what it had looked at.
#[test]
fn looking_ahead_commits_to_nothing() {
    let mut pair = Pair::new(&[1_000_000]);
    for i in 0..100 {
        pair.push(10_000_000 + i);
    }
    pair.push_lane(0);
    for horizon in [10, 1_000, 499_999] {
        assert!(!pair.pop(horizon));
        pair.push(1);
        pair.push(500_000);
        assert!(pair.pop(horizon + 1));
    }
    pair.drain();
    // Beyond the contract of the kernel, yet harmless: scheduling before a horizon that was looked at in vain.
    let mut list = EventList::new();
    (0..100u32).for_each(|i| list.push(SimTime::from_nanos(1 << 30 | u64::from(i)), i));
    assert_eq!(list.pop_until(SimTime::from_nanos((1 << 30) - 1)), None);
    list.push(SimTime::from_nanos(5), 1000);
    (0..200).for_each(|i| list.push(SimTime::from_nanos(1_000 + u64::from(i)), 2000 + i));
    let mut popped = Vec::new();
    while let Some((time, event)) = list.pop_until(SimTime::MAX) {
        popped.push((time, event));
    }
    assert_eq!((popped.len(), popped[0].1, popped[1].1, popped[301 - 1].1), (301, 1000, 2000, 99));
    assert!(popped.is_sorted_by_key(|&(time, _)| time));
}

/// What comes hours later is in the front; then something is scheduled hours before it.
#[test]
fn the_front_reaches_back() {
    const HOUR: u64 = 3_600_000_000_000;
    let mut pair = Pair::new(&[HOUR]);
    pair.push(10 * HOUR);
    pair.push_lane(0);
    assert!(pair.pop(u64::MAX));
    pair.push(4 * HOUR);
    pair.drain();
    // More often than keys have turns, without the front ever being empty.
    pair.push(HOUR);
    for _ in 0..200_000 {
        pair.push(5);
        pair.push(5);
        assert!(pair.pop(u64::MAX) && pair.pop(u64::MAX));
    }
    pair.drain();
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "into the past")]
fn the_past_is_closed() {
    let mut list = EventList::new();
    list.push(SimTime::from_nanos(5), 1);
    list.pop_until(SimTime::MAX);
    list.push(SimTime::from_nanos(4), 2);
}

#[test]
fn the_same_delay_is_the_same_lane_and_any_number_is_allowed() {
    let mut list: EventList<u32> = EventList::new();
    let lanes: Vec<LaneId> = (0..1000).map(|i| list.lane(SimDuration::from_nanos(i))).collect();
    assert_eq!(list.lane(SimDuration::from_nanos(700)), lanes[700]);
    assert!(lanes.windows(2).all(|pair| pair[0] < pair[1]));
}

/// A lane added while others hold events must not lose them.
#[test]
fn lanes_may_be_added_late() {
    let mut list = EventList::new();
    for i in (0..40u64).rev() {
        let lane = list.lane(SimDuration::from_nanos(i));
        list.push_lane(SimTime::ZERO, lane, i);
    }
    for i in 0..40 {
        assert_eq!(list.pop_until(SimTime::MAX), Some((SimTime::from_nanos(i), i)));
    }
}

/// Mass ties cost no more than others: were anything quadratic here, this would take minutes.
#[test]
fn mass_ties_take_no_time() {
    let n = 300_000;
    let mut pair = Pair::new(&[0, 10]);
    (0..n).for_each(|_| pair.push(1_000));
    // Each popped makes another of the same instant, before and after which others lie.
    for i in 0..n {
        assert!(pair.pop(u64::MAX));
        pair.push(if i % 3 == 0 { 0 } else { 7 });
        pair.push_lane(i as usize);
        pair.pop(u64::MAX);
    }
    pair.drain();
    // An instant's worth in the front, while nearer events keep coming.
    (0..n).for_each(|i| pair.push(if i % 2 == 0 { 100 } else { 100_000 }));
    for i in 0..n {
        pair.push(i % 90);
        pair.pop(u64::MAX);
    }
    pair.drain();
}

/// An event far away does not make the front, or an array as large as all, responsible for the crowd that comes before it.
#[test]
fn a_crowd_before_a_far_event_is_not_all_sorted() {
    let mut pair = Pair::new(&[]);
    let mut stream = Stream::from_key(6);
    pair.push(60_000_000_000);
    pair.push(1);
    for _ in 0..3 {
        assert!(pair.pop(u64::MAX));
        pair.push(5);
    }
    for _ in 0..300_000 {
        pair.push(stream.below(1_000_000_000));
    }
    assert!(pair.pop(u64::MAX));
    assert!(pair.list.front.capacity() < 1_000, "{} entries in the front", pair.list.front.capacity());
    pair.drain();
}

#[test]
fn memory_follows_what_is_pending() {
    let entry = size_of::<Entry<(u64, u64)>>();
    let mut list: EventList<(u64, u64)> = EventList::new();
    let mut stream = Stream::from_key(5);
    let mut hold = |list: &mut EventList<(u64, u64)>, pending: usize, rounds: usize| {
        while list.len() > pending {
            list.pop_until(SimTime::MAX);
        }
        let mut now = SimTime::ZERO;
        let mut most = 0;
        for round in 0..rounds {
            if list.len() == pending {
                now = list.pop_until(SimTime::MAX).map_or(now, |(time, _)| time);
            }
            let delay = -1e9 * crate::math::ln(stream.open01());
            list.push(now + SimDuration::from_nanos(delay as u64), (0, 0));
            if round % 1000 == 0 {
                most = most.max(list.capacity_bytes());
            }
        }
        most / entry
    };
    // Arrays double, so up to twice the entries are held; small buckets keep what they have.
    let large = hold(&mut list, 500_000, 3_000_000);
    assert!(large < 2 * 500_000 + 60_000, "{large} entries held for 500000");
    let small = hold(&mut list, 1_000, 500_000);
    assert!(small < 1_050_000, "{small} entries held while shrinking");
    assert!(list.capacity_bytes() / entry < 40_000, "{} entries held for 1000", list.capacity_bytes() / entry);
}
