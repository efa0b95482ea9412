//! Building a pool, and giving it a new definition without losing what it knows.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::admin::Setting;
use super::cell::ServerCell;
use super::core::{Core, Effects, Slot};
use super::def::{PoolDef, ServerDef};
use super::queue::{Queue, WaitingRoom};
use super::server::ServerState;
use super::{AdminFlags, OpState, Pool, PoolEvent, Totals};
use crate::balance::{BuildError, ServerEvent, ServerId};
use crate::deadline::DeadlineHeap;
use crate::health::{CheckKind, Monitor, Observer};
use crate::name::ServerName;
use crate::rng::Rng;

/// Why a definition makes no pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Two servers have the same name.
    #[error("two servers are called `{0}`")]
    DuplicateName(ServerName),
    /// A server follows one of the same pool that does not exist.
    #[error("server `{follower}` tracks `{missing}`, which does not exist")]
    UnknownTrack {
        /// Who follows.
        follower: ServerName,
        /// Whom.
        missing: ServerName,
    },
    /// Servers follow each other in a circle.
    #[error("server `{0}` tracks itself through others")]
    TrackLoop(ServerName),
    /// The balancer cannot be built.
    #[error(transparent)]
    Balancer(#[from] BuildError),
}

impl Pool {
    /// Builds a pool; all its servers are in the state their definitions say.
    pub fn new(mut def: PoolDef, now: Instant) -> Result<Arc<Self>, PoolError> {
        check(&def)?;
        let totals = Totals::new(def.workers);
        let name = def.name.clone();
        let mut rng = Rng::new(def.seed);
        // Each definition lives with its server; thousands of them are not kept twice.
        let servers = std::mem::take(&mut def.servers).into_iter();
        let mut slots: Vec<_> = servers.map(|server| Slot::new(server, def.workers, now)).collect();
        let definition = Core::definition(&def, &mut slots, now);
        let balancer = definition.build(rng.fork())?;
        let mut core = Core {
            scale: definition.weight_scale(),
            ramps: DeadlineHeap::with_capacity(0),
            slots,
            balancer,
            def,
            now,
            now_ms: 0,
            origin: now,
            queue: Queue::default(),
            room: WaitingRoom::default(),
            rng,
            dynamic_limits: false,
            quorate: false,
            last_change: now,
            downtime: Duration::ZERO,
        };
        core.settle(&totals, &mut Effects::default());
        let follows_load = AtomicBool::new(core.follows_load());
        Ok(Arc::new(Self { name, origin: now, totals, follows_load, core: Mutex::new(core) }))
    }

    /// Gives the pool a new definition. Servers are matched by name and keep their state, their counters and their
    /// requests; what an operator changed stays unless the definition changed the same thing. Requests waiting for a
    /// server that is gone are sent elsewhere.
    ///
    /// On an error nothing has changed.
    pub fn reconfigure(&self, def: PoolDef, now: Instant) -> Result<Vec<PoolEvent>, PoolError> {
        check(&def)?;
        let mut result = Ok(());
        let events = self.change(now, |core, totals, effects| {
            result = core.reconfigure(totals, def, effects);
            self.follows_load.store(core.follows_load(), Relaxed);
        });
        result.map(|()| events)
    }
}

impl Slot {
    fn new(def: ServerDef, workers: usize, now: Instant) -> Self {
        Self {
            cell: Arc::new(ServerCell::new(def.name.clone(), workers)),
            state: ServerState::new(def, now),
            queue: Queue::default(),
            followers: Vec::new(),
        }
    }
}

