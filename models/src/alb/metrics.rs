//! The metrics of a load balancer and its target groups, by their CloudWatch names, and totals of the same names.
//!
//! AWS reports counts only where there is something to count (user guide, CloudWatch metrics): a minute without errors is a
//! missing datapoint, not a 0, and so is a minute without requests.

use sim_core::SimTime;
use sim_core::tally::Level;

use super::group::Answers;
use crate::cloudwatch::{MetricRef, PERIOD};
use crate::ids::*;
use crate::observer::Findings;
use crate::world::Cx;

/// What is counted for a whole load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Count {
    /// Requests for which a target was chosen.
    Request,
    Target2xx,
    Target3xx,
    Target4xx,
    Target5xx,
    /// Of the load balancer's own, fixed responses included.
    Elb4xx,
    Elb5xx,
    Elb502,
    Elb503,
    Elb504,
    FixedResponse,
    TargetConnectionError,
    /// Bytes of targets' answers.
    ProcessedBytes,
}

const COUNTS: [(&str, &str); 13] = [
    ("RequestCount", "count"),
    ("HTTPCode_Target_2XX_Count", "count"),
    ("HTTPCode_Target_3XX_Count", "count"),
    ("HTTPCode_Target_4XX_Count", "count"),
    ("HTTPCode_Target_5XX_Count", "count"),
    ("HTTPCode_ELB_4XX_Count", "count"),
    ("HTTPCode_ELB_5XX_Count", "count"),
    ("HTTPCode_ELB_502_Count", "count"),
    ("HTTPCode_ELB_503_Count", "count"),
    ("HTTPCode_ELB_504_Count", "count"),
    ("HTTP_Fixed_Response_Count", "count"),
    ("TargetConnectionErrorCount", "count"),
    ("ProcessedBytes", "B"),
];
const _: () = assert!(Count::ProcessedBytes as usize + 1 == COUNTS.len());

/// What a load balancer counts.
#[derive(Debug)]
pub(super) struct Counts {
    since_start: [u64; COUNTS.len()],
    at_last_period: [u64; COUNTS.len()],
    at_warm_up: [u64; COUNTS.len()],
    metrics: [MetricId; COUNTS.len()],
    target_response_time: MetricId,
}

impl Counts {
    pub(super) fn new(alb: AlbId, name: &str, cx: &mut Cx<'_>) -> Self {
        let published = &mut cx.shared.metrics;
        let metrics =
            COUNTS.map(|(count, unit)| published.register(format!("AWS/ApplicationELB {count} {name}"), unit));
        let target_response_time = published.register(format!("AWS/ApplicationELB TargetResponseTime {name}"), "s");
        published.declare(MetricRef::AlbTargetResponseTime(alb), target_response_time);
        published.declare(MetricRef::AlbTarget5xx(alb), metrics[Count::Target5xx as usize]);
        published.declare(MetricRef::AlbElb5xx(alb), metrics[Count::Elb5xx as usize]);
        let none = [0; COUNTS.len()];
        Self { since_start: none, at_last_period: none, at_warm_up: none, metrics, target_response_time }
    }

    #[inline]
    pub(super) fn add(&mut self, count: Count) {
        self.since_start[count as usize] += 1;
    }

    /// A target has answered.
    #[inline]
    pub(super) fn target_answer(&mut self, status: u16, bytes: u32) {
        self.since_start[Count::ProcessedBytes as usize] += u64::from(bytes);
        self.add(match status {
            0..300 => Count::Target2xx,
            300..400 => Count::Target3xx,
            400..500 => Count::Target4xx,
            500.. => Count::Target5xx,
        });
    }

    /// The load balancer has answered by itself.
    pub(super) fn own_answer(&mut self, status: u16) {
        match status {
            502 => self.add(Count::Elb502),
            503 => self.add(Count::Elb503),
            504 => self.add(Count::Elb504),
            _ => {}
        }
        match status {
            400..500 => self.add(Count::Elb4xx),
            500.. => self.add(Count::Elb5xx),
            _ => {}
        }
    }

