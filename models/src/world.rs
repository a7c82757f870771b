//! The world: all services of one architecture, the requests between them, and who gets which event. The only shared file a
//! new service touches: one field, one event, one arm.

use sim_core::kernel::{Kernel, World};
use sim_core::observations::{Audit, IncidentKind, Observations, Phase, Witness};
use sim_core::random::Streams;
use sim_core::slab::Slab;
use sim_core::{LaneId, SimDuration, SimTime};

use crate::address::Addresses;
use crate::alb::Alb;
use crate::architecture::Architecture;
use crate::aurora::Aurora;
use crate::autoscaling::AutoScaling;
use crate::batches::Batches;
use crate::canary::Canaries;
use crate::client::Client;
use crate::cloudfront::CloudFront;
use crate::cloudwatch::{Alarms, Metrics};
use crate::dax::Dax;
use crate::dynamodb::Table;
use crate::ec2::Group;
use crate::ecs::{Ecs, Fargate};
use crate::elasticache::Cache;
use crate::global_accelerator::GlobalAccelerator;
use crate::ids::*;
use crate::observer::{Findings, Observed, Observer};
use crate::outbox::Note;
pub use crate::outbox::Outbox;
use crate::request::*;
use crate::route53::Route53;
use crate::station::Station;
use crate::timeline::{FaultAction, Timeline};
use crate::usage;
use crate::waf::Waf;
use crate::whereabouts::Whereabouts;
use crate::{
    alb, aurora, autoscaling, client, cloudfront, cloudwatch, compute, dax, dynamodb, ec2, ecs, elasticache,
    global_accelerator, route53, station, timeline,
};
#[cfg(test)]
pub(crate) use bench::Message;

/// Everything that can happen at an instant. A service's events are addressed to itself; services meet only by offer and
/// reply, and where no time passes between them through the outbox, not through the event list.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request arrives at a service after a network hop.
    Offer(Endpoint, RequestKey),
    /// A reply arrives at its holder after a network hop.
    Reply(RequestKey),
    /// See [`client::Event`].
    Client(TrafficId, client::Event),
    /// See [`route53::Event`].
    Route53(route53::Event),
    /// See [`cloudfront::Event`].
    CloudFront(CloudFrontId, cloudfront::Event),
    /// See [`global_accelerator::Event`].
    GlobalAccelerator(GlobalAcceleratorId, global_accelerator::Event),
    /// See [`alb::Event`].
    Alb(AlbId, alb::Event),
    /// See [`compute::Event`].
    Compute(ComputeId, compute::Event),
    /// See [`ecs::Event`].
    Ecs(EcsId, ecs::Event),
    /// See [`ec2::Event`].
    Ec2(Ec2Id, ec2::Event),
    /// See [`aurora::Event`].
    Aurora(AuroraId, aurora::Event),
    /// See [`dynamodb::Event`].
    DynamoDb(DynamoDbId, dynamodb::Event),
    /// See [`station::Event`].
    Station(StationId, station::Event),
    /// See [`elasticache::Event`].
    ElastiCache(ElastiCacheId, elasticache::Event),
    /// See [`dax::Event`].
    Dax(DaxId, dax::Event),
    /// See [`cloudwatch::Event`].
    CloudWatch(cloudwatch::Event),
    /// See [`autoscaling::Event`].
    AutoScaling(autoscaling::Event),
    /// See [`timeline::Event`].
    Timeline(timeline::Event),
    /// Counting starts.
    WarmUpOver,
    /// A bin of the figures over time ends.
    BinEnds,
    /// A batch ends, and the next begins.
    BatchEnds,
}
const _: () = assert!(size_of::<Event>() <= 16);

/// What control planes tell each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// A task or instance is registered with a target group; then the numbers of its zone and of itself within its service.
    Register(AlbId, TargetGroupId, ComputeId, TaskKey, u8, u32),
    /// ECS takes a task out of a target group: no new requests, in-flight ones have the deregistration delay.
    Deregister(AlbId, TargetGroupId, TaskKey),
    /// The load balancer has finished draining a task.
    Drained(ComputeId, TaskKey),
    /// The load balancer's view of a task's health changed.
    TargetHealth(ComputeId, TaskKey, bool),
    /// Whether a load balancer has healthy targets enough, in any zone, for those who go by its health to send requests to it.
    AliasHealth(AlbId, bool),
    /// Of what goes to either of two groups (blue, green), so many thousandths go to the second from now on.
    ShiftTraffic(AlbId, TargetGroupId, TargetGroupId, u16),
    /// A change of its schema keeps writes from a cluster for a while: they wait (true) or fail.
    PauseWrites(AuroraId, SimDuration, bool),
    /// A task is gone: its connections are closed.
    TaskGone(ComputeId, TaskKey),
    /// A service asks for a task.
    LaunchTask(EcsId, TaskKey),
    /// A process needs more memory than it may have: it is killed.
    OutOfMemory(ComputeId, TaskKey),
    /// A process that only finishes what it had has finished it, calls aside.
    Idle(ComputeId, TaskKey),
    /// A task is gone without draining: its target with it.
    TargetGone(AlbId, TargetGroupId, TaskKey),
    /// A cluster of a global database tells another one something.
    Global(AuroraId, aurora::News),
    /// What is scaled tells its scaler what capacity it wants at present.
    DesiredCount(Scalable, u32),
    /// What is scaled begins to launch or terminate (true), or has as many as it wants (false). Of an Aurora cluster: not all of its
    /// instances are available, or they are.
    ScalingActivity(Scalable, bool),
    /// An instance of what is scaled has come into service: it warms up.
    InService(Scalable),
    /// A scaling decision.
    SetDesiredCount(Scalable, u32),
    /// A deployment of what is scaled begins (true) or is over (false): scale-in is suspended meanwhile.
    Deploying(Scalable, bool),
    /// A canary sends a probe.
    ProbeSent(CanaryId),
    /// A canary's probe, sent at this instant, has ended.
    ProbeEnded(CanaryId, SimTime, Outcome),
    /// A deployment of the timeline begins: its number.
    Deploy(ComputeId, u16),
    /// A fault of the timeline begins (true) or ends (false): its number.
    Fault(u16, bool),
}

