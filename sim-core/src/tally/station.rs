//! What a station's figures are made of, and its audit.

use super::Level;
use crate::observations::{AuditCheck, StationObservations};
use crate::{SimDuration, SimTime};

/// Peak utilisation is taken over windows of this length, in nanoseconds.
const WINDOW: u64 = 60_000_000_000;
/// Servers are counted in fractions of this, so that a quarter of a processor is exact.
const UNIT: f64 = 1_048_576.0;

/// Servers in whole units; a negative number or NaN is none.
fn units(servers: f64) -> i64 {
    (servers * UNIT + 0.5).max(0.0) as i64
}

/// Figures of a place where requests wait and are served. A request joins; then starts to be served, or not; then leaves
/// served, or is lost. All sums are integers and exact; an update costs a few nanoseconds.
///
/// After [`StationTally::reset`] counts, waits and sojourns are those of requests that joined since, and levels are those
/// of the time since.
#[derive(Clone, Debug)]
pub struct StationTally {
    /// Whether servers are shared: as many as there are serve whoever is in service, at reduced speed if there are more.
    shared: bool,
    waiting: Level,
    serving: Level,
    /// Servers there are, in 1 / `UNIT`.
    servers: Level,
    /// Servers busy, in 1 / `UNIT`. Kept where they are shared; elsewhere it follows from `serving`.
    busy: Level,
    since: u64,
    /// Time told of last.
    #[cfg(debug_assertions)]
    advanced: SimTime,
    window: Window,
    counts: Counts,
    presence: Presence,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    arrivals: u64,
    completions: u64,
    lost: u64,
    started: u64,
    wait_sum: u128,
    left: u64,
    sojourn_sum: u128,
    /// Requests present that joined before the reset.
    older: u64,
}

/// The minute under way, and the busiest one.
#[derive(Clone, Copy, Debug)]
struct Window {
    begin: u64,
    end: u64,
    busy_area: u128,
    servers_area: u128,
    peak: f64,
    peak_at: u64,
}

/// The other side of Little's law: time spent, from instants of joining and leaving.
#[derive(Clone, Copy, Debug, Default)]
struct Presence {
    /// Sum of the time spent since the reset by those who left.
    spent: u128,
    /// Sum of the instants of joining of those present, no earlier than the reset.
    joined: u128,
    /// Whether an instant told on leaving cannot have been told on joining.
    torn: bool,
    /// The latest instant of joining, and how many of those present joined then.
    latest: u64,
    at_latest: u64,
}

impl Presence {
    #[inline]
    fn arrive(&mut self, now: u64) {
        self.joined += u128::from(now);
        self.at_latest = if self.latest == now { self.at_latest + 1 } else { 1 };
        self.latest = now;
    }

    /// Books the end of a stay from `joined` to `now`, of which what is before `since` does not count; `last` says that
    /// nobody is left. Returns the time spent.
    #[inline]
    fn depart(&mut self, now: u64, joined: u64, since: u64, last: bool) -> u64 {
        let from = joined.max(since);
        let spent = now.saturating_sub(from);
        self.spent += u128::from(spent);
        self.at_latest = self.at_latest.saturating_sub(u64::from(joined == self.latest));
        // Once the last has left, every instant that was added must have been taken away again.
        let (rest, underflow) = self.joined.overflowing_sub(u128::from(from));
        self.torn |= underflow || joined > now || (last && rest != 0);
        self.joined = rest;
        spent
    }
}

impl StationTally {
    /// A station of `servers` servers each serving one request, empty, from the start of the run.
    #[must_use]
    pub fn new(servers: impl Into<f64>) -> Self {
        Self::of(false, servers.into())
    }

    /// A station whose `servers` (cores, say, not necessarily a whole number) are shared by all requests in service.
    #[must_use]
    pub fn shared(servers: impl Into<f64>) -> Self {
        Self::of(true, servers.into())
    }

    fn of(shared: bool, servers: f64) -> Self {
        let mut there = Level::new();
        there.set(SimTime::ZERO, units(servers));
        Self {
            shared,
            waiting: Level::new(),
            serving: Level::new(),
            servers: there,
            busy: Level::new(),
            since: 0,
            #[cfg(debug_assertions)]
            advanced: SimTime::ZERO,
            window: Window { begin: 0, end: WINDOW, busy_area: 0, servers_area: 0, peak: f64::NAN, peak_at: 0 },
            counts: Counts::default(),
            presence: Presence::default(),
        }
    }

    /// A request joins, and waits.
    #[inline]
    pub fn join(&mut self, now: SimTime) {
        self.advance(now);
        self.waiting.add(now, 1);
        self.counts.arrivals += 1;
        self.presence.arrive(now.as_nanos());
    }

    /// A request joins and is served at once: it never counts as waiting.
    #[inline]
    pub fn join_served(&mut self, now: SimTime) {
        self.advance(now);
        self.serve(now, 1);
        self.counts.arrivals += 1;
        self.counts.started += 1;
        self.presence.arrive(now.as_nanos());
    }

