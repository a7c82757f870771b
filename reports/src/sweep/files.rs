//! The files of a sweep: what a shard hands over, and what all points together make.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Plan, Record, csv};
use crate::files::write_files;

/// Version of the files' shape. It changes when a field is renamed, removed or given another meaning.
pub const FORMAT: u32 = 1;

/// What a shard's file holds.
#[derive(Clone, Debug)]
pub struct Shard {
    /// The plan it is part of.
    pub plan: Plan,
    /// Which part, such as `3/16`; none if it is all of it.
    pub shard: Option<String>,
    /// Its records by id, each with its line as written.
    pub records: Vec<(Record, String)>,
}

/// The first line of a shard's file.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    plan: Plan,
}

/// A shard's file: the plan, then a line for each of its points.
#[must_use]
pub fn shard_text<'a>(plan: &Plan, shard: Option<String>, lines: impl IntoIterator<Item = &'a str>) -> String {
    let head = serde_json::to_string(&Head { shard, plan: plan.clone() });
    debug_assert!(head.is_ok(), "a plan has only text keys: {head:?}");
    let mut text = head.unwrap_or_default() + "\n";
    text.extend(lines);
    text
}

/// Reads the line of a record of a plan.
///
/// # Errors
/// Why it is none.
pub fn read_line(plan: &Plan, line: &str) -> Result<Record, String> {
    let record: Record = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if record.plan != plan.digest {
        return Err(format!("it is of plan {}, not of {}", record.plan, plan.digest));
    }
    if record.id >= plan.points {
        return Err(format!("the plan has no point {}", record.id));
    }
    Ok(record)
}

/// Reads a shard's file. A last line without an end is not taken: whoever wrote it did not finish. There may be no plan at all
/// then.
///
/// # Errors
/// What is wrong with a line that is whole, with its number.
pub fn read_shard(text: &str) -> Result<Option<Shard>, String> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut lines = whole.split_inclusive('\n');
    let Some(head) = lines.next() else { return Ok(None) };
    let head: Head = serde_json::from_str(head).map_err(|error| format!("line 1 is no plan of a sweep: {error}"))?;
    if head.plan.format != FORMAT {
        return Err(format!("it has format {}, and this version reads format {FORMAT}", head.plan.format));
    }
    let mut records = Vec::new();
    for (index, line) in lines.enumerate() {
        let wrong = |why: String| format!("line {}: {why}", index + 2);
        records.push((read_line(&head.plan, line).map_err(wrong)?, line.to_owned()));
    }
    Ok(Some(Shard { plan: head.plan, shard: head.shard, records }))
}

/// Writes `plan.json`, `points.jsonl`, `points.csv`, `sweep.html` and the figures as SVG into a folder: all, or none.
/// `records` are those of all points, by id.
///
/// # Errors
/// Whatever the file system reports.
pub fn write_results(plan: &Plan, records: &[(Record, String)], dir: &Path) -> io::Result<Vec<PathBuf>> {
    let lines: String = records.iter().map(|(_, line)| line.as_str()).collect();
    let records: Vec<Record> = records.iter().map(|(record, _)| record.clone()).collect();
    let figures = crate::html::sweep_figures(plan, &records);
    let mut files = vec![
        ("plan.json", plan.to_json()),
        ("points.jsonl", lines),
        ("points.csv", csv::points(plan, &records)),
        ("sweep.html", crate::html::sweep_page(plan, &records)),
    ];
    files.extend(figures.iter().map(|(name, svg)| (name.as_str(), svg.clone())));
    write_files(dir, &files)
}

impl Plan {
    /// `plan.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        debug_assert!(text.is_ok(), "a plan has only text keys: {text:?}");
        text.unwrap_or_default() + "\n"
    }
}
