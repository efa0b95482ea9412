//! A pool of servers: who may get a request, how many at a time, who waits, and what happens when servers come and go.
//!
//! [`Pool`] is shared between workers. What changes together is kept under one short lock: the states of the servers,
//! the queues and the [`balancer`](crate::balance). Counters and the numbers of requests in progress are atomics beside
//! it, so giving back a slot touches no lock unless somebody waits or the algorithm counts requests.
//!
//! **Lock order.** There is one lock per pool, and no code holds the locks of two pools at once. Wakers run after the
//! lock is released. Events are returned to the caller, who may then talk to other pools.
//!
//! **No lost wake-ups.** A request that is about to wait first announces itself in an atomic counter and then looks for
//! a slot once more; who gives back a slot first decrements the server's count and then reads that counter. One of the
//! two sees the other.
//!
//! Nothing here reads a clock: `now` is an argument, and giving back a slot needs no time.
//!
//! Configuration manual of HAProxy 3.4: 5.2 (`maxconn`, `minconn`, `maxqueue`, `slowstart`, `track`, …), `fullconn`,
//! `option redispatch`; management guide 9.3 (`set server`).

mod admin;
mod cell;
mod change;
mod core;
mod def;
mod lease;
mod operate;
mod queue;
mod quorum;
mod reconfigure;
mod report;
mod server;
mod snapshot;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use admin::{AdminFlags, AdminState, ForcedHealth, OpState, Origin, Refused, ResolutionFailure};
pub use cell::{DurationMeters, ServerCell};
pub use def::{CheckDef, HashKey, ObserveDef, PoolDef, ServerDef, TrackDef};
pub use lease::{Acquired, Lease, Outcome, Ticket, Visit};
pub use quorum::Quorum;
pub use reconfigure::PoolError;
pub use server::Lead;

use self::cell::Tally;
use self::core::{Core, Effects, Placed};
use crate::addr::Endpoint;
use crate::balance::{Census, Key, PickKey, ServerId};
use crate::health::{HealthEvent, Observation};
use crate::stats::counter::{BackendCounters, PerWorker, RateMeter};

/// Something the owner of a pool must know or do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolEvent {
    /// To be written to the log.
    Log(HealthEvent),
    /// A server's state changed. Servers of other pools that follow it must be told, see [`Pool::follow`].
    Changed {
        /// Which server.
        server: ServerId,
    },
    /// Sessions on the server are to be ended (`on-marked-down shutdown-sessions`).
    EndSessions {
        /// Which server.
        server: ServerId,
    },
    /// Sessions on all backup servers are to be ended (`on-marked-up shutdown-backup-sessions`).
    EndBackupSessions,
    /// Idle connections to the server are to be closed.
    DropIdle {
        /// Which server.
        server: ServerId,
    },
    /// The server's checks are to run at once rather than after their interval.
    CheckNow {
        /// Which server.
        server: ServerId,
    },
    /// The interval to the server's next check may have become shorter.
    CheckSooner {
        /// Which server.
        server: ServerId,
    },
    /// No server is usable any more.
    Emptied,
    /// A server is usable again after none was.
    Recovered,
}

/// What a request asks of a pool.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Request<'a> {
    /// What to hash, for the algorithms that hash.
    pub key: Key<'a>,
    /// A server to leave out if another one will do: the one that has just failed.
    pub avoid: Option<ServerId>,
    /// The server the request belongs to. If that server is down or in maintenance it is ignored; ask
    /// [`ServerCell::accepts_persistent`] first if that makes a difference.
    pub direct: Option<ServerId>,
    /// Go to `direct` even if it is down (`force-persist`, `option persist`).
    pub force: bool,
    /// `set-priority-class`: lower classes are served first.
    pub class: i16,
    /// `set-priority-offset`: shifts the time of arrival.
    pub offset_ms: i32,
}

impl<'a> Request<'a> {
    /// A request that any server may serve.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what to hash.
    #[must_use]
    pub const fn with_key(mut self, key: Key<'a>) -> Self {
        self.key = key;
        self
    }

    /// Sets the server to avoid.
    #[must_use]
    pub const fn avoiding(mut self, server: Option<ServerId>) -> Self {
        self.avoid = server;
        self
    }

    /// Sets the server the request belongs to.
    #[must_use]
    pub const fn direct(mut self, server: ServerId) -> Self {
        self.direct = Some(server);
        self
    }

    /// Goes to the server the request belongs to even if it is down.
    #[must_use]
    pub const fn forced(mut self) -> Self {
        self.force = true;
        self
    }

