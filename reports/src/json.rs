//! `report.json`: pretty-printed, deterministic, with `null` for what has no value.

use std::fmt::Write as _;
use std::io;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::ser::{Formatter, PrettyFormatter};
use serde_json::value::RawValue;

use crate::model::{Bucket, Report};

/// Whole numbers below this are exact in an `f64` and are written without a fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Report {
    /// The report as JSON: indented, keys in fixed order, a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(self)
    }
}

/// Anything as JSON: indented, keys in fixed order, a newline at the end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Tidy(PrettyFormatter::new()));
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "a report has only text keys: {written:?}");
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

/// Pretty-printing with whole floats written as `12`, not `12.0`: counts of a replication look like counts.
struct Tidy(PrettyFormatter<'static>);

impl Formatter for Tidy {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value.fract() == 0.0 && value.abs() < EXACT {
            write!(writer, "{}", value as i64)
        } else {
            self.0.write_f64(writer, value)
        }
    }
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// `value` to `digits` significant digits, as JSON.
fn rounded(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    let round: f64 = format!("{value:.*e}", digits - 1).parse().unwrap_or(value);
    round.to_string()
}

/// Writes numbers to six digits on one line.
pub(crate) fn row<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    let cells: Vec<String> = values.iter().map(|value| rounded(*value, 6)).collect();
    raw(format!("[{}]", cells.join(",")), serializer)
}

/// Writes a histogram as `[lower, upper, count]` on one line.
pub(crate) fn buckets<S: Serializer>(buckets: &[Bucket], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::from("[");
    for (index, bucket) in buckets.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let (lower, upper) = (rounded(bucket.lower, 9), rounded(bucket.upper, 9));
        write!(text, "{comma}[{lower},{upper},{}]", bucket.count).map_err(S::Error::custom)?;
    }
    text.push(']');
    raw(text, serializer)
}

fn raw<S: Serializer>(text: String, serializer: S) -> Result<S::Ok, S::Error> {
    RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer)
}

/// A digest as text: JSON readers lose the low bits of such numbers.
pub(crate) fn hexadecimal(digest: u64) -> String {
    format!("{digest:016x}")
}
