//! Application Auto Scaling of ECS services: target tracking, step and simple scaling on published metrics.
//!
//! Once a minute, when the datapoints of a period can be read, every policy's alarms are evaluated; while an alarm is in
//! ALARM its action is repeated each minute (CloudWatch: Auto Scaling actions repeat), and cooldowns hold it back. All a
//! policy ever sees is published datapoints: the metric's period and delay and the alarm's datapoints are what makes scaling
//! late.
//!
//! What a policy wants:
//! - *Target tracking* has two alarms it manages itself. High: above the target in 3 of 3 minutes; it wants
//!   `ceil(capacity x metric / target)`, at least one more. Low: below 0.9 of the target in 15 of 15 minutes; it wants
//!   `ceil(capacity x metric / target)` too, so as not to remove too much. In between nothing happens.
//! - *Step* wants the capacity plus the adjustment of the step that the metric is in.
//! - *Simple* wants the capacity plus its one adjustment, and waits for the cooldown before it wants anything again.
//!
//! The metric is the latest datapoint that can be read; the capacity is the desired count.
//!
//! What is done, of what several policies of a service want (Application Auto Scaling user guide, target tracking):
//! - The largest capacity wins. In only if every target-tracking policy that may scale in wants to.
//! - Out: at once, also during a scale-in cooldown, which ends with it. During a scale-out cooldown what was added counts: the
//!   wish is reckoned from the capacity before it, and only more than there is already is done.
//! - In: not during a scale-in or scale-out cooldown, and not during a deployment (ECS developer guide, target tracking).
//! - Never beyond `MinCapacity` and `MaxCapacity`.
//!
//! Not modelled: scheduled and predictive scaling, percent and exact-capacity adjustments, `MinAdjustmentMagnitude`, several
//! alarms for one step policy, 20 s metrics. A cooldown begins with the decision.

use sim_core::observations::LogKind;
use sim_core::{SimDuration, SimTime};

use crate::cloudwatch::{AlarmState, Comparison, Condition, MetricRef, MissingData, PERIOD};
use crate::ecs;
use crate::ids::*;
use crate::world::{Control, Cx};

#[cfg(test)]
mod tests;

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
pub struct AutoScaling {
    services: Vec<Scaled>,
    policies: Vec<Governor>,
    /// For reading metrics.
    points: Vec<Option<f64>>,
}

/// A scalable target: a service whose desired count is set.
#[derive(Debug)]
struct Scaled {
    id: EcsId,
    /// `ecs.web`.
    name: String,
    min: u32,
    max: u32,
    desired: u32,
    deploying: bool,
    /// Until when a scale-out has its cooldown, and the capacity before it.
    out_until: SimTime,
    before_out: u32,
    /// Until when a scale-in has its cooldown.
    in_until: SimTime,
    /// It has been said that more is wanted than the maximum.
    capped: bool,
}

/// A policy at work.
#[derive(Debug)]
struct Governor {
    policy: Policy,
    metric: Option<MetricId>,
    /// `CPUUtilization`.
    metric_name: String,
    unit: &'static str,
    watches: Vec<Watch>,
    /// The latest datapoint that can be read.
    latest: Option<f64>,
}

/// An alarm at work.
#[derive(Debug)]
struct Watch {
    name: &'static str,
    condition: Condition,
    state: AlarmState,
}

/// What a policy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// It has no say.
    Nothing,
    /// No less than there is.
    Stay,
    /// This capacity, which is more.
    Out(u32),
    /// This capacity, which is less.
    In(u32),
}

const HIGH: usize = 0;
const LOW: usize = 1;

impl AutoScaling {
    /// Builds it. A service that starts outside of its bounds is brought inside at once.
    #[must_use]
    pub fn new(policies: &[Policy], services: &[ecs::Settings], cx: &mut Cx<'_>) -> Self {
        let counts: Vec<(&str, u32)> = services.iter().map(|of| (of.name.as_str(), of.desired_count)).collect();
        Self::with(policies, &counts, cx)
    }

