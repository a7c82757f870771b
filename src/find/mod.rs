//! `stormglass find`: the setting that comes first in an order of preference, or the highest traffic, that meets all
//! expectations; with the confidence of the scenario over everything that is said.

mod order;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitCode;

use reports::find::{Along, Evidence, Finding, Found, Goal, Level, Neighbour, Search, contradiction, slack};
use scenarios::experiment::{scale_open_traffic, with_threads};
use scenarios::ranges::Case;
use scenarios::search::{FACTORS, QUESTIONS, cheapest, first_by_bisection, head_room};
use scenarios::sweep::{Plan, Point};

use self::order::Order;
use crate::args::Find;
use crate::failure::{EXPECTATION_FAILED, Failure};
use crate::points::{self, Setting, Text};
use crate::run::{check_writable, wrote};
use crate::simulate::{estimated, experiment_of, threads};
use crate::terminal::{self, colour_on_stdout, print, tell};

/// How many times the first replications a setting that is hard to decide gets, unless the command says so.
const PATIENCE: u32 = 8;

/// Searches, and shows what was found.
pub fn find(args: &Find) -> Result<ExitCode, Failure> {
    let text = Text::find(&args.settings.subject)?;
    let plan = text.plan(&args.settings, &[])?;
    if plan.base.expectations.is_empty() {
        let why =
            "the scenario expects nothing: `find` needs [[expect]], such as metric = \"latency.p99\", max = \"300ms\"";
        return Err(Failure::Input(why.to_owned()));
    }
    if let Some(dir) = &args.out {
        check_writable(dir)?;
    }
    let threads = threads(args.settings.repetition.threads);
    let search =
        with_threads(threads, || if args.saturate { traffic(args, &plan) } else { setting(args, &plan, threads) })?;
    if let Some(dir) = &args.out {
        wrote(reports::write_search(&search, dir), dir, args.settings.quiet)?;
    }
    let text = if args.json { search.to_json() } else { search.to_terminal(colour_on_stdout(), terminal::width()) };
    print(&text).map_err(Failure::of_stdout)?;
    Ok(if search.succeeded() { ExitCode::SUCCESS } else { ExitCode::from(EXPECTATION_FAILED) })
}

fn setting(args: &Find, plan: &Plan<'_>, threads: usize) -> Result<Search, Failure> {
    let order = Order::of(plan, &args.cost, args.all, args.minimise.is_some())?;
    points::check(plan, &plan.points.iter().collect::<Vec<_>>(), threads)?;
    let judge = Judge::new(args, plan, plan.points.len() as u32)?;
    let cases: Vec<Found> = plan.cases().map(|case| in_case(&judge, &order, case)).collect::<Result<_, _>>()?;
    let answer = setting_in_words(&cases, &order);
    let along = order.along(plan);
    Ok(judge.search(Goal::Setting, along, Some(plan.points.len()), order.method, answer, cases))
}

/// The answer over all cases.
fn setting_in_words(cases: &[Found], order: &Order) -> String {
    let what = if order.priced || order.measured { "the cheapest" } else { "the first" };
    let found = |case: &Found| case.answer.clone().unwrap_or_else(|| "nothing".to_owned());
    let middle = match &cases[0].answer {
        Some(answer) => format!("{answer} is {what} setting that meets all expectations"),
        None => "no setting meets all expectations".to_owned(),
    };
    if cases.len() == 1 {
        return middle;
    }
    // What passes nowhere comes after everything that passes.
    let rank = |case: &&Found| case.rank.unwrap_or(f64::INFINITY);
    let first = cases.iter().min_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap_or(&cases[0]);
    let last = cases.iter().max_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap_or(&cases[0]);
    format!(
        "{middle}; over the ranges from {} (where {}) to {} (where {})",
        found(first),
        first.case,
        found(last),
        last.case
    )
}

