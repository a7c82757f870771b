//! `points.csv`.

use super::{Factor, Plan, Record};
use crate::csv::{shortest, table};

/// A row a point: its factors (in base units where all values of one are numbers of a unit), whether it passed, and every figure
/// with its half width. Columns that no record has a value for are there too, so that two sweeps of a scenario have the same.
pub(super) fn points(plan: &Plan, records: &[Record]) -> String {
    let figures: std::collections::BTreeSet<&str> =
        records.iter().flat_map(|record| record.figures.keys().map(String::as_str)).collect();
    let ranged = !plan.ranges.is_empty();
    let mut header = vec!["id".to_owned()];
    header.extend(plan.factors.iter().map(column));
    header.extend(["seed", "replications", "passed", "busiest_station", "cautions"].map(str::to_owned));
    for path in &figures {
        header.push((*path).to_owned());
        header.push(format!("{path} half width"));
        if ranged {
            header.extend([format!("{path} low"), format!("{path} high")]);
        }
    }
    let rows = records.iter().map(|record| {
        let mut row = vec![record.id.to_string()];
        row.extend(plan.factors.iter().map(|factor| value(factor, record)));
        row.extend([record.seed.to_string(), record.replications.to_string(), record.passed.to_string()]);
        row.push(record.bottleneck.station.clone().unwrap_or_default());
        row.push(record.cautions.len().to_string());
        for path in &figures {
            let it = record.figure(path);
            row.extend([it.value, it.half_width].map(cell));
            if ranged {
                row.extend([it.low, it.high].map(cell));
            }
        }
        row
    });
    table(header, rows)
}

fn column(factor: &Factor) -> String {
    if factor.unit.is_empty() { factor.key.clone() } else { format!("{} [{}]", factor.key, factor.unit) }
}

fn value(factor: &Factor, record: &Record) -> String {
    let text = record.factors.get(&factor.key).map_or("", String::as_str);
    let amount = factor.amounts.as_ref().and_then(|amounts| {
        let index = factor.levels.iter().position(|level| level == text)?;
        amounts.get(index).copied()
    });
    amount.map_or_else(|| text.to_owned(), shortest)
}

fn cell(value: Option<f64>) -> String {
    value.map(shortest).unwrap_or_default()
}
