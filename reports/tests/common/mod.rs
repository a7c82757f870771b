//! A made-up experiment with everything in it: three routes, a fault, a deployment that goes wrong, downtime, metrics.

use reports::{Expectation, Experiment};
use sim_core::observations::{
    Audit, AuditCheck, Counter, DowntimeWindow, Incident, IncidentKind, Ledger, LogEntry, LogKind, Lost, Minute,
    Objective, Observations, Outage, Phase, PhaseSpan, RouteObservations, Series, SeriesGroup, StationObservations,
    Table, Witness,
};
use sim_core::tally::Histogram;
use sim_core::{SimDuration, SimTime};

/// Whole numbers that look random (a linear congruential generator).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    /// Uniform in 0..1.
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -sim_core::math::ln(1.0 - self.share())
    }
}

pub fn histogram(dice: &mut Dice, count: u64, seconds: f64) -> Histogram {
    let mut histogram = Histogram::new();
    for _ in 0..count {
        let heavy = if dice.share() < 0.02 { 20.0 } else { 1.0 };
        histogram.record(SimDuration::from_secs_f64(seconds * (0.4 + heavy * dice.exponential())));
    }
    histogram
}

/// Two hours of even traffic from the tenth minute on, all failures in the minutes from 1:10 on.
fn minutes(ended: u64, failed: u64) -> Vec<Minute> {
    let share = |all: u64, parts: u64| u32::try_from(all / parts).expect("few");
    let failed = |minute: usize| if (70..72).contains(&minute) { share(failed, 2) } else { 0 };
    let minute = |minute| Minute { ended: if minute < 10 { 0 } else { share(ended, 110) }, failed: failed(minute) };
    (0..120).map(minute).collect()
}

pub fn route(name: &str, dice: &mut Dice, count: u64, seconds: f64, failed: &[(&str, u64)]) -> RouteObservations {
    let count = count + (dice.share() * 40.0) as u64;
    let failed: Vec<_> =
        failed.iter().map(|(cause, n)| ((*cause).to_owned(), n + (dice.share() * 9.0) as u64)).collect();
    let lost = failed.iter().map(|(_, n)| n).sum::<u64>();
    RouteObservations {
        name: name.to_owned(),
        started: count + lost + 2,
        succeeded: count,
        in_flight: 2,
        attempts: count + lost * 2,
        latency: histogram(dice, count, seconds),
        latency_failed: histogram(dice, lost, seconds * 30.0),
        minutes: minutes(count + lost, lost),
        failed,
    }
}

pub fn station(
    name: &str,
    resource: &str,
    dice: &mut Dice,
    servers: f64,
    utilisation: f64,
    peak_at: u64,
) -> StationObservations {
    let utilisation = utilisation + dice.share() * 0.02;
    let wait = 0.004 * utilisation / (1.0 - utilisation).max(0.01);
    StationObservations {
        name: name.to_owned(),
        resource: resource.to_owned(),
        servers,
        utilisation,
        utilisation_peak: (utilisation * 1.45).min(0.97 + dice.share() * 0.02),
        utilisation_peak_at: SimTime::from_secs(peak_at),
        mean_in_system: servers * utilisation + 400.0 * wait,
        mean_waiting: 400.0 * wait,
        max_waiting: (wait * 20_000.0) as u64,
        mean_wait: wait,
        mean_sojourn: wait + 0.02,
        arrivals: 2_800_000,
        completions: 2_799_000,
        lost: 1000,
    }
}

fn series(group: SeriesGroup, name: &str, unit: &str, bins: usize, value: impl FnMut(usize) -> f64) -> Series {
    let bin = SimDuration::from_secs(10);
    Series { group, name: name.to_owned(), unit: unit.to_owned(), bin, values: (0..bins).map(value).collect() }
}

