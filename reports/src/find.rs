//! The outcome of a search for a setting that meets all expectations: the answer, the evidence for it, and why its neighbours
//! lost.

use serde::Serialize;

use crate::format::{NONE, Unit, figure, plain, several, shorten, tame};
use crate::model::{Estimate, ExpectationResult, Report};
use crate::terminal::Page;

/// What can be said of a setting with the confidence that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The whole interval of every expectation's figure is within its bounds.
    Pass,
    /// The whole interval of an expectation's figure is outside of them, or it has no value.
    Fail,
    /// An interval holds a bound.
    Undecided,
}

impl Finding {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Undecided => "undecided",
        }
    }
}

/// What the expectations say of a setting, their intervals being as wide as the confidence demands.
#[must_use]
pub fn judge(expectations: &[ExpectationResult]) -> Finding {
    let findings = || expectations.iter().map(judge_one);
    if findings().any(|it| it == Finding::Fail) {
        Finding::Fail
    } else if findings().all(|it| it == Finding::Pass) {
        Finding::Pass
    } else {
        Finding::Undecided
    }
}

fn judge_one(result: &ExpectationResult) -> Finding {
    if result.value.is_nan() {
        return Finding::Fail;
    }
    let Some(half) = result.half_width else { return Finding::Undecided };
    let (low, high) = (result.value - half, result.value + half);
    let (min, max) = (result.min.unwrap_or(f64::NEG_INFINITY), result.max.unwrap_or(f64::INFINITY));
    if min <= low && high <= max {
        Finding::Pass
    } else if high < min || max < low {
        Finding::Fail
    } else {
        Finding::Undecided
    }
}

/// How far the intervals stay away from their bounds, as a share of those; the least over all expectations.
#[must_use]
pub fn slack(expectations: &[ExpectationResult]) -> f64 {
    let one = |result: &ExpectationResult| {
        let half = result.half_width.unwrap_or(f64::INFINITY);
        let share = |room: f64, bound: f64| if bound == 0.0 { room } else { room / bound.abs() };
        let above = result.min.map_or(f64::INFINITY, |min| share(result.value - half - min, min));
        let below = result.max.map_or(f64::INFINITY, |max| share(max - result.value - half, max));
        if result.value.is_nan() { f64::NEG_INFINITY } else { above.min(below) }
    };
    expectations.iter().map(one).fold(f64::INFINITY, f64::min)
}

/// The first expectation whose figure moves the wrong way from one setting to a later one beyond their intervals, although later
/// settings were taken to do no worse: `None` if the response may be monotone. Both lists are in the order of preference.
#[must_use]
pub fn contradiction(evidence: &[&Evidence]) -> Option<String> {
    for (index, earlier) in evidence.iter().enumerate() {
        for later in &evidence[index + 1..] {
            for (a, b) in earlier.expectations.iter().zip(&later.expectations) {
                let edges = |it: &ExpectationResult| it.half_width.map(|half| (it.value - half, it.value + half));
                let (Some((low_a, high_a)), Some((low_b, high_b))) = (edges(a), edges(b)) else { continue };
                let worse = (a.max.is_some() && a.min.is_none() && low_b > high_a)
                    || (a.min.is_some() && a.max.is_none() && high_b < low_a);
                if worse {
                    return Some(format!("{} gets worse from {} to {}", a.metric, earlier.setting, later.setting));
                }
            }
        }
    }
    None
}

/// Where a setting stands among those that were gone through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// The value as typed, the traffic factor, the cost, or the number in the list.
    pub text: String,
    /// The same as a number, in base units; `None` for words.
    pub amount: Option<f64>,
}

