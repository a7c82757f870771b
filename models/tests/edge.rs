//! Viewers through Route 53 and CloudFront, to load balancers and stations: everything at work together.

mod common;

use common::*;
use models::architecture::{Architecture, CacheHeaders, Catalog};
use models::client::{Jitter, Retry, Route};
use models::cloudfront::{Behavior, CachePolicy, Edge, Origin, Regional};
use models::ecs::StepAction;
use models::request::Method;
use models::route53::{Answer, HealthCheck, Record, Resolvers, RoutingPolicy};
use models::timeline::{Fault, FaultAction};
use models::*;
use sim_core::observations::{Observations, Phase};
use sim_core::{SimDuration, SimTime};

fn millis(millis: u64) -> SimDuration {
    SimDuration::from_millis(millis)
}

/// Managed policy CachingOptimized.
const OPTIMIZED: CachePolicy = CachePolicy {
    min_ttl: SimDuration::from_secs(1),
    default_ttl: SimDuration::from_secs(86_400),
    max_ttl: SimDuration::from_secs(31_536_000),
    query_strings: false,
    cookies: false,
    headers: false,
};

fn distribution(origin: Endpoint) -> cloudfront::Settings {
    cloudfront::Settings {
        name: "site".into(),
        behaviors: vec![Behavior::new("*", 0, OPTIMIZED)],
        behavior_of_path: vec![0],
        edges: vec![Edge {
            name: "tokyo".into(),
            capacity: 1 << 30,
            viewer_rtt: millis(10),
            regional: 0,
            regional_rtt: millis(20),
            origin_rtt: millis(110),
        }],
        edge_of_place: vec![0],
        viewer_rtts: vec![],
        regionals: vec![Regional { name: "japan".into(), capacity: 1 << 30, origin_rtt: millis(100) }],
        origins: vec![Origin::new("origin", origin)],
        error_caching_min_ttl: secs(10),
        error_pages: vec![],
        invalidations: vec![],
    }
}

fn balancer(name: &str, service: EcsId) -> alb::Settings {
    alb::Settings {
        added_latency: millis(1),
        target_rtt: millis(1),
        ..alb::Settings::forwarding(name, vec![alb::TargetGroup::new("web", alb::Targets::Ecs(service))])
    }
}

fn record(policy: RoutingPolicy, answers: Vec<Answer>) -> Record {
    Record { name: "www.example.com".into(), ttl: secs(60), alias: true, policy, answers }
}

fn counter(seen: &Observations, subject: &str, name: &str) -> f64 {
    let found = seen.counters.iter().find(|counter| counter.subject == subject && counter.name == name);
    found.unwrap_or_else(|| panic!("no counter {subject} {name}")).value
}

#[test]
fn static_paths_come_from_the_edge_and_posts_from_the_origin() {
    let mut a = poisson(200.0, Endpoint::Record(RecordId(0)), secs(600), secs(300));
    a.route53.records.push(record(RoutingPolicy::Simple, vec![Answer::plain(Endpoint::CloudFront(CloudFrontId(0)))]));
    a.route53.resolvers =
        Resolvers { count: 20, client_rtt: millis(6), authoritative_rtt: millis(40), ..a.route53.resolvers };
    a.cloudfront.push(distribution(Endpoint::Station(StationId(0))));
    a.stations
        .push(station::Settings { response_bytes: 300, ..station::Settings::new("origin", None, constant(0.05)) });
    a.catalogs.push(Catalog::new("images", 500, 0.8, exponential(20_000.0)));
    a.routes.push("users POST".into());
    let get = &mut a.traffic[0].routes[0];
    get.catalog = Some(CatalogId(0));
    get.weight = 0.9;
    let post = Route { id: RouteId(1), method: Method::Post, catalog: None, weight: 0.1, ..get.clone() };
    a.traffic[0].routes.push(post);
    let seen = run(&a);
    // All 500 objects are there after five minutes, but for a few of the rarest.
    assert!(counter(&seen, "cloudfront.site", "hit_ratio") > 0.99);
    let (get, post) = (&seen.routes[0], &seen.routes[1]);
    assert!(get.failed.is_empty() && post.failed.is_empty());
    assert!((get.latency.quantile(0.5) - 0.010).abs() < 1e-4, "{}", get.latency.quantile(0.5));
    assert!((post.latency.quantile(0.5) - 0.170).abs() < 1e-3, "{}", post.latency.quantile(0.5));
    // 1000 clients at 0.2 operations a second and a TTL of 60 s: of 13 lookups in a minute, one is not cached.
    let lookups = ["answers from client caches", "answers from resolver caches", "queries to name servers"]
        .map(|name| counter(&seen, "route53", name));
    let share = lookups[0] / lookups.iter().sum::<f64>();
    assert!((0.88..0.95).contains(&share), "{share}");
    // Five TTLs for each of 20 resolvers, and those that ask while the answer is on its way.
    assert!((100.0..200.0).contains(&lookups[2]), "{}", lookups[2]);
}

