//! Addresses (configuration manual 2.9): prefixes, unix paths, host names, ports, ranges, offsets.

use lb_core::addr::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address<'t> {
    /// The text, for messages.
    pub text: &'t str,
    /// What it leads to.
    pub place: Place<'t>,
    /// Its port or ports.
    pub ports: Ports,
    /// How it is spoken to, if a prefix says so.
    pub transport: Option<Transport>,
}

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place<'t> {
    /// Any address: `*` or nothing; true for IPv6.
    Wildcard(bool),
    /// An address.
    Ip(IpAddr),
    /// A name to resolve.
    Name(&'t str),
    /// A unix socket.
    Unix(&'t str),
    /// A name in the abstract unix namespace.
    Abstract(&'t str),
    /// An inherited descriptor.
    Fd(i32),
    /// A connected pair of sockets.
    SocketPair(i32),
    /// Reverse HTTP: `backend/server`.
    Reverse(&'t str),
}

/// Ports of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the forms a port can take")]
pub enum Ports {
    /// None is written.
    None,
    /// One.
    One(u16),
    /// From the first to the last.
    Range(u16, u16),
    /// The client's port plus this.
    Offset(i32),
}

/// How an address is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the transports prefixes can name")]
pub enum Transport {
    /// A stream.
    Stream,
    /// Datagrams.
    Datagram,
    /// QUIC.
    Quic,
}

/// What a keyword accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// A port may be written.
    pub port: bool,
    /// A port must be written.
    pub mandatory: bool,
    /// A range may be written.
    pub range: bool,
    /// An offset may be written.
    pub offset: bool,
}

impl Rules {
    /// `bind`: a port or a range.
    pub const BIND: Self = Self { port: true, mandatory: true, range: true, offset: false };
    /// `server`: perhaps a port or an offset.
    pub const SERVER: Self = Self { port: true, mandatory: false, range: false, offset: true };
    /// A port must be there.
    pub const FIXED: Self = Self { port: true, mandatory: true, range: false, offset: false };
    /// Perhaps a port.
    pub const LOOSE: Self = Self { port: true, mandatory: false, range: false, offset: false };
    /// Perhaps a port or range.
    pub const SOURCE: Self = Self { port: true, mandatory: false, range: true, offset: false };
    /// No port.
    pub const HOST: Self = Self { port: false, mandatory: false, range: false, offset: false };
}

/// What is wrong with an address: whether it is the port, and HAProxy's words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressError {
    /// The port is wrong, not the address.
    pub port: bool,
    /// What is wrong.
    pub message: String,
}

fn bad(message: impl Into<String>) -> AddressError {
    AddressError { port: false, message: message.into() }
}

fn bad_port(message: impl Into<String>) -> AddressError {
    AddressError { port: true, message: message.into() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Any,
    V4,
    V6,
}

/// Reads the address `text` under `rules`.
pub fn parse(text: &str, rules: Rules) -> Result<Address<'_>, AddressError> {
    let (transport, rest) = transport(text);
    let done = |place, transport| Ok(Address { text, place, ports: Ports::None, transport });
    let number = |rest: &str| {
        rest.parse::<i32>()
            .ok()
            .filter(|fd| *fd >= 0)
            .ok_or_else(|| bad(format!("file descriptor '{rest}' is not a valid integer in '{text}'")))
    };
    let (family, kind, rest) = match rest.split_once('@') {
        Some(("abns" | "abnsz", name)) => return done(Place::Abstract(name), transport),
        Some(("unix", path)) => return done(Place::Unix(path), transport),
        Some(("uxst", path)) => return done(Place::Unix(path), Some(Transport::Stream)),
        Some(("uxdg", path)) => return done(Place::Unix(path), Some(Transport::Datagram)),
        Some(("fd", fd)) => return done(Place::Fd(number(fd)?), transport),
        Some(("sockpair", fd)) => return done(Place::SocketPair(number(fd)?), transport),
        Some(("rhttp" | "rev", name)) => return done(Place::Reverse(name), transport),
        Some(("ip", rest)) => (Family::Any, transport, rest),
        Some(("ipv4", rest)) => (Family::V4, transport, rest),
        Some(("ipv6", rest)) => (Family::V6, transport, rest),
        Some(("tcp" | "mptcp", rest)) => (Family::Any, Some(Transport::Stream), rest),
        Some(("tcp4" | "mptcp4", rest)) => (Family::V4, Some(Transport::Stream), rest),
        Some(("tcp6" | "mptcp6", rest)) => (Family::V6, Some(Transport::Stream), rest),
        Some(("udp", rest)) => (Family::Any, Some(Transport::Datagram), rest),
        Some(("udp4", rest)) => (Family::V4, Some(Transport::Datagram), rest),
        Some(("udp6", rest)) => (Family::V6, Some(Transport::Datagram), rest),
        Some(("quic4", rest)) => (Family::V4, Some(Transport::Quic), rest),
        Some(("quic6", rest)) => (Family::V6, Some(Transport::Quic), rest),
        _ if rest.starts_with('/') => return done(Place::Unix(rest), transport),
        _ => (Family::Any, transport, rest),
    };
    let (host, port) = split(rest);
    let place = host_place(text, host, family)?;
    Ok(Address { text, place, ports: ports(text, port, rules)?, transport: kind })
}

fn transport(text: &str) -> (Option<Transport>, &str) {
    for (prefix, transport) in
        [("stream+", Transport::Stream), ("dgram+", Transport::Datagram), ("quic+", Transport::Quic)]
    {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (Some(transport), rest);
        }
    }
    (None, text)
}

