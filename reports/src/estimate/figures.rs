//! From observations to figures: first of each replication, as plain numbers, then estimates over all.

use sim_core::observations::{DowntimeWindow, Objective, Observations, Phase, RouteObservations, StationObservations};
use sim_core::tally::Histogram;
use sim_core::{SimDuration, SimTime};

use super::budget::Minutes;
use super::interval::Level;
use super::ledger;
use crate::cost::{self, Pricing};
use crate::model::ledger::{ErrorBudget, Uptime};
use crate::model::{Downtime, Estimate, Figures, Latency, LatencyEstimate, Requests, Route, Station, StationFigures};
use crate::named::Named;

/// A percentile is weak if fewer operations a replication than this lie beyond it.
const WEAK_BELOW: f64 = 10.0;

type Raw = Figures<f64, f64>;

/// The figures of one replication.
pub(super) fn of_replication(observations: &Observations, pricing: &Pricing) -> Raw {
    let mut routes = Named::new();
    for route in &observations.routes {
        let windows: Vec<_> = observations.downtime.iter().filter(|window| window.route == route.name).collect();
        let down = downtime(&windows, observations.warm_up);
        let objective = observations.objective.as_ref().and_then(|it| it.of_route(&route.name));
        routes.entry(&route.name, || of_routes(observations, &[route], down, objective));
    }
    let all_routes: Vec<_> = observations.routes.iter().collect();
    let all_windows: Vec<_> = observations.downtime.iter().collect();
    let objective = observations.objective.as_ref().and_then(Objective::of_all);
    let total = of_routes(observations, &all_routes, downtime(&all_windows, observations.warm_up), objective);
    let mut stations = Named::new();
    for station in &observations.stations {
        stations.entry(&station.name, || of_station(station));
    }
    let cost = cost::figures(observations, pricing);
    let ledger = ledger::of_replication(observations);
    Figures { total, routes, stations, counters: counters(observations), cost, ledger }
}

/// The figures of all given routes together.
fn of_routes(
    observations: &Observations,
    routes: &[&RouteObservations],
    downtime: Downtime<f64>,
    objective: Option<(f64, SimDuration)>,
) -> Route<f64, f64> {
    let measured_s = observations.horizon.since(observations.warm_up).as_secs_f64();
    let minutes = Minutes::of(observations, routes);
    let (uptime, error_budget) = (minutes.uptime(downtime.total_s, measured_s), minutes.budget(objective));
    let route = counted(routes, downtime, measured_s);
    Route { uptime, error_budget, ..route }
}

/// The same without what needs to be known by minute.
fn counted(routes: &[&RouteObservations], downtime: Downtime<f64>, measured_s: f64) -> Route<f64, f64> {
    let total = |count: fn(&RouteObservations) -> u64| routes.iter().map(|route| count(route)).sum::<u64>() as f64;
    let failed_of = |route: &RouteObservations| route.failed.iter().map(|(_, count)| *count).sum::<u64>();
    let requests = Requests {
        started: total(|route| route.started),
        succeeded: total(|route| route.succeeded),
        failed: routes.iter().map(|route| failed_of(route)).sum::<u64>() as f64,
        in_flight: total(|route| route.in_flight),
        attempts: total(|route| route.attempts),
    };
    let mut errors = Named::new();
    for (cause, count) in routes.iter().flat_map(|route| &route.failed) {
        *errors.entry(cause, || 0.0) += *count as f64;
    }
    // 0 / 0 is NaN: no ended operation, no share.
    let ended = requests.succeeded + requests.failed;
    Route {
        throughput: if measured_s > 0.0 { requests.succeeded / measured_s } else { f64::NAN },
        availability: requests.succeeded / ended,
        error_rate: requests.failed / ended,
        latency: latency(&merged(routes.iter().map(|route| &route.latency))),
        latency_failed: latency(&merged(routes.iter().map(|route| &route.latency_failed))),
        requests,
        errors,
        downtime,
        uptime: Uptime::filled(f64::NAN),
        error_budget: ErrorBudget::filled(f64::NAN),
    }
}

/// All histograms in one.
pub(super) fn merged<'a>(histograms: impl IntoIterator<Item = &'a Histogram>) -> Histogram {
    let mut all = Histogram::new();
    for histogram in histograms {
        all.merge(histogram);
    }
    all
}

