//! CloudWatch: metrics as they are published, with the period and delay they have, and alarms on them.
//!
//! A metric is a sequence of datapoints, one statistic a minute, stamped with the start of its period. Services publish at the
//! end of each period; who reads them sees them only a publication delay later (`metric_delay` of the run; AWS documents none,
//! assumption A12: 60 s). Nothing in here looks into a service.
//!
//! Kept of each metric: the latest datapoints, as many as the alarms on it look at, and its whole course at a resolution that
//! bounds memory for runs of any length.
//!
//! Not modelled: high resolution (10 s to 30 s), other statistics than the one each metric is used with, percentile alarms,
//! metric math, anomaly detection, composite alarms.

use std::collections::VecDeque;

use sim_core::observations::{Series, SeriesGroup};
use sim_core::{SimDuration, SimTime};

use crate::ids::*;

/// Names a metric in a scenario and an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricRef {
    /// `AWS/ECS CPUUtilization` of a service, percent.
    EcsCpu(EcsId),
    /// `AWS/ApplicationELB RequestCountPerTarget` of a target group, per period.
    AlbRequestCountPerTarget(AlbId, TargetGroupId),
    /// `AWS/ApplicationELB RequestCount` of a load balancer, per period.
    AlbRequestCount(AlbId),
    /// `AWS/ApplicationELB RequestCount` of one of several target groups, per period.
    AlbGroupRequestCount(AlbId, TargetGroupId),
    /// `AWS/ApplicationELB TargetResponseTime` (average) of one of several target groups, seconds.
    AlbGroupTargetResponseTime(AlbId, TargetGroupId),
    /// `AWS/ApplicationELB HTTPCode_Target_5XX_Count` of one of several target groups, per period.
    AlbGroupTarget5xx(AlbId, TargetGroupId),
    /// `AWS/ApplicationELB TargetResponseTime` (average) of a load balancer, seconds.
    AlbTargetResponseTime(AlbId),
    /// `AWS/ApplicationELB HTTPCode_Target_5XX_Count` of a load balancer, per period.
    AlbTarget5xx(AlbId),
    /// `AWS/ApplicationELB HTTPCode_ELB_5XX_Count` of a load balancer, per period.
    AlbElb5xx(AlbId),
}

/// Standard resolution: one datapoint a minute.
pub const PERIOD: SimDuration = SimDuration::from_secs(60);

/// What happens inside CloudWatch.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A period ends: every service publishes.
    PeriodEnds,
    /// The datapoints of a period can be read: alarms are evaluated.
    Evaluate,
}

/// Datapoints kept of a metric unless an alarm looks at more.
const RECENT: usize = 32;
/// Bins of a metric's course: beyond as many, neighbours are joined.
const BINS: usize = 1500;

/// All published metrics.
#[derive(Debug, Default)]
pub struct Metrics {
    metrics: Vec<Metric>,
    declared: Vec<(MetricRef, MetricId)>,
}

#[derive(Debug)]
struct Metric {
    name: String,
    unit: &'static str,
    /// In order of time; periods without a datapoint are not there.
    recent: VecDeque<Datapoint>,
    kept: usize,
    course: Course,
}

/// One datapoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// Start of its period, as CloudWatch stamps it.
    pub period_start: SimTime,
    /// The statistic.
    pub value: f64,
}

