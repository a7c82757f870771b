//! Scaling policies and scheduled actions.

use models::architecture::Run;
use models::autoscaling::{
    ANY_STEP, AdjustmentType, Policy, PolicyKind, ScheduledAction, Settings, StepAdjustment, Target, Trigger,
};
use models::cloudwatch::{MetricAlarm, Metrics, PERIOD, Statistic};
use models::ids::*;
use sim_core::SimDuration;

use super::Check;
use super::alb::{Registration, Registrations};
use super::cloudwatch::{Asked, Found, Given, period_of};
use super::ec2::sizes_of;
use super::ecs::MAX_TASKS;
use super::forecast::{Rates, policy_name};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::{ec2, ecs, scaling as raw};
use crate::tree::Span;

/// Most policies, and most scheduled actions.
const MAX_POLICIES: usize = 10_000;

/// What is scaled, and whose metrics its policies mean where they do not say.
pub(super) struct Scaled<'a> {
    pub id: Scalable,
    /// As in reports: `ecs.web`.
    pub name: String,
    /// As written: `web`.
    pub label: &'a str,
    pub desired: &'a Sp<u32>,
    pub policies: &'a [raw::Scaling],
    pub scheduled: &'a [raw::ScheduledAction],
    /// Itself, its target groups, their load balancers.
    pub dimensions: Vec<String>,
    /// Its target groups alone.
    pub groups: Vec<String>,
    /// Where nothing is said: how long after a scale-out only a larger one is made, and below which share of its target a
    /// metric is low.
    pub scale_out_cooldown: SimDuration,
    pub scale_in_threshold: f64,
    /// Its bounds where no policy says any.
    pub sizes: (u32, u32),
}

/// `ScaleOutCooldown`, and the default cooldown of EC2 Auto Scaling groups.
const COOLDOWN: SimDuration = SimDuration::from_secs(300);

