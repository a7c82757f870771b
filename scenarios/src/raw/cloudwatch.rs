//! CloudWatch alarms.

use std::borrow::Cow;

use models::cloudwatch::Statistic;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Sp, choice, table};
use crate::diagnostics::Diagnostic;
use crate::tree::{Node, Value};
use crate::units::Time;

table! {
    /// A CloudWatch alarm: on a metric, or on other alarms.
    Alarm as "[alarm]" {
        /// What it looks at, by CloudWatch's name: "CPUUtilization", "TargetResponseTime"; or "ErrorRate", the percentage of
        /// targets' answers that are 5xx (metric math 100 * FILL(HTTPCode_Target_5XX_Count, 0) / RequestCount).
        optional("needed unless there is an alarm_rule", "API:cloudwatch (PutMetricAlarm, MetricName)") metric_name: Sp<String>,
        /// Metric math in place of a metric: what is looked at is reckoned from several. The result is the last entry, or the one
        /// with `return_data = true`.
        optional("one metric", "API:cloudwatch (PutMetricAlarm, Metrics)") metrics: Sp<Vec<MetricQuery>>,
        /// The metric's namespace: "AWS/ApplicationELB".
        optional("any that has a metric of that name and dimension", "assumption: names are unique in one architecture")
        namespace: Sp<String>,
        /// Whose metric: "ecs.web", "alb.front", "alb.front/web" (a target group), "aurora.orders/orders-1", "canary.home".
        optional("the only one that publishes it", "assumption") dimension: Sp<String>,
        /// What is made of the values of a period: "Average", "Sum", "Minimum", "Maximum", "SampleCount", or a percentile such as
        /// "p99".
        optional("Sum of what is counted, Average of all else", "assumption: PutMetricAlarm requires it") statistic: Sp<StatisticName>,
        /// Length of the periods: 60s or a multiple; 10s, 20s or 30s for metrics that are published as often.
        default("60s", "assumption: PutMetricAlarm requires it") period: Sp<Time>,
        /// The last so many periods are looked at: N.
        default(1, "assumption: PutMetricAlarm requires it") evaluation_periods: Sp<u32>,
        /// So many of them must breach: M.
        optional("evaluation_periods", "API:cloudwatch (DatapointsToAlarm)") datapoints_to_alarm: Sp<u32>,
        /// The threshold, in the metric's unit (percent, requests, seconds).
        optional("needed with metric_name", "API:cloudwatch (Threshold)") threshold: Sp<f64>,
        /// On which side of the threshold it goes off.
        default("GreaterThanThreshold", "assumption: PutMetricAlarm requires it") comparison_operator: Sp<Comparison>,
        /// What a missing datapoint counts for.
        default("missing", "CloudWatch AlarmThatSendsEmail") treat_missing_data: Sp<MissingData>,
        /// Percentiles: whether a period with too few samples (less than 10 / (1 - p)) is evaluated, or changes nothing.
        default("evaluate", "CloudWatch AlarmThatSendsEmail") evaluate_low_sample_count_percentile: Sp<LowSamples>,
        /// Composite alarm: "ALARM(high-5xx) AND NOT (OK(slow) OR INSUFFICIENT_DATA(slow))".
        optional("an alarm on a metric", "API:cloudwatch (PutCompositeAlarm, AlarmRule)") alarm_rule: Sp<String>,
    }
    not ["threshold_metric_id", "alarm_actions", "ok_actions", "insufficient_data_actions", "actions_suppressor",
         "unit", "extended_statistic", "dimensions"]
}

table! {
    /// A metric, or an expression of others, in metric math.
    MetricQuery as "a metric of an expression" {
        /// What expressions call it: a small letter, then letters, digits and underscores.
        required id: Sp<String>,
        /// An expression of numbers and ids: + - * / ( ), and FILL(id, number) for periods without a datapoint.
        optional("a metric", "API:cloudwatch (MetricDataQuery, Expression)") expression: Sp<String>,
        /// A metric, by its name.
        optional("an expression", "API:cloudwatch (MetricStat)") metric_name: Sp<String>,
        /// The metric's namespace.
        optional("any that has a metric of that name and dimension", "assumption: names are unique in one architecture") namespace: Sp<String>,
        /// Whose metric.
        optional("the only one that publishes it; of a scaling policy as for its own metric", "assumption") dimension: Sp<String>,
        /// What is made of the values of a period.
        optional("Sum of what is counted, Average of all else", "assumption") statistic: Sp<StatisticName>,
        /// Whether it is the result.
        optional("true for the last entry", "API:cloudwatch (ReturnData: exactly one is returned)") return_data: Sp<bool>,
    }
    not ["label", "period", "account_id"]
}

