//! The IPsec authentication header around version 2 adverts (RFC 2402 with HMAC-MD5-96), as keepalived uses it: the
//! source address is the security parameter index, the padded password is the key.

use std::net::Ipv4Addr;

use super::ip::{IPV4_HEADER_LEN, ipv4_header};
use super::md5::hmac;
use super::{PROTOCOL, PROTOCOL_AH};

/// Length of the header with its 96 bits of authentication data.
pub const HEADER_LEN: usize = 24;
/// Where in the header the authentication data begins.
const ICV: std::ops::Range<usize> = 12..24;
/// Length of the header in 32-bit words, less two.
const PAYLOAD_LEN: u8 = 4;

/// Writes the IP header and the authentication header in front of an advert.
#[must_use]
pub fn seal(
    key: &[u8; 8],
    (source, destination): (Ipv4Addr, Ipv4Addr),
    (ttl, id, sequence): (u8, u16, u32),
    unicast: bool,
    advert: &[u8],
) -> Vec<u8> {
    let mut packet = ipv4_header(source, destination, (ttl, PROTOCOL_AH, id), HEADER_LEN + advert.len());
    packet.extend([PROTOCOL, PAYLOAD_LEN, 0, 0]);
    packet.extend(source.octets());
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 12]);
    packet.extend_from_slice(advert);
    let (ip, rest) = packet.split_at(IPV4_HEADER_LEN);
    let icv = digest(key, ip, &rest[..HEADER_LEN], advert, unicast);
    packet[IPV4_HEADER_LEN..][ICV].copy_from_slice(&icv);
    packet
}

/// What a valid authentication header contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened<'a> {
    /// Its sequence number; the caller guards against replays.
    pub sequence: u32,
    /// The advert.
    pub advert: &'a [u8],
}

/// Verifies an authentication header. None if it is cut off, of another shape, or does not match the key.
#[must_use]
pub fn open<'a>(key: &[u8; 8], ip_header: &[u8], payload: &'a [u8], unicast: bool) -> Option<Opened<'a>> {
    if ip_header.len() < IPV4_HEADER_LEN || payload.len() < HEADER_LEN {
        return None;
    }
    let (ah, advert) = payload.split_at(HEADER_LEN);
    if ah[0] != PROTOCOL || ah[1] != PAYLOAD_LEN || ah[4..8] != ip_header[12..16] {
        return None;
    }
    let icv = digest(key, ip_header, ah, advert, unicast);
    let difference = icv.iter().zip(&ah[ICV]).fold(0, |difference, (a, b)| difference | (a ^ b));
    let sequence = u32::from_be_bytes([ah[8], ah[9], ah[10], ah[11]]);
    (difference == 0).then_some(Opened { sequence, advert })
}

/// The authentication data over both headers, with what routers change set to zero, and the advert.
fn digest(key: &[u8; 8], ip: &[u8], ah: &[u8], advert: &[u8], unicast: bool) -> [u8; 12] {
    let mut ip = ip.to_vec();
    ip[1] = 0; // traffic class
    ip[6..8].fill(0); // fragment offset and flags
    ip[10..12].fill(0); // checksum
    if unicast {
        ip[8] = 0; // hop limit; multicast never passes a router, and keepalived covers it there
    }
    let mut ah = ah.to_vec();
    ah[ICV].fill(0);
    let mut icv = [0; 12];
    icv.copy_from_slice(&hmac(key, &[&ip, &ah, advert])[..12]);
    icv
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 8] = *b"SOMEPASS";

    fn sealed() -> Vec<u8> {
        let route = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(224, 0, 0, 18));
        seal(&KEY, route, (255, 1, 42), false, b"an advert")
    }

    #[test]
    fn what_was_sealed_opens() {
        let packet = sealed();
        let (ip, payload) = packet.split_at(20);
        assert_eq!(open(&KEY, ip, payload, false), Some(Opened { sequence: 42, advert: b"an advert" }));
    }

    #[test]
    fn every_changed_byte_that_counts_is_noticed() {
        let packet = sealed();
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            let (ip, payload) = changed.split_at(20);
            // Traffic class, flags and checksum may change on the way; two reserved bytes are covered.
            let mutable = matches!(at, 1 | 6 | 7 | 10 | 11);
            assert_eq!(open(&KEY, ip, payload, false).is_some(), mutable, "byte {at}");
        }
    }

    #[test]
    fn cut_off_headers_are_refused() {
        let packet = sealed();
        assert!((0..24).all(|len| open(&KEY, &packet[..20], &packet[20..20 + len], false).is_none()));
        assert!(open(&KEY, &packet[..19], &packet[20..], false).is_none());
    }
}
