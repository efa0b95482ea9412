//! The sessions being served, for those who list or end them.
//!
//! Each worker has a shelf of its own, so a connection takes a lock that nobody else wants, for two writes in its life.

use super::accept::Target;
use super::connection::Stamp;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

/// No backend or server chosen.
const NONE: u32 = u32::MAX;

/// All sessions of a server.
#[derive(Debug)]
pub(crate) struct Sessions {
    shelves: Box<[Mutex<Shelf>]>,
    /// Sessions begun so far; also the number of the last one.
    begun: AtomicU64,
}

#[derive(Debug, Default)]
struct Shelf {
    places: Vec<Option<Arc<Entry>>>,
    free: Vec<usize>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its number, unique in the life of the server.
    pub(crate) id: u64,
    /// Where it came in, and its plan.
    pub(crate) target: Target,
    /// The client.
    pub(crate) peer: Option<SocketAddr>,
    /// When it was accepted.
    pub(crate) accepted: Stamp,
    backend: AtomicU32,
    server: AtomicU32,
    /// It is to end.
    ended: AtomicBool,
    /// What wakes its task, from the moment that runs; `None` if the session was ended before.
    waker: OnceLock<Option<Waker>>,
}

/// What serves a session: done when that is, or as soon as somebody ends the session.
#[derive(Debug)]
pub(crate) struct Served<F> {
    entry: Arc<Entry>,
    life: F,
}

impl<F> Served<F> {
    /// Serves the session of `entry` by `life`.
    pub(crate) fn new(entry: Arc<Entry>, life: F) -> Self {
        Self { entry, life }
    }
}

impl<F: Future<Output = ()> + Unpin> Future for Served<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.entry.is_over(cx.waker()) { Poll::Ready(()) } else { Pin::new(&mut self.life).poll(cx) }
    }
}

impl Sessions {
    /// For so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        let shelves = (0..workers.max(1)).map(|_| Mutex::default()).collect();
        Self { shelves, begun: AtomicU64::new(0) }
    }

    /// Lists a session of `worker`, and says at which place.
    pub(crate) fn enter(
        &self,
        worker: usize,
        target: Target,
        peer: Option<SocketAddr>,
        accepted: Stamp,
    ) -> (Arc<Entry>, usize) {
        let entry = Arc::new(Entry {
            id: self.begun.fetch_add(1, Relaxed) + 1,
            target,
            peer,
            accepted,
            backend: AtomicU32::new(NONE),
            server: AtomicU32::new(NONE),
            ended: AtomicBool::new(false),
            waker: OnceLock::new(),
        });
        let worker = worker % self.shelves.len();
        let mut shelf = lock(&self.shelves[worker]);
        let kept = Some(Arc::clone(&entry));
        let index = match shelf.free.pop() {
            Some(index) => {
                shelf.places[index] = kept;
                index
            }
            None => {
                shelf.places.push(kept);
                shelf.places.len() - 1
            }
        };
        drop(shelf);
        (entry, index)
    }

    /// Takes the session at a place off the list.
    pub(crate) fn leave(&self, worker: usize, place: usize) {
        let mut shelf = lock(&self.shelves[worker % self.shelves.len()]);
        // The entry is freed after the lock was given back.
        let gone = shelf.places[place].take();
        shelf.free.push(place);
        drop(shelf);
        drop(gone);
    }

    /// Sessions begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// All sessions, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> =
            self.shelves.iter().flat_map(|shelf| lock(shelf).places.clone()).flatten().collect();
        all.sort_by_key(|entry| entry.id);
        all
    }

    /// Wakes all sessions, so that they look whether something concerns them.
    pub(crate) fn wake(&self) {
        for entry in self.all() {
            if let Some(Some(waker)) = entry.waker.get() {
                waker.wake_by_ref();
            }
        }
    }

    /// Ends the sessions that began under one of these generations of the configuration.
    pub(crate) fn end_all(&self, generations: Range<u64>) {
        for entry in self.all() {
            if generations.contains(&entry.target.generation.plan.generation()) {
                entry.end();
            }
        }
    }

    /// Ends a session; false if there is none of this number.
    pub(crate) fn end(&self, id: u64) -> bool {
        let found = self.all().into_iter().find(|entry| entry.id == id);
        found.is_some_and(|entry| {
            entry.end();
            true
        })
    }
}

impl Entry {
    /// Ends the session: its task goes no further.
    fn end(&self) {
        self.ended.store(true, Relaxed);
        if let Some(waker) = self.waker.get_or_init(|| None) {
            waker.wake_by_ref();
        }
    }

    /// Whether the session is to end; takes note of what wakes its task. A session is served by one task from its beginning to
    /// its end.
    fn is_over(&self, waker: &Waker) -> bool {
        // Who ends a session wakes its task after saying so.
        self.waker.get_or_init(|| Some(waker.clone())).is_none() || self.ended.load(Relaxed)
    }

    /// Takes note of where the session goes, by places in its plan.
    pub(crate) fn bound_for(&self, backend: usize, server: Option<usize>) {
        self.backend.store(place(Some(backend)), Relaxed);
        self.server.store(place(server), Relaxed);
    }

    /// Where the session goes: places of the backend and of the server in its plan.
    pub(crate) fn way(&self) -> (Option<usize>, Option<usize>) {
        let get = |place: &AtomicU32| Some(place.load(Relaxed)).filter(|&n| n != NONE).map(|n| n as usize);
        (get(&self.backend), get(&self.server))
    }
}

fn place(index: Option<usize>) -> u32 {
    index.and_then(|index| u32::try_from(index).ok()).unwrap_or(NONE)
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
