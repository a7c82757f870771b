//! How the results are shown: lines as they come, a page in Markdown, JSON.

use std::fmt::Write as _;

use serde_json::json;

use super::Outcome;
use super::case::{CONFIDENCE, Found, Verdict, WIDEST};
use super::cases::Family;

/// What stands above the tables.
const HEAD: &str = "\
# Validation against theory

Written by `stormglass validate --write docs/validation.md`, which runs every scenario named here and compares its figures with
what queueing theory says of them. Continuous integration runs it again and compares the page byte for byte.

- **theory**: the value by a closed form, or by the numerical solution of the Markov chain that the scenario is (`src/validate/theory`,
  tested against published numbers and against the closed forms of special cases).
- **measured**: the mean over the scenario's replications, which have independent random numbers.
- **half-width**: half of the {level} % Student interval of that mean, in percent of the value of theory.
- **holds**: theory lies within the interval (percentiles: give or take the 0.05 % of a histogram of three digits), *and* the
  half-width is at most {widest} %, so that a bias of 2 % would put theory outside.
- *about* marks a law that is an approximation itself, with what it is granted.

The scenarios are ordinary ones: `stormglass show validation/queue` prints the text, and what a case sets is what `--set` would.
One case alone: `stormglass validate --case NAME`. Laws are cited by whom bibliographies name for them; of Palm's works no more than their
years and subjects could be confirmed.
";

/// The lines of one case for the terminal.
pub fn lines(outcome: &Outcome) -> String {
    let mut text = format!("{}: {}\n", outcome.case.name, outcome.case.law);
    for found in &outcome.found {
        let metric = found.figure.metric;
        let _ = writeln!(
            text,
            "  {:<8} {metric:<38} theory {:>10}  measured {:>10} +- {}",
            found.verdict().word(),
            number(metric, found.figure.theory),
            number(metric, found.value),
            share(found.half_width / found.figure.theory.abs()),
        );
    }
    text
}

/// The last line.
pub fn summary(outcomes: &[Outcome]) -> String {
    let figures: Vec<&Found> = outcomes.iter().flat_map(|outcome| &outcome.found).collect();
    let wrong = figures.iter().filter(|found| found.verdict() != Verdict::Holds).count();
    let cases = outcomes.len();
    match wrong {
        0 => format!("all {} figures of {cases} cases hold\n", figures.len()),
        _ => format!("{wrong} of {} figures of {cases} cases do not hold\n", figures.len()),
    }
}

/// The whole page.
pub fn markdown(families: &[Family], outcomes: &[Outcome]) -> String {
    let level = format!("{:.1}", 100.0 * CONFIDENCE);
    let mut text = HEAD.replace("{level}", &level).replace("{widest}", &format!("{:.0}", 100.0 * WIDEST));
    let _ = write!(text, "\nResult: {}", summary(outcomes));
    for (number, family) in families.iter().enumerate() {
        let _ = writeln!(text, "\n## {}\n\n{}", family.title, family.text);
        for outcome in outcomes.iter().filter(|outcome| outcome.family == number) {
            section(&mut text, outcome);
        }
    }
    text
}

fn section(text: &mut String, outcome: &Outcome) {
    let case = &outcome.case;
    let _ = writeln!(text, "\n### {}: {}\n", case.name, case.law);
    let _ = writeln!(text, "Law: {}.  ", case.source);
    let _ = write!(text, "Scenario: [{0}](../scenarios/validation/{0}.toml)", case.scenario);
    let set: Vec<String> = case.set.iter().map(|set| format!("`{set}`")).collect();
    let _ = writeln!(text, "{}\n", if set.is_empty() { String::new() } else { format!(" with {}", set.join(", ")) });
    text.push_str("| figure | theory | measured | half-width | verdict |\n| --- | ---: | ---: | ---: | --- |\n");
    for found in &outcome.found {
        let figure = &found.figure;
        let about = match figure.approximation {
            0.0 => String::new(),
            granted => format!(" (about, {})", share(granted)),
        };
        let _ = writeln!(
            text,
            "| `{}` | {}{about} | {} | {} | {} |",
            figure.metric,
            self::number(figure.metric, figure.theory),
            self::number(figure.metric, found.value),
            share(found.half_width / figure.theory.abs()),
            found.verdict().word(),
        );
    }
}

/// All results for programs.
pub fn json(families: &[Family], outcomes: &[Outcome]) -> String {
    let figure = |found: &Found| {
        json!({
            "metric": found.figure.metric,
            "theory": found.figure.theory,
            "approximation": found.figure.approximation,
            "measured": found.value,
            "half_width": found.half_width,
            "holds": found.verdict() == Verdict::Holds,
            "verdict": found.verdict().word(),
        })
    };
    let case = |outcome: &Outcome| {
        json!({
            "name": outcome.case.name,
            "family": families[outcome.family].title,
            "law": outcome.case.law,
            "source": outcome.case.source,
            "scenario": outcome.case.scenario,
            "set": outcome.case.set,
            "holds": outcome.holds(),
            "figures": outcome.found.iter().map(figure).collect::<Vec<_>>(),
        })
    };
    let whole = json!({
        "confidence": CONFIDENCE,
        "holds": outcomes.iter().all(Outcome::holds),
        "cases": outcomes.iter().map(case).collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

/// A figure with its unit, to five digits.
fn number(metric: &str, value: f64) -> String {
    let time = metric.starts_with("latency") || metric.ends_with("mean_wait") || metric.ends_with("mean_sojourn");
    match value {
        _ if value.is_nan() => "none".to_owned(),
        _ if time && value >= 1.0 => format!("{} s", digits(value)),
        _ if time => format!("{} ms", digits(1000.0 * value)),
        _ => digits(value),
    }
}

/// Five significant digits, or all of a larger number's whole ones.
fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let before = libm::floor(libm::log10(value.abs())) as i32 + 1;
    format!("{value:.*}", usize::try_from(5 - before).unwrap_or(0))
}

fn share(share: f64) -> String {
    if share.is_finite() { format!("{:.2} %", 100.0 * share) } else { "none".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_five_digits() {
        assert_eq!(digits(0.012_345_67), "0.012346");
        assert_eq!(digits(123_456.7), "123457");
        assert_eq!(digits(3.0), "3.0000");
        assert_eq!(number("latency.p99", 0.230_258), "230.26 ms");
        assert_eq!(number("stations.desk.mean_in_system", 2.0), "2.0000");
    }
}
