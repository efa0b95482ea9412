//! Reads link and address messages, taking only what the driver needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::NlasIterator;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_DELROUTE: u16 = 25;
const RTM_DELRULE: u16 = 33;

/// Something that is so, or that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::linux) enum Change {
    /// A link exists, perhaps with new properties.
    Link(LinkInfo),
    /// A link is gone.
    LinkGone {
        /// Its index.
        index: u32,
    },
    /// An address exists.
    Address(AddressInfo),
    /// An address is gone.
    AddressGone(AddressInfo),
    /// A route is gone.
    RouteGone(RouteInfo),
    /// A policy rule is gone.
    RuleGone(RuleInfo),
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::linux) struct LinkInfo {
    pub(in crate::linux) index: u32,
    pub(in crate::linux) name: String,
    /// Administratively up and with carrier.
    pub(in crate::linux) running: bool,
    /// Administratively up.
    pub(in crate::linux) enabled: bool,
    /// The Ethernet address, if it has one.
    pub(in crate::linux) mac: Option<[u8; 6]>,
    /// The kind of hardware (`ARPHRD_*`).
    pub(in crate::linux) hardware: u16,
    pub(in crate::linux) mtu: u32,
    /// The lower link of a stacked interface.
    pub(in crate::linux) parent: Option<u32>,
    /// Kind of a virtual link: `macvlan`, `vlan`, `veth` …
    pub(in crate::linux) kind: Option<String>,
    /// The routing table of a VRF.
    pub(in crate::linux) vrf_table: Option<u32>,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::linux) struct AddressInfo {
    pub(in crate::linux) index: u32,
    pub(in crate::linux) address: IpAddr,
    pub(in crate::linux) prefix: u8,
    pub(in crate::linux) flags: u32,
    /// Who set it (`IFA_PROTO`).
    pub(in crate::linux) protocol: u8,
}

/// What identifies a route well enough to find it among our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linux) struct RouteInfo {
    pub(in crate::linux) destination: IpAddr,
    pub(in crate::linux) prefix: u8,
    pub(in crate::linux) table: u32,
}

/// What identifies a policy rule well enough to find it among our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linux) struct RuleInfo {
    pub(in crate::linux) ipv6: bool,
    pub(in crate::linux) from: Option<(IpAddr, u8)>,
    pub(in crate::linux) to: Option<(IpAddr, u8)>,
    pub(in crate::linux) table: u32,
    pub(in crate::linux) priority: u32,
}

/// Reads a message by its type. Other types, and messages cut short, give nothing.
pub(super) fn change(kind: u16, payload: &[u8]) -> Option<Change> {
    match kind {
        RTM_NEWLINK => link(payload).map(Change::Link),
        RTM_DELLINK => link(payload).map(|link| Change::LinkGone { index: link.index }),
        RTM_NEWADDR => address(payload).map(Change::Address),
        RTM_DELADDR => address(payload).map(Change::AddressGone),
        RTM_DELROUTE => route(payload).map(Change::RouteGone),
        RTM_DELRULE => rule(payload).map(Change::RuleGone),
        _ => None,
    }
}

/// Calls back with kind and value of each attribute that fits.
fn attributes(octets: &[u8], mut each: impl FnMut(u16, &[u8])) {
    for attribute in NlasIterator::new(octets).map_while(Result::ok) {
        each(attribute.kind(), attribute.value());
    }
}

fn link(payload: &[u8]) -> Option<LinkInfo> {
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MTU: u16 = 4;
    const IFLA_LINK: u16 = 5;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    const RUNNING: u32 = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
    let header = payload.first_chunk::<16>()?;
    // A bridge reports its ports a second time under its own family, with other contents.
    if header[0] != libc::AF_UNSPEC as u8 {
        return None;
    }
    let flags = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
    let mut link = LinkInfo {
        index: u32::from_ne_bytes([header[4], header[5], header[6], header[7]]),
        hardware: u16::from_ne_bytes([header[2], header[3]]),
        running: flags & RUNNING == RUNNING,
        enabled: flags & libc::IFF_UP as u32 != 0,
        ..LinkInfo::default()
    };
    attributes(&payload[16..], |kind, value| match kind {
        IFLA_ADDRESS => link.mac = value.try_into().ok(),
        IFLA_IFNAME => link.name = text(value),
        IFLA_MTU => link.mtu = number(value).unwrap_or(0),
        IFLA_LINK => link.parent = number(value),
        // The kernel names the kind before it describes it.
        IFLA_LINKINFO => attributes(value, |kind, value| match kind {
            IFLA_INFO_KIND => link.kind = Some(text(value)),
            IFLA_INFO_DATA if link.kind.as_deref() == Some("vrf") => link.vrf_table = vrf_table(value),
            _ => {}
        }),
        _ => {}
    });
    Some(link)
}

fn vrf_table(data: &[u8]) -> Option<u32> {
    const IFLA_VRF_TABLE: u16 = 1;
    let mut table = None;
    attributes(data, |kind, value| {
        if kind == IFLA_VRF_TABLE {
            table = number(value);
        }
    });
    table
}

fn address(payload: &[u8]) -> Option<AddressInfo> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const IFA_FLAGS: u16 = 8;
    const IFA_PROTO: u16 = 11;
    let header = payload.first_chunk::<8>()?;
    let mut flags = u32::from(header[2]);
    let (mut address, mut local, mut protocol) = (None, None, 0);
    attributes(&payload[8..], |kind, value| match kind {
        IFA_ADDRESS => address = ip(value),
        IFA_LOCAL => local = ip(value),
        IFA_FLAGS => flags = number(value).unwrap_or(flags),
        IFA_PROTO => protocol = value.first().copied().unwrap_or(0),
        _ => {}
    });
    Some(AddressInfo {
        index: u32::from_ne_bytes([header[4], header[5], header[6], header[7]]),
        // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; without, IPv6 sends no IFA_LOCAL.
        address: local.or(address)?,
        prefix: header[1],
        flags,
        protocol,
    })
}

