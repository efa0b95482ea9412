//! Idle connections to servers, kept per thread.
//!
//! A connection is kept only as long as the recent past says that it will be needed: per server the most connections
//! in use at once during the last two periods (`pool-purge-delay`) are remembered, and what exceeds that is closed at once.
//! Nobody watches an idle connection; whether its server closed it is seen, without a system call, when it is taken.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use lb_core::pool::ServerCell;
use lb_core::rt::{Ending, IdleDrops, Session, Stream};

/// Connections that must not be used any more, and those their servers closed, are closed at least this often.
const PERIOD: Duration = Duration::from_secs(5);
/// And not more often than this.
const LEAST: Duration = Duration::from_millis(10);
/// How many idle connections are looked at when there is no room for another.
const LOOK: usize = 4;

thread_local! {
    static SHELF: RefCell<Shelf> = RefCell::new(Shelf::default());
}

#[derive(Default)]
struct Shelf {
    rows: HashMap<usize, Row, BuildHasherDefault<AddressHasher>>,
    /// Whose shelf it is, once the task that thins out is running.
    worker: Option<usize>,
}

/// The connections to one server.
struct Row {
    cell: Arc<ServerCell>,
    /// Knows which connections must not be used any more.
    ending: Ending,
    idle: Vec<Entry>,
    /// So many of those served more than one request.
    proven: usize,
    used: usize,
    peak: usize,
    previous_peak: usize,
    /// So many connections are kept beyond the need, see [`Room`].
    spare: usize,
    /// Length of a period.
    delay: Duration,
    /// End of the present one.
    due: Instant,
}

impl Row {
    /// Begins the next period; how many idle connections nobody is expected to need.
    fn turn(&mut self) -> usize {
        self.previous_peak = std::mem::replace(&mut self.peak, self.used);
        surplus(self.idle.len(), self.used, self.previous_peak.max(self.used) + self.spare)
    }

    /// Takes out what is of no use any more, and what exceeds the need when a period is over.
    fn thin_out(&mut self, now: Instant) -> Vec<Entry> {
        let epoch = self.ending.idle_epoch();
        let useless = |entry: &mut Entry| entry.mark.epoch != epoch || !is_quiet(&mut entry.stream);
        let mut closed: Vec<Entry> = self.idle.extract_if(.., useless).collect();
        if now >= self.due {
            self.due = now + self.delay;
            let surplus = self.turn();
            closed.extend(self.idle.drain(..surplus));
        }
        if self.idle.is_empty() {
            self.idle.shrink_to(8);
        }
        if self.cell.id().is_none() {
            closed.append(&mut self.idle);
        }
        self.proven -= proven(&closed);
        closed
    }

    /// Does as the server is configured now.
    fn adopt(&mut self, room: Room<'_>) {
        if self.delay != room.delay {
            (self.delay, self.due) = (room.delay, Instant::now() + room.delay);
        }
        self.spare = room.spare;
        // Cloning it for every request would set workers against each other.
        if !self.ending.is_like(room.ending) {
            self.ending = room.ending.clone();
        }
    }

    /// Puts a connection here, or closes it for want of room. What was in its way is taken out.
    fn put(&mut self, entry: Entry, room: Room<'_>) -> Vec<Entry> {
        if room.delay.is_zero() || self.cell.admin().is_maint() {
            close(&entry.stream);
            return Vec::new();
        }
        let need = self.peak.max(self.previous_peak) + self.spare;
        let most = room.most.map_or(usize::MAX, |most| most as usize);
        let is_full = |row: &Self| row.idle.len() + row.used >= need || row.idle.len() >= most;
        let mut closed = Vec::new();
        if is_full(self) {
            // Connections that their server closed meanwhile are in the way of a good one.
            let looked_at = ..self.idle.len().min(LOOK);
            closed.extend(self.idle.extract_if(looked_at, |entry| !is_quiet(&mut entry.stream)));
            self.proven -= proven(&closed);
        }
        if is_full(self) {
            close(&entry.stream);
        } else {
            self.proven += usize::from(entry.proven);
            self.idle.push(entry);
        }
        closed
    }

    /// Tells how many there are.
    fn tell(&self, worker: usize) {
        self.cell.note_idle(worker, self.idle.len(), self.proven);
    }
}

fn proven(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| entry.proven).count()
}

/// How many of so many idle connections are more than the need.
fn surplus(idle: usize, used: usize, need: usize) -> usize {
    (idle + used).saturating_sub(need).min(idle)
}

struct Entry {
    stream: Stream,
    mark: Mark,
    /// It served more than one request.
    proven: bool,
}

/// Which requests an idle connection may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// See `ServerHooks::idle_epoch`: connections of another epoch are not to be used any more.
    pub(super) epoch: u64,
    /// See [`Identity`](super::identity::Identity).
    pub(super) key: u64,
}

/// How many idle connections are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room<'a> {
    /// At most so many.
    pub(super) most: Option<u32>,
    /// So many beyond the need.
    pub(super) spare: usize,
    /// How often what exceeds the need is closed; none are kept if it is zero.
    pub(super) delay: Duration,
    /// Knows which connections must not be used any more.
    pub(super) ending: &'a Ending,
}

