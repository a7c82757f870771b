//! Availability by time and by the five-minute formula, error budgets and burn rates, from operations by minute.

use sim_core::observations::{Minute, Observations, RouteObservations};
use sim_core::{SimDuration, SimTime};

use crate::model::ledger::{ErrorBudget, Uptime};

/// Minutes of the intervals of AWS's service level agreements ("the average of Error Rates from each 5-minute interval": Amazon S3
/// Service Level Agreement, and alike DynamoDB's; an interval without requests has the error rate 0).
const INTERVAL: usize = 5;
/// Intervals of a month of 30 days.
const INTERVALS_OF_MONTH: f64 = 8640.0;
/// Burn rates that are worth a page, with their long and short windows in minutes (Google, The Site Reliability Workbook, chapter 5,
/// "Multiwindow, Multi-Burn-Rate Alerts"): 2 % of a 30-day budget in an hour, 5 % in six.
const FAST: Alert = Alert { above: 14.4, long: 60, short: 5 };
const SLOW: Alert = Alert { above: 6.0, long: 360, short: 30 };

struct Alert {
    above: f64,
    long: usize,
    short: usize,
}

/// Operations by minute of some routes together, of the measured time.
pub(super) struct Minutes {
    /// From the minute in which the warm-up ended.
    counts: Vec<(f64, f64)>,
    /// Its number.
    first: usize,
    known: bool,
}

impl Minutes {
    pub(super) fn of(all: &Observations, routes: &[&RouteObservations]) -> Self {
        let minute = |at: SimTime| (at.as_nanos() / SimDuration::from_secs(60).as_nanos()) as usize;
        let first = minute(all.warm_up);
        let last = minute(SimTime::from_nanos(all.horizon.as_nanos().saturating_sub(1))).max(first);
        let mut counts = vec![(0.0, 0.0); last + 1 - first];
        for route in routes {
            for (count, Minute { ended, failed }) in counts.iter_mut().zip(route.minutes.iter().skip(first)) {
                count.0 += f64::from(*ended);
                count.1 += f64::from(*failed);
            }
        }
        // Batches have no minutes; a route that nobody asked for has none either.
        let known = all.routes.iter().any(|route| !route.minutes.is_empty());
        Self { counts, first, known }
    }

    /// Error rates of the intervals, which begin at whole multiples of five minutes.
    fn error_rates(&self) -> Vec<f64> {
        let mut rates = Vec::new();
        let mut at = 0;
        while at < self.counts.len() {
            let until = (at + INTERVAL - (self.first + at) % INTERVAL).min(self.counts.len());
            let (ended, failed) = sum(&self.counts[at..until]);
            rates.push(if ended > 0.0 { failed / ended } else { 0.0 });
            at = until;
        }
        rates
    }

    /// Availability by time, given the seconds of downtime, and by the five-minute formula.
    pub(super) fn uptime(&self, down_s: f64, measured_s: f64) -> Uptime<f64> {
        let rates = self.error_rates();
        let all: f64 = rates.iter().sum();
        let known = |value: f64| if self.known { value } else { f64::NAN };
        Uptime {
            by_time: if measured_s > 0.0 { 1.0 - down_s / measured_s } else { f64::NAN },
            five_minutes: known(1.0 - all / rates.len() as f64),
            month: known(1.0 - all / INTERVALS_OF_MONTH),
        }
    }

    /// What is left of an objective's budget.
    pub(super) fn budget(&self, objective: Option<(f64, SimDuration)>) -> ErrorBudget<f64> {
        let Some((objective, period)) = objective.filter(|_| self.known) else {
            return ErrorBudget::filled(f64::NAN);
        };
        let allowed = 1.0 - objective;
        let (ended, failed) = sum(&self.counts);
        let rate = failed / ended;
        let at = |minute: usize| (self.first + minute + 1) as f64 * 60.0;
        let alarm = |alert: &Alert| {
            let (long, short) = (self.burns(alert.long, allowed), self.burns(alert.short, allowed));
            let both = long.iter().zip(&short).position(|(long, short)| long.min(*short) > alert.above);
            both.map_or(f64::NAN, at)
        };
        let most = |minutes: usize| self.burns(minutes, allowed).into_iter().fold(f64::NAN, f64::max);
        ErrorBudget {
            objective,
            burn_rate: rate / allowed,
            spent_ratio: rate / allowed * (self.counts.len() as f64 * 60.0 / period.as_secs_f64()),
            burn_5m: most(5),
            burn_30m: most(30),
            burn_1h: most(60),
            burn_6h: most(360),
            fast_page_at_s: alarm(&FAST),
            slow_page_at_s: alarm(&SLOW),
        }
    }