fn all_series(dice: &mut Dice, bins: usize) -> Vec<Series> {
    let trouble = |bin: usize| (bins * 7 / 12..bins * 8 / 12).contains(&bin);
    let wave = |bin: usize| {
        0.5 + 0.5
            * sim_core::math::exp(-((bin as f64 / bins as f64 - 0.6) * 4.0) * ((bin as f64 / bins as f64 - 0.6) * 4.0))
    };
    let gap = |bin: usize, value: f64| if (40..46).contains(&bin) { f64::NAN } else { value };
    let mut all = Vec::new();
    for (name, seconds) in [("p50", 0.021), ("p95", 0.11), ("p99", 0.31)] {
        let value = |bin: usize| {
            gap(bin, seconds * (0.8 + wave(bin) * 0.5 + dice.share() * 0.15) * if trouble(bin) { 4.0 } else { 1.0 })
        };
        all.push(series(SeriesGroup::Latency, name, "s", bins, value));
    }
    all.push(series(SeriesGroup::Requests, "succeeded", "1/s", bins, |bin| {
        500.0 * wave(bin) + dice.share() * 20.0 - if trouble(bin) { 60.0 } else { 0.0 }
    }));
    all.push(series(SeriesGroup::Requests, "timeout", "1/s", bins, |bin| {
        if trouble(bin) { 40.0 + dice.share() * 10.0 } else { 0.0 }
    }));
    all.push(series(SeriesGroup::Requests, "502 bad gateway", "1/s", bins, |bin| {
        if trouble(bin) { 9.0 + dice.share() * 3.0 } else { dice.share() * 0.2 }
    }));
    let desired = |bin: usize| if bin > bins / 2 { 6.0 } else { 4.0 };
    let moved = |bin: usize| ((bin as f64 - bins as f64 * 0.4) / 20.0).clamp(0.0, 1.0);
    all.push(series(SeriesGroup::Tasks, "ecs.web desired", "count", bins, desired));
    all.push(series(SeriesGroup::Tasks, "ecs.web rev 1", "count", bins, |bin| {
        (desired(bin) * (1.0 - moved(bin))).round()
    }));
    all.push(series(SeriesGroup::Tasks, "ecs.web rev 2", "count", bins, |bin| (desired(bin) * moved(bin)).round()));
    for (name, level) in [("ecs.web", 0.9), ("aurora.orders", 0.6), ("elasticache.sessions", 0.1)] {
        all.push(series(SeriesGroup::Utilisation, name, "%", bins, |bin| {
            (level * wave(bin) + dice.share() * 0.05).min(1.0)
        }));
    }
    all.push(series(SeriesGroup::Metric, "AWS/ECS CPUUtilization ecs.web", "%", bins, |bin| {
        if bin % 6 == 0 { 90.0 * wave(bin) } else { f64::NAN }
    }));
    all.push(series(SeriesGroup::Metric, "AWS/ApplicationELB TargetResponseTime alb.front", "s", bins, |bin| {
        0.02 * wave(bin)
    }));
    all.push(series(SeriesGroup::Metric, "AWS/ApplicationELB HealthyHostCount alb.front", "count", bins, desired));
    all
}

fn entry(at: u64, until: Option<u64>, kind: LogKind, subject: &str, what: &str) -> LogEntry {
    let until = until.map(SimTime::from_secs);
    LogEntry { at: SimTime::from_secs(at), until, kind, subject: subject.to_owned(), what: what.to_owned() }
}

