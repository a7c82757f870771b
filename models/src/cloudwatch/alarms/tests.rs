//! Alarms on metrics that do as they are told.

use super::*;
use crate::cloudwatch::{Comparison, FINE_PERIOD, Kind, MissingData};
use crate::observer::Observer;
use crate::world::bench::{Bench, run};
use sim_core::tally::Histogram;

fn above(threshold: f64, least: u32, periods: u32) -> Condition {
    Condition {
        comparison: Comparison::Greater,
        threshold,
        evaluation_periods: periods,
        datapoints_to_alarm: least,
        treat_missing_data: MissingData::Missing,
    }
}

fn alarm(metric: &str, statistic: Statistic, seconds: u64, condition: Condition) -> MetricAlarm {
    MetricAlarm {
        metric: metric.to_owned(),
        statistic,
        period: SimDuration::from_secs(seconds),
        condition,
        ignore_low_sample_count: false,
    }
}

fn named(name: &str, kind: AlarmKind) -> Alarm {
    Alarm { name: name.to_owned(), kind, of_deployment: None }
}

/// A clock, and one metric of a resolution.
struct Stage {
    bench: Bench,
    alarms: Alarms,
    metric: MetricId,
    resolution: SimDuration,
}

impl Stage {
    fn new(kind: Kind, resolution: SimDuration, alarms: &[Alarm]) -> Self {
        let mut bench = Bench::new();
        let metric = bench.shared.metrics.register_as("Test Metric of.it".to_owned(), "count", kind, resolution);
        let alarms = Alarms::new(&[], alarms, &run(), &mut bench.cx());
        Self { bench, alarms, metric, resolution }
    }
    fn now(&self) -> u64 {
        self.bench.kernel.now().as_nanos() / 1_000_000_000
    }
    fn wait(&mut self, until: u64) {
        self.bench.run_until(SimTime::from_secs(until), |_, _| {}, |_, _| {});
    }
    /// Publishes these values period by period, and evaluates alarms as the world does; gives the states after each instant of
    /// evaluation.
    fn states(&mut self, values: &[f64], cadence: u64, id: u16) -> Vec<(u64, AlarmState)> {
        let mut seen = Vec::new();
        let fine = self.resolution.as_secs_f64() < 60.0;
        let end = self.resolution.times(values.len() as u64).as_nanos() / 1_000_000_000 + 60;
        let period = self.resolution.as_nanos() / 1_000_000_000;
        for second in 1..=end {
            self.wait(second);
            if second % period == 0
                && let Some(value) = values.get((second / period - 1) as usize)
            {
                self.bench.shared.metrics.publish(self.metric, SimTime::from_secs(second - period), *value);
            }
            if second % cadence == 0 {
                self.alarms.evaluate(fine, &mut self.bench.cx());
                seen.push((second, self.alarms.state(AlarmId(id))));
            }
        }
        seen
    }
    fn log(self) -> Vec<(f64, String, String)> {
        let now = self.bench.kernel.now();
        let observer: Observer = self.bench.shared.observer;
        let books = observer.finish(now, &[0], 0, &mut Findings::default());
        books.log.into_iter().map(|entry| (entry.at.as_secs_f64(), entry.subject, entry.what)).collect()
    }
}

fn first_alarm(seen: &[(u64, AlarmState)]) -> Option<u64> {
    seen.iter().find(|(_, state)| *state == AlarmState::Alarm).map(|&(at, _)| at)
}

#[test]
fn three_minutes_of_60_s_metrics_take_240_s_and_three_periods_of_20_s_take_70_s() {
    let of = |seconds| {
        let condition = above(50.0, 3, 3);
        [named("high", AlarmKind::Metric(alarm("Test Metric of.it", Statistic::Average, seconds, condition)))]
    };
    let mut minutes = Stage::new(Kind::Mean, PERIOD, &of(60));
    assert_eq!(first_alarm(&minutes.states(&[80.0; 6], 60, 0)), Some(240));
    let mut fine = Stage::new(Kind::Mean, FINE_PERIOD, &of(20));
    assert_eq!(first_alarm(&fine.states(&[80.0; 6], 10, 0)), Some(70));
    // A metric of 20 s may be looked at by the minute too: sooner read, but three minutes are three minutes.
    let mut both = Stage::new(Kind::Mean, FINE_PERIOD, &of(60));
    assert_eq!(first_alarm(&both.states(&[80.0; 18], 10, 0)), Some(190));
}

#[test]
fn a_period_of_five_minutes_slides_by_the_minute() {
    let five = alarm("Test Metric of.it", Statistic::Sum, 300, above(10.0, 1, 1));
    let mut stage = Stage::new(Kind::Total, PERIOD, &[named("many", AlarmKind::Metric(five))]);
    // 4 a minute from the fourth minute on: more than 10 in five minutes at the end of the sixth, readable a minute later.
    let seen = stage.states(&[0.0, 0.0, 0.0, 4.0, 4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0], 60, 0);
    assert_eq!(first_alarm(&seen), Some(420));
    // The last window with more than 10 holds minutes 5 to 9, that is 12 of minutes 5 to 7.
    let ok_again = seen.iter().find(|(at, state)| *at > 420 && *state == AlarmState::Ok);
    assert_eq!(ok_again.map(|&(at, _)| at), Some(660));
}

