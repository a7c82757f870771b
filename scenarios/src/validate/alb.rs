//! Load balancers, and which target groups an ECS service is registered with.

use std::collections::BTreeMap;

use models::alb::{Action, Algorithm, HealthCheck, Kind, Minimum, Rule, Settings, TargetGroup, Targets};
use models::architecture::Network;
use models::ids::*;
use sim_core::SimDuration;

use super::{BROKEN, Check, Section};
use crate::decode::{Named, Sp};
use crate::diagnostics::Diagnostic;
use crate::nearest::list;
use crate::raw::alb as raw;
use crate::tree::Span;
use crate::units::{Rate, Time};

/// Most Availability Zones of a Region.
const MAX_ZONES: usize = 20;

/// Where an ECS service is registered.
#[derive(Clone, Debug, Default)]
pub(super) struct Registration {
    /// The target group that gets requests, then the green one of blue/green deployments.
    pub groups: Vec<(AlbId, TargetGroupId)>,
}

/// Where everybody is registered.
#[derive(Clone, Debug, Default)]
pub(super) struct Registrations {
    /// By [`EcsId`].
    pub ecs: Vec<Registration>,
    /// By [`Ec2Id`].
    pub ec2: Vec<Registration>,
}

/// A target group of some load balancer.
struct Placed {
    alb: AlbId,
    id: TargetGroupId,
    name: String,
    span: Span,
    /// Whether a rule forwards to it.
    used: bool,
}

