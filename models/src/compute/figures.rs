//! What processes tell the observer: workers and cores in use, and whether the books agree.

use sim_core::observations::{SeriesGroup, StationObservations};

use super::*;
use crate::cloudwatch;
use crate::observer::{self, FigureId, Findings};

/// Its figures and what they were at the last look.
#[derive(Debug)]
pub(super) struct Figures {
    workers: FigureId,
    cpu: FigureId,
    /// Core time used and there was, seconds, at the last bin, the last period, and the end of the warm-up.
    at_bin: CoreTime,
    at_period: CoreTime,
    at_warm_up: CoreTime,
    /// When counting began.
    counted_from: SimTime,
    /// The busiest period and when it began.
    peak: (f64, SimTime),
    worker_time_at_bin: (f64, f64),
}

#[derive(Clone, Copy, Debug, Default)]
struct CoreTime {
    used: f64,
    there: f64,
}

impl CoreTime {
    fn utilisation_since(self, earlier: Self) -> f64 {
        let there = self.there - earlier.there;
        if there > 0.0 { ((self.used - earlier.used) / there).min(1.0) } else { f64::NAN }
    }
}

/// The metric of requests that wait, which a program publishes of its own: a level, looked at once a period.
pub(crate) fn backlog_metric(name: &str, metrics: &mut cloudwatch::Metrics) -> MetricId {
    let full_name = format!("Custom/Application BacklogSize {name}");
    metrics.register_as(full_name, "count", cloudwatch::Kind::Level, cloudwatch::PERIOD)
}

/// Units of a core in which the cores there are are counted.
const CORE: f64 = (1u64 << 30) as f64;

impl Figures {
    pub(super) fn new(name: &str, cx: &mut Cx<'_>) -> Self {
        let figures = &mut cx.shared.observer.figures;
        Self {
            workers: figures.register(SeriesGroup::Utilisation, format!("{name} workers"), "ratio"),
            cpu: figures.register(SeriesGroup::Utilisation, format!("{name} CPU"), "ratio"),
            at_bin: CoreTime::default(),
            at_period: CoreTime::default(),
            at_warm_up: CoreTime::default(),
            counted_from: SimTime::ZERO,
            peak: (f64::NAN, SimTime::ZERO),
            worker_time_at_bin: (0.0, 0.0),
        }
    }
}

impl Engine {
    /// Requests that wait for a worker at present.
    pub(crate) fn backlog<H: Host>(&self, hosts: &Slab<H>) -> usize {
        hosts.iter().map(|(_, host)| host.process().waiting.len()).sum()
    }

    /// Workers and cores there are: those of hosts that serve.
    pub(crate) fn count_servers<H: Host>(&mut self, hosts: &Slab<H>, now: SimTime) {
        let up = || hosts.iter().filter(|(_, host)| host.serves());
        self.workers.servers(now, up().count() as f64 * f64::from(self.capacity.workers));
        let vcpu: f64 = up().map(|(_, host)| host.process().vcpu).sum();
        self.cores.set(now, (vcpu * CORE) as i64);
    }

    fn core_time<H: Host>(&self, hosts: &Slab<H>, now: SimTime) -> CoreTime {
        let shared: f64 = hosts
            .iter()
            .filter_map(|(_, host)| host.process().cores.as_ref())
            .map(|cores| cores.busy_core_time(now))
            .sum();
        CoreTime {
            used: self.retired_core_time + shared + self.busy_cores.integral(now) as f64 / 1e9,
            there: self.cores.integral(now) as f64 / CORE / 1e9,
        }
    }

    /// Share of the cores there were that was used in the period that ends now; NaN where there were none.
    pub(crate) fn utilisation_of_period<H: Host>(&mut self, hosts: &Slab<H>, now: SimTime, begun: SimTime) -> f64 {
        let core_time = self.core_time(hosts, now);
        let utilisation = core_time.utilisation_since(self.figures.at_period);
        self.figures.at_period = core_time;
        if utilisation.is_finite() && (self.figures.peak.0.is_nan() || utilisation > self.figures.peak.0) {
            self.figures.peak = (utilisation, begun);
        }
        utilisation
    }

    /// Counting starts.
    pub(crate) fn warm_up_over<H: Host>(&mut self, hosts: &Slab<H>, now: SimTime) {
        self.workers.reset(now);
        self.figures.worker_time_at_bin = (0.0, 0.0);
        self.figures.at_warm_up = self.core_time(hosts, now);
        self.figures.counted_from = now;
        self.figures.peak = (f64::NAN, now);
    }

    /// A bin of the figures ends.
    pub(crate) fn sample<H: Host>(&mut self, hosts: &Slab<H>, now: SimTime, figures: &mut observer::Figures) {
        let core_time = self.core_time(hosts, now);
        figures.put(self.figures.cpu, now, core_time.utilisation_since(self.figures.at_bin));
        self.figures.at_bin = core_time;
        let (busy, there) = self.workers.busy_and_server_time(now);
        let (busy_before, there_before) = std::mem::replace(&mut self.figures.worker_time_at_bin, (busy, there));
        let there = there - there_before;
        let ratio = if there > 0.0 { (busy - busy_before) / there } else { f64::NAN };
        figures.put(self.figures.workers, now, ratio);
    }

    /// The run is over.
    pub(crate) fn finish<H: Host>(&mut self, hosts: &Slab<H>, now: SimTime, findings: &mut Findings) {
        let workers = self.workers.observe(&self.name, "worker", now);
        let core_time = self.core_time(hosts, now);
        let utilisation = core_time.utilisation_since(self.figures.at_warm_up);
        if self.shares_cores {
            let from = self.figures.counted_from;
            // Shorter than a minute: the whole of it is the peak.
            let (peak, peak_at) = if self.figures.peak.0.is_nan() { (utilisation, from) } else { self.figures.peak };
            // Shared cores have no queue of their own: who waits for CPU is on a worker.
            findings.stations.push(StationObservations {
                name: format!("{} CPU", self.name),
                resource: "vCPU".to_owned(),
                servers: (core_time.there - self.figures.at_warm_up.there)
                    / now.since(self.figures.counted_from).as_secs_f64(),
                utilisation,
                utilisation_peak: peak,
                utilisation_peak_at: peak_at,
                ..workers.clone()
            });
        }
        findings.stations.push(workers);
        findings.checks.extend(self.workers.check(now).into_iter().map(|mut check| {
            check.law = format!("{}: {}", self.name, check.law);
            check
        }));
        findings.check(
            format!("{}: cores used <= cores there were", self.name),
            core_time.used <= core_time.there * (1.0 + 1e-9) + 1e-6,
            format!("{:.3} <= {:.3} core seconds", core_time.used, core_time.there),
        );
    }
}
