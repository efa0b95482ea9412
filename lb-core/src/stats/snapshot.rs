//! The state of a proxy at one moment, as plain data: what the engine fills and every renderer reads.

use super::counter::{BackendCounts, FrontendCounts, Level, ListenerCounts, ServerCounts};
use super::status::{FrontendState, ListenerState, ServerStatus};
use crate::health;
use crate::name::{ProxyName, ServerName};
use crate::spec::{Capability, Mode};

/// One proxy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProxySnapshot {
    /// Its name.
    pub name: ProxyName,
    /// Its numeric identifier.
    pub id: u32,
    /// Which sides it has.
    pub capability: Capability,
    /// The layer it works on.
    pub mode: Mode,
    /// Free text for people.
    pub description: Option<String>,
    /// The client side.
    pub frontend: Option<FrontendSnapshot>,
    /// Its listeners, if they count for themselves (`option socket-stats`).
    pub listeners: Vec<ListenerSnapshot>,
    /// The servers in the order of the configuration.
    pub servers: Vec<ServerSnapshot>,
    /// The server side.
    pub backend: Option<BackendSnapshot>,
}

impl ProxySnapshot {
    /// A proxy without any side.
    pub fn new(name: impl Into<ProxyName>, id: u32, capability: Capability, mode: Mode) -> Self {
        Self {
            name: name.into(),
            id,
            capability,
            mode,
            description: None,
            frontend: None,
            listeners: Vec::new(),
            servers: Vec::new(),
            backend: None,
        }
    }
}

/// Numbers of the protocol modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleCounts {
    /// TLS, in the order of the columns from `ssl_sess` on.
    pub ssl: [u64; 5],
    /// HTTP/2, in the order of the columns from `h2_headers_rcvd` on.
    pub h2: [u64; 13],
    /// HTTP/1, in the order of the columns from `h1_open_connections` on.
    pub h1: [u64; 8],
}

/// The client side of a proxy.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FrontendSnapshot {
    /// What it is doing.
    pub state: FrontendState,
    /// Sessions.
    pub sessions: Level,
    /// Limit of sessions.
    pub limit: u32,
    /// Sessions per second.
    pub session_rate: Level,
    /// Limit of sessions per second, 0 for none.
    pub rate_limit: u32,
    /// Connections per second.
    pub connection_rate: Level,
    /// Requests per second.
    pub request_rate: Level,
    /// Counters.
    pub counts: FrontendCounts,
    /// Counters of the protocol modules.
    pub modules: ModuleCounts,
}

/// One listening socket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenerSnapshot {
    /// Its name, `sock-<id>` unless configured.
    pub name: String,
    /// Its numeric identifier.
    pub id: u32,
    /// What it is doing.
    pub state: ListenerState,
    /// Where it listens, `unix` for a unix socket.
    pub addr: String,
    /// Its protocol family: `tcpv4`, `tcpv6`, `unix_stream`, …
    pub proto: &'static str,
    /// Connections.
    pub sessions: Level,
    /// Limit of connections, 0 for none of its own.
    pub limit: u32,
    /// Counters.
    pub counts: ListenerCounts,
    /// Counters of TLS.
    pub ssl: [u64; 5],
}

impl ListenerSnapshot {
    /// An open listener without traffic.
    pub fn new(name: impl Into<String>, id: u32, addr: impl Into<String>, proto: &'static str) -> Self {
        Self {
            name: name.into(),
            id,
            state: ListenerState::Open,
            addr: addr.into(),
            proto,
            sessions: Level::default(),
            limit: 0,
            counts: ListenerCounts::default(),
            ssl: [0; 5],
        }
    }
}

/// Average and highest duration of the phases of a session, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durations {
    /// Waiting in the queue.
    pub queue: Level,
    /// Connecting.
    pub connect: Level,
    /// Waiting for the response (HTTP only).
    pub response: Level,
    /// All together.
    pub total: Level,
}

/// Connections of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionUse {
    /// Idle ones not known to be safe for reuse.
    pub idle_unsafe: u32,
    /// Idle ones known to be safe for reuse.
    pub idle_safe: u32,
    /// Idle ones reserved for their client.
    pub idle_private: u32,
    /// Limit of idle ones.
    pub idle_limit: Option<u32>,
    /// Ones in use.
    pub used: u32,
    /// Estimate of how many are needed.
    pub needed: u32,
}

