//! Settings that nobody knows for sure: `{ low = "100/s", mid = "150/s", high = "220/s" }` in place of a value. They are made
//! into values in the tree, before it is read, so that the rest of the language knows nothing of them.

use sim_core::random::{Source as _, Streams};

use crate::diagnostics::Diagnostic;
use crate::overrides::name_of;
use crate::sweep::levels::{Decimal, literal};
use crate::tree::{Key, Node, Span, Value};

/// More ranges than these would make too many cases of all their ends.
const MOST_CASES: usize = 4;

/// A setting whose value is a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its dotted key, such as `traffic.users.rate`.
    pub key: String,
    /// Smallest value, as typed.
    pub low: String,
    /// The value that a plain run has.
    pub mid: String,
    /// Largest value.
    pub high: String,
    /// Whether each replication draws its own value; if not, the ends are cases to be run.
    pub drawn: bool,
}

/// Which values ranges take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Those that are cases.
    pub case: Case,
    /// Those that are drawn: seed and replication, or the middle if there is none.
    pub draw: Option<(u64, u32)>,
}

/// What the ranges that are cases take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// The middle of each.
    #[default]
    Middle,
    /// The high end of the ranges whose bit is set, the low end of the others.
    Corner(u32),
}

impl Case {
    /// All cases of some ranges: their middle, then every combination of ends of those that are not drawn.
    pub fn all(ranges: &[Range]) -> impl Iterator<Item = Self> + use<> {
        let ends = ranges.iter().filter(|range| !range.drawn).count() as u32;
        let corners = if ends == 0 { 0 } else { 1u32 << ends };
        std::iter::once(Self::Middle).chain((0..corners).map(Self::Corner))
    }

    /// The values that the ranges have in it, such as `traffic.users.rate=100/s`; nothing if there are none.
    #[must_use]
    pub fn name(self, ranges: &[Range]) -> String {
        let ends = ranges.iter().filter(|range| !range.drawn).enumerate();
        let value = |(bit, range): (usize, &Range)| {
            let value = match self {
                Self::Middle => &range.mid,
                Self::Corner(bits) if bits >> bit & 1 == 1 => &range.high,
                Self::Corner(_) => &range.low,
            };
            format!("{}={value}", range.key)
        };
        ends.map(value).collect::<Vec<_>>().join(", ")
    }
}

/// Puts values in place of all ranges of a scenario, and says which there were.
pub(crate) fn resolve(root: &mut Node, choice: Choice) -> Result<Vec<Range>, Vec<Diagnostic>> {
    let mut walk = Walk { choice, ranges: Vec::new(), errors: Vec::new() };
    if let Value::Table(sections) = &mut root.value {
        // What sweeps and variants set is read as it stands: its values are resolved when they take their places.
        let other = |key: &Key| matches!(key.text.as_str(), "sweep" | "variant");
        for (key, section) in sections.iter_mut().filter(|(key, _)| !other(key)) {
            walk.visit(section, key.text.clone());
        }
    }
    if walk.errors.is_empty() { Ok(walk.ranges) } else { Err(walk.errors) }
}

struct Walk {
    choice: Choice,
    ranges: Vec<Range>,
    errors: Vec<Diagnostic>,
}

