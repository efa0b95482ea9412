//! Version 2, section by section.

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::*;
use vrrp::Input;
use vrrp::advert::AdvertReject;
use vrrp::event::Datagram;
use vrrp::spec::{Auth, Password, Peer, Transport};
use vrrp::stats::StateKind;
use vrrp::wire::checksum::Sum;

const SECOND: Duration = Duration::from_secs(1);

/// Makes the checksum of a changed packet right again, so that another rule is the one that is broken.
fn resum(payload: &mut [u8]) {
    payload[6..8].fill(0);
    let check = Sum::new().bytes(payload).finish().to_be_bytes();
    payload[6..8].copy_from_slice(&check);
}

/// Changes a valid advert of priority 255, which would depose the master, and expects one reason.
fn rejected(change: impl FnOnce(&mut Datagram), reason: AdvertReject) {
    let password = |i: &mut vrrp::spec::Instance| i.auth = Auth::Pass(Password::new(b"secret"));
    let mut node = Node::master(spec(password));
    let mut datagram = node.advert(HIGH, 255);
    change(&mut datagram);
    node.input(Input::Datagram(datagram));
    let stats = node.snapshot().stats;
    assert_eq!((stats.rejected(reason), stats.rejected_total()), (1, 1), "{reason:?}");
    assert_eq!((node.state(), stats.adverts_received), (StateKind::Master, 0));
    assert_eq!(node.logs().len(), 1, "told once");
    assert_eq!(node.done.len(), 1, "and nothing else is done");
}

/// §7.1, first list: MUST verify.
#[test]
fn every_broken_rule_is_a_reason_of_its_own() {
    rejected(|d| d.ttl = Some(254), AdvertReject::TtlNot255);
    rejected(
        |d| {
            d.payload[0] = 0x11;
            resum(&mut d.payload);
        },
        AdvertReject::WrongVersion,
    );
    rejected(|d| d.payload[0] = 0x31, AdvertReject::WrongVersion);
    rejected(|d| d.payload.truncate(7), AdvertReject::Truncated);
    rejected(|d| d.payload.truncate(19), AdvertReject::WrongLength);
    rejected(
        |d| {
            d.payload.extend([0; 20]);
            d.declared_len += 20;
        },
        AdvertReject::WrongLength,
    );
    rejected(|d| d.declared_len += 1, AdvertReject::IpLengthMismatch);
    rejected(|d| d.payload[7] ^= 1, AdvertReject::BadChecksum);
    rejected(|d| d.payload[4] = 9, AdvertReject::UnknownAuthType);
    rejected(|d| d.payload[4] = 0, AdvertReject::WrongAuthType);
    rejected(
        |d| {
            *d.payload.last_mut().unwrap() ^= 1;
            resum(&mut d.payload);
        },
        AdvertReject::WrongPassword,
    );
    rejected(|d| d.payload[5] = 2, AdvertReject::IntervalMismatch);
    rejected(
        |d| {
            d.payload[0] = 0x22;
            resum(&mut d.payload);
        },
        AdvertReject::NotAdvertisement,
    );
    rejected(
        |d| {
            d.protocol = 51;
            d.payload.splice(0..0, [0; 24]);
            d.declared_len += 24;
        },
        AdvertReject::AuthHeaderUnexpected,
    );
    rejected(|d| d.protocol = 6, AdvertReject::WrongProtocol);
    rejected(|d| d.destination = OWN, AdvertReject::ExpectedMulticast);
}

#[test]
fn a_wrong_version_is_a_reason_even_where_the_length_fits() {
    let mut node = Node::master(spec(|_| ()));
    let mut datagram = node.advert(HIGH, 255);
    // Eight bytes less, as version 3 has no authentication data.
    datagram.payload.truncate(12);
    datagram.declared_len = 12;
    datagram.payload[0] = 0x31;
    node.input(Input::Datagram(datagram));
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::WrongVersion), 1);
}

#[test]
fn padding_of_short_ethernet_frames_is_overlooked() {
    let mut node = Node::start(spec(|_| ()));
    let mut datagram = node.advert(HIGH, 150);
    datagram.payload.extend([0; 6]);
    node.input(Input::Datagram(datagram.clone()));
    datagram.declared_len += 6;
    node.input(Input::Datagram(datagram));
    assert_eq!(node.snapshot().stats.adverts_received, 2);
}

