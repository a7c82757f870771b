//! In which order settings are preferred: by what they cost, by their size, or as they are listed.

use reports::find::{Along, Level};
use scenarios::sweep::{Plan, Point};

use crate::failure::Failure;

/// An order of preference over the points of a plan.
pub struct Order {
    /// Indices of points, the most preferred first.
    pub points: Vec<usize>,
    /// What they cost, in that order: never falling. Without prices, their size or place.
    pub costs: Vec<f64>,
    /// Whether costs are prices.
    pub priced: bool,
    /// Whether what settings cost is only known once they have run: by their usage.
    pub measured: bool,
    /// Why a setting that comes later is not preferred, where that is not its price.
    pub later: &'static str,
    /// Whether a later setting is taken to do no worse, so that bisection may be tried.
    pub monotone: bool,
    /// All of this in words.
    pub method: String,
}

impl Order {
    /// The order that the command asks for; `all` forbids bisection, `measured` takes what runs cost for the order.
    pub fn of(plan: &Plan<'_>, prices: &[String], all: bool, measured: bool) -> Result<Self, Failure> {
        if plan.factors.is_empty() {
            let why = "nothing is varied: give --vary KEY=a..b:step or a [sweep] in the scenario, or --saturate for the traffic";
            return Err(Failure::Input(why.to_owned()));
        }
        let one_by_one = "They were gone through one by one until one passed";
        let bisected =
            "Bisected, on the assumption that more never does worse, which is checked against all that was run";
        if !prices.is_empty() {
            let terms: Vec<Term> = prices.iter().map(|text| Term::read(text, plan)).collect::<Result<_, _>>()?;
            let cost = |point: &Point| terms.iter().map(|term| term.of(point)).sum::<f64>();
            let monotone = plan.factors.len() == 1 && !plan.listed && !all;
            let how = if monotone { bisected } else { one_by_one };
            let method = format!("In the order of cost: {}. {how}.", prices.join(" + "));
            return Ok(Self { priced: true, ..Self::sorted(plan, cost, "costs more", monotone, method) });
        }
        let listed =
            |method: String| Self::sorted(plan, |point| f64::from(point.id), "comes later in the list", false, method);
        if measured {
            let method = "All settings were run; of those that meet all expectations the one whose runs cost least, by usage and \
                          price list, on the mean.";
            return Ok(Self { measured, ..listed(method.to_owned()) });
        }
        match plan.factors.as_slice() {
            _ if plan.listed => Ok(listed(format!("In the order of [sweep] points. {one_by_one}."))),
            [factor] => match factor.amounts() {
                Some((amounts, _)) => {
                    let how = if all { one_by_one } else { bisected };
                    let method = format!("The smallest {} is looked for. {how}.", factor.key);
                    Ok(Self::sorted(plan, |point| amounts[point.levels[0]], "is larger", !all, method))
                }
                None => Ok(listed(format!("In the order in which {} is listed. {one_by_one}.", factor.key))),
            },
            factors => {
                let keys: Vec<&str> = factors.iter().map(|factor| factor.key.as_str()).collect();
                Err(Failure::Input(format!(
                    "{} factors have no smallest setting: say what they cost, such as --cost \"{}=1\"",
                    factors.len(),
                    keys.join("*")
                )))
            }
        }
    }

    fn sorted(
        plan: &Plan<'_>,
        cost: impl Fn(&Point) -> f64,
        later: &'static str,
        monotone: bool,
        method: String,
    ) -> Self {
        let mut points: Vec<usize> = (0..plan.points.len()).collect();
        // Stable: of equal cost, the one that is listed first.
        points.sort_by(|a, b| cost(&plan.points[*a]).total_cmp(&cost(&plan.points[*b])));
        let costs = points.iter().map(|index| cost(&plan.points[*index])).collect();
        Self { points, costs, priced: false, measured: false, later, monotone, method }
    }

    /// What settings are told apart by.
    pub fn along(&self, plan: &Plan<'_>) -> Along {
        match plan.factors.as_slice() {
            [factor] => Along::Factor(factor.key.clone()),
            _ if self.priced => Along::Cost,
            _ => Along::List,
        }
    }

    /// Where the setting at a position stands among them.
    pub fn level(&self, plan: &Plan<'_>, position: usize) -> Level {
        let point = &plan.points[self.points[position]];
        match plan.factors.as_slice() {
            [factor] => {
                let level = point.levels[0];
                let amount = factor.amounts().map(|(amounts, _)| amounts[level]);
                Level { text: factor.levels[level].clone(), amount }
            }
            _ if self.priced => {
                let cost = self.costs[position];
                Level { text: cost.to_string(), amount: Some(cost) }
            }
            _ => Level { text: (position + 1).to_string(), amount: None },
        }
    }

    /// The positions of the settings beside one: a level of one factor up or down, or the ones before and after where levels
    /// have no order.
    pub fn neighbours(&self, plan: &Plan<'_>, position: usize) -> Vec<usize> {
        if plan.listed || plan.factors.len() == 1 {
            let last = self.points.len() - 1;
            return [position.checked_sub(1), (position < last).then_some(position + 1)]
                .into_iter()
                .flatten()
                .collect();
        }
        let here = &plan.points[self.points[position]].levels;
        let beside = |other: &[usize]| {
            let apart: usize = here.iter().zip(other).map(|(a, b)| a.abs_diff(*b)).sum();
            apart == 1
        };
        (0..self.points.len()).filter(|other| beside(&plan.points[self.points[*other]].levels)).collect()
    }
}

/// A price for each unit of a product of settings.
struct Term {
    price: f64,
    /// The factors of the product: index and amount of each level.
    factors: Vec<(usize, Vec<f64>)>,
}

impl Term {
    fn read(text: &str, plan: &Plan<'_>) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Input(format!("--cost {text}: {why}"));
        let Some((keys, price)) = text.rsplit_once('=') else {
            return Err(wrong("write it KEY=PRICE or KEY*KEY=PRICE".to_owned()));
        };
        let price: f64 = price.trim().parse().map_err(|_| wrong(format!("`{}` is no price", price.trim())))?;
        if !price.is_finite() {
            return Err(wrong("a price is finite".to_owned()));
        }
        let factor = |key: &str| {
            let index = plan.factors.iter().position(|factor| factor.key == key.trim()).ok_or_else(|| {
                let keys: Vec<&str> = plan.factors.iter().map(|factor| factor.key.as_str()).collect();
                wrong(format!("`{}` is not varied; what is: {}", key.trim(), keys.join(", ")))
            })?;
            let amounts = plan.factors[index].amounts();
            let (amounts, _) =
                amounts.ok_or_else(|| wrong(format!("the values of `{}` are no numbers of one unit", key.trim())))?;
            Ok((index, amounts))
        };
        Ok(Self { price, factors: keys.split('*').map(factor).collect::<Result<_, _>>()? })
    }

    fn of(&self, point: &Point) -> f64 {
        let amounts = self.factors.iter().map(|(index, amounts)| amounts[point.levels[*index]]);
        self.price * amounts.product::<f64>()
    }
}
