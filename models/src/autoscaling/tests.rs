//! Policies on metrics that do as they are told.

use super::*;
use crate::cloudwatch::PERIOD;
use crate::world::Message;
use crate::world::bench::Bench;

const WEB: Scalable = Scalable::Ecs(EcsId(0));
const CPU: &str = "AWS/ECS CPUUtilization ecs.web";
const REQUESTS: &str = "AWS/ApplicationELB RequestCountPerTarget alb.front/web";

fn minutes(minutes: u64) -> SimDuration {
    PERIOD.times(minutes)
}

fn policy(kind: PolicyKind) -> Policy {
    Policy { name: "cpu".to_owned(), target: WEB, kind, scale_out_cooldown: minutes(5), scale_in_cooldown: minutes(5) }
}

fn tracking(target_value: f64) -> Policy {
    tracking_of(CPU, Statistic::Average, target_value)
}

fn tracking_of(metric: &str, statistic: Statistic, target_value: f64) -> Policy {
    policy(PolicyKind::TargetTracking {
        metric: metric.to_owned(),
        statistic,
        period: PERIOD,
        target_value,
        disable_scale_in: false,
        scale_out_datapoints: 3,
        scale_in_datapoints: 15,
        scale_in_threshold: 0.9,
    })
}

fn alarm(threshold: f64, above: bool) -> Trigger {
    Trigger::Own(MetricAlarm {
        metric: CPU.to_owned(),
        statistic: Statistic::Average,
        period: PERIOD,
        condition: Condition {
            comparison: if above { Comparison::GreaterOrEqual } else { Comparison::LessOrEqual },
            threshold,
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            treat_missing_data: MissingData::Missing,
        },
        ignore_low_sample_count: false,
    })
}

fn steps(alarm: Trigger, adjustment_type: AdjustmentType, adjustments: Vec<StepAdjustment>) -> PolicyKind {
    PolicyKind::Step { alarm, adjustment_type, adjustments }
}

use AdjustmentType::ChangeInCapacity;

fn step(lower: f64, upper: f64, adjustment: i32) -> StepAdjustment {
    StepAdjustment { lower, upper, adjustment }
}

fn run() -> crate::architecture::Run {
    crate::architecture::Run {
        duration: PERIOD,
        warm_up: SimDuration::ZERO,
        downtime_error_rate: 0.5,
        metric_delay: PERIOD,
        high_resolution_metric_delay: SimDuration::from_secs(10),
        spans: crate::architecture::Spans::default(),
        objective: None,
    }
}

/// Two metrics, a clock that ticks by the minute, and what was decided.
struct Stage {
    bench: Bench,
    alarms: Alarms,
    scaling: AutoScaling,
    cpu: MetricId,
    requests: MetricId,
    /// When, and to what, in seconds.
    decided: Vec<(u64, u32)>,
    desired: u32,
}

