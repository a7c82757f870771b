//! The items of a shard: what is there, what expires, and what makes room.

use std::collections::{BTreeSet, VecDeque};

use sim_core::random::{Source, Stream};
use sim_core::station::LruCache;
use sim_core::{SimDuration, SimTime};

use super::Policy;

/// Candidates among which the least frequently used is looked for (Redis: `maxmemory-samples` 5; ten come close to exact).
const SAMPLES: u32 = 10;
/// Frequency counter of a new item, what slows its growth, and what it loses in a minute (Redis: `LFU_INIT_VAL`,
/// `lfu-log-factor`, `lfu-decay-time`).
const LFU_NEW: u8 = 5;
const LFU_LOG_FACTOR: f64 = 10.0;
const LFU_DECAY: SimDuration = SimDuration::from_secs(60);

/// What is known of an item.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// When it is gone; [`SimTime::MAX`]: never.
    expires: SimTime,
    used: SimTime,
    written: SimTime,
    /// There was an earlier version when it was last written.
    overwrote: bool,
    frequency: u8,
}

/// An item on its way from one shard to another.
#[derive(Debug)]
pub(super) struct Moving {
    key: u64,
    bytes: u64,
    entry: Entry,
}

/// The items of a shard.
#[derive(Debug)]
pub(super) struct Dataset {
    room: u64,
    policy: Policy,
    /// Without and with a time to live.
    kinds: [LruCache<Entry>; 2],
    /// Those with one, in the order in which they expire.
    expiring: BTreeSet<(SimTime, u64)>,
    /// Latest writes, as long as a failover could lose them.
    recent: Option<VecDeque<(SimTime, u64)>>,
    draws: Stream,
    pub(super) evicted: u64,
    pub(super) expired: u64,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Done,
    /// There is no room, and nothing may make any: `OOM command not allowed`.
    Full,
}

/// What a replica knows of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Current,
    /// An earlier version.
    Stale,
    Nothing,
}

const PERSISTENT: usize = 0;
const VOLATILE: usize = 1;
/// Longest replication lag whose writes are remembered.
const MOST_LAG: SimDuration = SimDuration::from_secs(60);

impl Dataset {
    pub(super) fn new(room: u64, policy: Policy, replicated: bool, draws: Stream) -> Self {
        Self {
            room,
            policy,
            kinds: [LruCache::new(u64::MAX), LruCache::new(u64::MAX)],
            expiring: BTreeSet::new(),
            recent: replicated.then(VecDeque::new),
            draws,
            evicted: 0,
            expired: 0,
        }
    }

    /// Reads an item; with a new instant of expiry if reading renews it.
    pub(super) fn get(&mut self, key: u64, now: SimTime, renewed: Option<SimTime>) -> bool {
        self.expire(now);
        let counts = matches!(self.policy, Policy::AllKeysLfu | Policy::VolatileLfu);
        let Some(kind) = self.kind_of(key) else { return false };
        let entry = self.kinds[kind].get(key).expect("it was found");
        if counts {
            entry.frequency = risen(decayed(entry, now), &mut self.draws);
        }
        entry.used = now;
        if let (Some(renewed), VOLATILE) = (renewed, kind) {
            let before = std::mem::replace(&mut entry.expires, renewed);
            self.expiring.remove(&(before, key));
            self.expiring.insert((renewed, key));
        }
        true
    }

    /// Reads an item at a replica that knows what was written up to `known`. Primaries do not hear of it.
    pub(super) fn read_behind(&mut self, key: u64, now: SimTime, known: SimTime) -> Seen {
        self.expire(now);
        match self.kinds.iter().find_map(|kind| kind.peek(key)) {
            None => Seen::Nothing,
            Some(entry) if entry.written <= known => Seen::Current,
            Some(entry) if entry.overwrote => Seen::Stale,
            Some(_) => Seen::Nothing,
        }
    }

    /// Writes an item of so many bytes.
    pub(super) fn set(&mut self, key: u64, bytes: u64, now: SimTime, expires: SimTime) -> Written {
        self.expire(now);
        // Room is made before the earlier version goes: a write that is refused leaves it where it is.
        if !self.make_room(bytes, now) {
            return Written::Full;
        }
        let before = self.take(key);
        let frequency = before.map_or(LFU_NEW, |entry| entry.frequency);
        let entry = Entry { expires, used: now, written: now, overwrote: before.is_some(), frequency };
        let kind = if expires == SimTime::MAX { PERSISTENT } else { VOLATILE };
        if kind == VOLATILE {
            self.expiring.insert((expires, key));
        }
        self.kinds[kind].insert(key, bytes, entry);
        if let Some(recent) = &mut self.recent {
            while recent.front().is_some_and(|(at, _)| now.since(*at) > MOST_LAG) {
                recent.pop_front();
            }
            recent.push_back((now, key));
        }
        Written::Done
    }

    /// Deletes an item.
    pub(super) fn delete(&mut self, key: u64, now: SimTime) {
        self.expire(now);
        self.take(key);
    }

    /// Bytes and number of those items that fulfil a condition.
    pub(super) fn amount(&mut self, now: SimTime, of: impl Fn(u64) -> bool) -> (u64, u64) {
        self.expire(now);
        let all = self.kinds.iter().flat_map(LruCache::entries).filter(|(key, ..)| of(*key));
        all.fold((0, 0), |(bytes, items), (_, each, _)| (bytes + each, items + 1))
    }

