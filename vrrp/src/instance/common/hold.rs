//! What a master holds: addresses, routes and rules.

use std::net::IpAddr;
use std::time::Duration;

use super::{Core, Cx};
use crate::event::{AddressChange, Announcement, Asked, Output, Probe};
use crate::garp::Pace;
use crate::spec::{InstanceRef, Name, Peer, Transport, VirtualAddress};
use crate::wire;

/// Restorations of one address in a row until the router waits a while, lest two programs fight at full speed.
const MAX_RESTORES: u32 = 10;
/// How long without a removal until restorations are counted anew.
const RESTORE_MEMORY: Duration = Duration::from_secs(10);

/// A virtual address where it belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    instance: &'a Name,
    pub(crate) interface: &'a Name,
    pub(crate) address: &'a VirtualAddress,
}

impl Held<'_> {
    /// To be put in place or taken away.
    pub(crate) fn change(self) -> AddressChange {
        AddressChange {
            instance: Some(self.instance.clone()),
            interface: self.interface.clone(),
            address: self.address.clone().into(),
        }
    }

    fn announcement(self) -> Announcement {
        Announcement {
            instance: self.instance.clone(),
            interface: self.interface.clone(),
            address: self.address.address(),
            mac: None,
        }
    }
}

impl Core {
    /// All addresses the master holds.
    pub(crate) fn held(&self) -> impl Iterator<Item = Held<'_>> {
        let all = self.spec.addresses.iter().chain(&self.spec.excluded_addresses);
        all.filter_map(|address| self.hold(address))
    }

    /// Those that the adverts name.
    fn named(&self) -> impl Iterator<Item = Held<'_>> {
        self.by_name().filter_map(|(named, held)| named.then_some(held))
    }

    /// Those that they do not.
    fn unnamed(&self) -> impl Iterator<Item = Held<'_>> {
        let rest = self.by_name().filter_map(|(named, held)| (!named).then_some(held));
        rest.chain(self.spec.excluded_addresses.iter().filter_map(|address| self.hold(address)))
    }

    /// The addresses of an advert.
    pub(crate) fn advertised(&self) -> Vec<IpAddr> {
        self.named().map(|held| held.address.address()).collect()
    }

    /// An advert names the addresses of its own family, as many as it has room for.
    fn by_name(&self) -> impl Iterator<Item = (bool, Held<'_>)> {
        let mut room = self.room;
        self.spec.addresses.iter().filter_map(|address| self.hold(address)).map(move |held| {
            let named = room > 0 && held.address.address().is_ipv6() == self.spec.ipv6;
            room -= u8::from(named);
            (named, held)
        })
    }

    /// Nothing if the address belongs on no interface.
    fn hold<'a>(&'a self, address: &'a VirtualAddress) -> Option<Held<'a>> {
        let interface = self.spec.address_interface(address)?;
        Some(Held { instance: &self.spec.name, interface, address })
    }

    /// Puts everything in place.
    pub(crate) fn take(&mut self, cx: &mut Cx<'_>) {
        // What was still to be said of the last master is not true any more.
        cx.pacer.forget(&self.spec.name);
        self.block(cx, true);
        self.change(cx, "setting VIPs.", self.named(), |held| Output::AddAddress(held.change()));
        self.change(cx, "setting E-VIPs.", self.unnamed(), |held| Output::AddAddress(held.change()));
        let (routes, rules) = (self.spec.routes.iter(), self.spec.rules.iter());
        self.change(cx, "setting Virtual Routes", routes, |route| Output::AddRoute(route.clone().into()));
        self.change(cx, "setting Virtual Rules", rules, |rule| Output::AddRule(rule.clone().into()));
        self.holding = true;
        self.restores = (0, None);
    }

    /// Removes everything, and what was still to be announced.
    pub(crate) fn release(&mut self, cx: &mut Cx<'_>) {
        let (routes, rules) = (self.spec.routes.iter(), self.spec.rules.iter());
        self.change(cx, "removing Virtual Rules", rules, |rule| Output::DelRule(rule.clone().into()));
        self.change(cx, "removing Virtual Routes", routes, |route| Output::DelRoute(route.clone().into()));
        cx.pacer.forget(&self.spec.name);
        self.change(cx, "removing VIPs.", self.named(), |held| Output::DelAddress(held.change()));
        self.change(cx, "removing E-VIPs.", self.unnamed(), |held| Output::DelAddress(held.change()));
        self.block(cx, false);
        self.holding = false;
    }

    /// Asks for the same with all items, and says so if there are any.
    fn change<T>(
        &self,
        cx: &mut Cx<'_>,
        what: &str,
        items: impl Iterator<Item = T>,
        output: impl Fn(T) -> Output,
    ) {
        let mut items = items.peekable();
        if items.peek().is_some() {
            self.detail(cx, what);
        }
        items.for_each(|item| cx.out.push(output(item)));
    }

    /// Leaves everything in place and forgets it.
    pub(crate) fn abandon(&mut self, cx: &mut Cx<'_>) {
        cx.pacer.forget(&self.spec.name);
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
        for change in self.held().map(Held::change) {
            cx.out.push(if on { Output::Block(change) } else { Output::Unblock(change) });
        }
    }

    /// An address that should be in place has been removed: puts it back at once and announces it.
    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, interface: &Name, address: IpAddr) {
        let lost = |held: &Held<'_>| {
            held.interface == interface && held.address.address() == address && held.address.track
        };
        let Some(change) = self.held().find(lost).map(Held::change) else { return };
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
        let announcement = Announcement {
            instance: self.spec.name.clone(),
            interface: interface.clone(),
            address,
            mac: None,
        };
        self.announce_these(cx, &[announcement], self.spec.garp.repeat);
    }

    /// Puts everything on an interface back that has come back itself.
    pub(crate) fn restore_interface(&mut self, cx: &mut Cx<'_>, interface: &Name) {
        let lost = || self.held().filter(|held| held.interface == interface);
        let announcements: Vec<_> = lost().map(Held::announcement).collect();
        lost().for_each(|held| cx.out.push(Output::AddAddress(held.change())));
        self.announce_these(cx, &announcements, self.spec.garp.repeat);
    }

    /// Makes a new specification this instance's own. Held addresses are changed by the difference.
    pub(crate) fn reconfigure(&mut self, cx: &mut Cx<'_>, spec: InstanceRef, mtu: Option<u32>) {
        let old: Vec<AddressChange> = self.held().map(Held::change).collect();
        let before = self.spec.clone();
        let old_blocked = if self.blocks() { old.clone() } else { Vec::new() };
        self.spec = spec;
        // Who owns the addresses no longer has no owner's priority to go back to.
        self.owner_backed_off &= self.spec.is_owner();
        self.lay_out(mtu);
        if !self.holding {
            return;
        }
        let new: Vec<AddressChange> = self.held().map(Held::change).collect();
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
        let (routes, rules) = (&self.spec.routes, &self.spec.rules);
        difference(&before.routes, routes).for_each(|route| cx.out.push(Output::DelRoute(route.into())));
        difference(routes, &before.routes).for_each(|route| cx.out.push(Output::AddRoute(route.into())));
        difference(&before.rules, rules).for_each(|rule| cx.out.push(Output::DelRule(rule.into())));
        difference(rules, &before.rules).for_each(|rule| cx.out.push(Output::AddRule(rule.into())));
    }

    /// Announces all addresses, `repeat` times each.
    pub(crate) fn announce(&mut self, cx: &mut Cx<'_>, repeat: u32) {
        let announcements: Vec<_> = self.held().map(Held::announcement).collect();
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

    /// Asks whether another machine answers for an address held here; with several addresses for one after the other.
    pub(crate) fn probe(&mut self, cx: &mut Cx<'_>) {
        let Some(of) = self.asked(cx) else { return };
        let next = self.questions().nth(self.probed as usize);
        if next.is_none() {
            self.probed = 0;
        }
        if let Some((interface, address)) = next.or_else(|| self.questions().next()) {
            self.probed += 1;
            cx.out.push(Output::Probe(Probe { interface, address, of }));
        }
    }

    /// Asks everybody for all addresses at once who answers for them, and says which they are.
    pub(crate) fn probe_all(&self, cx: &mut Cx<'_>) -> Vec<IpAddr> {
        let Some(of) = self.asked(cx) else { return Vec::new() };
        let of = if self.spec.ipv6 { of } else { Asked::Everybody };
        let ask = |(interface, address)| {
            cx.out.push(Output::Probe(Probe { interface, address, of: of.clone() }));
            address
        };
        self.questions().map(ask).collect()
    }

    /// Where to ask for what; usually there is one address of the instance's own family. On a VMAC every router answers with the
    /// same hardware address, so there is nothing to find.
    fn questions(&self) -> impl Iterator<Item = (Name, IpAddr)> {
        self.held().filter_map(|held| {
            let address = held.address.address();
            let asked = address.is_ipv6() == self.spec.ipv6 && !self.on_vmac(held.interface);
            asked.then(|| (held.interface.clone(), address))
        })
    }

    fn on_vmac(&self, interface: &Name) -> bool {
        self.spec.vmacs().any(|(vmac, ..)| vmac.name == *interface)
    }

    /// Who may have one of the addresses as well, if anybody is to be asked.
    fn asked(&self, cx: &Cx<'_>) -> Option<Asked> {
        if !cx.global.probe_rivals || self.spec.strict {
            return None;
        }
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

    /// Tells the clients that another machine has one of the addresses now.
    pub(crate) fn introduce(&mut self, cx: &mut Cx<'_>, address: IpAddr, mac: [u8; 6]) {
        let found = self.held().find(|held| held.address.address() == address);
        let Some(held) = found else { return };
        let announcement = Announcement { mac: Some(mac), ..held.announcement() };
        self.detail(
            cx,
            &format!("{address} is answered for by {}, announcing that", wire::hardware_address(mac)),
        );
        self.announce_these(cx, &[announcement], self.spec.garp.repeat);
    }

    pub(crate) fn announce_these(&mut self, cx: &mut Cx<'_>, announcements: &[Announcement], repeat: u32) {
        let separate: Vec<_> = self.spec.vmacs().map(|(vmac, below, _)| (&vmac.name, below)).collect();
        let pace = Pace { garp: &self.spec.garp, separate: &separate };
        self.stats.announcements += cx.pacer.announce(cx.now, announcements, repeat, pace, cx.out);
    }

    /// Keeps switches aware of interfaces where no adverts are sent, by an announcement on each.
    pub(crate) fn announce_extra(&mut self, cx: &mut Cx<'_>) {
        let Some(extra) = self.spec.extra_garp else { return };
        let wire = self.spec.wire_interface();
        let mut announcements: Vec<Announcement> = Vec::new();
        for held in self.held().filter(|held| extra.all || self.on_vmac(held.interface)) {
            let known = announcements.iter().any(|known| known.interface == *held.interface);
            if !known && Some(held.interface) != wire {
                announcements.push(held.announcement());
            }
        }
        self.announce_these(cx, &announcements, 1);
    }
}

fn difference<'a, T: PartialEq + Clone>(from: &'a [T], without: &'a [T]) -> impl Iterator<Item = T> {
    from.iter().filter(|item| !without.contains(item)).cloned()
}
