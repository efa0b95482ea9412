//! A connection to a client or a server: TCP or unix, with or without TLS.

use super::Tcp;
use crate::expr::{Sample, TlsFact};
use crate::rule::marks::PacketMarks;
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// A byte stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// TCP.
    Tcp(Tcp),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS with a client.
    #[cfg(feature = "tls")]
    TlsServer(Box<tokio_rustls::server::TlsStream<Transport>>),
    /// TLS with a server.
    #[cfg(feature = "tls")]
    TlsClient(Box<tokio_rustls::client::TlsStream<Transport>>),
}

/// What TLS runs over: TCP or a unix socket, and bytes already read from it.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub struct Transport {
    inner: Plain,
}

#[cfg(feature = "tls")]
#[derive(Debug)]
enum Plain {
    Tcp(Tcp),
    Unix(UnixStream),
}

macro_rules! each {
    ($self:expr, $s:ident => $e:expr) => {
        match $self {
            Stream::Tcp($s) => $e,
            Stream::Unix($s) => $e,
            #[cfg(feature = "tls")]
            Stream::TlsServer($s) => $e,
            #[cfg(feature = "tls")]
            Stream::TlsClient($s) => $e,
        }
    };
}

impl Stream {
    /// Reads into `buf`. Ready with 0 bytes at the end of the stream (or when `buf` is empty).
    ///
    /// A read that does not fill `buf` is not followed by another one before the socket reports more.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_into(cx, buf, |buf| buf)
    }

    /// Reads into what `lend` makes of `holder`, which need not have room before something is there to be read. Else like
    /// [`poll_read`](Self::poll_read).
    pub fn poll_read_into<H: ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        holder: &mut H,
        lend: impl Fn(&mut H) -> &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Tcp(tcp) = self {
            return tcp.poll_receive(cx, holder, lend);
        }
        let mut buf = ReadBuf::new(lend(holder));
        let done = each!(self, s => Pin::new(s).poll_read(cx, &mut buf));
        done.map_ok(|()| buf.filled().len())
    }

    /// Writes from `buf`.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Self::Tcp(tcp) = self {
            return tcp.poll_transmit(cx, buf);
        }
        each!(self, s => Pin::new(s).poll_write(cx, buf))
    }

    /// Writes from `buf` what is the last; TCP takes the end of the stream along if it takes everything. Closing, or
    /// [`poll_shutdown`](Self::poll_shutdown), has to follow in any case.
    pub fn poll_write_last(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_transmit_last(cx, buf),
            other => other.poll_write(cx, buf),
        }
    }

    /// Writes from several buffers at once.
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => Pin::new(s).poll_write_vectored(cx, bufs))
    }

    /// Sends what TLS holds back; plain sockets hold nothing back.
    #[inline]
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Tcp(_) = self {
            return Poll::Ready(Ok(()));
        }
        each!(self, s => Pin::new(s).poll_flush(cx))
    }

    /// Says that no more will be written.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => Pin::new(s).poll_shutdown(cx))
    }

    /// Reads into `buf`. Cancel safe.
    ///
    /// # Errors
    /// What the socket reports.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Writes all of `buf`. Not cancel safe: a cancelled call may have written a part.
    ///
    /// # Errors
    /// What the socket reports; [`io::ErrorKind::WriteZero`] if it takes nothing.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let n = std::future::poll_fn(|cx| self.poll_write(cx, buf)).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            buf = &buf[n..];
        }
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Says that no more will be written.
    ///
    /// # Errors
    /// What the socket reports.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    /// Sets what `option clitcpka`, `srvtcpka` and `nolinger` ask for.
    pub(crate) fn configure(&self, keepalive: bool, nolinger: bool) {
        if keepalive && let Some(socket) = self.socket() {
            // Failing to set it only means that a dead peer is found by its timeout.
            let _ = socket.set_keepalive(true);
        }
        if nolinger {
            self.reset_on_close();
        }
    }

    /// Makes closing send a reset, so that nothing lingers in either direction.
    pub fn reset_on_close(&self) {
        if let Some(socket) = self.socket() {
            // Failing to set it only means a normal close.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }

    /// Makes its packets tell something from here on. What the system refuses is left out.
    pub fn mark_packets(&self, marks: PacketMarks) {
        if let (Some(socket), Some(peer)) = (self.socket(), self.peer_addr()) {
            mark_packets(&socket, peer, marks);
        }
    }

    /// The TCP connection below, if there is one.
    pub fn tcp(&self) -> Option<&Tcp> {
        match self {
            Self::Tcp(s) => Some(s),
            Self::Unix(_) => None,
            #[cfg(feature = "tls")]
            Self::TlsServer(s) => s.get_ref().0.tcp(),
            #[cfg(feature = "tls")]
            Self::TlsClient(s) => s.get_ref().0.tcp(),
        }
    }

    /// The TCP connection below, if there is one.
    pub fn tcp_mut(&mut self) -> Option<&mut Tcp> {
        match self {
            Self::Tcp(s) => Some(s),
            Self::Unix(_) => None,
            #[cfg(feature = "tls")]
            Self::TlsServer(s) => s.get_mut().0.tcp_mut(),
            #[cfg(feature = "tls")]
            Self::TlsClient(s) => s.get_mut().0.tcp_mut(),
        }
    }

    /// The TCP socket below, if there is one, for its options.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        self.tcp()?.socket()
    }

    /// True as long as the event loop knows nothing of the connection; see [`Tcp`].
    pub fn is_bare(&self) -> bool {
        matches!(self, Self::Tcp(tcp) if tcp.is_bare())
    }

    /// True if bytes are encrypted on the way.
    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Tcp(_) | Self::Unix(_))
    }

    /// A property of the TLS layer.
    pub fn tls_fact(&self, fact: TlsFact) -> Option<Sample<'_>> {
        #[cfg(feature = "tls")]
        return super::tls::fact(self, fact);
        #[cfg(not(feature = "tls"))]
        return (fact == TlsFact::Active).then_some(Sample::Bool(false));
    }

    /// Makes closing say nothing to the other side, or as little as the system allows: a reset, with this time to live
    /// if one is given.
    pub fn silence_on_close(&self, ttl: Option<u8>) {
        self.reset_on_close();
        let Some(socket) = self.socket() else { return };
        // A socket under repair is torn down without a segment; that takes a privilege which is often missing.
        if ttl.is_none()
            && super::sys::set_flag(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_REPAIR, 1).is_ok()
        {
            return;
        }
        let ttl = i32::from(ttl.unwrap_or(1));
        let (level, option) = match self.peer_addr() {
            Some(SocketAddr::V6(_)) => (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
            _ => (libc::IPPROTO_IP, libc::IP_TTL),
        };
        // Failing to set it only means a reset that goes further.
        let _ = super::sys::set_flag(socket.as_fd(), level, option, ttl);
    }

    /// Our address.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.tcp()?.local_addr()
    }

    /// The other side's address.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.tcp()?.peer_addr()
    }
}

