//! A node: whether it answers, and its engine of one thread.

use sim_core::observations::StationObservations;
use sim_core::{SimDuration, SimTime};

use crate::cloudwatch;

/// How a node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It does.
    Up,
    /// It resets and refuses connections: it restarts, or gives its role away.
    Refusing,
    /// Nothing comes back.
    Silent,
}

/// A node at work.
#[derive(Debug)]
pub(super) struct Node {
    /// As `elasticache.sessions-0001-001`.
    pub(super) name: String,
    pub(super) shard: u16,
    pub(super) zone: usize,
    pub(super) reach: Reach,
    /// Whether it exists: shards come and go.
    pub(super) there: bool,
    /// Whether it comes back without what it had.
    pub(super) wiped: bool,
    /// Whether clients ask it: they know of a failure only when the cluster does.
    pub(super) listed: bool,
    /// When it went away last; what had come before is lost.
    pub(super) away_since: Option<SimTime>,
    /// When it is back; none: whoever took it away says.
    pub(super) back_at: Option<SimTime>,
    pub(super) connections: u32,
    pub(super) engine: Engine,
}

impl Node {
    pub(super) fn new(cache: &str, shard: u16, number: u16, zone: usize) -> Self {
        Self {
            name: format!("{cache}-{:04}-{:03}", shard + 1, number + 1),
            shard,
            zone,
            reach: Reach::Up,
            there: true,
            wiped: false,
            listed: true,
            away_since: None,
            back_at: None,
            connections: 0,
            engine: Engine::default(),
        }
    }

    /// Whether it was there since the warm-up.
    pub(super) fn has_been(&self) -> bool {
        self.there || self.engine.has_worked()
    }

    pub(super) fn is_up(&self) -> bool {
        self.reach == Reach::Up
    }
}

/// The one thread of a node that runs commands, in the order in which they come. When a command is done is known as soon as
/// it comes, so all that is kept is until when the thread is busy.
#[derive(Debug, Default)]
pub(super) struct Engine {
    free_at: SimTime,
    /// All work taken on, and how much of it before the warm-up and before this period.
    work: SimDuration,
    before: SimDuration,
    before_period: SimDuration,
    before_bin: SimDuration,
    counted_from: SimTime,
    commands: u64,
    waited: SimDuration,
    busiest: (f64, SimTime),
}

impl Engine {
    /// Takes on a command; when it is done.
    pub(super) fn take(&mut self, now: SimTime, time: SimDuration) -> SimTime {
        let starts = self.free_at.max(now);
        self.commands += 1;
        self.waited += starts.since(now);
        self.work += time;
        self.free_at = starts + time;
        self.free_at
    }

    /// Whether it has run any command since the warm-up.
    pub(super) fn has_worked(&self) -> bool {
        self.commands > 0
    }

    /// What it has not done yet is lost.
    pub(super) fn stop(&mut self, now: SimTime) {
        self.work = self.work - self.free_at.since(now);
        self.free_at = self.free_at.min(now);
    }

    /// Work done so far.
    fn done(&self, now: SimTime) -> SimDuration {
        self.work - self.free_at.since(now)
    }

    /// Its utilisation over the period that ends.
    pub(super) fn over_period(&mut self, now: SimTime) -> f64 {
        let done = self.done(now);
        let busy = (done - std::mem::replace(&mut self.before_period, done)).as_secs_f64();
        let share = busy / cloudwatch::PERIOD.as_secs_f64();
        let start = SimTime::from_nanos(now.as_nanos() - cloudwatch::PERIOD.as_nanos());
        if start >= self.counted_from && share > self.busiest.0 {
            self.busiest = (share, start);
        }
        share
    }

    /// The same over a bin of the figures.
    pub(super) fn over_bin(&mut self, now: SimTime, bin: SimDuration) -> f64 {
        let done = self.done(now);
        (done - std::mem::replace(&mut self.before_bin, done)).as_secs_f64() / bin.as_secs_f64()
    }

    pub(super) fn warm_up_over(&mut self, now: SimTime) {
        (self.before, self.counted_from, self.busiest) = (self.done(now), now, (0.0, now));
        (self.commands, self.waited) = (0, SimDuration::ZERO);
    }

    pub(super) fn observe(&self, name: &str, now: SimTime) -> StationObservations {
        let span = (now - self.counted_from).as_secs_f64();
        let busy = (self.done(now) - self.before).as_secs_f64();
        let utilisation = busy / span;
        let waited = self.waited.as_secs_f64();
        let commands = self.commands as f64;
        // No whole minute was counted, or all alike: some minute is as busy as the whole.
        let (peak, at) = if self.busiest.0 < utilisation { (utilisation, self.counted_from) } else { self.busiest };
        StationObservations {
            name: name.to_owned(),
            resource: "engine".to_owned(),
            servers: 1.0,
            utilisation,
            utilisation_peak: peak,
            utilisation_peak_at: at,
            mean_in_system: (waited + busy) / span,
            mean_waiting: waited / span,
            max_waiting: 0,
            mean_wait: waited / commands,
            mean_sojourn: (waited + busy) / commands,
            arrivals: self.commands,
            completions: self.commands,
            lost: 0,
        }
    }
}
