//! In which zone tasks and instances are, for the services that see their callers and are charged for what crosses between zones.

use crate::ids::ComputeId;
use crate::request::TaskKey;

/// The zones that parts of the scenario are in, and who is in which.
#[derive(Clone, Debug, Default)]
pub struct Whereabouts {
    names: Vec<String>,
    /// By service and slot of the task; of a slot that is free again, where the last one was.
    tasks: Vec<Vec<u16>>,
}

impl Whereabouts {
    /// The number of a zone, the same for all who name it alike.
    pub fn zone(&mut self, name: &str) -> u16 {
        let at = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        at as u16
    }

    /// A task of a service is in a zone.
    pub fn put(&mut self, service: ComputeId, task: TaskKey, zone: u16) {
        let (service, slot) = (usize::from(service.0), task.slot() as usize);
        if self.tasks.len() <= service {
            self.tasks.resize_with(service + 1, Vec::new);
        }
        let slots = &mut self.tasks[service];
        if slots.len() <= slot {
            slots.resize(slot + 1, zone);
        }
        slots[slot] = zone;
    }

    /// Where a task is.
    #[must_use]
    pub fn of(&self, service: ComputeId, slot: u32) -> Option<u16> {
        self.tasks.get(usize::from(service.0))?.get(slot as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_task_of_a_slot_is_where_it_was_put() {
        let mut all = Whereabouts::default();
        let (a, b) = (all.zone("a"), all.zone("b"));
        assert_eq!((all.zone("a"), a == b), (a, false));
        let task = |slot, generation| TaskKey::new(slot, generation);
        all.put(ComputeId(3), task(2, 0), a);
        all.put(ComputeId(3), task(2, 1), b);
        assert_eq!(all.of(ComputeId(3), 2), Some(b));
        assert_eq!((all.of(ComputeId(3), 5), all.of(ComputeId(0), 0), all.of(ComputeId(9), 0)), (None, None, None));
    }
}
