//! What is sent, and when.

use std::net::IpAddr;
use std::time::Duration;

use vrrp::advert::AdvertReject;
use vrrp::event::{Admin, Datagram, InterfaceAddress, Link, NotifyState};
use vrrp::spec::{
    AdvertInterval, Auth, Instance, Password, Peer, Prefix, Transport, Version, VirtualAddress,
};
use vrrp::stats::StateKind;
use vrrp::{Input, Output};

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

fn secured() -> vrrp::Spec {
    spec(|i| i.auth = Auth::Pass(Password::new(b"secret")))
}

/// Adverts that would depose any master, were it not for one thing each.
fn invalid() -> Vec<(AdvertReject, Datagram)> {
    let ours = secured().instances[0].clone();
    let other = |change: fn(&mut Instance)| {
        let mut other = ours.clone();
        change(&mut other);
        advert_for(&other, HIGH, 255)
    };
    let broken = |change: fn(&mut Datagram)| {
        let mut datagram = advert_for(&ours, HIGH, 255);
        change(&mut datagram);
        datagram
    };
    vec![
        (AdvertReject::BadChecksum, broken(|d| d.payload[6] ^= 0xff)),
        (AdvertReject::TtlNot255, broken(|d| d.ttl = Some(254))),
        (AdvertReject::WrongPassword, other(|i| i.auth = Auth::Pass(Password::new(b"guess")))),
        (AdvertReject::WrongAuthType, other(|i| i.auth = Auth::None)),
        (AdvertReject::WrongVersion, other(|i| i.version = Version::V3)),
        (AdvertReject::IntervalMismatch, other(|i| i.advert_interval = AdvertInterval::from_secs(3))),
        (
            AdvertReject::WrongLength,
            broken(|d| {
                d.payload.truncate(8);
                d.declared_len = 8;
            }),
        ),
    ]
}

#[test]
fn no_rejected_packet_touches_the_schedule_of_a_master() {
    for (reason, bad) in invalid() {
        let mut node = Node::master(secured());
        for _ in 0..100 {
            node.input(Input::Datagram(bad.clone()));
            node.advance(ms(50));
        }
        let adverts = node.adverts();
        assert_eq!(adverts.len(), 5, "{reason:?}");
        assert!(adverts.windows(2).all(|pair| pair[1].0 - pair[0].0 == SECOND), "{reason:?}");
        assert_eq!(node.snapshot().stats.rejected(reason), 100, "{reason:?}");
    }
}

#[test]
fn no_rejected_packet_touches_the_timer_of_a_backup() {
    for (reason, bad) in invalid() {
        let mut node = Node::start(secured());
        for _ in 0..40 {
            node.input(Input::Datagram(bad.clone()));
            node.advance(ms(100));
        }
        assert_eq!(node.adverts().first().map(|(at, _)| *at), Some(us(3_609_375)), "{reason:?}");
    }
}

#[test]
fn not_even_valid_lower_adverts_delay_the_schedule() {
    let mut node = Node::master(spec(|_| ()));
    node.advance(ms(300));
    node.hear(LOW, 50);
    node.done.clear();
    node.advance(3 * SECOND);
    let phase = node.adverts()[0].0.subsec_micros();
    assert!(node.adverts().iter().all(|(at, _)| at.subsec_micros() == phase));
    assert_eq!(node.adverts().len(), 3);
}

#[test]
fn the_source_is_the_first_address_that_is_not_virtual() {
    let mut node = Node::idle(spec(|_| ()));
    node.input(Input::Link(Link::new("eth0", true)));
    for address in [VIP, OWN, HIGH] {
        node.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::host(address))));
    }
    node.admin(Admin::Start);
    assert_eq!(node.snapshot().source, Some(OWN));
    node.input(Input::AddressRemoved(InterfaceAddress::new("eth0", Prefix::host(OWN))));
    assert_eq!((node.snapshot().source, node.state()), (Some(HIGH), StateKind::Backup));
}

#[test]
fn an_owner_speaks_from_the_address_that_is_virtual_for_the_others() {
    let mut node = Node::start(spec(|i| {
        i.priority = 255;
        i.addresses = vec![VirtualAddress::new(Prefix::host(OWN))];
    }));
    assert_eq!((node.snapshot().source, node.state()), (Some(OWN), StateKind::Backup));
    node.advance(4 * SECOND);
    assert_eq!(node.adverts()[0].1, 255);
}

