//! CloudFront distributions.

use crate::decode::{Named, Sp, choice, table};
use crate::distributions::TimeDist;
use crate::units::{Bytes, Share, Time};

table! {
    /// A CloudFront distribution.
    Distribution as "[cloudfront]" {
        /// Behaviours by path pattern, in order of precedence.
        default([], "none: the default behaviour has all paths") cache_behaviors: Vec<Behavior>,
        /// The behaviour of paths that match no pattern.
        required default_cache_behavior: Behavior,
        /// Origins with settings of their own, by name: [cloudfront.shop.origin.bucket].
        default({}, "none: behaviours name what they ask") origin: Named<Origin>,
        /// Pairs of origins of which the second is asked when the first fails, by name: [cloudfront.shop.origin_group.web].
        default({}, "none") origin_group: Named<OriginGroup>,
        /// Edge locations by geography: one in each known city of the class, viewers go to the nearest, and round trips follow from where
        /// everything is. In place of edges and regional_edge_caches.
        optional("edges and regional_edge_caches say where they are", "assumption A4; AWS's own default is PriceClass_All") price_class: Sp<PriceClass>,
        /// Edge locations.
        optional("one for each place that traffic comes from", "assumption A4: nobody documents what a population sees") edges: Sp<Vec<Edge>>,
        /// Regional edge caches.
        default([{ name = "regional" }], "assumption A4: one") regional_edge_caches: Sp<Vec<Regional>>,
        /// How long an error of the origin is cached at least.
        default("10s", "API:cloudfront (ErrorCachingMinTTL)") error_caching_min_ttl: Sp<Time>,
        /// What viewers get in place of an error, by its status.
        default([], "none: they get the error") custom_error_responses: Sp<Vec<ErrorResponse>>,
        /// How long an origin may take to answer that does not say it itself.
        default("30s", "API:cloudfront (OriginReadTimeout)") origin_read_timeout: Sp<Time>,
        /// The web ACL that looks at viewers' requests first: "waf.NAME".
        optional("no web ACL", "API:cloudfront (WebACLId)") web_acl: Sp<String>,
        /// When paths are dropped from all caches.
        default([], "none") invalidations: Sp<Vec<Invalidation>>,
    }
    not ["origins", "web_acl_id", "aliases", "continuous_deployment_policy", "restrictions"]
}

table! {
    /// Somewhere misses go.
    Origin as "an origin" {
        /// What answers: "alb.front", "station.s3", "ecs.web".
        required target: Sp<String>,
        /// Round trip to it, from any cache.
        optional("origin_rtt of the edge or regional cache that asks; with a price_class by its Region", "assumption") rtt: Sp<Time>,
        /// How often it is asked, GET and HEAD only where it was connected to but silent, before CloudFront gives up.
        default(3, "API:cloudfront (ConnectionAttempts)") connection_attempts: Sp<u32>,
        /// How long a connection to it may take.
        default("10s", "API:cloudfront (ConnectionTimeout)") connection_timeout: Sp<Time>,
        /// How long it may take to answer.
        optional("origin_read_timeout of the distribution", "API:cloudfront (OriginReadTimeout)") origin_read_timeout: Sp<Time>,
        /// How long an idle connection to it is kept.
        default("5s", "API:cloudfront (OriginKeepaliveTimeout)") origin_keepalive_timeout: Sp<Time>,
        /// Round trips that a new connection costs: 1 for TCP, 2 with TLS 1.3, 3 with TLS 1.2.
        default(0, "assumption: connections to busy origins are there already") handshake_round_trips: Sp<u32>,
        /// The regional cache that all others ask before it is asked.
        optional("no Origin Shield", "API:cloudfront (OriginShield, off)") origin_shield: Shield,
    }
    not ["domain_name", "origin_path", "custom_headers", "s3_origin_config", "origin_access_control",
         "response_completion_timeout"]
}

