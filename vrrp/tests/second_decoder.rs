//! What is sent, decoded by somebody else: `pnet_packet` for Ethernet, IP, ARP and neighbour discovery, and a few
//! lines written from the RFCs for VRRP, which that crate does not know.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use common::*;
use pnet_packet::Packet as _;
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket};
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::icmpv6::ndp::{NdpOptionTypes, NeighborAdvertPacket};
use pnet_packet::ip::IpNextHeaderProtocol;
use pnet_packet::ipv4::{self, Ipv4Packet};
use pnet_packet::ipv6::Ipv6Packet;
use vrrp::Input;
use vrrp::event::{Admin, InterfaceAddress, Link};
use vrrp::spec::{Auth, ChecksumV3, Global, Password, Prefix, Version, VirtualAddress};
use vrrp::wire;

/// A VRRP packet, read field by field after the figures of RFC 3768 §5.1 and RFC 9568 §5.1.
#[derive(Debug, PartialEq)]
struct Decoded {
    version: u8,
    kind: u8,
    vrid: u8,
    priority: u8,
    rest: u16,
    addresses: Vec<IpAddr>,
    trailer: Vec<u8>,
}

fn decode(bytes: &[u8], ipv6: bool) -> Decoded {
    let count = usize::from(bytes[3]);
    let size = if ipv6 { 16 } else { 4 };
    let addresses = (0..count)
        .map(|n| &bytes[8 + n * size..8 + (n + 1) * size])
        .map(|b| match b.len() {
            4 => IpAddr::V4(Ipv4Addr::new(b[0], b[1], b[2], b[3])),
            _ => {
                let words: Vec<u16> = b.chunks(2).map(|w| u16::from(w[0]) << 8 | u16::from(w[1])).collect();
                let [a, b, c, d, e, f, g, h] = words.try_into().expect("sixteen bytes are eight words");
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
            }
        })
        .collect();
    Decoded {
        version: bytes[0] >> 4,
        kind: bytes[0] & 15,
        vrid: bytes[1],
        priority: bytes[2],
        rest: u16::from(bytes[4]) << 8 | u16::from(bytes[5]),
        addresses,
        trailer: bytes[8 + count * size..].to_vec(),
    }
}

/// The checksum as pnet computes it, over the packet with its checksum skipped.
fn checksum_of(bytes: &[u8]) -> u16 {
    pnet_packet::util::checksum(bytes, 3)
}

fn stored(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[6], bytes[7]])
}

fn first_advert(spec: vrrp::Spec) -> vrrp::event::Transmit {
    let mut node = Node::start(spec);
    node.advance(Duration::from_secs(5));
    node.transmits().remove(0).1
}

#[test]
fn version_2_over_ipv4() {
    let sent = first_advert(spec(|i| i.auth = Auth::Pass(Password::new(b"SOMEPASSWORD"))));
    let ip = Ipv4Packet::new(&sent.packet).unwrap();
    assert_eq!((ip.get_version(), ip.get_header_length(), ip.get_ttl()), (4, 5, 255));
    assert_eq!(ip.get_next_level_protocol(), IpNextHeaderProtocol(112));
    assert_eq!(usize::from(ip.get_total_length()), sent.packet.len());
    assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
    assert_eq!((ip.get_dscp(), ip.get_ecn(), ip.get_flags()), (0x30, 0, 0));
    assert_eq!((IpAddr::V4(ip.get_source()), IpAddr::V4(ip.get_destination())), (OWN, GROUP));
    assert_eq!(
        decode(ip.payload(), false),
        Decoded {
            version: 2,
            kind: 1,
            vrid: 50,
            priority: 100,
            rest: 0x0101,
            addresses: vec![VIP],
            trailer: b"SOMEPASS".to_vec(),
        }
    );
    assert_eq!(stored(ip.payload()), checksum_of(ip.payload()));
}

#[test]
fn version_3_over_ipv4_with_and_without_pseudo_header() {
    for choice in [ChecksumV3::PseudoHeader, ChecksumV3::PacketOnly] {
        let sent = first_advert(spec(|i| (i.version, i.v3_checksum) = (Version::V3, choice)));
        let ip = Ipv4Packet::new(&sent.packet).unwrap();
        let (source, destination) = (ip.get_source(), ip.get_destination());
        let protocol = IpNextHeaderProtocol(112);
        let expected = match choice {
            ChecksumV3::PseudoHeader => {
                pnet_packet::util::ipv4_checksum(ip.payload(), 3, &[], &source, &destination, protocol)
            }
            _ => checksum_of(ip.payload()),
        };
        assert_eq!(stored(ip.payload()), expected);
        let decoded = decode(ip.payload(), false);
        assert_eq!((decoded.version, decoded.rest, decoded.trailer), (3, 100, vec![]));
    }
}

