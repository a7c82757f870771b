//! The bill as people see it: on a terminal, as a table for spreadsheets, and in HTML.

use minijinja::{Value, context};

use super::{CostLine, CostReport, dollars};
use crate::csv::{shortest, table};
use crate::format::{NONE, Unit, figure, parts, plain, shorten, span, tame};
use crate::model::{Estimate, Report};
use crate::terminal::Page;

/// Lines beyond these are left to the files.
const LINES_MOST: usize = 10;
/// Reasons for want of a price beyond these too.
const WITHOUT_MOST: usize = 4;

impl CostLine {
    /// Such as `fargate.vcpu`, `ec2.instance m5.large (added by scaling)`.
    fn what(&self) -> String {
        let kind = if self.kind.is_empty() { String::new() } else { format!(" {}", self.kind) };
        let purpose = match self.purpose_text() {
            "" => String::new(),
            text => format!(" ({text})"),
        };
        format!("{}{kind}{purpose}", self.item)
    }

    /// Such as `0.40 a 1M query`; nothing where there is none.
    fn unit_price(&self) -> String {
        let (Some(usd), Some(units)) = (self.usd, self.per_units) else { return NONE.to_owned() };
        let units = match units {
            1.0 => String::new(),
            many if many >= 1e6 && many % 1e6 == 0.0 => format!("{}M ", many / 1e6),
            many if many >= 1e3 && many % 1e3 == 0.0 => format!("{}k ", many / 1e3),
            many => format!("{many} "),
        };
        let first = if self.tiered { " (first tier)" } else { "" };
        format!("{usd} / {units}{}{first}", self.unit)
    }

    fn quantity_text(&self) -> String {
        format!("{} {}", plain(Unit::Count, self.quantity.value), self.unit)
    }
}

impl CostReport {
    /// What it comes to, in a sentence.
    fn sum(&self) -> String {
        let usd = |estimate: &Estimate| figure(Unit::Dollars, estimate);
        let month = self.per_month.as_ref().map_or_else(String::new, |month| format!("; {} a month", usd(month)));
        let lacks = if self.without_price.is_empty() { "" } else { ", without what has no price" };
        format!(
            "{} in {}{lacks}; {} an hour of this traffic{month}",
            usd(&self.total),
            span(self.hours * 3600.0),
            usd(&self.per_hour)
        )
    }

    /// The dearest first, what has no amount last.
    fn by_amount(&self) -> Vec<&CostLine> {
        let mut lines: Vec<&CostLine> = self.lines.iter().collect();
        let rank = |line: &CostLine| if line.amount.value.is_nan() { -1.0 } else { line.amount.value };
        lines.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        lines
    }

    /// What the template needs.
    pub(crate) fn view(&self) -> Value {
        let cell = |unit: Unit, estimate: &Estimate| {
            let parts = parts(unit, estimate);
            context! { value => parts.value, half_width => parts.half_width.unwrap_or_default(), weak => false }
        };
        let line = |line: &CostLine| {
            let month = line.per_month.as_ref().map(|month| cell(Unit::Dollars, month));
            context! {
                part => line.part.clone(), what => line.what(), region => line.region.clone(), unit => line.unit.clone(),
                quantity => cell(Unit::Count, &line.quantity), price => line.unit_price(),
                amount => cell(Unit::Dollars, &line.amount), month => month,
                date => line.date.clone(), source => line.source.clone(), assumed => line.assumed.clone(),
            }
        };
        context! {
            sum => self.sum(), monthly => self.per_month.is_some(),
            lines => self.lines.iter().map(line).collect::<Vec<_>>(),
            without_price => self.without_price.clone(), assumptions => self.assumptions.clone(),
        }
    }
}

