//! What clients and caching resolvers remember.

use std::collections::BTreeMap;

use sim_core::math::mix64;
use sim_core::random::{Draws, Source};
use sim_core::{SimDuration, SimTime};

use super::selection::{Resolution, Values};
use super::{NO_ANSWER, Population, Resolvers};
use crate::ids::*;

/// How clients keep answers themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DnsCache {
    /// For what is left of their time to live.
    #[default]
    Ttl,
    /// For so long, whatever their time to live: as Java does (networkaddress.cache.ttl).
    Fixed(SimDuration),
    /// For good.
    Forever,
    /// Not at all.
    None,
}

/// How long Java remembers that there was no answer (networkaddress.cache.negative.ttl).
const JAVA_NEGATIVE: SimDuration = SimDuration::from_secs(10);

impl DnsCache {
    /// When a client's copy expires; `None` if it keeps none.
    fn expires(self, cached: Cached, now: SimTime) -> Option<SimTime> {
        let nothing = cached.answer == NO_ANSWER;
        match self {
            Self::Ttl => Some(cached.expires),
            Self::None => None,
            Self::Fixed(time) => Some(now + if nothing { time.min(JAVA_NEGATIVE) } else { time }),
            Self::Forever => Some(if nothing { now + JAVA_NEGATIVE } else { SimTime::MAX }),
        }
    }
}

/// An answer kept until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cached {
    pub(super) expires: SimTime,
    /// Number of what the name resolves to, or [`NO_ANSWER`].
    pub(super) answer: u16,
}

impl Cached {
    const NOTHING: Self = Self { expires: SimTime::ZERO, answer: 0 };

    #[inline]
    fn at(self, now: SimTime) -> Option<Self> {
        (now < self.expires).then_some(self)
    }
}

/// The clients' own caches: 16 bytes for each client of a traffic source and each name it has ever asked for.
#[derive(Debug)]
pub(super) struct ClientCaches {
    records: usize,
    populations: Vec<(u32, DnsCache)>,
    /// By traffic source, then record; then by client. Empty until the source has its first answer for the name.
    tables: Vec<Vec<Cached>>,
}

impl ClientCaches {
    pub(super) fn new(records: usize, sources: &[Population]) -> Self {
        let populations: Vec<(u32, DnsCache)> = sources.iter().map(|source| (source.clients, source.cache)).collect();
        Self { records, tables: vec![Vec::new(); populations.len() * records], populations }
    }

    #[inline]
    fn table(&self, traffic: TrafficId, record: RecordId) -> usize {
        traffic.index() * self.records + record.index()
    }

    #[inline]
    pub(super) fn get(&self, traffic: TrafficId, record: RecordId, client: u32, now: SimTime) -> Option<u16> {
        let table = self.tables.get(self.table(traffic, record))?;
        // Clients beyond the population (a recorded log may have more than it said) share the caches there are.
        let cached = match table.get(client as usize) {
            Some(cached) => cached,
            None => table.get(client as usize % table.len().max(1))?,
        };
        cached.at(now).map(|cached| cached.answer)
    }

    pub(super) fn put(&mut self, traffic: TrafficId, record: RecordId, client: u32, cached: Cached, now: SimTime) {
        let number = self.table(traffic, record);
        let Some(&(population, cache)) = self.populations.get(traffic.index()) else { return };
        let Some(expires) = cache.expires(cached, now) else { return };
        let table = &mut self.tables[number];
        if table.is_empty() {
            table.resize(population.max(1) as usize, Cached::NOTHING);
        }
        let clients = table.len();
        table[client as usize % clients] = Cached { expires, ..cached };
    }
}

/// The caching resolvers: each has its own cache for each name.
#[derive(Debug)]
pub(super) struct ResolverCaches {
    /// How many share the clients, or those of each place.
    count: u32,
    places: u32,
    by_place: bool,
    place: Option<PlaceId>,
    max_ttl: SimDuration,
    min_ttl: SimDuration,
    /// Of each `count` the first so many stretch times to live.
    stretching: u32,
    /// By record, then resolver.
    entries: Vec<Entry>,
    /// Answers of several values, by their place in `entries`.
    several: BTreeMap<usize, Values>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    cached: Cached,
    /// Questions asked of the name servers so far.
    queries: u32,
}

