//! What a distribution is: as validated from a scenario.

use sim_core::distribution::Distribution;
use sim_core::{SimDuration, SimTime};

use crate::ids::*;
use crate::request::Method;

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
    /// For each [`PlaceId`]: the round trip to its edge location; empty = the edges' own.
    pub viewer_rtts: Vec<SimDuration>,
    /// Regional edge caches.
    pub regionals: Vec<Regional>,
    /// Where misses go.
    pub origins: Vec<Origin>,
    /// Error caching minimum TTL (10 s) of statuses that no error page names.
    pub error_caching_min_ttl: SimDuration,
    /// Custom error responses.
    pub error_pages: Vec<ErrorPage>,
    /// Invalidations, in order of time.
    pub invalidations: Vec<Invalidation>,
}

impl Settings {
    /// Round trip from the viewers of a place to their edge location. A place that sends no viewers here may have none.
    #[must_use]
    pub fn viewer_rtt(&self, place: PlaceId) -> Option<SimDuration> {
        let edge = self.edges.get(usize::from(*self.edge_of_place.get(place.index())?))?;
        Some(self.viewer_rtts.get(place.index()).copied().unwrap_or(edge.viewer_rtt))
    }
}

/// Somewhere misses go, and how it is connected to.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its name.
    pub name: String,
    /// What answers. Never a [`Endpoint::Record`].
    pub endpoint: Endpoint,
    /// Round trip from each cache, edge locations first; empty = the caches' own.
    pub rtts: Vec<SimDuration>,
    /// `ConnectionAttempts`, 1..=3 (3).
    pub connection_attempts: u8,
    /// `ConnectionTimeout` (10 s).
    pub connection_timeout: SimDuration,
    /// `OriginReadTimeout` (30 s): how long an answer may take.
    pub read_timeout: SimDuration,
    /// `OriginKeepaliveTimeout` (5 s): how long an idle connection is kept.
    pub keepalive_timeout: SimDuration,
    /// Round trips that a new connection costs; 0 = connections are free.
    pub handshake_round_trips: u8,
    /// The regional cache that all others ask.
    pub shield: Option<Shield>,
}

/// Origin Shield.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shield {
    /// Which regional cache it is.
    pub regional: u16,
    /// Round trip from each regional cache to it.
    pub rtts: Vec<SimDuration>,
}

impl Origin {
    /// With AWS's defaults, and connections that cost nothing.
    #[must_use]
    pub fn new(name: &str, endpoint: Endpoint) -> Self {
        Self {
            name: name.to_owned(),
            endpoint,
            rtts: Vec::new(),
            connection_attempts: 3,
            connection_timeout: SimDuration::from_secs(10),
            read_timeout: SimDuration::from_secs(30),
            keepalive_timeout: SimDuration::from_secs(5),
            handshake_round_trips: 0,
            shield: None,
        }
    }
}

/// What is done with requests of one path pattern.
#[derive(Clone, Debug)]
pub struct Behavior {
    /// As written.
    pub path_pattern: String,
    /// The origin, by its number; the primary of an origin group.
    pub origin: u16,
    /// The group's secondary, if it is a group.
    pub failover: Option<Failover>,
    /// TTLs and key.
    pub cache_policy: CachePolicy,
    /// Which parts of named variants are in the key, by [`RouteId`]; empty if no part is chosen by name.
    pub named_key: Vec<RouteKey>,
    /// `AllowedMethods`.
    pub allowed: Methods,
    /// `CachedMethods`.
    pub cached: Methods,
    /// `ViewerProtocolPolicy`.
    pub viewer_protocol: ViewerProtocol,
    /// Whether requests wait for another's fetch of the same.
    pub collapsing: bool,
    /// Whether compressible objects are compressed.
    pub compress: bool,
    /// Code at the edge.
    pub functions: Functions,
}

impl Behavior {
    /// All methods to one origin, GET and HEAD from the caches, and nothing on the way.
    #[must_use]
    pub fn new(path_pattern: &str, origin: u16, cache_policy: CachePolicy) -> Self {
        Self {
            path_pattern: path_pattern.to_owned(),
            origin,
            failover: None,
            cache_policy,
            named_key: Vec::new(),
            allowed: Methods::all(),
            cached: Methods::get_and_head(),
            viewer_protocol: ViewerProtocol::AllowAll,
            collapsing: true,
            compress: false,
            functions: Functions::default(),
        }
    }
}

/// The secondary of an origin group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Its number.
    pub origin: u16,
    /// Statuses of the primary's answer that make CloudFront ask it. A primary that cannot be connected to, or is silent, always does.
    pub statuses: Vec<u16>,
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
    /// All query strings are part of the key.
    pub query_strings: bool,
    /// All cookies are part of the key.
    pub cookies: bool,
    /// All headers are part of the key.
    pub headers: bool,
}

/// Which parts of a route's variants are in the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteKey {
    /// Of its query strings.
    pub query_strings: Vec<Digit>,
    /// Of its cookies.
    pub cookies: Vec<Digit>,
    /// Of its headers.
    pub headers: Vec<Digit>,
}

/// One named value within the number of a variant: `(variant / divisor) % values`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// Product of the numbers of values of those before it.
    pub divisor: u32,
    /// How many values it has.
    pub values: u32,
}

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    /// The set of some methods.
    #[must_use]
    pub fn of(methods: &[Method]) -> Self {
        Self(methods.iter().fold(0, |set, &method| set | 1 << method as u8))
    }
    /// GET and HEAD.
    #[must_use]
    pub fn get_and_head() -> Self {
        Self::of(&[Method::Get, Method::Head])
    }
    /// All seven.
    #[must_use]
    pub fn all() -> Self {
        Self(0x7F)
    }
    /// Whether a method is one of them.
    #[must_use]
    pub fn has(self, method: Method) -> bool {
        self.0 >> method as u8 & 1 != 0
    }
}

/// What becomes of viewers that come without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ViewerProtocol {
    /// They are served.
    #[default]
    AllowAll,
    /// They are sent to HTTPS: 301.
    RedirectToHttps,
    /// They are refused: 403.
    HttpsOnly,
}

/// Code that runs on a request's way.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    /// Before the edge's cache is looked at.
    pub viewer_request: Option<Function>,
    /// Before a good answer goes to the viewer.
    pub viewer_response: Option<Function>,
    /// Before a miss goes to the origin.
    pub origin_request: Option<Function>,
    /// Before the origin's answer is kept.
    pub origin_response: Option<Function>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// How long it takes.
    pub time: Distribution,
    /// It is ended after this, which is an error.
    pub limit: SimDuration,
    /// Share of its runs that fail: 503.
    pub error_rate: f64,
}

/// A custom error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// `ErrorCode`: the origin's status.
    pub error_code: u16,
    /// `ResponseCode`: the viewer's status.
    pub response_code: u16,
    /// Size of the page, bytes; none = the origin's own answer is passed on.
    pub bytes: Option<u32>,
    /// `ErrorCachingMinTTL` of that status.
    pub caching_min_ttl: SimDuration,
}

/// An invalidation.
#[derive(Clone, Debug)]
pub struct Invalidation {
    /// When it is created.
    pub at: SimTime,
    /// Until when all caches have it; each has it at a random instant in between.
    pub takes: SimDuration,
    /// Path patterns as written.
    pub paths: Vec<String>,
    /// For each [`PathId`]: whether it is invalidated.
    pub has_path: Vec<bool>,
    /// Only these objects of a catalogue's paths; none = all.
    pub objects: Option<Vec<u32>>,
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
