//! What a deployment is: a revision, a strategy, and what watches over it.
//!
//! Every strategy but the rolling update is a *plan*: stages in order, each with something to do or to wait for. The strategies of
//! ECS and CodeDeploy differ in their plans' stages and in nothing else; who runs a plan knows no strategy.
//!
//! CodeDeploy on EC2 has instances instead of task sets: what is done on each is in `hosts`.
//!
//! Sources: ECS API (DeploymentConfiguration, LinearConfiguration, CanaryConfiguration, DeploymentLifecycleHook), ECS guide
//! (blue-green-deployment-how-it-works, deployment-circuit-breaker, deployment-alarm-failure), CodeDeploy guide
//! (deployment-configurations, reference-appspec-file-structure-hooks).

pub(crate) mod book;
pub mod hosts;

use sim_core::distribution::Distribution;
use sim_core::random::{Draws, Source as _};
use sim_core::{SimDuration, SimTime};

use crate::ids::*;

/// A new revision of a service.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// When.
    pub at: SimTime,
    /// Of which service or group.
    pub service: ComputeId,
    /// How.
    pub strategy: Strategy,
    /// What is new.
    pub revision: Revision,
    /// Whether what fails is undone.
    pub rollback: bool,
    /// Rolling updates: gives up after so many failed tasks.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Any of these makes the deployment fail.
    pub alarms: Vec<AlarmId>,
    /// Somebody stops it so long after it began, if it still goes on.
    pub stop_after: Option<SimDuration>,
    /// Writes to a database that stop while the deployment begins.
    pub database_change: Option<DatabaseChange>,
}

impl Deployment {
    /// Of a revision, with nothing that watches over it.
    #[must_use]
    pub fn new(at: SimTime, service: ComputeId, strategy: Strategy, revision: Revision) -> Self {
        Self {
            at,
            service,
            strategy,
            revision,
            rollback: true,
            circuit_breaker: None,
            alarms: Vec::new(),
            stop_after: None,
            database_change: None,
        }
    }
}

/// How a revision is rolled out.
#[derive(Clone, Debug)]
pub enum Strategy {
    /// ECS rolling update within the service's minimum and maximum percent.
    Rolling,
    /// A green task set beside the blue one, and a plan by which traffic goes over to it.
    Shift(Plan),
    /// CodeDeploy, on the instances of a group.
    Hosts(hosts::HostPlan),
}

impl Strategy {
    /// What it is called in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rolling => "rolling update",
            Self::Shift(plan) => plan.name,
            Self::Hosts(plan) => plan.name(),
        }
    }
}

/// What a revision is like.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Share of requests it answers with its own error.
    pub error_rate: f64,
    /// Its CPU steps take this many times as long.
    pub cpu_factor: f64,
    /// From RUNNING until the application answers; none = as the service's.
    pub startup_time: Option<Distribution>,
    /// Share of its tasks that exit as they start, before they are RUNNING.
    pub crash_on_start: f64,
    /// A memory leak: from RUNNING until a task is out of memory and killed.
    pub out_of_memory_after: Option<Distribution>,
    /// Cold caches of a new task.
    pub warm_up: Option<WarmUp>,
}

impl Revision {
    /// One that works and costs as much as the one before.
    pub const LIKE_BEFORE: Self = Self {
        error_rate: 0.0,
        cpu_factor: 1.0,
        startup_time: None,
        crash_on_start: 0.0,
        out_of_memory_after: None,
        warm_up: None,
    };
}

/// Cold caches: CPU steps take `1 + (factor - 1) exp(-age / time)` times as long on a task of some age.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp {
    /// How many times as long at first.
    pub factor: f64,
    /// Time after which a share of 1/e of the excess is left.
    pub time: SimDuration,
}

impl WarmUp {
    /// The factor at an age since the task became RUNNING.
    #[inline(never)]
    #[must_use]
    pub fn factor_at(&self, age: SimDuration) -> f64 {
        1.0 + (self.factor - 1.0) * sim_core::math::exp(-(age.as_secs_f64() / self.time.as_secs_f64()))
    }

