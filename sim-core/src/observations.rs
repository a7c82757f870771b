//! What one replication leaves behind, in names and numbers: the only thing that passes from the models to the reports.
//!
//! Nothing in here knows a cloud: a route, a station, a cause, a metric is a name with figures. Everything has a size that
//! depends on the scenario and not on the number of requests.

use crate::tally::Histogram;
use crate::{SimDuration, SimTime};

/// Everything observed in one replication.
#[derive(Clone, Debug)]
pub struct Observations {
    /// Number of this replication, from 0.
    pub replication: u32,
    /// When the run ended.
    pub horizon: SimTime,
    /// Requests and levels before this instant are left out of `routes`, `places` and `stations` (requests by arrival time).
    pub warm_up: SimTime,
    /// Per route, in the scenario's order.
    pub routes: Vec<RouteObservations>,
    /// Per station, in a fixed order.
    pub stations: Vec<StationObservations>,
    /// Figures over time; all series of one run have the same bins, those of all replications too.
    pub series: Vec<Series>,
    /// What happened when: faults, deployments, scaling, alarms, health changes, failovers, in order of time.
    pub log: Vec<LogEntry>,
    /// How many log entries were left out because the log was full.
    pub log_dropped: u64,
    /// Spans of time in which users of a route were not served.
    pub downtime: Vec<DowntimeWindow>,
    /// What share of operations is to end well, if anybody has said.
    pub objective: Option<Objective>,
    /// What went wrong or was changed, in which phases, and what was lost in each.
    pub ledger: Ledger,
    /// Totals by name, such as `cloudfront.edge hits`; a report shows them as they are.
    pub counters: Vec<Counter>,
    /// Tables that a service hands over, such as its most popular objects.
    pub tables: Vec<Table>,
    /// What was used of what is paid for, from the end of the warm-up on.
    pub usage: Vec<Usage>,
    /// Assumptions and repairs the reader of a report must know ("one-second stamps were spread inside their second").
    pub notes: Vec<String>,
    /// The self-audit.
    pub audit: Audit,
    /// Operations under way at the end of each bin of `series`, those of the warm-up included.
    pub in_flight: Vec<u64>,
    /// The measured time once more in equal spans, where that was asked for (for batch means): routes (by arrival), stations
    /// and downtime of each, with its own `warm_up` and `horizon`, and nothing else. What is the most or the highest of a station is
    /// not known of a span: NaN and zero.
    pub batches: Vec<Self>,
    /// Latency of operations that ended well by when they arrived, in equal windows of the whole run, where that was asked for.
    pub latency_by_arrival: Vec<ArrivalWindow>,
    /// Digest of what customers brought, in order: when each operation started, what it asked for and the key of its own random
    /// numbers. Equal digests mean the same customers.
    pub customers: u64,
    /// Digest of the raw bits of every request's fate, in order: equal digests mean equal runs.
    pub digest: u64,
    /// Events that the kernel delivered.
    pub events: u64,
}

/// Operations that arrived in one window of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrivalWindow {
    /// Those that ended well.
    pub count: u64,
    /// Sum of their latencies, in nanoseconds.
    pub latency_sum_nanos: u128,
}

/// What happened to the operations of one route, as their clients saw it. An operation is what a client wants done; retries
/// belong to it. Only operations that arrived after the warm-up are counted.
#[derive(Clone, Debug)]
pub struct RouteObservations {
    /// Name of the route, such as `shoppers /checkout`.
    pub name: String,
    /// Operations started.
    pub started: u64,
    /// Operations that ended well.
    pub succeeded: u64,
    /// Operations that ended badly, by exclusive cause.
    pub failed: Vec<(String, u64)>,
    /// Operations that had not ended when the run did.
    pub in_flight: u64,
    /// Attempts made (equal to operations where nothing was retried).
    pub attempts: u64,
    /// Time from intended start to end of the operations that ended well.
    pub latency: Histogram,
    /// The same of those that ended badly.
    pub latency_failed: Histogram,
    /// Operations that ended and that failed, by the minute of the run in which they started; none in batches.
    pub minutes: Vec<Minute>,
}

