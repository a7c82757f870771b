//! EC2 capacity: the container instances that a service's tasks are placed on, and by which strategies.

use super::*;

/// `launchType = EC2`: container instances, all alike.
#[derive(Clone, Debug)]
pub struct ContainerInstances {
    /// How many there are, spread over the service's zones.
    pub count: u32,
    /// vCPU of one.
    pub vcpu: f64,
    /// Memory of one for tasks, bytes.
    pub memory: f64,
    /// Its type, as far as it has to be paid for; may be empty.
    pub instance_type: String,
    /// `placementStrategy`, in order.
    pub strategies: Vec<Placement>,
}

/// One placement strategy (ECS developer guide, task-placement-strategies).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// `spread` over `attribute:ecs.availability-zone`: the zone with the fewest of the service's tasks.
    SpreadZone,
    /// `spread` over `instanceId`: the instance with the fewest of the service's tasks.
    SpreadInstance,
    /// `binpack` on `cpu`: the instance with the least vCPU left that suffices.
    BinpackCpu,
    /// `binpack` on `memory`.
    BinpackMemory,
    /// `random`.
    Random,
}

/// A container instance.
#[derive(Clone, Copy, Debug)]
struct Place {
    zone: u16,
    /// `ACTIVE`: it is there and takes tasks.
    active: bool,
    vcpu_left: f64,
    memory_left: f64,
    tasks: u32,
    /// It has the image.
    cached: bool,
}

/// The container instances at work.
#[derive(Debug)]
pub(super) struct Places {
    places: Vec<Place>,
    strategies: Vec<Placement>,
    vcpu: f64,
    memory: f64,
    /// It has been said that a task cannot be placed.
    pub(super) told: bool,
    /// How many there are over time.
    active: Level,
}

impl Places {
    /// Empty instances for tasks of these needs.
    pub(super) fn new(settings: &ContainerInstances, zones: usize, task: &Task) -> Self {
        let zones = zones.max(1) as u32;
        let place = |n: u32| Place {
            zone: (n % zones) as u16,
            active: true,
            vcpu_left: settings.vcpu,
            memory_left: settings.memory,
            tasks: 0,
            cached: false,
        };
        let mut active = Level::new();
        active.set(SimTime::ZERO, settings.count.into());
        Self {
            active,
            places: (0..settings.count).map(place).collect(),
            strategies: settings.strategies.clone(),
            vcpu: task.vcpu,
            memory: task.memory.map_or(0.0, |memory| memory.limit),
            told: false,
        }
    }

    /// Where a task is placed: of the instances with room, the strategies choose one after the other; of several left, the
    /// first. Takes the room there. `None` if there is none.
    pub(super) fn place(&mut self, draws: &mut Stream) -> Option<u16> {
        let fits = |place: &Place| place.active && place.vcpu_left >= self.vcpu && place.memory_left >= self.memory;
        let mut left: Vec<usize> = (0..self.places.len()).filter(|&n| fits(&self.places[n])).collect();
        for strategy in &self.strategies {
            self.narrow(*strategy, &mut left, draws);
        }
        let chosen = *left.first()?;
        let (vcpu, memory) = (self.vcpu, self.memory);
        let place = &mut self.places[chosen];
        place.vcpu_left -= vcpu;
        place.memory_left -= memory;
        place.tasks += 1;
        Some(chosen as u16)
    }

    /// Keeps those that a strategy likes best.
    fn narrow(&self, strategy: Placement, left: &mut Vec<usize>, draws: &mut Stream) {
        if strategy == Placement::Random {
            if left.len() > 1 {
                let chosen = left[sim_core::random::Source::below(draws, left.len() as u64) as usize];
                *left = vec![chosen];
            }
            return;
        }
        let measure = |n: usize| match strategy {
            Placement::SpreadZone => {
                let zone = self.places[n].zone;
                self.places.iter().filter(|place| place.zone == zone).map(|place| f64::from(place.tasks)).sum()
            }
            Placement::SpreadInstance => f64::from(self.places[n].tasks),
            Placement::BinpackCpu => self.places[n].vcpu_left,
            Placement::BinpackMemory | Placement::Random => self.places[n].memory_left,
        };
        let least = left.iter().map(|&n| measure(n)).fold(f64::INFINITY, f64::min);
        left.retain(|&n| measure(n) <= least);
    }

    /// A task on an instance is gone.
    pub(super) fn free(&mut self, place: u16) {
        let (vcpu, memory) = (self.vcpu, self.memory);
        let place = &mut self.places[place as usize];
        place.vcpu_left += vcpu;
        place.memory_left += memory;
        place.tasks -= 1;
        self.told = false;
    }

