//! The raw bits of everything a report is made of, as one number.

use crate::digest::Digest;
use crate::math::hash_str;
use crate::observations::{
    ArrivalWindow, Audit, AuditCheck, Counter, DowntimeWindow, Incident, IncidentKind, Ledger, LogEntry, LogKind, Lost,
    Minute, Objective, Observations, Outage, Phase, PhaseSpan, RouteObservations, Series, SeriesGroup,
    StationObservations, Table, Usage, Witness,
};
use crate::tally::Histogram;
use crate::{SimDuration, SimTime};

impl Observations {
    /// Digest of every name, count and bit of a number in these observations: equal fingerprints mean equal reports. Where
    /// [`Observations::digest`] tells that the same requests had the same fate, this tells that they were counted alike.
    ///
    /// All NaNs are one: they say that there is nothing to say, and their sign and payload are the processor's choice.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut digest = Digest::new();
        self.put(&mut digest);
        digest.finish()
    }
}

/// What can be put into a digest. Every field is named where a structure is taken apart, so that none is forgotten when one
/// is added.
trait Put {
    fn put(&self, to: &mut Digest);
}

/// Structures whose fields are put in the order given.
macro_rules! fields {
    ($($structure:ident { $($field:ident),* $(,)? })*) => { $(
        impl Put for $structure {
            fn put(&self, to: &mut Digest) {
                let Self { $($field),* } = self;
                $($field.put(to);)*
            }
        }
    )* };
}

fields! {
    Observations {
        replication, horizon, warm_up, routes, stations, series, log, log_dropped, downtime, objective, ledger, counters, tables,
        usage, notes, audit, in_flight, batches, latency_by_arrival, customers, digest, events,
    }
    ArrivalWindow { count, latency_sum_nanos }
    RouteObservations { name, started, succeeded, failed, in_flight, attempts, latency, latency_failed, minutes }
    Minute { ended, failed }
    StationObservations {
        name, resource, servers, utilisation, utilisation_peak, utilisation_peak_at, mean_in_system, mean_waiting,
        max_waiting, mean_wait, mean_sojourn, arrivals, completions, lost,
    }
    LogEntry { at, until, kind, subject, what }
    DowntimeWindow { route, from, until, lost, started, cause, blamed_on, phases }
    PhaseSpan { phase, from, until }
    Objective { availability, routes, period }
    Ledger { incidents, lost, outages, watched }
    Incident { kind, subject, what, begins, ends, as_before, phases, parts }
    Lost { incident, phase, route, cause, count }
    Outage { witness, who, from, until }
    Counter { subject, name, value }
    Table { title, rows_are, columns, rows, ranked }
    Usage { subject, item, kind, part, quantity, unit, assumed }
    Audit { checks }
    AuditCheck { law, found, holds }
    Series { group, name, unit, bin, values }
}

macro_rules! words {
    ($($kind:ty: |$it:ident| $word:expr;)*) => { $(
        impl Put for $kind {
            fn put(&self, to: &mut Digest) {
                let $it = self;
                to.push($word);
            }
        }
    )* };
}

words! {
    u64: |it| *it;
    u32: |it| u64::from(*it);
    bool: |it| u64::from(*it);
    str: |it| hash_str(it);
    String: |it| hash_str(it);
    SimTime: |it| it.as_nanos();
    SimDuration: |it| it.as_nanos();
    f64: |it| if it.is_nan() { f64::NAN.to_bits() } else { it.to_bits() };
    crate::observations::Part: |it| *it as u64;
    usize: |it| *it as u64;
    SeriesGroup: |it| *it as u64;
    LogKind: |it| *it as u64;
    Phase: |it| *it as u64;
    IncidentKind: |it| *it as u64;
    Witness: |it| *it as u64;
}

impl Put for u128 {
    fn put(&self, to: &mut Digest) {
        to.push(*self as u64);
        to.push((*self >> 64) as u64);
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, to: &mut Digest) {
        to.push(self.len() as u64);
        self.iter().for_each(|it| it.put(to));
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, to: &mut Digest) {
        self.is_some().put(to);
        if let Some(it) = self {
            it.put(to);
        }
    }
}

impl<A: Put, B: Put> Put for (A, B) {
    fn put(&self, to: &mut Digest) {
        self.0.put(to);
        self.1.put(to);
    }
}

