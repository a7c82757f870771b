//! Who counts: the fate of every operation by route, figures over time, the event log, downtime. Memory is flat in the number
//! of requests.

use sim_core::digest::Digest;
use sim_core::observations::{
    self, ArrivalWindow, AuditCheck, Counter, DowntimeWindow, LogEntry, LogKind, Minute, RouteObservations, Series,
    SeriesGroup, StationObservations, Table, Usage,
};
use sim_core::tally::Histogram;
use sim_core::{SimDuration, SimTime};

use crate::architecture::{Run, part};
use crate::ids::*;
use crate::ledger::{self, Ledger};
use crate::request::*;
use crate::world::Cx;

/// What every service does for the observer, beside serving.
pub trait Observed {
    /// Publishes the CloudWatch metrics of the period that ends now.
    fn publish(&mut self, _cx: &mut Cx<'_>) {}
    /// Publishes the metrics of high resolution, each [`crate::cloudwatch::FINE_PERIOD`].
    fn publish_fine(&mut self, _cx: &mut Cx<'_>) {}
    /// Counting starts: tallies forget what was, levels stay.
    fn warm_up_over(&mut self, _now: SimTime) {}
    /// A bin of the figures ends: puts its values.
    fn sample(&mut self, _now: SimTime, _figures: &mut Figures) {}
    /// The run is over: hands over stations, counters and audit checks.
    fn finish(&mut self, _now: SimTime, _findings: &mut Findings) {}
}

/// What the services hand over at the end.
#[derive(Debug, Default)]
pub struct Findings {
    /// Stations.
    pub stations: Vec<StationObservations>,
    /// Totals.
    pub counters: Vec<Counter>,
    /// Tables.
    pub tables: Vec<Table>,
    /// What was used of what is paid for.
    pub usage: Vec<Usage>,
    /// Laws checked.
    pub checks: Vec<AuditCheck>,
    /// Figures over time that are only known at the end.
    pub series: Vec<Series>,
}

impl Findings {
    /// Adds a total.
    pub fn count(&mut self, subject: &str, name: &str, value: f64) {
        self.counters.push(Counter { subject: subject.to_owned(), name: name.to_owned(), value });
    }
    /// Adds what was used of something that is paid for, unless it was nothing; NaN where nobody knows how much.
    pub fn used(&mut self, usage: Usage) {
        if usage.quantity > 0.0 || usage.quantity.is_nan() {
            self.usage.push(usage);
        }
    }
    /// Adds a law that was checked.
    pub fn check(&mut self, law: impl Into<String>, holds: bool, found: impl Into<String>) {
        self.checks.push(AuditCheck { law: law.into(), holds, found: found.into() });
    }
}

/// Names a figure over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FigureId(u16);

/// Figures over time, in equal bins.
#[derive(Debug)]
pub struct Figures {
    bin: SimDuration,
    bins: usize,
    series: Vec<Series>,
}

/// At most about this many bins.
const BINS: u64 = 240;

impl Figures {
    fn new(duration: SimDuration) -> Self {
        // Round widths make readable axes; runs shorter than a few minutes get what the division gives.
        let least = duration.as_nanos().div_ceil(BINS).max(1_000_000);
        let nice = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];
        let bin = nice
            .iter()
            .map(|&seconds| SimDuration::from_secs(seconds))
            .find(|nice| least > 500_000_000 && nice.as_nanos() >= least)
            .unwrap_or(SimDuration::from_nanos(least));
        Self { bin, bins: duration.as_nanos().div_ceil(bin.as_nanos()) as usize, series: Vec::new() }
    }
    /// Width of a bin.
    #[must_use]
    pub fn bin(&self) -> SimDuration {
        self.bin
    }
    /// Makes a figure known; its bins hold NaN until put.
    pub fn register(&mut self, group: SeriesGroup, name: impl Into<String>, unit: &str) -> FigureId {
        let values = vec![f64::NAN; self.bins];
        self.series.push(Series { group, name: name.into(), unit: unit.to_owned(), bin: self.bin, values });
        FigureId((self.series.len() - 1) as u16)
    }
    /// Puts the value of the bin that ends `now`.
    pub fn put(&mut self, figure: FigureId, now: SimTime, value: f64) {
        let bin = (now.as_nanos().saturating_sub(1) / self.bin.as_nanos()) as usize;
        if let Some(place) = self.series[figure.0 as usize].values.get_mut(bin) {
            *place = value;
        }
    }
}

/// Seconds of operations, by intended start, that may still get answers; older ones count for the oldest open second.
const OPEN_SECONDS: usize = 256;
/// A good gap of up to this many seconds does not split a window of downtime.
const DOWNTIME_GAP_SECONDS: u64 = 5;
/// Log entries kept.
const LOG_CAPACITY: usize = 20_000;

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    ended: u32,
    failed: u32,
    /// Time that those took which ended well.
    latency_nanos: u64,
    causes: [u16; Cause::COUNT],
}

