//! What is to happen, in order of time and, within an instant, in the order in which it was scheduled.
//!
//! Three parts share one total order over (time, sequence number):
//! - *lanes* (`lanes`): a FIFO for each constant delay, merged at their heads. Nothing is ever sorted there;
//! - the *front* (`front`): slots for what comes next and for what is new, in which a `tournament` finds the earliest;
//! - *buckets* (`radix`): everything later, by the highest base-64 digit in which its time differs from a recent one. When
//!   the front is empty, the lowest buckets are loaded into it if they are small, and spread over lower buckets if they are not.
//!
//! The buckets are a monotone radix heap (Ahuja, Mehlhorn, Orlin and Tarjan 1990, doi:10.1145/77600.77615), before which the front is
//! what the bottom is in a ladder queue (Tang, Goh and Thng 2005, doi:10.1145/1103323.1103324). An entry is moved a few times
//! however many are pending, and never compared with more than a front's worth of others.

mod front;
mod lanes;
mod radix;
#[cfg(test)]
mod tests;
mod tournament;

use crate::{SimDuration, SimTime};
use front::{Front, Place};
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
    /// Events ever scheduled; the next one's sequence number.
    pushed: u64,
    popped: u64,
    /// Time of the event popped last.
    reached: u64,
}

/// Where the earliest event is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Front(Place),
    Lanes,
}

impl<E: Copy> EventList<E> {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self { front: Front::new(), later: Radix::new(), lanes: Lanes::new(), pushed: 0, popped: 0, reached: 0 }
    }

    /// Schedules `event` at `time`.
    #[inline]
    pub fn push(&mut self, time: SimTime, event: E) {
        debug_assert!(time.as_nanos() >= self.reached, "an event was scheduled into the past");
        let entry = Entry { time: time.as_nanos(), seq: self.pushed << lanes::FIFO_BITS, event };
        self.pushed += 1;
        self.front.push(entry, self.reached, &mut self.later);
    }

    /// Moves what comes next into the empty front, unless all of it comes after `bound`.
    #[inline(always)]
    fn refill(&mut self, bound: u64) {
        self.front.renew(self.reached);
        if self.front.has_new() {
            if self.front.has_room_for(radix::MOST) {
                // From the buckets before what is new is put into its place, which waits for the samples its times are made of.
                let soonest = self.front.soonest_new();
                self.later.refill(&mut self.front, bound.min(soonest));
            } else {
                self.front.extend(self.later.start());
            }
            self.front.settle(self.reached, &mut self.later);
        }
        if self.front.is_empty() {
            self.later.refill(&mut self.front, bound);
        }
    }

    /// The lane for events that happen `delay` after they are scheduled; the same delay gives the same lane. Any number
    /// may be asked for; all but the first eight only look like lanes, at the cost of [`EventList::push`].
    ///
    /// # Panics
    /// If more than 65 536 distinct delays are asked for.
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
        if !self.front.is_empty() {
            // Which may take all away that was here.
            self.front.look_at_new(self.reached, &mut self.later);
        }
        if self.front.is_empty() {
            self.refill(bound);
        }
        let place = self.front.first();
        let front_key = self.front.key(place);
        if front_key < lane_key {
            return ((front_key >> 64) as u64 <= horizon).then_some(Part::Front(place));
        }
        ((lane_key >> 64) as u64 <= horizon && lane_key != lanes::EMPTY).then_some(Part::Lanes)
    }

    /// Takes out the earliest event, which this part holds.
    #[inline]
    pub(crate) fn take(&mut self, part: Part) -> (SimTime, E) {
        let entry = match part {
            Part::Front(place) => self.front.pop(place),
            Part::Lanes => self.lanes.pop(),
        };
        self.popped += 1;
        debug_assert!(entry.time >= self.reached, "time runs forward");
        self.reached = entry.time;
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
