//! Reading a header.

use super::{MAX_V1, SIGNATURE};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the first bytes of a connection turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "three outcomes")]
pub enum Parsed<'a> {
    /// A beginning; more bytes are needed.
    Incomplete,
    /// A header.
    Complete(Header<'a>),
    /// Not a header.
    Invalid(Invalid),
}

/// Why bytes are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// They begin like neither form, or like one of a version that is not known.
    #[error("no PROXY header")]
    Signature,
    /// The text line is too long or malformed.
    #[error("malformed PROXY line")]
    Line,
    /// The text line is about a transport that is not known.
    #[error("unknown transport")]
    Family,
    /// An unknown command of the binary form.
    #[error("unknown command")]
    Command,
    /// The binary form is about a family or a transport that does not exist.
    #[error("unknown family or transport")]
    Transport,
    /// The binary addresses do not fit the announced length.
    #[error("addresses exceed the header")]
    Length,
    /// The checksum is not that of the header.
    #[error("wrong checksum")]
    Checksum,
    /// An additional field exceeds the header.
    #[error("malformed field")]
    Field,
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header<'a> {
    /// The client's address; `None` when unknown or not of the inet families.
    pub source: Option<SocketAddr>,
    /// The address the client connected to.
    pub destination: Option<SocketAddr>,
    /// Made by the sender for itself (a health check): the real addresses of the connection count.
    pub local: bool,
    /// Bytes of the header.
    pub length: usize,
    tlvs: &'a [u8],
}

/// An additional field of the binary form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a type and a value")]
pub struct Tlv<'a> {
    /// Its type.
    pub kind: u8,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Header<'a> {
    /// The additional fields, up to the first malformed one.
    pub fn tlvs(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        super::tlv::fields(self.tlvs)
    }

    /// The bytes of the additional fields, for [`tlv::find`](super::tlv::find).
    pub fn fields(&self) -> &'a [u8] {
        self.tlvs
    }
}

/// Reads the header at the start of `bytes`.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let compared = bytes.len().min(SIGNATURE.len());
    if bytes[..compared] == SIGNATURE[..compared] {
        return if compared < SIGNATURE.len() { Parsed::Incomplete } else { binary(bytes) };
    }
    let compared = bytes.len().min(6);
    if bytes[..compared] == b"PROXY "[..compared] {
        return line(bytes);
    }
    Parsed::Invalid(Invalid::Signature)
}

fn line(bytes: &[u8]) -> Parsed<'_> {
    let Some(end) = bytes.iter().take(MAX_V1).position(|&b| b == b'\n') else {
        return if bytes.len() < MAX_V1 { Parsed::Incomplete } else { Parsed::Invalid(Invalid::Line) };
    };
    let length = end + 1;
    let header = |source, destination| {
        Parsed::Complete(Header { source, destination, local: false, length, tlvs: &[] })
    };
    let Some(text) = bytes[..end].strip_suffix(b"\r").and_then(|l| std::str::from_utf8(l).ok()) else {
        return Parsed::Invalid(Invalid::Line);
    };
    let mut words = text.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        return header(None, None);
    }
    let (from, to, from_port, to_port) = (words.next(), words.next(), words.next(), words.next());
    let ip = |word: Option<&str>| match family {
        Some("TCP4") => word?.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Some("TCP6") => word?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    // The standard library would take a sign.
    let number = |word: &str| if word.starts_with('+') { None } else { word.parse().ok() };
    let address = |host, port: Option<&str>| Some(SocketAddr::new(ip(host)?, number(port?)?));
    match (address(from, from_port), address(to, to_port), words.next()) {
        (Some(source), Some(destination), None) => header(Some(source), Some(destination)),
        _ if !matches!(family, Some("TCP4" | "TCP6")) => Parsed::Invalid(Invalid::Family),
        _ => Parsed::Invalid(Invalid::Line),
    }
}

fn binary(bytes: &[u8]) -> Parsed<'_> {
    let Some(head) = bytes.get(12..16) else { return Parsed::Incomplete };
    let length = 16 + usize::from(u16::from_be_bytes([head[2], head[3]]));
    let local = match head[0] {
        0x20 => true,
        0x21 => false,
        other if other >> 4 != 2 => return Parsed::Invalid(Invalid::Signature),
        _ => return Parsed::Invalid(Invalid::Command),
    };
    let (family, transport) = (head[1] >> 4, head[1] & 15);
    if !local && (family > 3 || transport > 2) {
        return Parsed::Invalid(Invalid::Transport);
    }
    let Some(body) = bytes.get(16..length) else { return Parsed::Incomplete };
    let used = match family {
        _ if local => 0,
        1 => 12,
        2 => 36,
        3 => 216,
        // Nothing is known of what such a header holds.
        _ => body.len(),
    };
    let Some(fields) = body.get(used..) else { return Parsed::Invalid(Invalid::Length) };
    if let Err(invalid) = super::tlv::check(&bytes[..length], fields) {
        return Parsed::Invalid(invalid);
    }
    // What came as datagrams or over a transport that is not told are not the addresses of a connection.
    let (source, destination) = if local || transport != 1 { (None, None) } else { addresses(family, body) };
    Parsed::Complete(Header { source, destination, local, length, tlvs: fields })
}

