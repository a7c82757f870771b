//! Servers with one queue, first come first served, with or without a limit on who may wait.

use crate::tally::StationTally;
use crate::{SimDuration, SimTime};
use std::collections::VecDeque;

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
    /// Jobs in service.
    serving: u32,
    /// Arrivals, levels, waits: the station's figures.
    pub tally: StationTally,
}

impl<J: Copy> Fifo<J> {
    /// An idle station of `servers` servers at which at most `room` jobs may wait; `None` is any number.
    #[must_use]
    pub fn new(servers: u32, room: Option<u32>) -> Self {
        Self { servers, room, queue: VecDeque::new(), serving: 0, tally: StationTally::new(servers) }
    }

    /// Offers a job that needs `service` of a server's time.
    #[inline]
    pub fn offer(&mut self, now: SimTime, job: J, service: SimDuration) -> Offered {
        // Nobody waits where a server is idle.
        if self.serving < self.servers {
            self.tally.join_served(now);
            self.serving += 1;
            return Offered::Started { ends: now + service };
        }
        if self.room.is_some_and(|room| self.queue.len() >= room as usize) {
            self.tally.refuse(now);
            return Offered::Refused;
        }
        self.tally.join(now);
        self.queue.push_back(Waiting { job, joined: now, service });
        Offered::Waits
    }

    /// A job that joined at `joined` is served to its end; its server takes the next, if one waits. To be called once for
    /// every end that was announced, at that instant.
    #[inline]
    pub fn complete(&mut self, now: SimTime, joined: SimTime) -> Option<Started<J>> {
        assert!(self.serving > 0, "a job ends only where one is served");
        self.tally.leave(now, joined);
        self.serving -= 1;
        self.start_next(now)
    }

    /// Starts the job that has waited longest.
    #[inline]
    fn start_next(&mut self, now: SimTime) -> Option<Started<J>> {
        let Waiting { job, joined, service } = self.queue.pop_front()?;
        let waited = now - joined;
        self.tally.start(now, waited);
        self.serving += 1;
        Some(Started { job, ends: now + service, waited })
    }

    /// Takes the first waiting job that `is_it` says yes to out of the queue, and counts it lost: it gave up. Takes time
    /// proportional to the queue.
    pub fn renege(&mut self, now: SimTime, mut is_it: impl FnMut(&J) -> bool) -> Option<J> {
        let at = self.queue.iter().position(|waiting| is_it(&waiting.job))?;
        let lost = self.queue.remove(at)?;
        self.tally.lose(now, lost.joined);
        Some(lost.job)
    }

    /// Number of servers.
    #[must_use]
    pub fn servers(&self) -> u32 {
        self.servers
    }

    /// Jobs being served.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.serving as usize
    }

    /// Jobs waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Jobs present.
    #[must_use]
    pub fn in_system(&self) -> usize {
        self.serving as usize + self.queue.len()
    }
}

#[cfg(test)]
mod tests;
