//! A scenario with other settings: the plan of a sweep, and the runs of its points.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use reports::Report;
use reports::sweep::Plan as PlanReport;
use scenarios::ranges::{Case, Choice};
use scenarios::sweep::{Plan, Point, Wishes};
use scenarios::{LoadOptions, Scenario, Source, experiment};
use sim_core::observations::Observations;

use crate::args::{Settings, Subject};
use crate::failure::Failure;
use crate::simulate::{estimated, expectations, experiment_of, measure};
use crate::subject;

/// A scenario's text, and where it stands.
pub struct Text<'a> {
    subject: &'a Subject,
    source: Source,
    folder: Option<PathBuf>,
}

impl<'a> Text<'a> {
    /// Finds the scenario.
    pub fn find(subject: &'a Subject) -> Result<Self, Failure> {
        let (source, folder) = subject::find(&subject.scenario)?;
        Ok(Self { subject, source, folder })
    }

    /// Plans what was asked for, and tells what is odd about the scenario.
    pub fn plan(&self, settings: &Settings, metrics: &[String]) -> Result<Plan<'_>, Failure> {
        let sets: Vec<String> = self.subject.overrides().into_iter().chain(settings.repetition.overrides()).collect();
        let plan = self.plan_of(&Wishes { sets: &sets, vary: &settings.vary, metrics })?;
        subject::warn(&plan.base);
        Ok(plan)
    }

    /// Plans what the scenario itself says.
    pub fn own_plan(&self) -> Result<Plan<'_>, Failure> {
        self.plan_of(&Wishes { sets: &self.subject.overrides(), ..Wishes::default() })
    }

    fn plan_of(&self, wishes: &Wishes<'_>) -> Result<Plan<'_>, Failure> {
        let options = LoadOptions {
            base_dir: self.folder.as_deref(),
            check_metric: Some(&reports::check_metric),
            variant: self.subject.variant.as_deref(),
            ..LoadOptions::default()
        };
        let plan = Plan::new(self.source.clone(), wishes, options, env!("CARGO_PKG_VERSION"))
            .map_err(|wrong| subject::refused(self.subject, self.folder.is_none(), &wrong))?;
        if plan.base.warm_up_auto {
            let why = "all settings must leave out the same customers, so run.warm_up cannot be \"auto\" here: find it with \
                       `stormglass run`, and set it with --set run.warm_up=TIME";
            return Err(Failure::Input(why.to_owned()));
        }
        Ok(plan)
    }
}

/// What is run: a point in a case of the scenario's ranges, with its open traffic multiplied by a factor.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The plan it is of.
    pub plan: &'a Plan<'a>,
    /// The point.
    pub point: &'a Point,
    /// The case.
    pub case: Case,
    /// The factor of all open traffic.
    pub traffic: f64,
}

impl<'a> Setting<'a> {
    /// A point with its traffic as it is.
    pub fn new(plan: &'a Plan<'a>, point: &'a Point, case: Case) -> Self {
        Self { plan, point, case, traffic: 1.0 }
    }

    /// Its scenario; ranges that are drawn have their middle.
    pub fn load(&self) -> Result<Scenario, Failure> {
        self.load_drawn(None)
    }

    fn load_drawn(&self, draw: Option<(u64, u32)>) -> Result<Scenario, Failure> {
        let refused = |wrong: scenarios::Diagnostics| {
            let text = wrong.render(crate::terminal::colour_on_stderr());
            Failure::Diagnostics(format!("{text}\nin point {}: {}\n", self.point.id, self.name()))
        };
        let mut scenario = self.plan.load(self.point, Choice { case: self.case, draw }).map_err(refused)?;
        if self.traffic != 1.0 {
            experiment::scale_open_traffic(&mut scenario.architecture, self.traffic);
        }
        Ok(scenario)
    }

    /// Runs some of its replications. Where ranges are drawn each has a scenario of its own.
    pub fn observe(&self, scenario: &Scenario, range: Range<u32>) -> Result<Vec<Observations>, Failure> {
        let seed = scenario.seed;
        let result = if scenario.ranges.iter().any(|range| range.drawn) {
            let draw = |replication| self.load_drawn(Some((seed, replication)));
            let drawn: Vec<Scenario> = range.clone().map(draw).collect::<Result<_, _>>()?;
            let first = range.start;
            experiment::replications(seed, range, &|replication| &drawn[(replication - first) as usize].architecture)
        } else {
            experiment::replications(seed, range, &|_| &scenario.architecture)
        };
        result.map_err(|fault| self.fault(&format!("{fault} (seed {seed})")))
    }

