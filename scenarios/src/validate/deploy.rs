//! Deployments.

use models::alb;
use models::architecture::Run;
use models::deployment::{
    Action, CODE_DEPLOY_HOOK_STAGES, CircuitBreaker, DatabaseChange, Deployment, ECS_HOOK_STAGES, Hook, Plan, Ready,
    Revision, Schedule, Strategy, ThresholdType, WarmUp,
};
use models::ids::*;
use sim_core::SimDuration;

use super::alb::Registrations;
use super::bounds::show;
use super::cloudwatch::OwnAlarm;
use super::{Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::{advice, list};
use crate::raw::deploy as raw;
use crate::units::{Share, Time};

pub(super) const DAY: f64 = 86_400.0;
/// CodeDeploy watches at most so many alarms.
const MAX_ALARMS: usize = 10;
const MAX_HOOKS: usize = 100;

/// Which hooks there may be.
pub(super) struct HookKind {
    pub stages: &'static [&'static str],
    pub whose: &'static str,
    /// Whether they can make requests of the new revision.
    pub tests: bool,
    /// Seconds it may take, unless it says otherwise, and at most.
    pub timeout: u64,
    pub most: f64,
}

impl HookKind {
    fn of_services(code_deploy: bool, tests: bool) -> Self {
        if code_deploy {
            Self { stages: &CODE_DEPLOY_HOOK_STAGES, whose: "CodeDeploy", tests, timeout: 3600, most: 3600.0 }
        } else {
            Self { stages: &ECS_HOOK_STAGES, whose: "ECS", tests, timeout: 86_400, most: 14.0 * DAY }
        }
    }
}

/// Where the services are registered, for looking up what alarms are about.
pub(super) struct Behind<'a> {
    pub registrations: &'a Registrations,
    pub albs: &'a [Option<alb::Settings>],
}

impl<'a> Check<'a> {
    pub(super) fn deploy(&mut self, deploy: &'a raw::Deploy, run: &Run, behind: &Behind<'_>) -> Option<Deployment> {
        let at = self.instant(&deploy.at, run, "deployment");
        let allowed = [Section::Ecs, Section::Ec2];
        let service = self.endpoint(&deploy.service, &allowed, None, "`service`").service();
        let groups = match service.map(ComputeId::get) {
            Some(Compute::Ecs(id)) => behind.registrations.ecs[id.index()].groups.as_slice(),
            Some(Compute::Ec2(id)) => behind.registrations.ec2[id.index()].groups.as_slice(),
            None => &[],
        };
        let strategy = match service.map(ComputeId::get) {
            Some(Compute::Ec2(id)) => Strategy::Hosts(self.host_plan(deploy, id, !groups.is_empty())),
            _ => {
                self.deploy_keys(deploy);
                if deploy.strategy.value.has_green() { Strategy::Shift(self.plan(deploy)) } else { Strategy::Rolling }
            }
        };
        self.warn_if_too_late(deploy, &strategy, run);
        let revision = self.revision(&deploy.revision);
        let circuit_breaker =
            deploy.deployment_circuit_breaker.as_ref().map(|breaker| self.deployment_circuit_breaker(breaker));
        let alarms = self.deployment_alarms(deploy, groups, behind.albs);
        let database_change = deploy.database_change.as_ref().and_then(|change| self.schema_change(change));
        let rollback = deploy.rollback.as_ref().is_none_or(|rollback| rollback.value);
        Some(Deployment {
            at,
            service: service?,
            strategy,
            revision,
            rollback,
            circuit_breaker,
            alarms,
            stop_after: deploy.stop_after.as_ref().map(|after| self.time(after, "stop_after", 1.0, 2.0 * DAY, "")),
            database_change,
        })
    }

