//! The IP layer below an advert, by `etherparse`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpDscp, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6Header};

use super::TOS;
use crate::event::Datagram;
use crate::spec::Name;

/// Length of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Length of an IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;

/// Why bytes are no IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotIpv4 {
    /// The header is cut off or contradicts itself.
    #[error("malformed IPv4 header")]
    Header,
    /// The packet is a fragment; raw sockets never deliver those.
    #[error("IPv4 fragment")]
    Fragment,
}

impl Datagram {
    /// Takes apart what an IPv4 raw socket delivers: a whole packet, its header (options allowed) included.
    ///
    /// # Errors
    ///
    /// If the header is no IPv4 header.
    pub fn from_ipv4(interface: impl Into<Name>, packet: &[u8]) -> Result<Self, NotIpv4> {
        let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| NotIpv4::Header)?;
        if header.is_fragmenting_payload() {
            return Err(NotIpv4::Fragment);
        }
        let header_len = header.slice().len();
        let declared_len = usize::from(header.total_len()).checked_sub(header_len).ok_or(NotIpv4::Header)?;
        let mut datagram = Self::new(
            interface,
            IpAddr::V4(header.source_addr()),
            IpAddr::V4(header.destination_addr()),
            Some(header.ttl()),
            packet[header_len..].to_vec(),
        );
        datagram.protocol = header.protocol().0;
        datagram.declared_len = declared_len;
        datagram.ip_header = header.slice().to_vec();
        Ok(datagram)
    }
}

/// Writes an IPv4 header for a payload of this length, as keepalived writes it: traffic class internetwork control,
/// fragmenting allowed.
#[must_use]
pub fn ipv4_header(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    (ttl, protocol, id): (u8, u8, u16),
    payload_len: usize,
) -> Vec<u8> {
    let mut header = Ipv4Header {
        dscp: IpDscp::try_new(TOS >> 2).expect("six bits remain"),
        total_len: u16::try_from(IPV4_HEADER_LEN + payload_len).unwrap_or(u16::MAX),
        identification: id,
        dont_fragment: false,
        time_to_live: ttl,
        protocol: IpNumber(protocol),
        source: source.octets(),
        destination: destination.octets(),
        ..Ipv4Header::default()
    };
    header.header_checksum = header.calc_header_checksum();
    header.to_bytes().to_vec()
}

/// Writes an IPv6 header for a payload of this length.
#[must_use]
pub fn ipv6_header(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    ttl: u8,
    protocol: u8,
    payload_len: usize,
) -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: TOS,
        payload_length: u16::try_from(payload_len).unwrap_or(u16::MAX),
        next_header: IpNumber(protocol),
        hop_limit: ttl,
        source: source.octets(),
        destination: destination.octets(),
        ..Ipv6Header::default()
    };
    header.to_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Vec<u8> {
        let mut packet =
            ipv4_header(Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(224, 0, 0, 18), (255, 112, 7), 3);
        packet.extend([1, 2, 3]);
        packet
    }

    #[test]
    fn a_written_header_is_read_back() {
        let datagram = Datagram::from_ipv4("eth0", &packet()).unwrap();
        assert_eq!(datagram.source, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(datagram.destination, IpAddr::from([224, 0, 0, 18]));
        assert_eq!((datagram.ttl, datagram.protocol, datagram.declared_len), (Some(255), 112, 3));
        assert_eq!(datagram.payload, [1, 2, 3]);
    }

    #[test]
    fn options_are_skipped() {
        let mut bytes = packet();
        bytes[0] = 0x46;
        bytes[3] += 4;
        bytes.splice(20..20, [1, 1, 1, 1]);
        let datagram = Datagram::from_ipv4("eth0", &bytes).unwrap();
        assert_eq!((datagram.payload.as_slice(), datagram.declared_len), ([1, 2, 3].as_slice(), 3));
    }

    #[test]
    fn cut_off_and_contradicting_headers_are_refused() {
        let bytes = packet();
        for len in 0..20 {
            assert_eq!(Datagram::from_ipv4("eth0", &bytes[..len]), Err(NotIpv4::Header));
        }
        let mut short = bytes.clone();
        short[3] = 19;
        assert_eq!(Datagram::from_ipv4("eth0", &short), Err(NotIpv4::Header));
        let mut fragment = bytes;
        fragment[6] = 0x20;
        assert_eq!(Datagram::from_ipv4("eth0", &fragment), Err(NotIpv4::Fragment));
    }
}
