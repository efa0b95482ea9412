//! What is known of the machine's interfaces and their addresses, and what the router is told about it.
//!
//! A machine may have thousands of interfaces and addresses that come and go with containers. Everything is known
//! here, because anything may be named by the next specification, but the router hears only of what the present one
//! names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;

use super::netlink::routing::IndexOf;
use super::netlink::{AddressInfo, Change, LinkInfo};
use super::socket::LinkRef;
use crate::event::{Input, InterfaceAddress, Link};
use crate::spec::{MAIN_TABLE, Name, Prefix, Route, Spec};

/// The interfaces of the network namespace.
#[derive(Default)]
pub(super) struct Links {
    by_index: BTreeMap<u32, Known>,
    by_name: HashMap<Name, u32>,
    focus: Focus,
    /// Numbers addresses in the order they were heard of.
    count: u64,
}

/// An interface, with its addresses.
struct Known {
    info: LinkInfo,
    name: Name,
    addresses: HashMap<(IpAddr, u8), Held>,
}

/// What matters of an address.
struct Held {
    order: u64,
    usable: bool,
}

/// What the router cares for.
#[derive(Default, PartialEq, Eq)]
struct Focus {
    interfaces: BTreeSet<Name>,
    /// Addresses that matter wherever they are.
    addresses: BTreeSet<IpAddr>,
}

impl Focus {
    fn of(spec: &Spec) -> Self {
        let mut focus = Self::default();
        let fixed = spec.fixed.addresses.iter().filter_map(|address| address.interface.as_ref());
        let tracks = spec.instances.iter().map(|instance| &instance.track);
        let tracks = tracks.chain(spec.groups.iter().map(|group| &group.track));
        let tracked = tracks.flat_map(|track| &track.interfaces).map(|used| &used.interface);
        focus.interfaces.extend(fixed.chain(tracked).cloned());
        for instance in &spec.instances {
            let own = [instance.interface.as_ref(), instance.wire_interface(), instance.vrf.as_ref()];
            focus.interfaces.extend(own.into_iter().flatten().cloned());
            let addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
            let on = addresses.filter_map(|address| instance.address_interface(address));
            focus.interfaces.extend(on.cloned());
            focus.addresses.extend(instance.source);
        }
        focus
    }

    fn includes(&self, interface: &Name, address: IpAddr) -> bool {
        self.interfaces.contains(interface) || self.addresses.contains(&address)
    }
}

impl Links {
    /// Takes a change in and says what the router has to hear.
    pub(super) fn apply(&mut self, change: Change, inputs: &mut Vec<Input>) {
        match change {
            Change::Link(info) => self.set_link(info, inputs),
            Change::LinkGone { index } => self.remove_link(index, inputs),
            Change::Address(info) => self.set_address(&info, inputs),
            Change::AddressGone(info) => self.remove_address(info.index, (info.address, info.prefix), inputs),
            Change::RouteGone(_) | Change::RuleGone(_) => {}
        }
    }

    /// Replaces everything by a complete listing, telling only the differences.
    pub(super) fn replace(&mut self, listing: Vec<Change>, inputs: &mut Vec<Input>) {
        let mut links = HashSet::new();
        let mut addresses = HashSet::new();
        for change in &listing {
            match change {
                Change::Link(info) => drop(links.insert(info.index)),
                Change::Address(info) => drop(addresses.insert((info.index, info.address, info.prefix))),
                _ => {}
            }
        }
        let gone: Vec<u32> = self.by_index.keys().copied().filter(|index| !links.contains(index)).collect();
        for index in gone {
            self.remove_link(index, inputs);
        }
        let known = self.by_index.iter();
        let known =
            known.flat_map(|(index, known)| known.addresses.keys().map(move |key| (*index, key.0, key.1)));
        let stale: Vec<(u32, IpAddr, u8)> = known.filter(|key| !addresses.contains(key)).collect();
        for (index, address, prefix) in stale {
            self.remove_address(index, (address, prefix), inputs);
        }
        for change in listing {
            self.apply(change, inputs);
        }
    }

