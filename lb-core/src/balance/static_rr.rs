//! `balance static-rr` and the map-based hashes: a table of servers in which each appears as often as its weight says.
//!
//! The table is laid out slot by slot. Every server earns its weight per slot and pays the total weight when it gets
//! one. A slot goes to the first server, in declaration order, that could pay in full; if there is none, to the first
//! that is not in debt. The slots at which a server has earned another full payment are known in advance, so the layout
//! takes a few steps per slot rather than a look at every server.
//!
//! Weights are divided by their greatest common divisor first. They are those of the configuration; at run time a
//! server is in the table with its full weight or not at all.

use super::bits::BitSet;
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
    let paydays = Paydays::new(weights, total);
    // Full payments each server has earned and not spent; -1 is debt.
    let mut credit = vec![0i64; weights.len()];
    let (mut solvent, mut rich) = (BitSet::new(weights.len()), BitSet::new(weights.len()));
    for server in (0..weights.len()).filter(|&server| weights[server] > 0) {
        solvent.insert(server as u32);
    }
    for slot in 1..=total {
        for &server in paydays.of(slot) {
            credit[server as usize] += 1;
            match credit[server as usize] {
                0 => solvent.insert(server),
                1 => rich.insert(server),
                _ => {}
            }
        }
        let server = rich.first().or_else(|| solvent.first());
        let server = server.expect("the scores sum up to more than zero, so some server is out of debt");
        table.push(ServerId(server));
        credit[server as usize] -= 1;
        match credit[server as usize] {
            -1 => solvent.remove(server),
            0 => rich.remove(server),
            _ => {}
        }
    }
}

/// For every slot, the servers that have earned another full payment with it.
struct Paydays {
    /// Where the servers of each slot begin.
    offsets: Vec<u32>,
    servers: Vec<u32>,
}

impl Paydays {
    fn new(weights: &[u32], total: u64) -> Self {
        // The n-th payment of a server of weight w is complete with slot n * total / w, rounded up.
        let slots =
            |weight: u32| (1..=u64::from(weight)).map(move |n| (n * total).div_ceil(weight.into()) as usize);
        let mut offsets = vec![0u32; total as usize + 2];
        for &weight in weights {
            slots(weight).for_each(|slot| offsets[slot + 1] += 1);
        }
        for slot in 1..offsets.len() {
            offsets[slot] += offsets[slot - 1];
        }
        let mut next = offsets.clone();
        let mut servers = vec![0; total as usize];
        for (server, &weight) in weights.iter().enumerate() {
            for slot in slots(weight) {
                servers[next[slot] as usize] = server as u32;
                next[slot] += 1;
            }
        }
        Self { offsets, servers }
    }

    fn of(&self, slot: u64) -> &[u32] {
        let slot = slot as usize;
        &self.servers[self.offsets[slot] as usize..self.offsets[slot + 1] as usize]
    }
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