    /// A request comes and is turned away at the door.
    #[inline]
    pub fn refuse(&mut self, now: SimTime) {
        self.advance(now);
        self.counts.arrivals += 1;
        self.counts.lost += 1;
    }

    /// A waiting request starts to be served, having waited for `waited`.
    #[inline]
    pub fn start(&mut self, now: SimTime, waited: SimDuration) {
        self.advance(now);
        self.waiting.add(now, -1);
        self.serve(now, 1);
        if now.as_nanos().saturating_sub(waited.as_nanos()) >= self.since {
            self.counts.started += 1;
            self.counts.wait_sum += u128::from(waited.as_nanos());
        }
    }

    /// A request in service that joined at `joined` leaves, served.
    #[inline]
    pub fn leave(&mut self, now: SimTime, joined: SimTime) {
        self.advance(now);
        self.serve(now, -1);
        let counted = self.depart(now, joined);
        self.counts.completions += u64::from(counted);
    }

    /// A waiting request that joined at `joined` is lost: it gives up, is thrown out, or goes down with its server.
    #[inline]
    pub fn lose(&mut self, now: SimTime, joined: SimTime) {
        self.advance(now);
        self.waiting.add(now, -1);
        let counted = self.depart(now, joined);
        self.counts.lost += u64::from(counted);
    }

    /// A request in service that joined at `joined` is lost.
    #[inline]
    pub fn lose_served(&mut self, now: SimTime, joined: SimTime) {
        self.advance(now);
        self.serve(now, -1);
        let counted = self.depart(now, joined);
        self.counts.lost += u64::from(counted);
    }

    /// From `now` on there are `servers` servers. A server that is to go but still serves counts until it is done.
    pub fn servers(&mut self, now: SimTime, servers: impl Into<f64>) {
        self.advance(now);
        self.servers.set(now, units(servers.into()));
        self.serve(now, 0);
    }

    /// From `now` on so many more are in service.
    #[inline]
    fn serve(&mut self, now: SimTime, more: i64) {
        self.serving.add(now, more);
        if self.shared {
            self.busy.set(now, (self.serving.get() * UNIT as i64).min(self.servers.get()));
        }
    }

    /// Books the end of a stay; whether it counts, having begun since the reset.
    #[inline]
    fn depart(&mut self, now: SimTime, joined: SimTime) -> bool {
        let last = self.in_system() == 0;
        let spent = self.presence.depart(now.as_nanos(), joined.as_nanos(), self.since, last);
        let counted = joined.as_nanos() >= self.since;
        if counted {
            self.counts.left += 1;
            self.counts.sojourn_sum += u128::from(spent);
        } else {
            self.counts.older = self.counts.older.saturating_sub(1);
        }
        counted
    }

    /// Closes the minutes that are over by `now`. To be called before any level changes.
    #[inline]
    fn advance(&mut self, now: SimTime) {
        #[cfg(debug_assertions)]
        {
            debug_assert!(now >= self.advanced, "time runs forward");
            self.advanced = now;
        }
        if now.as_nanos() >= self.window.end {
            self.close_windows(now.as_nanos());
        }
    }

    /// Busy server-time since the reset.
    fn busy_area(&self, now: SimTime) -> u128 {
        if self.shared { self.busy.integral(now) } else { self.serving.integral(now) * UNIT as u128 }
    }

    /// Closes the minute under way and those that have gone by since. All of the latter are alike, so one is looked at.
    #[cold]
    fn close_windows(&mut self, now: u64) {
        self.close_window();
        if now >= self.window.end {
            self.close_window();
            let skipped = (now - self.window.begin) / WINDOW;
            self.open_window(self.window.begin + skipped * WINDOW);
        }
    }

    fn close_window(&mut self) {
        let end = SimTime::from_nanos(self.window.end);
        let busy = (self.busy_area(end) - self.window.busy_area) as f64;
        let utilisation = utilisation(busy, (self.servers.integral(end) - self.window.servers_area) as f64);
        // Not `<=`, so that the first window replaces NaN, and a window without servers replaces nothing.
        if utilisation > self.window.peak || (self.window.peak.is_nan() && !utilisation.is_nan()) {
            self.window.peak = utilisation;
            self.window.peak_at = self.window.begin;
        }
        self.open_window(self.window.end);
    }

    fn open_window(&mut self, begin: u64) {
        self.window.begin = begin;
        self.window.end = begin.saturating_add(WINDOW);
        self.window.busy_area = self.busy_area(SimTime::from_nanos(begin));
        self.window.servers_area = self.servers.integral(SimTime::from_nanos(begin));
    }

