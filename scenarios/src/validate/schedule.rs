//! When scheduled actions are done: instants of the run, or of the calendar as cron, rate and at expressions say it.
//!
//! The calendar ends here: what runs are instants. Time zones are those of the IANA database that is built in, so that results do
//! not depend on the machine's.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Direction};
use models::architecture::Run;
use models::autoscaling::Times;
use models::ids::Scalable;
use sim_core::{SimDuration, SimTime};

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::scaling::ScheduledAction;
use crate::tree::Span;

/// Most times that a cron expression may come within a run.
const MAX_TIMES: usize = 100_000;
/// The largest values of the fields of a cron expression: minutes, hours, day of month, month, day of week, year.
const LARGEST: [u16; 6] = [59, 23, 31, 12, 7, 2199];
/// How instants are written.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S";

/// What of the calendar an action may happen in.
struct Window {
    zone: Tz,
    /// The start of the run.
    zero: DateTime<Utc>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Window {
    /// An instant of the calendar in the run.
    fn instant(&self, at: DateTime<Utc>) -> SimTime {
        let nanos = (at - self.zero).num_nanoseconds().unwrap_or(i64::MAX);
        SimTime::from_nanos(nanos.max(0).unsigned_abs())
    }
}

impl Check<'_> {
    /// When a scheduled action is done.
    pub(super) fn times(&mut self, action: &ScheduledAction, target: Scalable, run: &Run) -> Times {
        self.one_way_to_say_when(action);
        if let Some(at) = &action.at {
            let first = self.instant(at, run, "scheduled action");
            return match &action.every {
                None => Times::Listed(vec![first]),
                Some(every) => {
                    Times::Every { first, every: self.time(every, "every", 60.0, 1e9, ""), until: run.horizon() }
                }
            };
        }
        let Some(window) = self.window(action, run) else { return Times::Listed(Vec::new()) };
        if let Some(recurrence) = &action.recurrence {
            if !matches!(target, Scalable::Ec2(_)) {
                let error = Diagnostic::error(
                    recurrence.span,
                    "only EC2 Auto Scaling groups have a `recurrence`",
                    "give a `schedule`",
                );
                self.note(error.help("write schedule = \"cron(0 8 ? * MON-FRI *)\""));
            }
            return self.cron(recurrence.span, recurrence, &unix(), &window, run);
        }
        let Some(schedule) = &action.schedule else { return Times::Listed(Vec::new()) };
        self.calendar_schedule(schedule, &window, run)
    }

