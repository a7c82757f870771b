//! Origins, origin groups, error pages and invalidations.

use models::architecture::Run;
use models::cloudfront::{ErrorPage, Failover, Invalidation, Origin, Shield};
use models::ids::*;
use sim_core::{SimDuration, SimTime};

use super::super::{BROKEN, Check, Section};
use super::YEARS;
use super::places::Layout;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::cloudfront as raw;

const TARGETS: [Section; 5] = [Section::CloudFront, Section::Alb, Section::Nlb, Section::Ecs, Section::Station];
/// Statuses that CloudFront can fail over for, and those that can have a page (API:cloudfront, OriginGroupFailoverCriteria and
/// CustomErrorResponse).
const FAILOVER_STATUSES: [u16; 8] = [400, 403, 404, 416, 500, 502, 503, 504];
const PAGE_STATUSES: [u16; 12] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504, 429];
/// Round trip to a shield of which nothing is known; also stands in the language's declaration.
const SHIELD_RTT: SimDuration = SimDuration::from_millis(60);
/// Invalidations in progress at once, paths and wildcards (CF guide, cloudfront-limits).
const PATHS_AT_ONCE: usize = 3000;
const WILDCARDS_AT_ONCE: usize = 15;

/// The origins of a distribution as they are numbered: those with a name, then what behaviours name straight.
pub(super) struct Origins {
    pub(super) all: Vec<Origin>,
    named: usize,
}