fn in_case(judge: &Judge<'_>, order: &Order, case: Case) -> Result<Found, Failure> {
    let plan = judge.plan;
    let point = |position: usize| &plan.points[order.points[position]];
    let mut known: BTreeMap<usize, Evidence> = BTreeMap::new();
    let passes = |known: &mut BTreeMap<usize, Evidence>, position: usize| -> Result<bool, Failure> {
        if let Entry::Vacant(entry) = known.entry(position) {
            let setting = Setting::new(plan, point(position), case);
            let cost = order.priced.then(|| order.costs[position]);
            let evidence = judge.evidence(&setting, setting.name(), order.level(plan, position))?;
            let cost = if order.measured { evidence.cost } else { cost };
            entry.insert(Evidence { cost, ..evidence });
        }
        Ok(known[&position].finding == Finding::Pass)
    };
    let (mut best, mut notes) = (Vec::new(), Vec::new());
    let mut one_by_one = !order.monotone;
    if order.monotone {
        let count = order.points.len();
        best.extend(first_by_bisection(count, &mut |position| passes(&mut known, position))?);
        if best.is_empty() {
            // Nothing passes only if the response is as it was taken to be: there must be something to see it by.
            passes(&mut known, 0)?;
            passes(&mut known, count / 2)?;
        }
        if let Some(why) = contradiction(&known.values().collect::<Vec<_>>()) {
            notes.push(format!("More does not always do better: {why}. So the settings were gone through one by one."));
            one_by_one = true;
        }
    }
    if order.measured {
        for position in 0..order.points.len() {
            passes(&mut known, position)?;
        }
        best = cheapest_run(&known)?;
    } else if one_by_one {
        best = cheapest(&order.costs, &mut |position| passes(&mut known, position))?;
    }
    // Of equal cost, the one that stays furthest inside its bounds; of equal slack, the first.
    let room = |position: &usize| slack(&known[position].expectations);
    let answer = best.into_iter().reduce(|best, other| if room(&other) > room(&best) { other } else { best });
    let neighbours = answer.map_or_else(Vec::new, |answer| {
        let beside = order.neighbours(plan, answer);
        beside.into_iter().map(|position| neighbour(plan, order, &known, answer, position)).collect()
    });
    Ok(Found {
        case: case.name(&plan.base.ranges),
        answer: answer.map(|position| points::name(plan, point(position))),
        rank: answer.map(|position| match known[&position].cost {
            Some(cost) if order.measured => cost,
            _ => position as f64,
        }),
        evidence: known.into_values().collect(),
        neighbours,
        binds: None,
        notes,
    })
}

/// Of the settings that pass, those whose runs cost least.
fn cheapest_run(known: &BTreeMap<usize, Evidence>) -> Result<Vec<usize>, Failure> {
    let mut least = f64::INFINITY;
    let mut best = Vec::new();
    for (position, evidence) in known.iter().filter(|(_, evidence)| evidence.finding == Finding::Pass) {
        let cost = evidence.cost.filter(|cost| cost.is_finite()).ok_or_else(|| {
            Failure::Input(format!(
                "{}: there is no total cost, as something has no price; `stormglass run` names it, and --prices FILE gives one",
                evidence.setting
            ))
        })?;
        if cost < least {
            (least, best) = (cost, Vec::new());
        }
        if cost <= least {
            best.push(*position);
        }
    }
    Ok(best)
}

/// Why a setting beside the answer is not the answer.
fn neighbour(
    plan: &Plan<'_>,
    order: &Order,
    known: &BTreeMap<usize, Evidence>,
    answer: usize,
    position: usize,
) -> Neighbour {
    let setting = points::name(plan, &plan.points[order.points[position]]);
    let measured = |position: usize| known.get(&position).and_then(|evidence| evidence.cost);
    if let (true, Some(evidence), Some(dearest), Some(least)) =
        (order.measured, known.get(&position), measured(position), measured(answer))
    {
        let dearer = || format!("passes too, but its runs cost {dearest:.4} USD instead of {least:.4}");
        return Neighbour { setting, why: evidence.why_not().unwrap_or_else(dearer) };
    }
    let later = || match order.priced {
        true => format!("costs {} instead of {}", order.costs[position], order.costs[answer]),
        false => order.later.to_owned(),
    };
    let why = match known.get(&position) {
        Some(evidence) => evidence.why_not().unwrap_or_else(|| {
            if order.costs[position] > order.costs[answer] {
                format!("passes too, but {}", later())
            } else {
                "passes at the same cost, but closer to its bounds".to_owned()
            }
        }),
        None => format!("{}, so it was not run", later()),
    };
    Neighbour { setting, why }
}

