//! Axes with round ticks: time, shares, linear and logarithmic values.

use sim_core::math::ln;

use super::chart::Axis;
use crate::format::{Unit, clock, number, span};

/// Round steps of time, in seconds.
const STEPS: [f64; 17] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0,
    86_400.0,
];

/// Round instants between two of a run, with their labels.
pub(super) fn time_between(from: f64, until: f64) -> Vec<(f64, String)> {
    let length = until - from;
    let step = STEPS.into_iter().find(|step| length / step <= 9.0).unwrap_or(length / 9.0);
    let first = (from / step).ceil();
    let all = (0..).map(|index| (first + f64::from(index)) * step).take_while(|at| *at <= until);
    all.map(|at| (at, clock(at))).collect()
}

/// Simulated time from 0 to `end` seconds.
pub(super) fn time(end: f64) -> Axis {
    let end = if end > 0.0 { end } else { 1.0 };
    if end <= 10.0 {
        let ticks = linear_ticks(0.0, end, 10);
        let ticks = ticks.into_iter().map(|at| (at, shortest(at))).collect();
        return Axis { range: 0.0..end, ticks, title: "simulated time, seconds".to_owned() };
    }
    let step =
        STEPS.into_iter().find(|step| end / step <= 12.0).unwrap_or_else(|| (end / 12.0 / 86_400.0).ceil() * 86_400.0);
    let minutes = step >= 60.0;
    let label = |at: f64| {
        let s = at.round() as u64;
        if minutes {
            format!("{}:{:02}", s / 3600, s / 60 % 60)
        } else {
            format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
        }
    };
    let ticks = (0..).map(|index| f64::from(index) * step).take_while(|at| *at <= end * 1.000_001);
    let title = if minutes { "simulated time, h:mm" } else { "simulated time, h:mm:ss" };
    Axis { range: 0.0..end, ticks: ticks.map(|at| (at, label(at))).collect(), title: title.to_owned() }
}

/// From zero to a little over `high`.
pub(super) fn linear(unit: Unit, high: f64, title: &str) -> Axis {
    let high = if high > 0.0 && high.is_finite() { high * 1.06 } else { 1.0 };
    let ticks = linear_ticks(0.0, high, 6);
    let step = ticks.get(1).copied().unwrap_or(1.0);
    let ticks = ticks.into_iter().map(|at| (at, value_label(unit, at, step, high))).collect();
    Axis { range: 0.0..high, ticks, title: title.to_owned() }
}

/// From zero to all of it.
pub(super) fn share(title: &str) -> Axis {
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|at| (at, value_label(Unit::Share, at, 0.25, 1.0)));
    Axis { range: 0.0..1.02, ticks: ticks.to_vec(), title: title.to_owned() }
}

/// Seconds on a logarithmic scale: the axis spans powers of ten.
pub(super) fn log_seconds(low: f64, high: f64, title: &str) -> Axis {
    let (from, until) = (log10(low), log10(high));
    let margin = ((until - from) * 0.04).max(0.04);
    let range = from - margin..until + margin;
    let (first, last) = (range.start.floor() as i32, range.end.ceil() as i32);
    let decades = f64::from(last - first);
    let digits: &[u8] = match range.end - range.start {
        spread if spread <= 1.6 => &[1, 2, 3, 5, 7],
        spread if spread <= 3.2 => &[1, 2, 5],
        _ => &[1],
    };
    let every = (decades / 10.0).ceil().max(1.0) as i32;
    let powers = (first..=last).filter(|power| power.rem_euclid(every) == 0);
    let values =
        powers.flat_map(|power| digits.iter().filter_map(move |digit| format!("{digit}e{power}").parse().ok()));
    let ticks = values.map(|value: f64| (log10(value), span_label(value)));
    let ticks = ticks.filter(|(at, _)| range.contains(at)).collect();
    Axis { range, ticks, title: title.to_owned() }
}

