//! A running digest of everything that happened: equal digests mean equal runs.

/// A 64-bit hash over a sequence of 64-bit words. The order of the words matters. Not cryptographic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    state: u64,
}

impl Digest {
    /// The digest of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: 0x243F_6A88_85A3_08D3 }
    }

    /// Appends a word.
    #[inline]
    pub const fn push(&mut self, word: u64) {
        // For a given state this is a bijection of the word, so one differing word always shows at once; the multiplication
        // by an odd constant and the shift carry it into every later state.
        let mixed = (self.state ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.state = mixed ^ (mixed >> 29);
    }

    /// Appends the bits of a number: `0.0` and `-0.0` differ, as do different NaNs.
    #[inline]
    pub const fn push_f64(&mut self, value: f64) {
        self.push(value.to_bits());
    }

    /// The digest of what has been pushed so far; more may be pushed afterwards.
    #[must_use]
    pub const fn finish(&self) -> u64 {
        crate::math::mix64(self.state)
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u64]) -> u64 {
        let mut digest = Digest::new();
        words.iter().for_each(|&w| digest.push(w));
        digest.finish()
    }

    #[test]
    fn order_length_and_every_bit_matter() {
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[]), of(&[0]));
        assert_ne!(of(&[0]), of(&[0, 0]));
        for bit in 0..64 {
            assert_ne!(of(&[7, 1 << bit, 9]), of(&[7, 0, 9]), "bit {bit}");
        }
    }

    #[test]
    fn value_is_pinned() {
        let mut digest = Digest::new();
        (0..100).for_each(|w| digest.push(w));
        digest.push_f64(0.1);
        assert_eq!(digest.finish(), 13_122_015_557_832_772_787);
    }
}