/// A setting that was run.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Its values, such as `ecs.web.desired_count=4`, or its traffic, such as `traffic x 1.5`.
    pub setting: String,
    /// Where it stands among the others.
    pub level: Level,
    /// What it costs, if settings have costs.
    pub cost: Option<f64>,
    /// Replications it took.
    pub replications: u32,
    /// What can be said of it.
    pub finding: Finding,
    /// The figures that were expected, with the intervals that the confidence demands.
    pub expectations: Vec<ExpectationResult>,
    /// What bound first.
    pub bottleneck: String,
    /// Whether any station came near its capacity.
    pub bound: bool,
    /// Utilisation of the stations in their busiest minute, the highest first.
    pub stations: Vec<(String, f64)>,
}

impl Evidence {
    /// What a report says of a setting.
    #[must_use]
    pub fn new(setting: String, level: Level, cost: Option<f64>, report: &Report) -> Self {
        let station = |(name, station): (&str, &crate::model::Station<Estimate>)| {
            (name.to_owned(), station.figures.utilisation_peak.value)
        };
        let mut stations: Vec<_> = report.figures.stations.iter().map(station).collect();
        stations.retain(|(_, utilisation)| utilisation.is_finite());
        stations.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self {
            setting,
            level,
            cost,
            replications: report.replications,
            finding: judge(&report.expectations),
            expectations: report.expectations.clone(),
            bottleneck: report.bottleneck.text.clone(),
            bound: report.bottleneck.bound,
            stations,
        }
    }

    /// Utilisation of a station in its busiest minute.
    pub(crate) fn utilisation(&self, station: &str) -> Option<f64> {
        self.stations.iter().find(|(name, _)| name == station).map(|(_, utilisation)| *utilisation)
    }

    /// Why it is not the answer, if its own figures say so.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        let worst = |wanted: Finding| self.expectations.iter().find(|it| judge_one(it) == wanted);
        match self.finding {
            Finding::Pass => None,
            Finding::Fail => worst(Finding::Fail).map(|it| format!("misses {}: {}", it.text, found(it))),
            Finding::Undecided => worst(Finding::Undecided).map(|it| {
                format!(
                    "not shown to meet {} in {}: {}",
                    it.text,
                    several(self.replications as usize, "replication"),
                    found(it)
                )
            }),
        }
    }
}

fn found(result: &ExpectationResult) -> String {
    let estimate = Estimate { value: result.value, half_width: result.half_width };
    figure(Unit::of_path(&result.metric), &estimate)
}

/// A setting beside the answer, and why it is not the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Its values.
    pub setting: String,
    /// Why it lost.
    pub why: String,
}

/// What was found in one case of the scenario's ranges.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// The case: the values of the ranges; empty if the scenario has none.
    pub case: String,
    /// The setting that was looked for; `None` if nothing passes.
    pub answer: Option<String>,
    /// Its number in the order of preference, or its traffic factor: what makes a range of several cases.
    pub rank: Option<f64>,
    /// All settings that were run, in order of preference.
    pub evidence: Vec<Evidence>,
    /// Why the answer's neighbours lost.
    pub neighbours: Vec<Neighbour>,
    /// Which resource binds first as traffic grows, if that was searched for.
    pub binds: Option<String>,
    /// What else to know, such as how the search went.
    pub notes: Vec<String>,
}

impl Found {
    /// The place of the answer among the evidence.
    pub(crate) fn position(&self) -> Option<usize> {
        self.evidence.iter().position(|it| Some(&it.setting) == self.answer.as_ref())
    }

    /// The answer.
    pub(crate) fn chosen(&self) -> Option<&Evidence> {
        self.position().map(|at| &self.evidence[at])
    }

    /// The expectation for which the setting beside the answer lost; if nothing beside it did, the one with the least room.
    pub(crate) fn decisive(&self) -> Option<usize> {
        let beside = |it: &&Evidence| self.neighbours.iter().any(|neighbour| neighbour.setting == it.setting);
        let lost = |it: &Evidence| it.finding != Finding::Pass;
        let why = |it: &Evidence| it.expectations.iter().position(|one| judge_one(one) == it.finding);
        let loser = self.evidence.iter().filter(beside).find(|it| lost(it));
        if let Some(loser) = loser.or_else(|| self.evidence.iter().rfind(|it| self.answer.is_none() && lost(it))) {
            return why(loser);
        }
        let room = |index: &usize| self.chosen().map_or(0.0, |it| slack(&it.expectations[*index..=*index]));
        let count = self.evidence.first().map_or(0, |it| it.expectations.len());
        (0..count).min_by(|a, b| room(a).total_cmp(&room(b)))
    }
}

