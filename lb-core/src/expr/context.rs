//! What an expression can see: the evaluation environment and the traits a driver implements.

use std::any::Any;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::arena::Arena;
use super::sample::Sample;
use super::vars::Vars;
use crate::log::Record;
use crate::stick::{SharedTable, Tracked};

/// Everything one evaluation needs, borrowed for its duration.
///
/// Built on the stack around a group of rules; the arena is reset by its owner afterwards.
#[derive(Debug)]
pub struct Env<'a> {
    /// Facts about the session, its connections and the process.
    pub facts: &'a dyn Facts,
    /// Variables within reach.
    pub vars: Vars<'a>,
    /// Where converter outputs live.
    pub arena: &'a Arena,
    /// No more data will come: what is missing now stays missing (end of input, inspection delay
    /// elapsed, buffer full).
    pub last: bool,
    unsettled: Cell<bool>,
}

impl<'a> Env<'a> {
    /// An environment on complete input.
    pub const fn new(facts: &'a dyn Facts, vars: Vars<'a>, arena: &'a Arena) -> Self {
        Self { facts, vars, arena, last: true, unsettled: Cell::new(false) }
    }

    /// The same on input that may still grow: conditions then may answer "not yet known".
    #[must_use]
    pub const fn partial(mut self) -> Self {
        self.last = false;
        self
    }

    /// For fetches: what was just returned (or not found) may change when more data arrives.
    pub fn mark_unsettled(&self) {
        self.unsettled.set(true);
    }

    /// Reads and clears the mark set by [`Env::mark_unsettled`].
    pub fn take_unsettled(&self) -> bool {
        self.unsettled.replace(false)
    }
}

/// A date and an instant taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two clocks of a process")]
pub struct Now {
    /// Time since the Unix epoch.
    pub date: Duration,
    /// Monotonic clock.
    pub instant: Instant,
}

/// Requests or responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "traffic has two directions")]
pub enum Direction {
    /// From the client.
    Request,
    /// From the server.
    Response,
}

/// One of the two connections of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session has two sides")]
pub enum Side {
    /// The connection the client opened.
    Client,
    /// The connection to the server.
    Server,
}

/// Buffered bytes of one direction.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain view")]
pub struct Peek<'a> {
    /// What has arrived and was not forwarded.
    pub bytes: &'a [u8],
    /// The sender has finished, or the buffer is full: nothing will be added.
    pub complete: bool,
}

/// Name and number of a frontend or backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain view")]
pub struct ProxyRef<'a> {
    /// Configured name.
    pub name: &'a str,
    /// Numeric id.
    pub id: u32,
}

/// Name and number of the chosen server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain view")]
pub struct ServerRef<'a> {
    /// Configured name.
    pub name: &'a str,
    /// Numeric id inside its backend.
    pub id: u32,
    /// The backend it belongs to.
    pub backend: &'a str,
}

/// Facts about one session, answered by the driver that runs it.
///
/// Every method has a default meaning "not known here", so a driver implements what it has.
/// Answers borrow from the driver's state and live as long as the evaluation.
pub trait Facts {
    /// The current date and instant. Constant during one evaluation.
    fn now(&self) -> Now;

    /// Source address of the client as rules see it (PROXY protocol, `set-src` applied).
    fn src(&self) -> Option<SocketAddr> {
        None
    }
    /// Destination address as rules see it.
    fn dst(&self) -> Option<SocketAddr> {
        None
    }
    /// Source address of the client connection before any `set-src` on the stream.
    fn client_src(&self) -> Option<SocketAddr> {
        self.src()
    }
    /// Destination address of the client connection before any `set-dst` on the stream.
    fn client_dst(&self) -> Option<SocketAddr> {
        self.dst()
    }
    /// Source address of the connection to the server.
    fn server_src(&self) -> Option<SocketAddr> {
        None
    }
    /// Destination address of the connection to the server.
    fn server_dst(&self) -> Option<SocketAddr> {
        None
    }
    /// Name and id of the listener that accepted the connection.
    fn listener(&self) -> Option<ProxyRef<'_>> {
        None
    }
    /// The frontend.
    fn frontend(&self) -> Option<ProxyRef<'_>> {
        None
    }
    /// The backend, once chosen.
    fn backend(&self) -> Option<ProxyRef<'_>> {
        None
    }
    /// The server, once chosen.
    fn server(&self) -> Option<ServerRef<'_>> {
        None
    }
    /// A property of the TLS layer of one side; `None` without TLS or when unknown.
    fn tls(&self, _side: Side, _fact: TlsFact) -> Option<Sample<'_>> {
        None
    }
    /// Bytes waiting in one direction.
    fn buffer(&self, _direction: Direction) -> Option<Peek<'_>> {
        None
    }
    /// Which direction is being processed.
    fn direction(&self) -> Direction {
        Direction::Request
    }
    /// Random bits.
    fn random(&self) -> u64 {
        0
    }
    /// A less common property of the stream, of the type named with it.
    fn stream(&self, _fact: StreamFact) -> Option<Sample<'_>> {
        None
    }
    /// The entry tracked in a slot, by the request or else by the connection.
    fn tracked(&self, _slot: usize) -> Option<&Tracked> {
        None
    }
    /// The unique id of the stream, if one was generated.
    fn unique_id(&self) -> Option<&[u8]> {
        None
    }
    /// What logs know about the stream so far: timers, byte counts, termination state.
    fn record(&self) -> Option<Record<'_>> {
        None
    }
    /// Shared state of the process: backends, servers, tables.
    fn engine(&self) -> &dyn EngineView {
        &NoEngine
    }
    /// The protocol's own view of the message; protocol crates downcast it.
    fn layer(&self) -> Option<&dyn Any> {
        None
    }
    /// Where a protocol crate keeps its view of buffered bytes that nobody has parsed, for as long as they stay the same.
    fn glimpse(&self) -> Option<&Glimpse> {
        None
    }
}

