//! Carrying out the dialogue of one health check.

use super::dial::within;
use super::echo::Echo;
use super::listener::reason;
use super::{Stream, Tcp};
use crate::addr::Endpoint;
use crate::health::{
    Close, Command, ConnectFailure, ConnectRequest, Dialog, Input, Layer, Output, ProxyHeader, TlsChoice,
    Transport,
};
use crate::health::{Status, Verdict};
use crate::rule::marks::PacketMarks;
use crate::spec::{ProxyHeaderVersion, SourceAddr};
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::UdpSocket;

/// Bytes of a file that are looked at.
const BEGINNING: u64 = 128;
/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;

/// What a check's connections inherit from the server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProbeSettings {
    /// Where to connect unless the dialogue says otherwise.
    pub endpoint: Endpoint,
    /// Where from.
    pub source: Option<SourceAddr>,
    /// PROXY protocol header to begin with.
    pub proxy_header: Option<ProxyHeaderVersion>,
    /// TLS to speak.
    #[cfg(feature = "tls")]
    pub tls: Option<super::tls::Connector>,
}

impl ProbeSettings {
    /// A plain connection to `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            source: None,
            proxy_header: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

enum Link {
    None,
    Stream(Stream),
    Datagram(UdpSocket),
    Echo(Echo),
}

/// Carries a dialogue out and answers its verdict. Dropping the future gives the check up and closes its connection.
pub async fn probe(mut dialog: Box<dyn Dialog>, settings: &ProbeSettings) -> Verdict {
    let mut link = Link::None;
    let mut chunk = Vec::new();
    loop {
        drain(&mut *dialog, &mut link, settings).await;
        if let Some(verdict) = dialog.verdict() {
            let verdict = verdict.clone();
            // What the dialogue left open ends with a reset, so that neither side keeps anything.
            if let Link::Stream(stream) = &link {
                stream.reset_on_close();
            }
            return verdict;
        }
        let deadline = dialog.poll_timeout();
        if matches!(link, Link::None) && deadline.is_none() {
            // Nothing to wait for: a dialogue at fault must not hang its server's checks.
            return Verdict::new(Status::Unknown);
        }
        let received = within(deadline, receive(&mut link, &mut chunk)).await;
        let now = Instant::now();
        match received {
            None => dialog.handle_timeout(now),
            Some(Ok(0)) => {
                link = Link::None;
                dialog.handle_input(now, Input::Closed);
            }
            Some(Ok(n)) => dialog.handle_input(now, Input::Bytes(&chunk[..n])),
            Some(Err(e)) => {
                link = Link::None;
                let failure = ConnectFailure::new(Layer::Application, breaking(&e));
                dialog.handle_input(now, Input::Failed(failure));
            }
        }
    }
}

/// Does everything the dialogue asks for.
async fn drain(dialog: &mut dyn Dialog, link: &mut Link, settings: &ProbeSettings) {
    while let Some(output) = dialog.poll_output() {
        let deadline = dialog.poll_timeout();
        match output {
            Output::Connect(request) => {
                close(link, Close::Reset).await;
                match within(deadline, open(&request, settings)).await {
                    None => dialog.handle_timeout(Instant::now()),
                    Some(Ok((opened, secured))) => {
                        *link = opened;
                        dialog.handle_input(Instant::now(), Input::Connected);
                        if secured {
                            dialog.handle_input(Instant::now(), Input::Secured);
                        }
                    }
                    Some(Err(failure)) => dialog.handle_input(Instant::now(), Input::Failed(failure)),
                }
            }
            Output::Send(bytes) => match within(deadline, send(link, &bytes)).await {
                None => dialog.handle_timeout(Instant::now()),
                Some(Ok(())) => {}
                // The answer to what was sent before may still be readable, and says more than the broken pipe.
                Some(Err(_)) if matches!(link, Link::Stream(_)) => {}
                Some(Err(e)) => {
                    let failure = ConnectFailure::new(Layer::Application, breaking(&e));
                    dialog.handle_input(Instant::now(), Input::Failed(failure));
                }
            },
            Output::Close(how) => close(link, how).await,
            Output::Read(path) => match within(deadline, beginning(path)).await {
                None => dialog.handle_timeout(Instant::now()),
                Some(content) => dialog.handle_input(Instant::now(), Input::Content(&content)),
            },
            Output::Run(command) => match within(deadline, run(command)).await {
                None => dialog.handle_timeout(Instant::now()),
                Some(Ok(code)) => dialog.handle_input(Instant::now(), Input::Exited(code)),
                Some(Err(e)) => {
                    dialog.handle_input(Instant::now(), Input::Failed(ConnectFailure::local(reason(&e))));
                }
            },
        }
    }
}

async fn open(request: &ConnectRequest, settings: &ProbeSettings) -> Result<(Link, bool), ConnectFailure> {
    let endpoint = target(request, &settings.endpoint);
    let source = request.source.as_deref().or(settings.source.as_ref());
    if request.transport == Transport::Datagram {
        let socket = super::connect::datagram(&endpoint, source, None);
        let socket = socket.map_err(|e| ConnectFailure::new(Layer::Connection, connecting(&e)))?;
        return Ok((Link::Datagram(socket), false));
    }
    if request.transport == Transport::Echo {
        let opened = endpoint.inet().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into());
        let echo = opened.and_then(|addr| Echo::open(addr.ip()));
        return echo.map(|echo| (Link::Echo(echo), false)).map_err(|e| ConnectFailure::local(reason(&e)));
    }
    let stream = match endpoint.inet() {
        Some(addr) if source.is_none() && !request.has_data => silent(addr).await,
        _ => super::connect(&endpoint, source, None, false, PacketMarks::default()).await,
    };
    let mut stream = stream.map_err(|e| ConnectFailure::new(Layer::Connection, connecting(&e)))?;
    let header = match request.proxy_header {
        ProxyHeader::Off => None,
        ProxyHeader::Inherit => settings.proxy_header,
        ProxyHeader::On => Some(settings.proxy_header.unwrap_or(ProxyHeaderVersion::V1)),
    };
    if let Some(version) = header {
        let bytes = crate::proxyproto::check_header(version, stream.local_addr(), stream.peer_addr());
        let sent = stream.write_all(&bytes).await;
        sent.map_err(|e| ConnectFailure::new(Layer::Connection, connecting(&e)))?;
    }
    secure(request, settings, stream).await
}

