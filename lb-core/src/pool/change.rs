//! Changes of a server's state and everything that follows from them.
//!
//! The order of the steps is the one people see in logs: the state changes, the balancer hears of it, waiting requests
//! are moved, the line is written with the numbers after all that, and last the pool as a whole is found empty or not.

use super::admin::{AdminFlags, AdminState, OpState};
use super::core::{Core, Effects};
use super::server::Lead;
use super::{PoolEvent, Totals};
use crate::balance::{Census, ServerId, weight};
use crate::health::{Cause, Change, HealthEvent, InitState, Maintenance, Remains, ServerChange, ServerLabel};

impl Core {
    /// The server is up, unless it is in maintenance.
    pub(super) fn set_running(
        &mut self,
        totals: &Totals,
        server: ServerId,
        cause: Cause,
        effects: &mut Effects,
    ) {
        let state = &self.slots[server.index()].state;
        if state.admin.is_maint() || matches!(state.op, OpState::Starting | OpState::Running) {
            return;
        }
        let next = state.state_when_up();
        self.set_op(totals, server, next, cause, effects);
        self.sync_followers(totals, server, effects);
    }

    /// The server takes persistent traffic only.
    pub(super) fn set_stopping(
        &mut self,
        totals: &Totals,
        server: ServerId,
        cause: Cause,
        effects: &mut Effects,
    ) {
        self.leave(totals, server, OpState::Stopping, cause, effects);
    }

    /// The server is down.
    pub(super) fn set_stopped(
        &mut self,
        totals: &Totals,
        server: ServerId,
        cause: Cause,
        effects: &mut Effects,
    ) {
        self.leave(totals, server, OpState::Stopped, cause, effects);
    }

    fn leave(
        &mut self,
        totals: &Totals,
        server: ServerId,
        next: OpState,
        cause: Cause,
        effects: &mut Effects,
    ) {
        let state = &self.slots[server.index()].state;
        if state.admin.is_maint() || state.op == next {
            return;
        }
        self.set_op(totals, server, next, cause, effects);
        self.sync_followers(totals, server, effects);
    }

    /// Changes the operational state. It differs from the present one.
    pub(super) fn set_op(
        &mut self,
        totals: &Totals,
        server: ServerId,
        next: OpState,
        cause: Cause,
        effects: &mut Effects,
    ) {
        let before = self.balancer.census();
        let was_stopping = self.was_stopping(server);
        self.enter_op(server, next);
        self.propagate(server);
        let state = &self.slots[server.index()].state;
        let (kind, moved) = match next {
            OpState::Stopped => {
                if state.def.shutdown_sessions {
                    effects.events.push(PoolEvent::EndSessions { server });
                }
                (Change::Down, self.redistribute(totals, server, effects))
            }
            OpState::Stopping => (Change::Stopping, self.redistribute(totals, server, effects)),
            OpState::Starting | OpState::Running => {
                self.end_backup_sessions(server, effects);
                (Change::Up, self.serve_all(totals, server, effects))
            }
        };
        let mut change = self.change(server, kind);
        change.cause = cause;
        change.via = self.via(server);
        change.remains = Some(self.remains(server, moved));
        change.was_stopping = was_stopping;
        self.finish(change, before, totals, effects);
        // A slow start that ends early leaves the full limit to those who still wait for this very server.
        self.serve_all(totals, server, effects);
    }

    /// Sets the state and keeps the accounts of time spent in each.
    fn enter_op(&mut self, server: ServerId, next: OpState) {
        let now = self.now;
        let slot = &mut self.slots[server.index()];
        let state = &mut slot.state;
        let previous = std::mem::replace(&mut state.op, next);
        if previous == next {
            return;
        }
        match (previous, next) {
            (OpState::Stopped, _) => state.downtime += now.saturating_duration_since(state.last_change),
            (_, OpState::Stopped) => slot.cell.counters().of(0).went_down.inc(),
            _ => {}
        }
        state.last_change = now;
        match next {
            OpState::Starting => self.ramps.set(server.0, now + weight::RAMP_INTERVAL),
            _ => self.ramps.clear(server.0),
        }
        if matches!(next, OpState::Starting | OpState::Running) {
            state.weigh(self.scale, now);
        }
    }

    fn end_backup_sessions(&self, server: ServerId, effects: &mut Effects) {
        let state = &self.slots[server.index()].state;
        if state.def.shutdown_backup_sessions && !state.def.backup && *state.weight.get() > 0 {
            effects.events.push(PoolEvent::EndBackupSessions);
        }
    }