fn route(payload: &[u8]) -> Option<RouteInfo> {
    const RTA_DST: u16 = 1;
    const RTA_TABLE: u16 = 15;
    let header = payload.first_chunk::<12>()?;
    let ipv6 = i32::from(header[0]) == libc::AF_INET6;
    let mut destination =
        if ipv6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    let mut table = u32::from(header[4]);
    attributes(&payload[12..], |kind, value| match kind {
        RTA_DST => destination = ip(value).unwrap_or(destination),
        RTA_TABLE => table = number(value).unwrap_or(table),
        _ => {}
    });
    Some(RouteInfo { destination, prefix: header[1], table })
}

fn rule(payload: &[u8]) -> Option<RuleInfo> {
    const FRA_DST: u16 = 1;
    const FRA_SRC: u16 = 2;
    const FRA_PRIORITY: u16 = 6;
    const FRA_TABLE: u16 = 15;
    let header = payload.first_chunk::<12>()?;
    let mut rule = RuleInfo {
        ipv6: i32::from(header[0]) == libc::AF_INET6,
        from: None,
        to: None,
        table: u32::from(header[4]),
        priority: 0,
    };
    attributes(&payload[12..], |kind, value| match kind {
        FRA_DST => rule.to = ip(value).map(|address| (address, header[1])),
        FRA_SRC => rule.from = ip(value).map(|address| (address, header[2])),
        FRA_PRIORITY => rule.priority = number(value).unwrap_or(0),
        FRA_TABLE => rule.table = number(value).unwrap_or(rule.table),
        _ => {}
    });
    Some(rule)
}

fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk::<4>().map(|octets| u32::from_ne_bytes(*octets))
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|octet| *octet == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(IpAddr::V4(Ipv4Addr::from(octets)));
    }
    <[u8; 16]>::try_from(value).ok().map(|octets| IpAddr::V6(Ipv6Addr::from(octets)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut out = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
        out.extend(kind.to_ne_bytes());
        out.extend(value);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    fn link_message(flags: u32) -> Vec<u8> {
        let mut out = vec![0, 0, 1, 0];
        out.extend(7_u32.to_ne_bytes());
        out.extend(flags.to_ne_bytes());
        out.extend(0_u32.to_ne_bytes());
        out.extend(attribute(3, b"vrrp.51\0"));
        out.extend(attribute(1, &[0, 0, 0x5e, 0, 1, 51]));
        out.extend(attribute(4, &1500_u32.to_ne_bytes()));
        out.extend(attribute(5, &2_u32.to_ne_bytes()));
        out.extend(attribute(0x8000 | 18, &attribute(1, b"macvlan\0")));
        out
    }

    #[test]
    fn a_link_is_read_with_its_kind_and_parent() {
        let Some(Change::Link(link)) = change(RTM_NEWLINK, &link_message(0x1 | 0x40)) else { panic!() };
        let expected = LinkInfo {
            index: 7,
            name: "vrrp.51".into(),
            running: true,
            enabled: true,
            mac: Some([0, 0, 0x5e, 0, 1, 51]),
            mtu: 1500,
            hardware: 1,
            parent: Some(2),
            kind: Some("macvlan".into()),
            vrf_table: None,
        };
        assert_eq!(link, expected);
    }

    #[test]
    fn a_vrf_is_read_with_its_table_and_nothing_else_is_one() {
        let of_kind = |kind: &[u8]| {
            let mut out = vec![0; 16];
            let data = attribute(0x8000 | 2, &attribute(1, &1010_u32.to_ne_bytes()));
            out.extend(attribute(0x8000 | 18, &[attribute(1, kind), data].concat()));
            let Some(Change::Link(link)) = change(RTM_NEWLINK, &out) else { panic!() };
            link.vrf_table
        };
        assert_eq!(of_kind(b"vrf\0"), Some(1010));
        assert_eq!(of_kind(b"macvlan\0"), None);
    }

    #[test]
    fn up_without_carrier_is_not_running() {
        for flags in [0, 0x1, 0x40] {
            let Some(Change::Link(link)) = change(RTM_NEWLINK, &link_message(flags)) else { panic!() };
            assert!(!link.running, "flags {flags:#x}");
        }
    }

    #[test]
    fn the_own_address_of_a_point_to_point_link_is_the_local_one() {
        let mut octets = vec![2, 32, 0, 0];
        octets.extend(3_u32.to_ne_bytes());
        octets.extend(attribute(1, &[10, 0, 0, 2]));
        octets.extend(attribute(2, &[10, 0, 0, 1]));
        octets.extend(attribute(11, &[18]));
        let Some(Change::Address(address)) = change(RTM_NEWADDR, &octets) else { panic!() };
        assert_eq!((address.address, address.protocol), ("10.0.0.1".parse().unwrap(), 18));
    }

    #[test]
    fn messages_cut_short_are_harmless() {
        let octets = link_message(0x41);
        for cut in 0..octets.len() {
            change(RTM_NEWLINK, &octets[..cut]);
            change(RTM_NEWADDR, &octets[..cut]);
        }
        assert_eq!(change(RTM_NEWADDR, &[2, 32, 0, 0, 1, 0, 0, 0]), None);
    }
}
