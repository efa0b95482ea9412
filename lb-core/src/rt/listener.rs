//! Opening and adopting listening sockets.

use super::{account, sys};
use crate::addr::Endpoint;
use crate::spec::{Family, ListenerSpec};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} ({}) for [{endpoint}]", reason(cause))]
#[non_exhaustive]
pub struct ListenError {
    /// What was tried, for example "bind socket".
    pub step: &'static str,
    /// Where.
    pub endpoint: String,
    /// What the system said.
    pub cause: io::Error,
}

/// The system's words alone, as `strerror` gives them.
pub(super) fn reason(cause: &io::Error) -> String {
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Default length of the kernel's queue; the kernel cuts it to its own limit.
const BACKLOG: u32 = 4096;
/// Bytes that may wait in each direction of a socket for datagrams.
const DATAGRAM_BUFFER: usize = 4 << 20;

/// Opens the sockets of `listener`: `count` of them sharing the port where the kernel can spread connections over
/// several, else one.
///
/// # Errors
/// The step that failed and the system's reason. Sockets opened before are closed again.
pub fn open(
    listener: &ListenerSpec,
    backlog: Option<u32>,
    count: usize,
) -> Result<Vec<OwnedFd>, ListenError> {
    let fail = |step| move |cause| ListenError { step, endpoint: display(&listener.endpoint), cause };
    let backlog = i32::try_from(listener.backlog.or(backlog).unwrap_or(BACKLOG)).unwrap_or(i32::MAX);
    match &listener.endpoint {
        Endpoint::Inet(addr) => (0..count.max(1))
            .map(|_| inet(listener, *addr, backlog).map_err(|(step, e)| fail(step)(e)))
            .collect(),
        Endpoint::Unix(path) => {
            unix(listener, path, backlog).map_err(|(step, e)| fail(step)(e)).map(|s| vec![s])
        }
        Endpoint::Abstract(name) => {
            abstract_unix(name, backlog).map_err(fail("bind UNIX socket")).map(|s| vec![s])
        }
        Endpoint::Fd(fd) => adopt(*fd).map_err(fail("use inherited descriptor")).map(|s| vec![s]),
        Endpoint::Host { .. } => Err(fail("resolve name")(io::ErrorKind::AddrNotAvailable.into())),
    }
}

/// Takes over a listening socket that somebody else opened; it is left open for them.
fn adopt(fd: i32) -> io::Result<OwnedFd> {
    let owned = sys::adopt(fd)?;
    let socket = socket2::SockRef::from(&owned);
    socket.set_nonblocking(true)?;
    if socket.r#type()? != Type::STREAM {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a stream socket"));
    }
    let _ = socket.set_tcp_nodelay(true);
    Ok(owned)
}

fn display(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(path) => path.to_string(),
        other => other.to_string(),
    }
}