impl Page {
    pub(crate) fn cost(&mut self, report: &Report) {
        let Some(bill) = &report.bill else { return };
        self.heading(
            "Cost",
            "list prices; every line with its source and what was assumed is in report.html and cost.csv",
        );
        self.wrapped(&format!("  {}", bill.sum()), 2);
        let mut table = self.new_table(&["of", "what", "quantity", "price (USD)", "USD", "as of"], 2);
        let lines = bill.by_amount();
        let shown = lines.iter().filter(|line| !line.amount.value.is_nan()).take(LINES_MOST);
        for line in shown {
            table.add_row([
                shorten(&tame(&line.part), 24),
                tame(&line.what()),
                line.quantity_text(),
                line.unit_price(),
                dollars(line.amount.value).replace(" USD", ""),
                line.date.clone(),
            ]);
        }
        self.table(&table);
        let with_amount = lines.iter().filter(|line| !line.amount.value.is_nan()).count();
        self.more(with_amount, LINES_MOST, "line");
        for reason in bill.without_price.iter().take(WITHOUT_MOST) {
            self.wrapped(&format!("  not in the sum - {}", tame(reason)), 4);
        }
        self.more(bill.without_price.len(), WITHOUT_MOST, "unpriced line");
        if let Some(month) = bill.assumptions.iter().find(|it| it.contains("month") && it.contains("average")) {
            self.wrapped(&format!("  {}.", tame(month)), 2);
        }
    }
}

impl Report {
    /// The bill as a table: a row a line, with where its price is from and what was assumed.
    #[must_use]
    pub fn cost_csv(&self) -> String {
        let header = [
            "part",
            "item",
            "kind",
            "purpose",
            "region",
            "quantity",
            "quantity half width",
            "unit",
            "usd",
            "per_units",
            "tiered",
            "amount_usd",
            "amount half width",
            "per_month_usd",
            "price_date",
            "price_source",
            "assumed",
        ];
        let value = |value: f64| if value.is_finite() { shortest(value) } else { String::new() };
        let half = |estimate: &Estimate| estimate.half_width.map_or_else(String::new, value);
        let row = |line: &CostLine| {
            let text = |text: &str| text.to_owned();
            vec![
                text(&line.part),
                text(&line.item),
                text(&line.kind),
                text(line.purpose),
                text(&line.region),
                value(line.quantity.value),
                half(&line.quantity),
                text(&line.unit),
                line.usd.map_or_else(String::new, value),
                line.per_units.map_or_else(String::new, value),
                line.tiered.to_string(),
                value(line.amount.value),
                half(&line.amount),
                line.per_month.map_or_else(String::new, |month| value(month.value)),
                text(&line.date),
                text(&line.source),
                text(&line.assumed),
            ]
        };
        let lines = self.bill.iter().flat_map(|bill| &bill.lines).map(row);
        table(header.map(str::to_owned).to_vec(), lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> CostLine {
        let estimate = |value| Estimate { value, half_width: None };
        CostLine {
            part: "route53".to_owned(),
            item: "route53.queries".to_owned(),
            kind: "standard".to_owned(),
            purpose: "planned",
            region: "*".to_owned(),
            quantity: estimate(12e6),
            unit: "query".to_owned(),
            usd: Some(0.4),
            per_units: Some(1e6),
            tiered: true,
            amount: estimate(4.8),
            per_month: None,
            date: "2024-07".to_owned(),
            source: "a list".to_owned(),
            assumed: String::new(),
        }
    }

    #[test]
    fn a_line_reads_as_quantity_times_price() {
        let line = line();
        assert_eq!(line.what(), "route53.queries standard");
        assert_eq!(
            (line.quantity_text(), line.unit_price()),
            ("12,000,000 query".into(), "0.4 / 1M query (first tier)".into())
        );
        let scaled = CostLine { purpose: "scaled", kind: String::new(), per_units: Some(1.0), tiered: false, ..line };
        assert_eq!(scaled.what(), "route53.queries (added by scaling)");
        assert_eq!(scaled.unit_price(), "0.4 / query");
    }
}
