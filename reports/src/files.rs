//! Writes the files of a report: all of them, or none.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::compare::Comparison;
use crate::find::Search;
use crate::model::Report;

/// Writes `report.json`, `report.html`, `timeseries.csv`, `events.csv`, `ledger.csv`, `junit.xml`, and `cost.csv` where something is paid for, into
/// `dir`, which is made if need be. Each is first
/// written under a temporary name; only when all are on the disk do they get their names, so that a failure leaves neither
/// halves nor a mixture with an earlier run's files.
///
/// # Errors
///
/// Whatever the file system reports; the temporary files are gone then.
pub fn write_all(report: &Report, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = vec![
        ("report.json", report.to_json()),
        ("report.html", report.to_html()),
        ("timeseries.csv", report.timeseries_csv()),
        ("events.csv", report.events_csv()),
        ("ledger.csv", report.ledger_csv()),
        ("junit.xml", report.to_junit()),
    ];
    if report.bill.is_some() {
        files.push(("cost.csv", report.cost_csv()));
    }
    write_files(dir, &files)
}

/// Writes `compare.json`, `compare.md` and `compare.html` into `dir` in the same way.
///
/// # Errors
///
/// Whatever the file system reports.
pub fn write_comparison(comparison: &Comparison, dir: &Path) -> io::Result<Vec<PathBuf>> {
    write_files(
        dir,
        &[
            ("compare.json", comparison.to_json()),
            ("compare.md", comparison.to_markdown()),
            ("compare.html", comparison.to_html()),
        ],
    )
}

/// Writes `find.json` and `find.html` into `dir` in the same way.
///
/// # Errors
///
/// Whatever the file system reports.
pub fn write_search(search: &Search, dir: &Path) -> io::Result<Vec<PathBuf>> {
    write_files(dir, &[("find.json", search.to_json()), ("find.html", search.to_html())])
}

/// Writes one file in the same way: whole or not at all.
///
/// # Errors
///
/// Whatever the file system reports.
pub fn write_one(path: &Path, text: String) -> io::Result<()> {
    let unnamed = || io::Error::new(io::ErrorKind::InvalidInput, "it names no file");
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(unnamed)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    write_files(dir, &[(name, text)]).map(|_| ())
}

/// Writes files into a folder, by the names of its entries, in the same way.
///
/// # Errors
///
/// Whatever the file system reports.
pub fn write_files(dir: &Path, files: &[(&str, String)]) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(dir)?;
    let mut staged = Vec::with_capacity(files.len());
    let result = stage(dir, files, &mut staged).and_then(|()| publish(&staged));
    if result.is_err() {
        for (temporary, _) in &staged {
            // The failure that led here is the one to tell; what was renamed already is not there any more.
            let _ = fs::remove_file(temporary);
        }
    }
    result
}

type Staged = Vec<(PathBuf, PathBuf)>;

fn stage(dir: &Path, files: &[(&str, String)], staged: &mut Staged) -> io::Result<()> {
    for (name, text) in files {
        let target = dir.join(name);
        if target.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, format!("{} is a directory", target.display())));
        }
        let temporary = dir.join(format!(".{name}.{}.partial", std::process::id()));
        staged.push((temporary.clone(), target));
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(())
}

fn publish(staged: &[(PathBuf, PathBuf)]) -> io::Result<Vec<PathBuf>> {
    for (temporary, target) in staged {
        fs::rename(temporary, target)?;
    }
    Ok(staged.iter().map(|(_, target)| target.clone()).collect())
}
