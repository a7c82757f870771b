//! An instance: its connections, its CPU and its cache.

use sim_core::math;
use sim_core::observations::SeriesGroup;
use sim_core::random::Source;
use sim_core::station::ProcessorSharing;
use sim_core::tally::StationTally;

use super::pause::Sleep;
use super::usage::Bill;
use super::volume::Disk;
use super::*;
use crate::cloudwatch::{self, PERIOD};
use crate::observer::FigureId;

/// Class of instances whose capacity follows their load.
const SERVERLESS_CLASS: &str = "db.serverless";

/// How an instance answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// It does.
    Up,
    /// It resets and refuses connections: its host is there, its engine is not.
    Refusing,
    /// Nothing comes back: its host or its network is gone, or it is fenced off.
    Silent,
}

/// Whose an instance is, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The scenario's: it is there for good.
    Planned,
    /// Auto scaling's, and not there at present.
    Absent,
    /// Auto scaling's, and being created.
    Creating,
    /// Auto scaling's, and there.
    Scaled,
}

/// An instance at work.
#[derive(Debug)]
pub(super) struct Server {
    /// As `orders-1`.
    pub(super) short_name: String,
    /// As `aurora.orders/orders-1`.
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) zone: String,
    /// The zone's number among all.
    pub(super) zone_number: u16,
    pub(super) promotion_tier: u8,
    pub(super) kind: Kind,
    pub(super) stage: Stage,
    /// When auto scaling asked for it last, or since when it is there.
    pub(super) asked_for: Option<SimTime>,
    pub(super) disk: Option<Disk>,
    /// Capacity of a serverless instance, in ACUs.
    pub(super) acu: Option<f64>,
    at_second: (f64, f64),
    /// Whether it is paused, and since when nobody has had a connection.
    pub(super) sleep: Sleep,
    pub(super) idle_since: Option<SimTime>,
    pub(super) reach: Reach,
    /// It keeps its sessions and does no work; when that was over last.
    pub(super) paused: bool,
    pub(super) resumed_at: Option<SimTime>,
    /// Whether endpoints hand it out.
    pub(super) listed: bool,
    /// While it is away: since when, and when it is back ([`SimTime::MAX`]: unknown).
    pub(super) away_since: SimTime,
    pub(super) back_at: SimTime,
    /// It will be back with an empty cache, and as an instance of this class.
    pub(super) returns_cold: bool,
    pub(super) returns_as: Option<Class>,
    /// Since when its cache has been filling.
    cold_since: Option<SimTime>,
    /// Page reads of this period, and those found in the cache.
    pub(super) page_reads: u64,
    pub(super) page_hits: u64,
    /// Open ones.
    pub(super) connections: u32,
    pub(super) most_connections: u32,
    pub(super) opened: u64,
    pub(super) refused: u64,
    pub(super) cpu: ProcessorSharing<Key>,
    /// What it is paid for.
    pub(super) bill: Bill,
    /// Queries that use CPU.
    pub(super) tally: StationTally,
    /// When the event for the next completion is due, and its number.
    expected: Option<SimTime>,
    forecasts: u32,
    /// Queries answered in this period.
    pub(super) answered: u64,
    pub(super) figure: FigureId,
    pub(super) at_bin: (f64, f64),
    pub(super) at_period: (f64, f64),
    pub(super) cpu_metric: MetricId,
    pub(super) connections_metric: MetricId,
    pub(super) queries_metric: MetricId,
    /// Where there can be readers, and where statements read pages.
    pub(super) lag_metric: Option<MetricId>,
    pub(super) cache_metric: Option<MetricId>,
    /// Where the volume has credits.
    pub(super) burst_metric: Option<MetricId>,
    /// Where capacity follows the load.
    pub(super) acu_metric: Option<MetricId>,
}

