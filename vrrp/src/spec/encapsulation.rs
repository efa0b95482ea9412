//! What the packets of a route are wrapped in.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What packets to a gateway are wrapped in (`encap`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Encapsulation {
    /// MPLS, with these labels, the outermost first.
    Mpls(Vec<u32>),
    /// A tunnel device of IPv4 that is told where each packet goes.
    Ip(Tunnel<Ipv4Addr>),
    /// The same of IPv6.
    Ip6(Tunnel<Ipv6Addr>),
    /// Identifier-locator addressing, with this locator.
    Ila(u64),
}

/// What a tunnel device is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Tunnel<A> {
    /// The key or network number.
    pub id: Option<u64>,
    /// The far end.
    pub destination: Option<A>,
    /// The near end.
    pub source: Option<A>,
    /// Type of service or traffic class.
    pub tos: Option<u8>,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
    /// Flags as the kernel numbers them.
    pub flags: Option<u16>,
}

impl<A> Default for Tunnel<A> {
    fn default() -> Self {
        Self { id: None, destination: None, source: None, tos: None, ttl: None, flags: None }
    }
}
