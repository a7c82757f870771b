//! The command line of Stormglass: finds the scenario, runs it, shows the report. What a scenario means is in `scenarios`, what
//! happens in `models`, what it amounts to in `reports`.

mod args;
mod commands;
mod compare;
mod failure;
mod find;
mod journal;
mod merge;
mod points;
mod run;
mod simulate;
mod subject;
mod sweep;
mod terminal;
mod validate;

use std::panic;
use std::process::ExitCode;

use clap::Parser as _;
use scenarios::experiment::panic_message;

use args::{Cli, Command};
use failure::Failure;
use terminal::tell;

fn main() -> ExitCode {
    // A panic is a bug: it is told in one line here, and becomes the exit code of a fault below or in the experiment.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        tell(format_args!("stormglass: internal fault{place}: {}", panic_message(info.payload())));
    }));
    let cli = Cli::parse();
    let result = panic::catch_unwind(|| execute(cli.command))
        .unwrap_or_else(|_| Err(Failure::Fault("the command broke off".to_owned())));
    match result {
        Ok(code) => code,
        Err(failure) => {
            tell(&failure);
            failure.exit_code()
        }
    }
}

fn execute(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(run) => return run::run(&run),
        Command::Diff(diff) => return compare::diff(&diff),
        Command::Sweep(it) => return sweep::sweep(&it),
        Command::Merge(it) => return merge::merge(&it),
        Command::Find(it) => return find::find(&it),
        Command::Compare(compare) => compare::compare(&compare),
        Command::Validate(options) => return validate::validate(&options),
        Command::Check(subject) => commands::check(&subject),
        Command::List => commands::list(),
        Command::Show { name } => commands::show(&name),
        Command::New { name, from } => commands::new(&name, &from),
        Command::Schema => commands::schema(),
        Command::Prices => commands::prices(),
        Command::Explain { key } => commands::explain(&key),
    }?;
    Ok(ExitCode::SUCCESS)
}
