//! DynamoDB Accelerator (DAX): a cluster of nodes that keep a table's items and the results of queries.
//!
//! A call names an operation of the table and comes to a node. Eventually consistent reads are answered from the caches if they can be;
//! all else goes through to the table, and what reads and writes bring back is kept. Nodes are kept in step by DAX itself: they
//! have the same copies.

mod figures;
#[cfg(test)]
mod tests;

use sim_core::distribution::Distribution;
use sim_core::math::mix;
use sim_core::observations::{LogKind, Phase};
use sim_core::random::Source;
use sim_core::station::{LruCache, TokenBucket};
use sim_core::{SimDuration, SimTime};

use crate::asked;
use crate::dynamodb::Keys;
use crate::ids::*;
use crate::request::*;
use crate::world::{self, Cx};
use figures::{Books, Count, Published, Shown};

/// Nodes of a cluster at most: a primary and ten replicas (DDB guide, DAX.concepts.cluster).
pub const MAX_NODES: u32 = 11;

/// A cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// The table behind it.
    pub table: DynamoDbId,
    /// `NodeType`, which is what it is charged by.
    pub node_type: String,
    /// `ReplicationFactor`: nodes.
    pub nodes: u16,
    /// Bytes of each node for copies.
    pub memory: u64,
    /// `record-ttl-millis` and `query-ttl-millis`: how long an item, and the result of a query, is kept.
    pub ttl: [SimDuration; 2],
    /// Time to answer from a cache, or to pass a request on.
    pub latency: Distribution,
    /// Requests a second that a node takes; none: any number.
    pub requests_per_second: Option<f64>,
    /// Round trip to the table.
    pub rtt: SimDuration,
    /// How long a client waits for a node before it tries another.
    pub timeout: SimDuration,
    /// From a node's failure until clients know of it.
    pub detection: SimDuration,
    /// From a node's failure until another stands in its place.
    pub replacement: SimDuration,
    /// What is done with each operation of the table.
    pub operations: Vec<Operation>,
}

/// What is done with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What it is to the caches.
    pub kind: Kind,
    /// Size of what is kept, bytes.
    pub bytes: u64,
}

/// What an operation is to the caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An eventually consistent read of one item.
    Item,
    /// An eventually consistent query or scan.
    Query,
    /// A write of one item: what was written is kept once the table has it.
    Put,
    /// A write that leaves nothing to be kept.
    Delete,
    /// Whatever goes through: strongly consistent reads, transactions, batches.
    Through,
}

/// What goes wrong: a node loses its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which, from 0.
    pub node: u16,
}

/// What happens inside a cluster.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A node has found what it was asked for, or not.
    Looked(RequestKey),
    /// A client gives a node up and tries another.
    TryAgain(RequestKey),
    /// A node's failure is known.
    Detected(u16),
    /// A node is back.
    Back(u16),
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    up: bool,
    /// Whether clients ask it.
    listed: bool,
}

/// [`Request::step`] of a request that a cache can answer.
const HIT: u8 = 1;
const MISS: u8 = 0;

/// A cluster at work.
#[derive(Debug)]
pub struct Dax {
    id: DaxId,
    name: String,
    settings: Settings,
    /// By operation.
    keys: Vec<Keys>,
    nodes: Vec<Node>,
    limits: Vec<TokenBucket>,
    /// Until when each copy is given.
    copies: LruCache<SimTime>,
    to_table: Hop,
    books: Books,
    published: Published,
    shown: Shown,
}

impl Dax {
    /// Builds it: all nodes up, and empty. `keys` are the table's, by operation.
    #[must_use]
    pub fn new(id: DaxId, settings: &Settings, keys: Vec<Keys>, cx: &mut Cx<'_>) -> Self {
        let name = format!("dax.{}", settings.name);
        let limit = |rate: f64| vec![TokenBucket::new(rate, rate); settings.nodes.into()];
        Self {
            id,
            keys,
            nodes: vec![Node { up: true, listed: true }; settings.nodes.into()],
            limits: settings.requests_per_second.map_or_else(Vec::new, limit),
            copies: LruCache::new(settings.memory),
            to_table: cx.hop(SimDuration::from_nanos(settings.rtt.as_nanos() / 2)),
            books: Books::default(),
            published: Published::new(&name, cx),
            shown: Shown::new(&name, cx),
            settings: settings.clone(),
            name,
        }
    }

    fn event(&self, event: Event) -> world::Event {
        world::Event::Dax(self.id, event)
    }

    /// A request arrives at the cluster.
    #[inline(never)]
    pub fn on_offer(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let listed = || (0..self.nodes.len()).filter(|&node| self.nodes[node].listed);
        let chosen = request.draws_of_visit(purpose::CHOICE).below(listed().count() as u64) as usize;
        let Some(node) = listed().nth(chosen) else {
            self.books.add(Count::Failed, 1);
            return cx.fail(key, 0, Cause::ConnectionLost);
        };
        if !self.nodes[node].up {
            // Another draw chooses the next node.
            request.visits = request.visits.wrapping_add(1);
            self.books.add(Count::TriedAgain, 1);
            return cx.kernel.schedule_in(self.settings.timeout, self.event(Event::TryAgain(key)));
        }
        self.books.add(Count::Requests, 1);
        if self.limits.get_mut(node).is_some_and(|limit| !limit.take(now, 1.0)) {
            self.books.add(Count::Throttled, 1);
            return cx.fail(key, 400, Cause::Throttled);
        }
        let hit = self.look_up(key, cx);
        let request = cx.request(key);
        request.step = if hit { HIT } else { MISS };
        let takes = self.settings.latency.sample_duration(&mut request.draws(purpose::COMMAND));
        cx.kernel.schedule_in(takes, self.event(Event::Looked(key)));
    }

