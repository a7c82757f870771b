//! Auto scaling of provisioned capacity.

use models::architecture::Run;
use models::autoscaling::{ANY_STEP, Policy, PolicyKind, Settings, Target};
use models::cloudwatch::{PERIOD, Statistic};
use models::dynamodb::utilization_metric;
use models::ids::*;

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::dynamodb as raw;

/// Most units that are scaled to.
const MOST_UNITS: u32 = 10_000_000;

impl Check<'_> {
    /// The targets and policies of all tables.
    pub(in crate::validate) fn table_scaling(&mut self, run: &Run, settings: &mut Settings) {
        let doc = self.doc;
        for (n, name, table) in doc.dynamodb.iter() {
            let part = format!("dynamodb.{}", name.value);
            let units = (&table.read_capacity_units, &table.write_capacity_units);
            let of_table = (part.clone(), &table.auto_scaling, units.0, units.1);
            let of_indexes = table.global_secondary_indexes.iter().map(|(_, name, index)| {
                let part = format!("{part}/{}", name.value);
                (part, &index.auto_scaling, &index.read_capacity_units, &index.write_capacity_units)
            });
            for ((part, scaling, read, write), store) in std::iter::once(of_table).chain(of_indexes).zip(0..) {
                for (kind, (tracking, units)) in
                    [(&scaling.read, read), (&scaling.write, write)].into_iter().enumerate()
                {
                    let Some(tracking) = tracking else { continue };
                    if table.billing_mode.value != raw::BillingMode::Provisioned {
                        let title = "an on-demand table has nothing to scale";
                        self.error(tracking.span, title, "remove it, or give billing_mode = \"PROVISIONED\"");
                        continue;
                    }
                    let id = Scalable::Throughput(DynamoDbId(n as u16), 2 * store + kind as u8);
                    let Some(units) = units else { continue };
                    self.tracking_of(id, &part, kind, tracking, units, run, settings);
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place, all of it different")]
    fn tracking_of(
        &mut self,
        id: Scalable,
        part: &str,
        kind: usize,
        tracking: &raw::Tracking,
        units: &Sp<f64>,
        run: &Run,
        settings: &mut Settings,
    ) {
        let low = self.count(&tracking.min_capacity, "min_capacity", 1, MOST_UNITS);
        let high = self.count(&tracking.max_capacity, "max_capacity", 1, MOST_UNITS);
        if low > high {
            let error = Diagnostic::error(tracking.max_capacity.span, "max_capacity is below min_capacity", "below");
            self.note(error.also(tracking.min_capacity.span, "min_capacity"));
        }
        if units.value.fract() != 0.0 {
            self.error(units.span, "capacity that is scaled is a whole number of units", "round it");
        } else if !(f64::from(low)..=f64::from(high)).contains(&units.value) {
            let error = Diagnostic::error(
                units.span,
                "this is outside of min_capacity..max_capacity",
                format!("from {low} to {high}"),
            );
            self.note(error.also(tracking.span, "its auto scaling"));
        }
        let word = ["read", "write"][kind];
        settings.targets.push(Target {
            id,
            name: format!("{part} {}", ["RCU", "WCU"][kind]),
            desired: units.value as u32,
            min_capacity: low,
            max_capacity: high.max(low),
            steps: ANY_STEP,
        });
        settings.policies.push(Policy {
            name: format!("{word} capacity utilization"),
            target: id,
            kind: PolicyKind::TargetTracking {
                metric: format!("AWS/DynamoDB {} {part}", utilization_metric(kind)),
                statistic: Statistic::Average,
                period: PERIOD,
                target_value: self.number(&tracking.target_value, "target_value", 20.0, 90.0),
                disable_scale_in: tracking.disable_scale_in.value,
                scale_out_datapoints: self.count(&tracking.scale_out_datapoints, "scale_out_datapoints", 1, 1440),
                scale_in_datapoints: self.count(&tracking.scale_in_datapoints, "scale_in_datapoints", 1, 1440),
                scale_in_threshold: self.share(&tracking.scale_in_threshold, "scale_in_threshold"),
            },
            scale_out_cooldown: self.time(&tracking.scale_out_cooldown, "scale_out_cooldown", 0.0, 86_400.0, ""),
            scale_in_cooldown: self.time(&tracking.scale_in_cooldown, "scale_in_cooldown", 0.0, 86_400.0, ""),
        });
        self.distinct(tracking.scheduled_action.iter().map(|action| &action.name), "scheduled actions");
        for action in &tracking.scheduled_action {
            let action = self.scheduled_action(id, action, MOST_UNITS, run);
            settings.scheduled.push(action);
        }
    }
}
