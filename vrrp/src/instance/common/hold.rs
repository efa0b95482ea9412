//! What a master holds: addresses, routes and rules.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Core, Cx};
use crate::event::{AddressChange, Announcement, Asked, Output, Probe};
use crate::spec::{InstanceRef, Name, Peer, Transport};

/// Restorations of one address in a row until the router waits a while, lest two programs fight at full speed.
const MAX_RESTORES: u32 = 10;
/// How long without a removal until restorations are counted anew.
const RESTORE_MEMORY: Duration = Duration::from_secs(10);

impl Core {
    /// Puts everything in place.
    pub(crate) fn take(&mut self, cx: &mut Cx<'_>) {
        self.block(cx, true);
        if !self.addresses.is_empty() {
            self.detail(cx, "setting VIPs.");
            self.addresses.iter().for_each(|change| cx.out.push(Output::AddAddress(change.clone())));
        }
        if !self.excluded.is_empty() {
            self.detail(cx, "setting E-VIPs.");
            self.excluded.iter().for_each(|change| cx.out.push(Output::AddAddress(change.clone())));
        }
        if !self.routes.is_empty() {
            self.detail(cx, "setting Virtual Routes");
            self.routes.iter().for_each(|route| cx.out.push(Output::AddRoute(Arc::clone(route))));
        }
        if !self.rules.is_empty() {
            self.detail(cx, "setting Virtual Rules");
            self.rules.iter().for_each(|rule| cx.out.push(Output::AddRule(Arc::clone(rule))));
        }
        self.holding = true;
        self.restores = (0, None);
    }

    /// Removes everything, and what was still to be announced.
    pub(crate) fn release(&mut self, cx: &mut Cx<'_>) {
        if !self.rules.is_empty() {
            self.detail(cx, "removing Virtual Rules");
            self.rules.iter().for_each(|rule| cx.out.push(Output::DelRule(Arc::clone(rule))));
        }
        if !self.routes.is_empty() {
            self.detail(cx, "removing Virtual Routes");
            self.routes.iter().for_each(|route| cx.out.push(Output::DelRoute(Arc::clone(route))));
        }
        cx.pacer.forget(&self.spec.name);
        if !self.addresses.is_empty() {
            self.detail(cx, "removing VIPs.");
            self.addresses.iter().for_each(|change| cx.out.push(Output::DelAddress(change.clone())));
        }
        if !self.excluded.is_empty() {
            self.detail(cx, "removing E-VIPs.");
            self.excluded.iter().for_each(|change| cx.out.push(Output::DelAddress(change.clone())));
        }
        self.block(cx, false);
        self.holding = false;
    }

    /// Removes what a former run may have left in place.
    pub(crate) fn remove_leftovers(&mut self, cx: &mut Cx<'_>) {
        self.release(cx);
    }

    /// The owner answers for its own addresses whatever was configured (RFC 9568 §6.1, Accept_Mode).
    fn blocks(&self) -> bool {
        !self.spec.accept && !self.spec.is_owner()
    }

    fn block(&mut self, cx: &mut Cx<'_>, on: bool) {
        if !self.blocks() {
            return;
        }
        self.detail(cx, if on { "setting firewall drop rule" } else { "removing firewall drop rule" });
        for change in self.held() {
            let change = change.clone();
            cx.out.push(if on { Output::Block(change) } else { Output::Unblock(change) });
        }
    }

