//! Auto-pause of Aurora Serverless v2 (Aurora guide, aurora-serverless-v2-auto-pause): an instance to which nobody has had a connection for
//! long enough falls to 0 ACU and costs nothing; the next connection waits until it is awake again.
//!
//! The writer and the readers of tiers 0 and 1 pause and resume together; other readers each by itself (same page). One that
//! has been paused for more than a day takes longer. What it had in memory is gone (assumption). Connections are what counts, not
//! queries: a pool that keeps one keeps the instance awake.

use sim_core::distribution::Distribution;
use sim_core::observations::LogKind;
use sim_core::random::Stream;

use super::*;
use crate::observer::Findings;

/// From so long a pause on an instance sleeps deeper.
const DEEP: SimDuration = SimDuration::from_secs(86_400);

/// When instances pause, and how long they take to resume.
#[derive(Clone, Debug)]
pub struct AutoPause {
    /// `SecondsUntilAutoPause`.
    pub after: SimDuration,
    /// From the connection that wakes it until it accepts that.
    pub resume: Distribution,
    /// The same after more than a day.
    pub deep_resume: Distribution,
}

/// Whether an instance is awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    Awake,
    /// Since this instant.
    Paused(SimTime),
    /// A connection waits for it.
    Resuming,
}

/// Auto-pause at work.
#[derive(Debug)]
pub(super) struct Pauses {
    settings: AutoPause,
    times: Stream,
    /// Attempts to connect that wait, with the instance.
    waiting: Vec<(u16, Key)>,
    pauses: u64,
    /// Those before the warm-up was over.
    before: u64,
}

impl Pauses {
    pub(super) fn new(name: &str, settings: &AutoPause, cx: &mut Cx<'_>) -> Self {
        let times = cx.shared.streams.stream(name, "resumption");
        Self { settings: settings.clone(), times, waiting: Vec::new(), pauses: 0, before: 0 }
    }

    pub(super) fn warm_up_over(&mut self) {
        self.before = self.pauses;
    }

    pub(super) fn count(&self, name: &str, findings: &mut Findings) {
        findings.count(name, "pauses", (self.pauses - self.before) as f64);
    }
}

impl Aurora {
    /// The instances that pause and resume with this one.
    fn sleeps_with(&self, number: u16) -> Vec<u16> {
        let in_group = |it: u16| it == self.roles.record || self.servers[it as usize].promotion_tier <= 1;
        if !in_group(number) {
            return vec![number];
        }
        self.existing().filter(|&it| in_group(it) && self.servers[it as usize].acu.is_some()).collect()
    }

    /// A second is over: who has been without connections for long enough pauses.
    pub(super) fn pause_idle(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(pauses) = &self.pauses else { return };
        let after = pauses.settings.after;
        for number in self.existing() {
            let server = &mut self.servers[number as usize];
            let idle = server.is_up() && server.connections == 0 && server.sleep != Sleep::Resuming;
            server.idle_since = if idle { server.idle_since.or(Some(now)) } else { None };
        }
        let writer_sleeps = self.servers[self.roles.record as usize].acu.is_some();
        for number in self.existing() {
            let server = &self.servers[number as usize];
            // With a writer that cannot pause, readers that would have to take over at once do not either.
            let of_writer = number == self.roles.record || server.promotion_tier <= 1;
            let can = server.acu.is_some() && server.sleep == Sleep::Awake && (writer_sleeps || !of_writer);
            let group = self.sleeps_with(number);
            let idle = |it: &u16| self.servers[*it as usize].idle_since.is_some_and(|since| now >= since + after);
            if can && !self.roles.is_electing() && group.iter().all(idle) {
                group.into_iter().for_each(|it| self.pause(it, cx));
            }
        }
    }

    fn pause(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let server = &mut self.servers[number as usize];
        server.settle_bill(now);
        server.sleep = Sleep::Paused(now);
        server.set_reach(now, server.reach);
        let what = format!("{} pauses: no connection for a while", server.short_name);
        cx.shared.observer.log(now, LogKind::Scaling, &self.name, what);
        if let Some(pauses) = &mut self.pauses {
            pauses.pauses += 1;
        }
    }

    /// Whether an attempt to connect, or a probe, has to wait for an instance to be awake; it is woken.
    pub(super) fn waits_for_waking(&mut self, number: u16, connection: Option<Key>, cx: &mut Cx<'_>) -> bool {
        if self.servers[number as usize].sleep == Sleep::Awake {
            return false;
        }
        for it in self.sleeps_with(number) {
            self.wake(it, cx);
        }
        if let (Some(connection), Some(pauses)) = (connection, &mut self.pauses) {
            pauses.waiting.push((number, connection));
        }
        true
    }

    fn wake(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let (Sleep::Paused(since), Some(pauses)) = (self.servers[number as usize].sleep, &mut self.pauses) else {
            return;
        };
        let deep = now >= since + DEEP;
        let takes = if deep { &pauses.settings.deep_resume } else { &pauses.settings.resume };
        let until = now + takes.sample_duration(&mut pauses.times);
        let server = &mut self.servers[number as usize];
        server.sleep = Sleep::Resuming;
        let what = format!("{} resumes for a connection", server.short_name);
        cx.shared.observer.log_span(now, Some(until), LogKind::Scaling, &self.name, what);
        cx.kernel.schedule_at(until, self.event(Event::Awake(number)));
    }

    /// An instance is awake: who waited to connect does.
    pub(super) fn awake(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.servers[number as usize].wake_up(now);
        let Some(pauses) = &mut self.pauses else { return };
        let (now_in, still): (Vec<_>, Vec<_>) = pauses.waiting.drain(..).partition(|(it, _)| *it == number);
        pauses.waiting = still;
        for (_, connection) in now_in {
            self.connected(connection, cx);
        }
    }
}

impl Server {
    /// It is not paused any more: it has been resumed, or restarted.
    pub(super) fn wake_up(&mut self, now: SimTime) {
        if self.sleep == Sleep::Awake {
            return;
        }
        self.settle_bill(now);
        (self.sleep, self.idle_since, self.resumed_at) = (Sleep::Awake, None, Some(now));
        self.forget_pages(now);
        self.set_reach(now, self.reach);
    }
}