    /// A report whose run kept its own laws.
    pub fn audited(&self, report: Report) -> Result<Report, Failure> {
        match report.audit.iter().find(|law| !law.holds) {
            Some(law) => Err(self.fault(&format!("the run's audit of itself failed: {} does not hold", law.law))),
            None => Ok(report),
        }
    }

    fn fault(&self, what: &str) -> Failure {
        Failure::Fault(format!("point {}: {}: {what}", self.point.id, self.name()))
    }

    /// Such as `ecs.web.desired_count=4, ecs.web.cpu=1 vCPU`.
    pub fn name(&self) -> String {
        name(self.plan, self.point)
    }
}

/// Checks that every point can run, in every case.
pub fn check(plan: &Plan<'_>, points: &[&Point], threads: usize) -> Result<(), Failure> {
    let cases: Vec<Case> = plan.cases().collect();
    let one = |point: &&Point| cases.iter().try_for_each(|case| Setting::new(plan, point, *case).load().map(|_| ()));
    experiment::with_threads(threads, || experiment::for_each(points, &one))
}

/// Runs a point in all cases: the report of the middle of all ranges is the first.
pub fn run(plan: &Plan<'_>, point: &Point) -> Result<Vec<Report>, Failure> {
    let one = |case| {
        let setting = Setting::new(plan, point, case);
        let scenario = setting.load()?;
        let mut observations = Vec::new();
        let (mut done, mut wanted) = (0, Some(scenario.replications));
        while let Some(target) = wanted {
            observations.extend(setting.observe(&scenario, done..target)?);
            done = target;
            wanted = scenario.precision.as_ref().and_then(|it| it.next(done, &measure(&scenario, it, &observations)));
        }
        setting.audited(estimated(&experiment_of(&scenario, observations))?)
    };
    plan.cases().map(one).collect()
}

/// Such as `ecs.web.desired_count=4, ecs.web.cpu=1 vCPU`.
pub fn name(plan: &Plan<'_>, point: &Point) -> String {
    let values: Vec<String> = plan.values(point).map(|(key, value)| format!("{key}={value}")).collect();
    if values.is_empty() { "the scenario as it is".to_owned() } else { values.join(", ") }
}

/// A point's values by key.
pub fn factors(plan: &Plan<'_>, point: &Point) -> BTreeMap<String, String> {
    plan.values(point).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The plan as reports have it.
pub fn plan_report(plan: &Plan<'_>) -> PlanReport {
    let base = &plan.base;
    let expectations = expectations(base);
    let factor = |factor: &scenarios::sweep::Factor| {
        let amounts = factor.amounts();
        reports::sweep::Factor {
            key: factor.key.clone(),
            levels: factor.levels.clone(),
            unit: amounts.as_ref().map_or("", |(_, unit)| unit).to_owned(),
            amounts: amounts.map(|(amounts, _)| amounts),
        }
    };
    let range = |range: &scenarios::ranges::Range| reports::sweep::Range {
        key: range.key.clone(),
        low: range.low.clone(),
        mid: range.mid.clone(),
        high: range.high.clone(),
        drawn: range.drawn,
    };
    let bound = |it: &reports::Expectation| reports::sweep::Bound {
        text: it.text.clone(),
        metric: reports::sweep::path_of(it),
        min: it.min,
        max: it.max,
    };
    PlanReport {
        format: reports::sweep::FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        digest: plan.digest.clone(),
        scenario: plan.name(),
        title: base.title.clone(),
        description: base.description.clone(),
        seed: base.seed,
        replications: base.replications,
        confidence: base.confidence,
        factors: plan.factors.iter().map(factor).collect(),
        ranges: base.ranges.iter().map(range).collect(),
        metrics: reports::sweep::shown_metrics(&plan.metrics, &expectations),
        expectations: expectations.iter().map(bound).collect(),
        points: plan.points.len() as u32,
    }
}
