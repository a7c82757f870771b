//! Application Auto Scaling: target tracking, step and simple scaling on alarms, and scheduled actions.
//!
//! A policy has alarms, and sees published datapoints through them and nothing else: the metric's period and delay and the
//! alarm's datapoints are what makes scaling late. An alarm calls its action when it goes off and once a minute while it stays
//! so (CloudWatch), and cooldowns hold it back.
//!
//! What a policy wants:
//! - *Target tracking* has two alarms it manages itself. High: above the target in 3 of 3 periods; it wants
//!   `ceil(capacity x metric / target)`, at least one more. Low: below 0.9 of the target in 15 of 15 minutes; it wants
//!   `ceil(capacity x metric / target)` too, so as not to remove too much. In between nothing happens.
//! - *Step* wants the capacity changed by the adjustment of the step that the metric is in.
//! - *Simple* wants the capacity changed by its one adjustment, and waits for the cooldown before it wants anything again.
//!
//! The metric is the latest datapoint that the alarm could read; the capacity is the desired count.
//!
//! What is done, of what several policies of a target want (Application Auto Scaling user guide, target tracking):
//! - The largest capacity wins. In only if every target-tracking policy that may scale in wants to.
//! - Out: at once, also during a scale-in cooldown, which ends with it. During a scale-out cooldown what was added counts: the
//!   wish is reckoned from the capacity before it, and only more than there is already is done.
//! - Instances of EC2 Auto Scaling groups warm up: while one is launched, or has been in service for less than the warm-up, policies
//!   remove none; and simple scaling's cooldown begins when the last launch or termination is over.
//! - An Aurora cluster is scaled only while all of its instances are available, and cooldowns stand still meanwhile (Aurora guide,
//!   Aurora.Integrating.AutoScaling: they begin when the activity is complete).
//! - In: not during a scale-in or scale-out cooldown, and not during a deployment (ECS developer guide, target tracking).
//! - Never beyond `MinCapacity` and `MaxCapacity`. A scheduled action changes these, and with them at once, whatever the
//!   cooldowns, a capacity that lies outside.
//!
//! What is scaled is a [`Scalable`]: it tells its capacity with [`Control::DesiredCount`], when no scale-in may happen with
//! [`Control::Deploying`], and is told with [`Control::SetDesiredCount`].
//!
//! Not modelled: several alarms for one step policy. But for simple scaling of groups a cooldown begins with the decision.

use sim_core::observations::LogKind;
use sim_core::{SimDuration, SimTime};

use crate::cloudwatch::{
    AlarmState, Alarms, Comparison, Condition, MetricAlarm, MissingData, Origin, Statistic, quantity,
};
use crate::ids::*;
use crate::world::{self, Control, Cx};

mod forecast;
#[cfg(test)]
mod tests;

pub use forecast::Forecast;

/// What is scaled, when and how.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What is scaled.
    pub targets: Vec<Target>,
    /// By which policies.
    pub policies: Vec<Policy>,
    /// And when, whatever the metrics say.
    pub scheduled: Vec<ScheduledAction>,
    /// And what is forecast.
    pub forecasts: Vec<Forecast>,
}

/// A scalable target.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is.
    pub id: Scalable,
    /// As in reports: `ecs.web`, or `ecs.web instances`.
    pub name: String,
    /// Capacity at the start.
    pub desired: u32,
    /// `MinCapacity`.
    pub min_capacity: u32,
    /// `MaxCapacity`.
    pub max_capacity: u32,
    /// Of a capacity provider `minimumScalingStepSize` and `maximumScalingStepSize`: by how many at least and at most it is changed
    /// at once.
    pub steps: (u32, u32),
}

/// The steps of what is changed by any number at once.
pub const ANY_STEP: (u32, u32) = (1, u32::MAX);

