//! Addresses as configurations write them: inet, host name, unix, abstract, inherited descriptor.

use std::fmt;
use std::net::SocketAddr;
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
}