/// Whoever gives up first - client, edge or load balancer - every request ends once, and the laws hold.
#[test]
fn no_request_is_lost_or_answered_twice_whoever_gives_up_first() {
    for (client, edge, idle) in [(2, 3, 5), (2, 5, 3), (5, 2, 3), (3, 2, 5), (5, 3, 2), (3, 5, 2)] {
        for method in [Method::Get, Method::Post] {
            let mut a = poisson(30.0, Endpoint::CloudFront(CloudFrontId(0)), secs(120), SimDuration::ZERO);
            a.traffic[0].timeout = Some(secs(client));
            a.traffic[0].retry = Retry::plain(3, millis(100), secs(1), Jitter::Full);
            a.traffic[0].routes[0].method = method;
            a.traffic[0].routes[0].catalog = Some(CatalogId(0));
            let headers = CacheHeaders { max_age: Some(secs(1)), ..CacheHeaders::NONE };
            a.catalogs.push(Catalog { headers, ..Catalog::new("it", 2000, 0.0, constant(1000.0)) });
            a.cloudfront.push(distribution(Endpoint::Alb(AlbId(0))));
            a.cloudfront[0].origins[0].read_timeout = secs(edge);
            a.alb.push(balancer("front", EcsId(0)));
            a.alb[0].idle_timeout = secs(idle);
            // Overloaded by half: waits grow beyond every timeout.
            a.ecs.push(service(2, 1, 1.0, vec![StepAction::Wait(exponential(0.1))]));
            a.ecs[0].target_groups = vec![(AlbId(0), TargetGroupId(0))];
            a.ecs[0].task.backlog = Some(200);
            let seen = run(&a);
            let failed: u64 = seen.routes[0].failed.iter().map(|(_, count)| count).sum();
            assert!(failed > 100, "{client} {edge} {idle}: {:?}", seen.routes[0].failed);
            assert!(seen.routes[0].in_flight <= 30 * (u64::from(client as u32) + 3) * 3);
        }
    }
}

/// Two load balancers behind a failover record with 10 s checks; the primary loses all its tasks for good.
fn failover(resolvers: u32) -> Architecture {
    let mut a = poisson(50.0, Endpoint::Record(RecordId(0)), secs(900), SimDuration::ZERO);
    a.traffic[0].clients = 20_000;
    let answer = |alb, health_check| Answer { health_check, ..Answer::plain(Endpoint::Alb(AlbId(alb))) };
    let answers = vec![answer(0, Some(0)), answer(1, None)];
    a.route53.records.push(record(RoutingPolicy::failover(), answers));
    a.route53.health_checks.push(HealthCheck {
        name: "primary".into(),
        source: route53::Source::Endpoint(route53::Probing {
            endpoint: Endpoint::Alb(AlbId(0)),
            path: PathId(0),
            request_interval: secs(10),
            failure_threshold: 3,
            checkers: 16,
            timeout: secs(6),
        }),
        inverted: false,
        disabled: false,
    });
    a.route53.resolvers.count = resolvers;
    for (number, name) in [(0, "primary"), (1, "secondary")] {
        a.alb.push(balancer(name, EcsId(number)));
        let mut it = service(2, 100, 100.0, vec![StepAction::Wait(constant(0.01))]);
        it.name = name.into();
        it.launch_time = constant(100_000.0);
        it.target_groups = vec![(AlbId(number), TargetGroupId(0))];
        a.ecs.push(it);
    }
    a.faults.push(Fault {
        at: SimTime::from_secs(300),
        duration: SimDuration::ZERO,
        action: FaultAction::StopTask { service: EcsId(0), zone: None, count: None },
        name: "aws:ecs:stop-task".into(),
        target: "ecs.primary".into(),
        follows: false,
    });
    a
}

