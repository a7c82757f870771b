//! How a task comes up: the quotas of launches, the states before RUNNING, the image, and what becomes of launches that fail.

use sim_core::observations::LogKind;
use sim_core::station::token_bucket::TokenBucket;

use super::*;
use crate::timeline::InstanceFault;

/// Compressed image that is pulled within the launch time, and bytes a second for what is beyond (assumption, fact sheet 13.1).
const PULLED_WITHIN_LAUNCH: f64 = 50.0 * 1024.0 * 1024.0;
/// Tasks a minute of one service (ECS developer guide, service-quotas).
const TASKS_PER_MINUTE: f64 = 500.0;
/// Part of the launch time until the network interface is there ("several seconds"; assumption).
const PROVISIONING: SimDuration = SimDuration::from_secs(10);
/// After a launch that failed the scheduler waits for this, twice as long after each (assumption), and for no more than the
/// longest (ECS developer guide, service-throttle-logic).
const FIRST_BACK_OFF: SimDuration = SimDuration::from_secs(10);
const LONGEST_BACK_OFF: SimDuration = SimDuration::from_secs(27 * 60);

/// Launches of Fargate tasks of an account and Region (ECS developer guide, throttling): 100 at once, 20 a second.
#[derive(Debug)]
pub struct Fargate(TokenBucket);

impl Default for Fargate {
    fn default() -> Self {
        Self(TokenBucket::new(20.0, 100.0))
    }
}

impl Fargate {
    /// A task is requested now: how long until it is accepted.
    pub fn accept(&mut self, now: SimTime) -> SimDuration {
        wait(&mut self.0, now)
    }
}

/// Takes one token, or owes it: how long until it is there.
fn wait(bucket: &mut TokenBucket, now: SimTime) -> SimDuration {
    bucket.owe(now, 1.0);
    bucket.time_until(now, 0.0).unwrap_or(SimDuration::ZERO)
}

/// No container instance has room for a task.
#[derive(Debug)]
pub(super) struct NoRoom;

/// The launches of a service.
#[derive(Debug)]
pub(super) struct Launches {
    quota: TokenBucket,
    /// Nothing is launched before.
    not_before: SimTime,
    back_off: SimDuration,
    /// How many faults keep tasks from RUNNING.
    faults: u32,
}

impl Launches {
    pub(super) fn new() -> Self {
        let quota = TokenBucket::new(TASKS_PER_MINUTE / 60.0, TASKS_PER_MINUTE);
        Self { quota, not_before: SimTime::ZERO, back_off: FIRST_BACK_OFF, faults: 0 }
    }

    /// A task is RUNNING, or a new task definition comes: launches are not held back any more.
    pub(super) fn succeed(&mut self) {
        (self.not_before, self.back_off) = (SimTime::ZERO, FIRST_BACK_OFF);
    }

    /// A task would be RUNNING now; why it is not, if it is not.
    pub(super) fn outcome(&mut self, crashes: bool, now: SimTime) -> Option<&'static str> {
        let why = match crashes {
            _ if self.faults > 0 => "is stopped: its image cannot be pulled (CannotPullContainerError)",
            true => "exits as it starts",
            false => {
                self.succeed();
                return None;
            }
        };
        self.fail(now);
        Some(why)
    }

    /// A task did not get to RUNNING: the scheduler waits, the longer the more of them there were.
    fn fail(&mut self, now: SimTime) {
        if now < self.not_before {
            return;
        }
        self.not_before = now + self.back_off;
        self.back_off = self.back_off.times(2).min(LONGEST_BACK_OFF);
    }
}

impl Ecs {
    /// Asks for a new task, unless launches that failed hold it back.
    pub(super) fn launch(&mut self, revision: u16, cx: &mut Cx<'_>) {
        if cx.now() < self.launches.not_before {
            return;
        }
        let placed = self.place(cx);
        let waits = placed.is_err();
        if waits && !self.provider.as_ref().is_some_and(provider::Provider::has_room) {
            return;
        }
        let place = placed.unwrap_or(None);
        let key = self.new_task(revision, State::Pending, place, cx);
        let (number, desired) = (self.tasks[key].number, self.desired);
        let what = format!("task {number} of revision {revision} is requested (desired count {desired})");
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        if let Some(provider) = self.provider.as_mut().filter(|_| waits) {
            provider.provisioning.push(key);
            self.log_state(number, "PROVISIONING: no container instance has room", cx);
        } else if place.is_some() {
            self.accepted(key, SimDuration::ZERO, cx);
        } else {
            cx.control(Control::LaunchTask(self.id, key));
        }
    }

    /// Where a new task goes: nowhere in particular on Fargate, else on a container instance, if there is room.
    pub(super) fn place(&mut self, cx: &mut Cx<'_>) -> Result<Option<u16>, NoRoom> {
        let Some(places) = &mut self.places else { return Ok(None) };
        if let Some(place) = places.place(&mut self.lifecycle) {
            return Ok(Some(place));
        }
        if !std::mem::replace(&mut places.told, true) && self.provider.is_none() {
            let what = "no container instance has room for another task";
            cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        }
        Err(NoRoom)
    }