/// A scaling policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What it scales.
    pub target: Scalable,
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
    /// Keep the metric at the target. High alarm: above it for 3 of 3 periods; low: below 0.9 of it for 15 minutes.
    TargetTracking {
        /// Full name of the metric.
        metric: String,
        /// Its statistic.
        statistic: Statistic,
        /// Period of the alarms.
        period: SimDuration,
        /// `TargetValue`.
        target_value: f64,
        /// `DisableScaleIn`.
        disable_scale_in: bool,
        /// Datapoints of the high alarm (3).
        scale_out_datapoints: u32,
        /// Datapoints of the low alarm (15 of a minute).
        scale_in_datapoints: u32,
        /// Share of the target below which the low alarm fires (0.9).
        scale_in_threshold: f64,
    },
    /// By how far the metric is past the threshold.
    Step {
        /// The alarm that calls it.
        alarm: Trigger,
        /// What the adjustments are.
        adjustment_type: AdjustmentType,
        /// Steps relative to the threshold.
        adjustments: Vec<StepAdjustment>,
    },
    /// One adjustment, then wait for the cooldown.
    Simple {
        /// The alarm that calls it.
        alarm: Trigger,
        /// What the adjustment is.
        adjustment_type: AdjustmentType,
        /// `ScalingAdjustment`.
        adjustment: i32,
    },
}

/// The alarm whose action a policy is.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// One of the scenario's alarms, on a metric.
    Named(AlarmId),
    /// Its own.
    Own(MetricAlarm),
}

/// What a number of an adjustment means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjustmentType {
    /// `ChangeInCapacity`: so many more or less.
    ChangeInCapacity,
    /// `ExactCapacity`: so many.
    ExactCapacity,
    /// `PercentChangeInCapacity`: so many percent of the capacity more or less.
    PercentChangeInCapacity {
        /// `MinAdjustmentMagnitude`: by at least so many.
        at_least: u32,
    },
}

impl AdjustmentType {
    /// The capacity after an adjustment. Percentages above 1 are rounded down, between 0 and 1 up to 1, between -1 and 0 down to
    /// -1, below -1 towards zero (EC2 Auto Scaling user guide, as-scaling-simple-step).
    #[must_use]
    pub fn adjusted(self, capacity: u32, adjustment: i32) -> u32 {
        match self {
            Self::ChangeInCapacity => capacity.saturating_add_signed(adjustment),
            Self::ExactCapacity => adjustment.unsigned_abs(),
            Self::PercentChangeInCapacity { at_least } => {
                if adjustment == 0 {
                    return capacity;
                }
                let magnitude = u64::from(capacity) * u64::from(adjustment.unsigned_abs()) / 100;
                let change = u32::try_from(magnitude).unwrap_or(u32::MAX).max(1).max(at_least);
                if adjustment > 0 { capacity.saturating_add(change) } else { capacity.saturating_sub(change) }
            }
        }
    }
}

/// One step of a step-scaling policy.
#[derive(Clone, Copy, Debug)]
pub struct StepAdjustment {
    /// `MetricIntervalLowerBound`, relative to the threshold; -inf if open.
    pub lower: f64,
    /// `MetricIntervalUpperBound`, relative to the threshold; inf if open.
    pub upper: f64,
    /// `ScalingAdjustment`.
    pub adjustment: i32,
}

/// A scheduled action: other bounds from some instant on.
#[derive(Clone, Debug)]
pub struct ScheduledAction {
    /// Its name.
    pub name: String,
    /// What it scales.
    pub target: Scalable,
    /// When.
    pub times: Times,
    /// `MinCapacity` from then on, if it changes.
    pub min_capacity: Option<u32>,
    /// `MaxCapacity` from then on, if it changes.
    pub max_capacity: Option<u32>,
    /// `DesiredCapacity` then, if it changes (EC2 Auto Scaling only).
    pub desired: Option<u32>,
}

/// When a scheduled action is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// At these instants, in order of time: what a calendar says.
    Listed(Vec<SimTime>),
    /// At an instant, and from then on at a rate until another.
    Every {
        /// The first time.
        first: SimTime,
        /// How often again.
        every: SimDuration,
        /// Not after this.
        until: SimTime,
    },
}

impl Times {
    /// The time of this number, counted from 0, if there is one.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<SimTime> {
        match self {
            Self::Listed(times) => times.get(number as usize).copied(),
            Self::Every { first, every, until } => {
                Some(*first + every.times(number.into())).filter(|time| time <= until)
            }
        }
    }
}

/// What happens to scaling by itself.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A scheduled action (its number) is due, for this time (counted from 0).
    Scheduled(u16, u32),
    /// A forecast (its number) changes, for this time (counted from 0).
    Forecast(u16, u32),
}

/// All of it at work.
#[derive(Debug, Default)]
pub struct AutoScaling {
    targets: Vec<Scaled>,
    policies: Vec<Governor>,
    scheduled: Vec<ScheduledAction>,
    forecasts: Vec<Forecast>,
}

