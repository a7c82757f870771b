//! Which items operations ask for.

use sim_core::distribution::Zipf;
use sim_core::math::mix;
use sim_core::random::Source;
use sim_core::{SimDuration, SimTime};

/// The partition keys of an operation, by popularity.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySettings {
    /// How many distinct partition keys there are beside those of `hot`; 1 or more.
    pub count: u64,
    /// Exponent of their popularity (Zipf): key number k is asked for in proportion to 1 / k^s; 0 = all alike.
    pub zipf: f64,
    /// Shares of all requests that go to single keys, one each; they come before the others. Their sum is at most 1.
    pub hot: Vec<f64>,
    /// Keys are made of the time: every so long there are other ones.
    pub calendar: Option<SimDuration>,
    /// Items with different sort keys under each partition key, all alike; 1 or more.
    pub sort_keys: u64,
}

impl KeySettings {
    /// So many keys of this popularity, one item each.
    #[must_use]
    pub fn zipf(count: u64, zipf: f64) -> Self {
        Self { count, zipf, hot: Vec::new(), calendar: None, sort_keys: 1 }
    }
}

/// The bits of an item's place that its sort key decides; the partition key decides the higher ones.
pub(super) const WITHIN_COLLECTION: u64 = (1 << 24) - 1;

/// An operation's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    hash: u64,
    /// Cumulative.
    hot: Vec<f64>,
    count: u64,
    /// `None` where all keys are alike.
    popularity: Option<Zipf>,
    calendar: Option<SimDuration>,
    sort_keys: u64,
}

impl Keys {
    /// Keys whose places follow from `hash`. Key number k of one operation is key number k of another one of the same hash.
    ///
    /// # Panics
    /// If the count is zero or the exponent negative: that is checked where scenarios are read.
    #[must_use]
    pub fn new(settings: &KeySettings, hash: u64) -> Self {
        let KeySettings { count, zipf, ref hot, calendar, sort_keys } = *settings;
        let mut sum = 0.0;
        let cumulative = hot.iter().map(|share| {
            sum += share;
            sum
        });
        let popularity = (count > 1 && zipf > 0.0).then(|| Zipf::new(count, zipf).expect("validated"));
        Self { hash, hot: cumulative.collect(), count, popularity, calendar, sort_keys }
    }

    /// Draws the item that is asked for: its place in the order of hashes, which also names it. The items of one partition key
    /// lie side by side.
    #[inline]
    pub fn draw(&self, now: SimTime, draws: &mut impl Source) -> u64 {
        let number = self.number(draws);
        let hash = self.calendar.map_or(self.hash, |period| mix(self.hash, 1 + now.as_nanos() / period.as_nanos()));
        let place = mix(hash, number);
        if self.sort_keys == 1 {
            return place;
        }
        let within = mix(place, draws.below(self.sort_keys));
        place & !WITHIN_COLLECTION | within & WITHIN_COLLECTION
    }

    #[inline]
    fn number(&self, draws: &mut impl Source) -> u64 {
        if !self.hot.is_empty() {
            let u = draws.uniform();
            if let Some(number) = self.hot.iter().position(|&up_to| u < up_to) {
                return number as u64;
            }
        }
        let rank = match &self.popularity {
            Some(popularity) => popularity.sample(draws),
            None if self.count == 1 => 0,
            None => draws.below(self.count),
        };
        self.hot.len() as u64 + rank
    }
}