/// What every service may use: the kernel, the requests, the way to others, the streams and the observer.
pub struct Cx<'a> {
    /// Clock and event list.
    pub kernel: &'a mut Kernel<Event>,
    /// The rest.
    pub shared: &'a mut Shared,
}

/// The part of the world that all services share.
pub struct Shared {
    /// Requests on their way.
    pub requests: Slab<Request>,
    /// What is to happen in this instant still.
    pub outbox: Outbox,
    /// Who counts.
    pub observer: Observer,
    /// Published metrics.
    pub metrics: Metrics,
    /// The seed and replication's streams.
    pub streams: Streams,
    /// Where clients have their addresses.
    pub addresses: Addresses,
    /// Services that no packet reaches at present.
    pub unreachable: Vec<Endpoint>,
    /// In which zone tasks are.
    pub whereabouts: Whereabouts,
}

impl Shared {
    /// A new request with its key, as [`Request::new`] makes it.
    #[inline(always)]
    pub fn new_request(&mut self, stream: u64, now: SimTime, holder: Holder, back: Hop) -> (RequestKey, &mut Request) {
        let (key, request) = self.requests.reuse(|| Request::BLANK);
        request.renew(stream, now);
        request.push(holder, back);
        (key, request)
    }
}

/// When a caller gives up a connection that nobody answers: SYN and six retries, 1 + 2 + 4 + ... + 64 s (Linux, tcp_syn_retries = 6).
const CONNECTION_GIVEN_UP: SimDuration = SimDuration::from_secs(127);

impl Cx<'_> {
    /// The simulated instant.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.kernel.now()
    }
    /// The request named by a key that is known to be live.
    pub fn request(&mut self, key: RequestKey) -> &mut Request {
        &mut self.shared.requests[key]
    }
    /// Offers a request to a service over a hop. The caller has put its frame on the request before.
    #[inline(always)]
    pub fn offer(&mut self, to: Endpoint, key: RequestKey, hop: Hop) {
        match hop.lane() {
            None => self.shared.outbox.offer(to, key),
            Some(lane) => self.offer_through(lane, to, key),
        }
    }
    #[inline(never)]
    fn offer_through(&mut self, lane: LaneId, to: Endpoint, key: RequestKey) {
        self.kernel.schedule_lane(lane, Event::Offer(to, key));
    }
    /// Answers a request: its top holder gets it after that holder's hop.
    #[inline(always)]
    pub fn reply(&mut self, key: RequestKey, outcome: Outcome) {
        let request = &mut self.shared.requests[key];
        request.outcome = outcome;
        match request.top().back.lane() {
            None => self.shared.outbox.reply(key),
            Some(lane) => self.reply_through(lane, key),
        }
    }
    #[inline(never)]
    fn reply_through(&mut self, lane: LaneId, key: RequestKey) {
        self.kernel.schedule_lane(lane, Event::Reply(key));
    }
    /// Answers a request with a failure, or without a response (status 0).
    #[cold]
    #[inline(never)]
    pub fn fail(&mut self, key: RequestKey, status: u16, cause: Cause) {
        self.reply(key, Outcome::failed(status, cause));
    }
    /// Sends a control message, to be handled in this instant after what is already on its way.
    #[cold]
    pub fn control(&mut self, control: Control) {
        self.shared.outbox.control(control);
    }
    /// Something planned begins, or a fault that nobody has noticed yet: an incident of the downtime ledger ([`crate::ledger`]).
    pub fn begins(&mut self, kind: IncidentKind, subject: &str, what: &str) {
        self.shared.observer.ledger.begin(kind, subject, what, self.kernel.now());
    }
    /// Its cause is over: the fault has ended, the change is made. Users may still have to wait.
    pub fn is_over(&mut self, kind: IncidentKind, subject: &str) {
        self.shared.observer.ledger.over(kind, subject, self.kernel.now());
    }
    /// A phase of whatever is under way begins at a component: it has noticed something, decides, leads requests elsewhere, repairs.
    pub fn phase(&mut self, component: &str, phase: Phase) {
        self.shared.observer.ledger.phase(component, phase, self.kernel.now());
    }
    /// The same of a component that has told of something before, and of nothing otherwise.
    pub fn phase_of_known(&mut self, component: &str, phase: Phase) {
        self.shared.observer.ledger.phase_of_known(component, phase, self.kernel.now());
    }
    /// A component has done what it can; what is left is caches, clients' memories and slow starts.
    pub fn settling(&mut self, component: &str) {
        self.shared.observer.ledger.settling(component, self.kernel.now());
    }
    /// The same of one that has led users away from what is broken, so that they do not wait for what is still done about it.
    pub fn led_away(&mut self, component: &str) {
        self.shared.observer.ledger.led_away(component, self.kernel.now());
    }
    /// A component does no work from now on (true), or works again.
    pub fn down(&mut self, component: &str, down: bool) {
        self.shared.observer.ledger.down(Witness::Component, component, down, self.kernel.now());
    }
    /// Cuts a service off, or connects it again. What it has on it already is answered still.
    fn set_reachable(&mut self, endpoint: Endpoint, reachable: bool) {
        let unreachable = &mut self.shared.unreachable;
        if !reachable {
            unreachable.push(endpoint);
        } else if let Some(at) = unreachable.iter().position(|&cut| cut == endpoint) {
            unreachable.swap_remove(at);
        }
    }
    /// The hop for a one-way delay. For use while building; delays are few and known before the run.
    pub fn hop(&mut self, one_way: SimDuration) -> Hop {
        if one_way.is_zero() { Hop::NONE } else { Hop::through(self.kernel.lane(one_way)) }
    }
}

