//! Caches.

use sim_core::math::exp;

use super::Family;
use crate::validate::case::{Case, about, exact};
use crate::validate::theory::caches::{che, fixed_ttl, lru, random, sliding_ttl, zipf};

/// Caches under Zipf's law.
pub fn caches() -> Family {
    Family {
        title: "Caches",
        text: "Requests for objects by Zipf's law with exponent 0.8, each independent of those before.",
        cases: vec![
            Case {
                name: "lru",
                law: "least recently used, room for 20 of 100 objects",
                source: "Flajolet, Gardy and Thimonier (1992), doi:10.1016/0166-218X(92)90177-C: exact",
                scenario: "cache",
                set: &[],
                fast: false,
                figures: || vec![exact("counters.cloudfront.site.edge_hit_ratio", lru(&zipf(100, 0.8), 20))],
            },
            Case {
                name: "lru-large",
                law: "least recently used, room for 500 of 5,000 objects",
                source: "Che, Tung and Wang (2002), doi:10.1109/JSAC.2002.801752: an approximation",
                scenario: "cache",
                set: &["catalog.objects.objects=5000", "cloudfront.site.edges.0.capacity=500KB"],
                fast: false,
                figures: || vec![about("counters.cloudfront.site.edge_hit_ratio", che(&zipf(5000, 0.8), 500), 0.005)],
            },
            Case {
                name: "ttl",
                law: "a fixed time to live of 2 s, 100 objects, 100/s",
                source: "renewal: a miss and the hits of one time to live; Jung, Berger and Balakrishnan (2003), \
                         doi:10.1109/INFCOM.2003.1208693",
                scenario: "cache",
                set: &[
                    "traffic.viewers.rate=100/s",
                    "cloudfront.site.edges.0.capacity=1MB",
                    "cloudfront.site.default_cache_behavior.default_ttl=2s",
                ],
                fast: true,
                figures: || {
                    vec![exact("counters.cloudfront.site.edge_hit_ratio", fixed_ttl(&zipf(100, 0.8), 100.0, 2.0))]
                },
            },
            Case {
                name: "ttl-sliding",
                law: "a sliding time to live of 2 s, 500 sessions, 200/s",
                source: "a hit is a gap shorter than the time to live; Choungmo Fofack, Nain, Neglia and Towsley (2012), \
                         doi:10.4108/valuetools.2012.250250",
                scenario: "sessions",
                set: &[],
                fast: false,
                figures: || {
                    let hits = sliding_ttl(&zipf(500, 0.8), 200.0, 2.0);
                    vec![
                        exact("counters.station.store.hit_ratio", hits),
                        exact("stations.station.database.arrivals", 600.0 * 200.0 * (1.0 - hits)),
                    ]
                },
            },
            Case {
                name: "ttl-fixed-store",
                law: "the same with a fixed time to live",
                source: "as ttl",
                scenario: "sessions",
                set: &["station.store.cache.renewal=fixed"],
                fast: false,
                figures: || vec![exact("counters.station.store.hit_ratio", fixed_ttl(&zipf(500, 0.8), 200.0, 2.0))],
            },
            Case {
                name: "lru-store",
                law: "the same with a time to live of a day and room for 50",
                source: "as lru-large: Che's approximation",
                scenario: "sessions",
                set: &["station.store.cache.ttl=1d", "station.store.cache.capacity=50KB"],
                fast: false,
                figures: || vec![about("counters.station.store.hit_ratio", che(&zipf(500, 0.8), 50), 0.005)],
            },
            Case {
                name: "look-aside-lru",
                law: "ElastiCache before a database: allkeys-lru, room for 20 of 100 objects",
                source: "as lru: exact",
                scenario: "look-aside",
                set: &[],
                fast: false,
                figures: || {
                    let hits = lru(&zipf(100, 0.8), 20);
                    vec![
                        exact("counters.elasticache.cache.hit_ratio", hits),
                        exact("stations.station.database.arrivals", 600.0 * 500.0 * (1.0 - hits)),
                    ]
                },
            },
            Case {
                name: "look-aside-random",
                law: "the same with allkeys-random",
                source: "Fricker, Robert and Roberts (2012), arXiv:1202.3974: an approximation",
                scenario: "look-aside",
                set: &["elasticache.cache.maxmemory_policy=allkeys-random"],
                fast: true,
                figures: || vec![about("counters.elasticache.cache.hit_ratio", random(&zipf(100, 0.8), 20), 0.005)],
            },
            Case {
                name: "look-aside-ttl",
                law: "ElastiCache with a time to live of 2 s, 100 objects, 100/s, and room for all",
                source: "as ttl: renewal",
                scenario: "look-aside",
                set: &[
                    "traffic.customers.rate=100/s",
                    "elasticache.cache.maxmemory=1MB",
                    "elasticache.cache.items.object.ttl=2s",
                ],
                fast: true,
                figures: || vec![exact("counters.elasticache.cache.hit_ratio", fixed_ttl(&zipf(100, 0.8), 100.0, 2.0))],
            },
            Case {
                name: "look-aside-sessions",
                law: "the same where reading renews the time to live",
                source: "as ttl-sliding",
                scenario: "look-aside",
                set: &[
                    "traffic.customers.rate=100/s",
                    "elasticache.cache.maxmemory=1MB",
                    "elasticache.cache.items.object.ttl=2s",
                    "elasticache.cache.items.object.renewal=sliding",
                ],
                fast: false,
                figures: || {
                    vec![exact("counters.elasticache.cache.hit_ratio", sliding_ttl(&zipf(100, 0.8), 100.0, 2.0))]
                },
            },
            Case {
                name: "look-aside-engine",
                law: "the engine's one thread: 8,000 commands a second of 0.1 ms, all hits",
                source: "M/D/1: Pollaczek (1930) and Khinchine (1932)",
                scenario: "look-aside",
                set: &[
                    "traffic.customers.rate=8000/s",
                    "elasticache.cache.items.object.hit_ratio=100%",
                    "elasticache.cache.command_time=0.1ms",
                    "run.duration=130s",
                    "run.warm_up=10s",
                ],
                fast: false,
                figures: || {
                    vec![
                        exact("stations.elasticache.cache-0001-001.utilisation", 0.8),
                        exact("stations.elasticache.cache-0001-001.mean_wait", 0.8 * 1e-4 / (2.0 * 0.2)),
                        exact("latency.mean", 1e-4 + 0.8 * 1e-4 / (2.0 * 0.2)),
                    ]
                },
            },
            Case {
                name: "two-tiers",
                law: "two edges and a regional cache, a time to live of 2 s, 200 objects, 100/s in each place",
                source: "renewal: in each life of a copy the other edge finds it in the regional cache once, if it asks at all",
                scenario: "two-tiers",
                set: &[],
                fast: false,
                figures: || {
                    let shares = zipf(200, 0.8);
                    let at_edges = |share: &f64| {
                        let lives = 200.0 * share * 2.0;
                        share * (lives - (1.0 - exp(-lives / 2.0))) / (1.0 + lives)
                    };
                    vec![
                        exact("counters.cloudfront.site.hit_ratio", fixed_ttl(&shares, 200.0, 2.0)),
                        exact("counters.cloudfront.site.edge_hit_ratio", shares.iter().map(at_edges).sum()),
                    ]
                },
            },
            Case {
                name: "collapsing",
                law: "one object, 1 s to live, fetched in 200 ms, asked for 20/s: who comes meanwhile waits for the same fetch",
                source: "renewal: a cycle is a fetch, a life and a gap; in a fetch of length d arrivals wait d / 2 on average",
                scenario: "cache",
                set: &[
                    "traffic.viewers.rate=20/s",
                    "catalog.objects.objects=1",
                    "cloudfront.site.default_cache_behavior.default_ttl=1s",
                    "station.origin.service=200ms",
                    "run.duration=6100s",
                ],
                fast: false,
                figures: || {
                    let (rate, fetch, lives) = (20.0, 0.2, 1.0);
                    let cycle = 1.0 + rate * (fetch + lives);
                    // Longer than x: the first of a cycle, and those of the first d - x of the fetch.
                    let longest = |share: f64| fetch - (share * cycle - 1.0) / rate;
                    vec![
                        exact("counters.cloudfront.site.origin requests", 6000.0 * rate / cycle),
                        exact("latency.mean", (fetch + rate * fetch * fetch / 2.0) / cycle),
                        exact("latency.p90", longest(0.1)),
                        exact("latency.p95", longest(0.05)),
                    ]
                },
            },
        ],
    }
}