#[test]
fn unicast_has_rules_of_its_own() {
    let mut peer = Peer::new(HIGH);
    (peer.min_ttl, peer.max_ttl) = (Some(254), Some(255));
    let unicast = |check: bool| {
        spec(|i| {
            i.transport = Transport::unicast(vec![peer]);
            if let Transport::Unicast { check_source, .. } = &mut i.transport {
                *check_source = check;
            }
        })
    };
    for (change, checked, reason) in [
        ((|d: &mut Datagram| d.ttl = Some(253)) as fn(&mut Datagram), true, AdvertReject::TtlOutOfRange),
        (|d| d.destination = GROUP, true, AdvertReject::ExpectedUnicast),
        (|d| d.source = LOW, true, AdvertReject::UnknownPeer),
    ] {
        let mut node = Node::start(unicast(checked));
        let mut datagram = node.advert(HIGH, 150);
        change(&mut datagram);
        node.input(Input::Datagram(datagram));
        assert_eq!(node.snapshot().stats.rejected(reason), 1, "{reason:?}");
    }
    let mut node = Node::start(unicast(false));
    node.hear(LOW, 150);
    assert_eq!(node.snapshot().stats.adverts_received, 1, "without the check anybody is a peer");
}

#[test]
fn an_owner_may_ignore_everybody() {
    let mut node = Node::start(spec(|i| (i.priority, i.owner_ignore_adverts) = (255, true)));
    node.hear(HIGH, 255);
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::OwnerIgnores), 1);
}

#[test]
fn an_authentication_header_is_verified_and_never_heard_twice() {
    let sealed = |i: &mut vrrp::spec::Instance| i.auth = Auth::Ah(Password::new(b"secret"));
    let mut sender = Node::start(spec(|i| {
        sealed(i);
        i.source = Some(HIGH);
    }));
    sender.advance(5 * SECOND);
    let sent = sender.transmits().remove(0).1;
    let datagram = Datagram::from_ipv4("eth0", &sent.packet).unwrap();

    let mut node = Node::start(spec(sealed));
    node.input(Input::Datagram(datagram.clone()));
    assert_eq!(node.snapshot().stats.adverts_received, 1);
    node.input(Input::Datagram(datagram.clone()));
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::ReplayedAuthHeader), 1);
    let mut forged = datagram;
    *forged.payload.last_mut().unwrap() ^= 1;
    node.input(Input::Datagram(forged));
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::BadAuthHeader), 1);
    let mut bare = node.advert(HIGH, 150);
    bare.protocol = 112;
    node.input(Input::Datagram(bare));
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::AuthHeaderMissing), 1);
}

/// §5.2.1 and §5.2.2: the group, and a hop limit of 255.
#[test]
fn adverts_go_to_the_group_at_hop_limit_255() {
    let mut node = Node::master(spec(|_| ()));
    node.advance(SECOND);
    let sent = node.transmits().remove(0).1;
    assert_eq!((sent.destination, sent.ttl, sent.protocol, sent.tos), (GROUP, 255, 112, 0xc0));
    assert_eq!(sent.interface.as_deref(), Some("eth0"));
}

/// §6.4.3: a shutdown sends priority zero.
#[test]
fn a_master_that_stops_says_so() {
    let mut node = Node::master(spec(|_| ()));
    node.admin(vrrp::event::Admin::Shutdown);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_backup_that_stops_says_nothing() {
    let mut node = Node::start(spec(|_| ()));
    node.admin(vrrp::event::Admin::Shutdown);
    assert!(node.adverts().is_empty() && node.router.is_finished());
}

/// §6.1: the skew is a part of a second whatever the interval.
#[test]
fn master_down_with_a_long_interval() {
    let mut node = Node::start(spec(|i| i.advert_interval = vrrp::spec::AdvertInterval::from_secs(5)));
    node.advance(16 * SECOND);
    assert_eq!(node.adverts().first().map(|(at, _)| *at), Some(us(15_609_375)));
}

#[test]
fn an_advert_of_the_other_family_is_for_nobody() {
    let mut node = Node::start(spec(|_| ()));
    let mut datagram = node.advert(HIGH, 150);
    datagram.source = "fe80::1".parse::<IpAddr>().unwrap();
    node.input(Input::Datagram(datagram));
    assert_eq!(node.router.snapshot(node.now).unknown_vrids, 1);
}
