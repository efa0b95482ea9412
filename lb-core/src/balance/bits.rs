//! A set of small numbers that finds its first member, or the next one, in a few steps.

/// A set of numbers below a fixed bound, with summary levels of one bit per 64 of the level below.
#[derive(Clone, Debug)]
pub(super) struct BitSet {
    levels: Vec<Vec<u64>>,
}

impl BitSet {
    pub(super) fn new(bound: usize) -> Self {
        let mut levels = Vec::new();
        let mut words = bound.div_ceil(64).max(1);
        loop {
            levels.push(vec![0; words]);
            if words == 1 {
                return Self { levels };
            }
            words = words.div_ceil(64);
        }
    }

    pub(super) fn insert(&mut self, number: u32) {
        let mut at = number as usize;
        for level in &mut self.levels {
            level[at / 64] |= 1 << (at % 64);
            at /= 64;
        }
    }

    pub(super) fn remove(&mut self, number: u32) {
        let mut at = number as usize;
        for level in &mut self.levels {
            level[at / 64] &= !(1 << (at % 64));
            if level[at / 64] != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// Makes this set equal to `other`, which must have the same bound.
    pub(super) fn copy_from(&mut self, other: &Self) {
        for (to, from) in self.levels.iter_mut().zip(&other.levels) {
            to.copy_from_slice(from);
        }
    }

    pub(super) fn first(&self) -> Option<u32> {
        self.at_or_after(0)
    }

    /// The first member that is not below `number`.
    pub(super) fn at_or_after(&self, number: u32) -> Option<u32> {
        let mut at = number as usize;
        for (height, level) in self.levels.iter().enumerate() {
            if at / 64 >= level.len() {
                return None;
            }
            let rest = level[at / 64] & (u64::MAX << (at % 64));
            if rest != 0 {
                return Some(self.descend(height, (at & !63) + rest.trailing_zeros() as usize));
            }
            // Nothing left in this word: go on behind it, one level up.
            at = at / 64 + 1;
        }
        None
    }

    fn descend(&self, height: usize, mut at: usize) -> u32 {
        for level in self.levels[..height].iter().rev() {
            at = at * 64 + level[at].trailing_zeros() as usize;
        }
        at as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn agrees_with_an_ordered_set() {
        for bound in [1, 64, 65, 4096, 5000, 300_000] {
            let mut rng = Rng::new(bound);
            let mut bits = BitSet::new(bound as usize);
            let mut model = BTreeSet::new();
            for _ in 0..2000 {
                let number = rng.below(bound) as u32;
                if rng.below(2) == 0 {
                    bits.insert(number);
                    model.insert(number);
                } else {
                    bits.remove(number);
                    model.remove(&number);
                }
                let from = rng.below(bound) as u32;
                assert_eq!(bits.first(), model.first().copied());
                assert_eq!(bits.at_or_after(from), model.range(from..).next().copied(), "{bound} {from}");
            }
        }
    }
}
