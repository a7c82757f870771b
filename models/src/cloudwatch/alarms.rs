//! Alarms at work: metric alarms look at published datapoints, composite alarms at other alarms.

use sim_core::observations::{LogKind, SeriesGroup};
use sim_core::tally::Level;
use sim_core::{SimDuration, SimTime};

use super::{AlarmState, Condition, FINE_CADENCE, MathMetric, PERIOD, Statistic};
use crate::architecture::Run;
use crate::ids::*;
use crate::observer::{FigureId, Figures, Findings, Observed};
use crate::world::Cx;

/// An alarm of a scenario.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What it looks at.
    pub kind: AlarmKind,
    /// Whose deployment it watches over, where it is written there.
    pub of_deployment: Option<String>,
}

/// What an alarm looks at.
#[derive(Clone, Debug)]
pub enum AlarmKind {
    /// A metric.
    Metric(MetricAlarm),
    /// Other alarms.
    Composite(Rule),
}

/// An alarm on a metric.
#[derive(Clone, Debug)]
pub struct MetricAlarm {
    /// Full name of the metric: namespace, name, dimension, as in `AWS/ECS CPUUtilization ecs.web`.
    pub metric: String,
    /// `Statistic` or `ExtendedStatistic`.
    pub statistic: Statistic,
    /// `Period`.
    pub period: SimDuration,
    /// When it goes off.
    pub condition: Condition,
    /// `EvaluateLowSampleCountPercentile` is `ignore`: a percentile of too few samples changes nothing. Too few are less than
    /// 10 / (1 - p) for a percentile p of 0.5 or more, less than 10 / p below (CloudWatch guide, AlarmThatSendsEmail).
    pub ignore_low_sample_count: bool,
}

/// `AlarmRule` of a composite alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// `ALARM(name)`, `OK(name)`, `INSUFFICIENT_DATA(name)`.
    In(AlarmId, AlarmState),
    /// `NOT`.
    Not(Box<Self>),
    /// `AND`.
    And(Box<Self>, Box<Self>),
    /// `OR`.
    Or(Box<Self>, Box<Self>),
    /// `TRUE`, `FALSE`.
    Constant(bool),
}

impl Rule {
    fn holds(&self, alarms: &[Watch]) -> bool {
        match self {
            Self::In(alarm, state) => alarms[alarm.index()].state == *state,
            Self::Not(rule) => !rule.holds(alarms),
            Self::And(one, other) => one.holds(alarms) && other.holds(alarms),
            Self::Or(one, other) => one.holds(alarms) || other.holds(alarms),
            Self::Constant(value) => *value,
        }
    }
    /// The alarms it looks at.
    pub fn alarms(&self, found: &mut Vec<AlarmId>) {
        match self {
            Self::In(alarm, _) => found.push(*alarm),
            Self::Not(rule) => rule.alarms(found),
            Self::And(one, other) | Self::Or(one, other) => {
                one.alarms(found);
                other.alarms(found);
            }
            Self::Constant(_) => {}
        }
    }
}