    /// Builds it for services of these names and desired counts.
    fn with(policies: &[Policy], services: &[(&str, u32)], cx: &mut Cx<'_>) -> Self {
        let policies: Vec<Governor> = policies.iter().map(|policy| Governor::new(policy, cx)).collect();
        let mut scaled: Vec<Scaled> = Vec::new();
        for (index, &(name, desired)) in services.iter().enumerate() {
            let id = EcsId(index as u16);
            let of_service = || policies.iter().map(|governor| &governor.policy).filter(|policy| policy.service == id);
            // A scalable target has one pair of bounds; policies that differ must all be content.
            let Some(min) = of_service().map(|policy| policy.min_capacity).max() else { continue };
            let max = of_service().map(|policy| policy.max_capacity).min().unwrap_or(min).max(min);
            scaled.push(Scaled {
                id,
                name: format!("ecs.{name}"),
                min,
                max,
                desired,
                deploying: false,
                out_until: SimTime::ZERO,
                before_out: desired,
                in_until: SimTime::ZERO,
                capped: false,
            });
        }
        for service in &mut scaled {
            let inside = service.desired.clamp(service.min, service.max);
            if inside != service.desired {
                let bound = if inside == service.min { "MinCapacity" } else { "MaxCapacity" };
                service.set(inside, bound, cx);
            }
        }
        Self { services: scaled, policies, points: Vec::new() }
    }

    /// Evaluates all alarms on the datapoints that can be read now (periods that ended at least `delay` ago) and acts.
    pub fn evaluate(&mut self, delay: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        if now.as_nanos() < delay.as_nanos() {
            return;
        }
        let readable = SimTime::from_nanos(now.as_nanos() - delay.as_nanos()).floor_to(PERIOD);
        for governor in &mut self.policies {
            let Some(service) = self.services.iter().find(|service| service.id == governor.policy.service) else {
                continue;
            };
            governor.look(readable, &service.name, &mut self.points, cx);
        }
        for service in &mut self.services {
            service.act(&self.policies, cx);
        }
    }

    /// A deployment of a service begins or is over: scale-in is suspended meanwhile.
    pub fn deploying(&mut self, service: EcsId, deploying: bool) {
        if let Some(service) = self.services.iter_mut().find(|scaled| scaled.id == service) {
            service.deploying = deploying;
        }
    }

    /// A service tells how many tasks it wants at present (after a scaling decision, or a scheduled change).
    pub fn desired_count(&mut self, service: EcsId, desired: u32, _cx: &mut Cx<'_>) {
        if let Some(service) = self.services.iter_mut().find(|scaled| scaled.id == service) {
            service.desired = desired;
        }
    }
}

impl Governor {
    fn new(policy: &Policy, cx: &mut Cx<'_>) -> Self {
        let condition = |comparison, threshold, evaluation_periods, datapoints_to_alarm| Condition {
            comparison,
            threshold,
            evaluation_periods,
            datapoints_to_alarm,
            // Too little data, no scaling (user guide); step policies' alarms have CloudWatch's default.
            treat_missing_data: MissingData::Missing,
        };
        let watch = |name, condition| Watch { name, condition, state: AlarmState::default() };
        let watches = match &policy.kind {
            PolicyKind::TargetTracking {
                target_value,
                scale_out_datapoints: high,
                scale_in_datapoints: low,
                scale_in_threshold,
                disable_scale_in,
            } => {
                let mut watches = vec![watch("AlarmHigh", condition(Comparison::Greater, *target_value, *high, *high))];
                if !disable_scale_in {
                    let below = scale_in_threshold * target_value;
                    watches.push(watch("AlarmLow", condition(Comparison::Less, below, *low, *low)));
                }
                watches
            }
            PolicyKind::Step { alarm, .. } | PolicyKind::Simple { alarm, .. } => {
                let comparison = if alarm.above { Comparison::GreaterOrEqual } else { Comparison::LessOrEqual };
                let Alarm { threshold, evaluation_periods, datapoints_to_alarm, .. } = *alarm;
                vec![watch("alarm", condition(comparison, threshold, evaluation_periods, datapoints_to_alarm))]
            }
        };
        let published = &mut cx.shared.metrics;
        let metric = published.find(policy.metric);
        let range = watches.iter().map(|watch| watch.condition.evaluation_range()).max().unwrap_or(0);
        let (mut metric_name, mut unit) = (String::new(), "");
        if let Some(id) = metric {
            published.keep(id, range);
            metric_name = published.name(id).split(' ').nth(1).unwrap_or_default().to_owned();
            unit = published.unit(id);
        }
        Self { policy: policy.clone(), metric, metric_name, unit, watches, latest: None }
    }

