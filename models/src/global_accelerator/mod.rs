//! AWS Global Accelerator: static addresses that are announced everywhere, and flows that go to the nearest healthy Region.
//!
//! ```text
//! viewer --rtt of traffic--> edge of AWS's network --rtt of the endpoint group--> endpoint (load balancer, station)
//! ```
//! No name has to be asked anew: what a failover takes is what it takes the accelerator to notice. Load balancers are as healthy as
//! their own checks find; other endpoints are checked from here. Every request is a flow of its own.

mod selection;
#[cfg(test)]
mod tests;
mod usage;

use sim_core::math::mix;
use sim_core::observations::{LogKind, Phase, Table};
use sim_core::random::{Draws, Source as _};
use sim_core::{LaneId, SimDuration, SimTime};

use crate::cloudwatch;
use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::*;
use crate::world::{self, Cx};
use selection::{Candidate, choose};

/// An accelerator with one listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// `ClientAffinity`: a client's flows all go to one endpoint (`SOURCE_IP`), or each by itself (`NONE`).
    pub source_ip_affinity: bool,
    /// Endpoint groups.
    pub groups: Vec<EndpointGroup>,
    /// By [`PlaceId`]: the round trip to each group.
    pub rtts: Vec<Vec<SimDuration>>,
    /// By [`PlaceId`]: the country, where that is known.
    pub countries: Vec<Option<String>>,
    /// At most so long after a load balancer's change of health new flows follow it (assumption A20: 30 s).
    pub shift: SimDuration,
}

/// The endpoints of one Region.
#[derive(Clone, Debug)]
pub struct EndpointGroup {
    /// `EndpointGroupRegion`.
    pub region: String,
    /// `TrafficDialPercentage`, 0..=1: share of the traffic that would go there otherwise.
    pub traffic_dial: f64,
    /// Endpoints.
    pub endpoints: Vec<GroupEndpoint>,
    /// `HealthCheckIntervalSeconds`: 30 s or 10 s.
    pub health_check_interval: SimDuration,
    /// `ThresholdCount` (3): checks in a row that change an endpoint's health.
    pub threshold: u32,
    /// `HealthCheckPath`.
    pub health_check_path: PathId,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct GroupEndpoint {
    /// As written.
    pub name: String,
    /// A load balancer or a station.
    pub endpoint: Endpoint,
    /// 0..=255 (128); its share of the group is its weight over the sum.
    pub weight: u8,
}

/// A check must be answered within this; AWS does not say (assumption). Less than the shortest interval.
const CHECK_TIMEOUT: SimDuration = SimDuration::from_secs(5);

/// What happens in an accelerator.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// An endpoint is due for a check.
    Check(u16),
    /// A check has had its time.
    CheckTimeout(RequestKey),
    /// New flows follow a change of health of an endpoint (its number, healthy, number of the change).
    Shift(u16, bool, u16),
}

/// An endpoint at work.
#[derive(Debug)]
struct EndpointState {
    name: String,
    endpoint: Endpoint,
    group: usize,
    healthy: bool,
    /// Changes of health heard of, so that an outdated one is not followed, and what the last one was.
    changes: u16,
    heard: bool,
    /// Checks in a row that contradict `healthy`.
    contradictions: u32,
    checks: u64,
    /// Stream of the check that is out.
    check: Option<u64>,
    flows: u64,
    answers: u64,
    bytes: u64,
    /// Flows when counting started.
    flows_before: u64,
}

/// Round trips halved, as hops, from one place, and its groups by distance.
#[derive(Debug)]
struct Place {
    hops: Vec<Hop>,
    /// The nearest first.
    order: Vec<usize>,
    /// Bytes that came from each group since counting started.
    bytes: Vec<u64>,
}

/// An accelerator at work.
#[derive(Debug)]
pub struct GlobalAccelerator {
    id: GlobalAcceleratorId,
    name: String,
    settings: Settings,
    places: Vec<Place>,
    /// Of all groups, in order.
    endpoints: Vec<EndpointState>,
    /// Whom choices are made among, in the same order.
    candidates: Vec<Candidate>,
    dials: Vec<f64>,
    /// Key of the choices of flows with affinity, and of delays.
    key: u64,
    check_timeout: LaneId,
    metrics: Metrics,
    at_period: (u64, u64),
}

