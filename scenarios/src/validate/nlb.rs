//! Network Load Balancers. They are numbered after the Application Load Balancers, of whose kind they are in the models.

use models::alb::{Action, Algorithm, HealthCheck, Kind, Rule, Settings, TargetGroup};
use models::architecture::Network;
use models::ids::*;
use sim_core::SimDuration;

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::nlb as raw;

impl Check<'_> {
    pub(super) fn network_load_balancers(&mut self, network: &Network) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.nlb, "nlb");
        let first = doc.alb.len();
        let mut built = Vec::new();
        for (n, (name, nlb)) in doc.nlb.entries.iter().enumerate() {
            built.push(nlb.as_ref().map(|nlb| self.nlb(AlbId((first + n) as u16), name, nlb, network)));
        }
        built
    }

    fn nlb(&mut self, id: AlbId, name: &Sp<String>, nlb: &raw::Nlb, network: &Network) -> Settings {
        self.part_names(&nlb.target_group, "target_group");
        if nlb.target_group.len() != 1 {
            self.error(nlb.span, "a network load balancer has one target group here", "[nlb.NAME.target_group.NAME]");
        }
        let zones = self.balancer_zones(&nlb.availability_zones);
        let groups = nlb.target_group.iter().map(|(_, name, group)| self.flow_group(id, nlb, name, group));
        let target_groups = groups.collect();
        Settings {
            kind: Kind::Network,
            zones,
            rules: vec![Rule::any(Action::forward(TargetGroupId(0)))],
            idle_timeout: self.time(&nlb.idle_timeout, "idle_timeout", 60.0, 6000.0, "NLB"),
            added_latency: self.delay(&nlb.added_latency, "added_latency"),
            target_rtt: nlb.target_rtt.as_ref().map_or(network.region_rtt, |rtt| self.delay(rtt, "target_rtt")),
            ..Settings::forwarding(&name.value, target_groups)
        }
    }

    fn flow_group(&mut self, id: AlbId, nlb: &raw::Nlb, name: &Sp<String>, group: &raw::TargetGroup) -> TargetGroup {
        let zones = &nlb.availability_zones;
        let targets = self.targets(id, &group.targets);
        let (dns_failover, unhealthy_state_routing) = self.group_health(zones, &group.target_group_health);
        let delay = &group.deregistration_delay;
        TargetGroup {
            // A flow is hashed; the algorithm is not looked at, and a hash is a random choice.
            algorithm: Algorithm::RoundRobin,
            health_check: self.flow_health_check(&group.health_check),
            deregistration_delay: self.time(delay, "deregistration_delay", 0.0, 3600.0, "NLB"),
            zone_of_target: self.zones_of_targets(zones, &group.targets, targets),
            cross_zone: group.cross_zone.value,
            stickiness: None,
            slow_start: SimDuration::ZERO,
            dns_failover,
            unhealthy_state_routing,
            ..TargetGroup::new(&name.value, targets)
        }
    }

    fn flow_health_check(&mut self, check: &raw::HealthCheck) -> HealthCheck {
        let interval = self.time(&check.interval, "interval", 5.0, 300.0, "NLB");
        let timeout = self.time(&check.timeout, "timeout", 2.0, 120.0, "NLB");
        if timeout > interval {
            let title = "a health check's timeout is longer than its interval";
            let error = Diagnostic::error(check.timeout.span, title, "longer");
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
}
