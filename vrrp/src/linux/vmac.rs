//! The separate interfaces of instances that use the virtual router's own hardware address, and the kernel settings
//! that go with them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};

use super::links::Links;
use super::netlink::{Netlink, message};
use crate::spec::{Instance, Name, Spec, Vmac, VmacKind};

/// The interfaces made here, and the settings to be put back.
#[derive(Default)]
pub(super) struct Vmacs {
    made: BTreeMap<Name, u32>,
    saved: BTreeMap<PathBuf, String>,
    failed: BTreeMap<Name, String>,
}

impl Vmacs {
    /// Makes the interfaces a specification wants and that can be made now. Returns problems, each told once.
    pub(super) fn configure(&mut self, spec: &Spec, netlink: &mut Netlink, links: &Links) -> Vec<String> {
        let mut problems = Vec::new();
        let wanted = spec.instances.iter().flat_map(|i| {
            i.vmacs().map(move |(vmac, base, ipv6)| Wanted {
                vmac,
                base,
                mac: vmac.mac.unwrap_or_else(|| virtual_mac(i.vrid, ipv6)),
                ipv6: speaks_ipv6(i, vmac, ipv6),
            })
        });
        for wanted in wanted {
            let Wanted { vmac, base, .. } = wanted;
            let Some(base_index) = links.index_of(base) else {
                self.made.remove(&vmac.name);
                continue;
            };
            let present = links.info(&vmac.name).filter(|info| info.parent == Some(base_index));
            if present.is_some() && self.made.contains_key(&vmac.name) {
                wanted.speak_ipv6();
                continue;
            }
            match self.make(&wanted, base_index, netlink, links) {
                Ok(index) => {
                    self.failed.remove(&vmac.name);
                    self.made.insert(vmac.name.clone(), index);
                }
                Err(error) => {
                    let text = format!("cannot make the interface {} on {base}: {error}", vmac.name);
                    if self.failed.insert(vmac.name.clone(), text.clone()).as_ref() != Some(&text) {
                        problems.push(text);
                    }
                }
            }
        }
        problems
    }

    /// Removes the interfaces a specification does not want.
    pub(super) fn prune(&mut self, spec: &Spec, netlink: &mut Netlink) {
        let wanted =
            |name: &Name| spec.instances.iter().any(|i| i.vmacs().any(|(vmac, ..)| vmac.name == *name));
        let unwanted: Vec<Name> = self.made.keys().filter(|name| !wanted(name)).cloned().collect();
        for name in unwanted {
            self.remove(&name, netlink);
        }
    }

    /// Removes every interface made here and puts the settings back.
    pub(super) fn clear(&mut self, netlink: &mut Netlink) {
        let names: Vec<Name> = self.made.keys().cloned().collect();
        for name in names {
            self.remove(&name, netlink);
        }
        for path in self.saved.keys().cloned().collect::<Vec<_>>() {
            // The interface may be gone, and its settings with it.
            let _ = self.put_back(&path);
        }
    }

    /// Keeps the kernel from reporting memberships of groups of the link, or lets it again. Returns what stands against that.
    pub(super) fn silence_reports(&mut self, silent: bool) -> Option<String> {
        let path = Path::new(LOCAL_REPORTS);
        let result = if silent { self.set(path.to_owned(), "0") } else { self.put_back(path) };
        result.err().map(|error| format!("cannot change {LOCAL_REPORTS}: {error}"))
    }

    fn remove(&mut self, name: &Name, netlink: &mut Netlink) {
        if let Some(index) = self.made.remove(name) {
            // It went with its base interface, or somebody else removed it.
            let _ = netlink.request(message::del_link(index), 0);
        }
    }

    fn make(
        &mut self,
        wanted: &Wanted<'_>,
        base: u32,
        netlink: &mut Netlink,
        links: &Links,
    ) -> io::Result<u32> {
        let vmac = wanted.vmac;
        if let Some(old) = links.info(&vmac.name) {
            let fits = old.parent == Some(base) && old.kind.as_deref() == Some(kind_word(vmac.kind));
            if fits {
                // Left behind by a former run. What is on it is sorted out as on any other interface.
                self.settle(wanted)?;
                netlink.request(message::link_up(old.index), 0)?;
                return Ok(old.index);
            }
            if !self.made.contains_key(&vmac.name) {
                return Err(io::Error::other("an interface of this name exists and is not ours"));
            }
            // Made here on another interface: a reload gave its name to this instance.
            self.remove(&vmac.name, netlink);
        }
        netlink.request(message::add_vmac(base, vmac, wanted.mac), NLM_F_CREATE | NLM_F_EXCL)?;
        let index = netlink.index_of(&vmac.name)?;
        netlink.request(message::no_link_local(index), 0)?;
        self.settle(wanted)?;
        netlink.request(message::link_up(index), 0)?;
        Ok(index)
    }