/// What settings are told apart by, where they are drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Along {
    /// The values of the only factor, which has this key.
    Factor(String),
    /// The factor of all open traffic.
    Traffic,
    /// Their cost.
    Cost,
    /// Their number in the list.
    List,
}

impl Along {
    pub(crate) fn title(&self) -> &str {
        match self {
            Self::Factor(key) => key,
            Self::Traffic => "traffic factor",
            Self::Cost => "cost",
            Self::List => "number in the list",
        }
    }
}

/// What was searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The setting that comes first in the order of preference.
    Setting,
    /// The highest traffic.
    HeadRoom,
}

/// The outcome of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Search {
    /// Version of the simulator.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Root of all randomness, the same for all settings.
    pub seed: u64,
    /// What was searched for.
    pub goal: Goal,
    /// What settings are told apart by.
    pub along: Along,
    /// The confidence with which all findings hold together.
    pub confidence: f64,
    /// The confidence of each one-sided bound, which that takes.
    pub each: f64,
    /// How many settings there were to choose from; none for traffic, which is not counted out.
    pub settings: Option<usize>,
    /// How settings were ordered and gone through.
    pub method: String,
    /// The answer over all cases, in words.
    pub answer: String,
    /// The cases of the scenario's ranges; just one if it has none.
    pub cases: Vec<Found>,
}

