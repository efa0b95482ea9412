//! What operators do to servers at run time: the orders of the control socket and of the statistics page.
//!
//! Refusals are in the words of HAProxy's control socket, which scripts compare.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::admin::{
    AdminFlags, AdminState, ForcedHealth, Origin, Refused, ResolutionFailure, leading_number,
};
use super::core::{Core, Effects};
use super::{Pool, PoolEvent, Totals};
use crate::addr::Endpoint;
use crate::balance::{ServerEvent, ServerId, weight};
use crate::health::{Cause, CheckKind, HealthEvent};

/// Nothing to report, and no such server.
const NO_SERVER: Refused = Refused("No such server.");

impl Pool {
    /// Orders normal operation, drain or maintenance.
    pub fn set_state(
        &self,
        server: ServerId,
        state: AdminState,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            core.order(totals, server, state, effects);
            Ok(())
        })
    }

    /// Ends maintenance by order; a drain goes on.
    pub fn leave_maint(&self, server: ServerId, now: Instant) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            core.clear_admin(totals, server, AdminFlags::FORCED_MAINT, effects);
            Ok(())
        })
    }

    /// Ends a drain by order; maintenance goes on.
    pub fn leave_drain(&self, server: ServerId, now: Instant) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            core.clear_admin(totals, server, AdminFlags::FORCED_DRAIN, effects);
            Ok(())
        })
    }

    /// Sets a weight: `"100"`, or `"50%"` of the configured one. Answers the words of a refusal otherwise.
    pub fn set_weight(&self, server: ServerId, text: &str, now: Instant) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| core.set_weight(totals, server, text, effects))
    }

    /// Sets the limit of requests at a time; the lower limit follows if both were the same.
    pub fn set_maxconn(&self, server: ServerId, text: &str, now: Instant) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| core.set_maxconn(totals, server, text, effects))
    }

    /// Forces the health of a server that is not following another one.
    pub fn set_health(
        &self,
        server: ServerId,
        health: ForcedHealth,
        origin: Origin,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            let state = &mut core.slots[server.index()].state;
            if state.def.track.is_some() {
                return Err(Refused("cannot change health on a tracking server."));
            }
            if let Some(check) = &mut state.check {
                check.force(health != ForcedHealth::Down);
            }
            core.force_op(totals, server, health, origin, effects);
            Ok(())
        })
    }

    /// Forces what the agent of a server says.
    pub fn set_agent(
        &self,
        server: ServerId,
        up: bool,
        origin: Origin,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            let Some(agent) =
                core.slots[server.index()].state.agent.as_mut().filter(|agent| agent.is_enabled())
            else {
                return Err(Refused("agent checks are not enabled on this server."));
            };
            agent.force(up);
            let health = if up { ForcedHealth::Up } else { ForcedHealth::Down };
            core.force_op(totals, server, health, origin, effects);
            Ok(())
        })
    }

    /// Switches a check on or off.
    pub fn set_check_enabled(
        &self,
        server: ServerId,
        kind: CheckKind,
        enabled: bool,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, _, effects| {
            let Some(monitor) = core.slots[server.index()].state.monitor_mut(kind) else {
                return Err(Refused(match kind {
                    CheckKind::Health => "Health check was not configured on this server, cannot enable.",
                    CheckKind::Agent => "Agent was not configured on this server, cannot enable.",
                }));
            };
            monitor.set_enabled(enabled);
            if enabled {
                effects.events.push(PoolEvent::CheckNow { server });
            }
            Ok(())
        })
    }

    /// Notes why the server's name leads to no address; it loses the one it had.
    pub fn lose_address(
        &self,
        server: ServerId,
        failure: ResolutionFailure,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            core.set_admin(totals, server, AdminFlags::RESOLUTION, failure.words(), effects);
            core.set_address(totals, server, None, effects);
            Ok(())
        })
    }

    /// Changes the address of a server, whose name needs no resolution then. Its points on a hash ring move if they
    /// derive from the address.
    pub fn set_address(
        &self,
        server: ServerId,
        address: Endpoint,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            core.set_address(totals, server, Some(address), effects);
            Ok(())
        })
    }

    /// Gives a server the address that `by` found for its name.
    pub fn resolved(
        &self,
        server: ServerId,
        address: SocketAddr,
        by: &Arc<str>,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, totals, effects| {
            let state = &core.slots[server.index()].state;
            let from = state.address.get().as_ref().and_then(Endpoint::inet).map(|addr| addr.ip());
            let (label, lacking) = (core.label(server), state.admin.intersects(AdminFlags::RESOLUTION));
            if from != Some(address.ip()) {
                let event =
                    HealthEvent::Moved { server: label.clone(), from, to: address.ip(), by: Arc::clone(by) };
                effects.events.push(PoolEvent::Log(event));
            }
            core.set_address(totals, server, Some(address.into()), effects);
            if lacking {
                effects.events.push(PoolEvent::Log(HealthEvent::Found(label)));
            }
            Ok(())
        })
    }

    /// Changes the name that leads to the address of a server, which it keeps until the new name is found.
    pub fn set_hostname(
        &self,
        server: ServerId,
        name: Arc<str>,
        now: Instant,
    ) -> Result<Vec<PoolEvent>, Refused> {
        self.operate(server, now, |core, _, _| {
            let state = &mut core.slots[server.index()].state;
            state.hostname.set(Some(name));
            state.admin |= AdminFlags::NAME_CHANGED;
            core.propagate(server);
            Ok(())
        })
    }

    fn operate(
        &self,
        server: ServerId,
        now: Instant,
        order: impl FnOnce(&mut Core, &Totals, &mut Effects) -> Result<(), Refused>,
    ) -> Result<Vec<PoolEvent>, Refused> {
        let mut result = Err(NO_SERVER);
        let events = self.change(now, |core, totals, effects| {
            if server.index() < core.slots.len() {
                result = order(core, totals, effects);
            }
        });
        result.map(|()| events)
    }
}

