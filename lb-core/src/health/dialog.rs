//! The seam between checks and drivers: [`ProbeSpec`] starts a [`Dialog`], a driver carries it out.
//!
//! A driver runs a dialog like any other machine of this crate:
//!
//! > After every `handle_*` call, drain [`Dialog::poll_output`] until it returns `None`, then arm one timer at
//! > [`Dialog::poll_timeout`]. Stop as soon as [`Dialog::verdict`] is there and the outputs are drained.
//!
//! A new dialog has outputs waiting (normally [`Output::Connect`]), so the first thing to do is to drain it.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{EngineHandle, Status, Verdict};
use crate::addr::Endpoint;
use crate::spec::SourceAddr;

/// The configured form of a check: immutable, shared by every check of the servers that use it.
pub trait ProbeSpec: fmt::Debug + Send + Sync {
    /// Starts one check of `target`. The dialog has outputs waiting.
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog>;

    /// Whether `other` would check in exactly the same way. A reload keeps the check's state only when it does.
    fn same_as(&self, other: &dyn ProbeSpec) -> bool;

    /// For downcasting in [`same_as`](Self::same_as).
    fn as_any(&self) -> &dyn Any;
}

/// One check in progress.
pub trait Dialog: Send {
    /// Something happened on the connection.
    fn handle_input(&mut self, now: Instant, input: Input<'_>);

    /// The instant last returned by [`poll_timeout`](Self::poll_timeout) has passed. Calling early is harmless.
    fn handle_timeout(&mut self, now: Instant);

    /// The next thing for the driver to do. The answer changes with every call and after every `handle_*`.
    fn poll_output(&mut self) -> Option<Output>;

    /// When [`handle_timeout`](Self::handle_timeout) is due. The answer changes only after a `handle_*` call.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The conclusion, once there is one. It never changes afterwards.
    fn verdict(&self) -> Option<&Verdict>;
}

/// What a driver reports to a dialog.
///
/// Order of a connection's life: `Connected`, then `Secured` if TLS was requested, then any number of `Bytes`, then at
/// most one of `Closed` or `Failed`. `Failed` may also come instead of `Connected` or `Secured`. A new
/// [`Output::Connect`] starts over; the driver reports nothing more of the previous connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The transport connection is established (for datagrams: the socket is ready).
    Connected,
    /// The TLS handshake requested by the last [`Output::Connect`] is complete.
    Secured,
    /// Data was received.
    Bytes(&'a [u8]),
    /// The peer closed its side in good order.
    Closed,
    /// Connecting, securing, sending or receiving failed; the connection is gone.
    Failed(ConnectFailure),
    /// The program started by [`Output::Run`] ended; the exit code, or the negated number of the signal that killed it.
    Exited(i32),
    /// The beginning of the file that [`Output::Read`] asked for; nothing of one that cannot be read.
    Content(&'a [u8]),
}

/// Which part of the conversation a failure belongs to.
#[expect(clippy::exhaustive_enums, reason = "the three layers every status code is named after")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Establishing the transport connection.
    Connection,
    /// The TLS handshake.
    Security,
    /// The conversation itself.
    Application,
}

/// Why a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectFailure {
    /// Where it failed.
    pub layer: Layer,
    /// True when no attempt was made because the local socket could not be created, bound or configured.
    pub local: bool,
    /// The operating system's or the TLS library's words. HAProxy 3.4 words a refusal as "ECONNREFUSED returned by OS
    /// (Connection refused)", which then stands in the log.
    pub reason: String,
}

impl ConnectFailure {
    /// A failure seen while talking to the peer.
    pub fn new(layer: Layer, reason: impl Into<String>) -> Self {
        Self { layer, local: false, reason: reason.into() }
    }

    /// A failure to prepare the local socket.
    pub fn local(reason: impl Into<String>) -> Self {
        Self { layer: Layer::Connection, local: true, reason: reason.into() }
    }

    /// The verdict of a check that has nothing better to say about this failure.
    ///
    /// A failure after the connection was up says nothing about any layer and counts as a socket error.
    pub fn verdict(&self) -> Verdict {
        let status = match self.layer {
            Layer::Connection if !self.local => Status::L4Connection,
            Layer::Connection | Layer::Application => Status::SocketError,
            Layer::Security => Status::L6Response,
        };
        Verdict::new(status).with_info(self.reason.clone())
    }
}