#[derive(Debug)]
struct Route {
    fates: Fates,
    minutes: Vec<Minute>,
    seconds: Vec<Second>,
    window: Option<Window>,
}

/// What became of some operations of a route.
#[derive(Clone, Debug, Default)]
struct Fates {
    started: u64,
    succeeded: u64,
    attempts: u64,
    failed: [u64; Cause::COUNT],
    latency: Histogram,
    latency_failed: Histogram,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    from_second: u64,
    last_bad_second: u64,
    lost: u64,
    started: u64,
    /// Good seconds since the last bad one, not yet part of the window.
    pending_lost: u64,
    pending_started: u64,
    causes: [u64; Cause::COUNT],
}

/// Counts.
#[derive(Debug)]
pub struct Observer {
    run: Run,
    names: Vec<String>,
    routes: Vec<Route>,
    /// First second (since the start) that is still open.
    open_from: u64,
    downtime: Vec<DowntimeWindow>,
    log: Vec<LogEntry>,
    log_dropped: u64,
    /// The downtime ledger.
    pub ledger: Ledger,
    /// Figures over time.
    pub figures: Figures,
    bin_latency: Histogram,
    bin_ended: [u64; Cause::COUNT],
    cause_figures: [Option<FigureId>; Cause::COUNT],
    latency_figures: [FigureId; 3],
    digest: Digest,
    customers: Digest,
    started_in_all: u64,
    ended_in_all: u64,
    in_flight: Vec<u64>,
    /// By arrival, if the run is observed in windows.
    windows: Vec<ArrivalWindow>,
    window: SimDuration,
    /// By batch of arrival and route, if the run is observed in batches.
    batches: Vec<Vec<Fates>>,
    batch: SimDuration,
    deploying: Deploying,
}

/// What became of operations that started while a deployment was under way.
#[derive(Debug, Default)]
struct Deploying {
    /// How many are under way.
    depth: u32,
    /// From when until when at least one was; the last may be open.
    spans: Vec<(SimTime, Option<SimTime>)>,
    failed: u64,
    latency: Histogram,
}

impl Deploying {
    /// An operation ends for good, which may have started while a deployment was under way.
    #[inline(never)]
    fn operation_ends(&mut self, started: SimTime, latency: SimDuration, outcome: Outcome) {
        if self.was_under_way(started) {
            match outcome.cause {
                Cause::None => self.latency.record(latency),
                _ => self.failed += 1,
            }
        }
    }

    fn was_under_way(&self, at: SimTime) -> bool {
        // Operations end soon after they start: the latest spans are looked at first.
        let spans = self.spans.iter().rev();
        spans.take_while(|span| span.1.is_none_or(|until| at < until)).any(|&(from, _)| from <= at)
    }
}

/// The subject of the totals about deployments.
pub const DEPLOYMENTS: &str = "deployments";

const LATENCY_QUANTILES: [(f64, &str); 3] = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")];

