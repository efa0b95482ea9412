//! The seam between commands and the engine.

use super::parse::Request;
use super::reply::Reply;
use super::show::servers::{ServerConnections, ServerState};
use crate::expr::{OwnedSample, VarName};
use crate::name::{ProxyName, ServerName};
use crate::spec::PatternList;
use crate::stats::info::ProcessInfo;
use crate::stats::snapshot::ProxySnapshot;
use crate::stick::SharedTable;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;

/// A proxy or server as a command names it.
#[expect(clippy::exhaustive_enums, reason = "by number or by name")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy<'a> {
    /// By its number, `#4`.
    Id(u32),
    /// By its name.
    Name(&'a str),
}

impl<'a> Proxy<'a> {
    /// Reads `#4` or a name; a number that does not fit is taken for a name, which nothing has.
    pub fn parse(word: &'a str) -> Self {
        match word.strip_prefix('#').map(str::parse) {
            Some(Ok(id)) => Self::Id(id),
            _ => Self::Name(word),
        }
    }
}

/// The engine as commands see it. Calls must not block; what takes long happens behind them.
///
/// The questions are answered from a moment's state. The changes take effect before the call returns, as far as a command
/// sent next could notice.
pub trait Control {
    /// Facts about the process.
    fn info(&self) -> ProcessInfo;

    /// Every proxy, in the order of the configuration.
    fn proxies(&self) -> Vec<ProxySnapshot>;

