//! A channel between processes whose messages can be awaited.

use crate::process::{Channel, Parcel};
use std::io;
use std::os::fd::BorrowedFd;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A [`Channel`] inside a runtime.
#[derive(Debug)]
pub(super) struct AsyncChannel {
    channel: Channel,
    /// A second descriptor of the channel's socket, for waiting.
    readiness: UnixStream,
}

impl AsyncChannel {
    /// Must be called inside a runtime.
    pub(super) fn new(channel: Channel) -> io::Result<Self> {
        let socket = channel.socket().try_clone()?;
        socket.set_nonblocking(true)?;
        Ok(Self { channel, readiness: UnixStream::from_std(socket)? })
    }

    /// The next message; `None` when the other end is gone. Cancel safe.
    pub(super) async fn receive(&mut self) -> io::Result<Option<Parcel>> {
        loop {
            // One read may have brought several messages: those are not waited for.
            let channel = &mut self.channel;
            match self.readiness.try_io(Interest::READABLE, || channel.try_receive()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                parcel => return parcel,
            }
            if let Some(parcel) = self.channel.pending()? {
                return Ok(Some(parcel));
            }
            self.readiness.readable().await?;
        }
    }

    /// Sends a message with descriptors.
    pub(super) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.channel.send(bytes, fds)
    }
}
