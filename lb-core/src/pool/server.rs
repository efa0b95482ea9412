//! The state of one server that is kept under the pool's lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admin::{AdminFlags, OpState, Setting};
use super::def::{CheckDef, HashKey, ServerDef};
use crate::addr::Endpoint;
use crate::balance::hash::{RingIdentity, ring_key};
use crate::balance::{Member, weight};
use crate::health::{CheckKind, InitState, Monitor, Observer, ServerLabel};
use crate::stats::status::ServerStatus;

/// State of a server that others follow.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lead {
    /// Which server.
    pub server: ServerLabel,
    /// Its operational state.
    pub op: OpState,
    /// Its administrative state.
    pub admin: AdminFlags,
    /// Its health check.
    pub check: Option<Monitor>,
    /// Its agent check.
    pub agent: Option<Monitor>,
}

#[derive(Debug)]
pub(super) struct ServerState {
    pub(super) def: ServerDef,
    pub(super) op: OpState,
    pub(super) admin: AdminFlags,
    pub(super) weight: Setting<u32>,
    /// What it counts in the quorum.
    pub(super) share: Setting<u32>,
    /// Effective weight as last computed; a server that is not up keeps the one it had.
    pub(super) eweight: u32,
    /// `minconn` and `maxconn`.
    pub(super) limits: Setting<(u32, u32)>,
    pub(super) address: Setting<Option<Endpoint>>,
    pub(super) hostname: Setting<Option<Arc<str>>>,
    pub(super) check: Option<Monitor>,
    pub(super) agent: Option<Monitor>,
    pub(super) observer: Option<Observer>,
    pub(super) lead: Option<Lead>,
    pub(super) last_change: Instant,
    pub(super) downtime: Duration,
}

impl ServerState {
    pub(super) fn new(def: ServerDef, now: Instant) -> Self {
        let monitor = |kind, check: &CheckDef| Monitor::new(kind, check.rise, check.fall);
        let mut state = Self {
            op: OpState::Running,
            admin: AdminFlags::NONE,
            weight: Setting::new(def.weight.min(weight::MAX)),
            share: Setting::new(def.share),
            eweight: 0,
            limits: Setting::new(def.limits()),
            address: Setting::new(def.address.clone()),
            hostname: Setting::new(def.hostname.clone()),
            check: def.check.as_ref().map(|check| monitor(CheckKind::Health, check)),
            agent: def.agent.as_ref().map(|agent| monitor(CheckKind::Agent, agent)),
            observer: def
                .observe
                .map(|observe| Observer::new(observe.observe, observe.limit, observe.on_error)),
            lead: None,
            last_change: now,
            downtime: Duration::ZERO,
            def,
        };
        if state.def.dynamic {
            state.admin = AdminFlags::FORCED_MAINT;
            state.op = OpState::Stopped;
            for monitor in [&mut state.check, &mut state.agent].into_iter().flatten() {
                monitor.set_enabled(false);
            }
        } else if state.def.disabled {
            state.admin = AdminFlags::FORCED_MAINT | AdminFlags::CONFIG_MAINT;
            state.op = OpState::Stopped;
            if let Some(check) = &mut state.check {
                check.pause();
            }
        } else {
            state.apply_init_state();
        }
        state
    }

    /// Sets operational state and health as `init-state` says. Returns whether it says anything.
    pub(super) fn apply_init_state(&mut self) -> bool {
        let up = match (&mut self.check, self.def.init_state) {
            (_, InitState::Unset) => return false,
            (Some(check), state) => check.initialize(state) == Some(true),
            (None, state) => matches!(state, InitState::Up | InitState::FullyUp),
        };
        self.op = if up { OpState::Running } else { OpState::Stopped };
        true
    }

    pub(super) fn monitor(&self, kind: CheckKind) -> Option<&Monitor> {
        match kind {
            CheckKind::Health => self.check.as_ref(),
            CheckKind::Agent => self.agent.as_ref(),
        }
    }

    pub(super) fn monitor_mut(&mut self, kind: CheckKind) -> Option<&mut Monitor> {
        match kind {
            CheckKind::Health => self.check.as_mut(),
            CheckKind::Agent => self.agent.as_mut(),
        }
    }

    /// Whether every check that is switched on, and the server that is followed, allow this one to be up.
    pub(super) fn may_be_up(&self) -> bool {
        let allows =
            |monitor: &Option<Monitor>| monitor.as_ref().is_none_or(|m| !m.is_enabled() || m.is_up());
        allows(&self.check) && allows(&self.agent) && self.lead_op() != Some(OpState::Stopped)
    }

    pub(super) fn lead_op(&self) -> Option<OpState> {
        self.lead.as_ref().map(|lead| lead.op)
    }

    /// Length of the slow start in whole seconds.
    pub(super) fn slowstart(&self) -> Duration {
        let slowstart = self.def.slowstart;
        Duration::from_secs(slowstart.as_secs() + u64::from(slowstart.subsec_nanos() > 0))
    }

    /// The state in which the server comes up.
    pub(super) fn state_when_up(&self) -> OpState {
        if self.def.slowstart.is_zero() { OpState::Running } else { OpState::Starting }
    }

