//! What keepalived and FRR put on the wire, recorded (see `captures/README.md`): decoded by this crate and by `pnet_packet` to
//! the same fields, and understood by a backup of the same configuration.

mod common;

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use common::*;
use pnet_packet::Packet as _;
use pnet_packet::arp::ArpPacket;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::icmpv6::ndp::NeighborAdvertPacket;
use pnet_packet::ipv4::{self, Ipv4Packet};
use pnet_packet::ipv6::Ipv6Packet;
use vrrp::Input;
use vrrp::event::{Admin, Datagram, InterfaceAddress, Link};
use vrrp::spec::{AdvertInterval, Auth, Global, Instance, Password, Prefix, Version, VirtualAddress};
use vrrp::wire::{self, Packet};

/// The frames of a capture in the classic format, little-endian, Ethernet.
fn frames(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name);
    let bytes = fs::read(&path).expect("a readable capture");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 1), "{name} is a capture of Ethernet frames");
    let (mut at, mut found) = (24, Vec::new());
    while at < bytes.len() {
        let len = word(at + 8) as usize;
        found.push(bytes[at + 16..at + 16 + len].to_vec());
        at += 16 + len;
    }
    found
}

/// What a capture holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    adverts: usize,
    farewells: usize,
    announcements: usize,
}

impl Contents {
    fn are_of_a_whole_life(&self) {
        assert!(self.adverts > self.farewells && self.farewells > 0 && self.announcements > 0, "{self:?}");
    }
}

/// An advert field by field: ours against what the RFCs' figures say of the bytes behind the header that pnet found.
fn same_fields(datagram: &Datagram, payload: &[u8], ipv6: bool) {
    assert_eq!(datagram.payload, payload);
    let packet = Packet::new(payload, ipv6).expect("a whole packet");
    assert_eq!((packet.version(), packet.kind()), (payload[0] >> 4, payload[0] & 15));
    assert_eq!((packet.vrid(), packet.priority(), packet.count()), (payload[1], payload[2], payload[3]));
    assert_eq!(packet.checksum(), u16::from_be_bytes([payload[6], payload[7]]));
    match packet.version() {
        2 => assert_eq!((packet.auth_type(), packet.interval_secs()), (payload[4], payload[5])),
        _ => assert_eq!(packet.interval_centis(), u16::from_be_bytes([payload[4] & 15, payload[5]])),
    }
    let size = if ipv6 { 16 } else { 4 };
    let octets = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let addresses: Vec<u8> = packet.addresses().flat_map(octets).collect();
    assert_eq!(addresses, payload[8..8 + size * usize::from(payload[3])]);
}

/// Decodes a capture with both and gives its adverts to a backup, which must accept each.
fn replay(name: &str, mut backup: Node) -> Contents {
    let mut contents = Contents::default();
    for frame in frames(name) {
        let ethernet = EthernetPacket::new(&frame).expect("an Ethernet frame");
        let datagram = match ethernet.get_ethertype() {
            EtherTypes::Arp => {
                let arp = ArpPacket::new(ethernet.payload()).expect("an ARP packet");
                let theirs = (arp.get_sender_proto_addr(), <[u8; 6]>::from(arp.get_sender_hw_addr()));
                assert_eq!(wire::arp::claim(&frame), Some(theirs));
                contents.announcements += 1;
                continue;
            }
            EtherTypes::Ipv4 => {
                let ip = Ipv4Packet::new(ethernet.payload()).expect("an IPv4 packet");
                assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
                let whole = &ethernet.payload()[..usize::from(ip.get_total_length())];
                let ours = Datagram::from_ipv4("eth0", whole).expect("an IPv4 packet");
                assert_eq!(
                    (ours.source, ours.destination),
                    (ip.get_source().into(), ip.get_destination().into())
                );
                assert_eq!((ours.ttl, ours.protocol), (Some(ip.get_ttl()), ip.get_next_level_protocol().0));
                same_fields(&ours, ip.payload(), false);
                ours
            }
            EtherTypes::Ipv6 => {
                let ip = Ipv6Packet::new(ethernet.payload()).expect("an IPv6 packet");
                if ip.get_next_header().0 == 58 {
                    let advert = NeighborAdvertPacket::new(ip.payload()).expect("a neighbour advertisement");
                    let claimed = wire::ndisc::claim(&frame).map(|(address, _)| address);
                    assert_eq!(claimed, Some(advert.get_target_addr()));
                    contents.announcements += 1;
                    continue;
                }
                let (source, destination) = (ip.get_source().into(), ip.get_destination().into());
                let payload = ip.payload().to_vec();
                let ours = Datagram::new("eth0", source, destination, Some(ip.get_hop_limit()), payload);
                same_fields(&ours, ip.payload(), true);
                ours
            }
            other => panic!("{other} in {name}"),
        };
        contents.farewells += usize::from(datagram.payload[2] == 0);
        contents.adverts += 1;
        backup.input(Input::Datagram(datagram));
    }
    let stats = backup.snapshot().stats;
    assert_eq!((stats.rejected_total(), stats.adverts_received), (0, contents.adverts as u64), "{name}");
    assert_eq!(stats.address_list_mismatches, 0, "{name}");
    contents
}

/// A backup of the instance that was recorded.
fn listener(version: Version, addresses: &[&str], change: impl FnOnce(&mut Instance)) -> Node {
    let mut spec = vrrp::Spec::new();
    let mut instance = Instance::new("i", 51, &Global::default());
    instance.interface = Some("eth0".into());
    instance.version = version;
    if version == Version::V3 {
        instance.advert_interval = AdvertInterval::from_centis(10);
    }
    if addresses[0].contains(':') {
        instance = instance.over_ipv6(&Global::default());
    }
    let address = |text: &&str| VirtualAddress::new(Prefix::host(ip(text)));
    instance.addresses = addresses.iter().map(address).collect();
    change(&mut instance);
    spec.instances.push(instance);
    let mut node = Node::idle(spec);
    node.input(Input::Link(Link::new("eth0", true)));
    for own in ["10.99.0.77", "fe80::77"] {
        node.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::new(ip(own), 24))));
    }
    node.admin(Admin::Start);
    node
}

#[test]
fn keepalived_version_2_with_a_password() {
    let node = listener(Version::V2, &["10.99.0.200"], |i| i.auth = Auth::Pass(Password::new(b"secret")));
    let contents = replay("keepalived-v2.pcap", node);
    contents.are_of_a_whole_life();
}

#[test]
fn keepalived_version_3() {
    let contents = replay("keepalived-v3.pcap", listener(Version::V3, &["10.99.0.200"], |_| {}));
    contents.are_of_a_whole_life();
}

#[test]
fn keepalived_version_3_over_ipv6() {
    let node = listener(Version::V3, &["fe80::200", "2001:db8:99::200"], |_| {});
    let contents = replay("keepalived-v3-ipv6.pcap", node);
    assert!(contents.adverts > 0 && contents.announcements > 0, "{contents:?}");
}

#[test]
fn frr_version_2() {
    let contents = replay("frr-v2.pcap", listener(Version::V2, &["10.99.0.200"], |_| {}));
    contents.are_of_a_whole_life();
}

#[test]
fn frr_version_3() {
    let contents = replay("frr-v3.pcap", listener(Version::V3, &["10.99.0.200"], |_| {}));
    contents.are_of_a_whole_life();
}