/// Which idle connections will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any.
    Any,
    /// One that was reused before, so that its server is known to keep connections.
    Proven,
}

/// Addresses are spread well enough by a multiplication.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Shelf {
    fn row(&mut self, cell: &Arc<ServerCell>) -> &mut Row {
        self.rows.entry(Arc::as_ptr(cell) as usize).or_insert_with(|| Row {
            cell: Arc::clone(cell),
            ending: Ending::default(),
            idle: Vec::new(),
            proven: 0,
            used: 0,
            peak: 0,
            previous_peak: 0,
            spare: 0,
            delay: PERIOD,
            due: Instant::now() + PERIOD,
        })
    }
}

/// A connection to the server, if a good one is idle. Counts a connection in use either way.
pub(super) fn begin(cell: &Arc<ServerCell>, wanted: Option<Wanted>, mark: Mark) -> Option<Stream> {
    SHELF.with_borrow_mut(|shelf| {
        let worker = shelf.worker;
        let row = shelf.row(cell);
        row.used += 1;
        row.peak = row.peak.max(row.used);
        let wanted = wanted?;
        while let Some(at) = match wanted {
            Wanted::Any => row.idle.iter().rposition(|entry| entry.mark.key == mark.key),
            Wanted::Proven => row.idle.iter().rposition(|entry| entry.proven && entry.mark.key == mark.key),
        } {
            let mut entry = row.idle.swap_remove(at);
            row.proven -= usize::from(entry.proven);
            row.tell(worker.unwrap_or_default());
            if entry.mark == mark && is_quiet(&mut entry.stream) {
                return Some(entry.stream);
            }
        }
        None
    })
}

/// A connection in use ended; it was not kept.
pub(super) fn end(cell: &Arc<ServerCell>) {
    let _ = SHELF.try_with(|shelf| {
        if let Ok(mut shelf) = shelf.try_borrow_mut() {
            let row = shelf.row(cell);
            row.used = row.used.saturating_sub(1);
        }
    });
}

/// A connection in use turned idle. It is kept if there is need for it.
pub(super) fn keep(
    cell: &Arc<ServerCell>,
    stream: Stream,
    mark: Mark,
    proven: bool,
    room: Room<'_>,
    session: &Session,
) {
    let worker = session.worker();
    // Closing runs outside of the borrow: it may reach code that looks at the shelf.
    let _closed = SHELF.with_borrow_mut(|shelf| {
        let row = shelf.row(cell);
        row.used = row.used.saturating_sub(1);
        row.adopt(room);
        let closed = row.put(Entry { stream, mark, proven }, room);
        row.tell(worker.id());
        if shelf.worker.replace(worker.id()).is_none() {
            worker.spawn(sweep(session.generation().idle_drops()));
        }
        closed
    });
}

/// Closes a connection that is of no more use. With a reset, as HAProxy does: a proxy is the one who closes first, so
/// that a normal close would leave a port waiting for minutes, and it costs three packets more.
pub(super) fn close(stream: &Stream) {
    if !stream.is_tls() {
        stream.reset_on_close();
    }
}

/// Nothing was received on an idle connection, not even its end.
pub(super) fn is_quiet(stream: &mut Stream) -> bool {
    if let Stream::Tcp(tcp) = stream {
        return tcp.is_quiet();
    }
    let mut byte = [0u8; 1];
    let mut cx = Context::from_waker(Waker::noop());
    matches!(stream.poll_read(&mut cx, &mut byte), Poll::Pending)
}

/// Closes surplus connections, those their servers closed, and those that must not be used any more.
async fn sweep(drops: IdleDrops) {
    loop {
        // What is dropped from here on is not missed.
        let dropped = drops.next();
        let now = Instant::now();
        // Closing runs outside of the borrow: it may reach code that looks at the shelf.
        let closed = SHELF.with_borrow_mut(|shelf| {
            let worker = shelf.worker.unwrap_or_default();
            let mut closed = Vec::new();
            shelf.rows.retain(|_, row| {
                closed.extend(row.thin_out(now));
                row.tell(worker);
                row.cell.id().is_some() || row.used > 0
            });
            closed
        });
        closed.into_iter().for_each(|entry: Entry| close(&entry.stream));
        let pause = SHELF.with_borrow(|shelf| {
            // Where none are kept there is nothing to wake up for.
            let holding = shelf.rows.values().filter(|row| !row.idle.is_empty());
            holding.map(|row| row.delay).min()
        });
        // Whichever it is, there is something to look at.
        let _ = tokio::time::timeout(pause.unwrap_or(PERIOD).clamp(LEAST, PERIOD), dropped).await;
    }
}

#[cfg(test)]
mod tests {
    use super::surplus;

    #[test]
    fn what_exceeds_the_need_is_surplus_if_it_is_idle() {
        assert_eq!([surplus(3, 0, 0), surplus(3, 0, 2), surplus(3, 2, 2)], [3, 1, 3]);
        assert_eq!([surplus(3, 0, 3), surplus(0, 5, 2)], [0, 0]);
    }
}
