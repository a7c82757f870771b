//! CloudFront: behaviours, edge locations, regional caches, TTLs, cache keys, request collapsing.

use sim_core::SimDuration;

use crate::architecture::Catalog;
use crate::ids::*;
use crate::observer::Observed;
use crate::request::*;
use crate::world::Cx;

/// A distribution.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// In order of precedence; the last one is the default behaviour.
    pub behaviors: Vec<Behavior>,
    /// For each [`PathId`]: which behaviour it has.
    pub behavior_of_path: Vec<u16>,
    /// Edge locations. For each [`PlaceId`]: which one its viewers go to.
    pub edges: Vec<Edge>,
    /// See `edges`.
    pub edge_of_place: Vec<u16>,
    /// Regional edge caches.
    pub regionals: Vec<Regional>,
    /// Error caching minimum TTL (10 s).
    pub error_caching_min_ttl: SimDuration,
    /// How long the origin may take to answer (`OriginReadTimeout`, 30 s).
    pub origin_read_timeout: SimDuration,
}

/// What is done with requests of one path pattern.
#[derive(Clone, Debug)]
pub struct Behavior {
    /// As written.
    pub path_pattern: String,
    /// Where misses go. Never a [`Endpoint::Record`].
    pub origin: Endpoint,
    /// TTLs and key.
    pub cache_policy: CachePolicy,
}

/// TTLs and cache key.
#[derive(Clone, Copy, Debug)]
pub struct CachePolicy {
    /// `MinTTL`.
    pub min_ttl: SimDuration,
    /// `DefaultTTL`.
    pub default_ttl: SimDuration,
    /// `MaxTTL`; all three zero switch caching off.
    pub max_ttl: SimDuration,
    /// Query strings are part of the key.
    pub query_strings: bool,
    /// Cookies are part of the key.
    pub cookies: bool,
    /// Headers are part of the key.
    pub headers: bool,
}

/// An edge location.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Its name, such as `tokyo`.
    pub name: String,
    /// Room for cached objects, bytes.
    pub capacity: u64,
    /// Round trip from viewers to it.
    pub viewer_rtt: SimDuration,
    /// Which regional cache it asks.
    pub regional: u16,
    /// Round trip to that.
    pub regional_rtt: SimDuration,
    /// Round trip to the origin, for what skips the regional cache.
    pub origin_rtt: SimDuration,
}

/// A regional edge cache.
#[derive(Clone, Debug)]
pub struct Regional {
    /// Its name.
    pub name: String,
    /// Room for cached objects, bytes.
    pub capacity: u64,
    /// Round trip to origins.
    pub origin_rtt: SimDuration,
}

/// What happens inside a distribution.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The origin has had its time for a request.
    OriginTimeout(RequestKey),
}

/// A distribution with its caches.
#[derive(Debug)]
pub struct CloudFront {}

impl CloudFront {
    /// Builds it.
    #[must_use]
    pub fn new(_id: CloudFrontId, _settings: &Settings, _catalogs: &[Catalog], _cx: &mut Cx<'_>) -> Self {
        Self {}
    }
    /// A request arrives at its edge.
    pub fn on_offer(&mut self, _key: RequestKey, _cx: &mut Cx<'_>) {}
    /// A request comes back to the edge location that forwarded it; its frame has been taken off.
    pub fn on_reply_to_edge(&mut self, _key: RequestKey, _edge: u16, _cx: &mut Cx<'_>) {}
    /// A request comes back to the regional cache that forwarded it; its frame has been taken off.
    pub fn on_reply_to_regional(&mut self, _key: RequestKey, _regional: u16, _cx: &mut Cx<'_>) {}
    /// Handles one of its events.
    pub fn on(&mut self, _event: Event, _cx: &mut Cx<'_>) {}
}

impl Observed for CloudFront {}
