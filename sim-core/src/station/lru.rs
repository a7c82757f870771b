//! A cache that makes room by dropping what has not been asked for longest.

use crate::math::mix64;
use crate::random::Source;
use hashbrown::HashTable;

const NOTHING: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Node<V> {
    key: u64,
    bytes: u64,
    /// `None` in a vacant node.
    value: Option<V>,
    /// Towards more recently used; in a vacant node, the next vacant one.
    newer: u32,
    /// Towards less recently used.
    older: u32,
}

/// A least-recently-used cache of `V` by 64-bit keys, bounded in bytes. All operations take constant time; nothing depends
/// on the order of the hash table.
#[derive(Clone, Debug)]
pub struct LruCache<V> {
    capacity: u64,
    bytes: u64,
    /// Places in `nodes` by key.
    table: HashTable<u32>,
    nodes: Vec<Node<V>>,
    newest: u32,
    oldest: u32,
    vacant: u32,
}

impl<V> LruCache<V> {
    /// An empty cache for at most `capacity` bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let (table, nodes) = (HashTable::new(), Vec::new());
        Self { capacity, bytes: 0, table, nodes, newest: NOTHING, oldest: NOTHING, vacant: NOTHING }
    }

    #[inline]
    fn find(&self, key: u64) -> Option<u32> {
        self.table.find(mix64(key), |&at| self.nodes[at as usize].key == key).copied()
    }

    /// The value of a key, which thereby is the most recently used.
    #[inline]
    pub fn get(&mut self, key: u64) -> Option<&mut V> {
        let at = self.find(key)?;
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
        self.nodes[at as usize].value.as_mut()
    }

    /// The value of a key, which does not count as use.
    #[inline]
    #[must_use]
    pub fn peek(&self, key: u64) -> Option<&V> {
        self.nodes[self.find(key)? as usize].value.as_ref()
    }

    /// Whether there is a value under `key`; does not count as use.
    #[must_use]
    pub fn contains(&self, key: u64) -> bool {
        self.find(key).is_some()
    }

    /// Stores a value of the given size as the most recently used, in place of any under the same key, and drops the least
    /// recently used others until all fits. Returns how many were dropped. A value larger than the whole cache is not
    /// stored and drops nothing but its predecessor.
    pub fn insert(&mut self, key: u64, bytes: u64, value: V) -> usize {
        self.remove(key);
        if bytes > self.capacity {
            return 0;
        }
        let evicted = self.shrink_to(self.capacity - bytes);
        let node = Node { key, bytes, value: Some(value), newer: NOTHING, older: NOTHING };
        let at = if self.vacant == NOTHING {
            assert!(self.nodes.len() < NOTHING as usize, "a cache has fewer than 2^32 entries");
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let at = self.vacant;
            self.vacant = std::mem::replace(&mut self.nodes[at as usize], node).newer;
            at
        };
        self.link(at);
        self.bytes += bytes;
        let nodes = &self.nodes;
        self.table.insert_unique(mix64(key), at, |&other| mix64(nodes[other as usize].key));
        evicted
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: u64) -> Option<V> {
        let entry = self.table.find_entry(mix64(key), |&at| self.nodes[at as usize].key == key).ok()?;
        let (at, _) = entry.remove();
        self.unlink(at);
        let node = &mut self.nodes[at as usize];
        self.bytes -= node.bytes;
        node.newer = std::mem::replace(&mut self.vacant, at);
        node.value.take()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    /// From now on the cache is for at most `capacity` bytes. Returns how many entries were dropped.
    pub fn set_capacity(&mut self, capacity: u64) -> usize {
        self.capacity = capacity;
        self.shrink_to(capacity)
    }

    /// Drops the least recently used until at most `limit` bytes are left; returns how many.
    fn shrink_to(&mut self, limit: u64) -> usize {
        let mut dropped = 0;
        while self.bytes > limit {
            let key = self.nodes[self.oldest as usize].key;
            self.remove(key);
            dropped += 1;
        }
        dropped
    }

    /// Key, size and value of the least recently used entry.
    #[must_use]
    pub fn oldest(&self) -> Option<(u64, u64, &V)> {
        let node = self.nodes.get(self.oldest as usize)?;
        node.value.as_ref().map(|value| (node.key, node.bytes, value))
    }

    /// Key, size and value of all entries, the least recently used first.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u64, &V)> {
        let node = |at: u32| self.nodes.get(at as usize);
        let all = std::iter::successors(node(self.oldest), move |before| node(before.newer));
        all.filter_map(|node| node.value.as_ref().map(|value| (node.key, node.bytes, value)))
    }

    /// Key and value of an entry, all alike likely. Takes one draw or more; none if there are no entries.
    #[must_use]
    pub fn any(&self, source: &mut impl Source) -> Option<(u64, &V)> {
        while !self.is_empty() {
            let node = &self.nodes[source.below(self.nodes.len() as u64) as usize];
            if let Some(value) = &node.value {
                return Some((node.key, value));
            }
        }
        None
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Size of all entries.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Most bytes it holds.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Makes a node the newest.
    #[inline]
    fn link(&mut self, at: u32) {
        let newest = std::mem::replace(&mut self.newest, at);
        let node = &mut self.nodes[at as usize];
        (node.newer, node.older) = (NOTHING, newest);
        match self.nodes.get_mut(newest as usize) {
            Some(second) => second.newer = at,
            None => self.oldest = at,
        }
    }

    #[inline]
    fn unlink(&mut self, at: u32) {
        let (newer, older) = (self.nodes[at as usize].newer, self.nodes[at as usize].older);
        match self.nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Zipf;
    use crate::math::{exp, pow};
    use crate::random::Stream;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Get(u64),
        Peek(u64),
        Insert(u64, u64),
        Remove(u64),
        Capacity(u64),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..20u64).prop_map(Step::Get),
            2 => (0..20u64).prop_map(Step::Peek),
            6 => (0..20u64, 0..40u64).prop_map(|(key, bytes)| Step::Insert(key, bytes)),
            2 => (0..20u64).prop_map(Step::Remove),
            1 => (0..200u64).prop_map(Step::Capacity),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        /// The twin is a list, most recently used last.
        #[test]
        fn agrees_with_a_list(steps in prop::collection::vec(step(), 0..300)) {
            let (mut cache, mut capacity) = (LruCache::new(100), 100);
            let mut twin: Vec<(u64, u64, usize)> = Vec::new();
            let total = |twin: &Vec<(u64, u64, usize)>| twin.iter().map(|entry| entry.1).sum::<u64>();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Get(key) => {
                        let found = twin.iter().position(|entry| entry.0 == key).map(|at| twin.remove(at));
                        prop_assert_eq!(cache.get(key).copied(), found.map(|entry| entry.2));
                        twin.extend(found);
                    }
                    Step::Peek(key) => {
                        let found = twin.iter().find(|entry| entry.0 == key).map(|entry| entry.2);
                        prop_assert_eq!(cache.peek(key).copied(), found);
                        prop_assert_eq!(cache.contains(key), found.is_some());
                    }
                    Step::Insert(key, bytes) => {
                        twin.retain(|entry| entry.0 != key);
                        let mut evicted = 0;
                        if bytes <= capacity {
                            while total(&twin) + bytes > capacity {
                                twin.remove(0);
                                evicted += 1;
                            }
                            twin.push((key, bytes, number));
                        }
                        prop_assert_eq!(cache.insert(key, bytes, number), evicted);
                    }
                    Step::Remove(key) => {
                        let found = twin.iter().position(|entry| entry.0 == key).map(|at| twin.remove(at).2);
                        prop_assert_eq!(cache.remove(key), found);
                    }
                    Step::Capacity(new) => {
                        capacity = new;
                        let mut evicted = 0;
                        while total(&twin) > capacity {
                            twin.remove(0);
                            evicted += 1;
                        }
                        prop_assert_eq!(cache.set_capacity(new), evicted);
                    }
                    Step::Clear => {
                        cache.clear();
                        twin.clear();
                    }
                }
                prop_assert_eq!((cache.len(), cache.bytes()), (twin.len(), total(&twin)));
                prop_assert_eq!(cache.oldest().map(|(k, b, v)| (k, b, *v)), twin.first().copied());
                let entries: Vec<_> = cache.entries().map(|(k, b, v)| (k, b, *v)).collect();
                prop_assert_eq!(&entries, &twin);
            }
        }
    }

    #[test]
    fn any_entry_is_as_likely_as_another() {
        let mut cache = LruCache::new(u64::MAX);
        for key in 0..20 {
            cache.insert(key, 1, ());
        }
        for key in 0..10 {
            cache.remove(2 * key);
        }
        let (mut stream, mut seen) = (Stream::from_key(1), [0u32; 20]);
        (0..10_000).for_each(|_| seen[cache.any(&mut stream).unwrap().0 as usize] += 1);
        for (key, seen) in seen.into_iter().enumerate() {
            // Five standard errors of a tenth of ten thousand.
            let expected = if key % 2 == 0 { 0..1 } else { 850..1150 };
            assert!(expected.contains(&seen), "{key}: {seen}");
        }
        assert!(LruCache::<()>::new(1).any(&mut stream).is_none());
    }

    /// Che, Tung and Wang (2002), doi:10.1109/JSAC.2002.801752: an object of rate r is hit with probability 1 - exp(-r T),
    /// where T is such that these probabilities add up to the number of objects that fit.
    #[test]
    fn hit_ratio_under_zipf_is_ches() {
        let (objects, fits, s) = (20_000u64, 1_000usize, 0.8);
        let weights: Vec<f64> = (1..=objects).map(|k| pow(k as f64, -s)).collect();
        let total: f64 = weights.iter().sum();
        let occupied = |t: f64| weights.iter().map(|w| 1.0 - exp(-w / total * t)).sum::<f64>();
        let (mut low, mut high) = (0.0, 1e7);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if occupied(middle) < fits as f64 { low = middle } else { high = middle }
        }
        let che: f64 = weights.iter().map(|w| w / total * (1.0 - exp(-w / total * low))).sum();

        let zipf = Zipf::new(objects, s).unwrap();
        let mut stream = Stream::from_key(4);
        let mut cache = LruCache::new(fits as u64 * 10);
        let (mut hits, n) = (0u32, 400_000u32);
        for request in 0..n + 50_000 {
            let object = zipf.sample(&mut stream);
            let hit = cache.get(object).is_some();
            if !hit {
                cache.insert(object, 10, ());
            }
            hits += u32::from(hit && request >= 50_000);
        }
        let ratio = f64::from(hits) / f64::from(n);
        // Five standard errors of a share, and a quarter per cent for the approximation.
        let allowed = 5.0 * (che * (1.0 - che) / f64::from(n)).sqrt() + 0.002_5;
        assert!((ratio - che).abs() < allowed, "{ratio} is not {che} +- {allowed}");
        assert_eq!(cache.len(), fits);
    }
}
