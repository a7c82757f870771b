//! Numbers, times and shares within bounds.

use std::fmt::Display;

use sim_core::SimDuration;

use super::Check;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::units::{Bytes, Share, Time};

const DAY: f64 = 86_400.0;

impl Check<'_> {
    /// A whole number within bounds.
    pub fn count<T: Ord + Copy + Display>(&mut self, n: &Sp<T>, what: &str, least: T, most: T) -> T {
        if n.value < least || n.value > most {
            let title = format!("{what} must be between {least} and {most}");
            self.error(
                n.span,
                title,
                if n.value < least { format!("at least {least}") } else { format!("at most {most}") },
            );
        }
        n.value.clamp(least, most)
    }

    /// A number within bounds.
    pub fn number(&mut self, x: &Sp<f64>, what: &str, least: f64, most: f64) -> f64 {
        if !(least..=most).contains(&x.value) {
            let title = format!("{what} must be between {least} and {most}");
            self.error(
                x.span,
                title,
                if x.value < least { format!("at least {least}") } else { format!("at most {most}") },
            );
        }
        x.value.max(least).min(most)
    }

    /// A time within bounds, in seconds; `why` says whose bounds they are.
    pub fn time(&mut self, time: &Sp<Time>, what: &str, least: f64, most: f64, why: &str) -> SimDuration {
        let seconds = time.0.as_secs_f64();
        if seconds < least || seconds > most {
            let title = format!("{what} must be between {} and {}", show(least), show(most));
            let label =
                if seconds < least { format!("at least {}", show(least)) } else { format!("at most {}", show(most)) };
            let error = Diagnostic::error(time.span, title, label);
            self.note(if why.is_empty() { error } else { error.help(format!("these are {why}'s bounds")) });
        }
        time.0
    }

    /// A network delay or other short time: from nothing to a day.
    pub fn delay(&mut self, time: &Sp<Time>, what: &str) -> SimDuration {
        self.time(time, what, 0.0, DAY, "")
    }

    /// A share, 0..=1.
    pub fn share(&mut self, share: &Sp<Share>, what: &str) -> f64 {
        if share.0 > 1.0 {
            self.error(share.span, format!("{what} cannot be above 100%"), "at most \"100%\"");
        }
        share.0.min(1.0)
    }

    /// A number of bytes that fits a request.
    pub fn body(&mut self, bytes: &Sp<Bytes>, what: &str) -> u32 {
        u32::try_from(bytes.0).unwrap_or_else(|_| {
            self.error(bytes.span, format!("{what} is too large"), "at most \"3.9GB\"");
            u32::MAX
        })
    }
}

/// A time in words.
pub(crate) fn show(seconds: f64) -> String {
    let (value, unit) = match seconds {
        0.0 => (0.0, "s"),
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s >= 86_400.0 && s % 86_400.0 == 0.0 => (s / 86_400.0, "d"),
        s if s >= 3600.0 && s % 3600.0 == 0.0 => (s / 3600.0, "h"),
        s if s >= 60.0 && s % 60.0 == 0.0 => (s / 60.0, "m"),
        s => (s, "s"),
    };
    format!("{}{unit}", (value * 1000.0).round() / 1000.0)
}
