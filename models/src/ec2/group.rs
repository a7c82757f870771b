//! What the group wants: the desired capacity, spread over zones, of healthy instances.

use sim_core::observations::{LogKind, Phase};

use super::*;

impl Group {
    /// A scaling decision, or somebody's: `SetDesiredCapacity`.
    pub fn set_desired_capacity(&mut self, desired: u32, cx: &mut Cx<'_>) {
        self.desired = desired;
        self.all_meters().for_each(|meter| meter.want(cx.now(), desired));
        cx.control(Control::DesiredCount(Scalable::Ec2(self.id), self.desired));
        self.tell_activity(cx);
    }

    /// Tells its scaler when it begins to launch or terminate, and when all are in service that it wants.
    fn tell_activity(&mut self, cx: &mut Cx<'_>) {
        let is = |life: Life| self.order.iter().filter(|&&key| self.instances[key].life == life).count() as u32;
        let ends = self.order.iter().any(|&key| matches!(self.instances[key].life, Life::Terminating { .. }));
        let active = ends || is(Life::InService) + is(Life::Standby) != self.desired;
        if active != std::mem::replace(&mut self.active, active) {
            cx.control(Control::ScalingActivity(Scalable::Ec2(self.id), active));
        }
    }

    /// Instances by zone: those that count, or those of the warm pool.
    fn zone_counts(&self, fits: impl Fn(&Instance) -> bool) -> Vec<u32> {
        let mut counts = vec![0u32; self.settings.zones.len().max(1)];
        for &key in &self.order {
            let instance = &self.instances[key];
            if fits(instance) {
                counts[instance.zone as usize] += 1;
            }
        }
        counts
    }

    /// Where the next instance goes: group, warm pool and copied group are spread each by itself.
    pub(super) fn emptiest_zone(&self, life: Life) -> u16 {
        let alike = |other: &Instance| match life {
            Life::Warmed | Life::Apart => other.life == life,
            _ => other.counts(),
        };
        let counts = self.zone_counts(alike);
        (0..counts.len()).min_by_key(|&zone| (counts[zone], zone)).unwrap_or(0) as u16
    }

    /// How many instances the warm pool should hold: what is left of the prepared capacity (user guide, warm pools).
    pub(super) fn pool_size(&self) -> u32 {
        self.settings.warm_pool.map_or(0, |pool| {
            let prepared = pool.max_prepared.unwrap_or(self.settings.max_size);
            prepared.saturating_sub(self.desired).max(pool.min_size)
        })
    }

    /// Brings the group nearer to what is wanted.
    pub(super) fn look(&mut self, cx: &mut Cx<'_>) {
        self.maintenance_goes_on(cx);
        self.deployment_goes_on(cx);
        if self.is_being_replaced() {
            return;
        }
        if !self.settings.auto_scaling {
            return self.recover_impaired(cx);
        }
        self.replace_unhealthy(cx);
        let counting = self.order.iter().filter(|&&key| self.instances[key].counts()).count() as u32;
        // Who is in standby is not replaced (ShouldDecrementDesiredCapacity).
        let standby = self.order.iter().filter(|&&key| self.instances[key].life == Life::Standby).count() as u32;
        let wanted = self.desired.saturating_sub(standby);
        for _ in counting..wanted {
            self.launch(cx);
        }
        // An instance that evens out zones comes before the one it replaces goes.
        let extra =
            self.rebalancing.and_then(|key| self.instances.get(key)).is_some_and(|new| new.life == Life::Pending);
        for _ in wanted + u32::from(extra)..counting {
            let Some(key) = self.first_to_go(cx.now()) else { break };
            let reuse = self.settings.warm_pool.is_some_and(|pool| pool.reuse_on_scale_in);
            self.terminate(key, reuse, "scaled in", cx);
        }
        if counting == wanted && self.settings.zone_rebalancing {
            self.rebalance(cx);
        }
        self.fill_pool(cx);
        self.tell_activity(cx);
    }

    /// One more instance: from the warm pool if there is one ready, else a new one.
    fn launch(&mut self, cx: &mut Cx<'_>) {
        cx.phase_of_known(&self.name, Phase::Recovery);
        let ready = |key: &TaskKey| {
            let instance = &self.instances[*key];
            let lies = self
                .settings
                .warm_pool
                .is_some_and(|pool| (pool.state == PoolState::Running) == (instance.power == Power::Up));
            instance.life == Life::Warmed && instance.prepared && lies && instance.power != Power::Booting
        };
        match self.order.iter().copied().find(ready) {
            Some(key) => self.wake(key, cx),
            None => {
                let key = self.new_instance(Life::Pending, cx);
                let number = self.instances[key].number;
                self.log(format!("instance {number} is launched"), cx);
                self.power_on(key, cx);
            }
        }
    }

