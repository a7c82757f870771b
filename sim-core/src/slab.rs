//! A slab: values that come and go, found by keys that lapse when the value is gone.

use std::fmt;
use std::ops::{Index, IndexMut};

/// Names a value in a [`Slab`]. A key never names another value than the one it was given for, however often its slot is
/// used again. Ordered by slot, then by age.
///
/// One number, so that it is written and read in one piece: a key that was written in halves must be in memory before the processor
/// can read it as a whole. Packed, so that events and frames have room for a tag beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub struct Key(u64);

impl Key {
    /// A key that never names anything.
    pub const NONE: Self = Self::new(u32::MAX, u32::MAX);

    /// The key of a place in a slab and of how many values that place had held before.
    #[inline]
    #[must_use]
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self((slot as u64) << 32 | generation as u64)
    }
    /// Place in the slab.
    #[inline]
    #[must_use]
    pub const fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// How many values that place had held before.
    #[inline]
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE { f.write_str("none") } else { write!(f, "{}v{}", self.slot(), self.generation()) }
    }
}

#[derive(Clone, Debug)]
struct Slot<T> {
    /// That of the value it holds, or of the one it will hold next: no key has been given for that yet.
    generation: u32,
    /// The next vacant slot or [`NO_SLOT`]; [`OCCUPIED`].
    next: u32,
    value: T,
}

/// Ends the list of vacant slots; never the number of a slot.
const NO_SLOT: u32 = u32::MAX;
/// Marks a slot that is not vacant; never the number of a slot.
const OCCUPIED: u32 = u32::MAX - 1;

/// Values under generational keys; O(1) to insert, find and remove, without allocation in steady state. The slot vacated
/// last is filled first.
///
/// A value that was removed stays in its slot until that is filled again: nothing is moved out, and [`Slab::reuse`] need
/// only set what differs.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    vacant: u32,
    len: usize,
}

impl<T> Slab<T> {
    /// An empty slab.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), vacant: NO_SLOT, len: 0 }
    }

    /// Stores a value.
    ///
    /// # Panics
    /// If there are already 2^32 - 2 slots.
    #[inline]
    pub fn insert(&mut self, value: T) -> Key {
        if self.vacant == NO_SLOT {
            return self.grow(value);
        }
        let (key, place) = self.occupy();
        *place = value;
        key
    }

    /// Gives a key to a value that the caller is to set: it is whatever its slot held last, or `first()` where there is no
    /// vacant slot.
    ///
    /// # Panics
    /// If there are already 2^32 - 2 slots.
    #[inline(always)]
    pub fn reuse(&mut self, first: impl FnOnce() -> T) -> (Key, &mut T) {
        if self.vacant == NO_SLOT {
            return self.first_use(first);
        }
        self.occupy()
    }

    #[cold]
    fn first_use(&mut self, first: impl FnOnce() -> T) -> (Key, &mut T) {
        let key = self.grow(first());
        (key, &mut self.slots[key.slot() as usize].value)
    }

    /// Takes the slot vacated last, which must exist.
    #[inline]
    fn occupy(&mut self) -> (Key, &mut T) {
        self.len += 1;
        let slot = self.vacant;
        let place = &mut self.slots[slot as usize];
        self.vacant = std::mem::replace(&mut place.next, OCCUPIED);
        (Key::new(slot, place.generation), &mut place.value)
    }

    #[cold]
    fn grow(&mut self, value: T) -> Key {
        self.len += 1;
        let slot = self.slots.len() as u32;
        assert!(self.slots.len() < OCCUPIED as usize, "a slab has fewer than 2^32 - 1 slots");
        self.slots.push(Slot { generation: 0, next: OCCUPIED, value });
        Key::new(slot, 0)
    }

    /// Removes a value and shows it for the last time; `None` if the key has lapsed.
    #[inline]
    pub fn remove(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.slot() as usize).filter(|slot| slot.generation == key.generation())?;
        slot.generation += 1;
        // A slot whose generations are used up is not filled again, so that no old key can come back to life.
        slot.next = NO_SLOT;
        if slot.generation < u32::MAX {
            slot.next = std::mem::replace(&mut self.vacant, key.slot());
        }
        self.len -= 1;
        Some(&mut slot.value)
    }

    /// The value of a key; `None` if the key has lapsed.
    #[inline]
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.slot() as usize)?;
        (slot.generation == key.generation()).then_some(&slot.value)
    }

    /// The value of a key, to change; `None` if the key has lapsed.
    #[inline]
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.slot() as usize)?;
        (slot.generation == key.generation()).then_some(&mut slot.value)
    }

    /// Whether the key's value is still there.
    #[inline]
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All values with their keys, in order of slot.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let occupied = self.slots.iter().enumerate().filter(|(_, slot)| slot.next == OCCUPIED);
        occupied.map(|(at, slot)| (Key::new(at as u32, slot.generation), &slot.value))
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Index<Key> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, key: Key) -> &T {
        match self.get(key) {
            Some(value) => value,
            None => lapsed(key),
        }
    }
}

