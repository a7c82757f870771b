//! The memory of a process: what it has from the start, what requests hold while they are in it, and what it never gives back. A
//! process that needs more than its limit is killed (ECS developer guide, task_definition_parameters: memory).

use super::{Engine, Host, Process};
use crate::request::TaskKey;
use crate::world::{Control, Cx};

/// What a process needs and may have, bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// It is killed beyond this.
    pub limit: f64,
    /// It has this from the start.
    pub base: f64,
    /// A request holds this while it is in the process, waiting or not.
    pub per_request: f64,
    /// What each answered request leaves behind.
    pub leak_per_request: f64,
}

impl Memory {
    /// In use.
    fn used(&self, process: &Process) -> f64 {
        self.base + self.per_request * f64::from(process.inside) + self.leak_per_request * process.answered as f64
    }
}

impl Engine {
    /// One more request is in a process.
    #[inline]
    pub(super) fn takes_in<H: Host>(&self, host: &mut H, key: TaskKey, cx: &mut Cx<'_>) {
        let process = host.process_mut();
        process.inside += 1;
        if let Some(memory) = &self.capacity.memory {
            self.limit(memory, process, key, cx);
        }
    }

    /// A request has been answered by a process.
    #[inline]
    pub(super) fn lets_go<H: Host>(&self, host: &mut H, key: TaskKey, cx: &mut Cx<'_>) {
        let process = host.process_mut();
        process.inside -= 1;
        process.answered += 1;
        if let Some(memory) = &self.capacity.memory {
            self.limit(memory, process, key, cx);
        }
    }

    /// A process beyond its limit is killed, once.
    #[inline(never)]
    fn limit(&self, memory: &Memory, process: &mut Process, key: TaskKey, cx: &mut Cx<'_>) {
        if memory.used(process) > memory.limit && !std::mem::replace(&mut process.out_of_memory, true) {
            cx.control(Control::OutOfMemory(self.id, key));
        }
    }

    /// Share of its limit that the mean host that serves has in use; NaN where there is none, or no limit.
    pub(crate) fn memory_utilisation<'a, H: Host + 'a>(&self, hosts: impl Iterator<Item = &'a H>) -> f64 {
        let Some(memory) = &self.capacity.memory else { return f64::NAN };
        let (mut sum, mut count) = (0.0, 0u32);
        for host in hosts.filter(|host| host.serves()) {
            sum += memory.used(host.process()) / memory.limit;
            count += 1;
        }
        sum / f64::from(count)
    }
}
