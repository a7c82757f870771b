//! `stormglass validate`: the simulator against theory, by scenarios of its own language.

mod case;
mod cases;
mod page;
mod theory;

use std::fs;
use std::process::ExitCode;

use case::{Case, Found, Verdict};
use cases::Family;

use crate::args::Validate;
use crate::failure::{EXPECTATION_FAILED, Failure};
use crate::simulate::{How, now};
use crate::terminal::{print, span, tell};

/// A case and what came of it.
struct Outcome {
    family: usize,
    case: Case,
    found: Vec<Found>,
}

impl Outcome {
    fn holds(&self) -> bool {
        self.found.iter().all(|found| found.verdict() == Verdict::Holds)
    }
}

/// Runs the cases that were asked for.
pub fn validate(options: &Validate) -> Result<ExitCode, Failure> {
    let mut families = chosen(options)?;
    let how = How { threads: options.threads, quiet: true };
    let mut outcomes = Vec::new();
    for (number, family) in families.iter_mut().enumerate() {
        for case in family.cases.drain(..) {
            let start = now();
            let found = case.run(how)?;
            if !options.quiet {
                tell(format_args!("{} took {}", case.name, span(start.elapsed().as_secs_f64())));
            }
            let outcome = Outcome { family: number, case, found };
            if !options.json {
                print(&page::lines(&outcome)).map_err(Failure::of_stdout)?;
            }
            outcomes.push(outcome);
        }
    }
    if let Some(path) = &options.write {
        fs::write(path, page::markdown(&families, &outcomes))
            .map_err(|error| Failure::Output(format!("--write {}: {error}", path.display())))?;
    }
    print(&if options.json { page::json(&families, &outcomes) } else { page::summary(&outcomes) })
        .map_err(Failure::of_stdout)?;
    let holds = outcomes.iter().all(Outcome::holds);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(EXPECTATION_FAILED) })
}

/// The families with the cases that were asked for.
fn chosen(options: &Validate) -> Result<Vec<Family>, Failure> {
    let mut families = cases::all();
    let wanted = |case: &Case| {
        (!options.fast || case.fast)
            && (options.case.is_empty() || options.case.iter().any(|part| case.name.contains(part.as_str())))
    };
    families.iter_mut().for_each(|family| family.cases.retain(wanted));
    if families.iter().all(|family| family.cases.is_empty()) {
        let all = cases::all();
        let names: Vec<&str> = all.iter().flat_map(|family| &family.cases).map(|case| case.name).collect();
        return Err(Failure::Input(format!("no case is called so; there are: {}", names.join(", "))));
    }
    Ok(families)
}
