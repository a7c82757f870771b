//! The throughput of a table: what is provisioned or on demand, and what is done about uneven keys.

use models::dynamodb::{Billing, Sharing, SplitSettings, ThroughputSettings};
use sim_core::SimDuration;

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::dynamodb as raw;
use crate::raw::dynamodb::Era;
use crate::tree::Span;

/// Warm throughput of a new on-demand table (DDB guide, HowItWorks.ReadWriteCapacityMode).
const ON_DEMAND: [f64; 2] = [12_000.0, 4_000.0];
/// Most units a second of a table.
const MOST_UNITS: f64 = 1e7;

impl Check<'_> {
    pub(super) fn table_throughput(&mut self, table: &raw::Table) -> ThroughputSettings {
        let provisioned = table.billing_mode.value == raw::BillingMode::Provisioned;
        let given = [
            (&table.read_capacity_units, "read_capacity_units"),
            (&table.write_capacity_units, "write_capacity_units"),
        ];
        let units = self.units_given(table, table.span, given);
        let quota = [
            self.number(&table.read_quota, "read_quota", 1.0, MOST_UNITS),
            self.number(&table.write_quota, "write_quota", 1.0, MOST_UNITS),
        ];
        for ((given, key), quota) in given.iter().zip(quota) {
            if let Some(given) = given.as_ref().filter(|units| provisioned && units.value > quota) {
                let text = format!(
                    "the quota of a table is {quota} units: ask for more, and say so with `{}_quota`",
                    &key[..key.len() - "_capacity_units".len()]
                );
                self.warnings.push((given.span, text));
            }
        }
        let warm = self.warm_throughput(table, units);
        let burst = match &table.burst_capacity {
            Some(burst) => self.time(burst, "burst_capacity", 0.0, 3600.0, "").as_secs_f64(),
            None if provisioned => 300.0,
            None => 0.0,
        };
        let scaling = &table.auto_scaling;
        ThroughputSettings {
            billing: self.billing(table),
            units: if provisioned { units } else { warm },
            warm,
            quota,
            burst_seconds: burst,
            size_gb: self.table_size(&table.table_size),
            sharing: self.sharing(table),
            splits: self.splits(table),
            whole_collections: table.local_secondary_indexes.len() > 0,
            scaled: [scaling.read.is_some(), scaling.write.is_some()],
        }
    }

    /// Provisioned units of the table or an index of it, or those that on demand begins with.
    pub(super) fn units_given(
        &mut self,
        table: &raw::Table,
        span: Span,
        given: [(&Option<Sp<f64>>, &str); 2],
    ) -> [f64; 2] {
        let mut units = ON_DEMAND;
        for (units, (given, key)) in units.iter_mut().zip(given) {
            *units = self.units_of(table, span, given, key, *units);
        }
        units
    }

    fn units_of(&mut self, table: &raw::Table, span: Span, given: &Option<Sp<f64>>, key: &str, warm: f64) -> f64 {
        let provisioned = table.billing_mode.value == raw::BillingMode::Provisioned;
        match given {
            Some(units) if !provisioned => {
                let title = "an on-demand table has no provisioned capacity";
                self.error(units.span, title, "remove it, or give billing_mode = \"PROVISIONED\"");
                warm
            }
            Some(units) => self.number(units, key, 1.0, MOST_UNITS),
            None if provisioned => {
                let error = Diagnostic::error(span, format!("a provisioned table lacks `{key}`"), "how much?");
                self.note(error.help("or give billing_mode = \"PAY_PER_REQUEST\""));
                warm
            }
            None => warm,
        }
    }

    fn warm_throughput(&mut self, table: &raw::Table, least: [f64; 2]) -> [f64; 2] {
        let Some(warm) = &table.warm_throughput else { return least };
        let keys = [
            (&warm.value.read_units_per_second, "read_units_per_second"),
            (&warm.value.write_units_per_second, "write_units_per_second"),
        ];
        let mut all = least;
        for (warm, (given, key)) in all.iter_mut().zip(keys) {
            if let Some(given) = given {
                let least = *warm;
                *warm = self.number(given, key, 1.0, MOST_UNITS);
                if *warm < least {
                    let title = "warm throughput can only be raised";
                    self.error(given.span, title, format!("the table has {least} already"));
                }
            }
        }
        all
    }

    fn billing(&mut self, table: &raw::Table) -> Billing {
        let doubling = self.time(&table.doubling_time, "doubling_time", 60.0, 86_400.0, "");
        if table.billing_mode.value == raw::BillingMode::Provisioned {
            if let Some(most) = &table.on_demand_throughput {
                let title = "a provisioned table has no on-demand throughput";
                self.error(most.span, title, "remove it, or give billing_mode = \"PAY_PER_REQUEST\"");
            }
            return Billing::Provisioned;
        }
        let mut maximum = [None; 2];
        if let Some(most) = &table.on_demand_throughput {
            let keys = [
                (&most.value.max_read_request_units, "max_read_request_units"),
                (&most.value.max_write_request_units, "max_write_request_units"),
            ];
            maximum = keys.map(|(given, key)| given.as_ref().map(|most| self.number(most, key, 1.0, MOST_UNITS)));
        }
        Billing::OnDemand { maximum, doubling }
    }

    fn sharing(&mut self, table: &raw::Table) -> Sharing {
        let era = table.era.value;
        let adaptive = table.adaptive_capacity.as_ref().map_or(era != Era::Y2016, |given| given.value);
        let delay = match &table.adaptive_delay {
            Some(delay) if !adaptive => {
                let title = "without adaptive capacity there is nothing to wait for";
                self.error(delay.span, title, "remove it, or give adaptive_capacity = true");
                SimDuration::ZERO
            }
            Some(delay) => self.time(delay, "adaptive_delay", 0.0, 86_400.0, ""),
            None if era == Era::Y2018 => SimDuration::from_secs(600),
            None => SimDuration::ZERO,
        };
        match (adaptive, delay.is_zero()) {
            (false, _) => Sharing::Even,
            (true, true) => Sharing::Whole,
            (true, false) => Sharing::After(delay),
        }
    }

    fn splits(&mut self, table: &raw::Table) -> SplitSettings {
        let era = table.era.value;
        let given = |given: &Option<Sp<bool>>, otherwise| given.as_ref().map_or(otherwise, |given| given.value);
        let threshold = self.share(&table.split_threshold, "split_threshold");
        if threshold == 0.0 {
            self.error(table.split_threshold.span, "every partition would be hot", "more than 0%");
        }
        // Not with provisioned capacity and a stream (DDB guide, bp-partition-key-design).
        let held = table.stream_specification.is_some() && table.billing_mode.value == raw::BillingMode::Provisioned;
        SplitSettings {
            for_heat: given(&table.split_for_heat, era == Era::Current),
            isolates: given(&table.isolate_hot_items, matches!(era, Era::Current | Era::Y2020) && !held),
            threshold,
            sustained: self.time(&table.split_after, "split_after", 1.0, 86_400.0, ""),
            takes: self.time(&table.split_duration, "split_duration", 0.0, 86_400.0, ""),
        }
    }
}
