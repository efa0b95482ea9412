//! Address text as the expression language reads and writes it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Parses a dotted quad; nothing else.
pub(crate) fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Parses an IPv6 address in any RFC 4291 form.
pub(crate) fn parse_ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The IPv4 address inside a mapped, compatible or 6to4 address.
pub(crate) fn v6_to_v4(addr: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = addr.segments();
    if segments[0] == 0x2002 {
        return Some(Ipv4Addr::from((u32::from(segments[1]) << 16) | u32::from(segments[2])));
    }
    let compatible = segments[..6] == [0; 6];
    let mapped = segments[..5] == [0; 5] && segments[5] == 0xffff;
    (compatible || mapped).then(|| Ipv4Addr::from((u32::from(segments[6]) << 16) | u32::from(segments[7])))
}

/// Appends the dotted form.
pub(crate) fn push_ipv4(out: &mut Vec<u8>, addr: Ipv4Addr) {
    for (at, octet) in addr.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        super::sample::push_uint(out, u64::from(octet));
    }
}

/// Appends the RFC 5952 form.
pub(crate) fn push_ipv6(out: &mut Vec<u8>, addr: Ipv6Addr) {
    use std::io::Write;
    write!(out, "{addr}").expect("writing to a Vec cannot fail");
}

/// The IPv4 mask of `bits` leading ones.
pub(crate) const fn mask4(bits: u8) -> u32 {
    if bits == 0 { 0 } else { u32::MAX << (32 - if bits > 32 { 32 } else { bits }) }
}

/// The IPv6 mask of `bits` leading ones.
pub(crate) const fn mask6(bits: u8) -> u128 {
    if bits == 0 { 0 } else { u128::MAX << (128 - if bits > 128 { 128 } else { bits }) }
}

/// Parses a network mask: a bit count or, for IPv4, a dotted mask.
pub(crate) fn parse_mask4(text: &str) -> Option<u32> {
    if let Ok(bits) = text.parse::<u8>() {
        return (bits <= 32).then(|| mask4(bits));
    }
    text.parse::<Ipv4Addr>().ok().map(u32::from)
}

/// Parses an IPv6 mask: a bit count or a mask written as an address.
pub(crate) fn parse_mask6(text: &str) -> Option<u128> {
    if let Ok(bits) = text.parse::<u8>() {
        return (bits <= 128).then(|| mask6(bits));
    }
    text.parse::<Ipv6Addr>().ok().map(u128::from)
}
