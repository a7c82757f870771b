//! What a group tells the observer: instances, CPU, credits, status checks, by their CloudWatch names.

use sim_core::observations::SeriesGroup;

use super::*;
use crate::cloudwatch::{self, Kind, PERIOD};
use crate::observer::{self, FigureId, Findings, Observed};

/// Its figures and metrics.
#[derive(Debug)]
pub(super) struct Figures {
    desired: FigureId,
    answering: FigureId,
    throttled: Option<FigureId>,
    /// Instances that answer by revision, once there is more than one.
    by_revision: Vec<FigureId>,
    cpu: MetricId,
    in_service: MetricId,
    status: MetricId,
    credits: Option<CreditMetrics>,
    backlog: Option<MetricId>,
    /// Of basic monitoring: utilisation summed over the minutes since the last datapoint, and how many.
    since_datapoint: (f64, u32),
    charged_at_warm_up: f64,
}

#[derive(Clone, Copy, Debug)]
struct CreditMetrics {
    balance: MetricId,
    least: MetricId,
    usage: MetricId,
    surplus: MetricId,
    charged: MetricId,
}

/// Basic monitoring: a datapoint every five minutes (EC2 user guide, using-cloudwatch).
const BASIC: u32 = 5;

impl Figures {
    pub(super) fn new(name: &str, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let burstable = settings.credits.is_some();
        let figures = &mut cx.shared.observer.figures;
        let mut figure = |what: &str| figures.register(SeriesGroup::Tasks, format!("{name} {what}"), "count");
        let (desired, answering) = (figure("desired"), figure("answering"));
        let throttled = burstable.then(|| figure("throttled"));
        let metrics = &mut cx.shared.metrics;
        let mut metric = |what: &str, unit| metrics.register_as(format!("{what} {name}"), unit, Kind::Mean, PERIOD);
        let cpu = metric("AWS/EC2 CPUUtilization", "%");
        let in_service = metric("AWS/AutoScaling GroupInServiceInstances", "count");
        let status = metric("AWS/EC2 StatusCheckFailed", "count");
        let credits = burstable.then(|| CreditMetrics {
            balance: metric("AWS/EC2 CPUCreditBalance", "count"),
            least: metric("AWS/EC2 CPUCreditBalance(Minimum)", "count"),
            usage: metric("AWS/EC2 CPUCreditUsage", "count"),
            surplus: metric("AWS/EC2 CPUSurplusCreditBalance", "count"),
            charged: metric("AWS/EC2 CPUSurplusCreditsCharged", "count"),
        });
        Self {
            desired,
            answering,
            throttled,
            by_revision: Vec::new(),
            cpu,
            in_service,
            status,
            credits,
            backlog: settings.publishes_backlog.then(|| compute::backlog_metric(name, &mut cx.shared.metrics)),
            since_datapoint: (0.0, 0),
            charged_at_warm_up: 0.0,
        }
    }
}

impl Group {
    /// Mean utilisation, in the minute that ends now, of the instances in service that are warm.
    fn utilisation(&mut self, now: SimTime) -> f64 {
        let (mut sum, mut count) = (0.0, 0u32);
        for &key in &self.order {
            let instance = &mut self.instances[key];
            let used = instance.process.core_time(now);
            let since = used - std::mem::replace(&mut instance.used_at_period, used);
            if instance.life == Life::InService && instance.power != Power::Off && now >= instance.warm_from {
                sum += (since / (instance.process.vcpu() * cloudwatch::PERIOD.as_secs_f64())).clamp(0.0, 1.0);
                count += 1;
            }
        }
        if count == 0 { f64::NAN } else { sum / f64::from(count) }
    }

    fn publish_cpu(&mut self, period_start: SimTime, utilisation: f64, cx: &mut Cx<'_>) {
        let cpu = self.figures.cpu;
        if self.settings.detailed_monitoring {
            if utilisation.is_finite() {
                cx.shared.metrics.publish(cpu, period_start, 100.0 * utilisation);
            }
            return;
        }
        let (sum, count) = &mut self.figures.since_datapoint;
        if utilisation.is_finite() {
            (*sum, *count) = (*sum + utilisation, *count + 1);
        }
        let minutes = period_start.as_nanos() / cloudwatch::PERIOD.as_nanos() + 1;
        if minutes.is_multiple_of(u64::from(BASIC)) {
            let (sum, count) = std::mem::take(&mut self.figures.since_datapoint);
            if count > 0 {
                cx.shared.metrics.publish(cpu, period_start, 100.0 * sum / f64::from(count));
            }
        }
    }