    fn was_stopping(&self, server: ServerId) -> bool {
        let state = &self.slots[server.index()].state;
        state.op == OpState::Stopping || state.admin.is_drain()
    }

    /// Adds a reason for maintenance or draining, here and for those who follow.
    pub(super) fn set_admin(
        &mut self,
        totals: &Totals,
        server: ServerId,
        reason: AdminFlags,
        words: Option<&'static str>,
        effects: &mut Effects,
    ) {
        let admin = self.slots[server.index()].state.admin;
        if !admin.intersects(reason) {
            self.change_admin(totals, server, admin | reason, words, effects);
            self.sync_followers(totals, server, effects);
        }
    }

    /// Removes a reason for maintenance or draining, here and for those who follow.
    pub(super) fn clear_admin(
        &mut self,
        totals: &Totals,
        server: ServerId,
        reason: AdminFlags,
        effects: &mut Effects,
    ) {
        let admin = self.slots[server.index()].state.admin;
        if admin.intersects(reason) {
            self.change_admin(totals, server, admin.without(reason), None, effects);
            self.sync_followers(totals, server, effects);
        }
    }

    /// Carries out an operator's or an agent's order.
    pub(super) fn order(
        &mut self,
        totals: &Totals,
        server: ServerId,
        order: AdminState,
        effects: &mut Effects,
    ) {
        let (maint, drain) = (AdminFlags::FORCED_MAINT, AdminFlags::FORCED_DRAIN);
        match order {
            AdminState::Ready => {
                self.clear_admin(totals, server, drain, effects);
                self.clear_admin(totals, server, maint, effects);
            }
            AdminState::Drain => {
                self.set_admin(totals, server, drain, None, effects);
                self.clear_admin(totals, server, maint, effects);
            }
            AdminState::Maint => {
                self.set_admin(totals, server, maint, None, effects);
                self.clear_admin(totals, server, drain, effects);
            }
        }
    }

    fn change_admin(
        &mut self,
        totals: &Totals,
        server: ServerId,
        next: AdminFlags,
        words: Option<&'static str>,
        effects: &mut Effects,
    ) {
        let previous = std::mem::replace(&mut self.slots[server.index()].state.admin, next);
        let transition = Transition { server, previous, next, words };
        match (previous.is_maint(), next.is_maint()) {
            (false, true) => self.enter_maintenance(totals, &transition, effects),
            (true, false) => self.leave_maintenance(totals, &transition, effects),
            (true, true) => self.remain_in_maintenance(&transition, effects),
            (false, false) => {}
        }
        if !next.is_maint() {
            self.change_drain(totals, &transition, effects);
        }
        self.propagate(server);
    }

    fn enter_maintenance(&mut self, totals: &Totals, transition: &Transition, effects: &mut Effects) {
        let &Transition { server, previous, next, .. } = transition;
        let before = self.balancer.census();
        let state = &mut self.slots[server.index()].state;
        let was_stopping = state.op == OpState::Stopping || previous.is_drain();
        if let Some(check) = &mut state.check {
            check.pause();
        }
        let was_down = state.op == OpState::Stopped;
        let end_sessions = state.def.shutdown_sessions && !was_down;
        let mut moved = 0;
        if !was_down {
            self.enter_op(server, OpState::Stopped);
            self.propagate(server);
            if end_sessions {
                effects.events.push(PoolEvent::EndSessions { server });
            }
            moved = self.redistribute(totals, server, effects);
        }
        effects.events.push(PoolEvent::DropIdle { server });
        let kind = if was_down { Change::EntersMaintenanceDown } else { Change::EntersMaintenance };
        let mut change = self.change(server, kind);
        change.cause = transition.cause();
        change.via = if next.intersects(AdminFlags::FORCED_MAINT) { None } else { self.via(server) };
        change.remains = (!was_down).then(|| self.remains(server, moved));
        change.was_stopping = was_stopping;
        self.finish(change, before, totals, effects);
    }

