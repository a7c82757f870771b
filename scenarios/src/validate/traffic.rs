//! Sources of traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use models::architecture::Run;
use models::client::{Arrivals, Batch, Phase, Process, RateProfile, Recorded, Retry, Route, Settings};
use models::ids::*;
use models::request::Method;
use sim_core::{SimDuration, SimTime};

use super::{Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::list;
use crate::pattern;
use crate::raw::traffic as raw;
use crate::replay;
use crate::tree::Span;
use crate::units::{Rate, Time};

/// Clients of open traffic where nothing is said; also stands in the language's declaration.
pub(crate) const DEFAULT_CLIENTS: u32 = 1000;
/// Most clients or users of one source.
const MAX_CLIENTS: u32 = 10_000_000;
/// Most operations a second of one source.
const MAX_RATE: f64 = 1e7;
/// Most operations that come at once, on average where that is random.
const MAX_BATCH: u32 = 10_000;
/// Most changes of a rate that repeats.
const MAX_POINTS: u64 = 100_000;
/// Most variants of query strings, and of cookies.
const MAX_VARIANTS: u64 = 1_000_000_000;
/// Most operations of a run.
const MAX_OPERATIONS: f64 = 1e11;
/// What clients can ask.
const ASKED: [Section; 7] = [
    Section::Record,
    Section::CloudFront,
    Section::GlobalAccelerator,
    Section::Alb,
    Section::Nlb,
    Section::Ecs,
    Section::Station,
];
/// Most sources of traffic, and most routes of all.
const MAX_ROUTES: usize = 10_000;
/// Most distinct paths of all replayed logs.
const MAX_PATHS: usize = 5_000_000;

/// Sources of traffic with the names of their routes.
#[derive(Default)]
pub(crate) struct Sources {
    pub settings: Vec<Settings>,
    /// By [`RouteId`].
    pub route_names: Vec<String>,
    /// Where each route's path stands, by [`RouteId`].
    pub route_spans: Vec<Span>,
}

impl Check<'_> {
    pub(super) fn traffic_sources(&mut self, run: &Run) -> Sources {
        let doc = self.doc;
        let mut sources = Sources::default();
        if doc.traffic.is_empty() {
            let title = "there is no traffic";
            self.error(doc.traffic.span, title, "at least one [[traffic]] is needed");
        }
        self.distinct(doc.traffic.iter().map(|traffic| &traffic.name), "sources of traffic");
        let routes: usize = doc.traffic.iter().map(|traffic| traffic.routes.len()).sum();
        if routes.max(doc.traffic.len()) > MAX_ROUTES {
            self.error(doc.traffic.span, "too many routes", format!("at most {MAX_ROUTES} of all sources"));
            return sources;
        }
        for traffic in doc.traffic.iter() {
            self.plain_name(&traffic.name);
            let settings = self.traffic(traffic, run, &mut sources);
            sources.settings.push(settings);
        }
        self.canaries(&mut sources, run);
        self.bound_operations(&sources, run);
        sources
    }

    fn traffic(&mut self, traffic: &raw::Traffic, run: &Run, sources: &mut Sources) -> Settings {
        self.label(&traffic.from);
        let place = PlaceId(self.places.insert_full(traffic.from.value.clone()).0 as u16);
        let to = self.endpoint(&traffic.to, &ASKED, None, "`to`");
        let (arrivals, clients) = self.arrivals(traffic, run);
        let timeout = traffic.timeout.as_ref().map(|timeout| {
            if timeout.0.is_zero() {
                self.error(
                    timeout.span,
                    "a timeout of nothing fails every request",
                    "more than \"0s\", or leave it out",
                );
            }
            timeout.0
        });
        Settings {
            name: traffic.name.value.clone(),
            place,
            to,
            rtt: traffic.rtt.as_ref().map_or(SimDuration::ZERO, |rtt| self.delay(rtt, "rtt")),
            rtt_to: Vec::new(),
            arrivals,
            routes: self.routes(traffic, sources),
            clients,
            addresses: traffic.source_ip.as_ref().and_then(|block| self.block(block)),
            http_share: self.share(&traffic.http_share, "http_share"),
            dns_cache: self.dns_cache(traffic.dns_cache.as_ref()),
            timeout,
            retry: self.retry(&traffic.retry, clients),
            connections: traffic.connections.as_ref().map(|connections| self.connections(connections)),
            hedge_after: traffic.hedge_after.as_ref().map(|after| self.time(after, "hedge_after", 1e-6, 86_400.0, "")),
            circuit_breaker: traffic.circuit_breaker.as_ref().map(|breaker| self.circuit_breaker(breaker, clients)),
            canary: None,
        }
    }

    /// Canaries are sources of traffic of their own, behind those of users.
    fn canaries(&mut self, sources: &mut Sources, run: &Run) {
        let doc = self.doc;
        self.part_names(&doc.canary, "canary");
        let users = sources.route_names.len();
        for (n, name, canary) in doc.canary.iter() {
            self.label(&canary.from);
            let interval = self.time(&canary.interval, "interval", 1.0, 86_400.0, "");
            if interval.as_secs_f64() > run.duration.as_secs_f64() {
                self.error(canary.interval.span, "this canary never asks", "the run is over before");
            }
            let route = Route {
                id: RouteId((users + n) as u16),
                path: self.typed_path(&canary.path),
                weight: 1.0,
                method: Method::Get,
                catalog: None,
                upload_bytes: 0,
                query_strings: 1,
                cookies: 1,
                headers: 1,
            };
            sources.route_spans.push(canary.path.span);
            sources.settings.push(Settings {
                name: format!("canary.{}", name.value),
                place: PlaceId(self.places.insert_full(canary.from.value.clone()).0 as u16),
                to: self.endpoint(&canary.to, &ASKED, None, "`to`"),
                rtt: canary.rtt.as_ref().map_or(SimDuration::ZERO, |rtt| self.delay(rtt, "rtt")),
                rtt_to: Vec::new(),
                arrivals: Arrivals::Open {
                    process: Process::Deterministic,
                    rate: RateProfile { points: vec![(SimTime::ZERO, 1.0 / interval.as_secs_f64())] },
                    batch: Batch::Single,
                },
                routes: vec![route],
                clients: 1,
                addresses: None,
                http_share: 0.0,
                dns_cache: self.dns_cache(None),
                timeout: Some(self.time(&canary.timeout, "timeout", 0.001, 3600.0, "")),
                retry: Retry::NEVER,
                connections: None,
                hedge_after: None,
                circuit_breaker: None,
                canary: Some(CanaryId(n as u16)),
            });
        }
    }

    fn arrivals(&mut self, traffic: &raw::Traffic, run: &Run) -> (Arrivals, u32) {
        let given: Vec<(&str, Span)> = [
            ("rate", traffic.rate.as_ref().map(|rate| rate.span)),
            ("users", traffic.users.as_ref().map(|users| users.span)),
            ("replay", traffic.replay.as_ref().map(|replay| replay.span)),
        ]
        .into_iter()
        .filter_map(|(name, span)| Some((name, span?)))
        .collect();
        match given.as_slice() {
            [] => {
                let title = "this traffic has neither `rate` nor `users` nor `replay`";
                self.error(traffic.span, title, "exactly one of them is needed");
            }
            [_] => {}
            [(first, span), (second, other), ..] => {
                let title = format!("traffic has either `{first}` or `{second}`, not both");
                let error = Diagnostic::error(*other, title, "one too many").also(*span, "already given here");
                self.note(error);
            }
        }
        if let (Some(think), None) = (&traffic.think_time, &traffic.users) {
            self.error(think.span, "only users think", "give `users` instead of a rate, or remove it");
        }
        if let (Some(clients), None) = (&traffic.clients, &traffic.rate) {
            let label = "closed traffic has its users, a replay the addresses of its log";
            self.error(clients.span, "only open traffic has `clients`", label);
        }
        let clients = traffic.clients.as_ref().map_or(DEFAULT_CLIENTS, |n| self.count(n, "clients", 1, MAX_CLIENTS));
        let process = self.process(&traffic.arrivals);
        let batch = self.batch(&traffic.batch);
        if batch != Batch::Single && traffic.rate.is_none() {
            self.error(traffic.batch.span, "only open traffic comes in batches", "give a `rate`, or remove it");
        }
        if let Some(users) = &traffic.users {
            return self.closed(traffic, users, run);
        }
        if traffic.replay.is_some() {
            // Filled in once the log has been read.
            return (Arrivals::Replay(Arc::from([])), 1);
        }
        let points = traffic.rate.as_ref().map_or_else(|| vec![(SimTime::ZERO, 0.0)], |rate| self.rate(rate, run));
        (Arrivals::Open { process, rate: RateProfile { points }, batch }, clients)
    }

    fn process(&mut self, arrivals: &Sp<raw::ArrivalsSetting>) -> Process {
        let phases = match &arrivals.value {
            raw::ArrivalsSetting::Plain(raw::Process::Poisson) => return Process::Poisson,
            raw::ArrivalsSetting::Plain(raw::Process::Deterministic) => return Process::Deterministic,
            raw::ArrivalsSetting::Modulated(modulated) => &modulated.mmpp,
        };
        if phases.is_empty() {
            self.error(phases.span, "there is no phase", "at least one, such as { factor = 1, lasts = \"1m\" }");
            return Process::Poisson;
        }
        let mut read: Vec<Phase> = Vec::new();
        for phase in phases.iter() {
            let factor = self.number(&phase.factor, "factor", 0.0, 1e9);
            read.push(Phase { factor, lasts: self.time(&phase.lasts, "lasts", 0.001, 1e7, "") });
        }
        let time: f64 = read.iter().map(|phase| phase.lasts.as_secs_f64()).sum();
        let mean = read.iter().map(|phase| phase.factor * phase.lasts.as_secs_f64()).sum::<f64>() / time;
        if mean <= 0.0 {
            self.error(phases.span, "no phase has any arrivals", "at least one factor above 0");
            return Process::Poisson;
        }
        read.iter_mut().for_each(|phase| phase.factor /= mean);
        Process::Modulated(read)
    }

    fn batch(&mut self, batch: &Sp<raw::BatchSetting>) -> Batch {
        match &batch.value {
            raw::BatchSetting::Fixed(1) => Batch::Single,
            raw::BatchSetting::Fixed(size) => {
                let size = Sp { value: *size, span: batch.span };
                Batch::Fixed(self.count(&size, "batch", 1, MAX_BATCH))
            }
            raw::BatchSetting::Random(random) => {
                Batch::Geometric(self.number(&random.geometric, "geometric", 1.0, f64::from(MAX_BATCH)))
            }
        }
    }

    fn closed(&mut self, traffic: &raw::Traffic, users: &Sp<u32>, run: &Run) -> (Arrivals, u32) {
        let n = self.count(users, "users", 1, MAX_CLIENTS);
        let Some(think) = &traffic.think_time else {
            let title = "users need a think_time";
            self.error(users.span, title, "add think_time = { exponential = \"5s\" }");
            let think_time = sim_core::distribution::Distribution::Constant(1.0);
            return (Arrivals::Closed { users: n, think_time }, n);
        };
        let mean = think.0.mean();
        let seconds = if run.duration == SimDuration::MAX { 1.0 } else { run.duration.as_secs_f64() };
        if mean <= 0.0 {
            let error = Diagnostic::error(think.span, "users must think for some time", "such as \"1ms\"");
            self.note(error.help("where an answer takes no time either, they would ask without end in one instant"));
        } else if f64::from(n) * seconds / mean > MAX_OPERATIONS {
            let error =
                Diagnostic::error(think.span, "these users could ask too often", "think longer, or fewer users");
            self.note(error.help(format!("at most {MAX_OPERATIONS:.0e} operations a run")));
        }
        (Arrivals::Closed { users: n, think_time: think.0.clone() }, n)
    }

    fn checked_rate(&mut self, rate: &Rate, span: Span) -> f64 {
        if rate.0 > MAX_RATE {
            self.error(span, "this rate is too high", format!("at most \"{MAX_RATE:.0e}/s\""));
        }
        rate.0.min(MAX_RATE)
    }

    fn rate(&mut self, rate: &Sp<raw::RateSetting>, run: &Run) -> Vec<(SimTime, f64)> {
        let profile = match &rate.value {
            raw::RateSetting::Fixed(fixed) => return vec![(SimTime::ZERO, self.checked_rate(fixed, rate.span))],
            raw::RateSetting::Profile(profile) => profile,
        };
        let mut now = self.checked_rate(&profile.base, profile.base.span);
        let mut points = vec![(SimTime::ZERO, now)];
        let ramp = profile.ramp.0;
        for pair in &profile.at {
            let (at, to) = (SimTime::ZERO + pair.0.value.0, self.checked_rate(&pair.1, pair.1.span));
            let last = points.last().map_or(SimTime::ZERO, |(at, _)| *at);
            if at < last {
                let title = "the rate changes again before the change before is over";
                let label = format!("not before {}", super::bounds::show(last.as_secs_f64()));
                self.error(pair.0.span, title, label);
            }
            if at >= run.horizon() {
                self.error(pair.0.span, "the rate changes after the end of the run", "never happens");
            }
            points.push((at, now));
            points.push((at + ramp, to));
            now = to;
        }
        match &profile.repeat {
            Some(repeat) => self.repeated(points, repeat, ramp, run),
            None => points,
        }
    }

    /// The points of a profile again and again until the end of the run.
    fn repeated(
        &mut self,
        once: Vec<(SimTime, f64)>,
        repeat: &Sp<Time>,
        ramp: SimDuration,
        run: &Run,
    ) -> Vec<(SimTime, f64)> {
        let (period, base) = (repeat.0, once[0].1);
        let (last, rate) = once[once.len() - 1];
        let back = if rate == base { SimDuration::ZERO } else { ramp };
        let first = once.get(1).map_or(SimTime::MAX, |(at, _)| *at);
        if period.is_zero() || SimTime::ZERO + period < last || SimTime::ZERO + back > first {
            let label = format!("at least {}", super::bounds::show(last.as_secs_f64().max(0.001)));
            let error = Diagnostic::error(repeat.span, "the rate repeats before its changes are over", label);
            self.note(
                error.help("the change back to `base` takes as long as the others, and comes before the first of `at`"),
            );
            return once;
        }
        if run.duration == SimDuration::MAX {
            return once;
        }
        let times = run.duration.as_nanos().div_ceil(period.as_nanos());
        if times.saturating_mul(once.len() as u64 + 1) > MAX_POINTS {
            self.error(repeat.span, "the rate repeats too often", format!("at most {MAX_POINTS} changes a run"));
            return once;
        }
        let mut points = once.clone();
        for cycle in 1..times {
            let start = SimTime::ZERO + period.times(cycle);
            points.push((start, rate));
            points.push((start + back, base));
            points.extend(once[1..].iter().map(|(at, rate)| (start + at.since(SimTime::ZERO), *rate)));
        }
        points
    }

    fn bound_operations(&mut self, sources: &Sources, run: &Run) {
        if run.duration == SimDuration::MAX {
            return;
        }
        let expected: f64 = sources.settings.iter().map(|settings| expected_operations(&settings.arrivals, run)).sum();
        if expected > MAX_OPERATIONS {
            let title = format!("about {expected:.1e} operations are too many");
            let span = self.doc.run.duration.as_ref().map_or(self.doc.run.span, |duration| duration.span);
            self.error(span, title, format!("at most {MAX_OPERATIONS:.0e} a run: lower the rate or the duration"));
        }
    }

    fn routes(&mut self, traffic: &raw::Traffic, sources: &mut Sources) -> Vec<Route> {
        if traffic.routes.is_empty() {
            self.error(traffic.routes.span, "there is no route", "at least one, such as { path = \"/\" }");
        }
        let total: f64 = traffic.routes.iter().map(|route| route.weight.value).sum();
        let weighted = total > 0.0 && total.is_finite();
        if !traffic.routes.is_empty() && !weighted {
            self.error(traffic.routes.span, "the weights of these routes sum up to nothing", "at least one above 0");
        }
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for route in traffic.routes.iter() {
            *times.entry(&route.path).or_default() += 1;
        }
        let mut seen = BTreeSet::new();
        let mut routes = Vec::new();
        for route in traffic.routes.iter() {
            let method = if times[route.path.as_str()] > 1 {
                format!("{} ", method_name(route.method.value))
            } else {
                String::new()
            };
            if let Some(name) = &route.name {
                self.label(name);
            }
            let of_route =
                route.name.as_ref().map_or_else(|| format!("{method}{}", route.path.value), |it| it.value.clone());
            let name = format!("{} {of_route}", traffic.name.value);
            if !seen.insert(name.clone()) {
                let title = format!("there are two routes `{name}`");
                self.error(route.path.span, title, "give the routes different paths, methods or names");
            }
            let id = RouteId(sources.route_names.len() as u16);
            sources.route_names.push(name);
            sources.route_spans.push(route.path.span);
            let built = self.route(route, id, traffic.replay.is_some());
            routes.push(built);
        }
        routes
    }

    fn route(&mut self, route: &raw::Route, id: RouteId, replayed: bool) -> Route {
        let path = if replayed {
            self.pattern(&route.path);
            self.path(&route.path)
        } else {
            self.typed_path(&route.path)
        };
        let catalog = route.catalog.as_ref().and_then(|name| {
            if replayed {
                self.error(name.span, "a replay takes no catalogue", "sizes and paths come from the log");
            }
            self.named(name, &self.doc.catalog, "catalogue")
        });
        if route.path.contains(['*', '?']) && route.catalog.is_none() && !replayed {
            let title = "a route with wildcards needs a catalogue";
            let error = Diagnostic::error(route.path.span, title, "whose paths does it stand for?");
            self.note(error.help("add catalog = \"NAME\" and a section [catalog.NAME]"));
        }
        let query_strings = self.kinds(&route.query_strings, "query_strings", MAX_VARIANTS)
            * u64::from(self.count(&route.query_string_orders, "query_string_orders", 1, 1000))
            * u64::from(self.count(&route.query_string_cases, "query_string_cases", 1, 1000));
        let cookies = self.kinds(&route.cookies, "cookies", MAX_VARIANTS);
        let headers = self.kinds(&route.headers, "headers", u16::MAX.into());
        if query_strings.saturating_mul(cookies).saturating_mul(headers) > u32::MAX.into() {
            let title = "too many variants: query_strings x cookies x headers";
            self.error(route.query_strings.span, title, format!("their product is at most {}", u32::MAX));
        }
        let [query_strings, cookies, headers] =
            [query_strings, cookies, headers].map(|n| u32::try_from(n).unwrap_or(1));
        Route {
            id,
            path,
            weight: self.number(&route.weight, "weight", 0.0, 1e9),
            method: method(route.method.value),
            catalog: catalog.map(|n| CatalogId(n as u16)),
            upload_bytes: self.body(&route.upload_size, "upload_size"),
            query_strings,
            cookies,
            headers,
        }
    }

    /// How many variants there are in all.
    fn kinds(&mut self, variants: &Sp<raw::Variants>, what: &str, most: u64) -> u64 {
        let count = match &variants.value {
            raw::Variants::Count(count) => u64::from(*count),
            raw::Variants::Named(parts) => {
                let mut product = 1u64;
                for (_, _, values) in parts.iter() {
                    product = product.saturating_mul(self.count(values, what, 1, u32::MAX).into());
                }
                product
            }
        };
        self.count(&Sp { value: count, span: variants.span }, what, 1, most)
    }

    /// Reads the logs of replayed traffic, and sets the run's length by them if it has none.
    pub(super) fn replays(&mut self, sources: &mut Sources, run: &mut Run, base_dir: Option<&Path>) {
        let doc = self.doc;
        let mut last = SimTime::ZERO;
        for (traffic, settings) in doc.traffic.iter().zip(&mut sources.settings) {
            if let Some(replay) = &traffic.replay {
                self.replay(traffic, replay, settings, run, base_dir);
                if let Arrivals::Replay(records) = &settings.arrivals {
                    last = last.max(records.last().map_or(SimTime::ZERO, |record| record.at));
                }
            }
        }
        if doc.run.duration.is_none() {
            let second = SimDuration::from_secs(1);
            run.duration = last.floor_to(second).since(SimTime::ZERO) + second;
            if run.warm_up >= run.duration {
                let label = format!("the replay is over after {}", super::bounds::show(run.duration.as_secs_f64()));
                self.error(doc.run.warm_up.span, "the warm-up lasts as long as the run", label);
            }
        }
    }

    fn replay(
        &mut self,
        traffic: &raw::Traffic,
        replay: &raw::Replay,
        settings: &mut Settings,
        run: &Run,
        base_dir: Option<&Path>,
    ) {
        let speed = self.number(&replay.speed, "speed", 1e-6, 1e6);
        let path = self.path_of(&replay.log, base_dir);
        let (seed, limits) = (*self.doc.run.seed, replay::Limits::default());
        let read = match self.options.open_log {
            None => replay::read(&path, seed, &limits),
            Some(open) => {
                open(&path).map_err(replay::ReplayError::Open).and_then(|input| replay::read_from(input, seed, &limits))
            }
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                let title = format!("access log {} {error}", replay.log.value);
                self.error(replay.log.span, title, "this log cannot be replayed");
                return;
            }
        };
        if self.paths.len() + read.paths.len() > MAX_PATHS {
            let title = format!("access log {} has {} distinct paths", replay.log.value, read.paths.len());
            self.error(replay.log.span, title, format!("at most {MAX_PATHS}"));
            return;
        }
        let patterns: Vec<&str> = traffic.routes.iter().map(|route| route.path.as_str()).collect();
        let routes: Vec<Option<usize>> =
            read.paths.iter().map(|path| pattern::first_match(patterns.iter().copied(), path)).collect();
        let unmatched = routes.iter().filter(|route| route.is_none()).count();
        if let Some(first) = routes.iter().position(Option::is_none) {
            let title = format!("no route has the path `{}` of the log", read.paths[first]);
            let label = match unmatched {
                1 => "one path is left over".to_string(),
                n => format!("{n} paths are left over"),
            };
            let error = Diagnostic::error(traffic.routes.span, title, label);
            self.note(error.help("add a last route { path = \"*\" } for all others"));
            return;
        }
        let paths: Vec<PathId> = read.paths.iter().map(|path| self.path(path)).collect();
        let skipped = replay.start.0.as_nanos();
        let mut records: Vec<Recorded> = Vec::new();
        let mut cut = 0u64;
        for record in read.records.iter().filter(|record| record.at >= skipped) {
            let at = SimTime::from_nanos(((record.at - skipped) as f64 / speed).round() as u64);
            if at >= run.horizon() {
                cut += 1;
                continue;
            }
            records.push(Recorded {
                at,
                path: paths[record.path as usize],
                route: routes[record.path as usize].unwrap_or_default() as u16,
                method: record.method,
                bytes: record.bytes,
                client: record.client,
            });
        }
        if records.is_empty() {
            let title = format!("no request of access log {} is left to replay", replay.log.value);
            self.error(replay.log.span, title, "see `start` and run.duration");
            return;
        }
        let name = &traffic.name.value;
        let n = records.len();
        self.notes.push(format!("traffic.{name}: {n} requests replayed from {}", replay.log.value));
        if cut > 0 {
            self.notes.push(format!(
                "traffic.{name}: {cut} requests of the log come after the end of the run and were cut off"
            ));
        }
        if read.query_strings > 0 {
            self.notes.push(format!("traffic.{name}: query strings of the log are not part of cache keys"));
        }
        self.notes.extend(read.notes.iter().map(|note| format!("traffic.{name}: {note}")));
        settings.clients = read.clients.max(1);
        settings.arrivals = Arrivals::Replay(records.into());
    }

    /// Where a file named in the scenario is. What was typed after --set is relative to where it was typed.
    pub(super) fn path_of(&self, file: &Sp<String>, base_dir: Option<&Path>) -> PathBuf {
        let base = base_dir.filter(|_| file.span.text == 0);
        base.map_or_else(|| file.value.clone().into(), |base| base.join(&file.value))
    }

    /// Says which routes there are.
    pub(super) fn route_advice(sources: &Sources) -> String {
        let names: Vec<&str> = sources.route_names.iter().map(String::as_str).collect();
        format!("routes: {}", list(&names))
    }
}

