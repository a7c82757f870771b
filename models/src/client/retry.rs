//! What callers do about failed attempts: attempts, back-off, which failures, and the retry quota of AWS's SDKs.
//!
//! Source of the SDKs' modes: botocore/retries/standard.py, quota.py, and botocore/data/_retry.json. The specification that botocore
//! calls 2.0 is the default, 2.1 is opt-in (2026).

use sim_core::SimDuration;

use crate::request::{Cause, Outcome};

/// What a caller does about failed attempts.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Attempts in all; 1 = no retry.
    pub max_attempts: u16,
    /// Back-off before the first retry; doubles each time.
    pub backoff: SimDuration,
    /// The same after the attempt was throttled.
    pub throttled_backoff: SimDuration,
    /// Longest back-off.
    pub max_backoff: SimDuration,
    /// Randomness of the back-off.
    pub jitter: Jitter,
    /// Whether only what AWS's SDKs retry is retried: no answer, 500, 502, 503, 504, and throttling. Otherwise every failure is.
    pub sdk_errors_only: bool,
    /// What retries may cost, if they are bounded.
    pub quota: Option<Quota>,
    /// Whether each client limits its own rate once it has been throttled (`limiter`).
    pub adaptive: bool,
}

/// Randomness of a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Jitter {
    /// None.
    None,
    /// Evenly between nothing and the back-off.
    #[default]
    Full,
}

/// A bucket of tokens that each client pays its retries from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tokens of a client, at the start and at most.
    pub tokens: u16,
    /// What a retry costs.
    pub cost: u8,
    /// What a retry costs if the attempt before it timed out.
    pub timeout_cost: u8,
    /// What a retry costs if the attempt before it was throttled.
    pub throttled_cost: u8,
}

impl Quota {
    /// Tokens that a success without a retry gives back.
    const CLEAN_SUCCESS: u16 = 1;

    /// Standard mode as it is by default (specification 2.0).
    pub const STANDARD: Self = Self { tokens: 500, cost: 5, timeout_cost: 10, throttled_cost: 5 };
    /// Standard mode of specification 2.1.
    pub const STANDARD_2_1: Self = Self { tokens: 500, cost: 14, timeout_cost: 14, throttled_cost: 5 };

    /// What a retry after an attempt with this outcome costs.
    #[must_use]
    pub fn price(&self, outcome: Outcome) -> u8 {
        if is_throttled(outcome) {
            self.throttled_cost
        } else if matches!(outcome.cause, Cause::ClientTimeout | Cause::CallTimeout) {
            self.timeout_cost
        } else {
            self.cost
        }
    }

    /// Takes the price of a retry out of a bucket; `None` if there is not enough in it, and then nothing is taken.
    #[must_use]
    pub fn acquire(&self, bucket: &mut u16, outcome: Outcome) -> Option<u8> {
        let price = self.price(outcome);
        *bucket = bucket.checked_sub(u16::from(price))?;
        Some(price)
    }

    /// An attempt went well; `price` is what it cost as a retry, 0 for a first attempt. A first attempt gives back 1, a retry its own
    /// price.
    pub fn release(&self, bucket: &mut u16, price: u8) {
        let back = if price == 0 { Self::CLEAN_SUCCESS } else { u16::from(price) };
        *bucket = (*bucket + back).min(self.tokens);
    }
}

/// Whether a service said that it was asked too often.
pub(super) fn is_throttled(outcome: Outcome) -> bool {
    outcome.cause == Cause::Throttled || outcome.status == 429
}

impl Retry {
    /// Nothing is retried.
    pub const NEVER: Self = Self {
        max_attempts: 1,
        backoff: SimDuration::ZERO,
        throttled_backoff: SimDuration::ZERO,
        max_backoff: SimDuration::ZERO,
        jitter: Jitter::None,
        sdk_errors_only: false,
        quota: None,
        adaptive: false,
    };

