//! Servers that break down and are repaired, each with its own request, and one queue.

use std::collections::VecDeque;

use sim_core::random::Stream;
use sim_core::tally::{Level, StationTally};
use sim_core::{SimDuration, SimTime};

use super::{Breakdown, OnFailure};
use crate::request::RequestKey;

/// A request and the work it still needs.
#[derive(Clone, Copy, Debug)]
struct Job {
    key: RequestKey,
    joined: SimTime,
    left: SimDuration,
}

#[derive(Clone, Copy, Debug)]
struct Server {
    up: bool,
    /// What it has, and since when it works on it; it waits with it while the server is down.
    job: Option<(Job, SimTime)>,
    /// Tells announced ends that hold from those that a failure has made void.
    epoch: u32,
}

/// A server works on a request from now on. The caller schedules the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) server: u32,
    pub(super) epoch: u32,
    pub(super) ends: SimTime,
}

/// What becomes of an offered request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offered {
    Started(Start),
    Waits,
    /// There is no room, or there are too few servers.
    Refused {
        down: bool,
    },
}

/// The servers.
#[derive(Debug)]
pub(super) struct Unreliable {
    settings: Breakdown,
    servers: Vec<Server>,
    queue: VecDeque<Job>,
    room: Option<u32>,
    /// When servers fail and for how long: the same whatever the traffic.
    stream: Stream,
    pub(super) tally: StationTally,
    up: Level,
    /// 1 while enough servers are up to take requests (without a quorum: any).
    enough: Level,
    failures: u64,
}

impl Unreliable {
    pub(super) fn new(servers: u32, room: Option<u32>, settings: Breakdown, stream: Stream) -> Self {
        let server = Server { up: true, job: None, epoch: 0 };
        let (mut up, mut enough) = (Level::new(), Level::new());
        up.set(SimTime::ZERO, i64::from(servers));
        enough.set(SimTime::ZERO, 1);
        Self {
            settings,
            servers: vec![server; servers as usize],
            queue: VecDeque::new(),
            room,
            stream,
            tally: StationTally::new(servers),
            up,
            enough,
            failures: 0,
        }
    }

    /// How many servers there are.
    pub(super) fn count(&self) -> u32 {
        self.servers.len() as u32
    }

    /// How long a server that works from now on will last.
    pub(super) fn time_to_failure(&mut self) -> SimDuration {
        self.settings.time_to_failure.sample_duration(&mut self.stream)
    }

    /// Whether too few servers are up.
    pub(super) fn is_down(&self) -> bool {
        self.enough.get() == 0
    }

    pub(super) fn offer(&mut self, now: SimTime, key: RequestKey, service: SimDuration) -> Offered {
        let job = Job { key, joined: now, left: service };
        if self.settings.quorum.is_some() && self.is_down() {
            self.tally.refuse(now);
            return Offered::Refused { down: true };
        }
        if self.queue.is_empty()
            && let Some(server) = self.idle()
        {
            self.tally.join_served(now);
            return Offered::Started(self.begin(now, server, job));
        }
        if self.room.is_some_and(|room| self.queue.len() >= room as usize) {
            self.tally.refuse(now);
            return Offered::Refused { down: false };
        }
        self.tally.join(now);
        self.queue.push_back(job);
        Offered::Waits
    }

    /// The first server that is up and has nothing to do.
    fn idle(&self) -> Option<u32> {
        self.servers.iter().position(|server| server.up && server.job.is_none()).map(|at| at as u32)
    }

    fn begin(&mut self, now: SimTime, number: u32, job: Job) -> Start {
        let server = &mut self.servers[number as usize];
        server.job = Some((job, now));
        Start { server: number, epoch: server.epoch, ends: now + job.left }
    }

    /// A free server takes the next request.
    fn next(&mut self, now: SimTime, server: u32) -> Option<Start> {
        let job = self.queue.pop_front()?;
        self.tally.start(now, now - job.joined);
        Some(self.begin(now, server, job))
    }

    /// An announced end: the request that is served, unless a failure came between, and what its server does next.
    pub(super) fn done(&mut self, now: SimTime, number: u32, epoch: u32) -> Option<(RequestKey, Option<Start>)> {
        let server = &mut self.servers[number as usize];
        let (job, _) = server.job.take_if(|_| server.epoch == epoch)?;
        self.tally.leave(now, job.joined);
        Some((job.key, self.next(now, number)))
    }

    /// A server fails. Returns the time until it is repaired, and the request that is lost with it.
    pub(super) fn fail(&mut self, now: SimTime, number: u32) -> (SimDuration, Option<RequestKey>) {
        let server = &mut self.servers[number as usize];
        server.up = false;
        server.epoch = server.epoch.wrapping_add(1);
        let mut lost = None;
        match (self.settings.on_failure, &mut server.job) {
            (OnFailure::Resume, Some((job, since))) => job.left = job.left - (now - *since),
            (OnFailure::Lose, job) => lost = job.take().map(|(job, _)| job),
            (OnFailure::Resume, None) => {}
        }
        if let Some(job) = lost {
            self.tally.lose_served(now, job.joined);
        }
        self.failures += 1;
        self.count_up(now, -1);
        (self.settings.repair_time.sample_duration(&mut self.stream), lost.map(|job| job.key))
    }

    /// A server is repaired: it goes on with what it had, or takes the next request.
    pub(super) fn mend(&mut self, now: SimTime, number: u32) -> Option<Start> {
        self.count_up(now, 1);
        let server = &mut self.servers[number as usize];
        server.up = true;
        match server.job {
            Some((job, _)) => Some(self.begin(now, number, job)),
            None => self.next(now, number),
        }
    }

    fn count_up(&mut self, now: SimTime, change: i64) {
        self.up.add(now, change);
        let enough = self.up.get() >= i64::from(self.settings.quorum.unwrap_or(1));
        self.enough.set(now, i64::from(enough));
    }

    /// A waiting request gives up.
    pub(super) fn renege(&mut self, now: SimTime, key: RequestKey) -> bool {
        let Some(at) = self.queue.iter().position(|job| job.key == key) else { return false };
        if let Some(job) = self.queue.remove(at) {
            self.tally.lose(now, job.joined);
        }
        true
    }

    pub(super) fn warm_up_over(&mut self, now: SimTime) {
        self.tally.reset(now);
        self.up.reset(now);
        self.enough.reset(now);
        self.failures = 0;
    }

    /// Failures, the mean number of servers that were up, and the share of time in which enough were.
    pub(super) fn figures(&self, now: SimTime) -> [(&'static str, f64); 3] {
        [("failures", self.failures as f64), ("servers up", self.up.mean(now)), ("availability", self.enough.mean(now))]
    }
}
