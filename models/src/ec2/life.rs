//! The life of one instance: launched, booted, in service, terminated; stopped and started.

use super::*;

impl Group {
    /// A new instance in the zone with the fewest; it has no power yet.
    pub(super) fn new_instance(&mut self, life: Life, cx: &mut Cx<'_>) -> TaskKey {
        let zone = self.emptiest_zone(life);
        let now = cx.now();
        self.launched += 1;
        let process = self.engine.process(self.vcpu, self.program(self.stable));
        // An instance of the first minute has been there for a while.
        let fresh = now > SimTime::ZERO;
        let key = self.instances.insert(Instance {
            number: self.launched,
            zone,
            template: self.template,
            life,
            power: Power::Off,
            epoch: 0,
            prepared: false,
            revision: self.stable,
            failed: false,
            launched: now,
            charged_from: None,
            meter: self.latest_meter(),
            in_service_since: now,
            warm_from: now,
            registered: false,
            failing: false,
            healthy: false,
            impaired: None,
            impaired_since: None,
            struck: false,
            credits: self.settings.credits.as_ref().map(|account| account.open(now, fresh)),
            used_at_period: 0.0,
            process,
        });
        self.order.push(key);
        self.volumes.start(now);
        if let Some(&zone) = self.zones.get(usize::from(zone)) {
            cx.shared.whereabouts.put(self.id.into(), key, zone);
        }
        if self.rollout.is_some() {
            self.count_instances(now);
        }
        key
    }

    pub(super) fn is_current(&self, key: TaskKey, epoch: u16) -> bool {
        self.instances.get(key).is_some_and(|instance| instance.epoch == epoch)
    }

    /// Whether an instance is still where an event of its power finds it.
    fn current(&mut self, key: TaskKey, epoch: u16) -> Option<&mut Instance> {
        self.instances.get_mut(key).filter(|instance| instance.epoch == epoch)
    }

    /// Starts an instance: it is running after the launch time.
    pub(super) fn power_on(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let after = self.settings.launch_time.sample_duration(&mut self.lifecycle);
        let instance = &mut self.instances[key];
        instance.epoch += 1;
        let event = Event::Running(instance.epoch, key);
        cx.kernel.schedule_in(after, self.event(event));
    }

    pub(super) fn running(&mut self, epoch: u16, key: TaskKey, cx: &mut Cx<'_>) {
        if !self.is_current(key, epoch) {
            return;
        }
        self.settle_credits(key, cx.now());
        self.charge_from_now(key, cx.now());
        let hibernated = self.settings.warm_pool.is_some_and(|pool| pool.state == PoolState::Hibernated);
        let instance = &mut self.instances[key];
        instance.power = Power::Booting;
        // What was hibernated has its program in memory.
        let mut after = SimDuration::ZERO;
        if !(instance.prepared && hibernated && instance.life == Life::Pending) {
            after = self.settings.boot_time.sample_duration(&mut self.lifecycle);
            if !instance.prepared {
                after += self.settings.user_data_time.sample_duration(&mut self.lifecycle);
            }
        }
        let (number, life) = (instance.number, instance.life);
        self.log(format!("instance {number} is running"), cx);
        cx.kernel.schedule_in(after, self.event(Event::Up(epoch, key)));
        if life == Life::Pending {
            self.launched_at_last(key, cx);
        }
    }

    /// A pending instance is running: the launching hook, or service.
    pub(super) fn launched_at_last(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        match self.settings.launching_hook.clone() {
            Some(hook) => self.wait_for_hook(key, &hook, cx),
            None => self.enter_service(key, cx),
        }
    }

    fn wait_for_hook(&mut self, key: TaskKey, hook: &Hook, cx: &mut Cx<'_>) {
        let completes = hook.completes.as_ref().map(|time| time.sample_duration(&mut self.lifecycle));
        let longest = hook.longest();
        let (after, goes_on) = match completes {
            Some(after) if after <= longest => (after, true),
            _ => (longest, hook.continues),
        };
        let number = self.instances[key].number;
        self.log(format!("instance {number} waits for its lifecycle hook"), cx);
        cx.kernel.schedule_in(after, self.event(Event::HookOver(goes_on, key)));
    }

