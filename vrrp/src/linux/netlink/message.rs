//! Builds the requests: what of the specification the kernel is told, and in which words.

use std::net::IpAddr;

use netlink_packet_core::DefaultNla;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope,
    CacheInfo,
};
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, IpVlanFlags, IpVlanMode, LinkAttribute, LinkFlags, LinkInfo,
    LinkMessage, MacVlanMode,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::spec::{Lifetime, RTPROT_KEEPALIVED, VirtualAddress, Vmac, VmacKind};

/// Asks for every link.
pub(in crate::linux) fn list_links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

/// Asks for every address of both families.
pub(in crate::linux) fn list_addresses() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

/// Puts an address on the interface of this index.
pub(in crate::linux) fn add_address(index: u32, address: &VirtualAddress) -> RouteNetlinkMessage {
    let mut message = base_address(index, address);
    let mut flags = AddressFlags::empty();
    flags.set(AddressFlags::Homeaddress, address.home);
    flags.set(AddressFlags::Managetempaddr, address.manage_temporary);
    flags.set(AddressFlags::Noprefixroute, address.no_prefix_route);
    flags.set(AddressFlags::Mcautojoin, address.auto_join);
    if address.address().is_ipv6() {
        flags.set(AddressFlags::Nodad, address.no_dad);
    }
    message.header.scope = AddressScope::from(address.scope);
    message.header.flags = AddressHeaderFlags::from_bits_retain(flags.bits().to_le_bytes()[0]);
    let attributes = &mut message.attributes;
    if !flags.is_empty() {
        attributes.push(AddressAttribute::Flags(flags));
    }
    attributes.extend(address.broadcast_address().map(AddressAttribute::Broadcast));
    attributes.extend(address.label.clone().map(AddressAttribute::Label));
    attributes.extend(cache_info(address).map(AddressAttribute::CacheInfo));
    // Kernels before 5.18 ignore it.
    attributes.push(AddressAttribute::Protocol(AddressProtocol::from(RTPROT_KEEPALIVED)));
    RouteNetlinkMessage::NewAddress(message)
}

/// Takes an address off the interface of this index. The prefix counts, the rest does not.
pub(in crate::linux) fn del_address(index: u32, address: &VirtualAddress) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelAddress(base_address(index, address))
}

fn base_address(index: u32, address: &VirtualAddress) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.family = family(address.address());
    // With a peer the prefix length is that of the peer's network.
    let (peer, prefix) = match address.peer {
        Some(peer) => (peer.address, peer.length),
        None => (address.address(), address.prefix.length),
    };
    message.header.prefix_len = prefix;
    message.attributes = vec![AddressAttribute::Local(address.address()), AddressAttribute::Address(peer)];
    message
}

/// Lifetimes. An IPv6 host address is deprecated from the start, so that it is not chosen as a source.
fn cache_info(address: &VirtualAddress) -> Option<CacheInfo> {
    let preferred = match address.preferred_lifetime {
        Some(Lifetime::Forever) => return None,
        Some(Lifetime::Seconds(seconds)) => seconds,
        None if address.address().is_ipv6() && address.prefix.is_host() => 0,
        None => return None,
    };
    let mut info = CacheInfo::default();
    info.ifa_preferred = preferred;
    info.ifa_valid = u32::MAX;
    Some(info)
}

/// Creates the separate interface of an instance on top of `parent`, not yet up.
pub(in crate::linux) fn add_vmac(parent: u32, vmac: &Vmac, mac: [u8; 6]) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes =
        vec![LinkAttribute::IfName(vmac.name.as_str().to_owned()), LinkAttribute::Link(parent)];
    let info = match vmac.kind {
        VmacKind::Macvlan => {
            message.attributes.push(LinkAttribute::Address(mac.to_vec()));
            vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)])),
            ]
        }
        VmacKind::IpvlanBridge => ipvlan(IpVlanFlags::empty()),
        VmacKind::IpvlanPrivate => ipvlan(IpVlanFlags::Private),
        VmacKind::IpvlanVepa => ipvlan(IpVlanFlags::Vepa),
    };
    message.attributes.push(LinkAttribute::LinkInfo(info));
    message.attributes.extend(vmac.group.map(LinkAttribute::Group));
    RouteNetlinkMessage::NewLink(message)
}

