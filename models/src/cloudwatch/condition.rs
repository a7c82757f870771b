//! When an alarm goes off: M of N datapoints past a threshold, and what missing ones count for.

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

    /// The guide's tables row by row: 3 periods, evaluation range 5, newest datapoint right; 0 ok, X breaching, - missing. The
    /// columns are missing, ignore, breaching and notBreaching.
    macro_rules! rows {
        ($($name:ident: $least:literal of 3, $drawn:literal => $missing:literal $ignore:literal $breaching:literal $not:literal;)*) => {
            $(#[test] fn $name() { check_row($least, $drawn, [$missing, $ignore, $breaching, $not]); })*
        };
    }
    rows! {
        guide_3_of_3_ok_gap_breach_gap_breach: 3 of 3, "0 - X - X" => "OK" "OK" "OK" "OK";
        guide_3_of_3_a_lone_old_ok: 3 of 3, "0 - - - -" => "OK" "OK" "OK" "OK";
        guide_3_of_3_nothing_at_all: 3 of 3, "- - - - -" => "INSUFFICIENT_DATA" "keep" "ALARM" "OK";
        guide_3_of_3_three_real_breaches: 3 of 3, "0 X X - X" => "ALARM" "ALARM" "ALARM" "ALARM";
        guide_3_of_3_premature_alarm: 3 of 3, "- - X - -" => "ALARM" "keep" "ALARM" "OK";
        guide_2_of_3_ok_gap_breach_gap_breach: 2 of 3, "0 - X - X" => "ALARM" "ALARM" "ALARM" "ALARM";
        guide_2_of_3_no_gap: 2 of 3, "0 0 X 0 X" => "ALARM" "ALARM" "ALARM" "ALARM";
        guide_2_of_3_ok_and_one_breach: 2 of 3, "0 - X - -" => "OK" "OK" "ALARM" "OK";
        guide_2_of_3_a_lone_new_ok: 2 of 3, "- - - - 0" => "OK" "OK" "ALARM" "OK";
        guide_2_of_3_premature_alarm: 2 of 3, "- - - X -" => "ALARM" "keep" "ALARM" "OK";
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
}
