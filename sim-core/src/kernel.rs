//! The kernel: a clock, the list of what is to happen, and the loop that makes it happen.

use crate::event_list::{EventList, LaneId};
use crate::{SimDuration, SimTime};

/// What is simulated. It is told of each event at its instant, and schedules others.
pub trait World {
    /// What can happen. Small and `Copy`: at most 16 bytes, which [`Kernel::new`] checks at compile time. What an event is
    /// about stays in the world and is named by a key; a cancelled event is one whose key has lapsed when it is delivered.
    type Event: Copy;

    /// Makes `event` happen, at [`Kernel::now`].
    fn handle(&mut self, event: Self::Event, kernel: &mut Kernel<Self::Event>);
}

/// Clock and event list. Events happen in order of time, those of one instant in the order in which they were scheduled.
#[derive(Clone, Debug)]
pub struct Kernel<E: Copy> {
    now: SimTime,
    list: EventList<E>,
}

impl<E: Copy> Kernel<E> {
    const EVENT_IS_SMALL: () =
        assert!(size_of::<E>() <= 16, "an event has at most 16 bytes: keep its data in the world");

    /// A kernel at time zero with nothing scheduled.
    #[must_use]
    pub fn new() -> Self {
        const { Self::EVENT_IS_SMALL };
        Self { now: SimTime::ZERO, list: EventList::new() }
    }

    /// The present instant.
    #[inline]
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Schedules `event` for `delay` from now; zero means later in this instant, after what is already scheduled for it.
    #[inline]
    pub fn schedule_in(&mut self, delay: SimDuration, event: E) {
        self.list.push(self.now + delay, event);
    }

    /// Schedules `event` for the instant `at`.
    ///
    /// # Panics
    /// If `at` is in the past.
    #[inline]
    pub fn schedule_at(&mut self, at: SimTime, event: E) {
        assert!(at >= self.now, "an event was scheduled into the past");
        self.list.push(at, event);
    }

    /// The lane for events that happen `delay` after they are scheduled; the same delay gives the same lane. To be asked
    /// for while the world is built, for delays that never vary: network hops, timeouts, probe intervals. A lane changes
    /// nothing in the order of events, only the cost.
    pub fn lane(&mut self, delay: SimDuration) -> LaneId {
        self.list.lane(delay)
    }

    /// Schedules `event` for the lane's delay from now.
    #[inline(always)]
    pub fn schedule_lane(&mut self, lane: LaneId, event: E) {
        self.list.push_lane(self.now, lane, event);
    }

    /// Lets every event up to and including `horizon` happen, then sets the clock to `horizon`.
    pub fn run_until<W: World<Event = E>>(&mut self, world: &mut W, horizon: SimTime) {
        while let Some(next) = self.list.next_until(horizon) {
            let (at, event) = self.list.take(next);
            self.now = at;
            world.handle(event, self);
        }
        self.now = self.now.max(horizon);
    }

    /// Events delivered so far.
    #[must_use]
    pub fn events_handled(&self) -> u64 {
        self.list.taken()
    }

    /// Events scheduled and not yet delivered.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.list.len()
    }
}

impl<E: Copy> Default for Kernel<E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Event {
        Tick(u32),
        Echo(u32),
    }

    struct Clockwork {
        lane: LaneId,
        seen: Vec<(u64, Event)>,
    }

    impl World for Clockwork {
        type Event = Event;
        fn handle(&mut self, event: Event, kernel: &mut Kernel<Event>) {
            self.seen.push((kernel.now().as_nanos(), event));
            if let Event::Tick(n) = event {
                kernel.schedule_in(SimDuration::from_nanos(10), Event::Tick(n + 1));
                kernel.schedule_lane(self.lane, Event::Echo(n));
                kernel.schedule_at(kernel.now(), Event::Echo(100 + n));
            }
        }
    }

    #[test]
    fn events_happen_in_order_of_time_then_of_scheduling_and_the_clock_ends_at_the_horizon() {
        let mut kernel = Kernel::new();
        let mut world = Clockwork { lane: kernel.lane(SimDuration::from_nanos(10)), seen: Vec::new() };
        kernel.schedule_in(SimDuration::ZERO, Event::Tick(0));
        kernel.run_until(&mut world, SimTime::from_nanos(15));
        let expected = [
            (0, Event::Tick(0)),
            (0, Event::Echo(100)),
            (10, Event::Tick(1)),
            (10, Event::Echo(0)),
            (10, Event::Echo(101)),
        ];
        assert_eq!(world.seen, expected);
        assert_eq!((kernel.now(), kernel.pending(), kernel.events_handled()), (SimTime::from_nanos(15), 2, 5));
        kernel.run_until(&mut world, SimTime::from_nanos(20));
        assert_eq!(world.seen.len(), 8);
    }

    #[test]
    #[should_panic(expected = "into the past")]
    fn the_past_is_closed() {
        let mut kernel = Kernel::<u32>::new();
        struct Nothing;
        impl World for Nothing {
            type Event = u32;
            fn handle(&mut self, _: u32, _: &mut Kernel<u32>) {}
        }
        kernel.run_until(&mut Nothing, SimTime::from_secs(1));
        kernel.schedule_at(SimTime::ZERO, 0);
    }
}
