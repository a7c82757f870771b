//! What a run costs: its usage by a list of prices, line by line, with what was assumed.
//!
//! Nothing without a price is taken for free: it is a line without an amount, and then there is no total.

mod render;

use serde::Serialize;
use sim_core::observations::{Observations, Part, Usage};
pub use sim_core::prices::{Price, Pricing};

use crate::estimate::Level;
use crate::format::{Unit, plain, span};
use crate::model::Estimate;
use crate::named::Named;

/// Hours of a month, as AWS's price lists reckon.
const HOURS_A_MONTH: f64 = 730.0;
const DAY_S: f64 = 86_400.0;
/// Dollars of one replication by what they were spent on: `total_usd` (no value if something has no price), `known_usd` (of what has
/// a price), `usd_per_hour`, `extra_usd` (beyond what the scenario asked for from the start), `deployments_usd`, and each part by name.
/// Empty where nothing is paid for.
pub(crate) fn figures(observations: &Observations, pricing: &Pricing) -> Named<f64> {
    let mut all = Named::new();
    if observations.usage.is_empty() {
        return all;
    }
    let hours = hours(observations);
    let names = ["total_usd", "known_usd", "usd_per_hour", "extra_usd", "deployments_usd"];
    names.into_iter().for_each(|name| *all.entry(name, || 0.0) = 0.0);
    let mut complete = true;
    for usage in &observations.usage {
        let price = pricing.price(usage).ok().filter(|_| usage.quantity.is_finite());
        complete &= price.is_some();
        let usd = price.map_or(0.0, |price| price.of(usage.quantity));
        let part = usage.subject.split('/').next().unwrap_or(&usage.subject);
        *all.entry(part, || 0.0) += usd;
        *all.entry("known_usd", || 0.0) += usd;
        if is_extra(usage.part) {
            *all.entry("extra_usd", || 0.0) += usd;
        }
        if usage.part == Part::Deployment {
            *all.entry("deployments_usd", || 0.0) += usd;
        }
    }
    let known = *all.entry("known_usd", || 0.0);
    let total = if complete { known } else { f64::NAN };
    *all.entry("total_usd", || 0.0) = total;
    *all.entry("usd_per_hour", || 0.0) = total / hours;
    all
}

const fn is_extra(part: Part) -> bool {
    !matches!(part, Part::Planned)
}

fn hours(observations: &Observations) -> f64 {
    observations.horizon.since(observations.warm_up).as_secs_f64() / 3600.0
}

/// What a run costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostReport {
    /// `USD`.
    pub currency: &'static str,
    /// Hours that it covers: from the end of the warm-up to the end of the run.
    pub hours: f64,
    /// Of what has a price, in that time.
    pub total: Estimate,
    /// The same in an hour of this traffic.
    pub per_hour: Estimate,
    /// The same in a month at this run's average, if that was asked for or the figures cover whole days.
    pub per_month: Option<Estimate>,
    /// What is paid for, in a fixed order.
    pub lines: Vec<CostLine>,
    /// Lines that have no amount, and why: they are in no sum.
    pub without_price: Vec<String>,
    /// What was assumed for all of it.
    pub assumptions: Vec<String>,
}

/// A line of a bill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostLine {
    /// What it is for, such as `ecs.web`.
    pub part: String,
    /// What is paid for.
    pub item: String,
    /// Which kind of it; may be empty.
    pub kind: String,
    /// `planned`, `scaled`, `deployment`, `spare` or `minimum`.
    pub purpose: &'static str,
    /// The Region whose price it has.
    pub region: String,
    /// How much.
    pub quantity: Estimate,
    /// Of what.
    pub unit: String,
    /// The price of `per_units` of it.
    pub usd: Option<f64>,
    /// How many units that is for.
    pub per_units: Option<f64>,
    /// Whether the price changes with the amount in a month; this is the first.
    pub tiered: bool,
    /// What it costs in this run.
    pub amount: Estimate,
    /// In a month at this run's average.
    pub per_month: Option<Estimate>,
    /// Until when the price is known to hold.
    pub date: String,
    /// Where it is from.
    pub source: String,
    /// What was assumed, or why there is no amount.
    pub assumed: String,
}