impl Observer {
    /// An observer of these routes.
    #[must_use]
    pub fn new(run: &Run, routes: &[String]) -> Self {
        let mut figures = Figures::new(run.duration);
        let latency_figures = LATENCY_QUANTILES.map(|(_, name)| figures.register(SeriesGroup::Latency, name, "s"));
        let mut cause_figures = [None; Cause::COUNT];
        cause_figures[0] = Some(figures.register(SeriesGroup::Requests, "succeeded", "1/s"));
        Self {
            run: run.clone(),
            names: routes.to_vec(),
            routes: routes.iter().map(|_| Route::new()).collect(),
            open_from: 0,
            downtime: Vec::new(),
            log: Vec::new(),
            log_dropped: 0,
            ledger: Ledger::new(routes.len()),
            figures,
            bin_latency: Histogram::new(),
            bin_ended: [0; Cause::COUNT],
            cause_figures,
            latency_figures,
            digest: Digest::new(),
            customers: Digest::new(),
            started_in_all: 0,
            ended_in_all: 0,
            in_flight: Vec::new(),
            windows: vec![ArrivalWindow::default(); run.spans.arrival_windows as usize],
            window: part(run.duration, run.spans.arrival_windows),
            batches: vec![vec![Fates::default(); routes.len()]; run.spans.batches as usize],
            batch: run.batch(),
            deploying: Deploying::default(),
        }
    }

    /// A deployment begins (true) or is over.
    pub fn deploying(&mut self, now: SimTime, begins: bool) {
        let it = &mut self.deploying;
        it.depth = if begins { it.depth + 1 } else { it.depth - 1 };
        match (begins, it.depth) {
            (true, 1) => it.spans.push((now, None)),
            (false, 0) => it.spans.last_mut().into_iter().for_each(|span| span.1 = Some(now)),
            _ => {}
        }
    }

    fn counts(&self, started: SimTime) -> bool {
        started.as_nanos() >= self.run.warm_up.as_nanos()
    }

    /// Does something to the books of a route, and to those of the batch in which the operation arrived.
    #[inline]
    fn book(&mut self, route: RouteId, started: SimTime, write: impl Fn(&mut Fates)) {
        if !self.counts(started) {
            return;
        }
        write(&mut self.routes[route.index()].fates);
        if !self.batches.is_empty() {
            write(self.book_of_batch(route, started));
        }
    }

    #[inline(never)]
    fn book_of_batch(&mut self, route: RouteId, started: SimTime) -> &mut Fates {
        let since = started.as_nanos() - self.run.warm_up.as_nanos();
        let batch = ((since / self.batch.as_nanos()) as usize).min(self.batches.len() - 1);
        &mut self.batches[batch][route.index()]
    }

