//! The load balancer's own scaling, where a scenario gives it a limit.
//!
//! AWS's load balancers grow with their load; how fast is not documented. AWS advises to reserve capacity where traffic may more
//! than double within five minutes. So it is modelled (assumption A7): there is room for twice the load it has got used to, and
//! it gets used to no more than a doubling in five minutes. What comes beyond gets 503. It never shrinks.

use sim_core::SimTime;
use sim_core::station::token_bucket::TokenBucket;

/// Growth in a minute: the fifth root of 2.
const GROWTH: f64 = 1.148_698_354_997_035;

/// How much a load balancer can take.
#[derive(Debug)]
pub(super) struct Capacity {
    /// Requests a second.
    limit: f64,
    bucket: TokenBucket,
    /// Requests of this minute, turned away or not.
    asked: u64,
}

impl Capacity {
    /// Scaled for so many requests a second.
    pub(super) fn new(scaled_for: f64) -> Self {
        let limit = 2.0 * scaled_for;
        Self { limit, bucket: TokenBucket::new(limit, limit), asked: 0 }
    }

    /// Whether there is room for a request; a second's worth may come at once.
    pub(super) fn take(&mut self, now: SimTime) -> bool {
        self.asked += 1;
        self.bucket.take(now, 1.0)
    }

    /// A minute is over: more room, if the load has grown.
    pub(super) fn minute_over(&mut self, now: SimTime) {
        let wanted = 2.0 * std::mem::take(&mut self.asked) as f64 / 60.0;
        let limit = wanted.clamp(self.limit, self.limit * GROWTH);
        if limit > self.limit {
            self.limit = limit;
            self.bucket.set_rate(now, limit);
            self.bucket.set_burst(now, limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Served of the requests of a minute at this rate.
    fn minute(capacity: &mut Capacity, number: u64, rate: u64) -> u64 {
        let at = |n: u64| SimTime::from_nanos(number * 60_000_000_000 + n * 1_000_000_000 / rate);
        let served = (0..60 * rate).filter(|&n| capacity.take(at(n))).count();
        capacity.minute_over(SimTime::from_secs(60 * (number + 1)));
        served as u64
    }

    #[test]
    fn a_doubling_within_five_minutes_is_followed_and_a_jump_to_four_times_is_not() {
        let mut slow = Capacity::new(100.0);
        for (number, rate) in [100, 200, 230, 260, 300, 345, 400].into_iter().enumerate() {
            assert_eq!(minute(&mut slow, number as u64, rate), 60 * rate, "{rate}");
        }
        let mut jump = Capacity::new(100.0);
        let served: Vec<u64> = (0..7).map(|number| minute(&mut jump, number, 400)).collect();
        // Room for 200/s and a second's worth at first; five minutes later for 400/s.
        assert!((12_000..=12_201).contains(&served[0]), "{served:?}");
        assert!(served.is_sorted() && served[4] < 24_000 && served[5] == 24_000, "{served:?}");
    }
}