    /// Exactly one of `at`, `schedule` and `recurrence`, and what belongs to it.
    fn one_way_to_say_when(&mut self, action: &ScheduledAction) {
        let given = [
            ("at", action.at.as_ref().map(|it| it.span)),
            ("schedule", action.schedule.as_ref().map(|it| it.span)),
            ("recurrence", action.recurrence.as_ref().map(|it| it.span)),
        ];
        let given: Vec<(&str, Span)> = given.into_iter().filter_map(|(key, span)| Some((key, span?))).collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                self.error(action.span, "when is this action done?", "give `at = \"8h\"` or `schedule = \"cron(...)\"`")
            }
            [(first, _), (second, span), ..] => {
                self.error(*span, format!("either `{first}` or `{second}`, not both"), "one too many");
            }
        }
        if let (Some(every), None) = (&action.every, &action.at) {
            self.error(every.span, "`every` belongs to `at`", "write schedule = \"rate(...)\"");
        }
        let of_calendar = [
            ("timezone", action.timezone.as_ref().map(|it| it.span)),
            ("start_time", action.start_time.as_ref().map(|it| it.span)),
            ("end_time", action.end_time.as_ref().map(|it| it.span)),
        ];
        for (key, span) in of_calendar {
            if let (Some(span), Some(_)) = (span, &action.at) {
                self.error(span, format!("`{key}` belongs to `schedule`"), "`at` is a time of the run");
            }
        }
    }

    /// The calendar of an action.
    fn window(&mut self, action: &ScheduledAction, run: &Run) -> Option<Window> {
        let doc = self.doc;
        let zone = match &action.timezone {
            None => Tz::UTC,
            Some(name) => self.time_zone(name)?,
        };
        let zero = self.calendar(&doc.run.starts_at)?;
        let end = i64::try_from(run.duration.as_nanos()).map_or(TimeDelta::MAX, TimeDelta::nanoseconds);
        let end = zero.checked_add_signed(end).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut given =
            |it: &Option<Sp<String>>, otherwise| it.as_ref().map_or(Some(otherwise), |it| self.calendar(it));
        let (from, until) = (given(&action.start_time, zero)?, given(&action.end_time, end)?);
        if let (Some(span), true) = (action.end_time.as_ref().map(|it| it.span), until < from) {
            self.error(span, "this action ends before it starts", "after `start_time` and the start of the run");
        }
        Some(Window { zone, zero, from: from.max(zero), until: until.min(end) })
    }

    fn time_zone(&mut self, name: &Sp<String>) -> Option<Tz> {
        let zone = name.parse().ok();
        if zone.is_none() {
            let names: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
            let title = format!("no time zone is called `{}`", name.value);
            self.error(name.span, title, crate::nearest::advice(name, names.iter().copied()));
        }
        zone
    }

    /// An instant as it is written: "2026-01-05T08:00:00Z".
    pub(super) fn calendar(&mut self, text: &Sp<String>) -> Option<DateTime<Utc>> {
        let read = DateTime::parse_from_rfc3339(text).map(|it| it.to_utc()).ok();
        let read = read.or_else(|| NaiveDateTime::parse_from_str(text, INSTANT).ok().map(|it| it.and_utc()));
        if read.is_none() {
            self.error(text.span, "this is no instant", "such as \"2026-01-05T08:00:00Z\"");
        }
        read
    }

    /// `cron(...)`, `rate(...)` or `at(...)`.
    fn calendar_schedule(&mut self, schedule: &Sp<String>, window: &Window, run: &Run) -> Times {
        let parts = schedule.trim().strip_suffix(')').and_then(|text| text.split_once('('));
        match parts {
            Some(("cron", fields)) => self.aws_cron(schedule.span, fields, window, run),
            Some(("rate", rate)) => self.at_a_rate(schedule.span, rate, window),
            Some(("at", instant)) => self.once(schedule.span, instant, window),
            _ => {
                let title = "this schedule cannot be read";
                let error = Diagnostic::error(schedule.span, title, "cron(...), rate(...) or at(...)");
                self.note(
                    error.help("such as \"cron(0 8 ? * MON-FRI *)\", \"rate(12 hours)\", \"at(2026-01-05T08:00:00)\""),
                );
                Times::Listed(Vec::new())
            }
        }
    }

    /// Six fields, of which one of day of month and day of week is `?` (AAS guide, scheduled scaling using cron expressions).
    fn aws_cron(&mut self, span: Span, fields: &str, window: &Window, run: &Run) -> Times {
        let split: Vec<&str> = fields.split_whitespace().collect();
        if split.len() != 6 {
            let label = "minutes, hours, day of month, month, day of week, year";
            self.error(span, "a cron expression has six fields", label);
            return Times::Listed(Vec::new());
        }
        if [split[2], split[4]].iter().filter(|day| **day == "?").count() != 1 {
            let title = "one of day of month and day of week is `?`, and not both";
            self.error(span, title, "such as cron(0 8 ? * MON-FRI *) or cron(0 8 1 * ? *)");
            return Times::Listed(Vec::new());
        }
        let six =
            CronParser::builder().seconds(Seconds::Required).year(Year::Required).alternative_weekdays(true).build();
        let fields: Vec<String> =
            split.iter().zip(LARGEST).map(|(field, largest)| with_range(field, largest)).collect();
        self.cron(span, &format!("0 {}", fields.join(" ")), &six, window, run)
    }

    fn cron(&mut self, span: Span, fields: &str, parser: &CronParser, window: &Window, run: &Run) -> Times {
        let cron = match parser.parse(fields) {
            Ok(cron) => cron,
            Err(wrong) => {
                self.error(span, "this cron expression cannot be read", wrong.to_string());
                return Times::Listed(Vec::new());
            }
        };
        let times = listed(&cron, window);
        if times.is_empty() {
            self.error(
                span,
                "this schedule never comes within the run",
                "see `run.starts_at`, `start_time` and `end_time`",
            );
        }
        if times.len() >= MAX_TIMES && run.duration != SimDuration::MAX {
            self.error(span, "this schedule comes too often", format!("at most {MAX_TIMES} times in a run"));
        }
        Times::Listed(times)
    }

    /// `rate(value unit)`.
    fn at_a_rate(&mut self, span: Span, rate: &str, window: &Window) -> Times {
        let read = rate.split_once(' ').and_then(|(value, unit)| {
            let value: u64 = value.trim().parse().ok().filter(|value| (1..=1_000_000).contains(value))?;
            let seconds = match unit.trim() {
                "minute" | "minutes" => 60,
                "hour" | "hours" => 3600,
                "day" | "days" => 86_400,
                _ => return None,
            };
            Some(SimDuration::from_secs(value * seconds))
        });
        let Some(every) = read else {
            self.error(span, "this rate cannot be read", "such as rate(5 minutes), rate(12 hours) or rate(1 day)");
            return Times::Listed(Vec::new());
        };
        // Without a start time the action was made as the run began.
        let first = if window.from == window.zero { SimTime::ZERO + every } else { window.instant(window.from) };
        Times::Every { first, every, until: window.instant(window.until) }
    }

    /// `at(2026-01-05T08:00:00)`, in the action's time zone.
    fn once(&mut self, span: Span, instant: &str, window: &Window) -> Times {
        let local = NaiveDateTime::parse_from_str(instant.trim(), INSTANT).ok();
        let at = local.and_then(|local| window.zone.from_local_datetime(&local).earliest());
        let Some(at) = at.map(|at| at.to_utc()) else {
            self.error(span, "this is no instant", "such as at(2026-01-05T08:00:00)");
            return Times::Listed(Vec::new());
        };
        if at < window.from || at >= window.until {
            let label = format!("it starts at {}", window.zero.format("%Y-%m-%dT%H:%M:%SZ"));
            self.error(span, "this instant is not within the run", label);
        }
        Times::Listed(vec![window.instant(at)])
    }
}

/// AWS's `0/15`, from a value on in steps, is a range to the largest there is.
fn with_range(field: &str, largest: u16) -> String {
    let steps = |part: &str| match part.split_once('/') {
        Some((from, step)) if from.bytes().all(|byte| byte.is_ascii_digit()) => format!("{from}-{largest}/{step}"),
        _ => part.to_owned(),
    };
    field.split(',').map(steps).collect::<Vec<_>>().join(",")
}

/// Five fields; a day fits if its day of month or its day of week does, where both are given.
fn unix() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

/// The instants at which a cron expression comes, in a window and its zone.
fn listed(cron: &Cron, window: &Window) -> Vec<SimTime> {
    let from = window.from.with_timezone(&window.zone);
    let until = window.until.with_timezone(&window.zone);
    let times = cron.iter_from(from, Direction::Forward).take_while(|time| *time < until).take(MAX_TIMES);
    times.map(|time| window.instant(time.to_utc())).collect()
}