impl Metrics {
    /// Makes a metric known; `name` as in `AWS/ECS CPUUtilization ecs.web`, `unit` as in a report: `%`, `s`, `count`.
    pub fn register(&mut self, name: String, unit: &'static str) -> MetricId {
        self.metrics.push(Metric { name, unit, recent: VecDeque::new(), kept: RECENT, course: Course::new() });
        MetricId((self.metrics.len() - 1) as u16)
    }
    /// Makes it known under which number a scenario's reference is published.
    pub fn declare(&mut self, reference: MetricRef, id: MetricId) {
        self.declared.push((reference, id));
    }
    /// The number under which a scenario's reference is published; `None` if nobody does.
    #[must_use]
    pub fn find(&self, reference: MetricRef) -> Option<MetricId> {
        self.declared.iter().find(|(declared, _)| *declared == reference).map(|&(_, id)| id)
    }
    /// Full name of a metric, as registered.
    #[must_use]
    pub fn name(&self, id: MetricId) -> &str {
        &self.metrics[id.index()].name
    }
    /// Unit of a metric, as registered.
    #[must_use]
    pub fn unit(&self, id: MetricId) -> &'static str {
        self.metrics[id.index()].unit
    }
    /// Sees to it that at least the latest `periods` datapoints of a metric are kept.
    pub fn keep(&mut self, id: MetricId, periods: usize) {
        let metric = &mut self.metrics[id.index()];
        metric.kept = metric.kept.max(periods);
    }
    /// Publishes the datapoint of the period that starts at `period_start`. Datapoints of a metric come in order of time; a
    /// period without one is missing.
    pub fn publish(&mut self, id: MetricId, period_start: SimTime, value: f64) {
        let metric = &mut self.metrics[id.index()];
        debug_assert!(
            metric.recent.back().is_none_or(|last| last.period_start < period_start),
            "one datapoint a period"
        );
        // Delayed reading needs a few beyond those looked at; the delay is bounded by what validation allows.
        if metric.recent.len() >= metric.kept + RECENT {
            metric.recent.pop_front();
        }
        metric.recent.push_back(Datapoint { period_start, value });
        metric.course.add(period_start, value);
    }
    /// The datapoints of the `count` periods that end by `until`, oldest first; `None` where one is missing. Writes into
    /// `points`, which is cleared.
    pub fn read(&self, id: MetricId, until: SimTime, count: usize, points: &mut Vec<Option<f64>>) {
        points.clear();
        let recent = &self.metrics[id.index()].recent;
        let ended = until.as_nanos() / PERIOD.as_nanos();
        for back in (1..=count as u64).rev() {
            let point = ended.checked_sub(back).and_then(|number| {
                let start = SimTime::from_nanos(number * PERIOD.as_nanos());
                recent.binary_search_by_key(&start, |point| point.period_start).ok().map(|at| recent[at].value)
            });
            points.push(point);
        }
    }
    /// The figures over time for the report: one series a metric that was ever published, NaN where datapoints are missing.
    /// A bin is a period; in long runs it is the mean over two, four... of them, alike for all metrics.
    #[must_use]
    pub fn into_series(self, duration: SimDuration) -> Vec<Series> {
        let periods = duration.as_nanos().div_ceil(PERIOD.as_nanos());
        let mut stride = 1;
        while periods.div_ceil(stride) > BINS as u64 {
            stride *= 2;
        }
        let published = self.metrics.into_iter().filter(|metric| !metric.course.is_empty());
        let series = published.map(|metric| Series {
            group: SeriesGroup::Metric,
            name: metric.name,
            unit: metric.unit.to_owned(),
            bin: PERIOD.times(stride),
            values: metric.course.values(stride, periods.div_ceil(stride) as usize),
        });
        series.collect()
    }
}

/// A metric's whole course in bounded memory: sums and numbers of datapoints in bins of `stride` periods; the stride doubles
/// when the bins are used up.
#[derive(Debug)]
struct Course {
    stride: u64,
    bins: Vec<(f64, u32)>,
}

impl Course {
    fn new() -> Self {
        Self { stride: 1, bins: Vec::new() }
    }
    fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }
    fn add(&mut self, period_start: SimTime, value: f64) {
        let period = period_start.as_nanos() / PERIOD.as_nanos();
        while period / self.stride >= BINS as u64 {
            self.join_neighbours();
        }
        let bin = (period / self.stride) as usize;
        if bin >= self.bins.len() {
            self.bins.resize(bin + 1, (0.0, 0));
        }
        self.bins[bin].0 += value;
        self.bins[bin].1 += 1;
    }
    fn join_neighbours(&mut self) {
        let joined =
            self.bins.chunks(2).map(|pair| pair.iter().fold((0.0, 0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1)));
        self.bins = joined.collect();
        self.stride *= 2;
    }
    fn values(mut self, stride: u64, bins: usize) -> Vec<f64> {
        while self.stride < stride {
            self.join_neighbours();
        }
        self.bins.resize(bins, (0.0, 0));
        self.bins.iter().map(|&(sum, count)| if count == 0 { f64::NAN } else { sum / f64::from(count) }).collect()
    }
}

/// What an alarm says. It begins with too little data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AlarmState {
    /// `OK`.
    Ok,
    /// `ALARM`.
    Alarm,
    /// `INSUFFICIENT_DATA`.
    #[default]
    InsufficientData,
}

impl AlarmState {
    /// As CloudWatch writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// `TreatMissingData`: what a missing datapoint counts for, where the evaluation range holds fewer than `EvaluationPeriods`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MissingData {
    /// `missing` (the default): nothing; without any datapoint the state is INSUFFICIENT_DATA.
    #[default]
    Missing,
    /// `ignore`: nothing; the state stays.
    Ignore,
    /// `breaching`.
    Breaching,
    /// `notBreaching`.
    NotBreaching,
}

