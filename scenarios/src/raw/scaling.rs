//! How the number of tasks or instances follows the load: scaling policies and scheduled actions.

use crate::decode::{Sp, choice, table};
use crate::raw::cloudwatch::{Comparison, MetricQuery, MissingData, StatisticName};
use crate::units::{Rate, Share, Time};

table! {
    /// A scaling policy with its alarm.
    Scaling as "a scaling policy" {
        /// Its name.
        optional("its kind and metric", "no name") policy_name: Sp<String>,
        /// How it decides.
        default("TargetTrackingScaling", "AAS guide: the recommended one") policy_type: Sp<PolicyType>,
        /// Fewest tasks.
        required min_capacity: Sp<u32>,
        /// Most tasks.
        required max_capacity: Sp<u32>,
        /// Target tracking: what is tracked.
        optional("ECSServiceAverageCPUUtilization", "assumption: the usual one") predefined_metric_type: Sp<PredefinedMetric>,
        /// Step and simple scaling, and target tracking of a customized metric: the CloudWatch metric, by its name.
        optional("CPUUtilization", "assumption: the usual one") metric_name: Sp<String>,
        /// Metric math in place of a metric: what is looked at is reckoned from several, such as a backlog divided by the tasks
        /// there are. The result is the last entry, or the one with `return_data = true`.
        optional("one metric", "API:application-autoscaling (CustomizedMetricSpecification, Metrics)") metrics: Sp<Vec<MetricQuery>>,
        /// The metric's namespace.
        optional("any that has a metric of that name and dimension", "assumption: names are unique in one architecture")
        namespace: Sp<String>,
        /// Whose metric, where it is not the service's own or its load balancer's: "dynamodb.cart", "alb.front".
        optional("the service, its target groups, their load balancers, in this order", "assumption") dimension: Sp<String>,
        /// What is made of the values of a period, such as "Average", "Sum", "Maximum" or "p90".
        optional("Sum of what is counted, Average of all else", "assumption") statistic: Sp<StatisticName>,
        /// Length of the periods the alarms look at.
        optional("60s; 20s with a ...HighResolution metric", "AAS guide, target tracking: one-minute points") period: Sp<Time>,
        /// Step and simple scaling: the [alarm] whose action the policy is, instead of one of its own.
        optional("an alarm of its own", "assumption: short to write") alarm: Sp<String>,
        /// Target tracking: the value to be held; percent of CPU, or requests a minute and target.
        optional("needed with TargetTrackingScaling", "API:application-autoscaling (TargetValue is required)") target_value: Sp<f64>,
        /// Target tracking: whether it never removes tasks.
        default(false, "API:application-autoscaling (DisableScaleIn)") disable_scale_in: Sp<bool>,
        /// Target tracking: consecutive periods above the target before it adds tasks.
        default(3, "AAS guide, target tracking: 3 of 3 one-minute points") scale_out_datapoints: Sp<u32>,
        /// Target tracking: consecutive periods below the lower threshold before it removes tasks.
        optional("as many as make 15 minutes", "AAS guide, target tracking: 15 of 15 one-minute points; shorter periods: assumption")
        scale_in_datapoints: Sp<u32>,
        /// Target tracking: the lower threshold in percent of the target.
        optional("90%; 70% for an EC2 Auto Scaling group", "Lambda guide, provisioned-concurrency; measured for ECS services and groups")
        scale_in_threshold: Sp<Share>,
        /// Time after adding tasks during which only a larger addition is made. For an EC2 Auto Scaling group: how long new instances
        /// warm up.
        optional("300s; default_instance_warmup of an EC2 Auto Scaling group that has one", "API:application-autoscaling (ScaleOutCooldown), ECS services; ASG guide, default instance warmup")
        scale_out_cooldown: Sp<Time>,
        /// Time after a change during which no task is removed.
        default("300s", "API:application-autoscaling (ScaleInCooldown), ECS services") scale_in_cooldown: Sp<Time>,
        /// Step and simple scaling: the same for both directions.
        optional("300s", "API:application-autoscaling (StepScalingPolicyConfiguration)") cooldown: Sp<Time>,
        /// Step and simple scaling: the alarm's threshold, in the metric's unit (percent, requests, seconds).
        optional("needed with StepScaling and SimpleScaling", "API:cloudwatch (Threshold)") threshold: Sp<f64>,
        /// Step and simple scaling: on which side of the threshold the alarm is.
        default("GreaterThanOrEqualToThreshold", "assumption: scaling out") comparison_operator: Sp<Comparison>,
        /// Step and simple scaling: the last so many periods are looked at.
        default(1, "assumption: PutMetricAlarm requires it") evaluation_periods: Sp<u32>,
        /// Step and simple scaling: so many of them must breach.
        optional("evaluation_periods", "API:cloudwatch (DatapointsToAlarm)") datapoints_to_alarm: Sp<u32>,
        /// Step and simple scaling: what a missing datapoint counts for.
        default("missing", "CloudWatch AlarmThatSendsEmail") treat_missing_data: Sp<MissingData>,
        /// Step scaling: how many tasks by how far the metric is past the threshold.
        optional("needed with StepScaling", "API:application-autoscaling (StepAdjustments)") step_adjustments: Sp<Vec<StepAdjustment>>,
        /// Simple scaling: change in tasks, or as adjustment_type says.
        optional("needed with SimpleScaling", "API:autoscaling (ScalingAdjustment)") scaling_adjustment: Sp<i32>,
        /// Step and simple scaling: what the adjustments are.
        default("ChangeInCapacity", "assumption: PutScalingPolicy requires it") adjustment_type: Sp<AdjustmentType>,
        /// Predictive scaling: whether the forecast scales or is only told.
        default("ForecastOnly", "API:autoscaling (PredictiveScalingConfiguration, Mode)") mode: Sp<PredictiveMode>,
        /// Predictive scaling: what one task or instance takes when it is at its target, in operations of the traffic the forecast is of.
        optional("needed with PredictiveScaling", "assumption: AWS learns it from the history of the load and the scaling metric") load_per_capacity: Sp<Rate>,
        /// Predictive scaling: sources of traffic whose rate is the load, each with its mean of every hour.
        optional("all sources with a rate", "assumption: the days before were like this one") forecast_from: Sp<Vec<Sp<String>>>,
        /// Predictive scaling: by which factor the forecast errs; 0.8 is a day a quarter busier than forecast.
        default(1.0, "assumption: the forecast is right") forecast_factor: Sp<f64>,
        /// Predictive scaling: how long before its hour a forecast is in force.
        default("5m", "API:autoscaling (SchedulingBufferTime)") scheduling_buffer_time: Sp<Time>,
        /// Predictive scaling: what a forecast beyond max_capacity does.
        default("HonorMaxCapacity", "API:autoscaling (MaxCapacityBreachBehavior)") max_capacity_breach_behavior: Sp<MaxCapacityBreach>,
        /// Predictive scaling with IncreaseMaxCapacity: by how many percent of the forecast the maximum is above it.
        optional(0, "API:autoscaling (MaxCapacityBuffer)") max_capacity_buffer: Sp<u32>,
        /// PercentChangeInCapacity: tasks are added or removed by at least so many.
        optional(1, "API:application-autoscaling (MinAdjustmentMagnitude)") min_adjustment_magnitude: Sp<u32>,
    }
    not ["scheduled_actions", "customized_metric_specification", "metric_aggregation_type",
         "estimated_instance_warmup"]
}