/// A scalable target at work.
#[derive(Debug)]
struct Scaled {
    id: Scalable,
    /// `ecs.web`.
    name: String,
    min: u32,
    max: u32,
    steps: (u32, u32),
    /// What is forecast at present, at least, and the most there may be for it.
    forecast: u32,
    most: u32,
    desired: u32,
    deploying: bool,
    /// Until when a scale-out has its cooldown, and the capacity before it.
    out_until: SimTime,
    before_out: u32,
    /// Until when a scale-in has its cooldown.
    in_until: SimTime,
    /// EC2, Aurora: instances are launched or terminated at present, or not available; since when, when that was over last, and when the
    /// last one came into service.
    active: bool,
    active_since: SimTime,
    settled: Option<SimTime>,
    in_service: Option<SimTime>,
    /// It has been said that more is wanted than the maximum.
    capped: bool,
}

/// A policy at work.
#[derive(Debug)]
struct Governor {
    policy: Policy,
    /// The alarm that calls it; of target tracking, the high one.
    alarm: AlarmId,
    /// Target tracking that may scale in: the low alarm.
    low: Option<AlarmId>,
    /// The target, or the alarm's threshold.
    against: f64,
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

impl AutoScaling {
    /// Builds it, and adds the alarms of its policies. A target that starts outside of its bounds is brought inside at once.
    #[must_use]
    pub fn new(settings: &Settings, alarms: &mut Alarms, cx: &mut Cx<'_>) -> Self {
        let mut targets: Vec<Scaled> = settings.targets.iter().map(Scaled::new).collect();
        let name_of = |id| settings.targets.iter().find(|target| target.id == id).map_or("", |target| &target.name);
        let policies = settings.policies.iter();
        let policies = policies.map(|policy| Governor::new(policy, name_of(policy.target), alarms, cx)).collect();
        for target in &mut targets {
            target.go_inside(cx);
        }
        let (scheduled, forecasts) = (settings.scheduled.clone(), settings.forecasts.clone());
        Self { targets, policies, scheduled, forecasts }
    }

    /// Schedules its actions.
    pub fn start(&self, cx: &mut Cx<'_>) {
        for number in 0..self.scheduled.len() as u16 {
            self.schedule(number, 0, cx);
        }
        for number in 0..self.forecasts.len() as u16 {
            self.foresee(number, 0, cx);
        }
    }

    /// Schedules a change of a forecast, if it has that many.
    fn foresee(&self, number: u16, change: u32, cx: &mut Cx<'_>) {
        if let Some((at, ..)) = self.forecasts[usize::from(number)].change(change) {
            cx.kernel.schedule_at(at, world::Event::AutoScaling(Event::Forecast(number, change)));
        }
    }

    /// Schedules a scheduled action for one of its times, if it has that many.
    fn schedule(&self, number: u16, time: u32, cx: &mut Cx<'_>) {
        if let Some(at) = self.scheduled[usize::from(number)].times.get(time) {
            cx.kernel.schedule_at(at, world::Event::AutoScaling(Event::Scheduled(number, time)));
        }
    }

    /// Handles one of its events.
    #[cold]
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Scheduled(number, time) => {
                self.schedule(number, time + 1, cx);
                let action = &self.scheduled[usize::from(number)];
                if let Some(target) = self.targets.iter_mut().find(|target| target.id == action.target) {
                    target.schedule_says(action, cx);
                }
            }
            Event::Forecast(number, change) => {
                self.foresee(number, change + 1, cx);
                let forecast = &self.forecasts[usize::from(number)];
                let target = self.targets.iter_mut().find(|target| target.id == forecast.target);
                if let (Some(target), Some((_, capacity, early))) = (target, forecast.change(change)) {
                    target.forecast_says(forecast, capacity, early, cx);
                }
            }
        }
    }

    /// Does what the policies want whose alarms call at this evaluation.
    pub fn act(&mut self, alarms: &Alarms, cx: &mut Cx<'_>) {
        for target in &mut self.targets {
            target.act(&self.policies, alarms, cx);
        }
    }

    /// A deployment of a target begins or is over: scale-in is suspended meanwhile.
    pub fn deploying(&mut self, target: Scalable, deploying: bool) {
        if let Some(target) = self.targets.iter_mut().find(|scaled| scaled.id == target) {
            target.deploying = deploying;
        }
    }

    /// A target begins to launch or terminate instances, or has as many as it wants.
    pub fn activity(&mut self, target: Scalable, goes_on: bool, now: SimTime) {
        if let Some(target) = self.targets.iter_mut().find(|scaled| scaled.id == target) {
            target.active = goes_on;
            if goes_on {
                target.active_since = now;
            } else {
                target.settled = Some(now);
                target.cool_on(now);
            }
        }
    }

    /// An instance of a target has come into service.
    pub fn in_service(&mut self, target: Scalable, now: SimTime) {
        if let Some(target) = self.targets.iter_mut().find(|scaled| scaled.id == target) {
            target.in_service = Some(now);
        }
    }

    /// A target tells what capacity it wants at present (after a scaling decision, or a change by others).
    pub fn desired_count(&mut self, target: Scalable, desired: u32) {
        if let Some(target) = self.targets.iter_mut().find(|scaled| scaled.id == target) {
            target.desired = desired;
        }
    }
}

