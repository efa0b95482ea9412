//! A TCP connection that the event loop is told of only when something has to be waited for.
//!
//! Telling it, and taking it back, is two system calls and an entry in its list. A client that brings its request along
//! and gets its answer at once needs none of that.

use rustix::net::{RecvFlags, SendFlags, recv, send, shutdown};
use socket2::SockRef;
use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::poll_proceed;

/// A TCP connection.
#[derive(Debug)]
pub struct Tcp {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The event loop knows nothing of it.
    Bare(std::net::TcpStream),
    /// The event loop says when there is something to do.
    Watched(TcpStream),
    /// The event loop refused it, which closed it.
    Lost,
}

impl From<TcpStream> for Tcp {
    fn from(stream: TcpStream) -> Self {
        Self { state: State::Watched(stream) }
    }
}

impl Tcp {
    /// A connection that the event loop does not know yet. The socket must not block.
    pub fn bare(socket: std::net::TcpStream) -> Self {
        Self { state: State::Bare(socket) }
    }

    /// True as long as the event loop knows nothing of the connection: nobody is woken by what happens to it.
    pub fn is_bare(&self) -> bool {
        matches!(self.state, State::Bare(_))
    }

    /// The connection as the event loop has it.
    ///
    /// # Errors
    /// When the event loop has no room for it, which ends the connection.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn watched(&mut self) -> io::Result<&mut TcpStream> {
        if let State::Bare(_) = self.state
            && let State::Bare(bare) = std::mem::replace(&mut self.state, State::Lost)
        {
            self.state = State::Watched(TcpStream::from_std(bare)?);
        }
        match &mut self.state {
            State::Watched(stream) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what is there, as long as the event loop knows nothing of the connection; `None` when nothing is.
    pub fn read_at_once(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        self.at_once(|socket| receive(socket, buf))
    }

    /// Whether nothing has come, not even the end. A byte that has is lost. Costs no system call while nothing did, and asks
    /// nobody to be woken.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match &self.state {
            State::Bare(_) => self.read_at_once(&mut byte).is_none(),
            State::Watched(stream) => {
                stream.try_read(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            State::Lost => false,
        }
    }

    /// The socket, for its options.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        match &self.state {
            State::Bare(socket) => Some(SockRef::from(socket)),
            State::Watched(stream) => Some(SockRef::from(stream)),
            State::Lost => None,
        }
    }

    /// Our address.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Bare(socket) => socket.local_addr().ok(),
            State::Watched(stream) => stream.local_addr().ok(),
            State::Lost => None,
        }
    }

    /// The other side's address.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Bare(socket) => socket.peer_addr().ok(),
            State::Watched(stream) => stream.peer_addr().ok(),
            State::Lost => None,
        }
    }

    /// Receives into what `lend` makes of `holder`, which is asked only when something seems to be there: who waits holds no
    /// room for it. Ready with 0 bytes at the end of the stream.
    ///
    /// # Errors
    /// What the socket reports.
    #[inline]
    pub fn poll_receive<H: ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        holder: &mut H,
        lend: impl Fn(&mut H) -> &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let State::Watched(stream) = &self.state {
            return poll_receive(stream, cx, holder, lend);
        }
        self.receive_first(cx, holder, lend)
    }

    fn receive_first<H: ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        holder: &mut H,
        lend: impl Fn(&mut H) -> &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.at_once(|socket| receive(socket, lend(holder))) {
            Some(done) => Poll::Ready(done),
            None => poll_receive(self.watched()?, cx, holder, lend),
        }
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// What the socket reports.
    #[inline(always)]
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let State::Watched(stream) = &self.state {
            return poll_transmit(stream, cx, bytes);
        }
        self.transmit_first(cx, bytes)
    }

    fn transmit_first(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.at_once(|socket| transmit(socket, bytes)) {
            Some(done) => Poll::Ready(done),
            None => poll_transmit(self.watched()?, cx, bytes),
        }
    }

    /// Sends the last bytes, and with them that no more will be sent: the end leaves in the packet of the last byte. What the
    /// socket does not take is still to be sent, and the end then still to be told.
    ///
    /// # Errors
    /// What the socket reports.
    pub fn poll_transmit_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(done) = self.at_once(|socket| transmit_last(socket, bytes)) {
            return Poll::Ready(done);
        }
        let stream: &TcpStream = self.watched()?;
        poll_at_once(stream, cx, Interest::WRITABLE, || Ok((transmit_last(stream, bytes)?, bytes.len())))
    }

    /// Ready when a read would not wait.
    ///
    /// # Errors
    /// What the socket reports.
    pub fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched()?.poll_read_ready(cx)
    }

    /// Looks at the first bytes without taking them; ready with 0 at the end of the stream.
    ///
    /// # Errors
    /// What the socket reports.
    #[inline]
    pub fn poll_peek(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.watched()?.poll_peek(cx, &mut ReadBuf::new(buf))
    }

    /// Does something with a socket of which the event loop knows nothing; `None` when that would wait.
    fn at_once<T>(
        &self,
        mut work: impl FnMut(&std::net::TcpStream) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let State::Bare(socket) = &self.state else { return None };
        loop {
            match work(socket) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                done => return Some(done),
            }
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(self.poll_receive(cx, buf.initialize_unfilled(), |room| room));
        Poll::Ready(read.map(|n| buf.advance(n)))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_transmit(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Bare(socket) => Poll::Ready(socket.shutdown(Shutdown::Write)),
            State::Watched(stream) => Pin::new(stream).poll_shutdown(cx),
            State::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let State::Watched(stream) = &mut self.state {
            return Pin::new(stream).poll_write_vectored(cx, bufs);
        }
        match self.at_once(|mut socket| socket.write_vectored(bufs)) {
            Some(done) => Poll::Ready(done),
            None => Pin::new(self.watched()?).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// Receives what is there. The calls of the C library would be points at which a thread can be cancelled, which costs more
/// than entering the kernel does.
fn receive(socket: impl AsFd, room: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, room, RecvFlags::empty())?.0)
}

/// Sends what the socket takes.
fn transmit(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, SendFlags::NOSIGNAL)?)
}

