//! Aurora Serverless v2: instances whose capacity follows their load.
//!
//! Once a second capacity is compared with what was used (Aurora guide, aurora-serverless-v2.how-it-works): an instance grows
//! while it is busy, by at least half an ACU and by more the larger it is, and shrinks to what it needs; work is never
//! interrupted. Readers of tiers 0 and 1 are kept no smaller than the writer. How fast it grows is not documented: an assumption.

use super::pause::Sleep;
use super::*;

/// How often capacity is looked at.
pub(super) const PERIOD: SimDuration = SimDuration::from_secs(1);
/// ACUs of a core: an r-class vCPU at full load is about 4 ACU (sizing guide of the AWS agent toolkit).
pub const ACU_PER_VCPU: f64 = 4.0;
/// It grows above this share of its CPU, and shrinks to have this share. Assumption.
const BUSY: f64 = 0.7;
/// Capacity comes in these steps.
const STEP: f64 = 0.5;

/// `ServerlessV2ScalingConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Serverless {
    /// `MinCapacity`, ACUs; with 0 they pause, and have half an ACU at least while they do not.
    pub min_capacity: f64,
    /// `MaxCapacity`, ACUs.
    pub max_capacity: f64,
    /// Largest change in a second, as a share of the capacity; at least half an ACU.
    pub rate: f64,
}

impl Serverless {
    /// The capacity for the next second of an instance that has had `acu` and used a share of it.
    fn next(&self, acu: f64, used: f64, least: f64) -> f64 {
        let step = (self.rate * acu).max(STEP);
        let wanted = if used > BUSY { acu + step } else { (acu * used / BUSY).max(acu - step) };
        ((wanted / STEP).round() * STEP).clamp(self.min_capacity.max(STEP), self.max_capacity).max(least)
    }
}

impl Aurora {
    /// A second is over: capacity follows.
    pub(super) fn follow_load(&mut self, cx: &mut Cx<'_>) {
        let Some(serverless) = self.serverless else { return };
        let now = cx.now();
        self.pause_idle(cx);
        cx.kernel.schedule_in(PERIOD, self.event(Event::SecondOver));
        let writer = self.roles.record;
        // The writer first: others may have to follow it.
        let others = (0..self.servers.len() as u16).filter(|&it| it != writer);
        let order: Vec<u16> = std::iter::once(writer).chain(others).collect();
        for number in order {
            let of_writer = self.servers[writer as usize].acu.unwrap_or(0.0);
            let server = &mut self.servers[number as usize];
            let used = server.used_since_last_second(now);
            let Some(acu) = server.acu.filter(|_| server.is_up() && server.sleep == Sleep::Awake) else { continue };
            let follows = number != writer && server.promotion_tier <= 1;
            let next = serverless.next(acu, used, if follows { of_writer.min(serverless.max_capacity) } else { 0.0 });
            if next != acu {
                server.set_capacity(now, next);
                self.forecast(number, cx);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_grows_by_half_an_acu_or_a_tenth_and_shrinks_to_what_it_needs() {
        let it = Serverless { min_capacity: 0.5, max_capacity: 64.0, rate: 0.1 };
        assert_eq!(it.next(0.5, 1.0, 0.0), 1.0);
        assert_eq!(it.next(20.0, 0.9, 0.0), 22.0);
        assert_eq!(it.next(64.0, 1.0, 0.0), 64.0);
        assert_eq!(it.next(20.0, 0.69, 0.0), 19.5);
        assert_eq!(it.next(20.0, 0.0, 0.0), 18.0);
        assert_eq!(it.next(0.5, 0.0, 0.0), 0.5);
        assert_eq!(it.next(2.0, 0.0, 8.0), 8.0);
        // From 0.5 to 32 ACU under full load: half an ACU a second up to 5 ACU, then 10 % a second.
        let (mut acu, mut seconds) = (0.5, 0);
        while acu < 32.0 {
            acu = it.next(acu, 1.0, 0.0);
            seconds += 1;
        }
        assert!((25..=32).contains(&seconds), "{seconds}");
    }
}