impl Check<'_> {
    pub(super) fn load_balancers(&mut self, network: &Network) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.alb, "alb");
        let mut built = Vec::new();
        for (n, (name, alb)) in doc.alb.entries.iter().enumerate() {
            built.push(alb.as_ref().map(|alb| self.alb(AlbId(n as u16), name, alb, network)));
        }
        built
    }

    fn alb(&mut self, id: AlbId, name: &Sp<String>, alb: &raw::Alb, network: &Network) -> Settings {
        self.part_names(&alb.target_group, "target_group");
        let mut target_groups = Vec::new();
        for (group_name, group) in &alb.target_group.entries {
            if let Some(group) = group {
                target_groups.push(self.target_group(id, alb, group_name, group));
            }
        }
        let zones = self.balancer_zones(&alb.availability_zones);
        Settings {
            kind: Kind::Application,
            name: name.value.clone(),
            zones,
            rules: self.rules(alb),
            ways: Vec::new(),
            way_of_path: Vec::new(),
            target_groups,
            idle_timeout: self.time(&alb.idle_timeout, "idle_timeout", 1.0, 4000.0, "ALB"),
            client_keep_alive: self.time(&alb.client_keep_alive, "client_keep_alive", 60.0, 604_800.0, "ALB"),
            added_latency: self.delay(&alb.added_latency, "added_latency"),
            target_rtt: alb.target_rtt.as_ref().map_or(network.region_rtt, |rtt| self.delay(rtt, "target_rtt")),
            initial_capacity: alb.initial_capacity.as_ref().map(|rate| self.own_capacity(rate)),
        }
    }

    pub(super) fn balancer_zones(&mut self, zones: &Sp<Vec<Sp<String>>>) -> Vec<String> {
        self.distinct(zones.iter(), "zones");
        zones.iter().for_each(|zone| self.label(zone));
        if zones.len() > MAX_ZONES {
            let label = format!("at most {MAX_ZONES}");
            self.error(zones.span, "no Region has so many Availability Zones", label);
        }
        zones.iter().map(|zone| zone.value.clone()).collect()
    }

    pub(super) fn targets(&mut self, id: AlbId, text: &Sp<String>) -> Targets {
        let allowed = [Section::Ecs, Section::Ec2, Section::Station];
        match self.endpoint(text, &allowed, Some(Endpoint::Alb(id)), "`targets`") {
            Endpoint::Ecs(ecs) => Targets::Ecs(ecs),
            Endpoint::Ec2(group) => Targets::Ec2(group),
            Endpoint::Station(station) => Targets::Station(station),
            _ => Targets::Station(StationId(u16::MAX)),
        }
    }

    fn own_capacity(&mut self, rate: &Sp<Rate>) -> f64 {
        if !(1e-3..=1e9).contains(&rate.0) {
            self.error(rate.span, "a load balancer cannot be scaled for this", "such as \"500/s\"");
        }
        rate.0.clamp(1e-3, 1e9)
    }

    fn target_group(&mut self, id: AlbId, alb: &raw::Alb, name: &Sp<String>, group: &raw::TargetGroup) -> TargetGroup {
        let targets = self.targets(id, &group.targets);
        let delay = &group.deregistration_delay;
        let algorithm = match group.load_balancing_algorithm.value {
            raw::Algorithm::RoundRobin => Algorithm::RoundRobin,
            raw::Algorithm::LeastOutstandingRequests => Algorithm::LeastOutstandingRequests,
            raw::Algorithm::WeightedRandom => Algorithm::WeightedRandom,
            raw::Algorithm::PowerOfTwo => Algorithm::PowerOfTwo,
        };
        if !group.cross_zone.value && alb.availability_zones.is_empty() {
            let error =
                Diagnostic::error(group.cross_zone.span, "this load balancer has one node for all zones", "no effect");
            self.note(error.help("add availability_zones = [\"a\", \"b\"] to the load balancer"));
        }
        if *group.anomaly_mitigation && algorithm != Algorithm::WeightedRandom {
            let label = "only with load_balancing_algorithm = \"weighted_random\"";
            self.error(group.anomaly_mitigation.span, "anomaly mitigation needs weights", label);
        }
        let (dns_failover, unhealthy_state_routing) =
            self.group_health(&alb.availability_zones, &group.target_group_health);
        TargetGroup {
            name: name.value.clone(),
            algorithm,
            health_check: self.target_health_check(&group.health_check),
            deregistration_delay: self.time(delay, "deregistration_delay", 0.0, 3600.0, "ALB"),
            targets,
            zone_of_target: self.zones_of_targets(&alb.availability_zones, &group.targets, targets),
            cross_zone: group.cross_zone.value,
            stickiness: group.stickiness.as_ref().map(|stickiness| self.stickiness(stickiness)),
            slow_start: self.slow_start(&group.slow_start, algorithm),
            anomaly_mitigation: group.anomaly_mitigation.value,
            dns_failover,
            unhealthy_state_routing,
        }
    }

    /// For each zone of the service behind a group: which of the load balancer's it is. A target in a zone that the load
    /// balancer is not enabled in would be `unused`.
    pub(super) fn zones_of_targets(
        &mut self,
        enabled: &Sp<Vec<Sp<String>>>,
        text: &Sp<String>,
        targets: Targets,
    ) -> Vec<u8> {
        let doc = self.doc;
        let of_targets = match targets {
            Targets::Ecs(id) => doc.ecs.entries[id.index()].1.as_ref().map(|service| &service.availability_zones),
            Targets::Ec2(id) => doc.ec2.entries[id.index()].1.as_ref().map(|group| &group.availability_zones),
            Targets::Station(_) => None,
        };
        let Some(of_targets) = of_targets.filter(|_| !enabled.is_empty()) else { return Vec::new() };
        let known: Vec<&str> = enabled.iter().map(|zone| zone.as_str()).collect();
        let mut zones = Vec::new();
        for zone in of_targets.iter() {
            let found = known.iter().position(|known| *known == zone.as_str());
            if found.is_none() {
                let title = format!(
                    "`{}` has targets in zone `{}`, where the load balancer is not enabled",
                    text.value, zone.value
                );
                let error = Diagnostic::error(text.span, title, "they would get no requests");
                let help = format!("zones of the load balancer: {}", list(&known));
                self.note(error.also(enabled.span, "enabled here").help(help));
            }
            zones.push(found.unwrap_or_default().min(MAX_ZONES) as u8);
        }
        zones
    }

    fn stickiness(&mut self, stickiness: &raw::Stickiness) -> SimDuration {
        match (stickiness.cookie.value, &stickiness.cookie_name) {
            (raw::CookieType::Application, None) => {
                self.error(stickiness.span, "an application's cookie needs its name", "add cookie_name = \"session\"");
            }
            (raw::CookieType::LoadBalancer, Some(name)) => {
                let label = "remove it, or say cookie = \"app_cookie\"";
                self.error(name.span, "the load balancer's own cookie has a name already", label);
            }
            (raw::CookieType::Application, Some(name)) if name.starts_with("AWSALB") => {
                self.error(name.span, "names that begin with AWSALB are the load balancer's own", "another name");
            }
            _ => {}
        }
        self.time(&stickiness.duration, "duration", 1.0, 604_800.0, "ALB")
    }

    fn slow_start(&mut self, slow_start: &Sp<Time>, algorithm: Algorithm) -> SimDuration {
        if slow_start.0.is_zero() {
            return SimDuration::ZERO;
        }
        if algorithm != Algorithm::RoundRobin {
            let label = "only with load_balancing_algorithm = \"round_robin\"";
            self.error(slow_start.span, "slow start does not go with this algorithm", label);
        }
        self.time(slow_start, "slow_start", 30.0, 900.0, "ALB")
    }

    pub(super) fn group_health(
        &mut self,
        zones: &Sp<Vec<Sp<String>>>,
        health: &raw::TargetGroupHealth,
    ) -> (Minimum, Minimum) {
        let (dns, routing) = (&health.dns_failover, &health.unhealthy_state_routing);
        let (dns_failover, unhealthy_state_routing) = (self.minimum(dns), self.minimum(routing));
        if zones.is_empty() && dns_failover != Minimum::default() {
            let error = Diagnostic::error(dns.span, "this load balancer has one node for all zones", "no effect");
            self.note(error.help("add availability_zones = [\"a\", \"b\"] to the load balancer"));
        }
        let below = dns_failover.count < unhealthy_state_routing.count
            || dns_failover.percentage.unwrap_or_default() < unhealthy_state_routing.percentage.unwrap_or_default();
        if below && !zones.is_empty() {
            let label = "dns_failover must be at least as much";
            self.error(routing.span, "nodes would fail open in zones that clients are still sent to", label);
        }
        (dns_failover, unhealthy_state_routing)
    }

    fn minimum(&mut self, minimum: &raw::MinimumHealthy) -> Minimum {
        let percentage = minimum.percentage.as_ref().map(|share| {
            let percent = (self.share(share, "percentage") * 100.0).round();
            if percent < 1.0 || (share.0 * 100.0 - percent).abs() > 1e-6 {
                self.error(share.span, "a whole percentage from 1 to 100", "such as \"50%\"");
            }
            percent as u32
        });
        Minimum { count: self.count(&minimum.count, "count", 1, 1000), percentage }
    }

    fn target_health_check(&mut self, check: &raw::TargetHealthCheck) -> HealthCheck {
        let interval = self.time(&check.interval, "interval", 5.0, 300.0, "ALB");
        let timeout = self.time(&check.timeout, "timeout", 2.0, 120.0, "ALB");
        if timeout > interval {
            let error =
                Diagnostic::error(check.timeout.span, "a health check's timeout is longer than its interval", "longer");
            self.note(error.also(check.interval.span, "the interval"));
        }
        HealthCheck {
            enabled: check.enabled.value,
            interval,
            timeout,
            healthy_threshold: self.count(&check.healthy_threshold_count, "healthy_threshold_count", 2, 10),
            unhealthy_threshold: self.count(&check.unhealthy_threshold_count, "unhealthy_threshold_count", 2, 10),
        }
    }

    /// Finds the target groups of each ECS service and EC2 group, and makes green ones for blue/green deployments that have none.
    pub(super) fn registrations(&mut self, albs: &mut [Option<Settings>]) -> Registrations {
        let doc = self.doc;
        let mut placed: BTreeMap<ComputeId, Vec<Placed>> = BTreeMap::new();
        for (group, targets) in self.placed_groups(albs) {
            match targets.service() {
                Some(service) => placed.entry(service).or_default().push(group),
                None => self.warn_unused_group(&group),
            }
        }
        let mut registration =
            |service: ComputeId| self.registration(service, placed.remove(&service).unwrap_or_default());
        let mut found = Registrations {
            ecs: (0..doc.ecs.len()).map(|n| registration(EcsId(n as u16).into())).collect(),
            ec2: (0..doc.ec2.len()).map(|n| registration(Ec2Id(n as u16).into())).collect(),
        };
        self.green_groups(albs, &mut found.ecs);
        found
    }

    fn registration(&mut self, service: ComputeId, placed: Vec<Placed>) -> Registration {
        let (used, spare): (Vec<Placed>, Vec<Placed>) = placed.into_iter().partition(|group| group.used);
        if let [first, second, ..] = used.as_slice() {
            let name = self.name_of(service.endpoint());
            let title = format!("`{name}` is registered with two target groups that get requests");
            let error = Diagnostic::error(second.span, title, "the second is not modelled yet");
            let help = "a second target group without requests is the green one of blue/green deployments";
            self.note(error.also(first.span, "the first").help(help));
        }
        let greens = usize::from(matches!(service.get(), Compute::Ecs(id) if self.has_blue_green(id)));
        spare.iter().skip(greens).for_each(|group| self.warn_unused_group(group));
        let groups = used.iter().take(1).chain(spare.iter().take(greens)).map(|group| (group.alb, group.id));
        Registration { groups: groups.collect() }
    }

    fn placed_groups(&self, albs: &[Option<Settings>]) -> Vec<(Placed, Targets)> {
        let mut placed = Vec::new();
        for (a, alb) in albs.iter().enumerate() {
            let Some(alb) = alb else { continue };
            for (g, group) in alb.target_groups.iter().enumerate() {
                let id = TargetGroupId(g as u16);
                let forwards = |rule: &Rule| match &rule.action {
                    Action::Forward(forward) => forward.groups.iter().any(|(to, _)| *to == id),
                    Action::FixedResponse(_) | Action::Redirect { .. } => false,
                };
                let span = self.span_of_group(a, &group.name);
                let used = alb.rules.iter().any(forwards);
                placed.push((Placed { alb: AlbId(a as u16), id, name: group.name.clone(), span, used }, group.targets));
            }
        }
        placed
    }

    /// Where a target group of load balancer number `n` was named.
    fn span_of_group(&self, n: usize, name: &str) -> Span {
        fn among<T>(groups: &Named<T>, name: &str) -> Option<Span> {
            groups.position(name).map(|at| groups.entries[at].0.span)
        }
        let (albs, nlbs) = (&self.doc.alb.entries, &self.doc.nlb.entries);
        let span = match n.checked_sub(albs.len()) {
            None => albs[n].1.as_ref().and_then(|alb| among(&alb.target_group, name)),
            Some(n) => nlbs.get(n).and_then(|(_, nlb)| among(&nlb.as_ref()?.target_group, name)),
        };
        span.unwrap_or(Span::NOWHERE)
    }

    fn warn_unused_group(&mut self, group: &Placed) {
        if !group.used {
            self.warnings.push((group.span, format!("no rule forwards to the target group `{}`", group.name)));
        }
    }

    fn has_blue_green(&self, ecs: EcsId) -> bool {
        self.doc.deploy.iter().any(|deploy| {
            deploy.strategy.value.has_green()
                && self.look_up(&deploy.service).0.is_some_and(|(_, endpoint)| endpoint == Endpoint::Ecs(ecs))
        })
    }

    fn green_groups(&mut self, albs: &mut [Option<Settings>], registrations: &mut [Registration]) {
        for deploy in self.doc.deploy.iter().filter(|deploy| deploy.strategy.value.has_green()) {
            let Some(Endpoint::Ecs(ecs)) = self.look_up(&deploy.service).0.map(|(_, endpoint)| endpoint) else {
                continue;
            };
            let groups = &mut registrations[ecs.index()].groups;
            match groups.as_slice() {
                [] => {
                    let title = "this strategy needs a load balancer that shifts traffic";
                    let label = format!("no target group has targets = \"{}\"", deploy.service.value);
                    self.error(deploy.strategy.span, title, label);
                }
                [(alb, blue)] => {
                    let Some(Some(settings)) = albs.get_mut(alb.index()) else { continue };
                    if settings.kind == Kind::Network {
                        let label = "not modelled yet behind a network load balancer";
                        self.error(
                            deploy.strategy.span,
                            "blue/green switches rules, of which a network load balancer has none",
                            label,
                        );
                        continue;
                    }
                    let mut green = settings.target_groups[blue.index()].clone();
                    green.name = format!("{}-green", green.name);
                    let note = format!(
                        "alb.{}: target group `{}` added for blue/green deployments",
                        settings.name, green.name
                    );
                    groups.push((*alb, TargetGroupId(settings.target_groups.len() as u16)));
                    settings.target_groups.push(green);
                    self.notes.push(note);
                }
                _ => {}
            }
        }
    }

    /// The service or station that a target group's targets are.
    pub(super) fn target_endpoint(targets: Targets) -> Endpoint {
        match targets {
            Targets::Ecs(ecs) => Endpoint::Ecs(ecs),
            Targets::Ec2(group) => Endpoint::Ec2(group),
            Targets::Station(station) if station.0 == u16::MAX => BROKEN,
            Targets::Station(station) => Endpoint::Station(station),
        }
    }
}
