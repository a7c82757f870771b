//! Service level objectives.

use crate::decode::{Sp, table};
use crate::units::{Share, Time};

table! {
    /// What share of operations is to end well. The report tells the error budget, what of it is spent, and how fast.
    Slo as "[slo]" {
        /// The objective of all operations together, such as "99.9%"; each route has it too, unless it has one of its own.
        optional("only routes have objectives", "no objective") availability: Sp<Share>,
        /// The period of the error budget.
        default("30d", "Google, The Site Reliability Workbook, chapter 2: a window of four weeks, or of 30 days in chapter 5") period: Sp<Time>,
        /// Objectives of single routes: [[slo.route]], once for each.
        default([], "none") route: Vec<OfRoute>,
    }
}

table! {
    /// The objective of a route.
    OfRoute as "[[slo.route]]" {
        /// The route: its path, or "SOURCE PATH" where several sources ask for it.
        required route: Sp<String>,
        /// The share of its operations that is to end well.
        required availability: Sp<Share>,
    }
}
