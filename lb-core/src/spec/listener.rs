//! One listening socket.

use super::{Origin, TlsServerSpec};
use crate::addr::Endpoint;
use std::sync::Arc;
use std::time::Duration;

/// A socket that accepts the clients of a proxy.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListenerSpec {
    /// Where to listen; port ranges are already expanded.
    pub endpoint: Endpoint,
    /// Address family rule for wildcard addresses.
    pub family: Family,
    /// Name, shown in statistics and available to rules.
    pub name: Option<Arc<str>>,
    /// Number in statistics.
    pub id: Option<u32>,
    /// Speak TLS.
    pub tls: Option<Arc<TlsServerSpec>>,
    /// Expect a PROXY protocol header in front of everything else.
    pub accept_proxy: bool,
    /// Connections at the same time.
    pub maxconn: Option<u32>,
    /// Length of the kernel's queue.
    pub backlog: Option<u32>,
    /// Only this interface.
    pub interface: Option<Arc<str>>,
    /// Accept connections to addresses that are not local (`transparent`).
    pub transparent: bool,
    /// TCP fast open.
    pub tfo: bool,
    /// Let the kernel hold a connection until data arrives.
    pub defer_accept: bool,
    /// Acknowledge what a client sends with the answer rather than by a packet of its own (`option tcp-smart-accept`).
    pub delay_ack: bool,
    /// Largest TCP segment.
    pub mss: Option<i32>,
    /// Permissions of a unix socket.
    pub unix: UnixPermissions,
    /// Which protocol the client speaks from its first byte on, if not the proxy's default (`h1`, `h2`).
    pub proto: Option<Arc<str>>,
    /// Take datagrams in place of connections.
    pub datagrams: Option<Datagrams>,
    /// Where it was configured.
    pub origin: Origin,
}

impl ListenerSpec {
    /// A plain listener on `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            family: Family::Any,
            name: None,
            id: None,
            tls: None,
            accept_proxy: false,
            maxconn: None,
            backlog: None,
            interface: None,
            transparent: false,
            tfo: false,
            defer_accept: false,
            delay_ack: false,
            mss: None,
            unix: UnixPermissions::default(),
            proto: None,
            datagrams: None,
            origin: Origin::NONE,
        }
    }

    /// What tells its sockets from those of other listeners: the endpoint, and that it takes datagrams if it does.
    pub fn place(&self) -> String {
        let sort = if self.datagrams.is_some() { "udp@" } else { "" };
        format!("{sort}{}", self.endpoint)
    }
}

/// How a listener treats datagrams: what one client sends to it and what a server answers is a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Datagrams {
    /// A flow ends when so long no datagram passed in either direction.
    pub idle: Duration,
    /// Most flows of each socket; a new one displaces the one whose client was silent for longest.
    pub flows: usize,
    /// Each datagram is a flow of its own.
    pub single: bool,
}

/// Which families a wildcard IPv6 listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the three rules the socket interface knows")]
pub enum Family {
    /// As the system does by default.
    #[default]
    Any,
    /// Both families on one socket (`v4v6`).
    Both,
    /// IPv6 alone (`v6only`).
    V6Only,
}

/// Owner and mode of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UnixPermissions {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User, by name.
    pub user: Option<Arc<str>>,
    /// Group, by name.
    pub group: Option<Arc<str>>,
    /// User, by number.
    pub uid: Option<u32>,
    /// Group, by number.
    pub gid: Option<u32>,
}
