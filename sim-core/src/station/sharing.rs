//! Processor sharing: everybody is served at once, each the slower the more there are.

use crate::{SimDuration, SimTime};

/// Bits after the point of virtual time and of rates.
const FRACTION: u32 = 48;
const ONE: f64 = (1u64 << FRACTION) as f64;
/// A job is done when less than this is left of it: a thousandth of a nanosecond, which covers what cutting the rates may
/// have cost it in ten minutes of sharing.
const SLACK: u128 = 1 << (FRACTION - 10);

/// A job and the virtual time at which it is done.
#[derive(Clone, Copy, Debug)]
struct Sharer<J> {
    finish: u128,
    /// Tells jobs that finish together apart, in order of arrival.
    seq: u64,
    job: J,
}

impl<J> Sharer<J> {
    #[inline]
    fn before(&self, other: &Self) -> bool {
        (self.finish, self.seq) < (other.finish, other.seq)
    }
}

/// Egalitarian processor sharing among `cores` cores, of which a job can use one at most: with n jobs present each
/// progresses at `speed * min(1, cores / n)`.
///
/// *Virtual time* is the work done on a job that is always there. A job that joins at virtual time v with work w is done
/// at v + w, whoever comes and goes meanwhile, so a heap by that number is all the state. Virtual time is a fixed-point
/// number of 48 bits below the nanosecond in 128 bits: it neither drifts nor overflows in a run of any length, and no
/// platform's rounding enters. A rate is cut to 2^-48, so the jobs together never get more than there is.
#[derive(Clone, Debug)]
pub struct ProcessorSharing<J: Copy> {
    cores: f64,
    speed: f64,
    /// Virtual time and the instant it belongs to; and its rate, in units of 2^-48 per nanosecond, since.
    virtual_now: u128,
    now: SimTime,
    rate: u64,
    /// A binary heap, first to finish on top.
    jobs: Vec<Sharer<J>>,
    seq: u64,
    /// When the next job is done, if none comes or goes; and the number of times that has changed.
    next: Option<SimTime>,
    epoch: u64,
    /// Nanoseconds times jobs while there was a core for each; and while there was not, core-seconds.
    busy_unsaturated: u128,
    busy_saturated: f64,
    saturated_since_change: u128,
}

impl<J: Copy> ProcessorSharing<J> {
    /// An idle processor of `cores` cores (0 or more, not necessarily whole), of speed 1.
    #[must_use]
    pub fn new(cores: f64) -> Self {
        Self {
            cores,
            speed: 1.0,
            virtual_now: 0,
            now: SimTime::ZERO,
            rate: 0,
            jobs: Vec::new(),
            seq: 0,
            next: None,
            epoch: 0,
            busy_unsaturated: 0,
            busy_saturated: 0.0,
            saturated_since_change: 0,
        }
    }

    /// A job joins that needs `work` of a core's time at speed 1.
    #[inline]
    pub fn offer(&mut self, now: SimTime, job: J, work: SimDuration) {
        self.advance(now);
        let finish = self.virtual_now + (u128::from(work.as_nanos()) << FRACTION);
        self.jobs.push(Sharer { finish, seq: self.seq, job });
        self.seq += 1;
        self.sift_up(self.jobs.len() - 1);
        self.renew();
    }

    /// When the next job will be done if none comes or goes, and the epoch of that forecast. `None` if there is no job, or
    /// no progress.
    ///
    /// The epoch changes whenever the instant does, and only then. A caller remembers the epoch it last scheduled an event
    /// for, schedules another when it sees a new one, and ignores events of old epochs. On an event it calls
    /// [`ProcessorSharing::pop_completed`] until that returns `None`; the epoch has then moved on.
    #[inline]
    #[must_use]
    pub fn next_completion(&self) -> Option<(SimTime, u64)> {
        self.next.map(|at| (at, self.epoch))
    }

    /// Takes out a job that is done at `now`; the one done first, and among those done together the one that came first.
    #[inline]
    pub fn pop_completed(&mut self, now: SimTime) -> Option<J> {
        if self.next.is_none_or(|at| at > now) {
            return None;
        }
        self.advance(now);
        let job = self.take(0);
        self.renew();
        Some(job)
    }

    /// Takes out a job before it is done: the one that `is_it` says yes to, which should be one at most. Takes time
    /// proportional to the number of jobs.
    pub fn remove(&mut self, now: SimTime, mut is_it: impl FnMut(&J) -> bool) -> Option<J> {
        let at = self.jobs.iter().position(|sharer| is_it(&sharer.job))?;
        self.advance(now);
        let job = self.take(at);
        self.renew();
        Some(job)
    }

