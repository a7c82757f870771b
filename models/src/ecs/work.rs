//! What a task does with a request: wait for a worker, run the handler's steps, call dependencies, answer.

use sim_core::math::mix;
use sim_core::random::Source;

use super::*;
use crate::timeline::FaultAction;

impl Ecs {
    /// A request arrives for a task: the one it names, or any in turn.
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let target = cx.request(key).target;
        if target == TaskKey::NONE {
            match self.next_in_turn() {
                Some(task) => cx.request(key).target = task,
                None => return cx.reply(key, Outcome::failed(0, Cause::NoTask)),
            }
        }
        if self.disturbed { self.find_a_way(key, cx) } else { self.arrive(key, cx) }
    }

    /// Faults make the request late, or lose it on its way. A task that is gone refuses as ever.
    fn find_a_way(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let zone = self.tasks.get(cx.request(key).target).map(|task| task.zone as usize);
        let injected = zone.map_or(Injected::default(), |zone| self.injected[zone]);
        if injected.blackholes > 0 {
            cx.kernel.schedule_in(CONNECT_TIMEOUT, self.event(Event::Unreached(key)));
        } else if injected.delay.is_zero() {
            self.arrive(key, cx);
        } else {
            cx.kernel.schedule_in(injected.delay, self.event(Event::Delayed(key)));
        }
    }

    /// Service discovery: tasks in turn, of those that answer.
    fn next_in_turn(&mut self) -> Option<TaskKey> {
        for _ in 0..self.order.len() {
            self.turn = (self.turn + 1) % self.order.len();
            let task = self.order[self.turn];
            let instance = &self.tasks[task];
            // Without a load balancer green waits for its hour.
            let waits = self.rollout.as_ref().is_some_and(|rollout| rollout.hides(instance.revision));
            if instance.state == State::Up && !waits {
                return Some(task);
            }
        }
        None
    }

    pub(super) fn arrive(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let id = self.id.0;
        let request = cx.request(key);
        let task_key = request.target;
        let Some(task) = self.tasks.get_mut(task_key).filter(|task| task.serves()) else {
            return cx.reply(key, Outcome::failed(0, Cause::NoTask));
        };
        request.joined = now;
        request.step = 0;
        request.outcome = Outcome::OK;
        request.server = id;
        if task.busy < self.settings.task.workers {
            task.busy += 1;
            self.workers.join_served(now);
            request.holds_worker = true;
            self.advance(key, cx);
            self.dispatch(task_key, cx);
        } else if self.settings.task.backlog.is_none_or(|room| task.waiting.len() < room as usize) {
            self.workers.join(now);
            task.waiting.push_back(key);
        } else {
            request.server = Request::NO_SERVER;
            self.workers.refuse(now);
            cx.reply(key, Outcome::failed(503, Cause::Overloaded));
        }
    }

    /// Gives free workers of a task to those who wait.
    pub(super) fn dispatch(&mut self, task_key: TaskKey, cx: &mut Cx<'_>) {
        while let Some(task) = self.tasks.get_mut(task_key) {
            if task.busy >= self.settings.task.workers {
                break;
            }
            let Some(key) = task.waiting.pop_front() else { break };
            task.busy += 1;
            self.go_on(key, cx);
        }
        if self.tasks.get(task_key).is_some_and(|task| task.state == State::Stopping && task.idle()) {
            self.stop_if_idle(task_key, cx);
        }
    }

    /// A request that waited has got a worker.
    fn go_on(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        request.holds_worker = true;
        let waited = now - request.joined;
        self.workers.start(now, waited);
        self.advance(key, cx);
    }

    /// Runs the handler from the request's next step until it has to wait for something.
    fn advance(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        if request.purpose == Purpose::HealthCheck {
            return self.answer_health_check(key, cx);
        }
        let Some(&handler) = self.settings.handler_of_path.get(request.path.index()) else {
            return self.finish_request(key, cx);
        };
        if handler == u16::MAX {
            request.outcome = Outcome { status: 404, cause: Cause::None };
            return self.finish_request(key, cx);
        }
        loop {
            let request = cx.request(key);
            let number = u64::from(request.step);
            let steps = &self.handlers[handler as usize];
            // A failed call ends the handler: what is left is not done.
            let Some(step) = steps.get(number as usize).filter(|_| request.outcome.is_ok()) else {
                return self.finish_request(key, cx);
            };
            request.step += 1;
            if step.probability < 1.0 && !request.draws(purpose::STEP + 2 * number + 1).chance(step.probability) {
                continue;
            }
            match &step.action {
                PreparedAction::Cpu(demand) => {
                    let demand = demand.sample_duration(&mut request.draws(purpose::STEP + 2 * number));
                    if !demand.is_zero() {
                        return self.run_on_cpu(key, demand, cx);
                    }
                }
                PreparedAction::Wait(delay) => {
                    let delay = delay.sample_duration(&mut request.draws(purpose::STEP + 2 * number));
                    if !delay.is_zero() {
                        cx.kernel.schedule_in(delay, self.event(Event::Waited(key)));
                        return self.wait_without_cpu(key, cx);
                    }
                }
                PreparedAction::Calls(calls) => {
                    let calls = calls.clone();
                    if self.make_calls(key, calls, cx) > 0 {
                        return self.wait_without_cpu(key, cx);
                    }
                }
            }
        }
    }

    /// A health check takes a worker like any request, but only shows that the task answers.
    fn answer_health_check(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let first = request.step == 0;
        request.step = 1;
        if first && !self.settings.health_check_cpu.is_zero() {
            self.run_on_cpu(key, self.settings.health_check_cpu, cx);
        } else {
            self.finish_request(key, cx);
        }
    }

    fn run_on_cpu(&mut self, key: RequestKey, demand: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        let task_key = cx.request(key).target;
        let task = &mut self.tasks[task_key];
        let revision = &self.revisions[task.revision as usize].settings;
        let mut factor = revision.cpu_factor * task.slowdown;
        if now < task.cold_until {
            factor *= revision.warm_up.map_or(1.0, |warm_up| warm_up.factor_at(now - task.running_since));
        }
        let demand = if factor == 1.0 { demand } else { demand.scale(factor) };
        match &mut task.cores {
            None => {
                self.busy_cores.add(now, 1);
                cx.request(key).demand = demand;
                cx.kernel.schedule_in(demand, self.event(Event::CpuDone(key)));
            }
            Some(cores) => {
                cores.offer(now, key, demand);
                self.schedule_cpu(task_key, cx);
            }
        }
    }

    pub(super) fn cpu_done(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        // The task may have been killed, and the request answered for it.
        let Some(request) = cx.shared.requests.get_mut(key).filter(|request| request.server == self.id.0) else {
            return;
        };
        request.demand = SimDuration::ZERO;
        let task = request.target;
        self.busy_cores.add(cx.now(), -1);
        self.advance(key, cx);
        self.dispatch(task, cx);
    }

    pub(super) fn cpu_shared(&mut self, task_key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        while let Some(key) =
            self.tasks.get_mut(task_key).and_then(|task| task.cores.as_mut()).and_then(|cores| cores.pop_completed(now))
        {
            self.advance(key, cx);
        }
        self.dispatch(task_key, cx);
        self.schedule_cpu(task_key, cx);
    }

    /// Sees to it that the next completion of shared cores is on the event list, once.
    fn schedule_cpu(&mut self, task_key: TaskKey, cx: &mut Cx<'_>) {
        let Some(task) = self.tasks.get_mut(task_key) else { return };
        let Some((at, epoch)) = task.cores.as_ref().and_then(ProcessorSharing::next_completion) else { return };
        if task.scheduled != Some(epoch) {
            task.scheduled = Some(epoch);
            cx.kernel.schedule_at(at, world::Event::Ecs(self.id, Event::CpuShared(task_key)));
        }
    }

    /// The request waits for something that is no CPU: an event loop serves others meanwhile.
    fn wait_without_cpu(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        if self.settings.task.concurrency == Concurrency::EventLoop {
            self.release_worker(key, cx);
        }
    }

    fn release_worker(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if !request.holds_worker {
            return;
        }
        request.holds_worker = false;
        let joined = request.joined;
        if let Some(task) = self.tasks.get_mut(request.target) {
            task.busy -= 1;
        }
        self.workers.leave(now, joined);
    }

    pub(super) fn waited(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        if cx.shared.requests.get(key).is_some_and(|request| request.server == self.id.0) {
            self.resume(key, cx);
        }
    }

    /// What the request waited for is there.
    fn resume(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let task_key = request.target;
        let handler = self.settings.handler_of_path[request.path.index()];
        let at_end = !request.outcome.is_ok() || request.step as usize >= self.handlers[handler as usize].len();
        if request.holds_worker || at_end {
            self.advance(key, cx);
        } else {
            request.joined = now;
            let task = &mut self.tasks[task_key];
            if task.busy < self.settings.task.workers {
                task.busy += 1;
                request.holds_worker = true;
                self.workers.join_served(now);
                self.advance(key, cx);
            } else {
                self.workers.join(now);
                task.waiting.push_back(key);
            }
        }
        self.dispatch(task_key, cx);
    }

    fn finish_request(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        self.release_worker(key, cx);
        let request = cx.request(key);
        request.server = Request::NO_SERVER;
        let mut outcome = request.outcome;
        if request.purpose == Purpose::Work {
            let (revision, zone) = self.tasks.get(request.target).map_or((0, 0), |task| (task.revision, task.zone));
            let revision = &mut self.revisions[revision as usize];
            revision.served += 1;
            let error_rate = revision.settings.error_rate + self.injected[zone as usize].error_rate;
            if !outcome.is_ok() {
                // A call has failed before the revision could.
            } else if error_rate > 0.0 && request.draws(purpose::ERROR).chance(error_rate) {
                revision.errors += 1;
                outcome = Outcome::failed(500, Cause::TargetError);
            } else if request.bytes == 0 {
                let handler = self.settings.handler_of_path.get(request.path.index()).copied().unwrap_or(u16::MAX);
                request.bytes = self.settings.handlers.get(handler as usize).map_or(0, |h| h.response_bytes);
            }
        }
        cx.reply(key, outcome);
    }

    /// Makes the calls of a step, each by its probability, all at once. Returns how many.
    fn make_calls(&mut self, parent: RequestKey, calls: std::ops::Range<u16>, cx: &mut Cx<'_>) -> usize {
        let mut made = 0;
        for number in calls {
            let probability = self.calls[number as usize].call.probability;
            let request = cx.request(parent);
            let stream = mix(request.stream, purpose::CALL + u64::from(number));
            let draws = &mut sim_core::random::Draws::new(stream, purpose::CALL);
            if probability < 1.0 && !draws.chance(probability) {
                continue;
            }
            request.pending += 1;
            made += 1;
            let child = self.call_request(parent, number, stream, 1, cx);
            self.send_call(child, cx);
        }
        made
    }

    fn call_request(
        &mut self,
        parent: RequestKey,
        number: u16,
        stream: u64,
        attempt: u16,
        cx: &mut Cx<'_>,
    ) -> RequestKey {
        let now = cx.now();
        let PreparedCall { call, hop, .. } = &self.calls[number as usize];
        let caller = cx.request(parent);
        let (task, client) = (caller.target, caller.target.slot);
        let (route, traffic, place) = (caller.route, caller.traffic, caller.place);
        let (catalog, object) = (caller.catalog, caller.object);
        let (key, child) = cx.shared.new_request(stream, now, Holder::Call(self.id, parent), *hop);
        (child.route, child.traffic, child.place) = (route, traffic, place);
        (child.catalog, child.object) = (catalog, object);
        child.client = client;
        if let Endpoint::Aurora(_) = call.to {
            child.target = task;
        }
        child.path = call.path;
        child.method = call.method;
        child.operation = call.operation;
        child.call = number;
        child.attempt = attempt;
        key
    }

    pub(super) fn send_call(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let number = cx.request(key).call;
        let wake = self.event(Event::CallTimeout(number));
        let PreparedCall { call, hop, timeout, .. } = &mut self.calls[number as usize];
        if let Some(timeout) = timeout {
            timeout.watch(key, wake, waits, cx);
        }
        cx.offer(call.to, key, *hop);
    }

    /// A call comes back to the request that made it.
    pub fn on_call_reply(&mut self, key: RequestKey, parent: RequestKey, cx: &mut Cx<'_>) {
        let call = &cx.shared.requests[key];
        if !call.abandoned {
            let outcome = call.outcome;
            self.call_ended(key, parent, outcome, cx);
        }
        cx.shared.requests.remove(key);
    }

    /// Some of the calls of this number may have had their time.
    pub(super) fn calls_timed_out(&mut self, number: u16, cx: &mut Cx<'_>) {
        let wake = self.event(Event::CallTimeout(number));
        let next_due = |ecs: &mut Self, cx: &mut Cx<'_>| {
            let timeout = ecs.calls[number as usize].timeout.as_mut();
            timeout.and_then(|timeout| timeout.next_due(wake, waits, cx))
        };
        while let Some(key) = next_due(self, cx) {
            let call = cx.request(key);
            call.abandoned = true;
            if let Holder::Call(_, parent) = call.bottom() {
                self.call_ended(key, parent, Outcome::failed(0, Cause::CallTimeout), cx);
            }
        }
    }

    fn call_ended(&mut self, key: RequestKey, parent: RequestKey, outcome: Outcome, cx: &mut Cx<'_>) {
        // The caller may have been lost with its task.
        if cx.shared.requests.get(parent).is_none_or(|caller| caller.server != self.id.0) {
            return;
        }
        let task = cx.shared.requests[parent].target;
        let call = &cx.shared.requests[key];
        let settings = &self.calls[call.call as usize].call;
        if settings.retry.again(call.attempt, outcome)
            && let Some(price) = self.pay_retry(task, call.call, outcome)
        {
            let settings = &self.calls[call.call as usize].call;
            let delay = settings.retry.delay(call.attempt, outcome, call.draws(purpose::BACKOFF).uniform());
            let stream = mix(call.stream, u64::from(call.attempt));
            let (number, attempt) = (call.call, call.attempt + 1);
            let again = self.call_request(parent, number, stream, attempt, cx);
            cx.request(again).retry_cost = price;
            cx.kernel.schedule_in(delay, self.event(Event::CallRetry(again)));
            return;
        }
        if outcome.is_ok() {
            self.refund(task, call.call, call.retry_cost);
        }
        let settings = &self.calls[call.call as usize].call;
        let required = settings.required;
        let caller = cx.request(parent);
        if !outcome.is_ok() && required && caller.outcome.is_ok() {
            caller.outcome = Outcome::failed(500, outcome.cause);
        }
        caller.pending -= 1;
        if caller.pending == 0 {
            self.resume(parent, cx);
        }
    }

    /// Takes the price of a call's retry from its task's quota; `None` if it cannot pay.
    fn pay_retry(&mut self, task: TaskKey, call: u16, outcome: Outcome) -> Option<u8> {
        let prepared = &self.calls[call as usize];
        let Some(quota) = prepared.call.retry.quota else { return Some(0) };
        let tokens = &mut self.tasks.get_mut(task)?.tokens;
        quota.acquire(&mut tokens[prepared.bucket], outcome)
    }

    /// A call went well: its task gets tokens back.
    fn refund(&mut self, task: TaskKey, call: u16, price: u8) {
        let prepared = &self.calls[call as usize];
        if let (Some(quota), Some(task)) = (prepared.call.retry.quota, self.tasks.get_mut(task)) {
            quota.release(&mut task.tokens[prepared.bucket], price);
        }
    }

    /// An injected fault begins or ends.
    pub fn fault(&mut self, action: &FaultAction, begins: bool, cx: &mut Cx<'_>) {
        match *action {
            FaultAction::StopTask { zone, count, .. } => {
                if begins {
                    self.stop_tasks(zone, count, cx);
                }
            }
            FaultAction::ErrorRate { zone, share, .. } => {
                self.inject(zone, |it| it.error_rate += if begins { share } else { -share });
            }
            FaultAction::NetworkLatency { zone, delay, .. } => {
                self.inject(zone, |it| it.delay = if begins { it.delay + delay } else { it.delay - delay });
            }
            FaultAction::Blackhole { zone, .. } => {
                self.inject(zone, |it| it.blackholes = if begins { it.blackholes + 1 } else { it.blackholes - 1 });
            }
            FaultAction::CpuStress { factor, count, .. } => {
                let count = count.map_or(usize::MAX, |count| count as usize);
                for &task in self.order.iter().take(count) {
                    self.tasks[task].slowdown = if begins { factor } else { 1.0 };
                }
            }
            FaultAction::Database { .. } | FaultAction::ZonalShift { .. } | FaultAction::DisruptConnectivity(_) => {}
        }
    }

    /// Changes what faults do to the tasks of one zone or of all.
    fn inject(&mut self, zone: Option<u16>, change: impl Fn(&mut Injected)) {
        let struck = self.injected.iter_mut().enumerate();
        struck.filter(|(at, _)| zone.is_none_or(|zone| zone as usize == *at)).for_each(|(_, it)| change(it));
        self.disturbed = self.injected.iter().any(|it| !it.delay.is_zero() || it.blackholes > 0);
    }
}

/// Whether the caller still waits for a call. An answered call is gone.
fn waits(call: &Request, _since: SimTime) -> bool {
    !call.abandoned
}
