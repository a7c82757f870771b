//! Arrivals that are not Poisson, and rates that change.

use sim_core::math::exp;

use super::Family;
use crate::validate::case::{Case, exact};
use crate::validate::theory::models::{batch_sojourn, mm1_after_pauses, mmpp_sojourn};
use crate::validate::theory::queues::{batch_mean_sojourn, exponential_quantile};

/// Bursts, and rates that change.
pub fn arrivals() -> Family {
    Family {
        title: "Bursts and changing rates",
        text: "Batches, modulated arrivals, and what happens before there is a steady state.",
        cases: vec![
            Case {
                name: "batch",
                law: "M[X]/M/1 with batches of 4 at 60 % load",
                source: "Shortle et al. (2018), 3.1; percentiles by the Markov chain and the place in the batch",
                scenario: "queue",
                set: &["traffic.customers.batch=4", "run.duration=21000s"],
                fast: false,
                figures: || {
                    let sojourn = batch_sojourn(15.0, 4, 100.0);
                    vec![
                        exact("latency.mean", batch_mean_sojourn(15.0, 4.0, 16.0, 100.0)),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                        exact("throughput", 60.0),
                    ]
                },
            },
            Case {
                name: "batch-geometric",
                law: "M[X]/M/1 with geometric batches of 3 on average at 60 % load",
                source: "Shortle et al. (2018), 3.1: E[X] = 3, E[X^2] = 15",
                scenario: "queue",
                set: &["traffic.customers.batch={ geometric = 3.0 }", "run.duration=8100s"],
                fast: false,
                figures: || {
                    // Geometric batches keep the sojourn exponential.
                    let mean = batch_mean_sojourn(20.0, 3.0, 15.0, 100.0);
                    vec![
                        exact("latency.mean", mean),
                        exact("latency.p50", exponential_quantile(mean, 0.5)),
                        exact("latency.p90", exponential_quantile(mean, 0.9)),
                        exact("throughput", 60.0),
                    ]
                },
            },
            Case {
                name: "mmpp",
                law: "MMPP/M/1: 40/s for 400 ms and 120/s for 100 ms on average, 56 % load",
                source: "Neuts, Matrix-Geometric Solutions in Stochastic Models (1981); here by the Markov chain of (present, phase)",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate=56/s",
                    "traffic.customers.arrivals={ mmpp = [{ factor = 1, lasts = \"400ms\" }, { factor = 3, lasts = \"100ms\" }] }",
                    "run.duration=18000s",
                ],
                fast: false,
                figures: || {
                    let sojourn = mmpp_sojourn(&[(40.0, 0.4), (120.0, 0.1)], 100.0);
                    vec![
                        exact("latency.mean", sojourn.mean()),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                        exact("throughput", 56.0),
                    ]
                },
            },
            Case {
                name: "ramp",
                law: "M(t)/M/infinity, 5 s into a ramp of 2,000/s each second",
                source: "Eick, Massey and Whitt, Operations Research 41 (1993), doi:10.1287/opre.41.4.731: the number is Poisson with \
                         mean the integral of rate times survival",
                scenario: "delay",
                set: &[
                    "station.desk.service={ exponential = \"1s\" }",
                    "traffic.customers.rate={ base = \"0/s\", at = [[\"0s\", \"20000/s\"]], ramp = \"10s\" }",
                    "run.warm_up=5s",
                    "run.duration=5010ms",
                    "run.replications=60",
                ],
                fast: true,
                figures: || {
                    // m(t) = 2000 (t - 1 + e^-t), its mean over the window.
                    let integral = |t: f64| 2000.0 * (t * t / 2.0 - t - exp(-t));
                    vec![exact("stations.station.desk.mean_in_system", (integral(5.01) - integral(5.0)) / 0.01)]
                },
            },
            Case {
                name: "ramp-constant",
                law: "M(t)/D/infinity, 5 s into a ramp of 2,000/s each second, service 1 s",
                source: "Eick, Massey and Whitt (1993): the arrivals of the last second",
                scenario: "delay",
                set: &[
                    "station.desk.service=1s",
                    "traffic.customers.rate={ base = \"0/s\", at = [[\"0s\", \"20000/s\"]], ramp = \"10s\" }",
                    "run.warm_up=5s",
                    "run.duration=5010ms",
                    "run.replications=60",
                ],
                fast: true,
                figures: || {
                    // 1000 (t^2 - (t - 1)^2) = 1000 (2 t - 1) at the middle of the window.
                    vec![exact("stations.station.desk.mean_in_system", 1000.0 * (2.0 * 5.005 - 1.0))]
                },
            },
            Case {
                name: "from-empty",
                law: "M/M/1 at 80 % load, from empty, for half a second at a time",
                source: "Kolmogorov's equations by uniformisation (Grassmann 1977, doi:10.1016/0305-0548(77)90007-7); a sojourn is that of \
                         those found and oneself",
                scenario: "queue",
                set: &[
                    "traffic.customers.rate={ base = \"80/s\", at = [[\"500ms\", \"0/s\"]], repeat = \"2s\" }",
                    "run.warm_up=0s",
                    "run.duration=21000s",
                ],
                fast: false,
                figures: || {
                    let sojourn = mm1_after_pauses(80.0, 100.0, 0.5);
                    vec![
                        exact("latency.mean", sojourn.mean()),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            },
        ],
    }
}