impl Core {
    fn reconfigure(
        &mut self,
        totals: &Totals,
        mut def: PoolDef,
        effects: &mut Effects,
    ) -> Result<(), PoolError> {
        if def.servers.len() > crate::balance::MAX_SERVERS {
            return Err(BuildError::TooManyServers { count: def.servers.len() }.into());
        }
        let before = self.balancer.census();
        let now = self.now;
        let old: Vec<_> = self.slots.iter().map(|slot| Balanced::of(&slot.state.def)).collect();
        let mut known: HashMap<_, _> =
            self.slots.drain(..).map(|slot| (slot.state.def.name.clone(), slot)).collect();
        let servers = std::mem::take(&mut def.servers).into_iter();
        self.slots = servers
            .map(|server| match known.remove(&server.name) {
                Some(mut slot) => {
                    slot.state.reconfigure(server);
                    slot
                }
                None => Slot::new(server, def.workers, now),
            })
            .collect();
        // In the old order, so that the order of events does not depend on the hash map.
        for server in &old {
            if let Some(slot) = known.remove(&server.name) {
                self.remove(totals, slot, effects);
            }
        }
        let same_servers = old.into_iter().eq(self.slots.iter().map(|slot| Balanced::of(&slot.state.def)));
        let same_balancer = same_servers && same_algorithm(&self.def, &def);
        self.def = def;
        let definition = Self::definition(&self.def, &mut self.slots, now);
        self.scale = definition.weight_scale();
        if !same_balancer {
            self.balancer = definition.build(self.rng.fork())?;
        }
        self.settle(totals, effects);
        self.note_census(before, totals, effects);
        for server in (0..self.slots.len() as u32).map(ServerId) {
            // Only the lack of an address justifies this maintenance, and the new definition may have brought one.
            if self.slots[server.index()].state.address.get().is_some() {
                self.clear_admin(totals, server, AdminFlags::RESOLUTION, effects);
            }
            self.serve_all(totals, server, effects);
        }
        Ok(())
    }

    /// A server is no longer part of the pool. Who holds a lease keeps it.
    fn remove(&mut self, totals: &Totals, mut slot: Slot, effects: &mut Effects) {
        slot.cell.set_index(None);
        slot.cell.publish(OpState::Stopped, AdminFlags::FORCED_MAINT, false);
        let evicted = self.room.evict(&mut slot.queue, &mut effects.wake);
        slot.cell.queued.sub(evicted);
        totals.waiting.sub(evicted);
    }

    /// Makes everything derived from the slots fit them.
    fn settle(&mut self, totals: &Totals, effects: &mut Effects) {
        self.update_dynamic_limits();
        self.ramps = DeadlineHeap::with_capacity(0);
        let places: HashMap<_, _> =
            self.slots.iter().zip(0u32..).map(|(slot, index)| (slot.state.def.name.clone(), index)).collect();
        for slot in &mut self.slots {
            slot.followers.clear();
        }
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            slot.cell.set_index(Some(index as u32));
            slot.cell.set_observed(slot.state.observer.is_some() && slot.state.check.is_some());
            if slot.state.op == OpState::Starting {
                self.ramps.set(index as u32, self.now);
            }
            if let Some(lead) = local_track(&self.def, &slot.state.def).and_then(|name| places.get(name)) {
                // The last one configured is told first.
                self.slots[*lead as usize].followers.insert(0, index as u32);
            }
        }
        for index in 0..self.slots.len() {
            let server = ServerId(index as u32);
            self.propagate(server);
            let key = self.slots[index].state.ring_key();
            self.balancer.on(ServerEvent::RingKey { server, key });
            self.report_load(server);
        }
        self.settle_followers(totals, effects);
    }

    /// Lets every follower start from the state of its lead. Leads come before their followers.
    fn settle_followers(&mut self, totals: &Totals, effects: &mut Effects) {
        let leads = 0..self.slots.len() as u32;
        for lead in leads.map(ServerId) {
            let slot = &self.slots[lead.index()];
            if slot.followers.is_empty() || local_track(&self.def, &slot.state.def).is_some() {
                continue;
            }
            self.sync_followers(totals, lead, effects);
        }
    }
}

