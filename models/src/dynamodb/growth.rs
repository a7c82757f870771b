//! How throughput changes: on demand by its previous peak, provisioned by auto scaling with a limit to decreases.

use std::collections::VecDeque;

use sim_core::{SimDuration, SimTime};

use super::capacity::{Billing, Limit, ThroughputSettings};

/// An on-demand table's throughput of one kind: it takes twice its previous peak (guide, HowItWorks.ReadWriteCapacityMode).
///
/// A peak is the mean of a whole minute, and is the previous one once it is older than `doubling`: more than twice of it
/// within 30 minutes is throttled.
#[derive(Debug)]
pub(super) struct Growth {
    /// Means of the latest minutes, units a second.
    minutes: VecDeque<f64>,
    keeps: usize,
    peak: f64,
    warm: f64,
    maximum: f64,
    quota: f64,
}

impl Growth {
    /// `None` where throughput is provisioned.
    pub(super) fn new(settings: &ThroughputSettings, kind: usize) -> Option<Self> {
        let Billing::OnDemand { maximum, doubling } = settings.billing else { return None };
        Some(Self {
            minutes: VecDeque::new(),
            keeps: (doubling.as_secs_f64() / 60.0) as usize,
            peak: 0.0,
            warm: settings.units[kind].max(settings.warm[kind]),
            maximum: maximum[kind].unwrap_or(f64::INFINITY),
            quota: settings.quota[kind],
        })
    }

    /// What is allowed at present, and by which limit.
    pub(super) fn allowed(&self) -> (f64, Limit) {
        let grown = self.warm.max(2.0 * self.peak);
        if self.maximum <= grown.min(self.quota) {
            (self.maximum, Limit::MaxOnDemand)
        } else if self.quota <= grown {
            (self.quota, Limit::Quota)
        } else {
            (grown, Limit::Growth)
        }
    }

    /// A minute is over in which so many units a second were consumed.
    pub(super) fn minute_ends(&mut self, mean: f64) {
        self.minutes.push_back(mean);
        while self.minutes.len() >= self.keeps.max(1) {
            let old = self.minutes.pop_front().expect("not empty");
            self.peak = self.peak.max(old);
        }
    }
}

/// Decreases of provisioned throughput: four in a day of UTC, and beyond them one where there was none for an hour
/// (guide, ServiceQuotas). The run begins at midnight.
#[derive(Debug, Default)]
pub(super) struct Decreases {
    day: u64,
    today: u32,
    last: Option<SimTime>,
}

const A_DAY: SimDuration = SimDuration::from_secs(86_400);
const AN_HOUR: SimDuration = SimDuration::from_secs(3600);
const A_DAY_AT_ANY_TIME: u32 = 4;

impl Decreases {
    /// Makes one if it is allowed.
    pub(super) fn take(&mut self, now: SimTime) -> bool {
        let day = now.as_nanos() / A_DAY.as_nanos();
        if day != self.day {
            (self.day, self.today) = (day, 0);
        }
        let rested = self.last.is_none_or(|last| now - last >= AN_HOUR);
        let allowed = self.today < A_DAY_AT_ANY_TIME || rested;
        if allowed {
            self.today += 1;
            self.last = Some(now);
        }
        allowed
    }
}