/// A failover from 1:10:00 to 1:11:41 and some seconds, told by the database and a load balancer, and a rolling update.
fn ledger(jitter: u64) -> Ledger {
    let at = SimTime::from_secs;
    let span = |phase, from, until| PhaseSpan { phase, from: at(from), until: at(until) };
    let lost = |incident, phase, cause: &str, count| Lost {
        incident,
        phase,
        route: "shoppers /checkout".into(),
        cause: cause.into(),
        count,
    };
    let database = vec![
        span(Some(Phase::Detection), 4200, 4210),
        span(Some(Phase::Recovery), 4210, 4230),
        span(Some(Phase::Routing), 4230, 4235),
        span(Some(Phase::WarmUp), 4235, 4301 + jitter),
    ];
    let outage =
        |witness, who: &str, from, until| Outage { witness, who: who.into(), from: at(from), until: at(until) };
    Ledger {
        incidents: vec![
            Incident {
                kind: IncidentKind::Deployment,
                subject: "ecs.web".into(),
                what: "rolling update to revision 2".into(),
                begins: at(2400),
                ends: Some(at(3100)),
                as_before: true,
                phases: vec![span(None, 2400, 3100)],
                parts: vec![],
            },
            Incident {
                kind: IncidentKind::Fault,
                subject: "aurora.orders".into(),
                what: "aws:rds:failover-db-cluster".into(),
                begins: at(4200),
                ends: Some(at(4301 + jitter)),
                as_before: true,
                phases: database.clone(),
                parts: vec![("aurora.orders".into(), database)],
            },
        ],
        lost: vec![
            lost(None, None, "throttled", 4),
            lost(Some(1), Some(Phase::Detection), "timeout", 100),
            lost(Some(1), Some(Phase::Recovery), "timeout", 110 + jitter),
            lost(Some(1), Some(Phase::WarmUp), "502 bad gateway", 31),
        ],
        outages: vec![
            outage(Witness::Probe, "probe.orders", 4201, 4235),
            outage(Witness::Component, "aurora.orders writer", 4200, 4230),
        ],
        watched: vec![
            (Witness::Probe, "probe.orders".into()),
            (Witness::Component, "aurora.orders writer".into()),
            (Witness::Component, "ecs.web".into()),
        ],
    }
}

pub fn observations(replication: u32) -> Observations {
    let mut dice = Dice::new(u64::from(replication) + 11);
    let at = SimTime::from_secs;
    let window = |route: &str, from, until, lost, cause: &str| DowntimeWindow {
        route: route.to_owned(),
        from: at(from),
        until: at(until),
        lost,
        started: lost + 40,
        cause: cause.to_owned(),
        blamed_on: Some("failover of aurora.orders at 1:10:00".to_owned()),
        phases: vec![],
    };
    let jitter = u64::from(replication % 4);
    Observations {
        replication,
        horizon: at(7200),
        warm_up: at(600),
        routes: vec![
            route("shoppers /static/*", &mut dice, 40_000, 0.012, &[("timeout", 12)]),
            route("shoppers /", &mut dice, 12_000, 0.045, &[("timeout", 160), ("502 bad gateway", 70)]),
            route(
                "shoppers /checkout",
                &mut dice,
                3_000,
                0.14,
                &[("timeout", 210), ("502 bad gateway", 31), ("throttled", 4)],
            ),
        ],
        stations: vec![
            station("alb.front", "connection", &mut dice, 1000.0, 0.08, 3600),
            station("ecs.web", "worker", &mut dice, 64.0, 0.82, 1860),
            station("aurora.orders/orders-1", "vCPU", &mut dice, 8.0, 0.55, 4260),
            station("elasticache.sessions", "vCPU", &mut dice, 2.0, 0.06, 4000),
        ],
        series: all_series(&mut dice, 720),
        log: vec![
            entry(2400, Some(3100), LogKind::Deployment, "ecs.web", "rolling update to revision 2"),
            entry(2460, None, LogKind::Deployment, "ecs.web", "2 of 4 tasks replaced"),
            entry(2900, None, LogKind::Scaling, "ecs.web", "target tracking: desired 4 to 6"),
            entry(4200, Some(4800), LogKind::Fault, "aurora.orders", "aws:rds:failover-db-cluster"),
            entry(4205, Some(4301), LogKind::Failover, "aurora.orders", "writer orders-1 to orders-2"),
            entry(4210, None, LogKind::Alarm, "5xx-high", "OK to ALARM: 3 of 3 datapoints above 10"),
            entry(4260, None, LogKind::Health, "ecs.web/task-3", "unhealthy"),
        ],
        log_dropped: 0,
        downtime: vec![
            window("shoppers /checkout", 4206, 4301 + jitter, 245 + jitter, "timeout"),
            window("shoppers /", 4207, 4290, 220, "timeout"),
        ],
        objective: Some(Objective {
            availability: Some(0.999),
            routes: vec![("shoppers /checkout".into(), 0.99)],
            period: SimDuration::from_secs(30 * 86_400),
        }),
        ledger: ledger(jitter),
        counters: vec![
            Counter { subject: "cloudfront.edge".into(), name: "hits".into(), value: 36_000.0 + dice.share() * 100.0 },
            Counter { subject: "cloudfront.edge".into(), name: "misses".into(), value: 4_000.0 },
            Counter { subject: "cloudfront.edge".into(), name: "hit_ratio".into(), value: 0.9 + dice.share() * 0.001 },
        ],
        tables: vec![table()],
        usage: vec![],
        notes: vec!["one-second stamps of the trace were spread inside their second".into()],
        audit: Audit {
            checks: vec![
                AuditCheck {
                    law: "flow: started = succeeded + failed + in flight".into(),
                    found: "55,513 = 55,020 + 487 + 6".into(),
                    holds: true,
                },
                AuditCheck {
                    law: "Little's law at ecs.web".into(),
                    found: "L 61.2, lambda W 61.2".into(),
                    holds: true,
                },
            ],
        },
        in_flight: (0..720).map(|bin| 5 + bin % 3).collect(),
        batches: vec![],
        latency_by_arrival: vec![],
        customers: 0xc0de,
        digest: 0x0123_4567_89ab_cdef ^ u64::from(replication),
        events: 1_234_567,
    }
}