/// Operations that started in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Those that ended, well or badly.
    pub ended: u32,
    /// Those that ended badly.
    pub failed: u32,
}

/// A place where requests wait and are served.
#[derive(Clone, Debug)]
pub struct StationObservations {
    /// Such as `ecs.web` or `aurora.orders/orders-1`.
    pub name: String,
    /// What its servers are, such as `worker`, `vCPU`, `connection`.
    pub resource: String,
    /// Time-weighted mean number of servers there were.
    pub servers: f64,
    /// Busy server-time over available server-time, 0..=1. NaN if there never was a server.
    pub utilisation: f64,
    /// The highest utilisation over any one minute, 0..=1.
    pub utilisation_peak: f64,
    /// When that minute began.
    pub utilisation_peak_at: SimTime,
    /// Time-weighted mean number of requests present (waiting and in service).
    pub mean_in_system: f64,
    /// Time-weighted mean number of requests waiting.
    pub mean_waiting: f64,
    /// The most requests that ever waited at once.
    pub max_waiting: u64,
    /// Mean time from joining to being served, in seconds, over requests that were served. NaN if none.
    pub mean_wait: f64,
    /// Mean time from joining to leaving, in seconds, over requests that left. NaN if none.
    pub mean_sojourn: f64,
    /// Requests that joined.
    pub arrivals: u64,
    /// Requests that left served.
    pub completions: u64,
    /// Requests turned away for want of room, and lost with the server they were on.
    pub lost: u64,
}

/// Which figure of a report a series belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeriesGroup {
    /// Latency percentiles over time, in seconds; named `p50`, `p95`, `p99`.
    Latency,
    /// Operations ended per second, by how they ended: `succeeded`, then causes of failure.
    Requests,
    /// Tasks (or instances) by service and revision, and the desired count; `ecs.web desired`, `ecs.web rev 1`.
    Tasks,
    /// Utilisation of stations, 0..=1.
    Utilisation,
    /// Share of requests that a cache answered, 0..=1.
    CacheHits,
    /// Published metrics, named as CloudWatch does: `AWS/ECS CPUUtilization ecs.web`.
    Metric,
    /// Alarms: the share of the bin in which each was in ALARM, 0..=1; nothing while it has too little data.
    Alarm,
    /// Rows of maps over time, named `map partition 01`, `map other partitions, each`: how much each part of a whole has to do.
    Heat,
}

/// A figure over time in equal bins from the start of the run. A bin with nothing to say holds NaN.
#[derive(Clone, Debug)]
pub struct Series {
    /// Where it is shown.
    pub group: SeriesGroup,
    /// Name within the group.
    pub name: String,
    /// Unit as shown: `s`, `1/s`, `%`, `count`.
    pub unit: String,
    /// Width of a bin.
    pub bin: SimDuration,
    /// One value a bin.
    pub values: Vec<f64>,
}

/// What kind of thing a log entry tells; the report draws `Fault`, `Deployment` and `Failover` as bands and marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogKind {
    /// An injected fault begins or ends.
    Fault,
    /// A deployment begins, makes a step, or ends.
    Deployment,
    /// A database changes its writer.
    Failover,
    /// A scaling decision.
    Scaling,
    /// An alarm changes state.
    Alarm,
    /// A target, task or endpoint becomes healthy or unhealthy.
    Health,
    /// A task or instance starts or stops.
    Lifecycle,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// When.
    pub at: SimTime,
    /// When it was over, if it lasted (a fault, a deployment, a failover).
    pub until: Option<SimTime>,
    /// What kind of thing.
    pub kind: LogKind,
    /// What it happened to, such as `ecs.web`.
    pub subject: String,
    /// What happened, in words.
    pub what: String,
}

