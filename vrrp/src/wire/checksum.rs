//! The Internet checksum (RFC 1071), with and without pseudo-headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::PROTOCOL;

/// A running one's-complement sum. Parts must be of even length, except the last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum(u64);

impl Sum {
    /// Nothing summed up yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// The sum with these bytes added; an odd byte at the end is padded with zero.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut pairs = bytes.chunks_exact(2);
        for pair in &mut pairs {
            self.0 += u64::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        if let [last] = pairs.remainder() {
            self.0 += u64::from(u16::from_be_bytes([*last, 0]));
        }
        self
    }

    /// The sum with an IPv4 pseudo-header added, which VRRP version 3 may cover.
    #[must_use]
    pub fn pseudo_v4(self, source: Ipv4Addr, destination: Ipv4Addr, len: usize) -> Self {
        let len = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
        self.bytes(&source.octets()).bytes(&destination.octets()).bytes(&[0, PROTOCOL, len[0], len[1]])
    }

    /// The sum with an IPv6 pseudo-header added (RFC 8200 §8.1).
    #[must_use]
    pub fn pseudo_v6(self, source: Ipv6Addr, destination: Ipv6Addr, len: usize, next_header: u8) -> Self {
        let len = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
        self.bytes(&source.octets()).bytes(&destination.octets()).bytes(&len).bytes(&[0, 0, 0, next_header])
    }

    /// The pseudo-header of whichever family both addresses are of; nothing if they differ.
    #[must_use]
    pub fn pseudo(self, source: IpAddr, destination: IpAddr, len: usize) -> Self {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.pseudo_v4(source, destination, len),
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.pseudo_v6(source, destination, len, PROTOCOL)
            }
            _ => self,
        }
    }

    /// The checksum to put into a packet whose checksum field was zero; zero if the field was summed up and right.
    #[must_use]
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_up() {
        let sum = Sum::new().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.finish(), !0xddf2);
    }

    #[test]
    fn a_packet_with_its_checksum_in_place_gives_zero() {
        let mut bytes = [0x31, 1, 100, 1, 0, 100, 0, 0, 10, 0, 0, 1];
        let check = Sum::new().bytes(&bytes).finish().to_be_bytes();
        bytes[6..8].copy_from_slice(&check);
        assert_eq!(Sum::new().bytes(&bytes).finish(), 0);
    }

    #[test]
    fn an_odd_byte_counts_as_the_upper_half() {
        assert_eq!(Sum::new().bytes(&[0x12]).finish(), !0x1200);
    }
}
