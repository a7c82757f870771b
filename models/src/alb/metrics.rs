//! The metrics of a load balancer and its target groups, by their CloudWatch names, and totals of the same names.
//!
//! AWS reports counts only where there is something to count (user guide, CloudWatch metrics): a minute without errors is a
//! missing datapoint, not a 0, and so is a minute without requests.

use sim_core::SimTime;
use sim_core::observations::Usage;
use sim_core::tally::Histogram;

use super::group::{Answers, Group};
use super::zones::Zones;
use super::{Algorithm, Kind, Settings, units};
use crate::cloudwatch::{self, Metrics, PERIOD, StatisticSet};
use crate::ids::*;
use crate::observer::Findings;
use crate::usage::DATA_OUT;
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
    Redirect,
    TargetConnectionError,
    NewConnection,
    /// Connections that broke at the target, and that the load balancer broke.
    TargetReset,
    ElbReset,
    /// Bytes of targets' answers.
    ProcessedBytes,
}

/// How much is counted.
const NUMBER: usize = Count::ProcessedBytes as usize + 1;

/// The names of counts, "" for what a kind of load balancer does not have.
const APPLICATION: [(&str, &str); NUMBER] = [
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
    ("HTTP_Redirect_Count", "count"),
    ("TargetConnectionErrorCount", "count"),
    ("NewConnectionCount", "count"),
    ("", ""),
    ("", ""),
    ("ProcessedBytes", "B"),
];

/// Those of a Network Load Balancer.
const NETWORK: [(&str, &str); NUMBER] = {
    let mut names = [("", ""); NUMBER];
    names[Count::NewConnection as usize] = ("NewFlowCount", "count");
    names[Count::TargetReset as usize] = ("TCP_Target_Reset_Count", "count");
    names[Count::ElbReset as usize] = ("TCP_ELB_Reset_Count", "count");
    names[Count::ProcessedBytes as usize] = ("ProcessedBytes", "B");
    names
};

/// The metrics' namespace.
fn namespace(kind: Kind) -> &'static str {
    match kind {
        Kind::Application => "AWS/ApplicationELB",
        Kind::Network => "AWS/NetworkELB",
    }
}

/// What a load balancer counts.
#[derive(Debug)]
pub(super) struct Counts {
    since_start: [u64; NUMBER],
    at_last_period: [u64; NUMBER],
    at_warm_up: [u64; NUMBER],
    names: [(&'static str, &'static str); NUMBER],
    metrics: [Option<MetricId>; NUMBER],
    active: MetricId,
    /// What only an Application Load Balancer has.
    of_requests: Option<OfRequests>,
    /// LCU minutes since the start of the run, and before the warm-up was over.
    unit_minutes: f64,
    unit_minutes_at_warm_up: f64,
    bill: units::Bill,
    zones: Vec<ZoneCounts>,
}

/// Metrics of requests.
#[derive(Clone, Copy, Debug)]
struct OfRequests {
    target_response_time: MetricId,
    rule_evaluations: MetricId,
    consumed_units: MetricId,
}

/// What is counted for a node.
#[derive(Debug)]
struct ZoneCounts {
    /// Requests forwarded up to the last period, and 5xx of the node's own in this one.
    forwarded: u64,
    elb_5xx: u64,
    request_count: MetricId,
    target_5xx_count: MetricId,
    elb_5xx_count: MetricId,
    target_response_time: MetricId,
}

impl ZoneCounts {
    fn new(name: &str, published: &mut Metrics) -> Self {
        let target_response_time = response_time(name, published);
        let mut register = |metric: &str, unit| published.register(format!("AWS/ApplicationELB {metric} {name}"), unit);
        Self {
            forwarded: 0,
            elb_5xx: 0,
            request_count: register("RequestCount", "count"),
            target_5xx_count: register("HTTPCode_Target_5XX_Count", "count"),
            elb_5xx_count: register("HTTPCode_ELB_5XX_Count", "count"),
            target_response_time,
        }
    }
}

