//! A case: a scenario whose figures are known, and what is found when it runs.

use scenarios::{Expectation, Override, Scenario, Source, library};

use crate::failure::Failure;
use crate::simulate::{How, audited, simulate};

/// Level of the intervals: with some two hundred figures a false alarm is rare, and with a fixed seed it does not come and go.
pub const CONFIDENCE: f64 = 0.999;
/// Widest half of an interval, of the value of theory: so narrow that a bias twice as large puts theory outside.
pub const WIDEST: f64 = 0.01;
/// What a percentile may be off for the histogram's three digits, and any figure for rounding.
const PERCENTILE: f64 = 0.000_5;
const ROUNDING: f64 = 0.000_01;

/// A scenario with figures that theory knows.
pub struct Case {
    /// What it is called in the table and after `--case`.
    pub name: &'static str,
    /// What it is, with its parameters.
    pub law: &'static str,
    /// Where the law comes from.
    pub source: &'static str,
    /// Name of the scenario.
    pub scenario: &'static str,
    /// What is set in it.
    pub set: &'static [&'static str],
    /// Whether it takes next to no time.
    pub fast: bool,
    /// What theory says.
    pub figures: fn() -> Vec<Figure>,
}

/// A figure and its value by theory.
pub struct Figure {
    /// Its path in the report.
    pub metric: &'static str,
    /// What theory says.
    pub theory: f64,
    /// How far the law itself may be off, as a share: 0 for an exact one.
    pub approximation: f64,
}

/// An exact value.
pub fn exact(metric: &'static str, theory: f64) -> Figure {
    Figure { metric, theory, approximation: 0.0 }
}

/// A value that the law gives within a share of `approximation`.
pub fn about(metric: &'static str, theory: f64, approximation: f64) -> Figure {
    Figure { metric, theory, approximation }
}

/// What was found.
pub struct Found {
    /// What was looked for.
    pub figure: Figure,
    /// The mean over replications; NaN if there was nothing to measure.
    pub value: f64,
    /// Half the width of its interval.
    pub half_width: f64,
}

/// What to say of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Theory lies within the interval, and that is narrow.
    Holds,
    /// Theory lies outside.
    Differs,
    /// The interval is so wide that a bias could hide in it.
    Blunt,
}

impl Verdict {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Differs => "DIFFERS",
            Self::Blunt => "TOO WIDE",
        }
    }
}

impl Found {
    /// Whether the law holds.
    pub fn verdict(&self) -> Verdict {
        let figure = &self.figure;
        let percentile = [".p50", ".p90", ".p95", ".p99", ".p999"].iter().any(|end| figure.metric.ends_with(end));
        let resolution = ROUNDING + figure.approximation + if percentile { PERCENTILE } else { 0.0 };
        let scale = figure.theory.abs();
        if self.half_width > WIDEST * scale {
            Verdict::Blunt
        } else if (self.value - figure.theory).abs() <= self.half_width + resolution * scale {
            Verdict::Holds
        } else {
            // So is a value that is no number.
            Verdict::Differs
        }
    }
}

impl Case {
    /// The scenario as it runs.
    ///
    /// # Errors
    /// If it cannot be read, which a test excludes.
    pub fn load(&self) -> Result<Scenario, Failure> {
        let name = format!("{}{}", library::VALIDATION_PREFIX, self.scenario);
        let text = library::get(&name).ok_or_else(|| Failure::Fault(format!("there is no scenario {name}")))?;
        let source = Source { name: format!("{name}.toml"), text: text.to_owned() };
        let overrides: Vec<Override> = self.set.iter().map(|set| Override((*set).to_owned())).collect();
        scenarios::load(&source, &overrides, None)
            .map_err(|diagnostics| Failure::Fault(format!("case {}: {}", self.name, diagnostics.render(false))))
    }

    /// Runs it.
    ///
    /// # Errors
    /// Faults of the simulator.
    pub fn run(&self, how: How) -> Result<Vec<Found>, Failure> {
        let figures = (self.figures)();
        let mut scenario = self.load()?;
        scenario.confidence = CONFIDENCE;
        let expectation = |figure: &Figure| Expectation {
            metric: figure.metric.to_owned(),
            route: None,
            min: None,
            max: None,
            text: String::new(),
        };
        scenario.expectations = figures.iter().map(expectation).collect();
        let report = simulate(vec![scenario], how)?.pop().expect("one scenario has one report");
        audited(&report)?;
        let found = figures.into_iter().zip(report.expectations);
        Ok(found
            .map(|(figure, result)| Found {
                figure,
                value: result.value,
                half_width: result.half_width.unwrap_or(f64::INFINITY),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(metric: &'static str, approximation: f64, value: f64, half_width: f64) -> Verdict {
        Found { figure: Figure { metric, theory: 10.0, approximation }, value, half_width }.verdict()
    }

    #[test]
    fn a_bias_of_two_percent_never_holds() {
        // However wide the interval: it is off, or it is too wide.
        for half_width in [0.0, 0.05, 0.1, 0.15, 0.2, 1.0, f64::INFINITY] {
            for value in [9.8, 10.2] {
                assert_ne!(verdict("latency.p99", 0.0, value, half_width), Verdict::Holds, "{value} +- {half_width}");
            }
        }
        assert_eq!(verdict("latency.mean", 0.0, 10.05, 0.06), Verdict::Holds);
        assert_eq!(verdict("latency.mean", 0.0, 10.05, 0.04), Verdict::Differs);
        assert_eq!(verdict("latency.mean", 0.0, 10.0, 0.11), Verdict::Blunt);
        assert_eq!(verdict("latency.mean", 0.0, f64::NAN, f64::NAN), Verdict::Differs);
    }

    #[test]
    fn percentiles_and_approximations_are_granted_what_they_cannot_know() {
        assert_eq!(verdict("latency.mean", 0.0, 10.004, 0.0), Verdict::Differs);
        assert_eq!(verdict("latency.p90", 0.0, 10.004, 0.0), Verdict::Holds);
        assert_eq!(verdict("counters.cache.hit_ratio", 0.005, 10.04, 0.0), Verdict::Holds);
        assert_eq!(verdict("counters.cache.hit_ratio", 0.005, 10.06, 0.0), Verdict::Differs);
    }
}