impl Search {
    /// Whether there is an answer in every case.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.cases.iter().all(|case| case.answer.is_some())
    }

    /// The outcome as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        debug_assert!(text.is_ok(), "a search has only text keys: {text:?}");
        text.unwrap_or_default() + "\n"
    }

    /// The outcome for a terminal.
    #[must_use]
    pub fn to_terminal(&self, colour: bool, width: usize) -> String {
        let mut page = Page::new(colour, width);
        let word = if self.succeeded() { page.ink.good("FOUND") } else { page.ink.bad("NOTHING") };
        page.wrapped(&format!("{word}  {}", tame(&self.answer)), 2);
        page.line("");
        let title = tame(if self.title.is_empty() { &self.scenario } else { &self.title });
        let title = page.ink.bold(&shorten(&title, width));
        page.line(&title);
        page.wrapped(&self.setting(), 0);
        page.wrapped(&self.method, 0);
        for case in &self.cases {
            self.case(&mut page, case);
        }
        page.text
    }

    pub(crate) fn setting(&self) -> String {
        let of = self.settings.map_or_else(|| "traffic factors".to_owned(), |n| several(n, "setting"));
        format!(
            "{of}, seed {} for all; all findings together hold with {} confidence, each bound with {}",
            self.seed,
            plain(Unit::Share, self.confidence),
            plain(Unit::Share, self.each)
        )
    }

    fn case(&self, page: &mut Page, case: &Found) {
        let remark = if case.case.is_empty() { String::new() } else { format!("where {}", tame(&case.case)) };
        page.heading("Evidence", &remark);
        let expected = case.evidence.first().map_or(&[][..], |first| &first.expectations);
        let mut header = vec!["".to_owned(), "setting".to_owned()];
        let priced = case.evidence.iter().any(|it| it.cost.is_some());
        header.extend(priced.then(|| "cost".to_owned()));
        header.extend(["runs".to_owned(), "finding".to_owned()]);
        header.extend(expected.iter().map(|it| shorten(&tame(&it.text), 40)));
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let mut table = page.new_table(&header, 2);
        for it in &case.evidence {
            let mark = if Some(&it.setting) == case.answer.as_ref() { "=>" } else { "" };
            let mut row = vec![mark.to_owned(), tame(&it.setting)];
            row.extend(priced.then(|| it.cost.map_or(NONE.to_owned(), |cost| plain(Unit::Count, cost))));
            row.extend([it.replications.to_string(), it.finding.word().to_owned()]);
            row.extend(it.expectations.iter().map(found));
            table.add_row(row);
        }
        page.table(&table);
        if let Some(answer) = case.chosen() {
            page.wrapped(&format!("At the answer: {}", tame(&answer.bottleneck)), 4);
        }
        if !case.neighbours.is_empty() {
            page.heading("Why not its neighbours", "");
            for it in &case.neighbours {
                page.wrapped(&format!("- {}: {}", tame(&it.setting), tame(&it.why)), 2);
            }
        }
        let notes = || case.binds.iter().chain(&case.notes);
        if notes().next().is_some() {
            page.line("");
        }
        for note in notes() {
            page.wrapped(&tame(note), 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;

    fn result(value: f64, half_width: f64, min: Option<f64>, max: Option<f64>) -> ExpectationResult {
        ExpectationResult {
            text: "throughput".into(),
            metric: "throughput".into(),
            route: None,
            min,
            max,
            value,
            half_width: Some(half_width).filter(|half| half.is_finite()),
            verdict: Outcome::Pass,
            uncertain: false,
            note: None,
        }
    }

    #[test]
    fn only_whole_intervals_decide() {
        let max = |value, half| judge(&[result(value, half, None, Some(10.0))]);
        assert_eq!([max(8.0, 2.0), max(8.0, 2.1), max(12.0, 2.0), max(12.1, 2.0)], {
            use Finding::{Fail, Pass, Undecided};
            [Pass, Undecided, Undecided, Fail]
        });
        assert_eq!(judge(&[result(5.0, 1.0, Some(4.0), Some(6.0))]), Finding::Pass);
        assert_eq!(judge(&[result(5.0, 1.0, Some(4.5), None)]), Finding::Undecided);
        assert_eq!(judge(&[result(f64::NAN, 1.0, Some(4.5), None)]), Finding::Fail);
        assert_eq!(judge(&[result(5.0, f64::NAN, Some(4.5), None)]), Finding::Undecided);
        // One that fails is enough, and all must pass.
        let (good, bad, open) =
            (result(1.0, 0.0, None, Some(2.0)), result(3.0, 0.0, None, Some(2.0)), result(2.0, 1.0, None, Some(2.0)));
        assert_eq!(judge(&[good.clone(), open.clone(), bad]), Finding::Fail);
        assert_eq!(judge(&[good, open]), Finding::Undecided);
    }

    #[test]
    fn slack_is_relative_to_the_bound_and_the_least_counts() {
        let near = result(8.0, 1.0, None, Some(10.0));
        let far = result(8.0, 1.0, Some(2.0), None);
        assert!((slack(&[near.clone(), far]) - 0.1).abs() < 1e-12);
        assert_eq!(slack(&[result(f64::NAN, 1.0, Some(1.0), None), near]), f64::NEG_INFINITY);
    }

    #[test]
    fn what_gets_worse_beyond_its_interval_contradicts() {
        let evidence = |name: &str, value: f64| Evidence {
            setting: name.into(),
            level: Level { text: name.into(), amount: None },
            cost: None,
            replications: 5,
            finding: Finding::Fail,
            expectations: vec![result(value, 1.0, None, Some(2.0))],
            bottleneck: String::new(),
            bound: false,
            stations: Vec::new(),
        };
        let (a, b, c) = (evidence("a", 9.0), evidence("b", 5.0), evidence("c", 6.5));
        assert_eq!(contradiction(&[&a, &b, &c]), None);
        assert!(contradiction(&[&b, &a]).is_some_and(|why| why.contains("gets worse from b to a")));
    }
}