table! {
    /// Origin Shield.
    Shield as "origin_shield" {
        /// Which regional edge cache it is.
        required regional: Sp<String>,
        /// Round trip from the other regional edge caches to it.
        optional("60ms, or with a price_class what follows from where they are", "assumption") rtt: Sp<Time>,
    }
}

table! {
    /// Two origins of which the second is asked when the first fails. Every request tries the first one first. Only GET, HEAD and OPTIONS
    /// fail over.
    OriginGroup as "an origin group" {
        /// Name of the origin that is asked first.
        required primary: Sp<String>,
        /// Name of the one that is asked if that fails.
        required secondary: Sp<String>,
        /// Statuses that are failures, beside no connection and no answer: of 400, 403, 404, 416, 500, 502, 503, 504.
        default([500, 502, 503, 504], "assumption: the console's choice is empty; servers' errors") failover_criteria: Sp<Vec<Sp<u32>>>,
    }
    not ["selection_criteria"]
}

table! {
    /// What viewers get in place of an error.
    ErrorResponse as "a custom error response" {
        /// The origin's status.
        required error_code: Sp<u32>,
        /// The viewer's status. A 4xx that becomes 200 is a success; a 5xx stays a failure of the operation, whatever the page says.
        optional("needed with response_page_size", "API:cloudfront (ResponseCode)") response_code: Sp<u32>,
        /// Size of the page. Fetching it once is not modelled.
        optional("the origin's own answer is passed on", "API:cloudfront (ResponsePagePath)") response_page_size: Sp<Bytes>,
        /// How long this error is cached at least.
        optional("error_caching_min_ttl of the distribution", "API:cloudfront (ErrorCachingMinTTL)") error_caching_min_ttl: Sp<Time>,
    }
    not ["response_page_path"]
}

table! {
    /// Paths that are dropped from all caches.
    Invalidation as "an invalidation" {
        /// When it is created.
        required at: Sp<Time>,
        /// Path patterns; `*` only stands at the end.
        required paths: Sp<Vec<Sp<String>>>,
        /// Only these objects of the paths' catalogues, by number from 1, the most popular first.
        optional("all objects", "CF guide, Invalidation") objects: Sp<Vec<Sp<u32>>>,
        /// How long it takes until the last cache has dropped them: each does at a random instant, edge locations in the last third.
        default("60s", "assumption A5: 10-300 s") takes: Sp<Time>,
    }
}

