//! Metrics: what was published, as long as alarms look at it, and the whole course for the report.
//!
//! Kept of each metric: the latest datapoints, as many as the alarms on it look at, and its whole course at a resolution that
//! bounds memory for runs of any length.

use std::collections::VecDeque;

use sim_core::observations::{Series, SeriesGroup};
use sim_core::tally::Histogram;
use sim_core::{SimDuration, SimTime};

use super::PERIOD;
use super::math::Math;
use crate::ids::*;

/// Datapoints kept of a metric unless an alarm looks at more.
const RECENT: usize = 32;
/// Bins of a metric's course: beyond as many, neighbours are joined.
const BINS: usize = 1500;

/// What a metric's datapoints are, and with that, which statistics of it mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How many, how much: a total of the period. `Sum`.
    Total,
    /// A mean or a ratio of the period. `Average`.
    Mean,
    /// Something that has a value at any time. `Average`, `Minimum`, `Maximum`.
    Level,
    /// Each request is a sample. `Average`, `Sum`, `SampleCount`, and `Minimum`, `Maximum` and percentiles where an alarm wants
    /// them.
    Samples,
}

/// A statistic of a metric over a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// `Average`.
    Average,
    /// `Sum`.
    Sum,
    /// `Minimum`.
    Minimum,
    /// `Maximum`.
    Maximum,
    /// `SampleCount`.
    SampleCount,
    /// `pNN`: this share of the samples (0..=1) does not exceed it.
    Percentile(f64),
}

impl Kind {
    /// Whether a statistic of it means something.
    #[must_use]
    pub fn has(self, statistic: Statistic) -> bool {
        match self {
            Self::Total => statistic == Statistic::Sum,
            Self::Mean => statistic == Statistic::Average,
            Self::Level => matches!(statistic, Statistic::Average | Statistic::Minimum | Statistic::Maximum),
            Self::Samples => true,
        }
    }
    /// The statistics it has, in words.
    #[must_use]
    pub const fn statistics(self) -> &'static str {
        match self {
            Self::Total => "Sum",
            Self::Mean => "Average",
            Self::Level => "Average, Minimum and Maximum",
            Self::Samples => "Average, Sum, SampleCount, Minimum, Maximum and percentiles such as p99",
        }
    }
    /// The statistic that is meant where none is named.
    #[must_use]
    pub const fn usual(self) -> Statistic {
        match self {
            Self::Total => Statistic::Sum,
            _ => Statistic::Average,
        }
    }
    /// What a metric is that was registered without saying: totals are counted in things or bytes.
    fn of_unit(unit: &str) -> Self {
        if matches!(unit, "count" | "B" | "bytes") { Self::Total } else { Self::Mean }
    }
}

impl Statistic {
    /// As CloudWatch writes it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Average => "Average".to_owned(),
            Self::Sum => "Sum".to_owned(),
            Self::Minimum => "Minimum".to_owned(),
            Self::Maximum => "Maximum".to_owned(),
            Self::SampleCount => "SampleCount".to_owned(),
            Self::Percentile(share) => format!("p{}", (share * 1e6).round() / 1e4),
        }
    }
    /// Whether the samples themselves must be known, not only their number and sum.
    #[must_use]
    pub fn needs_samples(self) -> bool {
        matches!(self, Self::Minimum | Self::Maximum | Self::Percentile(_))
    }
}

/// The statistics of one period (CloudWatch: a statistic set). Those of a longer period follow from those of its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatisticSet {
    /// `SampleCount`.
    pub count: f64,
    /// `Sum`.
    pub sum: f64,
    /// `Minimum`.
    pub min: f64,
    /// `Maximum`.
    pub max: f64,
}

