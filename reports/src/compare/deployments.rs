//! The table of deployment strategies: one row a variant, one column a figure, each with what it differs by from the baseline.

use super::{Comparison, Difference, Finding, Variant, difference_texts};
use crate::format::{NONE, Unit, figure, parts, plain};
use crate::model::{Estimate, Report};

/// Subject of the totals about deployments.
const SUBJECT: &str = "deployments";

/// What deployments are compared by beyond the headline metrics: paths of a report's figures.
pub const DEPLOYMENT_METRICS: [&str; 7] = [
    "counters.deployments.p99_during_s",
    "counters.deployments.duration_s",
    "counters.deployments.in_service_minimum",
    "counters.deployments.extra_task_hours",
    "cost.deployments_usd",
    "counters.deployments.new_revision_requests",
    "counters.deployments.new_revision_errors",
];

/// The columns of the table, with their titles and what is left of these where there is little room.
const COLUMNS: [(&str, &str, &str); 9] = [
    ("requests.failed", "failed requests", "failed"),
    ("counters.deployments.p99_during_s", "p99 during", "p99"),
    ("downtime.total_s", "downtime", "down"),
    ("counters.deployments.duration_s", "duration", "takes"),
    ("counters.deployments.in_service_minimum", "fewest in service", "fewest"),
    ("counters.deployments.extra_task_hours", "extra task-hours", "task-h"),
    ("cost.deployments_usd", "extra cost", "cost"),
    ("counters.deployments.new_revision_requests", "requests on the new revision", "on new"),
    ("counters.deployments.new_revision_errors", "its errors", "errors"),
];

/// Whether anything was deployed in the runs of a report.
pub(super) fn deploys(report: &Report) -> bool {
    report.figures.counters.get(SUBJECT).is_some()
}

/// What a metric of deployments is called.
pub(super) fn title(metric: &str) -> Option<&'static str> {
    let known = COLUMNS.iter().find(|(path, ..)| *path == metric && DEPLOYMENT_METRICS.contains(path));
    known.map(|(_, title, _)| *title)
}

/// Whether less of it is better; `None` if it is no figure of deployments, or neither is better.
pub(super) fn lower_is_better(metric: &str) -> Option<bool> {
    match metric.strip_prefix("counters.deployments.")? {
        "p99_during_s"
        | "duration_s"
        | "extra_task_hours"
        | "new_revision_errors"
        | "failed_during"
        | "failed"
        | "rolled_back" => Some(true),
        "in_service_minimum" | "completed" => Some(false),
        _ => None,
    }
}

/// A cell: the value with its interval, what it differs by from the baseline's, and whether that is for the better.
pub(crate) struct Cell {
    /// The value on its own, in few digits.
    pub(crate) value: String,
    /// With half its interval.
    pub(crate) estimate: String,
    /// The difference with half its interval, and its share of the baseline; empty in the baseline's row.
    pub(crate) difference: String,
    /// An arrow up or down, if the difference is beyond chance.
    pub(crate) arrow: &'static str,
    /// Whether it is for the better.
    pub(crate) better: Option<bool>,
}

impl Comparison {
    /// Whether there is a table of deployment strategies.
    pub(crate) fn has_deployments(&self) -> bool {
        self.reports.iter().any(deploys)
    }

    /// The titles of its columns, in full or short.
    pub(crate) fn deployment_columns(short: bool) -> [&'static str; COLUMNS.len()] {
        COLUMNS.map(|(_, title, brief)| if short { brief } else { title })
    }

    /// The row of a variant.
    pub(crate) fn deployment_row(variant: &Variant) -> Vec<Cell> {
        COLUMNS.iter().map(|(metric, ..)| cell(variant, metric)).collect()
    }

    /// How the table is to be read.
    pub(crate) fn deployment_remark(&self) -> String {
        format!(
            "Failed requests; p99 of operations that began while the deployment went on; downtime; how long it took; the fewest \
             healthy tasks or instances with traffic; those beyond the desired count, and what they cost; requests on the new revision \
             until it was rolled back, or to the end of the run, and its errors. ↑ ↓ higher or lower than {} beyond chance, corrected for \
             all {} comparisons; without an arrow no difference can be detected. Prices and what was assumed are in each variant's own report.",
            self.baseline, self.comparisons
        )
    }
}

fn cell(variant: &Variant, metric: &str) -> Cell {
    let none = || Cell {
        value: NONE.to_owned(),
        estimate: NONE.to_owned(),
        difference: String::new(),
        arrow: "",
        better: None,
    };
    let Some(compared) = variant.figures.iter().find(|it| it.metric == metric).filter(|it| it.value.is_finite()) else {
        return none();
    };
    let unit = Unit::of_path(metric);
    let estimate = figure(unit, &Estimate { value: compared.value, half_width: compared.half_width });
    let (difference, arrow, better) = compared.difference.as_ref().map_or((String::new(), "", None), |difference| {
        (described(metric, difference), arrow(difference.finding), difference.better)
    });
    // Three digits or so are enough for a look; whole numbers of things are whole.
    let value = match compared.value {
        whole if unit == Unit::Count && whole.fract() == 0.0 => plain(unit, whole),
        value => parts(unit, &Estimate { value, half_width: Some(value.abs() * 0.05) }).value,
    };
    Cell { value, estimate, difference, arrow, better }
}

fn described(metric: &str, difference: &Difference) -> String {
    match difference.finding {
        Finding::Identical => "identical".to_owned(),
        Finding::NotComparable => "cannot be compared".to_owned(),
        finding => {
            let (text, relative) = difference_texts(metric, difference);
            let relative = if relative.is_empty() { relative } else { format!(" ({relative})") };
            let doubt = if finding == Finding::NoDetectableDifference { ", not detectable" } else { "" };
            format!("{text}{relative}{doubt}")
        }
    }
}

const fn arrow(finding: Finding) -> &'static str {
    match finding {
        Finding::Higher => "↑",
        Finding::Lower => "↓",
        _ => "",
    }
}

/// Titles as the other tables have them.
pub(super) fn title_or(metric: &str, otherwise: impl FnOnce() -> String) -> String {
    title(metric).map_or_else(otherwise, |title| format!("deployments: {title}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::title_of;

    #[test]
    fn every_metric_of_deployments_has_a_column_and_a_title() {
        for metric in DEPLOYMENT_METRICS {
            assert!(COLUMNS.iter().any(|(path, ..)| *path == metric), "{metric}");
            assert!(title_of(metric).starts_with("deployments: "), "{}", title_of(metric));
            crate::expectations::check_metric(metric).expect("a figure of a report");
        }
        assert_eq!(lower_is_better("counters.deployments.in_service_minimum"), Some(false));
        assert_eq!(lower_is_better("counters.deployments.duration_s"), Some(true));
        assert_eq!(lower_is_better("counters.deployments.new_revision_requests"), None);
        assert_eq!(lower_is_better("requests.failed"), None);
    }
}
