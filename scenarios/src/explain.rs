//! `stormglass schema` and `stormglass explain KEY`: what each key means, from the language's own declaration.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::distributions::FAMILIES;
use crate::nearest::nearest;
use crate::raw::Document;

/// How the type of a key that may be a distribution reads; its parameters are not keys of their own.
const DISTRIBUTION: &str = "or a distribution of it";
/// How deep keys nest.
const MAX_DEPTH: usize = 12;

/// The JSON Schema of the scenario language, as pretty JSON.
#[must_use]
pub fn schema() -> String {
    let mut schema = document();
    allow_ranges(&mut schema);
    schema["$defs"]["Range"] = range_schema();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

/// Numbers, with or without a unit, may be ranges wherever they stand.
fn allow_ranges(schema: &mut Value) {
    let range = || json!({ "$ref": "#/$defs/Range" });
    let is_number = |schema: &Value| {
        let numeric = matches!(schema["type"].as_str(), Some("integer" | "number"));
        numeric || (schema["type"] == "string" && schema["pattern"].is_string())
    };
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                for property in properties.values_mut() {
                    let choices = property.get_mut("anyOf").and_then(Value::as_array_mut);
                    if let Some(choices) = choices.filter(|choices| choices.iter().any(is_number)) {
                        choices.push(range());
                    } else if is_number(property) {
                        let about = ["description", "default", "x-default", "x-source"];
                        let mut whole = Map::new();
                        for key in about {
                            whole.extend(property.as_object_mut().and_then(|it| it.remove_entry(key)));
                        }
                        whole.insert("anyOf".into(), json!([property.take(), range()]));
                        *property = Value::Object(whole);
                    }
                }
            }
            fields.values_mut().for_each(allow_ranges);
        }
        Value::Array(items) => items.iter_mut().for_each(allow_ranges),
        _ => {}
    }
}

fn range_schema() -> Value {
    let end = |meaning: &str| json!({ "type": ["number", "string"], "description": meaning });
    let how = "How each replication draws its value; without it the ends are cases.";
    json!({
        "type": "object",
        "description": "A value that is not known for sure: `sweep` and `find` go through it, `run` takes its middle.",
        "additionalProperties": false,
        "properties": {
            "low": end("Smallest value."),
            "mid": end("The value of a plain run; the centre if not given."),
            "high": end("Largest value."),
            "distribution": { "enum": ["uniform", "triangular"], "description": how },
        },
        "required": ["low", "high"],
    })
}

fn document() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema.insert("title".into(), "Stormglass scenario".into());
    schema.to_value()
}

/// A part of a key's path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    /// A name that the scenario chooses.
    Name,
    /// The number or name of a list's entry.
    Entry,
}

/// A key of the language.
struct Entry {
    path: Vec<Part>,
    schema: Value,
}

impl Entry {
    fn shown(&self) -> String {
        let mut text = String::new();
        for part in &self.path {
            match part {
                Part::Key(key) if text.is_empty() => text.push_str(key),
                Part::Key(key) => text.push_str(&format!(".{key}")),
                Part::Name => text.push_str(".NAME"),
                Part::Entry => text.push_str("[]"),
            }
        }
        text
    }

    fn leaf(&self) -> &str {
        self.path
            .iter()
            .rev()
            .find_map(|part| if let Part::Key(key) = part { Some(key.as_str()) } else { None })
            .unwrap_or("")
    }

    fn plain(&self) -> String {
        let keys =
            self.path.iter().filter_map(|part| if let Part::Key(key) = part { Some(key.as_str()) } else { None });
        keys.collect::<Vec<_>>().join(".")
    }
}

/// What a key means, its type, default and the default's source. `key` is dotted, names of parts and numbers of lists may be
/// left out (`ecs.desired_count`, `ecs.web.desired_count`); a last part alone tells all keys that end so.
///
/// # Errors
/// The nearest keys, nearest first.
pub fn explain(key: &str) -> Result<String, Vec<String>> {
    let root = document();
    let entries = entries(&root);
    let wanted = parts(key);
    let mut found: Vec<&Entry> = entries.iter().filter(|entry| fits(&entry.path, &wanted)).collect();
    if found.is_empty() && wanted.len() == 1 {
        found = entries.iter().filter(|entry| entry.leaf() == wanted[0]).collect();
    }
    if found.is_empty() {
        found =
            entries.iter().filter(|entry| wanted.len() > 1 && entry.plain().ends_with(&format!(".{key}"))).collect();
    }
    if found.is_empty() {
        return Err(near(key, &entries));
    }
    Ok(found.iter().map(|entry| describe(entry, &root)).collect::<Vec<_>>().join("\n"))
}

