//! Scaling policies.

use models::autoscaling::{Alarm, Policy, PolicyKind, StepAdjustment};
use models::cloudwatch::MetricRef;
use models::ids::*;

use super::Check;
use super::alb::Registration;
use super::ecs::MAX_TASKS;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::ecs as raw;
use crate::tree::Span;

impl Check<'_> {
    pub(super) fn scaling(&mut self, registrations: &[Registration]) -> Vec<Policy> {
        let doc = self.doc;
        let mut policies = Vec::new();
        for (n, name, service) in doc.ecs.iter() {
            self.one_scalable_target(service);
            for (k, scaling) in service.scaling.iter().enumerate() {
                let (id, groups) = (EcsId(n as u16), registrations[n].groups.as_slice());
                let policy = self.policy_of(id, name, k, scaling, groups);
                policies.push(policy);
            }
        }
        if policies.len() > 10_000 {
            self.error(doc.run.span, "too many scaling policies", "at most 10000");
        }
        policies
    }

    /// All policies of a service share one pair of bounds, and the desired count lies within.
    fn one_scalable_target(&mut self, service: &raw::Service) {
        let Some(first) = service.scaling.first() else { return };
        for other in &service.scaling[1..] {
            if *other.min_capacity != *first.min_capacity || *other.max_capacity != *first.max_capacity {
                let title = "the policies of one service have one min_capacity and one max_capacity";
                let error = Diagnostic::error(other.min_capacity.span, title, "differs");
                self.note(error.also(first.min_capacity.span, "from the first policy"));
            }
        }
        let (desired, low, high) = (&service.desired_count, *first.min_capacity, *first.max_capacity);
        if low <= high && !(low..=high).contains(&desired.value) {
            let title = "desired_count is outside of min_capacity..max_capacity";
            let error = Diagnostic::error(desired.span, title, format!("from {low} to {high}"));
            self.note(error.also(first.span, "its scaling policy"));
        }
    }

    fn policy_of(
        &mut self,
        service: EcsId,
        name: &Sp<String>,
        number: usize,
        scaling: &raw::Scaling,
        groups: &[(AlbId, TargetGroupId)],
    ) -> Policy {
        let min_capacity = self.count(&scaling.min_capacity, "min_capacity", 0, MAX_TASKS);
        let max_capacity = self.count(&scaling.max_capacity, "max_capacity", 0, MAX_TASKS);
        if min_capacity > max_capacity {
            let error = Diagnostic::error(scaling.max_capacity.span, "max_capacity is below min_capacity", "below");
            self.note(error.also(scaling.min_capacity.span, "min_capacity"));
        }
        let metric = self.metric(service, scaling, groups);
        let tracking = scaling.policy_type.value == raw::PolicyType::TargetTracking;
        let (kind, word) = match scaling.policy_type.value {
            raw::PolicyType::TargetTracking => (self.tracking(scaling), "target-tracking"),
            raw::PolicyType::Step => (self.steps(scaling), "step"),
            raw::PolicyType::Simple => (self.simple(scaling), "simple"),
        };
        self.fitting_keys(scaling);
        if let Some(name) = &scaling.policy_name {
            self.label(name);
        }
        let cooldown = scaling.cooldown.as_ref().filter(|_| !tracking);
        let cooldown_or = |otherwise: &Sp<_>| *cooldown.unwrap_or(otherwise);
        let mut time = |given: Sp<_>, what: &str| self.time(&given, what, 0.0, 86_400.0, "");
        Policy {
            name: scaling.policy_name.as_ref().map_or_else(
                || {
                    if number == 0 {
                        format!("{} {word}", name.value)
                    } else {
                        format!("{} {word} {}", name.value, number + 1)
                    }
                },
                |given| given.value.clone(),
            ),
            service,
            min_capacity,
            max_capacity,
            metric,
            kind,
            scale_out_cooldown: time(cooldown_or(&scaling.scale_out_cooldown), "scale_out_cooldown"),
            scale_in_cooldown: time(cooldown_or(&scaling.scale_in_cooldown), "scale_in_cooldown"),
        }
    }

    fn metric(&mut self, service: EcsId, scaling: &raw::Scaling, groups: &[(AlbId, TargetGroupId)]) -> MetricRef {
        let tracking = scaling.policy_type.value == raw::PolicyType::TargetTracking;
        let (metric, span) = match (&scaling.predefined_metric_type, &scaling.metric_name) {
            (Some(_), Some(name)) => {
                let title = "either `predefined_metric_type` or `metric_name`, not both";
                self.error(name.span, title, "one too many");
                (name.value, name.span)
            }
            (Some(predefined), None) => {
                if !tracking {
                    let title = "predefined metrics belong to target tracking";
                    self.error(predefined.span, title, "give metric_name = \"CPUUtilization\" or another");
                }
                let name = match predefined.value {
                    raw::PredefinedMetric::Cpu => raw::MetricName::Cpu,
                    raw::PredefinedMetric::RequestCountPerTarget => raw::MetricName::RequestCountPerTarget,
                };
                (name, predefined.span)
            }
            (None, Some(name)) => (name.value, name.span),
            (None, None) => (raw::MetricName::Cpu, scaling.span),
        };
        let Some((alb, group)) = groups.first().copied() else {
            if metric != raw::MetricName::Cpu {
                let title = "this metric is a load balancer's, and the service is behind none";
                self.error(span, title, "no target group has this service as its targets");
            }
            return MetricRef::EcsCpu(service);
        };
        match metric {
            raw::MetricName::Cpu => MetricRef::EcsCpu(service),
            raw::MetricName::RequestCountPerTarget => MetricRef::AlbRequestCountPerTarget(alb, group),
            raw::MetricName::TargetResponseTime => MetricRef::AlbTargetResponseTime(alb),
            raw::MetricName::Target5xx => MetricRef::AlbTarget5xx(alb),
            raw::MetricName::Elb5xx => MetricRef::AlbElb5xx(alb),
        }
    }

    fn tracking(&mut self, scaling: &raw::Scaling) -> PolicyKind {
        let target_value = match &scaling.target_value {
            Some(value) => self.number(value, "target_value", 1e-6, 1e12),
            None => {
                self.error(scaling.span, "target tracking lacks `target_value`", "such as 60 (percent of CPU)");
                60.0
            }
        };
        PolicyKind::TargetTracking {
            target_value,
            disable_scale_in: scaling.disable_scale_in.value,
            scale_out_datapoints: self.count(&scaling.scale_out_datapoints, "scale_out_datapoints", 1, 1440),
            scale_in_datapoints: self.count(&scaling.scale_in_datapoints, "scale_in_datapoints", 1, 1440),
            scale_in_threshold: self.share(&scaling.scale_in_threshold, "scale_in_threshold"),
        }
    }

    fn alarm(&mut self, scaling: &raw::Scaling) -> Alarm {
        let threshold = match &scaling.threshold {
            Some(threshold) => self.number(threshold, "threshold", 0.0, 1e12),
            None => {
                self.error(scaling.span, "step and simple scaling need a `threshold`", "such as 70 (percent of CPU)");
                0.0
            }
        };
        let evaluation_periods = self.count(&scaling.evaluation_periods, "evaluation_periods", 1, 1440);
        let datapoints_to_alarm = match &scaling.datapoints_to_alarm {
            Some(points) => self.count(points, "datapoints_to_alarm", 1, evaluation_periods),
            None => evaluation_periods,
        };
        let above = scaling.comparison_operator.value == raw::Comparison::Above;
        Alarm { threshold, above, evaluation_periods, datapoints_to_alarm }
    }

    fn steps(&mut self, scaling: &raw::Scaling) -> PolicyKind {
        let alarm = self.alarm(scaling);
        let Some(given) = scaling.step_adjustments.as_ref().filter(|steps| !steps.is_empty()) else {
            self.error(
                scaling.span,
                "step scaling needs `step_adjustments`",
                "at least one { scaling_adjustment = 1 }",
            );
            return PolicyKind::Step { alarm, adjustments: Vec::new() };
        };
        let mut steps: Vec<(StepAdjustment, Span)> = Vec::new();
        for step in given.iter() {
            let lower = step.metric_interval_lower_bound.as_ref().map_or(f64::NEG_INFINITY, |bound| bound.value);
            let upper = step.metric_interval_upper_bound.as_ref().map_or(f64::INFINITY, |bound| bound.value);
            if lower >= upper {
                self.error(step.span, "this step's lower bound is not below its upper bound", "never applies");
            }
            let adjustment = self.adjustment(&step.scaling_adjustment);
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
        PolicyKind::Step { alarm, adjustments: steps.into_iter().map(|(step, _)| step).collect() }
    }

    fn simple(&mut self, scaling: &raw::Scaling) -> PolicyKind {
        let alarm = self.alarm(scaling);
        let adjustment = match &scaling.scaling_adjustment {
            Some(adjustment) => self.adjustment(adjustment),
            None => {
                self.error(scaling.span, "simple scaling lacks `scaling_adjustment`", "such as 1");
                1
            }
        };
        PolicyKind::Simple { alarm, adjustment }
    }

    fn adjustment(&mut self, adjustment: &Sp<i32>) -> i32 {
        if adjustment.value.unsigned_abs() > MAX_TASKS {
            self.error(adjustment.span, "this change is too large", format!("at most {MAX_TASKS} tasks"));
        }
        adjustment.value.clamp(-(MAX_TASKS as i32), MAX_TASKS as i32)
    }

    /// Refuses keys that the kind of policy does not look at.
    fn fitting_keys(&mut self, scaling: &raw::Scaling) {
        let kind = scaling.policy_type.value;
        let (tracking, step) = (kind == raw::PolicyType::TargetTracking, kind == raw::PolicyType::Step);
        let typed = |span: Span| Some(span).filter(|span| *span != scaling.span);
        let keys = [
            ("target_value", scaling.target_value.as_ref().map(|it| it.span), tracking),
            ("disable_scale_in", typed(scaling.disable_scale_in.span), tracking),
            ("scale_out_datapoints", typed(scaling.scale_out_datapoints.span), tracking),
            ("scale_in_datapoints", typed(scaling.scale_in_datapoints.span), tracking),
            ("scale_in_threshold", typed(scaling.scale_in_threshold.span), tracking),
            ("cooldown", scaling.cooldown.as_ref().map(|it| it.span), !tracking),
            ("threshold", scaling.threshold.as_ref().map(|it| it.span), !tracking),
            ("comparison_operator", typed(scaling.comparison_operator.span), !tracking),
            ("evaluation_periods", typed(scaling.evaluation_periods.span), !tracking),
            ("datapoints_to_alarm", scaling.datapoints_to_alarm.as_ref().map(|it| it.span), !tracking),
            ("step_adjustments", scaling.step_adjustments.as_ref().map(|it| it.span), step),
            ("scaling_adjustment", scaling.scaling_adjustment.as_ref().map(|it| it.span), !tracking && !step),
        ];
        for (key, span, fits) in keys {
            if let (Some(span), false) = (span, fits) {
                self.error(span, format!("this kind of scaling policy has no `{key}`"), "remove it");
            }
        }
    }
}
