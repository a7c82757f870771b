//! ElastiCache for Redis and Valkey: nodes with items in memory, in front of any store.
//!
//! A call of a task comes to the node that has its key. The engine runs one command at a time; what it finds is known from
//! the shard's `dataset`. A call that only uses the cache is answered then. A call that looks aside goes on from its task to
//! the store if nothing was found, or if the cache does not answer, and what the store says is put into the cache
//! (`look_aside`). `plan` has what is planned and what goes wrong: failovers, and the writes that are lost with them.

mod clients;
mod dataset;
mod figures;
mod look_aside;
mod node;
mod plan;
mod reshard;
mod settings;
#[cfg(test)]
mod tests;
mod usage;

use sim_core::math::mix;
use sim_core::random::{Source, Stream};
use sim_core::slab::{Key, Slab};
use sim_core::{SimDuration, SimTime};

use crate::asked;
use crate::flights::Flights;
use crate::ids::*;
use crate::request::*;
use crate::world::{self, Cx};
pub use clients::MAX_NODES;
use clients::{Clients, Link};
use dataset::{Dataset, Seen, Written};
use figures::{Books, Count, Published, Shown};
use node::{Node, Reach};
use reshard::{Migration, Slots};
pub use settings::*;
use usage::NodeHours;

/// Slots of a cluster (Redis cluster specification).
pub const SLOTS: u64 = 16_384;

/// Size of an item that nothing is said of.
pub const PLAIN_ITEM: u32 = 1024;

/// What happens inside a cache.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A task's connection is open, or it has been sent on to another shard: its command comes again.
    Connected(RequestKey),
    /// A node has run a command.
    Done(u16, RequestKey),
    /// A caller has waited for long enough.
    GaveUp(RequestKey),
    /// Somebody knows that nodes of a shard do not answer.
    Noticed(u16),
    /// A shard's replica is promoted, and clients are being told.
    Promoted(u16),
    /// Nobody is sent to a shard's failed nodes any more, and a replica takes over.
    Detected(u16),
    /// A node is back.
    Back(u16),
    /// A planned change begins.
    Change(u16),
    /// The next shard's turn of a change.
    NextShard(u16, u16),
    /// All shards have a new engine.
    Upgraded,
    /// New shards are there.
    Provisioned,
    /// Some slots are where they are to be.
    SlotsMoved,
}

/// [`Request::step`] of a command: what the node found, and whether it puts a store's answer into the cache. (Stores have
/// timers that look at [`Request::state`] when the request has left them.)
mod state {
    pub(super) const MISSED: u8 = 1;
    pub(super) const FOUND: u8 = 2;
    pub(super) const WRITTEN: u8 = 3;
    pub(super) const FULL: u8 = 4;
    pub(super) const FOUND_MASK: u8 = 7;
    pub(super) const FILLS: u8 = 8;
}

/// The nodes of one part of the keys.
#[derive(Debug)]
struct Shard {
    /// Whether it exists: shards come and go.
    there: bool,
    /// Number of its first node, and of the one that takes writes.
    first: u16,
    primary: u16,
    data: Dataset,
    /// How far the replica that will take over was behind when the primary failed.
    heir: Option<u16>,
}

/// A use with its hops.
#[derive(Debug)]
struct Prepared {
    item: u16,
    what: What,
    /// Between task and cache.
    hop: Hop,
    one_way: SimDuration,
    /// Between task and store, and from the cache by way of the task to the store.
    to_store: Hop,
    nil_to_store: Hop,
}

/// A request that is at the store.
#[derive(Clone, Copy, Debug)]
struct Trip {
    number: u16,
    /// Whether the answer is put into the cache.
    fills: bool,
    /// Others wait for it.
    flight: Option<u64>,
}

/// A replication group at work.
#[derive(Debug)]
pub struct Cache {
    id: ElastiCacheId,
    name: String,
    settings: Settings,
    uses: Vec<Prepared>,
    nodes: Vec<Node>,
    shards: Vec<Shard>,
    slots: Slots,
    migration: Option<Migration>,
    hours: NodeHours,
    clients: Clients,
    trips: Slab<Trip>,
    flights: Flights,
    /// How many faults keep packets from it.
    cut_off: u32,
    /// Changes of the engine that go from shard to shard.
    upgrades: u32,
    lags: Stream,
    /// Numbers of its zones.
    zones: Vec<u16>,
    /// Bytes of items between zones since counting began.
    crossed: u64,
    books: Books,
    published: Published,
    shown: Shown,
}