/// What a part was there for.
const fn purpose(part: Part) -> &'static str {
    match part {
        Part::Planned => "planned",
        Part::Scaled => "scaled",
        Part::Deployment => "deployment",
        Part::Spare => "spare",
        Part::Minimum => "minimum",
    }
}

impl CostLine {
    /// What it was there for, in words; empty for the plan.
    pub(crate) fn purpose_text(&self) -> &'static str {
        match self.purpose {
            "scaled" => "added by scaling",
            "deployment" => "extra in deployments",
            "spare" => "spare: replaced, drained, kept ready",
            "minimum" => "up to the least that is charged",
            _ => "",
        }
    }
}

/// The bill over all replications; none where nothing is paid for.
pub(crate) fn over(all: &[Observations], pricing: &Pricing, level: Level) -> Option<CostReport> {
    let first = all.first()?;
    let mut heads: Vec<&Usage> = Vec::new();
    for usage in all.iter().flat_map(|one| &one.usage) {
        if !heads.iter().any(|head| is_same(head, usage)) {
            heads.push(usage);
        }
    }
    if heads.is_empty() {
        return None;
    }
    let hours = hours(first);
    let month = month(hours, pricing);
    let lines: Vec<CostLine> = heads.iter().map(|head| line(head, all, pricing, month.is_ok(), level)).collect();
    let sum = |of: &dyn Fn(&Observations) -> f64| level.estimate(&all.iter().map(of).collect::<Vec<_>>());
    let known = |one: &Observations| one.usage.iter().filter_map(|it| amount(it, pricing)).sum::<f64>();
    let a_month = |one: &Observations| one.usage.iter().filter_map(|it| amount_a_month(it, hours, pricing)).sum();
    let without_price = lines.iter().filter(|line| line.usd.is_none() || line.quantity.value.is_nan());
    Some(CostReport {
        currency: "USD",
        hours,
        total: sum(&known),
        per_hour: sum(&|one| known(one) / hours),
        per_month: month.is_ok().then(|| sum(&a_month)),
        without_price: without_price.map(|line| format!("{}: {}", line.part, line.assumed)).collect(),
        lines,
        assumptions: assumptions(hours, &month, pricing),
    })
}

fn is_same(a: &Usage, b: &Usage) -> bool {
    (&a.subject, &a.item, &a.kind, a.part) == (&b.subject, &b.item, &b.kind, b.part)
}

fn amount(usage: &Usage, pricing: &Pricing) -> Option<f64> {
    let price = pricing.price(usage).ok().filter(|_| usage.quantity.is_finite())?;
    Some(price.of(usage.quantity))
}

/// A deployment is made once, not once in each stretch of the month that is as long as the run.
fn amount_a_month(usage: &Usage, hours: f64, pricing: &Pricing) -> Option<f64> {
    let price = pricing.price(usage).ok().filter(|_| usage.quantity.is_finite())?;
    let times = if usage.part == Part::Deployment { 1.0 } else { HOURS_A_MONTH / hours };
    Some(price.of(usage.quantity * times))
}