    fn leave_maintenance(&mut self, totals: &Totals, transition: &Transition, effects: &mut Effects) {
        let &Transition { server, previous, next, .. } = transition;
        let before = self.balancer.census();
        let state = &mut self.slots[server.index()].state;
        if let Some(check) = &mut state.check {
            check.resume();
        }
        let op = if state.def.init_state != InitState::Unset {
            let stopped = state.op;
            if !next.intersects(AdminFlags::CONFIG_MAINT) {
                state.apply_init_state();
            }
            std::mem::replace(&mut state.op, stopped)
        } else if state.may_be_up() {
            if state.lead_op() == Some(OpState::Stopping) { OpState::Stopping } else { state.state_when_up() }
        } else {
            state.op
        };
        self.enter_op(server, op);
        self.propagate(server);
        self.end_backup_sessions(server, effects);
        self.serve_all(totals, server, effects);
        if self.slots[server.index()].state.check.is_some() {
            effects.events.push(PoolEvent::CheckNow { server });
        }
        let gone = |reason| previous.intersects(reason) && !next.intersects(reason);
        let from = if gone(AdminFlags::INHERITED_MAINT) {
            Maintenance::Inherited
        } else if gone(AdminFlags::RESOLUTION) {
            self.resolution(server)
        } else {
            Maintenance::Forced
        };
        let kind = Change::LeavesMaintenance { from, up: op != OpState::Stopped, draining: next.is_drain() };
        let change = self.change(server, kind);
        self.finish(change, before, totals, effects);
    }

    fn remain_in_maintenance(&self, transition: &Transition, effects: &mut Effects) {
        let &Transition { server, previous, next, .. } = transition;
        let gone = |reason| previous.intersects(reason) && !next.intersects(reason);
        let mut report = |from: Maintenance, via: Option<ServerLabel>| {
            let mut change = self.change(server, Change::RemainsInMaintenance { from });
            change.via = via;
            effects.events.push(PoolEvent::Log(HealthEvent::Server(change)));
        };
        if gone(AdminFlags::FORCED_MAINT) {
            report(Maintenance::Forced, self.via(server));
        }
        if gone(AdminFlags::RESOLUTION) {
            report(self.resolution(server), self.via(server));
        } else if gone(AdminFlags::INHERITED_MAINT) {
            report(Maintenance::Inherited, None);
        }
    }

    fn change_drain(&mut self, totals: &Totals, transition: &Transition, effects: &mut Effects) {
        let &Transition { server, previous, next, .. } = transition;
        let before = self.balancer.census();
        let up = self.slots[server.index()].state.op != OpState::Stopped;
        let (kind, via) = match (previous.is_drain(), next.is_drain()) {
            (false, false) => return,
            (false, true) => {
                self.propagate(server);
                let moved = self.redistribute(totals, server, effects);
                let mut change = self.change(server, Change::EntersDrain);
                change.cause = transition.cause();
                change.via = if next.intersects(AdminFlags::FORCED_DRAIN) { None } else { self.via(server) };
                change.remains = Some(self.remains(server, moved));
                self.finish(change, before, totals, effects);
                return;
            }
            (true, false) => {
                let now = self.now;
                self.slots[server.index()].state.weigh(self.scale, now);
                self.propagate(server);
                let forced = previous.intersects(AdminFlags::FORCED_DRAIN);
                (Change::LeavesDrain { forced, up }, !forced)
            }
            (true, true) => {
                let forced = next.intersects(AdminFlags::FORCED_DRAIN);
                (Change::RemainsInDrain { forced }, !forced)
            }
        };
        let mut change = self.change(server, kind);
        change.via = if via { self.via(server) } else { None };
        self.finish(change, before, totals, effects);
        self.serve_all(totals, server, effects);
    }

    /// Makes a server follow another one's present state.
    pub(super) fn follow(&mut self, totals: &Totals, server: ServerId, lead: Lead, effects: &mut Effects) {
        let (op, admin) = (lead.op, lead.admin);
        self.slots[server.index()].state.lead = Some(lead);
        // Within maintenance a change of the drain goes unnoticed, so it comes after the beginning and before the end.
        if admin.is_maint() {
            self.set_admin(totals, server, AdminFlags::INHERITED_MAINT, None, effects);
        }
        if admin.is_drain() {
            self.set_admin(totals, server, AdminFlags::INHERITED_DRAIN, None, effects);
        } else {
            self.clear_admin(totals, server, AdminFlags::INHERITED_DRAIN, effects);
        }
        if !admin.is_maint() {
            self.clear_admin(totals, server, AdminFlags::INHERITED_MAINT, effects);
        }
        match op {
            OpState::Stopped => self.set_stopped(totals, server, Cause::Unsaid, effects),
            OpState::Stopping => self.set_stopping(totals, server, Cause::Unsaid, effects),
            OpState::Starting | OpState::Running => self.set_running(totals, server, Cause::Unsaid, effects),
        }
        // Even without a change here there may be news for those further down, such as the health of the lead's checks.
        self.pass_lead_on(totals, server, effects);
    }