    /// Turns the attention to what a specification names, and tells what is known of things it had not before.
    /// Returns what is to be told once the former specification is out of force: nobody looks there any more.
    pub(super) fn focus(&mut self, spec: &Spec, inputs: &mut Vec<Input>) -> Vec<Input> {
        let old = std::mem::replace(&mut self.focus, Focus::of(spec));
        let left = old.interfaces.difference(&self.focus.interfaces);
        let mut farewells: Vec<Input> = left.map(|name| Input::Link(Link::absent(name.clone()))).collect();
        for known in self.by_index.values() {
            if self.focus.interfaces.contains(&known.name) && !old.interfaces.contains(&known.name) {
                inputs.push(known.input());
            }
            let mut addresses: Vec<_> = known.addresses.iter().collect();
            addresses.sort_by_key(|(_, held)| held.order);
            for (key, held) in addresses {
                let address = known.address(*key, held.usable);
                match (old.includes(&known.name, key.0), self.focus.includes(&known.name, key.0)) {
                    (false, true) => inputs.push(Input::AddressAdded(address)),
                    (true, false) => farewells.push(Input::AddressRemoved(address)),
                    _ => {}
                }
            }
        }
        farewells
    }

    /// The index of an interface.
    pub(super) fn index_of(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// What a socket has to know of an interface.
    pub(super) fn link_ref(&self, name: &str) -> Option<LinkRef> {
        let index = self.index_of(name)?;
        let info = &self.by_index.get(&index)?.info;
        Some(LinkRef { index, mtu: info.mtu, shared_mac: info.kind.as_deref() == Some("macvlan") })
    }

    /// The properties of an interface.
    pub(super) fn info(&self, name: &str) -> Option<&LinkInfo> {
        self.by_index.get(&self.index_of(name)?).map(|known| &known.info)
    }

    /// The table that a route belongs to; None if it is that of a VRF that does not exist.
    pub(super) fn table_of(&self, route: &Route) -> Option<u32> {
        match &route.vrf {
            Some(vrf) => self.info(vrf)?.vrf_table,
            None => Some(route.table.unwrap_or(MAIN_TABLE)),
        }
    }

    /// The request about a route that `build` makes, or what it lacks.
    pub(super) fn routed(
        &self,
        route: &Route,
        build: fn(&Route, u32, IndexOf<'_>) -> Option<RouteNetlinkMessage>,
    ) -> Result<RouteNetlinkMessage, String> {
        let vrf = || route.vrf.as_ref().map_or("", |vrf| vrf.as_str());
        let table = self.table_of(route).ok_or_else(|| format!("there is no VRF {}", vrf()))?;
        build(route, table, &|name| self.index_of(name))
            .ok_or_else(|| "an interface does not exist".to_owned())
    }

    /// The name of an interface.
    pub(super) fn name_of(&self, index: u32) -> Option<&Name> {
        self.by_index.get(&index).map(|known| &known.name)
    }

    /// True for the hardware address of one of this machine's interfaces.
    pub(super) fn is_own(&self, mac: [u8; 6]) -> bool {
        self.by_index.values().any(|known| known.info.mac == Some(mac))
    }

    fn set_link(&mut self, info: LinkInfo, inputs: &mut Vec<Input>) {
        let index = info.index;
        // A name that moved to another index: the old interface was renamed or replaced.
        if let Some(other) = self.by_name.get(info.name.as_str()).copied().filter(|other| *other != index) {
            self.remove_link(other, inputs);
        }
        let mut addresses = HashMap::new();
        if let Some(known) = self.by_index.get_mut(&index) {
            if known.info.name == info.name {
                let told = |info: &LinkInfo| (info.running, info.enabled, info.mtu, info.mac);
                let news = told(&known.info) != told(&info);
                known.info = info;
                if news && self.focus.interfaces.contains(&known.name) {
                    inputs.push(known.input());
                }
                return;
            }
            // Renamed: everything it has moves to the new name.
            addresses = std::mem::take(&mut known.addresses);
            self.remove_link(index, inputs);
        }
        let known = Known { name: Name::new(&info.name), info, addresses: HashMap::new() };
        if self.focus.interfaces.contains(&known.name) {
            inputs.push(known.input());
        }
        self.by_name.insert(known.name.clone(), index);
        self.by_index.insert(index, known);
        let mut addresses: Vec<_> = addresses.into_iter().collect();
        addresses.sort_by_key(|(_, held)| held.order);
        for (key, held) in addresses {
            self.hold(index, key, held.usable, inputs);
        }
    }

    fn remove_link(&mut self, index: u32, inputs: &mut Vec<Input>) {
        let Some(known) = self.by_index.remove(&index) else { return };
        self.by_name.remove(&known.name);
        if self.focus.interfaces.contains(&known.name) {
            inputs.push(Input::Link(Link::absent(known.name)));
            return;
        }
        let lost = known.addresses.iter().filter(|(key, _)| self.focus.addresses.contains(&key.0));
        inputs.extend(lost.map(|(key, held)| Input::AddressRemoved(known.address(*key, held.usable))));
    }

    fn set_address(&mut self, info: &AddressInfo, inputs: &mut Vec<Input>) {
        self.hold(info.index, (info.address, info.prefix), usable(info.flags), inputs);
    }

    fn hold(&mut self, index: u32, key: (IpAddr, u8), usable: bool, inputs: &mut Vec<Input>) {
        let Some(known) = self.by_index.get_mut(&index) else { return };
        self.count += 1;
        let order = self.count;
        let held = known.addresses.get_mut(&key);
        match held {
            Some(held) if held.usable == usable => return,
            Some(held) => held.usable = usable,
            None => drop(known.addresses.insert(key, Held { order, usable })),
        }
        if self.focus.includes(&known.name, key.0) {
            inputs.push(Input::AddressAdded(known.address(key, usable)));
        }
    }

    fn remove_address(&mut self, index: u32, key: (IpAddr, u8), inputs: &mut Vec<Input>) {
        let Some(known) = self.by_index.get_mut(&index) else { return };
        known.addresses.remove(&key);
        if self.focus.includes(&known.name, key.0) {
            inputs.push(Input::AddressRemoved(known.address(key, false)));
        }
    }
}

impl Known {
    fn input(&self) -> Input {
        let mut link = Link::new(self.name.clone(), self.info.running);
        link.mtu = Some(self.info.mtu);
        link.enabled = self.info.enabled;
        link.index = Some(self.info.index);
        link.mac = self.info.mac;
        link.hardware = Some(self.info.hardware);
        Input::Link(link)
    }

    fn address(&self, (address, prefix): (IpAddr, u8), usable: bool) -> InterfaceAddress {
        let mut address = InterfaceAddress::new(self.name.clone(), Prefix::new(address, prefix));
        address.usable = usable;
        address
    }
}

/// Whether an interface of the calling thread's network namespace is a VRF; None if there is no such interface, or where that
/// cannot be found out.
#[must_use]
pub fn is_vrf(name: &str) -> Option<bool> {
    super::netlink::Netlink::open().ok()?.is_vrf(name).ok()?
}

/// True unless duplicate address detection is going on or has failed.
fn usable(flags: u32) -> bool {
    const IFA_F_DADFAILED: u32 = 0x08;
    const IFA_F_TENTATIVE: u32 = 0x40;
    flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netlink::routing;
    use crate::spec::{Global, Instance};

    fn link(index: u32, name: &str, running: bool) -> Change {
        Change::Link(LinkInfo { index, name: name.to_owned(), running, mtu: 1500, ..LinkInfo::default() })
    }

    fn info(index: u32, address: &str) -> AddressInfo {
        AddressInfo { index, address: address.parse().unwrap(), prefix: 24, flags: 0, protocol: 0 }
    }

    fn watching(interface: &str) -> Spec {
        let mut spec = Spec::new();
        let mut instance = Instance::new("i", 1, &Global::default());
        instance.interface = Some(interface.into());
        spec.instances.push(instance);
        spec
    }

    fn links(interface: &str) -> Links {
        let mut links = Links::default();
        links.focus(&watching(interface), &mut Vec::new());
        links
    }

    fn told(links: &mut Links, changes: Vec<Change>) -> Vec<String> {
        let mut inputs = Vec::new();
        changes.into_iter().for_each(|change| links.apply(change, &mut inputs));
        words(&inputs)
    }

    fn words(inputs: &[Input]) -> Vec<String> {
        let word = |input: &Input| match input {
            Input::Link(link) if !link.present => format!("{} gone", link.interface),
            Input::Link(link) => format!("{} {}", link.interface, if link.up { "up" } else { "down" }),
            Input::AddressAdded(address) => format!("{} +{}", address.interface, address.prefix.address),
            Input::AddressRemoved(address) => format!("{} -{}", address.interface, address.prefix.address),
            other => format!("{other:?}"),
        };
        inputs.iter().map(word).collect()
    }

    #[test]
    fn a_route_of_a_vrf_is_in_its_table_as_long_as_there_is_such_a_vrf() {
        let mut route = Route::new(Prefix::new("10.1.0.0".parse().unwrap(), 16));
        let mut links = links("eth0");
        assert_eq!(links.table_of(&route), Some(MAIN_TABLE));
        (route.table, route.vrf) = (Some(7), Some("red".into()));
        let refused = |links: &Links| links.routed(&route, routing::add_route).unwrap_err();
        assert_eq!(refused(&links), "there is no VRF red");
        told(&mut links, vec![link(3, "red", true)]);
        assert_eq!(refused(&links), "there is no VRF red", "it is something else");
        let vrf = LinkInfo { index: 3, name: "red".to_owned(), vrf_table: Some(1010), ..LinkInfo::default() };
        told(&mut links, vec![Change::Link(vrf)]);
        assert_eq!(links.table_of(&route), Some(1010));
        assert!(links.routed(&route, routing::add_route).is_ok());
    }

    #[test]
    fn only_what_the_specification_names_is_told() {
        let mut links = links("eth0");
        let changes = vec![
            link(1, "eth0", true),
            link(2, "eth1", true),
            Change::Address(info(1, "10.0.0.1")),
            Change::Address(info(2, "10.0.1.1")),
            Change::Address(info(9, "10.0.9.1")),
        ];
        assert_eq!(told(&mut links, changes), ["eth0 up", "eth0 +10.0.0.1"]);
        let mut inputs = Vec::new();
        let farewells = links.focus(&watching("eth1"), &mut inputs);
        assert_eq!(words(&inputs), ["eth1 up", "eth1 +10.0.1.1"]);
        assert_eq!(words(&farewells), ["eth0 gone", "eth0 -10.0.0.1"]);
    }

    #[test]
    fn what_is_said_twice_is_told_once() {
        let mut links = links("eth0");
        let state = || vec![link(1, "eth0", true), Change::Address(info(1, "10.0.0.1"))];
        assert_eq!(told(&mut links, state()).len(), 2);
        assert_eq!(told(&mut links, state()), Vec::<String>::new());
        assert_eq!(told(&mut links, vec![link(1, "eth0", false)]), ["eth0 down"]);
    }

    #[test]
    fn a_listing_tells_what_vanished_meanwhile() {
        let mut links = links("eth0");
        let state = vec![
            link(1, "eth0", true),
            Change::Address(info(1, "10.0.0.1")),
            Change::Address(info(1, "10.0.0.2")),
        ];
        told(&mut links, state);
        let mut inputs = Vec::new();
        links.replace(vec![link(1, "eth0", true), Change::Address(info(1, "10.0.0.2"))], &mut inputs);
        assert_eq!(words(&inputs), ["eth0 -10.0.0.1"]);
        inputs.clear();
        links.replace(Vec::new(), &mut inputs);
        assert_eq!(words(&inputs), ["eth0 gone"]);
        assert_eq!(links.index_of("eth0"), None);
    }

    #[test]
    fn a_renamed_interface_takes_its_addresses_along_in_order() {
        let mut links = links("eth0");
        let mut changes = vec![link(1, "new0", true)];
        changes.extend((1..9).map(|host| Change::Address(info(1, &format!("10.0.0.{host}")))));
        assert_eq!(told(&mut links, changes), Vec::<String>::new());
        let heard = told(&mut links, vec![link(1, "eth0", true)]);
        let expected = (1..9).map(|host| format!("eth0 +10.0.0.{host}"));
        assert_eq!(heard, std::iter::once("eth0 up".to_owned()).chain(expected).collect::<Vec<_>>());
        assert_eq!(told(&mut links, vec![link(1, "old0", true)]), ["eth0 gone"]);
    }

    #[test]
    fn an_interface_replaced_by_another_of_its_name_is_gone_first() {
        let mut links = links("eth0");
        told(&mut links, vec![link(1, "eth0", true)]);
        assert_eq!(told(&mut links, vec![link(7, "eth0", true)]), ["eth0 gone", "eth0 up"]);
        assert_eq!(links.index_of("eth0"), Some(7));
        // The late farewell of the old one changes nothing.
        assert_eq!(told(&mut links, vec![Change::LinkGone { index: 1 }]), Vec::<String>::new());
        assert_eq!(links.index_of("eth0"), Some(7));
    }

    #[test]
    fn a_source_address_matters_on_any_interface() {
        let mut spec = watching("eth0");
        spec.instances[0].source = Some("192.0.2.1".parse().unwrap());
        let mut links = Links::default();
        links.focus(&spec, &mut Vec::new());
        let changes = vec![link(2, "lo", true), Change::Address(info(2, "192.0.2.1"))];
        assert_eq!(told(&mut links, changes), ["lo +192.0.2.1"]);
        assert_eq!(told(&mut links, vec![Change::LinkGone { index: 2 }]), ["lo -192.0.2.1"]);
    }
}
