//! The services of Stormglass: what AWS's building blocks do with requests.
//!
//! Services meet only by offer and reply (see [`world`]); each is one room with its settings, events, state and behaviour.
pub mod address;
pub mod alb;
pub mod architecture;
mod asked;
pub mod aurora;
pub mod autoscaling;
mod batches;
pub mod canary;
pub mod client;
pub mod cloudfront;
pub mod cloudwatch;
pub mod compute;
pub mod dax;
pub mod deadlines;
pub mod deployment;
pub mod dynamodb;
pub mod ec2;
pub mod ecs;
pub mod elasticache;
mod flights;
pub mod geography;
pub mod global_accelerator;
pub mod ids;
pub mod ledger;
pub mod observer;
pub mod outbox;
pub mod request;
pub mod route53;
pub mod station;
pub mod timeline;
pub mod usage;
pub mod waf;
pub mod whereabouts;
pub mod world;

/// So that tests inside and outside of the crate share their helpers.
#[cfg(test)]
extern crate self as models;

pub use architecture::Architecture;
pub use ids::*;
pub use request::Request;
pub use world::simulate;
