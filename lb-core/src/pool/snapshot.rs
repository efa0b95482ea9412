//! The pool in numbers, for statistics and for checks that report them.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::cell::DurationMeters;
use super::core::{Core, Slot};
use super::{OpState, Pool};
use crate::balance::{ServerId, weight};
use crate::health::{self, Monitor};
use crate::stats::snapshot::{BackendSnapshot, CheckReport, Durations, ServerSnapshot};

impl Pool {
    /// The state of all servers, in declaration order. What only connections know, such as how many are idle, is left
    /// for the caller to fill in.
    pub fn server_snapshots(&self, now: Instant) -> Vec<ServerSnapshot> {
        let core = self.lock();
        core.slots.iter().map(|slot| core.server_snapshot(slot, &self.totals, now)).collect()
    }

    /// The state of the pool as a whole.
    pub fn backend_snapshot(&self, now: Instant) -> BackendSnapshot {
        let core = self.lock();
        let census = core.balancer.census();
        let now_ms = core.millis(now);
        let totals = &self.totals;
        let mut snapshot = BackendSnapshot::new(core.def.algorithm.stats_name());
        snapshot.up = census.active + census.backup > 0 || core.slots.is_empty();
        let (weight, user_weight) = core.weights_in_use();
        snapshot.weight = weight;
        snapshot.user_weight = user_weight;
        snapshot.active = census.active;
        snapshot.backups = census.backup;
        snapshot.queue = totals.queued.level();
        snapshot.sessions = totals.sessions.level();
        snapshot.limit = core.def.fullconn;
        snapshot.session_rate = totals.rate.level(now_ms);
        snapshot.last_session = seconds_ago(totals.last_session.load(Relaxed).checked_sub(1), now_ms);
        snapshot.last_change = secs(now.saturating_duration_since(core.last_change));
        snapshot.downtime = (!core.slots.is_empty()).then(|| {
            let running =
                if snapshot.up { Duration::ZERO } else { now.saturating_duration_since(core.last_change) };
            secs(core.downtime + running)
        });
        snapshot.durations = durations(&totals.durations);
        snapshot.counts = totals.counters.sum();
        snapshot
    }

    /// The state of a server for a check that reports it (`http-check send-state`). `node` names this load balancer.
    pub fn check_snapshot(
        &self,
        server: ServerId,
        node: &str,
        now: Instant,
    ) -> Option<health::ServerSnapshot> {
        let core = self.lock();
        let slot = core.slots.get(server.index())?;
        let scale = core.scale;
        Some(health::ServerSnapshot {
            state: slot.state.status().to_string(),
            node: node.into(),
            weight: weight::displayed(slot.state.eweight.into(), scale) as u32,
            total_weight: core.weights_in_use().0,
            sessions: slot.cell.served.get(),
            backend_sessions: self.totals.sessions.get(),
            queued: slot.queue.len(),
            throttle: slot.throttle_left(now),
        })
    }

    /// Forgets peaks (`clear counters`); with `all`, starts every counter again from zero.
    pub fn clear_counters(&self, all: bool) {
        let core = self.lock();
        let totals = &self.totals;
        for tally in [&totals.sessions, &totals.queued, &totals.served] {
            tally.clear_max();
        }
        totals.rate.clear_max();
        totals.durations.clear_max();
        for Slot { cell, .. } in &core.slots {
            cell.served.clear_max();
            cell.queued.clear_max();
            cell.rate.clear_max();
            cell.durations().clear_max();
        }
        if all {
            totals.counters.clear();
            core.slots.iter().for_each(|slot| slot.cell.counters().clear());
        }
    }
}

