//! Several stations.

use sim_core::math::exp;

use super::Family;
use crate::validate::case::{Case, exact};
use crate::validate::theory::crossing;
use crate::validate::theory::models::{
    Join, Ties, balanced_sojourn, closed_sojourn, fork_join_sojourn, shortest_of_unequal_sojourn,
};
use crate::validate::theory::networks::mean_value_analysis;
use crate::validate::theory::queues::{exponential_quantile, gim1_root};

/// Networks of queues.
pub fn networks() -> Family {
    Family {
        title: "Networks of queues",
        text: "Stations that send requests on to others, closed networks, forks and joins.",
        cases: vec![
            Case {
                name: "feedback",
                law: "M/M/1 with feedback: 40 % come back, 60 % load",
                source: "Takacs, Bell System Technical Journal 42 (1963) 505-519; Jackson (1957) for the means",
                scenario: "network",
                set: &["station.a.then=[{ to = \"station.a\", probability = \"40%\" }]"],
                fast: false,
                figures: || {
                    vec![
                        exact("stations.station.a.mean_in_system", 1.5),
                        exact("latency.mean", 1.5 / 36.0),
                        exact("stations.station.a.mean_sojourn", 1.5 / 60.0),
                    ]
                },
            },
            Case {
                name: "tandem",
                law: "two M/M/1 in a row, 50 % and 60 % load",
                source: "Burke (1956), Reich, Annals of Mathematical Statistics 28 (1957) 768-773: the sojourns are \
                         independent and exponential",
                scenario: "network",
                set: &[
                    "traffic.customers.rate=50/s",
                    "station.b.service={ exponential = \"12ms\" }",
                    "station.b.then=[]",
                ],
                fast: false,
                figures: || {
                    let (first, second) = (50.0, 1.0 / 0.012 - 50.0);
                    let longer = move |t: f64| (second * exp(-first * t) - first * exp(-second * t)) / (second - first);
                    let quantile = |q: f64| crossing(q, 0.0, 0.05, |t| 1.0 - longer(t));
                    vec![
                        exact("latency.mean", 1.0 / first + 1.0 / second),
                        exact("latency.p50", quantile(0.5)),
                        exact("latency.p90", quantile(0.9)),
                        exact("latency.p99", quantile(0.99)),
                    ]
                },
            },
            Case {
                name: "jackson",
                law: "an open network of three stations with a way back",
                source: "Jackson, Operations Research 5 (1957) 518-521",
                scenario: "network",
                set: &[],
                fast: false,
                figures: || {
                    // Rate through a = 36 + 0.2 b, b = a, c = 0.3 b.
                    let through = 36.0 / 0.8;
                    let present = |load: f64| load / (1.0 - load);
                    let (a, b, c) = (present(through * 0.01), present(through * 0.012), present(0.3 * through * 0.04));
                    vec![
                        exact("stations.station.a.mean_in_system", a),
                        exact("stations.station.b.mean_in_system", b),
                        exact("stations.station.c.mean_in_system", c),
                        exact("stations.station.c.utilisation", 0.3 * through * 0.04),
                        exact("latency.mean", (a + b + c) / 36.0),
                    ]
                },
            },
            Case {
                name: "closed",
                law: "20 users, thinking for 1 s, of a processor and two disks",
                source: "mean value analysis; Reiser and Lavenberg, J. ACM 27 (1980), doi:10.1145/322186.322195",
                scenario: "closed",
                set: &[],
                fast: false,
                figures: || {
                    // Visits to the processor: 1 / (1 - 0.6).
                    let closed = mean_value_analysis(20, 1.0, &[2.5 * 0.015, 2.5 * 0.4 * 0.025, 2.5 * 0.2 * 0.06]);
                    vec![
                        exact("throughput", closed.throughput),
                        exact("latency.mean", closed.response),
                        exact("stations.station.processor.mean_in_system", closed.present[0]),
                        exact("stations.station.fast_disk.mean_in_system", closed.present[1]),
                        exact("stations.station.slow_disk.utilisation", closed.throughput * 2.5 * 0.2 * 0.06),
                    ]
                },
            },
            Case {
                name: "closed-one-station",
                law: "30 users, thinking for 1 s, of two servers (M/M/2//30)",
                source: "machine interference, Palm (1947); percentiles by the arrival theorem: an arrival sees the others in equilibrium, \
                         Sevcik and Mitrani, J. ACM 28 (1981), doi:10.1145/322248.322257",
                scenario: "closed",
                set: &[
                    "traffic.users.users=30",
                    "station.processor.servers=2",
                    "station.processor.service={ exponential = \"80ms\" }",
                    "station.processor.then=[]",
                    "run.duration=4400s",
                ],
                fast: false,
                figures: || {
                    let (throughput, sojourn) = closed_sojourn(30, 1.0, 12.5, 2);
                    vec![
                        exact("throughput", throughput),
                        exact("latency.mean", 30.0 / throughput - 1.0),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            },
            Case {
                name: "fork-join",
                law: "fork and join of two M/M/1 at 60 % load",
                source: "Flatto and Hahn, SIAM J. Appl. Math. 44 (1984), doi:10.1137/0144074; Nelson and Tantawi (1988), \
                         doi:10.1109/12.2213: (12 - rho) / 8 times M/M/1; percentiles by the Markov chain of both queues",
                scenario: "fork-join",
                set: &[],
                fast: false,
                figures: || {
                    let sojourn = fork_join_sojourn(60.0, 100.0, 60);
                    vec![
                        exact("latency.mean", (12.0 - 0.6) / 8.0 / 40.0),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            },
        ],
    }
}

/// Balancing over queues.
pub fn balancing() -> Family {
    let four = |name, law, source, algorithm: &'static [&'static str], figures| Case {
        name,
        law,
        source,
        scenario: "balancing",
        set: algorithm,
        fast: false,
        figures,
    };
    Family {
        title: "Load balancing",
        text: "Four equal servers at 70 % load, each with its own queue, and two unequal ones.",
        cases: vec![
            four(
                "balance-random",
                "at random: four M/M/1",
                "a Poisson process split at random is Poisson processes",
                &["alb.front.target_group.web.load_balancing_algorithm=weighted_random", "run.duration=1500s"],
                || {
                    let mean = 1.0 / 30.0;
                    vec![
                        exact("latency.mean", mean),
                        exact("latency.p50", exponential_quantile(mean, 0.5)),
                        exact("latency.p90", exponential_quantile(mean, 0.9)),
                    ]
                },
            ),
            four(
                "balance-round-robin",
                "in turn: four E4/M/1",
                "GI/M/1 with Erlang gaps; Shortle et al. (2018), 5.3",
                &["alb.front.target_group.web.load_balancing_algorithm=round_robin"],
                || {
                    let gap = |s: f64| 280.0 / (280.0 + s);
                    let mean = 0.01 / (1.0 - gim1_root(100.0, |s| gap(s) * gap(s) * gap(s) * gap(s)));
                    vec![
                        exact("latency.mean", mean),
                        exact("latency.p50", exponential_quantile(mean, 0.5)),
                        exact("latency.p95", exponential_quantile(mean, 0.95)),
                    ]
                },
            ),
            four(
                "balance-power-of-two",
                "the shorter of two queues drawn at random",
                "Mitzenmacher (2001), doi:10.1109/71.963420; here exactly, by the Markov chain of the four sorted lengths",
                &["alb.front.target_group.web.load_balancing_algorithm=power_of_two"],
                || {
                    let sojourn = balanced_sojourn(280.0, 100.0, 4, Join::ShorterOfTwo, 22);
                    vec![
                        exact("latency.mean", sojourn.mean()),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            ),
            four(
                "balance-shortest",
                "the shortest queue",
                "Haight (1958); here by the Markov chain of the four sorted lengths",
                &["alb.front.target_group.web.load_balancing_algorithm=least_outstanding_requests"],
                || {
                    let sojourn = balanced_sojourn(280.0, 100.0, 4, Join::Shortest, 11);
                    vec![
                        exact("latency.mean", sojourn.mean()),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            ),
            Case {
                name: "unequal-random",
                law: "a server of 50/s and one of 100/s, at random: two M/M/1",
                source: "a Poisson process split at random is Poisson processes",
                scenario: "unequal",
                set: &["alb.front.target_group.web.load_balancing_algorithm=weighted_random"],
                fast: false,
                figures: || {
                    let longer = |t: f64| 0.5 * exp(-15.0 * t) + 0.5 * exp(-65.0 * t);
                    let quantile = |q: f64| crossing(q, 0.0, 0.1, |t| 1.0 - longer(t));
                    vec![
                        exact("latency.mean", 0.5 / 15.0 + 0.5 / 65.0),
                        exact("latency.p50", quantile(0.5)),
                        exact("latency.p90", quantile(0.9)),
                    ]
                },
            },
            Case {
                name: "unequal-round-robin",
                law: "a server of 50/s and one of 100/s, in turn: E2/M/1 each",
                source: "GI/M/1 with Erlang gaps; Shortle et al. (2018), 5.3",
                scenario: "unequal",
                set: &[
                    "alb.front.target_group.web.load_balancing_algorithm=round_robin",
                    "run.duration=6800s",
                    "fault.0.duration=6800s",
                ],
                fast: false,
                figures: || {
                    let gap = |s: f64| 70.0 / (70.0 + s);
                    let rate = |service: f64| service * (1.0 - gim1_root(service, |s| gap(s) * gap(s)));
                    let (slow, fast) = (rate(50.0), rate(100.0));
                    let quantile =
                        |q: f64| crossing(q, 0.0, 0.1, |t| 1.0 - 0.5 * exp(-slow * t) - 0.5 * exp(-fast * t));
                    vec![
                        exact("latency.mean", 0.5 / slow + 0.5 / fast),
                        exact("latency.p50", quantile(0.5)),
                        exact("latency.p90", quantile(0.9)),
                    ]
                },
            },
            Case {
                name: "unequal-shortest",
                law: "a server of 50/s and one of 100/s, the shorter queue, of equal ones in turn",
                source: "the Markov chain of both lengths and the turn",
                scenario: "unequal",
                set: &[
                    "alb.front.target_group.web.load_balancing_algorithm=least_outstanding_requests",
                    "run.duration=2100s",
                    "fault.0.duration=2100s",
                ],
                fast: false,
                figures: || {
                    let sojourn = shortest_of_unequal_sojourn(70.0, [50.0, 100.0], Ties::InTurn, 60);
                    vec![
                        exact("latency.mean", sojourn.mean()),
                        exact("latency.p50", sojourn.quantile(0.5)),
                        exact("latency.p90", sojourn.quantile(0.9)),
                        exact("latency.p99", sojourn.quantile(0.99)),
                    ]
                },
            },
            Case {
                name: "unequal-power-of-two",
                law: "a server of 50/s and one of 100/s, the shorter of two queues drawn at random, which are all there are",
                source: "the Markov chain of both lengths",
                scenario: "unequal",
                set: &[
                    "alb.front.target_group.web.load_balancing_algorithm=power_of_two",
                    "run.duration=2100s",
                    "fault.0.duration=2100s",
                ],
                fast: false,
                figures: || {
                    let sojourn = shortest_of_unequal_sojourn(70.0, [50.0, 100.0], Ties::AtRandom, 60);
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
