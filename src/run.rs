//! `stormglass run`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reports::Report;

use crate::args::Run;
use crate::failure::{EXPECTATION_FAILED, Failure};
use crate::simulate::{How, audited, simulate};
use crate::subject;
use crate::terminal::{self, colour_on_stdout, print, tell};

/// Runs a scenario and shows what came of it.
pub fn run(run: &Run) -> Result<ExitCode, Failure> {
    let scenario = subject::load(&run.subject, run.repetition.overrides())?;
    if let Some(dir) = &run.out {
        check_writable(dir)?;
    }
    let how = How { threads: run.repetition.threads, quiet: run.quiet };
    for report in &simulate(vec![scenario], how)? {
        show(report, run)?;
        audited(report)?;
        if !report.passed() && !run.no_fail {
            return Ok(ExitCode::from(EXPECTATION_FAILED));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes sure of the folder before a run that may take long.
pub fn check_writable(dir: &Path) -> Result<(), Failure> {
    let probe = dir.join(format!(".stormglass.{}", std::process::id()));
    fs::create_dir_all(dir)
        .and_then(|()| File::create_new(&probe))
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|error| Failure::Input(format!("--out {}: cannot be written into: {error}", dir.display())))
}

/// Says what was written into the folder, or why that failed.
pub fn wrote(written: io::Result<Vec<PathBuf>>, dir: &Path, quiet: bool) -> Result<(), Failure> {
    let written = written.map_err(|error| Failure::Output(format!("--out {}: {error}", dir.display())))?;
    if !quiet {
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        tell(format_args!("wrote {}", names.join(", ")));
    }
    Ok(())
}

/// Writes the files first: a reader of the summary who goes away does not keep them from being written.
fn show(report: &Report, run: &Run) -> Result<(), Failure> {
    if let Some(dir) = &run.out {
        wrote(reports::write_all(report, dir), dir, run.quiet)?;
    }
    if let Some(path) = &run.junit {
        let written = reports::write_one(path, report.to_junit());
        written.map_err(|error| Failure::Output(format!("--junit {}: {error}", path.display())))?;
    }
    let text = if run.json { report.to_json() } else { report.to_terminal(colour_on_stdout(), terminal::width()) };
    print(&text).map_err(Failure::of_stdout)
}