    /// So many attempts whatever the failure, with a back-off that doubles.
    #[must_use]
    pub const fn plain(max_attempts: u16, backoff: SimDuration, max_backoff: SimDuration, jitter: Jitter) -> Self {
        Self { max_attempts, backoff, throttled_backoff: backoff, max_backoff, jitter, ..Self::NEVER }
    }

    /// Whether attempt number `attempt` (from 1) that ended so is to be followed by another, quota aside.
    #[must_use]
    pub fn again(&self, attempt: u16, outcome: Outcome) -> bool {
        if outcome.is_ok() || attempt >= self.max_attempts || outcome.cause == Cause::CircuitOpen {
            return false;
        }
        !self.sdk_errors_only || is_throttled(outcome) || matches!(outcome.status, 0 | 500 | 502 | 503 | 504)
    }

    /// How long to wait after attempt number `attempt` (from 1) failed so: `min(backoff x 2^(attempt - 1), max_backoff)`, with
    /// full jitter times a uniform `u` of 0..1 (AWS Architecture Blog, "Exponential Backoff And Jitter"; botocore standard.py).
    #[must_use]
    pub fn delay(&self, attempt: u16, outcome: Outcome, u: f64) -> SimDuration {
        let base = if is_throttled(outcome) { self.throttled_backoff } else { self.backoff };
        let doublings = u32::from(attempt.saturating_sub(1)).min(62);
        let whole = base.times(1 << doublings).min(self.max_backoff);
        match self.jitter {
            Jitter::None => whole,
            Jitter::Full => whole.scale(u),
        }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::random::{Source, Stream};

    use super::*;

    const ERROR: Outcome = Outcome::failed(503, Cause::Overloaded);
    const TIMEOUT: Outcome = Outcome::failed(0, Cause::ClientTimeout);
    const THROTTLED: Outcome = Outcome::failed(429, Cause::Throttled);

    fn standard() -> Retry {
        let second = SimDuration::from_secs(1);
        Retry {
            max_attempts: 3,
            backoff: second,
            throttled_backoff: second,
            max_backoff: SimDuration::from_secs(20),
            jitter: Jitter::Full,
            sdk_errors_only: true,
            quota: Some(Quota::STANDARD),
            adaptive: false,
        }
    }

    /// One call: attempts until one goes well, three have been made or the quota is empty. Returns how many were made.
    fn call(quota: Quota, bucket: &mut u16, mut attempt: impl FnMut() -> Outcome) -> u32 {
        let mut price = 0;
        for made in 1..=3 {
            let outcome = attempt();
            if outcome.is_ok() {
                quota.release(bucket, price);
                return made;
            }
            if made == 3 {
                return made;
            }
            match quota.acquire(bucket, outcome) {
                Some(paid) => price = paid,
                None => return made,
            }
        }
        unreachable!("the third attempt is the last")
    }

    #[test]
    fn backoff_doubles_up_to_its_cap() {
        let retry =
            Retry { backoff: SimDuration::from_millis(100), max_backoff: SimDuration::from_secs(1), ..standard() };
        let plain = Retry { jitter: Jitter::None, ..retry.clone() };
        let delays: Vec<u64> = (1..6).map(|attempt| plain.delay(attempt, ERROR, 0.0).as_nanos() / 1_000_000).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000]);
        assert_eq!(retry.delay(2, ERROR, 0.25).as_nanos(), 50_000_000);
        assert_eq!(retry.delay(1, THROTTLED, 0.5), SimDuration::from_millis(500));
    }

    #[test]
    fn sdks_retry_what_may_pass() {
        let again = |outcome| standard().again(1, outcome);
        assert!(again(ERROR) && again(TIMEOUT) && again(THROTTLED) && again(Outcome::failed(500, Cause::TargetError)));
        assert!(!again(Outcome::failed(404, Cause::AlbFixed)) && !again(Outcome::OK));
        assert!(!again(Outcome::failed(0, Cause::CircuitOpen)), "an open circuit is not asked again");
        assert!(!standard().again(3, ERROR));
        let any = Retry { sdk_errors_only: false, ..standard() };
        assert!(any.again(1, Outcome::failed(404, Cause::AlbFixed)));
    }

    /// Fact sheet, section 17: 500 / 5 = 100 retries, 50 calls tried three times, then each fails on its first attempt; with
    /// timeouts 50 retries; under specification 2.1 floor(500 / 14) = 35.
    #[test]
    fn worked_example_of_a_total_outage() {
        for (quota, outcome, retries) in
            [(Quota::STANDARD, ERROR, 100), (Quota::STANDARD, TIMEOUT, 50), (Quota::STANDARD_2_1, ERROR, 35)]
        {
            let mut bucket = quota.tokens;
            let attempts: Vec<u32> = (0..200).map(|_| call(quota, &mut bucket, || outcome)).collect();
            assert_eq!(attempts.iter().map(|made| made - 1).sum::<u32>(), retries);
            let thrice = attempts.iter().take_while(|&&made| made == 3).count();
            assert_eq!(thrice as u32, retries / 2);
            assert!(attempts[thrice + 1..].iter().all(|&made| made == 1), "then every call fails on its first attempt");
        }
    }

    /// Fact sheet, section 17: the bucket regains 1 per clean success.
    #[test]
    fn worked_example_of_the_refill_after_recovery() {
        let quota = Quota::STANDARD;
        let mut bucket = 0;
        for _ in 0..499 {
            call(quota, &mut bucket, || Outcome::OK);
        }
        assert_eq!(bucket, 499);
        call(quota, &mut bucket, || Outcome::OK);
        call(quota, &mut bucket, || Outcome::OK);
        assert_eq!(bucket, 500, "and never holds more");
    }

    /// Fact sheet, section 17: if a share q of calls fails on all three attempts and the others succeed at once, the quota
    /// drains for good above q = 1 / (1 + 2c): 9.1 % with c = 5, 3.4 % with c = 14; if attempts fail independently, above
    /// p = 0.32 and 0.215.
    #[test]
    fn worked_example_of_when_the_quota_drains() {
        // Mean tokens after many calls, from the middle, tells which way it goes.
        let level = |quota: Quota, p: f64, independent: bool| {
            let mut source = Stream::from_key(17);
            let (mut bucket, mut sum) = (250, 0.0);
            for _ in 0..40_000 {
                let all_fail = source.uniform() < p;
                call(quota, &mut bucket, || {
                    let fails = if independent { source.uniform() < p } else { all_fail };
                    if fails { ERROR } else { Outcome::OK }
                });
                sum += f64::from(bucket);
            }
            sum / 40_000.0
        };
        for (quota, together, apart) in [(Quota::STANDARD, 1.0 / 11.0, 0.32), (Quota::STANDARD_2_1, 1.0 / 29.0, 0.215)]
        {
            for (threshold, independent) in [(together, false), (apart, true)] {
                let below = level(quota, threshold * 0.8, independent);
                let above = level(quota, threshold * 1.2, independent);
                assert!(below > 350.0 && above < 150.0, "{below} {above}");
            }
        }
    }

    /// Fact sheet, section 17: a call that uses all three attempts waits 0.5 + 1.0 = 1.5 s on average under 2.0, and
    /// 0.025 + 0.05 = 0.075 s under 2.1.
    #[test]
    fn worked_example_of_the_added_delay() {
        let added = |retry: &Retry| {
            let mean = |attempt| retry.delay(attempt, ERROR, 0.5).as_secs_f64();
            mean(1) + mean(2)
        };
        assert!((added(&standard()) - 1.5).abs() < 1e-9);
        let newer = Retry { backoff: SimDuration::from_millis(50), quota: Some(Quota::STANDARD_2_1), ..standard() };
        assert!((added(&newer) - 0.075).abs() < 1e-9);
    }
}
