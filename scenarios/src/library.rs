//! The scenarios that ship with the binary.

use crate::nearest;

/// Lists the files of `library/` once; a test holds the list against the folder.
macro_rules! library {
    ($($name:literal),* $(,)?) => {
        const LIBRARY: &[(&str, &str)] = &[$(($name, include_str!(concat!("../library/", $name, ".toml")))),*];
    };
}

// By name.
library!["deployments", "mm1", "replay", "three-tier", "three-tier-threaded", "web-shop"];

/// The scenario that shows nothing before it is given a log.
pub const REPLAY: &str = "replay";
/// The key to give it with.
pub const REPLAY_LOG: &str = "traffic.0.replay.log";

/// Names and titles, by name.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIBRARY.iter().map(|(name, text)| (*name, title(text)))
}

/// The TOML text of a scenario.
#[must_use]
pub fn get(name: &str) -> Option<&'static str> {
    LIBRARY.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
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
    fn every_file_of_the_folder_is_listed_by_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/library");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
            .collect();
        files.sort();
        let listed: Vec<&str> = list().map(|(name, _)| name).collect();
        assert_eq!(listed, files, "name every file of scenarios/library in scenarios/src/library.rs, in order");
    }

    #[test]
    fn every_scenario_has_a_title_and_is_found() {
        for (name, title) in list() {
            assert!(!title.is_empty(), "{name} has a line `title = \"...\"`");
            assert!(get(name).is_some_and(|text| text.ends_with('\n')));
        }
        assert_eq!(get("no-such-scenario"), None);
        assert_eq!(nearest("reply"), ["replay"]);
    }
}
