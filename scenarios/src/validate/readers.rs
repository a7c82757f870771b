//! Auto scaling of an Aurora cluster's readers.

use models::architecture::Run;
use models::aurora::{ReaderScaling, reader_metric};
use models::autoscaling::{ANY_STEP, Policy, PolicyKind, Settings, Target};
use models::cloudwatch::{PERIOD, Statistic};
use models::ids::{AuroraId, Scalable};

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::aurora as raw;

/// Most readers of a cluster (Aurora guide, Aurora.Replication).
const MOST_READERS: u32 = 15;
/// How readers begin that auto scaling makes (Aurora guide, Aurora.Integrating.AutoScaling: DB instance IDs).
const OWN_PREFIX: &str = "application-autoscaling-";

impl Check<'_> {
    /// What the cluster has to know of it: how many readers there may ever be, and how long one takes.
    pub(super) fn readers(&mut self, scaling: &raw::ReaderScaling, cluster: &raw::Cluster) -> ReaderScaling {
        for name in cluster.instances.iter().map(|it| &it.name) {
            if name.starts_with(OWN_PREFIX) || name.as_str() == "READER" {
                self.error(name.span, "auto scaling has this name for itself", "give the instance another one");
            }
        }
        let scheduled = scaling.scheduled_action.iter().flat_map(|it| [&it.min_capacity, &it.max_capacity]);
        let bounds = [&scaling.min_capacity, &scaling.max_capacity];
        let most = bounds.into_iter().chain(scheduled.flatten()).map(|bound| bound.value).max().unwrap_or(0);
        ReaderScaling { most: most.min(MOST_READERS) as u16, creation: scaling.creation_time.0.clone() }
    }

    /// The targets and policies of all clusters.
    pub(super) fn reader_scaling(&mut self, run: &Run, settings: &mut Settings) {
        let doc = self.doc;
        for (n, name, cluster) in doc.aurora.iter() {
            let Some(scaling) = &cluster.auto_scaling else { continue };
            let part = format!("aurora.{}", name.value);
            let id = Scalable::Readers(AuroraId(n as u16));
            let readers = cluster.instances.len().saturating_sub(1) as u32;
            let (min_capacity, max_capacity) = self.reader_bounds(scaling, readers);
            settings.targets.push(Target {
                id,
                name: format!("{part} readers"),
                desired: readers,
                min_capacity,
                max_capacity,
                steps: ANY_STEP,
            });
            self.one_policy_for_each_metric(&scaling.policies);
            for policy in &scaling.policies {
                let policy = self.reader_policy(id, &part, policy);
                settings.policies.push(policy);
            }
            self.distinct(scaling.scheduled_action.iter().map(|action| &action.name), "scheduled actions");
            for action in &scaling.scheduled_action {
                let action = self.scheduled_action(id, action, MOST_READERS, run);
                settings.scheduled.push(action);
            }
        }
    }

    fn reader_bounds(&mut self, scaling: &raw::ReaderScaling, readers: u32) -> (u32, u32) {
        let low = self.count(&scaling.min_capacity, "min_capacity", 0, MOST_READERS);
        let high = self.count(&scaling.max_capacity, "max_capacity", 0, MOST_READERS);
        if low > high {
            let error = Diagnostic::error(scaling.max_capacity.span, "max_capacity is below min_capacity", "below");
            self.note(error.also(scaling.min_capacity.span, "min_capacity"));
        } else if high < readers {
            let title = "the cluster has more readers than max_capacity";
            let label = format!("{readers} readers count too, and auto scaling removes none but its own");
            self.error(scaling.max_capacity.span, title, label);
        }
        if scaling.policies.is_empty() && scaling.scheduled_action.is_empty() {
            self.error(scaling.span, "nothing changes the number of readers", "add `policies` or `scheduled_action`");
        }
        (low, high.max(low))
    }

    fn one_policy_for_each_metric(&mut self, policies: &[raw::ReaderPolicy]) {
        for (n, policy) in policies.iter().enumerate() {
            let metric = &policy.predefined_metric_type;
            if let Some(first) = policies[..n].iter().find(|it| it.predefined_metric_type.value == metric.value) {
                let error = Diagnostic::error(metric.span, "a cluster has one policy for each metric", "again here");
                self.note(error.also(first.predefined_metric_type.span, "first here"));
            }
        }
    }

    fn reader_policy(&mut self, id: Scalable, part: &str, policy: &raw::ReaderPolicy) -> Policy {
        let (metric, most, usual) = match policy.predefined_metric_type.value {
            raw::ReaderMetric::Cpu => ("CPUUtilization", 100.0, "reader CPU"),
            raw::ReaderMetric::Connections => ("DatabaseConnections", 1e6, "reader connections"),
        };
        if let Some(name) = &policy.policy_name {
            self.label(name);
        }
        Policy {
            name: policy.policy_name.as_ref().map_or_else(|| usual.to_owned(), |name: &Sp<String>| name.value.clone()),
            target: id,
            kind: PolicyKind::TargetTracking {
                metric: reader_metric(part, metric),
                statistic: Statistic::Average,
                period: PERIOD,
                target_value: self.number(&policy.target_value, "target_value", 0.1, most),
                disable_scale_in: policy.disable_scale_in.value,
                scale_out_datapoints: self.count(&policy.scale_out_datapoints, "scale_out_datapoints", 1, 1440),
                scale_in_datapoints: self.count(&policy.scale_in_datapoints, "scale_in_datapoints", 1, 1440),
                scale_in_threshold: self.share(&policy.scale_in_threshold, "scale_in_threshold"),
            },
            scale_out_cooldown: self.time(&policy.scale_out_cooldown, "scale_out_cooldown", 0.0, 86_400.0, ""),
            scale_in_cooldown: self.time(&policy.scale_in_cooldown, "scale_in_cooldown", 0.0, 86_400.0, ""),
        }
    }
}