/// Whose an alarm is, for the event log.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// The scenario's own.
    Scenario,
    /// A scaling policy's: `AlarmHigh`, what is scaled, the policy.
    Policy(&'a str, &'a str, &'a str),
    /// Of the deployments of a service.
    Deployment(&'a str),
}

/// All alarms at work.
#[derive(Debug)]
pub struct Alarms {
    alarms: Vec<Watch>,
    /// Composite alarms, each after those it looks at.
    composites: Vec<AlarmId>,
    delay: SimDuration,
    fine_delay: SimDuration,
    /// For reading metrics.
    points: Vec<Option<f64>>,
}

/// An alarm at work.
#[derive(Debug)]
struct Watch {
    name: String,
    subject: String,
    /// `AlarmHigh of cpu: `, where it is a policy's.
    prefix: String,
    by_scenario: bool,
    looks_at: LooksAt,
    state: AlarmState,
    since: SimTime,
    /// Its action is called at this instant: it has just gone off, or some whole minutes ago.
    acts: bool,
    latest: Option<f64>,
    /// 1 in ALARM.
    level: Level,
    figure: FigureId,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    times: u64,
    time: SimDuration,
    /// Counting began, or it went off.
    from: SimTime,
}

#[derive(Debug)]
enum LooksAt {
    Metric {
        id: MetricId,
        settings: MetricAlarm,
        fine: bool,
        resolution: SimDuration,
        name: String,
        unit: &'static str,
    },
    Alarms(Rule),
}

impl Alarms {
    /// The alarms of a scenario; policies add theirs. Beside them the metrics that either reckon from others.
    #[must_use]
    pub fn new(math: &[MathMetric], settings: &[Alarm], run: &Run, cx: &mut Cx<'_>) -> Self {
        for metric in math {
            cx.shared.metrics.register_math(metric.name.clone(), metric.unit, &metric.math);
        }
        let mut alarms = Self {
            alarms: Vec::new(),
            composites: Vec::new(),
            delay: run.metric_delay,
            fine_delay: run.high_resolution_metric_delay,
            points: Vec::new(),
        };
        for alarm in settings {
            let origin = alarm.of_deployment.as_deref().map_or(Origin::Scenario, Origin::Deployment);
            match &alarm.kind {
                AlarmKind::Metric(metric) => {
                    alarms.add(origin, &alarm.name, metric, cx);
                }
                AlarmKind::Composite(rule) => {
                    alarms.push(origin, &alarm.name, LooksAt::Alarms(rule.clone()), cx);
                }
            }
        }
        alarms.sort_composites();
        alarms
    }

    /// Adds an alarm on a metric that is published.
    pub fn add(&mut self, origin: Origin<'_>, name: &str, alarm: &MetricAlarm, cx: &mut Cx<'_>) -> AlarmId {
        let metrics = &mut cx.shared.metrics;
        let id = metrics.find(&alarm.metric).expect("validated: the metric is published");
        metrics.keep(id, alarm.period.times(alarm.condition.evaluation_range() as u64), alarm.statistic);
        let resolution = metrics.resolution(id);
        let mut metric_name = metrics.name(id).split(' ').nth(1).unwrap_or_default().to_owned();
        if alarm.statistic != metrics.kind(id).usual() {
            metric_name = format!("{metric_name} {}", alarm.statistic.name());
        }
        let unit = match alarm.statistic {
            Statistic::SampleCount => "count",
            _ => metrics.unit(id),
        };
        let looks_at = LooksAt::Metric {
            id,
            settings: alarm.clone(),
            fine: resolution < PERIOD,
            resolution,
            name: metric_name,
            unit,
        };
        self.push(origin, name, looks_at, cx)
    }

    fn push(&mut self, origin: Origin<'_>, name: &str, looks_at: LooksAt, cx: &mut Cx<'_>) -> AlarmId {
        let (subject, prefix) = match origin {
            Origin::Scenario => (format!("alarm.{name}"), String::new()),
            Origin::Policy(kind, of, policy) => (of.to_owned(), format!("{kind} of {policy}: ")),
            Origin::Deployment(of) => (of.to_owned(), format!("alarm {name}: ")),
        };
        let by_scenario = matches!(origin, Origin::Scenario);
        let figure_name =
            if by_scenario { subject.clone() } else { format!("{subject} {}", prefix.trim_end_matches(": ")) };
        self.alarms.push(Watch {
            figure: cx.shared.observer.figures.register(SeriesGroup::Alarm, figure_name, "in ALARM"),
            name: name.to_owned(),
            subject,
            prefix,
            by_scenario,
            looks_at,
            state: AlarmState::default(),
            since: SimTime::ZERO,
            acts: false,
            latest: None,
            level: Level::new(),
            tally: Tally::default(),
        });
        AlarmId((self.alarms.len() - 1) as u16)
    }

    /// Puts each composite alarm after those it looks at; there are no circles among validated ones.
    fn sort_composites(&mut self) {
        let mut waiting: Vec<usize> =
            (0..self.alarms.len()).filter(|&at| matches!(self.alarms[at].looks_at, LooksAt::Alarms(_))).collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|&at| {
                let LooksAt::Alarms(rule) = &self.alarms[at].looks_at else { return false };
                let mut looked_at = Vec::new();
                rule.alarms(&mut looked_at);
                let ready = looked_at.iter().all(|id| {
                    matches!(self.alarms[id.index()].looks_at, LooksAt::Metric { .. }) || self.composites.contains(id)
                });
                if ready {
                    self.composites.push(AlarmId(at as u16));
                }
                !ready
            });
            assert!(waiting.len() < before, "validated: no circles of composite alarms");
        }
    }

    /// Whether any alarm looks at a metric of high resolution.
    #[must_use]
    pub fn any_fine(&self) -> bool {
        self.alarms.iter().any(|watch| matches!(watch.looks_at, LooksAt::Metric { fine: true, .. }))
    }
    /// What an alarm is called.
    #[must_use]
    pub fn name(&self, id: AlarmId) -> &str {
        &self.alarms[id.index()].name
    }
    /// How long it takes until an alarm has judged what begins now: the periods of an evaluation, one more for the period in
    /// which it begins, and one until the last can be read. Of a composite alarm, the longest of those it looks at.
    #[must_use]
    pub fn judges_within(&self, id: AlarmId) -> SimDuration {
        match &self.alarms[id.index()].looks_at {
            LooksAt::Metric { settings, .. } => {
                settings.period.times(u64::from(settings.condition.evaluation_periods) + 1) + PERIOD
            }
            LooksAt::Alarms(rule) => {
                let mut looked_at = Vec::new();
                rule.alarms(&mut looked_at);
                looked_at.into_iter().map(|id| self.judges_within(id)).max().unwrap_or_default()
            }
        }
    }
    /// What an alarm says.
    #[must_use]
    pub fn state(&self, id: AlarmId) -> AlarmState {
        self.alarms[id.index()].state
    }
    /// Whether an alarm calls its action at this evaluation: it is in ALARM since now, or since some whole minutes (CloudWatch
    /// guide, AlarmThatSendsEmail: Auto Scaling actions are repeated once a minute).
    #[must_use]
    pub fn acts(&self, id: AlarmId) -> bool {
        self.alarms[id.index()].acts
    }
    /// The latest datapoint that could be read; none of a composite alarm.
    #[must_use]
    pub fn latest(&self, id: AlarmId) -> Option<f64> {
        self.alarms[id.index()].latest
    }
    /// The latest datapoint in words: `CPUUtilization 55.2 %`.
    #[must_use]
    pub fn latest_in_words(&self, id: AlarmId) -> String {
        let watch = &self.alarms[id.index()];
        match &watch.looks_at {
            LooksAt::Metric { name, unit, .. } => {
                format!("{name} {}", quantity(watch.latest.unwrap_or(f64::NAN), unit))
            }
            LooksAt::Alarms(_) => watch.subject.clone(),
        }
    }
    /// Its threshold; `None` of a composite alarm.
    #[must_use]
    pub fn threshold(&self, id: AlarmId) -> Option<f64> {
        match &self.alarms[id.index()].looks_at {
            LooksAt::Metric { settings, .. } => Some(settings.condition.threshold),
            LooksAt::Alarms(_) => None,
        }
    }
    /// Unit of the metric; nothing of a composite alarm.
    #[must_use]
    pub fn unit(&self, id: AlarmId) -> &'static str {
        match &self.alarms[id.index()].looks_at {
            LooksAt::Metric { unit, .. } => unit,
            LooksAt::Alarms(_) => "",
        }
    }

    /// Evaluates the alarms on metrics of standard or of high resolution, and then the composite ones.
    pub fn evaluate(&mut self, fine: bool, cx: &mut Cx<'_>) {
        let now = cx.now();
        let delay = if fine { self.fine_delay } else { self.delay };
        self.alarms.iter_mut().for_each(|watch| watch.acts = false);
        let Some(visible) = now.as_nanos().checked_sub(delay.as_nanos()).map(SimTime::from_nanos) else { return };
        for watch in &mut self.alarms {
            watch.look(fine, visible, &mut self.points, cx);
        }
        for &id in &self.composites {
            let LooksAt::Alarms(rule) = &self.alarms[id.index()].looks_at else { continue };
            let state = if rule.holds(&self.alarms) { AlarmState::Alarm } else { AlarmState::Ok };
            self.alarms[id.index()].become_state(state, cx);
        }
    }
}