    /// An operation starts.
    #[inline(always)]
    pub fn operation_starts(&mut self, request: &Request) {
        self.started_in_all += 1;
        let asked =
            u64::from(request.path.0) << 32 ^ u64::from(request.object) ^ u64::from(request.bytes).rotate_left(16);
        let when = request.started.as_nanos().rotate_left(20);
        self.customers.push(request.stream ^ when ^ asked.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        self.book(request.route, request.started, |fates| fates.started += 1);
    }
    /// An attempt of an operation is made.
    pub fn attempt(&mut self, route: RouteId, started: SimTime) {
        self.book(route, started, |fates| fates.attempts += 1);
    }
    /// An operation ends for good.
    #[inline(always)]
    pub fn operation_ends(&mut self, route: RouteId, started: SimTime, now: SimTime, outcome: Outcome) {
        self.ended_in_all += 1;
        let cause = outcome.cause as usize;
        let latency = now - started;
        self.digest.push(started.as_nanos() ^ ((cause as u64) << 56) ^ (u64::from(route.0) << 40));
        self.digest.push(latency.as_nanos());
        self.bin_ended[cause] += 1;
        let second = started.as_nanos() / 1_000_000_000;
        if now.as_nanos() / 1_000_000_000 >= self.open_from + OPEN_SECONDS as u64 {
            self.close_seconds(now.as_nanos() / 1_000_000_000 + 1 - OPEN_SECONDS as u64);
        }
        let second = second.max(self.open_from) as usize % OPEN_SECONDS;
        if !self.deploying.spans.is_empty() {
            self.deploying.operation_ends(started, latency, outcome);
        }
        let open = &mut self.routes[route.index()].seconds[second];
        open.ended += 1;
        if cause == 0 {
            open.latency_nanos += latency.as_nanos();
            self.bin_latency.record(latency);
            if !self.windows.is_empty() {
                self.record_by_arrival(started, latency);
            }
            self.book(route, started, |fates| {
                fates.succeeded += 1;
                fates.latency.record(latency);
            });
        } else {
            open.failed += 1;
            open.causes[cause] = open.causes[cause].saturating_add(1);
            self.operation_failed(route, started, now, outcome.cause);
        }
    }

    #[cold]
    #[inline(never)]
    fn operation_failed(&mut self, route: RouteId, started: SimTime, now: SimTime, cause: Cause) {
        self.book(route, started, |fates| {
            fates.failed[cause as usize] += 1;
            fates.latency_failed.record(now - started);
        });
        if self.counts(started) {
            self.ledger.operation_lost(route, cause, started, now);
        }
    }

    #[inline(never)]
    fn record_by_arrival(&mut self, started: SimTime, latency: SimDuration) {
        let at = ((started.as_nanos() / self.window.as_nanos()) as usize).min(self.windows.len() - 1);
        self.windows[at].count += 1;
        self.windows[at].latency_sum_nanos += u128::from(latency.as_nanos());
    }

    /// Seconds before `until` take no more answers: bad ones become windows of downtime.
    #[cold]
    fn close_seconds(&mut self, until: u64) {
        for second in self.open_from..until.min(self.open_from + OPEN_SECONDS as u64) {
            let place = second as usize % OPEN_SECONDS;
            self.ledger.second_closes(second, self.routes.iter().map(|route| route.seconds[place].served()));
            let counts = SimTime::from_secs(second) >= SimTime::ZERO + self.run.warm_up;
            for (index, route) in self.routes.iter_mut().enumerate() {
                let seen = std::mem::take(&mut route.seconds[place]);
                if counts && seen.ended > 0 {
                    route.count_minute(second, &seen);
                }
                let bad = f64::from(seen.failed) > self.run.downtime_error_rate * f64::from(seen.ended);
                let over = |window: &mut Window| !bad && second > window.last_bad_second + DOWNTIME_GAP_SECONDS;
                if let Some(window) = route.window.take_if(over) {
                    self.downtime.push(window.close(&self.names[index]));
                }
                if bad && route.window.is_none() {
                    route.window = Some(Window::new(second));
                }
                if let Some(window) = &mut route.window {
                    // What was lost in the warm-up is in no other figure either.
                    window.add(second, bad, &if counts { seen } else { Second::default() });
                }
            }
        }
        self.open_from = until.max(self.open_from);
    }

    /// Writes into the event log.
    pub fn log(&mut self, at: SimTime, kind: LogKind, subject: &str, what: impl Into<String>) {
        self.log_span(at, None, kind, subject, what);
    }
    /// Writes something that lasts (until a known instant) into the event log.
    pub fn log_span(
        &mut self,
        at: SimTime,
        until: Option<SimTime>,
        kind: LogKind,
        subject: &str,
        what: impl Into<String>,
    ) {
        if self.log.len() < LOG_CAPACITY {
            self.log.push(LogEntry { at, until, kind, subject: subject.to_owned(), what: what.into() });
        } else {
            self.log_dropped += 1;
        }
    }
    /// Says when the last open-ended entry of this kind and subject was over (a deployment, a failover).
    pub fn log_over(&mut self, until: SimTime, kind: LogKind, subject: &str) {
        if let Some(entry) = self
            .log
            .iter_mut()
            .rev()
            .find(|entry| entry.kind == kind && entry.subject == subject && entry.until.is_none())
        {
            entry.until = Some(until);
        }
    }

    /// A bin of the figures ends.
    pub fn end_bin(&mut self, now: SimTime) {
        let bin_start = (now.as_nanos() - 1) / self.figures.bin.as_nanos() * self.figures.bin.as_nanos();
        let seconds = now.since(SimTime::from_nanos(bin_start)).as_secs_f64();
        if self.bin_latency.count() > 0 {
            for (figure, (quantile, _)) in self.latency_figures.into_iter().zip(LATENCY_QUANTILES) {
                self.figures.put(figure, now, self.bin_latency.quantile(quantile));
            }
        }
        self.bin_latency.clear();
        self.in_flight.push(self.started_in_all - self.ended_in_all);
        for cause in Cause::ALL {
            let ended = std::mem::take(&mut self.bin_ended[cause as usize]);
            if ended > 0 && self.cause_figures[cause as usize].is_none() {
                let figure = self.figures.register(SeriesGroup::Requests, cause.name(), "1/s");
                // A cause that never was until now had the rate 0, not none.
                let place = &mut self.figures.series[figure.0 as usize].values;
                let bin = (now.as_nanos() - 1) / self.figures.bin.as_nanos();
                place[..bin as usize].fill(0.0);
                self.cause_figures[cause as usize] = Some(figure);
            }
            if let Some(figure) = self.cause_figures[cause as usize] {
                self.figures.put(figure, now, ended as f64 / seconds);
            }
        }
    }

    /// Closes the books. `in_flight[r]`: operations of route `r` found on their way and counted; `in_flight_in_all`: with those
    /// of the warm-up.
    pub fn finish(mut self, now: SimTime, in_flight: &[u64], in_flight_in_all: u64, findings: &mut Findings) -> Books {
        let last = now.as_nanos().div_ceil(1_000_000_000);
        while self.open_from < last {
            self.close_seconds(last);
        }
        for (index, route) in self.routes.iter_mut().enumerate() {
            if let Some(window) = route.window.take() {
                self.downtime.push(window.close(&self.names[index]));
            }
        }
        let warm_up = SimTime::ZERO + self.run.warm_up;
        self.downtime.retain(|window| window.until > warm_up);
        for window in &mut self.downtime {
            window.blamed_on = blame(&self.log, window);
            window.phases = self.ledger.phases_between(window.from, window.until);
        }
        self.downtime.sort_by(|a, b| (a.from, &a.route).cmp(&(b.from, &b.route)));
        findings.check(
            "flow: operations started = ended + in flight",
            self.started_in_all == self.ended_in_all + in_flight_in_all,
            format!("{} = {} + {}", self.started_in_all, self.ended_in_all, in_flight_in_all),
        );
        if !self.deploying.spans.is_empty() {
            let latency = &self.deploying.latency;
            let p99 = if latency.is_empty() { f64::NAN } else { latency.quantile(0.99) };
            findings.count(DEPLOYMENTS, "p99_during_s", p99);
            findings.count(DEPLOYMENTS, "failed_during", self.deploying.failed as f64);
        }
        let failed = self.routes.iter().flat_map(|route| route.fates.failed).sum();
        let ledger = self.ledger.finish(now, warm_up, &self.names, failed, findings);
        let batches = self.batches.into_iter().map(|routes| {
            let observed = routes.into_iter().zip(&self.names).map(|(fates, name)| {
                let ended = fates.succeeded + fates.failed.iter().sum::<u64>();
                let in_flight = fates.started - ended;
                fates.observed(name.clone(), in_flight, Vec::new())
            });
            observed.collect()
        });
        let batches = batches.collect();
        let mut routes = Vec::new();
        for ((name, route), &in_flight) in self.names.into_iter().zip(self.routes).zip(in_flight) {
            let Fates { started, succeeded, .. } = route.fates;
            let failed: u64 = route.fates.failed.iter().sum();
            findings.check(
                format!("flow of {name}: started = succeeded + failed + in flight"),
                started == succeeded + failed + in_flight,
                format!("{started} = {succeeded} + {failed} + {in_flight}"),
            );
            routes.push(route.fates.observed(name, in_flight, route.minutes));
        }
        Books {
            routes,
            batches,
            latency_by_arrival: self.windows,
            in_flight: self.in_flight,
            customers: self.customers.finish(),
            series: self.figures.series,
            log: self.log,
            log_dropped: self.log_dropped,
            downtime: self.downtime,
            ledger,
            digest: self.digest.finish(),
        }
    }
}

/// The observer's part of the observations.
#[derive(Debug)]
pub struct Books {
    /// See [`sim_core::observations::Observations::routes`].
    pub routes: Vec<RouteObservations>,
    /// The same of each batch.
    pub batches: Vec<Vec<RouteObservations>>,
    /// See [`sim_core::observations::Observations::latency_by_arrival`].
    pub latency_by_arrival: Vec<ArrivalWindow>,
    /// See [`sim_core::observations::Observations::in_flight`].
    pub in_flight: Vec<u64>,
    /// See [`sim_core::observations::Observations::customers`].
    pub customers: u64,
    /// See [`sim_core::observations::Observations::series`].
    pub series: Vec<Series>,
    /// See [`sim_core::observations::Observations::log`].
    pub log: Vec<LogEntry>,
    /// See [`sim_core::observations::Observations::log_dropped`].
    pub log_dropped: u64,
    /// See [`sim_core::observations::Observations::downtime`].
    pub downtime: Vec<DowntimeWindow>,
    /// See [`sim_core::observations::Observations::ledger`].
    pub ledger: observations::Ledger,
    /// See [`sim_core::observations::Observations::digest`].
    pub digest: u64,
}

impl Route {
    fn new() -> Self {
        let seconds = vec![Second::default(); OPEN_SECONDS];
        Self { fates: Fates::default(), minutes: Vec::new(), seconds, window: None }
    }

