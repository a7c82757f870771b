//! Load balancers, and which target groups an ECS service is registered with.

use std::collections::BTreeMap;

use models::alb::{Action, Algorithm, HealthCheck, Rule, Settings, TargetGroup, Targets};
use models::architecture::Network;
use models::ids::*;

use super::{BROKEN, Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::alb as raw;
use crate::raw::timeline::Strategy;
use crate::tree::Span;

/// Where an ECS service is registered.
#[derive(Clone, Debug, Default)]
pub(super) struct Registration {
    /// The target group that gets requests, then the green one of blue/green deployments.
    pub groups: Vec<(AlbId, TargetGroupId)>,
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
                target_groups.push(self.target_group(id, group_name, group));
            }
        }
        Settings {
            name: name.value.clone(),
            rules: self.rules(alb),
            rule_of_path: Vec::new(),
            target_groups,
            idle_timeout: self.time(&alb.idle_timeout, "idle_timeout", 1.0, 4000.0, "ALB"),
            added_latency: self.delay(&alb.added_latency, "added_latency"),
            target_rtt: alb.target_rtt.as_ref().map_or(network.region_rtt, |rtt| self.delay(rtt, "target_rtt")),
        }
    }

    fn rules(&mut self, alb: &raw::Alb) -> Vec<Rule> {
        if alb.rule.len() > 1000 {
            self.error(alb.rule.span, "too many listener rules", "at most 1000");
        }
        let mut rules: Vec<Rule> = Vec::new();
        for rule in alb.rule.iter() {
            self.pattern(&rule.path_pattern);
            if let Some(before) = rules.iter().find(|before| before.path_pattern == "*") {
                let title =
                    format!("no request reaches this rule: one before it has all paths ({})", before.path_pattern);
                self.error(rule.path_pattern.span, title, "move the rule with \"*\" to the end");
            }
            rules.push(Rule { path_pattern: rule.path_pattern.value.clone(), action: self.action(alb, rule) });
        }
        if rules.last().is_none_or(|rule| rule.path_pattern != "*") {
            match alb.target_group.len() {
                1 => {
                    rules.push(Rule { path_pattern: "*".into(), action: Action::Forward(vec![(TargetGroupId(0), 1)]) })
                }
                0 if alb.rule.is_empty() => {
                    let title = "this load balancer has neither target groups nor rules";
                    self.error(alb.span, title, "add [alb.NAME.target_group.NAME] with `targets`");
                }
                _ => {
                    let title = "this load balancer has no default rule";
                    let error = Diagnostic::error(alb.span, title, "what becomes of paths that no rule has?");
                    self.note(error.help("add a last rule with path_pattern = \"*\" and forward or fixed_response"));
                }
            }
        }
        rules
    }

    fn action(&mut self, alb: &raw::Alb, rule: &raw::Rule) -> Action {
        let forward = match (&rule.forward, &rule.fixed_response) {
            (Some(_), Some(status)) => {
                self.error(status.span, "a rule either forwards or answers, not both", "remove one of them");
                return Action::FixedResponse(503);
            }
            (None, None) => {
                self.error(rule.span, "this rule does nothing", "give `forward` or `fixed_response`");
                return Action::FixedResponse(503);
            }
            (None, Some(status)) => {
                return Action::FixedResponse(self.count(status, "an HTTP status of a fixed response", 200, 599) as u16);
            }
            (Some(forward), None) => forward,
        };
        if forward.0.is_empty() || forward.0.len() > 5 {
            self.error(forward.span, "a rule forwards to one to five target groups", "ALB's limit is five");
        }
        let mut groups = Vec::new();
        for (name, weight) in &forward.0 {
            let weight = self.count(weight, "a target group's weight", 0, 999);
            if let Some(n) = self.named(name, &alb.target_group, "target group") {
                groups.push((TargetGroupId(n as u16), weight));
            }
        }
        if !groups.is_empty() && groups.iter().all(|(_, weight)| *weight == 0) {
            self.error(forward.span, "all weights of this rule are 0", "at least one above 0");
        }
        Action::Forward(groups)
    }

    fn target_group(&mut self, id: AlbId, name: &Sp<String>, group: &raw::TargetGroup) -> TargetGroup {
        let allowed = [Section::Ecs, Section::Station];
        let targets = match self.endpoint(&group.targets, &allowed, Some(Endpoint::Alb(id)), "`targets`") {
            Endpoint::Ecs(ecs) => Targets::Ecs(ecs),
            Endpoint::Station(station) => Targets::Station(station),
            _ => Targets::Station(StationId(u16::MAX)),
        };
        let delay = &group.deregistration_delay;
        TargetGroup {
            name: name.value.clone(),
            algorithm: match group.load_balancing_algorithm.value {
                raw::Algorithm::RoundRobin => Algorithm::RoundRobin,
                raw::Algorithm::LeastOutstandingRequests => Algorithm::LeastOutstandingRequests,
                raw::Algorithm::WeightedRandom => Algorithm::WeightedRandom,
                raw::Algorithm::PowerOfTwo => Algorithm::PowerOfTwo,
            },
            health_check: self.target_health_check(&group.health_check),
            deregistration_delay: self.time(delay, "deregistration_delay", 0.0, 3600.0, "ALB"),
            targets,
        }
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

    /// Finds each ECS service's target groups, and makes green ones for blue/green deployments that have none.
    pub(super) fn registrations(&mut self, albs: &mut [Option<Settings>]) -> Vec<Registration> {
        let mut placed: BTreeMap<EcsId, Vec<Placed>> = BTreeMap::new();
        for (group, targets) in self.placed_groups(albs) {
            match targets {
                Targets::Ecs(ecs) => placed.entry(ecs).or_default().push(group),
                Targets::Station(_) => self.warn_unused_group(&group),
            }
        }
        let mut registrations = Vec::new();
        for n in 0..self.doc.ecs.len() {
            let ecs = EcsId(n as u16);
            let (used, spare): (Vec<Placed>, Vec<Placed>) =
                placed.remove(&ecs).unwrap_or_default().into_iter().partition(|group| group.used);
            if let [first, second, ..] = used.as_slice() {
                let name = self.name_of(Endpoint::Ecs(ecs));
                let title = format!("`{name}` is registered with two target groups that get requests");
                let error = Diagnostic::error(second.span, title, "the second is not modelled yet");
                let help = "a second target group without requests is the green one of blue/green deployments";
                self.note(error.also(first.span, "the first").help(help));
            }
            let greens = usize::from(self.has_blue_green(ecs));
            spare.iter().skip(greens).for_each(|group| self.warn_unused_group(group));
            let groups = used.iter().take(1).chain(spare.iter().take(greens)).map(|group| (group.alb, group.id));
            registrations.push(Registration { groups: groups.collect() });
        }
        self.green_groups(albs, &mut registrations);
        registrations
    }

    fn placed_groups(&self, albs: &[Option<Settings>]) -> Vec<(Placed, Targets)> {
        let mut placed = Vec::new();
        for (a, alb) in albs.iter().enumerate() {
            let (Some(alb), Some((_, Some(raw)))) = (alb, self.doc.alb.entries.get(a)) else { continue };
            for (g, group) in alb.target_groups.iter().enumerate() {
                let id = TargetGroupId(g as u16);
                let forwards = |rule: &Rule| match &rule.action {
                    Action::Forward(groups) => groups.iter().any(|(to, _)| *to == id),
                    Action::FixedResponse(_) => false,
                };
                let typed = raw.target_group.position(&group.name).map(|n| &raw.target_group.entries[n].0);
                let span = typed.map_or(Span::NOWHERE, |name| name.span);
                let used = alb.rules.iter().any(forwards);
                placed.push((Placed { alb: AlbId(a as u16), id, name: group.name.clone(), span, used }, group.targets));
            }
        }
        placed
    }

    fn warn_unused_group(&mut self, group: &Placed) {
        if !group.used {
            self.warnings.push((group.span, format!("no rule forwards to the target group `{}`", group.name)));
        }
    }

    fn has_blue_green(&self, ecs: EcsId) -> bool {
        self.doc.deploy.iter().any(|deploy| {
            deploy.strategy.value == Strategy::BlueGreen
                && self.look_up(&deploy.service).0.is_some_and(|(_, endpoint)| endpoint == Endpoint::Ecs(ecs))
        })
    }

    fn green_groups(&mut self, albs: &mut [Option<Settings>], registrations: &mut [Registration]) {
        for deploy in self.doc.deploy.iter().filter(|deploy| deploy.strategy.value == Strategy::BlueGreen) {
            let Some(Endpoint::Ecs(ecs)) = self.look_up(&deploy.service).0.map(|(_, endpoint)| endpoint) else {
                continue;
            };
            let groups = &mut registrations[ecs.index()].groups;
            match groups.as_slice() {
                [] => {
                    let title = "blue/green needs a load balancer that switches traffic";
                    let label = format!("no target group has targets = \"{}\"", deploy.service.value);
                    self.error(deploy.strategy.span, title, label);
                }
                [(alb, blue)] => {
                    let Some(Some(settings)) = albs.get_mut(alb.index()) else { continue };
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
            Targets::Station(station) if station.0 == u16::MAX => BROKEN,
            Targets::Station(station) => Endpoint::Station(station),
        }
    }
}
