//! A bench for testing one service alone: a kernel and what services share, without the services.

use super::*;

/// An architecture of nothing.
pub(crate) fn architecture() -> Architecture {
    Architecture {
        run: run(),
        network: crate::architecture::Network { region_rtt: SimDuration::ZERO },
        places: vec!["here".to_owned()],
        paths: vec!["/".to_owned()],
        catalogs: Vec::new(),
        routes: vec!["test".to_owned()],
        traffic: Vec::new(),
        route53: route53::Settings::none(),
        cloudfront: Vec::new(),
        global_accelerators: Vec::new(),
        alb: Vec::new(),
        ecs: Vec::new(),
        ec2: vec![],
        aurora: Vec::new(),
        dynamodb: Vec::new(),
        elasticache: Vec::new(),
        dax: Vec::new(),
        stations: Vec::new(),
        canaries: Vec::new(),
        metric_math: Vec::new(),
        alarms: Vec::new(),
        scaling: autoscaling::Settings::default(),
        deployments: Vec::new(),
        faults: Vec::new(),
        waf: Vec::new(),
        web_acls: Vec::new(),
        notes: Vec::new(),
    }
}

/// A run of an hour that counts from the start.
pub(crate) fn run() -> crate::architecture::Run {
    crate::architecture::Run {
        duration: SimDuration::from_secs(3600),
        warm_up: SimDuration::ZERO,
        downtime_error_rate: 0.5,
        metric_delay: SimDuration::from_secs(60),
        high_resolution_metric_delay: SimDuration::from_secs(10),
        spans: crate::architecture::Spans::default(),
        objective: None,
    }
}

/// What one service has for another: a note of the outbox and what belongs to it.
#[derive(Debug)]
pub(crate) enum Message {
    Offer(Endpoint, RequestKey),
    Reply(RequestKey),
    Resolved(RequestKey, Option<Endpoint>),
    Control(Control),
}

impl Shared {
    /// Takes out the first message.
    pub(crate) fn message(&mut self) -> Option<Message> {
        Some(match self.outbox.pop_front()? {
            Note::Offer(to, key) => Message::Offer(to, key),
            Note::Reply(key) => Message::Reply(key),
            Note::Resolved(key) => Message::Resolved(key, self.outbox.answer()),
            Note::Control => Message::Control(self.outbox.told()),
        })
    }
}

/// The kernel and the shared part of a world without services.
pub(crate) struct Bench {
    pub(crate) kernel: Kernel<Event>,
    pub(crate) shared: Shared,
}

impl Bench {
    /// A bench for a run of an hour with one route.
    pub(crate) fn new() -> Self {
        let run = run();
        let shared = Shared {
            requests: Slab::new(),
            outbox: Outbox::default(),
            observer: Observer::new(&run, &["test".to_owned()]),
            metrics: Metrics::default(),
            streams: Streams::new(1, 0),
            addresses: Addresses::default(),
            unreachable: Vec::new(),
            whereabouts: Whereabouts::default(),
        };
        Self { kernel: Kernel::new(), shared }
    }
    /// What a service under test is given.
    pub(crate) fn cx(&mut self) -> Cx<'_> {
        Cx { kernel: &mut self.kernel, shared: &mut self.shared }
    }
    /// A new request from a client, as a service is offered it.
    pub(crate) fn request(&mut self) -> RequestKey {
        let stream = self.shared.streams.key("request", "test") ^ self.shared.requests.len() as u64;
        let now = self.kernel.now();
        self.shared.requests.insert(Request::new(stream, now, Holder::Client(TrafficId(0)), Hop::NONE))
    }
    /// Delivers events up to an instant to a handler, which also sees every message in its order.
    pub(crate) fn run_until(
        &mut self,
        until: SimTime,
        on_event: impl FnMut(Event, &mut Cx<'_>),
        on_message: impl FnMut(Message, &mut Cx<'_>),
    ) {
        struct Under<'a, E, M>(&'a mut Shared, E, M);
        impl<E: FnMut(Event, &mut Cx<'_>), M: FnMut(Message, &mut Cx<'_>)> World for Under<'_, E, M> {
            type Event = Event;
            fn handle(&mut self, event: Event, kernel: &mut Kernel<Event>) {
                (self.1)(event, &mut Cx { kernel, shared: self.0 });
                while let Some(message) = self.0.message() {
                    (self.2)(message, &mut Cx { kernel, shared: self.0 });
                }
            }
        }
        let mut under = Under(&mut self.shared, on_event, on_message);
        while let Some(message) = under.0.message() {
            (under.2)(message, &mut Cx { kernel: &mut self.kernel, shared: under.0 });
        }
        self.kernel.run_until(&mut under, until);
    }
}
