//! CodeDeploy on the instances of EC2 groups.

use models::deployment::hosts::{Delivery, HOST_HOOK_STAGES, HostPlan, MinimumHealthyHosts};
use models::deployment::{Hook, Ready};
use models::ids::*;
use sim_core::SimDuration;

use super::Check;
use super::deploy::{DAY, HookKind};
use crate::diagnostics::Diagnostic;
use crate::raw::deploy as raw;
use crate::raw::ec2::Group;

/// Lifecycle events that are there only if a load balancer is in control of traffic.
const TRAFFIC_STAGES: [&str; 4] =
    ["BeforeBlockTraffic", "AfterBlockTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];

impl Check<'_> {
    /// The plan of a deployment to a group with these target groups.
    pub(super) fn host_plan(&mut self, deploy: &raw::Deploy, id: Ec2Id, balanced: bool) -> HostPlan {
        self.keys_of_hosts(deploy);
        let doc = self.doc;
        let group = doc.ec2.entries[id.index()].1.as_ref();
        let replaces = deploy.deployment_type.as_ref().is_some_and(|it| it.value == raw::DeploymentType::BlueGreen);
        if replaces {
            self.can_be_copied(deploy, group, balanced);
        }
        let traffic_control = self.traffic_control(deploy, balanced) || replaces;
        let minimum = self.minimum_healthy_hosts(deploy);
        if let Some(group) = group {
            self.warn_if_none_at_a_time(deploy, minimum, group.desired_capacity.value);
        }
        let delivery = Delivery { download: deploy.download_time.0.clone(), install: deploy.install_time.0.clone() };
        let hooks = self.host_hooks(deploy, traffic_control, replaces);
        if !replaces {
            return HostPlan::in_place(minimum, traffic_control, &delivery, &hooks);
        }
        let ready = deploy.ready.as_ref().map_or(Ready::AtOnce, |ready| self.ready(ready));
        let hour = SimDuration::from_secs(3600);
        let wait = deploy.termination_wait.as_ref();
        let wait = wait.map_or(hour, |wait| self.time(wait, "termination_wait", 0.0, 2.0 * DAY, "CodeDeploy"));
        let kept = deploy.original_instances.as_ref().is_some_and(|it| it.value == raw::Originals::KeepAlive);
        if let (true, Some(wait)) = (kept, &deploy.termination_wait) {
            self.error(wait.span, "instances that are kept alive are not waited for", "remove it");
        }
        HostPlan::replace(minimum, &delivery, ready, (!kept).then_some(wait), &hooks)
    }

    /// Refuses what only deployments of ECS services have, or only the other kind of deployment.
    fn keys_of_hosts(&mut self, deploy: &raw::Deploy) {
        use raw::Strategy::*;
        let typed = |span: crate::tree::Span| Some(span).filter(|span| *span != deploy.span);
        let strategy = deploy.strategy.value;
        let usual = typed(deploy.strategy.span).is_none();
        if !usual && !matches!(strategy, OneAtATime | HalfAtATime | AllAtOnce | MinimumHealthyHosts) {
            let title = "a group of instances is not deployed to in this way";
            let label = "\"one_at_a_time\", \"half_at_a_time\", \"all_at_once\" or \"minimum_healthy_hosts\"";
            self.error(deploy.strategy.span, title, label);
        }
        let replaces = deploy.deployment_type.as_ref().is_some_and(|it| it.value == raw::DeploymentType::BlueGreen);
        let of_services = "only deployments of ECS services have it";
        let (blue_green, in_place) =
            ("only deployment_type = \"BLUE_GREEN\" has it", "only in-place deployments have it");
        let custom = strategy == MinimumHealthyHosts;
        let keys = [
            ("percent", deploy.percent.as_ref().map(|it| it.span), false, of_services),
            ("interval", deploy.interval.as_ref().map(|it| it.span), false, of_services),
            ("bake_time", deploy.bake_time.as_ref().map(|it| it.span), false, of_services),
            ("test_listener", typed(deploy.test_listener.span), false, of_services),
            (
                "deployment_circuit_breaker",
                deploy.deployment_circuit_breaker.as_ref().map(|it| it.span),
                false,
                of_services,
            ),
            ("ready", deploy.ready.as_ref().map(|it| it.span), replaces, blue_green),
            ("termination_wait", deploy.termination_wait.as_ref().map(|it| it.span), replaces, blue_green),
            ("original_instances", deploy.original_instances.as_ref().map(|it| it.span), replaces, blue_green),
            ("deployment_option", deploy.deployment_option.as_ref().map(|it| it.span), !replaces, in_place),
            (
                "minimum_healthy_hosts",
                deploy.minimum_healthy_hosts.as_ref().map(|it| it.span),
                custom,
                "only strategy = \"minimum_healthy_hosts\" has it",
            ),
        ];
        for (key, span, fits, who) in keys {
            if let (Some(span), false) = (span, fits) {
                self.error(span, format!("`{key}` has no meaning here"), who);
            }
        }
    }

    fn can_be_copied(&mut self, deploy: &raw::Deploy, group: Option<&Group>, balanced: bool) {
        if !balanced {
            let title = "a blue/green deployment needs a load balancer that reroutes traffic";
            self.error(
                deploy.strategy.span,
                title,
                format!("no target group has targets = \"{}\"", deploy.service.value),
            );
        }
        if let Some(group) = group.filter(|group| !group.auto_scaling_group.value) {
            let title = "only an Auto Scaling group can be copied";
            let error = Diagnostic::error(deploy.service.span, title, "its instances stand alone");
            self.note(error.also(group.auto_scaling_group.span, "here"));
        }
    }

    /// Whether instances are taken out of their target group first: usual where there is one.
    fn traffic_control(&mut self, deploy: &raw::Deploy, balanced: bool) -> bool {
        let Some(option) = &deploy.deployment_option else { return balanced };
        let wanted = option.value == raw::DeploymentOption::With;
        if wanted && !balanced {
            let title = "there is no load balancer to control the traffic";
            self.error(option.span, title, format!("no target group has targets = \"{}\"", deploy.service.value));
        }
        wanted
    }

    fn minimum_healthy_hosts(&mut self, deploy: &raw::Deploy) -> MinimumHealthyHosts {
        match (deploy.strategy.value, &deploy.minimum_healthy_hosts) {
            (raw::Strategy::HalfAtATime, _) => MinimumHealthyHosts::HalfAtATime,
            (raw::Strategy::AllAtOnce, _) => MinimumHealthyHosts::AllAtOnce,
            (raw::Strategy::MinimumHealthyHosts, Some(minimum)) => match &minimum.value {
                raw::HealthyHosts::Count(count) => MinimumHealthyHosts::HostCount(*count),
                raw::HealthyHosts::Share(share) => {
                    let percent = (share.0 * 1e8).round() / 1e6;
                    if percent.fract() != 0.0 || !(0.0..=99.0).contains(&percent) {
                        let title = "a minimum of healthy hosts is a whole percentage below 100";
                        self.error(minimum.span, title, "such as \"75%\"");
                    }
                    MinimumHealthyHosts::FleetPercent(percent as u32)
                }
            },
            (raw::Strategy::MinimumHealthyHosts, None) => {
                let title = "this strategy needs `minimum_healthy_hosts`";
                self.error(
                    deploy.strategy.span,
                    title,
                    "add minimum_healthy_hosts = \"75%\", or a number of instances",
                );
                MinimumHealthyHosts::OneAtATime
            }
            _ => MinimumHealthyHosts::OneAtATime,
        }
    }

    fn warn_if_none_at_a_time(&mut self, deploy: &raw::Deploy, minimum: MinimumHealthyHosts, fleet: u32) {
        if fleet > 0 && minimum.at_a_time(fleet) == 0 {
            let text = format!(
                "this deployment fails at once: {} of {fleet} instances must stay healthy, which leaves none to deploy to",
                minimum.of(fleet)
            );
            self.warnings.push((deploy.strategy.span, text));
        }
    }

    fn host_hooks(&mut self, deploy: &raw::Deploy, traffic: bool, replaces: bool) -> Vec<(&'static str, Hook)> {
        let kind =
            HookKind { stages: &HOST_HOOK_STAGES, whose: "CodeDeploy", tests: true, timeout: 3600, most: 3600.0 };
        let hooks = self.hooks(deploy, &kind);
        for hook in &deploy.hooks {
            let stage = hook.stage.as_str();
            if !traffic && TRAFFIC_STAGES.contains(&stage) {
                let title = "without a load balancer in control of traffic there is no such event";
                self.error(hook.stage.span, title, "remove it");
            }
            if replaces && stage == "ApplicationStop" {
                let title = "nothing runs on new instances yet that would have to be stopped";
                self.error(hook.stage.span, title, "remove it");
            }
        }
        hooks
    }
}
