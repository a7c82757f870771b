//! How far readers are behind the writer.
//!
//! Writes reach readers as a stream that each applies one after the other, so a write that finds the stream busy waits: lag is
//! a delay while writes are few and grows as in a queue when they are many. All readers are alike in it.

use std::collections::VecDeque;

use sim_core::{SimDuration, SimTime};

use super::settings::Replication;

/// The stream of writes to readers.
#[derive(Debug)]
pub(super) struct Lag {
    settings: Replication,
    /// When the last write will have been applied, and when readers show it.
    applied: SimTime,
    visible: SimTime,
    /// The most that a write of this period was late.
    period: SimDuration,
    /// Reads at readers, and those that missed a committed write.
    pub(super) reads: u64,
    pub(super) stale: u64,
    /// Commits that were delayed because readers are too far behind.
    pub(super) delayed: u64,
    /// When the latest writes will be there, where somebody wants to know which are not.
    tracked: Option<VecDeque<SimTime>>,
}

impl Lag {
    pub(super) fn new(settings: &Replication) -> Self {
        Self {
            settings: settings.clone(),
            applied: SimTime::ZERO,
            visible: SimTime::ZERO,
            period: SimDuration::ZERO,
            reads: 0,
            stale: 0,
            delayed: 0,
            tracked: None,
        }
    }

    /// From now on it is known which writes have not arrived.
    pub(super) fn track(&mut self) {
        self.tracked = Some(VecDeque::new());
    }

    /// Committed writes that readers do not have.
    pub(super) fn unapplied(&self, now: SimTime) -> usize {
        self.tracked.iter().flatten().filter(|there| **there > now).count()
    }

    /// How long a commit is delayed because readers are too far behind.
    pub(super) fn delay_of_commit(&mut self, now: SimTime) -> SimDuration {
        let Some(target) = self.settings.flow_control else { return SimDuration::ZERO };
        let backlog = self.backlog(now);
        if backlog <= target {
            return SimDuration::ZERO;
        }
        self.delayed += 1;
        backlog - target
    }

    /// A write is committed.
    pub(super) fn commit(&mut self, now: SimTime) {
        self.applied = self.applied.max(now) + self.settings.apply;
        self.visible = self.applied + self.settings.delay;
        let late = self.visible - now;
        self.period = self.period.max(late);
        if let Some(tracked) = &mut self.tracked {
            while tracked.front().is_some_and(|there| *there <= now) {
                tracked.pop_front();
            }
            tracked.push_back(self.visible);
        }
    }

    /// A write of another Region will arrive here.
    pub(super) fn arrives(&mut self, at: SimTime) {
        self.visible = self.visible.max(at + self.settings.delay);
    }

    /// A reader is read.
    pub(super) fn read(&mut self, now: SimTime) {
        self.reads += 1;
        self.stale += u64::from(self.visible > now);
    }

    /// How long it takes from now until readers have everything.
    pub(super) fn backlog(&self, now: SimTime) -> SimDuration {
        if self.visible > now { self.visible - now } else { SimDuration::ZERO }
    }

    /// The most that a write of the period that ends was late; the plain delay if there was none.
    pub(super) fn of_period(&mut self) -> SimDuration {
        std::mem::take(&mut self.period).max(self.settings.delay)
    }

    pub(super) fn is_rds(&self) -> bool {
        self.settings.is_rds
    }

    pub(super) fn reset(&mut self) {
        (self.reads, self.stale, self.delayed) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(millis)
    }

    #[test]
    fn lag_is_the_delay_while_writes_are_few_and_grows_with_them() {
        let millis = SimDuration::from_millis;
        let mut lag = Lag::new(&Replication { delay: millis(20), apply: millis(2), flow_control: None, is_rds: false });
        // One write each 10 ms: each is there 22 ms after its commit.
        (0..10).for_each(|n| lag.commit(at(10 * n)));
        assert_eq!(lag.of_period(), millis(22));
        // One each millisecond, twice of what readers apply: after 100 of them the last is 100 ms behind, and the delay.
        (0..100).for_each(|n| lag.commit(at(1000 + n)));
        assert_eq!(lag.of_period(), millis(200 - 99 + 20));
        assert_eq!(lag.backlog(at(1099)), millis(121));
        lag.read(at(1219));
        lag.read(at(1220));
        assert_eq!((lag.reads, lag.stale), (2, 1));
        assert_eq!(lag.of_period(), millis(20));
    }

    #[test]
    fn what_readers_have_not_applied_is_counted_and_commits_wait_for_it_beyond_the_target() {
        let millis = SimDuration::from_millis;
        let flow_control = Some(millis(50));
        let mut lag = Lag::new(&Replication { delay: millis(20), apply: millis(10), flow_control, is_rds: true });
        lag.track();
        // Ten at once: the last is there after 100 ms and the delay.
        (0..10).for_each(|_| lag.commit(at(0)));
        assert_eq!(lag.delay_of_commit(at(0)), millis(70));
        // At 75 ms those of 30, 40 .. 70 ms are there, five of them.
        assert_eq!(lag.unapplied(at(75)), 5);
        assert_eq!((lag.delay_of_commit(at(75)), lag.delayed), (SimDuration::ZERO, 1));
    }
}
