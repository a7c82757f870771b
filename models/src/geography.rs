//! Geography: where Regions, cities and viewers are, how far apart, and what a round trip between them takes.
//!
//! Nothing in here is simulated: the scenario language asks it for round trips and gives the services what it was told. A round
//! trip is, in this order: what the scenario says; what was measured between two Regions ([`atlas::MEASURED`]); an estimate from the
//! great-circle distance ([`estimated_rtt`]).

pub mod atlas;

use sim_core::SimDuration;
use sim_core::math::{asin, cos, sin, sqrt};

/// A point on the globe, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// North is positive, -90..=90.
    pub latitude: f64,
    /// East is positive, -180..=180.
    pub longitude: f64,
}

/// Mean radius of the Earth (IUGG R1), kilometres.
const EARTH_RADIUS_KM: f64 = 6371.0088;

impl Coordinates {
    /// Great-circle distance in kilometres, on a sphere, by the haversine formula (Sinnott 1984, "Virtues of the Haversine").
    #[must_use]
    pub fn distance_km(self, other: Self) -> f64 {
        let half_sine_squared = |degrees: f64| {
            let sine = sin(degrees.to_radians() / 2.0);
            sine * sine
        };
        let cosines = cos(self.latitude.to_radians()) * cos(other.latitude.to_radians());
        let haversine = half_sine_squared(other.latitude - self.latitude)
            + cosines * half_sine_squared(other.longitude - self.longitude);
        2.0 * EARTH_RADIUS_KM * asin(sqrt(haversine).min(1.0))
    }
}

/// A part of the world as Route 53's geolocation routing has it, with its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Continent {
    /// `AF`.
    Africa,
    /// `AN`.
    Antarctica,
    /// `AS`.
    Asia,
    /// `EU`.
    Europe,
    /// `OC`.
    Oceania,
    /// `NA`.
    NorthAmerica,
    /// `SA`.
    SouthAmerica,
}

impl Continent {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Africa,
        Self::Antarctica,
        Self::Asia,
        Self::Europe,
        Self::Oceania,
        Self::NorthAmerica,
        Self::SouthAmerica,
    ];
    /// Its code (API reference of Route 53, GeoLocation).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Africa => "AF",
            Self::Antarctica => "AN",
            Self::Asia => "AS",
            Self::Europe => "EU",
            Self::Oceania => "OC",
            Self::NorthAmerica => "NA",
            Self::SouthAmerica => "SA",
        }
    }
    /// The continent of a country, by its ISO 3166-1 alpha-2 code.
    #[must_use]
    pub fn of_country(code: &str) -> Option<Self> {
        atlas::COUNTRIES
            .iter()
            .find(|(_, countries)| countries.split(' ').any(|country| country == code))
            .map(|(continent, _)| *continent)
    }
}

/// An AWS Region.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Such as `eu-west-1`.
    pub code: &'static str,
    /// Where it is said to be.
    pub name: &'static str,
    /// There: the city's centre, as AWS does not publish where data centres are.
    pub at: Coordinates,
}

/// The Region with a code.
#[must_use]
pub fn region(code: &str) -> Option<&'static Region> {
    atlas::REGIONS.iter().find(|region| region.code == code)
}

/// A city that viewers may be in.
#[derive(Clone, Copy, Debug)]
pub struct City {
    /// In small letters, words joined by `-`.
    pub name: &'static str,
    /// Its centre.
    pub at: Coordinates,
    /// ISO 3166-1 alpha-2 code of its country.
    pub country: &'static str,
    /// Code of the state, in the United States and Ukraine; otherwise empty. Route 53 knows subdivisions of these two only.
    pub subdivision: &'static str,
}

/// The city with a name.
#[must_use]
pub fn city(name: &str) -> Option<&'static City> {
    atlas::CITIES.iter().find(|city| city.name == name)
}

/// Round trip that was measured between two Regions, in either direction.
#[must_use]
pub fn measured_rtt(one: &str, other: &str) -> Option<SimDuration> {
    let pair = |(a, b, _): &&(&str, &str, f64)| (*a == one && *b == other) || (*a == other && *b == one);
    atlas::MEASURED.iter().find(pair).map(|(_, _, milliseconds)| SimDuration::from_secs_f64(milliseconds / 1000.0))
}

/// Light in glass: about two thirds of that in vacuum, kilometres a second.
const FIBRE_KM_PER_SECOND: f64 = 200_000.0;

/// How much longer a way through the network takes than a fibre along the great circle would: the median of what was measured
/// between Regions ([`atlas::MEASURED`]; a test computes it). Within the United States 2.1 was found (Bozkurt et al., PAM 2018,
/// "Dissecting Latency in the Internet's Fiber Infrastructure").
pub const ROUTE_FACTOR: f64 = 1.8;

