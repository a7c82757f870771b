//! Who gives up, who tries again, and what fails.

use sim_core::math::{exp, ln};

use super::Family;
use crate::validate::case::{Case, about, exact};
use crate::validate::theory::crossing;
use crate::validate::theory::models::{breakdown_loss, breakdown_sojourn, erlang_a};
use crate::validate::theory::queues::{at_least, mm1_constant_patience};

/// Giving up, trying again, and limits.
pub fn patience() -> Family {
    Family {
        title: "Patience, retries and limits",
        text: "Requests that leave the queue, clients that give up while the server works on, retries, token buckets, and what a \
               load generator that waits for answers does not see.",
        cases: vec![
            Case {
                name: "patience",
                law: "M/M/2+M at 110 % offered load, patience 30 ms",
                source: "Erlang A: Palm, Research on Telephone Traffic Carried by Full Availability Groups (1957); \
                         Garnett, Mandelbaum and Reiman (2002), doi:10.1287/msom.4.3.208.7753",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=220/s",
                    "station.desk.servers=2",
                    "station.desk.patience={ exponential = \"30ms\" }",
                    "run.duration=900s",
                    "run.warm_up=10s",
                ],
                fast: false,
                figures: || {
                    let law = erlang_a(220.0, 100.0, 2, 0.03);
                    vec![
                        exact("error_rate", law.gives_up),
                        exact("stations.station.desk.mean_waiting", law.waiting),
                        exact("stations.station.desk.utilisation", law.busy / 2.0),
                    ]
                },
            },
            Case {
                name: "patience-constant",
                law: "M/M/1+D at 90 % offered load, patience 20 ms",
                source: "the work in front of an arrival has a density in two pieces; Barrer, Queuing with Impatient Customers and \
                         Ordered Service (1957), Baccelli and Hebuterne, On Queues with Impatient Customers (1981)",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=90/s",
                    "station.desk.patience=20ms",
                    "run.duration=900s",
                    "run.warm_up=10s",
                ],
                fast: false,
                figures: || {
                    let law = mm1_constant_patience(90.0, 100.0, 0.02);
                    vec![
                        exact("error_rate", law.gives_up),
                        exact("stations.station.desk.mean_wait", law.mean_wait),
                        exact("latency.mean", law.mean_wait + 0.01),
                        exact("latency.p50", law.quantile(0.5)),
                        exact("latency.p90", law.quantile(0.9)),
                        exact("latency.p99", law.quantile(0.99)),
                        exact("latency_failed.mean", 0.02),
                    ]
                },
            },
            Case {
                name: "client-timeout",
                law: "M/M/1 at 60 % load whose clients give up after 40 ms while the server works on",
                source: "the queue is M/M/1 all the same: a share of exp(-(mu - lambda) t) gives up",
                scenario: "queue",
                set: &["traffic.customers.timeout=40ms"],
                fast: false,
                figures: || {
                    let (rate, limit) = (40.0, 0.04);
                    let late = exp(-rate * limit);
                    let quantile = |q: f64| -ln(1.0 - q * (1.0 - late)) / rate;
                    vec![
                        exact("error_rate", late),
                        exact("stations.station.desk.utilisation", 0.6),
                        exact("stations.station.desk.mean_in_system", 1.5),
                        exact("latency.mean", 1.0 / rate - limit * late / (1.0 - late)),
                        exact("latency.p50", quantile(0.5)),
                        exact("latency.p90", quantile(0.9)),
                        exact("latency.p99", quantile(0.99)),
                    ]
                },
            },
            Case {
                name: "retries",
                law: "four attempts of 100 ms at exponential services of 100 ms, without back-off",
                source: "attempts are independent: each fails with probability p = 1/e, and its work is done all the same",
                scenario: "delay",
                set: &[
                    "traffic.customers.arrivals=deterministic",
                    "traffic.customers.timeout=100ms",
                    "traffic.customers.retry={ max_attempts = 4, backoff = \"0s\" }",
                    "run.duration=410s",
                ],
                fast: false,
                figures: || {
                    let law = Retries { backoff: 0.0 };
                    vec![
                        exact("requests.attempts", 400_000.0 * law.amplification()),
                        exact("stations.station.desk.mean_in_system", 1000.0 * 0.1 * law.amplification()),
                        exact("error_rate", exp(-4.0)),
                        exact("latency.mean", law.mean()),
                        exact("latency.p50", law.quantile(0.5)),
                        exact("latency.p90", law.quantile(0.9)),
                        exact("latency.p99", law.quantile(0.99)),
                        exact("latency_failed.mean", 0.4),
                    ]
                },
            },
            Case {
                name: "retries-backoff",
                law: "the same with a back-off of 50, 100 and 200 ms",
                source: "as retries; AWS Architecture Blog, Exponential Backoff And Jitter, for the delays",
                scenario: "delay",
                set: &[
                    "traffic.customers.arrivals=deterministic",
                    "traffic.customers.timeout=100ms",
                    "traffic.customers.retry={ max_attempts = 4, backoff = \"50ms\", jitter = \"none\" }",
                    "run.duration=410s",
                ],
                fast: false,
                figures: || {
                    let law = Retries { backoff: 0.05 };
                    vec![
                        exact("requests.attempts", 400_000.0 * law.amplification()),
                        exact("error_rate", exp(-4.0)),
                        exact("latency.mean", law.mean()),
                        exact("latency.p50", law.quantile(0.5)),
                        exact("latency.p90", law.quantile(0.9)),
                        exact("latency.p99", law.quantile(0.99)),
                        exact("latency_failed.mean", 0.75),
                    ]
                },
            },
            Case {
                name: "retries-jitter",
                law: "the same with full jitter",
                source: "as retries-backoff: half of each back-off on average",
                scenario: "delay",
                set: &[
                    "traffic.customers.arrivals=deterministic",
                    "traffic.customers.timeout=100ms",
                    "traffic.customers.retry={ max_attempts = 4, backoff = \"50ms\", jitter = \"full\" }",
                    "run.duration=110s",
                ],
                fast: true,
                figures: || {
                    let law = Retries { backoff: 0.025 };
                    vec![
                        exact("requests.attempts", 100_000.0 * law.amplification()),
                        exact("latency.mean", law.mean()),
                        exact("latency_failed.mean", 0.4 + 0.175),
                    ]
                },
            },
            Case {
                name: "token-bucket",
                law: "a bucket of 3,000 tokens and 100/s, asked for 400/s: empty after 10 s",
                source: "arithmetic: 3,000 + 100 t = 400 t; then three of four are refused, each second one of downtime",
                scenario: "delay",
                set: &[
                    "traffic.customers.arrivals=deterministic",
                    "traffic.customers.rate=400/s",
                    "station.desk.rate_limit={ rate = \"100/s\", burst = 3000 }",
                    "run.warm_up=0s",
                    "run.duration=100s",
                    "run.replications=2",
                ],
                fast: true,
                figures: || {
                    vec![
                        // The very first arrival comes after one gap, and the last token counts whole.
                        about("errors.throttled", 27_000.0, 0.000_1),
                        exact("downtime.total_s", 90.0),
                        exact("downtime.windows", 1.0),
                    ]
                },
            },
            Case {
                name: "burst-capacity",
                law: "a DynamoDB table with 30,000 units kept for bursts and 100/s, asked for 400/s: used up after 100 s",
                source: "arithmetic, as token-bucket; DynamoDB guide, burst-adaptive-capacity, for the 300 s that are kept",
                scenario: "burst",
                set: &[],
                fast: true,
                figures: || {
                    vec![
                        about("errors.throttled", 30_000.0, 0.000_1),
                        exact("downtime.total_s", 100.0),
                        exact("downtime.windows", 1.0),
                    ]
                },
            },
            Case {
                name: "omission-open",
                law: "a server of 1 ms that stands still for 10 s of every 100 s, asked each 10 ms whatever it answers",
                source: "arithmetic: latencies fall from 10 s to nothing within 11.1 s; Tene, How Not to Measure \
                         Latency (QCon San Francisco 2012)",
                scenario: "queue",
                set: OMISSION,
                fast: true,
                figures: || {
                    vec![
                        about("latency.p90", 1.0, 0.01),
                        about("latency.p95", 5.5, 0.002),
                        about("latency.p99", 9.1, 0.002),
                        about("latency.mean", (0.5 * 10.0 * 10.0 / 0.9 + 0.001 * 88.889) / 100.0, 0.002),
                    ]
                },
            },
            Case {
                name: "omission-closed",
                law: "the same server, asked 10 ms after each answer: the measurement that omits what it ought to see",
                source: "arithmetic: of 8,183 requests in 100 s only one is slow",
                scenario: "closed",
                set: &[
                    "traffic.users.users=1",
                    "traffic.users.think_time=10ms",
                    "station.processor.then=[]",
                    "station.processor.service=1ms",
                    "station.processor.breakdown={ time_to_failure = \"90s\", repair_time = \"10s\" }",
                    "run.warm_up=50s",
                    "run.duration=1050s",
                    "run.replications=2",
                ],
                fast: true,
                figures: || {
                    vec![
                        exact("latency.p99", 0.001),
                        exact("latency.p999", 0.001),
                        about("latency.mean", (8182.0 * 0.001 + 10.0) / 8183.0, 0.002),
                    ]
                },
            },
        ],
    }
}