fn latency(histogram: &Histogram) -> Latency<f64> {
    if histogram.count() == 0 {
        return Latency::filled(f64::NAN);
    }
    Latency {
        mean: histogram.mean(),
        p50: histogram.quantile(0.5),
        p90: histogram.quantile(0.9),
        p95: histogram.quantile(0.95),
        p99: histogram.quantile(0.99),
        p999: histogram.quantile(0.999),
        max: histogram.max(),
    }
}

fn of_station(station: &StationObservations) -> Station<f64> {
    Station {
        resource: station.resource.clone(),
        utilisation_peak_at_s: station.utilisation_peak_at.as_secs_f64(),
        figures: StationFigures {
            utilisation: station.utilisation,
            utilisation_peak: station.utilisation_peak,
            servers: station.servers,
            mean_in_system: station.mean_in_system,
            mean_waiting: station.mean_waiting,
            max_waiting: station.max_waiting as f64,
            mean_wait: station.mean_wait,
            mean_sojourn: station.mean_sojourn,
            arrivals: station.arrivals as f64,
            completions: station.completions as f64,
            lost: station.lost as f64,
        },
    }
}

fn downtime(windows: &[&DowntimeWindow], warm_up: SimTime) -> Downtime<f64> {
    let mut counted: Vec<_> = windows.iter().filter(|window| window.until > warm_up).collect();
    counted.sort_by_key(|window| (window.from, window.until));
    let mut down = Downtime::filled(0.0);
    let mut end = warm_up;
    for window in &counted {
        // What windows of several routes share counts once.
        let from = window.from.max(end);
        down.total_s += window.until.since(from).as_secs_f64();
        for span in &window.phases {
            *phase_of(&mut down, span.phase) += span.until.since(span.from.max(from)).as_secs_f64();
        }
        end = end.max(window.until);
    }
    down.windows = counted.len() as f64;
    down.lost = counted.iter().map(|window| window.lost).sum::<u64>() as f64;
    down
}

fn phase_of(down: &mut Downtime<f64>, phase: Option<Phase>) -> &mut f64 {
    match phase {
        Some(Phase::Detection) => &mut down.detection_s,
        Some(Phase::Decision) => &mut down.decision_s,
        Some(Phase::Routing) => &mut down.routing_s,
        Some(Phase::Recovery) => &mut down.recovery_s,
        Some(Phase::WarmUp) => &mut down.warm_up_s,
        None => &mut down.no_phase_s,
    }
}

/// Totals by subject; where there are `hits` and `misses`, their `hit_ratio` too.
fn counters(observations: &Observations) -> Named<Named<f64>> {
    let mut subjects: Named<Named<f64>> = Named::new();
    for counter in &observations.counters {
        *subjects.entry(&counter.subject, Named::new).entry(&counter.name, || 0.0) += counter.value;
    }
    let caches = observations.counters.iter().filter(|counter| counter.name == "hits");
    for subject in caches.map(|counter| &counter.subject) {
        let totals = subjects.entry(subject, Named::new);
        if let (Some(hits), Some(misses)) = (totals.get("hits").copied(), totals.get("misses").copied()) {
            totals.entry("hit_ratio", || hits / (hits + misses));
        }
    }
    subjects
}

/// Gives every replication every name: a cause that did not occur in it counts 0, a station or counter that was not there has
/// no value.
pub(super) fn align(all: &mut [Raw]) {
    let mut names = all.first().cloned().unwrap_or_else(nothing);
    for raw in all.iter().skip(1) {
        complete(&mut names, raw);
    }
    for raw in all.iter_mut() {
        let mut own = std::mem::replace(raw, blank(&names));
        // In the common order: take the names from the blank, the values from the replication.
        fill(&mut own, raw);
        *raw = own;
    }
}

/// A replication in which nothing was observed.
pub(super) fn nothing() -> Raw {
    let total = counted(&[], Downtime::filled(0.0), 0.0);
    let (routes, stations, counters) = (Named::new(), Named::new(), Named::new());
    Figures { total, routes, stations, counters, cost: Named::new(), ledger: ledger::nothing() }
}