    /// Takes out all jobs, in order of arrival.
    pub fn clear(&mut self, now: SimTime) -> impl Iterator<Item = J> {
        self.advance(now);
        let mut jobs = std::mem::take(&mut self.jobs);
        self.renew();
        jobs.sort_unstable_by_key(|sharer| sharer.seq);
        jobs.into_iter().map(|sharer| sharer.job)
    }

    /// From `now` on there are `cores` cores.
    pub fn set_cores(&mut self, now: SimTime, cores: f64) {
        self.advance(now);
        self.busy_saturated += self.saturated_seconds();
        self.saturated_since_change = 0;
        self.cores = cores;
        self.renew();
    }

    /// From `now` on a core does `speed` seconds of work a second.
    pub fn set_speed(&mut self, now: SimTime, speed: f64) {
        self.advance(now);
        self.speed = speed;
        self.renew();
    }

    /// Number of cores.
    #[must_use]
    pub fn cores(&self) -> f64 {
        self.cores
    }

    /// Work done a second by a core.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Number of jobs present.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there is no job.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Core-seconds in use up to `now`: the integral of min(jobs, cores) over time, whatever the speed.
    #[must_use]
    pub fn busy_core_time(&self, now: SimTime) -> f64 {
        let elapsed = u128::from((now - self.now).as_nanos());
        let (mut unsaturated, mut saturated) = (self.busy_unsaturated, self.saturated_seconds());
        if self.is_saturated() {
            saturated = (self.saturated_since_change + elapsed) as f64 / 1e9 * self.cores;
        } else {
            unsaturated += elapsed * self.jobs.len() as u128;
        }
        unsaturated as f64 / 1e9 + self.busy_saturated + saturated
    }

    fn saturated_seconds(&self) -> f64 {
        self.saturated_since_change as f64 / 1e9 * self.cores
    }

    #[inline]
    fn is_saturated(&self) -> bool {
        self.jobs.len() as f64 > self.cores
    }

    /// Lets virtual time run up to `now` at the rate it has had.
    #[inline]
    fn advance(&mut self, now: SimTime) {
        let elapsed = u128::from((now - self.now).as_nanos());
        self.virtual_now += elapsed * u128::from(self.rate);
        if self.is_saturated() {
            self.saturated_since_change += elapsed;
        } else {
            self.busy_unsaturated += elapsed * self.jobs.len() as u128;
        }
        self.now = now;
    }

    /// Sets the rate for the jobs there are now, and forecasts the next completion.
    #[inline]
    fn renew(&mut self) {
        let share = if self.is_saturated() { self.cores / self.jobs.len() as f64 } else { 1.0 };
        // The cast saturates: no speed overflows.
        self.rate = (self.speed * share * ONE) as u64;
        let next = self.jobs.first().and_then(|first| self.when(first.finish));
        if next != self.next {
            self.next = next;
            self.epoch += 1;
        }
    }

    /// The first instant at which virtual time has all but reached `finish`; `None` if that is never.
    #[inline]
    fn when(&self, finish: u128) -> Option<SimTime> {
        let rest = finish.saturating_sub(self.virtual_now + SLACK);
        if rest == 0 {
            return Some(self.now);
        }
        if self.rate == 0 {
            return None;
        }
        let nanos = u64::try_from(rest.div_ceil(u128::from(self.rate))).ok()?;
        self.now.as_nanos().checked_add(nanos).map(SimTime::from_nanos)
    }

    /// Takes out the job at a place in the heap.
    #[inline]
    fn take(&mut self, at: usize) -> J {
        let taken = self.jobs.swap_remove(at);
        if at < self.jobs.len() {
            self.sift_down(at);
            self.sift_up(at);
        }
        taken.job
    }

    #[inline]
    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.jobs[at].before(&self.jobs[parent]) {
                break;
            }
            self.jobs.swap(at, parent);
            at = parent;
        }
    }

    #[inline]
    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut child = 2 * at + 1;
            if child >= self.jobs.len() {
                break;
            }
            if child + 1 < self.jobs.len() && self.jobs[child + 1].before(&self.jobs[child]) {
                child += 1;
            }
            if !self.jobs[child].before(&self.jobs[at]) {
                break;
            }
            self.jobs.swap(at, child);
            at = child;
        }
    }
}

#[cfg(test)]
mod tests;