    /// Sets priority class and offset.
    #[must_use]
    pub const fn with_priority(mut self, class: i16, offset_ms: i32) -> Self {
        self.class = class;
        self.offset_ms = offset_ms;
        self
    }
}

/// Numbers of the whole pool that are kept without a lock.
#[derive(Debug, Default)]
struct Totals {
    /// Sessions in the pool, served or not.
    sessions: Tally,
    /// Requests being served.
    served: Tally,
    /// Requests waiting, or about to.
    waiting: Tally,
    /// Requests waiting for no server in particular, for statistics.
    queued: Tally,
    rate: RateMeter,
    /// Milliseconds since the pool's origin at which the last request got a slot, plus one.
    last_session: std::sync::atomic::AtomicU64,
    counters: PerWorker<BackendCounters>,
    durations: DurationMeters,
}

impl Totals {
    fn new(workers: usize) -> Self {
        Self { counters: PerWorker::new(workers), ..Self::default() }
    }

    fn begin_lease(&self, now_ms: u64) {
        self.last_session.store(now_ms + 1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A pool of servers, shared by all who use it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Instant;
/// use lb_core::balance::Algorithm;
/// use lb_core::pool::{Acquired, Pool, PoolDef, Request, ServerDef};
///
/// let mut only = ServerDef::new("s1", 1);
/// only.maxconn = 1;
/// # #[allow(clippy::disallowed_methods)]
/// let now = Instant::now();
/// let pool = Pool::new(PoolDef::new("app", Algorithm::RoundRobin, vec![only]), now).unwrap();
/// let Acquired::Leased(lease) = pool.acquire(now, &Request::new()) else { panic!("a free server") };
/// let Acquired::Queued(mut ticket) = pool.acquire(now, &Request::new()) else { panic!("a full one") };
/// assert!(ticket.try_take().is_none());
/// drop(lease);
/// assert!(ticket.try_take().is_some());
/// ```
#[derive(Debug)]
pub struct Pool {
    name: crate::name::ProxyName,
    origin: Instant,
    totals: Totals,
    /// Copy of what the core says, for those who give back slots without the lock.
    follows_load: std::sync::atomic::AtomicBool,
    core: Mutex<Core>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("servers", &self.slots.len()).finish_non_exhaustive()
    }
}

impl Pool {
    /// Finds a slot on a server for a request, or a place in a queue.
    pub fn acquire(self: &Arc<Self>, now: Instant, request: &Request<'_>) -> Acquired {
        let mut core = self.lock();
        core.advance(now);
        match core.place(&self.totals, request) {
            Placed::Slot(server) => Acquired::Leased(Lease::new(Arc::clone(self), server)),
            Placed::Queued(number) => Acquired::Queued(Ticket::new(Arc::clone(self), number)),
            Placed::NoServer => Acquired::NoServer,
            Placed::QueueFull(server) => Acquired::QueueFull(server),
        }
    }

    /// Chooses a server for what is sent to it and not answered: it takes no slot, waits in no queue, and is not counted.
    pub fn pick(&self, now: Instant, key: Key<'_>) -> Option<ServerId> {
        let mut core = self.lock();
        core.advance(now);
        core.balancer.pick(PickKey::new().with_key(key))
    }

    /// A session enters the pool; it leaves when the value is dropped.
    pub fn visit(self: &Arc<Self>, now: Instant) -> Visit {
        let now_ms = now.saturating_duration_since(self.origin).as_millis() as u64;
        Visit::new(Arc::clone(self), now_ms)
    }

    /// Takes the steps of slow starts that are due.
    pub fn handle_timeout(&self, now: Instant) -> Vec<PoolEvent> {
        self.change(now, |core, totals, effects| core.step_ramps(totals, effects))
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. The answer changes when a server comes up or leaves
    /// maintenance, which is always the result of some call that returned events, and by `handle_timeout` itself.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lock().ramps.next()
    }

    /// Something was seen on live traffic to a server (`observe`). Costs next to nothing for servers not observed.
    pub fn observe(&self, server: &ServerCell, seen: Observation, now: Instant) -> Vec<PoolEvent> {
        match server.id() {
            Some(id) if server.is_observed() => {
                self.change(now, |core, totals, effects| core.observe(totals, id, seen, effects))
            }
            _ => Vec::new(),
        }
    }

    /// Makes a server follow the present state of a server of another pool. Called at start for each of
    /// [`foreign_tracks`](Self::foreign_tracks), and again for each [`PoolEvent::Changed`] of the other server.
    pub fn follow(&self, server: ServerId, lead: Lead, now: Instant) -> Vec<PoolEvent> {
        self.change(now, |core, totals, effects| {
            if server.index() < core.slots.len() {
                core.follow(totals, server, lead, effects);
            }
        })
    }

    /// The name of the pool.
    pub const fn name(&self) -> &crate::name::ProxyName {
        &self.name
    }

    /// Counters of the pool as a whole. The pool itself counts only what it decides: placements, and the loss of the
    /// last server.
    pub const fn counters(&self) -> &PerWorker<BackendCounters> {
        &self.totals.counters
    }

    /// How long things take.
    pub const fn durations(&self) -> &DurationMeters {
        &self.totals.durations
    }

    /// Number of servers, usable or not.
    pub fn len(&self) -> usize {
        self.lock().slots.len()
    }

    /// Whether there are no servers at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many servers are usable, and their weights.
    pub fn census(&self) -> Census {
        self.lock().balancer.census()
    }

    /// Requests waiting for a server of the pool, in all queues.
    pub fn queued(&self) -> u32 {
        self.totals.waiting.get()
    }

    /// Sessions in the pool.
    pub fn sessions(&self) -> u32 {
        self.totals.sessions.get()
    }

    /// A server by its place.
    pub fn server(&self, server: ServerId) -> Option<Arc<ServerCell>> {
        self.lock().slots.get(server.index()).map(|slot| Arc::clone(&slot.cell))
    }

    /// A server by its name.
    pub fn by_name(&self, name: &str) -> Option<ServerId> {
        self.find(|state| state.def.name.as_str() == name)
    }

    /// A server by its numeric id.
    pub fn by_id(&self, id: u32) -> Option<ServerId> {
        self.find(|state| state.def.id == id)
    }

    /// The server a persistence cookie belongs to.
    pub fn by_cookie(&self, cookie: &str) -> Option<ServerId> {
        self.find(|state| state.def.cookie.as_deref() == Some(cookie))
    }

    /// The host name that leads to the address of a server.
    pub fn hostname(&self, server: ServerId) -> Option<Arc<str>> {
        self.lock().slots.get(server.index())?.state.hostname.get().clone()
    }

    /// The address a server is reached at.
    pub fn address(&self, server: ServerId) -> Option<Endpoint> {
        self.lock().slots.get(server.index())?.state.address.get().clone()
    }

    /// What a server counts in the quorum.
    pub fn share(&self, server: ServerId) -> Option<u32> {
        self.lock().slots.get(server.index()).map(|slot| *slot.state.share.get())
    }

    /// The state of a server for those who follow it.
    pub fn lead(&self, server: ServerId) -> Option<Lead> {
        let core = self.lock();
        (server.index() < core.slots.len()).then(|| core.lead(server))
    }

    /// Servers that follow a server of another pool.
    pub fn foreign_tracks(&self) -> Vec<(ServerId, TrackDef)> {
        let core = self.lock();
        let tracks = core.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let track = slot.state.def.track.as_ref()?;
            track.pool.as_ref().filter(|pool| **pool != self.name)?;
            Some((ServerId(index), track.clone()))
        });
        tracks.collect()
    }

