//! A table shared by the workers of a process.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::order::Order;
use super::spec::{DataType, Key, TableSpec};
use super::table::{EntryId, EntryView, Table};
use crate::expr::Sample;

/// Locks of a large table; small ones have a single lock, so that their size is exact.
const SHARDS: usize = 16;

/// Tables below this size are not split.
const SPLIT_FROM: usize = 4096;

/// A [`Table`] behind a few locks. No lock is ever held across another one or an await.
#[derive(Debug)]
pub struct SharedTable {
    spec: Arc<TableSpec>,
    shards: Box<[Mutex<Table>]>,
    hasher: RandomState,
    /// Zero of the table's time scale.
    epoch: Instant,
}

impl SharedTable {
    /// An empty table; `now` becomes the zero of its time scale.
    pub fn new(spec: TableSpec, now: Instant) -> Arc<Self> {
        let spec = Arc::new(spec);
        let count = if spec.size >= SPLIT_FROM { SHARDS } else { 1 };
        let share = spec.size.div_ceil(count);
        let shards = (0..count).map(|_| Mutex::new(Table::new(Arc::clone(&spec), share))).collect();
        Arc::new(Self { spec, shards, hasher: RandomState::new(), epoch: now })
    }

    /// The configuration.
    pub const fn spec(&self) -> &Arc<TableSpec> {
        &self.spec
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The key a sample stands for.
    pub fn key(&self, sample: &Sample<'_>) -> Option<Key> {
        self.spec.key.key(sample)
    }

    /// Entries in use.
    pub fn len(&self) -> usize {
        (0..self.shards.len()).map(|shard| self.lock(shard).len()).sum()
    }

    /// Whether no entry is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Milliseconds on the table's time scale.
    pub fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_millis() as u64
    }

    /// Runs `work` on the shard of a key.
    pub fn with<R>(&self, key: &Key, work: impl FnOnce(&mut Table) -> R) -> R {
        work(&mut self.lock(self.shard_of(key)))
    }

    /// Runs `read` on an existing entry; `None` if there is none.
    pub fn lookup<R>(
        &self,
        key: &Key,
        now: Instant,
        read: impl FnOnce(&Table, EntryId, u64) -> R,
    ) -> Option<R> {
        let millis = self.millis(now);
        let table = self.lock(self.shard_of(key));
        let id = table.find(key, millis)?;
        Some(read(&table, id, millis))
    }

    /// Runs `update` on an entry, created if needed; `None` if the table is full.
    pub fn update<R>(
        &self,
        key: &Key,
        now: Instant,
        update: impl FnOnce(&mut Table, EntryId, u64) -> R,
    ) -> Option<R> {
        let millis = self.millis(now);
        let mut table = self.lock(self.shard_of(key));
        let id = table.find_or_insert(key, millis)?;
        Some(update(&mut table, id, millis))
    }

    /// Whether a data type is stored.
    pub fn stores(&self, data: DataType, element: u8) -> bool {
        self.lock(0).stores(data, element)
    }

    /// Removes an entry; false if there is none or it is tracked.
    pub fn remove(&self, key: &Key, now: Instant) -> bool {
        let millis = self.millis(now);
        let mut table = self.lock(self.shard_of(key));
        table.find(key, millis).is_some_and(|id| table.remove(id))
    }

    /// Removes every entry that `doomed` picks and nobody tracks; the number removed.
    pub fn remove_where(&self, now: Instant, mut doomed: impl FnMut(&EntryView) -> bool) -> usize {
        let millis = self.millis(now);
        let mut removed = 0;
        for shard in 0..self.shards.len() {
            let mut table = self.lock(shard);
            let mut ids = Vec::new();
            table.for_each(millis, |id, view| {
                if doomed(&view) {
                    ids.push(id);
                }
            });
            removed += ids.into_iter().filter(|id| table.remove(*id)).count();
        }
        removed
    }

    /// Drops every expired entry nobody tracks, so that [`Self::len`] counts the living ones.
    pub fn settle(&self, now: Instant) {
        while self.expire(now) > 0 {}
    }

    /// Drops expired entries, a bounded number per call; call it now and then.
    pub fn expire(&self, now: Instant) -> usize {
        let millis = self.millis(now);
        (0..self.shards.len()).map(|shard| self.lock(shard).drop_expired(millis, 256)).sum()
    }

    /// A copy of every entry, in the order HAProxy lists them.
    pub fn entries(&self, now: Instant) -> Vec<EntryView> {
        let millis = self.millis(now);
        let mut all = Vec::new();
        for shard in 0..self.shards.len() {
            self.lock(shard).for_each(millis, |_, view| all.push(view));
        }
        let order = Order::of_table(&self.spec.name);
        all.sort_by_cached_key(|entry| order.place(&entry.key));
        all
    }

    pub(super) fn shard_of(&self, key: &Key) -> usize {
        if self.shards.len() == 1 { 0 } else { self.hasher.hash_one(key) as usize % self.shards.len() }
    }

    pub(super) fn lock(&self, shard: usize) -> MutexGuard<'_, Table> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
