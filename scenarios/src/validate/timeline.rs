//! Deployments, faults and expectations.

use models::architecture::Run;
use models::deployment::Deployment;
use models::ec2::Impairment;
use models::ids::*;
use models::timeline::{Fault, FaultAction, InstanceFault};
use sim_core::{SimDuration, SimTime};

use super::bounds::show;
use super::deploy::Behind;
use super::elasticache::of_caches;
use super::slo::fits;
use super::traffic::Sources;
use super::{BROKEN, Check, Section};
use crate::Expectation;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::{list, nearest};
use crate::raw::timeline as raw;
use crate::raw::timeline::Action;
use crate::tree::Span;
use crate::units::{Kind, Time};

/// Most deployments and most faults.
const MAX_EVENTS: usize = 10_000;

impl Check<'_> {
    pub(super) fn timeline(&mut self, run: &Run, behind: &Behind<'_>) -> (Vec<Deployment>, Vec<Fault>) {
        let doc = self.doc;
        for (n, span) in [
            (doc.deploy.len(), doc.deploy.last().map(|it| it.span)),
            (doc.fault.len(), doc.fault.last().map(|it| it.span)),
        ] {
            if let (true, Some(span)) = (n > MAX_EVENTS, span) {
                self.error(span, "too many deployments or faults", format!("at most {MAX_EVENTS}"));
            }
        }
        let mut deployments: Vec<Deployment> =
            doc.deploy.iter().filter_map(|it| self.deploy(it, run, behind)).collect();
        let mut faults: Vec<Fault> = doc.fault.iter().flat_map(|it| self.faults(it, run)).collect();
        deployments.sort_by_key(|deployment| deployment.at);
        faults.sort_by_key(|fault| fault.at);
        (deployments, faults)
    }

    pub(super) fn instant(&mut self, at: &Sp<Time>, run: &Run, what: &str) -> SimTime {
        if at.0 >= run.duration {
            let label = format!("the run ends after {}", show(run.duration.as_secs_f64()));
            self.error(at.span, format!("this {what} comes after the end of the run"), label);
        }
        SimTime::ZERO + at.0
    }

    /// A fault, and what else it strikes.
    fn faults(&mut self, fault: &raw::Fault, run: &Run) -> Vec<Fault> {
        let at = self.instant(&fault.at, run, "fault");
        let actions = if fault.action.value == Action::RegionFailure {
            self.region_failure(&fault.target)
        } else {
            self.fault_action(fault).into_iter().collect()
        };
        self.fault_keys(fault);
        let lasts = lasts(fault.action.value);
        let duration = match &fault.duration {
            Some(duration) if lasts && duration.0.is_zero() => {
                self.error(duration.span, "this fault would last no time", "more than \"0s\"");
                duration.0
            }
            Some(duration) => duration.0,
            None => {
                if lasts {
                    let label = "add duration = \"5m\"";
                    self.error(fault.span, "this fault lasts, but does not say how long", label);
                }
                SimDuration::ZERO
            }
        };
        let one = |(n, action)| Fault {
            at,
            duration,
            action,
            name: fault.action.value.word().into(),
            target: fault.target.value.clone(),
            follows: n > 0,
        };
        actions.into_iter().enumerate().map(one).collect()
    }

    fn fault_action(&mut self, fault: &raw::Fault) -> Option<FaultAction> {
        if of_databases(fault.action.value) {
            return self.database_fault(fault);
        }
        if of_caches(fault.action.value) {
            return self.cache_fault(fault);
        }
        if fault.action.value == Action::ZonalShift {
            return self.zonal_shift(fault);
        }
        if fault.action.value == Action::PauseReplication {
            return self.pause_of_replication(fault);
        }
        if fault.action.value == Action::DisruptConnectivity {
            let services = [Section::Alb, Section::Station, Section::DynamoDb, Section::Dax];
            let allowed = [&services[..], &[Section::Aurora, Section::Rds, Section::ElastiCache]].concat();
            let target = self.endpoint(&fault.target, &allowed, None, "the target of this fault");
            if let Endpoint::Aurora(_) = target {
                return self.database_fault(fault);
            }
            if let Endpoint::ElastiCache(_) = target {
                return self.cache_fault(fault);
            }
            return (target != BROKEN).then_some(FaultAction::DisruptConnectivity(target));
        }
        let instances = instance_fault(fault.action.value);
        let allowed: &[Section] = match (fault.action.value, instances) {
            (Action::DrainContainerInstances, Some(_)) => &[Section::Ecs],
            (Action::StopInstances | Action::TerminateInstances, Some(_)) => &[Section::Ec2, Section::Ecs],
            (_, Some(_)) => &[Section::Ec2],
            (Action::StopTask | Action::LaunchFailure, None) => &[Section::Ecs],
            _ => &[Section::Ecs, Section::Ec2],
        };
        let service = self.endpoint(&fault.target, allowed, None, "the target of this fault").service();
        let desired = service.and_then(|id| self.desired_of(id));
        let count = match (&fault.count, &fault.percent) {
            (Some(_), Some(percent)) => {
                self.error(percent.span, "either `count` or `percent`, not both", "one too many");
                None
            }
            (Some(count), None) => Some(self.count(count, "count", 1, super::ecs::MAX_TASKS)),
            (None, Some(percent)) => {
                let share = self.share(percent, "percent");
                let tasks = desired.map(|desired| (f64::from(desired) * share) as u32);
                if let (Some(0), Some(desired)) = (tasks, desired) {
                    let title = "this share is less than one task";
                    self.error(percent.span, title, format!("of {desired} desired tasks, rounded down, it is none"));
                }
                tasks
            }
            (None, None) => None,
        };
        let zone = fault.availability_zone.as_ref().and_then(|zone| self.zone(service?, zone));
        let mut needed = |given: bool, key: &str, example: &str| {
            if !given {
                let title = format!("{} lacks `{key}`", fault.action.value.word());
                self.error(fault.span, title, format!("add {key} = {example}"));
            }
        };
        let fault_target = fault;
        if let Some(fault) = instances {
            let of = service?;
            self.has_instances(of, &fault_target.target);
            return Some(FaultAction::Instances { of, zone, count, fault });
        }
        match fault.action.value {
            Action::StopTask => {
                let Compute::Ecs(service) = service?.get() else { return None };
                Some(FaultAction::StopTask { service, zone, count })
            }
            Action::LaunchFailure => {
                let Compute::Ecs(service) = service?.get() else { return None };
                Some(FaultAction::LaunchFailure { service })
            }
            Action::NetworkLatency => {
                needed(fault.delay.is_some(), "delay", "\"200ms\"");
                let delay = fault.delay.as_ref().map_or(SimDuration::ZERO, |delay| self.delay(delay, "delay"));
                Some(FaultAction::NetworkLatency { service: service?, zone, delay })
            }
            Action::CpuStress => {
                needed(fault.factor.is_some(), "factor", "2.0");
                let factor = fault.factor.as_ref().map_or(1.0, |factor| self.number(factor, "factor", 0.0, 1e6));
                Some(FaultAction::CpuStress { service: service?, factor, count })
            }
            Action::ErrorRate => {
                needed(fault.error_rate.is_some(), "error_rate", "\"20%\"");
                let share = fault.error_rate.as_ref().map_or(0.0, |share| self.share(share, "error_rate"));
                Some(FaultAction::ErrorRate { service: service?, zone, share })
            }
            Action::Blackhole => Some(FaultAction::Blackhole { service: service?, zone }),
            _ => None,
        }
    }

    fn zonal_shift(&mut self, fault: &raw::Fault) -> Option<FaultAction> {
        let Endpoint::Alb(alb) = self.endpoint(&fault.target, &[Section::Alb], None, "the target of a zonal shift")
        else {
            return None;
        };
        let Some(zone) = &fault.availability_zone else {
            let title = format!("{} lacks `availability_zone`", fault.action.value.word());
            self.error(fault.span, title, "add availability_zone = \"a\"");
            return None;
        };
        let balancer = self.doc.alb.entries[alb.index()].1.as_ref()?;
        if !*balancer.zonal_shift {
            let error =
                Diagnostic::error(fault.target.span, "zonal shifts are off for this load balancer", "not enabled");
            self.note(error.help("AWS has them off by default; add zonal_shift = true"));
        }
        let zones: Vec<&str> = balancer.availability_zones.iter().map(|zone| zone.as_str()).collect();
        if zones.len() < 2 {
            let title = "a load balancer of fewer than two zones has nowhere to shift to";
            self.error(fault.target.span, title, "add availability_zones to the load balancer");
            return None;
        }
        let found = self.among_zones(zone, &zones, "the load balancer");
        if let Some(duration) = &fault.duration {
            self.time(duration, "duration", 0.0, 259_200.0, "zonal shift");
        }
        found.map(|zone| FaultAction::ZonalShift { alb, zone: zone as u8 })
    }

    /// A fault of instances needs some.
    fn has_instances(&mut self, of: ComputeId, target: &Sp<String>) {
        let Compute::Ecs(id) = of.get() else { return };
        if self.doc.ecs.entries[id.index()].1.as_ref().is_some_and(|service| service.container_instances.is_none()) {
            let title = format!("`{}` runs on Fargate: it has no instances", target.value);
            self.error(target.span, title, "add container_instances to the service, or use aws:ecs:stop-task");
        }
    }

    fn desired_of(&self, service: ComputeId) -> Option<u32> {
        let doc = self.doc;
        match service.get() {
            Compute::Ecs(id) => doc.ecs.entries[id.index()].1.as_ref().map(|it| it.desired_count.value),
            Compute::Ec2(id) => doc.ec2.entries[id.index()].1.as_ref().map(|it| it.desired_capacity.value),
        }
    }

    fn zone(&mut self, service: ComputeId, zone: &Sp<String>) -> Option<u16> {
        let doc = self.doc;
        let zones = match service.get() {
            Compute::Ecs(id) => &doc.ecs.entries[id.index()].1.as_ref()?.availability_zones,
            Compute::Ec2(id) => &doc.ec2.entries[id.index()].1.as_ref()?.availability_zones,
        };
        let zones: Vec<&str> = zones.iter().map(|zone| zone.as_str()).collect();
        self.among_zones(zone, &zones, "the service").map(|n| n as u16)
    }

    fn among_zones(&mut self, zone: &Sp<String>, zones: &[&str], whose: &str) -> Option<usize> {
        let found = zones.iter().position(|known| *known == zone.as_str());
        if found.is_none() {
            let title = format!("{whose} has no zone `{}`", zone.value);
            self.error(zone.span, title, format!("zones: {}", list(zones)));
        }
        found
    }

    /// Refuses parameters that the action does not have.
    fn fault_keys(&mut self, fault: &raw::Fault) {
        let action = fault.action.value;
        let stop = action == Action::StopTask || instance_fault(action).is_some();
        let stress = action == Action::CpuStress;
        let of_database =
            matches!(self.look_up(&fault.target).0.map(|(section, _)| section), Some(Section::Aurora | Section::Rds));
        let of_instances = matches!(action, Action::RebootDbInstances | Action::DbInstanceFailure);
        let zonal = match action {
            Action::DisruptConnectivity => of_database,
            Action::CpuStress
            | Action::FailoverDbCluster
            | Action::LaunchFailure
            | Action::CacheNodeFailure
            | Action::PauseReplication
            | Action::StorageFailure
            | Action::RegionFailure => false,
            _ => !of_instances,
        };
        let keys = [
            ("duration", fault.duration.as_ref().map(|it| it.span), lasts(action) || action == Action::StopInstances),
            ("availability_zone", fault.availability_zone.as_ref().map(|it| it.span), zonal),
            ("count", fault.count.as_ref().map(|it| it.span), stop || stress || action == Action::StorageFailure),
            ("percent", fault.percent.as_ref().map(|it| it.span), stop || stress),
            ("delay", fault.delay.as_ref().map(|it| it.span), action == Action::NetworkLatency),
            ("factor", fault.factor.as_ref().map(|it| it.span), stress),
            ("error_rate", fault.error_rate.as_ref().map(|it| it.span), action == Action::ErrorRate),
            ("db_instance_identifier", fault.db_instance_identifier.as_ref().map(|it| it.span), of_instances),
            ("cache_node_id", fault.cache_node_id.as_ref().map(|it| it.span), action == Action::CacheNodeFailure),
            ("force_failover", fault.force_failover.as_ref().map(|it| it.span), action == Action::RebootDbInstances),
        ];
        for (key, span, fits) in keys {
            if let (Some(span), false) = (span, fits) {
                self.error(span, format!("{} has no parameter `{key}`", action.word()), "remove it");
            }
        }
    }

    pub(super) fn expectations(&mut self, sources: &Sources) -> Vec<Expectation> {
        let doc = self.doc;
        doc.expect.iter().map(|expect| self.expectation(expect, sources)).collect()
    }

    /// Checks that a metric can be a figure of the report, of a route if one is named; whether it can.
    pub(super) fn figure(&mut self, metric: &Sp<String>, route: Option<&Sp<String>>, sources: &Sources) -> bool {
        let mut known = true;
        if let Some(check) = self.options.check_metric {
            let path = match route {
                Some(_) => format!("routes.*.{}", metric.value),
                None => metric.value.clone(),
            };
            if let Err(near) = check(&path) {
                known = false;
                let near: Vec<&str> =
                    near.iter().map(|name| name.strip_prefix("routes.<name>.").unwrap_or(name)).collect();
                let label = if near.is_empty() { "unknown".into() } else { format!("did you mean {}?", list(&near)) };
                self.error(metric.span, format!("no figure is called `{}`", metric.value), label);
            }
        }
        if let Some(route) = route {
            self.route_known(route, sources);
        }
        known
    }

    /// Checks that a route is there.
    pub(super) fn route_known(&mut self, route: &Sp<String>, sources: &Sources) {
        if !sources.route_names.iter().any(|name| fits(name, route)) {
            let names = sources.route_names.iter().map(String::as_str);
            let paths = sources.route_names.iter().filter_map(|name| name.split_once(' ').map(|(_, path)| path));
            let near = nearest(route, paths.chain(names));
            let label = near.first().map_or("no such route".into(), |near| format!("did you mean `{near}`?"));
            let error = Diagnostic::error(route.span, format!("no route is called `{}`", route.value), label);
            self.note(error.help(Self::route_advice(sources)));
        }
    }

    fn expectation(&mut self, expect: &raw::Expect, sources: &Sources) -> Expectation {
        let known = self.figure(&expect.metric, expect.route.as_ref(), sources);
        if expect.min.is_none() && expect.max.is_none() {
            self.error(expect.span, "this expectation has no bound", "give `min`, `max` or both");
        }
        let metric = known.then_some(expect.metric.as_str());
        let min = expect.min.as_ref().map(|bound| self.bound(metric, bound));
        let max = expect.max.as_ref().map(|bound| self.bound(metric, bound));
        if let (Some(low), Some(high), Some(bound)) = (min, max, &expect.max)
            && low > high
        {
            self.error(bound.span, "`max` is below `min`", "no value can pass");
        }
        let of = expect.route.as_ref().map_or(String::new(), |route| format!(" of {}", route.value));
        let bounds: Vec<String> = [(">=", &expect.min), ("<=", &expect.max)]
            .iter()
            .filter_map(|(sign, bound)| bound.as_ref().map(|bound| format!("{sign} {}", bound.text)))
            .collect();
        Expectation {
            metric: expect.metric.value.clone(),
            route: expect.route.as_ref().map(|route| route.value.clone()),
            min,
            max,
            text: format!("{}{of} {}", expect.metric.value, bounds.join(" and ")),
        }
    }

    /// The value of a bound, which must have the metric's unit, if the metric is known.
    fn bound(&mut self, metric: Option<&str>, bound: &Sp<raw::Bound>) -> f64 {
        let Some(metric) = metric else { return bound.value.value };
        let wanted = unit_of_metric(metric);
        match (wanted, bound.kind) {
            (Some(Kind::Time), None) => {
                let label = format!("write \"{}ms\" or \"{}s\"", bound.text, bound.text);
                self.error(bound.span, format!("`{metric}` is a time and needs a unit"), label);
            }
            (Some(wanted), Some(given)) if wanted != given => {
                let title = format!("`{metric}` is {}, not {}", wanted.name(), given.name());
                self.error(bound.span, title, format!("such as \"{}\"", wanted.example()));
            }
            (None, Some(given)) if given != Kind::Rate => {
                let title = format!("`{metric}` is a plain number, not {}", given.name());
                self.error(bound.span, title, "write it without a unit");
            }
            (Some(Kind::Percent), None) if bound.value.value > 1.0 => {
                let label = format!("write \"{}%\"", bound.text);
                self.error(bound.span, format!("`{metric}` is a share from 0 to 1"), label);
            }
            _ => {}
        }
        bound.value.value
    }

    /// Where a part was first referred to.
    pub(super) fn reference(&self, from: Option<Endpoint>, to: Endpoint) -> Span {
        if to == BROKEN { Span::NOWHERE } else { self.references.get(&(from, to)).copied().unwrap_or(Span::NOWHERE) }
    }
}

