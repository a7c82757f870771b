//! The least of up to 64 keys, found without a branch: which comes next is anybody's guess, the branch predictor's too.

pub(super) const SLOTS: usize = 64;
/// Low bits of a key that name its slot.
pub(super) const SLOT_BITS: u32 = SLOTS.ilog2();
const GROUP: usize = 8;
/// Key of nothing: after every other key.
const NONE: u64 = u64::MAX;

/// Keys by slot, and the least of each group of eight: a new key costs one comparison, taking out the least one eight and eight.
#[derive(Clone, Debug)]
pub(super) struct Tournament {
    keys: [u64; SLOTS],
    least: [u64; SLOTS / GROUP],
}

impl Tournament {
    pub(super) fn new() -> Self {
        Self { keys: [NONE; SLOTS], least: [NONE; SLOTS / GROUP] }
    }

    /// Gives the slot named by its low bits a key that is not all ones. It must have none.
    #[inline]
    pub(super) fn enter(&mut self, key: u64) {
        let slot = key as usize % SLOTS;
        self.keys[slot] = key;
        let least = &mut self.least[slot / GROUP];
        *least = key.min(*least);
    }

    /// Takes the slot's key away.
    #[inline]
    pub(super) fn leave(&mut self, slot: usize) {
        let slot = slot % SLOTS;
        self.keys[slot] = NONE;
        let (groups, _) = self.keys.as_chunks::<GROUP>();
        self.least[slot / GROUP] = least_of(&groups[slot / GROUP]);
    }

    /// The slot with the least key.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        let key = least_of(&self.least);
        (key != NONE).then_some(key as usize % SLOTS)
    }

    /// The slots that have keys.
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> {
        (0..SLOTS).filter(|&slot| self.keys[slot] != NONE)
    }
}

#[inline]
fn least_of(keys: &[u64; GROUP]) -> u64 {
    let [a, b, c, d, e, f, g, h] = *keys;
    a.min(b).min(c.min(d)).min(e.min(f).min(g.min(h)))
}