/// Splits at the last colon that is not inside brackets.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.rfind([':', ']']) {
        Some(at) if text.as_bytes()[at] == b':' => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    }
}

fn host_place<'t>(text: &str, host: &'t str, family: Family) -> Result<Place<'t>, AddressError> {
    if host.is_empty() || host == "*" {
        return Ok(Place::Wildcard(family == Family::V6));
    }
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let bare = inner.unwrap_or(host);
    if let Ok(ip) = bare.parse::<Ipv6Addr>() {
        if family == Family::V4 {
            return Err(bad(format!("invalid address: '{host}' in '{text}'")));
        }
        return Ok(if ip.is_unspecified() { Place::Wildcard(true) } else { Place::Ip(IpAddr::V6(ip)) });
    }
    if inner.is_some() {
        return Err(bad(format!("invalid address: '{host}' in '{text}'")));
    }
    if let Some(ip) = ipv4(bare) {
        if family == Family::V6 {
            return Err(bad(format!("invalid address: '{host}' in '{text}'")));
        }
        return Ok(if ip.is_unspecified() { Place::Wildcard(false) } else { Place::Ip(IpAddr::V4(ip)) });
    }
    Ok(Place::Name(bare))
}

/// An IPv4 address in the forms the system's parser takes: `10.1.2.3`, `127.1`, `0`.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    let parts = text
        .split('.')
        .map(|part| {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                None
            } else {
                part.parse::<u32>().ok()
            }
        })
        .collect::<Option<Vec<u32>>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|p| *p > 255) {
        return None;
    }
    let high = first.iter().enumerate().fold(0u32, |n, (i, p)| n | p << (24 - 8 * i));
    let room = u64::from(u32::MAX) >> (8 * first.len());
    if u64::from(*last) > room { None } else { Some(Ipv4Addr::from(high | last)) }
}

fn ports(text: &str, port: Option<&str>, rules: Rules) -> Result<Ports, AddressError> {
    let port = port.filter(|p| !p.is_empty());
    let Some(port) = port else {
        if rules.mandatory {
            return Err(bad_port(format!("missing port specification in '{text}'")));
        }
        return Ok(Ports::None);
    };
    if !rules.port {
        return Err(bad_port(format!("port specification not permitted here in '{text}'")));
    }
    let number = |p: &str| p.parse::<u32>().ok().and_then(|n| u16::try_from(n).ok());
    let invalid = || bad_port(format!("invalid port '{port}' in '{text}'"));
    if port.starts_with(['+', '-']) {
        if !rules.offset {
            return Err(bad_port(format!("port offset not permitted here in '{text}'")));
        }
        let offset = port.parse::<i32>().ok().filter(|n| n.abs() <= 65535);
        return offset.map(Ports::Offset).ok_or_else(invalid);
    }
    if let Some((low, high)) = port.split_once('-') {
        if !rules.range {
            return Err(bad_port(format!("port range not permitted here in '{text}'")));
        }
        let (low, high) = (number(low).ok_or_else(invalid)?, number(high).ok_or_else(invalid)?);
        return match (low, high) {
            (0, _) => Err(bad_port(format!("invalid port '{low}' specified for address '{text}'."))),
            (low, high) if low > high => {
                Err(bad_port(format!("invalid port range '{port}' specified for address '{text}'.")))
            }
            (low, high) if low == high => Ok(Ports::One(low)),
            (low, high) => Ok(Ports::Range(low, high)),
        };
    }
    number(port).map(Ports::One).ok_or_else(invalid)
}