    fn count_minute(&mut self, second: u64, seen: &Second) {
        let minute = (second / 60) as usize;
        if self.minutes.len() <= minute {
            self.minutes.resize(minute + 1, Minute::default());
        }
        self.minutes[minute].ended += seen.ended;
        self.minutes[minute].failed += seen.failed;
    }
}

impl Second {
    fn served(&self) -> ledger::Second {
        ledger::Second { ended: self.ended, failed: self.failed, latency_nanos: self.latency_nanos }
    }
}

impl Fates {
    fn observed(self, name: String, in_flight: u64, minutes: Vec<Minute>) -> RouteObservations {
        let failed = Cause::ALL.into_iter().filter(|&cause| self.failed[cause as usize] > 0);
        RouteObservations {
            name,
            started: self.started,
            succeeded: self.succeeded,
            failed: failed.map(|cause| (cause.name().to_owned(), self.failed[cause as usize])).collect(),
            in_flight,
            attempts: self.attempts,
            latency: self.latency,
            latency_failed: self.latency_failed,
            minutes,
        }
    }
}

impl Window {
    fn new(second: u64) -> Self {
        Self {
            from_second: second,
            last_bad_second: second,
            lost: 0,
            started: 0,
            pending_lost: 0,
            pending_started: 0,
            causes: [0; Cause::COUNT],
        }
    }
    fn add(&mut self, second: u64, bad: bool, seen: &Second) {
        self.pending_lost += u64::from(seen.failed);
        self.pending_started += u64::from(seen.ended);
        for (sum, &count) in self.causes.iter_mut().zip(&seen.causes) {
            *sum += u64::from(count);
        }
        if bad {
            self.last_bad_second = second;
            self.lost += std::mem::take(&mut self.pending_lost);
            self.started += std::mem::take(&mut self.pending_started);
        }
    }
    fn close(&self, route: &str) -> DowntimeWindow {
        let cause = Cause::ALL
            .into_iter()
            .max_by_key(|&cause| (self.causes[cause as usize], std::cmp::Reverse(cause)))
            .unwrap_or_default();
        DowntimeWindow {
            route: route.to_owned(),
            from: SimTime::from_secs(self.from_second),
            until: SimTime::from_secs(self.last_bad_second + 1),
            lost: self.lost,
            started: self.started,
            cause: cause.name().to_owned(),
            blamed_on: None,
            phases: Vec::new(),
        }
    }
}

/// How long before a window something may have begun that it is blamed on.
const BLAME_WITHIN: SimDuration = SimDuration::from_secs(300);

/// The fault, deployment or failover that was last to begin before the window did, or still lasted then.
fn blame(log: &[LogEntry], window: &DowntimeWindow) -> Option<String> {
    log.iter()
        .filter(|entry| matches!(entry.kind, LogKind::Fault | LogKind::Deployment | LogKind::Failover))
        .filter(|entry| entry.at.floor_to(SimDuration::from_secs(1)) <= window.from)
        .rfind(|entry| {
            window.from.since(entry.at) <= BLAME_WITHIN || entry.until.is_some_and(|until| until >= window.from)
        })
        .map(|entry| format!("{} {}", entry.subject, entry.what))
}