    /// The age from which on it is over: what is left of the excess is below a millionth.
    #[must_use]
    pub fn over_after(&self) -> SimDuration {
        self.time.times(14)
    }
}

/// `deploymentCircuitBreaker` with its `thresholdConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitBreaker {
    /// What `value` is.
    pub kind: ThresholdType,
    /// Percent of the desired count, or a number of tasks.
    pub value: u32,
    /// `resetOnHealthyTask`: a task that becomes healthy sets the count back.
    pub reset_on_healthy_task: bool,
}

/// `type` of a `thresholdConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdType {
    /// A percentage of the desired count, from 3 to 200 tasks.
    BoundedPercent,
    /// A percentage of the desired count.
    UnboundedPercent,
    /// A number of tasks.
    Count,
}

impl CircuitBreaker {
    /// API defaults: BOUNDED_PERCENT, 50, true.
    pub const DEFAULT: Self = Self { kind: ThresholdType::BoundedPercent, value: 50, reset_on_healthy_task: true };

    /// Failed tasks that make a deployment of so many desired tasks fail: `max(3, min(200, ceil(value % of desired)))` by default
    /// (ECS guide, deployment-circuit-breaker; API, ThresholdConfiguration).
    #[must_use]
    pub fn threshold(&self, desired: u32) -> u32 {
        let percent = (u64::from(desired) * u64::from(self.value)).div_ceil(100) as u32;
        match self.kind {
            ThresholdType::BoundedPercent => percent.clamp(3, 200),
            ThresholdType::UnboundedPercent => percent.max(1),
            ThresholdType::Count => self.value.max(1),
        }
    }
}

/// A change of a database's schema that stands in the way of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseChange {
    /// Of which cluster.
    pub cluster: AuroraId,
    /// How long.
    pub duration: SimDuration,
    /// Whether writes wait for its end on their connections (a lock), or fail at once.
    pub blocks: bool,
}

/// Stages in order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is called in the log.
    pub name: &'static str,
    /// In order.
    pub stages: Vec<Stage>,
    /// If the service is scaled while traffic shifts, green must be steady again within this time.
    pub steady_within: Option<SimDuration>,
}

/// A stage of a plan.
#[derive(Clone, Debug)]
pub struct Stage {
    /// AWS's name of it.
    pub name: &'static str,
    /// What is done.
    pub action: Action,
}

/// What a stage does; the next begins when it is done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Nothing that takes time.
    Pass,
    /// A hook runs.
    Hook(Hook),
    /// Green tasks are started; all must be healthy within the timeout, else the deployment fails.
    ScaleUp {
        /// The stage's timeout.
        timeout: SimDuration,
    },
    /// So many thousandths of production traffic go to green from now on.
    Shift(u16),
    /// So long nothing but alarms decides.
    Wait(SimDuration),
    /// The deployment waits for somebody who does not come in time, and is stopped.
    Expire(SimDuration),
    /// Blue tasks are stopped.
    CleanUp,
}

/// A lifecycle hook: a function that takes some time and says whether the deployment may go on.
#[derive(Clone, Debug)]
pub struct Hook {
    /// How long it takes.
    pub duration: Distribution,
    /// How likely it fails, whatever the revision is like.
    pub failure_rate: f64,
    /// Requests it makes of green, each answered badly with the revision's error rate.
    pub test_requests: u32,
    /// The largest share of them that may be answered badly.
    pub max_error_rate: f64,
    /// How long it may take.
    pub timeout: SimDuration,
    /// Whether the deployment goes on when it took too long.
    pub continue_on_timeout: bool,
}

impl Hook {
    /// Decides what it says and how long it takes to say it, of a revision with some error rate: why the deployment may not go
    /// on, or nothing.
    #[must_use]
    pub fn verdict(&self, error_rate: f64, draws: &mut Draws) -> (SimDuration, Option<String>) {
        let takes = self.duration.sample_duration(draws);
        let fails = draws.chance(self.failure_rate);
        let bad = (0..self.test_requests).filter(|_| draws.chance(error_rate)).count() as u32;
        let verdict = if takes > self.timeout {
            (!self.continue_on_timeout).then(|| "the hook timed out".to_owned())
        } else if fails {
            Some("the hook failed".to_owned())
        } else {
            let too_many = f64::from(bad) > self.max_error_rate * f64::from(self.test_requests);
            too_many.then(|| format!("{bad} of {} test requests failed", self.test_requests))
        };
        (takes.min(self.timeout), verdict)
    }
}

