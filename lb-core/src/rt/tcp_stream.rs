//! A TCP connection that the event loop is told of only when something has to be waited for.
//!
//! Telling it, and taking it back, is two system calls and an entry in its list. A client that brings its request along
//! and gets its answer at once needs none of that.

use super::sys;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, getpeername, getsockname};
use rustix::net::{recv, send, sendmsg, shutdown};
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::task::coop::poll_proceed;

/// What wakes whoever waits for both directions of a connection.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A TCP connection.
#[derive(Debug)]
pub struct Tcp {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The event loop knows nothing of it.
    Bare(OwnedFd),
    /// The event loop says when there is something to read. Nobody had to wait for room to write: being told that there
    /// is some would be an event for each connection, and mostly one more round of the event loop.
    Heard(AsyncFd<OwnedFd>),
    /// The event loop says when there is something to do.
    Watched(AsyncFd<OwnedFd>),
    /// The event loop refused it, which closed it.
    Lost,
}

impl From<tokio::net::TcpStream> for Tcp {
    fn from(stream: tokio::net::TcpStream) -> Self {
        Self { state: stream.into_std().map_or(State::Lost, |socket| State::Bare(socket.into())) }
    }
}

impl Tcp {
    /// A connection that the event loop does not know yet. The socket must not block.
    pub fn bare(socket: impl Into<OwnedFd>) -> Self {
        Self { state: State::Bare(socket.into()) }
    }

