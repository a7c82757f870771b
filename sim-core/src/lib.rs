//! The simulation kernel: time, events, randomness, stations, tallies. It knows no cloud.
//!
//! Nothing in here is fallible once constructed, reads a clock, starts a thread or touches a file, and nothing depends on
//! the platform's mathematical library: the same calls give the same bits on every target, WebAssembly included.
pub mod digest;
pub mod distribution;
pub mod event_list;
mod fingerprint;
pub mod kernel;
pub mod math;
pub mod observations;
pub mod prices;
pub mod random;
pub mod slab;
pub mod station;
pub mod statistics;
pub mod tally;
pub mod time;

pub use event_list::{EventList, LaneId};
pub use kernel::{Kernel, World};
pub use time::{SimDuration, SimTime};
