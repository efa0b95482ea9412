//! A hold on one entry while a connection, session or request is counted there.

use std::sync::Arc;
use std::time::Instant;

use super::shared::SharedTable;
use super::spec::{DataType, Key};
use super::table::{EntryId, Table};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session began.
    Session,
    /// An HTTP request was received.
    HttpRequest,
    /// A request ended in an error the client caused.
    HttpError,
    /// A request ended in a failure the server caused.
    HttpFailure,
    /// Bytes from the client.
    BytesIn(u64),
    /// Bytes to the client.
    BytesOut(u64),
    /// Protocol oddities.
    Glitches(u32),
}

/// A tracked entry. Dropping it ends the tracking and the current connection it counted.
#[derive(Debug)]
pub struct Tracked {
    table: Arc<SharedTable>,
    shard: usize,
    id: EntryId,
    key: Key,
    /// When it was last used, for the release on drop, which has no clock.
    last: u64,
    /// A connection is counted.
    counted: bool,
}

impl Tracked {
    /// Begins to track a key and counts one connection. `None` if the table is full.
    pub fn start(table: &Arc<SharedTable>, key: Key, now: Instant) -> Option<Self> {
        let mut tracked = Self::hold(table, key, now)?;
        tracked.counted = true;
        tracked.with(now, |entries, id, millis| {
            for data in [DataType::ConnCur, DataType::ConnCnt, DataType::ConnRate] {
                entries.add(id, data, 0, 1, millis);
            }
        });
        Some(tracked)
    }

    /// Holds the entry of a key without counting anything. `None` if the table is full.
    pub fn hold(table: &Arc<SharedTable>, key: Key, now: Instant) -> Option<Self> {
        let (shard, last) = (table.shard_of(&key), table.millis(now));
        let id = {
            let mut entries = table.lock(shard);
            let id = entries.find_or_insert(&key, last)?;
            entries.acquire(id);
            id
        };
        Some(Self { table: Arc::clone(table), shard, id, key, last, counted: false })
    }

    /// The table.
    pub const fn table(&self) -> &Arc<SharedTable> {
        &self.table
    }

    /// The key.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Counts an event and prolongs the entry's life.
    pub fn count(&mut self, event: Event, now: Instant) {
        let millis = self.table.millis(now);
        self.last = millis;
        let factor = u64::from(self.table.spec().bytes_factor.max(1));
        let (total, rate, by) = match event {
            Event::Session => (DataType::SessCnt, DataType::SessRate, 1),
            Event::HttpRequest => (DataType::HttpReqCnt, DataType::HttpReqRate, 1),
            Event::HttpError => (DataType::HttpErrCnt, DataType::HttpErrRate, 1),
            Event::HttpFailure => (DataType::HttpFailCnt, DataType::HttpFailRate, 1),
            Event::BytesIn(bytes) => (DataType::BytesInCnt, DataType::BytesInRate, bytes),
            Event::BytesOut(bytes) => (DataType::BytesOutCnt, DataType::BytesOutRate, bytes),
            Event::Glitches(count) => (DataType::GlitchCnt, DataType::GlitchRate, count.into()),
        };
        let bytes = matches!(event, Event::BytesIn(_) | Event::BytesOut(_));
        let mut entries = self.table.lock(self.shard);
        entries.add(self.id, total, 0, by, millis);
        entries.add(self.id, rate, 0, if bytes { by / factor } else { by }, millis);
        entries.touch(self.id, millis);
    }

    /// Uses the entry at `now`: what it holds lives on from there.
    pub(crate) fn keep(&mut self, now: Instant) {
        self.last = self.table.millis(now);
    }

    /// Runs `work` on the entry.
    pub fn with<R>(&self, now: Instant, work: impl FnOnce(&mut Table, EntryId, u64) -> R) -> R {
        let millis = self.table.millis(now);
        work(&mut self.table.lock(self.shard), self.id, millis)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let mut entries = self.table.lock(self.shard);
        if self.counted {
            entries.subtract(self.id, DataType::ConnCur, 1);
        }
        entries.release(self.id, self.last);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::spec::{KeyType, Store, TableSpec};
    use super::*;

    #[test]
    fn connections_are_counted_while_tracked() {
        let now = crate::expr::testing::instant();
        let mut spec = TableSpec::new("t", KeyType::Integer, 10);
        for data in [DataType::ConnCur, DataType::ConnCnt, DataType::SessCnt, DataType::BytesInCnt] {
            spec.add_store(Store::new(data));
        }
        spec.add_store(Store::rate(DataType::ConnRate, Duration::from_secs(10)));
        spec.expire = Some(Duration::from_secs(60));
        let table = SharedTable::new(spec, now);
        let read = |data| {
            table.lookup(&Key::Integer(7), now, |table, id, millis| table.get(id, data, 0, millis)).flatten()
        };
        assert_eq!(read(DataType::ConnCur), None);
        let mut first = Tracked::start(&table, Key::Integer(7), now).unwrap();
        let second = Tracked::start(&table, Key::Integer(7), now).unwrap();
        first.count(Event::Session, now);
        first.count(Event::BytesIn(500), now);
        first.count(Event::HttpRequest, now);
        assert_eq!(read(DataType::ConnCur), Some(2));
        assert_eq!(read(DataType::ConnRate), Some(2));
        assert_eq!(read(DataType::SessCnt), Some(1));
        assert_eq!(read(DataType::BytesInCnt), Some(500));
        assert!(!table.remove(&Key::Integer(7), now), "tracked");
        drop((first, second));
        assert_eq!(read(DataType::ConnCur), Some(0));
        assert_eq!(read(DataType::ConnCnt), Some(2));
        assert!(table.remove(&Key::Integer(7), now));
        assert!(table.is_empty());
    }

    #[test]
    fn large_tables_are_split_and_still_add_up() {
        let now = crate::expr::testing::instant();
        let table = SharedTable::new(TableSpec::new("t", KeyType::Integer, 100_000), now);
        for n in 0..10_000 {
            table.update(&Key::Integer(n), now, |_, _, _| ()).unwrap();
        }
        assert_eq!(table.len(), 10_000);
        assert_eq!(table.entries(now).len(), 10_000);
        let removed = table.remove_where(now, |view| matches!(view.key, Key::Integer(n) if n % 2 == 0));
        assert_eq!((removed, table.len()), (5000, 5000));
    }
}
