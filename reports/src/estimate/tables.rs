//! Tables that services hand over: cell by cell over the replications.

use sim_core::observations::{Observations, Table};

use super::interval::Level;
use crate::model::{Column, Row, TableReport};

/// Means of all tables, in the order in which the replications name them. A row that a replication lacks has no value there, but for
/// counts of a ranked table: what is not among the first in one replication is estimated from those in which it is.
pub(super) fn over(all: &[Observations], level: Level) -> Vec<TableReport> {
    let mut firsts: Vec<&Table> = Vec::new();
    for table in all.iter().flat_map(|observations| &observations.tables) {
        if !firsts.iter().any(|known| known.title == table.title) {
            firsts.push(table);
        }
    }
    firsts.into_iter().map(|table| one(table, all, level)).collect()
}

fn one(first: &Table, all: &[Observations], level: Level) -> TableReport {
    let same: Vec<&Table> =
        all.iter().flat_map(|observations| &observations.tables).filter(|table| table.title == first.title).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in same.iter().flat_map(|table| &table.rows) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut rows: Vec<Row> = names
        .into_iter()
        .map(|name| {
            let found: Vec<&Vec<f64>> =
                same.iter().flat_map(|table| &table.rows).filter(|row| row.0 == name).map(|row| &row.1).collect();
            let cell = |column| level.estimate(&found.iter().map(|values| values[column]).collect::<Vec<_>>());
            Row { name: name.to_owned(), values: (0..first.columns.len()).map(cell).collect() }
        })
        .collect();
    if first.ranked {
        rows.sort_by(|a, b| b.values[0].value.total_cmp(&a.values[0].value));
        rows.truncate(same.iter().map(|table| table.rows.len()).max().unwrap_or(0));
    }
    let column = |(name, unit): &(String, String)| Column { name: name.clone(), unit: unit.clone() };
    TableReport {
        title: first.title.clone(),
        rows_are: first.rows_are.clone(),
        columns: first.columns.iter().map(column).collect(),
        rows,
    }
}
