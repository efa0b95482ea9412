//! What comes before the protocol: PROXY header and TLS.

use super::Connection;
use super::connection::{ProxyInfo, Stamp};
use super::rules::{Scene, Verdict};
use crate::proxyproto::{Parsed, parse};
use crate::stick::{Event, Slots};
use std::io;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// Longest header that is accepted; the text form is far shorter, the binary one may carry fields.
const MAX_HEADER: usize = 16 + 4096;

/// Completes the handshakes of a connection and hands it to its protocol.
///
/// The protocol gets a task of its own that holds nothing but the protocol's future: with many idle connections the size
/// of that task is most of the memory.
pub(super) fn start(mut connection: Connection) {
    let worker = connection.session.worker.clone();
    let frontend = Arc::clone(connection.session.frontend());
    let rules = &frontend.spec.tcp_rules.connection;
    if !rules.is_empty() {
        let verdict = Scene::new(&mut connection.session, &connection.stream).run(rules, 0, &frontend);
        if refused(&connection, verdict) {
            frontend.state.front.counters.of(worker.id()).denied_connections.inc();
            return;
        }
    }
    if needs_handshake(&connection) {
        worker.spawn(Box::pin(async move {
            if let Some(connection) = shake(connection).await {
                begin(connection);
            }
        }));
    } else {
        begin(connection);
    }
}

/// Whether the rules end the connection; then it closes with a reset, or silently.
fn refused(connection: &Connection, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Reject | Verdict::Close => connection.stream.reset_on_close(),
        Verdict::SilentDrop(ttl) => connection.stream.silence_on_close(ttl),
        Verdict::Accept | Verdict::Wait | Verdict::Pause(..) => return false,
    }
    true
}

fn begin(mut connection: Connection) {
    let frontend = Arc::clone(connection.session.frontend());
    let rules = &frontend.spec.tcp_rules.session;
    let worker = connection.session.worker.clone();
    let counters = frontend.state.front.counters.of(worker.id());
    if !rules.is_empty() {
        let mut scene = Scene::new(&mut connection.session, &connection.stream);
        scene.established = true;
        let verdict = scene.run(rules, 0, &frontend);
        if refused(&connection, verdict) {
            counters.denied_sessions.inc();
            return;
        }
    }
    connection.session.count(&mut Slots::new(), Event::Session);
    let generation = Arc::clone(connection.session.generation());
    let Some(protocol) = generation.protocol(connection.session.proxy()).cloned() else { return };
    counters.sessions.inc();
    let entry = connection.session.entry();
    let task = worker.spawn(protocol.serve(connection));
    entry.served_by(task.abort_handle());
}

fn needs_handshake(connection: &Connection) -> bool {
    expects_proxy(connection) || connection.session.listener().spec.tls.is_some()
}

/// Whether a PROXY header comes first: by the listener, or by a rule.
fn expects_proxy(connection: &Connection) -> bool {
    connection.session.listener().spec.accept_proxy
        || connection.session.notes().is_some_and(|notes| notes.expects_proxy)
}

/// The connection after its handshakes; `None` if one failed or took too long, which ends the connection without a word.
async fn shake(connection: Connection) -> Option<Connection> {
    let frontend = connection.session.frontend().clone();
    let worker = connection.session.worker.id();
    let limit = frontend.spec.timeouts.effective_client_hs();
    let done = match limit {
        Some(limit) => tokio::time::timeout(limit, steps(connection)).await.unwrap_or_else(|e| Err(e.into())),
        None => steps(connection).await,
    };
    match done {
        Ok(connection) => Some(connection),
        Err(_) => {
            frontend.state.front.counters.of(worker).request_errors.inc();
            None
        }
    }
}

async fn steps(mut connection: Connection) -> io::Result<Connection> {
    if expects_proxy(&connection) {
        proxy_header(&mut connection).await?;
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = &connection.session.listener().tls {
        connection.stream = tls.clone().accept(connection.stream).await?;
    }
    let session = &mut connection.session;
    let spent = Stamp::now().instant.duration_since(session.accepted().instant);
    session.handshake_ms = u32::try_from(spent.as_millis()).unwrap_or(u32::MAX);
    Ok(connection)
}

/// Reads the header byte-exactly, so that what follows stays in the socket.
async fn proxy_header(connection: &mut Connection) -> io::Result<()> {
    let mut seen = Vec::new();
    loop {
        let header = match parse(&seen) {
            Parsed::Complete(header) => header,
            Parsed::Invalid(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e.to_string())),
            Parsed::Incomplete if seen.len() >= MAX_HEADER => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "PROXY header too long"));
            }
            Parsed::Incomplete => {
                // One byte more decides once the text line is nearly complete; the binary form tells its length.
                let wanted = missing(&seen);
                let start = seen.len();
                seen.resize(start + wanted, 0);
                connection.stream.read_exact(&mut seen[start..]).await?;
                continue;
            }
        };
        let Connection { stream, session } = connection;
        let fields = header.tlvs().map(|tlv| (tlv.kind, tlv.value.to_vec())).collect();
        session.notes_mut().proxied = Some(ProxyInfo { fields });
        if let (false, Some(source), Some(destination)) = (header.local, header.source, header.destination) {
            session.set_source(source, true);
            session.set_destination(destination, stream, true);
        }
        return Ok(());
    }
}

/// How many bytes may be read without reading past the header.
fn missing(seen: &[u8]) -> usize {
    match seen {
        [b'\r', ..] if seen.len() < 16 => 16 - seen.len(),
        [b'\r', ..] => {
            let length = 16 + usize::from(u16::from_be_bytes([seen[14], seen[15]]));
            length.saturating_sub(seen.len()).max(1)
        }
        // "PROXY UNKNOWN\r\n" is the shortest line.
        [] => 15,
        _ => 1,
    }
}
