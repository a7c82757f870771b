//! Figures for people: a unit that fits, and as many digits as the interval warrants.

use crate::model::Estimate;

/// What stands for a figure that has no value.
pub(crate) const NONE: &str = "–";

/// What kind of quantity a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds, shown in ns, µs, ms, s, min or h.
    Seconds,
    /// A share in 0..=1, shown in per cent.
    Share,
    /// Something per second.
    Rate,
    /// A number of things.
    Count,
    /// Bytes, shown in B, KB, MB, GB (of 1024).
    Bytes,
    /// Dollars of the United States.
    Dollars,
}

impl Unit {
    /// The kind of the figure at a path such as `routes.x.latency.p99`.
    pub(crate) fn of_path(path: &str) -> Self {
        let has = |part: &str| path.split('.').any(|segment| segment == part);
        let last = path.rsplit('.').find(|part| !matches!(*part, "value" | "half_width" | "pooled")).unwrap_or(path);
        match last {
            "by_time" | "five_minutes" | "month" | "objective" => Self::Share,
            "availability" | "error_rate" | "utilisation" | "utilisation_peak" => Self::Share,
            "throughput" => Self::Rate,
            "mean_wait" | "mean_sojourn" => Self::Seconds,
            _ if path.starts_with("cost.") || last.ends_with("_usd") => Self::Dollars,
            _ if last.ends_with("_ratio") => Self::Share,
            _ if last.ends_with("_s") => Self::Seconds,
            "mean" | "p50" | "p90" | "p95" | "p99" | "p999" | "max" if has("latency") || has("latency_failed") => {
                Self::Seconds
            }
            _ => Self::Count,
        }
    }

    /// The kind of a table's column by the name of its unit.
    pub(crate) fn of_column(unit: &str) -> Self {
        match unit {
            "share" => Self::Share,
            "bytes" => Self::Bytes,
            "s" => Self::Seconds,
            "USD" => Self::Dollars,
            _ => Self::Count,
        }
    }

    /// Factor and symbol for a value of this size.
    fn scale(self, value: f64) -> (f64, &'static str) {
        let size = value.abs();
        match self {
            Self::Share => (100.0, "%"),
            Self::Rate => (1.0, "/s"),
            Self::Count => (1.0, ""),
            Self::Dollars => (1.0, "USD"),
            Self::Bytes if size < 1024.0 => (1.0, "B"),
            Self::Bytes if size < 1_048_576.0 => (1.0 / 1024.0, "KB"),
            Self::Bytes if size < 1_073_741_824.0 => (1.0 / 1_048_576.0, "MB"),
            Self::Bytes => (1.0 / 1_073_741_824.0, "GB"),
            Self::Seconds if size == 0.0 => (1.0, "s"),
            Self::Seconds if size < 0.999_95e-6 => (1e9, "ns"),
            Self::Seconds if size < 0.999_95e-3 => (1e6, "µs"),
            Self::Seconds if size < 0.999_95 => (1e3, "ms"),
            Self::Seconds if size < 600.0 => (1.0, "s"),
            Self::Seconds if size < 36_000.0 => (1.0 / 60.0, "min"),
            Self::Seconds => (1.0 / 3600.0, "h"),
        }
    }
}

/// A figure in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The value with its unit, such as `26.28 ms`.
    pub(crate) value: String,
    /// The half width in the same unit without it, such as `0.050`.
    pub(crate) half_width: Option<String>,
}

/// A value and its half width with digits that fit: two of the half width, or four of a value without one.
pub(crate) fn parts(unit: Unit, estimate: &Estimate) -> Parts {
    if !estimate.value.is_finite() {
        return Parts { value: NONE.to_owned(), half_width: None };
    }
    let (factor, symbol) = unit.scale(estimate.value);
    let value = estimate.value * factor;
    let half_width = estimate.half_width.map(|half| half * factor);
    let decimals = decimals(unit, value, half_width);
    let symbol = if symbol.is_empty() { String::new() } else { format!(" {symbol}") };
    let half_width = half_width.map(|half| {
        let text = number(half, decimals);
        let rounded_away = half > 0.0 && !text.contains(|c: char| ('1'..='9').contains(&c));
        match (half == 0.0, rounded_away) {
            (true, _) => "0".to_owned(),
            (_, true) => format!("<{}1", text.strip_suffix('0').unwrap_or(&text)),
            _ => text,
        }
    });
    Parts { value: format!("{}{symbol}", number(value, decimals)), half_width }
}

/// A value with its half width, such as `26.28 ms ± 0.050`.
pub(crate) fn figure(unit: Unit, estimate: &Estimate) -> String {
    let parts = parts(unit, estimate);
    match parts.half_width {
        Some(half) => format!("{} ± {half}", parts.value),
        None => parts.value,
    }
}

/// A value on its own.
pub(crate) fn plain(unit: Unit, value: f64) -> String {
    parts(unit, &Estimate { value, half_width: None }).value
}

fn decimals(unit: Unit, value: f64, half_width: Option<f64>) -> usize {
    let magnitude = exponent(value).unwrap_or(0);
    match half_width.filter(|half| *half > 0.0).and_then(exponent) {
        // At most seven digits of the value, however small the half width.
        Some(half) => clamp((1 - half).min(6 - magnitude.max(half)), 9),
        None if value.fract() == 0.0 && matches!(unit, Unit::Count | Unit::Bytes) => 0,
        None if unit == Unit::Share => share_decimals(value),
        None if value == 0.0 => 0,
        None => clamp(3 - magnitude, 9),
    }
}