impl<T> IndexMut<Key> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut T {
        match self.get_mut(key) {
            Some(value) => value,
            None => lapsed(key),
        }
    }
}

#[cold]
#[inline(never)]
fn lapsed(key: Key) -> ! {
    panic!("the slab holds nothing under key {key:?}: it was removed, or never was there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn keys_are_small_and_lapse() {
        assert_eq!((size_of::<Key>(), align_of::<Key>()), (8, 4));
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some(&mut 'a'));
        assert_eq!(slab.remove(a), None);
        let c = slab.insert('c');
        assert_eq!((c.slot(), c.generation()), (a.slot(), 1));
        assert_eq!((slab.get(a), slab[b], slab[c]), (None, 'b', 'c'));
        assert!(!slab.contains(Key::NONE));
        assert_eq!(slab.remove(Key::NONE), None);
    }

    #[test]
    fn vacated_last_is_filled_first() {
        let mut slab = Slab::new();
        let keys: Vec<Key> = (0..4).map(|i| slab.insert(i)).collect();
        slab.remove(keys[1]);
        slab.remove(keys[3]);
        assert_eq!((slab.insert(9).slot(), slab.insert(9).slot(), slab.insert(9).slot()), (3, 1, 4));
    }

    #[test]
    fn a_slot_with_no_generations_left_is_retired() {
        let mut slab = Slab::new();
        let first = slab.insert(0);
        slab.slots[0].generation = u32::MAX - 1;
        let last = Key::new(0, u32::MAX - 1);
        assert_eq!(slab.remove(last), Some(&mut 0));
        assert!(!slab.contains(last) && !slab.contains(first));
        assert_eq!(slab.remove(last), None);
        assert_eq!(slab.insert(1), Key::new(1, 0));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    #[should_panic(expected = "nothing under key 0v0")]
    fn a_lapsed_key_says_so() {
        let mut slab = Slab::new();
        let key = slab.insert(1);
        slab.remove(key);
        let _ = slab[key];
    }

    #[test]
    fn a_slot_used_again_still_holds_what_it_held() {
        let mut slab = Slab::new();
        let (first, value) = slab.reuse(|| 1);
        assert_eq!(*value, 1);
        slab.remove(first);
        let (second, value) = slab.reuse(|| 2);
        assert_eq!((second.slot(), second.generation(), *value), (first.slot(), first.generation() + 1, 1));
        *value = 3;
        assert_eq!((slab.len(), slab.get(first), slab[second]), (1, None, 3));
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..200)) {
            let mut slab = Slab::new();
            let mut twin: BTreeMap<Key, usize> = BTreeMap::new();
            let mut given: Vec<Key> = Vec::new();
            for (number, (insert, which)) in steps.into_iter().enumerate() {
                if insert || given.is_empty() {
                    let key = slab.insert(number);
                    prop_assert!(twin.insert(key, number).is_none(), "a live key was given twice");
                    prop_assert!(!given.contains(&key), "a key was given twice");
                    given.push(key);
                } else {
                    let key = given[which.index(given.len())];
                    prop_assert_eq!(slab.get(key).copied(), twin.get(&key).copied());
                    prop_assert_eq!(slab.remove(key).copied(), twin.remove(&key));
                }
                prop_assert_eq!(slab.len(), twin.len());
            }
            let listed: Vec<(Key, usize)> = slab.iter().map(|(k, &v)| (k, v)).collect();
            prop_assert_eq!(listed, twin.into_iter().collect::<Vec<_>>());
        }
    }
}