#[derive(Debug)]
struct Metrics {
    new_flows: MetricId,
    bytes_out: MetricId,
    healthy: MetricId,
    unhealthy: MetricId,
}

impl GlobalAccelerator {
    /// Builds it; everything is healthy at first.
    #[must_use]
    pub fn new(id: GlobalAcceleratorId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("global_accelerator.{}", settings.name);
        let mut metric = |metric: &str, unit: &'static str| {
            cx.shared.metrics.register(format!("AWS/GlobalAccelerator {metric} {name}"), unit)
        };
        let metrics = Metrics {
            new_flows: metric("NewFlowCount", "count"),
            bytes_out: metric("ProcessedBytesOut", "bytes"),
            healthy: metric("HealthyEndpointCount", "count"),
            unhealthy: metric("UnhealthyEndpointCount", "count"),
        };
        let all =
            || settings.groups.iter().enumerate().flat_map(|(n, group)| group.endpoints.iter().map(move |it| (n, it)));
        let place = |rtts: &Vec<SimDuration>, cx: &mut Cx<'_>| {
            let mut order: Vec<usize> = (0..rtts.len()).collect();
            order.sort_by_key(|&group| rtts[group]);
            let one_way = |rtt: &SimDuration| SimDuration::from_nanos(rtt.as_nanos() / 2);
            let bytes = vec![0; rtts.len()];
            Place { hops: rtts.iter().map(|rtt| cx.hop(one_way(rtt))).collect(), order, bytes }
        };
        Self {
            id,
            places: settings.rtts.iter().map(|rtts| place(rtts, cx)).collect(),
            endpoints: all().map(|(group, endpoint)| EndpointState::new(group, endpoint)).collect(),
            candidates: all().map(|(group, it)| Candidate { group, weight: it.weight, healthy: true }).collect(),
            dials: settings.groups.iter().map(|group| group.traffic_dial).collect(),
            key: cx.shared.streams.key(&name, "flows"),
            check_timeout: cx.kernel.lane(CHECK_TIMEOUT),
            settings: settings.clone(),
            metrics,
            at_period: (0, 0),
            name,
        }
    }

    /// Schedules the first checks of what is not a load balancer, each at a random instant of its interval.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for (number, endpoint) in self.endpoints.iter().enumerate() {
            if !matches!(endpoint.endpoint, Endpoint::Alb(_)) {
                let interval = self.settings.groups[endpoint.group].health_check_interval;
                let phase = Draws::new(self.key, number as u64).uniform();
                cx.kernel.schedule_in(interval.scale(phase), self.event(Event::Check(number as u16)));
            }
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::GlobalAccelerator(self.id, event)
    }

    /// A flow arrives at the edge of AWS's network.
    #[inline(never)]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let mut draws = match self.settings.source_ip_affinity {
            // A client's flows have one pair of addresses.
            true => Draws::new(mix(self.key, request.traffic.0.into()), request.client.into()),
            false => request.draws(purpose::ACCELERATOR),
        };
        let place = &self.places[self.place(request.place)];
        let number = choose(&self.candidates, &self.dials, &place.order, draws.uniform(), draws.uniform());
        let endpoint = &mut self.endpoints[number];
        endpoint.flows += 1;
        let hop = place.hops[endpoint.group];
        request.push(Holder::Accelerator(self.id, number as u16), hop);
        cx.offer(endpoint.endpoint, key, hop);
    }

    fn place(&self, id: PlaceId) -> usize {
        id.index().min(self.places.len() - 1)
    }

    /// An endpoint's answer is back at the edge of AWS's network; its frame has been taken off.
    #[inline(never)]
    pub fn on_reply(&mut self, key: RequestKey, endpoint: u16, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let (outcome, place, bytes) = (request.outcome, self.place(request.place), u64::from(request.bytes));
        let endpoint = &mut self.endpoints[usize::from(endpoint)];
        endpoint.answers += 1;
        if outcome.is_ok() {
            endpoint.bytes += bytes;
            self.places[place].bytes[endpoint.group] += bytes;
        }
        cx.reply(key, outcome);
    }

    /// A load balancer's own checks find it healthy, or no more: new flows follow within the time they take to.
    pub fn target_health(&mut self, alb: AlbId, healthy: bool, cx: &mut Cx<'_>) {
        for number in 0..self.endpoints.len() {
            let endpoint = &mut self.endpoints[number];
            if endpoint.endpoint != Endpoint::Alb(alb) {
                continue;
            }
            endpoint.changes += 1;
            endpoint.heard = healthy;
            // Away at a random instant; back when all is as it was, which AWS gives as about the whole.
            let u = Draws::new(mix(self.key, number as u64), endpoint.changes.into()).uniform();
            let after = if healthy { self.settings.shift } else { self.settings.shift.scale(u) };
            let shift = Event::Shift(number as u16, healthy, endpoint.changes);
            cx.kernel.schedule_in(after, self.event(shift));
            self.tell_suspicion(cx);
        }
    }

    /// The downtime ledger is told while an endpoint that flows go to has failed its last check (detection), or is known to be unhealthy
    /// and not left yet (routing). What nobody uses matters to nobody.
    fn tell_suspicion(&self, cx: &mut Cx<'_>) {
        if !self.is_used() {
            return;
        }
        let mut used = self.endpoints.iter().filter(|it| it.healthy);
        if used.clone().any(|it| it.contradictions > 0) {
            cx.phase(&self.name, Phase::Detection);
        } else if used.any(|it| !it.heard) {
            cx.phase(&self.name, Phase::Routing);
        } else {
            cx.settling(&self.name);
        }
    }

    fn is_used(&self) -> bool {
        self.endpoints.iter().any(|it| it.flows > 0)
    }

    /// New flows have left an endpoint. If there is a healthy one, users do not wait for what is still done about this one.
    fn tell_left(&self, cx: &mut Cx<'_>) {
        self.tell_suspicion(cx);
        let waits = self.endpoints.iter().any(|it| it.healthy && (it.contradictions > 0 || !it.heard));
        let refuge = self.candidates.iter().any(|it| it.healthy && it.weight > 0);
        if refuge && !waits && self.is_used() {
            cx.phase(&self.name, Phase::Routing);
            cx.led_away(&self.name);
        }
    }

    /// Handles one of its events.
    #[cold]
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Check(number) => self.check(number, cx),
            Event::CheckTimeout(key) => self.check_timeout(key, cx),
            Event::Shift(number, healthy, change) => {
                if self.endpoints[usize::from(number)].changes == change {
                    self.follow(number, healthy, cx);
                }
            }
        }
    }

    /// New flows go by an endpoint's new health.
    fn follow(&mut self, number: u16, healthy: bool, cx: &mut Cx<'_>) {
        let endpoint = &mut self.endpoints[usize::from(number)];
        if endpoint.healthy == healthy {
            return;
        }
        (endpoint.healthy, endpoint.contradictions) = (healthy, 0);
        self.candidates[usize::from(number)].healthy = healthy;
        let how = if healthy { "come back to" } else { "leave" };
        let what = format!("new flows {how} {}", endpoint.name);
        cx.shared.observer.log(cx.kernel.now(), LogKind::Health, &self.name, what);
        if !healthy {
            self.tell_left(cx);
        }
    }

    fn check(&mut self, number: u16, cx: &mut Cx<'_>) {
        let endpoint = &mut self.endpoints[usize::from(number)];
        let group = &self.settings.groups[endpoint.group];
        endpoint.checks += 1;
        let stream = mix(self.key ^ u64::from(number), endpoint.checks);
        endpoint.check = Some(stream);
        let mut request = Request::new(stream, cx.now(), Holder::AcceleratorProbe(self.id, number), Hop::NONE);
        request.purpose = Purpose::HealthCheck;
        request.path = group.health_check_path;
        let key = cx.shared.requests.insert(request);
        let to = endpoint.endpoint;
        cx.kernel.schedule_in(group.health_check_interval, self.event(Event::Check(number)));
        cx.kernel.schedule_lane(self.check_timeout, self.event(Event::CheckTimeout(key)));
        cx.offer(to, key, Hop::NONE);
    }

    /// A check is answered, perhaps too late.
    #[inline(never)]
    pub fn on_probe_reply(&mut self, key: RequestKey, number: u16, cx: &mut Cx<'_>) {
        let Some(request) = cx.shared.requests.remove(key) else { return };
        if self.endpoints[usize::from(number)].check == Some(request.stream) {
            self.checked(number, (200..400).contains(&request.outcome.status), cx);
        }
    }

    fn check_timeout(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        // Most are stale: the check was answered and is gone.
        let Some(request) = cx.shared.requests.get_mut(key) else { return };
        let Holder::AcceleratorProbe(_, number) = request.bottom() else { return };
        request.abandoned = true;
        if self.endpoints[usize::from(number)].check == Some(request.stream) {
            self.checked(number, false, cx);
        }
    }

    fn checked(&mut self, number: u16, success: bool, cx: &mut Cx<'_>) {
        let endpoint = &mut self.endpoints[usize::from(number)];
        let suspected = endpoint.contradictions > 0;
        endpoint.check = None;
        endpoint.contradictions = if success == endpoint.healthy { 0 } else { endpoint.contradictions + 1 };
        if endpoint.contradictions >= self.settings.groups[endpoint.group].threshold {
            self.follow(number, success, cx);
        } else if endpoint.healthy && suspected != (endpoint.contradictions > 0) {
            self.tell_suspicion(cx);
        }
    }
}