table! {
    /// Other bounds of scaling, or another capacity, from some instant on.
    ScheduledAction as "a scheduled action" {
        /// Its name.
        required name: Sp<String>,
        /// When, since the start of the run.
        optional("`schedule` or `recurrence` says when", "exactly one of at, schedule, recurrence") at: Sp<Time>,
        /// With `at`: how often again, such as "24h" for every day.
        optional("once", "AAS guide, scheduled scaling: at(...)") every: Sp<Time>,
        /// When, by the calendar (`run.starts_at`): "cron(0 8 ? * MON-FRI *)" (minutes, hours, day of month, month, day of week, year),
        /// "rate(12 hours)", or once: "at(2026-01-05T08:00:00)".
        optional("`at` or `recurrence` says when", "API:application-autoscaling (PutScheduledAction, Schedule)") schedule: Sp<String>,
        /// An EC2 Auto Scaling group's own way to say when: Unix cron, "0 8 * * 1-5" (minute, hour, day of month, month, day of week).
        optional("`at` or `schedule` says when", "API:autoscaling (PutScheduledUpdateGroupAction, Recurrence)") recurrence: Sp<String>,
        /// The time zone of `schedule` and `recurrence`, such as "Europe/Berlin".
        optional("UTC", "API:application-autoscaling (Timezone)") timezone: Sp<String>,
        /// By the calendar: not before this instant, such as "2026-01-05T00:00:00Z". What comes at a rate comes then for the first time.
        optional("the start of the run", "API:application-autoscaling (StartTime)") start_time: Sp<String>,
        /// By the calendar: not after this instant.
        optional("the end of the run", "API:application-autoscaling (EndTime)") end_time: Sp<String>,
        /// Fewest tasks from then on. Where there are fewer, they are added at once.
        optional("as before", "API:application-autoscaling (ScalableTargetAction)") min_capacity: Sp<u32>,
        /// Most tasks from then on. Where there are more, they are removed at once.
        optional("as before", "API:application-autoscaling (ScalableTargetAction)") max_capacity: Sp<u32>,
        /// EC2 Auto Scaling groups: how many instances there are from then on, within the bounds.
        optional("as before", "API:autoscaling (DesiredCapacity)") desired_capacity: Sp<u32>,
    }
    not []
}