/// Sends what the socket takes; if that is everything, the end of the stream with it.
fn transmit_last(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let sent = send(&socket, bytes, SendFlags::NOSIGNAL | SendFlags::MORE)?;
    if sent == bytes.len() {
        // Closing would say so, too. But it throws away what was not sent yet when something has come that nobody read.
        let _ = shutdown(&socket, rustix::net::Shutdown::Write);
    }
    Ok(sent)
}

/// Receives once something is there. What did not fill the room was all: the next attempt waits for the event loop to
/// report more.
fn poll_receive<H: ?Sized>(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    holder: &mut H,
    lend: impl Fn(&mut H) -> &mut [u8],
) -> Poll<io::Result<usize>> {
    poll_at_once(stream, cx, Interest::READABLE, || {
        let room = lend(holder);
        Ok((receive(stream, room)?, room.len()))
    })
}

/// Sends once the socket takes something. If that was not everything, the next attempt waits for the event loop.
fn poll_transmit(stream: &TcpStream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    poll_at_once(stream, cx, Interest::WRITABLE, || Ok((transmit(stream, bytes)?, bytes.len())))
}

/// Does something with a socket that is ready for it, or waits until it is. `work` says how much came of it, and how much might
/// have: the socket no longer counts as ready when it was less.
#[inline]
fn poll_at_once(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    interest: Interest,
    mut work: impl FnMut() -> io::Result<(usize, usize)>,
) -> Poll<io::Result<usize>> {
    // A task that always finds something to do lets the others have their turn.
    let turn = ready!(poll_proceed(cx));
    loop {
        // Nothing, as long as the socket does not count as ready.
        let mut done = None;
        let _ = stream.try_io(interest, || {
            let worked = work();
            let spent = match &worked {
                Ok((moved, most)) => 0 < *moved && moved < most,
                Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            };
            done = Some(worked);
            if spent { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match done {
            Some(Ok((moved, _))) => {
                turn.made_progress();
                return Poll::Ready(Ok(moved));
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
            _ => {}
        }
        ready!(if interest.is_readable() {
            stream.poll_read_ready(cx)
        } else {
            stream.poll_write_ready(cx)
        })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Both ends of a connection; the first is not known to the event loop.
    fn pair() -> (Tcp, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (Tcp::bare(near), far)
    }

    #[tokio::test]
    async fn what_is_there_is_read_and_answered_without_the_event_loop() {
        let (mut near, mut far) = pair();
        far.write_all(b"question").unwrap();
        let mut buf = [0; 16];
        // The bytes pass through the loopback interface before `write_all` returns.
        assert_eq!(near.read(&mut buf).await.unwrap(), 8);
        near.write_all(b"answer").await.unwrap();
        assert!(near.is_bare());
        assert_eq!(far.read(&mut buf).unwrap(), 6);
    }

    #[tokio::test]
    async fn what_is_not_there_is_waited_for() {
        let (mut near, mut far) = pair();
        let mut buf = [0; 16];
        assert!(near.read_at_once(&mut buf).is_none());
        assert!(near.is_bare(), "looking is not waiting");
        let late = std::thread::spawn(move || {
            far.write_all(b"late").unwrap();
            far
        });
        let mut read = 0;
        while read < 4 {
            read += near.read(&mut buf[read..]).await.unwrap();
        }
        assert_eq!(&buf[..4], b"late");
        drop(late.join().unwrap());
        assert_eq!(near.read(&mut buf).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn room_is_asked_for_only_when_something_is_there() {
        fn lend(asked: &mut Vec<u8>) -> &mut [u8] {
            asked.resize(16, 0);
            asked
        }
        let (mut near, mut far) = pair();
        let mut asked = Vec::new();
        near.watched().unwrap();
        std::future::poll_fn(|cx| {
            assert!(near.poll_receive(cx, &mut asked, lend).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(asked.is_empty());
        far.write_all(b"late").unwrap();
        let got = std::future::poll_fn(|cx| near.poll_receive(cx, &mut asked, lend)).await.unwrap();
        assert_eq!(&asked[..got], b"late");
    }

    #[tokio::test]
    async fn the_last_bytes_bring_the_end_along_and_arrive_although_something_was_not_read() {
        for watched in [false, true] {
            let (mut near, mut far) = pair();
            if watched {
                near.watched().unwrap();
            }
            far.write_all(b"nobody reads this").unwrap();
            let sent = std::future::poll_fn(|cx| near.poll_transmit_last(cx, b"answer")).await.unwrap();
            assert_eq!((sent, near.is_bare()), (6, !watched));
            let mut buf = [0; 16];
            assert_eq!(far.read(&mut buf).unwrap(), 6);
            // The connection is still open here: it is not closing that tells the end.
            assert_eq!(far.read(&mut buf).unwrap(), 0);
            assert!(near.write_all(b"more").await.is_err());
        }
    }

    #[tokio::test]
    async fn the_end_needs_no_packet_of_its_own() {
        let (mut near, far) = pair();
        let segments = || crate::rt::sys::segments_in(far.as_fd()).unwrap();
        let before = segments();
        std::future::poll_fn(|cx| near.poll_transmit_last(cx, b"answer")).await.unwrap();
        assert_eq!(segments() - before, 1);
    }

    #[tokio::test]
    async fn the_last_bytes_arrive_before_a_reset() {
        let (mut near, mut far) = pair();
        near.socket().unwrap().set_linger(Some(std::time::Duration::ZERO)).unwrap();
        std::future::poll_fn(|cx| near.poll_transmit_last(cx, b"answer")).await.unwrap();
        drop(near);
        let mut buf = [0; 16];
        assert_eq!(far.read(&mut buf).unwrap(), 6);
    }

    #[tokio::test]
    async fn last_bytes_that_do_not_fit_are_not_the_end() {
        let (mut near, mut far) = pair();
        let big = vec![b'x'; 16 << 20];
        let sent = std::future::poll_fn(|cx| near.poll_transmit_last(cx, &big)).await.unwrap();
        assert!(sent < big.len());
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all.len()
        });
        near.write_all(&big[sent..]).await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(reader.join().unwrap(), big.len());
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_is_waited_for() {
        let (mut near, mut far) = pair();
        let big = vec![b'x'; 16 << 20];
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all.len()
        });
        near.write_all(&big).await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(reader.join().unwrap(), big.len());
    }

    #[tokio::test]
    async fn the_end_is_seen_by_whoever_waits() {
        let (mut near, far) = pair();
        drop(far);
        let mut byte = [0];
        let seen = std::future::poll_fn(|cx| near.poll_peek(cx, &mut byte)).await.unwrap();
        assert_eq!(seen, 0);
        std::future::poll_fn(|cx| near.poll_read_ready(cx)).await.unwrap();
    }
}
