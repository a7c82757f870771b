//! Where things are, and what the network between them takes.

use crate::decode::{Pair, Sp, table};
use crate::units::Time;

table! {
    /// Network delays: those that are given, and how the others are found.
    Network as "[network]" {
        /// Round trip between two services of one Region.
        default("1ms", "measured: 0.94-1.13 ms between Availability Zones of us-east-1") region_rtt: Sp<Time>,
        /// The Region of every part that does not say its own, such as "eu-west-1". Where a part's Region and a viewer's place are
        /// known, the round trip between them follows from where they are.
        optional("parts without a Region are near whoever asks", "assumption: textbook queues need no network") region: Sp<String>,
        /// Round trips that are known: { between = ["tokyo", "us-east-1"], rtt = "150ms" }, places and Regions in either order. They
        /// win over everything but a round trip that stands at the part or source itself.
        default([], "measured (2016/17) between ten Regions, otherwise by distance: see route_factor") rtt: Sp<Vec<RoundTrip>>,
        /// By distance: how many times longer a way takes than light in a glass fibre along the great circle (1 ms there and back
        /// per 100 km).
        default(1.8, "the median of the measured round trips between Regions (docs/geography.md); 2.1 was found within the USA, Bozkurt et al., PAM 2018")
        route_factor: Sp<f64>,
        /// By distance: what a viewer's own line adds to each round trip.
        default("10ms", "assumption: cable or fibre at home; mobile networks 30-50 ms") access_rtt: Sp<Time>,
    }
}

table! {
    /// A round trip that is known.
    RoundTrip as "a round trip" {
        /// Two places or Regions.
        required between: Pair<Sp<String>, Sp<String>>,
        /// The round trip between them; zones of one Region have network.region_rtt.
        required rtt: Sp<Time>,
    }
}

table! {
    /// A place that viewers may be in.
    Place as "[place]" {
        /// Where it is: latitude (north is positive) and longitude (east is positive), in degrees.
        optional("where the city of its name is", "models/src/geography/atlas.rs") coordinates: Pair<Sp<f64>, Sp<f64>>,
        /// The country it is in, ISO 3166-1 alpha-2, such as "JP". Its continent follows from it.
        optional("that of the city of its name, if there is one", "models/src/geography/atlas.rs") country: Sp<String>,
        /// State of the USA or region of Ukraine, such as "CA": the only subdivisions Route 53 knows.
        optional("that of the city of its name, if there is one", "API:route53 (GeoLocation)") subdivision: Sp<String>,
        /// What its viewers' own line adds to each round trip.
        optional("network.access_rtt", "see network.access_rtt") access_rtt: Sp<Time>,
    }
}
