//! Architectures made by hand, for tests of services without the scenario language.
#![allow(dead_code, reason = "every test file uses another part")]

use models::architecture::{Architecture, Network, Run, Spans};
use models::client::{Arrivals, Process, RateProfile, Retry, Route};
use models::deployment::{Deployment, Revision, Strategy};
use models::ecs::{Concurrency, DeploymentConfiguration, Handler, Step, StepAction, Task};
use models::*;
use sim_core::distribution::Distribution;
use sim_core::observations::{Observations, SeriesGroup};
use sim_core::{SimDuration, SimTime};

pub fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

pub fn exponential(mean: f64) -> Distribution {
    Distribution::exponential(mean).expect("a positive mean")
}

pub fn constant(value: f64) -> Distribution {
    Distribution::constant(value).expect("a constant")
}

/// One Poisson source of one route to an endpoint, and nothing else.
pub fn poisson(rate: f64, to: Endpoint, duration: SimDuration, warm_up: SimDuration) -> Architecture {
    Architecture {
        run: Run {
            duration,
            warm_up,
            downtime_error_rate: 0.5,
            metric_delay: secs(60),
            high_resolution_metric_delay: secs(10),
            spans: Spans::default(),
            objective: None,
        },
        network: Network { region_rtt: SimDuration::ZERO },
        places: vec!["here".into()],
        paths: vec!["/".into()],
        catalogs: vec![],
        routes: vec!["users /".into()],
        traffic: vec![client::Settings {
            name: "users".into(),
            place: PlaceId(0),
            to,
            rtt: SimDuration::ZERO,
            rtt_to: Vec::new(),
            arrivals: Arrivals::Open {
                process: Process::Poisson,
                batch: client::Batch::Single,
                rate: RateProfile { points: vec![(SimTime::ZERO, rate)] },
            },
            routes: vec![Route {
                id: RouteId(0),
                path: PathId(0),
                weight: 1.0,
                method: request::Method::Get,
                catalog: None,
                upload_bytes: 0,
                query_strings: 1,
                cookies: 1,
                headers: 1,
            }],
            clients: 1000,
            addresses: None,
            http_share: 0.0,
            dns_cache: route53::DnsCache::Ttl,
            timeout: None,
            retry: Retry::NEVER,
            connections: None,
            hedge_after: None,
            circuit_breaker: None,
            canary: None,
        }],
        route53: route53::Settings::none(),
        cloudfront: vec![],
        global_accelerators: vec![],
        alb: vec![],
        waf: vec![],
        web_acls: vec![],
        ecs: vec![],
        ec2: vec![],
        aurora: vec![],
        dynamodb: vec![],
        elasticache: vec![],
        dax: vec![],
        stations: vec![],
        canaries: vec![],
        metric_math: Vec::new(),
        alarms: vec![],
        scaling: autoscaling::Settings::default(),
        deployments: vec![],
        faults: vec![],
        notes: vec![],
    }
}

/// A service of tasks with one handler of these steps, without any delay.
pub fn service(desired_count: u32, workers: u32, vcpu: f64, steps: Vec<StepAction>) -> ecs::Settings {
    ecs::Settings {
        name: "web".into(),
        desired_count,
        container_instances: None,
        zones: vec!["a".into(), "b".into(), "c".into()],
        task: Task { vcpu, workers, backlog: None, concurrency: Concurrency::Threaded, memory: None },
        launch_time: constant(25.0),
        image_bytes: 0.0,
        pull_bytes_per_s: 15e6,
        startup_time: constant(0.0),
        stop_timeout: secs(30),
        scheduler_interval: secs(5),
        health_check_grace_period: SimDuration::ZERO,
        container_check: None,
        discovery_ttl: None,
        healthy_after: secs(40),
        handlers: vec![Handler {
            path_pattern: "*".into(),
            steps: steps.into_iter().map(|action| Step { probability: 1.0, action }).collect(),
            response_bytes: 1000,
        }],
        handler_of_path: vec![0],
        deployment: DeploymentConfiguration { minimum_healthy_percent: 100, maximum_percent: 200 },
        target_groups: vec![],
        error_rate: 0.0,
        health_check_cpu: SimDuration::ZERO,
        metric_resolution: secs(60),
        publishes_backlog: false,
    }
}

pub fn run(architecture: &Architecture) -> Observations {
    let observations = models::simulate(architecture, 7, 0);
    for check in &observations.audit.checks {
        assert!(check.holds, "audit: {}: {}", check.law, check.found);
    }
    observations
}

/// Mean of the first route's latency over independent replications, with the half-width of a 99 % interval.
pub fn mean_latency(architecture: &Architecture, replications: u32) -> (f64, f64) {
    let means: Vec<f64> = (0..replications)
        .map(|replication| models::simulate(architecture, 7, replication).routes[0].latency.mean())
        .collect();
    let n = f64::from(replications);
    let mean = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|m| (m - mean) * (m - mean)).sum::<f64>() / (n - 1.0);
    (mean, sim_core::math::student_t_quantile(0.995, n - 1.0) * (variance / n).sqrt())
}

/// A service of four tasks without a load balancer, 100 requests a second, and a deployment after 100 s.
pub fn deploying(strategy: Strategy, min: u32, max: u32) -> Architecture {
    let mut a = poisson(100.0, Endpoint::Ecs(EcsId(0)), secs(900), SimDuration::ZERO);
    a.ecs.push(service(4, 10, 10.0, vec![StepAction::Cpu(constant(0.01))]));
    a.ecs[0].deployment = DeploymentConfiguration { minimum_healthy_percent: min, maximum_percent: max };
    let revision = Revision { cpu_factor: 2.0, ..Revision::LIKE_BEFORE };
    a.deployments.push(Deployment::new(SimTime::from_secs(100), EcsId(0).into(), strategy, revision));
    a
}

/// A figure over time about tasks.
pub fn tasks(seen: &Observations, name: &str) -> Vec<f64> {
    let found = seen.series.iter().find(|series| series.group == SeriesGroup::Tasks && series.name == name);
    found.unwrap_or_else(|| panic!("no series {name}")).values.clone()
}
