//! The table itself: entries by key, oldest first when room is needed.
//!
//! A plain single-threaded structure. Entries live in a slab and hang in a list ordered by their
//! last update, so that finding the next one to expire and dropping the oldest take constant time
//! and memory never exceeds the configured size.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::rate::Rate;
use super::spec::{DataType, Key, TableSpec};

const NONE: u32 = u32::MAX;

/// Identifies an entry while it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryId {
    index: u32,
    generation: u32,
}

/// One stored value.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Count(u64),
    Rate(Rate, u64),
}

#[derive(Clone, Debug)]
struct Entry {
    key: Key,
    generation: u32,
    /// Trackers; entries in use are never dropped.
    users: u32,
    /// When it expires, in milliseconds; `u64::MAX` for never.
    expires: u64,
    slots: Box<[Slot]>,
    server: Option<Arc<str>>,
    newer: u32,
    older: u32,
    used: bool,
}

/// A stick table. Times are milliseconds on the monotonic scale of its owner.
#[derive(Debug)]
pub struct Table<S = RandomState> {
    spec: Arc<TableSpec>,
    /// First slot of each data type.
    layout: [Option<u16>; DataType::ALL.len()],
    template: Box<[Slot]>,
    size: usize,
    index: HashMap<Key, u32, S>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

/// A copy of one entry for dumps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryView {
    /// The key.
    pub key: Key,
    /// Trackers.
    pub users: u32,
    /// Milliseconds until it expires; `None` for never.
    pub expires_in: Option<u64>,
    /// Values in the order of the table's stores, arrays element by element.
    pub values: Vec<(DataType, u8, u64)>,
    /// Name of the server, if stored.
    pub server: Option<Arc<str>>,
}

