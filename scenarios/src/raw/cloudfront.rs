//! CloudFront distributions.

use crate::decode::{Sp, choice, table};
use crate::units::{Bytes, Time};

table! {
    /// A CloudFront distribution.
    Distribution as "[cloudfront]" {
        /// Behaviours by path pattern, in order of precedence.
        default([], "none: the default behaviour has all paths") cache_behaviors: Vec<Behavior>,
        /// The behaviour of paths that match no pattern.
        required default_cache_behavior: Behavior,
        /// Edge locations.
        optional("one for each place that traffic comes from", "assumption A4: nobody documents what a population sees") edges: Sp<Vec<Edge>>,
        /// Regional edge caches.
        default([{ name = "regional" }], "assumption A4: one") regional_edge_caches: Sp<Vec<Regional>>,
        /// How long an error of the origin is cached at least.
        default("10s", "API:cloudfront (ErrorCachingMinTTL)") error_caching_min_ttl: Sp<Time>,
        /// How long the origin may take to answer.
        default("30s", "API:cloudfront (OriginReadTimeout)") origin_read_timeout: Sp<Time>,
    }
    not ["origin_shield", "price_class", "origin_groups", "custom_error_responses", "origins", "web_acl_id", "aliases",
         "continuous_deployment_policy"]
}

table! {
    /// What is done with requests of one path pattern.
    Behavior as "a cache behaviour" {
        /// Path pattern with `*` and `?`. The default behaviour has none.
        optional("the default behaviour", "API:cloudfront (DefaultCacheBehavior has no PathPattern)") path_pattern: Sp<String>,
        /// Where misses go: "alb.front", "station.s3", "ecs.web".
        required target_origin: Sp<String>,
        /// Managed cache policy; the keys below override its parts.
        default("CachingOptimized", "CF guide, using-managed-cache-policies") cache_policy: Sp<ManagedPolicy>,
        /// Shortest time an object is kept.
        optional("1s (0s with CachingDisabled)", "CF guide, using-managed-cache-policies") min_ttl: Sp<Time>,
        /// Time an object without Cache-Control is kept.
        optional("24h (0s with CachingDisabled)", "CF guide, using-managed-cache-policies") default_ttl: Sp<Time>,
        /// Longest time an object is kept.
        optional("365d (0s with CachingDisabled)", "CF guide, using-managed-cache-policies") max_ttl: Sp<Time>,
        /// Whether query strings are part of the cache key.
        default("none", "CF guide, using-managed-cache-policies") query_string_behavior: Sp<KeyPart>,
        /// Whether cookies are part of the cache key.
        default("none", "CF guide, using-managed-cache-policies") cookie_behavior: Sp<KeyPart>,
        /// Whether headers are part of the cache key.
        default("none", "CF guide, using-managed-cache-policies") header_behavior: Sp<KeyPart>,
    }
    not ["compress", "viewer_protocol_policy", "lambda_function_associations", "function_associations",
         "origin_request_policy", "response_headers_policy", "allowed_methods"]
}

choice! {
    /// A managed cache policy.
    ManagedPolicy {
        /// TTLs 1 s, 24 h, 365 d; nothing but the path in the key.
        CachingOptimized = "CachingOptimized",
        /// All TTLs 0: nothing is cached.
        CachingDisabled = "CachingDisabled",
    } not ["CachingOptimizedForUncompressedObjects", "Elemental-MediaPackage", "Amplify"]
}

choice! {
    /// Whether something is part of the cache key.
    KeyPart {
        /// No.
        None = "none",
        /// Yes, all of it.
        All = "all",
    } not ["whitelist", "allExcept", "allowList"]
}

table! {
    /// An edge location.
    Edge as "an edge location" {
        /// The place whose viewers go to it, as in traffic.from.
        required place: Sp<String>,
        /// Room for cached objects.
        default("10GB", "assumption A4") capacity: Sp<Bytes>,
        /// Round trip from viewers to it.
        default("20ms", "assumption") viewer_rtt: Sp<Time>,
        /// Name of the regional edge cache it asks.
        optional("the first of regional_edge_caches", "assumption A4") regional: Sp<String>,
        /// Round trip to that.
        default("10ms", "assumption") regional_rtt: Sp<Time>,
        /// Round trip to the origin, for what skips the regional cache (all but GET and HEAD, and what is not cached).
        default("40ms", "assumption") origin_rtt: Sp<Time>,
    }
}

table! {
    /// A regional edge cache.
    Regional as "a regional edge cache" {
        /// Its name.
        required name: Sp<String>,
        /// Room for cached objects.
        default("100GB", "assumption A4: larger than an edge's, CF guide, HowCloudFrontWorks") capacity: Sp<Bytes>,
        /// Round trip to origins.
        default("30ms", "assumption") origin_rtt: Sp<Time>,
    }
}
