//! Weights that checkers give: from the numbers of the file to those of the pool.

use lb_core::balance::weight::MAX;
use lb_core::health::Weighing;

/// How the weights of a service become those of its pool, seen from one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    /// The weight the file gives the server.
    pub(crate) own: u32,
    /// The greatest weight the file gives a server of the service.
    pub(crate) heaviest: u32,
    /// The algorithm knows no weights but zero.
    pub(crate) flat: bool,
}

impl Scale {
    /// A weight of the file as the pool has it.
    pub(crate) fn of(self, weight: u32) -> u32 {
        if self.flat {
            return weight.min(1);
        }
        if self.heaviest <= MAX {
            return weight.min(MAX);
        }
        let fitted = (u64::from(weight) * u64::from(MAX)).div_ceil(u64::from(self.heaviest));
        u32::try_from(fitted).unwrap_or(MAX).min(MAX)
    }

    /// The weight of the file and so much more or less.
    pub(crate) fn moved(self, by: i64) -> Weighing {
        let share = (i64::from(self.own).saturating_add(by)).clamp(0, i64::from(i32::MAX));
        let share = u32::try_from(share).unwrap_or(0);
        Weighing { weight: self.of(share), share }
    }

    /// What several checkers say, together; each moves the weight of the file.
    pub(crate) fn together(self, all: impl Iterator<Item = Weighing>) -> Option<Weighing> {
        let moves = all.map(|one| i64::from(one.share) - i64::from(self.own));
        moves.reduce(i64::saturating_add).map(|by| self.moved(by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Scale = Scale { own: 10, heaviest: 100, flat: false };

    #[test]
    fn weights_are_those_of_the_file_as_long_as_the_pool_has_them() {
        assert_eq!(PLAIN.moved(5), Weighing { weight: 15, share: 15 });
        assert_eq!(PLAIN.moved(-99), Weighing { weight: 0, share: 0 });
        assert_eq!(PLAIN.moved(1000), Weighing { weight: 256, share: 1010 });
    }

    #[test]
    fn greater_weights_keep_their_proportion_and_a_flat_algorithm_knows_only_zero() {
        let large = Scale { own: 1000, heaviest: 2000, flat: false };
        assert_eq!(large.moved(0), Weighing { weight: 128, share: 1000 });
        assert_eq!(large.moved(1000), Weighing { weight: 256, share: 2000 });
        let flat = Scale { flat: true, ..PLAIN };
        assert_eq!((flat.moved(0).weight, flat.moved(-10).weight), (1, 0));
        assert_eq!(flat.moved(5).share, 15);
    }

    #[test]
    fn several_checkers_move_the_weight_together() {
        let sum = PLAIN.together([PLAIN.moved(3), PLAIN.moved(-5)].into_iter());
        assert_eq!(sum, Some(PLAIN.moved(-2)));
        assert_eq!(PLAIN.together(std::iter::empty()), None);
    }
}
