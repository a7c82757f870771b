//! A probe that asks a database itself, once a second: `SELECT NOW()`, as an operator runs it beside a change.
//!
//! Each time it resolves the endpoint's name (its resolver believes the answer for the record's TTL), opens a connection of its own and
//! asks for the time. It goes round RDS Proxy and pools, takes neither CPU nor a connection from anybody, and draws no random number: who
//! else is served, and how, is the same with it and without. What it finds is what a connection opened at that instant would.

use super::*;
use crate::canary::Monitor;
use crate::observer::Findings;

/// A probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its name as shown, such as `probe.orders.now`.
    pub name: String,
    /// What it asks.
    pub endpoint: ClusterEndpoint,
    /// How often.
    pub interval: SimDuration,
    /// How long it waits for an answer.
    pub timeout: SimDuration,
    /// Whether it writes: a reader refuses it then (error 1290).
    pub write: bool,
}

/// A probe at work.
#[derive(Debug)]
pub(super) struct Prober {
    settings: Probe,
    pub(super) monitor: Monitor,
    interval: LaneId,
    timeout: LaneId,
    /// The instance that the name led to, and until when that may be believed.
    address: u16,
    believed_until: SimTime,
}

impl Prober {
    pub(super) fn new(settings: &Probe, cx: &mut Cx<'_>) -> Self {
        Self {
            monitor: Monitor::new(settings.name.clone(), cx),
            interval: cx.kernel.lane(settings.interval),
            timeout: cx.kernel.lane(settings.timeout),
            address: 0,
            believed_until: SimTime::ZERO,
            settings: settings.clone(),
        }
    }
}

/// What becomes of a probe at the instant it is sent.
enum Answer {
    At(Outcome),
    /// None yet: the other end is silent, or does no work for a while.
    NotYet,
}

impl Aurora {
    pub(super) fn start_probes(&self, cx: &mut Cx<'_>) {
        for (number, prober) in self.probers.iter().enumerate() {
            cx.kernel.schedule_lane(prober.interval, self.event(Event::Probe(number as u16)));
        }
    }

    /// A probe is due.
    pub(super) fn probe(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let address = self.probed(number, now);
        // It is a connection like others: it wakes what is paused, and keeps awake what is not.
        self.servers[address as usize].idle_since = None;
        let answer = if self.servers[address as usize].is_up() && self.waits_for_waking(address, None, cx) {
            Answer::NotYet
        } else {
            self.answer_to_probe(address, self.probers[number as usize].settings.write)
        };
        let prober = &mut self.probers[number as usize];
        prober.monitor.sent(now);
        cx.kernel.schedule_lane(prober.interval, world::Event::Aurora(self.id, Event::Probe(number)));
        match answer {
            Answer::At(outcome) => prober.monitor.ended(now, outcome, cx),
            Answer::NotYet => {
                cx.kernel.schedule_lane(prober.timeout, world::Event::Aurora(self.id, Event::ProbeTimeout(number)));
            }
        }
    }

    /// A probe that had no answer has waited for long enough. A pause of the instance that is over by then has answered it; a connection
    /// to a silent one is not opened any more.
    pub(super) fn probe_timed_out(&mut self, number: u16, cx: &mut Cx<'_>) {
        let prober = &self.probers[number as usize];
        let sent = SimTime::from_nanos(cx.now().as_nanos() - prober.settings.timeout.as_nanos());
        let resumed = self.servers[prober.address as usize].resumed_at;
        let outcome =
            if resumed.is_some_and(|at| at >= sent) { Outcome::OK } else { Outcome::failed(0, Cause::ConnectTimeout) };
        self.probers[number as usize].monitor.ended(sent, outcome, cx);
    }

    /// The instance that the probed name leads to.
    fn probed(&mut self, number: u16, now: SimTime) -> u16 {
        let prober = &self.probers[number as usize];
        if now < prober.believed_until {
            return prober.address;
        }
        let record = self.roles.record;
        let count = self.servers.len() as u16;
        let mut others = (1..=count).map(|step| (prober.address + step) % count);
        let listed = |it: &u16| (*it != record || self.is_secondary()) && self.servers[*it as usize].listed;
        let address = match &prober.settings.endpoint {
            ClusterEndpoint::Cluster => record,
            ClusterEndpoint::Instance(instance) => *instance,
            ClusterEndpoint::Reader => others.find(listed).unwrap_or(record),
            ClusterEndpoint::Custom { members, any, .. } => {
                let fits = |it: &u16| members.contains(it) && (listed(it) || *any && *it == record);
                others.find(fits).or(members.first().copied()).unwrap_or(record)
            }
        };
        let prober = &mut self.probers[number as usize];
        (prober.address, prober.believed_until) = (address, now + self.dns_ttl);
        address
    }

    fn answer_to_probe(&self, address: u16, write: bool) -> Answer {
        let server = &self.servers[address as usize];
        match server.reach {
            Reach::Silent => Answer::NotYet,
            Reach::Refusing => Answer::At(Outcome::failed(0, Cause::ConnectionLost)),
            Reach::Up if server.connections >= server.class.max_connections => {
                Answer::At(Outcome::failed(0, Cause::TooManyConnections))
            }
            Reach::Up if write && self.roles.writer != Some(address) => Answer::At(Outcome::failed(0, Cause::ReadOnly)),
            Reach::Up if server.paused => Answer::NotYet,
            Reach::Up => Answer::At(Outcome::OK),
        }
    }

    pub(super) fn probes_found(&self, now: SimTime, findings: &mut Findings) {
        self.probers.iter().for_each(|prober| prober.monitor.count(now, findings));
    }
}
