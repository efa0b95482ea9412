//! The state machine of one virtual router.
//!
//! A state is a value: an event consumes it and yields the next one, so what belongs to one state cannot be touched
//! in another, and a transition that is not written down does not compile.
//!
//! ```text
//!            begin                       timer: nobody is heard
//!   Init ─────────────► Backup ──────────────────────────────────► Master
//!    │                  ▲  │ ▲            higher priority,           │ │
//!    │  fault           │  │ └───────────── late wake-up ────────────┘ │
//!    └────────► Fault ◄─┼──┘ fault                                     │
//!                 ▲     │                                              │
//!                 │     └ recover                                      │ shutdown
//!                 └────────────────────── fault ───────────────────────┤
//!                                                                      ▼
//!   Stopped ◄────────────── successor heard, or time is up ─────── Releasing
//! ```

mod backup;
mod cause;
mod common;
mod fault;
mod init;
mod master;
mod releasing;
mod rivalry;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::advert::Advert;
use crate::garp::Pacer;
use crate::outbox::Outbox;
use crate::spec::Global;
use crate::stats::StateKind;

use backup::Backup;
use cause::Cause;
pub(crate) use common::{Core, notify_state, specific_script};
use fault::Fault;
use init::Init;
use master::Master;
use releasing::Releasing;

/// One virtual router: what lasts over its states, and the state.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) core: Core,
    state: State,
}

#[derive(Debug)]
enum State {
    Init(Init),
    Backup(Backup),
    Master(Master),
    Fault(Fault),
    Releasing(Releasing),
    Stopped,
}

/// What the handling of one event may use and ask for.
pub(crate) struct Cx<'a> {
    pub(crate) now: Instant,
    pub(crate) out: &'a mut Outbox,
    pub(crate) pacer: &'a mut Pacer,
    pub(crate) global: &'a Global,
    /// State of the group the instance is in.
    pub(crate) group: Option<StateKind>,
    /// Every other member of the group is master or wants to be.
    pub(crate) others_ready: bool,
    /// Set by the handler: a rival was heard, the other members of the group should announce their addresses, too.
    pub(crate) announce_group: bool,
}

/// What can happen to an instance.
#[derive(Debug)]
pub(crate) enum Event {
    /// Take part for the first time, or as soon as nothing is pending any more.
    Begin,
    /// Take a former mastership up again.
    Resume,
    /// Look at the timers.
    Timer,
    /// A valid advert arrived.
    Advert(Advert),
    /// Something keeps the instance from taking part.
    Fault,
    /// Nothing does any more.
    Recover,
    /// The group becomes master.
    GroupMaster,
    /// The group becomes backup.
    GroupBackup,
    /// The process slept for longer than a successor's patience; for so long without its clock.
    LateWake(Duration),
    /// The own trackers say that somebody else will serve better.
    Yield,
    /// The operator wants somebody else to serve.
    StepDown,
    /// The effective priority changed from this value.
    PriorityChanged(u8),
    /// Announce the addresses.
    Announce,
    /// A rival of another member of the group was heard.
    GroupRival,
    /// Another machine answers for an address held here.
    Claim {
        /// The address.
        address: IpAddr,
        /// The machine.
        mac: [u8; 6],
    },
    /// The specification in the core is a new one.
    Reconfigured,
    /// Stop.
    Shutdown,
}

impl Instance {
    pub(crate) fn new(core: Core) -> Self {
        Self { core, state: State::Init(Init::default()) }
    }

    /// Handles one event.
    pub(crate) fn handle(&mut self, cx: &mut Cx<'_>, event: Event) {
        let before = self.kind();
        let cause = Cause::of(&event);
        let state = std::mem::replace(&mut self.state, State::Stopped);
        self.state = state.handle(&mut self.core, cx, event);
        if self.kind() != before {
            self.core.last_transition = Some((cx.now, cause.text(self.kind(), &self.core)));
        }
    }

    /// When [`Event::Timer`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Init(_) | State::Fault(_) | State::Stopped => None,
            State::Backup(backup) => Some(backup.poll_timeout()),
            State::Master(master) => Some(master.poll_timeout()),
            State::Releasing(releasing) => Some(releasing.poll_timeout()),
        }
    }

    pub(crate) fn kind(&self) -> StateKind {
        match &self.state {
            State::Init(_) => StateKind::Init,
            State::Backup(_) => StateKind::Backup,
            State::Master(_) => StateKind::Master,
            State::Fault(_) => StateKind::Fault,
            State::Releasing(_) => StateKind::Releasing,
            State::Stopped => StateKind::Stopped,
        }
    }

    /// True if adverts are listened to.
    pub(crate) fn listens(&self) -> bool {
        matches!(self.state, State::Backup(_) | State::Master(_) | State::Releasing(_))
    }

    /// True if the addresses are in place.
    pub(crate) fn holds_addresses(&self) -> bool {
        matches!(self.state, State::Master(_) | State::Releasing(_))
    }

    /// True for a master, and for a backup that only its group keeps from being one.
    pub(crate) fn wants_master(&self) -> bool {
        match &self.state {
            State::Master(_) => true,
            State::Backup(backup) => backup.wants_master(),
            _ => false,
        }
    }

    /// For how long a master has not been able to send an advert; None in other states.
    pub(crate) fn silence(&self, now: Instant) -> Option<Duration> {
        match &self.state {
            State::Master(master) => Some(now.saturating_duration_since(master.last_advert())),
            _ => None,
        }
    }

    /// The interval of the master.
    pub(crate) fn master_interval(&self) -> crate::spec::AdvertInterval {
        match &self.state {
            State::Backup(backup) => backup.master_interval(),
            _ => self.core.spec.advert_interval,
        }
    }

    /// The instance is configured no longer: gives everything back.
    pub(crate) fn delete(&mut self, cx: &mut Cx<'_>) {
        if self.holds_addresses() {
            self.core.send_stop(cx);
            self.core.release(cx);
        }
        self.core.notify_deleted(cx);
        self.state = State::Stopped;
    }

    /// Asserts what must hold between two events.
    pub(crate) fn check_invariants(&self) {
        let core = &self.core;
        debug_assert!(core.effective >= 1, "priority zero is only ever sent");
        debug_assert!(core.effective < 255 || core.spec.is_owner(), "255 is for owners");
        match &self.state {
            State::Master(_) => debug_assert!(core.faults.is_empty(), "a master without a fault"),
            State::Backup(_) => debug_assert!(core.faults.is_empty(), "a backup without a fault"),
            State::Fault(_) => {
                debug_assert!(core.pending || !core.faults.is_empty(), "a fault has a reason");
            }
            State::Init(_) | State::Releasing(_) | State::Stopped => {}
        }
        debug_assert_eq!(core.holding, self.holds_addresses(), "addresses are held by masters alone");
    }
}

impl State {
    fn handle(self, core: &mut Core, cx: &mut Cx<'_>, event: Event) -> Self {
        match self {
            Self::Init(init) => init.handle(core, cx, event),
            Self::Backup(backup) => backup.handle(core, cx, event),
            Self::Master(master) => master.handle(core, cx, event),
            Self::Fault(fault) => fault.handle(core, cx, event),
            Self::Releasing(releasing) => releasing.handle(core, cx, event),
            Self::Stopped => Self::Stopped,
        }
    }
}

#[cfg(test)]
mod tests;
