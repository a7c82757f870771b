//! CloudWatch: metrics as they are published, with the period and delay they have, and alarms on them.

use std::collections::VecDeque;

use sim_core::observations::Series;
use sim_core::{SimDuration, SimTime};

use crate::ids::*;

/// Names a metric in a scenario and an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricRef {
    /// `AWS/ECS CPUUtilization` of a service, percent.
    EcsCpu(EcsId),
    /// `AWS/ApplicationELB RequestCountPerTarget` of a target group, per period.
    AlbRequestCountPerTarget(AlbId, TargetGroupId),
    /// `AWS/ApplicationELB TargetResponseTime` (average) of a load balancer, seconds.
    AlbTargetResponseTime(AlbId),
    /// `AWS/ApplicationELB HTTPCode_Target_5XX_Count` of a load balancer, per period.
    AlbTarget5xx(AlbId),
    /// `AWS/ApplicationELB HTTPCode_ELB_5XX_Count` of a load balancer, per period.
    AlbElb5xx(AlbId),
}

/// Standard resolution: one datapoint a minute.
pub const PERIOD: SimDuration = SimDuration::from_secs(60);

/// What happens inside CloudWatch.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A period ends: every service publishes.
    PeriodEnds,
    /// The datapoints of a period can be read: alarms are evaluated.
    Evaluate,
}

/// All published metrics.
#[derive(Debug, Default)]
pub struct Metrics {
    metrics: Vec<Metric>,
}

#[derive(Debug)]
struct Metric {
    name: String,
    unit: &'static str,
    recent: VecDeque<Datapoint>,
    all: Vec<Datapoint>,
}

/// One datapoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// Start of its period, as CloudWatch stamps it.
    pub period_start: SimTime,
    /// The statistic.
    pub value: f64,
}

impl Metrics {
    /// Makes a metric known; `name` as in `AWS/ECS CPUUtilization ecs.web`.
    pub fn register(&mut self, name: String, unit: &'static str) -> MetricId {
        self.metrics.push(Metric { name, unit, recent: VecDeque::new(), all: Vec::new() });
        MetricId((self.metrics.len() - 1) as u16)
    }
    /// Says which metric a reference means.
    pub fn declare(&mut self, _reference: MetricRef, _id: MetricId) {}
    /// Publishes a datapoint.
    pub fn publish(&mut self, id: MetricId, period_start: SimTime, value: f64) {
        let _ = (id, period_start, value);
    }
    /// The figures over time for the report.
    #[must_use]
    pub fn into_series(self, _duration: SimDuration) -> Vec<Series> {
        Vec::new()
    }
}