/// What a dialog asks of its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Open a connection; an existing one is closed first with a reset.
    Connect(ConnectRequest),
    /// Send these bytes, completely, before anything that follows.
    Send(Bytes),
    /// Close the connection.
    Close(Close),
    /// Run an external program and report [`Input::Exited`].
    Run(Command),
    /// Read the beginning of the file at this path and report [`Input::Content`].
    Read(Arc<str>),
}

/// How a connection ends.
#[expect(clippy::exhaustive_enums, reason = "there are two ways to close a connection")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Close {
    /// With a reset (linger 0), so that a check leaves no socket behind on either side and a plain connection check
    /// stays invisible to the application. The rule for nearly every check.
    Reset,
    /// With a normal shutdown. SMTP checks end so, and scripts that say `linger`.
    Clean,
}

/// What to connect to and how. `Default` means "as the server is configured".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// Transport to use.
    pub transport: Transport,
    /// Address to use instead of the server's check address.
    pub addr: Option<IpAddr>,
    /// Port to use instead of the server's check port.
    pub port: Option<u16>,
    /// Where to connect from, instead of as the server is configured.
    pub source: Option<Arc<SourceAddr>>,
    /// Whether TLS is spoken.
    pub tls: TlsChoice,
    /// Whether a PROXY header precedes everything else.
    pub proxy_header: ProxyHeader,
    /// Go through the SOCKS4 proxy of the server, if it has one.
    pub via_socks4: bool,
    /// Accept an idle connection of the server's pool.
    pub reuse: bool,
    /// Something is sent, or waited for, once it is connected. A plain connection check leaves this off, so that the driver
    /// can avoid completing the three-way handshake where the system permits it: the server would not speak before.
    pub has_data: bool,
}

impl ConnectRequest {
    /// Whether the connection to `target` will be secured, so that [`Input::Secured`] is to be waited for.
    pub const fn is_secured(&self, target: &Target) -> bool {
        match self.tls {
            TlsChoice::Inherit => target.tls,
            TlsChoice::Off => false,
            TlsChoice::On(_) => true,
        }
    }
}

/// Kind of socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// A stream: TCP or a unix stream socket.
    #[default]
    Stream,
    /// Datagrams: UDP.
    Datagram,
    /// An ICMP echo. [`Input::Bytes`] reports the answer's payload, `Send` gives the request's.
    Echo,
}

/// TLS for one connection.
#[expect(clippy::exhaustive_enums, reason = "a driver must handle every choice")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsChoice {
    /// As the server's checks are configured.
    #[default]
    Inherit,
    /// Never.
    Off,
    /// Always, with these particulars.
    On(TlsRequest),
}

/// Particulars of a TLS connection made for a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsRequest {
    /// Name to announce; `None` announces what the server's checks are configured to.
    pub sni: Option<Arc<str>>,
    /// Protocols to offer; empty offers what the server's checks are configured to.
    pub alpn: Vec<Bytes>,
}

/// PROXY protocol header for one connection.
#[expect(clippy::exhaustive_enums, reason = "a driver must handle every choice")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProxyHeader {
    /// As the server's checks are configured.
    #[default]
    Inherit,
    /// Never.
    Off,
    /// Send one, in the version the server is configured with.
    On,
}

/// An external program to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// Path of the program.
    pub program: String,
    /// Its arguments, without the program's name.
    pub args: Vec<String>,
    /// Its complete environment.
    pub env: Vec<(String, String)>,
    /// Who runs it; whoever runs the check if unset.
    pub account: Option<Account>,
}

/// Whose rights a program gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The user, by name or number.
    pub user: String,
    /// The group, by name or number; that of the user if unset.
    pub group: Option<String>,
    /// Where there is no such user, whoever runs the check runs the program.
    pub optional: bool,
}

impl Account {
    /// A user with his own group, who must exist.
    pub fn new(user: impl Into<String>) -> Self {
        Self { user: user.into(), ..Self::default() }
    }
}