    /// Handles one of its events.
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Looked(key) if cx.request(key).step == HIT => cx.reply(key, Outcome::OK),
            Event::Looked(key) => {
                cx.request(key).push(Holder::Dax(self.id), self.to_table);
                cx.offer(Endpoint::DynamoDb(self.settings.table), key, self.to_table);
            }
            Event::TryAgain(key) => self.on_offer(key, cx),
            Event::Detected(node) => {
                let node = &mut self.nodes[node as usize];
                node.listed = node.up;
                self.tell_noticed(cx);
            }
            Event::Back(node) => {
                self.nodes[node as usize] = Node { up: true, listed: true };
                self.tell_repaired(cx);
                let what = format!("node {} is back", node + 1);
                cx.shared.observer.log(cx.kernel.now(), LogKind::Lifecycle, &self.name, what);
            }
        }
    }

    /// The run begins.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        self.tell_down(cx);
    }

    /// Whether clients ask a node that does not answer.
    fn is_suspected(&self) -> bool {
        self.nodes.iter().any(|node| node.listed && !node.up)
    }

    /// The downtime ledger: a failed node is known. Clients ask the others, or wait until one is replaced.
    fn tell_noticed(&self, cx: &mut Cx<'_>) {
        if self.is_suspected() {
            return;
        }
        if self.nodes.iter().any(|node| node.up) {
            cx.phase(&self.name, Phase::Routing);
            cx.settling(&self.name);
        } else {
            cx.phase(&self.name, Phase::Recovery);
        }
    }

    /// A node is back: with the first one the cluster answers again.
    fn tell_repaired(&self, cx: &mut Cx<'_>) {
        self.tell_down(cx);
        if !self.is_suspected() {
            cx.settling(&self.name);
        }
    }

    fn tell_down(&self, cx: &mut Cx<'_>) {
        cx.down(&self.name, !self.nodes.iter().any(|node| node.up));
    }

    /// The name of what an operation asks for or changes; `None` if the caches have nothing to do with it.
    fn copy_of(&self, key: RequestKey, now: SimTime, cx: &Cx<'_>) -> Option<u64> {
        let request = &cx.shared.requests[key];
        let number = request.operation as usize;
        let item = || self.keys[number].draw(now, &mut asked::draws(&cx.shared.requests, request, purpose::ITEM));
        match self.settings.operations[number].kind {
            Kind::Item | Kind::Put | Kind::Delete => Some(mix(0, item())),
            Kind::Query => Some(mix(number as u64 + 1, item())),
            Kind::Through => None,
        }
    }

    /// Whether the caches have what is asked for.
    fn look_up(&mut self, key: RequestKey, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let request = cx.request(key);
        let counts = match self.settings.operations[request.operation as usize].kind {
            Kind::Item => [Count::ItemMisses, Count::ItemHits],
            Kind::Query => [Count::QueryMisses, Count::QueryHits],
            _ => return false,
        };
        let copy = self.copy_of(key, now, cx).expect("what is read has a name");
        let hit = self.copies.get(copy).is_some_and(|until| now < *until);
        self.books.add(counts[usize::from(hit)], 1);
        hit
    }

    /// The table has answered.
    #[inline(never)]
    pub fn on_reply(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        let now = cx.now();
        let request = cx.request(key);
        let (outcome, asked) = (request.outcome, request.joined);
        let Operation { kind, bytes } = self.settings.operations[request.operation as usize];
        // The table drew the item when it was asked: keys may be made of the time.
        if let (true, Some(copy)) = (outcome.is_ok(), self.copy_of(key, asked, cx)) {
            if kind == Kind::Delete {
                self.copies.remove(copy);
            } else {
                let ttl = self.settings.ttl[usize::from(kind == Kind::Query)];
                let evicted = self.copies.insert(copy, bytes, now + ttl);
                self.books.add(Count::Evicted, evicted as u64);
            }
        }
        self.books.add(Count::Failed, u64::from(!outcome.is_ok()));
        cx.reply(key, outcome);
    }

    /// A fault begins.
    pub fn begin_fault(&mut self, fault: &Fault, cx: &mut Cx<'_>) {
        let number = fault.node;
        if !std::mem::replace(&mut self.nodes[number as usize].up, false) {
            return;
        }
        if !self.nodes.iter().any(|node| node.up) {
            self.copies.clear();
        }
        self.tell_down(cx);
        cx.kernel.schedule_in(self.settings.detection, self.event(Event::Detected(number)));
        cx.kernel.schedule_in(self.settings.replacement, self.event(Event::Back(number)));
    }
}
