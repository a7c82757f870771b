//! Servers with one queue, first come first served, with or without a limit on who may wait.

use crate::tally::StationTally;
use crate::{SimDuration, SimTime};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// What becomes of an offered job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is being served. The caller schedules its end, and calls [`Fifo::complete`] then.
    Started {
        /// When it will be done.
        ends: SimTime,
    },
    /// It waits; a later [`Fifo::complete`] starts it.
    Waits,
    /// There is no room.
    Refused,
}

/// A job that waited and now is being served. The caller schedules its end, and calls [`Fifo::complete`] then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started<J> {
    /// The job.
    pub job: J,
    /// When it will be done.
    pub ends: SimTime,
    /// How long it waited.
    pub waited: SimDuration,
}

#[derive(Clone, Copy, Debug)]
struct Waiting<J> {
    job: J,
    joined: SimTime,
    service: SimDuration,
}

/// A station of equal servers, each serving one job at a time, and a queue in order of arrival.
#[derive(Clone, Debug)]
pub struct Fifo<J: Copy> {
    servers: u32,
    room: Option<u32>,
    queue: VecDeque<Waiting<J>>,
    /// When each job in service ends and when it joined, the first to end on top.
    serving: BinaryHeap<Reverse<(SimTime, SimTime)>>,
    /// Arrivals, levels, waits: the station's figures.
    pub tally: StationTally,
}

impl<J: Copy> Fifo<J> {
    /// An idle station of `servers` servers at which at most `room` jobs may wait; `None` is any number.
    #[must_use]
    pub fn new(servers: u32, room: Option<u32>) -> Self {
        let (queue, serving) = (VecDeque::new(), BinaryHeap::new());
        Self { servers, room, queue, serving, tally: StationTally::new(servers) }
    }

    /// Offers a job that needs `service` of a server's time.
    #[inline]
    pub fn offer(&mut self, now: SimTime, job: J, service: SimDuration) -> Offered {
        if self.has_idle_server() && self.queue.is_empty() {
            self.tally.join_served(now);
            return Offered::Started { ends: self.serve(now, now, service) };
        }
        if self.room.is_some_and(|room| self.queue.len() >= room as usize) {
            self.tally.refuse(now);
            return Offered::Refused;
        }
        self.tally.join(now);
        self.queue.push_back(Waiting { job, joined: now, service });
        Offered::Waits
    }

    /// The job whose end is `now` leaves; its server takes the next, if one waits. To be called once for every end that
    /// was announced, at that instant.
    #[inline]
    pub fn complete(&mut self, now: SimTime) -> Option<Started<J>> {
        let done = self.serving.pop();
        assert!(done.is_some(), "a job ends only where one is served");
        if let Some(Reverse((ends, joined))) = done {
            debug_assert!(ends == now, "a job ends when it was said to");
            self.tally.leave(now, joined);
        }
        if self.serving.len() >= self.servers as usize {
            // A server that was withdrawn while serving is gone now.
            self.tally.servers(now, self.serving.len().max(self.servers as usize) as u32);
        }
        self.start_next(now)
    }

    /// Starts the job that has waited longest, if a server is idle. Needed only after [`Fifo::set_servers`].
    #[inline]
    pub fn start_next(&mut self, now: SimTime) -> Option<Started<J>> {
        if !self.has_idle_server() {
            return None;
        }
        let Waiting { job, joined, service } = self.queue.pop_front()?;
        let waited = now - joined;
        self.tally.start(now, waited);
        Some(Started { job, ends: self.serve(now, joined, service), waited })
    }

    #[inline]
    fn serve(&mut self, now: SimTime, joined: SimTime, service: SimDuration) -> SimTime {
        let ends = now + service;
        self.serving.push(Reverse((ends, joined)));
        ends
    }

    #[inline]
    fn has_idle_server(&self) -> bool {
        self.serving.len() < self.servers as usize
    }

    /// From `now` on there are `servers` servers. Jobs in service are served to their end, whatever their server's fate; if
    /// there are more servers than before, [`Fifo::start_next`] is to be called until it has nothing more to start.
    pub fn set_servers(&mut self, now: SimTime, servers: u32) {
        self.servers = servers;
        self.tally.servers(now, servers.max(self.serving.len() as u32));
    }

    /// From now on at most `room` jobs may wait; who waits already may stay.
    pub fn set_room(&mut self, room: Option<u32>) {
        self.room = room;
    }

    /// Takes the first waiting job that `is_it` says yes to out of the queue, and counts it lost: it gave up. Takes time
    /// proportional to the queue.
    pub fn renege(&mut self, now: SimTime, mut is_it: impl FnMut(&J) -> bool) -> Option<J> {
        let at = self.queue.iter().position(|waiting| is_it(&waiting.job))?;
        let lost = self.queue.remove(at)?;
        self.tally.lose(now, lost.joined);
        Some(lost.job)
    }

    /// Loses every job, waiting or in service, as when the machine goes down; returns those that waited, in order. Ends
    /// announced before must not be reported any more.
    pub fn lose_all(&mut self, now: SimTime) -> impl Iterator<Item = J> {
        for Reverse((_, joined)) in self.serving.drain() {
            self.tally.lose_served(now, joined);
        }
        for waiting in &self.queue {
            self.tally.lose(now, waiting.joined);
        }
        self.tally.servers(now, self.servers);
        self.queue.drain(..).map(|waiting| waiting.job)
    }

    /// Number of servers.
    #[must_use]
    pub fn servers(&self) -> u32 {
        self.servers
    }

    /// Jobs being served.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.serving.len()
    }

    /// Jobs waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Jobs present.
    #[must_use]
    pub fn in_system(&self) -> usize {
        self.serving.len() + self.queue.len()
    }
}

#[cfg(test)]
mod tests;
