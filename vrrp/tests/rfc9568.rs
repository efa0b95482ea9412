//! Version 3, section by section.

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::*;
use vrrp::advert::AdvertReject;
use vrrp::event::{Admin, Datagram, InterfaceAddress, Link};
use vrrp::spec::{
    AdvertInterval, Global, Instance, Peer, Preempt, Prefix, Transport, Version, VirtualAddress,
};
use vrrp::stats::StateKind;
use vrrp::wire::checksum::Sum;
use vrrp::wire::v3;
use vrrp::{Input, Output};

const SECOND: Duration = Duration::from_secs(1);

fn version_3(centis: u16) -> vrrp::Spec {
    spec(|i| (i.version, i.advert_interval) = (Version::V3, AdvertInterval::from_centis(centis)))
}

fn spoken(priority: u8, interval: u16, pseudo: bool) -> Datagram {
    let mut payload = Vec::new();
    v3::Repr { vrid: 50, priority, interval, addresses: &[VIP] }
        .emit(pseudo.then_some((HIGH, GROUP)), &mut payload);
    Datagram::new("eth0", HIGH, GROUP, Some(255), payload)
}

fn ipv6() -> Node {
    let global = Global::default();
    let mut spec = vrrp::Spec::new();
    let mut instance = Instance::new("i", 50, &global).over_ipv6(&global);
    instance.interface = Some("eth0".into());
    instance.addresses.push(VirtualAddress::new(Prefix::host(ip("fe80::3"))));
    spec.instances.push(instance);
    let mut node = Node::idle(spec);
    node.input(Input::Link(Link::new("eth0", true)));
    node.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::new(ip("fe80::12"), 64))));
    node.admin(Admin::Start);
    node
}

/// §5.2.8: over the VRRP message alone; RFC 5798 was read as demanding a pseudo-header for IPv4, too.
#[test]
fn both_readings_of_the_ipv4_checksum_are_understood() {
    for pseudo in [true, false] {
        let mut node = Node::start(version_3(100));
        node.input(Input::Datagram(spoken(150, 100, pseudo)));
        assert_eq!(node.snapshot().stats.adverts_received, 1);
    }
}

#[test]
fn a_checksum_that_fits_neither_reading_is_wrong() {
    let mut node = Node::start(version_3(100));
    let mut datagram = spoken(150, 100, true);
    datagram.source = LOW;
    node.input(Input::Datagram(datagram));
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::BadChecksum), 1);
}

#[test]
fn ipv6_always_covers_the_pseudo_header() {
    let mut node = ipv6();
    let (source, group): (IpAddr, IpAddr) = (ip("fe80::99"), ip("ff02::12"));
    for (pseudo, received) in [(None, 0), (Some((source, group)), 1)] {
        let mut payload = Vec::new();
        let addresses = [ip("fe80::3")];
        v3::Repr { vrid: 50, priority: 150, interval: 100, addresses: &addresses }.emit(pseudo, &mut payload);
        node.input(Input::Datagram(Datagram::new("eth0", source, group, Some(255), payload)));
        assert_eq!(node.snapshot().stats.adverts_received, received);
    }
}

/// §5.1.2.2 and §5.1.2.3.
#[test]
fn ipv6_is_heard_with_the_full_hop_limit_and_by_the_group_alone() {
    let (source, own, group): (IpAddr, IpAddr, IpAddr) = (ip("fe80::99"), ip("fe80::12"), ip("ff02::12"));
    for (destination, hops, reason) in
        [(group, 254, AdvertReject::TtlNot255), (own, 255, AdvertReject::ExpectedMulticast)]
    {
        let mut node = ipv6();
        let mut payload = Vec::new();
        let addresses = [ip("fe80::3")];
        v3::Repr { vrid: 50, priority: 150, interval: 100, addresses: &addresses }
            .emit(Some((source, destination)), &mut payload);
        node.input(Input::Datagram(Datagram::new("eth0", source, destination, Some(hops), payload)));
        assert_eq!(node.snapshot().stats.rejected(reason), 1, "{reason:?}");
    }
}

/// §5.1.2.1: the source is a link-local address.
#[test]
fn ipv6_speaks_from_a_link_local_address_or_not_at_all() {
    let mut node = ipv6();
    assert_eq!(node.snapshot().source, Some(ip("fe80::12")));
    let gone = InterfaceAddress::new("eth0", Prefix::new(ip("fe80::12"), 64));
    node.input(Input::AddressRemoved(gone));
    assert_eq!(node.state(), StateKind::Fault);
    let global = InterfaceAddress::new("eth0", Prefix::new(ip("2001:db8::12"), 64));
    node.input(Input::AddressAdded(global));
    assert_eq!(node.state(), StateKind::Fault);
}