/// One server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerSnapshot {
    /// Its name.
    pub name: ServerName,
    /// Its numeric identifier.
    pub id: u32,
    /// How often the identifier was given to another server before.
    pub revision: u32,
    /// Its state.
    pub status: ServerStatus,
    /// Whether it is a backup server.
    pub backup: bool,
    /// Address and port; `unix` for a unix socket.
    pub addr: String,
    /// Value of its cookie.
    pub cookie: Option<String>,
    /// The server whose state it follows, as `backend/server`.
    pub tracks: Option<String>,
    /// Effective weight.
    pub weight: u32,
    /// Configured weight.
    pub user_weight: u32,
    /// Percentage granted during slow start, 100 when there is none.
    pub throttle: u32,
    /// Requests in its queue.
    pub queue: Level,
    /// Limit of its queue.
    pub queue_limit: Option<u32>,
    /// Sessions.
    pub sessions: Level,
    /// Limit of sessions.
    pub limit: Option<u32>,
    /// Sessions per second.
    pub session_rate: Level,
    /// Seconds since the last session.
    pub last_session: Option<u32>,
    /// Seconds since the last change of state.
    pub last_change: u32,
    /// Seconds spent down.
    pub downtime: u32,
    /// Its health check.
    pub check: Option<CheckReport>,
    /// Its agent check.
    pub agent: Option<CheckReport>,
    /// Whether live traffic is observed.
    pub observed: bool,
    /// Durations.
    pub durations: Durations,
    /// Connections.
    pub connections: ConnectionUse,
    /// Counters.
    pub counts: ServerCounts,
    /// Counters of TLS.
    pub ssl: [u64; 5],
}

impl ServerSnapshot {
    /// An unchecked server of weight 1 without traffic.
    pub fn new(name: impl Into<ServerName>, id: u32, addr: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            id,
            revision: 0,
            status: ServerStatus::NoCheck,
            backup: false,
            addr: addr.into(),
            cookie: None,
            tracks: None,
            weight: 1,
            user_weight: 1,
            throttle: 100,
            queue: Level::default(),
            queue_limit: None,
            sessions: Level::default(),
            limit: None,
            session_rate: Level::default(),
            last_session: None,
            last_change: 0,
            downtime: 0,
            check: None,
            agent: None,
            observed: false,
            durations: Durations::default(),
            connections: ConnectionUse::default(),
            counts: ServerCounts::default(),
            ssl: [0; 5],
        }
    }
}

/// What is known of the checks of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// A check is under way.
    pub running: bool,
    /// Result of the last one.
    pub status: health::Status,
    /// The code it received.
    pub code: u32,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Its text.
    pub info: String,
    /// Successes that bring the server up.
    pub rise: u32,
    /// Failures that take it down.
    pub fall: u32,
    /// Health, 0 to `rise + fall - 1`.
    pub health: u32,
    /// Set when checks are configured but do not run: switched off by the operator, or the server is in maintenance.
    pub paused: bool,
}

impl CheckReport {
    /// A check that has not reported yet.
    pub fn new(rise: u32, fall: u32) -> Self {
        Self {
            running: false,
            status: health::Status::Initializing,
            code: 0,
            duration_ms: 0,
            info: String::new(),
            rise,
            fall,
            health: rise,
            paused: false,
        }
    }
}

/// The server side of a proxy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendSnapshot {
    /// Whether a server can be used; true for a backend without servers.
    pub up: bool,
    /// Name of the balancing algorithm.
    pub algorithm: String,
    /// Name of the persistence cookie.
    pub cookie: Option<String>,
    /// Sum of the effective weights of the servers in use.
    pub weight: u32,
    /// Sum of the configured weights of the servers in use.
    pub user_weight: u32,
    /// Active servers that are up.
    pub active: u32,
    /// Backup servers that are up.
    pub backups: u32,
    /// Requests in the queues of the backend.
    pub queue: Level,
    /// Sessions.
    pub sessions: Level,
    /// `fullconn`.
    pub limit: u32,
    /// Sessions per second.
    pub session_rate: Level,
    /// Seconds since the last session.
    pub last_session: Option<u32>,
    /// Seconds since the last change of state.
    pub last_change: u32,
    /// Seconds spent down; `None` when the backend has no servers.
    pub downtime: Option<u32>,
    /// Durations.
    pub durations: Durations,
    /// Counters.
    pub counts: BackendCounts,
    /// Counters of the protocol modules.
    pub modules: ModuleCounts,
}

impl BackendSnapshot {
    /// A backend that is up, without servers or traffic.
    pub fn new(algorithm: impl Into<String>) -> Self {
        Self {
            up: true,
            algorithm: algorithm.into(),
            cookie: None,
            weight: 0,
            user_weight: 0,
            active: 0,
            backups: 0,
            queue: Level::default(),
            sessions: Level::default(),
            limit: 0,
            session_rate: Level::default(),
            last_session: None,
            last_change: 0,
            downtime: None,
            durations: Durations::default(),
            counts: BackendCounts::default(),
            modules: ModuleCounts::default(),
        }
    }
}