impl Core {
    fn set_address(
        &mut self,
        totals: &Totals,
        server: ServerId,
        address: Option<Endpoint>,
        effects: &mut Effects,
    ) {
        let state = &mut self.slots[server.index()].state;
        let known = address.is_some();
        if *state.address.get() != address {
            state.address.set(address);
            let key = state.ring_key();
            self.balancer.on(ServerEvent::RingKey { server, key });
            effects.events.push(PoolEvent::DropIdle { server });
        }
        if known {
            self.clear_admin(totals, server, AdminFlags::RESOLUTION, effects);
        }
    }

    fn force_op(
        &mut self,
        totals: &Totals,
        server: ServerId,
        health: ForcedHealth,
        origin: Origin,
        effects: &mut Effects,
    ) {
        let cause = Cause::Operator(origin.words());
        match health {
            ForcedHealth::Up => self.set_running(totals, server, cause, effects),
            ForcedHealth::Stopping => self.set_stopping(totals, server, cause, effects),
            ForcedHealth::Down => self.set_stopped(totals, server, cause, effects),
        }
    }

    /// Sets a weight as an operator or an agent writes it.
    pub(super) fn set_weight(
        &mut self,
        totals: &Totals,
        server: ServerId,
        text: &str,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let state = &self.slots[server.index()].state;
        let initial = *state.weight.configured();
        let new = parse_weight(text, initial)?;
        if new != 0 && new != initial && self.scale == 1 {
            return Err(Refused(
                "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.",
            ));
        }
        self.change_weight(totals, server, new, effects);
        Ok(())
    }

    /// Gives a server another weight.
    pub(super) fn change_weight(
        &mut self,
        totals: &Totals,
        server: ServerId,
        weight: u32,
        effects: &mut Effects,
    ) {
        let state = &mut self.slots[server.index()].state;
        state.weight.set(weight);
        state.weigh(self.scale, self.now);
        let before = self.balancer.census();
        self.propagate(server);
        self.note_census(before, totals, effects);
        self.serve_all(totals, server, effects);
    }

    /// Sets a limit as an operator or an agent writes it.
    pub(super) fn set_maxconn(
        &mut self,
        totals: &Totals,
        server: ServerId,
        text: &str,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        if text.is_empty() {
            return Err(Refused("Require <maxconn>."));
        }
        let (number, rest) =
            leading_number(text).ok_or(Refused("maxconn string empty or preceded by garbage"))?;
        if !rest.is_empty() {
            return Err(Refused("Trailing garbage in maxconn string"));
        }
        let number = u32::try_from(number.max(0)).unwrap_or(u32::MAX);
        let state = &mut self.slots[server.index()].state;
        let &(minconn, maxconn) = state.limits.get();
        state.limits.set(if minconn == maxconn { (number, number) } else { (minconn, number) });
        self.update_dynamic_limits();
        self.balancer.on(ServerEvent::Limits);
        self.serve_all(totals, server, effects);
        Ok(())
    }

    pub(super) fn update_dynamic_limits(&mut self) {
        self.dynamic_limits =
            self.def.fullconn > 0 && self.slots.iter().any(|slot| slot.state.has_dynamic_limit());
    }
}

fn parse_weight(text: &str, initial: u32) -> Result<u32, Refused> {
    if text.is_empty() {
        return Err(Refused("Require <weight> or <weight%>."));
    }
    match leading_number(text).ok_or(Refused("Empty weight string empty or preceded by garbage"))? {
        (number, "%") if number < 0 => Err(Refused("Relative weight must be positive.")),
        (number, "%") => Ok(weight::percent(initial, u32::try_from(number).unwrap_or(u32::MAX))),
        (number, _) if !(0..=i64::from(weight::MAX)).contains(&number) => {
            Err(Refused("Absolute weight can only be between 0 and 256 inclusive."))
        }
        (number, "") => Ok(number as u32),
        _ => Err(Refused("Trailing garbage in weight string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_absolute_or_relative_to_the_configured_one() {
        assert_eq!(parse_weight("256", 1), Ok(256));
        assert_eq!(parse_weight("50%", 3), Ok(1));
        assert_eq!(parse_weight("1000000%", 2), Ok(256));
        for (text, words) in [
            ("", "Require"),
            ("x", "Empty weight"),
            ("-1%", "Relative weight"),
            ("257", "Absolute weight"),
            ("-1", "Absolute weight"),
            ("5x", "Trailing garbage"),
            ("5%x", "Trailing garbage"),
        ] {
            let refused = parse_weight(text, 1).unwrap_err();
            assert!(refused.words().starts_with(words), "{text}: {refused}");
        }
    }
}
