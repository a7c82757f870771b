//! CodeDeploy on EC2: how many instances at a time, and what is done on each.
//!
//! Sources: CodeDeploy guide (deployment-configurations, instances-health, reference-appspec-file-structure-hooks,
//! integrations-aws-elastic-load-balancing), API (MinimumHealthyHosts, BlueInstanceTerminationOption).

use sim_core::SimDuration;
use sim_core::distribution::Distribution;

use super::{Hook, Hooks, Ready};

/// A deployment configuration: how many instances must stay healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinimumHealthyHosts {
    /// `CodeDeployDefault.OneAtATime`: all but one.
    OneAtATime,
    /// `CodeDeployDefault.HalfAtATime`: half of them, rounded up.
    HalfAtATime,
    /// `CodeDeployDefault.AllAtOnce`: none; one that succeeds is enough.
    AllAtOnce,
    /// `HOST_COUNT`.
    HostCount(u32),
    /// `FLEET_PERCENT`, rounded up.
    FleetPercent(u32),
}

impl MinimumHealthyHosts {
    /// Of so many instances, how many must be healthy.
    #[must_use]
    pub fn of(self, fleet: u32) -> u32 {
        match self {
            Self::OneAtATime => fleet.saturating_sub(1),
            Self::HalfAtATime => fleet.div_ceil(2),
            Self::AllAtOnce => 0,
            Self::HostCount(count) => count,
            Self::FleetPercent(percent) => (u64::from(fleet) * u64::from(percent)).div_ceil(100) as u32,
        }
    }

    /// How many instances are deployed to at a time; with none, the deployment fails at once.
    #[must_use]
    pub fn at_a_time(self, fleet: u32) -> u32 {
        fleet.saturating_sub(self.of(fleet))
    }
}

/// How CodeDeploy brings a revision to the instances of a group.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// How many at a time.
    pub minimum: MinimumHealthyHosts,
    /// On which instances.
    pub way: Way,
}

/// On which instances a revision is installed.
#[derive(Clone, Debug)]
pub enum Way {
    /// On those there are.
    InPlace(Vec<HostStage>),
    /// On those of a copy of the group.
    Replace(Replacement),
}

/// A blue/green deployment with a copied Auto Scaling group.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// On each new instance, before it has traffic.
    pub install: Vec<HostStage>,
    /// On each new instance, as it gets traffic.
    pub allow: Vec<HostStage>,
    /// On each original instance, as it loses its traffic.
    pub block: Vec<HostStage>,
    /// What is waited for before traffic is rerouted.
    pub ready: Ready,
    /// How long the original instances run on; none = they are kept alive.
    pub termination_wait: Option<SimDuration>,
}

/// A lifecycle event on an instance.
#[derive(Clone, Debug)]
pub struct HostStage {
    /// CodeDeploy's name of it.
    pub name: &'static str,
    /// What is done.
    pub action: HostAction,
}

/// What is done at a lifecycle event; the next begins when it is done.
#[derive(Clone, Debug)]
pub enum HostAction {
    /// The instance is taken out of its target group and drained.
    Block,
    /// The application is told to end.
    Stop,
    /// Something that takes a while.
    Take(Distribution),
    /// The application of the revision is started; the next event comes when it answers.
    Start,
    /// The instance is registered with its target group, and is waited for until it is healthy there.
    Allow,
    /// A script runs.
    Hook(Hook),
}

/// A lifecycle event may last an hour (CodeDeploy guide, limits: 3,600 s; integrations-aws-elastic-load-balancing: 1 h).
pub const EVENT_TIMEOUT: SimDuration = SimDuration::from_secs(3600);

/// Lifecycle events on instances at which scripts run.
pub const HOST_HOOK_STAGES: [&str; 9] = [
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
];

/// What a revision takes on an instance beside the scripts.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `DownloadBundle`.
    pub download: Distribution,
    /// `Install`: files are copied.
    pub install: Distribution,
}

/// Builds lifecycle events, each with its scripts.
struct Builder<'a> {
    hooks: Hooks<'a>,
    stages: Vec<HostStage>,
}

impl<'a> Builder<'a> {
    fn new(hooks: Hooks<'a>) -> Self {
        Self { hooks, stages: Vec::new() }
    }
    fn stage(mut self, name: &'static str, action: HostAction) -> Self {
        self.stages.push(HostStage { name, action });
        self
    }
    fn scripts(mut self, name: &'static str) -> Self {
        let hooks = self.hooks.iter().filter(|(at, _)| *at == name);
        self.stages.extend(hooks.map(|(_, hook)| HostStage { name, action: HostAction::Hook(hook.clone()) }));
        self
    }
    fn block(self) -> Self {
        self.scripts("BeforeBlockTraffic").stage("BlockTraffic", HostAction::Block).scripts("AfterBlockTraffic")
    }
    fn allow(self) -> Self {
        self.scripts("BeforeAllowTraffic").stage("AllowTraffic", HostAction::Allow).scripts("AfterAllowTraffic")
    }
    fn install(self, delivery: &Delivery) -> Self {
        self.stage("DownloadBundle", HostAction::Take(delivery.download.clone()))
            .scripts("BeforeInstall")
            .stage("Install", HostAction::Take(delivery.install.clone()))
            .scripts("AfterInstall")
            .scripts("ApplicationStart")
            .stage("ApplicationStart", HostAction::Start)
            .scripts("ValidateService")
    }
    /// The application ends as its script begins.
    fn stop(self) -> Self {
        self.stage("ApplicationStop", HostAction::Stop).scripts("ApplicationStop")
    }
}