impl Watch {
    /// Evaluates it on the periods that end by `visible`, if it is its turn.
    fn look(&mut self, fine_tick: bool, visible: SimTime, points: &mut Vec<Option<f64>>, cx: &mut Cx<'_>) {
        let LooksAt::Metric { id, settings, fine, resolution, .. } = &self.looks_at else { return };
        let cadence = if settings.period < PERIOD { FINE_CADENCE } else { PERIOD };
        if *fine != fine_tick || visible.floor_to(cadence) != visible {
            return;
        }
        let (metrics, until) = (&cx.shared.metrics, visible.floor_to(cadence.max(*resolution)));
        let MetricAlarm { statistic, period, condition, .. } = settings;
        if settings.ignore_low_sample_count
            && let Statistic::Percentile(share) = statistic
        {
            metrics.read(*id, Statistic::SampleCount, *period, until, 1, points);
            let least = 10.0 / if *share >= 0.5 { 1.0 - share } else { *share };
            if points[0].is_some_and(|samples| samples + 1e-6 < least) {
                return;
            }
        }
        metrics.read(*id, *statistic, *period, until, condition.evaluation_range(), points);
        let state = condition.state(points, self.state);
        self.latest = points.iter().rev().copied().flatten().next();
        self.become_state(state, cx);
        let for_so_long = cx.now().since(self.since);
        self.acts = self.state == AlarmState::Alarm && for_so_long.as_nanos().is_multiple_of(PERIOD.as_nanos());
    }

