//! Something keeps the instance from taking part: nothing is sent, nothing is heard.

use super::backup::Backup;
use super::{Core, Cx, Event, State};
use crate::event::Announcement;
use crate::stats::StateKind;

#[derive(Debug)]
pub(super) struct Fault;

impl Fault {
    pub(super) fn handle(self, core: &mut Core, cx: &mut Cx<'_>, event: Event) -> State {
        match event {
            Event::Recover => {
                core.info(cx, "Entering BACKUP STATE");
                core.notify(cx, StateKind::Backup);
                freshen_peers(core, cx);
                State::Backup(Backup::after_fault(core, cx))
            }
            Event::Shutdown => {
                core.notify(cx, StateKind::Stopped);
                State::Stopped
            }
            _ => State::Fault(self),
        }
    }
}

/// A unicast master may have forgotten our hardware address while we were away; it could not send adverts to us
/// until it has asked for it again, by which time we would have taken over.
fn freshen_peers(core: &mut Core, cx: &mut Cx<'_>) {
    let (Some(source), Some(interface)) = (core.source, core.spec.interface.clone()) else { return };
    if !core.spec.transport.is_unicast() {
        return;
    }
    let what = if source.is_ipv6() { "NA" } else { "ARP" };
    let name = core.spec.name.clone();
    cx.out.detail(format!("{name}: sending gratuitous {what} for {source}"));
    core.announce_these(cx, &[Announcement { instance: name, interface, address: source, mac: None }], 1);
}
