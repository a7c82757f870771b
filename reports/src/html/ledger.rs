//! The downtime ledger of the page.

use super::*;
use crate::model::ledger::{ErrorBudget, Uptime};
use crate::phases::{PHASES, lost_in, place_of, time_in};

/// The phases of a window in words, those that took time.
pub(super) fn phases(spans: &[crate::model::PhaseSpan]) -> String {
    let told = spans.iter().map(|it| format!("{} {}", PHASES[place_of(it.phase)].1, span(it.until_s - it.from_s)));
    told.collect::<Vec<_>>().join(", ")
}

pub(super) fn view(report: &Report) -> Value {
    let ledger = &report.figures.ledger;
    let count = |it: &Estimate| number(Unit::Count, it);
    let incident = |(name, it): (&str, &crate::model::ledger::IncidentFigures<Estimate>)| {
        let time = [&it.time.total_s].into_iter().chain(time_in(&it.time));
        let lost = [&it.lost.total].into_iter().chain(lost_in(&it.lost));
        context! {
            name,
            kind => it.kind,
            count => if it.count.value > 1.0 { plain(Unit::Count, it.count.value) } else { String::new() },
            time => time.map(|it| number(Unit::Seconds, it)).collect::<Vec<_>>(),
            lost => lost.map(count).collect::<Vec<_>>(),
        }
    };
    let cause = |(name, it): (&str, &crate::model::ledger::LostByPhase<Estimate>)| {
        let lost = [&it.total].into_iter().chain(lost_in(it)).chain([&it.outside]);
        context! { name, lost => lost.map(count).collect::<Vec<_>>() }
    };
    let seen = |(name, it): (&str, &crate::model::ledger::Seen<Estimate>)| {
        context! {
            name,
            outages => count(&it.outages),
            total => number(Unit::Seconds, &it.total_s),
            longest => number(Unit::Seconds, &it.longest_s),
        }
    };
    let struck = ledger.seen.iter().filter(|(_, it)| it.outages.value > 0.0);
    context! {
        strips => figures::strips(report).map(strips_view),
        phases => PHASES.map(|(_, name)| name).to_vec(),
        incidents => ledger.incidents.iter().map(incident).collect::<Vec<_>>(),
        causes => ledger.causes.iter().map(cause).collect::<Vec<_>>(),
        seen => struck.map(seen).collect::<Vec<_>>(),
        availability => routes(report).map(|(name, route)| availability(name, route)).collect::<Vec<_>>(),
        budgets => routes(report).filter_map(|(name, route)| budget(name, &route.error_budget)).collect::<Vec<_>>(),
    }
}

/// All together, and each, unless there is only one.
fn routes(report: &Report) -> impl Iterator<Item = (&str, &Route<Estimate, LatencyEstimate>)> {
    let all = [("all", &report.figures.total)].into_iter().filter(|_| report.figures.routes.len() != 1);
    all.chain(report.figures.routes.iter())
}

fn availability(name: &str, route: &Route<Estimate, LatencyEstimate>) -> Value {
    let Uptime { by_time, five_minutes, month } = &route.uptime;
    let cells = [&route.availability, by_time, five_minutes, month].map(|it| number(Unit::Share, it));
    context! { name, cells => cells.to_vec() }
}

fn budget(name: &str, it: &ErrorBudget<Estimate>) -> Option<Value> {
    let rates = [&it.burn_rate, &it.burn_5m, &it.burn_30m, &it.burn_1h, &it.burn_6h].map(|it| number(Unit::Count, it));
    let cells: Vec<Value> = rates.into_iter().chain([number(Unit::Share, &it.spent_ratio)]).collect();
    let at = |it: &Estimate| if it.value.is_nan() { NONE.to_owned() } else { clock(it.value) };
    it.objective.value.is_finite().then(|| {
        let objective = plain(Unit::Share, it.objective.value);
        context! { name, objective, cells, fast => at(&it.fast_page_at_s), slow => at(&it.slow_page_at_s) }
    })
}

fn strips_view(strips: figures::Strips) -> Value {
    let row =
        |one: figures::Strip| context! { kind => one.kind, name => one.name, svg => Value::from_safe_string(one.svg) };
    let key = |key: figures::Key| context! { colour => key.colour, name => key.name };
    context! {
        rows => strips.rows.into_iter().map(row).collect::<Vec<_>>(),
        axis => Value::from_safe_string(strips.axis),
        legend => strips.legend.into_iter().map(key).collect::<Vec<_>>(),
        more => strips.more,
    }
}