/// Who calls, and for what.
#[derive(Clone, Copy, Debug)]
struct Caller {
    service: ComputeId,
    task: TaskKey,
    /// Which item.
    key: u64,
    /// Size of the catalogue's object.
    bytes: u32,
}

impl Cache {
    /// Builds it: all nodes up, and empty.
    #[must_use]
    pub fn new(id: ElastiCacheId, settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("elasticache.{}", settings.name);
        let zones = settings.zones.len().max(1);
        let each = settings.replicas + 1;
        let node = |number: u16| {
            let (shard, place) = (number / each, number % each);
            let there = shard < settings.node_groups;
            Node { there, ..Node::new(&name, shard, place, usize::from(shard + place) % zones) }
        };
        let shard = |number: u16| Shard {
            there: number < settings.node_groups,
            first: number * each,
            primary: number * each,
            data: Dataset::new(
                settings.memory,
                settings.policy,
                settings.replicas > 0,
                cx.shared.streams.stream(&name, &format!("eviction {number}")),
            ),
            heir: None,
        };
        let most = settings.most_node_groups();
        let shards = (0..most).map(shard).collect();
        let nodes: Vec<Node> = (0..most * each).map(node).collect();
        Self {
            id,
            uses: settings.uses.iter().map(|it| Prepared::new(it, cx)).collect(),
            shards,
            slots: Slots::new(settings.node_groups),
            migration: None,
            hours: NodeHours::new(&settings.node_type, usize::from(settings.node_groups * each)),
            clients: Clients::new(settings.client.connections, settings.max_connections),
            trips: Slab::new(),
            flights: Flights::new(),
            cut_off: 0,
            upgrades: 0,
            lags: cx.shared.streams.stream(&name, "lag at failovers"),
            zones: settings.zones.iter().map(|zone| cx.shared.whereabouts.zone(zone)).collect(),
            crossed: 0,
            books: Books::default(),
            published: Published::new(&name, &nodes, cx),
            shown: Shown::new(&name, cx),
            settings: settings.clone(),
            nodes,
            name,
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::ElastiCache(self.id, event)
    }

    /// A command arrives at the cache.
    #[inline(never)]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let number = request.operation;
        let again = request.attempt > 1 && request.step & state::FILLS == 0;
        let Prepared { item, ref what, .. } = self.uses[number as usize];
        let looks_aside = matches!(what, What::LookAside { .. });
        let Some(caller) = self.caller(key, item, cx) else {
            // The task was stopped while its call was on the way.
            return cx.fail(key, 0, Cause::ConnectionLost);
        };
        if again && looks_aside {
            // The caller's SDK repeats what it asked the store.
            return self.fetch(key, Trip { number, fills: true, flight: None }, Place::Node, cx);
        }
        if self.is_redirected(&caller) {
            self.books.add(Count::Redirected, 1);
            let round_trip = self.uses[number as usize].one_way.times(2);
            return cx.kernel.schedule_in(round_trip, self.event(Event::Connected(key)));
        }
        let number = self.node_for(&caller, key, cx);
        match self.nodes[number].reach {
            _ if self.cut_off > 0 => self.give_up_later(key, now, cx),
            Reach::Silent => self.give_up_later(key, now, cx),
            Reach::Refusing => self.failed(key, Cause::ConnectionLost, Place::Node, cx),
            Reach::Up => match self.clients.link(caller.service, caller.task, number, &mut self.nodes) {
                Link::There => self.perform(number, &caller, key, cx),
                Link::Refused => self.failed(key, Cause::TooManyConnections, Place::Node, cx),
                Link::New => {
                    let client = &self.settings.client;
                    let cost = client.connect_cpu.times(client.connections.into());
                    self.nodes[number].engine.take(now, cost);
                    let open = self.event(Event::Connected(key));
                    cx.kernel.schedule_in(self.settings.client.connect_time, open);
                }
            },
        }
    }