/// `ComparisonOperator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `GreaterThanThreshold`.
    Greater,
    /// `GreaterThanOrEqualToThreshold`.
    GreaterOrEqual,
    /// `LessThanThreshold`.
    Less,
    /// `LessThanOrEqualToThreshold`.
    LessOrEqual,
}

impl Comparison {
    /// As in a formula.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }
}

/// When an alarm goes off: M of the last N datapoints past a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// `ComparisonOperator`.
    pub comparison: Comparison,
    /// `Threshold`, in the metric's unit.
    pub threshold: f64,
    /// `EvaluationPeriods`: N.
    pub evaluation_periods: u32,
    /// `DatapointsToAlarm`: M.
    pub datapoints_to_alarm: u32,
    /// `TreatMissingData`.
    pub treat_missing_data: MissingData,
}

impl Condition {
    /// How many of the latest periods are looked at: two more than N, so that late or missing datapoints do not decide. The
    /// CloudWatch guide shows 5 for N = 3 and does not say more (assumption A13).
    #[must_use]
    pub fn evaluation_range(&self) -> usize {
        self.evaluation_periods as usize + 2
    }

    /// Whether a value is past the threshold.
    #[must_use]
    pub fn breaches(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Greater => value > self.threshold,
            Comparison::GreaterOrEqual => value >= self.threshold,
            Comparison::Less => value < self.threshold,
            Comparison::LessOrEqual => value <= self.threshold,
        }
    }

    /// The state after looking at the datapoints of the evaluation range, oldest first, given the state before (CloudWatch
    /// guide, AlarmThatSendsEmail, "How alarm state is evaluated when data is missing").
    ///
    /// With N datapoints or more in the range the latest N decide, however old. With fewer, missing ones are filled in as
    /// `treat_missing_data` says, and as few times as possible. Where they count for nothing and all there is breaches, but
    /// not M times, the alarm waits for what comes next until the oldest of them is M periods old, and goes off then.
    #[must_use]
    pub fn state(&self, points: &[Option<f64>], before: AlarmState) -> AlarmState {
        let periods = self.evaluation_periods as usize;
        let least = self.datapoints_to_alarm as usize;
        let latest = || points.iter().rev().flatten().take(periods);
        let there = latest().count();
        let breaching = latest().filter(|&&value| self.breaches(value)).count();
        let filled = match self.treat_missing_data {
            MissingData::Breaching => periods - there,
            _ => 0,
        };
        if breaching + filled >= least {
            return AlarmState::Alarm;
        }
        let decided = there == periods
            || breaching < there
            || matches!(self.treat_missing_data, MissingData::Breaching | MissingData::NotBreaching);
        if decided {
            return AlarmState::Ok;
        }
        match (self.treat_missing_data, there) {
            (MissingData::Missing, 0) => AlarmState::InsufficientData,
            (MissingData::Missing, _) => {
                let age_of_oldest = points.iter().position(Option::is_some).map_or(0, |at| points.len() - at);
                if age_of_oldest >= least { AlarmState::Alarm } else { before }
            }
            _ => before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREATMENTS: [MissingData; 4] =
        [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];

    fn condition(datapoints_to_alarm: u32, treat_missing_data: MissingData) -> Condition {
        Condition {
            comparison: Comparison::GreaterOrEqual,
            threshold: 1.0,
            evaluation_periods: 3,
            datapoints_to_alarm,
            treat_missing_data,
        }
    }

    fn points(drawn: &str) -> Vec<Option<f64>> {
        let point = |mark| match mark {
            "0" => Some(0.0),
            "X" => Some(1.0),
            _ => None,
        };
        drawn.split(' ').map(point).collect()
    }

    /// A row of the guide's tables: what each treatment makes of it. "keep" is tried from every state.
    fn check_row(datapoints_to_alarm: u32, drawn: &str, expected: [&str; 4]) {
        for (treatment, expected) in TREATMENTS.into_iter().zip(expected) {
            for before in [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData] {
                let state = condition(datapoints_to_alarm, treatment).state(&points(drawn), before);
                let expected = if expected == "keep" { before.name() } else { expected };
                assert_eq!(
                    state.name(),
                    expected,
                    "M = {datapoints_to_alarm}, {drawn}, {treatment:?}, from {before:?}"
                );
            }
        }
    }

    #[test]
    fn truth_table_of_the_guide_for_3_of_3() {
        check_row(3, "0 - X - X", ["OK"; 4]);
        check_row(3, "0 - - - -", ["OK"; 4]);
        check_row(3, "- - - - -", ["INSUFFICIENT_DATA", "keep", "ALARM", "OK"]);
        check_row(3, "0 X X - X", ["ALARM"; 4]);
        check_row(3, "- - X - -", ["ALARM", "keep", "ALARM", "OK"]);
    }

    #[test]
    fn truth_table_of_the_guide_for_2_of_3() {
        check_row(2, "0 - X - X", ["ALARM"; 4]);
        check_row(2, "0 0 X 0 X", ["ALARM"; 4]);
        check_row(2, "0 - X - -", ["OK", "OK", "ALARM", "OK"]);
        check_row(2, "- - - - 0", ["OK", "OK", "ALARM", "OK"]);
        check_row(2, "- - - X -", ["ALARM", "keep", "ALARM", "OK"]);
    }

    #[test]
    fn a_first_breaching_datapoint_waits_for_what_comes_next() {
        check_row(3, "- - - - X", ["keep", "keep", "ALARM", "OK"]);
        check_row(3, "- - - X -", ["keep", "keep", "ALARM", "OK"]);
        check_row(3, "- - - X X", ["keep", "keep", "ALARM", "OK"]);
        check_row(3, "- - - X 0", ["OK"; 4]);
    }

    #[test]
    fn with_all_datapoints_there_the_latest_n_decide() {
        check_row(3, "X X X X 0", ["OK"; 4]);
        check_row(3, "0 0 X X X", ["ALARM"; 4]);
        check_row(2, "X X X 0 0", ["OK"; 4]);
    }

    #[test]
    fn each_operator_draws_its_line() {
        let at = |comparison| Condition { comparison, ..condition(1, MissingData::Missing) };
        let seen = [Comparison::Greater, Comparison::GreaterOrEqual, Comparison::Less, Comparison::LessOrEqual]
            .map(|comparison| [0.5, 1.0, 1.5].map(|value| at(comparison).breaches(value)));
        assert_eq!(
            seen,
            [[false, false, true], [false, true, true], [true, false, false], [true, true, false]],
            "{seen:?}"
        );
    }

    fn minute(n: u64) -> SimTime {
        SimTime::from_secs(60 * n)
    }

    #[test]
    fn only_periods_that_have_ended_are_read_and_gaps_are_seen() {
        let mut metrics = Metrics::default();
        let id = metrics.register("AWS/ECS CPUUtilization ecs.web".to_owned(), "%");
        metrics.declare(MetricRef::EcsCpu(EcsId(3)), id);
        assert_eq!(
            (metrics.find(MetricRef::EcsCpu(EcsId(3))), metrics.find(MetricRef::EcsCpu(EcsId(0)))),
            (Some(id), None)
        );
        for period in [0, 1, 3] {
            metrics.publish(id, minute(period), period as f64);
        }
        let mut points = Vec::new();
        metrics.read(id, minute(4), 5, &mut points);
        assert_eq!(points, [None, Some(0.0), Some(1.0), None, Some(3.0)]);
        metrics.read(id, SimTime::from_secs(239), 2, &mut points);
        assert_eq!(points, [Some(1.0), None]);
    }

    #[test]
    fn memory_is_bounded_and_alarms_with_long_windows_keep_theirs() {
        let mut metrics = Metrics::default();
        let id = metrics.register("m".to_owned(), "count");
        metrics.keep(id, 120);
        (0..10_000).for_each(|period| metrics.publish(id, minute(period), period as f64));
        let mut points = Vec::new();
        metrics.read(id, minute(10_000), 120, &mut points);
        assert!(points.iter().all(Option::is_some));
        assert!(metrics.metrics[0].recent.len() <= 120 + RECENT && metrics.metrics[0].course.bins.len() <= BINS);
        let series = metrics.into_series(SimDuration::from_secs(600_000));
        assert_eq!((series[0].bin, series[0].values.len()), (PERIOD.times(8), 1250));
        // The mean of periods 8 to 15.
        assert_eq!(series[0].values[1], 11.5);
    }

    #[test]
    fn the_series_hold_nan_where_datapoints_are_missing_and_leave_out_silent_metrics() {
        let mut metrics = Metrics::default();
        let id = metrics.register("m".to_owned(), "count");
        metrics.register("never".to_owned(), "count");
        metrics.publish(id, minute(1), 5.0);
        let series = metrics.into_series(SimDuration::from_secs(200));
        assert_eq!((series.len(), series[0].values.len(), series[0].values[1]), (1, 4, 5.0));
        assert!([0, 2, 3].iter().all(|&bin: &usize| series[0].values[bin].is_nan()));
    }
}
