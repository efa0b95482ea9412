//! What a request holds: a slot on a server, a place in a queue, or just its presence in the pool.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::queue::Fate;
use super::{Pool, ServerCell};
use crate::balance::ServerId;

/// The answer to [`Pool::acquire`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every answer")]
pub enum Acquired {
    /// A slot on a server.
    Leased(Lease),
    /// A place in a queue.
    Queued(Ticket),
    /// No server is usable.
    NoServer,
    /// The queue of the server the request belongs to is full.
    QueueFull(ServerId),
}

/// A slot on a server. Dropping it gives the slot back, to the request that waits longest if there is one.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<Pool>,
    server: Arc<ServerCell>,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, server: Arc<ServerCell>) -> Self {
        Self { pool, server }
    }

    /// The server.
    pub const fn server(&self) -> &Arc<ServerCell> {
        &self.server
    }

    /// The pool.
    pub const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Another attempt to connect is made with this slot, which counts as another session of the server.
    pub fn again(&self) {
        let now_ms = self.pool.lock().now_ms;
        self.server.begin_session(now_ms);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.release(&self.server);
    }
}

/// A place in a queue. Dropping it gives up waiting.
///
/// As a future it resolves once there is a decision, and is cancel safe: a slot granted to a ticket that is dropped goes
/// to the next in line. Without an executor, ask [`try_take`](Self::try_take).
#[derive(Debug)]
pub struct Ticket {
    pool: Arc<Pool>,
    /// Number of the entry; nothing once the decision was taken.
    number: Option<u32>,
    /// Its position in the queue, see [`Ticket::position`].
    position: u64,
}

/// What a ticket turned into.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle both")]
pub enum Outcome {
    /// A slot on a server.
    Leased(Lease),
    /// The queue was dissolved because its server, or the last one, went away: ask the pool again.
    Evicted,
}

impl Ticket {
    pub(super) fn new(pool: Arc<Pool>, number: u32) -> Self {
        Self { pool, number: Some(number), position: 0 }
    }

    /// The decision, if there is one. After one was returned there is no other.
    pub fn try_take(&mut self) -> Option<Outcome> {
        match self.poll_with(None) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// The server whose queue this is a place in; nothing for the queue of the pool, and after the decision.
    pub fn server(&self) -> Option<Arc<ServerCell>> {
        match &self.pool.lock().room.entry(self.number?).fate {
            Fate::Waiting(server) => server.clone(),
            Fate::Granted(_) | Fate::Evicted => None,
        }
    }

    /// The position in the queue, as the log's `%sq` and `%bq` count it: 1 plus the number of requests that were served
    /// from the same queue between arrival and decision, or now.
    pub fn position(&self) -> u64 {
        let Some(number) = self.number else { return self.position };
        self.pool.lock().position(number)
    }

    fn poll_with(&mut self, context: Option<&Context<'_>>) -> Poll<Outcome> {
        let Some(number) = self.number else { return Poll::Pending };
        let mut core = self.pool.lock();
        let entry = core.room.entry(number);
        if let Fate::Waiting(_) = entry.fate {
            if let Some(context) = context {
                match &mut entry.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
            }
            return Poll::Pending;
        }
        let (fate, position) = core.room.release(number);
        drop(core);
        self.number = None;
        self.position = position;
        Poll::Ready(match fate {
            Fate::Granted(server) => Outcome::Leased(Lease::new(Arc::clone(&self.pool), server)),
            Fate::Waiting(_) | Fate::Evicted => Outcome::Evicted,
        })
    }
}

impl Future for Ticket {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        self.get_mut().poll_with(Some(context))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let abandoned = self.pool.lock().abandon(&self.pool.totals, number);
        if let Some(server) = abandoned {
            self.pool.release(&server);
        }
    }
}

/// A session's presence in the pool, from the choice of the pool to the end. The limits of servers with a `minconn`
/// follow the number of these.
#[derive(Debug)]
pub struct Visit {
    pool: Arc<Pool>,
}

impl Visit {
    pub(super) fn new(pool: Arc<Pool>, now_ms: u64) -> Self {
        pool.totals.sessions.add();
        pool.totals.rate.tick(now_ms);
        pool.totals.counters.of(0).sessions.inc_shared();
        Self { pool }
    }

    /// Another request of the same session finds a slot or a place in a queue, see [`Pool::acquire`].
    pub fn acquire(&self, now: Instant, request: &super::Request<'_>) -> Acquired {
        self.pool.acquire(now, request)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.pool.totals.sessions.sub(1);
    }
}