    /// Handles one of its events.
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Connected(key) => self.on_offer(key, cx),
            Event::Done(node, key) => self.done(node as usize, key, cx),
            Event::GaveUp(key) => self.failed(key, Cause::CallTimeout, Place::Task, cx),
            Event::Noticed(shard) => self.noticed(shard, cx),
            Event::Promoted(shard) => self.promoted(shard, cx),
            Event::Detected(shard) => self.detected(shard, cx),
            Event::Back(node) => self.back(node as usize, cx),
            Event::Change(number) => self.change(number, cx),
            Event::NextShard(number, shard) => self.upgrade_shard(number, shard, cx),
            Event::Upgraded => self.upgraded(cx),
            Event::Provisioned => self.provisioned(cx),
            Event::SlotsMoved => self.slots_moved(cx),
        }
    }

    /// Who calls, and which item for; `None` if the calling task is gone.
    fn caller(&self, key: RequestKey, item: u16, cx: &Cx<'_>) -> Option<Caller> {
        let call = &cx.shared.requests[key];
        let Holder::Call(service, parent) = call.bottom() else { return None };
        let parent = cx.shared.requests.get(parent)?;
        // What is asked for is known to the client's request, above the calls of other services.
        let mut asked = parent;
        while let Holder::Call(_, above) = asked.bottom()
            && let Some(above) = cx.shared.requests.get(above)
        {
            asked = above;
        }
        let which = match &self.settings.items[item as usize].key {
            KeyOf::Object if asked.catalog == Request::NO_CATALOG => u64::from(asked.path.0),
            KeyOf::Object => 1 << 63 | u64::from(asked.catalog) << 32 | u64::from(asked.object),
            KeyOf::Client => u64::from(asked.traffic.0) << 32 | u64::from(asked.client),
            KeyOf::Drawn(zipf) => zipf.sample(&mut asked::draws(&cx.shared.requests, call, purpose::ITEM)),
        };
        let key = mix(u64::from(item) + 1, which);
        Some(Caller { service, task: parent.target, key, bytes: asked.bytes })
    }

    fn shard_of(&self, key: u64) -> usize {
        self.slots.owner(Slots::of(key))
    }

    fn command_of(&self, request: &Request) -> Command {
        match self.uses[request.operation as usize].what {
            What::Command(command) => command,
            What::LookAside { .. } if request.step & state::FILLS != 0 => Command::Set,
            What::LookAside { .. } => Command::Get,
        }
    }

    /// Which node is asked: the primary, or any replica.
    fn node_for(&self, caller: &Caller, key: RequestKey, cx: &Cx<'_>) -> usize {
        let request = &cx.shared.requests[key];
        let item = &self.settings.items[self.uses[request.operation as usize].item as usize];
        let shard = &self.shards[self.shard_of(caller.key)];
        if item.from_replicas && self.command_of(request) == Command::Get {
            let all = shard.first..=shard.first + self.settings.replicas;
            let replicas = || all.clone().filter(|&node| node != shard.primary && self.nodes[node as usize].listed);
            let chosen = request.draws(purpose::CHOICE).below(replicas().count() as u64) as usize;
            return replicas().nth(chosen).unwrap_or(shard.primary).into();
        }
        shard.primary.into()
    }

    /// A node takes on a command.
    fn perform(&mut self, number: usize, caller: &Caller, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let time = self.settings.command_time.sample_duration(&mut request.draws(purpose::COMMAND));
        let done = self.nodes[number].engine.take(now, time);
        let found = self.carry_out(number, caller, request, now);
        self.count_crossing(number, caller, key, found, cx);
        let request = cx.request(key);
        request.step = request.step & state::FILLS | found;
        request.joined = now;
        let Prepared { one_way, .. } = self.uses[request.operation as usize];
        // It is done whether or not the caller still waits.
        if (done - now) + one_way.times(2) > self.settings.client.timeout {
            self.give_up_later(key, now, cx);
        } else {
            cx.kernel.schedule_at(done, self.event(Event::Done(number as u16, key)));
        }
    }

    /// What a command finds or leaves behind, as part of [`Request::step`].
    fn carry_out(&mut self, number: usize, caller: &Caller, request: &Request, now: SimTime) -> u8 {
        let command = self.command_of(request);
        let item = &self.settings.items[self.uses[request.operation as usize].item as usize];
        let number_of_shard = self.shard_of(caller.key);
        let shard = &mut self.shards[number_of_shard];
        let expires = |request: &Request| match &item.ttl {
            Some(ttl) => now + ttl.sample_duration(&mut request.draws(purpose::TIME_TO_LIVE)),
            None => SimTime::MAX,
        };
        match command {
            Command::Get => {
                let hit = if let Some(ratio) = item.hit_ratio {
                    request.draws(purpose::HIT).chance(ratio)
                } else if number == shard.primary as usize {
                    shard.data.get(caller.key, now, item.sliding.then(|| expires(request)))
                } else {
                    let lag = self.settings.replication_lag.sample_duration(&mut request.draws(purpose::LAG));
                    let known = SimTime::from_nanos(now.as_nanos().saturating_sub(lag.as_nanos()));
                    let seen = shard.data.read_behind(caller.key, now, known);
                    self.books.add(Count::Stale, u64::from(seen == Seen::Stale));
                    seen != Seen::Nothing
                };
                self.books.add(if hit { Count::Hits } else { Count::Misses }, 1);
                if hit { state::FOUND } else { state::MISSED }
            }
            Command::Set => {
                self.books.add(Count::Sets, 1);
                if item.hit_ratio.is_some() {
                    return state::WRITTEN;
                }
                let bytes = size_of_item(item, caller) + self.settings.item_overhead;
                match shard.data.set(caller.key, bytes, now, expires(request)) {
                    Written::Done => state::WRITTEN,
                    Written::Full => {
                        self.books.add(Count::Full, 1);
                        state::FULL
                    }
                }
            }
            Command::Del => {
                self.books.add(Count::Deletes, 1);
                shard.data.delete(caller.key, now);
                state::WRITTEN
            }
        }
    }

    /// A node has run a command, unless it was lost with it.
    fn done(&mut self, number: usize, key: RequestKey, cx: &mut Cx<'_>) {
        let request = cx.request(key);
        let joined = request.joined;
        let node = &self.nodes[number];
        if node.away_since.is_some_and(|since| since >= joined) {
            return match node.reach {
                Reach::Silent => self.give_up_later(key, joined, cx),
                _ => self.failed(key, Cause::ConnectionLost, Place::Node, cx),
            };
        }
        let Prepared { item, ref what, .. } = self.uses[request.operation as usize];
        let found = request.step & state::FOUND_MASK;
        let fails = self.settings.items[item as usize].miss_fails;
        match what {
            _ if request.step & state::FILLS != 0 => cx.reply(key, Outcome::OK),
            What::LookAside { .. } if found == state::MISSED => self.missed(key, cx),
            What::Command(Command::Get) if found == state::MISSED && fails => {
                self.books.add(Count::Failed, 1);
                cx.fail(key, 404, Cause::CacheMiss);
            }
            _ if found == state::FULL => {
                self.books.add(Count::Failed, 1);
                cx.fail(key, 500, Cause::CacheFull);
            }
            _ => cx.reply(key, Outcome::OK),
        }
    }

    /// Nobody answers: the caller gives up when its time is over, which counts from when it sent what came at `arrived`.
    fn give_up_later(&mut self, key: RequestKey, arrived: SimTime, cx: &mut Cx<'_>) {
        let one_way = self.uses[cx.request(key).operation as usize].one_way;
        let at = arrived + (self.settings.client.timeout - one_way);
        let at = at.max(cx.now());
        cx.kernel.schedule_at(at, self.event(Event::GaveUp(key)));
    }

    /// A task is gone: its connections are closed.
    pub fn task_gone(&mut self, service: ComputeId, task: TaskKey) {
        self.clients.task_gone(service, task, &mut self.nodes);
    }
}

/// Where a request is when something becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At a node: an answer has to travel.
    Node,
    /// At the calling task.
    Task,
}

/// Size of an item: drawn from its key, so that it is always the same.
fn size_of_item(item: &Item, caller: &Caller) -> u64 {
    match &item.size {
        Some(size) => size.sample(&mut sim_core::random::Draws::new(caller.key, purpose::ITEM)) as u64,
        None if caller.bytes > 0 => u64::from(caller.bytes),
        None => PLAIN_ITEM.into(),
    }
}