    fn find(&self, matches: impl Fn(&server::ServerState) -> bool) -> Option<ServerId> {
        let core = self.lock();
        core.slots.iter().position(|slot| matches(&slot.state)).map(|index| ServerId(index as u32))
    }

    /// Gives back a slot. Touches the lock only if somebody waits or the algorithm counts requests.
    fn release(&self, server: &ServerCell) {
        server.served.sub(1);
        self.totals.served.sub(1);
        let follows_load = self.follows_load.load(std::sync::atomic::Ordering::Relaxed);
        if follows_load || self.totals.waiting.get() > 0 {
            self.pass_on(server, follows_load);
        }
    }

    /// Offers a free slot to who waits.
    fn pass_on(&self, server: &ServerCell, report: bool) {
        let mut core = self.lock();
        let Some(id) = server.id() else { return };
        if report {
            core.report_load(id);
        }
        while let Some(waker) = core.serve_one(&self.totals, id) {
            if let Some(waker) = waker {
                drop(core);
                waker.wake();
                core = self.lock();
                if server.id() != Some(id) {
                    return;
                }
            }
        }
    }

    /// Changes something under the lock, wakes who got a slot by it, and returns the events.
    fn change(&self, now: Instant, change: impl FnOnce(&mut Core, &Totals, &mut Effects)) -> Vec<PoolEvent> {
        let mut effects = Effects::default();
        let mut core = self.lock();
        core.advance(now);
        change(&mut core, &self.totals, &mut effects);
        drop(core);
        for waker in effects.wake {
            waker.wake();
        }
        effects.events
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic elsewhere leaves the core in a consistent enough state: every invariant is restored before anything
        // that could panic, and a load balancer that stops because one task did is the worse outcome.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