    /// Publishes the period that ends now; `answers` of its groups.
    pub(super) fn publish(&mut self, answers: impl Iterator<Item = Answers>, cx: &mut Cx<'_>) {
        let start = period_start(cx);
        for ((&now, before), &metric) in self.since_start.iter().zip(&mut self.at_last_period).zip(&self.metrics) {
            if now > *before {
                cx.shared.metrics.publish(metric, start, (now - *before) as f64);
                *before = now;
            }
        }
        let (count, waited) =
            answers.fold((0, 0.0), |(count, waited), of| (count + of.count, waited + of.waited.as_secs_f64()));
        if count > 0 {
            cx.shared.metrics.publish(self.target_response_time, start, waited / count as f64);
        }
    }

    /// The warm-up is over: totals begin anew; what is published does not.
    pub(super) fn forget(&mut self) {
        self.at_warm_up = self.since_start;
    }

    /// Hands over the totals.
    pub(super) fn finish(&self, name: &str, findings: &mut Findings) {
        for ((&total, &before), (count, _)) in self.since_start.iter().zip(&self.at_warm_up).zip(COUNTS) {
            findings.count(name, count, (total - before) as f64);
        }
        // There is no limit of connections that could be reached; said, because AWS's list has it.
        findings.count(name, "RejectedConnectionCount", 0.0);
    }
}

/// The metrics of a target group.
#[derive(Debug)]
pub(super) struct GroupMetrics {
    healthy: MetricId,
    unhealthy: MetricId,
    requests_per_target: MetricId,
    /// Those that say nothing new where there is only one group: RequestCount, TargetResponseTime, HTTPCode_Target_5XX_Count.
    of_several: Option<[MetricId; 3]>,
    forwarded_before: u64,
}

impl GroupMetrics {
    pub(super) fn new(alb: AlbId, id: TargetGroupId, name: &str, several: bool, cx: &mut Cx<'_>) -> Self {
        let published = &mut cx.shared.metrics;
        let mut register = |metric: &str, unit| published.register(format!("AWS/ApplicationELB {metric} {name}"), unit);
        let healthy = register("HealthyHostCount", "count");
        let unhealthy = register("UnHealthyHostCount", "count");
        let requests_per_target = register("RequestCountPerTarget", "count");
        let of_several = several.then(|| {
            [("RequestCount", "count"), ("TargetResponseTime", "s"), ("HTTPCode_Target_5XX_Count", "count")]
                .map(|(metric, unit)| register(metric, unit))
        });
        published.declare(MetricRef::AlbRequestCountPerTarget(alb, id), requests_per_target);
        Self { healthy, unhealthy, requests_per_target, of_several, forwarded_before: 0 }
    }

    /// Publishes the period that ends now. `levels`: healthy, unhealthy, serving; their means over the period, and the
    /// requests of the period by the mean number of targets that got them.
    pub(super) fn publish(&mut self, forwarded: u64, answers: Answers, levels: [&mut Level; 3], cx: &mut Cx<'_>) {
        let (now, start) = (cx.now(), period_start(cx));
        let [healthy, unhealthy, serving] = levels.map(|level| {
            let mean = level.mean(now);
            level.reset(now);
            mean
        });
        let requests = forwarded - std::mem::replace(&mut self.forwarded_before, forwarded);
        let metrics = &mut cx.shared.metrics;
        if healthy + unhealthy > 0.0 {
            metrics.publish(self.healthy, start, healthy);
            metrics.publish(self.unhealthy, start, unhealthy);
        }
        if requests > 0 && serving > 0.0 {
            metrics.publish(self.requests_per_target, start, requests as f64 / serving);
        }
        let Some([request_count, response_time, errors]) = self.of_several else { return };
        if requests > 0 {
            metrics.publish(request_count, start, requests as f64);
        }
        if answers.count > 0 {
            metrics.publish(response_time, start, answers.waited.as_secs_f64() / answers.count as f64);
        }
        if answers.errors > 0 {
            metrics.publish(errors, start, answers.errors as f64);
        }
    }
}

/// Start of the period that ends now.
fn period_start(cx: &Cx<'_>) -> SimTime {
    SimTime::from_nanos(cx.now().as_nanos().saturating_sub(PERIOD.as_nanos()))
}