    /// Refuses keys that the strategy does not look at, and asks for those it needs.
    fn deploy_keys(&mut self, deploy: &raw::Deploy) {
        use raw::Strategy::*;
        let strategy = deploy.strategy.value;
        if strategy.is_of_hosts() {
            let title = "only the instances of EC2 groups are deployed to in this way";
            self.error(deploy.strategy.span, title, "such as \"rolling\", \"canary\" or \"all_at_once\"");
        }
        let code_deploy = strategy.is_code_deploy();
        let own_steps = matches!(strategy, Linear | Canary | TimeBasedLinear | TimeBasedCanary);
        let green = strategy.has_green();
        let typed = |span: crate::tree::Span| Some(span).filter(|span| *span != deploy.span);
        let keys = [
            ("percent", deploy.percent.as_ref().map(|it| it.span), own_steps),
            ("interval", deploy.interval.as_ref().map(|it| it.span), own_steps),
            ("bake_time", deploy.bake_time.as_ref().map(|it| it.span), green && !code_deploy),
            ("test_listener", typed(deploy.test_listener.span), green),
            ("hooks", deploy.hooks.first().map(|it| it.span), green),
            ("termination_wait", deploy.termination_wait.as_ref().map(|it| it.span), code_deploy),
            ("ready", deploy.ready.as_ref().map(|it| it.span), code_deploy),
            ("deployment_circuit_breaker", deploy.deployment_circuit_breaker.as_ref().map(|it| it.span), !green),
            ("rollback", deploy.rollback.as_ref().map(|it| it.span), !green || code_deploy),
            ("deployment_type", deploy.deployment_type.as_ref().map(|it| it.span), false),
            ("deployment_option", deploy.deployment_option.as_ref().map(|it| it.span), false),
            ("minimum_healthy_hosts", deploy.minimum_healthy_hosts.as_ref().map(|it| it.span), false),
            ("download_time", typed(deploy.download_time.span), false),
            ("install_time", typed(deploy.install_time.span), false),
            ("original_instances", deploy.original_instances.as_ref().map(|it| it.span), false),
        ];
        for (key, span, fits) in keys {
            if let (Some(span), false) = (span, fits) {
                self.error(span, format!("this strategy has no `{key}`"), "remove it");
            }
        }
        let mut needed = |given: bool, key: &str, example: &str| {
            if !given {
                let title = format!("this strategy needs `{key}`");
                self.error(deploy.strategy.span, title, format!("add {key} = \"{example}\""));
            }
        };
        needed(strategy != BlueGreen || deploy.bake_time.is_some(), "bake_time", "5m");
        let custom = matches!(strategy, TimeBasedLinear | TimeBasedCanary);
        needed(!custom || deploy.percent.is_some(), "percent", "10%");
        needed(!custom || deploy.interval.is_some(), "interval", "5m");
    }

    fn plan(&mut self, deploy: &raw::Deploy) -> Plan {
        let (strategy, tests) = (deploy.strategy.value, deploy.test_listener.value);
        let schedule = self.schedule(deploy);
        let hooks = self.hooks(deploy, &HookKind::of_services(strategy.is_code_deploy(), tests));
        if strategy.is_code_deploy() {
            let ready = deploy.ready.as_ref().map_or(Ready::AtOnce, |ready| self.ready(ready));
            let hour = SimDuration::from_secs(3600);
            let wait = deploy.termination_wait.as_ref();
            let wait = wait.map_or(hour, |wait| self.time(wait, "termination_wait", 0.0, 2.0 * DAY, "CodeDeploy"));
            return Plan::code_deploy(schedule, tests, ready, wait, &hooks);
        }
        let bake_time = deploy.bake_time.as_ref();
        let bake_time = bake_time.map_or(SimDuration::ZERO, |time| self.time(time, "bake_time", 0.0, DAY, "ECS"));
        Plan::ecs(schedule, tests, bake_time, &hooks)
    }

    fn schedule(&mut self, deploy: &raw::Deploy) -> Schedule {
        use raw::Strategy::*;
        let minutes = |minutes: u64| SimDuration::from_secs(60 * minutes);
        match deploy.strategy.value {
            Rolling | BlueGreen | AllAtOnce | OneAtATime | HalfAtATime | MinimumHealthyHosts => Schedule::AllAtOnce,
            Canary5 => Schedule::Canary { first: 100, after: minutes(5) },
            Canary15 => Schedule::Canary { first: 100, after: minutes(15) },
            Linear1 => Schedule::Linear { step: 100, every: minutes(1) },
            Linear3 => Schedule::Linear { step: 100, every: minutes(3) },
            Canary | TimeBasedCanary => {
                let (first, after) = self.traffic_step(deploy, (50, 1, minutes(10)));
                Schedule::Canary { first, after }
            }
            Linear | TimeBasedLinear => {
                let (step, every) = self.traffic_step(deploy, (100, 30, minutes(6)));
                Schedule::Linear { step, every }
            }
        }
    }

