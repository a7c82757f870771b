//! What an accelerator is paid for beside its hours: each GB between a Region and its viewers, by where both are, in the direction
//! in which more goes (Global Accelerator pricing, DT-Premium).

use sim_core::observations::Usage;

use super::GlobalAccelerator;
use crate::geography::Continent;
use crate::observer::Findings;

/// Where nobody knows where viewers are.
const SOMEWHERE: &str = "north_america";

/// The price area of a Region; empty for a code that is none.
fn area_of_region(code: &str) -> &'static str {
    match code {
        "ap-northeast-2" => "south_korea",
        "ap-southeast-2" | "ap-southeast-4" | "ap-southeast-6" => "australia",
        "ap-south-1" | "ap-south-2" | "ap-southeast-3" | "ap-southeast-7" => "india",
        _ => match code.split('-').next().unwrap_or_default() {
            "us" | "ca" | "mx" => "north_america",
            "eu" | "il" => "europe",
            "sa" => "south_america",
            "af" => "africa",
            "me" => "middle_east",
            "ap" => "asia_pacific",
            _ => "",
        },
    }
}

/// The price area of viewers of a country.
fn area_of_country(code: &str) -> Option<&'static str> {
    Some(match code {
        "KR" => "south_korea",
        "AU" | "NZ" => "australia",
        "IN" | "ID" | "PH" | "TH" => "india",
        "IL" | "TR" => "europe",
        "AE" | "BH" | "JO" | "KW" | "OM" | "QA" | "SA" => "middle_east",
        _ => match Continent::of_country(code)? {
            Continent::Europe => "europe",
            Continent::NorthAmerica => "north_america",
            Continent::SouthAmerica => "south_america",
            Continent::Africa => "africa",
            _ => "asia_pacific",
        },
    })
}

impl GlobalAccelerator {
    /// Hands over what was used.
    pub(super) fn paid_for(&self, findings: &mut Findings) {
        let mut ways: Vec<(String, u64, bool)> = Vec::new();
        for (place, country) in self.places.iter().zip(&self.settings.countries) {
            let there = country.as_deref().and_then(area_of_country);
            for (group, bytes) in self.settings.groups.iter().zip(&place.bytes).filter(|(_, bytes)| **bytes > 0) {
                let way = format!("{} to {}", area_of_region(&group.region), there.unwrap_or(SOMEWHERE));
                match ways.iter_mut().find(|(known, ..)| *known == way) {
                    Some((_, sum, known)) => (*sum, *known) = (*sum + bytes, *known && there.is_some()),
                    None => ways.push((way, *bytes, there.is_some())),
                }
            }
        }
        for (way, bytes, known) in ways {
            let place = if known { "" } else { "; nobody says where viewers are, taken for North America" };
            let usage = Usage::new(&self.name, "global_accelerator.data", bytes as f64 / 1e9, "GB").of_kind(way);
            findings.used(usage.assuming(format!("answers' bodies, of which there is more than of requests{place}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_and_regions_have_the_price_of_where_they_are() {
        let regions = [
            ("us-west-2", "north_america"),
            ("eu-central-1", "europe"),
            ("ap-northeast-1", "asia_pacific"),
            ("ap-northeast-2", "south_korea"),
            ("ap-southeast-2", "australia"),
            ("sa-east-1", "south_america"),
        ];
        regions.into_iter().for_each(|(code, area)| assert_eq!(area_of_region(code), area, "{code}"));
        let countries =
            [("JP", "asia_pacific"), ("DE", "europe"), ("KR", "south_korea"), ("ZA", "africa"), ("AE", "middle_east")];
        countries.into_iter().for_each(|(code, area)| assert_eq!(area_of_country(code), Some(area), "{code}"));
        assert_eq!(area_of_country("XX"), None);
    }
}