/// By which steps production traffic goes to green.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// All at once.
    AllAtOnce,
    /// First a share (in thousandths), after a time the rest.
    Canary {
        /// Thousandths.
        first: u16,
        /// Until the rest follows.
        after: SimDuration,
    },
    /// Equal shares (in thousandths) at equal times, the first at once.
    Linear {
        /// Thousandths.
        step: u16,
        /// Between steps.
        every: SimDuration,
    },
}

/// All of it, in thousandths.
pub const ALL: u16 = 1000;

impl Schedule {
    /// Thousandths on green after each step, and the time until the next; the last step reaches all and has none.
    #[must_use]
    pub fn steps(&self) -> Vec<(u16, Option<SimDuration>)> {
        match *self {
            Self::AllAtOnce => vec![(ALL, None)],
            Self::Canary { first, after } => vec![(first, Some(after)), (ALL, None)],
            Self::Linear { step, every } => {
                let shares = (1..).map(|n| (n * u32::from(step)).min(ALL.into()) as u16);
                let mut steps: Vec<_> = shares.take_while(|&share| share < ALL).map(|s| (s, Some(every))).collect();
                steps.push((ALL, None));
                steps
            }
        }
    }
}

/// Stages of a plan at which a hook may run: ECS's, then CodeDeploy's.
pub const ECS_HOOK_STAGES: [&str; 8] = [
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
];
/// See [`ECS_HOOK_STAGES`].
pub const CODE_DEPLOY_HOOK_STAGES: [&str; 5] =
    ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];

/// Hooks by the name of their stage.
pub type Hooks<'a> = &'a [(&'static str, Hook)];

/// Builds the stages of a plan, each with its hooks.
struct Builder<'a> {
    hooks: Hooks<'a>,
    stages: Vec<Stage>,
}

impl Builder<'_> {
    fn stage(&mut self, name: &'static str, action: Action) {
        self.stages.push(Stage { name, action });
    }
    /// The hooks of a stage, after what the stage itself does.
    fn hooks_of(&mut self, name: &'static str) {
        let hooks = self.hooks.iter().filter(|(at, _)| *at == name);
        self.stages.extend(hooks.map(|(_, hook)| Stage { name, action: Action::Hook(hook.clone()) }));
    }
    fn pass(&mut self, name: &'static str) {
        self.stage(name, Action::Pass);
        self.hooks_of(name);
    }
    /// A stage that is there only if there is something to do or to wait for.
    fn pause(&mut self, name: &'static str, time: SimDuration) {
        if !time.is_zero() {
            self.stage(name, Action::Wait(time));
        }
    }
}

/// ECS: a stage may last 24 hours (ECS guide, blue-green-deployment-how-it-works).
const ECS_STAGE_TIMEOUT: SimDuration = SimDuration::from_secs(24 * 3600);
/// CodeDeploy waits up to an hour for a steady green task set (ECS guide, deployment-type-bluegreen).
const CODE_DEPLOY_INSTALL_TIMEOUT: SimDuration = SimDuration::from_secs(3600);

/// If a service scales during the shift, CodeDeploy goes on for five minutes, and fails if it is not steady by then (same guide).
const CODE_DEPLOY_STEADY_WITHIN: SimDuration = SimDuration::from_secs(300);

/// What CodeDeploy waits for before it reroutes traffic (`deploymentReadyOption`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Nothing (`CONTINUE_DEPLOYMENT`).
    AtOnce,
    /// Somebody's word, which comes after a time (`STOP_DEPLOYMENT`, and it came in time).
    After(SimDuration),
    /// Somebody's word, which does not come within the wait time.
    Never(SimDuration),
}