fn line(head: &Usage, all: &[Observations], pricing: &Pricing, monthly: bool, level: Level) -> CostLine {
    // Several entries of one kind are one line; what was not used in a replication was used none.
    let of = |one: &Observations| one.usage.iter().filter(|it| is_same(it, head)).cloned().reduce(joined);
    let each: Vec<(f64, Option<Usage>)> = all.iter().map(|one| (hours(one), of(one))).collect();
    let sum = |value: &dyn Fn(f64, &Usage) -> f64| {
        let values = each.iter().map(|(hours, usage)| usage.as_ref().map_or(0.0, |usage| value(*hours, usage)));
        level.estimate(&values.collect::<Vec<_>>())
    };
    let found = pricing.price(head);
    let price = found.as_ref().ok();
    let a_month = |hours: f64, usage: &Usage| amount_a_month(usage, hours, pricing).unwrap_or(f64::NAN);
    let assumed = match &found {
        Err(why) => why.clone(),
        Ok(_) if head.quantity.is_nan() => format!("{} is left out: {}", head.item, head.assumed),
        Ok(_) => head.assumed.clone(),
    };
    CostLine {
        part: head.subject.clone(),
        item: head.item.clone(),
        kind: head.kind.clone(),
        purpose: purpose(head.part),
        region: price.map_or_else(|| pricing.region_of(&head.subject).to_owned(), |price| price.region.clone()),
        quantity: sum(&|_, usage| usage.quantity),
        unit: head.unit.clone(),
        usd: price.map(|price| price.usd),
        per_units: price.map(|price| price.amount),
        tiered: price.is_some_and(|price| !price.tiers.is_empty()),
        amount: sum(&|_, usage| amount(usage, pricing).unwrap_or(f64::NAN)),
        per_month: monthly.then(|| sum(&a_month)),
        date: price.map_or_else(String::new, |price| price.date.clone()),
        source: price.map_or_else(String::new, |price| price.source.clone()),
        assumed,
    }
}

fn joined(a: Usage, b: Usage) -> Usage {
    Usage { quantity: a.quantity + b.quantity, ..a }
}

/// Whether there is a figure for a month; if not, why.
fn month(hours: f64, pricing: &Pricing) -> Result<(), String> {
    let days = hours * 3600.0 / DAY_S;
    match pricing.monthly {
        Some(true) => Ok(()),
        None if days >= 1.0 - 1e-9 && (days - days.round()).abs() < 1e-9 => Ok(()),
        None => Err(format!(
            "No figure for a month: {} are no whole days, and a peak is no average. With cost.monthly = \"always\" this run's \
             average is taken for all of it",
            span(hours * 3600.0)
        )),
        Some(false) => Err("No figure for a month: cost.monthly = \"never\"".to_owned()),
    }
}

fn assumptions(hours: f64, month: &Result<(), String>, pricing: &Pricing) -> Vec<String> {
    let mut all = vec![format!(
        "{} from the end of the warm-up to the end of the run; an hour or a month that is begun is charged in part, where AWS may \
         charge it whole",
        span(hours * 3600.0)
    )];
    all.push(
        "List prices on demand, before taxes, without free tiers, discounts and savings plans; 1 GB of data transferred = 1e9 bytes"
            .to_owned(),
    );
    if !pricing.region_given {
        all.push(format!("Parts without a Region are in {} (cost.region)", pricing.region));
    }
    all.push(match month {
        Ok(()) => format!(
            "A month has {HOURS_A_MONTH} hours, all of them as the average of these {}: no peak is taken for longer than it lasted. \
             Deployments count once. Prices by amount apply to the month's",
            span(hours * 3600.0)
        ),
        Err(why) => why.clone(),
    });
    all.push("Prices by amount start at the first tier for this run".to_owned());
    all
}

/// Dollars as people write them: cents, or as many digits as it takes.
pub(crate) fn dollars(value: f64) -> String {
    plain(Unit::Dollars, value)
}

#[cfg(test)]
mod tests {
    use sim_core::{SimDuration, SimTime};

    use super::*;

    fn price(item: &str, unit: &str, usd: f64) -> Price {
        Price {
            region: "us-east-1".to_owned(),
            item: item.to_owned(),
            kind: String::new(),
            unit: unit.to_owned(),
            amount: 1.0,
            usd,
            tiers: Vec::new(),
            date: "2026-11".to_owned(),
            source: "a test".to_owned(),
        }
    }