#[test]
fn without_any_address_left_the_master_says_goodbye_and_is_faulty() {
    let mut node = Node::master(spec(|_| ()));
    node.input(Input::AddressRemoved(InterfaceAddress::new("eth0", Prefix::host(OWN))));
    assert_eq!(node.state(), StateKind::Fault);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0, 0]);
    assert!(node.has_log("(i): entering FAULT state (no IPv4 address for interface)"));
}

#[test]
fn addresses_are_advertised_in_the_configured_order_and_compared_as_a_set() {
    let addresses: Vec<IpAddr> = [9, 3, 7].map(|last| IpAddr::from([10, 0, 10, last])).to_vec();
    let fill = |i: &mut Instance| {
        i.addresses = addresses.iter().map(|address| VirtualAddress::new(Prefix::host(*address))).collect();
    };
    let mut node = Node::start(spec(fill));
    let mut other = node.router.spec().instances[0].clone();
    other.addresses.reverse();
    node.input(Input::Datagram(advert_for(&other, HIGH, 150)));
    assert_eq!(node.snapshot().stats.address_list_mismatches, 0);
    assert_eq!(node.snapshot().addresses, addresses);
}

#[test]
fn addresses_an_advert_has_no_room_for_are_held_without_being_named() {
    let many = |i: &mut Instance| {
        i.addresses = (0..300_u16)
            .map(|n| VirtualAddress::new(Prefix::host(IpAddr::from([10, 1, (n >> 8) as u8, n as u8]))))
            .collect();
    };
    let mut node = Node::start(spec(many));
    node.done.clear();
    node.advance(4 * SECOND);
    assert_eq!(node.snapshot().addresses.len(), 255);
    let added = node.done.iter().filter(|done| matches!(done.output, Output::AddAddress(_))).count();
    assert_eq!(added, 300);
}

#[test]
fn an_advert_names_no_more_addresses_than_the_link_has_room_for() {
    let octets = |n: u8| IpAddr::from([10, 1, 0, n]);
    let many =
        spec(|i| i.addresses = (1..=40).map(|n| VirtualAddress::new(Prefix::host(octets(n)))).collect());
    let mut node = Node::idle(many);
    let mut link = Link::new("eth0", true);
    link.mtu = Some(100);
    node.input(Input::Link(link));
    node.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::new(OWN, 24))));
    node.admin(Admin::Start);
    node.done.clear();
    node.advance(4 * SECOND);
    let sent = node.transmits().remove(0).1;
    assert_eq!((sent.packet.len(), sent.payload()[3]), (100, 16));
    let added = node.done.iter().filter(|done| matches!(done.output, Output::AddAddress(_))).count();
    assert_eq!(added, 40);
}

#[test]
fn a_fault_of_a_master_is_told_twice() {
    let mut node = Node::master(spec(|_| ()));
    node.input(Input::Link(Link::new("eth0", false)));
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0, 0]);
    assert!(node.has_log("Netlink reports eth0 down"));
    assert!(node.has_log("(i) Entering FAULT STATE"));
    assert!(node.has_log("(i) sent 0 priority"));
    assert_eq!(node.notifications(), [NotifyState::Fault]);
}

#[test]
fn every_advert_is_marked_as_network_control_and_has_the_full_hop_limit() {
    for version in [Version::V2, Version::V3] {
        let mut node = Node::master(spec(|i| i.version = version));
        node.advance(SECOND);
        let (_, transmit) = node.transmits().remove(0);
        assert_eq!((transmit.ttl, transmit.tos), (255, 0xc0));
        // The header is written here: no options, TOS, TTL, protocol.
        let header = &transmit.packet[..transmit.payload_offset];
        assert_eq!((header.len(), header[0], header[1], header[8], header[9]), (20, 0x45, 0xc0, 255, 112));
    }
}

#[test]
fn a_hop_limit_for_unicast_never_becomes_zero() {
    for (ttl, expected) in [(None, 255), (Some(64), 64)] {
        let mut node = Node::master(spec(|i| {
            i.transport = Transport::unicast(vec![Peer::new(HIGH)]);
            if let Transport::Unicast { ttl: own, .. } = &mut i.transport {
                *own = ttl;
            }
        }));
        node.advance(SECOND);
        let (_, transmit) = node.transmits().remove(0);
        assert_eq!((transmit.ttl, transmit.packet[8]), (expected, expected));
    }
    // keepalived sends multicast with TTL 0 where `unicast_ttl` stands without peers; here there is no place for it.
    let mut node = Node::master(spec(|_| ()));
    node.advance(SECOND);
    assert_eq!(node.transmits()[0].1.ttl, 255);
}