/// All services of one architecture.
pub struct Models {
    shared: Shared,
    clients: Vec<Client>,
    route53: Route53,
    cloudfronts: Vec<CloudFront>,
    accelerators: Vec<GlobalAccelerator>,
    albs: Vec<Alb>,
    wafs: Vec<Waf>,
    /// Which of them looks first at what is offered to whom, in order of endpoint.
    web_acls: Vec<(Endpoint, WafId)>,
    ecs: Vec<Ecs>,
    fargate: Fargate,
    groups: Vec<Group>,
    auroras: Vec<Aurora>,
    tables: Vec<Table>,
    caches: Vec<Cache>,
    daxes: Vec<Dax>,
    stations: Vec<Station>,
    canaries: Canaries,
    alarms: Alarms,
    autoscaling: AutoScaling,
    timeline: Timeline,
    batches: Option<Batches>,
    bin: SimDuration,
    metric_delays: [SimDuration; 2],
}

/// Runs one replication.
#[must_use]
pub fn simulate(architecture: &Architecture, seed: u64, replication: u32) -> Observations {
    let mut kernel = Kernel::new();
    let mut models = Models::new(architecture, seed, replication, &mut kernel);
    let horizon = architecture.run.horizon();
    kernel.run_until(&mut models, horizon);
    models.finish(&mut kernel, architecture, replication)
}

/// The metrics that the services of an architecture publish, whatever alarms look at them; nothing is run.
#[must_use]
pub fn published(architecture: &Architecture) -> Metrics {
    let unwatched = Architecture {
        metric_math: Vec::new(),
        alarms: Vec::new(),
        scaling: autoscaling::Settings::default(),
        ..architecture.clone()
    };
    Models::new(&unwatched, 0, 0, &mut Kernel::new()).shared.metrics
}

