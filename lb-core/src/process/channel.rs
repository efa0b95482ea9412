//! Messages with descriptors between a supervisor and its parts, over a pair of unix sockets.
//!
//! A [`Parcel`] is bytes and descriptors. On the wire it is its length (4 bytes, little endian), the number of descriptors
//! (4 bytes), the bytes; descriptors travel with the messages that follow, never more at a time than the kernel allows.

use super::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Descriptors of one message of the system; a parcel with more is sent in several.
pub const MAX_DESCRIPTORS: usize = 64;
/// Largest parcel: configuration files and certificates, with room to spare.
const MAX_BYTES: usize = 256 << 20;
/// How long sending waits for room, usually.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Bytes and the descriptors that belong to them.
#[derive(Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "bytes and descriptors is all a parcel can be")]
pub struct Parcel {
    /// The message.
    pub bytes: Vec<u8>,
    /// Descriptors in the order the message refers to them.
    pub descriptors: Vec<OwnedFd>,
}

/// One end of a pair.
#[derive(Debug)]
pub struct Channel {
    socket: UnixStream,
    received: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Channel {
    /// Two connected ends.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = UnixStream::pair()?;
        Ok((Self::new(a), Self::new(b)))
    }

    /// The end on `socket`. Sending gives up when the other end takes nothing for some seconds.
    pub fn new(socket: UnixStream) -> Self {
        Self { socket, received: Vec::new(), descriptors: VecDeque::new() }
    }