#[cfg(feature = "tls")]
async fn secure(
    request: &ConnectRequest,
    settings: &ProbeSettings,
    stream: Stream,
) -> Result<(Link, bool), ConnectFailure> {
    let (connector, sni) = match &request.tls {
        TlsChoice::Off => return Ok((Link::Stream(stream), false)),
        TlsChoice::Inherit => match &settings.tls {
            None => return Ok((Link::Stream(stream), false)),
            Some(connector) => (connector.clone(), None),
        },
        TlsChoice::On(wanted) => {
            let connector = settings.tls.clone().unwrap_or_else(super::tls::Connector::unverified);
            (connector.with_alpn(&wanted.alpn), wanted.sni.clone())
        }
    };
    let secured = connector.connect(stream, sni.as_deref()).await;
    secured.map(|s| (Link::Stream(s), true)).map_err(|e| ConnectFailure::new(Layer::Security, securing(&e)))
}

/// Why a handshake failed, in the words people look for in logs; of a certificate also what is wrong with it.
#[cfg(feature = "tls")]
fn securing(error: &io::Error) -> String {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, InvalidData, UnexpectedEof};
    match error.kind() {
        UnexpectedEof => "Connection closed during SSL handshake".to_owned(),
        ConnectionReset | BrokenPipe => "Connection error during SSL handshake".to_owned(),
        InvalidData => match reason(error) {
            detail if detail.contains("certificate") => format!("SSL handshake failure ({detail})"),
            _ => "SSL handshake failure".to_owned(),
        },
        _ => reason(error),
    }
}

#[cfg(not(feature = "tls"))]
async fn secure(
    request: &ConnectRequest,
    _settings: &ProbeSettings,
    stream: Stream,
) -> Result<(Link, bool), ConnectFailure> {
    match request.tls {
        TlsChoice::On(_) => Err(ConnectFailure::local("this program was built without TLS")),
        _ => Ok((Link::Stream(stream), false)),
    }
}

fn target(request: &ConnectRequest, default: &Endpoint) -> Endpoint {
    let with_addr = match (request.addr, default) {
        (Some(ip), _) => Endpoint::Inet(SocketAddr::new(ip, default.port().unwrap_or(0))),
        (None, other) => other.clone(),
    };
    match request.port {
        Some(port) => with_addr.with_port(port),
        None => with_addr,
    }
}