impl Stage {
    fn new(policies: &[Policy], desired: u32) -> Self {
        Self::within(1, 100, policies, &[], desired)
    }
    fn within(min: u32, max: u32, policies: &[Policy], scheduled: &[ScheduledAction], desired: u32) -> Self {
        let mut bench = Bench::new();
        let metrics = &mut bench.shared.metrics;
        let cpu = metrics.register(CPU.to_owned(), "%");
        let requests = metrics.register(REQUESTS.to_owned(), "count");
        let target = Target {
            id: WEB,
            name: "ecs.web".to_owned(),
            desired,
            min_capacity: min,
            max_capacity: max,
            steps: ANY_STEP,
        };
        let settings = Settings {
            targets: vec![target],
            policies: policies.to_vec(),
            scheduled: scheduled.to_vec(),
            ..Settings::default()
        };
        let mut alarms = Alarms::new(&[], &[], &run(), &mut bench.cx());
        let scaling = AutoScaling::new(&settings, &mut alarms, &mut bench.cx());
        scaling.start(&mut bench.cx());
        let mut stage = Self { bench, alarms, scaling, cpu, requests, decided: Vec::new(), desired };
        stage.take_decisions();
        stage
    }
    fn take_decisions(&mut self) {
        let now = self.bench.kernel.now().as_nanos() / 1_000_000_000;
        while let Some(message) = self.bench.shared.message() {
            let Message::Control(Control::SetDesiredCount(WEB, desired)) = message else { panic!("{message:?}") };
            self.decided.push((now, desired));
            self.desired = desired;
            self.scaling.desired_count(WEB, desired);
        }
    }
    /// A minute with these datapoints passes; then alarms are evaluated, the minute's own datapoints not readable yet.
    fn minute_of(&mut self, cpu: Option<f64>, requests: Option<f64>) {
        let start = self.bench.kernel.now();
        let (scaling, decided) = (&mut self.scaling, &mut self.decided);
        let mut desired = self.desired;
        self.bench.run_until(
            start + PERIOD,
            |event, cx| {
                let world::Event::AutoScaling(event) = event else { panic!("{event:?}") };
                scaling.on(event, cx);
            },
            |message, cx| {
                let Message::Control(Control::SetDesiredCount(WEB, to)) = message else { panic!("{message:?}") };
                desired = to;
                decided.push((cx.now().as_nanos() / 1_000_000_000, to));
            },
        );
        self.desired = desired;
        for (metric, value) in [(self.cpu, cpu), (self.requests, requests)] {
            if let Some(value) = value {
                self.bench.shared.metrics.publish(metric, start, value);
            }
        }
        self.alarms.evaluate(false, &mut self.bench.cx());
        self.scaling.act(&self.alarms, &mut self.bench.cx());
        self.take_decisions();
    }
    fn minutes(&mut self, count: u32, cpu: f64) {
        (0..count).for_each(|_| self.minute_of(Some(cpu), None));
    }
    /// Minutes of a load that the tasks there are share: hundreds of percent in all.
    fn load(&mut self, count: u32, all: f64) {
        (0..count).for_each(|_| self.minute_of(Some(all / f64::from(self.desired)), None));
    }
    /// Minutes until it decides.
    fn until_decision(&mut self, cpu: f64) -> u32 {
        let before = self.decided.len();
        (1..200)
            .find(|_| {
                self.minutes(1, cpu);
                self.decided.len() > before
            })
            .unwrap_or(u32::MAX)
    }
    fn log(mut self, kind: LogKind) -> Vec<String> {
        let now = self.bench.kernel.now();
        let observer = std::mem::replace(&mut self.bench.shared.observer, crate::observer::Observer::new(&run(), &[]));
        let books = observer.finish(now, &[0], 0, &mut crate::observer::Findings::default());
        books.log.into_iter().filter(|entry| entry.kind == kind).map(|entry| entry.what).collect()
    }
}

/// Tasks after a target-tracking policy has met a constant value for long enough for its first decision.
fn tracked(capacity: u32, cpu: f64, target: f64) -> Option<u32> {
    let mut stage = Stage::new(&[tracking(target)], capacity);
    stage.minutes(17, cpu);
    stage.decided.first().map(|&(_, desired)| desired)
}

#[test]
fn worked_examples_of_target_tracking() {
    assert_eq!(tracked(4, 90.0, 60.0), Some(6));
    assert_eq!(tracked(4, 61.0, 60.0), Some(5));
    assert_eq!(tracked(10, 75.0, 50.0), Some(15));
    assert_eq!(tracked(4, 30.0, 60.0), Some(2), "armed below 54 only");
    assert_eq!(tracked(4, 55.0, 60.0), None, "nothing ever happens although 55 < 60");
}

#[test]
fn of_a_need_of_one_and_a_half_more_two_are_added_and_of_one_and_a_half_less_one_is_removed() {
    assert_eq!(tracked(4, 60.0 * 5.5 / 4.0, 60.0), Some(6));
    assert_eq!(tracked(4, 60.0 * 2.5 / 4.0, 60.0), Some(3));
}

#[test]
fn scale_in_is_armed_below_seven_tenths_of_a_groups_target_and_nine_of_a_services() {
    // Public listings of alarms: 40 -> 28, 50 -> 35, 60 -> 42 of groups; 50 -> 45, 75 -> 67.5, 30 -> 27 of services; 70 -> 63 in the guide.
    let groups = [(40.0, 28.0), (50.0, 35.0), (60.0, 42.0)].map(|pair| (0.7, pair));
    let services = [(50.0, 45.0), (75.0, 67.5), (30.0, 27.0), (70.0, 63.0)].map(|pair| (0.9, pair));
    for (share, (target, threshold)) in groups.into_iter().chain(services) {
        let after_twenty_minutes_at = |cpu: f64| {
            let mut policy = tracking(target);
            let PolicyKind::TargetTracking { scale_in_threshold, .. } = &mut policy.kind else { panic!() };
            *scale_in_threshold = share;
            let mut stage = Stage::new(&[policy], 100);
            stage.minutes(20, cpu);
            stage.desired
        };
        assert_eq!(after_twenty_minutes_at(threshold + 1e-6), 100, "{target}");
        assert!(after_twenty_minutes_at(threshold - 1e-6) < 100, "{target}");
    }
}