    /// Begins a connection to `to` from a socket that must not block, and waits until it is there.
    ///
    /// # Errors
    /// What the system reports.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) async fn connect(socket: socket2::Socket, to: SocketAddr) -> io::Result<Self> {
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let socket = sys::watch(socket.into(), BOTH)?;
        // The socket stays writable.
        drop(socket.writable().await?);
        match SockRef::from(socket.get_ref()).take_error()? {
            Some(error) => Err(error),
            None => Ok(Self { state: State::Watched(socket) }),
        }
    }

    /// True as long as the event loop knows nothing of the connection: nobody is woken by what happens to it.
    pub fn is_bare(&self) -> bool {
        matches!(self.state, State::Bare(_))
    }

    /// The connection, known to the event loop at least as one that may have something to read.
    fn heard(&mut self) -> io::Result<&AsyncFd<OwnedFd>> {
        if let State::Bare(_) = self.state
            && let State::Bare(bare) = std::mem::replace(&mut self.state, State::Lost)
        {
            self.state = State::Heard(sys::watch(bare, Interest::READABLE)?);
        }
        match &self.state {
            State::Heard(socket) | State::Watched(socket) => Ok(socket),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The connection, known to the event loop for both directions.
    fn watched(&mut self, cx: &Context<'_>) -> io::Result<&AsyncFd<OwnedFd>> {
        if !matches!(self.state, State::Watched(_)) {
            let socket = match std::mem::replace(&mut self.state, State::Lost) {
                State::Bare(socket) => socket,
                State::Heard(socket) => {
                    // Being registered anew forgets who waits for something to read. It is the same task, which looks again.
                    cx.waker().wake_by_ref();
                    socket.into_inner()
                }
                _ => return Err(io::ErrorKind::NotConnected.into()),
            };
            self.state = State::Watched(sys::watch(socket, BOTH)?);
        }
        match &self.state {
            State::Watched(socket) => Ok(socket),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what is there, as long as the event loop knows nothing of the connection; `None` when nothing is.
    pub fn read_at_once(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        let State::Bare(socket) = &self.state else { return None };
        at_once(socket, |socket| receive(socket, buf))
    }

    /// Whether nothing has come, not even the end. A byte that has is lost. Costs no system call while nothing did, and asks
    /// nobody to be woken.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match &self.state {
            State::Bare(_) => self.read_at_once(&mut byte).is_none(),
            State::Heard(socket) | State::Watched(socket) => socket
                .try_io(Interest::READABLE, |socket| receive(socket, &mut byte))
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            State::Lost => false,
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Bare(socket) => Some(socket.as_fd()),
            State::Heard(socket) | State::Watched(socket) => Some(socket.get_ref().as_fd()),
            State::Lost => None,
        }
    }

    /// The socket, for its options.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        match &self.state {
            State::Bare(socket) => Some(SockRef::from(socket)),
            State::Heard(socket) | State::Watched(socket) => Some(SockRef::from(socket.get_ref())),
            State::Lost => None,
        }
    }

    /// Our address.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        getsockname(self.fd()?).ok()?.try_into().ok()
    }

    /// The other side's address.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        getpeername(self.fd()?).ok()??.try_into().ok()
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
        self.poll_read_with(cx, |socket| receive(socket, lend(holder)))
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// What the socket reports.
    #[inline(always)]
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| Ok((send(socket, bytes, SendFlags::NOSIGNAL)?, bytes.len())))
    }

    /// Sends the last bytes, and with them that no more will be sent: the end leaves in the packet of the last byte. What the
    /// socket does not take is still to be sent, and the end then still to be told.
    ///
    /// # Errors
    /// What the socket reports.
    pub fn poll_transmit_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| Ok((transmit_last(socket, bytes)?, bytes.len())))
    }

    /// Ready when a read would not wait.
    ///
    /// # Errors
    /// What the socket reports.
    pub fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.heard()?.poll_read_ready(cx).map_ok(drop)
    }

    /// Looks at the first bytes without taking them; ready with 0 at the end of the stream.
    ///
    /// # Errors
    /// What the socket reports.
    #[inline]
    pub fn poll_peek(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // What was looked at is still there: the socket stays ready.
        poll_at_once(self.heard()?, cx, Interest::READABLE, |socket| {
            Ok((recv(socket, &mut *buf, RecvFlags::PEEK)?.0, 0))
        })
    }

    /// Takes something from the socket by `work` once something is there. `work` says how much it was, and how much might
    /// have been: when it was less, that was all, and the next attempt waits for the event loop to report more.
    ///
    /// # Errors
    /// What `work` reports.
    #[inline]
    pub(super) fn poll_read_with(
        &mut self,
        cx: &mut Context<'_>,
        mut work: impl FnMut(BorrowedFd<'_>) -> io::Result<(usize, usize)>,
    ) -> Poll<io::Result<usize>> {
        if let State::Bare(socket) = &self.state
            && let Some(done) = at_once(socket, &mut work)
        {
            return Poll::Ready(done);
        }
        poll_at_once(self.heard()?, cx, Interest::READABLE, work)
    }

    /// Gives something to the socket by `work` once it takes something; see [`poll_read_with`](Self::poll_read_with).
    ///
    /// # Errors
    /// What `work` reports.
    #[inline]
    pub(super) fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        mut work: impl FnMut(BorrowedFd<'_>) -> io::Result<(usize, usize)>,
    ) -> Poll<io::Result<usize>> {
        // Whether there is room is known only where it is watched.
        let unwatched = match &self.state {
            State::Bare(socket) => Some(socket),
            State::Heard(socket) => Some(socket.get_ref()),
            _ => None,
        };
        if let Some(done) = unwatched.and_then(|socket| at_once(socket, &mut work)) {
            return Poll::Ready(done);
        }
        poll_at_once(self.watched(cx)?, cx, Interest::WRITABLE, work)
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

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(socket) = self.fd() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        Poll::Ready(Ok(shutdown(socket, Shutdown::Write)?))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| {
            let sent = sendmsg(socket, bufs, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?;
            Ok((sent, bufs.iter().map(|buf| buf.len()).sum()))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// Receives what is there; says how much it was and how much there was room for. The calls of the C library would be points at which a thread can be cancelled, which costs more
/// than entering the kernel does.
fn receive(socket: impl AsFd, room: &mut [u8]) -> io::Result<(usize, usize)> {
    let most = room.len();
    Ok((recv(socket, room, RecvFlags::empty())?.0, most))
}

/// Sends what the socket takes; if that is everything, the end of the stream with it.
fn transmit_last(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let sent = send(socket, bytes, SendFlags::NOSIGNAL | SendFlags::MORE)?;
    if sent == bytes.len() {
        // Closing would say so, too. But it throws away what was not sent yet when something has come that nobody read.
        let _ = shutdown(socket, Shutdown::Write);
    }
    Ok(sent)
}

/// Does something with a socket without asking the event loop, and says how much came of it; `None` when that would wait.
#[inline]
fn at_once(
    socket: &OwnedFd,
    mut work: impl FnMut(BorrowedFd<'_>) -> io::Result<(usize, usize)>,
) -> Option<io::Result<usize>> {
    loop {
        match work(socket.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            done => return Some(done.map(|(moved, _)| moved)),
        }
    }
}

/// Does something with a socket that is ready for it, or waits until it is. `work` says how much came of it, and how much might
/// have: the socket no longer counts as ready when it was less.
#[inline]
fn poll_at_once(
    socket: &AsyncFd<OwnedFd>,
    cx: &mut Context<'_>,
    interest: Interest,
    mut work: impl FnMut(BorrowedFd<'_>) -> io::Result<(usize, usize)>,
) -> Poll<io::Result<usize>> {
    // A task that always finds something to do lets the others have their turn.
    let turn = ready!(poll_proceed(cx));
    loop {
        // Nothing, as long as the socket does not count as ready.
        let mut done = None;
        let _ = socket.try_io(interest, |socket| {
            let worked = work(socket.as_fd());
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
        let waited =
            if interest.is_readable() { socket.poll_read_ready(cx) } else { socket.poll_write_ready(cx) };
        drop(ready!(waited)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
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
        near.heard().unwrap();
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
                near.watched(&Context::from_waker(std::task::Waker::noop())).unwrap();
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
        let segments = || sys::segments_in(far.as_fd()).unwrap();
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
    async fn room_to_write_is_waited_for_only_where_there_is_none() {
        let (mut near, mut far) = pair();
        let mut buf = [0; 16];
        std::future::poll_fn(|cx| {
            assert!(near.poll_peek(cx, &mut buf).is_pending());
            Poll::Ready(())
        })
        .await;
        near.write_all(b"greeting").await.unwrap();
        assert!(matches!(near.state, State::Heard(_)), "{near:?}");
        assert_eq!(far.read(&mut buf).unwrap(), 8);
        let big = vec![b'x'; 16 << 20];
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; 16 << 20];
            far.read_exact(&mut all).unwrap();
            far.write_all(b"thanks").unwrap();
        });
        near.write_all(&big).await.unwrap();
        assert!(matches!(near.state, State::Watched(_)), "{near:?}");
        assert_eq!(near.read(&mut buf).await.unwrap(), 6);
        reader.join().unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_both_directions_is_told_of_both() {
        use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
        struct Flag(AtomicBool);
        impl std::task::Wake for Flag {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.store(true, Relaxed);
            }
        }
        let (mut near, mut far) = pair();
        let woken = std::sync::Arc::new(Flag(AtomicBool::new(false)));
        let waker = std::task::Waker::from(std::sync::Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let (mut buf, big) = ([0; 16], vec![b'x'; 1 << 20]);
        assert!(near.poll_peek(&mut cx, &mut buf).is_pending());
        // The other side takes nothing, and says something then.
        while near.poll_transmit(&mut cx, &big).is_ready() {}
        far.write_all(b"!").unwrap();
        for _ in 0..1000 {
            // Has the event loop look at its sockets.
            tokio::task::yield_now().await;
            if woken.0.swap(false, Relaxed) && near.poll_peek(&mut cx, &mut buf).is_ready() {
                return;
            }
        }
        panic!("what was said is not reported");
    }

    #[tokio::test]
    async fn a_connection_that_is_refused_says_so() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = super::super::connect::stream_socket(gone).unwrap();
        let refused = Tcp::connect(socket, gone).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
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
