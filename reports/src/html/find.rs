//! The page of a search: the answer, the figures that decide over what was gone through, the evidence, why the neighbours lost.

use minijinja::{Value, context};
use plotters::style::RGBColor;

use super::axes;
use super::chart::{Chart, Line, PALETTE, css};
use super::curve::{Curve, Dot, axis, below, extent, figure, mark, places};
use super::figures::{Figure as Drawn, Key};
use super::{figure_view, number, render};
use crate::find::{Along, Evidence, Finding, Found, Search, judge};
use crate::format::{NONE, Unit, plain, tame};
use crate::model::{Estimate, ExpectationResult};
use crate::sweep::{Bound, Factor, Figure};

const TEMPLATE: &str = include_str!("find.html");
/// Stations beyond these are never near to binding first.
const STATIONS_MOST: usize = 5;

impl Search {
    /// The outcome as one HTML page that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        let found = self.succeeded();
        let view = context! {
            title => tame(if self.title.is_empty() { &self.scenario } else { &self.title }),
            scenario => tame(&self.scenario),
            version => self.version.clone(),
            setting => tame(&self.setting()),
            method => tame(&self.method),
            class => if found { "good" } else { "bad" },
            word => if found { "found" } else { "nothing" },
            answer => tame(&self.answer),
            confidence => plain(Unit::Share, self.confidence),
            cases => self.cases.iter().map(|case| self.case_view(case)).collect::<Vec<_>>(),
        };
        render(TEMPLATE, view)
    }

    fn case_view(&self, case: &Found) -> Value {
        let expected = case.evidence.first().map_or(&[][..], |first| &first.expectations);
        let neighbour = |it: &crate::find::Neighbour| context! { setting => tame(&it.setting), why => tame(&it.why) };
        context! {
            name => tame(&case.case),
            answer => case.answer.as_deref().map_or_else(|| "nothing".to_owned(), tame),
            figures => self.figures(case).into_iter().map(figure_view).collect::<Vec<_>>(),
            priced => case.evidence.iter().any(|it| it.cost.is_some()),
            expected => expected.iter().map(|it| tame(&it.text)).collect::<Vec<_>>(),
            rows => case.evidence.iter().map(|it| row(case, it)).collect::<Vec<_>>(),
            neighbours => case.neighbours.iter().map(neighbour).collect::<Vec<_>>(),
            at_answer => case.chosen().map(|it| tame(&it.bottleneck)),
            binds => case.binds.as_deref().map(tame),
            notes => case.notes.iter().map(|it| tame(it)).collect::<Vec<_>>(),
        }
    }

    /// The figures that are expected, the one that decides first, and how busy the stations are.
    fn figures(&self, case: &Found) -> Vec<Drawn> {
        let factor = self.factor(case);
        let joined = factor.amounts.is_some() && self.along != Along::Cost;
        let mut order: Vec<usize> = (0..case.evidence.first().map_or(0, |it| it.expectations.len())).collect();
        let decisive = case.decisive();
        order.sort_by_key(|index| Some(*index) != decisive);
        let mut seen = Vec::new();
        let mut figures = Vec::new();
        for index in order {
            let path = path_of(&case.evidence[0].expectations[index]);
            if !seen.contains(&path) {
                let remark = if Some(index) == decisive { "decides" } else { "" };
                let curve = curve(case, &factor, &path, joined);
                figures.extend(curve.map(|it| Drawn { remark: remark.to_owned(), ..it }));
                seen.push(path);
            }
        }
        figures.extend(joined.then(|| stations(case, &factor)).flatten());
        figures
    }

    /// What was gone through, as an axis: its levels are those of the evidence.
    fn factor(&self, case: &Found) -> Factor {
        Factor {
            key: self.along.title().to_owned(),
            levels: case.evidence.iter().map(|it| it.level.text.clone()).collect(),
            amounts: case.evidence.iter().map(|it| it.level.amount).collect(),
            unit: String::new(),
        }
    }
}