/// §6.4.2 (395): an unsolicited neighbour advertisement per address, not a gratuitous ARP.
#[test]
fn ipv6_announces_by_neighbour_advertisements() {
    let mut node = ipv6();
    node.advance(5 * SECOND);
    assert_eq!(node.state(), StateKind::Master);
    assert_eq!(node.done.iter().filter(|done| matches!(done.output, Output::NeighborAdvert(_))).count(), 5);
    assert!(!node.done.iter().any(|done| matches!(done.output, Output::Garp(_))));
    assert!(node.has_log("(i) Sending/queueing Unsolicited Neighbour Adverts on eth0 for fe80::3"));
}

/// §6.1: skew and master-down in parts of the interval of the active router.
#[test]
fn a_tenth_of_a_second_fails_over_in_a_third() {
    let mut node = Node::start(version_3(10));
    node.input(Input::Datagram(spoken(150, 10, true)));
    node.advance(SECOND);
    assert_eq!(node.adverts().first().map(|(at, _)| *at), Some(us(360_937)));
}

/// §6.4.2 (450): the interval of the active router is adopted.
#[test]
fn the_interval_of_a_slow_master_is_believed() {
    let mut node = Node::start(version_3(10));
    node.input(Input::Datagram(spoken(150, 4095, true)));
    node.advance(Duration::from_secs(120));
    assert_eq!(node.state(), StateKind::Backup);
    assert_eq!(node.snapshot().master_interval, AdvertInterval::MAX_V3);
    node.advance(Duration::from_secs(30));
    assert_eq!(node.state(), StateKind::Master);
}

#[test]
fn an_interval_of_zero_is_not_believed() {
    let mut node = Node::start(version_3(10));
    node.input(Input::Datagram(spoken(150, 0, true)));
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::IntervalZero), 1);
}

/// §6.4.2 (455): with Preempt_Mode false a lower priority is accepted.
#[test]
fn preempt_mode_false() {
    let mut spec = version_3(100);
    spec.instances[0].preempt = Preempt::Never;
    let mut node = Node::start(spec);
    for _ in 0..10 {
        node.input(Input::Datagram(spoken(1, 100, true)));
        node.advance(SECOND);
    }
    assert_eq!(node.state(), StateKind::Backup);
}

/// §6.4.3 (745): equal priority and a greater address make the active router a backup, with the sender's interval.
#[test]
fn equal_priority_and_a_greater_address() {
    let mut node = Node::start(version_3(100));
    node.advance(5 * SECOND);
    node.input(Input::Datagram(spoken(100, 200, true)));
    assert_eq!(
        (node.state(), node.snapshot().master_interval),
        (StateKind::Backup, AdvertInterval::from_centis(200))
    );
}

/// §7.2: the interval goes out in hundredths of a second.
#[test]
fn the_interval_is_sent_in_centiseconds() {
    let mut node = Node::start(version_3(25));
    node.advance(5 * SECOND);
    let sent = node.transmits().remove(0).1;
    assert_eq!(sent.payload()[4..6], [0, 25]);
    assert_eq!(sent.payload().len(), 12, "there is no authentication data");
}

/// Not of the RFC: version 3 by unicast was once summed up as if it went to the group.
#[test]
fn unicast_checksums_over_the_group_are_sent_on_demand_and_understood_always() {
    let unicast = |old: bool| {
        spec(|i| {
            i.version = Version::V3;
            i.transport = Transport::unicast(vec![Peer::new(HIGH)]);
            if let Transport::Unicast { old_checksum, .. } = &mut i.transport {
                *old_checksum = old;
            }
        })
    };
    let mut packets = Vec::new();
    for (old, to) in [(false, HIGH), (true, GROUP)] {
        let mut node = Node::master(unicast(old));
        node.advance(Duration::from_secs(1));
        let sent = node.transmits().remove(0).1;
        assert_eq!(sent.destination, HIGH);
        let sum = Sum::new().bytes(sent.payload()).pseudo(OWN, to, sent.payload().len());
        assert_eq!(sum.finish(), 0, "old: {old}");
        packets.push(sent.payload().to_vec());
    }
    let mut other = unicast(false);
    other.instances[0].transport = Transport::unicast(vec![Peer::new(OWN)]);
    let mut listener = Node::start(other);
    for packet in packets {
        listener.input(Input::Datagram(Datagram::new("eth0", OWN, HIGH, Some(255), packet)));
    }
    let stats = listener.snapshot().stats;
    assert_eq!((stats.adverts_received, stats.rejected_total()), (2, 0));
}
