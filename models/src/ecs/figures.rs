//! What a service tells the observer: tasks by revision, CloudWatch metrics; the rest its processes tell.

use sim_core::observations::SeriesGroup;

use super::*;
use crate::cloudwatch::{FINE_PERIOD, Kind, PERIOD};
use crate::compute::backlog_metric;
use crate::observer::{FigureId, Observed};

/// Its figures.
#[derive(Debug)]
pub(super) struct Figures {
    desired: FigureId,
    by_revision: Vec<FigureId>,
    cpu: MetricId,
    running: MetricId,
    memory: Option<MetricId>,
    backlog: Option<MetricId>,
}

impl Figures {
    pub(super) fn new(name: &str, settings: &Settings, desired: FigureId, cx: &mut Cx<'_>) -> Self {
        let metrics = &mut cx.shared.metrics;
        let fine = settings.metric_resolution;
        let cpu = metrics.register_as(format!("AWS/ECS CPUUtilization {name}"), "%", Kind::Mean, fine);
        let running_name = format!("ECS/ContainerInsights RunningTaskCount {name}");
        let running = metrics.register_as(running_name, "count", Kind::Mean, PERIOD);
        let mut memory = || metrics.register_as(format!("AWS/ECS MemoryUtilization {name}"), "%", Kind::Mean, fine);
        let memory = settings.task.memory.is_some().then(&mut memory);
        let backlog = settings.publishes_backlog.then(|| backlog_metric(name, metrics));
        Self { desired, by_revision: Vec::new(), cpu, running, memory, backlog }
    }
}

impl Ecs {
    fn publish_cpu(&mut self, resolution: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        let period_start = SimTime::from_nanos(now.as_nanos() - resolution.as_nanos());
        let utilisation = self.engine.utilisation_of_period(&self.tasks, now, period_start);
        if utilisation.is_finite() {
            cx.shared.metrics.publish(self.figures.cpu, period_start, 100.0 * utilisation);
        }
        let memory = self.engine.memory_utilisation(self.tasks.iter().map(|(_, task)| task));
        if let Some(metric) = self.figures.memory.filter(|_| memory.is_finite()) {
            cx.shared.metrics.publish(metric, period_start, 100.0 * memory);
        }
    }
}

impl Observed for Ecs {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        if self.settings.metric_resolution == PERIOD {
            self.publish_cpu(PERIOD, cx);
        }
        let period_start = SimTime::from_nanos(cx.now().as_nanos() - PERIOD.as_nanos());
        let running = self.tasks.iter().filter(|(_, task)| task.serves()).count();
        cx.shared.metrics.publish(self.figures.running, period_start, running as f64);
        self.publish_reservation(period_start, cx);
        if let Some(metric) = self.figures.backlog {
            cx.shared.metrics.publish(metric, period_start, self.engine.backlog(&self.tasks) as f64);
        }
    }

    fn publish_fine(&mut self, cx: &mut Cx<'_>) {
        if self.settings.metric_resolution == FINE_PERIOD {
            self.publish_cpu(FINE_PERIOD, cx);
        }
    }

    fn warm_up_over(&mut self, now: SimTime) {
        self.engine.warm_up_over(&self.tasks, now);
        self.meter.reset(now);
        if let Some(places) = &mut self.places {
            places.forget_active_time(now);
        }
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
        self.engine.sample(&self.tasks, now, figures);
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        if self.figures.memory.is_some() {
            findings.count(&self.name, "OutOfMemoryKills", self.out_of_memory_kills as f64);
        }
        self.engine.finish(&self.tasks, now, findings);
        self.report_deployments(now, findings);
        self.paid_for(now, findings);
    }
}
