//! What checks report, and what follows from it.

use std::time::{Duration, Instant};

use super::core::{Core, Effects};
use super::{AdminState, OpState, Pool, PoolEvent, Totals};
use crate::balance::{ServerId, weight};
use crate::health::{
    AgentAdmin, AgentHealth, AgentReport, Cause, CheckKind, CheckResult, HealthEvent, Intervals, LastCheck,
    Monitor, Observation, Outcome, Status, Verdict, Weighing,
};
use crate::rng::Rng;

impl Pool {
    /// A check of a server has ended. `duration` is the time it took.
    ///
    /// Verdicts of agent checks that carry the agent's words are read here: they may change weight, limits and
    /// administrative state.
    pub fn report_check(
        &self,
        server: ServerId,
        kind: CheckKind,
        verdict: &Verdict,
        duration: Duration,
        now: Instant,
    ) -> Vec<PoolEvent> {
        self.change(now, |core, totals, effects| {
            let Some(monitor) = core.slots.get(server.index()).and_then(|slot| slot.state.monitor(kind))
            else {
                return;
            };
            // What a check started before it was switched off has to say no longer matters.
            if !monitor.is_running() {
                return;
            }
            if kind == CheckKind::Agent && verdict.status == Status::Checked {
                core.hear_agent(totals, server, &verdict.info, duration, effects);
            } else {
                core.report(totals, server, kind, verdict, Some(duration), effects);
            }
        })
    }

    /// How long to wait before the next check of a server, from the end of the last one. `spread` is the percentage of
    /// `spread-checks`. Nothing if there is no such check.
    pub fn next_check(
        &self,
        server: ServerId,
        kind: CheckKind,
        intervals: &Intervals,
        spread: u32,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let mut core = self.lock();
        let state = &mut core.slots.get_mut(server.index())?.state;
        let stopped = state.op == OpState::Stopped;
        Some(state.monitor_mut(kind)?.next_delay(intervals, stopped, spread, rng))
    }

    /// Whether a check of a server is to run: it is configured, switched on, and the server is not in maintenance.
    pub fn is_checked(&self, server: ServerId, kind: CheckKind) -> bool {
        let core = self.lock();
        core.slots
            .get(server.index())
            .and_then(|slot| Some((slot, slot.state.monitor(kind)?)))
            // An agent is asked in maintenance too: its answer may end it.
            .is_some_and(|(slot, monitor)| {
                monitor.is_running() && (kind == CheckKind::Agent || !slot.state.admin.is_maint())
            })
    }

    /// The last finished check of a server.
    pub fn last_check(&self, server: ServerId, kind: CheckKind) -> Option<LastCheck> {
        self.lock().slots.get(server.index())?.state.monitor(kind).map(|monitor| monitor.last().clone())
    }

    /// The counters of a check of a server.
    pub fn monitor(&self, server: ServerId, kind: CheckKind) -> Option<Monitor> {
        self.lock().slots.get(server.index())?.state.monitor(kind).cloned()
    }
}

impl Core {
    fn report(
        &mut self,
        totals: &Totals,
        server: ServerId,
        kind: CheckKind,
        verdict: &Verdict,
        duration: Option<Duration>,
        effects: &mut Effects,
    ) {
        let slot = &mut self.slots[server.index()];
        let Some(monitor) = slot.state.monitor_mut(kind) else { return };
        let effect = monitor.conclude(verdict, duration);
        let last = monitor.last().clone();
        if effect.failed {
            slot.cell.counters().of(0).failed_checks.inc();
        }
        let outcome = verdict.outcome();
        if matches!(outcome, Outcome::Passed | Outcome::Conditional)
            && let Some(observer) = &mut slot.state.observer
        {
            observer.reset();
        }
        if effect.report && self.def.log_health_checks {
            effects.events.push(PoolEvent::Log(HealthEvent::Check(self.check_result(server, kind))));
        }
        // The reason is not repeated if it has just been logged, nor said by those who follow others.
        let said = self.def.log_health_checks || self.slots[server.index()].state.def.track.is_some();
        let cause = if said { Cause::Unsaid } else { Cause::Check(last) };
        match outcome {
            Outcome::Failed if effect.down => self.set_stopped(totals, server, cause, effects),
            Outcome::Passed if self.may_rise(server, kind) => {
                self.set_running(totals, server, cause, effects)
            }
            Outcome::Conditional if kind == CheckKind::Health && self.may_rise(server, kind) => {
                self.set_stopping(totals, server, cause, effects);
            }
            _ => {}
        }
        if effect.report {
            self.sync_followers(totals, server, effects);
        }
        if let Some(weighing) = verdict.weight.filter(|_| outcome == Outcome::Passed) {
            self.take_weight(totals, server, weighing, effects);
        }
    }

