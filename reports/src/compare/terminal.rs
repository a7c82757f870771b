//! A comparison for a terminal.

use comfy_table::CellAlignment;

use super::{Comparison, Variant, difference_texts, title_of, verdict};
use crate::format::{NONE, Unit, figure, shorten, tame};
use crate::model::Estimate;
use crate::terminal::{Page, caution_text};

/// Doubts of one variant beyond these are left to the files.
const CAUTIONS_MOST: usize = 2;

impl Comparison {
    /// The findings, a table for each figure, and what cannot be trusted. Tables are at most `width` columns wide; colours are put
    /// in only if `colour`.
    #[must_use]
    pub fn to_terminal(&self, colour: bool, width: usize) -> String {
        let mut page = Page::new(colour, width);
        page.line(&format!("{}  {}", page.ink.bold("COMPARISON"), tame(&self.title)));
        page.wrapped(&tame(&self.setting()), 0);
        page.line("");
        for (name, text) in self.findings() {
            page.wrapped(&format!("  {}: {}", tame(&name), tame(&text)), 4);
        }
        for variant in self.variants.iter().filter(|it| !it.description.is_empty()) {
            page.wrapped(&tame(&format!("  ({}: {})", variant.name, variant.description)), 4);
        }
        if self.has_deployments() {
            self.deployments_table(&mut page);
        }
        for (at, metric) in self.metrics.iter().enumerate() {
            self.table(&mut page, at, metric);
        }
        self.expectations(&mut page);
        self.cautions(&mut page);
        page.text
    }

    /// The table of deployment strategies.
    fn deployments_table(&self, page: &mut Page) {
        page.heading("Deployments", "");
        let header: Vec<&str> = ["variant"].into_iter().chain(Self::deployment_columns(true)).collect();
        let mut table = page.new_table(&header, 1);
        table.column_iter_mut().skip(1).for_each(|column| {
            column.set_padding((1, 0));
        });
        for variant in &self.variants {
            let cells = Self::deployment_row(variant).into_iter().map(|cell| format!("{}{}", cell.value, cell.arrow));
            let name = shorten(&tame(&variant.name), 24);
            table.add_row([name].into_iter().chain(cells));
        }
        page.table(&table);
        page.wrapped(&format!("  {}", tame(&self.deployment_remark())), 2);
    }

    fn table(&self, page: &mut Page, at: usize, metric: &str) {
        page.heading(&tame(&title_of(metric)), "");
        let mut table = page.new_table(&["variant", "value", "difference", "", "finding"], 1);
        if let Some(column) = table.column_mut(4) {
            column.set_cell_alignment(CellAlignment::Left);
        }
        for variant in &self.variants {
            table.add_row(row(variant, at));
        }
        page.table(&table);
    }

    fn expectations(&self, page: &mut Page) {
        if self.variants.iter().all(|it| it.expectations == 0) {
            return;
        }
        page.heading("Expectations", "");
        for variant in &self.variants {
            let text = match variant.expectations_failed {
                0 => page.ink.good(&format!("all {} hold", variant.expectations)),
                n => page.ink.bad(&format!("{n} of {} failed", variant.expectations)),
            };
            page.line(&format!("  {}: {text}", tame(&variant.name)));
        }
    }

    fn cautions(&self, page: &mut Page) {
        if self.variants.iter().all(|it| it.cautions.is_empty()) {
            return;
        }
        page.heading("To be taken with care", "");
        for variant in &self.variants {
            for caution in variant.cautions.iter().take(CAUTIONS_MOST) {
                page.wrapped(&format!("- {}: {}", tame(&variant.name), caution_text(caution)), 2);
            }
        }
    }
}

fn row(variant: &Variant, at: usize) -> [String; 5] {
    let compared = &variant.figures[at];
    let unit = Unit::of_path(&compared.metric);
    let value = figure(unit, &Estimate { value: compared.value, half_width: compared.half_width });
    let name = shorten(&tame(&variant.name), 28);
    match &compared.difference {
        None => [name, value, NONE.to_owned(), String::new(), "baseline".to_owned()],
        Some(difference) => {
            let (text, relative) = difference_texts(&compared.metric, difference);
            [name, value, text, relative, verdict(difference)]
        }
    }
}