    /// Evaluates its alarms on the periods that end by `readable`.
    fn look(&mut self, readable: SimTime, service: &str, points: &mut Vec<Option<f64>>, cx: &mut Cx<'_>) {
        let Some(metric) = self.metric else { return };
        self.latest = None;
        for watch in &mut self.watches {
            cx.shared.metrics.read(metric, readable, watch.condition.evaluation_range(), points);
            let before = watch.state;
            watch.state = watch.condition.state(points, before);
            self.latest = points.iter().rev().copied().flatten().next();
            // That the first datapoints have come is no news.
            if watch.state != before && (before, watch.state) != (AlarmState::InsufficientData, AlarmState::Ok) {
                let Condition { comparison, threshold, evaluation_periods, datapoints_to_alarm, .. } = watch.condition;
                let what = format!(
                    "{} of {}: {} -> {} ({} {} {} in {} of {} minutes; latest {})",
                    watch.name,
                    self.policy.name,
                    before.name(),
                    watch.state.name(),
                    self.metric_name,
                    comparison.sign(),
                    quantity(threshold, self.unit),
                    datapoints_to_alarm,
                    evaluation_periods,
                    self.latest.map_or_else(|| "none".to_owned(), |value| quantity(value, self.unit)),
                );
                cx.shared.observer.log(cx.kernel.now(), LogKind::Alarm, service, what);
            }
        }
    }

    /// What the policy wants. `capacity` is what there is, `base` what a wish for more is reckoned from; `waits`: a cooldown
    /// of either kind is running.
    fn wish(&self, capacity: u32, base: u32, waits: bool) -> Wish {
        let fires = |at: usize| self.watches.get(at).is_some_and(|watch| watch.state == AlarmState::Alarm);
        match &self.policy.kind {
            PolicyKind::TargetTracking { target_value, disable_scale_in, .. } => {
                let idle = if *disable_scale_in { Wish::Nothing } else { Wish::Stay };
                let Some(metric) = self.latest else { return idle };
                if fires(HIGH) {
                    Wish::Out(proportional(base, metric, *target_value).max(base.saturating_add(1)))
                } else if fires(LOW) {
                    let wanted = proportional(capacity, metric, *target_value);
                    if wanted < capacity { Wish::In(wanted) } else { Wish::Stay }
                } else {
                    idle
                }
            }
            PolicyKind::Step { alarm, adjustments } => {
                let Some(metric) = self.latest.filter(|_| fires(HIGH)) else { return Wish::Nothing };
                let step = adjustments.iter().find(|step| step.holds(metric - alarm.threshold));
                step.map_or(Wish::Nothing, |step| by(step.adjustment, capacity, base))
            }
            PolicyKind::Simple { adjustment, .. } if fires(HIGH) && !waits => by(*adjustment, capacity, base),
            PolicyKind::Simple { .. } => Wish::Nothing,
        }
    }

    /// Why it wants what it wants, with numbers.
    fn why(&self) -> String {
        let against = match &self.policy.kind {
            PolicyKind::TargetTracking { target_value, .. } => ("target", *target_value),
            PolicyKind::Step { alarm, .. } | PolicyKind::Simple { alarm, .. } => ("threshold", alarm.threshold),
        };
        let latest = quantity(self.latest.unwrap_or(f64::NAN), self.unit);
        format!("{} {latest} against {} {}", self.metric_name, against.0, quantity(against.1, self.unit))
    }
}

impl StepAdjustment {
    /// Whether the step is the one for a metric this far from the threshold. Above it the lower bound belongs to the step and
    /// the upper does not; below it the other way round (EC2 Auto Scaling user guide, step adjustments).
    #[must_use]
    pub fn holds(&self, distance: f64) -> bool {
        if self.upper <= 0.0 || (self.lower < 0.0 && distance < 0.0) {
            self.lower < distance && distance <= self.upper
        } else {
            self.lower <= distance && distance < self.upper
        }
    }
}

