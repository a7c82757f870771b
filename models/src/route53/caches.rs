//! What clients and caching resolvers remember.

use sim_core::math::mix64;
use sim_core::random::{Draws, Source};
use sim_core::{SimDuration, SimTime};

use crate::ids::*;

/// An answer kept until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cached {
    pub(super) expires: SimTime,
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
    populations: Vec<u32>,
    /// By traffic source, then record; then by client. Empty until the source has its first answer for the name.
    tables: Vec<Vec<Cached>>,
}

impl ClientCaches {
    pub(super) fn new(records: usize, populations: &[u32]) -> Self {
        Self { records, populations: populations.to_vec(), tables: vec![Vec::new(); populations.len() * records] }
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

    pub(super) fn put(&mut self, traffic: TrafficId, record: RecordId, client: u32, cached: Cached) {
        let number = self.table(traffic, record);
        let Some(table) = self.tables.get_mut(number) else { return };
        if table.is_empty() {
            table.resize(self.populations[traffic.index()].max(1) as usize, Cached::NOTHING);
        }
        let clients = table.len();
        table[client as usize % clients] = cached;
    }
}

/// The caching resolvers: each has its own cache for each name.
#[derive(Debug)]
pub(super) struct ResolverCaches {
    count: u32,
    /// By record, then resolver.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    cached: Cached,
    /// Questions asked of the name servers so far.
    queries: u32,
}

impl ResolverCaches {
    /// Caches as they are found in steady state: every resolver holds an answer, chosen as all others are, whose remaining
    /// time to live is uniform on 0..=TTL (assumption A2). Empty caches would all be filled in the run's first moments and
    /// expire together ever after, and a change of answer would reach every viewer at one stroke.
    pub(super) fn new(
        count: u32,
        records: usize,
        key: u64,
        ttl: impl Fn(usize) -> SimDuration,
        answer: impl Fn(usize, u32) -> Option<u16>,
    ) -> Self {
        let count = count.max(1);
        let mut entries = Vec::with_capacity(records * count as usize);
        for record in 0..records {
            for resolver in 0..count {
                let left = ttl(record).scale(Draws::new(key, (record as u64) << 32 | u64::from(resolver)).uniform());
                let cached = match answer(record, resolver) {
                    Some(answer) => Cached { expires: SimTime::ZERO + left, answer },
                    None => Cached::NOTHING,
                };
                entries.push(Entry { cached, queries: 1 });
            }
        }
        Self { count, entries }
    }

    /// Which resolver a client asks, always the same one.
    pub(super) fn of_client(&self, traffic: TrafficId, client: u32) -> u32 {
        // Sources start at different resolvers, lest client 0 of each share one.
        let offset = mix64(u64::from(traffic.0));
        (offset.wrapping_add(u64::from(client)) % u64::from(self.count)) as u32
    }

    fn place(&self, record: RecordId, resolver: u32) -> usize {
        record.index() * self.count as usize + resolver as usize
    }

    pub(super) fn get(&self, record: RecordId, resolver: u32, now: SimTime) -> Option<Cached> {
        self.entries[self.place(record, resolver)].cached.at(now)
    }

    pub(super) fn put(&mut self, record: RecordId, resolver: u32, cached: Cached) {
        let place = self.place(record, resolver);
        self.entries[place].cached = cached;
    }

    /// Number of the next question a resolver asks the name servers about a record; the one it holds at the start was 0.
    pub(super) fn next_query(&mut self, record: RecordId, resolver: u32) -> u32 {
        let place = self.place(record, resolver);
        let queries = &mut self.entries[place].queries;
        let number = *queries;
        *queries = queries.wrapping_add(1);
        number
    }
}