impl Address<'_> {
    /// Whether ports make sense for it.
    pub fn is_inet(&self) -> bool {
        matches!(self.place, Place::Wildcard(_) | Place::Ip(_) | Place::Name(_))
    }

    /// The port, if exactly one is written.
    pub fn port(&self) -> Option<u16> {
        match self.ports {
            Ports::One(port) => Some(port),
            _ => None,
        }
    }
}

/// `10.0.0.0/8`, with the mask as a length or an address.
pub(crate) fn network(text: &str) -> Option<Network> {
    let (ip, mask) = text.split_once('/').unwrap_or((text, ""));
    let addr: IpAddr = ip.parse().ok()?;
    let all = if addr.is_ipv4() { 32 } else { 128 };
    let bits = match mask {
        "" => all,
        mask => match mask.parse::<u8>() {
            Ok(bits) => Some(bits).filter(|bits| *bits <= all)?,
            Err(_) => {
                u32::from(mask.parse::<Ipv4Addr>().ok().filter(|_| addr.is_ipv4())?).leading_ones() as u8
            }
        },
    };
    Some(Network { addr, bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn place(text: &str) -> (Place<'_>, Ports) {
        let address = parse(text, Rules { port: true, mandatory: false, range: true, offset: true }).unwrap();
        (address.place, address.ports)
    }

    #[test]
    fn every_form_of_the_manual_is_read() {
        let v4 = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(place("*:80"), (Place::Wildcard(false), Ports::One(80)));
        assert_eq!(place(":80-90"), (Place::Wildcard(false), Ports::Range(80, 90)));
        assert_eq!(place(":::443"), (Place::Wildcard(true), Ports::One(443)));
        assert_eq!(place("[::1]:443"), (Place::Ip("::1".parse().unwrap()), Ports::One(443)));
        assert_eq!(place("127.0.0.1"), (Place::Ip(v4), Ports::None));
        assert_eq!(place("127.1:+10"), (Place::Ip(v4), Ports::Offset(10)));
        assert_eq!(place("ipv4@127.0.0.1:25"), (Place::Ip(v4), Ports::One(25)));
        assert_eq!(place("/run/a.sock"), (Place::Unix("/run/a.sock"), Ports::None));
        assert_eq!(place("unix@a.sock"), (Place::Unix("a.sock"), Ports::None));
        assert_eq!(place("abns@x"), (Place::Abstract("x"), Ports::None));
        assert_eq!(place("fd@7"), (Place::Fd(7), Ports::None));
        assert_eq!(place("www.example.org:80"), (Place::Name("www.example.org"), Ports::One(80)));
        let address = parse("stream+fd@9", Rules::BIND).unwrap();
        assert_eq!((address.place, address.transport), (Place::Fd(9), Some(Transport::Stream)));
        assert_eq!(parse("udp@:514", Rules::BIND).unwrap().transport, Some(Transport::Datagram));
    }

    #[test]
    fn what_a_keyword_does_not_accept_is_named() {
        let message = |text, rules| parse(text, rules).unwrap_err().message;
        assert_eq!(message("stats.sock", Rules::BIND), "missing port specification in 'stats.sock'");
        assert_eq!(message("127.0.0.1", Rules::BIND), "missing port specification in '127.0.0.1'");
        assert_eq!(message("a:80-90", Rules::SERVER), "port range not permitted here in 'a:80-90'");
        assert_eq!(message("a:+1", Rules::BIND), "port offset not permitted here in 'a:+1'");
        assert_eq!(message("a:x", Rules::SERVER), "invalid port 'x' in 'a:x'");
        assert!(parse("a:70000", Rules::SERVER).unwrap_err().port);
        assert!(parse("ipv4@::1:80", Rules::BIND).is_err());
        assert!(parse("fd@x", Rules::BIND).is_err());
    }
}