impl Core {
    /// Effective and configured weight of the servers that serve at present, in units of configured weight.
    fn weights_in_use(&self) -> (u32, u32) {
        let census = self.balancer.census();
        let user = |slot: &Slot| *slot.state.weight.get();
        if census.active == 0 && !self.def.all_backups {
            let Some(first) = census.first_backup.map(|first| &self.slots[first.index()]) else {
                return (0, 0);
            };
            return (weight::displayed(first.state.eweight.into(), self.scale) as u32, user(first));
        }
        let backup = census.active == 0;
        let total = if backup { census.backup_weight } else { census.active_weight };
        let serving = self
            .slots
            .iter()
            .filter(|slot| slot.state.def.backup == backup && slot.state.balanced_weight() > 0);
        (weight::displayed(total, self.scale) as u32, serving.map(user).sum())
    }

    fn server_snapshot(&self, slot: &Slot, totals: &super::Totals, now: Instant) -> ServerSnapshot {
        let Slot { cell, state, .. } = slot;
        let now_ms = self.millis(now);
        let address = state.address.get().as_ref().map(ToString::to_string).unwrap_or_default();
        let mut snapshot = ServerSnapshot::new(state.def.name.clone(), state.def.id, address);
        snapshot.status = state.status();
        snapshot.backup = state.def.backup;
        snapshot.cookie = state.def.cookie.as_deref().map(str::to_owned);
        snapshot.tracks = state.lead.as_ref().map(|lead| lead.server.to_string());
        snapshot.weight = weight::displayed(state.eweight.into(), self.scale) as u32;
        snapshot.user_weight = *state.weight.get();
        snapshot.throttle = slot.throttle(self.scale);
        snapshot.queue = cell.queued.level();
        for (unproven, safe) in cell.idle() {
            snapshot.connections.idle_unsafe += unproven;
            snapshot.connections.idle_safe += safe;
        }
        snapshot.queue_limit = (state.def.maxqueue > 0).then_some(state.def.maxqueue);
        snapshot.sessions = cell.served.level();
        snapshot.limit = (state.limits.get().1 > 0).then_some(state.limits.get().1);
        snapshot.session_rate = cell.rate.level(now_ms);
        snapshot.last_session = seconds_ago(cell.last_session_ms(), now_ms);
        let since = now.saturating_duration_since(state.last_change);
        snapshot.last_change = secs(since);
        let down = if state.op == OpState::Stopped { since } else { Duration::ZERO };
        snapshot.downtime = secs(state.downtime + down);
        snapshot.check = state.check.as_ref().map(check_report);
        if let Some(check) = &mut snapshot.check {
            check.paused |= state.admin.is_maint();
        }
        snapshot.agent = state.agent.as_ref().map(check_report);
        snapshot.observed = state.observer.is_some();
        snapshot.durations = durations(cell.durations());
        snapshot.counts = cell.counters().sum();
        debug_assert!(totals.served.get() >= cell.served.get() || self.slots.len() > 1);
        snapshot
    }
}

impl Slot {
    /// Percentage of the weight granted at present.
    fn throttle(&self, scale: u32) -> u32 {
        let full = weight::effective(*self.state.weight.get(), scale);
        match (self.state.op, full) {
            (OpState::Starting, 1..) => (100 * self.state.eweight + scale.max(1) - 1) / full,
            _ => 100,
        }
    }

    fn throttle_left(&self, now: Instant) -> Option<Duration> {
        let end = self.state.last_change + self.state.slowstart();
        (self.state.op == OpState::Starting && end > now).then(|| end - now)
    }
}

fn check_report(monitor: &Monitor) -> CheckReport {
    let last = monitor.last();
    let mut report = CheckReport::new(monitor.rise(), monitor.fall());
    report.status = last.status;
    report.code = last.code;
    report.duration_ms = last.duration.unwrap_or_default().as_millis() as u64;
    report.info.clone_from(&last.info);
    report.health = monitor.health();
    report.paused = !monitor.is_running();
    report
}

fn durations(meters: &DurationMeters) -> Durations {
    Durations {
        queue: meters.queue.level(),
        connect: meters.connect.level(),
        response: meters.response.level(),
        total: meters.total.level(),
    }
}

fn seconds_ago(at_ms: Option<u64>, now_ms: u64) -> Option<u32> {
    at_ms.map(|at| (now_ms.saturating_sub(at) / 1000) as u32)
}

fn secs(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