    /// An instance of the warm pool is needed.
    fn wake(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let instance = &mut self.instances[key];
        let number = instance.number;
        instance.life = Life::Pending;
        let running = instance.power == Power::Up;
        self.log(format!("instance {number} comes from the warm pool"), cx);
        if running {
            self.launched_at_last(key, cx);
        } else {
            self.power_on(key, cx);
        }
    }

    /// Prepares instances for the warm pool, or ends what it has too many of.
    fn fill_pool(&mut self, cx: &mut Cx<'_>) {
        if self.settings.warm_pool.is_none() {
            return;
        }
        let pool: Vec<TaskKey> =
            self.order.iter().copied().filter(|&key| self.instances[key].life == Life::Warmed).collect();
        let wanted = self.pool_size() as usize;
        for _ in pool.len()..wanted {
            let key = self.new_instance(Life::Warmed, cx);
            let number = self.instances[key].number;
            self.log(format!("instance {number} is launched for the warm pool"), cx);
            self.power_on(key, cx);
        }
        for &key in pool.iter().skip(wanted) {
            self.gone(key, cx);
        }
    }

    /// Instances that the group calls unhealthy are terminated; others are launched in their place as the group is short of
    /// them then (user guide, health checks).
    fn replace_unhealthy(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let unhealthy: Vec<(TaskKey, &'static str)> = self
            .order
            .iter()
            .filter_map(|&key| self.sickness(&self.instances[key], now).map(|why| (key, why)))
            .collect();
        for (key, why) in unhealthy {
            cx.phase(&self.name, Phase::Recovery);
            self.terminate(key, false, why, cx);
        }
    }

    /// Why an instance in service is to be replaced, if it is.
    fn sickness(&self, instance: &Instance, now: SimTime) -> Option<&'static str> {
        if instance.life != Life::InService {
            return None;
        }
        if instance.power == Power::Off {
            return Some("it is not running");
        }
        if now.since(instance.in_service_since) < self.settings.health_check_grace_period {
            return None;
        }
        if instance.impaired_since.is_some_and(|since| now.since(since) >= self.settings.impaired_for) {
            return Some("its status checks fail");
        }
        (self.settings.health_check_type == HealthCheckType::Elb && instance.failing)
            .then_some("the load balancer calls it unhealthy")
    }

    /// Who is terminated next: of the zones with the most instances, as the policies say; of those left, the oldest.
    fn first_to_go(&self, now: SimTime) -> Option<TaskKey> {
        let counts = self.zone_counts(Instance::counts);
        let most = counts.iter().copied().max().unwrap_or(0);
        let fits = |instance: &Instance| instance.counts() && counts[instance.zone as usize] == most;
        let mut left: Vec<TaskKey> = self.order.iter().copied().filter(|&key| fits(&self.instances[key])).collect();
        for policy in &self.settings.termination_policies {
            self.narrow(*policy, &mut left, now);
        }
        left.first().copied()
    }

    /// Keeps those that a policy would terminate.
    fn narrow(&self, policy: TerminationPolicy, left: &mut Vec<TaskKey>, now: SimTime) {
        let mut least = |measure: &dyn Fn(&Instance) -> u64| {
            let first = left.iter().map(|&key| measure(&self.instances[key])).min();
            left.retain(|&key| Some(measure(&self.instances[key])) == first);
        };
        match policy {
            TerminationPolicy::OldestInstance => least(&|instance| instance.launched.as_nanos()),
            TerminationPolicy::NewestInstance => least(&|instance| u64::MAX - u64::from(instance.number)),
            TerminationPolicy::OldestLaunchTemplate => least(&|instance| u64::from(instance.template)),
            TerminationPolicy::ClosestToNextInstanceHour => least(&|instance| to_next_hour(instance, now)),
            TerminationPolicy::Default => {
                least(&|instance| u64::from(instance.template));
                least(&|instance| to_next_hour(instance, now));
            }
        }
    }

    /// Evens out the zones, one instance at a time: launches where there are fewest before it terminates where there are most.
    /// The group is above its desired capacity then, and may be above its maximum by one (user guide, benefits).
    fn rebalance(&mut self, cx: &mut Cx<'_>) {
        let counts = self.zone_counts(Instance::counts);
        let (Some(&most), Some(&fewest)) = (counts.iter().max(), counts.iter().min()) else { return };
        let pending = self.order.iter().any(|&key| self.instances[key].life == Life::Pending);
        if most - fewest < 2 || pending {
            return;
        }
        cx.shared.observer.log(
            cx.kernel.now(),
            LogKind::Scaling,
            &self.name,
            format!("zones have {most} and {fewest} instances: rebalancing"),
        );
        let key = self.new_instance(Life::Pending, cx);
        self.rebalancing = Some(key);
        self.power_on(key, cx);
    }
}

/// Nanoseconds until the next full hour since an instance's launch.
fn to_next_hour(instance: &Instance, now: SimTime) -> u64 {
    const HOUR: u64 = 3_600_000_000_000;
    HOUR - now.since(instance.launched).as_nanos() % HOUR
}
