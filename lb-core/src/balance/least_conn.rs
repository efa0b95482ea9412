//! `balance leastconn`: the server with the fewest requests, served or waiting, for its weight; and its relatives of IPVS.
//!
//! Servers with equal loads take turns: whoever reached the load last goes last.

use super::farm::Group;
use super::weight::{MAX, SCALE};
use super::{PickKey, ServerId};
use crate::heap::{IndexedHeap, Parked};

/// What makes one server less loaded than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// The share it would have with one more; idle servers come first whatever their weight (`leastconn`, `nq`).
    IdleFirst,
    /// The share it would have with one more (`sed`).
    ShortestDelay,
    /// The share it has (`wlc`).
    Fewest,
}

#[derive(Clone, Copy, Debug, Default)]
struct Burden {
    weight: u32,
    inflight: u32,
}

impl Burden {
    fn key(self, rank: Rank) -> u64 {
        let more = match (rank, self.inflight) {
            (Rank::IdleFirst, 0) => return 0,
            (Rank::Fewest, _) => 0,
            _ => 1,
        };
        (u64::from(self.inflight) + more) * u64::from(MAX * SCALE) / u64::from(self.weight.max(1))
    }
}

pub(super) struct LeastConn {
    rank: Rank,
    burdens: Vec<Burden>,
    heap: IndexedHeap<u64>,
    /// Servers passed over during one choice, kept to save an allocation.
    passed: Vec<Parked<u64>>,
}

impl LeastConn {
    pub(super) fn new(servers: usize, rank: Rank) -> Self {
        Self {
            rank,
            burdens: vec![Burden::default(); servers],
            heap: IndexedHeap::with_capacity(servers),
            passed: Vec::with_capacity(servers),
        }
    }

    fn update(&mut self, server: ServerId, change: impl FnOnce(&mut Burden)) {
        let burden = &mut self.burdens[server.index()];
        change(burden);
        let key = burden.key(self.rank);
        // A server whose key stays the same keeps its rank among its equals.
        if burden.weight > 0 && self.heap.key(server.0) != Some(key) {
            self.heap.set(server.0, key);
        }
    }
}

impl Group for LeastConn {
    fn join(&mut self, server: ServerId, weight: u32) {
        self.update(server, |burden| burden.weight = weight);
    }

    fn leave(&mut self, server: ServerId) {
        self.burdens[server.index()].weight = 0;
        self.heap.remove(server.0);
    }

    fn reweigh(&mut self, server: ServerId, weight: u32) {
        self.update(server, |burden| burden.weight = weight);
    }

    fn load(&mut self, server: ServerId, inflight: u32) {
        self.update(server, |burden| burden.inflight = inflight);
    }

    fn pick(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        let mut avoided = None;
        let chosen = loop {
            let Some((server, _)) = self.heap.peek() else { break avoided };
            let server = ServerId(server);
            if key.occupancy.load(server).has_room_or_queue() {
                if key.avoid != Some(server) {
                    break Some(server);
                }
                avoided = Some(server);
            }
            self.passed.extend(self.heap.park());
        };
        for parked in self.passed.drain(..) {
            self.heap.restore(parked);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who gets the next connections when none ends; the weights are 3 and 1.
    fn picks(rank: Rank, count: usize) -> Vec<u32> {
        let mut group = LeastConn::new(2, rank);
        group.join(ServerId(0), 3 * SCALE);
        group.join(ServerId(1), SCALE);
        let mut inflight = [0; 2];
        let pick = |_| {
            let server = group.pick(&PickKey::new()).unwrap();
            inflight[server.index()] += 1;
            group.load(server, inflight[server.index()]);
            server.0
        };
        (0..count).map(pick).collect()
    }

    #[test]
    fn idle_servers_come_first_only_where_the_rank_says_so() {
        assert_eq!(picks(Rank::IdleFirst, 4), [0, 1, 0, 0]);
        assert_eq!(picks(Rank::ShortestDelay, 4), [0, 0, 1, 0]);
        assert_eq!(picks(Rank::Fewest, 4), [0, 1, 0, 0]);
    }

    #[test]
    fn in_the_long_run_every_rank_keeps_the_proportion_of_the_weights() {
        for rank in [Rank::IdleFirst, Rank::ShortestDelay, Rank::Fewest] {
            let first = picks(rank, 400).iter().filter(|server| **server == 0).count();
            assert!((299..=301).contains(&first), "{rank:?}: {first}");
        }
    }
}
