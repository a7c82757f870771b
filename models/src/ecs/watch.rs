//! An alarm that watches over a deployment.

use sim_core::{SimDuration, SimTime};

use crate::cloudwatch::{AlarmState, PERIOD};
use crate::deployment::Alarm;
use crate::ids::*;
use crate::world::Cx;

/// An alarm at work.
#[derive(Debug)]
pub(super) struct Watch {
    alarm: Alarm,
    metric: MetricId,
    per: Option<MetricId>,
    state: AlarmState,
    /// It was in ALARM when the deployment began: it says nothing about it (ECS guide, deployment-alarm-failure).
    ignored: bool,
    points: Vec<Option<f64>>,
    divisors: Vec<Option<f64>>,
}

impl Watch {
    /// The alarm of a deployment that begins now, with the state it has; `None` if nobody publishes its metric.
    pub(super) fn new(alarm: &Alarm, cx: &mut Cx<'_>) -> Option<Self> {
        let metrics = &mut cx.shared.metrics;
        let metric = metrics.find(&alarm.metric)?;
        let per = alarm.per.as_ref().and_then(|per| metrics.find(per));
        let span = PERIOD.times(alarm.condition.evaluation_range() as u64);
        for id in [Some(metric), per].into_iter().flatten() {
            metrics.keep(id, span, metrics.kind(id).usual());
        }
        let state = AlarmState::default();
        let none = Vec::new;
        let mut watch =
            Self { alarm: alarm.clone(), metric, per, state, ignored: false, points: none(), divisors: none() };
        let readable = cx.now().floor_to(PERIOD);
        watch.look(readable, cx);
        watch.ignored = watch.state == AlarmState::Alarm;
        Some(watch)
    }

    pub(super) fn name(&self) -> &str {
        &self.alarm.name
    }

    /// Whether it is a reason to give up.
    pub(super) fn objects(&self) -> bool {
        self.state == AlarmState::Alarm && !self.ignored
    }

    /// The periods of an evaluation, one more for the period in which it begins, and one until the last can be read.
    pub(super) fn evaluation(&self) -> SimDuration {
        PERIOD.times(u64::from(self.alarm.condition.evaluation_periods) + 2)
    }

    /// Evaluates it on the periods that end by `readable`; returns what changed, if it is news.
    pub(super) fn look(&mut self, readable: SimTime, cx: &mut Cx<'_>) -> Option<String> {
        let condition = &self.alarm.condition;
        let (metrics, count) = (&cx.shared.metrics, condition.evaluation_range());
        let read = |id, points: &mut Vec<Option<f64>>| {
            metrics.read(id, metrics.kind(id).usual(), PERIOD, readable, count, points);
        };
        read(self.metric, &mut self.points);
        if let Some(per) = self.per {
            read(per, &mut self.divisors);
            for (point, divisor) in self.points.iter_mut().zip(&self.divisors) {
                *point = divisor.filter(|divisor| *divisor > 0.0).map(|of| 100.0 * point.unwrap_or(0.0) / of);
            }
        }
        let before = self.state;
        self.state = condition.state(&self.points, before);
        let news = self.state != before && (before, self.state) != (AlarmState::InsufficientData, AlarmState::Ok);
        news.then(|| format!("alarm {}: {} -> {}", self.alarm.name, before.name(), self.state.name()))
    }
}
