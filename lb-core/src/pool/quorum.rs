//! How much of a pool must be alive for it to serve: below that the backup servers serve in place of what is left.
//!
//! Without a quorum a pool serves as long as one active server lives. keepalived.conf(5), "quorum", "hysteresis".

use super::admin::OpState;
use super::core::Core;
use crate::balance::ServerId;

/// The weight a pool needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Quorum {
    /// Weight of all active servers that live.
    pub need: u64,
    /// How far the weight must be from `need` for a change.
    pub hysteresis: u64,
}

impl Quorum {
    /// Whether the quorum is there with so much weight, after it was or was not.
    pub const fn holds(self, weight: u64, before: bool) -> bool {
        match before {
            true => weight > 0 && weight >= self.need.saturating_sub(self.hysteresis),
            false => weight >= self.need.saturating_add(self.hysteresis),
        }
    }
}

impl Core {
    /// Looks whether the quorum is there. Called whenever a server or a weight has changed.
    pub(super) fn judge_quorum(&mut self) {
        let Some(quorum) = self.def.quorum else { return };
        let alive = self
            .slots
            .iter()
            .map(|slot| &slot.state)
            .filter(|state| !state.def.backup && state.op != OpState::Stopped && !state.admin.is_maint());
        let weight = alive.map(|state| u64::from(*state.share.get())).sum();
        self.quorate = quorum.holds(weight, self.quorate);
    }

    /// The server that serves in place of the active ones because the quorum is lost.
    pub(super) fn stand_in(&self) -> Option<ServerId> {
        if self.quorate || self.def.quorum.is_none() {
            return None;
        }
        let usable = |slot: &super::core::Slot| slot.state.def.backup && slot.cell.accepts_persistent();
        self.slots.iter().position(usable).map(|at| ServerId(at as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hysteresis_keeps_a_pool_on_its_side() {
        let quorum = Quorum { need: 4, hysteresis: 1 };
        assert!(!quorum.holds(4, false), "four are not enough to begin");
        assert!(quorum.holds(5, false));
        assert!(quorum.holds(3, true), "three are enough to go on");
        assert!(!quorum.holds(2, true));
        let none = Quorum { need: 1, hysteresis: 1 };
        assert!(!none.holds(0, true), "nothing alive is never a quorum");
    }
}
