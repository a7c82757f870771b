//! A capacity provider with managed scaling: as many container instances as the tasks need.
//!
//! Tasks that find no room stay in PROVISIONING until an instance is there. Each minute `CapacityProviderReservation` is published:
//! the instances that are needed, in percent of those there are (ECS developer guide, cluster-auto-scaling). Target tracking on it
//! (`autoscaling`) says how many there should be, and here they are launched and terminated.

use std::collections::VecDeque;

use sim_core::observations::LogKind;

use super::*;
use crate::cloudwatch;

/// `managedScaling`, and what belongs to it.
#[derive(Clone, Debug)]
pub struct ManagedScaling {
    /// Most instances there may ever be.
    pub max_size: u32,
    /// From the request for an instance until it takes tasks.
    pub launch_time: Distribution,
    /// `managedTerminationProtection`: only instances without tasks are terminated. Otherwise those with the fewest are drained
    /// (`managedDraining`): their tasks are replaced elsewhere first.
    pub termination_protection: bool,
}

/// Most tasks in PROVISIONING (ECS developer guide, cluster-auto-scaling: 300 to 500 a cluster).
const MOST_PROVISIONING: usize = 500;

/// A provider at work.
#[derive(Debug)]
pub(super) struct Provider {
    settings: ManagedScaling,
    desired: u32,
    /// Tasks that wait for an instance, in order.
    pub(super) provisioning: Vec<TaskKey>,
    reservation: MetricId,
    instances: MetricId,
}

impl Provider {
    pub(super) fn new(settings: &ManagedScaling, count: u32, name: &str, cx: &mut Cx<'_>) -> Self {
        let mut metric = |what: &str, unit| {
            let full_name = format!("{what} {name}");
            cx.shared.metrics.register_as(full_name, unit, cloudwatch::Kind::Mean, cloudwatch::PERIOD)
        };
        let reservation = metric("AWS/ECS/ManagedScaling CapacityProviderReservation", "%");
        let instances = metric("AWS/AutoScaling GroupInServiceInstances", "count");
        Self { settings: settings.clone(), desired: count, provisioning: Vec::new(), reservation, instances }
    }

    /// Whether one more task may wait for an instance.
    pub(super) fn has_room(&self) -> bool {
        self.provisioning.len() < MOST_PROVISIONING
    }
}

/// Instances needed in percent of those there are; 200 where there are none and some are needed.
fn reservation(needed: u32, there: u32) -> f64 {
    match (needed, there) {
        (0, 0) => 100.0,
        (_, 0) => 200.0,
        (needed, there) => 100.0 * f64::from(needed) / f64::from(there),
    }
}

impl Ecs {
    /// How many container instances there should be.
    pub fn set_instances(&mut self, desired: u32, cx: &mut Cx<'_>) {
        let Some(provider) = &mut self.provider else { return };
        provider.desired = desired;
        cx.control(Control::DesiredCount(Scalable::Capacity(self.id), desired));
        self.mind_instances(cx);
    }

    /// Launches instances that are missing, and terminates those there are too many of. Runs when the scheduler looks, too.
    pub(super) fn mind_instances(&mut self, cx: &mut Cx<'_>) {
        let (Some(provider), Some(places)) = (&self.provider, &mut self.places) else { return };
        let (desired, protected) = (provider.desired, provider.settings.termination_protection);
        for place in places.drained() {
            let what = format!("container instance {place} is terminated");
            cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
            places.terminated(place, cx.kernel.now());
        }
        let held = places.held();
        for _ in held..desired {
            let Some(place) = places.launch(cx.kernel.now()) else { break };
            let after = provider.settings.launch_time.sample_duration(&mut self.lifecycle);
            let what = format!("container instance {place} is launched");
            cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
            cx.kernel.schedule_in(after, world::Event::Ecs(self.id, Event::InstanceUp(place)));
        }
        for _ in desired..held {
            let Some(place) = self.places.as_mut().and_then(|places| places.release(protected, cx.kernel.now())) else {
                break;
            };
            if !self.tasks_on(place).is_empty() {
                self.drain_instance(place, cx);
            }
        }
    }

    /// A container instance takes tasks from now on.
    pub(super) fn instance_up(&mut self, place: u16, cx: &mut Cx<'_>) {
        let Some(places) = &mut self.places else { return };
        if places.arrive(place) {
            let what = format!("container instance {place} takes tasks");
            cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
            self.place_waiting(cx);
        }
    }

    /// Places tasks that wait for an instance, in their order, as far as there is room.
    pub(super) fn place_waiting(&mut self, cx: &mut Cx<'_>) {
        let Some(provider) = &mut self.provider else { return };
        let waiting = std::mem::take(&mut provider.provisioning);
        let mut waiting: VecDeque<TaskKey> = waiting.into_iter().filter(|&key| self.tasks.get(key).is_some()).collect();
        while let Some(&key) = waiting.front() {
            let Ok(Some(place)) = self.place(cx) else { break };
            waiting.pop_front();
            let zone = self.places.as_ref().map_or(0, |places| places.zone(place));
            let task = &mut self.tasks[key];
            (task.place, task.zone) = (Some(place), zone);
            self.is_in_zone(key, zone, cx);
            self.accepted(key, SimDuration::ZERO, cx);
        }
        if let Some(provider) = &mut self.provider {
            provider.provisioning = waiting.into();
        }
    }

    /// Publishes what is needed of what there is.
    pub(super) fn publish_reservation(&mut self, period_start: SimTime, cx: &mut Cx<'_>) {
        let (Some(provider), Some(places)) = (&self.provider, &self.places) else { return };
        let waiting = provider.provisioning.iter().filter(|&&key| self.tasks.get(key).is_some()).count() as u32;
        let there = places.there();
        let needed = if waiting > 0 { there + waiting.div_ceil(places.tasks_on_one()) } else { places.used() };
        cx.shared.metrics.publish(provider.reservation, period_start, reservation(needed, there));
        cx.shared.metrics.publish(provider.instances, period_start, there.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservation_is_needed_over_there_and_200_from_zero() {
        let cases = [(3, 3), (4, 2), (2, 4), (1, 0), (0, 0), (0, 5)];
        assert_eq!(cases.map(|(needed, there)| reservation(needed, there)), [100.0, 200.0, 50.0, 200.0, 100.0, 0.0]);
    }
}
