//! What cannot be trusted: figures that rest on too little, or on a run that had no steady state. Each doubt comes with its numbers
//! and with what would dispel it.

use sim_core::observations::Observations;
use sim_core::statistics::lag_one_correlation;

use super::figures::merged;
use super::interval::Level;
use crate::Experiment;
use crate::format::{Unit, number, plain, span};
use crate::model::{Caution, Doubt, Estimate, Figures, LatencyEstimate, Route};

/// Operations under way that grow by less than this share of those that arrive meanwhile are not said to grow.
const NOTABLE_GROWTH: f64 = 0.002;
/// The same where only one replication speaks for it.
const NOTABLE_GROWTH_OF_ONE: f64 = 0.02;
/// A share of unfinished operations below this does not move a percentile that is shown.
const NOTABLE_UNFINISHED: f64 = 0.005;
/// An interval whose half is wider than this share of its figure is called wide.
const WIDE: f64 = 0.1;
/// So many operations beyond a percentile make it more than a guess.
const ENOUGH_IN_TAIL: f64 = 10.0;
/// The normal distribution's upper 5 % point.
const ONE_SIDED_5_PERCENT: f64 = 1.645;

type Estimates = Figures<Estimate, LatencyEstimate>;

/// All doubts, the gravest first.
pub(super) fn cautions(
    experiment: &Experiment,
    figures: &Estimates,
    batches: &[Observations],
    level: Level,
) -> Vec<Caution> {
    let all = &experiment.replications;
    let mut cautions: Vec<Caution> = Vec::new();
    if let Some(growing) = growing(all, level) {
        // Everything else that could be said follows from this.
        return vec![growing];
    }
    cautions.extend(not_settled(experiment));
    cautions.extend(unfinished(figures));
    cautions.extend(correlated(batches));
    cautions.extend(imprecise(experiment));
    cautions.extend(wide(all.len(), figures));
    cautions.extend(few_in_tail(all.len(), figures));
    cautions
}

/// Whether more and more operations were under way in the second half of the measured time: the least-squares line through them rises
/// in the mean over replications, beyond its interval, by a notable share of what arrived.
fn growing(all: &[Observations], level: Level) -> Option<Caution> {
    let lines: Vec<Line> = all.iter().filter_map(second_half).collect();
    if lines.is_empty() || lines.len() < all.len() {
        return None;
    }
    let mean = |figure: fn(&Line) -> f64| lines.iter().map(figure).sum::<f64>() / lines.len() as f64;
    let growth = level.estimate(&lines.iter().map(|line| line.end - line.begin).collect::<Vec<_>>());
    let share = growth.value / mean(|line| line.arrived);
    let certain = match growth.half_width {
        Some(half_width) => growth.value > half_width && share >= NOTABLE_GROWTH,
        None => lines.iter().all(|line| line.rises_throughout) && share >= NOTABLE_GROWTH_OF_ONE,
    };
    certain.then(|| {
        let (from, until) = (mean(|line| line.begin).max(0.0), mean(|line| line.end));
        let count = |value: f64| number(value, usize::from(value < 100.0));
        Caution {
            kind: Doubt::Growing,
            text: format!(
                "Operations under way were still growing at the end, in the second half from {} to {} ({} of what arrived): \
                 a queue is building up, or traffic rises. Latencies depend on how long the run is.",
                count(from),
                count(until),
                plain(Unit::Share, share),
            ),
            advice: Some("more capacity or less traffic; a longer run would only show longer queues".to_owned()),
        }
    })
}

/// Operations under way in the second half of a replication's measured time.
struct Line {
    /// Where the least-squares line begins and ends.
    begin: f64,
    end: f64,
    /// About how many operations arrived meanwhile.
    arrived: f64,
    /// Whether the means of its four quarters rise.
    rises_throughout: bool,
}

fn second_half(one: &Observations) -> Option<Line> {
    const LEAST: usize = 8;
    let bins = one.in_flight.len();
    let measured = one.horizon.since(one.warm_up).as_secs_f64();
    let skipped = 1.0 - 0.5 * measured / one.horizon.as_secs_f64();
    let values: Vec<f64> = one.in_flight[(bins as f64 * skipped) as usize..].iter().map(|n| *n as f64).collect();
    if values.len() < LEAST {
        return None;
    }
    let n = values.len() as f64;
    let (middle, mean) = ((n - 1.0) / 2.0, values.iter().sum::<f64>() / n);
    let (mut together, mut squares) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let off = index as f64 - middle;
        together += off * (value - mean);
        squares += off * off;
    }
    let rise = together / squares * (n - 1.0);
    let quarters: Vec<f64> = values
        .chunks_exact(values.len() / 4)
        .take(4)
        .map(|quarter| quarter.iter().sum::<f64>() / quarter.len() as f64)
        .collect();
    let arrived = one.routes.iter().map(|route| route.started).sum::<u64>() as f64 / 2.0;
    let rises_throughout = quarters.windows(2).all(|pair| pair[0] < pair[1]);
    (arrived > 0.0).then_some(Line { begin: mean - rise / 2.0, end: mean + rise / 2.0, arrived, rises_throughout })
}

fn not_settled(experiment: &Experiment) -> Option<Caution> {
    let found = experiment.warm_up_found.as_ref().filter(|found| !found.settled)?;
    let horizon = experiment.replications.first()?.horizon.as_secs_f64();
    let twice = span(found.searched_s * 2.0);
    let advice = if found.searched_s < horizon {
        format!("let the first change that is planned (deployment, fault, rate) come after {twice}, or give warm_up")
    } else {
        format!("run at least twice as long, {twice}, or give warm_up")
    };
    Some(Caution {
        kind: Doubt::NotSettled,
        text: format!(
            "Latency had not settled within {}, so the warm-up is longer than half of that; half is left out. The figures \
             depend on where they begin.",
            span(found.searched_s),
        ),
        advice: Some(advice),
    })
}