/// A protocol's view of bytes of a connection in TCP mode, made when an expression first asks for it.
pub type Glimpse = std::cell::OnceCell<Box<dyn Any + Send>>;

impl std::fmt::Debug for dyn Facts + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Facts")
    }
}

/// A less common property of a stream or its connections, with the sample type of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamFact {
    /// Int: number of the error of a connection, 0 without.
    ConnectionError(Side),
    /// Str: text of that error.
    ConnectionErrorText(Side),
    /// Str: symbolic name of that error.
    ConnectionErrorName(Side),
    /// Bool: the server connection carried other requests before.
    Reused,
    /// Int: major HTTP version of a connection.
    HttpMajor(Side),
    /// Int: streams open on a connection.
    Streams(Side),
    /// Int: streams a peer allows on a connection.
    StreamLimit(Side),
    /// Int: protocol oddities seen on a connection.
    Glitches(Side),
    /// Int: round trip time in microseconds.
    RoundTrip(Side),
    /// Int: variance of the round trip time in microseconds.
    RoundTripVariance(Side),
    /// Int: retransmitted segments of the client connection.
    Retransmits,
    /// Int: lost segments of the client connection.
    Lost,
    /// Int: unacknowledged segments of the client connection.
    Unacked,
    /// Int: reordering seen on the client connection.
    Reordering,
    /// Int: selectively acknowledged segments of the client connection.
    Sacked,
    /// Bool: the client connection began with a PROXY protocol header.
    ReceivedProxy,
    /// Str: authority announced by the PROXY protocol.
    ProxyAuthority,
    /// Bin: unique id announced by the PROXY protocol.
    ProxyUniqueId,
    /// Str: value of a PROXY protocol TLV by type.
    ProxyTlv(u8),
    /// Bool: the source address belongs to this machine.
    SourceIsLocal,
    /// Bool: the destination address belongs to this machine.
    DestinationIsLocal,
    /// Int: connections of the listener.
    ListenerConnections,
    /// Int: id of the stream inside its connection.
    StreamId(Side),
    /// Bool: that side aborted.
    Aborted(Side),
    /// Int: reset code received on that side.
    ResetCode(Side),
    /// Int: priority class in queues.
    PriorityClass,
    /// Int: priority offset in queues.
    PriorityOffset,
    /// Int: effective client timeout in milliseconds.
    ClientTimeout,
    /// Int: effective server timeout in milliseconds.
    ServerTimeout,
    /// Int: effective tunnel timeout in milliseconds.
    TunnelTimeout,
    /// Int: effective connect timeout in milliseconds.
    ConnectTimeout,
    /// Int: effective queue timeout in milliseconds.
    QueueTimeout,
    /// Int: effective tarpit timeout in milliseconds.
    TarpitTimeout,
    /// Str: file of the last final rule.
    LastRuleFile,
    /// Int: line of the last final rule.
    LastRuleLine,
    /// Str: what ended the evaluation last.
    LastEntity,
    /// Str: what the evaluation was waiting for.
    WaitingEntity,
    /// Str: default backend of the frontend.
    DefaultBackend,
    /// Int: number of the worker thread.
    Thread,
    /// Int: bytes received and not yet passed on, where they cannot be looked at.
    BufferedLength(Direction),
}

