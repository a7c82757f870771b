//! Constant delays: a FIFO each, merged at their heads.

use super::Entry;
use crate::SimDuration;
use std::collections::VecDeque;

/// Lanes that are FIFOs, as a power of two.
pub(super) const FIFO_BITS: u32 = 3;
const FIFOS: usize = 1 << FIFO_BITS;

/// Key of nothing: after every real key.
pub(super) const EMPTY: u128 = u128::MAX;

/// Names a lane of an event list: a constant delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(u16);

/// One FIFO per constant delay. Since the clock does not run backwards, each is in order without being sorted.
#[derive(Clone, Debug)]
pub(super) struct Lanes<E> {
    delays: Vec<SimDuration>,
    fifos: Vec<VecDeque<Entry<E>>>,
    /// A winner tree over the heads: the leaf of lane i is node `leaves + i`, the parent of node k is node k / 2, and each
    /// holds the least key among its leaves. Keys carry their lane in the bits below the sequence number.
    winners: Vec<u128>,
    leaves: usize,
}

impl<E: Copy> Lanes<E> {
    pub(super) fn new() -> Self {
        Self { delays: Vec::new(), fifos: Vec::new(), winners: vec![EMPTY; 2], leaves: 1 }
    }

    pub(super) fn lane(&mut self, delay: SimDuration) -> LaneId {
        let at = self.delays.iter().position(|&d| d == delay).unwrap_or_else(|| self.add(delay));
        assert!(at <= usize::from(u16::MAX), "at most 65 536 distinct lanes");
        LaneId(at as u16)
    }

    fn add(&mut self, delay: SimDuration) -> usize {
        self.delays.push(delay);
        if self.fifos.len() < FIFOS {
            self.fifos.push(VecDeque::new());
            self.leaves = self.fifos.len().next_power_of_two();
            self.winners = vec![EMPTY; 2 * self.leaves];
            for lane in 0..self.fifos.len() {
                self.renew(lane);
            }
        }
        self.delays.len() - 1
    }

    #[inline]
    pub(super) fn delay(&self, lane: LaneId) -> SimDuration {
        self.delays[usize::from(lane.0)]
    }

    #[inline]
    pub(super) fn is_fifo(&self, lane: LaneId) -> bool {
        usize::from(lane.0) < self.fifos.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.fifos.iter().map(VecDeque::capacity).sum()
    }

    /// Key of the earliest entry of all lanes, or [`EMPTY`].
    #[inline]
    pub(super) fn first(&self) -> u128 {
        self.winners[1]
    }

    #[inline]
    pub(super) fn push(&mut self, lane: LaneId, entry: Entry<E>) {
        let fifo = &mut self.fifos[usize::from(lane.0)];
        debug_assert!(fifo.back().is_none_or(|back| back.time <= entry.time), "time runs forward");
        let was_empty = fifo.is_empty();
        fifo.push_back(entry);
        if was_empty {
            self.renew(usize::from(lane.0));
        }
    }

    /// Takes out the earliest entry, which must exist.
    #[inline]
    pub(super) fn pop(&mut self) -> Entry<E> {
        let lane = self.first() as usize % FIFOS;
        let fifo = &mut self.fifos[lane];
        let entry = fifo[0];
        fifo.pop_front();
        self.renew(lane);
        entry
    }

    /// Plays the head of a lane up the tree. The opponents are known beforehand, so only the comparisons wait for each other.
    #[inline(never)]
    fn renew(&mut self, lane: usize) {
        let mut winner = self.fifos[lane].front().map_or(EMPTY, |head| head.key() | lane as u128);
        let mut node = self.leaves + lane;
        self.winners[node] = winner;
        while node > 1 {
            winner = lesser(winner, self.winners[node ^ 1]);
            node /= 2;
            self.winners[node] = winner;
        }
    }
}

/// The lesser of two keys, without a branch: which lane is first is anybody's guess, the branch predictor's too.
#[inline]
fn lesser(a: u128, b: u128) -> u128 {
    let mask = u64::from(b < a).wrapping_neg();
    let pick = |a: u64, b: u64| a ^ ((a ^ b) & mask);
    u128::from(pick((a >> 64) as u64, (b >> 64) as u64)) << 64 | u128::from(pick(a as u64, b as u64))
}