impl ResolverCaches {
    /// Empty caches.
    pub(super) fn new(settings: &Resolvers, records: usize, places: usize) -> Self {
        let count = settings.count.max(1);
        let places = if settings.by_place { places.max(1) as u32 } else { 1 };
        let entry = Entry { cached: Cached::NOTHING, queries: 0 };
        Self {
            count,
            places,
            by_place: settings.by_place,
            place: settings.place,
            max_ttl: settings.max_ttl,
            min_ttl: settings.min_ttl,
            stretching: (settings.ttl_violation_fraction * f64::from(count)).round() as u32,
            entries: vec![entry; records * (count * places) as usize],
            several: BTreeMap::new(),
        }
    }

    /// Fills them as they are found in steady state: every resolver holds an answer, chosen as all others are, whose remaining
    /// time to live is uniform on 0..=TTL (assumption A2). Empty caches would all be filled in the run's first moments and
    /// expire together ever after, and a change of answer would reach every viewer at one stroke.
    pub(super) fn fill(&mut self, key: u64, resolve: impl Fn(RecordId, u32, usize) -> Resolution) {
        let resolvers = self.count * self.places;
        for at in 0..self.entries.len() {
            let (record, resolver) = (at as u64 / u64::from(resolvers), at as u64 % u64::from(resolvers));
            let resolver = resolver as u32;
            let record = RecordId(record as u16);
            let resolution = resolve(record, resolver, self.place_of(resolver));
            let u = Draws::new(key, u64::from(record.0) << 32 | u64::from(resolver)).uniform();
            let left = self.keeps(resolver, resolution.ttl).scale(u);
            self.next_query(record, resolver);
            self.put(record, resolver, resolution.values, SimTime::ZERO + left);
        }
    }

    /// Which resolver a client asks, always the same one.
    pub(super) fn of_client(&self, traffic: TrafficId, client: u32, place: PlaceId) -> u32 {
        // Sources start at different resolvers, lest client 0 of each share one.
        let offset = mix64(u64::from(traffic.0));
        let number = (offset.wrapping_add(u64::from(client)) % u64::from(self.count)) as u32;
        if self.by_place { u32::from(place.0) * self.count + number } else { number }
    }

    /// The place that a resolver's questions come from, as Route 53 sees it.
    pub(super) fn place_of(&self, resolver: u32) -> usize {
        match self.place {
            Some(place) => place.index(),
            None => (resolver / self.count) as usize,
        }
    }

    /// How long a resolver keeps an answer with a time to live.
    pub(super) fn keeps(&self, resolver: u32, ttl: SimDuration) -> SimDuration {
        let least = if resolver % self.count < self.stretching { self.min_ttl } else { SimDuration::ZERO };
        ttl.max(least).min(self.max_ttl)
    }

    fn at(&self, record: RecordId, resolver: u32) -> usize {
        record.index() * (self.count * self.places) as usize + resolver as usize
    }

    pub(super) fn get(&self, record: RecordId, resolver: u32, now: SimTime) -> Option<(Values, SimTime)> {
        let at = self.at(record, resolver);
        let cached = self.entries[at].cached.at(now)?;
        let values = match self.several.is_empty() {
            true => Values::of(cached.answer),
            false => self.several.get(&at).copied().unwrap_or_else(|| Values::of(cached.answer)),
        };
        Some((values, cached.expires))
    }

    pub(super) fn put(&mut self, record: RecordId, resolver: u32, values: Values, expires: SimTime) {
        let at = self.at(record, resolver);
        let answer = values.all().first().copied().unwrap_or(NO_ANSWER);
        self.entries[at].cached = Cached { expires, answer };
        if values.all().len() > 1 {
            self.several.insert(at, values);
        } else if !self.several.is_empty() {
            self.several.remove(&at);
        }
    }

    /// Number of the next question a resolver asks the name servers about a record; the one it holds at the start was 0.
    pub(super) fn next_query(&mut self, record: RecordId, resolver: u32) -> u32 {
        let at = self.at(record, resolver);
        let queries = &mut self.entries[at].queries;
        let number = *queries;
        *queries = queries.wrapping_add(1);
        number
    }
}