    /// Tells those who follow a server in this pool, and the outside, what has become of it.
    pub(super) fn sync_followers(&mut self, totals: &Totals, server: ServerId, effects: &mut Effects) {
        effects.events.push(PoolEvent::Changed { server });
        self.pass_lead_on(totals, server, effects);
    }

    fn pass_lead_on(&mut self, totals: &Totals, server: ServerId, effects: &mut Effects) {
        for position in 0..self.slots[server.index()].followers.len() {
            let follower = ServerId(self.slots[server.index()].followers[position]);
            let lead = self.lead(server);
            self.follow(totals, follower, lead, effects);
        }
    }

    /// The state of a server for those who follow it. A server that itself follows passes on what it follows.
    pub(super) fn lead(&self, server: ServerId) -> Lead {
        let state = &self.slots[server.index()].state;
        let (check, agent) = match &state.lead {
            Some(lead) => (lead.check.clone(), lead.agent.clone()),
            None => (state.check.clone(), state.agent.clone()),
        };
        Lead { server: self.label(server), op: state.op, admin: state.admin, check, agent }
    }

    /// Reports a change, and whether the pool became empty or came back by it.
    fn finish(&mut self, change: ServerChange, before: Census, totals: &Totals, effects: &mut Effects) {
        effects.events.push(PoolEvent::Log(HealthEvent::Server(change)));
        self.note_census(before, totals, effects);
    }

    /// Notices that the pool has just lost its last usable server or got a first one.
    pub(super) fn note_census(&mut self, before: Census, totals: &Totals, effects: &mut Effects) {
        let after = self.balancer.census();
        match (before.active + before.backup, after.active + after.backup) {
            (0, 0) => {}
            (_, 0) => {
                self.last_change = self.now;
                totals.counters.of(0).went_down.inc();
                let pool = self.def.name.as_str().into();
                effects.events.push(PoolEvent::Log(HealthEvent::Empty { label: self.def.label, pool }));
                effects.events.push(PoolEvent::Emptied);
            }
            (0, _) => {
                self.downtime += self.now.saturating_duration_since(self.last_change);
                self.last_change = self.now;
                effects.events.push(PoolEvent::Recovered);
            }
            _ => {}
        }
        self.engage_backups(before, totals, effects);
    }

    /// Lets backup servers whose turn has just come serve what waits for any server. Nobody else would tell them.
    fn engage_backups(&mut self, before: Census, totals: &Totals, effects: &mut Effects) {
        let after = self.balancer.census();
        if after.active > 0 || (before.active == 0 && before.first_backup == after.first_backup) {
            return;
        }
        for index in 0..self.slots.len() as u32 {
            if self.queue.len() == 0 {
                return;
            }
            if self.slots[index as usize].state.def.backup {
                self.serve_all(totals, ServerId(index), effects);
            }
        }
    }

    fn change(&self, server: ServerId, kind: Change) -> ServerChange {
        ServerChange::new(self.label(server), self.slots[server.index()].state.def.backup, kind)
    }

    pub(super) fn label(&self, server: ServerId) -> ServerLabel {
        ServerLabel::new(self.def.name.as_str(), self.slots[server.index()].state.def.name.as_str())
    }

    fn via(&self, server: ServerId) -> Option<ServerLabel> {
        self.slots[server.index()].state.lead.as_ref().map(|lead| lead.server.clone())
    }

    fn resolution(&self, server: ServerId) -> Maintenance {
        let hostname = self.slots[server.index()].state.hostname.get().clone();
        Maintenance::Resolution(hostname.unwrap_or_else(|| "".into()))
    }

    fn remains(&self, server: ServerId, requeued: u32) -> Remains {
        let Census { active, backup, .. } = self.balancer.census();
        let slot = &self.slots[server.index()];
        let sessions = (slot.state.op == OpState::Stopped).then(|| slot.cell.served.get());
        Remains { active, backup, sessions, requeued, queued: slot.queue.len() }
    }
}

/// A change of administrative state in progress.
struct Transition {
    server: ServerId,
    previous: AdminFlags,
    next: AdminFlags,
    words: Option<&'static str>,
}

impl Transition {
    fn cause(&self) -> Cause {
        self.words.map_or(Cause::Unsaid, Cause::Admin)
    }
}