    /// Zone of an instance.
    pub(super) fn zone(&self, place: u16) -> u16 {
        self.places[place as usize].zone
    }

    /// Whether an instance has the image already; it has from now on.
    pub(super) fn has_image(&mut self, place: u16) -> bool {
        std::mem::replace(&mut self.places[place as usize].cached, true)
    }

    /// Instances of a zone, or of any, that take tasks: the first so many.
    pub(super) fn struck(&self, zone: Option<u16>, count: Option<u32>) -> Vec<u16> {
        let fits = |place: &Place| place.active && zone.is_none_or(|zone| place.zone == zone);
        let found = (0..self.places.len()).filter(|&n| fits(&self.places[n])).map(|n| n as u16);
        found.take(count.map_or(usize::MAX, |count| count as usize)).collect()
    }

    /// An instance takes tasks from now on, or does not. One that comes back has no image.
    pub(super) fn set_active(&mut self, now: SimTime, place: u16, active: bool) {
        let place = &mut self.places[place as usize];
        self.active.add(now, i64::from(active) - i64::from(place.active));
        (place.active, place.cached) = (active, false);
        self.told = false;
    }

    /// Time of all of them while they were there.
    pub(super) fn active_time(&self, now: SimTime) -> SimDuration {
        SimDuration::from_nanos(self.active.integral(now) as u64)
    }
    /// Counting that begins.
    pub(super) fn forget_active_time(&mut self, now: SimTime) {
        self.active.reset(now);
    }

    /// All that take none at present come back.
    pub(super) fn restore(&mut self, now: SimTime) {
        (0..self.places.len() as u16)
            .filter(|&n| !self.places[n as usize].active)
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|n| self.set_active(now, n, true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Memory;
    use sim_core::random::Streams;

    /// Six instances in three zones, of 4 vCPU and 8 GB; tasks of 1 vCPU and 1 GB.
    fn places(strategies: &[Placement]) -> Places {
        let instance_type = "m5.xlarge".to_owned();
        let settings =
            ContainerInstances { count: 6, vcpu: 4.0, memory: 8.0, instance_type, strategies: strategies.to_vec() };
        let memory = Memory { limit: 1.0, base: 0.0, per_request: 0.0, leak_per_request: 0.0 };
        let task =
            Task { vcpu: 1.0, workers: 1, backlog: None, concurrency: Concurrency::Threaded, memory: Some(memory) };
        Places::new(&settings, 3, &task)
    }

    fn placed(strategies: &[Placement], tasks: usize) -> Vec<u32> {
        let mut places = places(strategies);
        let mut draws = Streams::new(1, 0).stream("test", "placement");
        for _ in 0..tasks {
            let _ = places.place(&mut draws);
        }
        places.places.iter().map(|place| place.tasks).collect()
    }

    #[test]
    fn strategies_place_as_the_guide_says() {
        assert_eq!(placed(&[Placement::SpreadZone], 6), [2, 2, 2, 0, 0, 0]);
        assert_eq!(placed(&[Placement::SpreadZone, Placement::SpreadInstance], 6), [1, 1, 1, 1, 1, 1]);
        assert_eq!(placed(&[Placement::BinpackCpu], 6), [4, 2, 0, 0, 0, 0]);
        assert_eq!(placed(&[Placement::SpreadZone, Placement::BinpackMemory], 7), [3, 2, 2, 0, 0, 0]);
        let random = placed(&[Placement::Random], 15);
        assert_eq!(random.iter().sum::<u32>(), 15);
        assert!(random.iter().all(|&tasks| tasks <= 4));
        assert_ne!(random, placed(&[Placement::SpreadInstance], 15), "not one after the other");
    }

    #[test]
    fn a_task_without_room_is_not_placed_until_there_is_some() {
        let mut places = places(&[Placement::SpreadInstance]);
        let mut draws = Streams::new(1, 0).stream("test", "placement");
        let all: Vec<Option<u16>> = (0..25).map(|_| places.place(&mut draws)).collect();
        assert_eq!(all.iter().filter(|place| place.is_some()).count(), 24, "6 x 4 vCPU");
        places.free(3);
        assert_eq!(places.place(&mut draws), Some(3));
        places.set_active(SimTime::ZERO, 3, false);
        places.free(3);
        assert_eq!(places.place(&mut draws), None, "no room on the others");
    }
}