fn path_of(result: &ExpectationResult) -> String {
    match &result.route {
        Some(route) => format!("routes.{route}.{}", result.metric),
        None => result.metric.clone(),
    }
}

fn curve(case: &Found, factor: &Factor, path: &str, joined: bool) -> Option<Drawn> {
    let of = |it: &Evidence| -> Vec<ExpectationResult> {
        it.expectations.iter().filter(|result| path_of(result) == path).cloned().collect()
    };
    let dot = |(level, it): (usize, &Evidence)| {
        let results = of(it);
        let first = results.first()?;
        let value = Some(first.value).filter(|value| value.is_finite());
        let figure = Figure { value, half_width: first.half_width, low: None, high: None };
        Some(Dot { level, figure, colour: colour(judge(&results)) })
    };
    let bound = |it: ExpectationResult| Bound { text: it.text, metric: path.to_owned(), min: it.min, max: it.max };
    let bounds: Vec<Bound> = case.evidence.first().map(of).unwrap_or_default().into_iter().map(bound).collect();
    Curve {
        metric: path,
        factor,
        dots: case.evidence.iter().enumerate().filter_map(dot).collect(),
        bounds: bounds.iter().collect(),
        joined,
        mark: case.position(),
    }
    .draw()
}

/// The utilisation of the busiest stations in their busiest minutes.
fn stations(case: &Found, factor: &Factor) -> Option<Drawn> {
    let most = |name: &str| extent(case.evidence.iter().filter_map(|it| it.utilisation(name))).map(|(_, high)| high);
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in case.evidence.iter().flat_map(|it| &it.stations) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort_by(|a, b| most(b).unwrap_or(0.0).total_cmp(&most(a).unwrap_or(0.0)));
    names.truncate(STATIONS_MOST);
    let high = names.first().and_then(|name| most(name))?;
    let places = places(factor);
    let line = |(index, name): (usize, &&str)| {
        let mut points: Vec<(f64, f64)> = places
            .iter()
            .zip(&case.evidence)
            .map(|(place, it)| (*place, it.utilisation(name).unwrap_or(f64::NAN)))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Line { colour: PALETTE[index], points, interval: vec![], weight: 2.0 }
    };
    let legend = names.iter().enumerate().map(|(index, name)| Key { colour: css(PALETTE[index]), name: tame(name) });
    let chart = Chart {
        size: (470, 300),
        x: axis(factor, &places, None, below(factor)),
        y: axes::linear(Unit::Share, high, ""),
        bands: mark(case.position().map(|at| places[at])),
        areas: vec![],
        lines: names.iter().enumerate().map(line).collect(),
    };
    Some(figure("utilisation in the busiest minute", chart.svg(), legend.collect()))
}

/// Green passes, red fails, grey is undecided.
const fn colour(finding: Finding) -> RGBColor {
    match finding {
        Finding::Pass => PALETTE[3],
        Finding::Fail => PALETTE[2],
        Finding::Undecided => PALETTE[7],
    }
}

fn row(case: &Found, it: &Evidence) -> Value {
    let class = match it.finding {
        Finding::Pass => "good",
        Finding::Fail => "bad",
        Finding::Undecided => "",
    };
    let cell = |result: &ExpectationResult| {
        let estimate = Estimate { value: result.value, half_width: result.half_width };
        number(Unit::of_path(&result.metric), &estimate)
    };
    let busiest = it.stations.first();
    context! {
        chosen => Some(&it.setting) == case.answer.as_ref(),
        setting => tame(&it.setting),
        cost => it.cost.map_or_else(|| NONE.to_owned(), |cost| plain(Unit::Count, cost)),
        replications => it.replications,
        finding => it.finding.word(),
        class,
        figures => it.expectations.iter().map(cell).collect::<Vec<_>>(),
        busiest => busiest.map_or_else(|| NONE.to_owned(), |(name, _)| tame(name)),
        utilisation => busiest.map(|(_, share)| plain(Unit::Share, *share)).unwrap_or_default(),
        bottleneck => tame(&it.bottleneck),
    }
}
