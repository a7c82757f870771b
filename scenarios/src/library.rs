//! The scenarios that ship with the binary: the library, and those that `stormglass validate` runs.

use crate::nearest;

/// Names and texts of the files of a folder; a test holds the list against the folder.
macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../", $folder, "/", $name, ".toml")))),*]
    };
}

/// By name.
const LIBRARY: &[(&str, &str)] = files!["library":
    "aurora-auto-pause",
    "aurora-connections",
    "aurora-failover",
    "aurora-global",
    "aurora-maintenance",
    "aurora-quorum",
    "aurora-reader-scaling",
    "aurora-silence",
    "backlog",
    "bad-deployment",
    "cache-loss",
    "cache-resharding",
    "canary-weights",
    "circuit-breaker",
    "cookie-in-cache-key",
    "cooldowns",
    "credits",
    "dax-hot-key",
    "deployments",
    "dns-failover",
    "downtime-ledger",
    "dynamodb-auto-scaling",
    "dynamodb-burst",
    "dynamodb-hot-partition",
    "dynamodb-index",
    "dynamodb-ramp",
    "dynamodb-split",
    "dynamodb-units",
    "ec2-deployments",
    "flood",
    "global-table-failover",
    "invalidation-storm",
    "mm1",
    "morning-rush",
    "origin-failover",
    "rds-burst",
    "rds-deployments",
    "rds-promotion",
    "replay",
    "retirement",
    "retry-storm",
    "revisions",
    "rolling-limits",
    "session-store",
    "slow-starter",
    "slow-target",
    "stampede",
    "target-tracking",
    "three-tier",
    "three-tier-threaded",
    "web-shop",
    "zonal-shift",
];

/// By name.
const VALIDATION: &[(&str, &str)] = files!["validation":
    "balancing", "burst", "cache", "closed", "delay", "dns", "fork-join", "look-aside", "network", "queue", "sessions", "two-tiers", "unequal",
];
/// What the names of scenarios of the validation begin with.
pub const VALIDATION_PREFIX: &str = "validation/";

/// The scenario that shows nothing before it is given a log.
pub const REPLAY: &str = "replay";
/// The key to give it with.
pub const REPLAY_LOG: &str = "traffic.0.replay.log";

/// Names and titles, by name.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIBRARY.iter().map(|(name, text)| (*name, title(text)))
}

/// The TOML text of a scenario of the library, or of one of the validation ("validation/queue").
#[must_use]
pub fn get(name: &str) -> Option<&'static str> {
    let (list, name) = name.strip_prefix(VALIDATION_PREFIX).map_or((LIBRARY, name), |name| (VALIDATION, name));
    list.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names nearest to one that is not in the library, nearest first.
#[must_use]
pub fn nearest(name: &str) -> Vec<&'static str> {
    nearest::nearest(name, LIBRARY.iter().map(|(known, _)| *known))
}

/// The title as it stands in the file: library files have it on a line of its own, without escapes.
fn title(text: &'static str) -> &'static str {
    let mut titles = text.lines().filter_map(|line| line.strip_prefix("title = \"")?.strip_suffix('"'));
    titles.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folders_is_listed_by_name() {
        for (folder, listed) in [("library", LIBRARY), ("validation", VALIDATION)] {
            let mut files: Vec<String> = std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR")))
                .unwrap()
                .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
                .collect();
            files.sort();
            let listed: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
            assert_eq!(listed, files, "name every file of scenarios/{folder} in scenarios/src/library.rs, in order");
        }
    }

    #[test]
    fn every_scenario_has_a_title_and_is_found() {
        for (name, title) in list() {
            assert!(!title.is_empty(), "{name} has a line `title = \"...\"`");
            assert!(get(name).is_some_and(|text| text.ends_with('\n')));
        }
        assert!(get("validation/queue").is_some());
        assert_eq!((get("no-such-scenario"), get("queue"), get("validation/mm1")), (None, None, None));
        assert_eq!(nearest("reply"), ["replay"]);
    }
}
