//! The facts of one session or request that log lines print.

use std::net::SocketAddr;
use std::time::Duration;

use super::termination::{Cause, Termination};
use crate::expr::ProxyRef;

/// What a driver knows about a stream when a line is written. Everything is borrowed or small,
/// so building one per line costs little.
///
/// Fill what is known and take the rest from [`Record::EMPTY`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data, built with struct update syntax by drivers")]
pub struct Record<'a> {
    /// Client address (`%ci`, `%cp`); `None` for unix sockets.
    pub client: Option<SocketAddr>,
    /// Address the client connected to (`%fi`, `%fp`).
    pub frontend_addr: Option<SocketAddr>,
    /// Our address towards the server (`%bi`, `%bp`).
    pub backend_addr: Option<SocketAddr>,
    /// The server's address (`%si`, `%sp`).
    pub server_addr: Option<SocketAddr>,
    /// Accepted on a unix socket.
    pub unix: bool,
    /// The frontend (`%f`).
    pub frontend: ProxyRef<'a>,
    /// The listener inside it; its id replaces ports on unix sockets.
    pub listener: ProxyRef<'a>,
    /// The client side uses TLS (`%ft` gets a `~`).
    pub tls: bool,
    /// The session speaks HTTP.
    pub http_mode: bool,
    /// The frontend's sessions begin in HTTP mode.
    pub http_frontend: bool,
    /// The backend (`%b`); `None` prints the frontend.
    pub backend: Option<ProxyRef<'a>>,
    /// The server (`%s`); `None` prints `<NOSRV>`.
    pub server: Option<&'a str>,
    /// When the connection was accepted, since the Unix epoch.
    pub accept_date: Duration,
    /// When the request began (`%tr`).
    pub request_date: Duration,
    /// Durations.
    pub timers: Timers,
    /// Totals are told before they are known, see [`Schedule::is_early`](super::Schedule::is_early): they get a `+`.
    pub early: bool,
    /// Response status (`%ST`); 0 when there is none.
    pub status: u16,
    /// Bytes from the server to the client (`%B`).
    pub bytes_read: u64,
    /// Bytes from the client (`%U`).
    pub bytes_uploaded: u64,
    /// How it ended.
    pub termination: Termination,
    /// Connections of the process (`%ac`).
    pub process_connections: u64,
    /// Connections of the frontend (`%fc`).
    pub frontend_connections: u64,
    /// Connections of the backend (`%bc`).
    pub backend_connections: u64,
    /// Connections of the server (`%sc`).
    pub server_connections: u64,
    /// Connection retries (`%rc`).
    pub retries: u32,
    /// The last retry went to another server: `%rc` gets a `+`.
    pub redispatched: bool,
    /// Requests before this one in the server's queue (`%sq`).
    pub server_queue: u32,
    /// Requests before this one in the backend's queue (`%bq`).
    pub backend_queue: u32,
    /// Number of the request or session (`%rt`).
    pub counter: u32,
    /// Number of log lines of the frontend (`%lc`).
    pub log_counter: u64,
    /// Where in the stream's life the line is written (`%OG`).
    pub origin: Origin,
    /// The message of a failed client connection, for the error format.
    pub error: Option<&'a str>,
    /// The HTTP part; `None` in other protocols.
    pub http: Option<HttpRecord<'a>>,
}

/// The HTTP part of a [`Record`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data, built with struct update syntax by drivers")]
pub struct HttpRecord<'a> {
    /// The request line; `None` before a valid one (`<BADREQ>`).
    pub request: Option<RequestLine<'a>>,
    /// Longest request line to print (`tune.http.logurilen`).
    pub uri_limit: usize,
    /// Captured request cookie, `name=value` (`%CC`).
    pub request_cookie: Option<&'a [u8]>,
    /// Captured response cookie (`%CS`).
    pub response_cookie: Option<&'a [u8]>,
    /// Declared request captures (`%hr`).
    pub request_captures: &'a [Capture],
    /// Declared response captures (`%hs`).
    pub response_captures: &'a [Capture],
}

impl HttpRecord<'_> {
    /// Nothing known yet.
    pub const EMPTY: Self = Self {
        request: None,
        uri_limit: 1024,
        request_cookie: None,
        response_cookie: None,
        request_captures: &[],
        response_captures: &[],
    };
}

/// The parts of a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "three parts by definition")]
pub struct RequestLine<'a> {
    /// `GET`.
    pub method: &'a [u8],
    /// The target as received.
    pub uri: &'a [u8],
    /// `HTTP/1.1`.
    pub version: &'a [u8],
}

/// One capture slot; keeps its memory from request to request.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    bytes: Vec<u8>,
    set: bool,
    /// Most bytes, if the slot has a length of its own.
    most: Option<usize>,
}

impl Capture {
    /// An empty slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the slot a length, which limits all that is stored in it.
    pub fn limit(&mut self, most: usize) {
        self.most = Some(most);
    }

    /// Stores at most `limit` bytes.
    pub fn set(&mut self, value: &[u8], limit: usize) {
        let most = limit.min(self.most.unwrap_or(usize::MAX));
        self.bytes.clear();
        self.bytes.extend_from_slice(&value[..value.len().min(most)]);
        self.set = true;
    }

    /// Empties the slot.
    pub fn clear(&mut self) {
        self.set = false;
    }

    /// The captured bytes.
    pub fn get(&self) -> Option<&[u8]> {
        self.set.then_some(&self.bytes[..])
    }
}