    /// The backend of this name or number.
    fn find_backend(&self, backend: Proxy<'_>) -> Option<ProxyName>;

    /// The frontend of this name or number.
    fn find_frontend(&self, frontend: Proxy<'_>) -> Option<ProxyName>;

    /// The server of this name or number in a backend.
    fn find_server(&self, backend: &ProxyName, server: Proxy<'_>) -> Option<ServerName>;

    /// Configured and initial weight of a server.
    fn weight(&self, backend: &ProxyName, server: &ServerName) -> Option<(u32, u32)>;

    /// Where a server takes its traffic, if it has an address.
    fn server_addr(&self, backend: &ProxyName, server: &ServerName) -> Option<SocketAddr>;

    /// The lines of `show servers state`, of one backend or of all.
    fn server_states(&self, backend: Option<&ProxyName>) -> Vec<ServerState>;

    /// The lines of `show servers conn`, of one backend or of all.
    fn server_connections(&self, backend: Option<&ProxyName>) -> Vec<ServerConnections>;

    /// The sessions that pass the filter.
    fn sessions(&self, filter: &SessionFilter) -> Vec<SessionLine>;

    /// Number of invalid messages seen so far, and the last of each proxy and direction.
    fn errors(&self) -> (u64, Vec<CapturedError>) {
        (0, Vec::new())
    }

    /// The date as `show errors` prints it, `22/Nov/2026:15:22:59.079`.
    fn date(&self) -> String;

    /// The environment of the process.
    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The sockets that take commands.
    fn sockets(&self) -> Vec<CliSocket> {
        Vec::new()
    }

    /// What takes log lines and events: descriptors and rings of messages.
    fn event_sinks(&self) -> Vec<EventSink> {
        Vec::new()
    }

    /// Begins to read the messages of a ring, with `new` only those to come. `None` if there is no such ring, or too many
    /// read it.
    fn watch_events(&self, sink: &str, new: bool) -> Option<Box<dyn Events>> {
        let _ = (sink, new);
        None
    }

    /// What was written to the logs while starting.
    fn startup_logs(&self) -> String {
        String::new()
    }

    /// The stick tables.
    fn tables(&self) -> Vec<Arc<SharedTable>> {
        Vec::new()
    }

    /// The lists of patterns and maps.
    fn lists(&self) -> Vec<PatternList> {
        Vec::new()
    }

    /// The value of a variable of the process, named without its scope.
    fn variable(&self, name: &str) -> Option<OwnedSample> {
        let _ = name;
        None
    }

    /// Sets a variable of the process to the value of an expression, or of a format, in words of the dialect.
    fn set_variable(&self, name: &VarName, words: &[String], format: bool) -> Result<(), ControlError> {
        let _ = (name, words, format);
        Err(ControlError::Unsupported)
    }

    /// Changes a backend as a whole.
    fn change_backend(&self, backend: &ProxyName, change: BackendChange) -> Result<(), ControlError> {
        let _ = (backend, change);
        Err(ControlError::Unsupported)
    }

    /// Changes a server.
    fn change_server(
        &self,
        backend: &ProxyName,
        server: &ServerName,
        change: ServerChange,
    ) -> Result<(), ControlError>;

    /// Has another name resolved for a server.
    fn rename_server(
        &self,
        backend: &ProxyName,
        server: &ServerName,
        name: &str,
    ) -> Result<Renaming, ControlError> {
        let _ = (backend, server, name);
        Err(ControlError::Unsupported)
    }

    /// Changes a frontend.
    fn change_frontend(&self, frontend: &ProxyName, change: FrontendChange) -> Result<(), ControlError>;

    /// Changes the process.
    fn change_global(&self, change: GlobalChange) -> Result<(), ControlError>;

    /// Adds a server to a backend.
    fn add_server(&self, server: AddServer<'_>) -> Result<(), ControlError> {
        let _ = server;
        Err(ControlError::Unsupported)
    }

    /// Removes a server from its backend.
    fn delete_server(&self, backend: &ProxyName, server: &ServerName) -> Result<(), ControlError> {
        let _ = (backend, server);
        Err(ControlError::Unsupported)
    }

    /// Whether a server can be removed now; [`ControlError::Busy`] if only its sessions are in the way.
    fn removable(&self, backend: &ProxyName, server: &ServerName) -> Result<(), ControlError> {
        let _ = (backend, server);
        Err(ControlError::Unsupported)
    }

    /// Ends a session; false if there is none of this number.
    fn shutdown_session(&self, id: u64) -> bool;

    /// Ends every session of a server.
    fn shutdown_server_sessions(&self, backend: &ProxyName, server: &ServerName);

    /// Starts counting anew: the peaks, or with `all` everything.
    fn clear_counters(&self, all: bool);

    /// Help texts of the commands [`extra`](Self::extra) understands: usage and description.
    fn extra_usages(&self) -> &[(&'static str, &'static str)] {
        &[]
    }

    /// Runs a command that is not one of this module's; `None` if it is unknown. A command whose answer is pending is
    /// given again until it is answered or the patience of [`companion`](crate::companion) ends.
    fn extra(&self, request: &Request, level: SocketLevel) -> Option<Poll<Reply>> {
        let _ = (request, level);
        None
    }
}

/// What a connection may do.
#[expect(clippy::exhaustive_enums, reason = "the levels of `stats socket … level`")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketLevel {
    /// Read what is not sensitive.
    User,
    /// Read everything, change what does no harm.
    #[default]
    Operator,
    /// Everything.
    Admin,
}

impl SocketLevel {
    /// The word of the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Why a change was refused. The text is the answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The server is gone.
    #[error("No such server.")]
    NoServer,
    /// The server has no health check.
    #[error("health checks are not enabled on this server.")]
    NoCheck,
    /// The server has no agent check.
    #[error("agent checks are not enabled on this server.")]
    NoAgent,
    /// The server follows another one.
    #[error("cannot change health on a tracking server.")]
    Tracking,
    /// The balancing algorithm cannot change weights at run time.
    #[error("Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.")]
    StaticWeights,
    /// The frontend was shut down.
    #[error("Frontend was already shut down.")]
    ShutDown,
    /// The frontend is in that state already.
    #[error("nothing changed")]
    Unchanged,
    /// The configuration disabled the backend.
    #[error("No effect on a disabled backend.")]
    Disabled,
    /// The server still has sessions.
    #[error("Server still has connections attached to it, cannot remove it.")]
    Busy,
    /// This build or configuration cannot do it.
    #[error("This is not supported.")]
    Unsupported,
    /// Anything else, in words for the operator.
    #[error("{0}")]
    Other(String),
}

/// A new weight.
#[expect(clippy::exhaustive_enums, reason = "the two ways to write a weight")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightChange {
    /// The weight, 0 to 256.
    Absolute(u32),
    /// A percentage of the initial weight.
    Percent(u32),
}

/// A change of a server.
#[expect(clippy::exhaustive_enums, reason = "an engine must handle every change")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChange {
    /// Leave maintenance and drain mode.
    Ready,
    /// Only persistent traffic from now on.
    Drain,
    /// Enter maintenance.
    Maint,
    /// Leave maintenance but not drain mode (`enable server`).
    LeaveMaint,
    /// Leave drain mode but not maintenance.
    LeaveDrain,
    /// Behave as if health checks had succeeded.
    HealthUp,
    /// Behave as if a health check had asked for no new clients.
    HealthStopping,
    /// Behave as if health checks had failed.
    HealthDown,
    /// Resume or stop health checks.
    HealthChecks(bool),
    /// Behave as if the agent had said "up" or "down".
    Agent(bool),
    /// Resume or stop agent checks.
    AgentChecks(bool),
    /// Where the agent is asked.
    AgentAddr(IpAddr),
    /// The port the agent is asked on.
    AgentPort(u16),
    /// What is sent to the agent.
    AgentSend(String),
    /// Where health checks connect, and the port if given.
    CheckAddr(IpAddr, Option<u16>),
    /// The port health checks connect to.
    CheckPort(u16),
    /// The weight.
    Weight(WeightChange),
    /// The limit of sessions.
    Maxconn(u32),
    /// Address and port.
    Addr(SocketAddr),
    /// Whether TLS is spoken.
    Tls(bool),
}

/// What became of the order to resolve another name for a server.
#[expect(clippy::exhaustive_enums, reason = "every answer has words of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renaming {
    /// It is resolved from now on, in place of this one if there was one.
    Changed(Option<String>),
    /// The server has this name already.
    Unchanged,
    /// No host can have this name.
    Invalid,
    /// Name servers cannot be asked for it.
    Impossible,
}