impl HostPlan {
    /// In place; with a load balancer in control, instances are taken out of it first.
    #[must_use]
    pub fn in_place(
        minimum: MinimumHealthyHosts,
        traffic_control: bool,
        delivery: &Delivery,
        hooks: Hooks<'_>,
    ) -> Self {
        let course = Builder::new(hooks);
        let course = if traffic_control { course.block() } else { course };
        let course = course.stop().install(delivery);
        let course = if traffic_control { course.allow() } else { course };
        Self { minimum, way: Way::InPlace(course.stages) }
    }

    /// Blue/green. Nothing runs on a new instance yet that would have to be stopped.
    #[must_use]
    pub fn replace(
        minimum: MinimumHealthyHosts,
        delivery: &Delivery,
        ready: Ready,
        termination_wait: Option<SimDuration>,
        hooks: Hooks<'_>,
    ) -> Self {
        let way = Way::Replace(Replacement {
            install: Builder::new(hooks).install(delivery).stages,
            allow: Builder::new(hooks).allow().stages,
            block: Builder::new(hooks).block().stages,
            ready,
            termination_wait,
        });
        Self { minimum, way }
    }

    /// What it is called in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.way {
            Way::InPlace(_) => "CodeDeploy in-place deployment",
            Way::Replace(_) => "CodeDeploy blue/green deployment",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many must be healthy, and how many are deployed to at a time.
    fn of(minimum: MinimumHealthyHosts, fleet: u32) -> (u32, u32) {
        (minimum.of(fleet), minimum.at_a_time(fleet))
    }

    #[test]
    fn of_9_instances_half_at_a_time_is_4_and_needs_5() {
        assert_eq!(of(MinimumHealthyHosts::HalfAtATime, 9), (5, 4));
        assert_eq!(of(MinimumHealthyHosts::HalfAtATime, 8), (4, 4));
    }

    #[test]
    fn of_9_instances_fleet_percent_40_is_4_healthy_and_5_at_a_time() {
        assert_eq!(of(MinimumHealthyHosts::FleetPercent(40), 9), (4, 5));
    }

    #[test]
    fn of_9_instances_host_count_6_is_3_at_a_time() {
        assert_eq!(of(MinimumHealthyHosts::HostCount(6), 9), (6, 3));
    }

    #[test]
    fn one_at_a_time_is_one_and_all_at_once_all() {
        assert_eq!(of(MinimumHealthyHosts::OneAtATime, 9), (8, 1));
        assert_eq!(of(MinimumHealthyHosts::OneAtATime, 1), (0, 1));
        assert_eq!(of(MinimumHealthyHosts::AllAtOnce, 9), (0, 9));
    }

    #[test]
    fn a_minimum_of_all_instances_leaves_none_to_deploy_to() {
        for (minimum, fleet) in [
            (MinimumHealthyHosts::HostCount(3), 3),
            (MinimumHealthyHosts::HostCount(5), 3),
            (MinimumHealthyHosts::FleetPercent(67), 3),
            (MinimumHealthyHosts::HalfAtATime, 1),
        ] {
            assert_eq!(minimum.at_a_time(fleet), 0, "{minimum:?} of {fleet}");
        }
    }

    #[test]
    fn lifecycle_events_come_in_the_order_of_the_guide() {
        let second = Distribution::Constant(1.0);
        let delivery = Delivery { download: second.clone(), install: second.clone() };
        let hook = Hook {
            duration: second,
            failure_rate: 0.0,
            test_requests: 0,
            max_error_rate: 0.0,
            timeout: EVENT_TIMEOUT,
            continue_on_timeout: false,
        };
        let hooks = HOST_HOOK_STAGES.map(|stage| (stage, hook.clone()));
        let names = |stages: &[HostStage]| {
            let mut names: Vec<&str> = stages.iter().map(|stage| stage.name).collect();
            names.dedup();
            names
        };
        let plan = HostPlan::in_place(MinimumHealthyHosts::OneAtATime, true, &delivery, &hooks);
        let Way::InPlace(course) = &plan.way else { panic!("in place") };
        let in_order = [
            "BeforeBlockTraffic",
            "BlockTraffic",
            "AfterBlockTraffic",
            "ApplicationStop",
            "DownloadBundle",
            "BeforeInstall",
            "Install",
            "AfterInstall",
            "ApplicationStart",
            "ValidateService",
            "BeforeAllowTraffic",
            "AllowTraffic",
            "AfterAllowTraffic",
        ];
        assert_eq!(names(course), in_order);
        let plan = HostPlan::in_place(MinimumHealthyHosts::OneAtATime, false, &delivery, &hooks);
        let Way::InPlace(course) = &plan.way else { panic!("in place") };
        assert_eq!(names(course), in_order[3..10], "without a load balancer in control");
        let plan = HostPlan::replace(MinimumHealthyHosts::AllAtOnce, &delivery, Ready::AtOnce, None, &hooks);
        let Way::Replace(replacement) = &plan.way else { panic!("blue/green") };
        assert_eq!(names(&replacement.install), in_order[4..10]);
        assert_eq!(names(&replacement.allow), in_order[10..]);
        assert_eq!(names(&replacement.block), in_order[..3]);
    }
}
