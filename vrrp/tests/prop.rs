//! Properties that hold for any input.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use vrrp::advert::{AdvertReject, check};
use vrrp::event::Datagram;
use vrrp::spec::{AdvertInterval, Auth, Global, Instance, Password, Version};
use vrrp::wire::{Packet, v2, v3};

fn instance(version: Version, vrid: u8) -> Instance {
    let mut instance = Instance::new("i", vrid, &Global::default());
    instance.version = version;
    instance
}

fn group() -> IpAddr {
    IpAddr::from([224, 0, 0, 18])
}

proptest! {
    #[test]
    fn a_version_2_advert_is_read_as_it_was_written(
        vrid in 1..=255_u8, priority: u8, interval in 1..=255_u8, password: [u8; 8],
        addresses in vec(any::<[u8; 4]>().prop_map(IpAddr::from), 0..=255),
    ) {
        let mut bytes = Vec::new();
        v2::Repr { vrid, priority, auth_type: 1, interval, addresses: &addresses, auth_data: password }
            .emit(None, &mut bytes);
        let packet = Packet::new(&bytes, false).unwrap();
        prop_assert_eq!((packet.version(), packet.kind(), packet.vrid()), (2, 1, vrid));
        prop_assert_eq!((packet.priority(), packet.interval_secs()), (priority, interval));
        let read: Vec<IpAddr> = packet.addresses().collect();
        prop_assert_eq!(&read, &addresses);
        prop_assert_eq!(packet.auth_data(), Some(password));
        prop_assert_eq!(packet.expected_len(), bytes.len());

        let mut spec = instance(Version::V2, vrid);
        spec.advert_interval = AdvertInterval::from_secs(interval);
        spec.auth = Auth::Pass(Password::new(&password));
        let datagram = Datagram::new("eth0", [10, 0, 0, 1].into(), group(), Some(255), bytes);
        let advert = check(&spec, &addresses, 0, &datagram).unwrap();
        prop_assert_eq!((advert.priority, advert.address_mismatch), (priority, None));
    }

    #[test]
    fn a_version_3_advert_is_read_as_it_was_written(
        vrid in 1..=255_u8, priority: u8, interval in 1..=4095_u16, ipv6: bool, pseudo: bool,
        octets in vec(any::<[u8; 16]>(), 0..=80),
    ) {
        let address = |octets: &[u8; 16]| if ipv6 {
            IpAddr::V6(Ipv6Addr::from(*octets))
        } else {
            IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))
        };
        let addresses: Vec<IpAddr> = octets.iter().map(address).collect();
        let (source, destination) = if ipv6 {
            ("fe80::1".parse().unwrap(), "ff02::12".parse().unwrap())
        } else {
            (IpAddr::from([10, 0, 0, 1]), group())
        };
        let mut bytes = Vec::new();
        let covered = (ipv6 || pseudo).then_some((source, destination));
        v3::Repr { vrid, priority, interval, addresses: &addresses }.emit(covered, &mut bytes);
        let mut spec = instance(Version::V3, vrid);
        spec.ipv6 = ipv6;
        let datagram = Datagram::new("eth0", source, destination, Some(255), bytes);
        let advert = check(&spec, &addresses, 0, &datagram).unwrap();
        prop_assert_eq!(advert.priority, priority);
        prop_assert_eq!(advert.interval, AdvertInterval::from_centis(interval));
        prop_assert_eq!(advert.address_mismatch, None);
    }

    #[test]
    fn every_flipped_bit_of_an_advert_is_noticed(
        bit in 0..20_usize * 8, priority in 1..=255_u8, version in prop_oneof![Just(Version::V2), Just(Version::V3)],
    ) {
        let mut bytes = Vec::new();
        let addresses = [IpAddr::from([10, 0, 0, 9])];
        match version {
            Version::V2 => v2::Repr {
                vrid: 1, priority, auth_type: 0, interval: 1, addresses: &addresses, auth_data: [0; 8],
            }.emit(None, &mut bytes),
            _ => v3::Repr { vrid: 1, priority, interval: 100, addresses: &addresses }
                .emit(Some(([10, 0, 0, 1].into(), group())), &mut bytes),
        }
        let at = (bit / 8).min(bytes.len() - 1);
        bytes[at] ^= 1 << (bit % 8);
        let datagram = Datagram::new("eth0", [10, 0, 0, 1].into(), group(), Some(255), bytes);
        prop_assert!(check(&instance(version, 1), &addresses, 0, &datagram).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        vrrp::fuzzing::packet(&bytes);
    }

    #[test]
    fn arbitrary_operations_keep_the_invariants(bytes in vec(any::<u8>(), 0..400)) {
        vrrp::fuzzing::router_ops(&bytes);
    }

    #[test]
    fn a_split_packet_is_refused_whole(len in 0..20_usize) {
        let mut bytes = Vec::new();
        let addresses = [IpAddr::from([10, 0, 0, 9])];
        v2::Repr { vrid: 1, priority: 9, auth_type: 0, interval: 1, addresses: &addresses, auth_data: [0; 8] }
            .emit(None, &mut bytes);
        bytes.truncate(len);
        let datagram = Datagram::new("eth0", [10, 0, 0, 1].into(), group(), Some(255), bytes);
        let rejection = check(&instance(Version::V2, 1), &[], 0, &datagram).unwrap_err();
        prop_assert!(matches!(rejection.reason, AdvertReject::Truncated | AdvertReject::WrongLength));
    }

    #[test]
    fn a_password_matches_itself_and_nothing_else(a: [u8; 8], b: [u8; 8]) {
        prop_assert!(Password::new(&a).matches(&a));
        prop_assert_eq!(Password::new(&a).matches(&b), a == b);
    }

    #[test]
    fn skews_order_backups_by_priority(low in 1..=254_u8, high in 1..=254_u8, centis in 1..=4095_u16) {
        prop_assume!(low < high);
        let interval = AdvertInterval::from_centis(centis).duration();
        for version in [Version::V2, Version::V3] {
            let skew = |priority| vrrp::timer::skew(version, priority, interval);
            prop_assert!(skew(high) <= skew(low));
            // RFC 3768: a skew is a part of a second; RFC 9568: of the interval.
            let whole = if version == Version::V2 { std::time::Duration::from_secs(1) } else { interval };
            prop_assert!(skew(low) < whole);
        }
    }
}

