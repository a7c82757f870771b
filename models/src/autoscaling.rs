//! Application Auto Scaling of ECS services: target tracking, step and simple scaling on published metrics.

use sim_core::SimDuration;

use crate::cloudwatch::MetricRef;
use crate::ecs;
use crate::ids::*;
use crate::world::Cx;

/// A scaling policy with its alarm.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The service it scales.
    pub service: EcsId,
    /// `MinCapacity`.
    pub min_capacity: u32,
    /// `MaxCapacity`.
    pub max_capacity: u32,
    /// What it looks at.
    pub metric: MetricRef,
    /// How it decides.
    pub kind: PolicyKind,
    /// `ScaleOutCooldown` (300 s for ECS).
    pub scale_out_cooldown: SimDuration,
    /// `ScaleInCooldown` (300 s for ECS).
    pub scale_in_cooldown: SimDuration,
}

/// How a policy decides.
#[derive(Clone, Debug)]
pub enum PolicyKind {
    /// Keep the metric at the target. High alarm: above it for 3 of 3 minutes; low: below 0.9 of it for 15 of 15.
    TargetTracking {
        /// `TargetValue`.
        target_value: f64,
        /// `DisableScaleIn`.
        disable_scale_in: bool,
        /// Datapoints of the high alarm (3).
        scale_out_datapoints: u32,
        /// Datapoints of the low alarm (15).
        scale_in_datapoints: u32,
        /// Share of the target below which the low alarm fires (0.9).
        scale_in_threshold: f64,
    },
    /// By how far the metric is past the threshold.
    Step {
        /// The alarm.
        alarm: Alarm,
        /// Steps relative to the threshold.
        adjustments: Vec<StepAdjustment>,
    },
    /// One adjustment, then wait for the cooldown.
    Simple {
        /// The alarm.
        alarm: Alarm,
        /// Change in tasks.
        adjustment: i32,
    },
}

/// A CloudWatch alarm.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// Threshold.
    pub threshold: f64,
    /// Breaching above (true: `GreaterThanOrEqualToThreshold`) or below (`LessThanOrEqualToThreshold`).
    pub above: bool,
    /// `EvaluationPeriods`.
    pub evaluation_periods: u32,
    /// `DatapointsToAlarm`.
    pub datapoints_to_alarm: u32,
}

/// One step of a step-scaling policy.
#[derive(Clone, Copy, Debug)]
pub struct StepAdjustment {
    /// `MetricIntervalLowerBound`, relative to the threshold; -inf if open.
    pub lower: f64,
    /// `MetricIntervalUpperBound`, relative to the threshold; inf if open.
    pub upper: f64,
    /// Change in tasks (`ChangeInCapacity`).
    pub adjustment: i32,
}

/// All scaling policies at work.
#[derive(Debug)]
pub struct AutoScaling {}

impl AutoScaling {
    /// Builds it.
    #[must_use]
    pub fn new(_policies: &[Policy], _services: &[ecs::Settings], _cx: &mut Cx<'_>) -> Self {
        Self {}
    }
    /// Evaluates all alarms on the datapoints that can be read now (periods that ended at least `delay` ago) and acts.
    pub fn evaluate(&mut self, _delay: SimDuration, _cx: &mut Cx<'_>) {}
    /// A deployment of a service begins or is over: scale-in is suspended meanwhile.
    pub fn deploying(&mut self, _service: EcsId, _deploying: bool) {}
    /// A service tells how many tasks it wants at present (after a scaling decision, or a scheduled change).
    pub fn desired_count(&mut self, _service: EcsId, _desired: u32, _cx: &mut Cx<'_>) {}
}
