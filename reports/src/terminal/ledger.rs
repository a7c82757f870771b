//! The downtime ledger for a terminal.

use super::*;
use crate::model::ledger::{ErrorBudget, Uptime};
use crate::phases::{PHASES, down_in, lost_in, time_in};

/// Incidents, causes and witnesses beyond these are left to the files.
const ROWS_MOST: usize = 8;

impl Page {
    /// Of what is in each phase, what is not nothing, in words.
    fn by_phase(unit: Unit, figures: [&Estimate; 6]) -> String {
        let told = PHASES.iter().zip(figures).filter(|(_, estimate)| estimate.value > 0.0);
        let told: Vec<String> = told.map(|((_, name), it)| format!("{name} {}", figure(unit, it))).collect();
        told.join(", ")
    }

    /// How much of the downtime lay in which phase.
    pub(super) fn downtime_by_phase(&mut self, report: &Report) {
        let told = Self::by_phase(Unit::Seconds, down_in(&report.figures.total.downtime));
        if !told.is_empty() {
            self.wrapped(&told, 2);
        }
    }

    pub(super) fn availability(&mut self, report: &Report) {
        let total = &report.figures.total;
        let Uptime { by_time, five_minutes, month } = &total.uptime;
        let share = |estimate: &Estimate| figure(Unit::Share, estimate);
        self.heading("Availability", "");
        self.wrapped(
            &format!(
                "by requests {}, by time {}, by five-minute error rates {} (over a month without other failures {})",
                share(&total.availability),
                share(by_time),
                share(five_minutes),
                share(month)
            ),
            4,
        );
        self.budget("all", &total.error_budget);
        if report.figures.routes.len() > 1 {
            for (name, route) in report.figures.routes.iter().take(ROUTES_MOST) {
                self.budget(name, &route.error_budget);
            }
        }
    }

    fn budget(&mut self, name: &str, budget: &ErrorBudget<Estimate>) {
        if budget.objective.value.is_nan() {
            return;
        }
        let at = |what: &str, at: &Estimate| {
            if at.value.is_nan() { String::new() } else { format!(", {what} at {}", clock(at.value)) }
        };
        self.wrapped(
            &format!(
                "objective {} of {}: burn rate {} (worst hour {}), {} of the period's error budget spent{}{}",
                plain(Unit::Share, budget.objective.value),
                tame(name),
                figure(Unit::Count, &budget.burn_rate),
                figure(Unit::Count, &budget.burn_1h),
                figure(Unit::Share, &budget.spent_ratio),
                at("fast page", &budget.fast_page_at_s),
                at("slow page", &budget.slow_page_at_s),
            ),
            4,
        );
    }

    pub(super) fn ledger(&mut self, report: &Report) {
        let ledger = &report.figures.ledger;
        if ledger.incidents.is_empty() {
            return;
        }
        self.heading("Ledger", "incidents by phase, and operations lost in each, a replication");
        let mut header = vec!["incident", "", "in all"];
        header.extend(PHASES.map(|(_, name)| name));
        let mut table = self.new_table(&header, 2);
        let count = |it: &Estimate| parts(Unit::Count, it).value;
        let seconds = |it: &Estimate| if it.value > 0.0 { span(it.value) } else { NONE.to_owned() };
        for (name, it) in ledger.incidents.iter().take(ROWS_MOST) {
            let cells = [&it.time.total_s].into_iter().chain(time_in(&it.time)).map(seconds);
            table.add_row([shorten(&tame(name), 40), "time".to_owned()].into_iter().chain(cells));
            let cells = [&it.lost.total].into_iter().chain(lost_in(&it.lost)).map(count);
            table.add_row([String::new(), "lost".to_owned()].into_iter().chain(cells));
        }
        if ledger.lost.outside.value > 0.0 {
            let row = ["outside of incidents".to_owned(), "lost".to_owned(), count(&ledger.lost.outside)];
            table.add_row(row.into_iter().chain(std::iter::repeat_n(String::new(), PHASES.len())));
        }
        self.table(&table);
        self.more(ledger.incidents.len(), ROWS_MOST, "incident");
        self.lost_by_cause(report);
        self.seen(report);
    }

    fn lost_by_cause(&mut self, report: &Report) {
        let causes = &report.figures.ledger.causes;
        if causes.is_empty() {
            return;
        }
        let mut header = vec!["lost by cause", "in all"];
        header.extend(PHASES.map(|(_, name)| name));
        header.push("outside");
        let mut table = self.new_table(&header, 1);
        for (cause, it) in causes.iter().take(ROWS_MOST) {
            let cells = [&it.total].into_iter().chain(lost_in(it)).chain([&it.outside]);
            let cells = cells.map(|it| parts(Unit::Count, it).value);
            table.add_row([shorten(&tame(cause), 40)].into_iter().chain(cells));
        }
        self.line("");
        self.table(&table);
        self.more(causes.len(), ROWS_MOST, "cause");
    }

    /// Downtime as routes, probes and components saw it.
    fn seen(&mut self, report: &Report) {
        let seen = &report.figures.ledger.seen;
        let mut table = self.new_table(&["seen by", "outages", "down", "longest"], 1);
        let struck: Vec<_> = seen.iter().filter(|(_, it)| it.outages.value > 0.0).collect();
        for (who, it) in struck.iter().take(ROWS_MOST) {
            table.add_row([
                shorten(&tame(who), 40),
                figure(Unit::Count, &it.outages),
                figure(Unit::Seconds, &it.total_s),
                figure(Unit::Seconds, &it.longest_s),
            ]);
        }
        if !struck.is_empty() {
            self.line("");
            self.table(&table);
            self.more(struck.len(), ROWS_MOST, "witness");
        }
    }
}