/// A span of time in which users of a route were not served: consecutive seconds, by the operations' intended start, in each
/// of which more than the scenario's share of the route's operations failed.
#[derive(Clone, Debug)]
pub struct DowntimeWindow {
    /// The route as in [`RouteObservations::name`].
    pub route: String,
    /// Start of the first bad second.
    pub from: SimTime,
    /// End of the last bad second.
    pub until: SimTime,
    /// Operations of the route that started inside the window, after the warm-up, and failed.
    pub lost: u64,
    /// Operations of the route that started inside the window, after the warm-up.
    pub started: u64,
    /// The most frequent cause of failure inside the window.
    pub cause: String,
    /// The fault, deployment or failover that was last to begin before the window did, if any was near.
    pub blamed_on: Option<String>,
    /// In which phases of incidents it lay, in order of time, without gaps.
    pub phases: Vec<PhaseSpan>,
}

/// What share of operations is to end well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objective {
    /// Of all operations together, 0..1.
    pub availability: Option<f64>,
    /// Of routes of their own, by name; the others have that of all.
    pub routes: Vec<(String, f64)>,
    /// Over which time.
    pub period: SimDuration,
}

impl Objective {
    /// That of all operations together, with its period.
    #[must_use]
    pub fn of_all(&self) -> Option<(f64, SimDuration)> {
        self.availability.map(|availability| (availability, self.period))
    }
    /// That of a route.
    #[must_use]
    pub fn of_route(&self, route: &str) -> Option<(f64, SimDuration)> {
        let own = self.routes.iter().find(|(name, _)| name == route).map(|&(_, availability)| availability);
        own.or(self.availability).map(|availability| (availability, self.period))
    }
}

/// A phase of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// From the cause until the system has noticed.
    Detection,
    /// From there until something is done about it.
    Decision,
    /// Requests are led elsewhere: registration, a change of DNS records, weights.
    Routing,
    /// What is broken is repaired or replaced: promotion, boot, restart.
    Recovery,
    /// Nothing more is done, but users are not served as before yet: answers still kept, caches cold, slow start.
    WarmUp,
}

impl Phase {
    /// All of them, in the order in which they usually come.
    pub const ALL: [Self; 5] = [Self::Detection, Self::Decision, Self::Routing, Self::Recovery, Self::WarmUp];

    /// The name in reports and paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Decision => "decision",
            Self::Routing => "routing",
            Self::Recovery => "recovery",
            Self::WarmUp => "warm_up",
        }
    }
}

/// A span of time and the phase it belongs to, if it belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// Which; none = something was under way that was in no phase, or nothing was.
    pub phase: Option<Phase>,
    /// Start.
    pub from: SimTime,
    /// End.
    pub until: SimTime,
}

/// What kind of thing an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncidentKind {
    /// An injected fault.
    Fault,
    /// A deployment.
    Deployment,
    /// A planned change: maintenance, a change of DNS records.
    Change,
    /// Nobody planned it: what the run itself brought about, such as targets that fail under load.
    Unplanned,
}

impl IncidentKind {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Deployment => "deployment",
            Self::Change => "change",
            Self::Unplanned => "unplanned",
        }
    }
}

/// Something that went wrong or was changed, from its cause until users were served as before.
#[derive(Clone, Debug)]
pub struct Incident {
    /// What kind of thing.
    pub kind: IncidentKind,
    /// What it happened to, such as `aurora.orders`.
    pub subject: String,
    /// What happened, such as `aws:rds:failover-db-cluster`.
    pub what: String,
    /// When it began.
    pub begins: SimTime,
    /// When it was over; none = it was not when the run ended.
    pub ends: Option<SimTime>,
    /// Whether users were served as before then. If not, so much time had passed that what is different is not put down to it.
    pub as_before: bool,
    /// Its phases, from its beginning to its end or the run's, without gaps.
    pub phases: Vec<PhaseSpan>,
    /// The same as each component told it.
    pub parts: Vec<(String, Vec<PhaseSpan>)>,
}

/// Operations that failed, by where they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which of the incidents, by its place among them; none = they belong to none.
    pub incident: Option<usize>,
    /// In which phase of it.
    pub phase: Option<Phase>,
    /// Route, as in [`RouteObservations::name`].
    pub route: String,
    /// Why, as in [`RouteObservations::failed`].
    pub cause: String,
    /// How many.
    pub count: u64,
}

/// Who saw a span of downtime that no user's operation was needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// A probe, by what it asked.
    Probe,
    /// The component itself: it did no work.
    Component,
}

