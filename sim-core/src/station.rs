//! Places where requests wait and are served, as pure structures: they know time, but not events. Whoever uses one asks it
//! when something is due, schedules the event and comes back.

pub mod fifo;
pub mod lru;
pub mod sharing;
pub mod token_bucket;

pub use fifo::{Fifo, Offered, Started};
pub use lru::LruCache;
pub use sharing::ProcessorSharing;
pub use token_bucket::TokenBucket;