/// The server being checked, as far as a check may know it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Target {
    /// Name of the backend.
    pub backend: Arc<str>,
    /// Name of the server.
    pub server: Arc<str>,
    /// Where the check connects, unless told otherwise; `None` for a unix socket.
    pub addr: Option<SocketAddr>,
    /// Where the server takes its traffic; differs from `addr` with `check addr` or `check port`.
    pub server_endpoint: Option<Endpoint>,
    /// Where the proxy first listens.
    pub listener: Option<Endpoint>,
    /// Number of the proxy.
    pub proxy_id: u32,
    /// Number of the server.
    pub server_id: u32,
    /// The configured limit of the server's sessions.
    pub maxconn: u32,
    /// Whether the proxy speaks HTTP.
    pub http: bool,
    /// Whether the check's connection is secured unless told otherwise.
    pub tls: bool,
    /// Time limits.
    pub schedule: Schedule,
    /// State of the server when the check starts, for checks that report it.
    pub snapshot: ServerSnapshot,
    /// Since the Unix epoch, when the check starts.
    pub date: Duration,
    /// The running engine.
    pub engine: EngineHandle,
}

impl Target {
    /// A target with these names and this address, default time limits and nothing else.
    pub fn new(backend: impl Into<Arc<str>>, server: impl Into<Arc<str>>, addr: Option<SocketAddr>) -> Self {
        let server_endpoint = addr.map(Endpoint::from);
        Self { backend: backend.into(), server: server.into(), addr, server_endpoint, ..Self::default() }
    }
}

/// Time limits of one check (`inter`, `timeout connect`, `timeout check`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// Interval between two checks in full health; also the limit of everything when there is no `timeout check`.
    pub inter: Duration,
    /// The backend's `timeout connect`.
    pub connect: Option<Duration>,
    /// The backend's `timeout check`.
    pub check: Option<Duration>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { inter: Duration::from_secs(2), connect: None, check: None }
    }
}

impl Schedule {
    /// When a connection attempt started at `now` must have succeeded.
    ///
    /// `timeout connect` matters only together with `timeout check`; alone it may be far longer than the interval.
    pub fn connect_deadline(&self, now: Instant) -> Instant {
        let limit = match (self.check, self.connect) {
            (Some(_), Some(connect)) => connect.min(self.inter),
            _ => self.inter,
        };
        now + limit
    }

    /// When the conversation must be over on a connection that was established at `now` after an attempt limited by
    /// `connect_deadline`. Without `timeout check` the clock is not restarted: connecting and talking share `inter`.
    pub fn talk_deadline(&self, now: Instant, connect_deadline: Instant) -> Instant {
        self.check.map_or(connect_deadline, |check| now + check)
    }
}

/// The server's state as told to checks that report it (`http-check send-state`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSnapshot {
    /// Display form of the state: `UP`, `UP 1/3`, `DOWN 1/2`, `NOLB`, `MAINT`, …
    pub state: String,
    /// Name of this load balancer.
    pub node: Arc<str>,
    /// Effective weight of the server.
    pub weight: u32,
    /// Total effective weight of the backend.
    pub total_weight: u32,
    /// Current sessions of the server.
    pub sessions: u32,
    /// Current sessions of the backend.
    pub backend_sessions: u32,
    /// Requests waiting in the server's queue.
    pub queued: u32,
    /// Time until the slow start ends, while one is running.
    pub throttle: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
    fn everything_fits_in_the_interval_without_a_check_timeout() {
        let start = Instant::now();
        let schedule = Schedule { inter: ms(1000), connect: Some(ms(100)), check: None };
        let connect = schedule.connect_deadline(start);
        assert_eq!(connect, start + ms(1000));
        assert_eq!(schedule.talk_deadline(start + ms(400), connect), start + ms(1000));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
    fn a_check_timeout_limits_connecting_and_talking_apart() {
        let start = Instant::now();
        let schedule = Schedule { inter: ms(1000), connect: Some(ms(100)), check: Some(ms(5000)) };
        let connect = schedule.connect_deadline(start);
        assert_eq!(connect, start + ms(100));
        assert_eq!(schedule.talk_deadline(start + ms(40), connect), start + ms(5040));
        let long = Schedule { connect: Some(ms(3000)), ..schedule };
        assert_eq!(long.connect_deadline(start), start + ms(1000));
    }
}
