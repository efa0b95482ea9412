//! The part of a server's state that is read and counted without a lock.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};

use super::admin::{AdminFlags, OpState};
use crate::balance::ServerId;
use crate::name::ServerName;
use crate::stats::counter::{AverageMeter, Level, Padded, PerWorker, RateMeter, ServerCounters};

/// Index of a server that is no longer part of the pool.
const GONE: u32 = u32::MAX;

/// A number of things present, and the most there were.
#[derive(Debug, Default)]
pub(super) struct Tally {
    cur: AtomicU32,
    max: AtomicU32,
}

impl Tally {
    pub(super) fn add(&self) -> u32 {
        let cur = self.cur.fetch_add(1, SeqCst) + 1;
        if cur > self.max.load(Relaxed) {
            self.max.fetch_max(cur, Relaxed);
        }
        cur
    }

    pub(super) fn sub(&self, count: u32) {
        let before = self.cur.fetch_sub(count, SeqCst);
        debug_assert!(before >= count, "more left than came");
    }

    pub(super) fn get(&self) -> u32 {
        self.cur.load(SeqCst)
    }

    pub(super) fn level(&self) -> Level {
        Level { cur: self.cur.load(Relaxed).into(), max: self.max.load(Relaxed).into() }
    }

    pub(super) fn clear_max(&self) {
        self.max.store(self.cur.load(Relaxed), Relaxed);
    }
}

/// Average and highest duration of the phases of a session, in milliseconds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DurationMeters {
    /// Waiting in the queue.
    pub queue: AverageMeter,
    /// Connecting.
    pub connect: AverageMeter,
    /// Waiting for the response.
    pub response: AverageMeter,
    /// All together.
    pub total: AverageMeter,
}

impl DurationMeters {
    /// Takes the milliseconds of an exchange into account: in the queue, to connect, to the response, altogether.
    pub fn record(&self, [queue, connect, response, total]: [u64; 4]) {
        self.queue.record(queue);
        self.connect.record(connect);
        self.response.record(response);
        self.total.record(total);
    }

    pub(super) fn clear_max(&self) {
        for meter in [&self.queue, &self.connect, &self.response, &self.total] {
            meter.clear_max();
        }
    }
}

/// A server as its users see it. It outlives its place in the pool: who holds a lease when the server is removed by a
/// reload still counts here.
#[derive(Debug)]
pub struct ServerCell {
    name: ServerName,
    index: AtomicU32,
    op: AtomicU8,
    admin: AtomicU8,
    /// Balancing gives it a share.
    balanced: AtomicBool,
    observed: AtomicBool,
    pub(super) served: Tally,
    pub(super) queued: Tally,
    pub(super) rate: RateMeter,
    /// Milliseconds since the pool's origin, plus one; 0 before the first session.
    last_session: AtomicU64,
    counters: PerWorker<ServerCounters>,
    durations: DurationMeters,
    /// Of each worker; most servers of a large configuration never have idle connections.
    idle: OnceLock<Box<IdleSets>>,
}

/// Idle connections by worker, boxed because few servers have any.
#[derive(Debug)]
struct IdleSets(Box<[Padded<Idle>]>);

/// Idle connections of one worker.
#[derive(Debug, Default)]
struct Idle {
    unproven: AtomicU32,
    safe: AtomicU32,
}