impl Models {
    fn new(architecture: &Architecture, seed: u64, replication: u32, kernel: &mut Kernel<Event>) -> Self {
        let mut shared = Shared {
            requests: Slab::new(),
            outbox: Outbox::default(),
            observer: Observer::new(&architecture.run, &architecture.routes),
            metrics: Metrics::default(),
            streams: Streams::new(seed, replication),
            addresses: Addresses::new(architecture.traffic.iter().map(|traffic| traffic.addresses).collect()),
            unreachable: Vec::new(),
            whereabouts: Whereabouts::default(),
        };
        let mut cx = Cx { kernel, shared: &mut shared };
        let sources: Vec<route53::Population> = architecture.traffic.iter().map(client::Settings::population).collect();
        let mut models = Self {
            clients: build(&architecture.traffic, |i, s| Client::new(TrafficId(i), s, architecture, &mut cx)),
            route53: Route53::new(&architecture.route53, &sources, architecture.places.len(), &mut cx),
            cloudfronts: build(&architecture.cloudfront, |i, s| {
                CloudFront::new(CloudFrontId(i), s, architecture, &mut cx)
            }),
            accelerators: build(&architecture.global_accelerators, |i, s| {
                GlobalAccelerator::new(GlobalAcceleratorId(i), s, &mut cx)
            }),
            albs: build(&architecture.alb, |i, s| Alb::new(AlbId(i), s, &mut cx)),
            wafs: build(&architecture.waf, |_, s| Waf::new(s, &mut cx)),
            web_acls: architecture.web_acls.clone(),
            ecs: build(&architecture.ecs, |i, s| Ecs::new(EcsId(i), s, &mut cx)),
            fargate: Fargate::default(),
            groups: build(&architecture.ec2, |i, s| Group::new(Ec2Id(i), s, &mut cx)),
            auroras: build(&architecture.aurora, |i, s| Aurora::new(AuroraId(i), s, &mut cx)),
            tables: build(&architecture.dynamodb, |i, s| Table::new(DynamoDbId(i), s, &mut cx)),
            caches: build(&architecture.elasticache, |i, s| Cache::new(ElastiCacheId(i), s, &mut cx)),
            daxes: build(&architecture.dax, |i, s| {
                let keys = dynamodb::keys(&architecture.dynamodb[s.table.index()], &cx.shared.streams);
                Dax::new(DaxId(i), s, keys, &mut cx)
            }),
            stations: build(&architecture.stations, |i, s| Station::new(StationId(i), s, &mut cx)),
            canaries: Canaries::new(&architecture.canaries, &mut cx),
            // They look for metrics, which the services above have registered.
            alarms: Alarms::new(&architecture.metric_math, &architecture.alarms, &architecture.run, &mut cx),
            autoscaling: AutoScaling::default(),
            timeline: Timeline::new(&architecture.deployments, &architecture.faults),
            batches: Batches::new(&architecture.run),
            bin: SimDuration::ZERO,
            metric_delays: [architecture.run.metric_delay, architecture.run.high_resolution_metric_delay],
            shared,
        };
        let mut cx = Cx { kernel, shared: &mut models.shared };
        models.autoscaling = AutoScaling::new(&architecture.scaling, &mut models.alarms, &mut cx);
        models.bin = models.shared.observer.figures.bin();
        models.start(architecture, kernel);
        models
    }

    fn start(&mut self, architecture: &Architecture, kernel: &mut Kernel<Event>) {
        let mut cx = Cx { kernel, shared: &mut self.shared };
        // The clock of observation comes before everything else of the same instant.
        cx.kernel.schedule_in(self.bin, Event::BinEnds);
        if !architecture.run.warm_up.is_zero() {
            cx.kernel.schedule_in(architecture.run.warm_up, Event::WarmUpOver);
        }
        if let Some(batches) = &self.batches {
            cx.kernel.schedule_in(architecture.run.warm_up + batches.length(), Event::BatchEnds);
        }
        cx.kernel.schedule_in(cloudwatch::PERIOD, Event::CloudWatch(cloudwatch::Event::PeriodEnds));
        if architecture.ecs.iter().any(|service| service.metric_resolution < cloudwatch::PERIOD) {
            cx.kernel.schedule_in(cloudwatch::FINE_PERIOD, Event::CloudWatch(cloudwatch::Event::FinePeriodEnds));
        }
        if self.alarms.any_fine() {
            cx.kernel.schedule_in(self.metric_delays[1], Event::CloudWatch(cloudwatch::Event::EvaluateFine));
        }
        self.timeline.start(&mut cx);
        self.autoscaling.start(&mut cx);

        self.ecs.iter_mut().for_each(|service| service.start(&mut cx));
        self.groups.iter_mut().for_each(|group| group.start(&mut cx));
        self.albs.iter_mut().for_each(|alb| alb.start(&mut cx));
        self.drain(kernel);
        let mut cx = Cx { kernel, shared: &mut self.shared };
        self.route53.start(&mut cx);
        self.cloudfronts.iter_mut().for_each(|distribution| distribution.start(&mut cx));
        self.accelerators.iter_mut().for_each(|accelerator| accelerator.start(&mut cx));
        self.auroras.iter_mut().for_each(|cluster| cluster.start(&mut cx));
        self.caches.iter_mut().for_each(|cache| cache.start(&mut cx));
        self.daxes.iter_mut().for_each(|cluster| cluster.start(&mut cx));
        self.tables.iter_mut().for_each(|table| table.start(&mut cx));
        self.stations.iter_mut().for_each(|station| station.start(&mut cx));
        self.clients.iter_mut().for_each(|client| client.start(&mut cx));
        self.drain(kernel);
    }

