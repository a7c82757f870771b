//! Container health checks: a command in the container, which the agent runs every interval (ECS developer guide,
//! task_definition_parameters). Here it asks the application as a load balancer would, without a network between.

use sim_core::math::mix;

use super::*;

/// `healthCheck` of a container definition.
#[derive(Clone, Copy, Debug)]
pub struct ContainerCheck {
    /// `interval` (30 s).
    pub interval: SimDuration,
    /// `timeout` (5 s).
    pub timeout: SimDuration,
    /// `retries` (3): so many failures in a row make the container UNHEALTHY.
    pub retries: u32,
    /// `startPeriod` (none): failures are not counted before the first success within it.
    pub start_period: SimDuration,
}

/// What checks have found of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Container {
    /// `UNKNOWN`: not yet checked with success.
    #[default]
    Unknown,
    /// `HEALTHY`.
    Healthy,
    /// `UNHEALTHY`.
    Unhealthy,
}

impl TaskInstance {
    /// What the service makes of what load balancer and container checks say: healthy where all do, failing where any does.
    pub(super) fn judge(&mut self, checked: bool) {
        self.healthy = self.target_healthy && (!checked || self.container == Container::Healthy);
        self.failing = self.target_failing || self.container == Container::Unhealthy || self.drained_away;
    }
}

impl Ecs {
    /// A container is RUNNING: it is checked from now on.
    pub(super) fn begin_checks(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        if let Some(check) = self.settings.container_check {
            cx.kernel.schedule_in(check.interval, self.event(Event::ContainerCheck(key)));
        }
    }

    /// The time of a check.
    pub(super) fn check_container(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let (Some(check), Some(task)) = (self.settings.container_check, self.tasks.get(key)) else { return };
        let now = cx.now();
        cx.kernel.schedule_in(check.interval, self.event(Event::ContainerCheck(key)));
        let stream = mix(u64::from(task.number), now.as_nanos());
        let (probe, request) = cx.shared.new_request(stream, now, Holder::ContainerCheck(self.id), Hop::NONE);
        request.purpose = Purpose::HealthCheck;
        request.target = key;
        cx.kernel.schedule_in(check.timeout, self.event(Event::ContainerTimeout(probe)));
        self.engine.on_offer(&mut self.tasks, probe, cx);
    }

    /// A check comes back.
    pub fn on_check_reply(&mut self, probe: RequestKey, cx: &mut Cx<'_>) {
        let request = &cx.shared.requests[probe];
        let (key, late, ok) = (request.target, request.abandoned, request.outcome.is_ok());
        cx.shared.requests.remove(probe);
        if !late {
            self.checked(key, ok, cx);
        }
    }

    /// A check has had its time.
    pub(super) fn check_timed_out(&mut self, probe: RequestKey, cx: &mut Cx<'_>) {
        let Some(request) = cx.shared.requests.get_mut(probe).filter(|request| !request.abandoned) else { return };
        request.abandoned = true;
        let key = request.target;
        self.checked(key, false, cx);
    }

    fn checked(&mut self, key: TaskKey, ok: bool, cx: &mut Cx<'_>) {
        let (Some(check), Some(task)) = (self.settings.container_check, self.tasks.get_mut(key)) else { return };
        let before = task.container;
        let starting = before == Container::Unknown && cx.now() - task.running_since < check.start_period;
        if ok {
            (task.container, task.failed_checks) = (Container::Healthy, 0);
        } else if !starting {
            task.failed_checks += 1;
            if task.failed_checks >= check.retries {
                task.container = Container::Unhealthy;
            }
        }
        task.judge(true);
        let (number, now) = (task.number, task.container);
        if now != before {
            let state =
                if now == Container::Healthy { "its container is HEALTHY" } else { "its container is UNHEALTHY" };
            self.log_state(number, state, cx);
            self.mends(cx);
        }
    }
}