impl<S: BuildHasher + Default> Table<S> {
    /// An empty table for at most `size` entries (a shard's share of the configured size).
    pub fn new(spec: Arc<TableSpec>, size: usize) -> Self {
        let mut layout = [None; DataType::ALL.len()];
        let mut template = Vec::new();
        for store in &spec.stores {
            layout[store.data.number()] = u16::try_from(template.len()).ok();
            let slot = if store.data.is_rate() {
                Slot::Rate(Rate::default(), store.period.as_millis() as u64)
            } else {
                Slot::Count(0)
            };
            template.extend(std::iter::repeat_n(slot, usize::from(store.count.max(1))));
        }
        Self {
            spec,
            layout,
            template: template.into(),
            size: size.min(NONE as usize - 1),
            index: HashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// The configuration.
    pub const fn spec(&self) -> &Arc<TableSpec> {
        &self.spec
    }

    /// Entries, expired ones not yet dropped included.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Most entries it holds.
    pub const fn capacity(&self) -> usize {
        self.size
    }

    /// The entry of a key.
    pub fn find(&self, key: &Key, now: u64) -> Option<EntryId> {
        let index = *self.index.get(key)?;
        let entry = &self.entries[index as usize];
        if entry.users == 0 && entry.expires <= now {
            return None;
        }
        Some(EntryId { index, generation: entry.generation })
    }

    /// The entry of a key, created if needed, its life prolonged. `None` when the table is full
    /// of entries that may not be dropped.
    pub fn find_or_insert(&mut self, key: &Key, now: u64) -> Option<EntryId> {
        if let Some(id) = self.find(key, now) {
            self.touch(id, now);
            return Some(id);
        }
        if let Some(expired) = self.index.get(key).copied() {
            self.drop_entry(expired);
        }
        self.drop_expired(now, 4);
        if self.index.len() >= self.size && (self.spec.nopurge || !self.drop_oldest()) {
            return None;
        }
        let index = self.allocate(key, now);
        self.index.insert(key.clone(), index);
        self.link_newest(index);
        let generation = self.entries[index as usize].generation;
        self.check_invariants();
        Some(EntryId { index, generation })
    }

    /// Prolongs an entry's life as an update does.
    pub fn touch(&mut self, id: EntryId, now: u64) {
        let expires = self.expiry(now);
        let Some(entry) = self.entry_mut(id) else { return };
        entry.expires = expires;
        self.unlink(id.index);
        self.link_newest(id.index);
    }

    /// Removes an entry unless it is tracked; false if it stays.
    pub fn remove(&mut self, id: EntryId) -> bool {
        match self.entry(id) {
            Some(entry) if entry.users == 0 => {
                self.drop_entry(id.index);
                self.check_invariants();
                true
            }
            _ => false,
        }
    }

    /// Drops up to `limit` expired entries; the number dropped.
    pub fn drop_expired(&mut self, now: u64, limit: usize) -> usize {
        let (mut dropped, mut index) = (0, self.oldest);
        while index != NONE && dropped < limit {
            let entry = &self.entries[index as usize];
            if entry.expires > now {
                break;
            }
            let newer = entry.newer;
            if entry.users == 0 {
                self.drop_entry(index);
                dropped += 1;
            }
            index = newer;
        }
        dropped
    }

    /// Starts tracking: the entry will not be dropped until [`Table::release`].
    pub fn acquire(&mut self, id: EntryId) {
        if let Some(entry) = self.entry_mut(id) {
            entry.users = entry.users.saturating_add(1);
        }
    }

    /// Ends tracking.
    pub fn release(&mut self, id: EntryId, now: u64) {
        if let Some(entry) = self.entry_mut(id) {
            entry.users = entry.users.saturating_sub(1);
        }
        self.touch(id, now);
    }

    /// Trackers of an entry.
    pub fn users(&self, id: EntryId) -> u32 {
        self.entry(id).map_or(0, |entry| entry.users)
    }

    /// Milliseconds until an entry expires; `None` for never.
    pub fn expires_in(&self, id: EntryId, now: u64) -> Option<u64> {
        let expires = self.entry(id)?.expires;
        (expires != u64::MAX).then(|| expires.saturating_sub(now))
    }

    /// Reads a value; `None` if the table does not store it.
    pub fn get(&self, id: EntryId, data: DataType, element: u8, now: u64) -> Option<u64> {
        let slot = self.slot_index(data, element)?;
        Some(match self.entry(id)?.slots[slot] {
            Slot::Count(value) => value,
            Slot::Rate(rate, period) => rate.read(now, period).into(),
        })
    }

    /// Adds to a counter, or counts events in a rate; the new value.
    pub fn add(&mut self, id: EntryId, data: DataType, element: u8, by: u64, now: u64) -> Option<u64> {
        let slot = self.slot_index(data, element)?;
        Some(match &mut self.entry_mut(id)?.slots[slot] {
            Slot::Count(value) => {
                *value = value.saturating_add(by);
                *value
            }
            Slot::Rate(rate, period) => {
                rate.add(u32::try_from(by).unwrap_or(u32::MAX), now, *period);
                rate.read(now, *period).into()
            }
        })
    }

    /// The rate that an entry stores, with its period in milliseconds.
    pub fn rate(&mut self, id: EntryId, data: DataType) -> Option<(&mut Rate, u64)> {
        let slot = self.slot_index(data, 0)?;
        match &mut self.entry_mut(id)?.slots[slot] {
            Slot::Rate(rate, period) => Some((rate, *period)),
            Slot::Count(_) => None,
        }
    }

    /// Subtracts from a counter.
    pub fn subtract(&mut self, id: EntryId, data: DataType, by: u64) {
        let Some(slot) = self.slot_index(data, 0) else { return };
        if let Some(Slot::Count(value)) = self.entry_mut(id).map(|entry| &mut entry.slots[slot]) {
            *value = value.saturating_sub(by);
        }
    }

    /// Overwrites a value; rates begin anew with so many events. The value before.
    pub fn set(&mut self, id: EntryId, data: DataType, element: u8, to: u64, now: u64) -> Option<u64> {
        let before = self.get(id, data, element, now)?;
        let slot = self.slot_index(data, element)?;
        match &mut self.entry_mut(id)?.slots[slot] {
            Slot::Count(value) => *value = to,
            Slot::Rate(rate, period) => {
                rate.clear();
                if to > 0 {
                    rate.add(u32::try_from(to).unwrap_or(u32::MAX), now, *period);
                }
            }
        }
        Some(before)
    }

    /// Name of the server an entry sticks to.
    pub fn server(&self, id: EntryId) -> Option<Arc<str>> {
        self.entry(id)?.server.clone()
    }

    /// Remembers the server an entry sticks to, by number and by name where they are stored.
    pub fn set_server(&mut self, id: EntryId, number: u32, name: &str, now: u64) {
        self.set(id, DataType::ServerId, 0, number.into(), now);
        if self.spec.store(DataType::ServerKey).is_some()
            && let Some(entry) = self.entry_mut(id)
            && entry.server.as_deref() != Some(name)
        {
            entry.server = Some(name.into());
        }
    }

    /// Whether a data type is stored, and with that index.
    pub fn stores(&self, data: DataType, element: u8) -> bool {
        self.slot_index(data, element).is_some()
    }

    /// Calls `visit` for every entry not expired, oldest update first.
    pub fn for_each(&self, now: u64, mut visit: impl FnMut(EntryId, EntryView)) {
        let mut index = self.oldest;
        while index != NONE {
            let entry = &self.entries[index as usize];
            if entry.users > 0 || entry.expires > now {
                let id = EntryId { index, generation: entry.generation };
                visit(id, self.view(entry, now));
            }
            index = entry.newer;
        }
    }

    fn view(&self, entry: &Entry, now: u64) -> EntryView {
        let mut values = Vec::new();
        for store in &self.spec.stores {
            for element in 0..store.count.max(1) {
                let Some(slot) = self.slot_index(store.data, element) else { continue };
                let value = match entry.slots[slot] {
                    Slot::Count(value) => value,
                    Slot::Rate(rate, period) => rate.read(now, period).into(),
                };
                values.push((store.data, element, value));
            }
        }
        EntryView {
            key: entry.key.clone(),
            users: entry.users,
            expires_in: (entry.expires != u64::MAX).then(|| entry.expires.saturating_sub(now)),
            values,
            server: entry.server.clone(),
        }
    }

    fn slot_index(&self, data: DataType, element: u8) -> Option<usize> {
        let count = self.spec.store(data)?.count.max(1);
        let first = self.layout[data.number()]?;
        (element < count).then(|| usize::from(first) + usize::from(element))
    }

    fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(id.index as usize).filter(|entry| entry.used && entry.generation == id.generation)
    }

    fn entry_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        self.entries
            .get_mut(id.index as usize)
            .filter(|entry| entry.used && entry.generation == id.generation)
    }