    /// Everything that happens in this instant still.
    fn drain(&mut self, kernel: &mut Kernel<Event>) {
        while let Some(note) = self.shared.outbox.pop_front() {
            if let Note::Offer(to, key) = note
                && (!self.web_acls.is_empty() || !self.shared.unreachable.is_empty())
                && self.is_stopped(to, key, kernel)
            {
                continue;
            }
            let cx = &mut Cx { kernel, shared: &mut self.shared };
            // One match of all, since it is one jump.
            match note {
                Note::Offer(Endpoint::Record(id), key) => self.route53.on_offer(id, key, cx),
                Note::Offer(Endpoint::CloudFront(id), key) => self.cloudfronts[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::GlobalAccelerator(id), key) => self.accelerators[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::Alb(id), key) => self.albs[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::Ecs(id), key) => self.ecs[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::Ec2(id), key) => self.groups[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::Aurora(id), key) => self.auroras[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::DynamoDb(id), key) => self.tables[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::Station(id), key) => self.stations[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::ElastiCache(id), key) => self.caches[id.index()].on_offer(key, cx),
                Note::Offer(Endpoint::Dax(id), key) => self.daxes[id.index()].on_offer(key, cx),
                Note::Reply(key) => self.reply(key, kernel),
                Note::Resolved(key) => self.resolved(key, kernel),
                Note::Control => self.control(kernel),
            }
        }
    }

    /// Whether a request does not come to whom it is offered to: a web ACL blocks it, or no packet gets there.
    #[inline(never)]
    fn is_stopped(&mut self, to: Endpoint, key: RequestKey, kernel: &mut Kernel<Event>) -> bool {
        if self.is_blocked(to, key, kernel) {
            return true;
        }
        let cut = self.shared.unreachable.contains(&to);
        if cut {
            self.shared.requests[key].outcome = Outcome::failed(0, Cause::Unreachable);
            kernel.schedule_in(CONNECTION_GIVEN_UP, Event::Reply(key));
        }
        cut
    }

    /// A web ACL, where there is one, looks at a request before whoever it is offered to; what it blocks is answered in that
    /// one's name.
    fn is_blocked(&mut self, to: Endpoint, key: RequestKey, kernel: &mut Kernel<Event>) -> bool {
        let Some(&(_, waf)) = self.web_acls.iter().find(|(of, _)| *of == to) else { return false };
        let cx = &mut Cx { kernel, shared: &mut self.shared };
        if self.wafs[waf.index()].lets_pass(key, cx) {
            return false;
        }
        let blocked = Outcome::failed(403, Cause::WafBlocked);
        match to {
            Endpoint::Alb(id) => self.albs[id.index()].turn_away(key, blocked, cx),
            Endpoint::CloudFront(id) => self.cloudfronts[id.index()].turn_away(key, blocked, cx),
            _ => unreachable!("web ACLs belong to load balancers and distributions"),
        }
        true
    }

    /// The top holder of a request gets it back, its frame taken off. Whoever is the bottom holder removes it.
    #[inline(always)]
    fn reply(&mut self, key: RequestKey, kernel: &mut Kernel<Event>) {
        let cx = &mut Cx { kernel, shared: &mut self.shared };
        let frame = cx.request(key).pop();
        match frame.holder {
            Holder::Client(id) => self.clients[id.index()].on_reply(key, cx),
            Holder::Call(id, parent) => match id.get() {
                Compute::Ecs(id) => self.ecs[id.index()].on_call_reply(key, parent, cx),
                Compute::Ec2(id) => self.groups[id.index()].on_call_reply(key, parent, cx),
            },
            Holder::ContainerCheck(id) => self.ecs[id.index()].on_check_reply(key, cx),
            Holder::RouteProbe(check, checker) => self.route53.on_probe_reply(key, check, checker, cx),
            Holder::TargetProbe(id, target) => self.albs[id.index()].on_probe_reply(key, target, cx),
            Holder::Alb(id, target) => self.albs[id.index()].on_reply(key, target, cx),
            Holder::Station(id) => self.stations[id.index()].on_reply(key, cx),
            Holder::ElastiCache(id, trip) => self.caches[id.index()].on_reply(key, trip, cx),
            Holder::Dax(id) => self.daxes[id.index()].on_reply(key, cx),
            Holder::Accelerator(id, endpoint) => self.accelerators[id.index()].on_reply(key, endpoint, cx),
            Holder::AcceleratorProbe(id, endpoint) => self.accelerators[id.index()].on_probe_reply(key, endpoint, cx),
            Holder::Cache(id, cache, trip) => self.cloudfronts[id.index()].on_reply(key, cache, trip, cx),
        }
    }

    #[inline(never)]
    fn resolved(&mut self, key: RequestKey, kernel: &mut Kernel<Event>) {
        let cx = &mut Cx { kernel, shared: &mut self.shared };
        let answer = cx.shared.outbox.answer();
        let traffic = cx.request(key).traffic;
        self.clients[traffic.index()].resolved(key, answer, cx);
    }