impl EndpointState {
    fn new(group: usize, settings: &GroupEndpoint) -> Self {
        Self {
            name: settings.name.clone(),
            endpoint: settings.endpoint,
            group,
            healthy: true,
            changes: 0,
            heard: true,
            contradictions: 0,
            checks: 0,
            check: None,
            flows: 0,
            answers: 0,
            bytes: 0,
            flows_before: 0,
        }
    }
}

impl Observed for GlobalAccelerator {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let period_start = SimTime::from_nanos(cx.now().as_nanos() - cloudwatch::PERIOD.as_nanos());
        let total = |of: fn(&EndpointState) -> u64| self.endpoints.iter().map(of).sum::<u64>();
        let now = (total(|it| it.flows), total(|it| it.bytes));
        let before = std::mem::replace(&mut self.at_period, now);
        let healthy = self.endpoints.iter().filter(|endpoint| endpoint.healthy).count();
        let mut publish = |id: MetricId, value: f64| cx.shared.metrics.publish(id, period_start, value);
        publish(self.metrics.new_flows, (now.0 - before.0) as f64);
        publish(self.metrics.bytes_out, (now.1 - before.1) as f64);
        publish(self.metrics.healthy, healthy as f64);
        publish(self.metrics.unhealthy, (self.endpoints.len() - healthy) as f64);
    }

    fn warm_up_over(&mut self, _now: SimTime) {
        self.endpoints.iter_mut().for_each(|endpoint| endpoint.flows_before = endpoint.flows);
        self.places.iter_mut().for_each(|place| place.bytes.fill(0));
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        let name = &self.name;
        let flows = |endpoint: &EndpointState| (endpoint.flows - endpoint.flows_before) as f64;
        let all: f64 = self.endpoints.iter().map(flows).sum();
        findings.count(name, "flows", all);
        let columns = [("flows", "count"), ("share", "share")];
        let mut table = Table::new(format!("Endpoints of {name}"), "endpoint", &columns);
        for endpoint in &self.endpoints {
            let region = &self.settings.groups[endpoint.group].region;
            findings.count(name, &format!("flows to {}", endpoint.name), flows(endpoint));
            table.rows.push((format!("{region} {}", endpoint.name), vec![flows(endpoint), flows(endpoint) / all]));
        }
        findings.tables.push(table);
        self.paid_for(findings);
        let (sent, back): (u64, u64) =
            self.endpoints.iter().fold((0, 0), |(sent, back), it| (sent + it.flows, back + it.answers));
        findings.check(format!("{name}: flows answered <= flows"), back <= sent, format!("{back} <= {sent}"));
    }
}
