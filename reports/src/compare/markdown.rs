//! A comparison as Markdown, for a pull request or a wiki.

use std::fmt::Write as _;

use super::{Comparison, Variant, difference_texts, title_of, verdict};
use crate::format::{NONE, Unit, figure, tame};
use crate::model::Estimate;
use crate::terminal::caution_text;

impl Comparison {
    /// The comparison as GitHub's Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n\n", escaped(&self.title), escaped(&self.setting()));
        for (name, found) in self.findings() {
            let _ = writeln!(text, "- **{}**: {}", escaped(&name), escaped(&found));
        }
        if self.has_deployments() {
            self.write_deployments(&mut text);
        }
        for (at, metric) in self.metrics.iter().enumerate() {
            let _ = write!(
                text,
                "\n## {}\n\n| variant | value | difference | | finding |\n|---|---:|---:|---:|---|\n",
                escaped(&title_of(metric))
            );
            for variant in &self.variants {
                let _ = writeln!(text, "| {} |", row(variant, at).map(|cell| escaped(&cell)).join(" | "));
            }
        }
        let cautions: Vec<String> = self
            .variants
            .iter()
            .flat_map(|it| it.cautions.iter().map(|caution| format!("- {}: {}", it.name, caution_text(caution))))
            .map(|line| escaped(&line))
            .collect();
        if !cautions.is_empty() {
            let _ = write!(text, "\n## To be taken with care\n\n{}\n", cautions.join("\n"));
        }
        let _ = write!(text, "\nStormglass {}\n", escaped(&self.version));
        text
    }

    /// The table of deployment strategies, differences beneath the values.
    fn write_deployments(&self, text: &mut String) {
        let columns = Self::deployment_columns(false);
        let _ = writeln!(text, "\n## Deployments\n\n| variant | {} |", columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(columns.len()));
        for variant in &self.variants {
            let cells = Self::deployment_row(variant).into_iter().map(|cell| {
                let difference = match cell.difference.as_str() {
                    "" => String::new(),
                    known => format!("<br>{}", escaped(known)),
                };
                format!("{} {}{difference}", escaped(&cell.estimate), cell.arrow)
            });
            let _ = writeln!(text, "| {} | {} |", escaped(&variant.name), cells.collect::<Vec<_>>().join(" | "));
        }
        let _ = writeln!(text, "\n{}", escaped(&self.deployment_remark()));
    }
}

fn row(variant: &Variant, at: usize) -> [String; 5] {
    let compared = &variant.figures[at];
    let value =
        figure(Unit::of_path(&compared.metric), &Estimate { value: compared.value, half_width: compared.half_width });
    match &compared.difference {
        None => [variant.name.clone(), value, NONE.to_owned(), String::new(), "baseline".to_owned()],
        Some(difference) => {
            let (text, relative) = difference_texts(&compared.metric, difference);
            [variant.name.clone(), value, text, relative, verdict(difference)]
        }
    }
}

/// A text of a scenario can make neither markup nor another cell of a table.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in tame(text).chars() {
        match c {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '~' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escaped("a|b <script> [x](y)\n# c"), "a\\|b &lt;script&gt; \\[x\\](y) \\# c");
    }
}
