//! Where things are, and what a round trip between them takes.

use std::collections::BTreeMap;

use models::geography::{self, City, Coordinates, Region};
use models::ids::*;
use models::route53;
use sim_core::SimDuration;

use super::Check;
use super::traffic::Sources;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::geography as raw;

/// Most round trips that are given.
const MAX_ROUND_TRIPS: usize = 10_000;

/// What `[network]` and `[place]` say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Geography {
    region: Option<&'static Region>,
    pub region_rtt: SimDuration,
    route_factor: f64,
    access_rtt: SimDuration,
    /// By the names of both ends, the smaller first.
    given: BTreeMap<(String, String), SimDuration>,
}

/// A place or Region, as far as the network to it goes.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Its name in the scenario, or its code.
    pub name: String,
    /// Where it is, if that is known.
    pub at: Option<Coordinates>,
    /// What its own line adds to a round trip by distance; nothing at a Region or an edge location.
    pub access_rtt: SimDuration,
}

impl Site {
    /// The site of a Region.
    pub fn region(region: &Region) -> Self {
        Self { name: region.code.into(), at: Some(region.at), access_rtt: SimDuration::ZERO }
    }
}

impl Check<'_> {
    /// Reads `[network]`, `[place]` and the Regions of all parts.
    pub(super) fn read_geography(&mut self) {
        let doc = self.doc;
        let network = &doc.network;
        self.geography = Geography {
            region: network.region.as_ref().and_then(|code| self.region(code)),
            region_rtt: self.delay(&network.region_rtt, "region_rtt"),
            route_factor: self.number(&network.route_factor, "route_factor", 1.0, 100.0),
            access_rtt: self.delay(&network.access_rtt, "access_rtt"),
            given: BTreeMap::new(),
        };
        self.part_names(&doc.place, "place");
        for (_, name, place) in doc.place.iter() {
            self.place(name, place);
        }
        let regions = (doc.alb.iter().map(|(_, _, it)| &it.region))
            .chain(doc.ecs.iter().map(|(_, _, it)| &it.region))
            .chain(doc.station.iter().map(|(_, _, it)| &it.region))
            .chain(doc.aurora.iter().map(|(_, _, it)| &it.region))
            .chain(doc.dynamodb.iter().map(|(_, _, it)| &it.region));
        for region in regions.flatten() {
            self.region(region);
        }
        self.round_trips(&network.rtt);
    }

    fn place(&mut self, name: &Sp<String>, place: &raw::Place) {
        if geography::region(name).is_some() {
            self.error(name.span, format!("`{}` is a Region", name.value), "a place needs a name of its own");
        }
        match &place.coordinates {
            Some(at) => {
                self.number(&at.0, "a latitude", -90.0, 90.0);
                self.number(&at.1, "a longitude", -180.0, 180.0);
            }
            None if geography::city(name).is_none() => {
                let title = format!("nobody knows where `{}` is", name.value);
                let near = advice(name, geography::atlas::CITIES.iter().map(|city| city.name));
                let error = Diagnostic::error(name.span, title, near);
                self.note(error.help("add coordinates = [LATITUDE, LONGITUDE], or take the name of a known city"));
            }
            None => {}
        }
        if let Some(country) = &place.country
            && geography::Continent::of_country(country).is_none()
        {
            let title = format!("`{}` is no code of a country", country.value);
            self.error(country.span, title, "two capital letters (ISO 3166-1), such as \"JP\"");
        }
        if let Some(subdivision) = &place.subdivision {
            let country = self.country_of(name).unwrap_or_default();
            if !matches!(country.as_str(), "US" | "UA") {
                let title = "Route 53 knows subdivisions of the USA and Ukraine only";
                self.error(subdivision.span, title, "remove it, or set country = \"US\"");
            } else if subdivision.is_empty() || subdivision.len() > 3 {
                self.error(subdivision.span, "this is no code of a subdivision", "such as \"CA\"");
            }
        }
        if let Some(rtt) = &place.access_rtt {
            self.delay(rtt, "access_rtt");
        }
    }

    /// The Region with a code, which must exist.
    pub(super) fn region(&mut self, code: &Sp<String>) -> Option<&'static Region> {
        let found = geography::region(code);
        if found.is_none() {
            let label = advice(code, geography::atlas::REGIONS.iter().map(|region| region.code));
            self.error(code.span, format!("there is no Region `{}`", code.value), label);
        }
        found
    }

    fn round_trips(&mut self, given: &Sp<Vec<raw::RoundTrip>>) {
        if given.len() > MAX_ROUND_TRIPS {
            self.error(given.span, "too many round trips", format!("at most {MAX_ROUND_TRIPS}"));
        }
        for trip in given.iter() {
            let rtt = self.delay(&trip.rtt, "rtt");
            let (one, other) = (&trip.between.0, &trip.between.1);
            self.site_name(one);
            self.site_name(other);
            if **one == **other {
                let label = "parts of one Region: network.region_rtt";
                self.error(other.span, "a round trip is between two different places or Regions", label);
            }
            let key = ends(one, other);
            if self.geography.given.insert(key, rtt).is_some() {
                self.error(trip.span, "this round trip is given twice", "one too many");
            }
        }
    }

    /// Refuses the name of neither a place nor a Region.
    fn site_name(&mut self, name: &Sp<String>) {
        let doc = self.doc;
        let edges = doc.cloudfront.iter().flat_map(|(_, _, it)| it.edges.iter().flat_map(|edges| edges.iter()));
        let canaries = doc.canary.iter().map(|(_, _, canary)| canary.from.as_str());
        let places = doc.traffic.iter().map(|traffic| traffic.from.as_str()).chain(canaries);
        let known: Vec<&str> = places
            .chain(doc.place.names())
            .chain(edges.map(|edge| edge.place.as_str()))
            .chain(geography::atlas::REGIONS.iter().map(|region| region.code))
            .chain(geography::atlas::CITIES.iter().map(|city| city.name))
            .collect();
        if known.contains(&name.as_str()) {
            return;
        }
        let label = advice(name, known);
        self.error(name.span, format!("`{}` is neither a place nor a Region", name.value), label);
    }

    fn own_place(&self, name: &str) -> Option<&raw::Place> {
        self.doc.place.position(name).and_then(|at| self.doc.place.entries[at].1.as_ref())
    }

    /// The site of viewers.
    pub(super) fn site_of_place(&self, name: &str) -> Site {
        let own = self.own_place(name);
        let given = own.and_then(|place| place.coordinates.as_ref());
        Site {
            name: name.into(),
            at: match given {
                Some(at) => Some(Coordinates { latitude: at.0.value, longitude: at.1.value }),
                None => geography::city(name).map(|city| city.at),
            },
            access_rtt: own.and_then(|place| place.access_rtt.as_ref()).map_or(self.geography.access_rtt, |rtt| rtt.0),
        }
    }

    /// The country a place is in, if that is known.
    pub(super) fn country_of(&self, place: &str) -> Option<String> {
        let own = self.own_place(place).and_then(|place| place.country.as_ref());
        own.map(|country| country.value.clone()).or_else(|| self.unmoved(place).map(|city| city.country.into()))
    }

    /// The subdivision a place is in, if that is known.
    pub(super) fn subdivision_of(&self, place: &str) -> Option<String> {
        let own = self.own_place(place).and_then(|place| place.subdivision.as_ref());
        let city = || self.unmoved(place).map(|city| city.subdivision.to_string());
        own.map(|subdivision| subdivision.value.clone()).or_else(city).filter(|subdivision| !subdivision.is_empty())
    }

    /// The city of a place's name, unless the place lies elsewhere.
    fn unmoved(&self, place: &str) -> Option<&'static City> {
        let moved = self.own_place(place).is_some_and(|place| place.coordinates.is_some());
        if moved { None } else { geography::city(place) }
    }

    /// The Region a part is in, if that is known.
    pub(super) fn region_of(&self, part: Endpoint) -> Option<&'static Region> {
        let doc = self.doc;
        let own = match part {
            Endpoint::Alb(id) => entry(&doc.alb, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::Ecs(id) => entry(&doc.ecs, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::Ec2(id) => entry(&doc.ec2, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::Station(id) => entry(&doc.station, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::Aurora(id) => entry(&doc.aurora, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::DynamoDb(id) => entry(&doc.dynamodb, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::Dax(id) => entry(&doc.dax, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::ElastiCache(id) => entry(&doc.elasticache, id.index()).and_then(|it| it.region.as_ref()),
            Endpoint::Record(_) | Endpoint::CloudFront(_) | Endpoint::GlobalAccelerator(_) => return None,
        };
        own.map_or(self.geography.region, |code| geography::region(code))
    }

    /// Round trip between two sites, if anybody knows it: as given, else as measured between Regions, else by distance.
    pub(super) fn round_trip(&self, one: &Site, other: &Site) -> Option<SimDuration> {
        if let Some(rtt) = self.geography.given.get(&ends(&one.name, &other.name)) {
            return Some(*rtt);
        }
        if let Some(rtt) = geography::measured_rtt(&one.name, &other.name) {
            return Some(rtt);
        }
        let distance = one.at?.distance_km(other.at?);
        Some(geography::estimated_rtt(distance, self.geography.route_factor) + one.access_rtt + other.access_rtt)
    }

    /// Round trip between two parts: that of network.region_rtt unless they are known to be in different Regions.
    pub(super) fn part_rtt(&self, one: Endpoint, other: Endpoint) -> SimDuration {
        let apart = match (self.region_of(one), self.region_of(other)) {
            (Some(one), Some(other)) if one.code != other.code => {
                self.round_trip(&Site::region(one), &Site::region(other))
            }
            _ => None,
        };
        apart.unwrap_or(self.geography.region_rtt)
    }

    /// Gives every source that says nothing of its network the round trips to the parts it may be sent to.
    pub(super) fn viewer_rtts(&mut self, sources: &mut Sources, route53: &route53::Settings) {
        let doc = self.doc;
        let users = doc.traffic.iter().map(|traffic| (traffic.rtt.is_some(), &traffic.from));
        let canaries = doc.canary.iter().map(|(_, _, canary)| (canary.rtt.is_some(), &canary.from));
        for ((given, from), settings) in users.chain(canaries).zip(&mut sources.settings) {
            if given {
                continue;
            }
            let viewers = self.site_of_place(from);
            for part in asked(settings.to, route53) {
                let Some(region) = self.region_of(part) else { continue };
                match self.round_trip(&viewers, &Site::region(region)) {
                    Some(rtt) => settings.rtt_to.push((part, rtt)),
                    None => self.notes.push(format!(
                        "traffic.{}: nobody knows where `{}` is, so its viewers are beside {} ([place], network.rtt or rtt would say)",
                        settings.name,
                        viewers.name,
                        self.name_of(part),
                    )),
                }
            }
        }
    }

    /// A load balancer's targets are in its own Region.
    pub(super) fn target_regions(&mut self) {
        let doc = self.doc;
        for (n, name, alb) in doc.alb.iter() {
            for (_, _, group) in alb.target_group.iter() {
                let Some((_, target)) = self.look_up(&group.targets).0 else { continue };
                let (here, there) = (self.region_of(Endpoint::Alb(AlbId(n as u16))), self.region_of(target));
                if let (Some(here), Some(there)) = (here, there)
                    && here.code != there.code
                {
                    let title =
                        format!("`{}` is in {}, alb.{} in {}", group.targets.value, there.code, name.value, here.code);
                    self.error(group.targets.span, title, "a load balancer's targets are in its own Region");
                }
            }
        }
    }
}

/// The parts that whoever asks `to` may be sent to.
fn asked(to: Endpoint, route53: &route53::Settings) -> Vec<Endpoint> {
    let (mut parts, mut seen) = (Vec::new(), vec![to]);
    let mut next = 0;
    while let Some(&endpoint) = seen.get(next) {
        next += 1;
        match endpoint {
            Endpoint::Record(id) => {
                for target in route53.targets(id) {
                    if !seen.contains(&target) {
                        seen.push(target);
                    }
                }
            }
            part => parts.push(part),
        }
    }
    parts
}

fn entry<T>(parts: &crate::decode::Named<T>, at: usize) -> Option<&T> {
    parts.entries.get(at).and_then(|(_, part)| part.as_ref())
}

fn ends(one: &str, other: &str) -> (String, String) {
    if one <= other { (one.into(), other.into()) } else { (other.into(), one.into()) }
}
