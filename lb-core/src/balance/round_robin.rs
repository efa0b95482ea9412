//! `balance roundrobin`: weighted, smooth, with weights that may change at any time.
//!
//! Think of a row of numbered slots, one per choice. A server of weight `w` among a total of `W` is due every `W / w`
//! slots, the remainder being carried so that its share is exact in the long run. The server whose slot is reached is
//! chosen; of several due at once the heavier goes first, then the one queued earlier. If nobody is due, the slot is a
//! hole, and a server that has not been placed yet fills it, heaviest first. Servers that would fall beyond the coming
//! round are put off and start the next one unplaced.

use super::farm::Group;
use super::weight::{MAX, SCALE};
use super::{PickKey, ServerId};
use crate::heap::IndexedHeap;

/// Largest effective weight.
const HEAVIEST: u64 = (MAX * SCALE) as u64;

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    weight: u64,
    /// Slot in which the server is due; 0 before its first placement.
    due: u64,
    /// Slot in which it was due before that.
    last: u64,
    /// Remainder of the divisions so far, below the weight at that time; a server that was away takes it up again.
    rest: u64,
}

pub(super) struct RoundRobin {
    places: Vec<Place>,
    /// Placed servers, by slot and then weight.
    placed: IndexedHeap<u64>,
    /// Unplaced servers of this round, heaviest first.
    fresh: IndexedHeap<u64>,
    /// Servers put off to the next round, heaviest first.
    put_off: IndexedHeap<u64>,
    /// Servers passed over during one choice, kept to save an allocation.
    passed: Vec<ServerId>,
    /// Total weight of the usable servers.
    total: u64,
    /// Total weight when the round began: the length of the round.
    round: u64,
    /// Slot to fill next.
    slot: u64,
    settled: bool,
}

impl RoundRobin {
    pub(super) fn new(servers: usize) -> Self {
        Self {
            places: vec![Place::default(); servers],
            // A farm that no server ever joins needs no room.
            placed: IndexedHeap::with_capacity(0),
            fresh: IndexedHeap::with_capacity(0),
            put_off: IndexedHeap::with_capacity(0),
            passed: Vec::new(),
            total: 0,
            round: 0,
            slot: 0,
            settled: false,
        }
    }

    /// Queues a server according to its slot.
    fn place(&mut self, server: ServerId) {
        let place = &mut self.places[server.index()];
        if place.due >= 2 * self.round || place.due >= self.round + self.total {
            place.due -= self.round;
            self.put_off.set(server.0, HEAVIEST - place.weight);
        } else {
            let rank = (HEAVIEST + place.rest - place.weight) / u64::from(SCALE);
            self.placed.set(server.0, u64::from(MAX) * place.due + rank);
        }
    }

    /// Moves a server one period ahead, as if it had been used in its slot.
    fn advance(&mut self, server: ServerId) {
        let (slot, total) = (self.slot, self.total);
        let place = &mut self.places[server.index()];
        if place.due == 0 {
            place.due = slot;
        }
        place.last = place.due;
        place.due += total / place.weight;
        place.rest += total % place.weight;
        if place.rest >= place.weight {
            place.rest -= place.weight;
            place.due += 1;
        }
    }

    /// Takes the server for the current slot out of its queue.
    fn take(&mut self) -> Option<ServerId> {
        let due = self.placed.peek().filter(|&(server, _)| self.places[server as usize].due <= self.slot);
        if due.is_none()
            && let Some((server, _)) = self.fresh.pop()
        {
            let place = &mut self.places[server as usize];
            place.due = 0;
            place.rest = 0;
            return Some(ServerId(server));
        }
        self.placed.pop().map(|(server, _)| ServerId(server))
    }

    fn next_round(&mut self) {
        std::mem::swap(&mut self.fresh, &mut self.put_off);
        self.round = self.total;
        self.slot = self.total;
    }

    /// Queues a server that has just become usable, as if it had been used in this slot. In a round that is to last longer
    /// than all servers together still do, there is no slot for it.
    fn enter(&mut self, server: ServerId) {
        let place = &mut self.places[server.index()];
        match (self.total + self.round).checked_sub(self.slot) {
            Some(left) => {
                place.due = self.slot + left / place.weight;
                self.place(server);
            }
            None => self.put_off.set(server.0, HEAVIEST - place.weight),
        }
    }
}

impl Group for RoundRobin {
    fn join(&mut self, server: ServerId, weight: u32) {
        let weight = u64::from(weight);
        let all = self.places.len();
        [&mut self.placed, &mut self.fresh, &mut self.put_off].into_iter().for_each(|heap| heap.reserve(all));
        self.passed.reserve(all);
        self.total += weight;
        self.places[server.index()].weight = weight;
        if self.settled {
            self.enter(server);
        } else {
            self.fresh.set(server.0, HEAVIEST - weight);
        }
    }

    fn leave(&mut self, server: ServerId) {
        self.total -= self.places[server.index()].weight;
        self.placed.remove(server.0);
        self.fresh.remove(server.0);
        self.put_off.remove(server.0);
    }

    fn reweigh(&mut self, server: ServerId, weight: u32) {
        let weight = u64::from(weight);
        let (slot, round) = (self.slot, self.round);
        let place = &mut self.places[server.index()];
        self.total = self.total - place.weight + weight;
        place.weight = weight;
        if self.fresh.contains(server.0) {
            self.fresh.set(server.0, HEAVIEST - weight);
            return;
        }
        if self.put_off.remove(server.0) {
            place.due += round;
        }
        // Keep the place already earned if it is earlier than the one the new weight gives.
        let step = self.total / weight;
        place.due = place.due.min(place.last + step);
        place.rest = 0;
        if place.due < slot + 2 {
            place.due = slot + step;
        }
        self.placed.remove(server.0);
        self.place(server);
    }

    fn settle(&mut self) {
        self.round = self.total;
        self.slot = self.total;
        self.settled = true;
    }

    fn pick(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        if self.round == 0 {
            self.round = self.total;
            self.slot = self.total;
        }
        let mut new_round = false;
        let mut avoided = None;
        let chosen = loop {
            let Some(server) = self.take() else {
                if new_round {
                    break avoided;
                }
                new_round = true;
                self.next_round();
                continue;
            };
            self.advance(server);
            self.slot += 1;
            if key.occupancy.load(server).has_room() {
                if key.avoid != Some(server) {
                    break Some(server);
                }
                avoided = Some(server);
            }
            self.passed.push(server);
        };
        if let Some(server) = chosen {
            self.place(server);
        }
        while let Some(server) = self.passed.pop() {
            if Some(server) == chosen {
                continue;
            }
            if new_round {
                // Their slots belong to the round that has ended; only their weight still counts.
                self.fresh.set(server.0, HEAVIEST - self.places[server.index()].weight);
            } else {
                self.place(server);
            }
        }
        chosen
    }
}
