//! The interfaces as the driver tells of them: up or down, debounced, and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::event::{InterfaceAddress, Link};
use crate::outbox::Outbox;
use crate::spec::{LinkDelay, Name, Prefix, Spec};
use crate::stats::InterfaceSnapshot;
use crate::timer::{earliest, reached};

/// All interfaces ever heard of.
#[derive(Debug, Default)]
pub(crate) struct Links {
    table: BTreeMap<Name, Interface>,
    delays: Vec<LinkDelay>,
    /// Interfaces some instance depends on; changes of others are not worth a line.
    watched: BTreeSet<Name>,
}

/// What decides nothing by itself.
#[derive(Debug, Default)]
struct Details {
    enabled: bool,
    index: Option<u32>,
    mac: Option<[u8; 6]>,
    hardware: Option<u16>,
    mtu: Option<u32>,
}

#[derive(Debug, Default)]
struct Interface {
    present: bool,
    /// What counts, after debouncing.
    up: bool,
    /// It has been up since it exists.
    was_up: bool,
    /// A change that has to last until this moment before it counts.
    pending: Option<(bool, Instant)>,
    /// As last told.
    details: Details,
    addresses: Vec<InterfaceAddress>,
}

impl Interface {
    /// From now on this is what counts.
    fn settle(&mut self, up: bool) {
        self.pending = None;
        self.up = up;
        self.was_up |= up;
    }
}

impl Links {
    pub(crate) fn configure(&mut self, spec: &Spec) {
        self.delays = spec.link_delays.clone();
        // What becomes of an interface becomes at once of those made on top of it.
        for (vmac, base, _) in spec.instances.iter().flat_map(|instance| instance.vmacs()) {
            let given = |name: &Name| self.delays.iter().find(|delay| delay.interface == *name);
            if let (None, Some(below)) = (given(&vmac.name), given(base)) {
                let delay = LinkDelay { interface: vmac.name.clone(), ..below.clone() };
                self.delays.push(delay);
            }
        }
        let lists = spec.instances.iter().map(|i| &i.track).chain(spec.groups.iter().map(|g| &g.track));
        let tracked = lists.flat_map(|list| &list.interfaces).map(|reference| &reference.interface);
        let own = spec.instances.iter().filter(|i| !i.ignore_own_interface);
        let own = own.flat_map(|i| i.interface.iter().chain(i.vmacs().map(|(vmac, ..)| &vmac.name)));
        self.watched = tracked.chain(own).cloned().collect();
    }

    /// Takes in a report. True if what counts has changed.
    pub(crate) fn report(&mut self, now: Instant, link: &Link, running: bool, out: &mut Outbox) -> bool {
        let delay = if running { self.delay(&link.interface, link.up) } else { Duration::ZERO };
        let interface = self.table.entry(link.interface.clone()).or_default();
        let was_present = interface.present;
        interface.present = link.present;
        interface.details = Details {
            enabled: link.enabled,
            index: link.index,
            mac: link.mac,
            hardware: link.hardware,
            mtu: link.mtu.or(interface.details.mtu),
        };
        if !link.present {
            interface.addresses.clear();
            interface.was_up = false;
        }
        let up = link.up && link.present;
        if interface.up == up {
            interface.pending = None;
            return was_present != link.present;
        }
        if delay.is_zero() || was_present != link.present {
            interface.settle(up);
            if running && self.watched.contains(&link.interface) {
                out.info(format!("Netlink reports {} {}", link.interface, if up { "up" } else { "down" }));
            }
            return true;
        }
        if interface.pending.is_none_or(|(pending, _)| pending != up) {
            interface.pending = Some((up, now + delay));
        }
        false
    }

    /// Lets debounced changes that have lasted count. True if there were any.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> bool {
        let mut changed = false;
        for (name, interface) in &mut self.table {
            if let Some((up, at)) = interface.pending
                && reached(Some(at), now)
            {
                interface.settle(up);
                changed = true;
                if self.watched.contains(name) {
                    out.info(format!("Netlink reports {name} {}", if up { "up" } else { "down" }));
                }
            }
        }
        changed
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.table.values().map(|interface| interface.pending.map(|(_, at)| at)))
    }

    pub(crate) fn add_address(&mut self, address: InterfaceAddress) {
        let addresses = &mut self.table.entry(address.interface.clone()).or_default().addresses;
        match addresses.iter_mut().find(|known| known.prefix.address == address.prefix.address) {
            Some(known) => *known = address,
            None => addresses.push(address),
        }
    }

    pub(crate) fn remove_address(&mut self, interface: &Name, address: IpAddr) {
        if let Some(interface) = self.table.get_mut(interface) {
            interface.addresses.retain(|known| known.prefix.address != address);
        }
    }

    /// Up and running. An interface nobody told of is not.
    pub(crate) fn is_up(&self, name: &Name) -> bool {
        self.table.get(name).is_some_and(|interface| interface.up)
    }

    /// Down, having been up since it exists.
    pub(crate) fn has_fallen(&self, name: &Name) -> bool {
        self.table.get(name).is_some_and(|interface| interface.was_up && !interface.up)
    }

    pub(crate) fn is_present(&self, name: &Name) -> bool {
        self.table.get(name).is_some_and(|interface| interface.present)
    }

    pub(crate) fn mtu(&self, name: &Name) -> Option<u32> {
        self.table.get(name).and_then(|interface| interface.details.mtu)
    }

    /// The usable addresses of an interface, oldest first.
    pub(crate) fn addresses(&self, name: &Name) -> impl Iterator<Item = Prefix> {
        let usable = self.table.get(name).into_iter().flat_map(|interface| &interface.addresses);
        usable.filter(|address| address.usable).map(|address| address.prefix)
    }

    pub(crate) fn has_address(&self, name: &Name, address: IpAddr) -> bool {
        self.table
            .get(name)
            .is_some_and(|interface| interface.addresses.iter().any(|known| known.prefix.address == address))
    }

    /// Whether any interface has this address.
    pub(crate) fn has_address_anywhere(&self, address: IpAddr) -> bool {
        self.table.keys().any(|name| self.has_address(name, address))
    }

    pub(crate) fn snapshot(&self) -> Vec<InterfaceSnapshot> {
        let describe = |(name, interface): (&Name, &Interface)| InterfaceSnapshot {
            name: name.clone(),
            index: interface.details.index,
            present: interface.present,
            enabled: interface.details.enabled,
            running: interface.up,
            seen_up: interface.was_up,
            pending: interface.pending.is_some(),
            mtu: interface.details.mtu,
            mac: interface.details.mac,
            hardware: interface.details.hardware,
            addresses: interface.addresses.iter().map(|known| known.prefix.address).collect(),
        };
        self.table.iter().map(describe).collect()
    }

    fn delay(&self, name: &Name, up: bool) -> Duration {
        let delay = self.delays.iter().find(|delay| delay.interface == *name);
        delay.map_or(Duration::ZERO, |delay| if up { delay.up } else { delay.down })
    }
}
