//! Aurora Auto Scaling: readers that come and go with the load (Aurora guide, Aurora.Integrating.AutoScaling).
//!
//! What decides is `autoscaling`, on the mean of a metric over all readers; here is what becomes of the decision. A reader is created
//! within minutes, of the writer's class, in promotion tier 15, with an empty cache. The reader endpoint's records name it a little
//! later, and only who opens a connection after that can come to it: connections that are open stay where they are. Removed are only
//! readers that were created here, the latest first (assumption), and what is on them breaks.

use sim_core::distribution::Distribution;
use sim_core::observations::{LogKind, SeriesGroup};
use sim_core::random::Draws;

use super::server::Stage;
use super::*;
use crate::cloudwatch::{self, PERIOD};
use crate::observer::{FigureId, Figures, Findings};
use crate::world::Control;

/// The tier of readers that auto scaling creates.
const LAST_TIER: u8 = 15;

/// How the number of readers follows the load.
#[derive(Clone, Debug)]
pub struct ReaderScaling {
    /// Most readers that may ever be wanted, whoever made them.
    pub most: u16,
    /// How long it takes until a reader that is asked for is available.
    pub creation: Distribution,
}

/// The full name of a metric over all readers of a cluster (CloudWatch's dimension `Role = READER`).
#[must_use]
pub fn reader_metric(cluster: &str, metric: &str) -> String {
    format!("AWS/RDS {metric} {cluster}/READER")
}

/// Auto scaling at work.
#[derive(Debug)]
pub(super) struct Readers {
    creation: Distribution,
    /// Key of how long each creation takes.
    chance: u64,
    cpu: MetricId,
    connections: MetricId,
    figure: FigureId,
    /// Whether its scaler believes that all instances are available.
    available: bool,
    /// How many were asked for and removed, and before the warm-up was over.
    created: u64,
    removed: u64,
    before: (u64, u64),
}

impl Readers {
    /// The means of a period over its readers' values: CPU in percent, and connections.
    pub(super) fn publish(&self, period_start: SimTime, readers: &[(f64, f64)], cx: &mut Cx<'_>) {
        let count = readers.len() as f64;
        if readers.is_empty() {
            return;
        }
        let (cpu, connections) = readers.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        cx.shared.metrics.publish(self.cpu, period_start, cpu / count);
        cx.shared.metrics.publish(self.connections, period_start, connections / count);
    }

    /// Puts down how many readers there are.
    pub(super) fn sample(&self, now: SimTime, readers: usize, figures: &mut Figures) {
        figures.put(self.figure, now, readers as f64);
    }

    pub(super) fn warm_up_over(&mut self) {
        self.before = (self.created, self.removed);
    }

    pub(super) fn count(&self, name: &str, findings: &mut Findings) {
        findings.count(name, "readers created", (self.created - self.before.0) as f64);
        findings.count(name, "readers removed", (self.removed - self.before.1) as f64);
    }
}

impl Aurora {
    /// Places for all readers that there may be.
    pub(super) fn prepare_readers(&mut self, settings: &Settings, cx: &mut Cx<'_>) {
        let Some(scaling) = &settings.readers else { return };
        let planned = settings.instances.len() as u16 - 1;
        for number in 1..=scaling.most.saturating_sub(planned) {
            let instance = Instance {
                name: format!("application-autoscaling-{number}"),
                promotion_tier: LAST_TIER,
                kind: Kind::Member,
                ..settings.instances[0].clone()
            };
            let mut server = Server::new(settings, &instance, cx);
            (server.stage, server.listed) = (Stage::Absent, false);
            server.set_reach(SimTime::ZERO, Reach::Refusing);
            self.servers.push(server);
        }
        let metrics = &mut cx.shared.metrics;
        self.readers = Some(Readers {
            creation: scaling.creation.clone(),
            chance: cx.shared.streams.key(&self.name, "creation of readers"),
            cpu: metrics.register(reader_metric(&self.name, "CPUUtilization"), "%"),
            connections: metrics.register_as(
                reader_metric(&self.name, "DatabaseConnections"),
                "count",
                cloudwatch::Kind::Mean,
                PERIOD,
            ),
            figure: cx.shared.observer.figures.register(SeriesGroup::Tasks, format!("{} readers", self.name), "count"),
            available: true,
            created: 0,
            removed: 0,
            before: (0, 0),
        });
    }

    /// Instances that there are, up or not.
    pub(super) fn existing(&self) -> impl Iterator<Item = u16> + use<> {
        let there: Vec<u16> = (0..self.servers.len() as u16).filter(|&it| self.servers[it as usize].exists()).collect();
        there.into_iter()
    }

    /// Auto scaling wants so many readers.
    pub fn scale_readers(&mut self, wanted: u32, cx: &mut Cx<'_>) {
        while self.count_readers() < wanted && self.create_reader(cx) {}
        while self.count_readers() > wanted && self.remove_reader(cx) {}
        let there = self.count_readers();
        if there != wanted {
            // None of the others is auto scaling's, or it is the writer by now.
            let what = format!("{there} readers stay: auto scaling removes none but its own");
            cx.shared.observer.log(cx.kernel.now(), LogKind::Scaling, &self.name, what);
            cx.control(Control::DesiredCount(Scalable::Readers(self.id), there));
        }
        self.tell_available(cx);
    }

