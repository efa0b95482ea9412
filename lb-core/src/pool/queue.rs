//! Requests that wait for a server: in which order, and what became of them.
//!
//! A queue orders by priority class, then by the time of arrival shifted by a priority offset, then by arrival. Every
//! waiting request has an entry in one table shared by all queues of a pool; the queues hold the entries' numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use super::cell::ServerCell;

/// Place of a request in the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// `set-priority-class`: lower goes first, whatever the time.
    pub(super) class: i16,
    /// Milliseconds since the pool's origin plus `set-priority-offset`.
    pub(super) at: i64,
    /// Order of arrival.
    pub(super) sequence: u64,
}

/// One queue, of a server or of the pool itself.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: BTreeMap<Rank, u32>,
    /// How many entries were served from here so far; tells a request how many went before it.
    served: u64,
}

impl Queue {
    pub(super) fn len(&self) -> u32 {
        self.order.len() as u32
    }

    pub(super) fn first(&self) -> Option<(Rank, u32)> {
        self.order.first_key_value().map(|(&rank, &entry)| (rank, entry))
    }

    fn insert(&mut self, rank: Rank, entry: u32) {
        self.order.insert(rank, entry);
    }

    fn remove(&mut self, rank: Rank) {
        self.order.remove(&rank);
    }
}

/// What has become of a waiting request.
#[derive(Debug)]
pub(super) enum Fate {
    /// It waits, for this server or for any.
    Waiting(Option<Arc<ServerCell>>),
    /// It has a slot on this server, which it must use or give back.
    Granted(Arc<ServerCell>),
    /// Its queue was dissolved; it must ask again.
    Evicted,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) rank: Rank,
    pub(super) fate: Fate,
    pub(super) waker: Option<Waker>,
    /// `served` of its queue when it arrived; once it left the queue, its position: 1 plus those served before it.
    position: u64,
}

/// The entries of all waiting requests of a pool.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    sequence: u64,
}

impl WaitingRoom {
    /// Puts a request into a queue.
    pub(super) fn enter(
        &mut self,
        queue: &mut Queue,
        server: Option<Arc<ServerCell>>,
        class: i16,
        at: i64,
    ) -> u32 {
        let rank = Rank { class, at, sequence: self.sequence };
        self.sequence += 1;
        let entry = Entry { rank, fate: Fate::Waiting(server), waker: None, position: queue.served };
        let number = match self.free.pop() {
            Some(number) => {
                self.entries[number as usize] = Some(entry);
                number
            }
            None => {
                self.entries.push(Some(entry));
                (self.entries.len() - 1) as u32
            }
        };
        queue.insert(rank, number);
        number
    }

    /// Takes a request out of its queue because it got a slot. Returns who is to be woken.
    pub(super) fn grant(&mut self, queue: &mut Queue, number: u32, server: Arc<ServerCell>) -> Option<Waker> {
        let entry = self.entry(number);
        queue.remove(entry.rank);
        entry.position = queue.served - entry.position + 1;
        entry.fate = Fate::Granted(server);
        queue.served += 1;
        entry.waker.take()
    }

    /// Dissolves a queue; calls `wake` for everybody to be woken. Returns how many requests were evicted.
    pub(super) fn evict(&mut self, queue: &mut Queue, wake: &mut Vec<Waker>) -> u32 {
        let order = std::mem::take(&mut queue.order);
        let evicted = order.len() as u32;
        for number in order.into_values() {
            let entry = self.entry(number);
            entry.position = queue.served - entry.position + 1;
            entry.fate = Fate::Evicted;
            wake.extend(entry.waker.take());
        }
        evicted
    }

    /// The position of a request: 1 plus those served from its queue since it came.
    pub(super) fn position(&self, queue: &Queue, number: u32) -> u64 {
        let entry = self.entries[number as usize].as_ref();
        entry.map_or(0, |entry| queue.served - entry.position + 1)
    }

    /// Takes a waiting request out of its queue because it gave up.
    pub(super) fn withdraw(&mut self, queue: &mut Queue, number: u32) {
        queue.remove(self.entry(number).rank);
        self.release(number);
    }

    /// Forgets an entry that is no longer in a queue. Returns its fate and its position.
    pub(super) fn release(&mut self, number: u32) -> (Fate, u64) {
        let entry = self.entries[number as usize].take().expect("a ticket owns its entry");
        self.free.push(number);
        (entry.fate, entry.position)
    }

    pub(super) fn entry(&mut self, number: u32) -> &mut Entry {
        self.entries[number as usize].as_mut().expect("queues and tickets refer to live entries")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_goes_before_time_and_time_before_arrival() {
        let mut room = WaitingRoom::default();
        let mut queue = Queue::default();
        let cell = Arc::new(ServerCell::for_test("s"));
        for (class, at) in [(0, 5), (0, 3), (1, 0), (-1, 9), (0, 3)] {
            room.enter(&mut queue, None, class, at);
        }
        let mut order = Vec::new();
        while let Some((_, number)) = queue.first() {
            room.grant(&mut queue, number, Arc::clone(&cell));
            order.push(number);
        }
        assert_eq!(order, [3, 1, 4, 0, 2]);
    }

    #[test]
    fn a_request_learns_its_position() {
        let mut room = WaitingRoom::default();
        let mut queue = Queue::default();
        let cell = Arc::new(ServerCell::for_test("s"));
        let numbers: Vec<_> = (0..3).map(|at| room.enter(&mut queue, None, 0, at)).collect();
        assert_eq!(room.position(&queue, numbers[2]), 1);
        room.withdraw(&mut queue, numbers[1]);
        for number in [numbers[0], numbers[2]] {
            room.grant(&mut queue, number, Arc::clone(&cell));
        }
        let late = room.enter(&mut queue, None, 0, 9);
        room.grant(&mut queue, late, Arc::clone(&cell));
        assert_eq!(room.release(numbers[0]).1, 1);
        assert_eq!(room.release(numbers[2]).1, 2);
        assert_eq!(room.release(late).1, 1);
    }

    #[test]
    fn entries_are_reused() {
        let mut room = WaitingRoom::default();
        let mut queue = Queue::default();
        for _ in 0..10 {
            let number = room.enter(&mut queue, None, 0, 0);
            room.withdraw(&mut queue, number);
        }
        assert_eq!(room.entries.len(), 1);
        assert_eq!(queue.len(), 0);
    }
}
