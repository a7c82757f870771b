//! How a scenario is run, and its variants.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sim_core::SimDuration;

use crate::decode::{Decode, Decoder, Sp, table};
use crate::diagnostics::Diagnostic;
use crate::overrides::Changes;
use crate::raw::timeline::Expect;
use crate::tree::{Node, Value};
use crate::units::{Share, Time};

table! {
    /// How long is simulated, how often, and what is left out of the figures.
    Run as "[run]" {
        /// Simulated time. Needed, unless all traffic is a replay, which then runs to its last record.
        optional("the end of the replayed log", "needed where there is no replay") duration: Sp<Time>,
        /// The instant at which the run starts, for what goes by the calendar: scheduled actions with cron expressions.
        default("2026-01-05T00:00:00Z", "assumption: midnight before a Monday") starts_at: Sp<String>,
        /// What arrives before this is served but not counted, so that an empty start does not colour the figures.
        /// "auto" finds it from the latencies of five first runs (MSER-5).
        default("0s", "assumption: nothing is left out unless asked for") warm_up: Sp<WarmUp>,
        /// How many independent runs the figures and their confidence intervals come from. One long run has its intervals from
        /// batch means. With `precision` these are the first ones.
        default(10, "assumption: enough for Student intervals that mean something") replications: Sp<u32>,
        /// Runs more replications until the interval of a figure is narrow enough.
        optional("as many as `replications` says", "no target") precision: Precision,
        /// Seed of all random numbers. The same seed gives the same results, bit for bit.
        default(1, "assumption: printed with every result") seed: Sp<u64>,
        /// Confidence level of every interval.
        default("95%", "the usual level") confidence: Sp<Share>,
        /// A second in which more than this share of a route's operations failed is a second of downtime.
        default("50%", "assumption") downtime_error_rate: Sp<Share>,
        /// How long after the end of a period CloudWatch's datapoint can be read by alarms.
        default("60s", "assumption A12: nobody documents it; 60-180 s is plausible") metric_delay: Sp<Time>,
        /// The same of metrics with periods of less than a minute.
        default("10s", "assumption A12: nobody documents it; 5-20 s is plausible") high_resolution_metric_delay: Sp<Time>,
    }
}

table! {
    /// How precise a figure is to be.
    Precision as "[run] precision" {
        /// Path of the figure, such as "latency.p99".
        required metric: Sp<String>,
        /// The route whose figure is meant: its path, or "SOURCE PATH" where several sources ask for it.
        optional("the figure over all routes", "no route") route: Sp<String>,
        /// Half the width of its interval, as a share of the figure itself.
        default("5%", "assumption") relative: Sp<Share>,
        /// Confidence level of that interval.
        optional("that of run.confidence", "no level of its own") confidence: Sp<Share>,
        /// No more replications than this, whatever the precision is then.
        default(200, "assumption: a bound on the time it takes") max_replications: Sp<u32>,
    }
}

table! {
    /// The scenario with some settings changed.
    Variant as "[[variant]]" {
        /// What it is called in comparisons and after `--variant`.
        required name: Sp<String>,
        /// What is different and why, in a sentence.
        default("", "assumption: nothing to say") description: Sp<String>,
        /// What it sets, by dotted keys in quotes as after --set: { "deploy.0.strategy" = "blue_green" }. A variant that sets nothing
        /// is the file as it stands, under a name.
        default({}, "the file as it stands") set: Sp<Changes>,
        /// What is expected of it in place of what the file expects: [[variant.expect]]; expect = [] for nothing.
        optional("what the file expects", "assumption: a variant does what the file does") expect: Vec<Expect>,
    }
}

/// How much of the start is left out: so long, or what is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WarmUp {
    Given(SimDuration),
    Auto,
}

impl WarmUp {
    /// What is known before the run.
    pub fn given(self) -> SimDuration {
        match self {
            Self::Given(time) => time,
            Self::Auto => SimDuration::ZERO,
        }
    }
}

impl Decode for WarmUp {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) if text == "auto" => Some(Self::Auto),
            Value::String(text) if !text.contains(|c: char| c.is_ascii_digit()) => {
                let title = format!("`{text}` is no warm-up");
                d.error(Diagnostic::error(node.span, title, "write a time such as \"10m\", or \"auto\""));
                None
            }
            _ => Time::decode(node, d).map(|time| Self::Given(time.0)),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self::Given(SimDuration::ZERO))
    }
}

impl JsonSchema for WarmUp {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "WarmUp".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-type": "a time such as \"10m\", or \"auto\"" })
    }
}
