//! The summary of a sweep for a terminal.

use super::{Plan, Record};
use crate::format::{Unit, figure, plain, several, shorten, tame};
use crate::terminal::Page;

/// Points beyond these are left to the files.
const POINTS_MOST: usize = 60;

impl Plan {
    /// A table of the points with the figures that are to be shown, at most `width` columns wide.
    #[must_use]
    pub fn to_terminal(&self, records: &[Record], colour: bool, width: usize) -> String {
        let mut page = Page::new(colour, width);
        let title = tame(if self.title.is_empty() { &self.scenario } else { &self.title });
        let title = page.ink.bold(&shorten(&title, width));
        page.line(&title);
        page.wrapped(&self.setting(), 0);
        for range in &self.ranges {
            page.wrapped(&range.words(), 2);
        }
        let keys: Vec<&str> = self.factors.iter().map(|factor| factor.key.as_str()).collect();
        let metrics: Vec<&str> = self.metrics.iter().map(String::as_str).collect();
        let header: Vec<String> = last_words(&keys)
            .into_iter()
            .chain(last_words(&metrics))
            .chain(["expectations", "busiest"].map(str::to_owned))
            .collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let mut table = page.new_table(&header, self.factors.len());
        for record in records.iter().take(POINTS_MOST) {
            table.add_row(self.row(record));
        }
        page.line("");
        page.table(&table);
        if records.len() > POINTS_MOST {
            page.line(&format!("  ... and {} more, in points.csv", several(records.len() - POINTS_MOST, "point")));
        }
        let doubtful = records.iter().filter(|record| !record.cautions.is_empty()).count();
        if doubtful > 0 {
            let of = several(doubtful, "point");
            page.wrapped(
                &format!("Figures of {of} are to be taken with care: points.jsonl and sweep.html say why."),
                0,
            );
        }
        page.text
    }

    /// Such as `5 points of station.desk.servers, 10 replications each, seed 1, 95 % intervals`.
    pub(crate) fn setting(&self) -> String {
        let keys: Vec<String> = self.factors.iter().map(|factor| tame(&factor.key)).collect();
        let of = if keys.is_empty() { String::new() } else { format!(" of {}", keys.join(" x ")) };
        format!(
            "{}{of}, {} each, seed {} for all, intervals of {}",
            several(self.points as usize, "point"),
            several(self.replications as usize, "replication"),
            self.seed,
            plain(Unit::Share, self.confidence),
        )
    }

    fn row(&self, record: &Record) -> Vec<String> {
        let values = self.factors.iter().map(|factor| tame(record.factors.get(&factor.key).map_or("", String::as_str)));
        let figures = self.metrics.iter().map(|metric| shown(metric, record));
        values.chain(figures).chain([verdict(record), record.bottleneck.station.clone().unwrap_or_default()]).collect()
    }
}

impl super::Range {
    /// What it is, in words.
    pub(crate) fn words(&self) -> String {
        let (key, low, mid, high) = (tame(&self.key), tame(&self.low), tame(&self.mid), tame(&self.high));
        let how = if self.drawn { "drawn by each replication" } else { "its ends are cases of their own" };
        format!("{key} is a range from {low} over {mid} to {high}, {how}: [low .. high] below")
    }
}

/// A figure with its half width, and with its range if it has one.
pub(crate) fn shown(metric: &str, record: &Record) -> String {
    let unit = Unit::of_path(metric);
    let it = record.figure(metric);
    let text = figure(unit, &it.estimate());
    match (it.low, it.high) {
        (Some(low), Some(high)) => format!("{text} [{} .. {}]", plain(unit, low), plain(unit, high)),
        _ => text,
    }
}

/// The last two words of dotted paths, or all of them where those are not enough to tell them apart.
pub(crate) fn last_words(paths: &[&str]) -> Vec<String> {
    let short: Vec<&str> =
        paths.iter().map(|path| path.rmatch_indices('.').nth(1).map_or(*path, |(at, _)| &path[at + 1..])).collect();
    let alone = |index: usize| short.iter().filter(|other| **other == short[index]).count() == 1;
    (0..paths.len()).map(|index| tame(if alone(index) { short[index] } else { paths[index] })).collect()
}

/// `pass`, `FAIL 1 of 2`, or a dash where nothing is expected.
pub(crate) fn verdict(record: &Record) -> String {
    let failed = record.expectations.iter().filter(|one| !one.pass).count();
    let uncertain = if record.expectations.iter().any(|one| one.uncertain) { " ?" } else { "" };
    match (record.expectations.len(), failed) {
        (0, _) => crate::format::NONE.to_owned(),
        (_, 0) => format!("pass{uncertain}"),
        (all, _) => format!("FAIL {failed} of {all}{uncertain}"),
    }
}