    #[test]
    fn each_tier_has_its_own_price() {
        // Data transfer out, us-east-1: 0.09 to 10 TB, then 0.085. 12,240 GB: 10,240 x 0.09 + 2,000 x 0.085.
        let out = Price { tiers: vec![(10_240.0, 0.085), (51_200.0, 0.07)], ..price("data_transfer.out", "GB", 0.09) };
        assert!((out.of(12_240.0) - (921.6 + 170.0)).abs() < 1e-9, "{}", out.of(12_240.0));
        assert!((out.of(100.0) - 9.0).abs() < 1e-12);
        // 12 million requests at 0.40 a million.
        let queries = Price { amount: 1e6, ..price("route53.queries", "query", 0.40) };
        assert!((queries.of(12e6) - 4.8).abs() < 1e-12);
    }

    fn run(usage: Vec<Usage>, hours: u64) -> Observations {
        let horizon = SimTime::ZERO + SimDuration::from_secs(3600 * hours);
        Observations { usage, horizon, ..nothing() }
    }

    fn nothing() -> Observations {
        Observations {
            replication: 0,
            horizon: SimTime::ZERO,
            warm_up: SimTime::ZERO,
            routes: vec![],
            stations: vec![],
            series: vec![],
            log: vec![],
            log_dropped: 0,
            downtime: vec![],
            objective: None,
            ledger: Default::default(),
            counters: vec![],
            tables: vec![],
            usage: vec![],
            notes: vec![],
            audit: sim_core::observations::Audit::default(),
            in_flight: vec![],
            batches: vec![],
            latency_by_arrival: vec![],
            customers: 0,
            digest: 0,
            events: 0,
        }
    }

    fn pricing() -> Pricing {
        let prices = vec![price("fargate.vcpu", "vCPU-hour", 0.04048), price("fargate.memory", "GB-hour", 0.004445)];
        Pricing { prices, region: "us-east-1".to_owned(), ..Pricing::default() }
    }

    /// Four tasks of 1 vCPU and 2 GB for two hours, twice as many for a quarter of an hour of deployment.
    fn fargate() -> Vec<Usage> {
        let part = |part, hours: f64| {
            [
                Usage::new("ecs.web", "fargate.vcpu", hours, "vCPU-hour").part(part),
                Usage::new("ecs.web", "fargate.memory", 2.0 * hours, "GB-hour").part(part),
            ]
        };
        [part(Part::Planned, 8.0), part(Part::Deployment, 1.0)].concat()
    }

    #[test]
    fn lines_are_quantity_times_price_and_add_up() {
        let runs = [run(fargate(), 2), run(fargate(), 2)];
        let bill = over(&runs, &pricing(), Level(0.95)).expect("something is paid for");
        let amounts: Vec<f64> = bill.lines.iter().map(|line| line.amount.value).collect();
        let task_hour = 0.04048 + 2.0 * 0.004445;
        assert_eq!(bill.lines.len(), 4);
        assert!((amounts[0] - 8.0 * 0.04048).abs() < 1e-12 && (amounts[3] - 2.0 * 0.004445).abs() < 1e-12);
        assert!((amounts.iter().sum::<f64>() - bill.total.value).abs() < 1e-12);
        assert!((bill.total.value - 9.0 * task_hour).abs() < 1e-12);
        assert!((bill.per_hour.value - 4.5 * task_hour).abs() < 1e-12);
        assert_eq!((bill.lines[0].purpose, bill.lines[2].purpose), ("planned", "deployment"));
        assert!(bill.lines.iter().all(|line| line.date == "2026-11" && line.source == "a test"));
        let figures = figures(&runs[0], &pricing());
        let of = |name: &str| figures.get(name).copied().expect(name);
        assert!((of("deployments_usd") - task_hour).abs() < 1e-12 && of("extra_usd") == of("deployments_usd"));
        assert_eq!(of("total_usd"), of("ecs.web"));
    }

