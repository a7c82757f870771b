//! The values that a factor takes, as they are typed: `2..40:2`, `100/s..800/s:100/s`, `1..1000:*10`, `a,b,c`, `[...]`.

use crate::decode::{Decode, Decoder};
use crate::diagnostics::Diagnostic;
use crate::tree::{Node, Span, Value, parse_value};
use crate::units::{self, Kind};

/// Most values of one factor.
const MOST: usize = 10_000;

/// What a factor takes, in order: each is the text after `=` of a change of the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Levels(pub Vec<String>);

impl Decode for Levels {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        let levels = match &node.value {
            Value::String(text) => parse(text).map_err(|wrong| wrong.at(node.span)),
            Value::Array(items) => Ok(items.iter().map(literal).collect()),
            _ => Ok(vec![literal(node)]),
        };
        match levels.and_then(|levels| checked(levels).map_err(|wrong| wrong.at(node.span))) {
            Ok(levels) => Some(Self(levels)),
            Err(error) => {
                d.error(error);
                None
            }
        }
    }
}

/// What is wrong with the text of levels, and where in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLevels {
    range: std::ops::Range<usize>,
    title: String,
    label: String,
}

impl BadLevels {
    fn new(range: std::ops::Range<usize>, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { range, title: title.into(), label: label.into() }
    }
    fn at(self, span: Span) -> Diagnostic {
        Diagnostic::error(span, self.title, self.label).help(HELP)
    }
    /// The same as a mistake in text number `number`, in which the levels begin at `offset`.
    pub fn within(self, number: u16, offset: usize) -> Diagnostic {
        let span = Span::new(number, self.range.start + offset..self.range.end + offset);
        self.at(span)
    }
}

const HELP: &str = "such as 2..40:2, 100/s..800/s:100/s, 1..1000:*10, or a list: 256MB,512MB,1GB";

/// Reads what is typed after `--vary KEY=`.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, BadLevels> {
    let trimmed = text.trim();
    if trimmed.starts_with('[')
        && let Ok(Node { value: Value::Array(items), .. }) = parse_value(trimmed, 0)
    {
        return checked(items.iter().map(literal).collect());
    }
    let mut levels = Vec::new();
    for range in split(text) {
        let item = text[range.clone()].trim();
        if item.is_empty() {
            return Err(BadLevels::new(range, "a value is missing here", "name a value"));
        }
        match item.split_once("..").filter(|_| !item.starts_with(['"', '\'', '[', '{'])) {
            Some((from, rest)) => levels.extend(steps(from, rest, &range)?),
            None => levels.push(item.to_owned()),
        }
        if levels.len() > MOST {
            return Err(too_many(range));
        }
    }
    checked(levels)
}

fn too_many(range: std::ops::Range<usize>) -> BadLevels {
    BadLevels::new(range, "these are too many values", format!("at most {MOST}"))
}

fn checked(levels: Vec<String>) -> Result<Vec<String>, BadLevels> {
    if levels.is_empty() || levels.len() > MOST {
        let title = if levels.is_empty() { "a factor needs at least one value" } else { "these are too many values" };
        return Err(BadLevels::new(0..0, title, format!("1 to {MOST} values")));
    }
    let mut seen = std::collections::BTreeSet::new();
    match levels.iter().find(|level| !seen.insert(level.as_str())) {
        Some(twice) => Err(BadLevels::new(0..0, format!("the value {twice} is there twice"), "once is enough")),
        None => Ok(levels),
    }
}

/// The parts between commas that are in no quotes and no brackets.
fn split(text: &str) -> Vec<std::ops::Range<usize>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0i32);
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth <= 0 => {
                parts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(start..text.len());
    parts
}

