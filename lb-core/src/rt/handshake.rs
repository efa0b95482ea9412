//! What comes before the protocol: PROXY header and TLS.

use super::Stream;
use super::connection::{Connection, ProxyInfo, Session, Stamp};
use super::facts::SessionFacts;
use super::rules::{Scene, Verdict};
use super::sessions::Served;
use crate::expr::{Arena, Env};
use crate::log::{Cause, Origin, Phase, Record, Termination, Timers};
use crate::proxyproto::{Invalid, Parsed, parse};
use crate::stats::counter::FrontendCounters;
use crate::stick::{Event, Slots};
#[cfg(feature = "tls")]
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Longest header that is accepted, HAProxy's buffer; the text form is far shorter, the binary one may carry fields.
const MAX_HEADER: usize = 16384;

/// Completes the handshakes of a connection and hands it to its protocol.
///
/// The protocol gets a task of its own that holds nothing but the protocol's future: with many idle connections the size
/// of that task is most of the memory.
pub(super) fn start(mut connection: Connection) {
    if !connection.session.frontend().spec.tcp_rules.connection.is_empty() {
        let frontend = Arc::clone(connection.session.frontend());
        let rules = &frontend.spec.tcp_rules.connection;
        let verdict = Scene::new(&mut connection.session, &connection.stream).run(rules, 0, &frontend);
        if refused(&connection, verdict) {
            counters(&connection.session).denied_connections.inc_shared();
            return;
        }
    }
    if needs_handshake(&connection) {
        let worker = connection.session.worker().clone();
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
        // Only contents are waited for, or make a session switch.
        Verdict::Accept | Verdict::Wait | Verdict::Pause(..) | Verdict::Switch | Verdict::Resolve(_) => {
            return false;
        }
    }
    true
}

fn begin(mut connection: Connection) {
    if !connection.session.frontend().spec.tcp_rules.session.is_empty() {
        let frontend = Arc::clone(connection.session.frontend());
        let rules = &frontend.spec.tcp_rules.session;
        let mut scene = Scene::new(&mut connection.session, &connection.stream);
        scene.established = true;
        let verdict = scene.run(rules, 0, &frontend);
        if refused(&connection, verdict) {
            counters(&connection.session).denied_sessions.inc_shared();
            return;
        }
    }
    connection.session.count(&mut Slots::new(), Event::Session);
    let session = &connection.session;
    let Some(protocol) = session.generation().protocol(session.proxy()).cloned() else { return };
    counters(session).sessions.inc_shared();
    let worker = session.worker().clone();
    let entry = session.entry();
    worker.spawn(Served::new(entry, protocol.serve(connection)));
}

/// The frontend's counters. Until the session has its task this may be the thread of another worker.
fn counters(session: &Session) -> &FrontendCounters {
    session.frontend().state.front.counters.of(session.worker().id())
}

fn needs_handshake(connection: &Connection) -> bool {
    expects_proxy(&connection.session) || connection.session.listener().spec.tls.is_some()
}

/// Whether a PROXY header comes first: by the listener, or by a rule.
fn expects_proxy(session: &Session) -> bool {
    session.listener().spec.accept_proxy || session.notes().is_some_and(|notes| notes.expects_proxy)
}

/// Why the handshakes of a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure {
    /// Number and name, as `fc_err` and `fc_err_name` tell them.
    code: (u8, &'static str),
    words: &'static str,
    /// The client left without a word, which `option dontlognull` keeps out of the logs.
    null: bool,
}

impl Failure {
    const fn new(code: u8, name: &'static str, words: &'static str) -> Self {
        Self { code: (code, name), words, null: false }
    }

    const fn null(code: u8, name: &'static str, words: &'static str) -> Self {
        Self { code: (code, name), words, null: true }
    }
}

/// The connection after its handshakes; `None` if one failed or took too long, which ends the connection and is logged.
async fn shake(connection: Connection) -> Option<Connection> {
    let (stream, mut session) = connection.split();
    let frontend = Arc::clone(session.frontend());
    let told = session.generation().logger(session.proxy()).is_enabled();
    let local = if told { session.local(&stream) } else { None };
    let limit = frontend.spec.timeouts.effective_client_hs();
    let done = match limit {
        Some(limit) => tokio::time::timeout(limit, steps(stream, &mut session)).await.ok(),
        None => Some(steps(stream, &mut session).await),
    };
    let failure = match done {
        Some(Ok(stream)) => return Some(Connection::new(stream, session)),
        Some(Err(failure)) => failure,
        None if expects_proxy(&session) && session.notes().is_none_or(|notes| notes.proxied.is_none()) => {
            Failure::new(13, "PRX_TIMEOUT", "Timeout while waiting for PROXY protocol header")
        }
        None => Failure::new(26, "SSL_TIMEOUT", "Timeout during SSL handshake"),
    };
    frontend.state.front.counters.of(session.worker().id()).request_errors.inc();
    if !(failure.null && frontend.spec.log.dontlognull) {
        log(&session, local, failure);
    }
    None
}