    fn become_state(&mut self, state: AlarmState, cx: &mut Cx<'_>) {
        let (before, now) = (std::mem::replace(&mut self.state, state), cx.now());
        if state == before {
            return;
        }
        self.since = now;
        self.level.set(now, i64::from(state == AlarmState::Alarm));
        if state == AlarmState::Alarm {
            self.tally.times += 1;
            self.tally.from = now;
        } else if before == AlarmState::Alarm {
            self.tally.time += now.since(self.tally.from);
        }
        // That the first datapoints have come is no news.
        if (before, state) != (AlarmState::InsufficientData, AlarmState::Ok) {
            let what = format!("{}{} -> {}{}", self.prefix, before.name(), state.name(), self.why());
            cx.shared.observer.log(now, LogKind::Alarm, &self.subject, what);
        }
    }

    fn why(&self) -> String {
        let LooksAt::Metric { settings, name, unit, .. } = &self.looks_at else { return String::new() };
        let Condition { comparison, threshold, evaluation_periods, datapoints_to_alarm, .. } = settings.condition;
        let periods = if settings.period == PERIOD {
            "minutes".to_owned()
        } else {
            format!("periods of {}", quantity(settings.period.as_secs_f64(), "s"))
        };
        format!(
            " ({name} {} {} in {datapoints_to_alarm} of {evaluation_periods} {periods}; latest {})",
            comparison.sign(),
            quantity(threshold, unit),
            self.latest.map_or_else(|| "none".to_owned(), |value| quantity(value, unit)),
        )
    }
}

impl Observed for Alarms {
    fn warm_up_over(&mut self, now: SimTime) {
        self.alarms.iter_mut().for_each(|watch| watch.tally = Tally { from: now, ..Tally::default() });
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        for watch in &mut self.alarms {
            let share = watch.level.mean(now);
            watch.level.reset(now);
            let silent = watch.state == AlarmState::InsufficientData && share == 0.0;
            figures.put(watch.figure, now, if silent { f64::NAN } else { share });
        }
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        for watch in self.alarms.iter().filter(|watch| watch.by_scenario) {
            let lasting =
                if watch.state == AlarmState::Alarm { now.since(watch.tally.from) } else { SimDuration::ZERO };
            findings.count(&watch.subject, "times into ALARM", watch.tally.times as f64);
            findings.count(&watch.subject, "seconds in ALARM", (watch.tally.time + lasting).as_secs_f64());
        }
    }
}

/// A value with its unit, with about three digits: `55.2 %`, `0.123 s`, `1500`.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    let decimals = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 1.0 => 1,
        _ => 3,
    };
    let number = format!("{value:.decimals$}");
    let number = if decimals > 0 { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    match unit {
        "" | "count" => number.to_owned(),
        unit => format!("{number} {unit}"),
    }
}

#[cfg(test)]
mod tests;
