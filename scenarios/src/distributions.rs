//! One vocabulary of distributions for times and sizes: `"8ms"`, `{ exponential = "20ms" }`,
//! `{ lognormal = { median = "8ms", p99 = "60ms" } }`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sim_core::distribution::{Distribution, DistributionError};

use crate::decode::{Decode, Decoder};
use crate::diagnostics::Diagnostic;
use crate::nearest::{advice, list};
use crate::tree::{Node, Span, Value};
use crate::units::{Kind, quantity, quantity_schema};

/// A distribution of times, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimeDist(pub Distribution);

/// A distribution of sizes, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SizeDist(pub Distribution);

impl Decode for TimeDist {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        distribution(node, d, Kind::Time).map(Self)
    }
    fn stand_in() -> Option<Self> {
        Some(Self(Distribution::Constant(0.0)))
    }
}

impl Decode for SizeDist {
    fn decode(node: &Node, d: &mut Decoder) -> Option<Self> {
        distribution(node, d, Kind::Size).map(Self)
    }
    fn stand_in() -> Option<Self> {
        Some(Self(Distribution::Constant(1.0)))
    }
}

/// The families there are.
pub(crate) const FAMILIES: &[&str] = &[
    "constant",
    "exponential",
    "uniform",
    "normal",
    "lognormal",
    "gamma",
    "erlang",
    "hyperexponential",
    "weibull",
    "pareto",
    "empirical",
    "mixture",
];

/// Most points of an empirical distribution, and most components of a mixture.
const MAX_POINTS: usize = 10_000;

fn distribution(node: &Node, d: &mut Decoder, kind: Kind) -> Option<Distribution> {
    let entries = match &node.value {
        Value::Table(entries) => entries,
        Value::Array(_) | Value::Boolean(_) | Value::Datetime => {
            return d.wrong_kind(node, &format!("{} such as \"{}\", or a distribution", kind.name(), kind.example()));
        }
        _ => {
            let value = quantity(node, d, kind)?;
            return made(Distribution::constant(value), node.span, d);
        }
    };
    let [(key, value)] = entries.as_slice() else {
        let error = Diagnostic::error(node.span, "a distribution has exactly one key: its family", "one key, not more");
        d.error(error.help(format!("families: {}", list(FAMILIES))).help("such as { exponential = \"20ms\" }"));
        return None;
    };
    let made_of = match key.text.as_str() {
        "constant" => Distribution::constant(quantity(value, d, kind)?),
        "exponential" => Distribution::exponential(quantity(value, d, kind)?),
        "uniform" => {
            let Value::Array(bounds) = &value.value else {
                return d.wrong_kind(value, "two bounds such as [\"1ms\", \"3ms\"]");
            };
            let [low, high] = bounds.as_slice() else {
                return d.wrong_kind(value, "two bounds such as [\"1ms\", \"3ms\"]");
            };
            let (low, high) = (quantity(low, d, kind), quantity(high, d, kind));
            Distribution::uniform(low?, high?)
        }
        "normal" => {
            let [mean, sd] = parameters(value, d, kind, "normal", [("mean", Is::Quantity), ("sd", Is::Quantity)])?;
            Distribution::normal(mean, sd)
        }
        "lognormal" => lognormal(value, d, kind)?,
        "gamma" => {
            let [mean, shape] = parameters(value, d, kind, "gamma", [("mean", Is::Quantity), ("shape", Is::Number)])?;
            Distribution::gamma_shape_mean(shape, mean)
        }
        "erlang" => {
            let [mean, k] = parameters(value, d, kind, "erlang", [("mean", Is::Quantity), ("k", Is::Count)])?;
            Distribution::erlang(k as u32, mean)
        }
        "hyperexponential" => {
            let wanted = [("mean", Is::Quantity), ("cv", Is::Number)];
            let [mean, cv] = parameters(value, d, kind, "hyperexponential", wanted)?;
            Distribution::hyperexponential(mean, cv)
        }
        "weibull" => {
            let wanted = [("shape", Is::Number), ("scale", Is::Quantity)];
            let [shape, scale] = parameters(value, d, kind, "weibull", wanted)?;
            Distribution::weibull(shape, scale)
        }
        "pareto" => {
            let wanted = [("shape", Is::Number), ("low", Is::Quantity), ("high", Is::Quantity)];
            let [shape, low, high] = parameters(value, d, kind, "pareto", wanted)?;
            Distribution::pareto(shape, low, high)
        }
        "empirical" => Distribution::empirical(&points(value, d, kind)?),
        "mixture" => Distribution::mixture(components(value, d, kind)?),
        other => {
            let title = format!("`{other}` is no family of distributions");
            d.error(Diagnostic::error(key.span, title, advice(other, FAMILIES.iter().copied())));
            return None;
        }
    };
    made(made_of, value.span, d)
}