/// Adds the names that `names` lacks at their ends.
fn complete(names: &mut Raw, other: &Raw) {
    ledger::complete(&mut names.ledger, &other.ledger);
    for cause in other.total.errors.iter().map(|(cause, _)| cause) {
        names.total.errors.entry(cause, || 0.0);
    }
    for (name, route) in other.routes.iter() {
        let known = names.routes.entry(name, || route.clone());
        for (cause, _) in route.errors.iter() {
            known.errors.entry(cause, || 0.0);
        }
    }
    for (name, station) in other.stations.iter() {
        names.stations.entry(name, || station.clone());
    }
    for (subject, totals) in other.counters.iter() {
        let known = names.counters.entry(subject, Named::new);
        for (name, _) in totals.iter() {
            known.entry(name, || f64::NAN);
        }
    }
    for (name, _) in other.cost.iter() {
        names.cost.entry(name, || 0.0);
    }
}

/// The same names with no values.
fn blank(names: &Raw) -> Raw {
    let zero = |errors: &Named<f64>| errors.iter().map(|(cause, _)| (cause.to_owned(), 0.0)).collect();
    let mut raw = nothing();
    raw.total.errors = zero(&names.total.errors);
    raw.ledger = ledger::under(&names.ledger, &raw.ledger);
    for (name, route) in names.routes.iter() {
        let blank = counted(&[], Downtime::filled(0.0), 0.0);
        raw.routes.entry(name, || Route { errors: zero(&route.errors), ..blank });
    }
    for (name, station) in names.stations.iter() {
        let figures = StationFigures::filled(f64::NAN);
        raw.stations.entry(name, || Station { figures, utilisation_peak_at_s: f64::NAN, ..station.clone() });
    }
    for (subject, totals) in names.counters.iter() {
        let none = totals.iter().map(|(name, _)| (name.to_owned(), f64::NAN)).collect();
        raw.counters.entry(subject, || none);
    }
    raw.cost = zero(&names.cost);
    raw
}

/// Puts the values of `own` into the names of `blank`, and the result into `own`.
fn fill(own: &mut Raw, blank: &Raw) {
    /// What is not there is as in the blank.
    fn numbers(own: &mut Named<f64>, blank: &Named<f64>) {
        *own = blank.iter().map(|(cause, zero)| (cause.to_owned(), *own.get(cause).unwrap_or(zero))).collect();
    }
    numbers(&mut own.total.errors, &blank.total.errors);
    numbers(&mut own.cost, &blank.cost);
    own.ledger = ledger::under(&blank.ledger, &own.ledger);
    let routes = blank.routes.iter().map(|(name, none)| {
        let mut route = own.routes.get(name).unwrap_or(none).clone();
        numbers(&mut route.errors, &none.errors);
        (name.to_owned(), route)
    });
    own.routes = routes.collect();
    let stations = blank.stations.iter();
    let stations = stations.map(|(name, none)| (name.to_owned(), own.stations.get(name).unwrap_or(none).clone()));
    own.stations = stations.collect();
    let counters = blank.counters.iter().map(|(subject, none)| {
        let known = own.counters.get(subject);
        let value = |name| known.and_then(|totals| totals.get(name)).copied();
        let totals = none.iter().map(|(name, nan)| (name.to_owned(), value(name).unwrap_or(*nan)));
        (subject.to_owned(), totals.collect())
    });
    own.counters = counters.collect();
}

