//! The connections of calling tasks.

use super::node::Node;
use crate::ids::*;
use crate::request::TaskKey;

/// Most nodes of a cluster: one bit each (ElastiCache guide, quota-limits: 90).
pub const MAX_NODES: usize = 90;

/// Which nodes each task is connected to.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// By number of the calling service and slot of the task.
    by_service: Vec<Vec<Option<Caller>>>,
    /// Groups of slots that have moved to another shard so far.
    moves: u32,
    each: u32,
    most: u32,
    pub(super) opened: u64,
    pub(super) refused: u64,
    pub(super) most_at_once: u32,
}

/// What is known of a calling task.
#[derive(Clone, Copy, Debug)]
struct Caller {
    task: TaskKey,
    /// A bit for each node it is connected to.
    links: u128,
    /// How many of the moves of slots it knows of.
    moves: u32,
}

/// Whether a task may send a node a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It is connected.
    There,
    /// It connects now.
    New,
    /// The node takes no more connections.
    Refused,
}

impl Clients {
    pub(super) fn new(each: u32, most: u32) -> Self {
        Self { each, most, ..Self::default() }
    }

    /// Connects a task to a node, unless it is.
    pub(super) fn link(&mut self, of: ComputeId, task: TaskKey, number: usize, nodes: &mut [Node]) -> Link {
        let (service, slot) = (of.0 as usize, task.slot() as usize);
        if self.by_service.len() <= service {
            self.by_service.resize_with(service + 1, Vec::new);
        }
        let tasks = &mut self.by_service[service];
        if tasks.len() <= slot {
            tasks.resize(slot + 1, None);
        }
        // Who connects first is told where all slots are.
        let new = Caller { task, links: 0, moves: self.moves };
        let caller = tasks[slot].get_or_insert(new);
        if caller.task != task {
            // Another task has its place.
            let before = std::mem::replace(caller, new);
            drop_links(before.links, self.each, nodes);
        }
        let bit = 1 << number;
        if caller.links & bit != 0 {
            return Link::There;
        }
        let node = &mut nodes[number];
        if node.connections + self.each > self.most {
            self.refused += 1;
            return Link::Refused;
        }
        caller.links |= bit;
        node.connections += self.each;
        self.opened += u64::from(self.each);
        self.most_at_once = self.most_at_once.max(node.connections);
        Link::New
    }

    /// A node closes all of its connections.
    pub(super) fn cut(&mut self, number: usize, nodes: &mut [Node]) {
        for caller in self.by_service.iter_mut().flatten().flatten() {
            caller.links &= !(1 << number);
        }
        nodes[number].connections = 0;
    }

    /// A task is gone.
    pub(super) fn task_gone(&mut self, of: ComputeId, task: TaskKey, nodes: &mut [Node]) {
        let place = self.by_service.get_mut(of.0 as usize).and_then(|tasks| tasks.get_mut(task.slot() as usize));
        if let Some(caller) = place.and_then(|place| place.take_if(|caller| caller.task == task)) {
            drop_links(caller.links, self.each, nodes);
        }
    }

    /// Slots have moved: the number of that move.
    pub(super) fn slots_moved(&mut self) -> u32 {
        self.moves += 1;
        self.moves
    }

    /// Whether a task asks the former owner of a slot that has moved. That one tells it of all moves so far.
    pub(super) fn is_redirected(&mut self, of: ComputeId, task: TaskKey, moved: u32) -> bool {
        let place = self.by_service.get_mut(of.0 as usize).and_then(|tasks| tasks.get_mut(task.slot() as usize));
        let caller = place.and_then(Option::as_mut).filter(|caller| caller.task == task && caller.moves < moved);
        caller.is_some_and(|caller| {
            caller.moves = self.moves;
            true
        })
    }
}

fn drop_links(links: u128, each: u32, nodes: &mut [Node]) {
    for (number, node) in nodes.iter_mut().enumerate() {
        if links >> number & 1 == 1 {
            node.connections -= each;
        }
    }
}