    /// Takes those items out that fulfil a condition, the least recently used first.
    pub(super) fn take_out(&mut self, of: impl Fn(u64) -> bool) -> Vec<Moving> {
        let all = self.kinds.iter().flat_map(LruCache::entries).filter(|(key, ..)| of(*key));
        let moving: Vec<Moving> = all.map(|(key, bytes, entry)| Moving { key, bytes, entry: *entry }).collect();
        for item in &moving {
            self.take(item.key);
        }
        moving
    }

    /// Puts items in that were taken out of another shard, if they fit: nothing makes room for them.
    pub(super) fn put_in(&mut self, moving: Vec<Moving>) {
        for Moving { key, bytes, entry } in moving {
            let kind = if entry.expires == SimTime::MAX { PERSISTENT } else { VOLATILE };
            if kind == VOLATILE {
                self.expiring.insert((entry.expires, key));
            }
            self.kinds[kind].insert(key, bytes, entry);
        }
    }

    /// Everything is gone.
    pub(super) fn clear(&mut self) {
        self.kinds.iter_mut().for_each(LruCache::clear);
        self.expiring.clear();
        self.recent.iter_mut().for_each(VecDeque::clear);
    }

    /// A replica takes over that knows what was written up to `known`. Returns how many writes are lost. Of an item that
    /// was written over the earlier version is there again.
    pub(super) fn lose_since(&mut self, known: SimTime) -> u64 {
        let mut lost = 0;
        while let Some(&(_, key)) = self.recent.as_ref().and_then(VecDeque::back).filter(|(at, _)| *at > known) {
            if let Some(recent) = &mut self.recent {
                recent.pop_back();
            }
            lost += 1;
            let entry = self.kinds.iter().find_map(|kind| kind.peek(key));
            if entry.is_some_and(|entry| entry.written > known && !entry.overwrote) {
                self.take(key);
            }
        }
        lost
    }

    /// From now on there is so much room.
    pub(super) fn set_room(&mut self, room: u64, now: SimTime) {
        self.room = room;
        self.make_room(0, now);
    }

    pub(super) fn room(&self) -> u64 {
        self.room
    }

    pub(super) fn bytes(&self) -> u64 {
        self.kinds.iter().map(LruCache::bytes).sum()
    }

    pub(super) fn items(&self) -> usize {
        self.kinds.iter().map(LruCache::len).sum()
    }

    fn kind_of(&self, key: u64) -> Option<usize> {
        [VOLATILE, PERSISTENT].into_iter().find(|&kind| self.kinds[kind].contains(key))
    }

    fn take(&mut self, key: u64) -> Option<Entry> {
        let entry = self.kinds.iter_mut().find_map(|kind| kind.remove(key))?;
        if entry.expires != SimTime::MAX {
            self.expiring.remove(&(entry.expires, key));
        }
        Some(entry)
    }

    /// Drops what has had its time. (Redis drops it when it is asked for, and others by sampling ten times a second.)
    fn expire(&mut self, now: SimTime) {
        while let Some(&(at, key)) = self.expiring.first().filter(|(at, _)| *at <= now) {
            self.expiring.remove(&(at, key));
            self.kinds[VOLATILE].remove(key);
            self.expired += 1;
        }
    }

    /// Makes room for so many bytes, if the policy can.
    fn make_room(&mut self, bytes: u64, now: SimTime) -> bool {
        if bytes > self.room {
            return false;
        }
        while self.bytes() > self.room - bytes {
            let Some(key) = self.victim(now) else { return false };
            self.take(key);
            self.evicted += 1;
        }
        true
    }

    /// What goes next.
    fn victim(&mut self, now: SimTime) -> Option<u64> {
        let oldest = |kind: &LruCache<Entry>| kind.oldest().map(|(key, _, entry)| (entry.used, key));
        match self.policy {
            Policy::NoEviction => None,
            Policy::AllKeysLru => self.kinds.iter().filter_map(oldest).min().map(|(_, key)| key),
            Policy::VolatileLru => oldest(&self.kinds[VOLATILE]).map(|(_, key)| key),
            Policy::VolatileTtl => self.expiring.first().map(|(_, key)| *key),
            Policy::AllKeysRandom => self.any(true).map(|(key, _)| key),
            Policy::VolatileRandom => self.any(false).map(|(key, _)| key),
            Policy::AllKeysLfu | Policy::VolatileLfu => {
                let all = self.policy == Policy::AllKeysLfu;
                let samples = (0..SAMPLES).filter_map(|_| self.any(all));
                let rated = samples.map(|(key, entry)| (decayed(&entry, now), entry.used, key));
                rated.min().map(|(_, _, key)| key)
            }
        }
    }

    /// An item at random.
    fn any(&mut self, all: bool) -> Option<(u64, Entry)> {
        let persistent = if all { self.kinds[PERSISTENT].len() } else { 0 };
        let items = persistent + self.kinds[VOLATILE].len();
        let volatile = self.draws.below(items as u64) >= persistent as u64;
        self.kinds[usize::from(volatile)].any(&mut self.draws).map(|(key, entry)| (key, *entry))
    }
}

/// An item's frequency counter now.
fn decayed(entry: &Entry, now: SimTime) -> u8 {
    let minutes = now.since(entry.used).as_nanos() / LFU_DECAY.as_nanos();
    entry.frequency.saturating_sub(u8::try_from(minutes).unwrap_or(u8::MAX))
}

/// A frequency counter after another use: the higher, the less likely it rises (Redis, `LFULogIncr`).
fn risen(counter: u8, draws: &mut Stream) -> u8 {
    let above = f64::from(counter.saturating_sub(LFU_NEW));
    if draws.chance(1.0 / (above * LFU_LOG_FACTOR + 1.0)) { counter.saturating_add(1) } else { counter }
}