fn unfinished(figures: &Estimates) -> Option<Caution> {
    let requests = &figures.total.requests;
    let share = requests.in_flight.value / requests.started.value;
    (share >= NOTABLE_UNFINISHED).then(|| Caution {
        kind: Doubt::Unfinished,
        text: format!(
            "{} of the operations had not ended when the run did. They are in no latency, and the slowest are more likely among \
             them.",
            plain(Unit::Share, share),
        ),
        advice: Some(format!("run about {} times as long", (share / (NOTABLE_UNFINISHED / 2.0)).ceil())),
    })
}

/// Whether the mean latencies of neighbouring batches go together: their correlation, less its mean under independence, is beyond its
/// one-sided 5 % point. (Both to the order 1/n: Kendall and Stuart, The Advanced Theory of Statistics, volume 3, 48.1.)
fn correlated(batches: &[Observations]) -> Option<Caution> {
    let means: Vec<f64> =
        batches.iter().map(|batch| merged(batch.routes.iter().map(|route| &route.latency)).mean()).collect();
    let n = means.len() as f64;
    let correlation = lag_one_correlation(&means);
    let length = span(batches.first()?.horizon.since(batches.first()?.warm_up).as_secs_f64());
    // Correlation of neighbours falls about as their length grows.
    let longer = (correlation / 0.1).ceil().max(2.0);
    (correlation + 1.0 / n > ONE_SIDED_5_PERCENT / n.sqrt()).then(|| Caution {
        kind: Doubt::CorrelatedBatches,
        text: format!(
            "Mean latencies of neighbouring batches of {length} go together (correlation {correlation:.2}): the intervals are too \
             narrow.",
        ),
        advice: Some(format!("run about {longer} times as long, or several replications")),
    })
}

fn imprecise(experiment: &Experiment) -> Option<Caution> {
    let wanted = experiment.precision.as_ref().filter(|wanted| !wanted.reached)?;
    let on = wanted.route.as_ref().map_or(String::new(), |route| format!(" of {route}"));
    let replications = experiment.replications.len();
    if !wanted.reached_relative.is_finite() {
        let text = format!("{}{on} has no value, so that its precision cannot be told.", wanted.metric);
        return Some(Caution { kind: Doubt::Imprecise, text, advice: None });
    }
    Some(Caution {
        kind: Doubt::Imprecise,
        text: format!(
            "After {replications} replications, the most that were allowed, {}{on} is known to ± {} of itself and not to {}.",
            wanted.metric,
            plain(Unit::Share, wanted.reached_relative),
            plain(Unit::Share, wanted.relative),
        ),
        advice: Some(format!("about {} replications", needed(replications, wanted.reached_relative, wanted.relative))),
    })
}

/// How many replications narrow an interval from one half width to another.
fn needed(replications: usize, from: f64, to: f64) -> String {
    number((replications as f64 * (from / to) * (from / to)).ceil(), 0)
}

fn wide(replications: usize, figures: &Estimates) -> Option<Caution> {
    let latency = &figures.total.latency;
    let shown = [("latency.mean", &latency.mean), ("latency.p50", &latency.p50), ("latency.p99", &latency.p99)];
    let relative = |one: &LatencyEstimate| one.half_width.map_or(0.0, |half_width| half_width / one.value);
    let (name, share) = shown
        .iter()
        .map(|(name, one)| (*name, relative(one)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, share)| *share > WIDE)?;
    let to = plain(Unit::Share, WIDE);
    let advice = match replications {
        1 => format!("run about {} times as long for {to}", (share / WIDE * (share / WIDE)).ceil()),
        n => format!("about {} replications for {to}", needed(n, share, WIDE)),
    };
    Some(Caution {
        kind: Doubt::WideInterval,
        text: format!("The interval of {name} is wide: ± {} of the figure.", plain(Unit::Share, share)),
        advice: Some(advice),
    })
}

/// The highest shown percentile that has enough beyond it in each replication, where p99.9 has not.
fn few_in_tail(replications: usize, figures: &Estimates) -> Option<Caution> {
    let route = |name: &str, route: &Route<Estimate, LatencyEstimate>| {
        let beyond = route.requests.succeeded.value * 0.001;
        (beyond > 0.0 && route.latency.p999.weak).then(|| (name.to_owned(), beyond, route.latency.p99.weak))
    };
    let total = [("all routes", &figures.total)].into_iter().filter(|_| figures.routes.len() != 1);
    let mut weak: Vec<_> = total.chain(figures.routes.iter()).filter_map(|(name, it)| route(name, it)).collect();
    weak.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (name, beyond, p99_too) = weak.first()?.clone();
    let others = match weak.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let each = if replications > 1 { " a replication" } else { "" };
    let which = if p99_too { "p99 and p99.9" } else { "p99.9" };
    let longer = (ENOUGH_IN_TAIL / beyond).ceil();
    Some(Caution {
        kind: Doubt::FewInTail,
        text: format!(
            "Too few operations for {which} of {name}{others}: about {} {} beyond p99.9{each}.",
            number(beyond, usize::from(beyond < 10.0)),
            if beyond < 1.05 && beyond > 0.95 { "lies" } else { "lie" },
        ),
        advice: Some(format!("run about {} times as long", number(longer, 0))),
    })
}