#[test]
fn an_action_is_called_when_the_alarm_goes_off_and_each_minute_while_it_lasts() {
    let condition = above(50.0, 3, 3);
    let high = alarm("Test Metric of.it", Statistic::Average, 20, condition);
    let mut stage = Stage::new(Kind::Mean, FINE_PERIOD, &[named("high", AlarmKind::Metric(high))]);
    let mut called = Vec::new();
    for second in 1..=300 {
        stage.wait(second);
        if second % 20 == 0 {
            stage.bench.shared.metrics.publish(stage.metric, SimTime::from_secs(second - 20), 80.0);
        }
        if second % 10 == 0 {
            stage.alarms.evaluate(true, &mut stage.bench.cx());
            if stage.alarms.acts(AlarmId(0)) {
                called.push(stage.now());
            }
        }
    }
    assert_eq!(called, [70, 130, 190, 250]);
}

#[test]
fn composite_alarms_follow_their_rule_and_their_children_in_the_same_instant() {
    let state = |id, state| Box::new(Rule::In(AlarmId(id), state));
    let high =
        |threshold| AlarmKind::Metric(alarm("Test Metric of.it", Statistic::Average, 60, above(threshold, 1, 1)));
    let alarms = [
        // Composite alarms may stand before what they look at.
        named(
            "worse",
            AlarmKind::Composite(Rule::Not(Box::new(Rule::Or(state(1, AlarmState::Ok), state(3, AlarmState::Ok))))),
        ),
        named("bad", AlarmKind::Composite(Rule::And(state(2, AlarmState::Alarm), state(3, AlarmState::Ok)))),
        named("high", high(50.0)),
        named("higher", high(90.0)),
    ];
    let mut stage = Stage::new(Kind::Mean, PERIOD, &alarms);
    stage.states(&[10.0, 70.0, 95.0, 10.0], 60, 0);
    let log: Vec<(u64, String)> = stage
        .log()
        .into_iter()
        .map(|(at, subject, what)| (at as u64, format!("{subject} {}", what.split(" (").next().unwrap())))
        .collect();
    let said: Vec<(u64, &str)> = log.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(
        said,
        [
            (180, "alarm.high OK -> ALARM"),
            (180, "alarm.bad OK -> ALARM"),
            (240, "alarm.higher OK -> ALARM"),
            (240, "alarm.bad ALARM -> OK"),
            (300, "alarm.high ALARM -> OK"),
            (300, "alarm.higher ALARM -> OK"),
        ]
    );
}

#[test]
fn a_percentile_of_too_few_samples_changes_nothing_where_that_is_asked_for() {
    let seen = [false, true].map(|ignore| {
        let p90 = alarm("Test Metric of.it", Statistic::Percentile(0.9), 60, above(0.5, 1, 1));
        let p90 = MetricAlarm { ignore_low_sample_count: ignore, ..p90 };
        let mut stage = Stage::new(Kind::Samples, PERIOD, &[named("slow", AlarmKind::Metric(p90))]);
        // 10 / (1 - 0.9) = 100 samples are enough, 99 are not.
        let mut states = Vec::new();
        for (minute, (samples, millis)) in [(100, 100), (99, 900), (100, 900), (99, 100)].into_iter().enumerate() {
            let start = SimTime::from_secs(60 * minute as u64);
            let mut times = Histogram::new();
            (0..samples).for_each(|_| times.record(SimDuration::from_millis(millis)));
            stage.wait(60 * (minute as u64 + 1));
            stage.bench.shared.metrics.publish_samples(stage.metric, start, &times);
            stage.wait(60 * (minute as u64 + 2) - 1);
            stage.alarms.delay = SimDuration::from_secs(59);
            stage.alarms.evaluate(false, &mut stage.bench.cx());
            states.push(stage.alarms.state(AlarmId(0)).name());
        }
        states
    });
    assert_eq!(seen, [["OK", "ALARM", "ALARM", "OK"], ["OK", "OK", "ALARM", "ALARM"]]);
}

#[test]
fn sparse_metrics_recover_late_because_older_real_datapoints_stay_in_the_range() {
    // Errors are published only when there are some: after three bad minutes nothing comes any more.
    let mut stage = Stage::new(
        Kind::Total,
        PERIOD,
        &[named("errors", AlarmKind::Metric(alarm("Test Metric of.it", Statistic::Sum, 60, above(0.0, 3, 3))))],
    );
    let seen = stage.states(&[5.0, 5.0, 5.0], 60, 0);
    assert_eq!(first_alarm(&seen), Some(240));
    let mut left = None;
    for minute in 5..20 {
        stage.wait(60 * minute);
        stage.alarms.evaluate(false, &mut stage.bench.cx());
        if stage.alarms.state(AlarmId(0)) != AlarmState::Alarm {
            left = Some((60 * minute, stage.alarms.state(AlarmId(0))));
            break;
        }
    }
    // The evaluation range is five: the last bad minute leaves it when minute 8 can be read, at 540 s.
    assert_eq!(left, Some((540, AlarmState::InsufficientData)));
}

#[test]
fn what_is_told_at_the_end() {
    let high = alarm("Test Metric of.it", Statistic::Average, 60, above(50.0, 1, 1));
    let mut stage = Stage::new(Kind::Mean, PERIOD, &[named("high", AlarmKind::Metric(high))]);
    stage.states(&[10.0, 70.0, 70.0, 10.0, 70.0], 60, 0);
    let mut findings = Findings::default();
    let now = stage.bench.kernel.now();
    stage.alarms.finish(now + SimDuration::from_secs(15), &mut findings);
    let told: Vec<(&str, f64)> = findings.counters.iter().map(|it| (it.name.as_str(), it.value)).collect();
    assert_eq!(told, [("times into ALARM", 2.0), ("seconds in ALARM", 120.0 + 15.0)]);
}