pub fn expect(text: &str, metric: &str, route: Option<&str>, min: Option<f64>, max: Option<f64>) -> Expectation {
    Expectation { metric: metric.to_owned(), route: route.map(str::to_owned), min, max, text: text.to_owned() }
}

pub fn experiment(replications: u32) -> Experiment {
    Experiment {
        scenario: "web-shop".into(),
        title: "Web shop, Friday evening".into(),
        description: "A shop behind CloudFront and an ALB; at 1:10:00 its database fails over.".into(),
        seed: 7,
        confidence: 0.95,
        expectations: vec![
            expect("latency.p99 <= 300ms", "latency.p99", Some("/checkout"), None, Some(0.3)),
            expect("latency.p99 <= 800ms", "latency.p99", None, None, Some(0.8)),
            expect("availability >= 99.1%", "availability", None, Some(0.991), None),
            expect("stations.ecs.web.utilisation <= 90%", "stations.ecs.web.utilisation", None, None, Some(0.9)),
        ],
        pricing: reports::cost::Pricing::default(),
        warm_up_found: None,
        precision: None,
        version: "0.1.0".into(),
        replications: (0..replications).map(observations).collect(),
    }
}

fn table() -> Table {
    let columns = [("requests", "count"), ("hit ratio", "share"), ("stale", "count"), ("bytes", "bytes")];
    let mut table = Table::new("Popular objects of cloudfront.edge", "object", &columns);
    table.ranked = true;
    table.rows = vec![
        ("/static/logo.png".into(), vec![9_000.0, 0.99, 0.0, 36_000_000.0]),
        ("/static/<b>.css".into(), vec![1_000.0, 0.5, 0.0, 900.0]),
    ];
    table
}

/// Nothing happened: no requests, no stations, no series.
pub fn nothing(replication: u32) -> Observations {
    Observations {
        horizon: SimTime::from_secs(1),
        warm_up: SimTime::ZERO,
        routes: vec![route_of_nothing()],
        stations: vec![],
        series: vec![],
        log: vec![],
        downtime: vec![],
        objective: None,
        ledger: Ledger::default(),
        counters: vec![],
        tables: vec![],
        usage: vec![],
        notes: vec![],
        audit: Audit::default(),
        ..observations(replication)
    }
}

fn route_of_nothing() -> RouteObservations {
    RouteObservations {
        name: "nobody /".into(),
        started: 0,
        succeeded: 0,
        failed: vec![],
        in_flight: 0,
        attempts: 0,
        latency: Histogram::new(),
        latency_failed: Histogram::new(),
        minutes: vec![],
    }
}
