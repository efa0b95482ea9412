//! `balance first`: the usable server with the lowest id that has room.
//!
//! Servers found full are struck off a list of candidates and put back when their load changes, so that a farm whose
//! first thousands of servers are full does not look at them again for every choice.

use super::bits::BitSet;
use super::farm::Group;
use super::{PickKey, ServerId};

pub(super) struct First {
    /// Rank of each server by id.
    rank: Vec<u32>,
    /// Server of each rank.
    server: Vec<ServerId>,
    /// Ranks of the usable servers.
    usable: BitSet,
    /// Those of them that may have room.
    candidates: BitSet,
}

impl First {
    pub(super) fn new(ids: &[u32]) -> Self {
        let mut server: Vec<_> = (0..ids.len() as u32).map(ServerId).collect();
        server.sort_by_key(|server| ids[server.index()]);
        let mut rank = vec![0; ids.len()];
        for (position, server) in server.iter().enumerate() {
            rank[server.index()] = position as u32;
        }
        let none = BitSet::new(ids.len());
        Self { rank, server, usable: none.clone(), candidates: none }
    }
}

impl Group for First {
    fn join(&mut self, server: ServerId, _weight: u32) {
        self.usable.insert(self.rank[server.index()]);
        self.candidates.insert(self.rank[server.index()]);
    }

    fn leave(&mut self, server: ServerId) {
        self.usable.remove(self.rank[server.index()]);
        self.candidates.remove(self.rank[server.index()]);
    }

    fn reweigh(&mut self, _server: ServerId, _weight: u32) {}

    fn load(&mut self, server: ServerId, _inflight: u32) {
        let rank = self.rank[server.index()];
        if self.usable.at_or_after(rank) == Some(rank) {
            self.candidates.insert(rank);
        }
    }

    fn limits(&mut self) {
        self.candidates.copy_from(&self.usable);
    }

    fn pick(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        let mut from = 0;
        let mut avoided = None;
        while let Some(rank) = self.candidates.at_or_after(from) {
            let server = self.server[rank as usize];
            if !key.occupancy.load(server).has_room() {
                self.candidates.remove(rank);
            } else if key.avoid == Some(server) {
                avoided = Some(server);
            } else {
                return Some(server);
            }
            from = rank + 1;
        }
        avoided
    }
}
