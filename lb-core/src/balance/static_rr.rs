//! `balance static-rr` and the map-based hashes: a table of servers in which each appears as often as its weight says.
//!
//! The table is laid out slot by slot. Every server earns its weight per slot and pays the total weight when it gets
//! one. A slot goes to the first server, in declaration order, that could pay in full; if there is none, to the first
//! that is not in debt. Both moments are known in advance for each server, so the layout costs a few heap operations
//! per slot rather than a look at every server.
//!
//! Weights are divided by their greatest common divisor first. They are those of the configuration; at run time a
//! server is in the table with its full weight or not at all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::farm::Group;
use super::hash::Hasher;
use super::{Key, PickKey, ServerId};

pub(super) struct Map {
    weights: Vec<u32>,
    /// Greatest common divisor of the configured weights.
    divisor: u32,
    table: Vec<ServerId>,
    stale: bool,
    /// Where the turn-taking goes on.
    next: usize,
    /// How to hash, or nothing for turn-taking only.
    hasher: Option<Hasher>,
}

impl Map {
    pub(super) fn new(configured: impl ExactSizeIterator<Item = u32>, hasher: Option<Hasher>) -> Self {
        let servers = configured.len();
        let divisor = configured.fold(0, greatest_common_divisor).max(1);
        Self { weights: vec![0; servers], divisor, table: Vec::new(), stale: true, next: 0, hasher }
    }

    fn set(&mut self, server: ServerId, weight: u32) {
        self.weights[server.index()] = weight.div_ceil(self.divisor);
        self.stale = true;
    }

    fn refresh(&mut self) {
        if self.stale {
            lay_out(&self.weights, &mut self.table);
            self.stale = false;
        }
    }

    /// Takes turns along the table, leaving out servers without room.
    fn turn(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        if self.next >= self.table.len() {
            self.next = 0;
        }
        let mut avoided = None;
        for (index, &server) in
            self.table.iter().enumerate().skip(self.next).chain(self.table.iter().enumerate().take(self.next))
        {
            if !key.occupancy.load(server).has_room() {
                continue;
            }
            if key.avoid != Some(server) {
                self.next = index + 1;
                return Some(server);
            }
            avoided = Some((index, server));
        }
        let (index, server) = avoided?;
        self.next = index + 1;
        Some(server)
    }
}

impl Group for Map {
    fn join(&mut self, server: ServerId, weight: u32) {
        self.set(server, weight);
    }

    fn leave(&mut self, server: ServerId) {
        self.set(server, 0);
    }

    fn reweigh(&mut self, server: ServerId, weight: u32) {
        self.set(server, weight);
    }

    fn pick(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        self.refresh();
        match &self.hasher {
            Some(hasher) if key.key != Key::None => {
                let hash = hasher.hash(key.key)?;
                self.table.get(hash as usize % self.table.len().max(1)).copied()
            }
            _ => self.turn(key),
        }
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Fills `table` with the servers whose weight is not 0.
fn lay_out(weights: &[u32], table: &mut Vec<ServerId>) {
    let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    table.clear();
    table.reserve_exact(total as usize);
    // Slots are counted from 1. A server with `taken` slots is out of debt from slot `taken * total / weight` on, and
    // able to pay in full one period later; both rounded up.
    let moment = |server: usize, taken: u64| (taken * total).div_ceil(u64::from(weights[server]));
    let mut taken = vec![0u64; weights.len()];
    let servers = || (0..weights.len()).filter(|&server| weights[server] > 0);
    // Moments to come, and servers for which they have passed in declaration order. An entry is out of date, and
    // skipped, when the server has taken a slot since.
    let mut coming_solvent: BinaryHeap<_> = servers().map(|s| Reverse((moment(s, 0), s, 0u64))).collect();
    let mut coming_rich: BinaryHeap<_> = servers().map(|s| Reverse((moment(s, 1), s, 0u64))).collect();
    let (mut solvent, mut rich) = (BinaryHeap::new(), BinaryHeap::new());
    for slot in 1..=total {
        pass_on(&mut coming_solvent, &mut solvent, slot);
        pass_on(&mut coming_rich, &mut rich, slot);
        let server = first_current(&mut rich, &taken).or_else(|| first_current(&mut solvent, &taken));
        let server = server.expect("the scores sum up to more than zero, so some server is out of debt");
        table.push(ServerId(server as u32));
        taken[server] += 1;
        coming_solvent.push(Reverse((moment(server, taken[server]), server, taken[server])));
        coming_rich.push(Reverse((moment(server, taken[server] + 1), server, taken[server])));
    }
}

/// A moment, the server it concerns, and how many slots that server had when the moment was computed.
type Coming = BinaryHeap<Reverse<(u64, usize, u64)>>;
type Current = BinaryHeap<Reverse<(usize, u64)>>;

fn pass_on(coming: &mut Coming, current: &mut Current, slot: u64) {
    while let Some(&Reverse((moment, server, taken))) = coming.peek()
        && moment <= slot
    {
        coming.pop();
        current.push(Reverse((server, taken)));
    }
}

fn first_current(current: &mut Current, taken: &[u64]) -> Option<usize> {
    while let Some(&Reverse((server, seen))) = current.peek() {
        if taken[server] == seen {
            return Some(server);
        }
        current.pop();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn table(weights: &[u32]) -> Vec<u32> {
        let mut table = Vec::new();
        lay_out(weights, &mut table);
        table.into_iter().map(|server| server.0).collect()
    }

    /// The rule of the module's documentation, spelled out with a look at every server for every slot.
    fn table_by_rule(weights: &[u32]) -> Vec<u32> {
        let total: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
        let mut scores = vec![0i64; weights.len()];
        let mut table = Vec::new();
        for _ in 0..total {
            for (score, &weight) in scores.iter_mut().zip(weights) {
                *score += i64::from(weight);
            }
            let usable = || (0..weights.len()).filter(|&server| weights[server] > 0);
            let best = usable()
                .find(|&s| scores[s] >= total)
                .or_else(|| usable().find(|&s| scores[s] >= 0))
                .unwrap();
            scores[best] -= total;
            table.push(best as u32);
        }
        table
    }

    #[test]
    fn known_layouts() {
        assert_eq!(table(&[3, 2, 1]), [0, 0, 1, 0, 1, 2]);
        assert_eq!(table(&[1, 1, 1]), [0, 1, 2]);
        assert_eq!(table(&[0, 2, 0, 1]), [1, 1, 3]);
        assert_eq!(table(&[]), Vec::<u32>::new());
    }

    #[test]
    fn the_layout_follows_the_rule() {
        let mut rng = Rng::new(11);
        for _ in 0..300 {
            let servers = 1 + rng.below(12) as usize;
            let weights: Vec<u32> = (0..servers).map(|_| rng.below(30) as u32).collect();
            assert_eq!(table(&weights), table_by_rule(&weights), "{weights:?}");
        }
    }
}