/// Durations in milliseconds; -1 for phases that were never reached (manual 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the timers of the manual")]
pub struct Timers {
    /// `%Th`: handshakes of the client connection.
    pub handshake: i64,
    /// `%Ti`: idle before the request.
    pub idle: i64,
    /// `%TR`: receiving the request.
    pub request: i64,
    /// `%Tw`: waiting in queues.
    pub queue: i64,
    /// `%Tc`: connecting to the server.
    pub connect: i64,
    /// `%Tr`: waiting for the response headers.
    pub response: i64,
    /// `%Td`: transferring the response.
    pub data: i64,
    /// `%Ta`: from the request to the end.
    pub active: i64,
    /// `%Tt`: from the accept to the end.
    pub total: i64,
    /// `%Tu`: as the user sees it: total without the idle time.
    pub user: i64,
}

impl Timers {
    /// No phase reached.
    pub const UNKNOWN: Self = Self {
        handshake: 0,
        idle: 0,
        request: -1,
        queue: -1,
        connect: -1,
        response: -1,
        data: -1,
        active: 0,
        total: 0,
        user: 0,
    };

    /// `%Tq`: handshake, idle and request together.
    pub const fn until_request(&self) -> i64 {
        if self.request < 0 { -1 } else { self.handshake + self.idle + self.request }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// Where in a stream's life a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the steps of the manual")]
pub enum Origin {
    /// Not known.
    #[default]
    Unspecified,
    /// A session failed before it became a stream.
    SessionError,
    /// A session was killed before it became a stream.
    SessionKilled,
    /// The connection was accepted.
    Accept,
    /// The request was received.
    Request,
    /// The server connection was established.
    Connect,
    /// The response headers were received.
    Response,
    /// The end.
    Close,
    /// `tcp-request connection do-log`.
    TcpRequestConnection,
    /// `tcp-request session do-log`.
    TcpRequestSession,
    /// `tcp-request content do-log`.
    TcpRequestContent,
    /// `tcp-response content do-log`.
    TcpResponseContent,
    /// `http-request do-log`.
    HttpRequest,
    /// `http-response do-log`.
    HttpResponse,
    /// `http-after-response do-log`.
    HttpAfterResponse,
    /// `quic-initial do-log`.
    QuicInitial,
}

impl Origin {
    /// Those that stand for a `do-log` action.
    pub const ACTIONS: [Self; 8] = [
        Self::HttpRequest,
        Self::HttpResponse,
        Self::HttpAfterResponse,
        Self::QuicInitial,
        Self::TcpRequestConnection,
        Self::TcpRequestSession,
        Self::TcpRequestContent,
        Self::TcpResponseContent,
    ];

    /// One of the steps of a stream (`log-steps`).
    pub const fn is_step(self) -> bool {
        matches!(self, Self::Accept | Self::Request | Self::Connect | Self::Response | Self::Close)
    }

    /// Told of when there may be an exchange of HTTP.
    pub const fn has_exchange(self) -> bool {
        !matches!(
            self,
            Self::Accept | Self::SessionKilled | Self::TcpRequestConnection | Self::TcpRequestSession
        )
    }

    /// Told of before the end is known, or by an action, which does not know it.
    pub const fn is_before_end(self) -> bool {
        !matches!(
            self,
            Self::Unspecified
                | Self::SessionError
                | Self::SessionKilled
                | Self::Connect
                | Self::Response
                | Self::Close
        )
    }

    /// The word `%OG` prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspec",
            Self::SessionError => "sess_error",
            Self::SessionKilled => "sess_killed",
            Self::Accept => "txn_accept",
            Self::Request => "txn_request",
            Self::Connect => "txn_connect",
            Self::Response => "txn_response",
            Self::Close => "txn_close",
            Self::TcpRequestConnection => "tcp-req-conn",
            Self::TcpRequestSession => "tcp-req-sess",
            Self::TcpRequestContent => "tcp-req-cont",
            Self::TcpResponseContent => "tcp-res-cont",
            Self::HttpRequest => "http-req",
            Self::HttpResponse => "http-res",
            Self::HttpAfterResponse => "http-after-res",
            Self::QuicInitial => "quic-init",
        }
    }
}

impl Record<'_> {
    /// Whether the line tells of something that went wrong, as `option dontlog-normal` and `option log-separate-errors`
    /// see it: an abnormal end, an attempt that had to be repeated, or an answer that is a server's error.
    pub fn is_error(&self) -> bool {
        !self.termination.is_normal()
            || self.redispatched
            || (self.termination.cause == Cause::Normal && self.retries > 0)
            || (self.http_mode && self.status >= 500)
    }

    /// Nothing known.
    pub const EMPTY: Self = Self {
        client: None,
        frontend_addr: None,
        backend_addr: None,
        server_addr: None,
        unix: false,
        frontend: ProxyRef { name: "", id: 0 },
        listener: ProxyRef { name: "", id: 0 },
        tls: false,
        http_mode: false,
        http_frontend: false,
        backend: None,
        server: None,
        accept_date: Duration::ZERO,
        request_date: Duration::ZERO,
        timers: Timers::UNKNOWN,
        early: false,
        status: 0,
        bytes_read: 0,
        bytes_uploaded: 0,
        termination: Termination {
            cause: Cause::Normal,
            phase: super::Phase::Done,
            cookie_request: b'-',
            cookie_response: b'-',
        },
        process_connections: 0,
        frontend_connections: 0,
        backend_connections: 0,
        server_connections: 0,
        retries: 0,
        redispatched: false,
        server_queue: 0,
        backend_queue: 0,
        counter: 0,
        log_counter: 0,
        origin: Origin::Unspecified,
        error: None,
        http: None,
    };
}
