//! What is heard.

use std::net::IpAddr;
use std::time::Duration;

use vrrp::advert::AdvertReject;
use vrrp::event::{Datagram, Link};
use vrrp::spec::{Auth, Password, Peer, Prefix, Transport, VirtualAddress, Weight};
use vrrp::stats::StateKind;
use vrrp::{Input, Output};

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn foreign_addresses_in_an_advert_are_told_once_counted_and_accepted() {
    let mut node = Node::start(spec(|_| ()));
    let mut other = node.router.spec().instances[0].clone();
    other.addresses = vec![VirtualAddress::new(Prefix::host(HIGH))];
    for _ in 0..3 {
        node.input(Input::Datagram(advert_for(&other, HIGH, 150)));
    }
    let text = "(i) ip address associated with VRID 50 not present in advert from 10.0.10.13: 10.0.10.3";
    assert_eq!(node.logs().iter().filter(|log| *log == text).count(), 1);
    assert_eq!(node.snapshot().stats.address_list_mismatches, 3);
    assert_eq!(node.snapshot().master, Some((HIGH, 150)));
}

#[test]
fn strict_conformance_rejects_foreign_addresses() {
    let mut node = Node::start(spec(|i| i.strict = true));
    let mut other = node.router.spec().instances[0].clone();
    other.addresses.clear();
    node.input(Input::Datagram(advert_for(&other, HIGH, 150)));
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::AddressListMismatch), 1);
}

#[test]
fn unknown_virtual_routers_are_counted_and_told_only_on_demand() {
    for (told, lines) in [(false, 0), (true, 1)] {
        let mut spec = spec(|_| ());
        spec.global.log_unknown_vrids = told;
        let mut node = Node::start(spec);
        node.done.clear();
        let mut other = node.router.spec().instances[0].clone();
        other.vrid = 51;
        for _ in 0..3 {
            node.input(Input::Datagram(advert_for(&other, HIGH, 150)));
        }
        assert_eq!(node.logs().len(), lines);
        assert_eq!(node.router.snapshot(node.now).unknown_vrids, 3);
    }
}

#[test]
fn nothing_is_heard_in_fault() {
    let mut node = Node::start(spec(|_| ()));
    node.input(Input::Link(Link::new("eth0", false)));
    node.hear(HIGH, 150);
    assert_eq!(node.snapshot().stats.adverts_received, 0);
}

#[test]
fn nothing_is_heard_before_a_check_has_said_whether_there_is_a_fault() {
    let mut node = Node::start(with_script(Weight::FAULT, |_| ()));
    node.hear(HIGH, 150);
    assert_eq!((node.state(), node.snapshot().stats.adverts_received), (StateKind::Init, 0));
    node.script(0);
    node.hear(HIGH, 150);
    assert_eq!(node.snapshot().stats.adverts_received, 1);
}

#[test]
fn an_advert_on_another_interface_is_for_another_router() {
    let mut node = Node::start(spec(|_| ()));
    let mut datagram = node.advert(HIGH, 150);
    datagram.interface = "eth1".into();
    node.input(Input::Datagram(datagram));
    assert_eq!(node.snapshot().stats.adverts_received, 0);
    assert_eq!(node.router.snapshot(node.now).unknown_vrids, 1);
}

