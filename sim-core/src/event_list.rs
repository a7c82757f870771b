//! What is to happen, in order of time and, within an instant, in the order in which it was scheduled.
//!
//! Three parts share one total order over (time, sequence number):
//! - *lanes* (`lanes`): a FIFO for each constant delay, merged at their heads. Nothing is ever sorted there;
//! - the *front* (`front`): a short ascending array of what comes next, into which near events are inserted from the back;
//! - *buckets* (`radix`): everything later, by the highest base-64 digit in which its time differs from a recent one. When
//!   the front is empty, the lowest bucket is sorted into it if it is small, and spread over lower buckets if it is not.
//!
//! The buckets are a monotone radix heap (Ahuja, Mehlhorn, Orlin and Tarjan 1990, doi:10.1145/77600.77615), the front is the
//! bottom of a ladder queue (Tang, Goh and Thng 2005, doi:10.1145/1103323.1103324). An entry is moved a few times however
//! many are pending, and never compared with more than a front's worth of others.

mod front;
mod lanes;
mod radix;
#[cfg(test)]
mod tests;

use crate::{SimDuration, SimTime};
use front::Front;
pub use lanes::LaneId;
use lanes::Lanes;
use radix::Radix;

/// An event with its place in the order.
#[derive(Clone, Copy, Debug)]
struct Entry<E> {
    time: u64,
    /// The number of the push, times the number of lanes: a lane's head has room for the lane below it.
    seq: u64,
    event: E,
}

impl<E> Entry<E> {
    /// Time and sequence number as one number, so that an order is one comparison.
    #[inline]
    fn key(&self) -> u128 {
        u128::from(self.time) << 64 | u128::from(self.seq)
    }
}

/// The future events, in the total order (time, insertion sequence). Memory is proportional to the number pending.
///
/// No event may be scheduled before one that has been popped (checked in debug builds).
#[derive(Clone, Debug)]
pub struct EventList<E: Copy> {
    front: Front<E>,
    later: Radix<E>,
    lanes: Lanes<E>,
    /// Entries that have not been put into their place yet: the front's range ends before them, but for those from `looked_at` on,
    /// of which that is not known.
    fresh: Vec<Entry<E>>,
    looked_at: usize,
    /// Events ever scheduled; the next one's sequence number.
    pushed: u64,
    popped: u64,
    /// Time of the event popped last.
    #[cfg(debug_assertions)]
    reached: u64,
}

/// Where the earliest event is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Front,
    Lanes,
}

