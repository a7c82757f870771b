//! The connections of calling tasks.

use super::node::Node;
use crate::ids::*;
use crate::request::TaskKey;

/// Most nodes of a cluster: one bit each (ElastiCache guide, quota-limits: 90).
pub const MAX_NODES: usize = 90;

/// Which nodes each task is connected to.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// By number of the calling service and slot of the task: the task's generation, and a bit for each node.
    by_service: Vec<Vec<Option<(TaskKey, u128)>>>,
    each: u32,
    most: u32,
    pub(super) opened: u64,
    pub(super) refused: u64,
    pub(super) most_at_once: u32,
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
        let (service, slot) = (of.0 as usize, task.slot as usize);
        if self.by_service.len() <= service {
            self.by_service.resize_with(service + 1, Vec::new);
        }
        let tasks = &mut self.by_service[service];
        if tasks.len() <= slot {
            tasks.resize(slot + 1, None);
        }
        let (owner, links) = tasks[slot].get_or_insert((task, 0));
        if *owner != task {
            // Another task has its place.
            let before = std::mem::replace(links, 0);
            *owner = task;
            drop_links(before, self.each, nodes);
        }
        let bit = 1 << number;
        if *links & bit != 0 {
            return Link::There;
        }
        let node = &mut nodes[number];
        if node.connections + self.each > self.most {
            self.refused += 1;
            return Link::Refused;
        }
        *links |= bit;
        node.connections += self.each;
        self.opened += u64::from(self.each);
        self.most_at_once = self.most_at_once.max(node.connections);
        Link::New
    }

    /// A node closes all of its connections.
    pub(super) fn cut(&mut self, number: usize, nodes: &mut [Node]) {
        for (_, links) in self.by_service.iter_mut().flatten().flatten() {
            *links &= !(1 << number);
        }
        nodes[number].connections = 0;
    }

    /// A task is gone.
    pub(super) fn task_gone(&mut self, of: ComputeId, task: TaskKey, nodes: &mut [Node]) {
        let place = self.by_service.get_mut(of.0 as usize).and_then(|tasks| tasks.get_mut(task.slot as usize));
        if let Some((_, links)) = place.and_then(|place| place.take_if(|(owner, _)| *owner == task)) {
            drop_links(links, self.each, nodes);
        }
    }
}

fn drop_links(links: u128, each: u32, nodes: &mut [Node]) {
    for (number, node) in nodes.iter_mut().enumerate() {
        if links >> number & 1 == 1 {
            node.connections -= each;
        }
    }
}