    #[inline(never)]
    fn control(&mut self, kernel: &mut Kernel<Event>) {
        let cx = &mut Cx { kernel, shared: &mut self.shared };
        match cx.shared.outbox.told() {
            Control::Register(alb, group, service, task, zone, number) => {
                self.albs[alb.index()].register(group, service.endpoint(), task, Some(zone), number, cx);
            }
            Control::Deregister(alb, group, task) => self.albs[alb.index()].deregister(group, task, cx),
            Control::TargetGone(alb, group, task) => self.albs[alb.index()].target_gone(group, task, cx),
            Control::AliasHealth(alb, healthy) => {
                self.route53.target_health(alb, healthy, cx);
                self.accelerators.iter_mut().for_each(|it| it.target_health(alb, healthy, cx));
            }
            Control::ShiftTraffic(alb, blue, green, share) => {
                self.albs[alb.index()].shift_traffic(blue, green, share, cx);
            }
            Control::PauseWrites(cluster, duration, blocks) => {
                self.auroras[cluster.index()].pause_writes(duration, blocks, cx);
            }
            Control::Global(cluster, news) => self.auroras[cluster.index()].hear(news, cx),
            Control::Drained(service, task) => match service.get() {
                Compute::Ecs(id) => self.ecs[id.index()].drained(task, cx),
                Compute::Ec2(id) => self.groups[id.index()].drained(task, cx),
            },
            Control::TargetHealth(service, task, healthy) => match service.get() {
                Compute::Ecs(id) => self.ecs[id.index()].target_health(task, healthy, cx),
                Compute::Ec2(id) => self.groups[id.index()].target_health(task, healthy, cx),
            },
            Control::LaunchTask(id, task) => {
                let after = self.fargate.accept(cx.now());
                self.ecs[id.index()].accepted(task, after, cx);
            }
            Control::OutOfMemory(service, task) => match service.get() {
                Compute::Ecs(id) => self.ecs[id.index()].out_of_memory(task, cx),
                Compute::Ec2(id) => self.groups[id.index()].out_of_memory(task, cx),
            },
            Control::Idle(service, task) => match service.get() {
                Compute::Ecs(id) => self.ecs[id.index()].stop_if_idle(task, cx),
                Compute::Ec2(id) => self.groups[id.index()].stop_if_idle(task, cx),
            },
            Control::TaskGone(service, task) => {
                self.auroras.iter_mut().for_each(|aurora| aurora.task_gone(service, task, cx));
                self.caches.iter_mut().for_each(|cache| cache.task_gone(service, task));
            }
            Control::DesiredCount(target, desired) => self.autoscaling.desired_count(target, desired),
            Control::ScalingActivity(target, goes_on) => self.autoscaling.activity(target, goes_on, cx.now()),
            Control::InService(target) => self.autoscaling.in_service(target, cx.now()),
            Control::SetDesiredCount(Scalable::Ecs(ecs), desired) => {
                self.ecs[ecs.index()].set_desired_count(desired, cx);
            }
            Control::SetDesiredCount(Scalable::Capacity(ecs), desired) => {
                self.ecs[ecs.index()].set_instances(desired, cx);
            }
            Control::SetDesiredCount(Scalable::Ec2(group), desired) => {
                self.groups[group.index()].set_desired_capacity(desired, cx);
            }
            Control::SetDesiredCount(Scalable::Throughput(table, number), units) => {
                self.tables[table.index()].scale(number, units, cx);
            }
            Control::SetDesiredCount(Scalable::Readers(cluster), readers) => {
                self.auroras[cluster.index()].scale_readers(readers, cx);
            }
            Control::ProbeSent(canary) => self.canaries.probe_sent(canary, cx.now()),
            Control::ProbeEnded(canary, sent, outcome) => self.canaries.probe_ended(canary, sent, outcome, cx),
            Control::Deploying(target, deploying) => self.autoscaling.deploying(target, deploying),
            Control::Deploy(service, number) => {
                let deployment = self.timeline.deployment(number);
                if let Some(change) = deployment.database_change {
                    cx.control(Control::PauseWrites(change.cluster, change.duration, change.blocks));
                }
                match service.get() {
                    Compute::Ecs(id) => self.ecs[id.index()].deploy(deployment, &self.alarms, cx),
                    Compute::Ec2(id) => self.groups[id.index()].deploy(deployment, &self.alarms, cx),
                }
            }
            Control::Fault(number, begins) => {
                let fault = self.timeline.fault(number);
                match fault.action {
                    FaultAction::Database { cluster, ref fault } => {
                        let cluster = &mut self.auroras[cluster.index()];
                        if begins { cluster.begin_fault(fault, cx) } else { cluster.end_fault(fault, cx) }
                    }
                    FaultAction::Dax { dax, ref fault } => {
                        if begins {
                            self.daxes[dax.index()].begin_fault(fault, cx);
                        }
                    }
                    FaultAction::Cache { cache, ref fault } => {
                        let cache = &mut self.caches[cache.index()];
                        if begins { cache.begin_fault(fault, cx) } else { cache.end_fault(fault, cx) }
                    }
                    FaultAction::PauseReplication(of) => {
                        self.tables.iter_mut().for_each(|table| table.pause_replication(of, begins, cx));
                    }
                    FaultAction::ZonalShift { alb, zone } => self.albs[alb.index()].zonal_shift(zone, begins, cx),
                    FaultAction::DisruptConnectivity(endpoint) => {
                        cx.set_reachable(endpoint, !begins);
                        if matches!(endpoint, Endpoint::Station(_) | Endpoint::DynamoDb(_) | Endpoint::Dax(_)) {
                            cx.down(&fault.target, begins);
                        }
                    }
                    FaultAction::StopTask { service, zone, count } => {
                        if begins {
                            self.ecs[service.index()].stop_tasks(zone, count, cx);
                        }
                    }
                    FaultAction::LaunchFailure { service } => self.ecs[service.index()].launch_fault(begins),
                    FaultAction::Instances { of, zone, count, fault } => match of.get() {
                        Compute::Ecs(id) => self.ecs[id.index()].instance_fault(fault, zone, count, begins, cx),
                        Compute::Ec2(id) => self.groups[id.index()].instance_fault(fault, zone, count, begins, cx),
                    },
                    FaultAction::ErrorRate { service, .. }
                    | FaultAction::Blackhole { service, .. }
                    | FaultAction::NetworkLatency { service, .. }
                    | FaultAction::CpuStress { service, .. } => match service.get() {
                        Compute::Ecs(id) => self.ecs[id.index()].fault(&fault.action, begins),
                        Compute::Ec2(id) => self.groups[id.index()].fault(&fault.action, begins),
                    },
                }
            }
        }
    }