/// Shares of operations slower than a value, from all to `least`, on a logarithmic scale, named as percentiles.
pub(super) fn percentiles(least: f64) -> Axis {
    let range = log10(least.clamp(1e-9, 0.1)) - 0.15..0.05;
    let known =
        ["p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "p99.9999", "p99.99999", "p99.999999", "p99.9999999"];
    let at = |index: usize| if index == 0 { log10(0.5) } else { -(index as f64) };
    let ticks = known.iter().enumerate().map(|(index, name)| (at(index), (*name).to_owned()));
    let ticks = ticks.filter(|(at, _)| range.contains(at)).collect();
    Axis { range, ticks, title: "percentile".to_owned() }
}

/// Logarithm to base ten; the least positive number stands for what has none.
pub(super) fn log10(value: f64) -> f64 {
    ln(value.max(1e-12)) / std::f64::consts::LN_10
}

/// At most about `most` multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, most: u32) -> Vec<f64> {
    let rough = (high - low) / f64::from(most);
    let power: i32 = format!("{rough:e}").rsplit('e').next().and_then(|power| power.parse().ok()).unwrap_or(0);
    let steps = [(1, power), (2, power), (5, power), (1, power + 1), (2, power + 1)];
    let fits = |(digit, power): &(i32, i32)| {
        let step: f64 = format!("{digit}e{power}").parse().unwrap_or(1.0);
        (step >= rough * 0.999).then_some((*digit, *power))
    };
    let (digit, power) = steps.iter().find_map(fits).unwrap_or((1, 0));
    // Each tick is read from its decimal form, so that labels show no rounding.
    let tick = |index: i64| format!("{}e{power}", index * i64::from(digit)).parse::<f64>().unwrap_or(f64::NAN);
    (0..=i64::from(most) * 2).map(tick).take_while(|at| *at <= high).filter(|at| *at >= low).collect()
}

fn value_label(unit: Unit, at: f64, step: f64, high: f64) -> String {
    let decimals = |step: f64| {
        let text = shortest(step);
        text.split_once('.').map_or(0, |(_, fraction)| fraction.len().min(6))
    };
    match unit {
        Unit::Share => format!("{} %", number(at * 100.0, decimals((step * 1e8).round() / 1e6))),
        Unit::Seconds if at == 0.0 => "0".to_owned(),
        Unit::Seconds if high < 1e-3 => format!("{} µs", number(at * 1e6, decimals((step * 1e9).round() / 1e3))),
        Unit::Seconds if high < 1.0 => format!("{} ms", number(at * 1e3, decimals((step * 1e9).round() / 1e6))),
        Unit::Seconds => format!("{} s", number(at, decimals(step))),
        Unit::Rate | Unit::Count if high >= 1e6 => format!("{} M", number(at / 1e6, decimals(step / 1e6))),
        Unit::Dollars => format!("{} USD", number(at, decimals(step))),
        Unit::Rate | Unit::Count | Unit::Bytes => number(at, decimals(step)),
    }
}

fn span_label(seconds: f64) -> String {
    if seconds < 60.0 { span(seconds) } else { format!("{} s", number(seconds, 0)) }
}

fn shortest(value: f64) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_on_every_scale() {
        assert_eq!(labels(&time(1.0)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"]);
        assert_eq!(labels(&time(7200.0))[..3], ["0:00", "0:10", "0:20"]);
        assert_eq!(labels(&time(28_800.0))[..3], ["0:00", "1:00", "2:00"]);
        assert_eq!(labels(&time(60.0))[..3], ["0:00:00", "0:00:05", "0:00:10"]);
        assert_eq!(labels(&linear(Unit::Seconds, 0.42, "")), ["0", "100 ms", "200 ms", "300 ms", "400 ms"]);
        assert_eq!(
            labels(&linear(Unit::Rate, 3_000_000.0, "")),
            ["0.0 M", "1.0 M", "2.0 M", "3.0 M"].map(|l| l.replace(".0", ""))
        );
        assert_eq!(labels(&linear(Unit::Count, 0.0, "")), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&log_seconds(0.01, 20.0, "")), ["10 ms", "100 ms", "1 s", "10 s"]);
        assert_eq!(labels(&percentiles(0.000_5)), ["p50", "p90", "p99", "p99.9"]);
        assert_eq!(labels(&share(""))[1], "25 %");
    }

    #[test]
    fn no_axis_is_empty_or_endless() {
        for high in [0.0, f64::NAN, f64::INFINITY, 1e-300, 1e300] {
            let axis = linear(Unit::Count, high, "");
            assert!(axis.range.end > axis.range.start && axis.ticks.len() < 20, "{axis:?}");
        }
        assert!(time(0.0).range.end > 0.0);
        assert!(time(1e9).ticks.len() < 20);
        assert!(!log_seconds(1e-9, 1e5, "").ticks.is_empty());
    }
}
