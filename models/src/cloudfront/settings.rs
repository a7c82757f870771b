//! What a distribution is: as validated from a scenario.

use sim_core::SimDuration;

use crate::ids::*;

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
