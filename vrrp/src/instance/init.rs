//! Not taking part yet: nothing is sent, nothing is heard, nobody is told.

use super::backup::Backup;
use super::fault::Fault;
use super::master::Master;
use super::{Core, Cx, Event, State};
use crate::stats::StateKind;

#[derive(Debug, Default)]
pub(super) struct Init {
    /// A check had to be waited for, so this is no longer the start.
    waited: bool,
}

impl Init {
    pub(super) fn handle(self, core: &mut Core, cx: &mut Cx<'_>, event: Event) -> State {
        match event {
            Event::Begin => self.begin(core, cx),
            Event::Resume => State::Master(Master::resume(core, cx)),
            Event::Fault => self.fault(core, cx),
            Event::Shutdown => {
                core.notify(cx, StateKind::Stopped);
                State::Stopped
            }
            _ => State::Init(self),
        }
    }

    /// Everything that was left in place by whoever was here before is removed, then the instance listens: a
    /// configured MASTER does, too, unless it owns the addresses.
    fn begin(self, core: &mut Core, cx: &mut Cx<'_>) -> State {
        if core.pending {
            if !self.waited {
                core.remove_leftovers(cx);
            }
            return State::Init(Self { waited: true });
        }
        let addendum = if self.waited { "" } else { " (init)" };
        if !self.waited {
            core.remove_leftovers(cx);
        }
        core.info(cx, &format!("Entering BACKUP STATE{addendum}"));
        core.notify(cx, StateKind::Backup);
        State::Backup(Backup::at_start(core, cx))
    }

    fn fault(self, core: &mut Core, cx: &mut Cx<'_>) -> State {
        if !self.waited {
            core.remove_leftovers(cx);
        }
        core.tell_faults(cx);
        let addendum = if self.waited { "" } else { " (init)" };
        core.info(cx, &format!("Entering FAULT STATE{addendum}"));
        core.notify(cx, StateKind::Fault);
        State::Fault(Fault)
    }
}
