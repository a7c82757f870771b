//! Predictive scaling: a capacity forecast for each hour, in force a while before the hour begins.
//!
//! A forecast only ever asks for more: what it says is the least capacity of its hour, and dynamic policies add to it and take
//! away down to it (ASG guide, ec2-auto-scaling-predictive-scaling).

use sim_core::{SimDuration, SimTime};

use crate::ids::Scalable;

/// A predictive policy: what its forecast says of each hour.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The policy's name.
    pub name: String,
    /// What it scales.
    pub target: Scalable,
    /// From when on how much capacity is forecast, in order of time; the first from the start of the run on.
    pub hours: Vec<(SimTime, u32)>,
    /// `Mode`: whether it scales (`ForecastAndScale`) or is only told in the log (`ForecastOnly`).
    pub scales: bool,
    /// `SchedulingBufferTime`: how long before its hour a forecast is in force.
    pub buffer: SimDuration,
    /// `MaxCapacityBreachBehavior` is `IncreaseMaxCapacity`: a forecast beyond the maximum raises it, by so many percent more
    /// (`MaxCapacityBuffer`). None = `HonorMaxCapacity`.
    pub raises_max_by: Option<u32>,
}

impl Forecast {
    /// The change of this number, counted from 0: when, the capacity that is in force from then on, and whether it is that of an
    /// hour to come. Each hour has two changes: before it the larger of its own and the capacity of the hour before, then its own.
    pub(super) fn change(&self, number: u32) -> Option<(SimTime, u32, bool)> {
        let at = number as usize / 2;
        let &(begins, capacity) = self.hours.get(at)?;
        if number % 2 == 1 {
            return Some((begins, capacity, false));
        }
        let before = at.checked_sub(1).map_or(0, |before| self.hours[before].1);
        let early = SimTime::from_nanos(begins.as_nanos().saturating_sub(self.buffer.as_nanos()));
        Some((early, capacity.max(before), true))
    }

    /// The most capacity there may be where the maximum is `max`.
    pub(super) fn most(&self, capacity: u32, max: u32) -> u32 {
        self.raises_max_by.map_or(max, |percent| {
            let raised = (u64::from(capacity) * u64::from(100 + percent)).div_ceil(100);
            max.max(u32::try_from(raised).unwrap_or(u32::MAX))
        })
    }
}