/// The values of `from..until:step`; `rest` is what follows the two dots.
fn steps(from: &str, rest: &str, place: &std::ops::Range<usize>) -> Result<Vec<String>, BadLevels> {
    let bad = |title: &str, label: &str| Err(BadLevels::new(place.clone(), title, label));
    let (until, step) = rest.split_once(':').map_or((rest, None), |(until, step)| (until, Some(step)));
    let (factor, step) = match step.map(str::trim).map(|step| (step.strip_prefix('*'), step)) {
        Some((Some(times), _)) => (true, Some(times)),
        Some((None, step)) => (false, Some(step)),
        None => (false, None),
    };
    let read = |text| Decimal::with_unit(str::trim(text));
    let (Some((from, unit_from)), Some((until, unit_until))) = (read(from), read(until)) else {
        return bad("a range goes from a number to a number", "such as 2..40:2");
    };
    let (step, unit_step) = match step.map(read) {
        Some(Some(step)) => step,
        Some(None) => return bad("the step of a range is a number", "such as 2..40:2"),
        None if from.scale == 0 && until.scale == 0 && unit_from.is_empty() && unit_until.is_empty() => {
            (Decimal::ONE, "")
        }
        None => return bad("this range has no step", "write it after a colon, as in 100/s..800/s:100/s"),
    };
    let units = [unit_from, unit_until, unit_step];
    let unit = units.iter().find(|unit| !unit.is_empty()).copied().unwrap_or("");
    if units.iter().any(|it| !it.is_empty() && it.trim() != unit.trim()) {
        return bad("this range has several units", "write all of it in one, as in 100ms..2000ms:100ms");
    }
    if from.is_above(until) {
        return bad("this range ends before it begins", "write the smaller end first");
    }
    let forward = if factor { step.is_above(Decimal::ONE) && from.digits > 0 } else { step.digits > 0 };
    if !forward {
        return bad("this range never reaches its end", "the step must lead forward");
    }
    let mut levels = Vec::new();
    let mut at = Some(from);
    while let Some(value) = at.filter(|value| !value.is_above(until)) {
        levels.push(format!("{value}{unit}"));
        if levels.len() > MOST {
            return Err(too_many(place.clone()));
        }
        at = if factor { value.times(step) } else { value.plus(step) };
    }
    Ok(levels)
}

/// A decimal number, exact: `digits` / 10^`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    const ONE: Self = Self { digits: 1, scale: 0 };
    /// More decimals than these no setting has.
    const MOST: u32 = 15;

    /// The number that a text begins with, and the rest.
    pub fn with_unit(text: &str) -> Option<(Self, &str)> {
        let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '_')).unwrap_or(text.len());
        let number = text[..end].replace('_', "");
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        if whole.is_empty() || number.len() > 18 || fraction.contains('.') {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some((Self { digits, scale: fraction.len() as u32 }.tidy(), &text[end..]))
    }

    /// Without noughts at the end.
    fn tidy(mut self) -> Self {
        while self.scale > 0 && self.digits % 10 == 0 {
            self = Self { digits: self.digits / 10, scale: self.scale - 1 };
        }
        self
    }

    /// The same number with at least `scale` decimals.
    fn rescaled(self, scale: u32) -> Self {
        let more = scale.saturating_sub(self.scale);
        Self { digits: self.digits.saturating_mul(10i128.pow(more)), scale: self.scale + more }
    }

    fn is_above(self, other: Self) -> bool {
        let scale = self.scale.max(other.scale);
        self.rescaled(scale).digits > other.rescaled(scale).digits
    }

    fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let digits = self.rescaled(scale).digits.checked_add(other.rescaled(scale).digits)?;
        Some(Self { digits, scale }.tidy())
    }

    fn times(self, other: Self) -> Option<Self> {
        let digits = self.digits.checked_mul(other.digits)?;
        let it = Self { digits, scale: self.scale + other.scale }.tidy();
        (it.scale <= Self::MOST).then_some(it)
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:0width$}", self.digits, width = self.scale as usize + 1);
        let (whole, fraction) = text.split_at(text.len() - self.scale as usize);
        if fraction.is_empty() { f.write_str(whole) } else { write!(f, "{whole}.{fraction}") }
    }
}