/// Estimates over replications that all have the same names.
pub(super) fn over(all: &[Raw], observations: &[Observations], level: Level) -> Figures<Estimate, LatencyEstimate> {
    let none = nothing();
    let first = all.first().unwrap_or(&none);
    let totals: Vec<_> = all.iter().map(|raw| &raw.total).collect();
    let every_route: Vec<_> = observations.iter().flat_map(|one| &one.routes).collect();
    let total = route(&totals, &every_route, level);
    let routes = first.routes.iter().map(|(name, _)| {
        let same: Vec<_> = all.iter().filter_map(|raw| raw.routes.get(name)).collect();
        let observed: Vec<_> = every_route.iter().copied().filter(|route| route.name == name).collect();
        (name.to_owned(), route(&same, &observed, level))
    });
    let routes = routes.collect();
    let stations = first.stations.iter().map(|(name, station)| {
        let same: Vec<_> = all.iter().filter_map(|raw| raw.stations.get(name)).collect();
        let figures: Vec<_> = same.iter().map(|station| &station.figures).collect();
        let figures = StationFigures::gather(&figures, |values| level.estimate(values));
        let at = highest(&same).map_or(f64::NAN, |(_, station)| station.utilisation_peak_at_s);
        (name.to_owned(), Station { resource: station.resource.clone(), utilisation_peak_at_s: at, figures })
    });
    let stations = stations.collect();
    let counters = first.counters.iter().map(|(subject, totals)| {
        let totals = totals.iter().map(|(name, _)| {
            let values = all.iter().filter_map(|raw| raw.counters.get(subject)?.get(name).copied());
            (name.to_owned(), level.estimate(&values.collect::<Vec<_>>()))
        });
        (subject.to_owned(), totals.collect())
    });
    let counters = counters.collect();
    let cost = first.cost.iter().map(|(name, _)| {
        let values = all.iter().filter_map(|raw| raw.cost.get(name).copied());
        (name.to_owned(), level.estimate(&values.collect::<Vec<_>>()))
    });
    let ledger = ledger::over(&all.iter().map(|raw| &raw.ledger).collect::<Vec<_>>(), level);
    Figures { total, routes, stations, counters, cost: cost.collect(), ledger }
}

/// Gives the figures of one long run the intervals of its batches: the run's own value, and half the Student interval of the mean over
/// batches, which are taken for independent. A count of the run is the sum of those of its batches, so its interval is as many times as
/// wide. What is no mean (a largest, a busiest) has no such interval, and neither have the counters, of which nobody knows what
/// they are. (Law, Simulation Modeling and Analysis, section 9.5.3.)
pub(super) fn take_batch_intervals(
    figures: &mut Figures<Estimate, LatencyEstimate>,
    whole: &[Raw],
    batches: &[Observations],
    level: Level,
) {
    if batches.is_empty() {
        return;
    }
    // The whole run comes first, so that it names everything in its order.
    let mut raws: Vec<Raw> =
        whole.iter().cloned().chain(batches.iter().map(|batch| of_replication(batch, &Pricing::default()))).collect();
    align(&mut raws);
    let each = over(&raws[whole.len()..], &[], level);
    let number = batches.len() as f64;
    take_intervals(&mut figures.total, &each.total, number);
    for (name, route) in figures.routes.iter_mut() {
        if let Some(each) = each.routes.get(name) {
            take_intervals(route, each, number);
        }
    }
    for (name, station) in figures.stations.iter_mut() {
        let Some(each) = each.stations.get(name) else { continue };
        let it = &mut station.figures;
        it.take_half_widths(&each.figures, 1.0);
        for total in [&mut it.arrivals, &mut it.completions, &mut it.lost] {
            total.half_width = total.half_width.map(|half_width| half_width * number);
        }
        (it.utilisation_peak.half_width, it.max_waiting.half_width) = (None, None);
    }
}

fn take_intervals(route: &mut Route<Estimate, LatencyEstimate>, each: &Route<Estimate, LatencyEstimate>, number: f64) {
    route.requests.take_half_widths(&each.requests, number);
    // What is under way at the end is no sum.
    route.requests.in_flight.half_width = None;
    route.downtime.take_half_widths(&each.downtime, number);
    route.uptime.take_half_widths(&each.uptime, 1.0);
    for (cause, count) in route.errors.iter_mut() {
        count.half_width = each.errors.get(cause).and_then(|each| each.half_width).map(|half| half * number);
    }
    route.throughput.half_width = each.throughput.half_width;
    route.availability.half_width = each.availability.half_width;
    route.error_rate.half_width = each.error_rate.half_width;
    route.latency.take_half_widths(&each.latency, 1.0);
    route.latency_failed.take_half_widths(&each.latency_failed, 1.0);
    (route.latency.max.half_width, route.latency_failed.max.half_width) = (None, None);
}

