//! Addresses in one line each.

use std::fmt::Write as _;

use crate::spec::{Instance, Lifetime, VirtualAddress};

/// An address of an instance, with the interface below one that was made for it: `dev vrrp.51@eth0`.
pub(super) fn virtual_address(of: &VirtualAddress, instance: &Instance, held: bool) -> String {
    let interface = instance.address_interface(of);
    let made = interface.and_then(|name| instance.vmacs().find(|(vmac, ..)| vmac.name == *name));
    let both = made.map(|(vmac, base, _)| format!("{}@{base}", vmac.name));
    address(of, both.as_deref().or_else(|| interface.map(|name| name.as_str())), held)
}

/// `10.0.0.3/24 dev eth0 scope global set`
pub(super) fn address(address: &VirtualAddress, interface: Option<&str>, held: bool) -> String {
    let prefix = address.prefix;
    let mut line = prefix.address.to_string();
    if !prefix.is_host() {
        let _ = write!(line, "/{}", prefix.length);
    }
    if let Some(broadcast) = address.broadcast_address() {
        let _ = write!(line, " brd {broadcast}");
    }
    let _ = write!(line, " dev {}", interface.unwrap_or("(none)"));
    if address.use_vmac {
        line.push_str(" use_vmac");
    }
    let _ = write!(line, " scope {}", scope(address.scope));
    if let Some(label) = &address.label {
        let _ = write!(line, " label {label}");
    }
    if let Some(peer) = &address.peer {
        let _ = write!(line, " peer {}/{}", peer.address, peer.length);
    }
    let flags = [
        (address.home, " home"),
        (prefix.address.is_ipv6() && !address.no_dad, " -nodad"),
        (address.manage_temporary, " mngtmpaddr"),
        (address.no_prefix_route, " noprefixroute"),
        (address.auto_join, " autojoin"),
        (!address.track, " no_track"),
    ];
    flags.iter().filter(|(on, _)| *on).for_each(|(_, word)| line.push_str(word));
    if prefix.address.is_ipv6() {
        match address.preferred_lifetime {
            Some(Lifetime::Seconds(0)) => line.push_str(" deprecated"),
            Some(Lifetime::Seconds(seconds)) => {
                let _ = write!(line, " preferred_lft {seconds}");
            }
            None if prefix.is_host() => line.push_str(" deprecated"),
            Some(Lifetime::Forever) | None => line.push_str(" preferred_lft forever"),
        }
    }
    if held {
        line.push_str(" set");
    }
    line
}

fn scope(scope: u8) -> String {
    match scope {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    }
}
