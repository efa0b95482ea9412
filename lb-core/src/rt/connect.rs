//! Connecting to servers.

use super::{Stream, Tcp, sys};
use crate::addr::Endpoint;
use crate::rule::marks::PacketMarks;
use crate::spec::SourceAddr;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use tokio::net::{UdpSocket, UnixStream};

/// Opens a connection to `endpoint`, from `source` if the server asks for one (`client` is the client's address, for
/// servers that want to see it). `speaks` says that something will be sent as soon as the connection is there; `marks`
/// are on all its packets. The caller bounds the time.
///
/// # Errors
/// What the system reports, or `AddrNotAvailable` for a name without an address.
pub async fn connect(
    endpoint: &Endpoint,
    source: Option<&SourceAddr>,
    client: Option<SocketAddr>,
    speaks: bool,
    marks: PacketMarks,
) -> io::Result<Stream> {
    match endpoint {
        Endpoint::Inet(addr) => {
            let socket = stream_socket(*addr)?;
            socket.set_tcp_nodelay(true)?;
            if speaks {
                // The last packet of the handshake then goes with the first data. It is an optimisation only.
                let _ = socket.set_tcp_quickack(false);
            }
            super::stream::mark_packets(&SockRef::from(&socket), *addr, marks);
            if let Some(source) = source {
                bind(&SockRef::from(&socket), source, *addr, client)?;
            }
            Ok(Stream::Tcp(Tcp::connect(socket, *addr).await?))
        }
        Endpoint::Unix(path) => Ok(Stream::Unix(UnixStream::connect(&**path).await?)),
        Endpoint::Abstract(name) => {
            use std::os::linux::net::SocketAddrExt;
            let addr = std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes())?;
            let stream = std::os::unix::net::UnixStream::connect_addr(&addr)?;
            stream.set_nonblocking(true)?;
            Ok(Stream::Unix(UnixStream::from_std(stream)?))
        }
        Endpoint::Host { name, .. } => {
            Err(io::Error::new(io::ErrorKind::AddrNotAvailable, format!("no address for `{name}`")))
        }
        Endpoint::Fd(_) => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "a server cannot be an inherited descriptor"))
        }
    }
}

/// A socket for a connection to `addr`; it does not block.
///
/// # Errors
/// What the system reports.
pub(super) fn stream_socket(addr: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(addr), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))
}

/// A socket for datagrams to `endpoint` and from there alone, from `source` if one is asked for.
///
/// # Errors
/// What the system reports, or `AddrNotAvailable` for what is no address.
pub(super) fn datagram(
    endpoint: &Endpoint,
    source: Option<&SourceAddr>,
    client: Option<SocketAddr>,
) -> io::Result<UdpSocket> {
    let addr = endpoint.inet().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(addr), kind, Some(Protocol::UDP))?;
    if let Some(source) = source {
        bind(&SockRef::from(&socket), source, addr, client)?;
    }
    socket.connect(&addr.into())?;
    UdpSocket::from_std(socket.into())
}

fn bind(
    socket: &SockRef<'_>,
    source: &SourceAddr,
    to: SocketAddr,
    client: Option<SocketAddr>,
) -> io::Result<()> {
    let (addr, interface, mark) = match source {
        SourceAddr::Fixed { addr, interface, mark } => (*addr, interface.as_deref(), *mark),
        SourceAddr::Client => (client.unwrap_or_else(|| any(to)), None, None),
    };
    if let Some(mark) = mark {
        socket.set_mark(mark)?;
    }
    if let Some(interface) = interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if matches!(source, SourceAddr::Client) {
        let (level, option) = if to.is_ipv4() {
            (libc::SOL_IP, libc::IP_TRANSPARENT)
        } else {
            (libc::SOL_IPV6, libc::IPV6_TRANSPARENT)
        };
        sys::set_flag(socket.as_fd(), level, option, 1)?;
    }
    if addr.port() == 0 {
        // Leaves the choice of the port to connect(), which needs it unique only together with the destination.
        let _ = sys::set_flag(socket.as_fd(), libc::SOL_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
    } else {
        socket.set_reuse_address(true)?;
    }
    if addr.ip().is_unspecified() && addr.port() == 0 { Ok(()) } else { socket.bind(&addr.into()) }
}

fn any(to: SocketAddr) -> SocketAddr {
    let ip = if to.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_fixed_source_is_what_the_server_sees() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = SourceAddr::Fixed { addr: "127.0.0.9:0".parse().unwrap(), interface: None, mark: None };
        let endpoint = listener.local_addr().unwrap().into();
        let _stream = connect(&endpoint, Some(&source), None, true, PacketMarks::default()).await.unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip().to_string(), "127.0.0.9");
    }

    #[tokio::test]
    async fn packets_tell_what_they_are_marked_with() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Machines without IPv6 have nothing to show here.
            let Ok(listener) = TcpListener::bind(address).await else { continue };
            let endpoint = listener.local_addr().unwrap().into();
            let marks = PacketMarks { mark: None, tos: Some(32) };
            let stream = connect(&endpoint, None, None, false, marks).await.unwrap();
            let told = |stream: &Stream| {
                let socket = stream.socket().unwrap();
                if address.starts_with('[') { socket.tclass_v6().unwrap() } else { socket.tos_v4().unwrap() }
            };
            assert_eq!(told(&stream), 32);
            stream.mark_packets(PacketMarks::default());
            assert_eq!(told(&stream), 32);
            stream.mark_packets(PacketMarks { mark: None, tos: Some(64) });
            assert_eq!(told(&stream), 64);
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_an_error() {
        let endpoint = Endpoint::Host { name: "mx".into(), port: 25 };
        let error = connect(&endpoint, None, None, false, PacketMarks::default()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