impl Counts {
    pub(super) fn new(name: &str, kind: Kind, zones: &Zones, cx: &mut Cx<'_>) -> Self {
        let published = &mut cx.shared.metrics;
        let names = if kind == Kind::Network { NETWORK } else { APPLICATION };
        let mut register =
            |metric: &str, unit| published.register(format!("{} {metric} {name}", namespace(kind)), unit);
        let metrics = names.map(|(count, unit)| (!count.is_empty()).then(|| register(count, unit)));
        let active = register(if kind == Kind::Network { "ActiveFlowCount" } else { "ActiveConnectionCount" }, "count");
        let of_requests = (kind == Kind::Application)
            .then(|| ["RuleEvaluations", "ConsumedLCUs"].map(|metric| register(metric, "count")));
        let of_requests = of_requests.map(|[rule_evaluations, consumed_units]| OfRequests {
            rule_evaluations,
            consumed_units,
            target_response_time: response_time(name, published),
        });
        let of_zones = (0..zones.count()).map(|node| zones.suffix(node)).filter(|suffix| !suffix.is_empty());
        let of_zones = of_zones.filter(|_| kind == Kind::Application);
        let zones = of_zones.map(|suffix| ZoneCounts::new(&format!("{name}{suffix}"), published)).collect();
        let none = [0; NUMBER];
        Self {
            since_start: none,
            at_last_period: none,
            at_warm_up: none,
            names,
            metrics,
            active,
            of_requests,
            unit_minutes: 0.0,
            unit_minutes_at_warm_up: 0.0,
            bill: units::Bill::new(kind == Kind::Network),
            zones,
        }
    }

    /// A target of a Network Load Balancer has answered.
    pub(super) fn flow_answer(&mut self, bytes: u32) {
        self.since_start[Count::ProcessedBytes as usize] += u64::from(bytes);
    }

    #[inline]
    pub(super) fn add(&mut self, count: Count) {
        self.since_start[count as usize] += 1;
    }

    /// A request has come, which may have opened a connection.
    #[inline]
    pub(super) fn opened(&mut self, new_connection: bool) {
        self.since_start[Count::NewConnection as usize] += u64::from(new_connection);
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

    /// A node has answered by itself.
    #[inline(never)]
    pub(super) fn own_answer(&mut self, status: u16, node: usize) {
        match status {
            502 => self.add(Count::Elb502),
            503 => self.add(Count::Elb503),
            504 => self.add(Count::Elb504),
            _ => {}
        }
        match status {
            400..500 => self.add(Count::Elb4xx),
            500.. => {
                self.add(Count::Elb5xx);
                if let Some(zone) = self.zones.get_mut(node) {
                    zone.elb_5xx += 1;
                }
            }
            _ => {}
        }
    }

    /// Whether an alarm wants to know the times of answers, of all or of a node.
    pub(super) fn times_wanted(&self, cx: &Cx<'_>) -> bool {
        let of_zones = self.zones.iter().map(|zone| zone.target_response_time);
        let of_all = self.of_requests.map(|of_requests| of_requests.target_response_time);
        of_zones.chain(of_all).any(|id| cx.shared.metrics.samples_wanted(id))
    }

    /// Publishes the period that ends now; `groups` in all nodes, connections in use, rules evaluated that are not free.
    pub(super) fn publish(&mut self, groups: &[Group], [active, evaluations]: [u64; 2], cx: &mut Cx<'_>) {
        let start = period_start(cx);
        let mut in_period = [0; NUMBER];
        for (number, (&now, before)) in self.since_start.iter().zip(&mut self.at_last_period).enumerate() {
            in_period[number] = now - std::mem::replace(before, now);
        }
        let mut gauge = |metric, value: f64| {
            if value > 0.0 {
                cx.shared.metrics.publish(metric, start, value);
            }
        };
        for (metric, &count) in self.metrics.iter().zip(&in_period) {
            if let Some(metric) = *metric {
                gauge(metric, count as f64);
            }
        }
        gauge(self.active, active as f64);
        let (new, bytes) = (in_period[Count::NewConnection as usize], in_period[Count::ProcessedBytes as usize]);
        self.bill.minute([new, active, bytes, evaluations]);
        let Some(of_requests) = self.of_requests else { return };
        let consumed = units::consumed(new, active, bytes, evaluations);
        self.unit_minutes += consumed;
        gauge(of_requests.rule_evaluations, evaluations as f64);
        gauge(of_requests.consumed_units, consumed);
        publish_times(of_requests.target_response_time, start, groups, cx);
    }

    /// Publishes what each node did in the period that ends now.
    pub(super) fn publish_zones<'g>(&mut self, nodes: impl Iterator<Item = &'g [Group]>, cx: &mut Cx<'_>) {
        let start = period_start(cx);
        for (zone, groups) in self.zones.iter_mut().zip(nodes) {
            let forwarded: u64 = groups.iter().map(|group| group.forwarded).sum();
            let requests = forwarded - std::mem::replace(&mut zone.forwarded, forwarded);
            let errors: u64 = groups.iter().map(|group| group.answers.errors).sum();
            let counts = [
                (zone.request_count, requests),
                (zone.target_5xx_count, errors),
                (zone.elb_5xx_count, std::mem::take(&mut zone.elb_5xx)),
            ];
            for (metric, count) in counts.into_iter().filter(|&(_, count)| count > 0) {
                cx.shared.metrics.publish(metric, start, count as f64);
            }
            publish_times(zone.target_response_time, start, groups, cx);
        }
    }

