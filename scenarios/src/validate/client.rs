//! What clients do: how they connect, retry, and when they stop asking.

use models::client::{CircuitBreaker, Connections, Jitter, Quota, Retry};
use sim_core::SimDuration;

use super::Check;
use crate::decode::Sp;
use crate::raw::traffic as raw;

/// Most clients that each have a circuit or a rate limit of their own.
const MAX_MINDFUL: u32 = 1_000_000;

/// What AWS's SDKs do about failures by default (botocore/retries/standard.py, botocore/data/_retry.json), and what is done without.
pub(super) fn of_mode(mode: raw::RetryMode) -> Retry {
    let second = SimDuration::from_secs(1);
    let longest = SimDuration::from_secs(20);
    let standard =
        Retry { sdk_errors_only: true, quota: Some(Quota::STANDARD), ..Retry::plain(3, second, longest, Jitter::Full) };
    match mode {
        raw::RetryMode::Custom => Retry::plain(1, SimDuration::from_millis(100), longest, Jitter::Full),
        raw::RetryMode::Standard => standard,
        raw::RetryMode::Adaptive => Retry { adaptive: true, ..standard },
        raw::RetryMode::Standard21 => {
            Retry { backoff: SimDuration::from_millis(50), quota: Some(Quota::STANDARD_2_1), ..standard }
        }
        raw::RetryMode::Legacy => Retry { max_attempts: 5, quota: None, ..standard },
    }
}

impl Check<'_> {
    /// What a population of so many clients, or of calling tasks, does about failures.
    pub(super) fn retry(&mut self, retry: &raw::Retry, clients: u32) -> Retry {
        let mode = of_mode(retry.mode.value);
        let max_attempts = retry.max_attempts.as_ref();
        let backoff = retry.backoff.as_ref().map(|backoff| self.delay(backoff, "backoff"));
        let quota = self.quota(retry, mode.quota);
        if mode.adaptive {
            self.mindful(clients, &retry.mode, "the adaptive mode");
        }
        Retry {
            max_attempts: max_attempts.map_or(mode.max_attempts, |n| self.count(n, "max_attempts", 1, 1000) as u16),
            backoff: backoff.unwrap_or(mode.backoff),
            throttled_backoff: match (retry.mode.value, backoff) {
                (raw::RetryMode::Standard21, _) | (_, None) => mode.throttled_backoff,
                (_, Some(backoff)) => backoff,
            },
            max_backoff: self.delay(&retry.max_backoff, "max_backoff"),
            jitter: match retry.jitter.value {
                raw::Jitter::Full => Jitter::Full,
                raw::Jitter::None => Jitter::None,
            },
            quota,
            ..mode
        }
    }

    fn quota(&mut self, retry: &raw::Retry, of_mode: Option<Quota>) -> Option<Quota> {
        let tokens = match &retry.quota {
            None => of_mode.map(|quota| quota.tokens),
            Some(Sp { value: raw::QuotaSetting::None, .. }) => None,
            Some(Sp { value: raw::QuotaSetting::Tokens(tokens), span }) => {
                Some(self.count(&Sp { value: *tokens, span: *span }, "a retry quota", 1, u32::from(u16::MAX)) as u16)
            }
        };
        let mut cost = |n: &Sp<u32>, what: &str| self.count(n, what, 1, u32::from(u8::MAX)) as u8;
        let usual = of_mode.unwrap_or(Quota::STANDARD);
        let given = retry.retry_cost.as_ref().map(|n| cost(n, "retry_cost"));
        let after_timeout = retry.timeout_cost.as_ref().map(|n| cost(n, "timeout_cost"));
        let throttled_cost = cost(&retry.throttling_cost, "throttling_cost");
        let without = [&retry.retry_cost, &retry.timeout_cost].into_iter().flatten().next();
        if let (Some(without), None) = (without, tokens) {
            self.error(without.span, "retries cost nothing where there is no quota", "add `quota`, or remove it");
        }
        Some(Quota {
            tokens: tokens?,
            cost: given.unwrap_or(usual.cost),
            timeout_cost: after_timeout.unwrap_or(usual.timeout_cost),
            throttled_cost,
        })
    }

    /// Refuses a population that is too large for what each of its clients has to remember.
    fn mindful<T>(&mut self, clients: u32, place: &Sp<T>, what: &str) {
        if clients > MAX_MINDFUL {
            let title = format!("{what} remembers about 100 bytes for each of {clients} clients");
            self.error(place.span, title, format!("at most {MAX_MINDFUL} clients"));
        }
    }

    pub(super) fn connections(&mut self, connections: &raw::Connections) -> Connections {
        let protocol = connections.protocol.value;
        if protocol == raw::Protocol::H3 && connections.tls.value != raw::Tls::V13 {
            self.error(connections.tls.span, "HTTP/3 has TLS 1.3 in its own handshake", "remove `tls`");
        }
        let handshakes = match (protocol, connections.tls.value) {
            (raw::Protocol::H3, _) | (_, raw::Tls::None) => 1,
            (_, raw::Tls::V13) => 2,
            (_, raw::Tls::V12) => 3,
        };
        let http1 = protocol == raw::Protocol::Http1;
        let usual = if http1 { 6 } else { 1 };
        let per_client = connections.per_client.as_ref();
        let streams = self.count(&connections.streams, "streams", 1, 10_000) as u16;
        Connections {
            streams: if http1 { 1 } else { streams },
            per_client: per_client.map_or(usual, |n| self.count(n, "per_client", 1, 10_000) as u16),
            handshakes,
            idle_timeout: self.time(&connections.idle_timeout, "idle_timeout", 0.001, 86_400.0 * 365.0, ""),
            max_age: self.time(&connections.max_age, "max_age", 0.001, 86_400.0 * 365.0, ""),
        }
    }

    pub(super) fn circuit_breaker(&mut self, breaker: &raw::CircuitBreaker, clients: u32) -> CircuitBreaker {
        self.mindful(clients, &breaker.failure_rate, "a circuit breaker");
        CircuitBreaker {
            window: self.time(&breaker.window, "window", 0.01, 86_400.0, ""),
            minimum_calls: self.count(&breaker.minimum_calls, "minimum_calls", 1, 100_000),
            failure_rate: self.share(&breaker.failure_rate, "failure_rate"),
            open_for: self.time(&breaker.open_for, "open_for", 0.001, 86_400.0, ""),
        }
    }
}
