//! `balance leastconn`: the server with the fewest requests, served or waiting, for its weight.
//!
//! Idle servers come first, whatever their weight. Servers with equal loads take turns: whoever reached the load last
//! goes last.

use super::farm::Group;
use super::weight::{MAX, SCALE};
use super::{PickKey, ServerId};
use crate::heap::{IndexedHeap, Parked};

#[derive(Clone, Copy, Debug, Default)]
struct Burden {
    weight: u32,
    inflight: u32,
}

impl Burden {
    fn key(self) -> u64 {
        match self.inflight {
            0 => 0,
            inflight => (u64::from(inflight) + 1) * u64::from(MAX * SCALE) / u64::from(self.weight.max(1)),
        }
    }
}

pub(super) struct LeastConn {
    burdens: Vec<Burden>,
    heap: IndexedHeap<u64>,
    /// Servers passed over during one choice, kept to save an allocation.
    passed: Vec<Parked<u64>>,
}

impl LeastConn {
    pub(super) fn new(servers: usize) -> Self {
        Self {
            burdens: vec![Burden::default(); servers],
            heap: IndexedHeap::with_capacity(servers),
            passed: Vec::with_capacity(servers),
        }
    }

    fn update(&mut self, server: ServerId, change: impl FnOnce(&mut Burden)) {
        let burden = &mut self.burdens[server.index()];
        change(burden);
        let key = burden.key();
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