impl Put for Histogram {
    fn put(&self, to: &mut Digest) {
        self.count().put(to);
        self.sum_nanos().put(to);
        self.min().put(to);
        self.max().put(to);
        for (lower, upper, count) in self.buckets() {
            lower.put(to);
            upper.put(to);
            count.put(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observations::{LogKind, SeriesGroup, Usage};

    fn observations() -> Observations {
        let mut latency = Histogram::new();
        latency.record(SimDuration::from_millis(20));
        let text = |it: &str| it.to_owned();
        let at = SimTime::from_secs(3);
        Observations {
            replication: 0,
            horizon: SimTime::from_secs(60),
            warm_up: SimTime::ZERO,
            routes: vec![RouteObservations {
                name: text("people /"),
                started: 2,
                succeeded: 1,
                failed: vec![(text("timed out"), 1)],
                in_flight: 0,
                attempts: 2,
                latency,
                latency_failed: Histogram::new(),
                minutes: vec![Minute { ended: 2, failed: 1 }],
            }],
            stations: vec![StationObservations {
                name: text("station.desk"),
                resource: text("server"),
                servers: 1.0,
                utilisation: 0.5,
                utilisation_peak: 0.6,
                utilisation_peak_at: at,
                mean_in_system: 1.0,
                mean_waiting: 0.5,
                max_waiting: 3,
                mean_wait: 0.1,
                mean_sojourn: 0.2,
                arrivals: 2,
                completions: 2,
                lost: 0,
            }],
            series: vec![Series {
                group: SeriesGroup::Latency,
                name: text("p50"),
                unit: text("s"),
                bin: SimDuration::from_secs(1),
                values: vec![0.5, f64::NAN],
            }],
            log: vec![LogEntry { at, until: None, kind: LogKind::Fault, subject: text("it"), what: text("breaks") }],
            log_dropped: 0,
            downtime: Vec::new(),
            objective: Some(Objective { availability: Some(0.999), ..Objective::default() }),
            ledger: Ledger {
                lost: vec![Lost {
                    incident: None,
                    phase: None,
                    route: text("people /"),
                    cause: text("timed out"),
                    count: 1,
                }],
                ..Ledger::default()
            },
            counters: vec![Counter { subject: text("edge"), name: text("hits"), value: 7.0 }],
            tables: vec![Table {
                rows: vec![(text("logo"), vec![3.0])],
                ..Table::new("objects", "object", &[("n", "count")])
            }],
            usage: vec![Usage::new("ecs.web", "fargate.vcpu", 2.0, "vCPU-hour")],
            notes: vec![text("a note")],
            audit: Audit { checks: vec![AuditCheck { law: text("law"), found: text("1 = 1"), holds: true }] },
            in_flight: vec![1],
            batches: Vec::new(),
            latency_by_arrival: vec![ArrivalWindow { count: 1, latency_sum_nanos: 1 << 70 }],
            customers: 5,
            digest: 1,
            events: 9,
        }
    }

    #[test]
    fn the_last_bit_of_anything_shows() {
        let before = observations().fingerprint();
        let changes: &[fn(&mut Observations)] = &[
            |it| it.horizon = SimTime::from_nanos(it.horizon.as_nanos() + 1),
            |it| it.routes[0].failed[0].1 += 1,
            |it| it.tables[0].rows[0].1[0] += 1.0,
            |it| it.routes[0].latency.record(SimDuration::from_millis(20)),
            |it| it.routes[0].latency_failed.record(SimDuration::ZERO),
            |it| it.stations[0].mean_wait = f64::from_bits(it.stations[0].mean_wait.to_bits() ^ 1),
            |it| it.series[0].values[0] = -it.series[0].values[0],
            |it| it.series[0].values[1] = 0.0,
            |it| it.series[0].group = SeriesGroup::Metric,
            |it| it.routes[0].minutes[0].failed = 0,
            |it| it.ledger.lost[0].phase = Some(Phase::Routing),
            |it| it.ledger.lost[0].incident = Some(0),
            |it| it.log[0].until = Some(SimTime::ZERO),
            |it| it.log[0].kind = LogKind::Alarm,
            |it| it.counters[0].value = 7.5,
            |it| it.usage[0].quantity = 2.5,
            |it| it.notes[0].push('.'),
            |it| it.notes.clear(),
            |it| it.audit.checks[0].holds = false,
            |it| it.latency_by_arrival[0].latency_sum_nanos ^= 1 << 70,
            |it| it.batches.push(it.clone()),
            |it| it.digest ^= 1 << 63,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = observations();
            change(&mut changed);
            assert_ne!(changed.fingerprint(), before, "change {number}");
        }
        assert_eq!(observations().fingerprint(), before);
    }

    #[test]
    fn a_nan_is_a_nan() {
        let mut other = observations();
        other.series[0].values[1] = -f64::NAN;
        assert_eq!(other.fingerprint(), observations().fingerprint());
    }
}