table! {
    /// What is done with requests of one path pattern.
    Behavior as "a cache behaviour" {
        /// Path pattern with `*` and `?`. The default behaviour has none.
        optional("the default behaviour", "API:cloudfront (DefaultCacheBehavior has no PathPattern)") path_pattern: Sp<String>,
        /// Where misses go: the name of an origin or origin group, or what answers: "alb.front", "station.s3", "ecs.web".
        required target_origin: Sp<String>,
        /// Managed cache policy; the keys below override its parts.
        default("CachingOptimized", "CF guide, using-managed-cache-policies") cache_policy: Sp<ManagedPolicy>,
        /// Shortest time an object is kept.
        optional("1s (0s with CachingDisabled)", "CF guide, using-managed-cache-policies") min_ttl: Sp<Time>,
        /// Time an object without Cache-Control is kept.
        optional("24h (0s with CachingDisabled)", "CF guide, using-managed-cache-policies") default_ttl: Sp<Time>,
        /// Longest time an object is kept.
        optional("365d (0s with CachingDisabled)", "CF guide, using-managed-cache-policies") max_ttl: Sp<Time>,
        /// Which query strings are part of the cache key. Parameters of signed URLs (Expires, Policy, Signature, Key-Pair-Id) never are.
        default("none", "CF guide, using-managed-cache-policies") query_string_behavior: Sp<KeyPart>,
        /// Names for "whitelist" and "allExcept".
        default([], "no names") query_strings: Sp<Vec<Sp<String>>>,
        /// Which cookies are part of the cache key.
        default("none", "CF guide, using-managed-cache-policies") cookie_behavior: Sp<KeyPart>,
        /// Names for "whitelist" and "allExcept".
        default([], "no names") cookies: Sp<Vec<Sp<String>>>,
        /// Which headers are part of the cache key.
        default("none", "CF guide, using-managed-cache-policies") header_behavior: Sp<KeyPart>,
        /// Names for "whitelist".
        default([], "no names") headers: Sp<Vec<Sp<String>>>,
        /// Methods that are served: GET and HEAD, these and OPTIONS, or all seven. Others are answered 403.
        default(["GET", "HEAD"], "API:cloudfront (AllowedMethods)") allowed_methods: Sp<Vec<super::traffic::Method>>,
        /// Methods that are answered from caches: GET and HEAD, or these and OPTIONS.
        default(["GET", "HEAD"], "API:cloudfront (CachedMethods)") cached_methods: Sp<Vec<super::traffic::Method>>,
        /// What becomes of viewers that come without TLS (traffic.http_share).
        default("allow-all", "assumption: the API has no default") viewer_protocol_policy: Sp<ViewerProtocolPolicy>,
        /// Whether requests wait for another's fetch of the same. AWS has no such switch: `false` shows what it is worth, or stands for
        /// legacy settings that forward cookies, which switch it off.
        default(true, "CF guide, RequestAndResponseBehaviorCustomOrigin") request_collapsing: Sp<bool>,
        /// Whether objects of catalogues that say how small they can get (compressed_size) are compressed, if 1,000 to 10,000,000 bytes.
        default(false, "API:cloudfront (Compress)") compress: Sp<bool>,
        /// CloudFront Functions: at most one for each event.
        default([], "none") function_associations: Sp<Vec<FunctionAssociation>>,
        /// Lambda@Edge: at most one for each event.
        default([], "none") lambda_function_associations: Sp<Vec<FunctionAssociation>>,
    }
    not ["origin_request_policy", "response_headers_policy", "smooth_streaming", "trusted_key_groups",
         "field_level_encryption_id", "realtime_log_config"]
}

table! {
    /// Code at the edge.
    FunctionAssociation as "a function association" {
        /// When it runs. CloudFront Functions have the viewer's events only.
        required event_type: Sp<EventType>,
        /// How long it takes.
        required time: Sp<TimeDist>,
        /// Share of its runs that fail; they are answered 503. So is a Lambda@Edge function that takes over 5 s (30 s at the origin).
        default("0%", "assumption: it works") error_rate: Sp<Share>,
    }
    not ["function_arn", "include_body"]
}

choice! {
    /// When code at the edge runs.
    EventType {
        /// Before the cache is looked at.
        ViewerRequest = "viewer-request",
        /// Before a good answer goes to the viewer.
        ViewerResponse = "viewer-response",
        /// Before a miss goes to the origin.
        OriginRequest = "origin-request",
        /// Before the origin's answer is kept.
        OriginResponse = "origin-response",
    } not []
}

choice! {
    /// What becomes of viewers that come without TLS.
    ViewerProtocolPolicy {
        /// They are served.
        AllowAll = "allow-all",
        /// They are sent to HTTPS with a 301, which costs a round trip.
        RedirectToHttps = "redirect-to-https",
        /// They are refused with 403.
        HttpsOnly = "https-only",
    } not []
}

choice! {
    /// Which edge locations there are.
    PriceClass {
        /// All.
        All = "PriceClass_All",
        /// Without South America, Australia, New Zealand and some more.
        Only200 = "PriceClass_200",
        /// The USA, Canada, Europe and Israel only.
        Only100 = "PriceClass_100",
    } not []
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
    /// What is part of the cache key.
    KeyPart {
        /// Nothing.
        None = "none",
        /// All of it.
        All = "all",
        /// What is named.
        Whitelist = "whitelist",
        /// All but what is named.
        AllExcept = "allExcept",
    } not ["allowList"]
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
