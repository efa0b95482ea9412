//! What the parts of a supervised program tell each other: where the health of the service meets the address.
//!
//! The supervisor stands between `proxy` and `vrrp`. It knows the life of both; what one part knows of the peer or of the
//! servers it passes on to the other.

use lb_core::health::Health;
use lb_core::process::bundle::Listing;
use lb_core::process::{Channel, Parcel};
use lb_core::rt::AsyncChannel;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
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
    },
    /// Stop.
    Stop {
        /// Let sessions end by themselves.
        graceful: bool,
    },
    /// Write one of keepalived's files: for the vrrp part.
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

/// A channel whose messages can be awaited.
#[derive(Debug)]
pub(crate) struct Link(AsyncChannel);

impl Link {
    /// Inside a runtime.
    pub(crate) fn new(channel: Channel) -> io::Result<Self> {
        AsyncChannel::new(channel).map(Self)
    }

    /// The next message, with the bytes behind it and its descriptors; `None` when the other end is gone. Cancel safe.
    pub(crate) async fn receive<T: for<'de> Deserialize<'de>>(&mut self) -> io::Result<Option<Message<T>>> {
        self.0.receive().await?.map(Message::parse).transpose()
    }

    /// Sends a message.
    pub(crate) fn send<T: Serialize>(&self, message: &T) -> io::Result<()> {
        self.send_with(message, &[], &[])
    }

    /// Sends a message with bytes and descriptors.
    pub(crate) fn send_with<T: Serialize>(
        &self,
        message: &T,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut all = serde_json::to_vec(message)?;
        all.push(b'\n');
        all.extend_from_slice(bytes);
        self.0.send(&all, fds)
    }
}

/// A message with what came behind it.
#[derive(Debug)]
pub(crate) struct Message<T> {
    /// The message.
    pub value: T,
    /// The bytes behind it.
    pub bytes: Vec<u8>,
    /// The descriptors.
    pub descriptors: Vec<OwnedFd>,
}

impl<T: for<'de> Deserialize<'de>> Message<T> {
    fn parse(parcel: Parcel) -> io::Result<Self> {
        let end = parcel.bytes.iter().position(|&b| b == b'\n').unwrap_or(parcel.bytes.len());
        let value = serde_json::from_slice(&parcel.bytes[..end])?;
        let bytes = parcel.bytes.get(end + 1..).unwrap_or_default().to_vec();
        Ok(Self { value, bytes, descriptors: parcel.descriptors })
    }
}

/// Gives each address its descriptors.
pub(crate) fn distribute(list: Vec<(String, usize)>, fds: Vec<OwnedFd>) -> lb_core::rt::Sockets {
    let mut fds = fds.into_iter();
    list.into_iter().map(|(address, count)| (address, fds.by_ref().take(count).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_keep_their_order_and_their_bytes() {
        let (a, b) = Channel::pair().unwrap();
        let (a, mut b) = (Link::new(a).unwrap(), Link::new(b).unwrap());
        a.send(&FromPart::Pong(1)).unwrap();
        a.send_with(&FromPart::Ready, b"bytes\nwith lines", &[]).unwrap();
        drop(a);
        assert!(matches!(b.receive().await.unwrap().unwrap().value, FromPart::Pong(1)));
        let second = b.receive::<FromPart>().await.unwrap().unwrap();
        assert_eq!(second.bytes, b"bytes\nwith lines");
        assert!(b.receive::<FromPart>().await.unwrap().is_none());
    }
}