impl Walk {
    fn visit(&mut self, node: &mut Node, key: String) {
        if is_range(node) {
            match self.value(node, &key) {
                Ok(value) => *node = value,
                Err(error) => self.errors.push(error),
            }
            return;
        }
        match &mut node.value {
            Value::Table(entries) => {
                for (name, inner) in entries {
                    self.visit(inner, format!("{key}.{}", part(name)));
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    let name = name_of(item).unwrap_or_else(|| number.to_string());
                    self.visit(item, format!("{key}.{name}"));
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, node: &Node, key: &str) -> Result<Node, Diagnostic> {
        let bounds = Bounds::read(node)?;
        let (shape, span) = (bounds.shape, node.span);
        let bit = self.ranges.iter().filter(|range| !range.drawn).count();
        if shape.is_none() && bit == MOST_CASES {
            let title = format!("a scenario has at most {MOST_CASES} ranges whose ends are cases");
            let error = Diagnostic::error(span, title, "one too many");
            return Err(error.help("add distribution = \"triangular\" for a value that each replication draws"));
        }
        let text = |value: f64| literal(&bounds.node(value, span));
        self.ranges.push(Range {
            key: key.to_owned(),
            low: text(bounds.low),
            mid: text(bounds.mid),
            high: text(bounds.high),
            drawn: shape.is_some(),
        });
        let value = match (shape, self.choice.case, self.choice.draw) {
            (Some(shape), _, Some((seed, replication))) => {
                let uniform = Streams::new(seed, replication).stream("range", key).uniform();
                bounds.quantile(shape, uniform)
            }
            (None, Case::Corner(bits), _) if bits >> bit & 1 == 1 => bounds.high,
            (None, Case::Corner(_), _) => bounds.low,
            _ => bounds.mid,
        };
        Ok(bounds.node(value, span))
    }
}

/// A key's part as it is written in a change.
fn part(key: &Key) -> String {
    if key.text.contains(['.', '=']) { format!("\"{}\"", key.text) } else { key.text.clone() }
}

/// A table is a range if it has both ends and nothing that a range has not.
fn is_range(node: &Node) -> bool {
    let Value::Table(entries) = &node.value else { return false };
    let has = |wanted: &str| entries.iter().any(|(key, _)| key.text == wanted);
    let known = |key: &Key| matches!(key.text.as_str(), "low" | "mid" | "high" | "distribution");
    has("low") && has("high") && entries.iter().all(|(key, _)| known(key))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Uniform,
    Triangular,
}

/// A range in numbers of its unit.
struct Bounds {
    low: f64,
    mid: f64,
    high: f64,
    unit: String,
    /// Whether only whole numbers are meant.
    whole: bool,
    shape: Option<Shape>,
}

impl Bounds {
    fn read(node: &Node) -> Result<Self, Diagnostic> {
        let Value::Table(entries) = &node.value else { unreachable!("only tables are ranges") };
        let find = |wanted: &str| entries.iter().find(|(key, _)| key.text == wanted).map(|(_, value)| value);
        let read = |node: &Node| -> Result<(f64, String), Diagnostic> {
            let text = match &node.value {
                Value::String(text) => text.trim().to_owned(),
                _ => literal(node),
            };
            let number = Decimal::with_unit(&text).map(|(number, unit)| (number.to_string().parse(), unit.to_owned()));
            match number {
                Some((Ok(number), unit)) => Ok((number, unit)),
                _ => Err(Diagnostic::error(node.span, "the ends of a range are numbers", "such as 4 or \"100/s\"")),
            }
        };
        let (low_node, high_node) = (find("low").expect("a range"), find("high").expect("a range"));
        let ((low, unit), (high, unit_high)) = (read(low_node)?, read(high_node)?);
        let same = |span: Span, other: &str| match other.trim() == unit.trim() {
            true => Ok(()),
            false => Err(Diagnostic::error(span, "this range has several units", "write all of it in one")),
        };
        same(high_node.span, &unit_high)?;
        let whole = [low_node, high_node].iter().all(|it| matches!(it.value, Value::Integer(_)));
        let mid = match find("mid") {
            Some(node) => {
                let (mid, unit_mid) = read(node)?;
                same(node.span, &unit_mid)?;
                mid
            }
            None => low + (high - low) / 2.0,
        };
        let shape = match find("distribution") {
            None => None,
            Some(Node { value: Value::String(word), .. }) if word == "uniform" => Some(Shape::Uniform),
            Some(Node { value: Value::String(word), .. }) if word == "triangular" => Some(Shape::Triangular),
            Some(node) => {
                let title = "a range has the distribution \"uniform\" or \"triangular\"";
                return Err(Diagnostic::error(node.span, title, "not known").help("without one its ends are cases"));
            }
        };
        if !(low < high && low <= mid && mid <= high) {
            let title = "low, mid and high of a range must be in this order";
            return Err(Diagnostic::error(node.span, title, "low < high and low <= mid <= high"));
        }
        Ok(Self { low, mid, high, unit, whole, shape })
    }

    /// The value below which the share `u` of all draws lies.
    fn quantile(&self, shape: Shape, u: f64) -> f64 {
        let (low, mid, high) = (self.low, self.mid, self.high);
        match shape {
            Shape::Uniform => low + u * (high - low),
            Shape::Triangular if u * (high - low) < mid - low => low + (u * (high - low) * (mid - low)).sqrt(),
            Shape::Triangular => high - ((1.0 - u) * (high - low) * (high - mid)).sqrt(),
        }
    }

    fn node(&self, value: f64, span: Span) -> Node {
        let value = match (self.whole, self.unit.is_empty()) {
            (true, _) => Value::Integer(Some(value.round() as i64)),
            (false, true) => Value::Float(value),
            (false, false) => Value::String(format!("{value}{}", self.unit)),
        };
        Node { span, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_document;

    fn resolved(text: &str, choice: Choice) -> (String, Vec<Range>) {
        let mut root = parse_document(text, 0).unwrap();
        let ranges = resolve(&mut root, choice).unwrap();
        (literal(&root), ranges)
    }

    const TEXT: &str = "[traffic.users]\nrate = { low = '100/s', mid = '150/s', high = '220/s' }\n[ecs.web]\nn = { low = 2, high = 5 }\n";

    #[test]
    fn ranges_become_values() {
        let (middle, ranges) = resolved(TEXT, Choice::default());
        assert!(middle.contains("150/s") && middle.contains("\"n\" = 4"), "{middle}");
        assert_eq!(ranges[0].key, "traffic.users.rate");
        assert_eq!((ranges[1].low.as_str(), ranges[1].high.as_str()), ("2", "5"));
        let cases: Vec<Case> = Case::all(&ranges).collect();
        assert_eq!(cases.len(), 5);
        let ends = [("100/s", "2"), ("220/s", "2"), ("100/s", "5"), ("220/s", "5")];
        for (bits, (rate, n)) in ends.into_iter().enumerate() {
            let (text, _) = resolved(TEXT, Choice { case: Case::Corner(bits as u32), draw: None });
            assert!(text.contains(rate) && text.contains(&format!("\"n\" = {n}")), "{bits}: {text}");
        }
    }

    #[test]
    fn draws_belong_to_seed_replication_and_key() {
        let text = TEXT.replace("high = '220/s'", "high = '220/s', distribution = 'triangular'");
        let draw =
            |seed, replication| resolved(&text, Choice { case: Case::Middle, draw: Some((seed, replication)) }).0;
        assert_eq!(draw(1, 0), draw(1, 0));
        assert!(draw(1, 0) != draw(1, 1) && draw(1, 0) != draw(2, 0));
        // The mean of a triangular distribution is the mean of its three corners: 470/3, variance 611.1.
        let rate = |replication| {
            let text = draw(7, replication);
            let at = text.find("\"rate\" = \"").unwrap() + 10;
            text[at..].split_once("/s").unwrap().0.parse::<f64>().unwrap()
        };
        let mean = (0..4000).map(rate).inspect(|rate| assert!((100.0..=220.0).contains(rate))).sum::<f64>() / 4000.0;
        assert!((mean - 470.0 / 3.0).abs() < 3.0 * (611.1f64 / 4000.0).sqrt(), "{mean}");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for table in [
            "{ low = 3, high = 3 }",
            "{ low = 3, mid = 9, high = 4 }",
            "{ low = '1s', high = '4ms' }",
            "{ low = 'a', high = 'b' }",
            "{ low = 1, high = 2, distribution = 'normal' }",
        ] {
            let mut root = parse_document(&format!("[a]\nx = {table}"), 0).unwrap();
            assert_eq!(resolve(&mut root, Choice::default()).expect_err(table).len(), 1);
        }
        let many: String = (0..5).map(|n| format!("x{n} = {{ low = 1, high = 2 }}\n")).collect();
        let mut root = parse_document(&format!("[a]\n{many}"), 0).unwrap();
        assert_eq!(resolve(&mut root, Choice::default()).expect_err("too many").len(), 1);
    }
}