    /// An address that should be in place has been removed: puts it back at once and announces it.
    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, interface: &Name, address: IpAddr) {
        let lost = |change: &&AddressChange| {
            change.interface == *interface && change.address.address() == address && change.address.track
        };
        let Some(change) = self.held().find(lost).cloned() else { return };
        let (count, last) = self.restores;
        let calm = last.is_none_or(|last| cx.now.saturating_duration_since(last) > RESTORE_MEMORY);
        let count = if calm { 0 } else { count };
        self.restores = (count + 1, Some(cx.now));
        if count >= MAX_RESTORES {
            if count == MAX_RESTORES {
                self.error(
                    cx,
                    &format!("{address} is removed again and again, leaving it to others for now"),
                );
            }
            return;
        }
        self.warn(cx, &format!("{address} on {interface} was removed by somebody else, restoring it"));
        self.stats.addresses_restored += 1;
        cx.out.push(Output::AddAddress(change));
        let announcement =
            Announcement { instance: self.spec.name.clone(), interface: interface.clone(), address };
        self.announce_these(cx, &[announcement], self.spec.garp.repeat);
    }

    /// Puts everything on an interface back that has come back itself.
    pub(crate) fn restore_interface(&mut self, cx: &mut Cx<'_>, interface: &Name) {
        let lost: Vec<_> = self.held().filter(|change| change.interface == *interface).cloned().collect();
        let announcements: Vec<_> = lost.iter().map(|change| self.announcement(change)).collect();
        lost.into_iter().for_each(|change| cx.out.push(Output::AddAddress(change)));
        self.announce_these(cx, &announcements, self.spec.garp.repeat);
    }

    /// Makes a new specification this instance's own. Held addresses are changed by the difference.
    pub(crate) fn reconfigure(&mut self, cx: &mut Cx<'_>, spec: InstanceRef, mtu: Option<u32>) {
        let old: Vec<AddressChange> = self.held().cloned().collect();
        let (old_routes, old_rules) = (self.routes.clone(), self.rules.clone());
        let old_blocked = if self.blocks() { old.clone() } else { Vec::new() };
        self.spec = spec;
        // Who owns the addresses no longer has no owner's priority to go back to.
        self.owner_backed_off &= self.spec.is_owner();
        self.lay_out(mtu);
        if !self.holding {
            return;
        }
        let new: Vec<AddressChange> = self.held().cloned().collect();
        // The instance may have another name now, which makes no difference to the address.
        let same =
            |a: &AddressChange, b: &AddressChange| a.interface == b.interface && a.address == b.address;
        let new_blocked = if self.blocks() { new.as_slice() } else { &[] };
        for added in new_blocked.iter().filter(|new| !old_blocked.iter().any(|old| same(old, new))) {
            cx.out.push(Output::Block(added.clone()));
        }
        for gone in old.iter().filter(|old| !new.iter().any(|new| same(old, new))) {
            cx.out.push(Output::DelAddress(gone.clone()));
        }
        for added in new.iter().filter(|new| !old.iter().any(|old| same(old, new))) {
            cx.out.push(Output::AddAddress(added.clone()));
            self.addresses_added = true;
        }
        for gone in old_blocked.iter().filter(|old| !new_blocked.iter().any(|new| same(old, new))) {
            cx.out.push(Output::Unblock(gone.clone()));
        }
        difference(&old_routes, &self.routes).for_each(|route| cx.out.push(Output::DelRoute(route)));
        difference(&self.routes, &old_routes).for_each(|route| cx.out.push(Output::AddRoute(route)));
        difference(&old_rules, &self.rules).for_each(|rule| cx.out.push(Output::DelRule(rule)));
        difference(&self.rules, &old_rules).for_each(|rule| cx.out.push(Output::AddRule(rule)));
    }

    /// Announces all addresses, `repeat` times each.
    pub(crate) fn announce(&mut self, cx: &mut Cx<'_>, repeat: u32) {
        let announcements: Vec<_> = self.held().map(|change| self.announcement(change)).collect();
        if repeat == 0 {
            return;
        }
        for announcement in &announcements {
            let what = if announcement.address.is_ipv6() {
                "Unsolicited Neighbour Adverts"
            } else {
                "gratuitous ARPs"
            };
            self.detail(
                cx,
                &format!(
                    "Sending/queueing {what} on {} for {}",
                    announcement.interface, announcement.address
                ),
            );
        }
        self.announce_these(cx, &announcements, repeat);
    }

    /// Asks whether another machine answers for an address held here; with several addresses for one after the other. With
    /// a VMAC every router answers with the same hardware address, so there is nothing to find.
    pub(crate) fn probe(&mut self, cx: &mut Cx<'_>) {
        if !cx.global.probe_rivals || self.spec.strict || self.spec.vmac.is_some() {
            return;
        }
        let Some(of) = self.asked() else { return };
        let ask = |change: &AddressChange| {
            let address = change.address.address();
            // Such an instance has at least one address of its own family, and usually one only.
            (address.is_ipv6() == self.spec.ipv6).then(|| (change.interface.clone(), address))
        };
        let next = self.held().filter_map(ask).nth(self.probed);
        if next.is_none() {
            self.probed = 0;
        }
        if let Some((interface, address)) = next.or_else(|| self.held().find_map(ask)) {
            self.probed += 1;
            cx.out.push(Output::Probe(Probe { interface, address, of }));
        }
    }

    /// Who may have one of the addresses as well.
    fn asked(&self) -> Option<Asked> {
        match (&self.spec.transport, self.source) {
            (_, Some(IpAddr::V6(source))) => Some(Asked::Holders(source)),
            (Transport::Multicast { group: IpAddr::V4(group) }, _) => Some(Asked::Group(*group)),
            (Transport::Unicast { peers, .. }, _) => {
                let v4 = |peer: &Peer| match peer.address {
                    IpAddr::V4(address) => Some(address),
                    IpAddr::V6(_) => None,
                };
                Some(Asked::Peers(peers.iter().filter_map(v4).collect()))
            }
            _ => None,
        }
    }

    pub(crate) fn announce_these(&mut self, cx: &mut Cx<'_>, announcements: &[Announcement], repeat: u32) {
        let garp = &self.spec.garp;
        self.stats.announcements += cx.pacer.announce(cx.now, announcements, repeat, garp, cx.out);
    }

    /// Keeps switches aware of a VMAC by announcing its addresses on the interface below, too.
    pub(crate) fn announce_on_base(&mut self, cx: &mut Cx<'_>) {
        let Some(base) = self.spec.interface.clone() else { return };
        let all = self.spec.vmac.as_ref().is_some_and(|vmac| vmac.extra_garp_all);
        let on_base = |mut announcement: Announcement| {
            if !all {
                announcement.interface = base.clone();
            }
            announcement
        };
        let announcements: Vec<_> = self.held().map(|change| on_base(self.announcement(change))).collect();
        self.announce_these(cx, &announcements, 1);
    }

    fn announcement(&self, change: &AddressChange) -> Announcement {
        Announcement {
            instance: self.spec.name.clone(),
            interface: change.interface.clone(),
            address: change.address.address(),
        }
    }
}

fn difference<'a, T: PartialEq>(from: &'a [Arc<T>], without: &'a [Arc<T>]) -> impl Iterator<Item = Arc<T>> {
    from.iter().filter(|item| !without.contains(item)).cloned()
}
