//! The commands that simulate nothing.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use models::client::Arrivals;
use scenarios::{Scenario, experiment, library};

use crate::args::Subject;
use crate::failure::Failure;
use crate::subject;
use crate::sweep;
use crate::terminal::{print, si, span};

/// `stormglass check`: one line if all is well.
pub fn check(subject: &Subject) -> Result<(), Failure> {
    let scenario = subject::load(subject, [])?;
    let points = if scenario.is_swept() { format!(", {}", sweep::checked(subject)?) } else { String::new() };
    print(&format!("ok: {}{points}\n", sizes(&scenario))).map_err(Failure::of_stdout)
}

/// Such as `web-shop: 20 replications of 2 h, 2 traffic sources, 5 services, 4.32 M operations each`.
fn sizes(scenario: &Scenario) -> String {
    let it = &scenario.architecture;
    let services = it.cloudfront.len()
        + it.global_accelerators.len()
        + it.alb.len()
        + it.ecs.len()
        + it.aurora.len()
        + it.dynamodb.len()
        + it.elasticache.len()
        + it.dax.len()
        + it.stations.len();
    let users: u64 = it
        .traffic
        .iter()
        .map(|source| match source.arrivals {
            Arrivals::Closed { users, .. } => u64::from(users),
            _ => 0,
        })
        .sum();
    let expected = experiment::expected_operations(it);
    let mut load = Vec::new();
    if expected > 0.0 || users == 0 {
        load.push(format!("{} operations expected in each", si(expected)));
    }
    if users > 0 {
        load.push(count(users, "user in a closed loop", "users in a closed loop"));
    }
    format!(
        "{}: {} of {}, {}, {}, {}",
        scenario.name,
        count(scenario.replications.into(), "replication", "replications"),
        span(it.run.duration.as_secs_f64()),
        count(it.traffic.len() as u64, "traffic source", "traffic sources"),
        count(services as u64, "service", "services"),
        load.join(" and "),
    )
}

pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `stormglass list`.
pub fn list() -> Result<(), Failure> {
    let widest = library::list().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: String = library::list().map(|(name, title)| format!("{name:widest$}  {title}\n")).collect();
    print(&lines).map_err(Failure::of_stdout)
}

/// `stormglass show`.
pub fn show(name: &str) -> Result<(), Failure> {
    let text = library::get(name).ok_or_else(|| subject::unknown(name))?;
    print(text).map_err(Failure::of_stdout)
}

/// `stormglass new`: never over a file that is there.
pub fn new(name: &str, from: &str) -> Result<(), Failure> {
    let text = library::get(from).ok_or_else(|| subject::unknown(from))?;
    let path = PathBuf::from(format!("{}.toml", name.strip_suffix(".toml").unwrap_or(name)));
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::Input(format!("{} is there already and is left as it is", path.display()))
        }
        _ => Failure::Input(format!("{} cannot be written: {error}", path.display())),
    };
    File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    print(&format!("wrote {0}; run it with: stormglass run {0}\n", path.display())).map_err(Failure::of_stdout)
}

/// `stormglass schema`.
pub fn schema() -> Result<(), Failure> {
    print(&lines(scenarios::schema())).map_err(Failure::of_stdout)
}

/// `stormglass prices`.
pub fn prices() -> Result<(), Failure> {
    print(scenarios::prices::BUILT_IN).map_err(Failure::of_stdout)
}

/// `stormglass explain`.
pub fn explain(key: &str) -> Result<(), Failure> {
    let text = scenarios::explain(key).map_err(|near| {
        let advice = if near.is_empty() { String::new() } else { format!(": did you mean `{}`?", near.join("`, `")) };
        Failure::Input(format!("there is no key `{key}`{advice}"))
    })?;
    print(&lines(text)).map_err(Failure::of_stdout)
}

/// Text that ends with its last line.
fn lines(text: String) -> String {
    if text.ends_with('\n') { text } else { text + "\n" }
}