    /// A check says what the server weighs.
    fn take_weight(&mut self, totals: &Totals, server: ServerId, weighing: Weighing, effects: &mut Effects) {
        let state = &mut self.slots[server.index()].state;
        let weight = weighing.weight.min(weight::MAX);
        if (*state.weight.get(), *state.share.get()) == (weight, weighing.share) {
            return;
        }
        state.share.set(weighing.share);
        self.change_weight(totals, server, weight, effects);
        effects.events.push(PoolEvent::Changed { server });
    }

    /// Whether a successful check may bring its server up. The agent cannot end what the health check began with a
    /// conditional success.
    fn may_rise(&self, server: ServerId, kind: CheckKind) -> bool {
        let state = &self.slots[server.index()].state;
        let held_back = kind == CheckKind::Agent && state.op == OpState::Stopping;
        !state.admin.is_maint() && state.may_be_up() && !held_back
    }

    fn check_result(&self, server: ServerId, kind: CheckKind) -> CheckResult {
        let state = &self.slots[server.index()].state;
        let monitor = state.monitor(kind).expect("only called for checks that have just ended");
        CheckResult {
            server: self.label(server),
            backup: state.def.backup,
            agent: kind == CheckKind::Agent,
            last: monitor.last().clone(),
            progress: monitor.progress(),
            up: monitor.is_up(),
            weightless: *state.weight.get() == 0,
        }
    }

    /// Does what an agent asks for.
    fn hear_agent(
        &mut self,
        totals: &Totals,
        server: ServerId,
        line: &str,
        duration: Duration,
        effects: &mut Effects,
    ) {
        let report = AgentReport::parse(line);
        if let Some(admin) = report.admin {
            let order = match admin {
                AgentAdmin::Ready => AdminState::Ready,
                AgentAdmin::Drain => AdminState::Drain,
                AgentAdmin::Maint => AdminState::Maint,
            };
            self.order(totals, server, order, effects);
        }
        let mut warning = None;
        if let Some(weight) = report.weight
            && let Err(refused) = self.set_weight(totals, server, weight, effects)
        {
            warning = Some(refused.words());
        }
        if let Some(maxconn) = report.maxconn
            && let Err(refused) = self.set_maxconn(totals, server, maxconn, effects)
        {
            warning = warning.or_else(|| Some(refused.words()));
        }
        if let (Some((health, _)), Some(agent)) = (report.health, &mut self.slots[server.index()].state.agent)
        {
            agent.force(health == AgentHealth::Up);
        }
        self.report(totals, server, CheckKind::Agent, &report.verdict(warning), Some(duration), effects);
    }

    /// Takes note of live traffic.
    pub(super) fn observe(
        &mut self,
        totals: &Totals,
        server: ServerId,
        seen: Observation,
        effects: &mut Effects,
    ) {
        let slot = &mut self.slots[server.index()];
        let (Some(observer), Some(check)) = (&mut slot.state.observer, &mut slot.state.check) else { return };
        let Some(verdict) = observer.note(seen) else { return };
        slot.cell.counters().of(0).observed_failures.inc();
        effects.events.push(PoolEvent::CheckSooner { server });
        if observer.strike(check) {
            self.report(totals, server, CheckKind::Health, &verdict, None, effects);
        }
    }
}
