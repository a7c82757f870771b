//! CloudWatch: metrics as they are published, with the resolution and delay they have, and alarms on them.
//!
//! A metric is a sequence of datapoints, each a set of statistics stamped with the start of its period. Services publish at the
//! end of each period, a minute unless they have high resolution; who reads them sees them only a publication delay later
//! (`metric_delay` of the run, `high_resolution_metric_delay` for shorter periods; AWS documents none, assumption A12: 60 s and
//! 10 s). Nothing in here looks into a service.
//!
//! Alarms on periods of a minute and more are evaluated each minute over a sliding window, on shorter ones every 10 s.
//!
//! Metrics may be reckoned from others (`math`): they are so whenever they are read.
//!
//! Not modelled: anomaly detection, percentiles of anything but response times.

mod alarms;
mod condition;
mod math;
mod metrics;

pub use alarms::{Alarm, AlarmKind, Alarms, MetricAlarm, Origin, Rule};
pub use condition::{AlarmState, Comparison, Condition, MissingData};
pub use math::{Expression, Math, MathMetric, Operator};
pub use metrics::{Datapoint, Kind, Metrics, Statistic, StatisticSet};

pub(crate) use alarms::quantity;

use sim_core::SimDuration;

/// Standard resolution: one datapoint a minute.
pub const PERIOD: SimDuration = SimDuration::from_secs(60);
/// Resolution of ECS services that publish more often (API:ecs, MonitoringConfiguration).
pub const FINE_PERIOD: SimDuration = SimDuration::from_secs(20);
/// How often alarms on periods of less than a minute are evaluated.
pub const FINE_CADENCE: SimDuration = SimDuration::from_secs(10);

/// What happens inside CloudWatch.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A period ends: every service publishes.
    PeriodEnds,
    /// A period of [`FINE_PERIOD`] ends: services of that resolution publish.
    FinePeriodEnds,
    /// The datapoints of a period can be read: alarms on metrics of standard resolution are evaluated.
    Evaluate,
    /// Alarms on metrics of high resolution are evaluated.
    EvaluateFine,
}
