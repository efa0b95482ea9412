//! The entries that a connection or a request is counted in, by slot (`track-sc0` and so on).

use std::sync::Arc;
use std::time::Instant;

use super::shared::SharedTable;
use super::spec::Key;
use super::track::{Event, Tracked};

/// Tracked entries by slot. Empty ones take no memory.
#[derive(Debug, Default)]
pub struct Slots {
    entries: Vec<Option<Tracked>>,
}

impl Slots {
    /// Nothing tracked.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// The entry tracked in a slot.
    pub fn get(&self, slot: usize) -> Option<&Tracked> {
        self.entries.get(slot)?.as_ref()
    }

    /// Whether nothing is tracked.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(Option::is_none)
    }

    /// Begins to track a key. A slot that is taken stays as it is; `None` then, and if the table is full.
    pub fn start(
        &mut self,
        slot: usize,
        table: &Arc<SharedTable>,
        key: Key,
        now: Instant,
    ) -> Option<&mut Tracked> {
        if self.get(slot).is_some() {
            return None;
        }
        let tracked = Tracked::start(table, key, now)?;
        if self.entries.len() <= slot {
            self.entries.resize_with(slot + 1, || None);
        }
        Some(self.entries[slot].insert(tracked))
    }

    /// Counts an event in every entry.
    pub fn count(&mut self, event: Event, now: Instant) {
        self.entries.iter_mut().flatten().for_each(|tracked| tracked.count(event, now));
    }

    /// Counts an event in every entry whose slot `nearer` does not use: what a request tracks hides what its connection
    /// tracks in the same slot.
    pub fn count_behind(&mut self, nearer: &Self, event: Event, now: Instant) {
        for (slot, tracked) in self.entries.iter_mut().enumerate() {
            if let Some(tracked) = tracked.as_mut().filter(|_| nearer.get(slot).is_none()) {
                tracked.count(event, now);
            }
        }
    }

    /// Ends all tracking.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stick::{DataType, KeyType, Store, TableSpec};

    #[test]
    fn a_slot_keeps_its_first_entry_and_hides_the_one_behind_it() {
        let now = crate::expr::testing::instant();
        let mut spec = TableSpec::new("t", KeyType::Integer, 10);
        spec.add_store(Store::new(DataType::HttpReqCnt));
        let table = SharedTable::new(spec, now);
        let read = |key| {
            let count = |table: &crate::stick::Table, id, ms| table.get(id, DataType::HttpReqCnt, 0, ms);
            table.lookup(&Key::Integer(key), now, count).flatten()
        };
        let (mut request, mut connection) = (Slots::new(), Slots::new());
        assert!(request.start(1, &table, Key::Integer(1), now).is_some());
        assert!(request.start(1, &table, Key::Integer(2), now).is_none(), "taken");
        assert!(connection.start(0, &table, Key::Integer(3), now).is_some());
        assert!(connection.start(1, &table, Key::Integer(4), now).is_some());
        request.count(Event::HttpRequest, now);
        connection.count_behind(&request, Event::HttpRequest, now);
        assert_eq!([read(1), read(2), read(3), read(4)], [Some(1), None, Some(1), Some(0)]);
        request.clear();
        assert!(request.is_empty() && !connection.is_empty());
    }
}
