//! Which parts of what viewers send are in a cache key.

use std::collections::BTreeSet;

use models::cloudfront::{Digit, RouteKey};

use super::super::Check;
use crate::decode::{Named, Sp};
use crate::raw::cloudfront as raw;
use crate::raw::traffic::{Route, Variants};

/// Parameters of signed URLs, which CloudFront removes (CF guide, private-content-signed-urls).
const SIGNED: [&str; 4] = ["Expires", "Policy", "Signature", "Key-Pair-Id"];

/// What a behaviour says of one kind of variant.
struct Chosen<'a> {
    part: &'a Sp<raw::KeyPart>,
    names: &'a Sp<Vec<Sp<String>>>,
    what: &'static str,
}

impl Chosen<'_> {
    fn by_name(&self) -> bool {
        matches!(self.part.value, raw::KeyPart::Whitelist | raw::KeyPart::AllExcept)
    }

    /// Whether a named part is in the key. Header names have no case.
    fn has(&self, name: &str) -> bool {
        let named = || match self.what {
            "headers" => self.names.iter().any(|it| it.eq_ignore_ascii_case(name)),
            _ => self.names.iter().any(|it| it.as_str() == name),
        };
        match self.part.value {
            raw::KeyPart::None => false,
            raw::KeyPart::All => true,
            raw::KeyPart::Whitelist => named(),
            raw::KeyPart::AllExcept => !named(),
        }
    }
}

impl Check<'_> {
    /// For each route, which parts of its variants are in the key of a behaviour; empty if all or nothing is.
    pub(super) fn named_key(&mut self, behavior: &raw::Behavior) -> Vec<RouteKey> {
        let (query_strings, cookies, headers) = (
            Chosen { part: &behavior.query_string_behavior, names: &behavior.query_strings, what: "query_strings" },
            Chosen { part: &behavior.cookie_behavior, names: &behavior.cookies, what: "cookies" },
            Chosen { part: &behavior.header_behavior, names: &behavior.headers, what: "headers" },
        );
        for chosen in [&query_strings, &cookies, &headers] {
            self.chosen(chosen);
        }
        let by_name = [&query_strings, &cookies, &headers].iter().any(|chosen| chosen.by_name());
        let strips = query_strings.part.value == raw::KeyPart::All && self.has_signed_parameters();
        if !by_name && !strips {
            return Vec::new();
        }
        let doc = self.doc;
        let routes = || doc.traffic.iter().flat_map(|source| source.routes.iter());
        let of_route = |route: &Route| {
            let kept = |name: &str| query_strings.has(name) && !SIGNED.contains(&name);
            let (mut digits, mut next) = digits(&route.query_strings, kept, query_strings.has(""));
            // The order of two parameters and more tells addresses apart, and the case of any.
            let parameters = match &route.query_strings.value {
                Variants::Count(_) if query_strings.has("") => 2,
                Variants::Count(_) => 0,
                Variants::Named(parts) => parts.names().filter(|name| kept(name)).count(),
            };
            for (ways, least) in [(route.query_string_orders.value, 2), (route.query_string_cases.value, 1)] {
                if parameters >= least && ways > 1 {
                    digits.push(Digit { divisor: next, values: ways });
                }
                next = next.saturating_mul(ways);
            }
            RouteKey {
                query_strings: digits,
                cookies: self::digits(&route.cookies, |name| cookies.has(name), cookies.has("")).0,
                headers: self::digits(&route.headers, |name| headers.has(name), headers.has("")).0,
            }
        };
        routes().map(of_route).collect()
    }

    /// Whether any route has parameters of signed URLs.
    pub(super) fn has_signed_parameters(&self) -> bool {
        let mut routes = self.doc.traffic.iter().flat_map(|source| source.routes.iter());
        routes.any(|route| named(&route.query_strings).any(|(name, _)| SIGNED.contains(&name)))
    }

    /// Checks the names of a kind of variant.
    fn chosen(&mut self, chosen: &Chosen<'_>) {
        let Chosen { part, names, what } = chosen;
        match (chosen.by_name(), names.first()) {
            (true, None) => {
                self.error(part.span, format!("this needs names in `{what}`"), format!("add {what} = [\"NAME\"]"))
            }
            (false, Some(first)) => {
                let label = "write \"whitelist\" or \"allExcept\", or remove the names";
                self.error(first.span, format!("`{what}` are named but not chosen by name"), label);
            }
            _ => {}
        }
        let doc = self.doc;
        let routes = doc.traffic.iter().flat_map(|source| source.routes.iter());
        let sent: BTreeSet<&str> = routes
            .flat_map(|route| match *what {
                "query_strings" => named(&route.query_strings),
                "cookies" => named(&route.cookies),
                _ => named(&route.headers),
            })
            .map(|(name, _)| name)
            .collect();
        for name in names.iter().filter(|name| !sent.iter().any(|known| known.eq_ignore_ascii_case(name))) {
            self.warnings.push((name.span, format!("no route names `{}` in `{what}`", name.value)));
        }
    }
}

/// Parts by name.
fn named(variants: &Variants) -> impl Iterator<Item = (&str, u32)> {
    let parts: Option<&Named<Sp<u32>>> = match variants {
        Variants::Count(_) => None,
        Variants::Named(parts) => Some(parts),
    };
    parts.into_iter().flat_map(|parts| parts.iter().map(|(_, name, values)| (name.as_str(), values.value)))
}

/// The digits kept of the number of a variant, and the product of all its numbers of values. What has few values comes first, so that the
/// few cookies of clients that are fewer than all combinations still vary.
fn digits(variants: &Variants, kept: impl Fn(&str) -> bool, whole: bool) -> (Vec<Digit>, u32) {
    if let Variants::Count(values) = variants {
        let digit = Digit { divisor: 1, values: *values };
        return (if whole { vec![digit] } else { Vec::new() }, *values);
    }
    let mut parts: Vec<(&str, u32)> = named(variants).collect();
    parts.sort_by_key(|&(_, values)| values);
    let (mut digits, mut divisor) = (Vec::new(), 1u32);
    for (name, values) in parts {
        if kept(name) {
            digits.push(Digit { divisor, values: values.max(1) });
        }
        divisor = divisor.saturating_mul(values.max(1));
    }
    (digits, divisor)
}
