//! Sessions that watch the path to a neighbour.

use std::net::IpAddr;
use std::time::Duration;

use super::{Name, Origin, Weight};

/// A session with one neighbour (`bfd_instance`), see [`bfd`](crate::bfd).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Bfd {
    /// Where it was configured.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// The other end.
    pub neighbor: IpAddr,
    /// Our end; whatever the routing table says if absent.
    pub source: Option<IpAddr>,
    /// We want to receive no faster than this.
    pub min_rx: Duration,
    /// We would like to send no faster than this.
    pub min_tx: Duration,
    /// The same while the session is not up; at least one second.
    pub idle_tx: Duration,
    /// Lost packets of ours after which the neighbour is to call the session down.
    pub multiplier: u8,
    /// Does not begin, but answers.
    pub passive: bool,
    /// Hop limit of our packets.
    pub ttl: u8,
    /// The lowest hop limit of packets that are believed; any if absent.
    pub min_ttl: Option<u8>,
    /// The neighbour may be several routers away (RFC 5883): another port.
    pub multihop: bool,
    /// Effect where an instance names no other.
    pub weight: Weight,
}

impl Bfd {
    /// A session over one hop with keepalived's defaults: a packet every 10 ms, down after five lost ones. Its failure
    /// is a fault.
    #[must_use]
    pub fn new(name: impl Into<Name>, neighbor: IpAddr) -> Self {
        Self {
            origin: Origin::default(),
            name: name.into(),
            neighbor,
            source: None,
            min_rx: Duration::from_millis(10),
            min_tx: Duration::from_millis(10),
            idle_tx: Duration::from_secs(1),
            multiplier: 5,
            passive: false,
            ttl: 255,
            min_ttl: Some(255),
            multihop: false,
            weight: Weight::FAULT,
        }
    }

    /// The port packets go to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        if self.multihop { 4784 } else { 3784 }
    }

    /// True if two specifications mean the same session, whatever its timers are.
    #[must_use]
    pub fn is_same_session(&self, other: &Self) -> bool {
        (&self.name, self.neighbor, self.source, self.multihop)
            == (&other.name, other.neighbor, other.source, other.multihop)
    }
}