/// Connects without completing the handshake where the system permits it: the acknowledgement is held back, and closing
/// with a reset replaces it, so that the server's program never sees the connection.
async fn silent(addr: SocketAddr) -> io::Result<Stream> {
    let socket = super::connect::stream_socket(addr)?;
    let _ = socket.set_tcp_quickack(false);
    let stream = Stream::Tcp(Tcp::connect(socket, addr).await?);
    stream.reset_on_close();
    Ok(stream)
}

async fn send(link: &mut Link, bytes: &[u8]) -> io::Result<()> {
    match link {
        Link::None => Err(io::ErrorKind::NotConnected.into()),
        Link::Stream(stream) => stream.write_all(bytes).await,
        Link::Datagram(socket) => socket.send(bytes).await.map(drop),
        Link::Echo(echo) => echo.send(bytes).await,
    }
}

async fn receive(link: &mut Link, chunk: &mut Vec<u8>) -> io::Result<usize> {
    chunk.resize(CHUNK, 0);
    match link {
        Link::None => std::future::pending().await,
        Link::Stream(stream) => stream.read(chunk).await,
        Link::Datagram(socket) => socket.recv(chunk).await,
        Link::Echo(echo) => echo.receive(chunk).await,
    }
}

async fn close(link: &mut Link, how: Close) {
    if let Link::Stream(stream) = link {
        match how {
            Close::Reset => stream.reset_on_close(),
            // The peer learns of the end by it; whether it still listens does not matter.
            Close::Clean => drop(stream.shutdown().await),
        }
    }
    *link = Link::None;
}

async fn run(command: Command) -> io::Result<i32> {
    let mut program = tokio::process::Command::new(&command.program);
    program
        .args(&command.args)
        .env_clear()
        .envs(command.env)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Some(account) = &command.account
        && let Some((user, group)) = super::account::find(account)?
    {
        // Giving up the rights of root takes the other groups away, too.
        program.uid(user).gid(group);
    }
    let status = program.spawn()?.wait().await?;
    use std::os::unix::process::ExitStatusExt;
    Ok(status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)))
}

/// The first bytes of a file; none of what cannot be read.
async fn beginning(path: Arc<str>) -> Vec<u8> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let read = move || {
        // Opening a pipe must not wait for somebody who writes.
        let file = std::fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&*path).ok()?;
        let mut content = Vec::new();
        file.take(BEGINNING).read_to_end(&mut content).ok()?;
        Some(content)
    };
    tokio::task::spawn_blocking(read).await.ok().flatten().unwrap_or_default()
}

/// Why there is no connection, in the words people look for in logs.
fn connecting(error: &io::Error) -> String {
    let code = match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => "ECONNREFUSED returned by OS",
        Some(libc::ECONNRESET) => "ECONNRESET returned by OS",
        Some(libc::EPIPE) => "EPIPE returned by OS",
        Some(libc::EADDRINUSE) => "Local source address already in use",
        Some(libc::EADDRNOTAVAIL) => "Can't bind to source address",
        Some(libc::EAFNOSUPPORT) => "Protocol or address family not supported",
        Some(libc::EMFILE) => "Too many sockets on the process",
        Some(libc::ENFILE) => "Too many sockets on the system",
        _ => "General socket error",
    };
    format!("{code} ({})", reason(error))
}

/// Why a connection ended: in the same words if the system told, else in its own.
fn breaking(error: &io::Error) -> String {
    if error.raw_os_error().is_some() { connecting(error) } else { reason(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "tls")]
    #[test]
    fn a_failed_handshake_is_named_as_logs_are_searched_for() {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        let failed = |kind, words: &str| securing(&io::Error::new(kind, words));
        assert_eq!(failed(UnexpectedEof, "tls handshake eof"), "Connection closed during SSL handshake");
        assert_eq!(failed(InvalidData, "received fatal alert: HandshakeFailure"), "SSL handshake failure");
        assert_eq!(
            failed(InvalidData, "invalid peer certificate: Expired"),
            "SSL handshake failure (invalid peer certificate: Expired)"
        );
    }

    #[test]
    fn a_refused_connection_is_named_as_logs_are_searched_for() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        assert_eq!(connecting(&refused), "ECONNREFUSED returned by OS (Connection refused)");
        let elsewhere = io::Error::from_raw_os_error(libc::ENETUNREACH);
        assert_eq!(connecting(&elsewhere), "General socket error (Network is unreachable)");
    }
}
