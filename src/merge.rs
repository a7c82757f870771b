//! `stormglass merge`: the shards of a sweep become the sweep.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reports::sweep::{Plan, Shard, read_shard};

use crate::args::Merge;
use crate::failure::{Failure, POINTS_MISSING};
use crate::journal::{Finished, damaged, read};
use crate::run::check_writable;
use crate::sweep::{show, write};
use crate::terminal::tell;

/// Puts shards together, if they are of one plan and none is missing.
pub fn merge(args: &Merge) -> Result<ExitCode, Failure> {
    let mut merged: Option<Merged> = None;
    for path in files(&args.shards)? {
        let text = read(&path)?.ok_or_else(|| Failure::Input(format!("there is no file {}", path.display())))?;
        if !text.ends_with('\n') {
            return Err(damaged(&path, "its last line has no end"));
        }
        let shard = read_shard(&text).map_err(|why| damaged(&path, &why))?;
        let shard = shard.ok_or_else(|| damaged(&path, "it is empty"))?;
        match &mut merged {
            None => merged = Some(Merged::begin(path, shard)?),
            Some(merged) => merged.add(&path, shard)?,
        }
    }
    let Some(merged) = merged else { return Err(Failure::Input("there is no shard-*.jsonl to merge".to_owned())) };
    let missing: Vec<u32> = (0..merged.plan.points).filter(|id| !merged.finished.contains_key(id)).collect();
    if !missing.is_empty() {
        tell(merged.lament(&missing));
        return Ok(ExitCode::from(POINTS_MISSING));
    }
    check_writable(&args.out)?;
    write(&merged.plan, &merged.finished, &args.out, args.quiet)?;
    show(&merged.plan, merged.finished, args.json)
}

/// The files that are meant: those of folders are their `shard-*.jsonl`, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |error: std::io::Error| Failure::Input(format!("{} cannot be read: {error}", path.display()));
        let entries: Vec<PathBuf> = fs::read_dir(path)
            .map_err(failed)?
            .map(|entry| entry.map(|it| it.path()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let is_shard = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("shard-") && name.ends_with(".jsonl")
        };
        let mut shards: Vec<PathBuf> = entries.into_iter().filter(is_shard).collect();
        shards.sort();
        files.extend(shards);
    }
    Ok(files)
}

/// What has been read so far.
struct Merged {
    plan: Plan,
    /// The file that the plan is from.
    first: PathBuf,
    shard: Option<String>,
    finished: Finished,
}

impl Merged {
    fn begin(path: PathBuf, shard: Shard) -> Result<Self, Failure> {
        let (version, own) = (&shard.plan.version, env!("CARGO_PKG_VERSION"));
        if version != own {
            return Err(Failure::Input(format!(
                "{} was made by version {version}, and this is {own}: merge with the version that ran the sweep",
                path.display()
            )));
        }
        let mut merged = Self {
            plan: shard.plan.clone(),
            first: path.clone(),
            shard: shard.shard.clone(),
            finished: Finished::new(),
        };
        merged.add(&path, shard)?;
        Ok(merged)
    }

    fn add(&mut self, path: &Path, shard: Shard) -> Result<(), Failure> {
        if shard.plan != self.plan {
            return Err(Failure::Input(format!(
                "{} is of plan {} and {} of plan {}: only shards of one scenario, with the same changes, factors, seed and version \
                 go together",
                self.first.display(),
                self.plan.digest,
                path.display(),
                shard.plan.digest
            )));
        }
        for (record, line) in shard.records {
            let id = record.id;
            if let Some((_, other)) = self.finished.insert(id, (record, line.clone()))
                && other != line
            {
                return Err(Failure::Input(format!("{}: point {id} is not what another shard says", path.display())));
            }
        }
        Ok(())
    }

    /// Which points are missing, and which shards to run again.
    fn lament(&self, missing: &[u32]) -> String {
        let count = self.shard.as_deref().and_then(|shard| shard.split_once('/')?.1.parse::<u32>().ok());
        let shards = count.filter(|count| *count > 0).map(|count| {
            let mut numbers: Vec<u32> = missing.iter().map(|id| id % count + 1).collect();
            numbers.sort_unstable();
            numbers.dedup();
            format!(
                "; run again: --shard {}",
                spans(&numbers).replace(", ", &format!("/{count}, ")) + &format!("/{count}")
            )
        });
        format!(
            "error: {} of {} points are missing, and nothing was written: {}{}",
            missing.len(),
            self.plan.points,
            spans(missing),
            shards.unwrap_or_default()
        )
    }
}

/// Rising numbers, such as `0, 4-7, 9`.
fn spans(numbers: &[u32]) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => spans.push((number, number)),
        }
    }
    let shown = |&(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    spans.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_spans() {
        assert_eq!(spans(&[0, 4, 5, 6, 9]), "0, 4-6, 9");
        assert_eq!(spans(&[]), "");
    }
}