fn ipvlan(flags: IpVlanFlags) -> Vec<LinkInfo> {
    let data = vec![InfoIpVlan::Mode(IpVlanMode::L2), InfoIpVlan::Flags(flags)];
    vec![LinkInfo::Kind(InfoKind::IpVlan), LinkInfo::Data(InfoData::IpVlan(data))]
}

/// Makes the kernel give an interface no IPv6 link-local address of its own (`addr_gen_mode none`).
///
/// On a VMAC the generated one would be the same on every router of the group.
pub(in crate::linux) fn no_link_local(index: u32) -> RouteNetlinkMessage {
    const IFLA_AF_SPEC: u16 = 26;
    const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
    const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
    let mut message = LinkMessage::default();
    message.header.index = index;
    let mode = attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
    let family = attribute(libc::AF_INET6 as u16, &mode);
    message.attributes = vec![LinkAttribute::Other(DefaultNla::new(IFLA_AF_SPEC, family))];
    RouteNetlinkMessage::SetLink(message)
}

/// One attribute as octets, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(4);
    let mut octets = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// Switches an interface on.
pub(in crate::linux) fn link_up(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(message)
}

/// Deletes an interface.
pub(in crate::linux) fn del_link(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    RouteNetlinkMessage::DelLink(message)
}

pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::{Change, Messages, encode};
    use super::*;
    use crate::spec::Broadcast;
    use crate::spec::Prefix;
    use std::net::Ipv4Addr;

    fn virtual_address(text: &str, length: u8) -> VirtualAddress {
        VirtualAddress::new(Prefix::new(text.parse().unwrap(), length))
    }

    fn attributes(address: &VirtualAddress) -> Vec<AddressAttribute> {
        let RouteNetlinkMessage::NewAddress(message) = add_address(3, address) else { panic!() };
        message.attributes
    }

    #[test]
    fn the_kernel_would_read_back_what_was_written() {
        let octets = encode(add_address(3, &virtual_address("10.0.10.3", 32)), 0, 1);
        let message = Messages::new(&octets).next().unwrap();
        let Some(Change::Address(info)) = parse::change(message.kind, message.payload) else { panic!() };
        assert_eq!((info.index, info.address, info.prefix), (3, "10.0.10.3".parse().unwrap(), 32));
        assert_eq!(info.protocol, RTPROT_KEEPALIVED);
    }

    #[test]
    fn an_ipv6_host_address_is_deprecated_and_skips_duplicate_detection() {
        let mut address = virtual_address("2001:db8::3", 128);
        assert!(attributes(&address).contains(&AddressAttribute::Flags(AddressFlags::Nodad)));
        let lifetime = |address: &VirtualAddress| {
            attributes(address).iter().find_map(|attribute| match attribute {
                AddressAttribute::CacheInfo(info) => Some((info.ifa_preferred, info.ifa_valid)),
                _ => None,
            })
        };
        assert_eq!(lifetime(&address), Some((0, u32::MAX)));
        address.preferred_lifetime = Some(Lifetime::Forever);
        assert_eq!(lifetime(&address), None);
        address.preferred_lifetime = None;
        address.prefix.length = 64;
        assert_eq!(lifetime(&address), None);
    }

    #[test]
    fn broadcast_addresses_follow_from_the_prefix() {
        let with = |length, kind| {
            let mut address = virtual_address("10.0.10.3", length);
            address.broadcast = kind;
            address.broadcast_address()
        };
        assert_eq!(with(24, Broadcast::HostBitsSet), Some(Ipv4Addr::new(10, 0, 10, 255)));
        assert_eq!(with(24, Broadcast::HostBitsClear), Some(Ipv4Addr::new(10, 0, 10, 0)));
        assert_eq!(with(32, Broadcast::HostBitsSet), Some(Ipv4Addr::new(10, 0, 10, 3)));
        assert_eq!(with(0, Broadcast::HostBitsSet), Some(Ipv4Addr::BROADCAST));
        assert_eq!(with(24, Broadcast::Unset), None);
    }

    #[test]
    fn with_a_peer_the_prefix_is_the_peers() {
        let mut address = virtual_address("10.0.0.1", 32);
        address.peer = Some(Prefix::new("10.0.0.2".parse().unwrap(), 30));
        let message = base_address(3, &address);
        assert_eq!(message.header.prefix_len, 30);
        let expected = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        assert_eq!(
            message.attributes,
            [AddressAttribute::Local(expected[0]), AddressAttribute::Address(expected[1])]
        );
    }
}