impl ServerState {
    fn reconfigure(&mut self, def: ServerDef) {
        self.weight.reconfigure(def.weight.min(crate::balance::weight::MAX));
        self.share.reconfigure(def.share);
        self.limits.reconfigure(def.limits());
        let renamed = *self.hostname.configured() != def.hostname;
        self.hostname.reconfigure(def.hostname.clone());
        if renamed {
            self.admin = self.admin.without(AdminFlags::NAME_CHANGED);
        }
        self.adopt_address(&def, renamed);
        let disabled = AdminFlags::FORCED_MAINT | AdminFlags::CONFIG_MAINT;
        if def.disabled && !self.def.disabled {
            self.admin |= disabled;
            self.op = OpState::Stopped;
            if let Some(check) = &mut self.check {
                check.pause();
            }
        } else if !def.disabled && self.def.disabled {
            let was_maint = self.admin.is_maint();
            self.admin = self.admin.without(disabled);
            if was_maint && !self.admin.is_maint() {
                if let Some(check) = &mut self.check {
                    check.resume();
                }
                if !self.apply_init_state_of(&def) && self.may_be_up() {
                    self.op = OpState::Running;
                }
            }
        }
        adopt_check(&mut self.check, CheckKind::Health, def.check.as_ref(), self.admin.is_maint());
        adopt_check(&mut self.agent, CheckKind::Agent, def.agent.as_ref(), false);
        if self.def.observe != def.observe {
            self.observer =
                def.observe.map(|observe| Observer::new(observe.observe, observe.limit, observe.on_error));
        }
        if self.def.track != def.track {
            self.lead = None;
            self.admin = self.admin.without(AdminFlags::INHERITED_MAINT | AdminFlags::INHERITED_DRAIN);
        }
        // Without anything left that could bring it up, a server that is not kept down by order is up.
        let unwatched = def.check.is_none() && def.agent.is_none() && def.track.is_none();
        if unwatched && !self.admin.is_maint() && self.op == OpState::Stopped {
            self.op = OpState::Running;
        }
        self.def = def;
    }

    fn adopt_address(&mut self, def: &ServerDef, renamed: bool) {
        if renamed || (self.def.followed && !def.followed) {
            // What name servers said is about a name that is no longer asked for, so it counts for nothing, even if the
            // configured address is the same as before.
            self.address = Setting::new(def.address.clone());
        } else if !self.def.followed {
            self.address.reconfigure(def.address.clone());
        } else if self.def.port != def.port {
            // What the system knew when the files were read is older than what name servers said, but they say no ports.
            let moved =
                self.address.get().as_ref().zip(def.port).map(|(address, port)| address.with_port(port));
            if moved.is_some() {
                self.address.set(moved);
            }
        }
    }

    fn apply_init_state_of(&mut self, def: &ServerDef) -> bool {
        self.def.init_state = def.init_state;
        self.apply_init_state()
    }
}

fn adopt_check(check: &mut Option<Monitor>, kind: CheckKind, def: Option<&super::CheckDef>, paused: bool) {
    match (check.as_mut(), def) {
        (_, None) => *check = None,
        (Some(check), Some(def)) => check.set_limits(def.rise, def.fall),
        (None, Some(def)) => {
            let mut monitor = Monitor::new(kind, def.rise, def.fall);
            if paused {
                monitor.pause();
            }
            *check = Some(monitor);
        }
    }
}

/// The server of the same pool that a server follows.
fn local_track<'a>(pool: &PoolDef, server: &'a ServerDef) -> Option<&'a ServerName> {
    let track = server.track.as_ref()?;
    track.pool.as_ref().is_none_or(|name| *name == pool.name).then_some(&track.server)
}

/// What a balancer is built from and events cannot change.
#[derive(PartialEq)]
struct Balanced {
    name: ServerName,
    id: u32,
    backup: bool,
    weight: u32,
}

impl Balanced {
    fn of(def: &ServerDef) -> Self {
        Self { name: def.name.clone(), id: def.id, backup: def.backup, weight: def.weight }
    }
}

fn same_algorithm(old: &PoolDef, new: &PoolDef) -> bool {
    (&old.algorithm, old.hash, old.balance_factor, old.affinity, old.all_backups)
        == (&new.algorithm, new.hash, new.balance_factor, new.affinity, new.all_backups)
}

/// Refuses definitions that make no sense, before anything is changed.
fn check(def: &PoolDef) -> Result<(), PoolError> {
    let mut names = HashSet::new();
    for server in &def.servers {
        if !names.insert(&server.name) {
            return Err(PoolError::DuplicateName(server.name.clone()));
        }
    }
    let tracks: HashMap<_, _> =
        def.servers.iter().filter_map(|server| Some((&server.name, local_track(def, server)?))).collect();
    for (&follower, &lead) in &tracks {
        if !names.contains(lead) {
            return Err(PoolError::UnknownTrack { follower: follower.clone(), missing: lead.clone() });
        }
    }
    for server in &def.servers {
        let mut at = &server.name;
        for _ in 0..def.servers.len() {
            match tracks.get(at) {
                Some(&lead) if lead == &server.name => return Err(PoolError::TrackLoop(server.name.clone())),
                Some(&lead) => at = lead,
                None => break,
            }
        }
    }
    Ok(())
}