fn made(made: Result<Distribution, DistributionError>, span: Span, d: &mut Decoder) -> Option<Distribution> {
    match made {
        Ok(distribution) if distribution.mean().is_finite() => Some(distribution),
        Ok(_) => {
            d.error(Diagnostic::error(span, "this distribution has no finite mean", "its parameters are too large"));
            None
        }
        Err(error) => {
            d.error(Diagnostic::error(span, "there is no such distribution", error.to_string()));
            None
        }
    }
}

/// What a parameter is.
#[derive(Clone, Copy)]
enum Is {
    Quantity,
    Number,
    Count,
}

fn parameter(node: &Node, d: &mut Decoder, kind: Kind, is: Is) -> Option<f64> {
    match is {
        Is::Quantity => quantity(node, d, kind),
        Is::Number => match f64::decode(node, d)? {
            x if x >= 0.0 => Some(x),
            _ => {
                d.error(Diagnostic::error(node.span, "this cannot be negative", "0 or more"));
                None
            }
        },
        Is::Count => u32::decode(node, d).map(f64::from),
    }
}

/// The parameters of a family, all of which must be there.
fn parameters<const N: usize>(
    node: &Node,
    d: &mut Decoder,
    kind: Kind,
    family: &str,
    wanted: [(&'static str, Is); N],
) -> Option<[f64; N]> {
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    let Value::Table(entries) = &node.value else {
        return d.wrong_kind(node, &format!("the parameters {} in {{ }}", list(&names)));
    };
    let mut good = true;
    for (key, _) in entries.iter().filter(|(key, _)| !names.contains(&key.text.as_str())) {
        let title = format!("{family} has no parameter `{}`", key.text);
        d.error(Diagnostic::error(key.span, title, advice(&key.text, names.iter().copied())));
        good = false;
    }
    let mut values = [0.0; N];
    for ((name, is), value) in wanted.iter().zip(&mut values) {
        match entries.iter().find(|(key, _)| key.text == *name) {
            Some((_, node)) => match parameter(node, d, kind, *is) {
                Some(number) => *value = number,
                None => good = false,
            },
            None => {
                let title = format!("{family} lacks its parameter `{name}`");
                d.error(Diagnostic::error(node.span, title, format!("needs {}", list(&names))));
                good = false;
            }
        }
    }
    good.then_some(values)
}

fn lognormal(node: &Node, d: &mut Decoder, kind: Kind) -> Option<Result<Distribution, DistributionError>> {
    let has =
        |name: &str| matches!(&node.value, Value::Table(entries) if entries.iter().any(|(key, _)| key.text == name));
    if has("median") || has("p99") {
        let wanted = [("median", Is::Quantity), ("p99", Is::Quantity)];
        let [median, p99] = parameters(node, d, kind, "lognormal by median and p99", wanted)?;
        Some(Distribution::lognormal_median_p99(median, p99))
    } else if has("cv") {
        let wanted = [("mean", Is::Quantity), ("cv", Is::Number)];
        let [mean, cv] = parameters(node, d, kind, "lognormal by mean and cv", wanted)?;
        Some(Distribution::lognormal_mean_cv(mean, cv))
    } else if has("sigma") {
        let wanted = [("mean", Is::Quantity), ("sigma", Is::Number)];
        let [mean, sigma] = parameters(node, d, kind, "lognormal by mean and sigma", wanted)?;
        Some(Distribution::lognormal_mean_sigma(mean, sigma))
    } else {
        let title = "a lognormal distribution needs two parameters";
        let label = "{ median, p99 }, { mean, cv } or { mean, sigma }";
        d.error(Diagnostic::error(node.span, title, label));
        None
    }
}

/// `[["50%", "4ms"], ["99%", "20ms"]]`
fn points(node: &Node, d: &mut Decoder, kind: Kind) -> Option<Vec<(f64, f64)>> {
    let Value::Array(items) = &node.value else {
        return d.wrong_kind(node, "quantiles such as [[\"50%\", \"4ms\"], [\"99%\", \"20ms\"]]");
    };
    if too_many(node, items.len(), d) {
        return None;
    }
    let read = |item: &Node, d: &mut Decoder| match &item.value {
        Value::Array(pair) if pair.len() == 2 => {
            let (p, value) = (quantity(&pair[0], d, Kind::Percent), quantity(&pair[1], d, kind));
            Some((p?, value?))
        }
        _ => d.wrong_kind(item, "a quantile such as [\"99%\", \"20ms\"]"),
    };
    let points: Vec<Option<(f64, f64)>> = items.iter().map(|item| read(item, d)).collect();
    points.into_iter().collect()
}

/// `[{ weight = 9, of = "2ms" }, { weight = 1, of = { exponential = "50ms" } }]`
fn components(node: &Node, d: &mut Decoder, kind: Kind) -> Option<Vec<(f64, Distribution)>> {
    let wanted = "components such as { weight = 9, of = \"2ms\" }";
    let Value::Array(items) = &node.value else { return d.wrong_kind(node, wanted) };
    if too_many(node, items.len(), d) {
        return None;
    }
    let read = |item: &Node, d: &mut Decoder| {
        let mut reader = d.table(item, "a component of a mixture")?;
        let (mut weight, mut of) = (None, None);
        for (key, value) in reader.entries {
            match key.text.as_str() {
                "weight" => weight = parameter(value, d, kind, Is::Number),
                "of" => of = distribution(value, d, kind),
                _ => {}
            }
        }
        let _: Option<Raw> = reader.required(d, "weight");
        let _: Option<Raw> = reader.required(d, "of");
        reader.finish(d);
        Some((weight?, of?))
    };
    let components: Vec<Option<(f64, Distribution)>> = items.iter().map(|item| read(item, d)).collect();
    components.into_iter().collect()
}

/// Anything at all: only asks whether a key is there.
struct Raw;
impl Decode for Raw {
    fn decode(_: &Node, _: &mut Decoder) -> Option<Self> {
        Some(Self)
    }
}

fn too_many(node: &Node, n: usize, d: &mut Decoder) -> bool {
    if n > MAX_POINTS {
        d.error(Diagnostic::error(node.span, format!("{n} points are too many"), format!("at most {MAX_POINTS}")));
    }
    n > MAX_POINTS
}

/// The schema of a distribution of some kind of quantity.
fn schema(kind: Kind) -> Schema {
    let quantity = quantity_schema(kind);
    let q = quantity.as_value();
    let number = serde_json::json!({ "type": "number", "minimum": 0 });
    let object = |properties: serde_json::Value| {
        let required: Vec<String> = properties.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
        serde_json::json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        })
    };
    let text = format!("{} such as \"{}\", or a distribution of it", kind.name(), kind.example());
    json_schema!({
        "x-type": text,
        "anyOf": [
            q,
            object(serde_json::json!({ "constant": q })),
            object(serde_json::json!({ "exponential": q })),
            object(serde_json::json!({ "uniform": { "type": "array", "items": q, "minItems": 2, "maxItems": 2 } })),
            object(serde_json::json!({ "normal": object(serde_json::json!({ "mean": q, "sd": q })) })),
            object(serde_json::json!({ "lognormal": { "anyOf": [
                object(serde_json::json!({ "median": q, "p99": q })),
                object(serde_json::json!({ "mean": q, "cv": number })),
                object(serde_json::json!({ "mean": q, "sigma": number })),
            ] } })),
            object(serde_json::json!({ "gamma": object(serde_json::json!({ "mean": q, "shape": number })) })),
            object(serde_json::json!({ "erlang": object(serde_json::json!({ "mean": q, "k": { "type": "integer" } })) })),
            object(serde_json::json!({ "hyperexponential": object(serde_json::json!({ "mean": q, "cv": number })) })),
            object(serde_json::json!({ "weibull": object(serde_json::json!({ "shape": number, "scale": q })) })),
            object(serde_json::json!({ "pareto": object(serde_json::json!({ "shape": number, "low": q, "high": q })) })),
            object(serde_json::json!({ "empirical": { "type": "array", "items": {
                "type": "array", "prefixItems": [quantity_schema(Kind::Percent).as_value(), q], "minItems": 2, "items": false,
            } } })),
            object(serde_json::json!({ "mixture": { "type": "array", "items": object(serde_json::json!({
                "weight": number, "of": true,
            })) } })),
        ],
    })
}

impl JsonSchema for TimeDist {
    fn schema_name() -> Cow<'static, str> {
        "TimeDistribution".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(Kind::Time)
    }
}

impl JsonSchema for SizeDist {
    fn schema_name() -> Cow<'static, str> {
        "SizeDistribution".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(Kind::Size)
    }
}
