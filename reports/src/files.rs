//! Writes the files of a report: all of them, or none.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::model::Report;

/// Writes `report.json`, `report.html`, `timeseries.csv` and `events.csv` into `dir`, which is made if need be. Each is first
/// written under a temporary name; only when all are on the disk do they get their names, so that a failure leaves neither
/// halves nor a mixture with an earlier run's files.
///
/// # Errors
///
/// Whatever the file system reports; the temporary files are gone then.
pub fn write_all(report: &Report, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let files = [
        ("report.json", report.to_json()),
        ("report.html", report.to_html()),
        ("timeseries.csv", report.timeseries_csv()),
        ("events.csv", report.events_csv()),
    ];
    write_files(&files.map(|(name, text)| (name.to_owned(), text)), dir)
}

/// Writes files into a folder, which is made if need be: all of them, or none. Their names are those of the folder's entries.
///
/// # Errors
///
/// Whatever the file system reports; the temporary files are gone then.
pub fn write_files(files: &[(String, String)], dir: &Path) -> io::Result<Vec<PathBuf>> {
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

fn stage(dir: &Path, files: &[(String, String)], staged: &mut Staged) -> io::Result<()> {
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