#[test]
fn the_smallest_step_out_is_one_task() {
    assert_eq!(tracked(1, 60.0 + 1e-9, 60.0), Some(2));
    assert_eq!(tracked(3, 0.0, 60.0), Some(1), "MinCapacity");
    assert_eq!(tracked(60, 90.0, 30.0), Some(100), "MaxCapacity");
}

#[test]
fn load_doubles_and_falls_again_with_a_target_of_40_percent() {
    // Minimum 2, desired 4, maximum 6, target 40 %: at 55 % tasks go to 6; when load falls, to 2; CPU returns to about 40 %.
    let mut stage = Stage::within(2, 6, &[tracking(40.0)], &[], 4);
    stage.load(10, 4.0 * 40.0);
    assert_eq!(stage.desired, 4);
    stage.load(10, 4.0 * 55.0);
    assert_eq!(stage.desired, 6);
    assert!((4.0 * 55.0 / 6.0 - 40.0f64).abs() < 4.0);
    stage.load(20, 2.0 * 40.0);
    assert_eq!(stage.desired, 2);
    stage.load(30, 2.0 * 40.0);
    assert_eq!(stage.desired, 2);
    let log = stage.log(LogKind::Scaling);
    assert_eq!(
        log,
        [
            "desired 4 -> 6 by cpu: CPUUtilization 55 % against target 40 %",
            "desired 6 -> 2 by cpu: CPUUtilization 13.3 % against target 40 %",
        ]
    );
}

#[test]
fn a_step_of_load_is_answered_240_seconds_later_and_270_from_the_middle_of_a_minute() {
    let at_minute_start = {
        let mut stage = Stage::new(&[tracking(50.0)], 4);
        stage.minutes(10, 40.0);
        let step = 600;
        stage.until_decision(80.0);
        stage.decided[0].0 - step
    };
    let at_half_minute = {
        let mut stage = Stage::new(&[tracking(50.0)], 4);
        stage.minutes(10, 40.0);
        let step = 630;
        // The partial minute's average does not breach.
        stage.minutes(1, 50.0);
        stage.until_decision(80.0);
        stage.decided[0].0 - step
    };
    let at_half_minute_with_a_breaching_average = {
        let mut stage = Stage::new(&[tracking(50.0)], 4);
        stage.minutes(10, 40.0);
        stage.minutes(1, 60.0);
        stage.until_decision(80.0);
        stage.decided[0].0 - 630
    };
    assert_eq!((at_minute_start, at_half_minute, at_half_minute_with_a_breaching_average), (240, 270, 210));
}

#[test]
fn scale_in_takes_15_minutes_and_the_delay() {
    let mut stage = Stage::new(&[tracking(50.0)], 4);
    stage.minutes(20, 50.0);
    assert_eq!(stage.until_decision(20.0), 16);
    assert_eq!(stage.desired, 2);
}

#[test]
fn during_the_scale_out_cooldown_only_more_than_was_added_is_added() {
    let mut stage = Stage::new(&[tracking(50.0)], 4);
    stage.minutes(4, 75.0);
    assert_eq!(stage.decided, [(240, 6)]);
    // New tasks do not help yet: the same 75 % of the four would be 9 of the six.
    stage.minutes(2, 75.0);
    assert_eq!(stage.desired, 6);
    // A larger one counts from the capacity before: ceil(4 x 100 / 50) = 8.
    stage.minutes(2, 100.0);
    assert_eq!(stage.decided[1..], [(8 * 60, 8)]);
    // Its cooldown begins anew and ends after five minutes; then eight are what is reckoned from.
    stage.minutes(4, 75.0);
    assert_eq!(stage.desired, 8);
    stage.minutes(1, 75.0);
    assert_eq!(stage.decided[2..], [(13 * 60, 12)]);
}

