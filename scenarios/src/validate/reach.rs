//! Which way requests take: every route is followed, path by path, to the handlers that answer it and the parts they call.
//! Finds circles, ways that are too long, paths that nobody answers, and parts that nobody asks.

use std::collections::BTreeSet;

use models::alb::{self, Action};
use models::client::{Arrivals, Recorded};
use models::cloudfront;
use models::compute::{Handler, StepAction};
use models::dax;
use models::elasticache::{self, What};
use models::global_accelerator;
use models::ids::*;
use models::request::MAX_FRAMES;
use models::route53;
use models::station;
use models::{ec2, ecs};

use super::traffic::Sources;
use super::{BROKEN, Check};
use crate::decode::{Named, Sp};
use crate::diagnostics::Diagnostic;
use crate::raw::ecs as raw;
use crate::tree::Span;

/// A stop on the way: the part, the path asked for, how many frames the request has, the viewer's place and route.
type Stop = (Endpoint, PathId, usize, Option<PlaceId>, Option<RouteId>);
/// Longest chain of calls.
const MAX_WAY: usize = 200;
/// How many paths without a handler are told.
const MAX_UNANSWERED: usize = 20;

/// The parts that requests may come to.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub route53: &'a route53::Settings,
    pub cloudfront: &'a [Option<cloudfront::Settings>],
    pub accelerators: &'a [Option<global_accelerator::Settings>],
    pub albs: &'a [Option<alb::Settings>],
    pub ecs: &'a [Option<ecs::Settings>],
    pub ec2: &'a [Option<ec2::Settings>],
    pub stations: &'a [Option<station::Settings>],
    pub caches: &'a [Option<elasticache::Settings>],
    pub dax: &'a [Option<dax::Settings>],
}

struct Walk<'a, 'c, 'd> {
    check: &'c mut Check<'d>,
    parts: Parts<'a>,
    done: BTreeSet<Stop>,
    way: Vec<Stop>,
    /// The route that is followed, and what its clients ask; none for calls.
    client: Option<(RouteId, Endpoint)>,
    reached: BTreeSet<Endpoint>,
    handlers: BTreeSet<(Endpoint, usize)>,
    operations: BTreeSet<(Endpoint, u16)>,
    circles: BTreeSet<Vec<Endpoint>>,
    unanswered: BTreeSet<(Endpoint, PathId)>,
}

impl Check<'_> {
    pub(super) fn reach(&mut self, sources: &Sources, parts: Parts<'_>) {
        let mut walk = Walk {
            check: self,
            parts,
            done: BTreeSet::new(),
            way: Vec::new(),
            client: None,
            reached: BTreeSet::new(),
            handlers: BTreeSet::new(),
            operations: BTreeSet::new(),
            circles: BTreeSet::new(),
            unanswered: BTreeSet::new(),
        };
        for source in &sources.settings {
            let span = |route: RouteId| sources.route_spans.get(route.index()).copied().unwrap_or(Span::NOWHERE);
            let place = Some(source.place);
            if let Arrivals::Replay(records) = &source.arrivals {
                for (path, route) in walk.distinct_ways(records) {
                    walk.client = Some((source.routes[usize::from(route)].id, source.to));
                    walk.visit(source.to, path, 1, place, None, span(source.routes[usize::from(route)].id));
                }
                continue;
            }
            for route in &source.routes {
                walk.client = Some((route.id, source.to));
                walk.visit(source.to, route.path, 1, place, None, span(route.id));
            }
        }
        walk.unreached_circles();
        let (reached, handlers, operations) = (walk.reached, walk.handlers, walk.operations);
        self.unused(&reached, &handlers, &operations, sources);
    }
}