choice! {
    /// How a scaling policy decides.
    PolicyType {
        /// Keep a metric at a value.
        TargetTracking = "TargetTrackingScaling",
        /// By how far the metric is past the threshold.
        Step = "StepScaling",
        /// One adjustment, then wait for the cooldown.
        Simple = "SimpleScaling",
        /// As forecast for each hour, ahead of it.
        Predictive = "PredictiveScaling",
    } not []
}

choice! {
    /// What becomes of a forecast.
    PredictiveMode {
        /// It is told in the event log.
        ForecastOnly = "ForecastOnly",
        /// It is the least capacity of its hour.
        ForecastAndScale = "ForecastAndScale",
    } not []
}

choice! {
    /// What a forecast beyond the maximum does.
    MaxCapacityBreach {
        /// The maximum stays.
        Honor = "HonorMaxCapacity",
        /// The maximum is raised to the forecast and max_capacity_buffer more.
        Increase = "IncreaseMaxCapacity",
    } not []
}

choice! {
    /// A metric that a program publishes itself.
    CustomMetric {
        /// Requests that wait for a worker, on all tasks together.
        BacklogSize = "BacklogSize",
    } not []
}

choice! {
    /// What is tracked.
    PredefinedMetric {
        /// Average CPU of the service, percent.
        Cpu = "ECSServiceAverageCPUUtilization",
        /// Requests a minute and target.
        RequestCountPerTarget = "ALBRequestCountPerTarget",
        /// Average memory of the service, percent.
        Memory = "ECSServiceAverageMemoryUtilization",
        /// Average CPU of an EC2 Auto Scaling group, percent.
        GroupCpu = "ASGAverageCPUUtilization",
        /// Average CPU of the service in periods of 20 s, percent.
        CpuHighResolution = "ECSServiceAverageCPUUtilizationHighResolution",
    } not ["ECSServiceAverageMemoryUtilizationHighResolution"]
}

choice! {
    /// What adjustments are.
    AdjustmentType {
        /// So many tasks more or less.
        Change = "ChangeInCapacity",
        /// So many tasks.
        Exact = "ExactCapacity",
        /// So many percent of the tasks more or less.
        PercentChange = "PercentChangeInCapacity",
    } not []
}

table! {
    /// One step of a step-scaling policy.
    StepAdjustment as "a step adjustment" {
        /// Lower bound, relative to the threshold.
        optional("open", "API:application-autoscaling (StepAdjustment)") metric_interval_lower_bound: Sp<f64>,
        /// Upper bound, relative to the threshold.
        optional("open", "API:application-autoscaling (StepAdjustment)") metric_interval_upper_bound: Sp<f64>,
        /// Change in tasks, or as adjustment_type says.
        required scaling_adjustment: Sp<i32>,
    }
}
