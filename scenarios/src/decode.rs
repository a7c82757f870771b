//! From the tree to the raw structs. Every mistake is noted and reading goes on, so that one load tells all of them.
//!
//! [`table!`] declares a table of the language once: its keys, what they mean, their defaults and where those come from. The
//! reader, the JSON Schema and `stormglass explain` all follow from that declaration, so they cannot disagree.

use std::borrow::Cow;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diagnostics::Diagnostic;
use crate::nearest::{advice, list, nearest};
use crate::tree::{Node, Span, Value, parse_value};

/// How many unknown keys of one table are told.
const MAX_UNKNOWN: usize = 50;

/// Where mistakes are noted.
#[derive(Default)]
pub(crate) struct Decoder {
    pub errors: Vec<Diagnostic>,
}

/// What can be read from a value.
pub(crate) trait Decode: Sized {
    /// Reads it; `None` if it is wrong, which has been noted then.
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self>;
    /// Stands in for a wrong one, so that reading can go on.
    fn stand_in() -> Option<Self> {
        None
    }
}

impl Decoder {
    /// Notes a mistake.
    pub fn error(&mut self, diagnostic: Diagnostic) {
        if diagnostic.span != Span::NOWHERE {
            self.errors.push(diagnostic);
        }
    }

    /// Notes that a value is of the wrong kind.
    pub fn wrong_kind<T>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        self.error(Diagnostic::error(
            node.span,
            format!("expected {wanted}, found {}", node.kind()),
            format!("expected {wanted}"),
        ));
        None
    }

    /// The entries of a table.
    pub fn table<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<TableReader<'n>> {
        match &node.value {
            Value::Table(entries) => {
                Some(TableReader { span: node.span, entries, known: Vec::new(), what, not_modelled: &[] })
            }
            _ => self.wrong_kind(node, &format!("a table ({what})")),
        }
    }
}

/// Reads the keys of a table, and tells which were never asked for.
pub(crate) struct TableReader<'n> {
    pub span: Span,
    pub entries: &'n [(crate::tree::Key, Node)],
    known: Vec<&'static str>,
    what: &'static str,
    pub not_modelled: &'static [&'static str],
}

impl<'n> TableReader<'n> {
    fn find(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// A key that must be there.
    pub fn required<T: Decode>(&mut self, d: &mut Decoder, key: &'static str) -> Option<T> {
        let Some(node) = self.find(key) else {
            let title = format!("{} lacks `{key}`", self.what);
            d.error(Diagnostic::error(self.span, title, format!("`{key}` is missing here")));
            return T::stand_in();
        };
        T::decode(node, d).or_else(T::stand_in)
    }

    /// A key that may be absent.
    pub fn optional<T: Decode>(&mut self, d: &mut Decoder, key: &'static str) -> Option<Option<T>> {
        Some(self.find(key).and_then(|node| T::decode(node, d).or_else(T::stand_in)))
    }

    /// A key with a default, which is TOML.
    pub fn default<T: Decode>(&mut self, d: &mut Decoder, key: &'static str, default: &str) -> Option<T> {
        let place = match self.find(key) {
            None => self.span,
            Some(node) => match T::decode(node, d) {
                Some(value) => return Some(value),
                // The default stands in for what was refused, and nothing is said of it.
                None => Span::NOWHERE,
            },
        };
        T::decode(&parse_value(default, 0).expect("defaults are TOML").moved(place), d)
    }

    /// Notes the keys that nobody asked for.
    pub fn finish(self, d: &mut Decoder) {
        let unknown = self.entries.iter().filter(|(key, _)| !self.known.contains(&key.text.as_str()));
        for (key, _) in unknown.take(MAX_UNKNOWN) {
            let name = &key.text;
            if self.not_modelled.contains(&name.as_str()) {
                d.error(not_modelled(key.span, name, &[]));
                continue;
            }
            let near = nearest(name, self.known.iter().copied());
            let label = near.first().map_or("unknown key".to_string(), |near| format!("did you mean `{near}`?"));
            d.error(
                Diagnostic::error(key.span, format!("{} has no key `{name}`", self.what), label)
                    .help(format!("known keys: {}", list(&self.known))),
            );
        }
    }
}

/// Something AWS has and Stormglass has not.
pub(crate) fn not_modelled(span: Span, name: &str, known: &[&str]) -> Diagnostic {
    let error = Diagnostic::error(span, format!("`{name}` is not modelled yet"), "not modelled yet");
    let help = "a scenario that asks for it is refused, because leaving it out would give other results";
    if known.is_empty() { error.help(help) } else { error.help(format!("modelled: {}", list(known))).help(help) }
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sp<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Deref for Sp<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Decode> Decode for Sp<T> {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        Some(Self { value: T::decode(node, d)?, span: node.span })
    }
    fn stand_in() -> Option<Self> {
        T::stand_in().map(|value| Self { value, span: Span::NOWHERE })
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        T::decode(node, d).map(Box::new)
    }
}

/// The schema of a wrapper is that of what it wraps.
macro_rules! transparent_schema {
    ($wrapper:ident) => {
        impl<T: JsonSchema> JsonSchema for $wrapper<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }
            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }
            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}
