//! For how long a copy is fresh, and which copies are told apart.

use sim_core::SimDuration;
use sim_core::math::{mix, mix64};

use super::CachePolicy;
use crate::architecture::CacheControl;
use crate::request::Request;

/// For how long an answer may be given to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Kept and fresh for this long; with zero it is kept, but asked about anew each time.
    Fresh(SimDuration),
    /// Not kept.
    NotReused,
}

/// The time to live of an object under a cache policy: `max-age` is held within MinTTL and MaxTTL, DefaultTTL holds where the
/// origin says nothing, and a MinTTL above zero overrides `no-store`, `no-cache` and `private`.
///
/// Source: CloudFront developer guide, "Manage how long content stays in the cache (expiration)", table of minimum, maximum
/// and default TTL.
#[must_use]
pub fn ttl(policy: &CachePolicy, cache_control: CacheControl) -> Ttl {
    match cache_control {
        CacheControl::MaxAge(age) => Ttl::Fresh(age.min(policy.max_ttl).max(policy.min_ttl)),
        CacheControl::Absent => Ttl::Fresh(policy.default_ttl.max(policy.min_ttl)),
        CacheControl::NoStore if policy.min_ttl.is_zero() => Ttl::NotReused,
        CacheControl::NoStore => Ttl::Fresh(policy.min_ttl),
    }
}

impl CachePolicy {
    /// Whether anything is cached at all: all three TTLs zero switch caching off (managed policy CachingDisabled).
    #[must_use]
    pub fn caches(&self) -> bool {
        !(self.min_ttl.is_zero() && self.default_ttl.is_zero() && self.max_ttl.is_zero())
    }

    /// Which bits of a request's variants are part of the cache key.
    pub(super) fn variant_mask(&self) -> u64 {
        let part = |is_part: bool, bits: u64| if is_part { bits } else { 0 };
        part(self.query_strings, 0xFFFF << 48) | part(self.headers, 0xFFFF << 32) | part(self.cookies, 0xFFFF_FFFF)
    }
}

/// The cache key: path, catalogue and object (together the URL), and the variants that the policy makes part of it (see
/// [`CachePolicy::variant_mask`]). A HEAD has the key of the GET.
/// Two keys are the same by accident with probability 2^-64.
#[inline]
pub(super) fn cache_key(request: &Request, variant_mask: u64) -> u64 {
    let object = u64::from(request.path.0) << 32 | u64::from(request.object);
    let variant = u64::from(request.query_variant) << 48
        | u64::from(request.header_variant) << 32
        | u64::from(request.cookie_variant);
    mix(variant & variant_mask, object ^ mix64(u64::from(request.catalog)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use CacheControl::{Absent, MaxAge, NoStore};

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

    /// The guide's table, row by row: what the origin sends, without and with a minimum TTL.
    #[test]
    fn ttl_follows_the_guides_table() {
        let (no_min, min) = (policy(0, 86_400, 31_536_000), policy(60, 86_400, 31_536_000));
        let fresh = |seconds| Ttl::Fresh(secs(seconds));
        // max-age = m: min(m, Max) / m held within Min and Max. s-maxage, and Expires as an age, are the same rows.
        assert_eq!((ttl(&no_min, MaxAge(secs(10))), ttl(&min, MaxAge(secs(10)))), (fresh(10), fresh(60)));
        assert_eq!((ttl(&no_min, MaxAge(secs(3600))), ttl(&min, MaxAge(secs(3600)))), (fresh(3600), fresh(3600)));
        assert_eq!(ttl(&policy(0, 60, 600), MaxAge(secs(3600))), fresh(600));
        assert_eq!(ttl(&policy(60, 60, 600), MaxAge(secs(3600))), fresh(600));
        // max-age = 0 is kept and asked about anew, unless there is a minimum.
        assert_eq!((ttl(&no_min, MaxAge(secs(0))), ttl(&min, MaxAge(secs(0)))), (fresh(0), fresh(60)));
        // Nothing: Default / the greater of Min and Default.
        assert_eq!((ttl(&no_min, Absent), ttl(&min, Absent)), (fresh(86_400), fresh(86_400)));
        assert_eq!(ttl(&policy(3600, 60, 86_400), Absent), fresh(3600));
        // no-cache, no-store, private: not reused / cached for Min.
        assert_eq!((ttl(&no_min, NoStore), ttl(&min, NoStore)), (Ttl::NotReused, fresh(60)));
        // CachingOptimized (1 / 86,400 / 31,536,000) keeps even no-store for its second.
        assert_eq!(ttl(&policy(1, 86_400, 31_536_000), NoStore), fresh(1));
    }

    #[test]
    fn all_ttls_zero_switch_caching_off() {
        assert!(!policy(0, 0, 0).caches());
        assert!(policy(0, 0, 1).caches() && policy(1, 86_400, 31_536_000).caches());
    }

    #[test]
    fn the_key_has_the_parts_the_policy_names() {
        use crate::request::{Holder, Hop};
        let mut base = Request::new(1, sim_core::SimTime::ZERO, Holder::Client(crate::TrafficId(0)), Hop::NONE);
        (base.path, base.object) = (crate::PathId(3), 9);
        let change = |what: &dyn Fn(&mut Request)| {
            let mut request = base.clone();
            what(&mut request);
            request
        };
        let query = change(&|request| request.query_variant = 5);
        let header = change(&|request| request.header_variant = 5);
        let cookie = change(&|request| request.cookie_variant = 5);
        let none = policy(0, 1, 1);
        let differs = |policy: CachePolicy, other: &Request| {
            cache_key(&base, policy.variant_mask()) != cache_key(other, policy.variant_mask())
        };
        assert!(!differs(none, &query) && !differs(none, &header) && !differs(none, &cookie));
        let by_query = CachePolicy { query_strings: true, ..none };
        assert!(differs(by_query, &query) && !differs(by_query, &header) && !differs(by_query, &cookie));
        let by_header = CachePolicy { headers: true, ..none };
        assert!(!differs(by_header, &query) && differs(by_header, &header) && !differs(by_header, &cookie));
        let by_cookie = CachePolicy { cookies: true, ..none };
        assert!(!differs(by_cookie, &query) && !differs(by_cookie, &header) && differs(by_cookie, &cookie));
        assert!(differs(none, &change(&|request| request.object = 8)));
        assert!(differs(none, &change(&|request| request.path = crate::PathId(4))));
        assert!(differs(none, &change(&|request| request.catalog = 1)));
        assert!(!differs(none, &change(&|request| request.method = crate::request::Method::Head)));
    }
}