    fn expiry(&self, now: u64) -> u64 {
        self.spec.expire.map_or(u64::MAX, |expire| now.saturating_add(expire.as_millis() as u64))
    }

    fn allocate(&mut self, key: &Key, now: u64) -> u32 {
        let (slots, expires) = (self.template.clone(), self.expiry(now));
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.key = key.clone();
            entry.users = 0;
            entry.expires = expires;
            entry.slots = slots;
            entry.server = None;
            entry.used = true;
            return index;
        }
        self.entries.push(Entry {
            key: key.clone(),
            generation: 0,
            users: 0,
            expires,
            slots,
            server: None,
            newer: NONE,
            older: NONE,
            used: true,
        });
        (self.entries.len() - 1) as u32
    }

    /// Drops the oldest entry nobody tracks.
    fn drop_oldest(&mut self) -> bool {
        let mut index = self.oldest;
        while index != NONE {
            let entry = &self.entries[index as usize];
            if entry.users == 0 {
                self.drop_entry(index);
                return true;
            }
            index = entry.newer;
        }
        false
    }

    fn drop_entry(&mut self, index: u32) {
        self.unlink(index);
        let entry = &mut self.entries[index as usize];
        entry.used = false;
        entry.generation = entry.generation.wrapping_add(1);
        entry.slots = Box::default();
        entry.server = None;
        let key = std::mem::replace(&mut entry.key, Key::Integer(0));
        self.index.remove(&key);
        self.free.push(index);
    }

    fn link_newest(&mut self, index: u32) {
        let before = self.newest;
        let entry = &mut self.entries[index as usize];
        entry.older = before;
        entry.newer = NONE;
        match before {
            NONE => self.oldest = index,
            before => self.entries[before as usize].newer = index,
        }
        self.newest = index;
    }

    fn unlink(&mut self, index: u32) {
        let (older, newer) = {
            let entry = &self.entries[index as usize];
            (entry.older, entry.newer)
        };
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
    }

    fn check_invariants(&self) {
        debug_assert!(self.index.len() <= self.size);
        debug_assert_eq!(self.index.len() + self.free.len(), self.entries.len());
        debug_assert_eq!(self.oldest == NONE, self.index.is_empty());
    }
}

#[cfg(test)]
mod tests;
