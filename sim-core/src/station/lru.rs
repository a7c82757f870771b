//! A cache that makes room by dropping what has not been asked for longest.

use crate::math::mix64;
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
