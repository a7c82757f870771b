//! What a sweep varies.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, Decoder, Sp, table};
use crate::diagnostics::Diagnostic;
use crate::sweep::levels::{Levels, literal};
use crate::tree::{Node, Value};

table! {
    /// What `stormglass sweep` and `stormglass find` vary, unless the command line says so.
    Sweep as "[sweep]" {
        /// Settings and the values they take, in all combinations: { "ecs.web.desired_count" = "2..40:2",
        /// "traffic.users.rate" = ["100/s", "200/s"] }. A key is quoted and written as after --set; values are a list or text as
        /// after --vary: ranges a..b:step or a..b:*factor, and lists a,b,c.
        default({}, "nothing is varied") vary: Sp<Keyed<Levels>>,
        /// Instead of all combinations, the points one by one: [{ "ecs.web.desired_count" = 2, "ecs.web.cpu" = "1 vCPU" }, ...].
        /// Each has the same keys.
        default([], "all combinations of vary") points: Vec<Sp<Keyed<Level>>>,
        /// Figures that are drawn and shown, such as "latency.p99". All of a point's headline figures are in the files anyway.
        default([], "those of [[expect]]; without any, throughput, latency.p99 and error_rate") metrics: Vec<Sp<String>>,
    }
}

/// A single value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level(pub String);

impl Decode for Level {
    fn decode(node: &Node, _: &mut Decoder) -> Option<Self> {
        Some(Self(literal(node)))
    }
}

impl JsonSchema for Level {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Level".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-type": "a value of the setting" })
    }
}

impl JsonSchema for Levels {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Levels".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-type": "values such as \"2..40:2\", or a list of them" })
    }
}

/// What belongs to settings, each named by its whole dotted key in quotes.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<T>(pub Vec<(Sp<String>, T)>);

impl<T: Decode> Decode for Keyed<T> {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        let Value::Table(entries) = &node.value else { return d.wrong_kind(node, "a table of settings") };
        let mut all = Vec::new();
        for (key, value) in entries {
            if !key.text.contains('.') {
                let title = format!("`{}` is no setting of a section", key.text);
                let label = "write the whole dotted key in quotes";
                d.error(
                    Diagnostic::error(key.span, title, label).help("such as \"ecs.web.desired_count\" = \"2..40:2\""),
                );
                continue;
            }
            if let Some(value) = T::decode(value, d) {
                all.push((Sp { value: key.text.clone(), span: key.span }, value));
            }
        }
        Some(Self(all))
    }
    fn stand_in() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

impl<T: JsonSchema> JsonSchema for Keyed<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Keyed{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-type": "settings by their dotted keys", "additionalProperties": generator.subschema_for::<T>() })
    }
}