    pub(super) fn hook_over(&mut self, key: TaskKey, goes_on: bool, cx: &mut Cx<'_>) {
        let Some(instance) = self.instances.get(key) else { return };
        match instance.life {
            Life::Pending if goes_on => self.enter_service(key, cx),
            Life::Pending => {
                self.log(format!("launch of instance {} is abandoned", instance.number), cx);
                self.instances[key].life = Life::Terminating { to_pool: false };
                self.shut_down(key, cx);
            }
            // CONTINUE or ABANDON: it is terminated either way (user guide, lifecycle hooks).
            Life::Terminating { .. } => self.shut_down(key, cx),
            _ => {}
        }
    }

    fn enter_service(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let warm_from = now + self.settings.instance_warmup;
        self.take_stable_revision(key, now);
        let instance = &mut self.instances[key];
        instance.life = Life::InService;
        (instance.in_service_since, instance.warm_from) = (now, warm_from);
        let (number, zone) = (instance.number, instance.zone as usize);
        let zone = self.settings.zones.get(zone).map_or("", String::as_str);
        self.log(format!("instance {number} is in service in {zone}"), cx);
        cx.control(Control::InService(Scalable::Ec2(self.id)));
        self.register(key, cx);
    }

    /// Registers an instance with its target group.
    pub(super) fn register(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let instance = &mut self.instances[key];
        if !std::mem::replace(&mut instance.registered, true)
            && let Some((alb, group)) = self.settings.target_group
        {
            cx.control(Control::Register(alb, group, self.id.into(), key, instance.zone as u8, instance.number));
        }
    }

    pub(super) fn up(&mut self, epoch: u16, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(instance) = self.current(key, epoch).filter(|instance| instance.power == Power::Booting) else {
            return;
        };
        instance.power = Power::Up;
        instance.prepared = true;
        let (number, life) = (instance.number, instance.life);
        self.engine.count_servers(&self.instances, cx.now());
        self.mind_credits(key, cx);
        if life == Life::Warmed {
            self.lie_down(key, cx);
            return;
        }
        self.log(format!("instance {number} answers"), cx);
        self.maintained(key, cx);
        self.tell_settled(cx);
        self.application_answers(key, cx);
    }

    /// A prepared instance takes the state in which the warm pool keeps it.
    fn lie_down(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let number = self.instances[key].number;
        self.log(format!("instance {number} is in the warm pool"), cx);
        if self.settings.warm_pool.is_some_and(|pool| pool.state != PoolState::Running) {
            self.cut_power(key, cx);
        }
    }

    /// Takes an instance out of the group the orderly way: out of its target group, drained, the terminating hook, shut down.
    pub(super) fn terminate(&mut self, key: TaskKey, to_pool: bool, why: &str, cx: &mut Cx<'_>) {
        let instance = &mut self.instances[key];
        let (number, was) = (instance.number, std::mem::replace(&mut instance.life, Life::Terminating { to_pool }));
        let verb = if to_pool { "returns to the warm pool" } else { "terminates" };
        self.log(format!("instance {number} {verb}: {why}"), cx);
        if matches!(was, Life::InService | Life::Standby) && self.deregister(key, cx) {
            return;
        }
        self.after_draining(key, cx);
    }

    /// Takes an instance out of its target group; whether there is something to wait for.
    pub(super) fn deregister(&mut self, key: TaskKey, cx: &mut Cx<'_>) -> bool {
        let Some((alb, group)) = self.settings.target_group else { return false };
        if !self.instances[key].registered {
            return false;
        }
        cx.control(Control::Deregister(alb, group, key));
        true
    }

    /// The load balancer has finished draining an instance.
    pub fn drained(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let Some(instance) = self.instances.get_mut(key) else { return };
        instance.registered = false;
        instance.healthy = false;
        match instance.life {
            Life::Terminating { .. } => self.after_draining(key, cx),
            Life::Standby => self.stop_for_maintenance(key, cx),
            _ => self.traffic_blocked(key, cx),
        }
    }

    fn after_draining(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let running = self.instances[key].power != Power::Off;
        match self.settings.terminating_hook.clone() {
            Some(hook) if running => self.wait_for_hook(key, &hook, cx),
            _ => self.shut_down(key, cx),
        }
    }

