//! For how long a copy is fresh, and which copies are told apart.

use sim_core::SimDuration;
use sim_core::math::{mix, mix64};

use super::{CachePolicy, Digit, RouteKey};
use crate::architecture::CacheHeaders;
use crate::request::{Method, Request};

/// For how long an answer may be given to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Kept and fresh for this long; with zero it is kept, but asked about anew each time.
    Fresh(SimDuration),
    /// Not kept.
    NotReused,
}

/// The time to live of an object under a cache policy. `s-maxage` wins over `max-age`, and that over `Expires`; the age is held within
/// MinTTL and MaxTTL. DefaultTTL holds where the origin says nothing. A MinTTL above zero overrides `no-store`, `no-cache` and `private`.
///
/// Source: CloudFront developer guide, "Manage how long content stays in the cache (expiration)", table of minimum, maximum
/// and default TTL.
#[must_use]
pub fn ttl(policy: &CachePolicy, headers: &CacheHeaders) -> Ttl {
    if headers.no_store {
        return if policy.min_ttl.is_zero() { Ttl::NotReused } else { Ttl::Fresh(policy.min_ttl) };
    }
    Ttl::Fresh(match headers.age() {
        Some(age) => age.min(policy.max_ttl).max(policy.min_ttl),
        None => policy.default_ttl.max(policy.min_ttl),
    })
}

impl CacheHeaders {
    /// How long a cache that viewers share may keep the object, if the origin says so.
    fn age(&self) -> Option<SimDuration> {
        self.s_maxage.or(self.max_age).or(self.expires)
    }
}

impl CachePolicy {
    /// Whether anything is cached at all: all three TTLs zero switch caching off (managed policy CachingDisabled).
    #[must_use]
    pub fn caches(&self) -> bool {
        !(self.min_ttl.is_zero() && self.default_ttl.is_zero() && self.max_ttl.is_zero())
    }

    /// Which bits of a request's variants are part of the cache key.
    pub(super) fn variant_mask(&self) -> [u64; 2] {
        let part = |is_part: bool, bits: u64| if is_part { bits } else { 0 };
        [part(self.query_strings, 0xFFFF_FFFF << 32) | part(self.cookies, 0xFFFF_FFFF), part(self.headers, 0xFFFF)]
    }
}

/// The variants of a request in two words: query string and cookies, headers.
fn variants(request: &Request) -> [u64; 2] {
    [u64::from(request.query_variant) << 32 | u64::from(request.cookie_variant), u64::from(request.header_variant)]
}

impl RouteKey {
    /// The number that the chosen parts of a request's variants have.
    fn variant(&self, request: &Request) -> u64 {
        let digits = |digits: &[Digit], variant: u32| {
            digits.iter().fold(0, |number, digit| mix(number, u64::from(variant / digit.divisor % digit.values) + 1))
        };
        let (query, cookies) =
            (digits(&self.query_strings, request.query_variant), digits(&self.cookies, request.cookie_variant));
        mix(mix(query, cookies), digits(&self.headers, request.header_variant.into()))
    }
}

/// What tells the copies of an object apart.
#[derive(Debug)]
pub(super) enum VariantKey {
    /// All or nothing of query strings, cookies and headers.
    Mask([u64; 2]),
    /// Parts by name, by route, with a mask for the rest.
    Named(Vec<RouteKey>, [u64; 2]),
}