table! {
    /// A synthetic canary: asks at fixed intervals, and tells how often that goes well and how long it takes.
    Canary as "[canary]" {
        /// What it asks: a name of Route 53 ("www.example.com"), or a part straight ("alb.front", "cloudfront.shop", "ecs.web").
        required to: Sp<String>,
        /// The path it asks for.
        default("/", "assumption") path: Sp<String>,
        /// How often it asks. CloudWatch Synthetics asks every minute at most; a monitor of one's own every second.
        default("60s", "CloudWatch Synthetics: rate(1 minute) is the fastest") interval: Sp<Time>,
        /// How long a probe may take before it has failed.
        default("10s", "assumption") timeout: Sp<Time>,
        /// The place it asks from.
        default("viewers", "assumption: one place") from: Sp<String>,
        /// Round trip to what it asks, once its name is resolved.
        optional("as of traffic from that place", "see traffic.rtt") rtt: Sp<Time>,
    }
    not ["schedule", "runtime_version", "success_codes", "steps", "vpc_config"]
}

choice! {
    /// On which side of the threshold an alarm goes off.
    Comparison {
        /// Above.
        Greater = "GreaterThanThreshold",
        /// At or above.
        GreaterOrEqual = "GreaterThanOrEqualToThreshold",
        /// Below.
        Less = "LessThanThreshold",
        /// At or below.
        LessOrEqual = "LessThanOrEqualToThreshold",
    } not ["LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"]
}

choice! {
    /// What a missing datapoint counts for.
    MissingData {
        /// Nothing; without any datapoint the state is INSUFFICIENT_DATA.
        Missing = "missing",
        /// Nothing; the state stays.
        Ignore = "ignore",
        /// Bad.
        Breaching = "breaching",
        /// Good.
        NotBreaching = "notBreaching",
    } not []
}

choice! {
    /// What a percentile of few samples counts for.
    LowSamples {
        /// As much as any.
        Evaluate = "evaluate",
        /// Nothing; the state stays.
        Ignore = "ignore",
    } not []
}

/// A statistic as it is typed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StatisticName(pub Statistic);

const STATISTICS: [(&str, Statistic); 5] = [
    ("Average", Statistic::Average),
    ("Sum", Statistic::Sum),
    ("Minimum", Statistic::Minimum),
    ("Maximum", Statistic::Maximum),
    ("SampleCount", Statistic::SampleCount),
];

impl Decode for StatisticName {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        let Value::String(text) = &node.value else { return d.wrong_kind(node, "a statistic such as \"Average\"") };
        if let Some((_, statistic)) = STATISTICS.iter().find(|(name, _)| name == text) {
            return Some(Self(*statistic));
        }
        let percent = text.strip_prefix('p').filter(|digits| digits.len() <= 8);
        let percent = percent.and_then(|digits| digits.parse::<f64>().ok()).filter(|p| *p > 0.0 && *p <= 100.0);
        if percent.is_none() {
            let label = "\"Average\", \"Sum\", \"Minimum\", \"Maximum\", \"SampleCount\", or \"p50\" to \"p100\"";
            d.error(Diagnostic::error(node.span, format!("`{text}` is no statistic"), label));
        }
        percent.map(|percent| Self(Statistic::Percentile(percent / 100.0)))
    }
    fn stand_in() -> Option<Self> {
        Some(Self(Statistic::Average))
    }
}

impl JsonSchema for StatisticName {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Statistic".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(Average|Sum|Minimum|Maximum|SampleCount|p[0-9]+([.][0-9]+)?)$",
            "x-type": "\"Average\", \"Sum\", \"Minimum\", \"Maximum\", \"SampleCount\", or a percentile such as \"p99\"",
        })
    }
}
