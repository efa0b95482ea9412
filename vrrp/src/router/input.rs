//! What the inputs mean.

use std::net::IpAddr;
use std::time::Instant;

use super::{Phase, Router, fixed_address};
use crate::advert;
use crate::event::{Admin, Claim, Datagram, Link, Output};
use crate::instance::Event;
use crate::spec::{Name, Transport};
use crate::stats::{StateKind, Stats};

impl Router {
    pub(super) fn datagram(&mut self, now: Instant, datagram: &Datagram) {
        if !matches!(self.phase, Phase::Running | Phase::Stopping) {
            return;
        }
        let Some(vrid) = advert::vrid(datagram) else { return };
        let Some(at) = self.addressee(vrid, datagram) else {
            self.unknown.note(now, vrid, datagram);
            if self.spec.global.log_unknown_vrids && self.unknown.told.insert(vrid) {
                let interface = &datagram.interface;
                self.out
                    .info(format!("Unknown VRID({vrid}) received on interface({interface}). ignoring..."));
            }
            return;
        };
        if !self.instances[at].listens() {
            return;
        }
        let accepted = self.with_cx(now, at, |instance, cx| instance.core.accept(cx, datagram));
        if let Some(advert) = accepted {
            self.drive(now, at, Event::Advert(advert));
            self.finish_if_stopped();
        }
    }

    /// The instance an advert is for. Several may share an identifier on an interface if they use different groups
    /// or different peers.
    pub(super) fn addressee(&self, vrid: u8, datagram: &Datagram) -> Option<usize> {
        let mut candidates = self.with_vrid(vrid).filter(|&at| {
            let spec = &self.instances[at].core.spec;
            let here = || spec.wire_interface().is_none_or(|interface| *interface == datagram.interface);
            let other_group = match &spec.transport {
                Transport::Multicast { group } => {
                    datagram.destination.is_multicast() && datagram.destination != *group
                }
                Transport::Unicast { .. } => false,
            };
            spec.ipv6 == datagram.source.is_ipv6() && !other_group && here()
        });
        let first = candidates.next()?;
        let mut all = std::iter::once(first).chain(candidates);
        let suits = |at: &usize| {
            let transport = &self.instances[*at].core.spec.transport;
            if datagram.destination.is_multicast() {
                !transport.is_unicast()
            } else {
                transport.peers().iter().any(|peer| peer.address == datagram.source)
            }
        };
        all.find(suits).or(Some(first))
    }

    /// Another machine answers for an address: whoever holds it here has a rival, and whoever held it until now a successor.
    pub(super) fn claim(&mut self, now: Instant, claim: &Claim) {
        for at in 0..self.instances.len() {
            let instance = &self.instances[at];
            let concerned = matches!(instance.kind(), StateKind::Master | StateKind::Backup)
                && instance.core.held().any(|change| {
                    *change.interface == claim.interface && change.address.address() == claim.address
                });
            if concerned {
                self.drive(now, at, Event::Claim { address: claim.address, mac: claim.mac });
            }
        }
    }

    pub(super) fn link(&mut self, now: Instant, link: &Link) {
        let was_present = self.links.is_present(&link.interface);
        let running = self.phase != Phase::Waiting;
        let changed = self.links.report(now, link, running, &mut self.out);
        if changed {
            self.reassess(now, true);
        }
        if link.present && !was_present && self.is_active() {
            self.interface_returned(now, &link.interface);
        }
    }

    /// An interface has been created again: what we held on it is gone without a word.
    pub(super) fn interface_returned(&mut self, now: Instant, interface: &Name) {
        for address in &self.spec.fixed.addresses {
            if address.interface.as_ref() == Some(interface) {
                self.out.push(Output::AddAddress(fixed_address(address)));
            }
        }
        for at in 0..self.instances.len() {
            if self.instances[at].holds_addresses() {
                self.with_cx(now, at, |instance, cx| instance.core.restore_interface(cx, interface));
            }
        }
    }

    pub(super) fn address_removed(&mut self, now: Instant, interface: &Name, address: IpAddr) {
        self.links.remove_address(interface, address);
        if self.matters(address) {
            self.reassess(now, true);
        }
        for fixed in &self.spec.fixed.addresses {
            let lost =
                fixed.address() == address && fixed.interface.as_ref() == Some(interface) && fixed.track;
            if lost && self.is_active() {
                self.out.push(Output::AddAddress(fixed_address(fixed)));
            }
        }
        // An interface that went down or away took its addresses along; putting them back is for its return.
        if !self.links.is_present(interface) {
            return;
        }
        for at in 0..self.instances.len() {
            if self.instances[at].holds_addresses() {
                self.with_cx(now, at, |instance, cx| instance.core.restore(cx, interface, address));
            }
        }
    }

    pub(super) fn admin(&mut self, now: Instant, admin: Admin) {
        match admin {
            Admin::Start => self.start(now),
            Admin::Shutdown => self.shutdown(now),
            Admin::Abandon => {
                self.trackers.stop();
                self.phase = Phase::Finished;
            }
            Admin::StepDown(name) => match self.find(&name) {
                Some(at) => self.drive_masters(now, &self.together(at), || Event::StepDown),
                None => self.out.warn(format!("({name}) no such instance")),
            },
            Admin::Announce(name) => {
                for at in 0..self.instances.len() {
                    if name.as_ref().is_none_or(|name| self.instances[at].core.spec.name == *name) {
                        self.drive(now, at, Event::Announce);
                    }
                }
            }
            Admin::ClearStats => {
                self.instances.iter_mut().for_each(|instance| instance.core.stats = Stats::default());
                self.unknown.count = 0;
                self.unknown.seen.clear();
            }
        }
    }
}
