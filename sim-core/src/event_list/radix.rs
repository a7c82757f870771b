//! Everything later: buckets by the highest base-64 digit in which a time differs from a reference time.

use super::Entry;
use super::front::Front;

const BITS: u32 = 6;
const WIDTH: usize = 1 << BITS;
/// Digits of a 64-bit time.
const LEVELS: usize = 64usize.div_ceil(BITS as usize);
/// A bucket of at most so many entries is sorted into the front; a larger one is spread over lower levels.
const SORTED: usize = 8;
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

    #[inline]
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds an entry with a time not before `last`.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<E>) {
        debug_assert!(entry.time >= self.last, "buckets hold nothing before their reference time");
        // The lowest bit is set so that an equal time falls into level 0 too.
        let level = ((entry.time ^ self.last) | 1).ilog2() / BITS;
        let digit = (entry.time >> (level * BITS)) as usize % WIDTH;
        self.filled[level as usize] |= 1 << digit;
        self.levels |= 1 << level;
        self.buckets[level as usize * WIDTH + digit].push(entry);
    }

    /// Moves the earliest entries into the empty front, unless their range begins after `bound`. The front may get entries
    /// after `bound`; it gets none at all only if there are none up to `bound`.
    #[inline(always)]
    pub(super) fn refill(&mut self, front: &mut Front<E>, bound: u64) {
        while self.levels != 0 {
            let level = self.levels.trailing_zeros();
            let filled = &mut self.filled[level as usize];
            let digit = filled.trailing_zeros();
            let shift = level * BITS;
            // Digits above this level are those of the reference time, digits below are zero.
            let from_here_on = u64::MAX << shift;
            let start = (self.last & (from_here_on << BITS)) | u64::from(digit) << shift;
            if start > bound {
                return;
            }
            self.last = start;
            *filled &= *filled - 1;
            if *filled == 0 {
                self.levels &= self.levels - 1;
            }
            let at = level as usize * WIDTH + digit as usize;
            let until = start | !from_here_on;
            if self.buckets[at].len() <= SORTED {
                return front.load(&mut self.buckets[at], until);
            }
            if level == 0 {
                return front.take_over(&mut self.buckets[at], until);
            }
            self.spread(at);
            // Should someone come back to an instant before the reference time, the front is where that goes.
            front.cover(start.saturating_sub(1));
        }
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
}