impl StatisticSet {
    /// Of one sample.
    #[must_use]
    pub const fn of(value: f64) -> Self {
        Self { count: 1.0, sum: value, min: value, max: value }
    }
    /// Of a level over the period: its mean, least and greatest value.
    #[must_use]
    pub const fn of_level(mean: f64, min: f64, max: f64) -> Self {
        Self { count: 1.0, sum: mean, min, max }
    }
    /// Of so many samples with this sum; the least and the greatest are not known.
    #[must_use]
    pub const fn of_samples(count: u64, sum: f64) -> Self {
        Self { count: count as f64, sum, min: f64::NAN, max: f64::NAN }
    }
    fn average(self) -> f64 {
        self.sum / self.count
    }
    fn join(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

/// All published metrics.
#[derive(Debug, Default)]
pub struct Metrics {
    metrics: Vec<Metric>,
}

#[derive(Debug)]
struct Metric {
    name: String,
    unit: &'static str,
    kind: Kind,
    resolution: SimDuration,
    /// In order of time; periods without a datapoint are not there.
    recent: VecDeque<Datapoint>,
    kept: usize,
    /// An alarm wants to know the samples themselves.
    samples_wanted: bool,
    course: Course,
    /// Nobody publishes it: it is reckoned from others where it is read.
    math: Option<Math<MetricId>>,
}

/// One datapoint.
#[derive(Clone, Debug)]
pub struct Datapoint {
    /// Start of its period, as CloudWatch stamps it.
    pub period_start: SimTime,
    /// Its statistics.
    pub statistics: StatisticSet,
    /// Its samples, where an alarm wants to know them.
    samples: Option<Box<Histogram>>,
}

impl Metrics {
    /// Makes a metric of standard resolution known; `name` as in `AWS/ECS CPUUtilization ecs.web` (namespace, name, dimension),
    /// `unit` as in a report: `%`, `s`, `count`. Counts are totals of the period, all else means.
    pub fn register(&mut self, name: String, unit: &'static str) -> MetricId {
        self.register_as(name, unit, Kind::of_unit(unit), PERIOD)
    }
    /// The same, of a kind and a resolution.
    pub fn register_as(&mut self, name: String, unit: &'static str, kind: Kind, resolution: SimDuration) -> MetricId {
        self.metrics.push(Metric {
            name,
            unit,
            kind,
            resolution,
            recent: VecDeque::new(),
            kept: RECENT,
            samples_wanted: false,
            course: Course::new(),
            math: None,
        });
        MetricId((self.metrics.len() - 1) as u16)
    }
    /// Makes a metric known that is reckoned from others, which are known already. A datapoint of it is an average.
    ///
    /// # Panics
    /// If nobody publishes one of those it is reckoned from.
    pub fn register_math(&mut self, name: String, unit: &'static str, math: &Math<String>) -> MetricId {
        let math = math.map(|name| self.find(name).expect("validated: the metrics of an expression are published"));
        let finest = math.metrics().map(|id| self.resolution(id)).max().unwrap_or(PERIOD);
        let id = self.register_as(name, unit, Kind::Mean, finest);
        self.metrics[id.index()].math = Some(math);
        id
    }
    /// The number of the metric of this full name; `None` if nobody publishes it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<MetricId> {
        self.metrics.iter().position(|metric| metric.name == name).map(|at| MetricId(at as u16))
    }
    /// Full names of all metrics: namespace, name, dimension.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().map(|metric| metric.name.as_str())
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
    /// What its datapoints are.
    #[must_use]
    pub fn kind(&self, id: MetricId) -> Kind {
        self.metrics[id.index()].kind
    }
    /// Length of the periods it is published for.
    #[must_use]
    pub fn resolution(&self, id: MetricId) -> SimDuration {
        self.metrics[id.index()].resolution
    }
    /// Sees to it that at least the latest `span` of a metric is kept, and what `statistic` needs of it.
    pub fn keep(&mut self, id: MetricId, span: SimDuration, statistic: Statistic) {
        let metric = &mut self.metrics[id.index()];
        let datapoints = span.as_nanos().div_ceil(metric.resolution.as_nanos()) as usize;
        metric.kept = metric.kept.max(datapoints);
        metric.samples_wanted |= metric.kind == Kind::Samples && statistic.needs_samples();
        let inputs: Vec<_> = metric.math.iter().flat_map(Math::inputs).copied().collect();
        for (input, statistic) in inputs {
            self.keep(input, span, statistic);
        }
    }
    /// Whether the samples of a metric must be published themselves ([`Metrics::publish_samples`]).
    #[must_use]
    pub fn samples_wanted(&self, id: MetricId) -> bool {
        self.metrics[id.index()].samples_wanted
    }
    /// Publishes one value for the period that starts at `period_start`. Datapoints of a metric come in order of time; a
    /// period without one is missing.
    pub fn publish(&mut self, id: MetricId, period_start: SimTime, value: f64) {
        self.publish_set(id, period_start, StatisticSet::of(value));
    }
    /// Publishes the statistics of a period.
    pub fn publish_set(&mut self, id: MetricId, period_start: SimTime, statistics: StatisticSet) {
        self.add(id, Datapoint { period_start, statistics, samples: None });
    }
    /// Publishes the samples of a period, times in seconds; the unit of the metric may be another.
    pub fn publish_samples(&mut self, id: MetricId, period_start: SimTime, samples: &Histogram) {
        let sum = samples.sum_nanos() as f64 / 1e9;
        let statistics = StatisticSet { count: samples.count() as f64, sum, min: samples.min(), max: samples.max() };
        self.add(id, Datapoint { period_start, statistics, samples: Some(Box::new(samples.clone())) });
    }
    fn add(&mut self, id: MetricId, datapoint: Datapoint) {
        let metric = &mut self.metrics[id.index()];
        let period_start = datapoint.period_start;
        debug_assert!(
            metric.recent.back().is_none_or(|last| last.period_start < period_start),
            "one datapoint a period"
        );
        // Delayed reading needs a few beyond those looked at; the delay is bounded by what validation allows.
        if metric.recent.len() >= metric.kept + RECENT {
            metric.recent.pop_front();
        }
        let shown = match metric.kind {
            Kind::Total => datapoint.statistics.sum,
            _ => datapoint.statistics.average(),
        };
        metric.course.add(period_start, shown);
        metric.recent.push_back(datapoint);
    }
    /// A statistic of the `count` periods of this length that end by `until`, oldest first; `None` where nothing was
    /// published. Writes into `points`, which is cleared.
    pub fn read(
        &self,
        id: MetricId,
        statistic: Statistic,
        period: SimDuration,
        until: SimTime,
        count: usize,
        points: &mut Vec<Option<f64>>,
    ) {
        points.clear();
        for back in (1..=count as u64).rev() {
            let before = |periods: u64| until.as_nanos().checked_sub(period.times(periods).as_nanos());
            let point = before(back).and_then(|start| self.point(id, statistic, start, before(back - 1).unwrap_or(0)));
            points.push(point);
        }
    }
    /// A statistic of what was published from one instant to another, in nanoseconds.
    fn point(&self, id: MetricId, statistic: Statistic, start: u64, end: u64) -> Option<f64> {
        let metric = &self.metrics[id.index()];
        if let Some(math) = &metric.math {
            return math.value(|input, statistic| self.point(input, statistic, start, end));
        }
        let from = metric.recent.partition_point(|point| point.period_start.as_nanos() < start);
        value(statistic, metric.recent.range(from..).take_while(|point| point.period_start.as_nanos() < end))
    }
    /// The figures over time for the report: one series a metric that was ever published, NaN where datapoints are missing.
    /// A bin is a minute; in long runs it is the mean over two, four... of them, alike for all metrics.
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

/// A statistic of some datapoints together; `None` of none.
fn value<'a>(statistic: Statistic, mut datapoints: impl Iterator<Item = &'a Datapoint>) -> Option<f64> {
    let first = datapoints.next()?;
    if let Statistic::Percentile(share) = statistic {
        let mut samples = first.samples.as_deref()?.clone();
        datapoints.filter_map(|point| point.samples.as_deref()).for_each(|more| samples.merge(more));
        return Some(samples.quantile(share));
    }
    let all = datapoints.fold(first.statistics, |sum, point| sum.join(point.statistics));
    Some(match statistic {
        Statistic::Average | Statistic::Percentile(_) => all.average(),
        Statistic::Sum => all.sum,
        Statistic::Minimum => all.min,
        Statistic::Maximum => all.max,
        Statistic::SampleCount => all.count,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: u64) -> SimTime {
        SimTime::from_secs(60 * n)
    }

    fn average(metrics: &Metrics, id: MetricId, until: SimTime, count: usize) -> Vec<Option<f64>> {
        let mut points = Vec::new();
        metrics.read(id, Statistic::Average, PERIOD, until, count, &mut points);
        points
    }

    #[test]
    fn only_periods_that_have_ended_are_read_and_gaps_are_seen() {
        let mut metrics = Metrics::default();
        let id = metrics.register("AWS/ECS CPUUtilization ecs.web".to_owned(), "%");
        assert_eq!(
            (metrics.find("AWS/ECS CPUUtilization ecs.web"), metrics.find("AWS/ECS CPUUtilization ecs.cart")),
            (Some(id), None)
        );
        for period in [0, 1, 3] {
            metrics.publish(id, minute(period), period as f64);
        }
        assert_eq!(average(&metrics, id, minute(4), 5), [None, Some(0.0), Some(1.0), None, Some(3.0)]);
        assert_eq!(average(&metrics, id, minute(3), 2), [Some(1.0), None]);
    }

    #[test]
    fn memory_is_bounded_and_alarms_with_long_windows_keep_theirs() {
        let mut metrics = Metrics::default();
        let id = metrics.register("m".to_owned(), "count");
        metrics.keep(id, PERIOD.times(120), Statistic::Sum);
        (0..10_000).for_each(|period| metrics.publish(id, minute(period), period as f64));
        assert!(average(&metrics, id, minute(10_000), 120).iter().all(Option::is_some));
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

    #[test]
    fn statistics_of_a_longer_period_follow_from_its_parts() {
        let mut metrics = Metrics::default();
        let id = metrics.register_as("level".to_owned(), "count", Kind::Level, PERIOD);
        metrics.publish_set(id, minute(0), StatisticSet::of_level(4.0, 2.0, 5.0));
        metrics.publish_set(id, minute(2), StatisticSet::of_level(6.0, 6.0, 6.0));
        let read = |statistic| {
            let mut points = Vec::new();
            metrics.read(id, statistic, PERIOD.times(3), minute(3), 2, &mut points);
            assert_eq!(points[0], None, "before the start");
            points[1]
        };
        use Statistic::{Average, Maximum, Minimum, SampleCount, Sum};
        assert_eq!(
            [Average, Sum, Minimum, Maximum, SampleCount].map(read),
            [5.0, 10.0, 2.0, 6.0, 2.0].map(Some),
            "the minute without a datapoint counts for nothing"
        );
    }

    #[test]
    fn percentiles_are_those_of_all_samples_of_the_period() {
        let mut metrics = Metrics::default();
        let id = metrics.register_as("times".to_owned(), "s", Kind::Samples, PERIOD);
        metrics.keep(id, PERIOD, Statistic::Average);
        assert!(!metrics.samples_wanted(id));
        metrics.keep(id, PERIOD, Statistic::Percentile(0.99));
        assert!(metrics.samples_wanted(id));
        for period in 0..2 {
            let mut samples = Histogram::new();
            (1..=100).for_each(|n| samples.record(SimDuration::from_millis(n + 100 * period)));
            metrics.publish_samples(id, minute(period), &samples);
        }
        let p = |share, minutes: u64| {
            let mut points = Vec::new();
            metrics.read(id, Statistic::Percentile(share), PERIOD.times(minutes), minute(2), 1, &mut points);
            points[0].expect("published")
        };
        assert!((p(0.9, 1) - 0.19).abs() < 1e-3 && (p(0.9, 2) - 0.18).abs() < 1e-3 && p(1.0, 2) == 0.2);
    }

    #[test]
    fn names_of_statistics_are_those_of_cloudwatch() {
        let names = [0.5, 0.99, 0.999, 0.9995].map(|share| Statistic::Percentile(share).name());
        assert_eq!(names, ["p50", "p99", "p99.9", "p99.95"]);
    }
}