#[test]
fn without_a_cooldown_it_overshoots_and_with_a_long_one_it_stays_overloaded() {
    // 16 tasks' worth of load on four; a new task takes two minutes to help.
    let run = |cooldown| {
        let mut stage = Stage::new(&[Policy { scale_out_cooldown: minutes(cooldown), ..tracking(50.0) }], 4);
        let mut effective = [4; 3];
        let mut most = 0;
        let mut overloaded = 0;
        for _ in 0..60 {
            let cpu = (16.0 * 50.0 / f64::from(effective[0])).min(100.0);
            overloaded += u32::from(cpu > 75.0);
            stage.minutes(1, cpu);
            effective = [effective[1], effective[2], stage.desired];
            most = most.max(stage.desired);
        }
        (most, overloaded)
    };
    let (short, long) = (run(0), run(15));
    assert!(short.0 > 2 * 16, "{short:?}");
    assert!(long.0 <= 20 && long.1 > 2 * short.1, "{short:?} {long:?}");
}

#[test]
fn scale_in_waits_for_both_cooldowns_and_a_scale_out_does_not() {
    let long = Policy { scale_out_cooldown: minutes(30), scale_in_cooldown: minutes(10), ..tracking(50.0) };
    let mut stage = Stage::new(&[long], 4);
    stage.minutes(4, 75.0);
    // Low from minute 4 on, alarm at minute 20, cooldown of the scale-out until minute 34.
    let waited = stage.until_decision(25.0);
    assert_eq!((4 + waited, stage.desired), (34, 3));
    // The alarm stays; the cooldown of the scale-in ends at minute 44.
    assert_eq!((stage.until_decision(25.0), stage.desired), (10, 2));
    // Out at once although the scale-in cooldown lasts until minute 54, and the cooldown is cancelled by it.
    assert_eq!((stage.until_decision(100.0), stage.desired), (4, 4));
    assert_eq!(stage.scaling.targets[0].in_until, SimTime::ZERO);
}

#[test]
fn scale_in_can_be_disabled_and_is_suspended_during_a_deployment_while_scale_out_is_not() {
    let mut disabled = tracking(50.0);
    let PolicyKind::TargetTracking { disable_scale_in, .. } = &mut disabled.kind else { panic!() };
    *disable_scale_in = true;
    let mut stage = Stage::new(&[disabled], 4);
    stage.minutes(40, 10.0);
    assert_eq!(stage.decided, []);

    let mut stage = Stage::new(&[tracking(50.0)], 4);
    stage.scaling.deploying(WEB, true);
    stage.minutes(40, 10.0);
    assert_eq!(stage.decided, []);
    stage.scaling.deploying(WEB, false);
    stage.minutes(1, 10.0);
    assert_eq!(stage.desired, 1);
    stage.scaling.deploying(WEB, true);
    stage.minutes(6, 90.0);
    assert_eq!(stage.desired, 2);
}

#[test]
fn missing_data_scales_nothing() {
    let mut stage = Stage::new(&[tracking(50.0)], 4);
    stage.minutes(20, 50.0);
    (0..40).for_each(|_| stage.minute_of(None, None));
    assert_eq!(stage.decided, []);
    assert_eq!(stage.alarms.state(stage.scaling.policies[0].alarm), AlarmState::InsufficientData);
}

#[test]
fn of_several_policies_the_largest_wins_and_in_only_if_all_agree() {
    let by_requests = Policy { name: "requests".to_owned(), ..tracking_of(REQUESTS, Statistic::Sum, 1000.0) };
    let policies = [tracking(50.0), by_requests];
    let mut stage = Stage::new(&policies, 4);
    (0..4).for_each(|_| stage.minute_of(Some(60.0), Some(2000.0)));
    assert_eq!(stage.desired, 8, "5 for CPU, 8 for requests");
    // CPU is low, requests are at their target.
    (0..40).for_each(|_| stage.minute_of(Some(10.0), Some(1000.0)));
    assert_eq!(stage.desired, 8);
    // Both are low: the larger of 2 and 4.
    (0..16).for_each(|_| stage.minute_of(Some(10.0), Some(500.0)));
    assert_eq!(stage.desired, 4);
    // Without data one of them cannot agree.
    let mut stage = Stage::new(&policies, 4);
    stage.minutes(40, 10.0);
    assert_eq!(stage.decided, []);
}

