//! Plain stations.

use models::ids::*;
use models::station::{Breakdown, Cache, Discipline, OnFailure, RateLimit, Renewal, Settings};

use super::cloudfront::MAX_ENTRIES;
use super::{BROKEN, Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::distributions::TimeDist;
use crate::raw::station as raw;

/// Servers that can fail are looked at one by one.
const MAX_FAILING: u32 = 10_000;
/// Least room a copy takes.
const LEAST_COPY_BYTES: f64 = models::station::LEAST_COPY_BYTES as f64;
/// A server that fails oftener than this on average is no server.
const LEAST_TIME_TO_FAILURE: f64 = 0.001;

impl Check<'_> {
    pub(super) fn stations(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.station, "station");
        let mut stations = Vec::new();
        for (n, (name, station)) in doc.station.entries.iter().enumerate() {
            stations.push(station.as_ref().map(|station| self.station(StationId(n as u16), name, station)));
        }
        self.ways_out(&stations);
        stations
    }

    fn station(&mut self, id: StationId, name: &Sp<String>, station: &raw::Station) -> Settings {
        self.part_names(&station.classes, "classes");
        let ps = station.discipline.value == raw::Discipline::ProcessorSharing;
        self.waiting(station, ps);
        let mut classes = vec![station.service.0.clone()];
        classes.extend(
            station.classes.entries.iter().filter_map(|(_, class)| class.as_ref().map(|class| class.0.clone())),
        );
        let servers = station.servers.as_ref().map(|n| self.count(n, "servers", 1, 1_000_000));
        Settings {
            name: name.value.clone(),
            servers,
            room: station.room.as_ref().map(|n| n.value),
            discipline: if ps { Discipline::ProcessorSharing } else { Discipline::Fifo },
            limit: station.limit.as_ref().map(|n| self.count(n, "limit", 1, 1_000_000)),
            classes,
            rate_limit: station.rate_limit.as_ref().map(|limit| self.rate_limit(limit)),
            patience: station.patience.as_ref().map(|patience| patience.0.clone()),
            breakdown: station.breakdown.as_ref().map(|breakdown| self.breakdown(breakdown, servers, ps)),
            cache: station.cache.as_ref().and_then(|cache| self.copies(id, cache, &station.then)),
            then: self.then(id, &station.then),
            response_bytes: self.body(&station.response_size, "response_size"),
        }
    }

    fn rate_limit(&mut self, limit: &raw::RateLimit) -> RateLimit {
        if limit.rate.0 > 1e9 {
            self.error(limit.rate.span, "this rate is too high", "at most \"1e9/s\"");
        }
        RateLimit { rate: limit.rate.0.min(1e9), burst: self.count(&limit.burst, "burst", 1, 1_000_000_000) }
    }

    /// Refuses settings of a queue where there is none.
    fn waiting(&mut self, station: &raw::Station, ps: bool) {
        if let (Some(room), None) = (&station.room, &station.servers) {
            self.error(
                room.span,
                "nobody waits where there is any number of servers",
                "remove `room`, or give `servers`",
            );
        }
        if let Some(limit) = &station.limit
            && (!ps || station.servers.is_none())
        {
            let label = "needs `servers` and discipline = \"processor_sharing\"";
            self.error(limit.span, "only cores that are shared have a `limit`", label);
        }
        if let Some(patience) = &station.patience
            && (station.servers.is_none() || (ps && station.limit.is_none()))
        {
            let label = "give `servers` (and a `limit` with processor sharing), or remove `patience`";
            self.error(patience.span, "nobody waits here", label);
        }
    }

    fn breakdown(&mut self, breakdown: &raw::Breakdown, servers: Option<u32>, ps: bool) -> Breakdown {
        let span = breakdown.span;
        match servers {
            None => self.error(span, "there is no server to fail where there is any number", "give `servers`"),
            Some(servers) if servers > MAX_FAILING => {
                self.error(span, "too many servers that can fail", format!("at most {MAX_FAILING}"));
            }
            Some(_) if ps => {
                let error = Diagnostic::error(span, "cores that are shared do not fail", "not modelled yet");
                self.note(error.help("only servers of discipline = \"fifo\" can fail"));
            }
            Some(_) => {}
        }
        let lasts: &Sp<TimeDist> = &breakdown.time_to_failure;
        if lasts.0.mean() < LEAST_TIME_TO_FAILURE {
            self.error(lasts.span, "these servers fail too often", "at least \"1ms\" on average");
        }
        Breakdown {
            time_to_failure: lasts.0.clone(),
            repair_time: breakdown.repair_time.0.clone(),
            on_failure: match breakdown.on_failure.value {
                raw::OnFailure::Resume => OnFailure::Resume,
                raw::OnFailure::Lose => OnFailure::Lose,
            },
            quorum: breakdown.quorum.as_ref().map(|n| self.count(n, "quorum", 1, servers.unwrap_or(u32::MAX))),
        }
    }

    fn copies(&mut self, from: StationId, cache: &raw::Cache, then: &Sp<Vec<raw::Then>>) -> Option<Cache> {
        if !then.is_empty() {
            let error = Diagnostic::error(cache.span, "a station has a `cache` or `then`, not both", "one too many");
            self.note(error.also(then.span, "given here"));
        }
        let room = cache.capacity.value.0 as f64 / LEAST_COPY_BYTES;
        let entries = room.min(self.objects_asked_for());
        if entries > MAX_ENTRIES {
            let title = format!("this cache would hold about {entries:.1e} objects");
            let error = Diagnostic::error(cache.span, title, format!("at most {MAX_ENTRIES:.0e} fit in memory"));
            self.note(error.help("lower the capacity, or the number of objects"));
        }
        let origin = self.endpoint(&cache.origin, &[Section::Station], Some(Endpoint::Station(from)), "`origin`");
        let near = self.part_rtt(Endpoint::Station(from), origin);
        let rtt = cache.rtt.as_ref().map_or(near, |rtt| self.delay(rtt, "rtt"));
        let Endpoint::Station(origin) = origin else { return None };
        Some(Cache {
            origin,
            rtt,
            capacity: cache.capacity.value.0,
            ttl: cache.ttl.0,
            renewal: match cache.renewal.value {
                raw::Renewal::Fixed => Renewal::Fixed,
                raw::Renewal::Sliding => Renewal::Sliding,
            },
        })
    }

    /// How many objects clients ask for at most.
    pub(super) fn objects_asked_for(&self) -> f64 {
        let routes = self.doc.traffic.iter().flat_map(|traffic| traffic.routes.iter());
        let objects = |name: &Sp<String>| {
            let found = self.doc.catalog.iter().find(|(_, known, _)| known.value == name.value);
            found.map_or(1.0, |(_, _, catalog)| catalog.objects.as_ref().map_or(MAX_ENTRIES, |n| n.value as f64))
        };
        routes.map(|route| route.catalog.as_ref().map_or(1.0, objects)).sum()
    }

    fn then(&mut self, from: StationId, then: &Sp<Vec<raw::Then>>) -> Vec<(StationId, f64)> {
        let mut stations = Vec::new();
        for entry in then.iter() {
            let to = self.endpoint(&entry.to, &[Section::Station], Some(Endpoint::Station(from)), "`to`");
            let probability = self.share(&entry.probability, "probability");
            if let (Endpoint::Station(to), true) = (to, to != BROKEN) {
                stations.push((to, probability));
            }
        }
        let sum: f64 = stations.iter().map(|(_, probability)| probability).sum();
        if sum > 1.0 + 1e-9 {
            let title = "these probabilities sum up to more than 100%";
            self.error(then.span, title, format!("they sum up to {}%", 100.0 * sum));
        }
        stations
    }

    /// Every request must be able to leave: from each station a way leads to one that answers some.
    fn ways_out(&mut self, stations: &[Option<Settings>]) {
        let answers = |station: &Option<Settings>| {
            station
                .as_ref()
                .is_none_or(|it| it.then.iter().map(|(_, probability)| probability).sum::<f64>() < 1.0 - 1e-9)
        };
        let mut out: Vec<bool> = stations.iter().map(answers).collect();
        loop {
            let leads_out = |station: &Option<Settings>| {
                let ways = station.iter().flat_map(|it| &it.then);
                ways.filter(|(_, probability)| *probability > 0.0)
                    .any(|(to, _)| out.get(to.index()).copied().unwrap_or(true))
            };
            let more: Vec<bool> = stations.iter().zip(&out).map(|(station, out)| *out || leads_out(station)).collect();
            if more == out {
                break;
            }
            out = more;
        }
        if let Some(caught) = out.iter().position(|out| !out) {
            let (name, station) = &self.doc.station.entries[caught];
            let span = station.as_ref().map_or(name.span, |station| station.then.span);
            let title = format!("requests never leave `station.{}`", name.value);
            self.error(span, title, "some must be answered somewhere: probabilities below 100%");
        }
    }
}
