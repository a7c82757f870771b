//! What a process does with a request: wait for a worker, run the handler's steps, call dependencies, answer.

use sim_core::math::mix;
use sim_core::random::{Draws, Source};

use super::*;
use crate::deadlines::not_abandoned;
use crate::timeline::FaultAction;

/// [`Request::handler`] where the service has none for the path (404): what [`Work::handler_of_path`] says.
const NO_HANDLER: u16 = u16::MAX;
/// The same of a health check.
const HEALTH_CHECK: u16 = u16::MAX - 1;
/// The same where there is nothing to do for a path.
const NO_STEPS: u16 = u16::MAX - 2;

impl Engine {
    /// Handles one of its events.
    pub(crate) fn on<H: Host>(&mut self, hosts: &mut Slab<H>, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::CpuDone(key) => self.cpu_done(hosts, key, cx),
            Event::CpuShared(host) => self.cpu_shared(hosts, host, cx),
            Event::Waited(key) => self.waited(hosts, key, cx),
            Event::Delayed(key) => self.arrive(hosts, key, cx),
            Event::Unreached(key) => cx.fail(key, 0, Cause::ConnectTimeout),
            Event::CallTimeout(number) => self.calls_timed_out(hosts, number, cx),
            Event::CallRetry(key) => self.send_call(key, cx),
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Compute(self.id, event)
    }

