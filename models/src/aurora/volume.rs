//! An EBS volume under a database instance: I/O operations a second, and gp2's burst credits.
//!
//! gp2 earns credits at its baseline, each I/O takes one, and while there are credits it does up to its burst rate (EC2 guide,
//! general-purpose). I/Os are served one after the other at the rate there is.

use sim_core::{SimDuration, SimTime};

/// A volume's limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// I/O operations a second for good.
    pub baseline: f64,
    /// The same while there are credits.
    pub burst: f64,
    /// Most credits; the bucket starts full.
    pub credits: f64,
}

/// A volume at work.
#[derive(Debug)]
pub(super) struct Disk {
    volume: Volume,
    credits: f64,
    counted: SimTime,
    free_at: SimTime,
    /// What it becomes, and when.
    next: Option<(SimTime, Volume)>,
}

impl Disk {
    pub(super) fn new(volume: &Volume) -> Self {
        Self {
            volume: volume.clone(),
            credits: volume.credits,
            counted: SimTime::ZERO,
            free_at: SimTime::ZERO,
            next: None,
        }
    }

    /// It has other limits from an instant on.
    pub(super) fn becomes(&mut self, volume: &Volume, at: SimTime) {
        self.next = Some((at, volume.clone()));
    }

    /// I/O is suspended for a while: what comes waits.
    pub(super) fn suspend(&mut self, now: SimTime, time: SimDuration) {
        self.free_at = self.free_at.max(now) + time;
    }

    fn earn(&mut self, now: SimTime) {
        if let Some((at, next)) = self.next.take_if(|(at, _)| *at <= now) {
            self.earn_until(at);
            self.volume = next;
        }
        self.earn_until(now);
    }

    fn earn_until(&mut self, now: SimTime) {
        let elapsed = (now - self.counted).as_secs_f64();
        self.credits = (self.credits + self.volume.baseline * elapsed).min(self.volume.credits);
        self.counted = now;
    }

    /// Does so many I/Os; how long that takes, with what is before them.
    pub(super) fn take(&mut self, now: SimTime, ios: f64) -> SimDuration {
        self.earn(now);
        let rate = if self.credits >= ios { self.volume.burst } else { self.volume.baseline };
        self.credits = (self.credits - ios).max(0.0);
        self.free_at = self.free_at.max(now) + SimDuration::from_secs_f64(ios / rate);
        self.free_at - now
    }

    /// Credits left, in percent; none where there are no credits.
    pub(super) fn burst_balance(&mut self, now: SimTime) -> Option<f64> {
        self.earn(now);
        (self.volume.credits > 0.0).then(|| 100.0 * self.credits / self.volume.credits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at full speed from a full bucket, and seconds to fill an empty one.
    fn measured(gib: f64) -> (f64, f64) {
        let baseline = (3.0 * gib).max(100.0);
        let mut disk = Disk::new(&Volume { baseline, burst: 3000.0, credits: 5.4e6 });
        let mut now = SimTime::ZERO;
        // As fast as it can, a second's worth at a time, until it is slower than its burst rate.
        while disk.take(now, 3000.0) <= SimDuration::from_millis(1001) {
            now += SimDuration::from_secs(1);
        }
        let burst = now.as_nanos() as f64 / 1e9;
        disk.credits = 0.0;
        let mut filled = now;
        while disk.burst_balance(filled).is_some_and(|balance| balance < 100.0) {
            filled += SimDuration::from_secs(1);
        }
        (burst, (filled - now).as_secs_f64())
    }

    /// The table of the EC2 guide: GiB, seconds of burst, seconds to fill.
    #[test]
    fn gp2_bursts_and_refills_for_as_long_as_the_table_says() {
        for (gib, burst, refill) in
            [(33.0, 1862.0, 54_000.0), (100.0, 2000.0, 18_000.0), (334.0, 2703.0, 5389.0), (750.0, 7200.0, 2400.0)]
        {
            let (measured_burst, measured_refill) = measured(gib);
            assert!((measured_burst - burst).abs() <= 3.0, "{gib} GiB: {measured_burst} s of burst, not {burst}");
            assert!((measured_refill - refill).abs() <= 2.0, "{gib} GiB: {measured_refill} s to fill, not {refill}");
        }
    }

    #[test]
    fn a_larger_volume_has_its_rate_once_it_is_optimized_and_a_suspended_one_lets_io_wait() {
        let secs = SimTime::from_secs;
        let mut disk = Disk::new(&Volume { baseline: 3000.0, burst: 3000.0, credits: 0.0 });
        disk.becomes(&Volume { baseline: 12_000.0, burst: 12_000.0, credits: 0.0 }, secs(100));
        assert_eq!(disk.take(secs(99), 3000.0), SimDuration::from_secs(1));
        assert_eq!(disk.take(secs(101), 3000.0), SimDuration::from_millis(250));
        disk.suspend(secs(200), SimDuration::from_secs(2));
        assert_eq!(disk.take(secs(201), 12_000.0), SimDuration::from_secs(2));
    }

    #[test]
    fn gp3_does_its_rate_and_no_more() {
        let mut disk = Disk::new(&Volume { baseline: 3000.0, burst: 3000.0, credits: 0.0 });
        assert_eq!(disk.take(SimTime::ZERO, 3000.0), SimDuration::from_secs(1));
        assert_eq!(disk.take(SimTime::ZERO, 1500.0), SimDuration::from_millis(1500));
        assert_eq!(disk.burst_balance(SimTime::from_secs(1)), None);
    }
}