transparent_schema!(Sp);

impl Decode for String {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            _ => d.wrong_kind(node, "a string"),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self::new())
    }
}

impl Decode for bool {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Boolean(value) => Some(value),
            _ => d.wrong_kind(node, "`true` or `false`"),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(false)
    }
}

/// A whole number from 0 to `most`.
fn whole(node: &Node, d: &mut Decoder, most: u64) -> Option<u64> {
    let refuse = |d: &mut Decoder, title: &str, label: String| {
        d.error(Diagnostic::error(node.span, title, label));
        None
    };
    match &node.value {
        Value::Integer(Some(n)) if *n < 0 => refuse(d, "a count cannot be negative", "0 or more".into()),
        Value::Integer(Some(n)) if *n as u64 <= most => Some(*n as u64),
        Value::Integer(_) => refuse(d, "this number is too large", format!("at most {most}")),
        Value::Float(x) if *x > most as f64 => refuse(d, "this number is too large", format!("at most {most}")),
        Value::Float(_) => refuse(d, "expected a whole number", "write it without a point or exponent".into()),
        Value::String(text) if text.trim().parse::<i64>().is_ok() => {
            refuse(d, "expected a whole number, found a string", format!("write {} without quotes", text.trim()))
        }
        _ => d.wrong_kind(node, "a whole number"),
    }
}

impl Decode for u64 {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        whole(node, d, i64::MAX as u64)
    }
    fn stand_in() -> Option<Self> {
        Some(1)
    }
}

impl Decode for u32 {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        whole(node, d, Self::MAX.into()).and_then(|n| Self::try_from(n).ok())
    }
    fn stand_in() -> Option<Self> {
        Some(1)
    }
}

impl Decode for i32 {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Integer(Some(n)) if Self::try_from(*n).is_ok() => Self::try_from(*n).ok(),
            Value::Integer(_) => {
                d.error(Diagnostic::error(node.span, "this number is too large", format!("at most {}", Self::MAX)));
                None
            }
            _ => d.wrong_kind(node, "a whole number"),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(1)
    }
}

impl Decode for f64 {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Integer(Some(n)) => Some(n as Self),
            Value::Float(value) if value.is_finite() => Some(value),
            Value::Float(_) => {
                d.error(Diagnostic::error(node.span, "expected a finite number", "neither `nan` nor `inf`"));
                None
            }
            _ => d.wrong_kind(node, "a number"),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(1.0)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Array(items) => Some(items.iter().filter_map(|item| T::decode(item, d)).collect()),
            Value::Table(_) => {
                d.error(
                    Diagnostic::error(node.span, "expected a list, found a table", "there can be several of these")
                        .help("write `[[...]]` with two brackets, or `[ { ... } ]`"),
                );
                None
            }
            _ => d.wrong_kind(node, "a list in `[ ]`"),
        }
    }
    fn stand_in() -> Option<Self> {
        Some(Self::new())
    }
}