    /// Effective weight as balancing sees it: 0 unless new clients may come.
    pub(super) fn balanced_weight(&self) -> u32 {
        let up = matches!(self.op, OpState::Starting | OpState::Running);
        if up && !self.admin.is_maint() && !self.admin.is_drain() { self.eweight } else { 0 }
    }

    /// Computes the effective weight anew. Only algorithms with changing weights ramp it.
    pub(super) fn weigh(&mut self, scale: u32, now: Instant) {
        self.eweight = if self.op == OpState::Starting && scale > 1 {
            let elapsed = now.saturating_duration_since(self.last_change);
            weight::ramped(*self.weight.get(), scale, elapsed, self.slowstart())
        } else {
            weight::effective(*self.weight.get(), scale)
        };
    }

    /// How many requests the server may serve at present, with `sessions` in the pool.
    pub(super) fn limit(&self, sessions: u32, fullconn: u32, now: Instant) -> Option<u32> {
        let &(minconn, maxconn) = self.limits.get();
        if maxconn == 0 {
            return None;
        }
        let mut limit = maxconn;
        if minconn != maxconn && sessions < fullconn {
            let share = u64::from(sessions) * u64::from(maxconn) / u64::from(fullconn);
            limit = minconn.max(share as u32);
        }
        if self.op == OpState::Starting {
            let elapsed = now.saturating_duration_since(self.last_change).as_secs();
            let slowstart = self.slowstart().as_secs();
            if elapsed < slowstart {
                let percent = 100 * elapsed / slowstart;
                limit = ((u64::from(limit) * percent / 100) as u32).max(1);
            }
        }
        Some(limit)
    }

    /// Whether the limit depends on the load of the pool.
    pub(super) fn has_dynamic_limit(&self) -> bool {
        let (minconn, maxconn) = self.limits.get();
        minconn != maxconn
    }

    /// The server as the balancer's builder wants it.
    pub(super) fn member(&self) -> Member {
        let mut member = Member::new(self.def.id, *self.weight.get());
        member.backup = self.def.backup;
        member.usable = self.balanced_weight() > 0;
        member.ring_key = self.ring_key();
        member
    }

    pub(super) fn ring_key(&self) -> u32 {
        let inet = self.address.get().as_ref().and_then(Endpoint::inet);
        let identity = match (self.def.hash_key, inet, &self.def.guid) {
            (HashKey::Id32, ..) => RingIdentity::Id32(self.def.id),
            (HashKey::Addr, Some(addr), _) => RingIdentity::Addr(addr.ip()),
            (HashKey::AddrPort, Some(addr), _) => RingIdentity::AddrPort(addr.ip(), addr.port()),
            (HashKey::Guid, _, Some(guid)) => RingIdentity::Guid(guid),
            _ => RingIdentity::Id(self.def.id),
        };
        ring_key(&identity)
    }

    /// The state as shown to users.
    pub(super) fn status(&self) -> ServerStatus {
        let tracked = self.lead.as_ref();
        if self.admin.intersects(AdminFlags::RESOLUTION) {
            return ServerStatus::MaintResolution;
        }
        if let Some(lead) = tracked
            && self.admin.intersects(AdminFlags::INHERITED_MAINT)
        {
            return ServerStatus::MaintVia(lead.server.to_string());
        }
        if self.admin.is_maint() {
            return ServerStatus::Maint;
        }
        let (check, agent) = match tracked {
            Some(lead) => (lead.check.as_ref(), lead.agent.as_ref()),
            None => (self.check.as_ref(), self.agent.as_ref()),
        };
        let check = check.filter(|check| check.is_enabled());
        let agent = agent.filter(|agent| agent.is_enabled());
        match self.op {
            OpState::Starting | OpState::Running => self.status_up(check, agent),
            OpState::Stopping => match check {
                Some(check) if !check.is_full() => {
                    let (left, of) = above(check);
                    ServerStatus::NolbGoingDown(left, of)
                }
                _ => ServerStatus::Nolb,
            },
            OpState::Stopped => match (agent, check) {
                (Some(agent), _) if agent.health() == 0 => ServerStatus::DownAgent,
                (_, Some(check)) if check.health() == 0 => ServerStatus::Down,
                (None, None) => ServerStatus::Down,
                (_, check) => {
                    let (health, rise) = check.map_or((0, 0), |check| (check.health(), check.rise()));
                    ServerStatus::DownGoingUp(health, rise)
                }
            },
        }
    }

    fn status_up(&self, check: Option<&Monitor>, agent: Option<&Monitor>) -> ServerStatus {
        let falling = check.filter(|check| !check.is_full()).map(above);
        if self.admin.is_drain() {
            return match (agent, falling) {
                (Some(_), _) => ServerStatus::DrainAgent,
                (None, Some((left, of))) => ServerStatus::DrainGoingDown(left, of),
                (None, None) => ServerStatus::Drain,
            };
        }
        match (falling, check) {
            (Some((left, of)), _) => ServerStatus::UpGoingDown(left, of),
            (None, Some(_)) => ServerStatus::Up,
            (None, None) => ServerStatus::NoCheck,
        }
    }
}

/// Failures left until the check takes the server down, which may be negative when another check keeps it up.
fn above(check: &Monitor) -> (i32, u32) {
    (check.health() as i32 - check.rise() as i32 + 1, check.fall())
}
