//! What the pool's lock protects: servers, queues and the balancer, and how requests get slots.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::admin::OpState;
use super::cell::ServerCell;
use super::def::PoolDef;
use super::queue::{Fate, Queue, WaitingRoom};
use super::server::ServerState;
use super::{PoolEvent, Request, Totals};
use crate::balance::{
    Algorithm, Balancer, Definition, Load, Occupancy, PickKey, ServerEvent, ServerId, weight,
};
use crate::cache::expect;
use crate::deadline::DeadlineHeap;
use crate::rng::Rng;

/// One server.
pub(super) struct Slot {
    pub(super) cell: Arc<ServerCell>,
    pub(super) state: ServerState,
    pub(super) queue: Queue,
    /// Servers of this pool that follow this one.
    pub(super) followers: Vec<u32>,
}

pub(super) struct Core {
    pub(super) def: PoolDef,
    pub(super) slots: Vec<Slot>,
    pub(super) balancer: Box<dyn Balancer>,
    /// Units of effective weight per unit of configured weight.
    pub(super) scale: u32,
    /// The latest instant anybody mentioned; releases do not know the time.
    pub(super) now: Instant,
    /// The same in milliseconds since the pool's origin.
    pub(super) now_ms: u64,
    pub(super) origin: Instant,
    pub(super) queue: Queue,
    pub(super) room: WaitingRoom,
    /// Next steps of slow starts.
    pub(super) ramps: DeadlineHeap,
    pub(super) rng: Rng,
    /// Some server's limit follows the load of the pool.
    pub(super) dynamic_limits: bool,
    /// The quorum is there; says nothing where none is asked for.
    pub(super) quorate: bool,
    pub(super) last_change: Instant,
    pub(super) downtime: Duration,
}

/// What became of a request.
pub(super) enum Placed {
    Slot(Arc<ServerCell>),
    Queued(u32),
    NoServer,
    QueueFull(ServerId),
}

/// What a change of state led to.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) events: Vec<PoolEvent>,
    pub(super) wake: Vec<Waker>,
}

/// The load of servers as the balancer sees it.
pub(super) struct View<'a> {
    slots: &'a [Slot],
    totals: &'a Totals,
    fullconn: u32,
    now: Instant,
    now_ms: u64,
}

impl View<'_> {
    /// What [`Load::has_room`] says of the server's load.
    fn has_room(&self, server: ServerId) -> bool {
        let Slot { cell, state, queue, .. } = &self.slots[server.index()];
        match state.limit(self.totals.sessions.get(), self.fullconn, self.now) {
            None => true,
            Some(limit) => queue.len() == 0 && cell.served.get() < limit,
        }
    }
}

impl Occupancy for View<'_> {
    fn load(&self, server: ServerId) -> Load {
        let slot = &self.slots[server.index()];
        expect(slot, self.slots.len());
        let Slot { cell, state, queue, .. } = slot;
        expect(&**cell, self.slots.len());
        Load {
            served: cell.served.get(),
            queued: queue.len(),
            limit: state.limit(self.totals.sessions.get(), self.fullconn, self.now),
            max_queue: state.def.maxqueue,
            rate: cell.rate.rate(self.now_ms) as u32,
        }
    }

    fn served(&self) -> u32 {
        self.totals.served.get()
    }
}

impl Core {
    pub(super) fn view<'a>(&'a self, totals: &'a Totals) -> View<'a> {
        View { slots: &self.slots, totals, fullconn: self.def.fullconn, now: self.now, now_ms: self.now_ms }
    }

