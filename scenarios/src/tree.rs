//! The text of a scenario as a tree in which every key and value knows its place.

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_parser::lexer::TokenKind;

use crate::diagnostics::Diagnostic;

/// A place in one of the texts a scenario was read from. Texts are numbered: the file is 0, overrides follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Number of the text.
    pub text: u16,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The place of a value that stands in for one that was refused already. Nothing is reported there.
    pub const NOWHERE: Self = Self { text: u16::MAX, start: 0, end: 0 };

    /// The bytes `start..end` of text number `text`.
    pub fn new(text: u16, range: std::ops::Range<usize>) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { text, start: clamp(range.start), end: clamp(range.end) }
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    String(String),
    /// Whole number; what does not fit is `None`.
    Integer(Option<i64>),
    Float(f64),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    /// In the order of the text.
    Table(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub text: String,
    pub span: Span,
}

impl Node {
    /// What kind of value it is, with an article.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::Datetime => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// The same value with every place replaced.
    pub fn moved(mut self, to: Span) -> Self {
        self.relocate(&|_| to);
        self
    }

    fn relocate(&mut self, place: &dyn Fn(Span) -> Span) {
        self.span = place(self.span);
        match &mut self.value {
            Value::Array(items) => items.iter_mut().for_each(|item| item.relocate(place)),
            Value::Table(entries) => {
                for (key, value) in entries {
                    key.span = place(key.span);
                    value.relocate(place);
                }
            }
            _ => {}
        }
    }

    /// The same value with every place pushed `by` bytes to the right.
    pub fn shifted(mut self, by: u32) -> Self {
        self.relocate(&|span| Span { start: span.start.saturating_add(by), end: span.end.saturating_add(by), ..span });
        self
    }
}

/// Deepest nesting of tables and arrays, dotted keys included.
pub(crate) const MAX_DEPTH: usize = 64;
/// How many mistakes of syntax are reported: later ones tend to follow from the first.
const MAX_SYNTAX_ERRORS: usize = 3;

/// Reads a whole file.
pub(crate) fn parse_document(text: &str, number: u16) -> Result<Node, Vec<Diagnostic>> {
    refuse_deep_keys(text, number)?;
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(syntax_errors(&errors, text, number));
    }
    let span = Span::new(number, 0..0);
    Ok(Node { span, value: table_value(table.into_inner(), number) })
}

/// Reads one value.
pub(crate) fn parse_value(text: &str, number: u16) -> Result<Node, Vec<Diagnostic>> {
    refuse_deep_keys(text, number)?;
    let (value, errors) = DeValue::parse_recoverable(text);
    if errors.is_empty() { Ok(node(value, number)) } else { Err(syntax_errors(&errors, text, number)) }
}

/// A key of thousands of dotted parts would nest as many tables, and the stack is finite.
fn refuse_deep_keys(text: &str, number: u16) -> Result<(), Vec<Diagnostic>> {
    let mut depth = 0;
    for token in toml_parser::Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => depth += 1,
            TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString | TokenKind::Whitespace => {}
            _ => depth = 0,
        }
        if depth > MAX_DEPTH {
            let span = Span::new(number, token.span().start()..token.span().end());
            let label = format!("at most {MAX_DEPTH} dotted parts");
            return Err(vec![Diagnostic::error(span, "this key has too many parts", label)]);
        }
    }
    Ok(())
}

fn syntax_errors(errors: &[toml::de::Error], text: &str, number: u16) -> Vec<Diagnostic> {
    let end = text.len();
    let describe = |error: &toml::de::Error| {
        let range = error.span().unwrap_or(end..end);
        let start = range.start.min(end);
        let message = error.message().trim().replace('\n', ", ");
        let label = if start == end { "the text ends here" } else { "here" };
        Diagnostic::error(Span::new(number, start..range.end.min(end)), format!("not TOML: {message}"), label)
            .help("a scenario is a TOML file, see https://toml.io; `stormglass explain` lists its keys")
    };
    errors.iter().take(MAX_SYNTAX_ERRORS).map(describe).collect()
}

fn table_value(table: DeTable<'_>, number: u16) -> Value {
    let mut entries: Vec<(Key, Node)> = table
        .into_iter()
        .map(|(key, value)| {
            let span = Span::new(number, key.span());
            (Key { text: key.into_inner().into_owned(), span }, node(value, number))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span);
    Value::Table(entries)
}

fn node(value: Spanned<DeValue<'_>>, number: u16) -> Node {
    let span = Span::new(number, value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(digits) => Value::Integer(i64::from_str_radix(digits.as_str(), digits.radix()).ok()),
        DeValue::Float(digits) => Value::Float(digits.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(items.into_iter().map(|item| node(item, number)).collect()),
        DeValue::Table(table) => table_value(table, number),
    };
    Node { span, value }
}

/// Whether a tree is nested deeper than any scenario needs.
pub(crate) fn too_deep(node: &Node) -> Option<Span> {
    fn walk(node: &Node, depth: usize) -> Option<Span> {
        if depth > MAX_DEPTH {
            return Some(node.span);
        }
        match &node.value {
            Value::Array(items) => items.iter().find_map(|item| walk(item, depth + 1)),
            Value::Table(entries) => entries.iter().find_map(|(_, value)| walk(value, depth + 1)),
            _ => None,
        }
    }
    walk(node, 0)
}
