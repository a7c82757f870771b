//! Single stations.

use sim_core::math::{exp, ln, normal_quantile, sqrt};

use super::Family;
use crate::validate::case::{Case, exact};
use crate::validate::theory::crossing;
use crate::validate::theory::models::{
    admitted_sojourn, hyperexponential_sojourn, limited_sharing_mean, sharing_sojourn,
};
use crate::validate::theory::queues::{
    Mmc, erlang_b, exponential_quantile, gim1_root, md1_wait_at_most, mmck, pollaczek_khinchine,
};

/// What `queue.toml` has.
const ARRIVALS: f64 = 60.0;
const SERVICE: f64 = 100.0;

/// First come, first served.
pub fn single() -> Family {
    Family {
        title: "Single queues",
        text: "First come, first served, at one station.",
        cases: vec![
            Case {
                name: "mm1",
                law: "M/M/1 at 60 % load",
                source: "sojourn exponential with rate mu - lambda; Shortle, Thompson, Gross and Harris, Fundamentals of Queueing \
                         Theory (2018), 2.2",
                scenario: "queue",
                set: &[],
                fast: false,
                figures: || {
                    let mean = 1.0 / (SERVICE - ARRIVALS);
                    vec![
                        exact("latency.mean", mean),
                        exact("latency.p50", exponential_quantile(mean, 0.5)),
                        exact("latency.p90", exponential_quantile(mean, 0.9)),
                        exact("latency.p99", exponential_quantile(mean, 0.99)),
                        exact("stations.station.desk.mean_in_system", ARRIVALS * mean),
                        exact("stations.station.desk.utilisation", 0.6),
                        exact("throughput", ARRIVALS),
                    ]
                },
            },
            Case {
                name: "mm1-20",
                law: "M/M/1 at 20 % load",
                source: "as mm1",
                scenario: "queue",
                set: &["traffic.customers.rate=20/s", "run.duration=600s", "run.warm_up=10s", "run.replications=60"],
                fast: true,
                figures: || {
                    let mean = 1.0 / 80.0;
                    vec![
                        exact("latency.mean", mean),
                        exact("latency.p50", exponential_quantile(mean, 0.5)),
                        exact("latency.p95", exponential_quantile(mean, 0.95)),
                        exact("stations.station.desk.utilisation", 0.2),
                    ]
                },
            },
            Case {
                name: "mmc",
                law: "M/M/4 at 75 % load",
                source: "Erlang's delay formula C; Shortle et al. (2018), 2.3",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=300/s",
                    "station.desk.servers=4",
                    "run.duration=2800s",
                    "run.warm_up=20s",
                ],
                fast: false,
                figures: || {
                    let mm4 = Mmc { arrivals: 300.0, service: SERVICE, servers: 4 };
                    vec![
                        exact("stations.station.desk.mean_wait", mm4.mean_wait()),
                        exact("latency.mean", mm4.mean_sojourn()),
                        exact("latency.p50", mm4.quantile(0.5)),
                        exact("latency.p90", mm4.quantile(0.9)),
                        exact("latency.p99", mm4.quantile(0.99)),
                        exact("stations.station.desk.utilisation", 0.75),
                    ]
                },
            },
            Case {
                name: "mmck",
                law: "M/M/2/6 at 120 % offered load",
                source: "truncated birth and death; Shortle et al. (2018), 2.5",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=240/s",
                    "station.desk.servers=2",
                    "station.desk.room=4",
                    "run.duration=300s",
                    "run.warm_up=5s",
                ],
                fast: true,
                figures: || {
                    let shares = mmck(2.4, 2, 6);
                    let present: f64 = shares.iter().enumerate().map(|(n, share)| n as f64 * share).sum();
                    let admitted = 240.0 * (1.0 - shares[6]);
                    let sojourn = admitted_sojourn(&shares, SERVICE, 2);
                    vec![
                        exact("error_rate", shares[6]),
                        exact("stations.station.desk.mean_in_system", present),
                        exact("latency.mean", present / admitted),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                        exact("stations.station.desk.utilisation", admitted / 200.0),
                    ]
                },
            },
            Case {
                name: "md1",
                law: "M/D/1 at 60 % load",
                source: "Erlang (1909); Franx, Operations Research Letters 29 (2001) 221-229, doi:10.1016/S0167-6377(01)00108-0",
                scenario: "queue",
                set: &["station.desk.service=10ms", "run.duration=3100s"],
                fast: false,
                figures: || {
                    let quantile = |q: f64| 0.01 + crossing(q, 0.0, 0.01, |t| md1_wait_at_most(ARRIVALS, 0.01, t));
                    vec![
                        exact("latency.mean", 0.01 + pollaczek_khinchine(0.6, 0.01, 0.0)),
                        exact("latency.p90", quantile(0.9)),
                        exact("latency.p99", quantile(0.99)),
                    ]
                },
            },
            Case {
                name: "dm1",
                law: "D/M/1 at 60 % load",
                source: "GI/M/1, sojourn exponential with rate mu (1 - z), z = A*(mu (1 - z)); Shortle et al. (2018), 5.3",
                scenario: "queue",
                set: &["traffic.customers.arrivals=deterministic", "run.duration=4500s"],
                fast: false,
                figures: || {
                    let mean = 1.0 / SERVICE / (1.0 - gim1_root(SERVICE, |s| exp(-s / ARRIVALS)));
                    vec![
                        exact("latency.mean", mean),
                        exact("latency.p50", exponential_quantile(mean, 0.5)),
                        exact("latency.p99", exponential_quantile(mean, 0.99)),
                        exact("throughput", ARRIVALS),
                    ]
                },
            },
            Case {
                name: "mg1-lognormal",
                law: "M/G/1, lognormal service with a coefficient of variation of 1.2, at 60 % load",
                source: "Pollaczek (1930) and Khinchine (1932)",
                scenario: "queue",
                set: &["station.desk.service={ lognormal = { mean = \"10ms\", cv = 1.2 } }", "run.duration=10100s"],
                fast: false,
                figures: || {
                    let wait = pollaczek_khinchine(0.6, 0.01, 1.2);
                    vec![
                        exact("stations.station.desk.mean_wait", wait),
                        exact("latency.mean", 0.01 + wait),
                        exact("stations.station.desk.mean_waiting", ARRIVALS * wait),
                    ]
                },
            },
            Case {
                name: "mg1-hyperexponential",
                law: "M/H2/1, coefficient of variation 2, at 60 % load",
                source: "Pollaczek (1930) and Khinchine (1932); percentiles by the Markov chain of (present, phase)",
                scenario: "queue",
                set: &[
                    "station.desk.service={ hyperexponential = { mean = \"10ms\", cv = 2.0 } }",
                    "run.duration=16000s",
                ],
                fast: false,
                figures: || {
                    let sojourn = hyperexponential_sojourn(ARRIVALS, 0.01, 2.0);
                    vec![
                        exact("latency.mean", 0.01 + pollaczek_khinchine(0.6, 0.01, 2.0)),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p95", sojourn.quantile(0.95)),
                    ]
                },
            },
        ],
    }
}