impl Walk<'_, '_, '_> {
    /// Of the many paths of a log, one for each way through the architecture.
    fn distinct_ways(&self, records: &[Recorded]) -> Vec<(PathId, u16)> {
        let paths: BTreeSet<(PathId, u16)> = records.iter().map(|record| (record.path, record.route)).collect();
        let way = |path: PathId, route: u16| -> Vec<u16> {
            let at = |of_path: &Vec<u16>| of_path.get(path.index()).copied().unwrap_or_default();
            let behaviors = self.parts.cloudfront.iter().flatten().map(|it| at(&it.behavior_of_path));
            let rules = self.parts.albs.iter().flatten().map(|it| at(&it.way_of_path));
            let services = self.parts.ecs.iter().flatten().map(|it| at(&it.handler_of_path));
            let groups = self.parts.ec2.iter().flatten().map(|it| at(&it.handler_of_path));
            behaviors.chain(rules).chain(services).chain(groups).chain([route]).collect()
        };
        let mut seen = BTreeSet::new();
        paths.into_iter().filter(|&(path, route)| seen.insert(way(path, route))).collect()
    }

    /// Follows a request to `to`; `why` is the route or call that makes it.
    fn visit(
        &mut self,
        to: Endpoint,
        path: PathId,
        frames: usize,
        place: Option<PlaceId>,
        from: Option<Endpoint>,
        why: Span,
    ) {
        if to == BROKEN {
            return;
        }
        let stop = (to, path, frames, place, self.client.map(|(route, _)| route));
        if self.way.iter().any(|(endpoint, asked, ..)| (*endpoint, *asked) == (to, path)) {
            return self.circle(to, path, from);
        }
        if frames > MAX_FRAMES || self.way.len() > MAX_WAY {
            let name = self.check.name_of(to);
            let title = format!("the way to `{name}` is too long");
            let help = format!("a request passes at most {} parts on its way; calls begin a new way", MAX_FRAMES - 1);
            self.check.note(Diagnostic::error(self.check.reference(from, to), title, "one too many").help(help));
            return;
        }
        self.reached.insert(to);
        if !self.done.insert(stop) {
            return;
        }
        self.way.push(stop);
        match to {
            Endpoint::Record(id) => self.record(id, path, frames, place, why),
            Endpoint::CloudFront(id) => self.distribution(id, path, frames, place, why),
            Endpoint::GlobalAccelerator(id) => self.accelerator(id, path, frames, place, why),
            Endpoint::Alb(id) => self.alb(id, path, frames, place, why),
            Endpoint::Ecs(_) | Endpoint::Ec2(_) => self.service(to, path, why),
            Endpoint::Station(id) => self.station(id, path, frames, place, why),
            Endpoint::Aurora(_) | Endpoint::DynamoDb(_) | Endpoint::ElastiCache(_) | Endpoint::Dax(_) => {}
        }
        self.way.pop();
    }

    fn record(&mut self, id: RecordId, path: PathId, frames: usize, place: Option<PlaceId>, why: Span) {
        let answers: Vec<Endpoint> = self.parts.route53.targets(id).collect();
        for answer in answers {
            self.visit(answer, path, frames, place, Some(Endpoint::Record(id)), why);
        }
    }

    fn distribution(&mut self, id: CloudFrontId, path: PathId, frames: usize, place: Option<PlaceId>, why: Span) {
        let Some(Some(distribution)) = self.parts.cloudfront.get(id.index()) else { return };
        if let Some(place) = place
            && distribution.edge_of_place.get(place.index()).is_none_or(|edge| *edge == u16::MAX)
        {
            let name = self.check.places.get_index(place.index()).cloned().unwrap_or_default();
            let span =
                self.check.doc.traffic.iter().find(|traffic| *traffic.from == name).map(|traffic| traffic.from.span);
            let title = format!("cloudfront.{} has no edge location for viewers in `{name}`", distribution.name);
            let error = Diagnostic::error(span.unwrap_or(Span::NOWHERE), title, "no edge has this place");
            self.check
                .note(error.help("add { place = \"...\" } to its edges, or leave `edges` out: one for each place"));
        }
        let behavior = distribution.behavior_of_path.get(path.index()).copied().unwrap_or_default();
        let Some(behavior) = distribution.behaviors.get(usize::from(behavior)) else { return };
        // Edge, regional cache and Origin Shield hold the request.
        let origins = [Some(behavior.origin), behavior.failover.as_ref().map(|failover| failover.origin)];
        let held = |origin: &models::cloudfront::Origin| if origin.shield.is_some() { 3 } else { 2 };
        let Some(held) = distribution.origins.get(usize::from(behavior.origin)).map(held) else { return };
        for origin in origins.into_iter().flatten() {
            let Some(origin) = distribution.origins.get(usize::from(origin)) else { continue };
            self.visit(origin.endpoint, path, frames + held, place, Some(Endpoint::CloudFront(id)), why);
        }
    }

    fn accelerator(&mut self, id: GlobalAcceleratorId, path: PathId, frames: usize, place: Option<PlaceId>, why: Span) {
        let Some(Some(accelerator)) = self.parts.accelerators.get(id.index()) else { return };
        for endpoint in accelerator.groups.iter().flat_map(|group| &group.endpoints) {
            let from = Some(Endpoint::GlobalAccelerator(id));
            self.visit(endpoint.endpoint, path, frames + 1, place, from, why);
        }
    }

    fn alb(&mut self, id: AlbId, path: PathId, frames: usize, place: Option<PlaceId>, why: Span) {
        let Some(Some(alb)) = self.parts.albs.get(id.index()) else { return };
        let way = alb.way_of_path.get(path.index()).copied().unwrap_or_default();
        let Some(way) = alb.ways.get(usize::from(way)) else { return };
        for &rule in way {
            let rule = &alb.rules[usize::from(rule)];
            let fits =
                |routes: &Vec<bool>| self.client.is_some_and(|(route, _)| routes.get(route.index()) == Some(&true));
            let conditions = &rule.conditions;
            if !conditions.routes.as_ref().is_none_or(fits) {
                continue;
            }
            match &rule.action {
                Action::Forward(forward) => {
                    for (group, _) in &forward.groups {
                        let Some(group) = alb.target_groups.get(group.index()) else { continue };
                        let to = Check::target_endpoint(group.targets);
                        self.visit(to, path, frames + 1, place, Some(Endpoint::Alb(id)), why);
                    }
                }
                Action::Redirect { path, .. } => self.redirect(id, *path, frames, place, why),
                Action::FixedResponse(_) => {}
            }
            if conditions.methods.is_empty() && conditions.sources.is_empty() {
                return;
            }
        }
    }

    /// A client follows a redirect on the way it came. Nobody else does.
    fn redirect(&mut self, id: AlbId, path: PathId, frames: usize, place: Option<PlaceId>, why: Span) {
        match self.client {
            Some((_, entry)) if frames == 1 => self.visit(entry, path, 1, place, None, why),
            _ => {
                let name = self.check.name_of(Endpoint::Alb(id));
                let title = format!("`{name}` redirects requests that come from no client straight");
                let label = "redirects of calls and behind a distribution are not modelled yet";
                self.check.error(why, title, label);
            }
        }
    }

    /// Stations that requests go on to: going in circles among them is what queueing networks do. A station with a cache holds
    /// the request while its origin works.
    fn station(&mut self, id: StationId, path: PathId, frames: usize, place: Option<PlaceId>, why: Span) {
        let mut there = vec![id];
        let mut next = 0;
        while let Some(id) = there.get(next).copied() {
            next += 1;
            let Some(Some(station)) = self.parts.stations.get(id.index()) else { continue };
            self.reached.insert(Endpoint::Station(id));
            let new: Vec<StationId> = station.then.iter().map(|(to, _)| *to).filter(|to| !there.contains(to)).collect();
            there.extend(new);
            if let Some(cache) = &station.cache {
                self.visit(Endpoint::Station(cache.origin), path, frames + 1, place, Some(Endpoint::Station(id)), why);
            }
        }
    }

    /// Handlers of a service or group, and which of them each path has.
    fn handlers_of(&self, to: Endpoint) -> Option<(&[Handler], &[u16])> {
        match to {
            Endpoint::Ecs(id) => self
                .parts
                .ecs
                .get(id.index())?
                .as_ref()
                .map(|it| (it.handlers.as_slice(), it.handler_of_path.as_slice())),
            Endpoint::Ec2(id) => self
                .parts
                .ec2
                .get(id.index())?
                .as_ref()
                .map(|it| (it.handlers.as_slice(), it.handler_of_path.as_slice())),
            _ => None,
        }
    }

    fn service(&mut self, id: Endpoint, path: PathId, why: Span) {
        let Some((handlers, of_path)) = self.handlers_of(id) else { return };
        let number = of_path.get(path.index()).copied().unwrap_or(u16::MAX);
        let patterns: Vec<&str> = handlers.iter().map(|handler| handler.path_pattern.as_str()).collect();
        let Some(handler) = handlers.get(usize::from(number)).cloned() else {
            let help = format!("its handlers have {}", crate::nearest::list(&patterns));
            if self.unanswered.insert((id, path)) && self.unanswered.len() <= MAX_UNANSWERED {
                let path = self.check.paths.get_index(path.index()).cloned().unwrap_or_default();
                let title = format!("no handler of {} has the path `{path}`", self.check.name_of(id));
                let error = Diagnostic::error(why, title, "would always be answered 404");
                self.check.note(error.help(help));
            }
            return;
        };
        if !self.handlers.insert((id, usize::from(number))) && self.way.len() > MAX_WAY {
            return;
        }
        // What a task calls is asked for by no client.
        let client = self.client.take();
        for step in &handler.steps {
            let StepAction::Calls(calls) = &step.action else { continue };
            for call in calls {
                self.operations.insert((call.to, call.operation));
                let from = Some(id);
                let why = self.check.reference(from, call.to);
                self.visit(call.to, call.path, 1, None, from, why);
                let (mut asked, mut frames) = ((call.to, call.operation), 1);
                while let Some(store) = self.store_behind(asked) {
                    frames += 1;
                    self.operations.insert(store);
                    let why = self.check.reference(from, store.0);
                    self.visit(store.0, call.path, frames, None, from, why);
                    asked = store;
                }
            }
        }
        self.client = client;
    }

    /// Who is asked, and what, where a call comes to a cache first.
    fn store_behind(&self, (to, number): (Endpoint, u16)) -> Option<(Endpoint, u16)> {
        match to {
            Endpoint::Dax(id) => Some((Endpoint::DynamoDb(self.parts.dax.get(id.index())?.as_ref()?.table), number)),
            Endpoint::ElastiCache(id) => {
                match self.parts.caches.get(id.index())?.as_ref()?.uses.get(usize::from(number))?.what {
                    What::LookAside { store, operation, .. } => Some((store, operation)),
                    What::Command(_) => None,
                }
            }
            _ => None,
        }
    }

    fn circle(&mut self, to: Endpoint, path: PathId, from: Option<Endpoint>) {
        let start = self.way.iter().position(|(endpoint, asked, ..)| (*endpoint, *asked) == (to, path)).unwrap_or(0);
        let mut stops: Vec<Endpoint> = self.way[start..].iter().map(|(endpoint, ..)| *endpoint).collect();
        stops.push(to);
        let mut key = stops.clone();
        key.sort();
        key.dedup();
        if self.circles.insert(key) {
            let names: Vec<String> = stops.iter().map(|endpoint| self.check.name_of(*endpoint)).collect();
            let title = format!("requests go in a circle: {}", names.join(" -> "));
            let span = self.check.reference(from, to);
            self.check.note(Diagnostic::error(span, title, "closes the circle"));
        }
    }

    /// Circles among parts that no traffic reaches are mistakes too.
    fn unreached_circles(&mut self) {
        let services = (0..self.parts.ecs.len()).map(|n| Endpoint::Ecs(EcsId(n as u16)));
        let groups = (0..self.parts.ec2.len()).map(|n| Endpoint::Ec2(Ec2Id(n as u16)));
        for id in services.chain(groups).collect::<Vec<_>>() {
            let Some((handlers, of_path)) = self.handlers_of(id) else { continue };
            let first_path = |handler: usize| of_path.iter().position(|of| usize::from(*of) == handler);
            let paths: Vec<Option<usize>> = (0..handlers.len()).map(first_path).collect();
            for (handler, path) in paths.into_iter().enumerate() {
                let (Some(path), false) = (path, self.handlers.contains(&(id, handler))) else { continue };
                let (reached, handlers, operations) =
                    (self.reached.clone(), self.handlers.clone(), self.operations.clone());
                self.client = None;
                self.visit(id, PathId(path as u32), 1, None, None, Span::NOWHERE);
                (self.reached, self.handlers, self.operations) = (reached, handlers, operations);
            }
        }
    }
}

