//! What bound first: the busiest station, and the one where requests waited.

use super::figures::highest;
use super::interval::Level;
use crate::format::{Unit, clock, figure};
use crate::model::{Bottleneck, Busiest, Estimate, Figures, LatencyEstimate, LongestWait, Station};

/// A station whose busiest minute stays below this bound nothing.
const NEAR_CAPACITY: f64 = 0.7;
/// If fewer operations than this share fail where no station was near its capacity, nothing bound.
const NOTABLE_FAILURES: f64 = 0.01;
/// Mean waits below this many seconds are not worth a word.
const NOTABLE_WAIT: f64 = 1e-6;

/// Finds it.
pub(super) fn find(
    figures: &Figures<Estimate, LatencyEstimate>,
    raws: &[Figures<f64, f64>],
    numbers: &[u32],
    level: Level,
) -> Bottleneck {
    let busiest = busiest(figures, raws, numbers);
    let longest_wait = longest_wait(figures, raws, level);
    let bound = busiest.as_ref().is_some_and(|busiest| busiest.utilisation_peak.value >= NEAR_CAPACITY);
    let text = words(figures, bound, busiest.as_ref(), longest_wait.as_ref(), numbers.len());
    Bottleneck { bound, text, busiest, longest_wait }
}

fn busiest(
    figures: &Figures<Estimate, LatencyEstimate>,
    raws: &[Figures<f64, f64>],
    numbers: &[u32],
) -> Option<Busiest> {
    let mut best: Option<Busiest> = None;
    for (name, station) in figures.stations.iter() {
        let peak = station.figures.utilisation_peak;
        let same: Vec<_> = raws.iter().filter_map(|raw| raw.stations.get(name)).collect();
        let Some((index, at)) = highest(&same) else { continue };
        // Of stations that are full to the per cent, the one that was so first.
        let per_cent = |share: f64| (share * 100.0).round();
        let better = best.as_ref().is_none_or(|known| {
            let (new, old) = (per_cent(peak.value), per_cent(known.utilisation_peak.value));
            new > old || (new == old && at.utilisation_peak_at_s < known.at_s)
        });
        if better {
            let replication = numbers.get(index).copied().unwrap_or(0);
            let at_s = at.utilisation_peak_at_s;
            best = Some(Busiest { station: name.to_owned(), utilisation_peak: peak, at_s, replication });
        }
    }
    best
}

fn longest_wait(
    figures: &Figures<Estimate, LatencyEstimate>,
    raws: &[Figures<f64, f64>],
    level: Level,
) -> Option<LongestWait> {
    let mut best: Option<(f64, &str, Estimate)> = None;
    for (name, station) in figures.stations.iter() {
        let here = station.figures.mean_waiting.value;
        if here > 0.0 && best.is_none_or(|(known, ..)| here > known) {
            best = Some((here, name, station.figures.mean_wait));
        }
    }
    let (_, name, mean_wait) = best.filter(|(_, _, mean_wait)| mean_wait.value >= NOTABLE_WAIT)?;
    let waiting = |station: &Station<f64>| Some(station.figures.mean_waiting).filter(|w| w.is_finite());
    let share = |raw: &Figures<f64, f64>| {
        let here = raw.stations.get(name).and_then(waiting).unwrap_or(f64::NAN);
        here / raw.stations.values().filter_map(waiting).sum::<f64>()
    };
    let share = level.estimate(&raws.iter().map(share).collect::<Vec<_>>());
    Some(LongestWait { station: name.to_owned(), share, mean_wait })
}

fn words(
    figures: &Figures<Estimate, LatencyEstimate>,
    bound: bool,
    busiest: Option<&Busiest>,
    longest_wait: Option<&LongestWait>,
    replications: usize,
) -> String {
    let Some(busiest) = busiest else {
        return "Nothing bound: no station was observed.".to_owned();
    };
    let servers = figures.stations.get(&busiest.station).map_or("", |station| &station.resource);
    let who = format!("{} {}", busiest.station, plural(servers));
    let who = who.trim_end();
    let peak = figure(Unit::Share, &busiest.utilisation_peak);
    let when = clock(busiest.at_s);
    let when = if replications > 1 {
        format!("in the busiest minute (the worst from {when} in replication {})", busiest.replication)
    } else {
        format!("in the minute from {when}")
    };
    let wait = |longest: &LongestWait| figure(Unit::Seconds, &longest.mean_wait);
    let share = |longest: &LongestWait| format!("{} of all waiting", figure(Unit::Share, &longest.share));
    let first = if bound {
        format!("{who} reached {peak} {when}")
    } else {
        format!("{}: the busiest station, {who}, reached {peak} {when}", unbound(figures))
    };
    match longest_wait {
        Some(longest) if longest.station == busiest.station => {
            format!("{first}; requests waited {} on average there, {}.", wait(longest), share(longest))
        }
        Some(longest) => {
            format!(
                "{first}; requests waited longest at {}, {} on average, {}.",
                longest.station,
                wait(longest),
                share(longest)
            )
        }
        None => format!("{first}; requests hardly waited anywhere."),
    }
}

/// What is to be said where no station was near its capacity: a limit may have been, such as a partition's or one of connections.
fn unbound(figures: &Figures<Estimate, LatencyEstimate>) -> String {
    let total = &figures.total;
    let most = total.errors.iter().next().filter(|_| total.error_rate.value >= NOTABLE_FAILURES);
    most.map_or_else(
        || "Nothing bound".to_owned(),
        |(cause, _)| {
            let share = figure(Unit::Share, &total.error_rate);
            format!("No station was near its capacity, and yet {share} of the operations failed, most by {cause}")
        },
    )
}

fn plural(noun: &str) -> String {
    if noun.is_empty() || noun.ends_with('s') { noun.to_owned() } else { format!("{noun}s") }
}