/// No standard describes it, but keepalived speaks it, and leaves the sum to the kernel, which adds the pseudo-header.
#[test]
fn version_2_over_ipv6_is_summed_up_as_ipv6_demands() {
    let (source, group): (IpAddr, IpAddr) = ("fe80::1".parse().unwrap(), "ff02::12".parse().unwrap());
    let addresses: Vec<IpAddr> = vec!["fe80::99:200".parse().unwrap(), "2001:db8::200".parse().unwrap()];
    let mut spec = instance(Version::V2, 50).over_ipv6(&Global::default());
    spec.version = Version::V2;
    let advert = |pseudo| {
        let mut bytes = Vec::new();
        v2::Repr {
            vrid: 50,
            priority: 150,
            auth_type: 0,
            interval: 1,
            addresses: &addresses,
            auth_data: [0; 8],
        }
        .emit(pseudo, &mut bytes);
        let datagram = Datagram::new("eth0", source, group, Some(255), bytes);
        check(&spec, &addresses, 0, &datagram)
    };
    assert_eq!(advert(Some((source, group))).unwrap().address_mismatch, None);
    assert_eq!(advert(Some((source, source))).unwrap_err().reason, AdvertReject::BadChecksum);
    // The authentication data of IPv4 are not there.
    assert_eq!(advert(None).unwrap_err().reason, AdvertReject::WrongLength);
}
