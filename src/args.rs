//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Foretells how a cloud architecture weathers its traffic, its deployments and its failures.
///
/// Exit codes: 0 = well; 1 = two reports differ (`diff`); 99 = an expectation of the scenario failed, or `find` found nothing;
/// 2 = the input is wrong (nothing was run); 3 = `merge` misses points; 70 = a fault of the simulator itself, which is a bug;
/// 74 = the results could not be written.
#[derive(Debug, Parser)]
#[command(name = "stormglass", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a scenario and reports what came of it
    Run(Run),
    /// Runs variants on the same customers and says what differs beyond chance
    Compare(Compare),
    /// Says in which figures two saved reports (report.json) differ beyond their intervals; ends with 1 if they do
    Diff(Diff),
    /// Runs a scenario with many settings: every combination of the values given, or points listed in the scenario
    Sweep(Sweep),
    /// Puts the shards of a sweep together; ends with 3 if points are missing
    Merge(Merge),
    /// Finds the smallest or cheapest setting that meets all expectations, or how much traffic the scenario can take
    Find(Find),
    /// Checks a scenario without running it
    Check(Subject),
    /// Compares the simulator with queueing theory: runs scenarios whose figures are known exactly
    ///
    /// Every figure must lie within its own 99.9 % interval of the value of theory, and that interval must be so narrow that a
    /// bias of 2 % would fail. Exits with 99 if one does not.
    Validate(Validate),
    /// Lists the scenarios of the library
    List,
    /// Prints a scenario of the library
    Show {
        /// Its name, as `list` prints it
        name: String,
    },
    /// Begins a scenario of your own: writes NAME.toml, a copy of one of the library
    New {
        /// Name of the scenario; the file is NAME.toml
        name: String,
        /// The scenario of the library to begin with
        #[arg(long, value_name = "LIBRARY", default_value = "web-shop")]
        from: String,
    },
    /// Prints the JSON Schema of scenario files, for editors
    Schema,
    /// Prints the price list that is built in, to begin one of your own with
    Prices,
    /// Says what a key of scenario files means, its unit, its default and where that comes from
    Explain {
        /// Such as `alb.target_group.deregistration_delay`
        key: String,
    },
}

/// A scenario with changes.
#[derive(Debug, Args)]
pub struct Subject {
    /// A scenario file, or the name of a scenario of the library
    pub scenario: String,
    /// Sets a value of the scenario, as if the file had it, such as ecs.web.desired_count=20; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A file of prices beside those that are built in; the same as --set cost.prices=FILE
    #[arg(long, value_name = "FILE")]
    pub prices: Option<String>,
    /// Takes one of the scenario's variants instead of the file as it stands
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
}

impl Subject {
    /// What it sets in the scenario, in order.
    pub fn overrides(&self) -> Vec<String> {
        self.set.iter().cloned().chain(prices(self.prices.as_deref())).collect()
    }
}

/// What `--prices` sets: a string whatever the file's name looks like, as TOML has it in single quotes.
pub fn prices(file: Option<&str>) -> Option<String> {
    file.map(|file| format!("cost.prices='{file}'"))
}

/// How often to run something, with which random numbers and on what.
#[derive(Debug, Args)]
pub struct Repetition {
    /// Root of all randomness; the same as --set run.seed=N
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How often to run it; the same as --set run.replications=N
    #[arg(long, value_name = "N")]
    pub replications: Option<u32>,
    /// Threads to run replications on, one by processor if not given; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl Repetition {
    /// What it sets in the scenario, as after `--set`.
    pub fn overrides(&self) -> Vec<String> {
        let seed = self.seed.map(|seed| format!("run.seed={seed}"));
        let replications = self.replications.map(|n| format!("run.replications={n}"));
        seed.into_iter().chain(replications).collect()
    }
}

/// A run.
#[derive(Debug, Args)]
pub struct Run {
    /// What to run.
    #[command(flatten)]
    pub subject: Subject,
    /// How often to run it.
    #[command(flatten)]
    pub repetition: Repetition,
    /// Writes report.json, report.html, timeseries.csv, events.csv, cost.csv and junit.xml into a directory, which is made if need be
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Writes the expectations as JUnit XML into a file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Prints the report as JSON instead of the summary
    #[arg(long)]
    pub json: bool,
    /// Exits with 0 even if an expectation fails
    #[arg(long)]
    pub no_fail: bool,
    /// Shows neither progress nor how long it took
    #[arg(long, short)]
    pub quiet: bool,
}

/// A comparison.
#[derive(Debug, Args)]
pub struct Compare {
    /// A scenario with variants, or several scenarios; files, or names of scenarios of the library
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Sets a value in all of them, as if the files had it; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A file of prices beside those that are built in; the same as --set cost.prices=FILE
    #[arg(long, value_name = "FILE")]
    pub prices: Option<String>,
    /// Another figure to compare, such as latency.mean or "routes./checkout.latency.p99"; may be given several times
    #[arg(long, value_name = "PATH")]
    pub metric: Vec<String>,
    /// The variant that the others are compared with; the first if not given
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// How often to run them.
    #[command(flatten)]
    pub repetition: Repetition,
    /// Writes compare.json, compare.md and compare.html into a directory, which is made if need be
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Prints the comparison as JSON instead of the summary
    #[arg(long)]
    pub json: bool,
    /// Shows neither progress nor how long it took
    #[arg(long, short)]
    pub quiet: bool,
}

