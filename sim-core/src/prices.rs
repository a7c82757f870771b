//! Prices, and what of them is meant for a run: read from files, looked up by what was used.

use std::collections::BTreeMap;

use crate::observations::Usage;

/// The Region of what costs the same in all of them.
pub const EVERYWHERE: &str = "*";

/// What something costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// A Region, or [`EVERYWHERE`].
    pub region: String,
    /// What is paid for, such as `fargate.vcpu`.
    pub item: String,
    /// Which kind of it; may be empty.
    pub kind: String,
    /// The unit, such as `vCPU-hour`.
    pub unit: String,
    /// How many units the price is for.
    pub amount: f64,
    /// Dollars.
    pub usd: f64,
    /// Prices of what is beyond so many units in a month, in rising order.
    pub tiers: Vec<(f64, f64)>,
    /// Until when it is known to hold.
    pub date: String,
    /// Where it is from.
    pub source: String,
}

impl Price {
    /// Dollars for so many units in a month, each tier at its own price.
    #[must_use]
    pub fn of(&self, quantity: f64) -> f64 {
        let bounds = self.tiers.iter().map(|tier| tier.0).chain([f64::INFINITY]);
        let prices = [self.usd].into_iter().chain(self.tiers.iter().map(|tier| tier.1));
        let (mut from, mut sum) = (0.0, 0.0);
        for (bound, usd) in bounds.zip(prices) {
            sum += (quantity.min(bound) - from).max(0.0) * usd / self.amount;
            from = bound;
        }
        sum
    }
}

/// By what costs are reckoned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pricing {
    /// Prices.
    pub prices: Vec<Price>,
    /// The Region of parts that have none.
    pub region: String,
    /// Whether the scenario says that; otherwise it is assumed.
    pub region_given: bool,
    /// Regions of parts that have one, by part.
    pub regions: BTreeMap<String, String>,
    /// Whether there is a figure for a month: always, never, or (none) if the figures cover whole days.
    pub monthly: Option<bool>,
}

impl Pricing {
    /// The Region that something is charged in.
    #[must_use]
    pub fn region_of(&self, subject: &str) -> &str {
        // `aurora.orders`, and what it says of its parts: `aurora.orders/orders-1`.
        let part = subject.split('/').next().unwrap_or(subject);
        self.regions.get(part).map_or(self.region.as_str(), String::as_str)
    }

    /// The price of something.
    ///
    /// # Errors
    /// Why there is none, in words: nobody names one for its Region, or the one there is counts in another unit.
    pub fn price(&self, usage: &Usage) -> Result<&Price, String> {
        let region = self.region_of(&usage.subject);
        let fits = |price: &&Price, region: &str| {
            price.item == usage.item && price.kind == usage.kind && price.region == region
        };
        let found = self.prices.iter().find(|it| fits(it, region));
        let found = found.or_else(|| self.prices.iter().find(|it| fits(it, EVERYWHERE)));
        let kind = if usage.kind.is_empty() { String::new() } else { format!(" {}", usage.kind) };
        match found {
            Some(price) if price.unit == usage.unit => Ok(price),
            Some(price) => {
                Err(format!("the price of {}{kind} is for a {}, not a {}", usage.item, price.unit, usage.unit))
            }
            None => Err(format!("no price of {}{kind} in {region}", usage.item)),
        }
    }
}
