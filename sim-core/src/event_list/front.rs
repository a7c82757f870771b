//! What comes next, and what is new: entries that stay where they are until they are taken out.

use super::Entry;
use super::radix::{self, Radix};
use super::tournament::{SLOT_BITS, SLOTS, Tournament};

/// How many entries are kept when there is no slot left.
const KEPT: usize = 32;
/// A key is the time since `base`, the turn in which the entry was ranked, and its slot, from the highest bit to the lowest.
const TURN_BITS: u32 = 16;
/// The turns there are, as they stand in a key. The last one is left out, so that no key is all ones.
const TURNS: u64 = ((1 << TURN_BITS) - 1) << SLOT_BITS;
/// How far keys tell times apart: 2^42 ns, 73 minutes.
const REACH: u64 = 1 << (64 - TURN_BITS - SLOT_BITS);
/// Capacity of a crowd's array above which it is given up when the crowd has gone.
const HOARD: usize = 256;

const _: () = assert!(radix::MOST <= SLOTS, "there are slots for what a refill brings");

/// All pending entries with a time before `end`, but for lanes' own; and, not ranked yet, what has been scheduled since the last refill.
#[derive(Clone, Debug)]
pub(super) struct Front<E> {
    /// By slot.
    entries: Vec<Entry<E>>,
    /// One bit for each slot without an entry.
    vacant: u64,
    /// The keys of the entries that are ranked.
    tournament: Tournament,
    ranked: usize,
    /// What keys count from.
    base: u64,
    turn: u64,
    /// What is ranked comes before it; what is in the buckets does not.
    end: u64,
    /// The slots of what is new, in the order of scheduling. Those before `looked_at` do not come before `end`.
    new: [u8; SLOTS],
    new_len: usize,
    looked_at: usize,
    /// A bucket of one instant with more entries than a refill may bring, taken out up to `head`. They are older than entries of the same
    /// instant in slots.
    crowd: Vec<Entry<E>>,
    head: usize,
}

/// Where the earliest entry of the front is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

impl Place {
    /// In the crowd, or nowhere if there is none.
    const NO_SLOT: Self = Self(SLOTS);
}