    /// The warm-up is over: totals begin anew; what is published does not.
    pub(super) fn forget(&mut self) {
        self.at_warm_up = self.since_start;
        self.unit_minutes_at_warm_up = self.unit_minutes;
        self.bill.forget();
    }

    /// Hands over what is paid for.
    fn paid_for(&self, name: &str, findings: &mut Findings) {
        let item = if self.of_requests.is_some() { "alb.lcu" } else { "nlb.lcu" };
        let assumed = "of each hour the largest dimension's mean; clients keep one connection each";
        findings.used(Usage::new(name, item, self.bill.hours(), "LCU-hour").assuming(assumed));
        let at = Count::ProcessedBytes as usize;
        let gigabytes = (self.since_start[at] - self.at_warm_up[at]) as f64 / 1e9;
        findings
            .used(Usage::new(name, DATA_OUT, gigabytes, "GB").assuming("answers' bodies; to viewers outside of AWS"));
    }

    /// Hands over the totals.
    pub(super) fn finish(&self, name: &str, findings: &mut Findings) {
        for ((&total, &before), (count, _)) in self.since_start.iter().zip(&self.at_warm_up).zip(self.names) {
            if !count.is_empty() {
                findings.count(name, count, (total - before) as f64);
            }
        }
        self.paid_for(name, findings);
        if self.of_requests.is_some() {
            findings.count(name, "LCU-hours", (self.unit_minutes - self.unit_minutes_at_warm_up) / 60.0);
            // There is no limit of connections that could be reached; said, because AWS's list has it.
            findings.count(name, "RejectedConnectionCount", 0.0);
        }
    }
}

/// The metrics of a target group.
#[derive(Debug)]
pub(super) struct GroupMetrics {
    healthy: MetricId,
    unhealthy: MetricId,
    requests_per_target: Option<MetricId>,
    /// Those that say nothing new where there is only one group: RequestCount, TargetResponseTime, HTTPCode_Target_5XX_Count.
    of_several: Option<[MetricId; 3]>,
    /// AnomalousHostCount and MitigatedHostCount, where anomalies are looked for.
    anomalies: Option<[MetricId; 2]>,
    /// HealthyHostCount and UnHealthyHostCount as each node sees them, where there are several.
    of_zones: Vec<[MetricId; 2]>,
    forwarded_before: u64,
}

impl GroupMetrics {
    /// Of group number `id` of a load balancer.
    pub(super) fn new(id: TargetGroupId, alb_name: &str, whole: &Settings, zones: &Zones, cx: &mut Cx<'_>) -> Self {
        let (kind, several) = (whole.kind, whole.target_groups.len() > 1);
        let settings = &whole.target_groups[id.index()];
        let name = format!("{alb_name}/{}", settings.name);
        let published = &mut cx.shared.metrics;
        let mut hosts = |metric: &str, zone: &str| {
            let full_name = format!("{} {metric} {name}{zone}", namespace(kind));
            published.register_as(full_name, "count", cloudwatch::Kind::Level, PERIOD)
        };
        let healthy = hosts("HealthyHostCount", "");
        let unhealthy = hosts("UnHealthyHostCount", "");
        let anomalies = (settings.algorithm == Algorithm::WeightedRandom)
            .then(|| ["AnomalousHostCount", "MitigatedHostCount"].map(|metric| hosts(metric, "")));
        let of_zones = (0..zones.count())
            .map(|node| zones.suffix(node))
            .filter(|suffix| !suffix.is_empty())
            .map(|zone| ["HealthyHostCount", "UnHealthyHostCount"].map(|metric| hosts(metric, &zone)));
        let of_zones = of_zones.collect();
        let mut register = |metric: &str| published.register(format!("{} {metric} {name}", namespace(kind)), "count");
        let requests_per_target = (kind == Kind::Application).then(|| register("RequestCountPerTarget"));
        let several = several && kind == Kind::Application;
        let of_several = several.then(|| ["RequestCount", "HTTPCode_Target_5XX_Count"].map(register));
        let of_several = of_several.map(|[requests, errors]| [requests, response_time(&name, published), errors]);
        Self { healthy, unhealthy, requests_per_target, of_several, anomalies, of_zones, forwarded_before: 0 }
    }