/// Round trip over a distance: there and back through a fibre, `route_factor` times as long as the great circle.
#[must_use]
pub fn estimated_rtt(distance_km: f64, route_factor: f64) -> SimDuration {
    SimDuration::from_secs_f64(2.0 * distance_km * route_factor / FIBRE_KM_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(code: &str) -> Coordinates {
        region(code).expect("a Region").at
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        // A quarter of the equator, pole to pole, and one that is known: London to New York 5570 km.
        let point = |latitude, longitude| Coordinates { latitude, longitude };
        assert!((point(0.0, 0.0).distance_km(point(0.0, 90.0)) - 10_007.6).abs() < 0.1);
        assert!((point(90.0, 0.0).distance_km(point(-90.0, 33.0)) - 20_015.1).abs() < 0.1);
        // Across the date line.
        assert!((point(0.0, 179.5).distance_km(point(0.0, -179.5)) - 111.2).abs() < 0.1);
        let london = city("london").expect("known").at;
        let new_york = city("new-york").expect("known").at;
        assert!((london.distance_km(new_york) - 5570.0).abs() < 10.0);
        assert_eq!(london.distance_km(london), 0.0);
    }

    #[test]
    fn the_route_factor_is_the_median_of_the_measured_regions() {
        let mut factors: Vec<f64> = atlas::MEASURED
            .iter()
            .map(|(one, other, milliseconds)| {
                let straight = estimated_rtt(at(one).distance_km(at(other)), 1.0).as_secs_f64();
                milliseconds / 1000.0 / straight
            })
            .collect();
        factors.sort_by(f64::total_cmp);
        assert_eq!(factors.len(), 45);
        assert!((factors[22] - ROUTE_FACTOR).abs() < 0.05, "{factors:?}");
        assert!(factors[0] > 1.0, "nothing is faster than light in glass");
    }

    #[test]
    fn a_thousand_kilometres_are_eighteen_milliseconds() {
        assert_eq!(estimated_rtt(1000.0, ROUTE_FACTOR), SimDuration::from_millis(18));
    }

    #[test]
    fn what_was_measured_holds_in_both_directions() {
        assert_eq!(measured_rtt("us-east-1", "eu-west-1"), measured_rtt("eu-west-1", "us-east-1"));
        assert_eq!(measured_rtt("us-east-1", "ap-northeast-1"), Some(SimDuration::from_micros(145_300)));
        assert_eq!(measured_rtt("us-east-1", "me-south-1"), None);
    }

    #[test]
    fn regions_are_as_far_apart_as_the_table_says() {
        let from = |region: &str, others: &[(&str, f64)]| {
            // Two decimals were measured, one is in the table.
            for (other, milliseconds) in others {
                let measured = measured_rtt(region, other).unwrap_or_else(|| panic!("{region} to {other}"));
                assert!(
                    (measured.as_secs_f64() * 1e3 - milliseconds).abs() <= 0.05 + 1e-9,
                    "{region} to {other}: {measured:?}"
                );
            }
        };
        from("us-east-1", &[("us-west-1", 72.7), ("us-west-2", 87.0), ("eu-west-1", 80.6), ("eu-central-1", 88.7)]);
        from("us-east-1", &[("ap-northeast-1", 145.3), ("ap-northeast-2", 178.4), ("ap-southeast-1", 216.7)]);
        from("us-east-1", &[("ap-southeast-2", 230.0), ("sa-east-1", 119.5)]);
        from("us-west-2", &[("ap-northeast-1", 89.1), ("eu-west-1", 137.0)]);
        from("eu-west-1", &[("eu-central-1", 19.6), ("ap-northeast-1", 212.4)]);
        from("ap-northeast-1", &[("ap-northeast-2", 31.4), ("ap-southeast-1", 73.8), ("ap-southeast-2", 103.9)]);
    }

    #[test]
    fn the_atlas_is_in_order() {
        let on_globe = |at: Coordinates| at.latitude.abs() <= 90.0 && at.longitude.abs() <= 180.0;
        for (n, region) in atlas::REGIONS.iter().enumerate() {
            assert!(on_globe(region.at) && atlas::REGIONS[..n].iter().all(|other| other.code != region.code));
        }
        for (n, city) in atlas::CITIES.iter().enumerate() {
            assert!(on_globe(city.at) && atlas::CITIES[..n].iter().all(|other| other.name != city.name));
            assert!(Continent::of_country(city.country).is_some(), "{}", city.name);
            assert_eq!(!city.subdivision.is_empty(), city.country == "US", "{}", city.name);
            assert!(region(city.name).is_none());
        }
        let countries: Vec<&str> = atlas::COUNTRIES.iter().flat_map(|(_, all)| all.split(' ')).collect();
        assert!(countries.len() > 240 && countries.iter().all(|code| code.len() == 2), "{}", countries.len());
        assert!(countries.iter().enumerate().all(|(n, code)| !countries[..n].contains(code)));
    }
}
