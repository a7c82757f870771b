//! What a service tells the observer: tasks by revision, utilisation, CloudWatch metrics, the audit.

use sim_core::observations::{SeriesGroup, StationObservations};

use super::*;
use crate::cloudwatch::{self, MetricRef};
use crate::observer::{FigureId, Observed};

/// Its figures and what they were at the last look.
#[derive(Debug)]
pub(super) struct Figures {
    desired: FigureId,
    workers: FigureId,
    cpu: FigureId,
    by_revision: Vec<FigureId>,
    cpu_metric: MetricId,
    running_metric: MetricId,
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

impl Figures {
    pub(super) fn new(id: EcsId, name: &str, cx: &mut Cx<'_>) -> Self {
        let figures = &mut cx.shared.observer.figures;
        let desired = figures.register(SeriesGroup::Tasks, format!("{name} desired"), "count");
        let workers = figures.register(SeriesGroup::Utilisation, format!("{name} workers"), "ratio");
        let cpu = figures.register(SeriesGroup::Utilisation, format!("{name} CPU"), "ratio");
        let cpu_metric = cx.shared.metrics.register(format!("AWS/ECS CPUUtilization {name}"), "%");
        cx.shared.metrics.declare(MetricRef::EcsCpu(id), cpu_metric);
        let running_metric =
            cx.shared.metrics.register(format!("ECS/ContainerInsights RunningTaskCount {name}"), "count");
        Self {
            desired,
            workers,
            cpu,
            by_revision: Vec::new(),
            cpu_metric,
            running_metric,
            at_bin: CoreTime::default(),
            at_period: CoreTime::default(),
            at_warm_up: CoreTime::default(),
            counted_from: SimTime::ZERO,
            peak: (f64::NAN, SimTime::ZERO),
            worker_time_at_bin: (0.0, 0.0),
        }
    }
}

impl Ecs {
    fn core_time(&self, now: SimTime) -> CoreTime {
        let shared: f64 =
            self.tasks.iter().filter_map(|(_, task)| task.cores.as_ref()).map(|cores| cores.busy_core_time(now)).sum();
        CoreTime {
            used: self.retired_core_time + shared + self.busy_cores.integral(now) as f64 / 1e9,
            there: self.cores.integral(now) as f64 / 1e9 * self.settings.task.vcpu,
        }
    }
}

impl Observed for Ecs {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let core_time = self.core_time(now);
        let period_start = SimTime::from_nanos(now.as_nanos() - cloudwatch::PERIOD.as_nanos());
        let utilisation = core_time.utilisation_since(self.figures.at_period);
        self.figures.at_period = core_time;
        if utilisation.is_finite() {
            cx.shared.metrics.publish(self.figures.cpu_metric, period_start, 100.0 * utilisation);
            if self.figures.peak.0.is_nan() || utilisation > self.figures.peak.0 {
                self.figures.peak = (utilisation, period_start);
            }
        }
        let running = self.tasks.iter().filter(|(_, task)| task.serves()).count();
        cx.shared.metrics.publish(self.figures.running_metric, period_start, running as f64);
    }

    fn warm_up_over(&mut self, now: SimTime) {
        self.workers.reset(now);
        self.figures.worker_time_at_bin = (0.0, 0.0);
        self.figures.at_warm_up = self.core_time(now);
        self.figures.counted_from = now;
        self.figures.peak = (f64::NAN, now);
    }

    fn sample(&mut self, now: SimTime, figures: &mut observer::Figures) {
        figures.put(self.figures.desired, now, f64::from(self.desired));
        while self.figures.by_revision.len() < self.revisions.len() {
            let name = format!("{} rev {}", self.name, self.figures.by_revision.len());
            self.figures.by_revision.push(figures.register(SeriesGroup::Tasks, name, "count"));
        }
        for (revision, &figure) in self.figures.by_revision.iter().enumerate() {
            let running = self.running_of(revision as u16);
            figures.put(figure, now, running as f64);
        }
        let core_time = self.core_time(now);
        figures.put(self.figures.cpu, now, core_time.utilisation_since(self.figures.at_bin));
        self.figures.at_bin = core_time;
        let (busy, there) = self.workers.busy_and_server_time(now);
        let (busy_before, there_before) = std::mem::replace(&mut self.figures.worker_time_at_bin, (busy, there));
        let there = there - there_before;
        let ratio = if there > 0.0 { (busy - busy_before) / there } else { f64::NAN };
        figures.put(self.figures.workers, now, ratio);
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        let workers = self.workers.observe(&self.name, "worker", now);
        let core_time = self.core_time(now);
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
        self.report_deployments(now, findings);
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
