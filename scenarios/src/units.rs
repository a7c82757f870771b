//! Quantities with units: `"30s"`, `"4KB"`, `"400/s"`, `"2 vCPU"`, `"40%"`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sim_core::SimDuration;

use crate::decode::{Decode, Decoder};
use crate::diagnostics::Diagnostic;
use crate::tree::{Node, Value};

/// A unit: its symbol, how many base units it has, and other spellings that people try. Decimal ones
/// move the point in the text, so that "99.9%" is 0.999 to the last bit.
type Unit = (&'static str, Scale, &'static [&'static str]);

/// How many base units a unit has.
#[derive(Clone, Copy)]
enum Scale {
    Times(f64),
    Over(f64),
    TenTo(i32),
}
use Scale::{Over, TenTo, Times};

const TIMES: &[Unit] = &[
    ("ns", TenTo(-9), &["nanosecond", "nanoseconds", "nanos", "nsec"]),
    ("us", TenTo(-6), &["microsecond", "microseconds", "micros", "usec"]),
    ("µs", TenTo(-6), &["μs"]),
    ("ms", TenTo(-3), &["millisecond", "milliseconds", "millis", "msec", "msecs"]),
    ("s", Times(1.0), &["sec", "secs", "second", "seconds"]),
    ("m", Times(60.0), &["minute", "minutes", "mins"]),
    ("min", Times(60.0), &[]),
    ("h", Times(3600.0), &["hour", "hours", "hr", "hrs"]),
    ("d", Times(86_400.0), &["day", "days"]),
];
const KIB: f64 = 1024.0;
const SIZES: &[Unit] = &[
    ("B", Times(1.0), &["byte", "bytes"]),
    ("KB", Times(KIB), &["K", "kilobyte", "kilobytes"]),
    ("MB", Times(KIB * KIB), &["M", "megabyte", "megabytes"]),
    ("GB", Times(KIB * KIB * KIB), &["G", "gigabyte", "gigabytes"]),
    ("TB", Times(KIB * KIB * KIB * KIB), &["T", "terabyte", "terabytes"]),
    ("KiB", Times(KIB), &[]),
    ("MiB", Times(KIB * KIB), &[]),
    ("GiB", Times(KIB * KIB * KIB), &[]),
    ("TiB", Times(KIB * KIB * KIB * KIB), &[]),
];
const RATES: &[Unit] = &[
    ("/s", Times(1.0), &["/sec", "/second", "rps", "rq/s", "req/s", "requests/s", "qps", "hz", "per second"]),
    ("/min", Over(60.0), &["/m", "/minute", "rpm", "req/min", "per minute"]),
    ("/h", Over(3600.0), &["/hour", "req/h", "per hour"]),
    ("/d", Over(86_400.0), &["/day", "per day"]),
];
const PERCENTS: &[Unit] = &[("%", TenTo(-2), &["percent", "pct", "per cent"])];
const CPUS: &[Unit] = &[("vCPU", Times(1.0), &["cpu", "cpus", "vcpus", "core", "cores"])];

/// Ten years, the longest span of time there is.
pub(crate) const LONGEST: f64 = 10.0 * 366.0 * 86_400.0;

/// A kind of quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Time,
    Size,
    Rate,
    Percent,
    Cpu,
}

impl Kind {
    fn units(self) -> &'static [Unit] {
        match self {
            Self::Time => TIMES,
            Self::Size => SIZES,
            Self::Rate => RATES,
            Self::Percent => PERCENTS,
            Self::Cpu => CPUS,
        }
    }
    /// What it is called, with an article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "a time",
            Self::Size => "a size",
            Self::Rate => "a rate",
            Self::Percent => "a share",
            Self::Cpu => "a number of vCPU",
        }
    }
    /// One as an example.
    pub fn example(self) -> &'static str {
        match self {
            Self::Time => "30s",
            Self::Size => "4KB",
            Self::Rate => "400/s",
            Self::Percent => "40%",
            Self::Cpu => "2 vCPU",
        }
    }
    /// The unit that a bare number most likely lacks.
    fn likely(self) -> &'static str {
        match self {
            Self::Time => "s",
            Self::Size => "KB",
            Self::Rate => "/s",
            Self::Percent => "%",
            Self::Cpu => " vCPU",
        }
    }
    fn symbols(self) -> String {
        self.units().iter().map(|(symbol, ..)| format!("`{symbol}`")).collect::<Vec<_>>().join(", ")
    }
}