impl Check<'_> {
    /// Warns of parts that nothing in the scenario uses.
    fn unused(
        &mut self,
        reached: &BTreeSet<Endpoint>,
        handlers: &BTreeSet<(Endpoint, usize)>,
        operations: &BTreeSet<(Endpoint, u16)>,
        sources: &Sources,
    ) {
        let doc = self.doc;
        let probed: BTreeSet<Endpoint> =
            self.references.keys().filter(|(from, _)| from.is_none()).map(|(_, to)| *to).collect();
        let mut parts: Vec<(Endpoint, Span)> = Vec::new();
        parts.extend(spans(&doc.route53).map(|(n, span)| (Endpoint::Record(RecordId(n)), span)));
        parts.extend(spans(&doc.cloudfront).map(|(n, span)| (Endpoint::CloudFront(CloudFrontId(n)), span)));
        parts.extend(
            spans(&doc.global_accelerator).map(|(n, span)| (Endpoint::GlobalAccelerator(GlobalAcceleratorId(n)), span)),
        );
        parts.extend(spans(&doc.alb).map(|(n, span)| (Endpoint::Alb(AlbId(n)), span)));
        let first = doc.alb.len() as u16;
        parts.extend(spans(&doc.nlb).map(|(n, span)| (Endpoint::Alb(AlbId(first + n)), span)));
        parts.extend(spans(&doc.ecs).map(|(n, span)| (Endpoint::Ecs(EcsId(n)), span)));
        let databases = spans(&doc.aurora).chain(spans(&doc.rds)).map(|(_, span)| span);
        parts.extend(databases.enumerate().map(|(n, span)| (Endpoint::Aurora(AuroraId(n as u16)), span)));
        parts.extend(spans(&doc.ec2).map(|(n, span)| (Endpoint::Ec2(Ec2Id(n)), span)));
        parts.extend(spans(&doc.dynamodb).map(|(n, span)| (Endpoint::DynamoDb(DynamoDbId(n)), span)));
        parts.extend(spans(&doc.dax).map(|(n, span)| (Endpoint::Dax(DaxId(n)), span)));
        parts.extend(spans(&doc.elasticache).map(|(n, span)| (Endpoint::ElastiCache(ElastiCacheId(n)), span)));
        parts.extend(spans(&doc.station).map(|(n, span)| (Endpoint::Station(StationId(n)), span)));
        for (part, span) in parts.into_iter().filter(|(part, _)| !reached.contains(part) && !probed.contains(part)) {
            let name = self.name_of(part);
            self.warnings.push((span, format!("no traffic reaches `{name}`")));
        }
        let patterns = |handlers: &[raw::Handler]| -> Vec<(String, Span)> {
            handlers.iter().map(|handler| (handler.path.value.clone(), handler.path.span)).collect()
        };
        let services = doc.ecs.iter().map(|(n, _, it)| (Endpoint::Ecs(EcsId(n as u16)), patterns(&it.handler)));
        let groups = doc.ec2.iter().map(|(n, _, it)| (Endpoint::Ec2(Ec2Id(n as u16)), patterns(&it.handler)));
        for (id, patterns) in services.chain(groups).collect::<Vec<_>>() {
            for (h, (pattern, span)) in patterns.into_iter().enumerate() {
                if reached.contains(&id) && !handlers.contains(&(id, h)) {
                    let name = self.name_of(id);
                    self.warnings.push((span, format!("no traffic reaches the handler `{pattern}` of `{name}`")));
                }
            }
        }
        let unused_names = |part: Endpoint, names: Vec<(&Sp<String>, u16)>, what: &str, check: &mut Self| {
            for (name, _) in names.iter().filter(|(_, n)| reached.contains(&part) && !operations.contains(&(part, *n)))
            {
                let text = format!("nothing calls {what} `{}` of `{}`", name.value, check.name_of(part));
                check.warnings.push((name.span, text));
            }
        };
        for n in 0..doc.aurora.len() + doc.rds.len() {
            if let Some(statements) = doc.statements_of(n) {
                unused_names(Endpoint::Aurora(AuroraId(n as u16)), numbered(statements, 0), "statement", self);
            }
        }
        for (n, _, table) in doc.dynamodb.iter() {
            unused_names(Endpoint::DynamoDb(DynamoDbId(n as u16)), numbered(&table.operations, 0), "operation", self);
        }
        for (n, _, station) in doc.station.iter() {
            unused_names(Endpoint::Station(StationId(n as u16)), numbered(&station.classes, 1), "class", self);
        }
        let versions = || {
            let records = doc.route53.iter().map(|(_, _, record)| record);
            records.chain(doc.change.iter().map(|change| &change.upsert))
        };
        let answers = || versions().flat_map(|record| record.records.iter().flat_map(|all| all.iter()));
        let children = || {
            let listed = doc.health_check.iter().filter_map(|(_, _, check)| check.child_health_checks.as_ref());
            listed.flat_map(|children| children.iter())
        };
        for (name, _) in &doc.health_check.entries {
            let of_answer = answers().filter_map(|answer| answer.health_check.as_ref());
            if !of_answer.chain(children()).any(|check| *check.value == name.value) {
                self.warnings.push((name.span, format!("no record depends on the health check `{}`", name.value)));
            }
        }
        let routes = || sources.settings.iter().flat_map(|source| &source.routes);
        for (n, (name, _)) in doc.catalog.entries.iter().enumerate() {
            if !routes().any(|route| route.catalog.is_some_and(|id| id.index() == n)) {
                self.warnings.push((name.span, format!("no route asks for the catalogue `{}`", name.value)));
            }
        }
    }
}

fn spans<T>(parts: &Named<T>) -> impl Iterator<Item = (u16, Span)> {
    parts.entries.iter().enumerate().map(|(n, (name, _))| (n as u16, name.span))
}

fn numbered<T>(parts: &Named<T>, first: u16) -> Vec<(&Sp<String>, u16)> {
    parts.entries.iter().zip(first..).map(|((name, _), n)| (name, n)).collect()
}