    #[test]
    fn two_hours_make_no_month_unless_asked_and_then_deployments_count_once() {
        let bill = over(&[run(fargate(), 2)], &pricing(), Level(0.95)).expect("a bill");
        assert_eq!(bill.per_month, None);
        assert!(bill.assumptions.iter().any(|it| it.starts_with("No figure for a month: 2 h are no whole days")));
        let asked = Pricing { monthly: Some(true), ..pricing() };
        let bill = over(&[run(fargate(), 2)], &asked, Level(0.95)).expect("a bill");
        let month = bill.per_month.expect("asked for").value;
        let task_hour = 0.04048 + 2.0 * 0.004445;
        assert!((month - (4.0 * 730.0 + 1.0) * task_hour).abs() < 1e-9, "{month}");
        // A whole day speaks for the others.
        let day = over(&[run(fargate(), 24)], &pricing(), Level(0.95)).expect("a bill");
        assert!(day.per_month.is_some());
        assert_eq!(over(&[run(fargate(), 25)], &pricing(), Level(0.95)).expect("a bill").per_month, None);
        let never = Pricing { monthly: Some(false), ..pricing() };
        assert_eq!(over(&[run(fargate(), 24)], &never, Level(0.95)).expect("a bill").per_month, None);
    }

    #[test]
    fn what_has_no_price_is_named_and_there_is_no_total() {
        let mut usage = fargate();
        usage.push(Usage::new("ecs.web", "fargate.windows", 3.0, "hour").of_kind("2022"));
        let bill = over(&[run(usage.clone(), 2)], &pricing(), Level(0.95)).expect("a bill");
        assert_eq!(bill.without_price, ["ecs.web: no price of fargate.windows 2022 in us-east-1"]);
        let line = bill.lines.last().expect("it has a line");
        assert!(line.amount.value.is_nan() && line.quantity.value == 3.0);
        let figures = figures(&run(usage, 2), &pricing());
        assert!(figures.get("total_usd").is_some_and(|it| it.is_nan()));
        assert!(figures.get("known_usd").is_some_and(|it| *it > 0.0));
    }

    #[test]
    fn what_nobody_knows_the_amount_of_is_named_too() {
        let unknown = Usage::new("ecs.web", "fargate.vcpu", f64::NAN, "vCPU-hour").assuming("nobody says how large");
        let bill = over(&[run(vec![unknown], 2)], &pricing(), Level(0.95)).expect("a bill");
        assert_eq!(bill.without_price, ["ecs.web: fargate.vcpu is left out: nobody says how large"]);
        assert_eq!(bill.total.value, 0.0);
    }

    #[test]
    fn a_price_for_another_unit_is_no_price() {
        let usage = vec![Usage::new("ecs.web", "fargate.vcpu", 3.0, "task")];
        let bill = over(&[run(usage, 2)], &pricing(), Level(0.95)).expect("a bill");
        assert_eq!(bill.without_price, ["ecs.web: the price of fargate.vcpu is for a vCPU-hour, not a task"]);
    }

    #[test]
    fn the_regions_price_comes_before_the_worlds() {
        let mut pricing = pricing();
        pricing.prices.push(Price { region: "*".to_owned(), ..price("fargate.vcpu", "vCPU-hour", 9.0) });
        pricing.regions.insert("ecs.far".to_owned(), "eu-west-1".to_owned());
        let of = |subject: &str| pricing.price(&Usage::new(subject, "fargate.vcpu", 1.0, "vCPU-hour")).map(|it| it.usd);
        assert_eq!((of("ecs.web"), of("ecs.far")), (Ok(0.04048), Ok(9.0)));
        assert!(pricing.price(&Usage::new("ecs.far", "fargate.memory", 1.0, "GB-hour")).is_err());
    }

    #[test]
    fn nothing_that_is_paid_for_makes_no_bill() {
        assert_eq!(over(&[run(vec![], 2)], &pricing(), Level(0.95)), None);
        assert_eq!(figures(&run(vec![], 2), &pricing()).len(), 0);
    }
}