impl Governor {
    fn new(policy: &Policy, target_name: &str, alarms: &mut Alarms, cx: &mut Cx<'_>) -> Self {
        let mut add = |kind: &str, alarm: &MetricAlarm| {
            alarms.add(Origin::Policy(kind, target_name, &policy.name), "", alarm, cx)
        };
        let (alarm, low, against) = match &policy.kind {
            PolicyKind::TargetTracking {
                metric,
                statistic,
                period,
                target_value,
                scale_out_datapoints: high,
                scale_in_datapoints: low,
                scale_in_threshold,
                disable_scale_in,
            } => {
                let managed = |comparison, threshold, datapoints| MetricAlarm {
                    metric: metric.clone(),
                    statistic: *statistic,
                    period: *period,
                    condition: Condition {
                        comparison,
                        threshold,
                        evaluation_periods: datapoints,
                        datapoints_to_alarm: datapoints,
                        // Too little data, no scaling (user guide).
                        treat_missing_data: MissingData::Missing,
                    },
                    ignore_low_sample_count: false,
                };
                let alarm = add("AlarmHigh", &managed(Comparison::Greater, *target_value, *high));
                let below = scale_in_threshold * target_value;
                let low = (!disable_scale_in).then(|| add("AlarmLow", &managed(Comparison::Less, below, *low)));
                (alarm, low, *target_value)
            }
            PolicyKind::Step { alarm: trigger, .. } | PolicyKind::Simple { alarm: trigger, .. } => {
                let alarm = match trigger {
                    Trigger::Named(id) => *id,
                    Trigger::Own(own) => add("alarm", own),
                };
                (alarm, None, alarms.threshold(alarm).expect("validated: no composite alarm"))
            }
        };
        Self { policy: policy.clone(), alarm, low, against }
    }

    /// What the policy wants. `capacity` is what there is, `base` what a wish for more is reckoned from; `waits`: a cooldown
    /// of either kind is running.
    fn wish(&self, alarms: &Alarms, capacity: u32, base: u32, waits: bool) -> Wish {
        let called = alarms.acts(self.alarm);
        let metric = alarms.latest(self.alarm);
        match &self.policy.kind {
            PolicyKind::TargetTracking { target_value, .. } => {
                let Some(metric) = metric else { return self.idle() };
                if called {
                    Wish::Out(proportional(base, metric, *target_value).max(base.saturating_add(1)))
                } else if self.low.is_some_and(|low| alarms.state(low) == AlarmState::Alarm) {
                    let wanted = proportional(capacity, metric, *target_value);
                    if wanted < capacity { Wish::In(wanted) } else { Wish::Stay }
                } else {
                    self.idle()
                }
            }
            PolicyKind::Step { adjustment_type, adjustments, .. } => {
                let Some(metric) = metric.filter(|_| called) else { return Wish::Nothing };
                let step = adjustments.iter().find(|step| step.holds(metric - self.against));
                step.map_or(Wish::Nothing, |step| by(*adjustment_type, step.adjustment, capacity, base))
            }
            PolicyKind::Simple { adjustment_type, adjustment, .. } if called && !waits => {
                by(*adjustment_type, *adjustment, capacity, base)
            }
            PolicyKind::Simple { .. } => Wish::Nothing,
        }
    }

