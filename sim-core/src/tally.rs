//! Tallies: what is counted and measured while a simulation runs. All have a fixed size, whatever the number of requests.

mod histogram;
mod level;
mod series;
mod station;

pub use histogram::Histogram;
pub use level::Level;
pub use series::TimeSeries;
pub use station::StationTally;

/// A number of things that happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter(u64);

impl Counter {
    /// Zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }
    /// One more.
    #[inline]
    pub const fn increment(&mut self) {
        self.0 += 1;
    }
    /// `n` more.
    #[inline]
    pub const fn add(&mut self, n: u64) {
        self.0 += n;
    }
    /// How many since the start, or since the last reset.
    #[must_use]
    pub const fn get(&self) -> u64 {
        self.0
    }
    /// Back to zero, as at the end of the warm-up.
    pub const fn reset(&mut self) {
        self.0 = 0;
    }
}
