//! What the parts of a supervised program tell each other: where the health of the service meets the address.
//!
//! The supervisor stands between `proxy` and `vrrp`. It knows the life of both; what one part knows of the peer or of the
//! servers it passes on to the other.

use lb_core::health::Health;
use lb_core::process::answers::Known;
use lb_core::process::bundle::Listing;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use vrrp::linux::control::Dump;

/// From the supervisor to a part.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToPart {
    /// The first message: what to begin with.
    Init {
        /// Listening sockets by address, in the order of the descriptors.
        sockets: Vec<(String, usize)>,
        /// What a predecessor of the vrrp part remembered, and how long ago it ended.
        memory: Option<(vrrp::Memory, Duration)>,
        /// Whether this is the first start of the part.
        first: bool,
    },
    /// Read the configuration again; the files follow the message.
    Reload {
        /// New listening sockets by address, in the order of the descriptors.
        sockets: Vec<(String, usize)>,
        /// Files and their lengths, in the order of the bytes that follow; directories have names instead.
        files: Listing,
        /// What the names in them stand for.
        names: Known,
    },
    /// Stop.
    Stop {
        /// Let sessions end by themselves.
        graceful: bool,
    },
    /// Write keepalived's files of a kind: for the vrrp part.
    Dump(Dump),
    /// Answer with the same number.
    Ping(u64),
    /// The proxy serves, or does not: for the vrrp part.
    ProxyServes(bool),
    /// How servers are: for the vrrp part.
    Health(Health),
    /// The other node stopped speaking: for the proxy part.
    PeerGone(IpAddr),
    /// A question about the virtual routers: for the vrrp part.
    Ask(String),
    /// Question and answer: for the proxy part.
    Told(String, String),
}

/// From a part to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromPart {
    /// The part does its work.
    Ready,
    /// The file that exists while files are read again, from now on.
    ReloadFile(Option<String>),
    /// Answer to a ping.
    Pong(u64),
    /// A reload was carried out, or why not.
    Reloaded(Result<(), String>),
    /// How servers are.
    Health(Health),
    /// What a successor of the vrrp part needs to know.
    Memory(vrrp::Memory),
    /// The other node stopped speaking.
    PeerGone(IpAddr),
    /// A question about the virtual routers.
    Ask(String),
    /// Question and answer.
    Told(String, String),
}