    /// Everyone who is observed, in a fixed order.
    fn each_observed(&mut self, kernel: &mut Kernel<Event>, mut visit: impl FnMut(&mut dyn Observed, &mut Cx<'_>)) {
        let cx = &mut Cx { kernel, shared: &mut self.shared };
        self.clients.iter_mut().for_each(|it| visit(it, cx));
        visit(&mut self.route53, cx);
        self.cloudfronts.iter_mut().for_each(|it| visit(it, cx));
        self.accelerators.iter_mut().for_each(|it| visit(it, cx));
        self.albs.iter_mut().for_each(|it| visit(it, cx));
        self.wafs.iter_mut().for_each(|it| visit(it, cx));
        self.ecs.iter_mut().for_each(|it| visit(it, cx));
        self.groups.iter_mut().for_each(|it| visit(it, cx));
        self.auroras.iter_mut().for_each(|it| visit(it, cx));
        self.tables.iter_mut().for_each(|it| visit(it, cx));
        self.caches.iter_mut().for_each(|it| visit(it, cx));
        self.daxes.iter_mut().for_each(|it| visit(it, cx));
        self.stations.iter_mut().for_each(|it| visit(it, cx));
        visit(&mut self.canaries, cx);
        visit(&mut self.alarms, cx);
    }

    /// Alarms look at what was published, and deployments and scaling at the alarms.
    #[cold]
    #[inline(never)]
    fn evaluate_alarms(&mut self, fine: bool, kernel: &mut Kernel<Event>) {
        let cx = &mut Cx { kernel, shared: &mut self.shared };
        self.alarms.evaluate(fine, cx);
        self.ecs.iter_mut().for_each(|service| service.look_at_alarms(&self.alarms, cx));
        self.groups.iter_mut().for_each(|group| group.look_at_alarms(&self.alarms, cx));
        self.autoscaling.act(&self.alarms, cx);
    }

    #[cold]
    #[inline(never)]
    fn end_bin(&mut self, kernel: &mut Kernel<Event>) {
        let now = kernel.now();
        self.each_observed(kernel, |it, cx| it.sample(now, &mut cx.shared.observer.figures));
        self.shared.observer.end_bin(now);
    }

    /// What the services have to say of the time since the warm-up.
    #[cold]
    #[inline(never)]
    fn findings(&mut self, kernel: &mut Kernel<Event>) -> Findings {
        let now = kernel.now();
        let mut findings = Findings::default();
        self.each_observed(kernel, |it, _| it.finish(now, &mut findings));
        findings
    }

    #[cold]
    #[inline(never)]
    fn end_batch(&mut self, kernel: &mut Kernel<Event>) {
        let findings = self.findings(kernel);
        if let Some(batches) = &mut self.batches
            && batches.end(kernel.now(), findings)
        {
            kernel.schedule_in(batches.length(), Event::BatchEnds);
        }
    }

    fn finish(mut self, kernel: &mut Kernel<Event>, architecture: &Architecture, replication: u32) -> Observations {
        let now = kernel.now();
        if !now.as_nanos().is_multiple_of(self.bin.as_nanos()) {
            self.end_bin(kernel);
        }
        let mut findings = self.findings(kernel);
        let warm_up = SimTime::ZERO + architecture.run.warm_up;
        let mut in_flight = vec![0; architecture.routes.len()];
        let mut in_flight_in_all = 0;
        // Counted from the requests themselves, so that the audit compares two independent books.
        for (key, request) in self.shared.requests.iter() {
            if let Holder::Client(id) = request.bottom()
                && !request.abandoned
                && architecture.traffic[id.index()].canary.is_none()
                && !self.clients[id.index()].is_second(key)
            {
                in_flight_in_all += 1;
                if request.started >= warm_up {
                    in_flight[request.route.index()] += 1;
                }
            }
        }
        let shared = self.shared;
        let mut books = shared.observer.finish(now, &in_flight, in_flight_in_all, &mut findings);
        findings.tables.extend(self.canaries.beside_users(now, &books.routes, &books.downtime));
        books.series.append(&mut findings.series);
        books.series.extend(shared.metrics.into_series(architecture.run.duration));
        usage::complete(&mut findings.usage, architecture, now);
        let batches = self.batches.map(|batches| batches.finish(now, &findings, books.batches, &books.downtime));
        Observations {
            replication,
            horizon: now,
            warm_up,
            routes: books.routes,
            stations: findings.stations,
            series: books.series,
            log: books.log,
            log_dropped: books.log_dropped,
            downtime: books.downtime,
            objective: architecture.run.objective.clone(),
            ledger: books.ledger,
            counters: findings.counters,
            tables: findings.tables,
            usage: findings.usage,
            notes: architecture.notes.clone(),
            audit: Audit { checks: findings.checks },
            in_flight: books.in_flight,
            batches: batches.unwrap_or_default(),
            latency_by_arrival: books.latency_by_arrival,
            customers: books.customers,
            digest: books.digest,
            events: kernel.events_handled(),
        }
    }
}

impl World for Models {
    type Event = Event;

