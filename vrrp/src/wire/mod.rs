//! The packets: parsed from bytes without ever panicking, and written byte for byte.
//!
//! A [`Packet`] is a view of received bytes; its constructor proves the lengths, so that no accessor can fail. What
//! is sent is written by [`v2::Repr`] and [`v3::Repr`] and wrapped by [`ip`]. Nothing in here decides whether a
//! packet is acceptable, see [`advert`](crate::advert) for that.

pub mod ah;
pub mod arp;
pub mod checksum;
pub mod ip;
mod md5;
pub mod ndisc;
pub mod v2;
pub mod v3;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use md5::md5;

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;
/// IP protocol number of the authentication header.
pub const PROTOCOL_AH: u8 = 51;
/// The one packet type there is.
pub const TYPE_ADVERTISEMENT: u8 = 1;
/// The priority that says "I stop being master".
pub const PRIORITY_STOP: u8 = 0;
/// The priority of the owner of the addresses.
pub const PRIORITY_OWNER: u8 = 255;
/// Traffic class of adverts: internetwork control.
pub const TOS: u8 = 0xc0;
/// Hop limit of adverts.
pub const TTL: u8 = 255;
/// Length of the part before the addresses.
pub const HEADER_LEN: usize = 8;
/// Length of the authentication data of version 2, which is there with every authentication type.
pub const AUTH_LEN: usize = 8;

/// A hardware address as people write it.
pub(crate) fn hardware_address([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// A received VRRP packet whose fixed part is there. Everything else about it may still be wrong.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    ipv6: bool,
}

impl<'a> Packet<'a> {
    /// Looks at the payload of an IPv4 or IPv6 packet. None if it is shorter than the fixed part.
    #[must_use]
    pub fn new(bytes: &'a [u8], ipv6: bool) -> Option<Self> {
        (bytes.len() >= HEADER_LEN).then_some(Self { bytes, ipv6 })
    }

    /// The version of the protocol.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.bytes[0] >> 4
    }

    /// The packet type.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.bytes[0] & 0x0f
    }

    /// The virtual router.
    #[must_use]
    pub fn vrid(&self) -> u8 {
        self.bytes[1]
    }

    /// The priority of the sender.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.bytes[2]
    }

    /// How many addresses the packet claims to carry.
    #[must_use]
    pub fn count(&self) -> u8 {
        self.bytes[3]
    }

    /// Version 2: the authentication type.
    #[must_use]
    pub fn auth_type(&self) -> u8 {
        self.bytes[4]
    }

    /// Version 2: seconds between adverts.
    #[must_use]
    pub fn interval_secs(&self) -> u8 {
        self.bytes[5]
    }

    /// Version 3: hundredths of a second between adverts.
    #[must_use]
    pub fn interval_centis(&self) -> u16 {
        u16::from_be_bytes([self.bytes[4], self.bytes[5]]) & 0x0fff
    }

    /// The checksum field.
    #[must_use]
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.bytes[6], self.bytes[7]])
    }

    /// How long the packet must be, judging by its version and its count.
    #[must_use]
    pub fn expected_len(&self) -> usize {
        let auth = if self.version() == 2 && !self.ipv6 { AUTH_LEN } else { 0 };
        HEADER_LEN + usize::from(self.count()) * self.address_len() + auth
    }

    /// The addresses that are really there.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let ipv6 = self.ipv6;
        let end = (HEADER_LEN + usize::from(self.count()) * self.address_len()).min(self.bytes.len());
        self.bytes[HEADER_LEN..end].chunks_exact(self.address_len()).map(move |chunk| {
            if ipv6 {
                let bytes: [u8; 16] = chunk.try_into().expect("chunks are 16 bytes long");
                IpAddr::V6(Ipv6Addr::from(bytes))
            } else {
                let bytes: [u8; 4] = chunk.try_into().expect("chunks are 4 bytes long");
                IpAddr::V4(Ipv4Addr::from(bytes))
            }
        })
    }

    /// Version 2 over IPv4: the authentication data, if the packet is long enough.
    #[must_use]
    pub fn auth_data(&self) -> Option<[u8; AUTH_LEN]> {
        let start = HEADER_LEN + usize::from(self.count()) * self.address_len();
        if self.ipv6 {
            return None;
        }
        self.bytes.get(start..start + AUTH_LEN).and_then(|bytes| bytes.try_into().ok())
    }

    /// The bytes the checksum covers: as many as expected, or as there are.
    #[must_use]
    pub fn covered(&self) -> &'a [u8] {
        &self.bytes[..self.expected_len().min(self.bytes.len())]
    }

    fn address_len(&self) -> usize {
        if self.ipv6 { 16 } else { 4 }
    }
}

/// Appends the addresses of an advert.
fn extend(buffer: &mut Vec<u8>, addresses: &[IpAddr]) {
    for address in addresses {
        match address {
            IpAddr::V4(address) => buffer.extend(address.octets()),
            IpAddr::V6(address) => buffer.extend(address.octets()),
        }
    }
}

/// Writes the checksum of the advert that begins at `start`, over a pseudo-header, too, if its ends are given.
fn seal(buffer: &mut [u8], start: usize, pseudo: Option<(IpAddr, IpAddr)>) {
    let mut sum = checksum::Sum::new().bytes(&buffer[start..]);
    if let Some((source, destination)) = pseudo {
        sum = sum.pseudo(source, destination, buffer.len() - start);
    }
    buffer[start + 6..start + 8].copy_from_slice(&sum.finish().to_be_bytes());
}

/// The hardware address of a virtual router (RFC 9568 §7.3).
#[must_use]
pub fn virtual_mac(vrid: u8, ipv6: bool) -> [u8; 6] {
    [0x00, 0x00, 0x5e, 0x00, if ipv6 { 0x02 } else { 0x01 }, vrid]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_shorter_than_its_fixed_part_is_none() {
        assert!(Packet::new(&[0x21; 7], false).is_none());
        assert!(Packet::new(&[0x21; 8], false).is_some());
    }

    #[test]
    fn a_count_beyond_the_end_yields_only_what_is_there() {
        let mut bytes = vec![0x21, 1, 100, 255, 0, 1, 0, 0];
        bytes.extend([10, 0, 0, 1, 10, 0]);
        let packet = Packet::new(&bytes, false).unwrap();
        assert_eq!(packet.addresses().collect::<Vec<_>>(), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(packet.auth_data(), None);
        assert_eq!(packet.expected_len(), 8 + 255 * 4 + 8);
        assert_eq!(packet.covered().len(), bytes.len());
    }
}