impl Plan {
    /// ECS's own blue/green, linear and canary deployments, in the order of the API's life-cycle stages.
    #[must_use]
    pub fn ecs(schedule: Schedule, test_listener: bool, bake_time: SimDuration, hooks: Hooks<'_>) -> Self {
        let mut plan = Builder { hooks, stages: Vec::new() };
        plan.pass("RECONCILE_SERVICE");
        plan.pass("PRE_SCALE_UP");
        plan.stage("SCALE_UP", Action::ScaleUp { timeout: ECS_STAGE_TIMEOUT });
        plan.pass("POST_SCALE_UP");
        if test_listener {
            plan.pass("TEST_TRAFFIC_SHIFT");
            plan.pass("POST_TEST_TRAFFIC_SHIFT");
        }
        for (share, then) in schedule.steps() {
            plan.pass("PRE_PRODUCTION_TRAFFIC_SHIFT");
            plan.stage("PRODUCTION_TRAFFIC_SHIFT", Action::Shift(share));
            plan.hooks_of("PRODUCTION_TRAFFIC_SHIFT");
            plan.pause("PRODUCTION_TRAFFIC_SHIFT", then.unwrap_or_default());
        }
        plan.pass("POST_PRODUCTION_TRAFFIC_SHIFT");
        plan.stage("BAKE_TIME", Action::Wait(bake_time));
        plan.stage("CLEAN_UP", Action::CleanUp);
        let name = match schedule {
            Schedule::AllAtOnce => "blue/green deployment",
            Schedule::Canary { .. } => "canary deployment",
            Schedule::Linear { .. } => "linear deployment",
        };
        Self { name, stages: plan.stages, steady_within: None }
    }

