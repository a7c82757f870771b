//! What comes next: a short array in ascending order.

use super::Entry;
use super::radix::Radix;

/// Live entries above which the front gives its later part back.
const FULL: usize = 64;
/// How far from the end an entry's place is looked for one by one.
const NEAR: usize = 12;
/// What it keeps then.
const KEPT: usize = 32;
/// Capacity it is given, and above which an empty front is given a new array.
const CAPACITY: usize = 4 * FULL;

/// All pending entries with a time up to `until`, ascending by (time, seq) from `head` on.
#[derive(Clone, Debug)]
pub(super) struct Front<E> {
    entries: Vec<Entry<E>>,
    head: usize,
    until: u64,
    /// Live entries at which a spill is tried next.
    spill_at: usize,
}

impl<E: Copy> Front<E> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), head: 0, until: 0, spill_at: FULL }
    }

    /// The last instant of the range this front is responsible for.
    #[inline]
    pub(super) fn until(&self) -> u64 {
        self.until
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head == self.entries.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Key of the earliest entry; after every other key if there is none.
    #[inline]
    pub(super) fn first(&self) -> u128 {
        self.entries.get(self.head).map_or(u128::MAX, Entry::key)
    }

    /// Takes out the earliest entry, which must exist.
    #[inline]
    pub(super) fn pop(&mut self) -> Entry<E> {
        let entry = self.entries[self.head];
        self.head += 1;
        entry
    }

    /// Inserts an entry that is younger than all others, and whose time is at most `until`.
    #[inline]
    pub(super) fn insert(&mut self, entry: Entry<E>, later: &mut Radix<E>) {
        if self.entries.len() == self.entries.capacity() {
            self.make_room();
        }
        self.place(entry);
        if self.entries.len() - self.head > self.spill_at {
            self.spill(later);
        }
    }

    /// Sets the new entry in its place. Equal times keep their order: the new one is youngest. (What has been popped is no later
    /// than it, so it need not be told from what has not.)
    #[inline(always)]
    fn place(&mut self, entry: Entry<E>) {
        self.entries.push(entry);
        if let [.., last, _] = self.entries[..]
            && last.time > entry.time
        {
            self.move_forward(entry);
        }
    }

    /// Moves the last entry to where it belongs, most often near the end.
    #[inline(never)]
    fn move_forward(&mut self, entry: Entry<E>) {
        let live = &mut self.entries[self.head..];
        let mut at = live.len() - 1;
        let near = at.saturating_sub(NEAR);
        while at > near {
            let earlier = live[at - 1];
            if earlier.time <= entry.time {
                live[at] = entry;
                return;
            }
            live[at] = earlier;
            at -= 1;
        }
        let to = live[..at].partition_point(|earlier| earlier.time <= entry.time);
        live.copy_within(to..at, to + 1);
        live[to] = entry;
    }

    /// Drops what has been popped, if that is much; else the array grows.
    #[cold]
    fn make_room(&mut self) {
        if self.entries.capacity() == 0 {
            self.entries.reserve(CAPACITY);
        } else if self.head * 2 >= self.entries.len() {
            self.entries.drain(..self.head);
            self.head = 0;
        }
    }

    /// Makes an empty front responsible for times up to `until`, with the entries of `bucket` (in order of seq within each
    /// instant), which is left empty.
    pub(super) fn load(&mut self, bucket: &mut Vec<Entry<E>>, until: u64) {
        self.clear(until);
        for entry in &*bucket {
            self.place(*entry);
        }
        bucket.clear();
    }

    /// The same for entries that are in order already, however many: their array is taken over.
    pub(super) fn take_over(&mut self, bucket: &mut Vec<Entry<E>>, until: u64) {
        self.clear(until);
        std::mem::swap(&mut self.entries, bucket);
        self.spill_at = FULL.max(2 * self.entries.len());
    }

    fn clear(&mut self, until: u64) {
        self.entries.clear();
        if self.entries.capacity() > CAPACITY {
            self.entries = Vec::with_capacity(CAPACITY);
        }
        self.head = 0;
        self.until = until;
        self.spill_at = FULL;
    }

    /// Gives later entries back to the buckets and shortens the range, so that insertion stays cheap. Entries of one
    /// instant are never parted: while all belong to one, nothing is given back and insertion at the end costs nothing.
    #[cold]
    fn spill(&mut self, later: &mut Radix<E>) {
        let live = &self.entries[self.head..];
        let boundary = live[KEPT].time.max(live[0].time.saturating_add(1)).max(later.last().saturating_add(1));
        let keep = live.partition_point(|entry| entry.time < boundary);
        if 0 < keep && keep < live.len() {
            for &entry in &live[keep..] {
                later.push(entry);
            }
            self.entries.truncate(self.head + keep);
            self.until = boundary - 1;
        }
        self.spill_at = FULL.max(2 * (self.entries.len() - self.head));
    }

    /// Makes an empty front responsible for everything up to `until`, if it is not yet.
    #[inline]
    pub(super) fn cover(&mut self, until: u64) {
        self.until = self.until.max(until);
    }
}