    #[inline]
    fn handle(&mut self, event: Event, kernel: &mut Kernel<Event>) {
        let cx = &mut Cx { kernel, shared: &mut self.shared };
        match event {
            // Nothing else is in the outbox, so these are next.
            Event::Offer(to, key) => cx.shared.outbox.offer(to, key),
            Event::Reply(key) => cx.shared.outbox.reply(key),
            Event::Client(id, event) => self.clients[id.index()].on(event, cx),
            Event::Route53(event) => self.route53.on(event, cx),
            Event::CloudFront(id, event) => self.cloudfronts[id.index()].on(event, cx),
            Event::GlobalAccelerator(id, event) => self.accelerators[id.index()].on(event, cx),
            Event::Alb(id, event) => self.albs[id.index()].on(event, cx),
            Event::Compute(id, event) => match id.get() {
                Compute::Ecs(id) => self.ecs[id.index()].on_work(event, cx),
                Compute::Ec2(id) => self.groups[id.index()].on_work(event, cx),
            },
            Event::Ecs(id, event) => self.ecs[id.index()].on(event, cx),
            Event::Ec2(id, event) => self.groups[id.index()].on(event, cx),
            Event::Aurora(id, event) => self.auroras[id.index()].on(event, cx),
            Event::DynamoDb(id, event) => self.tables[id.index()].on(event, cx),
            Event::Station(id, event) => self.stations[id.index()].on(event, cx),
            Event::ElastiCache(id, event) => self.caches[id.index()].on(event, cx),
            Event::Dax(id, event) => self.daxes[id.index()].on(event, cx),
            Event::CloudWatch(cloudwatch::Event::PeriodEnds) => {
                cx.kernel.schedule_in(cloudwatch::PERIOD, event);
                cx.kernel.schedule_in(self.metric_delays[0], Event::CloudWatch(cloudwatch::Event::Evaluate));
                self.each_observed(kernel, |it, cx| it.publish(cx));
            }
            Event::CloudWatch(cloudwatch::Event::FinePeriodEnds) => {
                cx.kernel.schedule_in(cloudwatch::FINE_PERIOD, event);
                self.each_observed(kernel, |it, cx| it.publish_fine(cx));
            }
            Event::CloudWatch(cloudwatch::Event::Evaluate) => {
                self.evaluate_alarms(false, kernel);
            }
            Event::CloudWatch(cloudwatch::Event::EvaluateFine) => {
                cx.kernel.schedule_in(cloudwatch::FINE_CADENCE, event);
                self.evaluate_alarms(true, kernel);
            }
            Event::AutoScaling(event) => self.autoscaling.on(event, cx),
            Event::Timeline(event) => self.timeline.on(event, cx),
            Event::WarmUpOver => {
                let now = cx.now();
                self.each_observed(kernel, |it, _| it.warm_up_over(now));
            }
            Event::BinEnds => {
                cx.kernel.schedule_in(self.bin, Event::BinEnds);
                self.end_bin(kernel);
            }
            Event::BatchEnds => self.end_batch(kernel),
        }
        self.drain(kernel);
    }
}

/// Builds every instance of a kind of service from its settings.
fn build<S, T>(settings: &[S], mut new: impl FnMut(u16, &S) -> T) -> Vec<T> {
    settings.iter().enumerate().map(|(index, settings)| new(index as u16, settings)).collect()
}

#[cfg(test)]
pub(crate) mod bench;

#[cfg(test)]
mod tests;