impl Check<'_> {
    /// All that is scaled; `published` are the metrics there are, where nothing else is wrong.
    pub(super) fn scaling(
        &mut self,
        registrations: &Registrations,
        run: &Run,
        rates: &Rates<'_>,
        published: Option<&Metrics>,
    ) -> Settings {
        let doc = self.doc;
        let mut settings = Settings::default();
        for (n, name, service) in doc.ecs.iter() {
            let name_in_full = format!("ecs.{}", name.value);
            let (dimensions, groups) = self.dimensions(&name_in_full, &registrations.ecs[n]);
            let scaled = Scaled {
                id: Scalable::Ecs(EcsId(n as u16)),
                name: name_in_full,
                label: name,
                desired: &service.desired_count,
                policies: &service.scaling,
                scheduled: &service.scheduled_action,
                dimensions,
                groups,
                scale_out_cooldown: COOLDOWN,
                scale_in_threshold: 0.9,
                sizes: (0, MAX_TASKS),
            };
            self.scaled(&scaled, run, rates, published, &mut settings);
            let instances = service.container_instances.as_ref();
            if let Some(managed) =
                instances.and_then(|it| it.managed_scaling.as_ref().map(|managed| (managed, &it.count)))
            {
                self.capacity_provider(EcsId(n as u16), name, managed, &mut settings);
            }
        }
        for (n, name, group) in doc.ec2.iter() {
            let name_in_full = format!("ec2.{}", name.value);
            let (dimensions, groups) = self.dimensions(&name_in_full, &registrations.ec2[n]);
            self.group_can_scale(group);
            let warm_up = group.default_instance_warmup.0;
            let scaled = Scaled {
                id: Scalable::Ec2(Ec2Id(n as u16)),
                name: name_in_full,
                label: name,
                desired: &group.desired_capacity,
                policies: &group.scaling,
                scheduled: &group.scheduled_action,
                dimensions,
                groups,
                scale_out_cooldown: if warm_up.is_zero() { COOLDOWN } else { warm_up },
                scale_in_threshold: 0.7,
                sizes: (sizes_of(group).0.value, sizes_of(group).1.value),
            };
            self.scaled(&scaled, run, rates, published, &mut settings);
        }
        self.table_scaling(run, &mut settings);
        self.reader_scaling(run, &mut settings);
        if settings.policies.len().max(settings.scheduled.len()) > MAX_POLICIES {
            self.error(doc.run.span, "too much scaling", format!("at most {MAX_POLICIES} policies or actions"));
        }
        settings
    }

    /// The container instances of a service's capacity provider follow what their tasks need.
    fn capacity_provider(
        &mut self,
        id: EcsId,
        service: &str,
        (managed, count): (&ecs::ManagedScaling, &Sp<u32>),
        settings: &mut Settings,
    ) {
        let id = Scalable::Capacity(id);
        let steps = (
            self.count(&managed.minimum_scaling_step_size, "minimum_scaling_step_size", 1, 10_000),
            self.count(&managed.maximum_scaling_step_size, "maximum_scaling_step_size", 1, 10_000),
        );
        if steps.0 > steps.1 {
            let title = "the smallest step is larger than the largest";
            self.error(managed.minimum_scaling_step_size.span, title, "at most maximum_scaling_step_size");
        }
        settings.targets.push(Target {
            id,
            name: format!("ecs.{service} instances"),
            desired: count.value,
            min_capacity: managed.min_size.value,
            max_capacity: managed.max_size.value.max(count.value),
            steps: (steps.0.min(steps.1), steps.1),
        });
        let warm_up = self.time(&managed.instance_warmup_period, "instance_warmup_period", 0.0, 10_000.0, "ECS");
        settings.policies.push(Policy {
            name: "managed scaling".to_owned(),
            target: id,
            kind: PolicyKind::TargetTracking {
                metric: format!("AWS/ECS/ManagedScaling CapacityProviderReservation ecs.{service}"),
                statistic: Statistic::Average,
                period: PERIOD,
                target_value: self.count(&managed.target_capacity, "target_capacity", 1, 100).into(),
                disable_scale_in: false,
                // Seen in the alarms that ECS makes: one minute above the target, fifteen below it.
                scale_out_datapoints: 1,
                scale_in_datapoints: 15,
                scale_in_threshold: 1.0,
            },
            scale_out_cooldown: warm_up,
            scale_in_cooldown: warm_up,
        });
    }

    /// Whose metrics policies mean where they do not say: its own, its target groups', their load balancers'. And the target
    /// groups alone.
    fn dimensions(&self, name: &str, registration: &Registration) -> (Vec<String>, Vec<String>) {
        let groups = registration.groups.iter();
        let groups: Vec<String> = groups.map(|(alb, group)| self.group_name(*alb, *group)).collect();
        let mut all = vec![name.to_owned()];
        all.extend(groups.iter().cloned());
        all.extend(groups.iter().filter_map(|group| Some(group.split_once('/')?.0.to_owned())));
        (all, groups)
    }

    /// Instances that stand alone are not scaled, and a group never goes beyond its sizes.
    fn group_can_scale(&mut self, group: &ec2::Group) {
        let (least, most) = sizes_of(group);
        let (least, most) = (least.value, most.value);
        let bounds = group.scaling.iter().flat_map(|it| [Some(&it.min_capacity), Some(&it.max_capacity)]);
        let scheduled = group
            .scheduled_action
            .iter()
            .flat_map(|it| [it.min_capacity.as_ref(), it.max_capacity.as_ref(), it.desired_capacity.as_ref()]);
        for bound in bounds.chain(scheduled).flatten().filter(|bound| !(least..=most).contains(&bound.value)) {
            let title = "the group's sizes do not allow this capacity";
            self.error(bound.span, title, format!("min_size is {least}, max_size {most}"));
        }
    }

    /// The policies and scheduled actions of one scalable target.
    pub(super) fn scaled(
        &mut self,
        scaled: &Scaled<'_>,
        run: &Run,
        rates: &Rates<'_>,
        published: Option<&Metrics>,
        settings: &mut Settings,
    ) {
        if scaled.policies.is_empty() && scaled.scheduled.is_empty() {
            return;
        }
        let (min_capacity, max_capacity) = self.bounds_of(scaled);
        settings.targets.push(Target {
            id: scaled.id,
            name: scaled.name.clone(),
            desired: scaled.desired.value,
            min_capacity,
            max_capacity,
            steps: ANY_STEP,
        });
        for (k, policy) in scaled.policies.iter().enumerate() {
            if policy.policy_type.value == raw::PolicyType::Predictive {
                let forecast = self.forecast(scaled, k, policy, run, rates);
                settings.forecasts.push(forecast);
            } else {
                let policy = self.policy_of(scaled, k, policy, published);
                settings.policies.push(policy);
            }
        }
        self.distinct(scaled.scheduled.iter().map(|action| &action.name), "scheduled actions");
        for action in scaled.scheduled {
            let action = self.scheduled_action(scaled.id, action, MAX_TASKS, run);
            settings.scheduled.push(action);
        }
    }

    /// All policies of a target share one pair of bounds, and the desired count lies within. Without policies there are none.
    fn bounds_of(&mut self, scaled: &Scaled<'_>) -> (u32, u32) {
        let Some(first) = scaled.policies.first() else { return scaled.sizes };
        for other in &scaled.policies[1..] {
            if *other.min_capacity != *first.min_capacity || *other.max_capacity != *first.max_capacity {
                let title = "the policies of one service have one min_capacity and one max_capacity";
                let error = Diagnostic::error(other.min_capacity.span, title, "differs");
                self.note(error.also(first.min_capacity.span, "from the first policy"));
            }
        }
        let low = self.count(&first.min_capacity, "min_capacity", 0, MAX_TASKS);
        let high = self.count(&first.max_capacity, "max_capacity", 0, MAX_TASKS);
        let desired = scaled.desired;
        if low > high {
            let error = Diagnostic::error(first.max_capacity.span, "max_capacity is below min_capacity", "below");
            self.note(error.also(first.min_capacity.span, "min_capacity"));
        } else if !(low..=high).contains(&desired.value) {
            let title = "desired_count is outside of min_capacity..max_capacity";
            let error = Diagnostic::error(desired.span, title, format!("from {low} to {high}"));
            self.note(error.also(first.span, "its scaling policy"));
        }
        (low, high.max(low))
    }

    pub(super) fn scheduled_action(
        &mut self,
        target: Scalable,
        action: &raw::ScheduledAction,
        most: u32,
        run: &Run,
    ) -> ScheduledAction {
        self.label(&action.name);
        let mut bound = |bound: &Option<Sp<u32>>, what| bound.as_ref().map(|it| self.count(it, what, 0, most));
        let (min, max) = (bound(&action.min_capacity, "min_capacity"), bound(&action.max_capacity, "max_capacity"));
        match (min, max) {
            (None, None) if action.desired_capacity.is_none() => {
                let title = "this scheduled action changes nothing";
                self.error(action.span, title, "give `min_capacity`, `max_capacity` or both");
            }
            (Some(min), Some(max)) if min > max => {
                self.error(action.span, "max_capacity is below min_capacity", "below");
            }
            _ => {}
        }
        let desired = action.desired_capacity.as_ref().map(|it| self.count(it, "desired_capacity", 0, MAX_TASKS));
        if let Some(given) = action.desired_capacity.as_ref().filter(|_| !matches!(target, Scalable::Ec2(_))) {
            let title = "only EC2 Auto Scaling groups have actions with `desired_capacity`";
            self.error(given.span, title, "Application Auto Scaling changes the bounds: give `min_capacity`");
        }
        let name = action.name.value.clone();
        ScheduledAction {
            name,
            target,
            times: self.times(action, target, run),
            min_capacity: min,
            max_capacity: max,
            desired,
        }
    }

    fn policy_of(
        &mut self,
        scaled: &Scaled<'_>,
        number: usize,
        scaling: &raw::Scaling,
        published: Option<&Metrics>,
    ) -> Policy {
        let tracking = scaling.policy_type.value == raw::PolicyType::TargetTracking;
        self.fitting_keys(scaling);
        let (kind, word) = match scaling.policy_type.value {
            raw::PolicyType::TargetTracking => {
                let found = self.metric_of(scaled, scaling, published);
                (self.tracking(scaling, found, scaled.scale_in_threshold), "target-tracking")
            }
            raw::PolicyType::Step => {
                let alarm = self.trigger(scaled, scaling, published);
                (self.steps(scaling, alarm), "step")
            }
            raw::PolicyType::Simple | raw::PolicyType::Predictive => {
                let alarm = self.trigger(scaled, scaling, published);
                (self.simple(scaling, alarm), "simple")
            }
        };
        if let Some(name) = &scaling.policy_name {
            self.label(name);
        }
        let cooldown = scaling.cooldown.as_ref().filter(|_| !tracking);
        let out = cooldown.or(scaling.scale_out_cooldown.as_ref());
        let inwards = cooldown.unwrap_or(&scaling.scale_in_cooldown);
        let mut time = |given: Sp<_>, what: &str| self.time(&given, what, 0.0, 86_400.0, "");
        Policy {
            name: policy_name(scaled, number, scaling, word),
            target: scaled.id,
            kind,
            scale_out_cooldown: out.map_or(scaled.scale_out_cooldown, |it| time(*it, "scale_out_cooldown")),
            scale_in_cooldown: time(*inwards, "scale_in_cooldown"),
        }
    }

    /// The metric of a policy.
    fn metric_of(&mut self, scaled: &Scaled<'_>, scaling: &raw::Scaling, published: Option<&Metrics>) -> Found {
        let tracking = scaling.policy_type.value == raw::PolicyType::TargetTracking;
        if let (Some(_), Some(name)) = (&scaling.predefined_metric_type, &scaling.metric_name) {
            let title = "either `predefined_metric_type` or `metric_name`, not both";
            self.error(name.span, title, "one too many");
        }
        let of = |dimension: &Option<Sp<String>>| match dimension {
            Some(of) => vec![of.value.clone()],
            None => scaled.dimensions.clone(),
        };
        if let Some(queries) = &scaling.metrics {
            self.one_or_several(
                scaling.span,
                [&scaling.metric_name, &scaling.namespace, &scaling.dimension],
                &scaling.statistic,
                &scaling.metrics,
            );
            if let Some(predefined) = &scaling.predefined_metric_type {
                let title = "either `predefined_metric_type` or `metrics`, not both";
                self.error(predefined.span, title, "one too many");
            }
            // One policy's expression may have the id of another's.
            let owner = format!("{}/{}", scaled.name, self.metric_math.len() + 1);
            let period = scaling.period.as_ref().map(period_of);
            return self.metric_math(queries, &owner, &scaled.dimensions, period, published);
        }
        let mut asked = Asked {
            name: "CPUUtilization",
            span: scaling.span,
            namespace: scaling.namespace.as_ref(),
            dimensions: of(&scaling.dimension),
            statistic: scaling.statistic.as_ref().map(|it| Sp { value: it.value.0, span: it.span }),
            period: scaling.period.as_ref().map(period_of),
        };
        if let Some(name) = &scaling.metric_name {
            (asked.name, asked.span) = (name, name.span);
        }
        let mut fine = None;
        if let Some(predefined) = &scaling.predefined_metric_type {
            if !tracking {
                let title = "predefined metrics belong to target tracking";
                self.error(predefined.span, title, "give metric_name = \"CPUUtilization\" or another");
            }
            asked.span = predefined.span;
            let of_group = predefined.value == raw::PredefinedMetric::GroupCpu;
            let is_group = matches!(scaled.id, Scalable::Ec2(_));
            if of_group != is_group && predefined.value != raw::PredefinedMetric::RequestCountPerTarget {
                let (whose, other) = if is_group {
                    ("an ECS service's", "ASGAverageCPUUtilization")
                } else {
                    ("an EC2 Auto Scaling group's", "ECSServiceAverageCPUUtilization")
                };
                self.error(predefined.span, format!("this metric is {whose}"), format!("{other} is meant here"));
            }
            match predefined.value {
                raw::PredefinedMetric::Cpu | raw::PredefinedMetric::GroupCpu => {}
                raw::PredefinedMetric::Memory => asked.name = "MemoryUtilization",
                raw::PredefinedMetric::RequestCountPerTarget => {
                    asked.name = "RequestCountPerTarget";
                    if scaled.groups.is_empty() {
                        let title = "this metric is a load balancer's, and the service is behind none";
                        self.error(predefined.span, title, "no target group has this service as its targets");
                    }
                }
                raw::PredefinedMetric::CpuHighResolution => fine = Some(predefined.span),
            }
        }
        let mut found = self.metric(&asked, published);
        if let (Some(span), Some(_)) = (fine, published) {
            if found.resolution == PERIOD {
                let title = "the service publishes this metric every 60s only";
                self.error(span, title, "add metric_resolution = \"20s\" to the service");
            }
            if scaling.period.is_none() {
                found.period = found.resolution;
            }
        }
        found
    }

    fn tracking(&mut self, scaling: &raw::Scaling, found: Found, low: f64) -> PolicyKind {
        let target_value = match &scaling.target_value {
            Some(value) => self.number(value, "target_value", 1e-6, 1e12),
            None => {
                self.error(scaling.span, "target tracking lacks `target_value`", "such as 60 (percent of CPU)");
                60.0
            }
        };
        let quarter = SimDuration::from_secs(900).as_nanos().div_ceil(found.period.as_nanos().max(1)) as u32;
        PolicyKind::TargetTracking {
            metric: found.metric,
            statistic: found.statistic,
            period: found.period,
            target_value,
            disable_scale_in: scaling.disable_scale_in.value,
            scale_out_datapoints: self.count(&scaling.scale_out_datapoints, "scale_out_datapoints", 1, 1440),
            scale_in_datapoints: match &scaling.scale_in_datapoints {
                Some(points) => self.count(points, "scale_in_datapoints", 1, 1440),
                None => quarter,
            },
            scale_in_threshold: scaling
                .scale_in_threshold
                .as_ref()
                .map_or(low, |it| self.share(it, "scale_in_threshold")),
        }
    }

    /// The alarm that calls a step or simple policy.
    fn trigger(&mut self, scaled: &Scaled<'_>, scaling: &raw::Scaling, published: Option<&Metrics>) -> Trigger {
        let doc = self.doc;
        if let Some(name) = &scaling.alarm {
            let number = self.named(name, &doc.alarm, "the alarm");
            let alarm = number.and_then(|number| doc.alarm.entries[number].1.as_ref());
            if alarm.is_some_and(|alarm| alarm.alarm_rule.is_some()) {
                let title = "a composite alarm cannot call a scaling policy";
                self.error(name.span, title, "CloudWatch allows no Auto Scaling action of composite alarms");
            }
            return Trigger::Named(AlarmId(number.unwrap_or(0) as u16));
        }
        let found = self.metric_of(scaled, scaling, published);
        let condition = self.condition(
            Given {
                span: scaling.span,
                threshold: scaling.threshold.as_ref(),
                comparison: scaling.comparison_operator.value,
                evaluation_periods: &scaling.evaluation_periods,
                datapoints_to_alarm: scaling.datapoints_to_alarm.as_ref(),
                missing: scaling.treat_missing_data.value,
            },
            found.period,
        );
        Trigger::Own(MetricAlarm {
            metric: found.metric,
            statistic: found.statistic,
            period: found.period,
            condition,
            ignore_low_sample_count: false,
        })
    }

    fn adjustment_type(&mut self, scaling: &raw::Scaling) -> AdjustmentType {
        let at_least = scaling.min_adjustment_magnitude.as_ref();
        match scaling.adjustment_type.value {
            raw::AdjustmentType::PercentChange => AdjustmentType::PercentChangeInCapacity {
                at_least: at_least.map_or(1, |n| self.count(n, "min_adjustment_magnitude", 1, MAX_TASKS)),
            },
            other => {
                if let Some(magnitude) = at_least {
                    let title = "only percentages have a min_adjustment_magnitude";
                    self.error(
                        magnitude.span,
                        title,
                        "give adjustment_type = \"PercentChangeInCapacity\", or remove it",
                    );
                }
                match other {
                    raw::AdjustmentType::Exact => AdjustmentType::ExactCapacity,
                    _ => AdjustmentType::ChangeInCapacity,
                }
            }
        }
    }

    fn steps(&mut self, scaling: &raw::Scaling, alarm: Trigger) -> PolicyKind {
        let adjustment_type = self.adjustment_type(scaling);
        let Some(given) = scaling.step_adjustments.as_ref().filter(|steps| !steps.is_empty()) else {
            self.error(
                scaling.span,
                "step scaling needs `step_adjustments`",
                "at least one { metric_interval_lower_bound = 0, scaling_adjustment = 1 }",
            );
            return PolicyKind::Step { alarm, adjustment_type, adjustments: Vec::new() };
        };
        let mut steps: Vec<(StepAdjustment, Span)> = Vec::new();
        for step in given.iter() {
            let lower = step.metric_interval_lower_bound.as_ref().map_or(f64::NEG_INFINITY, |bound| bound.value);
            let upper = step.metric_interval_upper_bound.as_ref().map_or(f64::INFINITY, |bound| bound.value);
            if lower >= upper {
                self.error(step.span, "this step's lower bound is not below its upper bound", "never applies");
            }
            if lower.is_infinite() && upper.is_infinite() {
                let title = "a step has a lower bound, an upper bound, or both";
                self.error(step.span, title, "add metric_interval_lower_bound = 0 (or an upper one)");
            }
            let adjustment = self.adjustment(&step.scaling_adjustment, adjustment_type);
            steps.push((StepAdjustment { lower, upper, adjustment }, step.span));
        }
        steps.sort_by(|a, b| a.0.lower.total_cmp(&b.0.lower));
        for pair in steps.windows(2) {
            if pair[0].0.upper > pair[1].0.lower {
                let error = Diagnostic::error(pair[1].1, "two steps overlap", "begins before the other ends");
                self.note(error.also(pair[0].1, "the other"));
            } else if pair[0].0.upper < pair[1].0.lower {
                let error =
                    Diagnostic::error(pair[1].1, "there is a gap between two steps", "begins after the other ends");
                self.note(error.also(pair[0].1, "the other"));
            }
        }
        self.open_ends(&steps);
        PolicyKind::Step { alarm, adjustment_type, adjustments: steps.into_iter().map(|(step, _)| step).collect() }
    }

    /// Steps beyond the threshold go on without end: a negative lower bound needs a step without a lower bound, a positive upper
    /// bound one without an upper bound (API:application-autoscaling, StepAdjustment).
    fn open_ends(&mut self, steps: &[(StepAdjustment, Span)]) {
        let (Some((first, span)), Some((last, last_span))) = (steps.first(), steps.last()) else { return };
        if first.lower.is_finite() && first.lower < 0.0 {
            let title = "steps below the threshold need one without a lower bound";
            self.error(*span, title, "nothing is said of a metric below this");
        }
        if last.upper.is_finite() && last.upper > 0.0 {
            let title = "steps above the threshold need one without an upper bound";
            self.error(*last_span, title, "nothing is said of a metric above this");
        }
    }

    fn simple(&mut self, scaling: &raw::Scaling, alarm: Trigger) -> PolicyKind {
        let adjustment_type = self.adjustment_type(scaling);
        let adjustment = match &scaling.scaling_adjustment {
            Some(adjustment) => self.adjustment(adjustment, adjustment_type),
            None => {
                self.error(scaling.span, "simple scaling lacks `scaling_adjustment`", "such as 1");
                1
            }
        };
        PolicyKind::Simple { alarm, adjustment_type, adjustment }
    }

    fn adjustment(&mut self, adjustment: &Sp<i32>, adjustment_type: AdjustmentType) -> i32 {
        if adjustment_type == AdjustmentType::ExactCapacity && adjustment.value < 0 {
            self.error(adjustment.span, "an exact capacity cannot be negative", "0 or more");
        }
        if adjustment.value.unsigned_abs() > MAX_TASKS {
            self.error(adjustment.span, "this change is too large", format!("at most {MAX_TASKS} tasks"));
        }
        adjustment.value.clamp(-(MAX_TASKS as i32), MAX_TASKS as i32)
    }

    /// Refuses keys that the kind of policy does not look at.
    pub(super) fn fitting_keys(&mut self, scaling: &raw::Scaling) {
        let kind = scaling.policy_type.value;
        let (tracking, step) = (kind == raw::PolicyType::TargetTracking, kind == raw::PolicyType::Step);
        let (simple, predicts) = (kind == raw::PolicyType::Simple, kind == raw::PolicyType::Predictive);
        let alarmed = step || simple;
        let typed = |span: Span| Some(span).filter(|span| *span != scaling.span);
        let keys = [
            ("target_value", scaling.target_value.as_ref().map(|it| it.span), tracking),
            ("disable_scale_in", typed(scaling.disable_scale_in.span), tracking),
            ("scale_out_datapoints", typed(scaling.scale_out_datapoints.span), tracking),
            ("scale_in_datapoints", scaling.scale_in_datapoints.as_ref().map(|it| it.span), tracking),
            ("scale_in_threshold", scaling.scale_in_threshold.as_ref().map(|it| it.span), tracking),
            ("cooldown", scaling.cooldown.as_ref().map(|it| it.span), alarmed),
            ("threshold", scaling.threshold.as_ref().map(|it| it.span), alarmed),
            ("comparison_operator", typed(scaling.comparison_operator.span), alarmed),
            ("evaluation_periods", typed(scaling.evaluation_periods.span), alarmed),
            ("treat_missing_data", typed(scaling.treat_missing_data.span), alarmed),
            ("alarm", scaling.alarm.as_ref().map(|it| it.span), alarmed),
            ("adjustment_type", typed(scaling.adjustment_type.span), alarmed),
            ("min_adjustment_magnitude", scaling.min_adjustment_magnitude.as_ref().map(|it| it.span), alarmed),
            ("datapoints_to_alarm", scaling.datapoints_to_alarm.as_ref().map(|it| it.span), alarmed),
            ("step_adjustments", scaling.step_adjustments.as_ref().map(|it| it.span), step),
            ("scaling_adjustment", scaling.scaling_adjustment.as_ref().map(|it| it.span), simple),
            ("predefined_metric_type", scaling.predefined_metric_type.as_ref().map(|it| it.span), tracking || alarmed),
            ("metric_name", scaling.metric_name.as_ref().map(|it| it.span), !predicts),
            ("metrics", scaling.metrics.as_ref().map(|it| it.span), !predicts),
            ("period", scaling.period.as_ref().map(|it| it.span), !predicts),
            ("scale_out_cooldown", scaling.scale_out_cooldown.as_ref().map(|it| it.span), !predicts),
            ("scale_in_cooldown", typed(scaling.scale_in_cooldown.span), !predicts),
            ("mode", typed(scaling.mode.span), predicts),
            ("load_per_capacity", scaling.load_per_capacity.as_ref().map(|it| it.span), predicts),
            ("forecast_from", scaling.forecast_from.as_ref().map(|it| it.span), predicts),
            ("forecast_factor", typed(scaling.forecast_factor.span), predicts),
            ("scheduling_buffer_time", typed(scaling.scheduling_buffer_time.span), predicts),
            ("max_capacity_breach_behavior", typed(scaling.max_capacity_breach_behavior.span), predicts),
            ("max_capacity_buffer", scaling.max_capacity_buffer.as_ref().map(|it| it.span), predicts),
        ];
        self.keys_of_own_alarm(scaling);
        for (key, span, fits) in keys {
            if let (Some(span), false) = (span, fits) {
                self.error(span, format!("this kind of scaling policy has no `{key}`"), "remove it");
            }
        }
    }

    /// Refuses what a named alarm says already.
    fn keys_of_own_alarm(&mut self, scaling: &raw::Scaling) {
        let Some(alarm) = &scaling.alarm else { return };
        let typed = |span: Span| Some(span).filter(|span| *span != scaling.span);
        let keys = [
            scaling.metric_name.as_ref().map(|it| it.span),
            scaling.metrics.as_ref().map(|it| it.span),
            scaling.namespace.as_ref().map(|it| it.span),
            scaling.dimension.as_ref().map(|it| it.span),
            scaling.statistic.as_ref().map(|it| it.span),
            scaling.period.as_ref().map(|it| it.span),
            scaling.threshold.as_ref().map(|it| it.span),
            typed(scaling.comparison_operator.span),
            typed(scaling.evaluation_periods.span),
            scaling.datapoints_to_alarm.as_ref().map(|it| it.span),
            typed(scaling.treat_missing_data.span),
        ];
        for span in keys.into_iter().flatten() {
            let error = Diagnostic::error(span, "the alarm says this already", "remove it, or `alarm`");
            self.note(error.also(alarm.span, "this alarm"));
        }
    }
}