/// A value of a file as the text that a change has after its `=`, without quotes where it needs none.
pub(crate) fn literal(node: &Node) -> String {
    match &node.value {
        Value::String(text) if text.trim() == text && !text.is_empty() && parse_value(text, 0).is_err() => {
            if text.starts_with(['"', '\'', '[', '{']) { quoted(text) } else { text.clone() }
        }
        Value::String(text) => quoted(text),
        Value::Integer(Some(n)) => n.to_string(),
        // Neither is any setting; whoever reads it says so.
        Value::Integer(None) => "99999999999999999999".to_owned(),
        Value::Datetime => "1979-05-27".to_owned(),
        Value::Float(x) => format!("{x:?}"),
        Value::Boolean(b) => b.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(nested).collect::<Vec<_>>().join(", ")),
        Value::Table(entries) => {
            let pair = |(key, value): &(crate::tree::Key, Node)| format!("{} = {}", quoted(&key.text), nested(value));
            format!("{{ {} }}", entries.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The same inside of an array or a table, where every string has quotes.
fn nested(node: &Node) -> String {
    match &node.value {
        Value::String(text) => quoted(text),
        _ => literal(node),
    }
}

/// A basic string of TOML; those of JSON are among them.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// What a value amounts to in base units, and which: seconds, bytes, per second, a share or vCPU; `""` for a bare number.
pub(crate) fn amount(text: &str) -> Option<(f64, &'static str)> {
    let text = text.trim().trim_matches('"');
    if let Ok(number) = text.replace('_', "").parse::<f64>() {
        return number.is_finite().then_some((number, ""));
    }
    let kinds =
        [(Kind::Time, "s"), (Kind::Rate, "/s"), (Kind::Size, "B"), (Kind::Percent, "share"), (Kind::Cpu, "vCPU")];
    kinds.into_iter().find_map(|(kind, unit)| units::parse(text, kind).ok().map(|amount| (amount, unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str) -> String {
        parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}")).join(" ")
    }

    #[test]
    fn ranges_and_lists() {
        assert_eq!(levels("2..10:2"), "2 4 6 8 10");
        assert_eq!(levels("2..11:3"), "2 5 8 11");
        assert_eq!(levels("2..4"), "2 3 4");
        assert_eq!(levels("100/s..400/s:100/s"), "100/s 200/s 300/s 400/s");
        assert_eq!(levels("100..300:100/s"), "100/s 200/s 300/s");
        assert_eq!(levels("0.1..0.5:0.1"), "0.1 0.2 0.3 0.4 0.5");
        assert_eq!(levels("0.5 vCPU..2 vCPU:0.5 vCPU"), "0.5 vCPU 1 vCPU 1.5 vCPU 2 vCPU");
        assert_eq!(levels("1..1000:*10"), "1 10 100 1000");
        assert_eq!(levels("1ms..4ms:*1.5"), "1ms 1.5ms 2.25ms 3.375ms");
        assert_eq!(levels("2..6:2,10,20"), "2 4 6 10 20");
        assert_eq!(levels("rolling, blue_green"), "rolling blue_green");
        assert_eq!(levels("[1, \"2\", \"3/s\"]"), "1 \"2\" 3/s");
        assert_eq!(levels("\"a,b\",c"), "\"a,b\" c");
        assert_eq!(levels("{ exponential = \"1ms\" },2ms"), "{ exponential = \"1ms\" } 2ms");
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for (text, title) in [
            ("", "a value is missing here"),
            ("1,,2", "a value is missing here"),
            ("1,1", "the value 1 is there twice"),
            ("4..2:1", "this range ends before it begins"),
            ("2..4:0", "this range never reaches its end"),
            ("0..4:*2", "this range never reaches its end"),
            ("1..4:*1", "this range never reaches its end"),
            ("2..4:", "the step of a range is a number"),
            ("a..b:1", "a range goes from a number to a number"),
            ("-2..4:1", "a range goes from a number to a number"),
            ("1s..4s", "this range has no step"),
            ("10ms..1s:10ms", "this range has several units"),
            ("1..100000", "these are too many values"),
            ("1e3..1e4:1", "this range has several units"),
        ] {
            assert_eq!(parse(text).expect_err(text).title, title, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_of_levels_is_too_much(text in "[0-9.,:*_a-c/ \"'{}=-]{0,30}") {
            if let Ok(levels) = parse(&text) {
                assert!((1..=MOST).contains(&levels.len()));
            }
        }

        #[test]
        fn ranges_begin_at_their_beginning_and_keep_their_step(from in 0u32..1000, step in 1u32..100, count in 1usize..200) {
            let until = from + step * (count as u32 - 1);
            let of = |n: u32| format!("{}.{:02}", n / 100, n % 100);
            let levels = parse(&format!("{}s..{}s:{}s", of(from), of(until), of(step))).unwrap();
            let read: Vec<f64> = levels.iter().map(|level| amount(level).unwrap().0).collect();
            let exact: Vec<f64> = (0..count as u32).map(|n| of(from + n * step).parse().unwrap()).collect();
            assert_eq!(read, exact);
        }
    }

    #[test]
    fn amounts_are_in_base_units() {
        assert_eq!(amount("20"), Some((20.0, "")));
        assert_eq!(amount("100/s"), Some((100.0, "/s")));
        assert_eq!(amount("250ms"), Some((0.25, "s")));
        assert_eq!(amount("4KB"), Some((4096.0, "B")));
        assert_eq!(amount("40%"), Some((0.4, "share")));
        assert_eq!(amount("0.5 vCPU"), Some((0.5, "vCPU")));
        assert_eq!(amount("rolling"), None);
        assert_eq!(amount("nan"), None);
    }
}