impl<E: Copy> EventList<E> {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self {
            front: Front::new(),
            later: Radix::new(),
            lanes: Lanes::new(),
            fresh: Vec::with_capacity(16),
            looked_at: 0,
            pushed: 0,
            popped: 0,
            #[cfg(debug_assertions)]
            reached: 0,
        }
    }

    /// Schedules `event` at `time`.
    #[inline]
    pub fn push(&mut self, time: SimTime, event: E) {
        #[cfg(debug_assertions)]
        debug_assert!(time.as_nanos() >= self.reached, "an event was scheduled into the past");
        let entry = Entry { time: time.as_nanos(), seq: self.pushed << lanes::FIFO_BITS, event };
        self.pushed += 1;
        self.fresh.push(entry);
    }

    /// Puts into the front what belongs there of what was scheduled since the last event. The rest can wait until the front is empty.
    ///
    /// An entry that is copied right after it was written makes the processor wait until all its parts are in memory.
    #[inline]
    fn look_at_new(&mut self) {
        while let Some(entry) = self.fresh.get(self.looked_at) {
            if entry.time <= self.front.until() {
                // Not `remove`, which would hand over the entry in pieces.
                self.front.insert(*entry, &mut self.later);
                self.fresh.copy_within(self.looked_at + 1.., self.looked_at);
                self.fresh.truncate(self.fresh.len() - 1);
            } else {
                self.looked_at += 1;
            }
        }
    }

    /// Puts everything into its place.
    fn settle(&mut self) {
        for at in 0..self.fresh.len() {
            let entry = &self.fresh[at];
            if entry.time <= self.front.until() {
                self.front.insert(*entry, &mut self.later);
            } else {
                self.later.push(*entry);
            }
        }
        self.fresh.clear();
        self.looked_at = 0;
    }

    /// Moves what comes next into the empty front, unless it comes after `bound`.
    #[inline(always)]
    fn refill(&mut self, bound: u64) {
        // From the buckets before what is new is put into its place, which waits for the samples its times are made of.
        let soonest = self.fresh.iter().map(|entry| entry.time).min().unwrap_or(u64::MAX);
        for bound in [bound.min(soonest), bound] {
            self.later.refill(&mut self.front, bound);
            self.settle();
            if !self.front.is_empty() {
                return;
            }
        }
    }

    /// The lane for events that happen `delay` after they are scheduled; the same delay gives the same lane. Any number
    /// may be asked for; all but the first eight only look like lanes, at the cost of [`EventList::push`].
    ///
    /// # Panics
    /// If more than 65 535 distinct delays are asked for.
    pub fn lane(&mut self, delay: SimDuration) -> LaneId {
        self.lanes.lane(delay)
    }

    /// Schedules `event` at `now` plus the lane's delay. `now` must not run backwards between calls.
    ///
    /// Always inlined: an event that is handed over whole is written and read in different pieces, for which processors wait.
    #[inline(always)]
    pub fn push_lane(&mut self, now: SimTime, lane: LaneId, event: E) {
        let time = now + self.lanes.delay(lane);
        if !self.lanes.is_fifo(lane) {
            return self.push(time, event);
        }
        #[cfg(debug_assertions)]
        debug_assert!(time.as_nanos() >= self.reached, "an event was scheduled into the past");
        self.lanes.push(lane, Entry { time: time.as_nanos(), seq: self.pushed << lanes::FIFO_BITS, event });
        self.pushed += 1;
    }

    /// Takes out the earliest event if its time is at most `horizon`.
    #[inline]
    pub fn pop_until(&mut self, horizon: SimTime) -> Option<(SimTime, E)> {
        self.next_until(horizon).map(|next| self.take(next))
    }

    /// Which part holds the earliest event, if that happens by `horizon`.
    ///
    /// Apart from [`EventList::take`] because an event in an `Option` is moved tag and rest apart, which the processor then
    /// waits for.
    #[inline]
    pub(crate) fn next_until(&mut self, horizon: SimTime) -> Option<Part> {
        let horizon = horizon.as_nanos();
        let lane_key = self.lanes.first();
        // Looking no further than what is popped next keeps the buckets' reference time from overtaking the clock.
        let bound = horizon.min((lane_key >> 64) as u64);
        if self.front.is_empty() {
            self.refill(bound);
        } else {
            self.look_at_new();
        }
        let front_key = self.front.first();
        if front_key < lane_key {
            return ((front_key >> 64) as u64 <= horizon).then_some(Part::Front);
        }
        ((lane_key >> 64) as u64 <= horizon && lane_key != lanes::EMPTY).then_some(Part::Lanes)
    }

    /// Takes out the earliest event, which this part holds.
    #[inline]
    pub(crate) fn take(&mut self, part: Part) -> (SimTime, E) {
        let entry = match part {
            Part::Front => self.front.pop(),
            Part::Lanes => self.lanes.pop(),
        };
        self.popped += 1;
        #[cfg(debug_assertions)]
        {
            debug_assert!(entry.time >= self.reached, "time runs forward");
            self.reached = entry.time;
        }
        (SimTime::from_nanos(entry.time), entry.event)
    }

    /// Events taken out so far.
    #[must_use]
    pub(crate) fn taken(&self) -> u64 {
        self.popped
    }

    /// Number of events pending.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.pushed - self.popped) as usize
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pushed == self.popped
    }

    /// Bytes of memory held for entries, filled or not.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        (self.front.capacity() + self.later.capacity() + self.lanes.capacity()) * size_of::<Entry<E>>()
    }
}

impl<E: Copy> Default for EventList<E> {
    fn default() -> Self {
        Self::new()
    }
}