impl<E: Copy> Front<E> {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::with_capacity(SLOTS),
            vacant: u64::MAX,
            tournament: Tournament::new(),
            ranked: 0,
            base: 0,
            turn: 0,
            end: 0,
            new: [0; SLOTS],
            new_len: 0,
            looked_at: 0,
            crowd: Vec::new(),
            head: 0,
        }
    }

    /// Whether nothing is known of what comes next.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ranked == 0 && self.crowd.is_empty()
    }

    /// Entries that are ranked.
    #[inline]
    pub(super) fn ranked(&self) -> usize {
        self.ranked
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity() + self.crowd.capacity()
    }

    /// Takes in an entry that is younger than all others. Nothing is scheduled before `reached`, here as elsewhere.
    ///
    /// It is ranked later: an entry's time depends on samples, and a branch on what is not computed yet may go wrong.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<E>, reached: u64, later: &mut Radix<E>) {
        if self.vacant == 0 {
            self.make_room(reached, later);
        }
        let slot = self.put(entry);
        self.new[self.new_len % SLOTS] = slot as u8;
        self.new_len += 1;
    }

    /// Puts an entry into a vacant slot, which there must be.
    #[inline]
    fn put(&mut self, entry: Entry<E>) -> usize {
        let slot = self.vacant.trailing_zeros() as usize;
        self.vacant &= self.vacant - 1;
        match self.entries.get_mut(slot) {
            Some(place) => *place = entry,
            // Slots are taken from the lowest on.
            None => self.entries.push(entry),
        }
        slot
    }

    /// Ranks what is new and belongs here. The rest can wait until nothing is ranked.
    #[inline]
    pub(super) fn look_at_new(&mut self, reached: u64, later: &mut Radix<E>) {
        let mut kept = self.looked_at;
        for at in self.looked_at..self.new_len {
            let slot = self.new[at % SLOTS];
            if self.entries[usize::from(slot)].time < self.end {
                self.rank(usize::from(slot), reached, later);
            } else {
                self.new[kept % SLOTS] = slot;
                kept += 1;
            }
        }
        self.looked_at = kept;
        self.new_len = kept;
    }

    /// Ranks what is new and belongs here, and gives the rest to the buckets.
    pub(super) fn settle(&mut self, reached: u64, later: &mut Radix<E>) {
        self.looked_at = 0;
        self.look_at_new(reached, later);
        for &slot in &self.new[..self.new_len] {
            later.push(self.entries[usize::from(slot)]);
            self.vacant |= 1 << slot;
        }
        self.new_len = 0;
        self.looked_at = 0;
    }

    /// The earliest time of what is new; the end of time if nothing is.
    #[inline]
    pub(super) fn soonest_new(&self) -> u64 {
        let times = self.new[..self.new_len].iter().map(|&slot| self.entries[usize::from(slot)].time);
        times.min().unwrap_or(u64::MAX)
    }

    /// Ranks the entry in a slot, which is younger than all of its instant that are ranked.
    #[inline]
    fn rank(&mut self, slot: usize, reached: u64, later: &mut Radix<E>) {
        match self.entries[slot].time.checked_sub(self.base) {
            Some(since) if since < REACH && self.turn != TURNS => self.enter(slot, since),
            _ => self.rank_anew(Some(slot), SLOTS, reached, later),
        }
    }

    #[inline]
    fn enter(&mut self, slot: usize, since: u64) {
        self.tournament.enter(since << (TURN_BITS + SLOT_BITS) | self.turn | slot as u64);
        self.turn += 1 << SLOT_BITS;
        self.ranked += 1;
    }

    /// Where the earliest entry is: in the crowd, if there is one, since its instant was the next when it came here.
    #[inline]
    pub(super) fn first(&self) -> Place {
        if !self.crowd.is_empty() {
            return Place::NO_SLOT;
        }
        self.tournament.first().map_or(Place::NO_SLOT, Place)
    }

    /// Key of the entry at this place; after every other key if it is nowhere.
    #[inline]
    pub(super) fn key(&self, place: Place) -> u128 {
        match self.entries.get(place.0) {
            Some(entry) => entry.key(),
            None => self.crowd.get(self.head).map_or(u128::MAX, Entry::key),
        }
    }

    /// Takes out the entry at this place, which is the first.
    #[inline]
    pub(super) fn pop(&mut self, place: Place) -> Entry<E> {
        let Some(&entry) = self.entries.get(place.0) else { return self.pop_from_crowd() };
        self.tournament.leave(place.0);
        self.ranked -= 1;
        self.vacant |= 1 << place.0;
        entry
    }

    #[cold]
    fn pop_from_crowd(&mut self) -> Entry<E> {
        let entry = self.crowd[self.head];
        self.head += 1;
        if self.head == self.crowd.len() {
            self.crowd.clear();
            if self.crowd.capacity() > HOARD {
                self.crowd = Vec::new();
            }
        }
        entry
    }

    /// Lets keys count from `reached`. Nothing may be ranked.
    #[inline]
    pub(super) fn renew(&mut self, reached: u64) {
        self.base = reached;
        self.turn = 0;
    }

    /// Whether so many slots are vacant.
    #[inline]
    pub(super) fn has_room_for(&self, entries: usize) -> bool {
        self.ranked + self.new_len + entries <= SLOTS
    }

    /// Whether there are entries that are not ranked.
    #[inline]
    pub(super) fn has_new(&self) -> bool {
        self.new_len != 0
    }

    /// Whether keys can tell apart the times from `start` to before `end`. They may count from `start`, if nothing is ranked and, since it is
    /// not after `bound`, nothing will be before it.
    #[inline]
    pub(super) fn reaches(&self, start: u64, end: u64, bound: u64) -> bool {
        end - self.base <= REACH || (self.ranked == 0 && end - start <= REACH && start <= bound)
    }

    /// Makes the front responsible for a range that it reaches, with the entries of `bucket` (in order of seq within each instant),
    /// which is left empty.
    #[inline]
    pub(super) fn load(&mut self, bucket: &mut Vec<Entry<E>>, start: u64, end: u64) {
        if end - self.base > REACH {
            self.base = start;
        }
        self.end = end;
        for entry in &*bucket {
            let slot = self.put(*entry);
            self.enter(slot, entry.time - self.base);
        }
        bucket.clear();
    }

    /// Takes over a bucket of one instant, the next one, however many its entries are. More of that instant belongs here only if keys
    /// reach it.
    pub(super) fn take_over(&mut self, bucket: &mut Vec<Entry<E>>, instant: u64) {
        self.end = instant;
        std::mem::swap(&mut self.crowd, bucket);
        self.head = 0;
    }

    /// Makes the front responsible for what comes before `start` too, as far as it reaches.
    #[inline]
    pub(super) fn extend(&mut self, start: u64) {
        self.end = self.end.max(start.min(self.base.saturating_add(REACH)));
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, reached: u64, later: &mut Radix<E>) {
        self.settle(reached, later);
        if !self.has_room_for(SLOTS / 4) {
            self.rank_anew(None, KEPT, reached, later);
        }
    }

    /// Ranks what is ranked, and another, with keys that count from `reached`, but gives back to the buckets what is out of reach and all
    /// except the first `at_most`, or fewer: entries of one instant are never parted.
    #[cold]
    #[inline(never)]
    fn rank_anew(&mut self, another: Option<usize>, at_most: usize, reached: u64, later: &mut Radix<E>) {
        let mut slots: Vec<usize> = self.tournament.slots().chain(another).collect();
        slots.sort_unstable_by_key(|&slot| self.entries[slot].key());
        self.base = reached;
        self.end = self.end.min(reached.saturating_add(REACH));
        if let Some(&beyond) = slots.get(at_most) {
            self.end = self.end.min(self.entries[beyond].time);
        }
        self.tournament = Tournament::new();
        self.ranked = 0;
        self.turn = 0;
        for slot in slots {
            let entry = self.entries[slot];
            if entry.time < self.end {
                self.enter(slot, entry.time - reached);
            } else {
                later.push(entry);
                self.vacant |= 1 << slot;
            }
        }
    }
}