    /// What target tracking wants where it wants no change.
    fn idle(&self) -> Wish {
        if self.low.is_some() { Wish::Stay } else { Wish::Nothing }
    }

    /// Why it wants what it wants, with numbers.
    fn why(&self, alarms: &Alarms) -> String {
        let word = if matches!(self.policy.kind, PolicyKind::TargetTracking { .. }) { "target" } else { "threshold" };
        let against = quantity(self.against, alarms.unit(self.alarm));
        format!("{} against {word} {against}", alarms.latest_in_words(self.alarm))
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
    fn new(settings: &Target) -> Self {
        Self {
            id: settings.id,
            name: settings.name.clone(),
            min: settings.min_capacity,
            max: settings.max_capacity,
            steps: settings.steps,
            forecast: 0,
            most: 0,
            desired: settings.desired,
            deploying: false,
            out_until: SimTime::ZERO,
            before_out: settings.desired,
            in_until: SimTime::ZERO,
            active: false,
            active_since: SimTime::ZERO,
            settled: None,
            in_service: None,
            capped: false,
        }
    }

    /// Does what its policies want, as far as bounds and cooldowns allow, if any of their alarms calls.
    fn act(&mut self, policies: &[Governor], alarms: &Alarms, cx: &mut Cx<'_>) {
        let now = cx.now();
        if self.waits_for_all() && self.active {
            return;
        }
        let own = || policies.iter().filter(|governor| governor.policy.target == self.id);
        if own().all(|governor| alarms.state(governor.alarm) != AlarmState::Alarm) {
            self.capped = false;
        }
        if !own().any(|governor| alarms.acts(governor.alarm) || governor.low.is_some_and(|low| alarms.acts(low))) {
            return;
        }
        let cooling_out = now < self.out_until;
        let cooling_in = now < self.in_until;
        let base = if cooling_out { self.before_out.min(self.desired) } else { self.desired };
        let mut stay = false;
        let mut out: Option<(u32, &Governor)> = None;
        let mut inwards: Option<(u32, &Governor)> = None;
        for governor in own() {
            let waits = cooling_out || cooling_in || self.cools_simply(governor, now);
            let (wanted, place) = match governor.wish(alarms, self.desired, base, waits) {
                Wish::Nothing => continue,
                Wish::Stay => {
                    stay = true;
                    continue;
                }
                Wish::Out(wanted) => (wanted, &mut out),
                Wish::In(wanted) => (wanted, &mut inwards),
            };
            if place.is_none_or(|(most, _)| wanted > most) {
                *place = Some((wanted, governor));
            }
        }
        if let Some((wanted, governor)) = out {
            self.scale_out(wanted, base, governor, alarms, cx);
        } else if let Some((wanted, governor)) =
            inwards.filter(|(_, by)| !stay && !cooling_out && !cooling_in && !self.deploying && !self.warms(by, now))
        {
            self.scale_in(wanted, governor, alarms, cx);
        }
    }

    /// Whether nothing is decided while any of its instances is not available.
    fn waits_for_all(&self) -> bool {
        matches!(self.id, Scalable::Readers(_))
    }

    /// All instances are available again: cooldowns that were running when they were not take as much longer.
    fn cool_on(&mut self, now: SimTime) {
        if !self.waits_for_all() {
            return;
        }
        for until in [&mut self.out_until, &mut self.in_until] {
            if *until > self.active_since {
                *until += now - self.active_since;
            }
        }
    }

    /// Simple scaling of a group waits until the last instance is there, or gone, and its cooldown from then on (ASG guide,
    /// ec2-auto-scaling-scaling-cooldowns).
    fn cools_simply(&self, governor: &Governor, now: SimTime) -> bool {
        self.active || self.settled.is_some_and(|settled| now < settled + governor.policy.scale_out_cooldown)
    }

    /// Whether instances of a group are being launched or warm up: nothing is removed meanwhile (ASG guide,
    /// ec2-auto-scaling-default-instance-warmup). Simple scaling knows no warm-up.
    fn warms(&self, governor: &Governor, now: SimTime) -> bool {
        !matches!(governor.policy.kind, PolicyKind::Simple { .. })
            && (self.active || self.in_service.is_some_and(|since| now < since + governor.policy.scale_out_cooldown))
    }

    fn scale_out(&mut self, wanted: u32, base: u32, governor: &Governor, alarms: &Alarms, cx: &mut Cx<'_>) {
        let now = cx.now();
        let max = self.max.max(self.most);
        let change = wanted.saturating_sub(base);
        let change = if change > 0 { change.clamp(self.steps.0, self.steps.1) } else { 0 };
        let capacity = base.saturating_add(change).min(max);
        if capacity > self.desired {
            self.before_out = base;
            self.out_until = now + governor.policy.scale_out_cooldown;
            self.in_until = SimTime::ZERO;
            let why = format!("{}: {}", governor.policy.name, governor.why(alarms));
            self.set(capacity, &why, cx);
        }
        let capped = wanted > max;
        if capped && !self.capped {
            let what = format!("{wanted} wanted, MaxCapacity is {max}: {}", governor.why(alarms));
            cx.shared.observer.log(now, LogKind::Scaling, &self.name, what);
        }
        self.capped |= capped;
    }

    fn scale_in(&mut self, wanted: u32, governor: &Governor, alarms: &Alarms, cx: &mut Cx<'_>) {
        let change = self.desired.saturating_sub(wanted);
        let change = if change > 0 { change.clamp(self.steps.0, self.steps.1) } else { 0 };
        let capacity = self.desired.saturating_sub(change).max(self.least());
        if capacity < self.desired {
            self.in_until = cx.now() + governor.policy.scale_in_cooldown;
            let why = format!("{}: {}", governor.policy.name, governor.why(alarms));
            self.set(capacity, &why, cx);
        }
    }

    /// A scheduled action gives it other bounds.
    fn schedule_says(&mut self, action: &ScheduledAction, cx: &mut Cx<'_>) {
        self.min = action.min_capacity.unwrap_or(self.min);
        self.max = action.max_capacity.unwrap_or(self.max);
        if action.min_capacity.is_none() {
            self.min = self.min.min(self.max);
        } else if action.max_capacity.is_none() {
            self.max = self.max.max(self.min);
        }
        let what = format!("scheduled action {}: {} to {}", action.name, self.min, self.max);
        cx.shared.observer.log(cx.kernel.now(), LogKind::Scaling, &self.name, what);
        self.capped = false;
        match action.desired.map(|desired| desired.clamp(self.min, self.max)) {
            Some(desired) if desired != self.desired => {
                self.set(desired, &format!("scheduled action {}", action.name), cx)
            }
            _ => self.go_inside(cx),
        }
    }

    /// The least there may be: the minimum, or what is forecast, as far as the maximum allows.
    fn least(&self) -> u32 {
        self.min.max(self.forecast.min(self.max.max(self.most)))
    }

    /// A forecast says what there must be at least from now on.
    fn forecast_says(&mut self, forecast: &Forecast, capacity: u32, early: bool, cx: &mut Cx<'_>) {
        if early || forecast.buffer.is_zero() {
            let mode = if forecast.scales { "ForecastAndScale" } else { "ForecastOnly" };
            let what = format!("forecast of {}: at least {capacity} ({mode})", forecast.name);
            cx.shared.observer.log(cx.kernel.now(), LogKind::Scaling, &self.name, what);
        }
        if !forecast.scales {
            return;
        }
        (self.forecast, self.most) = (capacity, forecast.most(capacity, self.max));
        let least = self.least();
        if least > self.desired {
            self.set(least, &format!("{}: forecast", forecast.name), cx);
        }
    }

    /// A capacity outside of the bounds is brought inside.
    fn go_inside(&mut self, cx: &mut Cx<'_>) {
        let inside = self.desired.clamp(self.least(), self.max.max(self.most));
        if inside != self.desired {
            let bound = if inside > self.desired { "MinCapacity" } else { "MaxCapacity" };
            self.set(inside, bound, cx);
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

/// An adjustment as a wish. More is reckoned from `base`, less from what there is.
fn by(adjustment_type: AdjustmentType, adjustment: i32, capacity: u32, base: u32) -> Wish {
    let out = match adjustment_type {
        AdjustmentType::ExactCapacity => adjustment.unsigned_abs() > capacity,
        _ => adjustment > 0,
    };
    match out {
        true => Wish::Out(adjustment_type.adjusted(base, adjustment)),
        false => Wish::In(adjustment_type.adjusted(capacity, adjustment)),
    }
}
