//! `compare.html`: one file, nothing fetched, no scripts, as `report.html`.

use minijinja::{Value, context};

use super::figures::{self, Letter};
use super::{chart, figure_view, letter_view, number, render};
use crate::compare::{Compared, Comparison, Variant, difference_texts, title_of, verdict};
use crate::format::{Unit, tame};
use crate::model::Estimate;
use crate::terminal::caution_text;

const TEMPLATE: &str = include_str!("compare.html");

impl Comparison {
    /// The comparison as one HTML page that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        let names: Vec<String> = self.variants.iter().map(|it| tame(&it.name)).collect();
        let letters: Vec<Letter> = self.reports.first().map(|base| figures::bands(base).1).unwrap_or_default();
        let all = figures::overlaid(&self.reports, &names);
        let findings = self.findings();
        let found = |name: &str| findings.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
        let variants = self.variants.iter().map(|it| {
            context! {
                name => tame(&it.name),
                description => tame(&it.description),
                found => found(&it.name).map_or_else(|| "the baseline".to_owned(), |text| tame(&text)),
                expectations => it.expectations,
                expectations_failed => it.expectations_failed,
            }
        });
        let metrics = self.metrics.iter().enumerate().map(|(at, metric)| self.metric_view(at, metric));
        let strategies = self.has_deployments().then(|| {
            let rows = self.variants.iter().map(|variant| {
                let cells = Self::deployment_row(variant).into_iter().map(|cell| {
                    let class = cell.better.map_or("", |better| if better { "good" } else { "bad" });
                    context! { estimate => cell.estimate, arrow => cell.arrow, difference => cell.difference, class }
                });
                context! { name => tame(&variant.name), cells => cells.collect::<Vec<_>>() }
            });
            let rows: Vec<Value> = rows.collect();
            context! { columns => Self::deployment_columns(false).to_vec(), rows, remark => tame(&self.deployment_remark()) }
        });
        let cautions = self.variants.iter().flat_map(|it| {
            it.cautions.iter().map(|caution| context! { name => tame(&it.name), text => caution_text(caution) })
        });
        render(
            TEMPLATE,
            context! {
                title => tame(&self.title),
                setting => tame(&self.setting()),
                version => self.version.clone(),
                schema_version => self.schema_version,
                baseline => tame(&self.baseline),
                variants => variants.collect::<Vec<_>>(),
                any_expectations => self.variants.iter().any(|it| it.expectations > 0),
                strategies,
                metrics => metrics.collect::<Vec<_>>(),
                cautions => cautions.collect::<Vec<_>>(),
                letters => letters.into_iter().map(letter_view).collect::<Vec<_>>(),
                figures => all.into_iter().map(figure_view).collect::<Vec<_>>(),
            },
        )
    }

    fn metric_view(&self, at: usize, metric: &str) -> Value {
        let differences = || self.variants.iter().filter_map(|it| it.figures[at].difference.as_ref());
        let ends = differences().map(|it| it.value.abs() + it.half_width.unwrap_or(0.0)).filter(|end| end.is_finite());
        let reach = ends.fold(0.0, f64::max) * 1.05;
        let rows: Vec<Value> = self.variants.iter().map(|it| row(it, &it.figures[at], reach)).collect();
        context! { title => title_of(metric), path => metric, rows }
    }
}

fn row(variant: &Variant, compared: &Compared, reach: f64) -> Value {
    let unit = Unit::of_path(&compared.metric);
    let value = number(unit, &Estimate { value: compared.value, half_width: compared.half_width });
    let Some(difference) = &compared.difference else {
        return context! { name => tame(&variant.name), value, base => true };
    };
    let (text, relative) = difference_texts(&compared.metric, difference);
    let class = match difference.better {
        Some(true) => "good",
        Some(false) => "bad",
        None => "",
    };
    let whisker = chart::whisker(difference.value, difference.half_width.unwrap_or(f64::NAN), reach, (180, 22));
    context! {
        name => tame(&variant.name),
        value,
        base => false,
        difference => text,
        relative,
        class,
        finding => verdict(difference),
        whisker => Value::from_safe_string(whisker),
    }
}