    fn publish_credits(&mut self, period_start: SimTime, cx: &mut Cx<'_>) {
        let Some(metrics) = self.figures.credits else { return };
        let now = cx.now();
        let (mut count, mut balance, mut least, mut usage, mut surplus) = (0u32, 0.0, f64::INFINITY, 0.0, 0.0);
        for at in 0..self.order.len() {
            let key = self.order[at];
            self.settle_credits(key, now);
            let Some(credits) = &mut self.instances[key].credits else { continue };
            count += 1;
            balance += credits.balance();
            least = credits.balance().min(least);
            usage += credits.take_spent();
            surplus += credits.surplus();
        }
        if count > 0 {
            let of = f64::from(count);
            for (metric, value) in [
                (metrics.balance, balance / of),
                (metrics.least, least),
                (metrics.usage, usage / of),
                (metrics.surplus, surplus / of),
            ] {
                cx.shared.metrics.publish(metric, period_start, value);
            }
        }
        cx.shared.metrics.publish(metrics.charged, period_start, self.charged_in_all());
    }

    fn charged_in_all(&self) -> f64 {
        let live = self.instances.iter().filter_map(|(_, instance)| instance.credits.as_ref());
        self.charged + live.map(credits::Credits::charged).sum::<f64>()
    }

    fn count_of(&self, fits: impl Fn(&Instance) -> bool) -> f64 {
        self.instances.iter().filter(|(_, instance)| fits(instance)).count() as f64
    }
}

impl Observed for Group {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let period_start = SimTime::from_nanos(now.as_nanos() - cloudwatch::PERIOD.as_nanos());
        self.engine.utilisation_of_period(&self.instances, now, period_start);
        let utilisation = self.utilisation(now);
        self.publish_cpu(period_start, utilisation, cx);
        self.publish_credits(period_start, cx);
        let in_service = self.count_of(|instance| instance.life == Life::InService);
        let failed = self.count_of(|instance| instance.impaired_since.is_some());
        cx.shared.metrics.publish(self.figures.in_service, period_start, in_service);
        cx.shared.metrics.publish(self.figures.status, period_start, failed);
        if let Some(metric) = self.figures.backlog {
            cx.shared.metrics.publish(metric, period_start, self.engine.backlog(&self.instances) as f64);
        }
    }

    fn warm_up_over(&mut self, now: SimTime) {
        self.engine.warm_up_over(&self.instances, now);
        self.figures.charged_at_warm_up = self.charged_in_all();
        self.all_meters().for_each(|meter| meter.reset(now));
    }

    fn sample(&mut self, now: SimTime, figures: &mut observer::Figures) {
        figures.put(self.figures.desired, now, f64::from(self.desired));
        figures.put(self.figures.answering, now, self.count_of(|it| it.life == Life::InService && it.serves()));
        if let Some(figure) = self.figures.throttled {
            let throttled = |it: &Instance| it.credits.as_ref().is_some_and(credits::Credits::throttled);
            figures.put(figure, now, self.count_of(throttled));
        }
        if self.revisions.len() > 1 {
            while self.figures.by_revision.len() < self.revisions.len() {
                let name = format!("{} rev {}", self.name, self.figures.by_revision.len());
                self.figures.by_revision.push(figures.register(SeriesGroup::Tasks, name, "count"));
            }
            for (revision, &figure) in self.figures.by_revision.iter().enumerate() {
                figures.put(figure, now, self.count_of(|it| it.revision == revision as u16 && it.power == Power::Up));
            }
        }
        self.engine.sample(&self.instances, now, figures);
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        for at in 0..self.order.len() {
            self.settle_credits(self.order[at], now);
        }
        let charged = self.charged_in_all() - self.figures.charged_at_warm_up;
        if self.figures.credits.is_some() {
            findings.count(&self.name, "CPUSurplusCreditsCharged", charged);
        }
        self.paid_for(charged, now, findings);
        self.engine.finish(&self.instances, now, findings);
        self.report_deployments(now, findings);
    }
}