    /// Requests waiting now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.get() as u64
    }

    /// Requests in service now.
    #[must_use]
    pub fn serving(&self) -> u64 {
        self.serving.get() as u64
    }

    /// Requests present now.
    #[must_use]
    pub fn in_system(&self) -> u64 {
        self.waiting() + self.serving()
    }

    /// Server-time busy and server-time there was since the reset, in server-seconds.
    #[must_use]
    pub fn busy_and_server_time(&self, now: SimTime) -> (f64, f64) {
        let seconds = |area: u128| area as f64 / UNIT / 1e9;
        (seconds(self.busy_area(now)), seconds(self.servers.integral(now)))
    }

    /// Begins anew at `now`, the end of the warm-up, with the requests and servers there are.
    pub fn reset(&mut self, now: SimTime) {
        self.advance(now);
        let present = self.in_system();
        let mut fresh = Self::of(self.shared, 0.0);
        (fresh.waiting, fresh.serving) = (self.waiting, self.serving);
        (fresh.servers, fresh.busy) = (self.servers, self.busy);
        for level in [&mut fresh.waiting, &mut fresh.serving, &mut fresh.servers, &mut fresh.busy] {
            level.reset(now);
        }
        fresh.since = now.as_nanos();
        #[cfg(debug_assertions)]
        {
            fresh.advanced = now;
        }
        fresh.open_window(now.as_nanos());
        // Who joined in this very instant belongs to what follows.
        let just_joined = if self.presence.latest == now.as_nanos() { self.presence.at_latest } else { 0 };
        fresh.counts.arrivals = just_joined;
        fresh.counts.older = present.saturating_sub(just_joined);
        fresh.presence.joined = u128::from(present) * u128::from(now.as_nanos());
        fresh.presence.torn = self.presence.torn;
        (fresh.presence.latest, fresh.presence.at_latest) = (self.presence.latest, self.presence.at_latest);
        *self = fresh;
    }

    /// The figures up to `now`.
    #[must_use]
    pub fn observe(&self, name: &str, resource: &str, now: SimTime) -> StationObservations {
        let mut at = self.clone();
        at.advance(now);
        let (waiting, serving, servers) =
            (at.waiting.integral(now), at.serving.integral(now), at.servers.integral(now));
        let span = (now.as_nanos() - at.since) as f64;
        let utilisation = utilisation(at.busy_area(now) as f64, servers as f64);
        // Shorter than a minute: the whole of it is the peak.
        let (peak, peak_at) =
            if at.window.peak.is_nan() { (utilisation, at.since) } else { (at.window.peak, at.window.peak_at) };
        let mean = |sum: u128, count: u64| sum as f64 / count as f64 / 1e9;
        StationObservations {
            name: name.to_owned(),
            resource: resource.to_owned(),
            servers: servers as f64 / UNIT / span,
            utilisation,
            utilisation_peak: peak,
            utilisation_peak_at: SimTime::from_nanos(peak_at),
            mean_in_system: (waiting + serving) as f64 / span,
            mean_waiting: waiting as f64 / span,
            max_waiting: at.waiting.max() as u64,
            mean_wait: mean(at.counts.wait_sum, at.counts.started),
            mean_sojourn: mean(at.counts.sojourn_sum, at.counts.left),
            arrivals: at.counts.arrivals,
            completions: at.counts.completions,
            lost: at.counts.lost,
        }
    }

    /// Checks the laws that every station obeys, up to `now`:
    /// - Little's law as an identity of whole nanoseconds: the number present, integrated over time, is the sum of the time
    ///   spent by those who left and of the time spent so far by those still there;
    /// - flow: of those who joined since the reset, each left, was lost or is present;
    /// - no more servers were busy than there were.
    #[must_use]
    pub fn check(&self, now: SimTime) -> Vec<AuditCheck> {
        let area = self.waiting.integral(now) + self.serving.integral(now);
        let (busy, servers) = (self.busy_area(now), self.servers.integral(now));
        let present = u128::from(self.in_system()) * u128::from(now.as_nanos());
        let spent = (self.presence.spent + present).checked_sub(self.presence.joined);
        let little = spent == Some(area) && !self.presence.torn;
        let counts = self.counts;
        let here = self.in_system().checked_sub(counts.older);
        let flow = here.map(|here| counts.completions + counts.lost + here) == Some(counts.arrivals);
        vec![
            AuditCheck {
                law: "Little's law: number present over time = time spent".to_owned(),
                found: format!(
                    "{area} ns = {} ns{}",
                    spent.map_or("?".to_owned(), |spent| spent.to_string()),
                    if self.presence.torn { ", but a request left that had not joined when it said" } else { "" }
                ),
                holds: little,
            },
            AuditCheck {
                law: "flow: joined = served + lost + present".to_owned(),
                found: format!(
                    "{} = {} + {} + {}",
                    counts.arrivals,
                    counts.completions,
                    counts.lost,
                    here.map_or("?".to_owned(), |here| here.to_string())
                ),
                holds: flow,
            },
            AuditCheck {
                law: "utilisation <= 1".to_owned(),
                found: format!("{:.6}", busy as f64 / servers as f64),
                holds: busy <= servers,
            },
        ]
    }
}

/// Busy time over the servers' time; NaN where there was no server, though a station of any number keeps requests all the same.
fn utilisation(busy: f64, servers: f64) -> f64 {
    if servers > 0.0 { busy / servers } else { f64::NAN }
}

#[cfg(test)]
mod tests;
