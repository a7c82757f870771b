//! One long run in batches: what services found up to the end of each batch, and from that what was found in each. Nobody is reset in
//! between, so that a run with batches is the same run.

use sim_core::observations::{Audit, DowntimeWindow, Ledger, Observations, RouteObservations, StationObservations};
use sim_core::{SimDuration, SimTime};

use crate::architecture::Run;
use crate::observer::Findings;

/// What was found since the warm-up, up to the end of each batch.
#[derive(Debug)]
pub(crate) struct Batches {
    begin: SimTime,
    length: SimDuration,
    number: usize,
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    at: SimTime,
    stations: Vec<StationObservations>,
}

impl Batches {
    /// If the run is observed in batches.
    pub(crate) fn new(run: &Run) -> Option<Self> {
        let number = run.spans.batches as usize;
        (number > 0).then(|| Self {
            begin: SimTime::ZERO + run.warm_up,
            length: run.batch(),
            number,
            found: Vec::new(),
        })
    }

    /// Length of a batch.
    pub(crate) fn length(&self) -> SimDuration {
        self.length
    }

    /// A batch ends; whether another ends before the run does.
    pub(crate) fn end(&mut self, now: SimTime, findings: Findings) -> bool {
        self.found.push(Found { at: now, stations: findings.stations });
        self.found.len() + 1 < self.number
    }

    /// The run is over: one set of observations a batch.
    pub(crate) fn finish(
        mut self,
        now: SimTime,
        findings: &Findings,
        routes: Vec<Vec<RouteObservations>>,
        downtime: &[DowntimeWindow],
    ) -> Vec<Observations> {
        self.found.truncate(self.number - 1);
        self.found.push(Found { at: now, stations: findings.stations.clone() });
        let nothing = Found { at: self.begin, stations: Vec::new() };
        let before = std::iter::once(&nothing).chain(&self.found);
        let batch = |((before, after), routes): ((&Found, &Found), Vec<RouteObservations>)| Observations {
            replication: 0,
            horizon: after.at,
            warm_up: before.at,
            routes,
            stations: stations(before, after, self.begin),
            series: Vec::new(),
            log: Vec::new(),
            log_dropped: 0,
            downtime: downtime.iter().filter(|it| (before.at..after.at).contains(&it.from)).cloned().collect(),
            objective: None,
            ledger: Ledger::default(),
            counters: Vec::new(),
            tables: Vec::new(),
            usage: Vec::new(),
            notes: Vec::new(),
            audit: Audit::default(),
            in_flight: Vec::new(),
            batches: Vec::new(),
            latency_by_arrival: Vec::new(),
            customers: 0,
            digest: 0,
            events: 0,
        };
        before.zip(&self.found).zip(routes).map(batch).collect()
    }
}

fn stations(before: &Found, after: &Found, begin: SimTime) -> Vec<StationObservations> {
    let until = after.at.since(begin).as_secs_f64();
    let from = before.at.since(begin).as_secs_f64();
    let station = |late: &StationObservations| match before.stations.iter().find(|it| it.name == late.name) {
        Some(early) => between(early, from, late, until),
        None => of_span(late.clone()),
    };
    after.stations.iter().map(station).collect()
}

/// What is the most or the highest of a whole run says nothing of a span.
fn of_span(station: StationObservations) -> StationObservations {
    StationObservations { utilisation_peak: f64::NAN, max_waiting: 0, ..station }
}

/// The figures of a station between two instants, from those up to each (`from` and `until` in seconds since counting began).
fn between(early: &StationObservations, from: f64, late: &StationObservations, until: f64) -> StationObservations {
    let mean = |level: fn(&StationObservations) -> f64| {
        (known(level(late)) * until - known(level(early)) * from) / (until - from)
    };
    let busy = mean(|it| known(it.utilisation) * it.servers);
    let servers = mean(|it| it.servers);
    // Mean over those who left in between.
    let over = |time: fn(&StationObservations) -> f64| {
        let total = |it: &StationObservations| known(time(it)) * it.completions as f64;
        (total(late) - total(early)) / (late.completions - early.completions) as f64
    };
    of_span(StationObservations {
        servers,
        utilisation: busy / servers,
        mean_in_system: mean(|it| it.mean_in_system),
        mean_waiting: mean(|it| it.mean_waiting),
        mean_wait: over(|it| it.mean_wait),
        mean_sojourn: over(|it| it.mean_sojourn),
        arrivals: late.arrivals - early.arrivals,
        completions: late.completions - early.completions,
        lost: late.lost - early.lost,
        ..late.clone()
    })
}

/// What had no value yet adds nothing.
fn known(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}