    /// Sends a parcel, waiting a while for room. One that could not be sent whole is the last: whatever came behind it would be
    /// taken for its rest, so that the other end reads the end of the stream instead.
    ///
    /// # Errors
    /// What the socket reports; the other end may be gone.
    pub fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_within(PATIENCE, bytes, descriptors)
    }

    fn send_within(
        &self,
        patience: Timespec,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut head = [0; 8];
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4..].copy_from_slice(&(descriptors.len() as u32).to_le_bytes());
        let mut message = head.to_vec();
        message.extend_from_slice(bytes);
        let mut rest = &message[..];
        self.all(patience, &mut rest, descriptors).inspect_err(|_| {
            if rest.len() < message.len() {
                // The other end may be gone, and the stream with it.
                let _ = self.socket.shutdown(Shutdown::Write);
            }
        })
    }

    /// Sends `rest`, which becomes shorter by what was sent.
    fn all(&self, patience: Timespec, rest: &mut &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        // Each group of descriptors needs a byte to travel with; the eight of the head are always there.
        for (i, group) in descriptors.chunks(MAX_DESCRIPTORS).enumerate() {
            let step = if i + 1 == descriptors.len().div_ceil(MAX_DESCRIPTORS) { rest.len() } else { 1 };
            let sent = self.part(patience, &rest[..step], group)?;
            *rest = &rest[sent..];
        }
        while !rest.is_empty() {
            let sent = self.part(patience, rest, &[])?;
            *rest = &rest[sent..];
        }
        Ok(())
    }

    /// Sends what there is room for. A reader that takes nothing for too long must not hang its writer.
    fn part(&self, patience: Timespec, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
        loop {
            match retry(|| sys::send_with_fds(self.socket.as_fd(), bytes, descriptors)) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let mut wanted = [PollFd::new(&self.socket, PollFlags::OUT)];
                    if poll(&mut wanted, Some(&patience))? == 0 {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                other => return other,
            }
        }
    }

    /// The next complete parcel, waiting for it; `None` when the other end is gone.
    ///
    /// # Errors
    /// What the socket reports, `InvalidData` for a parcel larger than any of ours, and `UnexpectedEof` behind one that was
    /// sent in part by somebody who is still there.
    pub fn receive(&mut self) -> io::Result<Option<Parcel>> {
        self.next(true)
    }

    /// The same without waiting: fails with [`io::ErrorKind::WouldBlock`] when there is none yet, and nothing is lost by
    /// asking again.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn try_receive(&mut self) -> io::Result<Option<Parcel>> {
        self.next(false)
    }

    fn next(&mut self, wait: bool) -> io::Result<Option<Parcel>> {
        loop {
            if let Some(parcel) = self.complete()? {
                return Ok(Some(parcel));
            }
            // On the stack, which stays as large as its deepest call.
            let mut chunk = [0; 8 * 1024];
            let (n, fds) = match retry(|| sys::receive_with_fds(self.socket.as_fd(), &mut chunk, wait)) {
                // So ends one that has left something unread.
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                received => received?,
            };
            if n == 0 {
                let cut = !self.received.is_empty() && !self.is_deserted()?;
                return if cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
            self.received.extend_from_slice(&chunk[..n]);
            self.descriptors.extend(fds);
        }
    }

    /// Whether nobody has the other end any more; one that was only told the end of the stream can still be written to.
    fn is_deserted(&self) -> io::Result<bool> {
        let mut wanted = [PollFd::new(&self.socket, PollFlags::empty())];
        poll(&mut wanted, Some(&Timespec::default()))?;
        Ok(wanted[0].revents().contains(PollFlags::HUP))
    }

    /// A complete parcel that was received already, if there is one.
    ///
    /// # Errors
    /// `InvalidData` for a parcel larger than any of ours.
    pub fn pending(&mut self) -> io::Result<Option<Parcel>> {
        self.complete()
    }

    fn complete(&mut self) -> io::Result<Option<Parcel>> {
        let Some(head) = self.received.first_chunk::<8>() else { return Ok(None) };
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (length, count) = (word(0), word(4));
        if length > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "parcel too large"));
        }
        if self.received.len() < 8 + length || self.descriptors.len() < count {
            return Ok(None);
        }
        let bytes = self.received[8..8 + length].to_vec();
        self.received.drain(..8 + length);
        if self.received.is_empty() {
            // A configuration is much larger than what follows.
            self.received = Vec::new();
        }
        Ok(Some(Parcel { bytes, descriptors: self.descriptors.drain(..count).collect() }))
    }

    /// The socket, for waiting until it is readable.
    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    #[test]
    fn a_parcel_arrives_with_its_descriptors() {
        let (a, mut b) = Channel::pair().unwrap();
        let (mut left, right) = UnixStream::pair().unwrap();
        a.send(b"listeners", &[right.as_fd()]).unwrap();
        a.send(b"", &[]).unwrap();
        let parcel = b.receive().unwrap().unwrap();
        assert_eq!(parcel.bytes, b"listeners");
        let mut moved = UnixStream::from(parcel.descriptors.into_iter().next().unwrap());
        moved.write_all(b"x").unwrap();
        let mut byte = [0];
        left.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
        assert!(b.receive().unwrap().unwrap().bytes.is_empty());
        drop(a);
        assert!(b.receive().unwrap().is_none());
    }

    #[test]
    fn more_descriptors_than_one_message_carries_arrive_in_order() {
        let (a, mut b) = Channel::pair().unwrap();
        let (_left, right) = UnixStream::pair().unwrap();
        let many = vec![right.as_fd(); 150];
        let big = vec![7; 300_000];
        let sender = std::thread::scope(|scope| {
            let sender = scope.spawn(|| a.send(&big, &many));
            let parcel = b.receive().unwrap().unwrap();
            assert_eq!(parcel.descriptors.len(), 150);
            assert_eq!(parcel.bytes, big);
            sender.join()
        });
        sender.unwrap().unwrap();
    }

    #[test]
    fn a_parcel_of_absurd_length_is_refused() {
        let (a, mut b) = Channel::pair().unwrap();
        (&a.socket).write_all(&[0xff; 8]).unwrap();
        assert_eq!(b.receive().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn nothing_follows_a_parcel_that_was_sent_in_part() {
        let (a, mut b) = Channel::pair().unwrap();
        a.socket.set_nonblocking(true).unwrap();
        a.send(b"first", &[]).unwrap();
        let error = a.send_within(AT_ONCE, &vec![7; 4 << 20], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(b.receive().unwrap().unwrap().bytes, b"first");
        // The reader takes everything there is, so that there is room again.
        assert_eq!(b.try_receive().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(a.send(b"next", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(a);
        assert!(b.try_receive().unwrap().is_none(), "now the other end is gone");
    }

    #[test]
    fn an_end_that_goes_without_having_read_everything_is_gone_like_any_other() {
        let (a, mut b) = Channel::pair().unwrap();
        b.send(b"unread", &[]).unwrap();
        a.send(b"last", &[]).unwrap();
        drop(a);
        assert_eq!(b.receive().unwrap().unwrap().bytes, b"last");
        assert!(b.receive().unwrap().is_none());
    }

    #[test]
    fn a_parcel_for_which_there_was_no_room_at_all_does_no_harm() {
        let (a, mut b) = Channel::pair().unwrap();
        a.socket.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while a.send_within(AT_ONCE, b"small", &[]).is_ok() {
            sent += 1;
        }
        for _ in 0..sent {
            assert_eq!(b.receive().unwrap().unwrap().bytes, b"small");
        }
        a.send(b"next", &[]).unwrap();
        assert_eq!(b.receive().unwrap().unwrap().bytes, b"next");
    }
}
