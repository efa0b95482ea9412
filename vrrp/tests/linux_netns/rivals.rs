//! Machines that answer for the address, and machines that send what they should not.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use vrrp::advert::AdvertReject;
use vrrp::event::{Admin, NotifyState};
use vrrp::spec::{Peer, Prefix, Spec, Transport, VirtualAddress};
use vrrp::stats::{InstanceSnapshot, StateKind};
use vrrp::wire::{arp, ip::ipv4_header, ndisc, v2, v3};

use crate::lab::{Lab, Node, VIP, possible, spec, until};

fn instance(node: &Node) -> InstanceSnapshot {
    node.snapshot().instances.remove(0)
}

/// A machine that has the address and sends no adverts is found by the question before each advert.
fn is_found(test: &str, spec: Spec, address: &str) {
    if !possible(test) {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec, None);
    node.await_state(NotifyState::Master);
    until("added", || lab.holds(0, address));
    let before = instance(&node).stats;
    assert_eq!(before.claims_heard, 0, "nobody else answers yet");
    let nodad = if address.contains(':') { "nodad" } else { "" };
    lab.ip(1, &format!("addr add {address} dev eth0 {nodad}"));
    until("the rival is heard", || instance(&node).stats.claims_heard > 0);
    assert!(node.said(&format!("{address} is also answered for by")));
    assert_eq!(instance(&node).findings[0].reason, "unheard-rival");
    until("clients are told again", || instance(&node).stats.announcements > before.announcements);
    node.stop();
}

#[test]
fn a_silent_rival_is_found_over_ipv4() {
    is_found("a_silent_rival_is_found_over_ipv4", spec(150), VIP);
}

#[test]
fn a_silent_rival_is_found_over_ipv6() {
    let mut spec = spec(150);
    let instance = spec.instances[0].clone().over_ipv6(&spec.global);
    spec.instances[0] = instance;
    spec.instances[0].addresses = vec![VirtualAddress::new(Prefix::host("fe80::200".parse().unwrap()))];
    is_found("a_silent_rival_is_found_over_ipv6", spec, "fe80::200");
}

#[test]
fn a_silent_rival_is_found_among_unicast_peers() {
    let mut spec = spec(150);
    spec.instances[0].transport = Transport::unicast(vec![Peer::new("10.98.0.12".parse().unwrap())]);
    is_found("a_silent_rival_is_found_among_unicast_peers", spec, VIP);
}

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 12);

/// An advert of a higher priority.
fn advert(interval: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let pseudo = Some((IpAddr::from(FOREIGN), IpAddr::from(GROUP)));
    let addresses = [VIP.parse().unwrap()];
    v3::Repr { vrid: 51, priority: 250, interval, addresses: &addresses }.emit(pseudo, &mut packet);
    packet
}

/// The same, each with one thing that makes it invalid.
fn forgeries() -> Vec<(AdvertReject, u8, Vec<u8>)> {
    let addresses: [IpAddr; 1] = [VIP.parse().unwrap()];
    let good = advert(10);
    let mut older = Vec::new();
    v2::Repr { vrid: 51, priority: 250, auth_type: 0, interval: 1, addresses: &addresses, auth_data: [0; 8] }
        .emit(None, &mut older);
    let changed = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet
    };
    vec![
        (AdvertReject::TtlNot255, 254, good.clone()),
        (AdvertReject::BadChecksum, 255, changed(7, good[7] ^ 1)),
        (AdvertReject::WrongVersion, 255, older),
        (AdvertReject::NotAdvertisement, 255, changed(0, 0x32)),
        (AdvertReject::WrongLength, 255, changed(3, 200)),
        (AdvertReject::WrongLength, 255, good[..10].to_vec()),
        (AdvertReject::Truncated, 255, good[..5].to_vec()),
        (AdvertReject::IntervalZero, 255, advert(0)),
    ]
}

/// Sends packets as the other machine, from a thread inside its namespace.
fn sender() -> impl Fn(u8, &[u8]) {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap();
    socket.set_header_included_v4(true).unwrap();
    socket.set_multicast_if_v4(&FOREIGN).unwrap();
    socket.set_multicast_loop_v4(false).unwrap();
    move |ttl, payload| {
        let packet = [&ipv4_header(FOREIGN, GROUP, (ttl, 112, 1), payload.len())[..], payload].concat();
        socket.send_to(&packet, &SocketAddrV4::new(GROUP, 0).into()).unwrap();
    }
}