    /// Settings without which the weak host model answers for the virtual address with the wrong hardware address,
    /// and reverse path filtering drops the adverts that arrive on an interface without an address.
    fn settle(&mut self, wanted: &Wanted<'_>) -> io::Result<()> {
        wanted.speak_ipv6();
        let own = |key: &str| setting("ipv4", &wanted.vmac.name, key);
        fs::write(own("arp_ignore"), "1")?;
        fs::write(own("accept_local"), "1")?;
        fs::write(own("promote_secondaries"), "1")?;
        self.relax_rp_filter()?;
        fs::write(own("rp_filter"), "0")?;
        self.set(setting("ipv4", wanted.base, "arp_ignore"), "1")?;
        self.set(setting("ipv4", wanted.base, "arp_filter"), "1")
    }

    /// The effective filter of an interface is the larger of its own and the common value. So that one interface can
    /// have none, the common value moves into all the others.
    fn relax_rp_filter(&mut self) -> io::Result<()> {
        let common = fs::read_to_string(setting("ipv4", "all", "rp_filter"))?;
        let value: u8 = common.trim().parse().unwrap_or(0);
        if value == 0 {
            return Ok(());
        }
        for entry in fs::read_dir("/proc/sys/net/ipv4/conf")?.flatten() {
            let path = entry.path().join("rp_filter");
            let own: u8 = fs::read_to_string(&path).ok().and_then(|own| own.trim().parse().ok()).unwrap_or(0);
            if entry.file_name() != "all" && own < value {
                self.set(path, &value.to_string())?;
            }
        }
        self.set(setting("ipv4", "all", "rp_filter"), "0")
    }

    /// Changes a setting that will be put back.
    pub(super) fn set(&mut self, path: PathBuf, value: &str) -> io::Result<()> {
        let old = fs::read_to_string(&path)?;
        if old.trim() != value {
            fs::write(&path, value)?;
            self.saved.entry(path).or_insert(old);
        }
        Ok(())
    }

    /// Gives a setting the value it had before [`set`](Self::set) changed it.
    fn put_back(&mut self, path: &Path) -> io::Result<()> {
        self.saved.remove(path).map_or(Ok(()), |value| fs::write(path, value))
    }
}

/// An interface to be made.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    vmac: &'a Vmac,
    base: &'a Name,
    mac: [u8; 6],
    ipv6: bool,
}

impl Wanted<'_> {
    fn speak_ipv6(&self) {
        // A kernel without IPv6 has no such setting.
        let silent = if self.ipv6 { "0" } else { "1" };
        let _ = fs::write(setting("ipv6", &self.vmac.name, "disable_ipv6"), silent);
    }
}

/// An interface that no IPv6 address belongs on speaks no IPv6: what the kernel says there by itself, reports of memberships above
/// all, would lead switches to a backup that has the same hardware address as the master.
fn speaks_ipv6(instance: &Instance, vmac: &Vmac, ipv6: bool) -> bool {
    let mut addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
    ipv6 || addresses
        .any(|address| address.address().is_ipv6() && instance.address_interface(address) == Some(&vmac.name))
}

/// Whether the kernel reports memberships of groups of the link (224.0.0.0/24).
pub(super) const LOCAL_REPORTS: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

/// The hardware address of a virtual router (RFC 9568 §7.3).
fn virtual_mac(vrid: u8, ipv6: bool) -> [u8; 6] {
    [0, 0, 0x5e, 0, if ipv6 { 2 } else { 1 }, vrid]
}

/// What the kernel calls a kind of interface.
fn kind_word(kind: VmacKind) -> &'static str {
    match kind {
        VmacKind::Macvlan => "macvlan",
        VmacKind::IpvlanBridge | VmacKind::IpvlanPrivate | VmacKind::IpvlanVepa => "ipvlan",
    }
}

/// The file of a kernel setting of an interface.
pub(super) fn setting(family: &str, interface: &str, key: &str) -> PathBuf {
    ["/proc/sys/net", family, "conf", interface, key].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_was_changed_gets_its_first_value_back() {
        let path = std::env::temp_dir().join(format!("vrrp-setting-{}", std::process::id()));
        fs::write(&path, "1\n").unwrap();
        let mut vmacs = Vmacs::default();
        let value = || fs::read_to_string(&path).unwrap();
        for wanted in ["0", "0", "2"] {
            vmacs.set(path.clone(), wanted).unwrap();
            assert_eq!(value(), wanted);
        }
        vmacs.put_back(&path).unwrap();
        assert_eq!(value(), "1\n");
        fs::write(&path, "5").unwrap();
        vmacs.put_back(&path).unwrap();
        assert_eq!(value(), "5", "it is not ours any more");
        vmacs.set(path.clone(), "5").unwrap();
        assert!(vmacs.saved.is_empty(), "nothing was changed");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_virtual_hardware_address_carries_family_and_router() {
        assert_eq!(virtual_mac(51, false), [0, 0, 0x5e, 0, 1, 51]);
        assert_eq!(virtual_mac(255, true), [0, 0, 0x5e, 0, 2, 255]);
    }
}