    /// A task has been asked for; Fargate accepts it after a while.
    pub fn accepted(&mut self, key: TaskKey, after: SimDuration, cx: &mut Cx<'_>) {
        let Some(number) = self.tasks.get(key).map(|task| task.number) else { return };
        let after = after.max(wait(&mut self.launches.quota, cx.now()));
        let launch = self.settings.launch_time.sample_duration(&mut self.lifecycle);
        let cached = match (self.tasks[key].place, &mut self.places) {
            (Some(place), Some(places)) => Some(places.has_image(place)),
            _ => None,
        };
        let bytes = match cached {
            Some(true) => 0.0,
            Some(false) => self.settings.image_bytes,
            None => (self.settings.image_bytes - PULLED_WITHIN_LAUNCH).max(0.0),
        };
        let pull = SimDuration::from_secs_f64(bytes / self.settings.pull_bytes_per_s);
        self.log_state(number, "PROVISIONING", cx);
        cx.kernel.schedule_in(after + PROVISIONING.min(launch), self.event(Event::Provisioned(key)));
        cx.kernel.schedule_in(after + launch + pull, self.event(Event::Running(key)));
    }

    /// A task has its network interface: its image is pulled.
    pub(super) fn provisioned(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        if let Some(task) = self.tasks.get(key).filter(|task| task.state == State::Pending) {
            self.log_state(task.number, "PENDING", cx);
            self.charge_from_now(key, cx.now());
        }
    }

    /// A fault that keeps tasks from RUNNING begins or is over.
    pub fn launch_fault(&mut self, begins: bool) {
        self.launches.faults = if begins { self.launches.faults + 1 } else { self.launches.faults - 1 };
    }

    /// A fault strikes container instances, or its time is over: those that were struck come back, empty.
    pub fn instance_fault(
        &mut self,
        fault: InstanceFault,
        zone: Option<u16>,
        count: Option<u32>,
        begins: bool,
        cx: &mut Cx<'_>,
    ) {
        let Some(places) = &mut self.places else { return };
        if !begins {
            return places.restore(cx.now());
        }
        for place in places.struck(zone, count) {
            if let Some(places) = &mut self.places {
                places.set_active(cx.kernel.now(), place, false);
            }
            if fault == InstanceFault::Drain {
                let holds = !self.tasks_on(place).is_empty();
                self.drain_instance(place, cx);
                if holds {
                    self.struck(cx);
                }
                continue;
            }
            let tasks = self.tasks_on(place);
            let what = format!("container instance {place} is gone, with {} tasks", tasks.len());
            cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
            for key in tasks {
                self.kill(key, cx);
                self.struck(cx);
            }
        }
    }

    pub(super) fn tasks_on(&self, place: u16) -> Vec<TaskKey> {
        self.order.iter().copied().filter(|key| self.tasks[*key].place == Some(place)).collect()
    }

    /// The tasks of an instance are to be replaced elsewhere.
    pub(super) fn drain_instance(&mut self, place: u16, cx: &mut Cx<'_>) {
        let tasks = self.tasks_on(place);
        let what = format!("container instance {place} is drained, with {} tasks", tasks.len());
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
        for key in tasks {
            let checked = self.settings.container_check.is_some();
            let task = &mut self.tasks[key];
            task.drained_away = true;
            task.judge(checked);
        }
    }

    /// A task is in another state.
    pub(super) fn log_state(&self, number: u32, state: &str, cx: &mut Cx<'_>) {
        let what = format!("task {number}: {state}");
        cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_500_tasks_the_last_is_accepted_after_20_s() {
        let mut fargate = Fargate::default();
        let waits: Vec<f64> = (0..500).map(|_| fargate.accept(SimTime::ZERO).as_secs_f64()).collect();
        assert_eq!(waits[99], 0.0);
        assert!((waits[100] - 0.05).abs() < 1e-6 && (waits[499] - 20.0).abs() < 1e-6, "{} {}", waits[100], waits[499]);
    }

    #[test]
    fn one_service_is_held_to_500_a_minute() {
        let mut launches = Launches::new();
        let waits: Vec<f64> = (0..1000).map(|_| wait(&mut launches.quota, SimTime::ZERO).as_secs_f64()).collect();
        assert_eq!(waits[499], 0.0);
        assert!((waits[999] - 60.0).abs() < 1e-3, "{}", waits[999]);
    }

    #[test]
    fn the_back_off_doubles_to_27_minutes_and_is_over_with_a_task_that_runs() {
        let mut launches = Launches::new();
        let mut waited = Vec::new();
        for _ in 0..10 {
            let now = launches.not_before;
            launches.fail(now);
            waited.push((launches.not_before - now).as_secs_f64());
        }
        assert_eq!(waited, [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 1620.0, 1620.0]);
        // Tasks that were launched together fail together, and count once.
        let before = launches.not_before;
        launches.fail(SimTime::ZERO);
        assert_eq!(launches.not_before, before);
        launches.succeed();
        assert_eq!(launches.not_before, SimTime::ZERO);
    }
}