/// The same with checks every so many seconds.
fn failing_over(interval: u64) -> Architecture {
    let mut a = failover(300);
    let route53::Source::Endpoint(probing) = &mut a.route53.health_checks[0].source else { panic!("an endpoint") };
    probing.request_interval = secs(interval);
    a
}

/// Fact sheet, worked example 1.4, as customers lose: detection, propagation 5 s, then half of the TTL of 60 s on average. So 28.2 + 35 s of
/// operations are lost with checks every 10 s, and 84.7 + 35 with 30 s. After a whole TTL nobody asks the primary any more.
#[test]
fn failover_loses_what_detection_propagation_and_ttl_cost() {
    for (interval, expected) in [(10, 63.2), (30, 119.7)] {
        let a = failing_over(interval);
        // Found by the 16th checker at the latest.
        let worst = 300.0 + 3.0 * interval as f64 + 5.0 + 60.0;
        let lost: Vec<f64> = (0..8)
            .map(|replication| {
                let seen = models::simulate(&a, 11, replication);
                assert!(seen.audit.passed(), "{:?}", seen.audit.checks);
                let window = seen.downtime.last().expect("there is a window of downtime");
                let ends = window.until.as_secs_f64();
                // The last seconds lose less than half of their operations, and are no downtime by this run's measure.
                assert!((worst - 62.0..=worst + 1.0).contains(&ends), "{ends}");
                seen.routes[0].failed.iter().map(|(_, count)| *count).sum::<u64>() as f64 / 50.0
            })
            .collect();
        let mean = lost.iter().sum::<f64>() / 8.0;
        let variance = lost.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 7.0;
        let half_width = 5.4 * (variance / 8.0).sqrt();
        assert!((mean - expected).abs() < half_width && half_width < 10.0, "{mean} +- {half_width}");
    }
}

/// Fact sheet, worked example 1.4, as the ledger splits it: endpoints that refuse, checks every 10 or 30 s x 3, TTL 60. Detection
/// 28.2 or 84.7 s (the 14th of 16 phases), propagation 5 s, and until half of the viewers have followed half a TTL.
#[test]
fn worked_example_of_failover_time_as_the_ledger_splits_it() {
    for (interval, detection) in [(10, 28.2), (30, 84.7)] {
        let a = failing_over(interval);
        let parts: Vec<[f64; 3]> = (0..12)
            .map(|replication| {
                let seen = models::simulate(&a, 5, replication);
                // The service tries in vain to replace its tasks meanwhile: users do not wait for that.
                let window = &seen.downtime[0];
                // Its scheduler looks in the very second of the fault; until a checker asks for the first time, that is all there is.
                let [.., detection, routing, warm_up] = window.phases[..] else { panic!("{:?}", window.phases) };
                let phases = [detection, routing, warm_up].map(|span| span.phase);
                assert_eq!(phases, [Phase::Detection, Phase::Routing, Phase::WarmUp].map(Some));
                let since = |from: SimTime, to: SimTime| to.since(from).as_secs_f64();
                [
                    since(window.from, routing.from),
                    since(routing.from, routing.until),
                    since(warm_up.from, warm_up.until),
                ]
            })
            .collect();
        let mean = |part: usize| parts.iter().map(|it| it[part]).sum::<f64>() / parts.len() as f64;
        assert!((mean(0) - detection).abs() < 0.1 * interval as f64, "{} against {detection}", mean(0));
        assert!(parts.iter().all(|it| it[1] == 5.0));
        // The last bad second is the one before more than half are well again.
        assert!((mean(2) - 30.0).abs() < 4.0, "{}", mean(2));
    }
}