/// The unit of a report's figure, by the last word of its path.
fn unit_of_metric(path: &str) -> Option<Kind> {
    let last = path.rsplit('.').find(|part| !matches!(*part, "value" | "half_width" | "pooled")).unwrap_or(path);
    let of_latency = path.split('.').any(|part| part == "latency" || part == "latency_failed");
    match last {
        "availability" | "error_rate" | "utilisation" | "utilisation_peak" => Some(Kind::Percent),
        "throughput" => Some(Kind::Rate),
        "mean_wait" | "mean_sojourn" => Some(Kind::Time),
        "mean" | "p50" | "p90" | "p95" | "p99" | "p999" | "max" if of_latency => Some(Kind::Time),
        _ if last.ends_with("_ratio") => Some(Kind::Percent),
        _ if last.ends_with("_s") => Some(Kind::Time),
        _ => None,
    }
}

/// Whether an action strikes databases only.
fn of_databases(action: Action) -> bool {
    use Action::{AzPowerInterruption, DbInstanceFailure, FailoverDbCluster, RebootDbInstances, StorageFailure};
    let of_instances = matches!(action, FailoverDbCluster | RebootDbInstances | DbInstanceFailure);
    of_instances || matches!(action, AzPowerInterruption | StorageFailure)
}

/// Whether an action lasts, and must say how long.
fn lasts(action: Action) -> bool {
    use Action::{
        CacheNodeFailure, DbInstanceFailure, FailoverDbCluster, RebootDbInstances, RebootInstances, StopInstances,
        StopTask, TerminateInstances,
    };
    !matches!(
        action,
        StopTask
            | FailoverDbCluster
            | RebootDbInstances
            | DbInstanceFailure
            | CacheNodeFailure
            | StopInstances
            | RebootInstances
            | TerminateInstances
    )
}

/// What an action does to instances, if it does.
fn instance_fault(action: Action) -> Option<InstanceFault> {
    match action {
        Action::DrainContainerInstances => Some(InstanceFault::Drain),
        Action::StopInstances => Some(InstanceFault::Stop),
        Action::RebootInstances => Some(InstanceFault::Reboot),
        Action::TerminateInstances => Some(InstanceFault::Terminate),
        Action::ImpairSystem => Some(InstanceFault::Impair(Impairment::System)),
        Action::ImpairInstance => Some(InstanceFault::Impair(Impairment::Instance)),
        _ => None,
    }
}