const OMISSION: &[&str] = &[
    "traffic.customers.rate=100/s",
    "traffic.customers.arrivals=deterministic",
    "station.desk.service=1ms",
    "station.desk.breakdown={ time_to_failure = \"90s\", repair_time = \"10s\" }",
    "run.warm_up=50s",
    "run.duration=1050s",
    "run.replications=2",
];

/// Four attempts with a timeout of 100 ms at services of 100 ms on average, and a back-off that doubles.
struct Retries {
    /// The first.
    backoff: f64,
}

impl Retries {
    const ATTEMPTS: i32 = 4;
    const LIMIT: f64 = 0.1;
    const SERVICE: f64 = 0.1;

    /// How likely an attempt fails.
    fn fails() -> f64 {
        exp(-Self::LIMIT / Self::SERVICE)
    }
    /// How likely the attempt of this number (from 0) is the one that is answered in time.
    fn share(attempt: i32) -> f64 {
        let p = Self::fails();
        let all = 1.0 - p * p * p * p;
        (0..attempt).fold((1.0 - p) / all, |share, _| share * p)
    }
    /// When that attempt begins.
    fn begins(&self, attempt: i32) -> f64 {
        (0..attempt).map(|failed| Self::LIMIT + self.backoff * f64::from(1 << failed)).sum()
    }
    /// Attempts per operation.
    fn amplification(&self) -> f64 {
        let p = Self::fails();
        (0..Self::ATTEMPTS).fold((0.0, 1.0), |(sum, power), _| (sum + power, power * p)).0
    }
    /// Mean latency of those that succeed.
    fn mean(&self) -> f64 {
        let p = Self::fails();
        let served = Self::SERVICE - Self::LIMIT * p / (1.0 - p);
        (0..Self::ATTEMPTS).map(|attempt| Self::share(attempt) * (self.begins(attempt) + served)).sum()
    }
    /// Its quantile.
    fn quantile(&self, q: f64) -> f64 {
        let p = Self::fails();
        let within = |t: f64| {
            let in_attempt = |t: f64| (1.0 - exp(-t.clamp(0.0, Self::LIMIT) / Self::SERVICE)) / (1.0 - p);
            (0..Self::ATTEMPTS).map(|attempt| Self::share(attempt) * in_attempt(t - self.begins(attempt))).sum()
        };
        crossing(q, 0.0, 1.0, within)
    }
}