/// The replication in which a station had its busiest minute; the first of equals.
pub(super) fn highest<'a>(stations: &[&'a Station<f64>]) -> Option<(usize, &'a Station<f64>)> {
    let mut best: Option<(usize, &Station<f64>)> = None;
    for (index, station) in stations.iter().enumerate() {
        let peak = station.figures.utilisation_peak;
        if peak.is_finite() && best.is_none_or(|(_, known)| peak > known.figures.utilisation_peak) {
            best = Some((index, station));
        }
    }
    best
}

fn route(all: &[&Route<f64, f64>], observed: &[&RouteObservations], level: Level) -> Route<Estimate, LatencyEstimate> {
    let one = |figure: fn(&Route<f64, f64>) -> f64| {
        level.estimate(&all.iter().map(|route| figure(route)).collect::<Vec<_>>())
    };
    let requests: Vec<_> = all.iter().map(|route| &route.requests).collect();
    let down: Vec<_> = all.iter().map(|route| &route.downtime).collect();
    let uptime: Vec<_> = all.iter().map(|route| &route.uptime).collect();
    let budget: Vec<_> = all.iter().map(|route| &route.error_budget).collect();
    let mut errors: Named<Estimate> = Named::new();
    for (cause, _) in all.first().map(|route| &route.errors).into_iter().flat_map(Named::iter) {
        let values: Vec<_> = all.iter().map(|route| route.errors.get(cause).copied().unwrap_or(0.0)).collect();
        errors.entry(cause, || level.estimate(&values));
    }
    errors.sort_descending_by_key(|estimate| estimate.value);
    let times: Vec<_> = all.iter().map(|route| &route.latency).collect();
    let times_failed: Vec<_> = all.iter().map(|route| &route.latency_failed).collect();
    let replications = all.len();
    Route {
        requests: Requests::gather(&requests, |values| level.estimate(values)),
        throughput: one(|route| route.throughput),
        availability: one(|route| route.availability),
        error_rate: one(|route| route.error_rate),
        latency: latencies(&times, &merged(observed.iter().map(|route| &route.latency)), replications, level),
        latency_failed: latencies(
            &times_failed,
            &merged(observed.iter().map(|route| &route.latency_failed)),
            replications,
            level,
        ),
        errors,
        downtime: Downtime::gather(&down, |values| level.estimate(values)),
        uptime: Uptime::gather(&uptime, |values| level.estimate(values)),
        error_budget: ErrorBudget::gather(&budget, |values| level.estimate(values)),
    }
}

fn latencies(all: &[&Latency<f64>], pooled: &Histogram, replications: usize, level: Level) -> Latency<LatencyEstimate> {
    let together = latency(pooled);
    let each = Latency::gather(all, |values| level.estimate(values));
    let per_replication = pooled.count() as f64 / replications.max(1) as f64;
    let join = |estimate: Estimate, pooled: f64, beyond: f64| LatencyEstimate {
        value: estimate.value,
        half_width: estimate.half_width,
        pooled,
        // A little slack: 1000 operations have ten beyond p99 although 1 - 0.99 is a hair less than 0.01.
        weak: per_replication * beyond < WEAK_BELOW - 1e-6,
    };
    Latency {
        mean: LatencyEstimate { weak: false, ..join(each.mean, together.mean, 1.0) },
        p50: join(each.p50, together.p50, 0.5),
        p90: join(each.p90, together.p90, 0.1),
        p95: join(each.p95, together.p95, 0.05),
        p99: join(each.p99, together.p99, 0.01),
        p999: join(each.p999, together.p999, 0.001),
        max: LatencyEstimate { weak: false, ..join(each.max, together.max, 1.0) },
    }
}

/// Figures with `<name>` in place of every name.
pub(super) fn skeleton() -> Figures<Estimate, LatencyEstimate> {
    let any = crate::expectations::ANY;
    let mut raw = nothing();
    raw.total.errors.entry(any, || 0.0);
    raw.routes.entry(any, || raw.total.clone());
    let figures = StationFigures::filled(0.0);
    raw.stations.entry(any, || Station { resource: String::new(), utilisation_peak_at_s: 0.0, figures });
    raw.counters.entry(any, Named::new).entry(any, || 0.0);
    raw.cost.entry(any, || 0.0);
    raw.ledger = ledger::skeleton();
    over(&[raw], &[], Level(0.95))
}
