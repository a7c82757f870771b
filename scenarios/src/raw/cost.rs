//! What a run costs, and files of prices.

use crate::decode::{Named, Sp, choice, table};

table! {
    /// What a run costs: its usage by prices.
    Cost as "[cost]" {
        /// A file of prices beside the list that is built in; relative to the scenario file. See docs/cost.md.
        optional("the list that `stormglass prices` prints", "docs/cost.md: each price has its source") prices: Sp<String>,
        /// The Region whose prices hold for parts without one.
        optional("network.region; without that us-east-1", "assumption: the Region that most prices are known of") region: Sp<String>,
        /// Whether the report has a figure for a month. It takes the run's average for all of the month.
        default("whole_days", "assumption: less than a day is no average day") monthly: Sp<Monthly>,
    }
    not ["currency", "savings_plan", "reserved", "spot"]
}

choice! {
    /// When there is a figure for a month.
    Monthly {
        /// If the figures cover whole days.
        WholeDays = "whole_days",
        /// Whatever they cover.
        Always = "always",
        /// Not at all.
        Never = "never",
    } not []
}

table! {
    /// A file of prices.
    PriceFile as "a price file" {
        /// Whether it takes the place of the whole built-in list, not only of the same entries.
        default(false, "what it lacks is as built in") replace: Sp<bool>,
        /// Prices.
        required price: Sp<Vec<Price>>,
    }
}

table! {
    /// A price, or prices of several kinds.
    Price as "[[price]]" {
        /// The Region, or "*" for all.
        required region: Sp<String>,
        /// What is paid for.
        required item: Sp<String>,
        /// Which kind of it.
        optional("it has no kinds, or `of` has them", "no default") kind: Sp<String>,
        /// For how much: "hour", "1M request".
        required per: Sp<String>,
        /// Dollars.
        optional("needed without `of`", "no default") usd: Sp<f64>,
        /// Dollars by kind.
        default({}, "none") of: Named<Sp<f64>>,
        /// Prices beyond so much in a month, in rising order.
        default([], "one price for any amount") tiers: Sp<Vec<Tier>>,
        /// Until when it is known to hold: "2026-11", "2026-11-21".
        required date: Sp<String>,
        /// Where it is from.
        required source: Sp<String>,
    }
}

table! {
    /// The price of what is beyond an amount.
    Tier as "a tier" {
        /// The amount, in units.
        required above: Sp<f64>,
        /// Dollars.
        required usd: Sp<f64>,
    }
}
