//! Changes of single settings, of `--set key=value` and of a variant's `set`: merged into the tree before it is read, so that
//! a mistake in one is told as a mistake in the file is, with a caret under what was typed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder};
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::tree::{Key, MAX_DEPTH, Node, Span, Value, parse_value};

/// Sections whose entries have names that the scenario chooses.
const NAMED: &[&str] = &[
    "catalog",
    "route53",
    "health_check",
    "cloudfront",
    "global_accelerator",
    "alb",
    "ecs",
    "aurora",
    "rds",
    "dynamodb",
    "dax",
    "elasticache",
    "station",
];
/// Sections that are lists.
const LISTS: &[&str] = &["traffic", "deploy", "change", "maintenance", "fault", "expect"];
/// What a comparison needs alike in all variants: they are to differ in what is compared, not in how it is measured.
const NOT_IN_VARIANTS: &[&str] =
    &["duration", "warm_up", "replications", "precision", "seed", "confidence", "downtime_error_rate"];

/// Merges an override, text number `number`, into the tree.
pub(crate) fn apply(root: &mut Node, text: &str, number: u16) -> Result<(), Vec<Diagnostic>> {
    let all = Span::new(number, 0..text.len());
    let Some((parts, equals)) = split_key(text, number) else {
        let error = Diagnostic::error(all, "an override is written key=value", "no `=`, or a quote is not closed");
        return Err(vec![error.help("such as run.duration=30m or ecs.web.desired_count=20")]);
    };
    check_parts(&parts, all).map_err(|error| vec![error])?;
    let value = value(&text[equals + 1..], equals + 1, number)?;
    put(root, &parts, 0, value).map_err(|error| vec![error])
}

/// Merges what a variant sets into the tree.
pub(crate) fn apply_variant(root: &mut Node, set: &Changes) -> Result<(), Vec<Diagnostic>> {
    let errors: Vec<Diagnostic> = set.0.iter().filter_map(|(key, value)| change(root, key, value).err()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// One entry of a variant's `set`.
fn change(root: &mut Node, key: &Key, value: &Node) -> Result<(), Diagnostic> {
    // The parser takes `a.b = 1` for `a = { b = 1 }`, which would replace all of `a`.
    if let (Value::Table(_), false) = (&value.value, key.text.contains('.')) {
        let title = format!("`{}` is a whole section", key.text);
        let error = Diagnostic::error(key.span, title, "which setting of it?");
        return Err(error.help(format!(
            "write the key in quotes: set = {{ \"{}.NAME.SETTING\" = ... }}, such as \"deploy.0.strategy\"",
            key.text
        )));
    }
    // Inside the quotes, if there are any: so that the caret stands under the part that is wrong.
    let inside = usize::from(key.span.end - key.span.start > key.text.len() as u32);
    let offset = key.span.start as usize + inside;
    let unfinished =
        || Diagnostic::error(key.span, "a quote in this key is not closed", "write \"section.name.setting\"");
    let (mut parts, _) = split_key(&format!("{}=", key.text), key.span.text).ok_or_else(unfinished)?;
    for part in &mut parts {
        part.span = Span::new(key.span.text, part.span.start as usize + offset..part.span.end as usize + offset);
    }
    check_parts(&parts, key.span)?;
    let is = |at: usize, names: &[&str]| parts.get(at).is_some_and(|part| names.contains(&part.text.as_str()));
    if is(0, &["variant"]) || is(0, &["run"]) && (parts.len() == 1 || is(1, NOT_IN_VARIANTS)) {
        let title = format!("a variant cannot set `{}`", key.text);
        return Err(Diagnostic::error(key.span, title, "must be the same in all variants")
            .help("variants are run on the same customers, equally long and equally often"));
    }
    put(root, &parts, 0, value.clone())
}

fn check_parts(parts: &[Key], all: Span) -> Result<(), Diagnostic> {
    if parts.len() > MAX_DEPTH {
        return Err(Diagnostic::error(all, "this key has too many parts", format!("at most {MAX_DEPTH}")));
    }
    match parts.iter().find(|part| part.text.is_empty()) {
        Some(empty) => Err(Diagnostic::error(empty.span, "a part of this key is empty", "name a setting")),
        None => Ok(()),
    }
}

/// What a variant sets: dotted keys and their values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changes(Vec<(Key, Node)>);

impl Changes {
    /// Whether it sets nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Decode for Changes {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Table(entries) => Some(Self(entries.clone())),
            _ => d.wrong_kind(node, "a table such as { \"deploy.0.strategy\" = \"blue_green\" }"),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

impl JsonSchema for Changes {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Changes".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "x-type": "a table of dotted keys, such as { \"deploy.0.strategy\" = \"blue_green\" }",
        })
    }
}

/// The dotted parts of a key, and where the `=` is. Parts may be quoted: `route53."www.example.com".ttl`.
pub(crate) fn split_key(text: &str, number: u16) -> Option<(Vec<Key>, usize)> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut start = 0;
    let mut quote: Option<char> = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => part.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, '.' | '=') => {
                let key =
                    Key { text: std::mem::take(&mut part).trim().to_string(), span: Span::new(number, start..at) };
                parts.push(key);
                start = at + 1;
                if c == '=' {
                    return Some((parts, at));
                }
            }
            (None, c) => part.push(c),
        }
    }
    None
}