impl Check<'_> {
    pub(super) fn origins(&mut self, id: CloudFrontId, distribution: &raw::Distribution, layout: &Layout) -> Origins {
        self.part_names(&distribution.origin, "origin");
        self.part_names(&distribution.origin_group, "origin_group");
        let mut all = Vec::new();
        for (name, origin) in &distribution.origin.entries {
            all.push(match origin {
                Some(origin) => self.origin(id, name, origin, distribution, layout),
                None => Origin::new(name, BROKEN),
            });
        }
        for (name, _) in &distribution.origin_group.entries {
            if distribution.origin.position(name).is_some() {
                self.error(
                    name.span,
                    format!("`{}` is an origin and an origin group", name.value),
                    "give it another name",
                );
            }
        }
        Origins { named: all.len(), all }
    }

    fn origin(
        &mut self,
        id: CloudFrontId,
        name: &Sp<String>,
        origin: &raw::Origin,
        distribution: &raw::Distribution,
        layout: &Layout,
    ) -> Origin {
        let read_timeout = origin.origin_read_timeout.as_ref().unwrap_or(&distribution.origin_read_timeout);
        let shield = origin.origin_shield.as_ref().and_then(|shield| self.shield(shield, layout));
        let caches = layout.edges.len() + layout.regionals.len();
        Origin {
            name: name.value.clone(),
            endpoint: self.endpoint(&origin.target, &TARGETS, Some(Endpoint::CloudFront(id)), "`target`"),
            rtts: origin.rtt.as_ref().map_or(Vec::new(), |rtt| vec![self.delay(rtt, "rtt"); caches]),
            connection_attempts: self.count(&origin.connection_attempts, "connection_attempts", 1, 3) as u8,
            connection_timeout: self.time(&origin.connection_timeout, "connection_timeout", 1.0, 10.0, "CloudFront"),
            read_timeout: self.time(read_timeout, "origin_read_timeout", 1.0, 120.0, "CloudFront"),
            keepalive_timeout: self.time(
                &origin.origin_keepalive_timeout,
                "origin_keepalive_timeout",
                1.0,
                120.0,
                "CloudFront",
            ),
            handshake_round_trips: self.count(&origin.handshake_round_trips, "handshake_round_trips", 0, 10) as u8,
            shield,
        }
    }

    fn shield(&mut self, shield: &raw::Shield, layout: &Layout) -> Option<Shield> {
        let names = || layout.regionals.iter().map(|regional| regional.name.as_str());
        let Some(regional) = names().position(|known| known == shield.regional.as_str()) else {
            let title = format!("regional edge cache `{}` does not exist", shield.regional.value);
            self.error(shield.regional.span, title, advice(&shield.regional, names()));
            return None;
        };
        let given = shield.rtt.as_ref().map(|rtt| vec![self.delay(rtt, "rtt"); layout.regionals.len()]);
        let by_place = || self.rtts_to_shield(layout, regional);
        let rtts = given.or_else(by_place).unwrap_or_else(|| vec![SHIELD_RTT; layout.regionals.len()]);
        Some(Shield { regional: regional as u16, rtts })
    }

    /// Which origin a behaviour has, and which other it fails over to.
    pub(super) fn target_origin(
        &mut self,
        id: CloudFrontId,
        distribution: &raw::Distribution,
        target: &Sp<String>,
        origins: &mut Origins,
    ) -> (u16, Option<Failover>) {
        if let Some(number) = distribution.origin.position(target) {
            return (number as u16, None);
        }
        if let Some(number) = distribution.origin_group.position(target) {
            let group = distribution.origin_group.entries[number].1.as_ref();
            return group.map_or((0, None), |group| self.group(distribution, group));
        }
        if !target.contains('.') {
            let names = distribution.origin.names().chain(distribution.origin_group.names());
            let label = advice(target, names);
            let error = Diagnostic::error(target.span, format!("no origin is called `{}`", target.value), label);
            self.note(error.help("or name what answers: \"alb.front\", \"station.s3\", \"ecs.web\""));
            return (0, None);
        }
        let endpoint = self.endpoint(target, &TARGETS, Some(Endpoint::CloudFront(id)), "`target_origin`");
        let known = origins.all[origins.named..].iter().position(|origin| origin.endpoint == endpoint);
        let number = known.map_or(origins.all.len(), |at| origins.named + at);
        if known.is_none() {
            let read_timeout =
                self.time(&distribution.origin_read_timeout, "origin_read_timeout", 1.0, 120.0, "CloudFront");
            origins.all.push(Origin { read_timeout, ..Origin::new(target, endpoint) });
        }
        (number as u16, None)
    }

    fn group(&mut self, distribution: &raw::Distribution, group: &raw::OriginGroup) -> (u16, Option<Failover>) {
        let [primary, secondary] =
            [&group.primary, &group.secondary].map(|name| self.named(name, &distribution.origin, "origin"));
        if primary.is_some() && primary == secondary {
            self.error(group.secondary.span, "an origin cannot stand in for itself", "name another");
        }
        let mut statuses = Vec::new();
        for status in group.failover_criteria.iter() {
            match FAILOVER_STATUSES.iter().find(|known| u32::from(**known) == status.value) {
                Some(status) => statuses.push(*status),
                None => {
                    let known = FAILOVER_STATUSES.map(|status| status.to_string());
                    let title = format!("CloudFront does not fail over for {}", status.value);
                    self.error(status.span, title, format!("one of {}", known.join(", ")));
                }
            }
        }
        let failover = secondary.map(|number| Failover { origin: number as u16, statuses });
        (primary.unwrap_or(0) as u16, failover)
    }

    pub(super) fn error_pages(&mut self, distribution: &raw::Distribution) -> Vec<ErrorPage> {
        let mut pages: Vec<ErrorPage> = Vec::new();
        for response in distribution.custom_error_responses.iter() {
            let code = &response.error_code;
            let Some(&error_code) = PAGE_STATUSES.iter().find(|known| u32::from(**known) == code.value) else {
                let known = PAGE_STATUSES.map(|status| status.to_string());
                self.error(
                    code.span,
                    format!("{} can have no page", code.value),
                    format!("one of {}", known.join(", ")),
                );
                continue;
            };
            if pages.iter().any(|page| page.error_code == error_code) {
                self.error(code.span, format!("there are two responses to {error_code}"), "one too many");
            }
            if response.response_code.is_some() != response.response_page_size.is_some() {
                let title = "`response_code` and `response_page_size` go together";
                self.error(response.span, title, "give both, or none");
            }
            let response_code = response.response_code.as_ref().map(|code| self.count(code, "response_code", 200, 599));
            let ttl = response.error_caching_min_ttl.as_ref().unwrap_or(&distribution.error_caching_min_ttl);
            pages.push(ErrorPage {
                error_code,
                response_code: response_code.unwrap_or(0) as u16,
                bytes: response.response_page_size.as_ref().map(|size| self.body(size, "response_page_size")),
                caching_min_ttl: self.time(ttl, "error_caching_min_ttl", 0.0, YEARS, ""),
            });
        }
        pages
    }

    pub(super) fn invalidations(&mut self, distribution: &raw::Distribution, run: &Run) -> Vec<Invalidation> {
        let mut invalidations = Vec::new();
        for invalidation in distribution.invalidations.iter() {
            let at = self.instant(&invalidation.at, run, "invalidation");
            if invalidation.paths.is_empty() {
                self.error(invalidation.paths.span, "this invalidates nothing", "at least one path");
            }
            for path in invalidation.paths.iter() {
                self.pattern(path);
                let inside = path.strip_suffix('*').unwrap_or(path);
                if !path.starts_with(['/', '*']) || inside.contains(['*', '?']) && !self.is_typed(path) {
                    let label = "such as \"/index.html\" or \"/images/*\"";
                    self.error(path.span, "a path begins with `/` and has `*` at its end only", label);
                }
            }
            let objects = invalidation.objects.as_ref().map(|objects| {
                let mut number = |n: &Sp<u32>| self.count(n, "the number of an object", 1, u32::MAX) - 1;
                objects.iter().map(&mut number).collect()
            });
            invalidations.push(Invalidation {
                at,
                takes: self.delay(&invalidation.takes, "takes"),
                paths: invalidation.paths.iter().map(|path| path.value.clone()).collect(),
                has_path: Vec::new(),
                objects,
            });
        }
        invalidations.sort_by_key(|invalidation| invalidation.at);
        self.invalidations_at_once(distribution, &invalidations);
        invalidations
    }

    /// Whether a path with wildcards is that of a route, which stands for the paths of its catalogue.
    fn is_typed(&self, path: &str) -> bool {
        self.doc.traffic.iter().flat_map(|source| source.routes.iter()).any(|route| route.path.as_str() == path)
    }

    fn invalidations_at_once(&mut self, distribution: &raw::Distribution, invalidations: &[Invalidation]) {
        let end = |it: &Invalidation| -> SimTime { it.at + it.takes };
        for one in invalidations {
            let under_way = || invalidations.iter().filter(|it| it.at == one.at || it.at < one.at && one.at < end(it));
            let paths: usize = under_way().map(|it| it.paths.len()).sum();
            let wildcards: usize = under_way().flat_map(|it| &it.paths).filter(|path| path.ends_with('*')).count();
            if paths > PATHS_AT_ONCE || wildcards > WILDCARDS_AT_ONCE {
                let title = format!("{paths} paths, {wildcards} of them with wildcards, would be invalidated at once");
                let label = format!("CloudFront's quotas are {PATHS_AT_ONCE} and {WILDCARDS_AT_ONCE}");
                return self.error(distribution.invalidations.span, title, label);
            }
        }
    }
}