    /// Whether an alarm wants to know the times of the group's answers.
    pub(super) fn times_wanted(&self, cx: &Cx<'_>) -> bool {
        self.of_several.is_some_and(|[_, times, _]| cx.shared.metrics.samples_wanted(times))
    }

    /// Publishes the period that ends now: mean numbers of targets, and the requests of the period by the mean number of targets
    /// that got them. Nodes that send across zones all see the same targets; others see a part each. Least and greatest numbers
    /// are those that any node saw.
    pub(super) fn publish<'g>(
        &mut self,
        nodes: impl Iterator<Item = &'g Group> + Clone,
        cross_zone: bool,
        cx: &mut Cx<'_>,
    ) {
        let (now, start) = (cx.now(), period_start(cx));
        let metrics = &mut cx.shared.metrics;
        let (mut sums, mut forwarded, mut answers, mut count) = ([0.0; 5], 0, Answers::default(), 0);
        let mut extents = [StatisticSet::of_level(0.0, f64::INFINITY, 0.0); 2];
        for (node, group) in nodes.clone().enumerate() {
            let seen = group.levels().map(|level| level.mean(now));
            sums.iter_mut().zip(seen).for_each(|(sum, mean)| *sum += mean);
            forwarded += group.forwarded;
            answers.add(group.answers);
            count += 1;
            let hosts = [0, 1].map(|at| group.extents[at].with_mean(seen[at]));
            for (all, one) in extents.iter_mut().zip(hosts) {
                (all.min, all.max) = (all.min.min(one.min), all.max.max(one.max));
            }
            if let Some(of_zone) = self.of_zones.get(node).filter(|_| seen[0] + seen[1] > 0.0) {
                metrics.publish_set(of_zone[0], start, hosts[0]);
                metrics.publish_set(of_zone[1], start, hosts[1]);
            }
        }
        let times = if cross_zone { f64::from(count) } else { 1.0 };
        let [healthy, unhealthy, serving, anomalous, mitigated] = sums.map(|sum| sum / times);
        let requests = forwarded - std::mem::replace(&mut self.forwarded_before, forwarded);
        if healthy + unhealthy > 0.0 {
            metrics.publish_set(self.healthy, start, StatisticSet { sum: healthy, ..extents[0] });
            metrics.publish_set(self.unhealthy, start, StatisticSet { sum: unhealthy, ..extents[1] });
        }
        if let Some(metric) = self.requests_per_target.filter(|_| requests > 0 && serving > 0.0) {
            metrics.publish(metric, start, requests as f64 / serving);
        }
        if let Some(anomalies) = self.anomalies {
            metrics.publish(anomalies[0], start, anomalous);
            metrics.publish(anomalies[1], start, mitigated);
        }
        let Some([request_count, response_time, errors]) = self.of_several else { return };
        if requests > 0 {
            metrics.publish(request_count, start, requests as f64);
        }
        if answers.errors > 0 {
            metrics.publish(errors, start, answers.errors as f64);
        }
        publish_times(response_time, start, nodes, cx);
    }
}

fn response_time(name: &str, metrics: &mut Metrics) -> MetricId {
    let name = format!("AWS/ApplicationELB TargetResponseTime {name}");
    metrics.register_as(name, "s", cloudwatch::Kind::Samples, PERIOD)
}

/// Publishes how long answers of some groups took, and how long each did where that is wanted.
fn publish_times<'g>(
    id: MetricId,
    start: SimTime,
    groups: impl IntoIterator<Item = &'g Group> + Clone,
    cx: &mut Cx<'_>,
) {
    let mut answers = Answers::default();
    groups.clone().into_iter().for_each(|group| answers.add(group.answers));
    if answers.count == 0 {
        return;
    }
    let metrics = &mut cx.shared.metrics;
    if metrics.samples_wanted(id) {
        let mut all = Histogram::new();
        groups.into_iter().filter_map(|group| group.times.as_deref()).for_each(|times| all.merge(times));
        metrics.publish_samples(id, start, &all);
    } else {
        metrics.publish_set(id, start, StatisticSet::of_samples(answers.count, answers.waited.as_secs_f64()));
    }
}

/// Start of the period that ends now.
fn period_start(cx: &Cx<'_>) -> SimTime {
    SimTime::from_nanos(cx.now().as_nanos().saturating_sub(PERIOD.as_nanos()))
}