/// Servers that fail.
pub fn failures() -> Family {
    Family {
        title: "Failures and availability",
        text: "Servers that break down and are repaired, and clients that find another one.",
        cases: vec![
            Case {
                name: "breakdowns",
                law: "M/M/1, up for 200 ms and down for 20 ms on average, at 60/s",
                source: "White and Christie, Operations Research 6 (1958), doi:10.1287/opre.6.1.79; percentiles by the Markov chain",
                scenario: "queue",
                set: &[
                    "station.desk.breakdown={ time_to_failure = { exponential = \"200ms\" }, repair_time = { exponential = \"20ms\" } }",
                    "run.duration=10000s",
                ],
                fast: false,
                figures: || {
                    let sojourn = breakdown_sojourn(60.0, 100.0, 0.2, 0.02);
                    vec![
                        exact("latency.mean", sojourn.mean()),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p95", sojourn.quantile(0.95)),
                        exact("counters.station.desk.servers up", 1.0 / 1.1),
                    ]
                },
            },
            Case {
                name: "breakdowns-lose",
                law: "M/M/1/1 that loses its request when it fails: up for 50 ms, down for 10 ms on average, at 60/s",
                source: "three states: idle, busy, down",
                scenario: "queue",
                set: &[
                    "station.desk.room=0",
                    "station.desk.breakdown={ time_to_failure = { exponential = \"50ms\" }, repair_time = { exponential = \"10ms\" }, \
                     on_failure = \"lose\", quorum = 1 }",
                    "run.duration=601s",
                    "run.warm_up=1s",
                ],
                fast: true,
                figures: || {
                    let (busy, down) = breakdown_loss(60.0, 100.0, 0.05, 0.01);
                    let lost = busy / 0.05 / 60.0;
                    vec![
                        exact("error_rate", busy + down + lost),
                        exact("errors.overloaded", 600.0 * 60.0 * busy),
                        exact("errors.server_down", 600.0 * 60.0 * (down + lost)),
                        exact("throughput", 60.0 * (1.0 - busy - down - lost)),
                    ]
                },
            },
            Case {
                name: "renewal",
                law: "one server, up for lognormal 80 ms and down for 10 to 30 ms: 80 % available",
                source: "alternating renewal: mean up over mean cycle, whatever the distributions; Barlow and \
                         Proschan, Statistical Theory of Reliability and Life Testing (1975)",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=1000/s",
                    "station.desk.service=1us",
                    "station.desk.breakdown={ time_to_failure = { lognormal = { mean = \"80ms\", cv = 0.5 } }, \
                     repair_time = { uniform = [\"10ms\", \"30ms\"] }, quorum = 1 }",
                    "run.duration=201s",
                    "run.warm_up=1s",
                ],
                fast: true,
                figures: || {
                    vec![
                        exact("counters.station.desk.availability", 0.8),
                        exact("counters.station.desk.failures", 2000.0),
                        exact("error_rate", 0.2),
                    ]
                },
            },
            Case {
                name: "k-of-n",
                law: "3 of 5 servers must be up, each 70 % available",
                source: "binomial: independent servers; Barlow and Proschan, Statistical Theory of Reliability and \
                         Life Testing (1975)",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=500/s",
                    "station.desk.service=1us",
                    "station.desk.servers=5",
                    "station.desk.breakdown={ time_to_failure = { exponential = \"70ms\" }, \
                     repair_time = { lognormal = { mean = \"30ms\", cv = 1.0 } }, quorum = 3 }",
                    "run.duration=901s",
                    "run.warm_up=1s",
                ],
                fast: false,
                figures: || {
                    let available = at_least(3, 5, 0.7);
                    vec![
                        exact("counters.station.desk.availability", available),
                        exact("counters.station.desk.servers up", 3.5),
                        exact("error_rate", 1.0 - available),
                    ]
                },
            },
            Case {
                name: "dns-failover",
                law: "a primary goes down; 16 checkers, 3 failures 10 s apart, 5 s of propagation, 60 s of TTL",
                source: "the 14th of 16 phases (14/17 of an interval), two intervals more, propagation, and what is left of a resolver's \
                         TTL: T^2 / 2 / (T + gap) by the renewal theorem",
                scenario: "dns",
                set: &[],
                fast: false,
                figures: || {
                    let gap = 50.0 / 200.0;
                    let lasts = 14.0 / 17.0 * 10.0 + 20.0 + 5.0 + 60.0 * 60.0 / 2.0 / (60.0 + gap);
                    vec![exact("errors.server_down", 200.0 * lasts)]
                },
            },
        ],
    }
}