    /// A request comes for the process that it names.
    pub(crate) fn on_offer<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        if self.disturbed { self.find_a_way(hosts, key, cx) } else { self.arrive(hosts, key, cx) }
    }

    /// Faults make the request late, or lose it on its way. A host that is gone refuses as ever.
    #[cold]
    fn find_a_way<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let host = hosts.get(cx.request(key).target);
        let injected = host.map_or(Injected::default(), |host| self.injected[host.zone() as usize]);
        if injected.blackholes > 0 {
            cx.kernel.schedule_in(CONNECT_TIMEOUT, self.event(Event::Unreached(key)));
        } else if injected.delay.is_zero() {
            self.arrive(hosts, key, cx);
        } else {
            cx.kernel.schedule_in(injected.delay, self.event(Event::Delayed(key)));
        }
    }

    #[inline(always)]
    fn arrive<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let id = self.id.0;
        let request = cx.request(key);
        let host_key = request.target;
        let Some(host) = hosts.get_mut(host_key).filter(|host| host.serves()) else {
            return self.turn_away(hosts, key, cx);
        };
        let process = host.process_mut();
        request.joined = now;
        request.handler = match request.purpose {
            Purpose::Work => self.handler_of_path.get(request.path.index()).copied().unwrap_or(NO_STEPS),
            Purpose::HealthCheck => HEALTH_CHECK,
        };
        request.step = 0;
        request.outcome = Outcome::OK;
        request.server = id;
        if process.busy < self.capacity.workers {
            process.busy += 1;
            self.workers.join_served(now);
            request.holds_worker = true;
            self.takes_in(host, host_key, cx);
            self.advance(hosts, key, cx);
            self.dispatch(hosts, host_key, cx);
        } else if self.capacity.backlog.is_none_or(|room| process.waiting.len() < room as usize) {
            self.workers.join(now);
            process.waiting.push_back(key);
            self.takes_in(host, host_key, cx);
        } else {
            request.server = Request::NO_SERVER;
            self.workers.refuse(now);
            cx.fail(key, 503, Cause::Overloaded);
        }
    }

    /// A request for a host that takes none is refused, or lost.
    #[cold]
    fn turn_away<H: Host>(&mut self, hosts: &Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let host = hosts.get(cx.request(key).target);
        if host.map_or(self.forgets_slowly, Host::is_silent) {
            cx.kernel.schedule_in(CONNECT_TIMEOUT, self.event(Event::Unreached(key)));
        } else {
            cx.fail(key, 0, Cause::NoTask);
        }
    }

    /// Gives free workers of a process to those who wait.
    #[inline(always)]
    fn dispatch<H: Host>(&mut self, hosts: &mut Slab<H>, host_key: TaskKey, cx: &mut Cx<'_>) {
        let Some(host) = hosts.get(host_key) else { return };
        let process = host.process();
        if process.waiting.is_empty() || process.busy >= self.capacity.workers {
            self.tell_if_idle(host, host_key, cx);
        } else {
            self.serve_waiting(hosts, host_key, cx);
        }
    }

    fn serve_waiting<H: Host>(&mut self, hosts: &mut Slab<H>, host_key: TaskKey, cx: &mut Cx<'_>) {
        while let Some(host) = hosts.get_mut(host_key) {
            let process = host.process_mut();
            if process.busy >= self.capacity.workers {
                return;
            }
            let Some(key) = process.waiting.pop_front() else { return self.tell_if_idle(host, host_key, cx) };
            process.busy += 1;
            self.go_on(hosts, key, cx);
        }
    }

    /// A process that is to leave may do so when nobody is on it any more.
    #[inline(always)]
    fn tell_if_idle<H: Host>(&self, host: &H, host_key: TaskKey, cx: &mut Cx<'_>) {
        if host.leaves() && host.process().idle() {
            cx.control(Control::Idle(self.id, host_key));
        }
    }

    /// A request that waited has got a worker.
    fn go_on<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        request.holds_worker = true;
        let waited = now - request.joined;
        self.workers.start(now, waited);
        self.advance(hosts, key, cx);
    }

    /// Runs the handler from the request's next step until it has to wait for something.
    fn advance<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        loop {
            let request = cx.request(key);
            let Some(handler) = self.handlers.get(request.handler as usize) else {
                return self.advance_without_handler(hosts, key, cx);
            };
            let number = u64::from(request.step);
            // A failed call ends the handler: what is left is not done.
            let Some(step) = handler.steps.get(number as usize).filter(|_| request.outcome.is_ok()) else {
                return self.finish_last_step(hosts, key, cx);
            };
            request.step += 1;
            if step.probability < 1.0 && !chance(request.stream, purpose::STEP + 2 * number + 1, step.probability) {
                continue;
            }
            let (law, of_cpu) = match &step.action {
                PreparedAction::Cpu(demand) => (demand, true),
                PreparedAction::Wait(delay) => (delay, false),
                PreparedAction::Calls(calls) => {
                    let calls = calls.clone();
                    if self.make_calls(key, calls, cx) > 0 {
                        return self.wait_without_cpu(hosts, key, cx);
                    }
                    continue;
                }
            };
            let time = law.sample_duration(&mut request.draws(purpose::STEP + 2 * number));
            if time.is_zero() {
                continue;
            }
            if of_cpu {
                return self.run_on_cpu(hosts, key, time, cx);
            }
            return self.wait(hosts, key, time, cx);
        }
    }

    /// A health check takes a worker like any request, but only shows that the task answers. A path without a handler is not found.
    #[cold]
    #[inline(never)]
    fn advance_without_handler<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        if request.handler == HEALTH_CHECK && request.step == 0 && !self.health_check_cpu.is_zero() {
            request.step = 1;
            return self.run_on_cpu(hosts, key, self.health_check_cpu, cx);
        }
        if request.handler == NO_HANDLER {
            request.outcome = Outcome { status: 404, cause: Cause::None };
        }
        self.finish_request(hosts, key, cx);
    }

    #[inline(always)]
    fn run_on_cpu<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, demand: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = &mut cx.shared.requests[key];
        let host_key = request.target;
        let process = hosts[host_key].process_mut();
        let mut factor = process.program.cpu_factor * process.slowdown;
        if now < process.cold_until {
            factor *= process.program.warm_up.map_or(1.0, |warm_up| warm_up.factor_at(now - process.since));
        }
        let demand = if factor == 1.0 { demand } else { demand.scale(factor) };
        match &mut process.cores {
            None => {
                self.busy_cores.add(now, 1);
                request.demand = demand;
                cx.kernel.schedule_in(demand, self.event(Event::CpuDone(key)));
            }
            Some(_) => self.share_cpu(hosts, host_key, key, demand, cx),
        }
    }

    /// The request gets its share of the process's cores.
    #[inline(never)]
    fn share_cpu<H: Host>(
        &mut self,
        hosts: &mut Slab<H>,
        host_key: TaskKey,
        key: RequestKey,
        demand: SimDuration,
        cx: &mut Cx<'_>,
    ) {
        if let Some(cores) = &mut hosts[host_key].process_mut().cores {
            cores.offer(cx.now(), key, demand);
        }
        self.schedule_cpu(hosts, host_key, cx);
    }

    fn cpu_done<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        // The task may have been killed, and the request answered for it.
        let Some(request) = cx.shared.requests.get_mut(key).filter(|request| request.server == self.id.0) else {
            return;
        };
        request.demand = SimDuration::ZERO;
        let task = request.target;
        self.busy_cores.add(cx.now(), -1);
        self.advance(hosts, key, cx);
        self.dispatch(hosts, task, cx);
    }

    #[inline(never)]
    fn cpu_shared<H: Host>(&mut self, hosts: &mut Slab<H>, host_key: TaskKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        while let Some(key) = hosts
            .get_mut(host_key)
            .and_then(|host| host.process_mut().cores.as_mut())
            .and_then(|cores| cores.pop_completed(now))
        {
            self.advance(hosts, key, cx);
        }
        self.dispatch(hosts, host_key, cx);
        self.schedule_cpu(hosts, host_key, cx);
    }

    /// Sees to it that the next completion of shared cores is on the event list, once.
    fn schedule_cpu<H: Host>(&mut self, hosts: &mut Slab<H>, host_key: TaskKey, cx: &mut Cx<'_>) {
        let Some(host) = hosts.get_mut(host_key) else { return };
        let process = host.process_mut();
        let Some((at, epoch)) = process.cores.as_ref().and_then(ProcessorSharing::next_completion) else { return };
        if process.scheduled != Some(epoch) {
            process.scheduled = Some(epoch);
            cx.kernel.schedule_at(at, world::Event::Compute(self.id, Event::CpuShared(host_key)));
        }
    }

    #[inline(never)]
    fn wait<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, time: SimDuration, cx: &mut Cx<'_>) {
        cx.kernel.schedule_in(time, self.event(Event::Waited(key)));
        self.wait_without_cpu(hosts, key, cx);
    }

    /// The request waits for something that is no CPU: an event loop serves others meanwhile.
    #[inline(always)]
    fn wait_without_cpu<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        if self.capacity.concurrency == Concurrency::EventLoop {
            self.release_worker(hosts, key, cx);
        }
    }

    #[inline(always)]
    fn release_worker<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        if !request.holds_worker {
            return;
        }
        request.holds_worker = false;
        let joined = request.joined;
        if let Some(host) = hosts.get_mut(request.target) {
            host.process_mut().busy -= 1;
        }
        self.workers.leave(now, joined);
    }

    #[inline(never)]
    fn waited<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        if cx.shared.requests.get(key).is_some_and(|request| request.server == self.id.0) {
            self.resume(hosts, key, cx);
        }
    }

    /// What the request waited for is there.
    #[inline(always)]
    fn resume<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let host_key = request.target;
        let steps = self.handlers[request.handler as usize].steps.len();
        let at_end = !request.outcome.is_ok() || request.step as usize >= steps;
        if at_end {
            self.finish_request(hosts, key, cx);
        } else if request.holds_worker {
            self.advance(hosts, key, cx);
        } else {
            self.wait_for_worker_again(hosts, key, cx);
        }
        self.dispatch(hosts, host_key, cx);
    }

    /// An event loop's worker has been free for others in between.
    #[inline(never)]
    fn wait_for_worker_again<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        request.joined = now;
        let process = hosts[request.target].process_mut();
        if process.busy < self.capacity.workers {
            process.busy += 1;
            request.holds_worker = true;
            self.workers.join_served(now);
            self.advance(hosts, key, cx);
        } else {
            self.workers.join(now);
            process.waiting.push_back(key);
        }
    }

    /// [`Engine::finish_request`] where the last step was one of the CPU or a wait; most often it is a call ([`Engine::resume`]).
    #[inline(never)]
    fn finish_last_step<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        self.finish_request(hosts, key, cx);
    }

    #[inline(always)]
    fn finish_request<H: Host>(&mut self, hosts: &mut Slab<H>, key: RequestKey, cx: &mut Cx<'_>) {
        self.release_worker(hosts, key, cx);
        let host_key = cx.request(key).target;
        let (mut program, mut zone) = (None, 0);
        if let Some(host) = hosts.get_mut(host_key) {
            self.lets_go(host, host_key, cx);
            (program, zone) = (Some(host.process().program), host.zone());
        }
        let request = cx.request(key);
        request.server = Request::NO_SERVER;
        let mut outcome = request.outcome;
        if request.purpose == Purpose::Work {
            let own = program.map_or(0.0, |program| program.error_rate);
            let books = &mut self.answered[program.map_or(0, |program| usize::from(program.number))];
            books.served += 1;
            let error_rate = own + self.injected[zone as usize].error_rate;
            if !outcome.is_ok() {
                // A call has failed before the program could.
            } else if error_rate > 0.0 && chance(request.stream, purpose::ERROR, error_rate) {
                books.errors += 1;
                outcome = Outcome::failed(500, Cause::TargetError);
            } else if request.bytes == 0 {
                request.bytes = self.handlers.get(request.handler as usize).map_or(0, |h| h.response_bytes);
            }
        }
        cx.reply(key, outcome);
    }

    /// Makes the calls of a step, each by its probability, all at once. Returns how many.
    #[inline(always)]
    fn make_calls(&mut self, parent: RequestKey, calls: std::ops::Range<u16>, cx: &mut Cx<'_>) -> usize {
        let mut made = 0;
        for number in calls {
            let probability = self.calls[number as usize].call.probability;
            let request = cx.request(parent);
            let stream = mix(request.stream, purpose::CALL + u64::from(number));
            if probability < 1.0 && !chance(stream, purpose::CALL, probability) {
                continue;
            }
            request.pending += 1;
            made += 1;
            let child = self.call_request(parent, number, stream, 1, cx);
            self.send_call(child, cx);
        }
        made
    }

    #[inline(always)]
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
        let (task, client) = (caller.target, caller.target.slot());
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

    #[inline(always)]
    pub(super) fn send_call(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let number = cx.request(key).call;
        let PreparedCall { call, hop, timeout, .. } = &self.calls[number as usize];
        let (to, hop) = (call.to, *hop);
        if timeout.is_some() {
            self.watch(number, key, cx);
        }
        cx.offer(to, key, hop);
    }

    /// A call has its timeout from now on.
    #[inline(never)]
    fn watch(&mut self, number: u16, key: RequestKey, cx: &mut Cx<'_>) {
        let wake = self.event(Event::CallTimeout(number));
        if let Some(timeout) = &mut self.calls[number as usize].timeout {
            timeout.watch(key, wake, not_abandoned, cx);
        }
    }

    /// A call comes back to the request that made it.
    pub(crate) fn on_call_reply<H: Host>(
        &mut self,
        hosts: &mut Slab<H>,
        key: RequestKey,
        parent: RequestKey,
        cx: &mut Cx<'_>,
    ) {
        let call = &cx.shared.requests[key];
        if !call.abandoned {
            let outcome = call.outcome;
            self.call_ended(hosts, key, parent, outcome, cx);
        }
        cx.shared.requests.remove(key);
    }

    /// Some of the calls of this number may have had their time.
    #[cold]
    fn calls_timed_out<H: Host>(&mut self, hosts: &mut Slab<H>, number: u16, cx: &mut Cx<'_>) {
        let wake = self.event(Event::CallTimeout(number));
        let next_due = |engine: &mut Self, cx: &mut Cx<'_>| {
            let timeout = engine.calls[number as usize].timeout.as_mut();
            timeout.and_then(|timeout| timeout.next_due(wake, not_abandoned, cx))
        };
        while let Some(key) = next_due(self, cx) {
            let call = cx.request(key);
            call.abandoned = true;
            if let Holder::Call(_, parent) = call.bottom() {
                self.call_ended(hosts, key, parent, Outcome::failed(0, Cause::CallTimeout), cx);
            }
        }
    }

    #[inline(always)]
    fn call_ended<H: Host>(
        &mut self,
        hosts: &mut Slab<H>,
        key: RequestKey,
        parent: RequestKey,
        outcome: Outcome,
        cx: &mut Cx<'_>,
    ) {
        // The caller may have been lost with its task.
        let caller = cx.shared.requests.get(parent).filter(|caller| caller.server == self.id.0);
        let Some(task) = caller.map(|caller| caller.target) else { return };
        if !outcome.is_ok() {
            if self.call_retried(hosts, key, parent, task, outcome, cx) {
                return;
            }
        } else if let Some(quota) = self.calls[cx.shared.requests[key].call as usize].call.retry.quota {
            self.refund(hosts, task, quota, &cx.shared.requests[key]);
        }
        let caller = cx.request(parent);
        caller.pending -= 1;
        if caller.pending == 0 {
            self.resume(hosts, parent, cx);
        }
    }

    /// A call has failed: it is made again later, if it may be. If not, the caller fails with it where it cannot do without.
    #[cold]
    #[inline(never)]
    fn call_retried<H: Host>(
        &mut self,
        hosts: &mut Slab<H>,
        key: RequestKey,
        parent: RequestKey,
        task: TaskKey,
        outcome: Outcome,
        cx: &mut Cx<'_>,
    ) -> bool {
        let call = &cx.shared.requests[key];
        let settings = &self.calls[call.call as usize].call;
        if settings.retry.again(call.attempt, outcome)
            && let Some(price) = self.pay_retry(hosts, task, call.call, outcome)
        {
            let delay = settings.retry.delay(call.attempt, outcome, call.draws(purpose::BACKOFF).uniform());
            let stream = mix(call.stream, u64::from(call.attempt));
            let (number, attempt) = (call.call, call.attempt + 1);
            let again = self.call_request(parent, number, stream, attempt, cx);
            cx.request(again).retry_cost = price;
            cx.kernel.schedule_in(delay, self.event(Event::CallRetry(again)));
            return true;
        }
        let required = settings.required;
        let caller = cx.request(parent);
        if required && caller.outcome.is_ok() {
            caller.outcome = Outcome::failed(500, outcome.cause);
        }
        false
    }

    /// Takes the price of a call's retry from its process's quota; `None` if it cannot pay.
    fn pay_retry<H: Host>(&self, hosts: &mut Slab<H>, host: TaskKey, call: u16, outcome: Outcome) -> Option<u8> {
        let prepared = &self.calls[call as usize];
        let Some(quota) = prepared.call.retry.quota else { return Some(0) };
        let tokens = &mut hosts.get_mut(host)?.process_mut().tokens;
        quota.acquire(&mut tokens[prepared.bucket], outcome)
    }

    /// A call went well: its process gets tokens back.
    #[inline(never)]
    fn refund<H: Host>(&self, hosts: &mut Slab<H>, host: TaskKey, quota: Quota, call: &Request) {
        if let Some(host) = hosts.get_mut(host) {
            let bucket = self.calls[call.call as usize].bucket;
            quota.release(&mut host.process_mut().tokens[bucket], call.retry_cost);
        }
    }

    /// An injected fault begins or ends. `order`: the hosts, the oldest first.
    pub(crate) fn fault<H: Host>(
        &mut self,
        hosts: &mut Slab<H>,
        order: &[TaskKey],
        action: &FaultAction,
        begins: bool,
    ) {
        match *action {
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
                for &host in order.iter().take(count) {
                    hosts[host].process_mut().slowdown = if begins { factor } else { 1.0 };
                }
            }
            FaultAction::StopTask { .. }
            | FaultAction::LaunchFailure { .. }
            | FaultAction::Instances { .. }
            | FaultAction::Database { .. }
            | FaultAction::Cache { .. }
            | FaultAction::Dax { .. }
            | FaultAction::PauseReplication(_)
            | FaultAction::ZonalShift { .. }
            | FaultAction::DisruptConnectivity(_) => {}
        }
    }

    /// Changes what faults do to the hosts of one zone or of all.
    fn inject(&mut self, zone: Option<u16>, change: impl Fn(&mut Injected)) {
        let struck = self.injected.iter_mut().enumerate();
        struck.filter(|(at, _)| zone.is_none_or(|zone| zone as usize == *at)).for_each(|(_, it)| change(it));
        self.disturbed = self.injected.iter().any(|it| !it.delay.is_zero() || it.blackholes > 0);
    }

    /// From now on a process has so many cores to itself.
    pub(crate) fn set_cores<H: Host>(&mut self, hosts: &mut Slab<H>, key: TaskKey, cores: f64, cx: &mut Cx<'_>) {
        let now = cx.now();
        if let Some(shared) = hosts.get_mut(key).and_then(|host| host.process_mut().cores.as_mut()) {
            shared.set_cores(now, cores);
        }
        self.schedule_cpu(hosts, key, cx);
    }

    /// Whether no request is on a process, waiting for calls included.
    pub(crate) fn is_idle<H: Host>(&self, hosts: &Slab<H>, key: TaskKey, cx: &Cx<'_>) -> bool {
        hosts[key].process().idle() && !cx.shared.requests.iter().any(|(_, request)| self.has(request, key))
    }

    fn has(&self, request: &Request, host: TaskKey) -> bool {
        request.server == self.id.0 && request.target == host
    }

    /// A process ends at once; what it has is lost.
    pub(crate) fn end(&mut self, key: TaskKey, process: &Process, cx: &mut Cx<'_>) {
        let now = cx.now();
        if let Some(cores) = &process.cores {
            self.retired_core_time += cores.busy_core_time(now);
        }
        let requests = cx.shared.requests.iter().filter(|(_, request)| self.has(request, key));
        let lost: Vec<RequestKey> = requests.map(|(request, _)| request).collect();
        for request_key in lost {
            let request = cx.request(request_key);
            let in_queue = process.waiting.contains(&request_key);
            let joined = request.joined;
            let on_worker = std::mem::take(&mut request.holds_worker);
            request.server = Request::NO_SERVER;
            if !std::mem::take(&mut request.demand).is_zero() {
                self.busy_cores.add(now, -1);
            }
            if on_worker {
                self.workers.lose_served(now, joined);
            } else if in_queue {
                self.workers.lose(now, joined);
            }
            cx.fail(request_key, 0, Cause::TaskStopped);
        }
    }
}

/// Whether something happens to the request of a stream that does not happen to all.
#[inline(never)]
fn chance(stream: u64, purpose: u64, probability: f64) -> bool {
    Draws::new(stream, purpose).chance(probability)
}
