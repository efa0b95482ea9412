//! Addresses as configurations write them: inet, host name, unix, abstract, inherited descriptor.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Where to listen, connect or send to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Endpoint {
    /// An address and port.
    Inet(SocketAddr),
    /// A host name to resolve, and a port.
    Host {
        /// The name.
        name: Arc<str>,
        /// The port.
        port: u16,
    },
    /// A path of a unix socket.
    Unix(Arc<str>),
    /// A name in the abstract unix namespace.
    Abstract(Arc<str>),
    /// An inherited file descriptor.
    Fd(i32),
}

impl Endpoint {
    /// The address and port, if it is one.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            _ => None,
        }
    }

    /// The same endpoint with another port; endpoints without ports stay as they are.
    pub fn with_port(&self, port: u16) -> Self {
        match self {
            Self::Inet(addr) => Self::Inet(SocketAddr::new(addr.ip(), port)),
            Self::Host { name, .. } => Self::Host { name: Arc::clone(name), port },
            other => other.clone(),
        }
    }

    /// The port, if there is one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Inet(addr) => Some(addr.port()),
            Self::Host { port, .. } => Some(*port),
            _ => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Host { name, port } => write!(f, "{name}:{port}"),
            Self::Unix(path) => write!(f, "unix@{path}"),
            Self::Abstract(name) => write!(f, "abns@{name}"),
            Self::Fd(fd) => write!(f, "fd@{fd}"),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

/// An address and the number of its leading bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "an address and a length")]
pub struct Network {
    /// The address.
    pub addr: IpAddr,
    /// Leading bits that count.
    pub bits: u8,
}

impl Network {
    /// Whether `addr` is in it. An IPv4 network also holds the mapped IPv6 form of its addresses.
    pub fn contains(&self, addr: IpAddr) -> bool {
        match (self.addr, addr.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32u32.saturating_sub(u32::from(self.bits));
                shift == 32 || (own.to_bits() ^ other.to_bits()) >> shift == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128u32.saturating_sub(u32::from(self.bits));
                shift == 128 || (own.to_bits() ^ other.to_bits()) >> shift == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_print_as_they_are_written() {
        let inet: Endpoint = "10.0.10.3:25".parse::<SocketAddr>().unwrap().into();
        assert_eq!(inet.to_string(), "10.0.10.3:25");
        assert_eq!(inet.with_port(80).port(), Some(80));
        let host = Endpoint::Host { name: "mx".into(), port: 25 };
        assert_eq!(host.to_string(), "mx:25");
        assert_eq!(Endpoint::Unix("/run/a".into()).with_port(1).port(), None);
    }

    #[test]
    fn networks_hold_their_addresses_and_the_mapped_forms() {
        let net = Network { addr: "10.1.0.0".parse().unwrap(), bits: 16 };
        assert!(net.contains("10.1.2.3".parse().unwrap()));
        assert!(net.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!net.contains("10.2.0.0".parse().unwrap()));
        let all = Network { addr: "0.0.0.0".parse().unwrap(), bits: 0 };
        assert!(all.contains("1.2.3.4".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
        let six = Network { addr: "2001:db8::".parse().unwrap(), bits: 32 };
        assert!(
            six.contains("2001:db8:1::".parse().unwrap()) && !six.contains("2001:db9::".parse().unwrap())
        );
    }
}
