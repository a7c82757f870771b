//! EC2 Auto Scaling groups.

use models::architecture::Run;
use models::compute::Capacity;
use models::ec2::credits::{Account, Mode, Rates};
use models::ec2::{
    self, HealthCheckType, Hook, InstanceType, Maintenance, MaintenanceKind, PoolState, Settings, Volume, WarmPool,
};
use models::ec2::{TerminationPolicy, catalog};
use models::ids::*;

use super::Check;
use super::alb::Registration;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::ec2 as raw;
use crate::tree::Span;

/// Most instances of a group.
const MAX_INSTANCES: u32 = 10_000;

/// `min_size` and `max_size` as given, or the bounds of the first scaling policy, or the desired capacity.
pub(super) fn sizes_of(group: &raw::Group) -> (&Sp<u32>, &Sp<u32>) {
    let (desired, policy) = (&group.desired_capacity, group.scaling.first());
    let min = group.min_size.as_ref().or(policy.map(|policy| &policy.min_capacity)).unwrap_or(desired);
    let max = group.max_size.as_ref().or(policy.map(|policy| &policy.max_capacity)).unwrap_or(desired);
    (min, max)
}

impl Check<'_> {
    pub(super) fn groups(&mut self, registrations: &[Registration], run: &Run) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.ec2, "ec2");
        let mut built = Vec::new();
        for (n, (name, group)) in doc.ec2.entries.iter().enumerate() {
            let (id, target_groups) = (Ec2Id(n as u16), &registrations[n].groups);
            let group = group.as_ref();
            built.push(group.map(|group| self.instance_group(id, name, group, target_groups.first().copied(), run)));
        }
        built
    }

    fn instance_group(
        &mut self,
        id: Ec2Id,
        name: &Sp<String>,
        group: &raw::Group,
        target_group: Option<(AlbId, TargetGroupId)>,
        run: &Run,
    ) -> Settings {
        self.zones(&group.availability_zones, "a group");
        self.handlers_bounds(&group.handler, "ec2");
        let vcpu = group.cpu.as_ref().map(|cpu| self.vcpu(cpu));
        let instance_type = self.instance_type(&group.instance_type, vcpu);
        let desired_capacity = self.count(&group.desired_capacity, "desired_capacity", 0, MAX_INSTANCES);
        let (min_size, max_size) = self.sizes(group);
        self.fitting_group_keys(group, instance_type.credits.is_some());
        let credits = instance_type.credits.map(|rates| self.account(group, &instance_type.name, rates));
        Settings {
            name: name.value.clone(),
            capacity: Capacity {
                vcpu: instance_type.vcpu,
                workers: self.count(&group.workers, "workers", 1, 1_000_000),
                backlog: group.backlog.as_ref().map(|n| n.value),
                concurrency: super::ecs::concurrency(group.concurrency.value),
                memory: self.memory(
                    group.span,
                    group.memory.as_ref(),
                    [&group.memory_base, &group.memory_per_request, &group.memory_leak_per_request],
                ),
            },
            handlers: group.handler.iter().map(|handler| self.handler(Endpoint::Ec2(id), handler)).collect(),
            handler_of_path: Vec::new(),
            health_check_cpu: self.delay(&group.health_check_cpu, "health_check_cpu"),
            error_rate: self.share(&group.error_rate, "error_rate"),
            auto_scaling: group.auto_scaling_group.value,
            desired_capacity,
            min_size,
            max_size,
            zones: group.availability_zones.iter().map(|zone| zone.value.clone()).collect(),
            launch_time: group.launch_time.0.clone(),
            boot_time: group.boot_time.0.clone(),
            user_data_time: group.user_data_time.0.clone(),
            stop_time: group.stop_time.0.clone(),
            reboot_time: group.reboot_time.0.clone(),
            stop_timeout: self.delay(&group.stop_timeout, "stop_timeout"),
            group_interval: self.time(&group.group_interval, "group_interval", 0.1, 3600.0, ""),
            health_check_type: match group.health_check_type.value {
                raw::HealthCheckType::Ec2 => HealthCheckType::Ec2,
                raw::HealthCheckType::Elb => HealthCheckType::Elb,
            },
            health_check_grace_period: self.delay(&group.health_check_grace_period, "health_check_grace_period"),
            impaired_for: self.delay(&group.impaired_for, "impaired_for"),
            instance_warmup: self.time(
                &group.default_instance_warmup,
                "default_instance_warmup",
                0.0,
                3600.0,
                "EC2 Auto Scaling",
            ),
            termination_policies: group.termination_policies.iter().map(|policy| termination(policy.value)).collect(),
            zone_rebalancing: group.az_rebalance.value,
            warm_pool: group.warm_pool.as_ref().map(|pool| self.warm_pool(pool, max_size)),
            launching_hook: group.launching_hook.as_ref().map(|hook| self.lifecycle_hook(hook)),
            terminating_hook: group.terminating_hook.as_ref().map(|hook| self.lifecycle_hook(hook)),
            auto_recovery: group.auto_recovery.value,
            credits,
            volume: self.instance_volume(&group.ebs),
            detailed_monitoring: group.detailed_monitoring.value,
            publishes_backlog: !group.custom_metrics.is_empty(),
            target_group,
            maintenance: self.maintenance(group, run),
            instance_type,
        }
    }

    /// EC2 guide, general-purpose: what of gp3 is paid for beside its size.
    fn instance_volume(&mut self, ebs: &raw::Ebs) -> Volume {
        let is_gp3 = ebs.volume_type.value == raw::VolumeType::Gp3;
        let size = ebs.volume_size.0 as f64 / f64::from(1 << 30);
        if !(0.93..=16_384.0).contains(&size) {
            self.error(ebs.volume_size.span, "a volume has 1 GiB to 16 TiB", "such as \"30GiB\"");
        }
        let iops = self.count(&ebs.iops, "iops", 3000, 16_000);
        let throughput = self.count(&ebs.throughput, "throughput", 125, 1000);
        if !is_gp3 && (iops, throughput) != (3000, 125) {
            let span = if iops == 3000 { ebs.throughput.span } else { ebs.iops.span };
            self.error(span, "only gp3's IOPS and throughput can be chosen", "remove it, or take gp3");
        }
        Volume {
            kind: if is_gp3 { "gp3" } else { "gp2" },
            size,
            iops: f64::from(iops - 3000),
            throughput: f64::from(throughput - 125),
        }
    }

    /// Looks a type up, whose vCPU may be given for one that is not in the table.
    pub(super) fn instance_type(&mut self, name: &Sp<String>, vcpu: Option<f64>) -> InstanceType {
        let known = catalog::instance_type(name);
        match (known, vcpu) {
            (Some(known), None) => known,
            (known, Some(vcpu)) => {
                InstanceType { name: name.value.clone(), vcpu, credits: known.and_then(|known| known.credits) }
            }
            (None, None) => {
                let names: Vec<String> = catalog::names().collect();
                let title = format!("no instance type is known as `{}`", name.value);
                let error = Diagnostic::error(name.span, title, advice(name, names.iter().map(String::as_str)));
                self.note(error.help("give `cpu` with its number of vCPU for a type that is not in the table"));
                InstanceType { name: name.value.clone(), vcpu: 2.0, credits: None }
            }
        }
    }

    fn sizes(&mut self, group: &raw::Group) -> (u32, u32) {
        let desired = &group.desired_capacity;
        let (min, max) = sizes_of(group);
        let (low, high) =
            (self.count(min, "min_size", 0, MAX_INSTANCES), self.count(max, "max_size", 0, MAX_INSTANCES));
        if low > high {
            let error = Diagnostic::error(max.span, "max_size is below min_size", "below");
            self.note(error.also(min.span, "min_size"));
        } else if !(low..=high).contains(&desired.value) {
            let title = "desired_capacity is outside of min_size..max_size";
            self.error(desired.span, title, format!("from {low} to {high}"));
        }
        (low, high.max(low))
    }

    /// Refuses keys that have no meaning for such a group.
    fn fitting_group_keys(&mut self, group: &raw::Group, burstable: bool) {
        let typed = |span: Span| Some(span).filter(|span| *span != group.span);
        let asg = group.auto_scaling_group.value;
        let (a_group, alone, bursting) =
            ("Auto Scaling groups have it", "instances that stand alone have it", "burstable types have it");
        let keys = [
            ("min_size", group.min_size.as_ref().map(|it| it.span), asg, a_group),
            ("max_size", group.max_size.as_ref().map(|it| it.span), asg, a_group),
            ("health_check_type", typed(group.health_check_type.span), asg, a_group),
            ("health_check_grace_period", typed(group.health_check_grace_period.span), asg, a_group),
            ("default_instance_warmup", typed(group.default_instance_warmup.span), asg, a_group),
            ("termination_policies", typed(group.termination_policies.span), asg, a_group),
            ("az_rebalance", typed(group.az_rebalance.span), asg, a_group),
            ("scaling", group.scaling.first().map(|it| it.span), asg, a_group),
            ("scheduled_action", group.scheduled_action.first().map(|it| it.span), asg, a_group),
            ("warm_pool", group.warm_pool.as_ref().map(|it| it.span), asg, a_group),
            ("launching_hook", group.launching_hook.as_ref().map(|it| it.span), asg, a_group),
            ("terminating_hook", group.terminating_hook.as_ref().map(|it| it.span), asg, a_group),
            ("auto_recovery", typed(group.auto_recovery.span), !asg, alone),
            ("cpu_credits", group.cpu_credits.as_ref().map(|it| it.span), burstable, bursting),
            ("initial_cpu_credits", group.initial_cpu_credits.as_ref().map(|it| it.span), burstable, bursting),
        ];
        for (key, span, fits, who) in keys {
            if let (Some(span), false) = (span, fits) {
                self.error(span, format!("`{key}` has no meaning here"), format!("only {who}"));
            }
        }
    }

    fn account(&mut self, group: &raw::Group, type_name: &str, rates: Rates) -> Account {
        let usual = if type_name.starts_with("t2.") { Mode::Standard } else { Mode::Unlimited };
        let mode = group.cpu_credits.as_ref().map_or(usual, |mode| match mode.value {
            raw::CpuCredits::Standard => Mode::Standard,
            raw::CpuCredits::Unlimited => Mode::Unlimited,
        });
        let at_start = group
            .initial_cpu_credits
            .as_ref()
            .map_or(rates.most(), |credits| self.number(credits, "initial_cpu_credits", 0.0, rates.most()));
        Account { rates, mode, at_start }
    }

    fn warm_pool(&mut self, pool: &raw::WarmPool, max_size: u32) -> WarmPool {
        let max_prepared = pool
            .max_group_prepared_capacity
            .as_ref()
            .map(|most| self.count(most, "max_group_prepared_capacity", 0, MAX_INSTANCES));
        WarmPool {
            state: match pool.pool_state.value {
                raw::PoolState::Stopped => PoolState::Stopped,
                raw::PoolState::Running => PoolState::Running,
                raw::PoolState::Hibernated => PoolState::Hibernated,
            },
            min_size: self.count(&pool.min_size, "min_size", 0, max_prepared.unwrap_or(max_size)),
            max_prepared,
            reuse_on_scale_in: pool.reuse_on_scale_in.value,
        }
    }

    fn lifecycle_hook(&mut self, hook: &raw::Hook) -> Hook {
        Hook {
            heartbeat_timeout: self.time(
                &hook.heartbeat_timeout,
                "heartbeat_timeout",
                30.0,
                7200.0,
                "EC2 Auto Scaling",
            ),
            heartbeats: hook
                .record_lifecycle_action_heartbeat
                .as_ref()
                .map(|every| self.time(every, "record_lifecycle_action_heartbeat", 1.0, 7200.0, "")),
            continues: hook.default_result.value == raw::HookResult::Continue,
            completes: hook.duration.as_ref().map(|duration| duration.0.clone()),
        }
    }

    fn maintenance(&mut self, group: &raw::Group, run: &Run) -> Vec<Maintenance> {
        if let Some(last) = group.maintenance.get(100) {
            self.error(last.span, "too much maintenance", "at most 100 of a group");
        }
        let mut plans: Vec<Maintenance> =
            group.maintenance.iter().map(|plan| self.ec2_maintenance(group, plan, run)).collect();
        plans.sort_by_key(|plan| plan.at);
        plans
    }

    fn ec2_maintenance(&mut self, group: &raw::Group, plan: &raw::Maintenance, run: &Run) -> Maintenance {
        let kind = match (plan.event.value, &plan.instance_type) {
            (raw::MaintenanceEvent::InstanceRetirement, None) => MaintenanceKind::Retirement,
            (raw::MaintenanceEvent::InstanceRetirement, Some(given)) => {
                self.error(given.span, "a retirement does not change the type", "remove it");
                MaintenanceKind::Retirement
            }
            (raw::MaintenanceEvent::InstanceType, Some(given)) => {
                let new = self.instance_type(given, None);
                let account = new.credits.map(|rates| self.account(group, &new.name, rates));
                MaintenanceKind::InstanceType(new, account)
            }
            (raw::MaintenanceEvent::InstanceType, None) => {
                self.error(plan.event.span, "a change of type needs `instance_type`", "such as \"m5.xlarge\"");
                MaintenanceKind::Retirement
            }
        };
        Maintenance {
            at: self.instant(&plan.at, run, "maintenance"),
            kind,
            count: plan.count.as_ref().map(|count| self.count(count, "count", 1, MAX_INSTANCES)),
            deregister: plan.deregister.value,
        }
    }
}

fn termination(policy: raw::TerminationPolicy) -> TerminationPolicy {
    match policy {
        raw::TerminationPolicy::Default => ec2::TerminationPolicy::Default,
        raw::TerminationPolicy::OldestInstance => ec2::TerminationPolicy::OldestInstance,
        raw::TerminationPolicy::NewestInstance => ec2::TerminationPolicy::NewestInstance,
        raw::TerminationPolicy::OldestLaunchTemplate => ec2::TerminationPolicy::OldestLaunchTemplate,
        raw::TerminationPolicy::ClosestToNextInstanceHour => ec2::TerminationPolicy::ClosestToNextInstanceHour,
    }
}