/// Makes the packets that `socket` sends to `peer` tell something. What the system refuses is left out.
pub(super) fn mark_packets(socket: &SockRef<'_>, peer: SocketAddr, marks: PacketMarks) {
    if let Some(mark) = marks.mark {
        let _ = socket.set_mark(mark);
    }
    if let Some(tos) = marks.tos {
        // IPv4 in an IPv6 socket has the field of IPv4.
        let _ = match peer.ip().to_canonical() {
            IpAddr::V4(_) => socket.set_tos_v4(tos.into()),
            IpAddr::V6(_) => socket.set_tclass_v6(tos.into()),
        };
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&mut *self, s => Pin::new(s).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(&mut *self, s => Pin::new(s).poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self, s => Pin::new(s).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&mut *self, s => Pin::new(s).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, s => s.is_write_vectored())
    }
}

#[cfg(feature = "tls")]
impl Transport {
    /// The transport under `stream`, which must not speak TLS already; gives it back otherwise.
    ///
    /// # Errors
    /// The stream itself, when it is encrypted.
    pub fn new(stream: Stream) -> Result<Self, Stream> {
        match stream {
            Stream::Tcp(s) => Ok(Self { inner: Plain::Tcp(s) }),
            Stream::Unix(s) => Ok(Self { inner: Plain::Unix(s) }),
            other => Err(other),
        }
    }

    fn tcp(&self) -> Option<&Tcp> {
        match &self.inner {
            Plain::Tcp(s) => Some(s),
            Plain::Unix(_) => None,
        }
    }

    fn tcp_mut(&mut self) -> Option<&mut Tcp> {
        match &mut self.inner {
            Plain::Tcp(s) => Some(s),
            Plain::Unix(_) => None,
        }
    }
}

#[cfg(feature = "tls")]
macro_rules! plain {
    ($self:expr, $s:ident => $e:expr) => {
        match &mut $self.inner {
            Plain::Tcp($s) => $e,
            Plain::Unix($s) => $e,
        }
    };
}

#[cfg(feature = "tls")]
impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        plain!(self, s => Pin::new(s).poll_read(cx, buf))
    }
}

#[cfg(feature = "tls")]
impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        plain!(self, s => Pin::new(s).poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        plain!(self, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        plain!(self, s => Pin::new(s).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        plain!(self, s => Pin::new(s).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