impl ServerCell {
    pub(super) fn new(name: ServerName, workers: usize) -> Self {
        Self {
            name,
            index: AtomicU32::new(GONE),
            op: AtomicU8::new(OpState::Running as u8),
            admin: AtomicU8::new(0),
            balanced: AtomicBool::new(true),
            observed: AtomicBool::new(false),
            served: Tally::default(),
            queued: Tally::default(),
            rate: RateMeter::default(),
            last_session: AtomicU64::new(0),
            counters: PerWorker::new(workers),
            durations: DurationMeters::default(),
            idle: OnceLock::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(name: &str) -> Self {
        Self::new(name.into(), 1)
    }

    /// The server's name.
    pub const fn name(&self) -> &ServerName {
        &self.name
    }

    /// Its present place in the pool, unless it was removed.
    pub fn id(&self) -> Option<ServerId> {
        let index = self.index.load(Relaxed);
        (index != GONE).then_some(ServerId(index))
    }

    /// Its operational state. May be out of date by the time it is looked at.
    pub fn op(&self) -> OpState {
        match self.op.load(Relaxed) {
            0 => OpState::Stopped,
            1 => OpState::Starting,
            2 => OpState::Running,
            _ => OpState::Stopping,
        }
    }

    /// Its administrative state. May be out of date by the time it is looked at.
    pub fn admin(&self) -> AdminFlags {
        AdminFlags::from_bits(self.admin.load(Relaxed))
    }

    /// Whether requests that belong to this server may go to it: it is neither down nor in maintenance. Servers that
    /// drain or have no weight still take them.
    pub fn accepts_persistent(&self) -> bool {
        self.op() != OpState::Stopped && !self.admin().is_maint()
    }

    /// Whether clients that are free to go elsewhere may go to it: it is up, does not drain and has a weight.
    pub fn takes_new(&self) -> bool {
        self.balanced.load(Relaxed)
    }

    /// Whether it is down or only just up: requests that failed on it are better off elsewhere.
    pub fn is_lame(&self) -> bool {
        matches!(self.op(), OpState::Stopped | OpState::Starting)
    }

    /// Requests being served, and the most there were.
    pub fn served(&self) -> Level {
        self.served.level()
    }

    /// Requests waiting for this server, and the most there were.
    pub fn queued(&self) -> Level {
        self.queued.level()
    }

    /// What users of the server count.
    pub const fn counters(&self) -> &PerWorker<ServerCounters> {
        &self.counters
    }

    /// How long things take.
    pub const fn durations(&self) -> &DurationMeters {
        &self.durations
    }

    /// A worker holds so many idle connections, of which so many are known to be safe for reuse.
    pub fn note_idle(&self, worker: usize, all: usize, safe: usize) {
        if all == 0 && self.idle.get().is_none() {
            return;
        }
        let sets = self.idle.get_or_init(|| {
            Box::new(IdleSets((0..self.counters.workers()).map(|_| Padded::default()).collect()))
        });
        if let Some(Padded(idle)) = sets.0.get(worker) {
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            idle.unproven.store(number(all.saturating_sub(safe)), Relaxed);
            idle.safe.store(number(safe), Relaxed);
        }
    }

    /// Idle connections of each worker: those not known to be safe for reuse, and those that are.
    pub fn idle(&self) -> impl Iterator<Item = (u32, u32)> {
        let sets = self.idle.get();
        (0..self.counters.workers()).map(move |worker| {
            let set = sets.and_then(|sets| sets.0.get(worker));
            set.map_or((0, 0), |Padded(idle)| (idle.unproven.load(Relaxed), idle.safe.load(Relaxed)))
        })
    }

    /// Whether anybody wants to know what is seen on its traffic (`observe`).
    pub fn is_observed(&self) -> bool {
        self.observed.load(Relaxed)
    }

    pub(super) fn set_observed(&self, observed: bool) {
        self.observed.store(observed, Relaxed);
    }

    pub(super) fn set_index(&self, index: Option<u32>) {
        self.index.store(index.unwrap_or(GONE), Relaxed);
    }

    pub(super) fn publish(&self, op: OpState, admin: AdminFlags, balanced: bool) {
        self.balanced.store(balanced, Relaxed);
        self.op.store(op as u8, Relaxed);
        self.admin.store(admin.bits(), Relaxed);
    }

    /// Counts a session that begins.
    pub(super) fn begin_session(&self, now_ms: u64) {
        self.rate.tick(now_ms);
        self.last_session.store(now_ms + 1, Relaxed);
        self.counters.of(0).sessions.inc();
    }

    /// Milliseconds since the pool's origin at which the last session began.
    pub(super) fn last_session_ms(&self) -> Option<u64> {
        self.last_session.load(Relaxed).checked_sub(1)
    }
}
