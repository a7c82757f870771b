//! What a distribution is paid for: requests and bytes by the price region of the edge location that served them, and invalidations
//! (CloudFront pricing).

use sim_core::observations::Usage;

use crate::geography::{self, Continent};
use crate::observer::Findings;

/// What viewers got from an edge location.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Served {
    pub(super) requests: u64,
    pub(super) bytes: u64,
}

/// What else is paid for.
pub(super) struct Beside {
    /// Requests that were sent to HTTPS.
    pub(super) redirects: u64,
    pub(super) uploaded: u64,
    pub(super) invalidations: u64,
}

/// The country of an edge location, which is named by its city.
fn country(edge: &str) -> Option<&'static str> {
    geography::city(edge).map(|city| city.country)
}

/// The price region of an edge location; none where nobody knows where it is.
fn price_region(edge: &str) -> Option<&'static str> {
    let country = country(edge)?;
    Some(match country {
        "US" | "CA" | "MX" => "north_america",
        "JP" => "japan",
        "IN" => "india",
        "AU" | "NZ" => "australia",
        "IL" | "TR" => "europe",
        "AE" | "BH" | "EG" | "JO" | "KE" | "KW" | "NG" | "OM" | "QA" | "SA" | "ZA" => "middle_east_africa",
        _ => match Continent::of_country(country)? {
            Continent::Europe => "europe",
            Continent::SouthAmerica => "south_america",
            Continent::NorthAmerica => "north_america",
            Continent::Africa => "middle_east_africa",
            _ => "asia_pacific",
        },
    })
}

/// Where nobody knows where an edge location is.
const SOMEWHERE: &str = "north_america";

/// Hands over what was used.
pub(super) fn of<'a>(
    name: &str,
    edges: impl Iterator<Item = &'a str> + Clone,
    served: &[Served],
    beside: &Beside,
    findings: &mut Findings,
) {
    let mut regions: Vec<(&str, Served, bool)> = Vec::new();
    for (edge, served) in edges.clone().zip(served) {
        let region = price_region(edge);
        let (known, region) = (region.is_some(), region.unwrap_or(SOMEWHERE));
        let at = regions.iter().position(|it| it.0 == region).unwrap_or_else(|| {
            regions.push((region, Served::default(), true));
            regions.len() - 1
        });
        regions[at].1.requests += served.requests;
        regions[at].1.bytes += served.bytes;
        regions[at].2 &= known;
    }
    let mut redirects = beside.redirects;
    for (region, Served { requests, bytes }, known) in regions {
        let place = if known { "" } else { "; nobody says where it is, taken for North America" };
        let used = |item, quantity: f64, unit| Usage::new(name, item, quantity, unit).of_kind(region);
        let https = used("cloudfront.https_requests", requests as f64, "request");
        findings.used(https.assuming(format!("viewers come over HTTPS{place}")));
        let http = used("cloudfront.http_requests", std::mem::take(&mut redirects) as f64, "request");
        findings.used(http.assuming("redirects to HTTPS, all of them here"));
        let out = used("cloudfront.data_out", bytes as f64 / 1e9, "GB");
        findings.used(out.assuming(format!("answers' bodies{place}")));
    }
    let kind = edges.clone().next().and_then(price_region).unwrap_or(SOMEWHERE);
    let uploaded = Usage::new(name, "cloudfront.data_to_origin", beside.uploaded as f64 / 1e9, "GB").of_kind(kind);
    findings.used(uploaded.assuming("what viewers upload; all of it at the first edge location"));
    let paths = Usage::new(name, "cloudfront.invalidations", beside.invalidations as f64, "path");
    findings.used(paths.assuming("one path each"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_locations_have_the_price_of_where_they_are() {
        let known = [
            ("tokyo", Some("japan")),
            ("atlanta", Some("north_america")),
            ("dublin", Some("europe")),
            ("sydney", Some("australia")),
            ("hong-kong", Some("asia_pacific")),
            ("mumbai", Some("india")),
            ("dubai", Some("middle_east_africa")),
            ("nowhere", None),
        ];
        for (edge, region) in known {
            assert_eq!(price_region(edge), region, "{edge}");
        }
    }
}