/// Writes the line of a connection to `local` that ended before its protocol began.
fn log(session: &Session, local: Option<SocketAddr>, failure: Failure) {
    let logger = session.generation().logger(session.proxy());
    if !logger.is_enabled() {
        return;
    }
    let spent = Stamp::now().instant.duration_since(session.accepted().instant);
    let spent = i64::try_from(spent.as_millis()).unwrap_or(i64::MAX);
    let mut facts = SessionFacts::new(session, None);
    facts.failure = Some(failure.code);
    facts.local = facts.local.or(local);
    facts.record = Some(Record {
        frontend_addr: facts.local,
        timers: Timers { handshake: spent, total: spent, user: spent, ..Timers::UNKNOWN },
        termination: Termination { cause: Cause::Proxy, phase: Phase::Request, ..Termination::default() },
        origin: Origin::SessionKilled,
        counter: session.next_number(),
        error: Some(failure.words),
        ..super::tcp_log::begun(session)
    });
    let arena = Arena::new();
    logger.failure(session.worker().id(), &Env::new(&facts, facts.vars(), &arena));
    session.frontend().state.front.log_lines.fetch_add(1, Relaxed);
}

async fn steps(mut stream: Stream, session: &mut Session) -> Result<Stream, Failure> {
    if expects_proxy(session) {
        proxy_header(&mut stream, session).await?;
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = session.listener().tls.clone() {
        stream = tls.accept(stream).await.map_err(|e| insecure(&e))?;
    }
    let spent = Stamp::now().instant.duration_since(session.accepted().instant);
    session.handshake_ms = u32::try_from(spent.as_millis()).unwrap_or(u32::MAX);
    Ok(stream)
}

#[cfg(feature = "tls")]
fn insecure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Failure::null(24, "SSL_EMPTY", "Connection closed during SSL handshake")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Failure::null(25, "SSL_ABORT", "Connection error during SSL handshake")
        }
        _ => Failure::new(34, "SSL_HANDSHAKE", "SSL handshake failure"),
    }
}

/// Reads the header byte-exactly, so that what follows stays in the socket.
async fn proxy_header(stream: &mut Stream, session: &mut Session) -> Result<(), Failure> {
    let mut seen = Vec::new();
    loop {
        let header = match parse(&seen) {
            Parsed::Complete(header) => header,
            Parsed::Invalid(invalid) => return Err(not_a_header(invalid)),
            Parsed::Incomplete => {
                // One byte more decides once the text line is nearly complete; the binary form tells its length.
                let (start, wanted) = (seen.len(), missing(&seen));
                if start + wanted > MAX_HEADER {
                    return Err(not_a_header(Invalid::Length));
                }
                seen.resize(start + wanted, 0);
                let got = stream.read(&mut seen[start..]).await;
                seen.truncate(start + got.as_ref().ok().copied().unwrap_or(0));
                match got {
                    Ok(0) if start == 0 => {
                        return Err(Failure::null(
                            11,
                            "PRX_EMPTY",
                            "Connection closed while waiting for PROXY protocol header",
                        ));
                    }
                    Ok(0) => {
                        return Err(Failure::new(
                            14,
                            "PRX_TRUNCATED",
                            "Truncated PROXY protocol header received",
                        ));
                    }
                    Ok(_) => continue,
                    Err(_) => {
                        return Err(Failure::null(
                            12,
                            "PRX_ABORT",
                            "Connection error while waiting for PROXY protocol header",
                        ));
                    }
                }
            }
        };
        let fields = header.tlvs().map(|tlv| (tlv.kind, tlv.value.to_vec())).collect();
        session.notes_mut().proxied = Some(ProxyInfo { fields });
        if let (false, Some(source), Some(destination)) = (header.local, header.source, header.destination) {
            session.set_source(source, true);
            session.set_destination(destination, stream, true);
        }
        return Ok(());
    }
}

/// What is said of bytes that are not a header.
const fn not_a_header(invalid: Invalid) -> Failure {
    match invalid {
        Invalid::Signature => Failure::new(
            15,
            "PRX_NOT_HDR",
            "Received something which does not look like a PROXY protocol header",
        ),
        Invalid::Family => {
            Failure::new(17, "PRX_BAD_PROTO", "Received an unhandled protocol in the PROXY protocol header")
        }
        _ => Failure::new(16, "PRX_BAD_HDR", "Received an invalid PROXY protocol header"),
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
