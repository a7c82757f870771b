//! The figures of several reports laid over each other, each in its own colour.

use super::*;

/// Latency, failures and tasks over time, and the tail of latencies; what none of the reports has is left out.
pub(in crate::html) fn overlaid(reports: &[Report], names: &[String]) -> Vec<Figure> {
    let Some(base) = reports.first() else { return Vec::new() };
    let overlay = Overlay { base, reports, names, bands: bands(base).0 };
    let all = [
        overlay.latency("p99", "99th percentile of latency over time"),
        overlay.latency("p50", "Median latency over time"),
        overlay.failed(),
        overlay.tasks(),
        overlay.tail(),
    ];
    all.into_iter().flatten().collect()
}

struct Overlay<'a> {
    base: &'a Report,
    reports: &'a [Report],
    names: &'a [String],
    /// What happened in the baseline.
    bands: Vec<Band>,
}

fn colours() -> impl Iterator<Item = RGBColor> {
    PALETTE.into_iter().cycle()
}

impl Overlay<'_> {
    fn latency(&self, name: &str, title: &str) -> Option<Figure> {
        let of = |report: &Report| of_group(report, Group::Latency).into_iter().find(|one| one.name == name).cloned();
        let series: Vec<Option<SeriesReport>> = self.reports.iter().map(of).collect();
        let (y, logarithmic, low) = latency_axis(&series.iter().flatten().collect::<Vec<_>>())?;
        let scale = |value| if logarithmic { axes::log10(value) } else { value };
        Some(self.over_time(title, &series, y, scale, if logarithmic { low } else { 0.0 }))
    }

    fn failed(&self) -> Option<Figure> {
        let series: Vec<Option<SeriesReport>> = self.reports.iter().map(failures).collect();
        let most = series.iter().flatten().flat_map(|one| &one.values).copied().fold(0.0, f64::max);
        let y = axes::linear(Unit::Rate, most, "operations per second");
        (most > 0.0).then(|| self.over_time("Failed operations per second", &series, y, |value| value, 0.0))
    }

    /// Tasks of all revisions together, where new ones came.
    fn tasks(&self) -> Option<Figure> {
        let series: Vec<Option<SeriesReport>> = self.reports.iter().map(running).collect();
        let several = |report: &Report| of_group(report, Group::Tasks).iter().any(|one| one.name.ends_with(" rev 1"));
        let most = series.iter().flatten().flat_map(|one| &one.values).copied().fold(0.0, f64::max);
        let y = axes::linear(Unit::Count, most, "tasks");
        let shown = most > 0.0 && self.reports.iter().any(several);
        shown.then(|| self.over_time("Running tasks, all revisions together", &series, y, |value| value, 0.0))
    }

    /// One line a report that has the series.
    fn over_time(
        &self,
        title: &str,
        series: &[Option<SeriesReport>],
        y: Axis,
        scale: impl Fn(f64) -> f64,
        floor: f64,
    ) -> Figure {
        let end = y.range.end;
        let lines = series.iter().zip(colours()).filter_map(|(one, colour)| Some((one.as_ref()?, colour)));
        let lines = lines.map(|(one, colour)| line(one, colour, floor, |value| scale(value).min(end))).collect();
        let (size, bands) = ((WIDE, 300), self.bands.clone());
        let chart = Chart { size, x: axes::time(self.base.horizon_s), y, bands, areas: vec![], lines };
        self.figure(title, &chart, interval_remark(self.base))
    }

    fn tail(&self) -> Option<Figure> {
        let histograms = || self.reports.iter().map(|report| &report.latency_histogram[..]).zip(colours());
        let known = || histograms().filter_map(|(buckets, colour)| Some((buckets, colour, buckets.first()?)));
        let low = known().map(|(_, _, first)| lowest(first)).fold(f64::INFINITY, f64::min);
        let high = known().filter_map(|(buckets, ..)| buckets.last()).map(|last| last.upper).fold(0.0, f64::max);
        let most = known().map(|(buckets, ..)| buckets.iter().map(|it| it.count).sum::<u64>()).max()?;
        let lines = known().map(|(buckets, colour, first)| Line {
            colour,
            points: tail_points(buckets, lowest(first)),
            interval: vec![],
            weight: 1.8,
        });
        let chart = Chart {
            size: (WIDE, 320),
            x: axes::log_seconds(low, high, "latency, log scale"),
            y: axes::percentiles(1.0 / most.max(1) as f64),
            bands: vec![],
            areas: vec![],
            lines: lines.collect(),
        };
        let remark = "All replications together; operations that succeeded.".to_owned();
        Some(self.figure("Latency tail: what share is slower", &chart, remark))
    }

    fn figure(&self, title: &str, chart: &Chart, remark: String) -> Figure {
        let legend = legend(self.names.iter().map(String::as_str).zip(colours()));
        Figure { title: title.to_owned(), svg: chart.svg(), legend, remark, wide: true }
    }
}

/// The sum over services and revisions of their running tasks.
fn running(report: &Report) -> Option<SeriesReport> {
    let of_revisions = of_group(report, Group::Tasks).into_iter().filter(|one| one.name.contains(" rev "));
    of_revisions.cloned().reduce(|mut sum, one| {
        for (at, value) in one.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            match sum.values.get_mut(at) {
                Some(known) if known.is_finite() => *known += value,
                Some(known) => *known = *value,
                None => {}
            }
        }
        // Means of sums, whose intervals the parts do not tell.
        sum.half_widths.fill(f64::NAN);
        sum
    })
}
