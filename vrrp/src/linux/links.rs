//! What is known of the machine's interfaces and their addresses, and what the router is told about it.

use std::collections::{BTreeMap, HashMap};

use super::netlink::{AddressInfo, Change, LinkInfo};
use super::socket::LinkRef;
use crate::event::{Input, InterfaceAddress, Link};
use crate::spec::{Name, Prefix};

/// The interfaces of the network namespace.
#[derive(Default)]
pub(super) struct Links {
    by_index: BTreeMap<u32, Known>,
    by_name: HashMap<Name, u32>,
}

struct Known {
    info: LinkInfo,
    name: Name,
    addresses: Vec<AddressInfo>,
}

impl Links {
    /// Takes a change in and says what the router has to hear.
    pub(super) fn apply(&mut self, change: Change, inputs: &mut Vec<Input>) {
        match change {
            Change::Link(info) => self.set_link(info, inputs),
            Change::LinkGone { index } => self.remove_link(index, inputs),
            Change::Address(info) => self.set_address(info, inputs),
            Change::AddressGone(info) => self.remove_address(&info, inputs),
            Change::RouteGone(_) | Change::RuleGone(_) => {}
        }
    }

    /// Replaces everything by a complete listing, telling only the differences.
    pub(super) fn replace(&mut self, listing: Vec<Change>, inputs: &mut Vec<Input>) {
        let links: Vec<u32> = listing.iter().filter_map(link_index).collect();
        let gone: Vec<u32> = self.by_index.keys().copied().filter(|index| !links.contains(index)).collect();
        for index in gone {
            self.remove_link(index, inputs);
        }
        let present = |known: &AddressInfo| {
            listing.iter().any(|change| matches!(change, Change::Address(info) if same(info, known)))
        };
        let stale: Vec<AddressInfo> = self
            .by_index
            .values()
            .flat_map(|known| &known.addresses)
            .filter(|known| !present(known))
            .cloned()
            .collect();
        for address in stale {
            self.remove_address(&address, inputs);
        }
        for change in listing {
            self.apply(change, inputs);
        }
    }

    /// The index of an interface.
    pub(super) fn index_of(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// What a socket has to know of an interface.
    pub(super) fn link_ref(&self, name: &str) -> Option<LinkRef> {
        let index = self.index_of(name)?;
        Some(LinkRef { index, mtu: self.by_index.get(&index)?.info.mtu })
    }

    /// The properties of an interface.
    pub(super) fn info(&self, name: &str) -> Option<&LinkInfo> {
        self.by_index.get(&self.index_of(name)?).map(|known| &known.info)
    }

    fn set_link(&mut self, info: LinkInfo, inputs: &mut Vec<Input>) {
        let index = info.index;
        // A name that moved to another index: the old interface was renamed or replaced.
        if let Some(other) = self.by_name.get(info.name.as_str()).copied().filter(|other| *other != index) {
            self.remove_link(other, inputs);
        }
        let mut addresses = Vec::new();
        if let Some(known) = self.by_index.get_mut(&index) {
            if known.info.name == info.name {
                let news = known.info.running != info.running || known.info.mtu != info.mtu;
                known.info = info;
                inputs.extend(news.then(|| known.input()));
                return;
            }
            addresses = std::mem::take(&mut known.addresses);
            self.remove_link(index, inputs);
        }
        let known = Known { name: Name::new(&info.name), info, addresses };
        inputs.push(known.input());
        inputs.extend(known.addresses.iter().map(|address| Input::AddressAdded(known.address(address))));
        self.by_name.insert(known.name.clone(), index);
        self.by_index.insert(index, known);
    }

    fn remove_link(&mut self, index: u32, inputs: &mut Vec<Input>) {
        let Some(known) = self.by_index.remove(&index) else { return };
        self.by_name.remove(&known.name);
        inputs.push(Input::Link(Link::absent(known.name)));
    }

    fn set_address(&mut self, info: AddressInfo, inputs: &mut Vec<Input>) {
        let Some(known) = self.by_index.get_mut(&info.index) else { return };
        let input = known.address(&info);
        match known.addresses.iter_mut().find(|old| same(old, &info)) {
            Some(old) if usable(old.flags) == usable(info.flags) => *old = info,
            Some(old) => {
                *old = info;
                inputs.push(Input::AddressAdded(input));
            }
            None => {
                known.addresses.push(info);
                inputs.push(Input::AddressAdded(input));
            }
        }
    }

    fn remove_address(&mut self, info: &AddressInfo, inputs: &mut Vec<Input>) {
        let Some(known) = self.by_index.get_mut(&info.index) else { return };
        known.addresses.retain(|old| !same(old, info));
        inputs.push(Input::AddressRemoved(known.address(info)));
    }
}

impl Known {
    fn input(&self) -> Input {
        let mut link = Link::new(self.name.clone(), self.info.running);
        link.mtu = Some(self.info.mtu);
        Input::Link(link)
    }

    fn address(&self, info: &AddressInfo) -> InterfaceAddress {
        let prefix = Prefix::new(info.address, info.prefix);
        let mut address = InterfaceAddress::new(self.name.clone(), prefix);
        address.usable = usable(info.flags);
        address
    }
}

fn link_index(change: &Change) -> Option<u32> {
    match change {
        Change::Link(info) => Some(info.index),
        _ => None,
    }
}

fn same(a: &AddressInfo, b: &AddressInfo) -> bool {
    (a.index, a.address, a.prefix) == (b.index, b.address, b.prefix)
}

/// True unless duplicate address detection is going on or has failed.
fn usable(flags: u32) -> bool {
    const IFA_F_DADFAILED: u32 = 0x08;
    const IFA_F_TENTATIVE: u32 = 0x40;
    flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) == 0
}
