//! What comes before the protocol: PROXY header and TLS.

use super::Connection;
use super::connection::{ProxyInfo, Stamp};
use super::rules::{Decision, decide};
use crate::expr::VarScope;
use crate::proxyproto::{Parsed, parse};
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
    let worker = connection.worker.clone();
    let frontend = Arc::clone(connection.frontend());
    let rules = &frontend.spec.tcp_rules.connection;
    if !rules.is_empty() && decide(rules, &mut connection, &VarScope::new()) == Decision::Reject {
        frontend.state.front.counters.of(worker.id()).denied_connections.inc();
        return connection.stream.reset_on_close();
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

fn begin(mut connection: Connection) {
    let frontend = Arc::clone(connection.frontend());
    let rules = &frontend.spec.tcp_rules.session;
    if !rules.is_empty() && decide(rules, &mut connection, &VarScope::new()) == Decision::Reject {
        frontend.state.front.counters.of(connection.worker.id()).denied_sessions.inc();
        return connection.stream.reset_on_close();
    }
    let Some(protocol) = connection.generation.protocol(connection.proxy).cloned() else { return };
    let counters = &connection.frontend().state.front.counters;
    counters.of(connection.worker.id()).sessions.inc();
    let worker = connection.worker.clone();
    let entry = Arc::clone(&connection.guard.place.entry);
    let task = worker.spawn(protocol.serve(connection));
    entry.served_by(task.abort_handle());
}

fn needs_handshake(connection: &Connection) -> bool {
    connection.listener.spec.accept_proxy || connection.listener.spec.tls.is_some()
}

/// The connection after its handshakes; `None` if one failed or took too long, which ends the connection without a word.
async fn shake(connection: Connection) -> Option<Connection> {
    let frontend = connection.frontend().clone();
    let worker = connection.worker.id();
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
    if connection.listener.spec.accept_proxy {
        proxy_header(&mut connection).await?;
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = &connection.listener.tls {
        connection.stream = tls.clone().accept(connection.stream).await?;
    }
    let spent = Stamp::now().instant.duration_since(connection.accepted.instant);
    connection.handshake_ms = u32::try_from(spent.as_millis()).unwrap_or(u32::MAX);
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
        if !header.local {
            connection.peer = header.source.or(connection.peer);
            connection.announced = header.destination.or(connection.announced);
            let fields = header.tlvs().map(|tlv| (tlv.kind, tlv.value.to_vec())).collect();
            connection.proxied = Some(Box::new(ProxyInfo { fields }));
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