/// A validation.
#[derive(Debug, Args)]
pub struct Validate {
    /// Only the cases that take next to no time
    #[arg(long)]
    pub fast: bool,
    /// Only the cases whose name contains this; may be given several times
    #[arg(long, value_name = "NAME")]
    pub case: Vec<String>,
    /// Threads to run replications on, one by processor if not given; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Prints the results as JSON at the end
    #[arg(long)]
    pub json: bool,
    /// Writes the results of all cases as a page in Markdown
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fast", "case"])]
    pub write: Option<PathBuf>,
    /// Does not show how long each case took
    #[arg(long, short)]
    pub quiet: bool,
}

/// Two saved reports.
#[derive(Debug, Args)]
pub struct Diff {
    /// A report.json
    pub before: PathBuf,
    /// Another
    pub after: PathBuf,
    /// Prints what differs as JSON instead of the summary
    #[arg(long)]
    pub json: bool,
}

/// Settings to go through.
#[derive(Debug, Args)]
pub struct Settings {
    /// What to run.
    #[command(flatten)]
    pub subject: Subject,
    /// Varies a setting: KEY=a..b:step, a..b:*factor or a,b,c, such as ecs.web.desired_count=2..40:2 or
    /// traffic.users.rate=100/s..800/s:100/s; may be given several times, and takes the place of the scenario's own `[sweep]`
    #[arg(long, value_name = "KEY=VALUES")]
    pub vary: Vec<String>,
    /// How often to run each setting; all have the same seed.
    #[command(flatten)]
    pub repetition: Repetition,
    /// Shows no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// A sweep.
#[derive(Debug, Args)]
pub struct Sweep {
    /// What to go through.
    #[command(flatten)]
    pub settings: Settings,
    /// Shows a figure, such as latency.p99; may be given several times
    #[arg(long, value_name = "PATH")]
    pub metric: Vec<String>,
    /// Writes points.jsonl, points.csv, sweep.html and figures into a directory. What was finished there before the sweep was
    /// broken off is not run again
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Runs only part K of N of the points and writes a file for `merge`; `auto` asks Slurm, AWS Batch, Cloud Run or Kubernetes
    /// for both numbers, auto/N for K
    #[arg(long, value_name = "K/N|auto|auto/N", requires = "out")]
    pub shard: Option<String>,
    /// Lists and checks the points and runs none
    #[arg(long)]
    pub list: bool,
    /// Throws away what another sweep left unfinished in the directory
    #[arg(long, requires = "out")]
    pub restart: bool,
    /// Prints a JSON line for each point instead of the summary
    #[arg(long)]
    pub json: bool,
}

/// Shards to put together.
#[derive(Debug, Args)]
pub struct Merge {
    /// Files of shards, or directories with shard-*.jsonl
    #[arg(required = true, value_name = "PATH")]
    pub shards: Vec<PathBuf>,
    /// Writes points.jsonl, points.csv, sweep.html and figures into a directory, as a sweep without shards does
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Prints a JSON line for each point instead of the summary
    #[arg(long)]
    pub json: bool,
    /// Does not say what was written
    #[arg(long, short)]
    pub quiet: bool,
}

/// A search.
#[derive(Debug, Args)]
pub struct Find {
    /// What to go through.
    #[command(flatten)]
    pub settings: Settings,
    /// What a setting costs: PRICE for each unit of KEY, or of a product of several; may be given several times, and is added up:
    /// --cost "ecs.web.desired_count*ecs.web.cpu=29.5". Without it the smallest value of a single factor is looked for
    #[arg(long, value_name = "KEY[*KEY...]=PRICE")]
    pub cost: Vec<String>,
    /// Runs all settings and takes the one whose runs cost least by the price list, of those that meet all expectations
    #[arg(long, value_name = "WHAT", value_parser = ["cost"], conflicts_with_all = ["cost", "all"])]
    pub minimise: Option<String>,
    /// Goes through all settings in the order of cost, instead of taking it that more never does worse
    #[arg(long)]
    pub all: bool,
    /// Most replications of a setting that is hard to decide, eight times run.replications if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub max_replications: Option<u32>,
    /// Looks for the highest traffic that meets all expectations: multiplies the rate of all open traffic
    #[arg(long, conflicts_with_all = ["vary", "cost", "all", "minimise"])]
    pub saturate: bool,
    /// How close the head-room is looked for, in per cent
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0, requires = "saturate", value_parser = percent)]
    pub tolerance: f64,
    /// Writes find.json and find.html into a directory, which is made if need be
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Prints the outcome as JSON instead of the summary
    #[arg(long)]
    pub json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.1..=50.0).contains(&percent) => Ok(percent),
        _ => Err("a number from 0.1 to 50".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
