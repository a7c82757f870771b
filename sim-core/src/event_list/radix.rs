//! Everything later: buckets by the highest base-64 digit in which a time differs from a reference time.

use super::Entry;
use super::front::Front;

const BITS: u32 = 6;
const WIDTH: usize = 1 << BITS;
/// Digits of a 64-bit time.
const LEVELS: usize = 64usize.div_ceil(BITS as usize);
/// A bucket of at most so many entries is moved into the front; a larger one is spread over lower levels.
const SMALL: usize = 16;
/// The front is given buckets until it has so many entries.
const ENOUGH: usize = 16;
/// How many entries a refill may bring.
pub(super) const MOST: usize = ENOUGH - 1 + SMALL;
/// An emptied bucket of more than this capacity gives its memory back.
const HOARD: usize = 64;

/// A monotone radix heap. Entries of one instant are always in one bucket, in order of seq: they arrive so, and every
/// move keeps their order.
#[derive(Clone, Debug)]
pub(super) struct Radix<E> {
    /// `LEVELS` times `WIDTH`.
    buckets: Vec<Vec<Entry<E>>>,
    /// Per level, which buckets hold something.
    filled: [u64; LEVELS],
    /// Which levels hold something.
    levels: u32,
    /// The reference time: at most the time of any entry here, and not past the clock.
    last: u64,
}

impl<E: Copy> Radix<E> {
    pub(super) fn new() -> Self {
        let mut buckets = Vec::new();
        buckets.resize_with(LEVELS * WIDTH, Vec::new);
        Self { buckets, filled: [0; LEVELS], levels: 0, last: 0 }
    }

    pub(super) fn capacity(&self) -> usize {
        self.buckets.iter().map(Vec::capacity).sum()
    }

    /// Adds an entry.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<E>) {
        if entry.time < self.last {
            self.step_back(entry.time);
        }
        // The lowest bit is set so that an equal time falls into level 0 too.
        let level = ((entry.time ^ self.last) | 1).ilog2() / BITS;
        let digit = (entry.time >> (level * BITS)) as usize % WIDTH;
        self.filled[level as usize] |= 1 << digit;
        self.levels |= 1 << level;
        self.buckets[level as usize * WIDTH + digit].push(entry);
    }

    /// Moves the earliest entries into the front, in which nothing is ranked, and makes it responsible for the time up to what stays
    /// here. It gets no entries at all only if there are none up to `bound`, but it may get some after that.
    #[inline(always)]
    pub(super) fn refill(&mut self, front: &mut Front<E>, bound: u64) {
        while let Some((level, digit, start)) = self.first() {
            let at = level as usize * WIDTH + digit as usize;
            let bucket = &mut self.buckets[at];
            // The last of all buckets has no end that is a time: it is spread until an instant is left.
            let end = start.checked_add(1 << (level * BITS));
            if let Some(end) = end.filter(|&end| bucket.len() <= SMALL && front.reaches(start, end, bound))
                && front.ranked() < ENOUGH
            {
                front.load(bucket, start, end);
                self.take_out(level, digit);
            } else if start > bound || !front.is_empty() {
                break;
            } else if level == 0 {
                front.take_over(bucket, start);
                self.take_out(level, digit);
            } else {
                self.last = start;
                self.take_out(level, digit);
                self.spread(at);
            }
        }
        front.extend(self.start());
    }

    /// Nothing here is earlier.
    #[inline]
    pub(super) fn start(&self) -> u64 {
        self.first().map_or(u64::MAX, |(.., start)| start)
    }

    /// Notes that a bucket is empty.
    #[inline(always)]
    fn take_out(&mut self, level: u32, digit: u32) {
        let filled = &mut self.filled[level as usize];
        *filled ^= 1 << digit;
        self.levels &= !(u32::from(*filled == 0) << level);
    }

    /// The first bucket that holds something: its level, its digit, and where its range starts.
    #[inline(always)]
    fn first(&self) -> Option<(u32, u32, u64)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros();
        let digit = self.filled[level as usize].trailing_zeros();
        let shift = level * BITS;
        // Digits above this level are those of the reference time, digits below are zero.
        let above = (u64::MAX << shift) << BITS;
        Some((level, digit, self.last & above | u64::from(digit) << shift))
    }

    /// Distributes a bucket over lower levels, now that `last` is the start of its range.
    #[inline(never)]
    fn spread(&mut self, at: usize) {
        let mut bucket = std::mem::take(&mut self.buckets[at]);
        for &entry in &bucket {
            self.push(entry);
        }
        if bucket.capacity() <= HOARD {
            bucket.clear();
            self.buckets[at] = bucket;
        }
    }

    /// Makes the reference time earlier, by placing everything anew. The kernel never comes here: whoever does has looked ahead in vain and
    /// then scheduled something before what was looked at.
    #[cold]
    #[inline(never)]
    fn step_back(&mut self, to: u64) {
        let before = std::mem::replace(self, Self { last: to, ..Self::new() });
        for entry in before.buckets.into_iter().flatten() {
            self.push(entry);
        }
    }
}