/// A number describing a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendFact {
    /// Numeric id.
    Id,
    /// Usable servers.
    UsableServers,
    /// Established sessions.
    Sessions,
    /// New sessions during the last second.
    SessionRate,
    /// Connections that could still be accepted by the usable servers and their queues.
    ConnSlots,
    /// Sessions without a server still possible (`be_conn_free`).
    ConnFree,
    /// Sessions in the backend's and its servers' queues.
    Queued,
    /// The queued sessions divided by the usable servers, rounded up.
    AverageQueue,
    /// The server timeout in milliseconds.
    ServerTimeout,
    /// The tunnel timeout in milliseconds.
    TunnelTimeout,
    /// The connect timeout in milliseconds.
    ConnectTimeout,
}

/// A number describing a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrontendFact {
    /// Numeric id.
    Id,
    /// Established sessions.
    Sessions,
    /// New sessions during the last second.
    SessionRate,
    /// Requests during the last second.
    RequestRate,
    /// The client timeout in milliseconds.
    ClientTimeout,
}

/// A number describing a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerFact {
    /// Numeric id.
    Id,
    /// 1 when it may receive traffic.
    Up,
    /// Established sessions.
    Sessions,
    /// Sessions without which `maxconn` would be reached.
    ConnFree,
    /// New sessions during the last second.
    SessionRate,
    /// Waiting sessions.
    Queued,
    /// Effective weight between 0 and 256.
    Weight,
    /// Configured weight.
    InitialWeight,
    /// Effective weight relative to its users' scale.
    UserWeight,
}

/// What expressions may ask about the running engine.
pub trait EngineView {
    /// A property of a backend; `None` for an unknown name.
    fn backend(&self, _name: &str, _fact: BackendFact) -> Option<i64> {
        None
    }
    /// A property of a frontend; `None` for an unknown name.
    fn frontend(&self, _name: &str, _fact: FrontendFact) -> Option<i64> {
        None
    }
    /// A property of a server; `None` for an unknown name.
    fn server(&self, _backend: &str, _server: &str, _fact: ServerFact) -> Option<i64> {
        None
    }
    /// The name of the server with this id in a backend.
    fn server_name(&self, _backend: &str, _id: u32) -> Option<&str> {
        None
    }
    /// The stick table of that name.
    fn table(&self, _name: &str) -> Option<&Arc<SharedTable>> {
        None
    }
    /// Whether a session is up that runs beside the engine, see [`Companion::session`](crate::companion::Companion::session).
    fn session(&self, _name: &str) -> Poll<Option<bool>> {
        Poll::Ready(None)
    }
    /// Process id.
    fn pid(&self) -> u32 {
        0
    }
    /// Number of worker threads.
    fn threads(&self) -> u32 {
        1
    }
    /// Host name of the machine.
    fn hostname(&self) -> &str {
        ""
    }
    /// Configured node name.
    fn node(&self) -> &str {
        self.hostname()
    }
    /// Seconds east of UTC of local time at a date given in seconds since the epoch.
    fn utc_offset(&self, _date: i64) -> i32 {
        0
    }
    /// Connections of the whole process (`%ac`).
    fn connections(&self) -> u64 {
        0
    }
    /// Seconds since the start; `None` where nothing runs.
    fn uptime(&self) -> Option<u64> {
        None
    }
    /// Whether the process no longer accepts connections and ends with the last one.
    fn is_stopping(&self) -> bool {
        false
    }
}

/// An engine without anything in it.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to hide")]
pub struct NoEngine;

impl EngineView for NoEngine {}

/// Facts of no session at all: only the clock. For evaluation at load time and for tests.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "one clock")]
pub struct NoFacts(pub Now);

impl Facts for NoFacts {
    fn now(&self) -> Now {
        self.0
    }
}

/// A property of a TLS connection, with the sample type the driver answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFact {
    /// Bool: TLS is in use.
    Active,
    /// Bool: the handshake is finished.
    HandshakeDone,
    /// Str: server name asked for by the client.
    Sni,
    /// Str: negotiated application protocol.
    Alpn,
    /// Str: `TLSv1.2`, `TLSv1.3`.
    Protocol,
    /// Str: cipher name in OpenSSL's spelling.
    Cipher,
    /// Int: symmetric key size in bits.
    KeySize,
    /// Bool: the session was resumed.
    Resumed,
    /// Bin: session id or ticket identity.
    SessionId,
    /// Bin: channel binding value (tls-unique or exporter).
    UniqueId,
    /// Bin: client random.
    ClientRandom,
    /// Bin: server random.
    ServerRandom,
    /// Bool: early data was used.
    EarlyData,
    /// Int: OpenSSL-style number of the handshake error, 0 without.
    Error,
    /// Str: text of the handshake error.
    ErrorText,
    /// Int: OpenSSL-style verification result of the peer's certificate, 0 when accepted.
    VerifyResult,
    /// Bin: DER of the certificate the peer presented.
    PeerCertificate,
    /// Bin: DER of the certificate we presented.
    OwnCertificate,
    /// Bool: the peer certificate was seen on this very handshake (not resumed).
    PeerCertificateFresh,
}