/// A held connection stays with the address it was opened to: viewers with connections go on failing until those are closed.
#[test]
fn kept_connections_stay_with_the_old_address() {
    let lost = |connections: Option<client::Connections>| {
        let mut a = failover(50);
        a.traffic[0].clients = 20;
        a.traffic[0].connections = connections;
        let seen = run(&a);
        seen.routes[0].failed.iter().map(|(_, count)| *count).sum::<u64>() as f64 / 50.0
    };
    let kept =
        client::Connections { streams: 100, per_client: 1, handshakes: 2, idle_timeout: secs(60), max_age: secs(200) };
    let (without, with) = (lost(None), lost(Some(kept)));
    // Each client asks 2.5 times a second: its connection is never idle, and closed with age alone. The fault comes 100 s
    // into the second one.
    assert!(without < 100.0, "{without}");
    assert!(with > without && (with - 100.0).abs() < 15.0, "{with}");
    let forever = client::Connections { max_age: secs(3600), ..kept };
    assert!(lost(Some(forever)) > 590.0, "nobody ever asks for the name again");
}

/// Java that keeps answers for good never follows; for 30 s it follows within that, whatever the time to live.
#[test]
fn java_caches_follow_late_or_never() {
    let lost = |cache: route53::DnsCache, ttl: u64| {
        let mut a = failover(50);
        a.traffic[0].clients = 20;
        a.traffic[0].dns_cache = cache;
        a.route53.records[0].ttl = secs(ttl);
        let seen = run(&a);
        seen.routes[0].failed.iter().map(|(_, count)| *count).sum::<u64>() as f64 / 50.0
    };
    assert!(lost(route53::DnsCache::Forever, 60) > 590.0);
    // Detection 28.2 and propagation 5, then up to 30 s; at 1 s of time to live the resolver's copy adds nothing. (The clients began
    // together and look anew together, so it is not half of it here.)
    let (fixed, honest) = (lost(route53::DnsCache::Fixed(secs(30)), 1), lost(route53::DnsCache::Ttl, 1));
    assert!((30.0..38.0).contains(&honest), "{honest}");
    assert!(fixed > honest + 3.0 && fixed < honest + 31.0, "{fixed} {honest}");
    assert!(lost(route53::DnsCache::Fixed(secs(200)), 1) > honest + 50.0);
}

/// Resolvers that stretch a TTL of 5 s to 300 s keep their share of the viewers away from the secondary.
#[test]
fn stretched_times_to_live_keep_viewers_where_they_were() {
    let lost = |share: f64| {
        let mut a = failover(100);
        a.route53.records[0].ttl = secs(5);
        a.route53.resolvers.ttl_violation_fraction = share;
        a.route53.resolvers.min_ttl = secs(300);
        let seen = run(&a);
        seen.routes[0].failed.iter().map(|(_, count)| *count).sum::<u64>() as f64 / 50.0
    };
    let (honest, some) = (lost(0.0), lost(0.2));
    // A fifth of the viewers follow after 150 s on average instead of 2.5.
    assert!((honest - 35.7).abs() < 5.0, "{honest}");
    assert!((some - honest - 0.2 * 147.5).abs() < 8.0, "{some} {honest}");
}

/// Aliases that evaluate their target's health need no health check: the load balancer itself says that it has nobody.
#[test]
fn an_alias_follows_the_health_of_its_load_balancer() {
    let lost = |evaluate: bool| {
        let mut a = failover(300);
        a.route53.health_checks.clear();
        a.route53.records[0].answers[0].health_check = None;
        a.route53.records[0].answers[0].evaluate_target_health = evaluate;
        let seen = run(&a);
        seen.routes[0].failed.iter().map(|(_, count)| *count).sum::<u64>() as f64 / 50.0
    };
    // Propagation 5 s and half a TTL, less for the tenth of the resolvers that hold no copy when it happens: the targets are
    // gone at once with their tasks.
    assert!((lost(true) - 32.0).abs() < 4.0, "{}", lost(true));
    assert!(lost(false) > 590.0, "and never without");
}
