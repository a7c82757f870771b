//! The points that a sweep has finished so far, in a file that only grows: each is a whole line, written at once and on the disk
//! before it counts. Whatever moment the sweep is killed at, at most the line it was writing is torn, and that is dropped.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use reports::sweep::{Plan, Record, read_line, read_shard, shard_text};

use crate::failure::Failure;

/// Finished points by id: the record and its line.
pub type Finished = BTreeMap<u32, (Record, String)>;

/// An open journal.
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Opens the journal of a plan, or begins it, and returns what is finished. What another plan left is refused, unless it
    /// is to be thrown away.
    pub fn open(path: PathBuf, plan: &Plan, restart: bool) -> Result<(Self, Finished), Failure> {
        let (mut finished, mut length) = (Finished::new(), 0);
        let text = read(&path)?.unwrap_or_default();
        if !restart && let Some(begun) = read_shard(&text).map_err(|why| damaged(&path, &why))? {
            if begun.plan != *plan {
                return Err(Failure::Input(format!(
                    "{} holds points of another sweep that was not finished (plan {}, this is {}): give another --out, or \
                     --restart to throw them away",
                    path.display(),
                    begun.plan.digest,
                    plan.digest
                )));
            }
            finished = begun.records.into_iter().map(|(record, line)| (record.id, (record, line))).collect();
            length = text.rfind('\n').map_or(0, |end| end as u64 + 1);
        }
        let failed = |error: io::Error| Failure::Output(format!("{}: {error}", path.display()));
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        if length < text.len() as u64 {
            file.set_len(length).map_err(failed)?;
        }
        if length == 0 {
            write(&mut file, &shard_text(plan, None, [])).map_err(failed)?;
        }
        Ok((Self { path, file: Mutex::new(file) }, finished))
    }

    /// Adds a finished point.
    pub fn add(&self, line: &str) -> Result<(), Failure> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut file, line).map_err(|error| Failure::Output(format!("{}: {error}", self.path.display())))
    }

    /// Removes the journal: its points are in the results.
    pub fn done(self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            // A second run of the same sweep, such as a retry that came too early, has been quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| Failure::Output(format!("{}: {error}", self.path.display()))),
        }
    }
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// The text of a file, if there is one.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Input(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// A file that is not what it should be.
pub fn damaged(path: &Path, why: &str) -> Failure {
    Failure::Input(format!("{} is damaged: {why}", path.display()))
}

/// The results of an earlier sweep in a folder, if it had the very same plan.
pub fn results(dir: &Path, plan: &Plan) -> Result<Finished, Failure> {
    let text = read(&dir.join("points.jsonl"))?.unwrap_or_default();
    let one = |line: &str| read_line(plan, line).map(|record| (record.id, (record, line.to_owned())));
    // Lines of other plans will be written over, as those of a run that went before are.
    Ok(text.split_inclusive('\n').filter_map(|line| one(line).ok()).collect())
}