impl Scaled {
    /// Does what its policies want, as far as bounds and cooldowns allow.
    fn act(&mut self, policies: &[Governor], cx: &mut Cx<'_>) {
        let now = cx.now();
        let cooling_out = now < self.out_until;
        let cooling_in = now < self.in_until;
        let base = if cooling_out { self.before_out.min(self.desired) } else { self.desired };
        let wishes = policies
            .iter()
            .filter(|governor| governor.policy.service == self.id)
            .map(|governor| (governor.wish(self.desired, base, cooling_out || cooling_in), governor));
        let mut stay = false;
        let mut out: Option<(u32, &Governor)> = None;
        let mut inwards: Option<(u32, &Governor)> = None;
        for (wish, governor) in wishes {
            let place = match wish {
                Wish::Nothing => continue,
                Wish::Stay => {
                    stay = true;
                    continue;
                }
                Wish::Out(wanted) => (wanted, &mut out),
                Wish::In(wanted) => (wanted, &mut inwards),
            };
            if place.1.is_none_or(|(most, _)| place.0 > most) {
                *place.1 = Some((place.0, governor));
            }
        }
        if let Some((wanted, governor)) = out {
            self.scale_out(wanted, base, governor, cx);
        } else {
            self.capped = false;
            if let Some((wanted, governor)) =
                inwards.filter(|_| !stay && !cooling_out && !cooling_in && !self.deploying)
            {
                self.scale_in(wanted, governor, cx);
            }
        }
    }

    fn scale_out(&mut self, wanted: u32, base: u32, governor: &Governor, cx: &mut Cx<'_>) {
        let now = cx.now();
        let capacity = wanted.min(self.max);
        if capacity > self.desired {
            self.before_out = base;
            self.out_until = now + governor.policy.scale_out_cooldown;
            self.in_until = SimTime::ZERO;
            let why = format!("{}: {}", governor.policy.name, governor.why());
            self.set(capacity, &why, cx);
        }
        let capped = wanted > self.max;
        if capped && !self.capped {
            let what = format!("{} tasks wanted, MaxCapacity is {}: {}", wanted, self.max, governor.why());
            cx.shared.observer.log(now, LogKind::Scaling, &self.name, what);
        }
        self.capped = capped;
    }

    fn scale_in(&mut self, wanted: u32, governor: &Governor, cx: &mut Cx<'_>) {
        let capacity = wanted.max(self.min);
        if capacity < self.desired {
            self.in_until = cx.now() + governor.policy.scale_in_cooldown;
            let why = format!("{}: {}", governor.policy.name, governor.why());
            self.set(capacity, &why, cx);
        }
    }

    fn set(&mut self, desired: u32, why: &str, cx: &mut Cx<'_>) {
        let what = format!("desired {} -> {desired} by {why}", self.desired);
        cx.shared.observer.log(cx.kernel.now(), LogKind::Scaling, &self.name, what);
        self.desired = desired;
        cx.control(Control::SetDesiredCount(self.id, desired));
    }
}

/// Capacity that would bring a metric that is shared evenly to its target: `ceil(capacity x metric / target)`.
fn proportional(capacity: u32, metric: f64, target: f64) -> u32 {
    // Rounding errors of a metric that is a quotient must not count as a task.
    let exact = f64::from(capacity) * metric / target;
    (exact - 1e-9 * exact.max(1.0)).ceil() as u32
}

/// A change in capacity as a wish. More is reckoned from `base`, less from what there is.
fn by(adjustment: i32, capacity: u32, base: u32) -> Wish {
    if adjustment > 0 {
        Wish::Out(base.saturating_add_signed(adjustment))
    } else {
        Wish::In(capacity.saturating_add_signed(adjustment))
    }
}

/// A value with its unit, with about three digits: `55.2 %`, `0.123 s`, `1500`.
fn quantity(value: f64, unit: &str) -> String {
    let decimals = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 1.0 => 1,
        _ => 3,
    };
    let number = format!("{value:.decimals$}");
    let number = if decimals > 0 { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    match unit {
        "" | "count" => number.to_owned(),
        unit => format!("{number} {unit}"),
    }
}
