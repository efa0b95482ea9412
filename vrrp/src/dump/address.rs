//! Addresses in one line each.

use std::fmt::Write as _;

use crate::spec::{Lifetime, Name, VirtualAddress};

/// `10.0.0.3/24 dev eth0 scope global set`
pub(super) fn address(address: &VirtualAddress, interface: Option<&Name>, held: bool) -> String {
    let prefix = address.prefix;
    let mut line = prefix.address.to_string();
    if !prefix.is_host() {
        let _ = write!(line, "/{}", prefix.length);
    }
    if let Some(broadcast) = address.broadcast_address() {
        let _ = write!(line, " brd {broadcast}");
    }
    let interface = interface.map_or("(none)", |name| name.as_str());
    let _ = write!(line, " dev {interface}");
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
