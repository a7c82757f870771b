//! Two saved reports (`report.json`) side by side: which figures differ beyond their intervals.
//!
//! The two may come from different seeds, scenarios or versions, so that nothing is paired: a figure differs if its two intervals have
//! nothing in common. That claims less than a test at the same level would, and needs no assumption about how the two go together.

use comfy_table::CellAlignment;
use serde::Serialize;
use serde_json::Value;

use crate::format::{Unit, figure, shorten, tame};
use crate::json;
use crate::model::{Estimate, SCHEMA_VERSION};
use crate::terminal::Page;

/// Version of the shape of the JSON.
pub const DIFF_SCHEMA_VERSION: u32 = 1;
/// Figures beyond these are left to the JSON.
const ROWS_MOST: usize = 40;
/// The parts of a report that hold figures.
const FIGURES: [&str; 14] = [
    "requests",
    "throughput",
    "availability",
    "error_rate",
    "latency",
    "latency_failed",
    "errors",
    "downtime",
    "routes",
    "stations",
    "counters",
    "uptime",
    "error_budget",
    "ledger",
];

/// A saved report, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Saved {
    name: String,
    report: Value,
}

impl Saved {
    /// Reads one.
    ///
    /// # Errors
    /// If it is no report, or one of another schema version.
    pub fn read(name: &str, text: &str) -> Result<Self, String> {
        let report: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
        let version = report.get("schema_version").and_then(Value::as_u64);
        match version {
            _ if report.get("per_replication").is_none() || report.get("latency").is_none() => {
                Err("is no report.json of `stormglass run --out`".to_owned())
            }
            Some(version) if version == u64::from(SCHEMA_VERSION) => Ok(Self { name: name.to_owned(), report }),
            Some(version) => Err(format!(
                "is a report of schema version {version}; this version reads {SCHEMA_VERSION} only: run its scenario again"
            )),
            None => Err("is a report without schema version".to_owned()),
        }
    }

    fn text(&self, key: &str) -> String {
        match self.report.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "none".to_owned(),
            Some(other) => other.to_string(),
        }
    }

    /// All figures by path, in the report's order.
    fn figures(&self) -> Vec<(String, Estimate)> {
        let mut all = Vec::new();
        for part in FIGURES {
            if let Some(node) = self.report.get(part) {
                collect(node, part, &mut all);
            }
        }
        all
    }
}

fn collect(node: &Value, path: &str, all: &mut Vec<(String, Estimate)>) {
    let Value::Object(children) = node else { return };
    if children.contains_key("half_width") {
        let number = |key: &str| children.get(key).and_then(Value::as_f64);
        all.push((
            path.to_owned(),
            Estimate { value: number("value").unwrap_or(f64::NAN), half_width: number("half_width") },
        ));
        return;
    }
    for (name, child) in children {
        collect(child, &format!("{path}.{name}"), all);
    }
}

/// What differs between two reports, and the shape of the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differences {
    /// [`DIFF_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The two reports.
    pub reports: [String; 2],
    /// What the two runs were given differently, such as seed or length.
    pub settings: Vec<Setting>,
    /// How many figures both have.
    pub compared: usize,
    /// How many of them are equal to the last bit.
    pub equal: usize,
    /// How many differ, but within their intervals.
    pub within: usize,
    /// Those that differ beyond their intervals, the most different first.
    pub beyond: Vec<Differing>,
    /// Figures that only one report has, and which.
    pub only_in: [Vec<String>; 2],
}

/// Something that the two runs were given differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name in the report.
    pub name: String,
    /// In both reports.
    pub values: [String; 2],
}

/// A figure that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differing {
    /// Its path.
    pub metric: String,
    /// In both reports.
    pub values: [Estimate; 2],
    /// The second less the first, as a share of the first; NaN if that is zero or one has no value.
    pub relative: f64,
    /// Whether one of the two has no interval, so that any difference counts.
    pub without_interval: bool,
}