type Step<T> = Result<T, (&'static str, io::Error)>;

fn inet(listener: &ListenerSpec, addr: SocketAddr, backlog: i32) -> Step<OwnedFd> {
    let create = |e| ("create listening socket", e);
    let datagrams = listener.datagrams.is_some();
    let (kind, protocol) =
        if datagrams { (Type::DGRAM, Protocol::UDP) } else { (Type::STREAM, Protocol::TCP) };
    let socket = Socket::new(Domain::for_address(addr), kind.nonblocking().cloexec(), Some(protocol))
        .map_err(create)?;
    socket.set_reuse_address(true).map_err(create)?;
    socket.set_reuse_port(true).map_err(create)?;
    if datagrams {
        // One socket stands for many clients. The system cuts this to its own limit.
        let _ = socket.set_recv_buffer_size(DATAGRAM_BUFFER);
        let _ = socket.set_send_buffer_size(DATAGRAM_BUFFER);
    } else {
        // Accepted sockets inherit this, which saves one system call per connection.
        socket.set_tcp_nodelay(true).map_err(create)?;
    }
    if addr.is_ipv6() {
        let only = match (listener.family, addr.ip()) {
            (Family::Both, _) => false,
            (Family::V6Only, _) => true,
            // `::` takes both families when the system does; anything narrower is IPv6 alone anyway.
            (Family::Any, IpAddr::V6(ip)) => !ip.is_unspecified(),
            (Family::Any, IpAddr::V4(_)) => false,
        };
        socket.set_only_v6(only).map_err(create)?;
    }
    // The address may belong to the other node now and come here later: that is what it floats for.
    let _ = sys::set_flag(socket.as_fd(), libc::SOL_IP, libc::IP_FREEBIND, 1);
    if addr.is_ipv6() {
        let _ = sys::set_flag(socket.as_fd(), libc::SOL_IPV6, libc::IPV6_FREEBIND, 1);
    }
    options(listener, &socket, addr)?;
    socket.bind(&addr.into()).map_err(|e| ("bind socket", e))?;
    if datagrams {
        return Ok(socket.into());
    }
    socket.listen(backlog).map_err(|e| ("listen to socket", e))?;
    if listener.delay_ack {
        // Listening undoes it, accepted sockets inherit it. It is an optimisation only.
        let _ = socket.set_tcp_quickack(false);
    }
    Ok(socket.into())
}

fn options(listener: &ListenerSpec, socket: &Socket, addr: SocketAddr) -> Step<()> {
    if let Some(name) = &listener.interface {
        socket.bind_device(Some(name.as_bytes())).map_err(|e| ("bind listener to device", e))?;
    }
    if listener.transparent {
        let (level, option) = if addr.is_ipv4() {
            (libc::SOL_IP, libc::IP_TRANSPARENT)
        } else {
            (libc::SOL_IPV6, libc::IPV6_TRANSPARENT)
        };
        sys::set_flag(socket.as_fd(), level, option, 1)
            .map_err(|e| ("make listening socket transparent", e))?;
    }
    if let Some(mss) = listener.mss {
        socket.set_tcp_mss(mss.unsigned_abs()).map_err(|e| ("set MSS", e))?;
    }
    if listener.defer_accept {
        let _ = sys::set_flag(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 1);
    }
    if listener.tfo {
        let _ = sys::set_flag(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN, BACKLOG as i32);
    }
    Ok(())
}

fn unix(listener: &ListenerSpec, path: &str, backlog: i32) -> Step<OwnedFd> {
    let bind = |e| ("bind UNIX socket", e);
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None).map_err(bind)?;
    // Binding under another name and renaming leaves no moment without a socket at `path`, so that a restart or a
    // second start never makes a client fail.
    let temporary = format!("{path}.{}.tmp", std::process::id());
    let _ = std::fs::remove_file(&temporary);
    socket.bind(&SockAddr::unix(&temporary).map_err(bind)?).map_err(bind)?;
    let finish =
        permissions(listener, &temporary).and_then(|()| std::fs::rename(&temporary, path)).map_err(bind);
    if let Err(error) = finish {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    socket.listen(backlog).map_err(|e| ("listen to socket", e))?;
    Ok(socket.into())
}

fn permissions(listener: &ListenerSpec, path: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let unix = &listener.unix;
    if let Some(mode) = unix.mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    let uid = owner(unix.uid, unix.user.as_deref(), account::user)?;
    let gid = owner(unix.gid, unix.group.as_deref(), account::group)?;
    if uid.is_some() || gid.is_some() {
        std::os::unix::fs::chown(path, uid, gid)?;
    }
    Ok(())
}

/// The number of an account that is given by number or by name.
fn owner(
    number: Option<u32>,
    name: Option<&str>,
    find: fn(&str) -> io::Result<Option<u32>>,
) -> io::Result<Option<u32>> {
    let Some(name) = name else { return Ok(number) };
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no account `{name}`"));
    find(name)?.map(Some).ok_or_else(unknown)
}

fn abstract_unix(name: &str, backlog: i32) -> io::Result<OwnedFd> {
    let addr = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    let listener = std::os::unix::net::UnixListener::bind_addr(&addr)?;
    listener.set_nonblocking(true)?;
    let socket = Socket::from(OwnedFd::from(listener));
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Sorts sockets taken from another process by the endpoints they are bound to. What does not listen to connections is
/// closed.
///
/// # Errors
/// What the system says about one of them.
pub fn adopt_all(sockets: Vec<OwnedFd>) -> io::Result<super::Sockets> {
    let mut all = super::Sockets::new();
    for owned in sockets {
        let socket = socket2::SockRef::from(&owned);
        if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
            continue;
        }
        socket.set_nonblocking(true)?;
        if let Some(endpoint) = endpoint(&socket.local_addr()?) {
            all.entry(endpoint.to_string()).or_default().push(owned);
        }
    }
    Ok(all)
}

/// The endpoint of a bound address. A socket in the file system was bound under a name of its own and renamed since.
fn endpoint(addr: &SockAddr) -> Option<Endpoint> {
    if let Some(addr) = addr.as_socket() {
        return Some(Endpoint::Inet(addr));
    }
    if let Some(name) = addr.as_abstract_namespace() {
        // Programs that fill the whole address leave zero bytes behind the name.
        let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        return Some(Endpoint::Abstract(std::str::from_utf8(&name[..end]).ok()?.into()));
    }
    let path = addr.as_pathname()?.to_str()?;
    let temporary = path.strip_suffix(".tmp").and_then(|rest| rest.rsplit_once('.'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let path = temporary.filter(|(_, pid)| digits(pid)).map_or(path, |(path, _)| path);
    Some(Endpoint::Unix(path.into()))
}

/// The address a listening socket is bound to, if it is an inet one.
pub(crate) fn bound_addr(socket: &OwnedFd) -> Option<SocketAddr> {
    socket2::SockRef::from(socket).local_addr().ok()?.as_socket()
}

/// True if `socket` is of the unix family.
pub(crate) fn is_unix(socket: &OwnedFd) -> bool {
    socket2::SockRef::from(socket).domain().is_ok_and(|d| d == Domain::UNIX)
}

/// A second descriptor of the same socket.
///
/// # Errors
/// When the process has no descriptor left.
pub(crate) fn duplicate(socket: &OwnedFd) -> io::Result<OwnedFd> {
    socket
        .try_clone()
        .map_err(|e| io::Error::new(e.kind(), format!("descriptor {}: {e}", socket.as_raw_fd())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ListenerSpec;

    fn local(addr: &str) -> ListenerSpec {
        ListenerSpec::new(addr.parse::<SocketAddr>().unwrap().into())
    }

    #[test]
    fn several_sockets_share_one_port() {
        let first = open(&local("127.0.0.1:0"), None, 1).unwrap();
        let addr = bound_addr(&first[0]).unwrap();
        let more = open(&local(&addr.to_string()), None, 3).unwrap();
        assert_eq!(more.len(), 3);
        assert_eq!(bound_addr(&more[2]), Some(addr));
    }

    #[test]
    fn accepted_sockets_inherit_that_acknowledgements_wait() {
        for delay_ack in [false, true] {
            let mut spec = local("127.0.0.1:0");
            spec.delay_ack = delay_ack;
            let mut listeners = open(&spec, None, 1).unwrap();
            let listener = std::net::TcpListener::from(listeners.remove(0));
            let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.set_nonblocking(false).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            assert_eq!(socket2::SockRef::from(&accepted).tcp_quickack().unwrap(), !delay_ack);
        }
    }

    #[test]
    fn an_address_that_is_elsewhere_can_be_bound() {
        // 192.0.2.0/24 is for documentation and on no machine.
        let sockets = open(&local("192.0.2.7:0"), None, 1).unwrap();
        assert_eq!(bound_addr(&sockets[0]).unwrap().ip().to_string(), "192.0.2.7");
    }

    #[test]
    fn an_inherited_socket_keeps_its_address_and_its_first_owner() {
        let first = open(&local("127.0.0.1:0"), None, 1).unwrap();
        let adopted = open(&ListenerSpec::new(Endpoint::Fd(first[0].as_raw_fd())), None, 4).unwrap();
        assert_eq!(adopted.len(), 1);
        assert_eq!(bound_addr(&adopted[0]), bound_addr(&first[0]));
        drop(adopted);
        assert!(bound_addr(&first[0]).is_some());
    }

    #[test]
    fn sockets_of_another_process_are_known_by_their_addresses() {
        let path = std::env::temp_dir().join(format!("lb-adopt-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let name = format!("lb-adopt-{}", std::process::id());
        let inet = open(&local("127.0.0.1:0"), None, 2).unwrap();
        let addr = bound_addr(&inet[0]).unwrap().to_string();
        let unix = open(&ListenerSpec::new(Endpoint::Unix(path.into())), None, 1).unwrap();
        let hidden = open(&ListenerSpec::new(Endpoint::Abstract(name.as_str().into())), None, 1).unwrap();
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let given = inet.into_iter().take(1).chain(unix).chain(hidden).chain([other.into()]);
        let sockets = adopt_all(given.collect()).unwrap();
        let mut keys: Vec<_> = sockets.keys().cloned().collect();
        keys.sort();
        assert_eq!(keys, [addr, format!("abns@{name}"), format!("unix@{path}")]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn an_error_names_the_step_and_the_address() {
        let error =
            open(&ListenerSpec::new(Endpoint::Unix("/nonexistent/lb.sock".into())), None, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot bind UNIX socket (No such file or directory) for [/nonexistent/lb.sock]"
        );
    }
}