/// What the operator reads should name what is wrong first of all: a packet of another version has no password.
#[test]
fn of_several_broken_rules_the_first_in_order_is_the_reason() {
    type Break = fn(&mut Datagram);
    let rules: [(AdvertReject, Break); 10] = [
        (AdvertReject::WrongLength, |d| {
            d.payload.extend([0; 40]);
            d.declared_len += 40;
        }),
        (AdvertReject::TtlNot255, |d| d.ttl = Some(254)),
        (AdvertReject::WrongVersion, |d| d.payload[0] = d.payload[0] & 15 | 0x10),
        (AdvertReject::UnknownAuthType, |d| d.payload[4] = 9),
        (AdvertReject::WrongPassword, |d| d.payload[19] ^= 1),
        (AdvertReject::IntervalMismatch, |d| d.payload[5] = 7),
        (AdvertReject::NotAdvertisement, |d| d.payload[0] = d.payload[0] & 0xf0 | 2),
        (AdvertReject::IpLengthMismatch, |d| d.declared_len += 1),
        (AdvertReject::BadChecksum, |d| d.payload[7] ^= 0x55),
        (AdvertReject::ExpectedMulticast, |d| d.destination = OWN),
    ];
    for first in 0..rules.len() {
        let mut node = Node::master(spec(|i| i.auth = Auth::Pass(Password::new(b"secret"))));
        let mut datagram = node.advert(HIGH, 150);
        for (_, break_it) in &rules[first..] {
            break_it(&mut datagram);
        }
        node.input(Input::Datagram(datagram));
        let stats = node.snapshot().stats;
        assert_eq!((stats.rejected(rules[first].0), stats.rejected_total()), (1, 1), "{:?}", rules[first].0);
    }
}

#[test]
fn unicast_adverts_may_come_through_routers_unless_bounds_are_set() {
    let unicast = |peer: Peer| spec(move |i| i.transport = Transport::unicast(vec![peer]));
    let mut bounded = Peer::new(HIGH);
    bounded.min_ttl = Some(62);
    for (peer, received) in [(Peer::new(HIGH), 1), (bounded, 0)] {
        let mut node = Node::start(unicast(peer));
        let mut datagram = node.advert(HIGH, 150);
        datagram.ttl = Some(61);
        node.input(Input::Datagram(datagram));
        assert_eq!(node.snapshot().stats.adverts_received, received);
    }
}

#[test]
fn leaving_a_fault_in_unicast_mode_freshens_the_peers() {
    let mut node = Node::start(spec(|i| i.transport = Transport::unicast(vec![Peer::new(HIGH)])));
    node.input(Input::Link(Link::new("eth0", false)));
    node.done.clear();
    node.input(Input::Link(Link::new("eth0", true)));
    let announced: Vec<IpAddr> = node
        .done
        .iter()
        .filter_map(|done| match &done.output {
            Output::Garp(announcement) => Some(announcement.address),
            _ => None,
        })
        .collect();
    assert_eq!(announced, [OWN]);
}

#[test]
fn unicast_speaks_to_every_peer() {
    let mut node =
        Node::master(spec(|i| i.transport = Transport::unicast(vec![Peer::new(HIGH), Peer::new(LOW)])));
    node.advance(SECOND);
    let to: Vec<IpAddr> = node.transmits().iter().map(|(_, transmit)| transmit.destination).collect();
    assert_eq!(to, [HIGH, LOW]);
}

#[test]
fn routers_that_share_a_socket_hear_each_its_own_identifier() {
    let mut both = spec(|_| ());
    let mut second = both.instances[0].clone();
    (second.name, second.vrid) = ("j".into(), 51);
    second.addresses = vec![VirtualAddress::new(Prefix::host(ip("10.0.10.4")))];
    both.instances.push(second.clone());
    let mut node = Node::start(both);
    node.hear(HIGH, 150);
    let heard = |node: &Node| {
        let snapshot = node.router.snapshot(node.now);
        snapshot.instances.iter().map(|instance| instance.stats.adverts_received).collect::<Vec<_>>()
    };
    assert_eq!(heard(&node), [1, 0]);
    // However many adverts for one are read at once, those for the other count as well.
    for _ in 0..3 {
        for _ in 0..500 {
            node.hear(HIGH, 150);
        }
        node.input(Input::Datagram(advert_for(&second, HIGH, 150)));
        node.advance(3 * SECOND);
    }
    assert_eq!(heard(&node), [1501, 3]);
    assert!(node.adverts().is_empty(), "both stay backups");
}