fn traffic(args: &Find, plan: &Plan<'_>) -> Result<Search, Failure> {
    if !scale_open_traffic(&mut plan.base.architecture.clone(), 1.0) {
        let why =
            "the scenario has no open traffic (a source with `rate`): there is nothing that --saturate could raise";
        return Err(Failure::Input(why.to_owned()));
    }
    let judge = Judge::new(args, plan, QUESTIONS)?;
    let cases: Vec<Found> =
        plan.cases().map(|case| traffic_in_case(&judge, args.tolerance / 100.0, case)).collect::<Result<_, _>>()?;
    let answer = traffic_in_words(&cases);
    let method = format!(
        "The rates of all open traffic are multiplied by a factor: doubled or halved from 1, then bisected to {} %. It is taken \
         that less traffic never does worse.",
        args.tolerance
    );
    Ok(judge.search(Goal::HeadRoom, Along::Traffic, None, method, answer, cases))
}

fn traffic_in_words(cases: &[Found]) -> String {
    let words = |case: &Found| match case.rank {
        Some(factor) => format!("x {factor}"),
        None => format!("below x {}", FACTORS.0),
    };
    let middle = format!("all expectations are met up to traffic {}", words(&cases[0]));
    if cases.len() == 1 {
        return middle;
    }
    let rank = |case: &&Found| case.rank.unwrap_or(0.0);
    let least = cases.iter().min_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap_or(&cases[0]);
    let most = cases.iter().max_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap_or(&cases[0]);
    format!(
        "{middle}; over the ranges from {} (where {}) to {} (where {})",
        words(least),
        least.case,
        words(most),
        most.case
    )
}

fn traffic_in_case(judge: &Judge<'_>, tolerance: f64, case: Case) -> Result<Found, Failure> {
    let plan = judge.plan;
    let as_it_is = Point { id: 0, levels: Vec::new() };
    let name = |factor: f64| format!("traffic x {factor}");
    let mut known: Vec<(f64, Evidence)> = Vec::new();
    let room = head_room(tolerance, &mut |factor| {
        let setting = Setting { traffic: factor, ..Setting::new(plan, &as_it_is, case) };
        let level = Level { text: factor.to_string(), amount: Some(factor) };
        let evidence = Evidence { cost: None, ..judge.evidence(&setting, name(factor), level)? };
        let passes = evidence.finding == Finding::Pass;
        known.push((factor, evidence));
        Ok::<_, Failure>(passes)
    })?;
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |factor: f64| known.iter().find(|(known, _)| *known == factor).map(|(_, evidence)| evidence);
    let binds = binds_first(&known, room.fails);
    let mut notes = Vec::new();
    notes.extend(undecided(&known));
    if let Some(why) = contradiction(&known.iter().rev().map(|(_, evidence)| evidence).collect::<Vec<_>>()) {
        notes.push(format!("Beware: less traffic does not always do better: {why}."));
    }
    let neighbours = room
        .fails
        .and_then(at)
        .map(|beyond| Neighbour { setting: beyond.setting.clone(), why: beyond.why_not().unwrap_or_default() });
    Ok(Found {
        case: case.name(&plan.base.ranges),
        answer: room.passes.map(name),
        rank: room.passes,
        neighbours: neighbours.into_iter().collect(),
        evidence: known.into_iter().map(|(_, evidence)| evidence).collect(),
        binds,
        notes,
    })
}

