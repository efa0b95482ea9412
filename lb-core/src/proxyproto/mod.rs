//! The PROXY protocol: the text and the binary header that carry a client's addresses to the next hop.
//!
//! "The PROXY protocol", versions 1 and 2 (haproxy.org, `doc/proxy-protocol.txt`).

pub mod fields;
mod parse;
pub mod tlv;

pub use parse::{Header, Invalid, Parsed, Tlv, parse};
pub use tlv::{AUTHORITY, CRC32C, UNIQUE_ID};

use crate::spec::ProxyHeaderVersion;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

/// First bytes of the binary form.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Longest text header, line end included.
pub const MAX_V1: usize = 107;

const VERSION_COMMAND_PROXY: u8 = 0x21;
const VERSION_COMMAND_LOCAL: u8 = 0x20;

/// Appends a text header for a connection from `source` to `destination`.
pub fn write_v1(out: &mut Vec<u8>, source: Option<SocketAddr>, destination: Option<SocketAddr>) {
    let (Some(from), Some(to)) = (source, destination) else {
        out.extend_from_slice(b"PROXY UNKNOWN\r\n");
        return;
    };
    let family = match (from.ip(), to.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
        _ => "TCP6",
    };
    let (from_ip, to_ip) = same_family(from.ip(), to.ip());
    // Writing to a vector cannot fail.
    let _ = write!(out, "PROXY {family} {from_ip} {to_ip} {} {}\r\n", from.port(), to.port());
}

/// Appends a binary header for a connection from `source` to `destination` with these additional fields. A checksum among
/// them is computed.
pub fn write_v2(
    out: &mut Vec<u8>,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
    tlvs: &[Tlv<'_>],
) {
    let begin = out.len();
    out.extend_from_slice(&SIGNATURE);
    out.push(VERSION_COMMAND_PROXY);
    let start = out.len();
    match (source, destination) {
        (Some(from), Some(to)) => {
            let (from_ip, to_ip) = same_family(from.ip(), to.ip());
            out.push(if from_ip.is_ipv4() { 0x11 } else { 0x21 });
            out.extend_from_slice(&[0; 2]);
            for ip in [from_ip, to_ip] {
                match ip {
                    IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                    IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
                }
            }
            out.extend_from_slice(&from.port().to_be_bytes());
            out.extend_from_slice(&to.port().to_be_bytes());
        }
        _ => out.extend_from_slice(&[0; 3]),
    }
    let mut checksum = None;
    for tlv in tlvs {
        // What would exceed the two bytes of the header's length is left out.
        if out.len() - start + tlv.value.len() > usize::from(u16::MAX) {
            continue;
        }
        tlv::push(out, tlv.kind, tlv.value);
        if tlv.kind == CRC32C && tlv.value.len() == 4 {
            checksum = Some(out.len() - 4);
        }
    }
    let length = u16::try_from(out.len() - start - 3).unwrap_or(u16::MAX);
    out[start + 1..start + 3].copy_from_slice(&length.to_be_bytes());
    if let Some(at) = checksum {
        let sum = crate::expr::crc32c(&out[begin..]);
        out[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The header that begins a health check: the check's own addresses in the text form, "local" in the binary one.
pub fn check_header(
    version: ProxyHeaderVersion,
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
) -> Vec<u8> {
    let mut out = Vec::new();
    if version == ProxyHeaderVersion::V1 {
        write_v1(&mut out, local, peer);
    } else {
        out.extend_from_slice(&SIGNATURE);
        out.extend_from_slice(&[VERSION_COMMAND_LOCAL, 0, 0, 0]);
    }
    out
}

/// Both as IPv4, or both as IPv6 with the IPv4 one mapped.
fn same_family(a: IpAddr, b: IpAddr) -> (IpAddr, IpAddr) {
    let v6 = |ip| match ip {
        IpAddr::V4(ip) => IpAddr::V6(ip.to_ipv6_mapped()),
        v6 @ IpAddr::V6(_) => v6,
    };
    if a.is_ipv4() && b.is_ipv4() { (a, b) } else { (v6(a), v6(b)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_text_form_is_one_line() {
        let mut out = Vec::new();
        write_v1(&mut out, addr("192.0.2.1:1000"), addr("192.0.2.2:25"));
        assert_eq!(out, b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\n");
        out.clear();
        write_v1(&mut out, addr("192.0.2.1:1000"), addr("[2001:db8::1]:25"));
        assert_eq!(out, b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1000 25\r\n");
        out.clear();
        write_v1(&mut out, None, None);
        assert_eq!(out, b"PROXY UNKNOWN\r\n");
    }

    #[test]
    fn both_forms_are_read_back() {
        for (from, to) in [("192.0.2.1:1", "192.0.2.2:65535"), ("[2001:db8::1]:1", "[2001:db8::2]:2")] {
            let (mut v1, mut v2) = (Vec::new(), Vec::new());
            write_v1(&mut v1, addr(from), addr(to));
            write_v2(&mut v2, addr(from), addr(to), &[Tlv { kind: 5, value: b"id" }]);
            for bytes in [&v1, &v2] {
                let Parsed::Complete(header) = parse(bytes) else { panic!("{bytes:?}") };
                assert_eq!((header.source, header.destination), (addr(from), addr(to)));
                assert_eq!(header.length, bytes.len());
            }
            let Parsed::Complete(header) = parse(&v2) else { panic!() };
            assert_eq!(header.tlvs().collect::<Vec<_>>(), [Tlv { kind: 5, value: b"id" }]);
        }
    }

    #[test]
    fn the_checksum_covers_the_header_with_itself_as_zero() {
        let mut out = b"before".to_vec();
        let fields = [Tlv { kind: CRC32C, value: &[0; 4] }, Tlv { kind: 5, value: b"id" }];
        write_v2(&mut out, addr("192.0.2.1:1"), addr("192.0.2.2:2"), &fields);
        let header = &mut out[6..];
        let Parsed::Complete(parsed) = parse(header) else { panic!() };
        let fields: Vec<(u8, Vec<u8>)> = parsed.tlvs().map(|tlv| (tlv.kind, tlv.value.to_vec())).collect();
        assert_eq!(fields[1], (5, b"id".to_vec()));
        let (sum, len) = (fields[0].1.clone(), header.len());
        header[len - 9..len - 5].fill(0);
        assert_eq!(sum, crate::expr::crc32c(header).to_be_bytes());
    }

    #[test]
    fn a_check_in_the_binary_form_is_local() {
        let bytes = check_header(ProxyHeaderVersion::V2, addr("192.0.2.1:1"), addr("192.0.2.2:2"));
        assert_eq!(bytes.len(), 16);
        let Parsed::Complete(header) = parse(&bytes) else { panic!() };
        assert!(header.local && header.source.is_none());
    }
}