    /// Thousandths and time of a step, given its defaults and the fewest thousandths that ECS allows.
    fn traffic_step(
        &mut self,
        deploy: &raw::Deploy,
        (share, least, time): (u16, u16, SimDuration),
    ) -> (u16, SimDuration) {
        // CodeDeploy's percentages are whole.
        let (unit, least) = if deploy.strategy.value.is_code_deploy() { (10, 10) } else { (1, least) };
        let share = deploy.percent.as_ref().map_or(share, |percent| self.thousandths(percent, least, unit));
        let time = deploy.interval.as_ref().map_or(time, |time| self.time(time, "interval", 0.0, DAY, "ECS"));
        (share, time)
    }

    fn thousandths(&mut self, share: &Sp<Share>, least: u16, unit: u16) -> u16 {
        let exact = (share.0 * 1000.0 * 1e6).round() / 1e6;
        let (low, unit) = (f64::from(least), f64::from(unit));
        if exact < low || exact > 1000.0 || exact % unit != 0.0 {
            let title = format!("percent is from {}% to 100%, in steps of {}%", low / 10.0, unit / 10.0);
            self.error(share.span, title, "such as \"10%\"");
        }
        exact.clamp(low, 1000.0) as u16
    }

    pub(super) fn ready(&mut self, ready: &raw::Ready) -> Ready {
        let wait = self.time(&ready.wait_time, "wait_time", 60.0, 5.0 * DAY, "CodeDeploy");
        match ready.continued_after.as_ref().map(|after| self.delay_of(after)) {
            Some(after) if after < wait => Ready::After(after),
            _ => Ready::Never(wait),
        }
    }

    fn delay_of(&mut self, time: &Sp<Time>) -> SimDuration {
        self.time(time, "continued_after", 0.0, 5.0 * DAY, "CodeDeploy")
    }

    pub(super) fn hooks(&mut self, deploy: &raw::Deploy, kind: &HookKind) -> Vec<(&'static str, Hook)> {
        if let Some(hook) = deploy.hooks.get(MAX_HOOKS) {
            self.error(hook.span, "too many hooks", format!("at most {MAX_HOOKS}"));
        }
        deploy.hooks.iter().filter_map(|hook| self.hook(hook, kind)).collect()
    }

    fn hook(&mut self, hook: &raw::Hook, kind: &HookKind) -> Option<(&'static str, Hook)> {
        let HookKind { stages, whose, tests, timeout, most } = *kind;
        let stage = stages.iter().copied().find(|stage| *stage == hook.stage.as_str());
        if stage.is_none() {
            let title = format!("no hook of {whose} runs at `{}`", hook.stage.value);
            let error = Diagnostic::error(hook.stage.span, title, advice(&hook.stage, stages.iter().copied()));
            self.note(error.help(format!("stages: {}", list(stages))));
        }
        if stage.is_some_and(|stage| stage.contains("TEST") || stage.contains("Test")) && !tests {
            let title = "without a test listener there is no such stage";
            self.error(hook.stage.span, title, "add test_listener = true");
        }
        if hook.test_requests.value > 0 && !tests {
            let title = "test requests go through the test listener, and there is none";
            self.error(hook.test_requests.span, title, "add test_listener = true");
        }
        let usual = SimDuration::from_secs(timeout);
        let timeout = hook.timeout.as_ref().map_or(usual, |it| self.time(it, "timeout", 1.0, most, whose));
        let hook = Hook {
            duration: hook.duration.0.clone(),
            failure_rate: self.share(&hook.failure_rate, "failure_rate"),
            test_requests: self.count(&hook.test_requests, "test_requests", 0, 1_000_000),
            max_error_rate: self.share(&hook.max_error_rate, "max_error_rate"),
            timeout,
            continue_on_timeout: hook.timeout_action.value == raw::TimeoutAction::Continue,
        };
        Some((stage?, hook))
    }

    fn revision(&mut self, revision: &raw::Revision) -> Revision {
        Revision {
            error_rate: self.share(&revision.error_rate, "error_rate"),
            cpu_factor: self.number(&revision.cpu_factor, "cpu_factor", 0.0, 1e6),
            startup_time: revision.startup_time.as_ref().map(|time| time.0.clone()),
            crash_on_start: self.share(&revision.crash_on_start, "crash_on_start"),
            out_of_memory_after: revision.out_of_memory_after.as_ref().map(|time| time.0.clone()),
            warm_up: revision.warm_up.as_ref().map(|warm_up| WarmUp {
                factor: self.number(&warm_up.factor, "factor", 0.0, 1e6),
                time: self.time(&warm_up.time, "time", 0.001, DAY, ""),
            }),
        }
    }