/// A change of a frontend.
#[expect(clippy::exhaustive_enums, reason = "an engine must handle every change")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontendChange {
    /// Accept again. [`ControlError::Unchanged`] if it does, [`ControlError::ShutDown`] if it cannot any more.
    Enable,
    /// Stop accepting for a while; errors as for `Enable`.
    Disable,
    /// Stop for good; [`ControlError::ShutDown`] if it was already.
    Shutdown,
    /// The limit of sessions.
    Maxconn(u32),
}

/// A change of a backend as a whole.
#[expect(clippy::exhaustive_enums, reason = "an engine must handle every change")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendChange {
    /// Let rules choose it. [`ControlError::Disabled`] if the configuration disabled it.
    Publish,
    /// Let rules pass over it; errors as for `Publish`.
    Unpublish,
}

/// A change of the process.
#[expect(clippy::exhaustive_enums, reason = "an engine must handle every change")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalChange {
    /// The limit of connections; 0 restores that of the start.
    Maxconn(u32),
    /// The limit of connections per second, 0 for none.
    ConnectionRate(u32),
    /// The limit of sessions per second, 0 for none.
    SessionRate(u32),
    /// The limit of TLS sessions per second, 0 for none.
    TlsRate(u32),
    /// The limit of compressed output in bytes per second, 0 for none.
    CompressionRate(u32),
}

/// A server to add at run time, in words of the dialect it is written in.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AddServer<'a> {
    /// The backend.
    pub backend: &'a ProxyName,
    /// The new server's name.
    pub name: &'a str,
    /// Its address and keywords, as on a `server` line.
    pub words: &'a [String],
}

impl<'a> AddServer<'a> {
    pub(super) const fn new(backend: &'a ProxyName, name: &'a str, words: &'a [String]) -> Self {
        Self { backend, name, words }
    }
}

/// Which sessions `show sess` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionFilter {
    /// Only this one.
    pub id: Option<u64>,
    /// Only those at least this old.
    pub older: Option<Duration>,
    /// Only those of this frontend.
    pub frontend: Option<ProxyName>,
    /// Only those of this backend.
    pub backend: Option<ProxyName>,
    /// Only those of this server of `backend`.
    pub server: Option<ServerName>,
}

/// A session of `show sess`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLine {
    /// Its number, unique while it lives.
    pub id: u64,
    /// Transport of the client side: `tcpv4`, `tcpv6`, `unix_stream`.
    pub proto: &'static str,
    /// The client's address and port.
    pub source: String,
    /// The address and port the client connected to.
    pub destination: String,
    /// The frontend.
    pub frontend: String,
    /// The listener's name.
    pub listener: String,
    /// The backend, once it is chosen.
    pub backend: Option<String>,
    /// The server, once it is chosen.
    pub server: Option<String>,
    /// The server's address and port.
    pub server_addr: Option<String>,
    /// How old it is.
    pub age: Duration,
    /// When it expires, unless something happens.
    pub expires_in: Option<Duration>,
    /// Retries so far.
    pub retries: u32,
    /// Requests so far.
    pub requests: u64,
    /// Bytes of the request that wait to be sent.
    pub request_pending: u64,
    /// Bytes of the response that wait to be sent.
    pub response_pending: u64,
    /// Waits in a queue.
    pub queued: bool,
    /// The address asked for, if the protocol has one.
    pub uri: Option<String>,
}

/// An invalid message kept for `show errors`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapturedError {
    /// When, `22/Nov/2026:15:22:59.079`.
    pub date: String,
    /// The proxy that received it.
    pub proxy: String,
    /// The proxy's number.
    pub proxy_id: u32,
    /// A response, not a request.
    pub response: bool,
    /// The other side's proxy and number: the backend of a request, the frontend of a response.
    pub other: Option<(String, u32)>,
    /// The server and its number.
    pub server: Option<(String, u32)>,
    /// Running number of the error.
    pub event: u64,
    /// The client's address and port.
    pub source: String,
    /// Position of the first byte that could not be understood.
    pub position: usize,
    /// The start of the message.
    pub bytes: Vec<u8>,
}

/// Something that takes events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSink {
    /// Its name.
    pub name: String,
    /// `buffer` if its messages can be read, else `fd`.
    pub kind: &'static str,
    /// Messages it had no room for.
    pub dropped: u64,
    /// What it is.
    pub description: String,
}

impl EventSink {
    /// A sink.
    pub fn new(name: &str, kind: &'static str, dropped: u64, description: &str) -> Self {
        Self { name: name.to_owned(), kind, dropped, description: description.to_owned() }
    }
}

/// Messages of a ring, read from where one is.
pub trait Events: fmt::Debug + Send {
    /// Appends messages, each with `delimiter` behind it, until there are no more or `out` has `limit` bytes.
    fn read(&mut self, limit: usize, delimiter: u8, out: &mut Vec<u8>);

    /// Whether there are more; if not, `cx` is woken once there are.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A socket that takes commands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CliSocket {
    /// Its address, `unix@/run/lb.sock`.
    pub addr: String,
    /// What its connections may do.
    pub level: SocketLevel,
}

impl CliSocket {
    /// A socket.
    pub fn new(addr: impl Into<String>, level: SocketLevel) -> Self {
        Self { addr: addr.into(), level }
    }
}
