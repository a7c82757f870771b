//! A level over time: how many of something there are.

use crate::SimTime;

/// A level that holds until it changes: a queue's length, tasks running. Levels are whole and not negative; the integral
/// over time is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    level: i64,
    max: i64,
    /// What the integral would be at time zero, had the level always been what it is now: a change moves it by the difference times
    /// the instant, whatever the time since the change before.
    at_zero: i128,
    since: SimTime,
    /// Time of the last change.
    #[cfg(debug_assertions)]
    changed: SimTime,
}

impl Level {
    /// Level 0 from the start of the run.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: 0,
            max: 0,
            at_zero: 0,
            since: SimTime::ZERO,
            #[cfg(debug_assertions)]
            changed: SimTime::ZERO,
        }
    }

    /// From `now` on the level is `level`.
    #[inline]
    pub fn set(&mut self, now: SimTime, level: i64) {
        debug_assert!(level >= 0, "a level is not negative");
        #[cfg(debug_assertions)]
        {
            debug_assert!(now >= self.changed, "time runs forward");
            self.changed = now;
        }
        self.at_zero -= i128::from(level - self.level) * i128::from(now.as_nanos());
        self.level = level;
        self.max = self.max.max(level);
    }

    /// From `now` on the level is higher by `delta`.
    #[inline]
    pub fn add(&mut self, now: SimTime, delta: i64) {
        self.set(now, self.level + delta);
    }

    /// The present level.
    #[must_use]
    pub const fn get(&self) -> i64 {
        self.level
    }

    /// The highest level since the start or the last reset, however briefly held.
    #[must_use]
    pub const fn max(&self) -> i64 {
        self.max
    }

    /// The integral over time since the start or the last reset, in units of level times nanoseconds. `now` is no earlier than the last
    /// change.
    #[must_use]
    pub fn integral(&self, now: SimTime) -> u128 {
        #[cfg(debug_assertions)]
        debug_assert!(now >= self.changed, "time runs forward");
        (self.at_zero + i128::from(self.level) * i128::from(now.as_nanos())) as u128
    }

    /// The time-weighted mean since the start or the last reset; the present level if no time has passed.
    #[must_use]
    pub fn mean(&self, now: SimTime) -> f64 {
        let span = (now - self.since).as_nanos();
        if span == 0 { self.level as f64 } else { self.integral(now) as f64 / span as f64 }
    }

    /// Begins anew at `now` with the present level, as at the end of the warm-up.
    pub fn reset(&mut self, now: SimTime) {
        self.at_zero = -i128::from(self.level) * i128::from(now.as_nanos());
        (self.max, self.since) = (self.level, now);
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos)
    }

    #[test]
    fn integral_mean_and_maximum_are_exact_and_restart() {
        let mut level = Level::new();
        level.set(at(10), 3);
        level.add(at(20), -1);
        level.add(at(20), 5);
        level.add(at(20), -5);
        assert_eq!((level.get(), level.max(), level.integral(at(25))), (2, 7, 40));
        assert_eq!(level.mean(at(25)), 1.6);
        level.reset(at(30));
        assert_eq!((level.max(), level.integral(at(30)), level.mean(at(30))), (2, 0, 2.0));
        assert_eq!(level.integral(at(31)), 2);
        level.set(at(31), i64::MAX);
        assert_eq!(level.integral(SimTime::MAX), 2 + i64::MAX as u128 * (u64::MAX - 31) as u128);
    }
}