    /// Milliseconds since the pool's origin.
    pub(super) fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.origin).as_millis() as u64
    }

    pub(super) fn advance(&mut self, now: Instant) {
        if now > self.now {
            self.now = now;
            self.now_ms = self.millis(now);
        }
    }

    /// Finds a slot for a request, or a place in a queue.
    pub(super) fn place(&mut self, totals: &Totals, request: &Request<'_>) -> Placed {
        if let Some(server) = self.stand_in() {
            return self.place_on(totals, server, request);
        }
        if let Some(server) = request.direct
            && let Some(slot) = self.slots.get(server.index())
            && (request.force || slot.cell.accepts_persistent())
        {
            return self.place_on(totals, server, request);
        }
        let census = self.balancer.census();
        if census.active + census.backup == 0 {
            return Placed::NoServer;
        }
        match self.choose(totals, request) {
            Some(server) => self.place_on(totals, server, request),
            None => {
                // From here on every release looks into the queues, and a slot that was released while the balancer was
                // looking elsewhere is found by the second look.
                totals.waiting.add();
                if let Some(server) = self.choose(totals, request) {
                    totals.waiting.sub(1);
                    return self.place_on(totals, server, request);
                }
                let at = self.arrival(request);
                let number = self.room.enter(&mut self.queue, None, request.class, at);
                totals.queued.add();
                Placed::Queued(number)
            }
        }
    }

    fn choose(&mut self, totals: &Totals, request: &Request<'_>) -> Option<ServerId> {
        // Requests waiting in the pool's queue mean that these algorithms found all servers full.
        let full_means_full =
            matches!(self.def.algorithm, Algorithm::RoundRobin | Algorithm::StaticRr | Algorithm::First);
        if full_means_full && self.queue.len() > 0 && totals.served.get() > 0 {
            return None;
        }
        if self.dynamic_limits && matches!(self.def.algorithm, Algorithm::First) {
            self.balancer.on(ServerEvent::Limits);
        }
        let view = View {
            slots: &self.slots,
            totals,
            fullconn: self.def.fullconn,
            now: self.now,
            now_ms: self.now_ms,
        };
        let key = PickKey::new().with_key(request.key).avoiding(request.avoid).with_occupancy(&view);
        let server = self.balancer.pick(key)?;
        // The drivers count in them, too.
        expect(self.slots[server.index()].cell.counters().of(0), self.slots.len());
        if request.avoid != Some(server) {
            self.slots[server.index()].cell.counters().of(0).balanced.inc();
            totals.counters.of(0).balanced.inc();
        }
        Some(server)
    }

    /// A slot on this very server, or a place in its queue.
    fn place_on(&mut self, totals: &Totals, server: ServerId, request: &Request<'_>) -> Placed {
        if self.view(totals).has_room(server) {
            return Placed::Slot(self.take(totals, server));
        }
        let maxqueue = self.slots[server.index()].state.def.maxqueue;
        if maxqueue > 0 && self.slots[server.index()].queue.len() >= maxqueue {
            return Placed::QueueFull(server);
        }
        // As above: announce the wait, then look again.
        totals.waiting.add();
        if self.view(totals).has_room(server) {
            totals.waiting.sub(1);
            return Placed::Slot(self.take(totals, server));
        }
        let at = self.arrival(request);
        let slot = &mut self.slots[server.index()];
        let number = self.room.enter(&mut slot.queue, Some(Arc::clone(&slot.cell)), request.class, at);
        slot.cell.queued.add();
        self.report_load(server);
        Placed::Queued(number)
    }

    fn arrival(&self, request: &Request<'_>) -> i64 {
        self.now_ms as i64 + i64::from(request.offset_ms)
    }

    /// Occupies a slot.
    fn take(&mut self, totals: &Totals, server: ServerId) -> Arc<ServerCell> {
        let cell = Arc::clone(&self.slots[server.index()].cell);
        cell.served.add();
        totals.served.add();
        let now_ms = self.now_ms;
        cell.begin_session(now_ms);
        totals.begin_lease(now_ms);
        self.report_load(server);
        cell
    }

    pub(super) fn report_load(&mut self, server: ServerId) {
        if self.follows_load() {
            let slot = &self.slots[server.index()];
            let inflight = slot.cell.served.get() + slot.queue.len();
            self.balancer.on(ServerEvent::Load { server, inflight });
        }
    }

    /// Whether the balancer must hear of every request that comes or goes.
    pub(super) fn follows_load(&self) -> bool {
        use Algorithm::{Fewest, First, LeastConn, ShortestDelay};
        matches!(self.def.algorithm, LeastConn | ShortestDelay | Fewest | First)
    }

    /// Gives a free slot of a server to the request that is next in line, if there is both. Returns who is to be woken:
    /// nothing if nobody got a slot.
    pub(super) fn serve_one(&mut self, totals: &Totals, server: ServerId) -> Option<Option<Waker>> {
        let mut load = self.view(totals).load(server);
        load.queued = 0;
        if !load.has_room() {
            return None;
        }
        let own = self.slots[server.index()].queue.first();
        let common = if self.serves_common_queue(server) { self.queue.first() } else { None };
        // Of equal rank the server's own goes first. The order of arrival across the two queues does not count.
        let from_own = match (own, common) {
            (None, None) => return None,
            (Some((own, _)), Some((common, _))) => (own.class, own.at) <= (common.class, common.at),
            (own, _) => own.is_some(),
        };
        let cell = self.take(totals, server);
        totals.waiting.sub(1);
        let Self { slots, queue, room, .. } = self;
        let (queue, number) = match (from_own, own, common) {
            (true, Some((_, number)), _) => {
                cell.queued.sub(1);
                (&mut slots[server.index()].queue, number)
            }
            (_, _, Some((_, number))) => {
                totals.queued.sub(1);
                (queue, number)
            }
            _ => unreachable!("one of the queues has a first entry"),
        };
        let waker = room.grant(queue, number, cell);
        self.report_load(server);
        Some(waker)
    }

    /// Serves waiting requests as long as the server has free slots. Returns how many.
    pub(super) fn serve_all(&mut self, totals: &Totals, server: ServerId, effects: &mut Effects) -> u32 {
        let mut served = 0;
        while let Some(waker) = self.serve_one(totals, server) {
            effects.wake.extend(waker);
            served += 1;
        }
        served
    }

    /// Whether a server may serve requests that wait for any server.
    fn serves_common_queue(&self, server: ServerId) -> bool {
        let state = &self.slots[server.index()].state;
        if state.balanced_weight() == 0 {
            return false;
        }
        let census = self.balancer.census();
        !state.def.backup
            || census.active == 0 && (self.def.all_backups || census.first_backup == Some(server))
    }

    /// The position of a request that waits, or was decided on and does not know yet.
    pub(super) fn position(&mut self, number: u32) -> u64 {
        let waits_for = match &self.room.entry(number).fate {
            Fate::Waiting(server) => server.as_ref().and_then(|server| server.id()),
            Fate::Granted(_) | Fate::Evicted => return 0,
        };
        let queue = waits_for.map_or(&self.queue, |id| &self.slots[id.index()].queue);
        self.room.position(queue, number)
    }

    /// A request gave up waiting, or gave back a slot it never used. Returns the server whose slot is free again.
    pub(super) fn abandon(&mut self, totals: &Totals, number: u32) -> Option<Arc<ServerCell>> {
        let fate = std::mem::replace(&mut self.room.entry(number).fate, Fate::Evicted);
        match fate {
            Fate::Waiting(server) => {
                let index = server.as_ref().and_then(|server| server.id());
                match (server, index) {
                    (Some(cell), Some(id)) => {
                        cell.queued.sub(1);
                        self.room.withdraw(&mut self.slots[id.index()].queue, number);
                        self.report_load(id);
                    }
                    _ => {
                        totals.queued.sub(1);
                        self.room.withdraw(&mut self.queue, number);
                    }
                }
                totals.waiting.sub(1);
                None
            }
            Fate::Granted(cell) => {
                self.room.release(number);
                Some(cell)
            }
            Fate::Evicted => {
                self.room.release(number);
                None
            }
        }
    }

    /// Sends requests that wait for a server elsewhere, and everybody away if no server is left. Returns how many.
    pub(super) fn redistribute(&mut self, totals: &Totals, server: ServerId, effects: &mut Effects) -> u32 {
        let mut count = 0;
        let slot = &mut self.slots[server.index()];
        if slot.state.admin.is_maint() || (self.def.redispatch && !self.def.persist) {
            let evicted = self.room.evict(&mut slot.queue, &mut effects.wake);
            slot.cell.queued.sub(evicted);
            count += evicted;
        }
        let census = self.balancer.census();
        if census.active + census.backup == 0 {
            let evicted = self.room.evict(&mut self.queue, &mut effects.wake);
            totals.queued.sub(evicted);
            count += evicted;
        }
        totals.waiting.sub(count);
        self.report_load(server);
        count
    }

    /// Tells the balancer about a server's weight, and readers about its state.
    pub(super) fn propagate(&mut self, server: ServerId) {
        let Slot { cell, state, .. } = &self.slots[server.index()];
        let weight = state.balanced_weight();
        cell.publish(state.op, state.admin, weight > 0);
        self.balancer.on(ServerEvent::Weight { server, weight });
        self.judge_quorum();
    }

    /// Takes the next step of every slow start that is due.
    pub(super) fn step_ramps(&mut self, totals: &Totals, effects: &mut Effects) {
        while let Some(index) = self.ramps.expire(self.now) {
            let server = ServerId(index);
            let state = &self.slots[server.index()].state;
            if state.op != OpState::Starting {
                continue;
            }
            if self.now >= state.last_change + state.slowstart() {
                self.set_op(totals, server, OpState::Running, crate::health::Cause::Unsaid, effects);
                self.sync_followers(totals, server, effects);
            } else {
                self.ramps.set(index, self.now + weight::RAMP_INTERVAL);
                self.slots[server.index()].state.weigh(self.scale, self.now);
                self.propagate(server);
                self.balancer.on(ServerEvent::Limits);
            }
            self.serve_all(totals, server, effects);
        }
    }

    /// The balancer's definition for the present servers, whose effective weights are brought up to date.
    pub(super) fn definition(def: &PoolDef, slots: &mut [Slot], now: Instant) -> Definition {
        let mut definition = Definition::new(def.algorithm.clone(), Vec::new());
        definition.hash = def.hash;
        definition.balance_factor = def.balance_factor;
        definition.affinity = def.affinity;
        definition.all_backups = def.all_backups;
        let scale = definition.weight_scale();
        slots.iter_mut().for_each(|slot| slot.state.weigh(scale, now));
        definition.members = slots.iter().map(|slot| slot.state.member()).collect();
        definition
    }
}