#[test]
fn worked_example_of_step_scaling_in_percent() {
    // EC2 Auto Scaling user guide: capacity 10, threshold 50; 10 % more for [60, 70), 30 % more from 70; 10 % less for (30, 40],
    // 30 % less at 30 and below. 10 % of 10 = 1, 30 % of 11 = 3.3, 10 % of 14 = 1.4, 30 % of 13 = 3.9.
    let percent = AdjustmentType::PercentChangeInCapacity { at_least: 1 };
    let out = vec![step(0.0, 10.0, 0), step(10.0, 20.0, 10), step(20.0, f64::INFINITY, 30)];
    let inwards = vec![step(-10.0, 0.0, 0), step(-20.0, -10.0, -10), step(f64::NEG_INFINITY, -20.0, -30)];
    let out = steps(alarm(50.0, true), percent, out);
    let inwards = steps(alarm(50.0, false), percent, inwards);
    let no_cooldown = |kind| Policy { scale_out_cooldown: minutes(0), scale_in_cooldown: minutes(0), ..policy(kind) };
    let mut stage = Stage::new(&[no_cooldown(out), no_cooldown(inwards)], 10);
    let mut capacities = Vec::new();
    for metric in [60.0, 70.0, 50.0, 40.0, 30.0, 50.0] {
        stage.minutes(1, metric);
        capacities.push(stage.desired);
    }
    stage.minutes(1, 50.0);
    capacities.push(stage.desired);
    assert_eq!(capacities, [10, 11, 14, 14, 13, 10, 10], "each a minute late");
}

#[test]
fn percentages_are_rounded_as_the_guide_says_and_are_at_least_the_magnitude() {
    let by =
        |at_least, capacity, percent| AdjustmentType::PercentChangeInCapacity { at_least }.adjusted(capacity, percent);
    assert_eq!([by(1, 10, 27), by(1, 3, 10), by(1, 3, -10), by(1, 10, -27)], [12, 4, 2, 8]);
    assert_eq!([by(2, 4, 25), by(2, 4, -25), by(2, 100, 10), by(1, 7, 0), by(1, 1, -300)], [6, 2, 110, 7, 0]);
}

#[test]
fn an_exact_capacity_goes_up_or_down_to_it() {
    let exact = |adjustment| PolicyKind::Simple {
        alarm: alarm(70.0, true),
        adjustment_type: AdjustmentType::ExactCapacity,
        adjustment,
    };
    let mut stage = Stage::new(&[policy(exact(9))], 4);
    stage.minutes(2, 80.0);
    assert_eq!(stage.decided, [(120, 9)]);
    let mut stage = Stage::new(&[policy(exact(2))], 4);
    stage.minutes(9, 80.0);
    assert_eq!(stage.decided, [(120, 2)]);
}

#[test]
fn a_scheduled_action_changes_bounds_and_capacity_whatever_the_cooldown_and_comes_again() {
    let at = |minute: u64, min, max| ScheduledAction {
        name: "day".to_owned(),
        target: WEB,
        times: Times::Every {
            first: SimTime::from_secs(60 * minute),
            every: minutes(20),
            until: SimTime::from_secs(60 * 60),
        },
        min_capacity: min,
        max_capacity: max,
        desired: None,
    };
    let actions = [at(5, Some(6), None), at(15, Some(2), Some(3))];
    let mut stage = Stage::within(2, 4, &[tracking(50.0)], &actions, 4);
    stage.minutes(30, 47.0);
    // The first raises the maximum with the minimum; between the two the policy wants nothing.
    assert_eq!(stage.decided, [(300, 6), (900, 3), (1500, 6)]);
    assert_eq!((stage.scaling.targets[0].min, stage.scaling.targets[0].max), (6, 6));
    assert_eq!(stage.log(LogKind::Scaling)[..2], ["scheduled action day: 6 to 6", "desired 4 -> 6 by MinCapacity"]);
}

#[test]
fn bounds_of_steps_are_inclusive_towards_the_threshold() {
    let out = [step(0.0, 10.0, 1), step(10.0, 20.0, 2), step(20.0, f64::INFINITY, 3)];
    let inwards = [step(-10.0, 0.0, -1), step(f64::NEG_INFINITY, -10.0, -2)];
    let find = |steps: &[StepAdjustment], distance| steps.iter().find(|s| s.holds(distance)).map(|s| s.adjustment);
    let seen = [0.0, 9.9, 10.0, 20.0, 500.0, -1.0].map(|distance| find(&out, distance));
    assert_eq!(seen, [Some(1), Some(1), Some(2), Some(3), Some(3), None]);
    let seen = [0.0, -9.9, -10.0, -10.1, 1.0].map(|distance| find(&inwards, distance));
    assert_eq!(seen, [Some(-1), Some(-1), Some(-2), Some(-2), None]);
}