fn expected_operations(arrivals: &Arrivals, run: &Run) -> f64 {
    let Arrivals::Open { rate, .. } = arrivals else { return 0.0 };
    let end = run.duration.as_secs_f64();
    let mut total = 0.0;
    let points = rate.points.iter().map(|(at, rate)| (at.as_secs_f64(), *rate));
    let last = rate.points.last().map_or(0.0, |(_, rate)| *rate);
    let mut before: Option<(f64, f64)> = None;
    for (at, rate) in points.chain([(end.max(rate.points.last().map_or(0.0, |p| p.0.as_secs_f64())), last)]) {
        if let Some((start, from)) = before {
            total += (at.min(end) - start.min(end)).max(0.0) * from.max(rate);
        }
        before = Some((at, rate));
    }
    total
}

pub(super) fn method(method: raw::Method) -> Method {
    match method {
        raw::Method::Get => Method::Get,
        raw::Method::Head => Method::Head,
        raw::Method::Post => Method::Post,
        raw::Method::Put => Method::Put,
        raw::Method::Patch => Method::Patch,
        raw::Method::Delete => Method::Delete,
        raw::Method::Options => Method::Options,
    }
}

fn method_name(method: raw::Method) -> &'static str {
    match method {
        raw::Method::Get => "GET",
        raw::Method::Head => "HEAD",
        raw::Method::Post => "POST",
        raw::Method::Put => "PUT",
        raw::Method::Patch => "PATCH",
        raw::Method::Delete => "DELETE",
        raw::Method::Options => "OPTIONS",
    }
}