impl Server {
    pub(super) fn new(settings: &Settings, instance: &Instance, cx: &mut Cx<'_>) -> Self {
        let name = format!("{}/{}", settings.name, instance.name);
        let metrics = &mut cx.shared.metrics;
        let mut metric = |what: &str, unit| metrics.register(format!("AWS/RDS {what} {name}"), unit);
        let reads_pages = settings.statements.iter().any(|statement| statement.pages > 0);
        let cpu_metric = metric("CPUUtilization", "%");
        let queries_metric = metric("Queries", "1/s");
        let is_read = settings.instances.len() > 1 && instance.kind != Kind::Standby;
        let (lag, unit) = if settings.replication.is_rds { ("ReplicaLag", "s") } else { ("AuroraReplicaLag", "ms") };
        let lag_metric = is_read.then(|| metric(lag, unit));
        let burst_metric = settings.volume.as_ref().filter(|it| it.credits > 0.0).map(|_| metric("BurstBalance", "%"));
        let cache_metric = reads_pages.then(|| metric("BufferCacheHitRatio", "%"));
        let acu_metric = (instance.class.name == SERVERLESS_CLASS).then(|| metric("ServerlessDatabaseCapacity", "ACU"));
        Self {
            short_name: instance.name.clone(),
            class: instance.class.clone(),
            zone: instance.zone.clone(),
            zone_number: cx.shared.whereabouts.zone(&instance.zone),
            promotion_tier: instance.promotion_tier,
            kind: instance.kind,
            stage: Stage::Planned,
            asked_for: None,
            disk: settings.volume.as_ref().map(Disk::new),
            acu: (settings.serverless.as_ref())
                .filter(|_| instance.class.name == SERVERLESS_CLASS)
                .map(|_| instance.class.vcpu * ACU_PER_VCPU),
            at_second: (0.0, 0.0),
            sleep: Sleep::Awake,
            idle_since: None,
            reach: Reach::Up,
            listed: true,
            paused: false,
            resumed_at: None,
            away_since: SimTime::ZERO,
            back_at: SimTime::ZERO,
            returns_cold: false,
            returns_as: None,
            cold_since: None,
            page_reads: 0,
            page_hits: 0,
            connections: 0,
            most_connections: 0,
            opened: 0,
            refused: 0,
            bill: Bill::default(),
            cpu: ProcessorSharing::new(instance.class.vcpu),
            tally: StationTally::shared(instance.class.vcpu),
            expected: None,
            forecasts: 0,
            answered: 0,
            figure: cx.shared.observer.figures.register(SeriesGroup::Utilisation, &name, "ratio"),
            at_bin: (0.0, 0.0),
            at_period: (0.0, 0.0),
            cpu_metric,
            connections_metric: metrics.register_as(
                format!("AWS/RDS DatabaseConnections {name}"),
                "count",
                cloudwatch::Kind::Mean,
                PERIOD,
            ),
            queries_metric,
            lag_metric,
            cache_metric,
            burst_metric,
            acu_metric,
            name,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.reach == Reach::Up
    }

    /// It is in a zone from now on.
    pub(super) fn put_into(&mut self, zone: String, cx: &mut Cx<'_>) {
        self.zone_number = cx.shared.whereabouts.zone(&zone);
        self.zone = zone;
    }

    /// Whether there is such an instance, up or not.
    pub(super) fn exists(&self) -> bool {
        matches!(self.stage, Stage::Planned | Stage::Scaled)
    }

    /// Whether there has been such an instance at any time.
    pub(super) fn was_there(&self) -> bool {
        self.stage == Stage::Planned || self.asked_for.is_some()
    }

    /// Somebody wants to connect.
    pub(super) fn accept(&mut self) -> Result<(), Cause> {
        if !self.is_up() {
            return Err(Cause::ConnectionLost);
        }
        if self.connections >= self.class.max_connections {
            self.refused += 1;
            return Err(Cause::TooManyConnections);
        }
        self.connections += 1;
        self.most_connections = self.most_connections.max(self.connections);
        self.opened += 1;
        Ok(())
    }

    /// From `now` on it answers like this. Its connections are the cluster's to break.
    pub(super) fn set_reach(&mut self, now: SimTime, reach: Reach) {
        self.reach = reach;
        let works = self.is_up() && self.sleep == Sleep::Awake;
        self.tally.servers(now, if works { self.class.vcpu } else { 0.0 });
    }

    /// It is back, as what it is to be.
    pub(super) fn return_at(&mut self, now: SimTime) {
        if let Some(class) = self.returns_as.take() {
            self.bill_class_change(now);
            self.class = class;
            self.cpu.set_cores(now, self.class.vcpu);
        }
        if std::mem::take(&mut self.returns_cold) {
            self.cold_since = Some(now);
        }
        self.listed = true;
        self.wake_up(now);
        self.set_reach(now, Reach::Up);
    }

    /// From `now` on it has this capacity.
    pub(super) fn set_capacity(&mut self, now: SimTime, acu: f64) {
        self.settle_bill(now);
        self.acu = Some(acu);
        self.class.vcpu = acu / ACU_PER_VCPU;
        self.cpu.set_cores(now, self.class.vcpu);
        self.set_reach(now, self.reach);
    }

    /// Share of its CPU that was used since the last look; 0 if it was away.
    pub(super) fn used_since_last_second(&mut self, now: SimTime) -> f64 {
        let (busy, there) = self.tally.busy_and_server_time(now);
        let before = std::mem::replace(&mut self.at_second, (busy, there));
        if there > before.1 { (busy - before.0) / (there - before.1) } else { 0.0 }
    }

    /// Its cache is empty.
    pub(super) fn forget_pages(&mut self, now: SimTime) {
        self.cold_since = Some(now);
    }

    /// Share of page reads that find the page in memory.
    pub(super) fn hit_ratio(&self, now: SimTime, cache: &BufferCache) -> f64 {
        let Some(since) = self.cold_since else { return cache.hit_ratio };
        let ages = (now - since).as_secs_f64() / cache.warm_up.as_secs_f64().max(1e-9);
        cache.hit_ratio * (1.0 - math::exp(-ages))
    }

    /// How many of a query's pages must be read from storage: a whole number of the right mean.
    pub(super) fn misses(&mut self, now: SimTime, pages: u32, cache: &BufferCache, draws: &mut impl Source) -> u32 {
        let expected = f64::from(pages) * (1.0 - self.hit_ratio(now, cache));
        let certain = expected as u32;
        let misses = certain + u32::from(draws.uniform() < expected - f64::from(certain));
        self.page_reads += u64::from(pages);
        self.page_hits += u64::from(pages - misses.min(pages));
        misses
    }

    /// The instant and number of the event to be scheduled, if one is needed. One that is due too early is left to come and
    /// find nothing done: arrivals, which only ever put completions off, then cost no event.
    pub(super) fn forecast(&mut self) -> Option<(SimTime, u32)> {
        let (at, _) = self.cpu.next_completion()?;
        if self.expected.is_some_and(|expected| expected <= at) {
            return None;
        }
        self.expected = Some(at);
        self.forecasts = self.forecasts.wrapping_add(1);
        Some((at, self.forecasts))
    }

    /// Whether an event is the latest forecast's, which thereby is used up.
    pub(super) fn comes_true(&mut self, forecast: u32) -> bool {
        let latest = forecast == self.forecasts;
        if latest {
            self.expected = None;
        }
        latest
    }
}