fn near(key: &str, entries: &[Entry]) -> Vec<String> {
    let plain: Vec<String> = entries.iter().map(Entry::plain).collect();
    let mut near: Vec<String> = nearest(key, plain.iter().map(String::as_str)).into_iter().map(String::from).collect();
    let leaf = key.rsplit('.').next().unwrap_or(key);
    for name in nearest(leaf, entries.iter().map(Entry::leaf)) {
        let of_leaf = entries.iter().filter(|entry| entry.leaf() == name).map(Entry::plain);
        let first_word = key.split('.').next().unwrap_or_default();
        let mut of_leaf: Vec<String> = of_leaf.collect();
        of_leaf.sort_by_key(|path| !path.starts_with(first_word));
        near.extend(of_leaf);
    }
    let mut seen = std::collections::BTreeSet::new();
    near.retain(|path| seen.insert(path.clone()));
    near.truncate(5);
    near
}

/// The dotted parts of a key; quotes keep a name with dots together.
fn parts(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in key.trim().chars() {
        match c {
            '"' | '\'' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => parts.last_mut().expect("never empty").push(c),
        }
    }
    parts
}

fn fits(path: &[Part], wanted: &[String]) -> bool {
    match (path.split_first(), wanted.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Part::Key(key), rest)), Some((first, others))) => key == first && fits(rest, others),
        (Some((Part::Key(_), _)), None) => false,
        (Some((_, rest)), _) => fits(rest, wanted) || (!wanted.is_empty() && fits(rest, &wanted[1..])),
    }
}

fn entries(root: &Value) -> Vec<Entry> {
    let mut all = Vec::new();
    collect(root, root, &[], &mut all, 0);
    all
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    target.and_then(|name| root.get("$defs")?.get(name)).unwrap_or(schema)
}

fn collect(root: &Value, schema: &Value, path: &[Part], all: &mut Vec<Entry>, depth: usize) {
    let schema = resolve(root, schema);
    let distribution = schema.get("x-type").and_then(Value::as_str).is_some_and(|text| text.contains(DISTRIBUTION));
    if depth > MAX_DEPTH || distribution {
        return;
    }
    for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path: Vec<Part> = path.iter().cloned().chain([Part::Key(key.clone())]).collect();
        all.push(Entry { path: path.clone(), schema: inner.clone() });
        collect(root, inner, &path, all, depth + 1);
    }
    let mut deeper = |inner: &Value, part: Option<Part>| {
        let path: Vec<Part> = path.iter().cloned().chain(part).collect();
        collect(root, inner, &path, all, depth + 1);
    };
    if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
        deeper(inner, Some(Part::Name));
    }
    if let Some(inner) = schema.get("items") {
        deeper(inner, Some(Part::Entry));
    }
    for inner in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        deeper(inner, None);
    }
}

fn describe(entry: &Entry, root: &Value) -> String {
    let text = |key: &str| entry.schema.get(key).and_then(Value::as_str).map(String::from);
    let mut out = format!("{}\n", entry.shown());
    if let Some(meaning) = text("description") {
        for line in wrap(&meaning, 100) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    out.push_str(&format!("  type:    {}\n", type_of(&entry.schema, root)));
    if type_of(&entry.schema, root).contains(DISTRIBUTION) {
        out.push_str(&format!("           {}\n", FAMILIES.join(", ")));
    }
    let line = match (text("x-default"), entry.schema.get("default")) {
        (Some(default), Some(_)) => format!("default: {default}"),
        (Some(meaning), None) => format!("absent:  {meaning}"),
        (None, _) => "default: none, it must be given".to_string(),
    };
    out.push_str(&format!("  {line}\n"));
    if let Some(source) = text("x-source") {
        out.push_str(&format!("  source:  {source}\n"));
    }
    let mut keys = Vec::new();
    collect(root, &entry.schema, &[], &mut keys, MAX_DEPTH - 2);
    let mut direct: Vec<&str> = keys
        .iter()
        .filter(|inner| inner.path.iter().filter(|part| matches!(part, Part::Key(_))).count() == 1)
        .map(Entry::leaf)
        .collect();
    direct.dedup();
    if !direct.is_empty() {
        for line in wrap(&format!("keys: {}", direct.join(", ")), 100) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    out
}

fn type_of(schema: &Value, root: &Value) -> String {
    if let Some(text) = schema.get("x-type").and_then(Value::as_str) {
        return text.to_string();
    }
    let resolved = resolve(root, schema);
    if !std::ptr::eq(resolved, schema) {
        return type_of(resolved, root);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words.iter().map(Value::to_string).collect();
        return format!("one of {}", words.join(", "));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => "a whole number".into(),
        Some("number") => "a number".into(),
        Some("string") => "a string".into(),
        Some("boolean") => "true or false".into(),
        Some("array") => match schema.get("items").filter(|items| items.is_object()) {
            Some(items) => format!("a list: each {}", type_of(items, root)),
            None => "a list of two".into(),
        },
        Some("object") => match schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            Some(inner) => format!("a table of names: each {}", type_of(inner, root)),
            None => "a table".into(),
        },
        _ => "a value".into(),
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_string());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