#[test]
fn version_3_over_ipv6() {
    let global = Global::default();
    let vip: IpAddr = "2001:db8::3".parse().unwrap();
    let mut spec = vrrp::Spec::new();
    let mut instance = vrrp::spec::Instance::new("i", 50, &global).over_ipv6(&global);
    instance.interface = Some("eth0".into());
    instance.addresses.push(VirtualAddress::new(Prefix::host(vip)));
    spec.instances.push(instance);
    let mut node = Node::idle(spec);
    node.input(Input::Link(Link::new("eth0", true)));
    for address in ["2001:db8::12", "fe80::12"] {
        let prefix = Prefix::new(address.parse().unwrap(), 64);
        node.input(Input::AddressAdded(InterfaceAddress::new("eth0", prefix)));
    }
    node.admin(Admin::Start);
    node.advance(Duration::from_secs(5));
    let sent = node.transmits().remove(0).1;
    let ip = Ipv6Packet::new(&sent.packet).unwrap();
    assert_eq!((ip.get_version(), ip.get_traffic_class(), ip.get_hop_limit()), (6, 0xc0, 255));
    assert_eq!(ip.get_next_header(), IpNextHeaderProtocol(112));
    assert_eq!(usize::from(ip.get_payload_length()), ip.payload().len());
    assert_eq!(ip.get_source(), "fe80::12".parse::<Ipv6Addr>().unwrap());
    assert_eq!(ip.get_destination(), "ff02::12".parse::<Ipv6Addr>().unwrap());
    let expected = pnet_packet::util::ipv6_checksum(
        ip.payload(),
        3,
        &[],
        &ip.get_source(),
        &ip.get_destination(),
        IpNextHeaderProtocol(112),
    );
    assert_eq!(stored(ip.payload()), expected);
    assert_eq!(decode(ip.payload(), true).addresses, [vip]);
}

#[test]
fn an_authentication_header() {
    let sent = first_advert(spec(|i| i.auth = Auth::Ah(Password::new(b"secret"))));
    let ip = Ipv4Packet::new(&sent.packet).unwrap();
    assert_eq!(ip.get_next_level_protocol(), IpNextHeaderProtocol(51));
    assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
    let ah = ip.payload();
    // Next header, length in words less two, index, sequence.
    assert_eq!((ah[0], ah[1], &ah[4..8], &ah[8..12]), (112, 4, &[10, 0, 10, 12][..], &[0, 0, 0, 1][..]));
    assert_eq!(decode(&ah[24..], false).rest, 0x0201);
}

#[test]
fn gratuitous_arp() {
    let mac = [2, 0, 0, 0, 0, 7];
    let vip = Ipv4Addr::new(10, 0, 10, 3);
    let frame = wire::arp::gratuitous(mac, vip);
    let ethernet = EthernetPacket::new(&frame).unwrap();
    assert_eq!(ethernet.get_ethertype(), EtherTypes::Arp);
    assert!(ethernet.get_destination().is_broadcast());
    let arp = ArpPacket::new(ethernet.payload()).unwrap();
    assert_eq!(arp.get_hardware_type(), ArpHardwareTypes::Ethernet);
    assert_eq!((arp.get_protocol_type(), arp.get_operation()), (EtherTypes::Ipv4, ArpOperations::Request));
    assert_eq!((arp.get_sender_proto_addr(), arp.get_target_proto_addr()), (vip, vip));
    assert_eq!(<[u8; 6]>::from(arp.get_sender_hw_addr()), mac);
    assert!(arp.get_target_hw_addr().is_broadcast());
}

#[test]
fn unsolicited_neighbour_advertisement() {
    let mac = [2, 0, 0, 0, 0, 7];
    let vip: Ipv6Addr = "2001:db8::3".parse().unwrap();
    for router in [false, true] {
        let frame = wire::ndisc::unsolicited(mac, vip, router);
        let ethernet = EthernetPacket::new(&frame).unwrap();
        assert_eq!(ethernet.get_ethertype(), EtherTypes::Ipv6);
        assert_eq!(<[u8; 6]>::from(ethernet.get_destination()), [0x33, 0x33, 0, 0, 0, 1]);
        let ip = Ipv6Packet::new(ethernet.payload()).unwrap();
        assert_eq!((ip.get_hop_limit(), ip.get_traffic_class(), ip.get_flow_label()), (255, 0, 0));
        assert_eq!((ip.get_source(), ip.get_destination()), (vip, "ff02::1".parse().unwrap()));
        let advert = NeighborAdvertPacket::new(ip.payload()).unwrap();
        assert_eq!((advert.get_icmpv6_type().0, advert.get_icmpv6_code().0), (136, 0));
        assert_eq!(advert.get_flags(), if router { 0xa0 } else { 0x20 }, "override, not solicited");
        assert_eq!(advert.get_target_addr(), vip);
        let options = advert.get_options();
        assert_eq!(
            (options[0].option_type, options[0].data.as_slice()),
            (NdpOptionTypes::TargetLLAddr, &mac[..])
        );
        let icmp = pnet_packet::icmpv6::Icmpv6Packet::new(ip.payload()).unwrap();
        assert_eq!(
            icmp.get_checksum(),
            pnet_packet::icmpv6::checksum(&icmp, &ip.get_source(), &ip.get_destination())
        );
    }
}

#[test]
fn the_hardware_addresses_of_virtual_routers() {
    assert_eq!(wire::virtual_mac(50, false), [0, 0, 0x5e, 0, 1, 50]);
    assert_eq!(wire::virtual_mac(50, true), [0, 0, 0x5e, 0, 2, 50]);
}