/// A pair, written as a list of two.
#[derive(Clone, Debug)]
pub(crate) struct Pair<A, B>(pub A, pub B);

impl<A: Decode, B: Decode> Decode for Pair<A, B> {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Array(items) if items.len() == 2 => {
                let (first, second) = (A::decode(&items[0], d), B::decode(&items[1], d));
                Some(Self(first?, second?))
            }
            _ => d.wrong_kind(node, "a pair in `[ , ]`"),
        }
    }
}

impl<A: JsonSchema, B: JsonSchema> JsonSchema for Pair<A, B> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}And{}", A::schema_name(), B::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = [generator.subschema_for::<A>(), generator.subschema_for::<B>()];
        json_schema!({ "type": "array", "prefixItems": items, "items": false, "minItems": 2 })
    }
}

/// Parts by name: `[ecs.web]`, `[ecs.search]`. A part that could not be read keeps its name, so that references to it hold.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    pub entries: Vec<(Sp<String>, Option<T>)>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> Named<T> {
    /// Names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.iter().map(|(name, _)| name.as_str())
    }
    /// The number of a name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|(known, _)| known.as_str() == name)
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// Those that could be read, with number and name.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Sp<String>, &T)> {
        self.entries.iter().enumerate().filter_map(|(i, (name, part))| Some((i, name, part.as_ref()?)))
    }
}

impl<T: Decode> Decode for Named<T> {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        let Value::Table(entries) = &node.value else { return d.wrong_kind(node, "a table of named parts") };
        let read = |(key, value): &(crate::tree::Key, Node), d: &mut Decoder| {
            (Sp { value: key.text.clone(), span: key.span }, T::decode(value, d))
        };
        Some(Self { entries: entries.iter().map(|entry| read(entry, d)).collect() })
    }
    fn stand_in() -> Option<Self> {
        Some(Self::default())
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

/// One word out of several.
pub(crate) fn one_of<T: Copy>(
    node: &Node,
    d: &mut Decoder,
    words: &[(&'static str, T)],
    refused: &[&'static str],
) -> Option<T> {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let Value::String(text) = &node.value else {
        return d.wrong_kind(node, &format!("one of {}", list(&names)));
    };
    if let Some((_, value)) = words.iter().find(|(word, _)| word == text) {
        return Some(*value);
    }
    if refused.contains(&text.as_str()) {
        d.error(not_modelled(node.span, text, &names));
    } else {
        d.error(Diagnostic::error(node.span, format!("`{text}` is not allowed here"), advice(text, names)));
    }
    None
}

/// Declares a value that is one word out of several; the words after `not` are AWS's but not modelled.
macro_rules! choice {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $vdoc:literal])* $variant:ident = $word:literal,)* } not [$($refused:literal),*]) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $name { $($(#[doc = $vdoc])* $variant,)* }
        impl $name {
            /// As it is written in a scenario.
            #[allow(dead_code, reason = "few choices are spoken of in messages")]
            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
        impl $crate::decode::Decode for $name {
            fn decode(node: &$crate::tree::Node, d: &mut $crate::decode::Decoder) -> Option<Self> {
                $crate::decode::one_of(node, d, &[$(($word, Self::$variant),)*], &[$($refused),*])
            }
            fn stand_in() -> Option<Self> {
                Some([$(Self::$variant,)*][0])
            }
        }
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn schema_id() -> std::borrow::Cow<'static, str> { concat!(module_path!(), "::", stringify!($name)).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),*] })
            }
        }
    };
}
pub(crate) use choice;