#[test]
fn step_scaling_counts_what_was_added_during_the_cooldown() {
    let adjustments = vec![step(0.0, 30.0, 1), step(30.0, 50.0, 2), step(50.0, f64::INFINITY, 3)];
    let kind = steps(alarm(40.0, true), ChangeInCapacity, adjustments);
    let mut stage = Stage::new(&[policy(kind)], 4);
    stage.minutes(2, 40.0);
    assert_eq!(stage.decided, [(120, 5)], "CPU 40 %: one more");
    stage.minutes(2, 90.0);
    assert_eq!(stage.decided[1..], [(240, 7)], "CPU 90 %: three more than the four, one of which is there");
    stage.minutes(3, 90.0);
    assert_eq!(stage.desired, 7);
    stage.minutes(3, 90.0);
    assert_eq!(stage.decided[2..], [(540, 10)]);
}

#[test]
fn simple_scaling_waits_for_its_cooldown() {
    let kind = PolicyKind::Simple { alarm: alarm(70.0, true), adjustment_type: ChangeInCapacity, adjustment: 2 };
    let mut stage = Stage::new(&[policy(kind)], 4);
    stage.minutes(12, 90.0);
    assert_eq!(stage.decided, [(120, 6), (420, 8), (720, 10)]);
}

#[test]
fn simple_scaling_of_a_group_waits_for_its_cooldown_from_the_last_instance_on() {
    let kind = PolicyKind::Simple { alarm: alarm(70.0, true), adjustment_type: ChangeInCapacity, adjustment: 2 };
    let mut stage = Stage::new(&[policy(kind)], 4);
    stage.minutes(2, 90.0);
    assert_eq!(stage.decided, [(120, 6)]);
    stage.scaling.activity(WEB, true, stage.bench.kernel.now());
    stage.minutes(7, 90.0);
    assert_eq!(stage.decided.len(), 1, "its instances are not there");
    stage.scaling.activity(WEB, false, stage.bench.kernel.now());
    stage.minutes(6, 90.0);
    assert_eq!(stage.decided[1..], [(540 + 300, 8)], "five minutes after the last was there");
}

#[test]
fn nothing_is_scaled_in_while_instances_of_a_group_warm_up() {
    let mut stage = Stage::new(&[tracking(50.0)], 4);
    stage.minutes(14, 10.0);
    stage.scaling.activity(WEB, true, stage.bench.kernel.now());
    stage.minutes(4, 10.0);
    assert_eq!(stage.decided, [], "one is being launched");
    stage.scaling.activity(WEB, false, stage.bench.kernel.now());
    stage.scaling.in_service(WEB, stage.bench.kernel.now());
    stage.minutes(6, 10.0);
    assert_eq!(stage.decided, [(1080 + 300, 1)], "five minutes after it came into service");
}

#[test]
fn backlog_per_instance_of_the_guide() {
    // ASG guide, as-scaling-using-sqs-queue: 1,500 messages, ten instances, 10 s acceptable, 0.1 s each: 100 an instance.
    assert_eq!(tracked(10, 1500.0 / 10.0, 10.0 / 0.1), Some(15));
}

#[test]
fn a_service_outside_its_bounds_is_brought_inside_at_the_start() {
    let decided = |desired| Stage::within(3, 5, &[tracking(50.0)], &[], desired).decided;
    assert_eq!(decided(1), [(0, 3)]);
    assert_eq!(decided(9), [(0, 5)]);
    assert_eq!(decided(4), []);
}

#[test]
fn what_the_log_says() {
    let mut stage = Stage::within(1, 5, &[tracking(40.0)], &[], 4);
    stage.minutes(4, 30.0);
    stage.minutes(20, 55.2);
    stage.minutes(2, 40.0);
    let mut log = stage.log(LogKind::Alarm);
    assert_eq!(log.remove(0), "AlarmHigh of cpu: OK -> ALARM (CPUUtilization > 40 % in 3 of 3 minutes; latest 55.2 %)");
    assert_eq!(log, ["AlarmHigh of cpu: ALARM -> OK (CPUUtilization > 40 % in 3 of 3 minutes; latest 40 %)"]);
    let mut stage = Stage::within(1, 5, &[tracking(40.0)], &[], 4);
    stage.minutes(20, 55.2);
    assert_eq!(
        stage.log(LogKind::Scaling),
        [
            "desired 4 -> 5 by cpu: CPUUtilization 55.2 % against target 40 %",
            "6 wanted, MaxCapacity is 5: CPUUtilization 55.2 % against target 40 %",
        ]
    );
}