/// Compares two reports.
///
/// # Errors
/// If they have no figure in common.
pub fn diff(before: &Saved, after: &Saved) -> Result<Differences, String> {
    let (first, second) = (before.figures(), after.figures());
    let find = |all: &[(String, Estimate)], path: &str| all.iter().find(|(known, _)| known == path).map(|(_, it)| *it);
    let lacking = |from: &[(String, Estimate)], others: &[(String, Estimate)]| -> Vec<String> {
        from.iter().map(|(path, _)| path).filter(|path| find(others, path).is_none()).cloned().collect()
    };
    let only_in = [lacking(&first, &second), lacking(&second, &first)];
    let both: Vec<_> = first.iter().filter_map(|(path, a)| Some((path, *a, find(&second, path)?))).collect();
    if both.is_empty() {
        return Err(format!("{} and {} have no figure in common", before.name, after.name));
    }
    let equal = |a: &Estimate, b: &Estimate| a.value == b.value || (a.value.is_nan() && b.value.is_nan());
    let mut beyond: Vec<(f64, Differing)> = Vec::new();
    let mut within = 0;
    for (path, a, b) in both.iter().filter(|(_, a, b)| !equal(a, b)) {
        let off = (b.value - a.value).abs();
        let reach = a.half_width.unwrap_or(0.0) + b.half_width.unwrap_or(0.0);
        if off <= reach {
            within += 1;
            continue;
        }
        let relative = if a.value == 0.0 { f64::NAN } else { (b.value - a.value) / a.value.abs() };
        let without_interval = a.half_width.is_none() || b.half_width.is_none();
        // The farther apart in half widths the earlier; what has none, or appears or goes, first of all.
        let rank = if off.is_nan() || reach == 0.0 { f64::INFINITY } else { off / reach };
        beyond.push((rank, Differing { metric: (*path).clone(), values: [*a, *b], relative, without_interval }));
    }
    beyond.sort_by(|a, b| b.0.total_cmp(&a.0));
    let settings =
        ["scenario", "version", "seed", "replications", "horizon_s", "warm_up_s"].into_iter().filter_map(|name| {
            let values = [before.text(name), after.text(name)];
            (values[0] != values[1]).then(|| Setting { name: name.to_owned(), values })
        });
    Ok(Differences {
        schema_version: DIFF_SCHEMA_VERSION,
        reports: [before.name.clone(), after.name.clone()],
        settings: settings.collect(),
        compared: both.len(),
        equal: both.iter().filter(|(_, a, b)| equal(a, b)).count(),
        within,
        beyond: beyond.into_iter().map(|(_, it)| it).collect(),
        only_in,
    })
}

impl Differences {
    /// Whether any figure differs beyond its interval, or is in one report only.
    #[must_use]
    pub fn differs(&self) -> bool {
        !self.beyond.is_empty() || self.only_in.iter().any(|only| !only.is_empty())
    }

    /// As JSON: indented, keys in fixed order, a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }

    /// For a terminal.
    #[must_use]
    pub fn to_terminal(&self, colour: bool, width: usize) -> String {
        let mut page = Page::new(colour, width);
        let verdict = match self.beyond.len() {
            0 if self.equal == self.compared && !self.differs() => page.ink.good("EQUAL"),
            0 => page.ink.good("NO DIFFERENCE"),
            _ => page.ink.bad("DIFFERENT"),
        };
        let counts = format!(
            "{} figures: {} equal, {} differ within their intervals, {} beyond them",
            self.compared,
            self.equal,
            self.within,
            self.beyond.len()
        );
        page.line(&format!("{verdict}  {counts}"));
        page.wrapped(&tame(&format!("  A: {}", self.reports[0])), 5);
        page.wrapped(&tame(&format!("  B: {}", self.reports[1])), 5);
        for setting in &self.settings {
            page.line(&tame(&format!("{}: {} in A, {} in B", setting.name, setting.values[0], setting.values[1])));
        }
        if !self.beyond.is_empty() {
            page.heading("Beyond their intervals", "the farthest apart first");
            let mut table = page.new_table(&["figure", "A", "B", "change", ""], 1);
            if let Some(column) = table.column_mut(4) {
                column.set_cell_alignment(CellAlignment::Left);
            }
            for one in self.beyond.iter().take(ROWS_MOST) {
                table.add_row(row(one));
            }
            page.table(&table);
            page.more(self.beyond.len(), ROWS_MOST, "figure");
        }
        for (only, name) in self.only_in.iter().zip(["A", "B"]).filter(|(only, _)| !only.is_empty()) {
            page.heading(&format!("Only in {name}"), "");
            for path in only.iter().take(ROWS_MOST) {
                page.line(&format!("  {}", tame(path)));
            }
            page.more(only.len(), ROWS_MOST, "figure");
        }
        page.text
    }
}

fn row(one: &Differing) -> [String; 5] {
    let unit = Unit::of_path(&one.metric);
    let change = if one.relative.is_finite() { format!("{:+.1} %", one.relative * 100.0) } else { String::new() };
    let remark = if one.without_interval { "no interval" } else { "" };
    [
        shorten(&tame(&one.metric), 44),
        figure(unit, &one.values[0]),
        figure(unit, &one.values[1]),
        change,
        remark.to_owned(),
    ]
}