    /// The burn rate over the last so many minutes, at the end of each minute. What lies before the measured time is taken for traffic of
    /// the same mean that was served well.
    fn burns(&self, minutes: usize, allowed: f64) -> Vec<f64> {
        let mean = sum(&self.counts).0 / self.counts.len() as f64;
        let burn = |end: usize| {
            let from = (end + 1).saturating_sub(minutes);
            let (ended, failed) = sum(&self.counts[from..=end]);
            let before = minutes.saturating_sub(end + 1) as f64 * mean;
            if ended + before > 0.0 { failed / (ended + before) / allowed } else { 0.0 }
        };
        (0..self.counts.len()).map(burn).collect()
    }
}

fn sum(counts: &[(f64, f64)]) -> (f64, f64) {
    counts.iter().fold((0.0, 0.0), |(ended, failed), one| (ended + one.0, failed + one.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(first: usize, counts: &[(f64, f64)]) -> Minutes {
        Minutes { counts: counts.to_vec(), first, known: true }
    }

    /// Three intervals with the error rates 0 %, 10 % and none asked: 100 % - 3.33 % = 96.67 %; of a month 100 % - 10 % / 8,640.
    #[test]
    fn the_five_minute_formula_averages_error_rates_and_not_errors() {
        let mut counts = vec![(1000.0, 0.0); 5];
        counts.extend([(10.0, 1.0); 5]);
        counts.extend([(0.0, 0.0); 5]);
        let uptime = minutes(10, &counts).uptime(30.0, 900.0);
        assert!((uptime.five_minutes - (1.0 - 0.1 / 3.0)).abs() < 1e-12);
        assert!((uptime.month - (1.0 - 0.1 / 8640.0)).abs() < 1e-12);
        assert!((uptime.by_time - (1.0 - 30.0 / 900.0)).abs() < 1e-12);
    }

    /// Intervals begin at 0, 5, 10 minutes: what is measured from minute 3 on has one of two minutes first.
    #[test]
    fn intervals_begin_at_whole_multiples_of_five_minutes() {
        let mut counts = vec![(100.0, 0.0); 7];
        counts[1] = (100.0, 50.0);
        assert_eq!(minutes(3, &counts).error_rates(), [0.25, 0.0]);
    }

    /// 99.9 % allow 0.1 %: a minute of ten without service in an hour's run of 1,000 a minute is a burn rate of 16.7, 200 over its 5 minutes.
    #[test]
    fn burn_rates_are_error_rates_over_what_the_objective_allows() {
        let mut counts = vec![(1000.0, 0.0); 60];
        counts[30] = (1000.0, 1000.0);
        let budget = minutes(0, &counts).budget(Some((0.999, SimDuration::from_secs(30 * 86_400))));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b, "{a} is not {b}");
        close(budget.burn_rate, 1000.0 / 60_000.0 / 0.001);
        close(budget.burn_5m, 200.0);
        close(budget.burn_30m, 1000.0 / 30.0);
        close(budget.burn_1h, 1000.0 / 60.0);
        close(budget.burn_6h, 1000.0 / 360.0);
        // An hour of 43,200 minutes has spent a 720th of the budget 16.7 times.
        close(budget.spent_ratio, 1000.0 / 60.0 / 720.0);
        // Both 16.7 and 200 are above 14.4 at the end of that minute; 6 hours stay below 6.
        close(budget.fast_page_at_s, 31.0 * 60.0);
        assert!(budget.slow_page_at_s.is_nan());
    }

    /// The workbook's own check: a burn rate of 14.4 spends 2 % of a 30-day budget in an hour.
    #[test]
    fn a_burn_rate_of_14_4_spends_2_percent_of_30_days_in_an_hour() {
        let counts = vec![(100_000.0, 1440.0); 60];
        let budget = minutes(0, &counts).budget(Some((0.999, SimDuration::from_secs(30 * 86_400))));
        assert!((budget.spent_ratio - 0.02).abs() < 1e-12);
    }
}
