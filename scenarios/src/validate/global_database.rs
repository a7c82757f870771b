//! Aurora Global Databases: which clusters belong together, and what the loss of a Region strikes.

use models::aurora::{Fault, GlobalSettings, Settings};
use models::ids::*;
use models::timeline::FaultAction;

use super::{Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::aurora::{ApiAction, Cluster, GlobalCluster, Maintenance};

/// Most secondary clusters of one (Aurora guide, aurora-global-database).
const MOST_SECONDARIES: usize = 10;

impl Check<'_> {
    /// Gives each cluster of a global database its part.
    pub(super) fn global_databases(&mut self, all: &mut [Option<Settings>]) {
        let doc = self.doc;
        let mut secondaries: Vec<(u16, u16, &GlobalCluster)> = Vec::new();
        for ((name, cluster), n) in doc.aurora.entries.iter().zip(0..) {
            let Some(cluster) = cluster else { continue };
            let Some(part) = &cluster.global_cluster else { continue };
            let Some(primary) = self.primary_of(n, cluster, part) else { continue };
            if secondaries.iter().filter(|it| it.1 == primary).count() == MOST_SECONDARIES {
                let title = format!("a global database has at most {MOST_SECONDARIES} secondary clusters");
                self.error(name.span, title, "one too many");
            }
            secondaries.push((n, primary, part));
        }
        for &(_, primary, _) in &secondaries {
            self.primary_stays_awake(primary);
        }
        for (place, settings) in all.iter_mut().enumerate() {
            let own = place as u16;
            let of = |it: &&(u16, u16, &GlobalCluster)| it.0 == own || it.1 == own;
            let Some(&(_, primary, part)) = secondaries.iter().find(of) else { continue };
            let its = secondaries.iter().filter(|it| it.1 == primary);
            // The primary, should it become a secondary, is as far behind as that would be from it.
            let to_primary = (own != primary).then(|| (AuroraId(primary), part.replication_lag.0.clone()));
            let others = its.filter(|it| it.0 != own).map(|it| (AuroraId(it.0), it.2.replication_lag.0.clone()));
            let global = GlobalSettings {
                primary: AuroraId(primary),
                others: to_primary.into_iter().chain(others).collect(),
                promotion: part.promotion.0.clone(),
            };
            if let Some(settings) = settings {
                settings.global = Some(global);
            }
        }
    }

    /// The primary cluster of a global database does not pause (Aurora guide, aurora-serverless-v2-auto-pause).
    fn primary_stays_awake(&mut self, primary: u16) {
        let cluster = self.doc.aurora.entries[usize::from(primary)].1.as_ref();
        let Some(serverless) = cluster.and_then(|it| it.serverless_v2_scaling_configuration.as_ref()) else { return };
        if serverless.min_capacity.value == 0.0 {
            let title = "the primary cluster of a global database does not pause";
            self.error(serverless.min_capacity.span, title, "at least 0.5");
        }
    }

    /// The number of the primary cluster of a secondary.
    fn primary_of(&mut self, n: u16, cluster: &Cluster, part: &GlobalCluster) -> Option<u16> {
        let doc = self.doc;
        let name = &part.secondary_of;
        let from = Some(Endpoint::Aurora(AuroraId(n)));
        let Endpoint::Aurora(id) = self.endpoint(name, &[Section::Aurora], from, "the primary of a global database")
        else {
            return None;
        };
        let primary = doc.aurora.entries.get(id.index())?.1.as_ref()?;
        if id.0 == n {
            self.error(name.span, "a cluster is no secondary of itself", "name the cluster in the other Region");
            return None;
        }
        if let Some(again) = &primary.global_cluster {
            let error = Diagnostic::error(name.span, "this cluster is a secondary itself", "name the primary");
            self.note(error.also(again.secondary_of.span, "of this one"));
            return None;
        }
        let regions = (self.region_of(Endpoint::Aurora(AuroraId(n))), self.region_of(Endpoint::Aurora(id)));
        if let (Some(here), Some(there)) = regions
            && here.code == there.code
        {
            self.error(name.span, "a secondary cluster is in another Region", format!("both are in {}", here.code));
        }
        if cluster.engine.value != primary.engine.value {
            let error = Diagnostic::error(cluster.engine.span, "all clusters have one engine", "differs");
            self.note(error.also(primary.engine.span, "from the primary's"));
        }
        if let Some(scaling) = &cluster.auto_scaling {
            let title = "Aurora scales no readers of secondary clusters";
            self.error(scaling.span, title, "remove it (Aurora guide, Aurora.Integrating.AutoScaling)");
        }
        Some(id.0)
    }

    /// Refuses changes of a global database where there is none.
    pub(super) fn in_a_global_database(&mut self, change: &Maintenance) {
        let doc = self.doc;
        if !matches!(
            change.action.value,
            ApiAction::GlobalSwitchover | ApiAction::GlobalFailover | ApiAction::GlobalDetach
        ) {
            return;
        }
        let target = change.target.as_str();
        let belongs = doc.aurora.iter().any(|(_, name, cluster)| {
            let Some(part) = &cluster.global_cluster else { return false };
            part.secondary_of.as_str() == target || target.strip_prefix("aurora.") == Some(name.as_str())
        });
        if !belongs {
            let title = format!("`{target}` is not in a global database");
            let label =
                "the target is the cluster that is to be the primary; give it global_cluster = { secondary_of = ... }";
            self.error(change.target.span, title, label);
        }
    }

    /// The targets of all load balancers.
    fn behind_load_balancers(&mut self) -> Vec<Endpoint> {
        let doc = self.doc;
        let own = doc.alb.iter().flat_map(|(_, _, it)| it.target_group.iter().map(|(_, _, group)| &group.targets));
        let network = doc.nlb.iter().flat_map(|(_, _, it)| it.target_group.iter().map(|(_, _, group)| &group.targets));
        let names: Vec<&Sp<String>> = own.chain(network).collect();
        names.into_iter().filter_map(|name| Some(self.look_up(name).0?.1)).collect()
    }

    /// All that is struck when a Region is lost.
    pub(super) fn region_failure(&mut self, code: &Sp<String>) -> Vec<FaultAction> {
        let Some(region) = self.region(code) else { return Vec::new() };
        let all = Section::ALL
            .into_iter()
            .flat_map(|section| (0..super::names_of(self.doc, section).len()).map(move |n| (section, n)));
        let parts: Vec<Endpoint> = all.map(|(section, n)| section.endpoint(n, self.doc)).collect();
        // Who is behind a load balancer is cut off with it, and its health checks go on.
        let behind = self.behind_load_balancers();
        let there =
            |part: &Endpoint| self.region_of(*part).is_some_and(|it| it.code == region.code) && !behind.contains(part);
        let struck: Vec<Endpoint> = parts.into_iter().filter(there).collect();
        if struck.is_empty() {
            let title = format!("nothing is in Region `{}`", region.code);
            self.error(code.span, title, "give parts `region`, or network.region");
        }
        let fault = |part| match part {
            Endpoint::Aurora(cluster) => FaultAction::Database { cluster, fault: Fault::Region },
            other => FaultAction::DisruptConnectivity(other),
        };
        struck.into_iter().map(fault).collect()
    }
}