/// Two decimals of a per cent, and as many more as it takes not to call 99.9996 % everything or 0.0003 % nothing.
fn share_decimals(per_cent: f64) -> usize {
    if per_cent.fract() == 0.0 {
        return 0;
    }
    if per_cent < 0.1 {
        return clamp(1 - exponent(per_cent).unwrap_or(0), 9);
    }
    (2..7).find(|decimals| per_cent >= 100.0 || number(per_cent, *decimals).parse() != Ok(100.0)).unwrap_or(7)
}

fn clamp(decimals: i32, most: u8) -> usize {
    usize::try_from(decimals.clamp(0, i32::from(most))).unwrap_or(0)
}

/// The power of ten of a number's first digit once it is rounded to two digits; `None` for zero and what is no number.
fn exponent(value: f64) -> Option<i32> {
    if value == 0.0 || !value.is_finite() {
        return None;
    }
    format!("{value:.1e}").rsplit('e').next()?.parse().ok()
}

/// A number with so many decimals and thousands set apart by commas.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::with_capacity(text.len() + text.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let negative = value < 0.0 && text.contains(|c: char| ('1'..='9').contains(&c));
    format!("{}{grouped}{fraction}", if negative { "-" } else { "" })
}

/// An instant of simulated time as `h:mm:ss`, with thousandths where there are any.
pub(crate) fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return NONE.to_owned();
    }
    let millis = (seconds * 1000.0).round() as u64;
    let (s, ms) = (millis / 1000, millis % 1000);
    let whole = format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    if ms == 0 { whole } else { format!("{whole}.{ms:03}") }
}

/// A span of time in its natural unit: `1.5 s`, `2 min 30 s`, `8 h`.
pub(crate) fn span(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 60.0 {
        let text = plain(Unit::Seconds, seconds);
        let Some((number, unit)) = text.split_once(' ') else { return text };
        let short = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
        return format!("{short} {unit}");
    }
    let whole = seconds.round() as u64;
    let parts = [(whole / 3600, "h"), (whole / 60 % 60, "min"), (whole % 60, "s")];
    let named: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    named.join(" ")
}

/// Cuts a text to so many characters, the last an ellipsis where something was lost.
pub(crate) fn shorten(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(length.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The text on one line and without control characters: what a terminal may be shown.
pub(crate) fn tame(text: &str) -> String {
    let tame: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    tame.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `1 window`, `2 windows`.
pub(crate) fn several(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", number(n as f64, 0), if n == 1 { "" } else { "s" })
}

/// That all of so many expectations hold.
pub(crate) fn all_hold(n: usize) -> String {
    format!("{n} of {} hold{}", several(n, "expectation"), if n == 1 { "s" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(unit: Unit, value: f64, half_width: f64) -> String {
        figure(unit, &Estimate { value, half_width: Some(half_width) })
    }

    #[test]
    fn the_half_width_has_two_digits() {
        assert_eq!(shown(Unit::Seconds, 0.026_283_4, 0.000_051), "26.283 ms ± 0.051");
        assert_eq!(shown(Unit::Seconds, 1.234_56, 0.12), "1.23 s ± 0.12");
        assert_eq!(shown(Unit::Seconds, 0.000_5, 0.000_099_6), "500 µs ± 100");
        assert_eq!(shown(Unit::Count, 1_234_567.0, 1234.0), "1,234,567 ± 1,234");
        assert_eq!(shown(Unit::Share, 0.999_12, 0.000_4), "99.912 % ± 0.040");
        assert_eq!(shown(Unit::Rate, 400.0, 0.0), "400.0 /s ± 0");
        assert_eq!(shown(Unit::Seconds, 1234.5, 1e-6), "20.57500 min ± <0.00001");
        assert_eq!(shown(Unit::Count, 0.2, 0.89), "0.20 ± 0.89");
    }

    #[test]
    fn values_without_interval() {
        assert_eq!(plain(Unit::Seconds, 0.0), "0 s");
        assert_eq!(plain(Unit::Seconds, f64::NAN), "–");
        assert_eq!(plain(Unit::Seconds, 0.999_96), "1.000 s");
        assert_eq!(plain(Unit::Count, 12_345_678_901.0), "12,345,678,901");
        assert_eq!(plain(Unit::Share, 0.999_999_6), "99.99996 %");
        assert_eq!(plain(Unit::Share, 0.000_003_4), "0.00034 %");
        assert_eq!(plain(Unit::Share, 1.0), "100 %");
        assert_eq!(plain(Unit::Share, 0.123_45), "12.35 %");
        assert_eq!(plain(Unit::Count, -0.000_000_000_1), "0.000000000");
    }

    #[test]
    fn times_and_texts() {
        assert_eq!(clock(3723.045), "1:02:03.045");
        assert_eq!(clock(59.9996), "0:01:00");
        assert_eq!(span(1.0), "1 s");
        assert_eq!(span(28_800.0), "8 h");
        assert_eq!(span(150.0), "2 min 30 s");
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(tame("a\u{1b}[31m\n b"), "a [31m b");
    }

    #[test]
    fn kinds_of_quantity_follow_from_the_path() {
        assert_eq!(Unit::of_path("routes.shop /a.b.latency.p99"), Unit::Seconds);
        assert_eq!(Unit::of_path("latency.p99.pooled"), Unit::Seconds);
        assert_eq!(Unit::of_path("stations.ecs.web.utilisation"), Unit::Share);
        assert_eq!(Unit::of_path("stations.ecs.web.max_waiting"), Unit::Count);
        assert_eq!(Unit::of_path("counters.cloudfront.edge.hit_ratio"), Unit::Share);
        assert_eq!(Unit::of_path("errors.timeout"), Unit::Count);
        assert_eq!(Unit::of_path("downtime.total_s"), Unit::Seconds);
    }
}