    /// CodeDeploy's blue/green deployment of an ECS service, in the order of its lifecycle events.
    #[must_use]
    pub fn code_deploy(
        schedule: Schedule,
        test_listener: bool,
        ready: Ready,
        termination_wait: SimDuration,
        hooks: Hooks<'_>,
    ) -> Self {
        let mut plan = Builder { hooks, stages: Vec::new() };
        plan.pass("BeforeInstall");
        plan.stage("Install", Action::ScaleUp { timeout: CODE_DEPLOY_INSTALL_TIMEOUT });
        plan.pass("AfterInstall");
        if test_listener {
            plan.pass("AllowTestTraffic");
            plan.pass("AfterAllowTestTraffic");
        }
        match ready {
            Ready::AtOnce => {}
            Ready::After(time) => plan.stage("Ready", Action::Wait(time)),
            Ready::Never(time) => plan.stage("Ready", Action::Expire(time)),
        }
        plan.pass("BeforeAllowTraffic");
        for (share, then) in schedule.steps() {
            plan.stage("AllowTraffic", Action::Shift(share));
            plan.pause("AllowTraffic", then.unwrap_or_default());
        }
        plan.pass("AfterAllowTraffic");
        plan.pause("Terminate", termination_wait);
        plan.stage("Terminate", Action::CleanUp);
        let steady_within = Some(CODE_DEPLOY_STEADY_WITHIN);
        Self { name: "CodeDeploy blue/green deployment", stages: plan.stages, steady_within }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: SimDuration = SimDuration::from_secs(60);

    /// When each share is reached, in minutes after the first step, and how long all stages together wait.
    fn times(plan: &Plan) -> (Vec<(u64, u16)>, u64) {
        let (mut now, mut first, mut reached) = (0, None, Vec::new());
        for stage in &plan.stages {
            match stage.action {
                Action::Wait(time) => now += time.as_nanos() / MINUTE.as_nanos(),
                Action::Shift(share) => reached.push((now - *first.get_or_insert(now), share)),
                _ => {}
            }
        }
        (reached, now)
    }

    #[test]
    fn linear_defaults_have_10_steps_and_9_bakes_of_6_minutes() {
        let schedule = Schedule::Linear { step: 100, every: MINUTE.times(6) };
        let (reached, waits) = times(&Plan::ecs(schedule, false, MINUTE.times(5), &[]));
        assert_eq!(reached.len(), 10);
        assert_eq!((reached[0], reached[9]), ((0, 100), (54, 1000)));
        assert_eq!(waits, 54 + 5);
    }

    #[test]
    fn canary_defaults_wait_10_minutes_at_5_percent() {
        let schedule = Schedule::Canary { first: 50, after: MINUTE.times(10) };
        assert_eq!(times(&Plan::ecs(schedule, true, MINUTE, &[])), (vec![(0, 50), (10, 1000)], 11));
    }

    #[test]
    fn code_deploy_configurations_reach_all_after_9_27_5_and_15_minutes() {
        let last = |schedule| {
            let (reached, _) = times(&Plan::code_deploy(schedule, false, Ready::AtOnce, MINUTE, &[]));
            (reached[0], *reached.last().expect("a step"))
        };
        let linear = |minutes| last(Schedule::Linear { step: 100, every: MINUTE.times(minutes) });
        let canary = |minutes| last(Schedule::Canary { first: 100, after: MINUTE.times(minutes) });
        assert_eq!((linear(1), linear(3)), (((0, 100), (9, 1000)), ((0, 100), (27, 1000))));
        assert_eq!((canary(5), canary(15)), (((0, 100), (5, 1000)), ((0, 100), (15, 1000))));
        assert_eq!(last(Schedule::AllAtOnce), ((0, 1000), (0, 1000)));
    }

    #[test]
    fn steps_that_do_not_divide_a_hundred_end_with_a_smaller_one() {
        let shares: Vec<u16> =
            Schedule::Linear { step: 300, every: MINUTE }.steps().iter().map(|step| step.0).collect();
        assert_eq!(shares, [300, 600, 900, 1000]);
    }

    #[test]
    fn hooks_stand_where_their_stage_does_and_before_every_step() {
        let hook = Hook {
            duration: Distribution::Constant(1.0),
            failure_rate: 0.0,
            test_requests: 0,
            max_error_rate: 0.0,
            timeout: MINUTE,
            continue_on_timeout: false,
        };
        let schedule = Schedule::Linear { step: 500, every: MINUTE };
        let hooks = [("PRE_PRODUCTION_TRAFFIC_SHIFT", hook.clone()), ("POST_SCALE_UP", hook)];
        let plan = Plan::ecs(schedule, false, MINUTE, &hooks);
        let at: Vec<&str> = plan
            .stages
            .iter()
            .filter(|stage| matches!(stage.action, Action::Hook(_)))
            .map(|stage| stage.name)
            .collect();
        assert_eq!(at, ["POST_SCALE_UP", "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"]);
        let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name).collect();
        let order = ["PRE_SCALE_UP", "SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"];
        let places: Vec<_> = order.iter().map(|wanted| names.iter().position(|name| name == wanted)).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{names:?}");
    }

    #[test]
    fn circuit_breaker_thresholds_are_those_of_the_documentation() {
        for (desired, threshold) in [(1, 3), (4, 3), (7, 4), (25, 13), (100, 50), (400, 200), (1000, 200)] {
            assert_eq!(CircuitBreaker::DEFAULT.threshold(desired), threshold, "{desired}");
        }
        let unbounded = CircuitBreaker { kind: ThresholdType::UnboundedPercent, ..CircuitBreaker::DEFAULT };
        assert_eq!((unbounded.threshold(2), unbounded.threshold(1000)), (1, 500));
        let count = CircuitBreaker { kind: ThresholdType::Count, value: 7, ..CircuitBreaker::DEFAULT };
        assert_eq!(count.threshold(1000), 7);
    }

    #[test]
    fn a_warm_up_decays_to_nothing() {
        let warm_up = WarmUp { factor: 3.0, time: MINUTE };
        assert_eq!(warm_up.factor_at(SimDuration::ZERO), 3.0);
        assert!((warm_up.factor_at(MINUTE) - (1.0 + 2.0 * 0.367_879)).abs() < 1e-5);
        assert!(warm_up.factor_at(warm_up.over_after()) - 1.0 < 2e-6);
    }
}