/// Why a text is no quantity: what is wrong and what to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadQuantity {
    pub title: String,
    pub label: String,
}

fn bad<T>(title: impl Into<String>, label: impl Into<String>) -> Result<T, BadQuantity> {
    Err(BadQuantity { title: title.into(), label: label.into() })
}

/// Reads a quantity, in base units (seconds, bytes, per second, share, vCPU).
pub(crate) fn parse(text: &str, kind: Kind) -> Result<f64, BadQuantity> {
    let expected = format!("expected {} such as \"{}\"", kind.name(), kind.example());
    let trimmed = text.trim();
    if trimmed.starts_with(['-', '−']) {
        return bad(format!("{} cannot be negative", kind.name()), "must not be negative");
    }
    let (mut rest, mut total, mut parts) = (trimmed, 0.0, 0);
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let digits = &rest[..rest.len() - after.len()];
        let Some(number) = number else { return bad(expected.clone(), expected) };
        let unit_end = if kind == Kind::Time { after.find(|c: char| c.is_ascii_digit()) } else { None };
        let (unit, remaining) = after.split_at(unit_end.unwrap_or(after.len()));
        total += match scale(unit.trim(), trimmed, digits, kind)? {
            Times(factor) => number * factor,
            Over(divisor) => number / divisor,
            TenTo(power) => shift_point(digits, power).unwrap_or(number),
        };
        rest = remaining;
        parts += 1;
    }
    match total {
        _ if parts == 0 => bad(expected.clone(), expected),
        total if !total.is_finite() => bad("this number is too large", "too large"),
        total if kind == Kind::Time && total > LONGEST => {
            bad("this time is longer than ten years", "at most \"3660d\"")
        }
        total => Ok(total),
    }
}

fn scale(unit: &str, whole: &str, number: &str, kind: Kind) -> Result<Scale, BadQuantity> {
    let number = number.trim();
    if unit.is_empty() {
        let write = format!("write \"{number}{}\"", kind.likely());
        return bad(format!("`{whole}` has no unit"), format!("{write}; units: {}", kind.symbols()));
    }
    let fits =
        |symbol: &str| symbol == unit || (matches!(kind, Kind::Size | Kind::Cpu) && symbol.eq_ignore_ascii_case(unit));
    if let Some((_, scale, _)) = kind.units().iter().find(|(symbol, ..)| fits(symbol)) {
        return Ok(*scale);
    }
    let lower = unit.to_lowercase();
    let meant = kind.units().iter().find(|(symbol, _, others)| {
        symbol.eq_ignore_ascii_case(unit) || others.iter().any(|other| other.eq_ignore_ascii_case(&lower))
    });
    let label = match meant {
        Some((symbol, ..)) => {
            let space = if kind == Kind::Cpu { " " } else { "" };
            format!("write \"{number}{space}{symbol}\"")
        }
        None => format!("units: {}", kind.symbols()),
    };
    bad(format!("`{unit}` is no unit for {}", kind.name()), label)
}

/// The number in `digits` times a power of ten, rounded once.
fn shift_point(digits: &str, power: i32) -> Option<f64> {
    let digits = digits.replace('_', "");
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((&digits, "0"));
    let exponent = exponent.parse::<i32>().ok()?.checked_add(power)?;
    format!("{mantissa}e{exponent}").parse().ok()
}

/// The number a text begins with, and what follows it.
fn split_number(text: &str) -> (Option<f64>, &str) {
    let bytes = text.as_bytes();
    let mut end = 0;
    while end < bytes.len() {
        let exponent = matches!(bytes[end], b'e' | b'E')
            && end > 0
            && match bytes.get(end + 1) {
                Some(b'+' | b'-') => bytes.get(end + 2).is_some_and(u8::is_ascii_digit),
                next => next.is_some_and(u8::is_ascii_digit),
            };
        if exponent {
            end += 2;
        } else if bytes[end].is_ascii_digit() || matches!(bytes[end], b'.' | b'_') {
            end += 1;
        } else {
            break;
        }
    }
    let number = text[..end].replace('_', "").parse().ok().filter(|_| end > 0);
    (number, &text[end..])
}

