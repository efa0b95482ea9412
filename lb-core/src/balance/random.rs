//! `balance random`: draw a few servers by weight and take the least loaded of them.

use super::farm::Group;
use super::hash::Ring;
use super::{Load, PickKey, ServerId};
use crate::rng::Rng;

/// How often to draw again when only full servers were drawn.
const ROUNDS: u32 = 4;

pub(super) struct Random {
    ring: Ring,
    draws: u32,
    rng: Rng,
    /// How many there are to draw from.
    members: u32,
}

impl Random {
    pub(super) fn new(ring: Ring, draws: u32, rng: Rng) -> Self {
        Self { ring, draws: draws.max(1), rng, members: 0 }
    }

    /// The least loaded of some servers drawn at random.
    fn draw(&mut self, key: &PickKey<'_>) -> Option<(ServerId, Load)> {
        if self.members == 1 {
            let only = self.ring.any()?;
            return Some((only, key.occupancy.load(only)));
        }
        let mut best: Option<(ServerId, Load)> = None;
        for _ in 0..self.draws {
            let server = self.ring.nearest(self.rng.next_u32(), key)?;
            let drawn = (server, key.occupancy.load(server));
            best = match best {
                Some(best) if self.is_busier(drawn, best) => Some(best),
                _ => Some(drawn),
            };
        }
        best
    }

    /// Whether the first server has strictly more to do for its weight; of equal loads the request rate decides.
    fn is_busier(&self, (one, load): (ServerId, Load), (other, other_load): (ServerId, Load)) -> bool {
        let (weight, other_weight) = (u64::from(self.ring.weight(one)), u64::from(self.ring.weight(other)));
        let compare = |a: u32, b: u32| (u64::from(a) * other_weight).cmp(&(u64::from(b) * weight));
        compare(load.served, other_load.served).then_with(|| compare(load.rate, other_load.rate)).is_gt()
    }
}

impl Group for Random {
    fn join(&mut self, server: ServerId, weight: u32) {
        self.members += 1;
        self.ring.set_weight(server, weight);
    }

    fn leave(&mut self, server: ServerId) {
        self.members -= 1;
        self.ring.set_weight(server, 0);
    }

    fn reweigh(&mut self, server: ServerId, weight: u32) {
        self.ring.set_weight(server, weight);
    }

    fn ring_key(&mut self, server: ServerId, key: u32) {
        self.ring.set_key(server, key);
    }

    fn pick(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        // A full choice means waiting for any server rather than for this one. Before that, luck gets a few more
        // chances, so that nobody waits while most servers are idle.
        let rounds = if self.members > 1 { ROUNDS } else { 1 };
        (0..rounds).find_map(|_| self.draw(key).filter(|(_, load)| load.has_room())).map(|(server, _)| server)
    }
}