fn addresses(family: u8, body: &[u8]) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let port = |at: usize| body.get(at..at + 2).map_or(0, |p| u16::from_be_bytes([p[0], p[1]]));
    let v4 = |at: usize| body.get(at..).and_then(|b| b.first_chunk::<4>()).map(|b| IpAddr::from(*b));
    let v6 = |at: usize| body.get(at..).and_then(|b| b.first_chunk::<16>()).map(|b| IpAddr::from(*b));
    let (from, to, ports) = match family {
        1 => (v4(0), v4(4), 8),
        2 => (v6(0), v6(16), 32),
        _ => (None, None, 0),
    };
    let with = |ip: Option<IpAddr>, at| ip.map(|ip| SocketAddr::new(ip, port(at)));
    (with(from, ports), with(to, ports + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_must_end_with_the_header() {
        let header = |fields: &[u8]| {
            let mut bytes = SIGNATURE.to_vec();
            bytes.extend_from_slice(&[0x21, 0x11, 0, 12 + fields.len() as u8]);
            bytes.extend_from_slice(&[127, 0, 0, 1, 127, 0, 0, 1, 0, 42, 5, 57]);
            bytes.extend_from_slice(fields);
            bytes
        };
        assert!(matches!(parse(&header(&[2, 0, 2, 1, 2])), Parsed::Complete(_)));
        for bad in [&[2, 0, 3, 1, 2][..], &[2, 0, 1, 1, 2], &[2, 0]] {
            assert_eq!(parse(&header(bad)), Parsed::Invalid(Invalid::Field));
        }
    }

    #[test]
    fn every_beginning_of_a_header_is_incomplete() {
        let mut v2 = Vec::new();
        let addr = Some("192.0.2.1:1".parse().unwrap());
        super::super::write_v2(&mut v2, addr, addr, &[]);
        for header in [b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\n".to_vec(), v2] {
            for end in 0..header.len() {
                assert_eq!(parse(&header[..end]), Parsed::Incomplete, "{end}");
            }
        }
    }

    #[test]
    fn what_is_not_a_header_is_told_at_once() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Parsed::Invalid(Invalid::Signature));
        assert_eq!(parse(b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), Parsed::Invalid(Invalid::Line));
        assert_eq!(parse(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), Parsed::Invalid(Invalid::Line));
        assert_eq!(parse(b"PROXY TCP4 ::1 ::1 1 2\r\n"), Parsed::Invalid(Invalid::Line));
        assert_eq!(parse(b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"), Parsed::Invalid(Invalid::Line));
        assert_eq!(parse(&[b"PROXY ".to_vec(), vec![b'x'; 200]].concat()), Parsed::Invalid(Invalid::Line));
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0x31, 0x11, 0, 0]);
        assert_eq!(parse(&bytes), Parsed::Invalid(Invalid::Signature));
        bytes[12] = 0x25;
        assert_eq!(parse(&bytes), Parsed::Invalid(Invalid::Command));
        assert_eq!(parse(b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"), Parsed::Invalid(Invalid::Family));
        bytes[12] = 0x21;
        assert_eq!(parse(&bytes), Parsed::Invalid(Invalid::Length));
    }

    fn about(family: u8) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0x21, family, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2]);
        bytes
    }

    #[test]
    fn families_and_transports_that_do_not_exist_are_refused() {
        for family in [0x13, 0x1f, 0x23, 0x33, 0x03, 0x41, 0xff] {
            assert_eq!(parse(&about(family)), Parsed::Invalid(Invalid::Transport), "{family:#x}");
        }
    }

    #[test]
    fn a_connection_takes_addresses_of_streams_alone() {
        for (family, known) in [(0x11, true), (0x10, false), (0x12, false), (0x00, false)] {
            let bytes = about(family);
            let Parsed::Complete(header) = parse(&bytes) else { panic!("{family:#x}") };
            assert_eq!(header.source.is_some(), known, "{family:#x}");
        }
    }

    #[test]
    fn fields_after_the_addresses_are_found() {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0x21, 0x11, 0, 12 + 4 + 3]);
        bytes.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2]);
        bytes.extend_from_slice(&[5, 0, 1, 9, 6, 0, 0]);
        let Parsed::Complete(header) = parse(&bytes) else { panic!() };
        assert_eq!(header.tlvs().count(), 2);
        assert_eq!(header.source, Some("1.2.3.4:1".parse().unwrap()));
    }
}