    /// Readers there are or that are being created.
    fn count_readers(&self) -> u32 {
        self.servers.iter().filter(|server| server.stage != Stage::Absent).count() as u32 - 1
    }

    /// Begins to create a reader; whether there is room for one.
    fn create_reader(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let Some(number) = self.servers.iter().position(|server| server.stage == Stage::Absent) else { return false };
        let Some(readers) = &mut self.readers else { return false };
        let mut draws = Draws::new(readers.chance, readers.created);
        readers.created += 1;
        let back_at = now + readers.creation.sample_duration(&mut draws);
        let zone = self.emptiest_zone();
        let like = &self.servers[self.roles.record as usize];
        let (class, acu) = (like.class.clone(), like.acu);
        let server = &mut self.servers[number];
        let what = format!("creates reader {} ({}) in zone {zone}", server.short_name, class.name);
        (server.stage, server.asked_for, server.back_at) = (Stage::Creating, Some(now), back_at);
        server.acu = acu;
        server.put_into(zone, cx);
        (server.returns_as, server.returns_cold) = (Some(class), true);
        cx.shared.observer.log_span(now, Some(back_at), LogKind::Scaling, &self.name, what);
        self.expect_back(number as u16, cx);
        true
    }

    /// The zone of the cluster with the fewest instances, but for zones that are lost; of equals the first (assumption: Aurora
    /// spreads them).
    fn emptiest_zone(&self) -> String {
        let there = || self.servers.iter().filter(|server| server.stage != Stage::Absent);
        let mut zones: Vec<&str> = there().map(|server| server.zone.as_str()).collect();
        zones.sort_unstable();
        zones.dedup();
        let in_zone = |zone: &&str| there().filter(|server| server.zone == *zone).count();
        let emptiest = zones.iter().filter(|zone| !self.is_lost(zone)).min_by_key(|zone| in_zone(zone));
        emptiest.or(zones.first()).map_or_else(String::new, |zone| (*zone).to_owned())
    }

    /// Whether nothing in a zone answers.
    fn is_lost(&self, zone: &str) -> bool {
        self.existing()
            .map(|it| &self.servers[it as usize])
            .filter(|it| it.zone == zone)
            .all(|it| it.reach == Reach::Silent)
    }

    /// A reader is available: drivers that know the topology and a proxy use it, the reader endpoint names it later.
    pub(super) fn reader_made(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        if self.is_lost(&self.servers[number as usize].zone) {
            // The zone it was to be in has gone meanwhile.
            let zone = self.emptiest_zone();
            self.servers[number as usize].put_into(zone, cx);
        }
        let server = &mut self.servers[number as usize];
        server.settle_bill(now);
        server.return_at(now);
        (server.stage, server.asked_for, server.listed) = (Stage::Scaled, Some(now), false);
        cx.down(&server.name, false);
        let what = format!("{} is available, its cache empty", server.short_name);
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        cx.kernel.schedule_in(self.failover.dns_update, self.event(Event::Listed(number)));
        self.refill_proxy(cx);
        self.tell_available(cx);
    }

    /// The reader endpoint's records name a reader that was added.
    pub(super) fn list_reader(&mut self, number: u16) {
        let server = &mut self.servers[number as usize];
        server.listed |= server.stage == Stage::Scaled && server.is_up();
    }

    /// Removes the reader that auto scaling created last; whether there is one that can go.
    fn remove_reader(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let can_go = |&it: &u16| {
            let own = matches!(self.servers[it as usize].stage, Stage::Creating | Stage::Scaled);
            own && self.roles.writer != Some(it) && self.roles.record != it && !self.roles.is_candidate(it)
        };
        let own = (0..self.servers.len() as u16).filter(can_go);
        let Some(number) = own.max_by_key(|&it| (self.servers[it as usize].asked_for, it)) else { return false };
        let server = &mut self.servers[number as usize];
        if server.stage == Stage::Scaled {
            server.close_bill(now, server.asked_for.unwrap_or(now));
            cx.down(&server.name, false);
        }
        (server.stage, server.listed, server.back_at) = (Stage::Absent, false, SimTime::ZERO);
        server.set_reach(now, Reach::Refusing);
        let what = format!("removes reader {}", server.short_name);
        cx.shared.observer.log(now, LogKind::Scaling, &self.name, what);
        self.reset_connections(number, false, cx);
        if let Some(readers) = &mut self.readers {
            readers.removed += 1;
        }
        true
    }

    /// Tells the scaler whether all instances are available: it decides nothing while they are not.
    pub(super) fn tell_available(&mut self, cx: &mut Cx<'_>) {
        let available = (self.roles.writer.is_some() || self.is_secondary())
            && !self.roles.is_electing()
            && self.servers.iter().all(|server| server.stage == Stage::Absent || server.is_up());
        let Some(readers) = &mut self.readers else { return };
        if std::mem::replace(&mut readers.available, available) != available {
            cx.control(Control::ScalingActivity(Scalable::Readers(self.id), !available));
        }
    }
}