/// Which resource binds first: the busiest one where the expectations are first missed, or if none is near its capacity there,
/// at the lowest higher factor at which one is.
fn binds_first(known: &[(f64, Evidence)], fails: Option<f64>) -> Option<String> {
    let busy = |evidence: &Evidence| {
        let station = |(name, share): &(String, f64)| format!("{name} {:.0} %", share * 100.0);
        evidence.stations.iter().take(5).map(station).collect::<Vec<_>>().join(", ")
    };
    let Some(fails) = fails else {
        let (_, most) = known.last()?;
        return Some(format!("Nothing stops traffic up to {}. Busiest minutes there: {}.", most.setting, busy(most)));
    };
    let beyond = || known.iter().filter(|(factor, _)| *factor >= fails);
    let Some((factor, bound)) = beyond().find(|(_, evidence)| evidence.bound) else {
        let (_, most) = known.last()?;
        return Some(format!(
            "The expectations are missed although nothing comes near its capacity. Busiest minutes at {}: {}.",
            most.setting,
            busy(most)
        ));
    };
    let before =
        if fails < *factor { "The expectations are missed before anything comes near its capacity. " } else { "" };
    Some(format!(
        "{before}What binds first, at {}: {} Busiest minutes: {}.",
        bound.setting,
        bound.bottleneck,
        busy(bound)
    ))
}

/// Which factors neither pass nor fail for sure.
fn undecided(known: &[(f64, Evidence)]) -> Option<String> {
    let mut open = known.iter().filter(|(_, it)| it.finding == Finding::Undecided).map(|(_, it)| &it.setting);
    let first = open.next()?;
    let last = open.next_back().unwrap_or(first);
    Some(format!("Undecided from {first} to {last}: more --max-replications would tell."))
}

/// Decides about settings, each with so much confidence that all decisions together have the scenario's.
struct Judge<'a> {
    plan: &'a Plan<'a>,
    /// Confidence of a one-sided bound.
    each: f64,
    most: u32,
    quiet: bool,
}

impl<'a> Judge<'a> {
    /// `settings` is how many may have to be decided in each case.
    fn new(args: &Find, plan: &'a Plan<'a>, settings: u32) -> Result<Self, Failure> {
        let least = plan.base.replications;
        if least < 2 {
            return Err(Failure::Input(
                "one replication shows no confidence: run.replications must be 2 or more".to_owned(),
            ));
        }
        let most = args.max_replications.unwrap_or_else(|| least.saturating_mul(PATIENCE)).max(least);
        // Bonferroni: the chance that any decision is wrong is at most the sum of their chances. A setting is looked at anew
        // after each doubling of its replications.
        let looks = 1 + most.div_ceil(least).next_power_of_two().ilog2();
        let decisions = f64::from(settings) * plan.cases().count() as f64 * f64::from(looks);
        let each = 1.0 - (1.0 - plan.base.confidence) / decisions;
        Ok(Self { plan, each, most, quiet: args.settings.quiet })
    }

    /// Runs a setting until it is decided, or has had its replications. Its cost is that of its runs.
    fn evidence(&self, setting: &Setting<'_>, name: String, level: Level) -> Result<Evidence, Failure> {
        // How often a setting is run is decided here, by what is expected, and not by `precision`.
        let mut scenario = setting.load()?;
        scenario.precision = None;
        let mut experiment = experiment_of(&scenario, Vec::new());
        // A two-sided interval at this level has one-sided bounds at the wanted one.
        experiment.confidence = 2.0 * self.each - 1.0;
        let (mut done, mut wanted) = (0, scenario.replications.clamp(2, self.most));
        loop {
            experiment.replications.extend(setting.observe(&scenario, done..wanted)?);
            done = wanted;
            let report = setting.audited(estimated(&experiment)?)?;
            let by_run = report.figures.cost.get("total_usd").map(|cost| cost.value);
            let evidence = Evidence::new(name.clone(), level.clone(), by_run, &report);
            if evidence.finding != Finding::Undecided || done >= self.most {
                self.say(&evidence);
                return Ok(evidence);
            }
            wanted = done.saturating_mul(2).min(self.most);
        }
    }

    fn say(&self, evidence: &Evidence) {
        if !self.quiet {
            let why = evidence.why_not().unwrap_or_else(|| "meets all expectations".to_owned());
            tell(format_args!("{}: {why}", evidence.setting));
        }
    }

    fn search(
        &self,
        goal: Goal,
        along: Along,
        settings: Option<usize>,
        method: String,
        answer: String,
        cases: Vec<Found>,
    ) -> Search {
        let base = &self.plan.base;
        Search {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: self.plan.name(),
            title: base.title.clone(),
            seed: base.seed,
            goal,
            along,
            confidence: base.confidence,
            each: self.each,
            settings,
            method,
            answer,
            cases,
        }
    }
}