/// The cache key: path, catalogue and object (together the URL), and the variants that the policy makes part of it. A HEAD has the
/// key of the GET; OPTIONS has one of its own (CloudFront developer guide, "Understanding the cache key").
/// Two keys are the same by accident with probability 2^-64.
#[inline]
pub(super) fn cache_key(request: &Request, key: &VariantKey) -> u64 {
    let object = u64::from(request.path.0) << 32 | u64::from(request.object);
    let [first, second] = variants(request);
    let (variant, mask) = match key {
        VariantKey::Mask(mask) => (0, mask),
        VariantKey::Named(routes, mask) => {
            (routes.get(request.route.index()).map_or(0, |of| of.variant(request)), mask)
        }
    };
    let catalog =
        u64::from(request.catalog) | (second & mask[1]) << 16 | u64::from(request.method == Method::Options) << 32;
    mix(first & mask[0] ^ variant, object ^ mix64(catalog))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Holder, Hop};

    fn secs(seconds: u64) -> SimDuration {
        SimDuration::from_secs(seconds)
    }

    fn policy(min: u64, default: u64, max: u64) -> CachePolicy {
        CachePolicy {
            min_ttl: secs(min),
            default_ttl: secs(default),
            max_ttl: secs(max),
            query_strings: false,
            cookies: false,
            headers: false,
        }
    }

    const SILENT: CacheHeaders = CacheHeaders::NONE;

    fn max_age(seconds: u64) -> CacheHeaders {
        CacheHeaders { max_age: Some(secs(seconds)), ..SILENT }
    }

    /// The guide's table, row by row: what the origin sends, without and with a minimum TTL.
    #[test]
    fn ttl_follows_the_guides_table() {
        let (no_min, min) = (policy(0, 86_400, 31_536_000), policy(60, 86_400, 31_536_000));
        let fresh = |seconds| Ttl::Fresh(secs(seconds));
        let both = |headers: CacheHeaders| (ttl(&no_min, &headers), ttl(&min, &headers));
        // max-age = m: min(m, Max) / m held within Min and Max.
        assert_eq!(both(max_age(10)), (fresh(10), fresh(60)));
        assert_eq!(both(max_age(3600)), (fresh(3600), fresh(3600)));
        assert_eq!(ttl(&policy(0, 60, 600), &max_age(3600)), fresh(600));
        assert_eq!(ttl(&policy(60, 60, 600), &max_age(3600)), fresh(600));
        // max-age = 0 is kept and asked about anew, unless there is a minimum.
        assert_eq!(both(max_age(0)), (fresh(0), fresh(60)));
        // s-maxage = s, alone or beside max-age, which it beats: min(s, Max) / s held within Min and Max.
        let shared = CacheHeaders { s_maxage: Some(secs(120)), ..SILENT };
        assert_eq!(both(shared), (fresh(120), fresh(120)));
        assert_eq!(both(CacheHeaders { max_age: Some(secs(3600)), ..shared }), (fresh(120), fresh(120)));
        assert_eq!(ttl(&policy(300, 300, 600), &shared), fresh(300));
        assert_eq!(ttl(&policy(0, 60, 100), &shared), fresh(100));
        // Expires without max-age: what is left until then, held likewise.
        let expires = CacheHeaders { expires: Some(secs(30)), ..SILENT };
        assert_eq!(both(expires), (fresh(30), fresh(60)));
        assert_eq!(ttl(&policy(0, 10, 20), &expires), fresh(20));
        // max-age and Expires: max-age wins.
        assert_eq!(both(CacheHeaders { max_age: Some(secs(3600)), ..expires }), (fresh(3600), fresh(3600)));
        // Nothing: Default / the greater of Min and Default.
        assert_eq!(both(SILENT), (fresh(86_400), fresh(86_400)));
        assert_eq!(ttl(&policy(3600, 60, 86_400), &SILENT), fresh(3600));
        // no-cache, no-store, private, whatever stands beside: not reused / cached for Min.
        let no_store = CacheHeaders { no_store: true, ..SILENT };
        assert_eq!(both(no_store), (Ttl::NotReused, fresh(60)));
        assert_eq!(both(CacheHeaders { no_store: true, ..max_age(3600) }), (Ttl::NotReused, fresh(60)));
        // CachingOptimized (1 / 86,400 / 31,536,000) keeps even no-store for its second.
        assert_eq!(ttl(&policy(1, 86_400, 31_536_000), &no_store), fresh(1));
    }

    #[test]
    fn all_ttls_zero_switch_caching_off() {
        assert!(!policy(0, 0, 0).caches());
        assert!(policy(0, 0, 1).caches() && policy(1, 86_400, 31_536_000).caches());
    }

    fn request() -> Request {
        let mut base = Request::new(1, sim_core::SimTime::ZERO, Holder::Client(crate::TrafficId(0)), Hop::NONE);
        (base.path, base.object) = (crate::PathId(3), 9);
        base
    }

    fn change(what: impl Fn(&mut Request)) -> Request {
        let mut request = request();
        what(&mut request);
        request
    }

    #[test]
    fn the_key_has_the_parts_the_policy_names() {
        let query = change(|request| request.query_variant = 5);
        let header = change(|request| request.header_variant = 5);
        let cookie = change(|request| request.cookie_variant = 5);
        let none = policy(0, 1, 1);
        let differs = |policy: CachePolicy, other: &Request| {
            let key = VariantKey::Mask(policy.variant_mask());
            cache_key(&request(), &key) != cache_key(other, &key)
        };
        assert!(!differs(none, &query) && !differs(none, &header) && !differs(none, &cookie));
        let by_query = CachePolicy { query_strings: true, ..none };
        assert!(differs(by_query, &query) && !differs(by_query, &header) && !differs(by_query, &cookie));
        let by_header = CachePolicy { headers: true, ..none };
        assert!(!differs(by_header, &query) && differs(by_header, &header) && !differs(by_header, &cookie));
        let by_cookie = CachePolicy { cookies: true, ..none };
        assert!(!differs(by_cookie, &query) && !differs(by_cookie, &header) && differs(by_cookie, &cookie));
        assert!(differs(none, &change(|request| request.object = 8)));
        assert!(differs(none, &change(|request| request.path = crate::PathId(4))));
        assert!(differs(none, &change(|request| request.catalog = 1)));
        assert!(!differs(none, &change(|request| request.method = Method::Head)));
        assert!(differs(none, &change(|request| request.method = Method::Options)));
    }

    #[test]
    fn a_whitelist_has_as_many_keys_as_the_values_of_what_it_names() {
        // Query strings ?size=(3)&campaign=(50): 150 variants, of which the size alone is in the key.
        let route = RouteKey { query_strings: vec![Digit { divisor: 1, values: 3 }], ..RouteKey::default() };
        let key = VariantKey::Named(vec![route], [0; 2]);
        let mut keys: Vec<u64> =
            (0..150).map(|variant| cache_key(&change(|request| request.query_variant = variant), &key)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 3);
        // Two requests of one size have one key, whatever the campaign.
        let key_of = |variant| cache_key(&change(|request| request.query_variant = variant), &key);
        assert_eq!(key_of(1), key_of(1 + 3 * 49));
    }
}
