//! Points of presence by geography: which edge location a place's viewers reach, and how far everything is from everything.

use models::cloudfront::{Edge, Regional};
use models::geography::{self, City};
use sim_core::SimDuration;

use super::super::geography::Site;
use super::super::{Check, Endpoint};
use super::{Asked, default_edge, default_regional};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::cloudfront as raw;
use crate::tree::Span;

/// Countries of PriceClass_100 besides Europe's: USA, Canada, Israel (AWS CDK reference, PriceClass).
const CLASS_100: [&str; 3] = ["US", "CA", "IL"];
/// Countries that PriceClass_200 adds: South Africa, Kenya, Nigeria, Egypt, the Middle East, Türkiye, Japan, Singapore, South Korea, Taiwan,
/// Hong Kong, the Philippines, India, Indonesia, Thailand, Malaysia, Vietnam (as above).
const CLASS_200: [&str; 21] = [
    "ZA", "KE", "NG", "EG", "AE", "BH", "OM", "QA", "SA", "TR", "JP", "SG", "KR", "TW", "HK", "PH", "IN", "ID", "TH",
    "MY", "VN",
];
/// Countries without an edge location of CloudFront proper (assumption; China has a service of its own).
const NONE: [&str; 3] = ["CN", "RU", "VE"];
/// Regions with a regional edge cache: those that Origin Shield can be in (CF guide, origin-shield).
const REGIONAL: [&str; 12] = [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "sa-east-1",
    "eu-west-1",
    "eu-west-2",
    "eu-central-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-2",
];

/// Where the caches of a distribution are.
pub(super) struct Layout {
    pub(super) edges: Vec<Edge>,
    pub(super) edge_of_place: Vec<u16>,
    pub(super) viewer_rtts: Vec<SimDuration>,
    pub(super) regionals: Vec<Regional>,
    /// Sites of all caches, edges first, if they are known.
    sites: Vec<Site>,
}

impl Layout {
    pub(super) fn given(edges: Vec<Edge>, edge_of_place: Vec<u16>, regionals: Vec<Regional>) -> Self {
        Self { edges, edge_of_place, viewer_rtts: Vec::new(), regionals, sites: Vec::new() }
    }
}

fn has_edge(class: raw::PriceClass, city: &City) -> bool {
    let europe = geography::Continent::of_country(city.country) == Some(geography::Continent::Europe);
    let first = europe || CLASS_100.contains(&city.country);
    !NONE.contains(&city.country)
        && match class {
            raw::PriceClass::Only100 => first,
            raw::PriceClass::Only200 => first || CLASS_200.contains(&city.country),
            raw::PriceClass::All => true,
        }
}

fn site_of_city(city: &City) -> Site {
    Site { name: city.name.into(), at: Some(city.at), access_rtt: SimDuration::ZERO }
}

impl Check<'_> {
    /// Edge locations of a price class, one in each known city: viewers of each place go to the nearest, that asks its nearest
    /// regional edge cache.
    pub(super) fn layout(
        &mut self,
        class: &Sp<raw::PriceClass>,
        distribution: &raw::Distribution,
        asked: &Asked,
    ) -> Layout {
        let regions: Vec<Site> = REGIONAL.iter().filter_map(|code| geography::region(code)).map(Site::region).collect();
        let cities: Vec<Site> =
            geography::atlas::CITIES.iter().filter(|city| has_edge(class.value, city)).map(site_of_city).collect();
        let mut layout = Layout::given(Vec::new(), Vec::new(), Vec::new());
        let mut regional_sites: Vec<Site> = Vec::new();
        let shields = distribution.origin.iter().filter_map(|(_, _, origin)| origin.origin_shield.as_ref());
        let shields: Vec<&str> = shields.map(|shield| shield.regional.as_str()).collect();
        for site in regions.iter().filter(|site| shields.contains(&site.name.as_str())) {
            regional_sites.push(site.clone());
        }
        for place in self.places.clone() {
            let viewers = self.site_of_place(&place);
            let Some((city, viewer_rtt)) = self.nearest(&viewers, &cities) else {
                self.nowhere(&place, class.span);
                layout.edge_of_place.push(u16::MAX);
                layout.viewer_rtts.push(SimDuration::ZERO);
                continue;
            };
            let known = layout.edges.iter().position(|edge| edge.name == city.name);
            let number = known.unwrap_or_else(|| {
                let (region, regional_rtt) = self.nearest(city, &regions).expect("cities are on the map");
                let regional = regional_sites.iter().position(|site| site.name == region.name).unwrap_or_else(|| {
                    regional_sites.push(region.clone());
                    regional_sites.len() - 1
                });
                layout.edges.push(Edge { regional: regional as u16, regional_rtt, ..default_edge(&city.name) });
                layout.sites.push(city.clone());
                layout.edges.len() - 1
            });
            layout.edge_of_place.push(number as u16);
            layout.viewer_rtts.push(viewer_rtt);
        }
        for site in regional_sites {
            let regional = default_regional(&site.name);
            self.cache(regional.capacity, class.span, asked);
            layout.regionals.push(regional);
            layout.sites.push(site);
        }
        layout
    }

    fn nearest<'s>(&self, from: &Site, among: &'s [Site]) -> Option<(&'s Site, SimDuration)> {
        among.iter().filter_map(|site| Some((site, self.round_trip(from, site)?))).min_by_key(|(_, rtt)| *rtt)
    }

    fn nowhere(&mut self, place: &str, class: Span) {
        let span =
            self.doc.traffic.iter().find(|traffic| *traffic.from == place).map_or(class, |traffic| traffic.from.span);
        let title = format!("nobody knows where `{place}` is, so no edge location is nearest");
        let error = Diagnostic::error(span, title, "the price class of a distribution asks for it");
        self.note(error.help("take the name of a known city, or add [place.NAME] with coordinates"));
    }

    /// Round trips from all caches to what answers in a known Region; empty if the caches' places or that Region are not known.
    pub(super) fn rtts_to(&self, layout: &Layout, endpoint: Endpoint) -> Vec<SimDuration> {
        let Some(region) = self.region_of(endpoint).map(Site::region) else { return Vec::new() };
        layout.sites.iter().filter_map(|site| self.rtt_within(site, &region)).collect()
    }

    /// Round trip from the regional caches to the one that is a shield.
    pub(super) fn rtts_to_shield(&self, layout: &Layout, shield: usize) -> Option<Vec<SimDuration>> {
        let regionals = layout.sites.get(layout.edges.len()..)?;
        let shield = regionals.get(shield)?;
        regionals.iter().map(|site| self.rtt_within(site, shield)).collect()
    }

    /// Two sites of the same name are in one Region.
    fn rtt_within(&self, one: &Site, other: &Site) -> Option<SimDuration> {
        if one.name == other.name { Some(self.geography.region_rtt) } else { self.round_trip(one, other) }
    }
}