#[test]
fn who_gives_way_to_a_machine_that_does_not_announce_itself_does_it_for_it() {
    let name = "who_gives_way_to_a_machine_that_does_not_announce_itself_does_it_for_it";
    if !possible(name) {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(100), None);
    node.await_state(NotifyState::Master);
    lab.ip(1, &format!("addr add {VIP} dev eth0"));
    lab.inside(1, || {
        let all = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0x0608))).unwrap();
        all.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        sender()(255, &advert(10));
        let mut frame = [0; 64];
        loop {
            let length = (&all).read(&mut frame).unwrap();
            let Some((address, machine)) = arp::claim(&frame[..length]) else { continue };
            // Announced by one machine for another one.
            if frame[..6] == [0xff; 6] && frame[6..12] != machine {
                assert_eq!(address.to_string(), VIP);
                return;
            }
        }
    });
    until("the master is gone", || instance(&node).stats.released_master == 1);
    assert!(node.said("announcing that"));
    node.stop();
}

/// A neighbour would take a forwarding master out of its list of routers (RFC 4861 §7.2.5).
#[test]
fn an_announcement_over_ipv6_says_whether_the_interface_forwards() {
    if !possible("an_announcement_over_ipv6_says_whether_the_interface_forwards") {
        return;
    }
    for (forwarding, flags) in [(0, 0x20), (1, 0xa0)] {
        let lab = Lab::new();
        lab.run(0, &format!("sysctl -qw net.ipv6.conf.eth0.forwarding={forwarding}"));
        let mut spec = spec(150);
        let instance = spec.instances[0].clone().over_ipv6(&spec.global);
        spec.instances[0] = instance;
        spec.instances[0].addresses = vec![VirtualAddress::new(Prefix::host("fe80::200".parse().unwrap()))];
        let node = lab.start(0, spec, None);
        lab.inside(1, move || {
            let all = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0xdd86))).unwrap();
            all.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut frame = [0; 200];
            loop {
                let length = (&all).read(&mut frame).unwrap();
                if ndisc::claim(&frame[..length])
                    .is_some_and(|(address, _)| address.to_string() == "fe80::200")
                {
                    assert_eq!(frame[14 + 40 + 4], flags, "forwarding: {forwarding}");
                    return;
                }
            }
        });
        node.stop();
    }
}

#[test]
fn forged_packets_of_another_machine_are_counted_by_reason_and_change_nothing() {
    let name = "forged_packets_of_another_machine_are_counted_by_reason_and_change_nothing";
    if !possible(name) {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(150), None);
    node.await_state(NotifyState::Master);
    let sent = instance(&node).stats.adverts_sent;
    lab.inside(1, || {
        let send = sender();
        for (_, ttl, payload) in forgeries().iter().cycle().take(forgeries().len() * 20) {
            send(*ttl, payload);
        }
    });
    let wanted = forgeries().len() as u64 * 20;
    until("all are counted", || instance(&node).stats.rejected_total() >= wanted);
    let after = instance(&node);
    for (reason, ..) in forgeries() {
        let times = forgeries().iter().filter(|(other, ..)| *other == reason).count() as u64;
        assert_eq!(after.stats.rejected(reason), times * 20, "{reason:?}");
    }
    assert_eq!((after.state, after.stats.released_master), (StateKind::Master, 0));
    assert_eq!(after.stats.adverts_received, 0);
    until("it goes on", || instance(&node).stats.adverts_sent > sent + 3);
    node.stop();
}

/// In the master's own name, which is the strongest position a forger can have.
#[test]
fn forged_packets_neither_wake_a_backup_nor_hold_it_back_when_the_master_stops() {
    let name = "forged_packets_neither_wake_a_backup_nor_hold_it_back_when_the_master_stops";
    if !possible(name) {
        return;
    }
    let lab = Lab::new();
    let (master, backup) = (lab.start(1, spec(150), None), lab.start(0, spec(100), None));
    master.await_state(NotifyState::Master);
    until("the master is heard", || instance(&backup).stats.adverts_received > 2);
    let rejected = || instance(&backup).stats.rejected_total();
    let flood = |seen: u64| {
        lab.inside(1, || {
            let send = sender();
            for (_, ttl, payload) in forgeries().iter().cycle().take(forgeries().len() * 20) {
                send(*ttl, payload);
            }
        });
        until("they are counted", || rejected() > seen);
    };
    for _ in 0..5 {
        flood(rejected());
    }
    let now = instance(&backup);
    assert_eq!((now.state, now.stats.became_master), (StateKind::Backup, 0));
    for (reason, ..) in forgeries() {
        assert!(now.stats.rejected(reason) > 0, "{reason:?}");
    }
    master.admin(Admin::Abandon);
    master.join();
    until("it becomes master in spite of them", || {
        flood(rejected());
        instance(&backup).state == StateKind::Master
    });
    backup.stop();
}