/// The value, which is TOML; what is not is taken for a string, so that `30m` and `400/s` need no quotes.
fn value(text: &str, offset: usize, number: u16) -> Result<Node, Vec<Diagnostic>> {
    let trimmed = text.trim();
    let start = offset + (text.len() - text.trim_start().len());
    match parse_value(trimmed, number) {
        Ok(node) => Ok(node.shifted(start as u32)),
        Err(errors) if trimmed.starts_with(['"', '\'', '[', '{']) => Err(errors
            .into_iter()
            .map(|mut error| {
                error.span.start = error.span.start.saturating_add(start as u32);
                error.span.end = error.span.end.saturating_add(start as u32);
                error
            })
            .collect()),
        Err(_) => Ok(Node {
            span: Span::new(number, start..start + trimmed.len()),
            value: Value::String(trimmed.to_string()),
        }),
    }
}

fn put(node: &mut Node, parts: &[Key], depth: usize, value: Node) -> Result<(), Diagnostic> {
    let Some((key, rest)) = parts.split_first() else {
        *node = value;
        return Ok(());
    };
    match &mut node.value {
        Value::Table(entries) => {
            if let Some((known, inner)) = entries.iter_mut().find(|(known, _)| known.text == key.text) {
                if rest.is_empty() {
                    known.span = key.span;
                }
                let in_section =
                    if depth == 0 && NAMED.contains(&key.text.as_str()) { Some(key.text.clone()) } else { None };
                if let (Some(section), Some(name), Value::Table(parts)) = (in_section, rest.first(), &inner.value)
                    && rest.len() > 1
                    && !parts.iter().any(|(known, _)| known.text == name.text)
                {
                    let label = advice(&name.text, parts.iter().map(|(known, _)| known.text.as_str()));
                    return Err(Diagnostic::error(name.span, format!("[{section}] has no `{}`", name.text), label));
                }
                return put(inner, rest, depth + 1, value);
            }
            if depth == 0
                && !rest.is_empty()
                && (NAMED.contains(&key.text.as_str()) || LISTS.contains(&key.text.as_str()))
            {
                let title = format!("the scenario has no section `{}`", key.text);
                return Err(Diagnostic::error(key.span, title, "nothing there to override"));
            }
            let mut inner = value;
            for part in rest.iter().rev() {
                let entry = (part.clone(), inner);
                inner = Node { span: part.span, value: Value::Table(vec![entry]) };
            }
            if !rest.is_empty() {
                inner.span = key.span;
            }
            entries.push((key.clone(), inner));
            Ok(())
        }
        Value::Array(items) => {
            let names: Vec<String> = items.iter().map(|item| name_of(item).unwrap_or_default()).collect();
            let by_number = key.text.parse::<usize>().ok().filter(|n| *n < items.len());
            let Some(n) = by_number.or_else(|| names.iter().position(|name| !name.is_empty() && *name == key.text))
            else {
                let title = format!("this list has no entry `{}`", key.text);
                let known = names.iter().map(String::as_str).filter(|name| !name.is_empty());
                let label = match items.len() {
                    0 => "it is empty".to_string(),
                    n if names.iter().all(String::is_empty) => format!("entries are numbered 0 to {}", n - 1),
                    _ => advice(&key.text, known),
                };
                return Err(Diagnostic::error(key.span, title, label));
            };
            put(&mut items[n], rest, depth + 1, value)
        }
        _ => {
            let title = format!("there is no `{}` inside {}", key.text, node.kind());
            Err(Diagnostic::error(key.span, title, "goes too deep").also(node.span, "the value in question"))
        }
    }
}

/// What an entry of a list is called.
pub(crate) fn name_of(item: &Node) -> Option<String> {
    let Value::Table(entries) = &item.value else { return None };
    let of = |wanted: &str| {
        entries.iter().find_map(|(key, node)| match &node.value {
            Value::String(name) if key.text == wanted => Some(name.clone()),
            _ => None,
        })
    };
    of("name").or_else(|| of("path")).or_else(|| of("policy_name")).or_else(|| of("path_pattern"))
}
