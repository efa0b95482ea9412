//! Typed messages between the processes of one program: JSON, and behind it bytes and descriptors as they are.

use super::channel::AsyncChannel;
use super::server::Sockets;
use crate::process::{Channel, Parcel};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A channel whose messages can be awaited.
#[derive(Debug)]
pub struct Link(AsyncChannel);

impl Link {
    /// Must be called inside a runtime.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn new(channel: Channel) -> io::Result<Self> {
        AsyncChannel::new(channel).map(Self)
    }

    /// The next message, with the bytes behind it and its descriptors; `None` when the other end is gone. Cancel safe.
    ///
    /// # Errors
    /// What the socket reports, `UnexpectedEof` behind a message that the other end broke off, and one that is not a `T`.
    pub async fn receive<T: for<'de> Deserialize<'de>>(&mut self) -> io::Result<Option<Message<T>>> {
        self.0.receive().await?.map(Message::parse).transpose()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// What the socket reports; the other end may be gone.
    pub fn send<T: Serialize>(&self, message: &T) -> io::Result<()> {
        self.send_with(message, &[], &[])
    }

    /// Sends a message with bytes and descriptors.
    ///
    /// # Errors
    /// What the socket reports; the other end may be gone.
    pub fn send_with<T: Serialize>(
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
#[non_exhaustive]
pub struct Message<T> {
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

/// Sockets on their way: addresses with the number of their descriptors, and all the descriptors in this order.
pub fn collect(sockets: &Sockets) -> (Vec<(String, usize)>, Vec<BorrowedFd<'_>>) {
    let list = sockets.iter().map(|(address, sockets)| (address.clone(), sockets.len())).collect();
    (list, sockets.values().flatten().map(AsFd::as_fd).collect())
}

/// Gives each address of [`collect`] its descriptors again.
pub fn distribute(list: Vec<(String, usize)>, fds: Vec<OwnedFd>) -> Sockets {
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
        a.send(&1).unwrap();
        a.send_with(&2, b"bytes\nwith lines", &[]).unwrap();
        drop(a);
        assert_eq!(b.receive::<u8>().await.unwrap().unwrap().value, 1);
        let second = b.receive::<u8>().await.unwrap().unwrap();
        assert_eq!((second.value, &second.bytes[..]), (2, &b"bytes\nwith lines"[..]));
        assert!(b.receive::<u8>().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn something_else_is_an_error_and_not_the_end() {
        let (a, b) = Channel::pair().unwrap();
        let (a, mut b) = (Link::new(a).unwrap(), Link::new(b).unwrap());
        a.send(&"text").unwrap();
        a.send(&3).unwrap();
        assert!(b.receive::<u8>().await.is_err());
        assert_eq!(b.receive::<u8>().await.unwrap().unwrap().value, 3);
    }

    #[test]
    fn sockets_come_back_to_their_addresses() {
        let open = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let sockets = Sockets::from([("a".to_owned(), vec![open(), open()]), ("b".to_owned(), vec![open()])]);
        let (list, fds) = collect(&sockets);
        assert_eq!((list.len(), fds.len()), (2, 3));
        let back = distribute(list, vec![open(), open(), open()]);
        assert_eq!((back["a"].len(), back["b"].len()), (2, 1));
    }
}
