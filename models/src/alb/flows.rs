//! Network Load Balancer: flows of connections instead of requests.
//!
//! A client has one flow to a node; its requests go to the target that the flow was given when it began, by hash, and stay there while
//! the flow is used within the idle timeout, also while the target drains. Calls of tasks and health checkers have a flow for each
//! request. A flow breaks (RST) when its target becomes unhealthy, is gone, or has had its deregistration delay. There is no
//! answer of the load balancer's own: what breaks is a connection reset.

use sim_core::math::mix;

use super::*;

/// A client's flow.
#[derive(Clone, Copy, Debug)]
struct Flow {
    task: TaskKey,
    node: u8,
    used: SimTime,
    /// How many it has had; 0: none yet.
    number: u32,
}

impl Default for Flow {
    fn default() -> Self {
        Self { task: TaskKey::NONE, node: 0, used: SimTime::ZERO, number: 0 }
    }
}

/// The flows of a Network Load Balancer.
#[derive(Debug)]
pub(super) struct Flows {
    of: PerClient<Flow>,
    idle_timeout: SimDuration,
    /// Key of the hash.
    key: u64,
    /// Flows used in this period.
    pub(super) active: u64,
    period_start: SimTime,
}

impl Flows {
    pub(super) fn new(idle_timeout: SimDuration, key: u64) -> Self {
        Self { of: PerClient::default(), idle_timeout, key, active: 0, period_start: SimTime::ZERO }
    }

    /// A period is over: how many flows were in use.
    pub(super) fn period_over(&mut self, now: SimTime) -> u64 {
        self.period_start = now;
        std::mem::take(&mut self.active)
    }
}

impl Alb {
    /// Sends a request to the target of its flow, or begins a new one.
    #[inline(never)]
    pub(super) fn route_flow(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let world::Shared { requests, addresses, .. } = &mut *cx.shared;
        let request = &requests[key];
        let Some(flows) = &mut self.flows else { return };
        let source = addresses.peer(request).key();
        let mut single = Flow::default();
        let is_client = request.is_from_client() && request.depth() == 1;
        let flow = if is_client { flows.of.of(request) } else { &mut single };
        let lasts = flow.number > 0 && now.since(flow.used) <= flows.idle_timeout;
        flows.active += u64::from(!lasts || flow.used < flows.period_start);
        let old = &mut self.groups[flow.node as usize];
        let known = if lasts { old.of_task(flow.task).map(|at| old.take(at)) } else { None };
        let seat =
            known.or_else(|| lasts.then(|| draining(&mut self.groups, &self.targets, *flow)).flatten()).or_else(|| {
                let node = self.zones.node_of(|| addresses.peer(request), now);
                let number = if is_client { u64::from(flow.number) } else { request.stream };
                self.counts.add(Count::NewConnection);
                flow.number += 1;
                flow.node = node as u8;
                self.groups[node].by_hash(Draws::new(mix(flows.key, source), number))
            });
        let Some(seat) = seat else {
            self.counts.add(Count::ElbReset);
            return cx.fail(key, 0, Cause::ConnectionReset);
        };
        (flow.task, flow.used) = (seat.task, now);
        self.forward(key, seat, cx);
    }

    /// What a reply of a target comes to: nothing is added, but what broke is a reset.
    #[inline(never)]
    pub(super) fn flow_outcome(&mut self, outcome: Outcome, bytes: u32) -> Outcome {
        match outcome {
            Outcome { status: 0, cause } => {
                self.counts.add(Count::TargetReset);
                Outcome::failed(0, if cause == Cause::None { Cause::ConnectionReset } else { cause })
            }
            _ => {
                self.counts.flow_answer(bytes);
                outcome
            }
        }
    }
}

/// A draining target still has the flows it had.
fn draining(groups: &mut [Group], targets: &Slab<Target>, flow: Flow) -> Option<group::Seat> {
    let of_flow =
        |target: &Target| (target.room, target.task, target.state) == (flow.node.into(), flow.task, State::Draining);
    let (key, target) = targets.iter().find(|(_, target)| of_flow(target))?;
    groups[flow.node as usize].forwarded += 1;
    Some(group::Seat { target: key, task: target.task, to: target.to })
}