#[test]
fn quantities_read_well() {
    let written = [quantity(55.23, "%"), quantity(40.0, "%"), quantity(0.1234, "s"), quantity(1500.4, "count")];
    assert_eq!(written, ["55.2 %", "40 %", "0.123 s", "1500"]);
}

#[test]
fn a_forecast_is_the_least_from_its_buffer_before_the_hour_on_and_removes_nothing() {
    let hour = |hour: u64, capacity| (SimTime::from_secs(3600 * hour), capacity);
    let forecast = Forecast {
        name: "days".to_owned(),
        target: WEB,
        hours: vec![hour(0, 2), hour(1, 12), hour(2, 3)],
        scales: true,
        buffer: minutes(5),
        raises_max_by: None,
    };
    let run = |forecast: Forecast, policies: &[Policy]| {
        let mut stage = Stage::within(1, 10, policies, &[], 4);
        stage.scaling.forecasts.push(forecast);
        stage.scaling.start(&mut stage.bench.cx());
        stage.minutes(150, 10.0);
        stage.decided
    };
    // Five minutes before the hour, no more than the maximum; nothing is removed after it but by a policy.
    assert_eq!(run(forecast.clone(), &[]), [(55 * 60, 10)]);
    let follows = run(forecast.clone(), &[tracking(50.0)]);
    assert_eq!(follows[..3], [(16 * 60, 2), (55 * 60, 10), (120 * 60, 3)], "down to the forecast of the hour");
    let raises = Forecast { raises_max_by: Some(10), ..forecast.clone() };
    assert_eq!(run(raises, &[]), [(55 * 60, 12)]);
    assert_eq!(run(Forecast { scales: false, ..forecast.clone() }, &[]), []);
    assert_eq!((forecast.most(12, 10), Forecast { raises_max_by: Some(10), ..forecast }.most(12, 10)), (10, 14));
}

/// Aurora guide, Aurora.Integrating.AutoScaling: a cooldown begins when the activity is complete, and a cluster is scaled only while all of
/// its instances are available.
#[test]
fn readers_wait_until_all_are_available_and_cooldowns_begin_then() {
    let readers = Scalable::Readers(AuroraId(0));
    let mut policy = tracking(50.0);
    policy.target = readers;
    let mut bench = Bench::new();
    let cpu = bench.shared.metrics.register(CPU.to_owned(), "%");
    let target = Target {
        id: readers,
        name: "aurora.orders readers".to_owned(),
        desired: 1,
        min_capacity: 1,
        max_capacity: 15,
        steps: ANY_STEP,
    };
    let settings = Settings { targets: vec![target], policies: vec![policy], ..Settings::default() };
    let mut alarms = Alarms::new(&[], &[], &run(), &mut bench.cx());
    let mut scaling = AutoScaling::new(&settings, &mut alarms, &mut bench.cx());
    let mut decided = Vec::new();
    for minute in 0..30 {
        let start = bench.kernel.now();
        bench.run_until(start + PERIOD, |event, _| panic!("{event:?}"), |message, _| panic!("{message:?}"));
        // A reader that is asked for takes seven minutes, and the load doubles while it is being created.
        let load = if minute < 6 { 90.0 } else { 180.0 };
        bench.shared.metrics.publish(cpu, start, load);
        alarms.evaluate(false, &mut bench.cx());
        scaling.act(&alarms, &mut bench.cx());
        let now = bench.kernel.now();
        while let Some(message) = bench.shared.message() {
            let Message::Control(Control::SetDesiredCount(_, desired)) = message else { panic!("{message:?}") };
            decided.push((minute, desired));
            scaling.activity(readers, true, now);
        }
        if decided.last().is_some_and(|(at, _)| minute == at + 7) {
            scaling.activity(readers, false, now);
        }
    }
    // 90 % against 50 %: two, which takes until minute 10. In the cooldown of five minutes that begins then a larger addition is made as
    // soon as it can be, reckoned from the capacity before: ceil(1 x 180 / 50) = 4. That takes until minute 18, its cooldown until
    // 23: then ceil(4 x 3.6) = 15.
    assert_eq!(decided, [(3, 2), (11, 4), (23, 15)]);
}