/// A span of time in which a component did no work, or a probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Who says so.
    pub witness: Witness,
    /// Whose.
    pub who: String,
    /// Start.
    pub from: SimTime,
    /// End; that of the run if it lasted.
    pub until: SimTime,
}

/// The downtime ledger of one replication.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// What went wrong or was changed, in order of its beginning.
    pub incidents: Vec<Incident>,
    /// Every operation that failed, once.
    pub lost: Vec<Lost>,
    /// Who was down, by witness and name, then in order of time.
    pub outages: Vec<Outage>,
    /// Who could have been: every component and probe that tells, whether it was down or not.
    pub watched: Vec<(Witness, String)>,
}

/// A named total.
#[derive(Clone, Debug)]
pub struct Counter {
    /// Such as `cloudfront.edge`.
    pub subject: String,
    /// Such as `hits`.
    pub name: String,
    /// The total.
    pub value: f64,
}

/// So much of something that is paid for. What it costs is the reports' matter.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// What used it, such as `ecs.web`.
    pub subject: String,
    /// What is paid for, as price lists name it, such as `fargate.vcpu`.
    pub item: String,
    /// Which kind of it, where kinds differ in price, such as `t3.micro`; may be empty.
    pub kind: String,
    /// Which part of it.
    pub part: Part,
    /// How much.
    pub quantity: f64,
    /// Of what, such as `vCPU-hour`.
    pub unit: String,
    /// What had to be assumed, in words; may be empty.
    pub assumed: String,
}

impl Usage {
    /// The plain use of something that has no kinds.
    #[must_use]
    pub fn new(subject: &str, item: &str, quantity: f64, unit: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            item: item.to_owned(),
            kind: String::new(),
            part: Part::Planned,
            quantity,
            unit: unit.to_owned(),
            assumed: String::new(),
        }
    }
    /// The same of a kind.
    #[must_use]
    pub fn of_kind(self, kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..self }
    }
    /// The same as a part of the whole.
    #[must_use]
    pub fn part(self, part: Part) -> Self {
        Self { part, ..self }
    }
    /// The same, with what had to be assumed.
    #[must_use]
    pub fn assuming(self, assumed: impl Into<String>) -> Self {
        Self { assumed: assumed.into(), ..self }
    }
}

/// Which part of what was used: as planned, or beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// No more than the scenario asked for from the start.
    Planned,
    /// What scaling asked for beyond that.
    Scaled,
    /// Beyond what was asked for, while a deployment was under way.
    Deployment,
    /// Beyond what was asked for at other times: what is being replaced or drained, or kept ready.
    Spare,
    /// Nothing that ran: up to the shortest time that is charged for.
    Minimum,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Planned, Self::Scaled, Self::Deployment, Self::Spare, Self::Minimum];
}

/// A table of figures by name.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Such as `Popular objects of cloudfront.shop`.
    pub title: String,
    /// What its rows are, such as `object`.
    pub rows_are: String,
    /// Names and units (`count`, `share`, `bytes`, `s`) of its columns.
    pub columns: Vec<(String, String)>,
    /// Names and values of its rows, one value a column; NaN where there is none.
    pub rows: Vec<(String, Vec<f64>)>,
    /// Whether the rows are in descending order of the first column.
    pub ranked: bool,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(title: impl Into<String>, rows_are: &str, columns: &[(&str, &str)]) -> Self {
        let columns = columns.iter().map(|&(name, unit)| (name.to_owned(), unit.to_owned())).collect();
        Self { title: title.into(), rows_are: rows_are.to_owned(), columns, rows: Vec::new(), ranked: false }
    }
}

/// The run's check on itself.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Laws that were checked, with what was found, one line each.
    pub checks: Vec<AuditCheck>,
}

/// One law and whether it held.
#[derive(Clone, Debug)]
pub struct AuditCheck {
    /// Such as `flow: started = succeeded + failed + in flight`.
    pub law: String,
    /// The numbers, in words.
    pub found: String,
    /// Whether it held.
    pub holds: bool,
}

impl Audit {
    /// Whether every law held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}