    /// The program of an instance is told to end: it finishes what it has within its time.
    pub(super) fn shut_down(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let instance = &mut self.instances[key];
        if instance.power != Power::Up || !instance.serves() {
            return self.ended(key, cx);
        }
        instance.power = Power::Ending;
        instance.epoch += 1;
        let event = Event::StopTimeout(instance.epoch, key);
        if self.engine.is_idle(&self.instances, key, cx) {
            self.ended(key, cx);
        } else {
            cx.kernel.schedule_in(self.settings.stop_timeout, self.event(event));
        }
    }

    /// An ending program that has nothing left to do is over.
    pub fn stop_if_idle(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let ends = self.instances.get(key).is_some_and(|instance| instance.power == Power::Ending);
        if ends && self.engine.is_idle(&self.instances, key, cx) {
            self.ended(key, cx);
        }
    }

    /// The program of an instance is over.
    pub(super) fn ended(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        match self.instances[key].life {
            _ if self.stops_application(key) => self.application_stopped(key, cx),
            Life::Terminating { to_pool: true } => {
                self.instances[key].life = Life::Warmed;
                self.lie_down(key, cx);
            }
            Life::Terminating { to_pool: false } => self.gone(key, cx),
            // Stopped for maintenance: off when the operating system has shut down.
            _ => {
                self.cut_power(key, cx);
                let after = self.settings.stop_time.sample_duration(&mut self.lifecycle);
                let epoch = self.instances[key].epoch;
                cx.kernel.schedule_in(after, self.event(Event::Off(epoch, key)));
            }
        }
    }

    /// An instance's program as it begins.
    pub(super) fn fresh_process(&mut self, key: TaskKey) -> Process {
        let instance = &self.instances[key];
        let (vcpu, program) = (instance.process.vcpu(), self.program(instance.revision));
        self.engine.process(vcpu, program)
    }

    /// The power of an instance is gone, with what it had. Burstable instances stop using credits.
    pub(super) fn cut_power(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.settle_credits(key, now);
        self.charge_until_now(key, now);
        let fresh = self.fresh_process(key);
        let instance = &mut self.instances[key];
        instance.power = Power::Off;
        instance.epoch += 1;
        instance.used_at_period = 0.0;
        if let Some(credits) = &mut instance.credits {
            credits.stop();
        }
        let before = std::mem::replace(&mut instance.process, fresh);
        self.engine.end(key, &before, cx);
        self.engine.count_servers(&self.instances, now);
        self.tell_whether_down(cx);
        cx.control(Control::TaskGone(self.id.into(), key));
    }

    pub(super) fn off(&mut self, epoch: u16, key: TaskKey, cx: &mut Cx<'_>) {
        if self.is_current(key, epoch) {
            self.stopped_for_maintenance(key, cx);
        }
    }

    /// An instance is terminated.
    pub(super) fn gone(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.settle_credits(key, now);
        self.charge_until_now(key, now);
        let Some(instance) = self.instances.remove(key) else { return };
        self.volumes.stop(now, instance.launched);
        self.order.retain(|&live| live != key);
        if let Some(credits) = &mut instance.credits {
            credits.terminate();
            self.charged += credits.charged();
        }
        let registered = instance.registered;
        self.engine.end(key, &instance.process, cx);
        if let Some((alb, group)) = self.settings.target_group.filter(|_| registered) {
            cx.control(Control::TargetGone(alb, group, key));
        }
        cx.control(Control::TaskGone(self.id.into(), key));
        self.engine.count_servers(&self.instances, now);
        self.tell_whether_down(cx);
        if self.rollout.is_some() {
            self.count_instances(now);
        }
    }

    /// The load balancer tells what it thinks of an instance's target.
    pub fn target_health(&mut self, key: TaskKey, healthy: bool, cx: &mut Cx<'_>) {
        let Some(instance) = self.instances.get_mut(key) else { return };
        (instance.healthy, instance.failing) = (healthy, !healthy);
        if healthy {
            self.maintained(key, cx);
            self.tell_settled(cx);
            self.traffic_allowed(key, cx);
        }
        self.note_in_service();
    }
}
