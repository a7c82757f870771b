//! Accelerators.

use models::global_accelerator::{EndpointGroup, GroupEndpoint, Settings};
use models::ids::*;
use sim_core::SimDuration;

use super::geography::Site;
use super::{Check, Section};
use crate::decode::Sp;
use crate::raw::global_accelerator as raw;

/// Most endpoints of a group (API:globalaccelerator quotas).
const MAX_ENDPOINTS: usize = 10;

impl Check<'_> {
    pub(super) fn accelerators(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.global_accelerator, "global_accelerator");
        let mut built = Vec::new();
        for (n, (name, accelerator)) in doc.global_accelerator.entries.iter().enumerate() {
            let id = GlobalAcceleratorId(n as u16);
            built.push(accelerator.as_ref().map(|it| self.accelerator(id, name, it)));
        }
        built
    }

    fn accelerator(&mut self, id: GlobalAcceleratorId, name: &Sp<String>, accelerator: &raw::Accelerator) -> Settings {
        self.part_names(&accelerator.endpoint_group, "endpoint_group");
        let given: Vec<&raw::EndpointGroup> = accelerator.endpoint_group.iter().map(|(_, _, group)| group).collect();
        if given.is_empty() {
            self.error(accelerator.span, "an accelerator lacks an endpoint group", "at least one");
        }
        self.distinct(given.iter().map(|group| &group.endpoint_group_region), "endpoint groups in a Region");
        let groups = given.iter().map(|group| self.endpoint_group(id, group)).collect();
        let places: Vec<String> = self.places.iter().cloned().collect();
        let rtts = places.iter().map(|place| given.iter().map(|group| self.group_rtt(name, group, place)).collect());
        Settings {
            name: name.value.clone(),
            source_ip_affinity: accelerator.client_affinity.value == raw::ClientAffinity::SourceIp,
            groups,
            rtts: rtts.collect(),
            countries: places.iter().map(|place| self.country_of(place)).collect(),
            shift: self.delay(&accelerator.shift, "shift"),
        }
    }

    fn endpoint_group(&mut self, id: GlobalAcceleratorId, group: &raw::EndpointGroup) -> EndpointGroup {
        let region = self.region(&group.endpoint_group_region);
        if group.endpoints.is_empty() || group.endpoints.len() > MAX_ENDPOINTS {
            self.error(group.endpoints.span, "an endpoint group has 1 to 10 endpoints", "give some");
        }
        let mut endpoints = Vec::new();
        for endpoint in group.endpoints.iter() {
            let from = Some(Endpoint::GlobalAccelerator(id));
            let to = self.endpoint(&endpoint.endpoint, &[Section::Alb, Section::Station], from, "`endpoint`");
            if let (Some(here), Some(there)) = (region, self.region_of(to))
                && here.code != there.code
            {
                let title = format!("`{}` is in {}", endpoint.endpoint.value, there.code);
                self.error(endpoint.endpoint.span, title, format!("this group is in {}", here.code));
            }
            endpoints.push(GroupEndpoint {
                name: endpoint.endpoint.value.clone(),
                endpoint: to,
                weight: self.count(&endpoint.weight, "weight", 0, 255) as u8,
            });
        }
        for (place, _) in &group.rtt.entries {
            if !self.places.contains(place.as_str()) {
                let label = crate::nearest::advice(place, self.places.iter().map(String::as_str));
                self.error(place.span, format!("no traffic comes from `{}`", place.value), label);
            }
        }
        let interval = group.health_check_interval.0;
        if interval != SimDuration::from_secs(30) && interval != SimDuration::from_secs(10) {
            let label = "\"30s\" or \"10s\"";
            self.error(group.health_check_interval.span, "endpoints are checked every 30 or every 10 seconds", label);
        }
        EndpointGroup {
            region: group.endpoint_group_region.value.clone(),
            traffic_dial: self.share(&group.traffic_dial_percentage, "traffic_dial_percentage"),
            endpoints,
            health_check_interval: interval,
            threshold: self.count(&group.threshold_count, "threshold_count", 1, 10),
            health_check_path: self.typed_path(&group.health_check_path),
        }
    }

    fn group_rtt(&mut self, name: &Sp<String>, group: &raw::EndpointGroup, place: &str) -> SimDuration {
        let given = group.rtt.iter().find(|(_, known, _)| known.as_str() == place);
        if let Some((_, _, rtt)) = given {
            return self.delay(rtt, "rtt");
        }
        let region = models::geography::region(&group.endpoint_group_region).map(Site::region);
        let viewers = self.site_of_place(place);
        region.and_then(|region| self.round_trip(&viewers, &region)).unwrap_or_else(|| {
            self.notes.push(format!(
                "global_accelerator.{}: nobody knows how far `{place}` is from {} ([place] or rtt would say)",
                name.value, group.endpoint_group_region.value
            ));
            SimDuration::ZERO
        })
    }
}