/// Processor sharing.
pub fn sharing() -> Family {
    Family {
        title: "Processor sharing",
        text: "All requests at once, the cores shared evenly; insensitive to the distribution of demands.",
        cases: vec![
            Case {
                name: "ps",
                law: "M/M/1-PS at 60 % load",
                source: "Coffman, Muntz and Trotter, J. ACM 17 (1970) 123-130, doi:10.1145/321556.321568; percentiles by the chain of \
                         a tagged request",
                scenario: "queue",
                set: &["station.desk.discipline=processor_sharing"],
                fast: false,
                figures: || {
                    let sojourn = sharing_sojourn(ARRIVALS, SERVICE, 1, None);
                    vec![
                        exact("latency.mean", 0.025),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            },
            Case {
                name: "ps-cores",
                law: "processor sharing among 3 cores at 70 % load",
                source: "state-dependent rates of Cohen, Acta Informatica 12 (1979) 245-284; percentiles as ps",
                scenario: "queue",
                set: &[
                    "station.desk.discipline=processor_sharing",
                    "station.desk.servers=3",
                    "traffic.customers.rate=210/s",
                    "run.duration=1500s",
                    "run.warm_up=20s",
                ],
                fast: false,
                figures: || {
                    let sojourn = sharing_sojourn(210.0, SERVICE, 3, None);
                    vec![
                        exact("latency.mean", Mmc { arrivals: 210.0, service: SERVICE, servers: 3 }.mean_sojourn()),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                        exact("stations.station.desk.utilisation", 0.7),
                    ]
                },
            },
            Case {
                name: "ps-insensitive-lognormal",
                law: "M/G/1-PS with lognormal demands, coefficient of variation 2, at 60 % load",
                source: "insensitivity: the mean is that of M/M/1; Sakata, Noguchi and Oizumi, Operations Research 19 (1971) 371-385",
                scenario: "queue",
                set: &[
                    "station.desk.discipline=processor_sharing",
                    "station.desk.service={ lognormal = { mean = \"10ms\", cv = 2.0 } }",
                ],
                fast: false,
                figures: || vec![exact("latency.mean", 0.025), exact("stations.station.desk.mean_in_system", 1.5)],
            },
            Case {
                name: "ps-insensitive-constant",
                law: "M/D/3-PS at 70 % load",
                source: "insensitivity: the mean is that of M/M/3; Cohen (1979)",
                scenario: "queue",
                set: &[
                    "station.desk.discipline=processor_sharing",
                    "station.desk.servers=3",
                    "station.desk.service=10ms",
                    "traffic.customers.rate=210/s",
                    "run.duration=1000s",
                    "run.warm_up=20s",
                ],
                fast: false,
                figures: || {
                    vec![exact("latency.mean", Mmc { arrivals: 210.0, service: SERVICE, servers: 3 }.mean_sojourn())]
                },
            },
            Case {
                name: "ps-limited",
                law: "M/M/1 with the core shared by 3 at most, 60 % load",
                source: "Avi-Itzhak and Halfin, Journal of Applied Probability 24 (1987) 990-1000, doi:10.1017/S0021900200116845; the \
                         mean is that of M/M/1, percentiles by the chain of a tagged request",
                scenario: "queue",
                set: &["station.desk.discipline=processor_sharing", "station.desk.limit=3"],
                fast: false,
                figures: || {
                    let sojourn = sharing_sojourn(ARRIVALS, SERVICE, 1, Some(3));
                    vec![
                        exact("latency.mean", 0.025),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            },
            Case {
                name: "ps-limited-hyperexponential",
                law: "M/H2/1 with the core shared by 3 at most, coefficient of variation 2, 60 % load",
                source: "the Markov chain of (phases in service, waiting); between 47.5 ms (one by one) and 25 ms (all at once)",
                scenario: "queue",
                set: &[
                    "station.desk.discipline=processor_sharing",
                    "station.desk.limit=3",
                    "station.desk.service={ hyperexponential = { mean = \"10ms\", cv = 2.0 } }",
                    "run.duration=12800s",
                ],
                fast: false,
                figures: || vec![exact("latency.mean", limited_sharing_mean(ARRIVALS, 0.01, 2.0, 3))],
            },
        ],
    }
}

/// Where nobody waits, or not for ever.
pub fn losses() -> Family {
    Family {
        title: "Loss and delay systems",
        text: "Erlang's formulas.",
        cases: vec![
            Case {
                name: "erlang-b",
                law: "M/M/10/10, 8 erlangs",
                source: "Erlang's loss formula B (1917)",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=800/s",
                    "station.desk.servers=10",
                    "station.desk.room=0",
                    "run.duration=200s",
                    "run.warm_up=5s",
                ],
                fast: true,
                figures: || {
                    let lost = erlang_b(10, 8.0);
                    vec![
                        exact("error_rate", lost),
                        exact("stations.station.desk.mean_in_system", 8.0 * (1.0 - lost)),
                        exact("latency.p99", exponential_quantile(0.01, 0.99)),
                    ]
                },
            },
            Case {
                name: "erlang-b-insensitive",
                law: "M/G/10/10 with lognormal service, 8 erlangs",
                source: "insensitivity of B to the distribution of service; Sevastyanov, Teoriya Veroyatnostei i ee \
                         Primeneniya 2 (1957) 106-116",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=800/s",
                    "station.desk.servers=10",
                    "station.desk.room=0",
                    "station.desk.service={ lognormal = { mean = \"10ms\", cv = 1.5 } }",
                    "run.duration=280s",
                    "run.warm_up=5s",
                ],
                fast: true,
                figures: || {
                    // Who is let in never waits: the percentiles are those of the service.
                    let spread: f64 = 1.0 + 1.5 * 1.5;
                    let quantile = |p| 0.01 / sqrt(spread) * exp(sqrt(ln(spread)) * normal_quantile(p));
                    vec![
                        exact("error_rate", erlang_b(10, 8.0)),
                        exact("latency.mean", 0.01),
                        exact("latency.p50", quantile(0.5)),
                        exact("latency.p90", quantile(0.9)),
                    ]
                },
            },
            Case {
                name: "erlang-c",
                law: "M/M/10, 8 erlangs",
                source: "Erlang's delay formula C (1917)",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=800/s",
                    "station.desk.servers=10",
                    "run.duration=300s",
                    "run.warm_up=10s",
                ],
                fast: false,
                figures: || {
                    let mm10 = Mmc { arrivals: 800.0, service: SERVICE, servers: 10 };
                    vec![
                        exact("latency.mean", mm10.mean_sojourn()),
                        exact("latency.p90", mm10.quantile(0.9)),
                        exact("latency.p99", mm10.quantile(0.99)),
                    ]
                },
            },
        ],
    }
}