/// Adds meaning, default and source to the schema of a key.
pub(crate) fn property(mut schema: Schema, doc: &str, default: Option<(&str, &str)>, optional: bool) -> Schema {
    schema.insert("description".into(), doc.into());
    if let Some((text, source)) = default {
        if optional {
            schema.insert("x-default".into(), text.trim_matches('"').into());
        } else {
            schema.insert("x-default".into(), text.into());
            let value = parse_value(text, 0).map(|node| json(&node)).unwrap_or_default();
            schema.insert("default".into(), value);
        }
        schema.insert("x-source".into(), source.into());
    }
    schema
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(n) => (*n).into(),
        Value::Float(x) => (*x).into(),
        Value::Boolean(b) => (*b).into(),
        Value::Datetime => serde_json::Value::Null,
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Table(entries) => entries.iter().map(|(key, value)| (key.text.clone(), json(value))).collect(),
    }
}

/// The doc comment of a key as one paragraph.
pub(crate) fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_string()
}

/// Declares a table of the language. Before each key stands its kind: `required`, `default(TOML value, source)`, or
/// `optional`, which may say in words what its absence means and why: `optional("no timeout", "assumption")`.
macro_rules! table {
    (@type required $ty:ty) => { $ty };
    (@type default $ty:ty) => { $ty };
    (@type optional $ty:ty) => { Option<$ty> };
    (@read required $reader:ident $d:ident $key:ident) => { $reader.required($d, stringify!($key)) };
    (@read optional $reader:ident $d:ident $key:ident $($rest:tt)*) => { $reader.optional($d, stringify!($key)) };
    (@read default $reader:ident $d:ident $key:ident $value:tt) => {
        $reader.default($d, stringify!($key), stringify!($value))
    };
    (@default $value:tt $source:literal) => { Some((stringify!($value), $source)) };
    (@default) => { None };
    (@optional optional) => { true };
    (@optional $other:ident) => { false };
    (@required required) => { true };
    (@required $other:ident) => { false };
    (
        $(#[doc = $doc:literal])*
        $name:ident as $what:literal {
            $($(#[doc = $fdoc:literal])* $kind:ident $(($value:tt, $source:literal))? $key:ident: $ty:ty,)*
        }
        $(not [$($refused:literal),* $(,)?])?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        #[allow(dead_code, reason = "some tables are never pointed at, and some keys have one value only")]
        pub(crate) struct $name {
            /// Where it stands.
            pub span: $crate::tree::Span,
            $($(#[doc = $fdoc])* pub $key: table!(@type $kind $ty),)*
        }
        impl $crate::decode::Decode for $name {
            fn decode(node: &$crate::tree::Node, d: &mut $crate::decode::Decoder) -> Option<Self> {
                let mut reader = d.table(node, $what)?;
                $(reader.not_modelled = &[$($refused),*];)?
                $(let $key: Option<table!(@type $kind $ty)> = table!(@read $kind reader d $key $($value)?);)*
                reader.finish(d);
                Some(Self { span: node.span, $($key: $key?,)* })
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn schema_id() -> std::borrow::Cow<'static, str> { concat!(module_path!(), "::", stringify!($name)).into() }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut properties = serde_json::Map::new();
                let mut required: Vec<&str> = Vec::new();
                $(
                    let doc = $crate::decode::paragraph(&[$($fdoc),*]);
                    let default: Option<(&str, &str)> = table!(@default $($value $source)?);
                    let schema = generator.subschema_for::<$ty>();
                    let schema = $crate::decode::property(schema, &doc, default, table!(@optional $kind));
                    properties.insert(stringify!($key).to_string(), schema.to_value());
                    if table!(@required $kind) {
                        required.push(stringify!($key));
                    }
                )*
                schemars::json_schema!({
                    "type": "object",
                    "description": $crate::decode::paragraph(&[$($doc),*]),
                    "additionalProperties": false,
                    "properties": properties,
                    "required": required,
                })
            }
        }
    };
}
pub(crate) use table;