    fn deployment_circuit_breaker(&mut self, breaker: &raw::CircuitBreaker) -> CircuitBreaker {
        let kind = match breaker.threshold_type.value {
            raw::ThresholdType::BoundedPercent => ThresholdType::BoundedPercent,
            raw::ThresholdType::UnboundedPercent => ThresholdType::UnboundedPercent,
            raw::ThresholdType::Count => ThresholdType::Count,
        };
        let value = self.count(&breaker.value, "value", 1, super::ecs::MAX_TASKS);
        CircuitBreaker { kind, value, reset_on_healthy_task: breaker.reset_on_healthy_task.value }
    }

    /// The numbers of the alarms that watch over a deployment.
    fn deployment_alarms(
        &mut self,
        deploy: &'a raw::Deploy,
        groups: &[(AlbId, TargetGroupId)],
        albs: &[Option<alb::Settings>],
    ) -> Vec<AlarmId> {
        if deploy.alarms.len() > MAX_ALARMS {
            self.error(deploy.alarms.span, "too many alarms", format!("at most {MAX_ALARMS}"));
        }
        let doc = self.doc;
        let mut numbers = Vec::new();
        for watch in deploy.alarms.iter() {
            let number = match watch {
                raw::Watch::Named(name) => self.named(name, &doc.alarm, "the alarm"),
                raw::Watch::Own(alarm) => {
                    let dimensions = self.dimensions_of(alarm, &deploy.service, groups, albs);
                    self.own_alarms.push(OwnAlarm { alarm, of: &deploy.service, dimensions });
                    Some(doc.alarm.len() + self.own_alarms.len() - 1)
                }
            };
            numbers.extend(number.map(|number| AlarmId(number as u16)));
        }
        numbers
    }

    /// Whose metrics an alarm of a deployment may be on: the service's, and its load balancer's or one target group's.
    fn dimensions_of(
        &mut self,
        alarm: &raw::Alarm,
        service: &str,
        groups: &[(AlbId, TargetGroupId)],
        albs: &[Option<alb::Settings>],
    ) -> Vec<String> {
        let balancer = groups.first().and_then(|&(alb, _)| albs.get(alb.index())?.as_ref());
        let Some(balancer) = balancer else {
            if let Some(group) = &alarm.target_group {
                self.error(group.span, format!("`{service}` is behind no load balancer"), "remove it");
            }
            return vec![service.to_owned()];
        };
        // By the built settings: green groups that were added stand in no document.
        let kind = if balancer.kind == alb::Kind::Network { "nlb" } else { "alb" };
        let whole = format!("{kind}.{}", balancer.name);
        let Some(name) = &alarm.target_group else { return vec![service.to_owned(), whole] };
        let names = || balancer.target_groups.iter().map(|group| group.name.as_str());
        if !names().any(|known| known == name.as_str()) {
            self.error(name.span, format!("no target group is called `{}`", name.value), advice(name, names()));
        }
        let group = format!("{whole}/{}", name.value);
        // The only one is the whole.
        if balancer.target_groups.len() > 1 { vec![group] } else { vec![group, whole] }
    }

    fn schema_change(&mut self, change: &raw::DatabaseChange) -> Option<DatabaseChange> {
        let duration = self.time(&change.duration, "duration", 0.0, DAY, "");
        let Endpoint::Aurora(cluster) = self.endpoint(&change.target, &[Section::Aurora], None, "`target`") else {
            return None;
        };
        Some(DatabaseChange { cluster, duration, blocks: change.writes.value == raw::Writes::Wait })
    }

    /// A deployment whose waits alone go beyond the end of the run cannot be seen to end.
    fn warn_if_too_late(&mut self, deploy: &raw::Deploy, strategy: &Strategy, run: &Run) {
        let Strategy::Shift(plan) = strategy else { return };
        let waits = plan.stages.iter().map(|stage| match stage.action {
            Action::Wait(time) | Action::Expire(time) => time,
            _ => SimDuration::ZERO,
        });
        let waits = waits.fold(SimDuration::ZERO, |sum, time| sum + time);
        if deploy.at.0 < run.duration && deploy.at.0 + waits > run.duration {
            let text = format!(
                "this deployment cannot end within the run: its waits alone take {}, and {} are left",
                show(waits.as_secs_f64()),
                show((run.duration - deploy.at.0).as_secs_f64()),
            );
            self.warnings.push((deploy.strategy.span, text));
        }
    }
}
