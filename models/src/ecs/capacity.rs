//! EC2 capacity: the container instances that a service's tasks are placed on, and by which strategies.

use super::provider::ManagedScaling;
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
    /// A capacity provider sees to how many there are; none = as many as there are.
    pub managed: Option<ManagedScaling>,
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
    /// Whether the capacity provider has it.
    stage: Stage,
    /// `ACTIVE`: it takes tasks.
    active: bool,
    vcpu_left: f64,
    memory_left: f64,
    tasks: u32,
    /// It has the image.
    cached: bool,
}

/// Where an instance of a capacity provider is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Absent,
    /// Launched, not there yet.
    Launching,
    There,
    /// Drained, to be terminated when its last task is gone.
    Leaving,
}

impl Place {
    fn takes(&self) -> bool {
        self.active && self.stage == Stage::There
    }
}

/// The container instances at work.
#[derive(Debug)]
pub(super) struct Places {
    places: Vec<Place>,
    strategies: Vec<Placement>,
    vcpu: f64,
    memory: f64,
    vcpu_of_one: f64,
    memory_of_one: f64,
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
            stage: if n < settings.count { Stage::There } else { Stage::Absent },
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
            places: (0..settings.managed.as_ref().map_or(settings.count, |managed| managed.max_size))
                .map(place)
                .collect(),
            strategies: settings.strategies.clone(),
            vcpu: task.vcpu,
            memory: task.memory.map_or(0.0, |memory| memory.limit),
            vcpu_of_one: settings.vcpu,
            memory_of_one: settings.memory,
            told: false,
        }
    }

    /// How many instances of each stage.
    fn count(&self, fits: impl Fn(&Place) -> bool) -> u32 {
        self.places.iter().filter(|place| fits(place)).count() as u32
    }

    /// Instances that take tasks.
    pub(super) fn there(&self) -> u32 {
        self.count(Place::takes)
    }

    /// Instances that take tasks or will.
    pub(super) fn held(&self) -> u32 {
        self.count(|place| place.takes() || place.stage == Stage::Launching)
    }

    /// Instances that take tasks and have some.
    pub(super) fn used(&self) -> u32 {
        self.count(|place| place.takes() && place.tasks > 0)
    }

    /// How many tasks have room on an empty instance; validated to be one at least.
    pub(super) fn tasks_on_one(&self) -> u32 {
        let by_memory = if self.memory > 0.0 { self.memory_of_one / self.memory } else { f64::INFINITY };
        ((self.vcpu_of_one / self.vcpu).min(by_memory).floor() as u32).max(1)
    }

    /// Launches an instance where there is none: in the zone with the fewest.
    pub(super) fn launch(&mut self, now: SimTime) -> Option<u16> {
        let in_zone = |zone: u16| {
            self.count(|place| place.zone == zone && matches!(place.stage, Stage::There | Stage::Launching))
        };
        let absent = (0..self.places.len()).filter(|&n| self.places[n].stage == Stage::Absent);
        let place = absent.min_by_key(|&n| (in_zone(self.places[n].zone), n))?;
        self.places[place].stage = Stage::Launching;
        self.active.add(now, 1);
        Some(place as u16)
    }

    /// A launched instance takes tasks from now on, unless it was released meanwhile. It is empty.
    pub(super) fn arrive(&mut self, place: u16) -> bool {
        let place = &mut self.places[place as usize];
        let launching = place.stage == Stage::Launching;
        if launching {
            (place.stage, place.active, place.cached) = (Stage::There, true, false);
            self.told = false;
        }
        launching
    }

    /// Lets an instance go: one that is not there yet, else the one with the fewest tasks, or with none if they are protected.
    pub(super) fn release(&mut self, protected: bool, now: SimTime) -> Option<u16> {
        let held = |n: &usize| self.places[*n].takes() || self.places[*n].stage == Stage::Launching;
        let place = (0..self.places.len())
            .filter(held)
            .min_by_key(|&n| (self.places[n].stage == Stage::There, self.places[n].tasks, std::cmp::Reverse(n)))?;
        if protected && self.places[place].tasks > 0 {
            return None;
        }
        let launching = self.places[place].stage == Stage::Launching;
        self.places[place].stage = if launching { Stage::Absent } else { Stage::Leaving };
        self.active.add(now, -i64::from(launching));
        Some(place as u16)
    }

    /// Instances that were let go and have no task any more.
    pub(super) fn drained(&self) -> Vec<u16> {
        let gone = |n: &u16| self.places[*n as usize].stage == Stage::Leaving && self.places[*n as usize].tasks == 0;
        (0..self.places.len() as u16).filter(gone).collect()
    }

    /// An instance is terminated.
    pub(super) fn terminated(&mut self, place: u16, now: SimTime) {
        self.active.add(now, -1);
        self.places[place as usize].stage = Stage::Absent;
    }

    /// Where a task is placed: of the instances with room, the strategies choose one after the other; of several left, the
    /// first. Takes the room there. `None` if there is none.
    pub(super) fn place(&mut self, draws: &mut Stream) -> Option<u16> {
        let fits = |place: &Place| place.takes() && place.vcpu_left >= self.vcpu && place.memory_left >= self.memory;
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
        let fits = |place: &Place| place.takes() && zone.is_none_or(|zone| place.zone == zone);
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
        let strategies = strategies.to_vec();
        let settings =
            ContainerInstances { count: 6, vcpu: 4.0, memory: 8.0, instance_type, strategies, managed: None };
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