/// Reads a quantity from a value.
pub(crate) fn quantity(node: &Node, d: &mut Decoder, kind: Kind) -> Option<f64> {
    let number = match &node.value {
        Value::String(text) => match parse(text, kind) {
            Ok(value) => return Some(value),
            Err(wrong) => {
                d.error(Diagnostic::error(node.span, wrong.title, wrong.label));
                return None;
            }
        },
        Value::Integer(Some(n)) => n.to_string(),
        Value::Float(x) if x.is_finite() => x.to_string(),
        _ => return d.wrong_kind(node, &format!("{} such as \"{}\"", kind.name(), kind.example())),
    };
    let label = format!("write \"{number}{}\"", kind.likely());
    d.error(
        Diagnostic::error(node.span, format!("expected {} with its unit, found a bare number", kind.name()), label)
            .help(format!("units: {}", kind.symbols())),
    );
    None
}

macro_rules! quantities {
    ($($(#[doc = $doc:literal])* $name:ident($inner:ty) = $kind:ident, $stand_in:expr, |$x:ident| $make:expr;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
        pub(crate) struct $name(pub $inner);
        impl Decode for $name {
            fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
                quantity(node, d, Kind::$kind).map(|$x| Self($make))
            }
            fn stand_in() -> Option<Self> {
                Some(Self($stand_in))
            }
        }
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                quantity_schema(Kind::$kind)
            }
        }
    )*};
}

/// The schema of a quantity.
pub(crate) fn quantity_schema(kind: Kind) -> Schema {
    let kind_text = format!("{} such as \"{}\"", kind.name(), kind.example());
    json_schema!({ "type": "string", "pattern": "^\\s*[0-9.]", "x-type": kind_text })
}

quantities! {
    /// A span of time.
    Time(SimDuration) = Time, SimDuration::from_secs(1), |x| SimDuration::from_secs_f64(x);
    /// A number of bytes.
    Bytes(u64) = Size, 1, |x| x.round() as u64;
    /// So many a second.
    Rate(f64) = Rate, 1.0, |x| x;
    /// A share, 0..=1 where it is a percentage of something.
    Share(f64) = Percent, 0.5, |x| x;
    /// vCPU.
    Vcpu(f64) = Cpu, 1.0, |x| x;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_base_units() {
        assert_eq!(parse("30s", Kind::Time), Ok(30.0));
        assert_eq!(parse("100ms", Kind::Time), Ok(0.1));
        assert_eq!(parse("2m 30s", Kind::Time), Ok(150.0));
        assert_eq!(parse("1h30min", Kind::Time), Ok(5400.0));
        assert_eq!(parse("1.5e3 us", Kind::Time), Ok(0.0015));
        assert_eq!(parse("4KB", Kind::Size), Ok(4096.0));
        assert_eq!(parse("1.5 gib", Kind::Size), Ok(1.5 * 1024.0 * 1024.0 * 1024.0));
        assert_eq!(parse("400/s", Kind::Rate), Ok(400.0));
        assert_eq!(parse("1_200/min", Kind::Rate), Ok(20.0));
        assert_eq!(parse("40%", Kind::Percent), Ok(0.4));
        assert_eq!(parse("95%", Kind::Percent), Ok(0.95));
        assert_eq!(parse("99.9%", Kind::Percent), Ok(0.999));
        assert_eq!(parse("0.25 vCPU", Kind::Cpu), Ok(0.25));
        assert_eq!(parse("0s", Kind::Time), Ok(0.0));
    }

    fn label(text: &str, kind: Kind) -> String {
        parse(text, kind).expect_err("refused").label
    }

    #[test]
    fn what_is_no_quantity_is_told_how_to_be_one() {
        assert!(label("30", Kind::Time).starts_with("write \"30s\""));
        assert_eq!(label("30sec", Kind::Time), "write \"30s\"");
        assert_eq!(label("400rps", Kind::Rate), "write \"400/s\"");
        assert_eq!(label("2 cores", Kind::Cpu), "write \"2 vCPU\"");
        assert_eq!(label("5M", Kind::Time), "write \"5m\"");
        assert!(label("10 parsecs", Kind::Time).starts_with("units: "));
        assert!(label("", Kind::Time).contains("30s"));
        assert!(label("nan s", Kind::Time).contains("30s"));
        assert!(label("1.2.3s", Kind::Time).contains("30s"));
        assert_eq!(label("-3s", Kind::Time), "must not be negative");
        assert_eq!(label("11000d", Kind::Time), "at most \"3660d\"");
        assert_eq!(label("1e400B", Kind::Size), "too large");
    }
}
